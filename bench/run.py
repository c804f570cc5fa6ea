#!/usr/bin/python3
"""Proa beside Docker, in one run, alternating; medians, ratios, and the distance to the floor measured in the same run.

    bench/run [--rounds N] [--only start,exec,pull,memory] [--output DIR]

Peers install and start themselves: Debian 12's docker.io and the newest Docker of Debian, in a root of its own.
"""
import argparse
import datetime
import http.client
import json
import os
import platform
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../tests/support"))
import images  # noqa: E402
from engine import UnixConnection, free_port  # noqa: E402
from machine import own_network  # noqa: E402

CACHE = os.environ.get("PROA_CACHE", os.path.join(HERE, "../.cache"))
BIN = os.path.abspath(os.environ.get("PROA_BIN", os.path.join(HERE, "../build/release/bin")))


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


class Peer:
    """A daemon with private paths, and its own client program."""

    def __init__(self, name, work):
        self.name = name
        self.directory = os.path.join(work, name)
        os.makedirs(self.directory)
        self.socket = os.path.join(self.directory, "api.sock")
        self.log = open(os.path.join(self.directory, "log"), "ab")

    def spawn(self, command):
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL, start_new_session=True)
        deadline = time.monotonic() + 60
        while True:
            try:
                self.api("GET", "/_ping")
                return
            except OSError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise RuntimeError(f"{self.name} did not start: see {self.log.name}")
                time.sleep(0.05)

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
    def __init__(self, work):
        super().__init__("proa", work)
        self.program = os.path.join(BIN, "proa")
        self.marks = [self.directory]

    def start(self):
        self.spawn([os.path.join(BIN, "proad"), "--data-root", f"{self.directory}/data", "--exec-root", f"{self.directory}/run", "-H", f"unix://{self.socket}",
                    "--pidfile", f"{self.directory}/pid", "--bridge-name", "proabench0", "--bip", "10.219.0.1/16"])

    def pids(self):
        return {self.process.pid}


class Docker(Peer):
    def __init__(self, name, work, root="", bip="10.220.0.1/16"):
        super().__init__(name, work)
        self.root, self.bip = root, bip
        self.program = f"{root}/usr/bin/docker"
        self.marks = [self.directory]

    def start(self):
        command = ["/usr/sbin/dockerd", "--data-root", f"{self.directory}/data", "--exec-root", f"{self.directory}/run", "-H", f"unix://{self.socket}",
                   "--pidfile", f"{self.directory}/pid", "--bip", self.bip]
        if self.root:
            script = 'mount --bind "$1" "$1"; for d in proc sys dev; do mount --rbind /$d "$1/$d"; done; mkdir -p "$1$2"; mount --bind "$2" "$1$2"; root=$1; shift 2; exec chroot "$root" "$@"'
            command = ["unshare", "-m", "sh", "-c", script, "sh", self.root, self.directory] + command
        self.spawn(command)

    def close(self):
        super().close()
        subprocess.run(["ip", "link", "delete", "docker0"], stderr=subprocess.DEVNULL)


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


def start_to_first_instruction(peer, image):
    """API start until the program's own first reading of the clock, in ms."""
    created = peer.api("POST", "/containers/create", {"Image": image, "Cmd": ["/bin/tools", "stamp"]})["Id"]
    settle()
    begin = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    peer.api("POST", f"/containers/{created}/start")
    peer.api("POST", f"/containers/{created}/wait")
    logs = peer.api("GET", f"/containers/{created}/logs?stdout=1")
    stamp = int(bytes(str(logs), "ascii").strip()) if isinstance(logs, int) else int(logs[8:].strip())
    peer.api("DELETE", f"/containers/{created}")
    return (stamp - begin) / 1e6


def exec_attached(peer, container):
    settle()
    begin = time.perf_counter()
    identity = peer.api("POST", f"/containers/{container}/exec", {"Cmd": ["true"], "AttachStdout": True, "AttachStderr": True})["Id"]
    body = b'{"Detach":false,"Tty":false}'
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(peer.socket)
        connection.sendall(b"POST /exec/%s/start HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: %d\r\n\r\n%s"
                           % (identity.encode(), len(body), body))
        while connection.recv(65536):
            pass
    return (time.perf_counter() - begin) * 1000


def pss_mb(pids):
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/smaps_rollup") as file:
                total += next(int(line.split()[1]) for line in file if line.startswith("Pss:"))
        except (OSError, StopIteration):
            pass
    return total / 1024


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


def measure_start(peers, image, rounds, rows):
    cases = [("run --rm, default bridge", ["run", "--rm", image, "true"]), ("run --rm, --network none", ["run", "--rm", "--network", "none", image, "true"]),
             ("run --rm, -p 127.0.0.1:PORT:80", ["run", "--rm", "-p", f"127.0.0.1:{free_port()}:80", image, "true"])]
    for title, command in cases:
        times = {peer.name: [] for peer in peers}
        for _ in range(rounds + 2):
            for peer in peers:
                times[peer.name].append(timed(lambda: peer.run(*command)))
        rows.append((title, "ms", {name: statistics.median(values[2:]) for name, values in times.items()}))
        say(rows[-1])


def measure_api(peers, tools, image, rounds, rows):
    times = {peer.name: [] for peer in peers}
    for _ in range(rounds + 2):
        for peer in peers:
            times[peer.name].append(start_to_first_instruction(peer, tools))
    rows.append(("API start to the program's first instruction", "ms", {name: statistics.median(values[2:]) for name, values in times.items()}))
    say(rows[-1])
    sleepers = {peer.name: peer.api("POST", "/containers/create", {"Image": image, "Cmd": ["sleep", "6000"]})["Id"] for peer in peers}
    times = {peer.name: [] for peer in peers}
    for peer in peers:
        peer.api("POST", f"/containers/{sleepers[peer.name]}/start")
    for _ in range(rounds + 2):
        for peer in peers:
            times[peer.name].append(exec_attached(peer, sleepers[peer.name]))
    rows.append(("exec true, attached, API", "ms", {name: statistics.median(values[2:]) for name, values in times.items()}))
    say(rows[-1])
    for peer in peers:
        peer.api("DELETE", f"/containers/{sleepers[peer.name]}?force=1")


def measure_memory(peers, image, rows):
    idle, each = {}, {}
    for peer in peers:
        for _ in range(100):
            peer.run("run", "--rm", image, "true")
        time.sleep(2)
        before = set(peer.pids()) | set(tree(peer.process.pid))
        idle[peer.name] = pss_mb(before)
        names = [peer.api("POST", "/containers/create", {"Image": image, "Cmd": ["sleep", "6000"]})["Id"] for _ in range(10)]
        for name in names:
            peer.api("POST", f"/containers/{name}/start")
        payloads = {peer.api("GET", f"/containers/{name}/json")["State"]["Pid"] for name in names}
        keepers = {int(next(line.split()[1] for line in open(f"/proc/{pid}/status") if line.startswith("PPid:"))) for pid in payloads}
        time.sleep(2)  # after the last request, as above
        after = before | keepers | set(tree(peer.process.pid))
        each[peer.name] = (pss_mb(after - payloads) - idle[peer.name]) / len(names)
        for name in names:
            peer.api("DELETE", f"/containers/{name}?force=1")
    rows.append(("idle daemon after 100 runs, PSS", "MB", idle))
    rows.append(("engine's processes for each running container, PSS", "MB", each))
    say(rows[-2])
    say(rows[-1])


def measure_pull(peers, image, rounds, rows):
    times = {peer.name: [] for peer in peers}
    for _ in range(rounds):
        for peer in peers:
            times[peer.name].append(timed(lambda: peer.run("pull", "-q", image)))
            peer.run("rmi", "-f", image)
            time.sleep(1)
    rows.append(("pull of Debian (61 MB gzip, local registry)", "ms", {name: statistics.median(values) for name, values in times.items()}))
    say(rows[-1])


def measure_floor(work, rounds):
    program = os.path.join(work, "floor")
    if not os.path.exists(os.path.join(HERE, "floor.cc")):
        return None
    subprocess.run(["g++", "-std=c++20", "-O2", "-static", "-o", program, os.path.join(HERE, "floor.cc")], check=True)
    return json.loads(subprocess.run([program, work, str(rounds)], check=True, stdout=subprocess.PIPE).stdout)


def table(rows, peers, floor):
    names = [peer.name for peer in peers]
    out = ["| | " + " | ".join(names) + " | " + " | ".join(f"{name} / proa" for name in names[1:]) + " |", "|---|" + "---|" * (2 * len(names) - 1)]
    for title, unit, values in rows:
        cells = [f"{values[name]:.2f} {unit}" for name in names]
        ratios = [f"{values[name] / values[names[0]]:.1f}" for name in names[1:]]
        out.append("| " + " | ".join([title] + cells + ratios) + " |")
    if floor:
        out.append(f"\nFloor in the same run (the same kernel work by one small C++ program, bench/floor.cc): {floor['removed']:.2f} ms from request to everything removed, "
                   f"{floor['first']:.2f} ms to the first instruction.")
        for title, unit, values in rows:
            if title.startswith("run --rm, default"):
                out.append(f"`proa run --rm` on the default bridge is {values[names[0]] / floor['removed']:.1f} times that floor.")
    return "\n".join(out)


def picture(rows, peers, path):
    """Bars on a logarithmic scale, as SVG."""
    import math
    colours = ["#0b7a75", "#8d99ae", "#c1666b"]
    height, width, left = 26, 860, 330
    bars = [(title, unit, values) for title, unit, values in rows]
    total = len(bars) * (height * len(peers) * 0.62 + 16) + 50
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{int(total)}" font-family="sans-serif" font-size="12">',
             f'<rect width="100%" height="100%" fill="white"/>']
    y = 30
    for index, peer in enumerate(peers):
        parts.append(f'<rect x="{left + index * 150}" y="8" width="12" height="12" fill="{colours[index]}"/><text x="{left + 18 + index * 150}" y="18">{peer.name}</text>')
    for title, unit, values in bars:
        parts.append(f'<text x="{left - 8}" y="{y + 20}" text-anchor="end">{title}</text>')
        low = min(values.values()) / 2
        span = math.log(max(values.values()) / low)
        for index, peer in enumerate(peers):
            value = values[peer.name]
            length = (width - left - 90) * math.log(value / low) / span
            parts.append(f'<rect x="{left}" y="{y}" width="{length:.0f}" height="13" fill="{colours[index]}"/><text x="{left + length + 5:.0f}" y="{y + 11}">{value:.1f} {unit}</text>')
            y += 16
        y += 14
    parts.append("</svg>")
    with open(path, "w") as file:
        file.write("\n".join(parts))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--only", default="start,exec,memory,pull")
    parser.add_argument("--peers", default="docker-12,docker-28")
    parser.add_argument("--output", default=".")
    arguments = parser.parse_args()
    os.makedirs(CACHE, exist_ok=True)
    if "docker-28" in arguments.peers:
        subprocess.run([os.path.join(HERE, "../scripts/peers"), CACHE], check=True)
    say("making images")
    debian_image = images.debian_image(CACHE)
    with own_network():  # the peers keep their bridges and rules; they go with it
        compare(arguments, debian_image)


def compare(arguments, debian_image):
    work = tempfile.mkdtemp(prefix="proa-bench-", dir="/var/lib")
    registry_process, registry = images.start_registry(os.path.join(work, "registry"), free_port())
    peers = [Proa(work)]
    if "docker-12" in arguments.peers:
        peers.append(Docker("docker-12", work))
    if "docker-28" in arguments.peers:
        # docker0 is one per network namespace: the second dockerd takes the first one's bridge and address.
        peers.append(Docker("docker-28", work, root=os.path.join(CACHE, "peer-root")))
    started = []
    try:
        registry.push("busybox", "latest", images.busybox_image())
        registry.push("tools", "latest", images.tools_image(work))
        registry.push("debian", "bookworm", debian_image)
        image, tools, debian = (f"{registry.address}/{name}" for name in ("busybox:latest", "tools:latest", "debian:bookworm"))
        for peer in peers:
            say(f"starting {peer.name}")
            peer.start()
            started.append(peer)
            for name in (image, tools):
                peer.run("pull", "-q", name)
        rows, only = [], arguments.only.split(",")
        if "start" in only:
            measure_start(peers, image, arguments.rounds, rows)
        if "exec" in only:
            measure_api(peers, tools, image, arguments.rounds, rows)
        if "pull" in only:
            measure_pull(peers, debian, max(3, arguments.rounds // 4), rows)
        if "memory" in only:
            measure_memory(peers, image, rows)
        floor = measure_floor(work, arguments.rounds)
        cpu = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.machine())
        text = (f"{datetime.date.today()}, {os.cpu_count()} x {cpu}, kernel {platform.release()}; medians of {arguments.rounds}, alternating.\n\n" + table(rows, peers, floor))
        print(text)
        os.makedirs(arguments.output, exist_ok=True)
        with open(os.path.join(arguments.output, "benchmark.md"), "w") as file:
            file.write(text + "\n")
        picture(rows, peers, os.path.join(arguments.output, "benchmark.svg"))
    finally:
        for peer in started:
            peer.close()
        registry_process.terminate()
        registry_process.wait()
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
