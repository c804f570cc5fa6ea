// extract() from the inside: one archive going into one root.
#pragma once

#include <set>
#include <unordered_map>

#include "archive/entry_rules.h"
#include "archive/layer_entries.h"

namespace proa::archive {

class Extractor {
 public:
  Extractor(TarReader& from, const os::RootedDir& root, const ExtractOptions& options, std::stop_token stop);
  ExtractResult run();

 private:
  // Where an entry goes: `name` in the directory `parent` (kept open between entries).
  struct Place {
    int parent;
    std::string name;
  };

  void apply(const TarEntry& entry);
  void apply_root(const TarEntry& entry);
  void apply_marker(Marker marker, const Place& place);
  void delete_children(int directory);

  int parent(const std::string& path);
  os::Fd make_parent(const std::string& path);
  // Removes what is in the way of an entry of this type; true where it is a directory that stays.
  bool clear(const Place& place, const TarEntry& entry);

  void make_directory(const Place& place, const TarEntry& entry);
  void make_file(const Place& place, const TarEntry& entry);
  void make_symlink(const Place& place, const TarEntry& entry);
  void make_hard_link(const Place& place, const TarEntry& entry);
  void make_node(const Place& place, const TarEntry& entry);
  void write_content(int fd, const TarEntry& entry);
  void write_at(int fd, std::span<const std::byte> bytes, std::uint64_t offset);

  void set_owner(int fd, const TarEntry& entry) const;
  void set_directory_attributes(int fd, const TarEntry& entry);
  std::optional<os::Fd> try_open_directory(const std::string& path) const;
  void set_directory_times();
  void remove(const Place& place);
  bool is_whiteout(const Place& place) const;
  void check_stop() const;

  TarReader& from_;
  const os::RootedDir& root_;
  const ExtractOptions& options_;
  std::stop_token stop_;
  std::string base_;  // "/" or "/a/b"
  ExtractResult result_;
  std::string parent_path_;  // of parent_
  os::Fd parent_;
  bool stale_ = false;        // something was removed: parent_path_ may name another directory now
  std::uint64_t stored_ = 0;  // bytes written to the last file
  std::string path_;          // of the entry being applied, in the root
  struct DirectoryTime {
    std::string path;
    timespec time;
  };
  std::unordered_map<ino_t, DirectoryTime> directory_times_;  // set last: what is made inside changes them
  std::set<std::string> made_;                                // Whiteouts::Delete only
};

}  // namespace proa::archive
