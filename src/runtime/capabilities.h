// The five capability sets of a process (capabilities(7)), by the kernel's interface alone.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "oci/runtime_spec.h"

namespace proa::runtime {

using CapabilitySet = std::uint64_t;  // bit n: capability number n
constexpr CapabilitySet bit(int capability) { return CapabilitySet{1} << capability; }
inline constexpr int kCapSysAdmin = 21, kCapSetgid = 6, kCapSetuid = 7, kCapSetpcap = 8, kCapSysResource = 24;

std::optional<int> capability_number(std::string_view name);  // "CAP_CHOWN"
std::string_view capability_name(int number);                 // "" if unknown
std::vector<std::string> all_capability_names();

struct CapabilitySets {
  CapabilitySet bounding = 0, effective = 0, inheritable = 0, permitted = 0, ambient = 0;
};
// Names the kernel or this program do not know are left out with a warning, as runc does. nullopt: all empty.
CapabilitySets capability_sets(const std::optional<oci::Capabilities>& names, std::vector<std::string>& warnings);

// CHILD.
CapabilitySet permitted_now();
void drop_bounding(CapabilitySet keep);
void set_capabilities(CapabilitySet effective, CapabilitySet permitted, CapabilitySet inheritable);
void raise_ambient(CapabilitySet ambient);

}  // namespace proa::runtime
