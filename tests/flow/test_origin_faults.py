# SPDX-License-Identifier: MIT
"""Origins that fail: what the client is told and what the log says."""

import pytest

import origin as origins
import wire
import world as w

URL = "http://origin.example.net/"


def test_a_refused_connection_is_502(gateway):
    gw = gateway()
    answer = gw.get("http://nobody.example.net/")
    assert answer.status == 502 and "connection_refused" in answer["proxy-status"]
    assert gw.record(status=502)["fault"] == "connect-refused"
    with gw.connect() as c:
        assert c.send("CONNECT nobody.example.net:443 HTTP/1.1\r\nHost: nobody.example.net:443\r\n\r\n").response().status == 502
    assert gw.record(method="CONNECT")["fault"] == "connect-refused"


def test_the_next_address_is_tried_when_one_refuses(gateway, origin):
    gw = gateway()
    for _ in range(6):
        assert gw.get("http://halfdead.example.net/", fields="Connection: close\r\n").status == 200


def test_the_other_family_is_tried_when_one_refuses(gateway, origin):
    assert gateway().get("http://both.example.net/").status == 200


ANSWERS = [
    ("closes-at-once", lambda wire: None, "origin-closed"),
    ("resets", lambda wire: wire.reset(), None),
    ("garbage", lambda wire: wire.send("SSH-2.0-x\r\n\r\n"), "bad-response"),
    ("http-0-9", lambda wire: wire.send("<html>hello</html>\r\n\r\n"), "bad-response"),
    ("te-and-cl", lambda wire: wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n"), "bad-response"),
    ("two-lengths", lambda wire: wire.send("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"), "bad-response"),
    ("obs-fold", lambda wire: wire.send("HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n"), "bad-response"),
    ("nul", lambda wire: wire.send("HTTP/1.1 200 OK\r\nX: \0\r\nContent-Length: 0\r\n\r\n"), "bad-response"),
    ("status-99", lambda wire: wire.send("HTTP/1.1 99 OK\r\nContent-Length: 0\r\n\r\n"), "bad-response"),
    ("half-a-head", lambda wire: wire.send("HTTP/1.1 200 OK\r\nContent-"), None),
    ("too-large-a-head", lambda wire: wire.send("HTTP/1.1 200 OK\r\nX: " + "a" * 400000 + "\r\n\r\n"), "response-head-too-large"),
]


@pytest.mark.parametrize("row", ANSWERS, ids=[row[0] for row in ANSWERS])
def test_an_answer_that_is_none_is_502(gateway, serve, row):
    def play(wire, head):
        row[1](wire)
        if wire.sock.fileno() != -1 and row[0] not in ("closes-at-once", "half-a-head"):
            wire.rest()

    serve(origins.Script, play, w.ORIGIN, 80)
    gw = gateway()
    answer = gw.get(URL)
    assert answer.status == 502 and answer["proxy-status"]
    fault = gw.record(status=502)["fault"]
    assert row[2] is None or fault == row[2]


def test_a_body_that_breaks_off_breaks_off_for_the_client_too(gateway, serve):
    serve(origins.Script, lambda wire, head: wire.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello"), w.ORIGIN, 80)
    gw = gateway()
    with gw.connect() as c:
        c.send(wire.get(URL))
        with pytest.raises((wire.Closed, ConnectionResetError)):
            c.response()
    assert gw.record(host="origin.example.net")["fault"] in ("response-incomplete", "origin-closed")


def test_a_chunked_body_that_breaks_off_never_looks_complete(gateway, serve):
    serve(origins.Script, lambda wire, head: wire.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"), w.ORIGIN, 80)
    gw = gateway()
    with gw.connect() as c:
        c.send(wire.get(URL))
        assert b"0\r\n\r\n" not in c.rest()


def test_a_kept_connection_that_died_is_not_the_clients_trouble(gateway, serve):
    """The origin closes a pooled connection: the next GET goes out on a new one."""
    origin = serve(origins.Http, w.ORIGIN, 80)
    gw = gateway()
    assert gw.get(URL).status == 200
    with origin.lock:
        for sock in list(origin.open):
            sock.shutdown(2)
    for _ in range(3):
        assert gw.get(URL).status == 200


def test_bytes_that_nobody_asked_for_are_not_the_next_answer(gateway, serve):
    """An answer sent in advance on a pooled connection must not be given to the next request."""
    def answer(request, wire):
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")

    serve(origins.Http, w.ORIGIN, 80, answer=answer)
    gw = gateway()
    with gw.connect() as c:
        for _ in range(3):
            assert c.send(wire.get(URL)).response().body == b"ok"
