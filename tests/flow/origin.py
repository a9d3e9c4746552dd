# SPDX-License-Identifier: MIT
"""origin: servers that do what a test tells them to. All of them are threads of the test session; they end when a test ends."""

import contextlib
import json
import socket
import ssl
import struct
import threading

from wire import PATIENCE, Message, Wire, wait_until


class Server:
    """Listens at (address, port); calls serve(wire) for each connection, in a thread of its own. Counts connections, keeps what went wrong."""

    def __init__(self, serve, address, port, backlog=512):
        self.serve, self.connections, self.trouble = serve, 0, []
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.sock = socket.create_server((address, port), family=family, backlog=backlog)
        self.address = self.sock.getsockname()[:2]
        self.open = set()
        self.lock = threading.Lock()
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    def accept(self):
        while True:
            try:
                sock, _ = self.sock.accept()
            except OSError:
                return
            with self.lock:
                self.connections += 1
                self.open.add(sock)
            threading.Thread(target=self.one, args=(sock,), daemon=True).start()

    def one(self, sock):
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with Wire(sock) as wire:
                self.serve(wire)
        except (OSError, AssertionError) as e:  # a peer that goes away is part of many tests
            self.trouble.append(e)
        except Exception as e:
            self.trouble.append(e)
            raise
        finally:
            with self.lock:
                self.open.discard(sock)

    def close(self):
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()
        with self.lock:
            for sock in self.open:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
        self.thread.join(PATIENCE)


class Request(Message):
    """A request as the origin received it."""

    def __init__(self, head, body, trailers, connection):
        super().__init__(head, body, trailers)
        self.connection = connection
        self.method, self.target, self.version = self.line.split(" ")


class Http(Server):
    """An HTTP/1.1 origin that records each request. answer(request, wire) may send something of its own and return False to close, or
    None to go on; without it, or when it returns True, the usual answer is sent: what came in, as JSON."""

    def __init__(self, address, port=80, answer=None):
        self.answer, self.requests = answer, []
        super().__init__(self.converse, address, port)

    def converse(self, wire):
        with self.lock:
            connection = self.connections
        while True:
            while b"\r\n\r\n" not in wire.kept:
                if not wire.more():
                    assert not wire.kept, f"half a request: {wire.kept!r}"
                    return
            head = wire.until(b"\r\n\r\n")[:-4]
            request = Request(head, b"", b"", connection)
            if request["expect"]:
                wire.send("HTTP/1.1 100 Continue\r\n\r\n")
            if request["transfer-encoding"]:
                request.body, request.trailers = wire.chunks()
            elif request["content-length"]:
                request.body = wire.exactly(int(request["content-length"]))
            self.requests.append(request)
            verdict = self.answer(request, wire) if self.answer else True
            if verdict is False:
                return
            if verdict is True:
                body = json.dumps({"line": request.line, "fields": request.fields, "body": request.body.decode("latin-1"),
                                   "connection": connection}).encode()
                wire.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body))
                if request.method != "HEAD":
                    wire.send(body)
            if (request["connection"] or "").lower() == "close":
                return

    def wait(self, n=1):
        """The first n requests, once they are there."""
        wait_until(lambda: len(self.requests) >= n, f"{n} requests at the origin")
        return self.requests[:n]


class Https(Http):
    """The same over TLS, with a certificate and its key; keeps what each client's hello named and what was agreed on."""

    def __init__(self, cert, key, address, port=443, answer=None, alpn=("http/1.1",), tune=None):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(cert, key)
        self.context.set_alpn_protocols(list(alpn))
        if tune:
            tune(self.context)
        self.names, self.resumed = [], []
        self.context.sni_callback = lambda _sock, name, _context: self.names.append(name)
        super().__init__(address, port, answer)

    def converse(self, wire):
        with self.context.wrap_socket(wire.sock, server_side=True) as wire.sock:
            with self.lock:
                self.open.add(wire.sock)  # the bare one has no descriptor any more: close() would not end this connection
            try:
                self.resumed.append(wire.sock.session_reused)
                super().converse(wire)
            finally:
                with self.lock:
                    self.open.discard(wire.sock)


class Echo(Server):
    """Sends back what it gets, and keeps it; after the client's FIN it closes too. With a banner it speaks first."""

    def __init__(self, address, port=443, banner=b""):
        self.banner, self.received = banner, b""
        super().__init__(self.echo, address, port)

    def echo(self, wire):
        wire.send(self.banner)
        while wire.more():
            self.received += wire.kept
            wire.send(wire.kept)
            wire.kept = b""


class Script(Server):
    """For each connection: reads one request head, then does what `play` does with it (play(wire, head))."""

    def __init__(self, play, address, port=80):
        self.play, self.heads = play, []
        super().__init__(self.run, address, port)

    def run(self, wire):
        head = wire.until(b"\r\n\r\n")
        self.heads.append(head)
        self.play(wire, head)


class Dns:
    """A name server of a few lines, over UDP and TCP: answer(name, type) gives a list of addresses, a word of RCODES, "truncate" (UDP says TC, TCP has
    the answer of truth(name, type)), "hold" (UDP: nothing until release(answer)), or None for silence. "=NAME" among the addresses is a CNAME; what
    follows belongs to NAME. Keeps every question asked. tcp(wire): what becomes of TCP connections instead; False: they are refused. flags: set
    in each answer."""

    RCODES = {"formerr": 1, "servfail": 2, "nxdomain": 3, "notimp": 4, "refused": 5}

    def __init__(self, answer, address, port=53, truth=None, tcp=None, flags=0):
        self.answer, self.truth, self.flags, self.questions, self.held = answer, truth, 0x8580 | flags, [], []
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind((address, port))
        self.address = (address, port)
        self.tcp = Server(tcp or self.stream, address, port) if tcp is not False else None
        self.thread = threading.Thread(target=self.datagrams, daemon=True)
        self.thread.start()

    def datagrams(self):
        while True:
            try:
                query, peer = self.udp.recvfrom(4096)
            except OSError:
                return
            if not query:
                return
            reply = self.reply(query, "udp")
            if reply == "hold":
                self.held.append((query, peer))
            elif reply:
                self.udp.sendto(reply, peer)

    def release(self, answer):
        """What was held is answered now."""
        self.answer = lambda name, kind: answer
        while self.held:
            query, peer = self.held.pop()
            self.udp.sendto(self.reply(query, "udp"), peer)

    def stream(self, wire):
        while True:
            (n,) = struct.unpack("!H", wire.exactly(2))
            reply = self.reply(wire.exactly(n), "tcp")
            if reply:
                wire.send(struct.pack("!H", len(reply)) + reply)

    def reply(self, query, transport):
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode("latin-1"))
            at += 1 + query[at]
        (kind,) = struct.unpack("!H", query[at + 1:at + 3])
        name, kind, question = ".".join(labels).lower(), {1: "A", 28: "AAAA"}.get(kind, str(kind)), query[12:at + 5]
        self.questions.append((name, kind, transport))
        answer = self.answer(name, kind)
        flags, records = self.flags, b""
        if answer is None or answer == "hold":
            return answer
        if answer == "truncate":
            if transport == "udp":
                flags |= 0x0200
                answer = []
            else:
                answer = self.truth(name, kind)
        if isinstance(answer, str):
            flags |= self.RCODES[answer]
            answer = []
        count, owner = 0, b"\xc0\x0c"
        for text in answer:
            if text.startswith("="):
                alias = b"".join(bytes([len(part)]) + part.encode() for part in text[1:].split(".")) + b"\0"
                records += owner + struct.pack("!HHIH", 5, 1, 1, len(alias)) + alias
                owner = alias
                count += 1
                continue
            family = socket.AF_INET6 if ":" in text else socket.AF_INET
            if (family == socket.AF_INET6) != (kind == "AAAA"):
                continue
            data = socket.inet_pton(family, text)
            records += owner + struct.pack("!HHIH", 28 if kind == "AAAA" else 1, 1, 1, len(data)) + data
            count += 1
        return query[:2] + struct.pack("!HHHHH", flags, 1, count, 0, 0) + question + records

    def close(self):
        with contextlib.suppress(OSError):
            self.udp.shutdown(socket.SHUT_RDWR)
        self.udp.close()
        if self.tcp:
            self.tcp.close()
        self.thread.join(PATIENCE)
