# SPDX-License-Identifier: MIT
"""Logging on to parents by Kerberos: a real domain, a Postern and a Squid that want Negotiate, and what happens when there is no ticket."""

import os
import re
import shutil
import signal
import time

import gateway as gateways
import inspection
import lab as labs
import logon
import pytest
import schema
import wire

from test_parents import section, through

HTTP, HTTPS = f"http://{labs.ORIGIN}/", f"https://{labs.ORIGIN}/"
PROXY = f"proxy.{labs.DNS}"
ACCOUNT = f"alice@{labs.REALM}"


@pytest.fixture(scope="module")
def keytab(lab):
    return lab.keytab("parent-alice", "alice")


@pytest.fixture(scope="module")
def upstream(lab, lab_gateway_kept):
    """A Postern that wants Negotiate."""
    return lab_gateway_kept(auth={"keytab": lab.keytab("upstream", f"HTTP/{PROXY}"), "schemes": "negotiate"}, visible_name=f"up.{labs.DNS}",
                            rules="[rule all]\naction = tunnel\nauth = required\n")


def parent(name, upstream, keytab, **options):
    return section(name, f"{PROXY}:{upstream.port}", **{"auth": "negotiate", "keytab": keytab, "principal": ACCOUNT, **options})


def initiator(gw):
    [pid] = gw.pids("auth")
    return pid


def status(gw, url=HTTP):
    return gw.curl("-o", os.devnull, url, check=False).status


def test_tunnels_and_plain_requests_log_on(lab_gateway, upstream, keytab):
    gw = lab_gateway(through(parent("up", upstream, keytab)), parent="up")
    assert gw.curl(HTTPS).stdout == b"hello from the lab\n"
    for _ in range(3):  # over one connection, each with a token of its own
        assert gw.curl(HTTP, HTTP).stdout == b"hello from the lab\n" * 2
    assert {line["parent"] for line in gw.records()} == {"up"}
    assert all(line["fault"] is None for line in gw.records())
    wire.wait_until(lambda: len(upstream.records()) >= 7, "the parent's lines")
    assert {(line["user"], line["auth_scheme"]) for line in upstream.records()} == {(ACCOUNT, "Negotiate/Kerberos")}
    assert b"auth= proxy=\n" in gw.curl(HTTP + "who").stdout
    for text in (gw.access.read_text(), gw.native.read_text(), gw.said()):
        assert "YII" not in text


def test_inspected_tunnels_log_on(lab, world, lab_gateway, upstream, keytab, folder):
    cert, key = inspection.ca(folder)
    gw = lab_gateway(f"[inspection]\nca-cert = {cert}\nca-key = {key}\ntrust = {world.ca}\n" + parent("up", upstream, keytab) + "[rule all]\naction = inspect\nauth = none\n", parent="up")
    for _ in range(2):
        assert lab.curl("--cacert", cert, HTTPS, gw=gw).stdout == b"hello from the lab\n"
    assert gw.record(method="GET")["parent"] == "up"


def test_squid_takes_our_tokens(lab, lab_gateway, keytab, folder):
    program, helper = shutil.which("squid", path="/usr/sbin:/usr/bin"), "/usr/lib/squid/negotiate_kerberos_auth"
    if not program or not os.path.exists(helper):
        pytest.skip("squid is not installed")
    own = lab.keytab("squid", f"HTTP/{PROXY}")
    shutil.chown(own, "proxy")
    with lab.inside():
        port = gateways.free_port(lab.address)
    log, conf = folder / "squid.log", folder / "squid.conf"
    log.touch()
    log.chmod(0o666)
    folder.chmod(0o755)
    conf.write_text(f"http_port {lab.address}:{port}\nauth_param negotiate program {helper} -k {own} -t none -s HTTP/{PROXY}@{labs.REALM}\nauth_param negotiate children 2\n"
                    f"acl known proxy_auth REQUIRED\nhttp_access allow known\nhttp_access deny all\naccess_log stdio:{log}\ncache_log {folder}/squid.cache\n"
                    f"pid_filename none\ncache deny all\nshutdown_lifetime 0 seconds\n")
    child = lab.start(program, "-N", "-f", conf)
    try:
        def listens():
            with lab.inside():
                try:
                    wire.connect((lab.address, port)).close()
                except OSError:
                    return False
                return True

        wire.wait_until(listens, "squid")
        gw = lab_gateway(through(section("squid", f"{PROXY}:{port}", auth="negotiate", keytab=keytab)), parent="squid")
        assert gw.curl(HTTPS).stdout == b"hello from the lab\n"
        assert gw.curl(HTTP, HTTP, HTTP).stdout == b"hello from the lab\n" * 3
        wire.wait_until(lambda: log.read_text().count(f" {ACCOUNT} ") >= 4, "lines in Squid's log, with our name")
    finally:
        lab.stop(child)


def test_a_look_at_a_parent_logs_on_too(lab_gateway, upstream, keytab):
    gw = lab_gateway(through(parent("up", upstream, keytab, health_interval="200ms", health_target=f"{labs.ORIGIN}:443", fail_after=1)), parent="up")
    before = len(upstream.records())
    wire.wait_until(lambda: len(upstream.records()) > before + 2, "looks")
    assert {line["status"] for line in upstream.records()[before:]} == {200}
    assert status(gw) == 200
    assert "is down" not in gw.said()


# --- no ticket ---

def test_without_a_ticket_the_next_parent_is_asked_or_the_request_fails(lab, lab_gateway, upstream, keytab):
    """The account's password is another one by now."""
    if "stale" not in lab.samba_tool("user", "list"):
        lab.samba_tool("user", "create", "stale", "Passw0rd-stale")
    stale = lab.keytab("stale", "stale")
    lab.samba_tool("user", "setpassword", "stale", f"--newpassword=Another-{time.time()}")
    bad = parent("bad", upstream, stale, principal=f"stale@{labs.REALM}")
    gw = lab_gateway(through(bad, parent("up", upstream, keytab)), parent="bad up")
    for url in (HTTP, HTTPS):
        assert status(gw, url) == 200
    assert {line["parent"] for line in gw.records()} == {"up"}
    assert gw.says(r"parent bad: no ticket for stale@CORP.EXAMPLE: .*")
    gw.write(through(bad), parent="bad")
    gw.reload()
    assert status(gw) == 502
    line = gw.record(status=502)
    assert line["fault"] == "parent-auth-failed" and line["tls_detail"].startswith("parent bad: no ticket for stale@CORP.EXAMPLE: ")
    # what is mended is used without a reload
    fresh = lab.keytab("fresh", "stale")
    fresh.rename(stale)
    wire.wait_until(lambda: status(gw) == 200, "the new keytab")


def test_a_principal_that_the_keytab_lacks_is_told(lab_gateway, upstream, keytab):
    gw = lab_gateway(through(parent("up", upstream, keytab, principal="nobody")), parent="up")
    assert status(gw) == 502
    assert gw.record()["tls_detail"] == f"parent up: its keytab has no strong key of nobody, but of {ACCOUNT}"


def test_a_parent_that_the_domain_does_not_know_is_told(lab_gateway, upstream, keytab):
    gw = lab_gateway(through(section("up", f"{labs.ORIGIN}:{upstream.port}", auth="negotiate", keytab=keytab)), parent="up")
    assert status(gw) == 502
    assert re.match(rf"parent up: no ticket for HTTP/{labs.ORIGIN}: .*", gw.record()["tls_detail"])


def test_a_parent_that_refuses_gets_a_new_ticket_later(lab, lab_gateway, upstream, keytab):
    """It wants Basic: whatever token we send is a 407, which no client sees."""
    users = logon.basic_file(lab.folder / "users", postern="x")
    users.chmod(0o640)
    other = lab_gateway(auth={"basic-file": users, "basic-without-tls": "yes", "schemes": "basic"}, rules="[rule all]\naction = tunnel\nauth = required\n")
    gw = lab_gateway(through(parent("up", other, keytab)), parent="up", visible_name="gw.example.net")
    for url in (HTTP, HTTPS):
        answer = gw.curl("-i", url, check=False)
        assert b" 502 " in answer.stdout and b"proxy-authenticate" not in answer.stdout.lower()
    assert {line["fault"] for line in gw.records()} == {"parent-auth-failed"}
    assert gw.says("parent up does not accept our credentials: it refused them")


def test_without_the_domain_old_tickets_serve_and_new_ones_fail_cleanly(lab, lab_gateway, upstream, keytab):
    options = {"connect_timeout": "1s"}
    gw = lab_gateway(through(parent("up", upstream, keytab, **options)), parent="up")
    cold = lab_gateway(through(parent("up", upstream, keytab, **options), "[parent plain]\naddress = 127.0.0.1:9\nhealth-interval = 0\n\n",
                               rules="[rule straight]\naction = tunnel\nauth = none\nhosts = " + labs.DIAGNOSTICS + "\nparent = none\n" + gateways.LET_ALL), parent="up",
                       env={"KRB5_CONFIG": str(no_kdc(lab))})
    assert status(gw) == 200
    lab.unplug_dc()
    try:
        assert status(gw) == 200 and status(gw, HTTPS) == 200
        for _ in range(3):
            assert status(cold) == 502
        assert cold.record()["fault"] == "parent-auth-failed"
        began = time.monotonic()
        assert status(cold, f"http://{labs.DIAGNOSTICS}/") == 200, "what does not go through it does not wait for it"
        assert time.monotonic() - began < 1
    finally:
        lab.plug_dc()


def no_kdc(lab):
    """A krb5.conf whose domain controller does not answer."""
    path = lab.folder / "no-kdc.conf"
    path.write_text(re.sub(r"kdc = \S+", f"kdc = {lab.net}.77", (lab.folder / "krb5.conf").read_text()))
    return path


def test_a_ticket_is_renewed_before_it_ends(lab, lab_gateway, upstream, keytab):
    """Nobody asks meanwhile. Samba takes tickets of less than two minutes for those of a password change, so that these serve for nothing else."""
    short = lab.folder / "short.conf"
    short.write_text((lab.folder / "krb5.conf").read_text().replace("[libdefaults]", "[libdefaults]\n ticket_lifetime = 4s"))
    gw = lab_gateway(through(parent("up", upstream, keytab)), parent="up", log_level="debug", env={"KRB5_CONFIG": str(short)})
    gw.says(rf"parent up: a ticket of {ACCOUNT} for [34] s", times=3)


# --- postern doctor ---

def test_doctor_goes_through_each_parent_with_a_ticket(lab, world, lab_gateway, upstream, keytab):
    """One that takes it, and one that the domain does not know; then without a domain."""
    where = f"{PROXY}:{upstream.port}"
    lone = section("lone", f"{labs.ORIGIN}:443", auth="negotiate", keytab=keytab, connect_timeout="30s")
    gw = lab_gateway(through(parent("up", upstream, keytab, connect_timeout="30s"), lone, rules=f"[list ends]\nhost = {labs.ORIGIN} http://{labs.ORIGIN}\n[doctor]\nissuers = *\ntimeout = 30s\n"
                             "[rule ends]\nhosts = @ends\naction = bypass\nparent = up lone\n"))

    def doctor(*words, env=None):  # the words before it
        return lab.run(*words, gateways.PROGRAM, "doctor", "-c", gw.file, "--json", check=False, env=env)

    earlier = len(upstream.records())
    told = schema.check("doctor", doctor().stdout)
    assert [(one["name"], one["address"], one["not_tried"]) for one in told["parents"]] == [("up", where, None), ("lone", f"{labs.ORIGIN}:443", None)]
    for one in told["results"]:
        up, lone = one["ways"][1:3]
        assert (up["parent"], up["fault"], up["status"]) == ("up", "intercepted" if one["scheme"] == "https" else "ok", 200), up  # its CA is none of the system's
        assert (lone["parent"], lone["fault"], lone["step"]) == ("lone", "no-ticket", "proxy") and f"HTTP/{labs.ORIGIN}" in lone["detail"]
    assert {line["user"] for line in upstream.records()[earlier:] if line["user"]} == {ACCOUNT}
    done = doctor("setpriv", "--reuid=nobody", "--clear-groups")
    assert done.returncode == 2 and "keytab: " in done.stderr and "cannot be read" in done.stderr
    gw.file.write_text(gw.file.read_text().replace("connect-timeout = 30s", "connect-timeout = 1s"))
    began = time.monotonic()
    told = schema.check("doctor", doctor(env={"KRB5_CONFIG": str(no_kdc(lab))}).stdout)
    assert {way["fault"] for one in told["results"] for way in one["ways"] if way["parent"]} == {"no-ticket"} and time.monotonic() - began < 25
    assert "connect-timeout" in told["results"][0]["ways"][1]["detail"]


# --- its process ---

def test_its_process_may_die_or_freeze(lab_gateway, upstream, keytab):
    gw = lab_gateway(through(parent("up", upstream, keytab, connect_timeout="1s"), rules="[rule straight]\naction = tunnel\nauth = none\nhosts = " + labs.DIAGNOSTICS +
                             "\nparent = none\n" + gateways.LET_ALL), parent="up")
    assert status(gw) == 200
    pid = initiator(gw)
    os.kill(pid, signal.SIGKILL)
    wire.wait_until(lambda: status(gw) == 200, "its successor")
    pid = initiator(gw)
    os.kill(pid, signal.SIGSTOP)
    assert status(gw) == 502
    assert gw.record(status=502)["fault"] == "parent-auth-failed"
    assert status(gw, f"http://{labs.DIAGNOSTICS}/") == 200
    wire.wait_until(lambda: status(gw) == 200, "one that answers", seconds=15)
    assert initiator(gw) != pid


def test_a_hundred_tunnels_a_second(lab_gateway, upstream, keytab):
    gw = lab_gateway(through(parent("up", upstream, keytab)), parent="up")
    assert status(gw) == 200
    began = time.monotonic()
    for _ in range(100):
        gw.tunnel(f"{labs.ORIGIN}:443").close()
    took = time.monotonic() - began
    print(f"100 tunnels, one after the other: {took:.2f} s")
    assert took < 5
