# SPDX-License-Identifier: MIT
"""inspected: the part of a fault run that TLS inspection has: its origins and certificates, and what clients do inside inspected tunnels.

What must never happen, whichever call fails: a client of an inspected tunnel that hears the origin itself, a good answer from an origin that is not to be
trusted, a request that rules deny at the origin. HTTP/2 is spoken as far as needed here, by hand. Python's own library only.
"""

import ssl
import struct

import authority
import log_on
import origin as origins
import wire

IN1, IN2, BAD = "20.42.0.21", "20.42.0.22", "20.42.0.23"
NAMES = {"in1.example.net": IN1, "in2.example.net": IN2, "bad.example.net": BAD}
SECTION = """
[inspection]
ca-cert = {folder}/inspect.pem
ca-key = inspect.key
trust = {folder}/origins.pem
crl = {folder}/origins.crl
"""
RULES = """
[rule inside-denied]
hosts = in1.example.net in2.example.net
url = ^https://[^/]*/never
action = deny

[rule inspected]
hosts = in1.example.net in2.example.net bad.example.net
action = inspect
auth = none
set-request-header = "X-Seen: gateway"
remove-response-header = Server
"""
BODY = bytes(range(256)) * 40


class Bad(Exception):
    """What the gateway must not do."""


# --- HTTP/2, by hand ---

DATA, HEADERS, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 4, 6, 7, 8
END_STREAM, END_HEADERS, ACK = 1, 4, 1
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
STATUSES = {8: 200, 9: 204, 10: 206, 11: 304, 12: 400, 13: 404, 14: 500}  # HPACK's table
DIGITS = {format(i, "05b"): str(i) for i in range(3)} | {format(i + 22, "06b"): str(i) for i in range(3, 10)}  # and its Huffman code


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def fields(*pairs):
    """Written out, no table, no Huffman code."""
    return b"".join(b"\0" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode() for name, value in pairs)


def status_of(block):
    """The first field of a response: its status. We told the other side that we keep no table."""
    while block[0] & 0xE0 == 0x20:
        block = block[1:]
    if block[0] & 0x80:
        return STATUSES[block[0] & 0x7F]
    n, text = block[1] & 0x7F, block[2:]
    if not block[1] & 0x80:
        return int(text[:n])
    bits, out = "".join(format(b, "08b") for b in text[:n]), ""
    while len(out) < 3:
        size = 5 if bits[:5] in DIGITS else 6
        out, bits = out + DIGITS[bits[:size]], bits[size:]
    return int(out)


class Frames:
    """One end of an HTTP/2 connection over a Wire."""

    def __init__(self, w, first=b""):
        self.w = w
        # no table (1), no more than 100 streams (3)
        w.send(first + frame(SETTINGS, 0, 0, struct.pack(">HIHI", 1, 0, 3, 100)))

    def next(self):
        """(kind, flags, stream, payload); what needs no thought is answered. None at the end."""
        while True:
            if not self.w.kept and not self.w.more():
                return None
            head = self.w.exactly(9)
            kind, flags, stream = head[3], head[4], struct.unpack(">I", head[5:])[0]
            payload = self.w.exactly(int.from_bytes(head[:3], "big"))
            if kind in (SETTINGS, PING) and not flags & ACK:
                self.w.send(frame(kind, ACK, 0, payload if kind == PING else b""))
            elif kind == DATA and payload:
                more = struct.pack(">I", len(payload))
                self.w.send(frame(WINDOW_UPDATE, 0, 0, more) + (b"" if flags & END_STREAM else frame(WINDOW_UPDATE, 0, stream, more)))
            if kind not in (SETTINGS, PING, WINDOW_UPDATE):
                return kind, flags, stream, payload

    def ask(self, stream, authority_, path, body=None):
        pairs = [(":method", "POST" if body else "GET"), (":scheme", "https"), (":authority", authority_), (":path", path)]
        self.w.send(frame(HEADERS, END_HEADERS | (0 if body else END_STREAM), stream, fields(*pairs)))
        if body:
            self.w.send(frame(DATA, END_STREAM, stream, body))

    def answers(self, n):
        """stream -> (status, body) of n streams, or of those that were answered whole."""
        status, body, done = {}, {}, set()
        while len(done) < n:
            got = self.next()
            if got is None or got[0] == GOAWAY:
                break
            kind, flags, stream, payload = got
            if kind == HEADERS:
                status.setdefault(stream, status_of(payload))
            elif kind == DATA:
                body[stream] = body.get(stream, b"") + payload
            if kind not in (HEADERS, DATA) or flags & END_STREAM:
                done.add(stream)
        return {stream: (status[stream], body.get(stream, b"")) for stream in done if stream in status}


class Https2(origins.Server):
    """An origin of HTTP/2: says how much it got."""

    def __init__(self, context, address, port=443):
        self.context = context
        super().__init__(self.converse, address, port)

    def converse(self, w):
        with self.context.wrap_socket(w.sock, server_side=True) as w.sock:
            if w.exactly(len(PREFACE)) != PREFACE:
                return
            frames, got = Frames(w), {}
            while (one := frames.next()) and one[0] != GOAWAY:
                kind, flags, stream, payload = one
                if kind == DATA:
                    got[stream] = got.get(stream, b"") + payload
                if kind in (HEADERS, DATA) and flags & END_STREAM:
                    body = got.pop(stream, b"")
                    text = b"got %d" % len(body) if body in (b"", BODY) else b"another body"
                    w.send(frame(HEADERS, END_HEADERS, stream, b"\x88" + fields(("server", "by-hand"))) + frame(DATA, END_STREAM, stream, text))


# --- the world of a lane ---


class World:
    """Certificates, and the origins that show them."""

    def __init__(self, folder):
        self.folder = folder / "tls"
        self.folder.mkdir()
        for name in ("origins", "inspect"):
            authority.make(self.folder, name)
        authority.crl(self.folder, "origins", self.folder / "origins.crl")
        names = "subjectAltName=DNS:in1.example.net,DNS:in2.example.net"
        authority.make(self.folder, "site", "-CA", self.folder / "origins.pem", "-CAkey", self.folder / "origins.key", "-addext", names)
        authority.make(self.folder, "bad", "-addext", "subjectAltName=DNS:bad.example.net")
        self.one = origins.Https(self.folder / "site.pem", self.folder / "site.key", IN1)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / "site.pem", self.folder / "site.key")
        context.set_alpn_protocols(["h2"])
        self.two = Https2(context, IN2)
        self.bad = origins.Https(self.folder / "bad.pem", self.folder / "bad.key", BAD)
        # told apart afterwards: only the inspection's authority may have signed
        self.trusting = ssl.create_default_context(cafile=self.folder / "inspect.pem")
        for name in ("origins", "bad"):
            self.trusting.load_verify_locations(self.folder / f"{name}.pem")
        self.strange = ssl.create_default_context(cafile=self.folder / "bad.pem")

    def forget(self):
        for server in (self.one, self.bad):
            server.requests.clear()

    def judge(self):
        got = [request for request in self.bad.requests if request["user-agent"] != "postern-doctor"]  # which only looks, and tells that it is bad
        if got:
            raise Bad(f"an origin that is not to be trusted got {got}")
        for request in list(self.one.requests):
            if request.target.startswith("/never") or request["host"] != "in1.example.net" or request["x-seen"] != "gateway":
                raise Bad(f"the origin inside got {request}")
            if request.method == "POST" and request.body != BODY:
                raise Bad(f"the origin inside got another body: {len(request.body)} bytes")

    def put(self, folder):
        """The authority's key, where the gateway's configuration is."""
        log_on.put(folder / "inspect.key", (self.folder / "inspect.key").read_bytes())


class Steps:
    """What a case does inside inspected tunnels. Needs its connect(), step() and expect()."""

    def inside(self, host, alpn, context=None):
        """A Wire inside the tunnel's TLS."""
        w = self.connect()
        try:
            w.send(f"CONNECT {host}:443 HTTP/1.1\r\nHost: {host}:443\r\n\r\n")
            answer = w.response("CONNECT")
            if answer.status != 200:
                raise ValueError(f"CONNECT {host}: {answer.status}")
            context = context or self.lane.tls.trusting
            context.set_alpn_protocols([alpn])
            w.sock = context.wrap_socket(w.sock, server_hostname=host, suppress_ragged_eofs=False)
            issuer = dict(part[0] for part in w.sock.getpeercert()["issuer"])["commonName"]
            if issuer != "Test inspect":
                raise Bad(f"the client of an inspected tunnel heard the origin itself: {issuer}")
            return w
        except BaseException:
            w.close()
            raise

    def inside_h1(self):
        with self.inside("in1.example.net", "http/1.1") as w:
            got = []
            for method, path, more, body in (("GET", "/inside", "", b""), ("POST", "/post", f"Content-Length: {len(BODY)}\r\n", BODY), ("GET", "/never", "", b"")):
                answer = w.send(f"{method} {path} HTTP/1.1\r\nHost: in1.example.net\r\n{more}\r\n".encode() + body).response(method)
                got.append(answer.status)
                if answer.status == 200 and f"{method} {path} HTTP/1.1".encode() not in answer.body:
                    raise Bad(f"{method} {path} inside got the answer {answer}")
            return got

    def inside_h2(self, host):
        with self.inside(host, "h2") as w:
            frames = Frames(w, PREFACE)
            frames.ask(1, host, "/one")
            frames.ask(3, host, "/never")
            frames.ask(5, host, "/post", BODY)
            answers = frames.answers(3)
            for stream, want in ((1, b"got 0" if host[2] == "2" else b"GET /one"), (5, b"got %d" % len(BODY) if host[2] == "2" else b"POST /post")):
                if answers.get(stream, (0,))[0] == 200 and want not in answers[stream][1]:
                    raise Bad(f"stream {stream} inside got the answer {answers[stream]}")
            return [answers.get(stream, (0,))[0] for stream in (1, 3, 5)]

    def inside_never(self, host):
        """What must not be answered as if nothing were wrong."""
        with self.inside(host, "http/1.1") as w:
            status = w.send(f"GET /never HTTP/1.1\r\nHost: {host}\r\n\r\n").response().status
            if status < 400:
                raise Bad(f"GET https://{host}/never got {status}")
            return status

    def rejecting(self):
        """A client that does not trust our authority."""
        try:
            self.inside("in1.example.net", "http/1.1", self.lane.tls.strange).close()
        except ssl.SSLCertVerificationError:
            return "rejected"
        raise Bad("a certificate that nobody signed was believed")

    def not_tls(self):
        with self.connect() as w:
            w.send("CONNECT in1.example.net:443 HTTP/1.1\r\nHost: in1.example.net:443\r\n\r\n")
            if w.response("CONNECT").status == 200 and w.send("SSH-2.0-client\r\n").rest():
                raise Bad("who speaks no TLS was answered")

    def inspected(self):
        self.expect([200, 200, 403], self.step(self.inside_h1), "HTTP/1.1 inside")
        for host in ("in2.example.net", "in1.example.net"):
            self.expect([200, 403, 200], self.step(self.inside_h2, host), f"HTTP/2 inside {host}")
        self.expect(502, self.step(self.inside_never, "bad.example.net"), "an origin that is not to be trusted")
        self.expect("rejected", self.step(self.rejecting), "a client that does not trust us")
        self.expect(None, self.step(self.not_tls), "no TLS inside")
