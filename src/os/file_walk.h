// Every file below a directory, and what they take together.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace proa::os {

// Calls visit(path below `root`, its status) for `root` itself ("") and everything below it, in no order; links are not
// followed, what is mounted below, gone meanwhile or cannot be opened is left out.
void walk_files(std::string_view root, const std::function<void(const std::string&, const struct stat&)>& visit);

// Bytes of the files below `path` as docker counts them: their sizes, nothing for directories, hard links once.
std::uint64_t disk_usage(std::string_view path);
// Bytes that `path` and all below it take on the disk, as du(1) counts them: whole blocks, directories too, hard links
// once.
std::uint64_t disk_blocks(std::string_view path);

}  // namespace proa::os
