"""create, start, stop, kill, restart, pause, rename, rm, wait, ps, top, port, inspect, events."""
import json
import os
import threading
import time

import pytest
from engine import events_of, wait_until


@pytest.fixture
def sleeper(engine, image, program):
    done = engine.run("run", "-d", "--name", "sleeper", image, "sleep", "600", program=program)
    assert done.code == 0, done
    return "sleeper"


@pytest.fixture
def client(engine, program):
    return lambda *arguments, **options: engine.run(*arguments, program=program, **options)


def test_create_then_start_attached(client, image):
    created = client("create", "--name", "later", image, "echo", "now")
    assert created.code == 0 and len(created.out.strip()) == 64
    started = client("start", "-a", "later")
    assert (started.code, started.out) == (0, "now\n")


def test_start_again_keeps_the_files(client, engine, image):
    client("create", "--name", "keeps", image, "sh", "-c", "cat /f 2>/dev/null; echo again >> /f")
    assert client("start", "-a", "keeps").out == ""
    assert client("start", "-a", "keeps").out == "again\n"


def test_stop_kills_after_the_timeout(client, engine, sleeper):
    begin = time.monotonic()
    assert client("stop", "-t", "1", sleeper).out == "sleeper\n"
    assert time.monotonic() - begin >= 0.9
    state = engine.inspect(sleeper)["State"]
    assert (state["Status"], state["ExitCode"]) == ("exited", 137)
    assert client("stop", sleeper).code == 0, "stopping a stopped container is no error"


def test_kill_with_a_signal(client, engine, sleeper):
    assert client("kill", "-s", "KILL", sleeper).code == 0
    wait_until(lambda: engine.inspect(sleeper)["State"]["ExitCode"] == 137)
    again = client("kill", sleeper)
    assert again.code == 1 and "is not running" in again.err


def test_restart_changes_the_pid(client, engine, sleeper):
    before = engine.inspect(sleeper)["State"]["Pid"]
    assert client("restart", "-t", "0", sleeper).code == 0
    after = engine.inspect(sleeper)["State"]
    assert after["Running"] and after["Pid"] != before


def test_pause_and_unpause(client, engine, sleeper):
    assert client("pause", sleeper).code == 0
    assert engine.inspect(sleeper)["State"]["Status"] == "paused"
    assert "(Paused)" in client("ps", "--format", "{{.Status}}").out
    refused = client("exec", sleeper, "true")
    assert refused.code != 0 and "is paused, unpause the container before exec" in refused.err
    assert client("unpause", sleeper).code == 0
    assert engine.inspect(sleeper)["State"]["Status"] == "running"


def test_rename(client, engine, sleeper):
    assert client("rename", sleeper, "renamed").code == 0
    assert engine.inspect("renamed")["Name"] == "/renamed"
    assert engine.api("GET", "/containers/sleeper/json").status == 404


def test_rm_of_a_running_container_needs_force(client, engine, sleeper):
    refused = client("rm", sleeper)
    assert refused.code == 1 and ("You cannot remove a running container" in refused.err or "container is running: stop the container before removing or force remove" in refused.err)
    assert client("rm", "-f", sleeper).out == "sleeper\n"
    assert engine.api("GET", "/containers/sleeper/json").status == 404


def test_wait_prints_the_exit_code(client, engine, image):
    client("run", "-d", "--name", "brief", image, "sh", "-c", "sleep 0.5; exit 9")
    assert client("wait", "brief").out == "9\n"
    assert client("wait", "brief").out == "9\n", "a stopped container answers at once"


def test_ps_columns_and_filters(client, engine, sleeper, image):
    lines = client("ps").out.splitlines()
    assert lines[0].split() == ["CONTAINER", "ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "PORTS", "NAMES"]
    row = lines[1]
    identity = engine.inspect(sleeper)["Id"]
    assert row.startswith(identity[:12]) and '"sleep 600"' in row and row.endswith("sleeper") and image in row
    client("run", "--name", "done", "--label", "kind=short", image, "sh", "-c", "exit 4")
    assert client("ps", "-q", "--no-trunc").out == identity + "\n"
    assert sorted(client("ps", "-a", "--format", "{{.Names}}").out.split()) == ["done", "sleeper"]
    assert client("ps", "-a", "--filter", "status=exited", "--format", "{{.Names}} {{.Status}}").out.startswith("done Exited (4) ")
    assert client("ps", "-a", "--filter", "label=kind=short", "-q").out.strip() == engine.inspect("done")["Id"][:12]
    assert client("ps", "-a", "--filter", "exited=4", "--format", "{{.Names}}").out == "done\n"
    assert client("ps", "-a", "--filter", "name=sleep", "--format", "{{.Names}}").out == "sleeper\n"
    assert client("ps", "-l", "--format", "{{.Names}}").out == "done\n"


def test_top(client, sleeper):
    out = client("top", sleeper).out.splitlines()
    assert "PID" in out[0] and "sleep 600" in out[1]


def test_inspect(client, engine, sleeper):
    out = client("inspect", sleeper).out
    document = json.loads(out)
    assert isinstance(document, list) and document[0]["Name"] == "/sleeper" and out.startswith("[\n    {\n")
    assert client("inspect", "-f", "{{.State.Status}} {{json .Config.Cmd}}", sleeper).out == 'running ["sleep","600"]\n'
    missing = client("inspect", "nobody")
    assert missing.code == 1 and missing.out == "[]\n" and "No such object: nobody" in missing.err


def test_lookup_by_prefix(client, engine, sleeper):
    identity = engine.inspect(sleeper)["Id"]
    assert engine.inspect(identity[:7])["Id"] == identity
    missing = engine.api("GET", "/containers/nobody/json")
    assert missing.status == 404 and missing.message == "No such container: nobody"


def test_unknown_container_for_each_verb(client):
    for verb in ("start", "stop", "restart", "kill", "pause", "unpause", "logs", "wait", "top", "rm", "port"):
        done = client(verb, "nobody")
        assert done.code == 1 and "No such container: nobody" in done.err, (verb, done)


def test_events_in_order(engine, image, client, program):
    since, name = str(int(time.time()) - 1), f"eventful-{program}"
    client("run", "--name", name, "--rm", image, "true")
    wait_until(lambda: engine.api("GET", f"/containers/{name}/json").status == 404)
    out = engine.run("events", "--since", since, "--until", str(int(time.time()) + 1), "--filter", f"container={name}",
                     "--filter", "type=container", "--format", "{{.Action}}").out.split()
    wanted = ["create", "attach", "start", "die", "destroy"]
    assert [action for action in out if action in wanted] == wanted


@pytest.mark.proves("F12")
def test_two_hundred_creates_of_one_name_have_one_winner(engine, image):
    statuses = []

    def create():
        statuses.append(engine.api("POST", "/containers/create?name=contested", {"Image": image, "Cmd": ["true"]}).status)

    threads = [threading.Thread(target=create) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(set(statuses)) == [201, 409] and statuses.count(201) == 1


def test_start_of_a_running_container_is_304(engine, sleeper):
    assert engine.api("POST", "/containers/sleeper/start").status == 304
    assert engine.api("POST", "/containers/sleeper/stop?t=0").status == 204
    assert engine.api("POST", "/containers/sleeper/stop?t=0").status == 304


def test_restart_policy_always_comes_back(engine, image, client):
    client("run", "-d", "--name", "always", "--restart", "always", image, "sleep", "600")
    pid = engine.inspect("always")["State"]["Pid"]
    os.kill(pid, 9)
    wait_until(lambda: engine.inspect("always")["State"]["Running"] and engine.inspect("always")["State"]["Pid"] != pid)
    assert engine.inspect("always")["RestartCount"] == 1


def test_container_prune(client, engine, image):
    client("run", "--name", "old", image, "true")
    done = client("container", "prune", "-f")
    assert done.code == 0 and "Deleted Containers:" in done.out and "Total reclaimed space:" in done.out
    assert engine.api("GET", "/containers/old/json").status == 404


def test_inspect_shows_what_docker_fills_in(client, engine, image):
    assert client("create", "--name", "filled", "-m", "64m", "--pids-limit", "-1", image, "true").code == 0
    host = engine.inspect("filled")["HostConfig"]
    assert (host["Memory"], host["MemorySwap"], host["PidsLimit"]) == (64 << 20, 128 << 20, None)
    assert (host["OomKillDisable"], host["MemorySwappiness"]) == (False, None)
    assert "/proc/kcore" in host["MaskedPaths"] and "/proc/sys" in host["ReadonlyPaths"]


@pytest.mark.parametrize("format, shown", [
    ("{{.Config.ExposedPorts}} {{.Config.Entrypoint}} {{json .Config.Entrypoint}}", "map[] [] null"),
    ("{{.HostConfig.Sysctls}} {{.HostConfig.Binds}} {{json .HostConfig.Binds}}", "map[] [] null"),
    ("{{json .State.Health}} {{.HostConfig.Init}} {{.SizeRw}}", "null <nil> <nil>"),
    ("{{len .HostConfig.Devices}} {{len .Config.Volumes}}{{range .HostConfig.CapAdd}}x{{end}}", "0 0"),
    ("{{.HostConfig.LogConfig}} {{.HostConfig.LogConfig.Config}}", "{json-file map[]} map[]"),
    ("{{with .Config.Healthcheck}}checked{{else}}unchecked{{end}}", "unchecked"),
])
def test_inspect_formats_members_that_are_empty(client, sleeper, format, shown):
    assert client("inspect", "--format", format, sleeper).out == shown + "\n"


def test_inspect_format_refuses_members_that_are_none(client, sleeper):
    for format in ("{{.Labels}}", "{{.Config.NoSuch}}", "{{.State.Health.Status}}"):
        done = client("inspect", "--format", format, sleeper)
        assert done.code == 1 and "template parsing error" in done.err, format


def test_image_config_has_its_empty_members(engine, image):
    for version in ("v1.41", "v1.24"):
        config = engine.api("GET", f"/{version}/images/{image}/json").json["Config"]
        assert {config[name] for name in ("Labels", "Entrypoint", "OnBuild", "Volumes")} == {None}
        assert (config["User"], config["WorkingDir"]) == ("", "")


def test_top_with_arguments_that_choose_no_process(client, sleeper):
    done = client("top", sleeper, "o", "pid,cmd")
    assert done.code == 0 and done.out.splitlines()[1].endswith("sleep 600"), done


def test_names_with_a_slash_are_unknown_containers(engine):
    for method, path in (("GET", "/containers/a/b/json"), ("POST", "/containers/a/b/start"), ("DELETE", "/containers/a/b")):
        reply = engine.api(method, path)
        assert (reply.status, reply.message) == (404, "No such container: a/b")


def test_events_of_an_image(engine, image, client):
    identity = engine.api("GET", f"/images/{image}/json").json["Id"]

    def use():
        assert client("tag", image, "noted:one").code == 0 and client("rmi", "noted:one").code == 0

    assert events_of(engine, "image", use) == [f"tag {identity}", f"untag {identity}"]
