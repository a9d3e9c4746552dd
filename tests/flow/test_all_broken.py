# SPDX-License-Identifier: MIT
"""Everything but the workers is broken at once: what is bypassed and tunnelled goes on, and the operations log stays readable."""

import collections
import os
import random
import re
import signal
import socket
import subprocess
import threading
import time

import pytest

import broken
import gateway as g
import load
import origin as origins
import wire
import world as w

# The clock of the day, as this file says: its first eight bytes are nanoseconds to be added.
SHIM = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
static volatile long long none, *off = &none;
__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("CLOCK_FILE");
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void *p = fd >= 0 ? mmap(0, 8, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;
	if (p != MAP_FAILED)
		off = p;
	if (fd >= 0)
		close(fd);
}
int clock_gettime(clockid_t id, struct timespec *ts)
{
	long rc = syscall(SYS_clock_gettime, id, ts);
	if (rc == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) {
		long long ns = ts->tv_sec * 1000000000LL + ts->tv_nsec + *off;
		ts->tv_sec = ns / 1000000000LL;
		ts->tv_nsec = ns % 1000000000LL;
	}
	return (int)rc;
}
int gettimeofday(struct timeval *tv, void *tz)
{
	struct timespec ts;
	(void)tz;
	clock_gettime(CLOCK_REALTIME, &ts);
	tv->tv_sec = ts.tv_sec;
	tv->tv_usec = ts.tv_nsec / 1000;
	return 0;
}
time_t time(time_t *t)
{
	struct timespec ts;
	clock_gettime(CLOCK_REALTIME, &ts);
	if (t)
		*t = ts.tv_sec;
	return ts.tv_sec;
}
"""

RULES = """
[list diagnostics]
host = *.events.data.microsoft.com

[rule diagnostics]
hosts = @diagnostics
action = bypass
guard = off

[rule people]
hosts = people.example.net
action = tunnel
auth = required

[rule looked-into]
hosts = *.windows.com
action = inspect
auth = none

[rule all]
action = tunnel
auth = none
"""


class Clock:
    def __init__(self, folder):
        (folder / "clock.c").write_text(SHIM)
        subprocess.run(["cc", "-shared", "-fPIC", "-O", "-o", folder / "clock.so", folder / "clock.c"], check=True)
        self.file = folder / "clock"
        self.env = {"LD_PRELOAD": str(folder / "clock.so"), "CLOCK_FILE": str(self.file)}
        self.file.write_bytes(bytes(8))

    def step(self, seconds):
        with self.file.open("r+b") as f:
            f.write((seconds * 10**9).to_bytes(8, "little", signed=True))


def kinds(text):
    """Lines of the operations log by what they say, without numbers."""
    return collections.Counter(re.sub(r"\d+(\.\d+)?", "N", line) for line in text.split("\n") if line)


class Traffic(load.Load):
    """Bypassed tunnels and plain requests, one after the other; the slowest is kept."""

    def __init__(self, gw):
        self.gw, self.slowest = gw, 0.0
        super().__init__(3, self.one)

    def one(self, i):
        began = time.monotonic()
        if i == 0:
            with self.gw.tunnel("v10.events.data.microsoft.com:8443") as t:
                assert t.send("hello").exactly(5) == b"hello"
        else:
            assert self.gw.get("http://origin.example.net/").status == 200
        self.slowest = max(self.slowest, time.monotonic() - began)
        time.sleep(0.01)


def ini(folder, users, syslog):
    return (f"[auth]\nschemes = basic\nbasic-without-tls = yes\nbasic-file = {users}\n[inspection]\nca-cert = {folder}/ca.pem\nca-key = {folder}/ca.key\n"
            f"[log far]\nsyslog = tcp:127.0.0.1:{syslog}\nspool = {folder}/disk/far.spool\n[log near]\nfile = {folder}/disk/near.log\nformat = json\n")


@pytest.fixture
def disk(folder):
    """A disk of 64 KiB."""
    path = folder / "disk"
    path.mkdir()
    w.run("mount", "-t", "tmpfs", "-o", f"size=64k,mode=777", "tmpfs", path)
    yield path
    w.run("umount", "-l", path)


@pytest.fixture
def hosts(world):
    """The diagnostic endpoint is where the test's origin is; the tests that come later find what was there."""
    path = world.folder / "etc-etc-hosts"
    before = path.read_text()
    path.write_text(f"127.0.0.1 localhost\n{w.ORIGIN} v10.events.data.microsoft.com\n")
    yield path
    path.write_text(before)


def test_traffic_flows_while_everything_else_is_broken(gateway, serve, origin, folder, disk, hosts):
    serve(origins.Echo, w.ORIGIN, 8443)
    clock = Clock(folder)
    users = folder / "users"
    broken.users_file(users, {"alice": "secret"})
    assert g.command("ca", "init", "--cert", folder / "ca.pem", "--key", folder / "ca.key").returncode == 0
    hangs = socket.create_server(("127.0.0.1", 0))  # nobody reads there
    control, admin = folder / "control.sock", g.free_port()
    gw = gateway(rules=RULES, workers=2, control=control, admin=f"127.0.0.1:{admin}", connect_ports="443 8443", max_connections_per_client=0,
                 more=ini(folder, users, hangs.getsockname()[1]), env={} if g.sanitized() else clock.env)
    others = {kind: gw.pids(f"--child {kind}") for kind in ("signer", "auth", "logger", "admin")}
    assert all(others.values()), gw.processes()
    over = threading.Event()

    def flood():
        while not over.is_set():
            try:
                with socket.socket(socket.AF_UNIX) as s:
                    s.connect(str(control))
                    s.sendall(random.choice((b"nonsense\n", b"\0\1\n", b"", b"x" * 2000, b"status\n")))
                with socket.create_connection(("127.0.0.1", admin), timeout=0.2) as s:
                    s.sendall(random.choice((b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", b"\r\n\r\n", b"GET", b"GET / HTTP/1.1\r\nHost: evil\r\n\r\n")))
            except OSError:
                pass
            time.sleep(0.002)

    threads = [threading.Thread(target=flood, daemon=True) for _ in range(2)]
    with Traffic(gw) as traffic:
        traffic.passes(30)
        subprocess.run(["dd", "if=/dev/zero", f"of={disk}/full", "bs=1k"], capture_output=True)  # ends when it is full
        for one in threads:
            one.start()
        for round_, step in enumerate((3600, -86400, 10**8, -10**8, 0)):
            clock.step(step)
            for kind in others:
                for pid in gw.pids(f"--child {kind}"):
                    try:
                        os.kill(pid, signal.SIGSTOP if round_ % 2 else signal.SIGKILL)
                    except ProcessLookupError:
                        pass
            gw.signal(signal.SIGUSR1)
            traffic.passes(60)
        assert traffic.stop() == []
        assert traffic.slowest < 3
    over.set()
    for one in threads:
        one.join(wire.PATIENCE)
    # each kind of trouble is told a few times for each process, whatever the number of times it came
    for line, times in kinds(gw.said()).items():
        assert times <= 10, (times, line, gw.said()[-5000:])
    for kind in others:
        for pid in gw.pids(f"--child {kind}"):
            os.kill(pid, signal.SIGCONT)
    w.run("mount", "-o", "remount,size=8m", str(disk))  # what waited in memory is more than it had
    wire.wait_until(lambda: gw.control("status").returncode == 0, "the control socket")
    # and all of it comes back
    wire.wait_until(lambda: all(gw.pids(f"--child {kind}") for kind in others), "all processes", 30)
    assert gw.control("reload").returncode == 0
    gw.get("http://origin.example.net/last")
    wire.wait_until(lambda: "/last" in (disk / "near.log").read_text(), "a line on the disk that has room again")
    hangs.close()


def test_a_clock_that_is_set_is_told(gateway, folder):
    if g.sanitized():
        pytest.skip("the sanitizer wants to be the first library")
    clock = Clock(folder)
    gw = gateway(env=clock.env)
    clock.step(7200)
    gw.says("warning: the clock was set forward by 7[12]\\d\\d s; connections and deadlines do not go by it")
