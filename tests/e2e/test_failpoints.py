"""kill -9, or an error, at every named place in the code (FAILPOINT): afterwards the invariants of durable state hold.

A tour does everything once: volume, network, pull, run, exec, commit, save, load, push, and the removal of it all. It runs
until the place under test is reached; then the daemon starts again without it. What is there must be whole, can be removed,
leaves nothing behind, and the whole tour then succeeds.
"""
import http.client
import os
import re
import signal
import socket
import subprocess

import pytest
from engine import Engine, free_port, wait_until
from machine import lines_of, processes, snapshot

pytestmark = pytest.mark.ours

SOURCES = os.path.join(os.path.dirname(__file__), "../../src")


def failpoints():
    """Every name in the sources: a new one is under test as soon as it is written."""
    found = set()
    for directory, _, files in os.walk(SOURCES):
        for name in files:
            if name.endswith(".cc"):
                with open(os.path.join(directory, name)) as file:
                    found.update(re.findall(r'FAILPOINT\("([^"]+)"\)', file.read()))
    return sorted(found)


# Reached by other tests.
ELSEWHERE = {
    "runtime.mount.before_make": "where others swap a path meanwhile: tests/runtime/test_attacks.py",
    "runtime.mount.place_found": "the same",
    "database.before_replace": "of a damaged database: tests/e2e/test_damaged_database.py",
    "registry.upload.piece": "proa-registry's own: tests/e2e/test_registry_cache.py",
    "registry.collect.before_remove": "proa-registry's own: tests/e2e/test_registry_cache.py",
    "blob.adopt.before_rename": "proa-registry's own, when an upload is complete",
}
# An error after the deed is done has no way back, or nothing can fail there; a death may come all the same.
DONE = re.compile(r"(monitor\.before_exit|after_commit|after_rename|remove\.after_row|before_collect|after_layers|after_adopt|after_exit_record|after_answer)$")


class Tour:
    """Everything once. With `strict` each step must succeed; without, it goes on until the failpoint is reached."""

    def __init__(self, engine, registry, image, strict):
        self.engine, self.registry, self.image, self.strict = engine, registry, image, strict
        self.other = f"{registry.address}/other:v1"
        self.pushed = f"{registry.address}/tour:v1"

    def expect(self, reply, *statuses):
        assert not self.strict or reply.status in statuses, (reply.status, reply.body)
        return reply

    def client(self, *words, out=None):
        done = self.engine.run(*words, timeout=30)
        assert not self.strict or done.code == 0, done
        assert not self.strict or out is None or done.out == out, done

    def volume(self):
        self.expect(self.engine.api("POST", "/volumes/create", {"Name": "tour"}), 201)

    def network(self):
        self.expect(self.engine.api("POST", "/networks/create", {"Name": "tour"}), 201)

    def pull(self):
        reply = self.engine.api("POST", f"/images/create?fromImage={self.other}")
        self.expect(reply, 200)
        assert not self.strict or b"error" not in reply.body, reply.body

    def create(self):
        host = {"NetworkMode": "tour", "Binds": ["tour:/data"], "PortBindings": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(free_port())}]}}
        self.expect(self.engine.api("POST", "/containers/create?name=tour", {"Image": self.image, "Cmd": ["sh", "-c", "echo hi > /data/f; sleep 600"], "HostConfig": host}), 201)

    def start(self):
        self.expect(self.engine.api("POST", "/containers/tour/start"), 204)

    def execute(self):
        self.client("exec", "tour", "echo", "inside", out="inside\n")

    def commit(self):
        self.expect(self.engine.api("POST", "/commit?container=tour&repo=" + self.pushed.rsplit(":", 1)[0] + "&tag=v1", {}), 201)

    def push(self):
        self.client("push", self.pushed)

    def attached(self):
        self.client("run", "--rm", "--name", "brief", "-v", "/etc", self.image, "echo", "hello", out="hello\n")

    def stop(self):
        self.expect(self.engine.api("POST", "/containers/tour/kill"), 204)
        self.expect(self.engine.api("POST", "/containers/tour/wait", timeout=10), 200)

    def remove(self):
        self.expect(self.engine.api("DELETE", "/containers/tour"), 204)

    def load(self):
        archive = self.engine.api("GET", f"/images/{self.other}/get").body
        self.untag()
        reply = self.engine.api("POST", "/images/load", raw=archive, headers={"Content-Type": "application/x-tar"})
        assert not self.strict or b"Loaded image" in reply.body, reply.body

    def untag(self):
        self.expect(self.engine.api("DELETE", f"/images/{self.other}"), 200)

    def take_down(self):
        self.untag()
        self.expect(self.engine.api("DELETE", f"/images/{self.pushed}"), 200)
        self.expect(self.engine.api("DELETE", "/networks/tour"), 204)
        self.expect(self.engine.api("DELETE", "/volumes/tour"), 204)

    STEPS = ("volume", "network", "pull", "create", "start", "execute", "commit", "push", "attached", "stop", "remove", "load", "take_down")

    def go(self, reached=lambda: False):
        for step in self.STEPS:
            try:
                getattr(self, step)()
            except (OSError, http.client.HTTPException, subprocess.TimeoutExpired):
                if self.strict or self.engine.process.poll() is None and not reached():
                    raise
            if reached():
                return


class World:
    """A daemon with one container that runs throughout, and what the machine looks like with no more than that."""

    def __init__(self, engine, registry):
        self.engine, self.registry = engine, registry
        self.image = f"{registry.address}/busybox:latest"
        self.port = free_port()
        assert engine.run("pull", "-q", self.image).code == 0
        loop = "while :; do echo hi | nc -l -p 80; done"
        assert engine.run("run", "-d", "--name", "kept", "-v", "kept:/data", "-p", f"127.0.0.1:{self.port}:80", self.image, "sh", "-c", loop).code == 0
        wait_until(self.answers)
        # The last that a shim writes of itself, after its answer.
        wait_until(lambda: os.path.exists(f"{engine.exec_root}/shims/{engine.inspect('kept')['Id']}/shim.pid"))
        self.pid = self.state()["Pid"]
        self.before = self.footprint()

    def state(self):
        return self.engine.inspect("kept")["State"]

    def answers(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                return connection.recv(10) == b"hi\n"
        except OSError:
            return False

    def footprint(self):
        """All that state stands for: files, mounts, links, rules, groups, processes."""
        out = snapshot()
        del out["loop devices"], out["network namespaces"]  # others' tests may have some meanwhile
        out["cgroups"] = {path for path in out["cgroups"] if f"/{self.engine.cgroup_parent}/" in path}
        spare = re.compile(r"proad|proa-shim -+\s*$")  # the daemon's own, and the shim it keeps ready
        out["processes"] = {words for words in processes(own=True) if not spare.search(words)}
        out["rules"] = {re.sub(r" # handle \d+", "", line).strip() for line in lines_of(["nft", "-s", "list", "ruleset"])}
        out["files"] = set()
        for top in (self.engine.data_root, self.engine.exec_root):
            for directory, directories, files in os.walk(top):
                if directory == f"{self.engine.data_root}/tmp":  # the directory kept ready
                    directories.clear()
                if directory.count("/") - top.count("/") > 3:
                    directories.clear()
                out["files"].update(os.path.join(directory, name) for name in directories + files if not re.search(r"\.db(-wal|-shm|\.copy|\.copy\.new)$", name))
        return out

    def difference(self, kept):
        """(gone, new) of each kind; `kept`: what a cut pull has fetched may stay, the next one goes on with it."""
        now = self.footprint()
        fetched = tuple(os.path.join(self.engine.data_root, name) for name in ("content", "layers"))
        out = {}
        for kind in now:
            gone, new = self.before[kind] - now[kind], now[kind] - self.before[kind]
            if kept and kind == "files":
                new = {path for path in new if not path.startswith(fetched)}
            if gone or new:
                out[kind] = (sorted(gone)[:10], sorted(new)[:10])
        return out

    def check(self):
        """What is there is whole (I1, I2, I3, I6, I11, I14, I21)."""
        api = self.engine.api
        assert (self.state()["Running"], self.state()["Pid"]) == (True, self.pid)
        wait_until(self.answers)
        for container in api("GET", "/containers/json?all=1").json:
            assert api("GET", f"/containers/{container['Id']}/json").status == 200
            assert container["State"] in ("created", "running", "exited"), container
            if container["State"] == "created":
                assert api("POST", f"/containers/{container['Id']}/start").status == 204
        for one in api("GET", "/images/json").json:
            assert api("GET", f"/images/{one['Id']}/json").status == 200
        assert not api("POST", "/proa/check").json["Findings"]

    def clear(self, kept=False):
        """All that the tour made goes, and nothing stays of it (I7, I8, I9, I10, I12, I13, I15, I22)."""
        api = self.engine.api
        for container in api("GET", "/containers/json?all=1").json:
            if container["Names"] != ["/kept"]:
                reply = api("DELETE", f"/containers/{container['Id']}?force=1&v=1")
                assert reply.status == 204, reply.body
        for path in ("/networks/tour", "/volumes/tour"):
            reply = api("DELETE", path)
            assert reply.status in (204, 404), reply.body
        for one in api("GET", "/images/json?all=1").json:
            if self.image not in (one["RepoTags"] or []):
                reply = api("DELETE", f"/images/{one['Id']}?force=1")
                assert reply.status == 200, reply.body
        try:
            wait_until(lambda: not self.difference(kept))
        except AssertionError:
            pytest.fail(f"not as before (gone, new): {self.difference(kept)}")


def start_armed(engine, name, action):
    engine.environment = {"PROA_FAILPOINTS_ON": f"{name}={action}", "PROA_FAILPOINTS_DIR": engine.directory}
    try:
        engine.start()
    except RuntimeError:
        assert os.path.exists(os.path.join(engine.directory, f"{name}.hit")), engine.tail()


def start_again(engine):
    if engine.process.poll() is None:
        engine.kill()
    engine.environment = {}
    engine.start()


def go_through(world, name, action):
    engine = world.engine
    engine.kill(signal.SIGTERM)
    start_armed(engine, name, action)
    reached = lambda: os.path.exists(os.path.join(engine.directory, f"{name}.hit"))  # noqa: E731
    if not reached():
        Tour(engine, world.registry, world.image, strict=False).go(reached)
    assert reached(), f"nothing in the tour comes to {name}"
    if action == "error":
        assert engine.api("GET", "/_ping").status == 200, "an error does not take the daemon down"
    start_again(engine)
    world.check()
    world.clear(kept=True)
    Tour(engine, world.registry, world.image, strict=True).go()
    world.clear()


@pytest.fixture
def world(registry):
    engine = Engine(bridge="proatest3", subnet="10.213.11.1/24")
    try:
        engine.start()
        yield World(engine, registry)
    finally:
        if engine.process.poll() is not None:
            engine.environment = {}
            engine.start()
        engine.close()


@pytest.mark.parametrize("name", [name for name in failpoints() if name not in ELSEWHERE])
@pytest.mark.proves("F10", "I2", "I13", "I14", "I21", "I22")
def test_killed_there(world, name):
    go_through(world, name, "kill")


@pytest.mark.parametrize("name", [name for name in failpoints() if name not in ELSEWHERE and not DONE.search(name)])
@pytest.mark.proves("F2", "I2", "I13")
def test_failed_there(world, name):
    go_through(world, name, "error")


def test_places_reached_elsewhere_exist():
    assert set(ELSEWHERE) <= set(failpoints())
