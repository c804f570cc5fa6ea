// Whether two unpacked trees hold the same: what a layer that was unpacked long ago is held against.
#pragma once

#include <string>

namespace proa::image {

// Names, types, owners, modes, link counts, sizes, contents, link targets, device numbers and extended attributes of
// what is below two directories, and times of files; those of directories and of access are the machine's. "" where all
// is the same, else the first path below that is not.
std::string first_difference(const std::string& a, const std::string& b);

}  // namespace proa::image
