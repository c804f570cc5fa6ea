#include "engine/capability_set.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/text.h"

namespace proa::engine {
namespace {

// In the kernel's numbering.
constexpr std::array<std::string_view, 41> kNames = {"CHOWN",
                                                     "DAC_OVERRIDE",
                                                     "DAC_READ_SEARCH",
                                                     "FOWNER",
                                                     "FSETID",
                                                     "KILL",
                                                     "SETGID",
                                                     "SETUID",
                                                     "SETPCAP",
                                                     "LINUX_IMMUTABLE",
                                                     "NET_BIND_SERVICE",
                                                     "NET_BROADCAST",
                                                     "NET_ADMIN",
                                                     "NET_RAW",
                                                     "IPC_LOCK",
                                                     "IPC_OWNER",
                                                     "SYS_MODULE",
                                                     "SYS_RAWIO",
                                                     "SYS_CHROOT",
                                                     "SYS_PTRACE",
                                                     "SYS_PACCT",
                                                     "SYS_ADMIN",
                                                     "SYS_BOOT",
                                                     "SYS_NICE",
                                                     "SYS_RESOURCE",
                                                     "SYS_TIME",
                                                     "SYS_TTY_CONFIG",
                                                     "MKNOD",
                                                     "LEASE",
                                                     "AUDIT_WRITE",
                                                     "AUDIT_CONTROL",
                                                     "SETFCAP",
                                                     "MAC_OVERRIDE",
                                                     "MAC_ADMIN",
                                                     "SYSLOG",
                                                     "WAKE_ALARM",
                                                     "BLOCK_SUSPEND",
                                                     "AUDIT_READ",
                                                     "PERFMON",
                                                     "BPF",
                                                     "CHECKPOINT_RESTORE"};

constexpr std::array<std::string_view, 14> kDefault = {
    "CHOWN",  "DAC_OVERRIDE", "FSETID",  "FOWNER",           "MKNOD",      "NET_RAW", "SETGID",
    "SETUID", "SETFCAP",      "SETPCAP", "NET_BIND_SERVICE", "SYS_CHROOT", "KILL",    "AUDIT_WRITE"};

// Without CAP_, in capitals.
std::set<std::string> normalized(const std::vector<std::string>& names, std::string_view field) {
  std::set<std::string> out;
  for (const auto& given : names) {
    std::string name = to_upper(given);
    if (name.starts_with("CAP_")) name.erase(0, 4);
    if (name != "ALL" && std::find(kNames.begin(), kNames.end(), name) == kNames.end()) {
      throw Error(ErrorKind::InvalidArgument,
                  cat("invalid ", field, ": unknown capability: \"", to_upper(given).starts_with("CAP_") ? "" : "CAP_",
                      to_upper(given), "\""));
    }
    out.insert(std::move(name));
  }
  return out;
}

}  // namespace

std::vector<std::string> all_capabilities(int last_capability) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < kNames.size() && static_cast<int>(i) <= last_capability; ++i)
    out.push_back(cat("CAP_", kNames[i]));
  return out;
}

std::vector<std::string> container_capabilities(const std::vector<std::string>& add,
                                                const std::vector<std::string>& drop, bool privileged,
                                                int last_capability) {
  auto added = normalized(add, "CapAdd"), dropped = normalized(drop, "CapDrop");
  std::vector<std::string> out;
  for (std::size_t i = 0; i < kNames.size() && static_cast<int>(i) <= last_capability; ++i) {
    std::string name(kNames[i]);
    bool has = privileged || added.contains(name);
    if (!has && added.contains("ALL")) has = !dropped.contains(name);
    if (!has && !dropped.contains("ALL")) {
      has = !dropped.contains(name) && std::find(kDefault.begin(), kDefault.end(), name) != kDefault.end();
    }
    if (has) out.push_back("CAP_" + name);
  }
  return out;
}

}  // namespace proa::engine
