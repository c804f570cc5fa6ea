// HTTP/1.1 server: a thread per connection, streams both ways, hijack.
#pragma once

#include <sys/socket.h>
#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/stream.h"
#include "http/channel.h"
#include "http/message.h"
#include "os/fd.h"

namespace proa::http {

struct Request {
  std::string method;
  std::string target;  // as sent
  std::string path;    // decoded, without query
  Query query;
  Headers headers;
  ByteSource* body = nullptr;   // never null; read as it comes, chunks already undone
  bool has_body = false;        // Content-Length > 0 or chunked
  std::stop_token client_gone;  // fires when the client closed, once Response::watch_client was called
  std::optional<ucred> peer;    // unix sockets

  // The whole body; Error(InvalidArgument) where it is longer.
  std::string read_body(std::size_t limit) const;
};

struct Hijack {
  os::Fd socket;
  std::string early_bytes;
};

// The answer; one of whole(), file(), stream() and hijack() is called once.
class Response {
 public:
  virtual ~Response() = default;
  Headers headers;
  int status = 0;  // once it was sent

  virtual void whole(int status, std::string_view body) = 0;
  // Sends `length` bytes of a file from `offset` on, by sendfile(2).
  virtual void file(int status, int fd, std::uint64_t offset, std::uint64_t length) = 0;
  // Sends status and headers; then write() until the handler returns. An HTTP/1.0 client gets no chunks.
  virtual void stream(int status) = 0;
  // The same for a body whose length is known: exactly that much must be written.
  virtual void stream(int status, std::uint64_t length) = 0;
  virtual void write(std::string_view bytes) = 0;  // flushed; throws Cancelled when the client is gone
  // Sends "HTTP/1.1 101 UPGRADED" or 200 with `headers` and gives the connection away.
  virtual Hijack hijack(bool upgrade) = 0;
  // From now on request.client_gone fires when the client closes its side of the connection.
  virtual void watch_client() = 0;
  virtual bool started() const = 0;  // headers were sent
};

using Handler = std::function<void(Request&, Response&)>;

struct ServerOptions {
  std::size_t header_limit = 64 << 10;
  int header_seconds = 10;  // to send a request's headers
  int idle_seconds = 120;   // between requests
  int body_seconds = 60;    // without one byte of an awaited body
  int write_seconds = 0;    // 0: a slow reader may take its time
  int max_connections = 4096;
  bool any_host = false;  // the Host header of a TCP connection may name this host by any name
  Protect protect = {};   // TLS, for every connection
};

// A socket to listen on, from "unix:///path", "tcp://ip:port" or "fd://[name]" (systemd). `group` owns a unix socket's
// file, if there is such a group; its mode is 0660.
enum class Reach { Loopback, Anywhere };
std::vector<os::Fd> open_listeners(std::string_view address, std::string_view group, Reach reach = Reach::Loopback);
bool sockets_were_passed();  // by systemd, to this process

class Server {
 public:
  Server(Handler handler, ServerOptions options = {});
  ~Server();
  // Accepts on all of them in one thread of its own.
  void start(std::vector<os::Fd> listeners);
  // Accepts no more, fires every client_gone, closes idle connections and waits up to `seconds` for the others.
  void stop(int seconds);
  int connections() const;

  struct State;

 private:
  std::shared_ptr<State> state_;
};

}  // namespace proa::http
