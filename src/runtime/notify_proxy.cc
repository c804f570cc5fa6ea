#include "runtime/notify_proxy.h"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdlib>

#include "base/text.h"
#include "os/file.h"
#include "os/socket.h"
#include "runtime/program.h"

namespace proa::runtime {
namespace {

constexpr std::string_view kPlace = "/run/notify", kName = "notify.sock";

// systemd asks who sent a message when it reads it: we have to be there still. It closes the descriptor then.
void wait_for_systemd(int socket) {
  auto [ours, theirs] = os::make_pipe();
  os::send_message(socket, "BARRIER=1", {theirs.get()});
  theirs.reset();
  pollfd closed{ours.get(), 0, 0};
  constexpr int kLimit = 30'000;  // ms
  while (::poll(&closed, 1, kLimit) < 0 && errno == EINTR) continue;
}

}  // namespace

std::optional<NotifyProxy> NotifyProxy::of_environment(const std::string& state_dir) {
  const char* host = ::getenv("NOTIFY_SOCKET");
  if (!host || !*host) return std::nullopt;
  return NotifyProxy(host, os::path_join(state_dir, "notify"));
}

void NotifyProxy::add_to(oci::Spec& spec) const {
  os::make_dir(directory_, 0755);
  oci::Mount mount;
  mount.destination = kPlace;
  mount.source = directory_;
  mount.type = "bind";
  mount.options = {"bind", "nosuid", "noexec", "nodev", "ro"};
  spec.mounts.push_back(std::move(mount));
  set_variable(spec.process.env, "NOTIFY_SOCKET", os::path_join(kPlace, kName));
}

void NotifyProxy::listen() { socket_ = os::listen_unix(os::path_join(directory_, kName), SOCK_DGRAM, 0777); }

bool NotifyProxy::relay(pid_t main_pid) {
  char buffer[4096];
  auto size = ::recv(socket_.get(), buffer, sizeof buffer, MSG_DONTWAIT);
  if (size < 0) return false;
  for (const auto& line : split({buffer, static_cast<std::size_t>(size)}, '\n')) {
    if (!line.starts_with("READY=")) continue;
    os::Fd systemd = os::connect_unix(host_, SOCK_DGRAM);
    os::send_message(systemd.get(), line + "\n");
    os::send_message(systemd.get(), cat("MAINPID=", main_pid, "\n"));
    wait_for_systemd(systemd.get());
    socket_.reset();
    return true;
  }
  return false;
}

void NotifyProxy::wait(int pidfd, pid_t main_pid) {
  for (;;) {
    pollfd set[2] = {{socket_.get(), POLLIN, 0}, {pidfd, POLLIN, 0}};
    if (::poll(set, 2, -1) < 0 && errno != EINTR) os::fail("poll");
    if (set[0].revents && relay(main_pid)) return;
    if (set[1].revents) return;
  }
}

}  // namespace proa::runtime
