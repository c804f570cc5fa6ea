// size: options() is the table of all options, one entry each.
#include "engine/config.h"

#include <algorithm>
#include <functional>
#include <optional>

#include "base/json_codec.h"
#include "base/text.h"
#include "base/units.h"
#include "os/file.h"
#include "os/ip_address.h"

namespace proa::engine {
namespace {

using Setter = std::function<void(Config&, const std::string&)>;

enum class Kind { Switch, Value, List, Map, Special };

struct Option {
  std::string_view flag;  // "" for a key that has no flag
  char shorthand;         // 0 for none
  std::string_view key;   // of daemon.json; "" for a flag that has no key
  Kind kind;
  std::string_view help;
  Setter set;  // a Switch gets "true" or "false", a Map "key=value"
};

[[noreturn]] void refuse(std::string text) { throw Error(ErrorKind::InvalidArgument, std::move(text)); }

bool parse_switch(std::string_view flag, const std::string& value) {
  if (value == "true" || value == "1") return true;
  if (value == "false" || value == "0") return false;
  refuse(cat("invalid argument ", quoted(value), " for ", quoted(cat("--", flag)), " flag: strconv.ParseBool: parsing ",
             quoted(value), ": invalid syntax"));
}

Setter text(std::string Config::*member) {
  return [member](Config& config, const std::string& value) { config.*member = value; };
}
Setter toggle(bool Config::*member) {
  return [member](Config& config, const std::string& value) { config.*member = value == "true"; };
}
Setter append(std::vector<std::string> Config::*member) {
  return [member](Config& config, const std::string& value) { (config.*member).push_back(value); };
}
template <class Int>
Setter number(Int Config::*member, std::string_view name, Int least) {
  return [=](Config& config, const std::string& value) {
    auto parsed = parse_int<Int>(value);
    if (!parsed || *parsed < least) refuse(cat("invalid ", name, ": ", value));
    config.*member = *parsed;
  };
}
Setter ignored() {
  return [](Config&, const std::string&) {};
}
// A value that asks for what Proa does not have; `harmless` is the one that does not.
Setter refused(std::string_view name, std::string_view harmless) {
  return [=](Config&, const std::string& value) {
    if (value != harmless) refuse(cat("the option ", name, " is not implemented by proad: remove it"));
  };
}

void set_log_option(Config& config, const std::string& pair) {
  auto [key, value] = cut(pair, '=');
  if (!value) refuse(cat("invalid logging option: ", pair));
  config.log_options[std::string(key)] = *value;
}

void set_ulimit(Config& config, const std::string& pair) {
  auto [name, limits] = cut(pair, '=');
  auto [soft, hard] = cut(limits.value_or(""), ':');
  auto soft_value = parse_int<std::int64_t>(soft), hard_value = hard ? parse_int<std::int64_t>(*hard) : soft_value;
  if (!soft_value || !hard_value) refuse(cat("invalid ulimit argument: ", pair));
  config.default_ulimits[std::string(name)] = {*soft_value, *hard_value};
}

void set_runtime(Config& config, const std::string& pair) {
  auto [name, path] = cut(pair, '=');
  if (!path || name.empty()) refuse(cat("invalid runtime option: ", pair, ": use name=path"));
  if (name == "proa-runtime" || name == "io.containerd.runc.v2") refuse(cat("runtime name '", name, "' is reserved"));
  config.runtimes[std::string(name)] = {std::string(*path), {}};
}

// "base=10.1.0.0/16,size=24"
void set_pool(Config& config, const std::string& text_) {
  std::string base, size;
  for (const auto& part : split(text_, ',')) {
    auto [key, value] = cut(part, '=');
    if (key == "base" && value) base = *value;
    if (key == "size" && value) size = *value;
  }
  if (base.empty() || !parse_int<unsigned>(size)) refuse(cat("invalid default address pool: ", text_));
  config.default_address_pools.push_back(cat(base, ":", size));
}

void set_shm_size(Config& config, const std::string& value) {
  auto bytes = parse_ram_bytes(value);
  if (!bytes) refuse(cat("invalid size: '", value, "'"));
  config.default_shm_size = *bytes;
}

void set_exec_option(Config&, const std::string& pair) {
  if (pair != "native.cgroupdriver=cgroupfs")
    refuse(cat("exec-opt ", pair, ": proad manages cgroups itself (native.cgroupdriver=cgroupfs)"));
}

void set_storage_option(Config& config, const std::string& pair) {
  auto [key, value] = cut(pair, '=');
  if (key != "proa.layers") refuse(cat("unknown storage option ", pair, ": proad has proa.layers=directory|erofs"));
  if (value != "directory" && value != "erofs") refuse("invalid value for proa.layers: use directory or erofs");
  config.layers = *value;
}

void set_bridge(Config& config, const std::string& value) {
  if (value != "none")
    refuse(
        cat("--bridge ", value, ": proad makes its own bridge; --bridge-name names it, --bridge none leaves it out"));
  config.bridge = value;
}

const std::vector<Option>& options() {
  static const std::vector<Option> table = {
      {"add-runtime", 0, "", Kind::List, "register an OCI runtime: name=path", set_runtime},
      {"bip", 0, "bip", Kind::Value, "address and prefix of the default bridge", text(&Config::bip)},
      {"bridge", 'b', "bridge", Kind::Value, "none: no default network", set_bridge},
      {"bridge-name", 0, "bridge-name", Kind::Value, "device of the default network (default proa0)",
       text(&Config::bridge)},
      {"cgroup-parent", 0, "cgroup-parent", Kind::Value, "parent cgroup of all containers",
       text(&Config::cgroup_parent)},
      {"config-file", 0, "", Kind::Value, "daemon configuration file", text(&Config::config_file)},
      {"data-root", 0, "data-root", Kind::Value, "directory of persistent state", text(&Config::data_root)},
      {"debug", 'D', "debug", Kind::Switch, "debug messages", toggle(&Config::debug)},
      {"default-address-pool", 0, "", Kind::List, "base=CIDR,size=N for networks", set_pool},
      {"default-cgroupns-mode", 0, "default-cgroupns-mode", Kind::Value, "host or private",
       text(&Config::default_cgroupns_mode)},
      {"default-ipc-mode", 0, "default-ipc-mode", Kind::Value, "private or shareable", text(&Config::default_ipc_mode)},
      {"default-runtime", 0, "default-runtime", Kind::Value, "OCI runtime for containers",
       text(&Config::default_runtime)},
      {"default-shm-size", 0, "default-shm-size", Kind::Value, "size of /dev/shm", set_shm_size},
      {"default-ulimit", 0, "", Kind::List, "name=soft[:hard]", set_ulimit},
      {"dns", 0, "dns", Kind::List, "DNS server", append(&Config::dns)},
      {"dns-opt", 0, "dns-opts", Kind::List, "DNS option", append(&Config::dns_options)},
      {"dns-search", 0, "dns-search", Kind::List, "DNS search domain", append(&Config::dns_search)},
      {"exec-opt", 0, "exec-opts", Kind::List, "runtime option", set_exec_option},
      {"exec-root", 0, "exec-root", Kind::Value, "directory of run-time state", text(&Config::exec_root)},
      {"experimental", 0, "experimental", Kind::Switch, "no effect", refused("experimental", "false")},
      {"group", 'G', "group", Kind::Value, "group of the unix socket", text(&Config::group)},
      {"help", 'h', "", Kind::Switch, "print this text", toggle(&Config::show_help)},
      {"host", 'H', "hosts", Kind::List, "socket to listen on: unix://, tcp://, fd://", append(&Config::hosts)},
      {"host-gateway-ip", 0, "host-gateway-ip", Kind::Value, "what host-gateway stands for",
       text(&Config::host_gateway_ip)},
      {"http-proxy", 0, "", Kind::Value, "proxy for http registries", text(&Config::http_proxy)},
      {"https-proxy", 0, "", Kind::Value, "proxy for https registries", text(&Config::https_proxy)},
      {"icc", 0, "icc", Kind::Switch, "containers of the default bridge reach each other", toggle(&Config::icc)},
      {"init", 0, "init", Kind::Switch, "an init in every container", toggle(&Config::init)},
      {"init-path", 0, "init-path", Kind::Value, "path of that init", text(&Config::init_path)},
      {"insecure-registry", 0, "insecure-registries", Kind::List, "registry without TLS",
       append(&Config::insecure_registries)},
      {"ip", 0, "ip", Kind::Value, "address for published ports", text(&Config::default_host_ip)},
      {"ip-forward", 0, "ip-forward", Kind::Switch, "turn on net.ipv4.ip_forward", toggle(&Config::ip_forward)},
      {"ip-masq", 0, "ip-masq", Kind::Switch, "masquerade containers", toggle(&Config::ip_masquerade)},
      {"iptables", 0, "iptables", Kind::Switch, "firewall rules (proad writes nftables)", toggle(&Config::iptables)},
      {"ipv6", 0, "ipv6", Kind::Switch, "", refused("ipv6", "false")},
      {"label", 0, "labels", Kind::List, "label of the daemon", append(&Config::labels)},
      {"live-restore", 0, "live-restore", Kind::Switch, "always on: containers outlive the daemon", ignored()},
      {"log-driver", 0, "log-driver", Kind::Value, "json-file or none", text(&Config::log_driver)},
      {"log-format", 0, "log-format", Kind::Value, "text or json", text(&Config::log_format)},
      {"log-level", 'l', "log-level", Kind::Value, "debug, info, warn, error", text(&Config::log_level)},
      {"log-opt", 0, "log-opts", Kind::Map, "option of the log driver", set_log_option},
      {"max-concurrent-downloads", 0, "max-concurrent-downloads", Kind::Value, "layers at a time",
       number(&Config::max_concurrent_downloads, "max concurrent downloads", 1)},
      {"max-concurrent-uploads", 0, "max-concurrent-uploads", Kind::Value, "blobs at a time",
       number(&Config::max_concurrent_uploads, "max concurrent uploads", 1)},
      {"max-download-attempts", 0, "max-download-attempts", Kind::Value, "tries for a layer",
       number(&Config::max_download_attempts, "max download attempts", 1)},
      {"mtu", 0, "mtu", Kind::Value, "MTU of the default network", number(&Config::mtu, "mtu", 0U)},
      {"no-proxy", 0, "", Kind::Value, "hosts that are reached without it", text(&Config::no_proxy)},
      {"no-new-privileges", 0, "no-new-privileges", Kind::Switch, "for all containers",
       toggle(&Config::no_new_privileges)},
      {"pidfile", 'p', "pidfile", Kind::Value, "file of the daemon's pid", text(&Config::pidfile)},
      {"registry-config-path", 0, "registry-config-path", Kind::Value,
       "directory with HOST/hosts.toml and certificates (default /etc/docker/certs.d)",
       text(&Config::registry_config_path)},
      {"registry-mirror", 0, "registry-mirrors", Kind::List, "mirror of docker.io", append(&Config::registry_mirrors)},
      {"seccomp-profile", 0, "seccomp-profile", Kind::Value, "path, builtin or unconfined",
       text(&Config::seccomp_profile)},
      {"selinux-enabled", 0, "selinux-enabled", Kind::Switch, "", refused("selinux-enabled", "false")},
      {"shutdown-timeout", 0, "shutdown-timeout", Kind::Value, "seconds",
       number(&Config::shutdown_timeout, "shutdown timeout", 0)},
      {"storage-driver", 's', "storage-driver", Kind::Value, "overlay2", refused("storage-driver", "overlay2")},
      {"storage-opt", 0, "storage-opts", Kind::List, "proa.layers=directory|erofs: how layers lie on the disk",
       set_storage_option},
      {"tls", 0, "tls", Kind::Switch, "", refused("tls", "false")},
      {"tlsverify", 0, "tlsverify", Kind::Switch, "", refused("tlsverify", "false")},
      {"userland-proxy", 0, "userland-proxy", Kind::Switch, "no effect: ports need no proxy", ignored()},
      {"userns-remap", 0, "userns-remap", Kind::Value, "", refused("userns-remap", "")},
      {"validate", 0, "", Kind::Switch, "check the configuration and exit", toggle(&Config::validate_only)},
      {"version", 'v', "", Kind::Switch, "print the version", toggle(&Config::show_version)},
      {"", 0, "default-address-pools", Kind::Special, "", {}},
      {"", 0, "default-stop-timeout", Kind::Value, "",
       number(&Config::default_stop_timeout, "default stop timeout", 0)},
      {"", 0, "default-ulimits", Kind::Special, "", {}},
      {"", 0, "features", Kind::Special, "", {}},
      {"", 0, "proxies", Kind::Special, "", {}},
      {"", 0, "runtimes", Kind::Special, "", {}},
  };
  return table;
}

const Option* find_option(std::string_view Option::*name, std::string_view wanted) {
  for (const auto& option : options()) {
    if (!wanted.empty() && option.*name == wanted) return &option;
  }
  return nullptr;
}

void set_from_flag(Config& config, const Option& option, const std::string& value) {
  option.set(config,
             option.kind == Kind::Switch ? std::string(parse_switch(option.flag, value) ? "true" : "false") : value);
}

// Returns the keys that were set. pflag's grammar: --name value, --name=value, -n value, -nvalue, switches without one.
std::vector<std::string> apply_flags(Config& config, std::span<const std::string> arguments) {
  std::vector<std::string> keys;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& word = arguments[i];
    const Option* option = nullptr;
    std::optional<std::string> value;
    if (word.starts_with("--")) {
      auto [name, given] = cut(std::string_view(word).substr(2), '=');
      option = find_option(&Option::flag, name);
      if (!option) refuse(cat("unknown flag: --", name, "\nSee 'proad --help'."));
      if (given) value = std::string(*given);
    } else if (word.size() > 1 && word[0] == '-') {
      for (const auto& candidate : options()) {
        if (candidate.shorthand == word[1]) option = &candidate;
      }
      if (!option) refuse(cat("unknown shorthand flag: '", word[1], "' in ", word, "\nSee 'proad --help'."));
      if (word.size() > 2) value = word.substr(word[2] == '=' ? 3 : 2);
    } else {
      refuse(cat("unknown argument ", quoted(word), ": proad takes flags only\nSee 'proad --help'."));
    }
    if (!value && option->kind == Kind::Switch) value = "true";
    if (!value) {
      if (++i == arguments.size()) refuse(cat("flag needs an argument: ", word));
      value = arguments[i];
    }
    set_from_flag(config, *option, *value);
    if (!option->key.empty()) keys.emplace_back(option->key);
  }
  return keys;
}

std::string scalar(const Json& value, std::string_view key) {
  if (value.is_string()) return std::string(value.get_string());
  if (value.is_bool()) return value.get_bool() ? "true" : "false";
  if (value.is_number()) return json::text(value);
  refuse(cat("the value of ", quoted(key), " has the wrong type"));
}

void apply_special(Config& config, std::string_view key, const Json& value) {
  if (key == "default-address-pools" && value.is_array()) {
    for (const Json& pool : value.get_array())
      set_pool(config, cat("base=", json::string_at(pool, "base"), ",size=", json::int_at(pool, "size")));
    return;
  }
  if (!value.is_object()) refuse(cat("the value of ", quoted(key), " has the wrong type"));
  for (const auto& [name, member] : value.get_object()) {
    if (key == "runtimes") {
      Runtime runtime{json::string_at(member, "path"), {}};
      if (runtime.path.empty()) refuse(cat("runtime ", std::string_view(name), ": \"path\" is missing"));
      if (const Json* arguments = json::find(member, "runtimeArgs"); arguments && arguments->is_array()) {
        for (const Json& argument : arguments->get_array()) runtime.arguments.push_back(scalar(argument, key));
      }
      config.runtimes[std::string(name)] = runtime;
    } else if (key == "default-ulimits") {
      config.default_ulimits[std::string(name)] = {json::int_at(member, "Soft"), json::int_at(member, "Hard")};
    } else if (key == "proxies") {
      const Option* option = find_option(&Option::flag, name);
      if (!option || !name.ends_with("-proxy"))
        refuse(cat("the following directives don't match any configuration option: ", std::string_view(name)));
      option->set(config, scalar(member, key));
    }
  }
}

void apply_key(Config& config, const Option& option, const Json& value) {
  switch (option.kind) {
    case Kind::Special:
      return apply_special(config, option.key, value);
    case Kind::List:
      if (!value.is_array()) refuse(cat("the value of ", quoted(option.key), " must be a list"));
      for (const Json& item : value.get_array()) option.set(config, scalar(item, option.key));
      return;
    case Kind::Map:
      if (!value.is_object()) refuse(cat("the value of ", quoted(option.key), " must be an object"));
      for (const auto& [key, item] : value.get_object())
        option.set(config, cat(std::string_view(key), "=", scalar(item, key)));
      return;
    case Kind::Switch:
      if (!value.is_bool()) refuse(cat("invalid JSON: ", option.key, ": ", json::text(value), " is no boolean"));
      [[fallthrough]];
    default:
      option.set(config, scalar(value, option.key));
  }
}

void check_values(const Config& config) {
  static const std::vector<std::string> levels = {"debug", "info", "warn", "error", "fatal"};
  if (std::find(levels.begin(), levels.end(), config.log_level) == levels.end())
    refuse(cat("invalid logging level: ", config.log_level));
  if (config.log_format != "text" && config.log_format != "json")
    refuse(cat("invalid log format: ", config.log_format));
  if (config.log_driver != "json-file" && config.log_driver != "none") {
    refuse(cat("logger: no log driver named '", config.log_driver, "' is registered"));
  }
  if (config.default_ipc_mode != "private" && config.default_ipc_mode != "shareable") {
    refuse(cat("IPC mode ", quoted(config.default_ipc_mode), " is not supported as default value"));
  }
  if (config.default_runtime != "proa-runtime" && !config.runtimes.contains(config.default_runtime)) {
    refuse(cat("specified default runtime '", config.default_runtime, "' does not exist"));
  }
  for (const auto& server : config.dns)
    if (!os::IpAddress::parse(server)) refuse(cat("invalid IP address: ", server));
  for (const auto& label : config.labels)
    if (label.find('=') == std::string::npos) refuse(cat("bad attribute format: ", label));
  for (const auto& mirror : config.registry_mirrors) {
    if (!mirror.starts_with("http://") && !mirror.starts_with("https://"))
      refuse(
          cat("invalid mirror: no scheme specified for ", quoted(mirror), ": must use either 'https://' or 'http://'"));
  }
}

}  // namespace

void apply_config_file(Config& config, const Json& document, std::string_view path,
                       std::span<const std::string> from_flags) {
  if (!document.is_object())
    refuse(cat("unable to configure the Docker daemon with file ", path, ": it holds no JSON object"));
  std::vector<std::string> unknown, conflicts;
  for (const auto& [key, value] : document.get_object()) {
    if (!find_option(&Option::key, key)) unknown.emplace_back(key);
    if (std::find(from_flags.begin(), from_flags.end(), std::string_view(key)) != from_flags.end()) {
      conflicts.push_back(cat(std::string_view(key), ": (from flag, from file: ", json::text(value), ")"));
    }
  }
  std::string prefix = cat("unable to configure the Docker daemon with file ", path, ": ");
  if (!unknown.empty())
    refuse(cat(prefix, "the following directives don't match any configuration option: ", join(unknown, ", ")));
  if (!conflicts.empty()) {
    refuse(cat(prefix, "the following directives are specified both as a flag and in the configuration file: ",
               join(conflicts, ", ")));
  }
  for (const auto& [key, value] : document.get_object()) {
    const Option& option = *find_option(&Option::key, key);
    in_context(prefix.substr(0, prefix.size() - 2), [&] { apply_key(config, option, value); });
  }
}

Config read_config(std::span<const std::string> arguments) {
  Config config;
  std::vector<std::string> keys = apply_flags(config, arguments);
  bool named = std::any_of(arguments.begin(), arguments.end(),
                           [](const std::string& word) { return word.starts_with("--config-file"); });
  auto content = os::try_read_file(config.config_file, 4 << 20);
  if (!content && named)
    refuse(cat("unable to configure the Docker daemon with file ", config.config_file, ": open ", config.config_file,
               ": no such file or directory"));
  if (content && !trim(*content).empty()) {
    std::string_view document = *content;
    if (document.starts_with("\xEF\xBB\xBF")) document.remove_prefix(3);
    Json parsed = in_context(cat("unable to configure the Docker daemon with file ", config.config_file),
                             [&] { return json::parse(document); });
    apply_config_file(config, parsed, config.config_file, keys);
  }
  if (config.debug) config.log_level = "debug";
  check_values(config);
  return config;
}

Config reloaded(const Config& now, const Config& fresh) {
  Config out = now;
  out.debug = fresh.debug;
  out.log_level = fresh.log_level;
  out.log_format = fresh.log_format;
  out.labels = fresh.labels;
  out.registry_mirrors = fresh.registry_mirrors;
  out.insecure_registries = fresh.insecure_registries;
  out.max_concurrent_downloads = fresh.max_concurrent_downloads;
  out.max_concurrent_uploads = fresh.max_concurrent_uploads;
  out.max_download_attempts = fresh.max_download_attempts;
  out.default_runtime = fresh.default_runtime;
  out.runtimes = fresh.runtimes;
  out.default_shm_size = fresh.default_shm_size;
  out.default_ipc_mode = fresh.default_ipc_mode;
  out.default_cgroupns_mode = fresh.default_cgroupns_mode;
  out.shutdown_timeout = fresh.shutdown_timeout;
  return out;
}

std::map<std::string, std::string> reloadable_settings(const Config& config) {
  std::vector<std::string> runtimes;
  for (const auto& [name, runtime] : config.runtimes) runtimes.push_back(cat(name, ":", runtime.path));
  return {{"debug", config.debug ? "true" : "false"},
          {"default-cgroupns-mode", config.default_cgroupns_mode},
          {"default-ipc-mode", config.default_ipc_mode},
          {"default-runtime", config.default_runtime},
          {"default-shm-size", cat(config.default_shm_size)},
          {"features", "map[]"},
          {"insecure-registries", json::text(json::encode(config.insecure_registries))},
          {"labels", json::text(json::encode(config.labels))},
          {"live-restore", "true"},
          {"max-concurrent-downloads", cat(config.max_concurrent_downloads)},
          {"max-concurrent-uploads", cat(config.max_concurrent_uploads)},
          {"max-download-attempts", cat(config.max_download_attempts)},
          {"registry-mirrors", json::text(json::encode(config.registry_mirrors))},
          {"runtimes", join(runtimes, " ")},
          {"shutdown-timeout", cat(config.shutdown_timeout)}};
}

std::string config_usage() {
  std::string out = "Usage:  proad [OPTIONS]\n\nThe daemon of Proa, a container engine.\n\nOptions:\n";
  for (const auto& option : options()) {
    if (option.flag.empty() || option.help.empty()) continue;
    std::string name =
        option.shorthand ? cat("  -", option.shorthand, ", --", option.flag) : cat("      --", option.flag);
    name.resize(std::max<std::size_t>(name.size() + 2, 38), ' ');
    out += cat(name, option.help, "\n");
  }
  return out;
}

}  // namespace proa::engine
