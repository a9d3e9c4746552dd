# SPDX-License-Identifier: MIT
"""The guard of a bypass rule: a tunnel begins with a ClientHello for a name of the rule that opened it."""

import pytest

import origin as origins
import wire
import world as w

NAME = "a.origin.example.net"
RULES = """
[rule diagnostics]
hosts = *.origin.example.net
action = bypass
guard = {}
"""


@pytest.fixture
def echo(serve):
    return serve(origins.Echo, w.ORIGIN, 443, banner=b"")


def test_a_right_hello_passes_unaltered(gateway, echo):
    gw = gateway(RULES.format("enforce"))
    hello = wire.client_hello(NAME)
    with gw.tunnel(f"{NAME}:443") as t:
        assert t.send(hello).exactly(len(hello)) == hello
        assert t.send("more").exactly(4) == b"more"
    line = gw.record(method="CONNECT")
    assert (line["action"], line["guard"], line["sni"], line["rule"]) == ("bypass", "passed", NAME, "diagnostics")
    assert line["alpn"] == "h2,http/1.1"
    assert echo.received == hello + b"more"


def test_any_name_of_the_rule_is_right(gateway, echo):
    gw = gateway(RULES.format("enforce"))
    hello = wire.client_hello("B.Origin.example.net")
    with gw.tunnel(f"{NAME}:443", early=hello) as t:
        assert t.exactly(len(hello)) == hello
    assert gw.record(method="CONNECT")["sni"] == "b.origin.example.net"


def test_a_hello_in_segments_of_one_byte_passes(gateway, echo):
    gw = gateway(RULES.format("enforce"))
    hello = wire.client_hello(NAME)
    with gw.tunnel(f"{NAME}:443") as t:
        for i in range(len(hello)):
            t.send(hello[i:i + 1])
        assert t.exactly(len(hello)) == hello


def test_a_hello_in_records_of_a_few_bytes_passes(gateway, echo):
    gw = gateway(RULES.format("enforce"))
    message = wire.client_hello(NAME)[5:]
    records = b"".join(b"\x16\x03\x01" + len(part).to_bytes(2, "big") + part for part in (message[i:i + 7] for i in range(0, len(message), 7)))
    with gw.tunnel(f"{NAME}:443") as t:
        assert t.send(records).exactly(len(records)) == records


BAD = [
    ("not-tls", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "guard-not-tls"),
    ("ssh", b"SSH-2.0-OpenSSH_9.2\r\n", "guard-not-tls"),
    ("wrong-sni", wire.client_hello("evil.example.net"), "guard-bad-sni"),
    ("parent-name", wire.client_hello("origin.example.net"), "guard-bad-sni"),
    ("inside-a-label", wire.client_hello("evilorigin.example.net"), "guard-bad-sni"),
    ("no-sni", wire.client_hello(None), "guard-no-sni"),
    ("sslv2", b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10" + b"\x01\x00\x80" * 7 + b"c" * 16, None),
    ("broken-hello", b"\x16\x03\x01\x00\x08\x01\x00\x00\x04\x03\x03\x00\x00", "guard-bad-hello"),
    ("not-a-hello", b"\x16\x03\x01\x00\x04\x02\x00\x00\x00", "guard-bad-hello"),
]


@pytest.mark.parametrize("row", BAD, ids=[row[0] for row in BAD])
def test_anything_else_is_closed_and_the_origin_gets_nothing(gateway, echo, row):
    gw = gateway(RULES.format("enforce"))
    with gw.tunnel(f"{NAME}:443") as t:
        t.send(row[1])
        assert t.ended()
    line = gw.record(method="CONNECT")
    assert line["guard"] == "closed" and line["status"] == 200 and line["fault"].startswith("guard-")
    if row[2]:
        assert line["fault"] == row[2]
    assert echo.received == b""
    assert " TCP_DENIED/200 " in gw.native_lines()[0]


@pytest.mark.parametrize("row", BAD, ids=[row[0] for row in BAD])
def test_report_lets_it_pass_and_says_so(gateway, echo, row):
    gw = gateway(RULES.format("report"))
    with gw.tunnel(f"{NAME}:443") as t:
        assert t.send(row[1]).exactly(len(row[1])) == row[1]
    line = gw.record(method="CONNECT")
    assert line["guard"] == "reported"


def test_off_looks_at_nothing(gateway, echo):
    gw = gateway(RULES.format("off"))
    with gw.tunnel(f"{NAME}:443") as t:
        assert t.send("plain").exactly(5) == b"plain"
    assert gw.record(method="CONNECT")["guard"] in (None, "", "-", "off")


def test_nothing_from_the_origin_passes_before_the_hello(gateway, serve):
    serve(origins.Echo, w.ORIGIN, 443, banner=b"220 ready")
    gw = gateway(RULES.format("enforce"), head_timeout="1s")
    with gw.tunnel(f"{NAME}:443") as t:
        assert t.rest() == b""  # closed by head-timeout
    line = gw.record(method="CONNECT")
    assert line["fault"] == "guard-timeout" and line["status"] == 200
    with gw.tunnel(f"{NAME}:443", early=wire.client_hello(NAME)) as t:
        assert t.exactly(9) == b"220 ready"


def test_under_report_and_off_a_server_that_speaks_first_is_heard(gateway, serve):
    serve(origins.Echo, w.ORIGIN, 443, banner=b"220 ready")
    for mode in ("report", "off"):
        with gateway(RULES.format(mode)).tunnel(f"{NAME}:443") as t:
            assert t.exactly(9) == b"220 ready"


def test_a_client_that_ends_before_its_hello_is_closed(gateway, echo):
    gw = gateway(RULES.format("enforce"))
    with gw.tunnel(f"{NAME}:443") as t:
        t.send(wire.client_hello(NAME)[:20]).shut()
        assert t.ended()
    line = gw.record(method="CONNECT")
    assert line["guard"] != "passed" and echo.received == b""


def test_a_literal_target_takes_a_name_that_the_same_rule_would_decide_or_none(gateway, echo):
    gw = gateway("[rule net]\naddresses = 20.42.0.0/24\naction = bypass\n")
    for sni in (None, NAME):
        hello = wire.client_hello(sni)
        with gw.tunnel(f"{w.ORIGIN}:443", early=hello) as t:
            assert t.exactly(len(hello)) == hello


def test_the_guard_looks_at_connect_only(gateway, origin):
    gw = gateway(RULES.format("enforce"))
    assert gw.get(f"http://{NAME}/").status == 200
