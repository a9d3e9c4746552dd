# SPDX-License-Identifier: MIT
"""Chromium that trusts the inspection CA, by its own store of certificates: pages, WebSocket, downloads, our pages, warnings."""

import base64
import hashlib

import pytest

import browser as browsers
import inspection
import origin as origins
import web
import wire
import world as w

SITE = "https://other.example.net"
RULES = """
[rule blocked]
url = ^https://[^/]*/blocked
action = deny
reason = Ask the <b>help desk</b>
[rule passed]
hosts = xn--bcher-kva.example.net
action = inspect
auth = none
on-bad-origin = pass
""" + inspection.RULES


def websocket(wire_, first):
    """A server that sends each message back, until the other side closes."""
    key = first["sec-websocket-key"]
    accept = base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()
    wire_.send(f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n")
    while True:
        kind, n = wire_.exactly(2)
        n &= 127
        if n == 126:
            n = int.from_bytes(wire_.exactly(2), "big")
        elif n == 127:
            n = int.from_bytes(wire_.exactly(8), "big")
        mask = wire_.exactly(4)
        data = bytes(byte ^ mask[i % 4] for i, byte in enumerate(wire_.exactly(n)))
        size = bytes([n]) if n < 126 else b"\x7e" + n.to_bytes(2, "big") if n < 65536 else b"\x7f" + n.to_bytes(8, "big")
        wire_.send(bytes([kind]) + size + data)
        if kind & 15 == 8:
            return False


@pytest.fixture(scope="module")
def here(gateway_kept, world, folder_kept, serve_kept):
    if browsers.missing():
        pytest.skip(browsers.missing())
    root = folder_kept / "www"
    root.mkdir()
    (root / "index.html").write_text("<!doctype html><title>t</title><link rel=stylesheet href=a.css><p id=p>no</p>"
                                     + "".join(f"<script src=/s{i}.js></script>" for i in range(20)) + "<script>p.textContent = 'sum ' + sum</script>")
    (root / "a.css").write_text("p { color: rgb(1, 2, 3) }")
    for i in range(20):
        (root / f"s{i}.js").write_text(f"var sum = (window.sum || 0) + {i};")
    (root / "file.bin").write_bytes(bytes(range(256)) * 4096)
    w.run("openssl", "req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", folder_kept / "rsa.key", "-out", folder_kept / "rsa.csr", "-subj", "/CN=rsa")
    (folder_kept / "rsa.ext").write_text("subjectAltName=DNS:edge.example.net")
    w.run("openssl", "x509", "-req", "-in", folder_kept / "rsa.csr", "-CA", world.ca, "-CAkey", world.folder / "ca.key", "-CAcreateserial", "-out", folder_kept / "rsa.pem",
          "-days", "300", "-extfile", folder_kept / "rsa.ext")
    w.run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", folder_kept / "bad.key", "-out", folder_kept / "bad.pem",
          "-days", "10", "-subj", "/CN=bad", "-addext", "subjectAltName=DNS:xn--bcher-kva.example.net,DNS:six.example.net")
    nginx = web.Nginx(folder_kept, w.OTHER, f"""server {{
      listen {w.OTHER}:443 ssl http2; ssl_certificate {world.cert}; ssl_certificate_key {world.key}; root {root};
      location = /how {{ default_type text/plain; return 200 $server_protocol; }}
    }} server {{
      listen {w.EDGE}:443 ssl http2; ssl_certificate {folder_kept}/rsa.pem; ssl_certificate_key {folder_kept}/rsa.key; location / {{ default_type text/html; return 200 rsa; }}
    }} server {{
      listen {w.ORIGIN}:443 ssl http2; ssl_certificate {folder_kept}/bad.pem; ssl_certificate_key {folder_kept}/bad.key;
      listen [{w.ORIGIN6}]:443 ssl http2; location / {{ default_type text/html; return 200 bad; }}
    }}""")
    serve_kept(origins.Https, world.cert, world.key, w.ORIGIN, 8443, answer=lambda request, wire: websocket(wire, request))
    one = inspection.Inspecting(gateway_kept, world, folder_kept, rules=RULES)
    one.nginx = nginx
    yield one
    nginx.close()


@pytest.fixture(scope="module")
def browser(here):
    one = browsers.Browser(here.gw, here.cert)
    yield one
    one.close()


def test_a_page_with_all_that_belongs_to_it(here, browser):
    response = browser.open(f"{SITE}/")
    assert (response["status"], response["protocol"], response["securityState"]) == (200, "h2", "secure"), response
    assert response["securityDetails"]["issuer"] == "Inspection CA" and "*.example.net" in response["securityDetails"]["sanList"]
    assert browser.js("p.textContent") == "sum 190" and browser.js("getComputedStyle(p).color") == "rgb(1, 2, 3)"
    assert browser.js("fetch('/how').then(r => r.text())") == "HTTP/2.0"
    session = here.gw.record(url=f"{SITE}/")["session"]
    assert here.gw.record(url=f"{SITE}/s19.js")["session"] == session


def test_its_ech_for_show_and_its_spare_connections_are_passed_over(here):
    """It opens two, and drops one when the other speaks HTTP/2: no sign that it did not like the certificate."""
    one = browsers.Browser(here.gw, here.cert)
    before = len(here.gw.records())
    try:
        assert one.open(f"{SITE}/")["status"] == 200
    finally:
        one.close()
    session = here.gw.record(url=f"{SITE}/s19.js", client_port=lambda port: port in [line["client_port"] for line in here.gw.records()[before:]])["session"]
    line = here.gw.record(method="CONNECT", session=session)
    assert line["ech"] is True and line["fault"] is None and line["sni"] == "other.example.net", line
    assert not [line for line in here.gw.records()[before:] if line["fault"] == "client-rejected-certificate"]


def test_an_origin_with_an_rsa_certificate(browser):
    response = browser.open("https://edge.example.net/")
    assert (response["status"], response["securityState"]) == (200, "secure") and browser.js("document.body.innerText") == "rsa"


def test_a_websocket(here, browser):
    browser.open(f"{SITE}/")
    said = browser.js("""new Promise((resolve, reject) => { const s = new WebSocket('wss://origin.example.net:8443/chat'), got = [];
        s.onopen = () => { s.send('hello'); s.send('x'.repeat(70000)); }; s.onerror = reject;
        s.onmessage = (m) => { got.push(m.data.length + m.data.slice(0, 5)); if (got.length == 2) s.close(1000, 'bye'); };
        s.onclose = (e) => resolve([...got, e.code, e.wasClean]); })""")
    assert said == ["5hello", "70000xxxxx", 1000, True]
    assert here.gw.record(status=101, url="https://origin.example.net:8443/chat")["bytes_in"] > 70000


def test_a_download(browser):
    path = browser.download(f"{SITE}/file.bin")
    assert path.read_bytes() == bytes(range(256)) * 4096


def test_a_page_of_ours_inside(browser):
    response = browser.open(f"{SITE}/blocked/x")
    assert (response["status"], response["securityState"]) == (403, "secure")
    text = browser.js("document.body.innerText")
    assert "Ask the <b>help desk</b>" in text and "blocked" in text


def test_a_bad_origin_is_told_on_a_page_that_the_browser_trusts(browser):
    response = browser.open("https://six.example.net/")
    assert (response["status"], response["securityState"]) == (502, "secure")
    assert "signed by itself" in browser.js("document.body.innerText")


def test_a_bad_origin_that_passes_makes_the_browser_warn(here, browser):
    assert browser.open("https://xn--bcher-kva.example.net/") == "net::ERR_CERT_AUTHORITY_INVALID"
    assert not [line for line in here.nginx.lines() if line[4].startswith("GET /passed")]


def test_a_browser_without_the_ca_warns_and_is_logged(here):
    one = browsers.Browser(here.gw)
    before = len(here.gw.records())
    try:
        assert one.open(f"{SITE}/") == "net::ERR_CERT_AUTHORITY_INVALID"
    finally:
        one.close()
    line = wire.wait_until(lambda: [line for line in here.gw.records()[before:] if line["method"] == "CONNECT" and line["host"] == "other.example.net"], "its tunnel's line")[0]
    assert line["fault"] == "client-rejected-certificate", line
