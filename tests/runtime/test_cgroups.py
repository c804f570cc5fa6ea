"""Control groups: limits as they stand in the kernel's files, and what containers may do in their own group."""
import json
import os
import time

import pytest
from bundle import SYSTEMD, UNIFIED, wait_until

differs = pytest.mark.differs
v2 = pytest.mark.skipif(not UNIFIED, reason="needs a host with cgroup v2 alone: tests/vm/run")
v1 = pytest.mark.skipif(UNIFIED, reason="needs a host with cgroup v1")
plain = pytest.mark.skipif(SYSTEMD, reason="systemd makes the group, and removes it once it is empty")
MEGABYTE = 1 << 20


def v2_file(box, file):
    return box.limit(None, file)


def table(text):
    return {line.split()[0]: line.split()[1] for line in text.splitlines()}


def has_weight(box, shares, weight):
    box.resources["cpu"] = {"shares": shares}
    box.start()
    assert v2_file(box, "cpu.weight") == weight


@v2
@differs(crun="crun 1.8 converts shares by a line, so that the default is 39", runc="runc 1.1 converts shares by a line, so that the default is 39")
@pytest.mark.parametrize("shares, weight", [(512, "59"), (1024, "100")])
def test_shares_become_a_weight(box, shares, weight):
    has_weight(box, shares, weight)


@v2
@pytest.mark.parametrize("shares, weight", [(2, "1"), (262144, "10000")])
def test_the_least_and_the_most_shares_become_the_least_and_the_most_weight(box, shares, weight):
    has_weight(box, shares, weight)


@v2
@differs(runc="runc 1.1 knows no burst", crun="crun 1.8 knows no burst")
def test_every_limit_of_version_two(box):
    box.resources.update(
        memory={"limit": 64 * MEGABYTE, "swap": 96 * MEGABYTE, "reservation": 32 * MEGABYTE},
        cpu={"quota": 50000, "period": 200000, "burst": 1000, "cpus": "0", "mems": "0"},
        pids={"limit": 33})
    box.start()
    found = {name: v2_file(box, name) for name in ("memory.max", "memory.swap.max", "memory.low", "cpu.max", "cpu.max.burst", "cpuset.cpus",
                                                   "cpuset.mems", "pids.max")}
    assert found == {"memory.max": str(64 * MEGABYTE), "memory.swap.max": str(32 * MEGABYTE), "memory.low": str(32 * MEGABYTE), "cpu.max": "50000 200000",
                     "cpu.max.burst": "1000", "cpuset.cpus": "0", "cpuset.mems": "0", "pids.max": "33"}


@v2
def test_no_swap_at_all(box):
    box.resources["memory"] = {"limit": 64 * MEGABYTE, "swap": 64 * MEGABYTE}
    box.start()
    assert v2_file(box, "memory.swap.max") == "0"


@v2
@pytest.mark.parametrize("memory", [{"swap": 1 << 20}, {"limit": 2 << 20, "swap": 1 << 20}])
@differs(crun="crun 1.8 leaves the group behind")
def test_swap_that_makes_no_sense_is_refused(box, memory):
    box.resources["memory"] = memory
    assert box.run("true").has_failed("swap")
    assert not os.path.exists(box.cgroup(None))


@v2
@differs(runc="runc 1.1 does not know it")
def test_idle(box):
    box.resources["cpu"] = {"idle": 1, "shares": 512}
    box.start()
    assert v2_file(box, "cpu.idle") == "1"


@v2
@pytest.mark.parametrize("file, value", [("memory.high", str(50 * MEGABYTE)), ("pids.max", "44"), ("cpu.weight", "77"), ("cpu.max", "10000 100000")])
def test_unified_names_files(box, file, value):
    box.resources["unified"] = {file: value}
    box.start()
    assert v2_file(box, file) == value


@v2
@pytest.mark.parametrize("file, word", [("../cgroup.freeze", "file name"), ("memory", "unified"), ("nosuch.max", "nosuch"), ("memory.nosuch", "memory.nosuch")])
@differs(crun="crun has other words for it")
def test_unified_that_is_not_there_is_refused(box, file, word):
    box.resources["unified"] = {file: "1"}
    assert box.run("true").has_failed(word)
    assert not os.path.exists(box.cgroup(None))


@v2
def test_huge_pages(box):
    box.resources["hugepageLimits"] = [{"pageSize": "2MB", "limit": 4 * MEGABYTE}]
    box.start()
    assert v2_file(box, "hugetlb.2MB.max") == str(4 * MEGABYTE)


@v2
def test_block_io_limits(box, disk):
    device, major, minor = disk
    numbers = {"major": major, "minor": minor}
    box.resources["blockIO"] = {"throttleReadBpsDevice": [{**numbers, "rate": MEGABYTE}], "throttleWriteIOPSDevice": [{**numbers, "rate": 77}]}
    box.start()
    assert v2_file(box, "io.max") == f"{major}:{minor} rbps={MEGABYTE} wbps=max riops=max wiops=77"


@v2
def test_block_io_weights(box, disk):
    device, major, minor = disk
    with open(f"/sys/block/{os.path.basename(device)}/queue/scheduler", "w") as file:
        file.write("bfq")
    box.resources["blockIO"] = {"weight": 500, "weightDevice": [{"major": major, "minor": minor, "weight": 300}]}
    box.start()
    assert table(v2_file(box, "io.bfq.weight")) == {"default": "500", f"{major}:{minor}": "300"}


@v2
def test_a_device_that_no_rule_allows_is_denied(box):
    """null is allowed, loop-control is not."""
    os.mknod(box.path("rootfs/device"), 0o20666, os.makedev(10, 237))
    box.start()
    assert box.exec("sh", "-c", "echo x > /dev/null").code == 0
    assert box.exec("sh", "-c", "exec 3> /device").has_failed("operation not permitted")


@v2
def test_device_rules_are_taken_in_order(box):
    os.mknod(box.path("rootfs/device"), 0o20666, os.makedev(10, 237))
    box.resources["devices"] = [{"allow": False, "access": "rwm"}, {"allow": True, "type": "c", "major": 10, "minor": 237, "access": "rw"},
                                {"allow": False, "type": "c", "major": 10, "minor": 237, "access": "w"}]
    box.start()
    assert box.exec("sh", "-c", "exec 3> /device").has_failed("operation not permitted")
    assert box.exec("sh", "-c", "exec 3< /device").code == 0


@v2
def test_all_devices(box):
    os.mknod(box.path("rootfs/device"), 0o20666, os.makedev(10, 237))
    box.resources["devices"] = [{"allow": True, "access": "rwm"}]
    assert box.run("exec 3<> /device").code == 0


@v2
def test_a_cgroup_namespace_begins_at_the_containers_group(box):
    box.namespace("cgroup")
    box.mount("/sys/fs/cgroup", "cgroup", "cgroup", "ro", "nosuid", "noexec", "nodev")
    box.resources["pids"] = {"limit": 21}
    out = box.sh("cat /proc/self/cgroup /sys/fs/cgroup/pids.max; mkdir /sys/fs/cgroup/x 2>&1 | grep -c Read-only").split()
    assert out == ["0::/", "21", "1"]


@v2
def test_without_a_cgroup_namespace_the_path_is_the_hosts(box):
    assert box.sh("cat /proc/self/cgroup") == f"0::{box.group}"


@v2
@differs(runc="runc 1.1 gives groups away with systemd only", crun="crun 1.8 does not give the group away", racy=True)
def test_a_container_of_a_user_namespace_owns_its_group(box):
    box.map_user()
    box.namespace("cgroup")
    box.mount("/sys/fs/cgroup", "cgroup", "cgroup", "rw", "nosuid", "noexec", "nodev")
    box.start()
    group = box.cgroup(None)
    assert os.stat(group).st_uid == os.stat(group + "/cgroup.procs").st_uid == 100000 and os.stat(group + "/memory.max").st_uid == 0
    done = box.exec("sh", "-c", "cd /sys/fs/cgroup && mkdir mine && echo $$ > mine/cgroup.procs && cat /proc/self/cgroup")
    assert done.out == "0::/mine\n", done


@v2
@differs(crun="crun gives the group away in any case")
def test_a_read_only_group_is_not_given_away(box):
    box.map_user()
    box.namespace("cgroup")
    box.mount("/sys/fs/cgroup", "cgroup", "cgroup", "ro", "nosuid", "noexec", "nodev")
    box.start()
    assert os.stat(box.cgroup(None)).st_uid == 0


@v2
@differs(runc="runc 1.1 shows the whole tree's directory, masked", crun="crun 1.8 shows the whole tree's directory")
def test_a_user_namespace_without_a_cgroup_namespace_sees_its_group(box):
    box.map_user()
    box.mount("/sys/fs/cgroup", "cgroup", "cgroup", "ro", "nosuid", "noexec", "nodev")
    box.resources["pids"] = {"limit": 23}
    assert box.sh("cat /sys/fs/cgroup/pids.max") == "23"


@v2
@differs(crun="the ps of crun 1.8 crashes")
def test_exec_joins_init_where_the_containers_group_hands_controllers_down(box):
    box.namespace("cgroup")
    box.mount("/sys/fs/cgroup", "cgroup", "cgroup", "rw", "nosuid", "noexec", "nodev")
    box.start("cd /sys/fs/cgroup && mkdir own && echo 1 > own/cgroup.procs && echo +pids > cgroup.subtree_control && touch /tmp/up; exec sleep 1000")
    wait_until(lambda: os.path.exists(box.path("rootfs/tmp/up")))
    assert box.exec("cat", "/proc/self/cgroup").out == "0::/own\n"
    # Signals, statistics and removal reach what is below.
    done = box.call("ps", "-f", "json", box.id)
    assert done.code == 0 and len(json.loads(done.out)) == 1, done
    assert box.call("pause", box.id).code == 0 and box.status() == "paused"
    assert box.call("delete", "--force", box.id).code == 0
    assert not os.path.exists(box.cgroup(None))


@v2
@differs(crun="crun joins groups outside of the container's")
def test_exec_into_a_group_below(box):
    box.start()
    os.mkdir(box.cgroup(None) + "/part")
    done = box.exec("cat", "/proc/self/cgroup", flags=("--cgroup", "part"))
    assert done.out == f"0::{box.group}/part\n", done
    assert box.exec("true", flags=("--cgroup", "../..")).code != 0


@v2
@plain
@differs(runc="runc 1.1 warns, and takes the group away from them", crun="crun 1.8 takes the group away from them")
def test_a_group_that_others_use_is_refused(box):
    os.makedirs(box.cgroup(None))
    sleeper = os.spawnlp(os.P_NOWAIT, "sleep", "sleep", "60")
    try:
        with open(box.cgroup(None) + "/cgroup.procs", "w") as file:
            file.write(str(sleeper))
        assert box.run("true").has_failed("in use", "not empty", "contains")
    finally:
        os.kill(sleeper, 9)
        os.waitpid(sleeper, 0)


@v2
@plain
@differs(crun="crun 1.8 has no `--keep`")
def test_the_oom_killer_is_reported(box):
    box.resources["memory"] = {"limit": 16 * MEGABYTE, "swap": 16 * MEGABYTE}
    done = box.run("x=a; while :; do x=$x$x; done", flags=("--keep",))
    assert done.code in (137, 2), done
    assert int(table(v2_file(box, "memory.events"))["oom_kill"]) >= 1


@differs(runc="runc 1.1 converts shares by a line", crun="crun 1.8 takes bytes only", racy=True)  # v1 has the shares themselves
def test_update_of_every_flag(box):
    box.start()
    done = box.call("update", "--memory", "128M", "--memory-swap", "256M", "--memory-reservation", "64M", "--cpu-quota", "20000", "--cpu-period", "100000",
                    "--cpuset-cpus", "0", "--cpuset-mems", "0", "--pids-limit", "31", "--cpu-share", "2048", box.id)
    assert done.code == 0, done
    if UNIFIED:
        wanted = {"memory.max": str(128 * MEGABYTE), "memory.swap.max": str(128 * MEGABYTE), "memory.low": str(64 * MEGABYTE), "cpu.max": "20000 100000",
                  "cpuset.cpus": "0", "cpuset.mems": "0", "pids.max": "31", "cpu.weight": "174"}
    else:
        wanted = {"memory.limit_in_bytes": str(128 * MEGABYTE), "memory.soft_limit_in_bytes": str(64 * MEGABYTE), "cpu.cfs_quota_us": "20000",
                  "cpuset.cpus": "0", "pids.max": "31", "cpu.shares": "2048"}
    assert {file: box.limit(file.split(".")[0], file) for file in wanted} == wanted
    if UNIFIED:
        for limit, both in ((-1, -1), (64 * MEGABYTE, 64 * MEGABYTE), (32 * MEGABYTE, -1)):
            assert box.call("update", "--memory", limit, "--memory-swap", both, box.id).code == 0
        assert v2_file(box, "memory.max") == str(32 * MEGABYTE) and v2_file(box, "memory.swap.max") == "max"


@v2
@differs(runc="runc 1.1 does not know it", crun="crun 1.8 does not know it")
def test_update_of_quota_and_burst(box):
    box.resources["cpu"] = {"quota": 50000, "period": 100000, "burst": 40000}
    box.start()
    text = json.dumps({"cpu": {"quota": 20000, "period": 100000, "burst": 10000}})
    assert box.call("update", "-r", "-", box.id, input=text).code == 0
    assert v2_file(box, "cpu.max") == "20000 100000" and v2_file(box, "cpu.max.burst") == "10000"


def quota_and_period(box):
    return box.limit("cpu", "cpu.max") if UNIFIED else box.limit("cpu", "cpu.cfs_quota_us") + " " + box.limit("cpu", "cpu.cfs_period_us")


@differs(crun="crun 1.8 makes the other the default", racy=True)  # v1 has two files
def test_update_of_the_quota_or_the_period_keeps_the_other(box):
    box.resources["cpu"] = {"quota": 50000, "period": 200000}
    box.start()
    assert box.call("update", "--cpu-quota", "20000", box.id).code == 0
    assert quota_and_period(box) == "20000 200000"
    assert box.call("update", "--cpu-period", "100000", box.id).code == 0
    assert quota_and_period(box) == "20000 100000"


@v2
@differs(runc="runc 1.1 does not know it", crun="crun 1.8 does not know it")
def test_update_may_be_told_to_look_at_the_usage_first(box):
    box.start("x=$(yes | head -c 6000000); sleep 1000")
    wait_until(lambda: int(v2_file(box, "memory.current")) > 4 * MEGABYTE)
    text = json.dumps({"memory": {"limit": MEGABYTE, "checkBeforeUpdate": True}})
    assert box.call("update", "-r", "-", box.id, input=text).has_failed("rejecting")
    assert v2_file(box, "memory.max") == "max" and box.status() == "running"


@v2
@differs(crun="crun has no `events`")
def test_statistics_of_version_two(box):
    box.resources["memory"] = {"limit": 64 * MEGABYTE, "swap": 64 * MEGABYTE}
    box.resources["pids"] = {"limit": 50}
    box.start("i=0; while :; do i=$((i+1)); done")
    time.sleep(0.2)
    data = json.loads(box.call("events", "--stats", box.id).out)["data"]
    assert data["cpu"]["usage"]["total"] > 0 and data["cpu"]["usage"]["user"] > 0
    assert data["memory"]["usage"]["limit"] == 64 * MEGABYTE and {"anon", "file", "kernel_stack", "pgfault"} <= set(data["memory"]["raw"])
    assert data["memory"]["swap"]["usage"] == pytest.approx(data["memory"]["usage"]["usage"], abs=MEGABYTE)  # memory and swap together
    assert data["memory"]["kernel"] == data["memory"]["kernelTCP"] == {"limit": 0, "failcnt": 0}
    assert data["pids"] == {"current": 1, "limit": 50}
    assert "2MB" in data["hugetlb"]


@v1
def test_unified_is_refused_on_version_one(box):
    box.resources["unified"] = {"memory.max": "1"}
    assert box.run("true").has_failed("unified")


@plain
@differs(crun="crun 1.8 waits until it is thawed")
def test_a_frozen_group_is_refused(box):
    """What is started in it would wait for ever."""
    group, file = box.cgroup("freezer"), "cgroup.freeze" if UNIFIED else "freezer.state"
    os.makedirs(group)
    with open(os.path.join(group, file), "w") as opened:
        opened.write("1" if UNIFIED else "FROZEN")
    try:
        assert box.run("true", timeout=10).has_failed("frozen")
    finally:
        with open(os.path.join(group, file), "w") as opened:
            opened.write("0" if UNIFIED else "THAWED")


@pytest.mark.skipif(UNIFIED or os.path.exists("/sys/fs/cgroup/hugetlb"), reason="there are huge pages' groups here")
def test_huge_pages_without_their_controller_are_refused(box):
    box.resources["hugepageLimits"] = [{"pageSize": "2MB", "limit": 2 * MEGABYTE}]
    assert box.run("true").has_failed("hugetlb")
