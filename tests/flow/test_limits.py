# SPDX-License-Identifier: MIT
"""Fairness: bandwidth by rule and by client, connections by rule, and the queue in front of them; with several workers, and while these die or reload."""

import os
import signal
import threading
import time

import inspection
import origin as origins
import pytest
import web
import wire
import world as w

K, M = 1 << 10, 1 << 20
SECONDS = 5.0  # a rate is measured over at least so long
SLACK = 0.05

RULES = """
[rule shared]
ports = 81
action = tunnel
auth = none
bandwidth = 2m
[rule each]
ports = 82
action = tunnel
auth = none
bandwidth-per-client = 500k
[rule plain]
ports = 83
action = tunnel
auth = none
bandwidth = 1m
[rule narrow]
ports = 84
action = tunnel
auth = none
max-connections = 2
[rule free]
action = tunnel
auth = none
"""


def flood(w_):
    """Bytes without end, to whoever connects."""
    chunk = b"x" * 65536
    while True:
        w_.sock.sendall(chunk)


def body(request, w_):
    """A body of the length that the path names."""
    if request.method != "GET":
        return True
    n = int(request.target.split("/")[-1])
    w_.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % n)
    while n > 0:
        w_.send(b"x" * min(n, 65536))
        n -= 65536
    return None


def held(w_):
    """Says hello and stays until the other side goes."""
    w_.send(b"here")
    w_.rest()


class Reader(threading.Thread):
    """Counts what comes out of some tunnels."""

    def __init__(self, tunnels):
        super().__init__(daemon=True)
        self.tunnels, self.got = tunnels, [0] * len(tunnels)
        for i in range(len(tunnels)):
            threading.Thread(target=self.read, args=(i,), daemon=True).start()

    def read(self, i):
        try:
            while data := self.tunnels[i].sock.recv(1 << 18):
                self.got[i] += len(data)
        except OSError:
            pass

    def close(self):
        for t in self.tunnels:
            t.close()


@pytest.fixture(scope="module")
def gw(gateway_kept, serve_kept):
    for port in (81, 82, 443):
        serve_kept(origins.Server, flood, w.ORIGIN, port)
    serve_kept(origins.Http, w.ORIGIN, 83, body)
    serve_kept(origins.Server, held, w.ORIGIN, 84)
    return gateway_kept(rules=RULES, workers=2, queue_timeout="2s", max_connections_per_client=0, connect_ports="81 82 84 443")


def tunnels(gw, port, n, source=None):
    return [gw.tunnel(f"origin.example.net:{port}", source=source) for _ in range(n)]


def measure(readers, seconds=SECONDS):
    """What came in that time, by reader, in bytes a second; once the bursts are over."""
    wire.wait_until(lambda: all(sum(r.got) for r in readers), "the first bytes")
    time.sleep(0.5)
    before, begin = [list(r.got) for r in readers], time.monotonic()
    time.sleep(seconds)
    took = time.monotonic() - begin
    return [[(now - then) / took for now, then in zip(r.got, b)] for r, b in zip(readers, before)]


def near(rate, want, slack=SLACK):
    return want * (1 - slack) < rate < want * (1 + slack)


def test_rates_are_kept_by_rule_and_by_client_and_are_fair(gw):
    """All at once: 30 tunnels that share 2 MiB/s over two workers, a client with 20 tunnels beside one with one, real curl both ways, and a tunnel without limit."""
    curls = {}

    def run(name, *words):
        begin = time.monotonic()
        gw.curl("--output", "/dev/null", *words)
        curls[name] = time.monotonic() - begin

    upload = gw.folder / "upload"
    upload.write_bytes(b"x" * (3 * M))
    sharers, greedy, modest = tunnels(gw, 81, 30), tunnels(gw, 82, 20, "127.0.0.2"), tunnels(gw, 82, 1, "127.0.0.3")
    readers = [Reader(sharers), Reader(greedy), Reader(modest)]
    jobs = [threading.Thread(target=run, args=("down", f"http://origin.example.net:83/{3 * M}")),
            threading.Thread(target=run, args=("up", "--data-binary", f"@{upload}", "http://origin.example.net:83/"))]
    begin = time.monotonic()
    for job in jobs:
        job.start()
    try:
        shared, many, one = measure(readers)
        for job in jobs:
            job.join(30)
        took = time.monotonic() - begin
    finally:
        for r in readers:
            r.close()
    assert near(sum(shared), 2 * M), f"{sum(shared) / M:.3f} MiB/s"
    assert near(sum(many), 500 * K), f"{sum(many) / K:.0f} KiB/s"
    assert near(one[0], 500 * K), f"{one[0] / K:.0f} KiB/s"
    assert min(shared) > sum(shared) / 30 * 0.6 and max(shared) < sum(shared) / 30 * 1.6, [round(r / K) for r in shared]
    assert min(many) > sum(many) / 20 * 0.4, [round(r / K) for r in many]
    # both ways together: 6 MiB at 1 MiB/s, of which a fifth of a second's worth is there from the start
    assert near(6 / (took + 0.2), 1.0, 0.08), (took, curls)


def test_a_tunnel_without_limit_does_not_wait_for_those_with(gw):
    sharers, free = Reader(tunnels(gw, 81, 4)), Reader(tunnels(gw, 443, 1))
    try:
        wire.wait_until(lambda: free.got[0] > 256 * M, "256 MiB through the tunnel without limit")
        assert sum(sharers.got) < 16 * M
    finally:
        sharers.close()
        free.close()


def test_who_comes_too_late_waits_and_then_is_told_when_to_come_again(gw):
    first = [gw.tunnel("origin.example.net:84") for _ in range(2)]
    third, fourth = gw.connect(), gw.connect()
    try:
        third.send("CONNECT origin.example.net:84 HTTP/1.1\r\nHost: origin.example.net:84\r\n\r\n")
        time.sleep(0.3)  # a time in the queue, for the log
        first[0].close()  # perhaps in another worker
        answer = third.response("CONNECT")
        assert answer.status == 200
        assert third.exactly(4) == b"here"
        begin = time.monotonic()
        answer = fourth.send("CONNECT origin.example.net:84 HTTP/1.1\r\nHost: origin.example.net:84\r\n\r\n").response()
        assert answer.status == 503 and 1.8 < time.monotonic() - begin < 4
        assert 2 <= int(answer["retry-after"]) < 10
        assert 'details="queue-timeout"' in answer["proxy-status"]
    finally:
        for t in (*first, third, fourth):
            t.close()
    line = gw.record(fault="queue-timeout")
    assert line["queue_ms"] >= 1990 and line["status"] == 503 and line["rule"] == "narrow"
    assert gw.record(rule="narrow", queue_ms=lambda ms: ms is not None and 250 <= ms < 1900)["status"] == 200
    assert gw.record(rule="narrow", queue_ms=None)


def test_places_of_a_worker_that_was_killed_are_free_again(gw):
    taken = [gw.tunnel("origin.example.net:84") for _ in range(2)]
    since = len(gw.said())
    for pid in gw.pids("worker"):
        os.kill(pid, signal.SIGKILL)
    gw.says(r"(?i)worker.*(signal 9|killed|died|exit)", since=since)
    for t in taken:
        assert t.rest() in (b"here", b"")
        t.close()

    def both():
        try:
            again = [gw.tunnel("origin.example.net:84") for _ in range(2)]
        except (OSError, AssertionError):
            return False
        for t in again:
            t.close()
        return True

    wire.wait_until(both, "both places")


def test_a_reload_changes_the_rate_of_tunnels_that_live(gateway, serve):
    serve(origins.Server, flood, w.ORIGIN, 86)
    rule = "[rule all]\naction = tunnel\nauth = none\n"
    gw = gateway(rules=rule + "bandwidth = 1m\n", workers=2, connect_ports="86")
    reader = Reader(tunnels(gw, 86, 3))
    try:
        (before,) = measure([reader], 1.5)
        gw.write(rule + "bandwidth = 4m\n")
        gw.reload()
        (after,) = measure([reader], 1.5)
        gw.write(rule)
        gw.reload()
        had = sum(reader.got)
        wire.wait_until(lambda: sum(reader.got) - had > 64 * M, "64 MiB without a limit")
        gw.write(rule + "bandwidth = 1m\n")
        gw.reload()
        (at_last,) = measure([reader], 1.5)
    finally:
        reader.close()
    assert near(sum(before), 1 * M, 0.12) and near(sum(after), 4 * M, 0.12) and sum(at_last) < 4 * M, (sum(before), sum(after), sum(at_last))


def test_the_herd_at_three_in_the_morning_is_served_behind_a_ceiling(gateway, serve):
    """500 clients at once want the same bypassed host; 50 of them may at a time, at 2 MB/s together. All get theirs; others do not notice."""
    size = 16 * K
    serve(origins.Http, w.ORIGIN, 80, body)
    serve(origins.Http, w.OTHER, 80, body)
    gw = gateway(workers=2, queue_timeout="30s", rules="""
[rule diagnostics]
hosts = origin.example.net
action = bypass
guard = off
max-connections = 50
bandwidth = 2m
[rule rest]
action = tunnel
auth = none
""")
    ask = wire.get(f"http://origin.example.net/{size}", fields="Connection: close\r\n")
    failures, slowest = [], []

    def laptop(i):
        try:
            with gw.connect(f"127.1.{i // 250}.{i % 250 + 1}") as c:
                answer = c.send(ask).response()
                if answer.status != 200 or len(answer.body) != size:
                    failures.append(answer)
        except (OSError, AssertionError) as e:
            failures.append(e)

    herd = [threading.Thread(target=laptop, args=(i,), daemon=True) for i in range(500)]
    begin = time.monotonic()
    for laptop_ in herd:
        laptop_.start()
    while any(laptop_.is_alive() for laptop_ in herd):
        then = time.monotonic()
        assert gw.get("http://other.example.net/1000").status == 200
        slowest.append(time.monotonic() - then)
    took = time.monotonic() - begin
    assert not failures, failures[:5]
    assert took > 500 * size / (2 * M) - 0.5, took
    assert sorted(slowest)[len(slowest) // 2] < 0.2, sorted(slowest)[-5:]
    lines = [gw.record(500, rule="diagnostics", status=200)] and [line for line in gw.records() if line["rule"] == "diagnostics"]
    assert sum(line["queue_ms"] is not None for line in lines) > 200
    print(f"{took:.1f} s; others {sorted(slowest)[len(slowest) // 2] * 1000:.0f} ms in the middle, {max(slowest) * 1000:.0f} ms at most")


def test_who_has_too_many_connections_has_a_line_in_the_log(gateway, origin):
    gw = gateway(max_connections_per_client=2)
    with gw.connect("127.0.0.9"), gw.connect("127.0.0.9"):
        assert wire.wait_until(lambda: (c := gw.connect("127.0.0.9")).rest(), "a refusal").startswith(b"HTTP/1.1 429 ")
    line = gw.record(fault="client-limit")
    assert line["client"] == "127.0.0.9" and line["status"] == 429 and line["listener"] == "edge" and not line["method"]
    assert [text for text in gw.native_lines() if " TCP_DENIED/429 " in text and " 127.0.0.9 " in text]


def test_requests_inside_inspected_tunnels_are_limited_by_their_own_rules(gateway, world, folder):
    """The CONNECT does not keep the only place from what is asked inside; two streams of one client's HTTP/2 take turns at it."""
    (folder / "big").write_bytes(b"x" * (2 * M))
    folder.chmod(0o755)
    nginx = web.Nginx(folder, w.OTHER, f"""server {{ listen {w.OTHER}:443 ssl http2; ssl_certificate {world.cert}; ssl_certificate_key {world.key};
        root {folder}; }}""")
    try:
        here = inspection.Inspecting(gateway, world, folder, rules="""
[rule one-at-a-time]
action = inspect
auth = none
bandwidth = 2m
max-connections = 1
""")
        for turn, version in enumerate(("--http2", "--http1.1")):
            begin = time.monotonic()
            done = here.curl(version, "--parallel", "-o", "/dev/null", "-o", "/dev/null", "-w", "%{http_code} %{size_download}\n",
                             "https://other.example.net/big", "https://other.example.net/big?2")
            took = time.monotonic() - begin
            assert done.stdout.decode().split() == ["200", str(2 * M)] * 2
            assert 1.5 < took < 4, took
            here.gw.record(turn + 1, queue_ms=lambda ms: ms and ms > 300)
    finally:
        nginx.close()
