# SPDX-License-Identifier: MIT
"""A CONNECT whose TLS is taken up: who is shown what, what reaches the origin, what the log says."""

import pytest

import inspection
import origin as origins
import wire
import world as w


@pytest.fixture
def inspecting(gateway, world, folder):
    return lambda **more: inspection.Inspecting(gateway, world, folder, **more)


@pytest.fixture
def site(serve, world):
    """An HTTPS origin at origin.example.net:443."""
    return lambda **more: serve(origins.Https, world.cert, world.key, w.ORIGIN, 443, **more)


def test_a_request_inside_reaches_the_origin_and_each_has_its_line(inspecting):
    here = inspecting()
    scheme, host, field, _connection, *via = here.curl("--http1.1", "https://graph.windows.net/who").stdout.split()
    assert (scheme, host, field, via) == (b"https", b"graph.windows.net", b"graph.windows.net", [b"1.1", b"gw.example.net"])
    inner = here.gw.record(method="GET")
    outer = here.gw.record(method="CONNECT")
    assert inner["status"] == 200 and inner["url"] == "https://graph.windows.net/who" and inner["fault"] is None
    assert outer["status"] == 200 and outer["action"] == "inspect" and outer["sni"] == "graph.windows.net" and outer["fault"] is None
    assert inner["session"] == outer["session"]
    assert outer["tls_client"].startswith("TLSv1.2/") and outer["tls_origin"].startswith("TLSv1.2/") and "Flow test CA" in outer["origin_issuer"]


def test_the_client_hears_no_better_version_than_the_origin_speaks(inspecting, site):
    site()
    here = inspecting()
    with here.inside("origin.example.net:443") as t:
        assert t.sock.version() == "TLSv1.3"
    with here.inside("graph.windows.net:443") as t:  # where nginx is told nothing of TLS 1.3
        assert t.sock.version() == "TLSv1.2"


def test_the_leaf_is_made_after_the_origins_certificate(inspecting):
    here = inspecting()
    with here.inside("graph.windows.net:443") as t:
        leaf = t.sock.getpeercert()
        assert ("DNS", "graph.windows.net") in leaf["subjectAltName"] and ("DNS", "*.events.data.microsoft.com") in leaf["subjectAltName"]
        assert dict(field[0] for field in leaf["issuer"])["commonName"] == "Inspection CA"
        assert t.sock.selected_alpn_protocol() == "http/1.1"


def test_many_requests_pass_one_tunnel_and_one_connection_of_the_origin(inspecting, site):
    server = site()
    here = inspecting()
    with here.inside("origin.example.net:443") as t:
        for i in range(20):
            t.send(f"GET /{i} HTTP/1.1\r\nHost: origin.example.net\r\n\r\n")
            assert t.response().status == 200
    assert [request.target for request in server.requests] == [f"/{i}" for i in range(20)]
    assert server.connections == 1 and server.names == ["origin.example.net"]


def test_an_origin_that_was_verified_is_not_connected_before_a_client_asks(inspecting, site):
    server = site(answer=lambda request, wire: wire.send("HTTP/1.1 204 No\r\nConnection: close\r\n\r\n") and False)
    here = inspecting()
    for number in (1, 2):
        with here.inside("origin.example.net:443") as t:
            assert server.connections == 1
            t.send("GET / HTTP/1.1\r\nHost: origin.example.net\r\n\r\n")
            assert t.response().status == 204
        here.gw.record(number, method="CONNECT")
    assert server.connections == 2


def test_a_body_passes_both_ways(inspecting, site, folder):
    site()
    here = inspecting()
    (folder / "big").write_bytes(bytes(range(256)) * 4096)
    got = here.curl("--data-binary", f"@{folder / 'big'}", "-H", "Expect:", "--http1.1", "https://graph.windows.net/upload").stdout
    assert got == b"1048576\n"
    assert len(here.curl("--http1.1", "https://graph.windows.net/big").stdout) == 1 << 23


def test_http2_is_spoken_with_clients_and_origins(inspecting):
    here = inspecting()
    urls = [f"https://graph.windows.net:8443/how?{i}" for i in range(10)]
    lines = here.curl("--http2", "--parallel", "-w", "%{http_version}\\n", *urls).stdout.decode().splitlines()
    assert lines.count("2") == 10
    answers = {line for line in lines if line != "2"}
    assert len(lines) == 20 and len(answers) == 1 and answers.pop().startswith("HTTP/2.0 "), lines
    assert here.gw.record(10, method="GET", status=200)["session"] == here.gw.record(method="CONNECT")["session"]


def test_a_protocol_that_is_switched_to_passes_as_a_tunnel(inspecting, site):
    def answer(_request, wire):
        wire.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        while wire.more():
            wire.send(wire.kept)
            wire.kept = b""
        return False

    site(answer=answer)
    here = inspecting()
    with here.inside("origin.example.net:443") as t:
        t.send("GET /chat HTTP/1.1\r\nHost: origin.example.net\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        assert t.response().status == 101
        assert t.send("ping").exactly(4) == b"ping"
    assert here.gw.record(method="GET", status=101)["bytes_in"] > 4
    here.gw.record(method="CONNECT", status=200)


def test_a_bad_origin_is_told_on_a_page_and_gets_no_request(inspecting, serve, folder):
    server = serve(origins.Https, *inspection.self_signed(folder), w.ORIGIN, 443)
    here = inspecting()
    done = here.curl("--http1.1", "-w", "%{http_code}", "https://origin.example.net/secret")
    assert done.stdout.endswith(b"502") and b"signed by itself" in done.stdout
    assert server.requests == []
    assert here.gw.record(method="GET")["fault"] == "origin-cert-self-signed"
    assert here.gw.record(method="CONNECT")["fault"] == "origin-cert-self-signed"


def test_a_bad_origin_that_a_rule_lets_pass_is_still_untrusted_by_the_client(inspecting, serve, folder):
    server = serve(origins.Https, *inspection.self_signed(folder), w.ORIGIN, 443)
    here = inspecting(rules=inspection.RULES + "on-bad-origin = self-signed:pass\n")
    assert here.curl("https://origin.example.net/", check=False).returncode == 60
    with here.inside("origin.example.net:443", verify=False) as t:
        t.send("GET / HTTP/1.1\r\nHost: origin.example.net\r\n\r\n")
        assert t.response().status == 200
    assert len(server.requests) == 1


def test_an_origin_that_speaks_no_tls_is_told_on_a_page(inspecting, serve):
    serve(origins.Echo, w.ORIGIN, 443, banner=b"220 hello\r\n")
    here = inspecting()
    done = here.curl("--http1.1", "-w", "%{http_code}", "https://origin.example.net/")
    assert done.stdout.endswith(b"502") and b"what the server sends is not TLS" in done.stdout
    assert here.gw.record(method="GET")["fault"] == "origin-tls-failed"


def test_a_client_that_does_not_trust_the_ca_is_logged(inspecting):
    here = inspecting()
    assert here.gw.curl("https://graph.windows.net/", check=False).returncode == 60
    line = here.gw.record(method="CONNECT")
    assert line["fault"] == "client-rejected-certificate" and "unknown" in line["tls_detail"]
    here.gw.says(r"graph\.windows\.net:443: clients reject the inspection certificate \(1 times; clients: 127\.0\.0\.1\)")


@pytest.mark.parametrize("first, option, fault", [
    (b"SSH-2.0-client\r\n", "non_tls", "inspect-not-tls"),
    (wire.client_hello(None), "missing_sni", "inspect-no-sni"),
    (wire.client_hello("login.live.com"), "foreign_sni", "inspect-foreign-sni"),
    (wire.client_hello("origin.example.net", ("imap",)), "unknown_alpn", "inspect-alpn"),
], ids=("no TLS", "no name", "another name", "another protocol"))
def test_what_cannot_be_inspected_is_refused_or_let_through_as_it_is(inspecting, serve, first, option, fault):
    server = serve(origins.Echo, w.ORIGIN, 443)
    here = inspecting()
    with here.gw.tunnel("origin.example.net:443", early=first) as t:
        rest = t.rest()
        assert rest == b"" or rest[0] == 21, rest  # an alert
    assert here.gw.record(method="CONNECT")["fault"] == fault
    assert server.received == b""
    here.gw.write(here.section + f"{option.replace('_', '-')} = tunnel\n" + inspection.RULES)
    here.gw.reload()
    with here.gw.tunnel("origin.example.net:443", early=first) as t:
        assert t.exactly(len(first)) == first
    line = here.gw.record(2, method="CONNECT")
    assert line["fault"] is None and fault in line["tls_detail"]


def test_a_client_that_says_nothing_is_closed_in_time(inspecting, serve):
    serve(origins.Echo, w.ORIGIN, 443)
    here = inspecting(gateway_options={"head_timeout": "1s"})
    with here.gw.tunnel("origin.example.net:443") as t:
        assert t.ended()
    assert here.gw.record(method="CONNECT")["fault"] == "inspect-timeout"


def test_an_address_is_inspected_under_the_name_that_the_hello_tells(inspecting, site):
    server = site()
    here = inspecting()
    with here.inside(f"{w.ORIGIN}:443", sni="origin.example.net") as t:
        t.send("GET / HTTP/1.1\r\nHost: origin.example.net\r\n\r\n")
        assert t.response().status == 200
    assert server.names == ["origin.example.net"]


def test_another_servers_name_inside_is_misdirected(inspecting, site):
    server = site()
    here = inspecting()
    with here.inside("origin.example.net:443") as t:
        t.send("GET / HTTP/1.1\r\nHost: other.example.net\r\n\r\n")
        assert t.response().status == 421
    assert server.requests == []


def test_what_carried_authorization_serves_no_other_client(inspecting, site):
    server = site()
    here = inspecting()
    for number, fields in ((1, "Authorization: Bearer x\r\n"), (2, ""), (3, "Authorization: Bearer y\r\n")):
        with here.inside("origin.example.net:443") as t:
            for _ in range(2):
                t.send(f"GET / HTTP/1.1\r\nHost: origin.example.net\r\n{fields}\r\n")
                assert t.response().status == 200
        here.gw.record(number, method="CONNECT")
    connections = [request.connection for request in server.requests]
    assert connections[0] == connections[1] and connections[2] == connections[3] and connections[4] == connections[5]
    assert connections[0] != connections[2] and connections[0] != connections[4]


def test_tunnels_of_other_rules_are_not_touched(inspecting, world):
    here = inspecting(rules="\n[rule as-it-is]\nhosts = graph.windows.net\naction = tunnel\nauth = none\n" + inspection.RULES)
    assert here.gw.curl("--cacert", world.ca, "https://graph.windows.net/").stdout == b"hello from nginx\n"
    assert here.curl("https://login.live.com/").stdout == b"hello from nginx\n"
