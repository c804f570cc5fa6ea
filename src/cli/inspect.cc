#include "cli/inspect.h"

#include "base/text.h"
#include "cli/console.h"
#include "cli/platform.h"
#include "cli/table.h"
#include "cli/verbs.h"

namespace proa::cli {

namespace {

struct Source {
  const char* type;
  std::string (*path)(const std::string& name);
};

std::string container_json(const std::string& name) { return container_path(name, "json"); }
// Slashes belong to the name of an image.
std::string image_json(const std::string& name) {
  return cat("/images/", replace_all(path_escape(name), "%2F", "/"), "/json");
}
std::string network_json(const std::string& name) { return cat("/networks/", path_escape(name)); }
std::string volume_json(const std::string& name) { return cat("/volumes/", path_escape(name)); }

constexpr Source kSources[] = {
    {"container", container_json}, {"image", image_json}, {"network", network_json}, {"volume", volume_json}};

Finder finder_of(Call& call, const char* type, bool typed = true) {
  for (const Source& source : kSources) {
    if (std::string_view(type) != source.type) continue;
    bool container = std::string_view(type) == "container", size = container && call.flags.on("size");
    Query query = size ? Query{{"size", "1"}} : Query{};
    if (std::string_view(type) == "image" && typed) add_platform(query, call.flags);
    return [&call, source, container, query, typed](const std::string& name) -> std::optional<Json> {
      if (name.empty()) return std::nullopt;
      if (container) call.session.speak_own_version();  // with the addresses of its first network
      // Asked for one kind, the daemon's own words say what is missing.
      return typed ? std::optional<Json>(call.session.get(source.path(name), query))
                   : call.session.find(source.path(name), query);
    };
  }
  return nullptr;
}

}  // namespace

int inspect_each(Call& call, const Finder& find, const std::function<std::string(const std::string&)>& missing) {
  std::string format = call.flags.text("format");
  JsonArray found;
  std::vector<std::string> errors;
  std::string shown;
  std::optional<Template> text;
  if (!format.empty() && format != "json") {
    try {
      text.emplace(unescape_format(format));
    } catch (const Error& error) {
      throw ExitWith{64, cat("template parsing error: ", error.message())};
    }
  }
  for (const std::string& name : call.arguments()) {
    try {
      std::optional<Json> object = find(name);
      if (!object) {
        errors.push_back(missing(name));
        continue;
      }
      if (text)
        shown += text->execute(*object, {.strict = true}) + "\n";
      else if (format == "json")
        shown += json::text(*object) + "\n";
      else
        found.push_back(std::move(*object));
    } catch (const Error& error) {
      bool of_template = error.message().starts_with("template: ");
      errors.push_back(of_template ? cat("template parsing error: ", error.message()) : error.message());
    }
  }
  if (format.empty()) shown = found.empty() ? "[]\n" : json::pretty(Json(std::move(found)), "    ") + "\n";
  if (!format.empty() && shown.empty() && !errors.empty()) shown = "\n";
  out(shown);
  if (!errors.empty()) err_line(join(errors, "\n"));
  return errors.empty() ? 0 : 1;
}

int run_inspect(Call& call) {
  std::string type = call.flags.text("type");
  if (call.flags.given("type") && type.empty())
    throw ExitWith{1, "type is empty: must be one of \"container\", \"image\", \"network\", \"volume\""};
  if (!type.empty()) {
    Finder find = finder_of(call, type.c_str());
    if (!find)
      throw ExitWith{
          1, cat("unknown type: ", quoted(type), ": must be one of \"container\", \"image\", \"network\", \"volume\"")};
    return inspect_each(call, find, [&](const std::string& name) { return cat("error: no such ", type, ": ", name); });
  }
  auto find_any = [&](const std::string& name) -> std::optional<Json> {
    for (const Source& source : kSources) {
      auto object = finder_of(call, source.type, false)(name);
      if (object && call.flags.on("size") && std::string_view(source.type) != "container")
        err_line(cat("WARNING: --size ignored for ", source.type));
      if (object) return object;
    }
    return std::nullopt;
  };
  return inspect_each(call, find_any, [](const std::string& name) { return cat("Error: No such object: ", name); });
}

namespace {
int inspect_typed(Call& call, const char* type) {
  return inspect_each(call, finder_of(call, type),
                      [&](const std::string& name) { return cat("error: no such ", type, ": ", name); });
}
}  // namespace

int run_container_inspect(Call& call) { return inspect_typed(call, "container"); }
int run_image_inspect(Call& call) { return inspect_typed(call, "image"); }
int run_network_inspect(Call& call) { return inspect_typed(call, "network"); }
int run_volume_inspect(Call& call) { return inspect_typed(call, "volume"); }

}  // namespace proa::cli
