"""Registries under test: proa-registry (or its peer) on a port and a directory of its own, and certificates for it."""
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import images
from engine import BIN, PEER, free_port


class Server:
    """A proa-registry on a port and a directory of its own."""

    def __init__(self, *flags, tls=None):
        """`tls`: Certificates."""
        self.directory = tempfile.mkdtemp(prefix="proa-own-registry-")
        self.root = os.path.join(self.directory, "root")
        self.port, self.flags, self.tls = free_port(), list(flags), tls
        self.address = f"127.0.0.1:{self.port}"
        self.registry = images.Registry(self.address)
        self.process = None
        if tls:
            self.flags += ["--tls-cert", tls.server[0], "--tls-key", tls.server[1]]

    def start(self):
        if PEER:
            self.process = images.spawn_registry(self.directory, self.port)
        else:
            with open(os.path.join(self.directory, "log"), "ab") as log:
                self.process = subprocess.Popen([os.path.join(BIN, "proa-registry"), "--root", self.root, "--listen", f"tcp://127.0.0.1:{self.port}", *self.flags],
                                                stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        try:
            self.registry.wait()
        except urllib.error.HTTPError as error:
            assert error.code == (400 if self.tls else 401)  # Go's answer to plain HTTP, and ours
        return self

    def stop(self, signum=signal.SIGTERM):
        self.process.send_signal(signum)
        self.process.wait(timeout=20)

    def close(self):
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def ask(self, method, path, data=None, headers=None, context=None):
        """(status, headers, body), whatever the status."""
        scheme = "https" if self.tls else "http"
        request = urllib.request.Request(f"{scheme}://{self.address}{path}", data, headers or {}, method=method)
        try:
            reply = urllib.request.urlopen(request, timeout=60, context=context or (self.tls.context() if self.tls else None))
        except urllib.error.HTTPError as error:
            reply = error
        return reply.status, reply.headers, reply.read()


class Certificates:
    """An authority, a server of 127.0.0.1 and localhost, and a client, all fresh; also an authority nobody trusts."""

    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="proa-certificates-")
        self.authority = self.make("authority", ["-addext", "basicConstraints=critical,CA:TRUE"])
        self.server = self.make("server", ["-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"], self.authority)
        self.client = self.make("client", [], self.authority)
        self.stranger = self.make("stranger", ["-addext", "basicConstraints=critical,CA:TRUE"])

    def make(self, name, more, signer=None):
        certificate, key = (os.path.join(self.directory, f"{name}.{end}") for end in ("crt", "key"))
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", f"/CN={name}",
                   "-out", certificate, "-keyout", key, *more]
        if signer:
            command += ["-CA", signer[0], "-CAkey", signer[1]]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0 and signer:  # OpenSSL 3.0 cannot sign by -CA here with -x509: request and sign
            request = os.path.join(self.directory, f"{name}.csr")
            extensions = os.path.join(self.directory, f"{name}.ext")
            with open(extensions, "w") as file:
                file.write("".join(f"{one}\n" for one in more if one != "-addext"))
            subprocess.run(["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}", "-out", request, "-keyout", key],
                           check=True, stderr=subprocess.DEVNULL)
            subprocess.run(["openssl", "x509", "-req", "-in", request, "-CA", signer[0], "-CAkey", signer[1], "-CAcreateserial", "-days", "2", "-extfile", extensions,
                            "-out", certificate], check=True, stderr=subprocess.DEVNULL)
        else:
            assert done.returncode == 0, done.stdout
        return certificate, key

    def context(self, client=None):
        context = ssl.create_default_context(cafile=self.authority[0])
        if client:
            context.load_cert_chain(*client)
        return context

    def install(self, directory, address, client=None):
        """As docker wants it: DIRECTORY/ADDRESS/ca.crt and perhaps the client's pair."""
        path = os.path.join(directory, address)
        os.makedirs(path, exist_ok=True)
        shutil.copy(self.authority[0], os.path.join(path, "ca.crt"))
        if client:
            shutil.copy(client[0], os.path.join(path, "client.cert"))
            shutil.copy(client[1], os.path.join(path, "client.key"))

    def close(self):
        shutil.rmtree(self.directory, ignore_errors=True)


def pass_on(source, target):
    try:
        while data := source.recv(1 << 16):
            target.sendall(data)
    except OSError:
        pass
    for one in (source, target):
        try:
            one.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


class Relay:
    """An HTTP server before a registry: keeps what was asked, and may be told to answer otherwise. As a proxy it leads
    every host there, tunnels to `tunnel`."""

    def __init__(self, target):
        self.target, self.asked, self.answer, self.tunnel, self.refuses = target, [], None, None, False
        relay = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                relay.asked.append((self.command, self.path, dict(self.headers)))
                mine = relay.answer(self) if relay.answer else None
                if mine:
                    return
                if relay.refuses:
                    return self.send_error(407)
                headers = {name: ", ".join(self.headers.get_all(name)) for name in set(self.headers.keys()) if name not in ("Host", "Connection")}
                path = self.path if self.path.startswith("/") else self.path[self.path.index("/", len("http://")):]
                request = urllib.request.Request(f"http://{relay.target}{path}", headers=headers, method=self.command)
                try:
                    reply = urllib.request.urlopen(request, timeout=60)
                except urllib.error.HTTPError as error:
                    reply = error
                body = reply.read()
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    if name not in ("Connection", "Transfer-Encoding", "Date", "Server"):
                        self.send_header(name, value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            do_HEAD = do_GET

            def do_CONNECT(self):
                relay.asked.append((self.command, self.path, dict(self.headers)))
                self.close_connection = True
                if relay.refuses:
                    return self.send_error(407)
                host, port = relay.tunnel.split(":")
                with socket.create_connection((host, int(port))) as other:
                    self.send_response(200)
                    self.end_headers()
                    there = threading.Thread(target=pass_on, args=(self.connection, other))
                    there.start()
                    pass_on(other, self.connection)
                    there.join()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.socket.settimeout(1)  # a client that is killed while it connects must not keep the server in accept(2)
        self.address = f"127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
