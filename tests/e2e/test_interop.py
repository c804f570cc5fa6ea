"""Images go round between Proa and the tools of others, by archive and through proa-registry, without a difference.

What a tool keeps decides what can be equal: Docker's containerd store and skopeo keep manifests to the bit; podman,
buildah, umoci and Docker's older stores write manifests of their own over the same configuration (the image's ID).
"""
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time

import images
import pytest
from registries import Server

pytestmark = pytest.mark.ours
CACHE = os.environ.get("PROA_CACHE", os.path.join(os.path.dirname(__file__), "../../.cache"))
NEWEST = os.path.abspath(os.path.join(CACHE, "peer-root"))  # scripts/peers


def tool(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120, text=True)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout.strip()


@pytest.fixture(scope="module")
def server():
    """proa-registry, with one image in it in each kind of manifest: (its address, {kind: Image})."""
    one = Server().start()
    kinds = {}
    for kind in ("docker", "oci"):
        own = images.Layer(images.tar_of([("own", kind.encode(), {})]))
        kinds[kind] = images.Image([images.Layer(images.busybox_layer()), own], {"Cmd": ["cat", "/own"]}, oci=kind == "oci")
        one.registry.push("app", kind, kinds[kind])
    yield one.address, kinds
    one.close()


def manifest(address, repository, reference):
    """Its bytes, as proa-registry has them."""
    return images.Registry(address).request("GET", f"/v2/{repository}/manifests/{reference}", headers={"Accept": f"{images.DOCKER_MANIFEST}, {images.OCI_MANIFEST}, {images.OCI_INDEX}"}).read()


@pytest.fixture
def pulled(engine, server):
    """{kind: name}, pulled from proa-registry; taken away in the end, whatever names they got."""
    address, kinds = server
    names = {kind: f"{address}/app:{kind}" for kind in kinds}
    for name in names.values():
        assert engine.run("pull", "-q", name).code == 0
    yield names
    for row in engine.api("GET", "/images/json?all=1").json:
        if any(address in name or "interop" in name for name in row["RepoTags"] + row["RepoDigests"]):
            engine.run("rmi", "-f", row["Id"])


def check_runs(engine, name, said, image_id=None):
    if image_id:
        assert json.loads(engine.run("inspect", name).out)[0]["Id"] == image_id
    assert engine.run("run", "--rm", name).out == said
    assert engine.run("system", "check", program="proa").out.endswith("problems: 0\n")


@pytest.fixture
def libpod():
    """podman and buildah over one store."""
    directory = tempfile.mkdtemp(prefix="proa-pod-")  # podman wants it short
    yield lambda program, *words: tool(program, "--root", f"{directory}/store", "--runroot", f"{directory}/run", "--storage-driver", "vfs", *words)
    shutil.rmtree(directory)


@pytest.mark.parametrize("program", ["podman", "buildah"])
def test_podman_and_buildah(engine, server, pulled, libpod, program, tmp_path):
    address, kinds = server
    for kind, image in kinds.items():
        name, theirs = pulled[kind], f"{address}/{program}:{kind}"
        # From us.
        assert image.id[7:] in libpod(program, "pull", "-q", "--tls-verify=false", name)
        # To us: their manifest, which we pass on as it is.
        libpod(program, "push", "-q", "--tls-verify=false", "--format", {"docker": "v2s2", "oci": "oci"}[kind], name, f"docker://{theirs}")
        assert engine.run("pull", "-q", theirs).code == 0
        check_runs(engine, theirs, kind, image.id)
        engine.run("tag", theirs, f"{address}/onwards:{program}-{kind}")
        assert engine.run("push", f"{address}/onwards:{program}-{kind}").code == 0
        assert manifest(address, "onwards", f"{program}-{kind}") == manifest(address, program, kind)
        # Their archives.
        archive = str(tmp_path / f"{kind}.tar")
        libpod(program, "push", "-q", name, f"{kind}-archive:{archive}:interop/{program}:{kind}")
        engine.run("rmi", "-f", image.id)
        assert f"Loaded image: interop/{program}:{kind}" in engine.run("load", "-i", archive).out
        check_runs(engine, f"interop/{program}:{kind}", kind, image.id)


def test_buildah_and_podman_load_what_we_save(engine, pulled, server, libpod, tmp_path):
    address, kinds = server
    archive = str(tmp_path / "both.tar")
    assert engine.run("save", "-o", archive, *pulled.values()).code == 0
    said = libpod("podman", "load", "-i", archive)
    for kind, image in kinds.items():
        assert pulled[kind] in said
        assert libpod("buildah", "inspect", "--type", "image", "--format", "{{.FromImageID}}", pulled[kind]) == image.id[7:]


def test_umoci_changes_an_image(engine, server, pulled, tmp_path):
    """What umoci made is loaded, runs, and goes back with its manifest as umoci wrote it."""
    address, _ = server
    layout, archive, back = str(tmp_path / "layout"), str(tmp_path / "changed.tar"), str(tmp_path / "back")
    os.mkdir(layout)
    saved = str(tmp_path / "saved.tar")
    assert engine.run("save", "-o", saved, pulled["oci"]).code == 0
    tool("tar", "-xf", saved, "-C", layout)
    (tmp_path / "file").write_text("umoci was here\n")
    tool("umoci", "insert", "--image", f"{layout}:oci", "--tag", "changed", str(tmp_path / "file"), "/own")
    tool("umoci", "config", "--image", f"{layout}:changed", "--config.label", "by=umoci")
    tool("skopeo", "copy", "-q", "--insecure-policy", "--preserve-digests", f"oci:{layout}:changed", f"oci-archive:{archive}:interop/umoci:1")
    with open(os.path.join(layout, "index.json")) as file:
        wrote = next(one["digest"] for one in json.load(file)["manifests"] if one["annotations"]["org.opencontainers.image.ref.name"] == "changed")
    assert "Loaded image: interop/umoci:1" in engine.run("load", "-i", archive).out
    assert json.loads(engine.run("inspect", "interop/umoci:1").out)[0]["Config"]["Labels"] == {"by": "umoci"}
    check_runs(engine, "interop/umoci:1", "umoci was here\n")
    engine.run("tag", "interop/umoci:1", f"{address}/umoci:1")
    assert f"digest: {wrote}" in engine.run("push", f"{address}/umoci:1").out
    tool("skopeo", "copy", "-q", "--insecure-policy", "--src-tls-verify=false", f"docker://{address}/umoci:1", f"dir:{back}")
    with open(os.path.join(back, "manifest.json"), "rb") as file:
        assert images.digest_of(file.read()) == wrote


class Docker:
    """A dockerd that runs no containers and touches no network: Debian's, or (`root`) the newest with its containerd store."""

    def __init__(self, root=None):
        self.directory = tempfile.mkdtemp(prefix="proa-docker-")
        self.socket = f"{self.directory}/sock"
        self.cli = f"{root or ''}/usr/bin/docker"
        settings = f"{self.directory}/daemon.json"
        with open(settings, "w") as file:
            json.dump({"features": {"containerd-snapshotter": True}} if root else {}, file)
        command = ["/usr/sbin/dockerd", "--config-file", settings, "--data-root", f"{self.directory}/data", "--exec-root", f"{self.directory}/run", "-H", f"unix://{self.socket}",
                   "--pidfile", f"{self.directory}/pid", "--bridge", "none", "--iptables=false", "--ip-forward=false"]
        if root:
            # Its own mounts: they go with it.
            script = 'mount --bind "$1" "$1"; for d in proc sys dev tmp; do mount --rbind /$d "$1/$d"; done; root=$1; shift; exec chroot "$root" "$@"'
            command = ["unshare", "-m", "--propagation", "private", "sh", "-c", script, "sh", root] + command
        with open(f"{self.directory}/log", "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + 60
        while subprocess.run([self.cli, "-H", f"unix://{self.socket}", "version"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode != 0:
            assert self.process.poll() is None and time.monotonic() < deadline, open(f"{self.directory}/log").read()[-2000:]
            time.sleep(0.1)

    def __call__(self, *words):
        return tool(self.cli, "-H", f"unix://{self.socket}", *words)

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=60)
        for line in reversed(open("/proc/self/mountinfo").read().splitlines()):
            if line.split()[4].startswith(self.directory):
                subprocess.run(["umount", "-l", line.split()[4]], stderr=subprocess.DEVNULL)
        shutil.rmtree(self.directory, ignore_errors=True)


@pytest.fixture(scope="module", params=["graphdriver"] + (["containerd-store"] if os.path.exists(f"{NEWEST}/usr/sbin/dockerd") else []))
def docker(request, namespaces):
    daemon = Docker(NEWEST if request.param == "containerd-store" else None)
    daemon.keeps_manifests = request.param == "containerd-store"
    yield daemon
    daemon.close()


@pytest.mark.parametrize("kind", ["docker", "oci"])
def test_docker(engine, server, pulled, docker, kind, tmp_path):
    address, kinds = server
    name, image = pulled[kind], kinds[kind]
    shown = image.digest if docker.keeps_manifests else image.id
    # From us: by an archive, and by the registry.
    ours, theirs = str(tmp_path / "ours.tar"), str(tmp_path / "theirs.tar")
    assert engine.run("save", "-o", ours, name).code == 0
    assert f"Loaded image: {name}" in docker("load", "-i", ours)
    assert docker("inspect", "-f", "{{.Id}}", name) == shown
    docker("rmi", name)
    docker("pull", "-q", name)
    assert docker("inspect", "-f", "{{.Id}} {{.RepoDigests}}", name) == f"{shown} [{address}/app@{image.digest}]"
    # To us, and on: what was pushed goes on as it was.
    pushed = f"docker-{kind}-{'new' if docker.keeps_manifests else 'old'}"
    docker("tag", name, f"{address}/by:{pushed}")
    docker("push", "-q", f"{address}/by:{pushed}")
    if docker.keeps_manifests:
        assert manifest(address, "by", pushed) == image.manifest
    engine.run("rmi", "-f", image.id)
    assert engine.run("pull", "-q", f"{address}/by:{pushed}").code == 0
    check_runs(engine, f"{address}/by:{pushed}", kind, image.id)
    engine.run("tag", f"{address}/by:{pushed}", f"{address}/onwards:{pushed}")
    assert engine.run("push", f"{address}/onwards:{pushed}").code == 0
    assert manifest(address, "onwards", pushed) == manifest(address, "by", pushed)
    engine.run("rmi", "-f", image.id)
    # Their archive.
    docker("save", "-o", theirs, name)
    docker("rmi", name, f"{address}/by:{pushed}")
    assert f"Loaded image: {name}" in engine.run("load", "-i", theirs).out
    check_runs(engine, name, kind, image.id)
    if docker.keeps_manifests:
        engine.run("tag", name, f"{address}/round:{kind}")
        assert f"digest: {image.digest}" in engine.run("push", f"{address}/round:{kind}").out
