// Drives the real proa-shim as the daemon does. Needs root and a static busybox.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <functional>

#include "base/id.h"
#include "base/text.h"
#include "os/file.h"
#include "os/process.h"
#include "os/socket.h"
#include "shim/client.h"
#include "shim/detach_keys.h"

namespace proa::shim {
namespace {

using namespace std::chrono_literals;

std::string beside_us(std::string_view name) {
  char path[4096];
  ssize_t length = ::readlink("/proc/self/exe", path, sizeof path);
  return os::path_join(os::dir_name(std::string_view(path, static_cast<std::size_t>(length))), name);
}

bool eventually(const std::function<bool()>& holds, std::chrono::milliseconds limit = 5000ms) {
  for (auto left = limit; left > 0ms; left -= 10ms) {
    if (holds()) return true;
    ::usleep(10'000);
  }
  return holds();
}

// All that arrives on a socket until its end or the text.
std::string read_until(int socket, std::string_view wanted, int timeout_ms = 5000) {
  std::string all;
  char buffer[65536];
  for (;;) {
    if (!wanted.empty() && all.find(wanted) != std::string::npos) return all;
    pollfd item{socket, POLLIN, 0};
    if (::poll(&item, 1, timeout_ms) <= 0) return all + "<timeout>";
    ssize_t got = ::recv(socket, buffer, sizeof buffer, 0);
    if (got <= 0) return all;
    all.append(buffer, static_cast<std::size_t>(got));
  }
}

class ShimTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root: it makes namespaces and cgroups";
    if (!os::exists("/bin/busybox")) GTEST_SKIP() << "needs /bin/busybox (package busybox-static)";
    if (!os::exists(beside_us("proa-shim"))) GTEST_SKIP() << "needs proa-shim beside this test";
    id_ = new_id();
    dir_ = cat("/tmp/proa-shim-test-", short_id(id_));
    run_dir_ = cat(dir_, "/run");
    os::make_dirs(cat(dir_, "/rootfs/bin"), 0755);
    for (const char* name : {"proc", "dev", "tmp", "sys"}) os::make_dir(cat(dir_, "/rootfs/", name), 0755);
    os::make_dir(run_dir_, 0700);
    os::write_file(cat(dir_, "/rootfs/bin/busybox"), os::read_file("/bin/busybox"), 0755);
    for (const char* name :
         {"sh", "cat", "true", "echo", "sleep", "ls", "stty", "head", "dd", "yes", "kill", "seq", "grep"}) {
      ASSERT_EQ(::symlink("busybox", cat(dir_, "/rootfs/bin/", name).c_str()), 0);
    }
  }

  static void TearDownTestSuite() {  // the group that our containers' groups were in
    if (!os::exists("/sys/fs/cgroup")) return;
    for (const auto& hierarchy : os::list_dir("/sys/fs/cgroup")) {
      ::rmdir(cat("/sys/fs/cgroup/", hierarchy, "/proa-shim-test").c_str());
    }
    ::rmdir("/sys/fs/cgroup/proa-shim-test");
  }

  void TearDown() override {
    control_.reset();
    if (shim_.pidfd) {
      if (!os::wait_exit(shim_.pidfd.get(), leaves_ ? 5000 : 0)) {
        if (leaves_) ADD_FAILURE() << "the shim did not leave";
        os::try_signal_pidfd(shim_.pidfd.get(), SIGKILL);
        os::wait_exit(shim_.pidfd.get(), 5000);
      }
    }
    if (!dir_.empty()) {
      kill_leftovers(run_dir_);
      remove_leftover_cgroup(run_dir_);
      os::remove_tree(dir_);
    }
  }

  CreateRequest request(std::vector<std::string> command) {
    CreateRequest out;
    out.id = id_;
    out.bundle = dir_;
    out.run_dir = run_dir_;
    out.log.path = cat(dir_, "/", id_, "-json.log");
    auto& spec = out.spec;
    spec.oci_version = "1.0.2";
    spec.root.path = "rootfs";
    spec.process.args = std::move(command);
    spec.process.env = {"PATH=/bin", "HOME=/"};
    spec.process.cwd = "/";
    spec.hostname = "shimtest";
    spec.mounts = {
        {"/proc", "proc", "proc", {"nosuid", "noexec", "nodev"}, {}, {}},
        {"/dev", "tmpfs", "tmpfs", {"nosuid", "strictatime", "mode=755", "size=65536k"}, {}, {}},
        {"/dev/pts", "devpts", "devpts", {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"}, {}, {}}};
    spec.linux.namespaces = {{"pid", ""}, {"mount", ""}, {"ipc", ""}, {"uts", ""}, {"network", ""}};
    spec.linux.cgroups_path = cat("/proa-shim-test/", id_);
    return out;
  }

  // As engine/launcher does.
  Started start(const CreateRequest& wanted, const std::vector<int>& fds = {}) {
    auto [ours, its] = os::make_socket_pair(SOCK_SEQPACKET);
    os::Fd null = os::open_file("/dev/null", O_RDWR);
    os::SpawnOptions options;
    options.path = beside_us("proa-shim");
    options.argv = {"proa-shim", id_};
    options.fds = {{null.get(), 0}, {null.get(), 1}, {2, 2}, {its.get(), 3}};
    shim_ = os::spawn(options);
    its.reset();
    control_ = std::move(ours);
    send_packet(control_.get(), to_json(wanted), fds);
    auto packet = receive_packet(control_.get());
    if (!packet) throw Error(ErrorKind::Internal, "the shim died");
    return started_from_json(unwrap_reply(packet->body));
  }

  Notice next_notice() {
    for (;;) {
      pollfd item{control_.get(), POLLIN, 0};
      if (::poll(&item, 1, 10'000) <= 0) throw Error(ErrorKind::Deadline, "no notice came");
      auto packet = receive_packet(control_.get());
      if (!packet) throw Error(ErrorKind::Internal, "the shim died");
      if (json::find(packet->body, "notice")) return notice_from_json(packet->body);
    }
  }

  std::string logged() {
    std::string all;
    for (const auto& line : split(os::try_read_file(cat(dir_, "/", id_, "-json.log")).value_or(""), '\n')) {
      if (!line.empty()) all += json::string_at(json::parse(line), "log");
    }
    return all;
  }

  Client client() const { return Client(run_dir_); }

  std::string id_, dir_, run_dir_;
  os::Spawned shim_;
  os::Fd control_;
  bool leaves_ = true;  // TearDown closes the connection: the shim has to end by itself then
};

TEST_F(ShimTest, WritesOutputToLogAndAttachedClientAndRecordsTheExit) {
  auto [ours, its] = os::make_socket_pair(SOCK_STREAM);
  auto wanted = request({"sh", "-c", "echo out; echo err >&2; exit 7"});
  wanted.attach.push_back({.use_stdin = false,
                           .use_stdout = true,
                           .use_stderr = true,
                           .framing = Framing::Multiplexed,
                           .detach_keys = "",
                           .early_stdin = "",
                           .client_id = "1"});
  wanted.fds = {"attach:0"};
  auto started = start(wanted, {its.get()});
  its.reset();
  EXPECT_GT(started.pid, 1);
  EXPECT_GT(started.start_time_ticks, 0U);

  std::string stream = read_until(ours.get(), "");
  EXPECT_NE(stream.find(std::string("\1\0\0\0\0\0\0\4out\n", 12)), std::string::npos);
  EXPECT_NE(stream.find(std::string("\2\0\0\0\0\0\0\4err\n", 12)), std::string::npos);
  EXPECT_EQ(stream.size(), 24U);

  auto notice = next_notice();
  EXPECT_EQ(notice.kind, NoticeKind::Exited);
  EXPECT_EQ(notice.exit.exit_code, 7);
  EXPECT_EQ(notice.exit.signal, 0);
  EXPECT_EQ(notice.exit.logged_bytes, 8U);
  auto record = read_exit_record(run_dir_);
  ASSERT_TRUE(record);
  EXPECT_EQ(record->exit_code, 7);
  EXPECT_GE(record->finished_at, record->started_at);
  EXPECT_NE(logged().find("out\n"), std::string::npos);
  EXPECT_NE(logged().find("err\n"), std::string::npos);
}

TEST_F(ShimTest, TellsTheRuntimesErrorAndLeavesNothing) {
  try {
    start(request({"/bin/nothing"}));
    FAIL() << "it started";
  } catch (const Error& error) {
    EXPECT_NE(error.message().find("exec: \"/bin/nothing\": stat /bin/nothing: no such file or directory"),
              std::string::npos)
        << error.message();
  }
  ASSERT_TRUE(os::wait_exit(shim_.pidfd.get(), 5000));
  shim_.pidfd.reset();
  EXPECT_FALSE(os::exists(cat(run_dir_, "/control.sock")));
  EXPECT_FALSE(os::exists(cat("/sys/fs/cgroup/memory/proa-shim-test/", id_)));
}

// proves: 3
TEST_F(ShimTest, ContainerHasOnlyItsStandardStreamsAndNoBlockedSignals) {
  start(request({"sh", "-c", "ls /proc/self/fd; exec grep Sig[BI] /proc/self/status"}));
  next_notice();
  // ls opens the directory itself as one more
  EXPECT_EQ(logged(), "0\n1\n2\n3\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
}

TEST_F(ShimTest, SignalEndsTheContainerWith128PlusItsNumber) {
  start(request({"sleep", "100"}));
  client().signal(SIGKILL);
  auto notice = next_notice();
  EXPECT_EQ(notice.exit.exit_code, 137);
  EXPECT_EQ(notice.exit.signal, 9);
  EXPECT_THROW(client().signal(SIGTERM), Error);
}

TEST_F(ShimTest, StdinReachesTheProcessAndItsEndClosesIt) {
  auto [ours, its] = os::make_socket_pair(SOCK_STREAM);
  auto wanted = request({"cat"});
  wanted.open_stdin = wanted.stdin_once = true;
  wanted.attach.push_back({.use_stdin = true,
                           .use_stdout = true,
                           .use_stderr = true,
                           .framing = Framing::Multiplexed,
                           .detach_keys = "",
                           .early_stdin = "early ",
                           .client_id = ""});
  wanted.fds = {"attach:0"};
  start(wanted, {its.get()});
  its.reset();
  os::write_all(ours.get(), "bird\n");
  std::string all = read_until(ours.get(), "bird\n");
  EXPECT_NE(all.find("bird\n"), std::string::npos);
  EXPECT_NE(all.find("early "), std::string::npos);
  ::shutdown(ours.get(), SHUT_WR);
  EXPECT_EQ(read_until(ours.get(), ""), "");
  EXPECT_EQ(next_notice().exit.exit_code, 0);
  EXPECT_EQ(logged(), "early bird\n");
}

// proves: F15
TEST_F(ShimTest, InputFasterThanTheProcessStaysInTheSocket) {
  auto [ours, its] = os::make_socket_pair(SOCK_STREAM);
  auto wanted = request({"sleep", "100"});
  wanted.open_stdin = wanted.stdin_once = true;
  wanted.attach.push_back({.use_stdin = true,
                           .use_stdout = false,
                           .use_stderr = false,
                           .framing = Framing::Raw,
                           .detach_keys = "",
                           .early_stdin = "",
                           .client_id = ""});
  wanted.fds = {"attach:0"};
  start(wanted, {its.get()});
  its.reset();
  std::string block(65536, 'x');
  std::size_t taken = 0;
  for (int i = 0; i < 400; ++i) {
    ssize_t sent = ::send(ours.get(), block.data(), block.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent > 0)
      taken += static_cast<std::size_t>(sent);
    else
      ::usleep(2000);
  }
  EXPECT_LT(taken, 2U << 20);  // pipe, pending buffer and the socket's own
  client().signal(SIGKILL);
  EXPECT_EQ(next_notice().exit.exit_code, 137);
}

TEST_F(ShimTest, TerminalEchoesResizesAndDetachesByKeys) {
  auto [ours, its] = os::make_socket_pair(SOCK_STREAM);
  auto wanted = request({"sh", "-c", "stty size; read line; stty size; read line; echo got $line"});
  wanted.terminal = wanted.open_stdin = true;
  wanted.console_height = 24;
  wanted.console_width = 80;
  wanted.attach.push_back({.use_stdin = true,
                           .use_stdout = true,
                           .use_stderr = true,
                           .framing = Framing::Raw,
                           .detach_keys = std::string(kDefaultDetachKeys),
                           .early_stdin = "",
                           .client_id = "tty"});
  wanted.fds = {"attach:0"};
  start(wanted, {its.get()});
  its.reset();
  EXPECT_EQ(read_until(ours.get(), "24 80\r\n"), "24 80\r\n");
  client().resize(50, 132);
  os::write_all(ours.get(), "\n");
  EXPECT_NE(read_until(ours.get(), "50 132\r\n").find("50 132\r\n"), std::string::npos);
  os::write_all(ours.get(), "\x10");
  ::usleep(20'000);
  os::write_all(ours.get(), "\x11");
  EXPECT_EQ(read_until(ours.get(), ""), "");
  auto notice = next_notice();
  EXPECT_EQ(notice.kind, NoticeKind::Detached);
  EXPECT_EQ(notice.client_id, "tty");
  // It runs on, and a second client finds it.
  auto [second, its_second] = os::make_socket_pair(SOCK_STREAM);
  client().attach({.use_stdin = true,
                   .use_stdout = true,
                   .use_stderr = true,
                   .framing = Framing::Raw,
                   .detach_keys = "",
                   .early_stdin = "",
                   .client_id = "2"},
                  its_second.get());
  its_second.reset();
  os::write_all(second.get(), "hello\n");
  EXPECT_NE(read_until(second.get(), "").find("got hello\r\n"), std::string::npos);
  EXPECT_EQ(next_notice().exit.exit_code, 0);
  EXPECT_NE(logged().find("got hello\r\n"), std::string::npos);
}

TEST_F(ShimTest, ExecRunsBesideTheContainerAndReportsItsOwnExit) {
  start(request({"sleep", "100"}));
  auto [ours, its] = os::make_socket_pair(SOCK_STREAM);
  ExecRequest exec;
  exec.exec_id = "e1";
  exec.process = request({"sh", "-c", "echo hi; cat; exit 3"}).spec.process;
  exec.open_stdin = true;
  exec.attach = AttachStream{.use_stdin = true,
                             .use_stdout = true,
                             .use_stderr = true,
                             .framing = Framing::Multiplexed,
                             .detach_keys = "",
                             .early_stdin = "",
                             .client_id = ""};
  EXPECT_GT(client().exec(exec, its.get()), 0);
  its.reset();
  os::write_all(ours.get(), "there");
  ::shutdown(ours.get(), SHUT_WR);
  std::string all = read_until(ours.get(), "");
  EXPECT_NE(all.find("hi\n"), std::string::npos);
  EXPECT_NE(all.find("there"), std::string::npos);
  auto notice = next_notice();
  EXPECT_EQ(notice.exit.exec_id, "e1");
  EXPECT_EQ(notice.exit.exit_code, 3);

  exec.exec_id = "e2";
  exec.process.args = {"nothing"};
  try {
    client().exec(exec, control_.get());
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(error.message().find("exec: \"nothing\": executable file not found in $PATH"), std::string::npos)
        << error.message();
  }
  EXPECT_EQ(logged(), "");
  client().signal(SIGKILL);
  EXPECT_EQ(next_notice().exit.exec_id, "");
}

// proves: 3 28
TEST_F(ShimTest, ExecHasOnlyItsStandardStreamsToo) {
  start(request({"sleep", "100"}));
  auto [ours, its] = os::make_socket_pair(SOCK_STREAM);
  ExecRequest exec;
  exec.exec_id = "fds";
  exec.process = request({"ls", "/proc/self/fd"}).spec.process;
  exec.attach = AttachStream{.use_stdin = false,
                             .use_stdout = true,
                             .use_stderr = true,
                             .framing = Framing::Raw,
                             .detach_keys = "",
                             .early_stdin = "",
                             .client_id = ""};
  client().exec(exec, its.get());
  its.reset();
  EXPECT_EQ(read_until(ours.get(), ""), "0\n1\n2\n3\n");
  client().signal(SIGKILL);
  while (!next_notice().exit.exec_id.empty()) {
  }
}

TEST_F(ShimTest, TerminalOfAnExecIsItsOwn) {
  start(request({"sleep", "100"}));
  auto [ours, its] = os::make_socket_pair(SOCK_STREAM);
  ExecRequest exec;
  exec.exec_id = "tty";
  exec.process = request({"sh", "-c", "stty size; read x; stty size; echo bye"}).spec.process;
  exec.process.terminal = true;
  exec.process.console_size = oci::ConsoleSize{30, 90};
  exec.open_stdin = true;
  exec.attach = AttachStream{.use_stdin = true,
                             .use_stdout = true,
                             .use_stderr = true,
                             .framing = Framing::Raw,
                             .detach_keys = "",
                             .early_stdin = "",
                             .client_id = ""};
  client().exec(exec, its.get());
  its.reset();
  EXPECT_EQ(read_until(ours.get(), "\n"), "30 90\r\n");
  client().resize(31, 91, "tty");
  os::write_all(ours.get(), "x\n");
  std::string rest = read_until(ours.get(), "");
  EXPECT_NE(rest.find("31 91\r\nbye\r\n"), std::string::npos) << rest;
  client().signal(SIGKILL);
  while (!next_notice().exit.exec_id.empty()) {
  }
}

// proves: F14
TEST_F(ShimTest, ClientThatNeverReadsHoldsUpNeitherLogNorExit) {
  auto [ours, its] = os::make_socket_pair(SOCK_STREAM);
  auto wanted = request({"sh", "-c", "head -c 8388608 /dev/zero; echo end"});
  wanted.spec.mounts.push_back({"/dev/zero", "bind", "/dev/zero", {"bind"}, {}, {}});
  wanted.log.max_size = -1;
  wanted.attach.push_back({.use_stdin = false,
                           .use_stdout = true,
                           .use_stderr = true,
                           .framing = Framing::Raw,
                           .detach_keys = "",
                           .early_stdin = "",
                           .client_id = ""});
  wanted.fds = {"attach:0"};
  start(wanted, {its.get()});
  its.reset();
  auto notice = next_notice();
  EXPECT_EQ(notice.exit.exit_code, 0);
  EXPECT_EQ(notice.exit.logged_bytes, 8388608U + 4);
  // What it did not read yet is still there for it, in order and whole.
  std::string all = read_until(ours.get(), "");
  EXPECT_EQ(all.size(), 8388608U + 4);
  EXPECT_EQ(all.substr(all.size() - 4), "end\n");
}

TEST_F(ShimTest, OutlivesTheDaemonAndIsFoundAgain) {
  auto started = start(request({"sh", "-c", "echo one; sleep 0.3; echo two; exit 5"}));
  control_.reset();  // kill -9 of the daemon
  ::usleep(50'000);
  auto again = client().subscribe();
  EXPECT_EQ(again.state.pid, started.pid);
  EXPECT_EQ(again.state.start_time_ticks, started.start_time_ticks);
  EXPECT_FALSE(again.state.exited);
  control_ = std::move(again.socket);
  auto notice = next_notice();
  EXPECT_EQ(notice.exit.exit_code, 5);
  EXPECT_EQ(logged(), "one\ntwo\n");
}

// proves: I5 I6
TEST_F(ShimTest, ExitWithoutAnyDaemonIsRecordedAndTheShimLeaves) {
  start(request({"sh", "-c", "sleep 0.2; exit 9"}));
  control_.reset();
  ASSERT_TRUE(os::wait_exit(shim_.pidfd.get(), 5000));
  shim_.pidfd.reset();
  auto record = read_exit_record(run_dir_);
  ASSERT_TRUE(record);
  EXPECT_EQ(record->exit_code, 9);
  EXPECT_FALSE(os::exists(cat("/sys/fs/cgroup/memory/proa-shim-test/", id_)));
}

// proves: F11
TEST_F(ShimTest, ContainerDiesWithItsShim) {
  auto started = start(request({"sleep", "100"}));
  auto init = os::try_open_pidfd(started.pid);
  ASSERT_TRUE(init);
  // Its note of the cgroup, by which TearDown (and the daemon) clears up after it.
  ASSERT_TRUE(eventually([&] { return os::exists(cat(run_dir_, "/state.json")); }));
  os::try_signal_pidfd(shim_.pidfd.get(), SIGKILL);
  pollfd item{init->get(), POLLIN, 0};
  EXPECT_EQ(::poll(&item, 1, 5000), 1);
}

TEST_F(ShimTest, PausesResumesAndListsProcesses) {
  auto started = start(request({"sleep", "100"}));
  EXPECT_EQ(client().pids(), std::vector<pid_t>{started.pid});
  client().pause();
  EXPECT_TRUE(client().state().paused);
  ExecRequest exec;
  exec.exec_id = "x";
  exec.process = request({"true"}).spec.process;
  EXPECT_THROW(client().exec(exec), Error);
  client().resume();
  EXPECT_FALSE(client().state().paused);
  client().exec(exec);
  EXPECT_EQ(next_notice().exit.exec_id, "x");
  client().signal(SIGKILL);
  next_notice();
}

TEST_F(ShimTest, PausedContainerCanBeKilled) {
  start(request({"sleep", "100"}));
  client().pause();
  client().signal(SIGKILL);
  EXPECT_EQ(next_notice().exit.exit_code, 137);
}

TEST_F(ShimTest, IdleShimIsSmall) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "AddressSanitizer's own memory is not the shim's";
#endif
  start(request({"sleep", "100"}));
  auto pss = [&] {
    auto text = os::read_file(cat("/proc/", shim_.pid, "/smaps_rollup"));
    auto at = text.find("\nPss:");
    auto end = text.find("kB", at);
    return parse_int<int>(trim(text.substr(at + 5, end - at - 5))).value_or(0);
  };
  EXPECT_TRUE(eventually([&] { return pss() < 320; })) << pss() << " kB";
  RecordProperty("pss_kb", pss());
  std::printf("idle shim: %d kB PSS\n", pss());
  client().signal(SIGKILL);
  next_notice();
}

TEST_F(ShimTest, DrivesAForeignRuntimeByItsCommandLine) {
  if (!os::exists("/usr/sbin/runc")) GTEST_SKIP() << "needs /usr/sbin/runc (package runc)";
  auto [ours, its] = os::make_socket_pair(SOCK_STREAM);
  auto wanted = request({"sh", "-c", "echo one; read line; echo got $line; exit 6"});
  wanted.runtime = {"/usr/sbin/runc"};
  wanted.spec.root.path = cat(dir_, "/rootfs");
  wanted.open_stdin = true;
  wanted.attach.push_back({.use_stdin = true,
                           .use_stdout = true,
                           .use_stderr = true,
                           .framing = Framing::Raw,
                           .detach_keys = "",
                           .early_stdin = "",
                           .client_id = ""});
  wanted.fds = {"attach:0"};
  auto started = start(wanted, {its.get()});
  its.reset();
  EXPECT_EQ(read_until(ours.get(), "one\n"), "one\n");
  EXPECT_EQ(client().pids(), std::vector<pid_t>{started.pid});
  ExecRequest exec;
  exec.exec_id = "e";
  exec.process = request({"sh", "-c", "exit 5"}).spec.process;
  client().exec(exec);
  auto notice = next_notice();
  EXPECT_EQ(notice.exit.exec_id, "e");
  EXPECT_EQ(notice.exit.exit_code, 5);
  client().pause();
  client().resume();
  os::write_all(ours.get(), "it\n");
  EXPECT_EQ(read_until(ours.get(), ""), "got it\n");
  notice = next_notice();
  EXPECT_EQ(notice.exit.exec_id, "");
  EXPECT_EQ(notice.exit.exit_code, 6);
  EXPECT_TRUE(eventually([&] { return !os::exists(cat(run_dir_, "/runtime/", id_)); }));
  EXPECT_TRUE(eventually([&] { return !os::exists(cat("/sys/fs/cgroup/memory/proa-shim-test/", id_)); }));
}

TEST_F(ShimTest, ForeignRuntimesErrorIsItsOwn) {
  if (!os::exists("/usr/sbin/runc")) GTEST_SKIP() << "needs /usr/sbin/runc (package runc)";
  auto wanted = request({"nothing"});
  wanted.runtime = {"/usr/sbin/runc"};
  wanted.spec.root.path = cat(dir_, "/rootfs");
  try {
    start(wanted);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(error.message().find("exec: \"nothing\": executable file not found in $PATH"), std::string::npos)
        << error.message();
  }
  ASSERT_TRUE(os::wait_exit(shim_.pidfd.get(), 5000));
  shim_.pidfd.reset();
}

// proves: F13
TEST_F(ShimTest, FloodIsLoggedWholeThroughRotation) {
  auto wanted = request({"sh", "-c", "seq 1 200000"});
  wanted.log.max_size = 1 << 20;
  wanted.log.max_file = 20;
  start(wanted);
  auto notice = next_notice();
  std::uint64_t expected = 0;
  for (int i = 1; i <= 200000; ++i) expected += std::to_string(i).size() + 1;
  EXPECT_EQ(notice.exit.logged_bytes, expected);
  // Oldest first, every number exactly once.
  int next = 1;
  for (int i = 19; i >= 0; --i) {
    auto text = os::try_read_file(cat(dir_, "/", id_, "-json.log", i ? cat(".", i) : ""));
    if (!text) continue;
    EXPECT_LT(text->size(), (1U << 20) + 200);
    for (const auto& entry : split(*text, '\n')) {
      if (entry.empty()) continue;
      ASSERT_TRUE(entry.starts_with(cat("{\"log\":\"", next, "\\n\",\"stream\":\"stdout\",\"time\":\""))) << entry;
      ++next;
    }
  }
  EXPECT_EQ(next, 200001);
}

// proves: F6
TEST_F(ShimTest, SaysWhenTheContainerRanOutOfMemory) {
  auto wanted = request(
      {"sh", "-c", "dd if=/dev/zero of=/dev/null bs=100M count=1; echo $?; exec dd if=/dev/zero of=/dev/null bs=100M"});
  wanted.spec.mounts.push_back({"/dev/zero", "bind", "/dev/zero", {"bind"}, {}, {}});
  wanted.spec.mounts.push_back({"/dev/null", "bind", "/dev/null", {"bind"}, {}, {}});
  wanted.spec.linux.resources.emplace();
  wanted.spec.linux.resources->memory.emplace();
  wanted.spec.linux.resources->memory->limit = 20 << 20;
  wanted.spec.linux.resources->memory->swap = 20 << 20;
  wanted.spec.linux.resources->devices = {{true, "a", {}, {}, "rwm"}};
  start(wanted);
  EXPECT_EQ(next_notice().kind, NoticeKind::OutOfMemory);  // a child of init
  Notice notice;
  do notice = next_notice();
  while (notice.kind != NoticeKind::Exited);
  EXPECT_EQ(notice.exit.exit_code, 137);
  EXPECT_TRUE(notice.exit.oom_killed);
  EXPECT_EQ(logged(), "Killed\n137\n");
}

}  // namespace
}  // namespace proa::shim
