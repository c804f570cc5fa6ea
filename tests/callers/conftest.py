"""Engines that call an OCI runtime, with ours in its place. RUNTIME=/usr/sbin/runc proves the tests right."""
import os
import shutil
import subprocess
import sys
import tempfile

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import images  # noqa: E402
from engine import free_port  # noqa: E402
from machine import left_in_the_end, own_network, snapshot  # noqa: E402


@pytest.fixture(scope="session")
def network():
    with own_network():
        yield


@pytest.fixture(scope="session")
def registry(network):
    before = snapshot()
    directory = tempfile.mkdtemp(prefix="proa-registry-")
    process, server = images.start_registry(directory, free_port())
    server.push("busybox", "latest", images.busybox_image())
    yield server
    process.terminate()
    process.wait(timeout=20)
    shutil.rmtree(directory, ignore_errors=True)
    # The callers' own, which they keep: bridges, firewall tables, and the groups that their containers' groups were in.
    for link in snapshot()["links"] - before["links"]:
        subprocess.run(["ip", "link", "delete", link], stderr=subprocess.DEVNULL)
    for group in sorted(snapshot()["cgroups"] - before["cgroups"], reverse=True):
        if group.split("/")[5] in ("default", "docker", "libpod_parent"):
            os.rmdir(group)
    for table in sorted(snapshot()["nft tables"] - before["nft tables"]):
        subprocess.run(["nft", "delete", *table.split()], stderr=subprocess.DEVNULL)
    if left := left_in_the_end(before):
        pytest.fail(f"left behind on the machine: {left}")
