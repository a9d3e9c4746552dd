# SPDX-License-Identifier: MIT
"""lab: a real Active Directory domain (Samba), a member of it with winbindd, real clients, and gateways and origins between them.

The lab's scripts lie beside the project (../shared/lab). They make two network namespaces inside the session's world: `dc`, the domain controller, and
`px`, the proxy's machine, where gateways, origins and clients run. What runs in px has its host name, /run/samba, /etc/hosts and /etc/resolv.conf.

Names in px: proxy.corp.example is the gateway's machine, www.example.net an nginx with http on 80 and https on 443 (its certificate is the world's).
"""

import contextlib
import ctypes
import grp
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

import gateway as gateways
import wire
import world as worlds

SCRIPTS = gateways.SOURCE.resolve().parent / "shared" / "lab"
TOOLS = {"samba": "samba-ad-dc", "samba-tool": "samba-common-bin", "ldbmodify": "ldb-tools", "winbindd": "winbind", "wbinfo": "winbind", "kinit": "krb5-user",
         "klist": "krb5-user", "ntlm_auth": "winbind"}
PACKAGES = {"/usr/share/samba/setup/provision.ldif": "samba-ad-provision", "/usr/lib/x86_64-linux-gnu/samba/ldb/samba_dsdb.so": "samba-dsdb-modules"}
CLONE_NEWNET = worlds.CLONE_NEWNET
DOMAIN, REALM, DNS = "CORP", "CORP.EXAMPLE", "corp.example"
ORIGIN = "www.example.net"
DIAGNOSTICS = "v10.events.data.microsoft.com"  # the same nginx
BROWSED = "browsed.example.net"  # the same, for clients that ask for more than they are told to

# What a process in px sees; exec all the way, so that its process id is the one we started.
INSIDE = """
hostname "$1"; d=$2 s=$3; shift 3
mount --bind "$d/$s/run" /run/samba && mount --bind "$d/$s/resolv.conf" /etc/resolv.conf && mount --bind "$d/hosts" /etc/hosts && exec "$@"
"""


def missing():
    """None, or why there can be no lab."""
    if not (SCRIPTS / "ad-dc.sh").exists():
        return f"no lab: {SCRIPTS} is not there"
    gone = {package for tool, package in TOOLS.items() if not shutil.which(tool)}
    if Path("/usr/lib/x86_64-linux-gnu").exists():
        gone |= {package for path, package in PACKAGES.items() if not Path(path).exists()}
    if gone:
        return f"no lab: not installed: {' '.join(sorted(gone))}"
    return None


def password(user):
    return {"Administrator": "Adm1n-Passw0rd", "WS01$": "Mach1ne-Passw0rd"}.get(user, f"Passw0rd-{user}")


class Lab:
    """What lasts for the session. LAB_DIR in the environment keeps the database for the next one."""

    def __init__(self, world):
        self.world = world
        self.kept = "LAB_DIR" in os.environ
        self.folder = Path(os.environ.get("LAB_DIR") or tempfile.mkdtemp(prefix="postern-lab-"))
        self.folder.mkdir(exist_ok=True)
        self.folder.chmod(0o755)
        self.prefix = os.environ.get("LAB_NS", "flow")
        self.net = os.environ.get("LAB_NET", "10.77.70")
        self.address, self.origin_address = f"{self.net}.2", f"{self.net}.3"
        self.env = {**os.environ, "LAB_DIR": str(self.folder), "LAB_NS": self.prefix, "LAB_NET": self.net, "KRB5_CONFIG": str(self.folder / "krb5.conf"),
                    "KRB5RCACHEDIR": str(self.folder / "rcache"), "HOME": str(self.folder / "home"), "TDB_NO_FSYNC": "1"}
        (self.folder / "home").mkdir(exist_ok=True)
        self.children, self.frozen = [], []
        try:
            self.script("ad-dc.sh", "start")
            self.script("member.sh", "start")
            self.member()
            self.web()
        except BaseException:
            self.close()
            raise

    def script(self, name, *words):
        done = subprocess.run([str(SCRIPTS / name), *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, env=self.env, timeout=120)
        assert done.returncode == 0, f"{name} {' '.join(words)}: {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
        return done.stdout

    def member(self):
        """As a package would have it: winbindd's privileged pipe for its group, keytabs for root alone."""
        privileged = self.folder / "px" / "state" / "winbindd_privileged"
        with contextlib.suppress(KeyError):
            os.chown(privileged, 0, grp.getgrnam("winbindd_priv").gr_gid)
        for keytab in self.folder.glob("*.keytab"):
            keytab.chmod(0o600)

    def web(self):
        worlds.run("ip", "-n", f"{self.prefix}-px", "addr", "replace", f"{self.origin_address}/24", "dev", f"{self.prefix}-v2")
        hosts = self.folder / "hosts"
        hosts.write_text(hosts.read_text() + f"{self.origin_address} {ORIGIN} {DIAGNOSTICS} {BROWSED}\n")
        folder = self.folder / "www"
        folder.mkdir(exist_ok=True)
        (folder / "index.html").write_text("hello from the lab\n")
        conf = self.folder / "nginx.conf"
        conf.write_text(f"""daemon off; pid {self.folder}/nginx.pid; error_log stderr warn; worker_processes 1; user root;
events {{ worker_connections 4096; }}
http {{
  access_log {self.folder}/nginx-access.log;
  client_body_temp_path {self.folder}/n-body; proxy_temp_path {self.folder}/n-proxy; fastcgi_temp_path {self.folder}/n-f;
  uwsgi_temp_path {self.folder}/n-u; scgi_temp_path {self.folder}/n-s; client_max_body_size 0;
  server {{
    listen {self.origin_address}:80; listen {self.origin_address}:443 ssl;
    ssl_certificate {self.world.cert}; ssl_certificate_key {self.world.key};
    root {folder};
    location = /who {{ return 200 "$scheme $host auth=$http_authorization proxy=$http_proxy_authorization\\n"; }}
  }}
}}
""")
        child = self.start("nginx", "-c", conf, "-p", self.folder)

        def listens():
            assert child.poll() is None, (self.folder / "nginx.log").read_text()
            with contextlib.suppress(OSError), self.inside():
                socket.create_connection((self.origin_address, 443), timeout=1).close()
                return True

        wire.wait_until(listens, "nginx in px")

    # --- things inside ---

    def words(self, side="px"):
        """What stands before a command, so that it runs in there under the very process id that we get."""
        host = {"px": "px1", "dc": "dc1"}[side]
        return ["ip", "netns", "exec", f"{self.prefix}-{side}", "unshare", "-mu", "sh", "-c", INSIDE, "sh", host, str(self.folder), side]

    def run(self, *words, side="px", check=True, timeout=60, env=None, **more):
        """A command in there, to its end; .stdout is text."""
        done = subprocess.run([*self.words(side), *map(str, words)], capture_output=True, text=True, timeout=timeout, env={**self.env, **(env or {})},
                              **({"stdin": subprocess.DEVNULL} if "input" not in more else {}), **more)
        if check:
            assert done.returncode == 0, (words, done.returncode, done.stdout[-2000:], done.stderr[-2000:])
        return done

    def start(self, *words, side="px", env=None):
        """A command in there, left running until the end; its output is in NAME.log."""
        with open(self.folder / f"{Path(str(words[0])).name}.log", "ab") as log:
            child = subprocess.Popen([*self.words(side), *map(str, words)], stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={**self.env, **(env or {})})
        self.children.append(child)
        return child

    def stop(self, child):
        self.children.remove(child)
        child.terminate()
        child.wait(wire.PATIENCE)

    @contextlib.contextmanager
    def inside(self):
        """This thread's new sockets are px's: for clients and origins of a test. Names are still the world's."""
        with open("/proc/thread-self/ns/net") as outside, open(f"/run/netns/{self.prefix}-px") as there:
            self.enter(there)
            try:
                yield
            finally:
                self.enter(outside)

    @staticmethod
    def enter(file):
        if worlds.libc.setns(file.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")

    # --- the domain ---

    def samba_tool(self, *words):
        return self.run("samba-tool", *words, "-s", self.folder / "dc" / "etc" / "smb.conf", side="dc").stdout

    def keytab(self, name, *principals):
        """A keytab of these principals' keys as the domain has them now, for root alone."""
        path = self.folder / f"{name}.keytab"
        path.unlink(missing_ok=True)
        for principal in principals:
            self.samba_tool("domain", "exportkeytab", path, f"--principal={principal}")
        path.chmod(0o600)
        return path

    def kinit(self, user="alice", owner=None):
        """A ticket; the environment that names it: lab.curl(..., env=lab.kinit("alice")). `owner`: a user who is to read it."""
        cache = Path(tempfile.mkstemp(prefix="ticket-", dir=self.folder / "home")[1])
        self.run("kinit", "-c", f"FILE:{cache}", user, input=password(user) + "\n")
        if owner:
            shutil.chown(cache, owner)
        return {"KRB5CCNAME": f"FILE:{cache}"}

    def no_ticket(self):
        return {"KRB5CCNAME": f"FILE:{self.folder}/home/no-ticket"}

    def unplug_dc(self):
        worlds.run("ip", "-n", f"{self.prefix}-dc", "link", "set", f"{self.prefix}-v1", "down")

    def plug_dc(self):
        worlds.run("ip", "-n", f"{self.prefix}-dc", "link", "set", f"{self.prefix}-v1", "up")

    def pids(self, name, side="px"):
        found = []
        for pid in worlds.run("ip", "netns", "pids", f"{self.prefix}-{side}").stdout.split():
            with contextlib.suppress(OSError):
                if Path(f"/proc/{pid}/comm").read_text().strip() == name:
                    found.append(int(pid))
        return found

    def freeze_winbindd(self):
        """It neither answers nor goes away."""
        self.frozen = self.pids("winbindd")
        assert self.frozen
        for pid in self.frozen:
            os.kill(pid, signal.SIGSTOP)

    def thaw_winbindd(self):
        for pid in self.frozen:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        self.frozen = []

    def stop_winbindd(self):
        self.script("member.sh", "stop")

    def start_winbindd(self):
        self.script("member.sh", "start")
        self.member()

    # --- clients; `gw` is a gateway of lab_gateway() ---

    def curl(self, *words, gw=None, env=None, check=True):
        """curl in px, without a ticket unless env=lab.kinit(...); .stdout is bytes, .status the last answer's status."""
        command = ["curl", "-sS", "--max-time", "30", "--cacert", self.world.ca, "-w", "%{stderr}status %{http_connect} %{http_code}\n"]
        if gw:
            command += ["-x", f"http://proxy.{DNS}:{gw.port}"]
        done = subprocess.run([*self.words(), *map(str, [*command, *words])], stdin=subprocess.DEVNULL, capture_output=True, timeout=60,
                              env={**self.env, **self.no_ticket(), **(env or {})})
        if check:
            assert done.returncode == 0, (done.returncode, done.stderr.decode(), done.stdout[:500])
        last = [line.split() for line in done.stderr.decode().split("\n") if line.startswith("status ")]
        done.connect_status, done.status = (int(last[-1][1]), int(last[-1][2])) if last else (0, 0)
        return done

    def ntlm_client(self, *words, gw, url=f"http://{ORIGIN}/"):
        """ntlm-client.py with its knobs (--bad-mic, --v1 ...); the status."""
        done = self.run(SCRIPTS / "ntlm-client.py", "--proxy", f"proxy.{DNS}:{gw.port}", "--url", url, *words, check=False)
        said = done.stdout.split()
        assert len(said) > 1 and said[1].isdigit(), (done.stdout, done.stderr)
        return int(said[1])

    def chromium(self, *words, gw, url=f"http://{ORIGIN}/", env=None):
        """Headless Chromium (--schemes negotiate, or --user and --password); the status."""
        done = self.run(SCRIPTS / "chromium-client.py", f"proxy.{DNS}:{gw.port}", url, *words, check=False, timeout=120, env=env or self.no_ticket())
        status = [line.split()[1] for line in done.stdout.split("\n") if line.startswith("status ")]
        assert status, (done.stdout, done.stderr)
        return int(status[0])

    def cntlm(self, gw, user="alice"):
        """cntlm in front of the gateway; what curl's -x wants."""
        with self.inside():
            port = gateways.free_port()
        conf = self.folder / f"cntlm-{port}.conf"
        conf.write_text(f"Username {user}\nDomain {DOMAIN}\nPassword {password(user)}\nAuth NTLMv2\nProxy proxy.{DNS}:{gw.port}\nListen {port}\n")
        conf.chmod(0o600)
        self.start("cntlm", "-f", "-c", conf)

        def listens():
            with contextlib.suppress(OSError), self.inside():
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return True

        wire.wait_until(listens, "cntlm")
        return f"http://127.0.0.1:{port}"

    def wine(self, program, *words):
        """winhttp-client or wininet-client under Wine; the last status."""
        made = self.folder / "bin" / f"{program}.exe"
        if not made.exists():
            subprocess.run(["make", "-s", "-C", SCRIPTS / "src", made, f"OUT={made.parent}"], check=True, stdin=subprocess.DEVNULL, capture_output=True, timeout=120)
        env = {**self.no_ticket(), "WINEPREFIX": str(self.folder / "home" / "wine"), "WINEDEBUG": "-all", "DISPLAY": ""}
        done = self.run("wine", made, *words, check=False, timeout=180, env=env)
        status = [line.split()[1] for line in done.stdout.replace("\r", "").split("\n") if line.startswith("status ")]
        assert status, (done.stdout, done.stderr)
        return int(status[-1])

    def wine_winhttp(self, gw, scheme="ntlm", user="alice", host=ORIGIN, port=80, path="/"):
        return self.wine("winhttp-client", f"proxy.{DNS}:{gw.port}", host, port, path, scheme, f"{DOMAIN}\\{user}", password(user))

    def wine_wininet(self, gw, *words):
        return self.wine("wininet-client", f"proxy.{DNS}:{gw.port}", *words)

    def close(self):
        self.thaw_winbindd()
        for child in reversed(self.children):
            child.terminate()
        for child in self.children:
            child.wait(20)
        with contextlib.suppress(AssertionError):
            self.script("ad-dc.sh", "stop" if self.kept else "destroy")


class LabGateway(gateways.Gateway):
    """A gateway in px, listening at proxy.corp.example; root's parent, `postern`'s children. `auth`: a dict for [auth]."""

    def __init__(self, lab, folder, rules=gateways.LET_ALL, auth=None, env=None, **options):
        self.lab = lab
        with lab.inside():
            port = gateways.free_port(lab.address)
        options = {"user": "postern", "resolver": "system", "visible_name": f"proxy.{DNS}", "egress_allow": f"{lab.net}.0/24", **options}
        if auth:
            rules = "[auth]\n" + "".join(f"{key.replace('_', '-')} = {value}\n" for key, value in auth.items()) + "\n" + rules
        super().__init__(folder, rules, address=f"{lab.address}:{port}", port=port, env={**lab.env, **(env or {})}, before=lab.words(), **options)

    def connect(self, source=None):
        with self.lab.inside():
            return wire.connect((self.lab.address, self.port), source)

    def tunnel(self, target, early=b"", source=None):
        with self.lab.inside():
            return wire.tunnel((self.lab.address, self.port), target, early, source)

    def curl(self, *words, **more):
        return self.lab.curl(*words, gw=self, **more)
