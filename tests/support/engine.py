"""An engine under test: proad, or a peer (ENGINE=dockerd) that proves the tests right. Private paths, all removed."""
import glob
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.parse

from machine import lines_of

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.environ.get("PROA_BIN", os.path.join(ROOT, "build/dev/bin"))
PEER = os.environ.get("ENGINE", "proad") == "dockerd"
LAYERS = os.environ.get("PROA_LAYERS", "")  # "directory" or "erofs": of all engines that say nothing themselves
BRIDGE = "proatest0"
SUBNET = "10.213.0.1/24"


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout=60):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Reply:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def message(self):
        return self.json["message"]


class Result:
    def __init__(self, done):
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr

    def __repr__(self):
        return f"exit {self.code}\nstdout: {self.out[-3000:]}\nstderr: {self.err[-3000:]}"


class Engine:
    """Starts, kills and restarts the daemon; calls its API; runs clients against it."""

    there = 0  # how many, for Docker's share one bridge

    def __init__(self, extra_flags=(), environment=None, binary=None, bridge=BRIDGE, subnet=SUBNET):
        self.bridge, self.subnet = bridge, subnet
        self.directory = tempfile.mkdtemp(prefix="proa-test-", dir=os.environ.get("PROA_TEST_DIR", "/tmp"))
        self.data_root = os.path.join(self.directory, "data")
        self.exec_root = os.path.join(self.directory, "run")
        self.socket = os.path.join(self.directory, "api.sock")
        self.log = os.path.join(self.directory, "daemon.log")
        self.host = f"unix://{self.socket}"
        self.extra_flags = list(extra_flags)
        self.environment = environment or {}
        self.binary = binary or ("dockerd" if PEER else os.path.join(BIN, "proad"))
        self.process = None
        self.cgroup_parent = os.path.basename(self.directory)  # its own, so that others may test beside it
        self.tables_before = lines_of(["nft", "list", "tables"])
        Engine.there += 1

    def start(self):
        flags = ["--data-root", self.data_root, "--exec-root", self.exec_root, "-H", self.host,
                 "--pidfile", os.path.join(self.directory, "daemon.pid"), "--bip", self.subnet]
        flags += ["--live-restore"] if PEER else ["--bridge-name", self.bridge, "--cgroup-parent", f"/{self.cgroup_parent}"]
        if LAYERS and not PEER and "--storage-opt" not in self.extra_flags:
            flags += ["--storage-opt", f"proa.layers={LAYERS}"]
        log = open(self.log, "ab")
        self.process = subprocess.Popen([self.binary] + flags + self.extra_flags, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                        env={**os.environ, **self.environment}, start_new_session=True)
        self.wait_ready()
        return self

    def wait_ready(self, seconds=30):
        deadline = time.monotonic() + seconds
        while True:
            try:
                if self.api("GET", "/_ping").status == 200:
                    return
            except (OSError, http.client.HTTPException):
                pass
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the daemon did not start (exit {self.process.poll()}): {self.tail()}")
            time.sleep(0.01)

    def tail(self):
        with open(self.log, errors="replace") as file:
            return file.read()[-3000:]

    def kill(self, signum=signal.SIGKILL):
        self.process.send_signal(signum)
        self.process.wait(timeout=60)

    def restart(self, signum=signal.SIGKILL):
        self.kill(signum)
        return self.start()

    def close(self):
        if self.process and self.process.poll() is None:
            self.clean()
            self.kill(signal.SIGTERM)
        Engine.there -= 1
        if not PEER or Engine.there == 0:
            self.clean_bridge()
        shutil.rmtree(self.directory, ignore_errors=True)

    def clean_bridge(self):
        """A daemon leaves its bridge and its firewall tables to its containers; they go if they were not there before."""
        for bridge in ["docker0"] if PEER else [self.bridge]:
            subprocess.run(["ip", "link", "delete", bridge], stderr=subprocess.DEVNULL)
        for top in ("/sys/fs/cgroup", "/sys/fs/cgroup/*"):
            for parent in glob.glob(f"{top}/{self.cgroup_parent}"):
                os.rmdir(parent)
        for table in sorted(lines_of(["nft", "list", "tables"]) - self.tables_before):
            subprocess.run(["nft", "delete", *table.split()], stderr=subprocess.DEVNULL)

    def clean(self):
        """Removes every container, volume and network that a test made."""
        for container in self.api("GET", "/containers/json?all=1").json:
            self.api("DELETE", f"/containers/{container['Id']}?force=1&v=1")
        for volume in self.api("GET", "/volumes").json.get("Volumes") or []:
            self.api("DELETE", f"/volumes/{urllib.parse.quote(volume['Name'])}?force=1")
        for network in self.api("GET", "/networks").json:
            if network["Name"] not in ("bridge", "host", "none"):
                self.api("DELETE", f"/networks/{network['Id']}")

    def api(self, method, path, body=None, headers=None, timeout=60, raw=None):
        connection = UnixConnection(self.socket, timeout)
        try:
            headers = dict(headers or {})
            data = raw
            if body is not None:
                data = json.dumps(body).encode()
                headers.setdefault("Content-Type", "application/json")
            connection.request(method, path, body=data, headers=headers)
            response = connection.getresponse()
            return Reply(response.status, response.headers, response.read())
        finally:
            connection.close()

    def client(self, program="proa"):
        return os.path.join(BIN, "proa") if program == "proa" else os.environ.get("PROA_DOCKER_CLI", "/usr/bin/docker")

    def environment_for(self, extra=None):
        home = os.path.join(self.directory, "home")
        os.makedirs(home, exist_ok=True)
        return {"PATH": os.environ["PATH"], "HOME": home, "DOCKER_HOST": self.host, "TERM": "xterm", **(extra or {})}

    def run(self, *arguments, program="docker", stdin=b"", timeout=60, env=None, text=True):
        done = subprocess.run([self.client(program), *arguments], input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=timeout, env=self.environment_for(env))
        if text:
            done.stdout, done.stderr = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
        return Result(done)

    def popen(self, *arguments, program="docker", **options):
        return subprocess.Popen([self.client(program), *arguments], env=self.environment_for(), **options)

    def inspect(self, name):
        reply = self.api("GET", f"/containers/{name}/json")
        assert reply.status == 200, reply.body
        return reply.json


def events_of(engine, kind, action):
    """What happened while `action` ran: ["create ID", ...] of objects of one kind."""
    since = time.time()
    action()
    filters = urllib.parse.quote(json.dumps({"type": [kind]}))
    body = engine.api("GET", f"/events?since={since:.6f}&until={time.time():.6f}&filters={filters}").body
    events = [json.loads(line) for line in body.splitlines()]
    return [f"{event['Action']} {event['Actor']['ID']}" for event in events]


def wait_until(condition, seconds=10, what="condition"):
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come true in {seconds} s")
        time.sleep(0.02)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
