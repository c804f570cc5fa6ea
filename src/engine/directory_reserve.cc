#include "engine/directory_reserve.h"

#include <utility>

#include "base/id.h"
#include "base/log.h"
#include "base/text.h"
#include "engine/log_reader.h"
#include "image/snapshots.h"
#include "os/file.h"

namespace proa::engine {
namespace {
constexpr mode_t kDirectoryMode = 0710;
}

DirectoryReserve::DirectoryReserve(std::string staging, std::string containers_dir)
    : staging_(std::move(staging)), containers_dir_(std::move(containers_dir)) {
  for (const auto& name : os::list_dir(staging_)) os::remove_tree(os::path_join(staging_, name));
}

std::string DirectoryReserve::staged(std::string_view id) const { return os::path_join(staging_, id); }

std::string DirectoryReserve::take_id() {
  std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock || ready_.empty()) return new_id();
  return std::exchange(ready_, "");
}

void DirectoryReserve::place(std::string_view id) {
  auto directory = os::path_join(containers_dir_, id);
  if (os::exists(staged(id)))
    os::rename_path(staged(id), directory);
  else
    os::make_dir(directory, kDirectoryMode);
}

void DirectoryReserve::discard(std::string_view id) { os::remove_tree(staged(id)); }

void DirectoryReserve::refill() {
  std::lock_guard guard(mutex_);
  if (!ready_.empty()) return;
  auto id = new_id();
  auto path = [&, home = staged(id)](std::string_view name) { return os::path_join(home, name); };
  try {
    os::make_dir(staged(id), kDirectoryMode);
    os::make_dir(path("work"), 0700);
    os::make_dir(path("upper"), 0755);
    os::write_file(os::path_join(path("upper"), image::kEngineMark), "", 0755);
    for (const char* name : {"hosts", "hostname", "resolv.conf"}) os::write_file(path(name), "", 0644);
    os::write_file(path("lowers.json"), "", 0600);
    os::write_file(path(log_file_name(id)), "", 0640);
    ready_ = id;
  } catch (const Error& error) {  // a full disk, say: whoever creates a container meets it and says so
    log::debug("no directory is ready for the next container", {{"reason", error.message()}});
    os::remove_tree(staged(id));
  }
}

}  // namespace proa::engine
