# SPDX-License-Identifier: MIT
"""postern ca: an authority is made whole or not at all; show says what clients must trust."""

import json
import os
import subprocess

import pytest

from gateway import command


def make(folder, *words):
    return command("ca", "init", "--cert", folder / "ca.pem", "--key", folder / "ca.key", *words)


def x509(path, *words):
    return subprocess.run(["openssl", "x509", "-in", path, "-noout", *words], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("words, kind", [((), "id-ecPublicKey"), (("--rsa",), "rsaEncryption")])
def test_an_authority_is_made(folder, words, kind):
    done = make(folder, "--name", "My CA", "--organisation", "Mine", "--days", "10", *words)
    assert done.returncode == 0, done.stderr
    assert (folder / "ca.key").stat().st_mode & 0o777 == 0o600
    text = x509(folder / "ca.pem", "-text")
    assert "CA:TRUE, pathlen:0" in text and "Certificate Sign, CRL Sign" in text and kind in text
    assert "Subject: O = Mine, CN = My CA" in text
    assert subprocess.run(["openssl", "verify", "-x509_strict", "-CAfile", folder / "ca.pem", folder / "ca.pem"], capture_output=True).returncode == 0
    pair = [subprocess.run(["openssl", *what, "-in", folder / file], capture_output=True, check=True).stdout
            for what, file in ((("pkey", "-pubout"), "ca.key"), (("x509", "-noout", "-pubkey"), "ca.pem"))]
    assert pair[0] == pair[1]
    assert sorted(os.listdir(folder)) == ["ca.key", "ca.pem"]


def test_nothing_that_is_there_is_overwritten_without_a_word(folder):
    assert make(folder).returncode == 0
    before = [(folder / name).read_bytes() for name in ("ca.pem", "ca.key")]
    again = make(folder)
    assert again.returncode == 2 and "is there already" in again.stderr
    assert [(folder / name).read_bytes() for name in ("ca.pem", "ca.key")] == before
    (folder / "ca.key").unlink()
    assert make(folder).returncode == 2 and not (folder / "ca.key").exists()
    assert make(folder, "--force").returncode == 0
    assert sorted(os.listdir(folder)) == ["ca.key", "ca.pem"]
    assert (folder / "ca.pem").read_bytes() != before[0]


def test_a_failure_leaves_what_was_there(folder):
    assert make(folder).returncode == 0
    before = (folder / "ca.key").read_bytes()
    failed = command("ca", "init", "--cert", folder / "nowhere" / "ca.pem", "--key", folder / "ca.key", "--force")
    assert failed.returncode == 2 and "nowhere/ca.pem: No such file" in failed.stderr
    assert (folder / "ca.key").read_bytes() == before
    assert sorted(os.listdir(folder)) == ["ca.key", "ca.pem"]
    (folder / "folder").mkdir()
    (folder / "folder" / "full").touch()
    failed = command("ca", "init", "--cert", folder / "folder", "--key", folder / "new.key", "--force")
    assert failed.returncode == 2 and "Is a directory" in failed.stderr
    assert sorted(os.listdir(folder)) == ["ca.key", "ca.pem", "folder"] and os.listdir(folder / "folder") == ["full"]


@pytest.mark.parametrize("words", [("--days", "0"), ("--days", "7301"), ("--days", "x"), ("--name", ""), ("--name", "x" * 65), ("--permit", "*.example.com"),
                                   ("--permit", ".example.com"), ("more",)])
def test_nonsense_makes_nothing(folder, words):
    assert make(folder, *words).returncode == 2
    assert os.listdir(folder) == []


def test_constraints_hold_the_authority_to_its_domains(folder):
    assert make(folder, "--permit", "corp.example", "--permit", "lab.example").returncode == 0
    text = x509(folder / "ca.pem", "-text")
    assert "Name Constraints: critical" in text and "DNS:corp.example" in text and "DNS:lab.example" in text
    shown = json.loads(command("ca", "show", "--cert", folder / "ca.pem", "--json").stdout)
    assert shown["permitted"] == ["corp.example", "lab.example"]


def test_show_says_what_openssl_says(folder):
    assert make(folder, "--name", "Über CA").returncode == 0
    cert = folder / "ca.pem"
    shown = json.loads(command("ca", "show", "--cert", cert, "--json").stdout)
    assert shown["subject"] == "CN=Über CA" and shown["pem"] == cert.read_text() and shown["permitted"] == []
    for name in ("sha256", "sha1"):
        assert x509(cert, "-fingerprint", f"-{name}").strip().split("=")[1] == shown[name]
    assert x509(cert, "-enddate", "-dateopt", "iso_8601").strip() == "notAfter=" + shown["not_after"].replace("T", " ")
    text = command("ca", "show", "--cert", cert)
    assert text.returncode == 0
    for word in (shown["sha256"], shown["sha1"], "certutil -addstore", "Group Policy", "policies.json", "update-ca-certificates", "security add-trusted-cert", shown["pem"]):
        assert word in text.stdout
    assert command("ca", "show", "--cert", cert, "--pem").stdout == cert.read_text()
    assert command("ca", "show", "--cert", cert, "--der", folder / "ca.cer").returncode == 0
    assert subprocess.run(["openssl", "x509", "-inform", "DER", "-in", folder / "ca.cer"], capture_output=True, text=True, check=True).stdout == cert.read_text()


def test_show_reads_the_configuration(folder):
    assert make(folder).returncode == 0
    ini = folder / "postern.ini"
    ini.write_text(f"[listener a]\naddress = 127.0.0.1:8080\nclients = 127.0.0.0/8\n[inspection]\nca-cert = {folder}/ca.pem\nca-key = {folder}/ca.key\n"
                   "[rule all]\naction = inspect\nauth = none\n")
    assert command("ca", "show", "-c", ini, "--pem").stdout == (folder / "ca.pem").read_text()
    ini.write_text("[rule all]\naction = tunnel\nauth = none\n")
    none = command("ca", "show", "-c", ini)
    assert none.returncode == 2 and "names no ca-cert" in none.stderr


def test_show_says_that_clients_will_not_take_it(folder):
    key, cert = folder / "k", folder / "c"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-subj", "/CN=x", "-addext", "basicConstraints=CA:FALSE"],
                   check=True, capture_output=True)
    shown = command("ca", "show", "--cert", cert)
    assert shown.returncode == 1 and "is not the certificate of a CA" in shown.stderr
    cert.write_text("rubbish")
    assert command("ca", "show", "--cert", cert).returncode == 2
