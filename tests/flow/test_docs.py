# SPDX-License-Identifier: MIT
"""The manuals name what the program has, and the words of the program are theirs."""

import re

import gateway as g

MAN8 = (g.SOURCE / "man" / "postern.8").read_text()
CA8 = (g.SOURCE / "man" / "postern-ca.8").read_text()
MAN5 = (g.SOURCE / "man" / "postern.ini.5").read_text()


def test_every_word_of_each_help_stands_in_the_manual():
    for command in ("run", "check", "explain", "passwd", "auth", "ca"):
        for word in re.findall(r"--([a-z-]+)", g.command(command, "--help").stdout):
            assert word == "config" or f"Fl -{word}" in MAN8 + CA8, f"{command} --{word}"


def test_every_key_of_a_json_line_stands_in_the_manual_in_order(gateway, origin):
    gw = gateway()
    assert gw.get("http://origin.example.net/").status == 200
    keys = list(gw.record(status=200))
    part = MAN5[MAN5.index("\n.It Cm json\n"):]
    told = re.findall(r"\n\.Li ([a-z_]+) [,.]", part[:part.index(".Li id\n")])
    assert told == keys


def test_every_code_and_note_of_the_manual_is_accepted_and_no_other(folder):
    part = MAN5[MAN5.index("\n.It Ar string\n"):MAN5.index("\n.Ss When writing fails")]
    codes = [word for line in re.findall(r"\n\.It Li (.*)", part) for word in line.split()]
    notes = re.search(r"one of (id, [^.]*?), as in json", " ".join(part.split())).group(1).replace(" and", ",").split(", ")
    codes = [code.replace("{...}", "{%H:%M}") for code in codes if code != "%{...}note"] + [f"%{{{note}}}note" for note in notes]
    assert len(codes) > 35
    ini = folder / "postern.ini"

    def check(form):
        ini.write_text(f"[listener l]\naddress = 127.0.0.1:0\n[rule r]\naction = deny\n[log x]\nfile = -\nformat = {form}\n")
        return g.command("check", "-c", ini)

    for code in codes:
        done = check(code)
        assert done.returncode == 0, (code, done.stderr)
    known = [code for code in re.search(r"known: (.*)", check("%zz").stderr).group(1).split() if code != "ssl::..."]
    assert {code if code == "%%" else "%" + code for code in known} <= {re.sub(r"\{.*?\}", "", code) for code in codes}
    told = re.search(r"known: (.*)", check("%{zz}note").stderr).group(1).split()
    families = tuple(word[:-1] for word in told if word.endswith("_*"))  # "tls_*"
    assert {word for word in told if not word.endswith("_*")} == {note for note in notes if not note.startswith(families)}
