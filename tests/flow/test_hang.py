# SPDX-License-Identifier: MIT
"""A process whose loop stands still is noticed, named and replaced; one that is only slow, traced, or stopped together with its parent is not."""

import ctypes
import json
import os
import signal
import time
from pathlib import Path

import origin as origins
import wire
import world as w

import gateway as g

URL = "http://origin.example.net/"
PTRACE_DETACH, PTRACE_SEIZE, PTRACE_INTERRUPT, WALL = 17, 0x4206, 0x4207, 0x40000000


def processes(gw):
    said = gw.control("status", "--json")
    assert said.returncode == 0, said
    return {p["name"]: p for p in json.loads(said.stdout)["processes"]}


def trace(request, pid):
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p]
    libc.ptrace.restype = ctypes.c_long
    assert libc.ptrace(request, pid, None, None) == 0, os.strerror(ctypes.get_errno())


def waiting(gw, pid):
    """Connections in the queue of that worker's own listening socket."""
    own = {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().split("\n")[1:-1]]
    return sum(int(row[4].split(":")[1], 16) for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in own)


def tunnels_by_worker(gw, n):
    """A tunnel of each worker's."""
    opened, found = [], {}
    for _ in range(200):
        t = gw.tunnel("origin.example.net:443")
        opened.append((t, "%s:%d" % t.sock.getsockname()))
        if len(opened) % (4 * n) == 0:
            worker = {s["client"]: s["worker"] for s in json.loads(gw.control("sessions", "--json").stdout)}
            found = {worker[client]: t for t, client in opened}
            if len(found) == n:
                break
    for t, _ in opened:
        if t not in found.values():
            t.close()
    return [found[i] for i in range(n)]


def echoes(t):
    assert t.send("hello").exactly(5) == b"hello"


def test_a_worker_that_hangs_is_replaced_and_what_waited_in_its_queue_is_served(gateway, serve, origin, folder):
    serve(origins.Echo, w.ORIGIN, 443)
    admin = g.free_port()
    gw = gateway(workers=4, hang_timeout="5s", control=folder / "control", admin=f"127.0.0.1:{admin}", max_connections_per_client=0)
    at = processes(gw)
    stuck, slow, traced, fine = (f"worker {i}" for i in range(4))
    tunnel = dict(zip((stuck, slow, traced, fine), tunnels_by_worker(gw, 4)))
    pid = {name: p["pid"] for name, p in at.items()}

    os.kill(pid[stuck], signal.SIGSTOP)
    os.kill(pid["the logger"], signal.SIGSTOP)
    trace(PTRACE_SEIZE, pid[traced])
    trace(PTRACE_INTERRUPT, pid[traced])
    os.waitpid(pid[traced], WALL)
    clients = []
    while waiting(gw, pid[stuck]) < 3:
        clients.append(gw.connect().send(wire.get(URL)))

    # one that is slow: stopped for most of the time, but never for hang-timeout before it says something
    for _ in range(2):
        os.kill(pid[slow], signal.SIGSTOP)
        try:
            wire.wait_until(lambda: processes(gw)[slow]["silent_s"], "a slow worker that is seen to be silent")
        finally:
            os.kill(pid[slow], signal.SIGCONT)
        echoes(tunnel[slow])
        wire.wait_until(lambda: not processes(gw)[slow]["silent_s"], "its answer")
        echoes(tunnel[fine])  # others do not notice

    for name in (stuck, "the logger"):
        gw.says(rf"{name} \(pid {pid[name]}\) has not answered for 5 s; it is ended; state: T \(stopped\)")
        gw.says(rf"{name} \(pid {pid[name]}\) was killed by signal 9")
        gw.says(rf"{name} \(pid \d+\) is there again")
    assert tunnel[stuck].ended()
    # its queue outlived it, as the lines outlived the logger
    gw.says(rf"{traced} \(pid {pid[traced]}\) has not answered for 5 s, and is left alone: process {os.getpid()} traces it")
    trace(PTRACE_DETACH, pid[traced])
    for client in clients:
        assert client.response().status == 200
    gw.record(len(clients), host="origin.example.net", method="GET")
    for name in (slow, traced, fine):
        echoes(tunnel[name])
    wire.wait_until(lambda: not any(p["silent_s"] for p in processes(gw).values()), "all to answer")
    now = processes(gw)
    for name in at:
        assert (now[name]["pid"] != pid[name]) == (now[name]["hangs"] == 1) == (name in (stuck, "the logger")), now
        assert f"{name} (pid {pid[name]}) has not answered" not in gw.said() or name in (stuck, "the logger", traced)
    assert ", started 2 times, ended 1 time because it hung" in gw.control("status").stdout
    with wire.connect(("127.0.0.1", admin)) as c:
        metrics = c.send("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").response().body.decode().split("\n")
    assert {'postern_process_hangs_total{process="worker 0"} 1', 'postern_process_hangs_total{process="logger"} 1', 'postern_process_hangs_total{process="worker 1"} 0',
            'postern_process_silent_seconds{process="worker 2"} 0'} <= set(metrics)
    assert [line for line in metrics if line.startswith("postern_parent_silent_seconds ")][0].split()[1] in ("0", "1", "2")


def test_all_that_were_stopped_together_go_on(gateway, serve, folder):
    """As when the machine is suspended, or its control group frozen; hang-timeout = 0 waits for ever."""
    serve(origins.Echo, w.ORIGIN, 443)
    gw = gateway(workers=2, hang_timeout="2s", control=folder / "control")
    t = gw.tunnel("origin.example.net:443")
    before = {name: p["pid"] for name, p in processes(gw).items()}
    children = [*gw.pids("--child")]
    for pid in (*children, gw.child.pid):
        os.kill(pid, signal.SIGSTOP)
    time.sleep(2.5)  # longer than hang-timeout: that the clock runs on while nobody does is the very thing
    os.kill(gw.child.pid, signal.SIGCONT)
    processes(gw)  # it turns, and has called what was due
    for pid in children:
        os.kill(pid, signal.SIGCONT)
    echoes(t)
    gw.write(g.LET_ALL, hang_timeout="0s")
    gw.reload()
    assert {name: p["pid"] for name, p in processes(gw).items()} == before and "has not answered" not in gw.said()
