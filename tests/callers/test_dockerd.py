"""dockerd with the runtime under test as its default."""
import json
import os

import pytest
from caller import Caller, wait_for


class Dockerd(Caller):
    def __init__(self, registry):
        super().__init__(registry)
        d = self.directory
        self.daemon = self.spawn(["dockerd", "--data-root", f"{d}/data", "--exec-root", f"{d}/run", "-H", f"unix://{d}/docker.sock", "--pidfile", f"{d}/pid",
                                  "--bip", "10.214.0.1/24", "--add-runtime", f"judged={self.runtime}", "--default-runtime", "judged"])
        wait_for(lambda: self("version").code == 0, "an answer of dockerd", 30)
        self.ok("pull", "-q", self.image)

    def command(self, *words):
        return [os.environ.get("PROA_DOCKER_CLI", "/usr/bin/docker"), "-H", f"unix://{self.directory}/docker.sock", *words]

    def close(self):
        self("rm", "-f", *self.ok("ps", "-aq").split())
        self.stop(self.daemon)
        super().close()


@pytest.fixture(scope="module")
def docker(registry):
    made = Dockerd(registry)
    yield made
    made.close()


@pytest.fixture
def sleeper(docker):
    name = docker.ok("run", "-d", "--memory", "64m", docker.image, "sleep", "600")
    yield name
    docker.ok("rm", "-f", name)


def test_output_and_exit_code(docker):
    done = docker("run", "--rm", docker.image, "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (done.code, done.out, done.err) == (7, "out\n", "err\n")
    assert docker.ok("info", "-f", "{{.DefaultRuntime}}") == "judged"


def test_bridge_network(docker):
    assert "10.214.0." in docker.ok("run", "--rm", docker.image, "ip", "addr", "show", "eth0")


def test_exec_with_and_without_a_terminal(docker, sleeper):
    done = docker("exec", sleeper, "sh", "-c", "echo inside; exit 3")
    assert (done.code, done.out) == (3, "inside\n")
    assert docker.ok("exec", "-t", sleeper, "tty") == "/dev/pts/0"


def test_terminal(docker):
    assert docker.ok("run", "--rm", "-t", docker.image, "tty") == "/dev/pts/0"


def test_stop_and_logs(docker):
    name = docker.ok("run", "-d", docker.image, "sh", "-c", "echo first; trap 'echo last; exit 5' TERM; while :; do sleep 0.1; done")
    wait_for(lambda: docker.ok("logs", name) == "first", "the first line")
    docker.ok("stop", name)
    assert docker.ok("inspect", "-f", "{{.State.ExitCode}}", name) == "5"
    assert docker.ok("logs", name).split() == ["first", "last"]
    docker.ok("start", name)
    wait_for(lambda: docker.ok("logs", name).split() == ["first", "last", "first"], "the line of the second run")
    docker.ok("rm", "-f", name)


def test_pause_and_unpause(docker, sleeper):
    docker.ok("pause", sleeper)
    assert docker.ok("inspect", "-f", "{{.State.Status}}", sleeper) == "paused"
    docker.ok("unpause", sleeper)
    assert docker.ok("exec", sleeper, "echo", "awake") == "awake"


def test_statistics_and_top(docker, sleeper):
    stats = json.loads(docker.ok("stats", "--no-stream", "--format", "{{json .}}", sleeper))
    assert stats["PIDs"] == "1" and stats["MemUsage"].endswith("/ 64MiB")
    assert "sleep 600" in docker.ok("top", sleeper)


def test_update(docker, sleeper):
    docker.ok("update", "--memory", "32m", "--memory-swap", "64m", "--pids-limit", "50", sleeper)
    assert docker.ok("stats", "--no-stream", "--format", "{{.MemUsage}}", sleeper).endswith("/ 32MiB")


def test_update_of_one_limit_leaves_the_others(docker, sleeper):
    """dockerd writes zeros for what it was not asked for."""
    docker.ok("update", "--cpu-shares", "512", sleeper)
    docker.ok("update", "--pids-limit", "77", sleeper)
    found = docker.ok("exec", sleeper, "sh", "-c", "cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/cpu/cpu.shares /sys/fs/cgroup/pids/pids.max "
                      "|| cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/cpu.weight /sys/fs/cgroup/pids.max")
    assert found.split() in ([str(64 << 20), "512", "77"], [str(64 << 20), "59", "77"])


def test_out_of_memory(docker):
    name = docker.ok("run", "-d", "--memory", "16m", "--memory-swap", "16m", docker.image, "sh", "-c", "sleep 0.3; tail /dev/zero")
    assert docker.ok("wait", name) == "137"
    wait_for(lambda: docker.ok("inspect", "-f", "{{.State.OOMKilled}}", name) == "true", "the notice of the kill")
    docker.ok("rm", name)


def test_security_options(docker):
    status = docker.ok("run", "--rm", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", docker.image, "grep", "-E", "CapBnd|Seccomp:|NoNewPrivs", "/proc/self/status")
    assert dict(line.split() for line in status.splitlines()) == {"CapBnd:": "0" * 16, "Seccomp:": "2", "NoNewPrivs:": "1"}
    assert docker.ok("run", "--rm", "--security-opt", "seccomp=unconfined", docker.image, "grep", "Seccomp:", "/proc/self/status").split()[1] == "0"


def test_volumes_and_read_only_root(docker):
    done = docker("run", "--rm", "--read-only", "-v", "judged:/data", "--tmpfs", "/t", docker.image, "sh", "-c", "echo a >/data/f && echo b >/t/f && cat /data/f /t/f; echo c >/f")
    assert done.out == "a\nb\n" and "Read-only file system" in done.err
    docker.ok("volume", "rm", "judged")


def test_missing_program_and_directory_as_program(docker):
    done = docker("run", "--rm", docker.image, "/no/such")
    assert done.code == 127 and "no such file or directory" in done.err
    done = docker("run", "--rm", docker.image, "/etc")
    assert done.code == 126 and ("permission denied" in done.err or "is a directory" in done.err)


def test_shared_pid_namespace(docker, sleeper):
    assert "sleep 600" in docker.ok("run", "--rm", "--pid", f"container:{sleeper}", docker.image, "ps", "-o", "args")


def test_restart_policy(docker):
    name = docker.ok("run", "-d", "--restart", "on-failure:2", docker.image, "false")
    wait_for(lambda: docker.ok("inspect", "-f", "{{.RestartCount}} {{.State.Status}}", name) == "2 exited", "two restarts")
    docker.ok("rm", name)
