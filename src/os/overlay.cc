#include "os/overlay.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

#include "base/text.h"
#include "os/file.h"
#include "os/mount.h"
#include "os/own_thread.h"

namespace proa::os {
namespace {

constexpr std::size_t kMaxValue = 255;         // fsconfig(2) takes no longer string
constexpr std::size_t kMaxClassicLayers = 12;  // so many descriptors' names fit into one

// What the kernel wrote into the context's log, "e overlay: ...".
std::string kernel_words(int context) {
  char buffer[512];
  std::string words;
  for (ssize_t got; (got = ::read(context, buffer, sizeof buffer)) > 2;) {
    words += cat(words.empty() ? " (" : "; ", trim(std::string_view(buffer, static_cast<std::size_t>(got)).substr(2)));
  }
  return words.empty() ? words : words + ")";
}

class Context {
 public:
  Context() : fd_(check(::fsopen("overlay", FSOPEN_CLOEXEC), "fsopen overlay")) {}

  void set(const char* key, const std::string& value) { run(FSCONFIG_SET_STRING, key, value.c_str(), 0); }
  void set_fd(const char* key, int fd) { run(FSCONFIG_SET_FD, key, nullptr, fd); }
  void set_flag(const char* key) { run(FSCONFIG_SET_FLAG, key, nullptr, 0); }
  Fd mount() {
    run(FSCONFIG_CMD_CREATE, nullptr, nullptr, 0);
    return Fd(check(::fsmount(fd_.get(), FSMOUNT_CLOEXEC, 0), "fsmount overlay"));
  }

 private:
  void run(unsigned command, const char* key, const char* value, int fd) {
    if (::fsconfig(fd_.get(), command, key, value, fd) == 0) return;
    int code = errno;
    fail(cat("mount overlay", key ? cat(": ", key, value ? cat("=", value) : "") : "", kernel_words(fd_.get())), code);
  }
  Fd fd_;
};

Fd open_directory(const std::string& path) { return open_file(path, O_PATH | O_DIRECTORY); }

// A path that fits into one value; where it is too long, by way of a descriptor that `keep` holds.
std::string short_path(const std::string& path, std::size_t limit, std::vector<Fd>& keep) {
  if (path.size() <= limit) return path;
  keep.push_back(open_directory(path));
  return fd_path(keep.back().get());
}

// Each of these characters has a meaning in the classic option string.
bool needs_escape(const std::string& path) { return path.find_first_of(":,\\") != path.npos; }

void set_layers(Context& context, const Overlay& overlay, OverlayApi api, std::vector<Fd>& keep) {
  if (api == OverlayApi::Classic) {
    std::string all;
    for (const auto& lower : overlay.lowers) {
      all += cat(all.empty() ? "" : ":",
                 short_path(lower, needs_escape(lower) || overlay.lowers.size() > 2 ? 0 : 120, keep));
    }
    return context.set("lowerdir", all);
  }
  for (const auto& lower : overlay.lowers) {
    if (api == OverlayApi::Descriptors) {
      context.set_fd("lowerdir+", open_directory(lower).get());
    } else {
      context.set("lowerdir+", short_path(lower, kMaxValue, keep));
    }
  }
}

// One string of options. The directories are named by descriptors, opened here: a mount namespace takes its own only.
std::string classic_options(const Overlay& overlay, std::vector<Fd>& keep) {
  std::string options = "lowerdir=";
  for (const auto& lower : overlay.lowers) {
    options += cat(options.back() == '=' ? "" : ":", short_path(lower, 0, keep));
  }
  if (overlay.upper.empty()) return options;
  options += cat(",upperdir=", short_path(overlay.upper, 0, keep), ",workdir=", short_path(overlay.work, 0, keep));
  options += ",index=off,redirect_dir=off,metacopy=off";
  return cat(options, overlay.is_volatile ? ",volatile" : "", overlay.several_file_systems ? ",xino=on" : "");
}

// Before Linux 6.5 only mount(2), with its page of options, takes more than a dozen layers. It wants a place: one that
// nobody sees, in the mount namespace of a thread that ends.
Fd mount_many(const Overlay& overlay) {
  Fd mounted;
  on_own_thread([&] {
    check(::unshare(CLONE_NEWNS), "unshare mount namespace");
    set_propagation("/", MS_REC | MS_PRIVATE);
    std::vector<Fd> keep;
    const std::string& place = overlay.upper.empty() ? overlay.lowers.front() : overlay.upper;
    check(::mount("overlay", place.c_str(), "overlay", 0, classic_options(overlay, keep).c_str()), "mount overlay");
    mounted = clone_mount(AT_FDCWD, place, Recursive::No);
  });
  return mounted;
}

}  // namespace

Fd mount_overlay(const Overlay& overlay, OverlayApi api) {
  if (api == OverlayApi::Classic && overlay.lowers.size() > kMaxClassicLayers) return mount_many(overlay);
  Context context;
  std::vector<Fd> keep;
  set_layers(context, overlay, api, keep);
  if (!overlay.upper.empty()) {
    if (api == OverlayApi::Descriptors) {
      context.set_fd("upperdir", open_directory(overlay.upper).get());
      context.set_fd("workdir", open_directory(overlay.work).get());
    } else {
      context.set("upperdir", short_path(overlay.upper, kMaxValue, keep));
      context.set("workdir", short_path(overlay.work, kMaxValue, keep));
    }
    // What a container's upper holds is read by `diff` and `commit` too: no format of its own.
    context.set("index", "off");
    context.set("redirect_dir", "off");
    context.set("metacopy", "off");
    if (overlay.is_volatile) context.set_flag("volatile");
  }
  if (overlay.several_file_systems) context.set("xino", "on");
  context.set("source", "overlay");
  return context.mount();
}

Fd mount_overlay(const Overlay& overlay) {
  static std::atomic<OverlayApi> api = OverlayApi::Descriptors;
  for (;;) {
    OverlayApi tried = api;
    try {
      return mount_overlay(overlay, tried);
    } catch (const Error& error) {
      bool unknown = error.errno_code() == EINVAL || error.errno_code() == EOPNOTSUPP;
      if (tried == OverlayApi::Classic || !unknown) throw;
      // EINVAL is how an unknown option ends, but wrong layers end so too: only an older way that works is kept.
      // (Before Linux 6.5 overlay takes no descriptor at all: EOPNOTSUPP.)
      OverlayApi older = tried == OverlayApi::Descriptors ? OverlayApi::PerLayer : OverlayApi::Classic;
      try {
        Fd mount = mount_overlay(overlay, older);
        api = older;
        return mount;
      } catch (const Error&) {
        if (older == OverlayApi::Classic) throw error;
        Fd mount = mount_overlay(overlay, OverlayApi::Classic);
        api = OverlayApi::Classic;
        return mount;
      }
    }
  }
}

}  // namespace proa::os
