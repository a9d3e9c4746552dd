#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""run_faults: every call that can fail fails once in turn, and the gateway must bear it; see README.

Python's own library only. Each lane (--jobs) is a process in a network namespace of its own, with a name server, an origin, and traps where nothing may
ever arrive. A case is one gateway, from its start to its end, with one call that fails.
"""

import argparse
import ctypes
import functools
import mmap
import multiprocessing
import os
import pwd
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "flow"))

import borders  # noqa: E402
import inspected  # noqa: E402
import log_on  # noqa: E402
import origin as origins  # noqa: E402
import wire  # noqa: E402

PROGRAM = Path(os.environ.get("POSTERN", "build/postern")).resolve()
ORIGIN, TRAP, RESOLVER = "20.42.0.20", "20.42.0.66", "127.0.0.53"
PORT, PORT2 = 3128, 3129
STEP_S, START_S, RELOAD_S, AGAIN_S, END_S = 15, 45, 20, 45, 30  # until something counts as a hang
ENTRY = struct.Struct("=8s32sIIQQ")
ENTRIES = 60000
NAMES = {
    "ok.example.net": ORIGIN, "user.example.net": ORIGIN, "late.example.net": ORIGIN, "x-allowed1.example.net": ORIGIN,
    "secret.example.net": TRAP, "x-forbidden7.example.net": TRAP, "other.example.net": TRAP, "private.example.net": "127.0.0.1", **inspected.NAMES,
}
INI = """
[gateway]
workers = 1
user = nobody
visible-name = gw.example.net
resolver = 127.0.0.53
head-timeout = 1s
connect-timeout = 2s
response-timeout = 2s
keepalive-timeout = 4s
idle-timeout = 3s
dns-timeout = 1s
drain-timeout = 300ms
tunnel-buffer = 16k
connect-ports = 443
http-ports = 80
{gateway}
[listener edge]
address = 127.0.0.1:3128
clients = 127.0.0.1
{listener}
[auth]
schemes = negotiate ntlm basic
realm = gw
{auth}
basic-without-tls = yes
timeout = 2s

{inspection}
[doctor]
interval = 1m
timeout = 1s
lists = tested

[list tested]
host = bad.example.net

[list good]
file = good.list
host = *.nowhere.example.net
address = 192.0.2.0/24

[rule forbidden]
hosts = secret.example.net re:.*forbidden[0-9]+\\.example\\.net {late}
action = deny
reason = "not from here"

[rule bypassed]
hosts = @good
ports = 443
action = bypass

[rule plain]
hosts = ok.example.net late.example.net private.example.net
clients = 127.0.0.0/8
methods = GET POST CONNECT
auth = none
action = tunnel

[rule log-on]
hosts = user.example.net
users = alice
action = tunnel

[rule pattern]
hosts = re:x-[a-z]+[0-9]\\.example\\.net
auth = none
action = tunnel

{inside}
{by_parent}
{borders}
[log access]
file = {folder}/access.json
format = json

[log native]
file = {folder}/access.log
format = squid
"""
REPORTS = re.compile(r"ERROR: \w*Sanitizer|runtime error:|LeakSanitizer|Assertion .* failed|stack smashing|free\(\): |malloc\(\): |double free")
CRASH = re.compile(r"signal (?!9\b)\d+")
# OpenSSL 3.0 that has no memory at its very first use takes a lock that it could not make; nothing that a program does prevents it, and the process is
# started again.
OPENSSL_BEGINS = re.compile(r"AddressSanitizer: SEGV[^\n]*\n(?:[^#\n]*\n)*(?:\s+#\d+ [^\n]*rwlock[^\n]*\n)+\s+#\d+ [^\n]* in CRYPTO_THREAD_read_lock ")
FILES = """ntlm-file = users.ntlm
basic-file = users.basic
keytab = http.keytab"""
DOMAIN = """domain = winbind
basic = ldap
ldap-url = ldaps://127.0.0.1:9
keytab = http.keytab"""
TICKETS = Path(__file__).resolve().parents[1] / "fuzz/corpus/ap_req"
BODY = bytes(range(256)) * 40
BULK = bytes(range(251)) * 900


Bad = inspected.Bad


def wait(ask, seconds, what):
    end = time.monotonic() + seconds
    while True:
        answer = ask()
        if answer:
            return answer
        if time.monotonic() > end:
            raise Bad(f"{what} not within {seconds} s")
        time.sleep(0.004)


# --- the world of a lane ---


class Echo(origins.Server):
    """Sends back what it gets; keeps the first bytes of each connection."""

    def __init__(self, address, port):
        self.heads = []
        super().__init__(self.echo, address, port)

    def echo(self, w):
        first = b""
        while w.more():
            if len(first) < 4096:
                first += w.kept
                self.heads.append(first)
            w.send(w.kept)
            w.kept = b""


class Lane:
    """Where cases are run, one after the other."""

    def __init__(self):
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(0x40020000) != 0:  # CLONE_NEWNET, CLONE_NEWNS
            raise SystemExit(f"run_faults: no namespaces: {os.strerror(ctypes.get_errno())}")
        if libc.mount(None, b"/", None, ctypes.c_ulong(0x44000), None) != 0:  # MS_REC, MS_PRIVATE
            raise SystemExit(f"run_faults: / cannot be made private: {os.strerror(ctypes.get_errno())}")
        libc.prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER: who outlives the parent becomes ours
        for words in ("link set lo up", *(f"addr add {address}/32 dev lo" for address in (ORIGIN, TRAP, borders.PARENT, *inspected.NAMES.values()))):
            subprocess.run(("ip", *words.split()), check=True)
        self.folder = Path(tempfile.mkdtemp(prefix="postern-faults-"))
        self.folder.chmod(0o755)
        for path, text in (("/etc/hosts", "127.0.0.1 localhost\n"), ("/etc/resolv.conf", f"nameserver {RESOLVER}\n")):
            own = self.folder / Path(path).name
            own.write_text(text)
            subprocess.run(("mount", "--bind", str(own), os.path.realpath(path)), check=True)
        self.dns = origins.Dns(lambda name, kind: [NAMES[name]] if name in NAMES else "nxdomain", RESOLVER)
        self.http = origins.Http(ORIGIN, 80)
        self.echo = Echo(ORIGIN, 443)
        self.traps = [origins.Server(lambda w: w.rest(), address, port)
                      for address, port in ((ORIGIN, 444), (TRAP, 80), (TRAP, 443), ("127.0.0.1", 80), ("127.0.0.1", 443))]
        self.tls = inspected.World(self.folder)
        self.borders = borders.World(self.tls.folder)
        self.hello = {name: wire.client_hello(name) for name in ("ok.example.net", "evil.example.net")}
        wire.PATIENCE = STEP_S

    def forget(self):
        self.http.requests.clear()
        self.tls.forget()
        self.borders.forget()
        self.echo.heads.clear()
        for trap in self.traps:
            trap.connections = 0

    def judge(self):
        """Nothing forbidden was ever reached."""
        self.tls.judge()
        self.borders.judge()
        for trap in self.traps:
            if trap.connections:
                raise Bad(f"something reached the trap at {trap.address}")
        for request in list(self.http.requests):
            path = request.target
            if request["host"] not in ("ok.example.net", "user.example.net", "late.example.net", "x-allowed1.example.net") or path.startswith("/never"):
                raise Bad(f"the origin got {request}")
            if request["proxy-authorization"]:
                raise Bad(f"the origin got a credential: {request}")
            if request.method == "POST" and request.body != BODY:
                raise Bad(f"the origin got another body: {len(request.body)} bytes")
        good = self.hello["ok.example.net"]
        for head in list(self.echo.heads):
            if not (head.startswith(good) or good.startswith(head)):
                raise Bad(f"the origin got what the guard was to stop: {head[:60]!r}")


# --- one case ---


class Case(inspected.Steps, borders.Steps):
    """One gateway, and what happens to it. `wish`: what POSTERN_FAIL says; empty: nothing fails, all calls are counted."""

    def __init__(self, lane, wish):
        self.lane, self.wish = lane, wish
        self.folder = lane.folder / "case"
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(mode=0o755)
        nobody = pwd.getpwnam("nobody")
        os.chown(self.folder, nobody.pw_uid, nobody.pw_gid)
        (self.folder / "good.list").write_text("# shipped by nobody\nok.example.net\n*.good.example.net\nhttps://b.good.example.org/\n")
        log_on.put_users(self.folder, "secret")
        log_on.put_keytab(self.folder / "http.keytab")
        lane.tls.put(self.folder)
        lane.borders.put(self.folder)
        self.log = self.folder / "calls"
        with open(self.log, "wb") as f:
            f.truncate(8 + ENTRY.size * (ENTRIES if not wish else 8000))
        self.stderr = self.folder / "stderr"
        self.child = None
        self.notes = []

    def write(self, reloaded=False, auth=FILES):
        (self.folder / "postern.ini").write_text(INI.format(
            folder=self.folder, auth=auth, inspection=inspected.SECTION.format(folder=self.lane.tls.folder), inside=inspected.RULES,
            gateway=borders.GATEWAY.format(folder=self.folder), borders=borders.SECTIONS.format(certificates=self.lane.tls.folder), by_parent=borders.RULES,
            late="late.example.net" if reloaded else "",
            listener="[listener two]\naddress = 127.0.0.1:3129\nclients = 127.0.0.0/8\n" if reloaded else ""))

    def said(self):
        return self.stderr.read_text(errors="replace")

    def popen(self, *words, told=""):
        env = {**os.environ, "POSTERN_FAIL": self.wish, "POSTERN_FAIL_LOG": str(self.log), "KRB5RCACHEDIR": str(self.folder)}
        with open(self.stderr, "ab") as out:
            child = subprocess.Popen([str(PROGRAM), *words], stdin=subprocess.PIPE, stdout=out, stderr=out, env=env, cwd=self.folder)
        try:
            child.stdin.write(told.encode())
            child.stdin.close()
        except OSError:  # it has ended meanwhile
            pass
        return child

    def calls(self):
        """(role, function, variants, failed, site, path) of each call, in order; path: how a library came to its allocation."""
        with open(self.log, "rb") as f, mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ) as m:
            n = min(struct.unpack_from("=I", m, 0)[0], (len(m) - 8) // ENTRY.size)
            rows = [ENTRY.unpack_from(m, 8 + i * ENTRY.size) for i in range(n)]
        return [(role.rstrip(b"\0").decode(), function.rstrip(b"\0").decode(), variants, failed, site, path)
                for role, function, variants, failed, site, path in rows if function.strip(b"\0")]

    # Each step says what came of it; anything is borne but what raises Bad.

    def step(self, function, *words):
        begun = time.monotonic()
        try:
            return function(*words)
        except (socket.timeout, TimeoutError):
            raise Bad(f"{function.__name__}{words}: no answer for {STEP_S} s") from None
        except (OSError, AssertionError, ValueError, IndexError) as e:
            if time.monotonic() - begun > STEP_S:
                raise Bad(f"{function.__name__}{words}: took {time.monotonic() - begun:.1f} s") from None
            return f"broke off: {e!r:.120}"

    def connect(self, source=None, port=PORT):
        w = wire.connect(("127.0.0.1", port), source)
        w.sock.settimeout(STEP_S)
        return w

    def tunnel(self):
        hello = self.lane.hello["ok.example.net"]
        with self.connect() as w:
            w.send("CONNECT ok.example.net:443 HTTP/1.1\r\nHost: ok.example.net:443\r\n\r\n")
            status = w.response("CONNECT").status
            if status != 200:
                return status
            if w.send(hello).exactly(len(hello)) != hello:
                raise Bad("the tunnel changed bytes")
            sender = threading.Thread(target=self.pour, args=(w,), daemon=True)
            sender.start()
            came = w.exactly(len(BULK))
            sender.join()
            if came != BULK:
                raise Bad("the tunnel changed bytes")
            return 200 if w.shut().ended() else "no end"

    @staticmethod
    def pour(w):
        try:
            w.send(BULK)
        except OSError:
            pass

    def refused_tunnel(self, target):
        with self.connect() as w:
            w.send(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n")
            status = w.response("CONNECT").status
            if status < 400:
                raise Bad(f"CONNECT {target} got {status}")
            return status

    def refused_hello(self):
        with self.connect() as w:
            w.send("CONNECT ok.example.net:443 HTTP/1.1\r\nHost: ok.example.net:443\r\n\r\n")
            if w.response("CONNECT").status == 200 and w.send(self.lane.hello["evil.example.net"]).rest():
                raise Bad("the guard let a wrong name through")

    def fetch(self, *paths, host="ok.example.net", port=PORT):
        status = None
        with self.connect(port=port) as w:
            for path in paths:
                w.send(wire.get(f"http://{host}{path}"))
                answer = w.response()
                status = answer.status
                if status == 200 and f"GET {path} HTTP/1.1".encode() not in answer.body:
                    raise Bad(f"GET {path} got the answer {answer}")
        return status

    def post(self):
        with self.connect() as w:
            w.send(b"POST http://ok.example.net/post HTTP/1.1\r\nHost: ok.example.net\r\nTransfer-Encoding: chunked\r\n\r\n")
            for i in range(0, len(BODY), 3000):
                part = BODY[i:i + 3000]
                w.send(b"%x\r\n%b\r\n" % (len(part), part))
            return w.send(b"0\r\n\r\n").response("POST").status

    def refused_fetch(self, host):
        with self.connect() as w:
            status = w.send(wire.get(f"http://{host}/never")).response().status
            if status < 400:
                raise Bad(f"GET http://{host}/ got {status}")
            return status

    def stranger(self):
        with self.connect(source="127.0.0.2") as w:
            w.send(wire.get("http://ok.example.net/never"))
            if w.rest():
                raise Bad("a client that may not come was answered")

    # Whoever asks for /never may not get it.

    def ask(self, credential, path="/never", method="GET"):
        with self.connect() as w:
            answer = w.send(wire.get(f"http://user.example.net{path}", fields=credential, method=method)).response(method)
            if path == "/never" and answer.status < 400:
                raise Bad(f"who may not was let in: {answer}")
            return answer.status

    def challenge(self):
        with self.connect() as w:
            answer = w.send(wire.get("http://user.example.net/never")).response()
            if answer.status < 400:
                raise Bad("nobody was let in")
            return answer.status == 407 and [value.split()[0] for value in answer.all("proxy-authenticate")]

    def handshake(self, user, hashed, scheme="NTLM", paths=("/ntlm", "/ntlm2"), wraps=False):
        """The statuses: the challenge, then each path on the same connection."""
        with self.connect() as w:
            def say(token, path):
                return w.send(wire.get(f"http://user.example.net{path}", fields=log_on.field(scheme, token) if token else "")).response()
            first = log_on.ntlm_first()
            answer = say(log_on.wrapped_first(first) if wraps else first, "/never")
            if answer.status < 400:
                raise Bad("the first message of NTLM was enough")
            second = log_on.token(answer, scheme)
            if answer.status != 407 or not second:
                return [answer.status]
            third = log_on.ntlm_third(first, log_on.unwrapped(second) if wraps else second, user, hashed)
            got = [407]
            for path in paths:
                got.append(say((log_on.wrapped_third(third) if wraps else third) if path == paths[0] else b"", path).status)
                if path == "/never" and got[-1] < 400:
                    raise Bad(f"who may not was let in: {user}")
            return got

    def posted(self, credential):
        """With a body, first in vain: the credential is wrong."""
        with self.connect() as w:
            head = f"POST http://user.example.net/%s HTTP/1.1\r\nHost: user.example.net\r\nContent-Length: {len(BODY)}\r\n%s\r\n"
            first = w.send((head % ("never", log_on.basic("bob", "wrong"))).encode() + BODY).response("POST").status
            if first < 400:
                raise Bad("who may not was let in")
            return [first, w.send((head % ("post", credential)).encode() + BODY).response("POST").status]

    def log_ons(self, password="secret"):
        """Everybody who may, and those who may not."""
        good = log_on.basic("alice", password)
        self.expect(["Negotiate", "NTLM", "Basic"], self.step(self.challenge), "the challenge")
        self.expect(200, self.step(self.ask, good, "/basic"), "Basic")
        self.expect(200, self.step(self.ask, good, "/basic2"), "Basic again")
        self.expect([407, 200, 200], self.step(self.handshake, "alice", log_on.HASH[password]), "NTLM")
        self.expect([407, 200], self.step(lambda: self.handshake("alice", log_on.HASH[password], "Negotiate", ["/ntlm"], wraps=True)), "NTLM in SPNEGO")
        self.expect([407, 200], self.step(self.posted, good), "POST")
        self.expect(403, self.step(self.ask, log_on.basic("bob", "secret")), "another user")
        self.expect(407, self.step(self.ask, log_on.basic("carol", "wrong")), "a wrong password")
        self.expect([407, 407], self.step(lambda: self.handshake("dora", log_on.WRONG, paths=["/never"])), "NTLM, wrong")
        self.expect([407, 403], self.step(lambda: self.handshake("bob", log_on.HASH["secret"], paths=["/never"])), "NTLM, another user")
        for name in ("bare", "spnego"):
            self.expect(407, self.step(self.ask, log_on.field("Negotiate", (TICKETS / name).read_bytes())), f"ticket {name}")

    def change_password(self):
        """The files change: what was right is so no more, soon."""
        log_on.put_users(self.folder, "changed")

        def done():
            with_new = self.step(self.ask, log_on.basic("alice", "changed"), "/changed") == 200
            with_hash = self.step(self.handshake, "alice", log_on.HASH["changed"], "NTLM", ["/changed"]) == [407, 200]
            return with_new and with_hash
        wait(done, AGAIN_S, "the changed password in use")
        for _ in range(2):
            if self.step(self.ask, log_on.basic("alice", "secret"), "/old") == 200:
                raise Bad("the old password is still good")

    def unplug(self):
        """Back ends that are not there: 503, and no one is let in."""
        self.write(reloaded=True, auth=DOMAIN)
        for _ in range(2):
            if self.reload():
                break
            self.notes.append("reload failed")
        else:
            raise Bad("a second reload failed too")

        def refused(credential):
            return self.step(self.ask, credential) in (407, 503)
        wait(lambda: refused(log_on.basic("alice", "changed")), AGAIN_S, "LDAP that is not there noticed")
        wait(lambda: self.step(lambda: self.handshake("alice", log_on.HASH["changed"], paths=["/never"]))[-1:] == [503], AGAIN_S, "winbindd that is not there noticed")

    # --- the course of things ---

    def start(self):
        """False: it refused to start, as it may."""
        self.write()
        self.child = self.popen("run", "-c", str(self.folder / "postern.ini"))
        wait(lambda: "postern: ready" in self.said() or self.child.poll() is not None, START_S, "neither ready nor refused:")
        if self.child.poll() is None:
            return True
        own = [line for line in self.said().split("\n") if line and not line.startswith("inject:")]
        if self.child.returncode not in (1, 2) or not own:
            raise Bad(f"the start ended with {self.child.returncode} and said {own}")
        self.notes.append("start refused")
        return False

    def expect(self, want, got, what):
        """Without a fault all must go well; with one it may not."""
        if not self.wish and got != want:
            raise Bad(f"{what}: {got}, not {want}")

    def requests(self):
        self.expect(200, self.step(self.tunnel), "tunnel")
        for target in ("secret.example.net:443", "x-forbidden7.example.net:443", "ok.example.net:444", "other.example.net:443"):
            self.expect(403, self.step(self.refused_tunnel, target), target)
        self.expect(None, self.step(self.refused_hello), "guard")
        self.expect(200, self.step(self.fetch, "/one", "/two"), "fetch")
        self.expect(200, self.step(lambda: self.fetch("/pattern", host="x-allowed1.example.net")), "pattern")
        self.expect(200, self.step(self.post), "post")
        for host in ("private.example.net", "secret.example.net"):
            self.expect(403, self.step(self.refused_fetch, host), host)
        self.step(self.stranger)
        self.inspected()
        self.at_the_borders()
        self.log_ons()

    def reload(self):
        since = len(self.said())
        self.child.send_signal(signal.SIGHUP)
        pattern = re.compile(r"reloaded: |reload failed|reload refused")
        wait(lambda: pattern.search(self.said(), since) or self.child.poll() is not None, RELOAD_S, "the end of a reload")
        return "reloaded: " in self.said()[since:]

    def reload_and_look(self):
        self.write(reloaded=True)
        for _ in range(2):
            if self.reload():
                break
            self.expect(True, False, "reload")
            self.notes.append("reload failed")
        else:
            raise Bad("a second reload failed too")
        # children apply it in their own time
        wait(lambda: self.step(lambda: self.fetch("/late", host="late.example.net")) == 403, AGAIN_S, "the new rule in use")
        if self.step(lambda: self.fetch("/late", host="late.example.net")) == 200:
            raise Bad("the old rules are back")
        wait(lambda: self.step(lambda: self.fetch("/second", port=PORT2)) == 200, AGAIN_S, "the new listener answering")

    def rotate(self):
        (self.folder / "access.json").rename(self.folder / "access.json.1") if (self.folder / "access.json").exists() else None
        self.child.send_signal(signal.SIGUSR1)

    def again(self):
        """Whatever failed, it works again."""
        wait(lambda: self.step(lambda: self.fetch("/again")) == 200, AGAIN_S, "a fresh request answered")
        wait(lambda: self.step(self.tunnel) == 200, AGAIN_S, "a fresh tunnel")
        self.step(self.refused_tunnel, "secret.example.net:443")
        self.step(self.refused_hello)
        wait(lambda: self.step(self.inside_h1) == [200, 200, 403], AGAIN_S, "a fresh inspected tunnel")
        wait(lambda: self.step(self.inside_h2, "in2.example.net") == [200, 403, 200], AGAIN_S, "a fresh inspected tunnel of HTTP/2")
        self.step(self.inside_never, "bad.example.net")
        self.change_password()
        logs = ("access.json", "access.json.1")
        wait(lambda: any(b"/again" in (self.folder / name).read_bytes() for name in logs if (self.folder / name).exists()), AGAIN_S, "a line in the access log")

    def end(self):
        with self.connect() as idle, self.connect() as waiting:
            idle.send(wire.get("http://ok.example.net/idle"))
            waiting.send("GET http://ok.example.net/half")
            self.step(idle.response)
            if self.child.poll() is not None:
                raise Bad(f"the parent ended by itself: {self.child.returncode}")
            self.child.send_signal(signal.SIGTERM)
            wait(lambda: self.child.poll() is not None, END_S, "the end after SIGTERM")
        if self.child.returncode != 0:
            raise Bad(f"exit code {self.child.returncode} after SIGTERM")

    def descriptors(self):
        """What each process has open: (role, kind) -> how many. Sockets of origins come and go, so they are left out."""
        found = Counter()
        for pid in [self.child.pid, *children(self.child.pid)]:
            try:
                role = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[-2].decode().rpartition("/")[2]
                for entry in os.scandir(f"/proc/{pid}/fd"):
                    target = re.sub(r"[0-9]+", "", os.readlink(entry.path))
                    if not target.startswith("socket"):
                        found[f"{role} {Path(target).name[:24]}"] += 1
            except (OSError, IndexError):  # it has ended meanwhile
                continue
        return dict(found)

    def run(self, descriptors=None):
        """None, or why not."""
        self.lane.forget()
        try:
            if self.start():
                self.requests()
                self.reload_and_look()
                self.rotate()
                self.again()
                self.look_at_descriptors(descriptors)
                self.unplug()
                self.end()
            wait(lambda: not children(os.getpid(), but=self.child.pid), END_S, "the end of all processes")
            self.lane.judge()
            text = self.said()
            if self.wish and OPENSSL_BEGINS.search(text):
                self.notes.append("OpenSSL crashed by itself")
            elif REPORTS.search(text) or CRASH.search(text):
                raise Bad("a crash or a report of a sanitizer")
            deaths = len(re.findall("another one starts", text))
            if deaths:
                self.notes.append("process started again" if deaths == 1 else f"{deaths} processes started again")
            return None
        except Bad as e:
            return str(e)
        finally:
            self.sweep()

    def look_at_descriptors(self, want):
        if want is None:
            self.open = self.descriptors()
            return

        def fits():
            self.open = self.descriptors()
            # pipes for bulk are kept for the next tunnel
            return all(n <= want.get(key, 0) + (4 if "pipe" in key else 0) for key, n in self.open.items())
        try:
            wait(fits, 4, "")
        except Bad:
            raise Bad(f"more descriptors than without a fault: { {k: n for k, n in self.open.items() if n > want.get(k, 0)} }") from None

    def sweep(self):
        if self.child and self.child.poll() is None:
            self.child.kill()
            self.child.wait()
        for pid in children(os.getpid()):
            try:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            except OSError:
                pass


def children(parent, but=0):
    """Living children of a process; those that are only to be reaped are."""
    found = []
    for entry in os.scandir("/proc"):
        if entry.name.isdigit() and int(entry.name) != but:
            try:
                state, ppid = Path(f"/proc/{entry.name}/stat").read_text().rsplit(")", 1)[1].split()[:2]
            except (OSError, ValueError):
                continue
            if int(ppid) == parent:
                if state == "Z" and parent == os.getpid():
                    try:
                        os.waitpid(int(entry.name), os.WNOHANG)
                    except OSError:
                        pass
                elif state != "Z":
                    found.append(int(entry.name))
    return found


class Crash(Case):
    """Not a fault: a worker that crashes for sure. A driver that does not see it sees nothing."""

    def requests(self):
        worker = next(pid for pid in children(self.child.pid) if Path(f"/proc/{pid}/cmdline").read_bytes().endswith(b"worker\0"))
        os.kill(worker, signal.SIGSEGV)
        wait(lambda: "another one starts" in self.said(), START_S, "another worker started")


class Command(Case):
    """Not the gateway: commands that are over soon."""

    def users_file(self, words, told, want):
        """The file is the old one or the new one, whole, and nobody else's."""
        path = self.folder / words[-2]
        before = path.read_bytes()
        code = self.command(words, told)
        after, mode = path.read_bytes(), path.stat().st_mode & 0o777
        others = lambda text: [line for line in text.split(b"\n") if line and not line.startswith(words[-1].encode() + b":")]  # noqa: E731
        if mode != 0o600 or others(before) != others(after) or (code == 0 and not re.search(want, after)):
            raise Bad(f"{words}: code {code}, mode {mode:o}, {after}")

    def command(self, words, told=""):
        self.child = self.popen(*words, told=told)
        wait(lambda: self.child.poll() is not None, START_S, f"the end of {words[0]}")
        if self.child.returncode not in ((0, 1, 2) if self.wish else (0, 1)):
            raise Bad(f"{words[0]} ended with {self.child.returncode}")
        if REPORTS.search(self.said()):
            raise Bad("a report of a sanitizer")
        return self.child.returncode

    def run(self, descriptors=None):
        self.write()
        ini = str(self.folder / "postern.ini")
        try:
            self.command(("check", "-c", ini))
            for words in (("explain", "-c", ini, "secret.example.net:443"), ("explain", "-c", ini, "--user", "alice", "--group", "G", "user.example.net:443")):
                self.command(words)
            text = self.said()
            if "bypass" in text and "deny" not in text and "error" not in text:
                raise Bad(f"explain says another decision: {text}")
            if self.command(("auth", "test", "-c", ini, "--user", "alice"), "wrong\n") == 0:
                raise Bad("auth test lets a wrong password in")
            self.command(("auth", "test", "--json", "-c", ini, "--user", "alice"), "secret\n")
            self.users_file(("passwd", "users.basic", "bob"), "new\nnew\n", rb"bob:\$y\$[^\n]{60,}\n")
            self.users_file(("passwd", "--ntlm", "users.ntlm", "erin"), "changed\nchanged\n", rb"erin:afffcb77fa25a550358ddee73223a99a\n")
            self.users_file(("passwd", "--ntlm", "--delete", "users.ntlm", "erin"), "", rb"alice")
            return None
        except Bad as e:
            return str(e)
        finally:
            self.sweep()


# --- all cases ---

lane = None
baseline = None


def lane_begin(descriptors):
    global lane, baseline
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    lane, baseline = Lane(), descriptors


def kind(wish):
    return Command if wish.startswith("command:") else Case


def lane_run(wish):
    case = kind(wish)(lane, wish)
    begun = time.monotonic()
    try:
        why = case.run(baseline)
    except Exception as e:  # our own mistake; one case, not the whole run
        why = f"run_faults itself: {e!r}"
    failed = [(site, function) for role, function, variants, fault, site, path in case.calls() if fault]
    return wish, why, case.notes, failed, case.said()[-8000:] if why else "", time.monotonic() - begun


def count(_):
    """The run without a fault: every call of it, and what is open."""
    case = Case(lane, "")
    why = case.run(None)
    if why:
        return why, [], {}, case.said()
    calls = case.calls()
    crash = Crash(lane, "none")
    if "crash" not in (crash.run(None) or ""):
        return "a worker that crashed was not noticed", [], {}, crash.said()
    commands = Command(lane, "")
    why = commands.run()
    return why, calls + commands.calls(), case.open, commands.said()


def cases_of(calls):
    """POSTERN_FAIL for each call and each way in which it fails."""
    nth, out, paths = Counter(), [], set()
    for role, function, variants, _, site, path in calls:
        if path:  # of a library each allocation once: by its place, since how many there are before it differs much between two runs
            if (role, site, path) not in paths:
                paths.add((role, site, path))
                out.append((f"{role}:{function}@{site:x}.{path:x}:1", site))
            continue
        nth[role, function] += 1
        out += [(f"{role}:{function}:{nth[role, function]}" + (f"/{v}" if v else ""), site) for v in range(variants)]
    return out


def places_of(calls):
    """The same for each place in the program: for the first role that comes there its first call, found by the place, whatever else was called before."""
    seen = {}
    for role, function, variants, _, site, _ in calls:
        for v in range(variants):
            seen.setdefault((site, v), f"{role}:{function}@{site:x}:1" + (f"/{v}" if v else ""))
    return [(wish, site) for (site, _), wish in seen.items()]


@functools.cache
def where(site):
    done = subprocess.run(["addr2line", "-sfe", str(PROGRAM), hex(site - 1)], capture_output=True, text=True, check=False) if shutil.which("addr2line") else None
    return " ".join(done.stdout.split()) if done and done.returncode == 0 else hex(site)


# What the program calls and cannot fail, or must not be seen to (setuid and seteuid are tried to see that they fail), or says so only by ferror.
CANNOT_FAIL = set("""
_GLOBAL_OFFSET_TABLE_ __assert_fail __ctype_b_loc __errno_location __popcountdi2 __stack_chk_fail _exit environ stderr stdout
ares_cancel ares_destroy ares_free_string ares_process_fd ares_set_socket_functions clock_gettime close closedir ferror free freeifaddrs geteuid getpid globfree
gmtime_r localtime_r idn2_free inet_ntop inet_pton kill memchr memcmp memcpy memmem memmove memrchr memset munmap
pcre2_code_free_8 pcre2_general_context_free_8 pcre2_get_error_message_8 pcre2_match_context_free_8 pcre2_match_data_free_8 pcre2_serialize_free_8
pcre2_set_depth_limit_8 pcre2_set_heap_limit_8 pcre2_set_match_limit_8 psl_builtin psl_is_public_suffix2 qsort seccomp_release
setuid seteuid sigaddset sigemptyset sigprocmask signal snprintf vsnprintf strchr strcmp strcpy strcspn strerror strftime strlen strncmp strpbrk strrchr
strsignal strstr strtoul tzset waitpid fprintf printf fputc fputs putc putchar puts fwrite vfprintf fclose fileno getopt_long optarg optind
dirname dlclose explicit_bzero getenv isatty mempcpy raise secure_getenv sigaction strcasecmp strcasestr strerrordesc_np strnlen strspn tcgetattr tcsetattr
XXH3_64bits XXH3_64bits_withSeed crypt_checksalt inotify_rm_watch pthread_clockjoin_np pthread_cond_destroy pthread_cond_signal pthread_cond_wait pthread_join
pthread_mutex_destroy pthread_mutex_init pthread_mutex_lock pthread_mutex_unlock pthread_sigmask qsort_r
GSS_C_INQ_SSPI_SESSION_KEY gss_delete_sec_context gss_release_buffer gss_release_buffer_set gss_release_cred gss_release_name gss_release_oid_set
krb5_auth_con_free krb5_auth_con_setflags krb5_enctype_to_name krb5_free_context krb5_free_error_message krb5_free_keytab_entry_contents
krb5_free_unparsed_name krb5_get_error_message krb5_kt_close krb5_kt_end_seq_get
ber_bvfree ldap_err2string ldap_memfree ldap_tls_inplace ldap_unbind_ext_s pam_strerror
nettle_arcfour_crypt nettle_arcfour_set_key nettle_base16_decode_init nettle_base16_decode_update nettle_hmac_md5_digest nettle_hmac_md5_set_key
nettle_hmac_md5_update nettle_hmac_sha256_digest nettle_hmac_sha256_set_key nettle_hmac_sha256_update nettle_md4_digest nettle_md4_init nettle_md4_update
nettle_md5_digest nettle_md5_init nettle_md5_update nettle_memeql_sec nettle_sha256_digest nettle_sha256_init nettle_sha256_update
pcre2_jit_stack_assign_8 pcre2_jit_stack_free_8 strncasecmp strptime time timegm
XXH32 XXH64 __getdelim __isoc99_sscanf getauxval getegid nettle_base64_encode_raw pthread_cond_timedwait pthread_condattr_destroy pthread_condattr_init
pthread_condattr_setclock pthread_detach sleep strchrnul strtok_r strtol strtoull syscall umask unsetenv
GSS_C_NT_HOSTBASED_SERVICE krb5_free_cred_contents krb5_free_principal krb5_free_string krb5_get_init_creds_opt_free krb5_get_init_creds_opt_set_forwardable
krb5_get_init_creds_opt_set_proxiable
""".split())
# What a server must be there for: the flow tests have their failures from real ones (test_kerberos, test_backs).
NEEDS_A_SERVER = set("""
gss_display_name gss_get_name_attribute gss_import_name gss_init_sec_context gss_inquire_sec_context_by_oid
krb5_cc_destroy krb5_cc_get_full_name krb5_cc_initialize krb5_cc_new_unique krb5_cc_store_cred krb5_get_init_creds_keytab krb5_get_init_creds_opt_alloc
krb5_parse_name ldap_connect ldap_sasl_bind_s ldap_start_tls_s ldap_whoami_s
pam_acct_mgmt pam_authenticate pam_end pam_get_item pam_set_item pam_start
""".split())
# What only commands call that read logs and questions: no gateway hangs on them, and their tests have files with every damage.
BY_COMMANDS = set("""
__uflow fgets getc inflate inflateEnd inflateInit2_ inflateReset json_dumps json_object_size nanosleep strtoll
""".split())
# What only `postern top` calls: no gateway hangs on it, and its flow tests have terminals of all kinds.
AT_A_TERMINAL = set("""
COLS LINES cbreak curs_set delscreen endwin has_colors init_pair intrflush iswprint keypad mbrtowc newterm noecho nonl set_escdelay set_term setlocale start_color stdin stdscr
strtod tigetstr use_default_colors waddnstr wattrset wcwidth werase wgetch wmove wrefresh wtimeout
json_array_get json_array_size json_delete json_integer_value json_loadb json_number_value json_object_get json_string_length json_string_value
""".split())


# Libraries whose memory fails by itself (inject_tls.c), so that their functions need no names here.
BY_MEMORY = ("libcrypto.so", "libssl.so", "libnghttp2.so")


def calls_by_memory():
    """All that those libraries have to call."""
    rows = subprocess.run(["ldd", str(PROGRAM)], capture_output=True, text=True, check=True).stdout.split("\n")
    files = [row.split()[2] for row in rows if row.strip().startswith(BY_MEMORY)]
    names = subprocess.run(["nm", "-D", "--defined-only", *files], capture_output=True, text=True, check=True).stdout.split("\n") if files else []
    return {words[2].partition("@")[0] for words in map(str.split, names) if len(words) == 3}


def unknown_calls():
    """Calls of the program that are neither made to fail nor known not to."""
    wrapped = set(os.environ.get("POSTERN_WRAPPED", "").split())
    folder = PROGRAM.parent
    objects = [folder / "libpostern.a", *sorted((folder / "src/cli").glob("*.o"))]
    if not wrapped or not shutil.which("nm") or not all(path.exists() for path in objects):
        return set()
    rows = subprocess.run(["nm", *map(str, objects)], capture_output=True, text=True, check=True).stdout.split("\n")
    words = [row.split() for row in rows]
    asked = {w[1] for w in words if len(w) == 2 and w[0] == "U"}
    own = {w[2] for w in words if len(w) == 3}
    return {name for name in asked - own - wrapped - CANNOT_FAIL - NEEDS_A_SERVER - BY_COMMANDS - AT_A_TERMINAL - calls_by_memory() if not name.startswith(("__asan", "__ubsan", "__gcov", "__llvm"))}


def main():
    p = argparse.ArgumentParser(description="every call that can fail fails once in turn")
    p.add_argument("--sample", type=int, default=1, help="run every n-th case only; FAULTS_START in the environment says which is the first")
    p.add_argument("--jobs", type=int, default=os.cpu_count())
    p.add_argument("--only", default="", help="run only the cases that begin so: ROLE[:FUNCTION[:N[/VARIANT]]]")
    p.add_argument("--sites", action="store_true", help="run one case for each place in the program and each way to fail there")
    p.add_argument("--list", action="store_true", help="print the cases")
    o = p.parse_args()
    if os.geteuid() != 0:
        raise SystemExit("run_faults: needs root, for its network namespaces")
    unknown = unknown_calls()
    if unknown:
        raise SystemExit(f"run_faults: neither made to fail nor known not to: {' '.join(sorted(unknown))}; see faults.mk and CANNOT_FAIL")
    begun = time.monotonic()
    with multiprocessing.Pool(1, lane_begin, (None,)) as pool:
        why, calls, descriptors, said = pool.apply(count, (0,))
    if why:
        raise SystemExit(f"run_faults: without any fault: {why}\n{said}")
    cases = [(wish, site) for wish, site in (places_of(calls) if o.sites else cases_of(calls)) if wish.startswith(o.only)]
    total = len(cases)
    if o.sample > 1:
        cases = cases[int(os.environ.get("FAULTS_START", "0")) % o.sample::o.sample]
    print(f"run_faults: {len(calls)} calls, {total} cases, {len(cases)} of them are run")
    if o.list:
        print("\n".join(f"{wish}\t{where(site)}" for wish, site in cases))
        return 0
    bad, fired, notes = 0, 0, Counter()
    with multiprocessing.Pool(o.jobs, lane_begin, (descriptors,)) as pool:
        for n, (wish, why, said, failed, text, seconds) in enumerate(pool.imap_unordered(lane_run, [wish for wish, _ in cases]), 1):
            fired += bool(failed)
            for note in said:
                notes[note] += 1
            if why:
                bad += 1
                print(f"FAILED {wish} at {', '.join(where(site) for site, _ in failed) or 'no call'} ({seconds:.1f} s): {why}")
                print("".join(f"    {line}\n" for line in text.split("\n")[-40:]), flush=True)
            elif sys.stdout.isatty() or n % 500 == 0:
                print(f"{n}/{len(cases)}", end="\r" if sys.stdout.isatty() else "\n", flush=True)
    for note, n in sorted(notes.items()):
        print(f"run_faults: {note}: {n}")
    print(f"run_faults: {len(cases)} cases, in {fired} of them the call was made, {bad} failed; {time.monotonic() - begun:.0f} s")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
