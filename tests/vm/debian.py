"""A Debian root with systemd, made with debootstrap and kept in the cache, and what a suite takes along into it."""
import glob
import hashlib
import os
import shutil
import subprocess
import sys

# dbus-user-session is how runc finds a user's systemd; ours asks it without a bus.
TOOLS = ["systemd-sysv", "dbus", "iproute2", "procps", "dbus-user-session", "busybox-static", "python3-pytest", "apparmor", "criu", "iptables"]
RUNTIMES = ["crun", "runc"]  # where RUNTIME names one of them

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../support"))
import images  # noqa: E402


def make_package(build, directory):
    """The .deb of a build directory."""
    subprocess.run(["cpack", "-G", "DEB", "-B", directory], cwd=build, check=True, stdout=subprocess.DEVNULL, timeout=300)
    package = glob.glob(os.path.join(directory, "*.deb"))[0]
    shutil.rmtree(os.path.join(directory, "_CPack_Packages"), ignore_errors=True)
    return package


def dependencies(package):
    """The names in Depends: the root gets these, as apt would; dpkg checks the versions."""
    text = subprocess.run(["dpkg-deb", "-f", package, "Depends"], check=True, stdout=subprocess.PIPE, text=True).stdout
    return [one.split()[0] for one in text.split(",")]


def make_root(cache, packages):
    names = ",".join(sorted(set(packages)))
    root = os.path.join(cache, "systemd-" + hashlib.sha256(names.encode()).hexdigest()[:12])
    if os.path.exists(root):
        return root
    print("vm: making a Debian root with debootstrap (a minute and a half, once)", flush=True)
    mirror = [] if "PROA_DEBIAN_MIRROR" not in os.environ else [os.environ["PROA_DEBIAN_MIRROR"]]
    part = root + ".part"
    shutil.rmtree(part, ignore_errors=True)
    log = os.path.join(cache, "debootstrap.log")
    with open(log, "wb") as file:
        done = subprocess.run(["debootstrap", "--variant=minbase", f"--include={names}", "bookworm", part, *mirror], stdout=file,
                              stderr=subprocess.STDOUT, timeout=900)
    if done.returncode != 0:
        with open(log, errors="replace") as file:
            raise RuntimeError("debootstrap failed: " + file.read()[-1500:])
    for leftover in ("var/cache/apt", "var/lib/apt/lists"):
        shutil.rmtree(os.path.join(part, leftover))
    os.rename(part, root)
    return root


def fill(directory, build):
    """The package, an image to load, docker's client. Returns the package's dependencies."""
    package = make_package(build, directory)
    os.rename(package, os.path.join(directory, "proa.deb"))
    shutil.copy("/usr/bin/docker", directory)
    image = images.busybox_image()
    name = images.digest_of(image.config).removeprefix("sha256:") + ".json"
    layer = subprocess.run(["gzip", "-dc"], input=image.layers[0].data, check=True, stdout=subprocess.PIPE).stdout
    manifest = images.json.dumps([{"Config": name, "RepoTags": ["busybox:latest"], "Layers": ["layer.tar"]}]).encode()
    with open(os.path.join(directory, "busybox.tar"), "wb") as file:
        file.write(images.tar_of([("manifest.json", manifest, {}), (name, image.config, {}), ("layer.tar", layer, {})]))
    return dependencies(os.path.join(directory, "proa.deb"))
