# SPDX-License-Identifier: MIT
"""squid: a real Squid with a configuration of a test's own."""

import contextlib
import shutil
import subprocess

import pytest
import wire
import world as w


def program():
    """Where it is; without it the test is skipped."""
    found = shutil.which("squid", path=w.PATH)
    if not found:
        pytest.skip("squid is not installed")
    return found


def answers(port):
    try:
        wire.connect(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


@contextlib.contextmanager
def running(conf, port):
    """It answers at this port of 127.0.0.1 while the block lasts."""
    said = conf.parent / "squid.stderr"
    with said.open("wb") as stderr:
        child = subprocess.Popen([program(), "-N", "-f", conf], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stderr)
    try:
        wire.wait_until(lambda: child.poll() is not None or answers(port), "squid")
        assert child.poll() is None, said.read_text()
        yield
    finally:
        child.kill()
        child.wait()
