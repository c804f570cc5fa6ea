// What a container changed in its root: the upper directory of its overlay read against its lowers (docker diff).
#pragma once

#include <string>
#include <vector>

namespace proa::image {

struct Change {
  enum class Kind { Modified = 0, Added = 1, Deleted = 2 };
  Kind kind = Kind::Modified;
  std::string path;  // absolute
};

// `lowers` topmost first. Sorted by path. A directory is only listed for what is below it if something there changed.
std::vector<Change> find_changes(const std::string& upper, const std::vector<std::string>& lowers);

}  // namespace proa::image
