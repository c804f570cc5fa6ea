#include "store/lease.h"

#include "base/text.h"

namespace proa::store {

namespace {

constexpr std::string_view kTable = "leases";

std::set<oci::Digest> digests_of(const Json& row) {
  std::set<oci::Digest> out;
  const Json* list = json::find(row, "digests");
  if (!list || !list->is_array()) return out;
  for (const Json& one : list->get_array()) {
    if (!one.is_string()) continue;
    if (auto digest = oci::Digest::try_parse(std::string_view(one.get_string()))) out.insert(*digest);
  }
  return out;
}

// A clock that was set back makes a lease young, not lapsed: it lives on at most as long again.
bool has_lapsed(const Json& row) { return now() - json::int_at(row, "renewed") > kLeaseLife; }

}  // namespace

void Leases::hold(const std::string& name, const std::vector<oci::Digest>& digests) {
  database_.transaction([&] {
    auto row = database_.get(kTable, name);
    std::set<oci::Digest> all = row ? digests_of(*row) : std::set<oci::Digest>();
    all.insert(digests.begin(), digests.end());
    JsonArray list;
    for (const oci::Digest& digest : all) list.emplace_back(std::string_view(digest.text()));
    database_.put(kTable, name, JsonObject{{"renewed", now()}, {"digests", std::move(list)}});
  });
}

void Leases::release(const std::string& name) { database_.erase(kTable, name); }

std::set<oci::Digest> Leases::held() const {
  std::set<oci::Digest> out;
  for (const auto& [name, row] : database_.list(kTable)) {
    if (!has_lapsed(row)) out.merge(digests_of(row));
  }
  return out;
}

void Leases::drop_lapsed() {
  for (const auto& [name, row] : database_.list(kTable)) {
    if (has_lapsed(row)) database_.erase(kTable, name);
  }
}

}  // namespace proa::store
