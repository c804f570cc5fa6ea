// A container's processes written to files, and brought to life from them, by CRIU.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "oci/runtime_spec.h"
#include "runtime/criu_message.h"
#include "runtime/state_dir.h"
#include "runtime/verbs.h"

namespace proa::runtime {

// What both directions are told.
struct CriuFiles {
  std::string program;     // "": criu of $PATH
  std::string image_path;  // the checkpoint's directory
  std::string work_path;   // of logs; "": image_path
};

// `options` has what the caller's flags say. Returns when the images are written; the container's processes have
// been killed then, unless they were to be left running.
void checkpoint(const ContainerState& state, const CriuFiles& files, criu::Kind kind, criu::Options options);

struct RestoreOptions {
  std::string id, bundle;
  bool systemd_cgroup = false, rootless = false;
  std::string cgroup_root = "/sys/fs/cgroup";
  CriuFiles files;
  criu::Options criu;  // what the caller's flags say
};
// The container's init becomes a child of this process. This process is in a mount namespace of its own afterwards.
Created restore(const oci::Spec& spec, RestoreOptions&& options);

}  // namespace proa::runtime
