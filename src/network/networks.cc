#include "network/networks.h"

#include <linux/netlink.h>

#include <algorithm>

#include "base/failpoint.h"
#include "base/id.h"
#include "base/log.h"
#include "base/text.h"
#include "base/trace.h"
#include "network/etc_files.h"
#include "network/iptables.h"
#include "network/state.h"
#include "os/file.h"
#include "store/database.h"

namespace proa::network {
namespace {

constexpr std::string_view kTable = "networks";

bool is_predefined_name(std::string_view name) {
  return name == "bridge" || name == "host" || name == "none" || name == "default";
}

void check_name(std::string_view name) {
  if (trim(name).empty()) throw Error(ErrorKind::InvalidArgument, "invalid name: name is empty");
  for (char c : name) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f || c == '/') {
      throw Error(ErrorKind::InvalidArgument, cat("invalid name: ", quoted(name)));
    }
  }
}

void check_spec(const NetworkSpec& spec) {
  check_name(spec.name);
  if (is_predefined_name(spec.name)) {
    throw Error(ErrorKind::Forbidden, cat("operation is not permitted on predefined ", spec.name, " network "));
  }
  if (spec.driver == "host" || spec.driver == "null") {
    throw Error(ErrorKind::Forbidden, cat("only one instance of \"", spec.driver, "\" network is allowed"));
  }
  if (spec.driver != "bridge") throw Error(ErrorKind::NotFound, cat("plugin \"", spec.driver, "\" not found"));
  if (spec.ipam_driver != "default" && !spec.ipam_driver.empty()) {
    throw Error(ErrorKind::NotFound, cat("plugin \"", spec.ipam_driver, "\" not found"));
  }
  if (spec.scope != "local" && !spec.scope.empty()) {
    throw Error(ErrorKind::Forbidden,
                "This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm join\" to connect this "
                "node to swarm and try again.");
  }
  if (spec.ingress) throw Error(ErrorKind::Forbidden, "Ingress network can only be global scoped");
  check_ipam(spec);
}

std::string device_option(const NetworkRecord& record) {
  auto found = record.options.find("com.docker.network.bridge.name");
  return found == record.options.end() ? "" : found->second;
}

std::map<std::string, std::string> default_bridge_options(const NetworkConfig& config) {
  return {{"com.docker.network.bridge.default_bridge", "true"},
          {"com.docker.network.bridge.enable_icc", config.inter_container ? "true" : "false"},
          {"com.docker.network.bridge.enable_ip_masquerade", config.ip_masquerade ? "true" : "false"},
          {"com.docker.network.bridge.host_binding_ipv4",
           config.default_host_ip.empty() ? "0.0.0.0" : config.default_host_ip},
          {"com.docker.network.bridge.name", config.bridge},
          {std::string(kMtu), std::to_string(config.mtu == 0 ? 1500 : config.mtu)}};
}

}  // namespace

bool is_user_defined(const NetworkRecord& record) { return !record.predefined && record.driver == "bridge"; }

std::vector<Network*> Tables::matches(std::string_view wanted) {
  if (wanted == "default") wanted = "bridge";
  if (wanted.empty()) return {};
  for (auto& [id, network] : networks) {
    if (network.record.name == wanted) return {&network};
  }
  if (auto exact = networks.find(std::string(wanted)); exact != networks.end()) return {&exact->second};
  std::vector<Network*> found;
  for (auto& [id, network] : networks) {
    if (id.starts_with(wanted)) found.push_back(&network);
  }
  return found;
}

Network* Tables::find(std::string_view wanted) {
  auto found = matches(wanted);
  if (found.size() > 1) {
    throw Error(ErrorKind::InvalidArgument,
                cat("network ", wanted, " is ambiguous (", found.size(), " matches found based on ID prefix)"));
  }
  return found.empty() ? nullptr : found.front();
}

Network& Tables::get(std::string_view wanted) {
  Network* network = find(wanted);
  if (!network) throw Error(ErrorKind::NotFound, cat("network ", wanted, " not found"));
  return *network;
}

NetworkRecord Networks::State::make_predefined(std::string_view name, std::string_view driver) {
  NetworkRecord record;
  record.id = new_id();
  record.name = name;
  record.driver = driver;
  record.created = now();
  record.predefined = true;
  return record;
}

// What the host uses already, and what our other networks have.
std::vector<os::IpPrefix> Networks::State::taken_subnets(Tables& now, std::string_view but_device) {
  std::vector<os::IpPrefix> taken;
  os::NetlinkSocket socket(NETLINK_ROUTE);
  int own = 0;
  if (!but_device.empty()) {
    if (auto link = os::find_link(socket, but_device)) own = link->index;
  }
  for (const os::Route& route : os::list_routes(socket)) {
    if (route.destination.length > 0 && (own == 0 || route.index != own)) taken.push_back(route.destination);
  }
  for (const os::LinkAddress& address : os::list_addresses(socket)) {
    if (own == 0 || address.index != own) taken.push_back(address.address.masked());
  }
  for (const std::string& server : nameservers(os::try_read_file("/etc/resolv.conf", 1 << 20).value_or(""))) {
    if (auto address = os::IpAddress::parse(server)) taken.push_back({*address, address->bits()});
  }
  for (auto& [id, network] : now.networks) {
    if (!but_device.empty() && network.record.driver == "bridge" && bridge_device(network.record) == but_device)
      continue;
    if (network.v4) taken.push_back(network.v4->subnet());
    if (network.v6) taken.push_back(network.v6->subnet());
  }
  return taken;
}

// Fills in the subnets and gateways that were left to us.
void Networks::State::settle_ipam(Tables& now, NetworkRecord& record) {
  std::vector<PoolBase> pools;
  for (const std::string& text : config.pools) pools.push_back(parse_pool(text));
  if (pools.empty()) pools = default_pools();
  std::erase_if(pools, [](const PoolBase& pool) { return !pool.base.address.is_v4(); });
  bool has_v4 = false, has_v6 = false;
  for (IpamPool& pool : record.ipam) {
    auto subnet = os::IpPrefix::parse(pool.subnet);
    (subnet && subnet->address.is_v4() ? has_v4 : has_v6) = true;
    for (auto& [id, other] : now.networks) {
      for (const auto* taken : {&other.v4, &other.v6}) {
        if (*taken && subnet && (*taken)->subnet().overlaps(*subnet)) {
          throw Error(ErrorKind::Forbidden, "invalid pool request: Pool overlaps with other one on this address space");
        }
      }
    }
  }
  record.user_subnet = has_v4 || has_v6;
  if (record.enable_ipv4 && !has_v4) {
    std::vector<os::IpPrefix> taken = taken_subnets(now, bridge_device(record));
    record.ipam.insert(
        record.ipam.begin(),
        IpamPool{.subnet = choose_subnet(pools, taken).text(), .ip_range = {}, .gateway = {}, .aux_addresses = {}});
  }
  if (record.enable_ipv6 && !has_v6) {
    record.ipam.push_back(
        IpamPool{.subnet = choose_ipv6_subnet(record.id).text(), .ip_range = {}, .gateway = {}, .aux_addresses = {}});
  }
  for (IpamPool& pool : record.ipam) {
    if (pool.gateway.empty()) pool.gateway = AddressPool(pool).gateway().text();
  }
}

void Networks::State::prepare_pools(Network& network) {
  network.v4.reset();
  network.v6.reset();
  for (const IpamPool& pool : network.record.ipam) {
    AddressPool addresses(pool);
    if (addresses.subnet().address.is_v4()) {
      if (network.record.enable_ipv4 && !network.v4) network.v4 = std::move(addresses);
    } else if (network.record.enable_ipv6 && !network.v6) {
      network.v6 = std::move(addresses);
    }
  }
}

void Networks::State::load() {
  auto locked = tables.lock();
  for (const auto& [key, value] : database.list(kTable)) {
    try {
      Network network;
      network.record = network_from_json(value);
      prepare_pools(network);
      locked->networks.emplace(network.record.id, std::move(network));
    } catch (const Error& error) {
      log::error("a network's record cannot be read; it is left out", {{"network", key}, {"error", error.message()}});
    }
  }
  auto ensure = [&](std::string_view name, std::string_view driver) {
    if (Network* known = locked->find(name)) {
      if (driver == "bridge") {  // the daemon may have been told otherwise since
        known->record.options = default_bridge_options(config);
        database.put(kTable, known->record.id, to_json(known->record));
      }
      return;
    }
    Network network;
    network.record = make_predefined(name, driver);
    if (driver == "bridge") {
      network.record.options = default_bridge_options(config);
      if (!config.bip.empty()) {
        auto bip = os::IpPrefix::parse(config.bip);
        if (!bip) throw Error(ErrorKind::InvalidArgument, cat("invalid bip ", quoted(config.bip)));
        network.record.ipam.push_back(
            {.subnet = bip->masked().text(), .ip_range = {}, .gateway = bip->address.text(), .aux_addresses = {}});
      }
      settle_ipam(*locked, network.record);
      network.record.user_subnet = false;
    }
    prepare_pools(network);
    database.put(kTable, network.record.id, to_json(network.record));
    locked->networks.emplace(network.record.id, std::move(network));
  };
  if (config.bridge != "none") ensure("bridge", "bridge");
  ensure("host", "host");
  ensure("none", "null");
}

Networks::Networks(store::Database& database, NetworkConfig config) {
  if (config.bridge != "none" && !is_device_name(config.bridge)) {
    throw Error(ErrorKind::InvalidArgument, cat("invalid bridge name ", quoted(config.bridge)));
  }
  if (config.table.empty())
    config.table = config.bridge == "proa0" ? "proa" : cat("proa_", replace_all(config.bridge, "-", "_"));
  state_ = std::make_unique<State>(database, std::move(config));
  if (!state_->config.state_dir.empty()) os::make_dirs(state_->config.state_dir, 0700);
  state_->load();
}

Networks::~Networks() = default;

NetworkRecord Networks::create(const NetworkSpec& spec) {
  trace::Span span("network.create");
  span.set("name", spec.name);
  check_spec(spec);
  NetworkRecord record;
  {
    auto locked = state_->tables.lock();
    for (auto& [id, network] : locked->networks) {
      if (network.record.name == spec.name)
        throw Error(ErrorKind::Conflict, cat("network with name ", spec.name, " already exists"));
    }
    static_cast<NetworkSpec&>(record) = spec;
    if (record.scope.empty()) record.scope = "local";
    if (record.ipam_driver.empty()) record.ipam_driver = "default";
    record.id = new_id();
    record.created = now();
    if (std::string device = device_option(record); !device.empty() && !is_device_name(device)) {
      throw Error(ErrorKind::InvalidArgument, cat("invalid bridge name ", quoted(device)));
    }
    if (auto mtu = record.options.find(kMtu); mtu != record.options.end() && !parse_int<std::uint32_t>(mtu->second)) {
      throw Error(ErrorKind::InvalidArgument,
                  cat("failed to parse ", kMtu, " value: ", mtu->second, " (strconv.Atoi: parsing ",
                      quoted(mtu->second), ": invalid syntax)"));
    }
    for (auto& [id, network] : locked->networks) {
      if (network.record.driver == "bridge" && bridge_device(network.record) == bridge_device(record)) {
        throw Error(ErrorKind::Forbidden,
                    cat("cannot create network ", record.id, " (", bridge_device(record), "): conflicts with network ",
                        id, " (", bridge_device(network.record), "): networks have same bridge name"));
      }
    }
    Network network;
    if (!record.config_only) state_->settle_ipam(*locked, record);
    network.record = record;
    if (!record.config_only) state_->prepare_pools(network);
    locked->networks.emplace(record.id, std::move(network));
  }
  try {
    state_->database.put(kTable, record.id, to_json(record));
    FAILPOINT("network.create.after_record");
    if (!record.config_only) {
      state_->ensure_network(record.id);
      FAILPOINT("network.create.after_bridge");
      state_->apply_firewall();
    }
  } catch (...) {
    state_->tables.lock()->networks.erase(record.id);
    state_->database.erase(kTable, record.id);
    throw;
  }
  return record;
}

NetworkRecord Networks::get(std::string_view wanted) const { return state_->tables.lock()->get(wanted).record; }

std::optional<NetworkRecord> Networks::find(std::string_view wanted) const {
  auto locked = state_->tables.lock();
  auto found = locked->matches(wanted);
  return found.size() == 1 ? std::optional(found.front()->record) : std::nullopt;
}

std::vector<NetworkRecord> Networks::list() const {
  std::vector<NetworkRecord> records;
  auto locked = state_->tables.lock();
  for (auto& [id, network] : locked->networks) records.push_back(network.record);
  std::stable_sort(records.begin(), records.end(), [](const auto& a, const auto& b) { return a.created < b.created; });
  return records;
}

NetworkRecord Networks::remove(std::string_view wanted) {
  trace::Span span("network.remove");
  NetworkRecord record;
  {
    auto locked = state_->tables.lock();
    Network& network = locked->get(wanted);
    record = network.record;
    if (record.predefined)
      throw Error(ErrorKind::Forbidden, cat(record.name, " is a pre-defined network and cannot be removed"));
    if (!network.users.empty()) {
      std::vector<std::string> who;
      for (const std::string& id : network.users) {
        auto container = locked->containers.find(id);
        who.push_back(container == locked->containers.end()
                          ? std::string(short_id(id))
                          : cat("name:\"", container->second.name, "\" id:\"", short_id(id), "\""));
      }
      throw Error(ErrorKind::Forbidden, cat("error while removing network: network ", record.name,
                                            " has active endpoints (", join(who, ", "), ")"));
    }
    locked->networks.erase(record.id);
  }
  state_->database.erase(kTable, record.id);
  FAILPOINT("network.remove.after_record");
  if (!record.config_only) {
    os::NetlinkSocket socket(NETLINK_ROUTE);
    std::lock_guard guard(state_->bridge_mutex);
    remove_bridge(socket, bridge_device(record));
    withdraw_bridge(bridge_device(record));
    state_->apply_firewall();
  }
  return record;
}

std::vector<NetworkRecord> Networks::prune(const std::function<bool(const NetworkRecord&)>& wanted) {
  std::vector<NetworkRecord> unused, removed;
  {
    auto locked = state_->tables.lock();
    for (auto& [id, network] : locked->networks) {
      if (!network.record.predefined && network.users.empty()) unused.push_back(network.record);
    }
  }
  for (const NetworkRecord& record : unused) {
    if (wanted && !wanted(record)) continue;
    try {
      removed.push_back(remove(record.id));
    } catch (const Error& error) {
      // Somebody attached to it, or removed it, since.
      if (error.kind() != ErrorKind::Forbidden && error.kind() != ErrorKind::NotFound) throw;
    }
  }
  return removed;
}

std::vector<AttachedEndpoint> Networks::attached(std::string_view network_id) const {
  std::vector<AttachedEndpoint> found;
  auto locked = state_->tables.lock();
  for (auto& [id, container] : locked->containers) {
    for (const Endpoint& endpoint : container.endpoints) {
      if (endpoint.network_id == network_id) found.push_back({id, container.name, endpoint});
    }
  }
  return found;
}

std::map<std::string, SubnetStatus> Networks::address_status(std::string_view network_id) const {
  auto locked = state_->tables.lock();
  const Network& network = locked->get(network_id);
  std::map<std::string, SubnetStatus> found;
  for (const auto& pool : {network.v4, network.v6}) {
    if (pool) found.emplace(pool->subnet().text(), pool->status());
  }
  // The others of a family: only the first of each gives addresses.
  for (const IpamPool& pool : network.record.ipam) {
    AddressPool spare(pool);
    found.emplace(spare.subnet().text(), spare.status());
  }
  return found;
}

std::string Networks::host_gateway() const {
  auto locked = state_->tables.lock();
  Network* bridge = locked->find("bridge");
  return bridge && bridge->v4 ? bridge->v4->gateway().text() : "";
}

}  // namespace proa::network
