# SPDX-License-Identifier: MIT
"""TLS to the proxy itself: curl, HTTP/2 with CONNECT, certificates that are renewed, handshakes that fail."""

import hashlib
import signal
import socket
import ssl
import threading

import pytest

import certs
import edge as edges
import gateway as gateways
import logon
import origin as origins
import wire
import world as w

BIG = hashlib.shake_256(b"edge").digest(1 << 20)
ECHO = f"{w.ORIGIN}:8443"

RULES = """
[rule closed]
hosts = closed.example.net
action = deny
[rule guarded]
hosts = adl.windows.com
action = bypass
[rule all]
action = tunnel
auth = none
"""


@pytest.fixture(scope="module")
def edge(world, gateway_kept, folder_kept):
    return edges.Edge(gateway_kept, folder_kept, RULES, connect_ports="443 8443")


@pytest.fixture(scope="module")
def echo(serve_kept):
    return serve_kept(origins.Echo, w.ORIGIN, 8443)


@pytest.fixture(scope="module")
def site(serve_kept):
    return serve_kept(origins.Http, w.ORIGIN, 80)


def test_curl_speaks_tls_to_the_proxy(edge, world, site):
    assert edge.curl("--cacert", world.ca, "https://v10.events.data.microsoft.com/").stdout
    line = edge.gw.record(method="CONNECT", port=443)
    assert line["status"] == 200 and line["tls_client"].startswith("TLSv1.3/TLS_"), line
    assert edge.curl("http://origin.example.net/plain").stdout
    assert edge.gw.record(host="origin.example.net", method="GET")["tls_client"].startswith("TLSv1.3/")
    with edge.connect(version=ssl.TLSVersion.TLSv1_2) as t:
        t.send(wire.get("http://origin.example.net/old"))
        assert t.response().status == 200


def test_each_end_of_a_tunnel_over_http_1_ends_on_its_own(edge, echo):
    with edge.tunnel(ECHO) as t:
        writer = threading.Thread(target=t.send, args=(BIG,))
        writer.start()
        assert t.exactly(len(BIG)) == BIG
        writer.join()
        t.sock.unwrap().close()  # close_notify, and the other's
    assert edge.gw.record(method="CONNECT", port=8443, fault=None)["bytes_out"] > len(BIG)


def test_a_stream_of_http_2_is_a_tunnel(edge, echo):
    with edge.h2() as client:
        t = client.tunnel(ECHO)
        for at in range(0, len(BIG), 1 << 16):
            t.send(BIG[at:at + (1 << 16)])
            assert t.exactly(1 << 16) == BIG[at:at + (1 << 16)]
        t.send(b"last", end=True)
        assert t.rest() == b"last" and t.reset is None
    line = edge.gw.record(method="CONNECT", version="2.0")
    assert line["status"] == 200 and line["fault"] is None and line["bytes_in"] > len(BIG), line
