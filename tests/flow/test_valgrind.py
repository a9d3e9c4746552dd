# SPDX-License-Identifier: MIT
"""The gateway under valgrind, through a small life: requests, tunnels, refusals, a reload, the end."""

import shutil

import gateway as g
import inspection
import origin as origins
import pytest
import wire
import world as w

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not shutil.which("valgrind"), reason="valgrind is not installed")]


def test_a_small_life_is_clean_under_valgrind(gateway, serve, origin):
    if g.sanitized():
        pytest.skip("built with ASan, which valgrind cannot run")
    serve(origins.Echo, w.ORIGIN, 443)
    gw = gateway(env={"POSTERN_VALGRIND": "1"}, head_timeout="30s", connect_timeout="30s",
                 rules="[rule guarded]\nhosts = *.origin.example.net\naction = bypass\n[rule re]\nhosts = re:x+\\.example\\.net\naction = deny\n" + g.LET_ALL)
    with gw.connect() as c:
        for i in range(5):
            assert c.send(wire.get(f"http://origin.example.net/{i}", "POST", "Content-Length: 3\r\n") + b"abc").response().status == 200
    hello = wire.client_hello("a.origin.example.net")
    with gw.tunnel("a.origin.example.net:443", early=hello) as t:
        assert t.exactly(len(hello)) == hello
    with gw.tunnel("b.origin.example.net:443", early=b"no tls") as t:
        assert t.ended()
    assert gw.get("http://xx.example.net/").status == 403
    assert gw.get("http://nx.example.org/").status == 502
    assert gw.get("http://nobody.example.net/").status == 502
    with gw.connect() as c:
        c.send("bad\r\n\r\n").rest()
    gw.write(g.LET_ALL)
    gw.reload()
    assert gw.get("http://origin.example.net/").status == 200
    gw.stop()


def test_inspected_tunnels_are_clean_under_valgrind(gateway, world, serve, folder):
    if g.sanitized():
        pytest.skip("built with ASan, which valgrind cannot run")
    bad = serve(origins.Https, *inspection.self_signed(folder), w.ORIGIN, 443)
    options = {"env": {"POSTERN_VALGRIND": "1"}, "head_timeout": "30s", "connect_timeout": "30s"}
    here = inspection.Inspecting(gateway, world, folder, signer_timeout="20s", gateway_options=options)
    with here.inside("graph.windows.net:443") as t:
        for _ in range(3):
            assert t.send("POST /upload HTTP/1.1\r\nHost: graph.windows.net\r\nContent-Length: 3\r\n\r\nabc").response().body == b"3\n"
        assert t.send("GET / HTTP/1.1\r\nHost: graph.windows.net\r\n\r\n").response().status == 200
    urls = [f"https://graph.windows.net:8443/how?{i}" for i in range(4)]
    assert here.curl("--http2", "--parallel", "-w", "%{http_version}\n", *urls).stdout.split().count(b"2") == 4
    assert here.curl("--http2", "-w", "%{http_code}", "https://origin.example.net/").stdout.endswith(b"502") and not bad.requests
    assert here.gw.curl("https://graph.windows.net/", check=False).returncode == 60
    here.gw.write(here.section + inspection.RULES)
    here.gw.reload()
    assert here.curl("--http1.1", "-w", "%{http_code}", "https://graph.windows.net/").stdout.endswith(b"200")
    here.gw.stop()
