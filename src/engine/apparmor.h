// AppArmor: which profile a container runs under, and Docker's default one, which the kernel has to be given.
#pragma once

#include <mutex>
#include <string>
#include <string_view>

#include "api/host_config.h"

namespace proa::engine {

// The text of the profile "docker-default" for apparmor_parser. `own_label`: the profile that the daemon itself runs
// under ("unconfined" if none), which may signal containers. Pure.
std::string default_apparmor_profile(std::string_view own_label, bool has_abi);

class AppArmor {
 public:
  AppArmor();  // looks whether the kernel has it

  bool enabled() const { return enabled_; }
  // docker-default, unconfined, or what --security-opt names; "" where the kernel has no AppArmor.
  std::string profile_of(const api::HostConfig& host) const;
  // The same for a process that is started now: docker-default is loaded if it is wanted and has gone (an upgrade of
  // the host's profiles unloads it). "" where nothing can load it. Throws what apparmor_parser says.
  std::string prepare(const api::HostConfig& host) const;
  // For `info`: why containers run without the default profile; "" if they do not.
  std::string warning() const;

 private:
  bool load_default() const;  // false: no parser

  bool enabled_ = false;
  mutable std::mutex mutex_;  // one load at a time
};

}  // namespace proa::engine
