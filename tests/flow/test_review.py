# SPDX-License-Identifier: MIT
"""What hostile peers and unlucky operators tried, and what the gateway did about it."""

import contextlib
import os
import threading
import time

import gateway as gateways
import origin as origins
import pytest
import wire
import world as w

URL = "http://origin.example.net"

BY_ADDRESS = f"""
[rule address]
addresses = {w.ORIGIN}
action = tunnel
auth = none
"""


def test_a_connection_that_knows_its_user_is_used_again_when_rules_ask_for_addresses(gateway, origin):
    gw = gateway(rules=BY_ADDRESS)
    with gw.connect() as c:
        for _ in range(3):
            assert c.send(wire.get(f"{URL}/", fields="Authorization: NTLM abcd\r\n")).response().status == 200
    gw.record(3, status=200)
    # The next one is decided after the first client's servers have gone
    assert gw.get(f"{URL}/").status == 200
    assert [request.connection for request in origin.requests] == [1, 1, 1, 2]


@pytest.mark.parametrize("size", ["4k", "16m"])
def test_a_chunked_answer_of_any_size_reaches_an_old_client_whole(gateway, serve, size):
    body = bytes(range(256)) * 4096 * 4
    chunked = b"%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n"
    serve(origins.Http, w.ORIGIN, 80, answer=lambda request, wire: wire.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked) and None)
    gw = gateway(tunnel_buffer=size)
    for _ in range(3):
        answer = gw.get(f"{URL}/", version="1.0")
        assert answer.status == 200 and answer.body == body


def test_a_chunked_answer_that_breaks_off_does_not_look_whole_to_an_old_client(gateway, serve):
    serve(origins.Http, w.ORIGIN, 80, answer=lambda request, wire: wire.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n") and False)
    gw = gateway()
    with gw.connect() as c:
        c.send(wire.get(f"{URL}/", version="1.0"))
        c.until(b"hello")
        with pytest.raises(ConnectionResetError):
            c.more()
    gw.record(fault="response-incomplete")


def test_the_last_forwarded_address_is_always_the_one_that_the_gateway_saw(gateway, origin):
    gw = gateway(x_forwarded_for="append")
    fields = "X-Forwarded-For: 192.0.2.1\r\nUser-Agent: x\r\nx-forwarded-for: 192.0.2.2\r\n"
    assert gw.get(f"{URL}/", fields=fields).status == 200
    seen = ", ".join(origin.wait()[0].all("x-forwarded-for"))
    assert seen == "192.0.2.1, 192.0.2.2, 127.0.0.1"


def test_bytes_behind_an_answer_are_never_the_next_clients_answer(gateway, serve):
    planted = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"

    def answer(request, wire):
        head = b"HTTP/1.1 200 OK\r\nContent-Length: %5d\r\n\r\n"
        n = 16384 - len(head % 0)  # one whole read of the gateway, so that the rest is not seen with it
        wire.send(head % n + b"z" * n + planted)

    serve(origins.Http, w.ORIGIN, 80, answer=answer)
    gw = gateway()
    for _ in range(3):
        assert gw.get(f"{URL}/").body[:4] == b"zzzz"


def test_interim_answers_without_end_wait_for_the_client_and_hold_up_nobody(gateway, serve):
    interim = b"HTTP/1.1 103 Early Hints\r\nLink: </" + b"x" * 8000 + b">\r\n\r\n"
    sent, over, others = [0, 0], [threading.Event(), threading.Event()], threading.Event()

    def play(wire, head):
        which = b"HTTP/1.0" in head or b"Via: 1.0" in head
        wire.sock.settimeout(2)
        with contextlib.suppress(OSError):
            while sent[which] < 256 << 20 and not (which and others.is_set()):
                wire.sock.sendall(interim * 16)
                sent[which] += 16 * len(interim)
        over[which].set()

    serve(origins.Script, play, w.ORIGIN, 80)
    serve(origins.Http, w.OTHER, 80)
    gw = gateway()
    with gw.connect() as c, gw.connect() as old:
        c.send(wire.get(f"{URL}/"))  # and reads nothing
        assert over[0].wait(wire.PATIENCE)
        old.send(wire.get(f"{URL}/", version="1.0"))  # gets no interim answer at all
        wire.wait_until(lambda: sent[1] > 1 << 20, "a first megabyte")
        for _ in range(5):
            assert gw.get("http://other.example.net/").status == 200
        assert not over[1].is_set()
        others.set()
        assert over[1].wait(wire.PATIENCE)
    assert sent[0] < 64 << 20


LISTENERS = """
[rule b]
listeners = b
action = deny

[rule c]
listeners = {c}
action = tunnel
auth = none

[rule rest]
action = deny
"""


def test_a_connection_of_a_listener_that_was_removed_is_not_taken_for_one_of_another(gateway, origin):
    b, c = gateways.free_port(), gateways.free_port("127.0.0.2")
    gw = gateway(rules=LISTENERS.format(c="edge"), more=f"[listener b]\naddress = 127.0.0.1:{b}\nclients = any\n")
    with wire.connect(("127.0.0.1", b)) as old:
        assert old.send(wire.get(f"{URL}/")).response().status == 403
        gw.more = f"[listener c]\naddress = 127.0.0.2:{c}\nclients = any\n"
        gw.write(LISTENERS.format(c="c").replace("listeners = b", "listeners = edge"))
        gw.reload()
        gw.record(rule="b")
        with wire.connect(("127.0.0.2", c)) as new:
            assert new.send(wire.get(f"{URL}/")).response().status == 200
        assert old.send(wire.get(f"{URL}/")).response().status == 403
    gw.record(rule="rest", listener=lambda name: name in ("", "-", None))


def test_a_reset_after_a_half_close_ends_the_tunnel(gateway, serve):
    echo = []

    def hold(wire):
        echo.append(wire)
        while wire.more():
            pass
        echo.append("end")
        gone.wait(wire_patience)

    gone, wire_patience = threading.Event(), wire.PATIENCE
    serve(origins.Server, hold, w.ORIGIN, 443)
    gw = gateway()
    c = gw.tunnel("origin.example.net:443")
    c.send("x").shut()
    wire.wait_until(lambda: "end" in echo, "the FIN at the origin")
    c.reset()
    try:
        gw.record(fault="client-aborted")
    finally:
        gone.set()


def hello_without_end(size=60000):
    """A ClientHello that is right as far as it goes."""
    body = b"\x03\x03" + b"r" * 32 + b"\0" + b"\0\x02\x13\x01" + b"\x01\0"
    padding = size - len(body) - 6
    body += (padding + 4).to_bytes(2, "big") + b"\0\x15" + padding.to_bytes(2, "big") + b"\0" * padding
    message = b"\x01" + len(body).to_bytes(3, "big") + body
    return b"".join(b"\x16\x03\x01" + len(part).to_bytes(2, "big") + part for part in (message[i:i + 16384] for i in range(0, len(message), 16384)))


GUARD = """
[rule bypass]
hosts = origin.example.net
action = bypass
guard = {}
"""


def test_a_hello_that_comes_in_crumbs_has_no_more_time_than_another(gateway, serve):
    serve(origins.Echo, w.ORIGIN, 443)
    gw = gateway(rules=GUARD.format("enforce"), head_timeout="1s")
    hello = hello_without_end()
    with gw.tunnel("origin.example.net:443") as c:
        begun = time.monotonic()
        c.send(hello[:5000])
        with contextlib.suppress(OSError):
            for byte in hello[5000:-1]:
                c.send(bytes([byte]))
                c.sock.settimeout(0.004)
                with contextlib.suppress(TimeoutError):
                    if not c.more():
                        break
                assert time.monotonic() - begun < 6
    gw.record(fault="guard-timeout")


def test_a_server_that_speaks_first_is_heard_under_report_as_fast_as_the_client_reads(gateway, serve):
    banner = bytes(range(256)) * 4096 * 8
    serve(origins.Echo, w.ORIGIN, 443, banner=banner)
    gw = gateway(rules=GUARD.format("report"), head_timeout="1m")
    with gw.tunnel("origin.example.net:443") as c:
        assert c.exactly(len(banner)) == banner
    line = gw.record(host="origin.example.net")
    assert line["bytes_out"] > len(banner)


def test_many_addresses_start_and_stay_over_reloads(gateway, origin):
    ports = range(20000, 20250)
    more = "[listener many]\nclients = any\n" + "".join(f"address = 127.0.1.1:{port}\n" for port in ports)
    gw = gateway(workers=2, more=more)
    for _ in range(2):
        gw.reload()
        for port in (ports[0], ports[-1]):
            with wire.connect(("127.0.1.1", port)) as c:
                assert c.send(wire.get(f"{URL}/")).response().status == 200


def test_a_reload_while_a_worker_starts_again_leaves_no_worker_behind(gateway, origin):
    gw = gateway()
    for i in range(5):
        since = len(gw.said())
        old = gw.pids("worker")
        os.kill(old[0], 9)
        wire.wait_until(lambda: gw.pids("worker") and gw.pids("worker") != old, "another worker")
        gw.signal(1)
        gw.says(r"reloaded: generation|reload failed", since=since)
        assert "reload failed" not in gw.said()[since:], gw.said()[since:]
        assert gw.get(f"{URL}/").status == 200


def test_answers_that_have_no_body_do_not_say_how_long_it_is(gateway, serve):
    heads = [b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n", b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
             b"HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"]
    serve(origins.Http, w.ORIGIN, 80, answer=lambda request, wire: wire.send(heads[int(request.target[1:])]) and None)
    gw = gateway()
    with gw.connect() as c:
        for i in range(3):
            answer = c.send(wire.get(f"{URL}/{i}")).response()
            assert answer["content-length"] is None and answer["transfer-encoding"] is None, answer
        assert c.response().body == b"ok"


def test_a_request_that_a_server_began_to_answer_is_not_sent_twice(gateway, serve):
    seen = []

    def answer(request, wire):
        seen.append(request.target)
        if request.target == "/first":
            return True
        wire.send("HTTP/1.1 103 Early Hints\r\n\r\n")
        return False

    serve(origins.Http, w.ORIGIN, 80, answer=answer)
    gw = gateway()
    with gw.connect() as c:
        assert c.send(wire.get(f"{URL}/first")).response().status == 200
        assert c.send(wire.get(f"{URL}/second", "DELETE")).response().status == 103
        assert c.response().status == 502
    assert seen == ["/first", "/second"]


def test_a_head_that_is_larger_than_allowed_is_refused_however_it_comes(gateway, origin):
    gw = gateway(max_head="4k")
    assert gw.get(f"{URL}/", fields=f"X: {'x' * 3000}\r\n").status == 200
    assert gw.get(f"{URL}/", fields=f"X: {'x' * 5000}\r\n").status == 431
    assert gw.get(f"{URL}/{'x' * 5000}").status == 414
    assert len(origin.requests) == 1


def test_an_answer_whose_body_is_wrong_from_the_start_is_a_502(gateway, serve):
    serve(origins.Http, w.ORIGIN, 80, answer=lambda request, wire: wire.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n") and None)
    gw = gateway()
    assert gw.get(f"{URL}/").status == 502
    gw.record(fault="bad-response", status=502)


def test_max_forwards_is_a_number_or_the_request_is_refused(gateway, origin):
    gw = gateway()
    assert gw.get(f"{URL}/", method="TRACE", fields="Max-Forwards: 00\r\n").status == 200
    assert origin.requests == []
    for bad in ("-1", "+1", "x", "", "1, 2", "99999999999999999999999"):
        assert gw.get(f"{URL}/", method="TRACE", fields=f"Max-Forwards: {bad}\r\n").status == 400, bad
    gw.get(f"{URL}/", method="OPTIONS", fields="Max-Forwards: 7\r\n")
    assert origin.wait()[0].all("max-forwards") == ["6"]


def test_an_upgrade_to_another_http_is_not_offered_to_the_origin(gateway, origin):
    gw = gateway()
    for version in ("h2c", "HTTP/2.0", "websocket, h2c"):
        fields = f"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: {version}\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"
        assert gw.get(f"{URL}/", fields=fields).status == 200
    for request in origin.wait(3):
        assert request["upgrade"] is None and request["http2-settings"] is None


def test_an_answer_without_a_date_gets_one(gateway, serve):
    serve(origins.Http, w.ORIGIN, 80, answer=lambda request, wire: wire.send(
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" + (b"Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n" if request.target == "/dated" else b"") + b"\r\n") and None)
    gw = gateway()
    assert gw.get(f"{URL}/dated").all("date") == ["Sun, 06 Nov 1994 08:49:37 GMT"]
    assert len(gw.get(f"{URL}/").all("date")) == 1
    assert len(gw.get("http://nobody.example.net/").all("date")) == 1


def test_a_full_pool_does_not_take_the_descriptors_of_the_living(gateway, serve):
    ports = range(21000, 21250)
    for port in ports:
        serve(origins.Http, w.ORIGIN, port)
    gw = gateway(rlimit=256)
    with gw.connect() as c:
        for port in ports:
            assert c.send(wire.get(f"{URL}:{port}/")).response().status == 200, port


def test_bytes_that_passed_under_report_are_counted_though_no_hello_came(gateway, serve):
    serve(origins.Echo, w.ORIGIN, 443, banner=b"b" * 1000)
    gw = gateway(rules=GUARD.format("report"))
    c = gw.tunnel("origin.example.net:443")
    c.exactly(1000)
    c.send(hello_without_end()[:500])
    c.exactly(500)
    c.reset()
    line = gw.record(fault="client-aborted")
    assert line["bytes_in"] > 500 and line["bytes_out"] > 1500


def test_two_gateways_do_not_share_a_port(gateway):
    gw = gateway(workers=2)
    other = gateways.command("run", "-c", gw.file)
    assert other.returncode == 2 and "cannot listen" in other.stderr and f":{gw.port}" in other.stderr, other


def test_an_empty_line_alone_is_no_request(gateway, origin):
    gw = gateway(head_timeout="200ms", keepalive_timeout="1s")
    with gw.connect() as c:
        assert c.send(wire.get(f"{URL}/", "POST", "Content-Length: 2\r\n") + b"ok\r\n").response().status == 200
        c.send(b"\r\n")
        assert c.ended()  # at the end of keepalive-timeout, without a word
    gw.get(f"{URL}/")
    gw.record(2, status=200)
    assert len(gw.records()) == 2


def test_no_wrapping_of_its_own_address_leads_back_to_the_gateway(gateway):
    port = gateways.free_port(w.EDGE)
    gw = gateway(address=f"127.0.0.1:{gateways.free_port()} {w.EDGE}:{port}")
    gw.address = (w.EDGE, port)
    for wrapped in ("::ffff:20.42.0.40", "64:ff9b::20.42.0.40", "2002:142a:28::1"):
        assert gw.get(f"http://[{wrapped}]:{port}/").status == 403
    gw.record(3, fault="self-target")


def test_a_client_over_its_limit_is_told_why(gateway):
    gw = gateway(max_connections_per_client=1)
    with gw.connect(), gw.connect() as c:
        answer = c.response()
        assert answer.status == 429 and answer["proxy-status"] == 'gw.example.net; error=connection_limit_reached; details="client-limit"'
        assert b"Too many connections" in answer.body and answer["date"]


def test_a_hello_in_too_many_records_is_the_clients_fault_however_fast_it_comes(gateway, serve):
    serve(origins.Echo, w.ORIGIN, 443)
    gw = gateway(rules=GUARD.format("enforce"))
    hello = hello_without_end()
    message = b"".join(hello[i + 5:i + 5 + 16384] for i in range(0, len(hello), 16389))
    crumbs = b"".join(b"\x16\x03\x01\0\x01" + bytes([byte]) for byte in message)
    with gw.tunnel("origin.example.net:443") as c, contextlib.suppress(OSError):
        c.send(crumbs)
        c.rest()
    gw.record(guard="closed", fault="guard-bad-hello")


def test_large_answers_do_not_cost_a_client_the_connection_that_knows_it(gateway, serve):
    body = bytes(range(256)) * 4096 * 4
    origin = serve(origins.Http, w.ORIGIN, 80, answer=lambda request, wire: wire.send(
        b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: NTLM abcd\r\nContent-Length: %d\r\n\r\n" % len(body) + body) and None)
    gw = gateway()
    with gw.connect() as c:
        for _ in range(60):
            assert c.send(wire.get(f"{URL}/", fields="Authorization: NTLM abcd\r\n")).response().status == 401
    assert origin.connections == 1


@pytest.mark.parametrize("rules", ["", f"[rule address]\naddresses = {w.OTHER}\naction = tunnel\nauth = none\n"])
def test_a_trace_that_ends_here_is_decided_like_any_other(gateway, rules):
    gw = gateway(rules=rules + "[rule host]\nhosts = other.example.net\naction = tunnel\nauth = none\n")
    assert gw.get(f"{URL}/", method="TRACE", fields="Max-Forwards: 0\r\n").status == 403
    answer = gw.get("http://other.example.net/", method="TRACE", fields="Cookie: a=b\r\nMax-Forwards: 0\r\nProxy-Authorization: Basic eA==\r\n")
    assert answer.status == 200
    assert answer.body == b"TRACE http://other.example.net/ HTTP/1.1\r\nHost: other.example.net\r\nMax-Forwards: 0\r\n\r\n"
    gw.record(status=200, action="tunnel", method="TRACE")
