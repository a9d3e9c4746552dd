# SPDX-License-Identifier: MIT
"""Inspection when what it needs fails or changes under load: nobody but inspected tunnels may notice, and these get an answer."""

import os
import resource
import shutil
import signal
import ssl
import struct
import tempfile
import threading
from pathlib import Path

import conftest
import inspection
import load
import origin as origins
import pytest
import wire
import world as w

from gateway import Gateway, sanitized
from test_signer import issuer, scalar, signer_pid

NGINX = "graph.windows.net"
BYPASSED, TUNNELLED = "login.live.com", "aka.ms"
USUAL, SLOWEST = 0.1, 2.0  # seconds that what is not inspected may take on a busy machine: most of it, any of it
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
def kept_folder(world):
    path = Path(tempfile.mkdtemp(prefix="postern-flow-"))
    path.chmod(0o755)
    yield path
    if not os.environ.get("FLOW_KEEP"):
        shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="module")
def here(world, kept_folder):
    """One gateway for all tests that leave it as it was."""
    with conftest.gateways_of(kept_folder, Gateway) as start:
        yield inspection.Inspecting(start, world, kept_folder, rules=RULES, gateway_options={"max_connections_per_client": 0, "workers": 2}, signer_timeout="10s")


@pytest.fixture
def inspecting(gateway, world, folder):
    return lambda **more: inspection.Inspecting(gateway, world, folder, **{"rules": RULES, **more})


def ask(here, name=NGINX, target=None, **more):
    """A request of its own tunnel."""
    with here.inside(target or f"{name}:443", **more) as t:
        return t.send(f"GET / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n").response()


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
    assert ask(here).status == 200
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
    gw.says("error: ca-key: there is no private key in the file, PEM or DER; no tunnel can be inspected until it can be used")
    with Beside(gw, world), gw.connect() as c:
        assert c.send(f"CONNECT {NGINX}:443 HTTP/1.1\r\nHost: {NGINX}:443\r\n\r\n").response().status == 503
    put(key, good)
    gw.says("the CA's key was read")
    assert gw.curl("--cacert", cert, f"https://{NGINX}/").stdout == b"hello from nginx\n"


@pytest.mark.parametrize("spoil, said", [
    (lambda key: put(key, b"rubbish"), "there is no private key in the file, PEM or DER"),
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
    assert "postern.ini:14: ca-key: " in text and said in text and "generation 1 stays in use" in text
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


def short_ca(folder, seconds):
    """A CA that will not be valid for long."""
    import datetime

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.utcnow()
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Short CA")])
    cert = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
            .not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(seconds=seconds))
            .add_extension(x509.BasicConstraints(True, None), True)
            .add_extension(x509.KeyUsage(False, False, False, False, False, True, True, False, False), True).sign(key, hashes.SHA256()))
    put(folder / "short.key", key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    put(folder / "short.pem", cert.public_bytes(serialization.Encoding.PEM), 0o644)
    return folder / "short.pem", folder / "short.key"


def test_a_ca_that_expires_while_it_is_used_ends_inspection_with_a_word(gateway, world, folder):
    cert, key = short_ca(folder, 6)
    gw = gateway(f"[inspection]\nca-cert = {cert}\nca-key = {key}\ntrust = {world.ca}\nsigner-timeout = 1s\n" + RULES)
    assert gw.curl("--cacert", cert, f"https://{NGINX}/").stdout == b"hello from nginx\n"
    end = short_end(cert)
    wire.wait_until(lambda: wire.time.time() > end + 1, "the CA's end")
    with Beside(gw, world):
        assert gw.curl("--cacert", cert, f"https://{NGINX}/", check=False).returncode == 35
    assert gw.record(2, method="CONNECT")["fault"] == "signer-unavailable"
    gw.says("no certificate was made: the CA's own certificate is not valid now")
    cert, key = inspection.ca(folder)
    gw.write(f"[inspection]\nca-cert = {cert}\nca-key = {key}\ntrust = {world.ca}\n" + RULES)
    gw.reload()
    assert gw.curl("--cacert", cert, f"https://{NGINX}/").stdout == b"hello from nginx\n"


def short_end(cert):
    text = w.run("openssl", "x509", "-in", cert, "-noout", "-enddate").stdout
    return ssl.cert_time_to_seconds(text.strip().split("=")[1])
