# SPDX-License-Identifier: MIT
"""What is shipped for those who watch: alerts and dashboard against a real gateway and a real Prometheus; the container's files."""

import json
import re
import shutil
import subprocess
import urllib.error
import urllib.parse
import urllib.request

import pytest

import gateway as g
import logon
import origin as origins
import wire
import world as w

CONTRIB = g.SOURCE / "contrib"
RULES_FILE = CONTRIB / "prometheus" / "postern.rules.yml"
DASHBOARD = json.loads((CONTRIB / "grafana" / "postern.json").read_text())
RULES = """
[auth]
basic-file = {users}
basic-without-tls = yes
[parent up]
address = {origin}:80
[rule lists]
hosts = origin.example.net, nobody.example.net, nowhere.example.net, other.example.net
action = bypass
[rule inside]
users = alice
action = tunnel
parent = up
"""
# there in a gateway that inspects, speaks TLS to its clients, tests its endpoints, or has lists
ELSEWHERE = {"postern_ca_certificate_expiry_timestamp_seconds", "postern_listener_certificate_expiry_timestamp_seconds", "postern_doctor_endpoints", "postern_doctor_fault",
             "postern_doctor_certificate_expiry_timestamp_seconds", "postern_list_age_seconds"}


def promtool(*words):
    done = subprocess.run(["promtool", *map(str, words)], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


class Prometheus:
    """A real one that scrapes one gateway five times a second."""

    def __init__(self, folder, target):
        self.port = g.free_port()
        shutil.copy(RULES_FILE, folder)
        (folder / "prometheus.yml").write_text("global: {scrape_interval: 200ms, scrape_timeout: 200ms, evaluation_interval: 500ms}\n"
                                               f"rule_files: [{RULES_FILE.name}]\nscrape_configs:\n- job_name: postern\n  static_configs:\n  - targets: ['127.0.0.1:{target}']\n")
        with open(folder / "prometheus.out", "wb") as out:
            self.child = subprocess.Popen(["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
                                           f"--web.listen-address=127.0.0.1:{self.port}"], stdin=subprocess.DEVNULL, stdout=out, stderr=out)

    def get(self, path, **fields):
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(fields)}"
        try:
            with urllib.request.urlopen(url, timeout=wire.PATIENCE) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as e:
            if e.code == 503:  # it starts
                return {}
            raise AssertionError(f"{fields}: {e.read().decode()}") from None
        except OSError:
            return {}

    def ask(self, words):
        return self.get("query", query=words).get("result", [])

    def close(self):
        self.child.terminate()
        self.child.wait(60)


@pytest.fixture(scope="module")
def watched(gateway_kept, serve_kept, folder_kept):
    """A gateway that has seen a little of everything, and who watches it; its text, and the Prometheus."""
    admin = g.free_port()
    serve_kept(origins.Echo, w.ORIGIN, 443)
    serve_kept(origins.Http, w.ORIGIN, 80)
    one = gateway_kept(RULES.format(users=logon.basic_file(folder_kept / "users", alice="right"), origin=w.ORIGIN), admin=f"127.0.0.1:{admin}")
    prometheus = Prometheus(folder_kept, admin)
    try:
        wire.wait_until(lambda: prometheus.ask("postern_requests_total"), "a scrape", 60)
        for host, status in (("origin.example.net", 200), ("nobody.example.net", 502), ("nowhere.example.net", 502)):
            assert one.get(f"http://{host}/").status == status
        one.curl("-U", "alice:right", "-o", "/dev/null", "http://both.example.net/")
        wire.wait_until(lambda: prometheus.ask("postern_requests_total >= 4 and postern_log_lines_total >= 8"), "the figures")
        wire.wait_until(lambda: prometheus.ask("count_over_time(postern_requests_total[1m]) > 10 and increase(postern_requests_total[5s]) > 0"), "rates")
        yield one, one_text(admin), prometheus
    finally:
        prometheus.close()


def one_text(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=wire.PATIENCE) as answer:
        return answer.read().decode()


def expressions():
    """Of the dashboard: title, and PromQL as Grafana would send it."""
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"].replace("$instance", ".*").replace("$__rate_interval", "10s")
    for note in DASHBOARD["annotations"]["list"]:
        yield note["name"], note["expr"].replace("$instance", ".*")


def names_of(expression):
    return set(re.findall(r"\bpostern_\w+", expression))


def test_the_alerts_are_in_order_and_come_when_they_should():
    assert "FAILED" not in promtool("check", "rules", RULES_FILE)
    tests = sorted((CONTRIB / "prometheus").glob("*.test.yml"))
    promtool("test", "rules", *tests)
    text = RULES_FILE.read_text()
    alerts = re.findall(r"- alert: (\w+)(.*?)(?=- alert:|- name:|\Z)", text, re.S)
    tested = "".join(path.read_text() for path in tests)
    assert len(alerts) > 20
    for name, body in alerts:
        assert f'alertname="{name}"' in tested, name
        assert re.search(r"severity: (page|look)\b", body) and all(f" {key}: " in body for key in ("summary", "description", "todo")), name


def test_what_alerts_and_dashboard_name_is_there_and_used_as_what_it_is(watched):
    _, text, _ = watched
    kinds = {"postern_ca_certificate_expiry_timestamp_seconds": "gauge", **dict(re.findall(r"^# TYPE (\w+) (\w+)$", text, re.M))}
    for source, expression in [("alerts", RULES_FILE.read_text()), *expressions()]:
        for name in names_of(expression):
            family = re.sub(r"_bucket$", "", name)
            assert family in kinds, f"{source}: {name}"
            assert (kinds[family] == "histogram") == name.endswith("_bucket"), f"{source}: {name}"
        for function, name in re.findall(r"\b(rate|increase|irate)\((postern_\w+)", expression):
            assert kinds[re.sub(r"_bucket$", "", name)] in ("counter", "histogram"), f"{source}: {function} of {name}"
        for name in re.findall(r"(?<!rate\()(?<!increase\()\b(postern_\w+)", expression):
            assert kinds[re.sub(r"_bucket$", "", name)] == "gauge" or re.search(rf"sum by \(\w+\) \({name}", expression), f"{source}: {name} without a rate"


def test_each_panel_shows_something(watched):
    _, _, prometheus = watched
    every = list(expressions())
    assert len(every) > 40
    for title, expression in every:
        found = prometheus.ask(expression)
        rare = names_of(expression) & ELSEWHERE or title in ("Reloads", "Starts") or "tls_handshake" in expression
        assert found or rare, f"{title}: nothing for {expression}"


def test_what_fails_of_diagnostic_traffic_is_told_apart(watched):
    _, text, _ = watched
    for kind in ("connect", "name"):
        assert f'postern_failures_total{{action="bypass",kind="{kind}"}} 1\n' in text
    assert 'postern_failures_total{action="bypass",kind="dns"} 0\n' in text
    assert 'postern_parent_up{parent="up"} 1\n' in text and 'postern_parent_connections_total{parent="up"} 1\n' in text


def test_prometheus_takes_the_alerts_and_none_has_an_error(watched):
    one, _, prometheus = watched
    groups = wire.wait_until(lambda: (found := prometheus.get("rules").get("groups", [])) and all(rule["health"] == "ok" for group in found for rule in group["rules"]) and found,
                             "all alerts to be looked at")
    assert sum(len(group["rules"]) for group in groups) > 20
    assert not [rule["name"] for group in groups for rule in group["rules"] if rule["state"] == "firing" and rule["name"] not in ("PosternDiagnosticsUnreachable",)]
    one.write("[rule x]\naction = frobnicate\n")
    one.reload(ok=False)
    wire.wait_until(lambda: any(rule["name"] == "PosternReloadRefused" and rule["state"] == "pending" for group in prometheus.get("rules").get("groups", [])
                                for rule in group["rules"]), "the alert")


def test_the_dashboard_is_one_that_grafana_reads():
    assert DASHBOARD["schemaVersion"] >= 36 and DASHBOARD["uid"] and DASHBOARD["title"] == "Postern"
    names = {variable["name"]: variable["type"] for variable in DASHBOARD["templating"]["list"]}
    assert names == {"datasource": "datasource", "instance": "query"}
    taken, ids = set(), [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24 and at["h"] > 0, panel["title"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, f"{panel['title']} lies over another panel"
        taken |= cells
        assert panel["type"] in ("row", "timeseries", "stat", "table")
        if panel["type"] != "row":
            assert panel["targets"] and panel["fieldConfig"]["defaults"]["unit"] and panel["datasource"]["uid"] == "${datasource}"
            assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])


# --- the container ---


def packages_of(stage):
    """What its apt-get installs."""
    return {word for words in re.findall(r"apt-get install -y --no-install-recommends (.*?)(?: && |\Z|\nRUN|\nWORKDIR)", stage, re.S)
            for word in words.replace("\\\n", " ").split()}


def test_the_image_has_the_libraries_that_the_program_has_and_no_others():
    if not shutil.which("dpkg") or g.sanitized():  # those keep libraries that nothing of ours calls
        pytest.skip("no dpkg, or sanitizers")
    build, run = (CONTRIB / "container" / "Containerfile").read_text().split("\nFROM ")[1:]
    setup = (CONTRIB / "setup").read_text()
    wanted = set(re.search(r"build_packages=\((.*?)\)", setup, re.S)[1].split()) - {"ca-certificates", "publicsuffix"}
    assert packages_of(build) == wanted, "contrib/setup and the Containerfile"
    libraries = [name for name in re.findall(r"NEEDED +(\S+)", subprocess.run(["objdump", "-p", g.PROGRAM], capture_output=True, text=True, check=True).stdout)
                 if not re.match(r"lib(c|m|dl|pthread|asan|ubsan|gcc_s|stdc\+\+)\.so", name)]
    found = subprocess.run(["dpkg", "-S", *(f"*/{name}" for name in libraries)], capture_output=True, text=True, check=True).stdout
    needed = {line.split(":")[0] for line in found.splitlines()}
    has = packages_of(run) - {"ca-certificates", "publicsuffix", "libwbclient0"}
    assert has == needed
    known = subprocess.run(["apt-cache", "show", "--no-all-versions", *sorted(packages_of(build) | packages_of(run))], capture_output=True, text=True)
    assert known.returncode == 0, known.stderr


def test_the_image_copies_what_is_there_and_its_configuration_serves(folder):
    text = (CONTRIB / "container" / "Containerfile").read_text()
    sources = [word for words in re.findall(r"^COPY ((?!--from).*)$", text, re.M) for word in words.split()[:-1]]
    assert len(sources) > 10 and not [name for name in sources if not (g.SOURCE / name).exists()]
    for line in re.findall(r"^(?:ENTRYPOINT|CMD|HEALTHCHECK .* CMD|VOLUME) (.*)$", text, re.M):
        assert isinstance(json.loads(line), list)
    shutil.copy(CONTRIB / "container" / "postern.ini", folder)
    shutil.copytree(g.SOURCE / "conf" / "lists", folder / "lists")
    done = g.command("check", "-c", folder / "postern.ini")
    assert done.returncode == 0 and "warning" not in done.stdout + done.stderr, done.stdout + done.stderr
