"""Bad input: docker's status and message, the daemon stays up, nothing is left behind."""
import json
import socket

import pytest
from engine import PEER

BAD_REQUEST = (400, 500) if PEER else (400,)  # Docker 20.10 answers 500 to some


@pytest.fixture
def create(engine, image):
    def go(config=None, host=None, name=None, **more):
        body = {"Image": image, "Cmd": ["true"], "HostConfig": host or {}, **(config or {}), **more}
        return engine.api("POST", "/containers/create" + (f"?name={name}" if name is not None else ""), body)

    return go


@pytest.mark.proves("F17")
def test_malformed_json(engine):
    reply = engine.api("POST", "/containers/create", raw=b'{"Image": ', headers={"Content-Type": "application/json"})
    assert reply.status in BAD_REQUEST and reply.message


def test_two_documents(engine, image):
    reply = engine.api("POST", "/containers/create", raw=json.dumps({"Image": image}).encode() + b' {"again":1}', headers={"Content-Type": "application/json"})
    assert reply.status in (400, 201)


def test_wrong_content_type(engine):
    reply = engine.api("POST", "/containers/create", raw=b"{}", headers={"Content-Type": "text/plain"})
    assert reply.status == 400 and "Content-Type" in reply.message


@pytest.mark.proves("F17")
def test_wrong_types(create):
    assert create(Cmd=5).status in BAD_REQUEST
    assert create(host={"Memory": "much"}).status in BAD_REQUEST


def test_unknown_image(create):
    reply = create(Image="nosuch:tag")
    assert (reply.status, reply.message) == (404, "No such image: nosuch:tag")


@pytest.mark.parametrize("reference", ["UPPER/case", "a//b", ":tag", "x@sha256:short", "a" * 300])
@pytest.mark.proves("R17")
def test_bad_reference(create, reference):
    reply = create(Image=reference)
    assert reply.status in (400, 404) and reply.message


def test_bad_name(create):
    reply = create(name="%2Fbad%20name")
    assert reply.status == 400 and "Invalid container name" in reply.message


@pytest.mark.parametrize("host, words", [
    ({"Memory": 1024}, "Minimum memory limit"),
    ({"NanoCpus": -1}, "CPU"),
    ({"NanoCpus": 10 ** 15}, "CPU"),
    ({"Memory": 64 << 20, "MemorySwap": 1 << 20}, "swap"),
    ({"NetworkMode": "host", "PortBindings": {"bad": [{}]}}, ""),
    ({"OomScoreAdj": 5000}, "oom"),
    ({"ShmSize": -1}, "SHM"),
    ({"RestartPolicy": {"Name": "sometimes"}}, "restart policy"),
    ({"RestartPolicy": {"Name": "always"}, "AutoRemove": True}, "AutoRemove"),
    ({"Runtime": "nosuch"}, "runtime"),
    ({"CapAdd": ["NOT_A_CAP"]}, "capability"),
    ({"Binds": ["relative:/x:nonsense"]}, "invalid"),
    ({"Mounts": [{"Type": "bind", "Source": "/no/such/dir/at/all", "Target": "/m"}]}, "bind source path does not exist"),
    ({"SecurityOpt": ["nonsense=1"]}, "nonsense"),
])
@pytest.mark.proves(57)
def test_bad_limits_and_options(engine, image, host, words):
    body = {"Image": image, "Cmd": ["true"], "HostConfig": host}
    reply = engine.api("POST", "/containers/create?name=bad", body)
    if reply.status == 201:
        reply = engine.api("POST", "/containers/bad/start")
    assert reply.status in (400, 404, 500) and words.lower() in reply.message.lower(), reply.body
    assert engine.api("GET", "/_ping").status == 200


@pytest.mark.proves(40)
def test_oversized_body(engine):
    try:
        reply = engine.api("POST", "/containers/create", raw=b'{"Image":"' + b"x" * (40 << 20) + b'"}', headers={"Content-Type": "application/json"})
        assert reply.status in (400, 404, 413)
    except BrokenPipeError:
        pass  # refused before all of it was sent
    assert engine.api("GET", "/_ping").status == 200


@pytest.mark.proves("F17")
def test_unknown_paths_and_methods(engine):
    for method, path in (("GET", "/nope"), ("PUT", "/containers/json"), ("GET", "/v1.41/containers/x/nope")):
        reply = engine.api(method, path)
        assert (reply.status, reply.message) == (404, "page not found")


def test_options_is_answered_on_every_path(engine):
    assert [engine.api("OPTIONS", path).status for path in ("/info", "/v1.41/containers/json", "/nowhere")] == [200, 200, 200]


def test_versions_out_of_range(engine):
    assert "is too new" in engine.api("GET", "/v9.99/containers/json").message
    assert "is too old" in engine.api("GET", "/v1.0/containers/json").body.decode()


@pytest.mark.proves("F17")
def test_bad_filters(engine):
    assert engine.api("GET", "/containers/json?filters=notjson").status in BAD_REQUEST
    assert engine.api("GET", '/containers/json?filters={"nosuch":["x"]}').status == 400


@pytest.mark.ours
@pytest.mark.proves(40, "F17")
def test_smuggled_requests_are_refused(engine):
    for text in (b"POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                 b"GET /_ping HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
                 b"POST /containers/create HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n"):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(5)
            connection.connect(engine.socket)
            connection.sendall(text)
            assert b" 400 " in connection.recv(4096).split(b"\r\n")[0]
    assert engine.api("GET", "/_ping").status == 200


@pytest.mark.proves(40)
def test_headers_without_end_are_bounded(engine):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(engine.socket)
        try:
            connection.sendall(b"GET /_ping HTTP/1.1\r\n")
            for n in range(3000):
                connection.sendall(b"X-%d: " % n + b"y" * 1000 + b"\r\n")
            first = connection.recv(4096)
            assert b" 4" in first.split(b"\r\n")[0]
        except OSError:
            pass
    assert engine.api("GET", "/_ping").status == 200


@pytest.mark.parametrize("arguments, words", [
    (["run"], "requires at least 1 argument"),
    (["run", "--memory", "lots", "x"], "invalid"),
    (["run", "-p", "notaport", "x"], "nvalid"),
    (["run", "-v", "a:b:c:d", "x"], ""),
    (["run", "--network"], "flag needs an argument"),
    (["rm"], "requires at least 1 argument"),
    (["nosuchcommand"], "nosuchcommand"),
    (["run", "-Z", "x"], "unknown shorthand flag: 'Z' in -Z"),
])
def test_command_line_errors(engine, program, arguments, words):
    done = engine.run(*arguments, program=program)
    assert done.code != 0 and words in done.err


@pytest.mark.parametrize("user", ["+1", "0x1", "4294967296", "-1", "1:x:2"])
@pytest.mark.proves(20, 21)
def test_users_that_are_none(engine, run, user):
    done = run("--rm", f"--user={user}", cmd=["id"])
    assert "uid=0" not in done.out


@pytest.mark.proves(23)
def test_environment_with_a_line_break_stays_one_variable(sh):
    assert sh("env | grep -c '^root::0'; true", "-e", "HOME=/x\nroot::0:0::/:/bin/sh") in ("0", "1")


@pytest.mark.proves(23)
def test_add_host_with_a_line_break_is_refused(engine, image):
    reply = engine.api("POST", "/containers/create?name=inject", {"Image": image, "Cmd": ["cat", "/etc/hosts"],
                                                                "HostConfig": {"ExtraHosts": ["a:192.0.2.1\n192.0.2.2 evil"]}})
    if reply.status == 201:
        reply = engine.api("POST", "/containers/inject/start")
    assert reply.status >= 400
