# SPDX-License-Identifier: MIT
"""Where requests may lead: host-mismatch, literals, ports, ourselves, loops, and addresses that a name must not lead to."""

import pytest

import gateway as g
import origin as origins
import wire
import world as w


def refused(gw, target, status=403):
    """CONNECT and GET to it are both answered so; the JSON record of the first."""
    with gw.connect() as c:
        answer = c.send(f"CONNECT {target}:443 HTTP/1.1\r\nHost: {target}:443\r\n\r\n").response()
        assert answer.status == status, (target, answer)
    answer = gw.get(f"http://{target}/")
    assert answer.status == status, (target, answer)


def test_a_host_that_names_another_place_is_replaced_or_refused(gateway, origin):
    gw = gateway()
    assert gw.get("http://origin.example.net/a", host="other.example.net").status == 200
    assert origin.wait()[0].all("host") == ["origin.example.net"]
    gw = gateway(host_mismatch="refuse")
    assert gw.get("http://origin.example.net/b", host="other.example.net").status == 400
    assert gw.record(status=400)["fault"] == "host-mismatch"
    assert gw.get("http://origin.example.net/c", host="ORIGIN.example.net.:80").status == 200
    assert [r.target for r in origin.requests] == ["/a", "/c"]


def test_ipv6_literals_work(gateway, serve):
    origin = serve(origins.Http, w.ORIGIN6, 80)
    serve(origins.Echo, w.ORIGIN6, 443)
    gw = gateway()
    assert gw.get(f"http://[{w.ORIGIN6}]/").status == 200
    assert gw.get("http://[2603:1030:0700:0:0::20]:80/").status == 200
    assert [r["host"] for r in origin.wait(2)] == [f"[{w.ORIGIN6}]"] * 2
    with gw.tunnel(f"[{w.ORIGIN6}]:443") as t:
        assert t.send("x").exactly(1) == b"x"
    assert gw.record(method="CONNECT")["address"] == w.ORIGIN6


def test_a_name_with_only_an_ipv6_address_works(gateway, serve):
    serve(origins.Http, w.ORIGIN6, 80)
    assert gateway().get("http://six.example.net/").status == 200


@pytest.mark.parametrize("name", ["loopback", "loopback6", "private", "linklocal", "mapped", "nat64", "sixtofour", "zero"])
def test_a_name_that_leads_inside_is_refused(gateway, name):
    gw = gateway()
    refused(gw, f"{name}.example.net")
    for method in ("CONNECT", "GET"):
        line = gw.record(method=method)
        assert line["fault"] == "egress-denied" and line["status"] == 403


@pytest.mark.parametrize("literal", ["127.0.0.1", "127.9.9.9", "10.1.2.3", "169.254.169.254", "192.168.1.1", "172.16.0.1", "100.64.0.1", "0.0.0.0", "224.0.0.1",
                                     "[::1]", "[::]", "[fe80::1]", "[fd00::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[64:ff9b::7f00:1]", "[64:ff9b::10.0.0.1]",
                                     "[2002:7f00:1::1]", "[2002:0a00:1::]", "[::127.0.0.1]"])
def test_a_literal_that_leads_inside_is_refused(gateway, literal):
    gw = gateway()
    refused(gw, literal)
    for method in ("CONNECT", "GET"):
        assert gw.record(method=method)["fault"] == "egress-denied"


@pytest.mark.parametrize("odd", ["127.1", "2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "127.0.0.01", "127.0.0.1.2", "1.2.3.256", "017700000001", "0x7f.1"])
def test_odd_number_forms_are_no_hosts(gateway, odd):
    refused(gateway(), odd, 400)


def test_of_several_addresses_only_those_allowed_are_used(gateway, origin):
    gw = gateway()
    for _ in range(6):
        assert gw.get("http://mixed.example.net/", fields="Connection: close\r\n").status == 200
    assert all(line["address"] == w.ORIGIN for line in [gw.record(i + 1, host="mixed.example.net") for i in range(6)])


def test_a_name_that_is_rebound_is_judged_again(gateway, serve):
    """First a public address, then loopback: the second answer must not be reached."""
    answers = iter([[w.ORIGIN]] + [["127.0.0.1"]] * 1000)
    serve(origins.Dns, lambda name, kind: next(answers) if kind == "A" else [], w.RESOLVER2)
    # the origin does not keep connections, so that each request needs an address
    origin = serve(origins.Http, w.ORIGIN, 80, answer=lambda request, c: c.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n") and False)
    inside = serve(origins.Http, "127.0.0.1", 80)
    gw = gateway(resolver=w.RESOLVER2, pool_per_host=0)  # a connection kept from the first time would be asked, rightly, without a look-up
    first = gw.get("http://rebind.example.net/", fields="Connection: close\r\n")
    assert first.status == 200

    def second():
        return gw.get("http://rebind.example.net/", fields="Connection: close\r\n").status == 403

    wire.wait_until(second, "the TTL of one second to pass")
    assert origin.connections >= 1 and inside.connections == 0


def test_egress_allow_makes_an_exception(gateway, serve):
    serve(origins.Http, "127.0.0.1", 80)
    gw = gateway(egress_allow="127.0.0.1/32")
    assert gw.get("http://loopback.example.net/").status == 200
    refused(gw, "private.example.net")


def test_ports_are_kept(gateway, serve):
    serve(origins.Http, w.ORIGIN, 8080)
    serve(origins.Http, w.ORIGIN, 22)
    gw = gateway()
    assert gw.get("http://origin.example.net:8080/").status == 200
    assert gw.get("http://origin.example.net:22/").status == 403
    assert gw.record(port=22)["fault"] == "port-denied"
    with gw.connect() as c:
        assert c.send("CONNECT origin.example.net:8080 HTTP/1.1\r\nHost: origin.example.net:8080\r\n\r\n").response().status == 403
    gw = gateway(connect_ports="443 8080")
    gw.tunnel("origin.example.net:8080").close()


def test_our_own_listener_is_never_reached(gateway, world):
    port = g.free_port(w.EDGE)
    gw = gateway(address=f"{w.EDGE}:{port} 127.0.0.1:3129", egress_deny="none", connect_ports="1-65535", http_ports="1-65535")
    gw.address = (w.EDGE, port)
    for target in (f"edge.example.net:{port}", f"{w.EDGE}:{port}", "127.0.0.1:3129", "loopback.example.net:3129"):
        with gw.connect() as c:
            assert c.send(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n").response().status in (403, 508), target
        assert gw.get(f"http://{target}/").status in (403, 508), target
    assert gw.record(method="CONNECT")["fault"] == "self-target"


def test_a_listener_on_every_address_is_still_ourselves(gateway):
    port = g.free_port(w.EDGE)
    gw = gateway(address=f"0.0.0.0:{port}", egress_deny="none", connect_ports="1-65535")
    gw.address = ("127.0.0.1", port)
    for target in (f"127.0.0.1:{port}", f"{w.EDGE}:{port}", f"127.8.8.8:{port}", f"0.0.0.0:{port}", f"[::ffff:127.0.0.1]:{port}"):
        with gw.connect() as c:
            assert c.send(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n").response().status in (403, 508), target


def test_a_loop_is_seen_by_via(gateway, origin):
    gw = gateway()
    answer = gw.get("http://origin.example.net/", fields="Via: 1.0 a, 1.1 gw.example.net\r\n")
    assert answer.status == 508 and "proxy_loop_detected" in answer["proxy-status"]
    assert gw.record(status=508)["fault"] == "via-loop"
    assert origin.requests == []


def test_a_single_label_is_completed_by_the_search_list(gateway, origin):
    gw = gateway(resolver="system")
    assert gw.get("http://origin/").status == 200
    assert gw.get("http://hosts-file.example.org/").status == 200
