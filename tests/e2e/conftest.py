"""Fixtures: a registry with small images, one engine for the session, and clean hands after every test.

ENGINE=dockerd runs the same tests against Debian's Docker, to prove the tests themselves right.
"""
import os
import shutil
import signal
import sys
import tempfile

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import canaries  # noqa: E402
import images  # noqa: E402
from engine import PEER, Engine, free_port  # noqa: E402
from machine import left_in_the_end, own_mounts, own_network, snapshot  # noqa: E402
from registries import Relay, Server  # noqa: E402

CACHE = os.environ.get("PROA_CACHE", os.path.join(os.path.dirname(__file__), "../../.cache"))


def pytest_configure(config):
    config.addinivalue_line("markers", "ours: about something only Proa has; not run against a peer")


def pytest_collection_modifyitems(items):
    for item in items:
        if PEER and item.get_closest_marker("ours"):
            item.add_marker(pytest.mark.skip(reason="only Proa has this"))


@pytest.fixture(scope="session", autouse=True)
def namespaces():
    own_mounts()
    with own_network():
        yield


@pytest.fixture(scope="session", autouse=True)
def nothing_left_behind(namespaces):
    before = snapshot()
    yield
    left = left_in_the_end(before)
    if left and not PEER:
        pytest.fail(f"left behind on the machine: {left}")


@pytest.fixture(scope="session")
def registry(nothing_left_behind):
    directory = tempfile.mkdtemp(prefix="proa-registry-")
    process, server = images.start_registry(directory, free_port())
    server.push("busybox", "latest", images.busybox_image())
    own = images.Layer(images.tar_of([("other", b"x", {})]))
    server.push("other", "v1", images.Image([images.Layer(images.busybox_layer()), own], {"Cmd": ["sh"]}))
    server.push("tools", "latest", images.tools_image(directory))
    yield server
    process.send_signal(signal.SIGTERM)
    process.wait(timeout=20)
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def shared_engine(registry):
    daemon = Engine().start()
    yield daemon
    daemon.close()


@pytest.fixture
def engine(shared_engine, image):
    yield shared_engine
    shared_engine.clean()


@pytest.fixture(scope="session")
def image(shared_engine, registry):
    """busybox, pulled once."""
    name = f"{registry.address}/busybox:latest"
    done = shared_engine.run("pull", "-q", name)
    assert done.code == 0, done
    return name


@pytest.fixture
def tools(engine, registry):
    """The image with tests/support/tools.c in it."""
    return f"{registry.address}/tools:latest"


@pytest.fixture
def relay(registry):
    one = Relay(registry.address)
    yield one
    one.close()


@pytest.fixture
def serve():
    """serve("--flag", ...): a proa-registry of the test's own."""
    started = []

    def go(*flags, **options):
        started.append(Server(*flags, **options).start())
        return started[-1]

    yield go
    for one in started:
        one.close()


@pytest.fixture(scope="module")
def marker():
    with canaries.marker() as path:
        yield path


@pytest.fixture(params=["docker"] if PEER else ["proa", "docker"])
def program(request):
    return request.param


@pytest.fixture
def run(engine, image, program):
    """run("--rm", "-e", "A=b", cmd=["env"]): `docker run` and `proa run` of busybox."""

    def go(*flags, cmd=(), **options):
        return engine.run("run", *flags, image, *cmd, program=program, **options)

    return go


@pytest.fixture
def sh(run):
    """sh("script", flags...): its standard output, trimmed; the script must succeed."""

    def go(script, *flags, **options):
        done = run("--rm", *flags, cmd=["sh", "-c", script], **options)
        assert done.code == 0, done
        return done.out.strip()

    return go
