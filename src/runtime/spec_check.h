// Whether a config.json is one this runtime will act on. Unknown values are errors, not defaults (security.md R5).
#pragma once

#include "oci/runtime_spec.h"

namespace proa::runtime {

void check_process(const oci::Process& process);  // throws InvalidArgument
void check_spec(const oci::Spec& spec, bool detached_root);
void check_container_id(std::string_view id);

}  // namespace proa::runtime
