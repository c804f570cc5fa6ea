"""Control groups of version 1: what each controller is told, and that no hierarchy is forgotten. A host rarely mounts
all of them: tests/vm/run runtime-v1."""
import json
import os

import pytest
from bundle import UNIFIED, wait_until

pytestmark = pytest.mark.skipif(UNIFIED, reason="needs a host with cgroup v1")
differs = pytest.mark.differs
MEGABYTE = 1 << 20
LOOP_CONTROL = os.makedev(10, 237)


def hierarchies():
    """The controllers that are mounted, one name for each hierarchy."""
    found = [name for name in os.listdir("/sys/fs/cgroup") if name != "unified" and not os.path.islink(f"/sys/fs/cgroup/{name}")]
    return [name for name in found if os.path.exists(f"/sys/fs/cgroup/{name}/tasks")]


def needs(controller):
    return pytest.mark.skipif(not os.path.exists(f"/sys/fs/cgroup/{controller}"), reason=f"{controller} is not mounted here")


def files(box, controller, *names):
    return [box.limit(controller, f"{controller}.{name}") for name in names]


@differs(runc="runc 1.1 does not know `misc`", racy=True)  # not every host has that hierarchy
def test_a_container_is_in_a_group_of_every_hierarchy_and_leaves_none(box):
    pid = box.start()
    where = [box.cgroup(name) for name in hierarchies()]
    for path in where:
        with open(f"{path}/cgroup.procs") as file:
            assert file.read().split() == [str(pid)], path
    assert box.call("delete", "--force", box.id).code == 0
    assert not [path for path in where if os.path.exists(path)]


@needs("memory")
def test_memory(box):
    box.resources["memory"] = {"limit": 64 * MEGABYTE, "reservation": 32 * MEGABYTE, "swappiness": 33, "disableOOMKiller": True, "useHierarchy": True}
    box.start()
    assert files(box, "memory", "limit_in_bytes", "soft_limit_in_bytes", "swappiness", "use_hierarchy") == [str(64 * MEGABYTE), str(32 * MEGABYTE), "33", "1"]
    assert "oom_kill_disable 1" in box.limit("memory", "memory.oom_control")


@needs("memory")
@differs(crun="crun 1.8 takes bytes only")
def test_swap_counts_memory_too(box):
    if not os.path.exists("/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes"):
        pytest.skip("this kernel does not count swap")
    box.resources["memory"] = {"limit": 64 * MEGABYTE, "swap": 96 * MEGABYTE}
    box.start()
    assert files(box, "memory", "memsw.limit_in_bytes") == [str(96 * MEGABYTE)]
    # Both may not cross on their way up or down.
    for limit, both in ((256, 512), (32, 32), (48, -1)):
        assert box.call("update", "--memory", f"{limit}M", "--memory-swap", both if both < 0 else f"{both}M", box.id).code == 0
        assert files(box, "memory", "limit_in_bytes") == [str(limit * MEGABYTE)]


@needs("memory")
@pytest.mark.row("linux.resources.memory.kernel", "degraded", "ignored with a warning, as runc does: kernels from 5.16 on have no such limit")
@differs(crun="crun writes it to a file that does nothing")
def test_a_limit_of_kernel_memory_is_left_out_and_said(box):
    box.resources["memory"] = {"limit": 64 * MEGABYTE, "kernel": 32 * MEGABYTE}
    done = box.create("true")
    assert done.code == 0 and "kernel memory settings are ignored" in done.err.lower(), done


@needs("blkio")
@differs(crun="crun 1.8 knows the weights of CFQ only")
def test_weights_of_bfq(box, disk):
    device, major, minor = disk
    with open(f"/sys/block/{os.path.basename(device)}/queue/scheduler", "r+") as file:
        if "bfq" not in file.read() and os.system("modprobe -q bfq") != 0:
            pytest.skip("this kernel has no BFQ")
        file.write("bfq")
    box.resources["blockIO"] = {"weight": 500, "weightDevice": [{"major": major, "minor": minor, "weight": 300}]}
    box.start()
    assert box.limit("blkio", "blkio.bfq.weight") == "500"
    assert f"{major}:{minor} 300" in box.limit("blkio", "blkio.bfq.weight_device").splitlines()


@needs("blkio")
@pytest.mark.parametrize("block_io", [{"leafWeight": 300}, {"weightDevice": [{"major": 7, "minor": 0, "leafWeight": 300}]}])
@differs(crun="crun 1.8 leaves the group behind")
@pytest.mark.row("linux.resources.blockIO.leafWeight", "refused", "as runc does: kernels from 5.0 on have no such weight")
@pytest.mark.row("linux.resources.blockIO.weightDevice.leafWeight", "refused", "as runc does: kernels from 5.0 on have no such weight")
def test_a_leaf_weight_that_the_kernel_has_not_is_refused(box, block_io):
    """CFQ alone had it; Linux 5.0 took it out."""
    box.resources["blockIO"] = block_io
    assert box.run("true").has_failed("leaf_weight")
    assert not os.path.exists(box.cgroup("blkio"))


@needs("blkio")
def test_throttles(box, disk):
    _, major, minor = disk
    names = {"ReadBps": "read_bps", "WriteBps": "write_bps", "ReadIOPS": "read_iops", "WriteIOPS": "write_iops"}
    box.resources["blockIO"] = {f"throttle{name}Device": [{"major": major, "minor": minor, "rate": MEGABYTE}] for name in names}
    box.start()
    assert files(box, "blkio", *(f"throttle.{file}_device" for file in names.values())) == [f"{major}:{minor} {MEGABYTE}"] * 4


@needs("hugetlb")
def test_huge_pages(box):
    box.resources["hugepageLimits"] = [{"pageSize": "2MB", "limit": 4 * MEGABYTE}, {"pageSize": "1GB", "limit": 1 << 30}]
    box.start()
    assert files(box, "hugetlb", "2MB.limit_in_bytes", "1GB.limit_in_bytes") == [str(4 * MEGABYTE), str(1 << 30)]


@needs("hugetlb")
@differs(crun="crun 1.8 leaves the group behind")
def test_huge_pages_of_a_size_that_there_is_not_are_refused(box):
    box.resources["hugepageLimits"] = [{"pageSize": "3MB", "limit": MEGABYTE}]
    assert box.run("true").code != 0
    assert not os.path.exists(box.cgroup("hugetlb"))


@needs("net_cls")
@needs("net_prio")
def test_network_class_and_priorities(box):
    box.resources["network"] = {"classID": 0x100001, "priorities": [{"name": "lo", "priority": 5}]}
    box.start()
    assert files(box, "net_cls", "classid") == [str(0x100001)]
    assert "lo 5" in box.limit("net_prio", "net_prio.ifpriomap").splitlines()


@needs("rdma")
@pytest.mark.row("linux.resources.rdma", "implemented", "no machine of ours has a device: the kernel's refusal is passed on; `plan_test.cc` has what is written")
@differs(crun="crun 1.8 ignores it")
def test_limits_of_an_rdma_device_that_there_is_not_are_refused(box):
    box.resources["rdma"] = {"nosuch0": {"hcaHandles": 3, "hcaObjects": 10000}}
    assert box.run("true").has_failed("rdma", "no such device")
    assert not os.path.exists(box.cgroup("rdma"))


@needs("devices")
def test_device_rules_are_taken_in_order(box):
    os.mknod(box.path("rootfs/device"), 0o20666, LOOP_CONTROL)
    box.resources["devices"] = [{"allow": False, "access": "rwm"}, {"allow": True, "type": "c", "major": 10, "minor": 237, "access": "rw"},
                                {"allow": False, "type": "c", "major": 10, "minor": 237, "access": "w"}]
    box.start()
    assert "c 10:237 r" in box.limit("devices", "devices.list").splitlines()
    assert box.exec("sh", "-c", "exec 3> /device").has_failed("operation not permitted")
    assert box.exec("sh", "-c", "exec 3< /device; echo x > /dev/null").code == 0


@needs("devices")
def test_a_device_that_no_rule_allows_is_denied(box):
    os.mknod(box.path("rootfs/device"), 0o20666, LOOP_CONTROL)
    box.start()
    assert box.exec("sh", "-c", "exec 3> /device").has_failed("operation not permitted")


@needs("cpuset")
def test_processors_and_nodes(box):
    box.resources["cpu"] = {"cpus": "0", "mems": "0"}
    assert box.sh("grep -E '(Cpus|Mems)_allowed_list' /proc/self/status").split() == ["Cpus_allowed_list:", "0", "Mems_allowed_list:", "0"]


@needs("cpu")
def test_shares_and_quota(box):
    box.resources["cpu"] = {"shares": 512, "quota": 50000, "period": 200000}
    box.start()
    assert files(box, "cpu", "shares", "cfs_quota_us", "cfs_period_us") == ["512", "50000", "200000"]


@needs("freezer")
def test_frozen_and_thawed(box):
    box.start()
    assert box.call("pause", box.id).code == 0
    assert files(box, "freezer", "state") == ["FROZEN"] and box.status() == "paused"
    assert box.call("resume", box.id).code == 0
    assert files(box, "freezer", "state") == ["THAWED"] and box.status() == "running"


@differs(crun="crun has no `events`")
def test_statistics_of_every_controller(box):
    box.resources["memory"] = {"limit": 64 * MEGABYTE}
    box.resources["pids"] = {"limit": 50}
    box.start("i=0; while :; do i=$((i+1)); done")
    data = {}

    def counted():
        data.update(json.loads(box.call("events", "--stats", box.id).out)["data"])
        return data["cpu"]["usage"]["total"] > 0

    wait_until(counted)
    assert data["memory"]["usage"]["limit"] == 64 * MEGABYTE and data["memory"]["raw"]["hierarchical_memory_limit"] == 64 * MEGABYTE
    assert data["pids"] == {"current": 1, "limit": 50} and len(data["cpu"]["usage"]["percpu"]) == os.cpu_count()
    if os.path.exists("/sys/fs/cgroup/hugetlb"):
        assert {"2MB", "1GB"} <= set(data["hugetlb"])


def path_of(text, controller):
    return next(line.split(":")[2] for line in text.splitlines() if controller in line.split(":")[1].split(","))


@differs(crun="crun takes one path for all controllers")
def test_exec_into_groups_below_by_controller(box):
    box.start()
    for name in ("pids", "memory"):
        os.mkdir(f"{box.cgroup(name)}/part")
    done = box.exec("cat", "/proc/self/cgroup", flags=("--cgroup", "pids,memory:part"))
    assert done.code == 0, done
    assert path_of(done.out, "pids") == path_of(done.out, "memory") == f"{box.group}/part" and path_of(done.out, "freezer") == box.group
    done = box.exec("cat", "/proc/self/cgroup", flags=("--cgroup", "pids:part", "--cgroup", "memory:/"))
    assert path_of(done.out, "pids") == f"{box.group}/part" and path_of(done.out, "memory").rstrip("/") == box.group


@differs(crun="crun takes one path for all controllers")
@pytest.mark.parametrize("flags, word", [(("nosuch:part",), "unknown controller"), (("pids:../..",), "sub cgroup path"), (("pids:a", "pids:b"), ""),
                                         (("pids:part", "part"), "missing <controller>"), (("pids:nowhere",), "")])
def test_exec_into_groups_that_cannot_be_is_refused(box, flags, word):
    box.start()
    os.mkdir(f"{box.cgroup('pids')}/part")
    assert box.exec("true", flags=[one for flag in flags for one in ("--cgroup", flag)]).has_failed(word)
