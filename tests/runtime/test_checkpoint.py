"""checkpoint and restore by CRIU. Where this kernel cannot (tests/vm runs them on one that can), that is what is said."""
import array
import json
import os
import shutil
import socket
import subprocess

import bundle
import pytest
from bundle import PROGRAM, Box, alive, wait_until

WORKS = subprocess.run(["criu", "check"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0 if shutil.which("criu") else False
works = pytest.mark.skipif(not WORKS or bundle.NAME == "crun", reason="CRIU cannot work on this kernel, or Debian 12's crun was built without it")
differs = pytest.mark.differs
COUNT = "i=0; while :; do i=$((i+1)); echo $i >/tmp/count; sleep 0.05; done"


def count(box):
    try:
        with open(box.path("rootfs/tmp/count")) as file:
            return int((file.read().split() or ["0"])[0])
    except OSError:
        return 0


def start(box, script=COUNT, *flags):
    """Detached, with nothing of the host's open."""
    box.args(script)
    box.save()
    words = [PROGRAM, "--root", box.runtime.root, *bundle.DRIVER, "run", "-d", *flags, "-b", box.bundle, box.id]
    null = subprocess.DEVNULL
    subprocess.run(words, stdin=null, stdout=null, stderr=null, check=True, timeout=60)
    if script == COUNT:
        wait_until(lambda: count(box) > 2)


def checkpoint(box, *flags, image="image"):
    return box.call("checkpoint", "--image-path", box.path(image), "--work-path", box.path("work"), *flags, box.id)


def restore(box, *flags, image="image"):
    words = [PROGRAM, "--root", box.runtime.root, *bundle.DRIVER, "restore", "-d", "--image-path", box.path(image), "--work-path", box.path("work"),
             "-b", box.bundle, *flags, box.id]
    null = subprocess.DEVNULL
    with open(box.path("errors"), "wb") as errors:
        done = subprocess.run(words, stdin=null, stdout=null, stderr=errors, timeout=60)
    with open(box.path("errors")) as errors:
        assert done.returncode == 0, errors.read()


def goes_on(box):
    before = count(box)
    wait_until(lambda: count(box) > before)
    return True


@works
def test_a_container_goes_on_where_it_was(box):
    box.resources["memory"] = {"limit": 64 << 20}
    box.resources["pids"] = {"limit": 99}
    start(box)
    pid = box.pid()
    done = checkpoint(box)
    assert done.code == 0, done
    assert not alive(pid) and box.call("state", box.id).has_failed("does not exist")
    at = count(box)
    restore(box, "--pid-file", box.path("pid"))
    with open(box.path("pid")) as file:
        assert int(file.read()) == box.pid()
    assert box.status() == "running" and goes_on(box)
    assert at < count(box) < at + 10000
    assert box.exec("cat", "/proc/1/comm").out == "sh\n"
    assert box.limit("pids", "pids.max") == "99"
    with open(f"/proc/{box.pid()}/cgroup") as file:
        assert box.group in file.read()
    assert box.call("kill", box.id, "KILL").code == 0
    box.wait_for("stopped")
    assert box.call("delete", box.id).code == 0
    assert not os.path.exists(box.cgroup("memory"))


@works
def test_left_running_it_goes_on_at_once(box):
    start(box)
    done = checkpoint(box, "--leave-running")
    assert done.code == 0, done
    assert box.status() == "running" and goes_on(box) and os.path.exists(box.path("image/inventory.img"))


@works
def test_what_is_mounted_is_there_again(box):
    os.makedirs(box.path("volume"))
    with open(box.path("volume/file"), "w") as file:
        file.write("of the volume")
    with open(box.path("single"), "w") as file:
        file.write("of the file")
    os.symlink("/run", box.path("rootfs/var/run"))
    box.bind(box.path("volume"), "/mnt", "rbind")
    box.bind(box.path("single"), "/etc/single", "bind", "ro")
    box.bind(box.path("single"), "/var/run/linked", "bind")
    box.mount("/run", "tmpfs", "tmpfs", "mode=755")
    box.config["mounts"].insert(0, box.config["mounts"].pop())  # /run before what lies in it
    box.mount("/sys/fs/cgroup", "cgroup", "cgroup", "ro", "nosuid", "noexec", "nodev")
    box.namespace("cgroup")
    box.linux["maskedPaths"] = ["/proc/kcore", "/proc/keys", "/proc/acpi", "/sys/firmware"]
    box.linux["readonlyPaths"] = ["/proc/sys", "/proc/bus", "/proc/sysrq-trigger"]
    start(box, "echo kept >/run/kept; echo shm >/dev/shm/kept; " + COUNT)
    wait_until(lambda: count(box) > 2)
    look = ("cat /mnt/file /etc/single /var/run/linked /run/kept /dev/shm/kept; head -c1 /proc/kcore | wc -c; ls /sys/firmware | wc -l;"
            "(echo x >/proc/sys/kernel/domainname) 2>/dev/null || echo ro; (echo x >/etc/single) 2>/dev/null || echo ro; ls /dev | sort | tr '\\n' ' ';"
            "cut -d' ' -f5 /proc/self/mountinfo | sort | tr '\\n' ' '")
    before = box.exec("sh", "-c", look)
    assert before.code == 0 and "of the volumeof the fileof the filekept" in before.out, before
    done = checkpoint(box)
    assert done.code == 0, done
    restore(box)
    assert goes_on(box)
    assert box.exec("sh", "-c", look).out == before.out


@works
def test_what_confines_it_is_there_again(box):
    box.process["user"] = {"uid": 1000, "gid": 1000, "additionalGids": [7]}
    box.process["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 64, "hard": 128}]
    box.linux["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO", "errnoRet": 42}]}
    box.config["root"]["readonly"] = True
    box.bind(box.path("rootfs/tmp"), "/tmp", "bind")
    start(box)

    def facts():
        with open(f"/proc/{box.pid()}/status") as file:
            lines = [line for line in file if line.startswith(("Uid", "Gid", "Groups", "Cap", "Seccomp"))]
        with open(f"/proc/{box.pid()}/limits") as file:
            return lines + [line for line in file if "open files" in line] + [os.readlink(f"/proc/{box.pid()}/fd/0")]

    before = facts()
    assert checkpoint(box).code == 0
    restore(box)
    assert facts() == before


@works
@differs(runc="CRIU 3.17 forgets it, and runc does not look")
def test_no_new_privileges_is_there_again_or_it_is_refused(box):
    box.process["noNewPrivileges"] = True
    start(box)
    assert checkpoint(box).code == 0
    done = box.call("restore", "-d", "--image-path", box.path("image"), "-b", box.bundle, box.id)
    if done.code == 0:
        with open(f"/proc/{box.pid()}/status") as file:
            assert "NoNewPrivs:\t1\n" in file.read()
    else:
        assert "noNewPrivileges" in done.err
        assert box.call("state", box.id).code != 0 and not os.path.exists(box.cgroup("memory"))


@works
def test_a_checkpoint_before_the_checkpoint(box):
    start(box)
    done = checkpoint(box, "--pre-dump", image="first")
    assert done.code == 0, done
    assert goes_on(box)
    done = checkpoint(box, "--parent-path", "../first")
    assert done.code == 0, done
    assert os.path.islink(box.path("image/parent"))
    restore(box)
    assert goes_on(box)


@works
def test_streams_that_were_pipes_are_ours_of_now(box):
    box.args("while read line; do echo got $line; [ $line = end ] && exit 7; done")
    box.save()
    words = [PROGRAM, "--root", box.runtime.root, *bundle.DRIVER]
    first = subprocess.Popen([*words, "run", "-b", box.bundle, box.id], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    first.stdin.write(b"one\n")
    first.stdin.flush()
    assert first.stdout.readline() == b"got one\n"
    wait_until(lambda: box.call("state", box.id).code == 0)
    assert checkpoint(box).code == 0
    first.communicate(timeout=20)
    second = subprocess.Popen([*words, "restore", "--image-path", box.path("image"), "-b", box.bundle, box.id], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    second.stdin.write(b"two\nend\n")
    second.stdin.flush()
    assert second.stdout.readline() == b"got two\n"
    assert second.stdout.readline() == b"got end\n"
    assert second.wait(timeout=20) == 7
    assert box.call("state", box.id).code != 0


def console(path):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(1)
    return listener


def master_of(listener):
    peer, _ = listener.accept()
    _, control, _, _ = peer.recvmsg(4096, socket.CMSG_SPACE(4))
    numbers = array.array("i")
    numbers.frombytes(control[0][2])
    peer.close()
    return numbers[0]


@works
def test_a_terminal_is_handed_over_again(box):
    box.process["terminal"] = True
    box.args("while read line; do echo got $line; done")
    box.save()
    listener = console(box.path("console"))
    assert box.call("run", "-d", "-b", box.bundle, "--console-socket", box.path("console"), box.id).code == 0
    first = master_of(listener)
    assert checkpoint(box).code == 0
    os.close(first)
    restore(box, "--console-socket", box.path("console"))
    second = master_of(listener)
    os.write(second, b"again\n")
    text = b""
    while b"got again" not in text:
        text += os.read(second, 4096)
    os.close(second)
    listener.close()


@works
@pytest.mark.parametrize("waits, terminal", [(False, False), (False, True), (True, False)], ids=["detached", "with a terminal", "in the foreground"])
@pytest.mark.proves(3)
def test_descriptors_of_a_process_are_those_it_had(box, waits, terminal):
    """While it is checkpointed and after it is restored, whatever the callers have open."""
    box.process["terminal"] = terminal
    listener = console(box.path("console"))
    socket_flags = ["--console-socket", box.path("console")] if terminal else []
    start(box, "sleep 1000", *socket_flags)
    first = master_of(listener) if terminal else None
    words = [PROGRAM, "--root", box.runtime.root, *bundle.DRIVER]
    directories = ["--image-path", box.path("image"), "--work-path", box.path("work")]
    null = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "close_fds": False}
    with bundle.descriptors_of_the_caller() as before:
        had = bundle.descriptors_of(box.pid())
        assert set(had) == {0, 1, 2}
        for flags in (["--leave-running"], []):
            assert subprocess.run([*before, *words, "checkpoint", *flags, *directories, box.id], **null, timeout=60).returncode == 0
            assert not flags or bundle.descriptors_of(box.pid()) == had
        if first:
            os.close(first)
        caller = subprocess.Popen([*before, *words, "restore", *([] if waits else ["-d"]), *socket_flags, *directories, "-b", box.bundle, box.id], **null)
    second = master_of(listener) if terminal else None
    try:
        wait_until(lambda: box.call("state", box.id).code == 0 and box.status() == "running", 30)
        assert waits or caller.wait(20) == 0
        assert set(bundle.descriptors_of(box.pid())) == {0, 1, 2} and bundle.are_a_terminal(box.pid()) == terminal
    finally:
        box.call("delete", "--force", box.id)
        caller.wait(20)
        listener.close()
        if second:
            os.close(second)


@works
def test_a_network_namespace_of_somebody_else_stays_his(box, another):
    another.start()
    path = f"/proc/{another.pid()}/ns/net"
    box.namespace("network", path)
    start(box)
    assert checkpoint(box).code == 0
    restore(box)
    assert os.readlink(f"/proc/{box.pid()}/ns/net") == os.readlink(path) and goes_on(box)


@works
def test_a_container_of_a_user_namespace_goes_on(box):
    """CRIU opens the image as the container's root: a directory of root's alone is closed to it, and that is said."""
    box.map_user()
    start(box)
    done = checkpoint(box)
    assert done.code == 0, done
    if bundle.IS_OURS:
        done = box.call("restore", "-d", "--image-path", box.path("image"), "-b", box.bundle, box.id)
        assert done.has_failed("user 100000") and box.call("state", box.id).has_failed("does not exist")
    os.chmod(box.path("image"), 0o711)
    restore(box)
    assert goes_on(box) and box.exec("cat", "/proc/self/uid_map").out.split() == ["0", "100000", "65536"]
    assert os.stat(f"/proc/{box.pid()}").st_uid == 100000


def criu(box, verb, directory, port, *words):
    """One of CRIU's services; its port is its own in the machine or the test's network namespace."""
    os.makedirs(box.path(directory), exist_ok=True)
    return subprocess.Popen(["criu", verb, "-D", box.path(directory), "--address", "127.0.0.1", "--port", str(port), "-o", f"{verb}.log", *words],
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def listens(port):
    with open("/proc/net/tcp") as file:
        return any(line.split()[1].endswith(f":{port:04X}") and line.split()[3] == "0A" for line in file.readlines()[1:])


@works
def test_pages_go_to_a_page_server(box):
    start(box)
    server = criu(box, "page-server", "remote", 27001)
    try:
        wait_until(lambda: listens(27001))
        done = checkpoint(box, "--page-server", "127.0.0.1:27001")
        assert done.code == 0, done
        assert server.wait(20) == 0
    finally:
        server.kill()
        server.wait()
    sent = [name for name in os.listdir(box.path("remote")) if name.startswith("pages-")]
    assert sent and not [name for name in os.listdir(box.path("image")) if name.startswith("pages-")]
    for name in os.listdir(box.path("remote")):
        if name.endswith(".img"):
            shutil.copy(box.path("remote", name), box.path("image", name))
    restore(box)
    assert goes_on(box)


@works
def test_pages_are_fetched_once_they_are_needed(box):
    """The checkpoint keeps the pages and serves them until the restored container has them all."""
    start(box, "big=$(head -c 3000000 /dev/zero | tr '\\0' x); " + COUNT.replace("echo $i", "echo $i ${#big}"))
    wait_until(lambda: os.path.exists(box.path("rootfs/tmp/count")))
    os.makedirs(box.path("image"))
    null = subprocess.DEVNULL
    source = subprocess.Popen([PROGRAM, "--root", box.runtime.root, *bundle.DRIVER, "checkpoint", "--lazy-pages", "--page-server", "127.0.0.1:27002",
                               "--image-path", box.path("image"), "--work-path", box.path("image"), box.id], stdin=null, stdout=null)
    fetcher = None
    try:
        wait_until(lambda: listens(27002) and os.path.exists(box.path("image/inventory.img")), 30)
        fetcher = criu(box, "lazy-pages", "image", 27002, "--page-server")
        wait_until(lambda: os.path.exists(box.path("image/lazy-pages.socket")))
        other = Box(box.runtime)
        try:
            other.config = box.config
            other.linux["cgroupsPath"] = other.group
            other.config["root"]["path"] = box.rootfs
            other.save()
            words = [PROGRAM, "--root", box.runtime.root, *bundle.DRIVER, "restore", "-d", "--lazy-pages", "--image-path", box.path("image"),
                     "--work-path", box.path("image"), "-b", other.bundle, other.id]
            assert subprocess.run(words, stdin=null, stdout=null, timeout=60).returncode == 0
            assert goes_on(box) and fetcher.wait(60) == 0 and source.wait(60) == 0
        finally:
            other.close()
    finally:
        for process in filter(None, (fetcher, source)):
            process.kill()
            process.wait()


@works
def test_hooks_of_the_host_run_again(box):
    hook = box.path("hook")
    with open(hook, "w") as file:
        file.write(f"#!/bin/sh\ncat >>{box.path('states')}; echo >>{box.path('states')}\n")
    os.chmod(hook, 0o755)
    box.config["hooks"] = {"prestart": [{"path": hook}], "createRuntime": [{"path": hook}]}
    start(box)
    assert checkpoint(box).code == 0
    os.unlink(box.path("states"))
    restore(box)
    with open(box.path("states")) as file:
        states = [json.loads(line) for line in file]
    assert [state["pid"] for state in states] == [box.pid()] * 2


@works
def test_a_restore_that_fails_leaves_nothing(box):
    os.makedirs(box.path("image"))
    box.save()
    done = box.call("restore", "-d", "--image-path", box.path("image"), "-b", box.bundle, box.id)
    assert done.code != 0 and (not bundle.IS_OURS or "criu failed" in done.err and "log file: " in done.err)
    assert box.call("state", box.id).has_failed("does not exist")
    assert not os.path.exists(box.cgroup("memory"))


@differs(crun="Debian 12's crun is built without CRIU")
def test_a_created_container_cannot_be_checkpointed(box):
    assert box.create().code == 0
    assert checkpoint(box).has_failed("cannot be checkpointed in created state")
    assert box.status() == "created"


@pytest.mark.ours
@pytest.mark.parametrize("flags, words", [(("--manage-cgroups-mode", "odd"), "manage-cgroups-mode"), (("--empty-ns", "ipc"), "not supported"),
                                          (("--page-server", "nowhere"), "ADDRESS:PORT"), (("--lazy-pages",), "page-server"),
                                          (("--parent-path", "/abs"), "relative")])
def test_bad_flags_are_refused(box, flags, words):
    box.start()
    assert checkpoint(box, *flags).has_failed(words)
    assert box.status() == "running"


@pytest.mark.ours
def test_without_criu_the_error_names_it(box):
    box.start()
    box.globals = ("--criu", "/not/there/criu")
    for done in (checkpoint(box), box.call("restore", "--image-path", box.path("image"), "-b", box.bundle, "x" + box.id)):
        assert done.has_failed("install the package criu") and "/not/there/criu" in done.err
    assert box.status() == "running"


@pytest.mark.ours
@pytest.mark.skipif(WORKS or not shutil.which("criu"), reason="CRIU works here, or is not there")
def test_a_kernel_that_cannot_is_told_by_what_criu_lacks(box):
    box.start()
    why = subprocess.run(["criu", "check"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout
    done = checkpoint(box)
    assert done.has_failed("criu failed: type ")
    assert any(line.split("): ")[1].strip() in done.err for line in why.splitlines() if "): " in line)
    assert box.status() == "running"
