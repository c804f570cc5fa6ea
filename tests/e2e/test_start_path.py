"""The start path waits for nothing (ARCHITECTURE.md): what it asks of the kernel is counted, never timed."""
import os
import re
import signal
import subprocess
import time

import pytest
from engine import wait_until

pytestmark = pytest.mark.ours


def shims_kept_ready(engine):
    """The children of the daemon that wait for the next start; one after the first start."""
    found = subprocess.run(["pgrep", "-P", str(engine.process.pid), "-f", "^proa-shim -+$"], stdout=subprocess.PIPE, text=True).stdout.split()
    assert len(found) == 1, found
    return [int(pid) for pid in found]


@pytest.fixture
def traced(engine, image, tmp_path):
    """traced(flags...): the system calls of daemon, shim and container during one `run --rm`, up to the payload's end."""

    def go(*flags):
        engine.run("run", "--rm", *flags, image, "true", program="proa")  # bridge and tables are there from now on
        time.sleep(0.3)
        log = tmp_path / "strace"
        watched = [str(engine.process.pid)] + [str(pid) for pid in shims_kept_ready(engine)]
        tracer = subprocess.Popen(["strace", "-f", "-qq", "-s", "200", "-o", str(log), *(word for pid in watched for word in ("-p", pid)),
                                   "-e", "trace=execve,execveat,fork,vfork,clone,clone3,fsync,fdatasync,sync,syncfs,unshare,setns,sendto,sendmsg,openat,write,umount2,ptrace,mkdir,rename"],
                                  stderr=subprocess.PIPE)
        wait_until(lambda: all(any("TracerPid:\t%d" % tracer.pid in line for line in open(f"/proc/{pid}/status")) for pid in watched))
        try:
            done = engine.run("run", "--rm", *flags, image, "true", program="proa")
            assert done.code == 0, done
            time.sleep(0.5)
        finally:
            tracer.send_signal(signal.SIGINT)
            tracer.wait(timeout=20)
            tracer.stderr.close()
        return log.read_text(errors="replace").splitlines()

    return go


def programs(lines):
    """argv[0] of every program that was executed (strace may split a call into two lines)."""
    calls = [line for line in lines if re.search(r"\bexecve(at)?\(", line) and "= -1" not in line]
    return [re.search(r'\["([^"]*)', line)[1] for line in calls]


def test_run_executes_the_payload_only(traced):
    """And once it runs, the shim of the next start."""
    assert programs(traced()) == ["true", "proa-shim"]


def test_published_port_executes_nothing_more(traced):
    assert programs(traced("-p", "127.0.0.1:18078:80")) == ["true", "proa-shim"]


def test_no_file_is_synced_on_the_way(traced):
    synced = [line for line in traced() if re.search(r"\b(sync|syncfs)\(", line)]
    assert not synced, synced


def test_no_process_is_written_into_a_cgroup_from_outside(traced):
    lines = traced()
    opened = [line for line in lines if "cgroup.procs" in line and "O_WRONLY" in line]
    assert not opened, opened
    tasks = [line for line in lines if re.search(r'"/sys/fs/cgroup/[^"]*/tasks"', line) or '"tasks"' in line]
    assert tasks or not os.path.exists("/sys/fs/cgroup/memory/tasks"), "on cgroup v1 the child joins by its own hand"


def test_no_directory_is_made_on_the_data_disk(traced, engine):
    """It was kept ready, with its files, and becomes the container's by its name."""
    lines = traced()
    made = [line for line in lines if "mkdir(" in line and f'"{engine.data_root}/containers/' in line and "EEXIST" not in line]
    assert not made, made
    renamed = [line for line in lines if "rename(" in line and f'"{engine.data_root}/tmp/' in line]
    assert len(renamed) == 1, renamed
    files = [line for line in lines if "O_CREAT" in line and f'"{engine.data_root}/containers/' in line and "O_EXCL" in line and "config.json" not in line]
    assert not files, files


def test_the_daemon_does_not_fork(traced, engine):
    own = [line for line in traced() if re.search(r"\b(fork|clone|clone3)\(", line)]
    forks = [line for line in own if "CLONE_THREAD" not in line and "CLONE_VM" not in line and "CLONE_NEWNS" not in line and "resumed" not in line]
    assert not forks, forks
