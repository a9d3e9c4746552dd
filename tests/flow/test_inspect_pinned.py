# SPDX-License-Identifier: MIT
"""Clients that will not have our certificate, and what is no TLS that could be inspected: each at a gateway that refuses, and at one that lets it through."""

import base64
import hashlib
import ssl
import subprocess

import pytest

import inspection
import origin as origins
import wire
import world as w

RULES = """
[rule pinned]
hosts = login.live.com
action = bypass
""" + inspection.RULES
ODD = "non-tls", "missing-sni", "foreign-sni", "unknown-alpn", "ech"


@pytest.fixture(scope="module")
def strict(gateway_kept, world, folder_kept):
    return inspection.Inspecting(gateway_kept, world, folder_kept, rules=RULES)


@pytest.fixture(scope="module")
def lax(gateway_kept, world, folder_kept):
    own = folder_kept / "lax"
    own.mkdir()
    return inspection.Inspecting(gateway_kept, world, own, rules=RULES, **{odd: "tunnel" for odd in ODD})


def last(here, before):
    """The line of the next inspected CONNECT after `before` lines."""
    return wire.wait_until(lambda: [line for line in here.gw.records()[before:] if line["method"] == "CONNECT" and line["rule"] == "all"], "the tunnel's line")[0]


def pin(world):
    key = subprocess.run(f"openssl x509 -in {world.cert} -noout -pubkey | openssl pkey -pubin -outform der", shell=True, capture_output=True, check=True).stdout
    return "sha256//" + base64.b64encode(hashlib.sha256(key).digest()).decode()


# --- who rejects ---


@pytest.mark.parametrize("version", ["1.3", "1.2"])
def test_a_pinned_client_works_in_a_bypass_list_and_nowhere_else(strict, world, serve, version):
    serve(origins.Https, world.cert, world.key, w.ORIGIN, 443)
    bundle = strict.gw.folder / "both.pem"
    bundle.write_text(world.ca.read_text() + strict.cert.read_text())
    pinned = ("--cacert", bundle, "--pinnedpubkey", pin(world), "--tls-max", version)
    assert strict.gw.curl(*pinned, "https://login.live.com/").stdout == b"hello from nginx\n"
    before = len(strict.gw.records())
    done = strict.gw.curl(*pinned, "https://origin.example.net/", check=False)
    assert done.returncode == 90, done.stderr
    line = last(strict, before)
    assert line["fault"] == "client-rejected-certificate" and line["action"] == "inspect" and line["result"] == "TCP_TUNNEL_ABORTED", line
    assert "closed right after the certificate" in line["tls_detail"]
    before = len(strict.gw.records())
    assert strict.gw.curl(*pinned, "https://origin.example.net/", check=False).returncode == 90, "no bypass comes of it by itself"
    assert last(strict, before)["fault"] == "client-rejected-certificate"


def rejections():
    def curl(here):
        assert here.gw.curl("https://graph.windows.net/", check=False).returncode == 60

    def s_client(*words):
        def ask(here):
            done = subprocess.run(["openssl", "s_client", "-proxy", f"127.0.0.1:{here.gw.port}", "-connect", "graph.windows.net:443", "-servername", "graph.windows.net",
                                   "-verify_return_error", *words], stdin=subprocess.DEVNULL, capture_output=True, timeout=30)
            assert done.returncode != 0
        return ask

    def python(here):
        with here.gw.tunnel("graph.windows.net:443") as t:
            with pytest.raises(ssl.SSLCertVerificationError):
                ssl.create_default_context().wrap_socket(t.sock, server_hostname="graph.windows.net")

    def leaves(here):
        with here.gw.tunnel("graph.windows.net:443") as t:
            context = here.context()
            out, into = ssl.MemoryBIO(), ssl.MemoryBIO()
            tls = context.wrap_bio(into, out, server_hostname="graph.windows.net")
            with pytest.raises(ssl.SSLWantReadError):
                tls.do_handshake()
            t.send(out.read())
            while b"\x16\x03\x03" not in t.kept:
                assert t.more()
            t.shut()
            assert t.rest() is not None

    return [("curl", curl, "unknown_ca"), ("s_client", s_client(), "unknown_ca"), ("s_client-1.2", s_client("-tls1_2"), "unknown_ca"), ("python", python, "unknown_ca"),
            ("leaves", leaves, "closed right after the certificate")]


@pytest.mark.parametrize("ask, detail", [row[1:] for row in rejections()], ids=[row[0] for row in rejections()])
def test_a_client_that_rejects_the_certificate_is_logged(strict, ask, detail):
    before = len(strict.gw.records())
    ask(strict)
    line = last(strict, before)
    assert line["fault"] == "client-rejected-certificate" and detail in line["tls_detail"], line


# --- what is no TLS that could be inspected ---


def hello_with_ech(outer):
    """A ClientHello with an extension that looks like ECH's, as browsers send it for show."""
    hello = bytearray(wire.client_hello(outer))
    extension = b"\xfe\x0d" + (10 + 144 + 32).to_bytes(2, "big") + b"\x00" + b"\x00\x01\x00\x01" + b"\x42" + b"\x00\x20" + bytes(32) + b"\x00\x90" + bytes(144)
    at = 5 + 4 + 2 + 32
    at += 1 + hello[at]
    at += 2 + int.from_bytes(hello[at:at + 2], "big")
    at += 1 + hello[at]
    n = len(extension)
    hello[at:at + 2] = (int.from_bytes(hello[at:at + 2], "big") + n).to_bytes(2, "big")
    hello[6:9] = (int.from_bytes(hello[6:9], "big") + n).to_bytes(3, "big")
    hello[3:5] = (int.from_bytes(hello[3:5], "big") + n).to_bytes(2, "big")
    return bytes(hello) + extension


def alpn(name):
    return wire.client_hello("origin.example.net", (name,))


ODDITIES = [
    ("ssh", b"SSH-2.0-client\r\n", "inspect-not-tls"),
    ("http", b"GET / HTTP/1.1\r\nHost: origin.example.net\r\n\r\n", "inspect-not-tls"),
    ("sslv2", bytes.fromhex("802e0100020015000000100100800200800300800400800500800600400700c0") + bytes(16), "inspect-not-tls"),
    ("no-sni", wire.client_hello(None), "inspect-no-sni"),
    ("foreign-sni", wire.client_hello("graph.windows.net"), "inspect-foreign-sni"),
    ("foo", alpn("foo"), "inspect-alpn"),
    ("h3", alpn("h3"), "inspect-alpn"),
    ("foreign-ech", hello_with_ech("graph.windows.net"), "inspect-ech"),
]


@pytest.mark.parametrize("first, fault", [row[1:] for row in ODDITIES], ids=[row[0] for row in ODDITIES])
def test_what_cannot_be_inspected(strict, lax, serve, first, fault):
    server = serve(origins.Echo, w.ORIGIN, 443)
    if fault != "inspect-ech":
        before = len(strict.gw.records())
        with strict.gw.tunnel("origin.example.net:443", early=first) as t:
            rest = t.rest()
            assert rest == b"" or rest[0] == 21, rest
        line = last(strict, before)
        assert line["fault"] == fault and line["result"] == "TCP_DENIED" or line["status"] == 200, line
        assert server.received == b""
    before = len(lax.gw.records())
    with lax.gw.tunnel("origin.example.net:443", early=first) as t:
        assert t.exactly(len(first)) == first, "not a byte altered"
    line = last(lax, before)
    assert line["fault"] is None and fault in line["tls_detail"], line


def test_s_client_with_a_protocol_of_its_own(strict):
    before = len(strict.gw.records())
    done = subprocess.run(["openssl", "s_client", "-proxy", f"127.0.0.1:{strict.gw.port}", "-connect", "graph.windows.net:443", "-servername", "graph.windows.net",
                           "-alpn", "foo"], stdin=subprocess.DEVNULL, capture_output=True, timeout=30)
    assert done.returncode != 0 and b"no application protocol" in done.stderr, done.stderr
    assert last(strict, before)["fault"] == "inspect-alpn"


def test_an_extension_for_ech_is_no_reason_for_anything(strict):
    before = len(strict.gw.records())
    with strict.gw.tunnel("graph.windows.net:443", early=hello_with_ech("graph.windows.net")) as t:
        assert t.exactly(3)[:1] == b"\x16", "a ServerHello"
    line = last(strict, before)
    assert line["ech"] is True and line["sni"] == "graph.windows.net" and line["fault"] != "inspect-ech", line


def test_a_foreign_outer_name_is_answered_with_a_leaf_for_it(strict, world, serve):
    """So that the client comes again without ECH; nothing else passes."""
    serve(origins.Https, world.cert, world.key, w.ORIGIN, 443)
    before = len(strict.gw.records())
    with strict.gw.tunnel("origin.example.net:443", early=hello_with_ech("graph.windows.net")) as t:
        assert t.exactly(3)[:1] == b"\x16"
        t.shut()
        t.rest()
    line = last(strict, before)
    assert line["ech"] is True and line["fault"] == "inspect-ech", line


# --- addresses ---


def test_an_address_is_inspected_by_its_sni_or_its_own_certificate(strict, world, serve, folder):
    server = serve(origins.Https, world.cert, world.key, w.ORIGIN, 443)
    with strict.inside(f"{w.ORIGIN}:443", sni="origin.example.net") as t:
        t.send("GET / HTTP/1.1\r\nHost: origin.example.net\r\n\r\n")
        assert t.response().status == 200
    assert server.names == ["origin.example.net"]
    done = strict.curl("-w", "%{http_code}", f"https://{w.ORIGIN}/")
    assert done.stdout.endswith(b"502") and b"another name" in done.stdout, done.stdout
    server.close()
    cert, key = folder / "ip.pem", folder / "ip.key"
    w.run("openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out", folder / "csr", "-subj", "/CN=ip")
    (folder / "ext").write_text(f"subjectAltName=IP:{w.ORIGIN}")
    w.run("openssl", "x509", "-req", "-in", folder / "csr", "-CA", world.ca, "-CAkey", world.folder / "ca.key", "-CAcreateserial", "-out", cert, "-days", "30", "-extfile", folder / "ext")
    server = serve(origins.Https, cert, key, w.ORIGIN, 8443)
    assert strict.curl("-w", "%{http_code}", "-o", "/dev/null", f"https://{w.ORIGIN}:8443/").stdout == b"200"
    assert server.names == [None]
