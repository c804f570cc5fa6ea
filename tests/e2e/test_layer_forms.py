"""Layers as files that are mounted and as directories that are unpacked: nobody can tell, but on the disk."""
import glob
import io
import json
import os
import re
import signal
import subprocess
import tarfile
import time

import images
import pytest
from engine import Engine, wait_until

pytestmark = pytest.mark.ours

FORMS = ["directory", "erofs"]


def entry(name, content=b"", **fields):
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.mtime = len(content), 0o644, 1_000_000_000
    for key, value in fields.items():
        setattr(info, key, value)
    return info, content


def layer(*entries):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for info, content in entries:
            tar.addfile(info, io.BytesIO(content))
    return images.Layer(out.getvalue())


@pytest.fixture(scope="module")
def layered(registry):
    """An image of four layers: what they add, hide, replace and link."""
    stack = [
        images.Layer(images.busybox_layer()),
        layer(entry("data/", type=tarfile.DIRTYPE, mode=0o755), entry("data/kept", b"kept"), entry("data/gone", b"gone"), entry("data/old", b"1"),
              entry("whole/", type=tarfile.DIRTYPE, mode=0o755), entry("whole/below", b"x"), entry("data/link", type=tarfile.SYMTYPE, linkname="kept"),
              entry("data/hard", type=tarfile.LNKTYPE, linkname="data/kept"), entry("data/big", os.urandom(3 << 20)),
              entry("seed/", type=tarfile.DIRTYPE, mode=0o750, uid=12, gid=34), entry("seed/owned", b"o", uid=12, gid=34, mode=0o4711)),
        layer(entry("data/.wh.gone"), entry("whole/.wh..wh..opq"), entry("whole/above", b"y"), entry("data/old", b"2")),
        layer(entry("top", b"t")),
    ]
    registry.push("layered", "v1", images.Image(stack, {"Cmd": ["sh"]}))
    return f"{registry.address}/layered:v1"


@pytest.fixture(scope="module", params=FORMS)
def formed(request, registry, layered):
    """A daemon of its own, with the image."""
    daemon = Engine(["--storage-opt", f"proa.layers={request.param}"], bridge="proaform0", subnet="10.214.0.1/24")
    try:
        daemon.start()
    except RuntimeError as error:
        if "not possible on this machine" in str(error):
            pytest.skip("no layer files on this kernel")
        raise
    daemon.form = request.param
    assert daemon.run("pull", "-q", layered, program="proa").code == 0
    yield daemon
    daemon.close()


@pytest.fixture
def box(formed, layered):
    def go(script, *flags):
        done = formed.run("run", *flags, layered, "sh", "-c", script, program="proa")
        assert done.code == 0, done
        return done.out

    yield go
    formed.clean()


def on_disk(engine):
    return sorted(name for name in os.listdir(f"{engine.data_root}/layers") if re.fullmatch(r"[0-9a-f]{64}(\.erofs)?", name))


def test_layers_lie_as_asked_for(formed):
    assert len(on_disk(formed)) == 4
    assert all(name.endswith(".erofs") == (formed.form == "erofs") for name in on_disk(formed))
    assert ["Layers", formed.form] in formed.api("GET", "/info").json["DriverStatus"]


def test_a_container_sees_the_layers_as_one(box):
    out = box("cd /data; cat kept old link hard; ls; ls /whole; cat /top; stat -c '%h %a %u:%g %Y' hard /seed /seed/owned; wc -c < big", "--rm")
    assert out == "kept2keptkeptbig\nhard\nkept\nlink\nold\nabove\nt2 644 0:0 1000000000\n2 750 12:34 1000000000\n1 4711 12:34 1000000000\n3145728\n"


def test_files_stay_the_same_file_when_they_change(box):
    script = "a=$(stat -c '%d %i' /data/old); echo more >> /data/old; b=$(stat -c '%d %i' /data/old); [ \"$a\" = \"$b\" ] && find / -xdev -name owned"
    assert box(script, "--rm") == "/seed/owned\n"


def test_changes_are_told_committed_and_copied(formed, layered, box, tmp_path):
    box("echo new > /data/new; rm /data/kept; rm -r /whole; chmod 600 /data/old; mkdir -p /data/d/e", "--name", "changed")
    done = formed.run("diff", "changed", program="proa")
    assert sorted(done.out.splitlines()) == ["A /data/d", "A /data/d/e", "A /data/new", "C /data", "C /data/old", "D /data/kept", "D /whole"]
    assert formed.run("cp", "changed:/data/big", str(tmp_path / "big"), program="proa").code == 0
    assert os.path.getsize(tmp_path / "big") == 3 << 20
    assert formed.run("cp", str(tmp_path / "big"), "changed:/seed/copied", program="proa").code == 0
    assert formed.run("commit", "changed", "committed:v1", program="proa").code == 0
    out = formed.run("run", "--rm", "committed:v1", "sh", "-c", "cd /data; ls; cat new hard; stat -c %a old; ls /seed; ls -d /whole", program="proa")
    assert out.out == "big\nd\nhard\nlink\nnew\nold\nnew\nkept600\ncopied\nowned\n", out
    assert len(on_disk(formed)) == 5
    assert formed.run("rm", "changed", program="proa").code == 0 and formed.run("rmi", "committed:v1", program="proa").code == 0
    assert len(on_disk(formed)) == 4


def test_a_volume_gets_what_the_image_has_there(box):
    assert box("stat -c '%a %u:%g' /seed /seed/owned; cat /seed/owned", "--rm", "-v", "fresh:/seed") == "750 12:34\n4711 12:34\no"


def test_saved_and_loaded_it_is_the_same(formed, layered):
    saved = formed.run("save", layered, program="proa", text=False).out
    with tarfile.open(fileobj=io.BytesIO(saved)) as tar:
        config = json.load(tar.extractfile(json.load(tar.extractfile("manifest.json"))[0]["Config"]))
    assert formed.run("rmi", layered, program="proa").code == 0 and on_disk(formed) == []
    wait_until(lambda: os.listdir(f"{formed.data_root}/trash") == [], what="the space comes back")
    assert formed.run("load", stdin=saved, program="proa").code == 0
    assert sorted(name.split(".")[0] for name in on_disk(formed)) == sorted(diff_id[7:] for diff_id in config["rootfs"]["diff_ids"])
    assert formed.run("save", layered, program="proa", text=False).out == saved


def test_it_runs_on_over_the_daemons_death(formed, layered):
    assert formed.run("run", "-d", "--name", "stays", layered, "sleep", "1000", program="proa").code == 0
    formed.restart()
    read = ("exec", "stays", "sh", "-c", "cat /top; echo x >> /data/kept; md5sum /data/big | wc -l")
    assert formed.run(*read, program="proa").out == "t1\n"
    assert formed.run("restart", "-t", "0", "stays", program="proa").code == 0
    assert formed.run("exec", "stays", "cat", "/data/kept", program="proa").out == "keptx\n"
    assert formed.run("system", "check", program="proa").code == 0
    formed.clean()


def test_nothing_is_in_the_hosts_mount_table(formed, layered):
    assert formed.run("run", "-d", layered, "sleep", "1000", program="proa").code == 0
    tables = [open(path).read() for path in ("/proc/self/mountinfo", f"/proc/{formed.process.pid}/mountinfo")]
    assert not [line for table in tables for line in table.splitlines() if " erofs " in line or formed.data_root in line]
    formed.clean()


def test_the_second_start_mounts_the_overlay_alone(formed, layered, tmp_path):
    """Layer files are mounted once, not by each start."""
    run = ("run", "--rm", layered, "true")
    assert formed.run(*run, program="proa").code == 0
    log = tmp_path / "strace"
    tracer = subprocess.Popen(["strace", "-f", "-qq", "-o", str(log), "-e", "trace=fsopen", "-p", str(formed.process.pid)], stderr=subprocess.PIPE)
    try:
        while f"TracerPid:\t{tracer.pid}" not in open(f"/proc/{formed.process.pid}/status").read():
            assert tracer.poll() is None
        assert formed.run(*run, program="proa").code == 0
        time.sleep(0.5)  # the shim of the next start is spawned: what is traced must not be left in the middle of it
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.wait(timeout=20)
        tracer.stderr.close()
    assert re.findall(r'fsopen\("(\w+)"', log.read_text()).count("overlay") == 1
    assert "erofs" not in log.read_text()


def test_both_forms_live_side_by_side(registry, layered):
    daemon = Engine(["--storage-opt", "proa.layers=directory"], bridge="proaform1", subnet="10.215.0.1/24").start()
    try:
        base = f"{registry.address}/busybox:latest"
        assert daemon.run("pull", "-q", base, program="proa").code == 0
        daemon.extra_flags = []
        daemon.restart()
        if ["Layers", "erofs"] not in daemon.api("GET", "/info").json["DriverStatus"]:
            pytest.skip("no layer files on this kernel")
        assert daemon.run("pull", "-q", layered, program="proa").code == 0
        assert len(glob.glob(f"{daemon.data_root}/layers/*.erofs")) == 3 and len(on_disk(daemon)) == 4
        assert daemon.run("run", "--rm", layered, "cat", "/data/kept", "/top", program="proa").out == "keptt"
        daemon.extra_flags = ["--storage-opt", "proa.layers=directory"]
        daemon.restart(signal.SIGTERM)
        assert daemon.run("run", "--rm", layered, "cat", "/data/kept", "/top", program="proa").out == "keptt"
    finally:
        daemon.close()
