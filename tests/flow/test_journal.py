# SPDX-License-Identifier: MIT
"""Access logs that go to the systemd journal: what a real one keeps, and what happens while it does not read."""

import json
import os
import signal
import socket
import struct
import subprocess
from pathlib import Path

import gateway as gateways
import pytest
import wire

URL = "http://origin.example.net/"
RUN = Path("/run/systemd/journal")
JOURNALD = Path("/lib/systemd/systemd-journald")
MORE = "\n[log far]\nformat = json\njournald = yes\nsyslog-name = edge\nsyslog-severity = notice\n"
RULES = "[rule no]\nhosts = no.example.net\naction = deny\n" + gateways.LET_ALL


@pytest.fixture(autouse=True)
def own_run(world):
    """An empty /run/systemd of our own."""
    RUN.parent.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "none", str(RUN.parent)], check=True)
    RUN.mkdir()
    yield
    subprocess.run(["umount", "-l", str(RUN.parent)], check=True)


def fields(data):
    """A message of the journal's native protocol, taken apart."""
    found = {}
    while data:
        head, _, data = data.partition(b"\n")
        if b"=" in head:
            key, _, value = head.partition(b"=")
        else:
            key, (n,) = head, struct.unpack("<Q", data[:8])
            value, data = data[8:8 + n], data[8 + n + 1:]
        assert key not in found
        found[key.decode()] = value.decode()
    return found


class Journal:
    """Its socket, and what came."""

    def __init__(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(str(RUN / "socket"))
        (RUN / "socket").chmod(0o666)
        self.sock.settimeout(wire.PATIENCE)

    def read(self):
        data, extra, _, _ = self.sock.recvmsg(1 << 20, socket.CMSG_SPACE(4))
        if extra:
            fd = struct.unpack("i", extra[0][2])[0]
            with os.fdopen(fd, "rb") as file:
                file.seek(0)
                data = file.read()
        return fields(data)


def ask(gw, first, n):
    with gw.connect() as c:
        for i in range(first, first + n):
            assert c.send(wire.get(f"{URL}{i}")).response().status == 200


def test_each_line_has_fields_to_look_it_up_by(gateway, origin):
    journal = Journal()
    gw = gateway(rules=RULES, more=MORE)
    gw.get(URL)
    gw.get("http://no.example.net/")
    lines = [line for line in (journal.read(), journal.read())]
    assert [line["MESSAGE"] for line in lines] == gw.access.read_text().split("\n")[:-1]
    for line in lines:
        assert (line["PRIORITY"], line["SYSLOG_FACILITY"], line["SYSLOG_IDENTIFIER"], line["POSTERN_CLIENT"], line["POSTERN_LISTENER"]) == ("5", "16", "edge", "127.0.0.1", "edge")
        assert line["POSTERN_ID"] == json.loads(line["MESSAGE"])["id"]
    assert (lines[0]["POSTERN_ACTION"], lines[0]["POSTERN_RULE"], lines[0]["POSTERN_HOST"], lines[0]["POSTERN_STATUS"]) == ("tunnel", "all", "origin.example.net", "200")
    assert (lines[1]["POSTERN_ACTION"], lines[1]["POSTERN_RULE"], lines[1]["POSTERN_STATUS"]) == ("deny", "no", "403") and lines[1]["POSTERN_FAULT"]


def test_a_journal_that_is_away_or_does_not_read_holds_nothing_up(gateway, origin):
    gw = gateway(more=MORE)
    ask(gw, 0, 5)
    gw.says("access log journald: No such file or directory; . lines are kept in memory")
    journal = Journal()
    ask(gw, 5, 500)
    gw.native_lines(505)
    urls = [json.loads(journal.read()["MESSAGE"])["url"] for _ in range(505)]
    assert urls == [f"{URL}{i}" for i in range(505)]


@pytest.mark.skipif(not JOURNALD.exists(), reason="needs Debian's systemd")
def test_a_real_journal_finds_lines_by_their_rule(gateway, origin):
    machine = Path("/etc/machine-id").read_text().strip() if Path("/etc/machine-id").exists() else ""
    if not machine:
        pytest.skip("needs /etc/machine-id")
    child = subprocess.Popen([str(JOURNALD)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wire.wait_until(lambda: (RUN / "socket").exists() or child.poll() is not None, "journald")
        if child.poll() is not None:
            pytest.skip("journald does not start here")
        gw = gateway(rules=RULES, more=MORE)
        gw.get(URL)
        gw.get("http://no.example.net/")

        def found():
            out = subprocess.run(["journalctl", "-D", "/run/log/journal", "-o", "json", "POSTERN_RULE=no"], capture_output=True, text=True).stdout
            return [json.loads(line) for line in out.splitlines()]

        line = wire.wait_until(found, "the line in the journal")[0]
        assert json.loads(line["MESSAGE"]) == gw.record(status=403)
        assert line["SYSLOG_IDENTIFIER"] == "edge" and line["POSTERN_ACTION"] == "deny" and line["PRIORITY"] == "5"
    finally:
        child.send_signal(signal.SIGTERM)
        child.wait()
