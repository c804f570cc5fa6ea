"""SELinux's reference policy as Debian has it, compiled into what a kernel loads: by tools that are unpacked from their packages, never installed."""
import bz2
import glob
import os
import re
import shutil
import subprocess
import tempfile

PACKAGE = "selinux-policy-default"
# semodule's converter of modules, and the compiler of what it makes of them. The library of both is on every Debian.
TOOLS = ["policycoreutils", "secilc"]
NEWEST = "33"  # that Debian's kernel reads


def run(*argv, **options):
    return subprocess.run(argv, check=True, stdout=subprocess.PIPE, **options).stdout


def known_version():
    found = re.search(rb"^Version: (\S+)", run("apt-cache", "show", "--no-all-versions", PACKAGE), re.MULTILINE)
    return found and found[1].decode()


def unpack(work):
    run("apt-get", "-o", "APT::Sandbox::User=root", "download", PACKAGE, *TOOLS, cwd=work, timeout=300)
    tree = os.path.join(work, "tree")
    for package in glob.glob(os.path.join(work, "*.deb")):
        run("dpkg-deb", "-x", package, tree)
    return tree


def compile_modules(tree, final):
    """All modules of the package in one policy, as its installation makes it."""
    modules = []
    for path in sorted(glob.glob(os.path.join(tree, "usr/share/selinux/default/*.pp.bz2"))):
        modules.append(path.removesuffix(".pp.bz2") + ".cil")
        with bz2.open(path) as packed, open(modules[-1], "wb") as file:
            file.write(run(os.path.join(tree, "usr/libexec/selinux/hll/pp"), input=packed.read()))
    part = os.path.join(tree, "policy")
    run(os.path.join(tree, "usr/bin/secilc"), "-c", NEWEST, "-o", part, "-f", os.devnull, *modules)
    shutil.move(part, final + ".part")
    os.rename(final + ".part", final)


def fetch(cache):
    """The directory of the compiled policy, which is all that is in it."""
    kept = sorted(glob.glob(os.path.join(cache, "selinux-*/policy")))
    if kept:
        return os.path.dirname(kept[-1])
    version = known_version() if subprocess.run(["apt-cache", "show", PACKAGE], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0 else None
    if not version:
        run("apt-get", "update", "-qq", timeout=300)
        version = known_version()
    print("vm: compiling Debian's SELinux policy (ten seconds, once)", flush=True)
    directory = os.path.join(cache, "selinux-" + version.replace(":", "-"))
    os.makedirs(directory, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as work:
        compile_modules(unpack(work), os.path.join(directory, "policy"))
    return directory
