"""Bind mounts, volumes, copy-up, tmpfs: -v, --mount, the volume commands."""
import os
import subprocess

import pytest
from engine import events_of, wait_until


def test_bind_mount_both_ways(sh, tmp_path):
    (tmp_path / "in").write_text("from host")
    assert sh("cat /m/in; echo from container > /m/out", "-v", f"{tmp_path}:/m") == "from host"
    assert (tmp_path / "out").read_text() == "from container\n"


def test_read_only_bind(run, tmp_path):
    done = run("--rm", "-v", f"{tmp_path}:/m:ro", cmd=["touch", "/m/x"])
    assert done.code == 1 and "Read-only file system" in done.err


def test_single_file_bind(sh, tmp_path):
    (tmp_path / "file").write_text("content")
    assert sh("cat /etc/only.conf", "-v", f"{tmp_path}/file:/etc/only.conf:ro") == "content"


@pytest.fixture
def mounted(tmp_path):
    """A directory that is a mount; what it is to others: mounted("shared")."""
    def of(propagation):
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", tmp_path], check=True)
        subprocess.run(["mount", "--make-private", tmp_path], check=True)
        subprocess.run(["mount", f"--make-{propagation}", tmp_path], check=True)
        (tmp_path / "sub").mkdir()
        return tmp_path
    yield of
    subprocess.run(["umount", "-R", tmp_path], check=True)


@pytest.mark.parametrize("propagation, wanted", [("rslave", "a shared or slave"), ("slave", "a shared or slave"), ("rshared", "a shared"), ("shared", "a shared")])
def test_propagation_that_the_source_has_not_is_refused(engine, run, mounted, propagation, wanted):
    place = mounted("private")
    (place / "link").symlink_to("sub")
    for source in (place, place / "sub", place / "link"):
        done = run("--name", "box", "-v", f"{source}:/m:{propagation}", cmd=["true"])
        assert done.code == 125 and f"path {source} is mounted on {place} but it is not {wanted} mount" in done.err
        assert engine.api("POST", "/containers/box/start").status == 500
        assert engine.run("rm", "box").code == 0


def test_a_slave_is_not_shared_with_the_host(run, mounted):
    place = mounted("shared")
    subprocess.run(["mount", "--make-slave", place], check=True)  # its only peer: then it is private
    done = run("--mount", f"type=bind,source={place},target=/m,bind-propagation=rshared", cmd=["true"])
    assert done.code == 125 and f"path {place} is mounted on {place} but it is not a shared mount" in done.err


def test_rslave_sees_what_the_host_mounts_later(engine, run, mounted):
    place = mounted("shared")
    assert run("-d", "--name", "box", "-v", f"{place}:/m:rslave", cmd=["sleep", "1000"]).code == 0
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", place / "sub"], check=True)
    (place / "sub/later").touch()
    assert engine.run("exec", "box", "ls", "/m/sub").out.split() == ["later"]
    assert engine.run("rm", "-f", "box").code == 0


def test_rshared_shows_the_host_what_the_container_mounts(engine, run, mounted):
    place = mounted("shared")
    script = "mount -t tmpfs -o size=1m none /m/sub && touch /m/sub/inside && sleep 1000"
    assert run("-d", "--name", "box", "--cap-add", "SYS_ADMIN", "--security-opt", "apparmor=unconfined", "-v", f"{place}:/m:rshared", cmd=["sh", "-c", script]).code == 0
    wait_until(lambda: (place / "sub/inside").exists())
    assert engine.run("rm", "-f", "box").code == 0


def test_private_is_between_the_two(engine, run, mounted):
    place = mounted("shared")
    script = "mount -t tmpfs -o size=1m none /m/sub && touch /m/sub/inside /m/done && sleep 1000"
    assert run("-d", "--name", "box", "--cap-add", "SYS_ADMIN", "--security-opt", "apparmor=unconfined", "-v", f"{place}:/m", cmd=["sh", "-c", script]).code == 0
    wait_until(lambda: (place / "done").exists())
    assert not os.listdir(place / "sub")
    assert engine.run("rm", "-f", "box").code == 0


def test_v_makes_a_missing_host_directory(sh, tmp_path):
    sh("true", "-v", f"{tmp_path}/new/dir:/m")
    assert (tmp_path / "new/dir").is_dir()


def test_mount_refuses_a_missing_host_directory(run, tmp_path):
    done = run("--rm", "--mount", f"type=bind,source={tmp_path}/none,target=/m", cmd=["true"])
    assert done.code == 125
    assert f'invalid mount config for type "bind": bind source path does not exist: {tmp_path}/none' in done.err


def test_named_volume_outlives_its_containers(engine, sh):
    sh("echo kept > /data/f", "-v", "keep:/data")
    assert sh("cat /data/f", "--mount", "type=volume,source=keep,target=/data") == "kept"
    assert "keep" in engine.run("volume", "ls", "-q").out.split()
    assert engine.run("volume", "rm", "keep").code == 0


def test_new_volume_gets_the_images_content(sh):
    assert "www-data" in sh("cat /etc/passwd; echo x > /etc/added", "-v", "copied:/etc")
    assert sh("cat /etc/added", "-v", "copied:/etc") == "x"


def test_nocopy(sh):
    assert sh("ls /home/ /etc-copy", "-v", "empty:/etc-copy:nocopy") .strip().endswith(":")


def test_anonymous_volume_goes_with_rm(engine, sh):
    sh("touch /scratch/x", "-v", "/scratch")
    assert engine.api("GET", "/volumes").json["Volumes"] in ([], None)


@pytest.mark.ours
@pytest.mark.proves("I13")
def test_a_removed_volume_gives_its_space_back(engine):
    assert engine.run("volume", "create", "short").code == 0
    assert engine.run("volume", "rm", "short").code == 0
    wait_until(lambda: os.listdir(f"{engine.data_root}/trash") == [])


def test_volume_in_use_is_not_removed(engine, run):
    run("-d", "--name", "user", "-v", "busy:/b", cmd=["sleep", "60"])
    done = engine.run("volume", "rm", "busy")
    assert done.code == 1 and "volume is in use" in done.err


def test_volumes_from(engine, run, sh):
    run("--name", "source", "-v", "shared:/s", cmd=["sh", "-c", "echo hi > /s/f"])
    assert sh("cat /s/f", "--volumes-from", "source") == "hi"


def test_duplicate_mount_point_is_refused(run, tmp_path):
    done = run("--rm", "--mount", "type=volume,target=/m", "--mount", f"type=bind,source={tmp_path},target=/m", cmd=["true"])
    assert done.code == 125 and "Duplicate mount point: /m" in done.err


def test_tmpfs_mount(sh):
    assert "tmpfs" in sh("grep ' /t ' /proc/mounts", "--mount", "type=tmpfs,target=/t,tmpfs-size=1m")


@pytest.mark.proves(6)
def test_mount_through_a_link_stays_inside(engine, registry, sh, tmp_path):
    """security.md row 6: the destination is a link that points out of the root."""
    import images
    layer = images.Layer(images.tar_of([("escape", b"", {"type": b"2", "linkname": str(tmp_path), "size": 0})]))
    registry.push("linked", "1", images.Image([images.Layer(images.busybox_layer()), layer], {"Cmd": ["sh"]}))
    name = f"{registry.address}/linked:1"
    done = engine.run("run", "--rm", "-v", "inside:/escape", name, "touch", "/escape/x")
    assert done.code == 0, done
    assert os.listdir(tmp_path) == []
    engine.run("rmi", "-f", name)


def test_volume_commands(engine, program):
    assert engine.run("volume", "create", "--label", "k=v", "vol1", program=program).out == "vol1\n"
    assert engine.run("volume", "inspect", "-f", "{{.Driver}} {{.Labels.k}}", "vol1", program=program).out == "local v\n"
    assert engine.run("volume", "ls", "-q", "--filter", "label=k=v", program=program).out == "vol1\n"
    assert engine.run("volume", "rm", "vol1", program=program).out == "vol1\n"
    missing = engine.run("volume", "inspect", "vol1", program=program)
    assert missing.code == 1 and "no such volume" in missing.err.lower()


def test_a_tmpfs_is_writable_for_anybody(sh):
    assert sh("stat -c %a /new; touch /new/file", "--tmpfs", "/new", "-u", "33") == "1777"


def test_a_tmpfs_has_the_mode_of_the_directory_it_covers(sh):
    assert sh("stat -c %a /home", "--tmpfs", "/home:size=1m") == "755"


@pytest.mark.parametrize("flag, value, words", [
    ("-v", "/b:ro", "invalid volume specification: '/b:ro'"),
    ("-v", "/a:b", 'invalid mount config for type "bind": invalid mount path: \'b\' mount path must be absolute'),
    ("-v", "/a:/", 'invalid mount config for type "bind": invalid specification: destination can\'t be \'/\''),
    ("--tmpfs", "/", "invalid specification: destination can't be '/'"),
    ("--tmpfs", "t", "mount path must be absolute"),
    ("--tmpfs", "/t:bad=1", "invalid tmpfs option"),
])
def test_mounts_that_are_none(run, flag, value, words):
    done = run("--rm", flag, value, cmd=["true"])
    assert done.code == 125 and words in done.err, done


@pytest.mark.parametrize("value, words", [(":/b", "empty section between colons"), ("/a:/b:ro:z", "too many colons")])
def test_volume_flags_of_wrong_form(engine, image, value, words):
    done = engine.run("run", "--rm", "-v", value, image, "true", program="proa")
    assert done.code == 125 and f"invalid spec: {value}: {words}" in done.err


def test_events_of_a_volume(engine, run):
    def use():
        assert run("--rm", "-v", "noted:/v", cmd=["true"]).code == 0
        assert engine.run("volume", "rm", "noted").code == 0

    assert events_of(engine, "volume", use) == ["create noted", "mount noted", "unmount noted", "destroy noted"]


def test_size_counts_what_was_written(client_of_sizes):
    assert client_of_sizes("true") == "0B"
    assert client_of_sizes("printf 12345 > /file") == "5B"


@pytest.fixture
def client_of_sizes(engine, image, program):
    def size(script):
        created = engine.run("run", "-d", image, "sh", "-c", f"{script}; sleep 100", program=program).out.strip()
        engine.run("exec", created, "true")
        row = engine.run("ps", "--format", "{{.Size}}", "--filter", f"id={created}", program=program).out
        return row.split(" ")[0]

    return size


def test_the_hosts_whole_root(sh):
    """As what watches a machine from a container has it; with what is mounted below."""
    out = sh("ls -A /host; echo --; ls /host/proc/1/status", "-v", "/:/host:ro")
    names, _, below = out.partition("--")
    assert set(names.split()) == set(os.listdir("/")) and below.strip() == "/host/proc/1/status"
