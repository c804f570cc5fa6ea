#include "http/client.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <mutex>
#include <vector>

#include "base/error.h"
#include "base/text.h"
#include "http/wire.h"
#include "os/socket.h"

namespace proa::http {
namespace {

constexpr std::size_t kHeadLimit = 1 << 20;

os::Fd connect_tcp(const std::string& host, const std::string& port) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG;
  addrinfo* found = nullptr;
  if (int error = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &found); error != 0) {
    throw Error(ErrorKind::Unavailable, cat("lookup ", host, ": ", ::gai_strerror(error)));
  }
  int last = ECONNREFUSED;
  os::Fd socket;
  for (addrinfo* one = found; one && !socket; one = one->ai_next) {
    os::Fd attempt(::socket(one->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (attempt && ::connect(attempt.get(), one->ai_addr, one->ai_addrlen) == 0) {
      socket = std::move(attempt);
    } else {
      last = errno;
    }
  }
  ::freeaddrinfo(found);
  if (!socket) throw Error(ErrorKind::Unavailable, cat("dial tcp ", host, ":", port, ": ", os::errno_text(last)), last);
  int on = 1;
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return socket;
}

}  // namespace

struct Client::Pool {
  std::string address, path, host, port;
  std::mutex mutex;
  std::vector<os::Fd> idle;

  os::Fd connect() const { return path.empty() ? connect_tcp(host, port) : os::connect_unix(path, SOCK_STREAM); }

  std::optional<os::Fd> take_idle() {
    std::lock_guard guard(mutex);
    while (!idle.empty()) {
      os::Fd socket = std::move(idle.back());
      idle.pop_back();
      char byte;
      // Nothing to read yet and not closed: the server still keeps it.
      if (::recv(socket.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN) return socket;
    }
    return std::nullopt;
  }
  void give_back(os::Fd socket) {
    std::lock_guard guard(mutex);
    if (idle.size() < 4) idle.push_back(std::move(socket));
  }
};

struct ClientResponse::Impl {
  explicit Impl(os::Fd socket) : wire(std::move(socket)) {}
  Wire wire;
  std::optional<Body> body;
  bool keep = false;
  std::weak_ptr<Client::Pool> pool;
};

ClientResponse::ClientResponse(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

ClientResponse::~ClientResponse() {
  auto pool = impl_->pool.lock();
  if (!pool || !impl_->keep || !impl_->body || !impl_->body->at_end()) return;
  std::string early;
  os::Fd socket = impl_->wire.release(early);
  if (early.empty() && socket) pool->give_back(std::move(socket));
}

std::size_t ClientResponse::read(std::span<std::byte> buffer) { return impl_->body ? impl_->body->read(buffer) : 0; }

std::string ClientResponse::read_all(std::size_t limit) {
  std::string all;
  std::byte piece[16 << 10];
  while (std::size_t got = read(piece)) {
    if (all.size() + got > limit) throw Error(ErrorKind::DataLoss, "the response is too large");
    all.append(reinterpret_cast<const char*>(piece), got);
  }
  return all;
}

int ClientResponse::fd() const { return impl_->wire.fd(); }
bool ClientResponse::has_buffered() const { return impl_->wire.has_buffered(); }

Client::Client(std::string_view address) : pool_(std::make_shared<Pool>()) {
  pool_->address = address;
  if (address.starts_with("unix://")) {
    pool_->path = address.substr(7);
    if (pool_->path.empty())
      throw Error(ErrorKind::InvalidArgument, cat("unable to parse docker host `", address, "`"));
    pool_->host = "docker";
    return;
  }
  std::string_view rest = address.starts_with("tcp://")    ? address.substr(6)
                          : address.starts_with("http://") ? address.substr(7)
                                                           : "";
  rest = rest.substr(0, rest.find('/'));
  if (rest.empty()) throw Error(ErrorKind::InvalidArgument, cat("unable to parse docker host `", address, "`"));
  std::size_t colon = rest.rfind(':');
  bool has_port = colon != rest.npos && rest.find(']', colon) == rest.npos;
  pool_->host = rest.substr(0, has_port ? colon : rest.npos);
  pool_->port = has_port ? rest.substr(colon + 1) : "2375";
  if (pool_->host.starts_with('[') && pool_->host.ends_with(']'))
    pool_->host = pool_->host.substr(1, pool_->host.size() - 2);
}

Client::~Client() = default;
const std::string& Client::address() const { return pool_->address; }

namespace {

std::string head_of(const ClientRequest& request, const std::string& host, bool upgrade) {
  std::string head = cat(request.method, " ", request.target, " HTTP/1.1\r\nHost: ", host, "\r\n");
  for (const auto& [name, value] : request.headers.list()) head += cat(name, ": ", value, "\r\n");
  if (upgrade) head += "Connection: Upgrade\r\nUpgrade: tcp\r\n";
  if (request.stream) {
    head += "Transfer-Encoding: chunked\r\n";
  } else if (!request.body.empty() || (request.method != "GET" && request.method != "HEAD")) {
    head += cat("Content-Length: ", request.body.size(), "\r\n");
  }
  return head += "\r\n";
}

void send_stream(Wire& wire, ByteSource& source) {
  std::string piece(64 << 10, '\0');
  while (std::size_t got = source.read(std::as_writable_bytes(std::span(piece)))) {
    char size[24];
    int length = std::snprintf(size, sizeof size, "%zx\r\n", got);
    wire.write({size, static_cast<std::size_t>(length)}, std::string_view(piece).substr(0, got), "\r\n");
  }
  wire.write("0\r\n\r\n");
}

// The head of the final response (informational ones are passed over); nullopt: closed before its first byte.
std::optional<ResponseHead> read_response(Wire& wire) {
  for (;;) {
    std::optional<std::string> block = wire.read_head(kHeadLimit, 0, 0);
    if (!block) return std::nullopt;
    ResponseHead head = parse_response_head(*block);
    if (head.status >= 200 || head.status == 101) return head;
  }
}

}  // namespace

// Sends and reads the head; `impl` is the connection it came by.
static ResponseHead exchange(Client::Pool& pool, const ClientRequest& request, bool upgrade,
                             std::unique_ptr<ClientResponse::Impl>& impl) {
  std::string head = head_of(request, pool.host, upgrade);
  for (bool fresh = upgrade || request.stream;; fresh = true) {
    std::optional<os::Fd> idle = fresh ? std::nullopt : pool.take_idle();
    bool reused = idle.has_value();
    impl = std::make_unique<ClientResponse::Impl>(reused ? std::move(*idle) : pool.connect());
    try {
      impl->wire.write(head, request.body);
      if (request.stream) send_stream(impl->wire, *request.stream);
    } catch (const Error& error) {
      // The server may have answered (a refusal) without reading all; else a kept connection was just closed.
      if (error.kind() != ErrorKind::Cancelled) throw;
      if (reused) continue;
    }
    try {
      if (auto answer = read_response(impl->wire)) return std::move(*answer);
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::InvalidArgument) throw Error(ErrorKind::DataLoss, error.message());
      if (!reused) throw;
    }
    if (!reused)
      throw Error(ErrorKind::Unavailable,
                  cat("the daemon at ", pool.address, " closed the connection without an answer"));
  }
}

static std::unique_ptr<ClientResponse> make_response(std::unique_ptr<ClientResponse::Impl> impl, ResponseHead head,
                                                     std::string_view method, std::shared_ptr<Client::Pool> pool) {
  Framing framing = response_framing(head, method);
  impl->body.emplace(impl->wire, framing);
  impl->keep = framing.kind != Framing::Kind::UntilClose && keeps_alive(head.minor, head.headers);
  impl->pool = pool;
  auto response = std::make_unique<ClientResponse>(std::move(impl));
  response->status = head.status;
  response->reason = std::move(head.reason);
  response->headers = std::move(head.headers);
  return response;
}

std::unique_ptr<ClientResponse> Client::send(const ClientRequest& request) {
  std::unique_ptr<ClientResponse::Impl> impl;
  ResponseHead head = exchange(*pool_, request, false, impl);
  return make_response(std::move(impl), std::move(head), request.method, pool_);
}

Hijacked Client::hijack(const ClientRequest& request, std::unique_ptr<ClientResponse>& refused) {
  std::unique_ptr<ClientResponse::Impl> impl;
  ResponseHead head = exchange(*pool_, request, true, impl);
  Hijacked taken;
  taken.status = head.status;
  taken.headers = head.headers;
  bool raw = head.status == 200 && !head.headers.find("Content-Length") && !head.headers.find("Transfer-Encoding");
  if (head.status != 101 && !raw) {
    refused = make_response(std::move(impl), std::move(head), request.method, pool_);
    return taken;
  }
  taken.socket = impl->wire.release(taken.early_bytes);
  return taken;
}

}  // namespace proa::http
