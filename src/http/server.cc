#include "http/server.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>

#include "base/log.h"
#include "http/connection.h"
#include "os/socket.h"

namespace proa::http {
namespace {

// Virtual memory only; what is touched counts. Handlers run here: JSON, SQLite and tar need some.
constexpr std::size_t kStackSize = 1 << 20;
// Bytes that a connection's socket takes before they can go (tcp(7)); by default the kernel lets megabytes pile up,
// which costs memory, and caches. What is on its way is not counted, so that long lines stay full.
constexpr int kUnsent = 128 << 10;

struct Start {
  std::shared_ptr<Server::State> state;
  std::uint64_t id;
  os::Fd socket;
  bool tcp;
};

void forget(Server::State& state, std::uint64_t id) {
  {
    std::lock_guard guard(state.mutex);
    state.live.erase(id);
  }
  state.changed.notify_all();
}

void* connection_main(void* argument) {
  std::unique_ptr<Start> start(static_cast<Start*>(argument));
  try {
    Connection connection(*start->state, start->id, std::move(start->socket), start->tcp);
    connection.run();
    forget(*start->state, start->id);  // before the descriptor is closed and may be given out again
  } catch (const std::exception&) {    // no memory to begin with
    forget(*start->state, start->id);
  }
  return nullptr;
}

bool is_tcp(int fd) {
  int domain = 0;
  socklen_t size = sizeof domain;
  return ::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain != AF_UNIX;
}

// Says why to a client that cannot be served, and reads what it sent so far: with bytes left unread its socket would
// tell of a reset instead.
void turn_away(const Server::State& state, int fd) {
  if (state.options.protect) return;  // its handshake wants a thread
  constexpr int kFirstBytesMs = 100;
  pollfd polled{fd, POLLIN, 0};
  ::poll(&polled, 1, kFirstBytesMs);
  static constexpr std::string_view kAnswer =
      "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: 78\r\n"
      "Connection: close\r\n\r\n"
      "{\"message\":\"too many connections, or no memory for another: try again later\"}\n";
  [[maybe_unused]] ssize_t sent = ::send(fd, kAnswer.data(), kAnswer.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  char sink[4096];
  while (::recv(fd, sink, sizeof sink, MSG_DONTWAIT) > 0) continue;
}

// Starts the connection's thread, which owns `start` from then on; false where none could be made.
bool begin_thread(std::unique_ptr<Start>& start) {
  pthread_attr_t attributes;
  ::pthread_attr_init(&attributes);
  ::pthread_attr_setstacksize(&attributes, kStackSize);
  ::pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_t thread;
  bool begun = ::pthread_create(&thread, &attributes, connection_main, start.get()) == 0;
  ::pthread_attr_destroy(&attributes);
  if (begun) start.release();
  return begun;
}

void spawn(const std::shared_ptr<Server::State>& state, os::Fd socket) {
  bool tcp = is_tcp(socket.get());
  if (tcp) {
    int on = 1, unsent = kUnsent;
    ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof unsent);
  }
  auto start = std::make_unique<Start>(Start{state, 0, std::move(socket), tcp});
  {
    std::lock_guard guard(state->mutex);
    if (state->stopping) return;
    if (static_cast<int>(state->live.size()) < state->options.max_connections) {
      start->id = state->next_id++;
      state->live.emplace(start->id, Server::State::Live{.fd = start->socket.get()});
    }
  }
  if (start->id && begin_thread(start)) return;
  if (start->id) forget(*state, start->id);
  turn_away(*state, start->socket.get());
}

void accept_loop(std::shared_ptr<Server::State> state) {
  std::vector<pollfd> polled{{state->wake.get(), POLLIN, 0}};
  for (const os::Fd& listener : state->listeners) polled.push_back({listener.get(), POLLIN, 0});
  for (;;) {
    if (::poll(polled.data(), polled.size(), -1) < 0) continue;
    if (polled[0].revents) return;
    for (std::size_t i = 1; i < polled.size(); ++i) {
      if (!polled[i].revents) continue;
      try {
        spawn(state, os::accept_connection(polled[i].fd));
      } catch (const std::exception& error) {
        log::warn("cannot accept a connection", {{"error", error.what()}});
        ::usleep(50'000);  // descriptors or memory are short: give others time to end
      }
    }
  }
}

}  // namespace

std::string Request::read_body(std::size_t limit) const {
  std::string all;
  std::byte piece[16 << 10];
  while (std::size_t got = body->read(piece)) {
    if (all.size() + got > limit) throw Error(ErrorKind::InvalidArgument, "http: request body too large");
    all.append(reinterpret_cast<const char*>(piece), got);
  }
  return all;
}

Server::Server(Handler handler, ServerOptions options) : state_(std::make_shared<State>()) {
  state_->handler = std::move(handler);
  state_->options = options;
  state_->wake = os::Fd(os::check(::eventfd(0, EFD_CLOEXEC), "eventfd"));
}

Server::~Server() { stop(1); }

void Server::start(std::vector<os::Fd> listeners) {
  state_->listeners = std::move(listeners);
  for (const os::Fd& listener : state_->listeners) os::set_nonblocking(listener.get(), true);
  state_->acceptor = std::thread(accept_loop, state_);
}

void Server::stop(int seconds) {
  std::uint64_t one = 1;
  [[maybe_unused]] ssize_t written = ::write(state_->wake.get(), &one, sizeof one);
  if (state_->acceptor.joinable()) state_->acceptor.join();
  state_->listeners.clear();
  std::vector<std::stop_source> stops;
  {
    std::lock_guard guard(state_->mutex);
    state_->stopping = true;
    for (auto& [id, live] : state_->live) {
      if (live.fd >= 0 && !live.busy) ::shutdown(live.fd, SHUT_RDWR);
      stops.push_back(live.stop);
    }
  }
  for (std::stop_source& stop : stops) stop.request_stop();
  auto none_left = [&] { return state_->live.empty(); };
  std::unique_lock lock(state_->mutex);
  if (state_->changed.wait_for(lock, std::chrono::seconds(seconds), none_left)) return;
  for (auto& [id, live] : state_->live) {
    if (live.fd >= 0) ::shutdown(live.fd, SHUT_RDWR);
  }
  state_->changed.wait_for(lock, std::chrono::seconds(1), none_left);
}

int Server::connections() const {
  std::lock_guard guard(state_->mutex);
  return static_cast<int>(state_->live.size());
}

}  // namespace proa::http
