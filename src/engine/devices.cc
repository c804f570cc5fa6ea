#include "engine/devices.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <optional>

#include "base/error.h"
#include "base/text.h"
#include "os/file.h"

namespace proa::engine {
namespace {

std::optional<oci::Device> device_at(const std::string& path, bool follow) {
  struct stat info {};
  if ((follow ? ::stat(path.c_str(), &info) : ::lstat(path.c_str(), &info)) < 0) return std::nullopt;
  if (!S_ISCHR(info.st_mode) && !S_ISBLK(info.st_mode)) return std::nullopt;
  oci::Device device;
  device.type = S_ISCHR(info.st_mode) ? "c" : "b";
  device.path = path;
  device.major = major(info.st_rdev);
  device.minor = minor(info.st_rdev);
  device.file_mode = info.st_mode & 0777;
  device.uid = info.st_uid;
  device.gid = info.st_gid;
  return device;
}

void walk(const std::string& directory, std::vector<oci::Device>& out, int depth) {
  if (depth > 8) return;
  for (const auto& name : os::list_dir(directory)) {
    if (depth == 0 && (name == "pts" || name == "shm" || name == "fd" || name == "mqueue" || name == "console" ||
                       name == ".lxc" || name == ".lxd-mounts" || name == ".udev")) {
      continue;
    }
    auto path = os::path_join(directory, name);
    struct stat info {};
    if (::lstat(path.c_str(), &info) < 0) continue;
    if (S_ISDIR(info.st_mode))
      walk(path, out, depth + 1);
    else if (auto device = device_at(path, false))
      out.push_back(std::move(*device));
  }
}

std::pair<std::int64_t, std::int64_t> block_numbers(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) < 0) os::fail(path);
  return {major(info.st_rdev), minor(info.st_rdev)};
}

}  // namespace

std::vector<oci::Device> host_devices() {
  std::vector<oci::Device> out;
  walk("/dev", out, 0);
  return out;
}

void add_devices(const std::vector<api::DeviceMapping>& mappings, std::vector<oci::Device>& devices,
                 std::vector<oci::DeviceRule>& rules) {
  for (const auto& mapping : mappings) {
    std::string access = mapping.cgroup_permissions.empty() ? "rwm" : mapping.cgroup_permissions;
    if (access.find_first_not_of("rwm") != std::string::npos) {
      throw Error(ErrorKind::InvalidArgument, cat("invalid device mode: ", access));
    }
    std::string inside = mapping.path_in_container.empty() ? mapping.path_on_host : mapping.path_in_container;
    if (!inside.starts_with('/'))
      throw Error(ErrorKind::InvalidArgument, cat(quoted(inside), " is not an absolute path"));
    std::vector<oci::Device> found;
    if (auto device = device_at(mapping.path_on_host, true)) {
      device->path = os::clean_path(inside);
      found.push_back(std::move(*device));
    } else if (os::exists(mapping.path_on_host)) {
      struct stat info {};
      if (::stat(mapping.path_on_host.c_str(), &info) == 0 && S_ISDIR(info.st_mode))
        walk(mapping.path_on_host, found, 1);
      for (auto& device_below : found) {
        device_below.path =
            os::clean_path(cat(inside, "/", std::string_view(device_below.path).substr(mapping.path_on_host.size())));
      }
      if (found.empty())
        throw Error(ErrorKind::InvalidArgument, cat("error gathering device information while adding custom device ",
                                                    quoted(mapping.path_on_host), ": not a device node"));
    } else {
      throw Error(ErrorKind::InvalidArgument, cat("error gathering device information while adding custom device ",
                                                  quoted(mapping.path_on_host), ": no such file or directory"));
    }
    for (auto& device : found) {
      oci::DeviceRule rule;
      rule.allow = true;
      rule.type = device.type;
      rule.major = device.major;
      rule.minor = device.minor;
      rule.access = access;
      rules.push_back(std::move(rule));
      devices.push_back(std::move(device));
    }
  }
}

void add_device_rules(const std::vector<std::string>& rules, std::vector<oci::DeviceRule>& out) {
  for (const auto& text : rules) {
    auto parts = split(text, ' ');
    auto [major_text, minor_text] = cut(parts.at(1), ':');
    oci::DeviceRule rule;
    rule.allow = true;
    rule.type = parts.at(0);
    if (auto number = parse_int<std::int64_t>(major_text)) rule.major = *number;
    if (auto number = parse_int<std::int64_t>(minor_text.value_or("*"))) rule.minor = *number;
    rule.access = parts.at(2);
    out.push_back(std::move(rule));
  }
}

void add_block_limits(const api::Resources& resources, oci::BlockIoLimits& out) {
  for (const auto& device : resources.blkio_weight_device) {
    auto [high, low] = block_numbers(device.path);
    oci::WeightDevice weight;
    weight.major = high;
    weight.minor = low;
    weight.weight = device.weight;
    out.weight_device.push_back(weight);
  }
  auto throttle = [](const std::vector<api::ThrottleDevice>& from, std::vector<oci::ThrottleDevice>& to) {
    for (const auto& device : from) {
      auto [high, low] = block_numbers(device.path);
      oci::ThrottleDevice rate;
      rate.major = high;
      rate.minor = low;
      rate.rate = device.rate;
      to.push_back(rate);
    }
  };
  throttle(resources.blkio_device_read_bps, out.throttle_read_bps_device);
  throttle(resources.blkio_device_write_bps, out.throttle_write_bps_device);
  throttle(resources.blkio_device_read_iops, out.throttle_read_iops_device);
  throttle(resources.blkio_device_write_iops, out.throttle_write_iops_device);
}

}  // namespace proa::engine
