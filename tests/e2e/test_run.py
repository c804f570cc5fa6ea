"""`run`: standard streams, exit codes, environment, users, directories, names."""
import os
import re

import pytest
from engine import free_port, wait_until


def test_standard_output_and_error_are_kept_apart(run):
    done = run("--rm", cmd=["sh", "-c", "echo out; echo err >&2"])
    assert (done.code, done.out, done.err) == (0, "out\n", "err\n")


@pytest.mark.parametrize("code", [0, 1, 42, 255])
def test_exit_code_is_the_programs(run, code):
    assert run("--rm", cmd=["sh", "-c", f"exit {code}"]).code == code


def test_death_by_signal_is_128_and_its_number(run):
    # A signal from inside its own namespace cannot kill process 1 (pid_namespaces(7)); its child's status is passed on.
    assert run("--rm", cmd=["sh", "-c", "sh -c 'kill -9 $$'; exit $?"]).code == 137


def test_unknown_command_is_127(run):
    done = run("--rm", cmd=["no-such-program"])
    assert done.code == 127
    assert 'exec: "no-such-program": executable file not found in $PATH' in done.err


def test_missing_path_is_127(run):
    done = run("--rm", cmd=["/no/such/program"])
    assert done.code == 127
    assert "no such file or directory" in done.err


def test_directory_as_command_is_126(run):
    done = run("--rm", cmd=["/etc"])
    assert done.code == 126
    assert "/etc" in done.err


def test_file_without_x_bit_is_126(run):
    done = run("--rm", cmd=["/etc/passwd"])
    assert done.code == 126
    assert "permission denied" in done.err


def test_unknown_flag_is_125(run):
    done = run("--no-such-flag")
    assert done.code == 125
    assert "unknown flag: --no-such-flag" in done.err


def test_stdin_reaches_the_program_and_ends(run):
    done = run("--rm", "-i", cmd=["cat"], stdin=b"one\ntwo\n")
    assert (done.code, done.out) == (0, "one\ntwo\n")


def test_much_data_passes_unchanged(engine, image, program):
    data = os.urandom(3_000_000)
    done = engine.run("run", "--rm", "-i", image, "cat", stdin=data, program=program, text=False)
    assert done.code == 0 and done.out == data


def test_environment(sh):
    out = sh("env", "-e", "GREETING=hello there", "-e", "FROM_CLIENT", env={"FROM_CLIENT": "yes"}).splitlines()
    assert "GREETING=hello there" in out and "FROM_CLIENT=yes" in out
    assert "HOME=/root" in out and any(line.startswith("HOSTNAME=") for line in out)


def test_env_file(sh, tmp_path):
    path = tmp_path / "env"
    path.write_text("# comment\nA=1\nB=two words\n\n")
    out = sh("echo $A-$B", "--env-file", str(path))
    assert out == "1-two words"


def test_working_directory_is_made(sh):
    assert sh("pwd", "-w", "/made/for/me") == "/made/for/me"


def test_user_by_name_has_its_groups(sh):
    assert sh("id", "-u", "www-data") == "uid=33(www-data) gid=33(www-data) groups=33(www-data),50(staff)"


def test_user_by_number_that_nobody_has(sh):
    assert sh("id -u; id -g", "-u", "1234:5678").split() == ["1234", "5678"]


def test_unknown_user_is_refused(run):
    done = run("--rm", "-u", "nosuchuser", cmd=["true"])
    assert done.code in (125, 126)
    assert "unable to find user nosuchuser: no matching entries in passwd file" in done.err


def test_group_add(sh):
    assert "4242" in sh("id -G", "--group-add", "4242").split()


def test_entrypoint_replaces_the_command(run):
    done = run("--rm", "--entrypoint", "/bin/echo", cmd=["a", "b"])
    assert done.out == "a b\n"


def test_hostname_and_add_host(sh):
    out = sh("hostname; cat /etc/hostname; cat /etc/hosts", "--hostname", "alpha", "--add-host", "beta:192.0.2.7").splitlines()
    assert out[:2] == ["alpha", "alpha"]
    assert any(re.fullmatch(r"192\.0\.2\.7\s+beta", line) for line in out)
    assert any(line.split()[1:] == ["alpha"] for line in out)


def test_hostname_is_the_short_id_without_the_flag(engine, run):
    name = run("-d", cmd=["hostname"]).out.strip()
    wait_until(lambda: engine.inspect(name)["State"]["Status"] == "exited")
    assert engine.run("logs", name).out.strip() == name[:12]


def test_dns_flags(sh):
    out = sh("cat /etc/resolv.conf", "--dns", "192.0.2.53", "--dns-search", "example.test", "--dns-opt", "ndots:3").splitlines()
    for line in ("nameserver 192.0.2.53", "search example.test", "options ndots:3"):
        assert line in out


def test_detached_prints_the_id_and_runs(engine, run):
    done = run("-d", "--name", "sleeper", cmd=["sleep", "60"])
    assert re.fullmatch(r"[0-9a-f]{64}\n", done.out)
    state = engine.inspect("sleeper")["State"]
    assert state["Running"] and os.path.exists(f"/proc/{state['Pid']}")


def test_rm_removes_the_container(engine, run):
    assert run("--rm", "--name", "gone", cmd=["true"]).code == 0
    wait_until(lambda: engine.api("GET", "/containers/gone/json").status == 404)


def test_cidfile(engine, run, tmp_path):
    path = tmp_path / "cid"
    assert run("--cidfile", str(path), "--name", "with-cid", cmd=["true"]).code == 0
    assert path.read_text() == engine.inspect("with-cid")["Id"]
    again = run("--cidfile", str(path), cmd=["true"])
    assert again.code == 125 and "container ID file found" in again.err


def test_name_in_use_is_refused(engine, run):
    first = run("-d", "--name", "twin", cmd=["sleep", "60"]).out.strip()
    done = run("-d", "--name", "twin", cmd=["sleep", "60"])
    assert done.code == 125
    assert f'Conflict. The container name "/twin" is already in use by container "{first}". You have to remove (or rename) that container to be able to reuse that name.' in done.err


def test_labels(engine, run):
    run("--name", "labelled", "--label", "a=1", "--label", "b", cmd=["true"])
    assert engine.inspect("labelled")["Config"]["Labels"] == {"a": "1", "b": ""}


def test_init_reaps_and_forwards(run):
    done = run("--rm", "--init", cmd=["sh", "-c", "echo $$; cat /proc/1/comm"])
    assert done.code == 0
    pid, comm = done.out.split()
    assert pid != "1" and "init" in comm


def test_read_only_root(run):
    done = run("--rm", "--read-only", cmd=["sh", "-c", "touch /x; touch /dev/shm/y && echo shm-ok"])
    assert "Read-only file system" in done.err and "shm-ok" in done.out


def test_pull_never_of_an_unknown_image(engine, program):
    done = engine.run("run", "--rm", "--pull", "never", "nowhere.test/none:1", "true", program=program)
    assert done.code == 125 and "No such image: nowhere.test/none:1" in done.err


def test_missing_image_is_pulled_on_the_way(engine, registry, program):
    name = f"{registry.address}/other:v1"
    engine.run("rmi", "-f", name)
    done = engine.run("run", "--rm", name, "echo", "here", program=program)
    assert done.code == 0 and done.out == "here\n"
    assert f"Unable to find image '{name}' locally" in done.err
    assert "Pull complete" in done.err and f"Status: Downloaded newer image for {name}" in done.err
    engine.run("rmi", "-f", name)


def test_restart_on_failure_counts(engine, run):
    run("-d", "--name", "phoenix", "--restart", "on-failure:2", cmd=["sh", "-c", "exit 3"])
    wait_until(lambda: engine.inspect("phoenix")["State"]["Status"] == "exited" and engine.inspect("phoenix")["RestartCount"] == 2, 20)
    assert engine.inspect("phoenix")["State"]["ExitCode"] == 3


def test_rm_with_restart_policy_is_refused(run):
    done = run("--rm", "--restart", "always", cmd=["true"])
    assert done.code == 125 and "--restart and --rm" in done.err


def test_stop_signal(engine, run):
    run("-d", "--name", "polite", "--stop-signal", "USR1", cmd=["sh", "-c", "trap 'exit 7' USR1; while :; do sleep 0.1; done"])
    wait_until(lambda: engine.inspect("polite")["State"]["Running"])
    import time
    time.sleep(0.3)
    assert engine.run("stop", "-t", "10", "polite").code == 0
    assert engine.inspect("polite")["State"]["ExitCode"] == 7


def test_published_port_answers(engine, run):
    port = free_port()
    run("-d", "--name", "web", "-p", f"127.0.0.1:{port}:80", cmd=["sh", "-c", "while :; do echo hello | nc -l -p 80; done"])
    import socket

    def answer():
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
                return connection.recv(100) == b"hello\n"
        except OSError:
            return False

    wait_until(answer, 10)
    assert engine.run("port", "web").out == f"80/tcp -> 127.0.0.1:{port}\n"


def test_interactive_reads_its_input_whatever_is_attached(run):
    done = run("--rm", "-i", "-a", "stdout", cmd=["sh", "-c", "cat; echo end"], stdin=b"in\n")
    assert (done.code, done.out) == (0, "in\nend\n")


def test_detached_run_names_the_container_that_cannot_start(run):
    done = run("-d", cmd=["no-such-program"])
    assert done.code == 127 and re.fullmatch("[0-9a-f]{64}\n", done.out)


def test_a_negative_user_is_no_name(run):
    done = run("--rm", "-u", "-1", cmd=["true"])
    assert done.code == 125 and "uids and gids must be in range 0-2147483647" in done.err


def test_create_with_another_platform_asks_the_registry(run):
    done = run("--rm", "--platform", "linux/s390x", cmd=["true"])
    assert done.code == 125 and "Unable to find image" in done.err and "linux/s390x" in done.err


@pytest.mark.parametrize("given", ["kernel.foo=1", "vm.swappiness=1", "net.ipv4.ip_forward"])
def test_sysctls_without_a_namespace_are_refused(run, given):
    done = run("--rm", "--sysctl", given, cmd=["true"])
    assert done.code == 125 and f"sysctl '{given}' is not " in done.err  # allowed, or whitelisted
