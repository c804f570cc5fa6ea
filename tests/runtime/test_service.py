"""A container as a service of systemd's: sockets that were opened for it, and the notice that it is ready."""
import os
import socket
import subprocess
import threading

import bundle
import pytest
from bundle import PROGRAM, alive, make_tools, run_program, wait_until

differs = pytest.mark.differs
# systemd's word is for the very process that it has started: it is the one which becomes the runtime.
AS_SERVICE = 'exec env LISTEN_PID=$$ "$@"'


def command(box, *words):
    return [PROGRAM, "--root", box.runtime.root, *bundle.DRIVER, *map(str, words)]


def with_sockets(box, count, more=0, pid=None):
    """Runs the container as systemd would, with `count` sockets from 3 on and `more` files after them."""
    box.args("ls /proc/self/fd; echo fds=$LISTEN_FDS pid=$LISTEN_PID")
    box.save()
    held = [os.open("/dev/null", os.O_RDONLY) for _ in range(count + more)]
    places = " ".join(f"{3 + place}</proc/self/fd/{fd}" for place, fd in enumerate(held))
    for fd in held:
        os.set_inheritable(fd, True)
    flags = ["--preserve-fds", more] if more else []
    script = f"exec {places}; " + (AS_SERVICE if pid is None else f'exec env LISTEN_PID={pid} "$@"')
    try:
        environment = {**os.environ, "LISTEN_FDS": str(count)}
        return run_program(["sh", "-c", script, "sh", *command(box, "run", *flags, "-b", box.bundle, box.id)], env=environment, close_fds=False)
    finally:
        for fd in held:
            os.close(fd)


@pytest.mark.parametrize("count, more", [(1, 0), (2, 1)])
@differs(crun="crun 1.8 does not say how many")
def test_sockets_that_systemd_has_opened_are_the_containers(box, count, more):
    done = with_sockets(box, count, more)
    assert done.code == 0, done
    *numbers, said = done.out.split("\n")[:-1]
    # One more is the directory that ls reads.
    assert numbers[:3 + count + more] == [str(number) for number in range(3 + count + more)] and len(numbers) == 4 + count + more
    assert said == f"fds={count} pid=1"


@differs(crun="crun 1.8 takes them all the same")
def test_sockets_for_another_process_are_not_ours(box):
    done = with_sockets(box, 1, pid=1)
    assert done.code == 0 and done.out.split() == ["0", "1", "2", "3", "fds=", "pid="], done


@pytest.fixture
def systemd(tmp_path):
    """Who listens at $NOTIFY_SOCKET, and answers a barrier as systemd does: by closing its descriptor."""
    path = str(tmp_path / "notify")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listener.bind(path)
    listener.settimeout(20)
    yield path, listener
    listener.close()


def messages(listener):
    """What was said up to the main process's number. Then we, not every runtime, wait until it has been read."""
    said = []
    while not any(line.startswith("MAINPID=") for line in said):
        said += listener.recv(4096).decode().splitlines()
    if bundle.IS_OURS:
        text, fds, _, _ = socket.recv_fds(listener, 4096, 1)
        assert text == b"BARRIER=1" and len(fds) == 1
        os.close(fds[0])
    return said


def ready_when(box, name):
    """The program says that it is ready once the file is there, and other things before."""
    make_tools(box)
    return (f"tools notify 'STATUS=early'; touch /tmp/early; echo $NOTIFY_SOCKET >/tmp/path; while [ ! -e /{name} ]; do sleep 0.05; done; "
            "tools notify 'READY=1\nSTATUS=late'; exec sleep 1000")


@differs(crun="crun 1.8 passes no notice on")
def test_start_waits_until_the_container_is_ready(box, systemd):
    path, listener = systemd
    environment = {**os.environ, "NOTIFY_SOCKET": path}
    done = box.create(ready_when(box, "tmp/go"), env=environment)
    assert done.code == 0, done
    starter = subprocess.Popen(command(box, "start", box.id), env=environment)
    try:
        box.wait_for("running")
        assert starter.poll() is None
        open(box.path("rootfs/tmp/go"), "w").close()
        assert messages(listener) == ["READY=1", f"MAINPID={box.pid()}"]
        assert starter.wait(20) == 0
    finally:
        starter.kill()
        starter.wait()
    with open(box.path("rootfs/tmp/path")) as file:
        assert file.read() == "/run/notify/notify.sock\n"


def test_start_of_a_container_that_ends_without_a_word_ends_too(box, systemd):
    environment = {**os.environ, "NOTIFY_SOCKET": systemd[0]}
    assert box.create("true", env=environment).code == 0
    assert box.call("start", box.id, env=environment).code == 0


@differs(crun="crun 1.8 passes no notice on")
def test_run_in_the_foreground_is_the_main_process(box, systemd):
    path, listener = systemd
    box.args(ready_when(box, "tmp/go"))
    box.save()
    runner = subprocess.Popen(command(box, "run", "-b", box.bundle, box.id), env={**os.environ, "NOTIFY_SOCKET": path}, stdin=subprocess.DEVNULL)
    try:
        wait_until(lambda: os.path.exists(box.path("rootfs/tmp/early")))
        open(box.path("rootfs/tmp/go"), "w").close()
        assert messages(listener) == ["READY=1", f"MAINPID={runner.pid}"] and alive(runner.pid)
        box.call("kill", box.id, "KILL")
        assert runner.wait(20) == 137
    finally:
        runner.kill()
        runner.wait()


@differs(crun="crun 1.8 passes no notice on")
def test_run_detached_returns_once_it_is_ready(box, systemd):
    path, listener = systemd
    box.args(ready_when(box, "tmp/go"))
    box.save()
    null = subprocess.DEVNULL
    runner = subprocess.Popen(command(box, "run", "-d", "-b", box.bundle, box.id), env={**os.environ, "NOTIFY_SOCKET": path}, stdin=null, stdout=null)
    try:
        wait_until(lambda: os.path.exists(box.path("rootfs/tmp/early")))
        assert runner.poll() is None
        open(box.path("rootfs/tmp/go"), "w").close()
        assert messages(listener) == ["READY=1", f"MAINPID={box.pid()}"]
        assert runner.wait(20) == 0 and box.status() == "running"
    finally:
        runner.kill()
        runner.wait()
