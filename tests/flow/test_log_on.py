# SPDX-License-Identifier: MIT
"""Logging on by NTLM and Basic from files, with curl: challenges, bodies, what stays bound to a connection, what a back end that hangs or dies does."""

import base64
import os
import re
import signal
import subprocess

import pytest
import wire

HASH = "878d8014606cda29677a44efa1353fc7"  # NT hash of "secret"
CRYPT = "$5$ewrxmXZhnruqUkrf$Hc7sHfxtXB99pRycSAPKaY5ScU2iEsnP4hRTRvhXH30"  # of "pw"
URL = "http://origin.example.net/"
RULES = """
[auth]
schemes = ntlm basic
realm = Example
ntlm-file = {0}/users.ntlm
basic-file = {0}/users.basic
basic-without-tls = yes
timeout = 2s
[rule free]
hosts = free.example.net
action = deny
[rule rest]
hosts = origin.example.net
action = tunnel
"""
NEGOTIATE = b"NTLM " + base64.b64encode(b"NTLMSSP\0\1\0\0\0\x07\x82\x08\xa2" + bytes(16) + b"\x0a\0\x63\x45\0\0\0\x0f")


@pytest.fixture
def gw(gateway, origin, tmp_path_factory):
    users = tmp_path_factory.mktemp("users")
    for name, text in (("users.ntlm", f"CORP\\alice:{HASH}\nbob:{HASH}\n"), ("users.basic", f"carol:{CRYPT}\n")):
        (users / name).write_text(text)
        (users / name).chmod(0o600)
    return gateway(RULES.format(users))


def codes(gw, *words):
    """What curl got: one code for each URL, and how many connections it made."""
    done = gw.curl("-s", "-o", "/dev/null", "-o", "/dev/null", "-w", "%{http_code} %{num_connects}\n", *words, check=False)
    return [tuple(int(n) for n in line.split()) for line in done.stdout.decode().splitlines()]


def children(gw, what):
    """Processes of the gateway whose command line ends so."""
    listed = subprocess.run(["ps", "-o", "pid=,args=", "--ppid", str(gw.child.pid)], capture_output=True, text=True, check=True).stdout
    return [int(line.split()[0]) for line in listed.splitlines() if re.search(what, line)]


def test_ntlm_is_asked_once_for_each_connection(gw):
    assert codes(gw, "--proxy-ntlm", "-U", "CORP\\alice:secret", URL, URL) == [(200, 1), (200, 0)]
    assert gw.record(status=407)["fault"] == "auth-continues"
    first, second = gw.record(status=200), gw.record(2, status=200)
    assert first["user"] == second["user"] == "CORP\\alice" and first["auth_scheme"] == "NTLM"
    assert first["auth_ms"] is not None and second["auth_ms"] is None
    assert " CORP%5Calice " in gw.native.read_text() and "TCP_DENIED/407" in gw.native.read_text()


def test_a_wrong_password_is_407_and_never_in_a_log(gw):
    assert codes(gw, "--proxy-ntlm", "-U", "bob:letmein", URL)[0][0] == 407
    assert codes(gw, "--proxy-basic", "-U", "carol:letmein", URL)[0][0] == 407
    line = gw.record(fault="auth-failed", auth_scheme="NTLM")
    assert "bob" in line["auth_detail"] and line["user"] is None
    assert "carol" in gw.record(fault="auth-failed", auth_scheme="Basic")["auth_detail"]
    for text in (gw.said(), gw.access.read_text(), gw.native.read_text()):
        assert "letmein" not in text and base64.b64encode(b"carol:letmein").decode() not in text


def test_basic_is_found_good_once_and_remembered(gw):
    assert codes(gw, "--proxy-basic", "-U", "carol:pw", URL, URL) == [(200, 1), (200, 0)]
    assert gw.record(status=200)["auth_ms"] is not None
    assert gw.record(2, status=200)["auth_ms"] is None
    assert gw.record(2, status=200)["user"] == "carol"


def test_the_body_of_a_challenged_post_is_drained_and_the_connection_stays(gw):
    with gw.connect() as c:
        body = b"x" * 300000
        c.send(b"POST %s HTTP/1.1\r\nHost: origin.example.net\r\nContent-Length: %d\r\n\r\n" % (URL.encode(), len(body)) + body)
        answer = c.response()
        assert answer.status == 407 and answer["connection"] == "keep-alive"
        assert [f.split()[0] for f in answer.all("proxy-authenticate")] == ["NTLM", "Basic"]
        c.send(b"POST %s HTTP/1.1\r\nHost: origin.example.net\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n" % URL.encode())
        assert c.response().status == 407
        c.send(wire.get(URL, fields="Proxy-Authorization: Basic %s\r\n" % base64.b64encode(b"carol:pw").decode()))
        assert c.response().status == 200
    assert gw.record(method="POST", status=407)["bytes_in"] > 300000


def test_a_back_end_that_hangs_is_503_and_others_do_not_notice(gw):
    stopped = children(gw, "auth")
    assert stopped
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        with gw.connect() as slow:
            slow.send(wire.get(URL, fields="Proxy-Authorization: Basic %s\r\n" % base64.b64encode(b"carol:other").decode()))
            assert gw.get("http://free.example.net/").status == 403  # decided meanwhile, without anybody's name
            assert slow.response().status == 503
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
    line = gw.record(status=503)
    assert line["fault"] == "auth-unavailable" and line["auth_detail"].startswith("carol")


def test_a_client_that_leaves_in_the_middle_leaves_nothing_behind(gw):
    for _ in range(20):
        with gw.connect() as c:
            c.send(wire.get(URL, fields="Proxy-Authorization: %s\r\n" % NEGOTIATE.decode()))
            answer = c.response()
            assert answer.status == 407 and answer["proxy-authenticate"].startswith("NTLM TlRMTVNTUAAC")
            c.reset()
    assert codes(gw, "--proxy-ntlm", "-U", "bob:secret", URL)[0][0] == 200
