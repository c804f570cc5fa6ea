#include "volume/volumes.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/failpoint.h"
#include "base/id.h"
#include "base/json_codec.h"
#include "base/log.h"
#include "base/text.h"
#include "base/trace.h"
#include "os/file.h"
#include "os/file_walk.h"
#include "volume/mount_args.h"
#include "volume/populate.h"

namespace proa {
template <>
struct json::Fields<volume::VolumeRecord> {
  using T = volume::VolumeRecord;
  static constexpr auto list =
      std::tuple{json::always("name", &T::name),          json::always("driver", &T::driver),
                 json::optional("labels", &T::labels),    json::optional("options", &T::options),
                 json::always("created", &T::created_at), json::optional("anonymous", &T::anonymous)};
};
}  // namespace proa

namespace proa::volume {
namespace {

constexpr std::string_view kTable = "volumes";

std::string path_text(const VolumeRecord& record, std::string_view key) {
  auto it = record.options.find(std::string(key));
  return it == record.options.end() ? std::string() : it->second;
}

// One without a name is lost with the container that it is for where the power fails, any other is not.
store::Durability durability_of(const VolumeRecord& record) {
  return record.anonymous ? store::Durability::Normal : store::Durability::Full;
}

void check_options(const CreateVolume& request) {
  for (const auto& [key, value] : request.options) {
    if (key != "type" && key != "o" && key != "device" && key != "size") {
      throw Error(ErrorKind::InvalidArgument, cat("create ", request.name, ": invalid option: \"", key, "\""));
    }
    if (key == "size") {
      throw Error(ErrorKind::InvalidArgument,
                  cat("create ", request.name, ": quota size requested but no quota support"));
    }
  }
  bool device = request.options.contains("device"), type = request.options.contains("type"),
       o = request.options.contains("o");
  if ((type || o) && !device)
    throw Error(ErrorKind::InvalidArgument, cat("create ", request.name, ": missing required option: \"device\""));
  if (device && !type && !o)
    throw Error(ErrorKind::InvalidArgument, cat("create ", request.name, ": missing required option: \"type\""));
}

// What of `o` are flags of mount(2); the rest goes to the file system.
std::pair<unsigned long, std::string> mount_flags(std::string_view options) {
  unsigned long flags = 0;
  std::vector<std::string> data;
  for (const auto& option : split(options, ',')) {
    if (option == "bind")
      flags |= MS_BIND;
    else if (option == "rbind")
      flags |= MS_BIND | MS_REC;
    else if (option == "ro")
      flags |= MS_RDONLY;
    else if (option == "nosuid")
      flags |= MS_NOSUID;
    else if (option == "nodev")
      flags |= MS_NODEV;
    else if (option == "noexec")
      flags |= MS_NOEXEC;
    else if (option == "noatime")
      flags |= MS_NOATIME;
    else if (option == "sync")
      flags |= MS_SYNCHRONOUS;
    else if (option != "rw" && !option.empty())
      data.push_back(option);
  }
  return {flags, join(data, ",")};
}

}  // namespace

Volumes::Volumes(store::Database& database, std::string data_root)
    : database_(database), root_(os::path_join(data_root, "volumes")), trash_(os::path_join(data_root, "trash")) {
  os::make_dirs(root_, 0711);
  os::make_dirs(trash_, 0700);
  auto state = state_.lock();
  for (const auto& [key, value] : database_.list(kTable)) {
    try {
      state->records[key] = json::decode<VolumeRecord>(value);
    } catch (const Error& error) {
      log::error("a volume's record cannot be read", {{"volume", key}, {"error", error.message()}});
    }
  }
}

VolumeRecord Volumes::create(const CreateVolume& request) {
  trace::Span span("volume.create");
  VolumeRecord record;
  record.name = request.name.empty() ? new_id() : request.name;
  span.set("name", record.name);
  check_volume_name(record.name);
  if (!request.driver.empty() && request.driver != "local") {
    throw Error(ErrorKind::NotFound, cat("create ", record.name, ": error looking up volume plugin ", request.driver,
                                         ": plugin \"", request.driver, "\" not found"));
  }
  check_options(request);
  record.labels = request.labels;
  record.options = request.options;
  record.created_at = now();
  record.anonymous = request.anonymous || request.name.empty();
  if (record.anonymous) record.labels["com.docker.volume.anonymous"] = "";
  auto state = state_.lock();
  if (auto it = state->records.find(record.name); it != state->records.end()) {
    if (!request.options.empty() && request.options != it->second.options) {
      throw Error(ErrorKind::Conflict, cat("create ", record.name, ": volume already exists with other options"));
    }
    return it->second;
  }
  // The row first: start-up removes directories that no row owns.
  database_.transaction([&] { database_.put(kTable, record.name, json::encode(record)); }, durability_of(record));
  FAILPOINT("volume.create.after_row");
  std::string directory = os::path_join(root_, record.name);
  os::make_dir(directory, 0701);
  os::make_dir(os::path_join(directory, "_data"), 0755);
  FAILPOINT("volume.create.after_dir");
  state->records[record.name] = record;
  return record;
}

std::optional<VolumeRecord> Volumes::find(std::string_view name) const {
  auto state = state_.lock();
  auto it = state->records.find(name);
  if (it == state->records.end()) return std::nullopt;
  return it->second;
}

VolumeRecord Volumes::get(std::string_view name) const {
  if (auto found = find(name)) return *found;
  throw Error(ErrorKind::NotFound, cat("get ", name, ": no such volume"));
}

std::vector<VolumeRecord> Volumes::list() const {
  auto state = state_.lock();
  std::vector<VolumeRecord> out;
  for (const auto& [name, record] : state->records) out.push_back(record);
  return out;
}

void Volumes::remove(std::string_view name, bool force) {
  auto state = state_.lock();
  auto it = state->records.find(name);
  if (it == state->records.end()) {
    if (force) return;
    throw Error(ErrorKind::NotFound, cat("get ", name, ": no such volume"));
  }
  if (auto users = state->users.find(name); users != state->users.end() && !users->second.empty()) {
    std::vector<std::string> ids(users->second.begin(), users->second.end());
    throw Error(ErrorKind::Conflict, cat("remove ", name, ": volume is in use - [", join(ids, ", "), "]"));
  }
  database_.transaction([&] { database_.erase(kTable, name); }, durability_of(it->second));
  FAILPOINT("volume.remove.after_row");
  std::string directory = os::path_join(root_, name);
  if (os::exists(directory))
    os::rename_path(directory, os::path_join(trash_, cat("volume-", name, "-", std::to_string(now()))));
  state->users.erase(std::string(name));
  state->records.erase(it);
}

std::string Volumes::mountpoint(std::string_view name) const {
  return os::path_join(os::path_join(root_, name), "_data");
}
std::uint64_t Volumes::disk_usage(std::string_view name) const { return os::disk_usage(mountpoint(name)); }
std::uint64_t Volumes::disk_blocks(std::string_view name) const { return os::disk_blocks(os::path_join(root_, name)); }

void Volumes::hold(std::string_view name, const std::string& container_id) {
  state_.lock()->users[std::string(name)].insert(container_id);
}

void Volumes::release(std::string_view name, const std::string& container_id) {
  auto state = state_.lock();
  if (auto it = state->users.find(name); it != state->users.end()) it->second.erase(container_id);
}

std::set<std::string> Volumes::users(std::string_view name) const {
  auto state = state_.lock();
  auto it = state->users.find(name);
  return it == state->users.end() ? std::set<std::string>{} : it->second;
}

std::string Volumes::mount(std::string_view name, const std::string& container_id) {
  auto record = get(name);
  std::string target = mountpoint(name);
  os::make_dirs(target, 0755);  // someone may have removed it by hand
  std::string device = path_text(record, "device");
  if (device.empty()) return target;
  auto state = state_.lock();
  auto& holders = state->mounted[std::string(name)];
  if (holders.empty()) {
    auto [flags, data] = mount_flags(path_text(record, "o"));
    std::string type = path_text(record, "type");
    if (::mount(device.c_str(), target.c_str(), type.c_str(), flags, data.c_str()) < 0) {
      int code = errno;
      throw Error(os::kind_of_errno(code),
                  cat("failed to mount local volume: mount ", device, ":", target, ", data: ", data, ": ",
                      os::errno_text(code)),
                  code);
    }
  }
  holders.insert(container_id);
  return target;
}

void Volumes::unmount(std::string_view name, const std::string& container_id) {
  auto state = state_.lock();
  auto it = state->mounted.find(name);
  if (it == state->mounted.end()) return;
  it->second.erase(container_id);
  if (!it->second.empty()) return;
  state->mounted.erase(it);
  ::umount2(mountpoint(name).c_str(), MNT_DETACH | UMOUNT_NOFOLLOW);
}

void Volumes::copy_up(std::string_view name, const os::RootedDir& image_root, std::string_view path) {
  auto record = get(name);
  if (!path_text(record, "device").empty()) return;
  auto source = image_root.try_open_at(path, O_RDONLY | O_DIRECTORY | O_NONBLOCK);
  if (!source) return;
  auto state = state_.lock();  // one copy at a time: two containers may start on one empty volume
  trace::Span span("volume.copy_up");
  span.set("volume", std::string(name));
  span.set("path", std::string(path));
  populate(os::path_join(root_, name), source->get());
}

void Volumes::recover() {
  auto state = state_.lock();
  // Without its record it is a volume all the same where records were lost: what users keep is not thrown away.
  std::set<std::string, std::less<>> lost = database_.keys(kTable);
  bool all_lost = !database_.set_aside().empty();
  for (const auto& name : os::list_dir(root_)) {
    if (state->records.contains(name)) continue;
    if (all_lost || lost.contains(name)) {
      log::error("a volume's record is lost; it goes on without its options and labels", {{"volume", name}});
      VolumeRecord record;
      record.name = name;
      record.created_at = now();
      database_.put(kTable, name, json::encode(record));
      state->records[name] = std::move(record);
      continue;
    }
    log::warn("removing a volume directory that no record owns", {{"volume", name}});
    os::rename_path(os::path_join(root_, name),
                    os::path_join(trash_, cat("volume-", name, "-", std::to_string(now()))));
  }
  if (all_lost) {
    // Some records come from a copy, which still knows what was removed after it.
    std::erase_if(state->records, [&](const auto& entry) {
      if (os::exists(os::path_join(root_, entry.first))) return false;
      log::warn("the record of a volume that has no directory is dropped: it was removed, or is lost",
                {{"volume", entry.first}});
      return database_.erase(kTable, entry.first);
    });
  }
  for (const auto& [name, record] : state->records) {
    std::string directory = os::path_join(root_, name);
    os::make_dirs(os::path_join(directory, "_data"), 0755);
    try {
      finish_populating(directory);
    } catch (const Error& error) {
      log::error("what an image has for a volume could not be moved into it",
                 {{"volume", name}, {"error", error.message()}});
    }
  }
}

bool Volumes::owns(std::string_view name) const { return state_.lock()->records.contains(name); }

}  // namespace proa::volume
