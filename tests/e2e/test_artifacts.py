"""Artifacts: OCI manifests that are no container images (image spec 1.1). Kept whole, moved on whole, never run."""
import json
import os
import subprocess
import tarfile

import images
import pytest

pytestmark = pytest.mark.ours
EMPTY = b"{}"
KIND = "application/vnd.example.recipe.v1"


def artifact(registry, name, blobs, kind=KIND, config=EMPTY, config_type="application/vnd.oci.empty.v1+json"):
    """Puts an artifact of these (media type, content) into the registry: (reference, manifest)."""
    for _, content in blobs + [("", config)]:
        registry.put_blob(name, content)
    document = {"schemaVersion": 2, "mediaType": images.OCI_MANIFEST,
                "config": {"mediaType": config_type, "digest": images.digest_of(config), "size": len(config)},
                "layers": [{"mediaType": media_type, "digest": images.digest_of(content), "size": len(content)} for media_type, content in blobs]}
    if kind:
        document["artifactType"] = kind
    manifest = json.dumps(document).encode()
    registry.put_manifest(name, "1", manifest, images.OCI_MANIFEST)
    return f"{registry.address}/{name}:1", manifest


@pytest.fixture
def recipe(engine, registry):
    """Text, and bytes that look compressed and are no tar."""
    blobs = [("text/plain", b"flour, water " + os.urandom(4).hex().encode()), ("application/x-thing", b"\x1f\x8b\x08" + os.urandom(2000))]
    name, manifest = artifact(registry, "recipe", blobs)
    done = engine.run("pull", name)
    assert done.code == 0 and f"Status: Downloaded newer image for {name}" in done.out, done
    yield name, manifest, [content for _, content in blobs]
    engine.run("rmi", "-f", images.digest_of(manifest))


def test_it_is_listed_and_never_run(engine, registry, recipe):
    name, manifest, contents = recipe
    digest = images.digest_of(manifest)
    document = engine.api("GET", f"/v1.51/images/{name}/json").json
    assert (document["Id"], document["Os"], document["Architecture"], document["RepoTags"]) == (digest, "", "", [name])
    assert document["RepoDigests"] == [f"{registry.address}/recipe@{digest}"] and document["Descriptor"]["digest"] == digest
    assert document["Size"] == sum(map(len, contents)) + len(EMPTY)
    assert engine.run("images", "-q", "--no-trunc", name).out.strip() == digest
    for command in (("run", "--rm"), ("create",), ("create", "--platform", "linux/amd64")):
        refused = engine.run(*command, name, "sh")
        assert refused.code != 0 and f"image {name} is an artifact ({KIND}), not a container image: it cannot be run" in refused.err, refused
    assert engine.run("history", "-q", name).out == ""
    assert engine.run("pull", name).out.splitlines()[-2] == f"Status: Image is up to date for {name}"
    tree = engine.run("image", "tree", name, program="proa").out
    assert f"artifact {KIND}" in tree and "text/plain" in tree


def test_it_goes_on_whole(engine, registry, recipe, tmp_path):
    name, manifest, contents = recipe
    engine.restart()
    engine.run("tag", name, f"{registry.address}/passed-on:1")
    assert f"digest: {images.digest_of(manifest)}" in engine.run("push", f"{registry.address}/passed-on:1").out
    assert registry.request("GET", "/v2/passed-on/manifests/1", headers={"Accept": images.OCI_MANIFEST}).read() == manifest
    for content in contents:
        assert registry.request("GET", f"/v2/passed-on/blobs/{images.digest_of(content)}").read() == content
    archive, taken = str(tmp_path / "saved.tar"), str(tmp_path / "taken")
    engine.run("rmi", f"{registry.address}/passed-on:1")
    assert engine.run("save", "-o", archive, name).code == 0
    with tarfile.open(archive) as tar:
        assert {os.path.basename(one.name) for one in tar if one.name.startswith("blobs/sha256/") and one.isfile()} == {images.digest_of(one)[7:] for one in contents + [manifest, EMPTY]}
    subprocess.run(["skopeo", "copy", "-q", "--insecure-policy", f"oci-archive:{archive}", f"dir:{taken}"], check=True)
    assert open(os.path.join(taken, "manifest.json"), "rb").read() == manifest
    assert engine.run("rmi", name).out == f"Untagged: {name}\nUntagged: {registry.address}/recipe@{images.digest_of(manifest)}\nDeleted: {images.digest_of(manifest)}\n"
    assert engine.run("system", "check", program="proa").out.endswith("problems: 0\n")
    assert f"Loaded image: {name}" in engine.run("load", "-i", archive).out
    assert engine.api("GET", f"/v1.51/images/{name}/json").json["Id"] == images.digest_of(manifest)
    assert engine.run("system", "check", program="proa").out.endswith("problems: 0\n")


def test_kinds_without_a_name_of_their_own(engine, registry):
    """Its configuration's type tells (Helm's charts); an attestation has an image's configuration."""
    chart, _ = artifact(registry, "chart", [("application/vnd.cncf.helm.chart.content.v1.tar+gzip", b"\x1f\x8b chart")], kind="", config=b'{"name":"c"}', config_type="application/vnd.cncf.helm.config.v1+json")
    statement, _ = artifact(registry, "statement", [("application/vnd.in-toto+json", b'{"_type":"x"}')], kind="", config=b'{"architecture":"unknown","os":"unknown","rootfs":{"type":"layers","diff_ids":[]}}', config_type="application/vnd.oci.image.config.v1+json")
    for name, kind in ((chart, "application/vnd.cncf.helm.config.v1+json"), (statement, "application/vnd.in-toto+json")):
        assert engine.run("pull", "-q", name).code == 0
        assert f"is an artifact ({kind}), not a container image" in engine.run("run", name).err
        engine.run("rmi", name)


def test_a_lie_in_it_is_found(engine, registry):
    """A blob that is not what its digest says is refused as a layer's would be, and nothing of it stays."""
    name, _ = artifact(registry, "sound", [("text/plain", os.urandom(5000))])
    document = json.loads(registry.request("GET", "/v2/sound/manifests/1", headers={"Accept": images.OCI_MANIFEST}).read())
    document["layers"][0]["size"] += 1
    registry.put_manifest("sound", "long", json.dumps(document).encode(), images.OCI_MANIFEST)
    refused = engine.run("pull", f"{registry.address}/sound:long")
    assert refused.code != 0 and engine.run("images", "-q", f"{registry.address}/sound").out == ""
    assert engine.run("pull", "-q", name).code == 0
    engine.run("rmi", name)
