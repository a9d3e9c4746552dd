# SPDX-License-Identifier: MIT
"""What `postern suggest` finds out about clients that refuse our certificate and machines that cannot log on, and that its lines do what they should."""

import json
import os
import re
import signal
import subprocess

import gateway as gateways
import inspection
import logon
import pytest
import schema
import wire

AUTH = "[auth]\nschemes = basic\nbasic-without-tls = yes\nbasic-file = {0}/users\n"
# the first line of the rules that catch them
RULES = """
[list own]
file = {0}/own.list

[list microsoft-things]
host = https://v10.events.data.microsoft.com

[rule own]
hosts = @own @microsoft-things
action = bypass

[rule people]
hosts = .windows.com
action = tunnel
force = yes

[rule all]
action = inspect
auth = none
force = yes
"""
PLAIN = RULES.replace("[list own]\nfile = {0}/own.list\n", "").replace("@own ", "").replace("[rule own]", "[rule diagnostics]")
WNS, CRYPTO = "Microsoft-WNS/10.0", "Microsoft-CryptoAPI/10.0"
WHEN = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


class Place:
    def __init__(self, gateway, world, folder):
        logon.basic_file(folder / "users", carol="Basic-carol")
        (folder / "own.list").write_text("# ours\nhttps://kept.example.org\n")
        (folder / "own.list").chmod(0o644)
        cert, key = inspection.ca(folder)
        self.admin = gateways.free_port()
        self.sections = AUTH.format(folder) + f"[inspection]\nca-cert = {cert}\nca-key = {key}\n"
        self.folder, self.ca = folder, world.ca
        self.gw = gateway(self.sections + RULES.format(folder), control=folder / "control.sock", admin=f"127.0.0.1:{self.admin}")
        os.chown(folder / "users", self.gw.folder.stat().st_uid, -1)

    def suggest(self, *words, expect=1, file=None):
        done = gateways.command("suggest", "-c", file or self.gw.file, *words)
        assert done.returncode == expect, done
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", done.stdout), "what comes from outside never reaches the terminal raw"
        return done.stdout

    def look(self, *words, **more):
        return schema.check("suggest", self.suggest("--json", *words, **more))

    def lines(self, host, n):
        """Wait for that many lines of the host in the log."""
        return wire.wait_until(lambda: len([line for line in self.gw.records() if line["host"] == host]) >= n, f"{n} lines of {host}")


def hosts(answer):
    return {(row["host"], row["reason"]): row for row in answer["hosts"]}


def s_client(gw, host, ca):
    done = subprocess.run(["openssl", "s_client", "-proxy", f"127.0.0.1:{gw.port}", "-connect", f"{host}:443", "-servername", host, "-verify_return_error", "-CAfile", ca],
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=30)
    return done.returncode


@pytest.fixture(scope="module")
def place(gateway_kept, world, folder_kept):
    """Clients have come by: two that pin, one that never logs on, one that does."""
    here = Place(gateway_kept, world, folder_kept)
    gw = here.gw
    for _ in range(3):
        assert gw.curl("--cacert", here.ca, "-A", "Pinned/1.0", "https://a.manage.microsoft.com/", check=False).returncode == 60
    assert gw.curl("-A", "Other \x9b Ünï/2", "https://a.manage.microsoft.com/", check=False).returncode == 60
    assert s_client(gw, "b.manage.microsoft.com", here.ca) != 0
    url = "http://wns.windows.com/"
    done = gw.curl("-A", WNS, "-w", "%{http_code} ", "-o", "/dev/null", *[word for _ in range(12) for word in (url, "-o", "/dev/null")][:-2], check=False)
    assert done.stdout.split() == [b"407"] * 12
    for _ in range(11):
        assert gw.curl("-A", CRYPTO, "--proxy-anyauth", "-U", "carol:Basic-carol", "-o", "/dev/null", "-w", "%{http_code}", "http://crl.windows.com/").stdout == b"200"
    for host, n in ("a.manage.microsoft.com", 4), ("b.manage.microsoft.com", 1), ("wns.windows.com", 12), ("crl.windows.com", 22):
        here.lines(host, n)
    # the logger notes what it has written before it sleeps; asked for until it is there
    wire.wait_until(lambda: sum(row["times"] for row in here.look(expect=1)["hosts"]) == 17, "all of it in the gateway's memory")
    return here


def test_who_refuses_and_who_cannot_log_on_is_listed_and_who_can_is_not(place):
    found = hosts(place.look())
    assert set(found) == {("a.manage.microsoft.com", "client-rejected-certificate"), ("b.manage.microsoft.com", "client-rejected-certificate"), ("wns.windows.com", "407-loop")}
    a = found["a.manage.microsoft.com", "client-rejected-certificate"]
    assert a["times"] == 4 and sorted(c["times"] for c in a["clients"]) == [1, 3] and a["user_agents"][0] == "Pinned/1.0"
    assert a["rule"]["name"] == "all" and any("unknown_ca" in text for text in a["details"]) and a["first"] <= a["last"]
    loop = found["wns.windows.com", "407-loop"]
    assert loop["times"] == 12 and loop["user_agents"] == [WNS] and loop["rule"]["asks"] and (loop["port"], loop["scheme"]) == (80, "http")


def test_the_admin_address_has_totals_and_no_names(place):
    text = wire.curl(f"http://127.0.0.1:{place.admin}/metrics").stdout.decode()
    for reason, n, times in ("client-rejected-certificate", 2, 5), ("origin-wants-certificate", 0, 0), ("407-loop", 1, 12):
        assert f'postern_suggest_hosts{{reason="{reason}"}} {n}\n' in text and f'postern_suggest_requests_total{{reason="{reason}"}} {times}\n' in text
    status = json.loads(wire.curl(f"http://127.0.0.1:{place.admin}/status.json").stdout)
    assert status["suggest"] == {"rejected_certificate": 2, "wanted_certificate": 0, "no_logon": 1}
    assert "postern suggest" in wire.curl(f"http://127.0.0.1:{place.admin}/").stdout.decode()


def test_people_read_it_and_can_paste_the_lines(place):
    other = place.folder / "plain.ini"
    other.write_text(place.sections + PLAIN + f"[gateway]\ncontrol = {place.folder}/control.sock\n[listener edge]\naddress = 127.0.0.1:3128\n")
    text = WHEN.sub("TIME", place.suggest(file=other)).replace(str(place.folder), "DIR")
    where = {name: 1 + other.read_text().split("\n").index(f"[rule {name}]") for name in ("all", "people")}
    assert "a.manage.microsoft.com:443 (https): clients refuse the inspection certificate\n    times    4, TIME to TIME\n    clients  127.0.0.1 (3, Pinned/1.0), 127.0.0.1 (1, Other " in text
    end = text[text.index("\nTo let"):]
    assert end == f"""
To let them through, uninspected and without a password, add:

; in DIR/plain.ini, before line {where['all']}, [rule all]
[list pinned]
host = https://a.manage.microsoft.com
host = https://b.manage.microsoft.com

[rule pinned]
hosts = @pinned
action = bypass


; in DIR/plain.ini, before line {where['people']}, [rule people]
[list no-logon]
host = http://wns.windows.com

[rule no-logon]
hosts = @no-logon
action = bypass


; instead of the 2 hosts *.microsoft.com would do, and let through every other name there is or will be below it

A client that merely does not trust the inspection CA yet needs that installed instead: postern ca show.
Nothing was changed. Afterwards: postern check, postern reload.
"""


def test_logs_tell_the_same(place):
    zipped = place.folder / "old.json.gz"
    zipped.write_bytes(subprocess.run(["gzip", "-c", place.gw.access], capture_output=True, check=True).stdout)
    mine, logs = hosts(place.look()), place.look("--log", zipped)
    assert (logs["source"], logs["skipped"]) == ("logs", 0) and hosts(logs) == mine
    assert place.look("--log", place.gw.native, expect=0)["skipped"] == place.gw.native.read_text().count("\n"), "squid's format tells no fault"


def test_hostile_lines_do_no_harm(place):
    template = next(line for line in place.gw.records() if line["fault"] == "client-rejected-certificate")
    evil = [{"user_agent": "\x1b[2J\x9b1m\x00evil", "tls_detail": "\x1b]0;x\x07"}, {"url": "a\x1b.example:443"}, {"url": "github.io:443"}, {"url": "192.0.2.7:443"},
            {"url": "[2001:db8::7]:443"}, {"url": "x" * 300 + ":443"}, {"client": "nobody"}, {"fault": ["x"]}, {"url": "wants.example:443", "fault": "origin-wants-certificate"}]
    log = place.folder / "evil.json"
    log.write_text("".join(json.dumps({**template, "url": "evil.example:443", **more}) + "\n" for more in evil) + '{"ts":' + "[" * 100000 + "\n{\n\x1b[31m\n")
    found = place.look("--log", log)
    assert {row["host"]: row["remedy"] for row in found["hosts"]} == {"evil.example": "list-file", "github.io": "public-suffix", "192.0.2.7": "list-file", "2001:db8::7": "list-file",
                                                                         "wants.example": "list-file"}
    assert ("wants.example", "origin-wants-certificate") in hosts(found)
    assert found["skipped"] == 7
    text = place.suggest("--log", log)
    assert r"\x1b[2J" in text and "anyone may have a name below it" in text
    place.suggest("--log", place.folder / "none", expect=2)
    place.suggest("--log", place.folder, expect=2)
    place.suggest("more", expect=2)
    assert gateways.command("suggest", "-c", place.gw.file, "--control", place.folder / "nobody.sock").returncode == 3


def test_a_new_logger_still_knows_and_the_lines_work_once_they_are_added(place):
    gw = place.gw
    victim = gw.pids("logger")[0]
    os.kill(victim, signal.SIGKILL)
    wire.wait_until(lambda: gw.pids("logger") not in ([], [victim]), "another logger")
    before = place.look()
    assert len(before["hosts"]) == 3
    (block,) = [b for b in before["blocks"] if b["remedy"] == "list-file"]
    assert (block["file"], block["line"], block["of"], len(before["blocks"])) == (str(place.folder / "own.list"), 2, "own", 1), "the list that is there takes them all"
    with open(block["file"], "a") as f:
        f.write("\n".join(block["lines"]) + "\n")
    assert gateways.command("check", "-c", gw.file).returncode == 0
    gw.reload()
    assert gw.curl("--cacert", place.ca, "https://a.manage.microsoft.com/").stdout and s_client(gw, "b.manage.microsoft.com", place.ca) == 0
    assert gw.curl("-A", WNS, "-o", "/dev/null", "-w", "%{http_code}", "http://wns.windows.com/").stdout == b"200"
    wire.wait_until(lambda: len(place.look(expect=0)["hosts"]) == 2, "who got through is no loop any more")
    assert {row["remedy"] for row in place.look(expect=0)["hosts"]} == {"none"}
    assert "nothing is to be done" in place.suggest(expect=0)
