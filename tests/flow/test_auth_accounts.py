# SPDX-License-Identifier: MIT
"""What happens to an account in the domain while the gateway runs: locked, disabled, expired, another password, another group; and what keeps a stale
password from locking it."""

import os
import signal

import lab as labs
import pytest
import wire
from broken import RULES, URL, Handshake, Probe, ask_basic, at_once, timed

AUTH = {"schemes": "ntlm basic", "domain": "winbind", "basic": "winbind", "basic_without_tls": "yes", "success-ttl": "1s", "timeout": "5s"}
USER = "dora"  # whom only these tests know


@pytest.fixture
def start(lab, lab_gateway):
    """A gateway that knows the domain."""

    def one(rules=RULES, **more):
        gw = lab_gateway(rules, auth={**AUTH, **more.pop("auth", {})}, **more)
        wire.wait_until(lambda: Handshake(gw).is_challenged(), "a challenge")
        return gw

    return one


@pytest.fixture
def dora(lab):
    lab.run("samba-tool", "user", "delete", USER, "-s", lab.folder / "dc" / "etc" / "smb.conf", side="dc", check=False)
    lab.samba_tool("user", "create", USER, labs.password(USER))
    yield USER
    lab.samba_tool("user", "delete", USER)


def modify(lab, user, **values):
    """Attributes of the account, in the directory itself."""
    text = f"dn: CN={user},CN=Users,DC=corp,DC=example\nchangetype: modify\n" + "".join(f"replace: {key}\n{key}: {value}\n-\n" for key, value in values.items())
    lab.run("ldbmodify", "-H", lab.folder / "dc" / "private" / "sam.ldb", side="dc", input=text)


def attribute(lab, user, name):
    found = lab.run("ldbsearch", "-H", lab.folder / "dc" / "private" / "sam.ldb", f"(sAMAccountName={user})", name, side="dc").stdout
    return int(next((line.split()[1] for line in found.split("\n") if line.startswith(f"{name}:")), "0"))


STATES = [("disabled", {"userAccountControl": 514}, "NT_STATUS_ACCOUNT_DISABLED"), ("expired", {"accountExpires": 127818864000000000}, "NT_STATUS_ACCOUNT_EXPIRED"),
          ("must change the password", {"pwdLastSet": 0}, "NT_STATUS_PASSWORD_MUST_CHANGE")]


@pytest.mark.parametrize("what, values, detail", STATES, ids=[what for what, _, _ in STATES])
def test_an_account_that_may_not_log_on_is_told_apart_and_not_counted(lab, start, dora, what, values, detail):
    gw = start(auth={"max-failures": "2 per 30m"})
    with Probe(lab, gw):
        assert Handshake(gw, dora).begin().finish() == 200
        modify(lab, dora, **values)
        for _ in range(4):
            assert Handshake(gw, dora).begin().finish() == 407
        wire.wait_until(lambda: ask_basic(gw, dora).status == 407, "what is remembered of Basic to grow old")
        assert detail in gw.record(4, fault="auth-failed")["auth_detail"]
        assert detail in gw.record(fault="auth-failed", auth_scheme="Basic")["auth_detail"]
        modify(lab, dora, userAccountControl=512, accountExpires=0, pwdLastSet=-1)
        assert Handshake(gw, dora).begin().finish() == 200 and ask_basic(gw, dora).status == 200


def test_a_locked_account_is_told_apart_and_not_counted(lab, start, dora):
    gw = start(auth={"max-failures": "2 per 30m"})
    try:
        with Probe(lab, gw):
            lab.samba_tool("domain", "passwordsettings", "set", "--account-lockout-threshold=2")
            for _ in range(3):
                lab.run("ntlm_auth", f"--domain={labs.DOMAIN}", f"--username={dora}", "--password=wrong", check=False)
            assert attribute(lab, dora, "lockoutTime")
            for _ in range(4):
                assert Handshake(gw, dora).begin().finish() == 407
            assert "NT_STATUS_ACCOUNT_LOCKED_OUT" in gw.record(4, fault="auth-failed")["auth_detail"]
    finally:
        lab.samba_tool("domain", "passwordsettings", "set", "--account-lockout-threshold=0")


def test_a_new_password_is_good_at_once(lab, start, dora):
    gw = start()
    assert Handshake(gw, dora).begin().finish() == 200 and ask_basic(gw, dora).status == 200
    lab.samba_tool("user", "setpassword", dora, "--newpassword=Another-1")
    assert Handshake(gw, dora, "Another-1").begin().finish() == 200
    assert ask_basic(gw, dora, "Another-1").status == 200


def test_another_group_is_seen_by_the_next_log_on_and_max_age_makes_it_come(lab, start, dora):
    gw = start(RULES.replace("[rule all]", "[rule members]\ngroups = CORP\\Proxy Users"), auth={"max-age": "2s"})
    with Probe(lab, gw), Handshake(gw, dora).begin().send_proof().wire as bound:
        assert bound.response().status == 403
        lab.samba_tool("group", "addmembers", "Proxy Users", dora)
        assert Handshake(gw, dora).begin().finish() == 200

        def again():
            answer = bound.send(wire.get(URL)).response()
            return answer if answer.status != 403 else None

        assert wire.wait_until(again, "the bound identity to grow old").status == 407
        assert gw.record(fault="auth-expired")
        new = Handshake(gw, dora)
        new.wire.close()
        new.wire = bound
        assert new.begin().send_proof().status() == 200


# --- lock-out ---


@pytest.fixture
def threshold(lab):
    lab.samba_tool("domain", "passwordsettings", "set", "--account-lockout-threshold=10")
    yield 10
    lab.samba_tool("domain", "passwordsettings", "set", "--account-lockout-threshold=0")


@pytest.fixture
def sources(lab):
    """Addresses of clients, on the proxy's own machine."""
    at = [f"{lab.net}.{n}" for n in range(101, 108)]
    for one in at:
        labs.worlds.run("ip", "-n", f"{lab.prefix}-px", "addr", "replace", f"{one}/24", "dev", f"{lab.prefix}-v2")
    yield at
    for one in at:
        labs.worlds.run("ip", "-n", f"{lab.prefix}-px", "addr", "del", f"{one}/24", "dev", f"{lab.prefix}-v2")


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_a_stale_password_on_one_device_locks_nobody_out(lab, start, dora, threshold, sources, workers):
    gw = start(workers=workers)
    with Probe(lab, gw):
        assert lab.curl("--proxy-ntlm", "-U", f"{labs.DOMAIN}\\{dora}:stale", URL, gw=gw).status == 407
        got = [Handshake(gw, dora, "stale", sources[0]).begin().finish() for _ in range(10)]
        assert got[:4] == [407] * 4 and set(got[4:]) == {429}, got
        answers = [ask_basic(gw, dora, "stale", sources[0]) for _ in range(10)]
        assert {a.status for a in answers} == {429}
        assert 0 < int(answers[0]["retry-after"]) <= 1800
        assert attribute(lab, dora, "badPwdCount") <= 5
        # the right password, from another device; others behind the same address
        assert Handshake(gw, dora, source=sources[1]).begin().finish() == 200
        assert Handshake(gw, "bob", source=sources[0]).begin().finish() == 200
        assert ask_basic(gw, "alice", source=sources[0]).status == 200
        line = gw.record(status=429)
        assert line["fault"] == "auth-limited" and dora in line["auth_detail"]
        assert dora in gw.says(r"user .* from .*: 4 log-ons failed").group(0)


@pytest.mark.slow
def test_stale_passwords_on_several_devices_lock_nobody_out(lab, start, dora, threshold, sources):
    gw = start(workers=2)
    got = []
    for batch in range(7):  # seven devices at once, and again
        got += at_once(7, lambda i: Handshake(gw, dora, "stale", sources[i]).begin().finish())
    assert set(got) == {407, 429} and got.count(407) <= 8, got
    assert 0 < attribute(lab, dora, "badPwdCount") <= 8 and attribute(lab, dora, "lockoutTime") == 0
    gw.says(rf"user .*{dora}: 8 log-ons failed")
    assert Handshake(gw, "bob", source=sources[0]).begin().finish() == 200
    # neither a killed auth process nor a killed worker forgets
    for pid in [*gw.pids("--child auth"), *gw.pids("--child worker")]:
        os.kill(pid, signal.SIGKILL)
    gw.says("worker 1 .*is there again")
    assert Handshake(gw, dora, "stale", sources[6]).begin().finish() == 429
    assert attribute(lab, dora, "badPwdCount") <= 8


def test_a_basic_password_that_was_refused_is_not_asked_again(lab, start, dora, threshold, sources):
    gw = start(workers=2)
    assert ask_basic(gw, dora, "stale", sources[0]).status == 407
    once = attribute(lab, dora, "badPwdCount")
    assert once >= 1
    for source in (sources[0], sources[1], sources[2]):
        for _ in range(5):
            answer, took = timed(ask_basic, gw, dora, "stale", source)
            assert answer.status == 407 and took < 1
    assert attribute(lab, dora, "badPwdCount") == once
    assert "refused before; not asked again" in gw.record(fault="auth-failed", auth_detail=lambda text: "before" in (text or ""))["auth_detail"]
    assert ask_basic(gw, dora, source=sources[1]).status == 200


def test_who_guesses_waits_longer_each_time(lab, start, dora, threshold, sources):
    gw = start()
    took = [timed(ask_basic, gw, dora, f"guess{n}", sources[0])[1] for n in range(3)]
    assert took[1] >= 0.25 and took[2] >= 0.5, took
