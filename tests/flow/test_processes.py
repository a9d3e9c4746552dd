# SPDX-License-Identifier: MIT
"""The processes: what each may do, what happens when one is killed, and the end."""

import json
import os
import signal
import socket
from pathlib import Path

import load
import origin as origins
import pytest
import wire
import world as w

from gateway import sanitized

URL = "http://origin.example.net/"


def status(pid):
    return dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().split("\n") if ":\t" in line)


def test_children_have_no_privileges_and_a_filter(gateway):
    gw = gateway(workers=2)
    assert len(gw.pids("worker")) == 2 and len(gw.pids("logger")) == 1
    for pid in gw.processes():
        s = status(pid)
        assert set(s["Uid"].split()) == {"65534"}, s["Name"]
        assert s["Groups"].split() in ([], ["65534"]) and set(s["Gid"].split()) == {"65534"}
        assert int(s["CapEff"], 16) == int(s["CapPrm"], 16) == 0
        assert s["NoNewPrivs"] == "1"
        if not sanitized():
            assert s["Seccomp"] == "2", s["Name"]


def closes_on_exec(pid, fd):
    flags = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/fdinfo/{fd}").read_text().split("\n") if line.startswith("flags"))["flags"]
    return bool(int(flags, 8) & os.O_CLOEXEC)


def test_no_child_leaves_a_descriptor_to_what_it_may_start(gateway, folder):
    path = folder / "users.htpasswd"
    path.write_text("# nobody\n")
    path.chmod(0o600)
    gw = gateway(f"[auth]\nschemes = basic\nbasic-file = {path}\nbasic-without-tls = yes\n[rule all]\naction = tunnel\n")
    wire.wait_until(lambda: gw.pids("postern-auth "), "an auth process that has begun")
    for pid in gw.processes():
        kept = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd") if int(fd) > 2 and not closes_on_exec(pid, fd)]
        assert kept == [], (status(pid)["Name"], kept)


def test_readiness_is_told_to_the_service_manager(gateway, folder):
    path = folder / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(path))
        os.chmod(path, 0o777)
        sock.settimeout(wire.PATIENCE)
        gw = gateway(env={"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "400000", "WATCHDOG_PID": "1"})
        said = sock.recv(4096).decode()
        while "READY=1" not in said:
            said += sock.recv(4096).decode()
        while said.count("WATCHDOG=1") < 3:  # twice in the time of WatchdogSec, also of a parent that systemd did not start itself
            said += sock.recv(4096).decode()
        gw.reload()
        while "RELOADING=1" not in said:
            said += sock.recv(4096).decode()
        gw.signal(signal.SIGTERM)
        while "STOPPING=1" not in said:
            said += sock.recv(4096).decode()


def test_the_listening_line_names_address_and_listener(gateway):
    gw = gateway()
    assert gw.says(rf"postern.*: listening on 127\.0\.0\.1:{gw.port} \(edge\)")


def test_a_killed_worker_is_replaced_and_the_others_go_on(gateway, serve, origin):
    serve(origins.Echo, w.ORIGIN, 443)
    gw = gateway(workers=2, max_connections_per_client=0)
    tunnels = [gw.tunnel("origin.example.net:443") for _ in range(40)]
    victim, other = gw.pids("worker")
    with load.Load(4, lambda i: gw.get(URL)) as running:
        running.passes(20)
        os.kill(victim, signal.SIGKILL)
        wire.wait_until(lambda: len(gw.pids("worker")) == 2 and victim not in gw.pids("worker"), "another worker")
        running.passes(100)
        running.stop()
    assert other in gw.pids("worker")
    alive = 0
    for t in tunnels:
        try:
            alive += t.send("x").exactly(1) == b"x"
        except (OSError, wire.Closed):
            pass
        t.close()
    assert 0 < alive < 40  # those of the victim are gone, and only those
    gw.says(r"(?i)worker.*(signal 9|killed|died|exit)")


def test_a_killed_logger_is_replaced_and_no_line_is_lost(gateway, origin):
    gw = gateway(max_connections_per_client=0)
    victim = gw.pids("logger")[0]
    with load.Load(4, lambda i: gw.get(URL)) as running:
        running.passes(50)
        os.kill(victim, signal.SIGKILL)
        wire.wait_until(lambda: gw.pids("logger") not in ([], [victim]), "another logger")
        running.passes(100)
        assert running.stop() == []
    asked = len(origin.requests)
    wire.wait_until(lambda: len({line["id"] for line in whole(gw)}) >= asked, f"{asked} lines")


def whole(gw):
    """Lines that can be read: a killed logger may have left one half-written."""
    out = []
    for line in gw.access.read_text().split("\n"):
        try:
            out.append(json.loads(line))
        except ValueError:
            pass
    return out


def test_a_worker_that_keeps_dying_is_held_back(gateway):
    gw = gateway()
    seen = set()
    for _ in range(4):
        pid = wire.wait_until(lambda: [p for p in gw.pids("worker") if p not in seen], "another worker", 30)[0]
        seen.add(pid)
        os.kill(pid, signal.SIGKILL)
    wire.wait_until(lambda: [p for p in gw.pids("worker") if p not in seen], "another worker", 30)
    assert gw.get("http://nx.example.org/").status == 502


def test_when_the_parent_is_killed_the_children_end(gateway):
    gw = gateway(workers=2, drain_timeout="1s")
    pids = list(gw.processes())
    assert len(pids) >= 3
    os.kill(gw.child.pid, signal.SIGKILL)
    gw.child.wait()
    gw.child = None
    wire.wait_until(lambda: not any(Path(f"/proc/{pid}").exists() and status(pid)["State"][0] != "Z" for pid in pids), "the children to end", 30)


def test_sigterm_lets_what_is_under_way_end(gateway, serve):
    answered = []

    def play(wire, head):
        answered.append(head)
        wire_go.acquire()
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate")

    import threading
    wire_go = threading.Semaphore(0)
    serve(origins.Script, play, w.ORIGIN, 80)
    serve(origins.Echo, w.ORIGIN, 443)
    gw = gateway(drain_timeout="60s")
    t = gw.tunnel("origin.example.net:443")
    c = gw.connect()
    c.send(wire.get(URL))
    wire.wait_until(lambda: answered, "the request at the origin")
    gw.signal(signal.SIGTERM)
    gw.says("draining")

    def refused():
        try:
            with wire.connect(gw.address) as d:
                return d.rest() == b""  # one that came in just before ends at once: it has asked for nothing
        except OSError:
            return True

    wire.wait_until(refused, "the listener to close")
    assert t.send("still").exactly(5) == b"still"
    wire_go.release()
    assert c.response().body == b"late"
    c.close()
    t.close()
    assert gw.child.wait(wire.PATIENCE) == 0
    gw.stop()
    assert {line["method"] for line in gw.records()} == {"CONNECT", "GET"}  # both lines were written before the end


def test_what_does_not_end_in_time_is_ended(gateway, serve):
    serve(origins.Echo, w.ORIGIN, 443)
    gw = gateway(drain_timeout="1s")
    with gw.tunnel("origin.example.net:443") as t:
        gw.signal(signal.SIGTERM)
        assert t.ended()
        assert gw.child.wait(wire.PATIENCE) == 0
    gw.stop()
    assert gw.record(method="CONNECT")["fault"] == "drained"


def test_an_address_that_is_taken_is_said_at_start(gateway):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        gw = gateway(start=False, address="127.0.0.1:%d" % taken.getsockname()[1])
        with pytest.raises(AssertionError, match="(?s)ended.*in use"):
            gw.start()
    gw.child = None
