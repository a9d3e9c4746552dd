# SPDX-License-Identifier: MIT
"""What curl does inside inspected tunnels, over HTTP/1.1 and HTTP/2: bodies of all sizes and kinds, ranges, expectations, connections that are kept."""

import collections
import contextlib
import hashlib
import ssl
import subprocess
import threading

import pytest

import gateway as gateways
import inspection
import origin as origins
import web
import wire
import world as w

GIB = 1 << 30
SITE = "https://other.example.net"  # nginx, HTTP/1.1 and HTTP/2
OWN = "https://origin.example.net"  # a server of a test, HTTP/1.1


class Sink(origins.Server):
    """Reads bodies and tells how long they were; keeps none of them."""

    def __init__(self, port):
        super().__init__(self.converse, "127.0.0.1", port)

    def converse(self, wire):
        while wire.more():
            head = origins.Request(wire.until(b"\r\n\r\n")[:-4], b"", b"", 0)
            count = self.chunks(wire) if head["transfer-encoding"] else self.take(wire, int(head["content-length"] or 0))
            body = b"%d\n" % count
            wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    def take(self, wire, n):
        left, block = n - len(wire.kept), bytearray(1 << 20)
        wire.kept = wire.kept[n:] if left < 0 else b""
        while left > 0:
            left -= wire.sock.recv_into(block, min(left, len(block)))
        return n

    def chunks(self, wire):
        count = 0
        while size := int(wire.until(b"\r\n").split(b";")[0], 16):
            count += self.take(wire, size)
            assert wire.exactly(2) == b"\r\n"
        while wire.until(b"\r\n") != b"\r\n":
            pass
        return count


@pytest.fixture(scope="module")
def site(world, folder_kept, serve_kept):
    """nginx at other.example.net."""
    root = folder_kept / "www"
    root.mkdir()
    (root / "digits").write_bytes(b"0123456789" * 1000)
    with open(root / "huge", "wb") as f:
        f.truncate(GIB)
    sink = Sink(gateways.free_port())
    nginx = web.Nginx(folder_kept, w.OTHER, f"""server {{
      listen {w.OTHER}:443 ssl http2; ssl_certificate {world.cert}; ssl_certificate_key {world.key}; root {root}; keepalive_requests 100000;
      location = /sink {{ proxy_pass http://127.0.0.1:{sink.address[1]}; }}
      location = /none {{ return 204; }}
      location = /refuse {{ client_max_body_size 1; proxy_pass http://127.0.0.1:{sink.address[1]}; }}
    }}""")
    yield nginx
    nginx.close()


@pytest.fixture(scope="module")
def here(gateway_kept, world, folder_kept, site):
    return inspection.Inspecting(gateway_kept, world, folder_kept)


@pytest.fixture(params=["--http1.1", "--http2"])
def curl(request, here):
    """curl of one version."""
    def run(*words, **more):
        return here.curl(request.param, *words, **more)

    run.version = request.param
    return run


@pytest.fixture
def own(serve, world):
    """A server at origin.example.net: own(answer=...) or own(kind=...)."""
    return lambda **more: serve(origins.Https, world.cert, world.key, w.ORIGIN, 443, **more)


# --- bodies ---


def test_a_range_and_several(curl):
    done = curl("-w", "%{http_code}", "-r", "3-12", f"{SITE}/digits")
    assert done.stdout == b"3456789012206"
    body = curl("-i", "-r", "0-1,5-6", f"{SITE}/digits").stdout
    assert b"multipart/byteranges" in body and b"\r\n\r\n01\r\n" in body and b"\r\n\r\n56\r\n" in body
    assert curl("-w", "%{http_code}", "-o", "/dev/null", "-r", "99999-", f"{SITE}/digits").stdout == b"416"


def test_answers_without_a_body(curl):
    for words in (("-I", f"{SITE}/digits"), (f"{SITE}/none",)):
        done = curl("-i", *words)
        head, body = done.stdout.split(b"\r\n\r\n")[-2:]
        assert body == b""
    assert curl("-I", f"{SITE}/digits").stdout.lower().find(b"content-length: 10000") > 0
    tag = [line.split(b": ", 1)[1] for line in curl("-I", f"{SITE}/digits").stdout.split(b"\r\n") if line.lower().startswith(b"etag")][0].decode()
    assert curl("-w", "%{http_code} %{size_download}", "-H", f"If-None-Match: {tag}", f"{SITE}/digits").stdout == b"304 0"


@pytest.mark.slow
@pytest.mark.skipif(gateways.sanitized(), reason="memory under ASan says nothing")
@pytest.mark.parametrize("way", ["up", "up-chunked", "down"])
def test_a_gibibyte_streams(here, curl, way):
    if way == "down":
        words = ("-o", "/dev/null", "-w", "%{size_download}", f"{SITE}/huge")
    else:
        # -T - is of unknown length: chunked over HTTP/1.1
        words = ("-T", "-" if way == "up-chunked" else here.gw.folder / "huge", "-H", "Expect:", f"{SITE}/sink")
    if not (here.gw.folder / "huge").exists():
        with open(here.gw.folder / "huge", "wb") as f:
            f.truncate(GIB)
    before, most, ended = here.gw.worker_memory(), 0, threading.Event()

    def watch():
        nonlocal most
        while not ended.wait(0.1):
            most = max(most, here.gw.worker_memory())

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        with open(here.gw.folder / "huge", "rb") as body:
            done = subprocess.run(["curl", "-sS", "--max-time", "120", "--proxy", f"http://127.0.0.1:{here.gw.port}", "--cacert", here.cert, curl.version, *words],
                                  stdin=body, capture_output=True, timeout=150)
    finally:
        ended.set()
        thread.join()
    assert done.stdout.strip() == str(GIB).encode(), done.stderr
    assert 0 < most < before + (16 << 20), (before, most)


def test_chunks_and_trailers_pass(here, own):
    def answer(request, wire):
        digest = hashlib.sha256(request.body).hexdigest()
        wire.send(f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n{len(digest):x}\r\n{digest}\r\n0\r\nX-Sum: {digest[:8]}\r\n\r\n")
        return None

    server = own(answer=answer)
    with here.inside("origin.example.net:443") as t:
        t.send("POST / HTTP/1.1\r\nHost: origin.example.net\r\nTransfer-Encoding: chunked\r\nTrailer: X-End\r\n\r\n3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nX-End: yes\r\n\r\n")
        got = t.response()
    digest = hashlib.sha256(b"abcdefg").hexdigest()
    assert got.body.decode() == digest and f"X-Sum: {digest[:8]}".encode() in got.trailers
    assert server.requests[0].body == b"abcdefg" and b"X-End: yes" in server.requests[0].trailers


def bye(wire):
    """An end that TLS vouches for."""
    with contextlib.suppress(OSError):
        wire.sock.unwrap()
    return False


def closing(close_notify):
    """Answers whose body has no length, with or without such an end."""
    def answer(request, wire):
        wire.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + b"x" * 100000)
        return bye(wire) if close_notify else False

    return answer


def test_a_body_that_ends_with_the_connection(curl, own):
    own(answer=closing(True))
    assert len(curl(f"{OWN}/").stdout) == 100000


def test_an_end_that_anybody_could_have_made_is_passed_on_as_one(here, own):
    """A FIN without close_notify behind a body without a length: the client gets all that came, and no better end."""
    own(answer=closing(False))
    before = len(here.gw.records())
    with here.gw.tunnel("origin.example.net:443") as t:
        context = here.context()
        context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
        with context.wrap_socket(t.sock, server_hostname="origin.example.net", suppress_ragged_eofs=False) as sock:
            sock.sendall(b"GET / HTTP/1.1\r\nHost: origin.example.net\r\n\r\n")
            got = b""
            with pytest.raises(ssl.SSLError, match="(?i)eof"):
                while more := sock.recv(65536):
                    got += more
    assert got.endswith(b"\r\n\r\n" + b"x" * 100000)
    done = here.curl("--http2", f"{OWN}/", check=False)
    assert done.returncode == 92
    wire.wait_until(lambda: sum(line["fault"] == "response-incomplete" for line in here.gw.records()[before:]) == 2, "the log lines")


def test_a_body_that_is_cut_short_is_an_error_for_the_client(here, curl, own):
    own(answer=lambda request, wire: wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"x" * 1000) and bye(wire))
    before = len(here.gw.records())
    done = curl(f"{OWN}/cut", check=False)
    # over HTTP/2 curl throws away what came in one read with the reset
    assert (done.returncode, len(done.stdout)) == (18, 1000) if curl.version == "--http1.1" else done.returncode == 92
    wire.wait_until(lambda: any(line["fault"] == "response-incomplete" for line in here.gw.records()[before:]), "the log line")


def test_a_client_of_http_1_0_inside(here, own):
    server = own()
    with here.inside("origin.example.net:443") as t:
        t.send("GET /old HTTP/1.0\r\nHost: origin.example.net\r\n\r\n")
        got = t.response()
        assert got.status == 200 and got["transfer-encoding"] is None and t.ended()
    assert server.requests[0].version == "HTTP/1.1"


# --- expectations ---


def test_an_expectation_that_is_met(curl):
    done = curl("-v", "-H", "Expect: 100-continue", "--expect100-timeout", "20", "-d", "x" * 5000, f"{SITE}/sink")
    assert done.stdout == b"5000\n" and b" 100 " in done.stderr


def test_an_expectation_that_is_refused_before_the_body_was_sent(curl):
    """Over HTTP/2 curl then ends its stream short of its own content-length, which is malformed (RFC 9113 8.1.1): whether that comes before the end of the answer is chance."""
    done = curl("-v", "-H", "Expect: 100-continue", "--expect100-timeout", "20", "-d", "x" * 5000, "-w", "%{http_code} %{size_upload}", "-o", "/dev/null", f"{SITE}/refuse",
                check=False)
    assert done.stdout == b"413 0" and b" 100 " not in done.stderr
    assert done.returncode == 0 or (done.returncode == 92 and b"HTTP/2 413" in done.stderr), (done.returncode, done.stderr)


# --- connections ---


def test_many_requests_in_one_tunnel(here, curl):
    done = curl("-o", "/dev/null", "-w", "%{http_code} %{num_connects}\\n", f"{SITE}/none?[1-100]")
    lines = done.stdout.decode().split("\n")[:-1]
    assert [line.split()[0] for line in lines] == ["204"] * 100
    wire.wait_until(lambda: 100 in collections.Counter(line["session"] for line in here.gw.records() if line["method"] == "GET").values(), "100 lines of one tunnel")


def test_requests_that_do_not_wait_for_answers(here, own):
    server = own()
    with here.inside("origin.example.net:443") as t:
        t.send("".join(f"GET /{i} HTTP/1.1\r\nHost: origin.example.net\r\n\r\n" for i in range(50)))
        for i in range(50):
            assert f"GET /{i} " in t.response().body.decode()
    assert [request.target for request in server.requests] == [f"/{i}" for i in range(50)]


def connections(server, ask, *clients):
    """The connections of the origin that serve these clients, one after another."""
    for number, client in enumerate(clients):
        ask(number, client)
    return [request.connection for request in server.requests]


def test_clients_share_a_connection_until_one_of_them_logs_on(here, curl, own):
    def answer(request, wire):
        wire.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    server = own(answer=answer)

    def visit(*words):
        before = len(here.gw.records())
        curl(*words, f"{OWN}/")
        wire.wait_until(lambda: any(line["method"] == "CONNECT" for line in here.gw.records()[before:]), "the tunnel's end")
        return server.requests[-1].connection

    first = visit()
    assert visit() == first == visit()
    named = visit("-u", "alice:secret")
    assert visit() != named != visit("-u", "alice:secret")
    assert "secret" not in here.gw.access.read_text()


@pytest.mark.parametrize("scheme", ["NTLM", "Negotiate"])
def test_a_connection_that_is_somebodys_is_nobody_elses(here, curl, own, scheme):
    """What an origin's log-on binds to its connection must not be found there by the next client."""

    def answer(request, wire):
        if request.target == "/open":
            wire.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        else:
            wire.send(f"HTTP/1.1 401 No\r\nWWW-Authenticate: {scheme}\r\nContent-Length: 0\r\n\r\n")

    server = own(answer=answer)

    def visit(path):
        before = len(here.gw.records())
        done = curl("-i", f"{OWN}{path}")
        wire.wait_until(lambda: any(line["method"] == "CONNECT" for line in here.gw.records()[before:]), "the tunnel's end")
        return server.requests[-1].connection, done.stdout.decode()

    asked, head = visit("/closed")
    assert f"www-authenticate: {scheme}".lower() in head.lower()
    assert visit("/open")[0] != asked


def test_curl_logs_on_at_an_origin_by_ntlm(here, own):
    """Three requests, which must be of one connection, the same for no other client."""
    def answer(request, wire):
        token = request["authorization"]
        if token is None:
            wire.send("HTTP/1.1 401 No\r\nWWW-Authenticate: NTLM\r\nContent-Length: 0\r\n\r\n")
        elif len(token) < 100:
            wire.send("HTTP/1.1 401 No\r\nWWW-Authenticate: NTLM TlRMTVNTUAACAAAADAAMADgAAAAGgoECASNFZ4mrze8AAAAAAAAAAAAAAAAAAAAA"
                      "RABPAE0AQQBJAE4A\r\nContent-Length: 0\r\n\r\n")
        else:
            wire.send("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nin\n")

    server = own(answer=answer)
    assert here.curl("--http1.1", "--ntlm", "-u", "alice:secret", f"{OWN}/").stdout == b"in\n"
    assert len({request.connection for request in server.requests}) == 1 and len(server.requests) >= 2
    inside = server.requests[-1].connection
    assert here.curl("--http1.1", f"{OWN}/", "-w", "%{http_code}").stdout == b"401"
    assert server.requests[-1].connection != inside
