# SPDX-License-Identifier: MIT
"""Credentials from hostile clients: the right status, one line in the log, and a connection and a process that live on."""

import base64
import contextlib
import hashlib
import hmac
import os
import signal
import struct

import pytest
import wire

import gateway as g

HASH = bytes.fromhex("878d8014606cda29677a44efa1353fc7")  # NT hash of "secret"
CRYPT = "$5$ewrxmXZhnruqUkrf$Hc7sHfxtXB99pRycSAPKaY5ScU2iEsnP4hRTRvhXH30"  # of "pw"
URL = "http://origin.example.net/"
FREE = "http://free.example.net/"
RULES = """
[auth]
schemes = negotiate ntlm basic
realm = Example
ntlm-file = {0}/users.ntlm
basic-file = {0}/users.basic
keytab = {0}/http.keytab
basic-without-tls = yes
timeout = 5s
[rule free]
hosts = free.example.net
action = deny
auth = none
[rule rest]
hosts = origin.example.net
action = tunnel
"""
FLAGS = 0xA2088207


def keytab():
    """One key of HTTP/proxy.example.net, made of zeros."""
    def text(s):
        return struct.pack(">H", len(s)) + s

    entry = struct.pack(">H", 2) + text(b"EXAMPLE.NET") + text(b"HTTP") + text(b"proxy.example.net") + struct.pack(">IIBH", 1, 0, 1, 18) + text(bytes(32)) + struct.pack(">I", 1)
    return b"\x05\x02" + struct.pack(">i", len(entry)) + entry


@pytest.fixture
def users(tmp_path_factory):
    folder = tmp_path_factory.mktemp("users")
    for name, data in (("users.ntlm", f"CORP\\alice:{HASH.hex()}\nbob:{HASH.hex()}\n".encode()), ("users.basic", f"carol:{CRYPT}\n".encode()), ("http.keytab", keytab())):
        (folder / name).write_bytes(data)
        (folder / name).chmod(0o600)
    return folder


@pytest.fixture
def gw(gateway, origin, users):
    return gateway(RULES.format(users))


# --- messages ---

def b64(data):
    return base64.b64encode(data).decode()


def negotiate(n=40):
    return (b"NTLMSSP\0\1\0\0\0" + struct.pack("<I", FLAGS) + bytes(24) + b"x" * 4096)[:n]


def field(n, at):
    return struct.pack("<HHI", n, n, at)


def authenticate(user="bob", domain="", challenge=bytes(8), key=HASH, nt=None, session_key=b"", fields=None, flags=FLAGS, info=b"\0\0\0\0"):
    """AUTHENTICATE of NTLMv2; `fields` puts (length, offset) in place of the six true ones."""
    name = user if isinstance(user, bytes) else user.encode("utf-16-le", "surrogatepass")
    where = domain if isinstance(domain, bytes) else domain.encode("utf-16-le")
    if nt is None:
        base = hmac.new(key, (user.upper() if isinstance(user, str) else "").encode("utf-16-le", "surrogatepass") + where, hashlib.md5).digest()
        blob = b"\1\1" + bytes(6) + bytes(8) + b"12345678" + bytes(4) + info
        nt = hmac.new(base, challenge + blob, hashlib.md5).digest() + blob
    parts, at, heads = [bytes(24), nt, where, name, b"", session_key], 64, b""
    for i, part in enumerate(parts):
        heads += field(*(fields or {}).get(i, (len(part), at)))
        at += len(part)
    return b"NTLMSSP\0\3\0\0\0" + heads + struct.pack("<I", flags) + b"".join(parts)


def request(value, url=URL, **more):
    return wire.get(url, fields=f"Proxy-Authorization: {value}\r\n", **more)


def challenge_of(answer):
    message = base64.b64decode(answer["proxy-authenticate"].split()[1])
    assert message[:12] == b"NTLMSSP\0\2\0\0\0"
    return message[24:32]


def begin(c, scheme="NTLM"):
    answer = c.send(request(f"{scheme} {b64(negotiate())}")).response()
    assert answer.status == 407 and answer["connection"] == "keep-alive"
    return challenge_of(answer)


def log_on(c, user="bob", domain=""):
    return c.send(request("NTLM " + b64(authenticate(user, domain, begin(c))))).response()


def is_alive(gw, c):
    """The connection takes the next request, and is still nobody's."""
    assert c.send(wire.get(FREE)).response().status == 403
    assert c.send(wire.get(URL)).response().status == 407


# --- what cannot be read ---

BAD = {
    "no token": "NTLM",
    "blanks for a token": "NTLM      ",
    "padding alone": "NTLM ====",
    "broken base64": "NTLM TlRMTVNT!!!!",
    "base64 of odd length": "Basic Y2Fyb2w6cH",
    "bits left over": "Basic Y2Fyb2w6cHd=",
    "joined by a comma": f"NTLM {b64(negotiate())}, Basic {b64(b'carol:pw')}",
    "two tokens": f"Basic {b64(b'carol:pw')} {b64(b'carol:pw')}",
    "no colon": "Basic " + b64(b"carol"),
    "no name": "Basic " + b64(b":pw"),
    "NUL in the name": "Basic " + b64(b"carol\0:pw"),
    "line feed in the name": "Basic " + b64(b"carol\r\nX: y:pw"),
    "control byte in the password": "Basic " + b64(b"carol:pw\x7f"),
    "CHALLENGE from a client": "NTLM " + b64(b"NTLMSSP\0\2\0\0\0" + bytes(60)),
    "message of no kind": "NTLM " + b64(b"NTLMSSP\0\xff\xff\xff\xff" + bytes(60)),
    "signature alone": "NTLM " + b64(b"NTLMSSP\0"),
    "AUTHENTICATE first": "NTLM " + b64(authenticate()),
    "AUTHENTICATE first, under Negotiate": "Negotiate " + b64(authenticate()),
    "garbage under Negotiate": "Negotiate " + b64(os.urandom(64)),
    "SPNEGO cut short": "Negotiate " + b64(b"\x60\x84\xff\xff\xff\xff\x06\x06\x2b\x06\x01\x05\x05\x02"),
    "SPNEGO without mechanisms": "Negotiate " + b64(b"\x60\x10\x06\x06\x2b\x06\x01\x05\x05\x02\xa0\x06\x30\x04\xa0\x02\x30\x00"),
    "NEGOTIATE of 2000 bytes": "NTLM " + b64(negotiate(2000)),
    "NEGOTIATE of 14 bytes": "NTLM " + b64(negotiate(14)),
}


@pytest.mark.parametrize("what", BAD)
def test_credentials_that_cannot_be_read_are_407_with_one_line_and_the_connection_stays(gw, what):
    with gw.connect() as c:
        answer = c.send(request(BAD[what])).response()
        assert answer.status == 407 and answer["connection"] == "keep-alive"
        assert [f.split()[0] for f in answer.all("proxy-authenticate")] == ["Negotiate", "NTLM", "Basic"]
        is_alive(gw, c)
    line = gw.record(fault="auth-bad-token")
    assert line["user"] is None and line["auth_detail"] and line["url"] == URL
    assert len([r for r in gw.records() if r["fault"] == "auth-bad-token"]) == 1


def test_kerberos_garbage_is_the_back_ends_to_refuse_and_it_lives_on(gw):
    krb5 = b"\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02\x01\x00"
    with gw.connect() as c:
        for n in (0, 1, 40, 100, 8000, 48000):
            inside = krb5 + b"\x6e\x84" + struct.pack(">I", n) + os.urandom(n)
            token = b"\x60\x84" + struct.pack(">I", len(inside)) + inside
            assert c.send(request("Negotiate " + b64(token[:48000]))).response().status == 407
        is_alive(gw, c)
    line = gw.record(6, fault=lambda f: f in ("auth-failed", "auth-bad-token"))
    assert line["auth_detail"]
    assert "auth kerberos" not in "".join(row for row in gw.said().split("\n") if "another one starts" in row)


@pytest.mark.parametrize("value", ["Digest username=carol", "Bearer abc", "", "   ", "=", "NTLM\tTlRM", "ntlm2 abc", "\xffNTLM abc"])
def test_a_scheme_that_is_not_known_is_answered_with_those_that_are(gw, value):
    with gw.connect() as c:
        answer = c.send(request(value)).response()
        assert answer.status == 407 and len(answer.all("proxy-authenticate")) == 3
        is_alive(gw, c)
    assert gw.record(fault="auth-required")["user"] is None


@pytest.mark.parametrize("fields", ["Proxy-Authorization: Basic Y2Fyb2w6cHc=\r\n" * 10, "Proxy-Authorization: Basic\r\n Y2Fyb2w6cHc=\r\n",
                                    "Proxy-Authorization : Basic Y2Fyb2w6cHc=\r\n", "Proxy-Authorization: Basic Y2Fyb2w6\0cHc=\r\n"])
def test_credentials_that_two_readers_might_read_in_two_ways_are_400_and_the_end(gw, origin, fields):
    with gw.connect() as c:
        answer = c.send(wire.get(URL, fields=fields)).response()
        assert answer.status == 400 and answer["connection"] == "close"
        assert c.ended()
    assert gw.record(status=400)["user"] is None
    assert not origin.requests


@pytest.mark.parametrize("size, status, option", [(47000, 407, "64k"), (49152, 407, "1m"), (65536, 407, "1m"), (65537, 407, "1m"), (49152, 431, "64k"), (700000, 407, "1m")])
def test_a_token_may_be_long_but_not_longer_than_a_head(gateway, origin, users, size, status, option):
    gw = gateway(RULES.format(users), max_head=option)
    with gw.connect() as c:
        answer = c.send(request("Negotiate " + b64(b"\x60" + os.urandom(size - 1)))).response()
        assert answer.status == status
        if status == 407:
            is_alive(gw, c)
    with gw.connect() as c:
        answer = c.send(request("Basic " + b64(b"carol:" + b"p" * (size - 6)))).response()
        assert answer.status == status
    with gw.connect() as c:
        answer = c.send(request("Basic " + b64(b"c" * (size - 3) + b":pw"))).response()
        assert answer.status == status
    with gw.connect() as c:
        assert log_on(c).status == 200


@pytest.mark.parametrize("first", [negotiate(), b"\x60\x1c\x06\x06\x2b\x06\x01\x05\x05\x02\xa0\x12\x30\x10\xa0\x0e\x30\x0c\x06\x0a\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x0a"],
                         ids=["bare", "offered in SPNEGO"])
def test_who_comes_without_a_ticket_where_nothing_else_will_do_is_told_of(gateway, origin, users, first):
    """The proxy by its address instead of its name: Windows then sends NTLM, for which nobody can be asked here."""
    gw = gateway(RULES.format(users).replace("negotiate ntlm basic", "negotiate").replace("ntlm-file", ";"))
    with gw.connect() as c:
        answer = c.send(request("Negotiate " + b64(first))).response()
        assert (answer.status, answer.all("proxy-authenticate")) == (407, ["Negotiate"])
    assert gw.record(fault="auth-required")["auth_detail"] == "NTLM is not configured"
    gw.says("127.0.0.1 sent NTLM under Negotiate, although there is a keytab: it has no ticket. Its proxy setting names an IP address")


# --- AUTHENTICATE ---

def test_no_field_of_an_authenticate_message_reaches_out_of_it(gw):
    size = len(authenticate())
    places = [(1, 0xFFFFFFFF), (0xFFFF, 64), (8, 0), (8, 63), (24, size - 23), (0xFFFF, 0xFFFF0001), (2, size), (1, size + 1), (0xFFFE, 0x7FFFFFFF)]
    n = 0
    with gw.connect() as c:
        for which in range(6):
            for place in places:
                c.send(request("NTLM " + b64(authenticate(challenge=begin(c), fields={which: place}))))
                answer = c.response()
                assert answer.status == 407, (which, place)
                n += 1
        is_alive(gw, c)
        assert log_on(c).status == 200
    assert gw.record(n, fault=lambda f: f in ("auth-bad-token", "auth-failed"))


@pytest.mark.parametrize("user", ["", "bob\0", "bob\n", "\x1b[31mbob", "b\u0085b", b"\x00\xd8", b"b\0o\0b", "b" * 256, "b" * 4096, "\u20ac" * 90])
def test_names_that_are_no_names_are_refused_and_never_in_a_log(gw, user):
    with gw.connect() as c:
        assert log_on(c, user).status == 407
        is_alive(gw, c)
    line = gw.record(fault="auth-bad-token")
    assert line["user"] is None
    for text in (gw.said(), gw.access.read_text(), gw.native.read_text()):
        assert "\x1b" not in text and "\0" not in text and "bbbbbbbb" not in text


def test_a_name_that_would_be_a_line_of_a_log_is_one_field_of_one(gw):
    name = 'x" 200 - user="root'
    with gw.connect() as c:
        assert log_on(c, name, "a b\\c").status == 407
    assert gw.record(fault="auth-failed")["auth_detail"].startswith("a b\\c\\" + name)
    assert all(len(line.split()) == 10 for line in gw.native_lines(2))


def test_old_and_broken_responses_are_refused_by_name(gw):
    odd = {"NTLMv1": {"nt": bytes(24)}, "anonymous": {"nt": b"", "user": ""}, "LM only": {"nt": b""}, "not NTLMv2": {"nt": bytes(60)},
           "bad session key": {"session_key": bytes(15)}, "bad target info": {"info": b"\6\0\4\1"}, "MIC missing": {"info": b"\6\0\4\0\2\0\0\0\0\0\0\0"}}
    with gw.connect() as c:
        for word, how in odd.items():
            assert c.send(request("NTLM " + b64(authenticate(challenge=begin(c), **how)))).response().status == 407
            assert gw.record(auth_detail=lambda d, word=word: d and word in d)
        assert log_on(c).status == 200


def test_neither_an_unknown_user_nor_a_wrong_password_is_told_from_the_other(gw):
    def answer(value):
        with gw.connect() as c:
            a = c.send(request(value() if callable(value) else value)).response()
            return a.line, sorted(f for f in a.fields if f[0] != "Date"), len(a.body)

    assert answer("Basic " + b64(b"carol:no")) == answer("Basic " + b64(b"mallo:no"))
    with gw.connect() as c, gw.connect() as d:
        known = c.send(request("NTLM " + b64(authenticate("bob", challenge=begin(c), key=bytes(16))))).response()
        unknown = d.send(request("NTLM " + b64(authenticate("eve", challenge=begin(d), key=bytes(16))))).response()
        assert known.line == unknown.line and known.all("proxy-authenticate") == unknown.all("proxy-authenticate")


# --- odd orders ---

def test_a_challenge_is_good_for_one_answer_on_one_connection(gw):
    with gw.connect() as c, gw.connect() as d:
        nonce = begin(c)
        stolen = request("NTLM " + b64(authenticate(challenge=nonce)))
        begin(d)
        assert d.send(stolen).response().status == 407
        assert c.send(stolen).response().status == 200
        assert c.send(stolen).response().status == 407  # again: no challenge is open, and the name is gone with it
        assert c.send(wire.get(URL)).response().status == 407


@pytest.mark.parametrize("between", ["Basic " + b64(b"carol:no"), "Negotiate " + b64(negotiate()), "Digest x", "NTLM !"])
def test_another_scheme_in_the_middle_of_a_handshake_ends_it(gw, between):
    with gw.connect() as c:
        nonce = begin(c)
        assert c.send(request(between)).response().status == 407
        assert c.send(request("NTLM " + b64(authenticate(challenge=nonce)))).response().status == 407
        assert log_on(c).status == 200


def test_a_pipelined_request_is_nobodys_before_the_log_on_and_the_users_after(gw):
    with gw.connect() as c:
        last = request("NTLM " + b64(authenticate(challenge=begin(c))))
        c.send(last + wire.get(URL) + request("Basic " + b64(b"carol:no")) + wire.get(URL))
        assert [c.response().status for _ in range(4)] == [200, 200, 407, 407]
    assert [gw.record(i, status=200)["user"] for i in (1, 2)] == ["bob", "bob"]


def test_an_identity_ends_with_its_connection_and_its_file(gw, users):
    with gw.connect() as c:
        assert log_on(c, "alice", "CORP").status == 200
        assert c.send(wire.get(URL)).response().status == 200
        with gw.connect() as d:
            assert d.send(wire.get(URL)).response().status == 407
        since = len(gw.said())
        new = users / "new"
        new.write_text(f"bob:{HASH.hex()}\n")
        new.chmod(0o600)
        new.rename(users / "users.ntlm")
        gw.says("the file has changed, and is in use", since=since)
        assert c.send(wire.get(URL)).response().status == 407
        assert log_on(c, "alice", "CORP").status == 407
        assert log_on(c, "bob").status == 200
        # another process, the same file: nothing has changed
        for pid in [pid for pid, words in gw.processes().items() if "auth" in words]:
            os.kill(pid, signal.SIGKILL)
        assert gw.get(URL, fields="Proxy-Authorization: Basic " + b64(b"carol:pw") + "\r\n").status == 200
        gw.says("auth ntlm-file .*is there again")
        assert c.send(wire.get(URL)).response().status == 200
    assert gw.record(fault="auth-expired")["user"] is None


# --- bodies ---

def post(value, body, framing, expect=""):
    return (f"POST {URL} HTTP/1.1\r\nHost: origin.example.net\r\n{framing}{expect}" + (f"Proxy-Authorization: {value}\r\n" if value else "") + "\r\n").encode() + body


SMUGGLED = wire.get("http://origin.example.net/smuggled")


@pytest.mark.parametrize("framing", ["Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "Transfer-Encoding: chunked\r\nContent-Length: 200\r\n", "Transfer-Encoding: gzip\r\n",
                                     "Transfer-Encoding: chunked, identity\r\n", "Content-Length: 5\r\nContent-Length: 6\r\n", "Content-Length: +5\r\n",
                                     "Content-Length: 99999999999999999999\r\n", "Transfer-Encoding: xchunked\r\n", "Transfer-Encoding : chunked\r\n"])
def test_no_request_hides_in_the_body_of_a_challenged_post(gw, origin, framing):
    with gw.connect() as c:
        c.send(post(None, b"0\r\n\r\n" + SMUGGLED, framing))
        assert c.response().status in (400, 413, 501)
        assert c.ended()
    assert not origin.requests


def test_a_body_is_drained_to_its_end_and_not_a_byte_further(gw, origin):
    inside = wire.get("http://origin.example.net/inside")
    chunked = b"%x;ext=%s\r\n%s\r\n0\r\n\r\n" % (len(inside), b"e" * 50, inside)
    with gw.connect() as c:
        nonce = begin(c)
        c.send(post("NTLM " + b64(negotiate()), inside, f"Content-Length: {len(inside)}\r\n"))
        nonce = challenge_of(c.response())
        c.send(post(None, chunked, "Transfer-Encoding: chunked\r\n") + post("NTLM !", chunked, "Transfer-Encoding: chunked\r\n"))
        assert [c.response().status for _ in range(2)] == [407, 407]
        nonce = begin(c)
        c.send(post("NTLM " + b64(authenticate(challenge=nonce)), b"body", "Content-Length: 4\r\n") + wire.get(URL + "after"))
        assert [c.response().status for _ in range(2)] == [200, 200]
    assert [r.target for r in origin.requests] == ["/", "/after"]


@pytest.mark.parametrize("end", [b"5\r\nabc", b"zz\r\n", b"3\r\nabcX\r\n", b"0\r\nProxy-Authorization: Basic Y2Fyb2w6cHc=\r\n\r\n", b"0\r\n" + b"x: y\r\n" * 5000])
def test_a_challenged_body_that_is_broken_ends_the_connection(gw, origin, end):
    with gw.connect() as c:
        c.send(post(None, end + b"\r\n" + SMUGGLED, "Transfer-Encoding: chunked\r\n"))
        assert c.response().status == 407
        c.shut()
        assert c.ended()
    assert gw.record(status=407) and not origin.requests


def test_a_body_too_large_to_drain_ends_the_connection(gw, origin):
    with gw.connect() as c:
        c.send(post(None, b"", f"Content-Length: {(16 << 20) + 1}\r\n"))
        assert c.response()["connection"] == "close"
    with gw.connect() as c:
        c.send(post(None, b"", f"Content-Length: {16 << 20}\r\n"))
        assert c.response()["connection"] == "keep-alive"
        for _ in range(256):
            c.send(bytes(65536))
        assert c.send(wire.get(FREE)).response().status == 403
    with gw.connect() as c, contextlib.suppress(ConnectionError, BrokenPipeError):
        c.send(post(None, b"", "Transfer-Encoding: chunked\r\n"))
        assert c.response()["connection"] == "keep-alive"
        for _ in range(18):
            c.send(b"100000\r\n" + bytes(1 << 20) + b"\r\n")
        c.send(b"0\r\n\r\n" + SMUGGLED)
        c.rest()
    assert gw.get(FREE).status == 403 and not origin.requests


def test_a_client_that_sends_its_challenged_body_drop_by_drop_delays_nobody_and_is_left(gateway, origin, users):
    gw = gateway(RULES.format(users), response_timeout="1s")
    with gw.connect() as c:
        c.send(post(None, b"", "Content-Length: 1000\r\n"))
        assert c.response().status == 407
        for _ in range(5):
            c.send(b"x")
            assert gw.get(FREE).status == 403
        assert c.ended()
    line = gw.record(status=407)
    assert line["fault"] == "auth-required"


@pytest.mark.parametrize("early, ends", [(b"", True), (b"hello", False)])
def test_a_body_that_waits_to_be_called_for_is_not_waited_for(gw, early, ends):
    with gw.connect() as c:
        c.send(post(None, early, "Content-Length: 5\r\n", "Expect: 100-continue\r\n"))
        answer = c.response()
        assert answer.status == 407 and (answer["connection"] == "close") == ends
        if not ends:
            is_alive(gw, c)


def test_bytes_behind_a_challenged_connect_are_no_request(gw, origin):
    with gw.connect() as c:
        c.send(b"CONNECT origin.example.net:443 HTTP/1.1\r\nHost: origin.example.net:443\r\n\r\n" + SMUGGLED)
        assert c.response()["connection"] == "close"
        assert c.ended()
    assert not origin.requests


# --- what gets out ---

def secrets_of(user, password):
    pair = f"{user}:{password}".encode()
    return [password, b64(pair), b64(pair)[:12], password.encode().hex()]


def test_no_credential_reaches_an_origin_a_log_or_a_trace(gw, origin):
    password = "Tr0ub4dor-and-3"
    value = "Basic " + b64(f"carol:{password}".encode())
    assert gw.ask(request(value)).status == 407
    assert gw.ask(request("Basic " + b64(b"carol:pw"))).status == 200
    # remembered now: the head goes on without having been settled anew
    assert gw.ask(request("Basic " + b64(b"carol:pw"))).status == 200
    assert gw.ask(wire.get(FREE, fields=f"Proxy-Authorization: {value}\r\n")).status == 403
    with gw.connect() as c:
        log_on(c)
        trace = c.send(wire.get(URL, "TRACE", f"Max-Forwards: 0\r\nCookie: a={password}\r\n")).response()
        assert trace.status == 200 and b"TRACE" in trace.body and password.encode() not in trace.body
    trace = gw.ask(wire.get(URL, "TRACE", "Max-Forwards: 0\r\nProxy-Authorization: Basic " + b64(b"carol:pw") + "\r\n"))
    assert trace.status == 200 and b"roxy-" not in trace.body and b"***" not in trace.body
    assert origin.requests
    for got in origin.requests:
        assert b"roxy-auth" not in got.head.lower() and b"***" not in got.head
    gw.record(6)
    for text in (gw.said(), gw.access.read_text(), gw.native.read_text()):
        assert not any(secret in text for secret in secrets_of("carol", password) + [b64(b"carol:pw")])


def test_no_process_can_be_dumped_and_the_workers_memory_keeps_no_password(gw):
    if g.sanitized():
        pytest.skip("ASan keeps what was freed, and maps terabytes")
    password = b"Unforgettable-8271"
    with gw.connect() as c:
        for i in range(3):
            assert c.send(request("Basic " + b64(b"carol:" + password + b"%d" % i))).response().status == 407
        assert all(memory_holds(pid, b"407 Proxy Authentication Required") for pid in gw.pids("worker"))  # what is there can be seen
        for pid in gw.pids("worker") + gw.pids("auth"):
            found = memory_holds(pid, password) + memory_holds(pid, b64(b"carol:" + password).encode()[:24])
            assert not found, (pid, gw.processes()[pid], found)


def memory_holds(pid, what):
    """Mappings of a process that hold these bytes; the kernel's view, as a core would have it."""
    found = []
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as mem:
        for line in maps:
            place, mode = line.split()[:2]
            if not mode.startswith("rw"):
                continue
            start, end = (int(n, 16) for n in place.split("-"))
            with contextlib.suppress(OSError, ValueError, OverflowError):
                mem.seek(start)
                if what in mem.read(end - start):
                    found.append(line.strip())
    return found


# --- many ---

@pytest.mark.slow
def test_two_thousand_handshakes_that_nobody_finishes_cost_little_and_end(gateway, origin, users):
    gw = gateway(RULES.format(users), keepalive_timeout="20s", max_connections_per_client=4000, rlimit=16384)
    first = gw.worker_memory()
    with contextlib.ExitStack() as all_of_them:
        made = [all_of_them.enter_context(gw.connect()) for _ in range(2000)]
        for c in made:
            c.send(request("NTLM " + b64(negotiate())))
        assert all(c.response().status == 407 for c in made)
        each = (gw.worker_memory() - first) / len(made)
        assert each < (32 << 10 if g.sanitized() else 4 << 10)
        assert gw.get(FREE).status == 403
        assert made[-1].send(wire.get(FREE)).response().status == 403
        assert all(c.ended() for c in made)
    assert gw.get(FREE).status == 403


def test_many_who_guess_at_once_leave_the_processes_alive(gw):
    before = set(gw.pids("auth"))
    with contextlib.ExitStack() as all_of_them:
        made = [all_of_them.enter_context(gw.connect()) for _ in range(60)]
        for i, c in enumerate(made):
            c.send(request("Basic " + b64(b"carol:wrong%d" % i)))
            if i % 3 == 0:
                c.reset()
        assert {c.response().status for i, c in enumerate(made) if i % 3} <= {407, 429, 503}
    assert gw.get(FREE).status == 403
    assert set(gw.pids("auth")) == before


def test_a_reload_between_the_legs_decides_by_the_rules_that_are_new(gw, users):
    with gw.connect() as c, gw.connect() as d:
        nonce, other = begin(c), begin(d)
        gw.write(RULES.format(users) + "users = CORP\\alice\n")
        gw.reload()
        gw.says("generation 2 is in use")
        assert c.send(request("NTLM " + b64(authenticate(challenge=nonce)))).response().status == 403
        assert d.send(request("NTLM " + b64(authenticate("alice", "CORP", other)))).response().status == 200
        gw.write(RULES.format(users).replace("negotiate ntlm basic", "basic").replace("ntlm-file", ";"))
        gw.reload()
        gw.says("generation 3 is in use")
        answer = d.send(wire.get(URL)).response()
        assert answer.status == 407 and [f.split()[0] for f in answer.all("proxy-authenticate")] == ["Basic"]


def test_a_process_that_dies_under_an_ask_lets_nobody_in(gw):
    held = [pid for pid, words in gw.processes().items() if "auth" in words]
    for pid in held:
        os.kill(pid, signal.SIGSTOP)
    with gw.connect() as c, gw.connect() as d:
        nonce = begin(c)
        c.send(request("NTLM " + b64(authenticate(challenge=nonce, key=bytes(16)))))
        d.send(request("Basic " + b64(b"carol:no")))
        assert gw.get(FREE).status == 403
        for pid in held:
            os.kill(pid, signal.SIGKILL)
        assert c.response().status in (407, 503) and d.response().status in (407, 503)
        wire.wait_until(lambda: log_on(c).status == 200, "the processes to be there again")
