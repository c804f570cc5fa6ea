#include "engine/shim_process.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

#include "base/text.h"
#include "base/trace.h"
#include "os/file.h"
#include "os/mount.h"
#include "os/socket.h"
#include "shim/shim.h"

namespace proa::engine {

ShimProcess spawn_shim(const std::string& program) {
  trace::Span span("launch.spawn");
  span.set("program", program);
  auto [ours, its] = os::make_socket_pair(SOCK_SEQPACKET);
  os::Fd null = os::open_file("/dev/null", O_RDWR);
  os::SpawnOptions options;
  // A container sees the shim's file as /proc/self/exe until its own program is executed: it must not be able to write
  // to the host's through it (CVE-2019-5736).
  os::Fd sealed = os::read_only_file(program);
  options.path = os::fd_path(sealed.get());
  options.argv = {"proa-shim", std::string(shim::kUnnamed)};
  options.env = std::vector<std::string>{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"};
  for (const char* name : {"PROA_FAILPOINTS_ON", "PROA_FAILPOINTS_DIR"}) {
    if (const char* value = ::getenv(name)) options.env->push_back(cat(name, "=", value));
  }
  options.cwd = "/";
  // Not our stderr: a shim outlives us and would hold the pipe behind it open.
  options.fds = {{null.get(), 0}, {null.get(), 1}, {null.get(), 2}, {its.get(), 3}};
  options.group = os::NewGroup::Session;
  ShimProcess shim{os::spawn(options), std::move(ours)};
  span.set("pid", shim.child.pid);
  return shim;
}

void end_shim(ShimProcess& shim, int patience_ms) {
  if (!shim.child.pidfd || os::wait_exit(shim.child.pidfd.get(), patience_ms)) return;
  os::try_signal_pidfd(shim.child.pidfd.get(), SIGKILL);
  os::wait_exit(shim.child.pidfd.get(), 5000);
}

}  // namespace proa::engine
