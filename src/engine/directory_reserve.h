// The directory of the next container, D/containers/<id>, made with its files before anyone asks for it: a dozen new
// inodes that no create and no start waits for.
#pragma once

#include <mutex>
#include <string>
#include <string_view>

namespace proa::engine {

class DirectoryReserve {
 public:
  // What is ready waits in `staging`, on the same file system; what an earlier daemon left in it is removed.
  DirectoryReserve(std::string staging, std::string containers_dir);

  // The ID of a new container: that of the directory kept ready, if there is one.
  std::string take_id();
  // Makes containers_dir/<id>: what take_id() had ready, or an empty directory. Throws what rename(2) and mkdir(2) do.
  void place(std::string_view id);
  // The ID is not used after all. Not for a placed one.
  void discard(std::string_view id);
  // Off the path of a create.
  void refill();

 private:
  std::string staged(std::string_view id) const;

  std::string staging_, containers_dir_;
  std::mutex mutex_;  // held while one is made: two would be one too many
  std::string ready_;
};

}  // namespace proa::engine
