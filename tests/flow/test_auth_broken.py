# SPDX-License-Identifier: MIT
"""Every dependency of authentication fails in turn: the domain controller, winbindd, the auth processes, the keytab. Whoever needs it gets a 503 soon,
then at once; it is found again without a restart; bypassed requests and users of other back ends notice nothing (broken.Probe)."""

import os
import signal
import time

import lab as labs
import pytest
import wire
from broken import RULES, URL, Handshake, Probe, ask_basic, at_once, auth_pid, closed_folder, kerberos, logs_on, ntlm, timed, users_file

WINBIND = "libwbclient"
CAROL = ("carol", "pw")
TIMEOUT = 2.0


@pytest.fixture
def secret(lab, folder):
    """Files of users and keys."""
    there = closed_folder(folder)
    users_file(there / "users", dict([CAROL]))
    lab.keytab("proxy-now", f"HTTP/proxy.{labs.DNS}").rename(there / "keytab")
    return there


@pytest.fixture
def gw(lab_gateway, secret):
    """NTLM by winbind, Kerberos by keytab, Basic by file."""
    return lab_gateway(RULES, auth={"schemes": "negotiate ntlm basic", "domain": "winbind", "keytab": secret / "keytab", "basic_file": secret / "users",
                                    "basic_without_tls": "yes", "success-ttl": "1s", "timeout": "2s"})


@pytest.fixture
def basic_gw(lab_gateway):
    """Basic by winbind."""
    return lab_gateway(RULES, auth={"schemes": "basic", "basic": "winbind", "domain": "winbind", "basic_without_tls": "yes", "success-ttl": "1s", "timeout": "2s"})


def ready(lab, gw):
    """A ticket for the gateway itself, which no domain controller need be asked for any more; and the gateway knows the domain."""
    ticket = lab.kinit("alice")
    logs_on(lambda: ntlm(lab, gw))
    assert kerberos(lab, gw, ticket) == 200
    return ticket


def goes_down(lab, gw):
    """Each within the time-out, and after a while at once."""
    for _ in range(5):
        got = at_once(4, lambda i: timed(ntlm, lab, gw, ("alice", "bob", "mallory")[i % 3]))
        assert all(status == 503 and took < TIMEOUT + 1 for status, took in got), got
        if "this back end is down" in gw.said():
            break
    status, took = timed(ntlm, lab, gw)
    assert status == 503 and took < 0.5, took
    line = gw.record(status=503)
    assert line["fault"] == "auth-unavailable" and line["auth_detail"]


def comes_back(lab, gw, within):
    began = time.monotonic()
    gw.says("this back end is back")
    logs_on(lambda: ntlm(lab, gw))
    assert time.monotonic() - began < within


@pytest.mark.parametrize("workers", [1, 2])
def test_the_auth_process_is_killed_at_each_step_of_ntlm(lab, lab_gateway, workers):
    gw = lab_gateway(RULES, auth={"schemes": "ntlm basic", "domain": "winbind", "basic": "winbind", "basic_without_tls": "yes", "timeout": "5s"}, workers=workers)
    with Probe(lab, gw):
        pid = auth_pid(gw, WINBIND)
        logs_on(lambda: ntlm(lab, gw))
        os.kill(pid, signal.SIGKILL)  # before the first message
        assert Handshake(gw).begin().finish() == 200
        one = Handshake(gw).begin()
        old, pid = pid, auth_pid(gw, WINBIND, but=[pid])
        os.kill(pid, signal.SIGKILL)  # between the legs
        assert one.finish() == 200
        one = Handshake(gw).begin()
        pid = auth_pid(gw, WINBIND, but=[old, pid])
        lab.freeze_winbindd()
        try:
            one.send_proof()  # the back end is being asked
            with gw.connect() as two:
                two.send(wire.get(URL, fields="Proxy-Authorization: Basic Ym9iOlBhc3N3MHJkLWJvYg==\r\n"))
                wire.wait_until(lambda: asking(pid) >= 2, "both to be in the back end")
                os.kill(pid, signal.SIGKILL)
                lab.thaw_winbindd()
                assert one.status() == 200 and two.response().status == 200
        finally:
            lab.thaw_winbindd()


def asking(pid):
    """Sockets that this process has to winbindd: one for each thread that asked."""
    inodes = {os.readlink(one) for one in labs.Path(f"/proc/{pid}/fd").iterdir() if os.path.islink(one)}
    return sum(f"socket:[{line.split()[6]}]" in inodes for line in labs.Path(f"/proc/{pid}/net/unix").read_text().split("\n")[1:-1] if len(line.split()) > 6 and line.split()[4] == "0001")


def test_the_kerberos_process_is_killed_and_a_ticket_goes_on(lab, gw, secret):
    ticket = ready(lab, gw)
    with Probe(lab, gw, CAROL):
        pid = auth_pid(gw, str(secret / "keytab"))
        os.kill(pid, signal.SIGKILL)
        assert kerberos(lab, gw, ticket) == 200
        pid = auth_pid(gw, str(secret / "keytab"), but=[pid])
        os.kill(pid, signal.SIGSTOP)
        got = at_once(2, lambda i: kerberos(lab, gw, ticket) if i == 0 else kill_when_asked(lab, pid))
        assert got[0] == 503  # it may have been taken: the replay cache would refuse it a second time
        assert kerberos(lab, gw, ticket) == 200


def unread(lab, pid):
    """Bytes that wait in sockets of this process, but for its parent's (descriptor 3), who asks whether it is alive."""
    mine = {os.readlink(one) for one in labs.Path(f"/proc/{pid}/fd").iterdir() if one.name != "3"}
    rows = [line.split() for line in lab.run("ss", "-Hxan").stdout.split("\n")[:-1]]
    return sum(int(row[2]) for row in rows if f"socket:[{row[5]}]" in mine)


def kill_when_asked(lab, pid):
    wire.wait_until(lambda: unread(lab, pid), "the ticket to come to the process that stands still")
    os.kill(pid, signal.SIGKILL)


@pytest.mark.slow
def test_the_domain_controller_is_unplugged_and_back(lab, gw):
    ticket = ready(lab, gw)
    with Probe(lab, gw, CAROL):
        lab.unplug_dc()
        try:
            goes_down(lab, gw)
            assert kerberos(lab, gw, ticket) == 200  # its keys are here
        finally:
            lab.plug_dc()
        comes_back(lab, gw, 10)
        assert Handshake(gw).begin().finish() == 200


@pytest.mark.slow
def test_winbindd_stands_still_and_goes_on(lab, gw):
    ticket = ready(lab, gw)
    pid = auth_pid(gw, WINBIND)
    with Probe(lab, gw, CAROL):
        lab.freeze_winbindd()
        try:
            goes_down(lab, gw)
            assert kerberos(lab, gw, ticket) == 200
        finally:
            lab.thaw_winbindd()
        comes_back(lab, gw, 10)
    assert auth_pid(gw, WINBIND) == pid


def test_winbindd_is_stopped_and_another_gateway_starts_without_it(lab, gw, basic_gw, lab_gateway):
    ready(lab, gw)
    assert ask_basic(basic_gw).status == 200
    with Probe(lab, gw, CAROL):
        lab.stop_winbindd()
        try:
            assert ntlm(lab, gw) == 503
            assert ask_basic(basic_gw, "bob").status == 503
            assert "winbindd does not answer" in gw.record(status=503)["auth_detail"]
            new = lab_gateway(RULES, auth={"schemes": "ntlm", "domain": "winbind", "timeout": "8s"})
            status, took = timed(ntlm, lab, new)  # what the domain calls this machine is not known
            assert status == 503 and took < 5  # not the whole timeout
        finally:
            lab.start_winbindd()
        for one in (new, gw):
            logs_on(lambda: ntlm(lab, one))
        logs_on(lambda: ask_basic(basic_gw, "bob").status)


@pytest.mark.slow
@pytest.mark.parametrize("which", ["winbind", "kerberos"])
def test_a_frozen_auth_process_costs_seconds_and_is_replaced(lab, gw, secret, which):
    ticket = ready(lab, gw)
    mark = WINBIND if which == "winbind" else str(secret / "keytab")
    ask = (lambda: ntlm(lab, gw)) if which == "winbind" else (lambda: kerberos(lab, gw, ticket))
    pid = auth_pid(gw, mark)
    with Probe(lab, gw, CAROL):
        began = time.monotonic()
        os.kill(pid, signal.SIGSTOP)
        assert set(at_once(3, lambda i: ask())) == {503}
        got = at_once(4, lambda i: timed(ask))  # one may try
        assert sorted(took for status, took in got if status == 503)[1] < 0.7, got
        gw.says(rf"\(pid {pid}\) has not answered for 5 s; it is ended")
        logs_on(ask)
        assert time.monotonic() - began < 12
