# SPDX-License-Identifier: MIT
"""postern doctor: endpoints that fail in every way there is, each tried directly, through a parent and through the running gateway."""

import contextlib
import fcntl
import json
import os
import re
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import termios
import threading
import warnings
from pathlib import Path

import gateway as g
import origin as o
import pytest
import schema
import wire
import world as w
from certs import Cert

ROOTS = "/etc/ssl/certs/ca-certificates.crt"
DOCTOR_DNS, GATEWAY_DNS = "127.0.0.54", "127.0.0.55"
MICROSOFT = "Microsoft Corporation"

# name: the address that its server has
NAMES = {"good": 1, "alias": 1, "plain": 2, "expired": 3, "wrong": 4, "chain": 5, "other": 6, "intercepted": 7, "reset": 8, "closed": 9, "banner": 10, "alert": 11,
         "endless": 12, "mute": 13, "evil": 14, "slow": 15, "refused": 16, "moved": 17, "asked": 1, "denied": 1, "opened": 1, "v1.wild": 1, "tree": 1,
         "asked-plain": 2, "denied-plain": 2, "storm": 22, "interim": 23, "old": 24, "device13": 25, "device12": 26, "early": 27, "portal": 28, "lobby": 29, "error": 31}
TWINS = (17, 21)


def place(number):
    return f"127.42.0.{number}"


def name_server(moved):
    def answer(name, kind):
        host = name.removesuffix(".example.net")
        if host == "alias" and kind == "A":
            return ["=front.alias.example.net", "=edge.alias.example.org", place(1)]
        if host == "moved":
            return [place(moved)]
        if host == "twin":
            return [place(TWINS[moved == 18])]
        if host == "private":
            return ["10.1.2.3"]
        if host == "servfail":
            return "servfail"
        if host == "silent":
            return None
        if host == "full":
            return [place(20)]
        if host == "many":
            return ([place(200), place(201)] if moved == 17 else []) + [place(1)] + [place(202 + number) for number in range(27)] if kind == "A" else []
        if host == "six":
            return ["2001:db8::d0c"] if kind == "AAAA" else []
        return [place(NAMES[host])] if host in NAMES else "nxdomain"

    return answer


LISTS = """
[list good]
host = https://good.example.net https://alias.example.net http://plain.example.net *.wild.example.net .tree.example.net *.unknown.example.net
probe = v1.wild.example.net

[list bad]
host = nowhere.example.net servfail.example.net private.example.net refused.example.net reset.example.net closed.example.net banner.example.net
  alert.example.net expired.example.net wrong.example.net chain.example.net other.example.net intercepted.example.net evil.example.net
  endless.example.net mute.example.net moved.example.net twin.example.net

[list slow]
host = slow.example.net

[list late]
host = full.example.net silent.example.net

[list asked]
host = asked.example.net http://asked-plain.example.net

[list denied]
host = denied.example.net http://denied-plain.example.net

[list opened]
host = opened.example.net

[list odd]
host = old.example.net device12.example.net device13.example.net early.example.net error.example.net many.example.net six.example.net
  http://portal.example.net http://lobby.example.net

[rule bypass]
hosts = @good @bad @late @slow @flood @odd
action = bypass

[rule asked]
hosts = @asked
action = tunnel
auth = required

[rule opened]
hosts = @opened
action = inspect
auth = none

[rule rest]
action = deny

[list flood]
host = storm.example.net interim.example.net
"""


class Roots:
    """Other roots than the system's, in this namespace, while it is open."""

    def __init__(self, path):
        w.run("mount", "--bind", str(path), ROOTS)

    def close(self):
        w.run("umount", ROOTS)


def tls_after(play, cert, prepare=lambda context: None):
    """A server that shakes hands and then plays."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*cert)
    prepare(context)

    def serve(raw):
        with context.wrap_socket(raw.sock, server_side=True) as raw.sock:
            raw.until(b"\r\n\r\n")
            play(raw)

    return serve


def cut(raw):
    """A firewall that reads the name and cuts."""
    raw.more()
    raw.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def answers(head):
    return lambda raw: raw.send(b"HTTP/1.1 " + head + b"\r\nContent-Length: 0\r\n\r\n")


def older(context):
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1


def devices_only(root, version):
    """Whoever has no certificate is sent away, within the handshake or, with TLS 1.3, behind it."""
    def prepare(context):
        context.verify_mode, context.maximum_version = ssl.CERT_REQUIRED, version
        context.load_verify_locations(cadata=root.pem().decode())

    return prepare


def endless(raw):
    with contextlib.suppress(OSError):
        raw.send(b"HTTP/1.1 200 OK\r\n")
        for number in range(4096):
            raw.send(b"X-%d: %s\r\n" % (number, b"x" * 500))


def storm(raw):
    """HelloRequests, which a client that is shaking hands skips."""
    with contextlib.suppress(OSError):
        for _ in range(1000):
            raw.send(b"\x16\x03\x03\x00\x04\0\0\0\0" * 2000)


def interim(raw):
    with contextlib.suppress(OSError):
        for _ in range(200):
            raw.send(b"HTTP/1.1 100 Continue\r\n\r\n" * 800)
        raw.send(b"HTTP/1.1 200 OK\r\n\r\n")


class Lab:
    pass


@pytest.fixture(scope="module")
def lab(world, serve_kept, folder_kept, gateway_kept):
    """Servers, interceptor, name servers, and the gateway."""
    lab = Lab()
    lab.folder, folder = folder_kept, folder_kept
    root = Cert("Doctor test root", ca=True, organisation=MICROSOFT)
    other, digicert = Cert("Contoso root", ca=True, organisation="Contoso"), Cert("Doctor other root", ca=True, organisation="DigiCert Inc")
    between = Cert("Doctor test issuer", by=root, ca=True, organisation=MICROSOFT)
    evil = Cert("\x1b[31mEvil\x07\r\nroot", ca=True, organisation="\x1b]0;owned\x07Evil")
    away = Cert("Interceptor", ca=True, organisation="Contoso Security")
    lab.ca = Cert("Gateway CA", ca=True, organisation="Contoso IT")
    roots = folder / "roots.pem"
    roots.write_bytes(root.pem() + other.pem() + digicert.pem())
    lab.roots = serve_kept(Roots, roots)

    def cert(name, *names, by=root, chain=(), **more):
        return Cert("server", by=by, names=names or ("*.example.net", "*.wild.example.net", "*.tree.example.net", "tree.example.net"), **more).write(folder, name, *chain)

    good = cert("good")
    lab.good = serve_kept(o.Https, *good, place(1))
    lab.plain = serve_kept(o.Http, place(2))
    serve_kept(o.Https, *cert("expired", begins=-30, ends=-3), place(3))
    serve_kept(o.Https, *cert("wrong", "www.example.org"), place(4))
    serve_kept(o.Https, *cert("chain", by=between), place(5))
    serve_kept(o.Https, *cert("other", by=other), place(6))
    behind = serve_kept(o.Https, *good, place(107))
    serve_kept(o.Server, cut, place(8), 443)
    serve_kept(o.Server, lambda raw: raw.more(), place(9), 443)
    serve_kept(o.Server, lambda raw: (raw.send(b"220 mail.example.net ESMTP\r\n"), raw.more()), place(10), 443)
    serve_kept(o.Server, lambda raw: (raw.more(), raw.send(b"\x15\x03\x03\x00\x02\x02\x28")), place(11), 443)
    serve_kept(o.Server, tls_after(endless, good), place(12), 443)
    serve_kept(o.Server, storm, place(22), 443)
    serve_kept(o.Server, tls_after(interim, good), place(23), 443)
    serve_kept(o.Server, tls_after(lambda raw: None, good), place(13), 443)
    serve_kept(o.Https, *cert("evil", by=evil, chain=(evil,)), place(14))
    lab.slow = threading.Event()
    serve_kept(o.Https, *good, place(15), answer=lambda request, raw: not lab.slow.wait(2.3))
    serve_kept(o.Https, *good, place(17))
    serve_kept(o.Https, *cert("moved", by=digicert), place(18))
    serve_kept(o.Https, *cert("twin"), place(21))
    serve_kept(o.Server, tls_after(answers(b"200 OK"), good, older), place(24), 443)
    serve_kept(o.Server, tls_after(answers(b"200 OK"), good, devices_only(root, ssl.TLSVersion.TLSv1_3)), place(25), 443)
    serve_kept(o.Server, tls_after(answers(b"200 OK"), good, devices_only(root, ssl.TLSVersion.TLSv1_2)), place(26), 443)
    serve_kept(o.Server, tls_after(answers(b"200 OK\r\nDate: Thu, 01 Jan 2099 12:00:00 GMT"), cert("early", begins=400, ends=700)), place(27), 443)
    serve_kept(o.Server, tls_after(answers(b"503 Service Unavailable"), good), place(31), 443)
    serve_kept(o.Script, lambda raw, head: answers(b"302 Found\r\nLocation: http://portal.example.org/log-on?from=x")(raw), place(28), 80)
    serve_kept(o.Script, lambda raw, head: answers(b"511 Network Authentication Required")(raw), place(29), 80)
    w.run("ip", "-6", "addr", "add", "2001:db8::d0c/128", "dev", "lo", "nodad")
    serve_kept(o.Https, *good, "2001:db8::d0c")
    full = serve_kept(lambda: socket.create_server((place(20), 443), backlog=0))
    lab.fill = [socket.socket() for _ in range(4)]
    for sock in lab.fill:
        sock.setblocking(False)
        sock.connect_ex(full.getsockname())
    serve_kept(o.Dns, name_server(17), DOCTOR_DNS)
    serve_kept(o.Dns, name_server(18), GATEWAY_DNS)
    ca, key = away.write(folder, "away")
    lab.log = folder / "sslsplit.log"
    with open(lab.log, "wb") as log:
        lab.interceptor = subprocess.Popen(["sslsplit", "-D", "-u", "root", "-j", "/", "-c", str(ca), "-k", str(key), "ssl", place(7), "443", place(107), "443"],
                                           stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    wire.wait_until(lambda: "Starting" in lab.log.read_text(errors="replace") and listens(place(7)), "sslsplit")
    assert behind
    own, own_key = lab.ca.write(folder, "own")
    for path in (own, own_key):
        shutil.chown(path, "nobody")
        path.chmod(0o600)
    users = folder / "users"
    users.write_text("alice:$5$abcdefgh$ZLdkj8mkc2XVSrPVjskDAgPkGjEQpSAVp9b2OOL5qX5\n")
    users.chmod(0o600)
    shutil.chown(users, "nobody")
    lab.more = f"""
[inspection]
ca-cert = {own}
ca-key = {own_key}

[auth]
schemes = basic
basic-file = {users}
basic-without-tls = yes
"""
    lab.gateway = gateway_kept(rules=LISTS, more=lab.more, resolver=GATEWAY_DNS, egress_allow="127.42.0.0/16 2001:db8::d0c", connect_timeout="2s", dns_timeout="2s")
    yield lab
    lab.interceptor.terminate()
    lab.interceptor.wait(10)
    for sock in lab.fill:
        sock.close()


def listens(address):
    try:
        socket.create_connection((address, 443), timeout=1).close()
        return True
    except OSError:
        return False


@pytest.fixture(scope="module")
def doctor(lab):
    """ask(options of [doctor], words...) runs the command on the gateway's configuration, with its own name server."""

    def ask(*words, more="", gateway="", timeout="4s", allow="127.42.0.0/16 2001:db8::d0c", rules=LISTS, **options):
        path = lab.folder / "doctor.ini"
        path.write_text(f"[gateway]\nresolver = {DOCTOR_DNS}\negress-allow = {allow}\n{gateway}\n\n[listener edge]\naddress = 127.0.0.1:{lab.gateway.port}\n{lab.more}{more}\n"
                        f"[doctor]\ntimeout = {timeout}\n" + "".join(f"{key.replace('_', '-')} = {value}\n" for key, value in options.items()) + rules)
        return g.command("doctor", "-c", path, *words)

    return ask


@pytest.fixture(scope="module")
def told(doctor):
    """What is said of all lists: by host and way. Patient, so that nothing is slow on a machine that has other things to do; what floods us is alone."""
    done = doctor("--json", "good", "bad", "asked", "denied", "opened", timeout="30s")
    assert done.returncode == 1, done
    value = schema.check("doctor", done.stdout)
    more = [one for name, timeout in (("odd", "30s"), ("flood", "30s"), ("slow", "4s")) for one in schema.check("doctor", doctor("--json", name, timeout=timeout).stdout)["results"]]
    value["by"] = {one["host"] or one["pattern"]: {way["way"]: way for way in one["ways"]} for one in value["results"] + more}
    return value


FAULTS = {  # host: directly, through the gateway
    "good": ("ok", "ok"), "alias": ("ok", "ok"), "plain": ("ok", "ok"), "v1.wild": ("ok", "ok"), "tree": ("ok", "ok"),
    "nowhere": ("dns-no-such-name", "proxy-failed"), "servfail": ("dns-failed", "proxy-failed"), "private": ("private-address", "private-address"),
    "refused": ("refused", "proxy-failed"), "reset": ("reset", "reset"), "closed": ("reset", "reset"), "banner": ("not-tls", "not-tls"), "alert": ("tls-failed", "tls-failed"),
    "expired": ("expired", "expired"), "wrong": ("wrong-name", "wrong-name"), "chain": ("untrusted", "untrusted"), "other": ("other-issuer", "other-issuer"),
    "intercepted": ("intercepted", "intercepted"), "evil": ("intercepted", "intercepted"), "endless": ("http-failed", "http-failed"), "mute": ("http-failed", "http-failed"),
    "storm": ("tls-failed", "tls-failed"), "interim": ("http-failed", "http-failed"),
    "moved": ("ok", "other-leaf"), "twin": ("ok", "ok"), "slow": ("slow", "slow"), "asked": ("ok", "proxy-auth"), "denied": ("ok", "proxy-refused"), "opened": ("ok", "own-ca"),
    "old": ("tls-failed", "tls-failed"), "device13": ("ok", "ok"), "device12": ("ok", "ok"), "early": ("expired", "expired"), "error": ("ok", "ok"), "many": ("ok", "ok"),
    "six": ("ok", "ok"), "portal": ("ok", "ok"), "lobby": ("http-failed", "http-failed"),
    "asked-plain": ("ok", "proxy-auth"), "denied-plain": ("ok", "proxy-refused"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_each_failure_is_told_by_its_name(told, name):
    ways = told["by"][f"{name}.example.net"]
    assert (ways["direct"]["fault"], ways["gateway"]["fault"]) == FAULTS[name], ways
    assert "parent" not in ways
    bad = [way for way in ways.values() if way["bad"]]
    assert all(way["detail"] and way["advice"] and way["side"] for way in bad)


def test_a_good_endpoint_is_told_with_all_that_was_seen(told, lab):
    ways = told["by"]["good.example.net"]
    for way in ("direct", "gateway"):
        assert ways[way]["step"] == "done" and ways[way]["status"] == 200 and ways[way]["tls"] == "1.3"
        assert ways[way]["certificate"]["issuer"] == "Doctor test root (Microsoft Corporation)" and ways[way]["certificate"]["root"].startswith("Doctor test root")
    assert ways["direct"]["certificate"]["sha256"] == ways["gateway"]["certificate"]["sha256"]
    assert (ways["direct"]["certificate"]["as_directly"], ways["gateway"]["certificate"]["as_directly"]) == (None, True)
    twin = told["by"]["twin.example.net"]["gateway"]
    assert not twin["certificate"]["as_directly"] and twin["detail"] == "another certificate than directly, of the same issuer"
    assert ways["direct"]["address"] == place(1) and ways["direct"]["dns_ms"] is not None and ways["gateway"]["dns_ms"] is None
    assert told["by"]["alias.example.net"]["direct"]["cname"] == "edge.alias.example.org" and ways["direct"]["cname"] is None
    plain = told["by"]["plain.example.net"]
    assert plain["gateway"]["certificate"] is None and plain["gateway"]["status"] == plain["direct"]["status"] == 200
    assert not [one for request in lab.plain.requests + lab.good.requests for one in request.all("proxy-authorization")]


def test_wildcards_are_tested_by_the_known_hosts_below_them(told):
    by_host = {one["host"]: one for one in told["results"]}
    assert by_host["v1.wild.example.net"]["pattern"] == "*.wild.example.net" and by_host["v1.wild.example.net"]["list"] == "good"
    assert re.search(r"doctor.ini:\d+$", by_host["v1.wild.example.net"]["where"])
    assert by_host["tree.example.net"]["pattern"] == ".tree.example.net"
    assert by_host[None]["pattern"] == "*.unknown.example.net" and told["untested"] == 1
    assert "probe =" in by_host[None]["ways"][0]["detail"]


def test_details_say_what_exactly(told):
    def detail(name, way="direct"):
        return told["by"][f"{name}.example.net"][way]["detail"]

    assert detail("intercepted") == "issued by Interceptor (Contoso Security), which no root of the system vouches for"
    assert "Gateway CA" in detail("opened", "gateway") and "own inspection CA" in detail("opened", "gateway")
    assert "Contoso root (Contoso)" in detail("other") and "10.1.2.3" in detail("private")
    assert detail("alert").endswith("handshake failure") and "www.example.org" in detail("wrong") and detail("expired").startswith("expired 20")
    assert "issuer was not sent" in detail("chain") and "407" in detail("asked", "gateway") and "Basic" in detail("asked", "gateway")
    assert "407" in detail("asked-plain", "gateway") and "403" in detail("denied", "gateway")
    assert "DigiCert" in detail("moved", "gateway") and "speaks before" in detail("banner", "gateway") or "TLS" in detail("banner", "gateway")


def test_details_say_what_it_only_looks_like(told):
    """TLS that is too old, endpoints for devices alone, a clock that is wrong, a portal that sends browsers to itself, one address of many."""
    by = {name: told["by"][f"{name}.example.net"] for name in ("old", "device12", "device13", "early", "error", "portal", "lobby", "many", "six", "private")}
    for way in ("direct", "gateway"):
        assert by["old"][way]["detail"] == "the server knows neither TLS 1.2 nor 1.3, only what is older"
        assert all("certificate of the device's" in by[name][way]["detail"] and by[name][way]["certificate"] for name in ("device12", "device13"))
        assert re.fullmatch(r"not valid before 20\d\d-[^;]+ UTC; here it is 20\d\d-[^;]+ UTC; by the server's clock ours is \d+ days slow", by["early"][way]["detail"])
        assert by["portal"][way]["detail"] == "302 to portal.example.org: a portal, unless that is Microsoft's"
        assert by["lobby"][way]["detail"] == "511: something on the way wants a log-on"
    assert (by["device12"]["direct"]["step"], by["device13"]["direct"]["step"], by["error"]["direct"]["status"]) == ("tls", "http", 503)
    assert by["many"]["direct"]["addresses"] == 30 and by["many"]["direct"]["address"] == place(1) and by["six"]["direct"]["address"] == "2001:db8::d0c"
    assert "egress-denied" in by["private"]["gateway"]["detail"]


def on_terminal(lab, *words, interrupt=None):
    """In a terminal of 80 columns; `interrupt`: Ctrl-C as soon as it shows that. Exit code, what it showed."""
    front, back = os.openpty()
    fcntl.ioctl(back, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    child = subprocess.Popen([str(g.PROGRAM), "doctor", "-c", str(lab.folder / "doctor.ini"), *words], stdin=subprocess.DEVNULL, stdout=back, stderr=back)
    os.close(back)
    shown = b""
    with contextlib.closing(os.fdopen(front, "rb", 0)) as reader, contextlib.suppress(OSError):
        while got := reader.read(65536):
            shown += got
            if interrupt and interrupt in shown:
                child.send_signal(signal.SIGINT)
                interrupt = None
    return child.wait(60), shown.decode().replace("\r\n", "\n").rpartition("\x1b[K")[2]


def test_a_terminal_of_80_columns_is_wide_enough(doctor, lab):
    doctor("--help")  # writes the file
    code, shown = on_terminal(lab, "good", "asked", "denied", "opened", "bad", "odd")
    assert code == 1 and shown.count("\n") > 100 and max(map(len, shown.splitlines())) <= 80
    assert "\n  asked.example.net and 1 more, gateway: proxy-auth: 407 Proxy Authentication\n    Required; " in shown


def test_who_interrupts_it_sees_what_there_is(doctor, lab):
    """All but those that do not answer."""
    doctor("--help", lists="good late", parallel=1, timeout="30s")  # writes the file
    code, shown = on_terminal(lab, interrupt=b"6 of 8 endpoints")
    assert code == 130 and re.search(r"^good\.example\.net +ok \d+ ms +ok \d+ ms$", shown, re.M) and "full." not in shown and "silent." not in shown
    assert "\ninterrupted: 6 of 8 endpoints were tested\n\n0 of 6 endpoints fail, 1 could not be tested (" in shown


def test_thousands_of_endpoints_are_tested_by_the_command(doctor):
    names = "\n  ".join(f"nowhere{number}.example.net" for number in range(2000))
    done = doctor(rules=f"[list many]\nhost = {names}\n[rule many]\nhosts = @many\naction = bypass\n")
    assert done.returncode == 1 and "\n  all 2000 endpoints, direct: dns-no-such-name: the name does not exist\n" in done.stdout and "\n2000 of 2000 endpoints fail (" in done.stdout


def test_what_waits_for_ever_is_given_up(doctor):
    """In one run, and no longer than one time-out for each step."""
    done = doctor("--json", "late", timeout="500ms")
    told = {one["host"]: {way["way"]: way for way in one["ways"]} for one in schema.check("doctor", done.stdout)["results"]}
    assert told["full.example.net"]["direct"]["fault"] == "timeout" and told["silent.example.net"]["direct"]["fault"] == "dns-failed"
    assert told["full.example.net"]["gateway"]["fault"] == "proxy-failed" and "in time" in told["silent.example.net"]["gateway"]["detail"]


@pytest.fixture(scope="module")
def table(doctor):
    return doctor("good", "asked", "denied", "opened", "bad", timeout="30s")


def test_the_table_ends_with_what_to_do(table):
    text = re.sub(r"ok \d+ ms *", "ok N ms  ", table.stdout)
    text = re.sub(r"(?m) +$", "", re.sub(r"127\.0\.0\.1:\d+|\d\d\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC|\(\d+\.\d s\)|[^ ]*doctor.ini:\d+", "*", text))
    assert table.returncode == 1 and text == (Path(__file__).parent / "golden" / "doctor.txt").read_text(), text


def test_nothing_from_outside_reaches_a_terminal_raw(table):
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", table.stdout) and "Evil" in table.stdout


def test_a_company_root_in_the_system_and_issuers_of_its_own(doctor):
    """What the interceptor's root in the system's store leaves to see is the issuer; issuers = says who else is expected."""
    def fault(**options):
        done = doctor("--json", "bad", **options)
        return next(one["ways"][0]["fault"] for one in json.loads(done.stdout)["results"] if one["host"] == "other.example.net")

    assert fault(issuers="Contoso Ltd, contoso", parallel=50) == "ok" and fault(issuers="*", parallel=50) == "ok"


PARENT = "\n[parent up]\naddress = {}\n"


def test_a_parent_is_a_way_of_its_own(doctor, lab, serve):
    """One that wants a log-on, and one that serves: another gateway's listener. Where it serves, that a firewall keeps the direct way shut is no fault."""
    refuses = serve(o.Script, lambda raw, head: raw.send(b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Negotiate\r\nContent-Length: 0\r\n\r\n"), place(30), 3128)
    done = doctor("--json", "good", more=PARENT.format(f"{place(30)}:3128"), gateway="parent = up")
    ways = {one["host"]: one["ways"][1] for one in schema.check("doctor", done.stdout)["results"]}
    assert ways["good.example.net"]["fault"] == ways["plain.example.net"]["fault"] == "proxy-auth" and "Negotiate" in ways["good.example.net"]["detail"]
    assert b"CONNECT good.example.net:443 HTTP/1.1\r\nHost: good.example.net:443\r\n" in b"".join(refuses.heads)
    secret = lab.folder / "up.credentials"
    secret.write_text("gw:s3cret\n")
    secret.chmod(0o600)
    more = PARENT.format(f"{place(30)}:3128") + f"auth = basic\ncredentials = {secret}\n"
    done = doctor("--json", "good", more=more, gateway="parent = up")
    assert b"Proxy-Authorization: Basic Z3c6czNjcmV0\r\n" in refuses.heads[-1] and "Z3c6" not in done.stdout and "s3cret" not in done.stdout
    done = doctor("--json", "one", more=PARENT.format(f"127.0.0.1:{lab.gateway.port}"), gateway="parent = up", allow="10.9.0.0/16",
                  rules="[list one]\nhost = good.example.net\n[rule b]\nhosts = @one\naction = bypass\n")
    (only,) = schema.check("doctor", done.stdout)["results"]
    assert done.returncode == 0 and [way["fault"] for way in only["ways"]] == ["private-address", "ok", "ok"] and not only["failing"]
    assert only["ways"][0]["bad"] and not only["ways"][0]["counts"]
    done = doctor("one", more=PARENT.format(f"127.0.0.1:{lab.gateway.port}"), gateway="parent = up", allow="10.9.0.0/16",
                  rules="[list one]\nhost = good.example.net\n[rule b]\nhosts = @one\naction = bypass\n")
    assert "may not connect to; that does not count: rules send it through a parent\n" in done.stdout and done.stdout.count("does not count") == 1


TWO = """
[list one]
host = good.example.net
[list two]
host = http://plain.example.net

[rule one]
hosts = @one
action = bypass
parent = near far

[rule two]
hosts = @two
action = bypass
"""


def test_each_parent_that_a_rule_may_use_is_tried(doctor, lab, serve):
    """The nearer one serves; the one for the day when it fails cuts all off: that is found today. What goes directly is not sent through either."""
    cut_off = serve(o.Script, lambda raw, head: raw.send(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"), place(30), 3128)
    more = f"\n[parent near]\naddress = 127.0.0.1:{lab.gateway.port}\n[parent far]\naddress = {place(30)}:3128\n[parent idle]\naddress = {place(30)}:9\n"
    done = doctor("--json", more=more, rules=TWO)
    told = schema.check("doctor", done.stdout)
    assert [(one["name"], one["address"], one["not_tried"]) for one in told["parents"]] == [("near", f"127.0.0.1:{lab.gateway.port}", None), ("far", f"{place(30)}:3128", None)]
    good, plain = told["results"]
    assert [(way["way"], way["parent"], way["fault"]) for way in good["ways"]] == [("direct", None, "ok"), ("parent", "near", "ok"), ("parent", "far", "proxy-refused"), ("gateway", None, "ok")]
    assert good["failing"] and done.returncode == 1 and [way["way"] for way in plain["ways"]] == ["direct", "gateway"] and len(cut_off.heads) == 1
    done = doctor(more=more, rules=TWO)
    assert re.match(rf"2 endpoints, each directly, through parent near \(127\.0\.0\.1:\d+\), through parent far \({place(30)}:3128\), through the gateway at edge ", done.stdout)
    assert re.search(r"^ENDPOINT +DIRECT +PARENT near +PARENT far +GATEWAY$", done.stdout, re.M)
    assert re.search(r"^good\.example\.net +ok \d+ ms +ok \d+ ms +proxy-refused +ok \d+ ms$", done.stdout, re.M)
    assert re.search(r"^http://plain\.example\.net +ok \d+ ms +- +- +ok \d+ ms$", done.stdout, re.M)
    assert "\n  good.example.net, parent far: proxy-refused: 403 Forbidden\n" in done.stdout
    assert "good.example.net parent far proxy-refused |" in doctor("--nagios", more=more, rules=TWO).stdout
    assert 'way="parent",parent="far",fault="proxy-refused"} 1\n' in doctor("--prometheus", more=more, rules=TWO).stdout


def test_a_gateway_that_is_not_there_is_exit_code_3(doctor, lab):
    done = doctor("--json", "--via", f"127.0.0.1:{g.free_port()}", "good")
    assert done.returncode == 3 and json.loads(done.stdout)["gateway_down"]
    done = doctor("--nagios", "--via", f"127.0.0.1:{g.free_port()}", "good")
    assert done.returncode == 2 and done.stdout.startswith("POSTERN CRITICAL - ")


def test_a_gateway_that_does_not_want_this_machine_is_told_as_such(doctor, gateway):
    gw = gateway(clients="192.0.2.0/24")
    told = json.loads(doctor("--json", "--via", f"127.0.0.1:{gw.port}", "denied").stdout)
    assert {(way["fault"], way["detail"].partition(": ")[2]) for one in told["results"] for way in one["ways"][1:] if one["scheme"] == "https"} == {
        ("proxy-failed", "is this machine among the listener's clients?")}


def test_a_gateway_over_tls_and_by_name(doctor, lab, gateway, folder):
    cert, key = lab.ca.write(folder, "front")
    for path in (cert, key):
        shutil.chown(path, "nobody")
        path.chmod(0o600)
    gw = gateway(rules=LISTS, more=lab.more, resolver=DOCTOR_DNS, egress_allow="127.42.0.0/16", listener=f"tls-cert = {cert}\ntls-key = {key}")
    done = doctor("--json", "--via", f"https://127.0.0.1:{gw.port}", "good")
    assert {one["ways"][-1]["fault"] for one in json.loads(done.stdout)["results"]} == {"ok", "not-tried"}, done.stdout
    done = doctor("--json", "--via", f"localhost:{gw.port}", "good")
    assert {one["ways"][-1]["fault"] for one in json.loads(done.stdout)["results"]} == {"proxy-refused", "not-tried"}


def test_monitoring_plugins_and_prometheus(doctor):
    done = doctor("--nagios", "denied")
    assert done.returncode == 2 and re.fullmatch(r"POSTERN CRITICAL - 2 of 2 endpoints fail: denied.example.net gateway proxy-refused, http://denied-plain.example.net gateway "
                                                 r"proxy-refused \| endpoints=2;;;0 failing=2;;1;0 slow=0;1;;0 untested=0;1;;0 time=\d+\.\d\d\ds;;;0\n", done.stdout)
    done = doctor("--nagios", "good")
    assert done.returncode == 1 and done.stdout.startswith("POSTERN WARNING - 0 of 6 endpoints fail | ") and "untested=1" in done.stdout
    assert doctor("--nagios", "nosuch").returncode == 3
    done = doctor("--prometheus", "denied")
    assert 'postern_doctor_endpoint_up{host="denied.example.net",port="443",scheme="https",list="denied",way="direct"} 1\n' in done.stdout
    assert 'postern_doctor_fault{host="denied.example.net",port="443",scheme="https",list="denied",way="gateway",fault="proxy-refused"} 1\n' in done.stdout
    assert "postern_doctor_failing 2\n" in done.stdout and done.returncode == 1
    for line in done.stdout.splitlines():
        assert re.fullmatch(r'# (HELP|TYPE) postern_doctor_\w+ .*|postern_doctor_\w+(\{(\w+="[^"]*",?)+\})? [0-9.]+', line), line


def test_only_a_terminal_sees_how_far_it_is(doctor, lab):
    doctor("denied")
    front, back = os.openpty()
    try:
        done = subprocess.run([str(g.PROGRAM), "doctor", "-c", str(lab.folder / "doctor.ini"), "denied"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=back, timeout=60)
        assert os.read(front, 4096).startswith(b"\r\x1b[K0 of 2 endpoints ...") and b"\x1b" not in done.stdout
    finally:
        os.close(front)
        os.close(back)
    assert doctor("denied").stderr == ""


def test_options_say_what_is_tested(doctor):
    done = doctor("--json", lists="denied")
    assert [one["host"] for one in json.loads(done.stdout)["results"]] == ["denied.example.net", "denied-plain.example.net"]
    done = doctor("--json", lists="denied", parallel=1)
    assert done.returncode == 1
    assert doctor("nosuch").returncode == 2 and "there is no [list nosuch]" in doctor("nosuch").stderr
    assert "want HOST:PORT" in doctor("--via", "nowhere", "good").stderr
    done = doctor(lists="nosuch")
    assert done.returncode == 2 and "lists = nosuch: there is no [list nosuch]" in done.stderr
    done = doctor(rules="[list x]\nhost = *.a.example !b.a.example\nprobe = x.b.example *.c.a.example b.a.example c.a.example\n[rule r]\nhosts = @x\naction = bypass\n")
    assert done.returncode == 2 and len(re.findall(r"doctor.ini:\d+: probe = ", done.stderr)) == 3
    assert "x.b.example: no entry" in done.stderr and "a pattern cannot be connected to" in done.stderr and "takes it out" in done.stderr
    assert doctor(rules="[rule r]\naction = deny\n").returncode == 2


def test_the_shipped_endpoints_are_all_tested_in_the_time_of_the_slowest(world, serve, gateway, folder):
    """22 endpoints and more against one nginx; the world's CA is none of the system's, so that all are `intercepted`."""
    path = folder / "shipped"
    path.mkdir()
    gw = gateway(rules="[rule all]\naction = bypass\nguard = off\n", resolver=w.RESOLVER)
    shutil.copytree(g.SOURCE / "conf", path / "conf")
    ini = path / "conf" / "postern.ini"
    ini.write_text(ini.read_text().replace("[gateway]\n", f"[gateway]\nresolver = {w.RESOLVER}\n", 1))
    done = g.command("doctor", "--json", "-c", ini, "--via", f"127.0.0.1:{gw.port}")
    told = schema.check("doctor", done.stdout)
    assert told["endpoints"] >= 22 and told["untested"] == 0
    others = [(one["host"], way) for one in told["results"] for way in one["ways"] if one["scheme"] == "https" and way["fault"] != "intercepted"]
    assert not others
    plain = [one for one in told["results"] if one["scheme"] == "http"]
    assert [way["fault"] for one in plain for way in one["ways"]] == ["ok", "ok"] and told["failing"] == told["endpoints"] - 1
