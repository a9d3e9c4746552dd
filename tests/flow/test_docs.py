# SPDX-License-Identifier: MIT
"""The manuals name what the program has, and the words of the program are theirs."""

import json
import re
import subprocess

import gateway as g

MAN8 = (g.SOURCE / "man" / "postern.8").read_text()
ALL8 = "".join(page.read_text() for page in sorted((g.SOURCE / "man").glob("*.8")))
MAN5 = (g.SOURCE / "man" / "postern.ini.5").read_text()


def subcommands():
    """As `postern --help` names them, and the kinds of those that have some."""
    names = re.findall(r"^  ([a-z]+)  ", g.command("--help").stdout, re.M)
    kinds = re.findall(r"^  ([a-z0-9]+)  ", g.command("import", "--help").stdout, re.M)
    assert len(names) > 15 and {"check", "suggest", "lists", "top"} <= set(names) and set(kinds) == {"squid", "m365"}
    return [(name,) for name in names] + [("import", kind) for kind in kinds]


def test_every_word_of_each_help_stands_in_the_manual():
    for command in subcommands():
        done = g.command(*command, "--help")
        assert done.returncode == 0 and not done.stderr, done
        assert re.search(rf"^\.It (Cm .*\b|Xo\n\.Cm ){command[0]}\b", MAN8, re.M), f"postern.8 has no entry {command[0]}"
        assert re.search(rf"^\.Cm (.* )?{command[0]}\b", MAN8, re.M), f"the synopsis of postern.8 lacks {command[0]}"
        for word in re.findall(r"--([a-z0-9-]+)", done.stdout):
            assert re.search(rf"(Fl|,) -{word}\b(?!-)", ALL8), f"{command} --{word}"


def test_each_subcommand_says_which_version_it_is():
    version = g.command("--version")
    for command in [*subcommands(), ("import",), ("ca", "init"), ("ca", "show")]:
        done = g.command(*command, "--version")
        assert (done.returncode, done.stdout, done.stderr) == (0, version.stdout, ""), done


def test_pages_name_each_other():
    """In each SEE ALSO, sorted, pages that there are; postern(8) names all, and the README each."""
    pages = {tuple(path.name.rsplit(".", 1)): path.read_text() for path in (g.SOURCE / "man").iterdir()}
    readme = (g.SOURCE / "README.md").read_text()
    for (name, section), text in pages.items():
        rows = re.search(r"\.Sh SEE ALSO\n((?:\.Xr .*\n)+)", text)[1].strip().split("\n")
        named = [tuple(row.split()[1:3]) for row in rows]
        assert named == sorted(named, key=lambda page: (page[1], page[0])) and (name, section) not in named, name
        assert [row.endswith(" ,") for row in rows] == [True] * (len(rows) - 1) + [False], name
        assert all(page in pages for page in re.findall(r"^\.Xr (postern\S*) (\d)", text, re.M)), name
        assert name == "postern" or f".Xr {name} {section}" in pages["postern", "8"], f"postern(8) does not name {name}"
        assert name.removeprefix("postern") in readme, f"README.md does not name {name}"


def test_every_key_of_a_json_line_stands_in_the_manual_in_order(gateway, origin):
    gw = gateway()
    assert gw.get("http://origin.example.net/").status == 200
    keys = list(gw.record(status=200))
    part = MAN5[MAN5.index("\n.It Cm json\n"):]
    told = re.findall(r"\n\.Li ([a-z_]+) [,.]", part[:part.index(".Li id\n")])
    assert told == keys


def test_every_code_and_note_of_the_manual_is_accepted_and_no_other(folder):
    part = MAN5[MAN5.index("\n.It Ar string\n"):MAN5.index("\n.Ss When writing fails")]
    codes = [word for line in re.findall(r"\n\.It Li (.*)", part) for word in line.split()]
    notes = re.search(r"one of (id, [^.]*?), as in json", " ".join(part.split())).group(1).replace(" and", ",").split(", ")
    codes = [code.replace("{...}", "{%H:%M}") for code in codes if code != "%{...}note"] + [f"%{{{note}}}note" for note in notes]
    assert len(codes) > 35
    ini = folder / "postern.ini"

    def check(form):
        ini.write_text(f"[listener l]\naddress = 127.0.0.1:0\n[rule r]\naction = deny\nforce = yes\n[log x]\nfile = -\nformat = {form}\n")
        return g.command("check", "-c", ini)

    for code in codes:
        done = check(code)
        assert done.returncode == 0, (code, done.stderr)
    known = [code for code in re.search(r"known: (.*)", check("%zz").stderr).group(1).split() if code != "ssl::..."]
    assert {code if code == "%%" else "%" + code for code in known} <= {re.sub(r"\{.*?\}", "", code) for code in codes}
    told = re.search(r"known: (.*)", check("%{zz}note").stderr).group(1).split()
    families = tuple(word[:-1] for word in told if word.endswith("_*"))  # "tls_*"
    assert {word for word in told if not word.endswith("_*")} == {note for note in notes if not note.startswith(families)}


def test_each_file_of_a_room_stands_in_its_readme():
    """By its name, or by that of a family: back_*, NAME_inside."""
    for room in sorted(path.parent for path in (g.SOURCE / "src").glob("*/room.mk")):
        text = (room / "README").read_text()
        words = set(re.findall(r"[a-z0-9_]+", text))
        families = tuple(re.findall(r"\b([a-z0-9_]+)\*", text))
        for name in sorted({path.stem for path in room.glob("*.[ch]")}):
            assert name in words or name.removesuffix("_inside") in words or families and name.startswith(families), f"{room.name}/README does not name {name}"
        entries = re.findall(r"^([a-z0-9_.]+)  ", text, re.M)
        assert len(set(entries)) == len(entries), f"{room.name}/README has something twice: {entries}"
        assert not [name for name in re.findall(r"\b([a-z0-9_]+\.[ch])\b", text) if not list((g.SOURCE).glob(f"*/*/{name}"))], room


def test_each_part_that_tests_share_stands_in_their_readme():
    for folder, parts in (("flow", "*.py"), ("unit", "*.h")):
        text = (g.SOURCE / "tests" / folder / "README").read_text()
        for path in sorted((g.SOURCE / "tests" / folder).glob(parts)):
            assert path.name.startswith("test_") or path.name in text, f"tests/{folder}/README does not name {path.name}"


def test_each_thing_in_contrib_stands_in_its_readme_and_in_the_package():
    text = (g.SOURCE / "contrib" / "README").read_text()
    examples = (g.SOURCE / "contrib" / "debian" / "postern.examples").read_text().split()
    for path in sorted((g.SOURCE / "contrib").iterdir()):
        if path.name != "README":
            assert re.search(rf"^{path.name}/? ", text, re.M), path.name
    assert not [name for name in examples if not (g.SOURCE / name).exists()]


def test_what_the_readme_shows_of_explain_is_what_it_says():
    text = (g.SOURCE / "README.md").read_text()
    command, shown = re.search(r"\n    \$ postern (explain .*)\n((?:    .*\n)+)", text).groups()
    said = subprocess.run([str(g.PROGRAM), *command.split()], cwd=g.SOURCE, capture_output=True, text=True, check=True).stdout
    assert re.sub(r"\d{10}\.\d{3}", "*", "".join(f"    {line}\n" for line in said.splitlines())) == re.sub(r"\d{10}\.\d{3}", "*", shown)


def objects(schema):
    """All of them in a schema, by their place."""
    inner = schema.items() if isinstance(schema, dict) else enumerate(schema) if isinstance(schema, list) else ()
    for name, one in inner:
        yield from ((f"/{name}{place}", found) for place, found in objects(one))
    if isinstance(schema, dict) and (schema.get("type") == "object" or isinstance(schema.get("properties"), dict)):
        yield "", schema


def is_closed(one):
    """Does it name its fields, or say which names it takes?"""
    return one.get("unevaluatedProperties", one.get("additionalProperties")) is False or "propertyNames" in one


def test_each_schema_is_closed_held_against_the_program_and_in_the_manual():
    tests = "".join(path.read_text() for path in (g.SOURCE / "tests" / "flow").glob("test_*.py"))
    schemas = sorted((g.SOURCE / "contrib" / "schema").glob("*.json"))
    assert len(schemas) > 13
    for path in schemas:
        name = path.stem.removeprefix("postern-")
        found = dict(objects(json.loads(path.read_text())))
        parts = {one["$ref"].removeprefix("#") for one in found.values() if "$ref" in one and one.get("unevaluatedProperties") is False}
        assert found and not [place for place, one in found.items() if not is_closed(one) and place not in parts], path.name
        assert f'schema.check("{name}"' in tests, path.name
        assert path.name in ALL8, path.name
    for command in ("auth-test", "check", "explain", "doctor", "replay", "suggest", "status", "sessions", "kill", "rules", "lists"):
        assert f"postern-{command}.json" in [path.name for path in schemas]


def test_the_news_tell_each_thing_once():
    entries = re.split(r"(?m)^- ", (g.SOURCE / "NEWS.md").read_text())[1:]
    beginnings = [entry[:50] for entry in entries if not entry.startswith("Nothing yet")]
    assert not {text for text in beginnings if beginnings.count(text) > 1}
