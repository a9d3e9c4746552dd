# SPDX-License-Identifier: MIT
"""postern explain --sni and the gateway agree: what a ClientHello leads to, in tunnels to names and to addresses, bypassed, inspected and guarded."""

import json

import gateway as g
import inspection
import logon
import pytest
import wire
import world as w

RULES = """
[list names]
host = passed.origin.example.net
host = *.wild.origin.example.net
[rule report]
hosts = .example.net
action = deny
report = yes
[rule listed]
hosts = @names
action = bypass
[rule denied]
hosts = denied.origin.example.net
action = deny
[rule asked]
hosts = asked.origin.example.net
users = alice
action = tunnel
[rule let]
hosts = let.origin.example.net
action = tunnel
auth = none
[rule some-addresses]
hosts = 20.42.0.21 "[2603:1030:700::10]"
action = bypass
[rule reports]
hosts = reports.origin.example.net 20.42.0.10
action = bypass
guard = report
[rule unguarded]
hosts = unguarded.origin.example.net
action = bypass
guard = off
[rule mine]
clients = 127.9.0.0/16
action = bypass
[rule by-port]
hosts = https://port.origin.example.net:8443/
action = bypass
[rule all]
action = inspect
auth = none
"""
FIELDS = ("action", "rule", "list_entry", "guard", "sni", "reported", "host", "port", "status")
TARGETS = ("passed.origin.example.net:443", "A.Wild.Origin.Example.NET.:443", "unguarded.origin.example.net:443", "reports.origin.example.net:443", "let.origin.example.net:443", "denied.origin.example.net:443",
           "port.origin.example.net:8443", "port.origin.example.net:443", "www.origin.example.net:443", "20.42.0.20:443", "20.42.0.21:443", "20.42.0.10:443", "[2603:1030:0700:0::10]:443")
HELLOS = (None, "passed.origin.example.net", "x.wild.origin.example.net", "PASSED.example.net", "wild.origin.example.net", "denied.origin.example.net", "asked.origin.example.net", "let.origin.example.net",
          "www.origin.example.net", "port.origin.example.net", "unguarded.origin.example.net")

def ask(gw, folder, asked):
    (folder / "questions").write_text("".join(json.dumps(q) + "\n" for q in asked))
    done = g.command("explain", "-c", gw.file, "--batch", folder / "questions")
    return {value["id"]: value for value in map(json.loads, done.stdout.splitlines())}


def open_all(gw, asked):
    """Each tunnel, with its ClientHello right behind the CONNECT; whoever answers, nobody goes on."""
    hello = {name: wire.client_hello(name) for name in HELLOS}
    for at in range(0, len(asked), 60):
        socks = []
        for q in asked[at:at + 60]:
            sock = wire.connect(gw.address, q["client"]).sock
            sock.sendall(f"CONNECT {q['target']} HTTP/1.1\r\nHost: {q['target']}\r\nUser-Agent: q{q['id']}\r\n\r\n".encode() + hello[q["sni"] or None])
            socks.append(sock)
        for sock in socks:
            assert sock.recv(65536)
        for sock in socks:
            sock.close()


def log_lines(gw, numbers):
    lines = {int(one["user_agent"][1:]): one for one in gw.records() if (one["user_agent"] or "").startswith("q")}
    return lines if numbers <= set(lines) else None


def differences(said, line):
    fields = [*FIELDS, *(["fault"] if said["fault"] else [])]
    return {name: (said[name], line[name]) for name in fields if said[name] != line[name]}


@pytest.mark.parametrize("odd", ["refuse", "tunnel", "inspect"])
def test_what_a_hello_leads_to_is_foretold(world, quick_origin, gateway, folder, odd):
    cert, key = inspection.ca(folder)
    users = logon.basic_file(folder / "users", alice="one")
    more = (f"[auth]\nschemes = basic\nbasic-without-tls = yes\nbasic-file = {users}\n"
            f"[inspection]\nca-cert = {cert}\nca-key = {key}\ntrust = {world.ca}\nmissing-sni = {odd}\nforeign-sni = {odd}\non-bad-origin = pass\n")
    gw = gateway(RULES, more=more, connect_ports="443 8443")
    every = [(client, target, hello) for client in ("127.0.0.1", "127.9.0.1") for target in TARGETS for hello in HELLOS]
    asked = [{"id": number, "client": client, "target": target, "sni": hello or "", **({} if target[0] in "2[" else {"address": w.ORIGIN})}
             for number, (client, target, hello) in enumerate(every)]
    told = ask(gw, folder, asked)
    open_all(gw, asked)
    lines = wire.wait_until(lambda: log_lines(gw, set(told)), "the lines of all tunnels")
    bad = []
    for q in asked:
        [text] = [log["line"] for log in told[q["id"]].get("named", told[q["id"]])["log_lines"] if log["log"] == "access"]
        if found := differences(json.loads(text), lines[q["id"]]):
            bad.append((q, found))
    assert not bad, "\n".join(map(str, [len(bad), *bad[:20]]))
    assert {None, "passed", "closed", "reported"} == {line["guard"] for line in lines.values()}  # they were of all kinds
