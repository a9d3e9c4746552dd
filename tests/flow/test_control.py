# SPDX-License-Identifier: MIT
"""The control socket: commands that tell how they went, questions, and what strangers and the clumsy get."""

import grp
import json
import os
import pwd
import re
import shutil
import signal
import socket
import stat
import subprocess
import time
from pathlib import Path

import pytest

import gateway as g
import origin as origins
import schema
import wire
import world as w

RULES = """
[list some]
host = a.example.org b.example.org

[rule closed]
hosts = @some
action = deny

[rule all]
action = tunnel
auth = none
"""


@pytest.fixture
def controlled(gateway, folder):
    """controlled(...) starts a gateway with a control socket and a pid file."""

    def start(**more):
        return gateway(rules=more.pop("rules", RULES), control=folder / "control.sock", pid_file=folder / "postern.pid", **more)

    return start


def raw(path, data=b"", shut=True):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(wire.PATIENCE)
        s.connect(str(path))
        parts = []
        try:
            s.sendall(data)
            if shut:
                s.shutdown(socket.SHUT_WR)
            while part := s.recv(65536):
                parts.append(part)
        except OSError:  # closed before all was sent
            pass
        return b"".join(parts).decode()


def test_questions_are_answered_as_text_and_as_json(controlled, serve, folder):
    serve(origins.Echo, w.ORIGIN, 443)
    gw = controlled()
    assert stat.S_IMODE((folder / "control.sock").stat().st_mode) == 0o600
    assert int((folder / "postern.pid").read_text()) == gw.child.pid
    with gw.tunnel("origin.example.net:443") as t:
        t.send("hello").exactly(5)
        status = schema.check("status", gw.control("status", "--json").stdout)
        assert (status["state"], status["generation"], status["pid"], status["connections"]) == ("serving", 1, gw.child.pid, 1)
        assert [one["name"] for one in status["processes"]][:2] == ["the logger", "worker 0"]
        assert "serving" in gw.control("status").stdout
        one, = schema.check("sessions", gw.control("sessions", "--json").stdout)
        assert (one["host"], one["port"], one["rule"], one["action"], one["state"], one["listener"]) == ("origin.example.net", 443, "all", "tunnel", "tunnel", "edge")
        assert one["client"].startswith("127.0.0.1:") and one["bytes_in"] > 5 and one["bytes_out"] > 5
        assert "origin.example.net:443" in gw.control("sessions", "--host", "ORIGIN").stdout
        assert "nothing is under way that fits" in gw.control("sessions", "--rule", "closed").stdout
        assert schema.check("sessions", gw.control("sessions", "--client", "192.0.2.1", "--json").stdout) == []
    gw.record(method="CONNECT", id=one["id"])
    assert gw.get("http://a.example.org/").status == 403
    gw.record(rule="closed")
    rules = {one["rule"]: one for one in schema.check("rules", gw.control("rules", "--json").stdout)}
    assert list(rules) == ["closed", "all"] and rules["closed"]["hits"] == rules["all"]["hits"] == 1 and rules["closed"]["last_hit_ms"] > 0
    one, = schema.check("lists", gw.control("lists", "--json").stdout)
    assert (one["hosts"], one["files"], one["oldest"]) == (2, [], None)
    assert "origin" not in gw.control("top").stdout


PLAIN = [  # what differs from run to run
    (r"pid \d+", "pid N"),
    (r"\b[0-9a-f]{16}\b", "ID"),
    (r"127\.0\.0\.1:\d+", "127.0.0.1:N"),
    (r"\b\d+\.\d+s\b|\bnow\b", "TIME"),
    (r"\d+\.\d a second|\d+\.\d/s", "RATE"),
    (r"(?m)^(bytes|access logs) .*", r"\1 ..."),
    (r"(?m)(CONNECT .* tunnel +tunnel|^\S+ +(?:deny|tunnel)(?: +\d+){3}) +[0-9.kM]+ +[0-9.kM]+", r"\1 SIZE SIZE"),
    (r"\d+ connections? left, \d+ s left", "N connections left, N s left"),
    (r"  +", "  "),
]


def plainly(text, folder):
    text = text.replace(str(folder), "DIR")
    for pattern, stand_in in PLAIN:
        text = re.sub(pattern, stand_in, text)
    return re.sub("(N connections left, N s left\n)+", r"\1", text)


def test_what_people_read(controlled, serve, folder):
    serve(origins.Echo, w.ORIGIN, 443)
    (folder / "b.list").write_text("# source: a shelf\n# version: 7\n*.b.example.org\nb.example.org # both\n")
    gw = controlled(rules=f"[list b]\nfile = {folder}/b.list\n[rule b]\nhosts = @b !c.b.example.org\naction = deny\n[rule off]\nports = 99\naction = deny\n" +
                    RULES.replace("b.example.org", "\nhost = b.example.org"))
    assert gw.get("http://x.b.example.org/").status == gw.get("http://a.example.org/").status == 403
    with gw.tunnel("origin.example.net:443") as t:
        t.send("hello").exactly(5)
        assert gw.record(2)["rule"]
        one, = json.loads(gw.control("sessions", "--json").stdout)
        shown = ""
        for words in ("status", "sessions", "rules", "rules --dead", "rules --entries", "rules --entries --dead", "lists", f"kill {one['id']}", f"kill {one['id']}", "reload", "rotate"):
            said = gw.control(*words.split())
            shown += f"$ postern {words}\n{said.stdout}{said.stderr}exit code {said.returncode}\n\n"
    shown += f"$ postern drain\n{gw.control('drain').stdout}"
    assert plainly(shown, folder) == (Path(__file__).parent / "golden" / "control.txt").read_text(), plainly(shown, folder)


def test_lists_tell_their_files_and_how_old_these_are(controlled, folder):
    for name, days in (("a.list", 2), ("b.list", 9)):
        (folder / name).write_text(f"# source: {name} \x1b]0;x\n# Version: 7\n{name}.example.org\n.x.{name}.example.org\n")
        os.utime(folder / name, (0, time.time() - days * 86400 - 60))
    gw = controlled()
    (folder / "c.list").write_text("# fetched: 2020-02-03\n")
    rules = RULES + (f"[list files]\nfile = {folder}/a.list\nfile = {folder}/b.list\nhost = c.example.org re:d[0-9].example.org\nmax-age = 192h\n"
                     f"[list old]\nfile = {folder}/c.list\nhost = e.example.org\nsource = a shelf\naddress = 192.0.2.0/24\n")
    gw.write(rules + "[rule more]\nhosts = @files !@old\naction = deny\n")
    assert gw.control("reload").returncode == 0
    _, one, old = schema.check("lists", gw.control("lists", "--json").stdout)
    assert [(f["path"], f["lines"], f["version"], f["fetched"]) for f in one["files"]] == [(f"{folder}/a.list", 4, "7", None), (f"{folder}/b.list", 4, "7", None)]
    assert (one["list"], one["hosts"], one["names"], one["wildcards"], one["regexes"], one["rules"], one["stale"]) == ("files", 6, 3, 2, 1, ["more"], True)
    assert one["source"].startswith("a.list ") and 9 * 86400 < time.time() - one["oldest"] < 10 * 86400
    assert (old["source"], old["oldest"], old["addresses"], old["stale"], old["max_age_s"]) == ("a shelf", 1580688000, 1, False, None)
    text = gw.control("lists").stdout
    assert "\x1b" not in text and "    holds    3 names, 2 wildcards, 1 regular expression\n" in text and "    used by  rule more\n" in text
    assert re.search(r"    age      9d0.h: STALE, max-age is 8d00h; get it anew", text) and f"    file     {folder}/b.list: 4 lines, 9d" in text
    assert len(re.findall(r"\[list files\] is stale: \S+/b.list is 9 days old", gw.said())) == 1


def test_hundreds_of_sessions_are_all_told(controlled, serve):
    serve(origins.Echo, w.ORIGIN, 443)
    gw = controlled(workers=2, max_connections_per_client=0)
    tunnels = [gw.tunnel("origin.example.net:443") for _ in range(700)]
    for t in tunnels:
        t.send("x").exactly(1)
    told = json.loads(gw.control("sessions", "--json").stdout)
    assert len({one["id"] for one in told}) == len(told) == 700
    assert raw(gw.options["control"], b"sessions top=3 --json\n").count('"id"') == 3
    for t in tunnels:
        t.close()


def test_reload_tells_what_changed(controlled):
    gw = controlled()
    said = gw.control("reload")
    assert said.returncode == 0 and "nothing changed" in said.stdout
    gw.write(RULES.replace("b.example.org", "c.example.org d.example.org").replace("action = deny", "action = deny\nreason = no")
             .replace("[rule all]", "[rule more]\nhosts = e.example.org\naction = deny\n\n[rule all]"), head_timeout="9s")
    said = gw.control("reload")
    assert said.returncode == 0 and said.stderr == ""
    lines = said.stdout.split("\n")
    assert lines[0].startswith("reloaded: generation 3 is in use") and lines[0].endswith("; 4 changes")
    assert lines[1:3] == ["[gateway]: head-timeout changed", "list some: 2 entries added, 1 removed"]
    assert lines[3] == "rule closed: reason changed"
    assert lines[4].startswith("rule more added after closed (") and lines[4].endswith("postern.ini:24)")
    gw.says("reload: rule more added after closed")
    gw.write(RULES)
    assert "rule more removed" in schema.check("control", gw.control("reload", "--json").stdout)["changes"]
    gw.write(RULES + "".join(f"[rule r{i}]\nhosts = h{i}.example.org\naction = deny\n" for i in range(50)))
    assert gw.control("reload").stdout.count("added after") == 50
    gw.says("reload: 30 more changes")


def test_a_broken_reload_tells_each_error_by_file_and_line(controlled):
    gw = controlled()
    gw.write("[rule broken]\nhost = x\naction = frobnicate\n")
    said = gw.control("reload")
    assert said.returncode == 1 and said.stdout == ""
    assert "postern.ini:15: " in said.stderr and "frobnicate" in said.stderr and "generation 1 stays in use" in said.stderr
    answer = schema.check("control", gw.control("reload", "--json").stdout)
    assert answer["result"] == "refused" and any("frobnicate" in line for line in answer["problems"])
    assert answer["changes"] == [] and "generation 1 stays in use" in answer["said"]
    gw.write(RULES)
    assert gw.control("reload").returncode == 0


def test_reloads_at_once_each_get_their_own_answer(controlled):
    gw = controlled()
    asked = [subprocess.Popen([str(g.PROGRAM), "reload", "--control", str(gw.options["control"])], stdout=subprocess.PIPE, text=True) for _ in range(6)]
    for one in asked:
        out, _ = one.communicate(timeout=wire.PATIENCE)
        assert one.returncode == 0 and out.startswith("reloaded: generation ")


def test_the_socket_moves_by_a_reload(controlled, folder):
    gw = controlled()
    old, new = folder / "control.sock", folder / "other.sock"
    gw.write(RULES, control=new)
    assert g.command("reload", "--control", old).returncode == 0
    assert not old.exists() and gw.control("status").returncode == 0
    gw.write(RULES, control=folder / "missing" / "deep" / "control.sock")
    said = g.command("reload", "--control", new)
    assert said.returncode == 1 and "control = " in said.stderr and "No such file" in said.stderr
    assert g.command("status", "--control", new).returncode == 0


@pytest.mark.parametrize(("words", "hint"), [
    (("sessions", "--client", "192.0.2.300"), "192.0.2.300: want an address"),
    (("sessions", "--host", "a b"), "want a part of a name"),
    (("sessions", "--rule", ""), "want the name of a rule"),
    (("drain", "--timeout", "5"), "5: want a time with its unit"),
    (("check", "postern.ini"), "the file is named with -c"),
])
def test_what_is_said_wrongly_is_told_with_what_would_be_right(words, hint):
    done = g.command(*words)
    assert done.returncode == 2 and hint in done.stderr


def test_status_says_what_is_wrong(controlled):
    """A parent that is down, a reload that was refused, and whoever else is there: the admin process."""
    gw = controlled(rules=f"[parent away]\naddress = {w.NOBODY}:3128\nfail-after = 1\n[rule all]\naction = tunnel\nauth = none\nparent = away\n", admin=f"127.0.0.1:{g.free_port()}")
    assert gw.get("http://origin.example.net/").status == 503
    wire.wait_until(lambda: "away DOWN for" in gw.control("status").stdout, "the parent to be down")
    status = schema.check("status", gw.control("status", "--json").stdout)
    assert [(one["name"], one["up"]) for one in status["parents"]] == [("away", False)] and status["last_reload_refused"] is False
    assert "the admin" in [one["name"] for one in status["processes"] if one["pid"]]
    gw.write("[rule broken]\naction = frobnicate\n")
    assert gw.control("reload").returncode == 1
    assert "the last reload was refused" in gw.control("status").stdout
    assert json.loads(gw.control("status", "--json").stdout)["last_reload_refused"] is True


def test_drain_tells_how_it_goes_and_ends_in_time(controlled, serve, folder):
    serve(origins.Echo, w.ORIGIN, 443)
    gw = controlled(drain_timeout="1h")
    with gw.tunnel("origin.example.net:443") as t:
        t.send("hello").exactly(5)
        said = gw.control("drain", "--timeout", "1500ms")
        assert said.returncode == 0
        assert "draining: 1 connection left, 2 s left" in said.stdout and said.stdout.count("1 request or tunnel was cut off") == 1
    assert gw.child.wait(wire.PATIENCE) == 0
    assert not (folder / "control.sock").exists() and not (folder / "postern.pid").exists()
    gone = gw.control("status")
    assert gone.returncode == 3 and "does it run" in gone.stderr


def test_rotate_opens_the_access_logs_anew(controlled, origin):
    gw = controlled()
    gw.get("http://origin.example.net/")
    gw.record(status=200)
    gw.access.rename(gw.access.with_suffix(".1"))
    assert gw.control("rotate").returncode == 0
    assert gw.access.exists(), "it was there before the answer"
    gw.write(RULES + "[rule never]\naction = deny\n")
    assert "never decides" in "".join(schema.check("control", gw.control("reload", "--json").stdout)["problems"])
    said = schema.check("control", gw.control("rotate", "--json").stdout)
    assert (said["result"], said["problems"], gw.control("rotate").stderr) == ("rotated", [], ""), "the warnings were the reload's"
    *progress, last = schema.check_each("control", gw.control("drain", "--json").stdout)
    assert last["result"] == "drained" and all(one["state"] == "draining" for one in progress)


def test_rotate_says_what_could_not_be_opened_anew(controlled, folder):
    logs = folder / "logs"
    logs.mkdir()
    os.chown(logs, pwd.getpwnam("nobody").pw_uid, -1)
    gw = controlled(more=f"[log gone]\nfile = {logs}/a.log\n")
    wire.wait_until((logs / "a.log").exists, "the file")
    shutil.rmtree(logs)
    said = gw.control("rotate")
    assert said.returncode == 1 and f"1 of the access logs cannot be opened anew, the first of them {logs}/a.log" in said.stderr, said
    os.kill(gw.pids("logger")[0], signal.SIGSTOP)
    try:
        said = gw.control("rotate", "--json")
    finally:
        os.kill(gw.pids("logger")[0], signal.SIGCONT)
    assert said.returncode == 1 and json.loads(said.stdout)["result"] == "refused" and "has not answered" in said.stdout, said


def test_a_second_instance_is_refused_and_the_first_goes_on(controlled, folder):
    gw = controlled()
    other = (gw.folder / "other.ini")
    text = gw.file.read_text().replace(f":{gw.port}", ":0")
    other.write_text(text)
    said = g.command("run", "-c", other)
    assert said.returncode == 2 and f"pid-file = {folder}/postern.pid: another instance (pid {gw.child.pid}) holds it" in said.stderr
    other.write_text(text.replace("pid-file", ";pid-file"))
    said = g.command("run", "-c", other)
    assert said.returncode == 2 and f"control = {folder}/control.sock: another instance (pid {gw.child.pid}) answers there" in said.stderr
    assert gw.control("status").returncode == 0 and int((folder / "postern.pid").read_text()) == gw.child.pid


def test_what_a_dead_instance_left_is_taken_over(controlled, folder):
    gw = controlled()
    gw.child.kill()
    gw.child.wait()
    assert (folder / "control.sock").exists() and (folder / "postern.pid").exists()
    wire.wait_until(lambda: not gw.processes(), "its children's end")
    again = controlled()
    assert again.control("status").returncode == 0 and int((folder / "postern.pid").read_text()) == again.child.pid
    gw.child = None


def test_no_other_file_is_taken_for_a_socket(gateway, folder):
    (folder / "control.sock").write_text("mine")
    gw = gateway(start=False, control=folder / "control.sock")
    said = g.command("run", "-c", gw.file)
    assert said.returncode == 2 and "a file is there that is no socket" in said.stderr and (folder / "control.sock").read_text() == "mine"


def test_members_of_the_group_may_ask_but_not_command(controlled, folder):
    gw = controlled(control_group="daemon")
    path, gid = folder / "control.sock", grp.getgrnam("daemon").gr_gid
    assert stat.S_IMODE(path.stat().st_mode) == 0o660 and path.stat().st_gid == gid

    def ask(word, *groups):
        return subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", *groups, str(g.PROGRAM), *word.split(), "--control", str(path)], capture_output=True, text=True)

    # run from a folder that this user reaches
    assert ask("status", "--clear-groups").returncode == 3
    assert ask("status", f"--groups={gid}").returncode == 0
    for word in ("drain", "kill 1", "drain"):
        said = ask(word, f"--groups={gid}")
        assert said.returncode == 1 and "not command" in said.stderr
    assert gw.said().count("may ask, but not command") == 1
    assert gw.control("status").returncode == 0


def test_members_of_the_group_cannot_keep_root_out(controlled, folder):
    gw = controlled(control_group="daemon")
    idle = ("import socket, sys\ns = [socket.socket(socket.AF_UNIX) for _ in range(8)]\n[c.connect(sys.argv[1]) for c in s]\n"
            "said = [c.recv(99) for c in s[5:]]\nprint(said, flush=True)\nsys.stdin.read()")
    gid = grp.getgrnam("daemon").gr_gid
    guest = subprocess.Popen(["setpriv", "--reuid=65534", "--regid=65534", f"--groups={gid}", "/usr/bin/python3", "-c", idle, str(folder / "control.sock")],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert guest.stdout.readline().count("too many others") == 3
        assert gw.control("status").returncode == 0
    finally:
        guest.communicate()


def test_nonsense_is_refused_and_costs_nothing(controlled):
    gw = controlled()
    path = gw.options["control"]
    assert "no such request" in raw(path, b"frobnicate\n")
    assert "bytes that are no text" in raw(path, bytes(range(1, 10)) + b"\n")
    assert "longer than 1024" in raw(path, b"x" * 5000)
    assert "more than one line" in raw(path, b"status\nstatus\n")
    assert "too many words" in raw(path, b"status" + b" x" * 20 + b"\n")
    assert "empty request" in raw(path, b"\n")
    assert raw(path, b"stat") == ""  # and away
    assert "want drain" in raw(path, b"drain soon\n") and "want sessions" in raw(path, b"sessions what=ever\n")
    assert raw(path, b"status\n").endswith("x 0\n")  # half-closed: the answer comes all the same
    for _ in range(10000):
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(str(path))
    # eight who do not ask: the ninth hears so, and those are dropped in time
    silent = []

    def full():
        silent.append(socket.socket(socket.AF_UNIX))
        silent[-1].connect(str(path))
        return "try again" in raw(path, b"status\n")

    wire.wait_until(full, "a full house")
    wire.wait_until(lambda: gw.control("status").returncode == 0, "the end of their patience", 10)
    for s in silent:
        assert s.recv(10) in (b"", b"e the gate")  # some of the ten thousand may still have been there
        s.close()
    assert len([line for line in gw.said().split("\n") if "is refused" in line]) == 1
    assert len([line for line in gw.said().split("\n") if "did not ask within" in line]) <= 1


def test_who_does_not_read_the_answer_hinders_nobody(controlled, serve):
    serve(origins.Echo, w.ORIGIN, 443)
    gw = controlled(max_connections_per_client=0)
    tunnels = [gw.tunnel("origin.example.net:443") for _ in range(600)]
    deaf = socket.socket(socket.AF_UNIX)
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    deaf.connect(str(gw.options["control"]))
    deaf.sendall(b"sessions --json\n")
    assert len(json.loads(gw.control("sessions", "--json").stdout)) == 600
    deaf.close()
    for t in tunnels:
        t.close()


def test_nothing_from_outside_reaches_the_terminal_raw(controlled, folder):
    """Of what clients send to the gateway; and of a socket that is no gateway, whatever it answers to whichever command."""
    gw = controlled()
    with gw.connect() as c:
        c.send(b"\x1b[31m / HTTP/1.1\r\n")
        for word in ("sessions", "status"):
            assert "\x1b" not in gw.control(word).stdout
    assert gw.child.poll() is None
    os.kill(gw.child.pid, signal.SIGHUP)
    gw.says("reloaded")
    path = folder / "odd.sock"
    evil = 'a\x1b[31m\x07\x9b\u202e\x85b'
    row = json.dumps({"kind": "407-loop", "host": evil, "port": 443, "https": True, "count": 20, "first_us": 1, "last_us": 2, "more": 0, "agents": [evil], "details": [evil],
                      "who": [{"client": "192.0.2.1", "agent": 0, "count": 20}]})
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(path))
        s.listen()
        s.settimeout(wire.PATIENCE)
        for words in ("status", "sessions", "rules --entries", "lists", "doctor --watch", "kill 1", "reload", "rotate", "drain", "upgrade", "suggest",
                      "status --json", "suggest --json", "replay --against running x.log"):
            command, *more = words.split()
            asks = subprocess.Popen([str(g.PROGRAM), command, "-c", str(gw.file), "--control", str(path), *more], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            c, _ = s.accept()
            with c:
                c.recv(1024)
                c.sendall(f". {evil}\n. {row}\ne {evil}\nx 1\n".encode("utf-8") + b". \xff\x9b\n")
            out, err = asks.communicate(timeout=wire.PATIENCE)
            text = (out + err).decode()  # valid UTF-8
            assert text and not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", text), (words, text)
            assert asks.returncode == (3 if command in ("suggest", "replay") else 1), words  # of these 1 is an answer

