# SPDX-License-Identifier: MIT
"""postern explain: what people see, to the byte; the ClientHello, transparent listeners, log lines, request ids, batches, and whatever is thrown at it."""

import gzip
import json
import os
import random
import re
import subprocess
import time

import gateway as g
import pytest
import schema

INI = """\
[gateway]
visible-name = gw.example.net
connect-ports = 443 8443

[auth]
schemes = basic
basic-file = users

[inspection]
ca-cert = ca.pem
ca-key = ca.key
foreign-sni = refuse
missing-sni = tunnel

[listener edge]
address = 127.0.0.1:3128
clients = 127.0.0.0/8 10.0.0.0/8

[listener caught]
address = 127.0.0.1:3129
mode = transparent

[list devices]
file = devices.list

[rule devices]
hosts = @devices
action = bypass

[rule quiet]
hosts = quiet.example
action = bypass
guard = report
bandwidth = 1m
max-connections = 10

[rule staff]
hosts = staff.example
users = alice
action = tunnel

[rule named]
hosts = bank.example
action = tunnel
auth = none

[rule literals]
hosts = 20.42.0.0/24
action = inspect
auth = none

[rule many0]
ports = 8443
methods = GET
action = deny

[rule look]
hosts = look.example
action = inspect
auth = none

[rule rest]
action = deny
reason = Not on the list

[rule never]
action = tunnel
auth = none

[log access]
file = {folder}/access.json
format = json

[log native]
file = {folder}/native.log
format = squid

[log refused]
file = {folder}/refused.log
format = combined
actions = deny
"""

MANY = "".join(f"[rule many{number}]\nports = 8443\nmethods = GET\naction = deny\n\n" for number in range(20))


@pytest.fixture(scope="module")
def here(folder_kept):
    folder = folder_kept
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", folder / "ca.key", "-out", folder / "ca.pem",
                    "-days", "90", "-subj", "/CN=Explain CA", "-addext", "basicConstraints=critical,CA:true", "-addext", "keyUsage=critical,keyCertSign,cRLSign"],
                   check=True, capture_output=True)
    (folder / "ca.key").chmod(0o600)
    (folder / "users").write_text("alice:$5$x$y\n")
    (folder / "users").chmod(0o600)
    (folder / "devices.list").write_text("# devices\n*.device.example\n")
    (folder / "postern.ini").write_text(INI.format(folder=folder))
    (folder / "many.ini").write_text(INI.format(folder=folder).replace("[rule many0]\nports = 8443\nmethods = GET\naction = deny\n\n", MANY))
    return folder


@pytest.fixture
def explain(here):
    def ask(*words, ini="postern.ini", code=None, stdin=None):
        command = [str(g.PROGRAM), "explain", "-c", ini, *map(str, words)]
        done = subprocess.run(command, cwd=here, input=stdin, capture_output=True, timeout=60)
        assert code is None or done.returncode == code, done
        assert not re.search(rb"Sanitizer|runtime error", done.stderr), done.stderr
        return done.stdout.decode(), done.stderr.decode()

    return ask


def golden(text):
    """Without what differs from run to run: the time."""
    text = re.sub(r'"ts":"[^"]+"', '"ts":"TS"', text)
    text = re.sub(r"\b\d{10}\.\d{3}\b", "TS", text)
    text = re.sub(r"\[\d\d/\w{3}/\d{4}:[^\]]+\]", "[TS]", text)
    return text.replace(str(os.getcwd()), "")


BYPASSED = """\
CONNECT a.device.example:443 from 127.0.0.1
  rule devices (postern.ini:26): holds and decides: hosts, by devices.list:2
  not looked at: 8 rules after it; of these would hold rest (postern.ini:62) and 1 more
bypass by rule devices, guard enforce (the ClientHello must name a server for which the rule holds)
the ClientHello names b.device.example: the tunnel passes
each address of the name is judged by egress-deny before it is connected to; see with --address
log access (json, but for null fields):
  {"ts":"TS","duration_ms":0,"id":"0000000000000000","client":"127.0.0.1","listener":"edge","worker":0,"session":"0000000000000000",\
"method":"CONNECT","scheme":"https","host":"a.device.example","port":443,"url":"a.device.example:443","action":"bypass","rule":"devices",\
"list_entry":"devices.list:2","guard":"passed","sni":"b.device.example","ech":false,"status":200,"result":"TCP_TUNNEL","bytes_in":0,"bytes_out":0}
log native (squid):
  TS      0 127.0.0.1 TCP_TUNNEL/200 0 CONNECT a.device.example:443 - HIER_DIRECT/- -
log refused (combined) takes no such line
=> allowed
"""

REFUSED = """\
CONNECT other.example:8443 from 10.1.2.3
  rule devices (postern.ini:26): does not hold: hosts
  rule quiet (postern.ini:30): does not hold: hosts
  rule staff (postern.ini:37): does not hold: hosts
  rule named (postern.ini:42): does not hold: hosts
  ... 18 more rules that do not hold; see them with --all
  rule many17 (postern.ini:137): does not hold: methods
  rule many18 (postern.ini:142): does not hold: methods
  rule many19 (postern.ini:147): does not hold: methods
  rule look (postern.ini:152): does not hold: hosts
  rule rest (postern.ini:157): holds and decides
  not looked at: 1 rule after it; of these would hold never (postern.ini:161)
deny by rule rest: Not on the list
"""

ASKED = """\
CONNECT staff.example:443 from 127.0.0.1
  rule devices (postern.ini:26): does not hold: hosts
  rule quiet (postern.ini:30): does not hold: hosts
  rule staff (postern.ini:37): may hold: users needs to know who asks
  not looked at: 6 rules after it; of these would hold rest (postern.ini:62) and 1 more
would be asked who it is (407), offered: basic; say who with --user
"""


def test_people_read_a_screen_at_most(here, explain):
    text, _ = explain("--sni", "b.device.example", "a.device.example", code=0)
    assert golden(text) == BYPASSED
    text, _ = explain("--client", "10.1.2.3", "other.example:8443", code=1, ini="many.ini")
    assert golden(text).replace("many.ini", "postern.ini").startswith(REFUSED) and len(text.splitlines()) < 24
    whole, _ = explain("--all", "--client", "10.1.2.3", "other.example:8443", code=1, ini="many.ini")
    assert whole.count("  rule many") == 20 and "rule never (many.ini:161): is not looked at; would hold" in whole
    text, _ = explain("--all", "a.device.example", code=0)
    assert "  rule devices (postern.ini:26): holds and decides\n    hosts     holds, by devices.list:2\n" in text


def test_what_is_asked_for_is_told(explain):
    ini_tls = explain("staff.example", "--json", code=1)[0]  # Basic is not offered in the open: nobody can be asked
    assert json.loads(ini_tls)["fault"] == "user-unknown"
    told = schema.check("explain", explain("--user", "alice", "staff.example", "--json", code=1)[0])
    assert told["fault"] == "user-unknown" and told["status"] == 403 and told["action"] is None


def test_asking_is_told_where_it_can_be_done(here, explain):
    (here / "asking.ini").write_text(INI.format(folder=here).replace("schemes = basic", "schemes = basic\nbasic-without-tls = yes"))
    text, _ = explain("staff.example", code=2, ini="asking.ini")
    wanted = re.sub(r":(\d+)\)", lambda line: f":{int(line[1]) + 1})", ASKED).replace("postern.ini", "asking.ini")
    assert golden(text).startswith(wanted) and "TCP_DENIED/407" in text and text.endswith("=> cannot tell\n")
    told = schema.check("explain", explain("--user", "alice", "--json", "staff.example", code=0, ini="asking.ini")[0])
    assert told["user_asked"] and told["rule"] == "staff" and '"user":"alice"' in told["log_lines"][0]["line"]
    told = schema.check("explain", explain("--user", "alice", "--json", "a.device.example", code=0, ini="asking.ini")[0])
    assert not told["user_asked"] and '"user":null' in told["log_lines"][0]["line"]  # nobody asks there


@pytest.mark.parametrize("words, code, guard, fault, status", [
    (["--sni", "x.device.example", "a.device.example"], 0, "passed", None, 200),
    (["--sni", "evil.example", "a.device.example"], 1, "closed", "guard-bad-sni", 200),
    (["--sni", "", "a.device.example"], 1, "closed", "guard-no-sni", 200),
    (["a.device.example"], 0, "passed", None, 200),
    (["--sni", "evil.example", "quiet.example"], 0, "reported", "guard-bad-sni", 200),
    (["--sni", "other.example", "look.example"], 1, "none", "inspect-foreign-sni", 200),
    (["--sni", "", "look.example"], 0, "none", "inspect-no-sni", 200),
], ids=str)
def test_the_clienthello_is_judged_as_the_gateway_would(explain, words, code, guard, fault, status):
    told = schema.check("explain", explain("--json", *words, code=code)[0])
    assert told["hello"]["guard"] == guard and told["hello"]["fault"] == fault and told["status"] == status
    line = json.loads(told["log_lines"][0]["line"])
    assert line["guard"] == (None if guard == "none" else guard) and line["fault"] == (fault if code else None) and line["status"] == status
    assert (line["result"] == "TCP_DENIED") == (code == 1)


def test_the_rules_of_an_address_are_asked_again_with_the_name(explain):
    told = schema.check("explain", explain("--json", "--sni", "bank.example", "20.42.0.7:443", code=0)[0])
    assert told["rule"] == "literals" and told["named"]["rule"] == "named" and len(told["log_lines"]) == 2
    told = schema.check("explain", explain("--json", "--sni", "other.example", "20.42.0.7:443", code=1)[0])
    assert told["named"]["rule"] == "rest" and told["named"]["status"] == 200 and '"fault":"denied"' in told["named"]["log_lines"][0]["line"]


def test_a_transparent_client_goes_where_its_hello_says_and_cannot_be_asked(explain):
    told = schema.check("explain", explain("--json", "--listener", "caught", "--sni", "a.device.example", "20.42.9.9:443", code=0)[0])
    assert told["host"] == "a.device.example" and told["rule"] == "devices" and json.loads(told["log_lines"][0]["line"])["host"] == "a.device.example"
    text, _ = explain("--listener", "caught", "--sni", "staff.example", "--user", "alice", "20.42.9.9:443", code=1)
    assert "a transparent client cannot be asked (fault user-unknown)" in text


def test_limits_are_told(explain):
    text, _ = explain("quiet.example", code=0)
    assert "limits: bandwidth 1048576 bytes a second, at most 10 connections\n" in text


def test_inside_has_a_line_of_its_own(explain):
    text, _ = explain("--header", "User-Agent: curl/8", "https://look.example/a?b", code=0)
    inside, outside = (line for line in text.splitlines() if line.startswith('  {"ts"'))
    assert '"url":"https://look.example/a?"' in inside and '"user_agent":"curl/8"' in inside and '"url":"look.example:443"' in outside


# --- log lines ---

def written(**more):
    line = {"ts": "2026-11-16T09:00:05.500Z", "duration_ms": 500, "id": "00112233aabbccdd", "client": "10.1.1.1", "client_port": 5, "listener": "edge", "worker": 0,
            "session": "00112233aabbccdc", "method": "CONNECT", "scheme": "https", "host": "a.device.example", "port": 443, "url": "a.device.example:443",
            "action": "bypass", "rule": "devices", "list_entry": "x:1", "reported": None, "guard": "passed", "sni": "a.device.example", "ech": False, "alpn": None,
            "tls_client": None, "tls_origin": None, "origin_issuer": None, "tls_detail": None, "user": None, "groups": None, "auth_scheme": None, "auth_detail": None,
            "status": 200, "result": "TCP_TUNNEL", "fault": None, "address": "20.42.0.20", "parent": None, "bytes_in": 1, "bytes_out": 2, "resolve_ms": 1, "connect_ms": 1,
            "tls_ms": None, "first_byte_ms": None, "auth_ms": None, "queue_ms": None, "user_agent": None, "content_type": None}
    return json.dumps({**line, **more})


NATIVE = "1795301825.659    120 10.1.1.1 {result} 39 {method} {url} - HIER_DIRECT/20.42.0.20 -"


@pytest.mark.parametrize("line, code, same", [
    (written(), 0, True),
    (written(rule="older"), 0, False),
    (written(sni="evil.example", guard="closed", fault="guard-bad-sni", result="TCP_DENIED"), 1, True),
    (written(url="other.example:443", host="other.example", sni=None, action="deny", rule="rest", status=403, result="TCP_DENIED", fault="denied", address=None), 1, True),
    (written(url="other.example:443", host="other.example", sni=None), 1, False),
    (written(client="192.0.2.1"), 1, False),
    (written(listener="gone"), 0, True),
    (NATIVE.format(result="TCP_TUNNEL/200", method="CONNECT", url="a.device.example:443"), 0, True),
    (NATIVE.format(result="TCP_DENIED/403", method="CONNECT", url="a.device.example:443"), 0, False),
    (NATIVE.format(result="TCP_DENIED/403", method="GET", url="http://other.example/x?"), 1, True),
    (NATIVE.format(result="TCP_DENIED/403", method="CONNECT", url="staff.example:443"), 1, True),
], ids=range(11))
def test_a_log_line_is_explained_and_compared(explain, line, code, same):
    told = schema.check("explain", explain("--json", "--log-line", line, code=code)[0])
    assert told["logged"]["same"] is same and told["client"] == told["client"]
    text, _ = explain("--log-line", "-", code=code, stdin=line.encode() + b"\n")
    assert f"decided now: {'the same' if same else 'otherwise'}\n" in text


def test_a_request_id_is_looked_up_in_the_logs(here, explain):
    lines = "\n".join(written(id=f"{number:016x}", rule="other") for number in range(50)) + "\n" + "no line at all\n" + written() + "\n"
    (here / "access.json").write_text(lines)
    with gzip.open(here / "old.json.gz", "wt") as file:
        file.write(written(id="ffff00000000ffff") + "\n")
    told = schema.check("explain", explain("--json", "--id", "00112233AABBCCDD", code=0)[0])
    assert told["logged"]["line"] == 52 and told["logged"]["file"].endswith("access.json") and told["logged"]["same"] is True
    text, _ = explain("--id", "ffff00000000ffff", "--log", here / "old.json.gz", code=0)
    assert "old.json.gz:1) says: TCP_TUNNEL/200, bypass by rule devices\n" in text and "decided now: the same\n" in text
    _, said = explain("--id", "1234", code=2)
    assert "no line has this request id" in said
    _, said = explain("--id", "1234", "--log", here / "nowhere", code=2)
    assert "No such file" in said
    (here / "cut.json.gz").write_bytes((here / "old.json.gz").read_bytes()[:-20])
    _, said = explain("--id", "ffff00000000fff0", "--log", here / "cut.json.gz", code=2)
    assert said.startswith("postern: ") and "cut.json.gz" in said


RAW = re.compile(r"[\x00-\x09\x0b-\x1f\x7f\x80-\x9f\u202a-\u202e]")
HOSTILE = ["", "x", "{", "{}", "[]", "\x1b]0;title\x07", "{\"id\":\"\x1b[2J\"}", written(rule="\x1b[31mred\x9b", url="a.device.example:443"),
           written(url="http://\x1b[2J/"), written(user="\x1b[31m"), written(url="x" * 60000), written(host="x" * 100000), "9" * 500, "{" * 5000, "[" * 100000,
           NATIVE.format(result="\x1b[2J/200", method="CONNECT", url="a.device.example:443"), NATIVE.format(result="TCP_TUNNEL/200", method="\x1b[2J", url="\x1b"),
           written(method="G\x00T"), written(url="a.device.example:443\x00"), "\u202e" + written(), written(rule="\u202eover\u009b2J")]


@pytest.mark.parametrize("line", HOSTILE, ids=range(len(HOSTILE)))
def test_no_line_reaches_the_terminal_raw(explain, line):
    for words in ((), ("--json",)):
        text, said = explain("--log-line", "-", *words, stdin=line.encode())
        assert not RAW.search(text + said), (text, said)


# --- batches ---

def test_a_batch_answers_each_line(here, explain):
    asked = ["# a comment", "", "a.device.example", '--client 10.1.2.3 --header "X-A: b c" http://other.example/x', '{"id": [1, "x"], "target": "a.device.example", "sni": "evil.example"}',
             '{"target": "http://other.example/", "header": ["X: 1", "Y: 2"], "user": "nobody"}', "--client bob a.example", '{"id": 7, "tarjet": "x"}', '{"target": 5}',
             "a.example b.example", "--sni", '{"target": "a.example", "client": "10.0.0.1", "client": "10.0.0.2"}', "x" * 300000, "--listener none a.example", "[]", "{"]
    text, _ = explain("--batch", "-", code=2, stdin="\n".join(asked).encode())
    lines = [schema.check("explain", line) for line in text.splitlines()]
    assert len(lines) == len(asked) - 2
    assert [line.get("rule") for line in lines[:4]] == ["devices", "rest", "devices", "rest"] and "rules" not in lines[0]
    assert lines[2]["id"] == [1, "x"] and lines[2]["allowed"] is False and lines[1]["client"] == "10.1.2.3"
    assert [line["line"] for line in lines[4:]] == list(range(7, 17)) and lines[5]["id"] == 7 and all(line["error"] for line in lines[4:])
    (here / "batch").write_text("a.device.example\nother.example\n")
    text, _ = explain("--batch", "-", code=0, stdin='{"id": "\u009b2J\u202e", "target": "a.device.example"}'.encode())
    assert not RAW.search(text) and json.loads(text)["id"] == "\u009b2J\u202e"
    text, _ = explain("--batch", here / "batch", "--all", code=0)
    assert [len(json.loads(line)["rules"]) for line in text.splitlines()] == [9, 9]


def test_a_batch_takes_whatever_comes(explain):
    rng = random.Random(7)
    pieces = [b'{"target":', b'"a.example"', b"}", b"--sni ", b"http://", b"\x00", b"\xff\xfe", b'"', b"\\", b"[[[[", b"a.device.example", b" ", b"'", b"--header ", b"\x1b", b"{", b",", b":", b"\r"]
    noise = b"\n".join(b"".join(rng.choice(pieces) for _ in range(rng.randint(1, 12))) for _ in range(400)) + b"\n" + b"[" * 200000 + b"\n" + b'{"target":' * 3000
    text, _ = explain("--batch", "-", stdin=noise)
    for line in text.splitlines():
        assert isinstance(json.loads(line), dict)
    assert len(text.splitlines()) > 300


def test_a_batch_is_quick(here, explain):
    (here / "long").write_text("".join(f'{{"id": {number}, "target": "{number}.device.example"}}\n' for number in range(5000)))
    begun = time.monotonic()
    text, _ = explain("--batch", here / "long", code=0)
    assert text.count("\n") == 5000 and time.monotonic() - begun < 30


@pytest.mark.parametrize("words", [["--batch", "x", "a.example"], ["--batch", "/nowhere"], ["--batch", "/dev/zero"], ["--log-line", "x", "--id", "y"], ["--log", "x", "a.example"], ["--log-line", "x", "a.example"],
                                   ["--sni", "10.0.0.1", "a.example"], ["--sni", "a.example", "http://a.example/"]], ids=" ".join)
def test_wrong_words_are_2(explain, words):
    text, said = explain(*words, code=2)
    assert said and not text
