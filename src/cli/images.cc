// images, rmi, tag, history
#include <algorithm>

#include "base/text.h"
#include "base/time.h"
#include "base/units.h"
#include "cli/console.h"
#include "cli/listing_text.h"
#include "cli/platform.h"
#include "cli/table.h"
#include "cli/verbs.h"
#include "oci/reference.h"

namespace proa::cli {

namespace {

constexpr Column kColumns[] = {{"ID", "IMAGE ID"},
                               {"Repository", "REPOSITORY"},
                               {"Tag", "TAG"},
                               {"Digest", "DIGEST"},
                               {"CreatedSince", "CREATED"},
                               {"CreatedAt", "CREATED AT"},
                               {"Size", "SIZE"},
                               {"Containers", "CONTAINERS"},
                               {"VirtualSize", "SIZE"},
                               {"SharedSize", "SHARED SIZE"},
                               {"UniqueSize", "UNIQUE SIZE"}};
constexpr Column kHistoryColumns[] = {
    {"ID", "IMAGE"},  {"CreatedSince", "CREATED"}, {"CreatedAt", "CREATED AT"}, {"CreatedBy", "CREATED BY"},
    {"Size", "SIZE"}, {"Comment", "COMMENT"}};
constexpr const char* kNone = "<none>";

struct Name {
  std::string repository, tag, digest;
};

// One row per tag (and per digest where digests are shown), as docker does it.
std::vector<Name> names_of(const Json& image, bool digests) {
  std::vector<Name> names;
  std::map<std::string, std::vector<std::string>> by_repository, left;
  for (const Json& one : array_of(json::find(image, "RepoDigests"))) {
    auto [repository, digest] = cut(std::string_view(one.as_string()), '@');
    if (repository != kNone) by_repository[std::string(repository)].push_back(std::string(digest.value_or("")));
  }
  left = by_repository;
  for (const Json& one : array_of(json::find(image, "RepoTags"))) {
    auto [repository, tag] = split_tag(std::string(std::string_view(one.as_string())));
    if (repository == kNone) continue;
    left.erase(repository);
    if (!digests || by_repository[repository].empty()) {
      names.push_back({repository, tag, kNone});
    } else {
      for (const std::string& digest : by_repository[repository]) names.push_back({repository, tag, digest});
    }
  }
  for (const auto& [repository, list] : left) {
    for (const std::string& digest : list) {
      names.push_back({repository, kNone, digest});
      if (!digests) break;
    }
  }
  if (names.empty()) names.push_back({kNone, kNone, kNone});
  return names;
}

std::string raw_format(bool quiet, bool digests) {
  if (quiet) return "image_id: {{.ID}}";
  return cat("repository: {{.Repository}}\ntag: {{.Tag}}\n", digests ? "digest: {{.Digest}}\n" : "",
             "image_id: {{.ID}}\ncreated_at: {{.CreatedAt}}\nvirtual_size: {{.Size}}\n");
}

}  // namespace

int run_images(Call& call) {
  const Flags& flags = call.flags;
  bool digests = flags.on("digests"), truncate = !flags.on("no-trunc");
  std::string table = digests ? "table {{.Repository}}\t{{.Tag}}\t{{.Digest}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}"
                              : "table {{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}";
  std::string format = flags.text("format");
  if (flags.on("quiet") && (format.empty() || format.starts_with("table"))) format = "{{.ID}}";
  if (format == "raw") format = raw_format(flags.on("quiet"), digests);
  Listing listing(kColumns, format, table, "*formatter.imageContext");
  Query query;
  if (flags.on("all")) query.emplace_back("all", "1");
  std::vector<std::string> filters = flags.list("filter");
  if (!call.arguments().empty()) filters.push_back(cat("reference=", call.arguments()[0]));
  add_filters(query, filters);
  Json reply = call.session.get("/images/json", query);
  std::vector<JsonObject> rows;
  for (const Json& image : array_of(&reply)) {
    std::string id = json::string_at(image, "Id");
    std::int64_t created = json::int_at(image, "Created"), containers = json::int_at(image, "Containers");
    for (const Name& name : names_of(image, digests || listing.mentions("Digest"))) {
      JsonObject row;
      row["ID"] = truncate ? truncated_id(id) : id;
      row["Repository"] = name.repository, row["Tag"] = name.tag, row["Digest"] = name.digest;
      row["CreatedSince"] = created > 0 ? ago(created) : "N/A";
      row["CreatedAt"] = created_at(created);
      auto size = static_cast<double>(json::int_at(image, "Size"));
      row["Size"] = size_text(size);
      row["VirtualSize"] = human_size(size);
      row["Containers"] = containers < 0 ? "N/A" : cat(containers);
      row["SharedSize"] = row["UniqueSize"] = "N/A";
      rows.push_back(std::move(row));
    }
  }
  out(listing.render(rows));
  return 0;
}

int run_remove_image(Call& call) {
  Query query;
  if (call.flags.on("force")) query.emplace_back("force", "1");
  if (call.flags.on("no-prune")) query.emplace_back("noprune", "1");
  for (const std::string& platform : call.flags.list("platform"))
    query.emplace_back("platforms", platform_json(platform));
  int status = 0;
  for (const std::string& name : call.arguments()) {
    try {
      Json removed = call.session.erase(cat("/images/", replace_all(path_escape(name), "%2F", "/")), query);
      for (const Json& item : array_of(&removed)) {
        std::string deleted = json::string_at(item, "Deleted");
        out_line(deleted.empty() ? cat("Untagged: ", json::string_at(item, "Untagged")) : cat("Deleted: ", deleted));
      }
    } catch (const Error& error) {
      err_line(error.message());
      if (!call.flags.on("force") || error.kind() != ErrorKind::NotFound) status = 1;
    }
  }
  return status;
}

int run_tag(Call& call) {
  const std::string &source = call.arguments()[0], &target = call.arguments()[1];
  oci::Reference reference;
  try {
    reference = oci::Reference::parse(target);
  } catch (const Error& error) {
    throw ExitWith{
        1, cat("Error parsing reference: ", quoted(target), " is not a valid repository/tag: ", error.message())};
  }
  if (reference.has_digest()) throw ExitWith{1, "refusing to create a tag with a digest reference"};
  reference = reference.with_default_tag();
  call.session.post(cat("/images/", replace_all(path_escape(source), "%2F", "/"), "/tag"),
                    {{"repo", reference.familiar_name()}, {"tag", reference.tag}});
  return 0;
}

int run_history(Call& call) {
  const Flags& flags = call.flags;
  bool truncate = !flags.on("no-trunc"), human = flags.on("human");
  std::string format = flags.on("quiet") && flags.text("format").empty() ? "{{.ID}}" : flags.text("format");
  std::string table = human ? "table {{.ID}}\t{{.CreatedSince}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}"
                            : "table {{.ID}}\t{{.CreatedAt}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}";
  Listing listing(kHistoryColumns, format, table, "*formatter.historyContext");
  Query query;
  add_platform(query, flags);
  Json reply =
      call.session.get(cat("/images/", replace_all(path_escape(call.arguments()[0]), "%2F", "/"), "/history"), query);
  std::vector<JsonObject> rows;
  for (const Json& layer : array_of(&reply)) {
    JsonObject row;
    std::string id = json::string_at(layer, "Id"), by = replace_all(json::string_at(layer, "CreatedBy"), "\t", " ");
    std::int64_t created = json::int_at(layer, "Created"), size = json::int_at(layer, "Size");
    row["ID"] = truncate && id != "<missing>" ? truncated_id(id) : id;
    row["CreatedSince"] = created > 0 ? ago(created) : "N/A";
    std::string at = format_rfc3339(created * kSecond);
    row["CreatedAt"] = at;
    row["CreatedBy"] = truncate ? ellipsis(by, 45) : by;
    row["Size"] = human ? size_text(static_cast<double>(size)) : cat(size);
    row["Comment"] = json::string_at(layer, "Comment");
    rows.push_back(std::move(row));
  }
  out(listing.render(rows));
  return 0;
}

}  // namespace proa::cli
