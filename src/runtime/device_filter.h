// v2 has no device files: the rules are a small BPF program attached to the group (BPF_PROG_TYPE_CGROUP_DEVICE).
#pragma once

#include <linux/bpf.h>

#include <vector>

#include "oci/runtime_spec.h"
#include "runtime/cgroup.h"

namespace proa::runtime {

// The last rule that matches decides; none: denied. Pure.
std::vector<bpf_insn> compile_device_filter(const std::vector<oci::DeviceRule>& effective_rules);
void attach_device_filter(const CgroupHandle& cgroup, const std::vector<oci::DeviceRule>& rules);

}  // namespace proa::runtime
