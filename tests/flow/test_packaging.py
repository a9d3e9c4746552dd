# SPDX-License-Identifier: MIT
"""What is packaged around the program, read and judged by those that it is for."""

import grp
import pwd
import re
import shutil
import subprocess
from pathlib import Path

import pytest

import gateway as g
import logon
import wire

CONTRIB = g.SOURCE / "contrib"
AUTH = """
[auth]
basic-file = {file}
basic-without-tls = yes
max-failures = 3 per 30m
[rule users]
users = alice
action = tunnel
"""


def run(*words, code=0, timeout=300, **more):
    done = subprocess.run([str(word) for word in words], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, **more)
    assert done.returncode == code, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def units(folder_kept):
    """The units as make fills them in, beside a program that is there."""
    text = (CONTRIB / "systemd" / "postern.service.in").read_text().replace("@sbindir@/postern", str(g.PROGRAM.resolve())).replace("@sysconfdir@", "/etc")
    (folder_kept / "postern.service").write_text(text)
    shutil.copy(CONTRIB / "systemd" / "postern.socket", folder_kept)
    return folder_kept


def test_systemd_takes_the_units_without_a_word(units):
    said = run("systemd-analyze", "verify", "--man=no", units / "postern.service", units / "postern.socket")
    assert "postern" not in said, said


def test_the_unit_is_exposed_by_no_more_than_two(units):
    said = run("systemd-analyze", "security", "--offline=yes", "--no-pager", "--threshold=20", units / "postern.service")
    assert "exposure level for postern.service: 1." in said or "exposure level for postern.service: 2.0" in said, said


def test_users_and_folders_are_made_as_said(folder):
    (folder / "etc").mkdir()
    run("systemd-sysusers", f"--root={folder}", CONTRIB / "systemd" / "postern.sysusers")
    assert re.search(r"^postern:", (folder / "etc" / "passwd").read_text(), re.M)
    run("systemd-tmpfiles", "--create", f"--root={folder}", CONTRIB / "systemd" / "postern.tmpfiles")
    assert {path.name: path.stat().st_mode & 0o777 for path in (folder / "var" / "log", folder / "var" / "lib", folder / "run") for path in path.glob("postern")}
    assert (folder / "var/log/postern").stat().st_mode & 0o777 == 0o750


def test_apparmor_can_read_the_profile():
    run("apparmor_parser", "--skip-kernel-load", "--skip-cache", CONTRIB / "apparmor" / "usr.sbin.postern")


def capabilities(pid):
    return {line.split(":")[0]: int(line.split()[1], 16) for line in Path(f"/proc/{pid}/status").read_text().split("\n") if line.startswith("Cap")}


def as_the_unit_runs_it(groups="--clear-groups"):
    """User, ambient capability, no new privileges."""
    nobody = pwd.getpwnam("nobody")
    bind = "+net_bind_service"
    return ("setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", groups, f"--inh-caps={bind}", f"--ambient-caps={bind}", f"--bounding-set=-all,{bind}",
            "--no-new-privs")


def test_a_parent_that_was_never_root_binds_low_ports_and_its_children_hold_no_capability(gateway):
    one = gateway(port=81, before=as_the_unit_runs_it())
    assert capabilities(one.child.pid)["CapEff"] == 1 << 10
    children = [int(pid) for pid in Path(f"/proc/{one.child.pid}/task/{one.child.pid}/children").read_text().split()]
    assert len(children) >= 2
    for child in children:
        assert all(value == 0 for name, value in capabilities(child).items() if name != "CapBnd"), child
    assert one.get("http://127.0.0.1:1/").status in (403, 502)


def allowed(unit):
    """The system calls that its filter lets pass."""

    def members(word):
        if not word.startswith("@"):
            return {word}
        listed = run("systemd-analyze", "syscall-filter", word).splitlines()[1:]
        return {name for line in listed if line.strip() and not line.strip().startswith("#") for name in members(line.strip())}

    found = set()
    for line in re.findall(r"^SystemCallFilter=(.*)$", unit, re.M):
        for word in line.lstrip("~").split():
            found = found - members(word) if line.startswith("~") else found | members(word)
    return found


@pytest.mark.skipif(not shutil.which("strace"), reason="no strace")
def test_the_unit_allows_each_system_call_that_a_whole_life_needs(gateway, folder):
    """Control socket with a group, admin process, users, an authority, syslog with a spool, pid file, reload, rotation, upgrade, drain."""
    if g.sanitized():
        pytest.skip("sanitizers make calls of their own")
    calls = folder / "calls"
    calls.mkdir()
    calls.chmod(0o777)
    file = logon.basic_file(folder / "users", alice="right")
    ca = folder / "ca.pem", folder / "ca.key"
    assert g.command("ca", "init", "--cert", ca[0], "--key", ca[1]).returncode == 0
    for path in (file, *ca):
        shutil.chown(path, "nobody")
    more = f"[inspection]\nca-cert = {ca[0]}\nca-key = {ca[1]}\n[rule web]\nhosts = other.example.net\naction = inspect\nauth = none\n"
    far = "[log far]\nsyslog = tcp:127.0.0.1:1\nspool = logs.spool\n"
    one = gateway(rules=AUTH.format(file=file) + more + g.LET_ALL, more=far, before=(*as_the_unit_runs_it(f"--groups={grp.getgrnam('adm').gr_gid}"), "strace", "-D", "-ff", "-qq", "-o", calls / "of"),
                  control="control.sock", control_group="adm", pid_file="postern.pid", admin=f"127.0.0.1:{g.free_port()}")
    one.options["control"] = one.folder / "control.sock"
    assert (one.folder / "control.sock").stat().st_gid == grp.getgrnam("adm").gr_gid
    one.get("http://other.example.net/")
    for words in (["status"], ["sessions"], ["rules"], ["reload"], ["rotate"], ["upgrade"]):
        done = one.control(*words)
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    one.follow(int((one.folder / "postern.pid").read_text()))
    assert one.control("drain").returncode == 0
    one.child.wait(wire.PATIENCE)
    one.child = None
    made = {name for path in calls.iterdir() for name in re.findall(r"^(\w+)\(", path.read_text(errors="replace"), re.M)}
    assert len(made) > 50
    assert made - allowed((CONTRIB / "systemd" / "postern.service.in").read_text()) == set()


@pytest.mark.parametrize("log", ["access", "native"])
def test_fail2ban_finds_those_whose_log_ons_fail_and_nobody_else(gateway, folder, log):
    file = logon.basic_file(folder / "users", alice="right")
    one = gateway(rules=AUTH.format(file=file))
    for source, password, times in (("127.0.0.2", "wrong", 5), ("127.0.0.3", "right", 2)):
        for turn in range(times):
            guess = password if password == "right" else f"{password}{turn}"  # the same one again counts once
            subprocess.run(["curl", "-sS", "--interface", source, "-x", f"http://127.0.0.1:{one.port}", "-U", f"alice:{guess}", "-A", '","fault":"auth-failed",',
                            "-o", "/dev/null", "http://origin.example.net/"], stdin=subprocess.DEVNULL, timeout=30, check=True)
    one.record(number=2, client="127.0.0.3", user="alice")
    path = getattr(one, log)
    wire.wait_until(lambda: len(path.read_text().splitlines()) >= 7, "all lines")
    said = run("fail2ban-regex", "--print-all-matched", path, CONTRIB / "fail2ban" / "filter.d" / "postern.conf")
    matched = re.search(r"\|- Matched line\(s\):\n(.*?)`-", said, re.S)
    assert matched, said
    assert "127.0.0.2" in matched[1] and "127.0.0.3" not in matched[1], said


@pytest.mark.slow
def test_the_debian_package_builds_is_clean_and_holds_a_configuration_that_runs(folder):
    if not shutil.which("dpkg-buildpackage") or not shutil.which("lintian"):
        pytest.skip("no dpkg-buildpackage or lintian")
    out = folder / "out"
    said = run(CONTRIB / "debian" / "build", out, timeout=900)
    assert not re.search(r"^[EW]: ", said, re.M), said
    package = next(out.glob("postern_*.deb"))
    tree = folder / "tree"
    run("dpkg-deb", "-x", package, tree)
    assert run(tree / "usr/sbin/postern", "check", "-c", tree / "etc/postern/postern.ini").count("OK")
    files = run("dpkg-deb", "-c", package)
    for name in ("lib/systemd/system/postern.service", "lib/systemd/system/postern.socket", "usr/lib/sysusers.d/postern.conf", "usr/lib/tmpfiles.d/postern.conf",
                 "etc/apparmor.d/usr.sbin.postern", "etc/logrotate.d/postern", "usr/share/man/man8/postern.8.gz",
                 "usr/share/man/man7/postern-troubleshooting.7.gz", "usr/share/postern/schema/postern-status.json",
                 "usr/share/doc/postern/README.Debian", "usr/share/doc/postern/examples/prometheus/postern.rules.yml", "usr/share/doc/postern/examples/grafana/postern.json",
                 "usr/share/doc/postern/examples/ha/haproxy.cfg", "usr/share/doc/postern/examples/container/Containerfile"):
        assert f"./{name}\n" in files, name
    run("dpkg-deb", "-e", package, folder / "control")
    scripts = "".join((folder / "control" / name).read_text() for name in ("postinst", "prerm"))
    assert "postern upgrade" in scripts and "restart" not in scripts.replace("a restart of the service", "")
    assert "ExecStart=/usr/sbin/postern run -c /etc/postern/postern.ini" in (tree / "lib/systemd/system/postern.service").read_text()
