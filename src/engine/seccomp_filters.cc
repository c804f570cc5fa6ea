#include "engine/seccomp_filters.h"

#include "base/text.h"
#include "shim/seccomp_filter.h"

namespace proa::engine {
namespace {

constexpr std::size_t kMost = 32;  // of a few kilobytes and a descriptor each

}  // namespace

std::shared_ptr<const os::Fd> SeccompFilters::get(const std::string& text, const std::vector<std::string>& capabilities,
                                                  const oci::Seccomp& profile) {
  std::string name = cat(join(capabilities, ","), "\n", text);
  if (auto filters = filters_.lock(); filters->contains(name)) return filters->at(name);
  auto filter = std::make_shared<const os::Fd>(shim::compile_filter(profile));
  auto filters = filters_.lock();
  if (filters->size() >= kMost) filters->clear();
  (*filters)[name] = filter;
  return filter;
}

}  // namespace proa::engine
