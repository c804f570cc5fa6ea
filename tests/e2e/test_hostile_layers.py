"""Layers nobody honest makes (tests/hostile), pulled from a real registry in every compression: each gets its verdict."""
import functools
import json
import os
import stat
import sys

import images
import pytest
from engine import wait_until

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "hostile"))
import make_layers  # noqa: E402

MARKER = "/hostmarker"  # what the hostile links name


@pytest.fixture(scope="module")
def marker():
    """A directory of the host that no layer may reach."""
    os.mkdir(MARKER)
    with open(f"{MARKER}/canary", "w") as file:
        file.write("alive")
    yield
    left = os.listdir(MARKER)
    os.unlink(f"{MARKER}/canary")
    for name in left[:]:
        if name != "canary":
            os.unlink(f"{MARKER}/{name}")
    os.rmdir(MARKER)
    assert left == ["canary"]


def host_facts():
    """Files and directories of the host that the hostile entries aim at."""
    facts = {}
    for path in ("/", "/etc", "/tmp", "/etc/shadow", "/etc/passwd", MARKER, f"{MARKER}/canary"):
        info = os.stat(path)
        facts[path] = (stat.filemode(info.st_mode), info.st_uid, info.st_gid, info.st_nlink if stat.S_ISREG(info.st_mode) else 0)
    return facts, sorted(set(os.listdir("/")))


def data_root(engine):
    """Every name below the data root but what containers, logs and the database's journal come and go with."""
    found = set()
    for parent, directories, files in os.walk(engine.data_root):
        found.update(os.path.join(parent, name) for name in directories + files)
    return {name for name in found if not os.path.basename(name).startswith("proa.db")}


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


def tar_of(case):
    return case[3] if case[1].endswith("garbage") else case[3] + make_layers.END


@pytest.mark.ours
@pytest.mark.parametrize("compression", ["gzip", "zstd", "none"])
@pytest.mark.parametrize("case", make_layers.LAYERS, ids=lambda case: f"{case[0]:02d}-{case[1]}")
def test_verdict(engine, registry, marker, case, compression):
    kind, name, verdict, _ = case
    full = push(registry, tar_of(case), f"{kind}-{name}-{compression}", compression)
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
