# SPDX-License-Identifier: MIT
"""TLS sessions that are resumed: a client's by its ticket at every worker, but for no other name and listener; an origin's by the gateway."""

import ssl

import pytest

import gateway as gateways
import inspection
import origin as origins
import wire
import world as w

SECOND = "[listener second]\naddress = 127.0.0.1:{}\nclients = 0.0.0.0/0\n"


def visit(here, target, client=None, port=None):
    """A request through a tunnel; client: a context and its session. Was it resumed, and the client for the next time."""
    context, session = client or (here.context(), None)
    name = target.split(":")[0]
    with wire.tunnel(("127.0.0.1", port or here.gw.port), target) as t:
        with context.wrap_socket(t.sock, server_hostname=name, session=session) as sock:
            t = wire.Wire(sock)
            t.send(f"GET / HTTP/1.1\r\nHost: {name}\r\nAuthorization: none is shared\r\n\r\n")
            assert t.response().status == 200
            return sock.session_reused, (context, sock.session)


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_sessions_are_resumed_on_both_sides(gateway, world, folder, serve, version):
    def tune(context):
        context.maximum_version = ssl.TLSVersion[version]

    port = gateways.free_port()
    server = serve(origins.Https, world.cert, world.key, w.ORIGIN, 443, tune=tune)
    here = inspection.Inspecting(gateway, world, folder, rules=SECOND.format(port) + inspection.RULES, gateway_options={"workers": 2})
    workers = []
    resumed, client = visit(here, "origin.example.net:443")
    assert not resumed
    while len(set(workers)) < 2 and len(workers) < 60:
        workers.append(here.gw.record(len(workers) + 1, method="CONNECT")["worker"])
        resumed, client = visit(here, "origin.example.net:443", client)
        assert resumed, workers
    assert len(set(workers)) == 2
    assert not visit(here, "origin.example.net:443", client, port)[0], "a ticket of another listener"
    wire.wait_until(lambda: len(here.gw.records()) >= 2 * (len(workers) + 2), "all lines")
    assert server.resumed.count(True) >= 1, server.resumed


def test_a_ticket_of_another_name_is_not_taken(gateway, world, folder, serve):
    server = serve(origins.Https, world.cert, world.key, w.ORIGIN, 443)
    here = inspection.Inspecting(gateway, world, folder)
    _, client = visit(here, "origin.example.net:443")
    assert visit(here, "origin.example.net:443", client)[0]
    assert not visit(here, "both.example.net:443", client)[0]
    assert server.names[-1] == "both.example.net"
