#!/usr/bin/python3
"""Images: Proa beside Docker, containerd, podman and skopeo, in one run, alternating; medians, ratios and goals.

    bench/run images [--rounds N] [--only pull,churn,load,second,save,push,run] [--images NAME,...] [--peers NAME,...] [--output DIR]

The peers are Debian's newest, in a root of their own (scripts/peers). The images (bench/stack.py): one gzip layer of
221 MB; ten layers of 1.2 GB and 53,000 files; the same in zstd. They come from Debian's docker-registry.
"""
import argparse
import datetime
import io
import json
import os
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import tarfile
import tempfile

from peers import BIN, CACHE, HERE, PEER_ROOT, Docker, Peer, Proa, compile_program, own_mounts, peer_root, say, settle, tree
import images
import stack
from engine import free_port
from machine import own_network

GOALS = {"docker": 6, "podman": 4, "containerd-erofs": 2.5}
FASTER_THAN_DOCKER = {"docker": 3}
CHURNED = 60_000  # files, as many as an image of 1 GB has
ENOUGH = 8000  # ms: one measurement is enough


class Timed:
    """Runs a command in the peer's root: milliseconds, and the peak of memory in MB, of its daemon's processes or, where
    there is no daemon, of the command's largest process."""
    timed = None  # bench/timed.cc
    root = "/"
    process = None  # the daemon

    def __call__(self, *words):
        daemons = tree(self.process.pid) if self.process else []
        for pid in daemons:
            with open(f"/proc/{pid}/clear_refs", "w") as file:
                file.write("5")  # forget the peak: proc(5)
        done = subprocess.run([self.timed, self.root, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.log, text=True)
        if done.returncode:
            raise RuntimeError(f"{self.name}: {' '.join(words)} failed: see {self.log.name}")
        took, kilobytes = done.stdout.split()
        return float(took), sum(peak_of(pid) for pid in daemons) if daemons else int(kilobytes) / 1024


def peak_of(pid):
    try:
        with open(f"/proc/{pid}/status") as file:
            return next((int(line.split()[1]) for line in file if line.startswith("VmHWM:")), 0) / 1024  # 0: it has just ended
    except OSError:
        return 0  # a helper that has gone


class ByApi(Timed):
    """Proa and Docker: the same client, the same words."""
    cli = "/usr/bin/docker"  # in its root

    def command(self, *words):
        return self(self.cli, "-H", f"unix://{self.socket}", *words)

    def pull(self, name):
        return self.command("pull", "-q", name)

    def load(self, path, name):
        return self.command("load", "-q", "-i", path)

    def save(self, name, path):
        return self.command("save", "-o", path, name)

    def push(self, name, target):
        self.command("tag", name, target)
        result = self.command("push", "-q", target)
        self.command("rmi", target)
        return result

    def remove(self, name):
        return self.command("rmi", "-f", name)

    def first_run(self, name, *words):
        return self.command("run", "--rm", "--network", "none", name, *words)


class ProaImages(ByApi, Proa):
    cli = os.path.join(BIN, "proa")


class DockerImages(ByApi, Docker):
    pass


class Containerd(Timed, Peer):
    def __init__(self, work, snapshotter):
        super().__init__("containerd-erofs" if snapshotter == "erofs" else "containerd-overlay", work)
        self.root, self.snapshotter = PEER_ROOT, snapshotter
        self.ctr = ["/usr/bin/ctr", "-a", self.socket, "-n", "bench"]

    def start(self):
        config = os.path.join(self.directory, "config.toml")
        differs = '["erofs", "walking"]' if self.snapshotter == "erofs" else '["walking"]'
        with open(config, "w") as file:
            file.write(f"""version = 3
root = "{self.directory}/data"
state = "{self.run_directory}"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime", "io.containerd.nri.v1.nri"]
[grpc]
address = "{self.socket}"
[ttrpc]
address = "{self.socket}.ttrpc"
[plugins."io.containerd.service.v1.diff-service"]
default = {differs}
[[plugins."io.containerd.transfer.v1.local".unpack_config]]
platform = "linux/amd64"
snapshotter = "{self.snapshotter}"
differ = "{'erofs' if self.snapshotter == 'erofs' else 'walking'}"
""")
        self.spawn(["chroot", self.root, "/usr/bin/containerd", "-c", config])

    def ping(self):
        if subprocess.run(["chroot", self.root, *self.ctr, "version"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode:
            raise OSError("no answer")

    def pull(self, name):
        return self(*self.ctr, "images", "pull", "--plain-http", "--snapshotter", self.snapshotter, name)

    def load(self, path, name):
        return self(*self.ctr, "images", "import", "--snapshotter", self.snapshotter, path)

    def save(self, name, path):
        return self(*self.ctr, "images", "export", path, name)

    def push(self, name, target):
        return self(*self.ctr, "images", "push", "--plain-http", target, name)

    def remove(self, name):
        return self(*self.ctr, "images", "rm", "--sync", name)


class Podman(Timed, Peer):
    def __init__(self, work):
        super().__init__("podman", work)
        self.root = PEER_ROOT
        self.podman = ["/usr/bin/podman", "--root", f"{self.directory}/data", "--runroot", self.run_directory, "--storage-driver", "overlay", "--cgroup-manager", "cgroupfs"]

    def start(self):
        self(*self.podman, "info")

    def close(self):
        pass

    def pull(self, name):
        return self(*self.podman, "pull", "-q", "--tls-verify=false", name)

    def load(self, path, name):
        return self(*self.podman, "load", "-q", "-i", path)

    def save(self, name, path):
        return self(*self.podman, "save", "-q", "-o", path, name)

    def push(self, name, target):
        return self(*self.podman, "push", "-q", "--tls-verify=false", name, target)

    def remove(self, name):
        return self(*self.podman, "rmi", "-f", name)


class Skopeo(Timed, Peer):
    """Unpacks nothing: an OCI layout on the disk is all it makes."""

    def __init__(self, work):
        super().__init__("skopeo", work)
        self.root = PEER_ROOT

    def start(self):
        pass

    def close(self):
        pass

    def copy(self, *words):
        return self("/usr/bin/skopeo", "--insecure-policy", "copy", "-q", *words)

    def layout(self, name):
        return "oci:" + os.path.join(self.directory, name.rsplit("/", 1)[1].replace(":", "-"))

    def pull(self, name):
        return self.copy("--src-tls-verify=false", f"docker://{name}", self.layout(name))

    def load(self, path, name):
        return self.copy(f"oci-archive:{path}", self.layout(name))

    def save(self, name, path):
        return self.copy(self.layout(name), f"oci-archive:{path}")

    def push(self, name, target):
        return self.copy("--dest-tls-verify=false", self.layout(name), f"docker://{target}")

    def remove(self, name):
        return self("/bin/rm", "-r", self.layout(name).removeprefix("oci:"))


class Floor:
    """bench/image_floor.cc in the same alternation."""
    name = "floor"

    def __init__(self, work):
        self.directory = os.path.join(work, "floor")
        os.makedirs(self.directory)
        self.program = compile_program("image_floor", work, "-lisal", "-lzstd", "-lcrypto")

    def __call__(self, sources):
        took = float(subprocess.run([self.program, self.directory, *sources], check=True, stdout=subprocess.PIPE).stdout)
        for name in os.listdir(self.directory):
            os.unlink(os.path.join(self.directory, name))
        return took, None


class Rows:
    """What was measured: title -> name -> [(ms, MB)]."""
    def __init__(self):
        self.values = {}

    def measure(self, title, name, action):
        rest()
        value = action()
        self.values.setdefault(title, {}).setdefault(name, []).append(value)
        say(f"{title}: {name} {value[0]:.0f} ms" + (f", {value[1]:.0f} MB" if value[1] else ""))

    def has_enough(self, title, name):
        """Who takes very long is not asked again."""
        return any(value[0] > ENOUGH for value in self.values.get(title, {}).get(name, []))

    def median(self, title, name, column=0):
        values = [value[column] for value in self.values[title].get(name, []) if value[column] is not None]
        return statistics.median(values) if values else None


def rest():
    """Nothing of what came before is left to be written or cleaned up."""
    settle()
    os.sync()


class Bench:
    def __init__(self, arguments, work):
        self.work, self.rounds, self.rows = work, arguments.rounds, Rows()
        self.wanted = arguments.images.split(",")
        self.gzip = [image for image in self.wanted if image != "stack-zstd"]  # form does not matter to those who send
        Timed.timed = compile_program("timed", work)
        self.floor = Floor(work)
        self.process, self.registry = images.start_registry(os.path.join(work, "registry"), free_port())
        self.peers = []
        chosen = arguments.peers.split(",")
        for make in (lambda: ProaImages(work), lambda: DockerImages("docker", work, PEER_ROOT), lambda: Containerd(work, "overlayfs"), lambda: Containerd(work, "erofs"),
                     lambda: Podman(work), lambda: Skopeo(work)):
            peer = make()
            if peer.name in chosen:
                self.peers.append(peer)
        self.started = []

    def push_images(self, only):
        say("making images")
        self.images = {"debian": stack.one_layer_image(CACHE), "stack": stack.image(CACHE, "gzip")}
        if only & {"pull", "load"} and "stack-zstd" in self.wanted:
            self.images["stack-zstd"] = stack.image(CACHE, "zstd")
        if "second" in only:
            self.images["stack-9"], self.images["stack-top"] = stack.without_top(CACHE), stack.top_alone(CACHE)
        for name, image in self.images.items():
            self.registry.push(name, "1", image)

    def name(self, image):
        return f"{self.registry.address}/{image}:1"

    def start(self, peers):
        for peer in peers:
            say(f"starting {peer.name}")
            peer.start()
            self.started.append(peer)

    def still(self, title):
        return [peer for peer in self.peers if not self.rows.has_enough(title, peer.name)]

    def title(self, image):
        return {"debian": "one gzip layer, 221 MB", "stack": "ten gzip layers, 1.2 GB", "stack-zstd": "ten zstd layers, 1.2 GB"}[image]

    def pull(self):
        for image in self.wanted:
            urls = [f"http://{self.registry.address}/v2/{image}/blobs/{layer.digest}" for layer in self.images[image].layers]
            title = f"pull, {self.title(image)}"
            for _ in range(self.rounds):
                self.rows.measure(title, "floor", lambda: self.floor(urls))
                for peer in self.still(title):
                    self.rows.measure(title, peer.name, lambda: peer.pull(self.name(image)))
                    self.rows.measure(f"removal, {self.title(image)}", peer.name, lambda: peer.remove(self.name(image)))

    def churn(self):
        """A pull onto an ext4 that has just lost many files: it does not give their inodes out again for minutes, and looks
        past each of them for another."""
        title = "pull, one gzip layer, after mass deletes"
        urls = [f"http://{self.registry.address}/v2/debian/blobs/{layer.digest}" for layer in self.images["debian"].layers]
        for _ in range(self.rounds):
            make_and_remove_files(os.path.join(self.work, "churn"))
            self.rows.measure(title, "floor", lambda: self.floor(urls))
            for peer in self.still(title):
                self.rows.measure(title, peer.name, lambda: peer.pull(self.name("debian")))
                peer.remove(self.name("debian"))

    def load(self):
        for image in self.wanted:
            archive = os.path.join(self.work, "archive.tar")
            write_archive(self.images[image], self.name(image), archive)
            paths = [layer.path for layer in self.images[image].layers]
            title = f"load, {self.title(image)}"
            for _ in range(self.rounds):
                self.rows.measure(title, "floor", lambda: self.floor(paths))
                for peer in self.still(title):
                    self.rows.measure(title, peer.name, lambda: peer.load(archive, self.name(image)))
                    peer.remove(self.name(image))
            os.unlink(archive)

    def second(self):
        for peer in self.peers:
            peer.pull(self.name("stack-9"))
        for _ in range(self.rounds):
            for peer in self.still("pull of ten layers, nine there"):
                self.rows.measure("pull of ten layers, nine there", peer.name, lambda: peer.pull(self.name("stack")))
                peer.remove(self.name("stack"))
        for peer in self.peers:
            peer.remove(self.name("stack-9"))
        for _ in range(self.rounds):
            for peer in self.peers:
                self.rows.measure("pull of the tenth layer alone", peer.name, lambda: peer.pull(self.name("stack-top")))
                peer.remove(self.name("stack-top"))

    def save(self):
        archive = os.path.join(self.work, "saved.tar")
        for image in self.gzip:
            for peer in self.peers:
                peer.pull(self.name(image))
            title = f"save, {self.title(image)}"
            for _ in range(self.rounds):
                for peer in self.still(title):
                    self.rows.measure(title, peer.name, lambda: peer.save(self.name(image), archive))
                    os.unlink(archive)
            for peer in self.peers:
                peer.remove(self.name(image))

    def push(self):
        for image in self.gzip:
            for peer in self.peers:
                peer.pull(self.name(image))
            title = f"push, {self.title(image)}"
            for _ in range(self.rounds):
                for peer in self.still(title):
                    directory = os.path.join(self.work, "empty-registry")
                    process, registry = images.start_registry(directory, free_port())
                    try:
                        self.rows.measure(title, peer.name, lambda: peer.push(self.name(image), f"{registry.address}/{image}:1"))
                    finally:
                        process.terminate()
                        process.wait()
                        shutil.rmtree(directory)
            for peer in self.peers:
                peer.remove(self.name(image))

    def run(self):
        """A container of an image with nothing of it in memory."""
        directory = ProaImages(self.work, "proa-directory", "directory")
        self.start([directory])
        runners = [peer for peer in self.peers + [directory] if hasattr(peer, "first_run")]
        cases = {"first run: npm --version": ["npm", "--version"], "first run: find /": ["find", "/", "-xdev"],
                 "first run: g++ compiles a file": ["sh", "-c", "echo '#include <iostream>\nint main() { std::cout << 1; }' >/tmp/a.cc; g++ -O2 -o /tmp/a /tmp/a.cc"]}
        for peer in runners:
            peer.pull(self.name("stack"))
        for _ in range(self.rounds):
            for title, words in cases.items():
                for peer in runners:
                    rest()
                    with open("/proc/sys/vm/drop_caches", "w") as file:
                        file.write("3")
                    self.rows.measure(title, peer.name, lambda: peer.first_run(self.name("stack"), *words))

    def close(self):
        for peer in self.started:
            peer.close()
        self.process.terminate()
        self.process.wait()


def make_and_remove_files(directory):
    for number in range(CHURNED):
        folder = os.path.join(directory, str(number // 1000))
        if number % 1000 == 0:
            os.makedirs(folder)
        with open(os.path.join(folder, str(number)), "w") as file:
            file.write("x")
    os.sync()
    shutil.rmtree(directory)


def write_archive(image, name, path):
    """What every tool loads: an OCI layout with Docker's manifest.json, the blobs as they are."""
    blobs = {layer.digest: layer for layer in image.layers}
    index = {"schemaVersion": 2, "manifests": [{"mediaType": image.manifest_type, "size": len(image.manifest), "digest": image.digest,
                                                "annotations": {"io.containerd.image.name": name, "org.opencontainers.image.ref.name": name.rsplit(":", 1)[1]}}]}
    blob_path = lambda digest: "blobs/sha256/" + digest.removeprefix("sha256:")  # noqa: E731
    docker = [{"Config": blob_path(image.id), "RepoTags": [name], "Layers": [blob_path(layer.digest) for layer in image.layers]}]
    with tarfile.open(path, "w") as tar:
        def add(name, data):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
        add("oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
        add("index.json", json.dumps(index).encode())
        add("manifest.json", json.dumps(docker).encode())
        add(blob_path(image.id), image.config)
        add(blob_path(image.digest), image.manifest)
        for digest, layer in blobs.items():
            add(blob_path(digest), layer.data)


def table(rows, names, column, unit):
    """Medians, and in brackets how many times Proa's."""
    out = [f"| {unit} | " + " | ".join(names) + " |", "|---|" + "---|" * len(names)]
    for title in rows.values:
        own = rows.median(title, "proa", column)
        cells = []
        for name in names:
            value = rows.median(title, name, column)
            ratio = f" ({value / own:.1f})" if value is not None and own and name != "proa" else ""
            cells.append("" if value is None else f"{value:.{0 if value >= 20 else 1}f}{ratio}")
        if any(cells):
            out.append(f"| {title} | " + " | ".join(cells) + " |")
    return "\n".join(out)


def goals(rows):
    """What is wanted, and whether it was met."""
    out = []

    def judge(title, what, reached, limit, at_least):
        met = reached >= limit if at_least else reached <= limit
        out.append(f"| {title} | {what} | {limit} | {reached:.1f} | {'yes' if met else 'no'} |")

    for title in rows.values:
        own = rows.median(title, "proa")
        if own is None:
            continue
        wanted = GOALS if title.startswith(("pull, ", "load, ")) else FASTER_THAN_DOCKER if title.startswith(("save, ", "push, ")) else {}
        for name, limit in wanted.items():
            if value := rows.median(title, name):
                judge(title, f"times as fast as {name}", value / own, limit, True)
        if floor := rows.median(title, "floor"):
            judge(title, "times the floor", own / floor, 1.3, False)
        if title.startswith("removal, ten"):
            judge(title, "ms", own, 10, False)
        if title.startswith("first run") and (other := rows.median(title, "proa-directory")):
            judge(title, "times an unpacked layer's", own / other, 1, False)
        judge(title, "peak MB", rows.median(title, "proa", 1), 64, False)
    nine, alone = "pull of ten layers, nine there", "pull of the tenth layer alone"
    if all(rows.values.get(one, {}).get("proa") for one in (nine, alone)):
        judge(nine, "ms beyond the one layer", rows.median(nine, "proa") - rows.median(alone, "proa"), 20, False)
    return "\n".join(["| | goal | limit | reached | met |", "|---|---|---|---|---|"] + out)


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))  # with what was started
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="pull,churn,load,second,save,push,run")
    parser.add_argument("--images", default="debian,stack,stack-zstd")
    parser.add_argument("--peers", default="proa,docker,containerd-overlay,containerd-erofs,podman,skopeo")
    parser.add_argument("--output", default=".")
    arguments = parser.parse_args()
    os.makedirs(CACHE, exist_ok=True)
    subprocess.run([os.path.join(HERE, "../scripts/peers"), CACHE], check=True)
    work = tempfile.mkdtemp(prefix="proa-bench-", dir="/var/lib")
    try:
        with own_network(), own_mounts(work), peer_root(work):
            compare(arguments, work)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def compare(arguments, work):
    bench = Bench(arguments, work)
    only = arguments.only.split(",")
    try:
        bench.push_images(set(only))
        bench.start(bench.peers)
        for part in only:
            getattr(bench, part)()
    finally:
        bench.close()
        report(bench, arguments)


def report(bench, arguments):
    names = [peer.name for peer in bench.peers] + ["proa-directory", "floor"]
    names = [name for name in names if any(name in one for one in bench.rows.values.values())]
    cpu = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.machine())
    text = "\n\n".join([f"{datetime.date.today()}, {os.cpu_count()} x {cpu}, kernel {platform.release()}; medians of {arguments.rounds} (of fewer where one took "
                        f"longer than {ENOUGH // 1000} s), alternating; in brackets, times Proa's.",
                        table(bench.rows, names, 0, "ms"), "Peak memory:\n\n" + table(bench.rows, [name for name in names if name != "floor"], 1, "MB"), goals(bench.rows)])
    print(text)
    os.makedirs(arguments.output, exist_ok=True)
    with open(os.path.join(arguments.output, "benchmark-images.md"), "w") as file:
        file.write(text + "\n")


if __name__ == "__main__":
    main()
