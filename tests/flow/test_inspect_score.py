# SPDX-License-Identifier: MIT
"""What scanners of TLS servers think of the TLS that clients of inspected tunnels see: sslscan, by a forwarder that puts each connection into a tunnel, and testssl.sh."""

import contextlib
import json
import shutil
import socket
import subprocess
import threading
import xml.etree.ElementTree as xml

import pytest

import inspection
import origin as origins
import web
import wire
import world as w

TARGET = "other.example.net:443"


@pytest.fixture(scope="module")
def here(gateway_kept, world, folder_kept):
    """The origin takes whatever is weak: what clients see is ours."""
    nginx = web.Nginx(folder_kept, w.OTHER, f"""server {{
      listen {w.OTHER}:443 ssl http2; ssl_certificate {world.cert}; ssl_certificate_key {world.key}; ssl_protocols TLSv1 TLSv1.1 TLSv1.2 TLSv1.3; ssl_ciphers ALL:@SECLEVEL=0;
    }}""")
    yield inspection.Inspecting(gateway_kept, world, folder_kept, gateway_options={"drain_timeout": "1s"})
    nginx.close()


@contextlib.contextmanager
def forwarder(gw):
    """An address whose connections are tunnels to TARGET."""

    def pour(of, to):
        with contextlib.suppress(OSError):
            while data := of.recv(65536):
                to.sendall(data)
            to.shutdown(socket.SHUT_WR)

    def serve(client):
        with gw.tunnel(TARGET) as t:
            other = threading.Thread(target=pour, args=(t.sock, client.sock), daemon=True)
            other.start()
            pour(client.sock, t.sock)
            other.join(wire.PATIENCE)

    server = origins.Server(serve, "127.0.0.1", 0)
    try:
        yield server.address
    finally:
        server.close()


def test_sslscan(here):
    if not shutil.which("sslscan"):
        pytest.skip("not installed: sslscan")
    with forwarder(here.gw) as (address, port):
        done = subprocess.run(["sslscan", "--no-colour", "--xml=-", "--sni-name=other.example.net", "--show-sigs", f"{address}:{port}"], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=120)
    test = xml.fromstring(done.stdout).find("ssltest")
    protocols = {(one.get("type"), one.get("version")) for one in test.findall("protocol") if one.get("enabled") == "1"}
    assert protocols <= {("tls", "1.2"), ("tls", "1.3")} and ("tls", "1.3") in protocols, protocols
    ciphers = {one.get("cipher") for one in test.findall("cipher")}
    assert ciphers and all(name.startswith("TLS_") or (name.startswith("ECDHE-") and ("GCM" in name or "CHACHA20" in name)) for name in ciphers), ciphers
    assert {one.get("strength") for one in test.findall("cipher")} <= {"strong", "acceptable"}
    assert test.find("renegotiation").get("supported") == "0", done.stdout
    assert all(one.get("supported") == "0" for one in test.findall("compression")) and not [one for one in test.findall("heartbleed") if one.get("vulnerable") == "1"]
    groups = {one.get("name") for one in test.findall("group")}
    assert groups and not {name for name in groups if "ffdhe" in name.lower() or "192" in name or "k1" in name}, groups
    signatures = {one.get("name").lower() for one in test.findall("connection-signature-algorithm")}
    assert not {name for name in signatures if "sha1" in name or "md5" in name or "any" in name}, signatures


@pytest.mark.slow
def test_testssl(here, folder):
    if not shutil.which("testssl"):
        pytest.skip("not installed: testssl.sh")
    report = folder / "report.json"
    with forwarder(here.gw) as (address, port):
        # by name, since all of its tests take minutes
        done = subprocess.run(["testssl", "--quiet", "--color", "0", "--warnings", "off", "--jsonfile", report, "--ip", address, "--nodns", "none", "-p", "-H", "-C", "-O",
                               "-F", "-J", "-D", f"other.example.net:{port}"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=180)
    assert report.exists(), (done.stdout[-3000:], done.stderr[-3000:])
    found = {one["id"]: (one["severity"], one["finding"]) for one in json.loads(report.read_text())}
    assert "TLS1_3" in found, done.stdout[-3000:]
    bad = {name: what for name, what in found.items() if what[0] in ("LOW", "MEDIUM", "HIGH", "CRITICAL", "WARN")}
    assert not bad, bad
