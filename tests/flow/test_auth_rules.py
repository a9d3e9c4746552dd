# SPDX-License-Identifier: MIT
"""Rules about people of a domain: who is let in by names, groups and SIDs, however they log on; and the three ways of Microsoft's documents."""

import re

import gateway as gateways
import lab as labs
import logon
import pytest
import wire

PEOPLE = {"alice", "bob", "mallory", "WS01$"}
STAFF = {"alice", "bob"}
BELOW = "rules.example.net"


def rows(lab):
    """host, conditions, whom they let in"""
    sid = {name: lab.run("wbinfo", "-n", f"CORP\\{name}").stdout.split()[0] for name in ("Proxy Users", "Domain Computers", "bob")}
    return [
        ("name", r"users = CORP\alice", {"alice"}),
        ("case", r"users = corp\ALICE, Corp\ws01$", {"alice", "WS01$"}),
        ("realm", "users = alice@CORP.EXAMPLE", {"alice"}),
        ("not-realm", "users = CORP\\*, !alice@CORP.EXAMPLE", PEOPLE - {"alice"}),
        ("domain", r"users = CORP\*", PEOPLE),
        ("other-domain", r"users = OTHER\*, alice", set()),
        ("glob", r"users = *l*", {"alice", "mallory"}),
        ("computers", "users = computers", {"WS01$"}),
        ("dollar", "users = *$", {"WS01$"}),
        ("not-computers", "users = !computers", PEOPLE - {"WS01$"}),
        ("negated", r"users = !CORP\alice", PEOPLE - {"alice"}),
        ("group", r"groups = CORP\Proxy Users", STAFF),
        ("group-anywhere", "groups = proxy users", STAFF),
        ("group-glob", r"groups = CORP\Proxy*", STAFF),
        ("sid", f"groups = {sid['Proxy Users']}", STAFF),
        ("machines", r"groups = CORP\Domain Computers", {"WS01$"}),
        ("machines-sid", f"groups = {sid['Domain Computers']}", {"WS01$"}),
        ("not-group", r"groups = !CORP\Proxy Users", PEOPLE - STAFF),
        ("not-sid", f"groups = !{sid['Proxy Users']}", PEOPLE - STAFF),
        ("both", "users = !CORP\\bob\ngroups = CORP\\Proxy Users", {"alice"}),
        ("or-machine", "users = CORP\\alice, computers\ngroups = CORP\\Proxy Users, CORP\\Domain Computers", {"alice", "WS01$"}),
    ]


@pytest.fixture(scope="module")
def table(lab):
    return rows(lab)


@pytest.fixture(scope="module")
def names(lab, table):
    """The hosts of the rules, and Microsoft's, at the origin."""
    hosts = lab.folder / "hosts"
    known = hosts.read_text()
    mine = [f"{host}.{BELOW}" for host in ["nobody", "plain", *(row[0] for row in table)]] + ["v10.events.data.microsoft.com", "adl.windows.com"]
    hosts.write_text(known + "".join(f"{lab.origin_address} {name}\n" for name in mine))
    yield
    hosts.write_text(known)


@pytest.fixture(scope="module")
def gw(lab, names, table, lab_gateway_kept):
    """Asked for by all rules: after the first that asks, who asks is known or the request is at its end."""
    rules = "".join(f"[rule {host}]\nhosts = {host}.{BELOW}\n{conditions}\naction = tunnel\n" for host, conditions, _ in table)
    rules += f"[rule nobody]\nhosts = nobody.{BELOW}\nusers = nobody\naction = tunnel\nauth = none\n"
    keytab = lab.keytab("rules", f"HTTP/proxy.{labs.DNS}")
    return lab_gateway_kept(rules, auth={"schemes": "negotiate ntlm basic", "domain": "winbind", "keytab": keytab, "basic": "winbind", "basic_without_tls": "yes"})


def urls(table):
    return [f"http://{host}.{BELOW}/who" for host, _, _ in table]


def by_ntlm(lab, gw, user, table):
    with gw.connect() as c:
        n = logon.Ntlm(user)
        first = urls(table)[0]
        answer = c.send(wire.get(first, fields=n.first())).response()
        yield c.send(wire.get(first, fields=n.then(answer))).response().status
        for url in urls(table)[1:]:
            yield c.send(wire.get(url)).response().status


def by_basic(lab, gw, user, table):
    with gw.connect() as c:
        for url in urls(table):
            yield c.send(wire.get(url, fields=logon.basic(user, labs.password(user)))).response().status


def by_ticket(lab, gw, user, table):
    done = gw.curl("--proxy-negotiate", "-U", ":", *urls(table), env=lab.kinit(user))
    return [int(status) for status in re.findall(r"^status \d+ (\d+)$", done.stderr.decode(), re.M)]


@pytest.mark.parametrize("user", sorted(PEOPLE))
@pytest.mark.parametrize("way, scheme", [(by_ntlm, "NTLM"), (by_ticket, "Negotiate/Kerberos"), (by_basic, "Basic")], ids=["ntlm", "kerberos", "basic"])
def test_rules_mean_the_same_people_however_they_log_on(lab, gw, table, way, scheme, user):
    """Who is known and not meant gets 403, never another 407."""
    if (way, user) == (by_basic, "WS01$"):
        assert set(way(lab, gw, user, table)) == {407}, "winbindd takes no plain passwords of machines"
        return
    got = dict(zip([row[0] for row in table], way(lab, gw, user, table)))
    assert got == {host: 200 if user in who else 403 for host, _, who in table}
    for host, _, who in (table[0], table[-1]):
        line = gw.record(host=f"{host}.{BELOW}", auth_scheme=scheme, user=f"CORP\\{user}")
        assert (line["rule"], line["fault"]) == ((host, None) if user in who else (None, "no-rule"))
        assert ("CORP\\Proxy Users" in line["groups"]) == (user in STAFF)


def test_nobody_is_who_brings_no_credentials(gw):
    url = f"http://nobody.{BELOW}/who"
    assert gw.get(url).status == 200
    line = gw.record(rule="nobody")
    assert (line["user"], line["auth_scheme"]) == (None, None)
    assert gw.get(url, fields=logon.basic("alice", labs.password("alice"))).status == 403
    assert gw.get(f"http://plain.{BELOW}/").status == 403, "no rule is about it: no reason to ask"


# --- the three ways ---

ENDPOINT, PLAIN_ENDPOINT = "v10.events.data.microsoft.com", "adl.windows.com"
WAYS = {
    "bypass": "",
    "user": "auth = required\nusers = CORP\\*, !computers\n",
    "device": "auth = required\ngroups = CORP\\Domain Computers\n",
}


@pytest.fixture(scope="module")
def way(lab, names, lab_gateway_kept):
    """way("device"): a gateway whose rule for the endpoints lets those in; everything else asks for staff."""
    keytab = lab.keytab("ways", f"HTTP/proxy.{labs.DNS}")
    made = {}

    def of(kind):
        if kind not in made:
            rules = f"""
[list diagnostics]
file = {gateways.SOURCE}/conf/lists/microsoft-clients.list
[rule diagnostics]
hosts = @diagnostics
{WAYS[kind]}action = bypass
[rule rest]
hosts = {labs.ORIGIN}
groups = CORP\\Proxy Users
action = tunnel
"""
            made[kind] = lab_gateway_kept(rules, auth={"schemes": "negotiate ntlm basic", "domain": "winbind", "keytab": keytab, "basic": "winbind", "basic_without_tls": "yes"})
        return made[kind]

    return of


BOTH = [f"https://{ENDPOINT}/who", f"http://{PLAIN_ENDPOINT}/who"]


def visit(lab, gw, url, who):
    """A device or a person at the endpoint: the status, that of the CONNECT where the gateway refuses it."""
    credentials = {
        "stranger": [],
        "alice by ntlm": ["--proxy-ntlm", "-U", f"CORP\\alice:{labs.password('alice')}"],
        "WS01$ by ntlm": ["--proxy-ntlm", "-U", f"CORP\\WS01$:{labs.password('WS01$')}"],
        "alice by ticket": ["--proxy-negotiate", "-U", ":"],
        "WS01$ by ticket": ["--proxy-negotiate", "-U", ":"],
        "alice by basic": ["--proxy-basic", "-U", f"alice:{labs.password('alice')}"],
    }[who]
    env = lab.kinit(who.split()[0]) if "ticket" in who else None
    done = gw.curl("-k", *credentials, url, env=env, check=False)
    return done.status or done.connect_status, done.stdout


@pytest.mark.parametrize("url", BOTH, ids=["https", "http"])
@pytest.mark.parametrize("kind, lets_in, keeps_out", [
    ("bypass", ["stranger", "alice by ntlm", "WS01$ by ticket", "alice by basic"], []),
    ("user", ["alice by ntlm", "alice by ticket", "alice by basic"], ["WS01$ by ntlm", "WS01$ by ticket"]),
    ("device", ["WS01$ by ntlm", "WS01$ by ticket"], ["alice by ntlm", "alice by ticket"]),
], ids=["bypass", "user", "device"])
def test_the_three_ways_of_microsofts_documents(lab, way, kind, lets_in, keeps_out, url):
    gw = way(kind)
    host = url.split("/")[2]
    for who in lets_in:
        status, body = visit(lab, gw, url, who)
        assert (status, body) == (200, f"{url.split(':')[0]} {host} auth= proxy=\n".encode()), who
    for who in keeps_out:
        assert visit(lab, gw, url, who)[0] == 403, who
    if kind != "bypass":
        assert visit(lab, gw, url, "stranger")[0] == 407
        gw.record(host=host, status=200, rule="diagnostics", action="bypass", user="CORP\\" + lets_in[0].split()[0])
        gw.record(host=host, status=403, user="CORP\\" + keeps_out[0].split()[0])
    else:
        lines = [line for line in gw.records() if line["host"] == host]
        assert {(line["status"], line["user"], line["auth_scheme"], line["rule"]) for line in lines} == {(200, None, None, "diagnostics")}
    assert visit(lab, gw, f"http://{labs.ORIGIN}/who", "stranger")[0] == 407, "the rest asks as ever"
    assert visit(lab, gw, f"http://{labs.ORIGIN}/who", "WS01$ by ticket")[0] == 403


STALE = ["NTLM " + "TlRMTVNTUAADAAAA" + "A" * 80, "Basic Ym9iOndyb25n", "Negotiate YIIrandom", "Basic", "", "Digest username=x", "NTLM " + "A" * 20000]


@pytest.mark.parametrize("stale", STALE, ids=["ntlm", "basic", "negotiate", "half", "empty", "digest", "long"])
def test_a_bypassed_request_is_not_asked_whatever_it_brings(lab, way, stale):
    gw = way("bypass")
    fields = f"Proxy-Authorization: {stale}\r\n"
    answer = gw.get(f"http://{PLAIN_ENDPOINT}/who", fields=fields + fields)
    assert (answer.status, answer.body) == (200, f"http {PLAIN_ENDPOINT} auth= proxy=\n".encode())
    with gw.connect() as c:
        c.send(f"CONNECT {ENDPOINT}:443 HTTP/1.1\r\nHost: {ENDPOINT}:443\r\n{fields}\r\n")
        assert c.response("CONNECT").status == 200
        c.send(wire.client_hello(ENDPOINT))
        assert c.exactly(1) == b"\x16"


def test_a_bypassed_request_neither_uses_nor_ends_a_log_on(lab, way):
    gw = way("bypass")
    url, free = f"http://{labs.ORIGIN}/who", f"http://{PLAIN_ENDPOINT}/who"
    with gw.connect() as c:
        n = logon.Ntlm()
        answer = c.send(wire.get(url, fields=n.first())).response()
        assert c.send(wire.get(url, fields=n.then(answer))).response().status == 200
        assert c.send(wire.get(free)).response().status == 200
        assert c.send(wire.get(url)).response().status == 200
        assert gw.record(4, client_port=c.sock.getsockname()[1])["user"] == "CORP\\alice"
