# SPDX-License-Identifier: MIT
"""Name servers that fail, lie dumb or say too much."""

import origin as origins
import wire
import world as w


def test_a_name_that_does_not_exist_is_502(gateway):
    gw = gateway()
    answer = gw.get("http://nx.example.org/")
    assert answer.status == 502 and "dns_error" in answer["proxy-status"]
    assert gw.record(status=502)["fault"] == "dns-nxdomain"


def test_a_name_without_an_address_is_502(gateway):
    gw = gateway()
    assert gw.get("http://nodata.example.net/").status == 502
    assert gw.record(status=502)["fault"] == "dns-no-address"


def test_a_silent_name_server_is_504(gateway, serve):
    serve(origins.Dns, lambda name, kind: None, w.RESOLVER2)
    gw = gateway(resolver=w.RESOLVER2, dns_timeout="1s")
    answer = gw.get("http://origin.example.net/")
    assert answer.status == 504 and "dns_timeout" in answer["proxy-status"]
    assert gw.record(status=504)["fault"] == "dns-timeout"


def test_no_name_server_at_all_is_an_error_not_a_hang(gateway):
    gw = gateway(resolver="127.0.0.99", dns_timeout="1s")
    assert gw.get("http://origin.example.net/").status in (502, 504)


def test_a_failing_name_server_is_502(gateway, serve):
    serve(origins.Dns, lambda name, kind: "servfail", w.RESOLVER2)
    gw = gateway(resolver=w.RESOLVER2, dns_timeout="2s")
    assert gw.get("http://origin.example.net/").status in (502, 504)


def test_a_second_name_server_is_asked(gateway, serve, origin):
    serve(origins.Dns, lambda name, kind: None, w.RESOLVER2)
    gw = gateway(resolver=f"{w.RESOLVER2} {w.RESOLVER}", dns_timeout="10s")
    assert gw.get("http://origin.example.net/").status == 200


def test_a_truncated_answer_is_asked_for_again_over_tcp(gateway, serve, origin):
    dns = serve(origins.Dns, lambda name, kind: "truncate", w.RESOLVER2, truth=lambda name, kind: [w.ORIGIN] * 3)
    gw = gateway(resolver=w.RESOLVER2)
    assert gw.get("http://long.example.net/").status == 200
    assert "tcp" in [question[2] for question in dns.questions]


def test_a_missing_half_does_not_hold_up_the_other(gateway, serve, origin):
    """AAAA is never answered; A is: no wait for the timeout."""
    serve(origins.Dns, lambda name, kind: [w.ORIGIN] if kind == "A" else None, w.RESOLVER2)
    gw = gateway(resolver=w.RESOLVER2, dns_timeout="15s")
    assert gw.get("http://half.example.net/").status == 200
    assert gw.record(status=200)["duration_ms"] < 5000


def test_equal_questions_are_asked_once(gateway, serve, origin):
    dns = serve(origins.Dns, lambda name, kind: [w.ORIGIN], w.RESOLVER2)
    gw = gateway(resolver=w.RESOLVER2)
    clients = [gw.connect() for _ in range(20)]
    for c in clients:
        c.send(wire.get("http://same.example.net/"))
    for c in clients:
        assert c.response().status == 200
        c.close()
    assert len([q for q in dns.questions if q[0] == "same.example.net" and q[1] == "A"]) <= 2
