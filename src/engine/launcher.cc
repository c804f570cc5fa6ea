#include "engine/launcher.h"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <ctime>

#include "base/failpoint.h"
#include "base/text.h"
#include "base/time.h"
#include "os/file.h"
#include "os/own_program.h"
#include "os/socket.h"
#include "shim/client.h"

namespace proa::engine {
namespace {

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
    : program_(program.empty() ? os::program_beside("proa-shim") : std::move(program)), deadline_(deadline) {}

void ShimLauncher::keep_ready() {
  std::lock_guard guard(spare_mutex_);
  if (!spare_) spare_ = spawn_shim(program_);
}

// The one kept ready if it still lives and nobody is about to make it; else a new one.
ShimProcess ShimLauncher::take_shim(trace::Span& span) {
  std::unique_lock lock(spare_mutex_, std::try_to_lock);
  if (lock && spare_) {
    ShimProcess shim = std::move(*spare_);
    spare_.reset();
    if (!os::wait_exit(shim.child.pidfd.get(), 0)) {
      span.set("shim", "kept ready");
      return shim;
    }
  }
  if (lock) lock.unlock();
  return spawn_shim(program_);
}

Launched ShimLauncher::launch(const shim::CreateRequest& request, const std::vector<int>& fds) {
  trace::Span span("launch");
  os::make_dirs(os::dir_name(request.run_dir), 0711);
  await_predecessor(request.run_dir);
  os::make_dir(request.run_dir, 0700);
  shim::note_cgroup(request.run_dir, request.spec.linux.cgroups_path);
  FAILPOINT("launch.after_run_dir");
  ShimProcess shim;
  try {
    shim = take_shim(span);
    FAILPOINT("launch.after_spawn");
    shim::send_packet(shim.socket.get(), shim::to_json(request), fds);
    Launched launched{await(shim.socket.get(), deadline_, request.id), std::move(shim.socket)};
    span.set("pid", launched.started.pid);
    return launched;
  } catch (const Error& error) {
    shim.socket.reset();  // one that got no orders leaves by this
    end_shim(shim, error.kind() == ErrorKind::Deadline ? 0 : 2000);
    shim::kill_leftovers(request.run_dir);
    shim::remove_leftover_cgroup(request.run_dir);
    os::remove_tree(request.run_dir);
    throw;
  }
}

}  // namespace proa::engine
