# SPDX-License-Identifier: MIT
"""The admin process: what it counts and says, who may ask, and that nothing else hangs on it."""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.parse
import urllib.request

import gateway as g
import load
import origin as origins
import pytest
import wire
import world as w

URL = "http://origin.example.net/"
RULES = """
[rule shut]
hosts = other.example.net
action = deny
[rule open]
action = tunnel
auth = none
"""


class Admin:
    """The admin address of a gateway."""

    def __init__(self, port):
        self.address = ("127.0.0.1", port)

    def ask(self, path, fields="", method="GET", host="localhost", source=None, version="1.1"):
        with wire.connect(self.address, source) as c:
            return c.send(f"{method} {path} HTTP/{version}\r\n{f'Host: {host}' if host else 'X: y'}\r\n{fields}\r\n").response(method)

    def health(self):
        answer = self.ask("/healthz")
        return answer.status, answer.body.decode().strip()

    def text(self):
        answer = self.ask("/metrics")
        assert answer.status == 200, answer
        return answer.body.decode()

    def value(self, series):
        """None when there is no such line."""
        for line in self.text().split("\n"):
            if line.rsplit(" ", 1)[0] == series:
                return float(line.rsplit(" ", 1)[1])
        return None

    def becomes(self, series, want):
        return wire.wait_until(lambda: self.value(series) == want, f"{series} to become {want}; it is {self.value(series)}")


@pytest.fixture
def admin_of(gateway):
    """start(...) makes a gateway with an admin address; both of them."""

    def start(rules=RULES, **options):
        port = g.free_port()
        return gateway(rules, admin=f"127.0.0.1:{port}", **options), Admin(port)

    return start


@pytest.fixture(scope="module")
def shared(gateway_kept):
    """The same, one for those tests that leave it as it is."""
    port = g.free_port()
    return gateway_kept(RULES, admin=f"127.0.0.1:{port}", workers=2), Admin(port)


def pid_of(gw):
    return wire.wait_until(lambda: gw.pids("--child admin"), "an admin process")[0]


# --- what it says ---


def test_metrics_count_by_rule_listener_and_action(admin_of, serve, origin):
    serve(origins.Echo, w.ORIGIN, 443)
    gw, admin = admin_of(workers=2)
    assert gw.get(URL).status == 200
    assert gw.get("http://other.example.net/").status == 403
    with gw.tunnel("origin.example.net:443") as t:
        assert t.send("hello").exactly(5) == b"hello"
        assert admin.value("postern_tunnels_open") == 1
        assert admin.value('postern_rule_requests_open{rule="open"}') == 1
        assert admin.value('postern_listener_connections_open{listener="edge"}') >= 1
    gw.record(method="CONNECT")
    admin.becomes("postern_tunnels_open", 0)
    admin.becomes('postern_rule_requests_open{rule="open"}', 0)
    admin.becomes('postern_listener_connections_open{listener="edge"}', 0)
    want = {
        'postern_rule_requests_total{rule="open"}': 2,
        'postern_rule_requests_total{rule="shut"}': 1,
        'postern_rule_requests_total{rule="(none)"}': 0,
        'postern_decisions_total{action="deny"}': 1,
        'postern_decisions_total{action="tunnel"}': 2,
        'postern_faults_total{fault="denied"}': 1,
        "postern_requests_total": 3,
        "postern_tunnels_total": 1,
        'postern_listener_accepted_total{listener="edge"}': 3,
        'postern_listener_requests_total{listener="edge"}': 3,
        "postern_connect_duration_seconds_count": 2,
        "postern_request_duration_seconds_count": 3,
        "postern_config_generation": 1,
        'postern_process_up{process="worker 1"}': 1,
        'postern_process_up{process="logger"}': 1,
    }
    assert {series: admin.value(series) for series in want} == want
    lines = {line["method"]: line for line in gw.records() if line["rule"] == "open"}
    assert admin.value('postern_rule_sent_bytes_total{rule="open"}') == sum(line["bytes_out"] for line in lines.values())
    assert abs(admin.value('postern_rule_last_decision_timestamp_seconds{rule="open"}') - time.time()) < 60
    assert 1 <= admin.value("postern_resolve_duration_seconds_count") <= 2  # by two workers, each with a cache
    admin.becomes("postern_log_lines_total", 6)  # two logs
    admin.becomes('postern_log_ring_bytes{worker="0"}', 0)


def test_a_reload_is_told_and_a_rule_that_stays_keeps_its_counts(admin_of, origin):
    gw, admin = admin_of()
    assert gw.get(URL).status == 200
    admin.becomes('postern_rule_requests_total{rule="open"}', 1)
    gw.write("[rule first]\nhosts = first.example.net\naction = deny\n" + RULES.replace("shut", "closed"))
    gw.reload()
    admin.becomes("postern_config_generation", 2)
    admin.becomes("postern_config_reloads_total", 1)
    assert admin.value('postern_rule_requests_total{rule="open"}') == 1
    assert admin.value('postern_rule_requests_total{rule="first"}') == 0
    assert admin.value('postern_rule_requests_total{rule="shut"}') is None
    gw.write("[rule x]\naction = frobnicate\n")
    gw.reload(ok=False)
    admin.becomes("postern_config_last_reload_successful", 0)
    assert admin.value("postern_config_reloads_refused_total") == 1
    assert admin.value("postern_config_generation") == 2


def test_promtool_finds_nothing_to_say(shared, origin):
    gw, admin = shared
    gw.get(URL)
    done = subprocess.run(["promtool", "check", "metrics"], input=admin.text(), capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_each_metric_stands_in_the_manual_and_no_other(shared):
    _, admin = shared
    manual = set(re.findall(r"^\.It (postern_\w+)", (g.SOURCE / "man" / "postern.8").read_text(), re.M))
    told = set(re.findall(r"^# TYPE (\w+)", admin.text(), re.M))
    assert told - manual == set()
    assert manual - told == {"postern_ca_certificate_expiry_timestamp_seconds"}  # where something is inspected


def test_a_real_prometheus_scrapes_it(shared, origin, folder):
    gw, admin = shared
    port = g.free_port()
    (folder / "prometheus.yml").write_text("global: {scrape_interval: 200ms, scrape_timeout: 200ms}\nscrape_configs:\n- job_name: postern\n  static_configs:\n"
                                           f"  - targets: ['127.0.0.1:{admin.address[1]}']\n")
    for _ in range(3):
        assert gw.get(URL).status == 200
    with open(folder / "out", "wb") as out:
        child = subprocess.Popen(["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data", f"--web.listen-address=127.0.0.1:{port}"],
                                 stdout=out, stderr=out)

    def query(words):
        with contextlib.suppress(OSError):
            url = f"http://127.0.0.1:{port}/api/v1/query?query={urllib.parse.quote(words)}"
            found = json.load(urllib.request.urlopen(url, timeout=wire.PATIENCE))["data"]["result"]
            return float(found[0]["value"][1]) if found else None
        return None

    try:
        wire.wait_until(lambda: query('up{job="postern"}') == 1, f"a scrape: {(folder / 'out').read_text()[-2000:]}", 60)
        want = admin.value('postern_rule_requests_total{rule="open"}')
        assert want >= 3
        wire.wait_until(lambda: query('postern_rule_requests_total{rule="open"}') == want, "the rule's count")
        assert query('sum(postern_process_up{process=~"worker.*"})') == 2
        assert query("histogram_quantile(0.5, postern_request_duration_seconds_bucket)") > 0
        assert query('count({__name__=~"postern_.*"})') > 100
    finally:
        child.terminate()
        child.wait(60)


def test_the_answer_says_what_it_is_and_nothing_may_keep_it(shared):
    _, admin = shared
    answer = admin.ask("/metrics")
    assert answer["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    for path in ("/metrics", "/healthz", "/nothing"):
        answer = admin.ask(path)
        assert answer.status == (404 if path == "/nothing" else 200)
        assert (answer["cache-control"], answer["x-content-type-options"], answer["referrer-policy"]) == ("no-store", "nosniff", "no-referrer")
        policy = answer["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe-inline" not in policy
        head = admin.ask(path, method="HEAD")
        assert (head.status, head["content-type"]) == (answer.status, answer["content-type"]) and head.body == b""
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "TRACE"):
        answer = admin.ask("/metrics", method=method)
        assert (answer.status, answer["allow"], answer["connection"]) == (405, "GET, HEAD", "close"), method


def test_requests_follow_each_other_on_one_connection(shared):
    _, admin = shared
    one = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with wire.connect(admin.address) as c:
        c.send(one * 3 + one[:-2])
        for _ in range(3):
            assert c.response().body == b"ready\n"
        assert c.send("\r\n").response().status == 200
        c.send("GET /healthz?a=b HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        assert c.response().status == 200 and c.rest() == b""
        assert admin.ask("http://localhost/healthz", host="any.example").status == 200  # RFC 9112 3.2.2


# --- who may ask ---


def test_a_name_that_is_not_ours_is_refused(shared):
    _, admin = shared
    for host in ("localhost", "LOCALHOST:3180", "127.0.0.1", "[::1]", "gw.example.net", w.EDGE):
        assert admin.ask("/healthz", host=host).status == 200, host
    for host in ("evil.example", "localhost.evil.example", "gw.example.net.evil.example", "192.0.2.1", "origin.example.net"):
        for path in ("/healthz", "/metrics", f"http://{host}/metrics"):
            answer = admin.ask(path, host=host)
            assert answer.status == 421 and b"postern_" not in answer.body, (host, path)
    assert admin.ask("/healthz", host="").status == 400
    assert admin.ask("/healthz", host="", version="1.0").status == 200


def test_what_pac_publishes_is_there_too(admin_of):
    gw, admin = admin_of(RULES + "[pac]\nproxy = gw.example.net:3128\n")
    for path in ("/proxy.pac", "/wpad.dat"):
        for host in ("localhost", "wpad.corp.example"):
            answer = admin.ask(path, host=host)
            assert (answer.status, answer["content-type"]) == (200, "application/x-ns-proxy-autoconfig"), host
            assert answer.body == gw.ask(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").body
    gw.write(RULES)
    gw.reload()
    wire.wait_until(lambda: admin.ask("/proxy.pac").status == 404, "the reload")
    assert admin.ask("/proxy.pac", host="wpad.corp.example").status == 404


def test_strangers_are_closed_unread(admin_of):
    gw, admin = admin_of(admin_clients="127.0.0.1/32")
    assert admin.health() == (200, "ready")
    for _ in range(2):
        with wire.connect(admin.address, source="127.0.0.2") as c:
            with contextlib.suppress(OSError):  # closed before it was read: a reset
                c.send("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
                assert c.rest() == b""
    assert admin.value("postern_admin_refused_total") == 2


def test_no_request_is_carried_to_the_admin_address(admin_of):
    gw, admin = admin_of(egress_allow="127.0.0.0/8", http_ports="1-65535", connect_ports="1-65535")
    target = f"127.0.0.1:{admin.address[1]}"
    assert gw.get(f"http://{target}/metrics").status == 403
    with gw.connect() as c:
        assert c.send(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n").response().status == 403
    assert gw.get(f"http://loopback.example.net:{admin.address[1]}/metrics").status == 403
    assert [gw.record(i + 1)["fault"] for i in range(3)] == ["self-target"] * 3


# --- nonsense ---


def test_nonsense_is_answered_or_closed_and_the_next_one_is_served(shared):
    gw, admin = shared
    pid = pid_of(gw)
    request = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nUser-Agent: x\r\n\r\n"
    for n in range(len(request)):
        with wire.connect(admin.address) as c:
            c.send(request[:n]).shut()
            assert c.rest() == b"", n
    rows = {
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * (1 << 20) + b"\r\n\r\n": 431,
        b"GET /" + b"a" * (1 << 20) + b" HTTP/1.1\r\nHost: localhost\r\n\r\n": 431,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03": 400,
        b"GET /healthz HTTP/1.1\r\nHost: localhost\nX: y\r\n\r\n": 400,
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n": 400,
        b"GET /healthz HTTP/2.0\r\nHost: localhost\r\n\r\n": 505,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n": 505,
        b"CONNECT localhost:443 HTTP/1.1\r\nHost: localhost:443\r\n\r\n": 405,
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n": 400,
        b"GET /../../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n": 404,
        b"GET /%2e%2e/healthz%00 HTTP/1.1\r\nHost: localhost\r\n\r\n": 404,
    }
    for data, status in rows.items():
        with wire.connect(admin.address) as c:
            with contextlib.suppress(OSError):
                c.send(data)
            assert c.response().status == status, data[:60]
    with wire.connect(admin.address) as c:  # a body is not read as the next request
        c.send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 55\r\n\r\n" + request)
        assert c.response().status == 200 and c.rest() == b""
    assert admin.health() == (200, "ready") and pid_of(gw) == pid


def test_a_thousand_slow_connections_keep_nobody_out(shared):
    gw, admin = shared
    pid = pid_of(gw)
    with contextlib.ExitStack() as stack:
        for _ in range(1000):
            c = stack.enter_context(wire.connect(admin.address))
            with contextlib.suppress(OSError):
                c.send("GET /metrics HTTP/1.1\r\nHost: loc")
        assert admin.health() == (200, "ready")
        sockets = [fd for fd in os.listdir(f"/proc/{pid}/fd") if os.readlink(f"/proc/{pid}/fd/{fd}").startswith("socket:")]
        assert len(sockets) < 64 + 8
    assert admin.health() == (200, "ready") and pid_of(gw) == pid


def test_who_reads_slowly_gets_it_all(shared):
    """Pages larger than what the kernel takes at once."""
    _, admin = shared
    size = len(admin.ask("/metrics").body)
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.connect(admin.address)
    n = 4 * (4 << 20) // size  # more than both ends' buffers take
    with wire.Wire(sock) as c:
        want = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"
        n = min(n, 300)
        for _ in range(n):
            c.send(want)
        for _ in range(n):
            assert c.response().body.endswith(b"\n")


# --- nothing hangs on it ---


def test_a_hundred_scrapes_a_second_cost_no_request(shared, origin):
    gw, admin = shared
    with load.Load(4, lambda _: gw.get(URL).status == 200 or pytest.fail("not 200")) as traffic:
        started = time.monotonic()
        for i in range(300):
            with contextlib.suppress(AssertionError):
                assert admin.ask("/metrics").status == 200
            time.sleep(max(0, started + (i + 1) * 0.01 - time.monotonic()))  # the rate is what is tested
        traffic.passes(20)
        assert traffic.stop() == []
    assert admin.health() == (200, "ready")


def test_killed_or_frozen_it_touches_no_traffic_and_comes_again(admin_of, serve, origin):
    serve(origins.Echo, w.ORIGIN, 443)
    gw, admin = admin_of()
    first = pid_of(gw)
    workers = set(gw.pids("worker"))
    with gw.tunnel("origin.example.net:443") as t, load.Load(2, lambda _: gw.get(URL).status == 200 or pytest.fail("not 200")) as traffic:
        os.kill(first, signal.SIGKILL)
        gw.says(r"the admin \(pid \d+\) is there again")
        wire.wait_until(lambda: admin.health() == (200, "ready"), "the next one")
        second = pid_of(gw)
        assert second != first
        assert admin.value('postern_process_deaths_total{process="admin"}') == 1
        os.kill(second, signal.SIGSTOP)
        gw.reload()  # nobody waits for it
        traffic.passes(20)
        gw.says(rf"the admin \(pid {second}\) (has not answered|does not follow)")
        gw.says(r"the admin \(pid \d+\) is there again", times=2)
        wire.wait_until(lambda: admin.health() == (200, "ready"), "the one after")
        assert admin.value("postern_config_generation") == 2
        traffic.passes(20)
        assert traffic.stop() == []
        assert t.send("still").exactly(5) == b"still"
    assert set(gw.pids("worker")) == workers


def test_health_follows_the_gateway_to_its_end(admin_of, serve):
    serve(origins.Echo, w.ORIGIN, 443)
    gw, admin = admin_of(drain_timeout="60s")
    assert admin.health() == (200, "ready")
    with gw.tunnel("origin.example.net:443") as t:
        gw.signal(signal.SIGTERM)
        gw.says("told to stop")
        wire.wait_until(lambda: admin.health() == (503, "draining"), "the drain")
        assert admin.value("postern_draining") == 1
        assert t.send("still").exactly(5) == b"still"
        assert admin.health() == (503, "draining")
    wire.wait_until(lambda: gw.child.poll() is not None, "the end")
    gw.stop()
    with pytest.raises(OSError):
        admin.health()


def test_without_its_parent_it_says_so_and_ends(admin_of, serve):
    serve(origins.Echo, w.ORIGIN, 443)
    gw, admin = admin_of(drain_timeout="1s")
    pid = pid_of(gw)
    gw.child.kill()
    gw.child.wait()
    gw.child = None
    with contextlib.suppress(OSError):
        assert admin.health() == (503, "draining")
    wire.wait_until(lambda: not os.path.exists(f"/proc/{pid}"), "the end")


# --- the address ---


def test_a_reload_moves_the_address_and_keeps_the_one_that_stays(admin_of):
    gw, admin = admin_of()
    stays, other = admin.address[1], g.free_port()
    pid = pid_of(gw)
    with wire.connect(admin.address) as c:
        gw.write(RULES, admin=f"127.0.0.1:{stays} 127.0.0.1:{other}")
        gw.reload()
        wire.wait_until(lambda: Admin(stays).value("postern_config_generation") == 2, "the reload")
        assert Admin(other).health() == (200, "ready")
        assert c.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").response().status == 200
        gw.write(RULES, admin=f"127.0.0.1:{other}")
        gw.reload()
        wire.wait_until(lambda: Admin(other).value("postern_config_generation") == 3, "the reload")
        with pytest.raises(OSError):
            wire.wait_until(lambda: Admin(stays).health() and None, "the end of the first address")
    assert pid_of(gw) == pid
    gw.write(RULES, admin="")
    gw.reload()
    wire.wait_until(lambda: not gw.pids("--child admin"), "no admin process")
    gw.write(RULES, admin=f"127.0.0.1:{other}")
    gw.reload()
    wire.wait_until(lambda: gw.pids("--child admin"), "an admin process")
    wire.wait_until(lambda: Admin(other).health() == (200, "ready"), "health")


def test_an_address_that_cannot_be_had_is_an_error_by_line(admin_of):
    gw, admin = admin_of()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        gw.write(RULES, admin=f"127.0.0.1:{taken.getsockname()[1]}")
        said = gw.reload(ok=False)
    assert re.search(r"postern\.ini:\d+: admin: cannot listen: bind 127\.0\.0\.1:\d+: Address already in use", said), said
    assert admin.health() == (200, "ready")
    gw.write(RULES, admin=f"127.0.0.1:{gw.port}")  # a listener's
    assert "cannot listen" in gw.reload(ok=False)
    gw.write(RULES, admin=" ".join(f"127.0.0.{i}:3180" for i in range(2, 12)))
    assert "admin names more than 8 addresses" in gw.reload(ok=False)
    assert admin.health() == (200, "ready")


def test_without_an_address_there_is_no_such_process(gateway):
    gw = gateway()
    assert not gw.pids("--child admin")


if not shutil.which("prometheus"):
    test_a_real_prometheus_scrapes_it = pytest.mark.skip(reason="prometheus is not installed")(test_a_real_prometheus_scrapes_it)
    test_promtool_finds_nothing_to_say = pytest.mark.skip(reason="prometheus is not installed")(test_promtool_finds_nothing_to_say)
