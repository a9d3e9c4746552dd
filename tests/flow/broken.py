# SPDX-License-Identifier: MIT
"""broken: what the tests of trouble in the lab share: gateways that need a domain, a probe of what must go on meanwhile, clients that only tell a status."""

import base64
import concurrent.futures
import os
import pwd
import ssl
import subprocess
import threading
import time

import lab as labs
import wire

URL = f"http://{labs.ORIGIN}/"
SLOWEST = 1.0  # seconds that a bypassed request may take on a busy machine
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
            assert len(self.took) > 2 and max(self.took) < SLOWEST, (len(self.took), max(self.took))


def basic(user, password):
    return base64.b64encode(f"{user}:{password}".encode()).decode()


def ntlm(lab, gw, user="alice", password=None, *words):
    return lab.curl("--proxy-ntlm", "-U", f"{labs.DOMAIN}\\{user}:{password or labs.password(user)}", "-o", "/dev/null", *words, URL, gw=gw).status


def kerberos(lab, gw, ticket):
    return lab.curl("--proxy-negotiate", "-U", ":", "-o", "/dev/null", URL, gw=gw, env=ticket).status


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


def auth_pid(gw, kind, but=()):
    """The process of this back end, once it is there; not one of `but`."""

    def ask():
        found = [int(pid) for pid in gw_log_pids(gw, kind)]
        return [pid for pid in found if pid not in but]

    return wire.wait_until(ask, f"the process of {kind}")[0]


def gw_log_pids(gw, kind):
    raise NotImplementedError


assert os and pwd
