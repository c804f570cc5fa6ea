"""SELinux: the labels of processes, of their keys and of what is mounted for them. Needs a kernel that has it (tests/vm/run selinux)."""
import json
import os

import pytest
from bundle import PROGRAM, SELINUX, run_program

pytestmark = pytest.mark.skipif(not SELINUX, reason="this kernel runs without SELinux: tests/vm/run selinux")
PROCESS = "system_u:system_r:virtd_lxc_t:s0:c1,c2"
OTHER = "system_u:system_r:initrc_t:s0"
FILES = "system_u:object_r:svirt_image_t:s0:c1,c2"
CURRENT = ("cat", "/proc/self/attr/current")
UNKNOWN = "system_u:system_r:no_such_type_t:s0"
# KEYCTL_GET_SECURITY of KEY_SPEC_SESSION_KEYRING, by the host's python.
KEYRING = ("chroot", "/mnt", "/usr/bin/python3", "-c", "import ctypes as c; b = c.create_string_buffer(200); c.CDLL(None).syscall(250, 17, -3, b, 200); print(b.value.decode())")


def own_label():
    with open("/proc/self/attr/current") as file:
        return file.read().strip("\0\n")


def label_of(pid, path):
    return os.getxattr(f"/proc/{pid}/root{path}", "security.selinux").decode().strip("\0")


def said(done):
    assert done.code == 0, done
    return done.out.strip("\0\n")


def exec_file(box, **fields):
    """exec with a process.json."""
    process = {"args": list(CURRENT), "cwd": "/", "env": box.process["env"], "user": {"uid": 0, "gid": 0}, **fields}
    with open(box.path("process.json"), "w") as file:
        json.dump(process, file)
    return box.exec(flags=("--process", box.path("process.json")))


def test_the_process_has_its_label(box):
    box.process["selinuxLabel"] = PROCESS
    assert said(box.run(CURRENT)) == PROCESS


def test_without_a_label_it_keeps_the_callers(box):
    assert said(box.run(CURRENT)) == own_label()


@pytest.mark.parametrize("user", [0, 1000])
def test_with_no_new_privileges(box, user):
    box.process.update(selinuxLabel=PROCESS, noNewPrivileges=True, user={"uid": user, "gid": user})
    assert said(box.run(CURRENT)) == PROCESS


def test_exec_has_the_containers_label_or_its_own(box):
    box.process["selinuxLabel"] = PROCESS
    pid = box.start()
    with open(f"/proc/{pid}/attr/current") as file:
        assert file.read().strip("\0\n") == PROCESS
    assert said(box.exec(*CURRENT)) == PROCESS
    assert said(box.exec(*CURRENT, flags=("--process-label", OTHER))) == OTHER
    assert said(exec_file(box)) == PROCESS
    assert said(exec_file(box, selinuxLabel=OTHER)) == OTHER


def test_exec_into_a_container_without_a_label(box):
    box.start()
    assert said(box.exec(*CURRENT)) == own_label()
    assert said(box.exec(*CURRENT, flags=("--process-label", OTHER))) == OTHER


def test_the_session_keyring_has_the_label_too(box):
    box.process["selinuxLabel"] = PROCESS
    box.bind("/", "/mnt", "rbind", "ro")
    assert said(box.run(KEYRING)) == PROCESS


def test_the_session_keyring_of_an_exec(box):
    box.process["selinuxLabel"] = PROCESS
    box.bind("/", "/mnt", "rbind", "ro")
    box.start()
    assert said(box.exec(*KEYRING)) == PROCESS


def test_in_a_user_namespace(box):
    box.process["selinuxLabel"] = PROCESS
    box.linux["mountLabel"] = FILES
    box.linux["maskedPaths"] = ["/proc/irq"]
    box.map_user()
    pid = box.start()
    assert said(box.exec(*CURRENT)) == PROCESS and label_of(pid, "/dev") == FILES


def test_file_systems_have_the_mount_label(box):
    box.linux["mountLabel"] = FILES
    box.linux["maskedPaths"] = ["/proc/irq", "/sys/firmware"]
    os.mkdir(box.path("data"))
    box.bind(box.path("data"), "/mnt")
    pid = box.start()
    for path in ("/dev", "/dev/null", "/dev/shm", "/dev/pts", "/dev/mqueue", "/proc/irq", "/sys/firmware"):
        assert label_of(pid, path) == FILES, path
    for path in ("/proc", "/sys", "/mnt"):
        assert label_of(pid, path) != FILES, path
    assert said(box.exec("sh", "-c", "touch /dev/shm/made && echo made")) == "made" and label_of(pid, "/dev/shm/made") == FILES


def test_a_mount_with_a_label_of_its_own(box):
    """As mount(8) has it, in quotes for its comma."""
    box.mount("/mnt", "tmpfs", "tmpfs", f'context="{FILES}"')
    pid = box.start()
    assert label_of(pid, "/mnt") == FILES and label_of(pid, "/dev") != FILES


def test_a_label_that_the_policy_lacks(box):
    box.process["selinuxLabel"] = UNKNOWN
    done = box.run("echo ran")
    assert done.has_failed("no such label", "invalid argument") and "ran" not in done.out
    assert box.call("state", box.id).code != 0


def test_a_mount_label_that_the_policy_lacks(box):
    box.linux["mountLabel"] = UNKNOWN
    done = box.run("echo ran")
    assert done.has_failed("no such label", "invalid argument") and "ran" not in done.out


def test_exec_with_a_label_that_the_policy_lacks(box):
    box.start()
    done = box.exec("echo", "ran", flags=("--process-label", UNKNOWN))
    assert done.has_failed("no such label", "invalid argument") and "ran" not in done.out


def test_where_selinux_may_not_be_written_to_there_is_none(box):
    """As in a container that runs this one: libselinux says so too."""
    box.process["selinuxLabel"] = PROCESS
    box.args(CURRENT)
    box.save()
    hidden = "mount --make-rprivate / && mount -o remount,bind,ro /sys/fs/selinux && exec \"$@\""
    done = run_program(["unshare", "-m", "sh", "-c", hidden, "sh", PROGRAM, "--root", box.runtime.root, "run", "-b", box.bundle, box.id])
    assert done.has_failed("selinux is disabled or not supported")
