// network create, ls, rm, connect, disconnect
#include <algorithm>

#include "api/networks.h"
#include "base/text.h"
#include "base/time.h"
#include "cli/console.h"
#include "cli/create_options.h"
#include "cli/grammars.h"
#include "cli/listing_text.h"
#include "cli/table.h"
#include "cli/verbs.h"

namespace proa::cli {

namespace {

constexpr Column kColumns[] = {{"ID", "NETWORK ID"},     {"Name", "NAME"},     {"Driver", "DRIVER"},
                               {"Scope", "SCOPE"},       {"IPv4", "IPV4"},     {"IPv6", "IPV6"},
                               {"Internal", "INTERNAL"}, {"Labels", "LABELS"}, {"CreatedAt", "CREATED AT"}};

// 1 where `address` lies inside `subnet`.
bool inside(const std::string& subnet, std::string_view address) {
  auto bytes_of = [](std::string_view text) {
    std::vector<std::uint8_t> bytes;
    if (text.find(':') == std::string_view::npos) {
      for (const std::string& part : split(text, '.')) bytes.push_back(parse_int<std::uint8_t>(part).value_or(0));
    }
    return bytes;
  };
  auto [base, length] = cut(subnet, '/');
  std::string_view host = cut(address, '/').first;
  bool six = base.find(':') != std::string_view::npos;
  if (six || host.find(':') != std::string_view::npos) return six == (host.find(':') != std::string_view::npos);
  std::vector<std::uint8_t> a = bytes_of(base), b = bytes_of(host);
  int bits = parse_int<int>(length.value_or("32")).value_or(32);
  for (std::size_t i = 0; i < 4 && bits > 0; ++i, bits -= 8) {
    int mask = bits >= 8 ? 0xFF : 0xFF << (8 - bits) & 0xFF;
    if (a.size() != 4 || b.size() != 4 || (a[i] & mask) != (b[i] & mask)) return false;
  }
  return true;
}

api::Ipam plan_ipam(const Flags& flags) {
  api::Ipam ipam;
  ipam.driver = flags.text("ipam-driver");
  api::StringMap options = key_value_map(flags.list("ipam-opt"));
  if (!options.empty()) ipam.options = options;
  const std::vector<std::string>& subnets = flags.list("subnet");
  if (subnets.size() < flags.list("ip-range").size() || subnets.size() < flags.list("gateway").size()) {
    throw ExitWith{1, "every ip-range or gateway must have a corresponding subnet"};
  }
  for (const std::string& subnet : subnets) {
    if (subnet.find('/') == std::string::npos || !is_ip_address(cut(subnet, '/').first))
      throw ExitWith{1, cat("invalid subnet ", subnet, " : invalid CIDR block notation: ", subnet)};
    ipam.config.push_back({subnet, "", "", {}});
  }
  auto place = [&](const std::string& address, std::string api::IpamPool::*member, const char* what) {
    for (api::IpamPool& pool : ipam.config) {
      if (!inside(pool.subnet, address)) continue;
      if (!(pool.*member).empty())
        throw ExitWith{1, cat("cannot configure multiple ", what, " (", pool.*member, ", ", address,
                              ") on the same subnet (", pool.subnet, ")")};
      pool.*member = address;
      return;
    }
    throw ExitWith{1,
                   cat("no matching subnet for ", what == std::string_view("ranges") ? "range " : "gateway ", address)};
  };
  for (const std::string& range : flags.list("ip-range")) place(range, &api::IpamPool::ip_range, "ranges");
  for (const std::string& gateway : flags.list("gateway")) place(gateway, &api::IpamPool::gateway, "gateway");
  for (const auto& [name, address] : key_value_map(flags.list("aux-address"))) {
    auto pool = std::find_if(ipam.config.begin(), ipam.config.end(),
                             [&](const api::IpamPool& one) { return inside(one.subnet, address); });
    if (pool == ipam.config.end()) throw ExitWith{1, cat("no matching subnet for aux-address ", address)};
    pool->auxiliary_addresses[name] = address;
  }
  return ipam;
}

}  // namespace

int run_network_create(Call& call) {
  const Flags& flags = call.flags;
  api::NetworkCreateRequest request;
  request.name = call.arguments()[0];
  request.driver = flags.text("driver");
  request.scope = flags.text("scope");
  request.options = key_value_map(flags.list("opt"));
  request.labels = key_value_map(flags.list("label"));
  request.internal = flags.on("internal"), request.ingress = flags.on("ingress"),
  request.attachable = flags.on("attachable");
  request.config_only = flags.on("config-only");
  if (flags.given("ipv4")) request.enable_ipv4 = flags.on("ipv4");
  if (flags.given("ipv6")) request.enable_ipv6 = flags.on("ipv6");
  if (std::string from = flags.text("config-from"); !from.empty()) request.config_from = api::ConfigReference{from};
  request.ipam = plan_ipam(flags);
  Json reply = call.session.post("/networks/create", {}, api::to_json(request));
  if (std::string warning = json::string_at(reply, "Warning"); !warning.empty()) err_line(cat("WARNING: ", warning));
  out_line(json::string_at(reply, "Id"));
  return 0;
}

int run_network_list(Call& call) {
  const Flags& flags = call.flags;
  std::string format = flags.on("quiet") && (flags.text("format").empty() || flags.text("format") == "table")
                           ? "{{.ID}}"
                           : flags.text("format");
  if (format == "raw") {
    format = flags.on("quiet") ? "network_id: {{.ID}}"
                               : "network_id: {{.ID}}\nname: {{.Name}}\ndriver: {{.Driver}}\nscope: {{.Scope}}\n";
  }
  Listing listing(kColumns, format, "table {{.ID}}\t{{.Name}}\t{{.Driver}}\t{{.Scope}}", "*network.networkContext");
  Query query;
  add_filters(query, flags.list("filter"));
  Json reply = call.session.get("/networks", query);
  std::vector<JsonObject> rows;
  for (const Json& network : array_of(&reply)) {
    JsonObject row;
    std::string id = json::string_at(network, "Id");
    row["ID"] = flags.on("no-trunc") ? id : truncated_id(id);
    row["Name"] = json::string_at(network, "Name"), row["Driver"] = json::string_at(network, "Driver"),
    row["Scope"] = json::string_at(network, "Scope");
    row["IPv4"] = cat(json::bool_at(network, "EnableIPv4")), row["IPv6"] = cat(json::bool_at(network, "EnableIPv6"));
    row["Internal"] = cat(json::bool_at(network, "Internal"));
    const Json* labels = json::find(network, "Labels");
    row["Labels"] = labels_text(labels);
    row["\x01labels"] = object_of(labels);
    auto created = parse_rfc3339(json::string_at(network, "Created"));
    row["CreatedAt"] =
        created ? replace_all(format_rfc3339(*created), "T", " ").substr(0, format_rfc3339(*created).size() - 1) +
                      " +0000 UTC"
                : "";
    rows.push_back(std::move(row));
  }
  std::stable_sort(rows.begin(), rows.end(), [](const JsonObject& a, const JsonObject& b) {
    return a.at("Name").as_string() < b.at("Name").as_string();
  });
  out(listing.render(rows));
  return 0;
}

int run_network_remove(Call& call) {
  int status = 0;
  for (const std::string& name : call.arguments()) {
    try {
      call.session.erase(cat("/networks/", path_escape(name)));
      out_line(name);
    } catch (const Error& error) {
      if (call.flags.on("force") && error.kind() == ErrorKind::NotFound) continue;
      err_line(error.message());
      status = 1;
    }
  }
  return status;
}

int run_network_connect(Call& call) {
  const Flags& flags = call.flags;
  api::NetworkConnect request;
  request.container = call.arguments()[1];
  api::EndpointSettings endpoint;
  if (!flags.list("alias").empty()) endpoint.aliases = flags.list("alias");
  if (!flags.list("link").empty()) endpoint.links = flags.list("link");
  api::StringMap options = key_value_map(flags.list("driver-opt"));
  if (!options.empty()) endpoint.driver_opts = options;
  endpoint.gw_priority = static_cast<int>(flags.number("gw-priority"));
  api::EndpointIpamConfig addresses{flags.text("ip"), flags.text("ip6"), flags.list("link-local-ip")};
  if (!addresses.ipv4_address.empty() || !addresses.ipv6_address.empty() || !addresses.link_local_ips.empty())
    endpoint.ipam_config = addresses;
  request.endpoint_config = endpoint;
  call.session.post(cat("/networks/", path_escape(call.arguments()[0]), "/connect"), {}, api::to_json(request));
  return 0;
}

int run_network_disconnect(Call& call) {
  api::NetworkDisconnect request{call.arguments()[1], call.flags.on("force")};
  call.session.post(cat("/networks/", path_escape(call.arguments()[0]), "/disconnect"), {}, api::to_json(request));
  return 0;
}

}  // namespace proa::cli
