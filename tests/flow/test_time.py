# SPDX-License-Identifier: MIT
"""Nothing waits for ever: each wait has its end, its status and its word in the log."""

import socket
import time

import origin as origins
import wire
import world as w

URL = "http://origin.example.net"


def test_a_slow_head_is_answered_408(gateway):
    gw = gateway(head_timeout="1s")
    with gw.connect() as c:
        c.send("GET http://origin.example.net/ HTTP/1.1\r\nHost: o")
        answer = c.response()
        assert answer.status == 408 and c.ended()
    assert gw.record(status=408)["fault"] == "head-timeout"


def test_one_byte_at_a_time_does_not_help(gateway):
    gw = gateway(head_timeout="1s")
    begin = time.monotonic()
    with gw.connect() as c:
        c.sock.settimeout(0.05)
        got = b""
        for byte in b"GET http://origin.example.net/ HTTP/1.1\r\nX-Slow: " + b"a" * 10000:
            try:
                c.send(bytes((byte,)))
                data = c.sock.recv(1000)
            except TimeoutError:
                continue
            except OSError:
                break
            got += data
            if not data:
                break
    assert time.monotonic() - begin < 10
    assert got == b"" or got.startswith(b"HTTP/1.1 408 ")


def test_a_connection_without_a_byte_is_closed(gateway):
    gw = gateway(head_timeout="1s")
    with gw.connect() as c:
        c.rest()


def test_an_idle_kept_connection_is_closed_without_a_word(gateway, origin):
    gw = gateway(keepalive_timeout="1s")
    with gw.connect() as c:
        assert c.send(wire.get(f"{URL}/")).response().status == 200
        assert c.rest() == b""


def test_an_idle_tunnel_ends(gateway, serve):
    serve(origins.Echo, w.ORIGIN, 443)
    gw = gateway(idle_timeout="1s")
    with gw.tunnel("origin.example.net:443") as t:
        for _ in range(8):
            assert t.send("x").exactly(1) == b"x"
            time.sleep(0.25)  # traffic, slower than the limit all in all, never idle for as long
        assert t.ended()
    assert gw.record(method="CONNECT")["fault"] == "idle-timeout"


def test_an_origin_that_never_answers_is_504(gateway, serve):
    serve(origins.Script, lambda wire, head: wire.rest(), w.ORIGIN, 80)
    gw = gateway(response_timeout="1s")
    answer = gw.get(f"{URL}/")
    assert answer.status == 504 and "http_response_timeout" in answer["proxy-status"]
    assert gw.record(status=504)["fault"] == "origin-timeout"


def test_an_origin_that_never_accepts_is_504(gateway, world):
    """A full backlog: the kernel drops what else comes."""
    full = socket.create_server((w.OTHER, 80), backlog=0)
    fill = []
    for _ in range(4):
        sock = socket.socket()
        sock.setblocking(False)
        sock.connect_ex((w.OTHER, 80))
        fill.append(sock)
    gw = gateway(connect_timeout="1s")
    answer = gw.get("http://other.example.net/")
    assert answer.status == 504 and "connection_timeout" in answer["proxy-status"]
    assert gw.record(status=504)["fault"] == "connect-timeout"
    for sock in (*fill, full):
        sock.close()


def test_one_byte_at_a_time_from_the_origin_arrives(gateway, serve):
    def play(wire, head):
        for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello":
            wire.send(bytes((byte,)))
            time.sleep(0.01)

    serve(origins.Script, play, w.ORIGIN, 80)
    answer = gateway().get(f"{URL}/")
    assert answer.status == 200 and answer.body == b"hello"


def test_a_slow_body_of_a_request_is_ended(gateway, origin):
    gw = gateway(response_timeout="1s")
    with gw.connect() as c:
        c.send(wire.get(f"{URL}/", "POST", "Content-Length: 100\r\n") + b"x")
        c.rest()
    assert gw.record(method="POST")["fault"] in ("body-timeout", "idle-timeout")
    assert origin.requests == []
