// Which capabilities a container has (pure).
#pragma once

#include <set>
#include <string>
#include <vector>

namespace proa::engine {

// "CAP_CHOWN"... up to the kernel's last one.
std::vector<std::string> all_capabilities(int last_capability);
// Docker's 14, with what was added and dropped; names with or without CAP_, any case, ALL. Throws InvalidArgument with
// docker's text for unknown ones. In the kernel's order.
std::vector<std::string> container_capabilities(const std::vector<std::string>& add,
                                                const std::vector<std::string>& drop, bool privileged,
                                                int last_capability);

}  // namespace proa::engine
