# SPDX-License-Identifier: MIT
"""Peers inside inspected tunnels that mean harm: what they are told, what never reaches the other side, and that others notice nothing."""

import os
import shutil
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
        here = inspection.Inspecting(start, world, path, gateway_options={"keepalive_timeout": f"{KEEPALIVE:.0f}s", "head_timeout": "4s"})
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
