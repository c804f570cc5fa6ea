// linux.intelRdt: a container's class of service, and its monitoring group, in the resctrl file system (the kernel's
// Documentation/filesystems/resctrl.rst).
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"
#include "oci/runtime_spec.h"

namespace proa::runtime {

struct ResctrlGroup {
  std::string directory;   // of the class of service
  std::string monitoring;  // of the monitoring group below it, which is the container's own; "" : none
  bool own = false;        // the class is the container's own too, and goes with it
};

// Where resctrl is mounted, by /proc/self/mountinfo's text; nullopt: nowhere. Pure.
std::optional<std::string> find_resctrl(std::string_view mountinfo);

// What is written to `schemata`, a line each: l3CacheSchema (without lines of "MB:" where memBwSchema has one),
// memBwSchema, schemata. "" : nothing. Pure.
std::string render_schemata(const oci::IntelRdt& wanted);
// Whether the file `schemata` says of every resource and domain in `wanted` what `wanted` says. Pure.
bool schemata_agree(std::string_view file, std::string_view wanted);

// Throws InvalidArgument for a closID that is no name of a directory, and for schemata of more lines than they may
// have.
void check_intel_rdt(const oci::IntelRdt& wanted);

// PARENT. The class that `wanted` names, or one with the container's id, made where it is missing, with its schemata.
// `root`: where resctrl is mounted, "" to find it. Throws Unavailable where it is not; Conflict for a class that is
// there with other schemata; NotFound for one that is not there and has no schemata to be made with. On an Error what
// was made is gone.
ResctrlGroup create_resctrl(std::string root, const oci::IntelRdt& wanted, const std::string& id);
// PARENT: a process, which may not have forked yet, goes into both groups.
void join_resctrl(const ResctrlGroup& group, pid_t pid);
// What `runc events` says of a class: the limits of the machine's caches and memory bandwidth, the schemata of the
// machine and of the class, and what its monitoring counts, a domain each. Members that the hardware lacks are absent.
JsonObject resctrl_stats(const ResctrlGroup& group);
void update_resctrl(const ResctrlGroup& group, const std::string& schemata);
// What is the container's own. Nothing to remove is no error.
void remove_resctrl(const ResctrlGroup& group) noexcept;

}  // namespace proa::runtime
