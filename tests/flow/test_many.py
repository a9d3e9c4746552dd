# SPDX-License-Identifier: MIT
"""Nine thousand tunnels at once, each alive, and no growth while they are held for a minute, nor slow figures; readers that stall."""

import itertools
import multiprocessing
import resource
import selectors
import socket
import time

import gateway as g
import origin as origins
import pytest
import wire
import world as w

MANY = 9000


def echo_forever(ready):
    """One process that echoes for all of them."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    pick = selectors.DefaultSelector()
    server = socket.create_server((w.ORIGIN, 443), backlog=4096)
    server.setblocking(False)
    pick.register(server, selectors.EVENT_READ)
    ready.set()
    while True:
        for key, _ in pick.select():
            if key.fileobj is server:
                while True:
                    try:
                        sock, _ = server.accept()
                    except BlockingIOError:
                        break
                    pick.register(sock, selectors.EVENT_READ)
            else:
                try:
                    data = key.fileobj.recv(4096)
                    key.fileobj.sendall(data)
                except OSError:
                    data = b""
                if not data:
                    pick.unregister(key.fileobj)
                    key.fileobj.close()


def figures_cost(port, ping):
    """Seconds that each page takes at best, and the longest that a tunnel waited meanwhile, at best of three rounds."""
    cost, waits = {}, []
    with wire.connect(("127.0.0.1", port)) as c:
        for path in ("/", "/status.json", "/history.json", "/metrics") * 3:
            c.send(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")
            begin = time.monotonic()
            ping.send(b"x")
            assert ping.exactly(1) == b"x"
            waits.append(time.monotonic() - begin)
            assert c.response().status == 200
            cost[path] = min(cost.get(path, 60), time.monotonic() - begin)
    return cost, min(max(waits[i:i + 4]) for i in range(0, len(waits), 4))


@pytest.mark.slow
def test_nine_thousand_tunnels_are_held_without_growth(gateway):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard < 2 * MANY + 500:
        pytest.skip(f"at most {hard} open files here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    ready = multiprocessing.Event()
    server = multiprocessing.Process(target=echo_forever, args=(ready,), daemon=True)
    server.start()
    assert ready.wait(20)
    tunnels = []
    try:
        port = g.free_port()
        gw = gateway(workers=2, max_connections_per_client=0, max_connections=MANY, admin=f"127.0.0.1:{port}")
        before = gw.worker_memory()
        for _ in range(MANY // 250):
            batch = [wire.connect(gw.address) for _ in range(250)]
            for c in batch:
                c.send("CONNECT origin.example.net:443 HTTP/1.1\r\nHost: origin.example.net:443\r\n\r\n")
            for c in batch:
                assert c.response("CONNECT").status == 200
            tunnels += batch
        held = gw.worker_memory()
        print(f"{(held - before) / MANY:.0f} bytes for each tunnel")
        begin = time.monotonic()
        for turn in itertools.count():
            for t in tunnels:
                t.send(bytes((turn % 256,)))
            for t in tunnels:
                assert t.exactly(1) == bytes((turn % 256,))
            if turn == 0:
                first = gw.worker_memory()
            if time.monotonic() - begin > 60:
                break
        last = gw.worker_memory()
        assert last - first < 1 << 20, f"grew from {first} to {last}"
        cost, waited = figures_cost(port, tunnels[0])
        print({path: f"{1000 * seconds:.1f} ms" for path, seconds in cost.items()}, f"a tunnel waited {1000 * waited:.1f} ms")
        assert max(*cost.values(), waited) < 0.02 * gw.patience, (cost, waited)
        for t in tunnels:
            t.close()
        wire.wait_until(lambda: gw.access.exists() and gw.access.read_bytes().count(b"\n") == MANY, f"{MANY} log lines", 60)
    finally:
        for t in tunnels:
            t.close()
        server.terminate()
        server.join(20)


def test_a_stalled_reader_costs_at_most_its_buffer(gateway, serve):
    """The origin sends without end; the client reads nothing. What the gateway keeps is bounded by tunnel-buffer."""
    stalled, buffer = 40, 65536

    def flood(wire_):
        chunk = b"x" * 65536
        try:
            while True:
                wire_.sock.sendall(chunk)
        except OSError:
            pass

    serve(origins.Server, flood, w.ORIGIN, 443)
    gw = gateway(workers=1, tunnel_buffer="64k")
    with gw.tunnel("origin.example.net:443") as t:  # warm: scratch buffers, pools
        t.exactly(8 << 20)
    before = gw.worker_memory()
    tunnels = [gw.tunnel("origin.example.net:443") for _ in range(stalled)]
    try:
        # each reads a little, so that the flood has begun, and then no more; another tunnel that reads on proves that the worker turned many times
        for t in tunnels:
            t.exactly(1 << 16)
        with gw.tunnel("origin.example.net:443") as busy:
            busy.exactly(64 << 20)
        after = gw.worker_memory()
        assert after - before < stalled * (buffer + 4096) + (1 << 20), f"{(after - before) // stalled} bytes for each stalled reader"
    finally:
        for t in tunnels:
            t.close()
