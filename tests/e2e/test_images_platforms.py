"""Images of several platforms with attestations, kept whole; single platforms of them; search; import from a URL."""
import http.server
import io
import json
import os
import subprocess
import tarfile
import threading
import urllib.parse

import images
import pytest
from engine import PEER
from registries import Server

pytestmark = pytest.mark.ours


@pytest.fixture
def multi(registry):
    """amd64, arm64, and an attestation of the first, under one index: (name, digest, images)."""
    own = images.Layer(images.tar_of([("own", os.urandom(3000), {})]))
    here = images.Image([images.Layer(images.busybox_layer()), own], {"Cmd": ["sh"]}, oci=True)
    there = images.Image([images.Layer(images.busybox_layer()), images.Layer(images.tar_of([("arm", os.urandom(100), {})]))], {"Cmd": ["sh"]}, oci=True, architecture="arm64")
    statement = json.dumps({"_type": "https://in-toto.io/Statement/v0.1", "n": os.urandom(4).hex()}).encode()
    config = json.dumps({"architecture": "unknown", "os": "unknown", "config": {}, "rootfs": {"type": "layers", "diff_ids": [images.digest_of(statement)]}}).encode()
    for blob in (statement, config):
        registry.put_blob("multi", blob)
    attestation = json.dumps({
        "schemaVersion": 2, "mediaType": images.OCI_MANIFEST,
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": images.digest_of(config), "size": len(config)},
        "layers": [{"mediaType": "application/vnd.in-toto+json", "digest": images.digest_of(statement), "size": len(statement)}]}).encode()
    registry.put_manifest("multi", images.digest_of(attestation), attestation, images.OCI_MANIFEST)
    for image in (here, there):
        registry.push("multi", image.digest, image)

    def entry(digest, size, platform, annotations=None):
        out = {"mediaType": images.OCI_MANIFEST, "digest": digest, "size": size, "platform": platform}
        return {**out, "annotations": annotations} if annotations else out

    index = json.dumps({"schemaVersion": 2, "mediaType": images.OCI_INDEX, "manifests": [
        entry(here.digest, len(here.manifest), {"architecture": "amd64", "os": "linux"}),
        entry(there.digest, len(there.manifest), {"architecture": "arm64", "os": "linux"}),
        entry(images.digest_of(attestation), len(attestation), {"architecture": "unknown", "os": "unknown"},
              {"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": here.digest})]}).encode()
    registry.put_manifest("multi", "1", index, images.OCI_INDEX)
    return f"{registry.address}/multi:1", images.digest_of(index), here, there, images.digest_of(attestation)


def tool(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120, text=True)
    assert done.returncode == 0, f"{command}: {done.stdout}"
    return done.stdout


def raw(address, name, reference):
    separator = "@" if reference.startswith("sha256:") else ":"
    return tool("skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{address}/{name}{separator}{reference}")


@pytest.fixture
def loaded(engine, multi, tmp_path):
    """All of it, taken by skopeo and loaded."""
    name, digest, *_ = multi
    archive = str(tmp_path / "all.tar")
    tool("skopeo", "copy", "--all", "--insecure-policy", "--src-tls-verify=false", f"docker://{name}", f"oci-archive:{archive}:{name}")
    done = engine.run("load", "-i", archive)
    assert done.code == 0 and f"Loaded image: {name}" in done.out, done
    yield multi
    engine.run("rmi", "-f", multi[2].id)


def test_all_of_it_goes_round_without_a_difference(engine, registry, loaded, tmp_path):
    name, digest, here, there, attestation = loaded
    engine.run("tag", name, f"{registry.address}/round:1")
    done = engine.run("push", f"{registry.address}/round:1")
    assert f"digest: {digest}" in done.out, done
    assert raw(registry.address, "round", "1") == raw(registry.address, "multi", "1")
    assert json.loads(tool("skopeo", "inspect", "--config", "--tls-verify=false", "--override-arch=arm64", f"docker://{registry.address}/round:1"))["architecture"] == "arm64"
    archive = str(tmp_path / "saved.tar")
    assert engine.run("save", "-o", archive, name).code == 0
    again = f"{registry.address}/again:1"
    tool("skopeo", "copy", "--all", "--insecure-policy", "--dest-tls-verify=false", f"oci-archive:{archive}:1", f"docker://{again}")
    assert raw(registry.address, "again", "1") == raw(registry.address, "multi", "1")


def test_manifests_are_listed(engine, loaded):
    name, digest, here, there, attestation = loaded
    rows = engine.api("GET", "/v1.51/images/json?manifests=1").json
    row = next(row for row in rows if row["Id"] == here.id)
    assert row["Descriptor"]["digest"] == digest
    first, second, third = row["Manifests"]
    assert (first["ID"], first["Kind"], first["Available"]) == (here.digest, "image", True)
    content = len(here.manifest) + len(here.config) + sum(len(layer.data) for layer in here.layers)
    assert first["Size"]["Content"] == content and first["Size"]["Total"] == content + first["ImageData"]["Size"]["Unpacked"]
    assert first["ImageData"]["Platform"] == {"architecture": "amd64", "os": "linux"} and first["ImageData"]["Size"]["Unpacked"] > 0
    assert (second["ID"], second["Available"], second["ImageData"]["Size"]["Unpacked"]) == (there.digest, True, 0)
    assert (third["ID"], third["Kind"], third["AttestationData"]) == (attestation, "attestation", {"For": here.digest})
    assert "Manifests" not in next(row for row in engine.api("GET", "/v1.51/images/json").json if row["Id"] == here.id)
    assert "Descriptor" not in next(row for row in engine.api("GET", "/v1.47/images/json").json if row["Id"] == here.id)
    assert len(engine.api("GET", f"/v1.51/images/{name}/json?manifests=1").json["Manifests"]) == 3
    # A container of the other platform unpacks that one, too.
    assert engine.run("create", "--platform", "linux/arm64", "--name", "other", name).code == 0
    second = engine.api("GET", f"/v1.51/images/{name}/json?manifests=1").json["Manifests"][1]
    assert second["ImageData"]["Size"]["Unpacked"] > 0
    assert second["Size"]["Total"] == second["Size"]["Content"] + second["ImageData"]["Size"]["Unpacked"]


def test_what_was_not_pulled_is_named_and_not_available(engine, multi):
    name, digest, here, there, _ = multi
    engine.run("pull", "-q", name)
    row = next(row for row in engine.api("GET", "/v1.51/images/json?manifests=1").json if row["Id"] == here.id)
    assert [one["Available"] for one in row["Manifests"]] == [True, False, True]  # what attests the first came with it
    refused = engine.run("save", "--platform", "linux/arm64", "-o", os.devnull, name, program="proa")
    assert refused.code == 1 and f"image with reference {name} was found but does not provide the specified platform (linux/arm64)" in refused.err, refused
    engine.run("rmi", name)


def members_of(archive):
    with tarfile.open(archive) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar if member.isfile()}


def test_one_platform_of_it(engine, registry, loaded, tmp_path):
    name, digest, here, there, _ = loaded
    archive = str(tmp_path / "arm.tar")
    assert engine.run("save", "--platform", "linux/arm64", "-o", archive, name, program="proa").code == 0
    files = members_of(archive)
    assert [one["digest"] for one in json.loads(files["index.json"])["manifests"]] == [there.digest]
    (docker,) = json.loads(files["manifest.json"])
    assert docker["Config"] == f"blobs/sha256/{there.id[7:]}" and len(docker["Layers"]) == 2
    assert {path for path in files if path.startswith("blobs/")} == {f"blobs/sha256/{one[7:]}" for one in [there.digest, there.id] + [layer.digest for layer in there.layers]}
    engine.run("tag", name, f"{registry.address}/arm:1")
    done = engine.run("push", "--platform", "linux/arm64", f"{registry.address}/arm:1", program="proa")
    assert f"digest: {there.digest}" in done.out, done
    engine.run("rmi", f"{registry.address}/arm:1")
    platform = "%7B%22os%22%3A%22linux%22%2C%22architecture%22%3A%22s390x%22%7D"
    for path in (f"/v1.51/images/{name}/json", f"/v1.51/images/{name}/history"):
        reply = engine.api("GET", f"{path}?platform={platform}")
        assert reply.status == 404 and "does not provide the specified platform (linux/s390x)" in reply.message
        assert engine.api("GET", f"{path}?platform={platform.replace('s390x', 'amd64')}").status == 200


def query_of(platform):
    system, architecture = platform.split("/")
    return urllib.parse.quote(json.dumps({"os": system, "architecture": architecture}))


def test_a_platform_is_inspected(engine, loaded):
    """docker 28 with the containerd store says the same; its IDs are manifests' digests."""
    name, digest, here, there, _ = loaded
    for image, architecture in ((here, "amd64"), (there, "arm64")):
        document = engine.api("GET", f"/v1.51/images/{name}/json?platform={query_of('linux/' + architecture)}").json
        assert (document["Architecture"], document["Id"]) == (architecture, image.id)
        assert document["Descriptor"] == {"mediaType": images.OCI_MANIFEST, "digest": image.digest, "size": len(image.manifest), "platform": {"architecture": architecture, "os": "linux"}}
        assert document["RootFS"]["Layers"] == [layer.diff_id for layer in image.layers] and document["RepoTags"] == [name]
        shown = json.loads(engine.run("image", "inspect", "--platform", f"linux/{architecture}", name, program="proa").out)
        assert [one["Architecture"] for one in shown] == [architecture]
        history = engine.run("history", "--platform", f"linux/{architecture}", "--no-trunc", "--format", "{{.ID}} {{.CreatedBy}}", name, program="proa").out.splitlines()
        assert history == [f"{image.id} layer 1", "<missing> layer 0"]
    assert engine.api("GET", f"/v1.51/images/{name}/json").json["Descriptor"]["digest"] == digest
    both = engine.api("GET", f"/v1.51/images/{name}/json?manifests=1&platform={query_of('linux/arm64')}")
    assert (both.status, both.message) == (400, "conflicting options: manifests and platform options cannot both be set")
    for command in (("image", "inspect"), ("history",)):
        refused = engine.run(*command, "--platform", "linux/s390x", name, program="proa")
        assert refused.code == 1 and f"image with reference {name} was found but does not provide the specified platform (linux/s390x)" in refused.err


def available(engine, image):
    row = next(row for row in engine.api("GET", "/v1.51/images/json?manifests=1").json if row["Id"] == image.id)
    return [one["Available"] for one in row["Manifests"]]


def blobs_of(engine):
    return set(os.listdir(os.path.join(engine.data_root, "content/blobs/sha256")))


def test_one_platform_is_removed(engine, loaded):
    name, _, here, there, _ = loaded
    refused = engine.run("rmi", "--platform", "linux/arm64", name, program="proa")
    assert refused.code == 1 and "Content will be removed from all images referencing this variant. Use \u2014-force to force delete." in refused.err
    assert engine.api("DELETE", f"/v1.51/images/{name}?platforms={query_of('linux/arm64')}").status == 400
    missing = engine.api("DELETE", f"/v1.51/images/{name}?force=1&platforms={query_of('linux/s390x')}")
    assert missing.status == 404 and missing.message.startswith(f"failed to delete platform linux/s390x for image {here.id}: image with reference {name} was found")
    done = engine.run("rmi", "--force", "--platform", "linux/arm64", name, program="proa")
    assert (done.code, done.out) == (0, f"Deleted: {there.digest}\n")
    assert available(engine, here) == [True, False, True]
    assert not blobs_of(engine) & {there.digest[7:], there.id[7:], there.layers[1].digest[7:]}
    assert engine.run("system", "check", program="proa").code == 0
    assert engine.run("run", "--rm", name, "echo", "runs").out == "runs\n"


def test_the_unpacked_platform_makes_way_for_another(engine, loaded):
    name, _, here, there, _ = loaded
    engine.run("run", "-d", "--name", "runs-of-it", name, "sleep", "60")
    refused = engine.api("DELETE", f"/v1.51/images/{name}?force=1&platforms={query_of('linux/amd64')}")
    assert refused.status == 409 and "(cannot be forced) - image is being used by running container" in refused.message
    engine.run("rm", "-f", "runs-of-it")
    assert engine.run("rmi", "-f", "--platform", "linux/amd64", name, program="proa").out == f"Deleted: {here.digest}\n"
    document = engine.api("GET", f"/v1.51/images/{name}/json").json
    assert (document["Id"], document["Architecture"], document["RepoTags"]) == (there.id, "arm64", [name])
    assert available(engine, there) == [False, True, False]
    assert not blobs_of(engine) & {here.digest[7:], here.id[7:], here.layers[1].digest[7:]}
    assert engine.run("run", "--rm", name, "cat", "arm", text=False).out != b""  # unpacked; busybox is this machine's
    assert engine.run("system", "check", program="proa").code == 0
    last = engine.run("rmi", "-f", "--platform", "linux/arm64", name, program="proa")
    assert last.code == 0 and last.out.startswith(f"Untagged: {name}\n") and f"Deleted: {there.id}\n" in last.out
    assert engine.api("GET", f"/v1.51/images/{name}/json").status == 404


def test_a_container_of_another_platform_that_is_here(engine, loaded):
    """docker 28 with the containerd store unpacks it too; its containers name the index as their image."""
    name, _, here, there, _ = loaded
    made = engine.run("run", "-d", "--name", "elsewhere", "--platform", "linux/arm64", "--pull", "never", name, "sleep", "600")
    assert made.code == 0, made
    assert engine.run("exec", "elsewhere", "ls", "/arm", "/own").out == "/arm\n"  # busybox is this machine's
    assert json.loads(engine.run("inspect", "elsewhere").out)[0]["Image"] == here.id
    rows = engine.api("GET", f"/v1.51/images/{name}/json?manifests=1").json["Manifests"]
    assert [len(row["ImageData"]["Containers"]) for row in rows[:2]] == [0, 1]
    engine.run("exec", "elsewhere", "sh", "-c", "echo new >/added")
    committed = engine.run("commit", "elsewhere", "committed:here").out.strip()
    document = json.loads(engine.run("image", "inspect", committed).out)[0]
    assert (document["Architecture"], document["RootFS"]["Layers"][:2]) == ("arm64", [layer.diff_id for layer in there.layers])
    assert engine.run("run", "--rm", "committed:here", "cat", "/added").out == "new\n"
    assert engine.run("rmi", name).code == 1, "a container was made of it"
    engine.kill()
    engine.start()
    assert engine.run("exec", "elsewhere", "ls", "/arm").out == "/arm\n"
    assert engine.run("restart", "-t", "0", "elsewhere").code == 0 and engine.run("system", "check", program="proa").code == 0
    refused = engine.run("create", "--platform", "linux/s390x", "--pull", "never", name)
    assert refused.code == 1 and f"image with reference {name} was found but does not provide the specified platform (linux/s390x)" in refused.err
    engine.run("rm", "-f", "elsewhere")
    engine.run("rmi", "committed:here", name)
    layers = os.listdir(os.path.join(engine.data_root, "layers"))
    assert not [one for one in layers if one.startswith(there.layers[1].diff_id[7:])], "nobody stands on it any more"


def test_several_platforms_at_once(engine, loaded):
    name, _, here, there, _ = loaded
    done = engine.api("DELETE", f"/v1.51/images/{name}?force=1&platforms={query_of('linux/amd64')}&platforms={query_of('linux/arm64')}")
    assert done.status == 200 and {"Deleted": there.digest} in done.json and {"Deleted": here.id} in done.json
    assert engine.api("GET", f"/v1.51/images/{name}/json").status == 404


def test_an_attested_image_is_pulled_whole(engine, registry, multi):
    """What builders make for one platform: the image and its attestation, under an index."""
    name, _, here, _, attestation = multi
    index = json.loads(raw(registry.address, "multi", "1"))
    del index["manifests"][1]
    text = json.dumps(index).encode()
    registry.put_manifest("multi", "attested", text, images.OCI_INDEX)
    attested = f"{registry.address}/multi:attested"
    assert engine.run("pull", "-q", attested).code == 0
    assert available(engine, here) == [True, True]
    engine.run("tag", attested, f"{registry.address}/elsewhere:1")
    assert f"digest: {images.digest_of(text)}" in engine.run("push", f"{registry.address}/elsewhere:1").out
    assert raw(registry.address, "elsewhere", "1") == text.decode()
    assert raw(registry.address, "elsewhere", attestation) == raw(registry.address, "multi", attestation)
    engine.run("rmi", "-f", here.id)
    assert engine.run("system", "check", program="proa").code == 0
def platform_query(*architectures):
    return "&".join(f"platform={query_of('linux/' + one)}" for one in architectures)


def test_several_platforms_of_it(engine, registry, loaded, tmp_path):
    name, digest, here, there, attestation = loaded
    archive = str(tmp_path / "two.tar")
    assert engine.run("save", "--platform", "linux/amd64,linux/arm64", "-o", archive, name, program="proa").code == 0
    files = members_of(archive)
    assert [one["digest"] for one in json.loads(files["index.json"])["manifests"]] == [digest], "the index itself"
    (docker,) = json.loads(files["manifest.json"])
    assert docker["Config"] == f"blobs/sha256/{here.id[7:]}", "this machine's is what older engines load"
    blobs = {path for path in files if path.startswith("blobs/")}
    assert {f"blobs/sha256/{one[7:]}" for one in (here.digest, there.digest, here.id, there.id)} < blobs
    assert f"blobs/sha256/{attestation[7:]}" not in blobs
    refused = engine.api("GET", f"/v1.52/images/{name}/get?{platform_query('amd64', 's390x')}")
    assert refused.status == 404 and "does not provide the specified platform (linux/s390x)" in refused.message

    engine.run("rmi", "-f", here.id)
    done = engine.run("load", "--platform", "linux/amd64,linux/arm64", "-i", archive, program="proa")
    assert done.code == 0 and f"Loaded image: {name}" in done.out, done
    row = next(row for row in engine.api("GET", "/v1.52/images/json?manifests=1").json if row["Id"] == here.id)
    assert [one["Available"] for one in row["Manifests"]] == [True, True, False]
    engine.run("rmi", "-f", here.id)
    with open(archive, "rb") as file:
        reply = engine.api("POST", f"/v1.52/images/load?{platform_query('arm64')}", raw=file.read(), headers={"Content-Type": "application/x-tar"})
    assert b"Loaded image" in reply.body, reply.body
    engine.run("pull", "-q", f"{registry.address}/other:v1")
    engine.run("rmi", f"{registry.address}/other:v1")  # what nothing needs goes with it
    row = next(row for row in engine.api("GET", "/v1.52/images/json?manifests=1").json if name in row["RepoTags"])
    assert [one["Available"] for one in row["Manifests"]] == [False, True, False] and row["Id"] == there.id
    engine.run("rmi", "-f", there.id)
    with open(archive, "rb") as file:
        reply = engine.api("POST", f"/v1.52/images/load?{platform_query('amd64', 's390x')}", raw=file.read(), headers={"Content-Type": "application/x-tar"})
    assert b"no matching manifest for linux/s390x" in reply.body


def test_the_client_asks_for_a_platform(engine, loaded):
    name, *_ = loaded
    for verb in ("history", "inspect"):
        refused = engine.run("image", verb, "--platform", "linux/s390x", name, program="proa")
        assert refused.code == 1 and "does not provide the specified platform (linux/s390x)" in refused.err, refused
        assert engine.run("image", verb, "--platform", "linux/amd64", name, program="proa").code == 0


def test_where_an_image_came_from(engine, multi, registry):
    name, digest, here, *_ = multi
    engine.run("pull", "-q", name)
    origin = {"Pull": [{"Repository": f"{registry.address}/multi"}]}
    assert engine.api("GET", f"/v1.53/images/{name}/json").json["Identity"] == origin
    assert "Identity" not in engine.api("GET", f"/v1.52/images/{name}/json").json
    row = next(row for row in engine.api("GET", "/v1.54/images/json?identity=1").json if row["Id"] == here.id)
    assert row["Manifests"][0]["ImageData"]["Identity"] == origin and "Identity" not in row["Manifests"][1]["ImageData"]
    assert "Manifests" not in next(row for row in engine.api("GET", "/v1.53/images/json?identity=1").json if row["Id"] == here.id)
    engine.run("rmi", "-f", name)


def test_search(engine, program):
    server = Server().start()
    try:
        for name in ("team/searched", "team/other"):
            server.registry.push(name, "1", images.busybox_image())
        done = engine.run("search", "--limit", "5", f"{server.address}/search", program=program)
        assert done.code == 0, done
        header, row = done.out.splitlines()
        assert header.split()[:4] == ["NAME", "DESCRIPTION", "STARS", "OFFICIAL"] and row.split() == ["team/searched", "0"]
        assert engine.run("search", "--filter", "is-official=true", f"{server.address}/search", program=program).out.count("\n") == 1
        assert len(engine.api("GET", f"/images/search?term={server.address}/team").json) == 2
        for query, words in (("limit=0", "limit 0 is outside the range of [1, 100]"), ("limit=101", "limit 101 is outside the range of [1, 100]"),
                             ("filters=%7B%22x%22%3A%5B%22y%22%5D%7D", "invalid filter 'x'")):
            reply = engine.api("GET", f"/images/search?term={server.address}/team&{query}")
            assert reply.status == 400 and words in reply.message
    finally:
        server.close()


@pytest.fixture
def web():
    """path -> (status, headers, body), served over HTTP."""
    pages = {}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            status, headers, body = pages.get(self.path, (404, {}, b"no"))
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    pages["address"] = f"http://127.0.0.1:{server.server_port}"
    yield pages
    server.shutdown()
    server.server_close()
    thread.join()


def test_import_from_a_url(engine, web, program):
    tar = images.tar_of([("only", b"this", {})])
    compressed = subprocess.run(["gzip", "-c"], input=tar, stdout=subprocess.PIPE, check=True).stdout
    web["/root.tar.gz"] = (200, {}, compressed)
    web["/moved"] = (302, {"Location": "/root.tar.gz"}, b"")
    web["/short"] = (200, {"Content-Length": str(len(compressed))}, compressed[:100])
    url = web["address"]
    done = engine.run("import", "-c", "CMD [\"/x\"]", f"{url}/moved", "fetched:1", program=program)
    assert done.code == 0 and f"Downloading from {url}/moved" in done.out, done
    document = json.loads(engine.run("inspect", "fetched:1").out)[0]
    assert document["Config"]["Cmd"] == ["/x"] and document["Comment"] == f"Imported from {url}/moved"
    engine.run("create", "--name", "from-url", "fetched:1")
    with tarfile.open(fileobj=io.BytesIO(engine.run("export", "from-url", text=False).out)) as exported:
        assert exported.extractfile("only").read() == b"this"
    engine.run("rm", "from-url")
    engine.run("rmi", "fetched:1")
    missing = engine.run("import", f"{url}/nothing", "fetched:2", program=program)
    assert missing.code == 1 and "Got HTTP status code >= 400: 404 Not Found" in missing.err, missing
    assert engine.run("import", f"{url}/short", "fetched:3", program=program).code == 1
    assert engine.run("import", "http://127.0.0.1:1/x", "fetched:4", program=program).code == 1
    assert engine.run("images", "-q", "fetched").out == ""


def test_gc_keeps_the_newest_and_what_is_used(engine, registry):
    names = []
    for number in range(4):
        own = images.Layer(images.tar_of([("n", os.urandom(1000), {})]))
        registry.push("collected", str(number), images.Image([images.Layer(images.busybox_layer()), own], {"Cmd": ["sh"]}, created=f"2020-01-0{number + 1}T00:00:00Z"))
        names.append(f"{registry.address}/collected:{number}")
        assert engine.run("pull", "-q", names[-1]).code == 0
    others = engine.run("images", "-q", program="proa").out.split()
    engine.run("create", "--name", "user-of-it", names[0])
    keep = str(len(others))  # of every other repository all
    assert engine.run("image", "gc", program="proa").code == 1
    dry = engine.run("image", "gc", "--keep", "2", "--dry-run", program="proa")
    assert dry.code == 0 and names[1] in dry.out and not any(name in dry.out for name in (names[0], names[2], names[3])), dry
    assert engine.run("image", "gc", "--keep", keep, "--max-size", "100g", program="proa").out == "Freed: 0B\n"
    there = lambda: [name for name in names if engine.api("GET", f"/images/{name}/json").status == 200]  # noqa: E731
    assert there() == names
    strict = engine.run("image", "gc", "--keep", "2", "--max-size", "0", program="proa")
    assert strict.code == 1 and "WARNING: the budget wants" in strict.err
    assert there() == [names[0], names[2], names[3]]
    engine.run("rm", "user-of-it")
    engine.run("rmi", *there())
