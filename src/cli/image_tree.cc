// image tree
#include "base/text.h"
#include "base/units.h"
#include "cli/console.h"
#include "cli/listing_text.h"
#include "cli/verbs.h"

namespace proa::cli {

namespace {

std::string size_at(const Json& value, std::string_view key) {
  return human_size(static_cast<double>(json::int_at(value, key)));
}

std::string layer_line(const Json& layer) {
  std::string type = json::string_at(layer, "MediaType");
  if (!type.empty())
    return cat(truncated_id(json::string_at(layer, "Digest")), "  ", size_at(layer, "Size"), "  ", type);
  std::string line = cat(truncated_id(json::string_at(layer, "DiffID")), "  ", size_at(layer, "Size"));
  if (json::find(layer, "Compressed")) line += cat(" (", size_at(layer, "Compressed"), " compressed)");
  std::vector<std::string> others;
  for (const Json& name : array_of(json::find(layer, "SharedWith")))
    others.emplace_back(std::string_view(name.as_string()));
  if (!others.empty()) line += cat("  shared with ", join(others, ", "));
  return line;
}

void print_layer(const Json& layer, bool last, bool whole) {
  out_line(cat(last ? "└── " : "├── ", layer_line(layer)));
  std::string indent = last ? "    " : "│   ";
  std::string by = replace_all(json::string_at(layer, "CreatedBy"), "\n", " ");
  if (!by.empty()) out_line(cat(indent, "  ", whole ? by : ellipsis(by, 70)));
  const Json* files = json::find(layer, "Files");
  const JsonArray& largest = array_of(files ? json::find(*files, "Largest") : nullptr);
  auto more = files ? json::int_at(*files, "Count") - static_cast<std::int64_t>(largest.size()) : 0;
  for (std::size_t i = 0; i < largest.size(); ++i) {
    bool end = i + 1 == largest.size() && more <= 0;
    out_line(
        cat(indent, end ? "└── " : "├── ", json::string_at(largest[i], "Path"), "  ", size_at(largest[i], "Size")));
  }
  if (more > 0)
    out_line(cat(indent, "└── ", largest.empty() ? "" : "and ", more, more == 1 ? " file" : " files",
                 largest.empty() ? ""
                 : more == 1     ? " that is smaller"
                                 : " that are smaller"));
}

}  // namespace

int run_image_tree(Call& call) {
  const Flags& flags = call.flags;
  std::string format = flags.text("format");
  if (!format.empty() && format != "json") throw ExitWith{1, cat("unknown format ", quoted(format), ": use json")};
  Query query;
  if (flags.given("files")) query.emplace_back("files", flags.text("files"));
  Json tree =
      call.session.get(cat("/proa/images/", replace_all(path_escape(call.arguments()[0]), "%2F", "/"), "/tree"), query);
  if (format == "json") {
    out_line(json::text(tree));
    return 0;
  }
  std::vector<std::string> names;
  for (const Json& name : array_of(json::find(tree, "RepoTags")))
    names.emplace_back(std::string_view(name.as_string()));
  std::string artifact = json::string_at(tree, "ArtifactType");
  out_line(cat(names.empty() ? "<none>" : join(names, ", "), "  ", truncated_id(json::string_at(tree, "Id")), "  ",
               artifact.empty() ? json::string_at(tree, "Platform") : cat("artifact ", artifact), "  ",
               size_at(tree, "Size"),
               json::int_at(tree, "SharedSize") > 0 ? cat(", of it ", size_at(tree, "SharedSize"), " shared") : ""));
  const JsonArray& layers = array_of(json::find(tree, "Layers"));
  for (std::size_t i = 0; i < layers.size(); ++i) print_layer(layers[i], i + 1 == layers.size(), flags.on("no-trunc"));
  return 0;
}

}  // namespace proa::cli
