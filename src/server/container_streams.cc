#include "api/path_stat.h"
#include "base/text.h"
#include "engine/archive.h"
#include "engine/attach.h"
#include "engine/logs.h"
#include "engine/stats.h"
#include "server/call.h"
#include "server/json_stream.h"

namespace proa::server {
namespace {

void attach(Call& call) {
  const http::Query& query = call.query();
  engine::AttachOptions options{.logs = query.boolean("logs"),
                                .stream = query.boolean("stream"),
                                .in = query.boolean("stdin"),
                                .out = query.boolean("stdout"),
                                .err = query.boolean("stderr"),
                                .detach_keys = query.get("detachKeys")};
  call.engine.attach().attach(call.part(), options, [&](bool tty) { return call.take_over(tty); });
}

void logs(Call& call) {
  const http::Query& query = call.query();
  engine::LogOptions options;
  options.out = query.boolean("stdout");
  options.err = query.boolean("stderr");
  if (!options.out && !options.err)
    throw Error(ErrorKind::InvalidArgument, "Bad parameters: you must choose at least one stream");
  std::string_view json_type;
  if (call.since(54)) {
    json_type = chosen_json_stream(call.request.headers);
    if (json_type.empty() && query.get("format") == "json") json_type = "application/jsonl";
  }
  if (!json_type.empty())
    options.json_item = [json_type](const Json& item) { return json_stream_item(json_type, item); };
  options.follow = query.boolean("follow");
  options.timestamps = query.boolean("timestamps");
  options.details = query.boolean("details");
  options.since = call.timestamp("since").value_or(0);
  options.until = call.timestamp("until").value_or(0);
  if (auto tail = parse_int<std::int64_t>(query.get("tail")); tail && *tail >= 0) options.tail = *tail;
  call.response.watch_client();
  call.engine.logs().read(
      call.part(), options, [&](bool tty) { return call.begin(json_type.empty() ? call.stream_type(tty) : json_type); },
      call.request.client_gone);
}

void stats(Call& call) {
  engine::StatsOptions options{.stream = call.query().boolean_or("stream", true),
                               .one_shot = call.query().boolean("one-shot")};
  call.response.watch_client();
  call.engine.stats().read(
      call.part(), options, [&] { return call.begin("application/json"); }, call.request.client_gone);
}

std::string archive_path(Call& call) {
  std::string path = call.query().get("path");
  if (path.empty()) throw Error(ErrorKind::InvalidArgument, "bad parameter: path");
  return path;
}

void archive_stat(Call& call) {
  api::PathStat stat = call.engine.archive().stat(call.part(), archive_path(call));
  call.response.headers.set("X-Docker-Container-Path-Stat", api::encode_path_stat(stat));
  call.reply(200);
}

void archive_get(Call& call) {
  call.engine.archive().get(call.part(), archive_path(call), [&](const api::PathStat& stat) {
    call.response.headers.set("X-Docker-Container-Path-Stat", api::encode_path_stat(stat));
    return call.begin("application/x-tar");
  });
}

void archive_put(Call& call) {
  engine::PutArchiveOptions options{.no_overwrite_dir_non_dir = call.query().boolean("noOverwriteDirNonDir"),
                                    .copy_uid_gid = call.query().boolean("copyUIDGID")};
  call.engine.archive().put(call.part(), archive_path(call), options, *call.request.body);
  call.reply(200);
}

void export_root(Call& call) {
  call.engine.archive().export_root(call.part(), [&] { return call.begin("application/octet-stream"); });
}

constexpr Route kRoutes[] = {
    {"POST", "/containers/{*}/attach", attach},      {"GET", "/containers/{*}/logs", logs},
    {"GET", "/containers/{*}/stats", stats},         {"HEAD", "/containers/{*}/archive", archive_stat},
    {"GET", "/containers/{*}/archive", archive_get}, {"PUT", "/containers/{*}/archive", archive_put},
    {"GET", "/containers/{*}/export", export_root},
};

}  // namespace

std::span<const Route> container_stream_routes() { return kRoutes; }

}  // namespace proa::server
