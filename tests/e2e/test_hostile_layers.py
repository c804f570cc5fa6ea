"""Layers nobody honest makes (tests/hostile), pulled from a real registry in every compression: each gets its verdict."""
import functools
import json
import os
import sys

import images
import pytest
from canaries import data_root, host_facts
from engine import wait_until

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "hostile"))
import make_layers  # noqa: E402

def pull(engine, name, timeout=60):
    """The pull's error text; None where it succeeded."""
    reply = engine.api("POST", f"/images/create?fromImage={name}", raw=b"", timeout=timeout)
    if reply.status != 200:
        return reply.message
    lines = [json.loads(line) for line in reply.body.splitlines()]
    return next((line["error"] for line in lines if "error" in line), None)


@functools.cache
def base_layer():
    return images.Layer(images.busybox_layer())


def push(registry, tar, name, compression):
    layers = [base_layer(), images.Layer(tar, compression)]
    registry.push("hostile", name, images.Image(layers, {"Cmd": ["true"]}, oci=compression != "gzip"))
    return f"{registry.address}/hostile:{name}"


@pytest.mark.ours
@pytest.mark.parametrize("compression", ["gzip", "zstd", "none"])
@pytest.mark.parametrize("case", make_layers.LAYERS, ids=lambda case: f"{case[0]:02d}-{case[1]}")
@pytest.mark.proves(35, 79, 80, 81, 82, hostile="layer in gzip, zstd, plain")
def test_verdict(engine, registry, marker, case, compression):
    kind, name, verdict, _ = case
    full = push(registry, make_layers.tar_of(case), f"{kind}-{name}-{compression}", compression)
    before, host = data_root(engine), host_facts()
    pid = engine.process.pid
    error = pull(engine, full)
    if verdict == "refuse":
        assert error and "failed to register layer" in error, error
        assert engine.api("GET", f"/images/{full}/json").status == 404
    else:
        assert error is None, error
        done = engine.run("run", "--rm", "--network", "none", full)
        if name == "engine-files":  # /sys is a link: runc's words
            assert done.code == 125 and "must be mounted on ordinary directory" in done.err
        else:
            assert done.code == 0, done
        assert engine.api("DELETE", f"/images/{full}?force=1").status == 200
    assert host_facts() == host
    assert engine.process.poll() is None and engine.process.pid == pid
    wait_until(lambda: data_root(engine) <= before, what=f"nothing new in the data root: {sorted(data_root(engine) - before)}")


def test_good_pull_after_all(engine, registry):
    full = push(registry, images.tar_of([("good", b"content", {})]), "good", "gzip")
    assert pull(engine, full) is None
    assert engine.run("run", "--rm", full, "cat", "/good").out == "content"
    engine.run("rmi", full)


def test_hard_link_into_a_lower_layer(engine, registry):
    """Docker unpacks a layer by itself, so the link's target is missing; the image specification has links inside a layer only."""
    full = push(registry, images.tar_of([("linked", b"", {"type": b"1", "linkname": "bin/busybox", "size": 0})]), "lower-link", "gzip")
    error = pull(engine, full)
    assert error and "failed to register layer" in error and "no such file or directory" in error.lower(), error
    assert engine.api("GET", f"/images/{full}/json").status == 404
