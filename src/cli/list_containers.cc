// ps
#include <algorithm>

#include "base/text.h"
#include "cli/console.h"
#include "cli/listing_text.h"
#include "cli/table.h"
#include "cli/verbs.h"

namespace proa::cli {

namespace {

constexpr Column kColumns[] = {{"ID", "CONTAINER ID"},
                               {"Names", "NAMES"},
                               {"Image", "IMAGE"},
                               {"Command", "COMMAND"},
                               {"CreatedAt", "CREATED AT"},
                               {"RunningFor", "CREATED"},
                               {"Ports", "PORTS"},
                               {"State", "STATE"},
                               {"Status", "STATUS"},
                               {"Size", "SIZE"},
                               {"Labels", "LABELS"},
                               {"Mounts", "MOUNTS"},
                               {"LocalVolumes", "LOCAL VOLUMES"},
                               {"Networks", "NETWORKS"},
                               {"Platform", "PLATFORM"},
                               {"HealthStatus", "HEALTH STATUS"}};

std::string names_text(const Json* names, bool truncate) {
  std::vector<std::string> shown;
  for (const Json& name : array_of(names)) {
    std::string text(name.is_string() ? std::string_view(name.get_string()) : "");
    if (text.starts_with('/')) text.erase(0, 1);
    if (truncate && text.find('/') != std::string::npos) continue;  // a link's name
    shown.push_back(text);
  }
  return join(shown, ",");
}

std::string image_text(const Json& container, bool truncate) {
  std::string image = json::string_at(container, "Image");
  if (image.empty()) return "<no image>";
  if (!truncate) return image;
  std::string id = json::string_at(container, "ImageID");
  if (truncated_id(id) == truncated_id(image) || image == id) return truncated_id(image);
  std::size_t digest = image.find('@');
  return digest != std::string::npos && image.find(':') < digest ? image.substr(0, digest) : image;
}

std::string mounts_text(const Json* mounts, bool truncate, std::int64_t& local_volumes) {
  std::vector<std::string> shown;
  for (const Json& mount : array_of(mounts)) {
    std::string name = json::string_at(mount, "Name");
    if (json::string_at(mount, "Driver") == "local") ++local_volumes;
    if (name.empty()) name = json::string_at(mount, "Source");
    shown.push_back(truncate ? ellipsis(name, 15) : name);
  }
  return join(shown, ",");
}

JsonObject row_of(const Json& container, bool truncate) {
  JsonObject row;
  std::string id = json::string_at(container, "Id"), status = json::string_at(container, "Status");
  row["ID"] = truncate ? truncated_id(id) : id;
  row["Names"] = names_text(json::find(container, "Names"), truncate);
  row["Image"] = image_text(container, truncate);
  std::string command = json::string_at(container, "Command");
  row["Command"] = quoted(truncate ? ellipsis(command, 20) : command);
  std::int64_t created = json::int_at(container, "Created"), volumes = 0;
  row["CreatedAt"] = created_at(created);
  row["RunningFor"] = ago(created);
  row["Ports"] = ports_text(json::find(container, "Ports"));
  row["Platform"] = nullptr;
  row["State"] = json::string_at(container, "State");
  row["Status"] = status;
  std::string size = size_text(static_cast<double>(json::int_at(container, "SizeRw")));
  std::int64_t root = json::int_at(container, "SizeRootFs");
  row["Size"] = root > 0 ? cat(size, " (virtual ", size_text(static_cast<double>(root)), ")") : size;
  const Json* labels = json::find(container, "Labels");
  row["Labels"] = labels_text(labels);
  row["\x01labels"] = object_of(labels);
  row["Mounts"] = mounts_text(json::find(container, "Mounts"), truncate, volumes);
  row["LocalVolumes"] = cat(volumes);
  std::vector<std::string> networks;
  const Json* settings = json::find(container, "NetworkSettings");
  for (const auto& [name, endpoint] : object_of(settings ? json::find(*settings, "Networks") : nullptr))
    networks.emplace_back(name);
  std::sort(networks.begin(), networks.end());
  row["Networks"] = join(networks, ",");
  return row;
}

std::string raw_format(bool size) {
  return cat(
      "container_id: {{.ID}}\nimage: {{.Image}}\ncommand: {{.Command}}\ncreated_at: {{.CreatedAt}}\n"
      "state:{{pad .State 1 0}}\nstatus:{{pad .Status 1 0}}\nnames: {{.Names}}\nlabels:{{pad .Labels 1 0}}\n"
      "ports:{{pad .Ports 1 0}}\n",
      size ? "size: {{.Size}}\n" : "");
}

}  // namespace

int run_list(Call& call) {
  const Flags& flags = call.flags;
  std::string table = "table {{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}";
  bool size = flags.on("size");
  if (size) table += "\t{{.Size}}";
  std::string format = flags.text("format");
  if (flags.on("quiet")) {
    if (!format.empty()) err_line("WARNING: Ignoring custom format, because both --format and --quiet are set.");
    format = format == "raw" ? "container_id: {{.ID}}" : "{{.ID}}";
  } else if (format == "raw") {
    format = raw_format(size);
  }
  Listing listing(kColumns, format, table, "*formatter.ContainerContext");
  Query query;
  std::int64_t last = flags.number("last");
  if (flags.on("latest") && last == -1) last = 1;
  if (flags.on("all")) query.emplace_back("all", "1");
  if (last > 0) query.emplace_back("limit", cat(last));
  if (size || (!format.empty() && !format.starts_with("json") &&
               (listing.mentions("Size") || format.find("json .") != std::string::npos)))
    query.emplace_back("size", "1");
  add_filters(query, flags.list("filter"));
  Json reply = call.session.get("/containers/json", query);
  std::vector<JsonObject> rows;
  for (const Json& container : array_of(&reply)) rows.push_back(row_of(container, !flags.on("no-trunc")));
  out(listing.render(rows));
  return 0;
}

}  // namespace proa::cli
