"""kill -9, and the power of the disk, at some of the calls that publish what is stored; tests/e2e/soak takes each of them.

Afterwards the store is sound, what is there is whole, the operation succeeds, and nothing stays of it.
"""
import os

import pytest
from deaths import SUMS, Deaths
from engine import wait_until

pytestmark = pytest.mark.ours

SAMPLES = 4


@pytest.mark.parametrize("operation", Deaths.OPERATIONS)
@pytest.mark.parametrize("power", [False, True], ids=["killed", "power lost"])
def test_death_in(operation, power, registry):
    with Deaths(operation, registry, power) as deaths:
        calls = deaths.calls()
        numbers = range(1, calls + 1, max(1, calls // SAMPLES))
        died = [deaths.at(number, after_call=number % 2 == 0) for number in numbers]
        assert any(died), f"alive after {calls} calls"  # some of several threads come a few more or fewer each time


def test_what_was_acknowledged_survives_a_loss_of_power(registry):
    """I18: a volume with a name at once, with what was flushed into it; a container once its record was flushed."""
    with Deaths("populate", registry, power=True) as deaths:
        engine = deaths.engine
        deaths.start_counting()
        flushed = lambda: deaths.read_control()[1]  # noqa: E731
        assert engine.api("POST", "/volumes/create", {"Name": "kept"}).status == 201
        file = os.open(os.path.join(engine.data_root, "volumes/kept/_data/file"), os.O_WRONLY | os.O_CREAT)
        os.write(file, b"kept")
        os.fsync(file)
        os.close(file)
        assert engine.api("POST", "/containers/create?name=box", {"Image": deaths.name, "HostConfig": {"NetworkMode": "none"}}).status == 201
        before = flushed()
        wait_until(lambda: flushed() > before)
        deaths.disk.lose_power()
        engine.kill()
        deaths.start_again()
        with open(os.path.join(engine.data_root, "volumes/kept/_data/file"), "rb") as data:
            assert data.read() == b"kept"
        assert engine.api("GET", "/volumes/kept").status == 200
        assert engine.run("start", "-a", "box").out == SUMS
        deaths.check_store()
