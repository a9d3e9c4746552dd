# SPDX-License-Identifier: MIT
"""What the name server says about one name must not harm what is asked about another at the same time."""

import socket
import struct

import origin as origins
import pytest
import wire
import world as w


def test_one_long_answer_harms_no_other_lookup(gateway, serve, origin):
    chain = [f"=n{i}.hostile.example.org" for i in range(60)] + [w.ORIGIN]
    dns = serve(origins.Dns, lambda name, kind: "hold" if name.startswith("good") else chain, w.RESOLVER2, tcp=False)
    gw = gateway(resolver=w.RESOLVER2)
    good = gw.connect()
    good.send(wire.get("http://good.example.net/"))
    wire.wait_until(lambda: len(dns.held) == 2, "the question")
    print(gw.get("http://hostile.example.net/").status)
    print(dns.questions)
    dns.release([w.ORIGIN])
    assert good.response().status == 200
