// Sees that directories of running shims are taken away: somebody has emptied /run.
#pragma once

#include <set>
#include <string>

#include "os/fd.h"

namespace proa::engine {

class RunDirWatch {
 public:
  explicit RunDirWatch(std::string root);  // X/shims
  // Readable when something is gone.
  int fd() const { return events_.get(); }
  struct Gone {
    bool all = false;  // X/shims itself; it is there again
    std::set<std::string, std::less<>> names;
  };
  Gone take();

 private:
  void begin();
  std::string root_;
  os::Fd events_;
};

}  // namespace proa::engine
