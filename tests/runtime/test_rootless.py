"""Containers of an ordinary user, and of root in a user namespace."""
import json
import os
import shutil
import subprocess

import bundle
import pytest
from bundle import PROGRAM, UNIFIED, alive, run_program, wait_until

pytestmark = pytest.mark.skipif(bundle.SYSTEMD, reason="the user has no systemd of his own here")
differs = pytest.mark.differs
USER = 4711
# The user exists, and has ranges, only in a mount namespace that ends with the command.
AS_USER = """
mount --make-rprivate / &&
for name in passwd subuid subgid; do mount --bind "$1/$name" /etc/$name || exit 99; done
shift
exec setpriv --reuid 4711 --regid 4711 --clear-groups -- "$@"
"""


def copy_of_program(directory):
    """Where everybody may execute it, and small: what is sealed in memory counts."""
    path = os.path.join(directory, "bin", os.path.basename(PROGRAM))
    if not os.path.exists(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        subprocess.run(["strip", "-o", path, PROGRAM] if shutil.which("strip") else ["cp", PROGRAM, path], check=True)
        os.chmod(path, 0o755)
    return path


class User:
    """A user of the machine, with a copy of the runtime's program, and a bundle of his own."""

    def __init__(self, box):
        self.box = box
        self.home = box.path("home")
        os.makedirs(self.home)
        self.program = copy_of_program(box.runtime.directory)
        self.write("passwd", f"root:x:0:0::/root:/bin/sh\nplain:x:{USER}:{USER}::{self.home}:/bin/sh\n")
        for name in ("subuid", "subgid"):
            self.write(name, "plain:200000:65536\n")
        for path in (self.home, box.bundle):
            os.chown(path, USER, USER)
        self.state = os.path.join(self.home, "state")
        linux = box.linux
        linux["resources"] = {}
        linux.pop("cgroupsPath")
        box.namespace("user")
        box.process["capabilities"] = {kind: bundle.CAPS for kind in ("bounding", "effective", "permitted")}
        self.map_range()

    def write(self, name, text):
        with open(self.box.path(name), "w") as file:
            file.write(text)

    def map_range(self):
        mapping = [{"containerID": 0, "hostID": USER, "size": 1}, {"containerID": 1, "hostID": 200000, "size": 65536}]
        self.box.linux["uidMappings"] = self.box.linux["gidMappings"] = mapping

    def map_self(self):
        self.box.linux["uidMappings"] = self.box.linux["gidMappings"] = [{"containerID": 0, "hostID": USER, "size": 1}]
        for mount in self.box.config["mounts"]:
            mount["options"] = [one for one in mount["options"] if not one.startswith("gid=")]

    def command(self, *words):
        return ["unshare", "-m", "sh", "-c", AS_USER, "sh", self.box.bundle, self.program, "--root", self.state, *map(str, words)]

    def __call__(self, *words, **options):
        return run_program(self.command(*words), cwd=self.home, **options)

    def run(self, script):
        self.box.args(script)
        self.box.save()
        return self("run", "-b", self.box.bundle, self.box.id)

    def start(self, script="sleep 1000"):
        self.box.args(script)
        self.box.save()
        for words in (("create", "-b", self.box.bundle), ("start",)):
            done = self(*words, self.box.id)
            assert done.code == 0, done
        return self.pid()

    def pid(self):
        return json.loads(self("state", self.box.id).out)["pid"]


@pytest.fixture
def user(box):
    made = User(box)
    yield made
    made("delete", "--force", box.id)


def test_with_a_range_of_ids(user):
    done = user.run("id -u; cat /proc/self/uid_map /proc/self/gid_map; cat /proc/self/setgroups; touch /tmp/file; chown 5:7 /tmp/file; stat -c %u:%g /tmp/file")
    assert done.code == 0, done
    lines = [line.split() for line in done.out.splitlines()]
    maps = [["0", str(USER), "1"], ["1", "200000", "65536"]]
    assert lines == [["0"], *maps, *maps, ["allow"], ["5:7"]]
    info = os.stat(user.box.path("rootfs/tmp/file"))
    assert (info.st_uid, info.st_gid) == (200004, 200006)


def test_with_no_id_but_his_own(user):
    user.map_self()
    user.write("subuid", "")
    user.write("subgid", "")
    done = user.run("id -u; cat /proc/self/uid_map; cat /proc/self/setgroups; hostname")
    assert done.code == 0, done
    assert [line.split() for line in done.out.splitlines()] == [["0"], ["0", str(USER), "1"], ["deny"], ["box"]]


def test_a_life_with_every_verb(user):
    pid = user.start("trap 'exit 3' TERM; while :; do sleep 0.05; done")
    assert json.loads(user("state", user.box.id).out)["status"] == "running"
    assert os.stat(f"/proc/{pid}").st_uid == USER
    done = user("exec", user.box.id, "sh", "-c", "id -u; echo $0; readlink /proc/1/exe")
    assert done.code == 0 and done.out.split() == ["0", "sh", "/bin/busybox"], done
    assert user("exec", "--user", "5:5", user.box.id, "id", "-u").out == "5\n"
    assert user.box.id in user("list", "-q").out
    assert user("kill", user.box.id, "TERM").code == 0
    wait_until(lambda: not alive(pid))
    done = user("delete", user.box.id)
    assert done.code == 0, done
    assert user("state", user.box.id).code != 0


def test_everything_usual_is_mounted(user):
    user.box.mount("/sys/fs/cgroup", "cgroup", "cgroup", "nosuid", "noexec", "nodev", "relatime", "ro")
    user.box.linux["maskedPaths"] = ["/proc/kcore", "/proc/acpi", "/sys/firmware"]
    user.box.linux["readonlyPaths"] = ["/proc/sys", "/proc/sysrq-trigger"]
    user.box.config["root"]["readonly"] = True
    done = user.run("echo x >/dev/null && head -c1 /dev/zero | wc -c; ls /sys/firmware | wc -l; head -c1 /proc/kcore | wc -c; touch /file || echo read-only")
    assert done.code == 0 and done.out.split() == ["1", "0", "0", "read-only"], done


@pytest.mark.proves(13)
def test_cve_2023_25809_no_group_of_the_host_can_be_written(user):
    """Mounted writable, and without a cgroup namespace."""
    user.box.mount("/sys/fs/cgroup", "cgroup", "cgroup", "nosuid", "noexec", "nodev")
    done = user.run("find /sys/fs/cgroup -name cgroup.procs | while read file; do dir=${file%/*}; mkdir $dir/evil && echo made $dir; (echo $$ >$dir/cgroup.procs) && echo joined $dir; done 2>/dev/null; true")
    assert done.code == 0 and done.out == "", done


@differs(crun="crun 1.8 makes one by itself")
def test_without_a_user_namespace_it_is_refused(user):
    user.box.namespace("user", absent=True)
    user.box.linux.pop("uidMappings")
    user.box.linux.pop("gidMappings")
    assert user.run("true").has_failed("rootless container requires user namespaces", "operation not permitted")


@pytest.mark.ours
def test_limits_that_cannot_be_set_are_refused(user):
    user.box.resources["pids"] = {"limit": 10}
    assert user.run("true").has_failed("rootless needs no limits")


def test_a_group_he_may_not_make_is_refused(user):
    user.box.linux["cgroupsPath"] = "/proa-runtime-test-denied/x"
    assert user.run("true").code != 0
    assert not os.path.exists("/sys/fs/cgroup/proa-runtime-test-denied")


def test_ranges_that_are_not_his_are_refused(user):
    user.box.linux["uidMappings"] = [{"containerID": 0, "hostID": 0, "size": 10}]
    done = user.run("true")
    assert done.code != 0 and (not bundle.IS_OURS or "newuidmap" in done.err and "/etc/subuid" in done.err)


@differs(crun="crun 1.8 leaves them out")
def test_groups_that_he_cannot_have_are_refused(user):
    user.map_self()
    user.box.process["user"]["additionalGids"] = [5]
    assert user.run("true").has_failed("additional groups", "invalid argument", "unmapped", "not permitted")


@pytest.mark.skipif(not UNIFIED, reason="version 1 delegates nothing")
def test_a_group_that_was_given_to_him_has_limits(user):
    """Delegation of version 2: he owns a group, and is in it."""
    top = f"/sys/fs/cgroup/proa-delegated-{user.box.id}"
    for path in (top, top + "/session"):
        os.mkdir(path)
    with open("/sys/fs/cgroup/cgroup.subtree_control", "w") as file:
        file.write("+pids +memory")
    for path in (top, top + "/session"):
        for name in ("", "cgroup.procs", "cgroup.subtree_control", "cgroup.threads"):
            os.chown(os.path.join(path, name), USER, USER)
    user.box.resources.update({"pids": {"limit": 17}, "memory": {"limit": 64 << 20}})
    user.box.linux["cgroupsPath"] = top.removeprefix("/sys/fs/cgroup") + "/box"
    user.box.args("sleep 1000")
    user.box.save()
    try:
        join = ["sh", "-c", f'echo $$ >{top}/session/cgroup.procs; exec "$@"', "sh"]
        done = run_program(join + user.command("run", "-d", "-b", user.box.bundle, user.box.id), cwd=user.home)
        assert done.code == 0, done
        with open(f"{top}/box/pids.max") as pids, open(f"{top}/box/memory.max") as memory, open(f"/proc/{user.pid()}/cgroup") as own:
            assert (pids.read(), memory.read()) == ("17\n", f"{64 << 20}\n") and f"proa-delegated-{user.box.id}/box" in own.read()
        assert user("pause", user.box.id).code == 0
        assert user("resume", user.box.id).code == 0
        assert str(user.pid()) in user("ps", user.box.id).out
        assert run_program(join + user.command("delete", "-f", user.box.id)).code == 0
        assert not os.path.exists(top + "/box")
    finally:
        user("delete", "-f", user.box.id)
        for path in (top + "/box", top + "/session", top):
            if os.path.exists(path):
                wait_until(lambda: not os.path.exists(path) or not open(path + "/cgroup.procs").read())
                os.rmdir(path)


# Root of a user namespace that somebody else has made: no right on the host, but on what the namespace owns.
IN_NAMESPACE = ["unshare", "--user", "--map-root-user", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child", "--"]


def test_root_of_a_user_namespace(user):
    """A container without a user namespace of its own."""
    user.box.namespace("user", absent=True)
    user.box.linux.pop("uidMappings")
    user.box.linux.pop("gidMappings")
    user.box.config["mounts"] = [one for one in user.box.config["mounts"] if one["destination"] != "/sys"]
    for mount in user.box.config["mounts"]:
        mount["options"] = [one for one in mount["options"] if not one.startswith("gid=")]
    user.box.args("id -u; cat /proc/self/uid_map; echo x >/dev/null && hostname")
    user.box.save()
    command = user.command("--rootless", "true", "run", "-b", user.box.bundle, user.box.id)
    at = command.index(user.program)
    done = run_program(command[:at] + IN_NAMESPACE + command[at:], cwd=user.home)
    assert done.code == 0, done
    assert [line.split() for line in done.out.splitlines()] == [["0"], ["0", str(USER), "1"], ["box"]]


def test_state_is_kept_in_his_own_directory(user):
    """Without --root, in $XDG_RUNTIME_DIR."""
    user.map_self()
    user.box.args("sleep 1000")
    user.box.save()
    command = user.command("run", "-d", "-b", user.box.bundle, user.box.id)
    at = command.index("--root")
    command[at:at + 2] = []
    done = run_program(command, cwd=user.home, env={**os.environ, "XDG_RUNTIME_DIR": user.home})
    assert done.code == 0, done
    name = os.path.basename(user.program)
    user.state = os.path.join(user.home, "runc" if name == "runc" else name)
    assert user.box.id in os.listdir(user.state) and user.pid() > 0
