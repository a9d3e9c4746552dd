# SPDX-License-Identifier: MIT
"""postern check as a linter: what it finds, in which words, and what it leaves alone."""

import json
import os
import re
import shutil
import time
from pathlib import Path

import authority as authorities
import gateway as g
import pytest
import schema

CASES = g.SOURCE / "tests" / "lint-cases"
HEAD = "[listener edge]\naddress = 127.0.0.1:3128\n[log a]\nfile = -\n"
TAIL = "[rule everything-else]\naction = deny\nforce = yes\n"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with what the cases name beside them."""
    folder = tmp_path_factory.mktemp("lint")
    authorities.make(folder, "ca")
    (folder / "users.ntlm").write_text("alice:8846f7eaee8fb117ad06bdd830b7586c\n")
    (folder / "users.ntlm").chmod(0o600)
    return folder


def check(path, *words):
    done = g.command("check", "--json", *words, "-c", path)
    said = schema.check("check", done.stdout)
    assert said["ok"] == (done.returncode == 0) and not done.stderr, done
    return said, done.returncode


def findings(said):
    return sorted(said["errors"] + said["warnings"] + said["notes"], key=lambda one: one["line"])


def of_kind(said, kind):
    return [one for one in findings(said) if one["kind"] == kind]


@pytest.mark.parametrize("name", sorted(path.stem for path in CASES.glob("*.ini")))
def test_each_case_is_told_as_it_is_written_down(place, name):
    path = place / f"{name}.ini"
    shutil.copyfile(CASES / path.name, path)
    said, _ = check(path)
    strict = check(path, "--strict")[1]
    lines = [f"{one['line']} {one['severity']} {one['kind']}: {one['text']} | {one['remedy']}".replace(f"{place}/", "") for one in findings(said)]
    lines.append("not usable" if said["errors"] else "not clean" if strict else "fine")
    text = "".join(line + "\n" for line in lines)
    expected = CASES / f"{name}.expected"
    if os.environ.get("POSTERN_LINT_WRITE"):
        expected.write_text(text)
    assert text == expected.read_text()


def test_each_kind_stands_in_the_manual_with_its_severity_and_is_shown_by_a_test():
    table = re.findall(r'X\(\w+, (\w+), "([a-z-]+)", "[^"]+"\)', (g.SOURCE / "src" / "conf" / "finding.h").read_text())
    page = (g.SOURCE / "man" / "postern-check.8").read_text()
    part = page[page.index("\n.Ss Kinds of findings\n"):page.index("\n.Sh EXIT STATUS\n")]
    told = [(severity, word) for severity, text in (("ERROR", part[:part.index("\nWarnings.\n")]),
                                                    ("WARNING", part[part.index("\nWarnings.\n"):part.index("\nNotes.\n")]),
                                                    ("NOTE", part[part.index("\nNotes.\n"):]))
            for word in re.findall(r"\n\.It Li ([a-z-]+)\n", text)]
    assert sorted(told) == sorted(table) and len(table) > 15
    properties = json.loads((schema.FOLDER / "postern-check.json").read_text())["properties"]
    assert sorted(table) == sorted((part[:-1].upper(), word) for part in ("errors", "warnings", "notes") for word in properties[part]["items"]["properties"]["kind"]["enum"])
    shown = "".join(path.read_text() for path in CASES.glob("*.expected")) + Path(__file__).read_text()
    assert not [word for _, word in table if f" {word}:" not in shown and f'"{word}"' not in shown]


def test_the_table_of_endpoints_is_what_the_lists_hold_and_microsoft_names():
    table = re.findall(r'^\t"(.*)",$', (g.SOURCE / "src" / "lint" / "shipped.c").read_text(), re.M)
    lists = [entry for path in (g.SOURCE / "conf" / "lists").glob("*.list") for line in path.read_text().splitlines()
             if (entry := line.partition("#")[0].strip())]
    assert sorted(table) == sorted(lists) and len(table) == len(set(table)) == 22
    shared = g.SOURCE.parent / "shared" / "endpoints" / "microsoft-diagnostics.tsv"
    if shared.exists():
        assert sorted(table) == sorted(line.split("\t")[0] for line in shared.read_text().splitlines()[1:])


def test_the_shipped_samples_are_clean(place):
    lists = place / "lists"
    shutil.copytree(g.SOURCE / "conf" / "lists", lists, dirs_exist_ok=True)
    for sample in (g.SOURCE / "conf" / "postern.ini", g.SOURCE / "contrib" / "container" / "postern.ini"):
        path = place / "sample.ini"
        shutil.copyfile(sample, path)
        said, code = check(path, "--strict")
        assert code == 0 and not findings(said), sample


def test_strict_makes_warnings_fail_and_run_says_nothing_of_lint(write, place):
    text = HEAD + "[rule r]\nhosts = re:.*\\.example\\.com\naction = deny\n" + TAIL
    path = write(text)
    assert g.command("check", "-c", path).returncode == 0
    done = g.command("check", "--strict", "-c", path)
    assert done.returncode == 1 and not done.stdout and done.stderr.splitlines()[-1] == f"postern: {path}: not clean: 0 errors, 1 warning", done
    assert "warning: `re:.*\\.example\\.com` needs no regex" in done.stderr
    path = write(text.replace("force = yes", "frobnicate = yes"))
    done = g.command("run", "-c", path)  # refused for another reason, which is told alone
    assert done.returncode != 0 and "frobnicate" in done.stderr and "regex" not in done.stderr and "endpoint" not in done.stderr


def test_what_others_may_write_is_named_each_once(folder, write):
    lists = folder / "lists"
    lists.mkdir()
    (lists / "a.list").write_text("a.example.com\n")
    (lists / "b.list").write_text("b.example.com\n")
    path = write(HEAD + "[list a]\nfile = lists/a.list lists/b.list\n[rule r]\nhosts = @a\naction = deny\n" + TAIL)
    for item in (folder, path, lists, lists / "a.list", lists / "b.list"):
        item.chmod(0o755 if item.is_dir() else 0o644)
    assert not findings(check(path)[0])
    lists.chmod(0o1777)  # sticky: nobody can put another file in its place
    assert not findings(check(path)[0])
    lists.chmod(0o777)
    (lists / "a.list").chmod(0o666)
    path.chmod(0o646)
    said, _ = check(path)
    texts = [(Path(one["file"]).name, one["text"]) for one in of_kind(said, "file-writable")]
    assert len(texts) == 3, texts
    assert any(name == "postern.ini" and "has mode 0646" in text for name, text in texts)
    assert any(name == "a.list" and "has mode 0666" in text for name, text in texts)
    assert any(f"folder {lists} has mode 0777" in text for name, text in texts)


def test_keys_open_to_others_expiring_certificates_and_old_crls_have_words(folder, write):
    authorities.make(folder, "soon", "-days", "20", *authorities.CA)
    authorities.crl(folder, "soon", folder / "old.crl", "-crl_lastupdate", "20200101000000Z", "-crl_nextupdate", "20200201000000Z")
    path = write("[inspection]\nca-cert = soon.pem\nca-key = soon.key\ncrl = old.crl\n" + HEAD + "[rule i]\naction = inspect\nauth = none\nforce = yes\n")
    said, _ = check(path)
    assert [one["kind"] for one in findings(said)] == ["certificate-expiring", "crl-overdue"] == [one["kind"] for one in said["warnings"]]
    (folder / "soon.key").chmod(0o644)
    assert [one["kind"] for one in check(path)[0]["errors"]] == ["file-open"]


def test_a_list_older_than_its_max_age_is_stale(folder, write):
    (folder / "a.list").write_text("a.example.com\n")
    path = write(HEAD + "[list a]\nfile = a.list\nmax-age = 24h\n[rule r]\nhosts = @a\naction = deny\n" + TAIL)
    assert not findings(check(path)[0])
    old = time.time() - 10 * 86400
    os.utime(folder / "a.list", (old, old))
    stale = of_kind(check(path)[0], "list-stale")
    assert [one["line"] for one in stale] == [5] and "10 days old" in stale[0]["text"] and findings(check(path)[0]) == stale
    path.write_text(path.read_text().replace("file = a.list", "host = a.example.com"))
    assert [one["line"] for one in of_kind(check(path)[0], "no-effect")] == [5]


def test_hostile_text_reaches_the_terminal_escaped(folder, write):
    evil = "x\u202ey\u009b"
    write(HEAD + f"[rule {evil}]\nhosts = \"re:.*\\.{evil}\" {evil}*.com\nclients = {evil}\naction = deny\n[list {evil}]\nhost = x.example.com\n" + TAIL)
    for control in ("", "\x1b[31m", "\x00"):
        path = folder / "postern.ini"
        path.write_text(path.read_text() + f"[rule {control}]\n")
        for words in ((), ("--json",)):
            done = g.command("check", "-c", path, *words)
            assert done.returncode == 1
            assert not re.search("[\x00-\x09\x0b-\x1f\x7f\u0080-\u009f\u202e]", done.stdout + done.stderr if not words else done.stderr), done
            assert words or "\\xe2\\x80\\xae" in done.stderr, done
            assert not words or not re.search("[\x00-\x09\x0b-\x1f\x7f]", done.stdout) and schema.check("check", done.stdout)["errors"]


@pytest.mark.parametrize("content", [b"", b"\0" * 1000, b"[" * 100000, b"[rule x]\n" * 20000, os.urandom(20000).replace(b"\n", b""),
                                     b"[rule r]\nhosts = " + b"re:(" * 20000], ids=["empty", "NULs", "brackets", "sections", "noise", "long"])
def test_a_file_that_is_no_configuration_is_an_error_not_a_crash(folder, content):
    path = folder / "postern.ini"
    path.write_bytes(content)
    done = g.command("check", "--json", "-c", path)
    assert done.returncode == 1
    assert schema.check("check", done.stdout)["errors"]


def test_a_list_of_300000_names_is_looked_through_in_seconds(folder, write):
    (folder / "big.list").write_text("".join(f"host{i}.d{i % 5000}.example.net\n" for i in range(300000)))
    path = write(HEAD + "[list big]\nfile = big.list\n[rule c]\nclients = 10.20.0.0/16\nhosts = x.example.com\naction = deny\n[rule b]\nhosts = @big\naction = bypass\n" + TAIL)
    before = time.monotonic()
    said, code = check(path)
    assert code == 0 and said["entries"] == 300000 and not findings(said)
    assert time.monotonic() - before < 60  # 0.7 s here; a square of it would take hours
