#include "cli/grammars.h"

#include <arpa/inet.h>
#include <sys/stat.h>

#include <array>

#include "base/text.h"
#include "base/time.h"
#include "base/units.h"

namespace proa::cli {

namespace {

[[noreturn]] void bad(std::string message) { throw FlagError{std::move(message)}; }

// The text that f() throws, "" if it does not.
template <class F>
std::string complaint(F&& f) {
  try {
    f();
    return "";
  } catch (const FlagError& error) {
    return error.message;
  }
}

bool is_digits(std::string_view text) {
  if (text.empty()) return false;
  for (char c : text)
    if (c < '0' || c > '9') return false;
  return true;
}

std::int64_t limit_value(std::string_view text) {
  std::int64_t value = 0;
  std::string_view digits = text.starts_with('-') ? text.substr(1) : text;
  if (!is_digits(digits)) bad(cat("strconv.ParseInt: parsing ", quoted(text), ": invalid syntax"));
  if (parse_go_int(
          digits.size() > 1 ? digits.substr(std::min(digits.find_first_not_of('0'), digits.size() - 1)) : digits,
          value) != IntError::None) {
    bad(cat("strconv.ParseInt: parsing ", quoted(text), ": value out of range"));
  }
  return digits.size() == text.size() ? value : -value;
}

struct Range {
  std::uint32_t first, last;
};

// nullopt: no range of ports; `why` in strconv's words.
std::optional<Range> parse_port_range(std::string_view text, std::string& why) {
  auto number = [&](std::string_view part) -> std::optional<std::uint32_t> {
    if (!is_digits(part)) {
      why = cat("strconv.ParseUint: parsing ", quoted(part), ": invalid syntax");
      return std::nullopt;
    }
    auto value = parse_int<std::uint16_t>(part);
    if (!value) why = cat("strconv.ParseUint: parsing ", quoted(part), ": value out of range");
    return value;
  };
  auto [low, high] = cut(text, '-');
  auto first = number(low);
  if (!first) return std::nullopt;
  auto last = high ? number(*high) : first;
  if (!last) return std::nullopt;
  if (*last < *first) {
    why = cat("invalid range specified for port: ", text);
    return std::nullopt;
  }
  return Range{*first, *last};
}

bool is_proto(std::string_view proto) { return proto == "tcp" || proto == "udp" || proto == "sctp"; }

// target=80,published=8080,protocol=tcp,mode=host -> 8080:80/tcp, as docker does it for run.
std::string short_port_form(std::string_view value) {
  std::string target, published, protocol;
  for (const std::string& field : split(value, ',')) {
    auto [key, content] = cut(field, '=');
    if (!content) bad("invalid key=value in port");
    std::string name = to_lower(key);
    if (name == "protocol") protocol = *content;
    if (name == "target") target = *content;
    if (name == "published") published = *content;
  }
  if (protocol.empty()) protocol = "tcp";
  return cat(published, published.empty() ? "" : ":", target, "/", protocol);
}

}  // namespace

std::optional<std::int64_t> parse_bytes(std::string_view value) {
  if (value == "-1") return -1;
  return parse_ram_bytes(value);
}

std::string check_bytes(std::string_view value) {
  return parse_ram_bytes(value) ? "" : cat("invalid size: '", value, "'");
}

std::int64_t parse_cpus(std::string_view value) {
  auto reject = [&] { bad(cat("failed to parse ", value, " as a rational number")); };
  std::string_view rest = value;
  bool negative = rest.starts_with('-');
  if (negative || rest.starts_with('+')) rest.remove_prefix(1);
  auto [whole, fraction] = cut(rest, '.');
  std::string decimals(fraction.value_or(""));
  if ((whole.empty() && decimals.empty()) || (!whole.empty() && !is_digits(whole)) ||
      (!decimals.empty() && !is_digits(decimals))) {
    reject();
  }
  while (decimals.size() > 9 && decimals.back() == '0') decimals.pop_back();
  if (decimals.size() > 9) bad("value is too precise");
  decimals.resize(9, '0');
  std::string digits = cat(whole, decimals);
  auto nanos = parse_int<std::int64_t>(digits);
  if (!nanos) reject();
  return negative ? -*nanos : *nanos;
}

std::string check_cpus(std::string_view value) {
  return complaint([&] { parse_cpus(value); });
}

std::string check_duration(std::string_view value) {
  if (parse_go_duration(value)) return "";
  std::size_t at = value.find_first_of("0123456789");
  bool starts_well = at == 0 || (at == 1 && (value[0] == '-' || value[0] == '+' || value[0] == '.'));
  if (!starts_well) return cat("time: invalid duration ", quoted(value));
  std::size_t unit = value.find_first_not_of("0123456789.", at);
  if (unit == std::string_view::npos) return cat("time: missing unit in duration ", quoted(value));
  std::size_t end = value.find_first_of("0123456789.", unit);
  return cat("time: unknown unit ", quoted(value.substr(unit, end == std::string_view::npos ? end : end - unit)),
             " in duration ", quoted(value));
}

std::string check_filter(std::string_view value) {
  return value.empty() || value.find('=') != std::string_view::npos ? "" : "bad format of filter (expected name=value)";
}

std::string check_env(std::string_view value) {
  return value.empty() || value[0] == '=' ? cat("invalid environment variable: ", value) : "";
}

std::string check_attach(std::string_view value) {
  std::string name = to_lower(value);
  return name == "stdin" || name == "stdout" || name == "stderr" ? "" : "valid streams are STDIN, STDOUT and STDERR";
}

bool is_ip_address(std::string_view text) {
  std::string address(text);
  std::array<unsigned char, 16> bytes;
  return inet_pton(AF_INET, address.c_str(), bytes.data()) == 1 ||
         inet_pton(AF_INET6, address.c_str(), bytes.data()) == 1;
}

std::string check_ip(std::string_view value) {
  return is_ip_address(trim(value)) ? "" : cat("IP address is not correctly formatted: ", value);
}

std::string check_dns_search(std::string_view value) {
  std::string_view name = trim(value);
  if (name == ".") return "";
  if (name.ends_with('.')) name.remove_suffix(1);
  bool good = !name.empty() && name.size() < 255, alphabetic = false;
  for (const std::string& label : split(name, '.')) {
    good = good && !label.empty() && label.front() != '-' && label.back() != '-';
    for (char c : label) good = good && (std::isalnum(static_cast<unsigned char>(c)) || c == '-');
  }
  for (char c : name) alphabetic = alphabetic || std::isalpha(static_cast<unsigned char>(c));
  return good && alphabetic ? "" : cat(value, " is not a valid domain");
}

std::string parse_extra_host(std::string_view value) {
  std::size_t at = value.find_first_of("=:");
  if (at == std::string_view::npos || at == 0) bad(cat("bad format for add-host: ", quoted(value)));
  std::string_view host = value.substr(0, at), address = value.substr(at + 1);
  if (address.size() > 2 && address.front() == '[' && address.back() == ']')
    address = address.substr(1, address.size() - 2);
  if (address != "host-gateway" && !is_ip_address(address))
    bad(cat("invalid IP address in add-host: ", quoted(address)));
  return cat(host, ":", address);
}

// docker's list of what has a namespace; what it means is the kernel's question.
std::string check_sysctl(std::string_view value) {
  static constexpr std::string_view kAllowed[] = {"kernel.msgmax", "kernel.msgmnb",         "kernel.msgmni",
                                                  "kernel.sem",    "kernel.shmall",         "kernel.shmmax",
                                                  "kernel.shmmni", "kernel.shm_rmid_forced"};
  auto [name, content] = cut(value, '=');
  bool known = std::find(std::begin(kAllowed), std::end(kAllowed), name) != std::end(kAllowed);
  bool good = content && (known || name.starts_with("net.") || name.starts_with("fs.mqueue."));
  return good ? "" : cat("sysctl '", value, "' is not allowed");
}

std::string check_extra_host(std::string_view value) {
  return complaint([&] { parse_extra_host(value); });
}

api::DeviceMapping parse_device(std::string_view value) {
  auto is_mode = [](std::string_view mode) {
    return !mode.empty() && mode.size() <= 3 && mode.find_first_not_of("rwm") == std::string_view::npos;
  };
  if (std::string wrong = check_device(value); !wrong.empty()) bad(wrong);
  api::DeviceMapping device{"", "", "rwm"};
  std::vector<std::string> parts = split(value, ':');
  switch (parts.size()) {
    case 3:
      device.cgroup_permissions = parts[2];
      [[fallthrough]];
    case 2:
      (is_mode(parts[1]) ? device.cgroup_permissions : device.path_in_container) = parts[1];
      [[fallthrough]];
    case 1:
      device.path_on_host = parts[0];
      break;
    default:
      bad(cat("invalid device specification: ", value));
  }
  if (device.path_in_container.empty()) device.path_in_container = device.path_on_host;
  return device;
}

std::string check_device(std::string_view value) {
  std::vector<std::string> parts = split(value, ':');
  if (parts[0].find('=') != std::string::npos && parts[0].find('/') != std::string::npos && parts[0][0] != '/')
    return "";  // CDI
  if (parts.size() > 3) return cat("bad format for path: ", value);
  for (std::size_t i = 0; i < parts.size() && i < 2; ++i) {
    if (i == 1 && parts[i].find_first_not_of("rwm") == std::string::npos && !parts[i].empty()) continue;
    if (parts[i].empty() || parts[i][0] != '/') return cat(parts[i], " is not an absolute path");
  }
  bool mode = parts.size() < 3 || (!parts[2].empty() && parts[2].find_first_not_of("rwm") == std::string::npos);
  return mode ? "" : cat("bad mode specified: ", parts[2]);
}

// ^[acb] ([0-9]+|\*):([0-9]+|\*) [rwm]{1,3}$
std::string check_device_rule(std::string_view value) {
  std::vector<std::string> parts = split(value, ' ');
  bool good = parts.size() == 3 && parts[0].size() == 1 &&
              std::string_view("acb").find(parts[0][0]) != std::string_view::npos && parts[2].size() >= 1 &&
              parts[2].size() <= 3 && parts[2].find_first_not_of("rwm") == std::string::npos;
  if (good) {
    auto [major, minor] = cut(parts[1], ':');
    good = minor && (major == "*" || is_digits(major)) && (*minor == "*" || is_digits(*minor));
  }
  return good ? "" : cat("invalid device cgroup format '", value, "'");
}

std::string check_link(std::string_view value) {
  std::vector<std::string> parts = split(value, ':');
  if (value.empty()) return "empty string specified for links";
  return parts.size() > 2 ? cat("bad format for links: ", value) : "";
}

std::string check_content_trust(std::string_view value) {
  return parse_go_bool(value).value_or(true) ? ""
                                             : "content trust is not available: images are verified by digest only";
}

std::string check_label(std::string_view value) {
  return cut(value, '=').first.empty() ? cat("invalid label '", value, "': empty name") : "";
}

api::WeightDevice parse_weight_device(std::string_view value) {
  auto [path, weight] = cut(value, ':');
  if (!weight || path.empty()) bad(cat("bad format: ", value));
  if (!path.starts_with("/dev/")) bad(cat("bad format for device path: ", value));
  auto number = parse_int<std::uint16_t>(*weight);
  if (!number || (*number > 0 && (*number < 10 || *number > 1000))) bad(cat("invalid weight for device: ", value));
  return {std::string(path), *number};
}

api::ThrottleDevice parse_throttle(std::string_view value, bool bytes) {
  auto [path, rate] = cut(value, ':');
  if (!rate || path.empty()) bad(cat("bad format: ", value));
  if (!path.starts_with("/dev/")) bad(cat("bad format for device path: ", value));
  std::optional<std::int64_t> number = bytes ? parse_ram_bytes(*rate) : parse_int<std::int64_t>(*rate);
  if (!number || *number < 0) {
    bad(cat("invalid rate for device: ", value, ". The correct format is <device-path>:<number>",
            bytes ? "[<unit>]" : "", ". Number must be a positive integer",
            bytes ? ". Unit is optional and can be kb, mb, or gb" : ""));
  }
  return {std::string(path), static_cast<std::uint64_t>(*number)};
}

std::string check_weight_device(std::string_view value) {
  return complaint([&] { parse_weight_device(value); });
}
std::string check_throttle_bps(std::string_view value) {
  return complaint([&] { parse_throttle(value, true); });
}
std::string check_throttle_iops(std::string_view value) {
  return complaint([&] { parse_throttle(value, false); });
}

api::Ulimit parse_ulimit(std::string_view value) {
  static constexpr std::string_view kNames[] = {"core",    "cpu",      "data",   "fsize",      "locks",
                                                "memlock", "msgqueue", "nice",   "nofile",     "nproc",
                                                "rss",     "rtprio",   "rttime", "sigpending", "stack"};
  auto [name, limits] = cut(value, '=');
  if (!limits) bad(cat("invalid ulimit argument: ", value));
  bool known = false;
  for (std::string_view one : kNames) known = known || one == name;
  if (!known) bad(cat("invalid ulimit type: ", name));
  std::vector<std::string> parts = split(*limits, ':');
  if (parts.size() > 2)
    bad(cat("too many limit value arguments - ", *limits, ", can only have up to two, `soft[:hard]`"));
  std::int64_t soft = limit_value(parts[0]);
  std::int64_t hard = parts.size() == 2 ? limit_value(parts[1]) : soft;
  if (hard != -1 && (soft == -1 || soft > hard)) {
    bad(cat("ulimit soft limit must be less than or equal to hard limit: ", soft, " > ", hard));
  }
  return {std::string(name), soft, hard};
}

std::string check_ulimit(std::string_view value) {
  return complaint([&] { parse_ulimit(value); });
}

api::RestartPolicy parse_restart(std::string_view value) {
  if (value.empty()) return {};
  auto [name, count] = cut(value, ':');
  api::RestartPolicy policy{std::string(name), 0};
  if (name.empty()) bad("invalid restart policy format: no policy provided before colon");
  if (count) {
    auto number = parse_int<int>(*count);
    if (!number) bad("invalid restart policy format: maximum retry count must be an integer");
    policy.maximum_retry_count = *number;
  }
  return policy;
}

std::vector<PublishedPort> parse_publish(std::string_view given) {
  std::string value = given.find('=') != std::string_view::npos ? short_port_form(given) : std::string(given);
  std::vector<std::string> parts = split(value, ':');
  std::string container = parts.back(), host = parts.size() > 1 ? parts[parts.size() - 2] : "", ip, why;
  for (std::size_t i = 0; i + 2 < parts.size(); ++i) ip += (i ? ":" : "") + parts[i];
  std::string proto = "tcp";
  if (auto [port, name] = cut(container, '/'); name) {
    if (!name->empty()) proto = std::string(*name);
    container = std::string(port);
  }
  if (ip.size() > 2 && ip.front() == '[' && ip.back() == ']') ip = ip.substr(1, ip.size() - 2);
  if (!ip.empty() && !is_ip_address(ip)) bad(cat("invalid IP address: ", ip));
  if (container.empty()) bad(cat("no port specified: ", value, "<empty>"));
  auto inner = parse_port_range(container, why);
  if (!inner) bad(cat("invalid containerPort: ", container));
  std::optional<Range> outer;
  if (!host.empty() && !(outer = parse_port_range(host, why))) bad(cat("invalid hostPort: ", host));
  bool one = inner->first == inner->last;
  if (outer && inner->last - inner->first != outer->last - outer->first && !one) {
    bad(cat("invalid ranges specified for container and host Ports: ", container, " and ", host));
  }
  if (!is_proto(to_lower(proto))) bad(cat("invalid proto: ", proto));
  std::vector<PublishedPort> ports;
  for (std::uint32_t i = 0; i <= inner->last - inner->first; ++i) {
    std::string host_port = outer ? cat(outer->first + i) : "";
    if (outer && one && outer->first != outer->last) host_port = cat(outer->first, "-", outer->last);
    ports.push_back({cat(inner->first + i, "/", to_lower(proto)), {ip, host_port}});
  }
  return ports;
}

std::vector<std::string> parse_expose(std::string_view value) {
  if (value.find(':') != std::string_view::npos) bad(cat("invalid port format for --expose: ", value));
  auto [port, name] = cut(value, '/');
  std::string proto = name && !name->empty() ? to_lower(*name) : "tcp", why = "empty string specified for ports";
  auto range = port.empty() ? std::nullopt : parse_port_range(port, why);
  if (!range) bad(cat("invalid range format for --expose: ", value, ", error: ", why));
  if (!is_proto(proto)) bad(cat("invalid proto: ", proto));
  std::vector<std::string> ports;
  for (std::uint32_t one = range->first; one <= range->last; ++one) ports.push_back(cat(one, "/", proto));
  return ports;
}

}  // namespace proa::cli
