# SPDX-License-Identifier: MIT
"""The access log: its formats on the wire, its rotation, and a disk that is full."""

import json
import re
import signal
import subprocess
import time

import load
import origin as origins
import pytest
import wire
import world as w

URL = "http://origin.example.net/"
# %ts.%03tu %6tr %>a %Ss/%03>Hs %<st %rm %ru %[un %Sh/%<a %mt
NATIVE = re.compile(r"^\d{10}\.\d{3} (?=.{6,} )( *\d+) (\S+) ([A-Z_]+)/(\d{3}) (\d+) (\S+) (\S+) (\S+) ([A-Z_]+)/(\S+) (\S+)$")


def test_every_line_is_squids_native_format(gateway, serve, origin):
    serve(origins.Echo, w.ORIGIN, 443)
    gw = gateway("[rule no]\nhosts = no.example.net\naction = deny\n[rule all]\nhosts = *\naction = tunnel\nauth = none\n")
    with gw.tunnel("origin.example.net:443") as t:
        t.send("12345").exactly(5)
    gw.record(method="CONNECT")
    gw.get("http://origin.example.net/path?token=secret")
    gw.get("http://no.example.net/")
    gw.get("http://nobody.example.net/")
    with gw.connect() as c:
        c.send("nonsense\r\n\r\n").rest()
    lines = gw.native_lines(5)
    rows = [NATIVE.match(line) for line in lines]
    assert all(rows), lines
    found = [(m[2], m[3], m[4], m[6], m[7], m[8], m[9], m[10], m[11]) for m in rows]
    assert found[0] == ("127.0.0.1", "TCP_TUNNEL", "200", "CONNECT", "origin.example.net:443", "-", "HIER_DIRECT", w.ORIGIN, "-")
    # Squid leaves the question mark where it cuts the query off
    assert found[1][:5] == ("127.0.0.1", "TCP_MISS", "200", "GET", "http://origin.example.net/path?") and found[1][6:] == ("HIER_DIRECT", w.ORIGIN, "application/json")
    assert found[2][:5] == ("127.0.0.1", "TCP_DENIED", "403", "GET", "http://no.example.net/") and found[2][6:8] == ("HIER_NONE", "-")
    assert found[3][1:5] == ("TCP_MISS", "502", "GET", "http://nobody.example.net/")
    assert found[4][1:3] == ("NONE_NONE", "400")
    assert all(len(m[1]) >= 6 for m in rows)
    assert "secret" not in gw.native.read_text() + gw.access.read_text()


def test_secrets_and_control_bytes_do_not_reach_the_log(gateway, origin):
    gw = gateway()
    gw.get("http://origin.example.net/?password=hunter2", fields="User-Agent: a\"b\\c\xff\xfe\tz\r\nAuthorization: Bearer hunter2\r\nCookie: hunter2\r\n"
                                                                  "Proxy-Authorization: Basic aHVudGVyMg==\r\n")
    line = gw.record(status=200)
    text = gw.access.read_text() + gw.native.read_text()
    assert "hunter2" not in text and "aHVudGVyMg" not in text
    assert line["user_agent"].startswith('a"b\\c')


def test_query_strings_are_logged_only_when_asked_for(gateway, origin):
    gw = gateway(more="log-query = yes\n")
    gw.get("http://origin.example.net/?a=b")
    assert "/?a=b" in gw.native_lines()[0] and "a=b" not in gw.access.read_text()


def test_combined_and_custom_formats(gateway, origin):
    gw = gateway(start=False)
    custom, combined = gw.folder / "custom.log", gw.folder / "combined.log"
    gw.more = f"\n[log custom]\nfile = {custom}\nformat = %>a %rm %ru %>Hs \"%{{User-Agent}}>h\"\n\n[log combined]\nfile = {combined}\nformat = combined\n"
    from gateway import LET_ALL
    gw.write(LET_ALL)
    gw.start()
    gw.get("http://origin.example.net/x", fields="User-Agent: probe\r\n")
    line = wire.wait_until(lambda: custom.exists() and custom.read_text(), "the custom log")
    assert line == '127.0.0.1 GET http://origin.example.net/x 200 "probe"\n'
    line = wire.wait_until(lambda: combined.exists() and combined.read_text(), "the combined log")
    assert re.match(r'^127\.0\.0\.1 - - \[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] "GET http://origin\.example\.net/x HTTP/1\.1" 200 \d+ "-" "probe"', line), line


def test_sigusr1_opens_the_files_again(gateway, origin):
    gw = gateway()
    gw.get(f"{URL}1")
    gw.record(status=200)
    old = gw.folder / "access.json.1"
    gw.access.rename(old)
    gw.signal(signal.SIGUSR1)

    def moved():
        gw.get(f"{URL}2")
        return gw.access.exists() and gw.access.read_text()

    wire.wait_until(moved, "a new file")
    assert json.loads(old.read_text().split("\n")[0])["url"].endswith("/1")
    total = old.read_text().count("\n") + gw.access.read_text().count("\n")
    asked = len(origin.requests)
    wire.wait_until(lambda: old.read_text().count("\n") + gw.access.read_text().count("\n") == asked, f"{asked} lines in both files, not {total}")


def test_no_line_is_lost_when_many_come_at_once(gateway, origin):
    gw = gateway(workers=2, max_connections_per_client=0)
    with load.Load(8, lambda i: gw.get(URL)) as running:
        running.passes(1000)
        running.stop()
    asked = len(origin.requests)
    wire.wait_until(lambda: len(gw.records()) >= asked, f"{asked} lines")
    ids = [line["id"] for line in gw.records()]
    assert len(ids) == len(set(ids)) == asked


@pytest.fixture
def small_disk(world, folder):
    disk = folder / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m,mode=777", "tmpfs", str(disk)], check=True)
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_full_disk_never_stops_traffic_and_drops_are_counted(gateway, origin, small_disk):
    gw = gateway(log_file=small_disk / "access.json")
    gw.get(URL)
    gw.record(status=200)
    filler = small_disk / "filler"
    with open(filler, "wb", buffering=0) as f:
        try:
            while True:
                f.write(b"x" * 65536)
        except OSError:
            pass
    begin = time.monotonic()
    # 20 MB of lines: more than any memory that is meant to hold them
    agent = "User-Agent: " + "a" * 7000 + "\r\n"

    def each(i):
        answer = gw.get(URL, fields=agent)
        assert answer.status == 200

    with load.Load(4, each) as running:
        running.passes(3000)
        assert running.stop() == []
    assert time.monotonic() - begin < 60
    gw.says(r"(?i)(no space|ENOSPC|full|drop)")
    # room for what was kept in memory as well
    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)

    def flows_again():
        gw.get(f"{URL}after")
        return "/after" in (small_disk / "access.json").read_text()

    wire.wait_until(flows_again, "lines after the disk has room again")
    gw.says(r"(?i)drop")
