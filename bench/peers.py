"""What the benchmarks share: Proa and its peers, started with private paths, and how a time is taken."""
import contextlib
import json
import os
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../tests/support"))
import machine  # noqa: E402
from engine import UnixConnection  # noqa: E402

CACHE = os.path.abspath(os.environ.get("PROA_CACHE", os.path.join(HERE, "../.cache")))
BIN = os.path.abspath(os.environ.get("PROA_BIN", os.path.join(HERE, "../build/release/bin")))
PEER_ROOT = os.path.join(CACHE, "peer-root")  # made by scripts/peers


def compile_program(name, work, *libraries):
    """bench/NAME.cc -> its path."""
    program = os.path.join(work, name)
    mode = libraries or ["-static"]
    subprocess.run(["g++", "-std=c++20", "-O2", "-o", program, os.path.join(HERE, f"{name}.cc"), *mode], check=True)
    return program


@contextlib.contextmanager
def own_mounts(work):
    """Mounts of this process' own, and `work`/run in memory, as /run is: what an engine keeps of running containers."""
    machine.own_mounts()
    os.makedirs(f"{work}/run")
    subprocess.run(["mount", "-t", "tmpfs", "run", f"{work}/run"], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", f"{work}/run"], check=True)


@contextlib.contextmanager
def peer_root(work):
    """Within own_mounts: the peers' root, with the kernel's file systems and, under its own name, `work` in it."""
    os.makedirs(PEER_ROOT + work)
    try:
        subprocess.run(["mount", "--bind", PEER_ROOT, PEER_ROOT], check=True)  # runtimes want "/" to be a mount
        for path in ("/proc", "/sys", "/dev", work):
            subprocess.run(["mount", "--rbind", path, PEER_ROOT + path], check=True)
        yield
    finally:
        subprocess.run(["umount", "-l", PEER_ROOT], stderr=subprocess.DEVNULL)
        os.rmdir(PEER_ROOT + work)


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


class Peer:
    """A daemon with private paths, and its own client program."""

    def __init__(self, name, work):
        self.name = name
        self.directory = os.path.join(work, name)
        os.makedirs(self.directory)
        self.run_directory = os.path.join(work, "run", name)
        self.socket = os.path.join(self.directory, "api.sock")
        self.log = open(os.path.join(self.directory, "log"), "ab")

    def spawn(self, command):
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL, start_new_session=True)
        deadline = time.monotonic() + 60
        while True:
            try:
                self.ping()
                return
            except OSError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise RuntimeError(f"{self.name} did not start: see {self.log.name}")
                time.sleep(0.05)

    def ping(self):
        """Throws OSError while the daemon does not answer."""
        self.api("GET", "/_ping")

    def api(self, method, path, body=None):
        connection = UnixConnection(self.socket, 120)
        connection.request(method, path, json.dumps(body).encode() if body is not None else None, {"Content-Type": "application/json"} if body is not None else {})
        reply = connection.getresponse()
        data = reply.read()
        connection.close()
        if reply.status >= 400:
            raise RuntimeError(f"{self.name}: {method} {path}: {data.decode()}")
        return json.loads(data) if data.strip().startswith((b"{", b"[")) and b"\r\n" not in data else data

    def client(self, *arguments):
        return [self.program, "-H", f"unix://{self.socket}", *arguments]

    def run(self, *arguments):
        subprocess.run(self.client(*arguments), check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self.log)

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()

    def pids(self):
        """The daemon's processes: its own tree and everything that names its directory."""
        found = set()
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline") as file:
                    words = file.read()
            except OSError:
                continue
            if any(mark in words for mark in self.marks):
                found.add(int(pid))
        return found


class Proa(Peer):
    def __init__(self, work, name="proa", layers="erofs"):
        super().__init__(name, work)
        self.program = os.path.join(BIN, "proa")
        self.marks = [self.directory, self.run_directory]
        self.layers = layers

    def start(self):
        # The second one's bridge is another.
        number = 0 if self.name == "proa" else 1
        self.spawn([os.path.join(BIN, "proad"), "--data-root", f"{self.directory}/data", "--exec-root", self.run_directory, "-H", f"unix://{self.socket}",
                    "--pidfile", f"{self.directory}/pid", "--bridge-name", f"proabench{number}", "--bip", f"10.219.{number}.1/24", "--storage-opt", f"proa.layers={self.layers}"])

    def pids(self):
        return {self.process.pid}


class Docker(Peer):
    def __init__(self, name, work, root="/", bip="10.220.0.1/16"):
        super().__init__(name, work)
        self.root, self.bip = root, bip
        self.program = f"{root.rstrip('/')}/usr/bin/docker"
        self.marks = [self.directory, self.run_directory]

    def start(self):
        self.spawn(["chroot", self.root, "/usr/sbin/dockerd", "--data-root", f"{self.directory}/data", "--exec-root", self.run_directory, "-H", f"unix://{self.socket}",
                    "--pidfile", f"{self.directory}/pid", "--bip", self.bip])

    def close(self):
        super().close()
        subprocess.run(["ip", "link", "delete", "docker0"], stderr=subprocess.DEVNULL)


def pss_mb(pids):
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/smaps_rollup") as file:
                total += next(int(line.split()[1]) for line in file if line.startswith("Pss:"))
        except (OSError, StopIteration):
            pass
    return total / 1024


def busy():
    """Jiffies that processors have worked since the machine was started, and all there were."""
    with open("/proc/stat") as file:
        numbers = [int(word) for word in file.readline().split()[1:9]]
    return sum(numbers) - numbers[3] - numbers[4], sum(numbers)


def settle():
    """Before each measurement: what the one before left to be cleaned up (on two cores, dockerd's and containerd's work
    after a container or an exec would be counted to who comes next). Until the machine rests, two seconds at most."""
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline:
        worked, all_before = busy()
        time.sleep(0.1)
        worked_then, all_then = busy()
        if worked_then - worked <= 0.05 * (all_then - all_before):
            return


def timed(action):
    settle()
    begin = time.perf_counter()
    action()
    return (time.perf_counter() - begin) * 1000


def tree(pid):
    """The process and all below it."""
    children = {}
    for other in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{other}/stat") as file:
                children.setdefault(int(file.read().rsplit(")", 1)[1].split()[1]), []).append(int(other))
        except OSError:
            pass
    found, queue = [], [pid]
    while queue:
        found.append(queue.pop())
        queue += children.get(found[-1], [])
    return found


