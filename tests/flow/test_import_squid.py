# SPDX-License-Identifier: MIT
"""postern import squid: what it writes, what it says could not be written; and that a real Squid and a Postern with what was imported from it decide alike."""

import base64
import grp
import itertools
import os
import re
import shutil
import subprocess
from pathlib import Path

import gateway as g
import logon
import origin as origins
import pytest
import schema
import wire
import world as w

CASES = Path(__file__).resolve().parents[1] / "import"
DATE = {"SOURCE_DATE_EPOCH": "1767225600"}


def imported(*words, **more):
    return g.command("import", "squid", *words, env=DATE, **more)


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


class Squid:
    def __init__(self, conf, port):
        program = shutil.which("squid", path=w.PATH)
        if not program:
            pytest.skip("squid is not installed")
        self.child = subprocess.Popen([program, "-N", "-f", conf], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=open(conf.parent / "squid.stderr", "wb"))
        wire.wait_until(lambda: self.child.poll() is not None or answers(port), "squid")
        assert self.child.poll() is None, (conf.parent / "squid.stderr").read_text()

    def close(self):
        self.child.kill()
        self.child.wait()


def answers(port):
    try:
        wire.connect(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


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
    squid, wanted = Squid(conf, names["first"]), {}
    asked = list(itertools.product(names, SOURCES, users, WHAT, HOSTS))
    try:
        for name, source, user, (method, to, path), host in asked:
            wanted[name, source, user, method, to, path, host] = verdict(names[name], source, user, method, host, to, path)
    finally:
        squid.close()
    assert {"allowed", "denied"} <= set(wanted.values()) and (users == [None] or "asked" in wanted.values())
    # the same ini, but for what this machine wants otherwise: who runs it, and where logs go
    text = ini.read_text().replace("[gateway]\n", "[gateway]\nuser = nobody\nworkers = 1\n").replace("file = access.log", f"file = {folder}/access.log")
    ini.write_text(text)
    checked = g.command("check", "-c", ini)
    assert checked.returncode == 0, checked
    os.chmod(folder / "new", 0o755)
    os.chown(folder, 65534, -1)
    gateway = g.Gateway(folder, start=False)
    try:
        gateway.start(ini)
        found = {key: verdict(names[key[0]], key[1], key[2], key[3], key[6], key[4], key[5]) for key in wanted}
    finally:
        gateway.stop()
    assert {key: (value, found[key]) for key, value in wanted.items() if value != found[key]} == {}
