"""The command line: what callers say and what they parse."""
import array
import json
import os
import re
import signal
import socket
import subprocess
import tempfile
import threading

import pytest
from bundle import PROGRAM, SELINUX, UNIFIED, alive, run_program, wait_until

differs = pytest.mark.differs


@differs(runc="runc 1.1 warns of devices that the machine has not, with systemd", racy=True)
def test_run_passes_on_output_and_exit_code(box):
    done = box.run("echo out; echo err >&2; exit 42")
    assert (done.code, done.out, done.err) == (42, "out\n", "err\n")


def test_run_of_a_program_that_a_signal_ends_exits_with_128_and_its_number(box):
    assert box.run("sh -c 'kill -TERM $$'; exit $?").code == 143
    box.namespace("pid", absent=True)  # the first process of a namespace ignores signals it has no handler for
    assert box.run("kill -9 $$; sleep 5").code == 137


def test_run_passes_standard_input_on(box):
    assert box.sh("cat", input="hello") == "hello"


def test_run_removes_the_container_afterwards(box):
    box.sh("true")
    assert box.call("state", box.id).has_failed("does not exist", "no such file")


def test_run_of_what_is_not_there_fails_and_leaves_nothing(box):
    done = box.run(["/no/such/program"])
    assert done.has_failed("no such file")
    assert box.call("state", box.id).code != 0
    assert box.id not in box.call("list", "-q").out


def test_run_detached_writes_the_pid_file(box):
    box.args("sleep 1000")
    box.save()
    pid_file = box.path("pid")
    assert box.call("run", "-d", "-b", box.bundle, "--pid-file", pid_file, box.id).code == 0
    with open(pid_file) as file:
        pid = int(file.read())
    assert alive(pid) and box.state()["pid"] == pid and box.status() == "running"


@differs(crun="crun 1.8 has no `--keep`")
def test_run_keep_leaves_the_stopped_container(box):
    assert box.run("true", flags=("--keep",)).code == 0
    assert box.status() == "stopped"
    assert box.call("delete", box.id).code == 0


def test_create_does_not_run_the_program_until_start(box):
    done = box.create("echo ran > /tmp/ran; sleep 1000", flags=("--pid-file", box.path("pid")))
    assert done.code == 0, done
    assert box.status() == "created"
    assert alive(box.pid()) and not os.path.exists(box.path("rootfs/tmp/ran"))
    assert box.call("start", box.id).code == 0
    wait_until(lambda: os.path.exists(box.path("rootfs/tmp/ran")))
    assert box.status() == "running"


@differs(crun="crun finds the program at start, not at create")
def test_create_says_when_the_program_is_not_there(box):
    assert box.create(["nothing-of-this-name"]).has_failed("executable file not found in $path")
    assert box.call("state", box.id).code != 0


def test_create_refuses_an_id_that_is_taken(box):
    box.start()
    assert box.call("create", "-b", box.bundle, box.id).has_failed("already exist")
    assert box.status() == "running"


@pytest.mark.parametrize("name", ["..", "a/b", "../x", ""])
def test_create_refuses_an_id_that_is_not_a_name(box, name):
    box.save()
    assert box.call("create", "-b", box.bundle, name).code != 0


@differs(crun="crun names the fifo that is gone")
def test_start_of_a_running_container_fails(box):
    box.start()
    assert box.call("start", box.id).has_failed("cannot start", "is not in created state", "not in `created`", "already running")


def test_start_of_an_unknown_container_fails(runtime):
    assert runtime("start", "nobody").has_failed("does not exist", "no such file")


@differs(crun="crun writes the root as config.json has it")
def test_state_has_the_fields_of_the_specification(box):
    box.config["annotations"] = {"org.example": "yes"}
    box.start()
    state = box.state()
    assert state["id"] == box.id and state["bundle"] == box.bundle and state["status"] == "running"
    assert alive(state["pid"]) and state["annotations"]["org.example"] == "yes"
    assert re.match(r"\d+\.\d+\.\d+", state["ociVersion"]) and re.match(r"\d{4}-\d\d-\d\dT", state["created"])
    assert state["rootfs"] == box.rootfs and "owner" in state


def test_state_of_a_stopped_container_has_no_pid(box):
    box.start("exit 3")
    box.wait_for("stopped")
    assert box.state()["pid"] == 0


@differs(crun="crun calls the first column NAME")
def test_list_as_table_json_and_ids(box):
    box.start()
    table = box.call("list").out
    assert table.split("\n")[0].split() == ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"]
    assert re.search(rf"^{box.id} +{box.pid()} +running +{box.bundle} ", table, re.M)
    assert box.id in box.call("list", "-q").out.split()
    found = [one for one in json.loads(box.call("list", "-f", "json").out) if one["id"] == box.id][0]
    assert found["pid"] == box.pid() and found["status"] == "running" and found["bundle"] == box.bundle


@differs(runc="runc writes `null`, which every client treats as an empty list")
def test_list_of_nothing_is_an_empty_list(runtime):
    done = run_program([PROGRAM, "--root", runtime.directory + "/nowhere", "list", "-f", "json"])
    assert done.code == 0 and json.loads(done.out) == []


def test_kill_sends_sigterm_by_default(box):
    box.start("trap 'echo got > /tmp/got; exit' TERM; touch /tmp/up; while :; do sleep 0.05; done")
    wait_until(lambda: os.path.exists(box.path("rootfs/tmp/up")))
    assert box.call("kill", box.id).code == 0
    box.wait_for("stopped")
    assert os.path.exists(box.path("rootfs/tmp/got"))


@pytest.mark.parametrize("name", ["KILL", "SIGKILL", "9"])
def test_kill_takes_names_and_numbers(box, name):
    box.start()
    assert box.call("kill", box.id, name).code == 0
    box.wait_for("stopped")


@differs(crun="crun 1.8 takes any word for a signal")
def test_kill_refuses_an_unknown_signal(box):
    box.start()
    assert box.call("kill", box.id, "NOSUCH").has_failed("signal")


def test_kill_with_0_asks_whether_it_runs(box):
    pid = box.start()
    assert box.call("kill", box.id, "0").code == 0 and alive(pid)
    assert box.call("kill", box.id, "999").code != 0 and alive(pid)
    box.call("kill", box.id, "KILL")
    box.wait_for("stopped")
    assert box.call("kill", box.id, "0").code != 0


def test_kill_of_a_stopped_container_fails(box):
    box.start("true")
    box.wait_for("stopped")
    assert box.call("kill", box.id, "KILL").has_failed("not running", "no such process", "does not exist")


def test_kill_of_a_created_container_ends_it(box):
    box.create()
    assert box.call("kill", box.id, "KILL").code == 0
    box.wait_for("stopped")
    assert box.call("delete", box.id).code == 0


def test_kill_all_reaches_every_process(box):
    box.namespace("pid", absent=True)
    pid = box.start("sleep 2000 & sleep 2001")
    wait_until(lambda: len(json.loads(box.call("ps", "-f", "json", box.id).out)) >= 2)
    others = json.loads(box.call("ps", "-f", "json", box.id).out)
    assert box.call("kill", "--all", box.id, "KILL").code == 0
    wait_until(lambda: not any(map(alive, others + [pid])))


@differs(runc="runc 1.1 signals init alone", crun="crun 1.8 signals init alone")
def test_sigkill_reaches_every_process_where_init_does_not_take_them_along(box):
    box.namespace("pid", absent=True)
    pid = box.start("sleep 2000 & exec sleep 2001")
    wait_until(lambda: len(json.loads(box.call("ps", "-f", "json", box.id).out)) >= 2)
    others = json.loads(box.call("ps", "-f", "json", box.id).out)
    assert box.call("kill", box.id, "KILL").code == 0
    wait_until(lambda: not any(map(alive, others + [pid])))


@differs(crun="crun has other words for it")
def test_delete_refuses_a_running_container_and_force_kills_it(box):
    pid = box.start()
    assert box.call("delete", box.id).has_failed("not stopped", "running")
    assert alive(pid)
    assert box.call("delete", "--force", box.id).code == 0
    assert not alive(pid) and box.call("state", box.id).code != 0


def test_delete_of_the_unknown_fails_but_not_with_force(runtime):
    assert runtime("delete", "nobody").has_failed("does not exist", "no such file")
    assert runtime("delete", "--force", "nobody").code == 0


def test_delete_removes_the_cgroups(box):
    box.start()
    where = box.cgroup("pids")
    assert os.path.isdir(where)
    assert box.call("delete", "-f", box.id).code == 0
    assert not os.path.exists(where)


def test_ps_lists_processes(box):
    pid = box.start("sleep 3000 & sleep 3001")
    wait_until(lambda: len(json.loads(box.call("ps", "--format", "json", box.id).out)) == 2)
    assert pid in json.loads(box.call("ps", "--format", "json", box.id).out)
    table = box.call("ps", box.id)
    assert table.code == 0 and str(pid) in table.out and "PID" in table.out


@differs(crun="crun's ps lists numbers only")
def test_ps_takes_options_of_ps(box):
    box.start("sleep 3000")
    table = box.call("ps", box.id, "-o", "pid,args")
    assert table.code == 0 and "sleep 3000" in table.out and "CMD" not in table.out


def test_pause_and_resume(box):
    box.start("while :; do echo x >> /tmp/x; sleep 0.02; done")
    wait_until(lambda: os.path.exists(box.path("rootfs/tmp/x")))
    assert box.call("pause", box.id).code == 0
    assert box.status() == "paused"
    size = os.path.getsize(box.path("rootfs/tmp/x"))
    assert box.call("exec", box.id, "true").has_failed("paused")
    assert os.path.getsize(box.path("rootfs/tmp/x")) == size
    assert box.call("resume", box.id).code == 0
    assert box.status() == "running"
    wait_until(lambda: os.path.getsize(box.path("rootfs/tmp/x")) > size)


@differs(crun="crun says nothing")
def test_resume_of_a_running_container_fails(box):
    box.start()
    assert box.call("resume", box.id).has_failed("not paused", "not running", "paused")


@differs(crun="crun waits until the container is thawed", racy=True)  # not on version 2
def test_kill_ends_a_paused_container(box):
    pid = box.start()
    box.call("pause", box.id)
    assert box.call("kill", box.id, "KILL").code == 0
    wait_until(lambda: not alive(pid))


def test_delete_force_of_a_paused_container(box):
    pid = box.start()
    box.call("pause", box.id)
    assert box.call("delete", "--force", box.id).code == 0
    assert not alive(pid)


# --- exec

def test_exec_runs_in_the_container_and_passes_its_exit_code_on(box):
    box.start()
    done = box.exec("sh", "-c", "hostname; echo $$ >/tmp/pid; cat; exit 7", input="in")
    assert (done.code, done.out) == (7, "box\nin")


def test_exec_says_what_is_not_there(box):
    box.start()
    done = box.exec("nothing-of-this-name")
    assert done.has_failed("executable file", "not found")


@differs(crun="crun exits with 1 or 127")
def test_exec_that_cannot_be_exits_with_255(box):
    """So callers tell it from the exit code of what they wanted to run."""
    box.start()
    for words in (["nothing-of-this-name"], ["--cwd", "/nowhere"], ["--process", "/no/such/file"]):
        flags = words if words[0].startswith("--") else []
        done = box.exec(*([] if flags else words), *(["true"] if "--cwd" in flags else []), flags=flags)
        assert done.code == 255 and "exec failed: " in done.err, done
    box.call("delete", "-f", box.id)
    assert box.exec("true").code == 255


@differs(crun="crun wants a program")
def test_exec_without_a_program_fails(box):
    box.start()
    assert box.exec().has_failed("args cannot be empty")


@differs(crun="crun 1.8 makes it 0")
def test_exec_as_a_user_keeps_the_group(box):
    box.process["user"] = {"uid": 7, "gid": 9}
    box.start()
    assert box.exec("sh", "-c", "id -u; id -g", flags=("--user", "1000")).out.split() == ["1000", "9"]
    assert box.exec("sh", "-c", "id -u; id -g", flags=("--user", "1000:3")).out.split() == ["1000", "3"]


def test_exec_takes_numbers_of_users_only(box):
    box.start()
    assert box.exec("true", flags=("--user", "root")).code != 0


@differs(crun="crun looks the program up without the container's PATH when an environment is given")
def test_exec_env_replaces_the_containers(box):
    """getenv(3) finds the first."""
    box.process["env"].append("NAME=container")
    box.start()
    lines = box.exec("env", flags=("--env", "NAME=exec")).out.split("\n")
    assert [line for line in lines if line.startswith("NAME=")] == ["NAME=exec"]


@differs(crun="crun does not know it as a capability")
def test_exec_with_a_capability_that_there_is_not_is_warned_of(box):
    box.start()
    done = box.exec("true", flags=("--cap", "CAP_NOSUCH"))
    assert done.code == 0 and "CAP_NOSUCH" in done.err, done


def test_exec_in_a_stopped_container_fails(box):
    box.start("true")
    box.wait_for("stopped")
    assert box.exec("true").has_failed("stopped", "not running")


def test_exec_in_a_created_container_works(box):
    assert box.create().code == 0
    assert box.exec("echo", "yes").out == "yes\n"


@differs(crun="crun looks the program up without the container's PATH when an environment is given")
def test_exec_flags(box):
    box.start()
    done = box.exec("sh", "-c", "id -u; id -g; pwd; echo $A-$B", flags=("--user", "1000:7", "--cwd", "/tmp", "--env", "A=1", "--env", "B=2"))
    assert done.out.split() == ["1000", "7", "/tmp", "1-2"], done


@differs(crun="crun 1.8 has no --additional-gids")
def test_exec_additional_gids(box):
    box.start()
    assert set(box.exec("id", "-G", flags=("--additional-gids", "30", "--additional-gids", "31")).out.split()) >= {"30", "31"}


def test_exec_cap_adds_a_capability(box):
    box.start()
    done = box.exec("grep", "CapEff", "/proc/self/status", flags=("--cap", "CAP_SYS_ADMIN"))
    assert int(done.out.split()[1], 16) & 1 << 21, done


@pytest.mark.skipif(SELINUX, reason="there is SELinux here")
@differs(crun="crun 1.8 ignores it where there is no SELinux")
def test_exec_process_label_without_selinux(box):
    box.start()
    assert box.exec("true", flags=("--process-label", "system_u:system_r:svirt_lxc_net_t:s0")).has_failed("selinux")


@differs(crun="crun exits with 64")
@pytest.mark.parametrize("verb", ["run", "exec", "update"])
def test_help_of_a_command(runtime, verb):
    """Callers ask so whether a command is there."""
    for flag in ("--help", "-h"):
        done = runtime(verb, flag)
        assert done.code == 0 and verb in done.out, done


# runc 1.1's.
FLAGS = {
    "checkpoint": "image-path work-path parent-path leave-running tcp-established ext-unix-sk shell-job lazy-pages status-fd page-server file-locks pre-dump "
                  "manage-cgroups-mode empty-ns auto-dedup",
    "create": "bundle console-socket pid-file no-pivot no-new-keyring preserve-fds", "delete": "force", "events": "interval stats",
    "exec": "console-socket cwd env tty user additional-gids process detach pid-file process-label apparmor no-new-privs cap preserve-fds cgroup ignore-paused",
    "kill": "all", "list": "format quiet", "ps": "format",
    "restore": "console-socket image-path work-path tcp-established ext-unix-sk shell-job file-locks manage-cgroups-mode bundle detach pid-file no-subreaper "
               "no-pivot empty-ns auto-dedup lazy-pages lsm-profile lsm-mount-context",
    "run": "bundle console-socket detach keep pid-file no-subreaper no-pivot no-new-keyring preserve-fds", "spec": "bundle rootless",
    "update": "resources blkio-weight cpu-period cpu-quota cpu-share cpu-rt-period cpu-rt-runtime cpuset-cpus cpuset-mems memory memory-reservation "
              "memory-swap pids-limit l3-cache-schema mem-bw-schema"}


@differs(crun="crun exits with 64")
@pytest.mark.parametrize("verb", FLAGS)
def test_help_of_a_command_says_what_each_flag_is_for(runtime, verb):
    lines = [line.split() for line in runtime(verb, "--help").out.splitlines()]
    said = {line[0].strip("-,"): line[1:] for line in lines if line and line[0].startswith("--")}
    assert set(FLAGS[verb].split()) <= set(said) and all(len(words) > 1 for words in said.values())


@differs(crun="crun says less")
def test_without_a_command_it_says_how_it_is_used():
    done = run_program([PROGRAM])
    assert done.code == 0 and all(f"   {verb} " in done.out for verb in [*FLAGS, "features", "pause", "resume", "start", "state"])
    assert all(f"--{flag} " in done.out for flag in ("root", "log", "log-format", "debug", "systemd-cgroup", "rootless"))


def test_exec_no_new_privs(box):
    box.start()
    assert box.exec("grep", "NoNewPrivs", "/proc/self/status", flags=("--no-new-privs",)).out.split() == ["NoNewPrivs:", "1"]


def test_exec_process_file(box):
    box.start()
    with open(box.path("process.json"), "w") as file:
        json.dump({"user": {"uid": 5, "gid": 6}, "args": ["sh", "-c", "id -u; id -g; echo $X; pwd"], "env": ["PATH=/bin", "X=y"], "cwd": "/etc"}, file)
    done = box.call("exec", "--process", box.path("process.json"), box.id)
    assert done.out.split() == ["5", "6", "y", "/etc"], done


def test_exec_process_file_without_capabilities_has_the_containers(box):
    box.start()
    with open(box.path("process.json"), "w") as file:
        json.dump({"user": {"uid": 0, "gid": 0}, "args": ["grep", "CapEff", "/proc/self/status"], "env": ["PATH=/bin"], "cwd": "/"}, file)
    with open(f"/proc/{box.pid()}/status") as file:
        assert box.exec(flags=("--process", box.path("process.json"))).out.split() == next(line for line in file if line.startswith("CapEff")).split()


def test_exec_detached_with_pid_file(box):
    box.start()
    assert box.exec("sleep", "500", flags=("-d", "--pid-file", box.path("exec.pid"))).code == 0
    with open(box.path("exec.pid")) as file:
        pid = int(file.read())
    with open(f"/proc/{pid}/cmdline") as file:
        assert file.read() == "sleep\x00500\x00"
    assert os.readlink(f"/proc/{pid}/ns/pid") == os.readlink(f"/proc/{box.pid()}/ns/pid")


def test_exec_joins_the_cgroup(box):
    box.start()
    done = box.exec("sleep", "500", flags=("-d", "--pid-file", box.path("exec.pid")))
    assert done.code == 0
    with open(box.path("exec.pid")) as file:
        pid = int(file.read())
    assert pid in json.loads(box.call("ps", "-f", "json", box.id).out)


@differs(crun="crun cannot exec into a paused container")
def test_exec_ignore_paused_waits_for_the_thaw(box):
    box.start()
    box.call("pause", box.id)
    got = []
    thread = threading.Thread(target=lambda: got.append(box.exec("echo", "late", flags=("--ignore-paused",))))
    thread.start()
    thread.join(0.3)
    assert box.call("resume", box.id).code == 0
    thread.join(20)
    assert got and got[0].out == "late\n", got


@differs(crun="crun joins groups outside of the container's")
def test_exec_cgroup_must_be_below_the_containers(box):
    box.start()
    assert box.exec("true", flags=("--cgroup", "../..")).code != 0
    assert box.exec("true", flags=("--cgroup", "/nowhere")).code != 0


# --- terminals and descriptors

class ConsoleSocket:
    def __init__(self, directory):
        self.path = os.path.join(directory, "console.sock")
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(1)
        self.listener.settimeout(10)

    def receive(self):
        connection, _ = self.listener.accept()
        with connection:
            name, ancillary, _, _ = connection.recvmsg(4096, socket.CMSG_SPACE(4))
        return name, array.array("i", ancillary[0][2])[0]


def read_until(fd, word):
    seen = b""
    while word not in seen:
        try:
            seen += os.read(fd, 4096)
        except OSError:
            break
    return seen


def test_create_with_a_terminal_sends_its_master(box):
    with tempfile.TemporaryDirectory() as directory:
        console = ConsoleSocket(directory)
        box.process["terminal"] = True
        box.process["consoleSize"] = {"height": 33, "width": 77}
        box.start("stty size; tty; ls -l /dev/console; echo DONE; sleep 1000", flags=("--console-socket", console.path))
        _, master = console.receive()
        seen = read_until(master, b"DONE").decode().split()
        os.close(master)
        assert seen[:3] == ["33", "77", "/dev/console"] or seen[:3] == ["33", "77", "/dev/pts/0"], seen


def test_exec_with_a_terminal_sends_its_master(box):
    box.start()
    with tempfile.TemporaryDirectory() as directory:
        console = ConsoleSocket(directory)
        done = box.exec("sh", "-c", "tty; echo DONE; sleep 1000", flags=("-t", "-d", "--console-socket", console.path))
        assert done.code == 0, done
        _, master = console.receive()
        assert b"/dev/pts/0" in read_until(master, b"DONE")
        os.close(master)


def test_create_refuses_a_terminal_without_a_console_socket(box):
    box.process["terminal"] = True
    assert box.create().has_failed("console", "tty")


def test_run_with_a_terminal_relays_ours(box):
    box.process["terminal"] = True
    box.args("stty -echo; read x; echo got-$x; exit 9")
    box.save()
    master, slave = os.openpty()
    child = subprocess.Popen([PROGRAM, "--root", box.runtime.root, "run", "-b", box.bundle, box.id], stdin=slave, stdout=slave, stderr=slave,
                             start_new_session=True)
    os.close(slave)
    os.write(master, b"abc\n")
    seen = read_until(master, b"got-abc")
    assert b"got-abc" in seen
    assert child.wait(20) == 9
    os.close(master)


def test_preserve_fds(box):
    reader, writer = os.pipe()
    box.args("echo through >&3")
    box.save()

    def prepare():
        os.dup2(writer, 3)

    done = subprocess.run([PROGRAM, "--root", box.runtime.root, "run", "-b", box.bundle, "--preserve-fds", "1", box.id],
                          stdin=subprocess.DEVNULL, close_fds=False, preexec_fn=prepare, timeout=20)
    os.close(writer)
    assert done.returncode == 0 and os.read(reader, 100) == b"through\n"
    os.close(reader)


@differs(crun="crun passes nothing on, and says nothing")
@pytest.mark.parametrize("verb", ["run", "exec"])
def test_preserve_fds_that_are_not_open(box, verb):
    flags = ("--preserve-fds", "200")
    if verb == "exec":
        box.start()
    done = box.exec("echo", "ran", flags=flags) if verb == "exec" else box.run("echo ran", flags=flags)
    assert done.has_failed("unable to stat preserved-fd") and "(of 200)" in done.err and "ran" not in done.out, done


@differs(runc="runc passes on what it has opened itself", crun="crun passes nothing on, and says nothing")
def test_preserve_fds_are_the_callers(box):
    """Not what the runtime has come to have under a number that was free: here its log."""
    box.globals = ("--log", box.path("log"))
    done = box.run("ls -l /proc/self/fd", flags=("--preserve-fds", "1"))
    assert done.has_failed("unable to stat preserved-fd 0 (of 1)") and not done.out, done


def test_run_passes_signals_on(box):
    box.args("trap 'exit 5' INT; echo up; while :; do sleep 0.05; done")
    box.save()
    child = subprocess.Popen([PROGRAM, "--root", box.runtime.root, "run", "-b", box.bundle, box.id], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    assert child.stdout.readline() == b"up\n"
    child.send_signal(signal.SIGINT)
    assert child.wait(20) == 5
    child.stdout.close()


@differs(runc="runc 1.1 has no --pidfd-socket", crun="crun 1.8 has no --pidfd-socket")
@pytest.mark.parametrize("verb", ["run", "exec"])
def test_pidfd_socket_receives_a_pidfd(box, verb):
    with tempfile.TemporaryDirectory() as directory:
        receiver = ConsoleSocket(directory)
        if verb == "run":
            box.args("sleep 1000")
            box.save()
            done = box.call("run", "-d", "-b", box.bundle, "--pidfd-socket", receiver.path, "--pid-file", box.path("pid"), box.id)
        else:
            box.start()
            done = box.exec("sleep", "1000", flags=("-d", "--pidfd-socket", receiver.path, "--pid-file", box.path("pid")))
        assert done.code == 0, done
        _, pidfd = receiver.receive()
        with open(f"/proc/self/fdinfo/{pidfd}") as info, open(box.path("pid")) as file:
            assert int(re.search(r"Pid:\s+(\d+)", info.read())[1]) == int(file.read())
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        os.close(pidfd)


@pytest.mark.parametrize("verb", ["create", "run"])
def test_no_pivot_and_no_new_keyring_are_taken(box, verb):
    box.args("true")
    box.save()
    assert box.call(verb, "-b", box.bundle, "--no-pivot", "--no-new-keyring", box.id).code == 0


# --- events, update, features, spec, log

@differs(crun="crun has no `events`")
def test_events_stats_have_the_fields_that_callers_read(box):
    box.start("i=0; while :; do i=$((i+1)); done")
    done = box.call("events", "--stats", box.id)
    assert done.code == 0, done
    event = json.loads(done.out)
    assert event["type"] == "stats" and event["id"] == box.id
    data = event["data"]
    assert data["pids"]["current"] >= 1
    assert set(data["memory"]["usage"]) >= {"limit", "usage", "failcnt"} and data["memory"]["usage"]["usage"] > 0
    assert data["memory"]["raw"] and "cpu" in data and set(data["cpu"]["usage"]) >= {"total", "kernel", "user"}
    assert "blkio" in data


@differs(crun="crun has no `events`")
def test_events_stream_until_the_container_is_deleted(box):
    box.start()
    child = subprocess.Popen([PROGRAM, "--root", box.runtime.root, "events", "--interval", "100ms", box.id], stdout=subprocess.PIPE, text=True)
    try:
        assert [json.loads(child.stdout.readline())["type"] for _ in range(2)] == ["stats", "stats"]
        assert box.call("delete", "--force", box.id).code == 0
        child.communicate(timeout=20)
    finally:
        child.kill()
        child.wait()


@differs(crun="crun 1.8 takes bytes only")
def test_update_by_flags(box):
    box.start()
    done = box.call("update", "--memory", "64M", "--pids-limit", "77", "--cpu-share", "512", "--cpu-quota", "50000", "--cpu-period", "100000", box.id)
    assert done.code == 0, done
    assert box.limit("memory", "memory.max" if UNIFIED else "memory.limit_in_bytes") == str(64 << 20)
    assert box.limit("pids", "pids.max") == "77"
    if UNIFIED:
        assert box.limit("cpu", "cpu.max") == "50000 100000"
    else:
        assert box.limit("cpu", "cpu.shares") == "512" and box.limit("cpu", "cpu.cfs_quota_us") == "50000"


@pytest.mark.parametrize("source", ["-", "file"])
def test_update_by_a_document(box, source):
    box.start()
    text = json.dumps({"memory": {"limit": 96 << 20}, "pids": {"limit": 55}, "cpu": {"cpus": "0"}})
    if source == "file":
        source = box.path("resources.json")
        with open(source, "w") as file:
            file.write(text)
    done = box.call("update", "-r", source, box.id, input=text)
    assert done.code == 0, done
    assert box.limit("pids", "pids.max") == "55" and box.limit("cpuset", "cpuset.cpus") == "0"
    assert box.limit("memory", "memory.max" if UNIFIED else "memory.limit_in_bytes") == str(96 << 20)


@differs(crun="crun 1.8 takes bytes only")
def test_update_keeps_what_it_does_not_name(box):
    box.resources["pids"] = {"limit": 42}
    box.start()
    assert box.call("update", "--memory", "64M", box.id).code == 0
    assert box.limit("pids", "pids.max") == "42"


@differs(crun="crun 1.8 takes bytes only")
@pytest.mark.parametrize("size, bytes", [("64MB", 64 << 20), ("65536KiB", 64 << 20), ("0.0625g", 64 << 20)])
def test_update_takes_sizes_as_engines_write_them(box, size, bytes):
    box.start()
    assert box.call("update", "--memory", size, box.id).code == 0
    assert box.limit("memory", "memory.max" if UNIFIED else "memory.limit_in_bytes") == str(bytes)


@differs(crun="crun 1.8 writes it")
def test_update_by_zeros_changes_nothing(box):
    """dockerd sends zeros for what it does not mean."""
    box.resources["memory"] = {"limit": 64 << 20}
    box.start()
    zeros = {"memory": {"limit": 0, "reservation": 0, "swap": 0, "kernel": 0}, "cpu": {"shares": 0, "quota": 0, "period": 0, "cpus": "", "mems": ""},
             "pids": {"limit": 0}, "blockIO": {"weight": 0}}
    done = box.call("update", "-r", "-", box.id, input=json.dumps(zeros))
    assert done.code == 0, done
    assert box.limit("memory", "memory.max" if UNIFIED else "memory.limit_in_bytes") == str(64 << 20)
    assert box.call("update", "--memory", "0", box.id).code == 0


@differs(crun="crun 1.8 takes it")
def test_update_of_a_stopped_container_fails(box):
    box.start("true")
    box.wait_for("stopped")
    assert box.call("update", "--pids-limit", "10", box.id).has_failed("not running")


@pytest.mark.parametrize("flags", [("--memory", "much"), ("--cpu-share", "x"), ("--pids-limit", "x"), ("--blkio-weight", "70000"), ("--resources", "/no/such/file")])
def test_update_refuses_nonsense(box, flags):
    box.start()
    assert box.call("update", *flags, box.id).code != 0


@differs(crun="crun 1.8 has no `features`")
def test_features_are_what_the_specification_says(runtime):
    done = runtime("features")
    assert done.code == 0
    found = json.loads(done.out)
    assert found["ociVersionMin"] == "1.0.0" and found["ociVersionMax"] >= "1.0"
    assert set(found["hooks"]) == {"prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"}
    assert {"bind", "rbind", "ro", "rro", "rprivate", "tmpcopyup"} <= set(found["mountOptions"])
    linux = found["linux"]
    assert {"pid", "network", "mount", "user", "cgroup", "uts", "ipc"} <= set(linux["namespaces"])
    assert linux["cgroup"]["v1"] and linux["cgroup"]["v2"] and linux["cgroup"]["systemdUser"] and linux["seccomp"]["enabled"]
    assert {"SCMP_ACT_LOG", "SCMP_ACT_ERRNO"} <= set(linux["seccomp"]["actions"])
    assert "CAP_SYS_ADMIN" in linux["capabilities"]
    assert linux["apparmor"]["enabled"] and linux["selinux"]["enabled"]
    assert found["annotations"]["org.opencontainers.runc.checkpoint.enabled"] == "true" and all(isinstance(value, str) for value in found["annotations"].values())


@differs(runc="runc 1.1 does not tell of them", crun="crun 1.8 has no `features`")
def test_features_name_the_annotations_that_do_something(runtime):
    assert json.loads(runtime("features").out)["potentiallyUnsafeConfigAnnotations"] == ["org.systemd.property."]  # a prefix: its last sign is a dot


def test_spec_writes_a_configuration_that_runs(box):
    assert box.runtime("spec", "--bundle", box.bundle).code == 0
    assert box.runtime("spec", "--bundle", box.bundle).code != 0  # it is there
    with open(box.path("config.json")) as file:
        config = json.load(file)
    assert config["process"]["args"] == ["sh"] and config["root"] == {"path": "rootfs", "readonly": True}
    config["process"].update(terminal=False, args=["echo", "ran"])
    box.config = config
    box.set_group()
    assert box.run().out == "ran\n"


@differs(crun="crun leaves the mapping to the caller")
def test_spec_rootless_maps_the_caller(box):
    assert box.runtime("spec", "--rootless", "--bundle", box.bundle).code == 0
    with open(box.path("config.json")) as file:
        config = json.load(file)
    assert {"type": "user"} in config["linux"]["namespaces"] and config["linux"]["uidMappings"][0]["containerID"] == 0
    assert {"type": "network"} not in config["linux"]["namespaces"]


def test_log_as_json_has_the_message_that_containerd_reads(box):
    log = box.path("log.json")
    box.globals = ("--log", log, "--log-format", "json")
    assert box.run(["/no/such/program"]).code != 0
    with open(log) as file:
        lines = [json.loads(line) for line in file]
    assert any(line["level"] == "error" and "no such file" in line["msg"].lower() and line["time"] for line in lines)


def test_log_as_text(box):
    log = box.path("log")
    box.globals = ("--log", log)
    assert box.run(["/no/such/program"]).code != 0
    with open(log) as file:
        assert "no such file" in file.read().lower()


def test_version_names_the_specification(runtime):
    out = run_program([PROGRAM, "--version"]).out
    assert re.search(r"^\S+ version \S+", out) and re.search(r"^spec: 1\.\d+\.\d+", out, re.M)


@pytest.mark.parametrize("words", [("no-such-verb",), ("run", "--no-such-flag", "x"), ("kill",), ("state",)])
def test_bad_command_lines_fail(runtime, words):
    assert runtime(*words).code != 0


@differs(crun="crun has other words for it, and fewer limits")
@pytest.mark.parametrize("words, why", [
    (("kill",), "a minimum of 1"), (("exec",), "a minimum of 1"), (("ps",), "a minimum of 1"), (("kill", "a", "9", "b"), "a maximum of 2"), (("list", "a"), "exactly 0"),
    (("spec", "a"), "exactly 0"), (("features", "a"), "exactly 0"),
    *(((verb, *words), "exactly 1") for verb in ("create", "run", "start", "state", "delete", "pause", "resume", "update", "events", "checkpoint", "restore")
      for words in ((), ("a", "b")))])
def test_commands_count_their_arguments(runtime, words, why):
    done = runtime(*words)
    assert done.code == 1 and f'"{words[0]}\\" requires {why} argument(s)' in done.err, done
    assert done.out.startswith("Incorrect Usage")


@differs(crun="crun's create has other flags")
@pytest.mark.parametrize("flag", ["--detach", "--keep", "--no-subreaper"])
def test_flags_of_run_are_not_those_of_create(box, flag):
    box.save()
    assert box.call("create", flag, "-b", box.bundle, box.id).has_failed(f"flag provided but not defined: -{flag.strip('-')}")


@differs(crun="crun exits with 1")
def test_unknown_command_exits_with_3(runtime):
    assert runtime("no-such-verb").code == 3


@pytest.mark.parametrize("globals", [("--log-format", "xml"), ("--log", "/no/such/directory/log")])
def test_log_that_cannot_be_fails(runtime, globals):
    assert runtime("list", globals=globals).code != 0


@pytest.mark.parametrize("verb", ["list", "ps"])
def test_unknown_format_is_refused(box, verb):
    box.start()
    assert box.call(verb, "--format", "xml", *([box.id] if verb == "ps" else [])).has_failed("format")


@differs(crun="crun has other words for it")
def test_standard_error_has_the_bare_message_where_a_log_has_the_line(box):
    box.globals = ("--log", box.path("log"))
    done = box.call("state", "nobody")
    assert done.code == 1 and done.err == "container does not exist\n"
    with open(box.path("log")) as file:
        assert re.fullmatch(r'time="\S+" level=error msg="container does not exist"\n', file.read())


@differs(crun="crun 1.8 says nothing of an unknown capability")
def test_warnings_are_in_the_log(box):
    box.globals = ("--log", box.path("log"), "--log-format", "json")
    box.process["capabilities"] = {"bounding": ["CAP_NOSUCH"]}
    done = box.run("true")
    assert done.code == 0 and done.err == "", done
    with open(box.path("log")) as file:
        assert any(line["level"] == "warning" and "CAP_NOSUCH" in line["msg"] for line in map(json.loads, file))


def test_bundle_without_configuration_fails(box):
    assert box.call("create", "-b", box.bundle, box.id).has_failed("config.json")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"ociVersion": 3}', '{"ociVersion":"1.0.2","process":{"args":"x"}}'])
def test_broken_configurations_fail_and_leave_nothing(box, text):
    with open(box.path("config.json"), "w") as file:
        file.write(text)
    assert box.call("create", "-b", box.bundle, box.id).code != 0
    assert box.call("state", box.id).code != 0
