"""exec, attach, terminals, logs."""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

import pytest
from engine import events_of, wait_until


@pytest.fixture
def client(engine, program):
    return lambda *arguments, **options: engine.run(*arguments, program=program, **options)


@pytest.fixture
def sleeper(engine, image):
    assert engine.run("run", "-d", "--name", "sleeper", image, "sleep", "600").code == 0
    return "sleeper"


class Terminal:
    """A client on a pseudo terminal."""

    def __init__(self, engine, program, *arguments, rows=33, columns=111):
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.process = engine.popen(*arguments, program=program, stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
                                    preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        self.slave = slave
        self.seen = b""

    def resize(self, rows, columns):
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def write(self, text):
        os.write(self.master, text.encode())

    def expect(self, pattern, seconds=15):
        deadline = time.monotonic() + seconds
        while True:
            found = re.search(pattern, self.seen.decode(errors="replace"))
            if found:
                self.seen = b""
                return found
            ready, _, _ = select.select([self.master], [], [], max(0, deadline - time.monotonic()))
            if not ready:
                raise AssertionError(f"{pattern!r} not seen in {self.seen!r}")
            self.seen += os.read(self.master, 65536)

    def wait(self, seconds=15):
        code = self.process.wait(timeout=seconds)
        return code

    def close_client(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def close(self):
        self.close_client()
        os.close(self.master)
        os.close(self.slave)


@pytest.fixture
def terminal(engine, program):
    opened = []

    def go(*arguments, **options):
        opened.append(Terminal(engine, program, *arguments, **options))
        return opened[-1]

    yield go
    for item in opened:
        item.close()


def test_exec_streams_and_exit_code(client, sleeper):
    done = client("exec", sleeper, "sh", "-c", "echo out; echo err >&2; exit 5")
    assert (done.code, done.out, done.err) == (5, "out\n", "err\n")


def test_exec_stdin(client, sleeper):
    assert client("exec", "-i", sleeper, "cat", stdin=b"through\n").out == "through\n"


def test_exec_environment_user_and_directory(client, sleeper):
    done = client("exec", "-e", "A=b", "-u", "33", "-w", "/tmp", sleeper, "sh", "-c", "echo $A; id -u; pwd")
    assert done.out.split() == ["b", "33", "/tmp"]


def test_exec_shares_the_namespaces_and_limits(client, engine, sleeper):
    pid = engine.inspect(sleeper)["State"]["Pid"]
    out = client("exec", sleeper, "sh", "-c", "for n in pid mnt uts ipc net; do readlink /proc/self/ns/$n; done; grep -E '^Cap(Eff|Inh)|Seccomp:' /proc/self/status").out.split()
    assert out[:5] == [os.readlink(f"/proc/{pid}/ns/{name}") for name in ("pid", "mnt", "uts", "ipc", "net")]
    assert out[5:] == ["CapInh:", "0" * 16, "CapEff:", "00000000a80425fb", "Seccomp:", "2"]


def test_exec_of_an_unknown_command_is_127(client, sleeper):
    done = client("exec", sleeper, "no-such-program")
    assert done.code in (126, 127) and "executable file not found in $PATH" in done.out + done.err


def test_exec_detached(client, engine, sleeper):
    assert client("exec", "-d", sleeper, "touch", "/made").code == 0
    wait_until(lambda: client("exec", sleeper, "ls", "/made").code == 0)


def test_exec_in_a_stopped_container_is_refused(client, engine, image):
    client("create", "--name", "cold", image, "true")
    done = client("exec", "cold", "true")
    assert done.code == 1 and "is not running" in done.err


@pytest.mark.ours  # runc fails where the daemon lacks a capability
def test_exec_privileged(client, sleeper):
    effective = int(client("exec", "--privileged", sleeper, "grep", "CapEff", "/proc/self/status").out.split()[1], 16)
    with open("/proc/self/status") as file:
        assert effective == int(next(line for line in file if line.startswith("CapEff")).split()[1], 16)


@pytest.mark.proves("I24", 46)
def test_many_execs_leave_nothing(client, engine, sleeper):
    for _ in range(20):
        assert client("exec", sleeper, "true").code == 0
    assert len(client("top", sleeper).out.splitlines()) == 2


def test_terminal_has_the_clients_size_and_follows_it(terminal, image):
    screen = terminal("run", "-it", "--rm", image, "sh")
    screen.expect(r"/ # ")
    screen.write("stty size\n")
    screen.expect(r"33 111")
    screen.resize(40, 99)
    os.kill(screen.process.pid, signal.SIGWINCH)
    time.sleep(0.3)
    screen.write("stty size\n")
    screen.expect(r"40 99")
    screen.write("tty; exit 3\n")
    screen.expect(r"/dev/pts/0|/dev/console")
    assert screen.wait() == 3


def test_control_c_goes_to_the_program_on_the_terminal(terminal, image):
    screen = terminal("run", "-it", "--rm", image, "sh", "-c", "trap 'echo caught; exit 8' INT; echo ready; while :; do sleep 0.1; done")
    screen.expect("ready")
    screen.write("\x03")
    screen.expect("caught")
    assert screen.wait() == 8


def test_detach_keys_leave_the_container_running(terminal, engine, image):
    screen = terminal("run", "-it", "--name", "detached", image, "sh")
    screen.expect(r"/ # ")
    screen.write("\x10\x11")
    assert screen.wait() == 0
    assert engine.inspect("detached")["State"]["Running"]


def test_attach_again_and_exit(terminal, engine, image):
    engine.run("run", "-dit", "--name", "back", image, "sh")
    screen = terminal("attach", "back")
    screen.write("\n")
    screen.expect(r"/ # ")
    screen.write("exit 6\n")
    assert screen.wait() == 6


def test_attach_makes_the_program_show_itself_again(terminal, engine, image):
    engine.run("run", "-dit", "--name", "shown", image, "sh", "-c", "trap 'echo resized' WINCH; while :; do sleep 0.1; done")
    screen = terminal("attach", "shown")
    screen.expect("resized")
    screen.close_client()
    terminal("attach", "shown").expect("resized")  # though the size is the same


def test_exec_on_a_terminal(terminal, sleeper):
    screen = terminal("exec", "-it", sleeper, "sh")
    screen.expect(r"/ # ")
    screen.write("stty size; exit 2\n")
    screen.expect("33 111")
    assert screen.wait() == 2


def test_interrupt_is_forwarded_without_a_terminal(engine, image, program):
    process = engine.popen("run", "--rm", image, "sh", "-c", "trap 'echo caught; exit 4' INT; echo ready; while :; do sleep 0.1; done",
                           program=program, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == b"caught\n"
    assert process.wait(timeout=20) == 4
    process.stdout.close()


@pytest.mark.ours  # newer than Debian's CLI
def test_the_third_interrupt_leaves_a_container_that_does_not_listen(engine, image):
    process = engine.popen("run", "--name", "deaf", image, "sh", "-c", "trap 'echo heard' INT; echo ready; while :; do sleep 0.1; done",
                           program="proa", stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
    assert process.stdout.readline() == b"ready\n"
    for _ in range(2):
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == b"heard\n"
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=20) == (b"", b"\ngot 3 SIGTERM/SIGINTs, forcefully exiting\n")
    assert process.returncode == 1 and engine.inspect("deaf")["State"]["Running"]


def test_attach_sees_what_comes_next(engine, image, program):
    engine.run("run", "-d", "--name", "ticker", image, "sh", "-c", "i=0; while :; do echo tick $i; i=$((i+1)); sleep 0.1; done")
    process = engine.popen("attach", "--no-stdin", "--sig-proxy=false", "ticker", program=program, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    assert re.fullmatch(rb"tick \d+\n", process.stdout.readline())
    engine.run("kill", "ticker")
    process.wait(timeout=20)
    process.stdout.close()


@pytest.mark.proves("F14")
def test_a_client_that_never_reads_does_not_stop_the_log(engine, image):
    """security.md 4.5: the attached client stalls; logging, wait and other clients go on."""
    stalled = engine.popen("run", "--name", "flood", image, "sh", "-c", "i=0; while [ $i -lt 60000 ]; do echo line $i of a flood that nobody reads; i=$((i+1)); done",
                           stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    try:
        if os.environ.get("ENGINE") == "dockerd":
            pytest.skip("Docker blocks the container")
        wait_until(lambda: engine.api("GET", "/containers/flood/json").status == 200 and engine.inspect("flood")["State"]["Status"] == "exited", 60)
        assert engine.run("logs", "--tail", "1", "flood").out == "line 59999 of a flood that nobody reads\n"
    finally:
        stalled.kill()
        stalled.wait()
        stalled.stdout.close()


def test_logs(client, engine, image):
    client("run", "--name", "talker", image, "sh", "-c", "echo one; echo two >&2; sleep 0.2; echo three")
    done = client("logs", "talker")
    assert (done.out, done.err) == ("one\nthree\n", "two\n")
    assert client("logs", "--tail", "1", "talker").out == "three\n"
    stamped = client("logs", "-t", "talker").out.splitlines()[0]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z one", stamped)
    assert client("logs", "--since", "1h", "talker").out == "one\nthree\n"
    assert client("logs", "--until", "1h", "talker").out == ""


def test_logs_follow_to_the_end(engine, image, program):
    engine.run("run", "-d", "--name", "slow", image, "sh", "-c", "for i in 1 2 3; do echo $i; sleep 0.2; done")
    assert engine.run("logs", "-f", "slow", program=program).out == "1\n2\n3\n"


def test_logs_on_disk_have_dockers_form(engine, image):
    import json
    engine.run("run", "--name", "formed", image, "printf", "a<b\\nno newline")
    with open(engine.inspect("formed")["LogPath"]) as file:
        lines = file.read().splitlines()
    assert re.match(r'\{"log":"a\\u003cb\\n","stream":"stdout","time":"', lines[0])
    assert json.loads(lines[1])["log"] == "no newline"


@pytest.mark.proves("F13")
def test_log_rotation(engine, image, program):
    engine.run("run", "--name", "rotated", "--log-opt", "max-size=20k", "--log-opt", "max-file=3", image,
               "sh", "-c", "i=0; while [ $i -lt 2000 ]; do echo line number $i; i=$((i+1)); done", program=program)
    path = engine.inspect("rotated")["LogPath"]
    files = sorted(name for name in os.listdir(os.path.dirname(path)) if name.startswith(os.path.basename(path)))
    assert len(files) == 3
    assert all(os.path.getsize(os.path.join(os.path.dirname(path), name)) < 21 * 1024 for name in files)
    out = engine.run("logs", "rotated").out.splitlines()
    assert out[-1] == "line number 1999"
    assert [int(line.split()[-1]) for line in out] == list(range(2000 - len(out), 2000))


def test_a_line_of_forty_thousand_bytes(engine, image):
    engine.run("run", "--name", "long", image, "sh", "-c", "head -c 40000 /dev/zero | tr '\\0' x; echo")
    assert engine.run("logs", "long").out == "x" * 40000 + "\n"


def test_exec_in_a_directory_that_is_none(client, sleeper):
    done = client("exec", "-w", "/nowhere", sleeper, "true")
    assert done.code in (126, 127)  # Docker 20.10 and 28
    assert 'chdir to cwd ("/nowhere") set in config.json failed: no such file or directory' in done.out + done.err


def test_exec_as_nobody_known(client, sleeper):
    done = client("exec", "-u", "nosuchuser", sleeper, "true")
    assert done.code == 126  # Docker 28 refuses the request instead; for a client of 20.10 that is no readable answer
    assert "unable to find user nosuchuser: no matching entries in passwd file" in done.out + done.err


def test_events_of_an_exec(engine, sleeper, client):
    identity = engine.inspect(sleeper)["Id"]
    events = events_of(engine, "container", lambda: client("exec", sleeper, "test", "-d", "/"))
    assert events == [f"{action} {identity}" for action in ("exec_create: test -d /", "exec_start: test -d /", "exec_die")]
