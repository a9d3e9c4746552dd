# SPDX-License-Identifier: MIT
"""The signer: its key stays with it; killed, frozen, given another key; nobody but inspected tunnels waits for it."""

import os
import re
import signal
import ssl
import subprocess
import time
from pathlib import Path

import pytest
import wire

import inspection
from gateway import sanitized
from test_processes import status

TARGET = "graph.windows.net:443"
URL = "http://origin.example.net/"
RULES = """
[rule open]
schemes = http
action = tunnel
auth = none
[rule all]
action = inspect
auth = none
"""


@pytest.fixture
def inspecting(gateway, world, folder):
    return lambda **more: inspection.Inspecting(gateway, world, folder, **{"rules": RULES, **more})


def signer_pid(gw, but=()):
    return wire.wait_until(lambda: [pid for pid in gw.pids("--child signer") if pid not in but], "a signer")[0]


def issuer(here, rsa=False):
    """Who has signed what a client is shown; one that knows RSA only is shown another leaf."""
    context = here.context()
    if rsa:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers("ECDHE-RSA-AES128-GCM-SHA256")
    with here.gw.tunnel(TARGET) as t, context.wrap_socket(t.sock, server_hostname=TARGET.split(":")[0]) as sock:
        return dict(field[0] for field in sock.getpeercert()["issuer"])["commonName"]


def open_takes(gw):
    began = time.monotonic()
    assert gw.get(URL).status == 200
    return time.monotonic() - began


def scalar(key):
    """The private number of an ECDSA key, as it lies in memory: OpenSSL keeps it in words, lowest first."""
    text = subprocess.run(["openssl", "pkey", "-in", key, "-noout", "-text"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"priv:\n((?:\s+[0-9a-f:]+\n)+)", text)[1]
    number = bytes.fromhex(re.sub(r"[^0-9a-f]", "", found))[-32:]
    return number, number[::-1]


def memory_holds(pid, needles):
    """Is one of these bytes somewhere in the memory of this process?"""
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            where, rights = line.split()[:2]
            if "r" not in rights or line.rstrip().endswith(("[vvar]", "[vsyscall]", "[vdso]")):
                continue
            first, last = (int(edge, 16) for edge in where.split("-"))
            try:
                memory.seek(first)
                bytes_there = memory.read(last - first)
            except (OSError, OverflowError, ValueError):
                continue
            if any(needle in bytes_there for needle in needles):
                return True
    return False


def test_the_signer_has_no_privileges_and_a_filter(inspecting, origin):
    here = inspecting()
    s = status(signer_pid(here.gw))
    assert set(s["Uid"].split()) == {"65534"} and int(s["CapEff"], 16) == int(s["CapPrm"], 16) == 0 and s["NoNewPrivs"] == "1"
    if not sanitized():
        assert s["Seccomp"] == "2"
    assert issuer(here) == "Inspection CA"


@pytest.mark.skipif(sanitized(), reason="the sanitizer's memory is too large to search")
def test_the_key_of_the_ca_is_in_the_signer_alone(inspecting, origin):
    here = inspecting()
    assert issuer(here) == "Inspection CA"
    needles = scalar(here.cert.with_suffix(".key"))
    assert memory_holds(signer_pid(here.gw), needles)
    others = [here.gw.child.pid, *(pid for pid in here.gw.processes() if pid != signer_pid(here.gw))]
    assert len(others) >= 3
    assert [pid for pid in others if memory_holds(pid, needles)] == []
    text = here.cert.with_suffix(".key").read_bytes().split(b"\n")[1]
    assert [pid for pid in [*others, signer_pid(here.gw)] if memory_holds(pid, [text])] == []


def test_a_signer_that_is_killed_is_replaced_and_leaves_stay(inspecting, origin):
    here = inspecting()
    assert issuer(here) == "Inspection CA"
    pid = signer_pid(here.gw)
    os.kill(pid, signal.SIGKILL)
    assert open_takes(here.gw) < 1
    assert issuer(here) == "Inspection CA"
    new = signer_pid(here.gw, but=(pid,))
    assert new != pid
    assert issuer(here, rsa=True) == "Inspection CA"


@pytest.mark.slow
def test_a_frozen_signer_holds_up_inspected_tunnels_alone_and_is_ended(inspecting, origin):
    here = inspecting(signer_timeout="1s")
    pid = signer_pid(here.gw)
    assert issuer(here) == "Inspection CA"
    os.kill(pid, signal.SIGSTOP)
    assert open_takes(here.gw) < 1
    assert issuer(here) == "Inspection CA"  # the worker has it
    began = time.monotonic()
    here.gw.reload()
    assert time.monotonic() - began < 4
    assert open_takes(here.gw) < 1
    here.gw.says(rf"the signer \(pid {pid}\) (has not answered|does not follow)")
    signer_pid(here.gw, but=(pid,))
    here.gw.says(r"the signer \(pid \d+\) is there again")
    here.gw.write(here.section.replace("signer-timeout = 1s", "signer-timeout = 20s") + RULES)
    here.gw.reload()
    assert issuer(here, rsa=True) == "Inspection CA"


def test_a_signer_that_is_the_last_to_follow_a_reload_stays(inspecting, origin):
    here = inspecting()
    assert issuer(here) == "Inspection CA"
    pid, worker = signer_pid(here.gw), here.gw.pids("--child worker")[0]

    def maps():
        return sum("memfd:" in line for line in Path(f"/proc/{worker}/maps").read_text().splitlines())

    before, since = maps(), len(here.gw.said())
    os.kill(pid, signal.SIGSTOP)
    try:
        here.gw.child.send_signal(signal.SIGHUP)
        wire.wait_until(lambda: maps() > before, "the worker's new snapshot")
    finally:
        os.kill(pid, signal.SIGCONT)
    here.gw.says(r"reloaded: ", since=since)
    assert issuer(here) == "Inspection CA"
    assert here.gw.pids("--child signer") == [pid], here.gw.said()


def test_a_reload_with_a_key_that_does_not_fit_is_refused(inspecting, origin, folder):
    here = inspecting()
    assert issuer(here) == "Inspection CA"
    (folder / "other").mkdir()
    _, key = inspection.ca(folder / "other", "Other CA")
    line = here.gw.file.read_text().split("\n").index(f"ca-key = {here.cert.with_suffix('.key')}") + 1
    text = here.section
    here.gw.write(text.replace(f"ca-key = {here.cert.with_suffix('.key')}", f"ca-key = {key}") + RULES)
    said = here.gw.reload(ok=False)
    assert f"{here.gw.file}:{line}: ca-key: the CA's certificate does not fit the private key" in said and "generation 1 stays in use" in said
    assert issuer(here, rsa=True) == "Inspection CA"
    here.gw.write(text + RULES)
    here.gw.reload()
    assert issuer(here) == "Inspection CA"


def test_another_ca_by_reload_signs_at_once(inspecting, origin, folder):
    here = inspecting()
    assert issuer(here) == "Inspection CA"
    (folder / "other").mkdir()
    cert, key = inspection.ca(folder / "other", "Other CA")
    old = here.cert
    here.gw.write(here.section.replace(str(old.with_suffix(".key")), str(key)).replace(str(old), str(cert)) + RULES)
    here.gw.reload()
    here.cert = cert
    assert issuer(here) == "Other CA"
    assert issuer(here, rsa=True) == "Other CA"


def test_a_key_that_turns_bad_leaves_the_one_that_was_read(inspecting, origin):
    here = inspecting()
    key = here.cert.with_suffix(".key")
    good = key.read_bytes()
    key.chmod(0o644)
    here.gw.says(r"inspect\.key: others can read it")
    new = key.with_suffix(".new")
    new.write_bytes(b"rubbish")
    new.chmod(0o600)
    new.rename(key)
    here.gw.says(r"ca-key: the file holds no private key .*; what was read of it before stays in use")
    assert issuer(here) == "Inspection CA"
    os.kill(signer_pid(here.gw), signal.SIGKILL)
    here.gw.says(r"ca-key: the file holds no private key .*; no tunnel can be inspected until it can be used")
    assert open_takes(here.gw) < 1
    new.write_bytes(good)
    new.chmod(0o600)
    new.rename(key)
    here.gw.says("the CA's key was read")
    assert issuer(here, rsa=True) == "Inspection CA"


def test_there_is_a_signer_only_where_something_is_inspected(inspecting, gateway, origin):
    here = inspecting()
    pid = signer_pid(here.gw)
    here.gw.write("[rule all]\naction = tunnel\nauth = none\n")
    here.gw.reload()
    wire.wait_until(lambda: not Path(f"/proc/{pid}").exists() or not here.gw.pids("--child signer"), "the signer's end", 20)
    assert open_takes(here.gw) < 1
    here.gw.write(here.section + RULES)
    here.gw.reload()
    signer_pid(here.gw, but=(pid,))
    assert issuer(here) == "Inspection CA"


def test_chains_of_an_authority_that_is_not_the_root_are_sent(inspecting, origin, folder, world):
    """ca-cert of two certificates: the CA's and its root's; the client knows the root alone."""
    here = inspecting()
    root, root_key = inspection.ca(folder, "Root")
    root = root.rename(folder / "root.pem")
    run = lambda *words: subprocess.run(words, check=True, capture_output=True)  # noqa: E731
    (folder / "sub.ext").write_text("basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n")
    run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", folder / "sub.key", "-out", folder / "sub.csr", "-subj", "/CN=Sub CA")
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", folder / "root.key", "-out", root, "-days", "300",
        "-subj", "/CN=Root", "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign")
    run("openssl", "x509", "-req", "-in", folder / "sub.csr", "-CA", root, "-CAkey", folder / "root.key", "-out", folder / "sub.pem", "-days", "200", "-extfile", folder / "sub.ext")
    (folder / "sub.key").chmod(0o600)
    both = folder / "both.pem"
    both.write_text((folder / "sub.pem").read_text() + root.read_text())
    here.gw.write(here.section.replace(str(here.cert.with_suffix(".key")), str(folder / "sub.key")).replace(str(here.cert), str(both)) + RULES)
    here.gw.reload()
    here.cert = root
    assert issuer(here) == "Sub CA"
    with pytest.raises(ssl.SSLCertVerificationError):
        here.cert = Path(world.ca)
        issuer(here)
