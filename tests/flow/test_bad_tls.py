# SPDX-License-Identifier: MIT
"""Origins with good certificates and bad TLS: old, weak, broken, or odd; what the client saw, and what the log says of it.

What OpenSSL cannot speak any more (SSL 3, RC4, DES, export ciphers, compression) is played: a ServerHello by hand that chooses it. Of weak
Diffie-Hellman nothing can be seen, for it is never offered.
"""

import contextlib
import os
import shutil
import ssl
import struct
import tempfile
from pathlib import Path

import pytest

import conftest
import gateway as gateways
import inspection
import origin as origins
import web
import world as w
from certs import Cert

SITE = "other.example.net"  # every name below it leads to w.OTHER
V = ssl.TLSVersion


class Place:
    """The gateway that all tests here share, and the certificates of the origins."""

    def __init__(self, world, folder, start):
        self.root = Cert("Root", ca=True)
        roots = folder / "roots.pem"
        roots.write_bytes(self.root.pem() + world.ca.read_bytes())
        self.here = inspection.Inspecting(start, world, folder, trust=roots, gateway_options={"connect_timeout": "2s"})
        self.gw = self.here.gw
        names = [SITE, f"*.{SITE}"]
        self.files = {"ec": Cert("", self.root, names=names).write(folder, "ec"), "rsa": Cert("", self.root, names=names, key="rsa2048").write(folder, "rsa")}


@pytest.fixture(scope="module")
def place(world):
    folder = Path(tempfile.mkdtemp(prefix="postern-flow-"))
    folder.chmod(0o755)
    with conftest.gateways_of(folder, gateways.Gateway) as start:
        yield Place(world, folder, start)
    if not os.environ.get("FLOW_KEEP"):
        shutil.rmtree(folder, ignore_errors=True)


def host_of(name):
    return f"{name.replace('.', '').replace('_', '')}.{SITE}"


# --- origins that speak TLS, as they are told to ---

def tls(ciphers=None, least=None, most=None, kind="ec", group=None, client=None, answer=None, alpn=("http/1.1",)):
    def tune(context):
        if ciphers:
            context.set_ciphers(ciphers + ":@SECLEVEL=0")
        if least:
            context.minimum_version = least
        if most:
            context.maximum_version = most
        if group:
            context.set_ecdh_curve(group)
        if client is not None:
            context.verify_mode = client
    return lambda place: origins.Https(*place.files[kind], w.OTHER, 443, tune=tune, answer=answer, alpn=alpn)


# --- origins that only play it ---

def hand(*records, reset=False, stay=True):
    """Hears the ClientHello, and sends this."""

    def play(t):
        (size,) = struct.unpack("!3xH", t.exactly(5))
        t.exactly(size)
        for record in records:
            t.send(record)
        if reset:
            t.reset()
        elif stay:
            t.rest()
    return lambda place: origins.Server(play, w.OTHER, 443)


def record(kind, body, version=0x0303):
    return struct.pack("!BHH", kind, version, len(body)) + body


def server_hello(version=0x0303, cipher=0xC02B, compression=0, random=bytes(range(32)), extensions=b"\xff\x01\x00\x01\x00"):
    body = struct.pack("!H", version) + random + b"\0" + struct.pack("!HB", cipher, compression)
    body += struct.pack("!H", len(extensions)) + extensions if extensions else b""
    return record(22, struct.pack("!BBH", 2, 0, len(body)) + body, version)


def alert(number):
    return record(21, bytes([2, number]))


def trickle():
    """A ServerHello that comes byte by byte, as long as somebody listens."""

    def play(t):
        t.sock.settimeout(0.1)
        for byte in record(22, b"\2\0\x40\0\3\3" + bytes(16378)):
            with contextlib.suppress(TimeoutError):
                while t.more():
                    pass
                return
            t.send(bytes([byte]))
    return lambda place: origins.Server(play, w.OTHER, 443)


WEAK, FAILED, WANTS, LATE = "origin-tls-weak", "origin-tls-failed", "origin-wants-certificate", "origin-tls-timeout"

# (name, the origin, status, fault, what the detail says)
BAD = [
    # versions
    ("ssl-3", hand(server_hello(0x0300, 0x002F)), 502, WEAK, ""),
    ("tls-1.0", tls("ALL", V.TLSv1, V.TLSv1), 502, WEAK, "protocol_version"),
    ("tls-1.1", tls("ALL", V.TLSv1_1, V.TLSv1_1), 502, WEAK, "protocol_version"),
    ("tls-1.0-chosen", hand(server_hello(0x0301)), 502, WEAK, ""),
    ("tls-1.1-chosen", hand(server_hello(0x0302)), 502, WEAK, ""),
    ("downgraded", hand(server_hello(random=bytes(24) + b"DOWNGRD\x01")), 502, WEAK, ""),
    ("downgraded-far", hand(server_hello(random=bytes(24) + b"DOWNGRD\x00")), 502, WEAK, ""),
    # ciphers that an origin has no other of
    ("cbc", tls("ECDHE-ECDSA-AES128-SHA256:ECDHE-ECDSA-AES256-SHA", most=V.TLSv1_2), 502, WEAK, "handshake_failure"),
    ("static-rsa", tls("AES128-GCM-SHA256", most=V.TLSv1_2, kind="rsa"), 502, WEAK, "handshake_failure"),
    ("dhe", tls("DHE-RSA-AES128-GCM-SHA256", most=V.TLSv1_2, kind="rsa"), 502, WEAK, "handshake_failure"),
    ("null", tls("eNULL", most=V.TLSv1_2, kind="rsa"), 502, WEAK, "handshake_failure"),
    ("anonymous", tls("aNULL", most=V.TLSv1_2, kind="rsa"), 502, WEAK, "handshake_failure"),
    ("ccm-8", tls("ECDHE-ECDSA-AES128-CCM8", most=V.TLSv1_2), 502, WEAK, "handshake_failure"),
    ("group", tls(group="secp521r1"), 502, WEAK, "handshake_failure"),
    # ciphers that nobody offered
    ("rc4", hand(server_hello(cipher=0x0005)), 502, WEAK, "cipher"),
    ("rc4-export", hand(server_hello(cipher=0x0003)), 502, WEAK, "cipher"),
    ("des", hand(server_hello(cipher=0x0009)), 502, WEAK, "cipher"),
    ("triple-des", hand(server_hello(cipher=0x000A)), 502, WEAK, "cipher"),
    ("null-chosen", hand(server_hello(cipher=0x0002)), 502, WEAK, "cipher"),
    ("dhe-export", hand(server_hello(cipher=0x0014)), 502, WEAK, "cipher"),
    ("dhe-chosen", hand(server_hello(cipher=0x009E)), 502, WEAK, "cipher"),
    # what is known to break TLS
    ("compressed", hand(server_hello(compression=1)), 502, WEAK, "compression"),
    ("unsafe-renegotiation", hand(server_hello(extensions=b"")), 502, WEAK, "unsafe legacy renegotiation"),
    # no TLS, or not for long
    ("plain-http", hand(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n", stay=False), 502, FAILED, ""),
    ("garbage", hand(bytes(range(256)) * 8), 502, FAILED, ""),
    ("endless-record", hand(struct.pack("!BHH", 22, 0x0303, 0xFFFF) + bytes(65535)), 502, FAILED, "packet length too long"),
    ("endless-message", hand(record(22, b"\2\xff\xff\xff" + bytes(16000))), 502, FAILED, "excessive message size"),
    ("endless-requests", hand(record(22, bytes(16000)) * 20), 502, FAILED, "a handshake without end"),
    ("empty-records", hand(record(22, b"") * 200), 502, FAILED, ""),
    ("endless-warnings", hand(record(21, b"\1\x70") * 200), 502, FAILED, ""),
    ("closes", hand(stay=False), 502, FAILED, "closed without close_notify"),
    ("closes-in-the-middle", hand(server_hello()[:40], stay=False), 502, FAILED, "closed without close_notify"),
    ("resets", hand(reset=True), 502, FAILED, "reset"),
    ("knows-no-such-name", hand(alert(112)), 502, FAILED, "unrecognized_name"),
    ("fails-inside", hand(alert(80)), 502, FAILED, "internal_error"),
    ("is-too-weak-itself", hand(alert(71)), 502, WEAK, "insufficient_security"),
    # no end
    ("says-nothing", hand(), 504, LATE, ""),
    ("trickles", trickle(), 504, LATE, ""),
    # clients' certificates: over TLS 1.3 this is known only after the handshake
    ("wants-certificate-1.2", tls(most=V.TLSv1_2, client=ssl.CERT_REQUIRED), 502, WANTS, ""),
]


@pytest.mark.parametrize("name, server, status, fault, says", [pytest.param(*row, id=row[0]) for row in BAD])
def test_bad(place, serve, name, server, status, fault, says):
    serve(server, place)
    outer, _ = place.here.blocked(host_of(name), status, fault, says)
    assert not outer["origin_issuer"] and not outer["tls_origin"]


# (name, the origin, the beginning of tls_origin)
GOOD = [
    ("tls-1.3", tls(), "TLSv1.3/TLS_"),
    ("tls-1.3-only", tls(least=V.TLSv1_3), "TLSv1.3/TLS_"),
    ("tls-1.2", tls("ECDHE+AESGCM", most=V.TLSv1_2), "TLSv1.2/TLS_ECDHE_ECDSA_"),
    ("tls-1.2-rsa", tls("ECDHE+AESGCM", most=V.TLSv1_2, kind="rsa"), "TLSv1.2/TLS_ECDHE_RSA_"),
    ("tls-1.2-chacha", tls("ECDHE+CHACHA20", most=V.TLSv1_2), "TLSv1.2/TLS_ECDHE_ECDSA_WITH_CHACHA20"),
    ("old-and-new", tls("ALL", V.TLSv1), "TLSv1.3/TLS_"),
    ("old-and-1.2", tls("ALL", V.TLSv1, V.TLSv1_2), "TLSv1.2/TLS_ECDHE_ECDSA_WITH_AES_"),
    ("p384", tls(group="secp384r1"), "TLSv1.3/TLS_"),
    ("asks-for-a-certificate", tls(client=ssl.CERT_OPTIONAL), "TLSv1.3/TLS_"),
    ("asks-for-a-certificate-1.2", tls(client=ssl.CERT_OPTIONAL, most=V.TLSv1_2), "TLSv1.2/TLS_"),
]


@pytest.mark.parametrize("name, server, spoke", [pytest.param(*row, id=row[0]) for row in GOOD])
def test_good(place, serve, name, server, spoke):
    serve(server, place)
    status, _ = place.here.look(host_of(name))
    outer, inner = place.here.lines(host_of(name))
    assert status == inner["status"] == 200 and outer["fault"] is None and inner["fault"] is None
    assert outer["tls_origin"].startswith(spoke) and outer["origin_issuer"] == "Root"
    assert outer["tls_client"].split("/")[0] == spoke.split("/")[0]  # never better than the origin's


@pytest.mark.parametrize("alpn", [("http/1.1",), ("h2", "http/1.1")], ids=["http1", "h2"])
def test_a_certificate_that_is_demanded_after_the_handshake(place, serve, alpn):
    server = serve(tls(client=ssl.CERT_REQUIRED, alpn=alpn), place)
    host = host_of(f"wants-certificate-{len(alpn)}")
    status, page = place.here.look(host)
    _, inner = place.here.lines(host)
    assert (status, inner["fault"], inner["tls_detail"]) == (502, "origin-wants-certificate", "certificate_required"), (page, inner)
    assert "only a rule with bypass or tunnel" in page and server.requests == []


def test_a_server_that_refuses_in_http_who_has_no_certificate(place, world):
    """nginx: the handshake is well, the answer is a 400."""
    cert, key = place.files["ec"]
    folder = Path(tempfile.mkdtemp(prefix="postern-flow-"))
    nginx = web.Nginx(folder, w.OTHER, f"server {{ listen {w.OTHER}:443 ssl http2; ssl_certificate {cert}; ssl_certificate_key {key}; ssl_client_certificate {world.ca}; "
                                       "ssl_verify_client on; location / { return 200 'not to be seen'; } }")
    try:
        for number, http in enumerate(("--http1.1", "--http1.1", "--http2"), 1):  # the second one would resume
            host = host_of("asks-in-http")
            status, page = place.here.look(host, http)
            _, inner = place.here.lines(host)
            assert status == inner["status"] == 400 and "not to be seen" not in page, (number, page)
            assert "only bypass or tunnel" in inner["tls_detail"], (number, inner)
        place.gw.says(rf"{host}:443: the server demands a certificate of the client")
    finally:
        nginx.close()
        shutil.rmtree(folder, ignore_errors=True)


def once(_request, t):
    """Each request has a connection of its own."""
    t.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok")
    return False


def test_no_later_connection_is_weaker_than_what_the_client_was_told(place, serve):
    """Behind one name there are a new server and an old one."""
    host = host_of("two-servers")
    get = f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"
    new = serve(tls(answer=once), place)
    with place.here.inside(f"{host}:443") as t:
        assert t.sock.version() == "TLSv1.3" and t.send(get).response().status == 200
        new.close()
        old = serve(tls(most=V.TLSv1_2), place)
        refused = t.send(get).response()
        assert refused.status == 502 and old.requests == [], refused
        assert place.gw.record(method="GET", host=host, status=502)["fault"] == "origin-tls-weak"
        with place.here.inside(f"{host}:443") as other:  # who comes now is told the truth
            assert other.sock.version() == "TLSv1.2" and other.send(get).response().status == 200
            assert other.send(get).response().status == 200 and old.requests[0].connection == old.requests[1].connection
        place.gw.record(method="CONNECT", host=host)
        assert t.send(get).response().status == 502 and len(old.requests) == 2  # though that connection is there to be shared


# --- how answers end ---

BODY = b"x" * 100000


def ends(head, body=BODY, notify=False):
    def answer(_request, t):
        t.send(f"HTTP/1.1 200 OK\r\n{head}\r\n".encode() + body)
        if notify:
            with contextlib.suppress(OSError):
                t.sock.unwrap()
        return False
    return answer


# (name, the answer, is it whole)
ENDS = [
    ("to-close", ends("", notify=True), True),
    ("to-close-cut", ends(""), False),
    ("length", ends(f"Content-Length: {len(BODY)}\r\n"), True),
    ("length-cut", ends(f"Content-Length: {len(BODY) + 1}\r\n"), False),
    ("length-ended-early", ends(f"Content-Length: {len(BODY) + 1}\r\n", notify=True), False),
    ("chunked", ends("Transfer-Encoding: chunked\r\n", b"186a0\r\n" + BODY + b"\r\n0\r\n\r\n"), True),
    ("chunked-cut", ends("Transfer-Encoding: chunked\r\n", b"186a0\r\n" + BODY + b"\r\n"), False),
]


@pytest.mark.parametrize("most", [V.TLSv1_2, V.TLSv1_3], ids=["1.2", "1.3"])
@pytest.mark.parametrize("http", ["--http1.1", "--http2"])
@pytest.mark.parametrize("name, answer, whole", [pytest.param(*row, id=row[0]) for row in ENDS])
def test_an_answer_that_is_cut_is_never_taken_for_a_whole_one(place, serve, name, answer, whole, http, most):
    serve(tls(most=most, answer=answer), place)
    host = host_of(f"{name}-{http.strip('-')}-{most.name.lower()}")
    done = place.here.curl(http, f"https://{host}/", check=False)
    line = place.gw.record(method="GET", host=host)
    if whole:
        assert done.returncode == 0 and done.stdout == BODY and line["fault"] is None
    else:
        assert line["fault"] == "response-incomplete", line
        # a FIN without close_notify is all that says so of a body to the end: curl takes it, test_inspect_curl looks closer
        assert done.returncode != 0 or (name, http) == ("to-close-cut", "--http1.1"), line


def test_an_origin_that_renegotiates_is_left(place, serve):
    """It asks for a handshake anew when the request is there."""
    openssl = pytest.importorskip("OpenSSL.SSL")
    cert, key = place.files["ec"]
    context = openssl.Context(openssl.TLS_SERVER_METHOD)
    context.set_options(openssl.OP_NO_TLSv1_3)
    context.use_certificate_file(str(cert))
    context.use_privatekey_file(str(key))
    context.set_alpn_select_callback(lambda _connection, _offered: b"http/1.1")
    heard = []

    def play(t):
        t.sock.settimeout(None)  # else it is not a blocking one
        one = openssl.Connection(context, t.sock)
        one.set_accept_state()
        one.do_handshake()
        heard.append(one.recv(4096))
        assert one.renegotiate() and one.renegotiate_pending()
        one.do_handshake()
        with pytest.raises(openssl.Error) as said:
            one.recv(4096)
        heard.append(str(said.value))

    serve(origins.Server, play, w.OTHER, 443)
    host = host_of("renegotiates")
    status, page = place.here.look(host)
    line = place.gw.record(method="GET", host=host)
    assert status == 502 and line["fault"] == "origin-tls-failed" and "handshake_failure" in page, (page, line)
    assert b"GET / " in heard[0] and "no renegotiation" in heard[1]
