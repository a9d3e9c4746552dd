# SPDX-License-Identifier: MIT
"""Rules and users inside inspected tunnels: who is asked and where, what each request's line says, what a reload changes within one tunnel."""

import pytest

import inspection
import logon
import origin as origins
import web
import world as w

SITE = "https://other.example.net"

AUTH = """
[auth]
schemes = basic
realm = Inside
basic-file = {file}
basic-without-tls = yes
"""
RULES = """
[rule nobodys]
hosts = edge.example.net
methods = CONNECT
action = inspect
auth = none
[rule admins]
url = ^https://[^/]*/admin
users = alice
action = inspect
[rule closed]
url = ^https://[^/]*/admin
action = deny
reason = For admins
[rule no-uploads]
methods = PUT
users = bob
action = deny
[rule no-archives]
hosts = other.example.net
content-types = application/zip
action = deny
[rule tenants]
headers = X-Forbidden
action = deny
[rule all]
action = inspect
set-request-header = "X-Tenant: corp"
remove-response-header = X-Secret
"""


@pytest.fixture(scope="module")
def here(gateway_kept, world, folder_kept):
    nginx = web.Nginx(folder_kept, w.OTHER, f"""server {{
      listen {w.OTHER}:443 ssl http2; listen {w.EDGE}:443 ssl http2; ssl_certificate {world.cert}; ssl_certificate_key {world.key};
      location / {{ add_header X-Secret s; default_type text/plain; return 200 "$request_method $http_x_tenant"; }}
      location /zip {{ default_type application/zip; return 200 PK; }}
      location /admin {{ return 200 admin; }}
    }}""")
    file = logon.basic_file(folder_kept / "users", alice="a", bob="b")
    one = inspection.Inspecting(gateway_kept, world, folder_kept, rules=AUTH.format(file=file) + RULES)
    yield one
    nginx.close()


@pytest.fixture(params=["--http1.1", "--http2"])
def ask(request, here):
    """The status of a request of a user ("alice:a", or None), and what came."""
    def run(path, user=None, *words, site=SITE):
        proxy = ("-U", user) if user else ()
        done = here.curl(request.param, *proxy, "-w", "\n%{http_connect} %{http_code}", *words, site + path, check=False)
        body, _, status = done.stdout.decode().rpartition("\n")
        connect, code = status.split()
        return int(connect), int(code), body

    run.name = request.param.strip("-")
    return run


def test_users_are_asked_at_connect_and_named_in_each_line(here, ask):
    assert ask("/")[:2] == (407, 0)
    url = f"{SITE}/by-{ask.name}"
    connect, status, body = ask(f"/by-{ask.name}", "alice:a")
    assert (connect, status, body) == (200, 200, "GET corp")
    inner = here.gw.record(url=url)
    outer = here.gw.record(method="CONNECT", session=inner["session"])
    assert (inner["method"], inner["user"], inner["rule"], inner["status"], inner["url"]) == ("GET", "alice", "all", 200, url), inner
    assert (outer["method"], outer["user"], outer["auth_scheme"], outer["session"]) == ("CONNECT", "alice", "Basic", inner["session"]), outer
    assert ":a" not in here.gw.access.read_text()


def test_rules_see_url_and_user_inside(here, ask):
    assert ask("/admin", "alice:a")[1:] == (200, "admin")
    _, status, page = ask("/admin", "bob:b")
    assert status == 403 and "For admins" in page
    assert here.gw.record(url=f"{SITE}/admin", status=403)["rule"] == "closed"
    assert ask("/x", "bob:b", "-X", "PUT", "-d", "x")[1] == 403
    assert ask("/x", "alice:a", "-X", "PUT", "-d", "x")[1:] == (200, "PUT corp")
    assert here.gw.record(method="PUT", status=403, user="bob")["rule"] == "no-uploads"


def test_where_nobody_was_asked_a_rule_that_needs_the_user_refuses(here, ask):
    """Inside a tunnel there is no 407."""
    connect, status, page = ask("/admin", None, site="https://edge.example.net")
    assert (connect, status) == (200, 403)
    line = here.gw.record(host="edge.example.net", method="GET", status=403)
    assert (line["fault"], line["user"]) == ("user-unknown", None), line


def test_types_headers_and_what_is_set_and_removed(here, ask):
    _, status, page = ask("/zip", "alice:a")
    assert status == 403 and "PK" not in page
    line = here.gw.record(url=f"{SITE}/zip", status=403)
    assert line["rule"] == "no-archives" and line["address"] == w.OTHER
    assert ask("/x", "alice:a", "-H", "X-Forbidden: 1")[1] == 403
    assert "x-secret" not in ask("/x", "alice:a", "-i")[2].lower()
    assert ask("/x", "alice:a", "-H", "X-Tenant: mine")[2] == "GET corp"


def test_a_reload_between_two_requests_of_one_tunnel_changes_the_second(gateway, world, folder, serve):
    server = serve(origins.Https, world.cert, world.key, w.ORIGIN, 443)
    here = inspection.Inspecting(gateway, world, folder)
    denied = "\n[rule later]\nurl = /second\naction = deny\n"
    with here.inside("origin.example.net:443") as t:
        for number, status in ((1, 200), (2, 403), (3, 200)):
            t.send("GET /second HTTP/1.1\r\nHost: origin.example.net\r\n\r\n")
            assert t.response().status == status
            if number < 3:
                here.gw.write(here.section + (denied if number == 1 else "") + inspection.RULES)
                here.gw.reload()
    assert len(server.requests) == 2
    assert [line["rule"] for line in (here.gw.record(n, method="GET") for n in (1, 2, 3))] == ["all", "later", "all"]
