# SPDX-License-Identifier: MIT
"""routed: clients that know of no proxy. They live in a network namespace of their own, behind a wire to the gateway's machine, which is their router."""

import re
import subprocess

import world as w
from gateway import SOURCE

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


def shipped(name, port, web):
    """The rules of contrib/transparent, with this network's names."""
    text = (SOURCE / "contrib" / "transparent" / name).read_text()
    for key, value in (("inside", f'"{WIRE}"'), ("gateway_port", port), ("web", "{ %s }" % web)):
        text, found = re.subn(rf"(?m)^define {key} = .*$", f"define {key} = {value}", text)
        assert found == 1, key
    nft(text)


def redirect(port, web):
    shipped("redirect.nft", port, web)


def tproxy(port, web):
    shipped("tproxy.nft", port, web)
    for family, everything in (("-4", "0.0.0.0/0"), ("-6", "::/0")):
        ip(family, "rule", "add", "fwmark", "1", "lookup", "100")
        ip(family, "route", "add", "local", everything, "dev", "lo", "table", "100")


def no_rules():
    nft("flush ruleset")
    for family in ("-4", "-6"):
        subprocess.run(["ip", family, "rule", "del", "fwmark", "1"], capture_output=True)
        subprocess.run(["ip", family, "route", "flush", "table", "100"], capture_output=True)
