# SPDX-License-Identifier: MIT
"""postern explain: each rule in order, what held, which entry, and what the gateway would do beyond the rules."""

import json
import subprocess

import gateway as g
import pytest
import schema

INI = """\
[gateway]
connect-ports = 443 8443
http-ports = 80
egress-allow = 10.9.0.0/16

[listener edge]
address = 127.0.0.1:3128
clients = 127.0.0.0/8 10.0.0.0/8

[listener branch]
address = 127.0.0.1:3129

[list names]
host = a.example.net
host = *.b.example.net

[rule seen]
hosts = .example.net
action = deny
report = yes

[rule uploads]
hosts = @names !x.b.example.net
methods = PUT
action = deny
reason = Uploads need approval

[rule night]
hosts = night.example.net
times = 22:00-06:00
listeners = branch
action = bypass

[rule where]
hosts = where.example.net 10.0.0.0/8
addresses = 10.0.0.0/8
action = bypass

[rule names]
hosts = @names !x.b.example.net
action = bypass
guard = report

[rule rest]
action = deny
"""


@pytest.fixture
def explain(folder):
    path = folder / "postern.ini"
    path.write_text(INI)

    def ask(*words):
        text = g.command("explain", "-c", path, *words)
        done = g.command("explain", "--json", "-c", path, *words)
        assert text.returncode == done.returncode, (text, done)
        return done.returncode, schema.check("explain", done.stdout), text.stdout

    return ask


def test_each_rule_is_told_in_order_until_one_decides(explain):
    code, told, text = explain("c.b.example.net:443")
    assert code == 0 and told["allowed"] is True and told["rule"] == "names" and told["action"] == "bypass" and told["guard"] == "report"
    assert [rule["name"] for rule in told["rules"]] == ["seen", "uploads", "night", "where", "names", "rest"]
    assert [rule["decided"] for rule in told["rules"]] == [False] * 4 + [True, False]
    assert [rule["asked"] for rule in told["rules"]] == [True] * 5 + [False] and told["rules"][5]["held"]
    assert told["rules"][0]["reported"] and told["reported"] == ["seen"]
    assert told["rules"][1]["conditions"]["methods"]["state"] == "failed"
    assert told["rules"][4]["conditions"]["hosts"]["entry"].endswith("postern.ini:15")
    assert "rule names" in text and "postern.ini:15" in text and text.endswith("=> allowed\n")


def test_a_negated_entry_that_spoke_against_is_named(explain):
    code, told, text = explain("x.b.example.net")
    assert code == 1 and told["rule"] == "rest"
    hosts = told["rules"][4]["conditions"]["hosts"]
    assert hosts["state"] == "failed" and hosts["entry"].endswith("postern.ini:40")
    assert "negated by" in text


def test_a_url_is_a_plain_request_and_a_host_a_connect(explain):
    _, told, _ = explain("http://a.example.net/path?query")
    assert (told["method"], told["scheme"], told["port"]) == ("GET", "http", 80)
    _, told, _ = explain("a.example.net")
    assert (told["method"], told["scheme"], told["port"]) == ("CONNECT", "https", 443)
    _, told, _ = explain("https://A.Example.net./")
    assert (told["method"], told["host"], told["port"]) == ("CONNECT", "a.example.net", 443)
    code, told, _ = explain("--method", "PUT", "http://a.example.net/")
    assert code == 1 and told["rule"] == "uploads" and told["reason"] == "Uploads need approval"


def test_ports_that_may_not_be_reached_are_refused(explain):
    assert explain("a.example.net:8443")[0] == 0
    code, told, text = explain("a.example.net:22")
    assert code == 1 and told["port_allowed"] is False and told["action"] == "bypass" and "connect-ports" in text
    code, told, text = explain("http://a.example.net:8080/")
    assert code == 1 and told["port_allowed"] is False and "http-ports" in text


WHO = """\
[auth]
domain = winbind

[listener edge]
address = 127.0.0.1:3128

[rule diagnostics]
hosts = d.example.net
action = bypass

[rule strangers]
hosts = open.example.net
users = nobody
action = bypass

[rule staff]
users = CORP\\alice, CORP\\WS01$
groups = CORP\\Proxy Users
action = tunnel

[rule known]
hosts = known.example.net
action = tunnel
"""


@pytest.mark.parametrize("words, code, rule, needs", [
    (["d.example.net"], 0, "diagnostics", None),
    (["x.example.net"], 2, None, "user"),
    (["--user", "nobody", "x.example.net"], 2, None, "user"),
    (["--user", "nobody", "open.example.net"], 0, "strangers", None),
    (["--user", "corp\\ALICE", "--group", "corp\\proxy users", "x.example.net"], 0, "staff", None),
    (["--user", "CORP\\alice", "x.example.net"], 1, "-", None),
    (["--user", "CORP\\bob", "--group", "CORP\\Proxy Users", "x.example.net"], 1, "-", None),
    (["--user", "zoe", "known.example.net"], 0, "known", None),
    (["--user", "zoe@CORP.EXAMPLE", "--user", "CORP\\zoe", "known.example.net"], 0, "known", None),
], ids=str)
def test_who_asks_is_given_or_would_be_asked(folder, words, code, rule, needs):
    path = folder / "postern.ini"
    path.write_text(WHO)
    done = g.command("explain", "-c", path, "--json", *words)
    told = json.loads(done.stdout)
    assert done.returncode == code and told["rule"] == rule and told.get("needs") == needs
    text = g.command("explain", "-c", path, *words).stdout
    if needs:
        assert told["schemes"] == ["negotiate", "ntlm"] and "would be asked who it is (407), offered: negotiate ntlm" in text
    else:
        assert told["auth"] == ("required" if rule in ("staff", "known") else "none")
    schema.check("explain", done.stdout)


@pytest.mark.parametrize("words", [["--group", "x"], ["--user", "a\\"], ["--user", "@x"], ["--user", "a", "--user", "b"], ["--user", "nobody", "--user", "a"],
                                   ["--user", "a", "--user", "nobody"], ["--user", "a", "--group", ""], ["--user", "a" * 256]], ids=" ".join)
def test_wrong_words_for_who_asks_are_2(folder, words):
    path = folder / "postern.ini"
    path.write_text(WHO)
    done = g.command("explain", "-c", path, *words, "x.example.net")
    assert done.returncode == 2 and "--user" in done.stderr or "--group" in done.stderr


def test_an_address_is_asked_for_not_looked_up(explain):
    code, told, text = explain("where.example.net")
    assert code == 2 and told["needs"] == "address" and told["allowed"] is None and "--address" in text
    code, told, _ = explain("--address", "10.9.0.1", "where.example.net")
    assert code == 0 and told["rule"] == "where" and told["address_allowed"] is True
    code, told, _ = explain("--address", "8.8.8.8", "where.example.net")
    assert code == 1 and told["rule"] == "rest" and told["fault"] == "denied"
    code, told, _ = explain("--address", "192.0.2.1", "where.example.net")  # forbidden: no rule is asked once more
    assert code == 1 and told["rule"] is None and told["fault"] == "egress-denied" and told["address_allowed"] is False


@pytest.mark.parametrize("address, allowed", [("10.8.0.1", False), ("10.9.0.1", True), ("::ffff:10.8.0.1", False), ("64:ff9b::10.8.0.1", False),
                                               ("169.254.169.254", False), ("8.8.8.8", True)])
def test_egress_is_judged_on_the_address_given(explain, address, allowed):
    code, told, _ = explain("--address", address, "a.example.net")
    assert told["rule"] == "names" and told["address_allowed"] is allowed and code == (0 if allowed else 1)


def test_an_ip_literal_is_its_own_address(explain):
    code, told, _ = explain("10.9.3.4:443")
    assert code == 0 and told["rule"] == "where" and told["address"] == "10.9.3.4"
    code, told, _ = explain("10.8.3.4:443")
    assert code == 1 and told["rule"] == "where" and told["address_allowed"] is False
    assert explain("[2001:db8::1]:443")[1]["host"] == "2001:db8::1"
    assert explain("2001:db8::1")[1]["port"] == 443


def test_time_listener_and_client_are_taken(explain):
    assert explain("--at", "mon 23:00", "--listener", "branch", "night.example.net")[0] == 0
    assert explain("--at", "mon 12:00", "--listener", "branch", "night.example.net")[0] == 1
    assert explain("--at", "mon 23:00", "--listener", "edge", "night.example.net")[0] == 1
    code, told, _ = explain("--client", "192.0.2.1", "a.example.net")
    assert code == 1 and told["client_allowed"] is False
    assert explain("--client", "10.1.2.3", "a.example.net")[0] == 0


@pytest.mark.parametrize("words", [["--at", "noon", "a.net"], ["--client", "bob", "a.net"], ["--address", "x", "a.net"], ["--listener", "none", "a.net"],
                                   ["--method", "G T", "a.net"], ["a.net:0"], ["a.net:70000"], ["0x7f.1"], ["ftp://a.net/"], ["http://u@a.net/"], [""],
                                   ["a.net", "b.net"], ["--nothing", "a.net"], ["--header", "x", "http://a.net/"], ["--header", "a: b\r\n\r\n", "http://a.net/"],
                                   ["--header", "a: b", "a.net"], ["--content-type", "image/png", "a.net:443"], ["--origin-tls", "1.1", "https://a.net/"],
                                   ["--origin-tls", "1.2", "http://a.net/"], ["--origin-strength", "-1", "https://a.net/"]], ids=" ".join)
def test_wrong_words_are_2(folder, words):
    path = folder / "postern.ini"
    path.write_text(INI)
    done = g.command("explain", "-c", path, *words)
    assert done.returncode == 2 and done.stderr and not done.stdout, done


def test_a_method_goes_with_a_url_and_connect_with_a_host(folder):
    path = folder / "postern.ini"
    path.write_text(INI)
    for words in (["--method", "PUT", "a.example.net"], ["--method", "CONNECT", "http://a.example.net/"],
                  ["--method", "CONNECT", "https://a.example.net/"]):
        done = g.command("explain", "-c", path, *words)
        assert done.returncode == 2 and "--method" in done.stderr, done


def test_what_leads_back_to_the_gateway_is_refused(folder):
    path = folder / "postern.ini"
    path.write_text("[gateway]\negress-deny = none\nhttp-ports = 3128 3129\n[listener edge]\naddress = 127.0.0.1:3128\n[rule all]\naction = tunnel\nauth = none\n")
    done = g.command("explain", "-c", path, "http://127.0.0.1:3128/")
    assert done.returncode == 1 and "self-target" in done.stdout, done
    assert g.command("explain", "-c", path, "--address", "127.0.0.1", "http://a.example.net:3128/").returncode == 1
    assert g.command("explain", "-c", path, "http://127.0.0.1:3129/").returncode == 0


def test_a_configuration_with_errors_is_not_explained(folder):
    path = folder / "postern.ini"
    path.write_text(INI + "[rule bad]\nhosts = a..b\naction = deny\n")
    done = g.command("explain", "-c", path, "a.example.net")
    assert done.returncode == 2 and "postern.ini:47:" in done.stderr
    assert g.command("explain", "-c", folder / "none.ini", "a.example.net").returncode == 2


READ = """\
[auth]
domain = winbind

[inspection]
ca-cert = ca.pem
ca-key = ca.key

[listener edge]
address = 127.0.0.1:3128

[rule admin]
url = ^https?://[^/]+/admin(/|$)
action = deny
redirect = https://intranet.example/no

[rule agents]
headers = "User-Agent: ^curl/"
action = deny

[rule images]
hosts = img.example
content-types = image/*
action = deny

[rule known]
hosts = known.example
url = /known
users = CORP\\alice
action = tunnel

[rule weak]
hosts = img.example
origin-tls = 1.2
origin-strength = <128
action = deny

[rule plain]
schemes = http
auth = none
action = tunnel
set-request-header = "X-Tenant: one"
remove-response-header = Server

[rule rest]
hosts = !tunnel.example
auth = none
action = inspect

[rule tunnels]
auth = none
action = tunnel
"""


@pytest.fixture
def read(folder):
    key = folder / "ca.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", folder / "ca.pem", "-days", "30",
                    "-subj", "/CN=Explain CA", "-addext", "basicConstraints=critical,CA:true", "-addext", "keyUsage=critical,keyCertSign,cRLSign"],
                   check=True, capture_output=True)
    key.chmod(0o600)
    path = folder / "postern.ini"
    path.write_text(READ)

    def ask(*words):
        text = g.command("explain", "-c", path, *words)
        done = g.command("explain", "--json", "-c", path, *words)
        assert text.returncode == done.returncode and done.stdout, (text, done)
        return done.returncode, schema.check("explain", done.stdout), text.stdout

    return ask


def test_a_plain_request_is_read_and_what_the_rule_changes_is_told(read):
    code, told, text = read("http://a.example/x/../%61dmin")
    assert code == 1 and told["rule"] == "admin" and told["redirect"] == "https://intranet.example/no" and told["url"] == "http://a.example/admin"
    assert "redirect  https://intranet.example/no" in text
    code, told, text = read("http://a.example/", "--header", "User-Agent: curl/8.0", "--header", "X: y")
    assert code == 1 and told["rule"] == "agents" and told["rules"][1]["conditions"]["headers"]["entry"].endswith("postern.ini:17")
    code, told, text = read("http://a.example/", "--header", "User-Agent: Mozilla")
    assert code == 0 and told["rule"] == "plain" and told["set-request-header"] == ["X-Tenant: one"] and told["remove-response-header"] == ["server"]
    assert "set-request-header  X-Tenant: one" in text


def test_the_type_of_the_response_is_asked_for_and_both_outcomes_are_told(read):
    code, told, text = read("http://img.example/")
    assert code == 2 and told["needs"] == "response" and told["allowed"] is None
    assert told["waits"] == [{"rule": "images", "action": "deny"}] and told["otherwise"] == {"rule": "plain", "action": "tunnel"}
    assert "deny by rule images when its content-types hold" in text and "else tunnel by rule plain" in text
    assert read("http://img.example/", "--content-type", "image/png; q=1")[0] == 1
    assert read("http://img.example/", "--content-type", "")[0] == 0


def test_inside_an_inspected_tunnel_the_request_is_decided_after_the_connect(read):
    code, told, text = read("https://a.example/admin")
    assert code == 1 and told["action"] == "inspect" and told["rule"] == "rest" and told["allowed"] is False
    assert told["inside"]["rule"] == "admin" and told["inside"]["method"] == "GET" and told["inside"]["allowed"] is False
    assert "inside the tunnel: GET https://a.example/admin" in text and text.endswith("=> refused\n")
    code, told, _ = read("https://img.example/", "--method", "POST")
    assert code == 2 and told["inside"]["needs"] == "response" and told["inside"]["method"] == "POST"
    code, told, _ = read("https://img.example/", "--content-type", "text/html", "--origin-tls", "1.2", "--origin-strength", "112")
    assert code == 1 and told["inside"]["rule"] == "weak"
    code, told, _ = read("https://img.example/", "--content-type", "text/html")
    assert code == 0 and told["inside"]["rule"] == "rest" and told["allowed"] is True
    code, told, text = read("https://tunnel.example/admin")
    assert code == 0 and told["rule"] == "tunnels" and "inside" not in told and "seen by no rule" in text


def test_nobody_can_be_asked_inside_a_tunnel_that_was_opened_without_a_user(read):
    for words in ([], ["--user", "CORP\\alice"]):
        code, told, text = read("https://known.example/known", *words)
        assert code == 1 and told["inside"]["fault"] == "user-unknown" and "user-unknown" in text


WAYS = """\
[gateway]
parent = near far
{more}

[listener edge]
address = 127.0.0.1:3128

[parent near]
address = near.example.net:3128

[parent far]
address = [2001:db8::1]:8080

[rule denied]
hosts = denied.example
action = deny

[rule own]
hosts = own.example
action = tunnel
auth = none
parent = none
source = 127.0.0.1 ::1

[rule rest]
action = tunnel
auth = none
"""


def test_where_it_goes_out_is_told(folder):
    path = folder / "postern.ini"

    def ask(target, more=""):
        path.write_text(WAYS.format(more=more))
        text = g.command("explain", "-c", path, target)
        return json.loads(g.command("explain", "--json", "-c", path, target).stdout), text.stdout

    told, text = ask("a.example")
    assert (told["parents"], told["source"]) == (["near", "far"], [])
    assert "\nthrough parent near (near.example.net:3128), far ([2001:db8::1]:8080)\n" in text and "\nfrom " not in text
    _, text = ask("a.example", "parents-down = direct")
    assert "8080); to the origin itself when none serves\n" in text
    told, text = ask("own.example")
    assert (told["parents"], told["source"]) == ([], ["127.0.0.1", "::1"])
    assert "\nfrom 127.0.0.1, ::1\n" in text and "through" not in text
    told, text = ask("denied.example")
    assert "parents" not in told and "source" not in told and "through" not in text
