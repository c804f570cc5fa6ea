#include "runtime/checkpoint.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <map>

#include "base/json.h"
#include "base/log.h"
#include "base/rollback.h"
#include "base/text.h"
#include "os/file.h"
#include "os/mount.h"
#include "os/process.h"
#include "os/rooted_dir.h"
#include "os/syscalls.h"
#include "runtime/container_group.h"
#include "runtime/criu.h"
#include "runtime/external_mounts.h"
#include "runtime/mount_plan.h"
#include "runtime/namespaces.h"
#include "runtime/rootfs.h"
#include "runtime/spec_check.h"

namespace proa::runtime {
namespace {

constexpr int kOldestCriu = 30000;
// Numbers that the container's streams and namespaces have in CRIU.
constexpr int kFirstStream = 10, kFirstNamespace = 20;

os::Fd open_directory(const std::string& path) { return os::open_file(path, O_RDONLY | O_DIRECTORY); }

void check_version(const std::string& program) {
  int found = criu::version(program);
  if (found >= kOldestCriu) return;
  throw Error(ErrorKind::Unavailable, cat("CRIU version ", found, " must be ", kOldestCriu, " or higher"));
}

// The directories, open as long as CRIU works in them.
struct Directories {
  os::Fd images, work;
  std::string work_path;

  Directories(const CriuFiles& files, criu::Options& options)
      : images(open_directory(files.image_path)),
        work_path(files.work_path.empty() ? files.image_path : files.work_path) {
    os::make_dirs(work_path, 0700);
    work = open_directory(work_path);
    options.images_dir_fd = images.get();
    options.work_dir_fd = work.get();
  }
};

// Namespaces that CRIU takes as they are: "net" and "pid".
struct KeptNamespace {
  std::string kind, key, path;
};
std::vector<KeptNamespace> kept_namespaces(const oci::Linux& linux) {
  std::vector<KeptNamespace> out;
  for (const auto& space : linux.namespaces) {
    if (space.path.empty()) continue;
    if (space.type == "network") out.push_back({"net", "extRootNetNS", space.path});
    if (space.type == "pid") out.push_back({"pid", "extRootPidNS", space.path});
  }
  return out;
}

std::string freezer_of(const CgroupHandle& cgroup) {
  return cgroup.layout.directory("freezer", cgroup.path).value_or("");
}

// For restore, which gives what was a pipe then ours of now: what 0, 1 and 2 are.
void save_descriptors(const std::string& image_path, pid_t pid) {
  JsonArray names;
  for (int fd = 0; fd < 3; ++fd) {
    char target[4096];
    auto size = ::readlink(cat("/proc/", pid, "/fd/", fd).c_str(), target, sizeof target);
    names.push_back(Json(std::string_view(target, size > 0 ? static_cast<std::size_t>(size) : 0)));
  }
  os::write_file(os::path_join(image_path, "descriptors.json"), json::text(names), 0600);
}

}  // namespace

void checkpoint(const ContainerState& state, const CriuFiles& files, criu::Kind kind, criu::Options options) {
  check_version(files.program);
  if (kind == criu::Kind::PreDump || !options.parent_img.empty()) {
    options.track_mem = true;
    if (!criu::features(files.program).mem_track) {
      throw Error(ErrorKind::Unavailable, "this kernel cannot track changes of memory (CONFIG_MEM_SOFT_DIRTY)");
    }
  }
  if (options.lazy_pages && !criu::features(files.program).lazy_pages) {
    throw Error(ErrorKind::Unavailable, "this kernel cannot migrate pages lazily (userfaultfd)");
  }
  os::make_dirs(files.image_path, 0700);
  Directories directories(files, options);
  options.log_file = "dump.log";
  options.pid = state.pid;
  options.root = state.rootfs;
  options.freeze_cgroup = freezer_of(state.cgroup);
  options.ext_mnt = external_places(state.spec, state.cgroup, state.pid);
  for (const auto& kept : kept_namespaces(state.spec.linux)) {
    struct stat info {};
    os::check(::stat(kept.path.c_str(), &info), cat("namespace ", kept.path));
    options.external.push_back(cat(kept.kind, "[", info.st_ino, "]:", kept.key));
  }
  save_descriptors(files.image_path, state.pid);
  criu::Session session(files.program);
  session.request(kind, &options, os::path_join(directories.work_path, options.log_file));
}

namespace {

class Restoration {
 public:
  Restoration(const oci::Spec& spec, RestoreOptions& options) : spec_(spec), options_(options), criu_(options.criu) {}

  Created run() {
    check_image();
    GroupOptions group_options{options_.cgroup_root, "", options_.systemd_cgroup, options_.rootless};
    if (options_.systemd_cgroup) group_options.properties = annotated_properties(spec_.annotations);
    prepare_root();
    // CRIU mounts in them: opened where its mounts are.
    Directories directories(options_.files, criu_);
    ContainerGroup group(spec_, options_.id, group_options, created_.cgroup, created_.warnings, rollback_);
    describe();
    give_streams();
    give_namespaces();
    criu::Session session(options_.files.program, fds_);
    // What it makes is born where it is.
    for (const auto& dir : runtime::directories(created_.cgroup)) {
      os::write_cgroup_file(os::path_join(dir, "cgroup.procs"), cat(session.pid()));
    }
    if (created_.cgroup.resctrl) join_resctrl(*created_.cgroup.resctrl, session.pid());
    group.release();
    auto log = os::path_join(directories.work_path, criu_.log_file);
    auto answer = session.request(criu::Kind::Restore, &criu_, log, [&](const criu::Answer& note, os::Fd fd) {
      if (note.script == "setup-namespaces") run_hooks_of_parent(note.pid);
      if (note.script == "post-restore") check_confined(note.pid);
      if (note.script == "orphan-pts-master") created_.console = std::move(fd);
    });
    created_.pid = answer.pid;
    created_.pidfd = os::open_pidfd(answer.pid);
    rollback_.commit();
    return std::move(created_);
  }

 private:
  // CRIU opens the image as root of a new user namespace, by the directory's descriptor.
  void check_image() {
    if (!plan_namespaces(spec_.linux).is_new(CLONE_NEWUSER)) return;
    struct stat info {};
    os::check(::stat(options_.files.image_path.c_str(), &info), options_.files.image_path);
    for (const auto& mapping : spec_.linux.uid_mappings) {
      if (mapping.container_id != 0) continue;
      bool own = info.st_uid == mapping.host_id && (info.st_mode & S_IXUSR);
      if (own || (info.st_mode & S_IXOTH)) return;
      throw Error(ErrorKind::Forbidden,
                  cat("user ", mapping.host_id, ", root of the container's user namespace, may not search ",
                      options_.files.image_path, ", and CRIU opens the checkpoint as that user"));
    }
  }

  // CRIU wants the root to be a mount, and the places of mounts to be there. Nobody but us sees that mount.
  void prepare_root() {
    os::check(::unshare(CLONE_NEWNS), "unshare");
    os::set_propagation("/", MS_REC | MS_SLAVE);
    const std::string& path = spec_.root.path;
    std::string root = path.starts_with('/') ? path : os::path_join(options_.bundle, path);
    os::Fd place = os::open_file(root, O_PATH | O_DIRECTORY);
    os::Fd mount = os::clone_mount(AT_FDCWD, root, os::Recursive::Yes);
    os::attach_mount(mount.get(), place.get());
    char real[4096];
    auto size = os::check(::readlink(os::fd_path(place.get()).c_str(), real, sizeof real), root);
    criu_.root.assign(real, static_cast<std::size_t>(size));
    make_places(os::RootedDir(std::move(mount)));
  }

  void make_places(const os::RootedDir& root) {
    std::vector<std::string> filled;  // what is below these is in the checkpoint
    for (const auto& step : plan_mounts(spec_, options_.bundle)) {
      bool below = std::any_of(filled.begin(), filled.end(),
                               [&](const std::string& top) { return step.destination.starts_with(top + "/"); });
      if (below) continue;
      struct stat info {};
      bool file = step.kind == MountKind::Bind && ::stat(step.source.c_str(), &info) == 0 && !S_ISDIR(info.st_mode);
      open_destination(root, step.destination, !file);
      if (step.kind != MountKind::Bind) filled.push_back(step.destination);
    }
  }

  void describe() {
    criu_.log_file = "restore.log";
    criu_.evasive_devices = criu_.rst_sibling = true;
    criu_.ext_mnt = external_sources(spec_, options_.bundle, created_.cgroup);
    if (created_.cgroup.layout.unified) criu_.cg_root.emplace_back("", created_.cgroup.path);
    for (const auto& hierarchy : created_.cgroup.layout.hierarchies) {
      criu_.cg_root.emplace_back(join(hierarchy.controllers, ","), created_.cgroup.path);
    }
    for (const auto& space : spec_.linux.namespaces) {
      if (space.path.empty()) continue;
      if (space.type == "ipc" || space.type == "uts") criu_.join_ns.emplace_back(space.type, space.path);
    }
  }

  void give_streams() {
    auto text = os::try_read_file(os::path_join(options_.files.image_path, "descriptors.json"), 1 << 16);
    Json names = text ? json::parse(*text) : Json();
    if (!names.is_array()) return;
    for (std::size_t fd = 0; fd < 3 && fd < names.get_array().size(); ++fd) {
      const Json& name = names.get_array()[fd];
      if (!name.is_string() || name.get_string().find("pipe:") == std::string::npos) continue;
      int number = kFirstStream + static_cast<int>(fd);
      fds_.push_back({static_cast<int>(fd), number});
      criu_.inherit_fd.emplace_back(std::string(name.get_string()), number);
    }
  }

  void give_namespaces() {
    int number = kFirstNamespace;
    for (const auto& kept : kept_namespaces(spec_.linux)) {
      held_.push_back(open_namespace(kept.path));
      fds_.push_back({held_.back().get(), number});
      criu_.inherit_fd.emplace_back(kept.key, number++);
    }
  }

  void run_hooks_of_parent(pid_t pid) {
    if (!spec_.hooks) return;
    Json state = state_document(spec_, options_.id, "creating", pid, options_.bundle);
    run_hooks(spec_.hooks->prestart, state);
    run_hooks(spec_.hooks->create_runtime, state);
  }

  // CRIU before 4 forgets it, and then a set-user-ID program would give what the specification denies.
  void check_confined(pid_t pid) {
    if (!spec_.process.no_new_privileges) return;
    if (os::read_file(cat("/proc/", pid, "/status")).find("NoNewPrivs:\t1") != std::string::npos) return;
    throw Error(ErrorKind::Unavailable, "this CRIU does not restore process.noNewPrivileges");
  }

  const oci::Spec& spec_;
  RestoreOptions& options_;
  criu::Options& criu_;
  Created created_;
  Rollback rollback_;
  std::vector<os::FdMapping> fds_;
  std::vector<os::Fd> held_;
};

}  // namespace

Created restore(const oci::Spec& spec, RestoreOptions&& options) {
  check_spec(spec, false);
  check_version(options.files.program);
  return Restoration(spec, options).run();
}

}  // namespace proa::runtime
