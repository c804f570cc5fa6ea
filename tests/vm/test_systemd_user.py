"""proa-runtime --systemd-cgroup of an ordinary user: his own systemd makes the scope, in its part of the tree."""
import json
import os
import subprocess

import bundle
import pytest
from bundle import PROGRAM, alive, run_program, wait_until

USER = 4711
RUN = f"/run/user/{USER}"
TOP = f"/user.slice/user-{USER}.slice/user@{USER}.service"
differs = pytest.mark.differs
MEGABYTE = 1 << 20


def as_user(*words, **options):
    """From the suite's own group, which is the system's: what the user starts there his systemd may not move by itself."""
    environment = {"PATH": os.environ["PATH"], "XDG_RUNTIME_DIR": RUN, "DBUS_SESSION_BUS_ADDRESS": f"unix:path={RUN}/bus", "HOME": "/"}
    return run_program(["setpriv", "--reuid", str(USER), "--regid", str(USER), "--clear-groups", "--", *map(str, words)], env=environment, **options)


def show(unit, *names):
    done = as_user("systemctl", "--user", "show", unit, *(f"-p{name}" for name in names))
    assert done.code == 0, done
    return dict(line.split("=", 1) for line in done.out.splitlines())


@pytest.fixture(scope="module")
def manager():
    """The user's systemd, started without PAM: the small root has no module of systemd's for it. The machine ends with the suite."""
    subprocess.run(["useradd", "--uid", str(USER), "--no-create-home", "plain"], check=True)
    os.makedirs(f"/run/systemd/system/user@{USER}.service.d")
    with open(f"/run/systemd/system/user@{USER}.service.d/plain.conf", "w") as file:
        file.write(f"[Service]\nPAMName=\nEnvironment=XDG_RUNTIME_DIR={RUN}\n")
    subprocess.run(["systemctl", "daemon-reload"], check=True)
    done = run_program(["systemctl", "start", f"user@{USER}.service"])
    assert done.code == 0, run_program(["systemctl", "status", "-n", "30", f"user@{USER}.service", f"user-runtime-dir@{USER}.service"])
    yield
    subprocess.run(["systemctl", "stop", f"user@{USER}.service"], check=True)


class UsersBox:
    """A container of the user's, who has no ids but his own."""

    def __init__(self, box):
        self.box, self.id = box, box.id
        self.state = box.path("state")
        self.group = f"{TOP}/proatest.slice/box-{box.id}.scope"
        box.linux["cgroupsPath"] = f"proatest.slice:box:{box.id}"
        box.linux["resources"] = {}
        box.namespace("user")
        box.linux["uidMappings"] = box.linux["gidMappings"] = [{"containerID": 0, "hostID": USER, "size": 1}]
        for mount in box.config["mounts"]:
            mount["options"] = [one for one in mount["options"] if not one.startswith("gid=")]
        subprocess.run(["chown", "-R", f"{USER}:{USER}", box.bundle], check=True)
        self.wrap = ()

    def __call__(self, *words, **options):
        done = as_user(*self.wrap, PROGRAM, "--systemd-cgroup", "--root", self.state, *words, **options)
        if words[0] in ("run", "create"):
            bundle.record_fields(self.box.config, done)
        return done

    def start(self, script="sleep 1000"):
        self.box.args(script)
        self.box.save()
        for words in (("create", "-b", self.box.bundle, self.id), ("start", self.id)):
            done = self(*words)
            assert done.code == 0, done
        return json.loads(self("state", self.id).out)["pid"]

    def file(self, name):
        with open(f"/sys/fs/cgroup{self.group}/{name}") as file:
            return file.read().strip()


@pytest.fixture
def mine(box, manager):
    made = UsersBox(box)
    yield made
    made("delete", "--force", box.id)


@pytest.fixture(params=["from the system's part of the tree", "from his own"])
def anywhere(mine, request):
    if request.param == "from his own":
        mine.wrap = ("systemd-run", "--user", "--scope", "--quiet", "--collect", "--")
    return mine


def group_of(pid):
    with open(f"/proc/{pid}/cgroup") as file:
        return file.read().strip().removeprefix("0::")


@differs(crun="crun has a group below the scope")
def test_a_container_is_a_scope_of_the_users_systemd(anywhere):
    pid = anywhere.start()
    assert group_of(pid) == anywhere.group and anywhere.file("cgroup.procs").split() == [str(pid)]
    assert show(f"box-{anywhere.id}.scope", "ActiveState", "Slice", "ControlGroup", "Delegate") == {
        "ActiveState": "active", "Slice": "proatest.slice", "ControlGroup": anywhere.group, "Delegate": "yes"}


@differs(runc="runc leaves it where it was, if the user may not move it himself", crun="crun has a group below the scope", racy=True)
def test_exec_joins_the_scope(anywhere):
    anywhere.start()
    anywhere.box.namespace("cgroup", absent=True)
    done = anywhere("exec", anywhere.id, "cat", "/proc/self/cgroup")
    assert done.out.strip() == f"0::{anywhere.group}", done


@differs(runc="runc calls the unit runc-ID", crun="crun calls the unit crun-ID")
def test_without_a_path_it_is_in_the_users_slice(mine):
    del mine.box.linux["cgroupsPath"]
    pid = mine.start()
    assert group_of(pid) == f"{TOP}/user.slice/proa-{mine.id}.scope"


@differs(crun="crun has a group below the scope")
def test_limits_hold_and_are_updated(mine):
    mine.box.linux["resources"] = {"memory": {"limit": 64 * MEGABYTE}, "pids": {"limit": 33}}
    mine.start()
    assert [mine.file("memory.max"), mine.file("pids.max")] == [str(64 * MEGABYTE), "33"]
    assert mine("update", "--memory", "128M", "--pids-limit", "31", mine.id).code == 0
    assert as_user("systemctl", "--user", "daemon-reload").code == 0
    assert [mine.file("memory.max"), mine.file("pids.max")] == [str(128 * MEGABYTE), "31"]
    assert show(f"box-{mine.id}.scope", "MemoryMax", "TasksMax") == {"MemoryMax": str(128 * MEGABYTE), "TasksMax": "31"}


def test_pause_kill_and_delete(mine):
    pid = mine.start()
    assert mine("pause", mine.id).code == 0 and json.loads(mine("state", mine.id).out)["status"] == "paused"
    assert mine("resume", mine.id).code == 0 and mine("kill", mine.id, "KILL").code == 0
    wait_until(lambda: not alive(pid))
    assert mine("delete", mine.id).code == 0
    wait_until(lambda: show(f"box-{mine.id}.scope", "LoadState")["LoadState"] == "not-found")
    assert not os.path.exists(f"/sys/fs/cgroup{mine.group}")


@differs(crun="crun has a group below the scope")
def test_root_of_a_user_namespace_asks_the_users_systemd(mine):
    """As podman unshare and rootlesskit call it."""
    mine.wrap = ("unshare", "--user", "--map-root-user", "--")
    mine.box.linux["uidMappings"] = mine.box.linux["gidMappings"] = [{"containerID": 0, "hostID": 0, "size": 1}]
    assert group_of(mine.start()) == mine.group


@differs(runc="runc names the bus that it misses", crun="crun has other words for it")
def test_without_a_systemd_of_his_own_it_is_said(box, manager):
    mine = UsersBox(box)
    box.save()
    done = run_program(["setpriv", "--reuid", str(USER), "--regid", str(USER), "--clear-groups", "--", PROGRAM, "--systemd-cgroup", "--root", mine.state,
                        "run", "-b", box.bundle, box.id], env={"PATH": os.environ["PATH"]})
    assert done.has_failed("XDG_RUNTIME_DIR")
