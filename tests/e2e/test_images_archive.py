"""save and load: our archives in other tools, theirs in ours, and archives that lie."""
import gzip
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import tempfile

import images
import pytest
from engine import PEER


@pytest.fixture
def client(engine, program):
    return lambda *arguments, **options: engine.run(*arguments, program=program, **options)


@pytest.fixture
def scratch():
    directory = tempfile.mkdtemp(prefix="proa-archive-")
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(params=["docker", "oci"])
def fresh(engine, registry, client, request):
    """A pulled image of two layers that nothing else has, in Docker's and in OCI's types."""
    own = images.Layer(images.tar_of([("own", os.urandom(3000), {})]))
    image = images.Image([images.Layer(images.busybox_layer()), own], {"Cmd": ["cat", "/own"]}, oci=request.param == "oci")
    registry.push("saved", "1", image)
    name = f"{registry.address}/saved:1"
    assert client("pull", "-q", name).code == 0
    yield name, image
    engine.run("rmi", "-f", image.id)


def members(data):
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return {member.name: (tar.extractfile(member).read() if member.isfile() else None) for member in tar}


def tool(*command, **options):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120, text=True, **options)
    assert done.returncode == 0, f"{command}: {done.stdout}"
    return done.stdout


@pytest.mark.ours
def test_the_archive_is_both_layouts_and_always_the_same(engine, registry, fresh, client):
    name, image = fresh
    first = client("save", name, text=False)
    assert first.code == 0
    assert client("save", name, text=False).out == first.out
    files = members(first.out)
    assert json.loads(files["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}
    for path, data in files.items():
        if path.startswith("blobs/sha256/") and data is not None:
            assert path == "blobs/sha256/" + hashlib.sha256(data).hexdigest()
    (entry,) = json.loads(files["index.json"])["manifests"]
    assert (entry["digest"], entry["mediaType"], entry["size"]) == (image.digest, image.manifest_type, len(image.manifest))
    assert entry["annotations"] == {"io.containerd.image.name": name, "org.opencontainers.image.ref.name": "1"}
    (docker,) = json.loads(files["manifest.json"])
    assert docker == {"Config": f"blobs/sha256/{image.id[7:]}", "RepoTags": [name],
                      "Layers": [f"blobs/sha256/{layer.digest[7:]}" for layer in image.layers]}


def test_what_was_saved_is_loaded_again(engine, fresh, client, scratch):
    name, image = fresh
    archive = os.path.join(scratch, "image.tar")
    assert client("save", "-o", archive, name).code == 0
    engine.run("rmi", "-f", image.id)
    done = client("load", "-i", archive)
    assert done.code == 0 and done.out.splitlines()[-1] == f"Loaded image: {name}", done
    document = json.loads(client("inspect", name).out)[0]
    assert document["Id"] == image.id and document["RootFS"]["Layers"] == [layer.diff_id for layer in image.layers]
    assert client("run", "--rm", name, "ls", "/own").out == "/own\n"


@pytest.mark.ours
def test_load_and_push_give_the_same_digest(engine, registry, fresh, client, scratch):
    name, image = fresh
    archive = os.path.join(scratch, "image.tar")
    client("save", "-o", archive, name)
    engine.run("rmi", "-f", image.id)
    client("load", "-i", archive)
    client("tag", name, f"{registry.address}/roundtrip:1")
    assert f"digest: {image.digest}" in client("push", f"{registry.address}/roundtrip:1").out


@pytest.mark.parametrize("compress", [["gzip", "-c"], ["bzip2", "-c"], ["xz", "-c"], ["zstd", "-qc"]], ids=lambda c: c[0])
def test_load_of_compressed_archives(engine, fresh, client, compress):
    name, image = fresh
    if PEER and compress[0] == "zstd":
        pytest.skip("Docker 20.10 knows no zstd archives")
    plain = client("save", name, text=False).out
    packed = subprocess.run(compress, input=plain, stdout=subprocess.PIPE, check=True).stdout
    engine.run("rmi", "-f", image.id)
    done = client("load", stdin=packed)
    assert done.code == 0 and f"Loaded image: {name}" in done.out, done


def test_several_images_and_ids(engine, fresh, client, image):
    name, own = fresh
    client("tag", name, "second:name")
    archive = client("save", name, image, "second:name", text=False).out
    docker = json.loads(members(archive)["manifest.json"])
    assert sorted(sorted(entry["RepoTags"]) for entry in docker) == sorted([sorted([name, "second:name"]), [image]])
    unnamed = client("save", own.id, text=False).out
    assert json.loads(members(unnamed)["manifest.json"])[0]["RepoTags"] is None
    engine.run("rmi", "-f", own.id)
    assert client("load", stdin=unnamed).out.splitlines()[-1] == f"Loaded image ID: {own.id}"
    missing = client("save", "nothing:here")
    assert missing.code == 1 and "No such image: nothing:here" in missing.err


def pre25(image, name, legacy_links=False):
    """Docker's archive before version 25: layers uncompressed, in directories or (skopeo) as <diff id>.tar."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        def add(path, data):
            info = tarfile.TarInfo(path)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
        paths = []
        for number, layer in enumerate(image.layers):
            plain = gzip.decompress(layer.data)
            directory = f"{number:064x}"
            if legacy_links:
                add(f"{layer.diff_id[7:]}.tar", plain)
                link = tarfile.TarInfo(f"{directory}/layer.tar")
                link.type, link.linkname = tarfile.SYMTYPE, f"../{layer.diff_id[7:]}.tar"
                tar.addfile(link)
            else:
                add(f"{directory}/layer.tar", plain)
            add(f"{directory}/VERSION", b"1.0")
            add(f"{directory}/json", b"{}")
            paths.append(f"{directory}/layer.tar")
        add(f"{image.id[7:]}.json", image.config)
        add("manifest.json", json.dumps([{"Config": f"{image.id[7:]}.json", "RepoTags": [name], "Layers": paths}]).encode())
    return buffer.getvalue()


@pytest.mark.parametrize("links", [False, True], ids=["directories", "links"])
def test_load_of_dockers_old_form(engine, registry, client, links):
    own = images.Layer(images.tar_of([("own", os.urandom(3000), {})]))
    image = images.Image([images.Layer(images.busybox_layer()), own], {"Cmd": ["sh"]})
    done = client("load", stdin=pre25(image, "old:form", links))
    assert done.code == 0 and "Loaded image: old:form" in done.out, done
    assert json.loads(client("inspect", "old:form").out)[0]["Id"] == image.id
    assert client("run", "--rm", "old:form", "ls", "/own").out == "/own\n"
    client("tag", "old:form", f"{registry.address}/oldform:1")
    assert client("push", f"{registry.address}/oldform:1").code == 0
    engine.run("rmi", "-f", image.id)
    assert client("pull", "-q", f"{registry.address}/oldform:1").code == 0
    assert json.loads(client("inspect", f"{registry.address}/oldform:1").out)[0]["Id"] == image.id
    engine.run("rmi", "-f", image.id)


@pytest.mark.ours
def test_skopeo_umoci_podman_and_buildah_read_what_we_save(registry, fresh, client, scratch):
    name, image = fresh
    archive = os.path.join(scratch, "image.tar")
    client("save", "-o", archive, name)
    layout = os.path.join(scratch, "layout")
    os.mkdir(layout)
    tool("tar", "-xf", archive, "-C", layout)
    # The very same manifest. By its tag skopeo finds only manifests of OCI's own type.
    source = f"oci:{layout}:1" if image.manifest_type == images.OCI_MANIFEST else f"oci:{layout}"
    tool("skopeo", "copy", "--insecure-policy", "--preserve-digests", "--dest-tls-verify=false", source, f"docker://{registry.address}/by-skopeo:1")
    raw = tool("skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{registry.address}/by-skopeo:1")
    assert images.digest_of(raw.encode()) == image.digest
    config = json.loads(tool("skopeo", "inspect", "--config", f"docker-archive:{archive}"))
    assert config["rootfs"]["diff_ids"] == [layer.diff_id for layer in image.layers]
    if image.manifest_type == images.OCI_MANIFEST:
        bundle = os.path.join(scratch, "bundle")
        tool("umoci", "unpack", "--image", f"{layout}:1", bundle)
        with open(os.path.join(bundle, "rootfs/own"), "rb") as file:
            assert len(file.read()) == 3000
    storage = ["--root", os.path.join(scratch, "store"), "--runroot", os.path.join(scratch, "run"), "--storage-driver", "vfs"]
    assert name in tool("podman", *storage, "load", "-i", archive)
    assert image.id[7:19] in tool("buildah", *storage, "images", "--no-trunc", "--quiet")


@pytest.mark.ours
@pytest.mark.parametrize("form", ["oci-archive", "docker-archive"])
def test_what_skopeo_writes_is_loaded(engine, registry, fresh, client, scratch, form):
    name, image = fresh
    archive = os.path.join(scratch, "skopeo.tar")
    tool("skopeo", "copy", "--insecure-policy", "--src-tls-verify=false", f"docker://{registry.address}/saved:1", f"{form}:{archive}:by/skopeo:2")
    engine.run("rmi", "-f", image.id)
    done = client("load", "-i", archive)
    assert done.code == 0 and "Loaded image: by/skopeo:2" in done.out, done
    document = json.loads(client("inspect", "by/skopeo:2").out)[0]
    assert document["RootFS"]["Layers"] == [layer.diff_id for layer in image.layers]
    client("rmi", "-f", document["Id"])


def lying(change):
    """An OCI layout in a tar after change(files)."""
    layer = images.Layer(images.tar_of([("f", os.urandom(20), {})]))  # no store has it yet
    image = images.Image([layer], {"Cmd": ["sh"]}, oci=True)
    entry = {"mediaType": image.manifest_type, "digest": image.digest, "size": len(image.manifest),
             "annotations": {"io.containerd.image.name": "docker.io/library/lying:1"}}
    files = {f"blobs/sha256/{image.digest[7:]}": image.manifest, f"blobs/sha256/{image.id[7:]}": image.config,
             f"blobs/sha256/{layer.digest[7:]}": layer.data, "oci-layout": b'{"imageLayoutVersion":"1.0.0"}',
             "index.json": json.dumps({"schemaVersion": 2, "manifests": [entry]}).encode()}
    change(files, image, layer)
    return images.tar_of([(path, data, {}) for path, data in files.items()])


LIES = {
    "a blob that is another": lambda files, image, layer: files.update({f"blobs/sha256/{layer.digest[7:]}": gzip.compress(b"x" * 1024)}),
    "a manifest that is another": lambda files, image, layer: files.update({f"blobs/sha256/{image.digest[7:]}": image.manifest + b" "}),
    "no layer": lambda files, image, layer: files.pop(f"blobs/sha256/{layer.digest[7:]}"),
    "no configuration": lambda files, image, layer: files.pop(f"blobs/sha256/{image.id[7:]}"),
    "no manifest": lambda files, image, layer: files.pop(f"blobs/sha256/{image.digest[7:]}"),
    "no index": lambda files, image, layer: files.pop("index.json"),
    "an index that is no JSON": lambda files, image, layer: files.update({"index.json": b"{"}),
    "a path out of it": lambda files, image, layer: files.update({"index.json": b"[]", "../../../etc/index.json": b"{}"}),
}


@pytest.mark.ours
@pytest.mark.parametrize("lie", LIES)
@pytest.mark.proves(48)
def test_archives_that_lie_load_nothing(engine, client, lie):
    done = client("load", stdin=lying(LIES[lie]))
    assert done.code == 1 and done.err, done
    assert engine.api("GET", "/images/lying:1/json").status == 404
    done = client("load", stdin=lying(lambda *_: None))
    assert "Loaded image: lying:1" in done.out, done
    client("rmi", "lying:1")
    layers = os.listdir(os.path.join(engine.data_root, "layers"))
    assert not [name for name in layers if name.startswith(".staging")]
    assert os.listdir(os.path.join(engine.data_root, "content/ingest")) == []


@pytest.mark.ours
@pytest.mark.proves(83)
def test_what_is_no_archive(client):
    for data in (b"", b"this is no tar archive at all", gzip.compress(b"nor is this"), os.urandom(5000)):
        assert client("load", stdin=data).code == 1
