# SPDX-License-Identifier: MIT
"""Access logs read by the programs that are made for them: calamaris, goaccess, lnav, jq; and renamed by logrotate."""

import json
import os
import re
import subprocess

import gateway as g
import origin as origins
import pytest
import wire
import world as w

CONTRIB = g.SOURCE / "contrib"
RULES = "[rule no-way]\nhosts = no.example.net\naction = deny\n[rule all]\nhosts = *\naction = tunnel\nauth = none\n"
FORMATS = ("w3c", "cef", "leef", "combined")
AGENT = 'probe/1 (a=b; c|d) "q" + \\ 50%'


def run(*words, cwd=None, env=None, stdin=subprocess.DEVNULL):
    done = subprocess.run([str(word) for word in words], stdin=stdin, capture_output=True, text=True, timeout=60, cwd=cwd, env={**os.environ, **(env or {})})
    assert done.returncode == 0, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def gw(world, gateway_kept, serve_kept):
    """Four requests, in every format: a tunnel, two over plain HTTP, and nonsense."""
    serve_kept(origins.Echo, w.ORIGIN, 443)
    serve_kept(origins.Http, w.ORIGIN, 80)
    gw = gateway_kept(start=False)
    gw.more = "".join(f"\n[log {name}]\nfile = {gw.folder}/{name}.log\nformat = {name}\nlog-query = yes\n" for name in FORMATS)
    gw.write(RULES)
    gw.start()
    with gw.tunnel("origin.example.net:443") as t:
        t.send("12345").exactly(5)
    gw.record(method="CONNECT")
    gw.get("http://origin.example.net/a%20b?k=v%20w", fields=f"User-Agent: {AGENT}\r\n")
    gw.get("http://no.example.net/", fields=f"User-Agent: {AGENT}\r\n")
    with gw.connect() as c:
        c.send("nonsense\r\n\r\n").rest()
    gw.native_lines(4)
    gw.record(4)
    for name in FORMATS:
        wire.wait_until(lambda: sum(not line.startswith("#") for line in lines(gw, name)) == 4, f"four lines in {name}")
    return gw


def lines(gw, name):
    file = gw.folder / f"{name}.log"
    return file.read_text().split("\n")[:-1] if file.exists() else []


def lnav(gw, file, query):
    """What lnav knows of a log with the formats that we ship."""
    home = gw.folder / "lnav"
    home.mkdir(exist_ok=True)
    env = {"HOME": str(home), "TERM": "dumb"}
    run("lnav", "-i", CONTRIB / "lnav" / "postern.json", env=env)
    return json.loads(run("lnav", "-n", "-c", f";{query}", "-c", ":write-json-to -", file, env=env))


def test_calamaris_and_goaccess_read_squids_format(gw):
    report = run("calamaris", "-a", stdin=gw.native.open())
    assert re.search(r"lines parsed:\s+lines\s+4\b", report) and re.search(r"invalid lines:\s+lines\s+0\b", report), report
    assert re.search(r"TCP_TUNNEL\s+1\b", report) and re.search(r"TCP_DENIED\s+1\b", report)
    # the words that contrib/README gives
    words = re.search(r"^\s+goaccess access\.log (--log-format='.*)$", (CONTRIB / "README").read_text(), re.M)[1].replace("'", "").split(" --")
    out = gw.folder / "goaccess.json"
    run("goaccess", gw.native, "--no-global-config", words[0], *[f"--{word}" for word in words[1:]], "-o", out)
    found = json.loads(out.read_text())
    # what was no request has no method, and goaccess leaves such lines out
    assert (found["general"]["total_requests"], found["general"]["valid_requests"]) == (4, 3)
    assert {row["data"] for row in found["requests"]["data"]} | {row["data"] for row in found["not_found"]["data"]} >= {
        "http://origin.example.net/a b?", "origin.example.net:443"}  # it decodes


def test_goaccess_reads_combined(gw):
    out = gw.folder / "goaccess2.json"
    run("goaccess", gw.folder / "combined.log", "--no-global-config", "--log-format=COMBINED", "-o", out)
    found = json.loads(out.read_text())
    assert found["general"]["valid_requests"] >= 3
    assert any("origin.example.net/a b?" in row["data"] for row in found["requests"]["data"])


def test_lnav_reads_json_squid_and_w3c(gw):
    rows = lnav(gw, gw.access, "SELECT log_level, client, method, host, action, rule, fault, status FROM postern_json_log ORDER BY log_line")
    assert [(r["log_level"], r["method"], r["host"], r["action"], r["rule"], r["fault"], r["status"]) for r in rows] == [
        ("info", "CONNECT", "origin.example.net", "tunnel", "all", None, 200), ("info", "GET", "origin.example.net", "tunnel", "all", None, 200),
        ("warning", "GET", "no.example.net", "deny", "no-way", "denied", 403), ("warning", None, None, None, None, rows[3]["fault"], 400)]
    rows = lnav(gw, gw.native, "SELECT log_level, client, result, status, method, url FROM postern_squid_log ORDER BY log_line")
    assert [(r["log_level"], r["result"], r["status"], r["method"]) for r in rows] == [
        ("info", "TCP_TUNNEL", 200, "CONNECT"), ("info", "TCP_MISS", 200, "GET"), ("warning", "TCP_DENIED", 403, "GET"), ("warning", "NONE_NONE", 400, "-")]
    # its own format of that name, told by #Fields
    rows = lnav(gw, gw.folder / "w3c.log", "SELECT c_ip, cs_method, cs_host, cs_uri_stem, cs_uri_query, sc_status, sc_bytes, cs_headers, x_fields FROM w3c_log "
                                           "ORDER BY log_line")
    assert [(r["cs_method"], r["cs_host"], r["sc_status"]) for r in rows] == [
        ("CONNECT", "origin.example.net", 200), ("GET", "origin.example.net", 200), ("GET", "no.example.net", 403), (None, None, 400)]
    assert rows[1]["cs_uri_stem"] == "/a%20b" and rows[1]["cs_uri_query"] == "k=v%20w" and rows[1]["c_ip"] == "127.0.0.1"
    more = [r["x_fields"] if isinstance(r["x_fields"], dict) else json.loads(r["x_fields"]) for r in rows]
    assert [m["x-postern-rule"] for m in more] == ["all", "all", "no-way", None] and more[2]["x-postern-fault"] == "denied"


def test_jq_reads_json(gw):
    assert run("jq", "-r", 'select(.action == "deny") | "\\(.rule) \\(.fault) \\(.user_agent)"', gw.access) == f"no-way denied {AGENT}\n"


def test_cef_and_leef_are_taken_apart_by_their_rules(gw):
    heads = [re.fullmatch(r"CEF:0\|Postern\|Postern\|([^|]+)\|([^|]+)\|([^|]+)\|(\d+)\|(.*)", line) for line in lines(gw, "cef")]
    assert all(heads) and [h[2] for h in heads[:3]] == ["tunnel", "tunnel", "denied"] and [h[4] for h in heads[:3]] == ["1", "1", "5"]
    pairs = [dict(re.findall(r"(\w+)=((?:\\.|[^\\=])*?)(?= \w+=|$)", h[5])) for h in heads]
    assert re.sub(r"\\(.)", r"\1", pairs[1]["requestClientApplication"]) == AGENT
    assert pairs[2]["cs1Label"] == "Rule" and pairs[2]["cs1"] == "no-way" and pairs[2]["outcome"] == "failure" and pairs[2]["dhost"] == "no.example.net"
    leef = [line.split("|", 6) for line in lines(gw, "leef")]
    assert [(p[0], p[4], p[5]) for p in leef[:3]] == [("LEEF:2.0", "tunnel", "x09"), ("LEEF:2.0", "tunnel", "x09"), ("LEEF:2.0", "denied", "x09")]
    pairs = [dict(pair.split("=", 1) for pair in p[6].split("\t")) for p in leef]
    assert pairs[1]["userAgent"] == AGENT and pairs[2]["policy"] == "no-way" and pairs[0]["url"] == "origin.example.net:443"


def test_logrotate_renames_and_the_gateway_goes_on_in_a_new_file(gw):
    before = {name: lines(gw, name) for name in ("access", "w3c")}
    stub = gw.folder / "bin"
    stub.mkdir()
    (stub / "systemctl").write_text(f"#!/bin/sh\necho {gw.child.pid}\n")
    (stub / "systemctl").chmod(0o755)
    text = (CONTRIB / "logrotate" / "postern").read_text().replace("/var/log/postern", str(gw.folder)).replace("postern postern", "nobody nogroup")
    (gw.folder / "rotate").write_text(text)
    run("logrotate", "-f", "-s", gw.folder / "rotated", gw.folder / "rotate", env={"PATH": f"{stub}:{os.environ['PATH']}"})
    gw.get("http://origin.example.net/after")
    wire.wait_until(lambda: any("/after" in line for line in lines(gw, "access")) and any("/after" in line for line in lines(gw, "w3c")), "the line in the new files")
    for name in before:
        assert (gw.folder / f"{name}.log.1").read_text().split("\n")[:-1] == before[name]
    assert lines(gw, "w3c")[0] == "#Version: 1.0" and lines(gw, "w3c")[3].startswith("#Fields: date time ")
