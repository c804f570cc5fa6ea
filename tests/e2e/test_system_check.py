"""`proa system check`: what is missing, damaged or nobody's is found, and mended where it can be."""
import glob
import os
import shutil
import time

import pytest

pytestmark = pytest.mark.ours


def blobs(engine):
    return glob.glob(f"{engine.data_root}/content/blobs/sha256/*")


def check(engine, *flags):
    return engine.run("system", "check", *flags, program="proa")


def lines(done):
    return [line.split(":")[0].split()[0:2] for line in done.out.splitlines()[:-1]]


@pytest.fixture
def clean(engine, image):
    yield engine
    assert check(engine, "--repair").code in (0, 1)
    assert engine.run("rmi", "-f", image).code == 0 and engine.run("pull", "-q", image).code == 0
    done = check(engine)
    assert done.code == 0 and done.out.endswith("problems: 0\n"), done


def layer_blob(engine, image):
    """The largest: busybox's."""
    return max(blobs(engine), key=os.path.getsize)


def test_nothing_is_wrong(clean):
    done = check(clean)
    assert done.code == 0 and done.out.startswith("Images: ") and done.out.endswith("problems: 0\n")


@pytest.mark.proves("I14")
def test_damaged_blob(clean, image):
    path = layer_blob(clean, image)
    with open(path, "r+b") as file:
        file.seek(100)
        byte = file.read(1)
        file.seek(100)
        file.write(bytes([byte[0] ^ 1]))
    done = check(clean)
    assert done.code == 1 and lines(done) == [["damaged", "blob"]] and os.path.basename(path) in done.out and f"remove {image} and pull it again" in done.out
    assert os.path.exists(path), "nothing is touched without --repair"
    assert check(clean, "--repair").code == 1 and not os.path.exists(path)
    assert clean.run("run", "--rm", image, "echo", "works").out == "works\n"


@pytest.mark.proves("I14")
def test_missing_blob(clean, image):
    path = layer_blob(clean, image)
    os.unlink(path)
    done = check(clean)
    assert done.code == 1 and lines(done) == [["missing", "blob"]]


def layer_path(engine, image):
    """A file or, where layers are unpacked, a directory."""
    diff_id = engine.api("GET", f"/images/{image}/json").json["RootFS"]["Layers"][0].split(":")[1]
    return glob.glob(f"{engine.data_root}/layers/{diff_id}*")[0]


def test_missing_layer_is_unpacked_again(clean, image):
    path = layer_path(clean, image)
    shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)
    done = check(clean)
    assert done.code == 1 and ["missing", "layer"] in lines(done)
    done = check(clean, "--repair")
    assert done.code == 0 and "repaired" in done.out, done
    assert clean.run("run", "--rm", image, "echo", "works").out == "works\n"


def test_damaged_layer_file_is_made_again(clean, image):
    path = layer_path(clean, image)
    if os.path.isdir(path):
        pytest.skip("an unpacked layer has no digest")
    with open(path, "r+b") as file:
        file.seek(os.path.getsize(path) // 2)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 1]))
    done = check(clean)
    assert done.code == 1 and lines(done) == [["damaged", "layer"]]
    assert check(clean, "--repair").code == 0
    assert check(clean).code == 0


@pytest.mark.proves("I13")
def test_what_nobody_owns_goes(clean):
    extra = f"{clean.data_root}/content/blobs/sha256/" + "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    open(extra, "w").close()
    stray = f"{clean.data_root}/containers/" + "a" * 64
    os.mkdir(stray)
    old = time.time() - 3600
    os.utime(stray, (old, old))
    done = check(clean)
    assert done.code == 1 and sorted(lines(done)) == [["unowned", "blob"], ["unowned", "directory"]]
    assert check(clean, "--repair").code == 0
    assert not os.path.exists(extra) and not os.path.exists(stray)
