# SPDX-License-Identifier: MIT
"""Clients that send ECH, for show and in earnest: OpenSSL with the extension added to it, so that whole handshakes are seen."""

import contextlib
import ctypes
import ssl

import pytest
import wire
import world as w

import inspection
import origin as origins
from certs import Cert

ECH = 0xfe0d
IN_CLIENT_HELLO = 0x0080
# outer, HKDF-SHA256 with AES-128-GCM, a config, a key and a payload, as browsers send them for show
DUMMY = ctypes.create_string_buffer(b"\x00\x00\x01\x00\x01\x42\x00\x20" + bytes(range(32)) + b"\x00\x90" + bytes(144), 186)
ADD = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint, ctypes.POINTER(ctypes.c_void_p), ctypes.POINTER(ctypes.c_size_t),
                       ctypes.c_void_p, ctypes.c_size_t, ctypes.POINTER(ctypes.c_int), ctypes.c_void_p)


@ADD
def add(_ssl, _type, _context, out, n, _x, _chain, _alert, _arg):
    out[0], n[0] = ctypes.addressof(DUMMY), len(DUMMY)
    return 1


def with_ech(context):
    """Python has no way to the SSL_CTX, which its object begins with."""
    call = ctypes.CDLL("libssl.so.3").SSL_CTX_add_custom_ext
    call.argtypes = [ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint, ADD, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    assert call(ctypes.c_void_p.from_address(id(context) + object.__basicsize__), ECH, IN_CLIENT_HELLO, add, None, None, None, None) == 1
    return context


class TwoNames(origins.Https):
    """As servers do that speak ECH: a certificate for each name that is asked for. `outer` names what is asked for in the clear."""

    def __init__(self, world, folder, outer, **more):
        authority = Cert.read(world.ca, world.ca.with_suffix(".key"))
        self.other = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.other.load_cert_chain(*Cert(outer, authority, (outer,), **more).write(folder, "outer"))
        super().__init__(*Cert("inner", authority, ("origin.example.net",)).write(folder, "inner"), w.ORIGIN, 443)

        def choose(sock, name, _context):
            self.names.append(name)
            if name == outer:
                sock.context = self.other

        self.context.sni_callback = choose


@pytest.fixture(scope="module")
def here(gateway_kept, world, folder_kept):
    return inspection.Inspecting(gateway_kept, world, folder_kept)


@contextlib.contextmanager
def shaken(here, target, outer):
    """A Wire inside the TLS of a client that sends ECH and this name, and trusts nobody but our authority."""
    with here.gw.tunnel(target) as t, with_ech(here.context()).wrap_socket(t.sock, server_hostname=outer) as sock:
        yield wire.Wire(sock)


def line_of(here, before, sni, fault=None):
    """The line of a CONNECT with ECH and this name, after `before` lines."""
    found = wire.wait_until(lambda: [one for one in here.gw.records()[before:] if one["method"] == "CONNECT" and one["ech"] and one["sni"] == sni], "the line")
    assert fault(found[0]["fault"]) if callable(fault) else found[0]["fault"] == fault, found
    return found[0]


def test_what_is_sent_for_show_is_logged_and_passed_over(here, serve, world):
    server = serve(origins.Https, world.cert, world.key, w.ORIGIN, 443)
    before = len(here.gw.records())
    with shaken(here, "origin.example.net:443", "origin.example.net") as t:
        t.send("GET / HTTP/1.1\r\nHost: origin.example.net\r\nConnection: close\r\n\r\n")
        assert t.response().status == 200
    line_of(here, before, "origin.example.net")
    assert server.names == ["origin.example.net"]


def fallen_back(here, outer):
    """The names of the leaf that a client is shown which asks for `outer` in the clear, and means origin.example.net."""
    with shaken(here, "origin.example.net:443", outer) as t:
        names = [value for _kind, value in t.sock.getpeercert()["subjectAltName"]]
        with contextlib.suppress(OSError):
            t.send("GET /secret HTTP/1.1\r\nHost: origin.example.net\r\n\r\n")
        assert t.rest() == b""
    return names


def test_a_foreign_outer_name_is_answered_by_itself_and_the_client_comes_back_without(here, serve, world, folder):
    server = serve(TwoNames, world, folder, "public.example.net")
    before = len(here.gw.records())
    assert fallen_back(here, "public.example.net") == ["public.example.net"]
    line = line_of(here, before, "public.example.net")
    assert "answered under its outer name" in line["tls_detail"], line
    assert server.names == ["public.example.net"] and server.requests == []
    with here.inside("origin.example.net:443") as t:
        t.send("GET / HTTP/1.1\r\nHost: origin.example.net\r\nConnection: close\r\n\r\n")
        assert t.response().status == 200
    before = len(here.gw.records())
    assert fallen_back(here, "public.example.net") == ["public.example.net"], "what is remembered of the other name is not taken for this one"
    line_of(here, before, "public.example.net")
    assert len(server.requests) == 1


@pytest.mark.parametrize("outer, more", [("public.example.net", {"ends": -1}), ("bank.example.org", {"names": ("public.example.net",)})], ids=["expired", "not-its-own"])
def test_an_outer_name_that_the_server_does_not_own_is_refused(here, serve, world, folder, outer, more):
    names = more.pop("names", None)
    server = serve(TwoNames, world, folder, names[0] if names else outer, **more)
    before = len(here.gw.records())
    with pytest.raises(ssl.SSLError, match="(?i)unrecognized.name"):
        fallen_back(here, outer)
    line_of(here, before, outer, lambda fault: fault)
    assert server.requests == []


def test_ech_can_be_refused_or_let_through(here, serve, world, folder):
    server = serve(TwoNames, world, folder, "public.example.net")
    here.gw.write(here.section + "ech = refuse\n" + inspection.RULES)
    here.gw.reload()
    before = len(here.gw.records())
    with pytest.raises(ssl.SSLError, match="(?i)unrecognized.name"):
        fallen_back(here, "public.example.net")
    line_of(here, before, "public.example.net", "inspect-ech")
    assert server.names == []
    with shaken(here, "origin.example.net:443", "origin.example.net") as t:
        t.send("GET / HTTP/1.1\r\nHost: origin.example.net\r\nConnection: close\r\n\r\n")
        assert t.response().status == 200, "for show"
    here.gw.write(here.section + "ech = tunnel\n" + inspection.RULES)
    here.gw.reload()
    before = len(here.gw.records())
    with here.gw.tunnel("origin.example.net:443") as t:
        context = with_ech(ssl.create_default_context(cafile=str(world.ca)))
        with context.wrap_socket(t.sock, server_hostname="public.example.net") as sock:
            assert sock.getpeercert()["subjectAltName"] == (("DNS", "public.example.net"),), "the server's own"
    assert "inspect-ech" in line_of(here, before, "public.example.net", lambda fault: True)["tls_detail"]


def test_an_address_is_inspected_by_the_outer_name_that_a_rule_allows(here, serve, world):
    here.gw.write(here.section + inspection.RULES)
    here.gw.reload()
    serve(origins.Https, world.cert, world.key, w.ORIGIN, 443)
    before = len(here.gw.records())
    with shaken(here, f"{w.ORIGIN}:443", "origin.example.net") as t:
        t.send("GET / HTTP/1.1\r\nHost: origin.example.net\r\nConnection: close\r\n\r\n")
        assert t.response().status == 200
    line_of(here, before, "origin.example.net")
