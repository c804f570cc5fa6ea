"""IPv6: containers with each other, with the host and with the outside, both ways."""
import glob
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading

import images
import pytest
from engine import PEER, Engine, free_port, wait_until
from machine import own_network

SUBNET, SUBNET4 = "fd00:77::/64", "10.214.0.0/24"
GATEWAY = "fd00:77::1"
HOST, OUTSIDE = "2001:db8:1::1", "2001:db8:1::2"  # the two ends of the wire to the rest of the world
SERVE = "while :; do echo served | nc -l -p 80; done"
TELL = """
import socket
server = socket.create_server(("::", 7000), family=socket.AF_INET6)
while True:
    connection, peer = server.accept()
    connection.sendall(peer[0].encode())
    connection.close()
"""
FETCH = "import socket, sys; print(socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=2).recv(100).decode(), end='')"


def connect(address, port):
    """A script: what the server there says. Docker 20.10's addresses are tentative for a second or two."""
    return f"for i in 1 2 3 4 5 6; do nc -w 2 {address} {port} < /dev/null && exit; sleep 0.5; done; exit 1"


class World:
    """A namespace at the other end of a wire. It has no route to any container: what comes back was masqueraded."""

    def __init__(self):
        self.holder = subprocess.Popen(["unshare", "-n", "sh", "-c", "echo; exec sleep infinity"], stdout=subprocess.PIPE)
        self.holder.stdout.readline()
        for words in (f"link add proawire0 type veth peer name wire netns {self.holder.pid}",
                      f"address add {HOST}/64 dev proawire0 nodad", "link set proawire0 up"):
            subprocess.run(["ip", *words.split()], check=True)
        for words in ("link set lo up", f"address add {OUTSIDE}/64 dev wire nodad", "link set wire up"):
            self.run("ip", *words.split())
        self.server = subprocess.Popen(self.inside("python3", "-c", TELL))
        wait_until(lambda: self.run("python3", "-c", FETCH, OUTSIDE, "7000", check=False).returncode == 0, what="the server outside")

    def inside(self, *command):
        return ["nsenter", "-t", str(self.holder.pid), "-n", *command]

    def run(self, *command, check=True):
        return subprocess.run(self.inside(*command), check=check, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def fetch(self, address, port):
        """What the outside gets there; None where it gets nothing."""
        done = self.run("python3", "-c", FETCH, address, str(port), check=False)
        return done.stdout if done.returncode == 0 else None

    def close(self):
        for process in (self.server, self.holder):
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def bench():
    """A daemon, a registry and a world of this module's own, in one network namespace."""
    with own_network():
        if os.path.exists("/proc/sys/net/bridge"):  # br_netfilter is loaded, and new namespaces have it turned on
            subprocess.run(["sysctl", "-qw", "net.bridge.bridge-nf-call-ip6tables=0"], check=not PEER)
        directory = tempfile.mkdtemp(prefix="proa-registry-")
        process, registry = images.start_registry(directory, free_port())
        registry.push("busybox", "latest", images.busybox_image())
        world = World()
        daemon = Engine(["--experimental", "--ip6tables"] if PEER else [], bridge="proatest6", subnet="10.216.0.1/24")
        try:
            daemon.start()
            daemon.image = f"{registry.address}/busybox:latest"
            assert daemon.run("pull", "-q", daemon.image).code == 0
            daemon.world = world
            yield daemon
        finally:
            daemon.close()
            world.close()
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=20)
            shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def engine(bench):
    done = bench.run("network", "create", "--ipv6", "--subnet", SUBNET, "--subnet", SUBNET4, "six")
    assert done.code == 0, done
    yield bench
    bench.clean()


@pytest.fixture
def client(engine, program):
    return lambda *arguments, **options: engine.run(*arguments, program=program, **options)


@pytest.fixture
def serve(engine, client):
    """serve(flags...): "web" on the network answers on port 80; its IPv6 address."""

    def go(*flags, name="web", network="six"):
        done = client("run", "-d", "--name", name, "--network", network, *flags, engine.image, "sh", "-c", SERVE)
        assert done.code == 0, done
        wait_until(lambda: engine.run("exec", name, "sh", "-c", "netstat -ltn | grep -q :80").code == 0)
        return engine.inspect(name)["NetworkSettings"]["Networks"][network]["GlobalIPv6Address"]

    return go


@pytest.fixture
def sh(engine, client):
    """sh("script", flags...) in a container on the network: what it prints, or None where it fails."""

    def go(script, *flags, network="six"):
        done = client("run", "--rm", "--network", network, *flags, engine.image, "sh", "-c", script)
        return done.out.strip() if done.code == 0 else None

    return go


def fetch(address, port):
    try:
        with socket.create_connection((address, port), timeout=2) as connection:
            return connection.recv(100).decode().strip()
    except OSError:
        return None


def bindings(engine, name="web"):
    return sorted((b["HostIp"], b["HostPort"]) for b in engine.inspect(name)["NetworkSettings"]["Ports"]["80/tcp"])


def test_address_route_and_documents(engine, serve, sh):
    address = serve()
    settings = engine.inspect("web")["NetworkSettings"]["Networks"]["six"]
    assert address.startswith("fd00:77::") and settings["GlobalIPv6PrefixLen"] == 64 and settings["IPv6Gateway"] == GATEWAY
    network = engine.api("GET", "/networks/six").json
    assert network["EnableIPv6"] and {pool["Subnet"] for pool in network["IPAM"]["Config"]} == {SUBNET, SUBNET4}
    assert next(iter(network["Containers"].values()))["IPv6Address"] == f"{address}/64"
    out = sh("ip -6 addr show eth0; ip -6 route; cat /etc/hosts")
    assert f"default via {GATEWAY} dev eth0" in out and "fd00:77::" in out.split("default")[0]
    assert any(line.startswith("fd00:77::") for line in out.splitlines()), "the container's name in /etc/hosts"


def test_by_address(serve, sh):
    address = serve()
    assert sh(connect(address, 80)) == "served"
    assert sh(f"ping -6 -c 1 -W 2 {address}") is not None


def test_by_name(serve, sh):
    address = serve("--network-alias", "service")
    for name in ("web", "service"):
        assert address in sh(f"nslookup -type=aaaa {name} 127.0.0.11")
        assert sh(f"ping -6 -c 1 -W 2 {name}") is not None


def test_host_and_container(serve, sh):
    """The host reaches a container, and a container the host by its gateway."""
    address = serve()
    wait_until(lambda: fetch(address, 80) == "served")
    with socket.create_server((GATEWAY, 0), family=socket.AF_INET6) as server:

        def answer():
            connection, peer = server.accept()
            with connection:
                connection.sendall(peer[0].encode())

        threading.Thread(target=answer, daemon=True).start()
        assert sh(f"nc -w 2 {GATEWAY} {server.getsockname()[1]} < /dev/null").startswith("fd00:77::")


def test_fixed_address(engine, client):
    out = client("run", "--rm", "--network", "six", "--ip6", "fd00:77::99", engine.image, "ip", "-6", "addr", "show", "eth0").out
    assert "fd00:77::99/64" in out
    outside = client("run", "--rm", "--network", "six", "--ip6", "fd00:78::1", engine.image, "true")
    assert outside.code == 125, outside


def test_published_on_every_address(engine, serve, client, sh):
    port = free_port()
    serve("-p", f"{port}:80")
    assert bindings(engine) == [("0.0.0.0", str(port)), ("::", str(port))]
    for address in ("127.0.0.1", "::1", HOST):
        wait_until(lambda: fetch(address, port) == "served", what=f"an answer at {address}")
    assert engine.world.fetch(HOST, port) == "served\n"
    listed = client("ps", "--format", "{{.Ports}}").out
    assert f"0.0.0.0:{port}->80/tcp" in listed and f":::{port}->80/tcp" in listed.replace("[::]", "::")


@pytest.mark.parametrize("host, answering, silent", [("::", ["::1", HOST], ["127.0.0.1"]), ("::1", ["::1"], ["127.0.0.1", HOST]),
                                                     (HOST, [HOST], ["127.0.0.1", "::1"])])
def test_published_on_one_address(engine, serve, host, answering, silent):
    port = free_port()
    serve("-p", f"[{host}]:{port}:80")
    assert bindings(engine) == [(host, str(port))]
    for address in answering:
        wait_until(lambda: fetch(address, port) == "served", what=f"an answer at {address}")
    assert [fetch(address, port) for address in silent] == [None] * len(silent)
    assert engine.world.fetch(HOST, port) == ("served\n" if HOST in answering else None)


def test_published_port_by_way_of_the_host(serve, sh):
    """A neighbour, and the container itself, through the host's address."""
    port = free_port()
    serve("-p", f"{port}:80")
    assert sh(connect(HOST, port)) == "served"


def test_chosen_port_is_one_for_both_families(engine, serve):
    serve("-p", "80")
    (_, first), (_, second) = bindings(engine)
    assert first == second
    for address in ("::1", "127.0.0.1"):
        wait_until(lambda: fetch(address, int(first)) == "served", what=f"an answer at {address}")


def test_port_in_use_on_one_family(engine, serve, client):
    port = free_port()
    with socket.create_server(("::1", port), family=socket.AF_INET6):
        done = client("run", "-d", "--network", "six", "-p", f"{port}:80", engine.image, "sleep", "600")
        assert done.code == 125 and f"{port}" in done.err and "address already in use" in done.err, done
    serve("-p", f"{port}:80")


@pytest.mark.proves(93)
def test_outside_sees_the_hosts_address(engine, sh):
    assert sh(connect(OUTSIDE, 7000)) == HOST


def test_no_masquerade_on_request(engine, client, sh):
    client("network", "create", "--ipv6", "--subnet", "fd00:79::/64", "-o", "com.docker.network.bridge.enable_ip_masquerade=false", "plain")
    assert sh(f"nc -w 2 {OUTSIDE} 7000 < /dev/null", network="plain") in (None, ""), "no answer finds its way back"
    engine.world.run("ip", "-6", "route", "add", "fd00:79::/64", "via", HOST)
    try:
        assert sh(connect(OUTSIDE, 7000), network="plain").startswith("fd00:79::")
    finally:
        engine.world.run("ip", "-6", "route", "del", "fd00:79::/64")


@pytest.mark.ours  # since Docker 28
@pytest.mark.proves(90)
def test_outside_reaches_only_what_is_published(engine, serve):
    address = serve("-p", f"{free_port()}:80")
    engine.world.run("ip", "-6", "route", "add", SUBNET, "via", HOST)
    try:
        assert engine.world.fetch(address, 80) is None
    finally:
        engine.world.run("ip", "-6", "route", "del", SUBNET)


def test_networks_are_apart(client, serve, sh):
    client("network", "create", "--ipv6", "--subnet", "fd00:78::/64", "other")
    address = serve()
    assert sh(f"nc -w 1 {address} 80 < /dev/null", network="other") is None


def test_connect_and_disconnect_while_running(engine, client, serve):
    address = serve()
    client("network", "create", "four")
    client("run", "-d", "--name", "mover", "--network", "four", engine.image, "sleep", "600")
    assert "inet6 fd00" not in client("exec", "mover", "ip", "-6", "addr").out
    assert client("network", "connect", "six", "mover").code == 0
    assert client("exec", "mover", "nc", "-w", "2", address, "80").out == "served\n"
    assert client("network", "disconnect", "six", "mover").code == 0
    assert "inet6 fd00" not in client("exec", "mover", "ip", "-6", "addr").out


@pytest.mark.proves(87)
def test_no_ipv6_where_it_was_not_asked_for(engine, client):
    client("network", "create", "four")
    assert client("run", "--rm", "--network", "four", engine.image, "sh", "-c", "grep -v ' lo$' /proc/net/if_inet6 | wc -l").out == "0\n"


@pytest.mark.ours  # Docker's proxy process passes the bytes on to IPv4
def test_ipv6_port_of_a_container_without_ipv6_is_refused(engine, client):
    done = client("run", "-d", "-p", "[::]:80:80", engine.image, "true")
    assert done.code == 125 and "the container has no IPv6 address on network bridge: use a network made with --ipv6" in done.err


@pytest.mark.ours
def test_loopback_port_that_would_not_answer_is_refused(engine, client):
    if not glob.glob("/proc/sys/net/bridge"):
        pytest.skip("br_netfilter is not loaded")
    subprocess.run(["sysctl", "-qw", "net.bridge.bridge-nf-call-ip6tables=1"], check=True)
    try:
        done = client("run", "-d", "--network", "six", "-p", "[::1]:8080:80", engine.image, "true")
    finally:
        subprocess.run(["sysctl", "-qw", "net.bridge.bridge-nf-call-ip6tables=0"], check=True)
    assert done.code == 125 and "net.bridge.bridge-nf-call-ip6tables" in done.err


@pytest.mark.ours
def test_all_of_it_survives_the_daemon(engine, serve, sh):
    port = free_port()
    address = serve("-p", f"{port}:80")
    engine.restart()
    for host in ("::1", HOST):
        wait_until(lambda: fetch(host, port) == "served")
    assert sh(f"nc -w 2 {address} 80 < /dev/null") == "served"
    assert sh(f"nc -w 2 {OUTSIDE} 7000 < /dev/null") == HOST
    engine.run("rm", "-f", "web")
    assert fetch("::1", port) is None
