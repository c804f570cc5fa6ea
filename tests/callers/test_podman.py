"""podman and its conmon: `podman --runtime`."""
import json

import pytest
from caller import Caller, wait_for


class Podman(Caller):
    def __init__(self, registry):
        super().__init__(registry)
        # What it would raise by itself, not every machine lets it raise.
        with open(f"{self.directory}/containers.conf", "w") as file:
            file.write('[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]\n')
        self.ok("pull", "-q", "--tls-verify=false", self.image)

    def command(self, *words):
        d = self.directory
        return ["env", f"CONTAINERS_CONF={d}/containers.conf", "podman", "--root", f"{d}/root", "--runroot", f"{d}/run", "--tmpdir", f"{d}/tmp", "--storage-driver", "vfs", "--cgroup-manager", "cgroupfs",
                "--events-backend", "file", "--runtime", self.runtime, *words]

    def close(self):
        self("rm", "-af", "-t", "0")
        super().close()


@pytest.fixture(scope="module")
def podman(registry):
    made = Podman(registry)
    yield made
    made.close()


@pytest.fixture
def sleeper(podman):
    name = podman.ok("run", "-d", "--network", "none", "--memory", "64m", podman.image, "sleep", "600")
    yield name
    podman.ok("rm", "-f", "-t", "0", name)


def test_output_and_exit_code(podman):
    done = podman("run", "--rm", "--network", "none", podman.image, "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (done.code, done.out, done.err) == (7, "out\n", "err\n")


def test_terminal(podman):
    assert podman.ok("run", "--rm", "-t", "--network", "none", podman.image, "tty") == "/dev/pts/0"


def test_exec(podman, sleeper):
    done = podman("exec", sleeper, "sh", "-c", "echo inside; exit 3")
    assert (done.code, done.out) == (3, "inside\n")
    assert podman.ok("exec", "-t", "-w", "/tmp", "-u", "1000", "-e", "A=b", sleeper, "sh", "-c", "echo $A $(pwd) $(id -u)") == "b /tmp 1000"


def test_stop_and_logs(podman):
    name = podman.ok("run", "-d", "--network", "none", podman.image, "sh", "-c", "echo first; trap 'echo last; exit 5' TERM; while :; do sleep 0.1; done")
    wait_for(lambda: podman.ok("logs", name) == "first", "the first line")
    podman.ok("stop", name)
    assert podman.ok("inspect", "-f", "{{.State.ExitCode}}", name) == "5"
    assert podman.ok("logs", name).split() == ["first", "last"]
    podman.ok("rm", name)


def test_pause_and_unpause(podman, sleeper):
    podman.ok("pause", sleeper)
    assert podman.ok("inspect", "-f", "{{.State.Status}}", sleeper) == "paused"
    podman.ok("unpause", sleeper)
    assert podman.ok("exec", sleeper, "echo", "awake") == "awake"


def test_statistics_and_top(podman, sleeper):
    stats = json.loads(podman.ok("stats", "--no-stream", "--format", "json", sleeper))[0]
    assert stats["pids"] == "1"
    assert "sleep 600" in podman.ok("top", sleeper, "args")


def test_update_is_seen(podman, sleeper):
    limit = podman.ok("exec", sleeper, "cat", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
    assert limit == str(64 << 20)


def test_host_network_and_shared_namespaces(podman, sleeper):
    assert "sleep 600" in podman.ok("run", "--rm", "--network", "none", "--pid", f"container:{sleeper}", podman.image, "ps", "-o", "args")
    assert "lo" in podman.ok("run", "--rm", "--network", "host", podman.image, "ip", "link")


def test_user_namespace(podman):
    out = podman.ok("run", "--rm", "--network", "none", "--uidmap", "0:100000:1000", "--gidmap", "0:100000:1000", podman.image, "cat", "/proc/self/uid_map")
    assert out.split() == ["0", "100000", "1000"]


def test_missing_program(podman):
    done = podman("run", "--rm", "--network", "none", podman.image, "/no/such")
    assert done.code == 127 and done.has_failed("no such file or directory", "not found")
    done = podman("run", "--rm", "--network", "none", podman.image, "/etc")
    assert done.code == 126


def test_kill(podman):
    name = podman.ok("run", "-d", "--network", "none", podman.image, "sh", "-c", "trap 'exit 9' USR1; while :; do sleep 0.1; done")
    wait_for(lambda: podman("exec", name, "true").code == 0, "the container")
    podman.ok("kill", "-s", "USR1", name)
    assert podman.ok("wait", name) == "9"
    podman.ok("rm", name)


def test_security_options(podman):
    status = podman.ok("run", "--rm", "--network", "none", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--read-only", podman.image,
                       "grep", "-E", "CapBnd|Seccomp:|NoNewPrivs", "/proc/self/status")
    assert dict(line.split() for line in status.splitlines()) == {"CapBnd:": "0" * 16, "Seccomp:": "2", "NoNewPrivs:": "1"}
