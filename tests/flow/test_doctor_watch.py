# SPDX-License-Identifier: MIT
"""The process that tests the endpoints every [doctor] interval: what it shows and says, and that nobody depends on it."""

import json
import os
import re
import signal
import subprocess
import urllib.request
from pathlib import Path

import pytest

import gateway as g
import logon
import origin as origins
import schema
import wire
import world as w

ROOTS = Path("/etc/ssl/certs/ca-certificates.crt")
RULES = """
[doctor]
interval = {interval}
timeout = 2s
textfile = {textfile}
issuers = *
[list ends]
host = http://origin.example.net *.unknown.example.net https://other.example.net
[rule ends]
hosts = @ends
action = bypass
[rule others]
action = tunnel
auth = none
"""
UP = 'postern_doctor_endpoint_up{host="origin.example.net",port="80",scheme="http",list="ends",way="%s"} %d\n'


class Watched:
    def __init__(self, gateway_kept, serve_kept, folder):
        self.folder, self.serve = folder, serve_kept
        self.textfile = folder / "doctor.prom"
        self.admin = g.free_port()
        self.origin = serve_kept(origins.Http, w.ORIGIN, 80)
        self.gw = gateway_kept(self.rules("1s"), admin=f"127.0.0.1:{self.admin}", control=folder / "control.sock", pid_file=folder / "postern.pid")

    def rules(self, interval):
        return RULES.format(interval=interval, textfile=self.textfile)

    def text(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}{path}", timeout=wire.PATIENCE) as answer:
            return answer.read().decode()

    def status(self):
        return json.loads(self.text("/status.json"))

    def becomes(self, state):
        return wire.wait_until(lambda: (s := self.status())["doctor"]["state"] == state and s, f"the endpoints to be {state}")

    def tells(self):
        done = g.command("doctor", "--watch", "--control", self.gw.options["control"], "--json")
        return done.returncode, schema.check("doctor-watch", done.stdout)

    def pid(self):
        return wire.wait_until(lambda: self.gw.pids("--child doctor"), "the doctor")[0]


@pytest.fixture(scope="module")
def watched(world, gateway_kept, serve_kept, folder_kept):
    """Its roots know the world's authority; the process itself could not read them."""
    roots = folder_kept / "roots.pem"
    roots.write_bytes(ROOTS.read_bytes() + world.ca.read_bytes())
    w.run("mount", "--bind", str(roots), str(ROOTS))
    try:
        serve_kept(origins.Https, world.cert, world.key, w.OTHER, 443)
        yield Watched(gateway_kept, serve_kept, folder_kept)
    finally:
        w.run("umount", str(ROOTS))


def test_an_endpoint_that_breaks_and_comes_back_is_seen_everywhere(watched):
    status = watched.becomes("well")
    well, unknown, tls = status["endpoints"]
    assert (well["host"], well["direct"], well["gateway"], well["state"], well["bad_since"]) == ("origin.example.net", "ok", "ok", "well", None)
    assert (unknown["host"], unknown["state"]) == ("*.unknown.example.net", "untested") and (status["doctor"]["untested"], status["doctor"]["tested"]) == (1, 2)
    assert (tls["direct"], tls["gateway"], tls["state"]) == ("ok", "ok", "well") and tls["certificate_days"] > 3600
    text = watched.text("/metrics")
    assert UP % ("direct", 1) in text and UP % ("gateway", 1) in text and "postern_doctor_run_failed 0\n" in text
    code, told = watched.tells()
    assert (code, told["bad"], told["endpoints"][0]["gateway"]["fault"], told["endpoints"][0]["parents"]) == (0, 0, "ok", [])
    assert told["next_run"] >= told["last_run"] > 0
    watched.gw.record(host="origin.example.net", rule="ends", action="bypass")

    watched.origin.close()
    watched.gw.says(r"postern\[doctor\]: warning: endpoint origin\.example\.net:80 \(ends, \S+postern\.ini:\d+\) is bad: refused, way: direct")
    bad = watched.becomes("bad")["endpoints"][0]
    assert bad["direct"] == "refused" and bad["bad_since"] > 0 and "refused" in watched.text("/")
    text = wire.wait_until(lambda: UP % ("direct", 0) in (t := watched.textfile.read_text()) and t, "the file for node_exporter")
    assert UP % ("gateway", 0) in text and 'way="direct",fault="refused"} 1\n' in text and 'postern_doctor_endpoints{state="bad"} 1\n' in text
    assert watched.textfile.stat().st_mode & 0o777 == 0o644 and not list(watched.folder.glob("*.part"))
    assert watched.tells()[0] == 1
    said = g.command("doctor", "--watch", "-c", watched.gw.file)
    assert said.returncode == 1 and re.search(r"^BAD +origin\.example\.net:80 +refused +proxy-failed$", said.stdout, re.M)

    # another process in its place knows what was told, and what comes back is told once
    before = watched.pid()
    os.kill(before, signal.SIGKILL)
    watched.gw.says(rf"the doctor \(pid {before}\) was killed by signal 9.*; another one starts")
    watched.gw.says(r"the doctor \(pid \d+\) is there again")
    assert watched.pid() != before and g.owner(watched.pid()) == "nobody"
    runs = watched.tells()[1]["last_run"]
    wire.wait_until(lambda: watched.tells()[1]["last_run"] > runs, "a run of the new one")
    watched.origin = watched.serve(origins.Http, w.ORIGIN, 80)
    watched.gw.says(r"postern\[doctor\]: endpoint origin\.example\.net:80 is well again, after \d+ s")
    watched.becomes("well")
    assert len(re.findall("is bad: ", watched.gw.said())) == len(re.findall("is well again", watched.gw.said())) == 1


def test_traffic_goes_on_when_it_hangs_and_it_is_ended(watched):
    pid = watched.pid()
    os.kill(pid, signal.SIGSTOP)
    assert watched.gw.get("http://origin.example.net/").status == 200
    watched.gw.reload()
    assert watched.gw.get("http://origin.example.net/").status == 200 and watched.status()["doctor"]["tested"] == 2
    watched.gw.says(rf"the doctor \(pid {pid}\) (has not answered for 5 s|does not follow); it is ended")
    watched.gw.says(r"the doctor \(pid \d+\) is there again", times=2)


def test_reload_ends_it_and_begins_it_and_an_upgrade_takes_it_along(watched):
    gw = watched.gw
    gw.write(watched.rules("0").replace("textfile", ";textfile"))
    gw.reload()
    wire.wait_until(lambda: not gw.pids("--child doctor"), "its end")
    wire.wait_until(lambda: watched.status()["doctor"]["state"] == "off" and not watched.status()["endpoints"], "the status")
    assert "postern_doctor_endpoint_up{" not in watched.text("/metrics")
    done = g.command("doctor", "--watch", "-c", gw.file)
    assert done.returncode == 1 and "this gateway tests no endpoints; want interval" in done.stderr
    gw.write(watched.rules("1s").replace("*.unknown.example.net", "http://other.example.net"))
    gw.reload()
    wire.wait_until(lambda: watched.tells()[1]["tested"] == 3, "what the reload made of the plan")
    old = gw.child.pid
    assert gw.control("upgrade").returncode == 0
    pid = int((watched.folder / "postern.pid").read_text())
    assert pid != old
    gw.follow(pid)
    wire.wait_until(lambda: watched.tells()[1]["tested"] == 3, "the doctor of the new program")


def test_each_parent_is_shown_and_why_one_is_not_tried(watched, serve):
    """One that refuses the password that it is shown, and one for which the process has no keys."""
    port = g.free_port(w.OTHER)
    asked = serve(origins.Script, lambda raw, head: raw.send(b"HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm=x\r\nContent-Length: 0\r\n\r\n"), w.OTHER, port)
    secret, keytab = logon.secret(watched.folder / "credentials", "gw:s3cret\n"), watched.folder / "keytab"
    keytab.write_bytes(b"\5\2")
    keytab.chmod(0o600)
    parents = (f"[parent far]\naddress = far.example.net:3128\nauth = negotiate\nkeytab = {keytab}\n"
               f"[parent near]\naddress = {w.OTHER}:{port}\nauth = basic\ncredentials = {secret}\nhealth-interval = 0\n")
    watched.gw.write(watched.rules("1s").replace("action = bypass", "action = bypass\nparent = near far") + parents)
    watched.gw.reload()
    told = wire.wait_until(lambda: (t := watched.tells()[1])["endpoints"] and t["endpoints"][0]["parents"] and t, "a run by the parents")
    near, far = told["endpoints"][0]["parents"]
    assert (near["name"], near["fault"], near["bad"]) == ("near", "proxy-auth", True) and near["detail"].endswith("it was shown ours")
    assert (far["name"], far["fault"], far["bad"]) == ("far", "not-tried", False) and "Negotiate" in far["detail"]
    assert b"Proxy-Authorization: Basic Z3c6czNjcmV0" in b"".join(asked.heads)
    said = g.command("doctor", "--watch", "-c", watched.gw.file)
    assert "\nparent far is not tried: it wants Negotiate, " in said.stdout
    assert re.search(r"^STATE +ENDPOINT +DIRECTLY +BY near +BY far +GATEWAY\nBAD +origin\.example\.net:80 +ok +proxy-auth +- +proxy-failed\n.*; parent near: 407 No", said.stdout, re.M)
    assert {one["parent"] for one in watched.status()["endpoints"]} == {"proxy-auth", "not-tried"}
    assert 'way="parent",parent="near",fault="proxy-auth"} 1\n' in watched.text("/metrics")
    watched.gw.says(r"endpoint origin\.example\.net:80 \(.*\) is bad: proxy-auth, way: parent near;")


def test_the_command_tests_again_and_again_by_itself(watched):
    child = subprocess.Popen([g.PROGRAM, "doctor", "-c", watched.gw.file, "--watch", "1s", "--json"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    try:
        first, second = (json.loads(child.stdout.readline()) for _ in range(2))
        assert first.keys() == second.keys()
    finally:
        child.kill()
        child.communicate()
    for words in (["--watch=soon"], ["--watch", "ends"], ["--watch", "--via", "a:1"], ["--control", "x"], ["--watch", "10ms"], ["--nagios", "--watch", "5s"]):
        assert g.command("doctor", "-c", watched.gw.file, *words).returncode in (2, 3), words
