"""A registry that lies: each path answers as a test says. Speaks HTTP by hand, so that what it sends may be wrong in any way."""
import json
import os
import socket
import struct
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from images import digest_of  # noqa: E402


def reply(body=b"", status="200 OK", length=None, **headers):
    """A whole answer; `length` is what it says of its size."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class HostileRegistry:
    """`answers` maps a path to bytes to send, or to a function of (connection, headers) that sends what it likes."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"
        self.answers, self.requests = {}, []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        with connection:
            try:
                pending = b""
                while True:
                    while b"\r\n\r\n" not in pending:
                        got = connection.recv(65536)
                        if not got:
                            return
                        pending += got
                        if pending.startswith(b"\x16"):
                            return  # TLS is asked for: there is none
                    head, pending = pending.split(b"\r\n\r\n", 1)
                    lines = head.decode().split("\r\n")
                    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines[1:])}
                    path = lines[0].split(" ")[1]
                    self.requests.append((path, headers))
                    answer = self.answers.get(path.split("?")[0], reply(b"{}", "404 Not Found"))
                    if callable(answer):
                        if answer(connection, headers) is False:
                            return
                    else:
                        connection.sendall(answer)
            except OSError:
                return  # the client has had enough

    def manifest(self, name, reference, body, media_type, **headers):
        """Under the tag and under its true digest."""
        for one in (reference, digest_of(body)):
            self.answers[f"/v2/{name}/manifests/{one}"] = reply(body, Content_Type=media_type, **headers)

    def blob(self, name, digest, answer):
        self.answers[f"/v2/{name}/blobs/{digest}"] = answer

    def image(self, name, image):
        """All of an honest image."""
        self.answers["/v2/"] = reply(b"{}")
        self.manifest(name, "1", image.manifest, image.manifest_type)
        self.blob(name, digest_of(image.config), reply(image.config))
        for layer in image.layers:
            self.blob(name, layer.digest, reply(layer.data))

    def close(self):
        self.listener.close()


def reset(connection):
    """Ends it with an RST."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
    return False


def changed(image, **members):
    """The manifest with members replaced; None takes one away."""
    document = json.loads(image.manifest)
    for name, value in members.items():
        document.pop(name, None)
        if value is not None:
            document[name] = value
    return json.dumps(document).encode()
