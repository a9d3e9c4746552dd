# SPDX-License-Identifier: MIT
"""`postern top` in a real terminal (tmux), `postern kill`, and what both do with hostile text."""

import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import threading

import gateway as g
import h2wire as h2
import inspection
import origin as origins
import pytest
import schema
import wire
import world as w

RULES = """
[rule closed]
hosts = closed.example.org
action = deny

[rule open]
hosts = origin.example.net
action = tunnel
auth = none

[rule all]
action = tunnel
auth = none
"""


@pytest.fixture(scope="module")
def gw(gateway_kept, folder_kept, serve_kept):
    serve_kept(origins.Echo, w.ORIGIN, 443)
    return gateway_kept(rules=RULES, control=folder_kept / "control.sock", workers=2)


class Terminal:
    """A tmux with one window in which `postern top` runs."""

    def __init__(self, gw, folder, *words, columns=160, rows=30, term=None, **env):
        self.socket = folder / f"tmux{len(list(folder.glob('tmux*')))}"
        self.out = folder / (self.socket.name + ".exit")
        command = " ".join([*([] if term is None else ["env", f"TERM={term}", "ASAN_OPTIONS=detect_leaks=0"]), str(g.PROGRAM), "top", "--control", str(gw.options["control"]), "-d", "0.2", *words])
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", str(columns), "-y", str(rows), f"{command}; echo $? > {self.out}; cat", LC_ALL="C.UTF-8", **env)

    def tmux(self, *words, **env):
        return subprocess.run(["tmux", "-S", str(self.socket), *words], env={**os.environ, **env}, check=True, capture_output=True, text=True, timeout=20).stdout

    def keys(self, *names):
        self.tmux("send-keys", *names)

    def shown(self):
        return self.tmux("capture-pane", "-p")

    def shows(self, pattern):
        return wire.wait_until(lambda: (text := self.shown()) and re.search(pattern, text) and text, f"{pattern} on the screen")

    def shows_no(self, pattern):
        return wire.wait_until(lambda: not re.search(pattern, self.shown()), f"no {pattern} on the screen")

    def quit(self):
        self.keys("q")
        return wire.wait_until(lambda: self.out.exists() and self.out.read_text().strip(), "its end")

    def close(self):
        subprocess.run(["tmux", "-S", str(self.socket), "kill-server"], capture_output=True, timeout=20, check=False)


@pytest.fixture
def terminal(gw, folder):
    made = []

    def start(*words, **more):
        made.append(Terminal(gw, folder, *words, **more))
        return made[-1]

    if not shutil.which("tmux"):
        pytest.skip("there is no tmux")
    yield start
    for one in made:
        one.close()


def sessions(gw):
    return json.loads(gw.control("sessions", "--json").stdout)


def test_a_live_tunnel_is_shown_filtered_and_ended_by_a_key(gw, terminal):
    with gw.tunnel("origin.example.net:443") as t, gw.tunnel(f"{w.ORIGIN}:443") as other:
        t.send("x" * 5000).exactly(5000)
        other.send("y").exactly(1)
        top = terminal()
        top.shows(r"postern \S+: serving, up .*generation \d+")
        top.shows(r"open +tunnel +\d+ +[\d.]+ +1\n")
        text = top.shows(r"origin\.example\.net:443 +open +tunnel +tunnel")
        assert re.search(r"4\.[89]k", text) and f"{w.ORIGIN}:443" in text
        top.keys("h", "origin.ex", "Enter")
        top.shows("sorted by rate, host has origin.ex")
        top.shows_no(re.escape(w.ORIGIN))
        top.keys("r", "clo", "Enter")
        top.shows("nothing is under way that fits")
        top.keys("Escape")
        top.shows(re.escape(w.ORIGIN))
        top.keys("c", "127.0.0.1", "Enter")
        top.shows("; client has 127.0.0.1")
        top.keys("s")
        top.shows("sorted by bytes")
        top.keys("k")
        top.shows(r"y ends 127\.0\.0\.1:\d+ to origin\.example\.net:443 \([0-9a-f]{16}\), any other key does not")
        top.keys("n")
        top.shows("q quit")
        assert len(sessions(gw)) == 2
        top.keys("k")
        top.shows("y ends ")
        top.keys("y")
        top.shows("was ended")
        assert t.ended()
        assert gw.record(fault="killed", host="origin.example.net")["rule"] == "open"
        other.send("y").exactly(1)
        top.tmux("resize-window", "-x", "60", "-y", "10")
        top.keys("Down")
        text = top.shows("q quit")
        assert max(map(len, text.split("\n"))) <= 60
        # who goes where is what stays on a narrow screen
        assert re.search(rf"(?m)^ +\S+s +\S+/s 127\.0\.0\.1:\d+ +{re.escape(w.ORIGIN)}:443$", text), text
        top.tmux("resize-window", "-x", "80", "-y", "24")
        top.shows(rf"s +\S+/s +\S+ +\S+ 127\.0\.0\.1:\d+ +{re.escape(w.ORIGIN)}:443 *\n")
        top.tmux("resize-window", "-x", "40", "-y", "10")
        top.shows(rf"(?m)^ +\S+/s 127\.0\.0\.1:\d+ +{re.escape(w.ORIGIN)}:443$")
        top.tmux("resize-window", "-x", "20", "-y", "3")
        top.shows("RATE CLIENT")
        top.tmux("resize-window", "-x", "160", "-y", "40")
        top.shows("ACTION")
        top.keys("?")
        top.shows("sort by rate, bytes, age")
        top.keys("?", "p")
        top.shows("PAUSED")
        assert top.quit() == "0"


def test_what_is_under_way_is_among_the_hits(gw):
    def told(*words):
        return [one for one in schema.check("rules", gw.control("rules", *words, "--json").stdout) if one["rule"] == "open"][0]

    before, entry = told(), told("--entries")
    with gw.tunnel("origin.example.net:443"), gw.tunnel("origin.example.net:443"):
        now = told()
        assert (now["hits"], now["hits_since_reload"], now["open"]) == (before["hits"] + 2, before["hits_since_reload"] + 2, 2)
        assert told("--entries")["hits"] == entry["hits"] + 2
        # what a reload finds under way was decided before it
        gw.reload()
        assert (told()["hits"], told()["hits_since_reload"], told("--entries")["hits_since_reload"]) == (before["hits"] + 2, 0, 0)
    wire.wait_until(lambda: told()["open"] == 0, "the end of both")
    assert (told()["hits"], told()["hits_since_reload"]) == (before["hits"] + 2, 0)


def test_several_look_at_once_also_without_colours(terminal):
    several = [terminal(rows=rows, NO_COLOR="1") for rows in (12, 24, 40)]
    for top in several:
        top.shows("serving")
    assert [top.quit() for top in several] == ["0"] * 3


def test_a_gateway_that_goes_away_and_comes_back_is_shown_again(gateway, folder, terminal):
    gw = gateway(rules=RULES, control=folder / "mortal.sock")
    top = terminal("--control", str(folder / "mortal.sock"))
    top.shows("postern .*: serving, up")
    gw.stop()
    top.shows(r"NOT REACHED for \S+; this is what postern said before")
    top.shows("cannot be reached")
    again = gateway(rules=RULES.replace("rule open", "rule reborn"), control=folder / "mortal.sock")
    top.shows("postern .*: serving, up")
    top.shows("reborn +tunnel")
    top.shows("q quit")
    again.stop()
    top.shows("NOT REACHED")
    assert top.quit() == "0"


@pytest.mark.parametrize("name", ["dumb", "nothing-known", ""])
def test_a_terminal_that_cannot_show_it_is_told_so(terminal, name):
    """Leaks are not looked for: ncurses itself has one where it knows no terminal."""
    top = terminal(term=name)
    assert wire.wait_until(lambda: top.out.exists() and top.out.read_text().strip(), "its end") == "2"
    top.shows(r"this terminal \(TERM\) is not known here, or too simple; --once needs none")


def test_without_a_terminal_it_is_one_plain_screen(gw):
    with gw.tunnel("origin.example.net:443") as t:
        t.send("hello").exactly(5)
        said = gw.control("top", "--once")
    assert said.returncode == 0 and "\x1b" not in said.stdout
    golden = re.sub(r"\d+(\.\d+)?[sk]?|[0-9a-f]{16}", "N", re.sub(r"(?m)^[0-9a-f]{16}", "ID", re.sub(r"postern \S+:", "postern V:", said.stdout)))
    lines = [re.sub(" +", " ", line) for line in golden.split("\n")]
    assert lines[0].startswith("postern V: serving, up N, generation N: ")
    assert lines[1:4] == [
        "connections N, under way N, ended N (N/s), waiting N, closed by the guard N",
        "bypass N (N/s), tunnel N (N/s), inspect N (N/s), deny N (N/s)",
        "bytes N from clients, N to them, of what has ended; N/s move below",
    ]
    assert lines[4] == "RULE ACTION HITS HITS/S OPEN" and sorted(lines[5:8]) == ["all tunnel N N N", "closed deny N N N", "open tunnel N N N"]
    assert lines[8:] == ["sorted by rate", "ID AGE RATE IN OUT CLIENT HOST RULE ACTION STATE USER",
                         "ID N N/s N N N.N:N origin.example.net:N open tunnel tunnel", ""]


def test_kill_ends_a_tunnel_and_a_request_and_says_what_it_did(gw, serve):
    silent = serve(origins.Script, lambda c, _: c.ended(), w.ORIGIN)
    with gw.tunnel("origin.example.net:443") as t, gw.connect() as c:
        t.send("x").exactly(1)
        c.send(wire.get("http://origin.example.net/"))
        wire.wait_until(lambda: len(sessions(gw)) == 2, "both")
        for one, words in zip(sessions(gw), ([], ["--json"])):
            said = gw.control("kill", one["id"], *words)
            assert said.returncode == 0
            if words:
                assert schema.check("kill", said.stdout) == {"id": one["id"], "ended": True, "why_not": None}
            else:
                assert said.stdout == f"ended {one['id']}\n"
            gw.says(f"control: uid 0 .* has ended {one['id']}")
            assert gw.record(id=one["id"])["fault"] == "killed"
        assert t.ended() and c.ended()
    del silent
    again = gw.control("kill", one["id"])
    assert again.returncode == 1 and "nothing of that id is under way" in again.stderr
    again = gw.control("kill", one["id"], "--json")
    assert again.returncode == 1 and schema.check("kill", again.stdout)["why_not"] == "nothing of that id is under way"


def test_kill_ends_an_inspected_tunnel_and_of_streams_only_the_one(gateway, world, folder, serve):
    held = threading.Event()
    serve(origins.Https, world.cert, world.key, w.ORIGIN, 8443, answer=lambda request, c: held.wait(20) if request.target == "/slow" else True)
    here = inspection.Inspecting(gateway, world, folder, gateway_options={"control": folder / "inspect.sock"})
    with here.inside("origin.example.net:8443", alpn=("h2",)) as t:
        h2.begin(t)
        t.send(h2.head(1, h2.request("origin.example.net:8443", path="/slow")))
        one, = wire.wait_until(lambda: [one for one in sessions(here.gw) if one["method"] == "GET"], "the stream")
        assert here.gw.control("kill", one["id"]).returncode == 0
        h2.until(t, h2.RST_STREAM, 1)
        assert here.gw.record(id=one["id"])["fault"] == "killed"
        t.send(h2.head(3, h2.request("origin.example.net:8443")))
        h2.until(t, h2.DATA, 3)
        tunnel, = [one for one in sessions(here.gw) if one["method"] == "CONNECT"]
        assert here.gw.control("kill", tunnel["id"]).returncode == 0
        assert wire_ends(t)
        assert here.gw.record(id=tunnel["id"])["fault"] == "killed"
    held.set()


def wire_ends(t):
    try:
        return t.ended() or True
    except ssl.SSLError:  # broken off
        return True


@pytest.mark.parametrize("words", [("kill",), ("kill", "x"), ("kill", "1 2"), ("kill", "1" * 17), ("kill", "1", "2"), ("top", "-d", "0"), ("top", "more")])
def test_what_is_said_wrongly_is_refused(gw, words):
    assert gw.control(*words).returncode == 2


def test_hostile_answers_do_not_reach_the_terminal_raw(folder, terminal, gw):
    """A socket that is no gateway: names of control characters, wide and broken ones, and answers that are none."""
    del terminal
    rows = ['{"id":"0123456789abcdef","client":"1.2.3.4:5","host":"a\\u001b[31m\\u0000\\u202e\\u4e16\\u754c\\u0301b","rule":"\\u009b","port":1,"age_ms":-5,"bytes_in":1e9}']
    answers = {"status": '{"state":"serv\\u0007ing","version":7,"actions":[],"rates":null}', "rules": "[null,1,{}]", "sessions": "[" + rows[0] + "]"}
    with socket.socket(socket.AF_UNIX) as s:
        path = folder / "odd.sock"
        s.bind(str(path))
        s.listen()
        for name in ("C.UTF-8", "C"):
            top = subprocess.Popen([g.PROGRAM, "top", "--once", "--control", str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "LC_ALL": name})
            for _ in range(3):
                c, _ = s.accept()
                with c:
                    c.sendall(f". {answers[c.recv(1024).decode().split()[0]]}\nx 0\n".encode())
            out, err = top.communicate(timeout=20)
            assert top.returncode == 0 and err == b"" and not re.search(rb"[\x00-\x09\x0b-\x1f\x7f]", out)
            assert "a?[31m?" in out.decode() and ("世界" in out.decode()) == (name == "C.UTF-8") and "\u202e" not in out.decode() and "\x9b" not in out.decode()
        for answer in (b"", b". [\nx 0\n", b". {}\n", b"e no\x1b[31m\nx 1\n"):
            top = subprocess.Popen([g.PROGRAM, "top", "--once", "--control", str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            c, _ = s.accept()
            with c:
                c.recv(1024)
                c.sendall(answer)
            out, err = top.communicate(timeout=20)
            assert top.returncode in (1, 3) and out == b"" and err.startswith(b"postern: ") and b"\x1b" not in err
