# SPDX-License-Identifier: MIT
"""A reload that is refused, by the file or by one process, changes nothing anywhere: what can be seen of the gateway from outside is the same before and after."""

import grp
import json
import os
import re
import shutil
import signal
import socket
import stat

import pytest

import gateway as g
import wire

URL = "http://origin.example.net/"
MANY = 2400  # rules: two such sets do not fit into the numbers that rules count under


def rules_of(letter, n=MANY):
    return "".join(f"[rule {letter}{i}]\nhosts = {letter}{i}.example.org\naction = deny\n" for i in range(n))


def listening():
    """Every TCP port and UNIX path that somebody listens at, in the world of the tests."""
    tcp = []
    for family in ("tcp", "tcp6"):
        with open(f"/proc/net/{family}") as f:
            tcp += [line.split()[1] for line in f if line.split()[3] == "0A"]
    with open("/proc/net/unix") as f:
        paths = [line.split()[7] for line in f if len(line.split()) > 7 and line.split()[3] == "00010000"]
    return sorted(tcp), sorted(paths)


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def modes(folder):
    return sorted((path.name, stat.S_IMODE(path.lstat().st_mode), path.lstat().st_gid) for path in folder.iterdir() if path.suffix in (".sock", ".pid"))


def counts(gw):
    with wire.connect(("127.0.0.1", gw.admin_port)) as c:
        text = c.send(f"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n").response().body.decode()
    return re.findall(r"^postern_(?:rule|listener_accepted|parent_up|rule_limit)\w*\{.*", text, re.M)


class Seen:
    """What can be seen of a gateway without touching it."""

    def __init__(self, gw, folder):
        self.listening, self.modes = listening(), modes(folder)
        self.rules = gw.control("rules", "--json").stdout
        self.counts = counts(gw)
        status = json.loads(gw.control("status", "--json").stdout)
        self.status = {key: status[key] for key in ("state", "generation", "pid")}
        self.processes = sorted(gw.processes())
        self.descriptors = {pid: descriptors(pid) for pid in (gw.child.pid, *gw.pids("worker"), *gw.pids("logger"))}


@pytest.fixture(scope="module")
def standing(gateway_kept, folder_kept, serve_kept, world):
    """One gateway with a bit of everything; what its configuration is and what is asked of it instead."""
    folder = folder_kept
    admin, taken = g.free_port(), socket.create_server(("127.0.0.1", 0))
    for name in ("cert.pem", "key.pem"):
        shutil.copy(world.cert if name == "cert.pem" else world.key, folder / name)
    (folder / "bad.pem").write_text("-----BEGIN PRIVATE KEY-----\nbm90IGEga2V5\n-----END PRIVATE KEY-----\n")
    tls, new = g.free_port(), g.free_port()

    def more(mode="0600", key="key.pem", **_):
        return (f"[listener local]\naddress = unix:{folder}/proxy.sock\nsocket-mode = {mode}\n"
                f"[listener tls]\naddress = 127.0.0.1:{tls}\ntls-cert = {folder}/cert.pem\ntls-key = {folder}/{key}\n")

    gw = gateway_kept(workers=2, rules=rules_of("a") + g.LET_ALL, more=more(), control=folder / "control.sock", pid_file=folder / "postern.pid",
                      admin=f"127.0.0.1:{admin}", drain_timeout="4s")
    gw.admin_port = admin
    gw.write = gw.write
    yield gw, folder, more, taken.getsockname()[1], new, admin
    taken.close()


REFUSALS = {
    "rule": (dict(rules="[rule odd]\naction = frobnicate\n"), r"postern\.ini:\d+: .*frobnicate"),
    "port": (dict(port=True), r"postern\.ini:\d+: .*cannot listen"),
    "key": (dict(key="bad.pem"), r"postern\.ini:\d+: .*bad\.pem"),
    "admin": (dict(admin=True), r"postern\.ini:\d+: .*admin: cannot listen"),
    "control": (dict(control="missing/deep/control.sock"), r"postern\.ini:\d+: .*control = "),
    "group": (dict(control_group="nosuchgroup"), r"postern\.ini:\d+: .*nosuchgroup"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refused_reload_changes_nothing(standing, origin, name):
    gw, folder, more, taken, new, admin = standing
    change, why = REFUSALS[name]
    was = dict(gw.options)
    assert gw.get("http://a0.example.org/").status == 403 and gw.get(URL).status == 200
    gw.record(rule="a0")
    before = Seen(gw, folder)
    # all of these would change, were it not for one of them
    gw.listens = f"127.0.0.1:{gw.port} 127.0.0.1:{new}" + (f" 127.0.0.1:{taken}" if change.get("port") else "")
    gw.more = more(mode="0666", key=change.get("key", "key.pem")) + f"[listener other]\naddress = unix:{folder}/other.sock\n"
    gw.write(change.get("rules", "") + rules_of("b") + g.LET_ALL, drain_timeout="9s", control=folder / change.get("control", "control.sock"),
             control_group=change.get("control_group", "daemon"), admin=f"127.0.0.1:{taken if change.get('admin') else g.free_port()}")
    said = g.command("reload", "--control", folder / "control.sock")
    gw.options = was
    assert said.returncode == 1 and re.search(why, said.stderr) and "stays in use" in said.stderr, said
    # blocks that workers let go of are held a moment longer
    wire.wait_until(lambda: Seen(gw, folder).descriptors == before.descriptors, "the descriptors of before")
    after = Seen(gw, folder)
    for field in vars(before):
        assert vars(before)[field] == vars(after)[field], field
    assert gw.get("http://a1.example.org/").status == 403 and gw.get("http://b1.example.net/").status != 403


def test_a_process_that_hangs_is_named_and_nothing_changes(standing, origin):
    gw, folder, more, taken, new, admin = standing
    logger, = gw.pids("--child logger")
    gw.listens = f"127.0.0.1:{gw.port} 127.0.0.1:{new}"
    gw.more = more(mode="0666")
    gw.write(rules_of("b") + g.LET_ALL)
    before = Seen(gw, folder)
    os.kill(logger, signal.SIGSTOP)
    try:
        said = gw.control("reload")
    finally:
        os.kill(logger, signal.SIGCONT)
    assert said.returncode == 1 and f"the logger (pid {logger}) did not prepare the new configuration in time" in said.stderr, said
    assert gw.get(URL).status == 200
    gw.record(host="origin.example.net")  # it has read all that it was told meanwhile
    after = Seen(gw, folder)
    for field in ("listening", "modes", "status", "processes"):
        assert vars(before)[field] == vars(after)[field], field
    for pid in (gw.child.pid, logger):  # a worker may have kept the connection to the origin
        wire.wait_until(lambda: Seen(gw, folder).descriptors[pid] == before.descriptors[pid], "the descriptors of before")


def test_and_one_that_is_not_refused_changes_all_of_it(standing, origin):
    gw, folder, more, taken, new, admin = standing
    gw.listens = f"127.0.0.1:{gw.port}"
    for group, mode in (("daemon", 0o666), ("sys", 0o600)):
        gw.more = more(mode=f"{mode:04o}")
        gw.write(g.LET_ALL, control_group=group)
        assert gw.control("reload").returncode == 0
        gid = grp.getgrnam(group).gr_gid
        assert dict((name, (bits, owner)) for name, bits, owner in modes(folder))["control.sock"] == (0o660, gid)
        assert stat.S_IMODE((folder / "proxy.sock").stat().st_mode) == mode
    gw.write("[rule odd]\naction = frobnicate\n", drain_timeout="9s")
    assert gw.control("reload").returncode == 1
    gw.stop()
    assert "what is under way gets 4.000 s" in gw.said()
