# SPDX-License-Identifier: MIT
"""Fixtures of the flow tests; see README."""

import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import certs  # noqa: E402
import gateway as gateways  # noqa: E402
import lab as labs  # noqa: E402
import origin as origins  # noqa: E402
import wire  # noqa: E402
import world as worlds  # noqa: E402


# What goes on beside the rest, on a machine with two cores: the tests that want the domain, and as much again. Each half has a world of its own.
FIRST_HALF = re.compile(r"test_([a-e]|kerberos|lab|limits|many)")


def pytest_addoption(parser):
    parser.addoption("--half", type=int, choices=(1, 2), help="only these tests; make check-flow FLOW_JOBS=2 runs both at once")
    parser.addoption("--share", metavar="K/N", help="only one of N shares of the files, the K-th from 0 on")


def share(config, items):
    """The items of this share: every N-th file."""
    number, of = (int(word) for word in config.getoption("share").split("/"))
    names = sorted({item.path.name for item in items})
    mine = {name for place, name in enumerate(names) if place % of == number % of}
    return [item for item in items if item.path.name in mine]


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: takes more than a few seconds")
    config.flow_reason = worlds.enter()
    if config.flow_reason is None and not os.access(gateways.PROGRAM, os.X_OK):
        config.flow_reason = f"not built: {gateways.PROGRAM}"


def pytest_collection_modifyitems(config, items):
    if half := config.getoption("half"):
        others = [item for item in items if bool(FIRST_HALF.match(item.path.name)) != (half == 1)]
        items[:] = [item for item in items if item not in others]
        config.hook.pytest_deselected(items=others)
    if config.getoption("share"):
        mine = share(config, items)
        config.hook.pytest_deselected(items=[item for item in items if item not in mine])
        items[:] = mine
    if config.flow_reason:
        for item in items:
            item.add_marker(pytest.mark.skip(reason=config.flow_reason))


@pytest.fixture(scope="session")
def world():
    here = worlds.World()
    yield here
    here.close()


@contextlib.contextmanager
def folder_made():
    """One that processes without privileges reach; kept when FLOW_KEEP is set."""
    path = Path(tempfile.mkdtemp(prefix="postern-flow-"))
    path.chmod(0o755)
    yield path
    if not os.environ.get("FLOW_KEEP"):
        shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def folder():
    """A folder of a test's own."""
    with folder_made() as path:
        yield path


@pytest.fixture
def write(folder):
    """write(text) makes postern.ini, or another name, in the test's folder; its path."""
    def put(text, name="postern.ini"):
        path = folder / name
        path.write_text(text)
        return path

    return put


@contextlib.contextmanager
def gateways_of(folder, kind, *first):
    """start(...) makes one; each is stopped at the end, and must end well."""
    made = []

    def start(*words, **more):
        own = folder / f"gateway{len(made)}"
        own.mkdir(mode=0o755)
        one = kind.__new__(kind)
        made.append(one)
        one.child = None
        one.__init__(*first, own, *words, **more)
        return one

    yield start
    failures = []
    for one in made:
        try:
            one.stop()
        except AssertionError as e:
            failures.append(e)
    if failures:
        raise failures[0]


@pytest.fixture
def gateway(world, folder):
    """gateway(rules=..., option=...) starts one."""
    with gateways_of(folder, gateways.Gateway) as start:
        yield start


@pytest.fixture
def upgradable(gateway, folder):
    """upgradable(...) starts a gateway from a program of its own, upgradable.program, which a test may replace."""
    program = folder / "postern"
    shutil.copy(gateways.PROGRAM, program)

    def start(**more):
        return gateway(control=folder / "control.sock", pid_file=folder / "postern.pid", program=program, **more)

    start.program = program
    return start


@pytest.fixture(scope="session")
def lab(world):
    """The Active Directory domain of lab.py, once for the session."""
    reason = labs.missing()
    if reason:
        pytest.skip(reason)
    here = labs.Lab(world)
    yield here
    here.close()


@pytest.fixture
def lab_gateway(lab, folder):
    """lab_gateway(rules=..., auth={...}, option=...) starts one on the proxy's machine of the lab."""
    with gateways_of(folder, labs.LabGateway, lab) as start:
        yield start


@pytest.fixture(scope="module")
def lab_gateway_kept(lab):
    """The same for gateways that all tests of a module share."""
    with folder_made() as path, gateways_of(path, labs.LabGateway, lab) as start:
        yield start


@pytest.fixture(scope="module")
def folder_kept():
    """A folder that all tests of a module share."""
    with folder_made() as path:
        yield path


@pytest.fixture(scope="module")
def gateway_kept(world, folder_kept):
    """gateway_kept(...) starts one that all tests of a module share."""
    with gateways_of(folder_kept, gateways.Gateway) as start:
        yield start


def servers():
    """start(kind, ...) makes one; each is closed at the end."""
    made = []

    def start(kind, *words, **more):
        made.append(kind(*words, **more))
        return made[-1]

    yield start
    for one in made:
        with contextlib.suppress(OSError):
            one.close()


@pytest.fixture
def serve(world):
    """Servers of a test, closed at its end: serve(http), serve(echo) ... see origin.py."""
    yield from servers()


@pytest.fixture(scope="module")
def serve_kept(world):
    """The same for servers that all tests of a module share."""
    yield from servers()


@pytest.fixture
def origin(serve):
    """An HTTP origin at origin.example.net:80 that records requests and answers with what it got."""
    return serve(origins.Http, worlds.ORIGIN, 80)


@pytest.fixture(scope="module")
def quick_origin(world, folder_kept):
    """Both origins, answering at once, by a program of its own (quick_origin.py)."""
    cert, key = certs.Cert("Quick", names=("*.origin.example.net", "*.other.example.net")).write(folder_kept, "quick")
    program = [sys.executable, str(Path(__file__).parent / "quick_origin.py"), cert, key, worlds.ORIGIN, worlds.OTHER]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout.readline() == b"ready\n"
        yield
        child.stdin.close()
        child.wait(wire.PATIENCE)
