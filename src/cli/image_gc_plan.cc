#include <algorithm>
#include <map>
#include <set>

#include "cli/image_gc.h"

namespace proa::cli {

namespace {

std::string repository_of(const std::string& name) { return name.substr(0, name.rfind(':')); }

// The newest `keep` of each repository.
std::set<std::string> protected_ids(const std::vector<GcImage>& oldest_first, std::size_t keep) {
  std::map<std::string, std::set<std::string>> kept;
  std::set<std::string> out;
  for (auto image = oldest_first.rbegin(); image != oldest_first.rend(); ++image) {
    for (const std::string& name : image->names) {
      auto& of_repository = kept[repository_of(name)];
      if (of_repository.size() < keep) of_repository.insert(image->id);
      if (of_repository.contains(image->id)) out.insert(image->id);
    }
  }
  return out;
}

}  // namespace

GcPlan plan_image_gc(std::vector<GcImage> images, const GcPolicy& policy) {
  std::stable_sort(images.begin(), images.end(), [](const GcImage& a, const GcImage& b) {
    // What has no name any more goes before what has one.
    if (a.names.empty() != b.names.empty()) return a.names.empty();
    return a.created < b.created;
  });
  std::set<std::string> kept = protected_ids(images, policy.keep.value_or(0));
  GcPlan plan;
  for (const GcImage& image : images) {
    if (policy.to_free && plan.freed >= *policy.to_free) break;
    if (image.used || kept.contains(image.id)) continue;
    plan.freed += image.unique;
    plan.removed.push_back(image);
  }
  plan.enough = !policy.to_free || plan.freed >= *policy.to_free;
  return plan;
}

}  // namespace proa::cli
