"""One virtual machine: qemu without KVM, directories of the host by virtiofs, the console's text and a tar of results."""
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import threading
import time

import kernel

VIRTIOFSD = "/usr/lib/qemu/virtiofsd"


class Machine:
    """Boots with directories of the host (tag -> path; "root" is its root) and runs a job. What it started ends with close()."""

    def __init__(self, directory, tree, shares, memory="3G"):
        self.directory, self.tree, self.memory = directory, tree, memory
        self.processes = []
        self.shares = [self.share(tag, source) for tag, source in shares.items()]

    def start(self, *argv, **options):
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, start_new_session=True, **options)
        self.processes.append(process)
        return process

    def share(self, tag, source):
        """A virtiofsd that shows `source` without what is mounted below, read-only."""
        view = os.path.join(self.directory, f"view-{tag}")
        os.mkdir(view)
        socket = os.path.join(self.directory, f"{tag}.sock")
        # In a mount namespace of its own: the host sees no mount of ours, and none is left.
        script = 'mount --make-rprivate / && mount --bind "$1" "$2" && mount -o remount,bind,ro "$2" && shift 2 && exec "$@"'
        log = open(os.path.join(self.directory, f"virtiofsd-{tag}.log"), "wb")
        self.start("unshare", "-m", "sh", "-c", script, "sh", source, view, VIRTIOFSD, "-f", f"--socket-path={socket}",
                   "-o", f"source={view},sandbox=chroot,cache=always,xattr", stdout=log, stderr=log)
        return tag, socket

    def qemu(self, init, job, append):
        initramfs = kernel.make_initramfs(self.tree, init, {"job": job}, os.path.join(self.directory, "initramfs"))
        argv = ["qemu-system-x86_64", "-accel", "tcg,thread=multi", "-machine", "q35,memory-backend=ram", "-cpu", "Nehalem,+pdpe1gb", "-smp", "2",
                "-m", self.memory, "-object", f"memory-backend-memfd,id=ram,size={self.memory},share=on",
                "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-kernel", kernel.image(self.tree), "-initrd", initramfs,
                "-append", f"console=ttyS0 panic=-1 quiet mitigations=off {append}", "-serial", "stdio",
                "-device", "virtio-serial", "-chardev", f"file,id=results,path={self.path('results.tar')}",
                "-device", "virtserialport,chardev=results"]
        for tag, socket in self.shares:
            argv += ["-chardev", f"socket,id={tag},path={socket}", "-device", f"vhost-user-fs-pci,chardev={tag},tag={tag}"]
        return self.start(*argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def path(self, name):
        return os.path.join(self.directory, name)

    def run(self, init, job, append="", seconds=600):
        """Boots, shows the console, waits for power off; returns the directory of the results, None if there are none."""
        deadline = time.monotonic() + 20
        while not all(os.path.exists(socket) for _, socket in self.shares):
            if time.monotonic() > deadline:
                raise RuntimeError("virtiofsd did not start")
            time.sleep(0.02)
        process = self.qemu(init, job, append)
        watchdog = threading.Timer(seconds, process.kill)
        watchdog.daemon = True  # what ends this program early does not wait for it
        watchdog.start()
        with open(self.path("console.log"), "wb") as log:
            for line in process.stdout:
                log.write(line)
                sys.stdout.write(line.decode(errors="replace").replace("\r", ""))
                sys.stdout.flush()
        process.wait()
        watchdog.cancel()
        results = self.path("results")
        shutil.rmtree(results, ignore_errors=True)
        try:
            with tarfile.open(self.path("results.tar")) as archive:
                archive.extractall(results)
        except (OSError, tarfile.TarError):
            return None
        return results

    def close(self):
        for process in reversed(self.processes):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(timeout=5)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
