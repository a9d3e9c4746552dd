# SPDX-License-Identifier: MIT
"""Plain HTTP through the gateway: what the origin gets, what the client gets, who keeps which connection."""

import json
import threading

import origin as origins
import wire
import world as w

URL = "http://origin.example.net"


def test_pipelined_requests_are_answered_in_order(gateway, origin):
    gw = gateway()
    with gw.connect() as c:
        c.send(b"".join(wire.get(f"{URL}/{i}") for i in range(20)))
        answers = [json.loads(c.response().body)["line"] for _ in range(20)]
    assert answers == [f"GET /{i} HTTP/1.1" for i in range(20)]
    assert origin.connections == 1
    gw.record(20, status=200)


def test_a_pipelined_request_behind_a_body_is_not_part_of_it(gateway, origin):
    gw = gateway()
    with gw.connect() as c:
        c.send(wire.get(f"{URL}/a", "POST", "Content-Length: 5\r\n") + b"hello" + wire.get(f"{URL}/b", "POST", "Transfer-Encoding: chunked\r\n")
               + b"3\r\nabc\r\n0\r\n\r\n" + wire.get(f"{URL}/c"))
        assert [c.response().status for _ in range(3)] == [200, 200, 200]
    assert [(r.method, r.target, r.body) for r in origin.wait(3)] == [("POST", "/a", b"hello"), ("POST", "/b", b"abc"), ("GET", "/c", b"")]


def test_connections_are_kept_on_both_sides(gateway, origin):
    gw = gateway()
    for _ in range(3):
        with gw.connect() as c:
            for _ in range(3):
                answer = c.send(wire.get(f"{URL}/")).response()
                assert answer.status == 200 and (answer["connection"] or "").lower() != "close"
        gw.record(3, status=200)
    assert len(origin.requests) == 9
    assert origin.connections == 1


def test_the_origin_may_close_between_requests(gateway, serve):
    origin = serve(origins.Http, w.ORIGIN, 80, answer=lambda request, wire: wire.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") and False)
    gw = gateway()
    with gw.connect() as c:
        for i in range(20):
            assert c.send(wire.get(f"{URL}/{i}")).response().body == b"ok"
    assert origin.connections == 20


def test_chunked_uploads_and_their_trailers_reach_the_origin(gateway, origin):
    gw = gateway()
    with gw.connect() as c:
        c.send(wire.get(f"{URL}/up", "POST", "Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\nTE: trailers\r\n"))
        for i in range(50):
            c.send(b"%x;ext=1\r\n" % (i + 1) + b"z" * (i + 1) + b"\r\n")
        c.send(b"0\r\nX-Sum: 1275\r\n\r\n")
        assert c.response().status == 200
    request = origin.wait()[0]
    assert request.body == b"z" * 1275 and b"X-Sum: 1275" in request.trailers


def test_chunked_answers_and_their_trailers_reach_the_client(gateway, serve):
    serve(origins.Http, w.ORIGIN, 80, answer=lambda request, wire: wire.send(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n4\r\nabcd\r\n3\r\nefg\r\n0\r\nX-Sum: 7\r\n\r\n") and None)
    gw = gateway()
    with gw.connect() as c:
        for _ in range(2):
            answer = c.send(wire.get(f"{URL}/", fields="TE: trailers\r\n")).response()
            assert answer.body == b"abcdefg"


def test_an_answer_that_ends_with_its_connection_ends_the_clients_or_is_chunked(gateway, serve):
    serve(origins.Http, w.ORIGIN, 80, answer=lambda request, wire: wire.send("HTTP/1.1 200 OK\r\n\r\nuntil the end") and False)
    gw = gateway()
    answer = gw.get(f"{URL}/")
    assert answer.status == 200 and answer.body == b"until the end"


def test_expect_100_continue_is_answered_before_the_body_is_sent(gateway, origin):
    gw = gateway()
    with gw.connect() as c:
        c.send(wire.get(f"{URL}/", "PUT", "Content-Length: 4\r\nExpect: 100-continue\r\n"))
        assert c.response().status == 100
        answer = c.send("body").response()
        assert answer.status == 200 and json.loads(answer.body)["body"] == "body"


def test_expect_100_continue_may_be_answered_with_a_final_status(gateway, serve):
    serve(origins.Script, lambda wire, head: wire.send("HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"), w.ORIGIN, 80)
    gw = gateway()
    with gw.connect() as c:
        c.send(wire.get(f"{URL}/", "PUT", "Content-Length: 4000000000\r\nExpect: 100-continue\r\n"))
        assert c.response().status == 413


def test_websocket_over_plain_upgrade(gateway, serve):
    def play(wire, head):
        assert b"upgrade: websocket" in head.lower() and b"sec-websocket-key: dGhlIHNhbXBsZQ==" in head.lower().replace(b"dghlihnhbxbszq==", b"dGhlIHNhbXBsZQ==")
        wire.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nhello")
        while wire.more():
            wire.send(wire.kept[::-1])
            wire.kept = b""

    serve(origins.Script, play, w.ORIGIN, 80)
    gw = gateway()
    with gw.connect() as c:
        c.send(wire.get(f"{URL}/chat", fields="Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZQ==\r\nSec-WebSocket-Version: 13\r\n"))
        answer = wire.Response(c.until(b"\r\n\r\n")[:-4])
        assert answer.status == 101 and answer["upgrade"].lower() == "websocket" and "upgrade" in answer["connection"].lower()
        assert c.exactly(5) == b"hello"
        assert c.send(b"\x81\x00").exactly(2) == b"\x00\x81"
        c.shut()
        assert c.ended()
    line = gw.record(status=101)
    assert line["method"] == "GET" and line["bytes_out"] > 5


def test_an_upgrade_that_nobody_asked_for_is_not_passed_on(gateway, serve):
    serve(origins.Script, lambda wire, head: wire.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n"), w.ORIGIN, 80)
    gw = gateway()
    assert gw.get(f"{URL}/").status == 502
    assert gw.record(status=502)["fault"] in ("bad-upgrade", "bad-response")


def test_head_204_and_304_have_no_body_and_the_next_answer_is_found(gateway, serve):
    heads = {"HEAD": "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", "/204": "HTTP/1.1 204 No Content\r\n\r\n",
             "/304": "HTTP/1.1 304 Not Modified\r\nContent-Length: 77\r\nETag: \"x\"\r\n\r\n", "/": "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"}
    serve(origins.Http, w.ORIGIN, 80, answer=lambda request, wire: wire.send(heads["HEAD" if request.method == "HEAD" else request.target]) and None)
    gw = gateway()
    with gw.connect() as c:
        answer = c.send(wire.get(f"{URL}/", "HEAD")).response("HEAD")
        assert answer.status == 200 and answer["content-length"] == "1000"
        assert c.send(wire.get(f"{URL}/204")).response().status == 204
        answer = c.send(wire.get(f"{URL}/304")).response()
        assert answer.status == 304 and answer["etag"] == '"x"'
        assert c.send(wire.get(f"{URL}/")).response().body == b"ok"


def test_informational_answers_reach_a_1_1_client(gateway, serve):
    serve(origins.Http, w.ORIGIN, 80, answer=lambda request, wire: wire.send("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n") and True)
    gw = gateway()
    with gw.connect() as c:
        c.send(wire.get(f"{URL}/"))
        assert c.response().status == 103
        assert c.response().status == 200


def test_a_1_0_client_gets_an_answer_that_it_understands(gateway, serve):
    serve(origins.Http, w.ORIGIN, 80, answer=lambda request, wire: wire.send(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\n") and None)
    gw = gateway()
    with gw.connect() as c:
        c.send(b"GET http://origin.example.net/ HTTP/1.0\r\n\r\n")
        answer = c.response()
        assert answer.status == 200 and answer["transfer-encoding"] is None and answer.body == b"abcd"
        assert c.ended()


def test_a_1_0_client_may_keep_its_connection(gateway, origin):
    gw = gateway()
    with gw.connect() as c:
        for _ in range(2):
            answer = c.send(wire.get(f"{URL}/", version="1.0", fields="Proxy-Connection: keep-alive\r\n")).response()
            assert answer.status == 200
            assert "keep-alive" in (answer["connection"] or answer["proxy-connection"] or "").lower()


def test_fields_of_one_hop_stay_there(gateway, serve):
    origin = serve(origins.Http, w.ORIGIN, 80, answer=lambda request, wire: wire.send(
        "HTTP/1.1 200 OK\r\nConnection: X-Hop, keep-alive\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nProxy-Authenticate: Basic realm=x\r\nX-End: 1\r\n"
        "Content-Length: 0\r\n\r\n") and None)
    gw = gateway()
    answer = gw.get(f"{URL}/", fields="Connection: X-Mine, close, Host\r\nX-Mine: secret\r\nKeep-Alive: 5\r\nProxy-Connection: keep-alive\r\n"
                                      "Proxy-Authorization: Basic dTpw\r\nTE: trailers, gzip\r\nX-Yours: kept\r\n")
    request = origin.wait()[0]
    for name in ("x-mine", "keep-alive", "proxy-connection", "proxy-authorization"):
        assert request[name] is None, name
    assert request["x-yours"] == "kept" and request["host"] == "origin.example.net"
    assert request["via"].startswith("1.1 ")
    for name in ("x-hop", "keep-alive", "proxy-authenticate"):
        assert answer[name] is None, name
    assert answer["x-end"] == "1" and answer["via"].startswith("1.1 ")


def test_via_is_added_to_what_is_there_and_can_be_switched_off(gateway, origin):
    gateway().get(f"{URL}/", fields="Via: 1.0 first\r\n")
    assert ", ".join(origin.wait()[0].all("via")) == "1.0 first, 1.1 gw.example.net"
    gateway(via="no").get(f"{URL}/", fields="Via: 1.0 first\r\n")
    assert origin.wait(2)[1].all("via") in ([], ["1.0 first"])


def test_x_forwarded_for_is_as_configured(gateway, origin):
    for i, (value, want) in enumerate((("delete", []), ("append", ["10.9.9.9, 127.0.0.1"]), ("pass", ["10.9.9.9"]))):
        gateway(x_forwarded_for=value).get(f"{URL}/", fields="X-Forwarded-For: 10.9.9.9\r\n")
        assert [", ".join(origin.wait(i + 1)[i].all("x-forwarded-for"))] == (want or [""]), value


def test_host_is_made_from_the_target(gateway, origin):
    gw = gateway()
    rows = (("http://ORIGIN.Example.NET/", "origin.example.net"), ("http://origin.example.net.:80/a", "origin.example.net"),
            ("http://xn--bcher-kva.example.net/", "xn--bcher-kva.example.net"))
    for i, (url, want) in enumerate(rows):
        assert gw.get(url).status == 200, url
        assert origin.wait(i + 1)[i].all("host") == [want], url


def test_options_and_max_forwards(gateway, origin):
    gw = gateway()
    with gw.connect() as c:
        assert c.send(wire.get(f"{URL}", "OPTIONS", host="origin.example.net")).response().status == 200
        assert origin.wait()[0].line == "OPTIONS * HTTP/1.1"
        assert c.send(wire.get(f"{URL}/", "OPTIONS", "Max-Forwards: 0\r\n")).response().status == 200
        assert c.send(wire.get(f"{URL}/", "OPTIONS", "Max-Forwards: 5\r\n")).response().status == 200
    assert len(origin.wait(2)) == 2 and origin.requests[1]["max-forwards"] == "4"


def test_a_large_upload_and_download_arrive_whole(gateway, world):
    gw = gateway()
    done = gw.curl("http://adl.windows.com/big")
    assert done.stdout == bytes(range(256)) * 4096 * 8
    done = gw.curl("http://adl.windows.com/upload", "--data-binary", f"@{world.folder}/www/big", "-H", "Content-Type: x/y")
    assert done.stdout.strip() == str(256 * 4096 * 8).encode()
    done = gw.curl("http://adl.windows.com/upload", "--data-binary", f"@{world.folder}/www/big", "-H", "Transfer-Encoding: chunked")
    assert done.stdout.strip() == str(256 * 4096 * 8).encode()


def test_byte_ranges_pass(gateway, world):
    done = gateway().curl("http://adl.windows.com/big", "-r", "256-511", "-w", "%{http_code}")
    assert done.stdout == bytes(range(256)) + b"206"


def test_a_client_that_goes_away_frees_the_origin(gateway, serve):
    gone = threading.Event()

    def play(wire, _head):
        wire.rest()
        gone.set()

    server = serve(origins.Script, play, w.ORIGIN, 80)
    gw = gateway()
    c = gw.connect()
    c.send(wire.get(f"{URL}/"))
    wire.wait_until(lambda: server.heads, "the request at the origin")
    c.reset()
    assert gone.wait(20)
    assert gw.record(host="origin.example.net")["fault"] == "client-aborted"
