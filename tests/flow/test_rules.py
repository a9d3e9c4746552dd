# SPDX-License-Identifier: MIT
"""`postern rules`: what each rule and each entry of a list decided, over reloads and workers that die, and what never decided anything."""

import os
import re
import signal

import pytest
import schema
import wire

RULES = """
[list shared]
host = x.example.org .tree.example.org *.below.example.org
host = https://secure.example.org secure.example.org
host = *-glob.example.org
host = re:r[0-9]+\\.example\\.org
host = 192.0.2.0/24 192.0.2.7
host = never.example.org !not.tree.example.org

[rule first]
hosts = @shared x.below.example.org
methods = GET
action = deny

[rule second]
hosts = @shared
methods = PUT
action = deny

[rule own]
hosts = own.example.org *.example.net
action = deny

[rule unused]
hosts = unused.example.com
action = deny

[rule rest]
action = deny
"""

# what is asked for, which entry it hits
ASKED = [
    ("GET", "http://x.example.org/", "shared", "x.example.org"),
    ("GET", "http://tree.example.org/", "shared", ".tree.example.org"),
    ("PUT", "http://a.b.tree.example.org/", "shared", ".tree.example.org"),
    ("GET", "http://a.below.example.org/", "shared", "*.below.example.org"),
    ("GET", "http://x.below.example.org/", "shared", "*.below.example.org"),  # the log names that one too
    ("PUT", "http://x.below.example.org/", "shared", "*.below.example.org"),
    ("CONNECT", "secure.example.org:443", None, None),  # no rule with this method
    ("GET", "http://secure.example.org/", "shared", "secure.example.org"),
    ("GET", "http://a-glob.example.org/", "shared", "*-glob.example.org"),
    ("PUT", "http://r12.example.org/", "shared", "re:r[0-9]+\\.example\\.org"),
    ("GET", "http://192.0.2.9/", "shared", "192.0.2.0/24"),
    ("GET", "http://192.0.2.7/", "shared", "192.0.2.7"),
    ("GET", "http://own.example.org/", "own", "own.example.org"),
    ("CONNECT", "a.example.net:443", "own", "*.example.net"),
    ("GET", "http://other.example.com/", None, None),
    ("GET", "http://not.tree.example.org/", None, None),
]


@pytest.fixture(scope="module")
def gw(gateway_kept, folder_kept):
    return gateway_kept(rules=RULES, control=folder_kept / "control.sock", workers=2)


def entries(gw, *words):
    return schema.check("rules", gw.control("rules", "--entries", "--json", *words).stdout)


def hits(gw, field="hits"):
    return {(one.get("list") or one["rule"], one["entry"]): one[field] for one in entries(gw) if one[field]}


def ask(gw, method, target):
    if method == "CONNECT":
        with gw.connect() as c:
            c.send(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n")
            assert c.response().status == 403
    else:
        assert gw.ask(wire.get(target, method), method).status == 403


def test_each_hit_is_the_entry_s_that_the_log_names(gw):
    want = {}
    for method, target, owner, entry in ASKED:
        ask(gw, method, target)
        if owner:
            want[owner, entry] = want.get((owner, entry), 0) + 1
    assert hits(gw) == hits(gw, "hits_since_reload") == want
    named = {}
    for number in range(1, len(ASKED) + 1):
        gw.record(number)
    for record in gw.records():
        if record["list_entry"]:
            named[record["list_entry"]] = named.get(record["list_entry"], 0) + 1
    counted = {}
    for one in entries(gw):
        counted[one["where"]] = counted.get(one["where"], 0) + one["hits"]
        assert (one["last_hit_ms"] is None) == (one["hits"] == 0)
    assert {where: n for where, n in counted.items() if n} == named


def test_hits_stay_over_a_reload_that_keeps_the_entry_and_over_a_worker_that_dies(gw):
    before = hits(gw)
    gw.write(RULES.replace("host = x.example.org", "; moved down by a line\nhost = new.example.org x.example.org").replace("own.example.org *", "other.example.org *"))
    gw.reload()
    assert hits(gw) == {key: n for key, n in before.items() if key != ("own", "own.example.org")} and hits(gw, "hits_since_reload") == {}
    ask(gw, "GET", "http://x.example.org/")
    assert hits(gw, "hits_since_reload") == {("shared", "x.example.org"): 1}
    for pid in gw.pids("worker"):
        os.kill(pid, signal.SIGKILL)
    wire.wait_until(lambda: gw.get("http://x.example.org/").status == 403 or None, "a worker that answers")
    wire.wait_until(lambda: hits(gw).get(("shared", "x.example.org")) == before["shared", "x.example.org"] + 2, "what both have counted")
    assert hits(gw, "hits_since_reload") == {("shared", "x.example.org"): 2}
    rules = {one["rule"]: one for one in schema.check("rules", gw.control("rules", "--json").stdout)}
    assert rules["first"]["hits_since_reload"] == 2 and rules["first"]["hits"] > 2 and rules["unused"]["last_hit_ms"] is None


def test_the_dead_are_told_with_their_places(gw):
    names = {one["entry"] for one in entries(gw, "--dead")}
    assert {"never.example.org", "https://secure.example.org", "unused.example.com"} <= names and "x.example.org" not in names and "!not.tree.example.org" not in names
    assert [one["rule"] for one in schema.check("rules", gw.control("rules", "--dead", "--json").stdout)] == ["unused"]
    said = gw.control("rules", "--dead", "--list", "shared").stdout.split("\n")
    place = 1 + [line.startswith("host = never") for line in gw.file.read_text().split("\n")].index(True)
    line, = [line for line in said if " never.example.org " in line]
    assert line.split()[:5] == ["0", "0", "never", "@shared", "never.example.org"] and line.endswith(f"postern.ini:{place}")
    assert " entries never decided anything since the gateway started" in said[-2]
    assert all(one["rule"] == "own" for one in entries(gw, "--rule", "own"))
    assert "1 rule never decided anything" in gw.control("rules", "--dead").stdout
    assert "there are no entries that fit" in gw.control("rules", "--list", "nowhere").stdout


@pytest.mark.parametrize("words", [("--list", "a b"), ("--rule", "own", "--list", "shared"), ("--client", "192.0.2.1"), ("more",)])
def test_what_is_said_wrongly_is_refused(gw, words):
    assert gw.control("rules", *words).returncode == 2


def test_several_entries_on_a_line_stand_in_the_same_order_after_every_start(gw):
    for place in {one["where"] for one in entries(gw)}:
        there = [one["entry"] for one in entries(gw) if one["where"] == place]
        assert there == sorted(there), there


def test_hits_stay_over_an_upgrade(gw):
    def told():
        return {one["rule"]: (one["hits"], one["last_hit_ms"], one["counted_since_ms"]) for one in schema.check("rules", gw.control("rules", "--json").stdout)}

    before, rules = hits(gw), told()
    pid = gw.child.pid
    assert sum(before.values()) > 10 and rules["first"][0] > 2
    said = gw.control("upgrade")
    assert said.returncode == 0, said
    gw.follow(int(re.search(r"pid (\d+)", said.stdout)[1]))
    assert gw.child.pid != pid
    assert hits(gw) == before and hits(gw, "hits_since_reload") == {} and told() == rules
    ask(gw, "GET", "http://x.example.org/")
    assert hits(gw)["shared", "x.example.org"] == before["shared", "x.example.org"] + 1
    assert hits(gw, "hits_since_reload") == {("shared", "x.example.org"): 1}
    assert told()["first"][0] == rules["first"][0] + 1
    # and over a second one, with a configuration in which the entry stands elsewhere and one rule is gone
    gw.write(RULES.replace("host = x.example.org", "; moved\n\nhost = x.example.org").replace("[rule own]", "[rule renamed]"))
    said = gw.control("upgrade")
    assert said.returncode == 0, said
    gw.follow(int(re.search(r"pid (\d+)", said.stdout)[1]))
    assert hits(gw)["shared", "x.example.org"] == before["shared", "x.example.org"] + 1
    assert told()["first"][0] == rules["first"][0] + 1 and told()["renamed"][0] == 0
