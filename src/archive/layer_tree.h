// The file tree that a layer's tar makes, held in memory: what extract() with Whiteouts::Overlay would leave on a disk,
// with the same verdicts, but the content of files stays where it is in the tar.
#pragma once

#include <compare>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "archive/tar_entry.h"

namespace proa::archive {

// Where the stored pieces of a sparse file are, one number for each of its equal chunks.
struct ChunkMap {
  static constexpr std::uint32_t kHole = UINT32_MAX;
  unsigned bits = 0;                  // log2 of a chunk's size
  std::vector<std::uint32_t> blocks;  // of 512 bytes, from the start of the tar; or kHole
};
// nullopt: the regions do not lie on blocks, or there would be too many chunks. Pure.
std::optional<ChunkMap> map_chunks(const TarEntry& entry, std::uint64_t position);

class LayerTree {
 public:
  using Id = std::uint32_t;  // of a file, whatever its names
  static constexpr Id kRoot = 0, kNone = UINT32_MAX;

  struct Rare {               // what few files have
    std::string target = {};  // of a symlink
    std::map<std::string, std::string> xattrs = {};
    ChunkMap chunks = {};  // of a sparse file
  };
  struct File {
    std::uint64_t size = 0, position = 0;  // its content in the tar
    std::int64_t mtime = 0;
    std::uint32_t nanos = 0, uid = 0, gid = 0;
    std::uint32_t mode = 0;  // with the type, as in stat
    std::uint32_t device_major = 0, device_minor = 0;
    std::uint32_t links = 0;  // names; a directory has one
    Id parent = kNone;        // of a directory
    std::unique_ptr<Rare> rare = {};
  };

  LayerTree();
  LayerTree(const LayerTree&) = delete;
  LayerTree& operator=(const LayerTree&) = delete;

  // The next entry; `position`: of its content in the tar. Throws Error(InvalidArgument) that names the entry.
  void add(const TarEntry& entry, std::uint64_t position);
  // Why the tree cannot be held like this, "" if it can: too large for the memory it may take, access control lists,
  // sparse files with odd maps. Entries are not looked at any more then.
  const std::string& unfit() const { return unfit_; }
  std::uint64_t entries() const { return entries_; }

  std::uint32_t count() const { return static_cast<std::uint32_t>(files_.size()); }  // IDs are below it
  const File& file(Id id) const { return files_[id]; }
  struct Child {
    std::string_view name;
    Id file;
  };
  std::vector<Child> children(Id directory) const;  // sorted by bytes

 private:
  struct Name {
    Id directory = kNone, file = kNone;  // no file: the name is not taken any more
    const char* text = nullptr;
    std::uint8_t size = 0;
    std::string_view view() const { return {text, size}; }
  };
  struct Key {
    Id directory;
    std::string_view name;
    auto operator<=>(const Key&) const = default;
  };
  // No hash: names are chosen by who made the archive.
  struct Order {
    using is_transparent = void;
    const LayerTree* tree;
    Key key(const Key& key) const { return key; }
    Key key(std::uint32_t name) const { return {tree->names_[name].directory, tree->names_[name].view()}; }
    template <class A, class B>
    bool operator()(const A& a, const B& b) const {
      return key(a) < key(b);
    }
  };
  struct Place {
    Id directory;
    std::string_view name;
  };

  void apply(const TarEntry& entry, std::uint64_t position);
  void apply_marker(bool opaque, const Place& place);
  void make_directory(const Place& place, const TarEntry& entry);
  void make_hard_link(const Place& place, const TarEntry& entry);
  void make_leaf(const Place& place, const TarEntry& entry, std::uint64_t position);

  Id parent(const std::vector<std::string>& parts);
  Id make_parents(const std::vector<std::string>& parts);
  std::optional<Id> find_directory(const std::vector<std::string>& parts) const;
  Id child(Id directory, std::string_view name) const;
  std::vector<std::uint32_t> names_in(Id directory) const;  // that are taken, sorted by bytes
  bool is_directory(Id id) const;
  bool is_whiteout(Id id) const;

  Id new_file(std::uint32_t mode);
  Id new_directory(const Place& place);
  void link(const Place& place, Id file);
  void unlink(const Place& place);
  void release(Id file);
  Rare& rare(Id file);
  void set_attributes(Id id, const TarEntry& entry);
  void set_opaque(Id directory);
  void spend(std::size_t bytes);

  std::deque<File> files_;
  std::vector<Id> free_;
  std::deque<Name> names_;
  std::set<std::uint32_t, Order> index_;  // of names_
  std::vector<std::unique_ptr<char[]>> texts_;
  std::size_t text_left_ = 0;
  std::size_t spent_ = 0;
  std::string unfit_;
  std::uint64_t entries_ = 0;
  std::string parent_path_;  // the last entry's directory
  Id parent_ = kRoot;
  bool stale_ = true;
};

}  // namespace proa::archive
