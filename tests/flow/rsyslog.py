# SPDX-License-Identifier: MIT
"""rsyslog: a real syslog server, which reads RFC 5424 itself and writes what it read as one JSON object a line."""

import json
import subprocess

import wire

CONFIGURATION = """
global(workDirectory="{folder}" maxMessageSize="256k" {tls})
module(load="imuxsock" SysSock.Use="off")
module(load="imudp")
module(load="imtcp" {driver})
input(type="imuxsock" Socket="{folder}/log" UseSpecialParser="off" ParseHostname="on" UseSysTimeStamp="off" IgnoreTimestamp="off" RateLimit.Interval="0")
input(type="imudp" port="{udp}")
input(type="imtcp" port="{tcp}")
template(name="whole" type="list" option.jsonf="on") {{
    property(outname="pri" name="pri" format="jsonf")
    property(outname="version" name="protocol-version" format="jsonf")
    property(outname="time" name="timereported" dateFormat="rfc3339" format="jsonf")
    property(outname="host" name="hostname" format="jsonf")
    property(outname="app" name="app-name" format="jsonf")
    property(outname="proc" name="procid" format="jsonf")
    property(outname="id" name="msgid" format="jsonf")
    property(outname="data" name="structured-data" format="jsonf")
    property(outname="text" name="msg" format="jsonf")
}}
main_queue(queue.type="Direct")
*.* action(type="omfile" file="{folder}/received" template="whole" asyncWriting="off" flushOnTXEnd="on")
"""


class Rsyslog:
    """`tls`: (cert, key, ca) files; then its TCP port speaks TLS."""

    def __init__(self, folder, udp, tcp, tls=None):
        self.folder, self.child = folder, None
        folder.mkdir(mode=0o755, exist_ok=True)
        self.file, self.out = folder / "rsyslog.conf", folder / "received"
        self.socket = folder / "log"
        names = dict(zip(("Cert", "Key", "CA"), tls)) if tls else {}
        options = " ".join(f'DefaultNetstreamDriver{name}File="{path}"' for name, path in names.items())
        self.tcp = tcp
        self.file.write_text(CONFIGURATION.format(folder=folder, udp=udp, tcp=tcp, tls='DefaultNetstreamDriver="ossl" ' + options if tls else "",
                                                  driver='StreamDriver.Name="ossl" StreamDriver.Mode="1" StreamDriver.AuthMode="anon"' if tls else ""))
        self.start()

    def start(self):
        with open(self.folder / "stderr", "ab") as out:
            self.child = subprocess.Popen(["rsyslogd", "-n", "-f", str(self.file), "-i", str(self.folder / "pid")], stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        wire.wait_until(self.listens, "rsyslogd to listen")

    def listens(self):
        assert self.child.poll() is None, (self.folder / "stderr").read_text()
        listening = subprocess.run(["ss", "-Hltn", f"sport = :{self.tcp}"], capture_output=True, text=True, check=True).stdout
        return listening and self.socket.exists()

    def signal(self, number):
        self.child.send_signal(number)

    def kill(self):
        self.child.kill()
        self.child.wait()
        self.socket.unlink(missing_ok=True)

    def close(self):
        if self.child.poll() is None:
            self.kill()

    def received(self, since=0):
        """What came whole."""
        text = self.out.read_text() if self.out.exists() else ""
        return [json.loads(line) for line in text.split("\n")[:-1]][since:]

    def wait(self, n):
        try:
            return wire.wait_until(lambda: (found := self.received())[n - 1:] and found, f"{n} messages at rsyslogd")
        except AssertionError as e:  # on whose side do they lie?
            lies = subprocess.run(["ss", "-Htnpie", f"( sport = :{self.tcp} or dport = :{self.tcp} )"], capture_output=True, text=True).stdout
            raise AssertionError(f"{e}; there are {len(self.received())}:\n{lies}") from None
