#include "api/containers.h"

#include "base/text.h"
#include "engine/containers.h"
#include "engine/lifecycle.h"
#include "server/call.h"

namespace proa::server {
namespace {

void list(Call& call) {
  engine::ListOptions options{.all = call.query().boolean("all"),
                              .limit = std::max(0, call.integer("limit", 0)),
                              .size = call.query().boolean("size")};
  JsonArray array;
  for (const auto& summary : call.engine.containers().list(options, call.filters())) {
    Json value = api::to_json(summary);
    api::shape_container_summary(value, call.version);
    array.push_back(std::move(value));
  }
  call.reply(200, array);
}

void create(Call& call) {
  Json body = call.json_body();
  if (body.is_object() && body.get_object().empty()) {
    throw Error(ErrorKind::InvalidArgument, "config cannot be empty in order to create a container");
  }
  api::adapt_container_create(body, call.version);
  api::ContainerCreateRequest request = api::container_create_request_from_json(body);
  request.name = call.query().get("name");
  request.platform = call.query().get("platform");
  request.api_version = call.version.text();
  call.reply(201, api::to_json(call.engine.containers().create(request)));
}

void inspect(Call& call) {
  Json value = api::to_json(call.engine.containers().inspect(call.part(), call.query().boolean("size")));
  api::shape_container_inspect(value, call.version);
  call.reply(200, value);
}

void top(Call& call) {
  std::string arguments = call.query().get("ps_args");
  call.reply(200, api::to_json(call.engine.containers().top(call.part(), arguments.empty() ? "-ef" : arguments)));
}

void changes(Call& call) {
  JsonArray array;
  for (const auto& change : call.engine.containers().changes(call.part())) array.push_back(api::to_json(change));
  call.reply(200, array.empty() ? Json(nullptr) : Json(array));
}

void rename(Call& call) {
  call.engine.containers().rename(call.part(), call.query().get("name"));
  call.reply(204);
}

void remove(Call& call) {
  if (call.query().boolean("link")) {
    call.engine.containers().remove_link(call.part());
    return call.reply(204);
  }
  call.engine.containers().remove(call.part(),
                                  {.force = call.query().boolean("force"), .volumes = call.query().boolean("v")});
  call.reply(204);
}

void prune(Call& call) { call.reply(200, api::to_json(call.engine.containers().prune(call.filters()))); }

void start(Call& call) {
  std::string_view length = call.request.headers.get("Content-Length");
  if (call.request.has_body && (length.empty() || parse_int<long>(length).value_or(8) > 7)) {
    throw Error(ErrorKind::InvalidArgument,
                "starting container with non-empty request body was deprecated since API v1.22 and removed in v1.24");
  }
  if (!call.query().get("checkpoint").empty()) throw Error(ErrorKind::NotImplemented, "checkpoints are not supported");
  call.engine.lifecycle().start(call.part());
  call.reply(204);
}

engine::StopOptions stop_options(Call& call) {
  engine::StopOptions options;
  if (!call.query().get("t").empty()) options.timeout = call.integer("t", 0);
  if (call.since(42)) options.signal = call.query().get("signal");
  return options;
}

void stop(Call& call) {
  call.engine.lifecycle().stop(call.part(), stop_options(call));
  call.reply(204);
}

void restart(Call& call) {
  call.engine.lifecycle().restart(call.part(), stop_options(call));
  call.reply(204);
}

void kill(Call& call) {
  call.engine.lifecycle().kill(call.part(), call.query().get("signal"));
  call.reply(204);
}

void pause(Call& call) {
  call.engine.lifecycle().pause(call.part());
  call.reply(204);
}

void unpause(Call& call) {
  call.engine.lifecycle().unpause(call.part());
  call.reply(204);
}

void update(Call& call) {
  auto config = api::update_config_from_json(call.json_body());
  if (!call.since(55)) {
    config.blkio_weight_device.clear();
    for (auto list : api::kThrottles) (config.*list).clear();
  }
  auto warnings = call.engine.lifecycle().update(call.part(), config);
  call.reply(200, api::to_json(api::UpdateResponse{std::move(warnings)}));
}

void wait(Call& call) {
  auto condition = engine::wait_condition_from(call.since(30) ? call.query().get("condition") : "");
  call.response.watch_client();
  // The client may start the container only when its wait is registered: that is when the headers go out.
  engine::Sink sink;
  auto registered = [&] {
    if (call.since(30)) sink = call.begin("application/json");
  };
  api::WaitResult result;
  try {
    result = call.engine.lifecycle().wait(call.part(), condition, registered, call.request.client_gone);
  } catch (const Error& error) {
    if (!sink || error.kind() == ErrorKind::Cancelled) throw;
    result = {.status_code = -1, .error = api::WaitError{error.message()}};
  }
  if (!sink) return call.reply(200, api::to_json(result));
  sink(json::text(api::to_json(result)) + "\n");
}

void resize(Call& call) {
  auto dimension = [&](std::string_view name, std::string_view shown) {
    std::string text = call.query().get(name);
    auto value = parse_int<std::uint32_t>(text);
    if (!value || *value > UINT16_MAX)
      throw Error(ErrorKind::InvalidArgument, cat("invalid resize ", shown, " ", quoted(text)));
    return static_cast<int>(*value);
  };
  int height = dimension("h", "height"), width = dimension("w", "width");
  call.engine.lifecycle().resize(call.part(), height, width);
  call.reply(200);
}

constexpr Route kRoutes[] = {
    {"GET", "/containers/json", list},
    {"POST", "/containers/create", create},
    {"POST", "/containers/prune", prune},
    {"GET", "/containers/{*}/json", inspect},
    {"GET", "/containers/{*}/top", top},
    {"GET", "/containers/{*}/changes", changes},
    {"POST", "/containers/{*}/start", start},
    {"POST", "/containers/{*}/stop", stop},
    {"POST", "/containers/{*}/restart", restart},
    {"POST", "/containers/{*}/kill", kill},
    {"POST", "/containers/{*}/pause", pause},
    {"POST", "/containers/{*}/unpause", unpause},
    {"POST", "/containers/{*}/rename", rename},
    {"POST", "/containers/{*}/update", update},
    {"POST", "/containers/{*}/wait", wait},
    {"POST", "/containers/{*}/resize", resize},
    {"DELETE", "/containers/{*}", remove},
};

}  // namespace

std::span<const Route> container_routes() { return kRoutes; }

}  // namespace proa::server
