# SPDX-License-Identifier: MIT
"""More than one machine: contrib/ha with the real HAProxy and keepalived in front of two gateways. What one that dies costs, that draining, reloading and
upgrading cost nothing, and how policy comes to both."""

import os
import shutil
import signal
import subprocess
import time

import gateway as g
import ha
import load
import logon
import origin as origins
import pytest
import wire
import world as w

URL = "http://origin.example.net/"
FRONT = (ha.BALANCERS["lb1"], ha.PORT)


@pytest.fixture(scope="module")
def site(world):
    missing = [tool for tool in ("haproxy", "keepalived", "socat") if not shutil.which(tool)]
    if missing:
        pytest.skip(f"not installed: {' '.join(missing)}")
    here = ha.Site(world)
    yield here
    here.close()


@pytest.fixture
def pair(site, gateway, folder, serve, origin):
    """Both gateways, as the README there wants them, and HAProxy sees them."""
    serve(origins.Echo, w.ORIGIN, 443)

    def start(first=None, **more):
        made = []
        for n, address in enumerate(ha.GATEWAYS):
            one = gateway(address=f"{address}:{ha.PORT}", port=ha.PORT, listener="proxy-protocol-from = 192.0.2.21 192.0.2.22", admin=f"{address}:{ha.ADMIN}",
                          admin_clients="loopback 192.0.2.0/24", control=folder / f"control{n}", pid_file=folder / f"pid{n}",
                          **{**more, **(first or {} if n == 0 else {})})
            one.address = (address, ha.PORT)
            made.append(one)
        site.become("UP", "UP")
        return made

    return start


def open_at(gw):
    """Tunnels that live there, as its metrics have it."""
    with wire.connect((gw.listens.split(":")[0], ha.ADMIN)) as c:
        text = c.send(wire.get("http://localhost/metrics").replace(b"http://localhost", b"")).response().body.decode()
    return int(next(line.split()[1] for line in text.split("\n") if line.startswith("postern_tunnels_open ")))


def tunnels_of_many(n):
    return load.Tunnels([wire.tunnel(FRONT, "origin.example.net:443", source=ha.CLIENTS[i % len(ha.CLIENTS)]) for i in range(n)])


class Coming(load.Load):
    """New connections of many clients: requests and tunnels."""

    def __init__(self, n=6, front=FRONT):
        self.front, self.turn = front, 0
        super().__init__(n, self.one)

    def one(self, i):
        self.turn += 1
        source = ha.CLIENTS[self.turn % len(ha.CLIENTS)]
        time.sleep(0.002)
        if i % 2:
            with wire.connect(self.front, source) as c:
                answer = c.send(wire.get(URL, fields="Connection: close\r\n")).response()
                assert answer.status == 200, answer
        else:
            with wire.tunnel(self.front, "origin.example.net:443", source=source) as t:
                assert t.send("hello").exactly(5) == b"hello"


def killed(gw):
    """The whole machine at once."""
    pids = [gw.child.pid, *gw.processes()]
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    gw.child.wait(20)
    gw.child = None


def test_each_client_keeps_its_gateway_and_its_address(pair):
    one, two = pair()
    for _ in range(3):
        for client in ha.CLIENTS:
            with wire.connect(FRONT, client) as c:
                assert c.send(wire.get(URL, fields="Connection: close\r\n")).response().status == 200
    wire.wait_until(lambda: len(one.records()) + len(two.records()) == 3 * len(ha.CLIENTS), "a line for each request")
    seen = [{line["client"] for line in gw.records()} for gw in (one, two)]
    assert seen[0] | seen[1] == set(ha.CLIENTS) and not seen[0] & seen[1], seen
    assert all(seen), "both have work"


def test_one_killed_costs_its_own_tunnels_only(pair, site):
    one, two = pair()
    tunnels = tunnels_of_many(60)
    with Coming() as running:
        running.passes(60)
        assert running.failures == []
        killed(one)
        running.passes(60)
        site.become("DOWN", "UP")
        lost = len(running.failures)
        # what was under way there; and who comes again at once may meet another process of the same machine, which dies a moment later
        assert lost <= 2 * 6, running.failures
        running.passes(60)
        tunnels.passes()
        assert len(running.stop()) == lost
    wire.wait_until(lambda: open_at(two) == 60 - len(tunnels.broken), "the others' end at the second")
    assert 0 < len(tunnels.broken) < 60
    tunnels.stop()
    one.start()
    site.become("UP", "UP")


def test_one_drained_costs_nothing(pair, site):
    one, two = pair(first={"drain_delay": "3s", "drain_timeout": "60s"})
    tunnels = tunnels_of_many(60)
    early = [wire.connect(FRONT, client) for client in ha.CLIENTS]  # as browsers do, who have yet to say what they want
    with Coming() as running:
        running.passes(60)
        asked = subprocess.Popen([g.PROGRAM, "drain", "--control", one.options["control"]], stdout=subprocess.PIPE, text=True)
        site.become("DOWN", "UP")
        for c in early:
            assert c.send(wire.get(URL, fields="Connection: close\r\n")).response().status == 200
            c.close()
        assert one.said().count("no more connections are taken") == 0, "HAProxy knows before"
        one.says("no more connections are taken")
        running.passes(100)
        tunnels.passes()
        assert running.stop() == []
    assert open_at(one) > 0
    assert not tunnels.broken
    tunnels.stop()
    assert "nothing was cut off" in asked.communicate(timeout=20)[0]
    one.child.wait(20)
    assert not [line for gw in (one, two) for line in gw.records() if line["fault"]]


def test_reload_and_upgrade_cost_nothing(pair, folder, site):
    program = folder / "postern"
    shutil.copy(g.PROGRAM, program)
    one, two = pair(program=program)
    tunnels = tunnels_of_many(40)
    with Coming() as running:
        running.passes(30)
        for gw in (one, two):
            gw.listener = "proxy-protocol-from = 192.0.2.21 192.0.2.22"
            gw.write(g.LET_ALL.replace("rule all", "rule every"))
            assert gw.control("reload").returncode == 0
            running.passes(30)
        for n, gw in enumerate((one, two)):
            said = gw.control("upgrade")
            assert said.returncode == 0, said
            running.passes(60)
        site.become("UP", "UP")
        tunnels.passes()
        assert running.stop() == []
    assert not tunnels.broken
    tunnels.stop()
    for n, gw in enumerate((one, two)):
        gw.follow(int((folder / f"pid{n}").read_text()))


def test_ntlm_stays_with_its_connection(pair, folder):
    if not logon.labs.SCRIPTS.is_dir():
        pytest.skip("without the lab's scripts")
    users = logon.ntlm_file(folder / "users.ntlm", "alice", "bob")
    one, two = pair(rules=f"[auth]\nschemes = ntlm\nntlm-file = {users}\n[rule all]\naction = tunnel\n")
    # several at once from one client, each in the middle of its log-on while the others are
    ways = [(logon.Ntlm(user), wire.connect(FRONT, ha.CLIENTS[3]), user) for user in ("alice", "bob") * 4]
    answers = [c.send(wire.get(URL, fields=ntlm.first())).response() for ntlm, c, _ in ways]
    for (ntlm, c, _), answer in zip(ways, answers):
        assert c.send(wire.get(URL, fields=ntlm.then(answer))).response().status == 200
    for _, c, _ in ways:
        assert c.send(wire.get(URL)).response().status == 200, "once for each connection"
        c.close()
    wire.wait_until(lambda: sum(line["status"] == 200 for gw in (one, two) for line in gw.records()) == 16, "their lines")
    lines = [line for gw in (one, two) for line in gw.records() if line["status"] == 200]
    assert sorted(line["user"].split("\\")[1] for line in lines) == ["alice"] * 8 + ["bob"] * 8
    assert {line["client"] for line in lines} == {ha.CLIENTS[3]}


def test_the_address_moves_when_a_balancer_dies(pair, site):
    pair()
    site.become("UP", "UP", name="lb2")
    site.keepalived("lb1")
    wire.wait_until(lambda: site.has_shared("lb1"), "the address at lb1", 2 * wire.PATIENCE)
    site.keepalived("lb2")
    front = (ha.SHARED, ha.PORT)
    with Coming(4, front) as running:
        running.passes(30)
        assert running.failures == []
        site.kill("lb1")
        wire.wait_until(lambda: site.has_shared("lb2") and not site.has_shared("lb1"), "the address at lb2", 2 * wire.PATIENCE)
        running.passes(30)
        before = len(running.failures)
        site.start("lb1")
        site.become("UP", "UP")
        running.passes(30)
        assert site.has_shared("lb2") and not site.has_shared("lb1"), "it stays, for moving costs every tunnel"
        assert len(running.stop()) == before


# --- drain-delay ---

def test_new_connections_are_taken_for_drain_delay(gateway, folder, serve, origin):
    admin = g.free_port()
    gw = gateway(drain_delay="2s", drain_timeout="30s", admin=f"127.0.0.1:{admin}", control=folder / "control")
    serve(origins.Echo, w.ORIGIN, 443)
    with gw.tunnel("origin.example.net:443") as t:
        gw.signal(signal.SIGTERM)
        gw.says(r"told to stop: draining; what is under way gets 30\.000 s\n.*new connections are taken for 2\.000 s more")
        with wire.connect(("127.0.0.1", admin)) as c:
            answer = c.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").response()
        assert (answer.status, answer.body) == (503, b"draining\n")
        assert "draining" in gw.control("status").stdout
        for words in (("reload",), ("upgrade",)):
            assert gw.control(*words).returncode == 1, "it was told to stop"
        os.kill(gw.pids("--child worker")[0], signal.SIGKILL)  # with the tunnel
        t.ended()
        assert wire.wait_until(lambda: gw.get(URL, fields="Connection: close\r\n"), "its successor").status == 200
        late = gw.tunnel("origin.example.net:443")
        assert "no more connections are taken" not in gw.said()
        gw.says("no more connections are taken")
        with pytest.raises(OSError):
            gw.connect()
        assert late.send("still").exactly(5) == b"still"
        late.close()
    gw.child.wait(20)
    assert gw.child.returncode == 0


def test_a_second_sigterm_ends_the_delay(gateway):
    gw = gateway(drain_delay="1h")
    gw.signal(signal.SIGTERM)
    gw.says("new connections are taken for 3600")
    gw.signal(signal.SIGTERM)
    gw.says("told to stop again: the rest is cut off")
    gw.child.wait(20)


# --- policy for both ---

GOOD = "[rule all]\naction = tunnel\nauth = none\n[rule never]\nhosts = never.example.net\naction = deny\n"


def git(folder, *words):
    return subprocess.run(["git", "-c", "user.name=Policy", "-c", "user.email=policy@example.net", "-c", "init.defaultBranch=main", "-C", str(folder), *words],
                          capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL)


def test_git_brings_good_policy_and_takes_bad_policy_back(gateway, folder):
    hub, clone = folder / "hub", folder / "clone"
    hub.mkdir()
    gw = gateway(control=folder / "control")
    base = gw.file.read_text()
    git(hub, "init", "-q")

    def commit(text):
        (hub / "postern.ini").write_text(text)
        git(hub, "add", ".")
        git(hub, "commit", "-q", "-m", "policy")

    commit(base)
    git(folder, "clone", "-q", str(hub), str(clone))
    hook = clone / ".git" / "hooks" / "post-merge"
    shutil.copy(ha.SHIPPED / "post-merge", hook)
    gw.stop()
    gw.file = clone / "postern.ini"
    gw.start()

    def pull():
        return subprocess.run(["git", "-C", str(clone), "pull", "-q", "--ff-only"], capture_output=True, text=True, env={**os.environ, "POSTERN": str(g.PROGRAM)}, timeout=60)

    commit(base.replace(g.LET_ALL, GOOD))
    done = pull()
    assert "rule never added" in done.stdout + done.stderr and "is in use" in done.stderr, done
    good = git(clone, "rev-parse", "HEAD").stdout
    (clone / "note").write_text("by hand")
    for bad, why in (("action = frobnicate", "is refused by check"), ("action = deny\n[listener more]\naddress = 20.42.0.10:80", "is refused by reload")):
        commit(base.replace(g.LET_ALL, GOOD.replace("action = deny", bad)))
        done = pull()
        assert why in done.stderr and "back to" in done.stderr, done
        assert git(clone, "rev-parse", "HEAD").stdout == good and "never.example.net\naction = deny\n" in gw.file.read_text()
        assert (clone / "note").read_text() == "by hand"
        assert gw.control("reload").returncode == 0, "what lies there is what works"


def test_ansible_goes_on_only_when_the_first_took_it(gateway, folder):
    if not shutil.which("ansible-playbook"):
        pytest.skip("not installed: ansible-core")
    play, policy = folder / "play", folder / "play" / "policy"
    policy.mkdir(parents=True)
    shutil.copy(ha.SHIPPED / "ansible" / "policy.yml", play)
    made, hosts = [], "[gateways]\n"
    for n in range(2):
        admin = g.free_port()
        machine = folder / f"machine{n}"
        machine.mkdir()
        gw = gateway(control=folder / f"control{n}", admin=f"127.0.0.1:{admin}", start=False)
        (machine / "own.ini").write_text(gw.file.read_text().replace(g.LET_ALL, ""))  # what differs, as the playbook says
        gw.file = machine / "etc" / "postern.ini"
        gw.file.parent.mkdir()
        gw.file.write_text(f"include = ../own.ini\n{g.LET_ALL}")
        gw.start()
        hosts += f"gw{n} ansible_connection=local postern_folder={machine}/etc postern_program={g.PROGRAM} postern_healthz=http://127.0.0.1:{admin}/healthz\n"
        made.append(gw)
    (play / "hosts").write_text(hosts)

    def run(rules):
        (policy / "postern.ini").write_text(f"include = ../own.ini\n{rules}")
        return subprocess.run(["ansible-playbook", "-i", str(play / "hosts"), str(play / "policy.yml")], capture_output=True, text=True, timeout=120,
                              env={**os.environ, "LC_ALL": "C.UTF-8", "ANSIBLE_PIPELINING": "1", "ANSIBLE_HOME": str(folder / "ansible"), "ANSIBLE_REMOTE_TEMP": str(folder / "ansible")})

    done = run(GOOD)
    assert done.returncode == 0, done.stdout + done.stderr
    assert all("generation 2 is in use" in gw.said() for gw in made)
    for bad, stopped_at in (("action = frobnicate", "Are they in order?"), ("action = deny\n[listener more]\naddress = 20.42.0.10:80", "No further")):
        done = run(GOOD.replace("action = deny", bad))
        assert done.returncode != 0 and stopped_at in done.stdout and "gw1" not in done.stdout.split("PLAY RECAP")[1], done.stdout
        assert not any("generation 3 is in use" in gw.said() for gw in made)
        assert all(gw.file.read_text() == f"include = ../own.ini\n{GOOD}" for gw in made)
