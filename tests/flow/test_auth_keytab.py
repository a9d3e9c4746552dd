# SPDX-License-Identifier: MIT
"""A keytab that changes while the gateway runs: new keys are in use at once, bad files never."""

import struct
import time

import lab as labs
import pytest
from broken import RULES, Probe, closed_folder, kerberos

SERVICE = f"HTTP/proxy.{labs.DNS}"


def newest(data):
    """Only the keys of the highest version: Samba exports those of before, too."""
    entries, at = [], 2
    while at < len(data):
        (size,) = struct.unpack_from(">i", data, at)
        entry = data[at + 4:at + 4 + size]
        n, skip = struct.unpack_from(">H", entry)[0] + 1, 2
        for _ in range(n):  # realm and components
            skip += 2 + struct.unpack_from(">H", entry, skip)[0]
        entries.append((entry[skip + 8], data[at:at + 4 + size]))
        at += 4 + size
    return data[:2] + b"".join(entry for version, entry in entries if version == max(version for version, _ in entries))


def put(lab, path, data=None, mode=0o600):
    """Another file of that name, in one step: the domain's keys as they are now, or these bytes."""
    new = path.with_suffix(".new")
    new.write_bytes(newest(lab.keytab("proxy-next", SERVICE).read_bytes()) if data is None else data)
    new.chmod(mode)
    new.rename(path)


@pytest.fixture
def keytab(lab, folder):
    path = closed_folder(folder) / "keytab"
    put(lab, path)
    yield path
    lab.keytab("proxy", SERVICE)  # the lab's own, as its keys are now


@pytest.fixture
def gw(lab_gateway, keytab):
    return lab_gateway(RULES, auth={"schemes": "negotiate", "keytab": keytab, "timeout": "2s"})


def test_a_new_key_is_in_use_at_once_and_old_tickets_are_explained(lab, gw, keytab):
    old = lab.kinit("alice")
    assert kerberos(lab, gw, old) == 200
    with Probe(lab, gw):
        lab.samba_tool("user", "setpassword", "proxysvc", f"--newpassword=Next-{time.time()}")
        put(lab, keytab)
        gw.says("the file has changed, and is in use")
        assert kerberos(lab, gw, lab.kinit("alice")) == 200
        assert kerberos(lab, gw, old) == 407
    line = gw.record(fault="auth-failed")
    assert "version" in line["auth_detail"] or "kvno" in line["auth_detail"], line
    assert SERVICE in gw.said()


def test_a_keytab_that_cannot_be_used_leaves_the_one_before(lab, gw, keytab):
    ticket = lab.kinit("alice")
    whole = keytab.read_bytes()
    with Probe(lab, gw):
        for data, mode, said in ((None, 0o644, "others can read it"), (whole[:20], 0o600, "the one before stays in use"),
                                 (b"", 0o600, "the one before stays in use"), (b"nonsense" * 10, 0o600, "the one before stays in use")):
            since = len(gw.said())
            put(lab, keytab, data, mode)
            gw.says(said, since=since)
            assert kerberos(lab, gw, ticket) == 200
        since = len(gw.said())
        keytab.unlink()
        gw.says("No such file or directory; what was read of it before stays in use", since=since)
        assert kerberos(lab, gw, ticket) == 200
        put(lab, keytab)
        gw.says("the file has changed, and is in use")
        assert kerberos(lab, gw, ticket) == 200
