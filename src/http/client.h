// HTTP/1.1 client over unix and TCP sockets: keep-alive, streams both ways, hijack. Links nothing heavy: `proa` starts
// in a millisecond.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/stream.h"
#include "http/message.h"
#include "os/fd.h"

namespace proa::http {

struct ClientRequest {
  std::string method = "GET";
  std::string target = "";  // path and query, encoded
  Headers headers = {};     // Host, Content-Length and the like are set by the client
  std::string body = "";
  ByteSource* stream = nullptr;  // instead of body: sent in chunks
};

// A response whose headers are read; the body comes by read(). The connection goes back to the client when the body
// was read to its end and this object dies, else it is closed.
class ClientResponse : public ByteSource {
 public:
  ~ClientResponse() override;
  int status = 0;
  std::string reason;
  Headers headers;

  std::size_t read(std::span<std::byte> buffer) override;
  // The rest of the body; longer than `limit` is an Error.
  std::string read_all(std::size_t limit = 64 << 20);
  // For poll(2): readable when more of the response may have come.
  int fd() const;
  bool has_buffered() const;  // some of it was read from the socket already

  struct Impl;
  explicit ClientResponse(std::unique_ptr<Impl> impl);

 private:
  std::unique_ptr<Impl> impl_;
};

struct Hijacked {
  int status = 0;
  Headers headers;
  os::Fd socket;
  std::string early_bytes;  // what the server sent right behind its headers
};

class Client {
 public:
  // "unix:///path", "tcp://host:port" or "http://host:port". Connects with the first request. Throws InvalidArgument.
  explicit Client(std::string_view address);
  ~Client();

  // Throws Unavailable (cannot connect; errno_code says why) and DataLoss (not HTTP).
  std::unique_ptr<ClientResponse> send(const ClientRequest& request);
  // Adds Connection: Upgrade and Upgrade: tcp. If the server refuses (no 101, no 200 raw stream) `refused` holds the
  // ordinary response and socket is empty.
  Hijacked hijack(const ClientRequest& request, std::unique_ptr<ClientResponse>& refused);
  const std::string& address() const;

  struct Pool;

 private:
  std::shared_ptr<Pool> pool_;
};

}  // namespace proa::http
