"""The images that bench/images.py measures with, made from Debian packages and kept between runs: the gzip files and zstd's, about 0.8 GB."""
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../tests/support"))
import images  # noqa: E402

PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
CONFIG = {"Cmd": ["bash"], "Env": [PATH]}
# What each layer above Debian's brings, with all that it needs and no layer below it has.
LAYERS = [
    ["python3", "ca-certificates", "git"],
    ["build-essential"],
    ["nodejs"],
    ["npm"],
    ["python3-numpy", "python3-dev"],
    ["python3-pandas", "python3-requests"],
    ["python3-django", "python3-sympy", "python3-twisted"],
    ["webpack", "eslint", "node-typescript", "python3-boto3"],
    ["python3-pip", "python3-venv", "gyp", "python3-sphinx", "python3-docutils", "python3-jedi", "python3-babel"],
]


def one_layer_image(cache):
    """221 MB in one gzip layer of 79 MB."""
    return images.Image([images.debian_layer(cache, "debian-python", ["python3", "ca-certificates"])], CONFIG)


def layers(cache, compression):
    """Ten layers of 1.2 GB and 53,000 files in all, 345 MB as gzip."""
    made = [images.debian_layer(cache, compression=compression)]
    for number in range(len(LAYERS)):
        made.append(images.KeptLayer(cache, f"stack-{number}", lambda tar: make_layer(cache, number, tar), compression))
    return made


def image(cache, compression):
    return images.Image(layers(cache, compression), CONFIG, oci=True)


def without_top(cache):
    return images.Image(layers(cache, "gzip")[:-1], CONFIG, oci=True)


def top_alone(cache):
    return images.Image(layers(cache, "gzip")[-1:], CONFIG, oci=True)


def make_layer(cache, number, tar):
    """The packages' files and nothing else: what their scripts would make is not wanted here."""
    root = os.path.join(cache, "stack-root")
    fetch(cache, root)
    tree = os.path.join(cache, "stack-tree")
    shutil.rmtree(tree, ignore_errors=True)
    for name in ("bin", "lib", "lib64", "sbin"):  # as in the layer below; packages follow them
        os.makedirs(os.path.join(tree, "usr", name))
        os.symlink(f"usr/{name}", os.path.join(tree, name))
    packages = os.path.join(root, "layers", str(number))
    for package in sorted(os.listdir(packages)):
        subprocess.run(["sh", "-c", 'dpkg-deb --fsys-tarfile "$1" | tar -x --keep-directory-symlink -C "$2"', "sh", os.path.join(packages, package), tree], check=True)
    images.tar_directory(tree, tar)
    shutil.rmtree(tree)
    if number == len(LAYERS) - 1:
        shutil.rmtree(root)


def fetch(cache, root):
    """root/layers/NUMBER/: the packages of each layer, downloaded by a Debian's own apt."""
    if os.path.exists(os.path.join(root, "layers")):
        return
    images.debian_root(root)
    images.say("downloading packages")
    shutil.copy("/etc/resolv.conf", os.path.join(root, "etc/resolv.conf"))
    wanted, known, archives = [], set(), os.path.join(root, "var/cache/apt/archives")
    os.makedirs(os.path.join(archives, "partial"))
    subprocess.run(["chroot", root, "apt-get", "update", "-qq"], check=True)
    for number, packages in enumerate(LAYERS):
        wanted += packages
        subprocess.run(["chroot", root, "apt-get", "install", "-qq", "-y", "--no-install-recommends", "--download-only", *wanted], check=True, stdout=subprocess.DEVNULL)
        directory = os.path.join(root, "fetched", str(number))
        os.makedirs(directory)
        for name in {one for one in os.listdir(archives) if one.endswith(".deb")} - known:
            known.add(name)
            os.link(os.path.join(archives, name), os.path.join(directory, name))
    os.rename(os.path.join(root, "fetched"), os.path.join(root, "layers"))
