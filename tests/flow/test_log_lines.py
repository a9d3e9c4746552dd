# SPDX-License-Identifier: MIT
"""Which lines go to which log, what they tell of people, files that are full, and how much the operations log says."""

import json
import os
import re
import signal

import gateway as g
import load
import pytest
import wire

URL = "http://origin.example.net/"
CRYPT = "$5$ewrxmXZhnruqUkrf$Hc7sHfxtXB99pRycSAPKaY5ScU2iEsnP4hRTRvhXH30"  # of "pw"
CAROL, DAVE = ("Proxy-Authorization: Basic Y2Fyb2w6cHc=\r\n", "Proxy-Authorization: Basic ZGF2ZTpwdw==\r\n")
RULES = """
[auth]
basic-file = {file}
basic-without-tls = yes
[rule no-way]
hosts = no.example.net
action = deny
[rule open]
url = ^http://origin\\.example\\.net/open
action = tunnel
auth = none
[rule users]
users = carol dave
action = tunnel
"""
LOGS = {
    "denied": "format = json\nactions = deny",
    "nothing": "format = json\nactions = none",
    "users": "format = json\nrules = users no-way\nactions = tunnel",
    "sample": "format = json\nrules = open\nsample = 10",
    "hidden": "format = json\nanonymise = clients users",
    "squid": "format = squid\nanonymise = clients users",
    "custom": 'format = %>a %>p %un "%{user}note" %{auth_detail}note\nanonymise = users',
}


@pytest.fixture
def gw(gateway, origin, folder):
    users = folder / "users.basic"
    users.write_text(f"carol:{CRYPT}\ndave:{CRYPT}\n")
    users.chmod(0o600)
    gw = gateway(start=False)
    gw.more = "".join(f"\n[log {name}]\nfile = {gw.folder}/{name}.log\n{words}\n" for name, words in LOGS.items())
    gw.rules = RULES.replace("users = carol dave", "users = carol, dave").format(file=users)
    gw.write(gw.rules)
    gw.start()
    return gw


def lines(gw, name):
    file = gw.folder / f"{name}.log"
    return file.read_text().split("\n")[:-1] if file.exists() else []


def test_each_log_has_its_lines_and_hides_who_it_must(gw):
    assert gw.get(URL, fields=CAROL).status == 200
    assert gw.get(URL, fields=DAVE).status == 200
    assert gw.get(URL, fields=CAROL).status == 200
    assert gw.get("http://no.example.net/").status == 403
    assert gw.get(URL, fields=CAROL.replace("Y2Fyb2w6cHc=", "Y2Fyb2w6bm8=")).status == 407
    with gw.connect() as c:
        c.send("nonsense\r\n\r\n").rest()
    for _ in range(40):
        with gw.connect() as c:
            for _ in range(3):
                assert c.send(wire.get(f"{URL}open")).response().status == 200
    all_lines = wire.wait_until(lambda: len(gw.records()) >= 126 and gw.records(), "all lines in the log that takes them all")
    wire.wait_until(lambda: len(lines(gw, "hidden")) == len(all_lines) == len(lines(gw, "squid")), "the same in others")

    got = {name: [json.loads(line) for line in lines(gw, name)] for name in LOGS if "json" in LOGS[name]}
    assert [line["rule"] for line in got["denied"]] == ["no-way"]
    assert [line["status"] for line in got["nothing"]] == [line["status"] for line in all_lines if line["action"] is None] and 400 in [
        line["status"] for line in got["nothing"]]
    assert [(line["rule"], line["user"]) for line in got["users"]] == [("users", "carol"), ("users", "dave"), ("users", "carol")]

    sessions = {}
    for line in got["sample"]:
        sessions.setdefault(line["session"], []).append(line["id"])
    assert all(len(ids) == 3 for ids in sessions.values()) and 0 < len(sessions) < 20, sessions

    users = [line["user"] for line in got["hidden"] if line["user"]]
    assert len(users) == 3 and users[0] == users[2] != users[1] and all(re.fullmatch("[0-9a-f]{16}", user) for user in users)
    assert {(line["client"], line["client_port"]) for line in got["hidden"]} == {("127.0.0.0", None)}
    for name in ("hidden", "squid", "custom"):
        text = "\n".join(lines(gw, name))
        assert not re.search(r"carol|dave", text), name
    assert "127.0.0.1" not in "\n".join(lines(gw, "squid")) and users[0] in "\n".join(lines(gw, "squid"))
    # a reload, and another logger, know the same people by the same name
    gw.reload()
    for pid in gw.pids("logger"):
        os.kill(pid, signal.SIGKILL)
    gw.says(r"logger.* is there again")
    assert gw.get(URL, fields=CAROL).status == 200
    wire.wait_until(lambda: [json.loads(line)["user"] for line in lines(gw, "hidden") if json.loads(line)["user"]][3:] == [users[0]], "the same token")


def test_a_full_file_is_renamed_without_losing_a_line(gateway, origin):
    gw = gateway(start=False, workers=2, max_connections_per_client=0)
    gw.more = f"\n[log full]\nfile = {gw.folder}/full.log\nformat = json\nmax-size = 64k\nkeep = 50\n"
    gw.write(g.LET_ALL)
    gw.start()
    agent = f"User-Agent: {'a' * 400}\r\n"
    with load.Load(4, lambda i: gw.get(URL, fields=agent)) as running:
        running.passes(400)
        assert running.stop() == []
    asked = len(origin.requests)

    def kept():
        files = sorted(gw.folder.glob("full.log*"))
        found = [json.loads(line)["id"] for file in files for line in file.read_text().split("\n")[:-1]]
        return len(found) >= asked and (files, found)

    files, found = wire.wait_until(kept, f"{asked} lines in all files")
    assert len(found) == len(set(found)) == asked
    assert len(files) >= 4 and all(file.stat().st_size <= 65536 for file in files)


def test_the_operations_log_says_as_much_as_it_is_told_to(gateway, origin):
    gw = gateway(log_level="debug")
    assert gw.get(URL).status == 200
    gw.says(r"worker.*debug: session [0-9a-f]{16} \(request [0-9a-f]{16}\): head -> gate")
    gw.says(r"debug: session .* -> done")
    gw.write(g.LET_ALL, log_level="warn")
    gw.reload()
    since = len(gw.said())
    assert gw.get(URL).status == 200
    gw.record(2, status=200)
    gw.write("[rule bad\n", log_level="debug")
    gw.reload(ok=False)  # an error is said at every level, and changes none
    assert gw.get(URL).status == 200
    gw.record(3, status=200)
    assert "debug" not in gw.said()[since:] and "refused" in gw.said()[since:]
    gw.write(g.LET_ALL, log_level="info")
    gw.signal(signal.SIGHUP)  # the line about it would have been too much for the level before it, and is one of the level since
    wire.wait_until(lambda: gw.signal(signal.SIGHUP) or "reloaded" in gw.said()[since:], "words again")
