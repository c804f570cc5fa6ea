"""A runtime by its command line, and bundles for it. RUNTIME=/usr/sbin/runc makes the tests judge another runtime."""
import contextlib
import copy
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import uuid

HERE = os.path.dirname(os.path.abspath(__file__))
OURS = os.path.join(os.environ.get("PROA_BIN", os.path.join(HERE, "../../build/dev/bin")), "proa-runtime")
PROGRAM = os.path.realpath(os.environ.get("RUNTIME", OURS))
NAME = os.path.basename(PROGRAM)
IS_OURS = NAME == "proa-runtime"
SELINUX = os.path.exists("/sys/fs/selinux/enforce")
UNIFIED = os.path.exists("/sys/fs/cgroup/cgroup.controllers")
SYSTEMD = "SYSTEMD_CGROUP" in os.environ  # the same tests by the systemd driver: tests/vm/run systemd
DRIVER = ("--systemd-cgroup",) if SYSTEMD else ()
CAPS = ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_MKNOD", "CAP_NET_RAW", "CAP_SETGID",
        "CAP_SETUID", "CAP_SETFCAP", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_KILL", "CAP_AUDIT_WRITE"]
BASE = {
    "ociVersion": "1.0.2",
    "process": {
        "user": {"uid": 0, "gid": 0},
        "args": ["true"],
        "env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
        "cwd": "/",
        "capabilities": {"bounding": CAPS, "effective": CAPS, "permitted": CAPS},
    },
    "root": {"path": "rootfs"},
    "hostname": "box",
    "mounts": [
        {"destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid", "noexec", "nodev"]},
        {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
        {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
         "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]},
        {"destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]},
        {"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue", "options": ["nosuid", "noexec", "nodev"]},
        {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "noexec", "nodev", "ro"]},
    ],
    "linux": {
        "namespaces": [{"type": kind} for kind in ("pid", "network", "ipc", "uts", "mount")],
        "resources": {"devices": [{"allow": False, "access": "rwm"}]},
    },
}


class Result:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    def __repr__(self):
        return f"exit {self.code}\n--- out\n{self.out}\n--- err\n{self.err}"

    def has_failed(self, *words):
        """The exit code is not 0, and one of the words is in what was said."""
        said = (self.out + self.err).lower()
        return self.code != 0 and (not words or any(word.lower() in said for word in words))


def run_program(argv, input=None, timeout=60, **options):
    """Output goes through files: a container that lives on keeps a pipe open."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        source = {"stdin": subprocess.DEVNULL} if input is None else {"input": input.encode()}
        done = subprocess.run(argv, stdout=out, stderr=err, timeout=timeout, **{**source, **options})
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode(errors="replace"))
    return Result(done.returncode, *texts)


@contextlib.contextmanager
def descriptors_of_the_caller():
    """What to put before a command that shall have directories and a file of the host's open, as 3, 4 and 9 and more."""
    held = [os.open(path, os.O_RDONLY) for path in ("/", "/etc", "/etc/hosts")]
    try:
        for fd in held:
            os.set_inheritable(fd, True)
        yield ["sh", "-c", 'exec "$@" ' + " ".join(f"{number}</proc/self/fd/{fd}" for number, fd in zip((3, 4, 9), held)), "sh"]
    finally:
        for fd in held:
            os.close(fd)


def descriptors_of(pid):
    """number -> what it is."""
    return {int(number): os.readlink(f"/proc/{pid}/fd/{number}") for number in os.listdir(f"/proc/{pid}/fd")}


def are_a_terminal(pid):
    return all(os.major(os.stat(f"/proc/{pid}/fd/{number}").st_rdev) == 136 for number in range(3))


APPARMOR = os.path.exists("/sys/kernel/security/apparmor/profiles") and shutil.which("apparmor_parser")


@contextlib.contextmanager
def apparmor_profile(name, *rules):
    """It allows everything that the rules do not deny."""
    text = f"profile {name} flags=(attach_disconnected) {{ file, capability, network, mount, umount, signal, ptrace, unix, {' '.join(rules)} }}"
    subprocess.run(["apparmor_parser", "--replace"], input=text.encode(), check=True)
    try:
        yield
    finally:
        with open("/sys/kernel/security/apparmor/.remove", "w") as file:
            file.write(name)


def make_rootfs(path):
    """busybox and what it needs, the applets as links."""
    for name in ("bin", "dev", "etc", "home", "mnt", "proc", "root", "sys", "tmp", "var"):
        os.makedirs(os.path.join(path, name))
    os.chmod(os.path.join(path, "tmp"), 0o1777)
    shutil.copy2("/bin/busybox", os.path.join(path, "bin/busybox"))
    for name in subprocess.run(["/bin/busybox", "--list"], stdout=subprocess.PIPE, check=True, text=True).stdout.split():
        if name != "busybox":
            os.symlink("busybox", os.path.join(path, "bin", name))
    with open(os.path.join(path, "etc/passwd"), "w") as file:
        file.write("root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/home:/bin/sh\n1001:x:0:0::/:/bin/sh\n")
    with open(os.path.join(path, "etc/group"), "w") as file:
        file.write("root:x:0:\ntty:x:5:\n")
    return path


def make_tools(box):
    """tools.c, as /bin/tools."""
    subprocess.run(["gcc", "-static", "-O1", "-o", box.path("rootfs/bin/tools"), os.path.join(HERE, "tools.c")], check=True)


def paths_of(value, path=""):
    """Every field in a document: linux.resources.memory.limit; what is below names chosen freely is left out."""
    if isinstance(value, list):
        return {found for one in value for found in paths_of(one, path)}
    if not isinstance(value, dict):
        return set()
    free = path in ("annotations", "linux.sysctl", "linux.resources.unified", "linux.timeOffsets", "linux.netDevices", "linux.resources.rdma")
    found = set()
    for key, below in value.items():
        here = path if free else f"{path}.{key}".lstrip(".")
        found |= {here} | paths_of(below, here + ".*" if free else here)
    return found


def record_fields(config, done):
    """For scripts/draw-conformance: what this test has asked for, and what came of it."""
    if log := os.environ.get("PROA_FIELDS_LOG"):
        with open(log, "a") as file:
            test = os.environ["PYTEST_CURRENT_TEST"].split(" ")[0]
            file.write(json.dumps({"test": test, "fields": sorted(paths_of(config)), "code": done.code, "err": done.err[-300:]}) + "\n")


class Runtime:
    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="proa-runtime-test-")
        os.chmod(self.directory, 0o755)
        self.root = os.path.join(self.directory, "state")
        self.template = make_rootfs(os.path.join(self.directory, "template"))

    def __call__(self, *words, globals=(), **options):
        return run_program([PROGRAM, "--root", self.root, *globals, *map(str, words)], **options)

    def close(self):
        shutil.rmtree(self.directory, ignore_errors=True)


class Box:
    """One bundle and its container. `config` may be changed freely until it is used."""

    def __init__(self, runtime):
        self.runtime = runtime
        self.id = "t" + uuid.uuid4().hex[:10]
        self.bundle = os.path.join(runtime.directory, self.id)
        self.rootfs = os.path.join(self.bundle, "rootfs")
        shutil.copytree(runtime.template, self.rootfs, symlinks=True, copy_function=os.link)
        os.chmod(os.path.join(self.rootfs, "tmp"), 0o1777)
        self.config = copy.deepcopy(BASE)
        self.set_group()
        self.globals = ()

    linux = property(lambda self: self.config["linux"])
    process = property(lambda self: self.config["process"])
    resources = property(lambda self: self.linux["resources"])

    def set_group(self):
        """Where its cgroup is, below each hierarchy, and how the specification says so."""
        if SYSTEMD:
            self.group, self.linux["cgroupsPath"] = f"/proatest.slice/box-{self.id}.scope", f"proatest.slice:box:{self.id}"
        else:
            self.group = self.linux["cgroupsPath"] = f"/proa-runtime-test/{self.id}"

    def path(self, *parts):
        """A path of the host below the bundle."""
        return os.path.join(self.bundle, *parts)

    def mount(self, destination, kind, source, *options, **more):
        self.config["mounts"].append({"destination": destination, "type": kind, "source": str(source), "options": list(options), **more})

    def bind(self, source, destination, *options, **more):
        self.mount(destination, "bind", source, *(options or ("rbind",)), **more)

    def namespace(self, kind, path=None, absent=False):
        kept = [one for one in self.linux["namespaces"] if one["type"] != kind]
        self.linux["namespaces"] = kept if absent else kept + [{"type": kind, **({"path": path} if path else {})}]

    def map_user(self, host=100000, size=65536):
        self.namespace("user")
        mapping = [{"containerID": 0, "hostID": host, "size": size}]
        self.linux["uidMappings"] = self.linux["gidMappings"] = mapping
        for parent, _, _ in os.walk(self.rootfs):
            os.chown(parent, host, host)

    def save(self):
        with open(self.path("config.json"), "w") as file:
            json.dump(self.config, file)

    def call(self, *words, **options):
        done = self.runtime(*words, globals=(*DRIVER, *self.globals), **options)
        if words[0] in ("run", "create", "restore"):
            record_fields(self.config, done)
        return done

    def args(self, script):
        self.process["args"] = ["sh", "-c", script] if isinstance(script, str) else list(script)

    def run(self, script=None, flags=(), **options):
        if script is not None:
            self.args(script)
        self.save()
        return self.call("run", "-b", self.bundle, *flags, self.id, **options)

    def sh(self, script, **options):
        """What the script writes; it must succeed."""
        done = self.run(script, **options)
        assert done.code == 0, done
        return done.out.strip()

    def create(self, script="sleep 1000", flags=(), **options):
        self.args(script)
        self.save()
        return self.call("create", "-b", self.bundle, *flags, self.id, **options)

    def start(self, script="sleep 1000", flags=()):
        done = self.create(script, flags)
        assert done.code == 0, done
        done = self.call("start", self.id)
        assert done.code == 0, done
        return self.pid()

    def exec(self, *words, flags=(), **options):
        return self.call("exec", *flags, self.id, *words, **options)

    def state(self):
        done = self.call("state", self.id)
        assert done.code == 0, done
        return json.loads(done.out)

    def status(self):
        return self.state()["status"]

    def pid(self):
        return self.state()["pid"]

    def wait_for(self, status, seconds=10):
        wait_until(lambda: self.status() == status, seconds)

    def cgroup(self, controller):
        """The container's directory of a v1 controller, or its only one."""
        top = "/sys/fs/cgroup" if UNIFIED else f"/sys/fs/cgroup/{controller}"
        return top + self.group

    def limit(self, controller, file):
        with open(os.path.join(self.cgroup(controller), file)) as opened:
            return opened.read().strip()

    def close(self):
        self.call("delete", "--force", self.id)
        # A runtime that fails half-way may leave its group behind.
        for top in ["/sys/fs/cgroup"] if UNIFIED else [f"/sys/fs/cgroup/{name}" for name in os.listdir("/sys/fs/cgroup")]:
            for path in (top + self.group, f"{top}/proa-runtime-test"):
                try:
                    os.rmdir(path)
                except OSError:
                    pass
        shutil.rmtree(self.bundle, ignore_errors=True)


def wait_until(condition, seconds=10):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.01)


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
