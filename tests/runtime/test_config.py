"""config.json, field by field, as the program inside sees it."""
import json
import os
import stat
import subprocess
import time

import bundle
import pytest
from bundle import CAPS, SELINUX, UNIFIED, make_tools

differs = pytest.mark.differs


def status(text):
    return {line.split(":")[0]: line.split(":")[1].strip() for line in text.splitlines() if ":" in line}


def mask(*numbers):
    return f"{sum(1 << number for number in numbers):016x}"


# --- process ---------------------------------------------------------------------------------------------------------


def test_environment_is_exactly_the_given(box):
    box.process["env"] = ["PATH=/bin", "A=b=c", "EMPTY="]
    lines = box.sh("env").splitlines()
    assert {"PATH=/bin", "A=b=c", "EMPTY="} <= set(lines) and {line.split("=")[0] for line in lines} <= {"PATH", "A", "EMPTY", "HOME", "PWD", "SHLVL", "OLDPWD"}


def test_of_two_values_of_a_variable_the_last_counts(box):
    """getenv(3) finds the first."""
    box.process["env"] = ["PATH=/bin", "A=first", "B=b", "A=last"]
    lines = box.run(["/bin/env"]).out.split()
    assert [line for line in lines if line.startswith("A=")] == ["A=last"] and "B=b" in lines


def test_working_directory(box):
    box.process["cwd"] = "/home"
    assert box.sh("pwd") == "/home"


@differs(crun="crun 1.8 takes it")
def test_working_directory_must_be_absolute(box):
    box.process["cwd"] = "home"
    assert box.run("true").has_failed("absolute")


def test_user_groups_and_umask(box):
    box.process["user"] = {"uid": 1000, "gid": 1001, "additionalGids": [5, 6], "umask": 0o77}
    assert box.sh("id -u; id -g; id -G; umask").split("\n") == ["1000", "1001", "1001 5 6", "0077"]


def test_capability_sets(box):
    box.process["user"] = {"uid": 1000, "gid": 1000}
    box.process["capabilities"] = {"bounding": ["CAP_KILL", "CAP_CHOWN", "CAP_NET_RAW"], "permitted": ["CAP_KILL", "CAP_CHOWN"], "inheritable": ["CAP_KILL"],
                                   "effective": ["CAP_KILL"], "ambient": ["CAP_KILL"]}
    found = status(box.sh("cat /proc/self/status"))
    # After execve(2) an ordinary user keeps what is ambient (capabilities(7)).
    assert (found["CapBnd"], found["CapInh"], found["CapPrm"], found["CapEff"], found["CapAmb"]) == (mask(0, 5, 13), mask(5), mask(5), mask(5), mask(5))


def test_no_capabilities_at_all(box):
    box.process["capabilities"] = {}
    found = status(box.sh("cat /proc/self/status"))
    assert {found[name] for name in ("CapBnd", "CapInh", "CapPrm", "CapEff", "CapAmb")} == {mask()}


def test_resource_limits(box):
    box.process["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200}, {"type": "RLIMIT_CORE", "soft": 0, "hard": 0}]
    assert box.sh("ulimit -Sn; ulimit -Hn; ulimit -c").split() == ["100", "200", "0"]


@pytest.mark.parametrize("limits", [[{"type": "RLIMIT_NOSUCH", "soft": 1, "hard": 1}], [{"type": "RLIMIT_NOFILE", "soft": 2, "hard": 1}]])
def test_impossible_resource_limits_are_refused(box, limits):
    box.process["rlimits"] = limits
    assert box.run("true").code != 0


@differs(runc="runc takes the last", crun="crun takes the last")
def test_resource_limit_given_twice_is_refused(box):
    box.process["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200}, {"type": "RLIMIT_NOFILE", "soft": 90, "hard": 200}]
    assert box.run("true").has_failed("rlimit_nofile")


@differs(crun="crun passes it on")
@pytest.mark.parametrize("entry", ["NAME", "=value", ""])
def test_environment_without_a_name_or_a_value_is_refused(box, entry):
    box.process["env"].append(entry)
    assert box.run("true").has_failed("environment variable")


@differs(runc="runc 1.1 has no user above 2147483647")
def test_user_of_a_high_number(box):
    box.process["user"] = {"uid": 4294967294, "gid": 3000000000}
    assert box.sh("id -u; id -g").split() == ["4294967294", "3000000000"]


@differs(crun="crun 1.8 takes it")
def test_user_that_is_no_number_of_one_is_refused(box):
    box.process["user"]["uid"] = 4294967295
    assert box.run("true").code != 0


@pytest.mark.parametrize("kind", ["missing", "file"])
def test_root_that_is_no_directory_is_refused(box, kind):
    if kind == "file":
        open(box.path("root"), "w").close()
    box.config["root"]["path"] = "root"
    assert box.run("true").code != 0
    assert not os.path.exists(box.cgroup("pids"))


def test_mount_on_the_root_is_refused(box):
    box.mount("/", "tmpfs", "tmpfs")
    assert box.run("true").code != 0


@pytest.mark.parametrize("wanted", [True, False])
def test_no_new_privileges(box, wanted):
    box.process["noNewPrivileges"] = wanted
    assert status(box.sh("cat /proc/self/status"))["NoNewPrivs"] == str(int(wanted))


def test_oom_score_adjustment(box):
    box.process["oomScoreAdj"] = 321
    assert box.sh("cat /proc/self/oom_score_adj") == "321"


@differs(runc="runc 1.1 ignores it", crun="crun 1.8 ignores the nice value")
def test_scheduler(box):
    box.process["scheduler"] = {"policy": "SCHED_BATCH", "nice": 5}
    assert box.sh("awk '{print $19, $41}' /proc/self/stat") == "5 3"


def scheduler_of(box, wanted):
    """policy, flags, nice, priority, runtime, deadline, period as the kernel has them."""
    make_tools(box)
    box.process["scheduler"] = wanted
    done = box.run(["/bin/tools", "scheduler"])
    assert done.code == 0, done
    return [int(word) for word in done.out.split()]


@differs(runc="runc 1.1 ignores it", crun="crun 1.8 ignores it")
def test_scheduler_of_deadlines(box):
    wanted = {"policy": "SCHED_DEADLINE", "runtime": 10_000_000, "deadline": 30_000_000, "period": 100_000_000, "flags": ["SCHED_FLAG_RECLAIM"]}
    assert scheduler_of(box, wanted) == [6, 2, 0, 0, 10_000_000, 30_000_000, 100_000_000]


@pytest.fixture
def real_time(box):
    """A group of version 1 gives of its own share only: the container's parent, which goes with it, gets some."""
    file = f"/sys/fs/cgroup/cpu{os.path.dirname(box.group)}/cpu.rt_runtime_us"
    if os.path.exists("/sys/fs/cgroup/cpu/cpu.rt_runtime_us"):
        box.resources["cpu"] = {"realtimeRuntime": 50000, "realtimePeriod": 500000}
        os.makedirs(os.path.dirname(file), exist_ok=True)
        with open(file, "w") as opened:
            opened.write("100000")


@pytest.mark.parametrize("policy, number", [("SCHED_FIFO", 1), ("SCHED_RR", 2)])
@differs(runc="runc 1.1 ignores it", crun="crun 1.8 ignores it")
def test_scheduler_of_real_time(box, real_time, policy, number):
    assert scheduler_of(box, {"policy": policy, "priority": 7})[:4] == [number, 0, 0, 7]


@pytest.mark.skipif(not os.path.exists("/sys/fs/cgroup/cpu/cpu.rt_runtime_us"), reason="this kernel shares out no real time")
def test_real_time_of_version_one(box, real_time):
    box.start()
    assert [box.limit("cpu", f"cpu.rt_{name}_us") for name in ("runtime", "period")] == ["50000", "500000"]


@pytest.mark.parametrize("wanted", [{"policy": "SCHED_OTHER", "priority": 1}, {"policy": "SCHED_FIFO", "runtime": 1}, {"policy": "SCHED_OTHER", "nice": 20},
                                    {"policy": "SCHED_DEADLINE", "runtime": 5, "deadline": 4, "period": 3}, {"policy": "SCHED_OTHER", "flags": ["SCHED_FLAG_NOSUCH"]}])
@differs(runc="runc 1.1 ignores it", crun="crun 1.8 ignores a part of it")
def test_scheduler_of_nonsense_is_refused(box, wanted):
    box.process["scheduler"] = wanted
    assert box.run("true").has_failed("sched")


@differs(runc="runc 1.1 ignores it", crun="crun 1.8 takes it")
def test_scheduler_that_is_not_there_is_refused(box):
    box.process["scheduler"] = {"policy": "SCHED_NOSUCH"}
    assert box.run("true").has_failed("sched")


@differs(runc="runc 1.1 ignores it", crun="crun 1.8 ignores it")
def test_io_priority(box):
    box.process["ioPriority"] = {"class": "IOPRIO_CLASS_BE", "priority": 6}
    box.start()
    ioprio = subprocess.run(["python3", "-c", f"import ctypes; print(ctypes.CDLL(None).syscall(252, 1, {box.pid()}))"], stdout=subprocess.PIPE, text=True)
    assert int(ioprio.stdout) == 2 << 13 | 6


@pytest.mark.skipif(not bundle.APPARMOR, reason="this kernel runs without AppArmor: tests/vm/run runtime")
@pytest.mark.row("process.apparmorProfile", "implemented", "in a virtual machine whose kernel has AppArmor; refused where it is not there, as runc does")
def test_apparmor_profile(box):
    box.process["apparmorProfile"] = "proa-runtime-test"
    with bundle.apparmor_profile("proa-runtime-test", "deny /tmp/secret w,"):
        done = box.run("cat /proc/self/attr/current; echo x >/tmp/other && echo x >/tmp/secret")
        assert done.out == "proa-runtime-test (enforce)\n" and "can't create /tmp/secret: Permission denied" in done.err, done
    assert box.run("true").has_failed("apparmor", "attr/exec")


def test_apparmor_profile_without_apparmor(box):
    if os.path.exists("/sys/kernel/security/apparmor"):
        pytest.skip("this host has AppArmor")
    box.process["apparmorProfile"] = "some-profile"
    assert box.run("true").has_failed("apparmor")


@pytest.mark.skipif(SELINUX, reason="there is SELinux here")
@differs(crun="crun 1.8 ignores it where there is no SELinux")
def test_selinux_label_without_selinux(box):
    box.process["selinuxLabel"] = "system_u:system_r:container_t:s0"
    assert box.run("true").has_failed("selinux")


@pytest.mark.skipif(SELINUX, reason="there is SELinux here")
@differs(crun="crun 1.8 ignores it where there is no SELinux")
def test_mount_label_without_selinux(box):
    """The mounts cannot have it, and runc has them fail."""
    box.linux["mountLabel"] = "system_u:object_r:container_file_t:s0"
    assert box.run("true").has_failed("selinux is disabled", "invalid argument")


# --- root, names, mounts ---------------------------------------------------------------------------------------------


@differs(crun="crun follows it")
@pytest.mark.parametrize("path", ["link", "link/", "here/rootfs"])
def test_a_root_behind_a_link_is_refused(box, path):
    os.symlink("rootfs", box.path("link"))
    os.symlink(".", box.path("here"))
    for top in ("", box.bundle + "/"):
        box.config["root"]["path"] = top + path
        assert box.run("true").has_failed("invalid rootfs: not an absolute path, or a symlink")


def test_a_bundle_behind_a_link(box):
    os.symlink(box.bundle, box.path("link"))
    box.args("echo ran")
    box.save()
    assert box.call("run", "-b", box.path("link"), box.id).out == "ran\n"


def test_read_only_root(box):
    box.config["root"]["readonly"] = True
    assert "Read-only file system" in box.run("touch /file").err
    assert not os.path.exists(box.path("rootfs/file"))


@differs(runc="runc 1.1 ignores the domain name")
def test_host_and_domain_name(box):
    box.config["hostname"] = "given"
    box.config["domainname"] = "example.org"
    assert box.sh("hostname; cat /proc/sys/kernel/domainname").split() == ["given", "example.org"]


def test_hostname_needs_a_namespace(box):
    box.namespace("uts", absent=True)
    assert box.run("true").has_failed("uts")


@pytest.mark.parametrize("option, flag", [("ro", "ro"), ("nosuid", "nosuid"), ("nodev", "nodev"), ("noexec", "noexec"), ("noatime", "noatime"), ("nodiratime", "nodiratime")])
@pytest.mark.parametrize("kind", ["bind", "tmpfs"])
def test_mount_options(box, kind, option, flag):
    if kind == "bind":
        os.mkdir(box.path("source"))
        box.bind(box.path("source"), "/mnt", "rbind", option)
    else:
        box.mount("/mnt", "tmpfs", "tmpfs", option)
    line = box.sh("grep ' /mnt ' /proc/self/mounts")
    assert flag in line.split()[3].split(",")


@differs(runc="runc 1.1 gives it the mode of the directory below")
def test_tmpfs_parameters(box):
    box.mount("/mnt", "tmpfs", "tmpfs", "size=1m", "mode=700", "uid=5")
    out = box.sh("stat -c '%a %u' /mnt; df -k /mnt | tail -1").split()
    assert out[:2] == ["700", "5"] and out[3] == "1024"


def test_recursive_attributes_reach_mounts_below(box):
    os.makedirs(box.path("source/below"))
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", box.path("source/below")], check=True)
    try:
        box.bind(box.path("source"), "/mnt", "rbind", "rro")
        assert "Read-only" in box.run("touch /mnt/below/file").err
    finally:
        subprocess.run(["umount", box.path("source/below")], check=True)


def test_bind_without_r_leaves_mounts_below_out(box):
    os.makedirs(box.path("source/below"))
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", box.path("source/below")], check=True)
    try:
        open(box.path("source/below/file"), "w").close()
        box.bind(box.path("source"), "/mnt", "bind")
        assert box.sh("ls /mnt/below") == ""
    finally:
        subprocess.run(["umount", box.path("source/below")], check=True)


@pytest.mark.parametrize("kind", ["bind", "rbind"])
def test_bind_of_the_hosts_whole_root(box, kind):
    """Not of the container's, which may lie over it by then."""
    box.bind("/", "/mnt", kind, "ro")
    assert set(box.sh("ls -A /mnt").split()) == set(os.listdir("/"))
    assert (box.sh("ls -A /mnt/proc") != "") == (kind == "rbind")


def test_bind_of_a_file(box):
    with open(box.path("file"), "w") as file:
        file.write("content")
    box.bind(box.path("file"), "/new/place/file", "bind", "ro")
    assert box.sh("cat /new/place/file") == "content"


@pytest.fixture
def shared_source(box):
    """A directory on a mount that is shared with the host."""
    path = box.path("source")
    os.mkdir(path)
    subprocess.run(["mount", "--bind", path, path], check=True)
    subprocess.run(["mount", "--make-shared", path], check=True)
    yield path
    subprocess.run(["umount", path], check=True)


def propagation_of(box, path):
    line = box.sh(f"grep ' {path} ' /proc/self/mountinfo")
    return [one.split(":")[0] for one in line.split(" - ")[0].split()[6:]]


def test_a_bind_is_private(box, shared_source):
    box.bind(shared_source, "/mnt", "rbind", "rprivate")
    assert propagation_of(box, "/mnt") == []


@differs(crun="crun 1.8 takes it off again with the root's propagation")
@pytest.mark.parametrize("option, seen", [("rslave", ["master"]), ("rshared", ["shared", "master"]), ("runbindable", ["unbindable"])])
def test_propagation_of_a_bind(box, shared_source, option, seen):
    box.bind(shared_source, "/mnt", "rbind", option)
    assert propagation_of(box, "/mnt") == seen


def test_source_that_is_not_there(box):
    box.bind(box.path("missing"), "/mnt")
    assert box.run("true").has_failed("missing")


def test_mqueue_and_devpts(box):
    lines = box.sh("cat /proc/self/mounts; ls -l /dev/ptmx").splitlines()
    assert any(line.startswith("mqueue /dev/mqueue mqueue") for line in lines) and any(line.startswith("devpts /dev/pts devpts") for line in lines)
    assert lines[-1].endswith("pts/ptmx")


@pytest.mark.parametrize("propagation, seen", [("", "master:"), ("rslave", "master:"), ("rprivate", "")])
def test_propagation_of_the_root(box, propagation, seen):
    if propagation:
        box.linux["rootfsPropagation"] = propagation
    line = next(line for line in box.sh("cat /proc/self/mountinfo").splitlines() if line.split()[4] == "/")
    assert "shared:" not in line.split(" - ")[0]


@pytest.mark.parametrize("propagation", ["shared", "rshared", "slave", "rslave", "private", "rprivate"])
def test_leaving_the_hosts_root_unmounts_nothing_of_the_host(box, shared_source, propagation):
    deeper = os.path.join(shared_source, "deeper")
    os.mkdir(deeper)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", deeper], check=True)
    try:
        box.linux["rootfsPropagation"] = propagation
        box.sh("true")
        assert os.path.ismount(deeper)
    finally:
        subprocess.run(["umount", deeper], check=False)


def test_masked_and_read_only_paths(box):
    os.makedirs(box.path("rootfs/secret/dir"))
    with open(box.path("rootfs/secret/file"), "w") as file:
        file.write("secret")
    os.makedirs(box.path("rootfs/fixed"))
    box.linux["maskedPaths"] = ["/secret/dir", "/secret/file", "/not/there"]
    box.linux["readonlyPaths"] = ["/fixed", "/proc/sys", "/not/there"]
    done = box.run("wc -c </secret/file; ls /secret/dir | wc -l; touch /fixed/x; touch /secret/dir/x; echo 1 >/proc/sys/kernel/shm_rmid_forced")
    assert done.out.split() == ["0", "0"] and done.err.count("Read-only file system") == 3


# --- namespaces ------------------------------------------------------------------------------------------------------

NAMESPACES = {"pid": "pid", "network": "net", "ipc": "ipc", "uts": "uts", "mount": "mnt", "cgroup": "cgroup"}


def test_new_namespaces(box):
    box.namespace("cgroup")
    for line in box.sh("for n in pid net ipc uts mnt cgroup; do readlink /proc/self/ns/$n; done").splitlines():
        assert line != os.readlink(f"/proc/self/ns/{line.split(':')[0]}")


@pytest.mark.parametrize("kind", ["pid", "network", "ipc", "uts", "cgroup"])
def test_namespace_by_path(box, another, kind):
    other = another.start()
    box.namespace(kind, f"/proc/{other}/ns/{NAMESPACES[kind]}")
    box.config.pop("hostname")
    assert box.sh(f"readlink /proc/self/ns/{NAMESPACES[kind]}") == os.readlink(f"/proc/{other}/ns/{NAMESPACES[kind]}")


@pytest.mark.parametrize("kind", ["network", "ipc", "uts"])
def test_namespace_of_the_host(box, kind):
    box.namespace(kind, absent=True)
    box.config.pop("hostname")
    assert box.sh(f"readlink /proc/self/ns/{NAMESPACES[kind]}") == os.readlink(f"/proc/self/ns/{NAMESPACES[kind]}")


def test_message_queues_are_of_the_root_of_a_user_namespace(box):
    box.map_user()
    assert box.sh("stat -c %u /dev/mqueue") == "0"


def test_user_namespace(box):
    box.map_user(100000, 5000)
    assert box.sh("cat /proc/self/uid_map /proc/self/gid_map").split() == ["0", "100000", "5000"] * 2
    assert box.sh("id -u") == "0"


@differs(crun="crun 1.8 fails later, for another reason")
def test_user_namespace_without_mappings_is_refused(box):
    box.namespace("user")
    assert box.run("true").has_failed("mapping")


@differs(crun="crun 1.8 takes a namespace twice")
def test_namespace_given_twice_is_refused(box):
    box.linux["namespaces"].append({"type": "pid"})
    assert box.run("true").code != 0


@pytest.mark.parametrize("spaces", [[{"type": "nosuch"}], [{"type": "network", "path": "/not/there"}]])
def test_impossible_namespaces_are_refused(box, spaces):
    box.linux["namespaces"] = [one for one in box.linux["namespaces"] if one["type"] not in ("pid", "network")] + spaces
    assert box.run("true").code != 0


# --- devices, sysctl, personality ------------------------------------------------------------------------------------


def test_default_devices(box):
    out = box.sh("ls -lL /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty; for n in fd stdin stdout stderr; do readlink /dev/$n; done")
    assert out.count("crw-rw-rw-") == 6 and out.split()[-4:] == ["/proc/self/fd", "/proc/self/fd/0", "/proc/self/fd/1", "/proc/self/fd/2"]


def test_devices_of_ones_own(box):
    box.linux["devices"] = [{"path": "/dev/mine", "type": "c", "major": 1, "minor": 5, "fileMode": 0o640, "uid": 7, "gid": 8},
                            {"path": "/dev/pipe", "type": "p", "major": 0, "minor": 0}]
    box.resources["devices"].append({"allow": True, "type": "c", "major": 1, "minor": 5, "access": "rwm"})
    assert box.sh("stat -c '%a %u %g %t %T' /dev/mine; test -p /dev/pipe && echo pipe; head -c 2 /dev/mine | od -An -tx1").split() == ["640", "7", "8", "1", "5", "pipe", "00", "00"]


@differs(runc="runc leaves what is there", crun="crun leaves what is there")
@pytest.mark.parametrize("kind", ["file", "device"])
def test_device_at_the_place_of_something_else_is_refused(box, kind):
    if kind == "file":
        open(box.path("rootfs/mine"), "w").close()
    else:
        os.mknod(box.path("rootfs/mine"), stat.S_IFCHR | 0o666, os.makedev(1, 5))
    box.linux["devices"] = [{"path": "/mine", "type": "c", "major": 1, "minor": 3}]
    assert box.run("true").has_failed("/mine")
    assert os.path.exists(box.path("rootfs/mine"))


def test_device_that_is_there_already_is_taken(box):
    os.mknod(box.path("rootfs/mine"), stat.S_IFCHR | 0o600, os.makedev(1, 3))
    box.linux["devices"] = [{"path": "/mine", "type": "c", "major": 1, "minor": 3}]
    assert box.sh("stat -c '%t %T' /mine") == "1 3"


def test_sysctl(box):
    box.linux["sysctl"] = {"net.ipv4.ip_forward": "1", "kernel.shm_rmid_forced": "1"}
    assert box.sh("cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shm_rmid_forced").split() == ["1", "1"]


@differs(runc="runc 1.1 ignores it")
def test_personality(box):
    box.linux["personality"] = {"domain": "LINUX32"}
    assert box.sh("uname -m") in ("i686", "i386")


@differs(runc="runc 1.1 ignores it")
def test_personality_of_an_exec(box):
    box.linux["personality"] = {"domain": "LINUX32"}
    box.start()
    done = box.exec("uname", "-m")
    assert done.out.strip() in ("i686", "i386"), done


@differs(runc="runc 1.1 ignores it", crun="crun 1.8 ignores it")
@pytest.mark.row("linux.personality.flags", "refused", "the specification has the field and says that no flag is supported")
def test_flags_of_a_personality_are_refused(box):
    box.linux["personality"] = {"domain": "LINUX", "flags": ["ADDR_NO_RANDOMIZE"]}
    assert box.run("true").has_failed("personality")


# --- hooks and annotations -------------------------------------------------------------------------------------------


def hook(box, name, script, **more):
    path = box.path(f"{name}.hook")
    with open(path, "w") as file:
        file.write(f"#!/bin/sh\n{script}\n")
    os.chmod(path, 0o755)
    return [{"path": path, **more}]


def test_hooks_run_in_their_order_with_the_state(box):
    log = box.path("log")
    kinds = ["prestart", "createRuntime", "createContainer", "poststart", "poststop"]
    box.config["hooks"] = {kind: hook(box, kind, f"echo {kind} $1 $GIVEN $(cat) >>{log}", args=["hook", "word"], env=["GIVEN=value", "PATH=/usr/bin:/bin"], timeout=60) for kind in kinds}
    box.config["annotations"] = {"org.example.key": "value"}
    assert box.run("true").code == 0
    with open(log) as file:
        lines = file.read().splitlines()
    assert [line.split()[0] for line in lines] == kinds
    for line, state in zip(lines, ("creating", "creating", "creating", "running", "stopped")):
        _, word, given, document = line.split(" ", 3)
        document = json.loads(document)
        assert (word, given, document["id"], document["bundle"]) == ("word", "value", box.id, box.bundle)
        assert document["annotations"] == {"org.example.key": "value"} and document["ociVersion"]
        if state == "creating":
            assert document["status"] in ("creating", "created")  # older runtimes say created


def test_start_container_hook_runs_inside(box):
    os.makedirs(box.path("rootfs/hooks"))
    with open(box.path("rootfs/hooks/start"), "w") as file:
        file.write("#!/bin/sh\ncat >/tmp/state\nhostname >/tmp/name\n")
    os.chmod(box.path("rootfs/hooks/start"), 0o755)
    box.config["hooks"] = {"startContainer": [{"path": "/hooks/start", "env": ["PATH=/bin"]}]}
    assert box.sh("cat /tmp/name") == "box"
    with open(box.path("rootfs/tmp/state")) as file:
        assert json.load(file)["id"] == box.id


@pytest.mark.parametrize("kind", ["prestart", "createRuntime", "createContainer"])
def test_hook_that_fails_ends_the_creation(box, kind):
    box.config["hooks"] = {kind: hook(box, kind, "echo no >&2; exit 3")}
    assert box.run("true").code != 0
    assert box.call("state", box.id).code != 0


@differs(runc="runc 1.1 leaves the others out")
def test_poststop_hook_that_fails_keeps_nobody_from_anything(box):
    box.config["hooks"] = {"poststop": hook(box, "bad", "exit 3") + hook(box, "good", f"echo good >>{box.path('log')}")}
    assert box.run("exit 4").code == 4
    with open(box.path("log")) as file:
        assert file.read() == "good\n"


def logged(box):
    """Which hooks have run."""
    if not os.path.exists(box.path("log")):
        return []
    with open(box.path("log")) as file:
        return file.read().split()


def start_hook(box, script):
    """A hook inside the root, where startContainer's are looked for."""
    os.makedirs(box.path("rootfs/hooks"))
    with open(box.path("rootfs/hooks/start"), "w") as file:
        file.write(f"#!/bin/sh\n{script}\n")
    os.chmod(box.path("rootfs/hooks/start"), 0o755)
    return [{"path": "/hooks/start"}]


def check_the_end(box, kind, bad):
    """runtime.md, lifecycle: an error, then steps 12 (everything is undone) and 13 (poststop)."""
    box.config["hooks"] = {kind: bad, "poststop": hook(box, "stop", f"cat >>{box.path('state')}; echo stop >>{box.path('log')}")}
    assert box.run("sleep 1000").has_failed("hook", "exit status 3")
    assert logged(box) == ["stop"] and box.call("state", box.id).code != 0
    with open(box.path("state")) as file:
        assert json.load(file)["status"] == "stopped"
    assert not os.path.exists(box.cgroup("pids"))


@differs(crun="crun 1.8 runs no poststop hook then, and its poststart hooks may fail")
@pytest.mark.parametrize("kind", ["prestart", "createRuntime", "createContainer", "poststart"])
def test_hook_that_fails_is_the_end_and_poststop_hooks_run(box, kind):
    check_the_end(box, kind, hook(box, "bad", "exit 3"))


def test_start_container_hook_that_fails_is_the_end_and_poststop_hooks_run(box):
    check_the_end(box, "startContainer", start_hook(box, "exit 3"))


@differs(crun="crun 1.8 runs no poststop hook then")
def test_poststop_hooks_run_where_the_program_is_not_there(box):
    box.config["hooks"] = {"poststop": hook(box, "stop", f"echo stop >>{box.path('log')}")}
    assert box.run(["/no/such/program"]).code != 0
    assert logged(box) == ["stop"]


IMPOSSIBLE = {
    "process.cwd": "not/absolute", "process.args": [], "process.env": ["NAME"], "process.rlimits": [{"type": "RLIMIT_NOSUCH", "soft": 1, "hard": 1}],
    "process.oomScoreAdj": 2000, "process.user.uid": 4294967295, "process.scheduler": {"policy": "SCHED_NOSUCH"},
    "process.ioPriority": {"class": "IOPRIO_CLASS_NOSUCH", "priority": 1}, "root.path": "nowhere", "ociVersion": "2.0.0",
    "mounts": [{"destination": "/mnt", "source": "/etc"}], "linux.namespaces": [{"type": "mount"}, {"type": "nosuch"}], "linux.rootfsPropagation": "nosuch",
    "linux.devices": [{"type": "q", "path": "/dev/q", "major": 1, "minor": 3}], "linux.sysctl": {"vm.swappiness": "60"}, "linux.maskedPaths": ["relative"],
    "linux.readonlyPaths": ["relative"], "linux.mountLabel": "label", "linux.personality": {"domain": "NOSUCH"}, "linux.timeOffsets": {"monotonic": {"secs": 1}},
    "linux.seccomp": {"defaultAction": "SCMP_ACT_NOSUCH"}, "linux.memoryPolicy": {"mode": "MPOL_NOSUCH"}, "linux.intelRdt": {"closID": "a/b"},
    "linux.uidMappings": [{"containerID": 0, "hostID": 100000, "size": 1}], "hooks.createRuntime": [{"path": "relative"}]}


@pytest.mark.ours
@pytest.mark.parametrize("field", IMPOSSIBLE)
def test_what_cannot_be_is_refused_before_anything_is_made(box, field):
    """What had been made would be undone, and the poststop hook run."""
    box.config["hooks"] = {kind: hook(box, kind, f"echo {kind} >>{box.path('log')}") for kind in ("prestart", "poststop")}
    box.args("true")
    *path, last = field.split(".")
    where = box.config
    for name in path:
        where = where[name]
    where[last] = IMPOSSIBLE[field]
    done = box.run()
    assert done.code == 1 and "level=error" in done.err, done
    assert logged(box) == [] and not os.path.exists(box.cgroup("pids"))


@differs(runc="runc 1.1 runs it at create, and fails there", crun="crun 1.8 lets it fail")
def test_poststart_hook_that_fails_at_start_ends_the_container(box):
    box.config["hooks"] = {"poststart": hook(box, "bad", "exit 3"), "poststop": hook(box, "stop", f"echo stop >>{box.path('log')}")}
    assert box.create().code == 0
    pid = box.pid()
    assert box.call("start", box.id).has_failed("exit status 3")
    assert not bundle.alive(pid) and logged(box) == ["stop"] and box.call("state", box.id).code != 0


@differs(runc="runc's start does not wait", crun="crun's start does not wait")
def test_start_says_what_goes_wrong_behind_the_gate(box):
    box.config["hooks"] = {"startContainer": start_hook(box, "exit 3")}
    assert box.create().code == 0
    assert box.call("start", box.id).has_failed("hook")
    box.wait_for("stopped")


@differs(runc="runc's start does not wait", crun="crun's start does not wait")
def test_start_says_that_a_program_is_none(box):
    with open(box.path("rootfs/bin/none"), "wb") as file:
        file.write(b"\x7fELF is all it has")
    os.chmod(box.path("rootfs/bin/none"), 0o755)
    box.process["args"] = ["/bin/none"]
    box.save()
    assert box.call("create", "-b", box.bundle, box.id).code == 0
    assert box.call("start", box.id).has_failed("exec format error")


def test_hook_that_takes_too_long_ends_the_creation(box):
    box.config["hooks"] = {"createRuntime": hook(box, "slow", "exec sleep 20", timeout=1)}
    assert box.run("true", timeout=15).code != 0


@differs(crun="crun 1.8 takes it for none")
def test_timeout_of_a_hook_may_not_be_zero(box):
    box.config["hooks"] = {"createRuntime": hook(box, "quick", "exit 0", timeout=0)}
    assert box.run("true").has_failed("timeout")


def test_timeout_of_a_hook_may_not_be_negative(box):
    box.config["hooks"] = {"createRuntime": hook(box, "quick", "exit 0", timeout=-1)}
    assert box.run("true").code != 0


def test_hook_needs_an_absolute_path(box):
    box.config["hooks"] = {"createRuntime": [{"path": "relative"}]}
    assert box.run("true").code != 0


def test_annotations_are_in_the_state(box):
    box.config["annotations"] = {"a": "b"}
    box.start()
    assert box.state()["annotations"] == {"a": "b"}


# --- seccomp ---------------------------------------------------------------------------------------------------------


def filtered(box, *rules, default="SCMP_ACT_ALLOW", **more):
    box.linux["seccomp"] = {"defaultAction": default, "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"], "syscalls": list(rules), **more}


def test_seccomp_errno(box):
    filtered(box, {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 75})
    assert "Value too large" in box.run("mkdir /tmp/x").err


def test_seccomp_default_action_and_errno(box):
    filtered(box, {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"})
    assert "Operation not permitted" in box.run("mkdir /tmp/x").err


@pytest.mark.parametrize("action, code", [("SCMP_ACT_KILL", 159), ("SCMP_ACT_KILL_PROCESS", 159), ("SCMP_ACT_KILL_THREAD", 159), ("SCMP_ACT_TRAP", 159), ("SCMP_ACT_LOG", 0)])
def test_seccomp_actions(box, action, code):
    filtered(box, {"names": ["mkdir", "mkdirat"], "action": action})
    assert box.run("mkdir /tmp/x; exit $?").code == code


@pytest.mark.parametrize("op, value, two, hit", [("SCMP_CMP_EQ", 5, 0, [5]), ("SCMP_CMP_NE", 5, 0, [4, 6]), ("SCMP_CMP_LT", 5, 0, [4]), ("SCMP_CMP_LE", 5, 0, [4, 5]),
                                                 ("SCMP_CMP_GT", 5, 0, [6]), ("SCMP_CMP_GE", 5, 0, [5, 6]), ("SCMP_CMP_MASKED_EQ", 4, 4, [4, 5, 6])])
def test_seccomp_operators(box, op, value, two, hit):
    """kill(pid, signal 0..): the second argument is judged."""
    filtered(box, {"names": ["kill"], "action": "SCMP_ACT_ERRNO", "errnoRet": 75, "args": [{"index": 1, "value": value, "valueTwo": two, "op": op}]})
    out = box.run("trap '' 4 5 6; for s in 4 5 6; do kill -$s $$ 2>&1 | grep -c large; done")
    assert [number for number, seen in zip((4, 5, 6), out.out.split()) if seen == "1"] == hit


@pytest.mark.parametrize("seccomp", [{"defaultAction": "SCMP_ACT_NOSUCH"}, {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_NOSUCH"]},
                                     {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["kill"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 1, "value": 1, "op": "SCMP_CMP_NOSUCH"}]}]}])
def test_seccomp_of_nonsense_is_refused(box, seccomp):
    box.linux["seccomp"] = seccomp
    assert box.run("true").code != 0


def is_filtered_with(box, arch):
    """The filter that is for that architecture too is in force for this machine's own."""
    filtered(box, {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 75}, architectures=["SCMP_ARCH_" + arch])
    return "Value too large" in box.run("mkdir /tmp/x").err


@pytest.mark.parametrize("arch", ["X86_64", "X86", "X32", "AARCH64", "ARM", "MIPSEL", "MIPSEL64", "MIPSEL64N32", "PPC64LE"])
def test_seccomp_architectures(box, arch):
    assert is_filtered_with(box, arch)


@differs(runc="runc 1.1 does not know it")
def test_seccomp_of_riscv(box):
    assert is_filtered_with(box, "RISCV64")


@pytest.mark.parametrize("arch", ["LOONGARCH64", "SH"])
@differs(runc="runc 1.1 does not know it", crun="Debian 12's libseccomp does not know it")
def test_seccomp_of_newer_architectures(box, arch):
    assert is_filtered_with(box, arch)


@pytest.mark.parametrize("arch", ["MIPS", "MIPS64", "MIPS64N32", "PARISC", "PARISC64", "PPC", "PPC64", "S390", "S390X", "M68K", "SHEB"])
def test_seccomp_of_the_other_byte_order_is_refused(box, arch):
    """As libseccomp does, and so runc and crun: one filter, one byte order."""
    box.linux["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_" + arch]}
    done = box.run("true")
    assert done.code != 0 and (not bundle.IS_OURS or f"SCMP_ARCH_{arch}" in done.err and "has not the byte order" in done.err), done


def test_unknown_system_calls_are_left_out(box):
    filtered(box, {"names": ["no_such_call"], "action": "SCMP_ACT_ERRNO"})
    assert box.run("true").code == 0


# --- resources of version 1 ------------------------------------------------------------------------------------------

v1 = pytest.mark.skipif(UNIFIED, reason="needs a host with cgroup v1")


@v1
def test_limits_of_version_one(box):
    box.resources.update(memory={"limit": 64 << 20, "reservation": 32 << 20, "swap": 96 << 20, "swappiness": 10, "disableOOMKiller": False},
                         cpu={"shares": 512, "quota": 50000, "period": 200000, "cpus": "0", "mems": "0"}, pids={"limit": 33})
    box.start()
    assert [box.limit("memory", f"memory.{name}") for name in ("limit_in_bytes", "soft_limit_in_bytes", "swappiness")] == [str(64 << 20), str(32 << 20), "10"]
    assert [box.limit("cpu", f"cpu.{name}") for name in ("shares", "cfs_quota_us", "cfs_period_us")] == ["512", "50000", "200000"]
    assert [box.limit("cpuset", f"cpuset.{name}") for name in ("cpus", "mems")] == ["0", "0"] and box.limit("pids", "pids.max") == "33"


@differs(crun="crun 1.8 leaves the group behind")
def test_limits_of_nonsense_are_refused_and_leave_nothing(box):
    box.resources["cpu"] = {"cpus": "99999"}
    assert box.run("true").code != 0
    assert not os.path.exists(box.cgroup("cpuset"))


def test_cgroups_path(box):
    box.linux["cgroupsPath"] = f"/proa-runtime-test/{box.id}"
    box.start()
    with open(f"/proc/{box.pid()}/cgroup") as file:
        assert f"/proa-runtime-test/{box.id}" in file.read()


def test_process_limit_holds(box):
    box.resources["pids"] = {"limit": 3}
    done = box.run("sleep 1 & sleep 1 & sleep 1 & sleep 1 & wait")
    assert "fork" in done.err


def test_mode_of_the_container_root_is_kept(box):
    os.chmod(box.rootfs, 0o711)
    assert stat.S_IMODE(os.stat(box.rootfs).st_mode) == 0o711 and box.sh("stat -c %a /") == "711"


def test_unknown_fields_are_ignored(box):
    box.config["x-unknown"] = {"a": 1}
    box.process["x-unknown"] = 1
    assert box.run("true").code == 0


@differs(runc="runc 1.1 does not look at it")
def test_wrong_version_is_refused(box):
    box.config["ociVersion"] = "2.0.0"
    assert box.run("true").code != 0


@v1
@differs(runc="runc 1.1 ignores kernelTCP")
def test_further_limits_of_version_one(box):
    box.resources.update(memory={"limit": 64 << 20, "kernelTCP": 1 << 20, "useHierarchy": True, "checkBeforeUpdate": True},
                         cpu={"quota": 50000, "period": 100000, "burst": 1000, "idle": 0})
    box.start()
    assert box.limit("memory", "memory.kmem.tcp.limit_in_bytes") == str(1 << 20)


@v1
@differs(runc="runc 1.1 does not know it", crun="crun 1.8 does not know it on version 1")
def test_burst_of_version_one(box):
    box.resources["cpu"] = {"quota": 50000, "period": 100000, "burst": 1000}
    box.start()
    assert box.limit("cpu", "cpu.cfs_burst_us") == "1000"


@v1
@differs(runc="runc 1.1 does not know it")
def test_idle_of_version_one(box):
    box.resources["cpu"] = {"idle": 1}
    box.start()
    assert box.limit("cpu", "cpu.idle") == "1"


@v1
def test_throttles_of_version_one(box):
    disk = next(name for name in sorted(os.listdir("/sys/block")) if name.startswith(("vd", "sd", "nvme")))
    with open(f"/sys/block/{disk}/dev") as file:
        major, minor = map(int, file.read().split(":"))
    rate = [{"major": major, "minor": minor, "rate": 1 << 20}]
    box.resources["blockIO"] = {f"throttle{kind}Device": rate for kind in ("ReadBps", "WriteBps", "ReadIOPS", "WriteIOPS")}
    box.start()
    for kind in ("read_bps", "write_bps", "read_iops", "write_iops"):
        assert box.limit("blkio", f"blkio.throttle.{kind}_device") == f"{major}:{minor} {1 << 20}"


@differs(runc="runc 1.1 does not know it", crun="crun 1.8 does not know it")
def test_flags_of_a_memory_policy(box):
    box.linux["memoryPolicy"] = {"mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_STATIC_NODES"]}
    assert "bind=static:0" in box.sh("cat /proc/self/numa_maps")


@differs(runc="runc 1.1 knows no flags")
def test_seccomp_default_errno_and_flags(box):
    filtered(box, {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1}, default="SCMP_ACT_ALLOW",
             flags=["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW"])
    assert "Operation not permitted" in box.run("mkdir /tmp/x").err


# What a shell and what starts it call, but for making directories.
NEEDED = """access arch_prctl brk capget capset chdir clone clone3 close close_range dup dup2 dup3 epoll_ctl epoll_pwait execve exit exit_group faccessat faccessat2
    fchdir fchown fcntl fstat fstatfs futex getcwd getdents64 getegid geteuid getgid getpid getppid getrandom getsockopt gettid getuid ioctl lseek madvise mmap mprotect
    munmap nanosleep newfstatat openat pipe2 poll prctl pread64 prlimit64 read readlink readlinkat recvmsg rseq rt_sigaction rt_sigprocmask rt_sigreturn
    sched_getaffinity sched_yield sendmsg set_robust_list set_tid_address setgid setgroups setuid sigaltstack stat statx tgkill umask uname wait4 write""".split()


def test_seccomp_default_errno(box):
    filtered(box, {"names": NEEDED, "action": "SCMP_ACT_ALLOW"}, default="SCMP_ACT_ERRNO", defaultErrnoRet=75)
    assert "Value too large" in box.run("mkdir /tmp/x").err


@differs(runc="runc ignores it")
@pytest.mark.parametrize("where", ["rule", "default"])
def test_seccomp_errno_of_an_action_that_has_none_is_refused(box, where):
    rule = {"names": ["mkdir"], "action": "SCMP_ACT_ERRNO"}
    if where == "rule":
        filtered(box, {"names": ["mkdir"], "action": "SCMP_ACT_KILL", "errnoRet": 1}, default="SCMP_ACT_ALLOW")
    else:
        filtered(box, rule, default="SCMP_ACT_ALLOW", defaultErrnoRet=5)
    assert box.run("true").has_failed("errno")


@differs(runc="runc 1.1 does not know it", crun="crun 1.8 ignores the nice value")
def test_scheduler_flags(box):
    box.process["scheduler"] = {"policy": "SCHED_OTHER", "nice": 3, "flags": ["SCHED_FLAG_RESET_ON_FORK"]}
    assert box.sh("awk '{print $19, $41}' /proc/1/stat") == "3 0"


def test_real_time_needs_a_share_of_its_group(box):
    """A group of version 1 has none by default (sched(7)); version 2 has none to give."""
    box.resources["cpu"] = {"realtimeRuntime": 1 << 40, "realtimePeriod": 1}
    assert UNIFIED or box.run("true").code != 0


# The hierarchies of version 1 that this host has not mounted, in a mount namespace that ends with the command.
WITH_NETWORK_GROUPS = """
mount --make-rprivate / && mkdir "$1/groups" && mount -t tmpfs groups "$1/groups" &&
for path in /sys/fs/cgroup/*; do name=${path##*/}; mkdir "$1/groups/$name" && mount --bind "$path" "$1/groups/$name" || exit 99; done
for name in net_cls net_prio; do
  mountpoint -q "$1/groups/$name" || { mkdir -p "$1/groups/$name" && mount -t cgroup -o $name cgroup "$1/groups/$name"; } || exit 98
done
mount --rbind "$1/groups" /sys/fs/cgroup && shift || exit 97
parent=$1; shift; "$@"; code=$?
rmdir "/sys/fs/cgroup/net_cls$parent" "/sys/fs/cgroup/net_prio$parent"
exit $code
"""


def hierarchies():
    """Of the network groups, by number; 0: none."""
    with open("/proc/cgroups") as file:
        return {line.split()[0]: int(line.split()[1]) for line in file if line.startswith("net_")}


@pytest.fixture
def network_groups():
    """A hierarchy that had a group at its last unmount lives on, and engines then miss it among the mounts: once the
    group is gone for good, one more mount and unmount ends it."""
    before = hierarchies()
    if len(before) < 2:
        pytest.skip("this kernel has no network groups")
    yield
    again = "mount --make-rprivate / && for name in net_cls net_prio; do mount -t cgroup -o $name cgroup /mnt && umount /mnt; done"
    for _ in range(100):
        if hierarchies().keys() == before.keys() and all(hierarchies()[name] == 0 for name in before if before[name] == 0):
            return
        subprocess.run(["unshare", "-m", "sh", "-c", again], check=True)
        time.sleep(0.1)  # the kernel's own time
    pytest.fail(f"hierarchies were left: {hierarchies()}")


@v1
def test_network_groups_of_version_one(box, network_groups):
    box.resources["network"] = {"classID": 0x100001, "priorities": [{"name": "lo", "priority": 5}]}
    box.mount("/sys/fs/cgroup", "cgroup", "cgroup", "ro")
    box.args("cat /sys/fs/cgroup/net_cls/net_cls.classid; grep 'lo ' /sys/fs/cgroup/net_prio/net_prio.ifpriomap; grep -c net_ /proc/self/cgroup")
    box.save()
    done = bundle.run_program(["unshare", "-m", "sh", "-c", WITH_NETWORK_GROUPS, "sh", box.bundle, os.path.dirname(box.group), bundle.PROGRAM, "--root", box.runtime.root,
                               "run", "-b", box.bundle, box.id])
    bundle.record_fields(box.config, done)
    assert done.code == 0 and done.out.split() == [str(0x100001), "lo", "5", "2"], done
