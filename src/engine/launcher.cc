#include "engine/launcher.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <ctime>

#include "base/failpoint.h"
#include "base/text.h"
#include "base/time.h"
#include "os/file.h"
#include "os/mount.h"
#include "os/process.h"
#include "os/socket.h"
#include "shim/client.h"

namespace proa::engine {
namespace {

std::string program_beside_us() {
  char path[4096];
  ssize_t length = os::check(::readlink("/proc/self/exe", path, sizeof path), "readlink /proc/self/exe");
  return os::path_join(os::dir_name(std::string_view(path, static_cast<std::size_t>(length))), "proa-shim");
}

os::Spawned spawn_shim(const std::string& program, const std::string& id, const os::Fd& its_end) {
  trace::Span span("launch.spawn");
  span.set("program", program);
  os::Fd null = os::open_file("/dev/null", O_RDWR);
  os::SpawnOptions options;
  // A container sees the shim's file as /proc/self/exe until its own program is executed: it must not be able to write
  // to the host's through it (CVE-2019-5736).
  os::Fd sealed = os::read_only_file(program);
  options.path = os::fd_path(sealed.get());
  options.argv = {"proa-shim", id};
  options.env = std::vector<std::string>{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"};
  for (const char* name : {"PROA_FAILPOINTS_ON", "PROA_FAILPOINTS_DIR"}) {
    if (const char* value = ::getenv(name)) options.env->push_back(cat(name, "=", value));
  }
  options.cwd = "/";
  // Not our stderr: a shim outlives us and would hold the pipe behind it open.
  options.fds = {{null.get(), 0}, {null.get(), 1}, {null.get(), 2}, {its_end.get(), 3}};
  options.group = os::NewGroup::Session;
  auto spawned = os::spawn(options);
  span.set("pid", spawned.pid);
  return spawned;
}

// A container that is started again right after its end: the old shim still removes its cgroup, which has the same name
// as the new one's. When it has, the monitor takes its directory away.
void await_predecessor(const std::string& run_dir) {
  if (!os::exists(run_dir)) return;
  trace::Span span("launch.predecessor");
  bool listens = false;
  for (int i = 0; i < 3000 && os::exists(run_dir); ++i) {
    timespec pause{0, kMillisecond};
    ::nanosleep(&pause, nullptr);
    if (i % 100 != 99) continue;
    try {
      os::connect_unix(os::path_join(run_dir, "control.sock"), SOCK_SEQPACKET);
      listens = true;
    } catch (const Error&) {
      listens = false;
      if (i > 500) break;  // dead, and nobody's to clear: left by an earlier daemon
    }
  }
  if (listens && os::exists(run_dir))
    throw Error(ErrorKind::Conflict, cat("a shim of this container still runs: ", run_dir));
  os::remove_tree(run_dir);  // an old exit.json must not be taken for the new one
}

// Until the reply, the shim's end, or the deadline.
shim::Started await(int socket, std::chrono::seconds limit, const std::string& id) {
  trace::Span span("launch.wait");
  std::int64_t deadline = monotonic_now() + limit.count() * kSecond;
  for (;;) {
    std::int64_t left = (deadline - monotonic_now()) / kMillisecond;
    pollfd item{socket, POLLIN, 0};
    int ready = left <= 0 ? 0 : ::poll(&item, 1, static_cast<int>(left));
    if (ready < 0 && errno == EINTR) continue;
    os::check(ready, "poll");
    if (ready == 0)
      throw Error(ErrorKind::Deadline, cat("container ", id, " did not start within ", limit.count(), " s"));
    auto packet = shim::receive_packet(socket);
    if (!packet) throw Error(ErrorKind::Internal, cat("the shim of container ", id, " died while starting it"));
    return shim::started_from_json(shim::unwrap_reply(packet->body));
  }
}

}  // namespace

ShimLauncher::ShimLauncher(std::string program, std::chrono::seconds deadline)
    : program_(program.empty() ? program_beside_us() : std::move(program)), deadline_(deadline) {}

Launched ShimLauncher::launch(const shim::CreateRequest& request, const std::vector<int>& fds) {
  trace::Span span("launch");
  os::make_dirs(os::dir_name(request.run_dir), 0711);
  await_predecessor(request.run_dir);
  os::make_dir(request.run_dir, 0700);
  FAILPOINT("launch.after_run_dir");
  auto [ours, its] = os::make_socket_pair(SOCK_SEQPACKET);
  os::Spawned child;
  try {
    child = spawn_shim(program_, request.id, its);
    its.reset();
    FAILPOINT("launch.after_spawn");
    shim::send_packet(ours.get(), shim::to_json(request), fds);
    Launched launched{await(ours.get(), deadline_, request.id), std::move(ours)};
    span.set("pid", launched.started.pid);
    return launched;
  } catch (const Error& error) {
    if (child.pidfd) {
      // With it goes its container (PR_SET_PDEATHSIG), if there is one already.
      if (!os::wait_exit(child.pidfd.get(), error.kind() == ErrorKind::Deadline ? 0 : 2000)) {
        os::try_signal_pidfd(child.pidfd.get(), SIGKILL);
        os::wait_exit(child.pidfd.get(), 5000);
      }
    }
    shim::kill_leftovers(request.run_dir);
    os::remove_tree(request.run_dir);
    throw;
  }
}

}  // namespace proa::engine
