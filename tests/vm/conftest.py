"""The runtime's fixtures, for suites that systemd runs."""
import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../support"))
import judge  # noqa: E402
from bundle import Box, Runtime  # noqa: E402
from judge import pytest_collection_modifyitems  # noqa: E402, F401


def pytest_configure(config):
    for mark in judge.MARKS:
        config.addinivalue_line("markers", mark)


@pytest.fixture(scope="session")
def runtime():
    made = Runtime()
    yield made
    made.close()


@pytest.fixture
def box(runtime):
    made = Box(runtime)
    yield made
    made.close()
