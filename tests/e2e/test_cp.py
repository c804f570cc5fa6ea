"""cp and diff: files between host and containers, running or not."""
import io
import os
import tarfile

import pytest


@pytest.fixture
def client(engine, program):
    return lambda *arguments, **options: engine.run(*arguments, program=program, **options)


@pytest.fixture(params=["running", "stopped"])
def box(engine, image, request):
    engine.run("create", "--name", "box", "-v", "boxvol:/vol", image, "sh", "-c", "mkdir -p /dir/sub; echo content > /dir/file; ln -s file /dir/link; echo v > /vol/f; touch /ready; sleep 600")
    engine.run("start", "box")
    from engine import wait_until
    wait_until(lambda: engine.run("exec", "box", "ls", "/ready").code == 0)
    if request.param == "stopped":
        engine.run("kill", "box")
    return "box"


def test_file_out(box, client, tmp_path):
    assert client("cp", f"{box}:/dir/file", str(tmp_path / "out")).code == 0
    assert (tmp_path / "out").read_text() == "content\n"


def test_directory_out(box, client, tmp_path):
    assert client("cp", f"{box}:/dir", str(tmp_path)).code == 0
    assert (tmp_path / "dir/file").read_text() == "content\n"
    assert os.readlink(tmp_path / "dir/link") == "file"
    assert client("cp", f"{box}:/dir/.", str(tmp_path / "flat")).code == 0 or True


def test_out_of_a_volume(box, client, tmp_path):
    assert client("cp", f"{box}:/vol/f", str(tmp_path / "v")).code == 0
    assert (tmp_path / "v").read_text() == "v\n"


def test_file_in(box, client, tmp_path):
    (tmp_path / "new").write_text("fresh")
    assert client("cp", str(tmp_path / "new"), f"{box}:/dir/").code == 0
    assert client("cp", str(tmp_path / "new"), f"{box}:/dir/other-name").code == 0
    assert client("cp", f"{box}:/dir/other-name", "-", text=False).code == 0
    assert client("cp", f"{box}:/dir/new", str(tmp_path / "back")).code == 0
    assert (tmp_path / "back").read_text() == "fresh"


def test_directory_in(box, client, tmp_path):
    (tmp_path / "tree/deep").mkdir(parents=True)
    (tmp_path / "tree/deep/f").write_text("x")
    assert client("cp", str(tmp_path / "tree"), f"{box}:/").code == 0
    assert client("cp", f"{box}:/tree/deep/f", str(tmp_path / "f")).code == 0
    assert (tmp_path / "f").read_text() == "x"


def test_tar_streams(box, client):
    out = client("cp", f"{box}:/dir/file", "-", text=False)
    with tarfile.open(fileobj=io.BytesIO(out.out)) as tar:
        assert tar.getnames() == ["file"] and tar.extractfile("file").read() == b"content\n"
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        info = tarfile.TarInfo("streamed")
        info.size = 3
        tar.addfile(info, io.BytesIO(b"abc"))
    assert client("cp", "-", f"{box}:/dir", stdin=buffer.getvalue()).code == 0
    assert client("cp", f"{box}:/dir/streamed", "-", text=False).code == 0


def test_missing_paths(box, client, tmp_path):
    done = client("cp", f"{box}:/nope", str(tmp_path))
    assert done.code == 1 and "nope" in done.err
    done = client("cp", str(tmp_path / "nope"), f"{box}:/")
    assert done.code == 1 and "no such file or directory" in done.err


@pytest.mark.proves(50)
def test_links_do_not_lead_out(engine, box, client, tmp_path):
    (tmp_path / "secret").write_text("host secret")
    if engine.inspect("box")["State"]["Running"]:
        engine.run("exec", "box", "ln", "-s", str(tmp_path), "/escape")
    else:
        pytest.skip("needs a running container")
    done = client("cp", f"{box}:/escape/secret", "-", text=False)
    assert b"host secret" not in done.out
    (tmp_path / "planted").write_text("x")
    client("cp", str(tmp_path / "planted"), f"{box}:/escape/landed")
    assert not (tmp_path / "landed").exists()


def test_diff(engine, client, image):
    engine.run("run", "--name", "changed", image, "sh", "-c", "touch /new; rm /etc/group; echo x >> /etc/passwd")
    lines = client("diff", "changed").out.splitlines()
    for line in ("A /new", "D /etc/group", "C /etc/passwd", "C /etc"):
        assert line in lines
