"""proa-runtime --systemd-cgroup: what systemd knows about a container, and that both agree."""
import os
import subprocess

import pytest
from bundle import alive, wait_until

differs = pytest.mark.differs
MEGABYTE = 1 << 20


def show(unit, *names):
    done = subprocess.run(["systemctl", "show", unit, *(f"-p{name}" for name in names)], stdout=subprocess.PIPE, text=True, check=True)
    return dict(line.split("=", 1) for line in done.stdout.splitlines())


def unit_of(box):
    return f"box-{box.id}.scope"


@differs(runc="runc describes the unit in other words", crun="crun describes the unit in other words")
def test_a_container_is_a_scope_in_its_slice(box):
    pid = box.start()
    found = show(unit_of(box), "ActiveState", "Slice", "ControlGroup", "Delegate", "Description")
    assert found == {"ActiveState": "active", "Slice": "proatest.slice", "ControlGroup": box.group, "Delegate": "yes", "Description": f"container {box.id}"}
    with open(f"/sys/fs/cgroup{box.group}/cgroup.procs") as file:
        assert file.read().split() == [str(pid)]  # the process that held its place has gone


def test_deep_slices_are_made(box):
    box.linux["cgroupsPath"], box.group = f"proatest-a-b.slice:box:{box.id}", f"/proatest.slice/proatest-a.slice/proatest-a-b.slice/box-{box.id}.scope"
    box.start()
    assert show(unit_of(box), "ControlGroup")["ControlGroup"] == box.group


@differs(runc="runc calls the unit runc-ID", crun="crun calls the unit crun-ID")
def test_without_a_path_it_is_in_the_system_slice(box):
    del box.linux["cgroupsPath"]
    box.group = f"/system.slice/proa-{box.id}.scope"
    box.start()
    assert show(f"proa-{box.id}.scope", "ControlGroup")["ControlGroup"] == box.group


@differs(crun="crun 1.8 takes a path of two parts", racy=True)
@pytest.mark.parametrize("path", ["/plain/path", "system.slice:only-two", "nosuch:a:b", "system.slice:a:b/c"])
def test_paths_of_another_form_are_refused(box, path):
    box.linux["cgroupsPath"] = path
    assert box.run("true").code != 0


def annotate(box, **properties):
    box.config["annotations"] = {f"org.systemd.property.{name}": value for name, value in properties.items()}


def test_annotations_are_properties_of_the_scope(box):
    annotate(box, Description="'in other \\'words\\''", TimeoutStopUSec="uint64 123456789", CPUWeight="uint64 77", SendSIGHUP="true", KillSignal="int32 10",
             After="['basic.target', 'local-fs.target']", AllowedCPUs="[byte 0x01]", CollectMode='"inactive"', Documentation="@as []")
    box.start()
    found = show(unit_of(box), "Description", "TimeoutStopUSec", "CPUWeight", "SendSIGHUP", "KillSignal", "After", "AllowedCPUs", "CollectMode", "Documentation")
    assert {"basic.target", "local-fs.target"} <= set(found.pop("After").split())
    assert found == {"Description": "in other 'words'", "TimeoutStopUSec": "2min 3.456789s", "CPUWeight": "77", "SendSIGHUP": "yes", "KillSignal": "10",
                     "AllowedCPUs": "0", "CollectMode": "inactive", "Documentation": ""}


@pytest.mark.parametrize("seconds, shown", [("7", "7s"), ("uint64 90", "1min 30s"), ("1.5", "1.500000s"), ("byte 3", "3s")])
def test_seconds_are_given_to_systemd_as_microseconds(box, seconds, shown):
    annotate(box, TimeoutStopSec=seconds)
    box.start()
    assert show(unit_of(box), "TimeoutStopUSec")["TimeoutStopUSec"] == shown


@differs(runc="runc 1.1 leaves the unit that failed")
def test_a_container_lives_no_longer_than_its_annotation_says(box):
    annotate(box, RuntimeMaxSec="1", TimeoutStopSec="1")
    box.start("while :; do sleep 0.1; done")
    box.wait_for("stopped")
    assert box.call("delete", box.id).code == 0
    wait_until(lambda: show(unit_of(box), "LoadState")["LoadState"] == "not-found")


@pytest.mark.parametrize("name, value", [
    ("CPUWeight", "lots"), ("CPUWeight", "uint64 -1"), ("CPUWeight", "uint64 18446744073709551616"), ("CPUWeight", ""),
    ("Description", "unquoted"), ("Description", "'no end"), ("After", "['a', 5]"), ("After", "['a'"), ("After", "[]"), ("TimeoutStopSec", "'7'"),
    ("TimeoutStopSec", "true"), ("Has-Other", "true"), ("Ab", "true"), ("", "true")])
def test_annotations_that_are_no_properties_are_refused(box, name, value):
    annotate(box, **{name: value})
    assert box.run("true").has_failed(f"annotation org.systemd.property.{name}")
    assert show(unit_of(box), "LoadState")["LoadState"] == "not-found" and box.call("state", box.id).code != 0


@pytest.mark.parametrize("name, value", [("CPUNoSuchProperty", "true"), ("CPUWeight", "'text'")])
def test_properties_that_systemd_does_not_take_are_refused(box, name, value):
    annotate(box, **{name: value})
    done = box.run("true")
    assert done.has_failed("cannot set property cpunosuchproperty", "unexpected message contents")
    assert show(unit_of(box), "LoadState")["LoadState"] == "not-found" and box.call("state", box.id).code != 0


@differs(runc="runc 1.1 reads no further than it has to")
def test_what_follows_the_value_of_an_annotation_is_refused(box):
    annotate(box, CPUWeight="uint64 7 8")
    assert box.run("true").has_failed("annotation org.systemd.property.CPUWeight")


@differs(runc="runc does not say which")
def test_a_property_of_the_wrong_type_is_named(box):
    annotate(box, CPUWeight="'text'")
    assert box.run("true").has_failed("annotations give it CPUWeight of type s")


@pytest.mark.proves(25)
@differs(runc="runc 1.1 sets most of them")
@pytest.mark.parametrize("name, value", [("Slice", "'system.slice'"), ("PIDs", "@au [1]"), ("ExecStartPre", "['/bin/sh']"), ("Conflicts", "['basic.target']"), ("TimeoutStopSec", "-1"), ("TimeoutStopSec", "uint64 18446744073709551615")])
def test_cve_2024_3154_properties_beyond_the_scope_are_refused(box, name, value):
    annotate(box, **{name: value})
    assert box.run("true").has_failed(f"annotation org.systemd.property.{name}")
    assert show(unit_of(box), "LoadState")["LoadState"] == "not-found"


@pytest.mark.proves(26)
def test_no_annotation_lifts_a_limit(box):
    annotate(box, MemoryMax="uint64 18446744073709551615", TasksMax="uint64 18446744073709551615")
    box.resources.update({"memory": {"limit": 64 * MEGABYTE}, "pids": {"limit": 33}})
    box.start()
    assert show(unit_of(box), "MemoryMax", "TasksMax") == {"MemoryMax": str(64 * MEGABYTE), "TasksMax": "33"}
    assert (box.limit(None, "memory.max"), box.limit(None, "pids.max")) == (str(64 * MEGABYTE), "33")


LIMITS = {"memory": {"limit": 64 * MEGABYTE, "swap": 96 * MEGABYTE, "reservation": 32 * MEGABYTE}, "pids": {"limit": 33},
          "cpu": {"shares": 512, "quota": 50000, "period": 100000, "cpus": "0", "mems": "0"}}


def files(box):
    return {name: box.limit(None, name) for name in ("memory.max", "memory.swap.max", "memory.low", "pids.max", "cpu.weight", "cpu.max", "cpuset.cpus")}


@differs(runc="runc 1.1 converts shares by a line", crun="crun 1.8 does not tell systemd of them")
def test_systemd_knows_the_limits_and_keeps_them_when_it_is_reloaded(box):
    box.resources.update(LIMITS)
    box.start()
    wanted = {"memory.max": str(64 * MEGABYTE), "memory.swap.max": str(32 * MEGABYTE), "memory.low": str(32 * MEGABYTE), "pids.max": "33", "cpu.weight": "59",
              "cpu.max": "50000 100000", "cpuset.cpus": "0"}
    assert files(box) == wanted
    assert show(unit_of(box), "MemoryMax", "MemorySwapMax", "MemoryLow", "TasksMax", "CPUWeight", "CPUQuotaPerSecUSec", "AllowedCPUs") == {
        "MemoryMax": str(64 * MEGABYTE), "MemorySwapMax": str(32 * MEGABYTE), "MemoryLow": str(32 * MEGABYTE), "TasksMax": "33", "CPUWeight": "59",
        "CPUQuotaPerSecUSec": "500ms", "AllowedCPUs": "0"}
    subprocess.run(["systemctl", "daemon-reload"], check=True)
    assert files(box) == wanted


@differs(runc="runc 1.1 converts shares by a line", crun="crun 1.8 cannot read the document")
def test_update_tells_systemd(box):
    box.start()
    done = box.call("update", "--memory", "128M", "--memory-swap", "-1", "--pids-limit", "31", "--cpu-share", "2048", box.id)
    assert done.code == 0, done
    assert show(unit_of(box), "MemoryMax", "MemorySwapMax", "TasksMax", "CPUWeight") == {
        "MemoryMax": str(128 * MEGABYTE), "MemorySwapMax": "infinity", "TasksMax": "31", "CPUWeight": "174"}
    subprocess.run(["systemctl", "daemon-reload"], check=True)
    assert box.limit(None, "memory.max") == str(128 * MEGABYTE) and box.limit(None, "pids.max") == "31"


def test_delete_removes_the_scope(box):
    box.start("true")
    box.wait_for("stopped")
    assert box.call("delete", box.id).code == 0
    wait_until(lambda: show(unit_of(box), "LoadState")["LoadState"] == "not-found")
    assert not os.path.exists(f"/sys/fs/cgroup{box.group}")


def test_stopping_the_scope_ends_the_container(box):
    pid = box.start("trap 'exit 0' TERM; while :; do sleep 0.1; done")
    subprocess.run(["systemctl", "stop", unit_of(box)], check=True)
    assert not alive(pid) and box.status() == "stopped"


@differs(runc="runc 1.1 goes into the unit that is there")
def test_a_name_that_systemd_has_already_is_refused(box):
    subprocess.run(["systemd-run", "--scope", "--no-block", "--unit", unit_of(box), "sleep", "0"], check=False)
    sleeper = subprocess.Popen(["systemd-run", "--scope", "--quiet", "--unit", unit_of(box), "sleep", "60"])
    try:
        wait_until(lambda: show(unit_of(box), "ActiveState")["ActiveState"] == "active")
        assert box.run("true").has_failed("unitexists", "already")
    finally:
        subprocess.run(["systemctl", "stop", unit_of(box)], check=False)
        sleeper.wait(20)


def test_a_container_that_cannot_start_leaves_no_scope(box):
    assert box.run(["/no/such/program"]).code != 0
    wait_until(lambda: show(unit_of(box), "LoadState")["LoadState"] == "not-found")
