// The longer grammars: --mount, --volume, --network, --env-file.
#include <algorithm>

#include "base/text.h"
#include "base/units.h"
#include "cli/grammars.h"
#include "os/file.h"

namespace proa::cli {

namespace {

[[noreturn]] void bad(std::string message) { throw FlagError{std::move(message)}; }

bool mount_bool(std::string_view key, std::string_view value) {
  auto flag = parse_go_bool(value);
  if (!flag) bad(cat("invalid value for ", key, ": ", value));
  return *flag;
}

template <class T>
T& made(std::optional<T>& option) {
  if (!option) option.emplace();
  return *option;
}

void set_map_entry(api::StringMap& map, std::string_view pair) {
  auto [name, content] = cut(pair, '=');
  map[std::string(name)] = std::string(content.value_or(""));
}

void set_bind_option(api::Mount& mount, std::string_view key, std::string_view value) {
  api::BindOptions& bind = made(mount.bind_options);
  if (key == "bind-propagation") {
    bind.propagation = to_lower(value);
  } else if (key == "bind-nonrecursive") {
    bind.non_recursive = mount_bool(key, value);
  } else if (key == "bind-create-src") {
    bind.create_mountpoint = mount_bool(key, value);
  } else if (value == "enabled" || value == "writable" || value == "readonly" || value == "disabled") {
    bind.non_recursive = value == "disabled";
    bind.read_only_non_recursive = value == "writable";
    bind.read_only_force_recursive = value == "readonly";
  } else {
    bad(cat("invalid value for ", key, ": ", value,
            " (must be \"enabled\", \"disabled\", \"writable\", or \"readonly\")"));
  }
}

void set_volume_option(api::Mount& mount, std::string_view key, std::string_view value) {
  api::VolumeOptions& volume = made(mount.volume_options);
  if (key == "volume-subpath") {
    volume.subpath = value;
  } else if (key == "volume-nocopy") {
    volume.no_copy = mount_bool(key, value);
  } else if (key == "volume-label") {
    set_map_entry(volume.labels, value);
  } else if (key == "volume-driver") {
    made(volume.driver_config).name = value;
  } else {
    set_map_entry(made(volume.driver_config).options, value);
  }
}

void set_tmpfs_option(api::Mount& mount, std::string_view key, std::string_view value) {
  api::TmpfsOptions& tmpfs = made(mount.tmpfs_options);
  if (key == "tmpfs-size") {
    auto size = parse_ram_bytes(value);
    if (!size) bad(cat("invalid value for ", key, ": ", value));
    tmpfs.size_bytes = *size;
    return;
  }
  auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), tmpfs.mode, 8);
  if (error != std::errc{} || end != value.data() + value.size()) bad(cat("invalid value for ", key, ": ", value));
}

void set_mount_field(api::Mount& mount, std::string_view field, std::string_view directory) {
  auto [name, content] = cut(field, '=');
  std::string key = to_lower(name);
  bool alone = key == "readonly" || key == "ro" || key == "volume-nocopy" || key == "bind-nonrecursive" ||
               key == "bind-create-src";
  if (!content && !alone) bad(cat("invalid field '", field, "' must be a key=value pair"));
  std::string_view value = content ? *content : "true";
  auto one_of = [&](std::initializer_list<std::string_view> keys) {
    for (std::string_view one : keys)
      if (key == one) return true;
    return false;
  };
  if (key == "type") {
    mount.type = to_lower(value);
  } else if (one_of({"source", "src"})) {
    mount.source = value;
    if (value == "." || value.starts_with("./") || value.starts_with("../") || value == "..") {
      mount.source = os::clean_path(os::path_join(directory, value));
    }
  } else if (one_of({"target", "dst", "destination"})) {
    mount.target = value;
  } else if (one_of({"readonly", "ro"})) {
    mount.read_only = mount_bool(key, value);
  } else if (key == "consistency") {
    mount.consistency = to_lower(value);
  } else if (one_of({"bind-propagation", "bind-nonrecursive", "bind-recursive", "bind-create-src"})) {
    set_bind_option(mount, key, value);
  } else if (one_of({"volume-subpath", "volume-nocopy", "volume-label", "volume-driver", "volume-opt"})) {
    set_volume_option(mount, key, value);
  } else if (key == "image-subpath") {
    made(mount.image_options).subpath = value;
  } else if (one_of({"tmpfs-size", "tmpfs-mode"})) {
    set_tmpfs_option(mount, key, value);
  } else {
    bad(cat("unexpected key '", key, "' in '", field, "'"));
  }
}

}  // namespace

api::Mount parse_mount(std::string_view csv, std::string_view working_directory) {
  auto fields = parse_csv(csv);
  if (!fields) bad("parse error on line 1, column 1: bare \" in non-quoted field");
  if (fields->empty()) bad("EOF");
  api::Mount mount;
  mount.type = "volume";
  for (const std::string& field : *fields) set_mount_field(mount, field, working_directory);
  if (mount.target.empty()) bad("target is required");
  auto mixed = [&](const char* options) {
    bad(cat("cannot mix '", options, "' options with mount type '", mount.type, "'"));
  };
  if (mount.volume_options && mount.type != "volume") mixed("volume-*");
  if (mount.image_options && mount.type != "image") mixed("image-*");
  if (mount.bind_options && mount.type != "bind") mixed("bind-*");
  if (mount.tmpfs_options && mount.type != "tmpfs") mixed("tmpfs-*");
  if (mount.bind_options) {
    const api::BindOptions& bind = *mount.bind_options;
    if (bind.read_only_non_recursive && !mount.read_only) {
      bad("option 'bind-recursive=writable' requires 'readonly' to be specified in conjunction");
    }
    if (bind.read_only_force_recursive && !mount.read_only) {
      bad("option 'bind-recursive=readonly' requires 'readonly' to be specified in conjunction");
    }
    if (bind.read_only_force_recursive && bind.propagation != "rprivate") {
      bad("option 'bind-recursive=readonly' requires 'bind-propagation=rprivate' to be specified in conjunction");
    }
  }
  return mount;
}

std::string check_mount(std::string_view value) {
  try {
    parse_mount(value, "/");
    return "";
  } catch (const FlagError& error) {
    return error.message;
  }
}

NetworkAttachment parse_network(std::string_view value) {
  NetworkAttachment network;
  bool long_form = false;
  auto fields = parse_csv(value);
  for (std::string_view key :
       {"name", "alias", "ip", "ip6", "mac-address", "link-local-ip", "driver-opt", "gw-priority"}) {
    for (const std::string& field : fields.value_or(std::vector<std::string>{})) {
      if (field.find('=') != std::string::npos && to_lower(trim(cut(field, '=').first)) == key) long_form = true;
    }
  }
  if (!long_form) {
    network.target = value;
    return network;
  }
  for (const std::string& field : *fields) {
    auto [name, content] = cut(field, '=');
    std::string key = to_lower(trim(name)), item(trim(content.value_or("")));
    if (!content) bad(cat("invalid field ", field, ": invalid format"));
    if (key == "name")
      network.target = item;
    else if (key == "alias")
      network.aliases.push_back(item);
    else if (key == "ip")
      network.ip = item;
    else if (key == "ip6")
      network.ip6 = item;
    else if (key == "mac-address")
      network.mac_address = item;
    else if (key == "link-local-ip")
      network.link_local_ips.push_back(item);
    else if (key == "driver-opt")
      set_map_entry(network.driver_opts, item);
    else if (key == "gw-priority") {
      auto priority = parse_int<int>(item);
      if (!priority)
        bad(cat("invalid gw-priority (", item, "): strconv.Atoi: parsing ", quoted(item), ": invalid syntax"));
      network.gw_priority = *priority;
    } else {
      bad(cat("invalid field key ", key));
    }
  }
  if (network.target.empty()) bad("network name/id is not specified");
  return network;
}

std::string check_network(std::string_view value) {
  try {
    parse_network(value);
    return "";
  } catch (const FlagError& error) {
    return error.message;
  }
}

namespace {

// [66 61 255], as Go prints bytes.
std::string byte_list(std::string_view bytes) {
  std::string text;
  for (char c : bytes) text += cat(text.empty() ? "" : " ", static_cast<int>(static_cast<unsigned char>(c)));
  return cat("[", text, "]");
}

}  // namespace

VolumeSpec parse_volume(std::string_view value, std::string_view working_directory) {
  if (value.empty()) bad("invalid empty volume spec");
  VolumeSpec spec;
  auto [source, rest] = cut(value, ':');
  if (!rest || value.size() <= 2) {
    spec.anonymous = true;
    spec.path = value;
    return spec;
  }
  auto parts = split(value, ':');
  if (std::any_of(parts.begin(), parts.end(), [](const std::string& part) { return part.empty(); }))
    bad(cat("invalid spec: ", value, ": empty section between colons"));
  if (parts.size() > 3) bad(cat("invalid spec: ", value, ": too many colons"));
  spec.bind = value;
  if (source.starts_with('.')) spec.bind = cat(os::clean_path(os::path_join(working_directory, source)), ":", *rest);
  return spec;
}

std::vector<std::string> parse_key_value_lines(std::string_view text, std::string_view file, Lookup lookup) {
  std::vector<std::string> lines;
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  int number = 0;
  for (const std::string& raw : split(text, '\n')) {
    ++number;
    if (!is_utf8(raw))
      bad(cat("invalid env file (", file, "): invalid utf8 bytes at line ", number, ": ", byte_list(raw)));
    std::string_view line = raw;
    if (line.ends_with('\r')) line.remove_suffix(1);
    while (!line.empty() && std::isspace(static_cast<unsigned char>(line.front()))) line.remove_prefix(1);
    if (line.empty() || line[0] == '#') continue;
    auto [name, content] = cut(line, '=');
    if (name.find_first_of(" \t\v\f\r") != std::string_view::npos) {
      bad(cat("invalid env file (", file, "): variable '", name, "' contains whitespaces"));
    }
    if (name.empty()) bad(cat("invalid env file (", file, "): no variable name on line '", line, "'"));
    if (content) {
      lines.emplace_back(line);
    } else if (!lookup) {
      lines.emplace_back(line);
    } else if (auto found = lookup(std::string(name))) {
      lines.push_back(cat(name, "=", *found));
    }
  }
  return lines;
}

}  // namespace proa::cli
