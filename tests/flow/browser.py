# SPDX-License-Identifier: MIT
"""browser: headless Chromium that trusts what it is told to trust, driven over its DevTools pipe."""

import contextlib
import itertools
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import wire

FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking", "--disable-component-update",
         "--disable-sync", "--disable-extensions", "--proxy-bypass-list=<-loopback>", "--remote-debugging-pipe"]


def missing():
    gone = [program for program in ("chromium", "certutil") if not shutil.which(program)]
    return f"not installed: {' '.join(gone)}" if gone else None


class Browser:
    """One Chromium with a home of its own; `cas` are certificates that it trusts. `pac`: the URL that says where its proxies are."""

    def __init__(self, gw, *cas, pac=None, words=(), scheme="http"):
        self.home = Path(tempfile.mkdtemp(prefix="postern-browser-"))
        nss = self.home / ".pki" / "nssdb"
        nss.mkdir(parents=True)
        subprocess.run(["certutil", "-N", "-d", f"sql:{nss}", "--empty-password"], check=True, capture_output=True, stdin=subprocess.DEVNULL)
        for number, ca in enumerate(cas):
            subprocess.run(["certutil", "-A", "-d", f"sql:{nss}", "-n", f"ca{number}", "-t", "C,,", "-i", ca], check=True, capture_output=True, stdin=subprocess.DEVNULL)
        asks, self.to = os.pipe()
        self.of, answers = os.pipe()

        def descriptors():  # it reads commands on 3 and answers on 4
            low = os.dup(asks), os.dup(answers)
            os.dup2(low[0], 3)
            os.dup2(low[1], 4)

        self.downloads = self.home / "downloads"
        self.child = subprocess.Popen(["chromium", *FLAGS, *words, f"--user-data-dir={self.home}/profile", f"--proxy-pac-url={pac}" if pac else f"--proxy-server={scheme}://{gw.address[0]}:{gw.port}", "about:blank"],
                                      env={**os.environ, "HOME": str(self.home)}, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                      close_fds=False, preexec_fn=descriptors)
        os.close(asks)
        os.close(answers)
        self.numbers, self.kept, self.events = itertools.count(1), b"", []
        self.session = None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Security", "Runtime"):
            self.call(f"{domain}.enable")

    def read(self):
        end = time.monotonic() + 2 * wire.PATIENCE
        while b"\0" not in self.kept:
            assert select.select([self.of], [], [], max(0, end - time.monotonic()))[0], "chromium says nothing"
            data = os.read(self.of, 65536)
            assert data, "chromium ended"
            self.kept += data
        message, self.kept = self.kept.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, **params):
        number = next(self.numbers)
        message = {"id": number, "method": method, "params": params}
        if self.session and not method.startswith(("Target.", "Browser.")):
            message["sessionId"] = self.session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.read()
            if answer.get("id") == number:
                assert "error" not in answer, answer
                return answer["result"]
            self.events.append(answer)

    def event(self, method, fits=lambda params: True):
        """The next one of its kind; those before it are kept."""
        while True:
            for event in self.events:
                if event.get("method") == method and fits(event["params"]):
                    self.events.remove(event)
                    return event["params"]
            self.events.append(self.read())

    def open(self, url):
        """The document's response, or the error of the net that stopped it."""
        self.events.clear()
        went = self.call("Page.navigate", url=url)
        if went.get("errorText"):
            return went["errorText"]
        response = self.event("Network.responseReceived", lambda p: p["type"] == "Document")["response"]
        self.event("Page.loadEventFired")
        return response

    def js(self, expression):
        result = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def download(self, url):
        """A file that is fetched as a download; its path."""
        self.downloads.mkdir(exist_ok=True)
        self.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(self.downloads), eventsEnabled=True)
        self.call("Page.navigate", url=url)
        name = self.event("Browser.downloadWillBegin")["suggestedFilename"]
        assert self.event("Browser.downloadProgress", lambda p: p["state"] != "inProgress")["state"] == "completed"
        return self.downloads / name

    def close(self):
        self.child.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.child.wait(wire.PATIENCE)
        if self.child.poll() is None:
            self.child.kill()
            self.child.wait()
        os.close(self.to)
        os.close(self.of)
        shutil.rmtree(self.home, ignore_errors=True)
