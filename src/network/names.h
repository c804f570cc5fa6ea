// Which names the containers of a network have, pure: the embedded DNS answers from it.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "os/ip_address.h"

namespace proa::network {

class Names {
 public:
  struct Entry {
    std::string network_id{}, network_name{}, container_id{};
    std::vector<std::string> names{};  // the first is the container's own, used in PTR answers
    std::optional<os::IpAddress> ipv4{}, ipv6{};
    std::map<std::string, std::string> links{};  // names that it alone uses here -> the name they stand for
  };
  void add(Entry entry);
  void remove(std::string_view network_id, std::string_view container_id);
  // The other names of a container keep their order behind the new first one.
  void rename(std::string_view container_id, std::string_view old_name, std::string_view new_name);

  struct Addresses {
    std::vector<os::IpAddress> ipv4{}, ipv6{};
    bool known = false;  // the name exists, perhaps without an address of the wanted kind
  };
  // As seen by `asker`: its links first, then names on networks it is on, "name" or "name.network", without case.
  Addresses lookup(std::string_view asker, std::string_view name) const;
  // "web.mynet" for an address on one of the asker's networks.
  std::optional<std::string> reverse(std::string_view asker, const os::IpAddress& address) const;

 private:
  using Index = std::map<std::string, std::vector<std::size_t>, std::less<>>;
  bool shares(std::string_view asker, const Entry& entry) const;
  // The entries of this name (lower case) that `wanted` takes.
  template <class Wanted>
  Addresses find(std::string_view name, const Wanted& wanted) const;
  std::vector<Entry> entries_;
  Index by_name_, by_container_;  // -> entries; names in lower case
  void index();
};

}  // namespace proa::network
