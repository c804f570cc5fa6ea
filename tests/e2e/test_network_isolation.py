"""Who reaches whom: networks without communication between containers, internal networks, networks beside each other."""
import shutil
import signal
import socket
import tempfile

import images
import pytest
from engine import Engine, free_port, wait_until
from machine import own_network

SERVE = "while :; do echo served | nc -l -p 80; done"
NO_ICC = ("-o", "com.docker.network.bridge.enable_icc=false")


@pytest.fixture
def client(engine, program):
    return lambda *arguments, **options: engine.run(*arguments, program=program, **options)


@pytest.fixture
def serve(engine, image):
    """serve("network", flags...): answers on port 80; its address."""

    def go(network, *flags, name="web"):
        done = engine.run("run", "-d", "--name", name, "--network", network, *flags, image, "sh", "-c", SERVE)
        assert done.code == 0, done
        wait_until(lambda: engine.run("exec", name, "sh", "-c", "netstat -ltn | grep -q :80").code == 0)
        return engine.inspect(name)["NetworkSettings"]["Networks"][network]["IPAddress"]

    return go


@pytest.fixture
def reach(client, image):
    """reach("network", address, port): what a container there gets; None where it gets nothing."""

    def go(network, address, port=80):
        script = f"for i in 1 2 3; do nc -w 1 {address} {port} < /dev/null && exit; done; exit 1"
        done = client("run", "--rm", "--network", network, image, "sh", "-c", script)
        return done.out.strip() if done.code == 0 else None

    return go


def fetch(port, address="127.0.0.1"):
    try:
        with socket.create_connection((address, port), timeout=2) as connection:
            return connection.recv(100)
    except OSError:
        return None


def test_no_communication_between_containers(client, serve, reach):
    assert client("network", "create", *NO_ICC, "--subnet", "10.214.20.0/24", "apart").code == 0
    port = free_port()
    address = serve("apart", "-p", f"{port}:80")
    assert reach("apart", address) is None
    wait_until(lambda: fetch(port) == b"served\n", what="the published port")
    wait_until(lambda: fetch(80, address) == b"served\n", what="the host's own connection")


def test_no_ping_either(client, serve, image):
    client("network", "create", *NO_ICC, "--subnet", "10.214.21.0/24", "apart")
    address = serve("apart")
    assert client("run", "--rm", "--network", "apart", image, "ping", "-c", "1", "-W", "1", address).code == 1
    assert client("run", "--rm", "--network", "apart", image, "ping", "-c", "1", "-W", "2", "10.214.21.1").code == 0


def test_communication_is_the_default(client, serve, reach):
    client("network", "create", "-o", "com.docker.network.bridge.enable_icc=true", "--subnet", "10.214.22.0/24", "open")
    assert reach("open", serve("open")) == "served"


def test_names_are_resolved_without_communication(client, serve, image):
    client("network", "create", *NO_ICC, "--subnet", "10.214.23.0/24", "apart")
    address = serve("apart")
    assert address in client("run", "--rm", "--network", "apart", image, "nslookup", "web").out


def test_connected_later(engine, client, serve, image):
    client("network", "create", *NO_ICC, "--subnet", "10.214.24.0/24", "apart")
    address = serve("apart")
    client("run", "-d", "--name", "late", image, "sleep", "600")
    assert client("network", "connect", "apart", "late").code == 0
    assert client("exec", "late", "nc", "-w", "1", address, "80").code != 0


def test_networks_beside_each_other(client, serve, reach):
    """Not by address, not by way of the other's gateway; published ports by the host's address."""
    for name, net in (("left", 25), ("right", 26)):
        client("network", "create", "--subnet", f"10.214.{net}.0/24", name)
    port = free_port()
    address = serve("left", "-p", f"{port}:80")
    assert reach("right", address) is None
    assert reach("bridge", address) is None
    assert reach("left", address) == "served"
    assert reach("right", "10.214.26.1", port) == "served"


def test_container_on_two_networks_is_no_way_through(client, serve, reach):
    for name, net in (("left", 27), ("right", 28)):
        client("network", "create", "--subnet", f"10.214.{net}.0/24", name)
    address = serve("left")
    client("network", "connect", "right", "web")
    assert reach("right", address) is None and reach("right", "web") == "served"


def test_internal_network(engine, client, serve, reach, image):
    client("network", "create", "--internal", "--subnet", "10.214.29.0/24", "inner")
    client("network", "create", "--subnet", "10.214.30.0/24", "outer")
    port = free_port()
    address = serve("inner", "-p", f"{port}:80")
    assert reach("inner", address) == "served"
    wait_until(lambda: fetch(80, address) == b"served\n", what="the host has an address there")
    assert fetch(port) is None, "nothing is published from there"
    assert reach("outer", address) is None
    outside = serve("outer", name="other")
    assert reach("inner", outside) is None
    assert client("run", "--rm", "--network", "inner", image, "ping", "-c", "1", "-W", "1", "10.214.30.1").code != 0


def test_internal_and_outer_network_together(client, serve, reach, image):
    """The way out is the other network's."""
    client("network", "create", "--internal", "--subnet", "10.214.31.0/24", "inner")
    client("network", "create", "--subnet", "10.214.32.0/24", "outer")
    port = free_port()
    serve("inner")
    client("rm", "-f", "web")
    assert client("create", "--name", "both", "--network", "inner", "-p", f"{port}:80", image, "sh", "-c", SERVE).code == 0
    client("network", "connect", "outer", "both")
    assert client("start", "both").code == 0
    assert "default via 10.214.32.1" in client("exec", "both", "ip", "route").out
    wait_until(lambda: fetch(port) == b"served\n", what="the port published by way of the outer network")


@pytest.fixture(scope="module")
def strict():
    """A daemon with --icc=false, in a network namespace of its own (a dockerd wants its docker0)."""
    with own_network():
        directory = tempfile.mkdtemp(prefix="proa-registry-")
        process, registry = images.start_registry(directory, free_port())
        registry.push("busybox", "latest", images.busybox_image())
        daemon = Engine(["--icc=false"], bridge="proatest7", subnet="10.217.0.1/24")
        try:
            daemon.start()
            daemon.image = f"{registry.address}/busybox:latest"
            assert daemon.run("pull", "-q", daemon.image).code == 0
            yield daemon
        finally:
            daemon.close()
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=20)
            shutil.rmtree(directory, ignore_errors=True)


def on_default_bridge(daemon, port):
    """Whether another container of the default bridge reaches "web", by its address."""
    daemon.run("run", "-d", "--name", "web", "-p", f"{port}:80", daemon.image, "sh", "-c", SERVE)
    wait_until(lambda: fetch(port) == b"served\n", what="the published port")
    address = daemon.inspect("web")["NetworkSettings"]["Networks"]["bridge"]["IPAddress"]
    try:
        script = f"for i in 1 2 3; do nc -w 1 {address} 80 < /dev/null && exit; done; exit 1"
        return daemon.run("run", "--rm", daemon.image, "sh", "-c", script).out == "served\n"
    finally:
        daemon.run("rm", "-f", "web")


def test_daemon_without_communication(strict):
    options = strict.api("GET", "/networks/bridge").json["Options"]
    assert options["com.docker.network.bridge.enable_icc"] == "false"
    assert not on_default_bridge(strict, free_port())


def test_the_flag_counts_at_each_start(strict):
    strict.kill(signal.SIGTERM)
    strict.extra_flags = []
    strict.start()
    try:
        assert strict.api("GET", "/networks/bridge").json["Options"]["com.docker.network.bridge.enable_icc"] == "true"
        assert on_default_bridge(strict, free_port())
    finally:
        strict.kill(signal.SIGTERM)
        strict.extra_flags = ["--icc=false"]
        strict.start()
    assert not on_default_bridge(strict, free_port())
