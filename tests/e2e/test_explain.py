"""run --explain and explain: what happened behind the command."""
import json
import re

import pytest

pytestmark = pytest.mark.ours


def share(tree):
    """How much of the time the steps account for, in percent."""
    return float(re.search(r"The steps shown account for (\d+(?:\.\d+)?) %", tree)[1])


def explained(tell, text=lambda done: done.err):
    """What `tell` returns; where the machine was busy with something else between two steps, what it returns then."""
    for _ in range(5):
        done = tell()
        if share(text(done)) >= 95:
            return done
    pytest.fail(text(done))


def test_tree_names_each_step(engine, image):
    done = explained(lambda: engine.run("run", "--rm", "--explain", "--memory", "64m", "-v", "vol:/data", "-p", "18079:80", image, "sh", "-c", "echo payload; exit 3", program="proa"))
    assert done.code == 3 and done.out == "payload\n", done
    tree = done.err
    for words in ("POST /", "/containers/create", "/start", "201", "204", "clone", "memory", "mount", "overlay", "veth", "seccomp", "exec", "exit"):
        assert words in tree, words


def test_explain_of_a_container_as_json_and_chrome(engine, image):
    engine.run("run", "-d", "--name", "told", image, "sh", "-c", "exit 9", program="proa")
    engine.run("wait", "told")
    document = json.loads(engine.run("explain", "--format", "json", "told", program="proa").out)
    names = {event["name"] for event in document["events"]}
    assert {"api.request"} <= names and any(name.startswith("runtime.") for name in names) and any(name.startswith("network.") for name in names)
    chrome = json.loads(engine.run("explain", "--format", "chrome", "told", program="proa").out)
    assert all(event["ph"] in ("X", "M", "i") for event in chrome["traceEvents"])
    assert "9" in engine.run("explain", "told", program="proa").out


def test_explain_says_who_killed_it(engine, image):
    engine.run("run", "-d", "--name", "victim", image, "sleep", "60")
    engine.run("kill", "victim")
    engine.run("wait", "victim")
    out = engine.run("explain", "victim", program="proa").out
    assert "137" in out and ("SIGKILL" in out or "signal 9" in out)
    assert "kill" in out


def test_explain_says_out_of_memory(engine, image):
    engine.run("run", "--name", "oom", "--memory", "16m", image, "sh", "-c", "a=x; while :; do a=$a$a; done")
    assert "oom_killed=true" in engine.run("explain", "oom", program="proa").out


def test_pull_is_explained(engine, registry):
    name = f"{registry.address}/other:v1"
    engine.run("rmi", "-f", name)
    done = engine.run("run", "--rm", "--explain", name, "true", program="proa")
    engine.run("rmi", "-f", name)
    for words in ("images/create", "manifest", "layer"):
        assert words in done.err, words


def test_the_last_removed_containers_are_still_explained(engine, image):
    identity = engine.run("run", "-d", "--name", "late", image, "true", program="proa").out.strip()
    engine.run("wait", "late")
    engine.run("rm", "late")
    assert "exit" in engine.run("explain", identity, program="proa").out


def test_a_failed_start_is_explained(engine, image):
    done = explained(lambda: engine.run("run", "--rm", "--explain", image, "nosuch", program="proa"))
    assert done.code == 127 and done.err.endswith("Run 'proa run --help' for more information\n")
    assert re.search(r'answered: POST /containers/[0-9a-f]{12}/start -> 4\d\d  failed=.*"nosuch": executable file not found', done.err), done.err
    assert "not done: container started" in done.err, done.err
    assert "program ran" not in done.err


def test_a_command_without_a_container_is_explained(engine, registry):
    name = f"{registry.address}/nosuch:v1"
    done = explained(lambda: engine.run("run", "--explain", name, "true", program="proa"))
    assert done.code == 125 and "No container\n" in done.err, done
    assert re.search(rf"registry asked  method=GET  url=http://{registry.address}/v2/nosuch/manifests/v1  status=404", done.err), done.err


def test_the_pull_is_under_way_until_its_last_message(engine, registry):
    name = f"{registry.address}/busybox:latest"
    engine.run("rmi", "-f", name)
    done = engine.run("run", "--rm", "--explain", name, "true", program="proa")
    took = {who: float(number) for number, who in re.findall(r"([\d.]+)  (?:└─ )?\[(\w+)\] (?:asked|answered): POST /images/create", done.err)}
    assert took["proa"] >= took["proad"] * 0.95, done.err


def test_pauses_of_another_client_are_named(engine, image):
    def slow():
        engine.run("rm", "slow")
        engine.run("run", "--name", "slow", image, "true", program="docker")
        return engine.run("explain", "slow", program="proa").out

    assert "[client] the client was between two requests" in explained(slow, text=str)
