# SPDX-License-Identifier: MIT
"""What a refused person sees, and where it is found again."""

RULES = """
[rule no-games]
hosts = .games.example.net
action = deny
reason = Games <are> for the "evening"

[rule let]
hosts = origin.example.net
action = tunnel
auth = none
"""


def test_a_denied_request_gets_a_page_with_rule_reason_and_an_id_that_the_log_has(gateway, origin):
    gw = gateway(RULES, contact="helpdesk@example.com")
    for request, method in ((b"GET http://www.games.example.net/x?secret=1 HTTP/1.1\r\nHost: www.games.example.net\r\n\r\n", "GET"),
                            (b"CONNECT www.games.example.net:443 HTTP/1.1\r\nHost: www.games.example.net:443\r\n\r\n", "CONNECT")):
        with gw.connect() as c:
            answer = c.send(request).response()  # a refused CONNECT has a body like any other answer
        assert answer.status == 403 and answer.version == "HTTP/1.1"
        page = answer.body.decode()
        line = gw.record(method=method, status=403)
        assert line["rule"] == "no-games" and line["action"] == "deny" and line["fault"] == "denied"
        assert "no-games" in page and line["id"] in page and "helpdesk@example.com" in page
        assert "Games &lt;are&gt; for the &quot;evening&quot;" in page or "Games &lt;are&gt; for the &#34;evening&#34;" in page or \
            "Games &lt;are&gt; for the \"evening\"" in page or answer["content-type"].startswith("text/plain") and 'Games <are> for the "evening"' in page
        status = answer["proxy-status"]
        assert "gw.example.net" in status and "error=http_request_denied" in status
        assert answer["x-content-type-options"] in (None, "nosniff")


def test_no_rule_holds_means_denied(gateway):
    gw = gateway(RULES)
    answer = gw.get("http://nothing.example.net/")
    assert answer.status == 403 and "no-rule" not in RULES
    line = gw.record(host="nothing.example.net")
    assert line["fault"] == "no-rule" and line["action"] == "deny"
    assert line["id"] in answer.body.decode()


def test_a_head_request_is_refused_without_a_body_and_the_connection_lives(gateway, origin):
    gw = gateway(RULES)
    with gw.connect() as c:
        assert c.send(b"HEAD http://games.example.net/ HTTP/1.1\r\nHost: games.example.net\r\n\r\n").response("HEAD").status == 403
        assert c.send(b"GET http://origin.example.net/ HTTP/1.1\r\nHost: origin.example.net\r\n\r\n").response().status == 200


def test_a_denied_name_is_never_resolved(gateway, serve):
    import origin as origins
    import world
    dns = serve(origins.Dns, lambda name, kind: [world.ORIGIN], world.RESOLVER2)
    gw = gateway(RULES, resolver=world.RESOLVER2)
    assert gw.get("http://www.games.example.net/").status == 403
    gw.record(host="www.games.example.net")
    assert dns.questions == []
