"""The Debian package, on a Debian that systemd has booted. In the order of the file: a package's life is one story."""
import glob
import json
import os
import subprocess
import time

import pytest

PACKAGE = "/run/files/proa.deb"


def sh(command, timeout=120, code=0):
    done = subprocess.run(["bash", "-c", command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout,
                          env={**os.environ, "DOCKER_HOST": "unix:///run/proa.sock"})
    assert code is None or done.returncode == code, f"{command}: exit {done.returncode}\n{done.stdout}"
    return done.stdout.strip()


def docker(words, **options):
    return sh(f"/run/files/docker {words}", **options)


def active(unit):
    return sh(f"systemctl is-active {unit}", code=None)


def wait_until(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.1)


def pid_of(name):
    return int(docker(f"inspect -f '{{{{.State.Pid}}}}' {name}"))


def traces():
    """What the package and its daemon make on a machine."""
    files = [path for pattern in ("/usr/bin/proa*", "/lib/systemd/system/proa*", "/etc/systemd/system/*/proa*", "/var/lib/proa", "/run/proa*", "/etc/proa*",
                                  "/var/lib/systemd/deb-systemd-helper-enabled/*proa*", "/sys/fs/cgroup/proa", "/sys/fs/cgroup/system.slice/proa*")
             for path in glob.glob(pattern) if "proa-suite" not in path]
    links = sh("ip -o link show type bridge; ip -o link show type veth")
    processes = sh("ps -eo args | grep -E '^(/usr/bin/)?proa(d|-shim|-init)?( |$)' || true")
    return {"files": files, "links": links, "tables": sh("nft list tables"), "processes": processes}


@pytest.fixture(scope="module", autouse=True)
def before():
    return traces()


def test_installs_and_runs(before):
    assert before == {"files": [], "links": "", "tables": "", "processes": ""}
    sh(f"dpkg -i {PACKAGE}")
    assert active("proa.service") == active("proa.socket") == "active"
    assert sh("systemctl is-enabled proa.service proa.socket").split() == ["enabled", "enabled"]
    assert sh("stat -c '%a %U %G' /run/proa.sock") == "660 root docker"
    assert sh("systemd-analyze verify proa.service proa.socket 2>&1 | grep proa || true") == ""


def test_dockers_client_runs_a_container():
    docker("load -i /run/files/busybox.tar")
    assert docker("run --rm busybox echo hello") == "hello"
    assert sh("proa run --rm busybox cat /proc/self/attr/current") in ("docker-default (enforce)", "unconfined")
    info = json.loads(docker("info -f '{{json .}}'"))
    assert info["CgroupVersion"] == "2" and info["DockerRootDir"] == "/var/lib/proa"


def test_a_published_port_answers():
    docker("run -d --name web -p 8080:80 --memory 64m busybox sh -c 'mkdir /www; echo page > /www/index.html; exec httpd -f -h /www'")
    wait_until(lambda: sh("busybox wget -q -O - http://127.0.0.1:8080/", code=None) == "page")
    assert sh(f"cat /sys/fs/cgroup$(cut -d: -f3 /proc/{pid_of('web')}/cgroup)/memory.max") == str(64 << 20)


@pytest.mark.parametrize("how", ["systemctl restart proa", "systemctl kill -s KILL --kill-who=main proa", f"dpkg -i {PACKAGE}", "systemctl daemon-reexec",
                                 "systemctl reload proa"])
def test_containers_outlive(how):
    pid, daemon = pid_of("web"), sh("systemctl show -p MainPID --value proa")
    sh(how)
    if "restart" in how or "KILL" in how or "dpkg" in how:
        wait_until(lambda: sh("systemctl show -p MainPID --value proa") not in (daemon, "0"))
    wait_until(lambda: active("proa.service") == "active")
    assert pid_of("web") == pid and docker("exec web echo alive") == "alive"
    assert sh("busybox wget -q -O - http://127.0.0.1:8080/") == "page"


def test_a_stopped_daemon_is_started_by_its_socket():
    pid = pid_of("web")
    sh("systemctl stop proa.service")
    assert active("proa.service") == "inactive" and os.path.exists(f"/proc/{pid}")
    assert sh("busybox wget -q -O - http://127.0.0.1:8080/") == "page"
    assert docker("ps --format '{{.Names}}'") == "web"
    assert active("proa.service") == "active" and pid_of("web") == pid


def test_without_the_socket_it_stays_stopped():
    sh("systemctl stop proa.socket proa.service")
    assert "Cannot connect" in docker("ps", code=1)
    sh("systemctl start proa")
    assert docker("ps --format '{{.Names}}'") == "web"


def test_the_journal_has_no_errors():
    out = sh("journalctl -u proa.service -o cat --no-pager")
    assert "API listen" in out and "level=error" not in out, out


def test_a_removal_ends_containers_and_keeps_the_data():
    pid = pid_of("web")
    sh("dpkg -r proa")
    assert not os.path.exists(f"/proc/{pid}")
    wait_until(lambda: traces()["links"] == "")  # the kernel takes a dropped network namespace apart on its own time
    left = traces()
    assert left["tables"] == left["processes"] == "" and "/var/lib/proa" in left["files"], left
    assert not [path for path in left["files"] if path.startswith(("/run", "/sys"))]


def test_installed_again_it_has_its_containers():
    sh(f"dpkg -i {PACKAGE}")
    assert docker("ps -a --format '{{.Names}} {{.State}}'") == "web exited"
    docker("network create extra")
    docker("start web")
    assert docker("exec web echo alive") == "alive"


def test_a_purge_leaves_nothing(before):
    sh("dpkg -P proa")
    wait_until(lambda: traces()["links"] == "")
    assert traces() == before
    assert sh("systemctl list-unit-files 'proa*' --no-legend | grep -v suite || true") == ""
