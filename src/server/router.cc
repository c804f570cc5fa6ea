#include "server/router.h"

#include "base/id.h"
#include "base/log.h"
#include "base/text.h"
#include "base/trace.h"
#include "engine/explain.h"
#include "server/call.h"

namespace proa::server {
namespace {

void set_common_headers(http::Headers& headers) {
  headers.set("Api-Version", api::kNewest.text());
  headers.set("Docker-Experimental", "false");
  headers.set("Ostype", "linux");
  headers.set("Server", "Docker/" PROA_VERSION " (linux)");
}

// Takes "/v1.41" off the path; without it a request speaks the newest version.
api::ApiVersion take_version(std::string& path) {
  if (!path.starts_with("/v") || path.size() < 3 || path[2] < '0' || path[2] > '9') return api::kNewest;
  std::size_t end = path.find('/', 1);
  auto version = end == path.npos ? std::nullopt : api::ApiVersion::parse(std::string_view(path).substr(1, end - 1));
  if (!version) return api::kNewest;  // no route begins so: page not found
  path.erase(0, end);
  return *version;
}

void dispatch(Call& call, const std::string& path) {
  if (call.request.method == "OPTIONS") return call.reply(200);  // docker's answer on every path
  for (auto routes :
       {container_routes(), container_stream_routes(), exec_routes(), image_routes(), image_transfer_routes(),
        network_routes(), volume_routes(), system_routes(), registry_routes(), absent_routes()}) {
    for (const Route& route : routes) {
      if (route.method != call.request.method && route.method != "*") continue;
      call.parts.clear();
      if (!matches(route.pattern, path, call.parts)) continue;
      route.handle(call);
      return;
    }
  }
  throw Error(ErrorKind::NotFound, "page not found");
}

void answer_error(Call& call, const Error& error) {
  call.status = status_of(error.kind());
  if (call.version < api::kOldest)
    return call.reply_text(call.status, error.message() + "\n");  // such clients print it as it is
  if (error.kind() == ErrorKind::NotModified) return call.reply(304);
  call.reply(call.status, JsonObject{{"message", error.message()}});
}

// Runs the handler; what it throws becomes the answer, unless headers were sent already.
void run(Call& call, std::string path, trace::Span& span) {
  try {
    call.version = take_version(path);
    api::check_supported(call.version);
    dispatch(call, path);
  } catch (...) {
    Error error = to_error(std::current_exception());
    if (error.kind() != ErrorKind::NotModified) span.set("failed", error.message());
    if (call.hijacked || call.response.started()) {
      if (error.kind() != ErrorKind::Cancelled)
        log::warn("request failed after its headers", {{"error", error.what()}, {"path", path}});
      throw error;  // closes the connection: the client sees that the answer is not whole
    }
    if (status_of(error.kind()) >= 500) log::error("request failed", {{"error", error.what()}, {"path", path}});
    answer_error(call, error);
  }
}

bool is_trace_id(std::string_view text) {
  return !text.empty() && text.size() <= 64 &&
         text.find_first_not_of("0123456789abcdefghijklmnopqrstuvwxyz-") == text.npos;
}

void serve(engine::Engine& engine, http::Request& request, http::Response& response) {
  set_common_headers(response.headers);
  std::string_view sent = request.headers.get("X-Proa-Trace");
  bool traced = is_trace_id(sent);
  bool reads = request.method == "GET" || request.method == "HEAD";
  std::string trace_id = traced ? std::string(sent) : new_id();
  trace::Recorder recorder("proad");
  Call call{.engine = engine, .request = request, .response = response, .version = api::kNewest, .parts = {}};
  auto finish = [&] {
    if (traced || !reads) engine.explain().keep(trace_id, recorder.events());
    engine.request_served();
  };
  try {
    trace::Scope scope(recorder);
    engine::RequestTrace request_trace(trace_id);
    trace::Span span("api.request");
    span.set("method", request.method);
    span.set("path", request.path);
    run(call, request.path, span);
    if (call.status == 0) call.reply(200);
    span.set("status", call.status);
  } catch (...) {
    finish();
    throw;
  }
  finish();  // before the answer: who got it may ask for the explanation at once
  log::debug("request", {{"method", request.method}, {"path", request.path}, {"status", std::to_string(call.status)}});
  if (!call.hijacked && !response.started()) response.whole(call.status, call.body);
}

}  // namespace

http::Handler make_handler(engine::Engine& engine) {
  return [&engine](http::Request& request, http::Response& response) { serve(engine, request, response); };
}

}  // namespace proa::server
