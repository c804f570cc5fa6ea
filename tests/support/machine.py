"""What tests may leave behind on the machine: compared before and after.

    machine.py >FILE     what is there now
    machine.py FILE      what has come since; fails if there is anything

Sessions that run beside others (PROA_TESTS_SHARE_MACHINE) look after what their own namespaces hold; the rest is compared when all have ended.
"""
import contextlib
import ctypes
import json
import os
import re
import struct
import subprocess
import sys
import time

SHARED = "PROA_TESTS_SHARE_MACHINE" in os.environ
OWN = ("mounts", "links", "nft tables", "processes")  # of a session's own namespaces


def lines_of(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return set(done.stdout.splitlines())


def cgroups():
    found = set()
    for top in os.listdir("/sys/fs/cgroup"):
        for parent, directories, _ in os.walk(os.path.join("/sys/fs/cgroup", top)):
            found.update(os.path.join(parent, name) for name in directories)
    return found


def processes(own=SHARED):
    """Proa's and the tests'; `own`: those in our network namespace."""
    found, network = set(), os.readlink("/proc/thread-self/ns/net")
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline") as file:
                words = file.read().split("\0")
            if own and os.readlink(f"/proc/{pid}/ns/net") != network:
                continue
        except OSError:
            continue
        name = os.path.basename(words[0])
        if re.fullmatch(r"proad|proa-shim|proa-runtime|proa-init|docker-registry|docker-proxy", name):
            found.add(f"{pid} {' '.join(words)[:120]}")
    return found


def snapshot():
    with open("/proc/self/mountinfo") as file:
        mounts = {line.split()[4] for line in file}
    return {
        "mounts": mounts,
        "links": {line.split()[1].rstrip(":").split("@")[0] for line in lines_of(["ip", "-o", "link"])},
        "network namespaces": lines_of(["ip", "netns"]),
        "nft tables": lines_of(["nft", "list", "tables"]),
        "cgroups": cgroups(),
        "processes": processes(),
        "loop devices": lines_of(["losetup", "-a"]),
    }


def left_behind(before, after):
    kinds = OWN if SHARED else before
    return {kind: sorted(after[kind] - before[kind]) for kind in kinds if after[kind] - before[kind]}


def left_in_the_end(before, seconds=5):
    """The kernel takes a dropped network namespace apart on its own time."""
    deadline = time.monotonic() + seconds
    while left := left_behind(before, snapshot()):
        if time.monotonic() > deadline:
            break
        time.sleep(0.05)
    return left


@contextlib.contextmanager
def own_network():
    """This process, and what it starts, in a network namespace of its own: no rule or bridge of the machine counts, and
    what an engine leaves there goes with it."""
    new_network = 0x40000000  # CLONE_NEWNET
    libc = ctypes.CDLL(None, use_errno=True)
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        if libc.unshare(new_network) != 0:
            raise OSError(ctypes.get_errno(), "unshare")
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        yield
    finally:
        if libc.setns(before, new_network) != 0:
            raise OSError(ctypes.get_errno(), "setns")
        os.close(before)


def own_mounts():
    """This process, and what it starts, has mounts of its own from now on, which others do not see."""
    new_mounts, private = 0x20000, 0x4000 | 0x40000  # CLONE_NEWNS; MS_REC | MS_PRIVATE
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(new_mounts) != 0 or libc.mount(None, b"/", None, private, None) != 0:
        raise OSError(ctypes.get_errno(), "mounts of its own")


def deny_system_call(number, error):
    """From now on this process, and what it starts, gets `error` for a system call, as under somebody's seccomp filter."""
    instructions = [(0x20, 0, 0, 0), (0x15, 0, 1, number), (0x06, 0, 0, 0x00050000 | error), (0x06, 0, 0, 0x7fff0000)]
    code = b"".join(struct.pack("HBBI", *one) for one in instructions)
    buffer = ctypes.create_string_buffer(code)
    program = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(instructions), ctypes.addressof(buffer)))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(22, 2, program, 0, 0) != 0:  # PR_SET_SECCOMP, SECCOMP_MODE_FILTER
        raise OSError(ctypes.get_errno(), "seccomp")


def main():
    if len(sys.argv) == 1:
        return print(json.dumps({kind: sorted(found) for kind, found in snapshot().items()}))
    with open(sys.argv[1]) as file:
        before = {kind: set(found) for kind, found in json.load(file).items()}
    if left := left_in_the_end(before):
        sys.exit(f"left behind on the machine: {left}")


if __name__ == "__main__":
    main()
