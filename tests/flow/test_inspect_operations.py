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
