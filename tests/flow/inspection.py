# SPDX-License-Identifier: MIT
"""inspection: a gateway that takes up TLS, its CA, and clients inside its tunnels."""

import contextlib
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


class Inspecting:
    """A gateway whose [inspection] trusts the world's CA; `options` are lines of that section (non_tls="tunnel" is non-tls = tunnel)."""

    def __init__(self, gateway, world, folder, rules=RULES, gateway_options=None, authority=None, **options):
        self.cert, key = authority or ca(folder)
        lines = {"ca-cert": self.cert, "ca-key": key, "trust": world.ca, **{name.replace("_", "-"): value for name, value in options.items()}}
        self.section = "[inspection]\n" + "\n".join(f"{name} = {value}" for name, value in lines.items()) + "\n"
        self.gw = gateway(self.section + rules, connect_ports="443 8443", **(gateway_options or {}))

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
