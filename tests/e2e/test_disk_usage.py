"""`proa system df` says what du(1) says, line by line and in all; `proa image tree` says where it comes from."""
import json
import os
import subprocess
import tarfile

import images
import pytest

pytestmark = pytest.mark.ours
BLOCK = 4096


def du(*paths):
    done = subprocess.run(["du", "-s", "-x", "--block-size=1", *paths], stdout=subprocess.PIPE, check=True, text=True)
    return sum(int(line.split()[0]) for line in done.stdout.splitlines())


def usage(engine):
    return engine.api("GET", "/v1.53/system/df?verbose=1").json


@pytest.fixture
def two(engine, registry):
    """Two images that share a layer and differ in one of a megabyte: {name: Image}."""
    base = images.Layer(images.tar_of([("base", os.urandom(700_000), {})]))
    made = {}
    for tag in ("a", "b"):
        own = images.Layer(images.tar_of([("data/", None, {}), (f"data/{tag}", os.urandom(1_000_000), {}), ("data/again", b"", {"type": tarfile.LNKTYPE, "linkname": f"data/{tag}", "size": 0}),
                                          ("data/small", b"x" * 10, {}), ("data/empty", b"", {})]))
        image = images.Image([images.Layer(images.busybox_layer()), base, own], {"Cmd": ["sh"]})
        registry.push("used", tag, image)
        name = f"{registry.address}/used:{tag}"
        assert engine.run("pull", "-q", name).code == 0
        made[name] = image
    yield made
    for image in made.values():
        engine.run("rmi", "-f", image.id)


def on_disk(engine):
    return du(os.path.join(engine.data_root, "content"), os.path.join(engine.data_root, "layers"))


def test_the_lines_are_those_of_du(engine, two):
    names = list(two)
    engine.run("run", "-d", "--name", "writes", "-v", "kept:/kept", names[0], "sh", "-c",
               "head -c 1234567 /dev/urandom >/own; head -c 2345678 /dev/urandom >/kept/file; ln /kept/file /kept/link; truncate -s 50M /kept/sparse; mkdir -p /many/dirs/here; yes logged | head -c 300000; touch /kept/done; sleep 600")
    engine.run("create", "--name", "created", names[1])
    for _ in range(200):
        if engine.run("exec", "writes", "ls", "/kept/done").code == 0:
            break
    said = usage(engine)
    root = engine.data_root
    containers = {row["Names"][0]: row["SizeRw"] for row in said["ContainerUsage"]["Items"]}
    ids = {row["Names"][0]: row["Id"] for row in said["ContainerUsage"]["Items"]}
    assert containers == {name: du(os.path.join(root, "containers", ids[name])) for name in ("/writes", "/created")}
    assert containers["/writes"] > 1234567 + 300000 and said["ContainerUsage"]["TotalSize"] == sum(containers.values())
    (volume,) = said["VolumeUsage"]["Items"]
    assert volume["UsageData"]["Size"] == said["VolumeUsage"]["TotalSize"] == du(os.path.join(root, "volumes/kept"))
    assert 2345678 < volume["UsageData"]["Size"] < 3_000_000
    layers = os.listdir(os.path.join(root, "layers"))
    assert abs(said["ImageUsage"]["TotalSize"] - on_disk(engine)) <= BLOCK * (len(layers) + 4)  # directories that take more than a block
    everything = sum(said[kind]["TotalSize"] for kind in ("ImageUsage", "ContainerUsage", "VolumeUsage", "BuildCacheUsage"))
    rest = [os.path.join(root, name) for name in os.listdir(root) if name not in ("content", "layers", "containers", "volumes")]
    assert abs(everything + du(*rest) - du(root)) <= BLOCK * (len(layers) * 3 + 8)
    lines = engine.run("system", "df", "--format", "{{.Type}}={{.Size}}", program="proa").out.splitlines()
    assert [line.split("=")[0] for line in lines] == ["Images", "Containers", "Local Volumes", "Build Cache"] and lines[3] == "Build Cache=0B"
    engine.run("rm", "-f", "writes", "created")
    engine.run("volume", "rm", "kept")


def test_an_image_gives_back_what_its_line_says(engine, two):
    name, image = next(iter(two.items()))
    row = next(row for row in usage(engine)["ImageUsage"]["Items"] if row["Id"] == image.id)
    compressed = sum(len(layer.data) for layer in image.layers)
    assert row["Size"] > compressed and row["SharedSize"] > 700_000 * 2  # of the base both the blob and the layer
    before = on_disk(engine)
    assert engine.run("rmi", name).code == 0
    assert abs(before - on_disk(engine) - (row["Size"] - row["SharedSize"])) <= 2 * BLOCK
    shown = engine.run("system", "df", "-v", program="proa").out.splitlines()
    header = next(line for line in shown if line.startswith("REPOSITORY"))
    assert header.split("  ")[0] == "REPOSITORY" and "SHARED SIZE" in header and "UNIQUE SIZE" in header


def test_tree(engine, two, registry):
    (name, image), (other, _) = two.items()
    tree = json.loads(engine.run("image", "tree", "--format", "json", name, program="proa").out)
    assert (tree["Id"], tree["RepoTags"], tree["Platform"]) == (image.id, [name], "linux/amd64")
    assert [layer["DiffID"] for layer in tree["Layers"]] == [layer.diff_id for layer in image.layers]
    assert [layer["Digest"] for layer in tree["Layers"]] == [layer.digest for layer in image.layers]
    assert [layer["Compressed"] for layer in tree["Layers"]] == [len(layer.data) for layer in image.layers]
    assert [layer["CreatedBy"] for layer in tree["Layers"]] == ["layer 0", "layer 1", "layer 2"]
    shell, base, own = tree["Layers"]
    assert base["SharedWith"] == [other] and other in shell["SharedWith"] and own["SharedWith"] == []
    assert tree["SharedSize"] == shell["Size"] + base["Size"] and tree["Size"] == tree["SharedSize"] + own["Size"]
    assert shell["Files"]["Largest"][0]["Size"] == os.path.getsize("/bin/busybox")
    assert base["Files"] == {"Count": 1, "Largest": [{"Path": "/base", "Size": 700_000}]}
    assert own["Files"]["Count"] == 3 and own["Files"]["Largest"][0]["Size"] == 1_000_000
    assert own["Files"]["Largest"][0]["Path"] in ("/data/a", "/data/again")  # two names of one file
    assert [file["Size"] for file in own["Files"]["Largest"]] == [1_000_000, 10, 0]
    text = engine.run("image", "tree", "--files", "1", name, program="proa").out
    assert text.startswith(f"{name}  {image.id[7:19]}  linux/amd64  ") and f"shared with {other}" in text
    assert "/base  700kB" in text and "/data/small" not in text and "and 2 files that are smaller" in text
    assert "and 1 file that is smaller\n" in engine.run("image", "tree", "--files", "2", name, program="proa").out
    assert engine.run("image", "tree", "--files", "x", name, program="proa").code == 1
    missing = engine.run("image", "tree", "nothing:here", program="proa")
    assert missing.code == 1 and "No such image: nothing:here" in missing.err
