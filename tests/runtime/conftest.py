"""Fixtures and marks of the runtime's tests; how others are judged by them is in tests/support/judge.py.

@row("process.cwd", "degraded", "why"): what the table says of that field of config.json, where more is to be said than whether a container ran.
"""
import ctypes
import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import bundle  # noqa: E402
import judge  # noqa: E402
from bundle import Box, Runtime  # noqa: E402
from judge import pytest_collection_modifyitems  # noqa: E402, F401
from machine import deny_system_call, left_behind, own_mounts, snapshot  # noqa: E402


def hide_unified_tree():
    """crun refuses hosts whose v2 tree has controllers beside v1: it gets a view of the host without that tree."""
    own_mounts()
    assert ctypes.CDLL(None).umount2(b"/sys/fs/cgroup/unified", 2) == 0


def pytest_configure(config):
    if error := os.environ.get("DENY_OPENAT2"):
        deny_system_call(437, int(error))  # for this process and all it starts
    if bundle.NAME == "crun" and os.path.exists("/sys/fs/cgroup/unified"):
        hide_unified_tree()
    for mark in (*judge.MARKS, "row(field, kind, why): what the table of fields says"):
        config.addinivalue_line("markers", mark)


@pytest.fixture(scope="session")
def runtime():
    before = snapshot()
    made = Runtime()
    yield made
    made.close()
    left = left_behind(before, snapshot())
    if bundle.IS_OURS and left and "SOAK" not in os.environ:  # others may use the machine while that runs
        pytest.fail(f"left behind on the machine: {left}")


@pytest.fixture
def box(runtime):
    made = Box(runtime)
    yield made
    made.close()


@pytest.fixture
def another(runtime):
    made = Box(runtime)
    yield made
    made.close()


@pytest.fixture
def disk():
    """The numbers of a loop device, the only disk of a virtual machine."""
    path = "/tmp/disk"
    with open(path, "wb") as file:
        file.truncate(64 << 20)
    device = os.popen(f"losetup --show -f {path}").read().strip()
    if not device:
        pytest.skip("no loop device")
    number = os.stat(device).st_rdev
    yield device, os.major(number), os.minor(number)
    os.system(f"losetup -d {device}")
    os.remove(path)
