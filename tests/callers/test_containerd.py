"""containerd by ctr: `ctr run --runc-binary`."""
import json
import os
import pty
import subprocess

import pytest
from caller import Caller, wait_for

CONFIG = """version = 2
root = "{0}/root"
state = "{0}/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
address = "{0}/containerd.sock"
[ttrpc]
address = "{0}/containerd.sock.ttrpc"
"""


class Containerd(Caller):
    def __init__(self, registry):
        super().__init__(registry)
        with open(f"{self.directory}/config.toml", "w") as file:
            file.write(CONFIG.format(self.directory))
        self.daemon = self.spawn(["containerd", "--config", f"{self.directory}/config.toml"])
        wait_for(lambda: self("version").code == 0, "an answer of containerd")
        self.ok("images", "pull", "--plain-http", self.image)

    def command(self, *words):
        return ["ctr", "--address", f"{self.directory}/containerd.sock", *words]

    def run(self, name, *command, flags=()):
        return ["run", "--runc-binary", self.runtime, *flags, self.image, name, *command]

    def state(self, name):
        for line in self.ok("tasks", "ls").splitlines()[1:]:
            if line.split()[0] == name:
                return line.split()[2]
        return None

    def remove(self, name):
        self("tasks", "kill", "-s", "SIGKILL", name)
        wait_for(lambda: self.state(name) in (None, "STOPPED"), "the task's end")
        self("tasks", "delete", name)
        self("containers", "delete", name)

    def close(self):
        self.stop(self.daemon)
        super().close()


@pytest.fixture(scope="module")
def ctr(registry):
    made = Containerd(registry)
    yield made
    made.close()


@pytest.fixture
def sleeper(ctr):
    ctr.ok(*ctr.run("sleeper", "sleep", "600", flags=["-d"]))
    yield "sleeper"
    ctr.remove("sleeper")


def test_output_and_exit_code(ctr):
    done = ctr(*ctr.run("short", "sh", "-c", "echo out; echo err >&2; exit 7", flags=["--rm"]))
    assert (done.code, done.out, done.err) == (7, "out\n", "err\n")


def test_environment_and_directory(ctr):
    out = ctr.ok(*ctr.run("env", "sh", "-c", "echo $A; pwd", flags=["--rm", "--env", "A=b", "--cwd", "/tmp"]))
    assert out.split() == ["b", "/tmp"]


def test_terminal(ctr):
    ours, its = pty.openpty()
    done = subprocess.Popen(ctr.command(*ctr.run("tty", "sh", "-c", "test -t 0 && tty", flags=["--rm", "-t"])), stdin=its, stdout=its, stderr=its)
    os.close(its)
    seen = b""
    try:
        while piece := os.read(ours, 4096):
            seen += piece
    except OSError:
        pass  # the last writer has closed it
    os.close(ours)
    assert done.wait(timeout=30) == 0 and b"/dev/pts/0" in seen


def test_exec(ctr, sleeper):
    done = ctr("tasks", "exec", "--exec-id", "one", sleeper, "sh", "-c", "echo inside; exit 3")
    assert (done.code, done.out) == (3, "inside\n")


def test_kill(ctr):
    ctr.ok(*ctr.run("killed", "sh", "-c", "trap 'exit 5' TERM; while :; do sleep 0.1; done", flags=["-d"]))
    ctr.ok("tasks", "kill", "-s", "SIGTERM", "killed")
    wait_for(lambda: ctr.state("killed") == "STOPPED", "the end")
    assert "non-zero exit code 5" in ctr("tasks", "delete", "killed").err
    ctr.ok("containers", "delete", "killed")


def test_pause_and_resume(ctr, sleeper):
    ctr.ok("tasks", "pause", sleeper)
    assert ctr.state(sleeper) == "PAUSED"
    ctr.ok("tasks", "resume", sleeper)
    assert ctr.state(sleeper) == "RUNNING"


def test_processes_and_metrics(ctr, sleeper):
    assert len(ctr.ok("tasks", "ps", sleeper).splitlines()) == 2
    metrics = json.loads(ctr.ok("tasks", "metrics", "--format", "json", sleeper))
    assert metrics["pids"]["current"] == 1


def test_limits(ctr):
    out = ctr.ok(*ctr.run("limited", "sh", "-c", "cat /proc/self/cgroup", flags=["--rm", "--memory-limit", str(64 << 20), "--cpus", "0.5"]))
    assert "limited" in out


def test_missing_program(ctr):
    done = ctr(*ctr.run("missing", "/no/such", flags=["--rm"]))
    assert done.has_failed("no such file or directory")
    assert "missing" not in ctr.ok("containers", "ls", "-q").split()


def test_seccomp_and_host_network(ctr):
    assert "2" in ctr.ok(*ctr.run("seccomp", "grep", "Seccomp:", "/proc/self/status", flags=["--rm", "--seccomp", "--net-host"]))
