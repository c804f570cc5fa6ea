// Launcher and monitor with the real proa-shim. Needs root and a static busybox.
#include "engine/monitor.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <csignal>

#include "base/id.h"
#include "base/sync.h"
#include "base/text.h"
#include "engine/launcher.h"
#include "os/file.h"
#include "os/process.h"
#include "os/socket.h"
#include "shim/client.h"
#include "shim/shim.h"

namespace proa::engine {
namespace {

using namespace std::chrono_literals;

std::string beside_us(std::string_view name) {
  char path[4096];
  ssize_t length = ::readlink("/proc/self/exe", path, sizeof path);
  return os::path_join(os::dir_name(std::string_view(path, static_cast<std::size_t>(length))), name);
}

bool eventually(const std::function<bool()>& holds) {
  for (int i = 0; i < 500; ++i) {
    if (holds()) return true;
    ::usleep(10'000);
  }
  return false;
}

class MonitorTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root: it makes namespaces and cgroups";
    if (!os::exists("/bin/busybox")) GTEST_SKIP() << "needs /bin/busybox (package busybox-static)";
    if (!os::exists(beside_us("proa-shim"))) GTEST_SKIP() << "needs proa-shim beside this test";
    dir_ = cat("/tmp/proa-monitor-test-", random_u64());
    root_ = cat(dir_, "/shims");
    os::make_dirs(cat(dir_, "/rootfs/bin"), 0755);
    os::make_dir(cat(dir_, "/rootfs/proc"), 0755);
    os::write_file(cat(dir_, "/rootfs/bin/busybox"), os::read_file("/bin/busybox"), 0755);
    for (const char* name : {"sh", "true", "echo", "sleep", "seq"}) {
      ASSERT_EQ(::symlink("busybox", cat(dir_, "/rootfs/bin/", name).c_str()), 0);
    }
  }

  void TearDown() override {
    if (dir_.empty()) return;
    for (pid_t pid : shims_) ::kill(pid, SIGKILL);  // most are gone
    if (os::exists(root_)) {
      for (const auto& id : os::list_dir(root_)) {
        shim::kill_leftovers(os::path_join(root_, id));
        shim::remove_leftover_cgroup(os::path_join(root_, id));
      }
    }
    os::remove_tree(dir_);
  }

  static void TearDownTestSuite() {
    for (const auto& hierarchy : os::list_dir("/sys/fs/cgroup")) {
      ::rmdir(cat("/sys/fs/cgroup/", hierarchy, "/proa-monitor-test").c_str());
    }
    ::rmdir("/sys/fs/cgroup/proa-monitor-test");
  }

  shim::CreateRequest request(const std::string& id, std::vector<std::string> command) {
    shim::CreateRequest out;
    out.id = id;
    out.bundle = dir_;
    out.run_dir = os::path_join(root_, id);
    out.log.path = cat(dir_, "/", id, "-json.log");
    out.spec.oci_version = "1.0.2";
    out.spec.root.path = "rootfs";
    out.spec.process.args = std::move(command);
    out.spec.process.env = {"PATH=/bin"};
    out.spec.process.cwd = "/";
    out.spec.mounts = {{"/proc", "proc", "proc", {}, {}, {}}};
    out.spec.linux.namespaces = {{"pid", ""}, {"mount", ""}, {"ipc", ""}, {"uts", ""}, {"network", ""}};
    out.spec.linux.cgroups_path = cat("/proa-monitor-test/", id);
    return out;
  }

  Launched launch(const std::string& id, std::vector<std::string> command) {
    auto launched = ShimLauncher(beside_us("proa-shim")).launch(request(id, std::move(command)), {});
    shims_.push_back(launched.started.shim_pid);
    return launched;
  }

  struct Seen {
    std::vector<std::pair<std::string, shim::ExitRecord>> exits, execs;
  };
  Monitor::Callbacks callbacks() {
    return {.on_exit = [this](const std::string& id,
                              const shim::ExitRecord& record) { seen_.lock()->exits.emplace_back(id, record); },
            .on_exec_exit = [this](const std::string& id,
                                   const shim::ExitRecord& record) { seen_.lock()->execs.emplace_back(id, record); },
            .on_detach = nullptr,
            .on_oom = nullptr,
            .on_run_dirs_lost = nullptr};
  }
  std::size_t exits() { return seen_.lock()->exits.size(); }

  std::string dir_, root_;
  std::vector<pid_t> shims_;
  Sync<Seen> seen_;
};

TEST_F(MonitorTest, TellsEachExitOnceAndRemovesTheDirectoryWhenAcknowledged) {
  Monitor monitor(root_, callbacks());
  for (int i = 0; i < 5; ++i) {
    auto launched = launch(cat("c", i), {"sh", "-c", cat("exit ", i)});
    monitor.watch(cat("c", i), std::move(launched.socket));
  }
  ASSERT_TRUE(eventually([&] { return exits() == 5; }));
  for (const auto& [id, record] : seen_.copy().exits) EXPECT_EQ(cat("c", record.exit_code), id);
  for (int i = 0; i < 5; ++i) monitor.acknowledge(cat("c", i));
  EXPECT_TRUE(eventually([&] { return os::list_dir(root_).empty(); }));
  EXPECT_EQ(exits(), 5U);
  EXPECT_TRUE(eventually([&] {
    return std::ranges::none_of(shims_, [](pid_t pid) { return os::exists(cat("/proc/", pid)); });
  })) << "a shim was left as a zombie";
}

TEST_F(MonitorTest, FailedStartIsTheRuntimesErrorWithItsSpansAndLeavesNothing) {
  trace::Recorder recorder("proad");
  trace::Scope scope(recorder);
  try {
    ShimLauncher(beside_us("proa-shim")).launch(request("bad", {"missing"}), {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(error.message().find("executable file not found in $PATH"), std::string::npos) << error.message();
  }
  EXPECT_FALSE(os::exists(os::path_join(root_, "bad")));
  auto events = recorder.events();
  auto has = [&](std::string_view name) {
    return std::any_of(events.begin(), events.end(), [&](const auto& event) { return event.name == name; });
  };
  EXPECT_TRUE(has("launch") && has("launch.spawn") && has("launch.wait") && has("shim.stdio"));
}

std::vector<pid_t> children_named(std::string_view word) {
  std::vector<pid_t> out;
  for (const auto& entry : os::list_dir("/proc")) {
    auto pid = parse_int<pid_t>(entry);
    auto stat = pid ? os::try_read_file(cat("/proc/", entry, "/stat")) : std::nullopt;
    auto words = stat ? os::try_read_file(cat("/proc/", entry, "/cmdline")) : std::nullopt;
    if (words && words->find(word) != std::string::npos && stat->find(cat(" ", ::getpid(), " ")) != std::string::npos)
      out.push_back(*pid);
  }
  return out;
}

TEST_F(MonitorTest, LaunchTakesTheShimThatIsKeptReadyAndGivesItTheContainersName) {
  ShimLauncher launcher(beside_us("proa-shim"));
  launcher.keep_ready();
  launcher.keep_ready();
  std::vector<pid_t> ready;
  ASSERT_TRUE(eventually([&] { return (ready = children_named(shim::kUnnamed)).size() == 1; }));
  const std::string id(shim::kUnnamed.size(), 'a');
  auto first = launcher.launch(request(id, {"sleep", "100"}), {});
  shims_.push_back(first.started.shim_pid);
  EXPECT_EQ(first.started.shim_pid, ready.front());
  EXPECT_EQ(children_named(id), ready);
  EXPECT_TRUE(children_named(shim::kUnnamed).empty());
  auto second = launcher.launch(request("second", {"sleep", "100"}), {});
  shims_.push_back(second.started.shim_pid);
  EXPECT_NE(second.started.shim_pid, ready.front());
}

TEST_F(MonitorTest, ShimKeptReadyThatWasKilledIsNotUsed) {
  ShimLauncher launcher(beside_us("proa-shim"));
  launcher.keep_ready();
  std::vector<pid_t> ready;
  ASSERT_TRUE(eventually([&] { return (ready = children_named(shim::kUnnamed)).size() == 1; }));
  ::kill(ready.front(), SIGKILL);
  ASSERT_TRUE(eventually([&] {  // dead, though not reaped
    return os::try_read_file(cat("/proc/", ready.front(), "/stat")).value_or("").find(") Z ") != std::string::npos;
  }));
  auto launched = launcher.launch(request("c", {"sleep", "100"}), {});
  shims_.push_back(launched.started.shim_pid);
  EXPECT_NE(launched.started.shim_pid, ready.front());
  EXPECT_FALSE(os::exists(cat("/proc/", ready.front()))) << "left as a zombie";
}

TEST_F(MonitorTest, ShimKeptReadyLeavesWithTheDaemon) {
  auto launcher = std::make_unique<ShimLauncher>(beside_us("proa-shim"));
  launcher->keep_ready();
  std::vector<pid_t> ready;
  ASSERT_TRUE(eventually([&] { return (ready = children_named(shim::kUnnamed)).size() == 1; }));
  auto pidfd = os::try_open_pidfd(ready.front());
  launcher.reset();
  EXPECT_TRUE(os::wait_exit(pidfd->get(), 5000));
}

TEST_F(MonitorTest, MissingShimProgramIsAnError) {
  EXPECT_THROW(ShimLauncher("/nonexistent/proa-shim").launch(request("x", {"true"}), {}), Error);
  EXPECT_FALSE(os::exists(os::path_join(root_, "x")));
}

// proves: I5 F11
TEST_F(MonitorTest, DeadShimIsReportedAs137AndItsContainerIsGone) {
  Monitor monitor(root_, callbacks());
  auto launched = launch("k", {"sleep", "100"});
  monitor.watch("k", std::move(launched.socket));
  ASSERT_TRUE(eventually([&] { return os::exists(os::path_join(root_, "k/state.json")); }));
  auto init = os::try_open_pidfd(launched.started.pid);
  ASSERT_TRUE(init);
  ::kill(launched.started.shim_pid, SIGKILL);
  ASSERT_TRUE(eventually([&] { return exits() == 1; }));
  auto record = seen_.copy().exits.front().second;
  EXPECT_EQ(record.exit_code, 137);
  EXPECT_EQ(record.reason, "shim died");
  pollfd item{init->get(), POLLIN, 0};
  EXPECT_EQ(::poll(&item, 1, 0), 1) << "the container's init lives";
}

// proves: I3 I5
TEST_F(MonitorTest, RecoversLivingAndDeadContainersOfAnEarlierDaemon) {
  pid_t alive_pid;
  {
    Monitor monitor(root_, callbacks());
    auto alive = launch("alive", {"sh", "-c", "sleep 0.5; exit 4"});
    alive_pid = alive.started.pid;
    auto ended = launch("ended", {"sh", "-c", "exit 3"});
    auto killed = launch("killed", {"sleep", "100"});
    ASSERT_TRUE(eventually([&] { return os::exists(os::path_join(root_, "killed/state.json")); }));
    ::kill(killed.started.shim_pid, SIGKILL);
    monitor.watch("alive", std::move(alive.socket));
    // "ended" and "killed" were never watched: their sockets close here, as with a daemon that dies.
  }
  ASSERT_TRUE(eventually([&] { return shim::read_exit_record(os::path_join(root_, "ended")).has_value(); }));
  Monitor monitor(root_, callbacks());
  auto found = monitor.recover();
  ASSERT_EQ(found.size(), 3U);
  for (const auto& one : found) {
    if (one.container_id == "alive") {
      EXPECT_TRUE(one.running);
      EXPECT_EQ(one.state.pid, alive_pid);
    } else if (one.container_id == "ended") {
      EXPECT_FALSE(one.running);
      EXPECT_EQ(one.exited.exit_code, 3);
    } else {
      EXPECT_FALSE(one.running);
      EXPECT_EQ(one.exited.exit_code, 255);
      EXPECT_FALSE(one.exited.reason.empty());
    }
  }
  EXPECT_FALSE(os::exists("/sys/fs/cgroup/memory/proa-monitor-test/killed"));
  monitor.acknowledge("ended");
  monitor.acknowledge("killed");
  ASSERT_TRUE(eventually([&] { return exits() == 1; }));
  EXPECT_EQ(seen_.copy().exits.front().first, "alive");
  EXPECT_EQ(seen_.copy().exits.front().second.exit_code, 4);
  monitor.acknowledge("alive");
  EXPECT_TRUE(eventually([&] { return os::list_dir(root_).empty(); }));
}

TEST_F(MonitorTest, ContainerMayBeStartedAgainTheMomentItsExitIsKnown) {
  Monitor monitor(root_, callbacks());
  for (std::size_t i = 0; i < 10; ++i) {
    auto launched = launch("again", {"sh", "-c", "exit 0"});
    monitor.watch("again", std::move(launched.socket));
    for (int tries = 0; tries < 50'000 && exits() == i; ++tries) ::usleep(100);
    ASSERT_EQ(exits(), i + 1);
    monitor.acknowledge("again");
  }
  EXPECT_TRUE(eventually([&] { return os::list_dir(root_).empty(); }));
}

TEST_F(MonitorTest, ExecExitIsToldBeforeItsStreamEnds) {
  Monitor monitor(root_, callbacks());
  auto launched = launch("e", {"sleep", "100"});
  monitor.watch("e", std::move(launched.socket));
  shim::Client client(monitor.run_dir("e"));
  for (int i = 0; i < 50; ++i) {
    auto [ours, its] = os::make_socket_pair(SOCK_STREAM);
    shim::ExecRequest exec;
    exec.exec_id = cat("x", i);
    exec.process = request("e", {"sh", "-c", cat("exit ", i)}).spec.process;
    exec.attach = shim::AttachStream{.use_stdin = false,
                                     .use_stdout = true,
                                     .use_stderr = true,
                                     .framing = shim::Framing::Raw,
                                     .detach_keys = "",
                                     .early_stdin = "",
                                     .client_id = ""};
    client.exec(exec, its.get());
    its.reset();
    char byte;
    EXPECT_EQ(::recv(ours.get(), &byte, 1, 0), 0);
    monitor.catch_up();
    auto seen = seen_.copy();
    ASSERT_EQ(seen.execs.size(), static_cast<std::size_t>(i) + 1);
    EXPECT_EQ(seen.execs.back().second.exit_code, i);
  }
  client.signal(SIGKILL);
  EXPECT_TRUE(eventually([&] { return exits() == 1; }));
  monitor.acknowledge("e");
  EXPECT_TRUE(eventually([&] { return os::list_dir(root_).empty(); }));
}

}  // namespace
}  // namespace proa::engine
