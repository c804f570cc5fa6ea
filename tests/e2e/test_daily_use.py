"""What somebody who uses docker every day would stumble over: texts, codes and formats of small things."""
import json
import subprocess
import time

import pytest

ours = pytest.mark.ours  # newer than Debian's CLI


@pytest.fixture
def client(engine, program):
    return lambda *arguments, **options: engine.run(*arguments, program=program, **options)


@ours  # now and then Debian's CLI hangs there
@pytest.mark.parametrize("script, out", [
    ('"$@" run --rm -i $IMAGE sh -c "cat; echo end" <&-', "end\n"),
    ('"$@" run --rm $IMAGE sh -c "echo lost; exit 3" >&-; echo $?', "3\n"),
    ('"$@" run --rm $IMAGE sh -c "echo lost >&2; echo kept" 2>&-', "kept\n"),
    ('"$@" run -d --rm $IMAGE true <&- >&- 2>&-; echo $?', "0\n")])
def test_closed_standard_streams(engine, image, script, out):
    done = subprocess.run(["sh", "-c", script, "sh", engine.client()], env={**engine.environment_for(), "IMAGE": image},
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
    assert done.stdout == out, done


def test_a_network_named_like_the_beginning_of_two_ids(engine, image):
    """The container cannot start, but nobody else is to suffer for it."""
    firsts = [network["Id"][0] for network in engine.api("GET", "/networks").json]
    while len(set(firsts)) == len(firsts):
        made = engine.api("POST", "/networks/create", {"Name": f"n{len(firsts)}"})
        firsts.append(made.json["Id"][0])
    twice = next(one for one in firsts if firsts.count(one) > 1)
    made = engine.api("POST", "/containers/create?name=lost", {"Image": image, "Cmd": ["true"], "HostConfig": {"NetworkMode": twice}})
    assert made.status == 201, made.body
    assert [one["Names"] for one in engine.api("GET", "/containers/json?all=1").json] == [["/lost"]]
    assert engine.inspect("lost")["State"]["Status"] == "created"
    assert engine.api("POST", "/containers/lost/start").status >= 400
    assert engine.api("DELETE", "/containers/lost").status == 204


def test_a_link_to_nobody_is_no_missing_image(run):
    done = run("--rm", "--link", "nosuch", cmd=["true"])
    assert done.code == 125 and "could not get container for nosuch: No such container: nosuch" in done.err, done
    assert "Unable to find image" not in done.err


def test_an_empty_command_is_not_found(run, client):
    done = run("--rm", cmd=[""])
    assert done.code == 127 and 'exec: "": executable file not found in $PATH' in done.err, done
    assert run("--rm", "--entrypoint", "").code == 125


@pytest.mark.parametrize("option, text", [("foo=bar", "unknown log opt 'foo' for json-file log driver"), ("max-size=foo", "invalid size: 'foo'")])
def test_log_options_are_checked_without_a_driver(run, option, text):
    done = run("--rm", "--log-opt", option, cmd=["true"])
    assert done.code == 125 and text in done.err, done


@pytest.mark.parametrize("flags, text", [
    (["--network", ""], "no name set for network"),
    (["--dns-search", "a..b"], 'invalid argument "a..b" for "--dns-search" flag: a..b is not a valid domain'),
    (["--dns-search", "a_b"], 'invalid argument "a_b" for "--dns-search" flag: a_b is not a valid domain')])
def test_values_that_the_client_refuses(run, flags, text):
    done = run("--rm", *flags, cmd=["true"])
    assert done.code == 125 and text in done.err, done


def test_update_wants_a_flag(engine, image, client):
    engine.run("create", "--name", "same", image, "true")
    done = client("update", "same")
    assert (done.code, done.out, done.err) == (1, "", "you must provide one or more flags when using this command\n")


def test_rename_to_what_is_no_name(engine, image, client):
    engine.run("create", "--name", "good", image, "true")
    done = client("rename", "good", "b c")
    assert "Error when allocating new name: Invalid container name (/b c), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed" in done.err, done


def test_kill_with_a_signal_that_linux_lacks(engine, image, client):
    engine.run("run", "-d", "--name", "lives", image, "sleep", "600")
    done = client("kill", "-s", "99", "lives")
    assert done.code == 1 and "he linux daemon does not support signal 99" in done.err, done
    assert engine.inspect("lives")["State"]["Running"]


def test_push_of_another_tag(registry, image, client):
    name = image.rsplit(":", 1)[0]
    done = client("push", f"{name}:missing")
    assert done.code == 1 and f"tag does not exist: {name}:missing" in done.err, done


def test_events_by_template(engine, image, client):
    since = f"{time.time():.6f}"
    identity = client("create", "--name", "told", image, "true").out.strip()
    done = client("events", "--since", since, "--until", f"{time.time():.6f}", "--filter", "container=told",
                  "--format", "{{.ID}} {{.Status}} {{.From}} {{.Type}} {{.Action}} {{.Scope}} {{.Actor.Attributes.name}}")
    assert done.out == f"{identity} create {image} container create local told\n", done
    wrong = client("events", "--since", since, "--until", f"{time.time():.6f}", "--format", "{{.Foo}}")
    assert wrong.code == 64 and "can't evaluate field Foo in type *events.Message" in wrong.err, wrong
    first = client("events", "--since", since, "--until", f"{time.time():.6f}", "--format", "{{json .}}").out.splitlines()[0]
    assert list(json.loads(first)) == ["status", "id", "from", "Type", "Action", "Actor", "scope", "time", "timeNano"]


def test_events_since_the_beginning(engine, image):
    engine.run("run", "--rm", "--name", "early", image, "true")
    body = engine.api("GET", f"/events?since=0&until={time.time():.6f}").body
    assert b'"name":"early"' in body


def test_raw_formats(engine, image, client):
    identity = client("create", "--name", "raw", "--label", "a=b", image, "true").out.strip()
    lines = client("ps", "-a", "--format", "raw").out.splitlines()
    created = next(line for line in lines if line.startswith("created_at: "))
    assert lines == [f"container_id: {identity[:12]}", f"image: {image}", 'command: "true"', created, "state: created", "status: Created",
                     "names: raw", "labels: a=b", "ports:", ""]
    assert client("ps", "-aq", "--format", "raw").out == f"container_id: {identity[:12]}\n"
    client("volume", "create", "kept")
    assert client("volume", "ls", "--format", "raw").out == "name: kept\ndriver: local\n\n"
    networks = client("network", "ls", "--filter", "name=host", "--format", "raw").out.splitlines()
    assert networks[1:] == ["name: host", "driver: host", "scope: local", ""] and networks[0].startswith("network_id: ")
    shown = client("images", "--format", "raw", image).out.splitlines()
    assert [line.split(":")[0] for line in shown] == ["repository", "tag", "image_id", "created_at", "virtual_size", ""]


@ours
def test_quiet_ps_ignores_a_format(engine, image):
    identity = engine.run("create", "--name", "calm", image, "true", program="proa").out.strip()
    done = engine.run("ps", "-aq", "--format", "{{.Names}}", program="proa")
    assert done.out == f"{identity[:12]}\n"
    assert done.err == "WARNING: Ignoring custom format, because both --format and --quiet are set.\n"


def test_a_template_with_an_unknown_function_is_no_template(engine, image, client):
    engine.run("create", "--name", "plain", image, "true")
    done = client("inspect", "-f", "{{foo}}", "plain")
    assert (done.code, done.out) == (64, ""), done
    assert 'template: :1: function "foo" not defined' in done.err


def test_the_mark_of_a_container(engine, image, client):
    client("run", "--name", "marked", image, "touch", "/own")
    assert client("run", "--rm", image, "stat", "-c", "%a %s %F", "/.dockerenv").out == "755 0 regular empty file\n"
    assert client("diff", "marked").out == "A /own\n"
    client("commit", "marked", "marked:1")
    assert len(engine.api("GET", "/images/marked:1/json").json["RootFS"]["Layers"]) == 2
    assert client("run", "--rm", "--entrypoint", "ls", "marked:1", "-a", "/").out.split()[2] == ".dockerenv"
    client("rmi", "-f", "marked:1")


def test_rm_of_a_running_container_that_removes_itself(engine, image, client):
    for n in range(5):
        client("run", "-d", "--rm", "--name", f"self{n}", image, "sleep", "600")
    names = "".join(f"self{n}\n" for n in range(5))
    done = client("rm", "-f", *names.split())
    assert (done.code, done.out, done.err) == (0, names, ""), done


def test_an_image_for_another_machine(registry, image, client):
    done = client("pull", "--platform", "linux/arm64", image)
    assert done.code == 0 and f"WARNING: image with reference {image.rsplit(':', 1)[0]}" in done.out and "linux/amd64" in done.out, done
    done = client("run", "--rm", "--platform", "linux/arm64", image, "true")
    assert done.code == 125 and f"Error response from daemon: image with reference {image} was found but" in done.err and "linux/amd64" in done.err, done


def test_pull_of_all_tags_ends_with_the_repository(registry, image, client):
    repository = image.rsplit(":", 1)[0]
    done = client("pull", "-a", repository)
    assert done.code == 0 and f"Status: Image is up to date for {repository}\n" in done.out, done
