#include "client/api.h"

#include <algorithm>
#include <cerrno>

#include "base/text.h"
#include "client/json_stream.h"

namespace proa::client {
namespace {

[[noreturn]] void throw_reply(int status, const std::string& body) {
  std::string message;
  try {
    message = json::string_at(json::parse(body), "message");
  } catch (const Error&) {
    message = trim(body);
  }
  if (message.empty()) message = cat("request returned ", status, " without a message");
  throw Error(kind_of_status(status), message);
}

[[noreturn]] void throw_unreachable(const std::string& host, const Error& error) {
  if (error.errno_code() == EACCES || error.errno_code() == EPERM) {
    throw Error(ErrorKind::Forbidden,
                cat("permission denied while trying to connect to the Docker daemon socket at ", host),
                error.errno_code());
  }
  if (error.kind() == ErrorKind::DataLoss || error.kind() == ErrorKind::Cancelled) throw error;
  throw Error(ErrorKind::Unavailable,
              cat("Cannot connect to the Docker daemon at ", host, ". Is the docker daemon running?"),
              error.errno_code());
}

void set_body(http::ClientRequest& request, const Json& body) {
  if (body.is_null()) return;
  request.headers.set("Content-Type", "application/json");
  request.body = json::text(body);
}

void check_status(http::ClientResponse& response) {
  if (response.status >= 400) throw_reply(response.status, response.read_all(1 << 20));
}

}  // namespace

ErrorKind kind_of_status(int status) {
  switch (status) {
    case 304:
      return ErrorKind::NotModified;
    case 400:
      return ErrorKind::InvalidArgument;
    case 401:
      return ErrorKind::Unauthorized;
    case 403:
      return ErrorKind::Forbidden;
    case 404:
      return ErrorKind::NotFound;
    case 409:
      return ErrorKind::Conflict;
    case 501:
      return ErrorKind::NotImplemented;
    case 503:
      return ErrorKind::Unavailable;
    default:
      return ErrorKind::Internal;
  }
}

Json Reply::json() const { return trim(text).empty() ? Json(nullptr) : json::parse(text); }

Api::Api(std::string host, std::string trace_id)
    : host_(std::move(host)), trace_id_(std::move(trace_id)), http_(host_) {}
Api::~Api() = default;

const std::string& Api::version() {
  if (!version_.empty()) return version_;
  http::ClientRequest request{.method = "HEAD", .target = "/_ping"};
  trace::Span span("client.request");
  auto response = send(request, "/_ping", span);
  auto theirs = api::ApiVersion::parse(response->headers.get("Api-Version"));
  version_ = std::min(theirs.value_or(kVersion), kVersion).text();
  return version_;
}

std::string Api::target(std::string_view path, const http::Query& query) {
  std::string text(path);
  // Without a version a daemon answers in its newest, which spares the question; who asked for it gets it.
  if (text != "/_ping" && !text.starts_with("/proa/") && !version_.empty()) text = cat("/v", version_, text);
  if (!query.empty()) text += cat("?", query.text());
  return text;
}

std::unique_ptr<http::ClientResponse> Api::send(http::ClientRequest& request, std::string_view path,
                                                trace::Span& span) {
  span.set("method", request.method);
  span.set("path", std::string(path));
  if (!trace_id_.empty()) request.headers.set("X-Proa-Trace", trace_id_);
  request.headers.set("User-Agent", cat("proa/", PROA_VERSION));
  std::unique_ptr<http::ClientResponse> response;
  try {
    response = http_.send(request);
  } catch (const Error& error) {
    throw_unreachable(host_, error);
  }
  span.set("status", response->status);
  return response;
}

Reply Api::try_call(std::string_view method, std::string_view path, const http::Query& query, const Json& body) {
  http::ClientRequest request{.method = std::string(method), .target = target(path, query)};
  set_body(request, body);
  trace::Span span("client.request");
  auto response = send(request, path, span);
  Reply reply{response->status, response->headers, ""};
  reply.text = response->read_all(256 << 20);
  return reply;
}

Reply Api::call(std::string_view method, std::string_view path, const http::Query& query, const Json& body) {
  Reply reply = try_call(method, path, query, body);
  if (reply.status >= 400) throw_reply(reply.status, reply.text);
  return reply;
}

std::unique_ptr<http::ClientResponse> Api::stream(const StreamRequest& wanted) {
  trace::Span span("client.request");
  return begin_stream(wanted, span);
}

std::unique_ptr<http::ClientResponse> Api::begin_stream(const StreamRequest& wanted, trace::Span& span) {
  http::ClientRequest request{
      .method = wanted.method, .target = target(wanted.path, wanted.query), .headers = wanted.headers};
  if (wanted.body) set_body(request, *wanted.body);
  if (!wanted.content_type.empty()) request.headers.set("Content-Type", wanted.content_type);
  request.stream = wanted.upload;
  auto response = send(request, wanted.path, span);
  check_status(*response);
  return response;
}

void Api::documents(const StreamRequest& request, const std::function<bool(const Json&)>& on_document) {
  trace::Span span("client.request");  // until the last of them
  auto response = begin_stream(request, span);
  JsonStream documents;
  std::string piece(16 << 10, '\0');
  while (std::size_t got = response->read(std::as_writable_bytes(std::span(piece)))) {
    documents.push(std::string_view(piece).substr(0, got));
    while (auto document = documents.next()) {
      if (!on_document(*document)) return;
    }
  }
}

http::Hijacked Api::hijack(std::string_view path, const http::Query& query, const Json& body) {
  trace::Span span("client.request");
  span.set("method", "POST");
  span.set("path", std::string(path));
  http::ClientRequest request{.method = "POST", .target = target(path, query)};
  set_body(request, body);
  if (!trace_id_.empty()) request.headers.set("X-Proa-Trace", trace_id_);
  request.headers.set("User-Agent", cat("proa/", PROA_VERSION));
  std::unique_ptr<http::ClientResponse> refused;
  http::Hijacked taken;
  try {
    taken = http_.hijack(request, refused);
  } catch (const Error& error) {
    throw_unreachable(host_, error);
  }
  span.set("status", taken.status);
  if (refused) {
    check_status(*refused);
    throw Error(ErrorKind::Internal, cat("the daemon did not upgrade the connection but answered ", refused->status));
  }
  return taken;
}

}  // namespace proa::client
