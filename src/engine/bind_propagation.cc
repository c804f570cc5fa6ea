#include "engine/bind_propagation.h"

#include <fcntl.h>

#include <algorithm>
#include <optional>

#include "base/error.h"
#include "base/text.h"
#include "os/file.h"
#include "os/mount.h"

namespace proa::engine {
namespace {

enum class Wanted { Nothing, Slave, Shared };

Wanted wanted_by(const volume::MountPoint& point) {
  if (point.type != volume::Type::Bind) return Wanted::Nothing;
  if (point.propagation.ends_with("shared")) return Wanted::Shared;
  return point.propagation.ends_with("slave") ? Wanted::Slave : Wanted::Nothing;
}

bool has(const os::MountInfo& mount, std::string_view field) {
  const auto& fields = mount.optional_fields;
  return std::any_of(fields.begin(), fields.end(), [&](const std::string& one) { return one.starts_with(field); });
}

}  // namespace

void check_propagation(const std::vector<volume::MountPoint>& points) {
  std::optional<std::vector<os::MountInfo>> mounts;
  for (const auto& point : points) {
    auto wanted = wanted_by(point);
    if (wanted == Wanted::Nothing) continue;
    if (!mounts) mounts = os::parse_mountinfo(os::read_file("/proc/self/mountinfo"));
    os::Fd source = os::open_file(point.source, O_PATH);
    const auto* mount = os::find_mount(*mounts, source.get());
    if (!mount) throw Error(ErrorKind::Internal, cat("Can't find mount point of ", point.source));
    if (has(*mount, "shared:") || (wanted == Wanted::Slave && has(*mount, "master:"))) continue;
    throw Error(ErrorKind::Internal, cat("path ", point.source, " is mounted on ", mount->target, " but it is not a ",
                                         wanted == Wanted::Slave ? "shared or slave" : "shared", " mount"));
  }
}

std::string root_propagation(const std::vector<volume::MountPoint>& points) {
  bool shared =
      std::any_of(points.begin(), points.end(), [](const auto& point) { return wanted_by(point) == Wanted::Shared; });
  return shared ? "shared" : "";
}

}  // namespace proa::engine
