// Devices of the host, as --device, --privileged and the block limits name them.
#pragma once

#include <string>
#include <vector>

#include "api/host_config.h"
#include "oci/runtime_spec.h"

namespace proa::engine {

// Each mapping's device, or all below it where it is a directory, and what the cgroup allows for it. Throws
// InvalidArgument with docker's texts.
void add_devices(const std::vector<api::DeviceMapping>& mappings, std::vector<oci::Device>& devices,
                 std::vector<oci::DeviceRule>& rules);
void add_device_rules(const std::vector<std::string>& rules, std::vector<oci::DeviceRule>& out);  // checked before
void add_block_limits(const api::Resources& resources, oci::BlockIoLimits& out);
// All of /dev but what a container has of its own (pts, shm, mqueue, fd, console).
std::vector<oci::Device> host_devices();

}  // namespace proa::engine
