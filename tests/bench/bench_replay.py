# SPDX-License-Identifier: MIT
"""What replay needs for a million lines: 200,000 hosts, 1,000 rules, 5,000 users; squid and json, plain and gzip. Judged by people.
Usage: bench_replay.py BUILD [LINES]. The limits: squid 3 s, json 8 s of one core for a million lines."""

import gzip
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
from datetime import datetime, timezone
from pathlib import Path

HOSTS, RULES, USERS = 200_000, 1_000, 5_000
START = 1_780_000_000  # a day in May
LIMIT_S = {"squid": 3.0, "json": 8.0}
# what half of all requests go to, as on any network
BUSY = ["v10.events.data.microsoft.com", "settings-win.data.microsoft.com", "www.google.com", "outlook.office365.com", "teams.microsoft.com"]
WORDS = ["deny", "tunnel", "inspect"]


def host_of(i):
    return f"www{i % 7}.site{i}.{('com', 'net', 'example', 'co.uk')[i % 4]}"


def configuration(seed):
    """A thousand rules: most name hosts, some networks, times, groups or users; a candidate (seed 1) differs in one of a hundred."""
    text = ["[gateway]\nuser = root\n[auth]\nschemes = basic\nbasic-file = users\nbasic-without-tls = yes\ndomain = winbind\n[listener main]\naddress = 127.0.0.1:3128\nclients = 0.0.0.0/0 ::/0\n",
            "[rule diagnostics]\naction = bypass\nhosts = *.events.data.microsoft.com settings-win.data.microsoft.com\n"]
    dice = random.Random(7)
    for i in range(RULES - 2):
        action = WORDS[dice.randrange(3)]
        if seed and i % 100 == 54:
            action = "deny" if action != "deny" else "tunnel"
        hosts = "\n    ".join(f".site{dice.randrange(HOSTS)}.{('com', 'net', 'example', 'co.uk')[dice.randrange(4)]}" for _ in range(20))
        text.append(f"[rule r{i}]\naction = {action}\n{'auth = none' if action != 'deny' else ''}\nhosts = {hosts}\n")
        if i % 10 == 0:
            text.append(f"clients = 10.{i % 256}.0.0/16\n")
        elif i % 10 == 1:
            text.append("times = mon-fri 08:00-18:00\n")
        elif i % 50 == 2:
            text.append(f"users = CORP\\user{i}\n")
        elif i % 50 == 3:
            text.append(f'groups = "CORP\\Group {i}"\n')
    text.append("[rule rest]\naction = inspect\nauth = none\n[inspection]\nca-cert = ca.pem\nca-key = ca.key\n")
    return "\n".join(text)


def requests(n):
    dice = random.Random(3)
    for i in range(n):
        host = BUSY[dice.randrange(len(BUSY))] if dice.random() < 0.5 else host_of(dice.randrange(HOSTS))
        user = f"CORP\\user{dice.randrange(USERS)}" if dice.random() < 0.6 else None
        yield START + i * 86400 / n, f"10.{dice.randrange(64)}.{dice.randrange(256)}.{dice.randrange(1, 255)}", host, user, dice.random() < 0.85, dice.randrange(60_000)


def squid_line(at, client, host, user, connect, ms):
    name = user.replace("\\", "%5C") if user else "-"
    if connect:
        return f"{at:.3f} {ms:6d} {client} TCP_TUNNEL/200 {ms * 3} CONNECT {host}:443 {name} HIER_DIRECT/20.42.73.{ms % 256} -\n"
    return f"{at:.3f} {ms:6d} {client} TCP_MISS/200 {ms * 3} GET http://{host}/path/{ms}/index.html? {name} HIER_DIRECT/20.42.73.{ms % 256} text/html\n"


def json_line(at, client, host, user, connect, ms):
    when = datetime.fromtimestamp(at, timezone.utc)
    return json.dumps({
        "ts": when.strftime("%Y-%m-%dT%H:%M:%S.") + f"{when.microsecond // 1000:03d}Z", "duration_ms": ms, "id": f"{ms:016x}", "client": client, "client_port": 50000,
        "listener": "main", "worker": 1, "session": f"{ms:016x}", "method": "CONNECT" if connect else "GET", "scheme": "https" if connect else "http", "host": host,
        "port": 443 if connect else 80, "url": f"{host}:443" if connect else f"http://{host}/path/{ms}/index.html?", "action": "tunnel", "rule": "rest", "list_entry": None,
        "reported": None, "guard": None, "sni": host if connect else None, "ech": False, "alpn": "h2" if connect else None, "tls_client": None, "tls_origin": None,
        "origin_issuer": None, "tls_detail": None, "user": user, "groups": ["CORP\\Domain Users", "CORP\\Proxy Users"] if user else None,
        "auth_scheme": "Negotiate/Kerberos" if user else None, "auth_detail": None, "status": 200, "result": "TCP_TUNNEL" if connect else "TCP_MISS", "fault": None,
        "address": f"20.42.73.{ms % 256}", "parent": None, "bytes_in": ms, "bytes_out": ms * 3, "resolve_ms": 3, "connect_ms": 20, "tls_ms": None, "first_byte_ms": 40,
        "auth_ms": 2 if user else None, "queue_ms": None, "user_agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64)", "content_type": None if connect else "text/html",
    }, separators=(",", ":")) + "\n"


def measure(postern, args):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([postern, "replay", "--json", *args], stdout=subprocess.PIPE, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in (0, 1):
        sys.exit(f"replay failed: {done.returncode}")
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime, json.loads(done.stdout), after.ru_maxrss


def main():
    postern, n = Path(sys.argv[1], "postern").resolve(), int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000
    with tempfile.TemporaryDirectory(prefix="postern-bench-") as folder:
        os.chdir(folder)
        subprocess.run([postern, "ca", "init", "--cert", "ca.pem", "--key", "ca.key"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        Path("users").touch(0o600)
        Path("old.ini").write_text(configuration(0), encoding="ascii")
        Path("new.ini").write_text(configuration(1), encoding="ascii")
        for kind, line in (("squid", squid_line), ("json", json_line)):
            with open(f"{kind}.log", "w", encoding="ascii") as log:
                log.writelines(line(*r) for r in requests(n))
            with open(f"{kind}.log", "rb") as log, gzip.open(f"{kind}.log.gz", "wb", 6) as packed:
                packed.writelines(log)
            for name, args in ((f"{kind}", [f"{kind}.log"]), (f"{kind}, gzip", [f"{kind}.log.gz"]), (f"{kind}, against a file", ["--against", "old.ini", f"{kind}.log"])):
                seconds, answer, kib = measure(postern, ["-c", "new.ini", *args])
                per_million = seconds * 1e6 / n
                print(f"{name:24} {n} lines in {seconds:5.2f} s; a million in {per_million:5.2f} s, {per_million / LIMIT_S[kind]:.2f} of the limit; "
                      f"{answer['changed']} changed, {kib >> 10} MiB", flush=True)


if __name__ == "__main__":
    main()
