# SPDX-License-Identifier: MIT
"""What a name server says about one name, however odd, must not harm what is asked about others at the same time; and each way to fail has its word."""

import urllib.request

import gateway as g
import origin as origins
import pytest
import wire
import world as w

LONG = [f"=n{i}.of.a.chain.that.does.not.end.example.org" for i in range(120)]  # more than a datagram has room for here
ODD = {
    "a0": LONG, "a1": "truncate", "a2": "formerr", "a3": "servfail", "a4": "notimp", "a5": "refused", "a6": "nxdomain", "a7": ["=a7.example.net"],
    "a8": ["=b.example.org", "=a8.example.net"], "a9": ["=" + ".".join(["x" * 60] * 6), w.ORIGIN], "a10": [w.ORIGIN] * 400, "a11": [],
}


def one_after_the_other(wire_):
    """TCP is closed by each question, after no answer."""
    wire_.exactly(2)


@pytest.mark.parametrize("tcp", [False, lambda wire_: wire_.reset(), one_after_the_other], ids=["refused", "reset", "closed"])
def test_an_odd_answer_harms_no_other_lookup(gateway, serve, origin, tcp):
    dns = serve(origins.Dns, lambda name, kind: ODD.get(name.split(".")[0], "hold"), w.RESOLVER2, tcp=tcp)
    gw = gateway(resolver=w.RESOLVER2, dns_timeout="30s")
    good = gw.connect()
    good.send(wire.get("http://good.example.net/"))
    wire.wait_until(lambda: len(dns.held) == 2, "the questions about the good name")
    for name in ODD:
        assert gw.get(f"http://{name}.example.net/").status == 502
    assert len(dns.held) == 2  # nobody had to ask again
    dns.release([w.ORIGIN])
    assert good.response().status == 200


def test_addresses_that_came_with_a_truncated_answer_are_used_where_tcp_is_refused(gateway, serve, origin):
    serve(origins.Dns, lambda name, kind: [w.ORIGIN], w.RESOLVER2, tcp=False, flags=0x0200)
    gw = gateway(resolver=w.RESOLVER2)
    assert gw.get("http://partial.example.net/").status == 200


def test_each_failure_of_the_dns_has_its_word_in_log_and_metrics(gateway, serve):
    admin = g.free_port()
    answers = {"gone": "nxdomain", "bare": [], "failed": "servfail", "unwilling": "refused", "long": "truncate", "silent": None}
    serve(origins.Dns, lambda name, kind: answers[name.split(".")[0]], w.RESOLVER2, tcp=False)
    gw = gateway(resolver=w.RESOLVER2, dns_timeout="2s", admin=f"127.0.0.1:{admin}")
    words = {"gone": "dns-nxdomain", "bare": "dns-no-address", "failed": "dns-error", "unwilling": "dns-refused", "long": "dns-unreachable",
             "silent": "dns-timeout"}
    for name, word in words.items():
        answer = gw.get(f"http://{name}.example.net/")
        assert answer.status == (504 if word == "dns-timeout" else 502) and f'details="{word}"' in answer["proxy-status"]
        assert gw.record(host=f"{name}.example.net")["fault"] == word
    with urllib.request.urlopen(f"http://127.0.0.1:{admin}/metrics", timeout=wire.PATIENCE) as answer:
        text = answer.read().decode()
    for word in words.values():
        assert f'postern_faults_total{{fault="{word}"}} 1\n' in text
