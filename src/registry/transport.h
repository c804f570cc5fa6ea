// One HTTP exchange after the other over libcurl; connections are kept. Bounded in every direction: headers, body,
// time. Redirects are not followed here: whoever sends credentials decides (security.md R8).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/stream.h"
#include "registry/url.h"

namespace proa::registry {

struct Response {
  int status = 0;
  std::map<std::string, std::string> headers;  // names in lower case; repeated ones joined by ", "
  std::string body;                            // empty where it was streamed
  std::string header(const std::string& name) const;
};

struct TlsOptions {
  bool verify = true;
  std::string authorities;       // PEM, besides the system's
  std::string certificate, key;  // files; "" where there is none
};

struct Request {
  std::string method = "GET";
  Url url;
  std::vector<std::string> headers;  // "Name: value"
  std::string body;                  // of POST, PUT and PATCH
  // Instead of `body`, exactly `upload_size` bytes: opened anew for each attempt.
  std::function<std::unique_ptr<ByteSource>()> open_upload;
  std::uint64_t upload_size = 0;
  TlsOptions tls;
  std::size_t max_body = 1 << 20;     // of what is not streamed; more is an error
  std::int64_t total_timeout_ms = 0;  // 0: none but the stall timeout
  // Where set, a 200 or 206 body goes there and not into Response::body. `on_head` sees status and headers before.
  std::function<void(const Response&)> on_head;
  std::function<void(std::span<const std::byte>)> on_data;
};

struct TransportOptions {
  std::string user_agent;
  std::int64_t connect_timeout_ms = 10'000;
  std::int64_t stall_timeout_ms = 60'000;
  std::string http_proxy, https_proxy, no_proxy;  // "": what the environment says
};

// The seconds that a Retry-After header asks for, a number or a date; nullopt where it asks for nothing readable.
std::optional<std::int64_t> retry_after(const std::string& header, std::int64_t now_seconds);

// A failure below HTTP, for decisions (scheme fallback, retry) and for the words people see.
// Alert: it speaks TLS and will not have us, or our certificate. Proxy: not even the way there.
enum class Failure { None, Resolve, Refused, Timeout, Tls, NotTls, Certificate, Alert, Proxy, Cut, Protocol, Limit };

class TransportError : public std::exception {
 public:
  TransportError(Failure failure, std::string message) : failure_(failure), message_(std::move(message)) {}
  Failure failure() const { return failure_; }
  const char* what() const noexcept override { return message_.c_str(); }

 private:
  Failure failure_;
  std::string message_;
};

// Thread-safe.
class Transport {
 public:
  Transport(TransportOptions options, std::stop_token stop);
  ~Transport();
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;

  // Throws TransportError, Error(Cancelled), and what on_head and on_data throw.
  Response send(const Request& request);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace proa::registry
