# SPDX-License-Identifier: MIT
"""broken: what the tests of trouble in the lab share: gateways that need a domain, a probe of what must go on meanwhile, clients that only tell a status."""

import argparse
import base64
import concurrent.futures
import contextlib
import functools
import importlib.util
import os
import ssl
import statistics
import subprocess
import threading
import time
from pathlib import Path

import lab as labs
import wire

URL = f"http://{labs.ORIGIN}/"
USUAL, SLOWEST = 0.1, 1.0  # seconds that a bypassed request may take on a busy machine: most of them, any of them
RULES = f"""
[rule diagnostics]
hosts = {labs.DIAGNOSTICS}
action = bypass
[rule all]
action = tunnel
"""


def users_file(path, users, mode=0o600):
    """As an editor does it: another file of that name."""
    lines = ""
    for user, password in users.items():
        hashed = subprocess.run(["openssl", "passwd", "-5", "-stdin"], input=password, capture_output=True, text=True, check=True).stdout
        lines += f"{user}:{hashed}"
    new = path.with_suffix(".new")
    new.write_text(lines)
    new.chmod(mode)
    new.rename(path)


def closed_folder(folder):
    """A folder for files of users and keys: root's, whom the parent is."""
    own = folder / "secret"
    own.mkdir(mode=0o755)
    return own


class Probe:
    """While it is open: CONNECT and TLS to the diagnostics' name, again and again, and now and then a user whom another back end knows. Each must be
    answered 200, and quickly."""

    def __init__(self, lab, gw, user=None):
        self.lab, self.gw, self.user = lab, gw, user
        self.end, self.took, self.wrong = threading.Event(), [], []
        self.tls = ssl.create_default_context(cafile=str(lab.world.ca))
        self.thread = threading.Thread(target=self.run, daemon=True)

    def once(self):
        with self.gw.tunnel(f"{labs.DIAGNOSTICS}:443") as w, self.tls.wrap_socket(w.sock, server_hostname=labs.DIAGNOSTICS) as sock:
            w.sock = sock
            w.send(f"GET / HTTP/1.1\r\nHost: {labs.DIAGNOSTICS}\r\nConnection: close\r\n\r\n")
            return w.response().status

    def other(self):
        return self.gw.get(URL, fields=f"Proxy-Authorization: Basic {basic(*self.user)}\r\n").status

    def run(self):
        n = 0
        while not self.end.wait(0.05):
            began = time.monotonic()
            try:
                status = self.other() if self.user and n % 4 == 3 else self.once()
            except (OSError, AssertionError) as e:
                status = repr(e)
            self.took.append(time.monotonic() - began)
            if status != 200:
                self.wrong.append((n, status))
            n += 1

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, kind, *_):
        self.end.set()
        self.thread.join(wire.PATIENCE)
        if kind is None:
            assert self.lab.curl(f"https://{labs.DIAGNOSTICS}/", gw=self.gw).status == 200  # a real client
            assert not self.wrong, self.wrong[:5]
            assert len(self.took) > 2 and statistics.median(self.took) < USUAL and max(self.took) < SLOWEST, self.took


def basic(user, password):
    return base64.b64encode(f"{user}:{password}".encode()).decode()


def ntlm(lab, gw, user="alice", password=None, *words):
    return lab.curl("--proxy-ntlm", "-U", f"{labs.DOMAIN}\\{user}:{password or labs.password(user)}", "-o", "/dev/null", *words, URL, gw=gw).status


def kerberos(lab, gw, ticket):
    return lab.curl("--proxy-negotiate", "-U", ":", "-o", "/dev/null", URL, gw=gw, env={**ticket, "GSS_MECH_CONFIG": "/dev/null"}).status  # or gss-ntlmssp, in the client, would ask winbindd


def ask_basic(gw, user="alice", password=None, source=None):
    """The whole response, without curl."""
    with gw.connect(source) as w:
        return w.send(wire.get(URL, fields=f"Proxy-Authorization: Basic {basic(user, password or labs.password(user))}\r\n")).response()


def at_once(n, call):
    """What n threads get that call it at the same time."""
    with concurrent.futures.ThreadPoolExecutor(n) as pool:
        return [one.result() for one in [pool.submit(call, i) for i in range(n)]]


def timed(call, *words):
    began = time.monotonic()
    return call(*words), time.monotonic() - began


def auth_pid(gw, mark, but=()):
    """The auth process that has this mapped or open (libwbclient, its file), once it is there; not one of `but`."""

    def has(pid):
        with contextlib.suppress(OSError):
            if mark in Path(f"/proc/{pid}/maps").read_text():
                return True
            return any(mark in os.readlink(one) for one in Path(f"/proc/{pid}/fd").iterdir())
        return False

    return wire.wait_until(lambda: [pid for pid in gw.pids("--child auth") if pid not in but and has(pid)], f"the auth process of {mark}")[0]


def logs_on(ask):
    """Asks until it is 200; nobody may be told on the way that a password is wrong."""
    got = []
    wire.wait_until(lambda: got.append(ask()) or got[-1] == 200, "a log-on")
    assert set(got) <= {200, 503}, got


class Handshake:
    """NTLM leg by leg, on a connection of its own."""

    def __init__(self, gw, user="alice", password=None, source=None):
        self.wire = gw.connect(source)
        self.who = argparse.Namespace(user=user, password=password or labs.password(user), domain=labs.DOMAIN, workstation="WS01", verbose=False, nthash=None, hash_domain=None,
                                      cb=None, spn=None, **dict.fromkeys(("v1", "lm", "no_ess", "anonymous", "no_version", "no_mic", "bad_mic", "no_key_exch", "empty_key", "empty_lm"), False))

    def say(self, token):
        self.wire.send(wire.get(URL, fields=f"Proxy-Authorization: NTLM {base64.b64encode(token).decode()}\r\n"))

    def is_challenged(self):
        """To be asked of one that is used for nothing else."""
        self.say(tool().negotiate(self.who))
        with self.wire:
            return self.wire.response().status == 407

    def begin(self):
        self.first = tool().negotiate(self.who)
        self.say(self.first)
        answer = self.wire.response()
        assert answer.status == 407, answer
        self.challenge = base64.b64decode(answer["proxy-authenticate"].split()[1])
        return self

    def send_proof(self):
        self.say(tool().authenticate(self.who, self.first, self.challenge))
        return self

    def status(self):
        return self.wire.response().status

    def finish(self):
        with self.wire:
            return self.send_proof().status()


@functools.lru_cache
def tool():
    """The lab's NTLM client, as a module."""
    spec = importlib.util.spec_from_file_location("ntlm_client", labs.SCRIPTS / "ntlm-client.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
