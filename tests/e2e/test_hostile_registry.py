"""Pulls from a registry that lies (security.md, 4.1): refused with the reason, nothing stays, the next honest pull works."""
import gzip
import json
import os
import sys
import threading

import images
import pytest
from canaries import data_root
from engine import wait_until

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "hostile"))
from registry import HostileRegistry, changed, reply, reset  # noqa: E402

pytestmark = pytest.mark.ours  # the texts are Proa's, and so is `system check`

NAME = "lies"


@pytest.fixture
def liar():
    server = HostileRegistry()
    yield server
    server.close()


def honest():
    return images.Image([images.Layer(images.tar_of([("file", os.urandom(300_000), {})]))], {"Cmd": ["x"]}, oci=True)


def pull(engine, address, timeout=60):
    """The pull's error; None where it succeeded."""
    reply_ = engine.api("POST", f"/images/create?fromImage={address}/{NAME}&tag=1", raw=b"", timeout=timeout)
    if reply_.status != 200:
        return reply_.message
    lines = [json.loads(line) for line in reply_.body.splitlines()]
    return next((line["error"] for line in lines if "error" in line), None)


def refused(engine, liar, image, *words, kept=()):
    """The pull fails with one of the words; the store is as before, but for blobs that were what they should be and
    that the next try goes on with; then the same registry is honest."""
    before, pid = data_root(engine), engine.process.pid
    error = pull(engine, liar.address)
    assert error and any(word in error.lower() for word in words), error
    assert engine.api("GET", f"/images/{liar.address}/{NAME}:1/json").status == 404
    assert engine.process.poll() is None and engine.process.pid == pid
    liar.answers.clear()
    liar.image(NAME, image)
    assert pull(engine, liar.address) is None
    assert engine.api("DELETE", f"/images/{liar.address}/{NAME}:1").status == 200
    before |= {os.path.join(engine.data_root, "content/blobs/sha256", digest.removeprefix("sha256:")) for digest in kept}
    wait_until(lambda: data_root(engine) <= before, what=f"nothing new in the data root: {sorted(data_root(engine) - before)}")
    check = engine.run("system", "check", program="proa")
    assert check.code == 0 and check.out.endswith("problems: 0\n"), check


def layer_path(image):
    return f"/v2/{NAME}/blobs/{image.layers[0].digest}"


def flipped(data):
    return data[:100] + bytes([data[100] ^ 1]) + data[101:]


@pytest.mark.parametrize("what", ["layer", "config"])
@pytest.mark.proves("R1")
def test_wrong_bytes(engine, liar, what):
    image = honest()
    liar.image(NAME, image)
    data, digest = (image.layers[0].data, image.layers[0].digest) if what == "layer" else (image.config, image.id)
    liar.blob(NAME, digest, reply(flipped(data)))
    refused(engine, liar, image, "digest", "verification failed")


@pytest.mark.proves("R1")
def test_manifest_that_is_not_its_digest(engine, liar):
    image = honest()
    liar.image(NAME, image)
    index = json.dumps({"schemaVersion": 2, "mediaType": images.OCI_INDEX, "manifests": [
        {"mediaType": images.OCI_MANIFEST, "size": len(image.manifest), "digest": image.digest, "platform": {"os": "linux", "architecture": "amd64"}}]}).encode()
    liar.manifest(NAME, "1", index, images.OCI_INDEX)
    liar.answers[f"/v2/{NAME}/manifests/{image.digest}"] = reply(image.manifest.replace(b"schemaVersion", b"schemaversion"), Content_Type=images.OCI_MANIFEST)
    refused(engine, liar, image, "digest", "verification failed")


@pytest.mark.proves("R2")
def test_body_longer_than_the_size_in_the_manifest(engine, liar):
    image = honest()
    liar.image(NAME, image)
    liar.blob(NAME, image.layers[0].digest, reply(image.layers[0].data + b"more"))
    refused(engine, liar, image, "size", "larger", "more than", "longer")


@pytest.mark.proves("R2", "R9")
def test_body_without_end(engine, liar):
    image = honest()
    liar.image(NAME, image)

    def endless(connection, _):
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.sendall(bytes(65536))

    liar.blob(NAME, image.layers[0].digest, endless)
    refused(engine, liar, image, "size", "larger", "more than", "longer", "digest")


@pytest.mark.proves("R2", "R3")
def test_short_body_is_asked_for_again(engine, liar):
    """Cut with a reset at each of its sixteenths, then given whole: the pull takes up where it was."""
    image = honest()
    liar.image(NAME, image)
    data, cuts = image.layers[0].data, list(range(1, 16))

    def cut(connection, headers):
        start = int(headers.get("range", "bytes=0-").removeprefix("bytes=").split("-")[0])
        status = f"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {start}-{len(data) - 1}/{len(data)}" if start else "HTTP/1.1 200 OK"
        connection.sendall(f"{status}\r\nContent-Length: {len(data) - start}\r\n\r\n".encode())
        if cuts:
            connection.sendall(data[start:len(data) * cuts.pop(0) // 16])
            return reset(connection) if len(cuts) % 2 else False
        connection.sendall(data[start:])

    liar.blob(NAME, image.layers[0].digest, cut)
    assert pull(engine, liar.address, timeout=180) is None and not cuts
    assert engine.api("DELETE", f"/images/{liar.address}/{NAME}:1").status == 200


@pytest.mark.proves("R12")
def test_redirects_in_a_circle(engine, liar):
    image = honest()
    liar.image(NAME, image)
    liar.answers[layer_path(image)] = reply(status="307 Temporary Redirect", Location=layer_path(image))
    refused(engine, liar, image, "redirects")
    assert len([path for path, _ in liar.requests if path == layer_path(image)]) < 50


@pytest.mark.parametrize("place", ["file:///etc/passwd", "gopher://127.0.0.1/x", "//"])
@pytest.mark.proves("R12")
def test_redirect_to_no_web_place(engine, liar, place):
    image = honest()
    liar.image(NAME, image)
    liar.answers[layer_path(image)] = reply(status="302 Found", Location=place)
    refused(engine, liar, image, "redirect", "scheme", "url", "unsupported")


@pytest.mark.proves("R12", 76)
def test_redirect_takes_no_credentials_along(engine, liar):
    image, other = honest(), HostileRegistry()
    try:
        liar.image(NAME, image)
        other.blob(NAME, image.layers[0].digest, reply(image.layers[0].data))

        def locked(connection, headers):
            if headers.get("authorization", "").startswith("Basic "):
                connection.sendall(reply(status="307 Temporary Redirect", Location=f"http://{other.address}{layer_path(image)}"))
            else:
                connection.sendall(reply(status="401 Unauthorized", WWW_Authenticate='Basic realm="x"'))

        liar.answers[layer_path(image)] = locked
        auth = "eyJ1c2VybmFtZSI6ICJ1c2VyIiwgInBhc3N3b3JkIjogInNlY3JldCJ9"  # {"username": "user", "password": "secret"}
        done = engine.api("POST", f"/images/create?fromImage={liar.address}/{NAME}&tag=1", raw=b"", headers={"X-Registry-Auth": auth})
        assert b'"error"' not in done.body, done.body
        assert other.requests and not any("authorization" in headers or "cookie" in headers for _, headers in other.requests)
    finally:
        other.close()
        engine.api("DELETE", f"/images/{liar.address}/{NAME}:1")


@pytest.mark.proves("R10")
def test_401_for_ever(engine, liar):
    image = honest()
    liar.image(NAME, image)
    for path in list(liar.answers):
        liar.answers[path] = reply(b"{}", "401 Unauthorized", WWW_Authenticate=f'Bearer realm="http://{liar.address}/token",service="x"')
    liar.answers["/token"] = reply(b'{"token": "abc"}')
    refused(engine, liar, image, "unauthorized", "denied", "authentication")
    assert len([path for path, _ in liar.requests if path.startswith("/token")]) <= 12


@pytest.mark.proves("R9", 82)
def test_huge_manifest(engine, liar):
    image = honest()
    liar.image(NAME, image)
    liar.manifest(NAME, "1", b" " * (5 << 20) + image.manifest, image.manifest_type)
    refused(engine, liar, image, "larger", "limit", "large", "exceeds", "more than")


@pytest.mark.proves("R6")
def test_indexes_within_indexes(engine, liar):
    image = honest()
    liar.image(NAME, image)
    body, kind = image.manifest, images.OCI_MANIFEST
    for _ in range(100):
        liar.manifest(NAME, "1", body, kind)
        entry = {"mediaType": kind, "size": len(body), "digest": images.digest_of(body), "platform": {"os": "linux", "architecture": "amd64"}}
        body, kind = json.dumps({"schemaVersion": 2, "mediaType": images.OCI_INDEX, "manifests": [entry]}).encode(), images.OCI_INDEX
    refused(engine, liar, image, "nested", "deep", "index")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b'{"schemaVersion": 2, "schemaVersion": 1}',
                                  b'{"schemaVersion": 1e999}', b"<html>go away</html>"],
                         ids=["empty", "open", "list", "null", "bytes", "deep", "twice", "infinite", "html"])
@pytest.mark.proves("R7", "R8", 38)
def test_malformed_manifest(engine, liar, body):
    image = honest()
    liar.image(NAME, image)
    liar.manifest(NAME, "1", body, images.OCI_MANIFEST)
    refused(engine, liar, image, "")


@pytest.mark.parametrize("members", [{"mediaType": "application/x-unknown"}, {"schemaVersion": 1}, {"manifests": []}, {"config": None},
                                     {"layers": [{"mediaType": images.OCI_LAYER, "size": -1, "digest": "sha256:" + "a" * 64}]},
                                     {"layers": [{"mediaType": images.OCI_LAYER, "size": 1, "digest": "sha256:../../etc"}]},
                                     {"layers": [{"mediaType": images.OCI_LAYER, "size": 1 << 63, "digest": "sha256:" + "a" * 64}]}],
                         ids=["type", "schema1", "both", "no-config", "negative", "path", "size"])
@pytest.mark.proves("R5", "R7", 75, 78)
def test_manifest_that_means_nothing(engine, liar, members):
    image = honest()
    liar.image(NAME, image)
    liar.manifest(NAME, "1", changed(image, **members), images.OCI_MANIFEST)
    refused(engine, liar, image, "")


@pytest.mark.proves("R4")
def test_config_of_other_layers(engine, liar):
    image = honest()
    config = json.loads(image.config)
    config["rootfs"]["diff_ids"] = ["sha256:" + "b" * 64]
    body = json.dumps(config).encode()
    digest = images.digest_of(body)
    liar.image(NAME, image)
    liar.blob(NAME, digest, reply(body))
    manifest = changed(image, config={"mediaType": images.OCI_CONFIG, "size": len(body), "digest": digest})
    liar.manifest(NAME, "1", manifest, images.OCI_MANIFEST)
    refused(engine, liar, image, "diff", "digest", "verification failed", kept=[image.layers[0].digest])


@pytest.mark.proves(38)
def test_config_with_a_layer_too_many(engine, liar):
    image = honest()
    config = json.loads(image.config)
    config["rootfs"]["diff_ids"] *= 2
    body = json.dumps(config).encode()
    liar.image(NAME, image)
    liar.blob(NAME, images.digest_of(body), reply(body))
    liar.manifest(NAME, "1", changed(image, config={"mediaType": images.OCI_CONFIG, "size": len(body), "digest": images.digest_of(body)}), images.OCI_MANIFEST)
    refused(engine, liar, image, "layers", "diff")


@pytest.mark.proves("R21")
def test_tar_that_is_a_bomb(engine, liar):
    """64 MiB of zeros in 64 kB, and a tar header that promises more than there is: it ends with the stream."""
    image = honest()
    bomb = gzip.compress(images.tar_of([("zeros", b"", {})])[:512] + bytes(64 << 20), mtime=0)
    lying = images.Image([images.Layer(b"")], oci=True)
    layer = lying.layers[0]
    layer.data, layer.digest = bomb, images.digest_of(bomb)
    layer.diff_id = "sha256:" + "c" * 64
    lying = images.Image([layer], oci=True)
    liar.image(NAME, lying)
    refused(engine, liar, image, "digest", "diff", "verification failed", "layer")


def broken(what, data):
    """An answer with a layer in HTTP that no honest server speaks."""
    ok, length = b"HTTP/1.1 200 OK\r\n", b"Content-Length: %d\r\n" % len(data)
    return {"no HTTP": b"hello\r\n\r\n", "HTTP 0.9": data, "nothing": b"", "half a header": ok + b"Content-Le",
            "an endless header": ok + b"X: " + b"y" * (2 << 20) + b"\r\n" + length + b"\r\n" + data,
            "a negative length": ok + b"Content-Length: -1\r\n\r\n" + data,
            "two lengths": ok + length + b"Content-Length: 7\r\n\r\n" + data,
            "a chunk beyond all": ok + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n" + data,
            "chunks that are none": ok + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n" + data,
            "chunks that break off": ok + b"Transfer-Encoding: chunked\r\n\r\n10000\r\n" + data[:100],
            "a status that is none": b"HTTP/1.1 999999 OK\r\n" + length + b"\r\n" + data,
            "TLS": b"\x15\x03\x03\x00\x02\x02\x28"}[what]


@pytest.mark.proves("R15")
@pytest.mark.parametrize("what", ["no HTTP", "HTTP 0.9", "nothing", "half a header", "an endless header", "a negative length", "two lengths", "a chunk beyond all",
                                  "chunks that are none", "chunks that break off", "a status that is none", "TLS"])
def test_http_that_is_none(engine, liar, what):
    image = honest()
    liar.image(NAME, image)

    def answer(connection, _):
        connection.sendall(broken(what, image.layers[0].data))
        return False

    liar.blob(NAME, image.layers[0].digest, answer)
    refused(engine, liar, image, "")


@pytest.mark.proves("R19", "I15")
def test_images_are_removed_while_one_is_pulled(engine, liar):
    """What a pull has fetched already is nobody's yet, and neither prune nor the removal of an image with the same layer takes it."""
    shared = images.Layer(images.tar_of([("shared", os.urandom(100_000), {})]))
    first = images.Image([shared], {"Cmd": ["x"]}, oci=True)
    second = images.Image([shared, images.Layer(images.tar_of([("own", os.urandom(300_000), {})]))], {"Cmd": ["y"]}, oci=True)
    liar.image(NAME, first)
    assert pull(engine, liar.address) is None
    liar.image(NAME, second)
    reached, go = threading.Event(), threading.Event()

    def slowly(connection, _):
        whole = reply(second.layers[1].data)
        connection.sendall(whole[:100_000])
        reached.set()
        go.wait(30)
        connection.sendall(whole[100_000:])

    liar.blob(NAME, second.layers[1].digest, slowly)
    errors = []
    puller = threading.Thread(target=lambda: errors.append(pull(engine, liar.address)))
    puller.start()
    try:
        assert reached.wait(20)
        assert engine.api("DELETE", f"/images/{first.id}?force=1").status == 200
        assert engine.api("POST", "/images/prune").status == 200
    finally:
        go.set()
        puller.join()
    assert errors == [None]
    check = engine.run("system", "check", program="proa")
    assert check.code == 0 and check.out.endswith("problems: 0\n"), check
    assert engine.api("DELETE", f"/images/{liar.address}/{NAME}:1").status == 200
