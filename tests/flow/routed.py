# SPDX-License-Identifier: MIT
"""routed: clients that know of no proxy. They live in a network namespace of their own, behind a wire to the gateway's machine, which is their router."""

import subprocess

import world as w

WIRE, NS = "g0", "routed"
ROUTER, CLIENT = "10.66.0.1", "10.66.0.2"
ROUTER6, CLIENT6 = "fd66::1", "fd66::2"


def ip(*words):
    w.run("ip", *words)


def inside(*words, **more):
    """Run this as the client."""
    return subprocess.run(["nsenter", f"--net=/run/netns/{NS}", *map(str, words)], stdin=subprocess.DEVNULL, capture_output=True, timeout=30, **more)


def begin():
    ip("netns", "add", NS)
    ip("link", "add", WIRE, "type", "veth", "peer", "name", "c0", "netns", NS)
    ip("addr", "add", f"{ROUTER}/24", "dev", WIRE)
    ip("-6", "addr", "add", f"{ROUTER6}/64", "dev", WIRE, "nodad")
    ip("link", "set", WIRE, "up")
    for words in (("addr", "add", f"{CLIENT}/24", "dev", "c0"), ("-6", "addr", "add", f"{CLIENT6}/64", "dev", "c0", "nodad"), ("link", "set", "lo", "up"),
                  ("link", "set", "c0", "up"), ("route", "add", "default", "via", ROUTER), ("-6", "route", "add", "default", "via", ROUTER6)):
        assert inside("ip", *words).returncode == 0, words


def end():
    ip("link", "del", WIRE)
    ip("netns", "del", NS)


def nft(text):
    subprocess.run(["nft", "-f", "-"], input=text, text=True, check=True)


def redirect(port, what="80, 443, 8080"):
    """nftables' REDIRECT, as the manual has it."""
    nft(f"""table inet redirecting {{
  chain prerouting {{
    type nat hook prerouting priority dstnat
    iifname "{WIRE}" tcp dport {{ {what} }} redirect to :{port}
  }}
}}""")


def tproxy(port, what="80, 443, 8080"):
    """nftables' TPROXY, as the manual has it."""
    nft(f"""table inet tproxying {{
  chain prerouting {{
    type filter hook prerouting priority mangle
    iifname "{WIRE}" meta l4proto tcp tcp dport {{ {what} }} meta mark set 1 tproxy to :{port} accept
  }}
}}""")
    for family, everything in (("-4", "0.0.0.0/0"), ("-6", "::/0")):
        ip(family, "rule", "add", "fwmark", "1", "lookup", "100")
        ip(family, "route", "add", "local", everything, "dev", "lo", "table", "100")


def no_rules():
    nft("flush ruleset")
    for family in ("-4", "-6"):
        subprocess.run(["ip", family, "rule", "del", "fwmark", "1"], capture_output=True)
        subprocess.run(["ip", family, "route", "flush", "table", "100"], capture_output=True)
