#include "archive/layer_tree.h"

#include <sys/stat.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "archive/entry_rules.h"
#include "archive/layer_entries.h"
#include "archive/xattr.h"
#include "base/text.h"
#include "os/file.h"

namespace proa::archive {
namespace {

constexpr std::size_t kMaxBytes = 48 << 20;  // of memory for one tree
constexpr std::size_t kNodeSize = 48;        // of the index, with malloc's part
constexpr std::size_t kTexts = 64 << 10;
constexpr std::uint64_t kBlock = 512;
constexpr std::uint64_t kMaxPosition = std::uint64_t{1} << 40;  // block numbers have 32 bits
constexpr std::uint64_t kMaxChunks = 64 << 10;
constexpr unsigned kMaxChunkBits = 40;
constexpr int kMaxLinks = 40;  // on the way, as the kernel

constexpr std::size_t kMaxXattrBytes = 256'000;  // that EROFS counts; with its header

std::size_t xattr_bytes(const std::map<std::string, std::string>& xattrs) {
  std::size_t bytes = 0;
  for (const auto& [name, value] : xattrs) bytes += name.size() + value.size() + 8;
  return bytes;
}

std::uint32_t type_bits(EntryType type) {
  switch (type) {
    case EntryType::Symlink:
      return S_IFLNK;
    case EntryType::CharDevice:
      return S_IFCHR;
    case EntryType::BlockDevice:
      return S_IFBLK;
    case EntryType::Directory:
      return S_IFDIR;
    case EntryType::Fifo:
      return S_IFIFO;
    case EntryType::File:
    case EntryType::HardLink:
      break;
  }
  return S_IFREG;
}

}  // namespace

std::optional<ChunkMap> map_chunks(const TarEntry& entry, std::uint64_t position) {
  ChunkMap map;
  map.bits = kMaxChunkBits;
  std::uint64_t stored = position;
  for (const auto& region : entry.sparse) {
    if (region.length == 0) continue;
    std::uint64_t ends = region.offset + region.length == entry.size ? 0 : region.length;
    auto bits = static_cast<unsigned>(std::countr_zero(region.offset | ends | std::uint64_t{1} << kMaxChunkBits));
    map.bits = std::min(map.bits, bits);
    if (stored % kBlock != 0) return std::nullopt;
    stored += region.length;
  }
  if (map.bits < 9) return std::nullopt;
  std::uint64_t chunks = (entry.size >> map.bits) + ((entry.size & ((std::uint64_t{1} << map.bits) - 1)) != 0 ? 1 : 0);
  if (chunks > kMaxChunks || stored > kMaxPosition) return std::nullopt;
  map.blocks.assign(static_cast<std::size_t>(chunks), ChunkMap::kHole);
  stored = position;
  for (const auto& region : entry.sparse) {
    for (std::uint64_t at = 0; at < region.length; at += std::uint64_t{1} << map.bits) {
      map.blocks[static_cast<std::size_t>((region.offset + at) >> map.bits)] =
          static_cast<std::uint32_t>((stored + at) / kBlock);
    }
    stored += region.length;
  }
  return map;
}

LayerTree::LayerTree() : index_(Order{this}) {
  files_.emplace_back();
  files_[kRoot].mode = S_IFDIR | 0755;
  files_[kRoot].parent = kRoot;
  files_[kRoot].links = 1;
}

void LayerTree::spend(std::size_t bytes) {
  spent_ += bytes;
  if (spent_ > kMaxBytes && unfit_.empty()) unfit_ = "it has too many files for an index in memory";
}

void LayerTree::add(const TarEntry& entry, std::uint64_t position) {
  ++entries_;
  if (position > kMaxPosition && unfit_.empty()) unfit_ = "it is larger than 1 TiB";
  if (!unfit_.empty()) return;
  try {
    apply(entry, position);
  } catch (const Error& error) {
    throw about_entry(entry, error);
  }
}

void LayerTree::apply(const TarEntry& entry, std::uint64_t position) {
  auto parts = entry_parts(entry.path);
  if (parts.empty()) {
    if (entry.type != EntryType::Directory) refuse(cat("the root cannot become a ", to_string(entry.type)));
    return set_attributes(kRoot, entry);
  }
  Marker marker = marker_of(parts);
  if (marker == Marker::Ignored) return;
  std::string name = std::move(parts.back());
  parts.pop_back();
  Place place{parent(parts), name};
  if (marker != Marker::None) return apply_marker(marker == Marker::Opaque, place);
  switch (entry.type) {
    case EntryType::Directory:
      return make_directory(place, entry);
    case EntryType::HardLink:
      return make_hard_link(place, entry);
    default:
      return make_leaf(place, entry, position);
  }
}

void LayerTree::apply_marker(bool opaque, const Place& place) {
  if (opaque) return set_opaque(place.directory);
  Place hidden{place.directory, hidden_name(place.name)};
  Id there = child(hidden.directory, hidden.name);
  if (there == kNone) return link(hidden, new_file(S_IFCHR));
  // The layer has something of that name itself: it stays, and only hides what is below.
  if (is_directory(there)) set_opaque(there);
}

void LayerTree::make_directory(const Place& place, const TarEntry& entry) {
  Id there = child(place.directory, place.name);
  if (there == kNone || !is_directory(there)) {
    bool hidden = there != kNone && is_whiteout(there);
    if (there != kNone) unlink(place);
    there = new_directory(place);
    if (hidden) set_opaque(there);
  }
  set_attributes(there, entry);
}

void LayerTree::make_leaf(const Place& place, const TarEntry& entry, std::uint64_t position) {
  bool is_device = entry.type == EntryType::CharDevice || entry.type == EntryType::BlockDevice;
  if (entry.type == EntryType::Symlink) {
    if (entry.link_target.empty()) refuse("a symlink to nothing");
    if (entry.link_target.size() > kMaxTarget) refuse("symlink: File name too long");
  }
  if (entry.type == EntryType::CharDevice && entry.device_major == 0 && entry.device_minor == 0)
    refuse("a device 0:0 would be a whiteout");
  std::optional<ChunkMap> chunks;
  if (entry.is_sparse && !(chunks = map_chunks(entry, position))) {
    unfit_ = cat("the sparse file ", quoted(entry.path), " cannot be read where it is");
    return;
  }
  if (child(place.directory, place.name) != kNone) unlink(place);
  Id id = new_file(type_bits(entry.type));
  link(place, id);
  File& file = files_[id];
  if (entry.type == EntryType::File) {
    file.size = entry.size;
    file.position = position;
  }
  if (is_device) {
    file.device_major = entry.device_major;
    file.device_minor = entry.device_minor;
  }
  if (entry.type == EntryType::Symlink) rare(id).target = entry.link_target;
  if (chunks) {
    spend(chunks->blocks.size() * sizeof(std::uint32_t));
    rare(id).chunks = std::move(*chunks);
  }
  spend(entry.link_target.size());
  set_attributes(id, entry);
  if (entry.type == EntryType::Symlink) files_[id].mode = S_IFLNK | 0777;
}

// What docker does: the target is in this layer, and there already.
void LayerTree::make_hard_link(const Place& place, const TarEntry& entry) {
  std::string what = cat("hard link to ", quoted(entry.link_target));
  auto parts = entry_parts(os::clean_path(cat("/", entry.link_target)));
  if (parts.empty()) refuse(cat(what, ": names no file"));
  std::string name = std::move(parts.back());
  parts.pop_back();
  auto directory = find_directory(parts);
  Id to = directory ? child(*directory, name) : kNone;
  if (to == kNone) refuse(cat(what, ": No such file or directory"));
  if (is_directory(to)) refuse("a hard link to a directory");
  if (is_whiteout(to)) refuse("a hard link to a whiteout");
  if (Id there = child(place.directory, place.name); there != kNone) {
    if (*directory == place.directory && name == place.name) refuse("a hard link to itself");
    if (there == to) return;  // that link exists
    unlink(place);
    if (child(*directory, name) != to) refuse(cat(what, ": No such file or directory"));  // it was below that
  }
  link(place, to);
}

LayerTree::Id LayerTree::parent(const std::vector<std::string>& parts) {
  std::string path = join(parts, "/");
  if (!stale_ && parent_path_ == path) return parent_;
  auto there = find_directory(parts);
  parent_ = there ? *there : make_parents(parts);
  parent_path_ = std::move(path);
  stale_ = false;
  return parent_;
}

LayerTree::Id LayerTree::make_parents(const std::vector<std::string>& parts) {
  std::vector<std::string> done;
  for (const auto& part : parts) {
    auto above = find_directory(done);
    if (!above) refuse(cat(quoted(join(done, "/")), ": Not a directory"));
    Id there = child(*above, part);
    done.push_back(part);
    bool hidden = there != kNone && is_whiteout(there);
    if (there != kNone && !hidden) continue;
    if (hidden) unlink({*above, part});
    Id made = new_directory({*above, part});
    if (hidden) set_opaque(made);
  }
  auto made = find_directory(parts);
  if (!made) refuse(cat(quoted(join(parts, "/")), ": Not a directory"));
  return *made;
}

// Links are followed as openat2(RESOLVE_IN_ROOT) does, the last component's too. nullopt: it is not there, or something
// on the way is no directory.
std::optional<LayerTree::Id> LayerTree::find_directory(const std::vector<std::string>& parts) const {
  std::vector<std::string> left(parts.rbegin(), parts.rend());
  Id at = kRoot;
  for (int links = 0; !left.empty();) {
    std::string name = std::move(left.back());
    left.pop_back();
    if (name.empty() || name == ".") continue;
    if (name == "..") {
      at = files_[at].parent;
      continue;
    }
    if (name.size() > kMaxName) refuse("File name too long");
    Id next = child(at, name);
    if (next == kNone) return std::nullopt;
    if (S_ISLNK(files_[next].mode)) {
      if (++links > kMaxLinks) refuse("Too many levels of symbolic links");
      const std::string& target = files_[next].rare->target;
      if (target.starts_with('/')) at = kRoot;
      auto more = split(target, '/');
      left.insert(left.end(), more.rbegin(), more.rend());
      continue;
    }
    if (!is_directory(next)) return std::nullopt;
    at = next;
  }
  return at;
}

LayerTree::Id LayerTree::child(Id directory, std::string_view name) const {
  auto found = index_.find(Key{directory, name});
  return found == index_.end() ? kNone : names_[*found].file;
}

bool LayerTree::is_directory(Id id) const { return S_ISDIR(files_[id].mode); }
bool LayerTree::is_whiteout(Id id) const {
  const File& file = files_[id];
  return S_ISCHR(file.mode) && file.device_major == 0 && file.device_minor == 0;
}

LayerTree::Id LayerTree::new_file(std::uint32_t mode) {
  Id id = static_cast<Id>(files_.size());
  if (free_.empty()) {
    files_.emplace_back();
    spend(sizeof(File));
  } else {
    id = free_.back();
    free_.pop_back();
    files_[id] = File();
  }
  files_[id].mode = mode;
  return id;
}

LayerTree::Id LayerTree::new_directory(const Place& place) {
  Id id = new_file(S_IFDIR | 0755);
  files_[id].parent = place.directory;
  link(place, id);
  return id;
}

void LayerTree::link(const Place& place, Id file) {
  if (place.name.size() > kMaxName) refuse("File name too long");
  ++files_[file].links;
  if (auto known = index_.find(Key{place.directory, place.name}); known != index_.end()) {
    names_[*known].file = file;
    return;
  }
  if (text_left_ < place.name.size()) {
    texts_.push_back(std::make_unique<char[]>(kTexts));
    text_left_ = kTexts;
  }
  char* text = texts_.back().get() + kTexts - text_left_;
  std::memcpy(text, place.name.data(), place.name.size());
  text_left_ -= place.name.size();
  auto number = static_cast<std::uint32_t>(names_.size());
  names_.push_back({place.directory, file, text, static_cast<std::uint8_t>(place.name.size())});
  index_.insert(number);
  spend(sizeof(Name) + place.name.size() + kNodeSize);
}

// With all below it.
void LayerTree::unlink(const Place& place) {
  stale_ = true;
  std::vector<std::uint32_t> left{*index_.find(Key{place.directory, place.name})};
  while (!left.empty()) {
    Name& name = names_[left.back()];
    left.pop_back();
    Id file = std::exchange(name.file, kNone);
    if (is_directory(file)) {
      auto below = names_in(file);
      left.insert(left.end(), below.begin(), below.end());
    }
    release(file);
  }
}

void LayerTree::release(Id file) {
  if (--files_[file].links > 0) return;
  files_[file].rare.reset();
  if (!is_directory(file)) free_.push_back(file);  // names still refer to a directory's ID
}

LayerTree::Rare& LayerTree::rare(Id file) {
  auto& place = files_[file].rare;
  if (!place) {
    place = std::make_unique<Rare>();
    spend(sizeof(Rare));
  }
  return *place;
}

void LayerTree::set_opaque(Id directory) { rare(directory).xattrs[std::string(kOpaqueXattr)] = "y"; }

// Attributes that a directory has already stay, as they do on a disk.
void LayerTree::set_attributes(Id id, const TarEntry& entry) {
  File& file = files_[id];
  file.mode = (file.mode & S_IFMT) | entry.mode;
  file.uid = entry.uid;
  file.gid = entry.gid;
  EntryTime time = time_of(entry);
  file.mtime = time.seconds;
  file.nanos = time.nanos;
  for (const auto& [name, value] : entry.xattrs) {
    switch (judge_xattr(name, value, entry.type)) {
      case XattrVerdict::Kept:
        rare(id).xattrs[name] = value;
        spend(name.size() + value.size() + 16 * sizeof(void*));
        break;
      case XattrVerdict::Refused:
        refuse(cat("extended attribute ", quoted(name), ": Invalid argument"));
      case XattrVerdict::Acl:
        unfit_ = "it has access control lists";
        break;
      case XattrVerdict::LeftOut:
        break;
    }
  }
  if (files_[id].rare && xattr_bytes(files_[id].rare->xattrs) > kMaxXattrBytes) unfit_ = "its attributes are too large";
}

std::vector<std::uint32_t> LayerTree::names_in(Id directory) const {
  std::vector<std::uint32_t> out;
  for (auto at = index_.lower_bound(Key{directory, ""}); at != index_.end() && names_[*at].directory == directory;
       ++at) {
    if (names_[*at].file != kNone) out.push_back(*at);
  }
  return out;
}

std::vector<LayerTree::Child> LayerTree::children(Id directory) const {
  std::vector<Child> out;
  for (std::uint32_t name : names_in(directory)) out.push_back({names_[name].view(), names_[name].file});
  return out;
}

}  // namespace proa::archive
