# SPDX-License-Identifier: MIT
"""Files of roots and CRLs under a running gateway: a change is taken on by itself, a half-written file never."""

import authority
import gateway as g
import pytest


@pytest.fixture
def gw(gateway, folder):
    authority.make(folder, "ca")
    authority.make(folder, "root")
    authority.crl(folder, "root", folder / "root.crl")
    return gateway(f"[inspection]\nca-cert = {folder}/ca.pem\nca-key = {folder}/ca.key\ntrust = {folder}/root.pem\ncrl = {folder}/root.crl\n"
                   "[rule inspected]\nhosts = inspected.example.net\naction = inspect\nauth = none\n" + g.LET_ALL)


def test_a_new_list_is_taken_on_without_a_reload(gw, folder):
    since = len(gw.said())
    authority.crl(folder, "root", folder / "new.crl")
    (folder / "new.crl").rename(folder / "root.crl")
    gw.says(r"root\.crl changed", since=since)
    gw.says(r"reloaded: generation 2 is in use", since=since)
    assert "stays in use" not in gw.said()[since:]


def test_half_a_file_leaves_what_it_held_and_is_said_once(gw, folder):
    since = len(gw.said())
    whole = (folder / "root.pem").read_bytes()
    (folder / "root.pem").write_bytes(whole[:200])
    gw.says(r"trust: \S*root\.pem is cut off, or not PEM throughout; what it held before stays in use", since=since)
    gw.says(r"reloaded: generation 2 is in use", since=since)
    (folder / "root.pem").write_bytes(whole)
    gw.says(r"reloaded: generation 3 is in use", since=since)
    assert gw.said()[since:].count("is cut off") == 1


def test_a_reload_with_a_ca_that_is_none_changes_nothing(gw, folder, origin):
    (folder / "ca.pem").write_text("nothing\n")
    said = gw.reload(ok=False)
    assert "ca-cert: " in said and "holds no certificate" in said
    assert gw.get("http://origin.example.net/").status == 200
