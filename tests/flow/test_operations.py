# SPDX-License-Identifier: MIT
"""The operations log as a person reads it who was called at night: what runs, what changed, who died and why."""

import os
import signal

import gateway as g
import pytest
import wire
import world as w


def test_the_start_says_what_runs(gateway):
    gw = gateway(workers=2)
    text = gw.said()
    assert f"with {gw.file}" in text
    assert "ready: generation 1 is in use: 1 rule, 0 lists with 0 entries, 1 listener, 2 logs; workers: 2" in text


def test_a_reload_says_what_is_in_use_and_what_was(gateway):
    gw = gateway()
    other = g.free_port()
    gw.listens += f" 127.0.0.1:{other}"
    gw.write(g.LET_ALL + "[rule more]\nhosts = x.example.net\naction = deny\n")
    gw.reload()
    gw.says(r"generation 2 is in use: 2 rules, .*before: 1 rule, ")
    gw.says(rf"postern: listening on 127\.0\.0\.1:{other}\n")
    gw.listens = f"127.0.0.1:{gw.port}"
    gw.write(g.LET_ALL + "[rule more]\nhosts = y.example.net\naction = deny\n")
    gw.reload()
    gw.says(rf"no longer listening on 127\.0\.0\.1:{other}\n")
    gw.says(r"generation 3 is in use: 2 rules, [^;]*\n")
    gw.write("nonsense\n")
    gw.reload(ok=False)
    gw.says(r"reload refused: 1 error in .*postern\.ini; generation 3 stays in use")


def test_a_death_is_told_with_its_cause_and_what_it_cost(gateway, origin):
    gw = gateway()
    with gw.connect() as c:
        assert c.send(wire.get("http://origin.example.net/")).response().status == 200
        victim = gw.pids("worker")[0]
        os.kill(victim, signal.SIGKILL)
        gw.says(rf"worker 0 \(pid {victim}\) was killed by signal 9 \(Killed\) with 1 connection; another one starts")
        gw.says(r"worker 0 \(pid \d+\) is there again")
    logger = gw.pids("logger")[0]
    os.kill(logger, signal.SIGKILL)
    gw.says(rf"the logger \(pid {logger}\) was killed by signal 9")
    gw.says(r"the logger \(pid \d+\) is there again")


def test_rotation_and_the_end_are_told(gateway):
    gw = gateway()
    gw.signal(signal.SIGUSR1)
    gw.says("opened anew")
    gw.stop()
    assert "told to stop: draining; what is under way gets 5.000 s" in gw.said()
    assert "stopped. In all: requests 0" in gw.said()


@pytest.mark.parametrize("workers", [1, 2])
def test_a_second_gateway_on_the_same_port_does_not_start(gateway, workers):
    gw = gateway(workers=workers)
    done = g.command("run", "-c", gw.file)
    assert done.returncode == 2 and "cannot listen" in done.stderr and ": ready" not in done.stderr


def test_a_refused_place_is_named_with_its_port_and_brackets(gateway):
    gw = gateway()
    assert b"<dd>http://origin.example.net:22/x</dd>" in gw.get("http://origin.example.net:22/x").body
    assert b"<dd>http://[2603:1030:700::20]:22/</dd>" in gw.get("http://[2603:1030:700::20]:22/").body
    assert b"<dd>https://origin.example.net/</dd>" in gw.get("https://origin.example.net/").body
    assert w.ORIGIN6 == "2603:1030:700::20"
