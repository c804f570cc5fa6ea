"""What a container may use, on either version of cgroups, and what is said about it."""
import json
import os
import time

import pytest
from engine import wait_until

UNIFIED = os.path.exists("/sys/fs/cgroup/cgroup.controllers")
MEGABYTE = 1 << 20
# file on version 1 and on version 2
FILES = {
    "memory": ("memory/memory.limit_in_bytes", "memory.max"),
    "reservation": ("memory/memory.soft_limit_in_bytes", "memory.low"),
    "pids": ("pids/pids.max", "pids.max"),
    "cpus": ("cpuset/cpuset.cpus", "cpuset.cpus"),
}


def files(*names):
    return " ".join("/sys/fs/cgroup/" + FILES[name][UNIFIED] for name in names)


@pytest.fixture
def client(engine, program):
    def go(*words, **options):
        return engine.run(*words, program=program, **options)

    return go


@pytest.fixture
def sleeper(run, client):
    assert run("-d", "--name", "sleeper", cmd=["sleep", "1000"]).code == 0
    return "sleeper"


def test_memory_pids_and_cpus(sh):
    out = sh(f"cat {files('memory', 'reservation', 'pids', 'cpus')}", "--memory", "64m", "--memory-reservation", "32m", "--pids-limit", "50", "--cpuset-cpus", "0")
    assert out.split() == [str(64 * MEGABYTE), str(32 * MEGABYTE), "50", "0"]


def test_part_of_a_processor(sh):
    if UNIFIED:
        assert sh("cat /sys/fs/cgroup/cpu.max", "--cpus", "0.5") == "50000 100000"
    else:
        assert sh("cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/cpu/cpu.cfs_period_us", "--cpus", "0.5").split() == ["50000", "100000"]


def test_shares(sh):
    file = "cpu.weight" if UNIFIED else "cpu/cpu.shares"
    assert sh(f"cat /sys/fs/cgroup/{file}", "--cpu-shares", "512") == ("59" if UNIFIED else "512")


@pytest.mark.skipif(not UNIFIED, reason="needs cgroup v2")
def test_swap_is_as_much_again_as_the_memory(sh):
    assert sh("cat /sys/fs/cgroup/memory.swap.max", "--memory", "64m") == str(64 * MEGABYTE)
    assert sh("cat /sys/fs/cgroup/memory.swap.max", "--memory", "64m", "--memory-swap", "64m") == "0"
    assert sh("cat /sys/fs/cgroup/memory.swap.max", "--memory", "64m", "--memory-swap", "-1") == "max"


@pytest.mark.skipif(not UNIFIED, reason="version 1 has the host's cgroup namespace by default")
def test_the_cgroup_namespace_is_private_by_default(sh):
    assert sh("cat /proc/self/cgroup") == "0::/"
    assert sh("cat /proc/self/cgroup", "--cgroupns", "host").startswith("0::/")
    assert sh("cat /proc/self/cgroup", "--cgroupns", "host") != "0::/"


def test_cgroups_are_read_only(sh):
    directory = "/sys/fs/cgroup" + ("" if UNIFIED else "/memory")
    assert "Read-only" in sh(f"mkdir {directory}/x 2>&1 || true")


@pytest.mark.proves("F6")
def test_the_oom_killer_is_recorded(engine, run, client):
    done = run("--name", "hungry", "--memory", "16m", "--memory-swap", "16m", cmd=["sh", "-c", "x=a; while :; do x=$x$x; done"])
    assert done.code == 137
    state = engine.inspect("hungry")["State"]
    assert state["OOMKilled"] is True and state["ExitCode"] == 137
    out = engine.run("events", "--since", "5m", "--until", str(int(time.time()) + 1), "--format", "{{.Action}}", "--filter", "container=hungry").out
    assert "oom" in out.split()


@pytest.mark.proves("F5")
def test_pids_run_out(run):
    done = run("--rm", "--pids-limit", "5", cmd=["sh", "-c", "for i in 1 2 3 4 5 6 7 8; do sleep 1 & done; wait"])
    assert "can't fork" in done.err or "Resource temporarily unavailable" in done.err


def test_update_of_a_running_container(client, engine, sleeper):
    assert client("update", "--memory", "96m", "--memory-swap", "128m", "--pids-limit", "44", "--cpuset-cpus", "0", sleeper).code == 0
    assert client("exec", sleeper, "sh", "-c", f"cat {files('memory', 'pids', 'cpus')}").out.split() == [str(96 * MEGABYTE), "44", "0"]
    assert engine.inspect(sleeper)["HostConfig"]["Memory"] == 96 * MEGABYTE
    assert client("restart", "-t", "0", sleeper).code == 0
    assert client("exec", sleeper, "sh", "-c", f"cat {files('memory', 'pids')}").out.split() == [str(96 * MEGABYTE), "44"]


def test_stats(engine, run):
    run("-d", "--name", "busy", "--memory", "64m", "--pids-limit", "20", cmd=["sh", "-c", "while :; do :; done"])
    wait_until(lambda: engine.api("GET", "/containers/busy/stats?stream=0&one-shot=1").json["cpu_stats"]["cpu_usage"]["total_usage"] > 0)
    stats = engine.api("GET", "/containers/busy/stats?stream=0&one-shot=1").json
    assert stats["memory_stats"]["limit"] == 64 * MEGABYTE and 0 < stats["memory_stats"]["usage"] < 64 * MEGABYTE
    assert stats["pids_stats"]["current"] >= 1 and stats["pids_stats"]["limit"] == 20
    assert stats["cpu_stats"]["system_cpu_usage"] > 0 and stats["cpu_stats"]["online_cpus"] == os.cpu_count()
    assert {"rx_bytes", "tx_packets"} <= set(stats["networks"]["eth0"])
    if UNIFIED:
        assert {"anon", "file", "inactive_file"} <= set(stats["memory_stats"]["stats"])
        assert "percpu_usage" not in stats["cpu_stats"]["cpu_usage"] and "max_usage" not in stats["memory_stats"]
    else:
        assert stats["cpu_stats"]["cpu_usage"]["percpu_usage"] and stats["memory_stats"]["max_usage"] > 0
    table = engine.run("stats", "--no-stream", "--format", "{{.Name}} {{.MemUsage}} {{.PIDs}}", "busy").out.split()
    assert table[0] == "busy" and table[-2] == "64MiB" and int(table[-1]) >= 1


def test_without_a_limit_the_hosts_memory_is_it(engine, sleeper):
    with open("/proc/meminfo") as file:
        total = int(file.readline().split()[1]) * 1024
    assert engine.api("GET", "/containers/sleeper/stats?stream=0&one-shot=1").json["memory_stats"]["limit"] == total


def test_pause_stops_and_unpause_goes_on(client, engine, run):
    run("-d", "--name", "ticker", cmd=["sh", "-c", "i=0; while :; do i=$((i+1)); echo $i; sleep 0.02; done"])
    wait_until(lambda: "3" in engine.run("logs", "ticker").out)
    assert client("pause", "ticker").code == 0
    assert engine.inspect("ticker")["State"]["Status"] == "paused"
    held = engine.run("logs", "ticker").out
    assert client("exec", "ticker", "true").code != 0
    assert engine.run("logs", "ticker").out == held
    assert client("unpause", "ticker").code == 0
    wait_until(lambda: len(engine.run("logs", "ticker").out) > len(held))


def test_stop_and_rm_of_a_paused_container(client, engine, sleeper):
    assert client("pause", sleeper).code == 0
    assert client("rm", "-f", sleeper).code == 0


def test_devices(run, sh):
    """loop-control: a device that every Linux has, and that no container may open unasked."""
    if not os.path.exists("/dev/loop-control"):
        pytest.skip("no loop devices")
    make = "mknod /tmp/d c 10 237 && exec 3< /tmp/d && echo open"
    done = run("--rm", cmd=["sh", "-c", make])
    assert done.code != 0 and "not permitted" in done.err
    assert sh("exec 3< /dev/other && echo open", "--device", "/dev/loop-control:/dev/other:r") == "open"
    done = run("--rm", "--device", "/dev/loop-control:/dev/other:r", cmd=["sh", "-c", "exec 3> /dev/other"])
    assert done.code != 0 and "not permitted" in done.err
    assert sh(make, "--device-cgroup-rule", "c 10:237 r") == "open"
    assert sh(make, "--privileged") == "open"


def test_io_throttles(sh, engine):
    """A limit names a disk: the first that there is."""
    disks = sorted(name for name in os.listdir("/sys/block") if os.path.exists(f"/dev/{name}"))
    if not disks:
        pytest.skip("no disk")
    with open(f"/sys/block/{disks[0]}/dev") as file:
        number = file.read().strip()
    flags = ["--device-read-bps", f"/dev/{disks[0]}:1mb", "--device-write-iops", f"/dev/{disks[0]}:77"]
    if UNIFIED:
        assert sh("cat /sys/fs/cgroup/io.max", *flags) == f"{number} rbps={MEGABYTE} wbps=max riops=max wiops=77"
    else:
        out = sh("cd /sys/fs/cgroup/blkio; cat blkio.throttle.read_bps_device blkio.throttle.write_iops_device", *flags)
        assert out.splitlines() == [f"{number} {MEGABYTE}", f"{number} 77"]


@pytest.mark.ours  # version 1.55
def test_io_throttles_of_a_running_container(engine, sleeper):
    disks = sorted(name for name in os.listdir("/sys/block") if os.path.exists(f"/dev/{name}"))
    if not disks:
        pytest.skip("no disk")
    limits = {"BlkioDeviceReadBps": [{"Path": f"/dev/{disks[0]}", "Rate": MEGABYTE}]}
    file = "io.max" if UNIFIED else "blkio/blkio.throttle.read_bps_device"

    def throttle():
        return engine.run("exec", sleeper, "cat", f"/sys/fs/cgroup/{file}").out

    assert engine.api("POST", f"/v1.54/containers/{sleeper}/update", limits).status == 200
    assert str(MEGABYTE) not in throttle() and engine.inspect(sleeper)["HostConfig"]["BlkioDeviceReadBps"] == []
    assert engine.api("POST", f"/containers/{sleeper}/update", limits).status == 200
    assert str(MEGABYTE) in throttle()
    assert engine.inspect(sleeper)["HostConfig"]["BlkioDeviceReadBps"] == limits["BlkioDeviceReadBps"]
    missing = {"BlkioDeviceReadBps": [{"Path": "/dev/nosuch", "Rate": 1}]}
    refused = engine.api("POST", f"/containers/{sleeper}/update", missing)
    assert refused.status >= 400 and "/dev/nosuch" in refused.message


def test_a_parent_group(engine, run):
    parent = "/proa-test-parent"
    run("-d", "--name", "child", "--cgroup-parent", parent, cmd=["sleep", "1000"])
    top = "/sys/fs/cgroup" if UNIFIED else "/sys/fs/cgroup/memory"
    container = engine.inspect("child")
    with open(f"{top}{parent}/{container['Id']}/cgroup.procs") as file:
        assert str(container["State"]["Pid"]) in file.read().split()
    engine.run("rm", "-f", "child")
    wait_until(lambda: not os.path.exists(f"{top}{parent}/{container['Id']}"))
    for directory in [top] if UNIFIED else [f"/sys/fs/cgroup/{name}" for name in os.listdir("/sys/fs/cgroup")]:
        if os.path.isdir(directory + parent):
            os.rmdir(directory + parent)


def test_info_says_which_version(engine):
    info = engine.api("GET", "/info").json
    assert info["CgroupVersion"] == ("2" if UNIFIED else "1") and info["CgroupDriver"] == "cgroupfs"
    assert ("name=cgroupns" in info["SecurityOptions"]) == UNIFIED
    assert json.dumps(info["Warnings"] or []).count("memory") == 0
