# SPDX-License-Identifier: MIT
"""The kerberos back end and real tickets: kerberos_probe plays the client and hands its tokens to the back end."""

import os
import pwd
import shutil
import subprocess

import gateway as gateways
import lab as labs
import pytest
import world as worlds

PROBE = gateways.PROGRAM.parent / "kerberos_probe"
PROXY, RC4 = f"HTTP/proxy.{labs.DNS}", f"HTTP/rc4.{labs.DNS}"


@pytest.fixture(scope="module")
def keytab(lab):
    if not PROBE.exists():
        pytest.skip(f"not built: {PROBE}")
    return lab.keytab("test-proxy", PROXY)


def probe(lab, keytab, *words, user="alice", ticket=None, env=None):
    """Lines of output, each split; and what the operations log said."""
    done = lab.run(PROBE, keytab, *words, env={**(ticket or lab.kinit(user)), **(env or {})})
    return [line.split(" ", 5) for line in done.stdout.split("\n")[:-1]], done.stderr


@pytest.mark.parametrize("dress", ["bare", "spnego"])
@pytest.mark.parametrize("user", ["alice", "WS01$"])
def test_a_ticket_says_who_it_is(lab, keytab, dress, user):
    [line], _ = probe(lab, keytab, dress, "ask", user=user)
    assert line[:3] == ["ok", user, labs.REALM]
    assert int(line[3]) > 0, "a token for the client to trust us by"
    assert line[4] == "0", "no PAC unless it is wanted"


def test_the_pac_is_handed_out_when_it_is_wanted(lab, keytab):
    [line], _ = probe(lab, keytab, "pac", "ask")
    assert line[0] == "ok" and int(line[4]) > 200


@pytest.mark.parametrize("dress", ["bare", "spnego"])
def test_a_ticket_is_good_once(lab, keytab, dress):
    (first, second), said = probe(lab, keytab, dress, "twice")
    assert (first[0], second[0]) == ("ok", "refused")
    assert "replay" in second[5] and "replay" in said


def test_a_log_on_of_several_messages_outlives_a_reload(lab, keytab):
    (first, second), _ = probe(lab, keytab, "bare", "legs")
    assert (first[0], second[:2]) == ("continue", ["ok", "alice"])


def test_a_log_on_is_not_finished_from_another_address(lab, keytab):
    (first, second), _ = probe(lab, keytab, "bare", "stranger")
    assert (first[0], second[0]) == ("continue", "bad-token")


@pytest.mark.parametrize("dress", ["bare", "spnego"])
def test_a_damaged_ticket_is_refused(lab, keytab, dress):
    [line], _ = probe(lab, keytab, dress, "damaged")
    assert line[0] in ("refused", "bad-token")


@pytest.mark.parametrize("dress", ["bare", "spnego"])
def test_a_ticket_for_another_name_is_explained(lab, keytab, dress):
    [line], said = probe(lab, lab.folder / "px1.keytab", dress, "ask")
    assert line[0] == "refused"
    assert f"the ticket is for {PROXY}@{labs.REALM}, the keytab has HTTP/px1.{labs.DNS}@{labs.REALM}" in said


def test_a_stale_keytab_is_explained_and_a_fresh_one_works(lab, keytab):
    stale = lab.folder / "stale.keytab"
    shutil.copy(keytab, stale)
    stale.chmod(0o600)
    lab.samba_tool("user", "setpassword", "proxysvc", "--newpassword=Another-pass1")
    lab.keytab("test-proxy", PROXY)
    [line], said = probe(lab, stale, "ask")
    assert line[0] == "refused"
    assert "export it again" in said and "key version" in said
    [line], _ = probe(lab, keytab, "ask")
    assert line[0] == "ok"


@pytest.mark.parametrize("dress", ["bare", "spnego"])
def test_a_ticket_under_rc4_is_refused(lab, keytab, dress):
    if "rc4svc" not in lab.samba_tool("user", "list"):
        lab.samba_tool("user", "create", "rc4svc", labs.password("rc4svc"))
        lab.samba_tool("spn", "add", RC4, "rc4svc")
        lab.run("ldbmodify", "-H", lab.folder / "dc/private/sam.ldb", side="dc",
                input="dn: CN=rc4svc,CN=Users,DC=corp,DC=example\nchangetype: modify\nreplace: msDS-SupportedEncryptionTypes\nmsDS-SupportedEncryptionTypes: 4\n")
    [line], said = probe(lab, keytab, "to", f"HTTP@rc4.{labs.DNS}", dress, "ask")
    assert line[0] == "refused" and "weak key (arcfour-hmac)" in said
    done = lab.run(PROBE, lab.keytab("rc4", RC4), check=False)
    assert done.returncode == 1 and "only weak keys" in done.stderr


@pytest.mark.parametrize("dress", ["bare", "spnego"])
def test_a_wrong_clock_is_explained(lab, keytab, dress):
    ticket = lab.kinit("alice")
    lab.run("kvno", PROXY, env=ticket)  # while the clocks still agree
    path = ticket["KRB5CCNAME"].removeprefix("FILE:")
    with open(path, "r+b") as cache:  # the header says how far the KDC's clock is from ours (format version 4): 20 minutes
        assert cache.read(8) == bytes.fromhex("0504000c00010008")
        cache.write((1200).to_bytes(4, "big"))
    [line], said = probe(lab, keytab, dress, "ask", ticket=ticket)
    assert line[0] == "refused" and "clock skew too great" in said


@pytest.mark.parametrize("dress", ["bare", "spnego"])
def test_nobody_comes_in_without_the_replay_cache(lab, keytab, folder, dress):
    (folder / "file").touch()
    env = {"KRB5RCACHEDIR": str(folder / "file")}
    (ping, line), _ = probe(lab, keytab, dress, "cache", "ask", env=env)
    assert " ".join(ping).startswith("the replay cache")
    assert line[0] == "unavailable" and "replay cache" in line[5]


def test_somebody_elses_replay_cache_is_not_used(lab, keytab, folder):
    squat = folder / "krb5_0.rcache2"
    squat.touch()
    os.chown(squat, pwd.getpwnam("nobody").pw_uid, -1)
    [line], _ = probe(lab, keytab, "ask", env={"KRB5RCACHEDIR": str(folder)})
    assert line[0] == "unavailable" and "somebody else" in line[5]


def test_a_full_disk_is_our_trouble_not_the_clients(lab, keytab, folder):
    worlds.run("mount", "-t", "tmpfs", "-o", "size=4k,mode=1777", "tmpfs", str(folder))
    try:
        (folder / "krb5_0.rcache2").touch(0o600)
        (folder / "full").write_bytes(bytes(4096))
        [line], _ = probe(lab, keytab, "ask", env={"KRB5RCACHEDIR": str(folder)})
    finally:
        worlds.run("umount", str(folder))
    assert line[0] == "unavailable" and "No space left" in line[5]


def test_the_keytab_is_read_from_its_descriptor_alone(lab, keytab):
    user = pwd.getpwnam("postern")
    lines, _ = probe(lab, keytab, "as", user.pw_uid, "cache", "ask", ticket=lab.kinit("alice", owner="postern"))
    assert lines[0] == ["cache", "ok"]
    assert lines[1][:2] == ["ok", "alice"]


def test_no_foreign_mechanism_is_loaded(lab, keytab):
    """gss-ntlmssp, when it is installed, is loaded by a plain GSSAPI program here, and never by ours."""
    lines, _ = probe(lab, keytab, "mechs", "ask", "mechs")
    assert [" ".join(lines[0]), " ".join(lines[2])] == ["no foreign mechanisms"] * 2


def test_what_is_in_the_keytab_is_told(lab, keytab):
    done = lab.run(PROBE, lab.folder / "px1.keytab", "keys").stdout
    assert f"HTTP/px1.{labs.DNS}@{labs.REALM}, version 1, aes256-cts-hmac-sha1-96\n" in done
    assert "arcfour-hmac (weak: not used)" in done


@pytest.mark.parametrize("bytes_, why", [(b"", "no keytab"), (b"junk", "no keytab"), (b"\x05\x02", "no key"), (bytes(5 << 20), "larger")], ids=["empty", "junk", "no-key", "large"])
def test_a_file_that_is_no_keytab_says_so(lab, keytab, folder, bytes_, why):
    (folder / "odd").write_bytes(bytes_)
    done = subprocess.run([PROBE, folder / "odd"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30)
    assert done.returncode == 1 and why in done.stderr
