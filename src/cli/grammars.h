// What the values of docker's flags mean. Every parse_* is pure and throws FlagError with docker's text; every check_*
// is that text, "" for a good value.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/containers.h"
#include "cli/flags.h"

namespace proa::cli {

std::optional<std::int64_t> parse_bytes(std::string_view value);  // "512m"; "-1" is -1
std::int64_t parse_cpus(std::string_view value);                  // "1.5" -> 1'500'000'000
std::string check_bytes(std::string_view value);
std::string check_cpus(std::string_view value);
std::string check_duration(std::string_view value);

std::string check_filter(std::string_view value);
std::string check_mount(std::string_view value);
std::string check_network(std::string_view value);
std::string check_ulimit(std::string_view value);
std::string check_env(std::string_view value);
std::string check_attach(std::string_view value);
std::string check_ip(std::string_view value);
std::string check_dns_search(std::string_view value);
std::string check_extra_host(std::string_view value);
std::string check_sysctl(std::string_view value);
std::string check_device(std::string_view value);
std::string check_device_rule(std::string_view value);
std::string check_link(std::string_view value);
std::string check_label(std::string_view value);
std::string check_weight_device(std::string_view value);
std::string check_throttle_bps(std::string_view value);
std::string check_throttle_iops(std::string_view value);

bool is_ip_address(std::string_view text);

// -p [ip:][hostPort[-range]:]containerPort[-range][/proto], or target=80,published=8080.
struct PublishedPort {
  std::string port;  // "80/tcp"
  api::PortBinding binding;
};
std::vector<PublishedPort> parse_publish(std::string_view value);
// --expose 80, 80-90/udp: "80/tcp", ...
std::vector<std::string> parse_expose(std::string_view value);

api::Mount parse_mount(std::string_view csv, std::string_view working_directory);
api::Ulimit parse_ulimit(std::string_view value);
api::DeviceMapping parse_device(std::string_view value);
api::WeightDevice parse_weight_device(std::string_view value);
api::ThrottleDevice parse_throttle(std::string_view value, bool bytes);
// "host:ip" with the separator docker sends.
std::string parse_extra_host(std::string_view value);
api::RestartPolicy parse_restart(std::string_view value);

// --network NAME or name=...,alias=...,ip=...
struct NetworkAttachment {
  std::string target;
  std::vector<std::string> aliases, link_local_ips;
  std::string ip, ip6, mac_address;
  api::StringMap driver_opts;
  int gw_priority = 0;
  std::vector<std::string> links{};  // of --link
};
NetworkAttachment parse_network(std::string_view value);

// --disable-content-trust=false would ask for signatures, which nothing here checks.
std::string check_content_trust(std::string_view value);

// -v: true if it is a container path alone (an anonymous volume); else the bind, its source made absolute.
struct VolumeSpec {
  bool anonymous = false;
  std::string path;  // the path of an anonymous volume
  std::string bind;  // "source:target[:options]"
};
VolumeSpec parse_volume(std::string_view value, std::string_view working_directory);

// The lines of an --env-file or --label-file: comments and blank lines skipped, names checked. `lookup` gives the value
// of a name without "=" (nullptr: labels, the line stays as it is).
using Lookup = std::optional<std::string> (*)(const std::string& name);
std::vector<std::string> parse_key_value_lines(std::string_view text, std::string_view file, Lookup lookup);

}  // namespace proa::cli
