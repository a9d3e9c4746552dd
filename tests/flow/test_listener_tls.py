# SPDX-License-Identifier: MIT
"""TLS to the proxy itself: curl, HTTP/2 with CONNECT, certificates that are renewed, handshakes that fail."""

import hashlib
import signal
import ssl

import pytest

import browser as browsers
import certs
import edge as edges
import gateway as gateways
import inspection
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
        assert t.both_ways(BIG, len(BIG)) == BIG
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
    line = edge.gw.record(2, method="CONNECT", port=8443)
    assert line["status"] == 200 and line["fault"] is None and line["bytes_in"] > len(BIG), line
    assert any("CONNECT" in native and "TCP_TUNNEL/200" in native for native in edge.gw.native_lines())


def test_half_a_close_of_either_end_is_the_end_of_its_direction_alone(edge, serve):
    got = []

    def play(wire_):
        wire_.send(b"that was all").shut()
        got.append(wire_.rest())

    server = serve(origins.Server, play, w.ORIGIN, 443)
    with edge.h2() as client:
        t = client.tunnel("origin.example.net:443")
        assert t.rest() == b"that was all" and t.ended
        t.send(b"and this still arrives", end=True)
        wire.wait_until(lambda: got, "the origin's end")
    assert got == [b"and this still arrives"] and server.connections == 1
    assert edge.gw.record(method="CONNECT", host="origin.example.net", port=443)["fault"] is None


def test_what_breaks_off_is_a_reset_on_either_side(edge, serve):
    def play(wire_):
        first = wire_.exactly(1)
        if first == b"r":
            wire_.reset()
        else:
            seen.append(wire_.more())

    seen = []
    serve(origins.Server, play, w.OTHER, 443)
    with edge.h2() as client:
        t = client.tunnel("other.example.net:443").send(b"r")
        t.rest()
        assert t.reset == 10 and not t.ended  # CONNECT_ERROR
        assert edge.gw.record(method="CONNECT", host="other.example.net")["fault"] == "origin-reset"
        t = client.tunnel("other.example.net:443").send(b"c")
        t.cancel()
        assert edge.gw.record(2, method="CONNECT", host="other.example.net")["fault"] == "client-aborted"


def test_streams_of_a_connection_do_not_wait_for_one_that_stalls(edge, echo):
    with edge.h2() as client:
        stalled = client.tunnel(ECHO)
        client.stalled.add(stalled.number)
        for at in range(0, 1 << 19, 1 << 14):
            if min(stalled.window, client.window) < 1 << 14:
                break
            stalled.send(bytes(1 << 14))
        others = [client.tunnel(ECHO) for _ in range(120)]
        for number, t in enumerate(others):
            t.send(b"%03d" % number)
        assert [t.exactly(3) for t in others] == [b"%03d" % number for number in range(120)]
        assert client.most >= 100
        memory = edge.gw.worker_memory()
        stalled.send(b"")
        assert edge.gw.worker_memory() - memory < 4 << 20


def test_requests_and_refusals_have_streams_of_their_own(edge, site):
    with edge.h2() as client:
        denied, plain = client.connect("closed.example.net:443"), client.get("origin.example.net", "/over-h2?x=1")
        assert (denied.headers(), plain.headers()) == (403, 200)
        assert b"closed.example.net" in denied.rest()
        assert b"GET /over-h2?x=1 HTTP/1.1" in plain.rest()
        strange = client.get("origin.example.net", "/", "https")
        assert strange.headers() == 400  # not for a proxy: https is asked for by CONNECT
        odd = client.open([(":method", "CONNECT"), (":scheme", "https"), (":path", "/"), (":authority", ECHO)])
        client.pump(lambda: odd.reset is not None)
        assert odd.reset == 1  # PROTOCOL_ERROR: no such pseudo-fields with CONNECT (RFC 9113 8.5)
        again = client.get("origin.example.net", "/still")
        assert again.headers() == 200
    line = edge.gw.record(url="http://origin.example.net/over-h2?")
    assert line["status"] == 200 and line["tls_client"].startswith("TLSv1.3/")
    assert edge.gw.record(host="closed.example.net")["rule"] == "closed"


def test_the_guard_looks_into_streams(edge, world):
    with edge.h2() as client:
        t = client.tunnel("adl.windows.com:443")
        t.send(wire.client_hello("adl.windows.com"))
        assert t.exactly(1) == b"\x16"
        bad = client.tunnel("adl.windows.com:443")
        bad.send(b"GET / HTTP/1.1\r\n\r\n")
        client.pump(lambda: bad.reset is not None)
        t.cancel()
    assert edge.gw.record(host="adl.windows.com", guard="passed")
    assert edge.gw.record(host="adl.windows.com", guard="closed")["fault"] == "guard-not-tls"


def test_handshakes_that_fail_are_counted_and_not_noise(edge):
    since = len(edge.gw.said())
    for _ in range(3):
        with edge.gw.connect() as t:
            answer = t.send(wire.get("http://origin.example.net/")).response()
            assert answer.status == 400 and b"TLS" in answer.body
            assert t.ended()
        with edge.gw.connect() as t:
            t.send(b"SSH-2.0-nothing\r\n\r\n")
            assert t.sock.recv(100)[:1] in (b"", b"\x15")
        edge.gw.connect().close()  # looks whether somebody is there
    assert edge.gw.said()[since:].count("with the proxy itself failed") == 1
    assert not [line for line in edge.gw.records() if line["fault"] == "listener-tls-failed"]


def test_a_client_that_does_not_shake_hands_is_not_waited_for(gateway, folder):
    edge = edges.Edge(gateway, folder, head_timeout="1s")
    with edge.gw.connect() as slow, edge.gw.connect() as silent:
        slow.send(wire.client_hello("gw.example.net")[:40])
        assert slow.ended() and silent.ended()
    edge.gw.says("with the proxy itself failed: it took too long")


def test_a_renewed_certificate_is_shown_after_a_reload_and_tunnels_stay(gateway, folder, echo):
    edge = edges.Edge(gateway, folder, RULES, connect_ports="8443", workers=2)
    with edge.tunnel(ECHO) as old, edge.h2() as client:
        stream = client.tunnel(ECHO)
        before = old.sock.getpeercert(True)
        edge.renew(key="rsa2048")
        edge.gw.reload()
        for t in (old, stream):
            t.send(b"x")
            assert t.exactly(1) == b"x"
        with edge.connect() as new:
            assert new.sock.getpeercert(True) == edge.leaf.der() != before
        # a worker that starts anew has the same, whatever lies in the file by now
        edge.key.write_bytes(b"nothing")
        since = len(edge.gw.said())
        for pid in edge.gw.pids("worker"):
            wire.wait_until(lambda pid=pid: gateways.os.kill(pid, signal.SIGKILL) is None, "a worker's end")
        edge.gw.says("is there again", times=2, since=since)
        with edge.connect() as new:
            assert new.sock.getpeercert(True) == edge.leaf.der()
        # and what cannot be used is refused as a whole
        said = edge.gw.reload(ok=False)
        assert "tls-key: the file holds no private key" in said and "postern.ini:" in said
        with edge.connect() as new:
            assert new.sock.getpeercert(True) == edge.leaf.der()


@pytest.mark.parametrize("what, says", [
    ("wrong", "tls-key: the key .*is not that of the certificate in"),
    ("open", "tls-key: .*so that others can read or change the key"),
    ("pass phrase", "tls-key: .*has a pass phrase"),
    ("short", "key of 1024 bits, which is too short"),
])
def test_a_key_that_cannot_be_used_is_said_by_line_at_the_start(gateway, folder, what, says):
    edge = edges.Edge(gateway, folder, start=False, key="rsa1024" if what == "short" else "p256")
    if what == "wrong":
        certs.Cert("other", key=certs.ec.generate_private_key(certs.ec.SECP256R1())).write(folder, "edge")[1]
        edge.cert.write_bytes(edge.leaf.pem())
    elif what == "open":
        edge.key.chmod(0o644)
    elif what == "pass phrase":
        edge.key.write_bytes(edge.leaf.key.private_bytes(certs.PEM, certs.serialization.PrivateFormat.PKCS8, certs.serialization.BestAvailableEncryption(b"secret")))
    with pytest.raises(AssertionError, match=r"ended \(2\)"):
        edge.gw.start()
    said = edge.gw.said()
    assert gateways.re.search(rf"postern.ini:\d+: .*{says}", said), said
    check = gateways.command("check", "-c", edge.gw.file)
    assert check.returncode == 1 and gateways.re.search(rf"postern.ini:\d+: .*{says}", check.stderr), check.stderr


def test_basic_is_offered_where_tls_hides_it_and_nothing_else_over_http_2(gateway, folder, site):
    section = "[auth]\nntlm-file = " + str(logon.ntlm_file(folder / "ntlm", "alice")) + "\nbasic-file = " + str(logon.basic_file(folder / "basic", bob="pass word")) + \
        "\nschemes = ntlm basic\n"
    edge = edges.Edge(gateway, folder, "[rule users]\naction = tunnel\n", section=section, connect_ports="443 8443")
    offered = edge.connect().send(wire.get("http://origin.example.net/")).response().all("proxy-authenticate")
    assert [one.split()[0] for one in offered] == ["NTLM", "Basic"]
    assert edge.curl("--proxy-user", "bob:pass word", "--proxy-basic", "http://origin.example.net/").stdout
    assert edge.curl("--proxy-user", f"CORP\\alice:{logon.labs.password('alice')}", "--proxy-ntlm", "http://origin.example.net/").stdout
    with edge.h2() as client:
        for asked in (client.connect("origin.example.net:443"), client.get("origin.example.net")):
            assert asked.headers() == 407
            assert asked.fields["proxy-authenticate"].startswith("Basic ")
            assert asked.rest() and asked.ended
        credentials = logon.basic("bob", "pass word").split(": ", 1)[1].strip()
        assert client.get("origin.example.net", "/", "http", ("proxy-authorization", credentials)).headers() == 200
    assert edge.gw.record(user="bob", auth_scheme="Basic", status=200)
    assert edge.gw.record(user="CORP\\alice", auth_scheme="NTLM", status=200)


def binding_of(der):
    """MS-NLMP 2.2.2.1 and RFC 5929 4, in hexadecimal."""
    data = b"tls-server-end-point:" + hashlib.sha256(der).digest()
    return hashlib.md5(bytes(16) + len(data).to_bytes(4, "little") + data).hexdigest()


def test_a_log_on_that_is_bound_to_other_tls_is_refused(gateway, folder, site):
    section = "[auth]\nntlm-file = " + str(logon.ntlm_file(folder / "ntlm", "alice")) + "\n"
    edge = edges.Edge(gateway, folder, "[rule users]\naction = tunnel\n", section=section)
    for binding, status in ((binding_of(edge.leaf.der()), 200), (binding_of(b"another"), 407), (None, 200)):
        client = logon.Ntlm()
        client.words.cb = binding
        with edge.connect() as t:
            answer = t.send(wire.get("http://origin.example.net/", fields=client.first())).response()
            assert t.send(wire.get("http://origin.example.net/", fields=client.then(answer))).response().status == status, binding
    assert "wrong channel binding" in edge.gw.record(fault=logon.BAD)["auth_detail"]


@pytest.fixture(scope="module")
def inspecting(world, gateway_kept, folder_kept):
    cert, key = inspection.ca(folder_kept)
    section = f"[inspection]\nca-cert = {cert}\nca-key = {key}\ntrust = {world.ca}\n"
    edge = edges.Edge(gateway_kept, folder_kept, inspection.RULES, section=section, connect_ports="443 8443")
    edge.inside = cert
    return edge


def test_tls_is_taken_up_inside_tls(inspecting):
    for version in ("--http1.1", "--http2"):
        done = inspecting.curl(version, "--cacert", inspecting.inside, "-w", "%{http_version} %{response_code}", "-o", "/dev/null", "https://v10.events.data.microsoft.com/")
        assert done.stdout.decode().split()[1] == "200"
    line = inspecting.gw.record(2, method="GET", host="v10.events.data.microsoft.com")
    assert line["action"] == "inspect" and line["tls_client"].startswith("TLSv1.") and line["tls_origin"]


class Through:
    """A stream of HTTP/2 as the socket below TLS."""

    def __init__(self, stream, context, name):
        self.stream, self.coming, self.going = stream, ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.coming, self.going, server_hostname=name)
        self.do(self.tls.do_handshake)

    def do(self, step):
        while True:
            try:
                result, waits = step(), False
            except ssl.SSLWantReadError:
                result, waits = None, True
            if sent := self.going.read():
                self.stream.send(sent)
            if not waits:
                return result
            self.stream.client.pump(lambda: self.stream.data or self.stream.ended or self.stream.reset is not None)
            assert self.stream.data, (self.stream.ended, self.stream.reset)
            self.coming.write(self.stream.data)
            self.stream.data = b""


@pytest.mark.parametrize("alpn", ["http/1.1", "h2"])
def test_tls_is_taken_up_inside_a_stream_of_http_2(inspecting, serve, world, alpn):
    body = "x" * 300000
    serve(origins.Https, world.cert, world.key, w.ORIGIN, 443, lambda _request, wire_: wire_.send(
        f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n{body}"))
    context = ssl.create_default_context(cafile=str(inspecting.inside))
    context.set_alpn_protocols([alpn])
    with inspecting.h2() as client:
        t = Through(client.tunnel("origin.example.net:443"), context, "origin.example.net")
        assert t.tls.selected_alpn_protocol() == alpn
        got = b""
        if alpn == "h2":
            t.do(lambda: t.tls.write(edges.h2.PREFACE + edges.h2.frame(edges.h2.SETTINGS) + edges.h2.head(1, edges.h2.request("origin.example.net"))))
            while body[:60000].encode() not in got.replace(b"\0", b""):
                piece = t.do(lambda: t.tls.read(65536))
                got += piece[9:] if len(piece) == 9 else piece
                if len(got) > 60000:
                    break
        else:
            t.do(lambda: t.tls.write(b"GET / HTTP/1.1\r\nHost: origin.example.net\r\n\r\n"))
            while len(got) < len(body):
                got += t.do(lambda: t.tls.read(65536))
            assert got.endswith(body[:1000].encode())
        t.stream.cancel()
    line = inspecting.gw.record(method="CONNECT", host="origin.example.net")
    assert line["action"] == "inspect" and line["tls_origin"], line


@pytest.mark.skipif(browsers.missing() is not None, reason=str(browsers.missing()))
def test_chromium_has_the_tunnels_of_a_site_on_one_connection_of_http_2(gateway, folder, world, serve):
    serve(origins.Http, w.ORIGIN, 8080)
    edge = edges.Edge(gateway, folder, RULES, http_ports="80 8080")
    browser = browsers.Browser(edge.gw, edge.ca, world.ca, scheme="https")
    try:
        for host in ("v10.events.data.microsoft.com", "v20.events.data.microsoft.com"):
            assert browser.open(f"https://{host}/")["status"] == 200
        assert browser.open("http://origin.example.net:8080/from-a-browser")["status"] == 200
        assert browser.open("https://closed.example.net/") == "net::ERR_TUNNEL_CONNECTION_FAILED"
    finally:
        browser.close()
    lines = [edge.gw.record(host=host) for host in ("v10.events.data.microsoft.com", "v20.events.data.microsoft.com", "origin.example.net", "closed.example.net")]
    # one connection of HTTP/2 for each site that was looked at (it keeps them apart); over HTTP/1.1 each tunnel would be a session
    assert lines[0]["session"] == lines[1]["session"] and lines[0]["id"] != lines[1]["id"] and lines[3]["status"] == 403, lines
