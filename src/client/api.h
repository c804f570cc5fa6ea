// The Docker Engine API from the client's side: proad's or dockerd's.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "api/versions.h"
#include "base/json.h"
#include "base/trace.h"
#include "http/client.h"

namespace proa::client {

// The newest whose inspect still shows what templates of old ask for: .NetworkSettings.IPAddress and the like.
inline constexpr api::ApiVersion kVersion{1, 51};

// Which daemon: `host` (the -H flag), else DOCKER_HOST, else `context` (-c, DOCKER_CONTEXT, currentContext of
// ~/.docker/config.json), else /run/proa.sock if it exists, else /var/run/docker.sock. Throws InvalidArgument.
std::string choose_host(std::string_view host, std::string_view context);
// $DOCKER_CONFIG or ~/.docker
std::string config_dir();

// What a refusal's status means; Internal where it says no more.
ErrorKind kind_of_status(int status);

struct Reply {
  int status = 0;
  http::Headers headers;
  std::string text;
  Json json() const;  // of text; null where it is empty
};

class Api {
 public:
  // Sends `trace_id` with each request (X-Proa-Trace); "" sends none.
  explicit Api(std::string host, std::string trace_id = "");
  ~Api();

  // An answer of 400 and more is thrown as Error with the daemon's message (kind by status); "Cannot connect to the
  // Docker daemon at X. Is the docker daemon running?" as Unavailable. A path is "/containers/json", without version.
  Reply call(std::string_view method, std::string_view path, const http::Query& query = {}, const Json& body = nullptr);
  // Never throws for a status.
  Reply try_call(std::string_view method, std::string_view path, const http::Query& query = {},
                 const Json& body = nullptr);

  struct StreamRequest {
    std::string method = "GET", path;
    http::Query query;
    http::Headers headers;
    std::optional<Json> body;
    ByteSource* upload = nullptr;
    std::string content_type;
  };
  // The headers are there, the body is read from it. Throws as call().
  std::unique_ptr<http::ClientResponse> stream(const StreamRequest& request);
  // Each JSON document of the answer as it comes (progress, events, stats). `on_document` returns false to stop.
  void documents(const StreamRequest& request, const std::function<bool(const Json&)>& on_document);
  // attach and exec start. Throws as call().
  http::Hijacked hijack(std::string_view path, const http::Query& query = {}, const Json& body = nullptr);

  // Asks once: min(kVersion, the daemon's Api-Version). Requests then carry "/v<that>".
  const std::string& version();
  const std::string& host() const { return host_; }
  const std::string& trace_id() const { return trace_id_; }

 private:
  std::string target(std::string_view path, const http::Query& query);
  std::unique_ptr<http::ClientResponse> send(http::ClientRequest& request, std::string_view path, trace::Span& span);
  std::unique_ptr<http::ClientResponse> begin_stream(const StreamRequest& wanted, trace::Span& span);

  std::string host_, trace_id_, version_;
  http::Client http_;
};

}  // namespace proa::client
