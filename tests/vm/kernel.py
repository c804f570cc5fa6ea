"""Debian's cloud kernel and a first file system for it: unpacked from the package, never installed."""
import glob
import gzip
import os
import re
import shutil
import subprocess
import tempfile

PACKAGE = "linux-image-cloud-amd64"
# What boots the machine, in this order; init loads these. The rest is there for the kernel to ask for.
BOOT = ["virtio_pci", "virtio_console", "fuse", "virtiofs", "overlay", "loop"]
MORE = ["veth", "bridge", "br_netfilter", "nf_tables", "nft_chain_nat", "nft_masq", "nft_nat", "nft_redir", "nft_ct", "nft_limit", "nft_log",
        "nft_reject_inet", "nft_fib_inet", "nf_conntrack_netlink", "nft_compat", "xt_MASQUERADE", "xt_addrtype", "xt_conntrack", "ip_tables",
        "iptable_nat", "iptable_filter", "dummy", "macvlan", "ipvlan", "tun", "bfq", "erofs", "unix_diag", "inet_diag", "tcp_diag",
        "udp_diag", "raw_diag", "af_packet_diag", "netlink_diag", "xt_mark", "iptable_mangle", "ip6table_filter", "binfmt_misc"]


def run(*argv, **options):
    return subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True, **options).stdout


def newest_name():
    """linux-image-6.1.0-56-cloud-amd64: what the package of no version depends on."""
    found = re.search(r"Depends: (linux-image-\S+)", run("apt-cache", "depends", PACKAGE))
    return found and found[1]


def fetch(cache):
    """The directory of the unpacked kernel."""
    # The name of a kernel that is kept is good enough: no network for it.
    kept = sorted(glob.glob(os.path.join(cache, "kernel-*/boot/vmlinuz-*")))
    if kept:
        return os.path.dirname(os.path.dirname(kept[-1]))
    try:
        name = newest_name()
    except subprocess.CalledProcessError:
        name = None
    if not name:
        run("apt-get", "update", "-qq", timeout=300)
        name = newest_name()
    os.makedirs(cache, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as work:
        run("apt-get", "-o", "APT::Sandbox::User=root", "download", name, cwd=work, timeout=300)
        tree = os.path.join(work, "tree")
        run("dpkg-deb", "-x", glob.glob(os.path.join(work, "*.deb"))[0], tree)
        shutil.rmtree(os.path.join(tree, "usr/share"), ignore_errors=True)
        final = os.path.join(cache, "kernel-" + name.removeprefix("linux-image-"))
        os.rename(tree, final)
    return final


def image(tree):
    return glob.glob(os.path.join(tree, "boot/vmlinuz-*"))[0]


def module_facts(path):
    """(what it depends on, its aliases), from the module's own .modinfo."""
    with open(path, "rb") as file:
        text = file.read()
    words = re.findall(rb"\0?(depends|alias)=([^\0]*)\0", text)
    depends = [name for key, value in words if key == b"depends" for name in value.decode().split(",") if name]
    return depends, [value.decode() for key, value in words if key == b"alias"]


def copy_modules(tree, destination):
    """The modules of BOOT and MORE and what they need, with the tables that modprobe reads."""
    release = os.path.basename(image(tree)).removeprefix("vmlinuz-")
    paths = {os.path.basename(path)[:-3].replace("-", "_"): path for path in glob.glob(f"{tree}/lib/modules/{release}/kernel/**/*.ko", recursive=True)}
    facts, order = {}, []

    def visit(name):
        if name in facts:
            return
        facts[name] = module_facts(paths[name])
        for other in facts[name][0]:
            visit(other)
        order.append(name)

    for name in BOOT + MORE:
        visit(name.replace("-", "_"))

    def needs(name):
        """Everything below it, what is loaded first last."""
        wanted = {name}
        for other in reversed(order):
            if any(other in facts[one][0] for one in wanted):
                wanted.add(other)
        return [other for other in reversed(order) if other in wanted - {name}]

    top = os.path.join(destination, "lib/modules", release)
    os.makedirs(top)
    for name in order:
        shutil.copy(paths[name], os.path.join(top, f"{name}.ko"))
    with open(os.path.join(top, "modules.dep"), "w") as file:
        file.writelines(f"{name}.ko:{''.join(f' {other}.ko' for other in needs(name))}\n" for name in order)
    with open(os.path.join(top, "modules.alias"), "w") as file:
        file.writelines(f"alias {alias} {name}\n" for name in order for alias in facts[name][1])
    for name in ("modules.builtin", "modules.symbols"):
        open(os.path.join(top, name), "w").close()


def make_initramfs(tree, init, files, path):
    """busybox, the modules, init, and `files` (name -> text)."""
    with tempfile.TemporaryDirectory() as work:
        for name in ("bin", "dev", "proc", "sys", "host", "rw", "root"):
            os.mkdir(os.path.join(work, name))
        shutil.copy("/bin/busybox", os.path.join(work, "bin/busybox"))
        os.symlink("busybox", os.path.join(work, "bin/sh"))
        shutil.copy(init, os.path.join(work, "init"))
        for name, text in files.items():
            with open(os.path.join(work, name), "w") as file:
                file.write(text)
        copy_modules(tree, work)
        names = subprocess.run(["find", "."], cwd=work, check=True, stdout=subprocess.PIPE).stdout
        archive = subprocess.run(["/bin/busybox", "cpio", "-o", "-H", "newc"], cwd=work, input=names, check=True,
                                 stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    with open(path, "wb") as file:
        file.write(gzip.compress(archive, 1))
    return path
