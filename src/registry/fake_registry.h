// For tests: an HTTP server on loopback that answers as told, also wrongly, and keeps what it was asked.
// size: one server, spoken to by the tests of two modules.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/text.h"
#include "os/fd.h"

namespace proa::registry {

struct FakeRequest {
  std::string method, target;
  std::map<std::string, std::string> headers;  // lower case
  std::string body = {};
  std::string header(const std::string& name) const {
    auto found = headers.find(name);
    return found == headers.end() ? "" : found->second;
  }
};

struct FakeReply {
  int status = 200;
  std::vector<std::string> headers;
  std::string body;
  std::size_t cut_after = std::string::npos;  // bytes of the body, then the connection is reset
  std::size_t claimed_length = std::string::npos;
  bool stall = false;  // nothing at all, until the registry ends
};

class FakeRegistry {
 public:
  using Handler = std::function<FakeReply(const FakeRequest&)>;

  explicit FakeRegistry(Handler handler) : handler_(std::move(handler)) {
    listener_ = os::Fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    os::check(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size), "bind");
    os::check(::listen(listener_.get(), 64), "listen");
    ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    acceptor_ = std::thread([this] { accept_all(); });
  }
  ~FakeRegistry() {
    {
      std::lock_guard guard(mutex_);
      ending_ = true;
      for (int fd : open_) ::shutdown(fd, SHUT_RDWR);
    }
    ::shutdown(listener_.get(), SHUT_RDWR);
    acceptor_.join();
    for (std::thread& one : connections_) one.join();
  }

  std::atomic<std::size_t> cut_uploads_after = std::string::npos;  // bytes of a request's body

  int port() const { return port_; }
  std::string address() const { return cat("127.0.0.1:", port_); }
  std::vector<FakeRequest> requests() const {
    std::lock_guard guard(mutex_);
    return requests_;
  }

 private:
  void accept_all() {
    for (;;) {
      int fd = ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) return;
      std::lock_guard guard(mutex_);
      if (ending_) {
        ::close(fd);
        return;
      }
      open_.push_back(fd);
      connections_.emplace_back([this, fd] {
        while (serve_one(fd)) {
        }
        std::lock_guard closing(mutex_);
        open_.remove(fd);
        ::close(fd);
      });
    }
  }

  bool serve_one(int fd) {
    std::string head;
    char c;
    while (!head.ends_with("\r\n\r\n")) {
      if (::recv(fd, &c, 1, 0) != 1) return false;
      head += c;
      if (head[0] == 0x16) {  // a TLS greeting: as Go's plain server answers it
        send_all(fd, "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTPS request to an HTTP server.\n");
        return false;
      }
    }
    std::vector<std::string> lines = split(head, '\n');
    std::vector<std::string> first = split(lines[0], ' ');
    FakeRequest request{first.at(0), first.at(1), {}};
    for (std::size_t i = 1; i < lines.size(); ++i) {
      auto [name, value] = cut(trim(lines[i]), ':');
      if (value) request.headers[to_lower(name)] = trim(*value);
    }
    std::size_t wanted = parse_int<std::size_t>(request.header("content-length")).value_or(0);
    std::size_t take = std::min(wanted, cut_uploads_after.load());
    std::string piece(64 << 10, '\0');
    while (request.body.size() < take) {
      ssize_t got = ::recv(fd, piece.data(), std::min(piece.size(), take - request.body.size()), 0);
      if (got <= 0) break;
      request.body.append(piece, 0, static_cast<std::size_t>(got));
    }
    {
      std::lock_guard guard(mutex_);
      requests_.push_back(request);
    }
    FakeReply reply = handler_(request);
    if (take < wanted) return false;  // as if the connection had broken
    if (reply.stall) return ::recv(fd, &c, 1, 0) == 1;
    std::size_t length = reply.claimed_length == std::string::npos ? reply.body.size() : reply.claimed_length;
    std::string out = cat("HTTP/1.1 ", reply.status, " X\r\nContent-Length: ", length, "\r\n");
    for (const std::string& header : reply.headers) out += cat(header, "\r\n");
    out += "\r\n";
    if (request.method != "HEAD") out += reply.body.substr(0, reply.cut_after);
    if (!send_all(fd, out)) return false;
    return reply.cut_after >= reply.body.size() && length == reply.body.size();
  }

  static bool send_all(int fd, std::string_view bytes) {
    for (ssize_t done = 0; !bytes.empty(); bytes.remove_prefix(static_cast<std::size_t>(done))) {
      if ((done = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL)) <= 0) return false;
    }
    return true;
  }

  Handler handler_;
  os::Fd listener_;
  int port_ = 0;
  mutable std::mutex mutex_;
  bool ending_ = false;
  std::vector<FakeRequest> requests_;
  std::list<int> open_;
  std::list<std::thread> connections_;
  std::thread acceptor_;
};

}  // namespace proa::registry
