# SPDX-License-Identifier: MIT
"""edge: a gateway whose listener speaks TLS to its clients, and clients that speak TLS to a proxy, over HTTP/1.1 and, frame by frame, HTTP/2."""

import contextlib
import ssl
import struct

import hpack

import certs
import h2wire as h2
import wire

NAME = "gw.example.net"
NAMES = (NAME, "127.0.0.1")


class Edge:
    """Certificate and key in `folder`, and the gateway: `more` is ini text after the listener's keys; `listener` further keys."""

    def __init__(self, gateway, folder, more="[rule all]\naction = tunnel\nauth = none\n", listener="", key="p256", section="", start=True, **options):
        self.folder = folder
        self.authority = certs.Cert("Edge CA", ca=True)
        self.ca = folder / "edge-ca.pem"
        self.ca.write_bytes(self.authority.pem())
        self.renew(key=key)
        self.gw = gateway(f"tls-cert = {self.cert}\ntls-key = {self.key}\n{listener}\n{section}\n{more}", start=start, **options)

    def renew(self, key="p256", **more):
        """A new certificate with its key, where the old ones were; key: a kind, or another certificate's key."""
        leaf = certs.Cert("", by=self.authority, names=NAMES, key=key, **more)
        self.leaf = leaf
        self.cert, self.key = leaf.write(self.folder, "edge")
        self.key.chmod(0o600)
        return leaf

    def curl(self, *words, **more):
        return wire.curl("--proxy", f"https://127.0.0.1:{self.gw.port}", "--proxy-cacert", self.ca, *words, **more)

    def connect(self, alpn=None, version=None):
        """A Wire inside TLS with the proxy."""
        context = ssl.create_default_context(cafile=str(self.ca))
        if alpn:
            context.set_alpn_protocols(list(alpn))
        if version:
            context.minimum_version = context.maximum_version = version
        raw = wire.connect(self.gw.address)
        return wire.Wire(context.wrap_socket(raw.sock, server_hostname=NAME))

    def tunnel(self, target):
        """A Wire through a CONNECT inside TLS."""
        t = self.connect()
        t.send(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n")
        answer = t.response("CONNECT")
        assert answer.status == 200, answer
        return t

    def h2(self):
        t = self.connect(alpn=("h2", "http/1.1"))
        assert t.sock.selected_alpn_protocol() == "h2"
        return Client(t)


class Stream:
    def __init__(self, client, number):
        self.client, self.number = client, number
        self.status, self.fields, self.data, self.ended, self.reset = None, {}, b"", False, None
        self.window = client.initial

    def headers(self):
        self.client.pump(lambda: self.status or self.reset is not None)
        return self.status

    def exactly(self, n):
        self.client.pump(lambda: len(self.data) >= n or self.reset is not None or self.ended)
        assert len(self.data) >= n, (self.data[:200], self.reset, self.ended)
        out, self.data = self.data[:n], self.data[n:]
        return out

    def rest(self):
        """All until END_STREAM, or a reset."""
        self.client.pump(lambda: self.ended or self.reset is not None)
        out, self.data = self.data, b""
        return out

    def send(self, data, end=False):
        while data or end:
            self.client.pump(lambda: min(self.window, self.client.window) > 0 or not data or self.reset is not None)
            n = max(0, min(len(data), self.window, self.client.window, 16384))
            piece, data = data[:n], data[n:]
            self.client.wire.send(h2.frame(h2.DATA, h2.END_STREAM if end and not data else 0, self.number, piece))
            self.window -= n
            self.client.window -= n
            if end and not data:
                break
        return self

    def cancel(self, code=8):
        self.client.wire.send(h2.frame(h2.RST_STREAM, 0, self.number, struct.pack(">I", code)))


class Client:
    """HTTP/2 to a proxy: many streams, each read by whoever waits for it. Windows grow by what was read, but for `stalled` streams."""

    def __init__(self, over):
        self.wire = over
        self.streams, self.next, self.initial, self.window = {}, 1, 65535, 65535
        self.decoder = hpack.Decoder()
        self.stalled, self.goaway, self.most = set(), None, None
        h2.begin(over)
        over.send(h2.frame(h2.WINDOW_UPDATE, 0, 0, struct.pack(">I", 1 << 24)))

    def open(self, fields, end=False):
        stream = Stream(self, self.next)
        self.streams[self.next] = stream
        self.next += 2
        self.wire.send(h2.head(stream.number, fields, h2.END_HEADERS | (h2.END_STREAM if end else 0)))
        return stream

    def connect(self, target, *more):
        return self.open([(":method", "CONNECT"), (":authority", target), *more])

    def get(self, authority, path="/", scheme="http", *more):
        return self.open([(":method", "GET"), (":scheme", scheme), (":authority", authority), (":path", path), *more], end=True)

    def tunnel(self, target, *more):
        stream = self.connect(target, *more)
        assert stream.headers() == 200, (stream.status, stream.reset, stream.data)
        return stream

    def pump(self, done):
        while not done():
            got = h2.read(self.wire)
            if got is None:
                raise wire.Closed("the connection ended")
            self.take(*got)

    def take(self, kind, flags, number, payload):
        stream = self.streams.get(number)
        if kind == h2.HEADERS:
            fields = dict(self.decoder.decode(payload))
            if stream:
                stream.status, stream.fields = int(fields[":status"]), fields
        elif kind == h2.DATA:
            if stream:
                stream.data += payload
            if payload and number not in self.stalled:
                self.wire.send(h2.frame(h2.WINDOW_UPDATE, 0, number, struct.pack(">I", len(payload))))
            if payload:
                self.wire.send(h2.frame(h2.WINDOW_UPDATE, 0, 0, struct.pack(">I", len(payload))))
        elif kind == h2.RST_STREAM and stream:
            stream.reset = int.from_bytes(payload, "big")
        elif kind == h2.WINDOW_UPDATE:
            if number == 0:
                self.window += int.from_bytes(payload, "big")
            elif stream:
                stream.window += int.from_bytes(payload, "big")
        elif kind == h2.SETTINGS and not flags & h2.ACK:
            for at in range(0, len(payload), 6):
                key, value = struct.unpack(">HI", payload[at:at + 6])
                if key == 4:
                    for each in self.streams.values():
                        each.window += value - self.initial
                    self.initial = value
                elif key == 3:
                    self.most = value
            self.wire.send(h2.frame(h2.SETTINGS, h2.ACK))
        elif kind == h2.PING and not flags & h2.ACK:
            self.wire.send(h2.frame(h2.PING, h2.ACK, 0, payload))
        elif kind == h2.GOAWAY:
            self.goaway = int.from_bytes(payload[4:8], "big")
        if kind in (h2.DATA, h2.HEADERS) and flags & h2.END_STREAM and stream:
            stream.ended = True

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            self.wire.close()
