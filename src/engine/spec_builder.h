// config.json of a container: what was asked for, Docker's defaults, and what was resolved for this start (pure).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/container.h"
#include "engine/host_facts.h"
#include "oci/runtime_spec.h"
#include "os/user_db.h"

namespace proa::engine {

struct SpecInput {
  const Definition* definition = nullptr;
  const HostFacts* host = nullptr;
  os::ResolvedUser user;
  // definition.mounts with host paths filled in: source of binds and volumes.
  std::vector<volume::MountPoint> mounts;
  std::string hosts_path, hostname_path, resolv_conf_path;  // "": not mounted
  std::string hostname;                                     // "" where the host's or another container's is used
  std::string network_namespace;                            // path; "": a new, empty one; "host"
  std::string pid_namespace, ipc_namespace;                 // path to join; "": a new one; "host"
  std::string shm_source;                                   // bound at /dev/shm; "": a tmpfs of its own
  std::vector<oci::Device> devices;                         // of --device, or all of the host's if privileged
  std::vector<oci::DeviceRule> device_rules;
  oci::BlockIoLimits block_io;  // with device numbers
  std::string init_path;        // "": no init
  std::string cgroup_parent;    // "" is "/proa"
  bool default_no_new_privileges = false;
  std::vector<api::Ulimit> default_ulimits;
  std::int64_t default_shm_size = 64 << 20;
  std::string default_cgroupns_mode;  // "", host, private
  std::string apparmor_profile;       // "": none
  bool foreign_runtime = false;       // no options of our own in it
  std::vector<std::string> link_environment;
};

oci::Spec build_spec(const SpecInput& input);

// What is hidden and what is read-only where the request says nothing.
std::vector<std::string> default_masked_paths(const HostFacts& host);
std::vector<std::string> default_readonly_paths();

// Parts of it, also for exec and update.
std::vector<std::string> container_environment(const Definition& definition, std::string_view home,
                                               std::vector<std::string> of_links);
oci::Resources build_resources(const api::Resources& resources);
std::vector<oci::Mount> build_mounts(const SpecInput& input);
// "/proa/<id>"
std::string cgroup_path(const std::string& parent, const std::string& id);
// Later entries of `over` replace those of `base` with the same name; docker's order.
std::vector<std::string> merge_environment(std::vector<std::string> base, const std::vector<std::string>& over);

}  // namespace proa::engine
