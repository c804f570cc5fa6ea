"""The daemon may die at any time (security.md 3.4): containers run on, logs are whole, exit codes are true."""
import fcntl
import json
import os
import signal
import subprocess
import threading
import time

import pytest
from engine import Engine, wait_until

pytestmark = pytest.mark.ours


@pytest.mark.proves("I1", "I3", "I4", "F10")
def test_containers_run_on_over_kill_nine(engine, image):
    engine.run("run", "-d", "--name", "survivor", image, "sh", "-c", "i=0; while :; do echo $i; i=$((i+1)); sleep 0.01; done")
    before = engine.inspect("survivor")["State"]
    time.sleep(0.3)
    engine.kill()
    time.sleep(0.5)
    engine.start()
    after = engine.inspect("survivor")["State"]
    assert after["Running"] and (after["Pid"], after["StartedAt"]) == (before["Pid"], before["StartedAt"])
    time.sleep(0.2)
    engine.run("kill", "survivor")
    wait_until(lambda: not engine.inspect("survivor")["State"]["Running"])
    lines = [int(line) for line in engine.run("logs", "survivor").out.split()]
    assert lines == list(range(len(lines))) and len(lines) > 50, "no line lost, none doubled"
    with open(engine.inspect("survivor")["LogPath"]) as file:
        for line in file:
            json.loads(line)


@pytest.mark.proves("I5")
def test_exit_codes_of_those_that_ended_meanwhile_are_true(engine, image):
    for code in (0, 7):
        engine.run("run", "-d", "--name", f"ends{code}", image, "sh", "-c", f"sleep 0.4; exit {code}")
    engine.run("run", "-d", "--name", "ends137", image, "sh", "-c", "sleep 0.4; exit 137")
    engine.kill()
    time.sleep(1)
    engine.start()
    for code in (0, 7, 137):
        state = engine.inspect(f"ends{code}")["State"]
        assert (state["Status"], state["ExitCode"]) == ("exited", code)
        assert state["FinishedAt"] > state["StartedAt"]


def test_exec_attach_stop_and_logs_work_after_the_restart(engine, image):
    engine.run("run", "-d", "--name", "kept", image, "sh", "-c", "echo first; trap 'exit 5' TERM; while :; do sleep 0.1; done")
    engine.restart()
    assert engine.run("exec", "kept", "echo", "inside").out == "inside\n"
    assert engine.run("logs", "kept").out == "first\n"
    assert engine.run("stop", "kept").code == 0
    assert engine.inspect("kept")["State"]["ExitCode"] == 5


@pytest.mark.proves("I3")
def test_terminal_and_stdin_survive(engine, image):
    engine.run("run", "-dit", "--name", "tty", image, "sh")
    engine.restart()
    import subprocess
    done = engine.popen("attach", "tty", program="proa", stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.poll() is None:
        done.stdin.write(b"echo a-$((1+1)); exit 4\n")
        done.stdin.flush()
    out, err = done.communicate(timeout=20)
    assert b"a-2" in out or b"not a TTY" in err


@pytest.mark.proves("I11")
def test_published_port_survives(engine, image):
    import socket
    from engine import free_port
    port = free_port()
    engine.run("run", "-d", "--name", "web", "-p", f"{port}:80", image, "sh", "-c", "while :; do echo hi | nc -l -p 80; done")

    def answers():
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
                return connection.recv(10) == b"hi\n"
        except OSError:
            return False

    wait_until(answers)
    engine.kill()
    wait_until(answers)
    engine.start()
    wait_until(answers)
    engine.run("rm", "-f", "web")
    assert not answers()


@pytest.mark.proves("I18")
def test_rm_container_that_died_meanwhile_is_gone(engine, image):
    engine.run("run", "-d", "--rm", "--name", "brief", image, "sleep", "0.5")
    identity = engine.inspect("brief")["Id"]
    engine.kill()
    time.sleep(1)
    engine.start()
    wait_until(lambda: engine.api("GET", "/containers/brief/json").status == 404)
    wait_until(lambda: not os.path.exists(os.path.join(engine.data_root, "containers", identity)))
    assert not os.path.exists(os.path.join(engine.exec_root, "shims", identity))


@pytest.mark.proves("I17")
def test_restart_policy_goes_on_after_the_restart(engine, image):
    engine.run("run", "-d", "--restart", "always", "--name", "always", image, "sleep", "0.5")
    engine.kill()
    time.sleep(1)
    engine.start()
    wait_until(lambda: engine.inspect("always")["State"]["Running"])


@pytest.mark.proves("I5", "I6", "F11")
def test_killed_shim_takes_its_container_along(engine, image):
    engine.run("run", "-d", "--name", "orphan", image, "sleep", "600")
    state = engine.inspect("orphan")["State"]
    with open(f"/proc/{state['Pid']}/status") as file:
        shim = int(next(line for line in file if line.startswith("PPid:")).split()[1])
    os.kill(shim, signal.SIGKILL)
    wait_until(lambda: engine.inspect("orphan")["State"]["Status"] == "exited")
    assert engine.inspect("orphan")["State"]["ExitCode"] in (137, 255)
    wait_until(lambda: not os.path.exists(f"/proc/{state['Pid']}/ns"))


def test_twenty_restarts(engine, image):
    engine.run("run", "-d", "--name", "steady", image, "sleep", "600")
    pid = engine.inspect("steady")["State"]["Pid"]
    for _ in range(20):
        engine.restart()
    assert engine.inspect("steady")["State"]["Pid"] == pid


def test_the_pid_file_that_somebody_holds_for_a_moment(engine, tmp_path):
    """As what a killed daemon was about to spawn does until its execve; a daemon that lives holds it for good."""
    path = os.path.join(engine.directory, "daemon.pid")
    second = subprocess.run([engine.binary, "--data-root", str(tmp_path / "data"), "--exec-root", str(tmp_path / "run"), "-H", f"unix://{tmp_path}/sock", "--pidfile", path], stderr=subprocess.PIPE, text=True)
    assert second.returncode == 1 and f"ensure proad is not running or delete {path}: process with PID {engine.process.pid} is still running" in second.stderr
    engine.kill()
    with open(path, "r+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        starting = threading.Thread(target=engine.start)
        starting.start()
        wait_until(lambda: path in opened_by(engine.process.pid))
    starting.join()
    assert engine.api("GET", "/_ping").status == 200 and engine.process.poll() is None


def opened_by(pid):
    try:
        return [os.readlink(f"/proc/{pid}/fd/{one}") for one in os.listdir(f"/proc/{pid}/fd")]
    except OSError:
        return []


def test_sigterm_leaves_containers_alone(engine, image):
    engine.run("run", "-d", "--name", "calm", image, "sleep", "600")
    pid = engine.inspect("calm")["State"]["Pid"]
    engine.kill(signal.SIGTERM)
    assert engine.process.returncode == 0 and os.path.exists(f"/proc/{pid}")
    engine.start()
    assert engine.inspect("calm")["State"]["Pid"] == pid


@pytest.mark.proves("I16", "R3")
def test_killed_registry_and_pull_resumes(engine, registry, image):
    """kill -9 in the middle of a pull: the store is consistent and the next pull completes."""
    import subprocess
    import images
    layer = images.Layer(images.tar_of([(f"f{n}", os.urandom(1 << 20), {}) for n in range(60)]), level=1)
    registry.push("large", "1", images.Image([layer], {"Cmd": ["x"]}))
    name = f"{registry.address}/large:1"
    for delay in (0.02, 0.1, 0.3):
        pull = engine.popen("pull", name, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(delay)
        engine.kill()
        pull.wait(timeout=30)
        engine.start()
        assert engine.api("GET", f"/images/{name}/json").status in (200, 404)
        assert not [entry for entry in os.listdir(os.path.join(engine.data_root, "layers")) if entry.startswith(".staging")]
    assert engine.run("pull", name).code == 0
    engine.run("rmi", name)


@pytest.mark.proves("I19")
def test_damaged_database_is_set_aside(registry):
    """Nothing can be read of it, and there is no copy: what users keep is still there."""
    daemon = Engine(bridge="proatest1", subnet="10.215.0.1/24")
    try:
        daemon.start()
        name = f"{registry.address}/busybox:latest"
        assert daemon.run("pull", "-q", name).code == 0
        assert daemon.run("run", "--name", "box", "-v", "kept:/data", name, "sh", "-c", "echo text > /data/file; echo own > /own").code == 0
        identity = daemon.inspect("box")["Id"]
        daemon.kill(signal.SIGTERM)
        with open(os.path.join(daemon.data_root, "proa.db"), "wb") as file:
            file.write(b"this is no database" * 1000)
        for suffix in ("-wal", "-shm", ".copy"):
            if os.path.exists(os.path.join(daemon.data_root, "proa.db" + suffix)):
                os.unlink(os.path.join(daemon.data_root, "proa.db" + suffix))
        daemon.start()
        assert daemon.api("GET", "/containers/json?all=1").json == []
        assert [volume["Name"] for volume in daemon.api("GET", "/volumes").json["Volumes"]] == ["kept"]
        with open(os.path.join(daemon.data_root, "volumes/kept/_data/file")) as file:
            assert file.read() == "text\n"
        aside = next(entry for entry in os.listdir(daemon.data_root) if entry.endswith(".containers"))
        assert aside.startswith("proa.db.damaged-") and os.path.exists(os.path.join(daemon.data_root, aside, identity, "upper/own"))
        assert daemon.run("pull", "-q", name).code == 0
        assert daemon.run("run", "--rm", "-v", "kept:/data", name, "cat", "/data/file").out == "text\n"
    finally:
        daemon.close()


@pytest.mark.parametrize("copied", [False, True])
def test_a_damaged_page_of_the_database_costs_its_rows_alone(registry, copied):
    """And with a copy not even them."""
    daemon = Engine(bridge="proatest1", subnet="10.215.0.1/24")
    try:
        daemon.start()
        name = f"{registry.address}/busybox:latest"
        assert daemon.run("pull", "-q", name).code == 0
        assert daemon.run("run", "-d", "--name", "runs", name, "sleep", "600").code == 0
        pid = daemon.inspect("runs")["State"]["Pid"]
        for n in range(40):
            assert daemon.api("POST", "/volumes/create", {"Name": f"volume{n:02}", "Labels": {"padding": "x" * 900}}).status == 201
        daemon.kill(signal.SIGTERM)
        with open(os.path.join(daemon.data_root, "proa.db"), "r+b") as file:
            page = file.read().index(b'"name":"volume20"') // 4096 * 4096
            file.seek(page)
            file.write(b"\x5a" * 4096)
        if not copied:
            os.unlink(os.path.join(daemon.data_root, "proa.db.copy"))
        daemon.start()
        assert daemon.inspect("runs")["State"]["Pid"] == pid and daemon.run("exec", "runs", "echo", "hi").out == "hi\n"
        volumes = {volume["Name"]: volume["Labels"] for volume in daemon.api("GET", "/volumes").json["Volumes"]}
        assert sorted(volumes) == [f"volume{n:02}" for n in range(40)]
        assert (0 < sum(not labels for labels in volumes.values()) < 12) != copied
        assert daemon.run("run", "--rm", name, "echo", "works").out == "works\n"
    finally:
        daemon.close()
