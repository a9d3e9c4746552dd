# SPDX-License-Identifier: MIT
"""/proxy.pac: what it says, how it is served, and that a real browser which follows it goes where the policy would have let it pass."""

import json
import subprocess

import pytest

import browser as browsers
import gateway as g
import wire
import world as w

MEDIA = "application/x-ns-proxy-autoconfig"
RULES = """
[pac]
bypass = direct
direct = .live.com 20.42.0.0/24
proxy = 127.0.0.1:{port}

[rule denied]
hosts = bad.manage.microsoft.com
action = deny
reason = no

[rule some]
hosts = adl.windows.com
clients = 192.0.2.0/24
action = deny

[list x]
host = *.manage.microsoft.com *.dm.microsoft.com .data.microsoft.com https://graph.windows.net http://adl.windows.com http://dl.windows.com *vortex*.events.windows.com !no.data.microsoft.com

[rule bypassed]
hosts = @x !out.dm.microsoft.com
action = bypass
guard = off

[rule rest]
action = tunnel
auth = none
"""
# every host below is tried over http and https; what the file must publish at least
DIRECT = {"https://graph.windows.net", "http://dl.windows.com", "http://my-vortex-7.events.windows.com", "https://my-vortex-7.events.windows.com",
          "http://login.live.com", "https://login.live.com", "http://live.com", "https://live.com", f"http://{w.NGINX}"}
HOSTS = ("bad.manage.microsoft.com", "x.manage.microsoft.com", "manage.microsoft.com", "out.dm.microsoft.com", "a.dm.microsoft.com", "no.data.microsoft.com",
         "v10.data.microsoft.com", "data.microsoft.com", "evildata.microsoft.com", "graph.windows.net", "x.graph.windows.net", "adl.windows.com", "dl.windows.com",
         "my-vortex-7.events.windows.com", "vortex.windows.com", "login.live.com", "live.com", "notlive.com", "aka.ms", w.NGINX)


@pytest.fixture(scope="module")
def here(gateway_kept):
    port = g.free_port()
    return gateway_kept(rules=RULES.format(port=port), port=port)


def fetch(here, path, *fields, method="GET"):
    lines = "".join(f"{field}\r\n" for field in fields)
    return here.ask(f"{method} {path} HTTP/1.1\r\nHost: wpad.example.net\r\n{lines}\r\n", method)


@pytest.mark.parametrize("path", ["/proxy.pac", "/wpad.dat", "/wpad.dat?x"])
def test_it_is_served_with_its_media_type_and_may_be_kept(here, path):
    answer = fetch(here, path)
    assert answer.status == 200 and answer["content-type"] == MEDIA and answer["cache-control"] == "max-age=3600"
    assert b"FindProxyForURL" in answer.body
    again = fetch(here, path, f"If-None-Match: \"other\", W/{answer['etag']}")
    assert again.status == 304 and again.body == b"" and again["etag"] == answer["etag"]
    head = fetch(here, path, method="HEAD")
    assert head.status == 200 and head["content-length"] == str(len(answer.body))
    line = here.record(url=f"http://wpad.example.net{path.partition('?')[0]}" + ("?" if "?" in path else ""), status=304)
    assert line["fault"] is None and line["action"] is None


def test_connections_stay_and_other_paths_and_methods_are_refused(here):
    with here.connect() as c:
        for _ in range(3):
            assert c.send("GET /proxy.pac HTTP/1.1\r\nHost: a\r\n\r\n").response().status == 200
        assert c.send("GET /proxy.pac.html HTTP/1.1\r\nHost: a\r\n\r\n").response().status == 400
    assert fetch(here, "/proxy.pac", "Content-Length: 0", method="POST").status == 400
    assert fetch(here, "/").status == 400


def test_it_holds_no_denied_name_and_no_rule(here):
    text = fetch(here, "/proxy.pac").body.decode()
    assert "bad.manage" not in text and "denied" not in text and "192.0.2" not in text and "no.data" not in text


def test_the_admin_address_serves_it_too(gateway):
    port = g.free_port()
    one = gateway(rules="[pac]\n" + g.LET_ALL, admin=f"127.0.0.1:{port}")
    with wire.connect(("127.0.0.1", port)) as c:
        answer = c.send("GET /wpad.dat HTTP/1.1\r\nHost: localhost\r\n\r\n").response()
    assert answer.status == 200 and answer["content-type"] == MEDIA and answer.body == fetch(one, "/wpad.dat").body


def test_without_a_section_there_is_none(gateway):
    assert fetch(gateway(), "/proxy.pac").status == 400


def test_a_reload_changes_what_it_says(gateway):
    one = gateway(rules="[pac]\nproxy = proxy.example.net:3128\n" + g.LET_ALL)
    before = fetch(one, "/proxy.pac")
    assert b"PROXY proxy.example.net:3128\"" in before.body
    one.write("[pac]\nproxy = https://proxy.example.net:3129 other.example.net:3128\nfallback = direct\nmax-age = 5m\n" + g.LET_ALL)
    one.reload()
    after = fetch(one, "/proxy.pac", f"If-None-Match: {before['etag']}")
    assert after.status == 200 and b'"HTTPS proxy.example.net:3129; PROXY other.example.net:3128; DIRECT"' in after.body and after["cache-control"] == "max-age=300"


def bypasses(here, url):
    done = subprocess.run([str(g.PROGRAM), "explain", "-c", str(here.file), "--json", "--client", "127.0.0.1",
                           url.replace("https://", "") + ":443" if url.startswith("https") else url + "/"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30)
    return json.loads(done.stdout)["action"] == "bypass"


def test_chromium_goes_directly_only_where_the_policy_lets_pass(here, world):
    if browsers.missing():
        pytest.skip(browsers.missing())
    one = browsers.Browser(here, pac=f"http://127.0.0.1:{here.port}/proxy.pac", words=["--ignore-certificate-errors"])
    went = {}
    try:
        for host in HOSTS:
            for scheme in ("http", "https"):
                url = f"{scheme}://{host}"
                one.events.clear()
                failed = one.js(f"fetch({json.dumps(url)} + '/who', {{mode: 'no-cors', cache: 'no-store'}}).then(() => '', e => '' + e)")
                if failed:  # a refused CONNECT
                    here.record(host=host, scheme=scheme, status=lambda status: status in (403, 502))
                    went[url] = False
                else:
                    response = one.event("Network.responseReceived", lambda p: f"//{host}/" in p["response"]["url"])["response"]
                    went[response["url"].removesuffix("/who")] = response["remoteIPAddress"] != "127.0.0.1"  # some names are https always, for Chromium
    finally:
        one.close()
    direct = {url for url, is_direct in went.items() if is_direct}
    assert DIRECT <= direct, DIRECT - direct
    own = ("live.com", w.NGINX)
    wrong = [url for url in direct if not bypasses(here, url) and not url.endswith(own)]
    assert not wrong, wrong
    assert "http://adl.windows.com" not in direct and "https://x.manage.microsoft.com" not in direct, "another rule may decide these"
    assert "https://notlive.com" not in direct
