"""push, login, pull -a: against a real registry, with and without a password."""
import base64
import crypt
import json
import os
import shutil
import signal
import tempfile

import images
import pytest
from engine import PEER, free_port


@pytest.fixture
def client(engine, program):
    return lambda *arguments, **options: engine.run(*arguments, program=program, **options)


@pytest.fixture(scope="module")
def locked():
    """A registry that knows one user: alice, secret."""
    directory = tempfile.mkdtemp(prefix="proa-locked-")
    with open(os.path.join(directory, "htpasswd"), "w") as file:
        file.write("alice:" + crypt.crypt("secret", crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16)) + "\n")
    config = {"auth": {"htpasswd": {"realm": "proa", "path": os.path.join(directory, "htpasswd")}}}
    process, address = images.start_locked_registry(directory, free_port(), config)
    yield address
    process.send_signal(signal.SIGTERM)
    process.wait(timeout=20)
    shutil.rmtree(directory, ignore_errors=True)


def manifest_of(registry, name, reference):
    accept = ", ".join([images.DOCKER_MANIFEST, images.OCI_MANIFEST, images.OCI_INDEX])
    reply = registry.request("GET", f"/v2/{name}/manifests/{reference}", headers={"Accept": accept})
    return reply.read(), reply.headers


@pytest.fixture
def fresh(engine, registry, client):
    """An image with a layer that no repository has yet, pulled: its name, and the Image."""
    own = images.Layer(images.tar_of([("own", os.urandom(3000), {})]))
    image = images.Image([images.Layer(images.busybox_layer()), own], {"Cmd": ["sh"]})
    registry.push("origin", "1", image)
    name = f"{registry.address}/origin:1"
    assert client("pull", "-q", name).code == 0
    yield name, image
    engine.run("rmi", "-f", json.loads(engine.run("inspect", name).out)[0]["Id"])


def test_push_of_what_was_pulled_is_the_same_to_the_byte(registry, fresh, client):
    name, image = fresh
    target = f"{registry.address}/elsewhere/copy:v1"
    client("tag", name, target)
    done = client("push", target)
    assert done.code == 0, done
    lines = done.out.splitlines()
    assert lines[0] == f"The push refers to repository [{registry.address}/elsewhere/copy]"
    assert lines[-1] == f"v1: digest: {image.digest} size: {len(image.manifest)}"
    assert all(any(line.startswith(layer.diff_id[7:19] + ": ") for line in lines) for layer in image.layers)
    bytes_there, headers = manifest_of(registry, "elsewhere/copy", "v1")
    if not PEER:  # dockerd writes manifests anew
        assert bytes_there == image.manifest
    assert headers["Docker-Content-Digest"] == images.digest_of(bytes_there)
    again = client("push", target)
    assert again.out.count("Layer already exists") == 2


def test_layers_come_from_a_repository_that_has_them(engine, registry, fresh, client):
    name, _ = fresh
    target = f"{registry.address}/mounted-{free_port()}:1"
    client("tag", name, target)
    assert client("push", target).out.count("Mounted from ") == 2
    engine.run("rmi", target)


def test_push_by_api_ends_with_aux(engine, registry, fresh):
    name, image = fresh
    engine.run("tag", name, f"{registry.address}/aux:1")
    reply = engine.api("POST", f"/images/{registry.address}/aux/push?tag=1", headers={"X-Registry-Auth": "e30="})
    assert reply.status == 200 and reply.headers["Content-Type"] == "application/json"
    messages = [json.loads(line) for line in reply.body.split(b"\r\n") if line]
    assert messages[0] == {"status": f"The push refers to repository [{registry.address}/aux]"}
    top = image.layers[-1].diff_id[7:19]
    assert messages[1] == {"status": "Preparing", "progressDetail": {}, "id": top}
    assert messages[-1]["aux"] == {"Tag": "1", "Digest": image.digest, "Size": len(image.manifest)}
    assert messages[-1]["progressDetail"] == {}
    document = engine.api("GET", f"/images/{name}/json").json
    assert f"{registry.address}/aux@{image.digest}" in document["RepoDigests"]


def test_push_all_tags_and_pull_them(engine, registry, fresh, client):
    name, image = fresh
    repository = f"{registry.address}/many-{free_port()}"
    for tag in ("a", "b"):
        client("tag", name, f"{repository}:{tag}")
    done = client("push", "-a", repository)
    assert done.code == 0, done
    assert f"a: digest: {image.digest}" in done.out and f"b: digest: {image.digest}" in done.out
    engine.run("rmi", f"{repository}:a", f"{repository}:b")
    done = client("pull", "-a", repository)
    assert done.code == 0, done
    assert sorted(client("images", "--format", "{{.Tag}}", repository).out.split()) == ["a", "b"]
    engine.run("rmi", f"{repository}:a", f"{repository}:b")


def test_push_of_what_is_not_there(registry, client):
    done = client("push", f"{registry.address}/nothing:here")
    assert done.code == 1
    assert done.out.splitlines()[0] == f"The push refers to repository [{registry.address}/nothing]"
    assert f"An image does not exist locally with the tag: {registry.address}/nothing" in done.err


def test_push_quiet_says_the_name(registry, fresh, client):
    name, _ = fresh
    target = f"{registry.address}/quiet:1"
    client("tag", name, target)
    done = client("push", "-q", target)
    assert (done.code, done.out) == (0, f"{target}\n")


def test_login_push_pull_logout(engine, locked, fresh, client):
    name, image = fresh
    target = f"{locked}/private/app:1"
    client("tag", name, target)
    refused = client("push", target)
    assert refused.code == 1 and "no basic auth credentials" in refused.err, refused
    wrong = client("login", "-u", "alice", "--password-stdin", locked, stdin=b"wrong")
    assert wrong.code == 1
    assert f"login attempt to http://{locked}/v2/ failed with status: 401 Unauthorized" in wrong.err
    done = client("login", "-u", "alice", "--password-stdin", locked, stdin=b"secret\n")
    assert done.code == 0 and "Login Succeeded" in done.out, done
    config = os.path.join(engine.directory, "home/.docker/config.json")
    with open(config) as file:
        stored = json.load(file)
    assert stored["auths"][locked] == {"auth": base64.b64encode(b"alice:secret").decode()}
    assert os.stat(config).st_mode & 0o777 == 0o600
    assert client("push", target).code == 0
    engine.run("rmi", target)
    assert client("pull", "-q", target).code == 0
    assert client("logout", locked).out == f"Removing login credentials for {locked}\n"
    with open(config) as file:
        assert locked not in json.load(file).get("auths", {})
    engine.run("rmi", target)
    refused = client("pull", target)
    assert refused.code == 1
    assert "no basic auth credentials" in refused.err or "Please login" in refused.out  # the docker client asks


def test_auth_endpoint(engine, locked):
    good = engine.api("POST", "/auth", {"username": "alice", "password": "secret", "serveraddress": locked})
    assert (good.status, good.json) == (200, {"IdentityToken": "", "Status": "Login Succeeded"})
    bad = engine.api("POST", "/auth", {"username": "alice", "password": "x", "serveraddress": locked})
    assert bad.status in (401, 500) and "401 Unauthorized" in bad.message


@pytest.mark.ours
@pytest.mark.parametrize("member", ["credsStore", "credHelpers"])
@pytest.mark.proves(78)
def test_login_uses_the_credential_helper(engine, locked, fresh, member):
    """What docker's helpers are asked, on standard input; one for this registry comes before the one for all."""
    name, _ = fresh
    bin_directory = os.path.join(engine.directory, "bin")
    home = os.path.join(engine.directory, "helper-home")
    os.makedirs(bin_directory, exist_ok=True)
    os.makedirs(os.path.join(home, ".docker"), exist_ok=True)
    with open(os.path.join(bin_directory, "docker-credential-fake"), "w") as file:
        file.write(f"#!/bin/sh\ncat > {home}/in.$1; [ $1 = erase ] && rm {home}/in.store; [ $1 = get ] && [ -e {home}/in.store ] && cat {home}/in.store\nexit 0\n")
    os.chmod(file.name, 0o755)
    with open(os.path.join(home, ".docker/config.json"), "w") as file:
        json.dump({"credsStore": "fake"} if member == "credsStore" else {"credHelpers": {locked: "fake"}, "credsStore": "nothere"}, file)
    env = {"HOME": home, "PATH": f"{bin_directory}:{os.environ['PATH']}"}
    done = engine.run("login", "-u", "alice", "--password-stdin", locked, program="proa", env=env, stdin=b"secret")
    assert done.code == 0 and "unencrypted" not in done.err, done
    with open(os.path.join(home, "in.store")) as file:
        assert json.load(file) == {"ServerURL": locked, "Username": "alice", "Secret": "secret"}
    engine.run("tag", name, f"{locked}/helped:1")
    assert engine.run("push", f"{locked}/helped:1", program="proa", env=env).code == 0
    with open(os.path.join(home, "in.get")) as file:
        assert file.read() == locked
    with open(os.path.join(home, ".docker/config.json")) as file:
        stored = file.read()
    assert "secret" not in stored and base64.b64encode(b"alice:secret").decode() not in stored
    assert engine.run("logout", locked, program="proa", env=env).code == 0
    with open(os.path.join(home, "in.erase")) as file:
        assert file.read() == locked
    assert "no basic auth credentials" in engine.run("push", f"{locked}/helped:1", program="proa", env=env).err
    shutil.rmtree(home)
    engine.run("rmi", f"{locked}/helped:1")


def test_distribution_says_what_the_registry_has(engine, registry):
    right, other = images.busybox_image(oci=True, created="2026-05-04T04:04:04Z"), images.busybox_image(oci=True, architecture="arm64", created="2026-05-05T04:04:04Z")
    digest = registry.push_index("dist", "1", [(right, {"architecture": "amd64", "os": "linux"}), (other, {"architecture": "arm64", "os": "linux", "variant": "v8"})])
    reply = engine.api("GET", f"/distribution/{registry.address}/dist:1/json")
    assert reply.status == 200, reply.body
    assert reply.json["Descriptor"]["digest"] == digest and reply.json["Descriptor"]["mediaType"] == images.OCI_INDEX
    assert reply.json["Platforms"] == [{"architecture": "amd64", "os": "linux"}, {"architecture": "arm64", "os": "linux", "variant": "v8"}]
    single = engine.api("GET", f"/distribution/{registry.address}/busybox:latest/json").json
    assert single["Platforms"] == [{"architecture": "amd64", "os": "linux"}] and single["Descriptor"]["size"] > 0
    assert engine.api("GET", f"/distribution/{registry.address}/nothere:1/json").status >= 400


@pytest.mark.skipif(PEER, reason="Docker 20.10 does not count it")
def test_shared_size_is_that_of_common_layers(engine, registry, image):
    other = f"{registry.address}/other:v1"
    engine.run("pull", "-q", other)
    rows = {row["RepoTags"][0]: row for row in engine.api("GET", "/images/json?shared-size=1").json if row["RepoTags"]}
    assert rows[image]["SharedSize"] > 0 and rows[other]["SharedSize"] == rows[image]["SharedSize"]
    assert rows[other]["SharedSize"] <= rows[other]["Size"]
    engine.run("rmi", other)
