# SPDX-License-Identifier: MIT
"""Back ends beyond files, each with the real thing behind it: slapd, PAM, and winbind in the lab; asked by postern auth test."""

import base64
import contextlib
import os
import shutil
import socket
import ssl
import subprocess
import threading
from pathlib import Path

import gateway as g
import pytest
import wire

LAB = Path(os.environ.get("POSTERN_LAB", g.SOURCE.resolve().parent / "shared" / "lab"))


@pytest.fixture
def ask(folder):
    """ask(auth, user, password): what postern auth test says, and its exit code."""

    def run(auth, user, password, before=()):
        path = folder / "postern.ini"
        path.write_text(f"[listener edge]\naddress = 127.0.0.1:3128\n[auth]\nbasic-without-tls = yes\ntimeout = 2s\n{auth}\n"
                        "[rule all]\naction = tunnel\n[log a]\nfile = -\n")
        return subprocess.run([*before, str(g.PROGRAM), "auth", "test", "-c", str(path), "--user", user], input=password + "\n", capture_output=True, text=True,
                              timeout=60)

    return run


# --- LDAP ---


@pytest.fixture
def slapd(folder):
    """A directory on loopback: ports of ldaps and of ldap with StartTLS, its certificate; kill() ends it."""
    if not shutil.which("slapd", path="/usr/sbin:/usr/bin") or not Path("/etc/ldap/schema/core.schema").exists():
        pytest.skip("slapd is not installed")
    there = folder / "slapd"
    (there / "db").mkdir(parents=True)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", there / "key.pem", "-out", there / "cert.pem", "-days", "2", "-subj",
                    "/CN=directory", "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
    (there / "slapd.conf").write_text(f"""include /etc/ldap/schema/core.schema
pidfile {there}/pid
TLSCertificateFile {there}/cert.pem
TLSCertificateKeyFile {there}/key.pem
database ldif
directory {there}/db
suffix "dc=example"
rootdn "cn=root,dc=example"
rootpw Secret-root
""")
    entries = "dn: dc=example\nobjectClass: dcObject\nobjectClass: organization\no: x\ndc: example\n\n"
    for name in ("alice", "smith, bob"):
        escaped = name.replace(",", "\\,")
        entries += f"dn: cn={escaped},dc=example\nobjectClass: person\ncn: {name}\nsn: x\nuserPassword: Secret-{name.split(',')[0]}\n\n"
    subprocess.run(["slapadd", "-f", there / "slapd.conf"], input=entries, text=True, check=True, capture_output=True, env={**os.environ, "PATH": "/usr/sbin:/usr/bin:/bin"})
    tls, plain = g.free_port(), g.free_port()
    child = subprocess.Popen(["/usr/sbin/slapd", "-d", "0", "-f", there / "slapd.conf", "-h", f"ldaps://127.0.0.1:{tls}/ ldap://127.0.0.1:{plain}/"],
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def up():
        try:
            wire.connect(("127.0.0.1", plain)).close()
            return True
        except OSError:
            return False

    wire.wait_until(up, "slapd")

    class Directory:
        ldaps, ldap, ca = f"ldaps://127.0.0.1:{tls}", f"ldap://127.0.0.1:{plain}", there / "cert.pem"

        @staticmethod
        def kill():
            child.kill()
            child.wait()

    yield Directory
    Directory.kill()


def test_ldap_lets_in_over_tls_alone(slapd, ask):
    os.chmod(slapd.ca, 0o644)
    for url in (slapd.ldaps, slapd.ldap):
        auth = f"schemes = basic\nbasic = ldap\nldap-url = {url}\nldap-name = cn=%u,dc=example\nldap-ca = {slapd.ca}\n"
        for user, password, code, words in (("alice", "Secret-alice", 0, "let in as alice"), ("smith, bob", "Secret-smith", 0, "let in as smith, bob"),
                                            ("alice", "wrong", 1, "refused: LDAP: Invalid credentials"), ("alice", "", 1, "an empty password is never sent"),
                                            ("nobody", "x", 1, "refused"), ("root,dc=example", "Secret-root", 1, "refused"),
                                            ("alice ", "Secret-alice", 1, "blank")):
            done = ask(auth, user, password)
            assert done.returncode == code and words in done.stdout, (url, user, done)


def test_ldap_asks_nobody_whose_certificate_does_not_verify(slapd, ask):
    for url in (slapd.ldaps, slapd.ldap):
        done = ask(f"schemes = basic\nbasic = ldap\nldap-url = {url}\nldap-name = cn=%u,dc=example\n", "alice", "Secret-alice")
        assert done.returncode == 1 and "unavailable" in done.stdout and "certificate" in done.stdout, done


def test_ldap_asks_the_next_server_when_one_cannot_be_reached(slapd, ask):
    os.chmod(slapd.ca, 0o644)
    nobody = g.free_port()
    for urls in (f"ldaps://127.0.0.1:{nobody} {slapd.ldap}", f"ldap://127.0.0.1:{nobody} {slapd.ldaps}"):
        done = ask(f"schemes = basic\nbasic = ldap\nldap-url = {urls}\nldap-name = cn=%u,dc=example\nldap-ca = {slapd.ca}\n", "alice", "Secret-alice")
        assert done.returncode == 0 and "let in as alice" in done.stdout, done


def test_ldap_that_is_gone_is_unavailable_not_a_wrong_password(slapd, ask):
    os.chmod(slapd.ca, 0o644)
    slapd.kill()
    done = ask(f"schemes = basic\nbasic = ldap\nldap-url = {slapd.ldaps}\nldap-name = cn=%u,dc=example\nldap-ca = {slapd.ca}\n", "alice", "Secret-alice")
    assert done.returncode == 1 and "Basic: unavailable" in done.stdout, done


def test_ldap_that_does_not_say_whose_the_password_is_lets_nobody_in(slapd, ask):
    """A name as typed would pass by a rule that means the user by the directory's own."""
    os.chmod(slapd.ca, 0o644)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(slapd.ca, slapd.ca.parent / "key.pem")

    def one(c):
        with contextlib.suppress(OSError), tls.wrap_socket(c, server_side=True) as secure:
            bind = secure.recv(4096)  # nothing: it only looked whether somebody is there
            if bind[5:6] == b"\x60":
                secure.sendall(b"\x30\x0c\x02\x01" + bind[4:5] + b"\x61\x07\x0a\x01\x00\x04\x00\x04\x00")
                secure.recv(4096)

    def serve(listener):
        with contextlib.suppress(OSError):
            while True:
                one(listener.accept()[0])

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        done = ask(f"schemes = basic\nbasic = ldap\nldap-url = ldaps://127.0.0.1:{listener.getsockname()[1]}/\nldap-name = cn=%u,dc=example\nldap-ca = {slapd.ca}\n",
                   "alice", "Secret-alice")
    assert done.returncode == 1 and "Basic: unavailable" in done.stdout and "whose it is" in done.stdout, done


# --- PAM ---


@pytest.fixture
def pam(folder):
    """A service of PAM whose password check is a script; only this session's mount namespace sees it."""
    if not Path("/lib/x86_64-linux-gnu/security/pam_exec.so").exists() and not list(Path("/usr/lib").glob("*/security/pam_exec.so")):
        pytest.skip("pam_exec is not installed")
    services, script = folder / "pam.d", folder / "check"
    services.mkdir()
    script.write_text('#!/bin/sh\nread -r word\necho "$PAM_USER $PAM_RHOST $PAM_TYPE" >> "$(dirname "$0")/asked"\ntest "$word" = "Secret-$PAM_USER"\n')
    script.chmod(0o755)
    # pam_exec itself says "system error" when the script says no
    lets = (f"auth [success=1 default=ignore] pam_exec.so quiet expose_authtok {script}\nauth requisite pam_deny.so\nauth required pam_permit.so\n"
            "account required pam_{}.so\n")
    (services / "proxy").write_text(lets.format("permit"))
    (services / "closed").write_text(lets.format("deny"))
    subprocess.run(["mount", "--bind", services, "/etc/pam.d"], check=True)
    yield folder / "asked"
    subprocess.run(["umount", "/etc/pam.d"], check=True)


def test_pam_lets_in_whom_its_modules_do(pam, ask):
    auth = "schemes = basic\nbasic = pam\npam-service = proxy\n"
    done = ask(auth, "alice", "Secret-alice")
    assert done.returncode == 0 and "let in as alice" in done.stdout, done
    assert "alice 127.0.0.1 auth" in pam.read_text()
    done = ask(auth, "alice", "Secret-bob")
    assert done.returncode == 1 and "Basic: refused: PAM: " in done.stdout, done


def test_pam_asks_for_the_account_too(pam, ask):
    done = ask("schemes = basic\nbasic = pam\npam-service = closed\n", "alice", "Secret-alice")
    assert done.returncode == 1 and "Basic: refused" in done.stdout, done


def test_pam_is_asked_by_the_gateways_own_process(pam, gateway, origin):
    """Which runs without a filter and as nobody in particular."""
    gw = gateway("[auth]\nschemes = basic\nbasic = pam\npam-service = proxy\nbasic-without-tls = yes\n[rule all]\naction = tunnel\n")

    def status(password):
        return gw.get("http://origin.example.net/", fields="Proxy-Authorization: Basic " + base64.b64encode(f"alice:{password}".encode()).decode() + "\r\n").status

    assert [status("Secret-alice"), status("Secret-bob")] == [200, 407]
    assert gw.record(status=200)["user"] == "alice"
    assert gw.record(fault="auth-failed")["auth_detail"].startswith("alice: PAM: ")
    [pid] = gw.pids("--child auth")
    assert g.owner(pid) != "root"


def test_a_service_that_is_not_there_is_said_at_once(pam, ask):
    done = ask("schemes = basic\nbasic = pam\npam-service = nothing\n", "alice", "Secret-alice")
    assert done.returncode == 1 and "there is no readable /etc/pam.d/nothing" in done.stdout, done
    assert not pam.exists()


def test_no_directory_is_asked_for_groups_by_the_parent(pam, gateway):
    """Where the machine's groups come from may hang; only what needs them waits."""
    if "systemd" not in next((line for line in Path("/etc/nsswitch.conf").read_text().split("\n") if line.startswith("group:")), ""):
        pytest.skip("groups of this machine come from files alone")
    gw = gateway("[auth]\nschemes = basic\nbasic = pam\npam-service = proxy\nbasic-without-tls = yes\n[rule all]\naction = tunnel\n")
    child = wire.wait_until(lambda: gw.pids("--child auth"), "an auth process")[0]
    wire.wait_until(lambda: "libnss_systemd" in Path(f"/proc/{child}/maps").read_text(), "the auth process to look its groups up")
    assert "libnss_systemd" not in Path(f"/proc/{gw.child.pid}/maps").read_text()


# --- winbind ---


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """Words that run a command on the domain's member."""
    if not (LAB / "ad-dc.sh").exists():
        pytest.skip(f"no lab at {LAB}; POSTERN_LAB names it")
    if not shutil.which("samba", path="/usr/sbin:/usr/bin"):
        pytest.skip("samba is not installed")
    there = tmp_path_factory.mktemp("lab")
    env = {**os.environ, "LAB_NS": "pfb", "LAB_DIR": str(there), "LAB_NET": "10.77.62"}
    for script in ("ad-dc.sh", "member.sh"):
        with open(there / f"{script}.log", "wb") as log:
            done = subprocess.run([LAB / script, "start"], env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, timeout=180)
        if done.returncode != 0:
            subprocess.run([LAB / "ad-dc.sh", "destroy"], env=env, capture_output=True, timeout=60)
            pytest.skip(f"the lab does not start: {(there / f'{script}.log').read_text()[-300:]}")
    yield ["env", f"LAB_NS={env['LAB_NS']}", f"LAB_DIR={there}", f"LAB_NET={env['LAB_NET']}", str(LAB / "ad-dc.sh"), "exec", "px"]
    subprocess.run([LAB / "ad-dc.sh", "destroy"], env=env, capture_output=True, timeout=60)


WINBIND = "schemes = ntlm basic\nbasic = winbind\ndomain = winbind\n"


@pytest.mark.slow
def test_winbind_lets_in_by_each_spelling_with_groups(lab, ask):
    for user in ("alice", "CORP\\alice", "corp\\ALICE", "alice@corp.example"):
        done = ask(WINBIND, user, "Passw0rd-alice", lab)
        assert done.returncode == 0 and "Basic: let in as CORP\\alice" in done.stdout and "NTLM: let in as CORP\\alice" in done.stdout, (user, done)
        assert done.stdout.count("CORP\\Proxy Users") == 2 and "S-1-5-21-" in done.stdout
    done = ask(WINBIND, "WS01$", "Mach1ne-Passw0rd", lab)
    assert "NTLM: let in as CORP\\WS01$" in done.stdout and "CORP\\Domain Computers" in done.stdout, done


@pytest.mark.slow
def test_winbind_says_why_not(lab, ask):
    done = ask(WINBIND, "alice", "wrong", lab)
    assert done.returncode == 1 and done.stdout.count("refused: NT_STATUS_WRONG_PASSWORD: wrong password") == 2, done
    done = ask(WINBIND, "nobody", "wrong", lab)
    assert done.returncode == 1 and done.stdout.count("refused: NT_STATUS_NO_SUCH_USER: unknown user") == 2, done


@pytest.mark.slow
def test_who_may_not_use_the_privileged_pipe_is_told_the_group(lab, ask, folder):
    folder.chmod(0o755)
    done = ask(WINBIND, "alice", "Passw0rd-alice", [*lab, "setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"])
    assert "NTLM: unavailable: not allowed to use winbindd's privileged pipe" in done.stdout and "winbindd_priv" in done.stdout, done


def test_without_winbindd_nobody_is_let_in(ask):
    done = ask(WINBIND, "alice", "Passw0rd-alice", ["unshare", "-m", "sh", "-c", 'mkdir -p /run/samba; mount -t tmpfs none /run/samba; exec "$@"', "sh"])
    assert done.returncode == 1 and done.stdout.count("unavailable: winbindd does not answer") == 2, done
