# SPDX-License-Identifier: MIT
"""postern replay: which requests of a log a candidate would decide differently; held against what another gateway really does with the same requests."""

import base64
import collections
import gzip
import json
import os
import random
import re
import subprocess
import threading

import gateway as gateways
import logon
import pytest
import schema
import squid as squids
import wire
import world as worlds

# Each part of a rule differs between the two somewhere: action, order, condition, ports, egress.
COMMON = """
[auth]
schemes = basic
basic-file = {users}
basic-without-tls = yes
max-failures = none
max-failures-user = none
"""
A = COMMON + """
[rule diagnostics]
action = bypass
hosts = *.events.data.microsoft.com settings-win.data.microsoft.com d1.invalid
[rule seen]
hosts = .invalid
report = yes
action = deny
[rule uploads]
action = deny
methods = PUT
hosts = .up.invalid
[rule moved]
action = deny
hosts = moved.invalid
redirect = http://new.invalid/
[rule old-page]
action = tunnel
auth = none
url = ^http://h3\\.invalid/a/old
[rule branch]
action = tunnel
auth = none
clients = 127.0.0.16/28
hosts = h1.invalid h2.invalid
[rule alice]
action = tunnel
hosts = h1.invalid h4.invalid
users = alice
[rule bad]
action = deny
hosts = .bad.invalid
[rule always]
action = deny
hosts = h9.invalid
times = 00:00-24:00
[rule staff]
action = tunnel
hosts = h5.invalid h6.invalid
[rule rest]
action = tunnel
auth = none
"""
B = (A.replace("d1.invalid", "d2.invalid").replace("127.0.0.16/28", "127.0.0.0/27").replace("users = alice", "users = bob").replace("hosts = .bad.invalid", "hosts = .bad.invalid h7.invalid")
     .replace("h5.invalid h6.invalid", "h6.invalid h8.invalid").replace("/a/old", "/a/.*d"))
OPTIONS_A = {"connect_ports": "443 8443", "http_ports": "80", "egress_allow": "127.0.0.9"}
OPTIONS_B = {"connect_ports": "443 22", "http_ports": "80 8080", "egress_allow": "127.0.0.8"}
HOSTS = ["v10.events.data.microsoft.com", "settings-win.data.microsoft.com", "d1.invalid", "d2.invalid", "x.up.invalid", "moved.invalid", "z.bad.invalid", "127.0.0.8", "127.0.0.9",
         "[::1]", *(f"h{i}.invalid" for i in range(1, 10))]
DIAGNOSTIC = HOSTS[:4]
REQUESTS = int(os.environ.get("POSTERN_REPLAYED", "1000"))


def made(number):
    """One request, by its number alone: its bytes and where it comes from."""
    dice = random.Random(number)
    host, source = dice.choice(HOSTS), f"127.0.0.{dice.randrange(2, 40)}"
    user = dice.choice([None, None, "alice", "bob", "alice:wrong"])
    word = base64.b64encode((user if user and ":" in user else f"{user}:secret").encode()).decode()
    fields = (f"Proxy-Authorization: Basic {word}\r\n" if user else "") + f"User-Agent: r{number}\r\nConnection: close\r\n"
    if dice.random() < 0.5:
        port = dice.choice([443, 443, 443, 8443, 22])
        return f"CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n{fields}\r\n".encode(), source
    method, port = dice.choice(["GET", "GET", "PUT", "HEAD"]), dice.choice(["", "", "", ":8080"])
    path = dice.choice(["/", "/a/old", "/a/./%6fld", "/a/bold", "/b"])
    return f"{method} http://{host}{port}{path} HTTP/1.1\r\nHost: {host}{port}\r\n{fields}{'Content-Length: 0' + chr(13) + chr(10) if method == 'PUT' else ''}\r\n".encode(), source


def run_all(gw):
    """Every request on a connection of its own; four at the same time."""

    def run(numbers):
        for number in numbers:
            data, source = made(number)
            with wire.connect(gw.address, source) as w:
                w.send(data).until(b"\r\n\r\n")

    threads = [threading.Thread(target=run, args=(range(i, REQUESTS, 4),)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    records = wire.wait_until(lambda: (lines := gw.records()) if len(gw.records()) >= REQUESTS else None, "all lines")
    wire.wait_until(lambda: len(gw.native_lines()) >= REQUESTS, "all lines of the other log")
    return {line["user_agent"]: line for line in records}


def replay(*words, code=None):
    done = gateways.command("replay", *words)
    assert code is None or done.returncode == code, (done.returncode, done.stdout, done.stderr)
    return done


def replay_json(*words, code=None):
    return schema.check("replay", replay("--json", "--limit", "65536", *words, code=code).stdout)


def real(line):
    """What a record says was decided."""
    if line["status"] == 407:
        return "challenge", None, None
    refused = line["fault"] if line["fault"] in ("no-rule", "port-denied", "egress-denied", "self-target", "user-unknown") else None
    if refused:
        return "deny", None, refused
    return ("redirect" if line["fault"] == "redirected" else line["action"]), line["rule"], None


def really(before, after):
    """Counter of (from, to, host, port) of the same requests' records. Of one that was not asked, the log does not tell who would have answered: that it would be asked is all
    that can be said."""
    count = collections.Counter()
    for agent, line in before.items():
        old, new = real(line), real(after[agent])
        if after[agent]["user"] and not line["user"]:
            new = ("challenge", None, None)
        count[(old, new, line["host"], line["port"])] += 1
    return count


def by_host(answer):
    """Counter of (from, to, host, port) that the answer tells."""
    count = collections.Counter()
    for change in answer["changes"]:
        ends = [(change[end]["outcome"], change[end]["rule"], change[end]["fault"]) for end in ("from", "to")]
        assert change["without_host"] == 0
        for host in change["hosts"]:
            count[(*ends, host["host"], host["port"])] += host["requests"]
    assert answer["changes_left_out"] == 0 and answer["beyond"] == 0
    return count


@pytest.fixture(scope="module")
def pair(gateway_kept, folder_kept, world):
    """The same requests through both: the gateways and their records."""
    secret = folder_kept / "secret"
    secret.mkdir(mode=0o755)
    users = logon.basic_file(secret / "users", alice="secret", bob="secret")
    control = folder_kept / "control.sock"
    a = gateway_kept(A.format(users=users), control=control, **OPTIONS_A)
    b = gateway_kept(B.format(users=users), **OPTIONS_B)
    return a, b, run_all(a), run_all(b)


def test_the_same_configuration_explains_its_own_logs(pair):
    a, b, _, _ = pair
    for gw in (a, b):
        for log in (gw.access, gw.native):
            answer = replay_json("-c", gw.file, log, code=0)
            told = answer["requests"] + answer["first_legs"]["requests"] + answer["refused_otherwise"]
            assert (told, answer["cannot_tell"]["requests"], answer["not_read"], answer["changes"]) == (REQUESTS, 0, 0, [])
            assert answer["same_by_other_rule"] == 0


def test_what_is_predicted_is_what_really_changes(pair):
    a, b, before, after = pair
    want = collections.Counter({key: n for key, n in really(before, after).items() if key[0][0] != key[1][0]})
    assert len({(old[0], new[0]) for old, new, _, _ in want}) >= 8
    for answer in (replay_json("-c", b.file, a.access, code=1), replay_json("-c", b.file, "--against", a.file, a.access, code=1)):
        assert by_host(answer) == want
        assert answer["changed"] + answer["first_legs"]["changed"] == sum(want.values())
        assert answer["hurt"] == sum(n for (old, new, host, _), n in want.items() if host in DIAGNOSTIC and old[0] in ("bypass", "tunnel") and new[0] in ("challenge", "deny")) > 0


def test_squids_format_tells_what_is_let_through(pair):
    """The words of that log are fewer, but what they say is the same."""
    a, b, before, after = pair
    words = {"bypass": "let-through", "tunnel": "let-through"}
    want = collections.Counter()
    for (old, new, *place), n in really(before, after).items():
        if words.get(old[0], old[0]) != words.get(new[0], new[0]):
            want[((words.get(old[0], old[0]), None, None), new, *place)] += n
    assert by_host(replay_json("-c", b.file, a.native, code=1)) == want


def test_the_running_gateway_is_asked_for_its_file(pair):
    a, b, _, _ = pair
    answer = replay_json("-c", b.file, "--against", "running", "--control", a.options["control"], a.access, code=1)
    assert answer["against"] == str(a.file) and answer["changes"] == replay_json("-c", b.file, "--against", a.file, a.access)["changes"]
    done = replay("-c", b.file, "--against", "running", "--control", b.folder / "nobody", a.access, code=3)
    assert "cannot be reached" in done.stderr


def test_logs_are_packed_and_many(pair, folder):
    a, b, _, _ = pair
    plain = replay_json("-c", b.file, a.access)
    packed = folder / "log.gz"
    text = a.access.read_bytes()
    half = text.index(b"\n", len(text) // 2) + 1
    packed.write_bytes(gzip.compress(text[:half]) + gzip.compress(text[half:]))
    assert replay_json("-c", b.file, packed)["changed"] == plain["changed"]
    assert replay_json("-c", b.file, packed, a.access, a.native)["requests"] == 3 * plain["requests"]
    with open(packed, "rb") as stdin:
        done = subprocess.run([gateways.PROGRAM, "replay", "--json", "-c", b.file, "-"], stdin=stdin, capture_output=True, text=True, check=False)
    assert json.loads(done.stdout)["changed"] == plain["changed"]


# --- by hand ---

INI = """\
[gateway]
[listener main]
address = 127.0.0.1:3128
clients = 0.0.0.0/0
[auth]
schemes = negotiate
domain = winbind
[rule diagnostics]
action = bypass
hosts = *.events.data.microsoft.com
[rule finance]
action = tunnel
hosts = bank.example
groups = "CORP\\Finance"
[rule scripts]
action = deny
hosts = plain.example
headers = "User-Agent: curl"
[rule searches]
action = deny
hosts = search.example
url = [?]q=x
[rule inner]
action = deny
hosts = inner.example
addresses = 10.0.0.0/8
[rule types]
action = deny
hosts = types.example
content-types = video/*
[rule social]
action = deny
hosts = .social.example
[rule rest]
action = tunnel
auth = none
"""
LINES = """\
1700000000.500    500 10.1.2.3 TCP_TUNNEL/200 8901 CONNECT v10.events.data.microsoft.com:443 - HIER_DIRECT/20.42.73.27 -
1700000001.000      1 10.1.2.3 TCP_TUNNEL/200 8901 CONNECT bank.example:443 CORP%5Calice HIER_DIRECT/20.42.73.27 -
1700000002.000      1 10.1.2.3 TCP_MISS/200 8901 GET http://plain.example/ - HIER_DIRECT/20.42.73.27 text/html
1700000003.000      1 10.1.2.3 TCP_MISS/200 8901 GET http://search.example/? - HIER_DIRECT/20.42.73.27 text/html
1700000004.000      1 10.1.2.3 TCP_MISS/502 8901 GET http://inner.example/ - HIER_NONE/- text/html
1700000005.000      1 10.1.2.3 TCP_MISS/200 8901 GET http://types.example/ - HIER_DIRECT/20.42.73.27 text/html
1700000006.000      1 10.1.2.3 TCP_MISS/502 8901 GET http://types.example/ - HIER_NONE/- text/html
1700000007.000      1 pc.example TCP_MISS/200 8901 GET http://www.social.example/x? CORP%5C%1b[31mbob HIER_DIRECT/20.42.73.27 text/html
1700000008.000      1 10.1.2.3 TCP_MISS/200 8901 GET http://www.social.example/y - HIER_DIRECT/20.42.73.27 text/html [x: y]
1700000009.000      1 10.1.2.3 TCP_DENIED/407 8901 CONNECT www.social.example:443 - HIER_NONE/- text/html
1700000010.000      1 10.1.2.3 TCP_DENIED/407 8901 CONNECT a.example:443 - HIER_NONE/- text/html
1700000011.000      1 10.1.2.3 NONE_NONE/000 0 - error:transaction-end-before-headers - HIER_NONE/- -
1700000012.000      1 10.1.2.3 TCP_DENIED/400 0 GET http://a.example/ - HIER_NONE/- -
1700000013.000      1 10.1.2.3 TCP_DENIED/200 0 CONNECT a.example:443 - HIER_NONE/- -
not \x1b[2J a line
"""
GOLDEN = """\
10 requests in 15 lines, 2023-11-14T22:13:20.000Z to 2023-11-14T22:13:32.999Z: postern.ini, compared with what the logs say
would be decided differently: 2 requests
         2  let through -> deny by social
             2  www.social.example:80  (access.log:8, by CORP\\\\x1b[31mbob, http://www.social.example/x?)
first legs of a log-on (407): 2, asked again 0, let through unasked 1, refused unasked 1, cannot tell 0
         1  asked who it is (407) -> deny by social
             1  www.social.example:443  (access.log:10, from 10.1.2.3, www.social.example:443)
         1  asked who it is (407) -> tunnel by rest
             1  a.example:443  (access.log:11, from 10.1.2.3, a.example:443)
the same: 2 requests
cannot tell: 6 requests
         1  a rule asks for groups, which are not known from this log
         1  it hangs on what the name leads to
         1  it hangs on the type of the response
         1  it hangs on header fields
         1  it hangs on the query, which the log cuts off
         1  the tunnel was opened, then closed; the log does not say what had been decided
refused for other reasons than rules: 1 request
no requests: 1 line of connections on which none was made that could be read
not read: 1 line; the first is access.log:15: it is no line of an access log in the squid or json format
=> something changes
"""


@pytest.fixture
def here(folder, monkeypatch):
    monkeypatch.chdir(folder)
    (folder / "postern.ini").write_text(INI)
    (folder / "access.log").write_text(LINES)
    return folder


def ours(*words, code=None):
    return replay("-c", "postern.ini", *words, code=code)


def test_what_people_read(here):
    assert ours("access.log", code=1).stdout == GOLDEN
    shown = ours("--limit", "1", "access.log", code=1).stdout
    assert "         1  in 1 more way; --limit shows more\n" in shown
    (here / "none.log").write_text(LINES.split("\n", 1)[0] + "\n")
    assert ours("none.log", code=0).stdout.endswith("the same: 1 request\n=> nothing changes\n")


def test_what_squid_redirects_by_a_rule_was_refused_and_what_caches_ask_each_other_is_no_request(here):
    """deny_info sends a browser elsewhere, by a rule; a CONNECT can only be refused so. TCP_DENIED/4xx is no rule's. UDP_ is ICP."""
    (here / "squid.log").write_text(
        "1700000008.000      1 10.1.2.3 TCP_DENIED/302 301 GET http://www.social.example/y - HIER_NONE/- text/html\n"
        "1700000008.000      1 10.1.2.3 TCP_DENIED/302 301 CONNECT www.social.example:443 - HIER_NONE/- text/html\n"
        "1700000008.000      1 10.1.2.3 TCP_DENIED/307 301 CONNECT a.example:443 - HIER_NONE/- text/html\n"
        "1700000008.000      1 10.1.2.3 TCP_DENIED/429 301 GET http://www.social.example/y - HIER_NONE/- text/html\n"
        "1700000008.000      0 10.1.2.9 UDP_MISS/000 48 ICP_QUERY http://www.social.example/y - HIER_NONE/- -\n")
    said = schema.check("replay", ours("--json", "squid.log", code=1).stdout)
    assert (said["requests"], said["same"], said["refused_otherwise"], said["no_requests"]) == (3, 1, 1, 1)
    assert [(one["from"]["outcome"], one["to"]["outcome"], one["requests"]) for one in said["changes"]] == [("redirect", "deny", 1), ("deny", "tunnel", 1)]


def test_diagnostics_that_would_be_hurt_come_first(here):
    """By the lists that come with it, and by bypass rules; Squid's own word for a tunnel is taken for one that nobody opened."""
    (here / "postern.ini").write_text(INI.replace("action = bypass\nhosts = *.events.data.microsoft.com", "action = deny\nhosts = v10.events.data.microsoft.com"))
    shown = ours("access.log", code=1).stdout
    assert re.search(r"\ndiagnostics that would be hurt: 1 request\n         1  let through -> deny by diagnostics\n +1  v10.events.data.microsoft.com:443 ", shown)
    assert shown.index("hurt: 1") < shown.index("differently, those included: 3 requests")
    answer = schema.check("replay", ours("--json", "access.log").stdout)
    assert answer["hurt"] == 1 and [change["hurts_diagnostics"] for change in answer["changes"]] == [True, False, False, False]


def test_groups_are_those_of_the_log(here):
    line = {"ts": "2026-01-31T23:59:59.999Z", "duration_ms": 1, "client": "10.1.2.3", "listener": "main", "method": "CONNECT", "url": "bank.example:443", "action": "tunnel",
            "rule": "finance", "user": "CORP\\alice", "groups": ["CORP\\Finance"], "status": 200, "result": "TCP_TUNNEL", "fault": None}
    (here / "x.json").write_text("".join(json.dumps({**line, **more}) + "\n" for more in (
        {}, {"groups": ["CORP\\Sales"]}, {"groups": None}, {"user": None, "groups": None, "action": "tunnel", "rule": "rest"}, {"listener": "gone", "url": "a.example:443"})))
    answer = schema.check("replay", ours("--json", "x.json", code=1).stdout)
    assert (answer["requests"], answer["same"], answer["same_by_other_rule"], answer["changed"]) == (5, 3, 2, 1)
    assert answer["cannot_tell"]["groups"] == 1 and answer["changes"][0]["to"]["outcome"] == "challenge"


def test_requests_inside_tunnels_go_with_their_connect(here):
    subprocess.run([gateways.PROGRAM, "ca", "init", "--cert", "ca.pem", "--key", "ca.key"], check=True, capture_output=True)
    (here / "new.ini").write_text(INI.replace("[rule social]", "[rule open]\naction = inspect\nauth = none\nhosts = open.example\n[rule social]") +
                                  "[inspection]\nca-cert = ca.pem\nca-key = ca.key\n")
    line = "1700000000.500 5 10.1.2.3 {} - HIER_DIRECT/20.42.73.27 -\n"
    (here / "inner.log").write_text(line.format("NONE_NONE/200 0 CONNECT open.example:443") + line.format("TCP_MISS/200 10 GET https://open.example/") +
                                    line.format("NONE_NONE/200 0 CONNECT www.social.example:443") + line.format("TCP_MISS/200 10 GET https://www.social.example/"))
    answer = schema.check("replay", replay("--json", "-c", "new.ini", "inner.log", code=1).stdout)
    assert (answer["same"], answer["changed"], answer["in_changed_tunnels"]) == (2, 1, 1)
    answer = schema.check("replay", replay("--json", "-c", "postern.ini", "--against", "new.ini", "inner.log", code=1).stdout)
    assert (answer["same"], answer["changed"], answer["in_changed_tunnels"]) == (2, 1, 1)


def test_hostile_logs(here):
    """Each ends, soon, with a word about it."""
    (here / "long.log").write_bytes(b"x" * (100 << 20) + b"\n" + LINES.encode())
    assert "not read: 2 lines; the first is long.log:1: the line is too long" in ours("long.log", code=1).stdout
    (here / "bomb.gz").write_bytes(gzip.compress(b"\0" * (30 << 20)))
    assert ours("--unpacked-max", "10m", "bomb.gz", code=2).stderr == "postern: bomb.gz: holds more than is read; --unpacked-max raises that\n"
    packed = gzip.compress(LINES.encode())
    for name, data, says in (("cut.gz", packed[:-20], "ends in the middle of the compressed part"), ("bad.gz", packed[:40] + b"\0" * 9 + packed[49:], "is damaged"),
                             ("binary", bytes(range(1, 256)) * 99, "holds no line of an access log"), ("other.xz", b"\xfd7zXZ\0", "is compressed by xz")):
        (here / name).write_bytes(data)
        done = ours(name, code=2)
        assert done.stdout == "" and says in done.stderr
    (here / "empty.log").write_text("")
    (here / "blank.log").write_text("\n\r\n")
    done = ours("empty.log", "blank.log", code=2)
    assert done.stdout == "" and "there is no line in any of these logs" in done.stderr
    for name, says in (("/dev/zero", "is a device"), (".", "is a folder"), ("missing", "No such file"), ("a\x1b[2J\u009bb", r"a\x1b[2J\xc2\x9bb: No such file")):
        done = ours(name, code=2)
        assert says in done.stderr and "\x1b" not in done.stderr
    hostile = LINES.replace("www.social.example/y", "www.social.example/\x07\u009b2J\u202e")
    (here / "hostile.log").write_text(hostile)
    (here / "many.log").write_text("".join(f"1700000000.500 5 10.1.2.3 TCP_MISS/200 1 GET http://h{i}.social.example/ - HIER_DIRECT/20.42.73.27 -\n" for i in range(70_000)))
    for name in ("hostile.log", "many.log"):
        shown = ours(name, code=1).stdout
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", shown)
    answer = schema.check("replay", ours("--json", "many.log").stdout)
    assert answer["changed"] == 70_000 and answer["changes"][0]["hosts_kept"] == 65_536 and answer["changes"][0]["without_host"] == 70_000 - 65_536


def test_usage(here):
    for words in ([], ["--limit", "0", "access.log"], ["--unpacked-max", "x", "access.log"], ["--against", "missing", "access.log"], ["--bogus", "access.log"]):
        assert ours(*words, code=2).stdout == ""
    (here / "broken.ini").write_text("[rule x]\n")
    assert "the configuration has errors" in replay("-c", "broken.ini", "access.log", code=2).stderr


# --- Squid's own ---

@pytest.fixture(scope="module")
def squid(world, folder_kept):
    """A Squid that lets some through, refuses some and asks for a password; its access log."""
    squids.program()
    place = folder_kept / "squid"
    place.mkdir(mode=0o777)
    place.chmod(0o777)
    users = place / "users"
    users.write_text("alice:" + logon.openssl("passwd", "-apr1", "-stdin", text=b"secret") + "\n")
    users.chmod(0o644)
    port, log = gateways.free_port(), place / "access.log"
    (place / "squid.conf").write_text(
        f"http_port 127.0.0.1:{port}\nauth_param basic program /usr/lib/squid/basic_ncsa_auth {users}\nacl known proxy_auth REQUIRED\nacl bad dstdomain .bad.invalid\n"
        f"acl staff dstdomain h5.invalid\nhttp_access deny bad\nhttp_access deny staff !known\nhttp_access allow all\naccess_log {log}\ncache_log {place}/cache.log\npid_filename {place}/pid\n"
        f"cache deny all\ndns_nameservers {worlds.RESOLVER}\nvisible_hostname squid.example.net\nshutdown_lifetime 0 seconds\nmax_filedescriptors 4096\ndns_timeout 2 seconds\nnetdb_filename none\n")
    with squids.running(place / "squid.conf", port):
        yield ("127.0.0.1", port), log


def test_squids_own_log_is_replayed(squid, here):
    address, log = squid
    word = base64.b64encode(b"alice:secret").decode()
    asked = [b"CONNECT z.bad.invalid:443 HTTP/1.1\r\nHost: z.bad.invalid:443\r\n\r\n", b"CONNECT h1.invalid:443 HTTP/1.1\r\nHost: h1.invalid:443\r\n\r\n",
             b"GET http://h5.invalid/x?y=z HTTP/1.1\r\nHost: h5.invalid\r\n\r\n", b"GET http://h2.invalid/ HTTP/1.1\r\nHost: h2.invalid\r\n\r\n",
             f"GET http://h5.invalid/x?y=z HTTP/1.1\r\nHost: h5.invalid\r\nProxy-Authorization: Basic {word}\r\n\r\n".encode(), b"nonsense\r\n\r\n"]
    for data in asked:
        with wire.connect(address) as w:
            w.send(data).until(b"\r\n\r\n")
    wire.wait_until(lambda: log.exists() and len(log.read_text().splitlines()) >= len(asked), "Squid's log")
    users = logon.basic_file(here / "users", alice="secret")
    (here / "same.ini").write_text("[gateway]\n[listener main]\naddress = 127.0.0.1:3128\nclients = 127.0.0.0/8\n" + COMMON.format(users=users) +
                                   "[rule bad]\naction = deny\nhosts = .bad.invalid\n[rule staff]\naction = tunnel\nhosts = h5.invalid\n[rule rest]\naction = tunnel\nauth = none\n")
    answer = replay_json("-c", "same.ini", log, code=0)
    assert (answer["requests"], answer["same"], answer["first_legs"]["challenge"], answer["not_read"]) == (4, 4, 1, 0), log.read_text()
    assert answer["no_requests"] >= 1
    (here / "other.ini").write_text((here / "same.ini").read_text().replace(".bad.invalid", "h1.invalid").replace("h5.invalid", "h2.invalid"))
    answer = replay_json("-c", "other.ini", log, code=1)
    assert {(change["from"]["outcome"], change["to"]["outcome"], host["host"]) for change in answer["changes"] for host in change["hosts"]} == {
        ("deny", "tunnel", "z.bad.invalid"), ("let-through", "deny", "h1.invalid"), ("let-through", "challenge", "h2.invalid"), ("challenge", "tunnel", "h5.invalid")}
