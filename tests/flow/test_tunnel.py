# SPDX-License-Identifier: MIT
"""Bytes through CONNECT: all of them, in order, both ways, to each end's own end."""

import hashlib
import threading

import origin as origins
import world as w

BIG = bytes(range(251)) * 80000  # 20 MB


def test_bytes_behind_the_connect_head_are_passed_on(gateway, serve):
    serve(origins.Echo, w.ORIGIN, 443)
    gw = gateway()
    with gw.tunnel("origin.example.net:443", early=b"early bytes") as t:
        assert t.exactly(11) == b"early bytes"
        assert t.send("later").exactly(5) == b"later"
    line = gw.record(method="CONNECT")
    assert line["status"] == 200 and line["host"] == "origin.example.net" and line["address"] == w.ORIGIN


def test_the_clients_fin_leaves_the_other_direction_open(gateway, serve):
    def play(wire, _head):
        data = wire.rest()
        wire.send(hashlib.sha256(data).hexdigest())

    server = serve(origins.Server, lambda wire: play(wire, None), w.ORIGIN, 443)
    gw = gateway()
    with gw.tunnel("origin.example.net:443") as t:
        t.send(BIG[:1000000]).shut()
        assert t.rest().decode() == hashlib.sha256(BIG[:1000000]).hexdigest()
    assert server.connections == 1
    assert gw.record(method="CONNECT")["bytes_in"] > 1000000


def test_the_origins_fin_leaves_the_other_direction_open(gateway, serve):
    got, over = [], threading.Event()

    def play(wire):
        wire.send(b"that was all").shut()
        got.append(wire.rest())
        over.set()

    serve(origins.Server, play, w.ORIGIN, 443)
    gw = gateway()
    with gw.tunnel("origin.example.net:443") as t:
        assert t.rest() == b"that was all"
        t.send(b"and this still arrives").shut()
        assert over.wait(20)
    assert got == [b"and this still arrives"]


def test_twenty_megabytes_each_way_at_once_arrive_unaltered(gateway, serve):
    serve(origins.Echo, w.ORIGIN, 443)
    gw = gateway()
    with gw.tunnel("origin.example.net:443") as t:
        writer = threading.Thread(target=t.send, args=(BIG,))
        writer.start()
        digest = hashlib.sha256()
        left = len(BIG)
        while left:
            data = t.exactly(min(left, 1000000))
            digest.update(data)
            left -= len(data)
        writer.join()
        assert digest.digest() == hashlib.sha256(BIG).digest()
        t.shut()
        assert t.ended()
    line = gw.record(method="CONNECT")
    assert line["bytes_in"] >= len(BIG) and line["bytes_out"] >= len(BIG)


def test_a_reset_of_one_side_ends_the_other(gateway, serve):
    ended = threading.Event()

    def play(wire):
        wire.rest()
        ended.set()

    serve(origins.Server, play, w.ORIGIN, 443)
    gw = gateway()
    t = gw.tunnel("origin.example.net:443")
    t.send("x").reset()
    assert ended.wait(20)
    gw.record(method="CONNECT", status=200)

    serve(origins.Server, lambda wire: (wire.exactly(1), wire.reset()), w.OTHER, 443)
    with gw.tunnel("other.example.net:443") as t:
        t.send("x")
        assert t.ended()
    gw.record(host="other.example.net")


def test_a_stalled_reader_costs_no_more_than_its_buffer(gateway, serve):
    """The origin sends without end, the client reads nothing: the worker must stop reading, not keep it all."""
    sent = []

    def play(wire):
        wire.sock.settimeout(1)
        try:
            while sum(sent) < 64 << 20:
                sent.append(wire.sock.send(b"x" * 65536))
        except TimeoutError:
            pass
        wire.sock.settimeout(20)
        wire.rest()

    server = serve(origins.Server, play, w.ORIGIN, 443)
    gw = gateway()
    before = gw.worker_memory()
    with gw.tunnel("origin.example.net:443") as t:
        import wire
        wire.wait_until(lambda: len(sent) > 0, "the origin to send")
        wire.wait_until(lambda: _still(sent), "the origin to be held up", 40)
        assert sum(sent) < 32 << 20, "what nobody reads went somewhere"
        assert gw.worker_memory() - before < 4 << 20
        t.reset()
    assert server.connections == 1
    gw.record(method="CONNECT")


def _still(sent):
    import time
    n = len(sent)
    time.sleep(0.5)  # measuring that nothing moves
    return len(sent) == n
