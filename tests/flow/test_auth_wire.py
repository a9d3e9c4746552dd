# SPDX-License-Identifier: MIT
"""Log-ons byte by byte, by NTLM that winbind checks and that a file of hashes checks: forgeries, what is bound to a connection and to whom, bodies."""

import collections

import lab as labs
import logon
import origin as origins
import pytest
import wire
from logon import ASKED, BAD, BASIC, FAILED, GOES_ON, NTLM

URL = f"http://{labs.ORIGIN}/who"
RULES = """
[rule all]
action = tunnel
"""
CAROL = logon.basic("carol", "Basic-carol")


@pytest.fixture(scope="module", params=["winbind", "file"])
def gw(request, lab, lab_gateway_kept):
    by = {"domain": "winbind"} if request.param == "winbind" else {"ntlm_file": logon.ntlm_file(lab.folder / "wire.ntlm", "alice", "bob")}
    auth = {"schemes": "negotiate ntlm basic", "basic_without_tls": "yes", "max_failures": "none", "max_failures_user": "none",
            "basic_file": logon.basic_file(lab.folder / "wire.basic", carol="Basic-carol"), **by}
    return lab_gateway_kept(RULES, auth=auth)


class Visitor:
    """One connection to the gateway; what became of its requests stands in the log under its session."""

    def __init__(self, gw):
        self.gw, self.asked = gw, 0
        self.wire = gw.connect()
        self.port = self.wire.sock.getsockname()[1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.wire.close()

    def get(self, fields="", version="1.1"):
        self.asked += 1
        self.wire.send(wire.get(URL, fields=fields, version=version))
        answer = self.wire.response()
        if answer.status == 200:
            assert answer.body == f"http {labs.ORIGIN} auth= proxy=\n".encode(), "credentials are not the origin's"
        return answer

    def log_on(self, n, fields=""):
        """Both legs; the last answer."""
        return self.get(fields + n.then(self.get(fields + n.first())))

    def line(self):
        """What the log says of the last request."""
        return self.gw.record(self.asked, client_port=self.port)

    def is_asked(self, fields=""):
        answer = self.get(fields)
        assert (answer.status, self.line()["fault"], self.line()["user"]) == (407, ASKED, None), self.line()
        return answer

    def is_in(self, user, scheme, fields=""):
        assert self.get(fields).status == 200
        line = self.line()
        assert (line["user"], line["auth_scheme"]) == (user, scheme)
        return line


@pytest.fixture
def visitor(gw):
    with Visitor(gw) as one:
        yield one


# --- forgeries ---

ODD = [{}, {"no_version": True}, {"no_mic": True}, {"no_key_exch": True}, {"empty_lm": True}, {"no_ess": True}, {"scheme": "Negotiate"}]
FORGED = [
    ({"password": "wrong"}, FAILED, "wrong password"),
    ({"user": "zoe"}, FAILED, "unknown user"),
    ({"v1": True}, BAD, "NTLMv1"),
    ({"v1": True, "no_ess": True}, BAD, "NTLMv1"),
    ({"lm": True}, BAD, "LM only"),
    ({"anonymous": True}, BAD, "anonymous"),
    ({"bad_mic": True}, BAD, "wrong MIC"),
    ({"empty_key": True}, BAD, "session key missing"),
]


def words(knobs):
    return "-".join(key if value is True else value for key, value in knobs.items()) or "as-windows"


@pytest.mark.parametrize("knobs", ODD, ids=words)
def test_what_is_only_odd_is_let_in(visitor, knobs):
    assert visitor.log_on(logon.Ntlm(**knobs)).status == 200
    assert visitor.line()["user"] == "CORP\\alice"


@pytest.mark.parametrize("knobs, fault, why", FORGED, ids=[words(row[0]) for row in FORGED])
def test_what_is_forged_is_refused(visitor, knobs, fault, why):
    answer = visitor.log_on(logon.Ntlm(**knobs))
    line = visitor.line()
    assert (answer.status, line["fault"], line["user"]) == (407, fault, None) and why in line["auth_detail"]
    assert answer["connection"] == "keep-alive" and "NTLM" in answer.all("proxy-authenticate")
    visitor.is_asked()
    assert visitor.log_on(logon.Ntlm()).status == 200, "the connection survives, and the next try counts"


def test_an_authenticate_is_good_once(gw, visitor):
    n = logon.Ntlm()
    proof = n.then(visitor.get(n.first()))
    assert visitor.get(proof).status == 200
    assert visitor.get(proof).status == 407
    assert visitor.line()["fault"] == BAD
    visitor.is_asked()
    with Visitor(gw) as other:
        other.get(n.first())
        assert other.get(proof).status == 407, "it does not answer this challenge"
        assert other.line()["fault"] in (FAILED, BAD)
        other.is_asked()


def test_an_authenticate_comes_first(gw, visitor):
    n = logon.Ntlm()
    with Visitor(gw) as other:
        proof = n.then(other.get(n.first()))
        assert visitor.get(proof).status == 407
        assert visitor.line()["fault"] == BAD
        assert other.get(proof).status == 200, "the challenge is that connection's"


def test_the_scheme_changes_in_the_middle(visitor):
    n = logon.Ntlm()
    proof = n.then(visitor.get(n.first()))
    assert visitor.get(proof.replace(" NTLM ", " Negotiate ")).status == 407
    assert visitor.line()["fault"] == BAD
    assert visitor.get(proof).status == 407, "what came in between has used the challenge up"
    n = logon.Ntlm(scheme="Negotiate")
    proof = n.then(visitor.get(n.first()))
    visitor.is_in("carol", BASIC, CAROL)
    assert visitor.get(proof).status == 407
    visitor.is_asked()


# --- who is bound to what ---


def test_a_connection_is_its_users_and_no_other_is(gw, visitor):
    visitor.log_on(logon.Ntlm())
    assert visitor.line()["auth_ms"] is not None
    for _ in range(2):
        line = visitor.is_in("CORP\\alice", NTLM)
        assert line["auth_ms"] is None, "nobody was asked again"
    with Visitor(gw) as other:
        other.is_asked()


def test_two_users_on_one_connection_never_mix(visitor):
    assert visitor.log_on(logon.Ntlm("alice")).status == 200
    visitor.is_in("carol", BASIC, CAROL)
    visitor.is_asked()
    assert visitor.log_on(logon.Ntlm("alice")).status == 200
    assert visitor.log_on(logon.Ntlm("bob", password="wrong")).status == 407
    visitor.is_asked()
    assert visitor.log_on(logon.Ntlm("alice")).status == 200
    visitor.get(logon.Ntlm("bob").first())
    visitor.is_asked()
    assert visitor.log_on(logon.Ntlm("alice")).status == 200
    assert visitor.get(logon.basic("carol", "wrong")).status == 407
    visitor.is_asked()
    assert visitor.log_on(logon.Ntlm("alice")).status == 200
    assert visitor.log_on(logon.Ntlm("bob")).status == 200
    visitor.is_in("CORP\\bob", NTLM)


@pytest.mark.parametrize("field", ["Via: 1.1 branch.example.net\r\n", "X-Forwarded-For: 10.1.2.3\r\n", "Forwarded: for=10.1.2.3\r\n"], ids=["via", "x-forwarded-for", "forwarded"])
def test_behind_another_proxy_nothing_binds(visitor, field):
    assert visitor.log_on(logon.Ntlm()).status == 200
    answer = visitor.is_asked(field)
    assert [offer.split()[0] for offer in answer.all("proxy-authenticate") if offer.split()[0] != "Negotiate"] == ["Basic"]
    assert not answer.all("proxy-support")
    visitor.is_in("CORP\\alice", NTLM)
    assert visitor.get(field + logon.Ntlm().first()).status == 407
    assert visitor.line()["fault"] == ASKED
    visitor.is_in("carol", BASIC, field + CAROL)
    visitor.is_asked(field)


# --- versions, bodies, CONNECT ---


def test_http_1_0_logs_on_when_it_keeps_the_connection(gw):
    keep = "Proxy-Connection: keep-alive\r\n"
    with Visitor(gw) as one:
        answer = one.get(version="1.0")
        assert answer.status == 407 and one.wire.ended()
    with Visitor(gw) as one:
        answer = one.get(logon.Ntlm().first(), version="1.0")
        assert answer.status == 407 and one.line()["fault"] == ASKED and one.wire.ended(), "a challenge would be no use"
    with Visitor(gw) as one:
        assert one.get(CAROL, version="1.0").status == 200
    with Visitor(gw) as one:
        n = logon.Ntlm()
        answer = one.get(keep + n.first(), version="1.0")
        assert answer["connection"] == "keep-alive" or answer["proxy-connection"] == "keep-alive"
        assert one.get(keep + n.then(answer), version="1.0").status == 200
        assert one.line()["user"] == "CORP\\alice"


def test_a_connect_is_challenged_on_its_connection_and_becomes_a_tunnel(gw, visitor):
    n, target = logon.Ntlm(), f"{labs.ORIGIN}:443"
    start = f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n"
    answer = visitor.wire.send(start + "\r\n").response("CONNECT")
    assert answer.status == 407 and answer["connection"] == "keep-alive" and int(answer["content-length"]) > 0
    answer = visitor.wire.send(start + n.first() + "\r\n").response("CONNECT")
    answer = visitor.wire.send(start + n.then(answer) + "\r\n").response("CONNECT")
    assert answer.status == 200 and not answer.all("content-length")
    visitor.wire.send(wire.client_hello(labs.ORIGIN))
    assert visitor.wire.exactly(1) == b"\x16"
    visitor.wire.close()
    lines = [gw.record(i, client_port=visitor.port) for i in (1, 2, 3)]
    assert [(line["method"], line["status"], line["fault"], line["user"]) for line in lines] == [
        ("CONNECT", 407, ASKED, None), ("CONNECT", 407, GOES_ON, None), ("CONNECT", 200, None, "CORP\\alice")]


@pytest.fixture(scope="module")
def big(lab):
    path = lab.folder / "big"
    path.write_bytes(bytes(range(256)) * 8192)  # 2 MiB
    return path


@pytest.fixture(scope="module")
def no_negotiate(lab, lab_gateway_kept):
    """curl that may choose takes Negotiate where it is offered, and has no ticket."""
    auth = {"schemes": "ntlm basic", "basic_without_tls": "yes", "domain": "winbind", "basic_file": lab.folder / "wire.basic"}
    logon.basic_file(lab.folder / "wire.basic", carol="Basic-carol")
    return lab_gateway_kept(RULES, auth=auth)


FRAMINGS = {"length": [], "expect": ["-H", "Expect: 100-continue"], "no-expect": ["-H", "Expect:"], "chunked": ["-H", "Transfer-Encoding: chunked"],
            "chunked-no-expect": ["-H", "Transfer-Encoding: chunked", "-H", "Expect:"]}
LEGS = {"ntlm": [GOES_ON], "anyauth": [ASKED, GOES_ON], "basic": []}


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("how", LEGS)
def test_a_body_of_2_mib_arrives_once_and_whole(lab, no_negotiate, serve, big, how, framing):
    """curl that does not know yet that it will be asked sends the body in vain, or as much of it as it likes."""
    with lab.inside():
        origin = serve(origins.Http, lab.origin_address, 8000)
    url = f"http://{labs.ORIGIN}:8000/{how}-{framing}"
    credentials, user = ("carol:Basic-carol", "carol") if how == "basic" else (f"CORP\\alice:{labs.password('alice')}", "CORP\\alice")
    assert lab.curl(f"--proxy-{how}", "-U", credentials, "--data-binary", f"@{big}", *FRAMINGS[framing], url, gw=no_negotiate).status == 200
    [request] = origin.requests
    assert request.method == "POST" and request.body == big.read_bytes() and not request["proxy-authorization"]
    assert no_negotiate.record(status=200, url=url)["user"] == user
    # in the order in which they ended: what came with a body in vain may end after what came next, on another connection
    assert collections.Counter(line["fault"] for line in no_negotiate.records() if line["url"] == url) == collections.Counter([*LEGS[how], None])


def test_nobody_is_challenged_before_the_domain_has_told_our_name(lab, lab_gateway):
    """The domain controller refuses answers to a challenge that calls us by another name than it knows: right passwords would count as wrong ones."""
    lab.stop_winbindd()
    try:
        gw = lab_gateway(RULES, auth={"schemes": "ntlm", "domain": "winbind", "timeout": "1s"})
        with Visitor(gw) as one:
            assert one.get(logon.Ntlm().first()).status == 503
            assert one.line()["fault"] == "auth-unavailable" and "called" in one.line()["auth_detail"]
    finally:
        lab.start_winbindd()

    def comes_in():
        with Visitor(gw) as one:
            n = logon.Ntlm()
            answer = one.get(n.first())
            return answer.status == 407 and one.get(n.then(answer)).status == 200  # 503 until the back end has been tried again

    assert wire.wait_until(comes_in, "winbind")
