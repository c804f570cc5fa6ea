// Which namespaces a container gets: new ones, others' by path, and the host's.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "oci/runtime_spec.h"
#include "os/fd.h"

namespace proa::runtime {

struct NamespacePlan {
  std::uint64_t clone_flags = 0;    // new ones made by clone3
  std::uint64_t unshare_flags = 0;  // new ones the CHILD makes for itself: cgroup (after it has joined), time (offsets)
  // Of those that a new user namespace's root makes, for /dev/mqueue is of who has made the namespace: ipc.
  std::uint64_t root_flags = 0;
  struct Join {
    int flag;
    std::string path;
  };
  std::vector<Join> joins;  // user first; pid is not among them
  std::string pid_path;     // the PARENT joins it around clone3: setns counts for children only
  std::uint64_t owned = 0;  // CLONE_NEW* of every type that is not the host's

  bool is_new(int flag) const {
    return ((clone_flags | unshare_flags | root_flags) & static_cast<std::uint64_t>(flag)) != 0;
  }
  bool own(int flag) const { return (owned & static_cast<std::uint64_t>(flag)) != 0; }
};
// Pure. Throws InvalidArgument for an unknown type or one named twice.
NamespacePlan plan_namespaces(const oci::Linux& linux);

// "/proc/self/fd/N" without walking a path: N itself. Otherwise the path is opened.
os::Fd open_namespace(std::string_view path);
void join_namespaces(const NamespacePlan& plan);                              // CHILD
void unshare_namespaces(const NamespacePlan& plan, const oci::Linux& linux);  // CHILD, time offsets too
void unshare_as_root(const NamespacePlan& plan);                              // CHILD, in the user namespace

// PARENT: makes its children be born in the pid namespace `fd` while it lives.
class PidNamespaceForChildren {
 public:
  explicit PidNamespaceForChildren(int fd);  // a namespace or pidfd; -1: nothing
  ~PidNamespaceForChildren();
  PidNamespaceForChildren(const PidNamespaceForChildren&) = delete;
  PidNamespaceForChildren& operator=(const PidNamespaceForChildren&) = delete;

 private:
  os::Fd own_;
};

// PARENT: /proc/PID/{uid_map,gid_map} of a child in a new user namespace; by newuidmap(1) and newgidmap(1) where the
// caller may not write them.
void write_id_maps(pid_t pid, const std::vector<oci::IdMapping>& uids, const std::vector<oci::IdMapping>& gids);
std::string render_id_map(const std::vector<oci::IdMapping>& mappings);  // pure

}  // namespace proa::runtime
