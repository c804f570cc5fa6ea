"""The Engine API: versions, headers, shapes that clients key on (engine-api.md)."""
import json
import socket

import pytest


def test_ping(engine):
    for method in ("GET", "HEAD"):
        reply = engine.api(method, "/_ping")
        assert reply.status == 200
        assert reply.headers["Api-Version"] and reply.headers["Ostype"] == "linux" and reply.headers["Docker-Experimental"] == "false"
        assert reply.headers["Server"].startswith("Docker/")
    assert engine.api("GET", "/_ping").body == b"OK"


@pytest.mark.parametrize("version", ["1.24", "1.30", "1.41"])
def test_versions_in_the_path(engine, version):
    assert engine.api("GET", f"/v{version}/containers/json").status == 200


def test_version_and_info(engine):
    version = engine.api("GET", "/version").json
    assert {"Version", "ApiVersion", "MinAPIVersion", "Os", "Arch", "KernelVersion", "Components"} <= set(version)
    info = engine.api("GET", "/info").json
    assert {"ID", "Containers", "ContainersRunning", "Images", "Driver", "CgroupDriver", "NCPU", "MemTotal", "OperatingSystem", "ServerVersion", "Swarm"} <= set(info)


def test_errors_are_json_with_a_message(engine):
    reply = engine.api("GET", "/containers/nobody/json")
    assert reply.headers["Content-Type"] == "application/json"
    assert reply.body == b'{"message":"No such container: nobody"}\n'


def test_create_answers_with_id_and_warnings(engine, image):
    reply = engine.api("POST", "/containers/create?name=shape", {"Image": image})
    assert reply.status == 201 and set(reply.json) == {"Id", "Warnings"}


def test_inspect_has_the_documented_keys(engine, image):
    engine.api("POST", "/containers/create?name=keys", {"Image": image, "Cmd": ["true"]})
    document = engine.inspect("keys")
    assert {"Id", "Created", "Path", "Args", "State", "Image", "ResolvConfPath", "HostnamePath", "HostsPath", "LogPath", "Name", "RestartCount",
            "Driver", "Platform", "MountLabel", "ProcessLabel", "AppArmorProfile", "ExecIDs", "HostConfig", "Mounts", "Config", "NetworkSettings"} <= set(document)
    assert {"Status", "Running", "Paused", "Restarting", "OOMKilled", "Dead", "Pid", "ExitCode", "Error", "StartedAt", "FinishedAt"} <= set(document["State"])
    assert document["State"]["StartedAt"] == "0001-01-01T00:00:00Z"
    assert document["HostConfig"]["NetworkMode"] in ("default", "bridge")


def test_swarm_is_inactive(engine):
    assert engine.api("GET", "/info").json["Swarm"]["LocalNodeState"] == "inactive"
    assert engine.api("GET", "/nodes").status == 503


def test_attach_is_upgraded_and_multiplexed(engine, image):
    engine.api("POST", "/containers/create?name=raw", {"Image": image, "Cmd": ["sh", "-c", "echo out; echo err >&2"], "AttachStdout": True, "AttachStderr": True})
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(engine.socket)
        connection.sendall(b"POST /v1.41/containers/raw/attach?stream=1&stdout=1&stderr=1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n")
        head = b""
        while b"\r\n\r\n" not in head:
            head += connection.recv(1)
        assert head.startswith(b"HTTP/1.1 101 UPGRADED\r\n") and b"application/vnd.docker.raw-stream" in head
        assert engine.api("POST", "/containers/raw/start").status == 204
        data = b""
        while chunk := connection.recv(4096):
            data += chunk
    frames = set()
    while data:
        size = int.from_bytes(data[4:8], "big")
        frames.add((data[0], data[8:8 + size]))
        data = data[8 + size:]
    assert frames == {(1, b"out\n"), (2, b"err\n")}


def test_wait_sends_its_headers_at_once(engine, image):
    engine.api("POST", "/containers/create?name=waited", {"Image": image, "Cmd": ["sh", "-c", "exit 3"]})
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(engine.socket)
        connection.sendall(b"POST /v1.41/containers/waited/wait?condition=next-exit HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 200 OK")
        engine.api("POST", "/containers/waited/start")
        body = b""
        while b"StatusCode" not in body:
            body += connection.recv(4096)
        document = json.loads(body[body.index(b"{"):body.rindex(b"}") + 1])
        assert document["StatusCode"] == 3


def test_image_inspect_and_list(engine, image):
    document = engine.api("GET", f"/images/{image}/json").json
    assert document["RepoTags"] == [image] and document["Os"] == "linux" and document["RootFS"]["Type"] == "layers"
    listed = [entry for entry in engine.api("GET", "/images/json").json if entry["RepoTags"] and image in entry["RepoTags"]]
    assert listed[0]["Id"] == document["Id"] and listed[0]["Size"] > 500000
    history = engine.api("GET", f"/images/{image}/history").json
    assert history[0]["CreatedBy"] == "layer 0"
