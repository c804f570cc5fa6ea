"""A small file system of its own for a daemon's data: one that is full, or whose power fails."""
import errno
import fcntl
import os
import shutil
import struct
import subprocess
import time

MB = 1 << 20
EXT4_IOC_SHUTDOWN = 0x8004587D  # _IOR('X', 125, __u32)
NO_LOG_FLUSH = 2


class Disk:
    """`path` is made and mounted upon: a tmpfs, or an ext4 in a file beside it."""

    def __init__(self, path, kind="ext4", size=48, inodes=2048, journal=False):
        self.path, self.kind, self.filler = path, kind, os.path.join(path, "filler")
        self.image = path + ".ext4"
        # With a journal, to be cut: names may be there before their content, as file systems may have it (fsync(2)).
        self.options = "loop,data=writeback,noauto_da_alloc" if journal else "loop"
        os.makedirs(path)
        if kind == "ext4":
            with open(self.image, "wb") as file:
                file.truncate(size * MB)
            flags = ["-E", "lazy_itable_init=0,lazy_journal_init=0"] if journal else ["-O", "^has_journal"]
            subprocess.run(["mkfs.ext4", "-q", "-N", str(inodes), *flags, "-m", "0", self.image], check=True)
        self.mount()

    def mount(self):
        if self.kind == "ext4":
            subprocess.run(["mount", "-o", self.options, self.image, self.path], check=True)
        else:
            subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m,nr_inodes=2048,mode=755", "tmpfs", self.path], check=True)

    def unmount(self):
        """What a process that was killed had mounted of it is gone only once the kernel has had its time."""
        for _ in range(200):
            done = subprocess.run(["umount", self.path], stderr=subprocess.PIPE, text=True)
            if done.returncode == 0:
                return
            time.sleep(0.05)
        raise RuntimeError(done.stderr)

    def fill(self, leave):
        """All but `leave` bytes."""
        free = os.statvfs(self.path)
        size = free.f_bavail * free.f_bsize - leave
        file = os.open(self.filler, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            os.posix_fallocate(file, 0, max(size, 1))
            os.lseek(file, 0, os.SEEK_END)
            while not leave:  # what posix_fallocate could not have
                os.write(file, bytes(1024))
        except OSError as error:
            assert error.errno == errno.ENOSPC
        finally:
            os.close(file)

    def take_inodes(self, leave):
        os.mkdir(self.filler)
        for n in range(os.statvfs(self.path).f_favail - leave):
            open(os.path.join(self.filler, str(n)), "w").close()

    def free(self):
        if os.path.isdir(self.filler):
            shutil.rmtree(self.filler)
        elif os.path.exists(self.filler):
            os.unlink(self.filler)

    def sync(self):
        subprocess.run(["sync", "-f", self.path], check=True)

    def lose_power(self):
        """What was not flushed is lost, from now on nothing is written."""
        file = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(file, EXT4_IOC_SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        finally:
            os.close(file)

    def power_on(self):
        """The journal is replayed; what it makes of the file system is sound."""
        self.unmount()
        self.mount()

    def close(self):
        self.unmount()
        if self.kind == "ext4":
            os.unlink(self.image)


def names_below(root):
    """Every name below a data root but the database's own, the directory that is kept ready and what makes the disk full."""
    found = set()
    for parent, directories, files in os.walk(root):
        if "filler" in directories:
            directories.remove("filler")
        found.update(os.path.relpath(os.path.join(parent, name), root) for name in directories + files)
    return {name for name in found if not name.startswith(("proa.db", "tmp/", "filler", "lost+found"))}
