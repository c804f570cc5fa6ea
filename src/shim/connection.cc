#include "shim/connection.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>

#include "base/text.h"
#include "os/file.h"
#include "os/socket.h"

namespace proa::shim {

Shim::Connection::Connection(Shim& shim, os::Fd socket) : shim_(shim), socket_(std::move(socket)) {
  shim_.loop_.watch(socket_.get(), EPOLLIN, interest_, this);
}

void Shim::Connection::close() {
  if (!socket_) return;
  shim_.loop_.watch(socket_.get(), 0, interest_, this);
  socket_.reset();
}

void Shim::Connection::ready(std::uint32_t) {
  std::optional<Packet> packet;
  try {
    packet = receive_packet(socket_.get(), MSG_DONTWAIT);
  } catch (const Error& error) {
    if (error.errno_code() == EAGAIN) return;  // anything else: this peer speaks no sense
  }
  if (!packet) return shim_.disconnected(*this);
  shim_.request(*this, std::move(*packet));
}

Shim::Listener::Listener(Shim& shim, const std::string& path)
    : shim_(shim), socket_(os::listen_unix(path, SOCK_SEQPACKET, 0600)) {
  os::set_nonblocking(socket_.get(), true);
  shim_.loop_.watch(socket_.get(), EPOLLIN, interest_, this);
}

Shim::Listener::~Listener() { shim_.loop_.watch(socket_.get(), 0, interest_, this); }

void Shim::Listener::ready(std::uint32_t) { shim_.accept(); }

os::Fd Shim::Listener::accept() { return os::accept_connection(socket_.get()); }

Shim::Children::Children(Shim& shim) : shim_(shim) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  signals_ = os::Fd(os::check(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK), "signalfd"));
  shim_.loop_.watch(signals_.get(), EPOLLIN, interest_, this);
}

Shim::Children::~Children() { shim_.loop_.watch(signals_.get(), 0, interest_, this); }

void Shim::Children::ready(std::uint32_t) {
  signalfd_siginfo info;
  while (::read(signals_.get(), &info, sizeof info) > 0) {
  }
  shim_.children_exited();
}

Shim::OomWatch::OomWatch(Shim& shim) : shim_(shim) {
  const auto& cgroup = shim_.payload_->cgroup();
  auto directory = cgroup.layout.directory("memory", cgroup.path);
  if (!directory || cgroup.path.size() <= 1) return;
  if (cgroup.layout.unified) {
    event_ = os::open_file(os::path_join(*directory, "memory.events"), O_RDONLY);
  } else {
    event_ = os::Fd(os::check(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd"));
    control_ = os::open_file(os::path_join(*directory, "memory.oom_control"), O_RDONLY);
    os::write_cgroup_file(os::path_join(*directory, "cgroup.event_control"), cat(event_.get(), " ", control_.get()));
  }
  shim_.loop_.watch(event_.get(), cgroup.layout.unified ? EPOLLPRI : EPOLLIN, interest_, this);
}

Shim::OomWatch::~OomWatch() {
  if (event_) shim_.loop_.watch(event_.get(), 0, interest_, this);
}

void Shim::OomWatch::ready(std::uint32_t) {
  // v1: one more when the group is removed. v2: every change of memory.events, to be read before the next is told.
  char buffer[1024];
  control_ ? ::read(event_.get(), buffer, sizeof buffer) : ::pread(event_.get(), buffer, sizeof buffer, 0);
  shim_.check_oom(kills_);
}

}  // namespace proa::shim
