// container, image, network, volume and system prune
#include "base/text.h"
#include "base/units.h"
#include "cli/console.h"
#include "cli/listing_text.h"
#include "cli/verbs.h"

namespace proa::cli {

namespace {

constexpr const char* kQuestion = "\nAre you sure you want to continue? [y/N] ";

struct Pruned {
  std::string text;  // what was deleted, for people
  std::int64_t reclaimed = 0;
};

Pruned prune(Session& session, std::string_view what, std::string_view list, std::string_view title,
             const Query& query) {
  Json reply = session.post(cat("/", what, "/prune"), query);
  Pruned pruned;
  pruned.reclaimed = json::int_at(reply, "SpaceReclaimed");
  for (const Json& item : array_of(json::find(reply, list))) {
    if (item.is_string()) {
      pruned.text += cat(std::string_view(item.as_string()), "\n");
    } else if (std::string untagged = json::string_at(item, "Untagged"); !untagged.empty()) {
      pruned.text += cat("untagged: ", untagged, "\n");
    } else {
      pruned.text += cat("deleted: ", json::string_at(item, "Deleted"), "\n");
    }
  }
  if (!pruned.text.empty()) pruned.text = cat(title, ":\n", pruned.text, "\n");
  return pruned;
}

int prune_one(Call& call, std::string_view warning, std::string_view what, std::string_view list,
              std::string_view title, std::vector<std::string> filters = {}) {
  if (!call.flags.on("force") && !confirm(cat("WARNING! ", warning, kQuestion))) return 0;
  Query query;
  filters.insert(filters.end(), call.flags.list("filter").begin(), call.flags.list("filter").end());
  add_filters(query, filters);
  Pruned pruned = prune(call.session, what, list, title, query);
  out(pruned.text);
  if (what != "networks") out_line(cat("Total reclaimed space: ", human_size(static_cast<double>(pruned.reclaimed))));
  return 0;
}

}  // namespace

int run_container_prune(Call& call) {
  return prune_one(call, "This will remove all stopped containers.", "containers", "ContainersDeleted",
                   "Deleted Containers");
}

int run_image_prune(Call& call) {
  bool all = call.flags.on("all");
  return prune_one(call,
                   all ? "This will remove all images without at least one container associated to them."
                       : "This will remove all dangling images.",
                   "images", "ImagesDeleted", "Deleted Images", {cat("dangling=", !all)});
}

int run_network_prune(Call& call) {
  return prune_one(call, "This will remove all custom networks not used by at least one container.", "networks",
                   "NetworksDeleted", "Deleted Networks");
}

int run_volume_prune(Call& call) {
  bool all = call.flags.on("all");
  return prune_one(call,
                   all ? "This will remove all local volumes not used by at least one container."
                       : "This will remove anonymous local volumes not used by at least one container.",
                   "volumes", "VolumesDeleted", "Deleted Volumes",
                   all ? std::vector<std::string>{"all=1"} : std::vector<std::string>{});
}

int run_system_prune(Call& call) {
  bool all = call.flags.on("all"), volumes = call.flags.on("volumes");
  std::string warning =
      "WARNING! This will remove:\n  - all stopped containers\n  - all networks not used by at least one container\n";
  if (volumes) warning += "  - all anonymous volumes not used by at least one container\n";
  warning += all ? "  - all images without at least one container associated to them\n" : "  - all dangling images\n";
  if (!call.flags.on("force") && !confirm(cat(warning, kQuestion))) return 0;
  Query query, image_query;
  add_filters(query, call.flags.list("filter"));
  std::vector<std::string> filters = call.flags.list("filter");
  filters.push_back(cat("dangling=", !all));
  add_filters(image_query, filters);
  Pruned parts[4];
  parts[0] = prune(call.session, "containers", "ContainersDeleted", "Deleted Containers", query);
  parts[1] = prune(call.session, "networks", "NetworksDeleted", "Deleted Networks", query);
  if (volumes) parts[2] = prune(call.session, "volumes", "VolumesDeleted", "Deleted Volumes", query);
  parts[3] = prune(call.session, "images", "ImagesDeleted", "Deleted Images", image_query);
  std::int64_t reclaimed = 0;
  for (const Pruned& part : parts) out(part.text), reclaimed += part.reclaimed;
  out_line(cat("Total reclaimed space: ", human_size(static_cast<double>(reclaimed))));
  return 0;
}

}  // namespace proa::cli
