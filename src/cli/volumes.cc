// volume create, ls, rm
#include <algorithm>

#include "api/volumes.h"
#include "base/text.h"
#include "cli/console.h"
#include "cli/create_options.h"
#include "cli/listing_text.h"
#include "cli/table.h"
#include "cli/verbs.h"

namespace proa::cli {

namespace {
constexpr Column kColumns[] = {
    {"Name", "VOLUME NAME"}, {"Driver", "DRIVER"}, {"Scope", "SCOPE"}, {"Mountpoint", "MOUNTPOINT"},
    {"Labels", "LABELS"},    {"Links", "LINKS"},   {"Size", "SIZE"},   {"Availability", "AVAILABILITY"},
    {"Group", "GROUP"},      {"Status", "STATUS"}};
}

int run_volume_create(Call& call) {
  const Flags& flags = call.flags;
  for (const char* cluster : {"availability", "group", "limit-bytes", "required-bytes", "scope", "secret", "sharing",
                              "topology-preferred", "topology-required", "type"}) {
    if (flags.given(cluster))
      throw ExitWith{1, cat("--", cluster, " is for cluster volumes, which Proa does not have")};
  }
  api::VolumeCreateRequest request{call.arguments().empty() ? "" : call.arguments()[0], flags.text("driver"),
                                   key_value_map(flags.list("opt")), key_value_map(flags.list("label"))};
  out_line(json::string_at(call.session.post("/volumes/create", {}, api::to_json(request)), "Name"));
  return 0;
}

int run_volume_list(Call& call) {
  const Flags& flags = call.flags;
  std::string format = flags.on("quiet") && (flags.text("format").empty() || flags.text("format") == "table")
                           ? "{{.Name}}"
                           : flags.text("format");
  if (format == "raw") format = flags.on("quiet") ? "name: {{.Name}}" : "name: {{.Name}}\ndriver: {{.Driver}}\n";
  Listing listing(kColumns, format, "table {{.Driver}}\t{{.Name}}", "*formatter.volumeContext");
  Query query;
  add_filters(query, flags.list("filter"));
  Json reply = call.session.get("/volumes", query);
  std::vector<JsonObject> rows;
  for (const Json& volume : array_of(json::find(reply, "Volumes"))) {
    JsonObject row;
    for (const char* name : {"Name", "Driver", "Scope", "Mountpoint"}) row[name] = json::string_at(volume, name);
    const Json* labels = json::find(volume, "Labels");
    row["Labels"] = labels_text(labels);
    row["\x01labels"] = object_of(labels);
    for (const char* name : {"Links", "Size", "Availability", "Group", "Status"}) row[name] = "N/A";
    rows.push_back(std::move(row));
  }
  std::stable_sort(rows.begin(), rows.end(), [](const JsonObject& a, const JsonObject& b) {
    return a.at("Name").as_string() < b.at("Name").as_string();
  });
  out(listing.render(rows));
  for (const Json& warning : array_of(json::find(reply, "Warnings")))
    if (warning.is_string()) err_line(cat("WARNING: ", std::string_view(warning.get_string())));
  return 0;
}

int run_volume_remove(Call& call) {
  Query query;
  if (call.flags.on("force")) query.emplace_back("force", "1");
  int status = 0;
  for (const std::string& name : call.arguments()) {
    try {
      call.session.erase(cat("/volumes/", path_escape(name)), query);
      out_line(name);
    } catch (const Error& error) {
      err_line(error.message());
      status = 1;
    }
  }
  return status;
}

}  // namespace proa::cli
