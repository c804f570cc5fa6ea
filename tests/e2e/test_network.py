"""Networks: the default bridge, published ports, user-defined bridges with names, host, none, container."""
import json
import socket
import threading

import pytest
from engine import free_port, wait_until


@pytest.fixture
def client(engine, program):
    return lambda *arguments, **options: engine.run(*arguments, program=program, **options)


def fetch(port, address="127.0.0.1"):
    with socket.create_connection((address, port), timeout=2) as connection:
        return connection.recv(100)


def answers(port, wanted, address="127.0.0.1"):
    try:
        return fetch(port, address) == wanted
    except OSError:
        return False


SERVE = "while :; do echo served | nc -l -p 80; done"


def test_default_bridge_has_an_address_and_a_route(sh):
    out = sh("ip -o -4 addr show eth0; ip route; cat /sys/class/net/eth0/address")
    assert "10.213.0." in out and "default via 10.213.0.1 dev eth0" in out
    assert out.splitlines()[-1].startswith("02:42:0a:d5:00:") or out.splitlines()[-1].count(":") == 5


def test_containers_on_a_bridge_reach_each_other(engine, image, sh):
    engine.run("run", "-d", "--name", "server", image, "sh", "-c", SERVE)
    address = engine.inspect("server")["NetworkSettings"]["Networks"]["bridge"]["IPAddress"]
    wait_until(lambda: engine.run("exec", "server", "sh", "-c", "netstat -ltn | grep -q :80").code == 0)
    assert sh(f"nc -w 2 {address} 80 < /dev/null") == "served"


def test_none_has_loopback_only(sh):
    assert sh("ls /sys/class/net", "--network", "none") == "lo"


def test_host_is_the_hosts(sh):
    assert "lo" in sh("ls /sys/class/net", "--network", "host").split()


def test_published_port_on_every_address(engine, image, program):
    port = free_port()
    done = engine.run("run", "-d", "--name", "web", "-p", f"{port}:80", image, "sh", "-c", SERVE, program=program)
    assert done.code == 0, done
    wait_until(lambda: answers(port, b"served\n"))
    bindings = engine.inspect("web")["NetworkSettings"]["Ports"]["80/tcp"]
    assert {"HostIp": "0.0.0.0", "HostPort": str(port)} in bindings
    assert f"0.0.0.0:{port}->80/tcp" in engine.run("ps", program=program).out


def test_published_udp_port(engine, tools, program):
    port = free_port()
    engine.run("run", "-d", "--name", "udp", "-p", f"127.0.0.1:{port}:5353/udp", tools, "/bin/tools", "udp-echo", "5353", program=program)

    wait_until(lambda: engine.run("logs", "udp").out == "ready\n")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.settimeout(5)
        probe.sendto(b"ping", ("127.0.0.1", port))
        assert probe.recv(100) == b"ping"


def test_publish_all_takes_free_ports(engine, image, client):
    client("run", "-d", "--name", "all", "-P", "--expose", "80", image, "sh", "-c", SERVE)
    port = int(client("port", "all", "80").out.splitlines()[0].rsplit(":", 1)[1])
    wait_until(lambda: answers(port, b"served\n"))


@pytest.mark.proves("I12")
def test_port_in_use_is_refused_and_nothing_stays(engine, image, client):
    port = free_port()
    client("run", "-d", "--name", "first", "-p", f"{port}:80", image, "sleep", "600")
    done = client("run", "-d", "--name", "second", "-p", f"{port}:80", image, "sleep", "600")
    assert done.code == 125 and "port is already allocated" in done.err
    assert engine.inspect("second")["State"]["Status"] == "created"
    client("rm", "-f", "first")
    assert client("start", "second").code == 0, "the port is free again"


def test_port_of_another_program_is_refused(engine, image, client):
    with socket.socket() as holder:
        holder.bind(("0.0.0.0", 0))
        holder.listen()
        port = holder.getsockname()[1]
        done = client("run", "-d", "-p", f"{port}:80", image, "sleep", "600")
        assert done.code == 125 and "address already in use" in done.err


def test_user_defined_network_resolves_names(engine, image, client):
    assert client("network", "create", "--subnet", "10.214.0.0/24", "front").code == 0
    client("run", "-d", "--name", "db", "--network", "front", "--network-alias", "database", image, "sh", "-c", SERVE)
    address = engine.inspect("db")["NetworkSettings"]["Networks"]["front"]["IPAddress"]
    assert address.startswith("10.214.0.")
    for name in ("db", "database"):
        done = client("run", "--rm", "--network", "front", image, "nslookup", name)
        assert address in done.out, done
    done = client("run", "--rm", "--network", "front", image, "sh", "-c", "for i in 1 2 3 4 5; do nc -w 2 db 80 && exit; sleep 0.2; done; ip addr; ip neigh; exit 1")
    assert done.out == "served\n", (done, client("exec", "db", "sh", "-c", "netstat -tln; ip addr; ip neigh; ps").out)


def test_fixed_address_and_mac(engine, image, client):
    client("network", "create", "--subnet", "10.214.1.0/24", "fixed")
    out = client("run", "--rm", "--network", "fixed", "--ip", "10.214.1.77", "--mac-address", "02:11:22:33:44:55", image,
                 "sh", "-c", "ip -o -4 addr show eth0; cat /sys/class/net/eth0/address").out
    assert "10.214.1.77/24" in out and "02:11:22:33:44:55" in out


def test_networks_are_apart(engine, image, client):
    client("network", "create", "--subnet", "10.214.2.0/24", "left")
    client("network", "create", "--subnet", "10.214.3.0/24", "right")
    client("run", "-d", "--name", "server", "--network", "left", image, "sh", "-c", SERVE)
    address = engine.inspect("server")["NetworkSettings"]["Networks"]["left"]["IPAddress"]
    assert client("run", "--rm", "--network", "right", image, "nc", "-w", "1", address, "80").code != 0


def test_connect_and_disconnect_while_running(engine, image, client):
    client("network", "create", "--subnet", "10.214.4.0/24", "late")
    client("run", "-d", "--name", "mover", image, "sleep", "600")
    assert client("network", "connect", "late", "mover").code == 0
    assert "10.214.4." in client("exec", "mover", "ip", "-o", "-4", "addr").out
    busy = client("network", "rm", "late")
    assert busy.code == 1 and "has active endpoints" in busy.err
    assert client("network", "disconnect", "late", "mover").code == 0
    assert "10.214.4." not in client("exec", "mover", "ip", "-o", "-4", "addr").out
    assert client("network", "rm", "late").code == 0


def test_container_mode_shares_the_address(engine, image, sh):
    engine.run("run", "-d", "--name", "owner", image, "sleep", "600")
    assert engine.inspect("owner")["NetworkSettings"]["Networks"]["bridge"]["IPAddress"] in sh("ip -o -4 addr", "--network", "container:owner")


def test_unknown_network_is_refused(engine, run):
    done = run("-d", "--network", "nowhere", cmd=["true"])
    assert done.code == 125 and "network nowhere not found" in done.err


def test_predefined_networks_stay(client):
    done = client("network", "rm", "bridge")
    assert done.code == 1 and "is a pre-defined network and cannot be removed" in done.err


def test_overlapping_pools_are_refused(client):
    client("network", "create", "--subnet", "10.214.5.0/24", "one")
    done = client("network", "create", "--subnet", "10.214.5.0/25", "two")
    assert done.code == 1 and "Pool overlaps with other one on this address space" in done.err


@pytest.mark.ours  # Docker 20.10 gives it a route that leads nowhere
def test_internal_network_has_no_way_out(engine, image, client):
    client("network", "create", "--internal", "--subnet", "10.214.6.0/24", "inner")
    assert "default" not in client("run", "--rm", "--network", "inner", image, "ip", "route").out


def test_network_commands(engine, client):
    created = client("network", "create", "--label", "a=b", "--subnet", "10.214.7.0/24", "--gateway", "10.214.7.9", "shown")
    assert len(created.out.strip()) == 64
    document = json.loads(client("network", "inspect", "shown").out)[0]
    assert document["IPAM"]["Config"] == [{"Subnet": "10.214.7.0/24", "Gateway": "10.214.7.9"}]
    assert document["Labels"] == {"a": "b"} and document["Driver"] == "bridge" and document["Scope"] == "local"
    assert sorted(client("network", "ls", "--format", "{{.Name}}").out.split()) == ["bridge", "host", "none", "shown"]
    again = client("network", "create", "shown")
    assert again.code == 1 and "network with name shown already exists" in again.err
    assert client("network", "rm", "shown").out == "shown\n"
    missing = client("network", "inspect", "shown")
    assert missing.code == 1 and "shown" in missing.err


@pytest.mark.proves("F12")
def test_same_port_at_once_has_one_winner(engine, image):
    port = free_port()
    for n in range(6):
        engine.api("POST", f"/containers/create?name=race{n}", {
            "Image": image, "Cmd": ["sleep", "60"], "ExposedPorts": {"80/tcp": {}},
            "HostConfig": {"PortBindings": {"80/tcp": [{"HostIp": "", "HostPort": str(port)}]}}})
    statuses = []
    threads = [threading.Thread(target=lambda n=n: statuses.append(engine.api("POST", f"/containers/race{n}/start").status)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses.count(204) == 1 and statuses.count(500) == 5


@pytest.mark.proves("I12")
def test_the_lowest_free_address_is_next_and_a_restart_keeps_it(engine, image, client):
    def address(name):
        return engine.inspect(name)["NetworkSettings"]["Networks"]["low"]["IPAddress"]

    assert client("network", "create", "--subnet", "10.214.7.0/24", "low").code == 0
    for name in ("first", "second"):
        assert client("run", "-d", "--network", "low", "--name", name, image, "sleep", "1000").code == 0
    assert (address("first"), address("second")) == ("10.214.7.2", "10.214.7.3")
    for _ in range(3):
        assert client("restart", "-t", "0", "first").code == 0
        assert address("first") == "10.214.7.2"


def test_network_of_a_container_that_is_none(engine, run):
    done = run("--network", "container:nobody", cmd=["true"])
    assert done.code == 125 and "No such container: nobody" in done.err and "Unable to find image" not in done.err


@pytest.mark.ours
def test_an_interface_has_the_name_it_is_asked_for(engine, image):
    engine.run("network", "create", "named")
    option = "driver-opt=com.docker.network.endpoint.ifname"
    done = engine.run("run", "--rm", "--network", f"name=named,{option}=front0", image, "ip", "-o", "addr", "show", "front0", program="proa")
    assert done.code == 0 and "front0" in done.out, done
    done = engine.run("run", "--rm", "--network", f"name=named,{option}=a/b", image, "true", program="proa")
    assert done.code == 125 and 'invalid interface name "a/b"' in done.err, done


@pytest.mark.ours
def test_what_endpoints_cannot_have_is_said(engine, image):
    engine.run("network", "create", "plain")
    for flags, text in ((["--link-local-ip", "169.254.1.1", "--network", "plain"], "link-local addresses of endpoints are not supported"),
                        (["--network", "name=plain,driver-opt=com.docker.network.endpoint.sysctls=net.ipv4.conf.IFNAME.log_martians=1"], "sysctls of endpoints are not supported"),
                        (["--disable-content-trust=false"], "content trust is not available")):
        done = engine.run("run", "--rm", *flags, image, "true", program="proa")
        assert done.code == 125 and text in done.err, done
