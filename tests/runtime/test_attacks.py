"""Attacks that other runtimes have fallen to, replayed (their CVE numbers are in the names). Each must fail or be harmless."""
import contextlib
import ctypes
import hashlib
import os
import shutil
import socket
import subprocess
import threading
import time

import bundle
import pytest

differs = pytest.mark.differs
RENAME_EXCHANGE = 2
RACES = int(os.environ.get("RACES", 0))  # tests/runtime/soak: how often, in place of a few times
LIBC = ctypes.CDLL(None, use_errno=True)


class Marker:
    """A directory of the host that no container may reach."""

    def __init__(self, path):
        self.path = str(path)
        path.mkdir()
        for name in ("canary", "ptmx"):
            (path / name).write_text("alive")
        self.top = path
        self.before = self.facts()

    def facts(self):
        return {str(one): (one.lstat().st_mode, one.lstat().st_uid, one.lstat().st_nlink) for one in [self.top, *self.top.rglob("*")]}

    def unchanged(self):
        return self.facts() == self.before and {one.read_text() for one in self.top.iterdir()} == {"alive"}


@pytest.fixture
def marker(tmp_path):
    return Marker(tmp_path / "marker")


def replace(box, name, target):
    """A name of the root becomes a link."""
    path = box.path("rootfs", name)
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)
    os.symlink(target, path)


def exchange(first, second):
    LIBC.renameat2(-100, first.encode(), -100, second.encode(), RENAME_EXCHANGE)


def status(text):
    return {line.split(":")[0]: line.split(":")[1].strip() for line in text.splitlines() if ":" in line}


def has_no_capabilities(text):
    found = status(text)
    return found["CapInh"] == found["CapAmb"] == found["CapEff"] == found["CapPrm"] == "0" * 16


@pytest.mark.proves(2, 11)
def test_2016_8867_2022_24769_nothing_is_inheritable(box):
    box.process["user"] = {"uid": 1000, "gid": 1000}
    assert has_no_capabilities(box.sh("cat /proc/self/status"))


@differs(crun="crun 1.8 gives an exec of another user its capabilities")
@pytest.mark.proves(11, 28)
def test_2022_24769_nothing_is_inheritable_by_exec(box):
    box.process["user"] = {"uid": 1000, "gid": 1000}
    box.start()
    assert has_no_capabilities(box.exec("cat", "/proc/self/status").out)


@differs(crun="crun 1.8 has the group open", racy=True)
@pytest.mark.proves(3)
def test_2016_9962_no_descriptor_of_ours_is_seen_from_inside(box):
    """A process that may trace looks at everybody's descriptors while others are executed into the container."""
    for kind in ("bounding", "effective", "permitted"):
        box.process["capabilities"][kind] = bundle.CAPS + ["CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH"]
    look = ("while [ ! -e /tmp/stop ]; do for p in /proc/[0-9]*; do [ $p = /proc/1 ] && continue; ls -l $p/fd $p/root $p/cwd; done; done 2>/dev/null "
            "| grep -E 'state|rootfs|cgroup|proa-runtime-test' >>/tmp/seen; touch /tmp/done; sleep 100")
    box.start(look)
    for _ in range(RACES or 30):
        assert box.exec("true").code == 0
    box.exec("touch", "/tmp/stop")
    bundle.wait_until(lambda: os.path.exists(box.path("rootfs/tmp/done")))
    with open(box.path("rootfs/tmp/seen")) as file:
        assert file.read() == ""


@pytest.mark.proves(4)
def test_2019_5736_our_program_cannot_be_written(box):
    """Whatever runs /proc/self/exe of ours from inside, and writes to it, does not get at the host's file."""
    def digest():
        with open(bundle.PROGRAM, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()

    before = digest()
    box.start("while [ ! -e /tmp/stop ]; do for p in /proc/[0-9]*; do [ $p = /proc/1 ] || (echo evil >$p/exe) 2>/dev/null; done; done; sleep 100")
    for _ in range(RACES or 30):
        box.exec("true")
    box.exec("/proc/self/exe", "--version")
    box.exec("touch", "/tmp/stop")
    assert digest() == before


@pytest.mark.parametrize("destination", ["/proc", "/proc/self", "/proc/sys", "/proc/sys/kernel", "/proc/1/attr", "/dir/../proc/sys"])
@differs(crun="crun 1.8 mounts there")
@pytest.mark.proves(5)
def test_2019_16884_nothing_is_mounted_over_proc(box, destination, tmp_path):
    box.bind(str(tmp_path), destination)
    assert box.run("true").has_failed("proc")


@pytest.mark.parametrize("destination", ["/etc/hosts", "/mnt/below/file"])
@pytest.mark.proves(6)
def test_2019_18837_destination_through_a_link_stays_in_the_root(box, marker, tmp_path, destination):
    (tmp_path / "source").write_text("bound")
    top = destination.split("/")[1]
    replace(box, top, marker.path)
    box.bind(str(tmp_path / "source"), destination)
    box.run("true")  # inside or refused
    assert marker.unchanged()


@pytest.mark.proves(7)
def test_device_rules_that_only_allow_do_not_allow_the_rest(box):
    """GHSA-g54h-m393-cpwq"""
    box.resources["devices"] = [{"allow": True, "type": "c", "major": 1, "minor": 3, "access": "rwm"}]
    box.process["capabilities"]["bounding"] = box.process["capabilities"]["effective"] = box.process["capabilities"]["permitted"] = bundle.CAPS
    done = box.run("mknod /tmp/disk b 254 0 && head -c1 /tmp/disk; echo $?")
    assert "not permitted" in done.err


@pytest.mark.parametrize("rounds", [RACES or 100])
@differs(runc="runc 1.1 makes directories on the host", crun="crun 1.8 too", racy=True)
@pytest.mark.proves(8, 9)
def test_2021_30465_2024_45310_destination_that_is_swapped_meanwhile(box, marker, runtime, rounds):
    """Somebody exchanges a directory of a shared volume for a link out of it while mounts are made below it."""
    volume = box.path("volume")
    os.makedirs(f"{volume}/d")
    os.symlink("/" + os.path.relpath(marker.path, "/"), f"{volume}/link")
    stop = threading.Event()

    def swap():
        while not stop.is_set():
            exchange(f"{volume}/d", f"{volume}/link")

    box.bind(volume, "/vol", "rbind")
    box.mount("/vol/d/x", "tmpfs", "tmpfs")
    box.bind(box.path("rootfs/etc"), "/vol/d/y", "rbind")
    racer = threading.Thread(target=swap)
    racer.start()
    try:
        with open("/proc/self/mountinfo") as file:
            before = file.read()
        for _ in range(rounds):
            done = box.run("ls /vol/d/ /vol/link/ 2>/dev/null; true")
            assert "canary" not in done.out
        with open("/proc/self/mountinfo") as file:
            assert file.read() == before
    finally:
        stop.set()
        racer.join()
    assert marker.unchanged()


def swapped_at(box, place, skip, swap, script="ls /vol /vol/d /vol/link 2>/dev/null; true"):
    """Runs the container; `swap` happens when its init has come to the named place for the time after `skip` others."""
    stop = os.path.join(box.path("stops"))
    os.mkdir(stop)
    box.args(script)
    box.save()
    environment = {**os.environ, "PROA_FAILPOINTS_ON": f"{place}={skip}*off->pause", "PROA_FAILPOINTS_DIR": stop}
    done = []
    runner = threading.Thread(target=lambda: done.append(box.call("run", "-b", box.bundle, box.id, env=environment)))
    runner.start()
    bundle.wait_until(lambda: os.path.exists(f"{stop}/{place}.hit") or not runner.is_alive())
    assert os.path.exists(f"{stop}/{place}.hit"), done
    swap()
    open(f"{stop}/{place}.go", "w").close()
    runner.join()
    return done[0]


@pytest.mark.ours
@pytest.mark.parametrize("kind", ["tmpfs", "bind", "file"])
@pytest.mark.parametrize("place", ["runtime.mount.before_make", "runtime.mount.place_found"])
@pytest.mark.proves(8, 9)
def test_2021_30465_2024_45310_destination_that_is_swapped_at_the_worst_time(box, marker, place, kind):
    """The race of the test before this one, made certain: between finding a place and making it, or mounting on it."""
    volume = box.path("volume")
    os.makedirs(f"{volume}/d")
    os.symlink("/" + os.path.relpath(marker.path, "/"), f"{volume}/link")
    source = box.path("source")
    with open(source, "w") as file:
        file.write("mounted")
    box.bind(volume, "/vol", "rbind")
    if kind == "tmpfs":
        box.mount("/vol/d/x", "tmpfs", "tmpfs")
    else:
        box.bind(box.path("rootfs/etc") if kind == "bind" else source, "/vol/d/x", "rbind")
    # Every mount before it comes by "place_found", but /dev/pts, /dev/shm and /dev/mqueue are the only ones to be made.
    skip = len(box.config["mounts"]) - 1 if place.endswith("place_found") else 3
    with open("/proc/self/mountinfo") as file:
        before = file.read()
    done = swapped_at(box, place, skip, lambda: exchange(f"{volume}/d", f"{volume}/link"))
    assert marker.unchanged() and "canary" not in done.out, done
    with open("/proc/self/mountinfo") as file:
        assert file.read() == before


@pytest.mark.parametrize("size", [65535, 65536, 100000])
@pytest.mark.proves(10)
def test_2021_43784_long_strings_are_not_cut(box, size):
    box.process["env"].append("LONG=" + "x" * size)
    assert box.sh("echo ${#LONG}") == str(size)


@pytest.mark.proves(12)
def test_2022_2989_primary_group_is_among_the_supplementary(box):
    box.process["user"] = {"uid": 1000, "gid": 1000, "additionalGids": [7]}
    with open(box.path("rootfs/file"), "w") as file:
        file.write("secret")
    os.chown(box.path("rootfs/file"), 0, 1000)
    os.chmod(box.path("rootfs/file"), 0o604)  # members of the group may not
    done = box.run("id -G; cat /file")
    assert set(done.out.split()) == {"1000", "7"} and "Permission denied" in done.err


@pytest.mark.parametrize("name", ["proc", "sys"])
@pytest.mark.proves(14)
def test_2023_27561_linked_proc_and_sys_are_refused(box, name):
    os.makedirs(box.path(f"rootfs/bad-{name}"))
    replace(box, name, f"/bad-{name}")
    assert box.run("true").has_failed("must be mounted on ordinary directory", "not a directory", "symlink")


@pytest.mark.parametrize("number", range(3, 24))
@pytest.mark.proves(15)
def test_2024_21626_no_working_directory_through_our_descriptors(box, number):
    box.process["cwd"] = f"/proc/self/fd/{number}"
    done = box.run("cat ../../../etc/hostname; pwd")
    assert done.code != 0 and done.out == ""


@pytest.mark.parametrize("number", [3, 5, 6, 7, 8, 9, 10, 12])
@pytest.mark.proves(15, 28)
def test_2024_21626_no_working_directory_of_exec_through_our_descriptors(box, number):
    box.start()
    done = box.exec("sh", "-c", "cat ../../../etc/hostname; pwd", flags=("--cwd", f"/proc/self/fd/{number}"))
    assert done.code != 0 and done.out == ""


@pytest.mark.proves(15, 3)
def test_2024_21626_descriptors_of_the_caller_stay_out(box):
    held = os.open("/", os.O_RDONLY)
    os.set_inheritable(held, True)
    try:
        done = box.run("ls /proc/self/fd", close_fds=False)
        assert done.code == 0 and set(done.out.split()) <= {"0", "1", "2", "3"}  # 3 is ls's own
    finally:
        os.close(held)


@pytest.mark.parametrize("target", ["/proc/sysrq-trigger", "/proc/sys/kernel/core_pattern"])
@differs(runc="runc 1.1 masks by what it points to", crun="crun 1.8 masks by what it points to", racy=True)  # where these may be written to
@pytest.mark.proves(16)
def test_2025_31133_null_device_that_is_a_link(box, target):
    box.config["mounts"] = [one for one in box.config["mounts"] if not one["destination"].startswith("/dev")]
    shutil.rmtree(box.path("rootfs/dev"))
    os.mkdir(box.path("rootfs/dev"))
    os.symlink(target, box.path("rootfs/dev/null"))
    box.linux["maskedPaths"] = ["/proc/kcore"]
    done = box.run("head -c 1 /proc/kcore | wc -c; echo x >/proc/kcore")
    assert done.code != 0 or done.out.strip() == "0"
    assert os.path.islink(box.path("rootfs/dev/null")) is False or done.code != 0


@differs(runc="runc 1.1 makes its links behind it", crun="crun 1.8 makes its links behind it")
@pytest.mark.proves(19)
def test_2026_41579_dev_that_is_a_link_out_of_the_root(box, marker):
    box.config["mounts"] = [one for one in box.config["mounts"] if not one["destination"].startswith("/dev")]
    replace(box, "dev", os.path.relpath(marker.path, box.path("rootfs")))
    box.config["root"]["readonly"] = True
    box.run("true")
    assert marker.unchanged()


@differs(runc="runc 1.1 makes its links behind it", crun="crun 1.8 makes its links behind it")
@pytest.mark.proves(19)
def test_2026_41579_dev_that_is_a_link_to_the_host(box, marker):
    box.config["mounts"] = [one for one in box.config["mounts"] if not one["destination"].startswith("/dev")]
    replace(box, "dev", marker.path)
    box.run("true")
    assert marker.unchanged()


@pytest.mark.parametrize("name", ["etc", "proc", "sys"])
@pytest.mark.proves(19, 27)
def test_2026_41579_every_top_directory_as_a_link_to_the_host(box, marker, name):
    box.config["mounts"] = [one for one in box.config["mounts"] if not one["destination"].startswith(f"/{name}")]
    replace(box, name, marker.path)
    box.run("true")
    assert marker.unchanged()


@pytest.mark.parametrize("user", ["+1", "-1", " 1", "0x1", "1:2:3", "", "4294967296", "4294967295", "99999999999999999999", "1:x", ":5x"])
@pytest.mark.ours
@pytest.mark.proves(20, 21)
def test_2026_30892_2024_40635_user_numbers_are_read_whole_or_refused(box, user):
    box.start()
    done = box.exec("id", "-u", flags=("--user", user))
    assert done.code != 0 or (user == "" and done.out == "0\n")


@pytest.mark.parametrize("user, out", [("1", "1 0"), ("0:5", "0 5"), ("1:7", "1 7"), ("65534", "65534 0")])
@pytest.mark.proves(20)
def test_2026_30892_user_numbers_mean_what_they_say(box, user, out):
    box.start()
    assert box.exec("sh", "-c", "echo $(id -u) $(id -g)", flags=("--user", user)).out.strip() == out


@pytest.mark.proves(1)
def test_2016_3697_digits_are_never_a_name(box):
    """The root's passwd has a user called 1001 that is root."""
    box.start()
    assert box.exec("id", "-u", flags=("--user", "1001")).out == "1001\n"


@pytest.mark.parametrize("key", ["kernel.shm_rmid_forced/../core_pattern", "kernel/../../kernel/core_pattern", "kernel.core_pattern", "vm.overcommit_memory"])
@pytest.mark.proves(24)
def test_2022_0811_sysctls_of_the_host_are_refused(box, key):
    with open("/proc/sys/kernel/core_pattern") as file:
        before = file.read()
    box.linux["sysctl"] = {key: "|/bin/evil"}
    assert box.run("true").code != 0
    with open("/proc/sys/kernel/core_pattern") as file:
        assert file.read() == before


@pytest.mark.proves(24)
def test_2022_0811_value_is_one_value(box):
    with open("/proc/sys/kernel/core_pattern") as file:
        before = file.read()
    box.linux["sysctl"] = {"kernel.shm_rmid_forced": "1+kernel.core_pattern=|/bin/evil"}
    box.run("true")
    with open("/proc/sys/kernel/core_pattern") as file:
        assert file.read() == before


@pytest.mark.proves(24)
def test_2022_0811_network_sysctl_needs_a_network_namespace(box):
    box.namespace("network", absent=True)
    box.linux["sysctl"] = {"net.ipv4.ip_forward": "1"}
    assert box.run("true").has_failed("net")


@pytest.mark.parametrize("spaces", [(), ("cgroup",), ("ipc", "uts")])
@pytest.mark.proves(26)
def test_2023_6476_limits_hold_in_every_mix_of_namespaces(box, spaces):
    for kind in spaces:
        box.namespace(kind, absent=True) if kind != "cgroup" else box.namespace(kind)
    box.config.pop("hostname")
    if "uts" in spaces:
        box.config.pop("hostname", None)
    box.resources["memory"] = {"limit": 64 << 20}
    box.start()
    with open(f"/proc/{box.pid()}/cgroup") as file:
        lines = [line for line in file if "memory" in line or line.startswith("0::")]
    assert any(box.group in line for line in lines)


@pytest.fixture
def decoy(box):
    """A directory that looks like /proc, of files which nobody may write to."""
    top = box.path("rootfs/decoy")
    names = [f"{process}/{name}" for process in ("self", "thread-self", "1")
             for name in ("attr/exec", "attr/current", "attr/apparmor/exec", "oom_score_adj", "setgroups", "uid_map", "loginuid")]
    for name in [*names, "sys/net/ipv4/ip_forward", "sys/kernel/domainname", "sysrq-trigger"]:
        os.makedirs(os.path.dirname(f"{top}/{name}"), exist_ok=True)
        with open(f"{top}/{name}", "w") as file:
            file.write("decoy")
    return top


def is_untouched(decoy):
    texts = set()
    for parent, _, names in os.walk(decoy):
        for name in names:
            with open(os.path.join(parent, name)) as file:
                texts.add(file.read())
    return texts == {"decoy"}


@pytest.mark.ours
@pytest.mark.parametrize("place", ["runtime.mount.before_make", "runtime.mount.place_found"])
@pytest.mark.parametrize("target", ["sys/net/ipv4", "self/attr"])
@pytest.mark.proves(18)
def test_2025_52881_a_mount_that_races_redirects_no_write_to_proc(box, decoy, place, target):
    """A directory of a volume becomes a link to /proc at the worst time: a sysctl, or a label, would be written to what
    was then mounted there."""
    volume = box.path("volume")
    os.makedirs(f"{volume}/d" if place.endswith("make") else f"{volume}/d/{target}")
    os.symlink("/proc", f"{volume}/link")
    box.bind(volume, "/vol", "rbind")
    box.bind(f"{decoy}/{target}", f"/vol/d/{target}", "rbind")
    box.linux["sysctl"] = {"net.ipv4.ip_forward": "1", "kernel.domainname": "its-own"}
    skip = len(box.config["mounts"]) - 1 if place.endswith("place_found") else 3
    done = swapped_at(box, place, skip, lambda: exchange(f"{volume}/d", f"{volume}/link"), "cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/domainname")
    assert is_untouched(decoy)
    assert done.has_failed("inside /proc", "No such file") or done.out.split() == ["1", "its-own"], done


@pytest.mark.parametrize("target", ["sys/net/ipv4", "self/attr", "thread-self", ""])
@differs(crun="crun 1.8 mounts there")
@pytest.mark.proves(18)
def test_2025_52881_nothing_that_looks_like_proc_takes_its_place(box, decoy, target):
    """The same by a link that is there from the start, and by a bind over /proc itself."""
    os.symlink("/proc", box.path("rootfs/link"))
    box.bind(f"{decoy}/{target}", f"/link/{target}" if target else "/proc")
    box.linux["sysctl"] = {"net.ipv4.ip_forward": "1"}
    assert box.run("true").has_failed("proc") and is_untouched(decoy)


@differs(crun="crun 1.8 leaves the score of an exec as it is", racy=True)  # with AppArmor it fails before that
@pytest.mark.proves(18)
def test_2025_52881_an_exec_writes_to_no_proc_that_the_container_has_made(box, decoy):
    """What the container has mounted over its /proc takes neither the label nor the score of who is executed into it."""
    for kind in ("bounding", "effective", "permitted"):
        box.process["capabilities"][kind] = bundle.CAPS + ["CAP_SYS_ADMIN"]
    if bundle.APPARMOR:
        box.process["apparmorProfile"] = "proa-runtime-test"
    if bundle.SELINUX:
        box.process["selinuxLabel"] = "system_u:system_r:virtd_lxc_t:s0"
    with bundle.apparmor_profile("proa-runtime-test") if bundle.APPARMOR else contextlib.nullcontext():
        box.start("mount --bind /decoy /proc && echo up >/tmp/up; exec sleep 1000")
        bundle.wait_until(lambda: os.path.exists(box.path("rootfs/tmp/up")))
        process = {**box.process, "args": ["sleep", "1000"], "oomScoreAdj": 77, "user": {"uid": 1000, "gid": 1000}}
        with open(box.path("process.json"), "w") as file:
            bundle.json.dump(process, file)
        done = box.call("exec", "-d", "--pid-file", box.path("pid"), "-p", box.path("process.json"), box.id)
        assert is_untouched(decoy)
        # A runtime may also refuse to write where /proc is none.
        if done.code == 0:
            with open(f"/proc/{pid_in(box.path('pid'))}/oom_score_adj") as file:
                assert file.read() == "77\n"
            if bundle.APPARMOR:
                with open(f"/proc/{pid_in(box.path('pid'))}/attr/current") as file:
                    assert file.read() == "proa-runtime-test (enforce)\n"
            if bundle.SELINUX:
                with open(f"/proc/{pid_in(box.path('pid'))}/attr/current") as file:
                    assert file.read().strip("\0") == box.process["selinuxLabel"]
        assert done.code == 0 or not bundle.IS_OURS, done
        box.call("delete", "--force", box.id)


@pytest.mark.proves(30)
def test_hooks_see_only_what_the_specification_gives_them(box):
    """CVE-2025-23266: the environment of the image does not reach a program of the host."""
    box.process["env"] += ["LD_PRELOAD=/evil.so", "FROM_IMAGE=1"]
    hook = box.path("hook")
    with open(hook, "w") as file:
        file.write(f"#!/bin/sh\n/usr/bin/env >{box.path('environment')}\n")
    os.chmod(hook, 0o755)
    box.config["hooks"] = {"createRuntime": [{"path": hook, "env": ["GIVEN=yes"]}]}
    assert box.run("true").code == 0
    with open(box.path("environment")) as file:
        seen = file.read()
    assert "GIVEN=yes" in seen and "FROM_IMAGE" not in seen and "LD_PRELOAD" not in seen


def console(box):
    """A --console-socket, and what takes the terminal from it."""
    path = box.path("console")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(1)
    return path, listener


def pid_in(path):
    with open(path) as file:
        return int(file.read())


# mode: (what is called, whether its caller waits for it, whether it has a terminal, descriptors beyond 0, 1 and 2)
MODES = {"run": ("run", False, False, ()), "create": ("create", False, False, ()), "exec": ("exec", False, False, ()),
         "run with a terminal": ("run", False, True, ()), "create with a terminal": ("create", False, True, ()), "exec with a terminal": ("exec", False, True, ()),
         "run with preserved": ("run", False, False, (3, 4)), "create with preserved": ("create", False, False, (3, 4)),
         "exec with preserved": ("exec", False, False, (3, 4)), "run in the foreground": ("run", True, False, ()), "exec in the foreground": ("exec", True, False, ()),
         "run in the foreground with a terminal": ("run", True, True, ()), "exec in the foreground with a terminal": ("exec", True, True, ())}


def call_of(box, mode):
    """The words of a call in that mode, whose process sleeps and whose pid is in a file."""
    verb, waits, terminal, more = MODES[mode]
    flags = ["--pid-file", box.path("pid"), *([] if waits or verb == "create" else ["-d"]), *(["--preserve-fds", str(len(more))] if more else [])]
    if terminal and not waits:
        flags += ["--console-socket", box.path("console")]
    where = ["-t", box.id, "sleep", "1000"] if verb == "exec" and terminal else [box.id, "sleep", "1000"] if verb == "exec" else ["-b", box.bundle, box.id]
    return [bundle.PROGRAM, "--root", box.runtime.root, *bundle.DRIVER, verb, *flags, *where]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.proves(3)
def test_descriptors_of_a_process_are_those_it_was_given(box, mode):
    """Whatever the caller has open, and whatever we had on the way: listeners, mounts, sockets, the terminal's other side."""
    verb, waits, terminal, more = MODES[mode]
    box.bind(box.path("rootfs/etc"), "/mnt", "rbind")
    if verb == "exec":
        box.start()
    box.process["terminal"] = terminal and verb != "exec"
    box.args("sleep 1000")
    box.save()
    _, listener = console(box)
    ours, its = os.openpty() if terminal and waits else (None, subprocess.DEVNULL)
    with bundle.descriptors_of_the_caller() as before:
        caller = subprocess.Popen([*before, *call_of(box, mode)], stdin=its, stdout=its, stderr=its, close_fds=False)
    try:
        bundle.wait_until(lambda: os.path.exists(box.path("pid")) and (waits or caller.poll() is not None))
        assert waits or caller.returncode == 0
        pid = pid_in(box.path("pid"))
        if verb == "create":
            # Before the program runs it is ours: sockets to wait at, and nothing of the host's to hold on to.
            others = [what for number, what in bundle.descriptors_of(pid).items() if number not in (0, 1, 2, *more)]
            assert not bundle.IS_OURS or all(what.startswith("socket:") for what in others), others
            assert box.call("start", box.id).code == 0
        bundle.wait_until(lambda: os.readlink(f"/proc/{pid}/exe").endswith("busybox"))
        found = bundle.descriptors_of(pid)
        assert set(found) == {0, 1, 2, *more} and [found[number] for number in more] == ["/", "/etc"][:len(more)]
        assert bundle.are_a_terminal(pid) == terminal
    finally:
        box.call("delete", "--force", box.id)
        caller.wait(20)
        listener.close()
        if ours:
            os.close(ours)
            os.close(its)


@differs(runc="runc 1.1 lets its hooks have descriptors of exec.fifo and more")
@pytest.mark.proves(3)
def test_descriptors_of_a_hook_are_its_standard_streams(box):
    hook = box.path("hook")
    with open(hook, "w") as file:
        file.write("#!/bin/sh\ncat >/dev/null; ls -l /proc/self/fd | grep -v -e pipe: -e /proc/ -e /dev/null -e total >>%s; exit 0\n" % box.path("seen"))
    os.chmod(hook, 0o755)
    box.config["hooks"] = {kind: [{"path": hook, "env": ["PATH=/usr/bin:/bin"]}] for kind in ("prestart", "createRuntime", "createContainer", "poststart")}
    box.save()
    with bundle.descriptors_of_the_caller() as before:
        done = bundle.run_program([*before, bundle.PROGRAM, "--root", box.runtime.root, *bundle.DRIVER, "run", "-b", box.bundle, box.id], close_fds=False)
    assert done.code == 0, done
    with open(box.path("seen")) as file:
        assert file.read() == ""


@pytest.mark.proves(17)
def test_terminal_is_the_containers_own(box, marker):
    """CVE-2025-52565: /dev/console is bound from the terminal that was opened, not from a path."""
    box.process["terminal"] = True
    box.bind(marker.path, "/dev/pts", "rbind")
    box.args("true")
    box.save()
    ours, its = os.openpty()
    process = subprocess.Popen([bundle.PROGRAM, "--root", box.runtime.root, "run", "-b", box.bundle, box.id], stdin=its, stdout=its, stderr=its)
    deadline = time.monotonic() + 20
    while process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    assert process.poll() is not None and marker.unchanged()
    os.close(ours)
    os.close(its)
