#include "network/names.h"

#include <algorithm>

#include "base/text.h"

namespace proa::network {

void Names::index() {
  by_name_.clear();
  by_container_.clear();
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    const Entry& entry = entries_[i];
    by_container_[entry.container_id].push_back(i);
    std::vector<std::string> keys;
    for (const std::string& name : entry.names) {
      keys.push_back(to_lower(name));
      keys.push_back(to_lower(cat(name, ".", entry.network_name)));
    }
    std::sort(keys.begin(), keys.end());
    keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
    for (const std::string& key : keys) by_name_[key].push_back(i);
  }
}

void Names::add(Entry entry) {
  std::erase_if(entries_, [&](const Entry& old) {
    return old.network_id == entry.network_id && old.container_id == entry.container_id;
  });
  entries_.push_back(std::move(entry));
  index();
}

void Names::remove(std::string_view network_id, std::string_view container_id) {
  std::erase_if(entries_,
                [&](const Entry& old) { return old.network_id == network_id && old.container_id == container_id; });
  index();
}

void Names::rename(std::string_view container_id, std::string_view old_name, std::string_view new_name) {
  for (Entry& entry : entries_) {
    if (entry.container_id != container_id) continue;
    std::erase(entry.names, old_name);
    entry.names.insert(entry.names.begin(), std::string(new_name));
  }
  index();
}

bool Names::shares(std::string_view asker, const Entry& entry) const {
  auto mine = by_container_.find(asker);
  auto same = [&](std::size_t i) { return entries_[i].network_id == entry.network_id; };
  return mine != by_container_.end() && std::any_of(mine->second.begin(), mine->second.end(), same);
}

template <class Wanted>
Names::Addresses Names::find(std::string_view name, const Wanted& wanted) const {
  Addresses found;
  auto known = by_name_.find(name);
  if (known == by_name_.end()) return found;
  for (std::size_t i : known->second) {
    const Entry& entry = entries_[i];
    if (!wanted(entry)) continue;
    found.known = true;
    if (entry.ipv4) found.ipv4.push_back(*entry.ipv4);
    if (entry.ipv6) found.ipv6.push_back(*entry.ipv6);
  }
  return found;
}

Names::Addresses Names::lookup(std::string_view asker, std::string_view name) const {
  if (!name.empty() && name.back() == '.') name.remove_suffix(1);
  std::string wanted = to_lower(name);
  if (auto mine = by_container_.find(asker); mine != by_container_.end()) {
    for (std::size_t i : mine->second) {
      const Entry& own = entries_[i];
      for (const auto& [link, target] : own.links) {
        if (to_lower(link) != wanted) continue;
        Addresses found =
            find(to_lower(target), [&](const Entry& other) { return other.network_id == own.network_id; });
        if (found.known) return found;
      }
    }
  }
  return find(wanted, [&](const Entry& entry) { return shares(asker, entry); });
}

std::optional<std::string> Names::reverse(std::string_view asker, const os::IpAddress& address) const {
  for (const Entry& entry : entries_) {
    if ((entry.ipv4 != address && entry.ipv6 != address) || entry.names.empty() || !shares(asker, entry)) continue;
    return cat(entry.names.front(), ".", entry.network_name);
  }
  return std::nullopt;
}

}  // namespace proa::network
