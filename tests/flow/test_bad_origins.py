# SPDX-License-Identifier: MIT
"""Origins with certificates of every kind, served by one real nginx: what the client saw, and what the log says of it.

The kinds are those of Durumeric et al. (NDSS 2017), de Carné de Carnavalet and Mannan (NDSS 2016) and badssl.com. What goes wrong in TLS itself is in
test_bad_tls.py.
"""

import os
import re
import shutil
import tempfile
from pathlib import Path

import pytest

import conftest
import gateway as gateways
import inspection
import origin as origins
import world as w
from certs import CLIENT, Cert
from wire import wait_until

pytestmark = pytest.mark.filterwarnings("ignore:(SHA1|MD5) signatures are deprecated")
SITE = "origin.example.net"  # every name below it leads to w.ORIGIN
FULL = "hello from a bad one\n"


class Mill:
    """Authorities, and what they sign. `own` is known once the gateway has its CA."""

    def __init__(self):
        self.root = Cert("Root", ca=True, ends=3000)
        self.inter = Cert("Intermediate", self.root, ca=True)
        self.rsa = Cert("RSA authority", self.root, ca=True, key="rsa2048")
        self.hidden = Cert("Hidden", self.root, ca=True)  # never sent
        self.stranger = Cert("Stranger", ca=True, ends=3000)
        self.namesake = Cert("Inspection CA", ca=True, ends=3000)  # trusted, and called as our CA is
        self.dropped = Cert("Dropped authority", self.root, ca=True)
        self.revoked = []
        self.staples = {}
        self.own = None

    def leaf(self, host, by=None, **more):
        by = by or self.inter
        return Cert("", by, names=[host], **more), by

    def drop(self, host):
        made = self.leaf(host)
        self.revoked.append(made[0])
        return made

    def staple(self, host, staple=False, **more):
        leaf, by_whom = self.leaf(host, staple=staple)
        self.staples[host] = leaf.staple(**more)
        return leaf, by_whom

    def below(self, host, authority, *chain, **more):
        """A leaf, its authority and what is above."""
        return Cert("", authority, names=[host], **more), authority, *chain

    def ca(self, name, by=None, **more):
        return Cert(name, by or self.root, ca=True, **more)

    def deep(self, host, levels, **more):
        """So many authorities one below the other."""
        chain = [self.ca("Level 0", **more)]
        for level in range(1, levels):
            chain.insert(0, self.ca(f"Level {level}", chain[0]))
        return self.below(host, *chain)

    def cross(self, host):
        """An issuer below the stranger, who is below the root as well."""
        inter = self.ca("Cross-signed issuer", self.stranger)
        return self.below(host, inter, self.stranger, Cert("Stranger", self.root, ca=True, key=self.stranger.key))

    def two_ways(self, host):
        """An issuer whose first certificate has expired; the other has not."""
        old, new = self.ca("Issuer twice", ends=-1), self.ca("Issuer twice")
        return self.below(host, old, new)


# (name, how it is made, fault less its origin-cert-, what the detail says); the name is the host's first label
BAD = [
    # when
    ("expired", lambda m, h: m.leaf(h, ends=-1), "expired", "expired 20"),
    ("not-yet-valid", lambda m, h: m.leaf(h, begins=2), "not-yet-valid", "not valid before 20"),
    ("authority-expired", lambda m, h: m.below(h, m.ca("Old authority", ends=-1)), "expired", "(authority Old authority)"),
    # who vouches
    ("self-signed", lambda m, h: (Cert("Myself", names=[h]),), "self-signed", "signed by itself: Myself"),
    ("untrusted", lambda m, h: m.below(h, m.stranger), "untrusted", "the root is not trusted here: Stranger"),
    ("untrusted-not-sent", lambda m, h: m.leaf(h, m.stranger)[:1], "incomplete", "not known: Stranger"),
    ("incomplete", lambda m, h: m.leaf(h, m.hidden)[:1], "incomplete", "not known: Hidden, and no URL to get it from"),
    ("incomplete-private-url", lambda m, h: m.leaf(h, m.hidden, aia="http://loopback.example.net/hidden.der")[:1], "incomplete", "not known: Hidden"),
    ("incomplete-https-url", lambda m, h: m.leaf(h, m.hidden, aia="https://20.42.0.20/hidden.der")[:1], "incomplete", "not known: Hidden"),
    ("incomplete-no-such-file", lambda m, h: m.leaf(h, m.hidden, aia=f"http://{w.ORIGIN}/none.der")[:1], "incomplete", "not known: Hidden"),
    ("incomplete-wrong-file", lambda m, h: m.leaf(h, m.hidden, aia=f"http://{w.ORIGIN}/inter.der")[:1], "incomplete", "not known: Hidden"),
    ("forged", lambda m, h: m.below(h, Cert("Intermediate", m.root, ca=True, key=m.stranger.key))[:1] + (m.inter,), "invalid", "signature"),
    ("own-ca", lambda m, h: m.below(h, m.own), "own-ca", "this gateway's inspection authority"),
    ("own-ca-not-sent", lambda m, h: m.leaf(h, m.own)[:1], "own-ca", "this gateway's inspection authority"),
    ("own-name", lambda m, h: m.below(h, m.namesake), "own-ca", "or to one of its name"),
    # taken back
    ("revoked", lambda m, h: m.drop(h), "revoked", "by a CRL"),
    ("revoked-authority", lambda m, h: m.below(h, m.dropped), "revoked", "by a CRL: authority Dropped authority"),
    ("revoked-by-staple", lambda m, h: m.staple(h, revoked=True), "revoked", "by the stapled OCSP answer"),
    ("revoked-by-old-staple", lambda m, h: m.staple(h, revoked=True, since=-9, until=-3), "revoked", "by the stapled OCSP answer"),
    ("must-staple", lambda m, h: m.leaf(h, staple=True), "invalid", "demands a stapled OCSP answer"),
    ("must-staple-old", lambda m, h: m.staple(h, staple=True, since=-9, until=-3), "invalid", "demands a stapled OCSP answer"),
    # for whom
    ("wrong-host", lambda m, h: m.leaf("elsewhere.example.org"), "wrong-host", "it is for elsewhere.example.org"),
    ("common-name-only", lambda m, h: (Cert(h, m.inter), m.inter), "wrong-host", "the common name does not count"),
    ("common-name-beside", lambda m, h: (Cert(h, m.inter, names=["elsewhere.example.org"]), m.inter), "wrong-host", "it is for elsewhere.example.org"),
    ("wildcard-too-high", lambda m, h: m.leaf("*.example.net"), "wrong-host", "*.example.net"),
    ("wildcard-alone", lambda m, h: m.leaf("*"), "wrong-host", ""),
    ("wildcard-of-all-net", lambda m, h: m.leaf("*.net"), "wrong-host", ""),
    ("wildcard-partial", lambda m, h: m.leaf(f"wild*.{SITE}"), "wrong-host", ""),
    ("wildcard-inside", lambda m, h: m.leaf(f"{h.split('.')[0]}.*.example.net"), "wrong-host", ""),
    ("wildcard-twice", lambda m, h: m.leaf("*.*.example.net"), "wrong-host", ""),
    ("nul", lambda m, h: m.leaf(f"{h}\0.example.org"), "wrong-host", ""),
    ("blank", lambda m, h: m.leaf(f"{h} "), "wrong-host", ""),
    ("address-for-a-name", lambda m, h: m.leaf(w.ORIGIN), "wrong-host", f"it is for {w.ORIGIN}"),
    # for what
    ("client-only", lambda m, h: m.leaf(h, eku=(CLIENT,)), "bad-usage", "extended key usage"),
    ("no-usage", lambda m, h: (Cert("", m.rsa, names=[h], key="rsa2048", ca=True, sign=True), m.rsa), "bad-usage", "key usage"),
    ("constrained", lambda m, h: m.below(h, m.ca("Of one company", permitted=["example.com"])), "constrained", "name constraint"),
    ("constrained-excluded", lambda m, h: m.below(h, m.ca("Of no net", excluded=["example.net"])), "constrained", "name constraint"),
    ("constrained-two-up", lambda m, h: m.below(h, *(lambda top: (m.ca("Below it", top), top))(m.ca("Of one company", permitted=["example.com"]))), "constrained",
     "name constraint"),
    # the chain
    ("path-length", lambda m, h: m.deep(h, 3, pathlen=1), "bad-chain", "more authorities than the path length allows"),
    ("by-a-server", lambda m, h: m.below(h, Cert("A small server", m.inter, names=["small.example.net"]), m.inter), "bad-chain", "may not sign others"),
    ("by-no-authority", lambda m, h: m.below(h, m.ca("No basicConstraints", basic=False), m.root), "bad-chain", "may not sign others"),
    ("by-no-signer", lambda m, h: m.below(h, m.ca("No keyCertSign", sign=False), m.root), "bad-chain", "may not sign others"),
    ("too-deep", lambda m, h: m.deep(h, 12), "bad-chain", "the chain is longer than"),
    # how well
    ("sha1", lambda m, h: m.leaf(h, digest="sha1"), "weak-signature", "signed with ecdsa-with-SHA1"),
    ("sha1-rsa", lambda m, h: m.leaf(h, m.rsa, digest="sha1"), "weak-signature", "signed with sha1WithRSAEncryption"),
    ("md5", lambda m, h: m.leaf(h, m.rsa, digest="md5"), "weak-signature", "signed with md5WithRSAEncryption"),
    ("sha1-authority", lambda m, h: m.below(h, m.ca("Old hash", digest="sha1")), "weak-signature", "(authority Old hash)"),
    ("rsa-1024", lambda m, h: m.leaf(h, m.rsa, key="rsa1024"), "weak-key", "an RSA key of 1024 bits"),
    ("rsa-1024-authority", lambda m, h: m.below(h, m.ca("Short key", key="rsa1024")), "weak-key", "an RSA key of 1024 bits (authority Short key)"),
    ("rsa-512-authority", lambda m, h: m.below(h, m.ca("Tiny key", key="rsa512")), "weak-key", "an RSA key of 512 bits (authority Tiny key)"),
    ("p192-authority", lambda m, h: m.below(h, m.ca("Small curve", key="p192")), "weak-key", "an EC key of 192 bits (authority Small curve)"),
]

# The handshake itself cannot be with such a key, or within such bounds: (name, how it is made, fault, what the detail says)
BROKEN = [
    ("rsa-512", lambda m, h: m.leaf(h, m.rsa, key="rsa512"), "origin-tls-weak", "handshake_failure"),
    ("p192", lambda m, h: m.leaf(h, key="p192"), "origin-tls-weak", "handshake_failure"),
    ("p224", lambda m, h: m.leaf(h, key="p224"), "origin-tls-weak", "handshake_failure"),
    ("names-10000", lambda m, h: (Cert("", m.inter, names=[h, *(f"n{i:05}.example.net" for i in range(10000))]), m.inter), "origin-tls-failed", "excessive message size"),
    ("chain-100-kib", lambda m, h: (*m.leaf(h), *[m.inter] * 400), "origin-tls-failed", "excessive message size"),
]

# (name, how it is made, what the log notes of it; None: nothing)
GOOD = [
    ("ecdsa", lambda m, h: m.leaf(h), None),
    ("p384", lambda m, h: m.leaf(h, key="p384", digest="sha384"), None),
    ("p521", lambda m, h: m.leaf(h, key="p521"), None),
    ("ed25519", lambda m, h: m.leaf(h, key="ed25519"), None),
    ("rsa", lambda m, h: m.leaf(h, m.rsa, key="rsa2048"), None),
    ("wildcard", lambda m, h: m.leaf(f"*.{SITE}"), None),
    (".".join("a" * 61), lambda m, h: m.leaf(h), None),  # a name of 64 labels
    ("capitals", lambda m, h: m.leaf(h.upper()), None),
    ("common-name-of-another", lambda m, h: (Cert("elsewhere.example.org", m.inter, names=[h]), m.inter), None),
    ("root-sent-too", lambda m, h: (*m.leaf(h), m.root), None),
    ("out-of-order", lambda m, h: (m.deep(h, 3)[0], *reversed(m.deep(h, 3)[1:])), None),
    ("strangers-between", lambda m, h: (m.leaf(h)[0], m.stranger, m.namesake, m.inter), None),
    ("cross-signed", lambda m, h: m.cross(h), None),
    ("two-ways", lambda m, h: m.two_ways(h), None),
    ("permitted", lambda m, h: m.below(h, m.ca("Of this net", permitted=["example.net"], excluded=["bad.example.net"])), None),
    ("path-length-kept", lambda m, h: m.deep(h, 2, pathlen=1), None),
    ("names-2000", lambda m, h: (Cert("", m.inter, names=[h, *(f"n{i:05}.example.net" for i in range(2000))]), m.inter), None),
    ("aia", lambda m, h: m.leaf(h, m.hidden, aia=f"http://{w.ORIGIN}/hidden.der")[:1], None),
    ("aia-allowed", lambda m, h: m.leaf(h, m.hidden, aia="http://127.0.0.2/hidden.der?allowed")[:1], None),
    ("staple", lambda m, h: m.staple(h), None),
    ("staple-demanded", lambda m, h: m.staple(h, staple=True), None),
    ("staple-old", lambda m, h: m.staple(h, since=-9, until=-3), "stapled OCSP answer ignored: it is out of date"),
    ("staple-forged", lambda m, h: m.staple(h, forged=True), "stapled OCSP answer ignored: its signature is wrong"),
    ("staple-forged-revoked", lambda m, h: m.staple(h, forged=True, revoked=True), "stapled OCSP answer ignored: its signature is wrong"),
    ("staple-of-another", lambda m, h: m.staple(h, about=m.leaf("elsewhere.example.org")[0]), "stapled OCSP answer ignored: it is about another certificate"),
]

# What a rule lets through: one of BAD for each kind there is
KINDS = {"expired": "expired", "not-yet-valid": "not-yet-valid", "wrong-host": "wrong-host", "self-signed": "self-signed", "untrusted": "untrusted",
         "incomplete": "incomplete", "weak-signature": "sha1", "weak-key": "rsa-1024", "bad-usage": "client-only", "constrained": "constrained",
         "bad-chain": "path-length", "invalid": "must-staple"}
NEVER = ("revoked", "revoked-by-staple", "revoked-authority", "own-ca", "own-name")

# Several things are wrong at once, and each rule has an answer to one of them only
TWICE = {
    "self-signed-expired": lambda m, h: (Cert("Myself", names=[h], ends=-1),),
    "self-signed-wrong-host": lambda m, h: (Cert("Myself", names=["elsewhere.example.org"]),),
    "self-signed-wrong-host-expired": lambda m, h: (Cert("Myself", names=["elsewhere.example.org"], ends=-1),),
}

RULES = f"""
[rule block]
hosts = *.block.{SITE}
action = inspect
auth = none
""" + "".join(f"""
[rule {name}]
hosts = *.{name}.{SITE}
action = inspect
auth = none
on-bad-origin = {answer}
""" for name, answer in (("pass", "pass"), ("warn", "warn"), ("twice", "self-signed:pass expired:pass"), ("twicewarn", "self-signed:pass wrong-host:pass expired:warn"))) + f"""
[rule onlyonepasses]
hosts = self-signed.{SITE}
clients = 127.0.0.2
action = inspect
auth = none
on-bad-origin = self-signed:pass
""" + inspection.RULES


def hosts():
    """host -> how its certificates are made"""
    makers = {name: make for name, make, *_ in BAD + BROKEN + GOOD}
    found = {f"{name}.{SITE}": make for name, make in makers.items()}
    for rule in ("pass", "warn"):
        found.update({f"{name}.{rule}.{SITE}": makers[name] for name in (*KINDS.values(), *NEVER)})
    found.update({f"{name}.{rule}.{SITE}": make for name, make in TWICE.items() for rule in ("twice", "twicewarn")})
    found["xn--bcher-kva.example.net"] = lambda m, h: m.leaf(h)
    return found


def nginx(world, folder, mill):
    """One server for each host; that without a name has a certificate for its address."""
    servers = []

    def server(cert, key, words, staple=None):
        stapling = f"ssl_stapling on; ssl_stapling_file {staple};" if staple else ""
        servers.append(f"server {{ {words} ssl_certificate {cert}; ssl_certificate_key {key}; {stapling} include {folder}/common.conf; }}\n")

    server(*Cert("", mill.inter, names=[w.ORIGIN]).write(folder, "default", mill.inter), f"listen {w.ORIGIN}:443 ssl default_server backlog=4096; server_name _;")
    server(*Cert("", mill.inter, names=[f"*.{SITE}"]).write(folder, "other", mill.inter), f"listen {w.OTHER}:443 ssl default_server; server_name _;")
    for number, (host, make) in enumerate(hosts().items()):
        leaf, *chain = make(mill, host)
        staple = None
        if host in mill.staples:
            staple = folder / f"{number}.ocsp"
            staple.write_bytes(mill.staples[host])
        server(*leaf.write(folder, str(number), *chain), f"listen {w.ORIGIN}:443 ssl; server_name {host};", staple)
    for name in ("hidden", "inter"):
        (folder / f"{name}.der").write_bytes(getattr(mill, name).der())
    (folder / "common.conf").write_text(f"ssl_protocols TLSv1.2 TLSv1.3; location / {{ default_type text/html; return 200 '{FULL}'; }}")
    (folder / "crl.pem").write_bytes(mill.inter.crl(*mill.revoked) + mill.root.crl(mill.dropped))
    # nginx would not take such keys and hashes under the system's own level
    (folder / "openssl.cnf").write_text("openssl_conf = a\n[a]\nssl_conf = b\n[b]\nsystem_default = c\n[c]\nCipherString = DEFAULT@SECLEVEL=0\n")
    (folder / "nginx.conf").write_text(f"""daemon off; pid {folder}/nginx.pid; error_log stderr warn; worker_processes 1; user root;
events {{ worker_connections 4096; }}
http {{
  server_names_hash_bucket_size 256; server_names_hash_max_size 4096; large_client_header_buffers 4 16k;
  access_log {folder}/access.log; log_format where '$server_addr $request_uri';
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  {"".join(servers)}
  server {{ listen {w.ORIGIN}:80; listen 127.0.0.1:80; listen 127.0.0.2:80; access_log {folder}/aia.log where; root {folder};
    location / {{ default_type application/pkix-cert; }} }}
}}
""")
    child = world.start("nginx", "-c", str(folder / "nginx.conf"), "-p", str(folder), env={**os.environ, "OPENSSL_CONF": str(folder / "openssl.cnf")})

    def listens():
        assert child.poll() is None, (world.folder / "nginx.log").read_text()[-3000:]
        return (folder / "nginx.pid").exists() and (folder / "nginx.pid").read_text()

    wait_until(listens, "nginx")
    return child


class Place:
    """The gateway and the origins that all tests here share."""

    def __init__(self, world, folder, start):
        self.world, self.folder, self.mill = world, folder, Mill()
        (folder / "crl.pem").write_bytes(b"")
        roots = folder / "roots.pem"
        roots.write_bytes(self.mill.root.pem() + self.mill.namesake.pem() + world.ca.read_bytes())
        cert, key = inspection.ca(folder)
        self.mill.own = Cert.read(cert, key)
        self.nginx = nginx(world, folder, self.mill)
        self.here = inspection.Inspecting(start, world, folder, rules=RULES, authority=(cert, key), trust=roots, crl=folder / "crl.pem",
                                          gateway_options={"egress_allow": "127.0.0.2/32"})
        self.gw = self.here.gw


@pytest.fixture(scope="module")
def place(world):
    folder = Path(tempfile.mkdtemp(prefix="postern-flow-"))
    folder.chmod(0o755)
    with conftest.gateways_of(folder, gateways.Gateway) as start:
        one = Place(world, folder, start)
        yield one
        one.nginx.terminate()
        one.nginx.wait(20)
    if not os.environ.get("FLOW_KEEP"):
        shutil.rmtree(folder, ignore_errors=True)


def rows(table):
    return [pytest.param(*row[0:1], *row[2:], id=row[0]) for row in table]


def blocked(place, host, kind, says):
    outer, inner = place.here.blocked(host, 502, f"origin-cert-{kind}", says)
    assert outer["origin_issuer"]
    return outer, inner


@pytest.mark.parametrize("name, kind, says", rows(BAD))
def test_bad(place, name, kind, says):
    assert blocked(place, f"{name}.{SITE}", kind, says)[0]["tls_origin"].startswith("TLSv1.3/")


@pytest.mark.parametrize("name, fault, says", rows(BROKEN))
def test_no_handshake(place, name, fault, says):
    outer, _ = place.here.blocked(f"{name}.{SITE}", 502, fault, says)
    assert not outer["origin_issuer"]


@pytest.mark.parametrize("name, note", rows(GOOD))
def test_good(place, name, note):
    host = f"{name}.{SITE}"
    assert place.here.look(host) == (200, FULL)
    outer, inner = place.here.lines(host)
    assert inner["fault"] is None and outer["fault"] is None and outer["tls_detail"] == note and outer["origin_issuer"]
    assert outer["tls_origin"].startswith("TLSv1.3/")


@pytest.mark.parametrize("target, names, says", [(w.ORIGIN, None, ""), (w.OTHER, "wrong-host", f"it is for *.{SITE}")])
def test_address(place, target, names, says):
    """A CONNECT to an address, whose TLS names no server."""
    if names:
        blocked(place, target, names, says)
    else:
        assert place.here.look(target) == (200, FULL)


def test_idn(place):
    assert place.here.look("xn--bcher-kva.example.net") == (200, FULL)


def test_issuers_are_fetched_from_where_clients_may_go(place):
    """And once only."""
    for name in ("incomplete-private-url", "incomplete-https-url", "incomplete-no-such-file", "incomplete-wrong-file", "aia", "aia-allowed"):
        place.here.look(f"{name}.{SITE}")
        place.here.look(f"{name}.{SITE}")
    asked = (place.folder / "aia.log").read_text().split("\n")
    assert sorted(filter(None, asked)) == sorted(["127.0.0.2 /hidden.der?allowed", f"{w.ORIGIN} /hidden.der", f"{w.ORIGIN} /inter.der", f"{w.ORIGIN} /none.der"])


@pytest.mark.parametrize("name, kind", [pytest.param(name, kind, id=kind) for kind, name in KINDS.items()])
def test_passed(place, name, kind):
    """The client gets the content only if it does not look, for the leaf is by an authority that nobody trusts."""
    host = f"{name}.pass.{SITE}"
    assert place.here.look(host, check=False)[0] == 0
    assert place.gw.record(method="CONNECT", host=host)["fault"] == "client-rejected-certificate"
    assert place.here.look(host, verify=False) == (200, FULL)
    outer, inner = place.here.lines(host)
    assert inner["status"] == 200 and inner["fault"] is None and inner["origin_issuer"] == outer["origin_issuer"]
    says = next(row[3] for row in BAD if row[0] == name)
    assert says in inner["tls_detail"] and says in outer["tls_detail"]


@pytest.mark.parametrize("name, kind", [pytest.param(name, kind, id=kind) for kind, name in KINDS.items()])
def test_warned(place, name, kind):
    """The page says what is wrong; who goes on gets the content."""
    host, jar = f"{name}.warn.{SITE}", place.folder / f"{name}.jar"
    words = ("-b", jar, "-c", jar, "-H", "Accept: text/html")
    assert place.here.look(host, *words, check=False)[0] == 0
    assert place.here.look(host, verify=False)[0] == 502
    assert place.here.lines(host)[1]["fault"] == f"origin-cert-{kind}"
    status, page = place.here.look(host, *words, verify=False)
    assert status == 502 and FULL not in page and next(row[3] for row in BAD if row[0] == name) in page
    action = re.search(r'<form method="post" action="https://[^/]*(/[^"]*)"', page)[1].replace("&amp;", "&")
    place.here.seen[host] += 1
    done = place.gw.curl("-k", *words, "-X", "POST", "-H", "Content-Length: 0", "-o", "/dev/null", "-w", "%{http_code}", f"https://{host}{action}")
    assert done.stdout == b"303"
    assert place.here.look(host, *words, verify=False) == (200, FULL)
    assert place.here.look(host, verify=False)[0] == 502  # another browser


@pytest.mark.parametrize("rule", ["pass", "warn"])
@pytest.mark.parametrize("name", NEVER)
def test_never_passed(place, name, rule):
    kind, says = next(row[2:] for row in BAD if row[0] == name)
    blocked(place, f"{name}.{rule}.{SITE}", kind, says)
    assert place.here.look(f"{name}.{rule}.{SITE}", "-H", "Accept: text/html")[1].count("<form") == 0


def test_of_several_faults_the_strictest_answer_counts(place):
    assert place.here.look(f"self-signed-expired.twice.{SITE}", verify=False) == (200, FULL)
    assert place.here.look(f"self-signed-wrong-host.twicewarn.{SITE}", verify=False) == (200, FULL)
    for name, says in (("self-signed-wrong-host", "it is for elsewhere.example.org"), ("self-signed-wrong-host-expired", "it is for elsewhere.example.org")):
        outer, _ = blocked(place, f"{name}.twice.{SITE}", "self-signed", "signed by itself: Myself")
        assert says in outer["tls_detail"]
    assert place.here.look(f"self-signed-wrong-host-expired.twicewarn.{SITE}", verify=False)[0] == 502
    assert "<form" in place.here.look(f"self-signed-wrong-host-expired.twicewarn.{SITE}", "-H", "Accept: text/html", verify=False)[1]


def test_what_one_rule_lets_through_another_does_not(place):
    host = f"self-signed.{SITE}"
    other = ("--interface", "127.0.0.2")
    for _ in range(2):
        assert place.here.look(host, *other, verify=False) == (200, FULL)
        blocked(place, host, "self-signed", "signed by itself")


def ask(t, host):
    return t.send(f"GET / HTTP/1.1\r\nHost: {host}:8443\r\n\r\n").response()


def once(_request, wire):
    """Each request has a connection of its own."""
    wire.send(f"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {len(FULL)}\r\n\r\n{FULL}")
    return False


def test_an_origin_that_is_let_through_may_not_become_worse(place, serve, folder):
    """The same certificate comes again, with the chain that tells that its authority was revoked."""
    host = f"worse.pass.{SITE}"
    leaf, authority = place.mill.leaf(host, place.mill.dropped)
    server = serve(origins.Https, *leaf.write(folder, "alone"), w.ORIGIN, 8443, answer=once)
    with place.here.inside(f"{host}:8443", verify=False) as t:
        assert ask(t, host).status == 200 and ask(t, host).status == 200
        server.close()
        server = serve(origins.Https, *leaf.write(folder, "chain", authority), w.ORIGIN, 8443, answer=once)
        answer = ask(t, host)
        assert answer.status == 502 and b"authority Dropped authority" in answer.body and server.requests == []
    assert place.gw.record(method="GET", host=host, status=502)["fault"] == "origin-cert-revoked"


def test_an_origin_that_was_good_is_judged_at_each_connection(place, serve, folder):
    host = f"turns.{SITE}"
    leaf, authority = place.mill.leaf(host)
    server = serve(origins.Https, *leaf.write(folder, "good", authority), w.ORIGIN, 8443, answer=once)
    with place.here.inside(f"{host}:8443") as t:
        assert ask(t, host).status == 200
    place.gw.record(method="CONNECT", host=host)
    server.close()
    server = serve(origins.Https, *Cert("Myself", names=[host]).write(folder, "bad"), w.ORIGIN, 8443, answer=once)
    for number in (1, 2):  # first it is remembered as good, so that the leaf is made after the certificate that it had
        with place.here.inside(f"{host}:8443") as t:
            answer = ask(t, host)
            assert answer.status == 502 and b"signed by itself" in answer.body
        assert place.gw.record(1 + number, method="CONNECT", host=host)["fault"] == (None if number == 1 else "origin-cert-self-signed")
        assert place.gw.record(number, method="GET", host=host, status=502)["fault"] == "origin-cert-self-signed"
    assert server.requests == []
    server.close()
    server = serve(origins.Https, folder / "good.pem", folder / "good.key", w.ORIGIN, 8443, answer=once)
    with place.here.inside(f"{host}:8443") as t:
        assert ask(t, host).status == 200
