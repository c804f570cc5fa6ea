"""AppArmor: containers run confined by docker-default, as Docker's do. Needs a kernel that has it (tests/vm/run apparmor)."""
import os
import subprocess

import pytest
from engine import BIN, Engine


def kernel_has_it():
    try:
        with open("/sys/module/apparmor/parameters/enabled") as file:
            return file.read().startswith("Y") and os.path.exists("/sys/kernel/security/apparmor")
    except OSError:
        return False


pytestmark = pytest.mark.skipif(not kernel_has_it(), reason="this kernel runs without AppArmor: tests/vm/run apparmor")
CURRENT = "cat /proc/self/attr/current"
OWN = """profile proa-test-own flags=(attach_disconnected, mediate_deleted) {
  file, capability, network, signal, ptrace, umount,
  deny /tmp/secret w,
}
"""


def parser(*flags, text=""):
    return subprocess.run(["apparmor_parser", "--skip-cache", *flags], input=text, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def loaded():
    with open("/sys/kernel/security/apparmor/profiles") as file:
        return file.read()


@pytest.fixture
def own():
    assert parser("--replace", text=OWN).returncode == 0
    yield "proa-test-own"
    parser("--remove", text=OWN)


def test_the_default_profile(sh, engine):
    assert sh(CURRENT) == "docker-default (enforce)"
    assert "name=apparmor" in engine.api("GET", "/info").json["SecurityOptions"]


def test_unconfined_on_request_and_for_the_privileged(sh):
    assert sh(CURRENT, "--security-opt", "apparmor=unconfined") == "unconfined"
    assert sh(CURRENT, "--privileged") == "unconfined"


def test_with_no_new_privileges(sh):
    assert sh(CURRENT, "--security-opt", "no-new-privileges") == "docker-default (enforce)"


def test_another_user_is_confined_too(sh):
    assert sh(CURRENT, "-u", "1000") == "docker-default (enforce)"


def test_inspect_names_the_profile(engine, run, own):
    for flags, profile in (((), "docker-default"), (("--security-opt", "apparmor=unconfined"), "unconfined"), (("--privileged",), "unconfined"),
                           (("--security-opt", f"apparmor={own}"), own)):
        name = "p" + str(abs(hash(flags)))
        run("-d", "--name", name, *flags, cmd=["sleep", "60"])
        assert engine.inspect(name)["AppArmorProfile"] == profile
        done = engine.run("exec", name, "sh", "-c", CURRENT)
        assert done.out.split()[0] == profile, (flags, done)
        engine.run("rm", "-f", name)


def test_exec_privileged_stays_confined(engine, run):
    run("-d", "--name", "held", cmd=["sleep", "60"])
    assert engine.run("exec", "--privileged", "held", "sh", "-c", CURRENT).out.strip() == "docker-default (enforce)"


def test_an_own_profile(run, own):
    done = run("--rm", "--security-opt", f"apparmor={own}", cmd=["sh", "-c", f"{CURRENT}; echo x > /tmp/other && echo x > /tmp/secret"])
    assert done.out == f"{own} (enforce)\n" and done.code != 0 and "Permission denied" in done.err


def test_an_unknown_profile(engine, run):
    done = run("--name", "lost", "--security-opt", "apparmor=no-such-profile", cmd=["true"])
    assert done.code == 127, done  # as Docker: the message has the words of a missing file
    assert "unable to apply apparmor profile: apparmor failed to apply profile: write /proc/thread-self/attr/apparmor/exec: no such file or directory" in done.err
    state = engine.inspect("lost")["State"]
    assert state["Status"] == "created" and state["ExitCode"] == 127


@pytest.mark.parametrize("command", ["mount -t tmpfs none /mnt", "mount --bind /tmp /home", "mount -o remount,rw /sys"])
def test_no_mounts_even_with_the_capability(run, sh, command):
    flags = ("--cap-add", "SYS_ADMIN", "--security-opt", "seccomp=unconfined")
    done = run("--rm", *flags, cmd=["sh", "-c", f"mkdir /mnt; {command}"])
    assert done.code != 0 and "ermission denied" in done.err, done
    assert sh("mkdir /mnt; mount -t tmpfs none /mnt && echo yes", *flags, "--security-opt", "apparmor=unconfined") == "yes"


@pytest.mark.parametrize("path", ["/proc/sys/kernel/domainname", "/proc/sys/vm/overcommit_memory", "/proc/sysrq-trigger", "/proc/sys/kernel/core_pattern",
                                  "/proc/sys/net/ipv4/ip_forward", "/sys/kernel/mm/ksm/run", "/sys/module/overlay/parameters/metacopy"])
@pytest.mark.proves(58)
def test_the_hosts_settings_stay_closed_where_their_mounts_are_open(run, path):
    flags = ("--cap-add", "SYS_ADMIN", "--cap-add", "NET_ADMIN", "--security-opt", "systempaths=unconfined", "--security-opt", "seccomp=unconfined")
    done = run("--rm", *flags, cmd=["sh", "-c", f"exec 3>>{path} && echo open"])
    assert done.code != 0 and ("ermission denied" in done.err or "Read-only" in done.err), done


def test_what_is_the_containers_own_stays_open(sh):
    """Its processes' files, its shared memory's limits, signals and traces among its own."""
    out = sh("echo x > /proc/self/comm && echo 100 > /proc/self/oom_score_adj && sleep 50 & "
             "sleep 0.2; kill -TERM $! && wait $!; echo $?; echo 4096 > /proc/sys/kernel/shmmni && cat /proc/sys/kernel/shmmni",
             "--security-opt", "systempaths=unconfined")
    assert out.split() == ["143", "4096"]


def test_stop_reaches_a_confined_container(engine, run):
    run("-d", "--name", "stopped", cmd=["sh", "-c", "trap 'exit 7' TERM; while :; do sleep 0.1; done"])
    assert engine.run("stop", "-t", "20", "stopped").code == 0
    assert engine.inspect("stopped")["State"]["ExitCode"] == 7


def test_a_profile_that_was_unloaded_is_loaded_again(sh):
    assert "docker-default (" in loaded()
    assert parser("--remove", text="profile docker-default {}\n").returncode == 0
    assert "docker-default (" not in loaded()
    assert sh(CURRENT) == "docker-default (enforce)"


@pytest.mark.ours
def test_without_a_parser_containers_run_and_info_warns(registry, tmp_path):
    """The daemon gets a view of the host in which the parser has been deleted."""
    for name in ("upper", "work"):
        os.mkdir(tmp_path / name)
    os.mknod(tmp_path / "upper/apparmor_parser", 0o20000, 0)  # overlay's mark of a deleted file
    parser("--remove", text="profile docker-default {}\n")
    script = tmp_path / "proad"
    script.write_text(f'#!/bin/sh\nexec unshare -m sh -c \'mount -t overlay -o lowerdir=/usr/sbin,upperdir={tmp_path}/upper,workdir={tmp_path}/work '
                      f'none /usr/sbin && exec {BIN}/proad "$@"\' proad "$@"\n')
    script.chmod(0o755)
    daemon = Engine(binary=str(script), bridge="proatest1", subnet="10.214.0.1/24").start()
    try:
        assert any("apparmor_parser is not installed" in line for line in daemon.api("GET", "/info").json["Warnings"])
        name = f"{registry.address}/busybox:latest"
        assert daemon.run("pull", "-q", name).code == 0
        assert daemon.run("run", "--rm", name, "sh", "-c", CURRENT).out == "unconfined\n"
    finally:
        daemon.close()
