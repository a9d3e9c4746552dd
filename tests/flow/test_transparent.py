# SPDX-License-Identifier: MIT
"""Clients that know of no proxy: what nftables brings to a transparent listener, by REDIRECT and by TPROXY, IPv4 and IPv6."""

import contextlib

import gateway as g
import inspection
import origin as origins
import pytest
import routed
import wire
import world as w

HOST = "v10.events.data.microsoft.com"
RULES = """
[rule diagnostics]
hosts = *.events.data.microsoft.com
action = bypass

[rule asked]
hosts = asked.microsoft.com
action = tunnel

[rule original]
hosts = graph.windows.net
action = tunnel
auth = none
original-address = yes

[rule original-plain]
hosts = plain.windows.net
action = tunnel
auth = none
original-address = yes

[rule judged]
hosts = origin.example.net
addresses = 20.42.0.10 20.42.0.20
action = tunnel
auth = none
original-address = yes

[rule denied]
hosts = denied.microsoft.com
action = deny

[rule inspected]
hosts = login.live.com
action = inspect
auth = none

[rule all]
action = tunnel
auth = none
"""
AUTH = "[auth]\nschemes = basic\nbasic-file = {users}\nbasic-without-tls = yes\n"


class Transparent:
    """A gateway with an explicit and a transparent listener, and the router before it."""

    def __init__(self, start, world, folder):
        self.world, self.port = world, g.free_port()
        self.cert, key = inspection.ca(folder)
        users = folder / "users"
        users.write_text("alice:$2y$05$abcdefghijklmnopqrstuuhV7kQnqd9W0XvJ7m3gUQ1lT0Yg1t6yG\n")
        users.chmod(0o640)
        more = f"\n[listener routed]\naddress = *:{self.port}\nmode = transparent\nclients = 0.0.0.0/0 ::/0\n"
        section = f"[inspection]\nca-cert = {self.cert}\nca-key = {key}\ntrust = {world.ca}\n"
        self.gw = start(section + AUTH.format(users=users) + RULES, more=more, workers=2, head_timeout="2s", connect_ports="443 8443 2525", http_ports="80 8080")
        self.seen = 0

    def curl(self, url, address, *words, ca=None, check=True):
        """As the routed client: the name leads it to this address, which nobody but the router sees."""
        host = url.split("/")[2]
        name, _, port = host.partition(":")
        port = port or ("443" if url.startswith("https") else "80")
        there = f"[{address}]" if ":" in address else address
        done = routed.inside("curl", "-sS", "--noproxy", "*", "--max-time", "20", "--cacert", ca or self.world.ca, "--resolve", f"{name}:{port}:{there}", *words, url)
        assert not check or done.returncode == 0, (done, self.gw.said()[-2000:])
        return done

    def record(self, **want):
        return self.gw.record(**want)


@pytest.fixture(scope="module")
def net(world):
    routed.begin()
    yield
    routed.no_rules()
    routed.end()


@pytest.fixture(scope="module", params=["redirect", "tproxy"])
def t(request, net, world, gateway_kept, tmp_path_factory):
    folder = tmp_path_factory.mktemp("transparent")
    here = Transparent(gateway_kept, world, folder)
    routed.no_rules()
    getattr(routed, request.param)(here.port, "80, 443, 8080, 2525")
    yield here
    routed.no_rules()
    here.gw.stop()


@contextlib.contextmanager
def serving(serve, address, port):
    server = origins.Server(serve, address, port)
    yield server
    server.close()


def answers(body):
    """A server that says this to every request."""

    def serve(c):
        while True:
            c.until(b"\r\n\r\n")
            c.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

    return serve


def fresh(t, **want):
    """How many lines of this kind there are already: the next one is the test's."""
    return len([line for line in t.gw.records() if all(line.get(k) == v for k, v in want.items())]) + 1


@pytest.mark.parametrize("address, client", [(w.NOBODY, routed.CLIENT), ("2001:db8::1", routed.CLIENT6)])
def test_the_name_in_the_hello_decides_and_is_resolved_by_us(t, address, client):
    n = fresh(t, host=HOST)
    assert t.curl(f"https://{HOST}/", address).stdout == b"hello from nginx\n"
    line = t.gw.record(n, host=HOST)
    assert (line["method"], line["port"], line["rule"], line["action"], line["guard"]) == ("CONNECT", 443, "diagnostics", "bypass", "passed")
    assert (line["client"], line["listener"], line["sni"], line["status"], line["fault"]) == (client, "routed", HOST, 200, None)
    assert line["address"] in (w.NGINX, w.NGINX6)
    assert any(f"CONNECT {HOST}:443 - HIER_DIRECT/" in one for one in t.gw.native_lines())


def test_a_rule_may_want_the_address_that_the_client_meant(t):
    n = fresh(t, host="graph.windows.net")
    assert t.curl("https://graph.windows.net/", w.NGINX).stdout == b"hello from nginx\n"
    line = t.gw.record(n, host="graph.windows.net")
    assert (line["rule"], line["address"], line["resolve_ms"]) == ("original", w.NGINX, None)
    assert any("CONNECT graph.windows.net:443 - ORIGINAL_DST/20.42.0.10" in one for one in t.gw.native_lines())
    assert t.curl("https://graph.windows.net/", w.NOBODY, check=False).returncode != 0
    assert t.gw.record(n + 1, host="graph.windows.net")["fault"] == "connect-refused"
    assert t.curl("https://graph.windows.net/", "10.1.2.3", check=False).returncode != 0
    assert t.gw.record(n + 2, host="graph.windows.net")["fault"] == "egress-denied"


def test_such_an_address_is_judged_by_the_rule_too(t):
    with serving(lambda c: c.until(b"\r\n\r\n") and c.send(b"HTTP/1.0 200 OK\r\n\r\nmine"), w.ORIGIN, 8080):
        assert t.curl("http://origin.example.net:8080/", w.ORIGIN).stdout == b"mine"
    line = t.gw.record(host="origin.example.net")
    assert (line["rule"], line["address"]) == ("judged", w.ORIGIN)
    assert b" 403 " in t.curl("http://origin.example.net:8080/", w.OTHER, "-i").stdout, "what the name resolves to would do, but that is not where it goes"
    assert t.gw.record(2, host="origin.example.net")["fault"] == "denied"


def test_connections_to_such_an_address_serve_nobody_else(t):
    """Else a client could have others' requests answered by a server of its choice."""
    name = "plain.windows.net"
    with serving(answers(b"theirs"), w.OTHER, 8080) as theirs, serving(answers(b"mine"), w.ORIGIN, 8080) as mine:
        for _ in range(6):
            assert t.curl(f"http://{name}:8080/", w.OTHER).stdout == b"theirs"
            assert t.curl(f"http://{name}:8080/", w.ORIGIN).stdout == b"mine"
        assert theirs.connections <= 2 and mine.connections <= 2, "but each worker uses its own again"


def raw(t, port, data, address=w.NGINX):
    """These bytes as the routed client; what comes back."""
    script = ("import socket,sys\ns=socket.create_connection((sys.argv[1],int(sys.argv[2])),20)\ns.sendall(bytes.fromhex(sys.argv[3]))\n"
              "s.settimeout(20)\nout=b''\n"
              "try:\n  while (b:=s.recv(65536)): out+=b\nexcept ConnectionResetError: pass\nsys.stdout.buffer.write(out)")
    return routed.inside("/usr/bin/python3", "-c", script, address, port, data.hex()).stdout


def test_plain_requests_are_decided_one_by_one(t):
    n = fresh(t, host="one.events.data.microsoft.com"), fresh(t, host="denied.microsoft.com")
    said = raw(t, 80, b"GET /who HTTP/1.1\r\nHost: one.events.data.microsoft.com\r\n\r\nGET / HTTP/1.1\r\nHost: denied.microsoft.com\r\nConnection: close\r\n\r\n", w.NOBODY)
    assert said.startswith(b"HTTP/1.1 200") and b"http one.events.data.microsoft.com one" in said and b"HTTP/1.1 403" in said
    assert t.gw.record(n[0], host="one.events.data.microsoft.com")["url"] == "http://one.events.data.microsoft.com/who"
    line = t.gw.record(n[1], host="denied.microsoft.com")
    assert (line["rule"], line["status"], line["fault"], line["listener"]) == ("denied", 403, "denied", "routed")


def test_host_names_the_target_and_without_it_the_address_does(t):
    n = fresh(t, url=f"http://{w.NGINX}/"), fresh(t, host="aka.ms"), fresh(t, host="nobody.example.net")
    assert b"hello from nginx" in raw(t, 80, b"GET / HTTP/1.0\r\n\r\n")
    t.gw.record(n[0], url=f"http://{w.NGINX}/")
    assert b"\r\n\r\nhello" in raw(t, 80, b"GET http://aka.ms/ HTTP/1.1\r\nHost: aka.ms\r\nConnection: close\r\n\r\n", w.NOBODY)
    assert t.gw.record(n[1], host="aka.ms")["url"] == "http://aka.ms/"
    assert raw(t, 80, b"GET / HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 400")
    assert raw(t, 80, b"CONNECT aka.ms:443 HTTP/1.1\r\nHost: aka.ms:443\r\n\r\n").startswith(b"HTTP/1.1 501")
    assert raw(t, 8080, b"GET / HTTP/1.1\r\nHost: nobody.example.net\r\nConnection: close\r\n\r\n").startswith(b"HTTP/1.1 502")
    assert t.gw.record(n[2], host="nobody.example.net")["port"] == 8080, "a Host without a port means the port that the client connected to"


def test_nobody_is_asked_who_they_are(t):
    done = t.curl("http://asked.microsoft.com/", w.NGINX, "-i")
    assert b" 403 " in done.stdout and b"407" not in done.stdout
    assert t.gw.record(host="asked.microsoft.com", scheme="http")["fault"] == "user-unknown"
    assert t.curl("https://asked.microsoft.com/", w.NGINX, check=False).returncode == 35
    line = t.gw.record(host="asked.microsoft.com", scheme="https")
    assert (line["fault"], line["status"], line["bytes_out"]) == ("user-unknown", 403, 0), "the client sees its connection end, no byte of ours"


def test_tls_that_is_refused_ends_without_a_word(t):
    n = fresh(t, host="denied.microsoft.com", method="CONNECT")
    assert t.curl("https://denied.microsoft.com/", w.NGINX, check=False).returncode == 35
    line = t.gw.record(n, host="denied.microsoft.com", method="CONNECT")
    assert (line["rule"], line["fault"], line["status"], line["bytes_out"]) == ("denied", "denied", 403, 0)


def test_inspection_works_there(t):
    n = fresh(t, host="login.live.com", method="GET")
    assert t.curl("https://login.live.com/who", w.NOBODY, ca=t.cert).stdout.startswith(b"https login.live.com")
    line = t.gw.record(n, host="login.live.com", method="GET")
    assert (line["rule"], line["url"]) == ("inspected", "https://login.live.com/who")
    outer = t.gw.record(host="login.live.com", method="CONNECT", session=line["session"])
    assert (outer["action"], outer["fault"]) == ("inspect", None)


def test_without_a_name_the_address_decides(t):
    n = fresh(t, host=w.NGINX, method="CONNECT")
    assert t.curl(f"https://{w.NGINX}/", w.NGINX, "-k").stdout == b"hello from nginx\n"
    line = t.gw.record(n, host=w.NGINX, method="CONNECT")
    assert (line["rule"], line["sni"], line["address"]) == ("all", None, w.NGINX)


def test_what_is_neither_goes_by_address_too(t):
    with serving(lambda c: c.send(c.exactly(9)), w.ORIGIN, 2525):
        assert raw(t, 2525, b"\x00\x01binary\n", w.ORIGIN).startswith(b"\x00\x01binary\n")
        line = t.gw.record(host=w.ORIGIN, port=2525)
        assert (line["method"], line["rule"], line["bytes_in"]) == ("CONNECT", "all", 9)


def test_a_server_that_speaks_first_is_reached_after_a_while(t):
    with serving(lambda c: c.send(b"220 here\r\n"), w.OTHER, 2525):
        assert raw(t, 2525, b"", w.OTHER) == b"220 here\r\n"


def test_a_large_hello_in_many_pieces(t):
    n = fresh(t, host=HOST)
    script = ("import socket,ssl,sys,time\nb,o=ssl.MemoryBIO(),ssl.MemoryBIO()\nc=ssl.create_default_context(cafile=sys.argv[2])\nc.set_alpn_protocols(['x'*200]*40+['http/1.1'])\n"
              f"e=c.wrap_bio(b,o,server_hostname='{HOST}')\ntry: e.do_handshake()\nexcept ssl.SSLWantReadError: pass\nh=o.read()\nassert len(h)>8000\n"
              "s=socket.create_connection((sys.argv[1],443),20)\ns.setsockopt(6,1,1)\nfor i in range(0,len(h),700): s.sendall(h[i:i+700])\n"
              "print(s.recv(1)==b'\\x16')")
    done = routed.inside("/usr/bin/python3", "-c", script, w.NGINX, t.world.ca)
    assert done.stdout == b"True\n", done
    assert t.gw.record(n, host=HOST)["rule"] == "diagnostics"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:80", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "10.66.0.1", "169.254.169.254", "localhost", "loopback.example.net",
                                  "loopback6.example.net", "mapped.example.net", "nat64.example.net", "sixtofour.example.net", "zero.example.net", "linklocal.example.net",
                                  "127.1", "0x7f000001", "2130706433", "aka.ms@127.0.0.1", "127.0.0.1#aka.ms", "aka.ms 127.0.0.1", "aka.ms, 127.0.0.1", "LOOPBACK.example.net."])
def test_no_host_leads_to_private_addresses_or_to_us(t, serve, host):
    inner = serve(origins.Http, "127.0.0.1", 80)
    for head in (f"GET / HTTP/1.1\r\nHost: {host}\r\n", f"GET http://{host}/ HTTP/1.1\r\nHost: aka.ms\r\n", f"GET http://{host}/ HTTP/1.0\r\n"):
        said = raw(t, 80, f"{head}Connection: close\r\n\r\n".encode())
        assert said.startswith((b"HTTP/1.1 400", b"HTTP/1.1 403", b"HTTP/1.1 502", b"HTTP/1.1 508", b"HTTP/1.1 421")), (head, said[:200])
    assert inner.connections == 0


def test_two_hosts_or_another_than_in_the_target_decide_nothing(t):
    for fields in ("Host: aka.ms\r\nHost: aka.ms\r\n", "Host: aka.ms\r\nhost: denied.microsoft.com\r\n", "Host: aka.ms\r\n Host: denied.microsoft.com\r\n", "Host : aka.ms\r\n"):
        assert raw(t, 80, f"GET / HTTP/1.1\r\n{fields}Connection: close\r\n\r\n".encode()).startswith(b"HTTP/1.1 400"), fields
    said = raw(t, 80, b"GET http://aka.ms/who HTTP/1.1\r\nHost: denied.microsoft.com\r\nConnection: close\r\n\r\n", w.NOBODY)
    assert b"http aka.ms aka.ms" in said, "the target names the host, for the rules and for the origin"
    assert raw(t, 80, b"GET http://denied.microsoft.com/ HTTP/1.1\r\nHost: aka.ms\r\nConnection: close\r\n\r\n").startswith(b"HTTP/1.1 403")


@pytest.mark.parametrize("name", ["loopback.example.net", "mapped.example.net", "gw.example.net", "127.0.0.1", "*.example.net", "x\0y.example.net"])
def test_no_name_in_a_hello_leads_there_either(t, serve, name):
    inner = serve(origins.Server, lambda c: c.rest(), "127.0.0.1", 443)
    hello = wire.client_hello("q" * len(name)).replace(b"q" * len(name), name.encode())
    assert raw(t, 443, hello, w.NOBODY)[:1] in (b"", b"\x15")
    assert inner.connections == 0


def test_an_original_address_of_a_private_network_is_refused_as_well(t):
    n = fresh(t, host="graph.windows.net", fault="egress-denied")
    assert raw(t, 443, wire.client_hello("graph.windows.net"), "10.1.2.3") == b""
    t.gw.record(n, host="graph.windows.net", fault="egress-denied")


def test_what_was_meant_for_the_listener_itself_is_closed(t):
    n = fresh(t, fault="no-original-address") + fresh(t, fault="self-target") - 1
    assert raw(t, t.port, b"GET / HTTP/1.1\r\nHost: aka.ms\r\n\r\n", routed.ROUTER) == b""
    lines = wire.wait_until(lambda: [one for one in t.gw.records() if one["fault"] in ("no-original-address", "self-target")][n - 1:], "its line")
    assert lines[0]["fault"] == "no-original-address" and lines[0]["listener"] == "routed"
    t.gw.says("was meant for the gateway itself, or nothing redirected it")
