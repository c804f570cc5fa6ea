"""The runtime's fixtures, for suites that systemd runs."""
import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../support"))
from bundle import Box, Runtime  # noqa: E402


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
