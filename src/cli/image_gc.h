// image gc: which images go so that a budget is kept. Decided here, done by the API's own removal and its rules.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace proa::cli {

struct GcImage {
  std::string id;
  std::vector<std::string> names;  // "busybox:1"; none: a dangling one
  std::int64_t created = 0;        // seconds
  std::int64_t size = 0, unique = 0;
  bool used = false;  // by a container, whatever its state
};

struct GcPolicy {
  std::optional<std::size_t> keep;      // the newest of each repository stay
  std::optional<std::int64_t> to_free;  // bytes over the budgets; oldest images go until so much is free
};

struct GcPlan {
  std::vector<GcImage> removed;  // in their order
  std::int64_t freed = 0;        // at least: what only they have
  bool enough = true;            // false: what may go does not make up for `to_free`
};

// Without to_free everything goes that `keep` does not keep; with it no more than is needed. Images in use always stay.
GcPlan plan_image_gc(std::vector<GcImage> images, const GcPolicy& policy);

}  // namespace proa::cli
