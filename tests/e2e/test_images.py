"""pull, images, tag, rmi, against a real registry."""
import gzip
import json
import os

import images
import pytest


@pytest.fixture
def client(engine, program):
    return lambda *arguments, **options: engine.run(*arguments, program=program, **options)


@pytest.fixture
def name(engine, registry):
    """An image of our own: three layers with whiteouts; removed afterwards."""
    base = images.Layer(images.busybox_layer())
    second = images.Layer(images.tar_of([
        ("d/", None, {}), ("d/kept", b"kept", {}), ("d/hidden", b"x", {}), ("opaque/", None, {}), ("opaque/old", b"x", {}),
        ("hard", b"linked", {}), ("hard2", b"", {"type": b"1", "linkname": "hard", "size": 0}),
        ("owned", b"x", {"uid": 1000, "gid": 1001, "mode": 0o4755}), ("fifo", b"", {"type": b"6", "size": 0}),
        ("x", b"x", {"pax_headers": {"SCHILY.xattr.user.colour": "blue"}})]))
    third = images.Layer(images.tar_of([("d/.wh.hidden", b"", {}), ("opaque/", None, {}), ("opaque/.wh..wh..opq", b"", {}), ("opaque/new", b"x", {})]))
    registry.push("layered", "1", images.Image([base, second, third], {"Cmd": ["sh"]}))
    full = f"{registry.address}/layered:1"
    yield full
    engine.run("rmi", "-f", full)


def test_layers_become_the_root(engine, name, client):
    assert client("pull", name).code == 0
    out = client("run", "--rm", name, "sh", "-c", "ls /d /opaque; cat /hard2; stat -c %h /hard; stat -c '%u %g %a' /owned; stat -c %F /fifo").out.split("\n")
    assert out[:5] == ["/d:", "kept", "", "/opaque:", "new"]
    assert out[5:9] == ["linked2", "1000 1001 4755", "fifo", ""] or out[5:8] == ["linked2", "1000 1001 4755", "fifo"]


def test_pull_says_what_docker_says(engine, registry, name, client):
    done = client("pull", name)
    lines = done.out.splitlines()
    assert lines[0] == "1: Pulling from layered"
    assert sum(line.endswith("Pull complete") for line in lines) >= 2
    assert any(line.startswith("Digest: sha256:") for line in lines)
    assert lines[-2:] == [f"Status: Downloaded newer image for {name}", name]
    again = client("pull", name)
    assert f"Status: Image is up to date for {name}" in again.out


def test_pull_by_digest(engine, registry, client):
    image = images.busybox_image(created="2026-03-03T03:03:03Z")
    registry.push("bydigest", "t", image)
    full = f"{registry.address}/bydigest@{image.digest}"
    assert client("pull", "-q", full).code == 0
    document = json.loads(client("inspect", full).out)[0]
    assert document["Id"] == image.id and document["RepoDigests"] == [full]
    client("rmi", full)


def test_index_gives_the_hosts_platform(engine, registry, client):
    right, wrong = images.busybox_image(oci=True, created="2026-04-04T04:04:04Z"), images.busybox_image(oci=True, architecture="s390x", created="2026-04-05T04:04:04Z")
    registry.push_index("multi", "1", [(wrong, {"architecture": "s390x", "os": "linux"}), (right, {"architecture": "amd64", "os": "linux"})])
    full = f"{registry.address}/multi:1"
    assert client("pull", "-q", full).code == 0
    assert json.loads(client("inspect", full).out)[0]["Id"] == right.id
    client("rmi", full)


def test_uncompressed_and_zstd_layers(engine, registry, client):
    if os.environ.get("ENGINE") == "dockerd":
        pytest.skip("Docker 20.10 knows no zstd layers")
    for compression in ("none", "zstd"):
        layers = [images.Layer(images.busybox_layer()), images.Layer(images.tar_of([("f", b"content", {})]), compression)]
        registry.push("packed", compression, images.Image(layers, {"Cmd": ["cat", "/f"]}, oci=True))
        full = f"{registry.address}/packed:{compression}"
        assert client("run", "--rm", "-q" if False else "--pull=always", full).out.endswith("content")
        client("rmi", full)


def test_a_hard_link_into_a_lower_layer_is_refused(engine, registry, client):
    """As by Docker 20.10 (overlay2) and 28 (containerd store): each layer stands for itself, nobody's builder makes such a one."""
    link = images.Layer(images.tar_of([("etc/other", b"", {"type": b"1", "linkname": "etc/passwd", "size": 0})]))
    registry.push("linked", "1", images.Image([images.Layer(images.busybox_layer()), link], {"Cmd": ["sh"]}))
    refused = client("pull", f"{registry.address}/linked:1")
    assert refused.code == 1 and "failed to register layer" in refused.err and "etc/passwd" in refused.err and "o such file or directory" in refused.err
    assert client("images", "-q", f"{registry.address}/linked").out == ""


def test_images_columns(engine, registry, image, client):
    lines = client("images").out.splitlines()
    assert lines[0].split() == ["REPOSITORY", "TAG", "IMAGE", "ID", "CREATED", "SIZE"]
    assert any(line.startswith(f"{registry.address}/busybox") and " latest " in line for line in lines[1:])
    assert client("images", "-q").out.strip()
    assert client("images", "--format", "{{.Repository}}:{{.Tag}}", image).out == image + "\n"


def test_tag_and_rmi(engine, image, client):
    assert client("tag", image, "mine:v1").code == 0
    assert client("run", "--rm", "mine:v1", "echo", "tagged").out == "tagged\n"
    assert client("rmi", "mine:v1").out == "Untagged: mine:v1\n"
    missing = client("rmi", "mine:v1")
    assert missing.code == 1 and "No such image: mine:v1" in missing.err


def test_rmi_of_an_image_in_use(engine, name, client):
    client("pull", "-q", name)
    engine.run("run", "-d", "--name", "holder", name, "sleep", "60")
    done = client("rmi", name)
    assert done.code == 1 and "conflict: unable to remove repository reference" in done.err and "must force" in done.err
    engine.run("rm", "-f", "holder")
    out = client("rmi", name).out
    assert f"Untagged: {name}" in out and out.count("Deleted: sha256:") >= 3


def test_unknown_repository(engine, registry, client):
    done = client("pull", f"{registry.address}/nothere:1")
    assert done.code == 1 and ("manifest unknown" in done.err or "not found" in done.err)


def test_registry_that_is_not_there(engine, client):
    done = client("pull", "127.0.0.1:1/x:1")
    assert done.code == 1 and "connection refused" in done.err


def push_broken(registry, tag, change):
    """A manifest that lies about its layer: change(manifest, layer)."""
    layer = images.Layer(images.busybox_layer() if tag != "diffid" else images.tar_of([("f", b"1", {})]))
    image = images.Image([layer], {"Cmd": ["sh"]})
    registry.push("broken", "base", image)
    manifest = json.loads(image.manifest)
    change(manifest, layer)
    registry.put_manifest("broken", tag, json.dumps(manifest).encode(), images.DOCKER_MANIFEST)
    return f"{registry.address}/broken:{tag}"


@pytest.mark.parametrize("case", ["diffid", "notgzip", "truncated"])
@pytest.mark.proves("R4")
def test_layers_that_lie_are_refused_and_nothing_stays(engine, registry, client, case):
    if case == "diffid":
        layer = images.Layer(images.tar_of([("f", b"1", {})]))
        layer.diff_id = "sha256:" + "0" * 64
        image = images.Image([layer], {"Cmd": ["sh"]})
    else:
        layer = images.Layer(images.tar_of([("f", os.urandom(100000), {})]))
        layer.data = b"this is no gzip" if case == "notgzip" else layer.data[:len(layer.data) // 2]
        layer.digest = images.digest_of(layer.data)
        image = images.Image([layer], {"Cmd": ["sh"]})
    registry.push("lying", case, image)
    full = f"{registry.address}/lying:{case}"
    done = client("pull", full)
    assert done.code == 1 and done.err, done
    assert engine.api("GET", f"/images/{full}/json").status == 404
    assert client("images", "-q", full).out == ""


@pytest.mark.ours
def test_stale_staging_is_removed_at_start(engine):
    layers = os.path.join(engine.data_root, "layers")
    assert not [name for name in os.listdir(layers) if name.startswith(".staging")]
