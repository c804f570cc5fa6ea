"""A daemon that dies at a chosen call (die_at_call.c), by itself or with the power of the disk its data is on, in the middle
of pulling, loading, committing, saving, pushing, removing or filling a volume; and what must be true of its data afterwards.

    with Deaths("pull", registry, power=True) as deaths:
        deaths.at(7)            # the seventh call of the operation; False: it came to its end before
"""
import contextlib
import hashlib
import http.client
import io
import json
import os
import shutil
import struct
import subprocess
import tarfile

import images
from disks import MB, Disk, names_below
from engine import Engine, wait_until

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "die_at_call.c")
CONTROL = struct.Struct("QQQQ")  # struct control
BRIDGE, SUBNET = "proatest9", "10.219.0.1/24"
FILES = {f"file{n}": os.urandom(size) for n, size in enumerate((1, 700, 5000, 200_000, MB))}
SUMS = "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in FILES.items())
SCRIPT = "cd /data && sha256sum file*"


def image_of_files():
    entries = [("data/", None, {})] + [(f"data/{name}", data, {}) for name, data in FILES.items()]
    layers = [images.Layer(images.busybox_layer()), images.Layer(images.tar_of(entries)), images.Layer(images.tar_of([("last", b"x", {})]))]
    return images.Image(layers, {"Cmd": ["sh", "-c", SCRIPT]})


class Died(Exception):
    """The daemon was gone before it answered."""


class Deaths:
    """`operation`: one of OPERATIONS. Its daemon has nothing but what the operation needs."""

    OPERATIONS = ("pull", "load", "commit", "save", "push", "remove", "populate")

    def __init__(self, operation, registry, power, flags=()):
        self.operation, self.registry, self.disk, self.calls_of_start = operation, registry, None, 0
        self.name, self.pushed = f"{registry.address}/deaths:1", f"{registry.address}/pushed:1"
        self.image = image_of_files()
        registry.push("deaths", "1", self.image)
        self.engine = Engine(bridge=BRIDGE, subnet=SUBNET, extra_flags=flags)
        self.control = os.path.join(self.engine.directory, "control")
        self.library = os.path.join(self.engine.directory, "die_at_call.so")
        subprocess.run(["gcc", "-O1", "-shared", "-fPIC", "-o", self.library, SOURCE], check=True)
        self.environment = {"LD_PRELOAD": self.library, "DIE_AT_CALL": self.control}
        if operation in ("save", "push"):
            self.environment["DIE_AT_CALL_SENDS"] = "1"
        if power:
            self.disk = Disk(self.engine.data_root, size=96, journal=True)
            self.environment["DIE_AT_CALL_SHUTDOWN"] = self.engine.data_root

    def __enter__(self):
        try:
            self.engine.start()
            getattr(self, f"prepare_{self.operation}", lambda: None)()
            wait_until(lambda: os.listdir(f"{self.engine.data_root}/trash") == [])
            self.before = names_below(self.engine.data_root)
            self.stop()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        try:
            if self.engine.process and self.engine.process.poll() is None:
                self.engine.clean()
        finally:
            if self.engine.process and self.engine.process.poll() is None:
                self.engine.kill()
            if self.disk:
                self.disk.close()
            self.engine.close()

    # The operations: each raises Died, or fails the test where the daemon refuses.

    def ask(self, method, path, statuses, **options):
        try:
            reply = self.engine.api(method, path, **options)
        except (OSError, http.client.HTTPException) as error:
            raise Died from error
        if reply.status not in statuses or b'"error"' in reply.body:
            self.refuse(reply)
        return reply

    def refuse(self, reply):
        """It may have told of the disk's failure before it died of it."""
        try:
            self.engine.process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{reply.status} {reply.body[-500:]}") from None
        raise Died

    def stream(self, method, path, **options):
        """A reply whose body may end early."""
        reply = self.ask(method, path, (200,), **options)
        if self.engine.process.poll() is not None:
            raise Died
        return reply

    def pull(self):
        self.stream("POST", f"/images/create?fromImage={self.name}")

    def prepare_load(self):
        self.pull()
        self.archive = self.engine.api("GET", f"/images/{self.name}/get").body
        self.undo_pull()

    def load(self):
        self.stream("POST", "/images/load", raw=self.archive, headers={"Content-Type": "application/x-tar"})

    def prepare_commit(self):
        self.pull()
        done = self.engine.run("run", "--network", "none", "--name", "source", self.name, "sh", "-c", "rm /last; cp /data/file4 /data/file5")
        assert done.code == 0, done

    def commit(self):
        self.ask("POST", "/commit?container=source&repo=committed&tag=1", (201,), body={})

    def prepare_save(self):
        self.pull()
        self.saved = self.stream("GET", f"/images/{self.name}/get").body

    def save(self):
        self.again = self.stream("GET", f"/images/{self.name}/get").body

    def done_save(self):
        assert self.again == self.saved

    def undo_save(self):
        pass

    def prepare_push(self):
        self.pull()
        self.ask("POST", f"/images/{self.name}/tag?repo={self.pushed[:-2]}&tag=1", (201,))

    def push(self):
        self.stream("POST", f"/images/{self.pushed[:-2]}/push?tag=1", headers={"X-Registry-Auth": "e30="})

    def prepare_remove(self):
        self.pull()

    def remove(self):
        self.ask("DELETE", f"/images/{self.name}", (200, 404))

    prepare_populate = prepare_remove

    def populate(self):
        body = {"Image": self.name, "HostConfig": {"Binds": ["filled:/data"], "NetworkMode": "none"}}
        self.ask("POST", "/containers/create?name=filler", (201, 409), body=body)
        self.ask("POST", "/containers/filler/start", (204,))

    # What must be true after a death, before the operation is tried again.

    def check_store(self):
        """I14: each file under blobs/ has its digest, each image is there whole or not at all; I19: nothing was set aside."""
        found = self.engine.api("POST", "/proa/check").json
        assert not found["Findings"], found
        root = self.engine.data_root
        assert not [name for name in os.listdir(root) if "damaged" in name]
        blobs = os.path.join(root, "content/blobs/sha256")
        present = set(os.listdir(blobs))
        for name in present:
            with open(os.path.join(blobs, name), "rb") as file:
                assert hashlib.sha256(file.read()).hexdigest() == name
        for one in self.engine.api("GET", "/images/json?all=1").json:
            for name in [one["Id"], *(one["RepoTags"] or [])]:
                assert self.engine.api("GET", f"/images/{name}/json").status == 200
                self.check_archive(self.engine.api("GET", f"/images/{name}/get"))

    @staticmethod
    def check_archive(reply):
        """By what a saved image says itself: manifests, configuration, blobs and diff IDs belong together."""
        assert reply.status == 200, reply.body
        with tarfile.open(fileobj=io.BytesIO(reply.body)) as tar:
            read = lambda digest: tar.extractfile("blobs/sha256/" + digest.split(":")[1]).read()  # noqa: E731
            for entry in json.load(tar.extractfile("index.json"))["manifests"]:
                manifest = json.loads(read(entry["digest"]))
                config = json.loads(read(manifest["config"]["digest"]))
                assert len(manifest["layers"]) == len(config["rootfs"]["diff_ids"])
                for layer in manifest["layers"]:
                    assert images.digest_of(read(layer["digest"])) == layer["digest"]

    def check_populate(self):
        """A volume is empty or full."""
        data = os.path.join(self.engine.data_root, "volumes/filled/_data")
        found = os.listdir(data) if os.path.exists(data) else []
        assert not found or self.sums_in(data) == SUMS, found

    @staticmethod
    def sums_in(directory):
        out = ""
        for name in sorted(os.listdir(directory)):
            with open(os.path.join(directory, name), "rb") as file:
                out += f"{hashlib.sha256(file.read()).hexdigest()}  {name}\n"
        return out

    # What must be true once the operation was tried again.

    def runs(self, name, sums=SUMS):
        done = self.engine.run("run", "--rm", "--network", "none", name, "sh", "-c", SCRIPT)
        assert done.code == 0 and done.out == sums, done

    def done_pull(self):
        self.runs(self.name)

    done_load = done_pull

    def done_commit(self):
        self.runs("committed:1", SUMS + SUMS.splitlines()[4].replace("file4", "file5") + "\n")
        assert self.engine.run("run", "--rm", "--network", "none", "committed:1", "test", "-e", "/last").code == 1

    def done_push(self):
        manifest = json.load(self.registry.request("GET", "/v2/pushed/manifests/1", headers={"Accept": self.image.manifest_type}))
        for blob in [manifest["config"], *manifest["layers"]]:
            assert images.digest_of(self.registry.request("GET", f"/v2/pushed/blobs/{blob['digest']}").read()) == blob["digest"]

    def done_remove(self):
        assert self.engine.api("GET", f"/images/{self.name}/json").status == 404

    def done_populate(self):
        wait_until(lambda: self.engine.inspect("filler")["State"]["Status"] == "exited")
        assert self.engine.run("logs", "filler").out == SUMS and self.sums_in(os.path.join(self.engine.data_root, "volumes/filled/_data")) == SUMS

    # Back to what was before.

    def undo_pull(self):
        assert self.engine.api("DELETE", f"/images/{self.name}").status == 200

    undo_load = undo_pull
    undo_remove = pull

    def undo_commit(self):
        assert self.engine.api("DELETE", "/images/committed:1").status == 200
        # Committed, but nobody heard of it: the second commit took its name.
        assert self.engine.api("POST", "/images/prune").status == 200

    undo_push = undo_save

    def undo_populate(self):
        assert self.engine.api("DELETE", "/containers/filler?force=1").status == 204
        assert self.engine.api("DELETE", "/volumes/filled").status == 204

    def read_control(self):
        with open(self.control, "rb") as file:
            return CONTROL.unpack(file.read())

    def write_target(self, target, after):
        with open(self.control, "r+b") as file:
            file.seek(16)
            file.write(struct.pack("QQ", target, after))

    def calls(self):
        """How many calls the operation makes, about: they come from several threads."""
        before, after = self.run_armed(0, False)
        self.settle()
        return after - before

    def start_counting(self, target=0):
        with open(self.control, "wb") as file:
            file.write(CONTROL.pack(0, 0, target, 0))
        self.engine.environment = self.environment
        self.engine.start()

    def start_again(self):
        """After a death; the first daemon that tidies up after it may die of that, too."""
        for target in (self.calls_of_start, 0):
            if self.disk:  # containers ended with the machine, and what is under /run went
                shutil.rmtree(self.engine.exec_root, ignore_errors=True)
                self.disk.power_on()
            try:
                self.start_counting(target)
                self.write_target(0, 0)
                self.engine.api("GET", "/_ping")
                return
            except (RuntimeError, OSError, http.client.HTTPException):
                assert target, self.engine.tail()
                self.engine.process.wait(timeout=20)

    def run_armed(self, number, after_call):
        """(calls before, calls after) of the operation in a daemon that dies at its call `number`."""
        self.start_counting()
        wait_until(lambda: os.listdir(f"{self.engine.data_root}/trash") == [])
        self.calls_of_start = first = self.read_control()[0]
        self.write_target(first + number if number else 0, after_call)
        try:
            getattr(self, self.operation)()
        except Died:
            self.engine.process.wait(timeout=20)
        self.write_target(0, 0)
        now = self.read_control()[0]
        if number and now >= first + number:  # perhaps at a call that came after the answer
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.engine.process.wait(timeout=5)
        return first, now

    def at(self, number, after_call=False):
        """The operation is cut at its call `number`, and tried again by the next daemon. False: it made fewer calls."""
        self.run_armed(number, after_call)
        died = self.engine.process.poll() is not None
        if died:
            self.start_again()
            self.check_store()
            getattr(self, f"check_{self.operation}", lambda: None)()
            getattr(self, self.operation)()
        self.settle()
        return died

    def settle(self):
        """What was done is right, can be undone, and nothing stays of it (I13)."""
        getattr(self, f"done_{self.operation}")()
        getattr(self, f"undo_{self.operation}")()
        left = lambda: names_below(self.engine.data_root) ^ self.before  # noqa: E731
        try:
            wait_until(lambda: not left())
        except AssertionError:
            raise AssertionError(f"not as before: {sorted(left())[:10]}") from None
        assert not self.engine.api("POST", "/proa/check").json["Findings"]
        self.stop()

    def stop(self):
        self.engine.kill()
        if self.disk:
            self.disk.sync()
