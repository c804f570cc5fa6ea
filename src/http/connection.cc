#include "http/connection.h"

#include <arpa/inet.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/log.h"
#include "base/text.h"

namespace proa::http {
namespace {

// Of a body that an answer did not wait for: read, or its sender meets a broken pipe instead of the answer.
constexpr std::size_t kDrain = 64 << 20;

std::string http_date() {
  time_t now = ::time(nullptr);
  tm parts;
  ::gmtime_r(&now, &parts);
  char text[40];
  std::size_t size = ::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return {text, size};
}

// A page in a browser may send requests to a loopback port under a name of its own (DNS rebinding).
bool host_is_local(std::string_view host) {
  if (std::size_t colon = host.rfind(':'); colon != host.npos && host.find(']', colon) == host.npos)
    host = host.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  unsigned char address[16];
  std::string name(host);
  return name == "localhost" || ::inet_pton(AF_INET, name.c_str(), address) == 1 ||
         ::inet_pton(AF_INET6, name.c_str(), address) == 1;
}

std::optional<ucred> peer_of(int fd) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 || peer.pid == 0) return std::nullopt;
  return peer;
}

}  // namespace

Watcher::Watcher()
    : epoll_(os::check(::epoll_create1(EPOLL_CLOEXEC), "epoll_create")),
      wake_(os::check(::eventfd(0, EFD_CLOEXEC), "eventfd")) {
  epoll_event event{EPOLLIN, {.u64 = 0}};
  os::check(::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wake_.get(), &event), "epoll_ctl");
  thread_ = std::thread([this] { run(); });
}

Watcher::~Watcher() {
  std::uint64_t one = 1;
  [[maybe_unused]] ssize_t written = ::write(wake_.get(), &one, sizeof one);
  thread_.join();
}

std::uint64_t Watcher::watch(int fd, std::stop_source stop) {
  std::lock_guard guard(mutex_);
  std::uint64_t id = next_++;
  watched_.emplace(id, std::move(stop));
  epoll_event event{EPOLLRDHUP | EPOLLONESHOT, {.u64 = id}};
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) watched_.erase(id);
  return id;
}

void Watcher::forget(std::uint64_t id, int fd) {
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
  std::lock_guard guard(mutex_);
  watched_.erase(id);
}

void Watcher::run() {
  for (;;) {
    epoll_event events[16];
    int count = ::epoll_wait(epoll_.get(), events, 16, -1);
    for (int i = 0; i < count; ++i) {
      if (events[i].data.u64 == 0) return;
      std::stop_source stop(std::nostopstate);
      {
        std::lock_guard guard(mutex_);
        auto it = watched_.find(events[i].data.u64);
        if (it == watched_.end()) continue;
        stop = it->second;
      }
      stop.request_stop();
    }
  }
}

Connection::~Connection() { unwatch(); }

void Connection::unwatch() {
  if (watch_) state_.watcher.forget(std::exchange(watch_, 0), wire_.fd());
}

void Connection::watch_client() {
  if (!watch_) watch_ = state_.watcher.watch(wire_.fd(), stop_);
}

void Connection::mark(bool busy) {
  std::lock_guard guard(state_.mutex);
  auto& live = state_.live.at(id_);
  live.busy = busy;
  live.stop = stop_;
  if (state_.stopping) stop_.request_stop(), keep_ = false;
}

void Connection::begin_request() {
  headers = Headers();
  started_ = chunked_ = streaming_ = head_only_ = false;
  if (stop_.stop_requested()) stop_ = std::stop_source();
  stop_ = std::stop_source();
  mark(true);
}

void Connection::run() {
  try {
    if (state_.options.protect) wire_.protect(state_.options.protect);
    while (keep_ && serve_one()) mark(false);
  } catch (const std::exception& error) {
    log::debug("connection ended", {{"error", error.what()}});
  }
}

bool Connection::serve_one() {
  std::optional<std::string> block;
  try {
    block = wire_.read_head(state_.options.header_limit, state_.options.idle_seconds, state_.options.header_seconds);
    if (!block) return false;
    begin_request();
    RequestHead head = parse_request_head(*block);
    if (tcp_ && !state_.options.any_host && !host_is_local(head.headers.get("Host")))
      throw Error(ErrorKind::Forbidden, "the Host header must name this host by address");
    keep_ = keep_ && keeps_alive(head.minor, head.headers);
    answer(head);
    return keep_ && !hijacked_;
  } catch (const Error& error) {
    body_ = nullptr;  // it ended with answer()
    keep_ = false;
    if (hijacked_ || started_ || error.kind() == ErrorKind::Cancelled) return false;
    bool idle = !block && error.kind() == ErrorKind::Deadline && !wire_.has_buffered();
    if (idle) return false;
    int code = error.kind() == ErrorKind::Deadline ? 408 : error.kind() == ErrorKind::Forbidden ? 403 : 400;
    if (error.message() == "request header fields too large") code = 431;
    refuse(code, error.message());
    return false;
  }
}

void Connection::refuse(int code, std::string_view message) {
  headers = Headers();
  headers.set("Content-Type", "text/plain; charset=utf-8");
  whole(code, cat(code, " ", reason_of(code), ": ", message, "\n"));
  // Bytes that were sent and not read would turn the close into a reset that may overtake the answer.
  ::shutdown(wire_.fd(), SHUT_WR);
  wire_.set_patience(1);
  std::byte scrap[4096];
  for (int i = 0; i < 64 && wire_.read_some(scrap) > 0; ++i) {
  }
}

void Connection::answer(const RequestHead& head) {
  Body body(wire_, request_framing(head));
  body_ = &body;
  if (head.minor == 1 && iequals(head.headers.get("Expect"), "100-continue"))
    body.send_before_reading("HTTP/1.1 100 Continue\r\n\r\n");
  wire_.set_patience(state_.options.body_seconds);
  head_only_ = head.method == "HEAD";
  chunked_ = head.minor == 1;
  auto [path, query] = cut(head.target, '?');
  auto decoded = percent_decode(path, false);
  if (!decoded || path[0] != '/')
    throw Error(ErrorKind::InvalidArgument, cat("invalid request target ", quoted(head.target)));
  Request request{.method = head.method,
                  .target = head.target,
                  .path = std::move(*decoded),
                  .query = Query::parse(query.value_or("")),
                  .headers = head.headers,
                  .body = &body,
                  .has_body = !body.at_end(),
                  .client_gone = stop_.get_token(),
                  .peer = tcp_ ? std::nullopt : peer_of(wire_.fd())};
  state_.handler(request, *this);
  if (!hijacked_) keep_ = finish(body) && keep_;
  body_ = nullptr;
}

bool Connection::finish(Body& body) {
  unwatch();
  if (!started_) whole(500, "");
  if (streaming_ && chunked_ && !head_only_) wire_.write("0\r\n\r\n");
  return body.at_end() || body.drain(kDrain);
}

std::string Connection::head_of(int code, std::string_view framing_header) {
  status = code;
  std::string head = cat("HTTP/1.1 ", code, " ", reason_of(code), "\r\n");
  for (const auto& [name, value] : headers.list()) head += cat(name, ": ", value, "\r\n");
  head += cat("Date: ", http_date(), "\r\n", framing_header);
  if (!keep_) head += "Connection: close\r\n";
  return head += "\r\n";
}

void Connection::whole(int code, std::string_view body) {
  if (started_) throw Error(ErrorKind::Internal, "the response was begun already");
  bool bodiless = code == 204 || code == 304;
  if (body_ && !body_->at_end() && code >= 400) keep_ = false;  // its sender may never get to the end
  started_ = true;
  wire_.write(head_of(code, bodiless ? std::string() : cat("Content-Length: ", body.size(), "\r\n")),
              bodiless || head_only_ ? std::string_view() : body);
}

void Connection::file(int code, int fd, std::uint64_t offset, std::uint64_t length) {
  if (started_) throw Error(ErrorKind::Internal, "the response was begun already");
  started_ = true;
  wire_.write(head_of(code, cat("Content-Length: ", length, "\r\n")));
  if (!head_only_) wire_.write_file(fd, offset, length);
}

void Connection::stream(int code) {
  if (started_) throw Error(ErrorKind::Internal, "the response was begun already");
  started_ = streaming_ = true;
  if (!chunked_) keep_ = false;
  wire_.write(head_of(code, chunked_ ? "Transfer-Encoding: chunked\r\n" : ""));
}

void Connection::stream(int code, std::uint64_t length) {
  if (started_) throw Error(ErrorKind::Internal, "the response was begun already");
  started_ = true;
  chunked_ = false;
  wire_.write(head_of(code, cat("Content-Length: ", length, "\r\n")));
}

void Connection::write(std::string_view bytes) {
  if (bytes.empty() || head_only_) return;
  if (!chunked_) return wire_.write(bytes);
  char size[24];
  int length = std::snprintf(size, sizeof size, "%zx\r\n", bytes.size());
  wire_.write({size, static_cast<std::size_t>(length)}, bytes, "\r\n");
}

Hijack Connection::hijack(bool upgrade) {
  if (started_) throw Error(ErrorKind::Internal, "the response was begun already");
  if (wire_.is_protected())
    throw Error(ErrorKind::NotImplemented, "streams that are taken over need a socket without TLS");
  if (body_ && !body_->drain(kDrain)) throw Error(ErrorKind::InvalidArgument, "request body too large");
  unwatch();
  started_ = true;
  std::string head = upgrade ? "HTTP/1.1 101 UPGRADED\r\n" : "HTTP/1.1 200 OK\r\n";
  for (const auto& [name, value] : headers.list()) head += cat(name, ": ", value, "\r\n");
  head += upgrade ? "Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n" : "\r\n";
  wire_.write(head);
  hijacked_ = true;
  Hijack taken;
  {
    std::lock_guard guard(state_.mutex);
    state_.live.at(id_).fd = -1;
  }
  taken.socket = wire_.release(taken.early_bytes);
  return taken;
}

}  // namespace proa::http
