"""commit and import: new images from containers and archives; apply(diff(a, b)) = b for random trees."""
import gzip
import io
import json
import random
import tarfile
import time

import images
import pytest
from engine import wait_until


@pytest.fixture
def client(engine, program):
    return lambda *arguments, **options: engine.run(*arguments, program=program, **options)


@pytest.fixture
def remove(engine):
    names = []
    yield names.append
    for name in names:
        engine.run("rmi", "-f", name)


def test_commit_keeps_what_changed(engine, image, client, remove):
    engine.run("run", "--name", "source", image, "sh", "-c",
               "mkdir -p /new/deep; echo text > /new/deep/file; rm /etc/shadow; rm -r /home; mkdir /home; echo x > /home/fresh;"
               "echo more >> /etc/passwd; ln /new/deep/file /new/hard; ln -s /etc /new/link; chmod 4711 /new/deep/file")
    remove("committed:1")
    done = client("commit", "-m", "a message", "-a", "An Author", "source", "committed:1")
    assert done.code == 0 and done.out.startswith("sha256:"), done
    script = "cat /new/deep/file /home/fresh; ls /home; [ -e /etc/shadow ] || echo gone; tail -1 /etc/passwd; stat -c '%h %a' /new/hard; readlink /new/link"
    assert client("run", "--rm", "committed:1", "sh", "-c", script).out.split() == ["text", "x", "fresh", "gone", "more", "2", "4711", "/etc"]
    document = json.loads(client("inspect", "committed:1").out)[0]
    assert document["Id"] == done.out.strip() and (document["Author"], document["Comment"]) == ("An Author", "a message")
    base = json.loads(client("inspect", image).out)[0]
    assert document["RootFS"]["Layers"][:-1] == base["RootFS"]["Layers"]
    assert document["Config"]["Cmd"][0] == "sh" and document["Architecture"] == base["Architecture"]
    history = engine.api("GET", "/images/committed:1/history").json
    assert history[0]["Comment"] == "a message" and history[0]["CreatedBy"].startswith("sh -c mkdir") and history[0]["Size"] > 0


@pytest.mark.ours
def test_a_commit_without_changes_has_no_layer_and_leaves_none(engine, image, remove):
    engine.run("create", "--name", "source", image, "true")
    remove("committed:same")
    assert engine.run("commit", "source", "committed:same").code == 0
    base, document = (json.loads(engine.run("inspect", one).out)[0] for one in (image, "committed:same"))
    assert document["RootFS"]["Layers"] == base["RootFS"]["Layers"]
    checked = engine.run("system", "check", program="proa")
    assert checked.code == 0, checked


def test_commit_changes_the_configuration(engine, image, client, remove):
    engine.run("create", "--name", "source", "-e", "OLD=1", image, "echo", "from the container")
    remove("committed:2")
    done = client("commit", "-c", 'CMD ["echo", "from the change"]', "-c", "ENV NEW=2 OLD=3", "-c", "EXPOSE 80", "-c", "LABEL a=b",
                  "-c", "USER nobody", "-c", "VOLUME /v", "-c", "WORKDIR /tmp", "source", "committed:2")
    assert done.code == 0, done
    config = json.loads(client("inspect", "committed:2").out)[0]["Config"]
    assert config["Cmd"] == ["echo", "from the change"] and "NEW=2" in config["Env"] and "OLD=3" in config["Env"]
    assert config["ExposedPorts"] == {"80/tcp": {}} and config["Labels"] == {"a": "b"} and config["Volumes"] == {"/v": {}}
    assert (config["User"], config["WorkingDir"]) == ("nobody", "/tmp")
    assert client("run", "--rm", "committed:2").out == "from the change\n"
    bad = client("commit", "-c", "RUN true", "source")
    assert bad.code == 1 and "run is not a valid change command" in bad.err.lower(), bad


def test_commit_of_a_running_container_pauses_it(engine, image, client, remove):
    engine.run("run", "-d", "--name", "busy", image, "sh", "-c", "echo x > /f; touch /ready; sleep 60")
    wait_until(lambda: engine.run("exec", "busy", "ls", "/ready").code == 0)
    remove("committed:3")
    began = f"{time.time():.3f}"
    assert client("commit", "busy", "committed:3").code == 0
    assert engine.inspect("busy")["State"]["Status"] == "running"
    assert client("run", "--rm", "committed:3", "cat", "/f").out == "x\n"
    reply = engine.api("GET", f"/events?since={began}&until={time.time() + 1:.3f}")
    events = [json.loads(line) for line in reply.body.splitlines()]
    actions = [event["Action"] for event in events if event["Type"] == "container" and event["Actor"]["Attributes"]["name"] == "busy"]
    assert [action for action in actions if action in ("pause", "commit", "unpause")] in (["pause", "commit", "unpause"], ["pause", "unpause", "commit"])


def test_commit_by_api(engine, image, remove):
    engine.run("create", "--name", "source", image)
    remove("committed:api")
    reply = engine.api("POST", "/commit?container=source&repo=committed&tag=api&changes=CMD%20x", {})
    assert reply.status == 201 and list(reply.json) == ["Id"]
    assert engine.api("POST", "/commit?container=nothere", {}).status == 404


def test_a_commit_is_pushed_and_pulled(engine, registry, image, client):
    name = f"{registry.address}/committed:pushed"
    engine.run("run", "--name", "source", image, "sh", "-c", "echo content > /f")
    identity = client("commit", "source", name).out.strip()
    engine.run("rm", "source")
    assert client("push", name).code == 0
    engine.run("rmi", "-f", identity)
    assert client("run", "--rm", name, "cat", "/f").out.endswith("content\n")
    assert json.loads(client("inspect", name).out)[0]["Id"] == identity
    engine.run("rmi", "-f", identity)


@pytest.mark.parametrize("packed", [lambda data: data, gzip.compress], ids=["plain", "gzip"])
def test_import(engine, client, remove, packed):
    layer = images.busybox_layer()
    remove("imported:1")
    done = client("import", "-c", 'CMD ["echo", "imported"]', "-m", "by hand", "-", "imported:1", stdin=packed(layer))
    assert done.code == 0 and done.out.strip().startswith("sha256:"), done
    document = json.loads(client("inspect", "imported:1").out)[0]
    assert document["RootFS"]["Layers"] == [images.digest_of(layer)] and document["Comment"] == "by hand"
    assert client("run", "--rm", "imported:1").out == "imported\n"


def test_export_and_import_give_the_same_tree(engine, image, client, remove):
    engine.run("create", "--name", "source", image)
    exported = client("export", "source", text=False).out
    remove("imported:2")
    assert client("import", "-", "imported:2", stdin=exported).code == 0
    engine.run("create", "--name", "copy", "imported:2", "sh")
    assert tree_of(client("export", "copy", text=False).out) == tree_of(exported)


# Where a container's own files are mounted, and what the engine makes there.
NOT_OURS = ("dev", "proc", "sys", "etc/mtab", "etc/hosts", "etc/hostname", "etc/resolv.conf", ".dockerenv")


def tree_of(data):
    tree, links = {}, {}
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        for member in tar:
            name = member.name.removeprefix("./").rstrip("/")
            if name in ("", ".") or any(name == own or name.startswith(own + "/") for own in NOT_OURS):
                continue
            if member.islnk():
                links.setdefault(member.linkname.removeprefix("./"), set()).add(name)
                continue
            content = tar.extractfile(member).read() if member.isfile() else None
            mtime = None if member.isdir() else int(member.mtime)
            tree[name] = (member.type, member.mode, member.uid, member.gid, mtime, member.linkname, content)
    for first, others in links.items():
        for other in others:
            tree[other] = tree[first]
    return tree


def random_script(random_source):
    """A shell script of changes to a tree: files, directories, links, removals, replacements, modes, owners."""
    paths = ["/t"] + [f"/t/d{n}" for n in range(4)] + [f"/t/d{n}/e{m}" for n in range(4) for m in range(3)]
    lines = ["mkdir -p /t"]
    for number in range(40):
        path = random_source.choice(paths) + "/" + random_source.choice("abcd")
        other = random_source.choice(paths[1:])
        lines.append(random_source.choice([
            f"mkdir -p {other} && echo {number} > {other}/f{number % 5}", f"mkdir -p {other}", f"rm -rf {other}", f"rm -rf {path}",
            f"rm -rf {other}; echo now a file > {other}", f"rm -rf {other}; mkdir {other} && touch {other}/new{number}",
            f"ln -s /nowhere{number} {path}", f"ln {other}/f{number % 5} {path}", f"mkfifo {path}", f"chmod {random_source.choice(['700', '1777', '4755', '444'])} {other}",
            f"chown {number}:{number + 1} {other}", f"touch -d @{1000000 + number} {path}", f"echo more >> {other}/f{number % 5}", f"mv {other} {path}",
        ]))
    return "; ".join(f"{{ {line}; }} 2>/dev/null" for line in lines) + "; true"


@pytest.mark.parametrize("seed", range(8))
def test_an_image_of_a_container_is_that_container(engine, image, remove, seed):
    """Three generations of random changes: each commit is the tree that its container had."""
    source = random.Random(seed)
    base = image
    for generation in range(3):
        name = f"grown:{seed}-{generation}"
        assert engine.run("run", "--name", f"c{generation}", base, "sh", "-c", random_script(source)).code == 0
        before = tree_of(engine.run("export", f"c{generation}", text=False).out)
        assert engine.run("commit", f"c{generation}", name).code == 0
        remove(name)
        engine.run("create", "--name", f"n{generation}", name)
        assert tree_of(engine.run("export", f"n{generation}", text=False).out) == before
        base = name
    engine.clean()
