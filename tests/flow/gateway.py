# SPDX-License-Identifier: MIT
"""gateway: the program under test, from its ini to its exit code."""

import json
import os
import pwd
import re
import resource
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import wire
import world

SOURCE = Path(os.environ.get("POSTERN_SRC", Path(__file__).resolve().parents[2]))
PROGRAM = Path(os.environ.get("POSTERN", SOURCE / "build" / "postern"))

# No condition: names and literals alike
LET_ALL = """
[rule all]
action = tunnel
auth = none
"""

REPORTS = re.compile(r"ERROR: \w*Sanitizer|runtime error:|LeakSanitizer|Assertion .* failed|ERROR SUMMARY: [1-9]|definitely lost: [1-9]")


def free_port(address="127.0.0.1"):
    """A port that nothing has; in a namespace of our own nobody takes it meanwhile."""
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as sock:
        sock.bind((address, 0))
        return sock.getsockname()[1]


class Gateway:
    """One running `postern run`. `rules` is ini text; `options` go to [gateway] (head_timeout="1s" is head-timeout = 1s)."""

    def __init__(self, folder, rules=LET_ALL, clients="0.0.0.0/0 ::/0", address=None, words=(), log_file=None, env=None, start=True, more="",
                 rlimit=None, port=None, before=(), program=PROGRAM, listener="", **options):
        self.folder = Path(folder)
        self.rlimit = rlimit
        self.program = program
        self.before = list(before)  # words that bring it somewhere else; they must exec it
        user = pwd.getpwnam(options.get("user", "nobody"))
        os.chown(self.folder, user.pw_uid, user.pw_gid)
        self.port = port or free_port()
        self.address = ("127.0.0.1", self.port)
        self.listens = address or f"127.0.0.1:{self.port}"
        self.file = self.folder / "postern.ini"
        self.access = Path(log_file) if log_file else self.folder / "access.json"
        self.native = self.folder / "access.log"
        self.clients, self.more, self.listener = clients, more, listener  # `listener`: further lines of its section, of the first configuration
        self.options = {"workers": 1, "user": "nobody", "visible-name": "gw.example.net", "resolver": world.RESOLVER, "drain-timeout": "5s",
                        **{key.replace("_", "-"): value for key, value in options.items()}}
        self.write(rules)
        self.listener = ""
        self.words, self.env = list(words), env
        self.stderr = self.folder / "stderr"
        self.child = None
        if start:
            self.start()

    def write(self, rules, **options):
        """The ini, anew."""
        self.options.update({key.replace("_", "-"): value for key, value in options.items()})
        lines = "\n".join(f"{key} = {value}" for key, value in self.options.items())
        self.file.write_text(f"[gateway]\n{lines}\n\n[listener edge]\naddress = {self.listens}\nclients = {self.clients}\n{self.listener}\n{rules}\n"
                             f"[log access]\nfile = {self.access}\nformat = json\n\n[log native]\nfile = {self.native}\nformat = squid\n{self.more}")
        self.file.chmod(0o644)

    def start(self, file=None):
        command = [str(self.program), "run", "-c", str(file or self.file), *self.words]
        self.patience = 1
        if {**os.environ, **(self.env or {})}.get("POSTERN_VALGRIND") == "1":
            self.patience = 3
            # the signer first makes a key of RSA, which takes half a minute under valgrind: ASan and the unit tests look after it
            command = ["valgrind", "--trace-children=yes", "--trace-children-skip-by-arg=signer", "--vgdb=no", "--track-origins=yes", "--leak-check=full", "--show-leak-kinds=definite",
                       "--errors-for-leak-kinds=definite", "--error-exitcode=99", *command]
        command = self.before + command
        out = open(self.stderr, "ab")
        limits = (lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (self.rlimit, self.rlimit))) if self.rlimit else None
        self.child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env={**os.environ, **(self.env or {})}, preexec_fn=limits,
                                      pass_fds=getattr(self, "pass_fds", ()))
        out.close()
        self.says(r"postern.*: ready")
        return self

    def said(self):
        return self.stderr.read_text(errors="replace") if self.stderr.exists() else ""

    def says(self, pattern, times=1, since=0):
        """Wait for the operations log to say it; the last match."""

        def ask():
            text = self.said()[since:]
            found = list(re.finditer(pattern, text))
            if len(found) >= times:
                return found[times - 1]
            if self.child.poll() is not None:
                code, self.child = self.child.returncode, None
                raise AssertionError(f"the gateway ended ({code}) before it said {pattern!r}:\n{text}")
            return None

        try:
            return wire.wait_until(ask, f"{pattern!r} on stderr", wire.PATIENCE * self.patience)
        except AssertionError as e:
            raise AssertionError(f"{e}\n{self.said()[since:]}") from None

    # --- clients ---

    def connect(self, source=None):
        return wire.connect(self.address, source)

    def tunnel(self, target, early=b"", source=None):
        return wire.tunnel(self.address, target, early, source)

    def ask(self, request, method="GET"):
        """Send bytes on a connection of their own; the response."""
        with self.connect() as w:
            return w.send(request).response(method)

    def get(self, url, **more):
        return self.ask(wire.get(url, **more), more.get("method", "GET"))

    def curl(self, *words, **more):
        return wire.curl(*words, proxy=self.address, **more)

    # --- logs ---

    def records(self):
        return wire.lines_json(self.access.read_text()) if self.access.exists() else []

    def record(self, number=1, **want):
        """Wait for the number-th line whose fields are these; a callable is asked."""

        def fits(line):
            return all(value(line.get(key)) if callable(value) else line.get(key) == value for key, value in want.items())

        def ask():
            found = [line for line in self.records() if fits(line)]
            return found[number - 1] if len(found) >= number else None

        try:
            return wire.wait_until(ask, f"line {number} with {want} in the access log")
        except AssertionError as e:
            raise AssertionError(f"{e}; there are:\n" + "\n".join(json.dumps(line) for line in self.records()[-20:]) + "\n" + self.said()) from None

    def native_lines(self, n=1):
        """At least n whole lines in Squid's format."""
        return wire.wait_until(lambda: (lines := self.native.read_text().split("\n")[:-1] if self.native.exists() else [])[n - 1:] and lines,
                               f"{n} lines in {self.native}")

    # --- processes ---

    def signal(self, number):
        self.child.send_signal(number)

    def reload(self, ok=True):
        since = len(self.said())
        self.signal(signal.SIGHUP)
        self.says(r"reload(ed)?\b.*" if ok else r"(keep|unchanged|not reloaded|reload failed|reload refused)", since=since)
        return self.said()[since:]

    def processes(self):
        """pid -> command line of the children, as they are called."""
        found = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    stat = (entry / "stat").read_text()
                    parent = int(stat.rsplit(")", 1)[1].split()[1])
                    words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
                    name = (entry / "comm").read_text().strip()
                except (OSError, IndexError):
                    continue
                if parent == self.child.pid and words:
                    found[int(entry.name)] = f"{name} {words}"
        return found

    def pids(self, kind):
        return [pid for pid, words in self.processes().items() if kind in words]

    def worker_memory(self):
        """Resident bytes of all workers."""
        total = 0
        for pid in self.pids("worker"):
            for line in Path(f"/proc/{pid}/status").read_text().split("\n"):
                if line.startswith("VmRSS:"):
                    total += int(line.split()[1]) * 1024
        return total

    def control(self, *words, **more):
        """`postern WORD...` to this gateway's control socket; what it said, with its exit code."""
        return command(words[0], "--control", self.options["control"], *words[1:], **more)

    def follow(self, pid):
        """An upgrade has made this the gateway."""
        self.child.wait(wire.PATIENCE)
        self.child = Heir(pid)

    def stop(self, expect=0):
        """SIGTERM; a clean end, no report of a sanitizer."""
        if self.child is None:
            return
        if self.child.poll() is None:
            self.signal(signal.SIGTERM)
            try:
                self.child.wait(wire.PATIENCE * 3)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()
                raise AssertionError("SIGTERM did not end the gateway:\n" + self.said()) from None
        code, self.child = self.child.returncode, None
        text = self.said()
        assert not REPORTS.search(text), text[-20000:]
        assert code == expect, f"exit code {code}\n{text[-5000:]}"


class Heir:
    """A gateway that is no child of ours: what an upgrade started. Like subprocess.Popen, but nobody knows its exit code."""

    def __init__(self, pid):
        self.pid, self.returncode = pid, None

    def poll(self):
        try:
            if state(self.pid) not in "ZX":
                return None
        except OSError:
            pass
        self.returncode = 0
        return 0

    def wait(self, timeout):
        wire.wait_until(lambda: self.poll() is not None, f"the end of {self.pid}", timeout)

    def send_signal(self, number):
        os.kill(self.pid, number)

    def kill(self):
        self.send_signal(signal.SIGKILL)


def owner(pid):
    """Whose process it is, by its effective user id."""
    return pwd.getpwuid(int(re.search(r"^Uid:\s+\d+\s+(\d+)", Path(f"/proc/{pid}/status").read_text(), re.M)[1])).pw_name


def state(pid):
    """R, S, D, T ... as proc(5) has it."""
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]


def sanitized():
    """Is the program built with ASan?"""
    return b"__asan_init" in PROGRAM.read_bytes()


def command(*words, env=None, timeout=60):
    """Another subcommand, to its end."""
    return subprocess.run([str(PROGRAM), *map(str, words)], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout,
                          env={**os.environ, **(env or {})})


def shipped(folder, **changes):
    """A copy of conf/ below `folder`; changes are replacements in postern.ini. The path of the ini."""
    there = Path(folder) / "conf"
    shutil.copytree(SOURCE / "conf", there)
    os.chmod(there, 0o755)
    ini = there / "postern.ini"
    os.chmod(ini, 0o644)
    text = ini.read_text()
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new)
    ini.write_text(text)
    return ini
