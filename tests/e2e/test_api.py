"""The Engine API: versions, headers, shapes that clients key on (engine-api.md)."""
import json
import socket
import urllib.parse

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


@pytest.mark.ours
@pytest.mark.parametrize("version", ["1.44", "1.51", "1.52", "1.53", "1.54", "1.55", "1.56"])
def test_newer_versions_in_the_path(engine, version):
    assert engine.api("GET", f"/v{version}/containers/json").status == 200


@pytest.mark.ours
def test_newer_than_the_newest_is_refused(engine):
    assert engine.api("GET", "/_ping").headers["Api-Version"] == "1.56"
    reply = engine.api("GET", "/v1.57/containers/json")
    assert reply.status == 400 and reply.message == "client version 1.57 is too new. Maximum supported API version is 1.56"


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


OF_THE_FIRST_NETWORK = {"Bridge", "HairpinMode", "LinkLocalIPv6Address", "LinkLocalIPv6PrefixLen", "SecondaryIPAddresses", "SecondaryIPv6Addresses",
                        "EndpointID", "Gateway", "GlobalIPv6Address", "GlobalIPv6PrefixLen", "IPAddress", "IPPrefixLen", "IPv6Gateway", "MacAddress"}


@pytest.mark.ours
def test_addresses_are_of_networks_since_1_52(engine, image):
    engine.run("run", "-d", "--name", "addressed", image, "sleep", "60")
    old = engine.api("GET", "/v1.51/containers/addressed/json").json["NetworkSettings"]
    new = engine.api("GET", "/v1.52/containers/addressed/json").json["NetworkSettings"]
    assert OF_THE_FIRST_NETWORK <= set(old) and not OF_THE_FIRST_NETWORK & set(new)
    assert new["Networks"]["bridge"]["IPAddress"] == old["IPAddress"] != ""
    # What people's templates ask for.
    assert engine.run("inspect", "-f", "{{.NetworkSettings.IPAddress}}", "addressed", program="proa").out.strip() == old["IPAddress"]


@pytest.mark.ours
def test_container_wide_mac_address(engine, image):
    mac = "02:42:ac:11:77:09"
    reply = engine.api("POST", "/v1.52/containers/create?name=mac", {"Image": image, "MacAddress": mac})
    assert reply.status == 400 and "endpoint-specific MAC address" in reply.message
    assert engine.api("POST", "/v1.51/containers/create?name=mac", {"Image": image, "MacAddress": mac}).status == 201
    assert mac in engine.run("run", "--rm", "--mac-address", mac, image, "ip", "link", "show", "eth0", program="proa").out


@pytest.mark.ours
def test_health_in_the_list_since_1_52(engine, image):
    engine.run("run", "-d", "--name", "plain", image, "sleep", "60")
    assert "Health" not in engine.api("GET", "/v1.51/containers/json").json[0]
    assert engine.api("GET", "/v1.52/containers/json").json[0]["Health"] == {"Status": "none", "FailingStreak": 0}


@pytest.mark.ours
def test_disk_usage_layouts(engine, image):
    engine.api("POST", "/containers/create?name=used", {"Image": image})
    lists, sums = {"LayersSize", "Images", "Containers", "Volumes", "BuildCache"}, {"ImageUsage", "ContainerUsage", "VolumeUsage", "BuildCacheUsage"}
    assert set(engine.api("GET", "/v1.51/system/df").json) == lists
    assert set(engine.api("GET", "/v1.52/system/df").json) == lists | sums
    assert set(engine.api("GET", "/v1.53/system/df").json) == sums
    verbose = engine.api("GET", "/v1.53/system/df?verbose=1").json
    assert set(verbose) == sums and verbose["ContainerUsage"]["TotalCount"] == 1
    assert [one["Names"] for one in verbose["ContainerUsage"]["Items"]] == [["/used"]]
    assert set(engine.api("GET", "/v1.53/system/df?type=volume&type=image").json) == {"ImageUsage", "VolumeUsage"}
    reply = engine.api("GET", "/v1.42/system/df?type=socks")
    assert reply.status == 400 and reply.message == "unknown object type: socks"
    shown = {line.split("\t")[0]: line.split("\t")[1:] for line in engine.run("system", "df", "--format", "{{.Type}}\t{{.TotalCount}}\t{{.Active}}", program="proa").out.splitlines()}
    assert shown["Containers"] == ["1", "0"] and shown["Images"][1] == "1"


def events_of(engine, version, accept=None):
    """The event stream's content type and body."""
    import time
    connection = socket.socket(socket.AF_UNIX)
    with connection:
        connection.settimeout(10)
        connection.connect(engine.socket)
        wanted = f"Accept: {accept}\r\n" if accept else ""
        connection.sendall(f"GET /v{version}/events?since=1&until={int(time.time()) + 1}&filters=%7B%22container%22%3A%5B%22seen%22%5D%7D HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{wanted}\r\n".encode())
        data = b""
        while chunk := connection.recv(4096):
            data += chunk
    head, body = data.split(b"\r\n\r\n", 1)
    type_line = next(line for line in head.decode().split("\r\n") if line.lower().startswith("content-type:"))
    return type_line.split(":", 1)[1].strip(), body


@pytest.mark.ours
def test_event_streams(engine, image):
    engine.api("POST", "/containers/create?name=seen", {"Image": image})
    kind, body = events_of(engine, "1.51", "application/json-seq")
    assert kind == "application/json" and b'"status":"create"' in body
    for accept, wanted in ((None, "application/jsonl"), ("application/x-ndjson", "application/x-ndjson"), ("application/json-seq", "application/json-seq")):
        kind, body = events_of(engine, "1.52", accept)
        assert kind == wanted and b'"status"' not in body and b'"from"' not in body and b'"Action":"create"' in body
        assert (b"\x1e{" in body) == (wanted == "application/json-seq")


@pytest.mark.ours
def test_attestations_are_not_there(engine, image):
    assert engine.api("GET", f"/v1.55/images/{image}/attestations").status == 501


@pytest.mark.ours
def test_a_network_says_how_many_addresses_are_taken(engine, image):
    engine.run("network", "create", "--subnet", "10.214.9.0/24", "--ip-range", "10.214.9.0/29", "--aux-address", "a=10.214.9.3", "counted")
    engine.run("run", "-d", "--name", "one", "--network", "counted", image, "sleep", "600")
    status = engine.api("GET", "/v1.52/networks/counted").json["Status"]
    # Network, gateway, auxiliary, container and broadcast addresses; the first four are in the range of eight.
    assert status == {"IPAM": {"Subnets": {"10.214.9.0/24": {"IPsInUse": 5, "DynamicIPsAvailable": 4}}}}
    assert "Status" not in engine.api("GET", "/v1.51/networks/counted").json
    assert engine.api("GET", "/v1.52/networks/host").json["Status"] == {"IPAM": {}}
    assert all("Status" not in network for network in engine.api("GET", "/v1.52/networks").json)


@pytest.mark.ours
def test_logs_as_json(engine, image):
    engine.run("run", "--name", "spoke", "--label", "who=me", "--log-opt", "labels=who", image, "sh", "-c", "echo out; echo err >&2")
    path = "/v1.54/containers/spoke/logs?stdout=1&stderr=1"
    for query, accept, kind in (("&format=json", None, "application/jsonl"), ("", "application/x-ndjson", "application/x-ndjson"), ("", "application/json-seq", "application/json-seq")):
        reply = engine.api("GET", path + query, headers={"Accept": accept} if accept else {})
        assert reply.headers["Content-Type"] == kind
        assert reply.body.count(b"\x1e") == (2 if kind == "application/json-seq" else 0)
        lines = [json.loads(line.lstrip(b"\x1e")) for line in reply.body.splitlines()]
        assert sorted((line["Source"], line["Line"]) for line in lines) == [("stderr", "err\n"), ("stdout", "out\n")]
        assert all(line["Timestamp"].endswith("Z") and "Attrs" not in line for line in lines)
    details = engine.api("GET", path + "&format=json&details=1&tail=1").json
    assert details["Attrs"] == [{"Key": "who", "Value": "me"}]
    assert engine.api("GET", path.replace("1.54", "1.53") + "&format=json").headers["Content-Type"] == "application/vnd.docker.multiplexed-stream"


@pytest.mark.ours
def test_umask_and_annotations(engine, image):
    body = {"Image": image, "Cmd": ["sh", "-c", "umask; sleep 600"], "HostConfig": {"Umask": 0o027, "Annotations": {"team": "blue"}}}
    engine.api("POST", "/v1.56/containers/create?name=masked", body)
    engine.run("start", "masked")
    assert engine.run("exec", "masked", "sh", "-c", "umask").out == "0027\n"
    assert engine.run("logs", "masked").out == "0027\n"
    engine.api("POST", "/v1.55/containers/create?name=plain", body)
    assert "Umask" not in engine.inspect("plain")["HostConfig"]
    refused = engine.api("POST", "/v1.56/containers/create", {**body, "HostConfig": {"Umask": 0o1000}})
    assert refused.status == 400 and "invalid umask" in refused.message
    for value, found in (("team", 2), ("team=blue", 2), ("team=red", 0), ("other", 0)):
        filters = urllib.parse.quote(json.dumps({"annotation": [value]}))
        assert len(engine.api("GET", f"/containers/json?all=1&filters={filters}").json) == found
