"""SIGHUP: what a running daemon takes over from its configuration file."""
import json
import signal
import time

import pytest
from engine import PEER, Engine, wait_until


@pytest.fixture
def configured(registry, tmp_path):
    """write(settings), and a daemon that reads them."""
    path = tmp_path / "daemon.json"
    path.write_text("{}")
    daemon = Engine(["--config-file", str(path)], bridge="proatest1", subnet="10.212.0.1/24").start()

    def write(settings):
        """Whole, whenever it is read."""
        other = tmp_path / "new.json"
        other.write_text(settings if isinstance(settings, str) else json.dumps(settings))
        other.rename(path)

    yield write, daemon
    daemon.close()


def reload(daemon):
    """The attributes of the event."""
    before = f"{time.time():.9f}"
    daemon.process.send_signal(signal.SIGHUP)
    events = daemon.popen("events", "--since", before, "--filter", "type=daemon", "--format", "{{json .Actor.Attributes}}", stdout=-1)
    try:
        return json.loads(events.stdout.readline())
    finally:
        events.kill()
        events.wait()


def test_settings_are_taken_over(configured, registry):
    write, daemon = configured
    write({"debug": True, "labels": ["where=here"], "registry-mirrors": ["http://127.0.0.1:1"], "insecure-registries": ["reg.example:5000", "10.9.0.0/16"],
           "max-concurrent-downloads": 7, "max-concurrent-uploads": 8, "max-download-attempts": 2, "shutdown-timeout": 9, "default-shm-size": "32M"})
    said = reload(daemon)
    wanted = {"debug": "true", "labels": '["where=here"]', "registry-mirrors": '["http://127.0.0.1:1"]',
              "insecure-registries": '["reg.example:5000","10.9.0.0/16"]', "max-concurrent-downloads": "7", "max-concurrent-uploads": "8",
              "max-download-attempts": "2", "shutdown-timeout": "9"}
    assert {key: said.get(key) for key in wanted} == wanted
    info = daemon.api("GET", "/info").json
    assert info["Labels"] == ["where=here"] and info["Debug"] is True
    configuration = info["RegistryConfig"]
    assert configuration["Mirrors"] == ["http://127.0.0.1:1/"]
    assert sorted(configuration["InsecureRegistryCIDRs"])[0] == "10.9.0.0/16"
    assert configuration["IndexConfigs"]["reg.example:5000"] == {"Name": "reg.example:5000", "Mirrors": [], "Secure": False, "Official": False}
    if PEER:  # keeps what the file no longer says
        return
    write("{}")
    said = reload(daemon)
    assert said["debug"] == "false" and said["labels"] == "[]"
    assert not daemon.api("GET", "/info").json["Labels"]


def test_a_runtime_is_added(configured, registry):
    write, daemon = configured
    name = f"{registry.address}/busybox:latest"
    daemon.run("pull", "-q", name)
    refused = daemon.run("run", "--rm", "--runtime", "other", name, "true")
    assert refused.code == 125 and "other" in refused.err
    write({"runtimes": {"other": {"path": "/usr/sbin/runc"}}})
    said = reload(daemon)
    assert "other:/usr/sbin/runc" in said["runtimes"]
    done = daemon.run("run", "--rm", "--runtime", "other", name, "echo", "ran")
    assert done.out == "ran\n", done
    assert "other" in daemon.api("GET", "/info").json["Runtimes"]


def test_a_bad_file_changes_nothing(configured):
    write, daemon = configured
    write({"labels": ["a=b"]})
    reload(daemon)
    for bad in ("{", '{"no-such-key": 1}', '{"max-concurrent-downloads": -1}', '{"data-root": "/elsewhere"}'):
        write(bad)
        daemon.process.send_signal(signal.SIGHUP)
        wait_until(lambda: daemon.api("GET", "/_ping").status == 200)
    assert daemon.api("GET", "/info").json["Labels"] == ["a=b"]
