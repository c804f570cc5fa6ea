"""proa-registry over TLS, with passwords and tokens: with the clients that there are."""
import base64
import crypt
import hashlib
import json
import os
import shutil
import signal
import ssl
import subprocess
import tempfile
import time
import types
import urllib.parse

import images
import pytest
from engine import BIN, PEER, free_port
from registries import Certificates

pytestmark = pytest.mark.ours


@pytest.fixture(scope="module")
def certificates():
    made = Certificates()
    yield made
    made.close()


@pytest.fixture(scope="module")
def users():
    with tempfile.NamedTemporaryFile("w", suffix=".htpasswd") as file:
        for name in ("alice", "bob"):
            file.write(f"{name}:" + crypt.crypt("secret", crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16)) + "\n")
        file.flush()
        yield file.name


def basic(user, password="secret"):
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def skopeo(*words, expected=0):
    done = subprocess.run(["skopeo", *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120)
    assert done.returncode == expected, done.stdout
    return done.stdout


def test_tls(serve, certificates):
    server = serve(tls=certificates)
    assert server.ask("GET", "/v2/")[0] == 200
    data = os.urandom(3_000_000)
    location = server.ask("POST", "/v2/app/blobs/uploads/", b"")[1]["Location"]
    digest = images.digest_of(data)
    assert server.ask("PUT", f"{location}?digest={digest}", data, {"Content-Type": "application/octet-stream"})[0] == 201
    status, headers, body = server.ask("GET", f"/v2/app/blobs/{digest}")
    assert (status, body, int(headers["Content-Length"])) == (200, data, len(data))
    assert server.ask("GET", f"/v2/app/blobs/{digest}", headers={"Range": "bytes=5-9"})[2] == data[5:10]
    plain = subprocess.run(["curl", "-s", f"http://{server.address}/v2/"], stdout=subprocess.PIPE, text=True).stdout
    assert plain == "Client sent an HTTP request to an HTTPS server.\n"
    old = subprocess.run(["openssl", "s_client", "-connect", server.address, "-tls1_1", "-cipher", "ALL@SECLEVEL=0"], stdin=subprocess.DEVNULL,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout
    assert "alert protocol version" in old


def presented(server):
    """The certificate that a new connection is shown, in PEM."""
    return ssl.get_server_certificate(server.address.split(":"))


def test_changed_certificates_and_passwords_are_used_at_once(serve, certificates, tmp_path):
    """As certbot and kubernetes change them: new files under the old names, one after the other."""
    own = Certificates()
    try:
        current = [str(tmp_path / name) for name in ("tls.crt", "tls.key")]
        users = tmp_path / "users"

        def put(source, target):
            shutil.copy(source, f"{target}.new")
            os.replace(f"{target}.new", target)

        for source, target in zip(certificates.server, current):
            put(source, target)
        users.write_text("alice:" + crypt.crypt("old", crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16)) + "\n")
        server = serve("--htpasswd", str(users), tls=types.SimpleNamespace(server=current, context=certificates.context))
        status = lambda password: server.ask("GET", "/v2/", headers=basic("alice", password))[0]  # noqa: E731
        assert (status("old"), status("new")) == (200, 401)
        old, new = (open(one.server[0]).read() for one in (certificates, own))
        put(own.server[0], current[0])
        assert presented(server).split() == old.split(), "half a change is none"
        put(own.server[1], current[1])
        assert presented(server).split() == new.split()
        server.tls.context = own.context
        users.write_text("bob:$1$weak\n")
        assert (status("old"), status("new")) == (200, 401), "what cannot be used changes nothing"
        users.write_text("alice:" + crypt.crypt("new", crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16)) + "\n")
        assert (status("old"), status("new")) == (401, 200)
        server.process.send_signal(signal.SIGHUP)
        assert status("new") == 200 and server.process.poll() is None
    finally:
        own.close()


def test_client_certificates(serve, certificates):
    server = serve("--tls-client-ca", certificates.authority[0], tls=certificates)
    with pytest.raises(OSError):
        server.ask("GET", "/v2/")
    with pytest.raises(OSError):
        server.ask("GET", "/v2/", context=certificates.context(certificates.stranger))
    assert server.ask("GET", "/v2/", context=certificates.context(certificates.client))[0] == 200


def test_skopeo_over_tls_with_tokens(serve, certificates, users, registry):
    server = serve("--htpasswd", users, "--tokens", tls=certificates)
    with tempfile.TemporaryDirectory() as directory:
        certificates.install(directory, "", None)
        name = f"docker://{server.address}/team/app:1"
        skopeo("copy", "--insecure-policy", "--src-tls-verify=false", "--dest-cert-dir", directory, "--dest-creds", "alice:secret",
               f"docker://{registry.address}/busybox:latest", name)
        assert json.loads(skopeo("list-tags", "--cert-dir", directory, "--creds", "bob:secret", f"docker://{server.address}/team/app"))["Tags"] == ["1"]
        assert "unauthorized" in skopeo("inspect", "--cert-dir", directory, "--creds", "bob:wrong", name, expected=1)
        assert "unable to retrieve auth token" in skopeo("inspect", "--no-creds", "--cert-dir", directory, name, expected=1)
        skopeo("delete", "--cert-dir", directory, "--creds", "alice:secret", name)
        assert server.ask("GET", "/v2/team/app/manifests/1")[0] == 401


def test_tokens_grant_what_was_asked_for_and_no_more(serve, users):
    server = serve("--htpasswd", users, "--tokens")
    status, headers, _ = server.ask("GET", "/v2/app/tags/list")
    assert status == 401
    assert headers["WWW-Authenticate"] == f'Bearer realm="http://{server.address}/token",service="proa-registry",scope="repository:app:pull"'

    def token(query, headers=None):
        status, _, body = server.ask("GET", f"/token?{query}", headers=headers)
        return json.loads(body)["token"] if status == 200 else status

    assert token("scope=repository:app:pull") == 401
    assert token("scope=repository:app:pull", basic("alice", "wrong")) == 401
    pull, push = token("scope=repository:app:pull", basic("alice")), token("scope=repository:app:pull,push", basic("alice"))
    assert server.ask("GET", "/v2/", headers=bearer(pull))[0] == 200
    assert server.ask("GET", "/v2/app/tags/list", headers=bearer(pull))[0] == 404
    for method, path, good in (("POST", "/v2/app/blobs/uploads/", push), ("GET", "/v2/other/tags/list", None), ("GET", "/v2/_catalog", None),
                               ("DELETE", "/v2/app/manifests/1", None)):
        for one in (pull, push):
            status, headers, body = server.ask(method, path, b"" if method == "POST" else None, bearer(one))
            assert status == (202 if one == good else 401), (method, path)
            assert one == good or 'error="insufficient_scope"' in headers["WWW-Authenticate"]
            if status == 401 and method == "POST":
                assert json.loads(body)["errors"][0]["detail"] == [
                    {"Type": "repository", "Class": "", "Name": "app", "Action": action} for action in ("pull", "push")]
    assert server.ask("GET", "/v2/_catalog", headers=bearer(token("scope=registry:catalog:*", basic("bob"))))[0] == 200
    # A token is good after a restart; a changed one never.
    server.stop()
    server.start()
    assert server.ask("GET", "/v2/", headers=bearer(push))[0] == 200
    head, claims, signature = push.split(".")
    forged = base64.urlsafe_b64encode(base64.urlsafe_b64decode(claims + "==").replace(b'"app"', b'"abc"')).decode().rstrip("=")
    none = base64.urlsafe_b64encode(b'{"alg":"none"}').decode().rstrip("=")
    for bad in (f"{head}.{forged}.{signature}", f"{none}.{claims}.", f"{none}.{claims}.{signature}", "x", "a.b.c"):
        assert server.ask("GET", "/v2/", headers=bearer(bad))[0] == 401


def test_refresh_tokens(serve, users):
    server = serve("--htpasswd", users, "--tokens")
    reply = json.loads(server.ask("GET", "/token?service=proa-registry&offline_token=true", headers=basic("alice"))[2])
    assert server.ask("GET", "/v2/", headers=bearer(reply["refresh_token"]))[0] == 401  # it is no access token
    form = {"grant_type": "refresh_token", "service": "proa-registry", "scope": "repository:app:pull", "refresh_token": reply["refresh_token"]}
    status, _, body = server.ask("POST", "/token", urllib.parse.urlencode(form).encode())
    assert status == 200 and server.ask("GET", "/v2/app/tags/list", headers=bearer(json.loads(body)["access_token"]))[0] == 404
    form["refresh_token"] = reply["token"]
    assert server.ask("POST", "/token", urllib.parse.urlencode(form).encode())[0] == 401


def test_anonymous_may_pull(serve, users):
    for flags in (["--htpasswd", users, "--anonymous-pull"], ["--htpasswd", users, "--anonymous-pull", "--tokens"]):
        server = serve(*flags)
        assert server.ask("GET", "/v2/app/tags/list")[0] == 404
        assert server.ask("POST", "/v2/app/blobs/uploads/", b"")[0] == 401
    token = json.loads(server.ask("GET", "/token?scope=repository:app:pull,push")[2])["token"]
    assert server.ask("POST", "/v2/app/blobs/uploads/", b"", bearer(token))[0] == 401


def jwt(algorithm, claims, key):
    """Signed by openssl(1)."""
    def part(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=")
    text = part({"alg": algorithm, "typ": "JWT"}) + b"." + part(claims)
    signature = subprocess.run(["openssl", "dgst", "-sha256", "-sign", key], input=text, stdout=subprocess.PIPE, check=True).stdout
    if algorithm == "ES256":  # DER: two integers
        first = 4 + signature[3]
        r, s = signature[4:first], signature[first + 2:]
        signature = r[-32:].rjust(32, b"\0") + s[-32:].rjust(32, b"\0")
    return (text + b"." + base64.urlsafe_b64encode(signature).rstrip(b"=")).decode()


@pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
def test_tokens_of_another_server(serve, certificates, algorithm):
    key, public = certificates.server[1], certificates.server[0]
    if algorithm == "RS256":
        key, public = (os.path.join(certificates.directory, name) for name in ("rsa.key", "rsa.pub"))
        subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, stderr=subprocess.DEVNULL)
        subprocess.run(["openssl", "rsa", "-in", key, "-pubout", "-out", public], check=True, stderr=subprocess.DEVNULL)
    server = serve("--token-realm", "https://auth.example/token", "--token-service", "reg", "--token-issuer", "auth", "--token-key", public)
    assert server.ask("GET", "/v2/")[1]["WWW-Authenticate"] == 'Bearer realm="https://auth.example/token",service="reg"'
    assert server.ask("GET", "/token")[0] == 404
    time_now = int(time.time())
    good = {"iss": "auth", "aud": "reg", "exp": time_now + 300, "nbf": time_now - 5, "access": [{"type": "repository", "name": "app", "actions": ["pull"]}]}

    def status(claims, path="/v2/app/tags/list", signer=key):
        return server.ask("GET", path, headers=bearer(jwt(algorithm, claims, signer)))[0]

    assert status(good) == 404 and status(good, "/v2/") == 200 and status({**good, "aud": ["x", "reg"]}) == 404
    assert status(good, "/v2/other/tags/list") == 401
    for change in ({"iss": "other"}, {"aud": "other"}, {"exp": time_now - 300}, {"nbf": time_now + 300}, {"exp": None}):
        assert status({**good, **change}, "/v2/") == 401, change
    if algorithm == "ES256":
        assert status(good, "/v2/", certificates.client[1]) == 401
        # The public key as a shared secret: the old confusion.
        head = base64.urlsafe_b64encode(b'{"alg":"HS256"}').decode().rstrip("=")
        assert server.ask("GET", "/v2/", headers=bearer(head + "." + jwt(algorithm, good, key).split(".", 1)[1]))[0] == 401


def test_configuration_file_and_flags(certificates):
    with tempfile.TemporaryDirectory() as directory:
        def check(document, *flags):
            return check_text(json.dumps(document), *flags)

        def check_text(text, *flags):
            path = os.path.join(directory, "config.json")
            with open(path, "w") as file:
                file.write(text)
            done = subprocess.run([os.path.join(BIN, "proa-registry"), "--validate", "--config", path, *flags], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            return done.stdout.strip() or done.stderr.strip().removeprefix("proa-registry: ").replace(path, "FILE")
        assert check({"root": directory, "listen": ["tcp://127.0.0.1:1", "tcp://127.0.0.1:2"], "read-only": True, "gc-interval": 3}) == "configuration OK"
        assert check({"rot": 1}) == 'FILE: unknown key "rot"'
        assert check_text('{"root": "/x", "read-only": true, "root": "/y"}') == 'FILE: configuration: key "root" appears twice'
        assert check_text('["root"]') == "FILE: configuration: not a JSON object"
        assert check({"root": []}) == 'FILE: the value of "root" has the wrong type'
        assert check({"read-only": "perhaps"}) == 'FILE: read-only: "perhaps" is neither true nor false'
        assert check({"root": "/x"}, "--root", "/y") == 'FILE: "root" is specified both as a flag and in the configuration file'
        assert check({}, "--tokens") == "--tokens needs --htpasswd: whose password would it be?"
        assert check({}, "--tls-cert", "x") == "--tls-cert and --tls-key go together"
        assert check({}, "--nothing").startswith('unknown option "--nothing"')
        assert check({"htpasswd": "/nothing"}) == "open /nothing: no such file or directory"
        assert check({"htpasswd": "/etc/passwd"}) == 'htpasswd: the entry of "root" is no bcrypt hash'
        assert check({"tls-cert": "/nothing", "tls-key": certificates.server[1]}) == "TLS: certificate /nothing: no such file or directory"
        assert check({"tls-cert": certificates.server[0], "tls-key": certificates.server[1]}) == "configuration OK"
        assert check({"tls-cert": certificates.server[0], "tls-key": certificates.client[1]}) == f"TLS: key {certificates.client[1]}: key values mismatch"
        assert check({"upstream": "docker.io", "upstream-password-file": "/nothing"}) == "open /nothing: no such file or directory"
        assert not os.path.exists(os.path.join(directory, "root"))
        assert check({"root": os.path.join(directory, "root")}) == "configuration OK" and not os.path.exists(os.path.join(directory, "root"))
        address = f"tcp://0.0.0.0:{free_port()}"
        refused = subprocess.run([os.path.join(BIN, "proa-registry"), "--root", directory, "--listen", address], stderr=subprocess.PIPE, text=True)
        assert refused.returncode == 1 and "loopback" in refused.stderr


def test_search_endpoint(serve):
    server = serve()
    for name in ("team/alpha", "team/beta"):
        server.registry.push(name, "1", images.busybox_image())
    reply = json.loads(server.ask("GET", "/v1/search?q=ALP&n=10")[2])
    assert reply["num_results"] == 1 and reply["results"][0]["name"] == "team/alpha"
    assert len(json.loads(server.ask("GET", "/v1/search?q=team&n=1")[2])["results"]) == 1


# The engine's side of the same.

@pytest.fixture(scope="module")
def engine_with(registry):
    from engine import Engine
    directory = tempfile.mkdtemp(prefix="proa-registry-config-")
    daemon = Engine(extra_flags=["--registry-config-path", directory], bridge="proatest1", subnet="10.214.0.1/24").start()
    daemon.registry_config = directory
    yield daemon
    daemon.close()
    shutil.rmtree(directory, ignore_errors=True)


@pytest.mark.parametrize("program", ["proa", "docker"])
@pytest.mark.proves(60)
def test_engine_over_tls_with_client_certificates_and_identity_tokens(serve, certificates, users, registry, engine_with, program):
    server = serve("--htpasswd", users, "--tokens", "--tls-client-ca", certificates.authority[0], tls=certificates)
    name = f"{server.address}/team/app:1"
    engine_with.run("pull", "-q", f"{registry.address}/busybox:latest")
    engine_with.run("tag", f"{registry.address}/busybox:latest", name)
    certificates.install(engine_with.registry_config, server.address)
    refused = engine_with.run("push", name, program=program)
    assert refused.code == 1 and "certificate required" in refused.err, refused
    certificates.install(engine_with.registry_config, server.address, certificates.client)
    assert engine_with.run("push", name, program=program).code == 1
    done = engine_with.run("login", "-u", "alice", "--password-stdin", server.address, program=program, stdin=b"secret")
    assert done.code == 0, done
    with open(os.path.join(engine_with.directory, "home/.docker/config.json")) as file:
        assert json.load(file)["auths"][server.address].get("identitytoken"), "a token server gives an identity token"
    assert engine_with.run("push", name, program=program).code == 0
    engine_with.run("rmi", name)
    assert engine_with.run("pull", name, program=program).code == 0
    assert engine_with.run("logout", server.address, program=program).code == 0
    engine_with.run("rmi", name)


def test_engine_deletes_with_a_token_for_that_alone(serve, certificates, users, engine_with):
    server = serve("--htpasswd", users, "--tokens", tls=certificates)
    certificates.install(engine_with.registry_config, server.address)
    image = images.busybox_image(oci=True)
    push = json.loads(server.ask("GET", "/token?scope=repository:team/app:pull,push", headers=basic("alice"))[2])["token"]
    for data in [layer.data for layer in image.layers] + [image.config]:
        assert server.ask("POST", f"/v2/team/app/blobs/uploads/?digest={images.digest_of(data)}", data, bearer(push))[0] == 201
    assert server.ask("PUT", "/v2/team/app/manifests/1", image.manifest, {"Content-Type": image.manifest_type, **bearer(push)})[0] == 201
    name = f"{server.address}/team/app:1"
    refused = engine_with.run("registry", "rm", name, program="proa")
    assert refused.code == 1 and server.ask("GET", "/v2/team/app/manifests/1", headers=bearer(push))[0] == 200
    assert engine_with.run("login", "-u", "alice", "--password-stdin", server.address, program="proa", stdin=b"secret").code == 0
    done = engine_with.run("registry", "rm", name, program="proa")
    assert done.code == 0, done
    assert server.ask("GET", "/v2/team/app/manifests/1", headers=bearer(push))[0] == 404
    engine_with.run("logout", server.address, program="proa")


def test_engine_speaks_http2(registry, certificates, engine_with):
    """nghttpx ends TLS and HTTP/2 before Debian's registry, and logs which protocol came."""
    port = free_port()
    log = os.path.join(certificates.directory, "access.log")
    proxy = subprocess.Popen(["nghttpx", f"--frontend=127.0.0.1,{port}", f"--backend={registry.address.replace(':', ',')}", "--accesslog-format=$alpn $status $request",
                              f"--accesslog-file={log}", "--workers=1", "--conf=/dev/null", "--host-rewrite", "--no-ocsp", certificates.server[1], certificates.server[0]],
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        certificates.install(engine_with.registry_config, f"127.0.0.1:{port}")
        wait_for_port(port)
        name = f"127.0.0.1:{port}/busybox:latest"
        done = engine_with.run("pull", name)
        assert done.code == 0, done
        engine_with.run("tag", name, f"127.0.0.1:{port}/pushed/by-http2:1")
        done = engine_with.run("push", f"127.0.0.1:{port}/pushed/by-http2:1")
        assert done.code == 0, done
        with open(log) as file:
            lines = file.read().splitlines()
        assert lines and all(line.startswith("h2 2") or line.startswith("h2 404") for line in lines), lines
    finally:
        proxy.terminate()
        proxy.wait(timeout=20)
        engine_with.run("rmi", name, f"127.0.0.1:{port}/pushed/by-http2:1")


def wait_for_port(port):
    import socket
    deadline = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
            return
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.02)
