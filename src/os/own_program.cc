#include "os/own_program.h"

#include <unistd.h>

#include "os/file.h"

namespace proa::os {

std::string program_beside(std::string_view name) {
  char path[4096];
  ssize_t length = check(::readlink("/proc/self/exe", path, sizeof path), "readlink /proc/self/exe");
  return path_join(dir_name(std::string_view(path, static_cast<std::size_t>(length))), name);
}

}  // namespace proa::os
