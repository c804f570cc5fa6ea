"""What a container sees and may do: Docker's defaults (security.md, section 2)."""
import os

import pytest
from engine import wait_until

DEFAULT_CAPABILITIES = "00000000a80425fb"
ALL_NAMESPACES = ("pid", "mnt", "uts", "ipc", "net")


def test_is_process_one_in_namespaces_of_its_own(sh):
    out = sh("echo $$; for n in pid mnt uts ipc net; do readlink /proc/self/ns/$n; done").splitlines()
    assert out[0] == "1"
    for name, link in zip(ALL_NAMESPACES, out[1:]):
        assert link != os.readlink(f"/proc/self/ns/{name}")


@pytest.mark.proves(11)
def test_default_capabilities(sh):
    status = dict(line.split(":\t") for line in sh("grep -E '^Cap|NoNewPrivs|Seccomp:' /proc/self/status").splitlines())
    assert status["CapEff"] == status["CapPrm"] == status["CapBnd"] == DEFAULT_CAPABILITIES
    assert status["CapInh"] == status["CapAmb"] == "0" * 16
    assert status["Seccomp"] == "2" and status["NoNewPrivs"] == "0"


@pytest.mark.proves(2)
def test_other_users_have_no_capabilities(sh):
    status = dict(line.split(":\t") for line in sh("grep ^Cap /proc/self/status", "-u", "1000").splitlines())
    assert status["CapEff"] == status["CapPrm"] == status["CapAmb"] == "0" * 16


def test_cap_add_and_drop(sh):
    effective = int(sh("grep CapEff /proc/self/status", "--cap-drop", "ALL", "--cap-add", "net_admin").split()[1], 16)
    assert effective == 1 << 12
    without_chown = int(sh("grep CapEff /proc/self/status", "--cap-drop", "CHOWN").split()[1], 16)
    assert without_chown == int(DEFAULT_CAPABILITIES, 16) & ~1


@pytest.mark.ours  # runc fails where the daemon lacks a capability
def test_privileged_has_all_and_no_filter(sh):
    out = sh("grep -E 'CapEff|Seccomp:' /proc/self/status; ls /dev | wc -l; touch /proc/sys/kernel/domainname && echo writable", "--privileged")
    lines = out.splitlines()
    with open("/proc/self/status") as file:  # all that the daemon has itself: some machines lack a few
        ours = next(line for line in file if line.startswith("CapEff")).split()[1]
    assert lines[0].split()[1] == ours
    assert lines[1].split()[1] == "0" and lines[-1] == "writable"


def test_no_new_privileges(sh):
    assert sh("grep NoNewPrivs /proc/self/status", "--security-opt", "no-new-privileges").split()[1] == "1"


def test_seccomp_unconfined(sh):
    assert sh("grep Seccomp: /proc/self/status", "--security-opt", "seccomp=unconfined").split()[1] == "0"


@pytest.mark.parametrize("command", ["unshare -U true", "unshare -m true", "mount -t tmpfs none /tmp", "hostname x"])
@pytest.mark.proves(29)
def test_what_needs_sys_admin_is_denied(run, command):
    done = run("--rm", cmd=["sh", "-c", command])
    assert done.code != 0 and any(words in done.err.lower() for words in ("not permitted", "permission denied"))


@pytest.mark.parametrize("name, number, answer", [
    ("io_uring_setup", 425, "EPERM"), ("keyctl", 250, "EPERM"), ("userfaultfd", 323, "EPERM"), ("kexec_load", 246, "EPERM"), ("clone3", 435, "ENOSYS"),
    ("bpf", 321, "EPERM"), ("perf_event_open", 298, "EPERM"), ("a number beyond all known", 1000, "ENOSYS")])
@pytest.mark.proves(29)
def test_system_calls_behind_the_filter(engine, tools, name, number, answer):
    if os.environ.get("ENGINE") == "dockerd" and name == "io_uring_setup":
        pytest.skip("allowed until Docker 25")
    done = engine.run("run", "--rm", tools, "/bin/tools", "syscall", str(number))
    assert done.out.strip() == answer, name


@pytest.mark.proves(58)
def test_masked_and_read_only_paths(sh):
    out = sh("wc -c < /proc/kcore; ls /sys/firmware | wc -w; "
             "for p in /proc/sys/kernel/domainname /proc/sysrq-trigger /sys/kernel/x; do (echo 1 > $p) 2>/dev/null && echo open $p; done; true")
    assert out.split() in (["0"], ["0", "0"])


@pytest.mark.skipif(os.path.exists("/sys/fs/selinux/enforce"), reason="this host has SELinux")
@pytest.mark.parametrize("option", ["label=disable", "label:disable", "label=type:svirt_t", "label=level:s0:c1,c2", "label=nonsense"])
def test_selinux_labels_mean_nothing_on_a_host_without(engine, run, option):
    assert run("--name", "labelled", "--security-opt", option, cmd=["echo", "ran"]).out == "ran\n"
    found = engine.inspect("labelled")
    assert found["ProcessLabel"] == "" and found["MountLabel"] == "" and found["HostConfig"]["SecurityOpt"] == [option]
    assert not any("selinux" in line for line in engine.api("GET", "/info").json["SecurityOptions"])


@pytest.mark.skipif(os.path.exists("/sys/fs/selinux/enforce"), reason="this host has SELinux")
@pytest.mark.parametrize("mode", ["z", "Z", "ro,z"])
def test_relabelling_means_nothing_on_a_host_without(engine, run, tmp_path, mode):
    (tmp_path / "file").write_text("content")
    done = run("--name", "relabelled", "-v", f"{tmp_path}:/data:{mode}", cmd=["sh", "-c", "cat /data/file; touch /data/more && echo written"])
    assert done.out == ("content" if "ro" in mode else "contentwritten\n")
    point = engine.inspect("relabelled")["Mounts"][0]
    assert point["Mode"] == mode and point["RW"] == ("ro" not in mode)
    assert "security.selinux" not in os.listxattr(tmp_path / "file")


def test_systempaths_unconfined_opens_them(sh):
    assert "rw" in sh("grep ' /proc ' /proc/mounts", "--security-opt", "systempaths=unconfined")
    assert sh("grep -c ' /proc/' /proc/mounts || true", "--security-opt", "systempaths=unconfined") == "0"


def test_default_devices(sh):
    out = sh("cd /dev; stat -c '%n %F' null zero full random urandom tty ptmx fd stdin stdout stderr shm mqueue").splitlines()
    assert len(out) == 13
    assert sh("ls -l /dev/null").startswith("crw-rw-rw-")


@pytest.mark.proves(7)
def test_device_nodes_that_are_not_allowed(run):
    done = run("--rm", cmd=["sh", "-c", "mknod /tmp/d b 254 0 && head -c1 /tmp/d"])
    assert done.code != 0 and "not permitted" in done.err


def test_device_flag(sh):
    assert sh("stat -c %F /dev/extra; head -c 3 /dev/extra | wc -c", "--device", "/dev/zero:/dev/extra").split("\n")[-1] == "3"


def test_tmpfs_and_shm_size(sh):
    out = sh("grep -E ' (/scratch|/dev/shm) ' /proc/mounts", "--tmpfs", "/scratch:size=4m,mode=700", "--shm-size", "8m")
    assert "size=4096k" in out and "mode=700" in out and "size=8192k" in out


def test_sysctl(sh):
    assert sh("cat /proc/sys/net/ipv4/ip_forward", "--sysctl", "net.ipv4.ip_forward=1") == "1"


@pytest.mark.proves(24)
def test_sysctl_of_the_host_is_refused(run):
    done = run("--rm", "--sysctl", "kernel.core_pattern=x", cmd=["true"])
    assert done.code in (125, 126, 127, 128)
    assert "kernel.core_pattern" in done.err


def test_ulimit(sh):
    assert sh("ulimit -n", "--ulimit", "nofile=512:1024") == "512"


def test_oom_score_adj(sh):
    assert sh("cat /proc/self/oom_score_adj", "--oom-score-adj", "500") == "500"


def test_host_namespaces_on_request(sh):
    for flag, name in (("--pid", "pid"), ("--ipc", "ipc"), ("--uts", "uts"), ("--network", "net")):
        assert sh(f"readlink /proc/self/ns/{name}", flag, "host") == os.readlink(f"/proc/self/ns/{name}")


def test_namespaces_of_another_container(engine, run, sh):
    run("-d", "--name", "first", cmd=["sleep", "60"])
    pid = engine.inspect("first")["State"]["Pid"]
    for flag, name in (("--pid", "pid"), ("--network", "net")):
        assert sh(f"readlink /proc/self/ns/{name}", flag, "container:first") == os.readlink(f"/proc/{pid}/ns/{name}")


@pytest.mark.proves(3)
def test_no_descriptor_leaks_into_the_container(sh):
    assert sorted(sh("ls /proc/1/fd; true").split()) == ["0", "1", "2"]


@pytest.mark.proves(15)
def test_working_directory_through_a_leaked_descriptor(run):
    for number in range(3, 12):
        done = run("--rm", "-w", f"/proc/self/fd/{number}", cmd=["sh", "-c", "cat ../../../etc/machine-id"])
        assert done.code != 0, number


@pytest.mark.proves("I8")
def test_nothing_appears_in_the_mount_table_of_the_host(engine, run):
    run("-d", "--name", "hidden", "--tmpfs", "/t", cmd=["sleep", "60"])
    container = engine.inspect("hidden")["Id"]
    if os.environ.get("ENGINE") == "dockerd":
        pytest.skip("dockerd mounts in the host's table")
    with open("/proc/self/mountinfo") as file:
        assert container not in file.read()


def test_shared_memory_of_a_shareable_container(engine, image, program, run):
    donor = ["run", "-d", "--name", "donor", "--ipc", "shareable", image, "sh", "-c", "echo kept > /dev/shm/file; sleep 1000"]
    assert engine.run(*donor, program=program).code == 0
    wait_until(lambda: engine.run("exec", "donor", "cat", "/dev/shm/file").out == "kept\n")
    done = run("--rm", "--ipc", "container:donor", cmd=["sh", "-c", "cat /dev/shm/file; echo more > /dev/shm/other"])
    assert (done.code, done.out) == (0, "kept\n"), done
    assert engine.run("exec", "donor", "cat", "/dev/shm/other").out == "more\n"
    assert engine.run("run", "-d", "--name", "alone", "--ipc", "private", image, "sleep", "1000", program=program).code == 0
    refused = run("--rm", "--ipc", "container:alone", cmd=["true"])
    assert refused.code == 125 and "non-shareable IPC (hint: use IpcMode:shareable for the donor container)" in refused.err


def test_without_ipc_there_is_no_shared_memory(sh):
    assert sh("ls -d /dev/shm 2>/dev/null; grep -c ' /dev/shm ' /proc/mounts; true", "--ipc", "none") == "0"
