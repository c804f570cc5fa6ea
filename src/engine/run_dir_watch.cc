#include "engine/run_dir_watch.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <cstring>

#include "os/file.h"

namespace proa::engine {

RunDirWatch::RunDirWatch(std::string root)
    : root_(std::move(root)), events_(os::check(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK), "inotify_init1")) {
  begin();
}

void RunDirWatch::begin() {
  os::make_dirs(os::dir_name(root_), 0711);
  os::make_dir(root_, 0700);
  os::check(::inotify_add_watch(events_.get(), root_.c_str(), IN_DELETE | IN_MOVED_FROM | IN_MOVE_SELF | IN_ONLYDIR),
            "inotify_add_watch " + root_);
}

RunDirWatch::Gone RunDirWatch::take() {
  Gone gone;
  alignas(inotify_event) char buffer[4096];
  ssize_t got;
  while ((got = ::read(events_.get(), buffer, sizeof buffer)) > 0) {
    for (ssize_t at = 0; at < got;) {
      inotify_event event;
      std::memcpy(&event, buffer + at, sizeof event);
      if (event.mask & (IN_IGNORED | IN_MOVE_SELF | IN_Q_OVERFLOW)) gone.all = true;
      if (event.len > 0) gone.names.emplace(buffer + at + sizeof event);
      at += static_cast<ssize_t>(sizeof event + event.len);
    }
  }
  if (gone.all) begin();
  return gone;
}

}  // namespace proa::engine
