"""linux.netDevices: the host's devices move into the container."""
import json
import os
import subprocess

import pytest

pytestmark = pytest.mark.differs(runc="runc 1.1 ignores it", crun="crun 1.8 ignores it")


def ip(*words, check=True):
    return subprocess.run(["ip", *words], check=check, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout


@pytest.fixture
def device():
    """A device of the host with an address of each family."""
    name = f"pd{os.getpid() % 100000}"
    ip("link", "add", name, "type", "veth", "peer", "name", f"{name}p")
    ip("addr", "add", "10.99.1.2/24", "dev", name)
    ip("-6", "addr", "add", "fd99::2/64", "dev", name)
    yield name
    ip("link", "delete", f"{name}p", check=False)


def names():
    return {link["ifname"] for link in json.loads(ip("-j", "link"))}


def test_moves_with_its_addresses_and_is_up(box, device):
    box.linux["netDevices"] = {device: {}}
    out = box.sh(f"ip addr show {device}")
    assert "10.99.1.2/24" in out and "fd99::2/64" in out and ",UP" in out
    assert device not in names()


def test_gets_its_new_name(box, device):
    box.linux["netDevices"] = {device: {"name": "inside0"}}
    out = box.sh("ip link")
    assert "inside0@" in out and f"{device}@" not in out


def test_of_a_user_namespace(box, device):
    box.map_user()
    box.linux["netDevices"] = {device: {"name": "inside0"}}
    assert "10.99.1.2/24" in box.sh("ip addr show inside0")


def test_unknown_device_is_refused(box):
    box.linux["netDevices"] = {"nosuch0": {}}
    assert box.run("true").has_failed("nosuch0")


def test_name_in_use_is_refused(box, device):
    box.linux["netDevices"] = {device: {"name": "lo"}}
    assert box.run("true").has_failed("already")
    assert device in names()


@pytest.mark.parametrize("name", ["a" * 16, "a/b", "a b", "..", "eth%d"])
def test_impossible_name_is_refused(box, device, name):
    box.linux["netDevices"] = {device: {"name": name}}
    assert box.run("true").has_failed("invalid network device name")
    assert device in names()


def test_needs_a_network_namespace(box, device):
    box.namespace("network", absent=True)
    box.linux["netDevices"] = {device: {}}
    assert box.run("true").has_failed("private net namespace")
    assert device in names()
