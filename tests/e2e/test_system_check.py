"""`proa system check`: what is missing, altered, extra or nobody's is found, and mended where it can be; both forms of layers."""
import glob
import os
import shutil
import signal
import sqlite3
import time

import pytest
from engine import Engine, wait_until

pytestmark = pytest.mark.ours


def blobs(engine):
    return glob.glob(f"{engine.data_root}/content/blobs/sha256/*")


def check(engine, *flags):
    return engine.run("system", "check", *flags, program="proa")


def lines(done):
    return [line.split(":")[0].split()[0:2] for line in done.out.splitlines()[:-1]]


@pytest.fixture(scope="module", params=["erofs", "directory"])
def daemon(request, registry):
    engine = Engine(bridge="proatest5", subnet="10.220.0.1/24", extra_flags=["--storage-opt", f"proa.layers={request.param}"])
    try:
        engine.form = request.param
        yield engine.start()
    finally:
        engine.close()


@pytest.fixture
def image(daemon, registry):
    name = f"{registry.address}/busybox:latest"
    assert daemon.run("pull", "-q", name).code == 0
    return name


@pytest.fixture
def clean(daemon, image):
    yield daemon
    daemon.clean()
    assert daemon.run("pull", "-q", image).code == 0  # brings what is missing
    check(daemon, "--repair")
    done = check(daemon)
    assert done.code == 0 and done.out.endswith("problems: 0\n"), done
    assert daemon.run("run", "--rm", image, "echo", "works").out == "works\n"


def layer_blob(engine, image):
    """The largest: busybox's."""
    return max(blobs(engine), key=os.path.getsize)


def flip(path, at):
    with open(path, "r+b") as file:
        file.seek(at)
        byte = file.read(1)
        file.seek(at)
        file.write(bytes([byte[0] ^ 1]))


def diff_id(engine, image):
    return engine.api("GET", f"/images/{image}/json").json["RootFS"]["Layers"][0].split(":")[1]


def layer_path(engine, image):
    """A file or, where layers are unpacked, a directory."""
    return f"{engine.data_root}/layers/{diff_id(engine, image)}" + (".erofs" if engine.form == "erofs" else "")


def take_away(path):
    shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)


def test_nothing_is_wrong(clean):
    done = check(clean)
    assert done.code == 0 and done.out.startswith("Images: ") and done.out.endswith("problems: 0\n")


@pytest.mark.proves("I14")
def test_damaged_blob(clean, image):
    path = layer_blob(clean, image)
    flip(path, 100)
    done = check(clean)
    assert done.code == 1 and lines(done) == [["damaged", "blob"]] and os.path.basename(path) in done.out and f"pull {image} again" in done.out
    assert os.path.exists(path), "nothing is touched without --repair"
    assert check(clean, "--repair").code == 1 and not os.path.exists(path)
    assert clean.run("run", "--rm", image, "echo", "works").out == "works\n"


@pytest.mark.proves("I14")
@pytest.mark.parametrize("which", ["layer", "configuration", "manifest"])
def test_missing_blob_comes_with_a_pull(clean, image, which):
    if which == "layer":
        path = layer_blob(clean, image)
    else:
        configuration = clean.api("GET", f"/images/{image}/json").json["Id"].split(":")[1]
        path = next(one for one in blobs(clean) if one != layer_blob(clean, image) and one.endswith(configuration) == (which == "configuration"))
    os.unlink(path)
    done = check(clean)
    assert done.code == 1 and lines(done) == [["missing", "blob"]] and f"pull {image} again" in done.out
    assert clean.run("pull", image).code == 0 and os.path.exists(path)
    assert check(clean).code == 0


def test_missing_layer_is_made_again(clean, image):
    take_away(layer_path(clean, image))
    done = check(clean)
    assert done.code == 1 and ["missing", "layer"] in lines(done)
    done = check(clean, "--repair")
    assert done.code == 0 and "repaired" in done.out, done
    assert clean.run("run", "--rm", image, "echo", "works").out == "works\n"


def test_missing_layer_is_made_again_at_start(clean, image):
    path = layer_path(clean, image)
    clean.kill(signal.SIGTERM)
    take_away(path)
    clean.start()
    assert os.path.exists(path) and check(clean).code == 0
    assert clean.run("run", "--rm", image, "echo", "works").out == "works\n"


def test_without_layer_and_blob_an_image_is_gone_and_others_serve(clean, image, registry):
    other = f"{registry.address}/other:v1"
    assert clean.run("pull", "-q", other).code == 0
    own = clean.api("GET", f"/images/{other}/json").json["RootFS"]["Layers"][-1].split(":")[1]
    clean.kill(signal.SIGTERM)
    take_away(glob.glob(f"{clean.data_root}/layers/{own}*")[0])
    os.unlink(min((path for path in blobs(clean) if open(path, "rb").read(2) == b"\x1f\x8b"), key=os.path.getsize))
    clean.start()
    assert clean.api("GET", f"/images/{other}/json").status == 404
    assert clean.run("run", "--rm", image, "echo", "works").out == "works\n"
    assert check(clean).code == 0
    assert clean.run("pull", "-q", other).code == 0 and clean.run("run", "--rm", other, "cat", "/other").out == "x"
    assert clean.run("rmi", other).code == 0


ALTERATIONS = {
    "content": lambda top: flip(f"{top}/bin/busybox", 5000),
    "mode": lambda top: os.chmod(f"{top}/etc/shadow", 0o666),
    "owner": lambda top: os.chown(f"{top}/etc/shadow", 1, 1),
    "extra file": lambda top: open(f"{top}/usr/extra", "w").close(),
    "missing file": lambda top: os.unlink(f"{top}/etc/group"),
    "attribute": lambda top: os.setxattr(f"{top}/etc/shadow", "user.extra", b"1"),
}


@pytest.mark.parametrize("what", ALTERATIONS)
def test_altered_layer_is_made_again(clean, image, what):
    path = layer_path(clean, image)
    if os.path.isdir(path):
        ALTERATIONS[what](f"{path}/fs")
    elif what == "content":
        flip(path, os.path.getsize(path) // 2)
    else:
        flip(path, os.path.getsize(path) - 100)  # the tree is at the end
    done = check(clean)
    assert done.code == 1 and lines(done) == [["damaged", "layer"]] and "--repair makes it" in done.out, done
    assert check(clean, "--repair").code == 0
    assert check(clean).code == 0


def test_altered_layer_without_its_blob_waits_for_a_pull(clean, image):
    path = layer_path(clean, image)
    if os.path.isdir(path):
        pytest.skip("without the blob there is nothing to compare it with")
    os.unlink(layer_blob(clean, image))
    flip(path, os.path.getsize(path) // 2)
    done = check(clean, "--repair")
    assert done.code == 1 and sorted(lines(done)) == [["damaged", "layer"], ["missing", "blob"]] and "again and repair then" in done.out
    assert clean.run("pull", "-q", image).code == 0
    assert check(clean, "--repair").code == 0 and check(clean).code == 0


@pytest.mark.proves("I13")
def test_what_nobody_owns_goes(clean):
    data = clean.data_root
    files = [f"{data}/content/blobs/sha256/e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", f"{data}/content/blobs/sha256/note",
             f"{data}/content/blobs/sha256/" + "e" * 64,  # not even what its name says
             f"{data}/content/ingest/" + "b" * 64, f"{data}/content/ingest/note", f"{data}/layers/" + "c" * 64 + ".erofs", f"{data}/layers/note"]
    directories = [f"{data}/layers/" + "d" * 64, f"{data}/containers/" + "a" * 64, f"{data}/volumes/nobodys"]
    for path in files:
        open(path, "w").close()
    old = time.time() - 3600
    for path in directories:
        os.mkdir(path)
        os.utime(path, (old, old))
    done = check(clean)
    assert done.code == 1 and all(line[0] == "unowned" for line in lines(done)) and len(lines(done)) == len(files + directories), done
    assert all(os.path.exists(path) for path in files + directories)
    assert check(clean, "--repair").code == 0
    assert not [path for path in files + directories if os.path.exists(path)]


def test_container_without_its_directory(clean, image):
    """It begins again from its image: by a repair, or at the next start."""
    clean.run("create", "--name", "box", image, "echo", "works")
    home = f"{clean.data_root}/containers/{clean.inspect('box')['Id']}"
    shutil.rmtree(home)
    done = check(clean)
    assert done.code == 1 and lines(done) == [["missing", "directory"]], done
    assert check(clean, "--repair").code == 0 and check(clean).code == 0
    assert clean.run("start", "-a", "box").out == "works\n"
    clean.kill(signal.SIGTERM)
    shutil.rmtree(f"{home}/work")
    open(f"{home}/lowers.json", "w").close()
    clean.start()
    assert check(clean).code == 0 and clean.run("start", "-a", "box").out == "works\n"


def test_unreadable_records_cost_no_data(clean, image):
    """I19: what cannot be read is told of and kept, the others serve."""
    clean.run("run", "--name", "box", "-v", "kept:/data", image, "sh", "-c", "echo text > /data/file; echo own > /own")
    clean.run("run", "--name", "other", image, "true")
    home = f"{clean.data_root}/containers/{clean.inspect('box')['Id']}"
    clean.kill(signal.SIGTERM)
    with sqlite3.connect(f"{clean.data_root}/proa.db") as database:
        for kind, name in (("containers", os.path.basename(home)), ("volumes", "kept")):
            assert database.execute("UPDATE documents SET body='{\"x\":' WHERE kind=? AND name=?", (kind, name)).rowcount == 1
    database.close()
    clean.start()
    assert clean.run("start", "other").code == 0
    assert clean.run("run", "--rm", "-v", "kept:/data", image, "cat", "/data/file").out == "text\n"
    assert os.path.exists(f"{home}/upper/own")
    done = check(clean)
    assert done.code == 1 and lines(done) == [["damaged", "record"]], done
    assert check(clean, "--repair").code == 0
    wait_until(lambda: not os.path.exists(home))
