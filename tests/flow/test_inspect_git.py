# SPDX-License-Identifier: MIT
"""git over https through an inspected tunnel: clone, push, fetch, over HTTP/2 and HTTP/1.1, with a pack that is sent in chunks."""

import os
import shutil
import subprocess

import pytest

import inspection
import web
import wire
import world as w

BACKEND = "/usr/lib/git-core/git-http-backend"
URL = "https://other.example.net/repo.git"


@pytest.fixture(scope="module")
def here(gateway_kept, world, folder_kept):
    gone = [program for program in ("git", "fcgiwrap", BACKEND) if not shutil.which(program)]
    if gone:
        pytest.skip(f"not installed: {' '.join(gone)}")
    sock = folder_kept / "cgi.sock"
    cgi = subprocess.Popen(["fcgiwrap", "-s", f"unix:{sock}"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wire.wait_until(sock.exists, "fcgiwrap")
    nginx = web.Nginx(folder_kept, w.OTHER, f"""server {{
      listen {w.OTHER}:443 ssl http2; ssl_certificate {world.cert}; ssl_certificate_key {world.key};
      location / {{ fastcgi_pass unix:{sock}; fastcgi_request_buffering off; fastcgi_param SCRIPT_FILENAME {BACKEND}; fastcgi_param GIT_PROJECT_ROOT {folder_kept};
        fastcgi_param GIT_HTTP_EXPORT_ALL ""; fastcgi_param PATH_INFO $uri; fastcgi_param REMOTE_USER git; fastcgi_param REMOTE_ADDR $remote_addr;
        fastcgi_param REQUEST_METHOD $request_method; fastcgi_param QUERY_STRING $query_string; fastcgi_param CONTENT_TYPE $content_type;
        fastcgi_param CONTENT_LENGTH $content_length; fastcgi_param HTTP_CONTENT_ENCODING $http_content_encoding; fastcgi_param GIT_PROTOCOL $http_git_protocol; }}
    }}""")
    one = inspection.Inspecting(gateway_kept, world, folder_kept)
    yield one
    nginx.close()
    cgi.terminate()
    cgi.wait()


@pytest.mark.parametrize("version", ["HTTP/2", "HTTP/1.1"])
def test_clone_push_and_fetch(here, folder, folder_kept, version):
    env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    env |= {"HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0"}

    def git(*words, where=folder):
        done = subprocess.run(["git", "-c", f"http.proxy=http://127.0.0.1:{here.gw.port}", "-c", f"http.sslCAInfo={here.cert}", "-c", f"http.version={version}",
                               "-c", f"http.postBuffer={buffer}", "-c", "user.name=a", "-c", "user.email=a@example.net", *words], cwd=where, env=env,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    # what does not fit is sent in chunks; over HTTP/2 libcurl 7.88 may then ask git for more behind the end, and git waits for its own child for ever
    buffer = 16 << 20 if version == "HTTP/2" else 1 << 20
    shutil.rmtree(folder_kept / "repo.git", ignore_errors=True)
    git("init", "-q", "--bare", "-b", "main", folder_kept / "repo.git")
    git("config", "http.receivepack", "true", where=folder_kept / "repo.git")
    git("init", "-q", "-b", "main", "one")
    (folder / "one" / "blob").write_bytes(os.urandom(5 << 20))
    git("add", ".", where=folder / "one")
    git("commit", "-qm", "first", where=folder / "one")
    git("push", "-q", URL, "main", where=folder / "one")
    git("clone", "-q", URL, "two")
    assert (folder / "two" / "blob").read_bytes() == (folder / "one" / "blob").read_bytes()
    (folder / "one" / "note").write_text("more")
    git("add", ".", where=folder / "one")
    git("commit", "-qm", "second", where=folder / "one")
    git("push", "-q", URL, "main", where=folder / "one")
    git("pull", "-q", where=folder / "two")
    assert (folder / "two" / "note").read_text() == "more"
    line = here.gw.record(method="POST", url=f"{URL}/git-receive-pack", status=200, bytes_in=lambda n: n > 5 << 20)
    assert line["fault"] is None
