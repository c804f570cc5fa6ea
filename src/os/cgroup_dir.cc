#include "os/cgroup_dir.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/text.h"
#include "os/fd.h"
#include "os/file.h"

namespace proa::os {
namespace {

long filesystem_type(const std::string& path) {
  struct statfs info {};
  return ::statfs(path.c_str(), &info) < 0 ? 0 : static_cast<long>(info.f_type);
}

}  // namespace

const CgroupLayout::Hierarchy* CgroupLayout::hierarchy_of(std::string_view controller) const {
  for (const auto& hierarchy : hierarchies) {
    const auto& names = hierarchy.controllers;
    if (std::find(names.begin(), names.end(), controller) != names.end()) return &hierarchy;
  }
  return nullptr;
}

std::optional<std::string> CgroupLayout::directory(std::string_view controller, std::string_view path) const {
  if (unified) return path_join(root, path);
  auto hierarchy = hierarchy_of(controller);
  return hierarchy ? std::optional(path_join(path_join(root, hierarchy->directory), path)) : std::nullopt;
}

CgroupLayout find_cgroups(std::string root) {
  CgroupLayout layout;
  layout.root = std::move(root);
  if (filesystem_type(layout.root) == CGROUP2_SUPER_MAGIC) {
    layout.unified = true;
    return layout;
  }
  if (!exists(layout.root)) return layout;
  for (const auto& name : list_dir(layout.root)) {
    // "cpu" as a link to "cpu,cpuacct" is the same hierarchy again.
    char link[8];
    std::string path = path_join(layout.root, name);
    if (::readlink(path.c_str(), link, sizeof link) >= 0 || filesystem_type(path) != CGROUP_SUPER_MAGIC) continue;
    CgroupLayout::Hierarchy hierarchy{name, {}};
    if (name == "systemd") {
      hierarchy.controllers.push_back("name=systemd");
    } else {
      hierarchy.controllers = split(name, ',');
    }
    layout.hierarchies.push_back(std::move(hierarchy));
  }
  return layout;
}

std::optional<std::uint64_t> read_cgroup_number(const std::string& file) {
  auto text = try_read_file(file, 4096);
  return text ? parse_int<std::uint64_t>(trim(*text)) : std::nullopt;
}

std::optional<std::uint64_t> cgroup_table_value(std::string_view text, std::string_view key) {
  while (!text.empty()) {
    auto end = text.find('\n');
    std::string_view line = text.substr(0, end);
    if (line.starts_with(key) && line.size() > key.size() && line[key.size()] == ' ') {
      return parse_int<std::uint64_t>(trim(line.substr(key.size() + 1)));
    }
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return std::nullopt;
}

void write_cgroup_file(const std::string& file, std::string_view value) {
  Fd fd(::open(file.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd) fail(cat("open ", file));
  for (;;) {
    auto written = ::write(fd.get(), value.data(), value.size());
    if (written >= 0) return;
    if (errno != EINTR) fail(cat("write ", quoted(value), " to ", file));
  }
}

std::vector<int> read_cgroup_pids(const std::string& file) {
  std::vector<int> out;
  auto text = try_read_file(file);
  if (!text) return out;
  for (const auto& line : split(*text, '\n')) {
    if (auto pid = parse_int<int>(line)) out.push_back(*pid);
  }
  return out;
}

std::optional<std::string> parse_proc_cgroup(std::string_view text, std::string_view controller) {
  for (const auto& line : split(text, '\n')) {
    auto [id, rest] = cut(line, ':');
    if (!rest) continue;
    auto [controllers, path] = cut(*rest, ':');
    if (!path) continue;
    if (controller.empty() && controllers.empty()) return std::string(*path);
    for (const auto& name : split(controllers, ',')) {
      if (!controller.empty() && name == controller) return std::string(*path);
    }
  }
  return std::nullopt;
}

}  // namespace proa::os
