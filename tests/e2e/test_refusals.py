"""What is refused, word for word: the texts and statuses are those of Docker 28.5 (asked, not read)."""
import pytest

pytestmark = pytest.mark.ours  # Debian 12's Docker 20.10 words some of them in another way




def refused(engine, method, path, body=None):
    reply = engine.api(method, path, body)
    return reply.status, reply.message


@pytest.mark.parametrize("reference, status, message", [
    ("nosuch:tag", 404, "No such image: nosuch:tag"),
    ("UPPER", 400, "invalid reference format: repository name (library/UPPER) must be lowercase"),
    ("docker.io/UP", 400, "invalid reference format: repository name (library/UP) must be lowercase"),
    ("a//b", 400, "invalid reference format"),
    (":tag", 400, "invalid reference format"),
    ("x@sha256:short", 400, "invalid reference format"),
    ("x@y", 400, "invalid reference format"),
    ("-x", 400, "invalid reference format"),
])
@pytest.mark.proves("R17")
def test_image(engine, reference, status, message):
    assert refused(engine, "POST", "/containers/create", {"Image": reference, "Cmd": ["true"]}) == (status, message)


@pytest.mark.parametrize("host, status, message", [
    ({"Memory": 1024}, 400, "Minimum memory limit allowed is 6MB"),
    ({"Memory": -5}, 400, "Minimum memory limit allowed is 6MB"),
    ({"Memory": 64 << 20, "MemorySwap": 1 << 20}, 400, "Minimum memoryswap limit should be larger than memory limit, see usage"),
    ({"MemorySwap": 1 << 30}, 400, "You should always set the Memory limit when using Memoryswap limit, see usage"),
    ({"CpuPeriod": 10}, 400, "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)"),
    ({"CpuQuota": 10}, 400, "CPU cfs quota can not be less than 1ms (i.e. 1000)"),
    ({"NanoCpus": 10 ** 9, "CpuPeriod": 100000}, 400, "Conflicting options: Nano CPUs and CPU Period cannot both be set"),
    ({"NanoCpus": 10 ** 9, "CpuQuota": 100000}, 400, "Conflicting options: Nano CPUs and CPU Quota cannot both be set"),
    ({"CpusetCpus": "0-99999999999"}, 400, "Invalid value 0-99999999999 for cpuset cpus: value of out range, maximum is 8192"),
    ({"CpusetCpus": "x"}, 400, "Invalid value x for cpuset cpus: invalid format: x"),
    ({"OomScoreAdj": 5000}, 400, "Invalid value 5000, range for oom score adj is [-1000, 1000]"),
    ({"ShmSize": -1}, 400, "SHM size can not be less than 0"),
    ({"RestartPolicy": {"Name": "sometimes"}}, 400,
     "invalid restart policy: unknown policy 'sometimes'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'"),
    ({"RestartPolicy": {"Name": "always"}, "AutoRemove": True}, 400, "can't create 'AutoRemove' container with restart policy"),
    ({"Runtime": "nosuch"}, 400, "unknown or invalid runtime name: nosuch"),
    ({"NetworkMode": "container:"}, 400, "invalid network mode: invalid container format container:<name|id>"),
    ({"PidMode": "container:nosuch"}, 400, "No such container: nosuch"),
    ({"IpcMode": "container:nosuch"}, 400, "No such container: nosuch"),
    ({"VolumesFrom": ["nosuch"]}, 400, "No such container: nosuch"),
    ({"PortBindings": {"99999/tcp": [{}]}}, 400, 'invalid port specification: "99999"'),
    ({"ExtraHosts": ["a:notip"]}, 400, 'invalid IP address in add-host: "notip"'),
    ({"LogConfig": {"Type": "nosuch"}}, 400, 'error looking up logging plugin nosuch: plugin "nosuch" not found'),
    ({"Mounts": [{"Type": "bind", "Source": "/no/such", "Target": "/m"}]}, 400,
     'invalid mount config for type "bind": bind source path does not exist: /no/such'),
    ({"LogConfig": {"Config": {"foo": "bar"}}}, 400, "unknown log opt 'foo' for json-file log driver"),
    ({"Links": ["nosuch:x"]}, 400, "could not get container for nosuch: No such container: nosuch"),
])
@pytest.mark.proves(57)
def test_host_config(engine, image, host, status, message):
    body = {"Image": image, "Cmd": ["true"], "HostConfig": host}
    assert refused(engine, "POST", "/containers/create?name=bad", body) == (status, message)
    assert engine.api("GET", "/containers/json?all=1").json == []


@pytest.mark.parametrize("config, message", [
    ({"WorkingDir": "rel"}, "the working directory 'rel' is invalid, it needs to be an absolute path"),
    ({"StopSignal": "SIGNOSUCH"}, "invalid signal: SIGNOSUCH"),
    ({"MacAddress": "zz"}, "invalid config for network bridge: invalid MAC address zz"),
    ({"Healthcheck": {"Test": ["CMD", "x"], "Interval": 5}}, "Interval in Healthcheck cannot be less than 1ms"),
    ({"Healthcheck": {"Test": ["CMD", "x"], "Retries": -1}}, "Retries in Healthcheck cannot be negative"),
])
def test_config(engine, image, config, message):
    # Version 1.51 is the last that takes a MAC address of the whole container.
    assert refused(engine, "POST", "/v1.41/containers/create", {"Image": image, "Cmd": ["true"], **config}) == (400, message)


def test_containers_in_the_way(engine, image):
    made = engine.api("POST", "/containers/create?name=taken", {"Image": image, "Cmd": ["sleep", "60"]}).json["Id"]
    engine.run("run", "-d", "--name", "runs", image, "sleep", "60")
    identity = engine.inspect("runs")["Id"]
    in_use = f'Conflict. The container name "/runs" is already in use by container "{identity}". You have to remove (or rename) that container to be able to reuse that name.'
    assert refused(engine, "POST", "/containers/create?name=runs", {"Image": image}) == (409, in_use)
    assert refused(engine, "POST", "/containers/taken/rename?name=runs") == (409, f"Error when allocating new name: {in_use}")
    assert refused(engine, "DELETE", "/containers/runs") == (
        409, 'cannot remove container "runs": container is running: stop the container before removing or force remove')
    assert refused(engine, "POST", "/containers/taken/kill") == (409, f"cannot kill container: taken: container {made} is not running")
    assert refused(engine, "POST", "/containers/nosuch/kill") == (404, "cannot kill container: nosuch: No such container: nosuch")
    assert refused(engine, "POST", "/containers/runs/kill?signal=NOSUCH") == (400, "cannot kill container: runs: invalid signal: NOSUCH")
    assert refused(engine, "POST", "/containers/nosuch/rename?name=") == (400, "Neither old nor new names may be empty")
    assert refused(engine, "GET", "/containers/taken/archive?path=/nosuch") == (404, "Could not find the file /nosuch in container taken")
    assert refused(engine, "POST", "/networks/bridge/connect", {}) == (400, 'invalid name or ID supplied: ""')


@pytest.mark.parametrize("body, status, message", [
    ({"Name": "x", "IPAM": {"Config": [{"Subnet": "10.213.0.0/25"}]}}, 403, "invalid pool request: Pool overlaps with other one on this address space"),
    ({"Name": "x", "Options": {"com.docker.network.driver.mtu": "zz"}}, 400,
     'failed to parse com.docker.network.driver.mtu value: zz (strconv.Atoi: parsing "zz": invalid syntax)'),
])
def test_networks(engine, body, status, message):
    assert refused(engine, "POST", "/networks/create", body) == (status, message)


def test_volumes(engine):
    assert refused(engine, "POST", "/volumes/create", {"Name": "a"}) == (
        400, "create a: volume name is too short, names should be at least two alphanumeric characters")


def test_filters(engine):
    assert refused(engine, "GET", '/containers/json?filters={"status":["weird"]}') == (
        400, "invalid filter 'status=weird': invalid value for state (weird): must be one of created, running, paused, restarting, removing, exited, dead")
    assert refused(engine, "GET", '/containers/json?filters={"exited":["x"]}') == (
        400, "invalid filter 'exited=x': strconv.Atoi: parsing \"x\": invalid syntax")
