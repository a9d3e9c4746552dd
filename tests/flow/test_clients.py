# SPDX-License-Identifier: MIT
"""Who may come, how many at once, and what happens when there is no room."""

import os
import time
from pathlib import Path

import gateway as g
import origin as origins
import wire
import world as w

URL = "http://origin.example.net/"


def test_who_may_not_come_is_closed_unread(gateway, origin):
    port = g.free_port(w.EDGE)
    gw = gateway(address=f"{w.EDGE}:{port}", clients="loopback private")
    gw.address = (w.EDGE, port)
    for data in (b"", wire.get(URL)):
        with gw.connect(source=w.STRANGER) as c:
            try:
                c.send(data)
            except OSError:
                pass
            assert c.rest() == b""
    with gw.connect(source="127.0.0.1") as c:
        assert c.send(wire.get(URL)).response().status == 200
    assert len(origin.requests) == 1
    gw.record(status=200)
    assert [line["client"] for line in gw.records() if line.get("status") == 200] == ["127.0.0.1"]


def test_one_client_has_a_limit_over_all_workers(gateway, serve):
    serve(origins.Echo, w.ORIGIN, 443)
    gw = gateway(workers=2, max_connections_per_client=5)
    held = [gw.tunnel("origin.example.net:443") for _ in range(5)]
    with gw.connect() as c:
        try:
            c.send("CONNECT origin.example.net:443 HTTP/1.1\r\nHost: origin.example.net:443\r\n\r\n")
        except OSError:
            pass
        answer = c.rest()
    assert answer == b"" or answer.startswith(b"HTTP/1.1 429 ")
    with gw.connect(source="127.0.0.2") as c:  # another client is not affected
        c.send("CONNECT origin.example.net:443 HTTP/1.1\r\nHost: origin.example.net:443\r\n\r\n")
        assert c.response("CONNECT").status == 200
    assert held[0].send("x").exactly(1) == b"x"
    for t in held:
        t.close()

    def again():
        try:
            gw.tunnel("origin.example.net:443").close()
            return True
        except (AssertionError, OSError):
            return False

    wire.wait_until(again, "room for the client again")


def test_out_of_descriptors_accepting_pauses_and_goes_on_later(gateway, serve):
    serve(origins.Echo, w.ORIGIN, 443)
    gw = gateway(rlimit=100, max_connections_per_client=0)
    held = []
    for _ in range(150):
        held.append(wire.connect(gw.address))
        held[-1].send("CONNECT origin.example.net:443 HTTP/1.1\r\nHost: origin.example.net:443\r\n\r\n")
    first = held[0]
    assert first.response("CONNECT").status == 200
    worker = gw.pids("worker")[0]
    before, begin = cpu(worker), time.monotonic()
    while time.monotonic() - begin < 1:  # measuring that nothing spins
        assert first.send("x").exactly(1) == b"x"
        time.sleep(0.05)
    assert cpu(worker) - before < 0.5
    for c in held:
        c.close()

    def again():
        try:
            with gw.tunnel("origin.example.net:443") as t:
                return t.send("x").exactly(1) == b"x"
        except (AssertionError, OSError):
            return False

    wire.wait_until(again, "the gateway to accept again")
    assert gw.pids("worker") == [worker]


def test_the_workers_own_limit_holds(gateway, serve):
    serve(origins.Echo, w.ORIGIN, 443)
    gw = gateway(max_connections=10, max_connections_per_client=0)
    held = [gw.tunnel("origin.example.net:443") for _ in range(10)]
    with wire.connect(gw.address) as waiting:
        waiting.send("CONNECT origin.example.net:443 HTTP/1.1\r\nHost: origin.example.net:443\r\n\r\n")
        held.pop().close()
        answer = waiting.response("CONNECT")
        assert answer.status in (200, 503), answer  # waits in the queue, or is told so
    for t in held:
        t.close()


def cpu(pid):
    """Seconds of CPU that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
