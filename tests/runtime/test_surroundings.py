"""The runtime where something is missing around it: openat2(2), a writable root, the host itself, its own file."""
import errno
import fcntl
import json
import os
import shutil
import subprocess
import sys

import bundle
import pytest
from bundle import PROGRAM, UNIFIED, run_program
from machine import deny_system_call

HERE = os.path.dirname(os.path.abspath(__file__))
OPENAT2 = 437


def furnish(box):
    """A container that uses much of what has paths."""
    os.makedirs(box.path("volume"))
    os.symlink("/run", box.path("rootfs/var/run"))
    box.mount("/run", "tmpfs", "tmpfs", "mode=755")
    box.bind(box.path("volume"), "/var/run/volume", "rbind")
    box.bind("/etc/hostname", "/etc/made/here/hostname", "bind", "ro")
    box.linux["devices"] = [{"path": "/dev/own/null", "type": "c", "major": 1, "minor": 3}]
    box.linux["maskedPaths"] = ["/proc/kcore", "/proc/acpi", "/sys/firmware"]
    box.linux["readonlyPaths"] = ["/proc/sys"]
    box.process["cwd"] = "/home/made"
    return "pwd; ls -d /run/volume /etc/made/here/hostname /dev/own/null; ls /sys/firmware; head -c1 /proc/kcore; (echo x >/proc/sys/kernel/hostname) 2>/dev/null || echo ro"


FURNISHED = ["/home/made", "/dev/own/null", "/etc/made/here/hostname", "/run/volume", "ro"]


@pytest.mark.parametrize("error", [errno.ENOSYS, errno.EPERM])
def test_without_openat2(box, error):
    script = furnish(box)
    done = box.run(script, preexec_fn=lambda: deny_system_call(OPENAT2, error))
    assert done.code == 0 and done.out.split() == FURNISHED, done


@pytest.mark.ours
@pytest.mark.skipif("DENY_OPENAT2" in os.environ or UNIFIED, reason="that is what runs; or the virtual machine, where it takes a minute and shows nothing new")
@pytest.mark.proves(6, 14, 19)
def test_without_openat2_attacks_fail_all_the_same():
    done = run_program([sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", os.path.join(HERE, "test_attacks.py")],
                       env={**os.environ, "DENY_OPENAT2": str(errno.ENOSYS)}, timeout=300)
    assert done.code == 0 and " passed" in done.out, done


def test_with_a_read_only_root(box):
    script = furnish(box)
    box.args(script)
    box.save()
    around = 'mount --make-rprivate / && mount --bind "$1" "$1" && mount -o remount,bind,ro / && ! touch /proa-writable 2>/dev/null && cd "$2" && shift 2 && exec "$@"'
    done = run_program(["unshare", "-m", "sh", "-c", around, "sh", box.runtime.directory, box.bundle, PROGRAM, "--root", box.runtime.root,
                        *bundle.DRIVER, "run", "-b", box.bundle, box.id])
    assert done.code == 0 and done.out.split() == FURNISHED, done


@pytest.mark.ours
@pytest.mark.parametrize("sealed", [True, False])
def test_from_a_copy_in_memory(box, sealed):
    copy = os.memfd_create("copy", os.MFD_ALLOW_SEALING)
    with open(PROGRAM, "rb") as file:
        shutil.copyfileobj(file, os.fdopen(os.dup(copy), "wb"))
    if sealed:
        fcntl.fcntl(copy, 1033, 15)  # F_ADD_SEALS: all of them
    # A file that is open for writing cannot be executed.
    reader = os.open(f"/proc/self/fd/{copy}", os.O_RDONLY)
    os.close(copy)
    box.args("echo ran")
    box.save()
    done = run_program(["proa-runtime", "--root", box.runtime.root, *bundle.DRIVER, "run", "-b", box.bundle, box.id],
                       executable=f"/proc/self/fd/{reader}", pass_fds=[reader])
    os.close(reader)
    assert done.code == 0 and done.out == "ran\n", done


@pytest.mark.ours
@pytest.mark.skipif(bundle.SYSTEMD, reason="there is no systemd inside")
def test_inside_a_container_of_its_own(box):
    every = json.loads(box.runtime("features").out)["linux"]["capabilities"]
    with open("/proc/self/status") as file:
        have = int(next(line for line in file if line.startswith("CapBnd")).split()[1], 16)
    every = every[:have.bit_length()]
    box.process["capabilities"] = {kind: every for kind in ("bounding", "effective", "permitted")}
    box.resources["devices"] = [{"allow": True, "access": "rwm"}]
    box.mount("/sys/fs/cgroup", "cgroup", "cgroup", "nosuid", "noexec", "nodev", "rw")
    box.namespace("cgroup")
    for one in box.config["mounts"]:
        one["options"] = [option for option in one["options"] if option not in ("ro", "noexec")]
    inner = json.loads(json.dumps(bundle.BASE))
    inner["process"]["args"] = ["sh", "-c", "echo inside $(hostname) $$; cat /proc/self/cgroup; (echo x >/dev/null) && touch /tmp/file && ls /tmp"]
    inner["hostname"] = "inner"
    inner["linux"]["namespaces"].append({"type": "cgroup"})
    inner["linux"]["cgroupsPath"] = "/inner"
    inner["linux"]["resources"]["pids"] = {"limit": 33}
    inner["mounts"].append({"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["ro"]})
    os.makedirs(box.path("rootfs/bundle"))
    shutil.copytree(box.runtime.template, box.path("rootfs/bundle/rootfs"), symlinks=True)
    with open(box.path("rootfs/bundle/config.json"), "w") as file:
        json.dump(inner, file)
    shutil.copy2(PROGRAM, box.path("rootfs/bin/proa-runtime"))
    # On version 2 a group that hands controllers down has no processes of its own.
    leave = "mkdir /sys/fs/cgroup/own && echo 1 >/sys/fs/cgroup/own/cgroup.procs; " if UNIFIED else ""
    look = "cat /sys/fs/cgroup/pids.max" if UNIFIED else "cat /sys/fs/cgroup/pids/pids.max"
    inner["process"]["args"][2] += f"; {look}"
    with open(box.path("rootfs/bundle/config.json"), "w") as file:
        json.dump(inner, file)
    done = box.run(leave + "proa-runtime --root /run/state run -b /bundle inner && ls /run/state | wc -l; find /sys/fs/cgroup -name inner")
    assert done.code == 0, done
    lines = done.out.splitlines()
    assert lines[0] == "inside inner 1" and "33" in lines and "file" in lines and "0" in lines, done
    assert not any(line.startswith("/sys/fs/cgroup") for line in lines), done


def test_from_a_directory_that_is_gone(box):
    """The working directory of the caller is gone: everything is named absolutely."""
    gone = box.path("gone")
    os.makedirs(gone)
    box.args("echo ran")
    box.save()
    done = subprocess.run(["sh", "-c", f'cd {gone} && rmdir {gone} && exec "$@"', "sh", PROGRAM, "--root", box.runtime.root, *bundle.DRIVER,
                           "run", "-b", box.bundle, box.id], stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, timeout=60)
    assert done.returncode == 0 and done.stdout == "ran\n", done
