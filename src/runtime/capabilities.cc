#include "runtime/capabilities.h"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/text.h"
#include "os/fd.h"
#include "os/host_info.h"

namespace proa::runtime {
namespace {

constexpr std::array<std::string_view, 41> kNames = {"CAP_CHOWN",
                                                     "CAP_DAC_OVERRIDE",
                                                     "CAP_DAC_READ_SEARCH",
                                                     "CAP_FOWNER",
                                                     "CAP_FSETID",
                                                     "CAP_KILL",
                                                     "CAP_SETGID",
                                                     "CAP_SETUID",
                                                     "CAP_SETPCAP",
                                                     "CAP_LINUX_IMMUTABLE",
                                                     "CAP_NET_BIND_SERVICE",
                                                     "CAP_NET_BROADCAST",
                                                     "CAP_NET_ADMIN",
                                                     "CAP_NET_RAW",
                                                     "CAP_IPC_LOCK",
                                                     "CAP_IPC_OWNER",
                                                     "CAP_SYS_MODULE",
                                                     "CAP_SYS_RAWIO",
                                                     "CAP_SYS_CHROOT",
                                                     "CAP_SYS_PTRACE",
                                                     "CAP_SYS_PACCT",
                                                     "CAP_SYS_ADMIN",
                                                     "CAP_SYS_BOOT",
                                                     "CAP_SYS_NICE",
                                                     "CAP_SYS_RESOURCE",
                                                     "CAP_SYS_TIME",
                                                     "CAP_SYS_TTY_CONFIG",
                                                     "CAP_MKNOD",
                                                     "CAP_LEASE",
                                                     "CAP_AUDIT_WRITE",
                                                     "CAP_AUDIT_CONTROL",
                                                     "CAP_SETFCAP",
                                                     "CAP_MAC_OVERRIDE",
                                                     "CAP_MAC_ADMIN",
                                                     "CAP_SYSLOG",
                                                     "CAP_WAKE_ALARM",
                                                     "CAP_BLOCK_SUSPEND",
                                                     "CAP_AUDIT_READ",
                                                     "CAP_PERFMON",
                                                     "CAP_BPF",
                                                     "CAP_CHECKPOINT_RESTORE"};

using CapabilityData = std::array<__user_cap_data_struct, 2>;

__user_cap_header_struct header() { return {_LINUX_CAPABILITY_VERSION_3, 0}; }

CapabilitySet set_of(const std::vector<std::string>& names, std::vector<std::string>& warnings) {
  CapabilitySet out = 0;
  for (const auto& name : names) {
    auto number = capability_number(name);
    if (number && *number <= os::last_capability()) {
      out |= bit(*number);
    } else {
      std::string warning = cat("ignoring unknown or unavailable capability ", name);
      if (std::find(warnings.begin(), warnings.end(), warning) == warnings.end()) {
        warnings.push_back(std::move(warning));
      }
    }
  }
  return out;
}

}  // namespace

std::optional<int> capability_number(std::string_view name) {
  auto found = std::find(kNames.begin(), kNames.end(), name);
  if (found == kNames.end()) return std::nullopt;
  return static_cast<int>(found - kNames.begin());
}

std::string_view capability_name(int number) {
  return number >= 0 && number < static_cast<int>(kNames.size()) ? kNames[static_cast<std::size_t>(number)] : "";
}

std::vector<std::string> all_capability_names() { return {kNames.begin(), kNames.end()}; }

CapabilitySets capability_sets(const std::optional<oci::Capabilities>& names, std::vector<std::string>& warnings) {
  if (!names) return {};
  CapabilitySets sets;
  sets.bounding = set_of(names->bounding, warnings);
  sets.effective = set_of(names->effective, warnings);
  sets.inheritable = set_of(names->inheritable, warnings);
  sets.permitted = set_of(names->permitted, warnings);
  sets.ambient = set_of(names->ambient, warnings);
  return sets;
}

CapabilitySet permitted_now() {
  auto head = header();
  CapabilityData data{};
  os::check(::syscall(SYS_capget, &head, data.data()), "capget");
  return data[0].permitted | CapabilitySet{data[1].permitted} << 32;
}

void drop_bounding(CapabilitySet keep) {
  for (int capability = 0; capability <= os::last_capability(); ++capability) {
    if (keep & bit(capability)) continue;
    // Without CAP_SETPCAP it cannot be dropped; that it is not there either is all that counts.
    if (::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0 && ::prctl(PR_CAPBSET_READ, capability, 0, 0, 0) != 0) {
      os::fail(cat("drop ", capability_name(capability), " from the bounding set"));
    }
  }
}

void set_capabilities(CapabilitySet effective, CapabilitySet permitted, CapabilitySet inheritable) {
  auto head = header();
  CapabilityData data{};
  for (std::size_t half = 0; half < 2; ++half) {
    auto part = [&](CapabilitySet set) { return static_cast<__u32>(set >> (32 * half)); };
    data[half] = {part(effective), part(permitted), part(inheritable)};
  }
  os::check(::syscall(SYS_capset, &head, data.data()), "capset");
}

void raise_ambient(CapabilitySet ambient) {
  os::check(::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0), "clear the ambient capabilities");
  for (int capability = 0; capability <= os::last_capability(); ++capability) {
    if (!(ambient & bit(capability))) continue;
    os::check(::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0),
              cat("raise ambient capability ", capability_name(capability)));
  }
}

}  // namespace proa::runtime
