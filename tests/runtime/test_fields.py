"""Fields of config.json that not every runtime knows."""
import json
import os

import pytest
from bundle import UNIFIED

differs = pytest.mark.differs


def test_tmpcopyup_shows_what_the_directory_held(box):
    os.makedirs(box.path("rootfs/data/sub"))
    with open(box.path("rootfs/data/sub/file"), "w") as file:
        file.write("held")
    os.chmod(box.path("rootfs/data/sub/file"), 0o640)
    os.symlink("sub/file", box.path("rootfs/data/link"))
    box.mount("/data", "tmpfs", "tmpfs", "tmpcopyup")
    assert box.sh("cat /data/link; stat -c ' %a' /data/sub/file; rm /data/sub/file").split() == ["held", "640"]
    assert os.path.exists(box.path("rootfs/data/sub/file"))


@differs(runc="runc 1.1 has no time namespaces", crun="crun 1.8 fails on it")
def test_time_namespace_with_offsets(box):
    box.namespace("time")
    box.linux["timeOffsets"] = {"boottime": {"secs": 1000000, "nanosecs": 0}, "monotonic": {"secs": 5, "nanosecs": 0}}
    assert float(box.sh("cat /proc/uptime").split()[0]) > 1000000


@differs(runc="runc 1.1 ignores it", crun="crun 1.8 ignores it")
def test_memory_policy(box):
    box.linux["memoryPolicy"] = {"mode": "MPOL_BIND", "nodes": "0"}
    assert "bind" in box.sh("cat /proc/self/numa_maps")
    box.linux["memoryPolicy"] = {"mode": "MPOL_NOSUCH"}
    assert box.run("true").has_failed("memorypolicy")


@differs(runc="runc 1.1 ignores it", crun="crun 1.8 ignores it")
def test_exec_cpu_affinity(box):
    box.process["execCPUAffinity"] = {"initial": "0", "final": "0"}
    box.start()
    assert box.exec("grep", "Cpus_allowed_list", "/proc/self/status").out.split() == ["Cpus_allowed_list:", "0"]
    box.process["execCPUAffinity"] = {"final": "x"}
    with open(box.path("process.json"), "w") as file:
        json.dump({**box.process, "args": ["true"]}, file)
    assert box.call("exec", "-p", box.path("process.json"), box.id).has_failed("execcpuaffinity")


@pytest.mark.ours
def test_what_is_not_supported_is_refused(box):
    wrong = [{"timeOffsets": {"boottime": {"secs": 1}}}]
    if not UNIFIED:
        wrong.append({"resources": {"unified": {"memory.max": "1"}}})
    before = dict(box.linux)
    for fields in wrong:
        box.config["linux"] = {**before, **fields}
        assert box.run("true").code == 1, fields


@pytest.mark.skipif(os.path.exists("/sys/fs/resctrl/schemata"), reason="this machine has resctrl")
@pytest.mark.row("linux.intelRdt", "implemented", "refused where resctrl is not mounted, as on every machine of ours; `resctrl_test.cc` has the rest, over a "
                 "directory that is laid out as the kernel's")
@differs(crun="crun 1.8 ignores it")
def test_intel_rdt_without_resctrl_is_refused(box):
    box.linux["intelRdt"] = {"closID": "gold", "l3CacheSchema": "L3:0=f"}
    assert box.run("true").has_failed("intel rdt", "resctrl")


@pytest.mark.skipif(os.path.exists("/sys/fs/resctrl/schemata"), reason="this machine has resctrl")
@differs(runc="runc 1.1 ignores what it does not know, and an empty one", crun="crun 1.8 ignores it")
@pytest.mark.parametrize("wanted", [{"schemata": ["MB:0=50"]}, {"enableMonitoring": True}, {}])
def test_newer_members_of_intel_rdt_without_resctrl_are_refused(box, wanted):
    box.linux["intelRdt"] = wanted
    assert box.run("true").has_failed("intel rdt", "resctrl")
    assert not os.path.exists(box.cgroup("pids"))


@pytest.mark.ours
@pytest.mark.parametrize("wanted", [{"closID": "../x"}, {"memBwSchema": "L3:0=f"}, {"schemata": ["L3:0=f\nMB:0=5"]}])
def test_intel_rdt_of_nonsense_is_refused(box, wanted):
    box.linux["intelRdt"] = wanted
    assert box.run("true").has_failed("intelRdt.")
