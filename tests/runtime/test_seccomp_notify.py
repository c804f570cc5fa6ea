"""SCMP_ACT_NOTIFY: a supervisor outside answers system calls (seccomp_unotify(2))."""
import fcntl
import json
import os
import socket
import struct
import threading

import pytest

# crun 1.8 and runc 1.1 have it where their libseccomp has.
RECV, SEND = 0xC0502100, 0xC0182101  # SECCOMP_IOCTL_NOTIF_RECV, SECCOMP_IOCTL_NOTIF_SEND
MKDIR_ERRNO = 75  # EOVERFLOW: nobody else says that to a mkdir


class Supervisor(threading.Thread):
    """Takes descriptors from the socket and answers every system call with MKDIR_ERRNO."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(path)
        self.server.listen()
        self.messages, self.answered = [], 0

    def run(self):
        while True:
            try:
                connection, _ = self.server.accept()
            except OSError:
                return
            with connection:
                data, fds, _, _ = socket.recv_fds(connection, 1 << 16, 4)
            self.messages.append((json.loads(data), len(fds)))
            threading.Thread(target=self.serve, args=(fds[0],), daemon=True).start()

    def serve(self, fd):
        try:
            while True:
                request = bytearray(80)
                fcntl.ioctl(fd, RECV, request)
                (identity,) = struct.unpack_from("Q", request)
                self.answered += 1
                fcntl.ioctl(fd, SEND, bytearray(struct.pack("Qqii", identity, 0, -MKDIR_ERRNO, 0)))
        except OSError:
            os.close(fd)  # nobody has the filter any more

    def close(self):
        self.server.shutdown(socket.SHUT_RDWR)
        self.server.close()


@pytest.fixture
def supervisor(box):
    made = Supervisor(box.path("agent.sock"))
    made.start()
    box.linux["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"], "listenerPath": box.path("agent.sock"),
                            "listenerMetadata": "who asks", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_NOTIFY"}]}
    yield made
    made.close()


@pytest.mark.parametrize("no_new_privileges", [True, False])
def test_supervisor_answers(box, supervisor, no_new_privileges):
    box.process["noNewPrivileges"] = no_new_privileges
    box.config["annotations"] = {"a": "b"}
    assert "Value too large" in box.sh("mkdir /tmp/x 2>&1 || true")
    (message, fds), = supervisor.messages
    assert fds == 1 and message["fds"] == ["seccompFd"] and message["metadata"] == "who asks" and message["pid"] > 0
    assert message["state"]["id"] == box.id and message["state"]["annotations"] == {"a": "b"} and supervisor.answered == 1


def test_created_and_started(box, supervisor):
    assert box.create("mkdir /tmp/x; sleep 100").code == 0
    assert box.call("start", box.id).code == 0
    done = box.exec("mkdir", "/tmp/y")
    assert done.code == 1 and "Value too large" in done.err
    assert len(supervisor.messages) == 2


def refused(box, *words):
    assert box.run("true").has_failed(*words)


@pytest.mark.ours
def test_bad_profiles_are_refused(box, supervisor):
    seccomp = box.linux["seccomp"]
    seccomp["syscalls"][0]["names"] = ["write"]
    refused(box, "cannot be used for the write syscall")
    seccomp["syscalls"][0]["names"] = ["mkdir"]
    seccomp["defaultAction"] = "SCMP_ACT_NOTIFY"
    refused(box, "cannot be used as default action")
    seccomp["defaultAction"] = "SCMP_ACT_ALLOW"
    seccomp["listenerPath"] = box.path("nobody.sock")
    refused(box, "nobody.sock")
    del seccomp["listenerPath"]
    refused(box, "listenerpath")
    assert supervisor.messages == []
