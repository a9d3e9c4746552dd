# SPDX-License-Identifier: MIT
"""wire: the client's side, byte by byte, and waiting for events."""

import contextlib
import json
import select
import socket
import ssl
import struct
import subprocess
import time

PATIENCE = 20.0  # seconds until a wait for an event is given up; never the time that a passing test takes


def wait_until(ask, what, seconds=PATIENCE):
    """The first true answer of `ask`."""
    end = time.monotonic() + seconds
    while True:
        answer = ask()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds} s in vain for {what}")
        time.sleep(0.005)


class Message:
    """A message of HTTP/1.1 as it stood on the wire: its first line, its fields, its body."""

    def __init__(self, head, body, trailers):
        self.head, self.body, self.trailers = head, body, trailers
        self.line, *lines = head.decode("latin-1").split("\r\n")
        self.fields = [tuple(part.strip() for part in line.split(":", 1)) for line in lines if line]

    def all(self, name):
        return [value for key, value in self.fields if key.lower() == name.lower()]

    def __getitem__(self, name):
        values = self.all(name)
        return values[0] if values else None

    def __repr__(self):
        return f"<{self.line} {self.fields} {self.body[:200]!r}>"


class Response(Message):
    def __init__(self, head, body=b"", trailers=b""):
        super().__init__(head, body, trailers)
        self.version, status, *rest = self.line.split(" ", 2)
        self.status = int(status)
        self.reason = rest[0] if rest else ""


class Closed(AssertionError):
    pass


class Wire:
    """One end of a connection, with a buffer: reads exactly what it is asked for."""

    def __init__(self, sock):
        self.sock = sock
        self.sock.settimeout(PATIENCE)
        self.kept = b""

    def send(self, data):
        self.sock.sendall(data.encode("latin-1") if isinstance(data, str) else data)
        return self

    def more(self):
        """At least one more byte in the buffer; False at the end of the stream."""
        data = self.sock.recv(65536)
        self.kept += data
        return bool(data)

    def until(self, mark):
        while mark not in self.kept:
            if not self.more():
                raise Closed(f"closed before {mark!r}; got {self.kept[:300]!r}")
        out, self.kept = self.kept.split(mark, 1)
        return out + mark

    def exactly(self, n):
        while len(self.kept) < n:
            if not self.more():
                raise Closed(f"closed after {len(self.kept)} of {n} bytes")
        out, self.kept = self.kept[:n], self.kept[n:]
        return out

    def both_ways(self, data, n):
        """Send `data` while n bytes are read, in one thread: an SSL object serves no two at the same time."""
        waits = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
        self.sock.setblocking(False)
        while data or len(self.kept) < n:
            with contextlib.suppress(*waits):
                data = data[self.sock.send(data[:16384]):] if data else data
            with contextlib.suppress(*waits):
                while len(self.kept) < n:
                    if not self.more():
                        raise Closed(f"closed after {len(self.kept)} of {n} bytes")
            if data or len(self.kept) < n:
                assert any(select.select([self.sock], [self.sock] if data else [], [], PATIENCE)), "nothing moves"
        self.sock.settimeout(PATIENCE)
        return self.exactly(n)

    def rest(self):
        """All until the other side closes (or resets)."""
        with contextlib.suppress(ConnectionResetError):
            while self.more():
                pass
        out, self.kept = self.kept, b""
        return out

    def ended(self):
        """Nothing more comes: the other side has closed or reset."""
        return self.rest() == b""

    def body(self, head, method="GET"):
        """The body that belongs to a parsed response head, and its trailers."""
        if method == "HEAD" or head.status in (204, 304) or head.status < 200 or (method == "CONNECT" and head.status < 300):
            return b"", b""
        if head["transfer-encoding"]:
            return self.chunks()
        if head["content-length"] is not None:
            return self.exactly(int(head["content-length"])), b""
        return self.rest(), b""

    def chunks(self):
        out = b""
        while True:
            size = int(self.until(b"\r\n").split(b";")[0], 16)
            if size == 0:
                trailers = b""
                while (line := self.until(b"\r\n")) != b"\r\n":
                    trailers += line
                return out, trailers
            out += self.exactly(size)
            assert self.exactly(2) == b"\r\n"

    def response(self, method="GET"):
        head = Response(self.until(b"\r\n\r\n")[:-4])
        head.body, head.trailers = self.body(head, method)
        return head

    def shut(self):
        """Our FIN: nothing more from us; the other direction stays."""
        self.sock.shutdown(socket.SHUT_WR)
        return self

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def connect(address, source=None):
    """A Wire to (host, port)."""
    sock = socket.create_connection(address, timeout=PATIENCE, source_address=(source, 0) if source else None)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return Wire(sock)


def tunnel(address, target, early=b"", source=None):
    """A Wire through a CONNECT that was answered 200."""
    w = connect(address, source)
    w.send(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode() + early)
    answer = w.response("CONNECT")
    assert answer.status == 200, answer
    return w


def get(url, method="GET", fields="", version="1.1", host=None):
    """The bytes of a plain request through a proxy."""
    host = host if host is not None else url.split("/")[2]
    return f"{method} {url} HTTP/{version}\r\nHost: {host}\r\n{fields}\r\n".encode("latin-1")


def client_hello(sni, alpn=("h2", "http/1.1")):
    """A real ClientHello, as OpenSSL writes it; without the extension when sni is None."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(list(alpn))
    out = ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), out, server_hostname=sni).do_handshake()
    return out.read()


def curl(*words, proxy=None, cacert=None, check=True, env=None):
    """Run curl to its end; .stdout is bytes. With `check` it must end well."""
    command = ["curl", "--silent", "--show-error", "--max-time", "30"]
    if proxy:
        command += ["--proxy", f"http://{proxy[0]}:{proxy[1]}"]
    if cacert:
        command += ["--cacert", str(cacert)]
    done = subprocess.run(command + [str(word) for word in words], stdin=subprocess.DEVNULL, capture_output=True, timeout=60, env=env)
    if check:
        assert done.returncode == 0, (done.returncode, done.stderr.decode(), done.stdout[:500])
    return done


def lines_json(text):
    """Whole lines only: a line that is being written is not there yet."""
    return [json.loads(line) for line in text.split("\n")[:-1] if line]
