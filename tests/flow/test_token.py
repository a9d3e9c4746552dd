# SPDX-License-Identifier: MIT
"""The CA's key in a token (PKCS#11): SoftHSM through OpenSSL's engine. The right PIN, a wrong one, a token that is away, roll-over from a file and back."""

import os
import shutil
import signal
from pathlib import Path

import pytest
import wire
import world as w

import inspection
from gateway import command, sanitized
from test_processes import status
from test_signer import RULES, issuer, memory_holds, open_takes, scalar, signer_pid

MODULE = "/usr/lib/softhsm/libsofthsm2.so"
pytestmark = [
    pytest.mark.skipif(not (shutil.which("softhsm2-util") and Path(MODULE).exists()), reason="there is no softhsm2"),
    pytest.mark.skipif(not list(Path("/usr/lib").glob("*/engines-3/pkcs11.so")), reason="there is no libengine-pkcs11-openssl"),
]


class Token:
    """One of SoftHSM's, which user nobody may use, with a CA's key in it; the key's file is gone. `needles`: the key as it lies in memory."""

    def __init__(self, folder):
        self.home = folder / "token"
        self.home.mkdir()
        (self.home / "tokens").mkdir()
        conf = self.home / "softhsm2.conf"
        conf.write_text(f"directories.tokendir = {self.home}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n")
        self.env = {"SOFTHSM2_CONF": str(conf)}
        self.cert, key = inspection.ca(self.home, "Token CA")
        self.needles = scalar(key)
        util = ["env", f"SOFTHSM2_CONF={conf}", "softhsm2-util", "--module", MODULE]
        w.run(*util, "--init-token", "--free", "--label", "postern test", "--pin", "123456", "--so-pin", "87654321")
        w.run(*util, "--import", key, "--token", "postern test", "--label", "ca", "--id", "01", "--pin", "123456")
        key.unlink()
        w.run("chown", "-R", "nobody", self.home)
        self.pin = folder / "pin"
        self.write_pin("123456")
        self.uri = f"pkcs11:token=postern%20test;object=ca?pin-source=file:{self.pin}&module-path={MODULE}"

    def write_pin(self, pin):
        new = self.pin.with_suffix(".new")
        new.write_text(pin + "\n")
        new.chmod(0o600)
        new.rename(self.pin)

    def hide(self):
        (self.home / "tokens").rename(self.home / "away")

    def show(self):
        (self.home / "away").rename(self.home / "tokens")


@pytest.fixture
def token(folder):
    return Token(folder)


@pytest.fixture
def inspecting(gateway, world, folder, token, origin):
    def start(**more):
        here = inspection.Inspecting(gateway, world, folder, **{"rules": RULES, "ca_cert": token.cert, "ca_key": token.uri, "signer_timeout": "2s",
                                                                "gateway_options": {"env": token.env}, **more})
        here.cert = token.cert
        return here

    return start


def refused(here):
    """What a CONNECT is told that would have to be inspected, of a host that no leaf is there for."""
    return here.gw.ask(b"CONNECT login.live.com:443 HTTP/1.1\r\nHost: login.live.com:443\r\n\r\n", "CONNECT").status


def test_a_key_in_a_token_signs_and_never_leaves_it(inspecting, token):
    here = inspecting()
    assert issuer(here) == issuer(here, rsa=True) == "Token CA"
    signer = signer_pid(here.gw)
    s = status(signer)
    assert set(s["Uid"].split()) == {"65534"} and s["NoNewPrivs"] == "1" and int(s["CapEff"], 16) == 0
    here.gw.says(r"the CA's key is in a token: this process runs without a system call filter")
    others = [here.gw.child.pid, *(pid for pid in here.gw.processes() if pid != signer)]
    if not sanitized():
        assert [pid for pid in others if memory_holds(pid, [*token.needles, b"123456\n"])] == []
    assert "123456" not in here.gw.said()
    os.kill(signer, signal.SIGKILL)
    signer_pid(here.gw, but=(signer,))
    here.gw.says(r"the signer \(pid \d+\) is there again")
    assert issuer(here) == "Token CA"


def test_a_wrong_pin_is_tried_once_and_the_right_one_when_its_file_changes(inspecting, token):
    token.write_pin("999999")
    here = inspecting()
    here.gw.says(r"ca-key: the token does not take this PIN; .*; no tunnel can be inspected until it can be used")
    assert open_takes(here.gw) < 1
    assert refused(here) == 503
    assert here.gw.said().count("does not take this PIN") == 1
    token.write_pin("123456")
    here.gw.says("the CA's key was read")
    assert issuer(here) == "Token CA"


def test_a_token_that_is_away_is_looked_for_until_it_is_back(inspecting, token):
    here = inspecting()
    assert issuer(here) == "Token CA"
    token.hide()
    with pytest.raises(OSError):
        issuer(here, rsa=True)
    here.gw.says(r"no certificate was made: it cannot be signed")
    here.gw.says(r"ca-key: .*; no tunnel can be inspected until it can be used")
    assert open_takes(here.gw) < 1
    assert refused(here) == 503
    token.show()
    here.gw.says(r"the token is looked for afresh", times=2)
    wire.wait_until(lambda: refused(here) == 200, "the signer with its token")
    assert issuer(here, rsa=True) == "Token CA"


def test_a_reload_takes_the_ca_from_a_file_into_a_token_and_back(inspecting, token, folder):
    here = inspecting()
    assert issuer(here) == "Token CA"
    text, first = here.section, signer_pid(here.gw)
    here.gw.write(text.replace(token.uri, str(folder / "inspect.key")).replace(str(token.cert), str(folder / "inspect.pem")) + RULES)
    here.gw.reload()
    second = signer_pid(here.gw, but=(first,))
    here.cert = folder / "inspect.pem"
    here.gw.says(r"the signer \(pid \d+\) is there again")
    assert issuer(here) == "Inspection CA"
    if not sanitized():
        assert status(second)["Seccomp"] == "2"
    here.gw.write(text + RULES)
    here.gw.reload()
    signer_pid(here.gw, but=(first, second))
    here.cert = token.cert
    here.gw.says(r"the signer \(pid \d+\) is there again", times=2)
    assert issuer(here) == "Token CA"
    here.gw.write(text.replace("object=ca", "object=none") + RULES)
    assert "ca-key: there is no such key in a token" in here.gw.reload(ok=False)
    assert issuer(here, rsa=True) == "Token CA"


def test_the_check_says_that_the_engine_is_missing(inspecting, token):
    here = inspecting()
    assert "engine" not in command("check", "-c", here.gw.file).stderr
    assert "ca-key: OpenSSL's engine pkcs11 cannot be loaded" in command("check", "-c", here.gw.file, env={"OPENSSL_ENGINES": "/nowhere"}).stderr
