#include "cli/create_options.h"

#include <stdlib.h>
#include <unistd.h>

#include <algorithm>

#include "base/text.h"
#include "cli/grammars.h"
#include "os/file.h"

namespace proa::cli {

namespace {

[[noreturn]] void bad(std::string message) { throw FlagError{std::move(message)}; }

std::string file_error(const std::string& path, const Error& error) {
  return cat("open ", path, ": ", error.errno_code() ? os::errno_text(error.errno_code()) : error.message());
}

void plan_streams(const Flags& flags, api::ContainerConfig& config) {
  std::vector<std::string> names = flags.list("attach");
  for (std::string& name : names) name = to_lower(name);
  auto has = [&](std::string_view name) { return std::find(names.begin(), names.end(), name) != names.end(); };
  bool interactive = flags.on("interactive");
  config.tty = flags.on("tty");
  config.open_stdin = interactive;
  config.attach_stdin = has("stdin") || interactive;  // -i attaches it whatever -a names
  config.attach_stdout = has("stdout") || names.empty();
  config.attach_stderr = has("stderr") || names.empty();
  config.stdin_once = config.open_stdin && config.attach_stdin;
}

void plan_environment(const Flags& flags, const Surroundings& around, api::ContainerConfig& config) {
  auto lines_of = [&](const std::string& path, bool look_up) {
    std::string text;
    try {
      text = around.read_file(path);
    } catch (const Error& error) {
      bad(file_error(path, error));
    }
    std::vector<std::string> lines;
    for (std::string& line : parse_key_value_lines(text, path, nullptr)) {
      if (line.find('=') == std::string::npos && look_up) {
        if (auto value = around.variable(line)) lines.push_back(cat(line, "=", *value));
      } else {
        lines.push_back(std::move(line));
      }
    }
    return lines;
  };
  for (const std::string& path : flags.list("env-file")) {
    for (std::string& line : lines_of(path, true)) config.env.push_back(std::move(line));
  }
  for (const std::string& item : flags.list("env")) {
    auto value = item.find('=') == std::string::npos ? around.variable(item) : std::nullopt;
    config.env.push_back(value ? cat(item, "=", *value) : item);
  }
  std::vector<std::string> labels;
  for (const std::string& path : flags.list("label-file")) {
    for (std::string& line : lines_of(path, false)) labels.push_back(std::move(line));
  }
  labels.insert(labels.end(), flags.list("label").begin(), flags.list("label").end());
  config.labels = key_value_map(labels);
}

void plan_ports(const Flags& flags, api::ContainerConfig& config, api::HostConfig& host) {
  for (const std::string& spec : flags.list("publish")) {
    for (PublishedPort& port : parse_publish(spec)) {
      config.exposed_ports[port.port] = {};
      auto& bindings = host.port_bindings[port.port];
      if (!bindings) bindings.emplace();
      bindings->push_back(std::move(port.binding));
    }
  }
  for (const std::string& spec : flags.list("expose")) {
    for (const std::string& port : parse_expose(spec)) config.exposed_ports[port] = {};
  }
  host.publish_all_ports = flags.on("publish-all");
}

void plan_storage(const Flags& flags, const Surroundings& around, api::ContainerConfig& config, api::HostConfig& host) {
  for (const std::string& spec : flags.list("volume")) {
    VolumeSpec volume = parse_volume(spec, around.directory);
    if (volume.anonymous)
      config.volumes[volume.path] = {};
    else
      host.binds.push_back(volume.bind);
  }
  for (const std::string& spec : flags.list("mount")) host.mounts.push_back(parse_mount(spec, around.directory));
  for (const std::string& spec : flags.list("tmpfs")) {
    auto [path, options] = cut(spec, ':');
    host.tmpfs[std::string(path)] = std::string(options.value_or(""));
  }
  host.volumes_from = flags.list("volumes-from");
  host.volume_driver = flags.text("volume-driver");
  for (const std::string& option : flags.list("storage-opt")) {
    auto [name, value] = cut(option, '=');
    if (!value) bad("invalid storage option");
    host.storage_opt[std::string(name)] = std::string(*value);
  }
}

// net_admin -> CAP_NET_ADMIN, sorted, each once.
std::vector<std::string> capabilities(const std::vector<std::string>& given) {
  std::vector<std::string> names;
  for (const std::string& one : given) {
    std::string name = to_upper(trim(one));
    names.push_back(name == "ALL" || name == "RESET" || name.starts_with("CAP_") ? name : cat("CAP_", name));
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

void plan_security(const Flags& flags, const Surroundings& around, api::HostConfig& host) {
  for (const std::string& given : flags.list("security-opt")) {
    std::size_t at = given.find('=');
    if (at == std::string::npos && given != "no-new-privileges") at = given.find(':');
    if (at == std::string::npos && given != "no-new-privileges") bad(cat("Invalid --security-opt: ", quoted(given)));
    std::string name = given.substr(0, at), value = at == std::string::npos ? "" : given.substr(at + 1);
    if (name == "systempaths" && value == "unconfined") {
      host.masked_paths.emplace(), host.readonly_paths.emplace();
      continue;
    }
    if (name != "seccomp" || value == "unconfined" || value == "builtin") {
      host.security_opt.push_back(given);
      continue;
    }
    try {
      host.security_opt.push_back(cat("seccomp=", json::text(json::parse(around.read_file(value)))));
    } catch (const Error& error) {
      if (error.errno_code()) bad(cat("opening seccomp profile (", value, ") failed: ", file_error(value, error)));
      bad(cat("compacting json for seccomp profile (", value, ") failed: ", error.message()));
    }
  }
  host.privileged = flags.on("privileged");
  host.readonly_rootfs = flags.on("read-only");
  host.cap_add = capabilities(flags.list("cap-add"));
  host.cap_drop = capabilities(flags.list("cap-drop"));
  host.group_add = flags.list("group-add");
}

void plan_namespaces(const Flags& flags, api::HostConfig& host) {
  auto mode = [&](const char* flag, const char* name, std::initializer_list<std::string_view> words) {
    std::string value = flags.text(flag);
    bool good = value.empty() || std::find(words.begin(), words.end(), value) != words.end();
    if (std::string_view(flag) == "pid") good = good || (value.starts_with("container:") && value.size() > 10);
    if (!good) bad(cat("--", flag, ": invalid ", name, " mode"));
    return value;
  };
  host.pid_mode = mode("pid", "PID", {"host"});
  host.uts_mode = mode("uts", "UTS", {"host"});
  host.userns_mode = mode("userns", "USER", {"host"});
  host.cgroupns_mode = mode("cgroupns", "CGROUP", {"host", "private"});
  host.ipc_mode = flags.text("ipc");
  host.runtime = flags.text("runtime");
  host.isolation = flags.text("isolation");
}

void plan_host(const Flags& flags, api::HostConfig& host) {
  host.dns = flags.list("dns"), host.dns_options = flags.list("dns-option"), host.dns_search = flags.list("dns-search");
  for (const std::string& one : flags.list("add-host")) host.extra_hosts.push_back(parse_extra_host(one));
  host.auto_remove = flags.on("rm");
  host.restart_policy = parse_restart(flags.text("restart"));
  if (host.auto_remove && host.restart_policy.name != "no" && !host.restart_policy.name.empty()) {
    bad("conflicting options: cannot specify both --restart and --rm");
  }
  host.log_config.type = flags.text("log-driver");
  host.log_config.config = key_value_map(flags.list("log-opt"));
  if (host.log_config.type == "none" && !host.log_config.config.empty()) bad("invalid logging opts for driver none");
  host.shm_size = flags.number("shm-size");
  host.sysctls = key_value_map(flags.list("sysctl"));
  host.annotations = key_value_map(flags.list("annotation"));
  host.oom_score_adj = static_cast<int>(flags.number("oom-score-adj"));
  host.container_id_file = flags.text("cidfile");
  if (flags.given("init")) host.init = flags.on("init");
  for (const std::string& one : flags.list("gpus")) bad(cat("--gpus ", one, " is not available in this version"));
}

void check_pull(const std::string& value) {
  if (value == "always" || value == "missing" || value == "never") return;
  bad(cat("invalid pull option: '", value, "': must be one of \"always\", \"missing\" or \"never\""));
}

void check_mac(const std::string& mac) {
  std::vector<std::string> parts = split(mac, mac.find('-') != std::string::npos ? '-' : ':');
  bool good = parts.size() == 6 || parts.size() == 8 || parts.size() == 20;
  for (const std::string& part : parts) {
    good = good && part.size() == 2 && part.find_first_not_of("0123456789abcdefABCDEF") == std::string::npos;
  }
  if (!good) bad(cat(mac, " is not a valid mac address"));
}

}  // namespace

api::StringMap key_value_map(const std::vector<std::string>& pairs) {
  api::StringMap map;
  for (const std::string& pair : pairs) {
    auto [name, value] = cut(pair, '=');
    map[std::string(name)] = std::string(value.value_or(""));
  }
  return map;
}

Surroundings process_surroundings() {
  auto variable = [](const std::string& name) -> std::optional<std::string> {
    const char* value = ::getenv(name.c_str());
    return value ? std::optional<std::string>(value) : std::nullopt;
  };
  char directory[4096];
  return {variable, [](const std::string& path) { return os::read_file(path); },
          ::getcwd(directory, sizeof directory) ? directory : "/"};
}

CreateOptions plan_create(const Flags& flags, const Surroundings& around) {
  CreateOptions options;
  api::ContainerCreateRequest& request = options.request;
  api::ContainerConfig& config = request.config;
  request.name = flags.text("name");
  request.platform = flags.text("platform");
  if (request.platform.empty()) request.platform = around.variable("DOCKER_DEFAULT_PLATFORM").value_or("");
  plan_streams(flags, config);
  plan_environment(flags, around, config);
  plan_ports(flags, config, request.host_config);
  plan_storage(flags, around, config, request.host_config);
  plan_security(flags, around, request.host_config);
  plan_namespaces(flags, request.host_config);
  plan_resources(flags, request.host_config);
  plan_host(flags, request.host_config);
  config.healthcheck = plan_health(flags);
  config.hostname = flags.text("hostname"), config.domainname = flags.text("domainname"),
  config.user = flags.text("user");
  config.working_dir = flags.text("workdir");
  config.stop_signal = flags.text("stop-signal");
  if (flags.given("stop-timeout")) config.stop_timeout = static_cast<int>(flags.number("stop-timeout"));
  if (flags.given("entrypoint")) config.entrypoint = api::Strings{flags.text("entrypoint")};
  if (std::string mac = flags.text("mac-address"); !mac.empty()) check_mac(mac), config.mac_address = mac;
  request.networking = plan_networks(flags, request.host_config.network_mode);
  if (!is_user_defined(request.host_config.network_mode)) request.host_config.links = flags.list("link");
  const std::vector<std::string>& words = flags.arguments();
  if (!words.empty()) config.image = words[0];
  if (words.size() > 1) config.cmd = api::Strings(words.begin() + 1, words.end());
  options.pull = flags.text("pull");
  check_pull(options.pull);
  options.cidfile = flags.text("cidfile");
  options.quiet = flags.on("quiet");
  options.detach = flags.on("detach");
  options.sig_proxy = flags.on("sig-proxy");
  options.explain = flags.on("explain");
  options.detach_keys = flags.text("detach-keys");
  return options;
}

}  // namespace proa::cli
