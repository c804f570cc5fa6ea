// One request on its way through the server: decoded by its route's handler, answered when the handler returns.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "api/filters.h"
#include "api/versions.h"
#include "base/json.h"
#include "base/time.h"
#include "engine/engine.h"
#include "engine/streams.h"
#include "http/server.h"

namespace proa::server {

struct Call {
  engine::Engine& engine;
  http::Request& request;
  http::Response& response;
  api::ApiVersion version;
  std::vector<std::string> parts;  // what the pattern's {} stood for

  const std::string& part(std::size_t index = 0) const { return parts.at(index); }
  const http::Query& query() const { return request.query; }
  bool since(int minor) const { return version >= api::ApiVersion{1, minor}; }

  // The body as JSON; an empty one is {}. Throws InvalidArgument.
  Json json_body() const;
  api::Filters filters() const { return api::Filters::parse(query().get("filters")); }
  // An integer parameter; `otherwise` where it is missing or empty. Throws InvalidArgument.
  int integer(std::string_view name, int otherwise) const;
  // The parameter "platform", which is JSON here, as os/arch[/variant]; "" where it is missing.
  std::string json_platform() const;
  // All of the parameter `name`, in the same form.
  std::vector<std::string> json_platforms(std::string_view name) const;
  std::optional<UnixNanos> timestamp(std::string_view name) const;

  // The answer, sent when the handler has returned.
  void reply(int status, const Json& body);
  void reply(int status);
  void reply_text(int status, std::string_view text);

  // Sends status 200 and the headers now, and gives the sink for the body.
  engine::Sink begin(std::string_view content_type);
  // Gives the connection away (101, or 200 where the client asked for no upgrade).
  engine::ClientStream take_over(bool tty);
  std::string_view stream_type(bool tty) const;

  int status = 0;         // of the answer; 0: none yet
  std::string body = "";  // of the answer, if it is a whole one
  bool hijacked = false;
};

using Handle = void (*)(Call&);
// {} is one part of a path, {*} may hold slashes. Method "*" is any.
struct Route {
  std::string_view method, pattern;
  Handle handle;
};

// Fills `parts` when the path matches.
bool matches(std::string_view pattern, std::string_view path, std::vector<std::string>& parts);

std::span<const Route> container_routes();
std::span<const Route> container_stream_routes();
std::span<const Route> exec_routes();
std::span<const Route> image_routes();
std::span<const Route> image_transfer_routes();
std::span<const Route> registry_routes();
std::span<const Route> network_routes();
std::span<const Route> volume_routes();
std::span<const Route> system_routes();
std::span<const Route> absent_routes();

int status_of(ErrorKind kind);

}  // namespace proa::server
