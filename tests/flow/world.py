# SPDX-License-Identifier: MIT
"""world: a network and mount namespace for the whole test session, with its own addresses, name server, web server and CA.

The session itself moves into it, so that whatever it starts is inside too. Nothing leaves the machine: there is no interface but lo, and lo carries
"public" addresses, so that what egress-deny says can be tested truthfully.
"""

import ctypes
import os
import pwd
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
from pathlib import Path

from wire import wait_until

NGINX, NGINX6 = "20.42.0.10", "2603:1030:700::10"  # real nginx: 80 and 443
ORIGIN, ORIGIN6 = "20.42.0.20", "2603:1030:700::20"  # what a test makes
OTHER = "20.42.0.21"  # a second one
NOBODY = "20.42.0.30"  # nothing listens
EDGE = "20.42.0.40"  # another address of the gateway's machine
STRANGER = "20.42.0.99"  # a client outside `private`
RESOLVER = "127.0.0.53"  # unbound
RESOLVER2 = "127.0.0.54"  # what a test makes
ADDRESSES = (NGINX, ORIGIN, OTHER, NOBODY, EDGE, STRANGER, NGINX6, ORIGIN6)

NAMES = f"""
microsoft.com                redirect  {NGINX} {NGINX6}
windows.com                  redirect  {NGINX} {NGINX6}
windows.net                  redirect  {NGINX} {NGINX6}
live.com                     redirect  {NGINX} {NGINX6}
aka.ms                       redirect  {NGINX} {NGINX6}
origin.example.net           redirect  {ORIGIN}
six.example.net              redirect  {ORIGIN6}
both.example.net             redirect  {ORIGIN} {ORIGIN6}
halfdead.example.net         redirect  {ORIGIN} {NOBODY}
other.example.net            redirect  {OTHER}
nobody.example.net           redirect  {NOBODY}
edge.example.net             redirect  {EDGE}
loopback.example.net         redirect  127.0.0.1
loopback6.example.net        redirect  ::1
private.example.net          redirect  10.1.2.3
linklocal.example.net        redirect  169.254.169.254
mapped.example.net           redirect  ::ffff:127.0.0.1
nat64.example.net            redirect  64:ff9b::7f00:1
sixtofour.example.net        redirect  2002:7f00:1::1
zero.example.net             redirect  0.0.0.0
mixed.example.net            redirect  {ORIGIN} 127.0.0.1
xn--bcher-kva.example.net    redirect  {ORIGIN}
"""

libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNS, CLONE_NEWNET = 0x00020000, 0x40000000
MS_REC, MS_PRIVATE = 1 << 14, 1 << 18


def enter():
    """None, or why it cannot be."""
    if os.geteuid() != 0:
        return "not root: the tests make network namespaces"
    missing = [tool for tool in ("ip", "mount", "unbound", "nginx", "openssl", "curl") if not shutil.which(tool, path=PATH)]
    if missing:
        return f"not installed: {' '.join(missing)}"
    if libc.unshare(CLONE_NEWNS | CLONE_NEWNET) != 0:
        return f"no namespaces here: {os.strerror(ctypes.get_errno())}"
    os.environ["PATH"] = PATH
    # Before anything is mounted, or it would be seen outside.
    if libc.mount(None, b"/", None, ctypes.c_ulong(MS_REC | MS_PRIVATE), None) != 0:
        return f"/ cannot be made private ({os.strerror(ctypes.get_errno())}); a chroot must be a mount point"
    for folder in ("/run", "/var/log"):
        run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", folder)
    run("ip", "link", "set", "lo", "up")
    for address in ADDRESSES:
        if ":" in address:
            run("ip", "-6", "addr", "add", f"{address}/128", "dev", "lo", "nodad")
        else:
            run("ip", "addr", "add", f"{address}/32", "dev", "lo")
    return None


PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"


def run(*words, **more):
    return subprocess.run(words, check=True, stdin=subprocess.DEVNULL, capture_output=True, text=True, **more)


class World:
    """What lasts for the session."""

    def __init__(self):
        # Read by processes without privileges, so not in pytest's own folder
        self.folder = Path(tempfile.mkdtemp(prefix="postern-flow-"))
        self.folder.chmod(0o755)
        self.children = []
        self.etc()
        self.certificates()
        self.names()
        self.web()

    def replace(self, path, text):
        """Another text for a file of /etc, in this namespace only."""
        own = self.folder / ("etc-" + path.strip("/").replace("/", "-"))
        own.write_text(text)
        own.chmod(0o644)
        there = Path(os.path.realpath(path))
        if not there.exists():  # a link into /run, which is empty here
            there.parent.mkdir(parents=True, exist_ok=True)
            there.touch()
        run("mount", "--bind", str(own), str(there))

    def etc(self):
        self.replace("/etc/resolv.conf", f"nameserver {RESOLVER}\nsearch example.net\n")
        self.replace("/etc/hosts", f"127.0.0.1 localhost\n::1 localhost\n{ORIGIN} hosts-file.example.org\n")
        try:
            pwd.getpwnam("postern")
        except KeyError:
            self.replace("/etc/passwd", Path("/etc/passwd").read_text() + "postern:x:964:964::/nonexistent:/usr/sbin/nologin\n")
            self.replace("/etc/group", Path("/etc/group").read_text() + "postern:x:964:\n")
        user = pwd.getpwnam("postern")
        for folder in ("/var/log/postern", "/run/postern"):
            os.makedirs(folder, exist_ok=True)
            os.chown(folder, user.pw_uid, user.pw_gid)

    def certificates(self):
        self.ca, key = self.folder / "ca.pem", self.folder / "ca.key"
        self.cert, self.key = self.folder / "server.pem", self.folder / "server.key"
        curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
        run("openssl", "req", "-x509", *curve, "-keyout", key, "-out", self.ca, "-days", "3650", "-subj", "/CN=Flow test CA",
            "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign")
        names = ("*.events.data.microsoft.com", "*.data.microsoft.com", "*.telemetry.microsoft.com", "*.manage.microsoft.com", "login.live.com",
                 "aka.ms", "*.blob.core.windows.net", "graph.windows.net", "*.example.net")
        (self.folder / "names.ext").write_text("subjectAltName=" + ",".join(f"DNS:{name}" for name in names))
        run("openssl", "req", "-new", *curve, "-keyout", self.key, "-out", self.folder / "server.csr", "-subj", "/CN=flow")
        run("openssl", "x509", "-req", "-in", self.folder / "server.csr", "-CA", self.ca, "-CAkey", key, "-CAcreateserial", "-out", self.cert,
            "-days", "3650", "-extfile", self.folder / "names.ext")

    def start(self, *words, **more):
        log = open(self.folder / f"{Path(words[0]).name}.log", "ab")
        child = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **more)
        log.close()
        self.children.append(child)
        return child

    def names(self):
        data = []
        for line in NAMES.strip().split("\n"):
            name, kind, *addresses = line.split()
            data.append(f'local-zone: "{name}." {kind}')
            for address in addresses:
                data.append(f'local-data: "{name}. 60 IN {"AAAA" if ":" in address else "A"} {address}"')
        data.append('local-zone: "nodata.example.net." static\nlocal-data: "nodata.example.net. 60 IN TXT here"')
        conf = self.folder / "unbound.conf"
        indented = "\n  ".join(data)
        conf.write_text(f"""server:
  interface: {RESOLVER}
  do-daemonize: no
  use-syslog: no
  chroot: ""
  username: ""
  directory: "{self.folder}"
  pidfile: ""
  access-control: 127.0.0.0/8 allow
  local-zone: "." static
  {indented}
remote-control:
  control-enable: no
""")
        child = self.start("unbound", "-d", "-c", str(conf))
        query = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x06origin\x07example\x03net\x00\x00\x01\x00\x01"
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.settimeout(0.1)

        def answers():
            assert child.poll() is None, (self.folder / "unbound.log").read_text()
            try:
                sock.sendto(query, (RESOLVER, 53))
                return sock.recv(512)
            except OSError:
                return None

        with sock:
            wait_until(answers, "unbound")

    def web(self):
        root = self.folder / "www"
        root.mkdir()
        (root / "index.html").write_text("hello from nginx\n")
        (root / "big").write_bytes(bytes(range(256)) * 4096 * 8)
        conf = self.folder / "nginx.conf"
        conf.write_text(f"""daemon off; pid {self.folder}/nginx.pid; error_log stderr warn; worker_processes 1; user root;
events {{ worker_connections 16384; }}
worker_rlimit_nofile 20000;
http {{
  access_log {self.folder}/nginx-access.log; keepalive_timeout 60s; keepalive_requests 100000; types {{ text/html html; }} default_type application/octet-stream;
  client_body_temp_path {self.folder}/nginx-body; proxy_temp_path {self.folder}/nginx-proxy; fastcgi_temp_path {self.folder}/nginx-f;
  uwsgi_temp_path {self.folder}/nginx-u; scgi_temp_path {self.folder}/nginx-s; client_max_body_size 0; client_body_buffer_size 1m;
  server {{
    listen {NGINX}:80 backlog=4096; listen [{NGINX6}]:80 backlog=4096;
    listen {NGINX}:443 ssl backlog=4096; listen [{NGINX6}]:443 ssl backlog=4096;
    listen {NGINX}:8443 ssl http2 backlog=4096;
    ssl_certificate {self.cert}; ssl_certificate_key {self.key}; ssl_session_cache none;
    root {root};
    location = /who {{ return 200 "$scheme $host $http_host $connection $http_via\\n"; }}
    location = /how {{ return 200 "$server_protocol $connection\\n"; }}
    location = /upload {{ proxy_pass http://{NGINX}:81; proxy_request_buffering on; }}
  }}
  server {{ listen {NGINX}:81; location / {{ return 200 "$content_length\\n"; }} }}
}}
""")
        child = self.start("nginx", "-c", str(conf), "-p", str(self.folder))

        def listens():
            assert child.poll() is None, (self.folder / "nginx.log").read_text()
            try:
                socket.create_connection((NGINX, 443), timeout=1).close()
                return True
            except OSError:
                return False

        wait_until(listens, "nginx")

    def tls(self, wire, name):
        """TLS to an origin with the test CA, over a Wire's socket."""
        context = ssl.create_default_context(cafile=str(self.ca))
        return context.wrap_socket(wire.sock, server_hostname=name)

    def close(self):
        for child in reversed(self.children):
            child.send_signal(signal.SIGTERM)
        for child in self.children:
            child.wait(20)
        shutil.rmtree(self.folder, ignore_errors=True)
