"""The clock is set, years forward and back, while containers run: nothing ends sooner, later or never for it (security.md 4.3).

Run by tests/vm/run engine: nowhere else may a test set the clock.
"""
import crypt
import json
import os
import signal
import subprocess
import threading
import time

import images
import pytest
from engine import wait_until
from registries import Server

YEAR, HOUR = 365 * 24 * 3600, 3600
JUMPS = pytest.mark.parametrize("by", [YEAR, -YEAR], ids=["forward", "back"])

pytestmark = [pytest.mark.ours, pytest.mark.skipif(os.uname().nodename != "proa-vm", reason="sets the machine's clock: in a virtual machine only")]


@pytest.fixture
def jump():
    """jump(seconds); afterwards the clock is right again."""
    jumps = []

    def go(seconds):
        time.clock_settime(time.CLOCK_REALTIME, time.time() + seconds)
        jumps.append(seconds)

    yield go
    time.clock_settime(time.CLOCK_REALTIME, time.time() - sum(jumps))


@pytest.fixture
def watched(engine):
    """watched(): the events since then, as they come."""
    streams = []

    def go():
        stream = engine.popen("events", "--format", "json", program="proa", stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        streams.append(stream)
        got = []

        def read():
            for line in stream.stdout:
                got.append(json.loads(line))
        threading.Thread(target=read, daemon=True).start()
        # It is there once it tells of something.
        wait_until(lambda: engine.run("volume", "create", "probe").code == 0 and got)
        return got

    yield go
    for stream in streams:
        stream.kill()
        stream.wait()


def health(engine, name):
    found = engine.inspect(name)["State"]["Health"]
    return {**found, "Log": found["Log"] or []}


def with_check(engine, image, command, *flags):
    done = engine.run("run", "-d", "--name", "checked", "--health-cmd", command, "--health-interval", "200ms", *flags, image, "sleep", "1000")
    assert done.code == 0, done


@pytest.mark.proves("F7")
@JUMPS
def test_stop_waits_as_long_as_it_was_told(engine, image, jump, by):
    """Not less where the clock jumps forward: it may end by itself. Not for ever where it jumps back."""
    script = "trap 'echo asked; sleep 3; exit 5' TERM; while :; do sleep 0.1; done"
    assert engine.run("run", "-d", "--name", "slow", image, "sh", "-c", script).code == 0
    stop = engine.popen("stop", "-t", "300", "slow", stdout=subprocess.DEVNULL)
    wait_until(lambda: "asked" in engine.run("logs", "slow").out)
    jump(by)
    assert stop.wait(timeout=60) == 0 and engine.inspect("slow")["State"]["ExitCode"] == 5
    assert engine.run("run", "-d", "--name", "deaf", image, "sh", "-c", "trap 'echo asked' TERM; while :; do sleep 0.1; done").code == 0
    stop = engine.popen("stop", "-t", "3", "deaf", stdout=subprocess.DEVNULL)
    wait_until(lambda: "asked" in engine.run("logs", "deaf").out)
    jump(by)
    assert stop.wait(timeout=60) == 0 and engine.inspect("deaf")["State"]["ExitCode"] == 137


@pytest.mark.proves("F7")
@JUMPS
def test_health_checks_go_on(engine, image, jump, by):
    with_check(engine, image, "true")
    wait_until(lambda: health(engine, "checked")["Status"] == "healthy")
    jump(by)
    last = health(engine, "checked")["Log"][-1]
    wait_until(lambda: last not in health(engine, "checked")["Log"], 30)
    assert health(engine, "checked")["Status"] == "healthy"


@pytest.mark.proves("F7")
def test_a_start_period_is_not_over_because_the_clock_was_set(engine, image, jump):
    with_check(engine, image, "false", "--health-retries", "1", "--health-start-period", "1h")
    wait_until(lambda: len(health(engine, "checked")["Log"]) > 1)
    jump(YEAR)
    seen = len(health(engine, "checked")["Log"])
    wait_until(lambda: len(health(engine, "checked")["Log"]) > min(seen, 4), 30)
    assert health(engine, "checked")["Status"] == "starting" and health(engine, "checked")["FailingStreak"] == 0


@pytest.mark.proves("F7")
def test_a_check_does_not_time_out_because_the_clock_was_set(engine, image, jump):
    with_check(engine, image, "touch /begun; sleep 3", "--health-timeout", "5m")
    wait_until(lambda: engine.run("exec", "checked", "ls", "/begun").code == 0)
    jump(YEAR)
    wait_until(lambda: health(engine, "checked")["Log"], 30)
    assert health(engine, "checked")["Log"][0]["ExitCode"] == 0


@pytest.mark.proves("F7")
@JUMPS
def test_restarts_go_on_and_a_run_is_as_long_as_it_was(engine, image, jump, watched, by):
    events = watched()
    assert engine.run("run", "-d", "--name", "again", "--restart", "always", image, "sh", "-c", "sleep 1; exit 3").code == 0
    jump(by)
    count = engine.inspect("again")["RestartCount"]
    wait_until(lambda: engine.inspect("again")["RestartCount"] >= count + 2, 30)
    assert engine.run("rm", "-f", "again").code == 0
    wait_until(lambda: any(event["Action"] == "destroy" for event in events))
    ran = [int(event["Actor"]["Attributes"]["execDuration"]) for event in events if event["Action"] == "die"]
    assert len(ran) > 2 and all(0 <= seconds < HOUR for seconds in ran), ran


@pytest.mark.proves("F7")
@JUMPS
def test_events_come_in_their_order_and_end_when_they_were_to(engine, image, jump, watched, by):
    events = watched()
    until = engine.popen("events", "--until", "5s", program="proa", stdout=subprocess.DEVNULL)
    assert engine.run("create", "--name", "one", image).code == 0
    jump(by)
    assert engine.run("rename", "one", "two").code == 0 and engine.run("rm", "two").code == 0
    wait_until(lambda: any(event["Action"] == "destroy" for event in events))
    assert [event["Action"] for event in events if event["Type"] == "container"] == ["create", "rename", "destroy"]
    assert until.wait(timeout=60) == 0


@pytest.mark.proves("F7")
@JUMPS
def test_logs_are_whole_and_in_their_order(engine, image, jump, by):
    script = "echo first; while [ ! -e /go ]; do sleep 0.1; done; echo second; sleep 1000"
    assert engine.run("run", "-d", "--name", "talks", image, "sh", "-c", script).code == 0
    follow = engine.popen("logs", "-f", "talks", stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert follow.stdout.readline() == "first\n"
    jump(by)
    asked = time.time() - 60
    assert engine.run("exec", "talks", "touch", "/go").code == 0
    assert follow.stdout.readline() == "second\n"
    follow.kill()
    follow.wait()
    assert engine.run("logs", "talks").out == "first\nsecond\n" and engine.run("logs", "--tail", "1", "talks").out == "second\n"
    since = engine.run("logs", "--since", str(int(asked)), "talks").out
    assert since == ("second\n" if by > 0 else "first\nsecond\n"), "what bears that time or a later one"


@pytest.mark.proves("F7")
@JUMPS
def test_the_next_daemon_knows_what_ran_and_what_ended(engine, image, jump, by):
    assert engine.run("run", "-d", "--name", "runs", image, "sleep", "1000").code == 0
    assert engine.run("run", "-d", "--name", "ends", image, "sh", "-c", "sleep 2; exit 7").code == 0
    runs, pid = engine.inspect("runs")["State"], engine.inspect("ends")["State"]["Pid"]
    engine.kill(signal.SIGKILL)
    jump(by)
    wait_until(lambda: not os.path.exists(f"/proc/{pid}"), 30)
    engine.start()
    assert engine.inspect("runs")["State"] == runs
    ended = engine.inspect("ends")["State"]
    assert (ended["Status"], ended["ExitCode"]) == ("exited", 7)
    assert "runs" in engine.run("ps").out and engine.run("exec", "runs", "echo", "inside").out == "inside\n"
    # A second run of it, which ends unseen as well, has an exit of its own.
    assert engine.run("start", "ends").code == 0
    engine.kill(signal.SIGKILL)
    wait_until(lambda: not any("sleep\0002" in line for line in command_lines()), 30)
    engine.start()
    assert engine.inspect("ends")["State"]["ExitCode"] == 7 and not engine.inspect("ends")["State"]["Running"]


def command_lines():
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline") as file:
                yield file.read()
        except OSError:
            pass


@pytest.mark.proves("F7")
@pytest.mark.parametrize("by", [24 * HOUR, -24 * HOUR], ids=["forward", "back"])  # what a login keeps may be too old after a year
def test_tokens_that_the_clock_made_bad_are_asked_for_again(engine, jump, tmp_path, by):
    users = tmp_path / "htpasswd"
    users.write_text("alice:" + crypt.crypt("secret", crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16)) + "\n")
    server = Server("--htpasswd", str(users), "--tokens", "--anonymous-pull").start()
    try:
        assert engine.run("login", "-u", "alice", "--password-stdin", server.address, stdin=b"secret").code == 0
        name = f"{server.address}/mine:v1"
        assert engine.run("import", "-", name, stdin=images.tar_of([("f", b"x", {})])).code == 0
        assert engine.run("push", name).code == 0
        jump(by)
        assert engine.run("push", name).code == 0
        assert engine.run("rmi", name).code == 0 and engine.run("pull", name).code == 0
    finally:
        engine.run("rmi", "-f", name)
        server.close()
