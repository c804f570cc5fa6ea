// The system call filters that containers of this daemon have: few different ones for all of them, each compiled once.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/sync.h"
#include "oci/runtime_spec.h"
#include "os/fd.h"

namespace proa::engine {

class SeccompFilters {
 public:
  // The compiled filter of `profile`, to be sent along as "seccomp". `text` and `capabilities` are what the profile was
  // made from, and its name here: "" is the default profile.
  std::shared_ptr<const os::Fd> get(const std::string& text, const std::vector<std::string>& capabilities,
                                    const oci::Seccomp& profile);

 private:
  Sync<std::map<std::string, std::shared_ptr<const os::Fd>>> filters_;
};

}  // namespace proa::engine
