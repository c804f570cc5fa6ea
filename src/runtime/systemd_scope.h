// The systemd driver: a container's group is a scope that systemd makes and knows, with our limits in it (cgroup v2).
// Rootless it is the user's own systemd (user@UID.service), in whose tree the scope is.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "oci/runtime_spec.h"
#include "os/dbus.h"
#include "os/fd.h"
#include "os/process.h"
#include "runtime/cgroup.h"
#include "runtime/unit_properties.h"

namespace proa::runtime {

struct ScopeName {
  std::string slice;  // "system.slice"
  std::string unit;   // "docker-<id>.scope"
  std::string path;   // "/system.slice/docker-<id>.scope", below the group that is systemd's own
  friend bool operator==(const ScopeName&, const ScopeName&) = default;
};
constexpr std::string_view kSystemSocket = "/run/systemd/private";
// The socket of the systemd that is asked: the system's, or rootless the user's, in $XDG_RUNTIME_DIR.
std::string systemd_socket(bool rootless);
// cgroupsPath as the systemd driver has it, "slice:prefix:name"; `systemd`: whose default slice. Pure. Throws
// InvalidArgument.
ScopeName plan_scope(std::string_view cgroups_path, std::string_view id, std::string_view systemd = kSystemSocket);
// Whether a path has that form: no path of the cgroupfs driver does.
bool names_scope(std::string_view cgroups_path);
// "a-b.slice" -> "/a.slice/a-b.slice"
std::string slice_path(std::string_view slice);

// linux.resources as properties of a unit, so that systemd sets again what we set. Pure.
void append_resource_properties(os::DBusBody& body, const oci::Resources& resources);

// A scope lives as long as it has processes: until the container's are in, one of ours that only waits.
class ScopeStart {
 public:
  ScopeStart(const os::CgroupLayout& layout, ScopeName name, std::string_view systemd, const oci::Spec& spec,
             std::string_view id, const std::vector<UnitProperty>& properties);
  ~ScopeStart() { release(); }
  ScopeStart(const ScopeStart&) = delete;
  ScopeStart& operator=(const ScopeStart&) = delete;

  const ScopeName& name() const { return name_; }  // `path` is the whole one
  void release() noexcept;                         // the container is in

 private:
  ScopeName name_;
  os::Spawned placeholder_;
};

void update_scope(const CgroupHandle& cgroup, const oci::Resources& resources);
// Nothing to stop is no error.
void stop_scope(const CgroupHandle& cgroup);
// A process moves into the scope by systemd's hand: a user may not move one between groups that are not both below one
// of his own, his systemd may ask the system's to. Returns when it is in.
void attach_to_scope(const CgroupHandle& cgroup, pid_t pid);

}  // namespace proa::runtime
