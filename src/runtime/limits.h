// CHILD: what a process may use, and what it is called.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "oci/runtime_spec.h"
#include "runtime/namespaces.h"

namespace proa::runtime {

// A hard limit above ours needs CAP_SYS_RESOURCE; without it the limit is what can be had, with a warning.
void set_rlimits(const std::vector<oci::Rlimit>& rlimits, std::vector<std::string>& warnings);
int rlimit_number(std::string_view name);  // "RLIMIT_NOFILE"; throws InvalidArgument. Pure.
// Writes /proc/self/oom_score_adj; a score below ours needs CAP_SYS_RESOURCE: a warning without it.
void set_oom_score_adj(int score, std::vector<std::string>& warnings);
void set_scheduling(const oci::Process& process);
// "0-3,7" as numbers below 4096; throws InvalidArgument, naming `what`. Pure.
std::vector<unsigned> parse_number_list(std::string_view text, std::string_view what);
void set_cpu_affinity(std::string_view cpus);
void check_memory_policy(const oci::MemoryPolicy& policy);  // pure
void set_memory_policy(const oci::MemoryPolicy& policy);
std::vector<std::string_view> memory_policy_modes();
std::vector<std::string_view> memory_policy_flags();
void check_scheduling(const oci::Process& process);           // pure: names and ranges
void check_personality(const oci::Personality& personality);  // throws InvalidArgument
void set_personality(const oci::Personality& personality);

// kernel.shmmax or net/ipv4/ip_forward -> the path below /proc/sys. Throws what security.md section 2.9 refuses. Pure.
std::string plan_sysctl(std::string_view key, const NamespacePlan& namespaces);
// Written through the host's procfs, before any mount of the container's exists.
void set_sysctls(const std::map<std::string, std::string>& sysctls, const NamespacePlan& namespaces);

}  // namespace proa::runtime
