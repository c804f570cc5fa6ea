#include "engine/logs.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/text.h"
#include "engine/log_reader.h"
#include "engine/rooms.h"
#include "engine/roster.h"
#include "os/file.h"

namespace proa::engine {
namespace {

constexpr int kLookAgain = 100;  // ms: for the container's end and for rotation

class Follower {
 public:
  Follower(const LogOptions& options, bool tty, const Sink& sink) : options_(options), tty_(tty), sink_(sink) {}

  // Everything that is in the file now; false: past `until`.
  bool drain(int file) {
    std::vector<char> buffer(64 << 10);
    for (;;) {
      auto n = ::read(file, buffer.data(), buffer.size());
      if (n < 0 && errno == EINTR) continue;
      if (os::check(n, "reading a log") == 0) return true;
      lines_.push({buffer.data(), static_cast<std::size_t>(n)});
      std::string out;
      while (auto line = lines_.next()) {
        auto entry = parse_log_line(*line);
        if (!entry) continue;
        if (options_.until != 0 && entry->time > options_.until) {
          if (!out.empty()) sink_(out);
          return false;
        }
        if (wanted(*entry, options_)) out += render_log_entry(*entry, options_, tty_);
      }
      if (!out.empty()) sink_(out);
    }
  }

 private:
  const LogOptions& options_;
  bool tty_;
  const Sink& sink_;
  LineBuffer lines_;
};

bool same_file(int file, const std::string& path) {
  struct stat ours {
  }, there{};
  return ::fstat(file, &ours) == 0 && ::stat(path.c_str(), &there) == 0 && ours.st_ino == there.st_ino &&
         ours.st_dev == there.st_dev;
}

// The tail over several files: seeks each to where it begins.
void seek_tail(std::vector<os::Fd>& files, std::int64_t lines) {
  for (auto it = files.rbegin(); it != files.rend(); ++it) {
    auto start = find_tail(it->get(), lines);
    os::check(::lseek(it->get(), start.offset, SEEK_SET), "seeking in a log");
    lines -= start.lines;
  }
}

void follow(const Container& container, const std::string& path, os::Fd file, Follower& follower,
            const LogOptions& options, std::stop_token stop) {
  os::Fd watch(os::check(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK), "inotify_init1"));
  auto add = [&] { ::inotify_add_watch(watch.get(), path.c_str(), IN_MODIFY | IN_MOVE_SELF | IN_DELETE_SELF); };
  add();
  while (!stop.stop_requested()) {
    auto state = container.state();
    bool ended = (!state.active() && !state.starting) || container.epoch().removed;
    if (file && !follower.drain(file.get())) return;
    if (!file || !same_file(file.get(), path)) {
      if (auto next = os::try_open(path, O_RDONLY)) {
        if (file) follower.drain(file.get());
        file = std::move(*next);
        add();
        continue;
      }
    }
    if (ended) return;
    if (options.until != 0 && now() > options.until) return;
    pollfd one{watch.get(), POLLIN, 0};
    if (::poll(&one, 1, kLookAgain) > 0) {
      char events[4096];
      while (::read(watch.get(), events, sizeof events) > 0) {
      }
    }
  }
}

}  // namespace

void Logs::read(std::string_view reference, const LogOptions& options, const BeginFramed& begin,
                std::stop_token stop) const {
  auto container = rooms_.roster->get(reference);
  auto definition = container->definition();
  if (!options.out && !options.err) {
    throw Error(ErrorKind::InvalidArgument, "Bad parameters: you must choose at least one stream");
  }
  if (definition->host_config.log_config.type == "none") {
    throw Error(ErrorKind::InvalidArgument, "configured logging driver does not support reading");
  }
  bool tty = definition->config.tty;
  auto path = os::path_join(os::path_join(rooms_.containers_dir, container->id()), log_file_name(container->id()));
  auto files = open_log_files(path);
  if (options.tail && *options.tail >= 0) seek_tail(files, *options.tail);
  Sink sink = begin(tty);
  Follower follower(options, tty, sink);
  for (auto& file : files) {
    if (stop.stop_requested() || !follower.drain(file.get())) return;
  }
  if (!options.follow) return;
  os::Fd last;
  if (!files.empty()) last = std::move(files.back());
  follow(*container, path, std::move(last), follower, options, stop);
}

}  // namespace proa::engine
