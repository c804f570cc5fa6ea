"""The archives of tests/hostile by the doors that need no registry: load, import, and PUT /archive into a container."""
import json
import os
import sys

import images
import pytest
from canaries import data_root, host_facts
from engine import wait_until

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "hostile"))
import make_layers  # noqa: E402

pytestmark = pytest.mark.ours  # Docker 20.10 takes some of them
CASES = pytest.mark.parametrize("case", make_layers.LAYERS, ids=lambda case: f"{case[0]:02d}-{case[1]}")


@pytest.fixture
def unharmed(engine, marker):
    """Host, daemon and data root are after a test what they were before."""
    before, host, pid = data_root(engine), host_facts(), engine.process.pid
    yield
    engine.clean()
    assert host_facts() == host
    assert engine.process.poll() is None and engine.process.pid == pid
    wait_until(lambda: data_root(engine) <= before, what=f"nothing new in the data root: {sorted(data_root(engine) - before)}")


def error_of(reply):
    """None where it succeeded."""
    if reply.status != 200:
        return reply.message
    return next((line["error"] for line in map(json.loads, reply.body.splitlines()) if "error" in line), None)


def runs(engine, image, name):
    """A container of the image starts; where the layer made /sys a link it is refused in runc's words."""
    done = engine.run("run", "--rm", "--network", "none", image, "true")
    if name == "engine-files":
        assert done.code == 125 and "must be mounted on ordinary directory" in done.err, done
    else:
        assert done.code == 0, done


def archive_of(tar, image):
    """What `docker save` writes: manifest.json, config, the layers as plain tars."""
    layers = {f"{n}/layer.tar": data for n, data in enumerate((images.busybox_layer(), tar))}
    config = json.loads(images.Image([images.Layer(data, "none") for data in layers.values()], {"Cmd": ["true"]}, oci=True).config)
    manifest = [{"Config": "config.json", "RepoTags": [image], "Layers": list(layers)}]
    members = {"manifest.json": json.dumps(manifest).encode(), "config.json": json.dumps(config).encode(), **layers}
    return images.tar_of([(name, data, {}) for name, data in members.items()])


@CASES
@pytest.mark.proves(35, 79, 80, 81, 82, hostile="load")
def test_load(engine, unharmed, case):
    _, name, verdict, _ = case
    error = error_of(engine.api("POST", "/images/load?quiet=1", raw=archive_of(make_layers.tar_of(case), "hostile:1"), headers={"Content-Type": "application/x-tar"}))
    assert (error is not None) == (verdict == "refuse"), error
    if error:
        assert engine.api("GET", "/images/hostile:1/json").status == 404
        return
    runs(engine, "hostile:1", name)
    assert engine.api("DELETE", "/images/hostile:1?force=1").status == 200


@CASES
@pytest.mark.proves(35, 79, 80, 81, 82, hostile="import")
def test_import(engine, unharmed, case):
    _, _, verdict, _ = case
    error = error_of(engine.api("POST", "/images/create?fromSrc=-&repo=hostile&tag=2", raw=make_layers.tar_of(case), headers={"Content-Type": "application/x-tar"}))
    assert (error is not None) == (verdict == "refuse"), error
    if error:
        assert engine.api("GET", "/images/hostile:2/json").status == 404
    else:
        assert engine.api("DELETE", "/images/hostile:2?force=1").status == 200


@pytest.mark.parametrize("state", ["created", "running"])
@CASES
@pytest.mark.proves(35, 79, 80, 81, 82, hostile="PUT /archive")
def test_put(engine, image, unharmed, case, state):
    _, name, verdict, _ = case
    engine.run("create", "--name", "box", "--network", "none", image, "sleep", "1000")
    if state == "running":
        assert engine.run("start", "box").code == 0
    assert engine.run("exec", "box", "mkdir", "/in").code == 0 if state == "running" else True
    path = "/in" if state == "running" else "/home"
    reply = engine.api("PUT", f"/containers/box/archive?path={path}", raw=make_layers.tar_of(case), headers={"Content-Type": "application/x-tar"})
    # In an archive that is no layer these names mean nothing; and /etc/shadow is the container's own.
    applied = verdict == "apply" or name in ("hard-link-through-symlink", "whiteout-of-nothing", "whiteout-of-dot-dot")
    assert reply.status == (200 if applied else 400), reply.body
