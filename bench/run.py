#!/usr/bin/python3
"""Proa beside Docker, in one run, alternating; medians, ratios, and the distance to the floor measured in the same run.

    bench/run [--rounds N] [--only start,exec,pull,memory] [--output DIR]

Peers install and start themselves: Debian 12's docker.io and the newest Docker of Debian, in a root of its own.
"""
import argparse
import contextlib
import datetime
import json
import os
import platform
import shutil
import statistics
import subprocess
import tempfile
import time

from peers import CACHE, HERE, PEER_ROOT, Docker, Proa, compile_program, own_mounts, peer_root, pss_mb, say, settle, timed, tree
import images
from engine import free_port
from machine import own_network


def ask(client, peer, verb, container):
    """What bench/api_client.cc says: the client's own time is as good as none, so that the engine's is seen."""
    settle()
    return float(subprocess.run([client, peer.socket, verb, container], check=True, stdout=subprocess.PIPE).stdout)


def start_to_first_instruction(client, peer, image):
    """API start until the program's own first reading of the clock, in ms."""
    created = peer.api("POST", "/containers/create", {"Image": image, "Cmd": ["/bin/tools", "stamp"]})["Id"]
    begin = ask(client, peer, "start", created)
    peer.api("POST", f"/containers/{created}/wait")
    logs = peer.api("GET", f"/containers/{created}/logs?stdout=1")
    stamp = int(bytes(str(logs), "ascii").strip()) if isinstance(logs, int) else int(logs[8:].strip())
    peer.api("DELETE", f"/containers/{created}")
    return (stamp - begin) / 1e6


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


def measure_api(client, peers, tools, image, rounds, rows):
    times = {peer.name: [] for peer in peers}
    for _ in range(rounds + 2):
        for peer in peers:
            times[peer.name].append(start_to_first_instruction(client, peer, tools))
    rows.append(("API start to the program's first instruction", "ms", {name: statistics.median(values[2:]) for name, values in times.items()}))
    say(rows[-1])
    sleepers = {peer.name: peer.api("POST", "/containers/create", {"Image": image, "Cmd": ["sleep", "6000"]})["Id"] for peer in peers}
    times = {peer.name: [] for peer in peers}
    for peer in peers:
        peer.api("POST", f"/containers/{sleepers[peer.name]}/start")
    for _ in range(rounds + 2):
        for peer in peers:
            times[peer.name].append(ask(client, peer, "exec", sleepers[peer.name]))
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
    return json.loads(subprocess.run([compile_program("floor", work), work, str(rounds)], check=True, stdout=subprocess.PIPE).stdout)


def table(rows, peers, floor):
    names = [peer.name for peer in peers]
    out = ["| | " + " | ".join(names) + " | " + " | ".join(f"{name} / proa" for name in names[1:]) + " |", "|---|" + "---|" * (2 * len(names) - 1)]
    for title, unit, values in rows:
        cells = [f"{values[name]:.2f} {unit}" for name in names]
        ratios = [f"{values[name] / values[names[0]]:.1f}" for name in names[1:]]
        out.append("| " + " | ".join([title] + cells + ratios) + " |")
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
    work = tempfile.mkdtemp(prefix="proa-bench-", dir="/var/lib")
    newest = "docker-28" in arguments.peers
    try:
        # The peers keep their bridges, rules and mounts; they go with it.
        with own_network(), own_mounts(work), peer_root(work) if newest else contextlib.nullcontext():
            compare(arguments, debian_image, work)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def compare(arguments, debian_image, work):
    registry_process, registry = images.start_registry(os.path.join(work, "registry"), free_port())
    peers = [Proa(work)]
    if "docker-12" in arguments.peers:
        peers.append(Docker("docker-12", work))
    if "docker-28" in arguments.peers:
        # docker0 is one per network namespace: the second dockerd takes the first one's bridge and address.
        peers.append(Docker("docker-28", work, PEER_ROOT))
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
            measure_api(compile_program("api_client", work), peers, tools, image, arguments.rounds, rows)
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


if __name__ == "__main__":
    main()
