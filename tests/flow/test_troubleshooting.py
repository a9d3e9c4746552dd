# SPDX-License-Identifier: MIT
"""postern-troubleshooting(7): each of its commands is one, and where its symptoms are brought about, the command that it shows names the cause."""

import json
import os
import re
import shlex
import shutil
import subprocess
import threading

import gateway as g
import inspection
import logon
import origin as o
import pytest
import wire
import world as w
from certs import Cert

PAGE = (g.SOURCE / "man" / "postern-troubleshooting.7").read_text()
ROOTS = "/etc/ssl/certs/ca-certificates.crt"
DNS = "127.0.0.54"
GOOD, FOREIGN, SHUT = "127.43.0.1", "127.43.0.2", "127.43.0.3"
SLOW_MS = 300
NAMES = {"good": GOOD, "caught": GOOD, "pinned": GOOD, "unlisted": GOOD, "denied": GOOD, "slow": GOOD, "behind": GOOD, "intercepted": FOREIGN}

# Not in the order that is right: `shadow` stands before the bypass rule
RULES = """
[inspection]
ca-cert = {ca[0]}
ca-key = {ca[1]}
trust = {trust}

[auth]
schemes = basic
basic-file = {folder}/users
basic-without-tls = yes

[parent up]
address = {parent}:3128
health-interval = 0
fail-after = 1

[list endpoints]
host = good.example.net caught.example.net intercepted.example.net

[rule shadow]
hosts = caught.example.net
action = inspect
auth = none

[rule diagnostics]
hosts = @endpoints
action = bypass

[rule web]
hosts = pinned.example.net
action = inspect
auth = none

[rule upstream]
hosts = behind.example.net
action = tunnel
auth = none
parent = up

[rule never]
hosts = denied.example.net
action = deny
reason = Not from here

[rule slow]
hosts = slow.example.net
action = tunnel
auth = none

[rule people]
hosts = .example.net
action = tunnel

[rule rest]
action = deny
force = yes
"""


# --- what the page has people type ---

WORDS = {"Fl": lambda word: f"-{word}", "Ar": lambda word: word, "Ic": lambda word: word}


def plain(line):
    """.Ic postern explain Fl -id Ar ID -> postern explain --id ID"""
    kind, out = "Ic", []
    for word in shlex.split(line):
        if word in WORDS:
            kind = word
        elif word == "Pq" or re.fullmatch(r"[,.;:]", word):
            kind = "Ic"
        else:
            out.append(WORDS[kind](word))
            kind = "Ic" if kind == "Fl" else kind
    return " ".join(out)


def commands():
    lines = [line.replace("\\e", "\\") for line in PAGE.split("\n")]
    found = []
    for number, line in enumerate(lines):
        if match := re.match(r"\.Dl [$#] (.*)", line):
            found.append(match[1])
        elif line.startswith("$ "):  # in a display
            found.append("\n".join(lines[number:lines.index(".Ed", number)])[2:])
        elif match := re.match(r"\.(?:It |Pq )?Ic (postern .*)", line):
            found.append(plain(match[1]))
    return sorted(set(found) - {"postern explain"})  # named, not typed


# --- where it happens ---


class Full:
    """A file system on which nothing fits any more."""

    def __init__(self, path):
        self.path = path
        path.mkdir()
        w.run("mount", "-t", "tmpfs", "-o", "size=4k,mode=777", "tmpfs", str(path))
        (path / "full.json").write_bytes(b"\n" * 4096)
        (path / "full.json").chmod(0o666)

    def close(self):
        w.run("umount", "-l", str(self.path))  # the gateway ends later


class Site:
    """A gateway with everything wrong, and `postern` on the path of whoever types the page's commands."""

    def __init__(self, gateway, serve, folder):
        self.folder = folder
        root = Cert("Troubled root", ca=True, organisation="Microsoft Corporation")
        away = Cert("Interceptor", ca=True, organisation="Contoso Security")
        self.roots = folder / "roots.pem"
        self.roots.write_bytes(root.pem())
        serve(o.Https, *Cert("server", by=root, names=("*.example.net",)).write(folder, "good"), GOOD)
        serve(o.Http, GOOD)
        serve(o.Https, *Cert("server", by=away, names=("*.example.net",)).write(folder, "foreign"), FOREIGN)
        serve(o.Dns, self.answer, DNS)
        serve(Full, folder / "full")
        logon.basic_file(folder / "users", carol="Basic-carol")
        authority = inspection.ca(folder)
        self.gw = gateway(rules=RULES.format(ca=authority, trust=self.roots, folder=folder, parent=SHUT), clients="127.0.0.0/8", resolver=DNS, egress_allow="127.43.0.0/16",
                          control=folder / "control.sock", more=f"\n[log full]\nfile = {folder}/full/full.json\nformat = json\n")
        shutil.chown(folder / "users", "nobody")
        self.shell = folder / "postern"
        self.shell.write_text(f"""#!/bin/sh
# the page's commands take the configuration of /etc
command=$1; shift
case "$command $*" in
*" -c "* | import*) exec {g.PROGRAM} $command "$@" ;;
auth*) shift; exec {g.PROGRAM} auth test -c {self.gw.file} "$@" ;;
esac
exec {g.PROGRAM} $command -c {self.gw.file} "$@"
""")
        self.shell.chmod(0o755)

    @staticmethod
    def answer(name, kind):
        host = name.removesuffix(".example.net")
        if host == "slow" and kind == "A":
            threading.Event().wait(SLOW_MS / 1000)
        return [NAMES[host]] if host in NAMES else "nxdomain"

    def type(self, line, code=None):
        """What somebody types at a prompt; with everything that is printed."""
        done = subprocess.run(["bash", "-o", "pipefail", "-c", line], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, cwd=self.folder,
                              env={**os.environ, "PATH": f"{self.folder}:{os.environ['PATH']}"})
        self.code = done.returncode
        assert code is None or self.code == code, (line, done)
        return done.stdout + done.stderr


    def meant(self, line, host="denied.example.net"):
        """A line of the page about this site."""
        gw = self.gw
        for old, new in {"/etc/postern/lists/LIST": "endpoints", "/var/log/postern/access.log": gw.native, " access.log": f" {gw.native}", "/var/log/postern/decisions.json": gw.access,
                         "candidate.ini": gw.file, "new.ini": gw.file, "old.ini": gw.file, "microsoft-clients": "endpoints", "5f0c3a...": self.ident, "--id ID": f"--id {self.ident}",
                         "10.20.0.7": "127.0.0.1", "--client IP": "--client 127.0.0.1", "--user NAME": "--user carol", "HOST": host}.items():
            line = line.replace(old, str(new))
        return line

    def shown(self, start, code=None, host="denied.example.net"):
        """What comes of this command of the page, or of the only one that begins so."""
        (line,) = [line for line in commands() if line == start] or [line for line in commands() if line.startswith(start)]
        return self.type(self.meant(line, host), code)


@pytest.fixture(scope="module")
def site(gateway_kept, serve_kept, folder_kept):
    return Site(gateway_kept, serve_kept, folder_kept)


@pytest.fixture(scope="module")
def troubled(site):
    """Everything has happened."""
    gw = site.gw

    def visit(url, *words):
        return gw.curl("--cacert", site.roots, *words, "-o", "/dev/null", "-w", "%{http_connect} %{http_code} ", url, check=False)

    loop = "http://unlisted.example.net/"
    assert visit(loop, *[word for _ in range(11) for word in (loop, "-o", "/dev/null")]).stdout.split().count(b"407") == 12
    for host in ("caught", "pinned"):
        assert visit(f"https://{host}.example.net/").returncode == 60
    assert visit("https://behind.example.net/").stdout.startswith(b"503")
    assert visit("http://denied.example.net/").stdout.split()[1] == b"403"
    assert visit("https://slow.example.net/").stdout.startswith(b"200 200")
    with gw.tunnel("good.example.net:443") as t:
        t.send(b"SSH-2.0-OpenSSH_9.2\r\n")
        t.ended()
    with gw.connect(w.STRANGER) as stranger:
        stranger.ended()
    for want in ({"host": "unlisted.example.net", "number": 12}, {"host": "caught.example.net"}, {"host": "pinned.example.net"}, {"host": "behind.example.net"},
                 {"host": "denied.example.net"}, {"host": "slow.example.net"}, {"fault": "guard-not-tls"}):
        gw.record(**want)
    site.ident = gw.record(host="denied.example.net")["id"]
    w.run("mount", "--bind", str(site.roots), ROOTS)
    try:
        site.doctor = site.shown("postern doctor", 1)
    finally:
        w.run("umount", ROOTS)
    gw.says(r"full.json: No space left on device")
    gw.says(r"parent up is down: connect-refused")

    def noted():
        """The logger notes what it has written before it sleeps."""
        suggested, status = site.type("postern suggest"), site.type("postern status")
        return all(word in suggested for word in ("unlisted", "pinned", "caught")) and all(word in status for word in ("guard-not-tls 1", "errors ", "operations log"))

    wire.wait_until(noted, "all of it in the gateway's memory")
    return site


# --- the page itself ---

def test_each_command_of_the_page_is_one(troubled):
    (troubled.folder / "endpoints.json").write_text(json.dumps([{"id": 1, "serviceArea": "Common", "urls": ["good.example.net"], "tcpPorts": "443", "category": "Allow", "required": True}]))
    (troubled.folder / "endpoints.list").write_text("good.example.net\n")
    ran = [line for line in commands() if "journalctl" not in line and line != "postern doctor --watch"]  # systemd's; and what wants [doctor] interval
    for line in ran:
        meant = troubled.meant(line)
        assert not re.search(r"(?<![-\w])[A-Z]{3,}(?!\w*[/_])", re.sub(r"TCP_\w+", "", meant)), f"a placeholder that this test does not know: {meant}"
        said = troubled.type(meant)
        assert troubled.code != 2 and "usage:" not in said and "postern: " not in said.replace(f"postern: {troubled.gw.file}", ""), (meant, said)
    kinds = {line.split()[1] for line in ran if line.startswith("postern ")}
    assert {"status", "doctor", "explain", "check", "rules", "lists", "sessions", "suggest", "import", "auth", "replay", "top", "rotate"} <= kinds, kinds


# --- symptoms ---

def test_a_device_that_is_challenged_for_ever_is_named_with_the_line_that_lets_it_through(troubled):
    said = troubled.shown("postern suggest", 1)
    assert "unlisted.example.net:80 (http): a machine that cannot log on asks again and again (407)" in said and "host = http://unlisted.example.net\n" in said
    said = troubled.shown("jq -c 'select(.status == 407)", 0)
    assert '12 ["127.0.0.1","unlisted.example.net","auth-required"]' in said


def test_a_pinned_client_is_named_with_the_line_that_lets_it_through(troubled):
    said = troubled.shown("postern suggest", 1)
    assert "pinned.example.net:443 (https): clients refuse the inspection certificate" in said and "host = https://pinned.example.net\n" in said


def test_a_rule_that_inspects_an_endpoint_is_named_by_three_commands(troubled):
    told = troubled.doctor
    assert "caught.example.net, gateway: own-ca: issued by this gateway's own inspection CA" in told
    assert "rule `shadow` would intercept `caught.example.net` of bypass rule `diagnostics`" in troubled.shown("postern check")
    assert re.search(r"rule shadow \(\S+:\d+\): holds and decides: hosts, by \S+:\d+\n", troubled.shown("postern explain --client 10.20.0.7 https://HOST/", 0, "caught.example.net"))


def test_whoever_opens_tls_on_the_way_is_named(troubled):
    assert "intercepted.example.net, direct and gateway: intercepted: issued by Interceptor (Contoso Security), which no root of the system vouches for" in troubled.doctor


def test_a_closed_guard_and_a_rule_that_denies_are_found_by_the_log_line(troubled):
    assert "guard-not-tls 1" in troubled.shown("postern status", 0)
    assert re.search(r" TCP_DENIED/200 \d+ CONNECT good.example.net:443 ", troubled.type(f"grep 127.0.0.1 {troubled.gw.native}", 0))
    assert re.search(r"rule never \(\S+:\d+\): holds and decides", troubled.shown("grep '10.20.0.7 TCP_DENIED/403'", 1))


def test_a_client_that_may_not_come_is_counted_and_explained(troubled):
    assert "closed unread 1," in troubled.shown("postern status", 0)
    assert "the listener's `clients` do not hold for this client" in troubled.type(f"postern explain --client {w.STRANGER} good.example.net", 1)


def test_slow_names_show_where_the_time_went(troubled):
    (line,) = troubled.shown("grep HOST", 0, "slow.example.net").splitlines()
    assert json.loads(line)["resolve_ms"] >= SLOW_MS


def test_a_parent_that_is_down_is_told(troubled):
    assert re.search(r"^parents +up DOWN for .*\(1 failures in all\)", troubled.shown("postern status", 0), re.M)
    assert "parent up" in troubled.shown("postern explain HOST", 0, "behind.example.net")


def test_a_full_disk_is_told_and_traffic_goes_on(troubled):
    assert re.search(r"^access logs .*errors [1-9]\d*: the operations log says which file$", troubled.shown("postern status", 0), re.M)


def test_a_reload_that_was_refused_is_told_with_the_line_that_is_wrong(troubled):
    gw = troubled.gw
    text = gw.file.read_text()
    gw.file.write_text(text.replace("action = deny\nreason", "action = dney\nreason"))
    assert "not reloaded: 1 error" in troubled.shown("postern reload", 1)
    assert "the last reload was refused" in troubled.shown("postern status", 0)
    assert re.search(r"postern.ini:\d+: action = dney: want bypass, tunnel, inspect, deny\n", troubled.shown("postern check", 1))
    gw.file.write_text(text)
    assert "reloaded: " in troubled.shown("postern reload", 0) and "was refused" not in troubled.shown("postern status", 0)
