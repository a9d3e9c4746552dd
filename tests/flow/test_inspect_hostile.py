# SPDX-License-Identifier: MIT
"""Peers inside inspected tunnels that mean harm: what they are told, what never reaches the other side, and that others notice nothing."""

import contextlib
import json
import os
import re
import shutil
import socket
import ssl
import struct
import tempfile
import time
from pathlib import Path

import pytest

import conftest
import gateway as gateways
import h2wire as h2
import inspection
import origin as origins
import wire
import world as w

HOST = "origin.example.net"
KEEPALIVE = 2.0


@pytest.fixture(scope="module")
def place(world):
    """The gateway and the origin that all tests of this file share."""
    path = Path(tempfile.mkdtemp(prefix="postern-flow-"))
    path.chmod(0o755)
    server = origins.Https(world.cert, world.key, w.ORIGIN, 443)
    with conftest.gateways_of(path, gateways.Gateway) as start:
        here = inspection.Inspecting(start, world, path, gateway_options={
            "keepalive_timeout": f"{KEEPALIVE:.0f}s", "head_timeout": "4s", "response_timeout": "2s"})
        here.server = server
        yield here
    server.close()
    if not os.environ.get("FLOW_KEEP"):
        shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def here(place):
    place.server.requests.clear()
    return place


def http2(here):
    return here.inside(f"{HOST}:443", alpn=("h2",))


def test_resets_without_an_error_code_are_a_flood_as_well(here):
    with http2(here) as t:
        h2.begin(t)
        code = None
        for stream in range(1, 4001, 2):
            try:
                t.send(h2.head(stream, h2.request(HOST)) + h2.frame(h2.RST_STREAM, 0, stream, bytes(4)))
            except OSError:
                break
            time.sleep(0.001)  # so that no more streams are open at once than may be
        code = h2.goaway(t, quiet=True)
        assert code == h2.ENHANCE_YOUR_CALM and stream < 3999
    here.gw.record(fault="h2-flood", method="CONNECT")


@pytest.mark.parametrize("what", ["a head without an end", "PING again and again", "nothing"])
def test_a_connection_on_which_nothing_is_asked_ends(here, what):
    began = time.monotonic()
    with http2(here) as t:
        h2.begin(t)
        if what.startswith("a head"):
            t.send(h2.frame(h2.HEADERS, h2.END_STREAM, 1, h2.block(h2.request(HOST))))
        t.sock.settimeout(0.3)
        while time.monotonic() - began < 5 * KEEPALIVE:
            try:
                if not t.more():
                    break
            except TimeoutError:
                if what.startswith("PING"):
                    t.send(h2.frame(h2.PING, 0, 0, bytes(8)))
            except OSError:
                break
    assert KEEPALIVE * 0.9 < time.monotonic() - began < 3 * KEEPALIVE


GET = h2.request(HOST)
MALFORMED = {  # RFC 9113 8.1.1, 8.2, 8.3: fields of a request
    "a line break in a value": [*GET, ("x", "a\r\ny: b")],
    "a line feed in a value": [*GET, ("x", "a\nb")],
    "NUL in a value": [*GET, ("x", "a\0b")],
    "a blank before a value": [*GET, ("x", " a")],
    "a line break in a name": [*GET, ("x: y\r\nz", "a")],
    "a colon in a name": [*GET, ("x:y", "a")],
    "an empty name": [*GET, ("", "a")],
    "upper case": [*GET, ("X-Large", "a")],
    "transfer-encoding": [*h2.request(HOST, "POST"), ("transfer-encoding", "chunked")],
    "connection": [*GET, ("connection", "close")],
    "upgrade": [*GET, ("upgrade", "h2c")],
    "te other than trailers": [*GET, ("te", "gzip")],
    "two lengths": [*h2.request(HOST, "POST"), ("content-length", "0"), ("content-length", "0")],
    "a length with a sign": [*h2.request(HOST, "POST"), ("content-length", "+0")],
    "a list of lengths": [*h2.request(HOST, "POST"), ("content-length", "0, 0")],
    "a length and no body": [*h2.request(HOST, "POST"), ("content-length", "5")],
    "another Host": [*GET, ("host", "graph.windows.net")],
    "a pseudo-field late": [*GET[:3], ("x", "a"), GET[3]],
    "a pseudo-field twice": [*GET, (":path", "/other")],
    "an unknown pseudo-field": [*GET, (":port", "80")],
    ":status": [*GET, (":status", "200")],
    "no :path": GET[:3],
    "no :authority": [*GET[:2], GET[3]],
    "no :method": GET[1:],
    "an empty :path": h2.request(HOST, path=""),
    "a blank in :path": h2.request(HOST, path="/a HTTP/1.1\r\nx: y"),
    "a :path that is no path": h2.request(HOST, path=f"https://{HOST}/"),
    "an asterisk for GET": h2.request(HOST, path="*"),
    "a blank in :method": h2.request(HOST, "GET /x HTTP/1.1"),
    "a blank in :authority": h2.request(HOST + " x"),
    ":scheme http": h2.request(HOST, scheme="http"),
    "CONNECT": [(":method", "CONNECT"), (":authority", f"{HOST}:443")],
    "extended CONNECT": [*h2.request(HOST, "CONNECT"), (":protocol", "websocket")],
}


def test_malformed_heads_reach_no_origin(here):
    for name, fields in MALFORMED.items():
        with http2(here) as t:
            h2.begin(t).send(h2.head(1, fields))
            while (got := h2.read(t)) is not None and got[0] not in (h2.RST_STREAM, h2.GOAWAY):
                assert got[0] != h2.HEADERS, name
            assert got is not None, name
    assert here.server.requests == []


REFUSED = {  # well-formed, and still not for this origin, or not to be read in one way only: its status
    "another name": (h2.request("graph.windows.net"), 421),
    "another port": (h2.request(f"{HOST}:8443"), 421),
    "a user": (h2.request(f"user@{HOST}"), 400),
    "a label more": (h2.request(f"x.{HOST}"), 421),
    "an address": (h2.request(w.ORIGIN), 421),
    "a fragment": (h2.request(HOST, path="/a#b"), 400),
}


def test_requests_for_other_origins_are_misdirected(here):
    for name, (fields, status) in REFUSED.items():
        before = len(here.gw.records())
        with http2(here) as t:
            h2.begin(t).send(h2.head(1, fields))
            got = h2.until(t, h2.HEADERS, 1)
        assert got is not None, name
        wire.wait_until(lambda: any(line["status"] == status for line in here.gw.records()[before:]), f"{status} for {name}")
    assert here.server.requests == []


SAME = {"as it is": HOST, "with its port": f"{HOST}:443", "in capitals": HOST.upper(), "with a dot": HOST + "."}


def test_the_authority_may_be_written_otherwise_and_leaves_in_one_way(here):
    for name, authority in SAME.items():
        with http2(here) as t:
            h2.begin(t).send(h2.head(1, h2.request(authority, path="//a//..%2f")))
            assert h2.until(t, h2.HEADERS, 1) is not None, name
    assert {(r["host"], r.target) for r in here.server.wait(len(SAME))} == {(HOST, "//a//..%2f")}


LENGTHS = {  # declared, sent
    "longer than declared": ("3", b"abcdef"),
    "shorter than declared": ("9", b"abc"),
    "though none was declared": ("0", b"abc"),
}


def test_bodies_that_are_not_as_long_as_declared_end_their_request(here):
    for name, (declared, body) in LENGTHS.items():
        with http2(here) as t:
            h2.begin(t).send(h2.head(1, h2.request(HOST, "POST", more=[("content-length", declared)]), h2.END_HEADERS))
            t.send(h2.frame(h2.DATA, h2.END_STREAM, 1, body))
            while (got := h2.read(t)) is not None and got[0] not in (h2.RST_STREAM, h2.GOAWAY):
                # one that says it has no body may have been answered before it turned out to have one
                assert got[0] != h2.HEADERS or declared == "0", name
            # the connection is none the worse for it
            t.send(h2.head(3, h2.request(HOST)))
            assert h2.until(t, h2.HEADERS, 3) is not None, name
    # one that says it has no body may have gone on before it turned out to have one: as it was declared, then
    assert [(r.method, r.body) for r in here.server.requests if r.method != "POST" or r.body] == [("GET", b"")] * len(LENGTHS)


def hello_of(name=HOST, **more):
    """A ClientHello as OpenSSL makes it."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.create_default_context()
    for key, value in more.items():
        setattr(context, key, value)
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing, server_hostname=name).do_handshake()
    return outgoing.read()


def records_of(hello, size):
    """The same hello in records of that size."""
    body = hello[5:]
    return b"".join(hello[:3] + struct.pack(">H", len(body[i:i + size])) + body[i:i + size] for i in range(0, len(body), size))


def handshake(body):
    """A handshake message (ClientHello) of that body, in whole records."""
    message = b"\x01" + struct.pack(">I", len(body))[1:] + body
    return b"".join(b"\x16\x03\x01" + struct.pack(">H", len(message[i:i + 16384])) + message[i:i + 16384] for i in range(0, len(message), 16384))


BAD_HELLOS = {
    "of 64 KiB and more": lambda: handshake(bytes(70000)),
    "that says 16 MiB": lambda: b"\x16\x03\x01\x40\x00\x01\xff\xff\xff" + bytes(16380),
    "of SSL 2": lambda: b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10" + bytes(37),
    "cut short": lambda: handshake(b"\x03\x03" + bytes(32) + b"\x20"),
    "in empty records": lambda: b"\x16\x03\x01\x00\x00" * 100,
    "in a record that is too long": lambda: b"\x16\x03\x01\xff\xff" + bytes(70000),
    "of noise": lambda: os.urandom(70000),
    "that is a request": lambda: b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "that is an alert": lambda: b"\x15\x03\x01\x00\x02\x02\x28",
    "that is application data": lambda: b"\x17\x03\x03\x00\x05hello",
    "of SSL 3": lambda: handshake(b"\x03\x00" + bytes(32) + b"\0\0\x02\0\x35\x01\0"),
}


def test_bad_hellos_end_their_tunnel(here):
    for name, make in BAD_HELLOS.items():
        with here.gw.tunnel(f"{HOST}:443") as t:
            with contextlib.suppress(OSError):
                t.send(make())
            got = t.rest()
            assert got[:1] in (b"", b"\x15"), (name, got[:50])
    assert here.server.requests == []


def test_a_hello_may_come_in_pieces_and_once_only(here):
    hello = hello_of()
    for bytes_ in (records_of(hello, 1), records_of(hello, 100)):
        with here.gw.tunnel(f"{HOST}:443") as t:
            assert t.send(bytes_).exactly(1) == b"\x16"
    with here.gw.tunnel(f"{HOST}:443") as t:
        for i in range(len(hello)):
            t.send(hello[i:i + 1])
        assert t.exactly(1) == b"\x16"
    with here.gw.tunnel(f"{HOST}:443") as t:  # the second one is no answer to ours
        assert t.send(hello + hello).rest()[:1] == b"\x16"
    with here.gw.tunnel(f"{HOST}:443", early=hello) as t:
        assert t.exactly(1) == b"\x16"


BOMBS = {"one field": lambda: ["a" * 65536] * 256, "many fields": lambda: [f"a{i}: {'b' * 1000}\r\n" for i in range(16384)],
         "a target": lambda: ["/" * 65536] * 256}


@pytest.mark.parametrize("what", BOMBS)
def test_heads_of_16_mib_are_not_read_to_their_end(here, what):
    with here.inside(f"{HOST}:443") as t:
        sent = 0
        with contextlib.suppress(OSError):
            t.send("GET " if what == "a target" else f"GET / HTTP/1.1\r\nHost: {HOST}\r\n")
            t.send("x: " if what == "one field" else "")
            for piece in BOMBS[what]():
                t.send(piece)
                sent += len(piece)
        assert sent < 12 << 20  # what fits into the sockets' buffers, and what lingers
    assert here.gw.record(status=414 if what == "a target" else 431)
    assert here.server.requests == []


def test_heads_without_an_end_of_http2_are_not_read_to_it(here):
    block = h2.block(GET) + h2.block([("x", "b" * 16000)])
    with http2(here) as t:
        h2.begin(t).send(h2.frame(h2.HEADERS, h2.END_STREAM, 1, block))
        sent = 0
        with contextlib.suppress(OSError):
            for sent in range(1024):
                t.send(h2.frame(h2.CONTINUATION, 0, 1, h2.block([("x", "b" * 16000)])))
        assert sent < 1023
    assert here.server.requests == []


class Frames(origins.Server):
    """An origin of HTTP/2 at other.example.net: for each request play(wire, stream, number of the connection)."""

    def __init__(self, world, play):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(world.cert, world.key)
        self.context.set_alpn_protocols(["h2"])
        self.play, self.taken = play, []
        super().__init__(self.run, w.ORIGIN, 8443)

    def run(self, wire):
        with self.context.wrap_socket(wire.sock, server_side=True) as wire.sock:
            self.taken.append(wire.sock)
            number = len(self.taken)
            wire.exactly(len(h2.PREFACE))
            wire.send(h2.frame(h2.SETTINGS))
            while (got := h2.read(wire)) is not None:
                if got[0] == h2.HEADERS:
                    self.play(wire, got[2], number)
                elif got[0] == h2.SETTINGS and not got[1]:
                    wire.send(h2.frame(h2.SETTINGS, h2.ACK))

    def close(self):
        for sock in self.taken:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        super().close()


def ask(here, target=f"{HOST}:8443"):
    """GET over HTTP/2; the kinds of frames on its stream until it ended."""
    with here.inside(target, alpn=("h2",)) as t:
        h2.begin(t).send(h2.head(1, h2.request(target)))
        kinds = []
        while (got := h2.read(t)) is not None:
            kinds += [got[0]] if got[2] == 1 else []
            if got[0] == h2.GOAWAY or (got[2] == 1 and (got[0] == h2.RST_STREAM or got[1] & h2.END_STREAM)):
                break
    return kinds


def answer(stream, *fields, status="200", flags=h2.END_HEADERS | h2.END_STREAM):
    return h2.head(stream, [(":status", status), *fields], flags)


def more_than_fits(wire, stream):
    wire.send(h2.frame(h2.HEADERS, 0, stream, h2.block([(":status", "200")])))
    for _ in range(2000):
        wire.send(h2.frame(h2.CONTINUATION, 0, stream, h2.block([("x", "y" * 8000)])))


def interim(wire, stream):
    for _ in range(20000):
        wire.send(answer(stream, ("x", "y" * 100), status="103", flags=h2.END_HEADERS))


PUSHED = struct.pack(">I", 2) + h2.block(GET)
ODD_ORIGINS = {  # what it says to a request; the client is told 502 or that its stream broke, and others get what they ask for
    "GOAWAY": lambda t, s: t.send(h2.frame(h2.GOAWAY, 0, 0, bytes(8))),
    "a reset": lambda t, s: t.send(h2.frame(h2.RST_STREAM, 0, s, b"\0\0\0\2")),
    "that it did nothing, again and again": lambda t, s: t.send(h2.frame(h2.RST_STREAM, 0, s, b"\0\0\0\7")),
    "a head without an end": more_than_fits,
    "103 without an end": interim,
    "a push": lambda t, s: t.send(h2.frame(h2.PUSH_PROMISE, h2.END_HEADERS, s, PUSHED)),
    "101": lambda t, s: t.send(answer(s, status="101")),
    "407": lambda t, s: t.send(answer(s, ("proxy-authenticate", "Basic realm=x"), status="407")),
    "a status of four digits": lambda t, s: t.send(answer(s, status="1000")),
    "no status": lambda t, s: t.send(h2.head(s, [("x", "y")])),
    "two fields in one": lambda t, s: t.send(answer(s, ("x", "a\r\nset-cookie: b=c"))),
    "a name with a line break": lambda t, s: t.send(answer(s, ("x: a\r\nset-cookie", "b=c"))),
    "transfer-encoding": lambda t, s: t.send(answer(s, ("transfer-encoding", "chunked"))),
    "more than its length": lambda t, s: t.send(answer(s, ("content-length", "3"), flags=h2.END_HEADERS) + h2.frame(h2.DATA, 1, s, b"abcdef")),
    "data before its head": lambda t, s: t.send(h2.frame(h2.DATA, 1, s, b"abc")),
    "data with 204": lambda t, s: t.send(answer(s, status="204", flags=h2.END_HEADERS) + h2.frame(h2.DATA, 1, s, b"abc")),
    "a pseudo-field in a trailer": lambda t, s: t.send(answer(s, flags=h2.END_HEADERS) + h2.frame(h2.DATA, 0, s, b"abc") + answer(s)),
    "an answer to nobody": lambda t, s: t.send(answer(s + 2)),
    "HTTP/1.1": lambda t, s: t.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"),
    "SETTINGS again and again": lambda t, s: t.send(h2.frame(h2.SETTINGS) * 20000),
    "PING again and again": lambda t, s: t.send(h2.frame(h2.PING, 0, 0, bytes(8)) * 20000),
}


def test_origins_of_http2_that_misbehave_harm_their_own_requests_only(here, world, serve):
    for name, play in ODD_ORIGINS.items():
        server = serve(Frames, world, lambda t, stream, _n, play=play: play(t, stream))
        before = len(here.gw.records())
        kinds = ask(here)
        assert kinds, name
        line = wire.wait_until(lambda: [line for line in here.gw.records()[before:] if line["method"] == "GET"], f"the line of {name}")[0]
        assert line["fault"] in ("origin-reset", "bad-response", "origin-407", "origin-closed", "response-incomplete"), (name, line)
        server.close()
    assert ask(here, f"{HOST}:443") == [h2.HEADERS, h2.DATA]


def test_a_connection_that_answers_nothing_any_more_serves_nobody_else(here, world, serve):
    server = serve(Frames, world, lambda t, stream, number: number > 1 and t.send(answer(stream)))
    ask(here)
    assert here.gw.record(fault="origin-timeout")["status"] == 504
    assert ask(here) == [h2.HEADERS]
    assert len(server.taken) == 2


def key_of(file):
    """The number that an EC key is."""
    text = w.run("openssl", "pkey", "-in", file, "-text", "-noout").stdout
    text = text.decode() if isinstance(text, bytes) else text
    digits = re.search(r"priv:\n((?:\s+[0-9a-f:]+\n)+)", text)[1]
    return bytes.fromhex(re.sub(r"[\s:]", "", digits)).lstrip(b"\0")


def memory_has(pid, needles):
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            where, rights, *_ = line.split()
            if not rights.startswith("rw"):
                continue
            first, last = (int(part, 16) for part in where.split("-"))
            memory.seek(first)
            with contextlib.suppress(OSError):
                held = memory.read(last - first)
                if any(needle in held for needle in needles):
                    return True
    return False


@pytest.mark.skipif(gateways.sanitized(), reason="the memory of a sanitizer is too large to be read")
def test_the_key_of_the_ca_is_in_the_signers_memory_alone(here):
    with here.inside(f"{HOST}:443") as t:
        assert t.send(f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n").response().status == 200
    file = here.cert.parent / "inspect.key"
    number = key_of(file)
    needles = (number, number[::-1], file.read_bytes().split(b"\n")[1][:40])
    having = [words.split()[0] for pid, words in here.gw.processes().items() if memory_has(pid, needles)]
    assert having == ["postern-signer"] and not memory_has(here.gw.child.pid, needles)


def test_what_a_request_says_in_secret_is_in_no_log(here):
    secrets = ("c2VjcmV0LWF1dGg", "a-secret-cookie", "a-secret-form")
    with here.inside(f"{HOST}:443") as t:
        t.send(f"POST /secrets HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Basic {secrets[0]}\r\nCookie: sid={secrets[1]}\r\nContent-Length: 13\r\n\r\n{secrets[2]}")
        assert t.response().status == 200
    here.gw.record(url=f"https://{HOST}/secrets")
    for file in (here.gw.access, here.gw.native, here.gw.stderr):
        assert not any(secret in file.read_text() for secret in secrets), file


def test_texts_of_a_certificate_are_only_texts(here, world, folder, serve):
    conf, key, cert = folder / "names.conf", folder / "names.key", folder / "names.pem"
    conf.write_text("[req]\ndistinguished_name = dn\nprompt = no\nutf8 = yes\nstring_mask = utf8only\n[dn]\nCN = </dd><script>alert(1)</script>\u202e\u061c\n"
                    "O = \"a'b\\\\\x1b[31m\n")
    w.run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out", cert, "-days", "10",
          "-config", conf, "-utf8", "-addext", f"subjectAltName=DNS:{HOST}")
    serve(origins.Https, cert, key, w.ORIGIN, 8443)
    with here.inside(f"{HOST}:8443") as t:
        page = t.send(f"GET /names HTTP/1.1\r\nHost: {HOST}:8443\r\n\r\n").response()
    assert page.status == 502 and b"&lt;script&gt;" in page.body and b"<script" not in page.body and b"\x1b" not in page.body
    line = here.gw.record(url=f"https://{HOST}:8443/names")
    assert "<script>" in line["tls_detail"] and not {"\u202e", "\u061c", "\x1b"} & set(line["tls_detail"] + line["origin_issuer"])
    assert all(len(text.split()) == 10 for text in here.gw.native_lines())


MIXED = """
[rule diagnostics]
hosts = graph.windows.net
action = bypass
auth = none
[rule all]
action = inspect
auth = none
"""


def descriptors(gw):
    return sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in gw.pids("worker"))


@pytest.mark.slow
def test_a_thousand_who_stall_in_every_state_harm_nobody_and_leave_nothing(here, gateway, world, folder):
    mine = inspection.Inspecting(gateway, world, folder, rules=MIXED, gateway_options={
        "head_timeout": "6s", "keepalive_timeout": "3s", "max_connections_per_client": "4000", "max_connections": "5000"})
    tls, took = ssl.create_default_context(cafile=str(world.ca)), []

    def bypassed():
        began = time.monotonic()
        with mine.gw.tunnel("graph.windows.net:443") as t, tls.wrap_socket(t.sock, server_hostname="graph.windows.net") as t.sock:
            assert t.send("GET / HTTP/1.1\r\nHost: graph.windows.net\r\nConnection: close\r\n\r\n").response().status == 200
        took.append(time.monotonic() - began)

    bypassed()
    with mine.inside(f"{HOST}:443") as t:
        assert t.send(f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n").response().status == 200
    before, memory = descriptors(mine.gw), mine.gw.worker_memory()
    hello = hello_of()
    stalls = [b"", hello[:1], hello[:5], hello[:-1], records_of(hello, 1)[:600], hello, hello + b"\x14\x03\x03\x00\x01\x01", hello * 2]
    held = []
    try:
        for i in range(1000):
            t = mine.gw.connect()
            held.append(t)
            t.send(f"CONNECT {HOST}:443 HTTP/1.1\r\nHost: {HOST}:443\r\n\r\n".encode() + stalls[i % len(stalls)])
            if i % 100 == 50:
                bypassed()
            if i % 3 == 0:
                t.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        bypassed()
    finally:
        for t in held[::3]:
            t.sock.close()
        for t in held:
            with contextlib.suppress(OSError):
                t.rest()  # the others: until the gateway has had enough
            t.sock.close()
    wire.wait_until(lambda: descriptors(mine.gw) <= before + 4, "the descriptors of those who stalled")
    assert sorted(took)[len(took) // 2] < 0.5 and max(took) < 3, took
    assert gateways.sanitized() or mine.gw.worker_memory() < memory + (32 << 20)
    with mine.inside(f"{HOST}:443") as t:
        assert t.send(f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n").response().status == 200


@pytest.mark.parametrize("method, times", [("GET", 2), ("POST", 1), ("DELETE", 2), ("PATCH", 1)])
def test_what_may_not_be_done_twice_is_not_sent_twice(here, world, serve, method, times):
    asked = []

    def play(wire, stream, number):
        asked.append(number)
        if len(asked) == 1:
            wire.send(answer(stream))
        else:
            wire.sock.shutdown(socket.SHUT_RDWR)

    server = serve(Frames, world, play)
    assert ask(here) == [h2.HEADERS]
    with here.inside(f"{HOST}:8443", alpn=("h2",)) as t:
        h2.begin(t).send(h2.head(1, h2.request(f"{HOST}:8443", method)))
        assert h2.until(t, h2.HEADERS, 1) is not None
    assert len(asked) == 1 + times, server.trouble


def test_a_connection_that_carried_authorization_is_nobody_elses(here):
    def get(t, auth=""):
        t.send(f"GET / HTTP/1.1\r\nHost: {HOST}\r\n{auth}\r\n")
        return json.loads(t.response().body)["connection"]

    basic = "Authorization: Basic eDp5\r\n"
    with here.inside(f"{HOST}:443") as a, here.inside(f"{HOST}:443") as b:
        own = get(a, basic)
        assert get(a, basic) == own
        others = {get(b), get(b, basic), get(b)}
        assert own not in others
        assert get(a, basic) == own
    with here.inside(f"{HOST}:443") as c:
        assert get(c) != own and get(c, basic) != own


TWO_WAYS = [  # each of them could be read in two ways; RFC 9112 6.3
    "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "Transfer-Encoding: chunked\r\n\r\n3;x\n\r\nabc\r\n0\r\n\r\n",
    "Content-Length: 0x3\r\n\r\nabc",
    "X: a\r\n b: c\r\n\r\n",
    f"Host: {HOST}\r\n\r\n",
]


def test_what_can_be_read_in_two_ways_is_not_read_inside_either(here):
    for rest in TWO_WAYS:
        with here.inside(f"{HOST}:443") as t:
            t.send(f"POST / HTTP/1.1\r\nHost: {HOST}\r\n{rest}GET /smuggled HTTP/1.1\r\nHost: {HOST}\r\n\r\n")
            assert t.response().status in (400, 501), rest
            assert t.ended(), rest
    assert here.server.requests == []
