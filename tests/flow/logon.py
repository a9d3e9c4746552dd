# SPDX-License-Identifier: MIT
"""logon: what tests of log-ons share: files of users, and the client's half of NTLM for tests that speak on the wire themselves.
The messages are made by the lab's ntlm-client.py."""

import base64
import importlib.machinery
import importlib.util
import subprocess
import types

import lab as labs

NTLM, WRAPPED, KERBEROS, BASIC = "NTLM", "Negotiate/NTLM", "Negotiate/Kerberos", "Basic"
ASKED, GOES_ON, FAILED, BAD = "auth-required", "auth-continues", "auth-failed", "auth-bad-token"
KNOBS = ("v1", "lm", "no_ess", "anonymous", "no_version", "no_mic", "bad_mic", "no_key_exch", "empty_key", "empty_lm", "verbose")


def secret(path, text):
    """A file that the gateway takes for one of users."""
    path.write_text(text)
    path.chmod(0o600)
    return path


def openssl(*words, text):
    return subprocess.run(["openssl", *words], input=text, capture_output=True, check=True).stdout.split()[0].decode()


def ntlm_file(path, *users):
    lines = ""
    for user in users:
        lines += f"{labs.DOMAIN}\\{user}:" + openssl("dgst", "-md4", "-provider", "legacy", "-provider", "default", "-r", text=labs.password(user).encode("utf-16-le")) + "\n"
    return secret(path, lines)


def basic_file(path, **users):
    return secret(path, "".join(f"{user}:" + openssl("passwd", "-5", "-stdin", text=password.encode()) + "\n" for user, password in users.items()))


def maker():
    """ntlm-client.py as a module; its name holds a hyphen."""
    loader = importlib.machinery.SourceFileLoader("ntlm_client", str(labs.SCRIPTS / "ntlm-client.py"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("ntlm_client", loader))
    loader.exec_module(module)
    return module


class Ntlm:
    """One log-on: first() is the NEGOTIATE, then(answer) the AUTHENTICATE to the challenge in a 407; both as fields of a request."""

    def __init__(self, user="alice", password=None, scheme="NTLM", **knobs):
        self.make = maker()
        self.scheme = scheme
        self.words = types.SimpleNamespace(user=user, password=password or labs.password(user), domain=labs.DOMAIN, workstation="WS01", nthash=None, hash_domain=None,
                                           cb=None, spn=None, **{knob: knobs.pop(knob, False) for knob in KNOBS})
        assert not knobs, knobs
        self.words.no_ess |= self.words.lm
        self.words.v1 |= self.words.lm

    def field(self, token):
        return f"Proxy-Authorization: {self.scheme} {base64.b64encode(token).decode()}\r\n"

    def first(self):
        self.negotiate = self.make.negotiate(self.words)
        return self.field(self.negotiate)

    def then(self, answer):
        [challenge] = answer.all("proxy-authenticate")
        scheme, token = challenge.split()
        assert (answer.status, scheme) == (407, self.scheme), answer
        return self.field(self.make.authenticate(self.words, self.negotiate, base64.b64decode(token)))


def basic(user, password):
    return f"Proxy-Authorization: Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}\r\n"
