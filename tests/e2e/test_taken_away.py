"""Somebody takes away what running containers stand on: the run directory, a bridge, control groups (security.md 4.3)."""
import glob
import os
import shutil
import signal
import subprocess

import pytest
from engine import free_port, wait_until

pytestmark = pytest.mark.ours


def empty(directory):
    """rm -r, as often as somebody puts something back meanwhile."""
    for entry in os.listdir(directory):
        path = os.path.join(directory, entry)
        if os.path.isdir(path):
            shutil.rmtree(path, ignore_errors=True)
        elif os.path.exists(path):
            os.unlink(path)


def control(engine, name):
    return os.path.join(engine.exec_root, "shims", engine.inspect(name)["Id"], "control.sock")


def delete_bridge(engine):
    subprocess.run(["ip", "link", "delete", engine.bridge], check=True)


def get(port):
    return subprocess.run(["curl", "-s", "-m", "2", f"http://127.0.0.1:{port}/"], stdout=subprocess.PIPE, text=True).stdout


SERVE = ["sh", "-c", "while :; do printf 'HTTP/1.0 200 OK\\r\\n\\r\\nhello' | nc -l -p 80; done"]


@pytest.mark.proves("F9")
@pytest.mark.parametrize("what", ["shims", ""], ids=["shims", "all"])
def test_the_run_directory_is_emptied(engine, image, what):
    """Shims make theirs anew, the daemon its own; the next daemon finds all of it."""
    port = free_port()
    assert engine.run("network", "create", "own").code == 0
    assert engine.run("run", "-d", "--name", "kept", "--network", "own", "-p", f"127.0.0.1:{port}:80", image, "sh", "-c",
                      f"trap 'exit 5' TERM; ({SERVE[2]}) & while :; do sleep 0.1; done").code == 0
    before = engine.inspect("kept")
    empty(os.path.join(engine.exec_root, what))
    wait_until(lambda: os.path.exists(control(engine, "kept")))
    assert engine.run("exec", "kept", "echo", "inside").out == "inside\n"
    assert engine.run("top", "kept").code == 0 and engine.run("run", "--rm", image, "echo", "works").out == "works\n"
    with open(engine.log, errors="replace") as file:
        assert "the run directory of a container was taken away" in file.read()
    engine.restart()
    after = engine.inspect("kept")
    assert after["State"] == before["State"] and after["NetworkSettings"]["Networks"] == before["NetworkSettings"]["Networks"]
    wait_until(lambda: get(port) == "hello")
    assert engine.run("stop", "kept").code == 0 and engine.inspect("kept")["State"]["ExitCode"] == 5
    assert engine.run("start", "kept").code == 0
    wait_until(lambda: get(port) == "hello")


@pytest.mark.proves("F9")
def test_the_run_directory_is_emptied_while_no_daemon_runs(engine, image):
    """Nobody can find the shim any more: the container does not run on unseen."""
    assert engine.run("run", "-d", "--name", "lost", image, "sleep", "600").code == 0
    pid = engine.inspect("lost")["State"]["Pid"]
    engine.kill()
    empty(os.path.join(engine.exec_root, "shims"))
    engine.start()
    state = engine.inspect("lost")["State"]
    assert (state["Status"], state["ExitCode"]) == ("exited", 255) and not os.path.exists(f"/proc/{pid}")
    with open(engine.log, errors="replace") as file:
        assert "its run directory is gone" in file.read()
    assert engine.run("start", "lost").code == 0 and engine.run("exec", "lost", "echo", "again").out == "again\n"


@pytest.mark.proves("F9")
@pytest.mark.parametrize("restart", [False, True], ids=["next container", "next daemon"])
def test_a_bridge_is_deleted(engine, image, restart):
    """It comes back with the next thing that needs it, and whoever was on it is on it again."""
    port = free_port()
    assert engine.run("run", "-d", "--name", "server", "-p", f"127.0.0.1:{port}:80", image, *SERVE).code == 0
    wait_until(lambda: get(port) == "hello")
    delete_bridge(engine)
    assert get(port) == ""
    if restart:
        engine.restart()
    address = engine.inspect("server")["NetworkSettings"]["Networks"]["bridge"]["IPAddress"]
    wait_until(lambda: engine.run("run", "--rm", image, "sh", "-c", f"nc {address} 80 < /dev/null").out.endswith("hello"))
    wait_until(lambda: get(port) == "hello")


@pytest.mark.proves("F9")
def test_a_network_of_a_bridge_that_is_gone_can_be_removed(engine, image):
    assert engine.run("network", "create", "-o", "com.docker.network.bridge.name=proagone0", "own").code == 0
    subprocess.run(["ip", "link", "delete", "proagone0"], check=True)
    assert engine.run("run", "--rm", "--network", "own", image, "echo", "works").out == "works\n"
    subprocess.run(["ip", "link", "delete", "proagone0"], check=True)
    assert engine.run("network", "rm", "own").code == 0


@pytest.mark.proves("F9")
def test_control_groups_are_removed(engine, image):
    """Of containers that have ended, and their parent: the next start makes them again. A full one cannot be removed."""
    assert engine.run("run", "--name", "again", image, "true").code == 0
    for top in ("/sys/fs/cgroup", "/sys/fs/cgroup/*"):
        for parent in glob.glob(f"{top}/{engine.cgroup_parent}"):
            for directory, _, _ in os.walk(parent, topdown=False):
                os.rmdir(directory)
    assert engine.run("start", "-a", "again").code == 0
    assert engine.run("run", "--rm", "--memory", "64m", image, "echo", "works").out == "works\n"


@pytest.mark.proves("F9")
def test_the_network_namespace_of_a_running_container_loses_its_interface(engine, image):
    """The host's side of it is deleted: the container goes on without, and ends and starts as ever."""
    assert engine.run("run", "-d", "--name", "cut", image, "sleep", "600").code == 0
    link = next(line.split(":")[1].split("@")[0].strip() for line in
                subprocess.run(["ip", "-o", "link", "show", "master", engine.bridge], stdout=subprocess.PIPE, text=True).stdout.splitlines())
    subprocess.run(["ip", "link", "delete", link], check=True)
    assert engine.run("exec", "cut", "echo", "inside").out == "inside\n"
    engine.restart(signal.SIGKILL)
    assert engine.inspect("cut")["State"]["Running"]
    assert engine.run("restart", "-t", "0", "cut").code == 0
    assert "eth0" in engine.run("exec", "cut", "ip", "link").out
