"""Attacks that other engines have fallen to, replayed through the API: docs/security.md has the list."""
import base64
import ctypes
import http.client
import io
import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import tarfile
import tempfile
import threading

import images
import pytest
from canaries import SECRET
from engine import Engine, events_of, wait_until

AT_FDCWD, RENAME_EXCHANGE = -100, 2
libc = ctypes.CDLL(None, use_errno=True)


@pytest.fixture
def make(engine, registry):
    """make("name", config={...}, entries=[...]): an image of busybox with these entries on top, pulled; its name."""
    made = []

    def go(name, config=None, entries=(), below=True):
        layers = ([images.Layer(images.busybox_layer())] if below else []) + [images.Layer(images.tar_of(entries))]
        registry.push(name, "1", images.Image(layers, {"Cmd": ["sh"], **(config or {})}))
        made.append(f"{registry.address}/{name}:1")
        done = engine.run("pull", "-q", made[-1])
        assert done.code == 0, done
        return made[-1]

    yield go
    engine.clean()
    for one in made:
        engine.run("rmi", "-f", one)


def link(name, target):
    return name, b"", {"type": tarfile.SYMTYPE, "linkname": target, "size": 0}


def archive(*entries):
    return images.tar_of([(name, data, {}) for name, data in entries])


def put(engine, container, path, data):
    return engine.api("PUT", f"/containers/{container}/archive?path={path}", raw=data, headers={"Content-Type": "application/x-tar"})


class Swapping:
    """Exchanges a directory for a link out of the root, for as long as it is entered."""

    def __init__(self, first, second):
        self.names, self.stop = (first.encode(), second.encode()), threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        while not self.stop.is_set():
            assert libc.renameat2(AT_FDCWD, self.names[0], AT_FDCWD, self.names[1], RENAME_EXCHANGE) == 0

    def __enter__(self):
        self.thread.start()

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()


@pytest.fixture(params=["bind", "volume"])
def swapped(engine, image, tmp_path, marker, request):
    """A running container with /w, in which somebody exchanges the directory d for a link to the host's marker."""
    if request.param == "bind":
        shared, source = str(tmp_path), str(tmp_path)
    else:
        source = "swapped"
        engine.run("volume", "create", source)
        shared = engine.api("GET", "/volumes/swapped").json["Mountpoint"]
    os.mkdir(f"{shared}/d")
    os.symlink(marker, f"{shared}/link")
    with open(f"{shared}/d/canary", "w") as file:
        file.write("inside")
    assert engine.run("run", "-d", "--name", "box", "-v", f"{source}:/w", image, "sleep", "1000").code == 0
    return f"{shared}/d", f"{shared}/link"


@pytest.mark.proves(31, 34, 50, 52)
def test_cp_while_a_directory_is_exchanged_for_a_link(engine, swapped, marker):
    """In a bind and in a volume: the host's file is never read, and nothing is ever written beside it."""
    answers = set()
    with open("/proc/self/mountinfo") as file:
        before = file.read()
    with Swapping(*swapped):
        for n in range(150):
            try:
                got = engine.api("GET", "/containers/box/archive?path=/w/d/canary")
                assert SECRET.encode() not in got.body
                answers.add(got.status)
            except http.client.IncompleteRead as broken:  # gone after it was found
                assert SECRET.encode() not in broken.partial
            head = engine.api("HEAD", "/containers/box/archive?path=/w/d/canary")
            done = put(engine, "box", "/w/d", archive((f"planted{n % 3}", b"x"), ("deep/er", b"x")))
            answers |= {head.status, done.status}
            assert os.listdir(marker) == ["canary"]
    assert 200 in answers and answers <= {200, 400, 404}, answers
    with open("/proc/self/mountinfo") as file:
        assert file.read() == before


@pytest.mark.proves(52)
def test_export_while_a_directory_is_exchanged_for_a_link(engine, image, marker):
    """The container does it in its own root."""
    script = f"mkdir /x; cd /x; mkdir d; echo inside > d/canary; ln -s {marker} link; touch /ready; while :; do mv -T link l2; mv d link; mv -T l2 d; mv d l2; mv link d; mv -T l2 link; done"
    assert engine.run("run", "-d", "--name", "box", image, "sh", "-c", script).code == 0
    wait_until(lambda: engine.run("exec", "box", "ls", "/ready").code == 0)
    for _ in range(10):
        reply = engine.api("GET", "/containers/box/export")
        assert reply.status == 200 and SECRET.encode() not in reply.body
        with tarfile.open(fileobj=io.BytesIO(reply.body)) as tar:
            assert {"etc/passwd", "var"} <= set(tar.getnames())  # it is whole
    engine.run("rm", "-f", "box")


@pytest.mark.proves(50, 31)
@pytest.mark.parametrize("path", ["/proc/1/root/etc/hostname", "/proc/self/root/etc/hostname", "/proc/1/cwd/etc/passwd", "/proc/self/exe", "/proc/self/fd/0"])
def test_cp_through_proc_stays_inside(engine, image, path):
    """The magic links of /proc lead the one who follows them, and that would be the daemon."""
    engine.run("run", "-d", "--name", "box", image, "sleep", "1000")
    reply = engine.api("GET", f"/containers/box/archive?path={path}")
    assert reply.status in (400, 403, 404, 500) or b"sleep" not in reply.body and os.uname().nodename.encode() not in reply.body
    assert put(engine, "box", "/proc/1/root/tmp", archive(("planted", b"x"))).status >= 400
    assert not os.path.exists("/tmp/planted")


def facts_of(*paths):
    found = [os.lstat(path) for path in paths]
    return [(path, one.st_mode, one.st_uid, one.st_gid, one.st_mtime_ns, os.listxattr(path, follow_symlinks=False)) for path, one in zip(paths, found)]


@pytest.mark.proves(84)
def test_attributes_of_links_are_set_on_nothing_that_they_lead_to(engine, make, image, marker):
    """Owner, mode, times, attributes, capabilities; also those that are set last, of directories that became links."""
    canary = f"{marker}/canary"
    own = {"mode": 0o6777, "uid": 1234, "gid": 1234, "mtime": 1, "pax_headers": {
        "SCHILY.xattr.trusted.planted": "x", "SCHILY.xattr.user.planted": "x", "SCHILY.xattr.security.planted": "x", "SCHILY.acl.access": "user::rwx,group::rwx,other::rwx"}}
    entries = [("planted", b"", {"type": tarfile.SYMTYPE, "linkname": canary, "size": 0, **own}),
               ("again", b"", {"type": tarfile.LNKTYPE, "linkname": "planted", "size": 0, **own}),
               ("became", None, own), ("became", b"", {"type": tarfile.SYMTYPE, "linkname": marker, "size": 0, **own}),
               ("under", None, own), ("under/deep", None, own), ("under", b"", {"type": tarfile.SYMTYPE, "linkname": marker, "size": 0}),
               ("file", b"x", own), ("file", b"", {"type": tarfile.SYMTYPE, "linkname": canary, "size": 0, **own})]
    before = facts_of(marker, canary)
    name = make("attributes", entries=entries)
    assert facts_of(marker, canary) == before
    engine.run("run", "-d", "--name", "box", name, "sleep", "1000")
    shown = engine.run("exec", "box", "stat", "-c", "%n %u %F", "/planted", "/became", "/file").out.splitlines()
    assert shown == [f"/{link} 1234 symbolic link" for link in ("planted", "became", "file")]
    for target in ("/home", "/"):
        assert put(engine, "box", target, images.tar_of(entries)).status == 200
        assert facts_of(marker, canary) == before
    assert engine.run("exec", "box", "readlink", "/home/became").out == f"{marker}\n"


@pytest.mark.proves(32, 33, 51)
def test_nothing_of_the_image_is_executed_or_loaded_outside_it(engine, make, marker):
    """Decompressors, ps, and the libraries that a name lookup would load: each would write beside the marker."""
    evil = f"#!/bin/sh\ntouch {marker}/executed /executed\n".encode()
    programs = ("xz", "unpigz", "gzip", "gunzip", "zstd", "bzip2", "tar", "ps", "nsenter", "mount", "newuidmap")
    entries = [(f"usr/bin/{name}", evil, {"mode": 0o755}) for name in programs]
    entries += [(f"lib/x86_64-linux-gnu/{name}", b"\x7fELF", {"mode": 0o755}) for name in ("libnss_files.so.2", "libnss_evil.so.2", "libc.so.6")]
    entries += [("etc/nsswitch.conf", b"passwd: evil\ngroup: evil\n", {}), ("usr/lib/gconv/gconv-modules", b"module INTERNAL EVIL// evil 1\n", {})]
    image = make("evil", {"Env": ["PATH=/usr/bin:/bin", "LD_PRELOAD=/lib/x86_64-linux-gnu/libnss_evil.so.2"]}, entries)
    assert engine.run("run", "-d", "--name", "box", "-u", "www-data", image, "/bin/sleep", "1000").code == 0
    plain = archive(("f", b"content"))
    for command in (["xz", "-c"], ["gzip", "-c"], ["zstd", "-q", "-c"], ["bzip2", "-c"]):
        packed = subprocess.run(command, input=plain, stdout=subprocess.PIPE, check=True).stdout
        assert put(engine, "box", "/tmp", packed).status == 200, command
        broken = put(engine, "box", "/tmp", packed[:20] + b"junk" * 100)
        assert broken.status >= 400, command
    top = engine.run("top", "box")
    assert top.code == 0 and "sleep" in top.out
    assert engine.run("cp", "box:/etc/passwd", "-").code == 0
    assert engine.api("GET", "/containers/box/export").status == 200
    assert engine.run("commit", "box", "evil:2").code == 0 and engine.run("rmi", "evil:2").code == 0
    assert os.listdir(marker) == ["canary"]
    assert engine.run("exec", "box", "/bin/ls", "/executed").code != 0


@pytest.mark.ours
@pytest.mark.proves(36)
@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_other_users_see_nothing_of_the_state(registry, umask):
    """Whatever the umask of who starts it, and again after somebody has opened its directory."""
    before = os.umask(umask)
    try:
        daemon = Engine(bridge="proatest6", subnet="10.218.0.1/24")
        os.chmod(daemon.directory, 0o755)
        daemon.start()
    finally:
        os.umask(before)
    try:
        name = f"{registry.address}/busybox:latest"
        assert daemon.run("pull", "-q", name).code == 0
        assert daemon.run("run", "-d", "--name", "box", "-v", "secrets:/s", "-e", "PASSWORD=x", name, "sleep", "1000").code == 0
        for _ in range(2):
            look = f"for top in {daemon.data_root} {daemon.exec_root}; do find $top -mindepth 1 2>/dev/null; done; cat {daemon.socket} 2>/dev/null; true"
            seen = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "sh", "-c", look], stdout=subprocess.PIPE, text=True, check=True).stdout
            assert seen == ""
            knock = "import socket,sys; s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])"
            refused = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "/usr/bin/python3", "-c", knock, daemon.socket], stderr=subprocess.PIPE)
            assert b"PermissionError" in refused.stderr
            os.chmod(daemon.data_root, 0o777)
            daemon.restart()
    finally:
        daemon.close()


@pytest.mark.proves(42, 61)
def test_nothing_of_ours_is_reached_from_the_hosts_network(engine, image, sh):
    """Abstract sockets belong to the network namespace: a container on the host's would reach them."""
    engine.run("run", "-d", "--name", "other", image, "sleep", "1000")
    names = sh("cat /proc/net/unix", "--network", "host")
    assert not [line for line in names.splitlines() if " @" in line and re.search("proa|shim", line)]
    listening = sh("netstat -ltn", "--network", "host")
    assert ":2375" not in listening and ":2376" not in listening


@pytest.mark.proves(43)
def test_containers_of_one_image_share_nothing(engine, make):
    image = make("shared", {"Env": ["FROM=image"], "Labels": {"from": "image"}, "Volumes": {"/v": {}}})

    def create(n):
        body = {"Image": image, "Cmd": ["env"], "Env": [f"OWN={n}"], "Labels": {"own": str(n)}, "HostConfig": {"Binds": [f"volume{n}:/v"]}}
        assert engine.api("POST", f"/containers/create?name=c{n}", body).status == 201

    threads = [threading.Thread(target=create, args=(n,)) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for n in range(12):
        found = engine.inspect(f"c{n}")
        assert [one for one in found["Config"]["Env"] if one.startswith("OWN")] == [f"OWN={n}"]
        assert found["Config"]["Labels"] == {"from": "image", "own": str(n)}
        assert [mount["Name"] for mount in found["Mounts"]] == [f"volume{n}"]
    document = engine.api("GET", f"/images/{image}/json").json["Config"]
    assert "FROM=image" in document["Env"] and not [one for one in document["Env"] if one.startswith("OWN")] and document["Labels"] == {"from": "image"}


@pytest.mark.proves(44, 27)
@pytest.mark.parametrize("volume", ["/../../../../hostmarker", "/v", "/v/deep", "/rel/../../hostmarker"])
def test_a_volume_of_the_image_holds_nothing_of_the_host(engine, make, marker, volume):
    image = make("volumes", {"Volumes": {volume: {}}}, [link("v", marker), link("hostmarker", marker)])
    done = engine.run("run", "--name", "box", image, "sh", "-c", "find / -name canary 2>/dev/null; cat /v/canary /hostmarker/canary 2>/dev/null; true")
    assert "canary" not in done.out and SECRET not in done.out, done
    for one in engine.api("GET", "/volumes").json["Volumes"] or []:
        assert os.listdir(one["Mountpoint"]) == []


@pytest.mark.proves(27, 53)
@pytest.mark.parametrize("name", ["etc", "etc/hosts", "etc/hostname", "etc/resolv.conf", ".dockerenv", "dev", "dev/shm", "run", "w"])
def test_what_the_engine_makes_in_a_root_follows_no_link(engine, make, marker, name):
    """The place of a generated file, of a mount or of the working directory is a link to the host's marker, or to a file in it."""
    target = marker if name in ("etc", "dev", "run", "w", "dev/shm") else f"{marker}/{name.rsplit('/', 1)[-1]}"
    layer = images.tar_of([("bin/busybox", open("/bin/busybox", "rb").read(), {"mode": 0o755}), ("proc/", None, {}), ("sys/", None, {}), link(name, target)])
    image = make("linked", {"WorkingDir": "/w/new", "Cmd": ["/bin/busybox", "true"]}, [], below=False)
    del image
    image = from_layer(engine, layer)
    try:
        engine.run("run", "--name", "box", "-w", "/w/new", "-h", "name", "--add-host", "a:192.0.2.1", "--tmpfs", "/run/t", image, "/bin/busybox", "true")
        engine.run("run", "--name", "init", "--init", "-w", "/w/new", image, "/bin/busybox", "true")
        assert os.listdir(marker) == ["canary"]
    finally:
        engine.clean()
        engine.run("rmi", "-f", image)


def from_layer(engine, layer):
    """An image of one layer, imported."""
    reply = engine.api("POST", "/images/create?fromSrc=-&repo=linked&tag=2", raw=layer, headers={"Content-Type": "application/x-tar"})
    assert reply.status == 200 and b"error" not in reply.body, reply.body
    return "linked:2"


@pytest.mark.proves(22)
@pytest.mark.parametrize("file", ["passwd", "group"])
@pytest.mark.parametrize("kind", ["fifo", "device", "link to a device", "link to the host", "long line", "too large"])
def test_users_are_looked_up_in_an_ordinary_file_of_bounded_size(engine, make, file, kind):
    own = {"fifo": ("", b"", {"type": tarfile.FIFOTYPE}), "device": ("", b"", {"type": tarfile.CHRTYPE, "devmajor": 1, "devminor": 5}),
           "link to a device": link("", "/dev/zero"), "link to the host": link("", "/../../../../../etc/" + file),
           "long line": ("", b"root:x:0:0:" + b"x" * (1 << 20) + b":/:/bin/sh\n", {}), "too large": ("", b"#\n" * (8 << 20), {})}[kind]
    image = make("users", {}, [(f"etc/{file}", *own[1:])])
    done = engine.run("run", "--rm", "-u", "www-data:www-data", image, "id", timeout=30)
    assert done.code != 0 and ("unable to find user www-data" in done.err or "unable to find group www-data" in done.err or "etc/" + file in done.err), done
    assert "uid=0" not in done.out


@pytest.mark.ours
@pytest.mark.proves(54, 55)
def test_the_daemons_environment_reaches_no_container(registry):
    """Not by run, exec, a health check or an image's variables without a value."""
    daemon = Engine(bridge="proatest6", subnet="10.218.0.1/24", environment={"CANARY": "from-the-host", "AWS_SECRET_ACCESS_KEY": "from-the-host"})
    daemon.start()
    try:
        layers = [images.Layer(images.busybox_layer())]
        registry.push("variables", "1", images.Image(layers, {"Cmd": ["sh"], "Env": ["CANARY", "AWS_SECRET_ACCESS_KEY", "*", "A", "PATH=/bin"]}))
        name = f"{registry.address}/variables:1"
        assert daemon.run("pull", "-q", name).code == 0
        check = ["--health-cmd", "env > /health", "--health-interval", "1s"]
        assert daemon.run("run", "-d", "--name", "box", *check, name, "sh", "-c", "env > /run-env; sleep 1000").code == 0
        wait_until(lambda: daemon.run("exec", "box", "ls", "/health").code == 0)
        seen = daemon.run("exec", "box", "sh", "-c", "env; cat /health /run-env; tr '\\0' '\\n' < /proc/1/environ").out
        assert "PATH=/bin" in seen and "from-the-host" not in seen
        assert "from-the-host" not in json.dumps(daemon.inspect("box"))
    finally:
        daemon.close()


@pytest.mark.proves(25, 47)
def test_labels_of_an_image_mean_nothing_to_the_engine(engine, make, marker):
    labels = {"containerd.io/restart.status": "running", "containerd.io/restart.loguri": f"binary:///bin/touch?{marker}/executed", "com.docker.compose.project": "x",
              "proa.runtime": "nosuch", "proa.restart": "always", "io.podman.annotations.privileged": "TRUE", "org.systemd.property.ExecStartPre": "x",
              "com.docker.desktop.privileged": "1", "run.oci.handler": "krun", "io.kubernetes.cri-o.Devices": "/dev/kmsg"}
    image = make("labels", {"Labels": labels})
    done = engine.run("run", "--name", "box", image, "sh", "-c", "grep -E 'CapEff|Seccomp:' /proc/self/status; ls /dev/kmsg")
    assert "00000000a80425fb" in done.out and "Seccomp:\t2" in done.out and "/dev/kmsg\n" not in done.out
    found = engine.inspect("box")
    assert found["Config"]["Labels"] == labels and found["HostConfig"]["RestartPolicy"]["Name"] in ("", "no") and not found["HostConfig"]["Privileged"]
    assert not found["State"]["Running"] and os.listdir(marker) == ["canary"]


@pytest.mark.proves(52)
def test_a_volume_that_holds_something_is_not_overwritten(engine, image):
    engine.run("volume", "create", "filled")
    place = engine.api("GET", "/volumes/filled").json["Mountpoint"]
    with open(f"{place}/passwd", "w") as file:
        file.write("mine")
    assert engine.run("run", "--rm", "-v", "filled:/etc", image, "cat", "/etc/passwd").out == "mine"
    assert os.listdir(place) == ["passwd"] or "group" not in os.listdir(place)


@pytest.mark.proves(56, "I7")
def test_what_containers_shared_goes_with_the_last(engine, image):
    """Shared memory of a donor and its guests, over several lives; its mount and cgroups too."""
    for _ in range(5):
        engine.run("run", "-d", "--name", "donor", "--ipc", "shareable", "--shm-size", "16m", image, "sh", "-c", "dd if=/dev/zero of=/dev/shm/f bs=1M count=12; sleep 1000")
        wait_until(lambda: engine.run("exec", "donor", "sh", "-c", "[ $(wc -c < /dev/shm/f) = 12582912 ]").code == 0)
        full = engine.run("run", "--rm", "--ipc", "container:donor", image, "dd", "if=/dev/zero", "of=/dev/shm/g", "bs=1M", "count=12")
        assert full.code != 0 and "No space left" in full.err
        identity = engine.inspect("donor")["Id"]
        engine.run("rm", "-f", "donor")
        wait_until(lambda: not subprocess.run(["find", "/sys/fs/cgroup", "-name", f"*{identity}*"], stdout=subprocess.PIPE).stdout, what="no cgroup is left")
        with open("/proc/self/mountinfo") as file:
            assert identity not in file.read()


@pytest.mark.proves(45, "F14", "F19")
def test_output_that_nobody_reads_costs_no_memory(engine, image):
    """An exec whose client never reads, and a health check that writes without end."""
    check = ["--health-cmd", "cat /dev/zero | head -c 50000000", "--health-interval", "1s", "--health-timeout", "20s"]
    assert engine.run("run", "-d", "--name", "box", *check, image, "sleep", "1000").code == 0
    reader = engine.popen("exec", "box", "cat", "/dev/zero", stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: engine.inspect("box")["State"]["Health"]["Log"], 30)
        written = engine.inspect("box")["State"]["Health"]["Log"][0]["Output"]
        assert len(written) <= 4096 + 100
        memory = {}
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/status") as file:
                    text = file.read()
                with open(f"/proc/{pid}/cmdline") as file:
                    words = file.read()
            except OSError:
                continue
            if engine.directory in words and re.match(r"Name:\tproa", text):
                memory[words[:60]] = int(re.search(r"RssAnon:\s+(\d+)", text)[1])
        assert memory and max(memory.values()) < 64 << 10, memory
    finally:
        reader.kill()
        reader.wait()
        reader.stdout.close()


@pytest.mark.proves(59)
def test_secrets_are_written_nowhere(engine, registry, image):
    """A password in a header of a request, and in a URL: not in the debug log, the events, or the state; but where the user put it."""
    auth = base64.urlsafe_b64encode(json.dumps({"username": "u", "password": "canary-of-a-secret", "serveraddress": registry.address}).encode()).decode()
    engine.api("POST", f"/images/create?fromImage={registry.address}/nosuch&tag=1", raw=b"", headers={"X-Registry-Auth": auth})
    engine.api("POST", f"/images/create?fromImage={registry.address}/busybox&tag=latest", raw=b"", headers={"X-Registry-Auth": auth})
    engine.api("POST", "/auth", {"username": "u", "password": "canary-of-a-secret", "serveraddress": registry.address})
    engine.api("POST", "/images/create?fromSrc=http://user:canary-of-a-secret@127.0.0.1:1/x.tar&repo=x", raw=b"")
    found = subprocess.run(["grep", "-rl", "canary-of-a-secret", engine.directory], stdout=subprocess.PIPE, text=True).stdout
    assert found == ""


@pytest.mark.proves("I20", "F12")
def test_each_waiter_has_one_result(engine, image):
    engine.run("run", "-d", "--name", "box", image, "sh", "-c", "trap 'exit 7' TERM; touch /ready; while :; do sleep 0.1; done")
    wait_until(lambda: engine.run("exec", "box", "ls", "/ready").code == 0)
    waiters = [engine.popen("wait", "box", stdout=subprocess.PIPE) for _ in range(12)]
    wait_until(lambda: all(waiter.poll() is None for waiter in waiters))

    def stop():
        threads = [threading.Thread(target=engine.run, args=("stop", "-t", "20", "box")) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    events = events_of(engine, "container", stop)
    assert [waiter.communicate(timeout=30)[0] for waiter in waiters] == [b"7\n"] * 12
    assert [event.split(" ")[0] for event in events].count("die") == 1


@pytest.mark.ours
@pytest.mark.proves("F3")
def test_connections_beyond_the_descriptors_are_waited_out(engine, image, registry):
    """A daemon with few descriptors and more idle clients than that: it neither ends nor spins, and answers when they go."""
    daemon = Engine(bridge="proatest6", subnet="10.218.0.1/24").start()
    try:
        pid = daemon.process.pid
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (64, 64))
        idle = []
        for _ in range(200):
            connection = socket.socket(socket.AF_UNIX)
            connection.setblocking(False)
            idle.append(connection)
            if connection.connect_ex(daemon.socket) != 0:
                break

        def used():
            with open(f"/proc/{pid}/stat") as file:
                fields = file.read().rsplit(")", 1)[1].split()
            return int(fields[11]) + int(fields[12])

        before = used()
        threading.Event().wait(1)
        assert used() - before < 50, "a second of waiting costs half a second of a processor"
        for connection in idle:
            connection.close()
        wait_until(lambda: daemon.api("GET", "/_ping").status == 200)
        assert daemon.process.poll() is None
    finally:
        daemon.close()


@pytest.mark.ours
@pytest.mark.proves("F8", 31)
def test_a_number_that_another_process_has_by_now(registry, marker):
    """The container has ended, the daemon has not heard of it yet, and a process of the host has got its number: cp and exec must not
    take that one's root for the container's."""
    stop = tempfile.mkdtemp(prefix="proa-stop-")
    daemon = Engine(bridge="proatest6", subnet="10.218.0.1/24", environment={"PROA_FAILPOINTS_ON": "monitor.before_exit=pause", "PROA_FAILPOINTS_DIR": stop})
    other = None
    try:
        daemon.start()
        name = f"{registry.address}/busybox:latest"
        assert daemon.run("pull", "-q", name).code == 0
        assert daemon.run("run", "-d", "--name", "box", name, "sleep", "1000").code == 0
        pid = daemon.inspect("box")["State"]["Pid"]
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: os.path.exists(f"{stop}/monitor.before_exit.hit") and not os.path.exists(f"/proc/{pid}"))
        for _ in range(2000):  # others take numbers meanwhile
            with open("/proc/sys/kernel/ns_last_pid", "w") as file:
                file.write(str(pid - 1))
            other = subprocess.Popen(["sleep", "1000"])
            if other.pid == pid:
                break
            other.kill()
            other.wait()
        assert other.pid == pid and daemon.inspect("box")["State"]["Running"]
        got = daemon.api("GET", f"/containers/box/archive?path={marker}/canary")
        assert got.status == 409 and SECRET.encode() not in got.body
        assert put(daemon, "box", marker, archive(("planted", b"x"))).status == 409
        execution = daemon.api("POST", "/containers/box/exec", {"Cmd": ["true"]}).json["Id"]
        assert daemon.api("POST", f"/exec/{execution}/start", {"Detach": True}).status >= 400
    finally:
        open(f"{stop}/monitor.before_exit.go", "w").close()
        if other:
            other.kill()
            other.wait()
        daemon.close()
        shutil.rmtree(stop)


@pytest.mark.proves("F4")
def test_what_needs_memory_that_is_not_there_fails_alone(image, registry, tmp_path):
    """No address space for threads, buffers and pipes: each request is answered, nothing is half done, and with memory
    again all of it works; who runs meanwhile runs on."""
    daemon = Engine(bridge="proatest1", subnet="10.215.0.1/24")
    try:
        daemon.start()
        assert daemon.run("pull", "-q", image).code == 0
        assert daemon.run("run", "-d", "--name", "before", image, "sleep", "1000").code == 0
        archive = str(tmp_path / "saved.tar")
        assert daemon.run("save", "-o", archive, image).code == 0
        pid, failed = daemon.process.pid, 0
        with open(f"/proc/{pid}/statm") as file:
            used = int(file.read().split()[0]) * 4096
        for spare in (0, 4 << 20, 12 << 20, 40 << 20):
            resource.prlimit(pid, resource.RLIMIT_AS, (used + spare, resource.RLIM_INFINITY))
            for words in (("load", "-i", archive), ("pull", "-q", image), ("run", "--rm", image, "true"), ("exec", "before", "true"), ("commit", "before", "made:1"), ("ps", "-a"), ("logs", "before")):
                failed += daemon.run(*words).code != 0
            assert daemon.process.poll() is None, daemon.tail()
        assert failed, "there was too much memory"
        resource.prlimit(pid, resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        assert daemon.run("exec", "before", "echo", "runs on").out == "runs on\n"
        for words in (("load", "-i", archive), ("pull", "-q", image), ("run", "--rm", image, "true"), ("commit", "before", "made:1")):
            done = daemon.run(*words)
            assert done.code == 0, done
        # Docker's client makes a container, then asks for its streams: where that was refused, what it made waits for a start.
        waiting = [one for one in daemon.api("GET", "/containers/json?all=1").json if one["Names"] != ["/before"]]
        for one in waiting:
            assert one["State"] == "created" and daemon.inspect(one["Id"])["State"]["StartedAt"].startswith("0001-"), one
            assert daemon.run("rm", one["Id"]).code == 0
        assert daemon.run("system", "check", program="proa").code == 0
    finally:
        daemon.close()
