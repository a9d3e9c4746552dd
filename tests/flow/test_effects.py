# SPDX-License-Identifier: MIT
"""What rules do to requests that can be read, in the open and inside inspected tunnels; and what people do about bad certificates."""

import re

import pytest

import inspection
import origin as origins
import world as w

RULES = """
[rule elsewhere]
url = /old
action = deny
redirect = https://intranet.example/moved
[rule pages]
hosts = graph.windows.net
url = /index
content-types = text/html
action = deny
reason = No pages
[rule admin]
url = ^[^?]*/admin
action = deny
[rule headers]
hosts = origin.example.net graph.windows.net
action = ACTION
auth = none
set-request-header = "X-Tenant: example.com" "Referer: none"
remove-request-header = User-Agent
set-response-header = "X-Frame-Options: DENY"
remove-response-header = Server X-Powered-By
"""


@pytest.fixture(params=["http", "https", "h2"])
def way(request, gateway, world, folder):
    """A gateway with these rules, and curl words and scheme that go through it in the open, or inside a tunnel."""
    if request.param == "http":
        gw = gateway(RULES.replace("ACTION", "tunnel"))
        return gw, "http", gw.curl
    here = inspection.Inspecting(gateway, world, folder, rules=RULES.replace("ACTION", "inspect"))
    return here.gw, "https", lambda *words: here.curl("--http1.1" if request.param == "https" else "--http2", *words)


def echo(request, wire):
    body = "".join(f"{name}: {value}\n" for name, value in request.fields).encode()
    wire.send(b"HTTP/1.1 200 OK\r\nServer: old/1.0\r\nX-Powered-By: x\r\nX-Frame-Options: ALLOWALL\r\nContent-Length: %d\r\n\r\n" % len(body) + body)


def test_fields_are_set_and_removed_both_ways(way, serve, world):
    gw, scheme, curl = way
    if scheme == "http":
        serve(origins.Http, w.ORIGIN, 80, answer=echo)
    else:
        serve(origins.Https, world.cert, world.key, w.ORIGIN, 443, answer=echo)
    answer = curl("-i", "-A", "Secret/1", "-e", "https://intranet.example/secret", "-H", "X-Tenant: mine", f"{scheme}://origin.example.net/").stdout.decode().lower()
    head, body = answer.replace("\r", "").split("\n\n")[-2:]
    assert "x-tenant: example.com\n" in body and "mine" not in body and "referer: none\n" in body and "secret" not in body and "user-agent" not in body
    assert "x-frame-options: deny" in head and "allowall" not in head and "server:" not in head and "x-powered-by" not in head
    assert gw.record(method="GET", status=200)["rule"] == "headers"


def test_a_redirection_is_followed_by_a_real_client(way):
    gw, scheme, curl = way
    done = curl("-o", "/dev/null", "-w", "%{http_code} %{redirect_url}", f"{scheme}://graph.windows.net/old?token=1")
    assert done.stdout == b"302 https://intranet.example/moved"
    done = curl("-o", "/dev/null", "-w", "%{http_code}", "-d", "x=y", f"{scheme}://graph.windows.net/old")
    assert done.stdout == b"307"
    line = gw.record(status=302)
    assert line["fault"] == "redirected" and line["result"] == "TCP_REDIRECT" and line["rule"] == "elsewhere" and line["action"] == "deny"


def test_the_type_of_a_response_decides_before_a_byte_of_it_is_seen(way):
    gw, scheme, curl = way
    done = curl("-w", "%{http_code}", f"{scheme}://graph.windows.net/index.html")
    assert done.stdout.endswith(b"403") and b"hello from nginx" not in done.stdout and b"No pages" in done.stdout
    line = gw.record(status=403)
    assert line["rule"] == "pages" and line["fault"] == "denied" and line["address"] in (w.NGINX, w.NGINX6)
    assert curl("-w", "%{http_code} %{size_download}", "-o", "/dev/null", f"{scheme}://graph.windows.net/big").stdout == b"200 8388608"


def test_the_url_is_judged_in_one_spelling(way):
    gw, scheme, curl = way
    for path in ("/admin/x", "/%61dmin", "/x/../admin", "/x/%2e%2e/admin"):
        assert curl("--path-as-is", "-o", "/dev/null", "-w", "%{http_code}", f"{scheme}://graph.windows.net{path}").stdout == b"403"
    assert curl("-o", "/dev/null", "-w", "%{http_code}", f"{scheme}://graph.windows.net/who?/admin").stdout == b"200"


def test_who_goes_on_in_spite_of_a_warning_has_ten_minutes(gateway, world, folder, serve):
    cert, key = folder / "self.pem", folder / "self.key"
    w.run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out", cert, "-days", "10",
          "-subj", "/CN=origin.example.net", "-addext", "subjectAltName=DNS:origin.example.net")
    server = serve(origins.Https, cert, key, w.ORIGIN, 443, answer=echo)
    here = inspection.Inspecting(gateway, world, folder, rules=inspection.RULES + "on-bad-origin = self-signed:warn\n")
    jar = folder / "jar"

    def browse(*words):
        return here.gw.curl("-k", "--http1.1", "-b", jar, "-c", jar, "-H", "Accept: text/html", *words).stdout.decode()

    page = browse("-i", "https://origin.example.net/a?b=c")
    assert "502 Bad Gateway" in page and "signed by itself" in page and "Content-Security-Policy: default-src 'none'" in page
    assert "<form" not in here.gw.curl("-k", "--http1.1", "https://origin.example.net/script").stdout.decode()  # asks for no page
    action = re.search(r'<form method="post" action="([^"]*)"', page)[1].replace("&amp;", "&")
    assert action.startswith("https://origin.example.net/a?b=c&postern-consent=") and server.requests == []
    answer = browse("-i", "-X", "POST", "-H", "Content-Length: 0", action)
    assert "303 See Other" in answer and "Location: https://origin.example.net/a?b=c\r\n" in answer and server.requests == []
    body = browse("-H", "Cookie: own=1", "https://origin.example.net/a?b=c")
    assert [request.target for request in server.requests] == ["/a?b=c"] and "postern-consent" not in body
    assert here.gw.record(fault="origin-consent", status=303)["tls_detail"]
    assert here.gw.record(method="GET", status=200)["tls_detail"]
