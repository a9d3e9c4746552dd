# SPDX-License-Identifier: MIT
"""Access logs that go to a syslog server: what a real one reads, and what happens while it is away or does not read."""

import json
import os
import re
import signal
import socket
import subprocess

import certs
import gateway as gateways
import origin as origins
import pytest
import rsyslog
import wire
import world as w

URL = "http://origin.example.net/"
ROOT = certs.Cert("log root", ca=True)


@pytest.fixture(scope="module")
def origin_kept(serve_kept):
    return serve_kept(origins.Http, w.ORIGIN, 80)


@pytest.fixture(scope="module")
def plain(world, folder_kept):
    server = rsyslog.Rsyslog(folder_kept / "plain", gateways.free_port(), gateways.free_port())
    server.udp = int(re.search(r'imudp" port="(\d+)"', server.file.read_text())[1])
    yield server
    server.close()


@pytest.fixture(scope="module")
def secure(world, folder_kept):
    folder = folder_kept / "secure"
    folder.mkdir()
    pair = certs.Cert("origin.example.net", by=ROOT, names=("origin.example.net",)).write(folder, "server")
    (folder / "ca.pem").write_bytes(ROOT.pem())
    (folder / "ca.pem").chmod(0o644)
    (folder / "other.pem").write_bytes(certs.Cert("another root", ca=True).pem())
    (folder / "other.pem").chmod(0o644)
    server = rsyslog.Rsyslog(folder, gateways.free_port(), gateways.free_port(), (*pair, folder / "ca.pem"))
    yield server
    server.close()


def log_to(to, *more):
    return "\n[log far]\nformat = json\nsyslog = " + "\n".join([to, *more]) + "\n"


def ask(gw, first, n):
    """So many requests, one after the other; traffic must not mind what logs do."""
    with gw.connect() as c:
        for i in range(first, first + n):
            assert c.send(wire.get(f"{URL}{i}")).response().status == 200


def paths(messages):
    return [int(m["text"]["url"].rsplit("/", 1)[1]) for m in messages if m["text"].get("url", "").rsplit("/", 1)[-1].isdigit()]


def read(server, since=0):
    return [{**m, "text": json.loads(m["text"])} for m in server.received(since)]


@pytest.mark.parametrize("way", ["unix", "udp", "tcp", "tls"])
def test_a_real_server_reads_each_line_as_it_is_in_the_file(gateway, origin_kept, plain, secure, way):
    server = secure if way == "tls" else plain
    to = {"unix": f"unix:{plain.socket}", "udp": f"udp:127.0.0.1:{plain.udp}", "tcp": f"tcp:localhost:{plain.tcp}", "tls": f"tls:origin.example.net:{secure.tcp}"}[way]
    had = len(server.received())
    gw = gateway(more=log_to(to, "syslog-facility = local3", "syslog-severity = notice", "syslog-name = edge", *([f"syslog-ca = {secure.folder}/ca.pem"] if way == "tls" else [])))
    ask(gw, 0, 5)
    gw.get(URL + "?" + "long" * 1000, fields='User-Agent: "\xc3\xa9\\]\r\n')
    server.wait(had + 6)
    messages = server.received(had)
    assert [m["text"] for m in messages] == gw.access.read_text().split("\n")[:-1]
    for m in messages:
        assert (m["pri"], m["version"], m["host"], m["app"], m["id"], m["data"]) == (str(19 * 8 + 5), "1", "gw.example.net", "edge", "access", "-")
        assert m["proc"] == str(gw.pids("logger")[0])
        assert json.loads(m["text"])["ts"] == m["time"]


def test_a_server_that_stops_and_dies_holds_nothing_up_and_gets_all_lines_in_order(gateway, origin_kept, plain):
    had = len(plain.received())
    gw = gateway(more=log_to(f"tcp:127.0.0.1:{plain.tcp}", "spool = spool"))
    spool = gw.folder / "spool"
    ask(gw, 0, 50)
    plain.wait(had + 50)
    plain.signal(signal.SIGSTOP)
    ask(gw, 50, 50)
    plain.kill()
    ask(gw, 100, 100)
    gw.says(r"access log tcp:127.0.0.1:\d+, spool .*: (Connection re\w+( by peer)?|it has ended the connection); \d+ KiB wait in its spool")
    wire.wait_until(lambda: spool.stat().st_size > 10000, "a spool with lines")
    assert spool.stat().st_mode & 0o777 == 0o600 and spool.owner() == gateways.owner(gw.pids("logger")[0])
    plain.start()
    wire.wait_until(lambda: 199 in paths(read(plain, had)), "the last line")
    got = paths(read(plain, had))
    # what lay unread in the server that was killed comes again; nothing else does, and nothing is missing
    assert sorted(set(got)) == list(range(200)) and list(dict.fromkeys(got)) == list(range(200)) and len(got) <= 250
    gw.says(r"access log tcp:.*: is written again; 0 lines were dropped")
    wire.wait_until(lambda: spool.stat().st_size == 64, "an empty spool")


def test_what_was_spooled_survives_logger_and_gateway(gateway, origin_kept, plain):
    had = len(plain.received())
    plain.kill()
    gw = gateway(more=log_to(f"tcp:127.0.0.1:{plain.tcp}", "spool = spool"))
    ask(gw, 0, 20)
    wire.wait_until(lambda: (gw.folder / "spool").exists() and (gw.folder / "spool").stat().st_size > 5000, "a spool with lines")
    gw.native_lines(20)
    os.kill(gw.pids("logger")[0], signal.SIGKILL)
    ask(gw, 20, 20)
    gw.native_lines(40)
    gw.stop()
    gw.start()
    gw.says("ready", 2)
    ask(gw, 40, 20)
    plain.start()
    wire.wait_until(lambda: len(paths(read(plain, had))) >= 60, "all lines")
    got = paths(read(plain, had))
    assert list(dict.fromkeys(got)) == list(range(60))


def test_a_server_that_accepts_and_never_reads_holds_nothing_up(gateway, origin_kept, world):
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        gw = gateway(more=log_to(f"tcp:127.0.0.1:{deaf.getsockname()[1]}", "spool = spool", "spool-size = 64k"))
        for i in range(4):
            with gw.connect() as c:
                for _ in range(300):
                    assert c.send(wire.get(URL + "x" * 3000)).response().status == 200
            gw.native_lines(300 * (i + 1))  # the other logs go on
        gw.says(r"access log tcp:.*: it does not read; \d+ KiB wait in its spool, which takes no more: No space left on device; \d+ lines are kept in memory")
        assert (gw.folder / "spool").stat().st_size <= (64 << 10) + 64


def test_a_spool_on_a_full_disk_leaves_lines_in_memory(gateway, origin_kept, plain, folder):
    disk = folder / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k,mode=777", "none", str(disk)], check=True)
    had = len(plain.received())
    plain.kill()
    try:
        gw = gateway(more=log_to(f"tcp:127.0.0.1:{plain.tcp}", f"spool = {disk}/spool"))
        ask(gw, 0, 100)
        gw.says(r"wait in its spool, which takes no more: No space left on device")
        plain.start()
        wire.wait_until(lambda: len(paths(read(plain, had))) >= 100, "all lines")
        assert paths(read(plain, had)) == list(range(100))
        gw.stop()
    finally:
        if plain.child.poll() is not None:
            plain.start()
        subprocess.run(["umount", "-l", str(disk)], check=True)


@pytest.mark.parametrize("host,ca,why", [
    ("origin.example.net", "other.pem", "its certificate is not accepted: self-signed certificate in certificate chain"),
    ("127.0.0.1", "ca.pem", "its certificate is not accepted: IP address mismatch"),
    ("both.example.net", "ca.pem", "its certificate is not accepted: hostname mismatch"),
    ("origin.example.net", "nothing.pem", "certificates of authorities cannot be read"),
])
def test_a_server_that_is_not_who_it_should_be_gets_nothing(gateway, origin_kept, secure, host, ca, why):
    had = len(secure.received())
    gw = gateway(more=log_to(f"tls:{host}:{secure.tcp}", f"syslog-ca = {secure.folder}/{ca}"))
    ask(gw, 0, 3)
    gw.says(re.escape(why))
    gw.stop()
    assert "is given up with 3 lines unwritten" in gw.said()
    assert len(secure.received()) == had


def test_a_server_whose_handshake_has_no_end_is_given_up(gateway, origin_kept, serve):
    """HelloRequests, which a client that is shaking hands skips as long as they come."""
    far = serve(origins.Server, lambda t: [t.send(b"\x16\x03\x03\x3e\x80" + bytes(16000)) for _ in range(20)] and t.rest(), "127.0.0.1", 0)
    gw = gateway(more=log_to(f"tls:127.0.0.1:{far.address[1]}"))
    ask(gw, 0, 3)
    gw.says(r"access log tls:.*: its TLS handshake has no end; \d lines are kept in memory")
    gw.native_lines(3)


def test_a_reload_moves_what_waits_to_the_new_server(gateway, origin_kept, plain):
    had = len(plain.received())
    nobody = gateways.free_port()
    gw = gateway(more=log_to(f"tcp:127.0.0.1:{nobody}", "spool = spool"))
    ask(gw, 0, 20)
    gw.native_lines(20)
    gw.more = log_to(f"tcp:127.0.0.1:{plain.tcp}", "spool = spool", "syslog-name = second")
    gw.write(gateways.LET_ALL)
    gw.reload()
    ask(gw, 20, 20)
    wire.wait_until(lambda: len(paths(read(plain, had))) >= 40, "all lines")
    got = read(plain, had)
    assert paths(got) == list(range(40)) and [m["app"] for m in got] == ["postern"] * 20 + ["second"] * 20
    # the place stays: nothing is lost or doubled
    gw.more = log_to(f"tcp:127.0.0.1:{plain.tcp}", "spool = spool", "syslog-name = third")
    gw.write(gateways.LET_ALL)
    ask(gw, 40, 10)
    gw.reload()
    ask(gw, 50, 10)
    wire.wait_until(lambda: len(paths(read(plain, had))) >= 60, "all lines")
    assert paths(read(plain, had)) == list(range(60)) and read(plain, had)[-1]["app"] == "third"
