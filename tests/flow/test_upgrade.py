# SPDX-License-Identifier: MIT
"""Never hurt a user: reload and upgrade while tunnels run and clients keep coming, and programs that cannot take over."""

import os
import shutil
import signal
import socket
import time

import pytest

import gateway as g
import load
import origin as origins
import wire
import world as w

URL = "http://origin.example.net/"


def replace(program, text=None, mode=0o755):
    """Another program at this path, as package managers put it there."""
    new = program.with_suffix(".new")
    if text is None:
        shutil.copy(g.PROGRAM, new)
    else:
        new.write_text(text)
    new.chmod(mode)
    new.rename(program)


class Coming(load.Load):
    """What clients do: new connections and kept ones, tunnels and requests."""

    def __init__(self, gw):
        self.gw, self.kept = gw, {}
        super().__init__(6, self.one)

    def one(self, i):
        gw, kept = self.gw, self.kept
        time.sleep(0.002)
        if i % 3 == 0:
            assert gw.get(URL, fields="Connection: close\r\n").status == 200
        elif i % 3 == 1:
            c = kept.get(i) or kept.setdefault(i, gw.connect())
            answer = c.send(wire.get(URL)).response()
            assert answer.status == 200
            if (answer["connection"] or "").lower() == "close":
                kept.pop(i).close()
        else:
            with gw.tunnel("origin.example.net:443") as t:
                assert t.send("hello").exactly(5) == b"hello"

    def stop(self):
        failures = super().stop()
        for c in self.kept.values():
            c.close()
        self.kept = {}
        return failures


def test_reload_while_a_thousand_tunnels_run(gateway, serve, origin, folder):
    serve(origins.Echo, w.ORIGIN, 443)
    gw = gateway(workers=2, max_connections_per_client=0, control=folder / "control.sock")
    tunnels = load.Tunnels([gw.tunnel("origin.example.net:443") for _ in range(1000)])
    second = g.free_port()
    with Coming(gw) as running:
        running.passes(30)
        for number in range(4):
            gw.listens = f"127.0.0.1:{gw.port}" + (f" 127.0.0.1:{second}" if number % 2 == 0 else "")
            gw.write(g.LET_ALL.replace("rule all", f"rule r{number}"))
            said = gw.control("reload")
            assert said.returncode == 0 and "listener edge: address changed" in said.stdout and f"rule r{number} added" in said.stdout
            if number % 2 == 0:
                with wire.connect(("127.0.0.1", second)) as c:
                    assert c.send(wire.get(URL)).response().status == 200
            running.passes(60)
        tunnels.passes()
        assert running.stop() == []
    assert tunnels.stop() == {}


def test_upgrades_under_load_cost_not_one_connection(upgradable, serve, origin, folder):
    serve(origins.Echo, w.ORIGIN, 443)
    gw = upgradable(workers=2, max_connections_per_client=0, drain_timeout="2s", admin=f"127.0.0.1:{g.free_port()}")
    tunnels = load.Tunnels([gw.tunnel("origin.example.net:443") for _ in range(300)])
    first = gw.child
    pids = [first.pid]
    with Coming(gw) as running:
        running.passes(30)
        for _ in range(3):
            replace(upgradable.program)
            said = gw.control("upgrade")
            assert said.returncode == 0 and "serves" in said.stdout, said
            pids.append(int((folder / "postern.pid").read_text()))
            running.passes(60)
        tunnels.passes()
        assert running.stop() == []
    assert len(set(pids)) == 4
    assert f"pid {pids[-1]}: serving" in gw.control("status").stdout
    assert first.poll() is None  # its tunnels live
    assert tunnels.stop() == {}
    gw.follow(pids[-1])
    assert first.returncode == 0
    assert gw.get(URL).status == 200
    gw.stop()
    assert not (folder / "control.sock").exists() and not (folder / "postern.pid").exists()


@pytest.mark.parametrize("text, mode, why", [
    ("#!/bin/sh\nexit 1\n", 0o755, "ended with exit code 1"),
    ("no program\n", 0o644, "could not be executed"),
    ("\0\1\2\3", 0o755, "could not be executed"),
    ("#!/bin/sh\nexec sleep 60\n", 0o755, "did not serve within upgrade-timeout"),
    ("#!/bin/sh\nkill -SEGV $$\n", 0o755, "was killed by signal 11"),
], ids=["ends", "not-executable", "garbage", "hangs", "crashes"])
def test_a_broken_program_changes_nothing(upgradable, serve, origin, folder, text, mode, why):
    serve(origins.Echo, w.ORIGIN, 443)
    gw = upgradable(upgrade_timeout="1s")
    with gw.tunnel("origin.example.net:443") as t, Coming(gw) as running:
        running.passes(10)
        replace(upgradable.program, text, mode)
        said = gw.control("upgrade")
        assert said.returncode == 1 and why in said.stderr and "the old one goes on" in said.stderr, said
        gw.says("upgrade failed: the new program")
        running.passes(20)
        assert running.stop() == []
        assert t.send("still").exactly(5) == b"still"
        assert int((folder / "postern.pid").read_text()) == gw.child.pid
        assert gw.control("reload").returncode == 0
        replace(upgradable.program)
        assert gw.control("upgrade").returncode == 0
    gw.follow(int((folder / "postern.pid").read_text()))


def test_a_configuration_that_the_new_program_refuses(upgradable, folder):
    path = folder / "proxy.sock"
    gw = upgradable(more=f"[listener local]\naddress = unix:{path}\n")
    gw.write("[rule broken]\naction = frobnicate\n")
    said = gw.control("upgrade")
    assert said.returncode == 1 and "postern.ini:" in said.stderr and "frobnicate" in said.stderr
    assert path.exists() and gw.control("status").returncode == 0
    gw.write(g.LET_ALL)
    assert gw.control("upgrade").returncode == 0
    gw.follow(int((folder / "postern.pid").read_text()))
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(str(path))
    gw.stop()
    assert not path.exists()


def test_signals_in_the_middle_of_an_upgrade(upgradable, origin, folder):
    gw = upgradable(upgrade_timeout="1500ms")
    replace(upgradable.program, "#!/bin/sh\nexec sleep 60\n")
    gw.signal(signal.SIGUSR2)
    gw.says("told to upgrade: ")
    gw.signal(signal.SIGUSR2)
    gw.says("told to upgrade, which is under way already")
    gw.write(g.LET_ALL.replace("rule all", "rule every"))
    said = gw.control("reload")  # waits for its turn
    assert said.returncode == 0 and "rule every added" in said.stdout
    assert gw.said().index("upgrade failed") < gw.said().index("reloaded: ")
    gw.signal(signal.SIGUSR2)
    gw.says("told to upgrade: ", times=2)
    gw.stop()  # in the middle of it


def test_sigusr2_alone_upgrades(upgradable, origin, folder):
    gw = upgradable()
    before = gw.child.pid
    gw.signal(signal.SIGUSR2)
    gw.says("upgraded: the new program")
    wire.wait_until(lambda: (folder / "postern.pid").read_text().strip() not in ("", str(before)), "the new pid")
    gw.follow(int((folder / "postern.pid").read_text()))
    assert gw.get(URL).status == 200 and os.path.exists(gw.options["control"])


def test_after_an_upgrade_the_new_parent_says_that_it_turns_and_the_old_one_does_not(upgradable, serve, folder):
    serve(origins.Echo, w.ORIGIN, 443)
    path = folder / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(path))
        os.chmod(path, 0o777)
        sock.settimeout(wire.PATIENCE)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)

        def said():
            data, ancillary, _, _ = sock.recvmsg(4096, socket.CMSG_SPACE(12))
            return int.from_bytes(ancillary[0][2][:4], "little"), data.decode()

        gw = upgradable(env={"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "100000", "WATCHDOG_PID": "1"})
        with gw.tunnel("origin.example.net:443") as t:
            assert gw.control("upgrade").returncode == 0
            while True:
                pid, text = said()
                if "MAINPID=" in text:
                    break
            assert pid == gw.child.pid
            new = int(text.split("MAINPID=")[1].split()[0])
            told = [said() for _ in range(10)]
            assert t.send("still").exactly(5) == b"still"  # the old one has something to do
        assert {pid for pid, text in told if "WATCHDOG=1" in text} == {new}, told
    gw.follow(new)
