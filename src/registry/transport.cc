#include "registry/transport.h"

#include <curl/curl.h>

#include <algorithm>
#include <cstdlib>
#include <mutex>

#include "base/error.h"
#include "base/text.h"
#include "base/time.h"
#include "base/trace.h"

namespace proa::registry {

namespace {

constexpr std::size_t kMaxHeaders = 128 << 10;
constexpr int kMaxHeaderCount = 500;

// A curl handle and the multi handle that keeps its connections.
struct Handle {
  CURLM* multi = curl_multi_init();
  CURL* easy = curl_easy_init();
  Handle() = default;
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() {
    if (easy) curl_easy_cleanup(easy);
    if (multi) curl_multi_cleanup(multi);
  }
};

struct Exchange {
  const Request& request;
  Response response;
  CURL* easy;
  std::size_t header_bytes = 0;
  int header_count = 0;
  bool head_told = false;
  std::int64_t last_progress = 0;
  std::exception_ptr thrown;  // by us inside a callback: C code must not see it
  std::unique_ptr<ByteSource> upload = {};
};

bool is_streamed(const Exchange& exchange) {
  return exchange.request.on_data && (exchange.response.status == 200 || exchange.response.status == 206);
}

void tell_head(Exchange& exchange) {
  if (exchange.head_told) return;
  exchange.head_told = true;
  if (is_streamed(exchange) && exchange.request.on_head) exchange.request.on_head(exchange.response);
}

std::size_t on_header(char* data, std::size_t, std::size_t size, void* context) {
  auto& exchange = *static_cast<Exchange*>(context);
  exchange.last_progress = monotonic_now();
  exchange.header_bytes += size;
  if (exchange.header_bytes > kMaxHeaders || ++exchange.header_count > kMaxHeaderCount) {
    exchange.thrown = std::make_exception_ptr(TransportError(Failure::Limit, "the response's headers are too large"));
    return 0;
  }
  std::string_view line = trim(std::string_view(data, size));
  if (line.starts_with("HTTP/")) {  // a 1xx answer or a proxy's is followed by another
    exchange.response.headers.clear();
    auto [version, rest] = cut(line, ' ');
    exchange.response.status = rest ? parse_int<int>(trim(rest->substr(0, 3))).value_or(0) : 0;
    return size;
  }
  auto [name, value] = cut(line, ':');
  if (!value) return size;
  std::string& slot = exchange.response.headers[to_lower(name)];
  slot += cat(slot.empty() ? "" : ", ", trim(*value));
  return size;
}

std::size_t on_body(char* data, std::size_t, std::size_t size, void* context) {
  auto& exchange = *static_cast<Exchange*>(context);
  try {
    tell_head(exchange);
    if (is_streamed(exchange)) {
      exchange.request.on_data(std::as_bytes(std::span(data, size)));
    } else {
      if (exchange.response.body.size() + size > exchange.request.max_body) {
        throw TransportError(Failure::Limit, cat("the response is larger than ", exchange.request.max_body, " bytes"));
      }
      exchange.response.body.append(data, size);
    }
  } catch (...) {
    exchange.thrown = std::current_exception();
    return 0;
  }
  exchange.last_progress = monotonic_now();  // after the receiver: its slowness is not the registry's
  return size;
}

std::size_t on_upload(char* data, std::size_t, std::size_t size, void* context) {
  auto& exchange = *static_cast<Exchange*>(context);
  try {
    std::size_t got = exchange.upload->read(std::as_writable_bytes(std::span(data, size)));
    exchange.last_progress = monotonic_now();
    return got;
  } catch (...) {
    exchange.thrown = std::current_exception();
    return CURL_READFUNC_ABORT;
  }
}

Failure classify(CURLcode code, long os_error) {
  switch (code) {
    case CURLE_OK:
      return Failure::None;
    case CURLE_COULDNT_RESOLVE_HOST:
      return Failure::Resolve;
    case CURLE_COULDNT_CONNECT:
      return os_error == ETIMEDOUT ? Failure::Timeout : Failure::Refused;
    case CURLE_OPERATION_TIMEDOUT:
      return Failure::Timeout;
    case CURLE_SSL_CONNECT_ERROR:
      return Failure::Tls;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_ISSUER_ERROR:
      return Failure::Certificate;
    case CURLE_PARTIAL_FILE:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
      return Failure::Cut;
    default:
      return Failure::Protocol;
  }
}

// Go's words where the proxy, not the registry, could not be reached or will not have us; "" where that is not so.
std::string proxy_failure(CURLcode code, const std::string& message, const Url& url) {
  constexpr std::string_view kTo = "connect to ", kPort = " port ", kUnresolved = "Could not resolve proxy: ";
  if (code == CURLE_COULDNT_RESOLVE_PROXY && message.starts_with(kUnresolved))
    return cat("proxyconnect tcp: dial tcp: lookup ", message.substr(kUnresolved.size()), ": no such host");
  if (message.find("code 407 from proxy") != message.npos) return "Proxy Authentication Required";
  std::size_t to = message.find(kTo), port = message.find(kPort);
  if (code != CURLE_COULDNT_CONNECT || to == message.npos || port == message.npos || port < to) return "";
  std::string host = message.substr(to + kTo.size(), port - to - kTo.size());
  std::string number = message.substr(port + kPort.size());
  number.resize(std::min(number.find_first_not_of("0123456789"), number.size()));
  if (host == url.host && number == std::to_string(url.port)) return "";
  return cat("proxyconnect tcp: dial tcp ", host, ":", number, ": connect: connection refused");
}

[[noreturn]] void throw_failure(CURL* easy, CURLcode code, const char* detail, const Url& url) {
  long os_error = 0;
  curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &os_error);
  std::string message = *detail ? detail : curl_easy_strerror(code);
  if (std::string words = proxy_failure(code, message, url); !words.empty())
    throw TransportError(Failure::Proxy, std::move(words));
  Failure failure = classify(code, os_error);
  // OpenSSL's words for "that was no TLS record": the server speaks plain HTTP.
  if (failure == Failure::Tls && (message.find("wrong version number") != message.npos ||
                                  message.find("packet length too long") != message.npos)) {
    failure = Failure::NotTls;
  }
  if (message.find(" alert ") != message.npos) failure = Failure::Alert;
  throw TransportError(failure, std::move(message));
}

// Configured, or as Go reads the environment: the upper-case name also for http. Never for loopback.
void set_proxy(CURL* easy, const TransportOptions& options, const Url& url) {
  const std::string& configured = url.scheme == "https" ? options.https_proxy : options.http_proxy;
  if (!options.no_proxy.empty()) curl_easy_setopt(easy, CURLOPT_NOPROXY, options.no_proxy.c_str());
  if (is_loopback(url.host)) {
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
  } else if (!configured.empty()) {
    curl_easy_setopt(easy, CURLOPT_PROXY, configured.c_str());
  } else if (const char* proxy = std::getenv("HTTP_PROXY");
             url.scheme == "http" && proxy && !std::getenv("http_proxy")) {
    curl_easy_setopt(easy, CURLOPT_PROXY, proxy);
  }
}

void set_tls(CURL* easy, const TlsOptions& tls) {
  curl_easy_setopt(easy, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, tls.verify ? 1L : 0L);
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, tls.verify ? 2L : 0L);
  if (!tls.authorities.empty()) {
    // In addition to the system's: those stay reachable by their hashed names.
    curl_blob pem{const_cast<char*>(tls.authorities.data()), tls.authorities.size(), CURL_BLOB_COPY};
    curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &pem);
    curl_easy_setopt(easy, CURLOPT_CAPATH, "/etc/ssl/certs");
  }
  if (!tls.certificate.empty()) {
    curl_easy_setopt(easy, CURLOPT_SSLCERT, tls.certificate.c_str());
    curl_easy_setopt(easy, CURLOPT_SSLKEY, tls.key.c_str());
  }
}

void set_body(Exchange& exchange) {
  CURL* easy = exchange.easy;
  const Request& request = exchange.request;
  if (request.method == "HEAD") {
    curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
  } else if (request.open_upload) {
    exchange.upload = request.open_upload();
    curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, 512L << 10);
    curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(request.upload_size));
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_upload);
    curl_easy_setopt(easy, CURLOPT_READDATA, &exchange);
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  } else if (request.method != "GET") {
    if (request.method != "DELETE") {
      curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, static_cast<long>(request.body.size()));
      curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, request.body.c_str());
    }
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  }
}

// Everything of the request but the body's buffers, which stay the caller's. The list is the caller's to free.
curl_slist* prepare(Exchange& exchange, const TransportOptions& options, const std::string& url, char* detail) {
  CURL* easy = exchange.easy;
  const Request& request = exchange.request;
  curl_easy_reset(easy);
  curl_easy_setopt(easy, CURLOPT_URL, url.c_str());
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options.connect_timeout_ms));
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 256L << 10);
  curl_easy_setopt(easy, CURLOPT_USERAGENT, options.user_agent.c_str());
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, detail);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, &exchange);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &exchange);
  set_proxy(easy, options, request.url);
  set_tls(easy, request.tls);
  set_body(exchange);
  curl_slist* list = nullptr;
  // Nothing is won by asking first: the request before this one has found out about credentials.
  if (request.open_upload) list = curl_slist_append(list, "Expect:");
  for (const std::string& header : request.headers) list = curl_slist_append(list, header.c_str());
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, list);
  return list;
}

}  // namespace

std::optional<std::int64_t> retry_after(const std::string& header, std::int64_t now_seconds) {
  if (auto seconds = parse_int<std::int64_t>(header)) return *seconds >= 0 ? seconds : std::nullopt;
  time_t date = header.empty() ? -1 : curl_getdate(header.c_str(), nullptr);
  if (date < 0) return std::nullopt;
  return std::max<std::int64_t>(0, date - now_seconds);
}

std::string Response::header(const std::string& name) const {
  auto found = headers.find(name);
  return found == headers.end() ? "" : found->second;
}

struct Transport::State {
  TransportOptions options;
  std::stop_token stop;
  std::mutex mutex;
  std::vector<std::unique_ptr<Handle>> idle;

  std::unique_ptr<Handle> take() {
    std::lock_guard guard(mutex);
    if (idle.empty()) return std::make_unique<Handle>();
    auto handle = std::move(idle.back());
    idle.pop_back();
    return handle;
  }
  void give_back(std::unique_ptr<Handle> handle) {
    std::lock_guard guard(mutex);
    idle.push_back(std::move(handle));
  }
  CURLcode run(Handle& handle, Exchange& exchange);
};

Transport::Transport(TransportOptions options, std::stop_token stop) : state_(std::make_unique<State>()) {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
  state_->options = std::move(options);
  state_->stop = std::move(stop);
}

Transport::~Transport() = default;

// The loop of curl_easy_perform, but that a stop wakes it at once and that only the registry's silence counts as a
// stall.
CURLcode Transport::State::run(Handle& handle, Exchange& exchange) {
  std::stop_callback wake(stop, [&] { curl_multi_wakeup(handle.multi); });
  std::int64_t began = monotonic_now();
  exchange.last_progress = began;
  for (;;) {
    int running = 0;
    if (curl_multi_perform(handle.multi, &running) != CURLM_OK) return CURLE_FAILED_INIT;
    int left = 0;
    while (CURLMsg* message = curl_multi_info_read(handle.multi, &left)) {
      if (message->msg == CURLMSG_DONE) return message->data.result;
    }
    if (running == 0) return CURLE_FAILED_INIT;
    if (stop.stop_requested()) throw Error(ErrorKind::Cancelled, "context canceled");
    std::int64_t time = monotonic_now();
    if (time - exchange.last_progress > options.stall_timeout_ms * kMillisecond) {
      throw TransportError(Failure::Timeout, cat("no data for ", options.stall_timeout_ms / 1000, " seconds"));
    }
    if (exchange.request.total_timeout_ms > 0 && time - began > exchange.request.total_timeout_ms * kMillisecond) {
      throw TransportError(Failure::Timeout,
                           cat("not finished after ", exchange.request.total_timeout_ms / 1000, " seconds"));
    }
    curl_multi_poll(handle.multi, nullptr, 0, 500, nullptr);
  }
}

Response Transport::send(const Request& request) {
  if (state_->stop.stop_requested()) throw Error(ErrorKind::Cancelled, "context canceled");
  trace::Span span("registry.request");
  span.set("method", request.method);
  span.set("url", request.url.without_query());
  auto handle = state_->take();
  CURL* easy = handle->easy;
  if (!easy || !handle->multi) throw Error(ErrorKind::Internal, "curl: out of memory");
  Exchange exchange{.request = request, .response = {}, .easy = easy, .thrown = {}};
  char detail[CURL_ERROR_SIZE] = "";
  std::string url = request.url.text();
  curl_slist* list = prepare(exchange, state_->options, url, detail);

  // Whatever happens, the handle leaves the multi handle before its buffers go; a broken one is not used again.
  struct Attached {
    Handle& handle;
    curl_slist* list;
    ~Attached() {
      curl_multi_remove_handle(handle.multi, handle.easy);
      curl_slist_free_all(list);
    }
  };
  CURLcode code;
  {
    Attached attached{*handle, list};
    curl_multi_add_handle(handle->multi, easy);
    code = state_->run(*handle, exchange);
    if (exchange.thrown) std::rethrow_exception(exchange.thrown);
    if (code != CURLE_OK) {
      span.set("failed", detail[0] ? detail : curl_easy_strerror(code));
      throw_failure(easy, code, detail, request.url);
    }
  }
  tell_head(exchange);  // an empty body
  span.set("status", exchange.response.status);
  curl_off_t received = 0;
  curl_easy_getinfo(easy, CURLINFO_SIZE_DOWNLOAD_T, &received);
  span.set("bytes", static_cast<std::int64_t>(received));
  state_->give_back(std::move(handle));
  return std::move(exchange.response);
}

}  // namespace proa::registry
