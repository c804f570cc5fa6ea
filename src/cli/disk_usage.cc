#include "cli/disk_usage.h"

#include <algorithm>

#include "base/text.h"
#include "base/units.h"
#include "cli/console.h"
#include "cli/listing_text.h"
#include "cli/table.h"
#include "cli/verbs.h"

namespace proa::cli {

namespace {

constexpr Column kColumns[] = {
    {"Type", "TYPE"}, {"TotalCount", "TOTAL"}, {"Active", "ACTIVE"}, {"Size", "SIZE"}, {"Reclaimable", "RECLAIMABLE"}};

struct Usage {
  const char* type;
  std::int64_t total = 0, active = 0, size = 0, reclaimable = 0;
};

JsonObject row_of(const Usage& usage) {
  std::string share = usage.size > 0 ? cat(" (", usage.reclaimable * 100 / usage.size, "%)") : "";
  return {{"Type", usage.type},
          {"TotalCount", cat(usage.total)},
          {"Active", cat(usage.active)},
          {"Size", human_size(static_cast<double>(usage.size))},
          {"Reclaimable", cat(human_size(static_cast<double>(usage.reclaimable)), share)}};
}

// Since 1.52 the objects are below the sum of their kind.
const JsonArray& list_of(const Json& reply, std::string_view list, std::string_view sum) {
  const Json* usage = json::find(reply, sum);
  return array_of(usage ? json::find(*usage, "Items") : json::find(reply, list));
}
const JsonArray& containers_of(const Json& reply) { return list_of(reply, "Containers", "ContainerUsage"); }
const JsonArray& volumes_of(const Json& reply) { return list_of(reply, "Volumes", "VolumeUsage"); }

Usage images_usage(const Json& reply) {
  Usage usage{"Images"};
  std::int64_t used = 0;
  for (const Json& image : images_of_usage(reply)) {
    ++usage.total;
    if (json::int_at(image, "Containers") <= 0) continue;
    ++usage.active;
    std::int64_t shared = std::max<std::int64_t>(0, json::int_at(image, "SharedSize"));
    used += json::int_at(image, "Size") - shared;
  }
  usage.size = layers_size(reply);
  usage.reclaimable = usage.active ? std::max<std::int64_t>(0, usage.size - used) : usage.size;
  return usage;
}

Usage containers_usage(const Json& reply) {
  Usage usage{"Containers"};
  for (const Json& container : containers_of(reply)) {
    ++usage.total;
    std::string state = json::string_at(container, "State");
    bool active = state == "running" || state == "paused" || state == "restarting";
    std::int64_t size = json::int_at(container, "SizeRw");
    usage.active += active;
    usage.size += size;
    if (!active) usage.reclaimable += size;
  }
  return usage;
}

Usage volumes_usage(const Json& reply) {
  Usage usage{"Local Volumes"};
  for (const Json& volume : volumes_of(reply)) {
    ++usage.total;
    const Json* data = json::find(volume, "UsageData");
    if (!data || !data->is_object()) continue;
    std::int64_t size = std::max<std::int64_t>(0, json::int_at(*data, "Size"));
    bool active = json::int_at(*data, "RefCount") > 0;
    usage.active += active;
    usage.size += size;
    if (!active) usage.reclaimable += size;
  }
  return usage;
}

}  // namespace

const JsonArray& images_of_usage(const Json& disk_usage) { return list_of(disk_usage, "Images", "ImageUsage"); }

std::int64_t layers_size(const Json& disk_usage) {
  const Json* sum = json::find(disk_usage, "ImageUsage");
  return sum ? json::int_at(*sum, "TotalSize") : json::int_at(disk_usage, "LayersSize");
}

int run_disk_usage(Call& call) {
  std::string format = call.flags.text("format");
  if (call.flags.on("verbose") && !format.empty()) throw ExitWith{1, "the verbose and the format options conflict"};
  if (format == "raw") {
    format =
        "type: {{.Type}}\ntotal: {{.TotalCount}}\nactive: {{.Active}}\nsize: {{.Size}}\nreclaimable: "
        "{{.Reclaimable}}\n";
  }
  Listing listing(kColumns, format, "table {{.Type}}\t{{.TotalCount}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}",
                  "*formatter.diskUsageContext");
  Json reply = call.session.get("/system/df", {{"verbose", "1"}});
  std::vector<JsonObject> rows = {row_of(images_usage(reply)), row_of(containers_usage(reply)),
                                  row_of(volumes_usage(reply)), row_of(Usage{"Build Cache"})};
  if (!call.flags.on("verbose")) {
    out(listing.render(rows));
    return 0;
  }
  std::string images = "REPOSITORY\tTAG\tIMAGE ID\tCREATED\tSIZE\tSHARED SIZE\tUNIQUE SIZE\tCONTAINERS\n",
              containers = "CONTAINER ID\tIMAGE\tSIZE\tCREATED\tSTATUS\tNAMES\n",
              volumes = "VOLUME NAME\tLINKS\tSIZE\n";
  for (const Json& image : images_of_usage(reply)) {
    const JsonArray& tags = array_of(json::find(image, "RepoTags"));
    auto [repository, tag] = split_tag(
        tags.empty() || !tags[0].is_string() ? "<none>:<none>" : std::string(std::string_view(tags[0].as_string())));
    std::int64_t size = json::int_at(image, "Size"), shared = json::int_at(image, "SharedSize");
    images += cat(repository, "\t", tag, "\t", truncated_id(json::string_at(image, "Id")), "\t",
                  ago(json::int_at(image, "Created")), "\t", size_text(static_cast<double>(size)), "\t",
                  size_text(static_cast<double>(shared)), "\t", size_text(static_cast<double>(size - shared)), "\t",
                  std::max<std::int64_t>(0, json::int_at(image, "Containers")), "\n");
  }
  for (const Json& one : containers_of(reply)) {
    const JsonArray& names = array_of(json::find(one, "Names"));
    containers += cat(truncated_id(json::string_at(one, "Id")), "\t", json::string_at(one, "Image"), "\t",
                      size_text(static_cast<double>(json::int_at(one, "SizeRw"))), "\t",
                      ago(json::int_at(one, "Created")), "\t", json::string_at(one, "Status"), "\t",
                      names.empty() ? "" : std::string_view(names[0].as_string()).substr(1), "\n");
  }
  for (const Json& one : volumes_of(reply)) {
    const Json* data = json::find(one, "UsageData");
    std::int64_t links = data ? json::int_at(*data, "RefCount") : 0, size = data ? json::int_at(*data, "Size") : 0;
    volumes += cat(json::string_at(one, "Name"), "\t", std::max<std::int64_t>(0, links), "\t",
                   human_size(static_cast<double>(std::max<std::int64_t>(0, size))), "\n");
  }
  out(cat("Images space usage:\n\n", align_tabs(images), "\nContainers space usage:\n\n", align_tabs(containers),
          "\nLocal Volumes space usage:\n\n", align_tabs(volumes)));
  return 0;
}

}  // namespace proa::cli
