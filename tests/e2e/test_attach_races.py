"""A client asks for the start as soon as its attach is answered: however slow the daemon then is, no stream is lost or left open."""
import os
import signal
import subprocess
import threading
import time

import pytest
from engine import Engine

pytestmark = pytest.mark.ours


@pytest.fixture(scope="module")
def slow(registry):
    """A daemon that stops between the answer to an attach and what follows, until a file appears."""
    daemon = Engine(bridge="proatest2", subnet="10.213.9.1/24", environment={"PROA_FAILPOINTS_ON": "attach.after_answer=pause"})
    daemon.environment["PROA_FAILPOINTS_DIR"] = daemon.directory
    daemon.start()
    assert daemon.run("pull", "-q", f"{registry.address}/busybox:latest").code == 0
    yield daemon
    daemon.close()


def released_after(daemon, seconds):
    path = os.path.join(daemon.directory, "attach.after_answer.go")
    if os.path.exists(path):
        os.unlink(path)

    def release():
        time.sleep(seconds)
        open(path, "w").close()

    thread = threading.Thread(target=release)
    thread.start()
    return thread


# A start waits a second for a client that is just coming; after that its container may have ended and be gone.
@pytest.mark.parametrize("flags, command, seconds, out", [
    (["--rm"], "echo hello", 0.3, "hello\n"),
    ([], "echo hello", 0.3, "hello\n"),
    ([], "sleep 3; echo late", 1.8, "late\n"),
    (["--rm"], "true", 2, ""),
], ids=["in-time-rm", "in-time", "while-it-runs", "after-its-removal"])
def test_no_stream_is_lost(slow, registry, flags, command, seconds, out):
    thread = released_after(slow, seconds)
    done = slow.run("run", *flags, "--network", "none", f"{registry.address}/busybox:latest", "sh", "-c", command, timeout=20)
    thread.join()
    slow.clean()
    assert (done.code, done.out) == (0, out), done


def test_a_signal_that_comes_before_the_start_is_noted_is_not_lost(registry):
    """docker's client shows the output, and passes signals on, before its start is answered."""
    daemon = Engine(bridge="proatest2", subnet="10.213.9.1/24", environment={"PROA_FAILPOINTS_ON": "start.after_launch=pause"})
    daemon.environment["PROA_FAILPOINTS_DIR"] = daemon.directory
    daemon.start()
    try:
        image = f"{registry.address}/busybox:latest"
        assert daemon.run("pull", "-q", image).code == 0
        script = "trap 'echo caught; exit 4' INT; echo ready; while :; do sleep 0.1; done"
        process = daemon.popen("run", "--rm", "--network", "none", image, "sh", "-c", script,
                               stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGINT)
        time.sleep(0.3)  # the daemon has the signal, and still waits
        open(os.path.join(daemon.directory, "start.after_launch.go"), "w").close()
        out, _ = process.communicate(timeout=20)
        assert (process.returncode, out) == (4, b"caught\n")
    finally:
        open(os.path.join(daemon.directory, "start.after_launch.go"), "w").close()
        daemon.close()
