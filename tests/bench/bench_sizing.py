#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What man/postern-sizing.7 says of memory, descriptors, log volume and processes, measured on a gateway with one worker, 1,000 rules, two access logs
and metrics: bytes resident in the worker for each idle tunnel (from a plain listener, from one that speaks TLS, as further streams of one HTTP/2
connection), descriptors for each, bytes for a line of the access log as diagnostic traffic has it, and what each process holds at rest.

    bench_sizing.py BUILD_DIR [TUNNELS]

Needs root, openssl and python3-h2; it enters a network namespace of its own. Memory does not depend on how busy the machine is."""

import ctypes
import os
import pathlib
import resource
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time

try:
    import h2.config
    import h2.connection
except ImportError:
    print("bench_sizing: left out: needs python3-h2")
    sys.exit(0)

GATEWAY, TLS, ORIGIN, ADMIN = 3128, 3129, 9100, 3180
CLIENTS = 40  # source addresses: a port each is not enough for many
HOST = "v10.events.data.microsoft.com"
WARM = 100  # what is there once and for all: pools, tables, code


def serve_forever():
    """Takes connections and keeps them."""
    server = socket.create_server(("127.0.0.1", ORIGIN), backlog=4096)
    kept = []
    while True:
        kept.append(server.accept()[0])


def rule_text():
    return "".join(f"[rule r{n}]\nhosts = h{n}.example.com *.d{n}.example.org\naction = deny\n" for n in range(999))


def start(folder, build):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", folder / "key.pem", "-out", folder / "cert.pem",
                    "-subj", "/CN=gw.example.net", "-addext", "subjectAltName=DNS:gw.example.net"], check=True, capture_output=True)
    ini = folder / "postern.ini"
    ini.write_text(f"[gateway]\nworkers = 1\nuser = nobody\nconnect-ports = {ORIGIN}\negress-deny = none\nmax-connections-per-client = 0\nadmin = 127.0.0.1:{ADMIN}\n"
                   f"drain-timeout = 1s\n[listener edge]\naddress = 127.0.0.1:{GATEWAY}\n[listener tls]\naddress = 127.0.0.1:{TLS}\ntls-cert = cert.pem\ntls-key = key.pem\n"
                   f"{rule_text()}[rule all]\naction = tunnel\nauth = none\n"
                   f"[log squid]\nfile = {folder}/squid.log\nformat = squid\n[log json]\nfile = {folder}/json.log\nformat = json\n")
    said = open(folder / "said", "wb")
    child = subprocess.Popen([build / "postern", "run", "-c", ini], stdin=subprocess.DEVNULL, stdout=said, stderr=said)
    while b": ready" not in (folder / "said").read_bytes():
        if child.poll() is not None:
            sys.exit((folder / "said").read_text())
        time.sleep(0.05)
    return child


def processes(child):
    """Name -> pid; the parent too."""
    found = {"parent": child.pid}
    for pid in subprocess.run(["pgrep", "-P", str(child.pid)], capture_output=True, text=True, check=True).stdout.split():
        found[pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[2].decode()] = int(pid)
    return found


def resident(pid, what="VmRSS:"):
    return next(int(line.split()[1]) * 1024 for line in open(f"/proc/{pid}/status") if line.startswith(what))


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def connect(n, port):
    return socket.create_connection(("127.0.0.1", port), 20, (f"127.0.2.{n % CLIENTS + 1}", 0))


def ask(sock):
    sock.sendall(f"CONNECT {HOST}:{ORIGIN} HTTP/1.1\r\nHost: {HOST}:{ORIGIN}\r\nUser-Agent: MSDW\r\n\r\n".encode())
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        got = sock.recv(4096)
        if not got:
            sys.exit(f"the gateway closed: {head!r}")
        head += got
    if b" 200 " not in head:
        sys.exit(head.decode())
    return sock


def plain(n):
    return ask(connect(n, GATEWAY))


def context(alpn):
    c = ssl.create_default_context()
    c.check_hostname, c.verify_mode = False, ssl.CERT_NONE
    c.set_alpn_protocols([alpn])
    return c


def over_tls(n, to=context("http/1.1")):
    return ask(to.wrap_socket(connect(n, TLS), server_hostname="gw.example.net"))


class Front:
    """A connection of HTTP/2, of which each stream is a tunnel."""

    def __init__(self, n):
        self.sock = context("h2").wrap_socket(connect(n, TLS), server_hostname="gw.example.net")
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8", validate_outbound_headers=False))
        self.h2.initiate_connection()

    def open(self, n):
        for _ in range(n):
            self.h2.send_headers(self.h2.get_next_available_stream_id(), [(":method", "CONNECT"), (":authority", f"{HOST}:{ORIGIN}")])
            self.sock.sendall(self.h2.data_to_send())
            while not any(type(event).__name__ == "ResponseReceived" for event in self.h2.receive_data(self.sock.recv(16384))):
                pass
        return self


def measure(what, pid, n, make):
    kept = [make(i) for i in range(WARM)]
    time.sleep(1)
    memory, files = resident(pid), descriptors(pid)
    kept += [make(i) for i in range(n)]
    time.sleep(1)
    print(f"{what:44} {(resident(pid) - memory) / n:8.0f} bytes {(descriptors(pid) - files) / n:6.2f} descriptors for each of {n}", flush=True)
    return kept


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    n = int(sys.argv[2]) if len(sys.argv) > 2 else 3000
    if ctypes.CDLL(None).unshare(0x40000000 | 0x00020000) != 0:
        print("bench_sizing: left out: needs root, for namespaces")
        sys.exit(0)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    folder = pathlib.Path(tempfile.mkdtemp(prefix="bench-sizing-"))
    folder.chmod(0o777)
    (folder / "hosts").write_text(f"127.0.0.1 {HOST}\n")
    for words in ("ip link set lo up", "mount --make-rprivate /", f"mount --bind {folder}/hosts /etc/hosts"):
        subprocess.run(words.split(), check=True)
    origin = os.fork()
    if origin == 0:
        serve_forever()
    child = start(folder, build)
    try:
        pids = processes(child)
        for name, pid in pids.items():
            print(f"at rest: {name:36} {resident(pid) / 1024:8.0f} KiB {resident(pid, 'RssAnon:') / 1024:6.0f} KiB of its own", flush=True)
        worker = pids["worker"]
        kept = [measure("idle tunnel, plain listener", worker, n, plain), measure("idle tunnel, listener with TLS", worker, n // 3, over_tls)]
        fronts = [Front(i).open(1) for i in range(10)]
        memory, files = resident(worker), descriptors(worker)
        more = [front.open(60) for front in fronts]
        time.sleep(1)
        print(f"{'further tunnel of a connection of HTTP/2':44} {(resident(worker) - memory) / 600:8.0f} bytes {(descriptors(worker) - files) / 600:6.2f} descriptors for each of 600")
        del kept, fronts, more
        os.kill(origin, signal.SIGKILL)  # it would keep its half of each tunnel
        os.waitpid(origin, 0)
        origin = None
        for name in ("squid", "json"):
            log = folder / f"{name}.log"
            while log.read_bytes().count(b"\n") < n + n // 3 + 600:
                time.sleep(0.1)
            text = log.read_bytes()
            print(f"access log, {name:33} {len(text) / text.count(bytes([10])):8.0f} bytes a line")
    finally:
        child.send_signal(signal.SIGTERM)
        child.wait(20)
        if origin:
            os.kill(origin, signal.SIGKILL)
        subprocess.run(["rm", "-rf", folder], check=True)


main()
