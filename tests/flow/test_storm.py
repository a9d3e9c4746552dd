# SPDX-License-Identifier: MIT
"""Signals in any order, upgrades one upon another, programs that break half way: nothing dies, leaks or stays behind."""

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path


import gateway as g
import load
import origin as origins
import wire
import world as w

URL = "http://origin.example.net/"


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def running(program):
    """All processes of this binary, wherever it is by now."""
    name = str(program)
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and os.readlink(entry / "exe").removesuffix(" (deleted)") == name and g.state(int(entry.name)) not in "ZX":
                found.append(int(entry.name))
        except OSError:
            pass
    return sorted(found)


def family(program, parent):
    """Those of them that are neither this parent nor its children."""

    def parent_of(pid):
        try:
            return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
        except OSError:
            return parent

    return [pid for pid in running(program) if pid != parent and parent_of(pid) != parent]


class Coming(load.Load):
    def __init__(self, gw):
        self.gw = gw
        super().__init__(3, self.one)

    def one(self, i):
        time.sleep(0.005)
        if i:
            assert self.gw.get(URL, fields="Connection: close\r\n").status == 200
        else:
            with self.gw.tunnel("origin.example.net:443") as t:
                assert t.send("hello").exactly(5) == b"hello"


def pid_of(folder):
    return int((folder / "postern.pid").read_text())


def settled(gw):
    """Serving, and nothing more to come: two reloads have had their answers."""
    wire.wait_until(lambda: gw.control("reload").returncode == 0 and gw.control("reload").returncode == 0, "a gateway that is settled", 30)


def test_a_storm_of_reloads_and_rotations_leaks_nothing(upgradable, serve, origin, folder):
    serve(origins.Echo, w.ORIGIN, 443)
    gw = upgradable(workers=2, admin=f"127.0.0.1:{g.free_port()}")
    dice = random.Random(7)

    def all_of_it():
        return {name: sum(descriptors(pid) for pid in gw.pids(name)) for name in ("worker", "logger", "admin")} | {"parent": descriptors(gw.child.pid)}

    with Coming(gw) as coming:
        coming.passes(20)
        settled(gw)
        before = gw.processes()
        for i in range(150):
            gw.signal(dice.choice((signal.SIGHUP, signal.SIGHUP, signal.SIGUSR1, signal.SIGCHLD)))
            if i % 10 == 0:
                gw.write(g.LET_ALL.replace("rule all", f"rule r{i}") if i % 20 else "[rule broken]\naction = no\n")
            time.sleep(0.002)
        gw.write(g.LET_ALL)
        coming.passes(20)
        assert coming.stop() == []
    settled(gw)
    assert gw.processes() == before
    counts = all_of_it()
    for _ in range(100):
        gw.signal(signal.SIGHUP)
        time.sleep(0.002)
    settled(gw)
    wire.wait_until(lambda: all(after <= counts[name] + 2 for name, after in all_of_it().items()), f"as many descriptors as before: {counts}, {all_of_it()}")
    assert gw.processes() == before


def test_signals_of_all_kinds_in_any_order(upgradable, serve, origin, folder):
    serve(origins.Echo, w.ORIGIN, 443)
    gw = upgradable(workers=2, drain_timeout="1s")
    first, dice = gw.child, random.Random(11)
    with Coming(gw) as coming:
        coming.passes(10)
        for _ in range(200):
            try:
                os.kill(pid_of(folder), dice.choice((signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)))
            except ValueError:
                pass  # it is being written
            time.sleep(dice.random() * 0.01)
        coming.passes(10)
        settled(gw)
        assert coming.stop() == []
    last = pid_of(folder)
    assert last != first.pid
    gw.follow(last)
    wire.wait_until(lambda: not family(upgradable.program, last), f"the end of those before: {last}, {family(upgradable.program, last)}")
    assert gw.get(URL).status == 200 and gw.control("status").returncode == 0
    # and the end in the middle of all of it
    for number in (signal.SIGUSR2, signal.SIGHUP, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR2, signal.SIGUSR1):
        gw.signal(number)
    gw.child.wait(wire.PATIENCE)
    wire.wait_until(lambda: not running(upgradable.program), "the end of all")
    assert not (folder / "control.sock").exists() and not (folder / "postern.pid").exists()


WAYS = """
[listener local]
address = unix:{folder}/proxy.sock
socket-mode = 0666
[listener tls]
address = 127.0.0.1:{tls}
tls-cert = {folder}/cert.pem
tls-key = {folder}/key.pem
[listener balanced]
address = 127.0.0.1:{balanced}
proxy-protocol-from = 127.0.0.1
"""


class Ways:
    """One request by each way in."""

    def __init__(self, gw, folder, tls, balanced):
        self.gw, self.folder, self.tls, self.balanced = gw, folder, tls, balanced

    def check(self):
        assert self.gw.get(URL).status == 200
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(wire.PATIENCE)
            s.connect(f"{self.folder}/proxy.sock")
            assert wire.Wire(s).send(wire.get(URL)).response().status == 200
        with wire.connect(("127.0.0.1", self.balanced)) as c:
            assert c.send(b"PROXY TCP4 192.0.2.7 127.0.0.1 4711 3128\r\n" + wire.get(URL)).response().status == 200
        done = subprocess.run(["curl", "-sS", "--max-time", "10", "--proxy-insecure", "-x", f"https://127.0.0.1:{self.tls}", "-o", "/dev/null", "-w", "%{http_code}", URL],
                              capture_output=True, text=True)
        assert done.stdout == "200", done


BROKEN = {
    "killed half way": "#!/bin/sh\n( kill -STOP $$; sleep 0.2; kill -9 $$ ) &\nexec {program} \"$@\"\n",
    "told to end": "#!/bin/sh\n( kill -STOP $$; sleep 0.2; kill -TERM $$; kill -CONT $$ ) &\nexec {program} \"$@\"\n",
    "closes what it got": "#!/bin/sh\nexec {program} \"$@\" 3<&- 4<&- 5<&- 6<&- 7<&- 8<&- 9<&-\n",
    "reads nonsense": "#!/bin/sh\nPOSTERN_UPGRADE=0,0 exec {program} \"$@\"\n",
    "is no upgrade": "#!/bin/sh\nunset POSTERN_UPGRADE\nexec {program} \"$@\"\n",
}


def test_every_way_in_survives_upgrades_good_and_bad(upgradable, serve, origin, folder, world):
    serve(origins.Echo, w.ORIGIN, 443)
    shutil.copy(world.cert, folder / "cert.pem")
    shutil.copy(world.key, folder / "key.pem")
    (folder / "key.pem").chmod(0o600)
    good = folder / "postern.good"
    shutil.copy(g.PROGRAM, good)
    tls, balanced, admin = g.free_port(), g.free_port(), g.free_port()
    gw = upgradable(workers=2, upgrade_timeout="2s", more=WAYS.format(folder=folder, tls=tls, balanced=balanced), admin=f"127.0.0.1:{admin}", drain_timeout="1s")
    ways = Ways(gw, folder, tls, balanced)
    ways.check()
    new = upgradable.program.with_suffix(".new")
    for name, text in BROKEN.items():
        before = pid_of(folder)
        new.write_text(text.format(program=good))
        new.chmod(0o755)
        new.rename(upgradable.program)
        said = gw.control("upgrade")
        assert said.returncode == 1 and "the old one goes on" in said.stderr and pid_of(folder) == before, (name, said)
        wire.wait_until(lambda: gw.control("status").returncode == 0, f"the control socket after: {name}")
        ways.check()
        assert wire.connect(("127.0.0.1", admin)).send(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n").response().status == 200, name
    for _ in range(3):  # one upgrade upon the other
        shutil.copy(g.PROGRAM, new)
        new.rename(upgradable.program)
        said = gw.control("upgrade")
        assert said.returncode == 0 and f"(pid {pid_of(folder)}) serves" in said.stdout, said  # the file names the new one before anybody hears of it
        ways.check()
        assert f"pid {pid_of(folder)}: serving" in gw.control("status").stdout
    gw.follow(pid_of(folder))
    wire.wait_until(lambda: not family(upgradable.program, gw.child.pid), "the end of those before")
    ways.check()
    # while it drains nothing is upgraded
    with gw.tunnel("origin.example.net:443"):
        gw.signal(signal.SIGTERM)
        gw.says("told to stop")
        since = len(gw.said())
        gw.signal(signal.SIGUSR2)
        gw.child.wait(wire.PATIENCE)
    assert "told to upgrade" not in gw.said()[since:]
    assert not (folder / "proxy.sock").exists() and not (folder / "control.sock").exists() and not (folder / "postern.pid").exists()


def test_a_spool_that_the_one_before_still_has_is_told_once(upgradable, serve, origin, folder):
    serve(origins.Echo, w.ORIGIN, 443)
    gw = upgradable(more=f"[log far]\nsyslog = tcp:127.0.0.1:{g.free_port()}\nspool = {folder}/gateway0/far.spool\n", drain_timeout="1s")
    with gw.tunnel("origin.example.net:443") as t:
        assert gw.control("upgrade").returncode == 0
        gw.says("cannot use spool .*far.spool: another process has it")
        end = time.monotonic() + 2.5
        while time.monotonic() < end:  # it is tried each second that has lines
            assert gw.get(URL).status == 200
            time.sleep(0.1)
        assert t.send("still").exactly(5) == b"still"
    gw.follow(pid_of(folder))
    assert gw.said().count("another process has it") == 1


def test_a_logger_that_hangs_does_not_keep_the_one_before_an_upgrade(upgradable, origin, folder):
    gw = upgradable(drain_timeout="1s")
    logger, = gw.pids("--child logger")
    os.kill(logger, signal.SIGSTOP)
    try:
        assert gw.control("upgrade").returncode == 0
        gw.follow(pid_of(folder))  # waits for the end of the old one, which is its drain-timeout and a little away
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(logger, signal.SIGCONT)
    assert gw.get(URL).status == 200
    try:
        wire.wait_until(lambda: not family(upgradable.program, gw.child.pid), "the end of those before", 5)
    except AssertionError:
        print(gw.child.pid, described(family(upgradable.program, gw.child.pid)), gw.said())
        raise
