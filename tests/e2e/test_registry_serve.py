"""proa registry serve: one host's images, pulled by another."""
import json
import os
import subprocess
import time
import urllib.error

import images
import pytest
from engine import BIN, Engine, free_port

pytestmark = pytest.mark.ours


@pytest.fixture
def serving(engine, image):
    port = free_port()
    process = subprocess.Popen([os.path.join(BIN, "proa"), "registry", "serve", "--listen", f"tcp://127.0.0.1:{port}"], env={**os.environ, "DOCKER_HOST": engine.host},
                               stdout=subprocess.PIPE, text=True)
    assert f"Serving this host's images on tcp://127.0.0.1:{port}" in process.stdout.readline()
    yield images.Registry(f"127.0.0.1:{port}")
    process.terminate()
    process.wait(timeout=20)
    deadline = time.monotonic() + 20
    while True:  # it ends with the command
        try:
            images.Registry(f"127.0.0.1:{port}").request("GET", "/v2/")
        except OSError:
            break
        assert time.monotonic() < deadline
        time.sleep(0.02)


def status(registry, method, path, headers=None):
    try:
        return registry.request(method, path, b"" if method == "POST" else None, headers or {}).status
    except urllib.error.HTTPError as error:
        return error.code


def test_a_second_host_pulls_straight_from_the_first(engine, registry, image, serving, tmp_path):
    engine.run("tag", image, "local/only-here:1")
    directory = tmp_path / registry.address
    directory.mkdir()
    (directory / "hosts.toml").write_text(f'[host."http://{serving.address}"]\n')
    second = Engine(extra_flags=["--registry-config-path", str(tmp_path)], bridge="proatest1", subnet="10.214.0.1/24").start()
    try:
        done = second.run("pull", f"{serving.address}/local/only-here:1")
        assert done.code == 0, done
        first_id = json.loads(engine.run("inspect", image).out)[0]["Id"]
        assert json.loads(second.run("inspect", f"{serving.address}/local/only-here:1").out)[0]["Id"] == first_id
        assert second.run("run", "--rm", f"{serving.address}/local/only-here:1", "echo", "here").out == "here\n"
        # As a mirror (ns=...) it answers for the very registry that the name names.
        assert second.run("pull", image).code == 0
        tool = subprocess.run(["skopeo", "list-tags", "--tls-verify=false", f"docker://{serving.address}/local/only-here"], stdout=subprocess.PIPE, text=True, timeout=60)
        assert json.loads(tool.stdout)["Tags"] == ["1"]
        second.run("rmi", "-f", first_id)
    finally:
        second.close()
        engine.run("rmi", "local/only-here:1")


def test_it_is_read_only_and_gives_away_nothing_else(engine, image, serving):
    assert "busybox" in json.loads(serving.request("GET", "/v2/_catalog").read())["repositories"]
    manifest = json.loads(serving.request("GET", "/v2/busybox/manifests/latest", headers={"Accept": images.DOCKER_MANIFEST}).read())
    layer = manifest["layers"][0]["digest"]
    part = serving.request("GET", f"/v2/busybox/blobs/{layer}", headers={"Range": "bytes=0-9"})
    assert (part.status, len(part.read())) == (206, 10)
    for method, path, code in (("POST", "/v2/busybox/blobs/uploads/", 405), ("DELETE", "/v2/busybox/manifests/latest", 405), ("GET", "/v2/busybox/manifests/none", 404),
                               ("GET", "/v2/none/manifests/latest", 404), ("GET", "/v2/none/tags/list", 404), ("GET", f"/v2/busybox/blobs/sha256:{'0' * 64}", 404),
                               ("GET", "/v2/busybox/blobs/sha256:x", 400), ("GET", "/containers/json", 404), ("GET", "/v2/busybox/manifests/latest?ns=elsewhere.example", 404)):
        assert status(serving, method, path) == code, (method, path)


@pytest.mark.proves(61)
def test_other_addresses_want_tls(engine):
    done = engine.run("registry", "serve", "--listen", f"tcp://0.0.0.0:{free_port()}", program="proa")
    assert done.code == 1 and "loopback" in done.err, done
