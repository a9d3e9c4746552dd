# SPDX-License-Identifier: MIT
"""postern import squid: what it writes, what it says could not be written; and that a real Squid and a Postern with what was imported from it decide alike."""

import base64
import grp
import gzip
import itertools
import os
import re
import subprocess
from pathlib import Path

import gateway as g
import logon
import pytest
import schema
import squid
import wire
import world as w

CASES = Path(__file__).resolve().parents[1] / "import"
DATE = {"SOURCE_DATE_EPOCH": "1767225600"}


def imported(*words, cwd=None):
    return subprocess.run([str(g.PROGRAM), "import", "squid", *map(str, words)], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, cwd=cwd,
                          env={**os.environ, **DATE})


# --- what it writes ---

NAMES = sorted(path.name for path in CASES.iterdir() if path.suffix in (".conf", ".txt"))
EXACT = {"default.conf", "peek-and-splice.conf", "times.conf", "updates.conf", "ways.conf"}


@pytest.mark.parametrize("name", NAMES)
def test_the_ini_and_the_report_are_these(name):
    done = imported(name, cwd=CASES)
    case = CASES / name
    assert done.stdout == case.with_suffix(".ini").read_text()
    assert done.stderr == case.with_suffix(".report").read_text()
    assert done.returncode == (0 if name in EXACT else 1)
    value = schema.check("import-squid", imported(name, "--json", cwd=CASES).stdout)
    assert value["exact"] == (name in EXACT) and value["kind"] == ("list" if name == "domains.txt" else "configuration")
    # each note has its line, and the same ones are in both reports
    assert len(value["notes"]) == sum(bool(re.match(r"(\S+:\d+: )?(wider|narrower|differs|to-do|not-needed): ", line)) for line in done.stderr.split("\n"))


@pytest.mark.parametrize("name", sorted(EXACT - {"ways.conf"}))
def test_the_output_passes_the_check(name, folder):
    """Once the files that Squid's configuration names are there."""
    text = imported(name, cwd=CASES).stdout
    if "ca-cert" in text:
        made = g.command("ca", "init", "--cert", folder / "ca.pem", "--key", folder / "ca.key")
        assert made.returncode == 0, made
    (folder / "k").write_bytes(b"\x05\x02")
    (folder / "k").chmod(0o600)
    text = re.sub(r"/etc/squid/(ca\.\w+)", lambda m: str(folder / m[1]), text).replace("/etc/squid/HTTP.keytab", str(folder / "k"))
    (folder / "postern.ini").write_text(text)
    assert faults(folder / "postern.ini") == [], text


def faults(ini):
    """All errors, but for what Squid's rules do to Microsoft's diagnostic endpoints: who migrates is told, and says what is meant."""
    errors = schema.check("check", g.command("check", "-c", ini, "--json").stdout)["errors"]
    return [error["text"] for error in errors if not error["kind"].startswith("endpoint-")]


def test_every_directive_that_squid_documents_is_known(folder):
    file = Path("/usr/share/doc/squid-common/squid.conf.documented.gz")  # small systems leave documents out; Debian's squid.conf has the same text
    documented = (gzip.decompress(file.read_bytes()) if file.exists() else Path("/etc/squid/squid.conf").read_bytes()).decode("utf-8", "replace")
    names = sorted(set(re.findall(r"^#\s+TAG: (\w+)", documented, re.M)) - {"acl", "include"})
    assert len(names) > 300
    (folder / "all.conf").write_text("".join(f"{name} x\n" for name in names))
    assert re.findall(r".*not known.*", imported(folder / "all.conf").stderr) == []


def test_lists_that_squid_reads_from_files_become_list_files(folder):
    done = imported("updates.conf", "-o", folder / "new", cwd=CASES)
    assert done.returncode == 0 and "became" in done.stdout, done
    assert (folder / "new/lists/telemetry.list").read_text() == ("# source: updates.hosts\n# fetched: 2026-01-01\n# imported from Squid: acl telemetry dstdomain\n\n"
                                                                  ".events.data.microsoft.com\nsettings-win.data.microsoft.com\n")
    ini = (folder / "new/postern.ini").read_text()
    assert "[list telemetry]\nfile = lists/telemetry.list\n" in ini and "address = 10.9.0.10\n   10.9.0.11\n" in ini
    # nothing is replaced unless it is asked for
    again = imported("updates.conf", "-o", folder / "new", cwd=CASES)
    assert again.returncode == 2 and "--force" in again.stderr
    assert imported("updates.conf", "-o", folder / "new", "--force", cwd=CASES).returncode == 0
    assert [path.name for path in (folder / "new").rglob("*.new")] == []


def test_passwords_of_peers_and_helpers_are_never_shown():
    done = imported("ways.conf", cwd=CASES)
    assert "secret" in (CASES / "ways.conf").read_text() and "secret" not in done.stdout + done.stderr


def test_what_is_hostile_neither_breaks_out_of_the_ini_nor_reaches_the_terminal(folder):
    conf = folder / "squid.conf"
    conf.write_bytes(b"acl e\x1b[31m dstdomain .a.example\nhttp_access allow e\x1b[31m # \x07\nhttp_port 3128\n"
                     b"acl \"x dstdomain b.example\nhttp_access allow \"x\nvisible_hostname x\ty;[rule y]\ncache_mgr a;b\n"
                     b"acl u proxy_auth a,b !c @d *\nhttp_access allow u\nacl w url_regex !^x\" ;# a\\ b\nhttp_access deny w\n" + "acl ü dstdomain bücher.example\n".encode())
    done = imported(conf)
    assert done.returncode == 1, done
    for text in (done.stdout, done.stderr):
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", text), text
    sections = re.findall(r"^\[.*", done.stdout, re.M)
    assert all(re.fullmatch(r"\[\w+( [\w.-]+)?\]", section) for section in sections), sections


@pytest.mark.parametrize("words, said", [
    ((), "usage"), (("a", "b"), "usage"), (("-o", "x", "--output", "y", "default.conf"), "usage"), (("nowhere.conf",), "No such file"), (("/",), "no regular file"),
    (("/dev/zero",), "no regular file")])
def test_wrong_usage_and_files_that_cannot_be_read(words, said):
    done = imported(*words, cwd=CASES)
    assert done.returncode == 2 and said in done.stderr, done


def test_what_is_too_large_or_too_deep_is_refused(folder):
    conf = folder / "squid.conf"
    for text, said in (("include squid.conf\n", "deeper than 16"), ("http_access allow " + "x" * 70000 + "\n", "longer than 65535"), ("acl a \0\n", "NUL"),
                       ("if true\n" * 17, "deeper than 16")):
        conf.write_text(text)
        done = imported(conf)
        assert done.returncode == 2 and said in done.stderr, (text[:40], done)


def test_what_is_long_is_read_in_time(folder):
    conf = folder / "squid.conf"
    for name in "uv":
        (folder / name).write_text("".join(f"{name}{i}\n" for i in range(40000)))
    groups = "".join(f"acl l{i}x{k} any-of " + " ".join(f"l{i - 1}x{j}" for j in range(30)) + "\n" for i in range(1, 9) for k in range(30))
    for text, code, said in (("".join(f"acl a dstdomain .h{i}.example\n" for i in range(4000)) + "http_access allow a\nhttp_access deny all\n", 0, "0 wider, 0 narrower"),
                             ("acl u proxy_auth \"u\"\nacl v proxy_auth \"v\"\nhttp_access allow u v\nhttp_access deny all\n", 0, "0 wider, 0 narrower"),
                             ("".join(f"acl l0x{k} src 10.0.0.{k}\n" for k in range(30)) + groups + "http_access allow l8x0\nhttp_access deny all\n", 1, "512 combinations")):
        conf.write_text(text)
        begun = os.times().children_user
        done = imported(conf)
        assert done.returncode == code and said in done.stderr, (text[:40], done.stderr[-300:])
        assert os.times().children_user - begun < 5, text[:40]


# --- a real Squid beside it ---

USERS = """
auth_param basic program /usr/lib/squid/basic_ncsa_auth {folder}/users
auth_param basic realm Here
acl localnet src 127.0.1.0/24
acl branch src 127.0.2.1-127.0.2.9
acl SSL_ports port 443 8443
acl Safe_ports port 80		# http
acl Safe_ports port 443 8443 1025-65535
acl updates dstdomain .update.microsoft.com go.microsoft.com
acl bad dstdomain "{folder}/bad.txt"
acl badwords url_regex -i casino gambl[ei]\\.
acl badword url_regex -i lottery
acl exe urlpath_regex -i \\.exe$
acl private urlpath_regex ^/private/
acl known proxy_auth REQUIRED
acl admins proxy_auth alice
acl put method PUT POST
http_access deny !Safe_ports
http_access deny CONNECT !SSL_ports
http_access allow localhost manager
http_access deny manager
http_access allow updates
http_access deny bad
http_access deny !CONNECT badwords
http_access deny badword
http_access deny exe
http_access deny private
http_access deny put !admins all
http_access allow admins localnet
http_access deny branch !known
http_access allow known branch
http_access deny all
"""

# no users; ends with a refusal of something, so all else is allowed
PLACES = """
acl a src 127.0.1.1
acl b src 127.0.2.0/255.255.255.0
acl win dstdomain .windows.com
acl micro dstdom_regex -i (^|\\.)microsoft\\.com$
acl eleven dstdomain www.windows.com 20.42.0.21
acl literal dstdom_regex ^[0-9]+\\.[0-9]+\\.[0-9]+\\.[0-9]+$
acl other dst 20.42.0.21
acl high port 1024-65535
acl either any-of win eleven
acl both all-of win eleven
acl both all-of a micro
acl web proto HTTP
acl second myportname second
http_access deny second !web
http_access deny both CONNECT
http_access allow a either !both
http_access deny win !eleven \\
    b
http_access deny other high
http_access allow b literal
http_access deny literal
http_access allow micro eleven
http_access deny !a !b micro
http_access deny second high
"""

HOSTS = ["www.update.microsoft.com", "update.microsoft.com", "xgo.microsoft.com", "go.microsoft.com", "a.evil.microsoft.com", "evil.microsoft.com", "casino.microsoft.com",
         "www.windows.com", "windows.com", "lottery.windows.com", "20.42.0.21", "20.42.0.10"]
WHAT = [("GET", 80, "/"), ("GET", 80, "/x/setup.EXE"), ("GET", 80, "/private/x"), ("POST", 80, "/casino"), ("GET", 22, "/"), ("GET", 8080, "/"), ("CONNECT", 443, ""),
        ("CONNECT", 8443, ""), ("CONNECT", 80, "")]
SOURCES = ["127.0.1.1", "127.0.2.1", "127.0.3.1"]


def squid_conf(folder, text, ports, log):
    conf = folder / "squid.conf"
    (folder / "bad.txt").write_text("# what nobody needs\n.evil.microsoft.com # all of it\n\n  www.windows.com\n")
    listen = "".join(f"http_port 127.0.0.1:{port} name={name}\n" for name, port in ports.items())
    conf.write_text(text.replace("{folder}", str(folder)) + listen + f"visible_hostname here.example.net\ndns_nameservers {w.RESOLVER}\n"
                    f"access_log stdio:{log} squid\ncache_log {folder}/cache.log\npid_filename none\ncache deny all\nshutdown_lifetime 0 seconds\nconnect_timeout 2 seconds\n"
                    "connect_retries 0\n")
    return conf


def verdict(port, source, user, method, host, to, path):
    """What becomes of a request: allowed, denied, or asked who it is."""
    words = f"Proxy-Authorization: Basic {base64.b64encode(f'{user}:open sesame'.encode()).decode()}\r\n" if user else ""
    target = f"{host}:{to}" if method == "CONNECT" else f"http://{host}{'' if to == 80 else f':{to}'}{path}"
    length = "Content-Length: 0\r\n" if method == "POST" else ""
    with wire.connect(("127.0.0.1", port), source) as c:
        head = c.send(f"{method} {target} HTTP/1.1\r\nHost: {host}:{to}\r\n{words}{length}Connection: close\r\n\r\n".encode()).until(b"\r\n\r\n")
    return {b"403": "denied", b"407": "asked"}.get(head.split(b" ")[1], "allowed")


@pytest.mark.parametrize("text, users, ports", [(USERS, [None, "alice", "bob"], ["first"]), (PLACES, [None], ["first", "second"])], ids=["users", "places"])
def test_squid_and_what_was_imported_from_it_decide_alike(world, folder, text, users, ports):
    os.chmod(folder, 0o755)
    names = {name: g.free_port() for name in ports}
    (folder / "users").write_text("".join(f"{name}:" + logon.openssl("passwd", "-6", "-salt", "salt", "-stdin", text=b"open sesame") + "\n" for name in ("alice", "bob")))
    os.chown(folder / "users", 0, grp.getgrnam("proxy").gr_gid)
    (folder / "users").chmod(0o640)
    log = folder / "squid.log"
    log.touch()
    log.chmod(0o666)
    (folder / "cache.log").touch()
    (folder / "cache.log").chmod(0o666)
    conf = squid_conf(folder, text, names, log)
    done = imported(conf, "-o", folder / "new")
    assert done.returncode == 0, done.stdout
    ini = folder / "new" / "postern.ini"
    wanted = {}
    asked = list(itertools.product(names, SOURCES, users, WHAT, HOSTS))
    with squid.running(conf, names["first"]):
        for name, source, user, (method, to, path), host in asked:
            wanted[name, source, user, method, to, path, host] = verdict(names[name], source, user, method, host, to, path)
    assert {"allowed", "denied"} <= set(wanted.values()) and (users == [None] or "asked" in wanted.values())
    # the same ini, but for what this machine wants otherwise: who runs it, and where logs go
    text = ini.read_text().replace("[gateway]\n", "[gateway]\nuser = nobody\nworkers = 1\n").replace("file = access.log", f"file = {folder}/access.log")
    ini.write_text(text)
    assert faults(ini) == []
    os.chmod(folder / "new", 0o755)
    os.chown(folder, 65534, -1)
    gateway = g.Gateway(folder, start=False)
    try:
        gateway.start(ini)
        found = {key: verdict(names[key[0]], key[1], key[2], key[3], key[6], key[4], key[5]) for key in wanted}
    finally:
        gateway.stop()
    assert {key: (value, found[key]) for key, value in wanted.items() if value != found[key]} == {}
    guide(folder, ini, log, wanted)


def guide(folder, ini, log, wanted):
    """The commands of postern-from-squid(7), word for word, about what was just done."""
    page = (Path(g.SOURCE) / "man" / "postern-from-squid.7").read_text()
    text = "\n".join(re.findall(r"^\.Bd -literal -offset indent\n(.*?)^\.Ed", page, re.M | re.S)).replace("\\e\n", " ")
    commands = [line.split() for line in text.split("\n") if line.strip()]
    assert [words[1] for words in commands] == ["import", "check", "explain", "replay", "run"]
    places = {"/etc/squid/squid.conf": folder / "squid.conf", "/etc/postern/new": folder / "again", "/etc/postern/new/postern.ini": ini, "/var/log/squid/access.log": log}
    done = {words[1]: g.command(*(places.get(word, word) for word in words[1:])) for words in commands if words[1] != "run"}
    assert {word: done[word].returncode for word in ("import", "check")} == {"import": 0, "check": 0}, done
    assert "denied" in wanted.values() and done["explain"].returncode in (0, 1, 2) and "rule " in done["explain"].stdout
    # what Squid decided about its own requests, decided anew from its log: alike, but for what its log does not tell
    assert done["replay"].returncode in (0, 1) and done["replay"].stdout, done["replay"]
    return done
