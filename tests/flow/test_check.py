# SPDX-License-Identifier: MIT
"""postern check and postern explain, and what the command does with wrong usage."""

import json
import re
import socket
import subprocess

import authority as authorities
import gateway as g
import pytest

BAD = """\
[gateway]
workers = many
colour = blue
idle-timeout = 5 parsecs
egress-deny = 10.0.0.0/33

[listener edge]
address = 127.0.0.1:99999

[frobnicator x]

[list a]
file = missing.list

[rule one]
hosts = @nothing
action = bypass

[rule one]
hosts = *.blob.core.windows.net
action = bypass

[rule two]
hosts = re:((
ports = http
action = explode
"""


def test_every_error_is_named_in_one_go_with_file_and_line(write):
    path = write(BAD)
    done = g.command("check", "-c", path)
    assert done.returncode == 1, done
    lines = done.stderr.strip().split("\n")
    found = {int(m[1]) for line in lines if (m := re.match(r"postern: \S*postern\.ini:(\d+): ", line))}
    wanted = {2, 3, 4, 5, 8, 10, 13, 16, 19, 20, 24, 25, 26}
    assert wanted <= found, (sorted(wanted - found), done.stderr)
    assert re.search(r"postern\.ini: not usable: \d+ errors, \d+ warnings?$", lines[-1]), lines[-1]


def test_the_shipped_configuration_is_fine(write):
    done = g.command("check", "-c", g.SOURCE / "conf" / "postern.ini")
    assert done.returncode == 0 and not done.stderr, done


def test_run_with_a_bad_file_starts_nothing(write):
    done = g.command("run", "-c", write(BAD))
    assert done.returncode in (1, 2)
    assert "postern.ini:2:" in done.stderr and "listening" not in done.stderr


def test_a_file_that_is_not_there_is_unreadable_input(folder):
    done = g.command("check", "-c", folder / "nothing.ini")
    assert done.returncode == 2 and "nothing.ini" in done.stderr


@pytest.mark.parametrize("words", [["frobnicate"], [], ["check", "--colour"], ["run", "-c"], ["explain"]], ids=lambda words: " ".join(words) or "nothing")
def test_wrong_usage_is_2(words):
    done = g.command(*words)
    assert done.returncode == 2 and done.stderr
    assert done.stderr.startswith(("postern", "usage:"))


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["run", "--help"], ["check", "--help"], ["explain", "--help"], ["passwd", "--help"],
                                   ["auth", "--help"], ["run", "--version"], ["check", "--version"], ["explain", "--version"], ["passwd", "--version"],
                                   ["auth", "--version"]],
                         ids=" ".join)
def test_help_and_version_work_on_each(words):
    done = g.command(*words)
    assert done.returncode == 0 and done.stdout and not done.stderr


def test_check_reports_in_json_too(write):
    done = g.command("check", "--json", "-c", write(BAD))
    assert done.returncode == 1
    json.loads(done.stdout)


def test_credentials_for_a_parent_that_say_nothing_are_named_by_line(write):
    secret = write("user without password\n", "credentials")
    secret.chmod(0o600)
    path = write("[gateway]\nvia = yes\n[parent up]\naddress = proxy.example.net:3128\nauth = basic\ncredentials = credentials\n[rule all]\naction = deny\nparent = none\n")
    done = g.command("check", "-c", path)
    assert done.returncode == 1
    assert f"postern.ini:6: credentials: {secret} has no user and colon; want one line user:password\n" in done.stderr
    assert "without password" not in done.stderr
    write("user:password\n", "credentials")
    assert "credentials" not in g.command("check", "-c", path).stderr


def test_a_long_list_with_one_bad_line_names_that_line(write):
    lines = [f"host{i}.example.net" for i in range(300000)]
    lines[234567] = "not a host!"
    write("\n".join(lines) + "\n", "long.list")
    done = g.command("check", "-c", write("[listener edge]\naddress = 127.0.0.1:3128\n[list long]\nfile = long.list\n[rule x]\nhosts = @long\naction = tunnel\nauth = none\n"))
    assert done.returncode == 1
    assert "long.list:234568:" in done.stderr and done.stderr.count("\n") < 10


def test_a_section_that_is_not_whole_is_an_error_not_a_crash(write):
    for section in ("[log access]", "[listener other]", "[list names]", "[rule x]", "[log access]\nformat = %ts"):
        done = g.command("check", "-c", write(f"[listener edge]\naddress = 127.0.0.1:3128\n{section}\n"))
        assert done.returncode == 1 and "postern.ini:3:" in done.stderr, (section, done)


def test_rules_that_lack_what_they_need_are_refused_by_line(write):
    path = write("[listener edge]\naddress = 127.0.0.1:3128\n[rule a]\nhosts = *\naction = inspect\n\n[rule b]\nusers = bob\naction = deny\n\n[rule c]\n"
                 "hosts = x.example.net\naction = tunnel\n")
    done = g.command("check", "-c", path)
    assert done.returncode == 1
    for line in (5, 8, 13):
        assert f"postern.ini:{line}:" in done.stderr, (line, done.stderr)


INSPECT = "[rule i]\naction = inspect\nauth = none\nforce = yes\n[log access]\nfile = -\n[listener edge]\naddress = 127.0.0.1:3128\n"

@pytest.fixture
def authority(folder):
    def make(name="ca", *words, **more):
        authorities.make(folder, name, *words, **more)

    return make


def inspection(write, more="", cert="ca.pem", key="ca.key"):
    return g.command("check", "-c", write(f"[inspection]\nca-cert = {cert}\nca-key = {key}\n{more}{INSPECT}"))


def test_a_whole_inspection_is_fine(write, authority):
    authority()
    done = inspection(write, "trust = system ca.pem\non-bad-origin = block expired:warn\nmin-tls = 1.3\n")
    assert done.returncode == 0 and not done.stderr, done


def test_an_authority_that_cannot_sign_is_refused_with_all_reasons(write, authority, folder):
    authority("leaf", "-addext", "basicConstraints=CA:FALSE")
    authority("short", *authorities.CA, key=("rsa:1024",))
    authority("sha1", "-sha1", *authorities.CA)
    (folder / "text.pem").write_text("hello\n")
    for name, words in (("leaf", "is not a CA's"), ("short", "1024 bits"), ("sha1", "SHA-1")):
        done = inspection(write, cert=f"{name}.pem", key=f"{name}.key")
        assert done.returncode == 1 and re.search(rf"postern\.ini:2: ca-cert: .*{name}\.pem .*{words}", done.stderr), done
    done = inspection(write, cert="text.pem", key="missing.key")
    assert "postern.ini:2: ca-cert: " in done.stderr and "holds no certificate" in done.stderr, done
    assert re.search(r"postern\.ini:3: ca-key: \S*missing\.key cannot be read: No such file", done.stderr), done


def test_an_authority_that_expires_soon_is_warned_of(write, authority):
    authority("soon", "-days", "20", *authorities.CA)
    done = inspection(write, cert="soon.pem", key="soon.key")
    assert done.returncode == 0 and re.search(r"postern\.ini:2: warning: ca-cert: .*expires on \d{4}-", done.stderr), done


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o620, 0o602, 0o660])
def test_a_key_open_to_others_is_refused(write, authority, folder, mode):
    authority()
    (folder / "ca.key").chmod(mode)
    done = inspection(write)
    assert done.returncode == 1 and re.search(rf"postern\.ini:3: ca-key: .* has mode {mode:04o}, .*set it to 0600", done.stderr), done
    (folder / "ca.key").chmod(0o640)
    assert inspection(write).returncode == 0


def test_a_certificate_and_its_key_in_one_file_are_as_closed_as_a_key(write, authority, folder):
    authority()
    both = folder / "both.pem"
    both.write_text((folder / "ca.key").read_text() + (folder / "ca.pem").read_text())
    both.chmod(0o644)
    done = inspection(write, cert="both.pem", key="both.pem")
    assert done.returncode == 1 and "postern.ini:2: ca-cert: " in done.stderr and "postern.ini:3: ca-key: " in done.stderr, done
    both.chmod(0o600)
    assert inspection(write, cert="both.pem", key="both.pem").returncode == 0


def test_a_key_of_another_certificate_is_refused(write, authority, folder):
    authority("ca")
    authority("other")
    done = inspection(write, key="other.key")
    assert done.returncode == 1 and re.search(r"postern\.ini:3: ca-key: the key in \S*other\.key is not that of the certificate in \S*ca\.pem", done.stderr), done
    (folder / "other.key").write_text("-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n")
    done = inspection(write, key="other.key")
    assert done.returncode == 1 and "holds no private key that can be read" in done.stderr and "PRIVATE KEY-----\nMAA" not in done.stderr, done


def test_a_key_in_der_is_as_good_as_one_in_pem(write, authority, folder):
    authority()
    subprocess.run(["openssl", "pkey", "-in", folder / "ca.key", "-outform", "DER", "-out", folder / "ca.der"], check=True)
    (folder / "ca.der").chmod(0o600)
    done = inspection(write, key="ca.der")
    assert done.returncode == 0, done


def test_a_key_with_a_pass_phrase_is_refused_and_nobody_is_asked(write, authority, folder):
    authority()
    subprocess.run(["openssl", "pkey", "-in", folder / "ca.key", "-aes256", "-passout", "pass:secret", "-out", folder / "locked.key"], check=True)
    (folder / "locked.key").chmod(0o600)
    done = inspection(write, key="locked.key")
    assert done.returncode == 1 and "has a pass phrase" in done.stderr and "Enter" not in done.stderr, done


def test_roots_and_lists_that_hold_none_are_told_and_overdue_ones_warned_of(write, authority, folder):
    authority()
    authorities.crl(folder, "ca", folder / "old.crl", "-crl_lastupdate", "20200101000000Z", "-crl_nextupdate", "20200201000000Z")
    done = inspection(write, "crl = old.crl\n")
    assert done.returncode == 0 and re.search(r"postern\.ini:4: warning: crl: \S*old\.crl is out of date \(CN=Test ca, 2020-02-01 00:00:00 UTC\)", done.stderr), done
    done = inspection(write, "crl = ca.pem\ntrust = old.crl\n")
    assert done.returncode == 1 and "postern.ini:4: crl: " in done.stderr and "holds no CRL" in done.stderr, done
    assert "postern.ini:5: trust: " in done.stderr and "holds no certificate" in done.stderr, done


def test_explain_names_rule_entry_and_conditions():
    shipped = g.SOURCE / "conf" / "postern.ini"
    done = g.command("explain", "-c", shipped, "v10.events.data.microsoft.com:443")
    assert done.returncode == 0 and "bypass" in done.stdout and re.search(r"\.list:\d+", done.stdout), done
    done = g.command("explain", "-c", shipped, "www.example.com:443")
    assert done.returncode == 1 and "deny" in done.stdout
    done = g.command("explain", "--json", "-c", shipped, "http://adl.windows.com/")
    assert json.loads(done.stdout)["action"] == "bypass"


def test_explain_takes_client_and_method(write):
    path = write("[listener edge]\naddress = 127.0.0.1:3128\n[rule a]\nhosts = x.example.net\nclients = 10.20.0.0/16\nmethods = PUT\naction = deny\n"
                 "[rule b]\nhosts = *\naction = tunnel\nauth = none\n")
    target = "http://x.example.net/"
    assert g.command("explain", "-c", path, "--client", "10.20.1.1", "--method", "PUT", target).returncode == 1
    assert g.command("explain", "-c", path, "--client", "10.20.1.1", "--method", "GET", target).returncode == 0
    assert g.command("explain", "-c", path, "--client", "10.30.1.1", "--method", "PUT", target).returncode == 0


def test_report_only_lets_the_denied_pass_and_says_so(gateway, origin):
    gw = gateway("[rule no]\nhosts = origin.example.net\naction = deny\n", words=("--report-only",))
    assert gw.get("http://origin.example.net/").status == 200
    line = gw.record(status=200)
    assert "no" in line["reported"]


def test_a_rule_that_reports_does_not_decide(gateway, origin):
    gw = gateway("[rule would]\nhosts = origin.example.net\naction = deny\nreport = yes\n" + g.LET_ALL)
    assert gw.get("http://origin.example.net/").status == 200
    line = gw.record(status=200)
    assert "would" in line["reported"] and line["rule"] == "all"


@pytest.mark.parametrize("gateway_has, rule_has, wanted", [
    ("egress-deny = none\n", "parent = up\n", []),
    ("", "parent = up\n", ["9: warning: where a parent resolves"]),
    ("", "", ["4: warning: [parent up] is named by no rule"]),
    ("egress-deny = private\n", "parent = up\n", ["10: warning: where a parent resolves, egress-deny and egress-allow judge only targets that are addresses"]),
    ("egress-deny = private\nparent = up\n", "", ["3: warning: where a parent resolves"]),
    ("egress-deny = private\nparent = up\n", "parent = none\n", ["3: warning: where a parent resolves"]),
    ("egress-deny = none\n", "parent = up\naddresses = 192.0.2.0/24\n[rule rest]\naction = deny\nforce = yes\n", ["7: warning: [rule all] looks at addresses and sends through a parent"]),
])
def test_what_a_parent_resolves_is_not_judged_here_and_that_is_said(write, gateway_has, rule_has, wanted):
    path = write(f"[gateway]\n{gateway_has}[listener edge]\naddress = 127.0.0.1:3128\n[parent up]\naddress = parent.example:3128\n"
                 f"[rule all]\naction = tunnel\nauth = none\n{rule_has}[log a]\nfile = /dev/null\n")
    done = g.command("check", "-c", path)
    lines = [line.partition("postern.ini:")[2] for line in done.stderr.splitlines()]
    assert done.returncode == 0 and len(lines) == len(wanted), done
    for line, text in zip(lines, wanted):
        assert text in line, (line, text)


@pytest.mark.parametrize("words", [["--version"], ["help"], ["check", "-c", "postern.ini"], ["explain", "-c", "postern.ini", "a.example"],
                                   ["import", "squid", "squid.conf"], ["import", "squid", "squid.conf", "--output", "made.ini", "--force"]], ids=" ".join)
def test_an_answer_that_cannot_be_written_is_no_answer(folder, write, words):
    write("[gateway]\nconnect-ports = 443\n[listener a]\naddress = 127.0.0.1:3128\n[rule r]\nhosts = a.example\naction = bypass\n[rule rest]\naction = deny\nforce = yes\n")
    write("http_port 3128\nacl a src 10.0.0.0/8\nhttp_access allow a\nhttp_access deny all\n", "squid.conf")
    for redirection in (">/dev/full", ">&-", "<&- >&- 2>&-"):
        done = subprocess.run(["sh", "-c", f'"$@" {redirection}', "sh", g.PROGRAM, *words], cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, timeout=20)
        assert done.returncode == 2, (redirection, done)
        assert redirection != ">/dev/full" or b"takes no more" in done.stderr, done
    if "made.ini" in words:
        assert "became" not in (folder / "made.ini").read_text()  # which is the report


def test_what_is_printed_never_goes_to_the_gateway(folder):
    with socket.socket(socket.AF_UNIX) as gateway:
        gateway.bind(str(folder / "control"))
        gateway.listen()
        with subprocess.Popen(["sh", "-c", '"$@" >&-', "sh", g.PROGRAM, "rules", "--control", folder / "control"], stderr=subprocess.DEVNULL) as asker:
            with gateway.accept()[0] as s:
                s.settimeout(10)
                s.sendall(b". a line\n" * 2000 + b"x 0\n")
                s.shutdown(socket.SHUT_WR)
                got = b""
                while data := s.recv(4096):
                    got += data
            assert asker.wait(timeout=10) == 2 and got == b"rules\n", got
