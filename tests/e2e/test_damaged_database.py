"""The state database is damaged: what is lost of it comes from its copy, and running containers run on (security.md I19)."""
import json
import os
import signal
import sqlite3
import subprocess

import images
import pytest
from engine import BIN, Engine, wait_until

pytestmark = pytest.mark.ours


def overwrite_header(path):
    with open(path, "r+b") as file:
        file.write(os.urandom(4096))


def truncate(path):
    os.truncate(path, 0)


def cut_in_half(path):
    os.truncate(path, os.path.getsize(path) // 2)


def random_bytes(path):
    with open(path, "wb") as file:
        file.write(os.urandom(200000))


def no_database(path):
    with open(path, "wb") as file:
        file.write(b"this is no database" * 1000)


def remove(path):
    os.unlink(path)


DAMAGES = [overwrite_header, truncate, cut_in_half, random_bytes, no_database, remove]


@pytest.fixture(scope="module")
def world(registry):
    """A daemon with a running container, one that has ended, a volume, a network and a second tag; all in the copy."""
    daemon = Engine(bridge="proatest1", subnet="10.215.0.1/24")
    try:
        daemon.start()
        name = f"{registry.address}/busybox:latest"
        assert daemon.run("pull", "-q", name).code == 0
        assert daemon.run("tag", name, "second:tag").code == 0
        assert daemon.run("volume", "create", "--label", "colour=blue", "kept").code == 0
        assert daemon.run("network", "create", "--label", "net=own", "own").code == 0
        assert daemon.run("run", "-d", "--name", "runs", "--network", "own", "-v", "kept:/data", name, "sh", "-c",
                          "trap 'exit 9' TERM; echo text > /data/file; echo out; while :; do sleep 0.1; done").code == 0
        assert daemon.run("run", "--name", "ended", name, "sh", "-c", "echo own > /own; exit 7").code == 7
        wait_for_copy(daemon, "ended", '"exited"')
        yield daemon
    finally:
        daemon.close()


def rows(path):
    with sqlite3.connect(f"file:{path}?immutable=1", uri=True) as database:
        return database.execute("SELECT kind, name, body FROM documents").fetchall()


def copy_of(daemon):
    return os.path.join(daemon.data_root, "proa.db.copy")


def wait_for_copy(daemon, container, *words):
    """Until the copy knows the container, its rows having these words in them."""
    identity = daemon.inspect(container)["Id"]

    def known():
        if not os.path.exists(copy_of(daemon)):
            return False
        found = "".join(body for kind, name, body in rows(copy_of(daemon)) if name == identity)
        return found and all(word in found for word in words)

    wait_until(known, 30, "the copy")


def log_of(daemon):
    with open(daemon.log, errors="replace") as file:
        return file.read()


def drop_log(daemon):
    for suffix in ("-wal", "-shm"):
        if os.path.exists(os.path.join(daemon.data_root, "proa.db" + suffix)):
            os.unlink(os.path.join(daemon.data_root, "proa.db" + suffix))


def set_aside(daemon):
    return {entry for entry in os.listdir(daemon.data_root) if ".damaged-" in entry}


def clear_set_aside(daemon):
    for entry in set_aside(daemon):
        subprocess.run(["rm", "-r", os.path.join(daemon.data_root, entry)], check=True)


@pytest.mark.proves("I19")
@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_all_goes_on_by_the_copy(world, registry, damage, ending):
    runs, ended = world.inspect("runs"), world.inspect("ended")
    tags = sorted(world.api("GET", "/images/json").json[0]["RepoTags"])
    clear_set_aside(world)
    world.kill(ending)
    path = os.path.join(world.data_root, "proa.db")
    with open(path, "rb") as file:
        sound = file.read()
    drop_log(world)
    damage(path)
    damaged = open(path, "rb").read() if os.path.exists(path) else b""
    assert damaged != sound
    world.start()
    now = world.inspect("runs")
    assert (now["Id"], now["State"]["Pid"], now["State"]["Status"], now["Config"], now["Mounts"]) == \
        (runs["Id"], runs["State"]["Pid"], "running", runs["Config"], runs["Mounts"])
    assert now["NetworkSettings"]["Networks"]["own"]["IPAddress"] == runs["NetworkSettings"]["Networks"]["own"]["IPAddress"]
    assert world.run("exec", "runs", "cat", "/data/file").out == "text\n" and world.run("logs", "runs").out == "out\n"
    now = world.inspect("ended")
    assert (now["Id"], now["State"]["Status"], now["State"]["ExitCode"]) == (ended["Id"], "exited", 7)
    assert world.run("cp", "ended:/own", "-").code == 0
    assert world.api("GET", "/volumes/kept").json["Labels"] == {"colour": "blue"}
    assert world.api("GET", "/networks/own").json["Labels"] == {"net": "own"}
    assert sorted(world.api("GET", "/images/json").json[0]["RepoTags"]) == tags
    kept = [entry for entry in set_aside(world) if not entry.endswith((".copy", ".containers", "-wal", "-shm"))]
    assert len(kept) == 1 and (not damaged or open(os.path.join(world.data_root, kept[0]), "rb").read() == damaged)
    assert "the state database is damaged" in log_of(world)
    done = world.run("system", "check", program="proa")
    assert done.code == 0, done
    assert world.run("run", "--rm", f"{registry.address}/busybox:latest", "echo", "works").out == "works\n"


def test_a_lost_log_is_noticed(world):
    """The file alone is a sound database, as it was before the last changes."""
    world.kill(signal.SIGTERM)
    before = open(os.path.join(world.data_root, "proa.db"), "rb").read()
    world.start()
    assert world.run("rename", "ended", "renamed").code == 0
    try:
        wait_for_copy(world, "renamed", '"renamed"')
        world.kill()
        drop_log(world)
        with open(os.path.join(world.data_root, "proa.db"), "wb") as file:
            file.write(before)
        world.start()
        assert world.inspect("renamed")["State"]["ExitCode"] == 7
        assert world.api("GET", "/containers/ended/json").status == 404
        assert "it is older than its copy" in log_of(world)
    finally:
        world.run("rename", "renamed", "ended")
        wait_for_copy(world, "ended", '"ended"')


def test_what_was_removed_after_the_copy_does_not_come_back(world, registry):
    name = f"{registry.address}/busybox:latest"
    assert world.run("run", "--name", "gone", "-v", "gone:/data", name, "true").code == 0
    wait_for_copy(world, "gone", '"exited"')
    with open(copy_of(world), "rb") as file:
        old = file.read()
    assert world.run("rm", "gone").code == 0 and world.run("volume", "rm", "gone").code == 0
    world.kill()
    with open(copy_of(world), "wb") as file:
        file.write(old)
    drop_log(world)
    random_bytes(os.path.join(world.data_root, "proa.db"))
    world.start()
    assert sorted(one["Names"][0] for one in world.api("GET", "/containers/json?all=1").json) == ["/ended", "/runs"]
    assert [volume["Name"] for volume in world.api("GET", "/volumes").json["Volumes"]] == ["kept"]
    log = log_of(world)
    assert "the record of a container that has no directory is dropped" in log and "name=gone" in log
    assert "the record of a volume that has no directory is dropped" in log and "volume=gone" in log


def test_what_the_copy_does_not_know_is_named_and_laid_aside(world, registry):
    with open(copy_of(world), "rb") as file:
        old = file.read()
    assert world.run("run", "-d", "--name", "unknown", f"{registry.address}/busybox:latest", "sh", "-c", "echo own > /own; sleep 600").code == 0
    state = world.inspect("unknown")
    wait_until(lambda: world.run("exec", "unknown", "cat", "/own").out == "own\n")
    clear_set_aside(world)
    world.kill()
    with open(copy_of(world), "wb") as file:
        file.write(old)
    drop_log(world)
    truncate(os.path.join(world.data_root, "proa.db"))
    world.start()
    assert sorted(one["Names"][0] for one in world.api("GET", "/containers/json?all=1").json) == ["/ended", "/runs"]
    assert world.inspect("runs")["State"]["Running"]
    wait_until(lambda: not os.path.exists(f"/proc/{state['State']['Pid']}"))
    aside = next(entry for entry in set_aside(world) if entry.endswith(".containers"))
    with open(os.path.join(world.data_root, aside, state["Id"], "upper/own")) as file:
        assert file.read() == "own\n"
    assert "its files are laid aside" in log_of(world) and state["Id"] in log_of(world)


def test_a_death_while_it_is_made_anew_loses_nothing(world, tmp_path):
    world.kill()
    drop_log(world)
    overwrite_header(os.path.join(world.data_root, "proa.db"))
    flags = ["--data-root", world.data_root, "--exec-root", world.exec_root, "-H", world.host, "--pidfile", str(tmp_path / "pid"),
             "--bip", world.subnet, "--bridge-name", world.bridge, "--cgroup-parent", f"/{world.cgroup_parent}"]
    killed = subprocess.run([os.path.join(BIN, "proad"), *flags], env={**os.environ, "PROA_FAILPOINTS_ON": "database.before_replace=kill"},
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
    assert killed.returncode == -signal.SIGKILL, killed.stdout
    world.start()
    assert world.inspect("runs")["State"]["Running"] and world.inspect("ended")["State"]["ExitCode"] == 7


def test_stop_gives_the_true_exit_after_all_of_that(world):
    assert world.run("stop", "runs").code == 0
    assert world.inspect("runs")["State"]["ExitCode"] == 9


@pytest.mark.proves("I19")
def test_the_registrys_tags_survive(serve):
    server = serve()
    server.registry.push("mine", "v1", images.busybox_image())
    server.stop()
    path = os.path.join(server.root, "registry.db")
    assert ("tags", "mine:v1") in [(kind, name) for kind, name, body in rows(path + ".copy")]
    random_bytes(path)
    server.start()
    status, _, body = server.ask("GET", "/v2/mine/tags/list")
    assert status == 200 and json.loads(body)["tags"] == ["v1"]
    # What is lost may be wanted: nothing is deleted before somebody has seen it.
    server.stop()
    random_bytes(path)
    done = subprocess.run([os.path.join(BIN, "proa-registry"), "--root", server.root, "gc"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1 and "records were lost" in done.stderr
    server.start()
    assert server.ask("GET", "/v2/mine/manifests/v1")[0] == 200
