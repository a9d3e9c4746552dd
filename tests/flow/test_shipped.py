# SPDX-License-Identifier: MIT
"""What the shipped configuration does, as shipped: same port, same user, same log folder."""

import json
from pathlib import Path

import pytest

import gateway as g
import wire

PROXY = ("127.0.0.1", 3128)


@pytest.fixture
def shipped(gateway, folder):
    """A gateway that runs conf/postern.ini with nothing changed but one more log, in json."""
    one = gateway(start=False)
    ini = g.shipped(folder)
    one.access = Path("/var/log/postern/flow.json")  # a folder of the session's own mount namespace
    for file in one.access.parent.iterdir():
        file.unlink()
    ini.write_text(ini.read_text() + f"\n[log flow]\nfile = {one.access}\nformat = json\n")
    one.address, one.port = PROXY, PROXY[1]
    return one.start(ini)


def test_curl_reaches_nginx_through_connect_and_the_log_names_the_rule(shipped, world):
    done = shipped.curl("https://v10.events.data.microsoft.com/", "-w", "%{http_connect} %{http_code}", cacert=world.ca)
    assert done.stdout == b"hello from nginx\n200 200"
    line = shipped.record(host="v10.events.data.microsoft.com")
    assert (line["method"], line["port"], line["action"], line["status"]) == ("CONNECT", 443, "bypass", 200)
    assert line["guard"] == "passed" and line["sni"] == "v10.events.data.microsoft.com"
    assert line["rule"] and ".list:" in line["list_entry"]
    assert line["bytes_in"] > 300 and line["bytes_out"] > 1000


def test_each_of_the_endpoints_is_let_through(shipped, world):
    names = set()
    for file in (g.SOURCE / "conf" / "lists").glob("*.list"):
        for text in file.read_text().split("\n"):
            entry = text.split(";")[0].split("#")[0].strip()
            if entry.startswith("https://"):
                names.add(entry[8:].rstrip("/").replace("*", "any"))
    assert len(names) >= 21
    for name in sorted(names):
        with shipped.tunnel(f"{name}:443") as t:
            t.send(wire.client_hello(name))
            assert t.exactly(1) == b"\x16", name  # nginx's ServerHello
        assert shipped.record(host=name)["action"] == "bypass"


def test_adl_windows_com_is_let_through_over_plain_http(shipped):
    done = shipped.curl("http://adl.windows.com/who")
    assert done.stdout.startswith(b"http adl.windows.com adl.windows.com ")
    line = shipped.record(host="adl.windows.com")
    assert (line["method"], line["scheme"], line["port"], line["action"], line["status"]) == ("GET", "http", 80, "bypass", 200)


def test_what_is_on_no_list_is_denied(shipped):
    for target in ("www.example.net:443", "events.data.microsoft.com:443", "evilevents.data.microsoft.com:443", "v10.events.data.microsoft.com.example.net:443"):
        with shipped.connect() as c:
            answer = c.send(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n").response()
        assert answer.status == 403, target
        assert shipped.record(host=target.split(":")[0])["action"] == "deny"


def test_the_native_log_is_there_as_shipped(shipped):
    shipped.curl("http://adl.windows.com/")
    shipped.record(host="adl.windows.com")
    lines = wire.wait_until(lambda: [line for file in Path("/var/log/postern").glob("*") for line in file.read_text().split("\n") if "adl.windows.com" in line],
                            "a line in /var/log/postern")
    assert " TCP_MISS/200 " in lines[-1] or json.loads(lines[-1])


def test_the_sample_of_inspection_is_right_as_soon_as_its_semicolons_are_gone(folder):
    ini = g.shipped(folder)
    text = ini.read_text()
    parts = {"[inspection]": ("ca-cert", "ca-key"), "[rule web]": ("clients", "action", "auth")}
    for section, options in parts.items():
        before, part = text.split(f";{section}\n", 1)
        for option in options:
            assert part.count(f"\n;{option} =") or part.startswith(f";{option} ="), option
            part = f"\n{part}".replace(f"\n;{option} =", f"\n{option} =", 1)[1:]
        text = f"{before}{section}\n{part}"
    ini.write_text(text)
    for name in ("ca.pem", "ca.key"):
        assert f" = {name} " in text
    assert g.command("ca", "init", "--cert", ini.parent / "ca.pem", "--key", ini.parent / "ca.key").returncode == 0
    done = g.command("check", "-c", ini)
    assert done.returncode == 0 and "OK: 3 rules" in done.stdout and "warning" not in done.stdout + done.stderr, done
    done = g.command("explain", "-c", ini, "--client", "10.20.0.7", "https://www.example.com/a")
    assert done.returncode == 0 and "inspect by rule web" in done.stdout, done
    assert g.command("explain", "-c", ini, "--client", "10.21.0.7", "https://www.example.com/a").returncode == 1
    done = g.command("explain", "-c", ini, "--client", "10.20.0.7", "https://v10.events.data.microsoft.com/a")
    assert done.returncode == 0 and "bypass by rule diagnostics" in done.stdout, done
