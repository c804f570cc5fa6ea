#!/usr/bin/python3
"""proa-runtime beside crun and runc (Debian 12's and its newest), one run, alternating; the container is Docker's own config.json.

    bench/run runtimes [--rounds N]
"""
import argparse
import copy
import json
import os
import shutil
import statistics
import subprocess
import tempfile
import time

from peers import BIN, CACHE, HERE, PEER_ROOT, compile_program, own_mounts, peer_root
from bundle import make_rootfs


def docker_config(work):
    """config.json as Debian's dockerd hands it to a runtime that keeps a copy."""
    keeper = os.path.join(work, "keeper")
    kept = os.path.join(work, "config.json")
    with open(keeper, "w") as file:
        file.write(f'#!/bin/sh\nwhile [ $# -gt 0 ]; do [ "$1" = --bundle ] && cp "$2/config.json" {kept}; shift; done\nexit 1\n')
    os.chmod(keeper, 0o755)
    socket = f"unix://{work}/docker.sock"
    daemon = subprocess.Popen(["unshare", "-n", "dockerd", "--data-root", f"{work}/data", "--exec-root", f"{work}/run", "-H", socket, "--pidfile", f"{work}/pid",
                               "--add-runtime", f"keeper={keeper}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    docker = ["docker", "-H", socket]
    try:
        deadline = time.monotonic() + 60
        while subprocess.run([*docker, "version"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode:
            if time.monotonic() > deadline:
                raise RuntimeError("dockerd did not start")
            time.sleep(0.1)
        tar = subprocess.Popen(["tar", "-C", f"{work}/rootfs", "-c", "."], stdout=subprocess.PIPE)
        subprocess.run([*docker, "import", "-", "box"], stdin=tar.stdout, check=True, stdout=subprocess.DEVNULL)
        subprocess.run([*docker, "run", "--rm", "--network", "none", "--runtime", "keeper", "--memory", "64m", "--cpus", "1", "--pids-limit", "100", "box", "true"],
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    finally:
        daemon.terminate()
        daemon.wait(timeout=30)
    with open(kept) as file:
        config = json.load(file)
    config.pop("hooks", None)
    for mount in config["mounts"]:
        if mount["type"] == "bind":
            mount["source"] = f"{work}/bound"
    return config


class Runtime:
    def __init__(self, name, program, root, work, config):
        self.name, self.program, self.root, self.work = name, program, root, work
        self.timed = os.path.join(work, "timed")
        self.bundle = os.path.join(work, name)
        os.makedirs(self.bundle)
        self.config = copy.deepcopy(config)
        self.config["root"]["path"] = f"{work}/rootfs"
        self.config["linux"]["cgroupsPath"] = f"/proa-bench/{name}"
        self.write(["true"])

    def write(self, args):
        self.config["process"]["args"] = args
        with open(os.path.join(self.bundle, "config.json"), "w") as file:
            json.dump(self.config, file)

    def __call__(self, *words):
        """Milliseconds, and the peak of its memory in MB."""
        with tempfile.TemporaryFile("w+") as errors:  # no pipe: a detached container keeps it open
            done = subprocess.run([self.timed, self.root, self.program, "--root", f"{self.work}/state-{self.name}", *words],
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, text=True)
            if done.returncode:
                errors.seek(0)
                raise RuntimeError(f"{self.name} {words}: {errors.read()[-500:]}")
        took, kilobytes = done.stdout.split()
        return float(took), int(kilobytes) / 1024


def medians(runtimes, rounds, action):
    values = {one.name: [] for one in runtimes}
    for _ in range(rounds + 3):
        for one in runtimes:
            time.sleep(0.02)
            values[one.name].append(action(one))
    return [{name: statistics.median(value[column] for value in some[3:]) for name, some in values.items()} for column in (0, 1)]


def measure(runtimes, rounds):
    runs, run_memory = medians(runtimes, rounds, lambda one: one("run", "-b", one.bundle, "once"))
    for one in runtimes:
        one.write(["sleep", "6000"])
        one("run", "-d", "-b", one.bundle, "stays")
    try:
        execs, exec_memory = medians(runtimes, rounds, lambda one: one("exec", "stays", "true"))
    finally:
        for one in runtimes:
            one("delete", "-f", "stays")
    return {"run of true, wall time, ms": runs, "exec of true, wall time, ms": execs,
            "run, peak memory, MB": run_memory, "exec, peak memory, MB": exec_memory,
            "program, MB": {one.name: os.path.getsize(one.root + one.program) / 1e6 for one in runtimes}}


def compare(work, rounds):
    make_rootfs(f"{work}/rootfs")
    open(f"{work}/bound", "w").close()
    config = docker_config(work)
    # crun refuses hosts that have controllers of both versions.
    subprocess.run(f"umount /sys/fs/cgroup/unified; umount {PEER_ROOT}/sys/fs/cgroup/unified", shell=True, stderr=subprocess.DEVNULL)
    compile_program("timed", work)
    runtimes = [Runtime("proa", f"{BIN}/proa-runtime", "/", work, config), Runtime("crun-12", "/usr/bin/crun", "/", work, config),
                Runtime("crun-new", "/usr/bin/crun", PEER_ROOT, work, config), Runtime("runc-12", "/usr/sbin/runc", "/", work, config),
                Runtime("runc-new", "/usr/sbin/runc", PEER_ROOT, work, config)]
    rows = measure(runtimes, rounds)
    return rows, json.loads(subprocess.run([compile_program("floor", work), work, str(rounds)], check=True, stdout=subprocess.PIPE).stdout)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=50)
    rounds = parser.parse_args().rounds
    subprocess.run([os.path.join(HERE, "../scripts/peers"), CACHE], check=True)
    work = tempfile.mkdtemp(prefix="proa-bench-")
    try:
        with own_mounts(work), peer_root(work):
            rows, kernel = compare(work, rounds)
    finally:
        time.sleep(0.2)  # the kernel's last processes leave their groups
        for top in os.listdir("/sys/fs/cgroup"):
            for parent, _, _ in os.walk(f"/sys/fs/cgroup/{top}/proa-bench", topdown=False):
                subprocess.run(["rmdir", parent], stderr=subprocess.DEVNULL)
        shutil.rmtree(work, ignore_errors=True)
    names = list(next(iter(rows.values())))
    print("| | " + " | ".join(names) + " | " + " | ".join(f"proa / {name}" for name in names[1:]) + " |\n|---|" + "---|" * (2 * len(names) - 1))
    for title, values in rows.items():
        print(f"| {title} | " + " | ".join(f"{values[name]:.2f}" for name in names) + " | " + " | ".join(f"{values['proa'] / values[name]:.2f}" for name in names[1:]) + " |")
    print(f"\nFloor in the same run, with a network: {kernel['removed']:.2f} ms to everything removed.")


if __name__ == "__main__":
    main()
