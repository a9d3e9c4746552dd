# SPDX-License-Identifier: MIT
"""What two parties could read differently is refused and never seen by the origin; what is let through is what was decided on."""

import pytest

import origin as origins
import wire
import world as w

HOST = b"Host: origin.example.net\r\n"
START = b"POST http://origin.example.net/ HTTP/1.1\r\n"
GET = b"GET http://origin.example.net/ HTTP/1.1\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"

# name, bytes, statuses that are right
REFUSED = [
    ("te and cl", START + HOST + CHUNKED + b"Content-Length: 5\r\n\r\n0\r\n\r\n", (400,)),
    ("cl and te", START + HOST + b"Content-Length: 5\r\n" + CHUNKED + b"\r\n0\r\n\r\n", (400,)),
    ("two lengths", START + HOST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", (400,)),
    ("the same length twice", START + HOST + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", (400,)),
    ("list of lengths", START + HOST + b"Content-Length: 5, 5\r\n\r\nhello", (400,)),
    ("length with a sign", START + HOST + b"Content-Length: +5\r\n\r\nhello", (400,)),
    ("negative length", START + HOST + b"Content-Length: -5\r\n\r\nhello", (400,)),
    ("hexadecimal length", START + HOST + b"Content-Length: 0x5\r\n\r\nhello", (400,)),
    ("empty length", START + HOST + b"Content-Length: \r\n\r\nhello", (400,)),
    ("length with a blank inside", START + HOST + b"Content-Length: 1 1\r\n\r\nhello", (400,)),
    ("length beyond 64 bits", START + HOST + b"Content-Length: 18446744073709551621\r\n\r\nhello", (400, 413)),
    ("chunked twice", START + HOST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", (400, 501)),
    ("chunked in two fields", START + HOST + CHUNKED + CHUNKED + b"\r\n0\r\n\r\n", (400, 501)),
    ("chunked not last", START + HOST + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", (400, 501)),
    ("identity", START + HOST + b"Transfer-Encoding: identity\r\nContent-Length: 5\r\n\r\nhello", (400, 501)),
    ("xchunked", START + HOST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", (400, 501)),
    ("quoted chunked", START + HOST + b'Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n', (400, 501)),
    ("vertical tab chunked", START + HOST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", (400, 501)),
    ("blank before the colon", START + HOST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", (400,)),
    ("tab before the colon", START + HOST + b"Content-Length\t: 5\r\n\r\nhello", (400,)),
    ("te in 1.0", b"POST http://origin.example.net/ HTTP/1.0\r\n" + HOST + CHUNKED + b"\r\n0\r\n\r\n", (400,)),
    ("obs-fold", START + HOST + b"X: a\r\n b\r\nContent-Length: 0\r\n\r\n", (400,)),
    ("folded te", START + HOST + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", (400,)),
    ("blank line start", GET + b" " + HOST + b"\r\n", (400,)),
    ("bare lf", b"GET http://origin.example.net/ HTTP/1.1\nHost: origin.example.net\n\n", (400,)),
    ("bare lf in fields", GET + HOST + b"X: a\nY: b\r\n\r\n", (400,)),
    ("bare cr", GET + HOST + b"X: a\rY: b\r\n\r\n", (400,)),
    ("cr cr lf", GET + HOST + b"X: a\r\r\n\r\n", (400,)),
    ("nul in a value", GET + HOST + b"X: a\0b\r\n\r\n", (400,)),
    ("nul in a name", GET + HOST + b"X\0: a\r\n\r\n", (400,)),
    ("empty name", GET + HOST + b": a\r\n\r\n", (400,)),
    ("no colon", GET + HOST + b"nothing\r\n\r\n", (400,)),
    ("blank in a name", GET + HOST + b"X Y: a\r\n\r\n", (400,)),
    ("control byte in a value", GET + HOST + b"X: a\x01\r\n\r\n", (400,)),
    ("no host", GET + b"\r\n", (400,)),
    ("two hosts", GET + HOST + b"Host: other.example.net\r\n\r\n", (400,)),
    ("the same host twice", GET + HOST + HOST + b"\r\n", (400,)),
    ("host with a path", GET + b"Host: origin.example.net/x\r\n\r\n", (400,)),
    ("host with user information", GET + b"Host: a@origin.example.net\r\n\r\n", (400,)),
    ("host with a blank", GET + b"Host: origin example.net\r\n\r\n", (400,)),
    ("host list", GET + b"Host: origin.example.net, other.example.net\r\n\r\n", (400,)),
    ("host with a bad port", GET + b"Host: origin.example.net:99999\r\n\r\n", (400,)),
    ("percent host", GET + b"Host: origin%2eexample.net\r\n\r\n", (400,)),
    ("blank in the target", b"GET http://origin.example.net/a b HTTP/1.1\r\n" + HOST + b"\r\n", (400,)),
    ("two blanks", b"GET  http://origin.example.net/ HTTP/1.1\r\n" + HOST + b"\r\n", (400,)),
    ("tabs between", b"GET\thttp://origin.example.net/\tHTTP/1.1\r\n" + HOST + b"\r\n", (400,)),
    ("blank at the end", b"GET http://origin.example.net/ HTTP/1.1 \r\n" + HOST + b"\r\n", (400,)),
    ("no version", b"GET http://origin.example.net/\r\n" + HOST + b"\r\n", (400, 505)),
    ("lower-case http", b"GET http://origin.example.net/ http/1.1\r\n" + HOST + b"\r\n", (400, 505)),
    ("version 1.10", b"GET http://origin.example.net/ HTTP/1.10\r\n" + HOST + b"\r\n", (400, 505)),
    ("version 2.0", b"GET http://origin.example.net/ HTTP/2.0\r\n" + HOST + b"\r\n", (400, 505)),
    ("version 0.9", b"GET http://origin.example.net/ HTTP/0.9\r\n" + HOST + b"\r\n", (400, 505)),
    ("user information", b"GET http://a:b@origin.example.net/ HTTP/1.1\r\n" + HOST + b"\r\n", (400,)),
    ("fragment", b"GET http://origin.example.net/#x HTTP/1.1\r\n" + HOST + b"\r\n", (400,)),
    ("raw utf-8 in the path", b"GET http://origin.example.net/\xc3\xa4 HTTP/1.1\r\n" + HOST + b"\r\n", (400,)),
    ("bad percent", b"GET http://origin.example.net/%zz HTTP/1.1\r\n" + HOST + b"\r\n", (400,)),
    ("backslash", b"GET http://origin.example.net\\@other.example.net/ HTTP/1.1\r\n" + HOST + b"\r\n", (400,)),
    ("one slash", b"GET http:/origin.example.net/ HTTP/1.1\r\n" + HOST + b"\r\n", (400, 501)),
    ("no authority", b"GET http:///x HTTP/1.1\r\n" + HOST + b"\r\n", (400,)),
    ("origin-form", b"GET / HTTP/1.1\r\n" + HOST + b"\r\n", (400,)),
    ("asterisk", b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n", (400,)),
    ("https in absolute-form", b"GET https://origin.example.net/ HTTP/1.1\r\n" + HOST + b"\r\n", (501,)),
    ("ftp", b"GET ftp://origin.example.net/ HTTP/1.1\r\n" + HOST + b"\r\n", (501,)),
    ("connect without a port", b"CONNECT origin.example.net HTTP/1.1\r\n" + HOST + b"\r\n", (400,)),
    ("connect with a url", b"CONNECT http://origin.example.net:443/ HTTP/1.1\r\n" + HOST + b"\r\n", (400,)),
    ("connect with a path", b"CONNECT origin.example.net:443/x HTTP/1.1\r\n" + HOST + b"\r\n", (400,)),
    ("connect with user information", b"CONNECT a@origin.example.net:443 HTTP/1.1\r\n" + HOST + b"\r\n", (400,)),
    ("connect with port 0", b"CONNECT origin.example.net:0 HTTP/1.1\r\n" + HOST + b"\r\n", (400,)),
    ("connect with a body", b"CONNECT origin.example.net:443 HTTP/1.1\r\nHost: origin.example.net:443\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n", (400,)),
    ("zone id", b"GET http://[fe80::1%25eth0]/ HTTP/1.1\r\nHost: [fe80::1%25eth0]\r\n\r\n", (400,)),
    ("chunk size with a sign", START + HOST + CHUNKED + b"\r\n+5\r\nhello\r\n0\r\n\r\n", (400,)),
    ("chunk size 0x", START + HOST + CHUNKED + b"\r\n0x5\r\nhello\r\n0\r\n\r\n", (400,)),
    ("chunk size with a blank", START + HOST + CHUNKED + b"\r\n 5\r\nhello\r\n0\r\n\r\n", (400,)),
    ("chunk size overflow", START + HOST + CHUNKED + b"\r\n10000000000000005\r\nhello\r\n0\r\n\r\n", (400,)),
    ("chunk size empty", START + HOST + CHUNKED + b"\r\n\r\nhello\r\n0\r\n\r\n", (400,)),
    ("chunk size with bare lf", START + HOST + CHUNKED + b"\r\n5\nhello\r\n0\r\n\r\n", (400,)),
    ("chunk without crlf", START + HOST + CHUNKED + b"\r\n5\r\nhelloX\r\n0\r\n\r\n", (400,)),
    ("chunk longer than its size", START + HOST + CHUNKED + b"\r\n4\r\nhello\r\n0\r\n\r\n", (400,)),
    ("lf in a chunk extension", START + HOST + CHUNKED + b"\r\n5;a=\nb\r\nhello\r\n0\r\n\r\n", (400,)),
    ("length as trailer", START + HOST + CHUNKED + b"\r\n0\r\nContent-Length: 5\r\n\r\n", (400,)),
    ("host as trailer", START + HOST + CHUNKED + b"\r\n0\r\nHost: x\r\n\r\n", (400,)),
    ("folded trailer", START + HOST + CHUNKED + b"\r\n0\r\nX: a\r\n b\r\n\r\n", (400,)),
    ("tls on the plain port", wire.client_hello("origin.example.net"), (400, None)),
    ("method too odd", b"G(T http://origin.example.net/ HTTP/1.1\r\n" + HOST + b"\r\n", (400,)),
    ("a head too large", GET + HOST + b"X: " + b"a" * 300000 + b"\r\n\r\n", (431,)),
    ("a target too long", b"GET http://origin.example.net/" + b"a" * 300000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", (414, 431)),
]


@pytest.fixture(scope="module")
def shared(world):
    """One gateway and one origin for the whole table."""
    import os
    import shutil
    import tempfile
    from pathlib import Path

    import gateway as g
    folder = Path(tempfile.mkdtemp(prefix="postern-flow-"))
    os.chmod(folder, 0o755)
    origin = origins.Http(w.ORIGIN, 80)
    gw = g.Gateway(folder)
    yield gw, origin
    origin.close()
    gw.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize("request_bytes,statuses", [row[1:] for row in REFUSED], ids=[row[0].replace(" ", "-") for row in REFUSED])
def test_refused_closed_and_never_seen_by_the_origin(shared, request_bytes, statuses):
    gw, origin = shared
    seen, logged = len(origin.requests), len(gw.records())
    smuggled = b"GET http://origin.example.net/smuggled HTTP/1.1\r\nHost: origin.example.net\r\n\r\n"
    with gw.connect() as c:
        try:
            c.send(request_bytes if statuses == (501,) else request_bytes + smuggled)
            if statuses == (501,):
                c.shut()  # well-formed, only not for us: what follows it would be another request
        except OSError:
            pass  # closed while we were still sending
        answer = c.rest()
    if answer:
        first = wire.Response(answer.split(b"\r\n\r\n")[0])
        assert first.status in statuses
        assert answer.count(b"HTTP/1.1 ") == 1, answer
        if first.status != 501:
            assert (first["connection"] or "").lower() == "close"
        assert first["proxy-status"]
    else:
        assert None in statuses, "closed without an answer"
    # a request of our own behind it proves that the origin's list is complete
    assert gw.get("http://origin.example.net/mark").status == 200
    assert [r.target for r in origin.requests[seen:]] == ["/mark"]
    wire.wait_until(lambda: len(gw.records()) >= logged + 2, "both log lines")


# what is sent, and the request line and Host that the origin must see
PASSED = [
    (b"\r\nGET http://origin.example.net/ HTTP/1.1\r\n" + HOST + b"\r\n", "GET / HTTP/1.1", "origin.example.net"),
    (b"GET http://origin.example.net HTTP/1.1\r\n" + HOST + b"\r\n", "GET / HTTP/1.1", "origin.example.net"),
    (b"GET http://origin.example.net?q=1 HTTP/1.1\r\n" + HOST + b"\r\n", "GET /?q=1 HTTP/1.1", "origin.example.net"),
    (b"GET HTTP://ORIGIN.EXAMPLE.NET:80/A HTTP/1.1\r\nHost: ORIGIN.example.net:80\r\n\r\n", "GET /A HTTP/1.1", "origin.example.net"),
    (b"GET http://origin.example.net./ HTTP/1.1\r\nHost: origin.example.net.\r\n\r\n", "GET / HTTP/1.1", "origin.example.net"),
    (b"GET http://origin.example.net/a/../b/%2e%2e/c HTTP/1.1\r\n" + HOST + b"\r\n", "GET /a/../b/%2e%2e/c HTTP/1.1", "origin.example.net"),
    (b"GET http://origin.example.net/ HTTP/1.1\r\nHost: other.example.net\r\n\r\n", "GET / HTTP/1.1", "origin.example.net"),
    (b"GET http://origin.example.net/ HTTP/1.1\r\nhOsT:origin.example.net\r\nX:\r\n\r\n", "GET / HTTP/1.1", "origin.example.net"),
    (b"GET http://origin.example.net/ HTTP/1.0\r\n\r\n", "GET / HTTP/1.1", "origin.example.net"),
    (b"GET http://20.42.0.20/ HTTP/1.1\r\nHost: 20.42.0.20\r\n\r\n", "GET / HTTP/1.1", "20.42.0.20"),
    (b"get http://origin.example.net/ HTTP/1.1\r\n" + HOST + b"\r\n", "get / HTTP/1.1", "origin.example.net"),
    (b"GET http://origin.example.net/?a=http://other.example.net/ HTTP/1.1\r\n" + HOST + b"\r\n", "GET /?a=http://other.example.net/ HTTP/1.1", "origin.example.net"),
]


@pytest.mark.parametrize("row", PASSED, ids=[str(i) for i in range(len(PASSED))])
def test_the_origin_receives_the_request_that_was_decided_on(shared, row):
    gw, origin = shared
    sent, line, host = row
    seen, logged = len(origin.requests), len(gw.records())
    assert gw.ask(sent).status == 200
    request = origin.requests[seen]
    assert request.line == line and request.all("host") == [host]
    record = wire.wait_until(lambda: gw.records()[logged:], "its log line")[0]
    assert record["host"] == host and record["port"] == 80 and record["status"] == 200
