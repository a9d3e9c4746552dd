# SPDX-License-Identifier: MIT
"""Certificates and CRLs as an administrator makes them, by openssl."""

import subprocess

CA = ("-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign")
EC = ("ec", "-pkeyopt", "ec_paramgen_curve:P-256")


def make(folder, name, *words, key=EC):
    """NAME.pem, signed by itself, and NAME.key, mode 0600; words are openssl's, those of a CA by default."""
    conf = folder / "bare.cnf"
    conf.write_text("[req]\ndistinguished_name = dn\n[dn]\n")
    subprocess.run(["openssl", "req", "-x509", "-config", conf, "-nodes", "-newkey", *key, "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.pem",
                    "-subj", f"/CN=Test {name}", "-days", "365", *(words or CA)], check=True, capture_output=True)
    (folder / f"{name}.key").chmod(0o600)


def crl(folder, name, path, *words):
    """A list of NAME that revokes nothing."""
    (folder / "index").write_text("")
    (folder / "crl.cnf").write_text(f"[ca]\ndefault_ca = d\n[d]\ndatabase = {folder}/index\ndefault_md = sha256\n")
    subprocess.run(["openssl", "ca", "-gencrl", "-config", folder / "crl.cnf", "-keyfile", folder / f"{name}.key", "-cert", folder / f"{name}.pem", "-out", path,
                    *(words or ("-crldays", "30"))], check=True, capture_output=True)
