# SPDX-License-Identifier: MIT
"""The lab itself: domain, clients and origins work together, before anybody has to log on."""

import shutil

import pytest

import gateway as gateways
import lab as labs
import origin as origins
import wire


def test_the_proxys_machine_belongs_to_the_domain(lab):
    assert "succeeded" in lab.run("wbinfo", "-t").stdout
    assert "alice" in lab.run("klist", env=lab.kinit("alice")).stdout


def test_a_client_comes_through_a_gateway_to_http_and_https(lab, lab_gateway):
    gw = lab_gateway()
    for url in (f"http://{labs.ORIGIN}/", f"https://{labs.ORIGIN}/"):
        done = lab.curl(url, gw=gw)
        assert (done.status, done.stdout) == (200, b"hello from the lab\n")
    assert gw.record(method="CONNECT")["host"] == labs.ORIGIN


def test_the_gateways_children_are_postern(lab, lab_gateway):
    gw = lab_gateway()
    for pid in gw.processes():
        assert gateways.owner(pid) == "postern"
    assert gateways.owner(gw.child.pid) == "root"


def test_an_origin_of_a_test_is_inside(lab, lab_gateway, serve):
    gw = lab_gateway()
    with lab.inside():
        origin = serve(origins.Http, lab.origin_address, 8000)
    assert lab.curl(f"http://{labs.ORIGIN}:8000/x", gw=gw).status == 200
    assert origin.requests[0].target == "/x"
    assert gw.get(f"http://{labs.ORIGIN}:8000/y").status == 200


def test_a_cable_is_pulled_and_put_back(lab):
    lab.unplug_dc()
    try:
        assert "state DOWN" in labs.worlds.run("ip", "-n", f"{lab.prefix}-dc", "link", "show", f"{lab.prefix}-v1").stdout
    finally:
        lab.plug_dc()
    assert lab.kinit("bob")


def test_winbindd_stands_still_and_goes_on(lab):
    lab.freeze_winbindd()
    try:
        frozen = lab.pids("winbindd")
        assert frozen
        wire.wait_until(lambda: all(gateways.state(pid) == "T" for pid in frozen), "all to stand still")
    finally:
        lab.thaw_winbindd()
    assert lab.run("wbinfo", "-p").returncode == 0


@pytest.mark.parametrize("program", ["chromium", "cntlm", pytest.param("wine", marks=pytest.mark.slow)])
def test_other_clients_come_through(lab, lab_gateway, program):
    if not shutil.which(program) or (program == "wine" and not shutil.which("x86_64-w64-mingw32-gcc")):
        pytest.skip(f"not installed: {program}")
    gw = lab_gateway()
    if program == "chromium":
        assert lab.chromium(gw=gw) == 200
    elif program == "cntlm":
        assert lab.curl("-x", lab.cntlm(gw), f"http://{labs.ORIGIN}/").status == 200
    else:
        assert lab.wine_winhttp(gw) == 200
    assert gw.record(host=labs.ORIGIN, status=200)
