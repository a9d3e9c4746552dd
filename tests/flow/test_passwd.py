# SPDX-License-Identifier: MIT
"""postern passwd: user files made, changed and kept whole; postern check and postern auth test read what it wrote."""

import os
import re
import subprocess

import gateway as g
import pytest
import schema


def passwd(*words, lines=("secret", "secret")):
    return subprocess.run([str(g.PROGRAM), "passwd", *map(str, words)], input="".join(f"{line}\n" for line in lines), capture_output=True, text=True, timeout=60)


def auth_test(ini, user=None, password="", *words):
    who = ["--user", user] if user else []
    return subprocess.run([str(g.PROGRAM), "auth", "test", "-c", str(ini), *who, *words], input=password + "\n", capture_output=True, text=True, timeout=60)


@pytest.fixture
def ini(folder):
    path = folder / "postern.ini"

    def write(auth):
        path.write_text(f"[listener edge]\naddress = 127.0.0.1:3128\n[auth]\n{auth}\n[rule all]\naction = tunnel\nforce = yes\n[log a]\nfile = -\n")
        return path

    return write


def test_a_new_file_is_for_its_owner_alone_and_holds_yescrypt(folder):
    done = passwd(folder / "users", "alice")
    assert done.returncode == 0 and "alice added" in done.stdout, done
    assert (folder / "users").stat().st_mode & 0o777 == 0o600
    assert re.fullmatch(r"alice:\$y\$[!-~]+\n", (folder / "users").read_text())
    assert os.listdir(folder) == ["users"]


def test_what_is_not_about_the_user_stays_as_it_is_mode_and_owner_too(folder):
    path = folder / "users"
    path.write_text("# ours\nbob:$1$old\r\nalice:x\nalice:y\nlast:z")
    os.chmod(path, 0o640)
    os.chown(path, 1, 2)
    before = path.stat()
    done = passwd(path, "alice")
    assert done.returncode == 0 and "alice has a new password" in done.stdout, done
    lines = path.read_bytes().split(b"\n")
    assert lines[0] == b"# ours" and lines[1] == b"bob:$1$old\r" and lines[2].startswith(b"alice:$y$") and lines[3:] == [b"last:z", b""]
    after = path.stat()
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, 1, 2) and after.st_ino != before.st_ino


def test_a_user_is_removed_and_only_once(folder):
    path = folder / "users"
    path.write_text("alice:x\nbob:y\n")
    assert passwd("--delete", path, "alice").returncode == 0
    assert path.read_text() == "bob:y\n"
    done = passwd("--delete", path, "alice")
    assert done.returncode == 1 and "alice is not in it" in done.stderr
    assert passwd("--delete", folder / "nothing", "alice").returncode == 2


def test_an_ntlm_file_holds_the_nt_hash_and_names_without_case(folder):
    path = folder / "users.ntlm"
    assert passwd("--ntlm", path, "CORP\\alice", lines=("password", "password")).returncode == 0
    assert path.read_text() == "CORP\\alice:8846f7eaee8fb117ad06bdd830b7586c\n"
    assert passwd("--ntlm", path, "corp\\ALICE", lines=("other", "other")).returncode == 0
    assert path.read_text().count("\n") == 1


def test_an_ntlm_file_that_others_can_read_is_not_touched(folder):
    path = folder / "users.ntlm"
    path.write_text("")
    os.chmod(path, 0o644)
    done = passwd("--ntlm", path, "alice")
    assert done.returncode == 2 and "chmod 600" in done.stderr and path.read_text() == ""


@pytest.mark.parametrize("lines", [(), ("one",), ("one", "two"), ("", ""), ("a\x01b", "a\x01b"), ("x" * 600, "x" * 600)])
def test_a_password_that_is_none_changes_nothing(folder, lines):
    path = folder / "users"
    path.write_text("alice:x\n")
    done = passwd(path, "alice", lines=lines)
    assert done.returncode == 2 and done.stderr.startswith("postern: "), done
    assert path.read_text() == "alice:x\n" and os.listdir(folder) == ["users"]


@pytest.mark.parametrize("user", ["", "a:b", "a\nb", "#a", " a", "x" * 256])
def test_a_name_that_would_break_the_file_is_refused(folder, user):
    done = passwd(folder / "users", user)
    assert done.returncode == 2 and "name" in done.stderr and not os.listdir(folder)


def test_a_link_to_the_file_stays_a_link(folder):
    (folder / "real").write_text("")
    (folder / "link").symlink_to("real")
    assert passwd(folder / "link", "alice").returncode == 0
    assert (folder / "link").is_symlink() and (folder / "real").read_text().startswith("alice:")


def test_several_at_once_lose_nobody(folder):
    path = folder / "users.ntlm"
    running = []
    for i in range(8):
        running.append(subprocess.Popen([str(g.PROGRAM), "passwd", "--ntlm", str(path), f"user{i}"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL))
    for one in running:
        one.communicate(b"x\nx\n", timeout=60)
        assert one.returncode == 0
    assert sorted(line.split(":")[0] for line in path.read_text().split()) == [f"user{i}" for i in range(8)]


def test_auth_test_lets_in_whom_passwd_wrote(folder, ini):
    passwd(folder / "b", "alice")
    passwd("--ntlm", folder / "n", "Alice")
    path = ini("schemes = ntlm basic\nbasic-file = b\nntlm-file = n\nbasic-without-tls = yes")
    done = auth_test(path, "alice", "secret")
    assert done.returncode == 0 and "Basic: let in as alice" in done.stdout and "NTLM: let in as Alice" in done.stdout, done
    done = auth_test(path, "alice", "wrong", "--json")
    said = schema.check("auth-test", done.stdout)
    assert done.returncode == 1 and said["ok"] is False and "wrong password" in done.stdout and '"wrong"' not in done.stdout
    assert [back["name"] for back in said["back_ends"]] == ["ntlm-file", "basic-file"]
    done = auth_test(path, "nobody", "x")
    assert done.returncode == 1 and done.stdout.count("unknown user") == 2
    assert auth_test(path).returncode == 0


def test_a_weak_hash_is_named_by_check_and_by_auth_test_and_keeps_out_that_user_alone(folder, ini):
    passwd(folder / "b", "alice")
    with open(folder / "b", "a") as f:
        f.write("old:$apr1$abcdefgh$abcdefghijklmnopqrstuv\n")
    path = ini("schemes = basic\nbasic-file = b\nbasic-without-tls = yes")
    done = g.command("check", "-c", path)
    assert done.returncode == 1 and re.search(r"/b:2: user old cannot log on: .*\$apr1\$", done.stderr), done
    assert "abcdefghijkl" not in done.stderr
    done = auth_test(path, "alice", "secret")
    assert done.returncode == 1 and "WRONG: line 2: user old" in done.stdout and "Basic: let in as alice" in done.stdout
    assert passwd(folder / "b", "old").returncode == 0
    assert g.command("check", "-c", path).returncode == 0 and auth_test(path, "old", "secret").returncode == 0


def test_auth_test_without_auth_or_with_a_wrong_file_is_2(folder):
    path = folder / "postern.ini"
    path.write_text("[listener edge]\naddress = 127.0.0.1:3128\n[rule all]\naction = tunnel\nauth = none\n")
    done = auth_test(path)
    assert done.returncode == 2 and "[auth]" in done.stderr
    assert g.command("auth", "-c", path).returncode == 2 and g.command("auth", "try").returncode == 2


def test_a_back_end_that_hangs_is_told_of_and_the_next_one_is_tried(lab, ini, folder):
    keytab = folder / "http.keytab"
    keytab.write_bytes(b"none")
    keytab.chmod(0o600)
    path = ini(f"domain = winbind\nkeytab = {keytab}\nbasic-file = {folder}/users\nbasic-without-tls = yes\ntimeout = 500ms")
    assert passwd(folder / "users", "alice").returncode == 0
    lab.freeze_winbindd()
    try:
        done = lab.run(g.PROGRAM, "auth", "test", "--json", "-c", path, "--user", "alice", input="secret\n", check=False)
    finally:
        lab.thaw_winbindd()
    assert done.returncode == 1, done
    backs = {back["name"]: back["lines"] for back in schema.check("auth-test", done.stdout)["back_ends"]}
    assert any("no answer within 2 s" in line.get("text", "") for line in backs["winbind"]), backs
    assert backs["basic-file"][-1]["result"] == "ok", backs
