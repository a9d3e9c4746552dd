# SPDX-License-Identifier: MIT
"""web: an nginx of a test's own, with https over HTTP/1.1 and HTTP/2."""

import contextlib
import signal
import socket
import subprocess

import wire

CONF = """daemon off; pid {folder}/nginx.pid; error_log stderr warn; worker_processes 1; user root;
events {{ worker_connections 1024; }}
http {{
  log_format flow '$connection $connection_requests $ssl_session_reused $server_protocol $request'; access_log {folder}/nginx-access.log flow;
  client_body_temp_path {folder}/n-body; proxy_temp_path {folder}/n-proxy; fastcgi_temp_path {folder}/n-f;
  uwsgi_temp_path {folder}/n-u; scgi_temp_path {folder}/n-s; client_max_body_size 0; proxy_buffering off; proxy_request_buffering off; proxy_http_version 1.1;
  types {{ text/html html; text/css css; application/javascript js; }} default_type application/octet-stream; large_client_header_buffers 4 32k;
  {servers}
}}
"""


class Nginx:
    """`servers` are server blocks; the first address that one listens at is `address`:443."""

    def __init__(self, folder, address, servers):
        self.folder, self.address = folder, address
        conf = folder / "nginx.conf"
        conf.write_text(CONF.format(folder=folder, servers=servers))
        with open(folder / "nginx.log", "ab") as log:
            self.child = subprocess.Popen(["nginx", "-c", conf, "-p", folder], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wire.wait_until(self.listens, "nginx")

    def listens(self):
        assert self.child.poll() is None, (self.folder / "nginx.log").read_text()
        with contextlib.suppress(OSError):
            socket.create_connection((self.address, 443), timeout=1).close()
            return True

    def lines(self):
        """Of its access log: connection, which request on it, whether TLS was resumed ("r" or "."), protocol, and the request line."""
        return [line.split(" ", 4) for line in (self.folder / "nginx-access.log").read_text().splitlines()]

    def close(self):
        self.child.send_signal(signal.SIGTERM)
        self.child.wait(wire.PATIENCE)
