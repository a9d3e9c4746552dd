# SPDX-License-Identifier: MIT
"""borders: the part of a fault run that the ways in and out have: a listener of TLS, one behind a balancer, a parent, a syslog server, the admin address, the
control socket.

What must never happen, whichever call fails: who says no PROXY header where one is due is served; a request that rules send to the parent at its origin; a
credential of ours anywhere but at the parent. Python's own library only.
"""

import contextlib
import os
import socket
import ssl
import threading

import authority
import log_on
import origin as origins
import wire
from inspected import Bad

PARENT, BALANCER = "20.42.0.24", "127.0.0.3"
PORT_TLS, PORT_PROXY, PORT_ADMIN = 3130, 3131, 3180
OURS = b"\r\nProxy-Authorization: Basic Z2F0ZXdheTpzZWNyZXQ=\r\n"  # gateway:secret
GATEWAY = """admin = 127.0.0.1:3180
control = {folder}/control.sock
"""
SECTIONS = """
[listener tls]
address = 127.0.0.1:3130
clients = 127.0.0.1
tls-cert = {certificates}/front.pem
tls-key = front.key

[listener balanced]
address = 127.0.0.1:3131
clients = 127.0.0.1
proxy-protocol-from = 127.0.0.3

[parent up]
address = 20.42.0.24:3128
auth = basic
credentials = parent.credentials

[log far]
syslog = unix:{certificates}/syslog
"""
RULES = """
[rule by-parent]
hosts = parent.example.net
ports = 443 80
auth = none
action = tunnel
parent = up
"""


class World:
    """The parent, the syslog server, and a certificate for the listener."""

    def __init__(self, folder):
        self.folder = folder
        authority.make(folder, "front", "-addext", "subjectAltName=DNS:gw.example.net")
        self.trusting = ssl.create_default_context(cafile=folder / "front.pem")
        self.trusting.set_alpn_protocols(["http/1.1"])
        self.parent = origins.Server(self.serve, PARENT, 3128)
        self.wrong = []
        self.syslog = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.syslog.bind(str(folder / "syslog"))
        os.chmod(folder / "syslog", 0o666)
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        with contextlib.suppress(OSError):
            while self.syslog.recv(65536):
                pass

    def serve(self, w):
        head = w.until(b"\r\n\r\n")
        if not head.startswith(b"CONNECT parent.example.net:443 HTTP/1.1\r\n") or (b"\r\nProxy-Authorization:" in head and OURS not in head):
            self.wrong.append(head)
        if OURS not in head:  # a gateway that cannot read them does without
            w.send(b"HTTP/1.1 407 Who\r\nContent-Length: 0\r\n\r\n")
            return
        w.send(b"HTTP/1.1 200 OK\r\n\r\n")
        while w.more():
            w.send(w.kept)
            w.kept = b""

    def forget(self):
        self.wrong.clear()

    def judge(self):
        if self.wrong:
            raise Bad(f"the parent got {self.wrong}")

    def put(self, folder):
        log_on.put(folder / "front.key", (self.folder / "front.key").read_bytes())
        log_on.put(folder / "parent.credentials", b"gateway:secret\n")


class Steps:
    """What a case does at the borders. Needs its connect(), step() and expect()."""

    def front(self):
        with self.connect(port=PORT_TLS) as w:
            w.sock = self.lane.borders.trusting.wrap_socket(w.sock, server_hostname="gw.example.net", suppress_ragged_eofs=False)
            status = w.send(wire.get("http://secret.example.net/never")).response().status
            if status < 400:
                raise Bad(f"who may not was let in over TLS: {status}")
            return w.send(wire.get("http://ok.example.net/front")).response().status

    def balanced(self):
        with self.connect(source=BALANCER, port=PORT_PROXY) as w:
            w.send(b"PROXY TCP4 127.0.0.1 127.0.0.1 4711 3131\r\n" + wire.get("http://ok.example.net/balanced"))
            return w.response().status

    def unbalanced(self):
        with self.connect(source=BALANCER, port=PORT_PROXY) as w:
            if w.send(wire.get("http://ok.example.net/never")).rest():
                raise Bad("a balancer without a header was served")

    def by_parent(self):
        with self.connect() as w:
            status = w.send("CONNECT parent.example.net:443 HTTP/1.1\r\nHost: parent.example.net:443\r\n\r\n").response("CONNECT").status
            if status == 200 and w.send("bytes").exactly(5) != b"bytes":
                raise Bad("the parent's tunnel changed bytes")
            return status

    def admin(self, path):
        with self.connect(port=PORT_ADMIN) as w:
            return w.send(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n").response().status

    def control(self, line):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(8)
            s.connect(str(self.folder / "control.sock"))
            s.sendall(line)
            got = b""
            while more := s.recv(65536):
                got += more
            return bool(got)

    def at_the_borders(self):
        self.expect(200, self.step(self.front), "TLS to the proxy")
        self.expect(200, self.step(self.balanced), "a PROXY header")
        self.expect(None, self.step(self.unbalanced), "no PROXY header")
        self.expect(200, self.step(self.by_parent), "a parent")
        for path in ("/metrics", "/healthz"):
            self.expect(200, self.step(self.admin, path), path)
        for line in (b"status\n", b"sessions\n"):
            self.expect(True, self.step(self.control, line), line)
