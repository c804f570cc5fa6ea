// The zero values of docker's types: what `inspect --format` shows of a member that the daemon left out or sent as
// null.
#include <algorithm>
#include <span>

#include "cli/template_value.h"

namespace proa::cli::tmpl {

namespace {

using Names = std::span<const std::string_view>;

bool in(Names names, std::string_view name) { return std::find(names.begin(), names.end(), name) != names.end(); }

constexpr std::string_view kLists[] = {"Aliases",
                                       "Binds",
                                       "BlkioDeviceReadBps",
                                       "BlkioDeviceReadIOps",
                                       "BlkioDeviceWriteBps",
                                       "BlkioDeviceWriteIOps",
                                       "BlkioWeightDevice",
                                       "CapAdd",
                                       "CapDrop",
                                       "Cmd",
                                       "DNSNames",
                                       "DeviceCgroupRules",
                                       "DeviceRequests",
                                       "Devices",
                                       "Dns",
                                       "DnsOptions",
                                       "DnsSearch",
                                       "Entrypoint",
                                       "Env",
                                       "ExecIDs",
                                       "ExtraHosts",
                                       "GroupAdd",
                                       "Layers",
                                       "Links",
                                       "MaskedPaths",
                                       "Mounts",
                                       "OnBuild",
                                       "ReadonlyPaths",
                                       "RepoDigests",
                                       "RepoTags",
                                       "SecondaryIPAddresses",
                                       "SecondaryIPv6Addresses",
                                       "SecurityOpt",
                                       "Shell",
                                       "Ulimits",
                                       "VolumesFrom"};
constexpr std::string_view kPointers[] = {"BindOptions",      "Health",         "Healthcheck",  "IPAMConfig", "Init",
                                          "MemorySwappiness", "OomKillDisable", "PidsLimit",    "SizeRootFs", "SizeRw",
                                          "StopTimeout",      "TmpfsOptions",   "VolumeOptions"};
constexpr std::string_view kStrings[] = {"CgroupnsMode", "Comment",    "Isolation", "MacAddress",  "OsVersion",
                                         "Runtime",      "StopSignal", "Variant",   "VolumeDriver"};
constexpr std::string_view kNumbers[] = {"GwPriority", "KernelMemory", "KernelMemoryTCP"};
constexpr std::string_view kBooleans[] = {"ArgsEscaped", "NetworkDisabled"};
// A container itself has no more members that may be missing.
constexpr std::string_view kOfContainers[] = {"ExecIDs", "SizeRootFs", "SizeRw"};

}  // namespace

std::optional<Value> zero_of(std::string_view name) {
  if (in(kLists, name)) return Value{.json = JsonArray{}, .is_nil = true};
  if (is_map_member(name)) return Value{.json = JsonObject{}, .is_map = true, .is_nil = true};
  if (in(kPointers, name)) return Value{.json = nullptr};
  if (in(kStrings, name)) return Value{.json = ""};
  if (in(kNumbers, name)) return Value{.json = 0};
  if (in(kBooleans, name)) return Value{.json = false};
  return std::nullopt;
}

std::optional<Value> missing_member(const JsonObject& owner, std::string_view name) {
  if (owner.contains("HostConfig") && !in(kOfContainers, name)) return std::nullopt;
  return zero_of(name);
}

}  // namespace proa::cli::tmpl
