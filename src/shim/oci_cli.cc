// A foreign OCI runtime (runc, crun, runsc) steered by its command line.
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "base/text.h"
#include "os/cgroup_dir.h"
#include "os/file.h"
#include "os/mount.h"
#include "os/process.h"
#include "os/socket.h"
#include "shim/payload.h"

namespace proa::shim {
namespace {

constexpr std::int64_t kTimeout = 60'000;  // ms; a runtime that hangs is killed, the container is not

class OciCli : public Payload {
 public:
  OciCli(std::vector<std::string> command, std::string id, std::string run_dir)
      : command_(std::move(command)), id_(std::move(id)), run_dir_(std::move(run_dir)) {}

  Process start(CreateRequest& request, Given given, runtime::Stdio stdio) override;
  Process exec(ExecRequest& request, runtime::Stdio stdio) override;
  void pause() override { run({"pause", id_}); }
  void resume() override { run({"resume", id_}); }
  void update(const oci::Resources& resources) override;
  std::vector<pid_t> pids() override;
  void kill_all() override { run({"kill", id_, "KILL"}); }
  Json stats() override { return runtime::to_json(runtime::stats(cgroup_)); }
  bool oom_killed() override { return runtime::oom_kills(cgroup_) > 0; }
  const runtime::CgroupHandle& cgroup() const override { return cgroup_; }
  void remove() override;

 private:
  std::string run(std::vector<std::string> arguments, runtime::Stdio stdio = {});
  std::string path(std::string_view name) const { return os::path_join(run_dir_, name); }
  void attach(const Given& given, oci::Spec& spec) const;
  Process collect(const std::string& pid_file, os::Fd* console_listener);
  std::vector<std::string> with_console(std::vector<std::string> arguments, bool terminal, os::Fd& listener) const;

  std::vector<std::string> command_;
  std::string id_, run_dir_;
  runtime::CgroupHandle cgroup_;
  int execs_ = 0;
};

// Its errors come on stderr or in the container's own streams; so they are read from its --log file.
std::string OciCli::run(std::vector<std::string> arguments, runtime::Stdio stdio) {
  trace::Span span("shim.oci_cli");
  std::string log = path("runtime.log");
  os::remove_file(log);
  os::SpawnOptions spawn;
  spawn.path = command_.front();
  spawn.argv = command_;
  for (std::string_view option : {"--root", "--log", "--log-format"}) {
    spawn.argv.emplace_back(option);
    spawn.argv.push_back(option == "--root" ? path("runtime") : option == "--log" ? log : std::string("json"));
  }
  span.set("verb", arguments.front());
  span.set("program", command_.front());
  std::ranges::move(arguments, std::back_inserter(spawn.argv));
  os::Fd null = os::open_file("/dev/null", O_RDWR);
  auto [out_read, out_write] = os::make_pipe();
  bool own_streams = stdio.out >= 0;
  spawn.fds = {{stdio.in >= 0 ? stdio.in : null.get(), 0},
               {own_streams ? stdio.out : out_write.get(), 1},
               {own_streams ? stdio.err : out_write.get(), 2}};
  os::Spawned child = os::spawn(spawn);
  out_write.reset();
  auto status = os::wait_exit(child.pidfd.get(), kTimeout);
  if (!status) {
    os::try_signal_pidfd(child.pidfd.get(), SIGKILL);
    os::wait_exit(child.pidfd.get());
    throw Error(ErrorKind::Deadline, cat(command_.front(), " ", span.index() < 0 ? "" : "", "did not answer"));
  }
  std::string output;
  if (!own_streams) {
    // Not to its end: a container's process could hold it.
    os::set_nonblocking(out_read.get(), true);
    output.resize(16 << 10);
    ssize_t got = ::read(out_read.get(), output.data(), output.size());
    output.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  }
  if (status->code == 0) return output;
  std::string message(trim(output));
  for (const auto& line : split(os::try_read_file(log, 1 << 20).value_or(""), '\n')) {
    try {
      Json entry = json::parse(line);
      if (json::string_at(entry, "level") == "error") message = json::string_at(entry, "msg");
    } catch (const Error&) {  // not every runtime writes JSON there
    }
  }
  throw Error(ErrorKind::Internal, message.empty() ? cat(command_.front(), ": exit status ", status->code) : message);
}

std::vector<std::string> OciCli::with_console(std::vector<std::string> arguments, bool terminal,
                                              os::Fd& listener) const {
  if (!terminal) return arguments;
  listener = os::listen_unix(path("console.sock"), SOCK_STREAM, 0600);
  arguments.insert(arguments.begin() + 1, {"--console-socket", path("console.sock")});
  return arguments;
}

Payload::Process OciCli::collect(const std::string& pid_file, os::Fd* console_listener) {
  Process process;
  auto pid = parse_int<pid_t>(trim(os::read_file(pid_file, 64)));
  os::remove_file(pid_file);
  if (!pid) throw Error(ErrorKind::Internal, cat(command_.front(), " wrote no pid"));
  process.pid = *pid;
  if (auto pidfd = os::try_open_pidfd(*pid)) process.pidfd = std::move(*pidfd);
  if (*console_listener) {
    os::Fd connection = os::accept_connection(console_listener->get());
    auto message = os::receive_message(connection.get(), 4096);
    if (message.fds.empty()) throw Error(ErrorKind::Internal, cat(command_.front(), " sent no terminal"));
    process.console = std::move(message.fds.front());
    os::remove_file(path("console.sock"));
  }
  return process;
}

// It wants paths: detached mounts are attached where nobody but us and the runtime sees them.
void OciCli::attach(const Given& given, oci::Spec& spec) const {
  if (!given.rootfs && given.mounts.empty()) return;
  os::check(::unshare(CLONE_NEWNS), "unshare(CLONE_NEWNS)");
  os::set_propagation("/", MS_REC | MS_SLAVE);
  auto attach_one = [&](int mount, std::string_view name) {
    os::make_dir(path(name), 0700);
    os::Fd place = os::open_file(path(name), O_PATH | O_DIRECTORY);
    in_context(cat("attach ", name), [&] { os::attach_mount(mount, place.get()); });
    return path(name);
  };
  if (given.rootfs) spec.root.path = attach_one(given.rootfs->get(), "rootfs");
  int count = 0;
  for (auto& mount : spec.mounts) {
    auto source = given.mounts.find(mount.source);
    if (source != given.mounts.end()) mount.source = attach_one(source->second.get(), cat("mount-", ++count));
  }
}

Payload::Process OciCli::start(CreateRequest& request, Given given, runtime::Stdio stdio) {
  auto& spec = request.spec;
  attach(given, spec);
  // The numbers of our descriptors mean nothing in the runtime's processes.
  for (auto& name : spec.linux.namespaces) {
    if (name.path.starts_with("/proc/self/fd/")) name.path = cat("/proc/", ::getpid(), name.path.substr(10));
  }
  os::make_dir(path("bundle"), 0700);
  os::write_file(path("bundle/config.json"), json::text(oci::to_json(spec)), 0600);
  os::Fd listener;
  run(with_console({"create", "--bundle", path("bundle"), "--pid-file", path("init.pid"), id_}, request.terminal,
                   listener),
      stdio);
  try {
    Process process = collect(path("init.pid"), &listener);
    cgroup_.layout = os::find_cgroups();
    auto groups = os::read_file(cat("/proc/", process.pid, "/cgroup"));
    std::string_view controller = cgroup_.layout.unified ? "" : "memory";
    cgroup_.path = os::parse_proc_cgroup(groups, controller).value_or("");
    run({"start", id_});
    return process;
  } catch (...) {
    try {
      run({"delete", "--force", id_});
    } catch (const Error&) {  // the first failure is the one to tell
    }
    throw;
  }
}

Payload::Process OciCli::exec(ExecRequest& request, runtime::Stdio stdio) {
  std::string name = cat("exec-", ++execs_);
  os::write_file(path(name + ".json"), json::text(oci::to_json(request.process)), 0600);
  os::Fd listener;
  auto arguments =
      with_console({"exec", "--detach", "--process", path(name + ".json"), "--pid-file", path(name + ".pid"), id_},
                   request.process.terminal, listener);
  try {
    run(arguments, stdio);
  } catch (...) {
    os::remove_file(path(name + ".json"));
    throw;
  }
  os::remove_file(path(name + ".json"));
  return collect(path(name + ".pid"), &listener);
}

void OciCli::update(const oci::Resources& resources) {
  os::write_file(path("update.json"), json::text(oci::to_json(resources)), 0600);
  run({"update", "--resources", path("update.json"), id_});
}

std::vector<pid_t> OciCli::pids() { return runtime::pids(cgroup_); }

void OciCli::remove() {
  if (cgroup_.path.size() > 1) {
    for (int i = 0; i < 3 && !runtime::pids(cgroup_).empty(); ++i) runtime::kill_all(cgroup_, SIGKILL);
  }
  run({"delete", "--force", id_});
}

}  // namespace

std::unique_ptr<Payload> make_cli_payload(std::vector<std::string> command, std::string id, std::string run_dir) {
  return std::make_unique<OciCli>(std::move(command), std::move(id), std::move(run_dir));
}

}  // namespace proa::shim
