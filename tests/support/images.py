#!/usr/bin/python3
"""Test and demonstration images, made from Debian packages, and a private docker-registry that serves them.

    images.py serve --cache DIR --port N [--pid-file F]   make the images, start the registry, push, print its address

An image is made as the OCI image specification says: a layer tar, a config, a manifest. Nothing of Proa takes part.
"""
import argparse
import gzip
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import time
import urllib.error
import urllib.request

DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"


def digest_of(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Layer:
    """A layer's bytes as they travel, the digest of the tar inside, and its media type's ending."""

    def __init__(self, tar_bytes, compression="gzip", level=6):
        self.diff_id = digest_of(tar_bytes)
        self.compression = compression
        if compression == "gzip":
            self.data = gzip.compress(tar_bytes, level, mtime=0)
        elif compression == "zstd":
            self.data = subprocess.run(["zstd", "-q", "-3", "-c"], input=tar_bytes, stdout=subprocess.PIPE, check=True).stdout
        else:
            self.data = tar_bytes
        self.digest = digest_of(self.data)

    @property
    def size(self):
        return len(self.data)

    def media_type(self, oci):
        if oci:
            return OCI_LAYER + {"gzip": "+gzip", "zstd": "+zstd", "none": ""}[self.compression]
        return {"gzip": DOCKER_LAYER, "none": DOCKER_LAYER[: -len(".gzip")]}[self.compression]


class KeptLayer(Layer):
    """A large layer, kept in `cache` as NAME.tar.gz and, where it is asked for, NAME.tar.zst. make(path) writes its tar, once."""

    def __init__(self, cache, name, make, compression="gzip"):
        self.compression = compression
        self.path = os.path.join(cache, name + {"gzip": ".tar.gz", "zstd": ".tar.zst"}[compression])
        if not os.path.exists(self.path):
            if compression == "gzip":
                tar = self.path + ".tar"
                make(tar)
                command = ["gzip", "-6", "-n", "-c", tar]
            else:
                tar = KeptLayer(cache, name, make).path
                command = ["sh", "-c", 'gzip -dc "$1" | zstd -q -3 -c', "sh", tar]
            say(f"compressing {os.path.basename(self.path)}")
            with open(self.path + ".part", "wb") as out:
                subprocess.run(command, stdout=out, check=True)
            if compression == "gzip":
                os.unlink(tar)
            os.rename(self.path + ".part", self.path)
        self.digest, self.diff_id = self.digests()

    def digests(self):
        """Of the file and of the tar in it, read once."""
        record = self.path + ".json"
        if not os.path.exists(record):
            with open(self.path, "rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            with subprocess.Popen([{"gzip": "gzip", "zstd": "zstd"}[self.compression], "-dc", self.path], stdout=subprocess.PIPE) as tar:
                diff_id = hashlib.file_digest(tar.stdout, "sha256").hexdigest()
            with open(record, "w") as file:
                json.dump([f"sha256:{digest}", f"sha256:{diff_id}"], file)
        with open(record) as file:
            return json.load(file)

    @property
    def data(self):
        with open(self.path, "rb") as file:
            return file.read()

    @property
    def size(self):
        return os.path.getsize(self.path)


class Image:
    def __init__(self, layers, config=None, oci=False, architecture="amd64", created="2026-01-02T03:04:05.678901234Z"):
        self.layers = layers
        document = {
            "architecture": architecture,
            "os": "linux",
            "created": created,
            "config": config or {},
            "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]},
            "history": [{"created": created, "created_by": f"layer {n}"} for n in range(len(layers))],
        }
        self.config = json.dumps(document).encode()
        self.manifest_type = OCI_MANIFEST if oci else DOCKER_MANIFEST
        self.manifest = json.dumps({
            "schemaVersion": 2,
            "mediaType": self.manifest_type,
            "config": {"mediaType": OCI_CONFIG if oci else DOCKER_CONFIG, "size": len(self.config), "digest": digest_of(self.config)},
            "layers": [{"mediaType": layer.media_type(oci), "size": layer.size, "digest": layer.digest} for layer in layers],
        }, indent=3).encode()
        self.digest = digest_of(self.manifest)
        self.id = digest_of(self.config)


class Registry:
    """What a test needs to say to a registry: put blobs and manifests (OCI distribution specification)."""

    def __init__(self, address):
        self.address = address

    def request(self, method, url, data=None, headers=None):
        if url.startswith("/"):
            url = f"http://{self.address}{url}"
        return urllib.request.urlopen(urllib.request.Request(url, data=data, method=method, headers=headers or {}), timeout=60)

    def has_blob(self, name, digest):
        try:
            return self.request("HEAD", f"/v2/{name}/blobs/{digest}").status == 200
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return False
            raise

    def put_blob(self, name, data):
        digest = digest_of(data)
        if self.has_blob(name, digest):
            return digest
        location = self.request("POST", f"/v2/{name}/blobs/uploads/", b"").headers["Location"]
        separator = "&" if "?" in location else "?"
        self.request("PUT", f"{location}{separator}digest={digest}", data, {"Content-Type": "application/octet-stream"})
        return digest

    def put_manifest(self, name, reference, data, media_type):
        self.request("PUT", f"/v2/{name}/manifests/{reference}", data, {"Content-Type": media_type})

    def push(self, name, tag, image):
        for layer in image.layers:
            self.put_blob(name, layer.data)
        self.put_blob(name, image.config)
        self.put_manifest(name, tag, image.manifest, image.manifest_type)

    def push_index(self, name, tag, images):
        """images: list of (Image, platform dict). Pushes an OCI index over them; returns its digest."""
        entries = []
        for image, platform in images:
            self.push(name, image.digest, image)
            entries.append({"mediaType": image.manifest_type, "size": len(image.manifest), "digest": image.digest, "platform": platform})
        index = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}).encode()
        self.put_manifest(name, tag, index, OCI_INDEX)
        return digest_of(index)

    def wait(self, seconds=20):
        deadline = time.monotonic() + seconds
        while True:
            try:
                return self.request("GET", "/v2/")
            except urllib.error.HTTPError:
                raise
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)


def tar_of(entries):
    """entries: (name, content or None for a directory, options) -> tar bytes; options are TarInfo attributes."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, content, options in entries:
            info = tarfile.TarInfo(name)
            info.mtime = 1767322800
            info.mode = 0o755 if content is None else 0o644
            if content is None:
                info.type = tarfile.DIRTYPE
            else:
                info.size = len(content)
            for key, value in options.items():
                setattr(info, key, value)
            tar.addfile(info, io.BytesIO(content) if content else None)
    return buffer.getvalue()


def busybox_layer():
    """A root file system of one static program and the few files that a shell expects."""
    with open("/bin/busybox", "rb") as program:
        busybox = program.read()
    applets = subprocess.run(["/bin/busybox", "--list"], stdout=subprocess.PIPE, check=True, text=True).stdout.split()
    entries = [(f"{d}/", None, {}) for d in ("bin", "dev", "etc", "home", "proc", "root", "sys", "usr", "usr/bin", "var")]
    entries.append(("tmp/", None, {"mode": 0o1777}))
    entries.append(("bin/busybox", busybox, {"mode": 0o755}))
    entries += [(f"bin/{name}", b"", {"type": tarfile.LNKTYPE, "linkname": "bin/busybox", "mode": 0o755, "size": 0})
                for name in applets if name != "busybox"]
    entries.append(("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1:daemon:/usr/sbin:/bin/false\n"
                                  b"www-data:x:33:33:www-data:/var/www:/bin/false\nnobody:x:65534:65534:nobody:/home:/bin/false\n", {}))
    entries.append(("etc/group", b"root:x:0:\ndaemon:x:1:\ntty:x:5:\nwww-data:x:33:\nstaff:x:50:www-data\nnogroup:x:65534:\n", {}))
    entries.append(("etc/shadow", b"root:*:19000:0:99999:7:::\n", {"mode": 0o640}))
    return tar_of(entries)


def busybox_image(**options):
    return Image([Layer(busybox_layer())], {"Cmd": ["sh"], "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]}, **options)


def tools_image(directory):
    """busybox and tools.c, compiled static, as /bin/tools."""
    program = os.path.join(directory, "tools")
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "tools.c")
    subprocess.run(["gcc", "-O1", "-static", "-o", program, source], check=True)
    with open(program, "rb") as file:
        layer = Layer(tar_of([("bin/tools", file.read(), {"mode": 0o755})]))
    return Image([Layer(busybox_layer()), layer], {"Cmd": ["/bin/tools", "stamp"]})


def say(text):
    print(f"images: {text}", file=sys.stderr, flush=True)


def debian_root(root, include=()):
    """A minimal Debian 12, made with debootstrap."""
    shutil.rmtree(root, ignore_errors=True)
    say("making a Debian root with debootstrap (about a minute, once)")
    mirror = [] if "PROA_DEBIAN_MIRROR" not in os.environ else [os.environ["PROA_DEBIAN_MIRROR"]]
    packages = [f"--include={','.join(include)}"] if include else []
    subprocess.run(["debootstrap", "--variant=minbase", *packages, "bookworm", root] + mirror, check=True, stdout=subprocess.DEVNULL)
    shutil.rmtree(os.path.join(root, "var/cache/apt"), ignore_errors=True)


def tar_directory(root, tar, exclude=()):
    subprocess.run(["tar", "--sort=name", "--numeric-owner", *(f"--exclude={one}" for one in exclude), "-C", root, "-cf", tar, "."], check=True)


def debian_layer(cache, name="debian-bookworm", include=(), compression="gzip"):
    """A Debian root as one layer."""
    def make(tar):
        root = os.path.join(cache, name + "-root")
        debian_root(root, include)
        tar_directory(root, tar, ["./dev/*"])
        shutil.rmtree(root)

    return KeptLayer(cache, name, make, compression)


def debian_image(cache):
    return Image([debian_layer(cache)], {"Cmd": ["bash"], "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]})


def spawn_registry(directory, port, extra=None, log_path=None):
    """Starts Debian's docker-registry on loopback with its own storage."""
    os.makedirs(directory, exist_ok=True)
    config = os.path.join(directory, "config.yml")
    with open(config, "w") as file:
        json.dump({"version": 0.1, "log": {"level": "error", "accesslog": {"disabled": True}},
                   "storage": {"filesystem": {"rootdirectory": os.path.join(directory, "data")}, "delete": {"enabled": True}},
                   "http": {"addr": f"127.0.0.1:{port}"}, **(extra or {})}, file)
    log = open(log_path or os.path.join(directory, "registry.log"), "ab")
    return subprocess.Popen(["docker-registry", "serve", config], stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)


def start_registry(directory, port, log_path=None):
    """Returns (Popen, Registry)."""
    process = spawn_registry(directory, port, log_path=log_path)
    registry = Registry(f"127.0.0.1:{port}")
    try:
        registry.wait()
    except OSError:
        process.kill()
        raise
    return process, registry


def start_locked_registry(directory, port, extra):
    """One that wants a password: returns (Popen, its address)."""
    process = spawn_registry(directory, port, extra)
    address = f"127.0.0.1:{port}"
    try:
        Registry(address).wait()
    except urllib.error.HTTPError as error:
        assert error.code == 401
    return process, address


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("action", choices=["serve"])
    parser.add_argument("--cache", required=True)
    parser.add_argument("--directory", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--pid-file")
    arguments = parser.parse_args()
    os.makedirs(arguments.cache, exist_ok=True)
    process, registry = start_registry(arguments.directory, arguments.port)
    if arguments.pid_file:
        with open(arguments.pid_file, "w") as file:
            file.write(f"{process.pid}\n")
    say("pushing busybox and debian")
    registry.push("busybox", "latest", busybox_image())
    registry.push("debian", "bookworm", debian_image(arguments.cache))
    print(registry.address)


if __name__ == "__main__":
    main()
