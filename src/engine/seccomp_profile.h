// Docker's default system call filter, as a table of our own (facts: security.md 2.3).
#pragma once

#include <set>
#include <string>

#include "oci/runtime_spec.h"

namespace proa::engine {

// `capabilities`: those the container has ("CAP_SYS_ADMIN"); several rules hang on them.
// `architecture` in Go's names ("amd64").
oci::Seccomp default_seccomp(const std::set<std::string>& capabilities, const std::string& architecture);

// A profile as `--security-opt seccomp=FILE` brings it: Docker's own form with includes, excludes and archMap, or the
// form of config.json. Throws InvalidArgument.
oci::Seccomp seccomp_from_json(const Json& profile, const std::set<std::string>& capabilities,
                               const std::string& architecture);

}  // namespace proa::engine
