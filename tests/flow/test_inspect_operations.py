# SPDX-License-Identifier: MIT
"""Inspection when what it needs fails or changes under load: nobody but inspected tunnels may notice, and these get an answer."""

import datetime
import os
import re
import signal
import ssl
import struct
import subprocess
import threading
from pathlib import Path

import conftest
import inspection
import load
import origin as origins
import pytest
import wire
import world as w
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from gateway import Gateway, sanitized
from test_signer import issuer, signer_pid

NGINX = "graph.windows.net"
BYPASSED, TUNNELLED = "login.live.com", "aka.ms"
USUAL, SLOWEST = 0.5, 3.0  # seconds that what is not inspected may take on a busy machine: most of it, any of it; what waits for a signer takes longer
ASIDE = f"""
[rule diagnostics]
hosts = {BYPASSED}
action = bypass
[rule as-it-is]
hosts = {TUNNELLED}
action = tunnel
auth = none
"""
RULES = ASIDE + inspection.RULES


class Beside:
    """While it is open: what a bypass and what a tunnel rule lets through, again and again. Each must be answered with the server's own certificate, quickly."""

    def __init__(self, gw, world):
        self.gw, self.took, self.wrong, self.end = gw, [], [], threading.Event()
        self.tls = ssl.create_default_context(cafile=str(world.ca))
        self.thread = threading.Thread(target=self.run, daemon=True)

    def once(self, name):
        with self.gw.tunnel(f"{name}:443") as t, self.tls.wrap_socket(t.sock, server_hostname=name) as sock:
            return wire.Wire(sock).send(f"GET / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n").response().status

    def run(self):
        while not self.end.wait(0.03):
            for name in (BYPASSED, TUNNELLED):
                began = wire.time.monotonic()
                try:
                    status = self.once(name)
                except (OSError, AssertionError) as e:
                    status = repr(e)
                self.took.append(wire.time.monotonic() - began)
                if status != 200:
                    self.wrong.append((name, status))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, kind, *_):
        wire.wait_until(lambda: len(self.took) > 6, "what is not inspected")
        self.end.set()
        self.thread.join(wire.PATIENCE)
        if kind is None:
            assert not self.wrong, self.wrong[:5]
            assert sorted(self.took)[len(self.took) // 2] < USUAL and max(self.took) < SLOWEST, self.took


@pytest.fixture(scope="module")
def here(world, folder_kept):
    """One gateway for all tests that leave it as it was."""
    with conftest.gateways_of(folder_kept, Gateway) as start:
        yield inspection.Inspecting(start, world, folder_kept, rules=RULES, gateway_options={"max_connections_per_client": 0, "workers": 2}, signer_timeout="10s")


@pytest.fixture
def inspecting(gateway, world, folder):
    return lambda **more: inspection.Inspecting(gateway, world, folder, **{"rules": RULES, **more})


def ask(here, name=NGINX, target=None, **more):
    """A request of its own tunnel."""
    with here.inside(target or f"{name}:443", **more) as t:
        return t.send(f"GET / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n").response()


def begin(here):
    """A short signer-timeout may be over before the signer has begun."""
    wire.wait_until(lambda: here.curl(f"https://{NGINX}/", check=False).returncode == 0, "a signer")


def key_of(here):
    return here.cert.with_suffix(".key")


def put(path, data, mode=0o600):
    new = path.with_suffix(".new")
    new.write_bytes(data)
    new.chmod(mode)
    new.rename(path)


# --- the signer ---


def test_a_signer_that_is_killed_under_load_costs_no_inspected_request(here, world):
    def each(i):
        assert ask(here, NGINX if i else f"{wire.time.monotonic_ns()}.data.microsoft.com").status == 200

    with Beside(here.gw, world), load.Load(3, each) as running:
        running.passes(10)
        gone = []
        for _ in range(3):
            gone.append(signer_pid(here.gw, but=gone))
            os.kill(gone[-1], signal.SIGKILL)
            running.passes(10)
        assert running.stop() == []
    here.gw.says(r"the signer \(pid \d+\) was killed by signal 9 \(Killed\)")
    limits = Path(f"/proc/{signer_pid(here.gw, but=gone)}/limits").read_text()
    assert "Max core file size        0                    0 " in limits  # and so no core of it, whatever ends it


def test_known_leaves_serve_while_there_is_no_signer_and_other_hosts_get_a_page(inspecting, world):
    here = inspecting(signer_timeout="1s")
    key = key_of(here)
    good = key.read_bytes()
    begin(here)
    key.unlink()
    here.gw.says(r"inspect\.key: No such file or directory; what was read of it before stays in use")
    os.kill(signer_pid(here.gw), signal.SIGKILL)
    here.gw.says(r"inspect\.key: No such file or directory; no tunnel can be inspected until it can be read")
    with Beside(here.gw, world):
        assert ask(here).status == 200
        with here.gw.connect() as c:
            page = c.send("CONNECT v10.events.data.microsoft.com:443 HTTP/1.1\r\nHost: v10.events.data.microsoft.com:443\r\n\r\n").response()
    assert page.status == 503 and b"certificate" in page.body
    assert here.gw.record(method="CONNECT", fault="signer-unavailable")["status"] == 503
    put(key, good)
    here.gw.says("the CA's key was read")
    assert ask(here, "v10.events.data.microsoft.com").status == 200


def test_a_signer_that_cannot_begin_holds_up_nobody_else(gateway, world, folder):
    """At the start its key file is rubbish: check says so, the gateway runs, and inspects as soon as the file is right."""
    cert, key = inspection.ca(folder)
    good = key.read_bytes()
    put(key, b"rubbish")
    gw = gateway(f"[inspection]\nca-cert = {cert}\nca-key = {key}\ntrust = {world.ca}\nsigner-timeout = 1s\n" + RULES)
    gw.says("error: ca-key: the file holds no private key .*; no tunnel can be inspected until it can be used")
    with Beside(gw, world), gw.connect() as c:
        assert c.send(f"CONNECT {NGINX}:443 HTTP/1.1\r\nHost: {NGINX}:443\r\n\r\n").response().status == 503
    put(key, good)
    gw.says("the CA's key was read")
    wire.wait_until(lambda: gw.curl("--cacert", cert, f"https://{NGINX}/", check=False).stdout == b"hello from nginx\n", "inspection")


@pytest.mark.parametrize("spoil, said", [
    (lambda key: put(key, b"rubbish"), "the file holds no private key"),
    (lambda key: key.chmod(0o644), "inspect.key has mode 0644"),
    (lambda key: key.unlink(), "No such file or directory"),
])
def test_a_reload_with_a_key_that_is_no_use_is_refused_and_the_old_one_signs(inspecting, spoil, said):
    here = inspecting()
    assert issuer(here) == "Inspection CA"
    other = here.gw.folder / "other"
    other.mkdir(mode=0o755)
    cert, key = inspection.ca(other, "Other CA")
    spoil(key)
    here.gw.write(here.section.replace(str(key_of(here)), str(key)).replace(str(here.cert), str(cert)) + RULES)
    text = here.gw.reload(ok=False)
    assert re.search(r"postern.ini:\d+: ca-key: ", text) and said in text and "generation 1 stays in use" in text
    assert issuer(here, rsa=True) == "Inspection CA"


def test_a_ca_rolled_over_under_load_costs_no_request_and_its_tickets_are_void(inspecting, world):
    here = inspecting(gateway_options={"max_connections_per_client": 0})
    other = here.gw.folder / "other"
    other.mkdir(mode=0o755)
    cert, key = inspection.ca(other, "Other CA")
    both = ssl.create_default_context(cafile=str(here.cert))  # clients that were told of the new one in time
    both.load_verify_locations(str(cert))

    def connect(session=None):
        return both.wrap_socket(here.gw.tunnel(f"{NGINX}:443").sock, server_hostname=NGINX, session=session)

    def request(sock):
        assert wire.Wire(sock).send(f"GET / HTTP/1.1\r\nHost: {NGINX}\r\n\r\n").response().body == b"hello from nginx\n"

    def issued(sock):
        return dict(field[0] for field in sock.getpeercert()["issuer"])["commonName"]

    def each(i):
        if i % 2:
            request(kept[i])
        else:
            with connect() as sock:
                request(sock)

    kept = {i: connect() for i in (1, 3)}
    with connect() as sock:
        request(sock)
        ticket = sock.session
    with connect(ticket) as sock:
        assert sock.session_reused
    with Beside(here.gw, world), load.Load(4, each) as running:
        running.passes(10)
        here.gw.write(here.section.replace(str(key_of(here)), str(key)).replace(str(here.cert), str(cert)) + RULES)
        here.gw.reload()
        here.gw.says("a new CA is in use")
        running.passes(20)
        assert running.stop() == []
    with connect(ticket) as sock:
        request(sock)
        assert not sock.session_reused and issued(sock) == "Other CA"
        again = sock.session
    with connect(again) as sock:
        assert sock.session_reused
    for sock in kept.values():
        assert issued(sock) == "Inspection CA"
        request(sock)
        sock.close()


def certificate(key, name, by, seconds, *extensions):
    """By `by`, a name and a key; itself when it is None."""
    now = datetime.datetime.utcnow()
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    issuer, signs = by or (subject, key)
    made = (x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(seconds=seconds)))
    for extension in extensions:
        made = made.add_extension(extension, not isinstance(extension, x509.SubjectAlternativeName))
    return made.sign(signs, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def short_ca(folder, seconds):
    """A CA that will not be valid for long."""
    key = ec.generate_private_key(ec.SECP256R1())
    cert = certificate(key, "Short CA", None, seconds, x509.BasicConstraints(True, None),
                       x509.KeyUsage(False, False, False, False, False, True, True, False, False))
    put(folder / "short.key", key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    put(folder / "short.pem", cert, 0o644)
    return folder / "short.pem", folder / "short.key"


def test_a_ca_that_expires_while_it_is_used_ends_inspection_with_a_word(gateway, world, folder):
    cert, key = short_ca(folder, 8)
    gw = gateway(f"[inspection]\nca-cert = {cert}\nca-key = {key}\ntrust = {world.ca}\nsigner-timeout = 1s\n" + RULES)
    wire.wait_until(lambda: gw.curl("--cacert", cert, f"https://{NGINX}/", check=False).stdout == b"hello from nginx\n", "a signer")
    end = short_end(cert)
    wire.wait_until(lambda: wire.time.time() > end + 1, "the CA's end")
    with Beside(gw, world):
        assert gw.curl("--cacert", cert, f"https://{NGINX}/", check=False).returncode == 35
    assert gw.record(2, method="CONNECT")["fault"] == "signer-unavailable"
    gw.says("no certificate was made: the CA's own certificate is not valid now")
    cert, key = inspection.ca(folder)
    gw.write(f"[inspection]\nca-cert = {cert}\nca-key = {key}\ntrust = {world.ca}\n" + RULES)
    gw.reload()
    gw.says("a new CA is in use")
    assert gw.curl("--cacert", cert, f"https://{NGINX}/").stdout == b"hello from nginx\n"


def short_end(cert):
    text = w.run("openssl", "x509", "-in", cert, "-noout", "-enddate").stdout
    return ssl.cert_time_to_seconds(text.strip().split("=")[1])


# --- the other processes, and the machine ---


@pytest.mark.skipif(sanitized(), reason="the sanitizer's memory is too large to search")
def test_the_keys_bytes_and_its_file_are_with_the_signer_alone(here, folder):
    """Of all processes, the parent and one for log-ons among them: looked for in their memory by test_signer, here in their descriptors."""
    assert ask(here).status == 200
    key = str(key_of(here))
    found = {pid: [fd for fd in Path(f"/proc/{pid}/fd").iterdir() if fd.exists() and os.path.realpath(fd) == key] for pid in [here.gw.child.pid, *here.gw.processes()]}
    holders = [pid for pid, fds in found.items() if fds]
    assert len(found) >= 5 and holders == [signer_pid(here.gw)], found


def test_a_killed_worker_takes_its_inspected_tunnels_alone(here, world):
    """What another one carries goes on; the next one inspects at once."""
    tunnels = []
    for _ in range(12):
        sock = here.context().wrap_socket(here.gw.tunnel(f"{NGINX}:443").sock, server_hostname=NGINX)
        tunnels.append(wire.Wire(sock))
    victim = here.gw.pids("worker")[0]
    os.kill(victim, signal.SIGKILL)
    wire.wait_until(lambda: len(here.gw.pids("worker")) == 2 and victim not in here.gw.pids("worker"), "another worker")
    alive = 0
    for t in tunnels:
        try:
            alive += t.send(f"GET / HTTP/1.1\r\nHost: {NGINX}\r\n\r\n").response().status == 200
        except (OSError, wire.Closed):
            pass
        t.close()
    assert 0 < alive < 12
    with Beside(here.gw, world):
        assert [ask(here).status for _ in range(8)] == [200] * 8


def test_when_the_parent_is_killed_inspected_requests_under_way_end_well(inspecting, serve, world):
    go = threading.Event()

    def answer(_request, wire):
        go.wait(10)
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate")
        return False

    server = serve(origins.Https, world.cert, world.key, w.ORIGIN, 443, answer=answer)
    here = inspecting(gateway_options={"drain_timeout": "3s"})
    pids = list(here.gw.processes())
    with here.inside("origin.example.net:443") as t:
        t.send("GET / HTTP/1.1\r\nHost: origin.example.net\r\n\r\n")
        wire.wait_until(lambda: server.requests, "the request at the origin")
        os.kill(here.gw.child.pid, signal.SIGKILL)
        here.gw.child.wait()
        here.gw.child = None
        go.set()
        assert t.response().body == b"late"
        assert t.ended()
    wire.wait_until(lambda: not any(Path(f"/proc/{pid}").exists() and "State:\tZ" not in Path(f"/proc/{pid}/status").read_text() for pid in pids), "the children's end", 30)


def test_a_full_disk_of_the_log_stops_no_inspected_request(inspecting, world, folder):
    disk = folder / "disk"
    disk.mkdir()
    w.run("mount", "-t", "tmpfs", "-o", "size=16k,mode=777", "tmpfs", str(disk))
    try:
        here = inspecting(gateway_options={"log_file": disk / "access.json"})
        with Beside(here.gw, world):
            with here.inside(f"{NGINX}:443") as t:
                for _ in range(60):
                    assert t.send(f"GET / HTTP/1.1\r\nHost: {NGINX}\r\n\r\n").response().status == 200
            here.gw.says(r"access log .*access\.json: .*No space left")
            assert ask(here).status == 200
        here.gw.stop()
    finally:
        w.run("umount", "-l", str(disk))


def test_remembered_origins_need_no_name_server(inspecting, serve, world):
    dead = threading.Event()
    dns = serve(origins.Dns, lambda name, kind: None if dead.is_set() else [w.NGINX], w.RESOLVER2)
    here = inspecting(gateway_options={"resolver": w.RESOLVER2, "dns_timeout": "1s"})
    assert ask(here).status == 200
    dead.set()
    with here.gw.connect() as c:
        page = c.send("CONNECT new.data.microsoft.com:443 HTTP/1.1\r\nHost: new.data.microsoft.com:443\r\n\r\n").response()
    assert page.status == 504 and b"dns-timeout" in page.head  # by now the names that were known are not any more
    asked = len(dns.questions)
    assert [ask(here).status for _ in range(3)] == [200] * 3
    assert len(dns.questions) == asked


def limit_memory(pid, size):
    """As the worker's own user may."""
    subprocess.run(["prlimit", "--pid", str(pid), f"--as={size}:"], check=True, user=65534, group=65534, extra_groups=[])


def test_without_memory_inspection_fails_alone_and_comes_back(inspecting, world):
    if sanitized():
        pytest.skip("the sanitizer has an address space of its own")
    here = inspecting(gateway_options={"max_connections_per_client": 0})
    assert ask(here).status == 200
    pid = here.gw.pids("worker")[0]
    size = int(next(line for line in Path(f"/proc/{pid}/status").read_text().split("\n") if line.startswith("VmSize:")).split()[1]) * 1024
    kept, failed = [], 0
    with Beside(here.gw, world):
        limit_memory(pid, size + (1 << 20))
        for _ in range(200):
            t = here.gw.tunnel(f"{NGINX}:443")
            try:
                t.sock = here.context().wrap_socket(t.sock, server_hostname=NGINX)
                kept.append(t)
            except OSError:
                t.close()
                failed += 1
            if failed == 10:
                break
        limit_memory(pid, "unlimited")
        assert failed == 10 and len(kept) > 10
    assert here.gw.record(10, method="CONNECT", fault="no-memory")["tls_detail"]
    for t in kept:
        t.close()
    assert ask(here).status == 200
    assert here.gw.pids("worker") == [pid]


def test_without_descriptors_inspected_tunnels_wait_and_come_back(inspecting, world):
    here = inspecting(gateway_options={"rlimit": 128, "max_connections_per_client": 0})
    results = []

    def one(i):
        done = here.curl("--http1.1", "-o", "/dev/null", "-w", "%{http_code}", f"https://{i}.data.microsoft.com/", check=False)
        results.append((done.returncode, done.stdout))

    threads = [threading.Thread(target=one, args=(i,)) for i in range(60)]
    idle = [here.gw.connect() for _ in range(60)]
    here.gw.says(r"max-connections \(\d+\) reached: new clients wait")
    for thread in threads:
        thread.start()
    for one in idle:
        one.close()
    for thread in threads:
        thread.join(60)
    assert results == [(0, b"200")] * 60
    with Beside(here.gw, world):
        assert ask(here).status == 200


# --- reload and the end ---


class H2:
    """A client of HTTP/2 in a few lines: one request after the other, by heads without compression."""

    def __init__(self, here, name):
        self.name, self.stream = name, -1
        self.wire = wire.Wire(here.context(alpn=("h2",)).wrap_socket(here.gw.tunnel(f"{name}:443").sock, server_hostname=name))
        assert self.wire.sock.selected_alpn_protocol() == "h2"
        self.wire.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + self.frame(4))

    @staticmethod
    def frame(kind, flags=0, stream=0, body=b""):
        return struct.pack("!I", len(body))[1:] + struct.pack("!BBI", kind, flags, stream) + body

    @staticmethod
    def field(name, value):
        return b"\0" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()

    def ask(self, path="/"):
        self.stream += 2
        head = b"".join(self.field(*one) for one in ((":method", "GET"), (":scheme", "https"), (":authority", self.name), (":path", path)))
        self.wire.send(self.frame(1, 5, self.stream, head))
        return self

    def next(self):
        """Kind, flags, stream and body of the next frame; settings and pings are answered on the way."""
        while True:
            head = self.wire.exactly(9)
            kind, flags, stream = struct.unpack("!BBI", head[3:])
            body = self.wire.exactly(int.from_bytes(head[:3], "big"))
            if kind not in (4, 6, 8):
                return kind, flags, stream, body
            if kind in (4, 6) and not flags & 1:
                self.wire.send(self.frame(kind, 1, 0, body if kind == 6 else b""))

    def status(self):
        """That of the answer to the last request, by HPACK's static table (200 is 8, 403 a literal)."""
        found, over = None, False
        while not over:
            kind, flags, stream, body = self.next()
            assert kind in (0, 1), (kind, body)
            if kind == 1 and stream == self.stream:
                found = 200 if b"\x88" in body[:4] else 403 if b"403" in body or b"\x08\x82h\x19" in body else body[:8]
            over = stream == self.stream and flags & 1
        return found

    def close(self):
        self.wire.close()


@pytest.fixture
def site(serve, world):
    return lambda **more: serve(origins.Https, world.cert, world.key, w.ORIGIN, 443, **more)


def test_inspected_tunnels_live_through_reloads_and_follow_them(inspecting, site, world):
    site()
    here = inspecting(gateway_options={"max_connections_per_client": 0})
    closed = "\n[rule closed]\nhosts = *.example.net\nurl = /closed$\naction = deny\n"
    name = "origin.example.net"
    old = wire.Wire(here.context().wrap_socket(here.gw.tunnel(f"{name}:443").sock, server_hostname=name))
    h2 = H2(here, name)

    def request(t, path="/"):
        return t.send(f"GET {path} HTTP/1.1\r\nHost: {name}\r\n\r\n").response().status

    def each(i):
        if i == 0:
            assert request(kept) == 200
        elif i == 1:
            assert busy.ask("/x").status() == 200
        else:
            assert ask(here, name).status == 200

    kept = wire.Wire(here.context().wrap_socket(here.gw.tunnel(f"{name}:443").sock, server_hostname=name))
    busy = H2(here, name)
    assert request(old, "/closed") == 200 and h2.ask("/closed").status() == 200
    with Beside(here.gw, world), load.Load(4, each) as running:
        running.passes(10)
        for rules in (closed + RULES, RULES, closed + RULES):
            here.gw.write(here.section + rules)
            here.gw.reload()
            running.passes(10)
        assert running.stop() == []
    wire.wait_until(lambda: request(old, "/closed") == 403, "the new rules")
    assert h2.ask("/closed").status() == 403 and h2.ask("/open").status() == 200 and request(old) == 200
    for one in (old, kept, h2, busy):
        one.close()


def test_at_the_end_idle_tunnels_go_and_requests_under_way_are_answered(inspecting, site):
    go = threading.Event()

    def answer(request, wire):
        if request.target == "/late":
            go.wait(15)
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate")

    server = site(answer=answer)
    here = inspecting(gateway_options={"drain_timeout": "20s"})
    name = "origin.example.net"
    idle, busy = (wire.Wire(here.context().wrap_socket(here.gw.tunnel(f"{name}:443").sock, server_hostname=name)) for _ in range(2))
    idle2, busy2 = H2(here, name), H2(here, name)
    assert idle.send(f"GET / HTTP/1.1\r\nHost: {name}\r\n\r\n").response().status == 200
    assert idle2.ask().status() == 200
    busy.send(f"GET /late HTTP/1.1\r\nHost: {name}\r\n\r\n")
    busy2.ask("/late")
    wire.wait_until(lambda: sum(one.target == "/late" for one in server.requests) == 2, "both at the origin")
    here.gw.signal(signal.SIGTERM)
    assert idle.ended()
    assert idle2.next()[0] == 7  # GOAWAY
    assert idle2.wire.ended()
    kind, _flags, _stream, body = busy2.next()
    assert kind == 7 and int.from_bytes(body[4:8], "big") == 0  # no error
    go.set()
    assert busy.response().body == b"late"
    assert busy2.status() == 200
    assert busy.ended()
    busy2.wire.rest()
    assert here.gw.child.wait(wire.PATIENCE) == 0


# --- many hosts ---

HOSTS = int(os.environ.get("POSTERN_HOSTS", 10000))
MANY = """daemon off; pid {folder}/many.pid; error_log stderr warn; worker_processes 1; user root;
events {{ worker_connections 8192; }}
worker_rlimit_nofile 16384;
http {{
  access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{
    listen {address}:443 ssl backlog=4096; ssl_certificate {folder}/certs/$ssl_server_name; ssl_certificate_key {key}; ssl_session_cache none;
    location / {{ return 200 "$ssl_server_name\\n"; }}
  }}
}}
"""


@pytest.fixture
def many(world, folder):
    """An origin with a certificate of its own for each of HOSTS names; their names."""
    certs = folder / "certs"
    certs.mkdir(mode=0o755)
    ca = x509.load_pem_x509_certificate(Path(world.ca).read_bytes())
    by = ca.subject, serialization.load_pem_private_key((world.folder / "ca.key").read_bytes(), None)
    key = serialization.load_pem_private_key(Path(world.key).read_bytes(), None)
    names = [f"h{i}.origin.example.net" for i in range(HOSTS)]
    for name in names:
        (certs / name).write_bytes(certificate(key, name, by, 86400, x509.SubjectAlternativeName([x509.DNSName(name)])))
    (folder / "many.conf").write_text(MANY.format(folder=folder, address=w.ORIGIN, key=world.key))
    with open(folder / "many.log", "ab") as log:
        child = subprocess.Popen(["nginx", "-c", folder / "many.conf", "-p", folder], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        wire.wait_until(lambda: child.poll() is not None or (folder / "many.pid").exists(), "nginx")
        assert child.poll() is None, (folder / "many.log").read_text()
        yield names
    finally:
        child.send_signal(signal.SIGTERM)
        child.wait(wire.PATIENCE)


@pytest.mark.slow
def test_many_more_hosts_than_the_cache_holds_are_each_shown_their_own_leaf_in_bounded_memory(inspecting, world, folder, many):
    """curl verifies each leaf against the host's name; a tenth of the hosts fits into the caches."""
    here = inspecting(leaf_cache=HOSTS // 10, gateway_options={"max_connections_per_client": 0})

    def visit(names):
        while names:
            some, names = names[:500], names[500:]
            (folder / "urls").write_text("".join(f'url = "https://{name}/"\noutput = /dev/null\n' for name in some))
            done = here.curl("--http1.1", "--parallel", "--parallel-immediate", "--parallel-max", "40", "-w", "%{http_code} %{url}\n", "-K", folder / "urls")
            assert sorted(done.stdout.decode().split("\n")[:-1]) == sorted(f"200 https://{name}/" for name in some)

    def memory():
        return here.gw.worker_memory(), resident(signer_pid(here.gw))

    with Beside(here.gw, world):
        visit(many[:HOSTS // 3])
    before = memory()
    visit(many[HOSTS // 3:])
    after = memory()
    if not sanitized():  # idle connections to origins, and what is known of these, up to their limits; no leaf more than before
        assert after[0] - before[0] < 16 << 20 and after[1] - before[1] < 2 << 20, (before, after)
    visit(many[-HOSTS // 50:] + many[:HOSTS // 50])
    here.gw.stop()
    found = re.search(r"the signer was asked for (\d+) leaves: made (\d+)", here.gw.said())
    assert HOSTS + HOSTS // 50 <= int(found[1]) < HOSTS + HOSTS // 25 + 10  # the last ones were in the worker's cache


def resident(pid):
    return int(next(line for line in Path(f"/proc/{pid}/status").read_text().split("\n") if line.startswith("VmRSS:")).split()[1]) * 1024
