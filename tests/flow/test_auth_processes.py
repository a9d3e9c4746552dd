# SPDX-License-Identifier: MIT
"""Auth processes: killed, frozen, given another file; nobody waits for them."""

import base64
import contextlib
import os
import signal
import subprocess
import time

import pytest
import wire

from gateway import PROGRAM, command, sanitized
from test_processes import status

URL = "http://origin.example.net/"
RULES = """
[auth]
schemes = basic
basic-file = {file}
basic-without-tls = yes
timeout = 2s
[rule open]
methods = HEAD
action = tunnel
auth = none
[rule all]
action = tunnel
"""


def put(path, user, password, mode=0o600):
    """As an editor does it: another file of that name."""
    hashed = subprocess.run(["openssl", "passwd", "-6", "-stdin"], input=password, capture_output=True, text=True, check=True).stdout
    new = path.with_suffix(".new")
    new.write_text(f"{user}:{hashed}")
    new.chmod(mode)
    new.rename(path)


@pytest.fixture
def users(folder):
    own = folder / "secret"
    own.mkdir(mode=0o755)
    path = own / "users.htpasswd"
    put(path, "alice", "first")
    return path


def ask(gw, user, password):
    word = base64.b64encode(f"{user}:{password}".encode()).decode()
    return gw.get(URL, fields=f"Proxy-Authorization: Basic {word}\r\n").status


def open_takes(gw):
    """Seconds that a request takes which needs no user."""
    began = time.monotonic()
    assert gw.get(URL, method="HEAD").status == 200
    return time.monotonic() - began


def auth_pid(gw, but=()):
    return wire.wait_until(lambda: [pid for pid in gw.pids("--child auth") if pid not in but], "an auth process")[0]


def test_auth_processes_have_no_privileges_and_a_filter(gateway, origin, users):
    gw = gateway(RULES.format(file=users))
    assert ask(gw, "alice", "first") == 200  # so it is past its beginning, in which it gives up what it may
    s = status(auth_pid(gw))
    assert set(s["Uid"].split()) == {"65534"} and int(s["CapEff"], 16) == int(s["CapPrm"], 16) == 0 and s["NoNewPrivs"] == "1"
    if not sanitized():
        assert s["Seccomp"] == "2"
    assert ask(gw, "alice", "wrong") == 407


HASHES = {  # of "pw"
    "bcrypt": "$2b$12$V0nTzFgi5bBWvgnNjw7wbeaDSeQpgaBDmmrDNdZPnXUmkwtGvewEG",
    "sha512": "$6$FwhTkSz1SfiVbcHV$y1.zbAUfi5SgMdWj0Y8wadTNASO34ulO37bmyW9kgPSBa3ALEZJ77hbxXHuAsD.zRUB0HUFVoiKpLdUnYdnEw1",
    "sha256": "$5$ewrxmXZhnruqUkrf$Hc7sHfxtXB99pRycSAPKaY5ScU2iEsnP4hRTRvhXH30",
}


def test_each_kind_of_hash_is_checked_under_the_filter(gateway, origin, users):
    """What crypt(3) needs for each of them, memory above all, it has."""
    users.write_text("".join(f"{user}:{hashed}\n" for user, hashed in HASHES.items()))
    subprocess.run([PROGRAM, "passwd", users, "yescrypt"], input="pw\npw\n", text=True, check=True, stdout=subprocess.DEVNULL)
    assert "yescrypt:$y$" in users.read_text()
    gw = gateway(RULES.format(file=users))
    for user in [*HASHES, "yescrypt"]:
        assert (user, ask(gw, user, "pw"), ask(gw, user, "no")) == (user, 200, 407)


def test_costly_hashes_hold_up_nobody_else_and_the_queue_has_an_end(gateway, origin, users):
    """bcrypt of cost 12 takes a quarter of a second; four threads check, one more may wait."""
    names = [f"user{n}" for n in range(24)]
    users.write_text("".join(f"{name}:{HASHES['bcrypt']}\n" for name in names))
    gw = gateway(RULES.format(file=users).replace("timeout = 2s", "timeout = 30s\nqueue = 1"))
    auth_pid(gw)
    with contextlib.ExitStack() as all_of_them:
        made = [all_of_them.enter_context(gw.connect()) for _ in names]
        for name, c in zip(names, made):
            c.send(wire.get(URL, fields=f"Proxy-Authorization: Basic {base64.b64encode(f'{name}:pw'.encode()).decode()}\r\n"))
        assert max(open_takes(gw) for _ in range(20)) < 1
        got = [c.response().status for c in made]
    assert set(got) == {200, 503} and got.count(200) >= 5, got
    gw.says("1 asks wait already: more are refused")
    assert gw.record(status=503)["auth_detail"].endswith("too many wait for it")
    assert ask(gw, names[-1], "pw") == 200, "and it goes on"


def test_basic_is_neither_offered_nor_read_without_tls_unless_the_site_wants_it(gateway, origin, users):
    ntlm = users.with_name("users.ntlm")
    ntlm.write_text("alice:878d8014606cda29677a44efa1353fc7\n")
    ntlm.chmod(0o600)
    rules = RULES.format(file=users).replace("schemes = basic", "schemes = ntlm basic").replace("basic-without-tls = yes", f"ntlm-file = {ntlm}")
    gw = gateway(rules)
    answer = gw.get(URL)
    assert (answer.status, answer.all("proxy-authenticate")) == (407, ["NTLM"])
    assert ask(gw, "alice", "first") == 407
    line = gw.record(2, status=407)
    assert (line["fault"], line["user"], line["auth_ms"]) == ("auth-required", None, None) and "not offered" in line["auth_detail"]
    gw.write(rules.replace("schemes = ntlm basic", "schemes = basic"))
    gw.reload()
    assert ask(gw, "alice", "first") == 403, "nobody can be asked"
    assert gw.record(status=403)["fault"] == "user-unknown"


def test_who_asks_while_the_process_is_started_again_waits_for_it(gateway, origin, users):
    gw = gateway(RULES.format(file=users))
    pid = auth_pid(gw)
    os.kill(pid, signal.SIGKILL)
    assert ask(gw, "alice", "first") == 200
    assert auth_pid(gw) != pid


def test_a_frozen_process_costs_a_503_and_delays_nobody_else(gateway, origin, users):
    gw = gateway(RULES.format(file=users))
    os.kill(auth_pid(gw), signal.SIGSTOP)
    with gw.connect() as c:
        word = base64.b64encode(b"alice:first").decode()
        c.send(wire.get(URL, fields=f"Proxy-Authorization: Basic {word}\r\n"))
        assert max(open_takes(gw) for _ in range(20)) < 1
        assert c.response().status == 503


def test_a_frozen_process_is_replaced_within_seconds_and_nobody_waits_for_it_twice(gateway, origin, users):
    gw = gateway(RULES.format(file=users))
    pid = auth_pid(gw)
    assert ask(gw, "alice", "first") == 200
    began = time.monotonic()
    os.kill(pid, signal.SIGSTOP)
    assert [ask(gw, "bob", f"wrong{n}") for n in range(2)] == [503, 503]  # two seconds each
    gw.says(rf"auth basic-file \(pid {pid}\) has not answered for 5 s; it is ended")
    gw.says(r"auth basic-file \(pid \d+\) is there again")
    assert time.monotonic() - began < 9
    assert ask(gw, "bob", "wrong") == 407


@pytest.mark.slow
def test_who_was_stopped_itself_does_not_take_others_for_frozen(gateway, origin, users):
    """As when the machine is suspended, or its control group frozen."""
    gw = gateway(RULES.format(file=users))
    pids = [gw.child.pid, *gw.pids("--child")]
    pid = auth_pid(gw)
    gw.says("ready")
    # asked whether it is alive just before, in all likelihood: it is stopped first
    os.kill(pid, signal.SIGSTOP)
    time.sleep(1.2)
    for other in pids:
        os.kill(other, signal.SIGSTOP)
    time.sleep(5.5)
    for other in reversed(pids):
        os.kill(other, signal.SIGCONT)
    assert ask(gw, "alice", "first") == 200
    time.sleep(1.5)
    assert auth_pid(gw) == pid and "has not answered" not in gw.said()


def test_a_reload_does_not_wait_for_a_frozen_process_and_replaces_it(gateway, origin, users):
    gw = gateway(RULES.format(file=users))
    pid = auth_pid(gw)
    os.kill(pid, signal.SIGSTOP)
    began = time.monotonic()
    gw.reload()
    assert time.monotonic() - began < 1.5
    gw.says(rf"auth basic-file \(pid {pid}\) does not follow; it is ended")
    auth_pid(gw, but=[pid])
    gw.says(r"auth basic-file \(pid \d+\) is there again")
    assert ask(gw, "alice", "first") == 200


def test_the_end_does_not_wait_for_a_frozen_process(gateway, origin, users):
    gw = gateway(RULES.format(file=users))
    os.kill(auth_pid(gw), signal.SIGSTOP)
    began = time.monotonic()
    gw.stop()
    assert time.monotonic() - began < 1.5


def test_a_changed_file_is_in_use_at_once_and_a_bad_one_never(gateway, origin, users):
    gw = gateway(RULES.format(file=users))
    assert ask(gw, "alice", "first") == 200
    put(users, "alice", "second")
    gw.says("the file has changed, and is in use")
    assert ask(gw, "alice", "first") == 407
    assert ask(gw, "alice", "second") == 200
    put(users, "alice", "third", 0o644)
    gw.says(r"users\.htpasswd: others can read it")
    assert ask(gw, "alice", "second") == 200
    users.unlink()
    gw.says(r"users\.htpasswd: No such file or directory; what was read of it before stays in use")
    assert ask(gw, "alice", "second") == 200


@pytest.mark.parametrize("workers", [1, 2])
def test_a_half_written_file_leaves_the_users_of_before(gateway, origin, users, workers):
    """Written in place, as editors should not do it: it is looked at when it is closed."""
    gw = gateway(RULES.format(file=users), workers=workers)
    assert ask(gw, "alice", "first") == 200
    for text, said in (("", "is empty"), ("bob", "there is no colon"), ("bob:$6$salt$cut", "user bob cannot log on"), ("a:b\nc:d\n", "none of its 2 lines")):
        since = len(gw.said())
        users.write_text(text)
        gw.says(rf"the back end cannot be opened: .*{said}.*; the one before stays in use", since=since)
        assert ask(gw, "alice", "first") == 200
        assert ask(gw, "bob", "") == 407
    put(users, "alice", "second")
    gw.says("the file has changed, and is in use")
    assert [ask(gw, "alice", "first") for _ in range(4)] == [407] * 4  # whichever worker remembers it
    assert ask(gw, "alice", "second") == 200


@pytest.mark.parametrize("wrong, said", [(lambda path: path.chmod(0o644), "has mode 0644"), (lambda path: path.unlink(), "cannot be read: No such file"),
                                         (lambda path: (path.unlink(), path.mkdir()), "is not a regular file")])
def test_a_gateway_does_not_start_with_a_file_that_it_may_not_use(gateway, users, wrong, said):
    wrong(users)
    gw = gateway(RULES.format(file=users), start=False)
    done = command("run", "-c", gw.file)
    line = next(n for n, text in enumerate(gw.file.read_text().split("\n"), 1) if text.startswith("basic-file"))
    assert done.returncode == 2 and f"{gw.file}:{line}: basic-file: {users} {said}" in done.stderr, done


def test_a_file_without_a_good_line_at_the_start_is_said_and_then_replaced(gateway, origin, users):
    users.write_text("alice:cut")
    gw = gateway(RULES.format(file=users))
    gw.says(r"the back end cannot be opened: line 1: user alice .*; whoever needs it is refused \(503\) until it can")
    assert ask(gw, "alice", "first") == 503
    put(users, "alice", "first")
    gw.says("the file has changed, and is in use")
    assert ask(gw, "alice", "first") == 200


def test_a_process_that_is_no_longer_needed_ends_and_a_new_one_begins(gateway, origin, users):
    gw = gateway()
    assert not gw.pids("--child auth")
    gw.write(RULES.format(file=users))
    gw.reload()
    pid = auth_pid(gw)
    assert ask(gw, "alice", "first") == 200
    gw.write("[rule all]\naction = tunnel\nauth = none\n")
    gw.reload()
    wire.wait_until(lambda: not gw.pids("--child auth"), "the auth process to end")
    assert gw.get(URL).status == 200
    assert f"pid {pid}" not in gw.said()


def test_a_file_that_changes_in_the_middle_of_a_reload_is_in_use_after_it(gateway, origin, users):
    gw = gateway(RULES.format(file=users))
    assert ask(gw, "alice", "first") == 200
    pid, since = auth_pid(gw), len(gw.said())
    os.kill(pid, signal.SIGSTOP)  # the reload's file and the one after it are waiting for it when it goes on
    gw.signal(signal.SIGHUP)
    gw.says(r"reloaded", since=since)
    put(users, "alice", "second")
    time.sleep(0.5)  # the parent settles 50 ms; it has two seconds until the process is given up
    os.kill(pid, signal.SIGCONT)
    wire.wait_until(lambda: ask(gw, "alice", "second") == 200, "the new password")
    time.sleep(0.3)  # the reload is over by now
    assert ask(gw, "alice", "first") == 407
    assert auth_pid(gw) == pid


def test_a_file_that_its_group_may_read_is_taken_by_check_and_at_run_time_alike(gateway, origin, users):
    put(users, "alice", "first", mode=0o640)
    gw = gateway(RULES.format(file=users))
    assert ask(gw, "alice", "first") == 200
    put(users, "alice", "second", mode=0o640)
    wire.wait_until(lambda: ask(gw, "alice", "second") == 200, "the new file")
