# SPDX-License-Identifier: MIT
"""Through other proxies: which one, how it is asked, what becomes of it when it fails; and the address that connections leave from."""

import os
import threading
import time

import gateway as gateways
import inspection
import logon
import origin as origins
import pytest
import squid as squids
import wire
import world as w

GUARDED = """
[rule diagnostics]
action = bypass
hosts = bypass.origin.example.net other.example.net
parent = none

[rule all]
action = tunnel
auth = none
"""


def section(name, address, **options):
    """The ini of a parent."""
    host = address if isinstance(address, str) else "%s:%d" % address
    lines = "".join(f"{key.replace('_', '-')} = {value}\n" for key, value in {"address": host, "health_interval": 0, **options}.items())
    return f"[parent {name}]\n{lines}\n"


def through(*sections, rules=gateways.LET_ALL):
    return "".join(sections) + rules


@pytest.fixture(scope="module")
def upstream(gateway_kept, folder_kept):
    """A Postern that wants a password."""
    users = logon.basic_file(folder_kept / "users", postern="open sesame")
    return gateway_kept("[auth]\nschemes = basic\nbasic-file = " + str(users) + "\nbasic-without-tls = yes\n\n[rule all]\naction = tunnel\nauth = required\n", via="no",
                        connect_ports="1-65535", visible_name="up.example.net")


@pytest.fixture
def secret(folder):
    return logon.secret(folder / "credentials", "postern:open sesame\n")


def silent(serve, answer=None):
    """A parent of a few lines: plays `answer` for each connection."""
    return serve(origins.Script, answer or (lambda wire, head: wire.rest()), w.OTHER, gateways.free_port(w.OTHER))


def place(server):
    return server.sock.getsockname()[:2]


def says(status, *more):
    return lambda wire, head: wire.send(b"HTTP/1.1 %d Said\r\nContent-Length: 0\r\n\r\n" % status + b"".join(more))


# --- a real one ---

def test_tunnels_and_plain_requests_go_through_a_parent_that_wants_a_password(gateway, upstream, secret, origin, serve):
    serve(origins.Echo, w.ORIGIN, 443)
    gw = gateway(through(section("up", upstream.address, auth="basic", credentials=secret)), parent="up")
    with gw.tunnel("origin.example.net:443") as t:
        assert t.send(b"hello").exactly(5) == b"hello"
    line = gw.record(method="CONNECT")
    assert (line["parent"], line["address"], line["fault"]) == ("up", "127.0.0.1", None)
    assert line["connect_ms"] is not None and line["resolve_ms"] is None
    for _ in range(2):
        assert gw.get("http://origin.example.net/plain").status == 200
    line = gw.record(2, method="GET", status=200)
    assert line["parent"] == "up"
    assert "FIRSTUP_PARENT/127.0.0.1" in gw.native_lines(3)[-1]
    request = origin.wait(2)[-1]
    assert request["proxy-authorization"] is None
    assert {line["user"] for line in upstream.records()} == {"postern"}


def test_a_wrong_password_is_our_trouble_and_never_the_clients(gateway, upstream, folder):
    wrong = logon.secret(folder / "wrong", "postern:nonsense\n")
    gw = gateway(through(section("up", upstream.address, auth="basic", credentials=wrong)), parent="up")
    for request, method in ((b"CONNECT origin.example.net:443 HTTP/1.1\r\nHost: x\r\n\r\n", "CONNECT"), (wire.get("http://origin.example.net/"), "GET")):
        answer = gw.ask(request, method)
        assert answer.status == 502 and answer["proxy-authenticate"] is None
        assert gw.record(method=method)["fault"] == "parent-auth-failed"
    gw.says(r"parent up does not accept our credentials: it refused them")
    assert "nonsense" not in gw.said()
    gw.stop()


def test_inspected_tunnels_go_through_a_parent_and_share_its_connections(gateway, world, folder, upstream, secret):
    inspecting = inspection.Inspecting(gateway, world, folder, rules=section("up", upstream.address, auth="basic", credentials=secret) + inspection.RULES,
                                       gateway_options={"parent": "up"})
    before = len(upstream.records())
    for _ in (0, 1):
        assert inspecting.look("v10.events.data.microsoft.com")[0] == 200
        outer, inner = inspecting.lines("v10.events.data.microsoft.com")
        assert (inner["parent"], inner["address"]) == ("up", "127.0.0.1")
        assert outer["parent"] == (None if _ else "up"), "the second finds the origin known"
    inspecting.gw.stop()
    assert [line["method"] for line in wire.wait_until(lambda: upstream.records()[before:], "the parent's line")] == ["CONNECT"]


def test_rules_choose_the_parent_or_none(gateway, upstream, secret, serve):
    serve(origins.Echo, w.OTHER, 443)
    serve(origins.Echo, w.ORIGIN, 443)
    gw = gateway(through(section("up", upstream.address, auth="basic", credentials=secret), rules=GUARDED), parent="up")
    hello = wire.client_hello("other.example.net")
    with gw.tunnel("other.example.net:443") as t:
        assert t.send(hello).exactly(len(hello)) == hello
    line = gw.record(host="other.example.net")
    assert (line["action"], line["parent"], line["address"]) == ("bypass", None, w.OTHER)
    with gw.tunnel("origin.example.net:443") as t:
        t.send(b"x").exactly(1)
    assert gw.record(host="origin.example.net")["parent"] == "up"


@pytest.fixture(scope="module")
def squid(world, folder_kept):
    """Squid that wants a password, and its port."""
    squids.program()
    users = folder_kept / "squid.users"
    users.write_text("postern:" + logon.openssl("passwd", "-apr1", "-stdin", text=b"open sesame") + "\n")
    users.chmod(0o644)
    port, log = gateways.free_port(), folder_kept / "squid.log"
    log.touch()
    log.chmod(0o666)
    conf = folder_kept / "squid.conf"
    conf.write_text(f"http_port 127.0.0.1:{port}\nauth_param basic program /usr/lib/squid/basic_ncsa_auth {users}\nacl known proxy_auth REQUIRED\nhttp_access allow known\n"
                    f"http_access deny all\naccess_log stdio:{log}\ncache_log /dev/null\npid_filename none\ncache deny all\ndns_nameservers {w.RESOLVER}\nshutdown_lifetime 0 seconds\n")
    with squids.running(conf, port):
        yield ("127.0.0.1", port), log


def test_squid_is_a_parent(gateway, squid, secret, origin, serve):
    serve(origins.Echo, w.ORIGIN, 443)
    place, log = squid
    gw = gateway(through(section("squid", place, auth="basic", credentials=secret)), parent="squid")
    with gw.tunnel("origin.example.net:443") as t:
        assert t.send(b"hello").exactly(5) == b"hello"
    for _ in range(3):
        assert gw.get("http://origin.example.net/plain").status == 200
    assert [r.target for r in origin.wait(3)] == ["/plain"] * 3
    wire.wait_until(lambda: log.read_text().count(" postern ") >= 4, "lines in Squid's log, with our name")
    assert {line["parent"] for line in gw.records()} == {"squid"}
    gw.write(through(section("squid", place)))
    gw.reload()
    assert gw.get("http://origin.example.net/plain").status == 502
    assert gw.record(status=502)["fault"] == "parent-auth-failed"


# --- odd ones ---

def test_bytes_that_come_with_the_200_belong_to_the_tunnel(gateway, serve):
    parent = silent(serve, lambda wire, head: (wire.send(b"HTTP/1.1 200 OK\r\n\r\nbanner"), wire.send(b" and more"), wire.rest()))
    gw = gateway(through(section("odd", place(parent))), parent="odd")
    with gw.tunnel("origin.example.net:443") as t:
        assert t.exactly(15) == b"banner and more"
    assert parent.heads[0].startswith(b"CONNECT origin.example.net:443 HTTP/1.1\r\nHost: origin.example.net:443\r\nVia: 1.1 gw.example.net\r\n\r\n")


def test_an_answer_that_comes_in_crumbs_is_read_to_its_end(gateway, serve):
    def crumbs(wire, head):
        for byte in b"HTTP/1.1 103 Early\r\nX: y\r\n\r\nHTTP/1.0 200\r\nX-Long: " + b"z" * 50 + b"\r\n\r\nrest":
            wire.send(bytes([byte]))
        wire.rest()

    gw = gateway(through(section("odd", place(silent(serve, crumbs)))), parent="odd")
    with gw.tunnel("origin.example.net:443") as t:
        assert t.exactly(4) == b"rest"


@pytest.mark.parametrize("answer, status, fault, detail", [
    (says(407), 502, "parent-auth-failed", "407"),
    (says(403), 502, "parent-refused", "403"),
    (says(503), 502, "parent-refused", "503"),
    (says(302), 502, "parent-refused", "302"),
    (says(101), 502, "parent-refused", "101"),
    (lambda wire, head: wire.send(b"SSH-2.0-OpenSSH_9.2\r\n"), 502, "parent-bad-response", "odd"),
    (lambda wire, head: wire.send(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 20000), 502, "parent-bad-response", "odd"),
    (lambda wire, head: wire.send(b"HTTP/1.1 200 "), 502, "parent-bad-response", "odd"),
    (lambda wire, head: wire.close(), 503, "parent-down", "origin-closed"),
    (lambda wire, head: wire.reset(), 503, "parent-down", "origin-reset"),
    (lambda wire, head: wire.rest(), 504, "parent-timeout", "odd"),
], ids=["407", "403", "503", "302", "101", "garbage", "endless", "broken off", "closes", "resets", "hangs"])
def test_a_parent_that_does_not_tunnel_is_told_apart(gateway, serve, answer, status, fault, detail):
    gw = gateway(through(section("odd", place(silent(serve, answer)))), parent="odd", connect_timeout="1s")
    assert gw.ask(b"CONNECT origin.example.net:443 HTTP/1.1\r\nHost: x\r\n\r\n", "CONNECT").status == status
    line = gw.record()
    assert line["fault"] == fault and detail in line["tls_detail"]


def test_what_a_parent_may_echo_carries_no_credentials(gateway, serve, secret):
    parent = silent(serve, lambda wire, head: wire.send(b"HTTP/1.1 200 OK\r\nContent-Type: message/http\r\nContent-Length: %d\r\n\r\n" % len(head) + head))
    gw = gateway(through(section("odd", place(parent), auth="basic", credentials=secret)), parent="odd")
    assert b"Basic" not in gw.get("http://origin.example.net/", method="TRACE", fields="Max-Forwards: 1\r\n").body
    assert b"Basic cG9z" in gw.get("http://origin.example.net/").body, "what else would not be told apart"


# --- several ---

def test_the_next_parent_takes_over_and_a_dead_one_is_left_alone(gateway, upstream, secret, origin):
    dead = ("127.0.0.1", gateways.free_port())
    gw = gateway(through(section("dead", dead, fail_after=2), section("up", upstream.address, auth="basic", credentials=secret)), parent="dead up")
    for _ in range(4):
        assert gw.get("http://origin.example.net/").status == 200
    assert gw.says(r"parent dead is down: connect-refused, 2 times in a row")
    assert all(line["parent"] == "up" for line in gw.records())


def test_a_dead_parent_that_nobody_checks_is_used_again_once_it_is_back(gateway, serve):
    """health-interval = 0: a request finds out now and then, and goes on to the next where it has not come back."""
    def pair(wire, head):
        wire.send(b"HTTP/1.1 200 OK\r\n\r\n")
        wire.rest()

    address = ("127.0.0.1", gateways.free_port())
    second = silent(serve, pair)
    gw = gateway(through(section("first", address, fail_after=1), section("second", place(second))), parent="first second")
    gw.tunnel("origin.example.net:443").close()
    assert gw.record()["parent"] == "second" and gw.says(r"parent first is down")
    serve(origins.Script, pair, *address)

    def first_again():
        time.sleep(0.25)  # between two requests
        gw.tunnel("origin.example.net:443").close()
        return any(line["parent"] == "first" for line in gw.records())

    wire.wait_until(first_again, "the first parent, within the ten seconds between two tries", 20)


def test_all_down_is_refused_or_goes_straight_as_configured(gateway, origin):
    dead = section("dead", ("127.0.0.1", gateways.free_port()), fail_after=1)
    gw = gateway(through(dead), parent="dead")
    assert gw.get("http://origin.example.net/").status == 503
    line = gw.record()
    assert line["fault"] == "parent-down" and line["tls_detail"] == "parent dead: connect-refused"
    gw.write(through(dead), parents_down="direct")
    gw.reload()
    assert gw.get("http://origin.example.net/").status == 200
    line = gw.record(2)
    assert line["parent"] is None and line["address"] == w.ORIGIN
    assert gw.ask(b"CONNECT private.example.net:443 HTTP/1.1\r\nHost: x\r\n\r\n", "CONNECT").status == 403, "straight, egress judges"


def test_a_parent_that_dies_under_traffic_costs_no_new_tunnel(gateway, serve):
    def pair(wire, head):
        wire.send(b"HTTP/1.1 200 OK\r\n\r\n")
        wire.rest()

    first, second = silent(serve, pair), silent(serve, pair)
    gw = gateway(through(section("first", place(first)), section("second", place(second))), parent="first second", parent_balance="round-robin")
    for i in range(4):
        gw.tunnel("origin.example.net:443").close()
        gw.record(i + 1)
    assert {line["parent"] for line in gw.records()} == {"first", "second"}
    first.close()
    for i in range(8):
        gw.tunnel("origin.example.net:443").close()
        gw.record(i + 5)
    assert {line["parent"] for line in gw.records()[4:]} == {"second"}
    gw.says("parent first is down")


def test_weights_and_clients_share_the_parents_out(gateway, serve):
    made = {name: silent(serve, says(403)) for name in ("heavy", "light", "backup")}
    sections = [section(name, place(server), weight=weight) for (name, server), weight in zip(made.items(), (3, 1, 0))]
    gw = gateway(through(*sections), parent="backup heavy light", parent_balance="round-robin")

    def ask(n, source=None):
        for _ in range(n):
            with gw.connect(source) as c:
                c.send(b"CONNECT origin.example.net:443 HTTP/1.1\r\nHost: x\r\n\r\n").response("CONNECT")
        return [len(server.heads) for server in made.values()]

    assert ask(8) == [6, 2, 0]
    gw.write(through(*sections), parent_balance="client")
    gw.reload()
    before = [len(server.heads) for server in made.values()]
    after = ask(5)
    assert sorted(a - b for a, b in zip(after, before)) == [0, 0, 5], "one client, one parent"
    assert "SOURCEHASH_PARENT/" in gw.native_lines(13)[-1]


def test_ourselves_are_no_parent(gateway, origin):
    port = gateways.free_port()
    gw = gateway(through(section("me", ("127.0.0.1", port))), port=port, parent="me")
    assert gw.get("http://origin.example.net/").status == 503
    assert gw.record()["tls_detail"] == "parent me: self-target"


def test_a_loop_over_two_parents_ends(gateway, origin):
    ports = [gateways.free_port(), gateways.free_port()]
    a = gateway(through(section("b", ("127.0.0.1", ports[1]))), port=ports[0], parent="b", visible_name="a.example.net")
    gateway(through(section("a", ("127.0.0.1", ports[0]))), port=ports[1], parent="a", visible_name="b.example.net")
    answer = a.get("http://origin.example.net/")
    assert answer.status >= 400
    a.ask(b"CONNECT origin.example.net:443 HTTP/1.1\r\nHost: x\r\n\r\n", "CONNECT")
    assert a.record(method="CONNECT", fault="via-loop") and a.record(method="GET", fault="via-loop")
    assert len(a.records()) == 4


# --- source ---

def test_connections_leave_from_the_address_that_the_rule_says(gateway, origin, serve):
    seen = []

    class Watching(origins.Http):
        def converse(self, wire):
            seen.append(wire.sock.getpeername()[0])
            super().converse(wire)

    serve(Watching, w.OTHER, 80)
    gw = gateway(f"[rule there]\naction = tunnel\nauth = none\nurl = /there*\nsource = {w.EDGE}\n\n[rule six]\naction = tunnel\nauth = none\nhosts = six.example.net\nsource = {w.EDGE}\n"
                 f"[rule nowhere]\naction = tunnel\nauth = none\nurl = /nowhere*\nsource = 192.0.2.77\n\n" + gateways.LET_ALL)
    gw.says(r"source = 192.0.2.77 is no address of this machine")
    for path in ("/there", "/here", "/there", "/here"):
        assert gw.get(f"http://other.example.net{path}").status == 200
    assert seen == [w.EDGE, w.OTHER], "pooled, but each from its own address"
    assert gw.get("http://six.example.net/").status == 502
    assert gw.record(host="six.example.net")["fault"] == "connect-unreachable"
    assert gw.get("http://other.example.net/nowhere").status == 502
    line = gw.record(url="http://other.example.net/nowhere")
    assert (line["fault"], line["tls_detail"]) == ("connect-failed", "from source 192.0.2.77, which is no address of this machine")


# --- health ---

def test_checks_find_a_parent_dead_and_back_without_traffic(gateway, serve, origin):
    port = gateways.free_port(w.OTHER)
    gw = gateway(through(section("up", (w.OTHER, port), health_interval="100ms", fail_after=2)), parent="up", workers=2)
    gw.says(r"parent up is down: connect-refused, 2 times in a row")
    assert gw.get("http://origin.example.net/").status == 503
    assert gw.record()["tls_detail"] is None, "nobody tried"
    back = serve(origins.Http, w.OTHER, port)
    gw.says(r"parent up is up again")
    assert gw.get("http://origin.example.net/").status == 200
    assert back.requests[0].target == "http://origin.example.net/"
    assert len(gw.said().split("is down")) == 2, "said once"


def test_a_check_may_ask_for_a_tunnel_with_our_credentials(gateway, serve, secret):
    sick = threading.Event()
    parent = silent(serve, lambda wire, head: wire.send(b"HTTP/1.1 503 No\r\n\r\n" if sick.is_set() else b"HTTP/1.1 200 OK\r\n\r\n"))
    gw = gateway(through(section("up", place(parent), health_interval="100ms", health_target="probe.example.net:443", fail_after=1, auth="basic", credentials=secret)), parent="up")
    wire.wait_until(lambda: len(parent.heads) > 2, "three checks")
    assert parent.heads[0] == (b"CONNECT probe.example.net:443 HTTP/1.1\r\nHost: probe.example.net:443\r\n"
                               b"Proxy-Authorization: Basic cG9zdGVybjpvcGVuIHNlc2FtZQ==\r\n\r\n")
    sick.set()
    gw.says("parent up is down: parent-refused")
    sick.clear()
    gw.says("parent up is up again")


def test_the_file_of_credentials_is_read_anew_by_a_reload(gateway, upstream, secret, origin):
    secret.write_text("postern:nonsense\n")
    gw = gateway(through(section("up", upstream.address, auth="basic", credentials=secret)), parent="up")
    assert gw.get("http://origin.example.net/").status == 502
    secret.write_text("postern:open sesame\n")
    gw.reload()
    assert gw.get("http://origin.example.net/").status == 200
    for pid in gw.pids("worker"):
        os.kill(pid, 9)
    gw.says("worker 0 .* is there again")
    assert gw.get("http://origin.example.net/").status == 200, "a new worker knows them too"
