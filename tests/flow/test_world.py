# SPDX-License-Identifier: MIT
"""The world that the other tests stand on, without a gateway: when this fails, look here first."""

import socket

import origin as origins
import wire
import world as w


def test_nginx_answers_for_the_microsoft_names_with_a_certificate_of_the_test_ca(world):
    done = wire.curl("https://v10.events.data.microsoft.com/", "--resolve", f"v10.events.data.microsoft.com:443:{w.NGINX}", cacert=world.ca)
    assert done.stdout == b"hello from nginx\n"


def test_the_origin_gives_back_what_it_got(origin):
    with wire.connect((w.ORIGIN, 80)) as c:
        first = c.send("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi").response()
        second = c.send("GET /b HTTP/1.1\r\nHost: x\r\n\r\n").response()
    assert (first.status, second.status) == (200, 200)
    assert [r.line for r in origin.wait(2)] == ["POST /a HTTP/1.1", "GET /b HTTP/1.1"]
    assert origin.requests[0].body == b"hi" and origin.connections == 1


def test_names_come_from_unbound_through_resolv_conf_and_hosts(world):
    assert socket.gethostbyname("v10.events.data.microsoft.com") == w.NGINX
    assert socket.gethostbyname("origin.example.net") == w.ORIGIN
    assert socket.gethostbyname("hosts-file.example.org") == w.ORIGIN


def test_a_client_hello_names_its_server(world):
    assert b"v10.events.data.microsoft.com" in wire.client_hello("v10.events.data.microsoft.com")
    assert b"microsoft" not in wire.client_hello(None)


def test_an_echo_ends_when_the_client_ends(serve):
    serve(origins.Echo, w.ORIGIN, 443)
    with wire.connect((w.ORIGIN, 443)) as c:
        assert c.send(b"x" * 100000).exactly(100000) == b"x" * 100000
        assert c.shut().ended()
