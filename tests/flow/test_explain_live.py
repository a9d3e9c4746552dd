# SPDX-License-Identifier: MIT
"""postern explain and the gateway agree: random requests under random configurations, asked of `explain --batch` and sent to a running gateway; the access-log line
that explain foretells is the one that is written.

POSTERN_EXPLAIN_REQUESTS says how many (10,000); POSTERN_EXPLAIN_SEED another beginning."""

import base64
import contextlib
import json
import os
import random
import re
import ssl
import time

import certs
import gateway as g
import logon
import wire
import world as w

REQUESTS = int(os.environ.get("POSTERN_EXPLAIN_REQUESTS", "10000"))
SEED = int(os.environ.get("POSTERN_EXPLAIN_SEED", "1"))
CONFIGURATIONS = 24
USERS = {"alice": "one", "bob": "two"}
CLIENTS = ["127.0.0.1", "127.1.0.2", "127.1.0.3", "127.2.0.4"]
METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "get"]
LABELS = ["a", "b", "www", "files", "mail", "x1", "deep"]
DOMAINS = ["origin.example.net", "other.example.net"]
ADDRESS = {"origin.example.net": w.ORIGIN, "other.example.net": w.OTHER}
PATHS = ["/", "/admin/x", "/files/a.zip", "/%61dmin/y", "/x/../admin", "/search?q=1", "/upload"]
KINDS = ["one", "two", "Three"]
# of what was not refused, these tell how it ended, which explain cannot know
FIELDS = ["client", "listener", "method", "scheme", "host", "port", "url", "action", "rule", "list_entry", "reported", "user", "groups", "parent"]
REFUSALS = {"denied", "no-rule", "port-denied", "egress-denied", "self-target", "redirected", "user-unknown", "auth-required", "undecided"}
BATCH, TUNNELS = 40, 100


def names(rng):
    domain = rng.choice(DOMAINS)
    return ".".join([rng.choice(LABELS) for _ in range(rng.choice([0, 1, 1, 2]))] + [domain])


def some(rng, make, most=3, negate=0.15):
    return " ".join(("!" if rng.random() < negate else "") + make() for _ in range(rng.randint(1, most)))


def host_item(rng):
    kind = rng.random()
    label, domain = rng.choice(LABELS), rng.choice(DOMAINS)
    if kind < 0.35:
        return names(rng)
    if kind < 0.5:
        return f"*.{domain}"
    if kind < 0.6:
        return f".{label}.{domain}"
    if kind < 0.7:
        return f"{label}*.{domain}"
    if kind < 0.78:
        return f"re:({label}|x[0-9])\\.{re.escape(domain)}"
    if kind < 0.88:
        return "@" + rng.choice(["first", "second"])
    return rng.choice([f"https://{label}.{domain}/", f"http://{label}.{domain}", f"{label}.{domain}:8443", w.ORIGIN, "20.42.0.20/31"])


def time_item(rng):
    """A window whose ends are hours away."""
    hour = time.localtime().tm_hour
    first, last = (hour - 3) % 24, (hour + 3) % 24
    if rng.random() < 0.4:
        first, last = last, first
    return f"{first:02}:30-{last:02}:30" if first != last else "mon-sun"


def conditions(rng):
    make = {
        "hosts": (0.7, lambda: some(rng, lambda: host_item(rng), 4)),
        "ports": (0.1, lambda: some(rng, lambda: rng.choice(["80", "443", "8080", "8443", "81-9000"]))),
        "schemes": (0.12, lambda: rng.choice(["http", "https", "!http"])),
        "methods": (0.2, lambda: some(rng, lambda: rng.choice([*METHODS, "CONNECT"]))),
        "clients": (0.2, lambda: some(rng, lambda: rng.choice([*CLIENTS, "127.1.0.0/16", "10.0.0.0/8"]))),
        "listeners": (0.1, lambda: rng.choice(["edge", "side", "!side"])),
        "users": (0.12, lambda: rng.choice(["alice", "bob", "nobody", "alice, bob", "!alice", "CORP\\alice"])),
        "groups": (0.03, lambda: "CORP\\Staff"),
        "times": (0.1, lambda: time_item(rng)),
        "addresses": (0.06, lambda: some(rng, lambda: rng.choice([w.ORIGIN, w.OTHER, "20.42.0.0/16"]))),
        "url": (0.12, lambda: rng.choice(["/admin", "^http://[^/]*/files/", "\\.zip$", "q=1", "!upload"])),
        "headers": (0.1, lambda: rng.choice(['"X-Kind: one"', '"X-Kind: ^T"', "X-Kind", '"!X-Kind: two"'])),
        "content-types": (0.04, lambda: rng.choice(["text/*", "image/png", "!text/plain"])),
    }
    return [f"{name} = {value()}" for name, (chance, value) in make.items() if rng.random() < chance]


def rule(rng, number):
    action = rng.choice(["deny", "bypass", "tunnel", "tunnel", "inspect"])
    lines = [f"[rule r{number}]", *conditions(rng), f"action = {action}", "force = yes"]
    if rng.random() < 0.12:
        lines.append("report = yes")
    elif action == "deny" and rng.random() < 0.3:
        lines.append("redirect = http://intranet.example/")
    if action != "deny" and "users = nobody" in lines:
        lines.append("auth = none")
    elif action != "deny" and rng.random() < 0.6:
        lines.append(f"auth = {rng.choice(['none', 'none', 'required'])}")
    if action == "bypass":
        lines.append(f"guard = {rng.choice(['enforce', 'report', 'off'])}")
    return "\n".join(lines) + "\n"


def configuration(rng):
    lists = "".join(f"[list {name}]\n" + "".join(f"host = {names(rng)}\n" for _ in range(4)) + f"host = *.{rng.choice(LABELS)}.{rng.choice(DOMAINS)}\n"
                    for name in ("first", "second"))
    last = "[rule last]\nschemes = https\naction = inspect\nauth = none\nforce = yes\n" if rng.random() < 0.4 else ""
    return lists + "".join(rule(rng, number) for number in range(rng.randint(4, 18))) + last


def question(rng, number):
    """As explain takes it; what is sent is made of the same."""
    host = rng.choice([w.ORIGIN, w.OTHER]) if rng.random() < 0.06 else names(rng)
    asked = {"id": number, "client": rng.choice(CLIENTS), "listener": rng.choice(["edge", "edge", "side"]),
             "user": rng.choice(["alice", "bob", "nobody", "nobody"])}
    if host[0] not in "0123456789":
        asked["address"] = ADDRESS[host[-len(DOMAINS[0]):] if host.endswith(DOMAINS[0]) else DOMAINS[1]]
    if rng.random() < 0.3:
        asked["target"] = f"{host}:{rng.choice([443] * 12 + [8443] * 4 + [22])}"
        if rng.random() < 0.4:
            asked["sni"] = names(rng) if rng.random() < 0.5 else host if host[0] not in "0123456789" else ""
        return asked
    asked["target"] = f"http://{host}{rng.choice([''] * 10 + [':8080'] * 4 + [':81'])}{rng.choice(PATHS)}"
    asked["method"] = rng.choice(METHODS)
    asked["content-type"] = "text/plain"
    asked["header"] = [f"User-Agent: q{number}"] + ([f"X-Kind: {rng.choice(KINDS)}"] if rng.random() < 0.5 else [])
    return asked


def ways_in(rng):
    """Tunnels that may be inspected: who opens each, and where it leads."""
    return [{"client": rng.choice(CLIENTS), "listener": rng.choice(["edge", "side"]), "user": rng.choice(["alice", "nobody"]), "host": names(rng)} for _ in range(4)]


def inner_question(rng, number, tunnel):
    """A request inside such a tunnel."""
    asked = {name: tunnel[name] for name in ("client", "listener", "user")}
    asked["address"] = ADDRESS[next(domain for domain in DOMAINS if tunnel["host"].endswith(domain))]
    return {**asked, "id": number, "target": f"https://{tunnel['host']}{rng.choice(PATHS)}", "method": rng.choice(METHODS), "content-type": "text/plain",
            "header": [f"User-Agent: q{number}"] + ([f"X-Kind: {rng.choice(KINDS)}"] if rng.random() < 0.5 else [])}


def fields_of(asked, inside=False):
    lines = asked.get("header", [f"User-Agent: q{asked['id']}"])
    if asked["user"] != "nobody" and not inside:
        token = base64.b64encode(f"{asked['user']}:{USERS[asked['user']]}".encode()).decode()
        lines = [*lines, f"Proxy-Authorization: Basic {token}"]
    return "\r\n".join(lines)


# --- sending ---

END = re.compile(rb"\r\n\r\n")
LENGTH = re.compile(rb"\r\nContent-Length: (\d+)", re.I)


class Pipe:
    """A connection that takes requests in batches and reads their answers. The gateway may close after one, and what was sent behind that is sent again."""

    def __init__(self, address, source):
        self.address, self.source = address, source
        self.connect()

    inside = False

    def connect(self):
        self.sock = wire.connect(self.address, self.source).sock
        self.kept, self.answered = b"", 0

    def send(self, batch):
        self.batch = batch
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # closed meanwhile: read() finds out
            self.sock.sendall("".join(f"{q['method']} {q['target']} HTTP/1.1\r\nHost: {q['target'].split('/')[2]}\r\nContent-Length: 0\r\n{fields_of(q, self.inside)}\r\n\r\n"
                                      for q in batch).encode())

    def more(self):
        try:
            data = self.sock.recv(262144)
        except (ConnectionResetError, ssl.SSLEOFError):
            data = b""
        self.kept += data
        return bool(data)

    def answer(self, q):
        """Read one. False: closed instead."""
        while not (end := END.search(self.kept)):
            if not self.more():
                return False
        whole = end.end() + (0 if q["method"] == "HEAD" else int(LENGTH.search(self.kept, 0, end.end())[1]))
        while len(self.kept) < whole:
            assert self.more(), f"half an answer to {q}"
        self.kept = self.kept[whole:]
        return True

    def read(self):
        for number, q in enumerate(self.batch):
            if not self.answer(q):
                assert self.answered, f"closed without an answer to {q}"
                rest = self.batch[number:]
                self.sock.close()
                self.connect()
                self.send(rest)
                self.read()
                return
            self.answered += 1


class Inside(Pipe):
    """The same inside an inspected tunnel."""

    inside = True

    def __init__(self, address, q):
        self.q = q
        super().__init__(address, q["client"])

    def connect(self):
        super().connect()
        host = self.q["target"].split("/")[2]
        self.sock.sendall(f"CONNECT {host}:443 HTTP/1.1\r\nHost: {host}:443\r\n{fields_of({**self.q, 'header': ['User-Agent: tunnel']})}\r\n\r\n".encode())
        assert self.sock.recv(65536).startswith(b"HTTP/1.1 200 ")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self.sock = context.wrap_socket(self.sock, server_hostname=host)


def send_inside(gateways, asked):
    """Each way in, one after the other."""
    while asked:
        first = asked[0]
        same = [q for q in asked if all(q[name] == first[name] for name in ("client", "listener", "user")) and q["target"].split("/")[2] == first["target"].split("/")[2]]
        asked = [q for q in asked if q not in same]
        pipe = Inside(gateways[first["listener"]], first)
        while same:
            pipe.send(same[:BATCH])
            pipe.read()
            del same[:BATCH]
        pipe.sock.close()


def send_plain(gateways, asked):
    queues = {}
    for q in asked:
        queues.setdefault((q["listener"], q["client"]), []).append(q)
    pipes = [(Pipe(gateways[listener], client), queue) for (listener, client), queue in queues.items()]
    while any(queue for _, queue in pipes):
        busy = [(pipe, queue) for pipe, queue in pipes if queue]
        for pipe, queue in busy:
            pipe.send(queue[:BATCH])
            del queue[:BATCH]
        for pipe, _ in busy:
            pipe.read()
    for pipe, _ in pipes:
        pipe.sock.close()


def hello(name, made={}):
    if name not in made:
        made[name] = wire.client_hello(name or None)
    return made[name]


def send_connects(gateways, asked, told):
    """Each on a connection of its own. With what is not inspected goes the ClientHello, if it was said what that names."""
    for at in range(0, len(asked), TUNNELS):
        open_now = []
        for q in asked[at:at + TUNNELS]:
            sock = wire.connect(gateways[q["listener"]], q["client"]).sock
            q["said"] = "sni" in q and told[q["id"]]["action"] in ("bypass", "tunnel") and told[q["id"]]["status"] == 200
            sock.sendall(f"CONNECT {q['target']} HTTP/1.1\r\nHost: {q['target']}\r\n{fields_of(q)}\r\n\r\n".encode() + (hello(q["sni"]) if q["said"] else b""))
            open_now.append(sock)
        for sock in open_now:
            assert sock.recv(65536)
        for sock in open_now:
            sock.close()


# --- comparing ---


class Log:
    """Lines of the access log by the number in their User-Agent, as they come."""

    def __init__(self, path):
        self.path, self.at, self.rest, self.lines = path, 0, b"", {}

    def wait(self, numbers):
        def ask():
            with open(self.path, "rb") as file:
                file.seek(self.at)
                data = file.read()
            self.at += len(data)
            *lines, self.rest = (self.rest + data).split(b"\n")
            for line in lines:
                value = json.loads(line)
                if (value["user_agent"] or "").startswith("q"):
                    self.lines[int(value["user_agent"][1:])] = value
            return all(number in self.lines for number in numbers)

        wire.wait_until(ask, "the lines of all requests", wire.PATIENCE * 3)
        return self.lines


def differences(q, told, line):
    """What is not as explain said."""
    told = told.get("inside", told)
    [text] = [log["line"] for log in told["log_lines"] if log["log"] == "access"]
    said = json.loads(text)
    fields = list(FIELDS)
    if said["fault"] in REFUSALS or line["fault"] in REFUSALS:
        fields += ["fault", "status"]
    if "://" not in q["target"]:
        fields += ["status"]
    if q.get("said"):
        fields += ["guard"]
    if said["address"]:
        fields += ["address"]
    return {name: (said[name], line[name]) for name in fields if said[name] != line[name]}


def explain(ini, asked, folder):
    lines = folder / "questions"
    lines.write_text("".join(json.dumps(q) + "\n" for q in asked))
    done = g.command("explain", "-c", ini, "--batch", lines)
    assert done.returncode in (0, 2), done
    return done


def test_explain_foretells_what_the_gateway_does(quick_origin, gateway_kept, folder_kept):
    rng = random.Random(SEED)
    ca = certs.Cert("Explain CA", ca=True).write(folder_kept, "ca")
    ca[1].chmod(0o600)
    users = logon.basic_file(folder_kept / "users", **USERS)
    side = g.free_port()
    more = (f"[listener side]\naddress = 127.0.0.1:{side}\nclients = 127.0.0.0/8\n"
            f"[auth]\nschemes = basic\nbasic-without-tls = yes\nbasic-file = {users}\n"
            f"[inspection]\nca-cert = {ca[0]}\nca-key = {ca[1]}\non-bad-origin = pass\n")
    gw = gateway_kept(rules=g.LET_ALL, more=more, connect_ports="443 8443", http_ports="80 8080", workers=1)
    log, number, bad, each = Log(gw.access), 0, [], -(-REQUESTS // CONFIGURATIONS)
    seen, sent, sent_inside = {}, 0, 0
    gateways = {"edge": gw.address, "side": ("127.0.0.1", side)}
    for turn in range(CONFIGURATIONS):
        gw.write(configuration(rng))
        assert "refused" not in (said := gw.reload()), said
        tunnels = ways_in(rng)
        asked = [inner_question(rng, number + i, rng.choice(tunnels)) if rng.random() < 0.15 else question(rng, number + i) for i in range(each)]
        number += each
        done = explain(gw.file, asked, folder_kept)
        told = {value["id"]: value for value in map(json.loads, done.stdout.splitlines())}
        assert len(told) == each and not any("error" in value for value in told.values()), done.stdout[:1000]
        inner = [q for q in asked if "inside" in told[q["id"]]]
        for q in asked:  # what is not inspected has nothing inside: the CONNECT remains
            if q["target"].startswith("https:") and "inside" not in told[q["id"]]:
                q["target"] = q["target"].split("/")[2] + ":443"
        send_plain(gateways, [q for q in asked if q["target"].startswith("http:")])
        send_connects(gateways, [q for q in asked if "://" not in q["target"]], told)
        send_inside(gateways, inner)
        sent, sent_inside = sent + len(asked), sent_inside + len(inner)
        lines = log.wait([q["id"] for q in asked])
        for q in asked:
            line = lines.pop(q["id"])
            seen[line["fault"] or line["action"]] = seen.get(line["fault"] or line["action"], 0) + 1
            if found := differences(q, told[q["id"]], line):
                bad.append((turn, q, found))
        assert not bad, "\n".join(map(str, [len(bad), *bad[:5]])) + "\n" + gw.file.read_text()
    print(sent, sent_inside, seen)
    assert sent_inside > sent / 200
    assert {"denied", "auth-required", "port-denied", "redirected", "tunnel"} <= set(seen)  # the requests were of all kinds
