"""proa-registry as a pull-through cache, its garbage collection, and its death at bad moments."""
import http.client
import json
import os
import signal
import subprocess
import threading
import time
import urllib.request

import images
import pytest
from engine import BIN, free_port

pytestmark = pytest.mark.ours


@pytest.fixture
def origin(registry):
    """An image upstream: its repository and the Image."""
    own = images.Layer(images.tar_of([("own", os.urandom(400_000), {})]))
    image = images.Image([images.Layer(images.busybox_layer()), own], {"Cmd": ["cat", "/own"]}, oci=True)
    registry.push("origin/app", "1", image)
    return "origin/app", image


def get(server, path, **headers):
    return server.ask("GET", path, headers={"Accept": ", ".join([images.OCI_MANIFEST, images.OCI_INDEX, images.DOCKER_MANIFEST]), **headers})


def test_what_is_asked_for_is_fetched_once(serve, relay, origin):
    name, image = origin
    cache = serve("--upstream", f"http://{relay.address}", "--cache-minutes", "60")
    for _ in range(2):
        assert get(cache, f"/v2/{name}/manifests/1")[2] == image.manifest
        for layer in image.layers:
            status, headers, body = get(cache, f"/v2/{name}/blobs/{layer.digest}")
            assert (status, body, int(headers["Content-Length"])) == (200, layer.data, len(layer.data))
    gets = [path for method, path, _ in relay.asked if method == "GET"]
    assert sorted(gets) == sorted([f"/v2/{name}/manifests/1"] + [f"/v2/{name}/blobs/{layer.digest}" for layer in image.layers])
    assert get(cache, f"/v2/{name}/blobs/{image.layers[1].digest}", Range="bytes=7-9")[2] == image.layers[1].data[7:10]
    assert json.loads(get(cache, f"/v2/{name}/tags/list")[2])["tags"] == ["1"]
    for path in (f"/v2/{name}/manifests/no", f"/v2/{name}/blobs/sha256:{'0' * 64}", "/v2/no/such/manifests/1"):
        assert get(cache, path)[0] == 404
    assert cache.ask("POST", f"/v2/{name}/blobs/uploads/", b"")[0] == 405
    text = get(cache, "/metrics")[2].decode()
    assert "proa_registry_cache_hits_total" in text and "proa_registry_cache_misses_total" in text


def test_a_tag_that_moved_is_seen_and_what_is_cached_outlives_upstream(serve, relay, registry):
    first, second = (images.busybox_image(oci=True, created=f"2026-07-0{n}T00:00:00Z") for n in (1, 2))
    registry.push("moving", "1", first)
    cache = serve("--upstream", f"http://{relay.address}", "--cache-minutes", "0")
    assert get(cache, "/v2/moving/manifests/1")[2] == first.manifest
    registry.push("moving", "1", second)
    assert get(cache, "/v2/moving/manifests/1")[2] == second.manifest
    asked = len([1 for method, path, _ in relay.asked if method == "GET" and "manifests" in path])
    assert get(cache, "/v2/moving/manifests/1")[2] == second.manifest
    assert len([1 for method, path, _ in relay.asked if method == "GET" and "manifests" in path]) == asked, "a HEAD is enough"
    relay.close()
    assert get(cache, "/v2/moving/manifests/1")[2] == second.manifest
    assert get(cache, f"/v2/moving/manifests/{first.digest}")[2] == first.manifest
    assert get(cache, "/v2/moving/manifests/2")[0] == 502
    assert json.loads(get(cache, "/v2/moving/tags/list")[2])["tags"] == ["1"]
    assert get(cache, "/v2/never/asked/tags/list")[0] == 502, "nobody knows whether there is such a repository"


@pytest.mark.proves(85)
def test_what_one_repository_has_brought_no_other_gives_away(serve, relay, registry, origin):
    """Upstream is asked for each repository, and its no is the cache's, also when the bytes lie here."""
    name, image = origin
    registry.push("locked/app", "1", image)
    refused = []

    def answer(request):
        if not request.path.startswith("/v2/locked/"):
            return False
        refused.append(request.path)
        request.send_response(403)
        request.send_header("Content-Length", "0")
        request.end_headers()
        return True

    cache = serve("--upstream", f"http://{relay.address}", "--cache-minutes", "60")
    assert get(cache, f"/v2/{name}/manifests/1")[2] == image.manifest
    for digest in [image.id] + [layer.digest for layer in image.layers]:
        assert get(cache, f"/v2/{name}/blobs/{digest}")[0] == 200
    relay.answer = answer
    for path in [f"manifests/{image.digest}", "manifests/1"] + [f"blobs/{layer.digest}" for layer in image.layers]:
        status, _, body = get(cache, f"/v2/locked/app/{path}")
        assert status in (403, 404, 502) and image.layers[1].data[:20] not in body, path
    assert len(refused) >= 4, "it was asked each time"
    relay.close()  # nor where nobody can be asked
    for path in (f"manifests/{image.digest}", f"blobs/{image.layers[1].digest}"):
        assert get(cache, f"/v2/locked/app/{path}")[0] == 502
    assert get(cache, f"/v2/{name}/blobs/{image.layers[1].digest}")[0] == 200


@pytest.mark.proves(85)
def test_an_engine_that_has_it_still_asks_whether_it_may(engine, relay, registry, origin):
    """The manifest and the layers are here, under another repository's name."""
    name, image = origin
    registry.push("locked/app", "1", image)
    assert engine.run("pull", "-q", f"{relay.address}/{name}:1").code == 0

    def answer(request):
        if request.path.startswith("/v2/locked/"):
            body = json.dumps({"errors": [{"code": "DENIED", "message": "requested access to the resource is denied"}]}).encode()
            request.send_response(403)
            request.send_header("Content-Length", str(len(body)))
            request.end_headers()
            if request.command != "HEAD":
                request.wfile.write(body)
            return True
        return False

    relay.answer = answer
    for reference in ("locked/app:1", f"locked/app@{image.digest}"):
        refused = engine.run("pull", f"{relay.address}/{reference}")
        assert refused.code == 1 and "denied" in refused.err, refused
        assert engine.api("GET", f"/images/{relay.address}/{reference}/json").status == 404
    engine.run("rmi", f"{relay.address}/{name}:1")


def test_many_at_a_time_are_one_download_and_no_lie_is_handed_on(serve, relay, origin):
    name, image = origin
    layer = image.layers[1]
    gate, lie = threading.Event(), {}

    def answer(handler):
        if handler.command != "GET" or not handler.path.endswith(layer.digest):
            return False
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(layer.data)))
        handler.end_headers()
        handler.wfile.write(layer.data[:1000])
        handler.wfile.flush()
        gate.wait(60)
        handler.wfile.write(bytes(len(layer.data) - 1000) if lie else layer.data[1000:])
        return True

    relay.answer = answer
    cache = serve("--upstream", f"http://{relay.address}")
    path = f"/v2/{name}/blobs/{layer.digest}"

    def one(results, began):
        reply = urllib.request.urlopen(f"http://{cache.address}{path}", timeout=60)
        start_of_it = reply.read(1000)
        began.release()
        try:
            results.append(start_of_it + reply.read())
        except http.client.IncompleteRead:
            results.append(None)

    for lying in (True, False):
        lie.clear()
        if lying:
            lie["now"] = True
        gate.clear()
        results, began = [], threading.Semaphore(0)
        threads = [threading.Thread(target=one, args=(results, began)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for _ in threads:
            assert began.acquire(timeout=60)
        gate.set()
        for thread in threads:
            thread.join()
        assert results == ([None] if lying else [layer.data]) * 4, "nobody gets the last byte of a lie"
    gets = [1 for method, asked, _ in relay.asked if method == "GET" and asked == path]
    assert len(gets) == 2
    assert get(cache, path)[2] == layer.data and len([1 for m, p, _ in relay.asked if m == "GET" and p == path]) == 2


def test_a_download_that_was_killed_goes_on(serve, relay, origin):
    name, image = origin
    layer = image.layers[1]
    stuck, half = threading.Event(), 150_000

    def answer(handler):
        if handler.command != "GET" or not handler.path.endswith(layer.digest) or handler.headers.get("Range"):
            return False
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(layer.data)))
        handler.end_headers()
        handler.wfile.write(layer.data[:half])
        handler.wfile.flush()
        stuck.wait(60)
        return True

    relay.answer = answer
    cache = serve("--upstream", f"http://{relay.address}")
    path = f"/v2/{name}/blobs/{layer.digest}"
    thread = threading.Thread(target=lambda: subprocess.run(["curl", "-s", f"http://{cache.address}{path}", "-o", "/dev/null"]))
    thread.start()
    kept = os.path.join(cache.root, "content/ingest")
    while not any(os.path.getsize(os.path.join(kept, one)) == half for one in os.listdir(kept)):
        time.sleep(0.01)
    cache.stop(signal.SIGKILL)
    thread.join()
    stuck.set()
    cache.start()
    assert get(cache, path)[2] == layer.data
    ranges = [headers.get("Range") for method, asked, headers in relay.asked if method == "GET" and asked == path]
    assert ranges == [None, f"bytes={half}-"]


def test_engine_pulls_through_it_by_hosts_toml(serve, relay, origin, registry, tmp_path):
    from engine import Engine
    name, image = origin
    cache = serve("--upstream", f"http://{relay.address}")
    directory = tmp_path / registry.address
    directory.mkdir()
    (directory / "hosts.toml").write_text(f'[host."http://{cache.address}"]\ncapabilities = ["pull", "resolve"]\n')
    daemon = Engine(extra_flags=["--registry-config-path", str(tmp_path)], bridge="proatest1", subnet="10.214.0.1/24").start()
    try:
        full = f"{registry.address}/{name}:1"
        done = daemon.run("pull", full)
        assert done.code == 0, done
        assert json.loads(daemon.run("inspect", full).out)[0]["RepoDigests"] == [f"{registry.address}/{name}@{image.digest}"]
        assert any(path == f"/v2/{name}/manifests/1" for _, path, _ in relay.asked)
        daemon.run("rmi", full)
        cache.stop()
        assert daemon.run("pull", full).code == 0, "the registry itself is asked where its mirror is gone"
        cache.start()
    finally:
        daemon.close()


# Collection and death.

def blobs_of(server):
    return set(os.listdir(os.path.join(server.root, "content/blobs/sha256")))


def collect(server, *flags):
    out = subprocess.run([os.path.join(BIN, "proa-registry"), "--root", server.root, *flags, "gc"], stdout=subprocess.PIPE, text=True, check=True).stdout
    return int(out.split()[0])


def test_untagged_manifests_go_only_if_asked_and_only_if_nothing_leads_there(serve):
    server = serve()
    old, new, child = (images.busybox_image(oci=True, created=f"2026-08-0{n}T00:00:00Z") for n in (1, 2, 3))
    server.registry.push("app", "1", old)
    server.registry.push("app", "1", new)
    server.registry.push_index("app", "multi", [(child, {"architecture": "amd64", "os": "linux"})])
    server.registry.put_blob("app", b"{}")
    config = {"mediaType": "application/vnd.oci.empty.v1+json", "digest": images.digest_of(b"{}"), "size": 2}
    signatures = []
    for subject in (old, new):
        signature = json.dumps({"schemaVersion": 2, "mediaType": images.OCI_MANIFEST, "config": config, "layers": [config], "artifactType": "application/x",
                                "subject": {"mediaType": images.OCI_MANIFEST, "digest": subject.digest, "size": len(subject.manifest)}}).encode()
        signatures.append(images.digest_of(signature))
        assert server.ask("PUT", f"/v2/app/manifests/{signatures[-1]}", signature, {"Content-Type": images.OCI_MANIFEST})[0] == 201
    server.stop()
    assert collect(server) == 0
    assert collect(server, "--delete-untagged") > 0
    server.start()
    status = lambda digest: server.ask("GET", f"/v2/app/manifests/{digest}", headers={"Accept": images.OCI_MANIFEST})[0]  # noqa: E731
    assert [status(digest) for digest in (old.digest, signatures[0], new.digest, signatures[1], child.digest)] == [404, 404, 200, 200, 200]


def test_collection_while_serving_takes_nothing_that_is_wanted(serve):
    """Images whose blobs nothing refers to any more are pushed again while it collects without a pause: each is whole."""
    server = serve("--gc-grace", "4")
    made = [images.Image([images.Layer(images.tar_of([("n", os.urandom(2000), {})]))], {"Cmd": [str(n)]}, oci=True) for n in range(60)]
    for image in made:
        server.registry.push("app", "1", image)
        server.registry.request("DELETE", f"/v2/app/manifests/{image.digest}")
    time.sleep(5)  # the grace is over
    ending = threading.Event()

    def collect_all_the_time():
        while not ending.is_set():
            server.process.send_signal(signal.SIGUSR1)
            time.sleep(0.002)

    collector = threading.Thread(target=collect_all_the_time)
    collector.start()
    try:
        for number, image in enumerate(made[::2]):
            server.registry.push("again", str(number), image)
    finally:
        ending.set()
        collector.join()
    for image in made[::2]:
        assert get(server, f"/v2/again/manifests/{image.digest}")[2] == image.manifest
        for layer in image.layers:
            assert get(server, f"/v2/again/blobs/{layer.digest}")[2] == layer.data
    server.process.send_signal(signal.SIGUSR1)
    gone = {image.layers[0].digest[7:] for image in made[1::2]}
    deadline = time.monotonic() + 30
    while gone & blobs_of(server):
        assert time.monotonic() < deadline, "what nothing refers to goes"
        time.sleep(0.05)


@pytest.mark.parametrize("point", ["registry.upload.piece", "blob.adopt.before_rename", "registry.collect.before_remove"])
def test_killed_at_any_moment_nothing_is_lost_or_half_visible(serve, point):
    server = serve()
    image = images.busybox_image(oci=True, created="2026-09-01T00:00:00Z")
    server.registry.push("safe", "1", image)
    stray = server.registry.put_blob("safe", os.urandom(5000))
    data = os.urandom(900_000)
    digest = images.digest_of(data)
    server.stop()
    if point == "registry.collect.before_remove":
        done = subprocess.run([os.path.join(BIN, "proa-registry"), "--root", server.root, "gc"], env={**os.environ, "PROA_FAILPOINTS_ON": f"{point}=kill"})
        assert done.returncode == -signal.SIGKILL, "the place was not reached"
        server.start()
    else:
        os.environ["PROA_FAILPOINTS_ON"] = f"{point}=kill"
        try:
            server.start()
        finally:
            del os.environ["PROA_FAILPOINTS_ON"]
        with pytest.raises(OSError):
            location = server.registry.request("POST", "/v2/safe/blobs/uploads/", b"").headers["Location"]
            server.registry.request("PATCH", location, data[:500_000], {"Content-Type": "application/octet-stream"})
            server.registry.request("PUT", f"{location}?digest={digest}", data[500_000:], {"Content-Type": "application/octet-stream"})
        assert server.process.wait(timeout=20) == -signal.SIGKILL, "the place was not reached"
        server.start()
        assert server.ask("HEAD", f"/v2/safe/blobs/{digest}")[0] == 404, "half a blob is none"
        assert server.registry.put_blob("safe", data) == digest
        assert get(server, f"/v2/safe/blobs/{digest}")[2] == data
    assert get(server, "/v2/safe/manifests/1")[2] == image.manifest
    assert get(server, f"/v2/safe/blobs/{image.layers[0].digest}")[2] == image.layers[0].data
    server.stop()
    collect(server)
    left = blobs_of(server)
    assert stray[7:] not in left and {image.digest[7:], image.id[7:], image.layers[0].digest[7:]} <= left
    server.start()
