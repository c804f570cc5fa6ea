#include "volume/mount_args.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/text.h"
#include "os/file.h"

namespace proa::volume {
namespace {

constexpr std::array<std::string_view, 6> kPropagations = {"private", "rprivate", "shared",
                                                           "rshared", "slave",    "rslave"};

bool is_propagation(std::string_view text) {
  return std::find(kPropagations.begin(), kPropagations.end(), text) != kPropagations.end();
}

[[noreturn]] void invalid_spec(std::string_view spec) {
  throw Error(ErrorKind::InvalidArgument, cat("invalid volume specification: '", spec, "'"));
}
[[noreturn]] void invalid_mount(std::string_view type, std::string_view reason) {
  throw Error(ErrorKind::InvalidArgument, cat("invalid mount config for type \"", type, "\": ", reason));
}

bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

// "" or what docker says of it.
std::string destination_fault(std::string_view destination) {
  if (!destination.starts_with('/')) return cat("invalid mount path: '", destination, "' mount path must be absolute");
  if (os::clean_path(destination) == "/") return "invalid specification: destination can't be '/'";
  return "";
}

void check_destination(const MountPoint& point, std::string_view spec) {
  std::string fault = destination_fault(point.destination);
  if (fault.empty()) return;
  std::string_view type = point.source.starts_with('/') ? "bind" : "volume";
  throw Error(ErrorKind::InvalidArgument,
              cat("invalid volume specification: '", spec, "': invalid mount config for type \"", type, "\": ", fault));
}

// The comma list behind a bind: ro, rw, z, Z, nocopy, a propagation.
void apply_mode(MountPoint& point, std::string_view mode, std::string_view spec) {
  int writes = 0, labels = 0, copies = 0, propagations = 0;
  for (const auto& option : split(mode, ',')) {
    if (option == "ro" || option == "rw") {
      point.read_write = option == "rw";
      ++writes;
    } else if (option == "z" || option == "Z") {
      ++labels;
    } else if (option == "nocopy") {
      point.no_copy = true;
      ++copies;
    } else if (is_propagation(option)) {
      point.propagation = option;
      ++propagations;
    } else if (option == "consistent" || option == "cached" || option == "delegated" || option == "default") {
      // of other platforms; means nothing here
    } else {
      throw Error(ErrorKind::InvalidArgument, cat("invalid mode: ", mode));
    }
  }
  bool volume = point.type == Type::Volume;
  if (writes > 1 || labels > 1 || copies > 1 || propagations > 1 || (volume && propagations) || (!volume && copies)) {
    throw Error(ErrorKind::InvalidArgument, cat("invalid mode: ", mode));
  }
  point.mode = mode;
  (void)spec;
}

bool is_mode(std::string_view text) {
  for (Type type : {Type::Bind, Type::Volume}) {
    MountPoint probe;
    probe.type = type;
    try {
      apply_mode(probe, text, text);
      return true;
    } catch (const Error&) {
      // not of this kind
    }
  }
  return false;
}

}  // namespace

std::string_view to_string(Type type) {
  switch (type) {
    case Type::Bind:
      return "bind";
    case Type::Volume:
      return "volume";
    case Type::Tmpfs:
      return "tmpfs";
  }
  return "";
}

void check_volume_name(std::string_view name) {
  auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); };
  if (name.size() < 2 && !name.empty()) {
    throw Error(
        ErrorKind::InvalidArgument,
        cat("create ", name, ": volume name is too short, names should be at least two alphanumeric characters"));
  }
  bool good = !name.empty() && name.size() <= 255 && plain(name.front());
  for (char c : name) good = good && (plain(c) || c == '_' || c == '.' || c == '-');
  if (!good) {
    throw Error(ErrorKind::InvalidArgument,
                cat("create ", name, ": \"", name,
                    "\" includes invalid characters for a local volume name, only \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are "
                    "allowed. If you intended to pass a host directory, use absolute path"));
  }
}

MountPoint parse_bind(std::string_view spec, std::string_view volume_driver) {
  if (has_control(spec)) invalid_spec(spec);
  auto parts = split(spec, ':');
  if (parts.empty() || parts.size() > 3 || parts[0].empty()) invalid_spec(spec);
  MountPoint point;
  std::string mode;
  if (parts.size() == 1) {
    point.destination = parts[0];
  } else {
    // "dst:mode" is no way to ask for an anonymous volume.
    if (parts[1].empty() || (parts.size() == 2 && is_mode(parts[1]))) invalid_spec(spec);
    point.source = parts[0];
    point.destination = parts[1];
    if (parts.size() == 3) {
      mode = parts[2];
      if (mode.empty()) invalid_spec(spec);
    }
  }
  check_destination(point, spec);
  point.destination = os::clean_path(point.destination);
  if (point.source.starts_with('/')) {
    point.type = Type::Bind;
    point.source = os::clean_path(point.source);
    point.create_source = true;
  } else {
    point.type = Type::Volume;
    point.name = std::exchange(point.source, "");
    point.driver = volume_driver;
    if (point.name.starts_with('.') || point.name.find('/') != std::string::npos) {
      throw Error(ErrorKind::InvalidArgument,
                  cat("create ", point.name, ": \"", point.name,
                      "\" includes invalid characters for a local volume name, only \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are "
                      "allowed. If you intended to pass a host directory, use absolute path"));
    }
    if (!point.name.empty()) check_volume_name(point.name);
    point.anonymous = point.name.empty();
  }
  if (!mode.empty()) apply_mode(point, mode, spec);
  return point;
}

namespace {

void refuse_field(const MountRequest& request, bool present, std::string_view name) {
  if (present) invalid_mount(request.type, cat("field ", name, " must not be specified"));
}

void fill_bind(MountPoint& point, const MountRequest& request, bool (*source_exists)(const std::string& path)) {
  refuse_field(request, request.has_volume_options, "VolumeOptions");
  refuse_field(request, request.has_tmpfs_options, "TmpfsOptions");
  if (request.source.empty()) invalid_mount(request.type, "field Source must not be empty");
  if (!request.source.starts_with('/')) {
    invalid_mount(request.type, cat("invalid mount path: '", request.source, "' mount path must be absolute"));
  }
  if (!request.bind_propagation.empty() && !is_propagation(request.bind_propagation)) {
    invalid_mount(request.type, cat("invalid propagation mode: ", request.bind_propagation));
  }
  point.type = Type::Bind;
  point.source = os::clean_path(request.source);
  point.create_source = request.bind_create_source;
  if (!point.create_source && !source_exists(point.source)) {
    invalid_mount(request.type, cat("bind source path does not exist: ", point.source));
  }
  point.propagation = request.bind_propagation;
  point.non_recursive = request.bind_non_recursive;
  point.read_only_non_recursive = request.bind_read_only_non_recursive;
  point.read_only_force_recursive = request.bind_read_only_force_recursive;
}

void fill_volume(MountPoint& point, const MountRequest& request) {
  refuse_field(request, request.has_bind_options, "BindOptions");
  refuse_field(request, request.has_tmpfs_options, "TmpfsOptions");
  point.type = Type::Volume;
  point.name = request.source;
  if (!point.name.empty()) check_volume_name(point.name);
  if (point.name.empty() && !request.volume_subpath.empty())
    invalid_mount(request.type, "must not set Subpath when using anonymous volumes");
  point.anonymous = point.name.empty();
  point.no_copy = request.volume_no_copy;
  point.subpath = request.volume_subpath;
  point.driver = request.volume_driver;
  point.labels = request.volume_labels;
  point.driver_options = request.volume_driver_options;
}

void fill_tmpfs(MountPoint& point, const MountRequest& request) {
  refuse_field(request, request.has_bind_options, "BindOptions");
  refuse_field(request, request.has_volume_options, "VolumeOptions");
  refuse_field(request, !request.source.empty(), "Source");
  if (request.tmpfs_size < 0) invalid_mount(request.type, "tmpfs size must not be negative");
  point.type = Type::Tmpfs;
  point.tmpfs_size = request.tmpfs_size;
  point.tmpfs_mode = request.tmpfs_mode;
}

// docker's list of what tmpfs and mount take; the kernel judges the values.
void check_tmpfs_options(std::string_view options) {
  static constexpr std::string_view kKnown[] = {
      "rw",       "ro",         "exec",    "noexec",  "suid",       "nosuid",      "dev",         "nodev",
      "sync",     "async",      "dirsync", "remount", "mand",       "nomand",      "atime",       "noatime",
      "diratime", "nodiratime", "bind",    "rbind",   "unbindable", "runbindable", "private",     "rprivate",
      "slave",    "rslave",     "shared",  "rshared", "relatime",   "norelatime",  "strictatime", "nostrictatime",
      "mode",     "uid",        "gid",     "size",    "nr_inodes",  "nr_blocks",   "mpol"};
  for (const auto& option : split(options, ',')) {
    std::string_view name = cut(option, '=').first;
    if (!option.empty() && std::find(std::begin(kKnown), std::end(kKnown), name) == std::end(kKnown))
      throw Error(ErrorKind::InvalidArgument, cat("invalid tmpfs option ", quoted(name)));
  }
}

}  // namespace

MountPoint check_mount(const MountRequest& request, bool (*source_exists)(const std::string& path)) {
  const auto& type = request.type;
  if (type != "bind" && type != "volume" && type != "tmpfs") {
    throw Error(ErrorKind::InvalidArgument, cat("invalid mount config for type \"", type, "\": mount type unknown"));
  }
  if (has_control(request.target) || has_control(request.source)) invalid_mount(type, "control characters in a path");
  if (request.target.empty()) invalid_mount(type, "field Target must not be empty");
  if (std::string fault = destination_fault(request.target); !fault.empty()) invalid_mount(type, fault);
  MountPoint point;
  point.from_mounts = true;
  point.destination = os::clean_path(request.target);
  point.read_write = !request.read_only;
  if (type == "bind") {
    fill_bind(point, request, source_exists);
  } else if (type == "volume") {
    fill_volume(point, request);
  } else {
    fill_tmpfs(point, request);
  }
  return point;
}

VolumesFrom parse_volumes_from(std::string_view spec) {
  if (spec.empty()) throw Error(ErrorKind::InvalidArgument, "volumes-from specification cannot be an empty string");
  auto [id, mode] = cut(spec, ':');
  VolumesFrom from{std::string(id), true};
  if (mode) {
    for (const auto& option : split(*mode, ',')) {
      if (option == "ro")
        from.read_write = false;
      else if (option != "rw" && option != "z" && option != "Z" && option != "nocopy") {
        throw Error(ErrorKind::InvalidArgument, cat("invalid mode: ", *mode));
      }
    }
  }
  return from;
}

std::vector<MountPoint> plan_mount_points(const MountArguments& arguments,
                                          bool (*source_exists)(const std::string& path)) {
  std::map<std::string, MountPoint> by_destination;
  for (const auto& point : arguments.from) by_destination[point.destination] = point;
  std::map<std::string, bool> given;
  auto put = [&](MountPoint point) {
    if (!given.emplace(point.destination, true).second) {
      throw Error(ErrorKind::InvalidArgument, cat("Duplicate mount point: ", point.destination));
    }
    auto destination = point.destination;
    by_destination[destination] = std::move(point);
  };
  for (const auto& bind : arguments.binds) put(parse_bind(bind, arguments.volume_driver));
  for (const auto& mount : arguments.mounts) put(check_mount(mount, source_exists));
  for (const auto& [destination, options] : arguments.tmpfs) {
    if (std::string fault = destination_fault(destination); !fault.empty())
      throw Error(ErrorKind::InvalidArgument, std::move(fault));
    check_tmpfs_options(options);
    MountPoint point;
    point.type = Type::Tmpfs;
    point.destination = os::clean_path(destination);
    point.tmpfs_options = options;
    put(std::move(point));
  }
  for (const auto& declared : arguments.declared) {
    if (!declared.starts_with('/') || has_control(declared)) {
      throw Error(ErrorKind::InvalidArgument, cat("invalid volume specification: '", declared, "'"));
    }
    auto destination = os::clean_path(declared);
    if (destination == "/") {
      throw Error(ErrorKind::InvalidArgument, cat("invalid volume specification: '", declared,
                                                  "': invalid specification: destination can't be '/'"));
    }
    if (by_destination.contains(destination)) continue;
    MountPoint point;
    point.type = Type::Volume;
    point.destination = destination;
    point.anonymous = true;
    point.driver = arguments.volume_driver;
    by_destination[destination] = std::move(point);
  }
  // Parents before what is mounted inside them.
  std::vector<MountPoint> out;
  for (auto& [destination, point] : by_destination) out.push_back(std::move(point));
  std::stable_sort(out.begin(), out.end(), [](const MountPoint& a, const MountPoint& b) {
    return std::count(a.destination.begin(), a.destination.end(), '/') <
           std::count(b.destination.begin(), b.destination.end(), '/');
  });
  return out;
}

}  // namespace proa::volume
