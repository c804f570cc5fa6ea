"""Whoever has seen a container's end finds free what it held: its ports, its volumes."""
import os
import subprocess
import time

import pytest
from engine import Engine, free_port, wait_until

POINT = "exit.before_release"


@pytest.fixture(scope="module")
def slow(registry):
    """A daemon that stops between a container's end and the release of what it held, until a file appears."""
    daemon = Engine(bridge="proatest2", subnet="10.213.9.1/24", environment={"PROA_FAILPOINTS_ON": f"{POINT}=pause"})
    daemon.environment["PROA_FAILPOINTS_DIR"] = daemon.directory
    daemon.start()
    assert daemon.run("pull", "-q", f"{registry.address}/busybox:latest").code == 0
    yield daemon
    daemon.close()


@pytest.mark.ours
@pytest.mark.parametrize("how", [["stop", "-t", "0"], ["kill"], ["wait"]], ids=["stop", "kill", "wait"])
def test_what_it_held_is_free(slow, registry, how):
    image, port = f"{registry.address}/busybox:latest", f"127.0.0.1:{free_port()}:80"
    hit, go = (os.path.join(slow.directory, f"{POINT}.{end}") for end in ("hit", "go"))
    script = "sleep 0.5" if how == ["wait"] else "exec sleep 600"
    assert slow.run("run", "-d", "--name", "first", "-p", port, "-v", "kept:/data", image, "sh", "-c", script).code == 0
    ending = slow.popen(*how, "first", stdout=subprocess.PIPE)
    try:
        wait_until(lambda: os.path.exists(hit))
        time.sleep(0.3)  # an answer would be here by now
        assert ending.poll() is None
    finally:
        open(go, "w").close()
    assert ending.wait(timeout=20) == 0
    assert slow.run("run", "-d", "--name", "second", "-p", port, image, "sleep", "600").code == 0
    assert slow.run("rm", "first").code == 0
    assert slow.run("volume", "rm", "kept").code == 0
    slow.clean()
    for path in (hit, go):
        os.unlink(path)


def test_wait_counts_an_end_that_is_followed_by_a_restart(engine, image, program):
    assert engine.run("run", "-d", "--name", "again", "--restart", "always", image, "sh", "-c", "sleep 1; exit 3", program=program).code == 0
    assert engine.run("wait", "again", program=program).out == "3\n"
    wait_until(lambda: engine.inspect("again")["RestartCount"] > 0)
