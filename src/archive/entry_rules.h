// What the names, times and attributes of an archive's entries mean, whoever applies them: the verdicts of security.md
// 4.2 that need no file system.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "archive/tar_entry.h"
#include "base/error.h"

namespace proa::archive {

inline constexpr std::size_t kMaxName = 255;     // bytes of a component
inline constexpr std::size_t kMaxTarget = 4095;  // of a symlink

[[noreturn]] void refuse(std::string_view what);  // Error(InvalidArgument)

// The components of an entry's path, cleaned; none: the root. Throws where it has no name or leaves the root.
std::vector<std::string> entry_parts(std::string_view path);

// What a layer's entry says beside what it is: aufs's names, which the image specification took over.
enum class Marker { None, Ignored, Opaque, Whiteout };
Marker marker_of(const std::vector<std::string>& parts);
// Of a Whiteout's last component: the name that it hides.
std::string_view hidden_name(std::string_view whiteout);

// As docker: times before the epoch or beyond 64 bits of nanoseconds become the epoch.
struct EntryTime {
  std::int64_t seconds = 0;
  std::uint32_t nanos = 0;
};
EntryTime time_of(const TarEntry& entry);

// The Error of applying `entry`: it names the entry, and what the archive's own entries made impossible is the
// archive's fault, whatever the kernel calls it; the rest is the machine's.
Error about_entry(const TarEntry& entry, const Error& error);

}  // namespace proa::archive
