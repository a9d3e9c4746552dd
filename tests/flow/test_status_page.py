# SPDX-License-Identifier: MIT
"""The status page in a real browser, with and without its script, and what it is made of."""

import json
import time

import pytest

import browser as browsers
import gateway as g
import load
import origin as origins
import wire
import world as w

URL = "http://origin.example.net/"
RULES = """
[parent hq]
address = 20.42.0.20:3128
[rule shut]
hosts = other.example.net
action = deny
[rule elsewhere]
hosts = far.example.net
parent = hq
action = tunnel
auth = none
[rule open]
action = tunnel
auth = none
"""

COUNT, WORD = {"type": "integer", "minimum": 0}, {"type": "string"}
RATE, MAYBE, MAYBE_RATE = {"type": "number", "minimum": 0}, {"type": ["integer", "null"], "minimum": 0}, {"type": ["number", "null"], "minimum": 0}


def exactly(**fields):
    return {"type": "object", "properties": fields, "required": list(fields), "additionalProperties": False}


def rows(**fields):
    return {"type": "array", "items": exactly(**fields)}


POINT = {name: RATE for name in "tunnels connections bypass tunnel inspect deny refused log_on server client received sent".split()}
POINT |= {f"{what}_{part}": MAYBE_RATE for what in ("connect", "request") for part in ("p50", "p95")}
UP = {"enum": ["up", "down"]}
SCHEMA = exactly(
    now=COUNT,
    gateway=exactly(state={"enum": ["starting", "ready", "draining"]}, version=WORD, started=COUNT, generation=COUNT, applied=MAYBE,
                    last_reload={"enum": ["none yet", "done", "refused"]}, reloads=COUNT, reloads_refused=COUNT),
    traffic=exactly(tunnels=COUNT, connections=COUNT, decided_per_second=RATE, faults_per_second=RATE, received_per_second=RATE, sent_per_second=RATE),
    latency=exactly(connect_p50_ms=MAYBE_RATE, connect_p95_ms=MAYBE_RATE, request_p50_ms=MAYBE_RATE, request_p95_ms=MAYBE_RATE),
    totals=exactly(**{name: COUNT for name in "accepted refused_unread refused_limit requests tunnels received sent guard_closed queued accept_pauses".split()}),
    suggest=exactly(rejected_certificate=COUNT, wanted_certificate=COUNT, no_logon=COUNT),
    logs=exactly(**{name: COUNT for name in "lines bytes dropped ring_dropped errors".split()}),
    policy=exactly(rules=COUNT, unused=COUNT),
    doctor=exactly(state={"enum": ["off", "waiting", "running", "failed", "well", "bad"]}, last=MAYBE, next_in_s=MAYBE, tested=COUNT, bad=COUNT, untested=COUNT),
    endpoints=rows(host=WORD, port=COUNT, list=WORD, state={"enum": ["well", "bad", "untested"]}, direct=WORD, parent=WORD, gateway=WORD, bad_since=MAYBE,
                   certificate_days=MAYBE),
    point=exactly(**POINT),
    actions=rows(action={"enum": ["bypass", "tunnel", "inspect", "deny"]}, per_second=RATE, requests=COUNT),
    faults=rows(fault=WORD, sentence=WORD, recent=COUNT, requests=COUNT),
    hosts=rows(host=WORD, requests=COUNT, denied=COUNT, bytes=COUNT),
    clients=rows(client=WORD, requests=COUNT, denied=COUNT, bytes=COUNT),
    rules=rows(number=MAYBE, rule=WORD, state={"enum": ["used", "unused"]}, requests=COUNT, open=COUNT, last=MAYBE, received=COUNT, sent=COUNT),
    listeners=rows(listener=WORD, open=COUNT, accepted=COUNT, refused=COUNT, requests=COUNT),
    parents=rows(parent=WORD, host=WORD, port=COUNT, state=UP, since=MAYBE, latency_ms=MAYBE_RATE, used=COUNT, failed=COUNT),
    processes=rows(process=WORD, state={"enum": ["up", "down", "silent"]}, pid=MAYBE, since=MAYBE, starts=COUNT, deaths=COUNT, hangs=COUNT),
    lists=rows(list=WORD, state={"enum": ["fine", "stale", "inline"]}, entries=COUNT, since=MAYBE),
    back_ends=rows(back_end=WORD, state=UP, ok=COUNT, refused=COUNT, bad=COUNT, limited=COUNT, unavailable=COUNT, dropped=COUNT, mean_ms=MAYBE_RATE),
)


class Here:
    """A gateway with an admin address, and what stands there."""

    def __init__(self, gateway, rules=RULES, **options):
        port = g.free_port()
        self.gw = gateway(rules, admin=f"127.0.0.1:{port}", workers=2, **options)
        self.address = ("127.0.0.1", port)
        self.url = f"http://127.0.0.1:{port}/"

    def ask(self, path, host="localhost"):
        with wire.connect(self.address) as c:
            return c.send(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n").response()

    def json(self, path="/status.json"):
        answer = self.ask(path)
        assert answer.status == 200 and answer["content-type"] == "application/json"
        return json.loads(answer.body)

    def becomes(self, fits, what):
        return wire.wait_until(lambda: fits(self.json()), what)


@pytest.fixture(scope="module")
def here(gateway_kept, serve_kept):
    serve_kept(origins.Http, w.ORIGIN)
    serve_kept(origins.Echo, w.ORIGIN, 443)
    return Here(gateway_kept)


@pytest.fixture(scope="module")
def browser(here):
    if browsers.missing():
        pytest.skip(browsers.missing())
    b = browsers.Browser(here.gw, words=("--no-proxy-server",))
    b.call("Log.enable")
    yield b
    b.close()


@pytest.fixture
def page(browser, here):
    """The page, opened; at the end: it asked nobody else, and nothing of it was kept from running."""
    browser.call("Emulation.setScriptExecutionDisabled", value=False)
    browser.call("Emulation.clearDeviceMetricsOverride")
    browser.events.clear()
    yield browser
    browser.js("1")  # whatever was said before has been heard
    asked = [e["params"]["request"]["url"] for e in browser.events if e["method"] == "Network.requestWillBeSent"]
    assert all(url.startswith(here.url) for url in asked), asked
    said = [e["params"] for e in browser.events if e["method"] in ("Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled")]
    assert said == []


def figure(page, name):
    return page.js(f"document.querySelector('[data-figure=\"{name}\"]').textContent")


def table(page, name):
    return page.js(f"[...document.querySelectorAll('[data-table={name}] tbody tr')].map(r => [...r.cells].map(c => c.textContent))")


def becomes(page, expression, what):
    """Waits for a change of the document, not by asking again and again."""
    said = page.js(f"""new Promise(done => {{
        const holds = () => {{ try {{ return Boolean({expression}); }} catch {{ return false; }} }};
        const end = answer => {{ watch.disconnect(); clearTimeout(late); done(answer); }};
        const watch = new MutationObserver(() => holds() && end(true));
        const late = setTimeout(() => end(document.body.innerText), {int(wire.PATIENCE * 1000)});
        watch.observe(document.documentElement, {{ subtree: true, childList: true, characterData: true, attributes: true }});
        if (holds()) end(true);
    }})""")
    assert said is True, f"{what}:\n{said}"


# --- JSON ---


def test_json_fits_its_schema_and_counts_what_ended(here):
    jsonschema = pytest.importorskip("jsonschema")
    assert here.gw.get(URL).status == 200
    assert here.gw.get("http://other.example.net/").status == 403
    status = here.becomes(lambda s: {h["host"]: h["denied"] for h in s["hosts"]}.get("other.example.net") and s["point"], "the hosts")
    status = here.json()
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    jsonschema.validate(status, SCHEMA)
    assert status["gateway"]["state"] == "ready" and abs(status["now"] - time.time()) < 60
    assert {r["rule"]: (r["state"], r["number"]) for r in status["rules"]} == {"shut": ("used", 1), "elsewhere": ("unused", 2), "open": ("used", 3)}
    assert status["policy"] == {"rules": 3, "unused": 1}
    assert status["clients"][0]["client"] == "127.0.0.1" and status["clients"][0]["requests"] >= 2
    assert {p["process"] for p in status["processes"]} >= {"worker 0", "worker 1", "logger", "admin"}
    assert [p["parent"] for p in status["parents"]] == ["hq"]
    assert {f["fault"] for f in status["faults"]} >= {"denied"}
    past = here.json("/history.json")
    assert sorted(past["columns"]) == sorted(POINT) and past["every_ms"] == 2000
    assert past["points"] and all(len(point) == len(POINT) for point in past["points"])


def test_every_page_is_refused_under_other_names_and_says_its_type(here):
    for path, kind in {"/": "text/html", "/rules": "text/html", "/status.json": "application/json", "/history.json": "application/json",
                       "/status.css": "text/css", "/status.js": "text/javascript", "/status.svg": "image/svg+xml"}.items():
        answer = here.ask(path)
        assert answer.status == 200 and answer["content-type"].startswith(kind), path
        policy = answer["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy
        assert answer["x-content-type-options"] == "nosniff" and answer["cache-control"] == "no-store"
        assert here.ask(path, host="evil.example").status == 421
        if kind == "text/html":
            assert b"style=" not in answer.body and b"<style" not in answer.body and b" on" not in answer.body.split(b"<main>")[0].split(b"<body>")[0]
    assert here.ask("/status.html").status == 404


def test_hosts_and_clients_are_named_without_any_log(here, gateway):
    here = Here(gateway, start=False)
    here.gw.file.write_text(here.gw.file.read_text().partition("[log ")[0])
    here.gw.start()
    here.gw.says("there is no .log NAME.")
    for _ in range(3):
        assert here.gw.get(URL).status == 200
    here.becomes(lambda s: [h for h in s["hosts"] if h["host"] == "origin.example.net" and h["requests"] >= 3], "the host")
    # a client that makes up names pushes nobody out
    with here.gw.connect() as c:
        for n in range(1500):
            c.send(f"GET http://x{n}.other.example.net:81/ HTTP/1.1\r\nHost: x\r\n\r\n")
            assert c.response().status == 403
    status = here.becomes(lambda s: s["totals"]["requests"] >= 1503 and [c for c in s["clients"] if c["requests"] >= 1503], "the client")
    assert status
    assert here.json()["hosts"][0]["host"] == "origin.example.net"


# --- in a browser ---


def test_figures_stand_in_the_page_without_its_script(here, page):
    assert here.gw.get(URL).status == 200
    here.becomes(lambda s: any(h["host"] == "origin.example.net" for h in s["hosts"]), "the host")
    page.call("Emulation.setScriptExecutionDisabled", value=True)
    assert page.open(here.url)["status"] == 200
    document = page.call("DOM.getDocument", depth=0)["root"]["nodeId"]

    def texts(selector):
        found = page.call("DOM.querySelectorAll", nodeId=document, selector=selector)["nodeIds"]
        return [page.call("DOM.getOuterHTML", nodeId=node)["outerHTML"] for node in found]

    assert ">ready<" in texts("[data-figure='gateway.state']")[0]
    assert any("origin.example.net" in row for row in texts("[data-table=hosts] tbody tr"))
    assert any("never" in row and "elsewhere" in row for row in texts("[data-table=rules] tbody tr[data-is=unused]"))
    assert len(texts("[data-table=processes] tbody tr")) >= 4
    assert texts("#plots[hidden]") and not texts("#plots svg")
    assert texts("noscript meta[http-equiv=refresh]") and not texts("meta[http-equiv=refresh]:not(noscript *)")[1:]


def test_plots_and_figures_are_live(here, page):
    assert page.open(here.url)["status"] == 200
    becomes(page, "!document.getElementById('plots').hidden", "the plots")
    assert page.js("document.querySelectorAll('#plots figure svg').length") == 6
    becomes(page, "document.querySelector('[data-plot^=tunnels] path.s0').getAttribute('d').startsWith('M')", "a line")
    assert "now: tunnels" in page.js("document.querySelector('[data-plot^=tunnels] svg').getAttribute('aria-label')")
    assert figure(page, "traffic.tunnels") == "0"
    page.js("window.kept = document.querySelector('[data-table=processes] tbody tr')")
    with here.gw.tunnel("origin.example.net:443") as t:
        assert t.send("hello").exactly(5) == b"hello"
        assert here.gw.get("http://late.other.example.net/").status in (403, 502)
        becomes(page, "document.querySelector('[data-figure=\"traffic.tunnels\"]').textContent === '1'", "the tunnel")
        becomes(page, "document.querySelector('[data-plot^=tunnels] .legend b').textContent === '1'", "the plot's tunnel")
    becomes(page, "document.querySelector('[data-figure=\"traffic.tunnels\"]').textContent === '0'", "the end of the tunnel")
    becomes(page, "[...document.querySelectorAll('[data-table=hosts] th[scope=row]')].some(c => c.textContent === 'late.other.example.net')", "the host")
    assert page.js("window.kept.isConnected")  # rows are changed, not made anew
    # what the script writes is what the page says
    ours = table(page, "listeners"), table(page, "rules")
    assert page.open(here.url)["status"] == 200
    assert table(page, "listeners") == ours[0] and [r[:5] + r[6:] for r in table(page, "rules")] == [r[:5] + r[6:] for r in ours[1]]


def test_a_reload_brings_a_new_page_and_silence_is_told(here, gateway, browser, page):
    here = Here(gateway)
    assert browser.open(here.url)["status"] == 200
    becomes(browser, "!document.getElementById('plots').hidden", "the plots")
    here.gw.write(RULES.replace("elsewhere", "another"), admin=f"127.0.0.1:{here.address[1]}")
    here.gw.reload()
    browser.event("Page.loadEventFired")
    assert any(row[1] == "another" for row in table(browser, "rules"))
    assert figure(browser, "gateway.generation") == "2"
    here.gw.stop()
    becomes(browser, "!document.getElementById('trouble').hidden", "that nobody answers")
    assert "No answer" in browser.js("document.getElementById('trouble').textContent")
    browser.call("Page.navigate", url="about:blank")
    browser.event("Page.loadEventFired")
    browser.events.clear()  # that connections were refused is said there


def test_names_from_outside_are_text(here, page):
    """The names that the gateway lets through hold no markup; whatever comes, neither the page nor its script makes any of it."""
    for host in ("<b>x</b>.example.net", "x&amp;.example.net", "%3Cimg%3E.example.net", "\"onload=.example.net"):
        with here.gw.connect() as c:
            c.send(f"GET http://{host}/ HTTP/1.1\r\nHost: {host}\r\n\r\n")
            assert c.response().status == 400
    assert page.open(here.url)["status"] == 200
    becomes(page, "!document.getElementById('plots').hidden", "the plots")
    page.js("""window.ran = 0; const ask = window.fetch;
        window.fetch = async (...words) => {
            const answer = await ask(...words);
            if (!String(words[0]).includes("status")) return answer;
            const data = await answer.json();
            const bad = "</td><img src=x onerror='window.ran = 1'><script>window.ran = 1</script>";
            data.hosts = [{ host: bad, requests: 1, denied: 0, bytes: 0 }];
            data.rules[0].rule = bad; data.rules[0].state = bad;
            return new Response(JSON.stringify(data));
        }; 1""")
    becomes(page, "document.querySelector('[data-table=hosts] tbody th').textContent.includes('<img')", "the host")
    assert page.js("document.querySelectorAll('main img, main script').length") == 0
    assert page.js("window.ran") == 0
    page.open(here.url)


CONTRAST = """(() => {
    const channels = text => text.match(/[\\d.]+/g).map(Number);
    const light = ([r, g, b]) => [r, g, b].map(v => v / 255).map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
    const paper = e => { for (; e; e = e.parentElement) { const c = channels(getComputedStyle(e).backgroundColor); if (c.length < 4 || c[3] > 0) return c; } };
    const worst = [];
    for (const e of document.querySelectorAll("body *")) {
        if (![...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()) || !e.getClientRects().length || e.closest(".unseen")) continue;
        const [a, b] = [light(channels(getComputedStyle(e).color)), light(paper(e))];
        const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        if (ratio < 4.5) worst.push([ratio, e.outerHTML.slice(0, 100)]);
    }
    for (const e of document.querySelectorAll("#plots path")) {
        const [a, b] = [light(channels(getComputedStyle(e).stroke)), light(paper(e.closest("figure")))];
        const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        if (ratio < 3) worst.push([ratio, e.outerHTML.slice(0, 100)]);
    }
    return [getComputedStyle(document.body).backgroundColor, worst];
})()"""


def test_light_and_dark_can_be_read(here, page):
    papers = set()
    for scheme in ("light", "dark"):
        page.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        assert page.open(here.url)["status"] == 200
        becomes(page, "!document.getElementById('plots').hidden", "the plots")
        paper, worst = page.js(CONTRAST)  # WCAG 2: 4.5 for text, 3 for lines
        assert worst == [], scheme
        papers.add(paper)
    assert len(papers) == 2
    page.call("Emulation.setEmulatedMedia", features=[])


@pytest.mark.parametrize("path", ["", "rules"])
def test_a_phone_shows_it_without_scrolling_sideways(here, page, path):
    with here.gw.connect() as c:
        long = ".".join(["a" * 60] * 4)
        c.send(f"GET http://{long}:81/ HTTP/1.1\r\nHost: x\r\n\r\n")
        assert c.response().status == 403
    here.becomes(lambda s: any(h["host"] == long for h in s["hosts"]), "the long name")
    page.call("Emulation.setDeviceMetricsOverride", width=360, height=740, deviceScaleFactor=2, mobile=True)
    assert page.open(here.url + path)["status"] == 200
    if not path:
        becomes(page, "!document.getElementById('plots').hidden", "the plots")
        assert any(row[0] == long for row in table(page, "hosts"))
    wide = page.js("[...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > 360.5 && !e.closest('.unseen, svg')).map(e => e.outerHTML.slice(0, 80))")
    assert wide == []
    assert page.js("document.documentElement.scrollWidth") == 360


def test_it_reads_well_aloud(here, page):
    assert page.open(here.url)["status"] == 200
    becomes(page, "!document.getElementById('plots').hidden", "the plots")
    assert page.js("document.documentElement.lang") == "en"
    assert page.js("document.querySelectorAll('h1').length") == 1
    assert page.js("[...document.querySelectorAll('table')].every(t => t.caption && t.caption.textContent && t.querySelectorAll('thead th[scope=col]').length)")
    assert page.js("[...document.querySelectorAll('tbody tr')].every(r => r.querySelectorAll('th[scope=row]').length === 1)")
    assert page.js("[...document.querySelectorAll('svg')].every(s => s.getAttribute('role') === 'img' && s.getAttribute('aria-label'))")


# --- speed ---


def test_a_thousand_rules_are_shown_quickly(here, gateway):
    rules = "".join(f"[rule r{n}]\nhosts = h{n}.example.com\naction = deny\n" for n in range(999))
    here = Here(gateway, rules + "[rule open]\naction = tunnel\nauth = none\n")
    assert here.gw.get(URL).status == 200
    here.becomes(lambda s: s["rules"][0]["requests"] >= 1, "the rule")
    assert len(here.json()["rules"]) == 100 and here.json()["policy"] == {"rules": 1000, "unused": 999}
    assert here.ask("/rules").body.count(b"<tr") == 1001
    with wire.connect(here.address) as c, load.Load(2, lambda _: here.gw.get(URL).status == 200 or pytest.fail("not 200")) as traffic:
        took = {path: [] for path in ("/", "/status.json", "/history.json", "/rules")}
        for path in took:
            for _ in range(10):
                began = time.monotonic()
                assert c.send(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").response().status == 200
                took[path].append(time.monotonic() - began)
        assert traffic.stop() == []
    best = {path: min(times) for path, times in took.items()}
    assert max(best.values()) < 0.02 * here.gw.patience, best
