# SPDX-License-Identifier: MIT
"""postern import m365: Microsoft's list of endpoints into lists that a bypass rule takes, and compared with the list in use."""

import json
import os
import re

import gateway as g
import pytest
import schema

HERE = g.SOURCE / "tests" / "import" / "m365"
INI = """
[list m365]
file = m365.list
host = https://own.example.org

[rule m365]
hosts = @m365
action = bypass

[rule all]
action = deny
force = yes

[gateway]
user = nobody
connect-ports = 443 143 587 993 995
[listener edge]
address = 127.0.0.1:3128
"""


@pytest.fixture
def work(tmp_path):
    """A copy of the sample of a known date."""
    file = tmp_path / "endpoints.json"
    file.write_bytes((HERE / "endpoints.json").read_bytes())
    os.utime(file, (1793534400, 1793534400))  # 2026-11-01
    (tmp_path / "postern.ini").write_text(INI)
    return tmp_path


def run(work, *words, expect=0, file="endpoints.json"):
    done = g.command("import", "m365", work / file, *words)
    assert done.returncode == expect, done
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", done.stdout + done.stderr)
    return done


def entries(path):
    return [line.split()[0] for line in path.read_text().split("\n") if line and line[0] != "#"]


def test_the_sample_becomes_the_list_that_is_expected(work):
    done = run(work, HERE / "version.json")
    assert done.stdout == (HERE / "expected.list").read_text().replace("DATE", "2026-11-01")
    assert "not an entry: https://*.azureedge.net: anyone may have a name there" in done.stderr
    assert run(work, "--version-of", "2026010100").stdout.split("\n")[:3] == [
        "# source: https://endpoints.office.com/endpoints/worldwide", "# version: 2026010100", "# fetched: 2026-11-01"]
    assert "# version: 2026-11-01\n" in run(work).stdout


def test_a_bypass_rule_takes_it_and_lists_knows_where_it_is_from(work):
    told = schema.check("import-m365", run(work, HERE / "version.json", "--addresses", "-o", work, "--json").stdout)
    assert told["lists"] == [{"file": f"{work}/m365.list", "entries": told["entries"]}] and len(told["refused"]) == 3
    assert [row["text"] for row in told["refused"] if row["unsafe"]] == ["https://*.azureedge.net"]
    done = g.command("check", "-c", work / "postern.ini")
    assert done.returncode == 0, done
    assert not [name for name in os.listdir(work) if ".part" in name]
    for target, code in ("contoso.sharepoint.com:443", 0), ("contoso-admin.sharepoint.com:443", 0), ("outlook.office365.com:993", 0), ("evil.azureedge.net:443", 1):
        assert g.command("explain", "-c", work / "postern.ini", target).returncode == code, target


def test_a_list_for_each_category_or_service_area(work):
    run(work, "-o", work, "--split", "category", "--category", "Optimize,Allow", "--list", "ms")
    assert sorted(name for name in os.listdir(work) if name.endswith(".list")) == ["ms-allow.list", "ms-optimize.list"]
    assert "https://*.sharepoint.com" in entries(work / "ms-optimize.list") and "https://teams.microsoft.com" in entries(work / "ms-allow.list")
    run(work, "-o", work, "--split", "service-area", "--required-only")
    assert {name for name in os.listdir(work) if name.startswith("m365-")} == {f"m365-{area}.list" for area in ("common", "exchange", "sharepoint", "skype")}
    assert "https://*-admin.sharepoint.com" not in entries(work / "m365-sharepoint.list")


def test_the_list_in_use_is_compared_by_entries_and_ids(work):
    run(work, "--version-of", "1", "-o", work)
    assert run(work, "--version-of", "2", "--diff", work / "m365.list").stdout.endswith("0 added, 0 removed\n"), "another version alone is no difference"
    new = json.loads((work / "endpoints.json").read_text())
    new[3]["notes"] = "changed"
    new[5]["urls"] = ["*.sharepoint.com", "new.example.com"]
    del new[10]
    (work / "new.json").write_text(json.dumps(new))
    done = run(work, "--diff", work / "m365.list", expect=1, file="new.json")
    assert done.stdout.split("\n")[-4:-1] == ["+ https://new.example.com   # 31: Optimize, required", "- https://*.skype.com   # 127: Default, required", "1 added, 1 removed"]
    told = schema.check("import-m365", run(work, "--diff", work / "postern.ini", "--json", expect=1, file="new.json").stdout)
    assert told["lists"] == [] and [row["entry"] for row in told["diff"]["added"]] == ["https://new.example.com"]
    assert told["diff"]["removed"] == [{"entry": "https://*.skype.com", "comment": "127: Default, required"}, {"entry": "https://own.example.org", "comment": ""}]
    assert "no list of that name" in run(work, "--diff", work / "postern.ini", "--list", "other", expect=2).stderr


def test_what_is_wrong_leaves_the_list_as_it_was(work):
    run(work, "-o", work)
    before = (work / "m365.list").read_bytes()
    whole = (work / "endpoints.json").read_bytes()
    rows = [b"", whole[:-3], whole[:100], b"[" * 100000, b"{}", b'[{"id":"\x1b[31m"}]', whole.replace(b'"required": true', b'"required": "\x1b"', 1), whole.replace(b"443", b"\xff\xfe"), b"[" + b" " * (17 << 20) + b"]"]
    for i, bad in enumerate(rows):
        (work / "bad.json").write_bytes(bad)
        done = run(work, "-o", work, expect=2, file="bad.json")
        assert not done.stdout and "bad.json" in done.stderr, i
    assert "nowhere/m365.list: No such file or directory" in run(work, "-o", work / "nowhere", expect=2).stderr
    run(work, work / "endpoints.json", expect=2)
    for words in ("--category", "Other"), ("--service-area", "Nobody"), ("--split", "x"), ("--list", "../x"), ("--version-of", "x"), ("--source", "a\nb"), ("--split", "category"), ("a", "b"), ("--what",):
        run(work, *words, expect=2)
    run(work, file="none.json", expect=2)
    assert (work / "m365.list").read_bytes() == before
    odd = json.dumps([{"id": 5, "serviceArea": "A\x1b", "category": "Allow", "required": True, "urls": ["a\x1b[2J.example", "good.example"], "tcpPorts": "443", "notes": "\x1b]0;\x07\nhttps://evil.example \u202e\u2066\u200f\x9b"}])
    (work / "odd.json").write_text(odd)
    run(work, "-o", work, "--split", "service-area", file="odd.json")
    assert entries(work / "m365-a-.list") == ["https://good.example"] and not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e-\u202e\u2066-\u2069]", (work / "m365-a-.list").read_text())
