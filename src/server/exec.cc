#include "api/inspect.h"
#include "base/text.h"
#include "engine/execs.h"
#include "server/call.h"

namespace proa::server {
namespace {

void create(Call& call) {
  api::ExecConfig config = api::exec_config_from_json(call.json_body());
  if (config.cmd.empty()) throw Error(ErrorKind::InvalidArgument, "No exec command specified");
  if (!call.since(42)) config.console_size.reset();
  call.reply(201, api::to_json(api::ExecCreateResponse{call.engine.execs().create(call.part(), config)}));
}

void start(Call& call) {
  api::ExecStart request = api::exec_start_from_json(call.json_body());
  engine::ExecStartOptions options{.detach = request.detach, .tty = request.tty};
  if (call.since(42) && request.console_size && request.console_size->size() == 2) {
    options.height = static_cast<int>((*request.console_size)[0] & 0xffff);
    options.width = static_cast<int>((*request.console_size)[1] & 0xffff);
  }
  call.engine.execs().start(call.part(), options, [&](bool tty) { return call.take_over(tty); });
}

void resize(Call& call) {
  int height = call.integer("h", 0), width = call.integer("w", 0);
  if (height < 0 || width < 0 || height > UINT16_MAX || width > UINT16_MAX)
    throw Error(ErrorKind::InvalidArgument, "invalid resize dimensions");
  call.engine.execs().resize(call.part(), height, width);
  call.reply(200);
}

void inspect(Call& call) { call.reply(200, api::to_json(call.engine.execs().inspect(call.part()))); }

constexpr Route kRoutes[] = {
    {"POST", "/containers/{*}/exec", create},
    {"POST", "/exec/{}/start", start},
    {"POST", "/exec/{}/resize", resize},
    {"GET", "/exec/{}/json", inspect},
};

}  // namespace

std::span<const Route> exec_routes() { return kRoutes; }

}  // namespace proa::server
