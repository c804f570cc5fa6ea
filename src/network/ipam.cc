#include "network/ipam.h"

#include "base/id.h"
#include "base/text.h"

namespace proa::network {
namespace {

[[noreturn]] void refuse(std::string message) { throw Error(ErrorKind::InvalidArgument, std::move(message)); }

std::string_view block_name(const os::IpPrefix& subnet) {
  return subnet.address.is_v4() ? "an IPv4 block" : "an IPv6 block";
}

// "" or what is wrong with it.
std::string address_fault(std::string_view text, const os::IpPrefix& subnet) {
  auto address = os::IpAddress::parse(text);
  if (!address) return "invalid address";
  if (address->family() != subnet.address.family()) return cat("parent subnet is ", block_name(subnet));
  if (!subnet.contains(*address)) return cat("parent subnet ", subnet.text(), " doesn't contain this address");
  return "";
}

std::string range_fault(std::string_view text, const os::IpPrefix& subnet) {
  auto range = os::IpPrefix::parse(text);
  if (!range) return "invalid CIDR block notation";
  if (range->address.family() != subnet.address.family()) return cat("parent subnet is ", block_name(subnet));
  if (range->length < subnet.length) return cat("CIDR block is bigger than its parent subnet ", subnet.text());
  if (*range != range->masked()) return cat("it should be ", range->masked().text());
  if (!subnet.contains(*range)) return cat("parent subnet ", subnet.text(), " doesn't contain ip-range");
  return "";
}

void check_pool(const IpamPool& pool, bool enable_ipv6, std::vector<std::string>& faults) {
  auto subnet = os::IpPrefix::parse(pool.subnet);
  if (!subnet) {
    faults.push_back(cat("invalid subnet ", pool.subnet, ": invalid CIDR block notation"));
    return;
  }
  if (!subnet->address.is_v4() && !enable_ipv6) return;
  if (*subnet != subnet->masked()) {
    faults.push_back(cat("invalid subnet ", subnet->text(), ": it should be ", subnet->masked().text()));
    return;
  }
  if (!pool.ip_range.empty()) {
    if (std::string fault = range_fault(pool.ip_range, *subnet); !fault.empty()) {
      faults.push_back(cat("invalid ip-range ", pool.ip_range, ": ", fault));
    }
  }
  if (!pool.gateway.empty()) {
    if (std::string fault = address_fault(pool.gateway, *subnet); !fault.empty()) {
      faults.push_back(cat("invalid gateway ", pool.gateway, ": ", fault));
    }
  }
  for (const auto& [name, address] : pool.aux_addresses) {
    if (std::string fault = address_fault(address, *subnet); !fault.empty()) {
      faults.push_back(cat("invalid auxiliary address ", name, ": ", fault));
    }
  }
}

}  // namespace

std::vector<PoolBase> default_pools() {
  std::vector<PoolBase> pools;
  for (std::uint32_t second = 17; second <= 31; ++second) {
    pools.push_back({{os::IpAddress::v4(172u << 24 | second << 16), 16}, 16});
  }
  pools.push_back({{os::IpAddress::v4(192u << 24 | 168u << 16), 16}, 20});
  return pools;
}

PoolBase parse_pool(std::string_view text) {
  std::size_t colon = text.rfind(':');
  auto base = os::IpPrefix::parse(text.substr(0, colon));
  auto size = colon == std::string_view::npos ? std::nullopt : parse_int<int>(text.substr(colon + 1));
  if (!base || !size || *size < base->length || *size > base->address.bits()) {
    refuse(cat("invalid address pool ", quoted(text), ": wanted base/length:size"));
  }
  return {base->masked(), *size};
}

os::IpPrefix choose_subnet(std::span<const PoolBase> pools, std::span<const os::IpPrefix> taken) {
  for (const PoolBase& pool : pools) {
    std::uint64_t step = std::uint64_t{1} << (pool.base.address.bits() - pool.size);
    std::uint64_t count = std::uint64_t{1} << (pool.size - pool.base.length);
    os::IpAddress address = pool.base.address;
    for (std::uint64_t i = 0; i < count; ++i, address = address.plus(step)) {
      os::IpPrefix candidate{address, pool.size};
      bool free = true;
      for (const os::IpPrefix& other : taken) free = free && !candidate.overlaps(other);
      if (free) return candidate;
    }
  }
  refuse("all predefined address pools have been fully subnetted");
}

os::IpPrefix choose_ipv6_subnet(std::string_view network_id) {
  std::array<std::uint8_t, 16> bytes{0xfd};
  for (std::size_t i = 0; i < 7 && i * 2 + 2 <= network_id.size(); ++i) {
    std::uint8_t byte = 0;
    std::from_chars(network_id.data() + i * 2, network_id.data() + i * 2 + 2, byte, 16);
    bytes[i + 1] = byte;
  }
  return {os::IpAddress::v6(bytes), 64};
}

void check_ipam(const NetworkSpec& spec) {
  std::vector<std::string> faults;
  for (const IpamPool& pool : spec.ipam) check_pool(pool, spec.enable_ipv6, faults);
  if (faults.empty()) {
    for (std::size_t i = 0; i < spec.ipam.size(); ++i) {
      for (std::size_t j = 0; j < i; ++j) {
        if (os::IpPrefix::parse(spec.ipam[i].subnet)->overlaps(*os::IpPrefix::parse(spec.ipam[j].subnet))) {
          throw Error(ErrorKind::Forbidden, "invalid pool request: Pool overlaps with other one on this address space");
        }
      }
    }
    return;
  }
  if (faults.size() == 1) refuse(cat("invalid network config:\n", faults[0]));
  for (std::string& fault : faults) fault = cat("* ", fault);
  refuse(cat("invalid network config:\n", join(faults, "\n")));
}

AddressPool::AddressPool(const IpamPool& pool) {
  auto subnet = os::IpPrefix::parse(pool.subnet);
  if (!subnet) refuse(cat("invalid subnet ", pool.subnet, ": invalid CIDR block notation"));
  subnet_ = subnet->masked();
  int host_bits = subnet_.address.bits() - subnet_.length;
  // Network and broadcast addresses are no one's, but in the point-to-point prefixes that have none.
  if (host_bits >= 2) {
    reserved_.insert(subnet_.address);
    if (subnet_.address.is_v4()) reserved_.insert(subnet_.last());
  }
  os::IpPrefix range = subnet_;
  if (!pool.ip_range.empty()) range = os::IpPrefix::parse(pool.ip_range).value_or(subnet_).masked();
  first_ = range.address;
  last_ = range.last();
  for (const auto& [name, text] : pool.aux_addresses) {
    if (auto address = os::IpAddress::parse(text)) reserved_.insert(*address);
  }
  if (pool.gateway.empty()) {
    gateway_ = first_;
    while (reserved_.contains(gateway_) && gateway_ != last_) gateway_ = gateway_.plus(1);
  } else {
    auto address = os::IpAddress::parse(pool.gateway);
    if (!address || !subnet_.contains(*address)) refuse(cat("invalid gateway ", pool.gateway, ": invalid address"));
    gateway_ = *address;
  }
  reserved_.insert(gateway_);
}

bool AddressPool::usable(const os::IpAddress& address) const {
  return subnet_.contains(address) && !reserved_.contains(address) && !used_.contains(address);
}

std::optional<os::IpAddress> AddressPool::take() {
  for (os::IpAddress candidate = first_;; candidate = candidate.plus(1)) {
    if (usable(candidate)) {
      used_.insert(candidate);
      return candidate;
    }
    if (candidate == last_) return std::nullopt;
  }
}

bool AddressPool::take(const os::IpAddress& address) {
  if (!usable(address)) return false;
  used_.insert(address);
  return true;
}

void AddressPool::give_back(const os::IpAddress& address) { used_.erase(address); }

SubnetStatus AddressPool::status() const {
  auto in_range = [&](const std::set<os::IpAddress>& addresses) {
    return std::distance(addresses.lower_bound(first_), addresses.upper_bound(last_));
  };
  auto taken = static_cast<std::uint64_t>(in_range(reserved_) + in_range(used_));
  SubnetStatus status{.in_use = reserved_.size() + used_.size()};
  std::uint64_t beyond_first = last_.distance_from(first_);  // the range's size, less one
  if (first_.plus(beyond_first) != last_)
    status.available = UINT64_MAX;
  else if (taken == 0)
    status.available = beyond_first == UINT64_MAX ? UINT64_MAX : beyond_first + 1;
  else
    status.available = beyond_first - (taken - 1);
  return status;
}

os::MacAddress mac_for(const os::IpAddress& address) {
  os::MacAddress mac{0x02, 0x42};
  if (address.is_v4()) {
    std::copy(address.bytes(), address.bytes() + 4, mac.begin() + 2);
  } else {
    fill_random(std::span(mac).subspan(2));
  }
  return mac;
}

}  // namespace proa::network
