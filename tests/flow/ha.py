# SPDX-License-Identifier: MIT
"""ha: two balancers as contrib/ha ships them, each in a network namespace of its own, on one bridge with two gateways and their clients. The addresses are
those of the shipped files, 192.0.2.0/24, so these are used as they stand."""

import csv
import signal
import subprocess

import gateway as g
import wire
import world as w

SHIPPED = g.SOURCE / "contrib" / "ha"
NET = "192.0.2."
SHARED = NET + "20"  # what keepalived moves
GATEWAYS = (NET + "11", NET + "12")
BALANCERS = {"lb1": NET + "21", "lb2": NET + "22"}
CLIENTS = [f"{NET}{n}" for n in range(101, 121)]
PORT, ADMIN = 3128, 3180
BRIDGE = "ha0"


def ip(*words):
    return w.run("ip", *words).stdout


class Site:
    def __init__(self, world):
        self.world, self.running = world, {}
        self.folder = world.folder / "ha"
        self.folder.mkdir()
        ip("link", "add", BRIDGE, "type", "bridge", "stp_state", "0")
        ip("link", "set", BRIDGE, "up")
        for address in (NET + "1", *GATEWAYS, *CLIENTS):
            ip("addr", "add", f"{address}/24", "dev", BRIDGE)
        for name, address in BALANCERS.items():
            ip("netns", "add", name)
            ip("link", "add", f"v{name}", "type", "veth", "peer", "name", "eth0", "netns", name)
            ip("link", "set", f"v{name}", "master", BRIDGE, "up")
            ip("-n", name, "addr", "add", f"{address}/24", "dev", "eth0")
            for link in ("lo", "eth0"):
                ip("-n", name, "link", "set", link, "up")
            self.start(name)

    def enter(self, name, *words):
        return self.world.start("nsenter", f"--net=/run/netns/{name}", *map(str, words))

    def start(self, name):
        """HAProxy; its socket's place differs, since both share a file system here, and the limit of open files is the session's."""
        conf = self.folder / f"{name}.cfg"
        text = (SHIPPED / "haproxy.cfg").read_text()
        for old, new in (("stats socket /run/haproxy/admin.sock", f"stats socket {self.folder}/{name}.sock"), ("maxconn 20000", "maxconn 2000")):
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        conf.write_text(text)
        self.running[name] = self.enter(name, "haproxy", "-db", "-f", conf)
        wire.wait_until(lambda: self.states(name), f"HAProxy of {name}")

    def kill(self, name):
        child = self.running.pop(name)
        child.send_signal(signal.SIGKILL)
        child.wait(20)

    def states(self, name="lb1"):
        """What HAProxy says of its gateways: [UP, DOWN]."""
        done = subprocess.run(["socat", "-", f"UNIX-CONNECT:{self.folder}/{name}.sock"], input="show stat -1 4 -1\n", capture_output=True, text=True, timeout=20)
        return [row["status"] for row in csv.DictReader(done.stdout.lstrip("# ").splitlines()) if row["pxname"] == "gateways"]

    def become(self, *want, name="lb1"):
        wire.wait_until(lambda: [state.split()[0] for state in self.states(name)] == list(want), f"gateways {want} at {name}")

    def keepalived(self, name):
        """The shipped file, with the three lines that it says differ."""
        text = (SHIPPED / "keepalived.conf").read_text()
        if name == "lb2":
            for old, new in (("router_id lb1", "router_id lb2"), ("priority 110", "priority 100"), ("unicast_src_ip 192.0.2.21", "unicast_src_ip 192.0.2.22"),
                             ("        192.0.2.22\n", "        192.0.2.21\n")):
                assert text.count(old) == 1, old
                text = text.replace(old, new)
        conf = self.folder / f"{name}-keepalived.conf"
        conf.write_text(text)
        child = self.enter(name, "keepalived", "-n", "-l", "-f", conf, "-p", self.folder / f"{name}.pid", "-r", self.folder / f"{name}-vrrp.pid")
        self.running[name + " keepalived"] = child
        return child

    def has_shared(self, name):
        return f" {SHARED}/" in ip("-n", name, "-4", "addr", "show", "dev", "eth0")

    def close(self):
        for child in self.running.values():
            child.send_signal(signal.SIGTERM)
        for child in self.running.values():
            child.wait(20)
        for name in BALANCERS:
            ip("link", "del", f"v{name}")
            ip("netns", "del", name)
        ip("link", "del", BRIDGE)
