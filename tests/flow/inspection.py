# SPDX-License-Identifier: MIT
"""inspection: a gateway that takes up TLS, its CA, and clients inside its tunnels."""

import collections
import contextlib
import html
import ssl

import wire
import world as w

RULES = """
[rule all]
action = inspect
auth = none
"""


def ca(folder, name="Inspection CA"):
    """A CA as `openssl` makes one: its certificate and key."""
    cert, key = folder / "inspect.pem", folder / "inspect.key"
    w.run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out", cert, "-days", "300",
          "-subj", f"/CN={name}", "-addext", "basicConstraints=critical,CA:TRUE,pathlen:0", "-addext", "keyUsage=critical,keyCertSign,cRLSign")
    key.chmod(0o600)
    return cert, key


def self_signed(folder, name="origin.example.net", days="10"):
    cert, key = folder / "self.pem", folder / "self.key"
    w.run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out", cert, "-days", days,
          "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}")
    return cert, key


class Inspecting:
    """A gateway whose [inspection] trusts the world's CA; `options` are lines of that section (non_tls="tunnel" is non-tls = tunnel)."""

    def __init__(self, gateway, world, folder, rules=RULES, gateway_options=None, authority=None, **options):
        self.cert, key = authority or ca(folder)
        lines = {"ca-cert": self.cert, "ca-key": key, "trust": world.ca, **{name.replace("_", "-"): value for name, value in options.items()}}
        self.section = "[inspection]\n" + "\n".join(f"{name} = {value}" for name, value in lines.items()) + "\n"
        self.gw = gateway(self.section + rules, connect_ports="443 8443", **(gateway_options or {}))
        self.seen = collections.Counter()

    def curl(self, *words, **more):
        return self.gw.curl("--cacert", self.cert, *words, **more)

    def context(self, alpn=("http/1.1",), verify=True):
        context = ssl.create_default_context(cafile=str(self.cert))
        if not verify:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if alpn:
            context.set_alpn_protocols(list(alpn))
        return context

    @contextlib.contextmanager
    def inside(self, target, sni=True, **more):
        """A Wire inside the client's TLS; sni: the target's name, another one, or None."""
        name = target.split(":")[0] if sni is True else sni
        with self.gw.tunnel(target) as t:
            with self.context(**more).wrap_socket(t.sock, server_hostname=name) as sock:
                yield wire.Wire(sock)

    def look(self, host, *words, verify=True, check=True):
        """Status and body of https://host/ as curl gets them in a tunnel of its own; with `verify` only under the inspection CA."""
        self.seen[host] += 1
        done = (self.curl if verify else self.gw.curl)(*([] if verify else ["-k"]), "-w", "\n%{http_code}", *words, f"https://{host}/", check=check)
        body, _, status = done.stdout.decode().rpartition("\n")
        return int(status), body

    def lines(self, host):
        """What the log says of the last look there: the CONNECT's line, and that of the request inside."""
        outer = self.gw.record(self.seen[host], method="CONNECT", host=host)
        inner = [line for line in self.gw.records() if line["method"] != "CONNECT" and line["session"] == outer["session"]]
        return outer, inner[-1] if inner else None

    def blocked(self, host, status, fault, says):
        """Look there: the client must see the page, under the trusted CA, and both lines must say why. The two lines."""
        got, page = self.look(host)
        outer, inner = self.lines(host)
        assert (got, inner["status"], inner["fault"], outer["fault"]) == (status, status, fault, fault), (page, outer, inner)
        assert says in html.unescape(page) and says in (inner["tls_detail"] or "") and says in (outer["tls_detail"] or ""), (page, outer, inner)
        return outer, inner
