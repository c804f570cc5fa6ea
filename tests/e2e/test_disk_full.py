"""No space and no inodes left under the data root: each verb says so, leaves nothing, and works once there is room."""
import json
import os
import time

import images
import pytest
from disks import MB, Disk, names_below
from engine import Engine, wait_until

pytestmark = pytest.mark.ours  # a peer cannot be told where its data goes once it runs

FULL = "no space left on device"


@pytest.fixture(scope="module", params=["tmpfs", "ext4"])
def daemon(request, registry):
    layer = images.Layer(images.tar_of([("data/", None, {}), ("data/large", os.urandom(6 * MB), {})]), level=1)
    registry.push("large", "1", images.Image([images.Layer(images.busybox_layer()), layer], {"Cmd": ["sh"], "Volumes": {"/data": {}}}))
    many = images.Layer(images.tar_of([(f"many/{n}", b"", {}) for n in range(600)]))
    registry.push("many", "1", images.Image([images.Layer(images.busybox_layer()), many], {"Cmd": ["sh"]}))
    engine = Engine(bridge="proatest8", subnet="10.218.0.1/24")
    disk = Disk(engine.data_root, request.param)
    try:
        engine.start()
        engine.disk = disk
        yield engine
    finally:
        if engine.process and engine.process.poll() is None:
            disk.free()
            engine.clean()
            engine.kill(15)
        disk.close()
        engine.close()


@pytest.fixture
def engine(daemon, registry):
    daemon.image = f"{registry.address}/busybox:latest"
    assert daemon.run("pull", "-q", daemon.image).code == 0
    pid = daemon.process.pid
    yield daemon
    daemon.disk.free()
    assert daemon.process.poll() is None and daemon.process.pid == pid
    daemon.clean()
    for image in daemon.api("GET", "/images/json").json:
        daemon.api("DELETE", f"/images/{image['Id']}?force=1")
    wait_until(lambda: os.listdir(f"{daemon.data_root}/trash") == [], what="an empty trash")


def names(engine):
    return names_below(engine.data_root)


def fails_full(engine, operation, leave=64 << 10, inodes=None):
    """It fails for want of space, says so, leaves nothing, and succeeds afterwards: its result then."""
    before = names(engine)
    if inodes is None:
        engine.disk.fill(leave)
    else:
        engine.disk.take_inodes(inodes)
    done = operation()
    assert done.code != 0 and FULL in (done.out + done.err).lower(), done
    engine.disk.free()
    wait_until(lambda: names(engine) <= before, what=f"nothing new in the data root: {sorted(names(engine) - before)[:10]}")
    check = engine.run("system", "check", program="proa")
    assert check.code == 0 and check.out.endswith("problems: 0\n"), check
    done = operation()
    assert done.code == 0, done
    return done


@pytest.fixture(params=["bytes", "inodes"])
def room(request):
    """What little there is."""
    return {"leave": 3 * MB} if request.param == "bytes" else {"inodes": 1}


@pytest.mark.proves("F1")
def test_pull(engine, registry, room):
    name = f"{registry.address}/{'large' if 'leave' in room else 'many'}:1"
    fails_full(engine, lambda: engine.run("pull", name), **room)
    assert engine.run("run", "--rm", "--network", "none", name, "true").code == 0


@pytest.mark.proves("F1")
def test_load(engine, registry, room, tmp_path):
    name = f"{registry.address}/{'large' if 'leave' in room else 'many'}:1"
    assert engine.run("pull", name).code == 0
    assert engine.run("save", "-o", str(tmp_path / "saved.tar"), name).code == 0
    engine.run("rmi", name)
    wait_until(lambda: os.listdir(f"{engine.data_root}/trash") == [])
    fails_full(engine, lambda: engine.run("load", "-i", str(tmp_path / "saved.tar")), **room)
    assert engine.run("run", "--rm", "--network", "none", name, "true").code == 0


@pytest.mark.proves("F1")
def test_import(engine, tmp_path):
    path = tmp_path / "root.tar"
    path.write_bytes(images.tar_of([("large", os.urandom(6 * MB), {})]))
    fails_full(engine, lambda: engine.run("import", str(path), "imported:1"), leave=3 * MB)


@pytest.mark.parametrize("kind", ["bytes", "inodes"])
@pytest.mark.proves("F1")
def test_create(engine, kind):
    """On a full disk a record may still find room: then it must be whole."""
    before = names(engine)
    engine.disk.fill(0) if kind == "bytes" else engine.disk.take_inodes(0)
    done = engine.run("create", "--name", "box", engine.image, "echo", "created")
    engine.disk.free()
    if done.code != 0:
        assert FULL in done.err.lower(), done
        assert engine.run("ps", "-aq").out == "" and names(engine) <= before
        assert engine.run("create", "--name", "box", engine.image, "echo", "created").code == 0
    assert engine.run("start", "-a", "box").out == "created\n"
    assert engine.run("system", "check", program="proa").code == 0


@pytest.mark.proves("F1")
def test_start(engine):
    engine.run("create", "--name", "box", engine.image, "echo", "started")
    engine.disk.fill(0)
    done = engine.run("start", "-a", "box")
    engine.disk.free()
    if done.code != 0:
        assert FULL in done.err.lower(), done
    assert engine.run("start", "-a", "box").code == 0
    assert engine.run("system", "check", program="proa").code == 0


@pytest.mark.proves("F1")
def test_copy_into_a_container(engine, tmp_path):
    (tmp_path / "file").write_bytes(os.urandom(6 * MB))
    engine.run("run", "-d", "--name", "box", engine.image, "sleep", "600")
    before = names(engine)
    engine.disk.fill(3 * MB)
    done = engine.run("cp", str(tmp_path / "file"), "box:/file")
    assert done.code != 0 and FULL in done.err.lower(), done
    engine.disk.free()
    assert engine.run("cp", str(tmp_path / "file"), "box:/file").code == 0
    assert engine.run("exec", "box", "wc", "-c", "/file").out == f"{6 * MB} /file\n"
    assert before <= names(engine)


@pytest.mark.proves("F1")
def test_commit(engine):
    engine.run("run", "--name", "box", engine.image, "dd", "if=/dev/urandom", "of=/large", "bs=1M", "count=6")
    wait_until(lambda: any(name.endswith("/trace.json") for name in names(engine)), what="what explain keeps of the run")
    fails_full(engine, lambda: engine.run("commit", "box", "committed:1"), leave=3 * MB)
    assert engine.run("run", "--rm", "committed:1", "wc", "-c", "/large").out == f"{6 * MB} /large\n"


@pytest.mark.proves("F1")
def test_build_up_of_a_volume(engine, registry):
    """What the image has is copied into the new volume: all of it or nothing."""
    name = f"{registry.address}/large:1"
    assert engine.run("pull", name).code == 0
    engine.disk.fill(3 * MB)
    done = engine.run("run", "--name", "box", "-v", "vol:/data", name, "true")
    assert done.code == 125 and FULL in done.err.lower(), done
    engine.disk.free()
    assert engine.run("start", "-a", "box").code == 0
    assert engine.run("run", "--rm", "-v", "vol:/data", name, "wc", "-c", "/data/large").out == f"{6 * MB} /data/large\n"


@pytest.mark.proves("F1")
def test_log_of_a_running_container(engine):
    """It runs on: lines that find no room are lost, those after them are there, and the file is whole."""
    script = "i=0; while :; do i=$((i+1)); echo line $i $(head -c 2000 /dev/zero | tr '\\0' x); sleep 0.01; done"
    engine.run("run", "-d", "--name", "talker", engine.image, "sh", "-c", script)
    last = lambda: int((engine.run("logs", "--tail", "1", "talker").out.split() or ["", "0"])[1])  # noqa: E731
    wait_until(lambda: last() > 5)
    engine.disk.fill(0)
    seen = last()
    time.sleep(1)
    assert engine.inspect("talker")["State"]["Running"]
    assert engine.run("exec", "talker", "true").code == 0
    engine.disk.free()
    wait_until(lambda: last() > seen + 20, what="lines after the disk had room again")
    with open(engine.inspect("talker")["LogPath"]) as file:
        whole = [json.loads(line) for line in file.read().splitlines()[:-1]]
    assert whole
    assert engine.run("stop", "-t", "0", "talker").code == 0


@pytest.mark.proves("F1")
def test_stop_and_removal_need_no_room(engine):
    engine.run("run", "-d", "--name", "box", engine.image, "sleep", "600")
    engine.disk.fill(0)
    assert engine.run("ps", "-q").out.strip()
    assert engine.run("kill", "box").code == 0
    done = engine.run("rm", "-f", "box")
    assert done.code == 0, done
    assert engine.run("ps", "-aq").out == ""
