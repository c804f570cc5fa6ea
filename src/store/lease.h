// What an unfinished pull holds: its blobs, ingest files and layers are not collected while the lease lives. Leases are
// rows, so that a pull that was cut is still there to go on with after a restart; they lapse a day after their last
// renewal.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "base/time.h"
#include "oci/digest.h"
#include "store/database.h"

namespace proa::store {

inline constexpr std::int64_t kLeaseLife = 24 * 3600 * kSecond;

class Leases {
 public:
  explicit Leases(Database& database) : database_(database) {}

  // Adds to what the lease of this name holds and renews it.
  void hold(const std::string& name, const std::vector<oci::Digest>& digests);
  // To be called inside the transaction that records what was leased, or alone.
  void release(const std::string& name);
  // Everything held by leases that have not lapsed (all that live in this process, and rows younger than kLeaseLife).
  std::set<oci::Digest> held() const;
  void drop_lapsed();

 private:
  Database& database_;
};

}  // namespace proa::store
