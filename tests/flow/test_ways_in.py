# SPDX-License-Identifier: MIT
"""Ways in beside plain TCP: balancers that say whose connection they bring (PROXY protocol), UNIX sockets, sockets that systemd made, both families."""

import contextlib
import os
import signal
import socket
import stat
import struct
import subprocess

import gateway as g
import origin as origins
import pytest
import wire
import world as w

PRIVATE = "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 127.0.0.0/8 fd00::/8"
ASK = b"GET http://origin.example.net/ HTTP/1.1\r\nHost: origin.example.net\r\nConnection: close\r\n\r\n"
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def binary(client, command=0x21, more=b""):
    """A header of version 2."""
    family = socket.AF_INET6 if ":" in client else socket.AF_INET
    to = "::1" if ":" in client else "127.0.0.1"
    body = socket.inet_pton(family, client) + socket.inet_pton(family, to) + struct.pack(">HH", 4711, 3128) + more
    return SIGNATURE + bytes([command, 0x21 if ":" in client else 0x11]) + struct.pack(">H", len(body)) + body


def line(client, kind="TCP4"):
    to = "::1" if kind == "TCP6" else "127.0.0.1"
    return f"PROXY {kind} {client} {to} 4711 3128\r\n".encode()


@pytest.fixture(scope="module")
def gw(gateway_kept, server):
    """Its listener believes 127.0.0.2 to 127.0.0.127, and lets only private clients in."""
    return gateway_kept(clients=PRIVATE, workers=2, head_timeout="1s", max_connections_per_client=3,
                        rules="[rule guests]\nclients = 10.9.0.0/16\naction = deny\n" + g.LET_ALL, listener="proxy-protocol-from = 127.0.0.2/31 127.0.0.4")


@pytest.fixture(scope="module")
def server(world):
    def serve(c):
        while True:
            c.until(b"\r\n\r\n")
            c.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfine\n")

    one = origins.Server(serve, w.ORIGIN, 80)
    yield one
    one.close()


def begin(gw, data=b"", balancer="127.0.0.2"):
    c = gw.connect(source=balancer)
    if data:
        c.send(data)
    return c


@pytest.mark.parametrize("header, client", [
    (line("10.1.2.3"), "10.1.2.3"), (line("fd00::7", "TCP6"), "fd00::7"), (binary("10.1.2.4"), "10.1.2.4"), (binary("fd00::8"), "fd00::8"),
    (binary("10.1.2.5", more=b"\x04\x00\x03abc"), "10.1.2.5"), (b"PROXY UNKNOWN\r\n", "127.0.0.2"), (binary("10.1.2.6", 0x20), "127.0.0.2"),
    (SIGNATURE + b"\x21\x00\x00\x00", "127.0.0.2"),
])
def test_the_header_says_whose_connection_it_is(gw, header, client):
    n = len([one for one in gw.records() if one["client"] == client]) + 1
    with begin(gw, header + ASK) as c:  # in one segment: nothing is lost
        assert c.response().body == b"fine\n"
    got = gw.record(n, client=client)
    assert (got["status"], got["client_port"]) == (200, 4711) if client != "127.0.0.2" else got["status"] == 200


def test_a_header_in_crumbs_and_a_request_later(gw):
    with begin(gw) as c:
        c.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in binary("10.1.3.1"):
            c.send(bytes([byte]))
        c.send(ASK)
        assert c.response().status == 200
    gw.record(client="10.1.3.1", status=200)


def test_rules_clients_and_tally_go_by_it(gw):
    with begin(gw, line("10.9.1.1") + ASK) as c:
        assert c.response().status == 403
    assert gw.record(client="10.9.1.1")["rule"] == "guests"
    before = len(gw.records())
    with begin(gw, line("198.51.100.7") + ASK) as c:
        assert c.rest() == b"", "the balancer may come, its client may not"
    with contextlib.ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(begin(gw, line("10.1.4.1") + ASK.replace(b"Connection: close\r\n", b""))).response()
        fourth = stack.enter_context(begin(gw, line("10.1.4.1") + ASK))
        assert fourth.response().status == 429
        assert stack.enter_context(begin(gw, line("10.1.4.2") + ASK)).response().status == 200, "others of the same balancer are not counted with it"
    assert len([one for one in gw.records()[before:] if one["client"] == "198.51.100.7"]) == 0


@pytest.mark.parametrize("data", [ASK, b"PROXY TCP4 10.1.1.1 10.0.0.1 1\r\n" + ASK, b"\x16\x03\x01\x00\x00", SIGNATURE + b"\x21\x11\xff\xff", b"PROXY TCP4 10.1.1.1"])
def test_a_balancer_that_does_not_say_is_closed(gw, data):
    n = len([one for one in gw.records() if one["fault"] == "bad-proxy-header"]) + 1
    with begin(gw, data, "127.0.0.4") as c:
        if data[-1:] == b"1":
            c.sock.shutdown(socket.SHUT_WR)
        assert c.rest() == b""
    got = gw.record(n, fault="bad-proxy-header")
    assert (got["client"], got["status"], got["result"], got["host"]) == ("127.0.0.4", None, "NONE_NONE", None), got
    gw.says("a connection from 127.0.0.4 to listener edge begins with something else; proxy-protocol-from says that one begins with a PROXY header: closed")
    assert gw.said().count("begins with something else") + gw.said().count("ended within it") <= 2, "once a minute for each worker"


def test_silence_is_not_waited_for_for_ever(gw):
    n = len([one for one in gw.records() if one["fault"] == "bad-proxy-header"]) + 1
    with begin(gw) as c:
        assert c.rest() == b""
    gw.record(n, fault="bad-proxy-header")


def test_a_health_check_leaves_no_line(gw):
    before = len(gw.records())
    for _ in range(3):
        begin(gw).sock.close()
    with begin(gw, line("10.1.5.1") + ASK) as c:
        c.response()
    gw.record(client="10.1.5.1")
    assert len(gw.records()) == before + 1


@pytest.mark.parametrize("header", [line("10.1.2.3"), binary("10.1.2.3")])
def test_nobody_else_is_believed(gw, header):
    with begin(gw, header + ASK, "127.0.0.9") as c:
        assert c.response().status == 400
    got = gw.record(client="127.0.0.9", fault=lambda fault: fault in ("bad-request-line", "bad-version"))
    assert got["status"] in (400, 505)
    gw.says("a connection from 127.0.0.9 to listener edge begins with a PROXY header, and proxy-protocol-from does not name that address: refused")


@pytest.mark.parametrize("version", ["send-proxy", "send-proxy-v2"])
def test_haproxy_is_understood(gw, folder, world, version):
    port = g.free_port()
    conf = folder / "haproxy.cfg"
    conf.write_text(f"""defaults
  mode tcp
  timeout connect 5s
  timeout client 10s
  timeout server 10s
listen front
  bind 127.0.0.1:{port}
  source 127.0.0.3
  server one 127.0.0.1:{gw.port} {version} check inter 200ms
""")
    child = world.start("haproxy", "-db", "-f", str(conf))
    try:
        wire.wait_until(lambda: not _refused(port), "haproxy")
        before = len([one for one in gw.records() if one["fault"] == "bad-proxy-header"])
        with wire.connect(("127.0.0.1", port), "127.0.0.77") as c:
            assert c.send(ASK).response().body == b"fine\n"
        gw.record(client="127.0.0.77", status=200)
        assert wire.curl("http://origin.example.net/", proxy=("127.0.0.1", port)).stdout == b"fine\n"
        assert len([one for one in gw.records() if one["fault"] == "bad-proxy-header"]) == before
    finally:
        child.send_signal(signal.SIGTERM)
        child.wait(20)


def _refused(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return False
    except OSError:
        return True


# --- UNIX sockets ---

def unix(path, data=ASK):
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(wire.PATIENCE)
    sock.connect(str(path))
    with wire.Wire(sock) as c:
        return c.send(data).response()


def test_a_unix_socket_serves_all_workers(gateway, server, folder):
    path = folder / "proxy.sock"
    gw = gateway(address=f"unix:{path}", workers=2, listener="socket-mode = 0600\nproxy-protocol-from = 127.0.0.0/8")
    gw.says(rf"listening on unix:{path} \(edge\)")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and stat.S_ISSOCK(path.stat().st_mode)
    for n in range(20):
        assert unix(path, line("10.1.1.1") + ASK).body == b"fine\n"
    gw.record(20, client="10.1.1.1", listener="edge")
    inode = path.stat().st_ino
    gw.write(g.LET_ALL)  # no PROXY headers any more
    gw.reload()
    gw.says("generation 2 is in use")
    assert path.stat().st_ino == inode
    assert unix(path).status == 200
    gw.record(client="127.0.0.1", status=200)
    os.kill(gw.pids("worker")[0], signal.SIGKILL)
    assert all(unix(path).status == 200 for _ in range(5))
    gw.stop()
    assert not path.exists()


def test_a_reload_adds_and_removes_them(gateway, server, folder):
    path = folder / "other.sock"
    gw = gateway()
    gw.listens += f" unix:{path}"
    gw.write(g.LET_ALL)
    gw.reload()
    gw.says(rf"listening on unix:{path}\n")
    assert unix(path).status == 200
    gw.listens = gw.listens.split()[0]
    gw.write(g.LET_ALL)
    gw.reload()
    gw.says(rf"no longer listening on unix:{path}\n")
    assert not path.exists()
    assert gw.ask(ASK).status == 200


def test_a_file_left_behind_is_replaced_and_a_live_one_is_not(gateway, server, folder):
    path = folder / "proxy.sock"
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(str(path))
    stale.close()
    first = gateway(address=f"unix:{path}")
    assert unix(path).status == 200
    with pytest.raises(AssertionError, match=rf"cannot listen: look at unix:{path}: Address already in use; is another program there"):
        gateway(address=f"unix:{path}")
    assert unix(path).status == 200
    first.stop()
    path.write_text("precious")
    with pytest.raises(AssertionError, match="a file that is no socket is there"):
        gateway(address=f"unix:{path}")
    assert path.read_text() == "precious"


# --- systemd ---

def test_sockets_from_systemd_are_used_and_stay(gateway, server, folder):
    port, odd, path = g.free_port(), g.free_port(), folder / "made-by-systemd.sock"
    passed = [socket.create_server(("127.0.0.1", port)), socket.create_server(("127.0.0.1", odd)), socket.socket(socket.AF_UNIX)]
    passed[2].bind(str(path))
    passed[2].listen()
    inode = path.stat().st_ino
    # what systemd does, without systemd: the descriptors from 3 on, and two variables
    script = ("import fcntl,os,sys\nfds=[int(x) for x in sys.argv[1].split(',')]\nfds=[fcntl.fcntl(fd,fcntl.F_DUPFD,100) for fd in fds]\n"
              "for i,fd in enumerate(fds): os.dup2(fd,3+i,True)\nos.closerange(3+len(fds),200)\n"
              "os.environ['LISTEN_FDS'],os.environ['LISTEN_PID']=str(len(fds)),str(os.getpid())\nos.execvp(sys.argv[2],sys.argv[2:])")
    for one in passed:
        os.set_inheritable(one.fileno(), True)
    gw = g.Gateway.__new__(g.Gateway)
    own = folder / "own"
    own.mkdir(mode=0o755)
    gw.pass_fds = [one.fileno() for one in passed]
    gw.__init__(own, address=f"127.0.0.1:{port} unix:{path}", workers=2, port=port,
                before=("/usr/bin/python3", "-c", script, ",".join(str(one.fileno()) for one in passed)))
    try:
        gw.says(rf"warning: systemd passes a socket at 127\.0\.0\.1:{odd}, which no listener has for its address")
        assert all(gw.ask(ASK).status == 200 and unix(path).status == 200 for _ in range(10))
        gw.write(g.LET_ALL, idle_timeout="30s")
        gw.reload()
        gw.says("generation 2 is in use")
        assert gw.ask(ASK).status == 200 and unix(path).status == 200
        gw.stop()
        assert path.stat().st_ino == inode, "it is systemd's"
        waiting = wire.connect(("127.0.0.1", port)).send(ASK)  # nobody runs: it waits in systemd's copy
        gw.start()
        assert waiting.response().status == 200
    finally:
        gw.stop()
        for one in passed:
            one.close()


def test_systemd_starts_it_with_the_first_connection(gateway, server, folder):
    """The real systemd-socket-activate; its socket on :: takes both families, as ListenStream=PORT does."""
    port = g.free_port()
    gw = gateway(address=f"*:{port}", port=port, workers=2, start=False)
    out = open(gw.stderr, "ab")
    gw.patience = 1
    gw.child = subprocess.Popen(["systemd-socket-activate", "-l", f"[::]:{port}", str(g.PROGRAM), "run", "-c", str(gw.file)], stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    out.close()
    wire.wait_until(lambda: "Listening on" in gw.said(), "systemd-socket-activate")
    with wire.connect(("127.0.0.1", port)) as c:
        assert c.send(ASK).response().status == 200, "the connection that began it is served"
    with wire.connect(("::1", port)) as c:
        assert c.send(ASK).response().status == 200
    gw.record(client="127.0.0.1")
    gw.record(client="::1")
    gw.reload()
    gw.says("generation 2 is in use")
    assert gw.ask(ASK).status == 200


# --- both families ---

def test_a_star_listens_on_both_families(gateway, server):
    port = g.free_port()
    gw = gateway(address=f"*:{port}", port=port, workers=2)
    gw.says(rf"listening on 0\.0\.0\.0:{port} \(edge\)")
    gw.says(rf"listening on \[::\]:{port} \(edge\)")
    for address in ("127.0.0.1", "::1"):
        with wire.connect((address, port)) as c:
            assert c.send(ASK).response().status == 200
        gw.record(client=address)
    with pytest.raises(AssertionError, match=rf"cannot listen: bind .*:{port}: Address already in use; is another program there"):
        gateway(address=f"[::]:{port}", workers=2)
