#include <algorithm>
#include <map>

#include "base/text.h"
#include "base/units.h"
#include "cli/explain.h"

namespace proa::cli {

namespace {

struct Label {
  std::string_view name, words;
};
// What each step means to somebody who does not know the rooms.
constexpr Label kLabels[] = {
    {"client.arguments", "command line read, request written"},
    {"client.pause", "the client was between two requests"},
    {"client.end", "exit reported, streams drained, command ended"},
    {"container.run", "the container's program ran"},
    {"engine.create", "container created"},
    {"engine.image", "image found"},
    {"engine.prepare", "directories and record prepared"},
    {"engine.commit", "record written"},
    {"engine.attach", "client's streams parked"},
    {"engine.wait", "waiting for the end"},
    {"engine.start", "container started"},
    {"engine.stop", "container stopped"},
    {"engine.restart", "container restarted"},
    {"engine.exec_create", "command prepared"},
    {"engine.exec_start", "command started in the container"},
    {"engine.archive_get", "files copied from the container"},
    {"engine.archive_put", "files copied to the container"},
    {"engine.apparmor_load", "AppArmor profile loaded"},
    {"volume.create", "volume made"},
    {"volume.copy_up", "the image's files copied to the volume"},
    {"engine.mounts", "mounts and volumes resolved"},
    {"engine.network", "network set up"},
    {"engine.etc_files", "hosts, hostname, resolv.conf written"},
    {"engine.rootfs", "root filesystem put together"},
    {"engine.spec", "runtime specification built"},
    {"engine.launch", "container launched"},
    {"engine.exit", "exit"},
    {"engine.cleanup", "cleaned up"},
    {"engine.remove", "container removed"},
    {"engine.erase", "files removed"},
    {"engine.pull", "image pulled"},
    {"launch", "shim launched"},
    {"launch.spawn", "shim process spawned"},
    {"launch.wait", "shim's answer awaited"},
    {"pull.resolve", "reference resolved"},
    {"pull.manifest", "manifest fetched"},
    {"pull.layer", "layer"},
    {"pull.blob", "blob"},
    {"pull.download", "downloaded"},
    {"pull.verify", "digest verified"},
    {"pull.unpack", "unpacked"},
    {"pull.commit", "image recorded"},
    {"registry.request", "registry asked"},
    {"registry.token", "token fetched"},
    {"layer.apply", "layer applied"},
    {"layer.inflate", "inflated"},
    {"layer.extract", "extracted"},
    {"layer.index", "indexed"},
    {"layer.sync", "written to disk"},
    {"layer.mount", "layer mounted"},
    {"snapshot.prepare", "writable layer made"},
    {"snapshot.mount", "overlay mounted"},
    {"network.sandbox", "network namespace and endpoints"},
    {"network.netns", "network namespace made"},
    {"network.veth", "veth pair made"},
    {"network.address", "address given"},
    {"network.route", "route set"},
    {"network.bridge", "bridge"},
    {"network.ports", "ports published"},
    {"network.firewall", "firewall rules written"},
    {"network.release", "network released"},
    {"network.connect", "network connected"},
    {"network.disconnect", "network disconnected"},
    {"shim.oci_cli", "foreign runtime called"},
    {"shim.receive", "shim received its orders"},
    {"shim.stdio", "standard streams made"},
    {"shim.listen", "shim listens"},
    {"runtime.create", "container built"},
    {"runtime.start", "program started"},
    {"runtime.cgroup", "cgroup and limits"},
    {"runtime.cgroup.join", "cgroup joined"},
    {"runtime.clone", "namespaces made (clone3)"},
    {"runtime.root", "root directory"},
    {"runtime.mount", "mount"},
    {"runtime.devices", "devices"},
    {"runtime.masks", "paths masked"},
    {"runtime.readonly", "paths made read-only"},
    {"runtime.pivot", "pivot_root"},
    {"runtime.capabilities", "capabilities dropped, user set"},
    {"runtime.seccomp", "seccomp filter"},
    {"runtime.console", "terminal"},
    {"runtime.hook", "hook"},
    {"runtime.exec_into", "namespaces joined"},
    {"runtime.net_device", "network device moved in"},
    {"runtime.systemd_scope", "systemd asked for a scope"},
    {"runtime.exec", "execve"},
};

std::string words_for(const trace::Event& event) {
  auto value = [&](std::string_view key) {
    for (const auto& [name, text] : event.attributes)
      if (name == key) return text;
    return std::string();
  };
  if (event.name == "client.request")
    return cat("asked: ", value("method"), " ", value("path"), value("status").empty() ? "" : " -> ", value("status"));
  if (event.name == "api.request")
    return cat("answered: ", value("method"), " ", value("path"), value("status").empty() ? "" : " -> ",
               value("status"));
  std::string words = event.name;
  for (const Label& label : kLabels)
    if (label.name == event.name) words = label.words;
  return value("not_done") == "true" ? cat("not done: ", words) : words;
}

// Ids of 64 hex digits as people know them: the first twelve.
std::string short_ids(const std::string& text) {
  std::string out;
  std::size_t run = 0;
  for (char c : text) {
    bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
    out += c;
    run = hex ? run + 1 : 0;
    if (run == 64) out.resize(out.size() - 52);
  }
  return out;
}

std::string details_of(const trace::Event& event) {
  std::string text;
  bool request = event.name.ends_with(".request") && !event.name.starts_with("registry");
  for (const auto& [key, value] : event.attributes) {
    if (request && (key == "method" || key == "path" || key == "status")) continue;
    if (value.empty() || key == "not_done") continue;
    bool bytes =
        key == "bytes" || key == "size" || key == "in" || key == "out" || key == "total" || key == "logged_bytes";
    auto number = parse_int<std::int64_t>(value);
    std::string shown = bytes && number ? human_size(static_cast<double>(*number)) : value;
    if (shown.size() > 200) shown = shown.substr(0, 199) + "…";
    text += cat(text.empty() ? "" : "  ", key, "=", shown);
  }
  return text;
}

// Milliseconds with three digits, right-aligned in nine.
std::string ms(std::int64_t nanoseconds) {
  std::int64_t micros = (nanoseconds + (nanoseconds < 0 ? -500 : 500)) / 1000;
  bool negative = micros < 0;
  if (negative) micros = -micros;
  std::string fraction = cat(micros % 1000);
  std::string text = cat(negative ? "-" : "", micros / 1000, ".", std::string(3 - fraction.size(), '0'), fraction);
  return text.size() < 9 ? std::string(9 - text.size(), ' ') + text : text;
}

class Tree {
 public:
  Tree(const Explanation& explanation, bool colour) : explanation_(explanation), colour_(colour) {
    for (std::size_t i = 0; i < explanation.events.size(); ++i) children_[explanation.events[i].parent].push_back(i);
    for (auto& [parent, list] : children_) {
      std::stable_sort(list.begin(), list.end(), [&](std::size_t a, std::size_t b) {
        return explanation.events[a].start < explanation.events[b].start;
      });
    }
  }

  std::string run() {
    const Explanation& e = explanation_;
    std::string who = e.name.empty()
                          ? e.container.substr(0, 12)
                          : cat(e.container.substr(0, 12), " (", e.name.substr(e.name.starts_with('/')), ")");
    std::string title = e.container.empty() ? "No container" : cat("Container ", who);
    text_ = cat(paint("1", cat(title, e.image.empty() ? "" : cat(", image ", e.image))), "\n",
                paint("2", "    at ms   took ms  step"), "\n");
    show(-1, "");
    auto share = static_cast<int>(accounted_share(e) * 1000 + 0.5);
    text_ += cat(paint("1", cat("The steps shown account for ", share / 10, ".", share % 10, " % of ",
                                trim(ms(e.end - e.begin)), " ms.")),
                 "\n");
    return std::move(text_);
  }

 private:
  std::string paint(std::string_view code, std::string_view text) const {
    return colour_ ? cat("\x1b[", code, "m", text, "\x1b[0m") : std::string(text);
  }

  void show(int parent, const std::string& margin) {
    auto found = children_.find(parent);
    if (found == children_.end() || margin.size() > 200) return;
    const std::vector<std::size_t>& list = found->second;
    std::string process = parent >= 0 ? explanation_.events[static_cast<std::size_t>(parent)].process : "";
    for (std::size_t i = 0; i < list.size(); ++i) {
      const trace::Event& event = explanation_.events[list[i]];
      bool last = i + 1 == list.size();
      std::string branch = parent < 0 ? "" : last ? "└─ " : "├─ ";
      std::string who = event.process != process ? cat("[", event.process, "] ") : "";
      std::string details = details_of(event);
      text_ +=
          cat(ms(event.start - explanation_.begin), " ", event.duration > 0 ? ms(event.duration) : std::string(9, ' '),
              "  ", margin, branch, paint("36", who), short_ids(words_for(event)),
              details.empty() ? "" : cat("  ", paint("2", short_ids(details))), "\n");
      show(static_cast<int>(list[i]), parent < 0 ? margin : margin + (last ? "   " : "│  "));
    }
  }

  const Explanation& explanation_;
  bool colour_;
  std::map<int, std::vector<std::size_t>> children_;
  std::string text_;
};

}  // namespace

std::string render_tree(const Explanation& explanation, bool colour) { return Tree(explanation, colour).run(); }

std::string render_json(const Explanation& explanation) {
  JsonObject object{{"container", explanation.container},
                    {"name", explanation.name},
                    {"image", explanation.image},
                    {"begin", explanation.begin},
                    {"end", explanation.end},
                    {"accounted", accounted_share(explanation)},
                    {"events", trace::to_json(explanation.events)}};
  return json::pretty(Json(std::move(object)), "  ");
}

std::string render_chrome(const Explanation& explanation) {
  std::map<std::string, int> processes;
  JsonArray events;
  for (const trace::Event& event : explanation.events) {
    auto [process, added] = processes.emplace(event.process, static_cast<int>(processes.size()) + 1);
    if (added) {
      events.push_back(JsonObject{{"name", "process_name"},
                                  {"ph", "M"},
                                  {"pid", process->second},
                                  {"tid", process->second},
                                  {"args", JsonObject{{"name", event.process}}}});
    }
    JsonObject arguments;
    for (const auto& [key, value] : event.attributes) arguments[key] = std::string_view(value);
    double at = static_cast<double>(event.start - explanation.begin) / 1000,
           took = static_cast<double>(event.duration) / 1000;
    events.push_back(JsonObject{{"name", event.name},
                                {"cat", std::string(cut(std::string_view(event.name), '.').first)},
                                {"ph", "X"},
                                {"ts", at},
                                {"dur", took},
                                {"pid", process->second},
                                {"tid", process->second},
                                {"args", std::move(arguments)}});
  }
  return json::text(JsonObject{{"traceEvents", std::move(events)}, {"displayTimeUnit", "ms"}});
}

}  // namespace proa::cli
