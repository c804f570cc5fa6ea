#!/usr/bin/python3
"""proa-registry beside Debian's docker-registry, one run, alternating, the same content and the same load; medians.

    bench/run registry [--rounds N] [--seconds N] [--connections N]
"""
import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../tests/support"))
import images  # noqa: E402
from engine import free_port  # noqa: E402
from machine import own_network  # noqa: E402
from peers import BIN, compile_program, pss_mb, say, settle  # noqa: E402

BLOB_SIZE = 64 << 20
BY_TAG, BY_DIGEST, BLOB = "manifest GET by tag, requests/s", "manifest GET by digest, requests/s", "blob GET (64 MiB), GB/s"
SPENT, MEMORY = "processor time for each GB of blobs, s", "peak memory under these loads, PSS, MB"
GOALS = {BY_TAG: ">= 2", BY_DIGEST: ">= 2", BLOB: ">= 3", MEMORY: "<= 0.25"}


class Peer:
    def __init__(self, name, process, registry):
        self.name, self.process, self.registry, self.peak = name, process, registry, 0

    def spent(self):
        """Seconds of processor time."""
        with open(f"/proc/{self.process.pid}/stat") as file:
            words = file.read().rsplit(")", 1)[1].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")

    def under(self, load):
        """The standard output of `load`, a command; the peak of the registry's memory is noted."""
        settle()
        running = subprocess.Popen(load, stdout=subprocess.PIPE, text=True)
        while running.poll() is None:
            self.peak = max(self.peak, pss_mb([self.process.pid]))
            time.sleep(0.1)
        out = running.stdout.read()
        if running.returncode:
            raise RuntimeError(f"{self.name}: {' '.join(load)}: {out}")
        return out

    def requests(self, title, path, options):
        out = self.under(["wrk", "-t1", f"-c{options.connections}", f"-d{options.seconds}s", "-H", f"Accept: {images.DOCKER_MANIFEST}", f"http://{self.registry.address}{path}"])
        if "Non-2xx" in out or "Socket errors" in out:
            raise RuntimeError(f"{self.name}: {out}")
        return {title: float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1])}

    def throughput(self, drain, path, options):
        port, before = self.registry.address.split(":")[1], self.spent()
        rate = float(self.under([drain, port, path, str(options.connections), str(options.seconds)])) / 1e9
        return {BLOB: rate, SPENT: (self.spent() - before) / (rate * options.seconds)}


def start_proa(directory):
    registry = images.Registry(f"127.0.0.1:{free_port()}")
    process = subprocess.Popen([os.path.join(BIN, "proa-registry"), "--root", directory, "--listen", f"tcp://{registry.address}"], stderr=subprocess.DEVNULL)
    registry.wait()
    return Peer("proa-registry", process, registry)


def measure(peers, drain, options):
    image, blob = images.busybox_image(), os.urandom(1 << 20) * (BLOB_SIZE >> 20)
    for peer in peers:
        peer.registry.push("app", "1", image)
        digest = peer.registry.put_blob("app", blob)
    loads = [lambda peer: peer.requests(BY_TAG, "/v2/app/manifests/1", options),
             lambda peer: peer.requests(BY_DIGEST, f"/v2/app/manifests/{image.digest}", options),
             lambda peer: peer.throughput(drain, f"/v2/app/blobs/{digest}", options)]
    values = {}
    for load in loads:
        for _ in range(options.rounds):
            for peer in peers:
                for title, value in load(peer).items():
                    values.setdefault(title, {}).setdefault(peer.name, []).append(value)
    say(values)
    rows = {title: {name: statistics.median(some) for name, some in by_name.items()} for title, by_name in values.items()}
    return {**rows, MEMORY: {peer.name: peer.peak for peer in peers}}


def compare(options):
    work = tempfile.mkdtemp(prefix="proa-bench-", dir="/var/lib")
    drain = compile_program("drain", work)
    peers = []
    try:
        peers.append(start_proa(os.path.join(work, "proa")))
        peers.append(Peer("docker-registry", *images.start_registry(os.path.join(work, "docker"), free_port())))
        rows = measure(peers, drain, options)
    finally:
        for peer in peers:
            peer.process.terminate()
            peer.process.wait()
        shutil.rmtree(work, ignore_errors=True)
    print(f"Medians of {options.rounds} times {options.seconds} s, alternating, {options.connections} connections on loopback, {os.cpu_count()} processors for registry and client.\n")
    print("| | proa-registry | docker-registry | ratio | goal |\n|---|---|---|---|---|")
    for title, values in rows.items():
        ours, theirs = values["proa-registry"], values["docker-registry"]
        print(f"| {title} | {ours:.2f} | {theirs:.2f} | {ours / theirs:.2f} | {GOALS.get(title, '')} |")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=16)
    options = parser.parse_args()
    with own_network():
        compare(options)


if __name__ == "__main__":
    main()
