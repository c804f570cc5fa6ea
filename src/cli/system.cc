// version, info, events
#include "base/text.h"
#include "base/time.h"
#include "base/units.h"
#include "cli/console.h"
#include "cli/listing_text.h"
#include "cli/table.h"
#include "cli/verbs.h"

namespace proa::cli {

namespace {

JsonObject client_version() {
  std::string api = client::kVersion.text();
  return {{"Version", PROA_VERSION}, {"ApiVersion", api}, {"DefaultAPIVersion", api},
          {"Os", "linux"},           {"Arch", "amd64"},   {"Context", "default"}};
}

std::string padded(std::string_view name, std::size_t width) {
  return cat(name, ":", std::string(width - std::min(width, name.size() + 1), ' '));
}

std::string server_version_text(const Json& server) {
  auto text = [&](const char* name) { return json::string_at(server, name); };
  std::string platform = json::find(server, "Platform") ? json::string_at(*json::find(server, "Platform"), "Name") : "";
  std::string out = cat("\nServer:", platform.empty() ? "" : " ", platform, "\n");
  const JsonArray& components = array_of(json::find(server, "Components"));
  for (const Json& component : components) {
    bool engine = json::string_at(component, "Name") == "Engine";
    out += cat(" ", json::string_at(component, "Name"), ":\n  ", padded("Version", 18),
               json::string_at(component, "Version"), "\n");
    JsonObject details = object_of(json::find(component, "Details"));
    auto detail = [&](const char* name) {
      return details.contains(name) && details[name].is_string()
                 ? std::string(std::string_view(details[name].as_string()))
                 : std::string();
    };
    if (engine) {
      out += cat("  ", padded("API version", 18), detail("ApiVersion"), " (minimum version ", detail("MinAPIVersion"),
                 ")\n");
      if (!detail("GoVersion").empty()) out += cat("  ", padded("Go version", 18), detail("GoVersion"), "\n");
      out += cat("  ", padded("Git commit", 18), detail("GitCommit"), "\n  ", padded("Built", 18), detail("BuildTime"),
                 "\n  ", padded("OS/Arch", 18), detail("Os"), "/", detail("Arch"), "\n  ", padded("Experimental", 18),
                 detail("Experimental"), "\n");
    } else {
      for (const auto& [name, value] : details)
        if (value.is_string())
          out += cat("  ", padded(std::string_view(name), 18), std::string_view(value.as_string()), "\n");
    }
  }
  if (components.empty())
    out += cat(" Engine:\n  ", padded("Version", 18), text("Version"), "\n  ", padded("API version", 18),
               text("ApiVersion"), "\n");
  return out;
}

std::string joined(const Json* list) {
  std::vector<std::string> words;
  for (const Json& one : array_of(list))
    if (one.is_string()) words.emplace_back(std::string_view(one.as_string()));
  return join(words, " ");
}

std::string plugins_text(const Json& plugins) {
  std::string out = cat(" Plugins:\n  Volume: ", joined(json::find(plugins, "Volume")),
                        "\n  Network: ", joined(json::find(plugins, "Network")), "\n");
  if (std::string logs = joined(json::find(plugins, "Log")); !logs.empty()) out += cat("  Log: ", logs, "\n");
  return out;
}

std::string security_text(const JsonArray& options) {
  std::string out = options.empty() ? "" : " Security Options:\n";
  for (const Json& option : options) {
    for (const std::string& field : split(std::string_view(option.as_string()), ',')) {
      auto [key, value] = cut(field, '=');
      if (key == "name")
        out += cat("  ", value.value_or(""), "\n");
      else
        out += cat("   ", key == "profile" ? "Profile" : key, ": ", value.value_or(""), "\n");
    }
  }
  return out;
}

std::string info_text(const Json& info) {
  std::string out;
  auto line = [&](std::string_view name, std::string value) { out += cat(" ", name, ": ", value, "\n"); };
  auto text = [&](std::string_view name, const char* key) { line(name, json::string_at(info, key)); };
  auto number = [&](std::string_view name, const char* key) { line(name, cat(json::int_at(info, key))); };
  auto flag = [&](std::string_view name, const char* key) { line(name, cat(json::bool_at(info, key))); };
  number("Containers", "Containers");
  out += cat("  Running: ", json::int_at(info, "ContainersRunning"),
             "\n  Paused: ", json::int_at(info, "ContainersPaused"),
             "\n  Stopped: ", json::int_at(info, "ContainersStopped"), "\n");
  number("Images", "Images");
  text("Server Version", "ServerVersion");
  text("Storage Driver", "Driver");
  for (const Json& pair : array_of(json::find(info, "DriverStatus"))) {
    const JsonArray& words = array_of(&pair);
    if (words.size() == 2 && words[0].is_string() && words[1].is_string())
      out += cat("  ", std::string_view(words[0].as_string()), ": ", std::string_view(words[1].as_string()), "\n");
  }
  text("Logging Driver", "LoggingDriver");
  text("Cgroup Driver", "CgroupDriver");
  if (!json::string_at(info, "CgroupVersion").empty()) text("Cgroup Version", "CgroupVersion");
  if (const Json* plugins = json::find(info, "Plugins")) out += plugins_text(*plugins);
  if (const Json* swarm = json::find(info, "Swarm")) line("Swarm", json::string_at(*swarm, "LocalNodeState"));
  std::vector<std::string> runtimes;
  for (const auto& [name, value] : object_of(json::find(info, "Runtimes"))) runtimes.emplace_back(name);
  if (!runtimes.empty()) line("Runtimes", join(runtimes, " "));
  if (!json::string_at(info, "DefaultRuntime").empty()) text("Default Runtime", "DefaultRuntime");
  if (!json::string_at(info, "InitBinary").empty()) text("Init Binary", "InitBinary");
  out += security_text(array_of(json::find(info, "SecurityOptions")));
  text("Kernel Version", "KernelVersion"), text("Operating System", "OperatingSystem"), text("OSType", "OSType"),
      text("Architecture", "Architecture");
  number("CPUs", "NCPU");
  line("Total Memory", binary_size(static_cast<double>(json::int_at(info, "MemTotal"))));
  text("Name", "Name"), text("ID", "ID");
  text("Docker Root Dir", "DockerRootDir");
  flag("Debug Mode", "Debug");
  if (const JsonArray& labels = array_of(json::find(info, "Labels")); !labels.empty()) {
    out += " Labels:\n";
    for (const Json& label : labels) out += cat("  ", std::string_view(label.as_string()), "\n");
  }
  flag("Experimental", "ExperimentalBuild");
  if (const Json* registry = json::find(info, "RegistryConfig")) {
    out += " Insecure Registries:\n";
    for (const Json& net : array_of(json::find(*registry, "InsecureRegistryCIDRs")))
      out += cat("  ", std::string_view(net.as_string()), "\n");
  }
  flag("Live Restore Enabled", "LiveRestoreEnabled");
  for (const Json& warning : array_of(json::find(info, "Warnings")))
    if (warning.is_string()) err_line(std::string_view(warning.as_string()));
  return out + "\n";
}

std::string event_text(const Json& event) {
  std::int64_t nanos = json::int_at(event, "timeNano");
  if (nanos == 0) nanos = json::int_at(event, "time") * kSecond;
  std::string text =
      cat(format_rfc3339_fixed(nanos), " ", json::string_at(event, "Type"), " ", json::string_at(event, "Action"));
  const Json* actor = json::find(event, "Actor");
  if (!actor) return text;
  text += cat(" ", json::string_at(*actor, "ID"));
  std::string attributes = replace_all(labels_text(json::find(*actor, "Attributes")), ",", ", ");
  return attributes.empty() ? text : cat(text, " (", attributes, ")");
}

Template events_template(const std::string& format) {
  try {
    return Template(unescape_format(format));
  } catch (const Error& error) {
    throw ExitWith{64, cat("Error parsing format: ", error.message())};
  }
}

std::string event_by_template(const Template& text, Json event) {
  for (const char* old : {"Status", "ID", "From"}) {
    if (JsonObject& object = event.as_object(); text.mentions(old)) object.emplace(to_lower(old), "");
  }
  try {
    return text.execute(event, {.type = "*events.Message"});
  } catch (const Error& error) {
    throw ExitWith{64, cat("Error parsing format: ", error.message())};
  }
}

}  // namespace

int run_version(Call& call) {
  std::string format = call.flags.text("format");
  Json server;
  std::string failure;
  try {
    server = call.session.get("/version");
  } catch (const Error& error) {
    failure = error.message();
  }
  if (!format.empty()) {
    out(render_object(format, JsonObject{{"Client", client_version()}, {"Server", server}}));
  } else {
    out(cat("Client: Proa\n ", padded("Version", 19), PROA_VERSION, "\n ", padded("API version", 19),
            client::kVersion.text(), "\n ", padded("OS/Arch", 19), "linux/amd64\n ", padded("Context", 19), "default\n",
            failure.empty() ? server_version_text(server) : ""));
  }
  if (failure.empty()) return 0;
  throw ExitWith{1, failure};
}

int run_info(Call& call) {
  std::string format = call.flags.text("format");
  std::string head = cat("Client: Proa\n Version:    ", PROA_VERSION,
                         "\n Context:    default\n Debug Mode: ", call.session.options().debug, "\n\nServer:\n");
  Json info;
  try {
    info = call.session.get("/info");
  } catch (const Error& error) {
    if (format.empty()) out(head);
    throw ExitWith{1, error.message()};
  }
  out(format.empty() ? head + info_text(info) : render_object(format, info));
  return 0;
}

int run_events(Call& call) {
  const Flags& flags = call.flags;
  StreamRequest request;
  request.path = "/events";
  Query query;
  for (const char* name : {"since", "until"}) {
    std::string value = flags.text(name);
    if (value.empty()) continue;
    auto time = parse_timestamp(value, now());
    if (!time)
      throw ExitWith{
          1, cat("invalid value for \"", name, "\": failed to parse value as time or duration: ", quoted(value))};
    std::string nanos = cat(*time % kSecond);
    query.emplace_back(name,
                       cat(*time / kSecond, ".", std::string(9 - std::min<std::size_t>(9, nanos.size()), '0'), nanos));
  }
  add_filters(query, flags.list("filter"));
  request.query = to_query(query);
  std::string format = flags.text("format");
  std::optional<Template> text;
  if (!format.empty() && format != "json") text.emplace(events_template(format));
  call.session.speak_own_version();  // newer versions lack the status, id and from that templates may name
  call.session.documents(request, [&](const Json& event) {
    out_line(text ? event_by_template(*text, event) : format == "json" ? json::text(event) : event_text(event));
    return true;
  });
  return 0;
}

}  // namespace proa::cli
