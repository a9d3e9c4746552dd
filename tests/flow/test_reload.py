# SPDX-License-Identifier: MIT
"""SIGHUP: the whole new configuration, or nothing of it."""

import itertools
import json
import pathlib

import gateway as g
import load
import origin as origins
import wire
import world as w

URL = "http://origin.example.net/"
DENY = "[rule none]\nhosts = *\naction = deny\nreason = closed today\n"


def test_new_rules_hold_for_new_requests_also_on_old_connections(gateway, serve, origin):
    serve(origins.Echo, w.ORIGIN, 443)
    gw = gateway()
    with gw.connect() as c, gw.tunnel("origin.example.net:443") as t:
        assert c.send(wire.get(URL)).response().status == 200
        gw.write(DENY)
        gw.reload()
        wire.wait_until(lambda: gw.get(URL).status == 403, "the new rules")
        assert c.send(wire.get(URL)).response().status == 403
        assert t.send("still").exactly(5) == b"still"  # tunnels under way keep their verdict
    assert gw.record(method="CONNECT")["action"] == "tunnel"
    assert gw.record(status=403)["rule"] == "none"


def test_a_bad_file_changes_nothing_and_says_why(gateway, origin):
    gw = gateway()
    gw.write("[rule broken]\nhost = x\naction = frobnicate\n")
    said = gw.reload(ok=False)
    assert "postern.ini:" in said and "frobnicate" in said and "host" in said
    assert gw.get(URL).status == 200
    gw.write(DENY + "[log half]\nformat = json\n")
    assert "goes nowhere" in gw.reload(ok=False)
    assert gw.get(URL).status == 200
    gw.file.unlink()
    gw.reload(ok=False)
    assert gw.get(URL).status == 200
    gw.write(DENY)
    gw.reload()
    wire.wait_until(lambda: gw.get(URL).status == 403, "the good file")


def test_a_list_file_is_read_again(gateway, origin):
    rules = "[list good]\nfile = good.list\n[rule good]\nhosts = @good\naction = tunnel\nauth = none\n"
    gw = gateway(start=False, rules=rules)
    (gw.folder / "good.list").write_text("other.example.net\n")
    (gw.folder / "good.list").chmod(0o644)
    gw.start()
    assert gw.get(URL).status == 403
    (gw.folder / "good.list").write_text("other.example.net\norigin.example.net\n")
    gw.reload()
    wire.wait_until(lambda: gw.get(URL).status == 200, "the new list")


def blocks(pid):
    """How many snapshots a process holds by descriptor, and how many it maps."""
    held = sum("postern-snapshot" in str(f.readlink()) for f in pathlib.Path(f"/proc/{pid}/fd").iterdir())
    return held, pathlib.Path(f"/proc/{pid}/maps").read_text().count("postern-snapshot")


def test_many_regexes_are_made_ready_in_turns_and_old_blocks_do_not_pile_up(gateway, origin):
    gw = gateway(start=False, rules="[list odd]\nfile = odd.list\n[rule odd]\nhosts = @odd\naction = tunnel\nauth = none\n")
    names = [f"re:(www|api)[0-9]+\\.h{i}\\.example" for i in range(500)]
    file = gw.folder / "odd.list"
    file.write_text("\n".join(names))
    file.chmod(0o644)
    gw.start()
    assert gw.get(URL).status == 403
    for last in ["re:or[aeiou]gin\\.example\\.net", "re:x", "re:or[i]gin\\.example\\.net"]:
        file.write_text("\n".join([*names, last]))
        gw.reload()
        status = 403 if last == "re:x" else 200
        wire.wait_until(lambda s=status: gw.get(URL).status == s, "the new list")
    worker = gw.pids("worker")[0]
    wire.wait_until(lambda: blocks(worker) == (1, 1), "what the worker has let go")
    # and the parent, which reads by the one in use whose hits it is told
    wire.wait_until(lambda: blocks(gw.child.pid) == (1, 1), "what the parent held for a while")


def test_listeners_come_and_go_and_those_that_stay_are_not_closed(gateway, origin):
    gw = gateway()
    second = g.free_port()
    with gw.connect() as c:
        assert c.send(wire.get(URL)).response().status == 200
        gw.listens = f"127.0.0.1:{gw.port} 127.0.0.1:{second}"
        gw.write(g.LET_ALL)
        gw.reload()

        def there():
            try:
                with wire.connect(("127.0.0.1", second)) as d:
                    return d.send(wire.get(URL)).response().status == 200
            except OSError:
                return False

        wire.wait_until(there, "the second port")
        assert c.send(wire.get(URL)).response().status == 200


def test_reload_under_load_costs_not_one_request(gateway, serve, origin):
    serve(origins.Echo, w.ORIGIN, 443)
    gw = gateway(workers=2, max_connections_per_client=0)
    other = g.LET_ALL.replace("rule all", "rule every")
    kept = {}

    def each(i):
        if i % 3 == 0:  # a new connection each time
            assert gw.get(URL, fields="Connection: close\r\n").status == 200
        elif i % 3 == 1:  # a kept one
            c = kept.setdefault(i, gw.connect())
            assert json.loads(c.send(wire.get(URL)).response().body)["line"] == "GET / HTTP/1.1"
        else:
            with gw.tunnel("origin.example.net:443") as t:
                assert t.send("hello").exactly(5) == b"hello"

    with load.Load(6, each) as running:
        running.passes(60)
        for number, rules in zip(range(1, 16), itertools.cycle((other, g.LET_ALL))):
            gw.write(rules)
            gw.signal(1)
            gw.says(r"(?i)reloaded", times=number)
            running.passes(20)
        assert running.stop() == []
    for c in kept.values():
        c.close()
    assert {line["rule"] for line in gw.records()} == {"all", "every"}


def test_a_change_of_etc_hosts_is_noticed_without_a_reload(gateway, serve, world):
    """And the tunnels under way stay."""
    serve(origins.Echo, w.ORIGIN, 443)
    serve(origins.Http, w.ORIGIN, 80)
    hosts = world.folder / "etc-etc-hosts"
    before = hosts.read_text()
    gw = gateway()
    try:
        with gw.tunnel("origin.example.net:443") as t:
            assert gw.get("http://new-in-hosts.example.org/").status == 502
            hosts.write_text(before + f"{w.ORIGIN} new-in-hosts.example.org\n")
            gw.says("/etc/hosts changed")
            wire.wait_until(lambda: gw.get("http://new-in-hosts.example.org/").status == 200, "the new line of /etc/hosts")
            assert t.send("still").exactly(5) == b"still"
    finally:
        hosts.write_text(before)
