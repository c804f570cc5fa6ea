#include "runtime/state_dir.h"

#include <signal.h>
#include <sys/stat.h>
#include <time.h>

#include <cerrno>

#include "base/json.h"
#include "base/text.h"
#include "base/time.h"
#include "os/file.h"
#include "os/process.h"
#include "runtime/spec_check.h"
#include "runtime/verbs.h"

namespace proa::runtime {

StateDir::StateDir(std::string root, std::string id) : id_(std::move(id)) {
  check_container_id(id_);
  path_ = os::path_join(root, id_);
}

std::string StateDir::gate_path() const { return os::path_join(path_, "gate.sock"); }

void StateDir::reserve() {
  os::make_dirs(os::dir_name(path_), 0711);
  if (::mkdir(path_.c_str(), 0711) == 0) return;
  if (errno == EEXIST) throw Error(ErrorKind::Conflict, "container with given ID already exists");
  os::fail(cat("mkdir ", path_));
}

void StateDir::save(const ContainerState& state) {
  JsonObject out{{"id", state.id},
                 {"bundle", state.bundle},
                 {"rootfs", state.rootfs},
                 {"created", state.created},
                 {"pid", state.pid},
                 {"start_time", state.start_time},
                 {"cgroup", to_json(state.cgroup)},
                 {"spec", oci::to_json(state.spec)}};
  os::replace_file(os::path_join(path_, "state.json"), json::text(out), 0600);
}

ContainerState StateDir::load() const {
  auto text = os::try_read_file(os::path_join(path_, "state.json"));
  if (!text) throw Error(ErrorKind::NotFound, "container does not exist");
  Json in = json::parse(*text);
  ContainerState state;
  state.id = json::string_at(in, "id");
  state.bundle = json::string_at(in, "bundle");
  state.rootfs = json::string_at(in, "rootfs");
  state.created = json::string_at(in, "created");
  state.pid = static_cast<int>(json::int_at(in, "pid"));
  state.start_time = static_cast<std::uint64_t>(json::int_at(in, "start_time"));
  if (const Json* cgroup = json::find(in, "cgroup")) state.cgroup = cgroup_from_json(*cgroup);
  if (const Json* spec = json::find(in, "spec")) state.spec = oci::spec_from_json(*spec);
  return state;
}

void StateDir::save_filter(const SeccompProgram& filter) {
  os::replace_file(os::path_join(path_, "seccomp.bpf"), to_bytes(filter), 0600);
}

std::optional<SeccompProgram> StateDir::load_filter() const {
  auto bytes = os::try_read_file(os::path_join(path_, "seccomp.bpf"));
  return bytes ? std::optional(program_from_bytes(*bytes)) : std::nullopt;
}

void StateDir::remove() { os::remove_tree(path_); }

bool is_alive(const ContainerState& state) {
  if (state.pid <= 0 || os::start_time_ticks(state.pid) != state.start_time) return false;
  auto text = os::try_read_file(cat("/proc/", state.pid, "/stat"), 4096);
  if (!text) return false;
  auto after = text->rfind(") ");
  if (after == std::string::npos) return false;
  char code = (*text)[after + 2];
  return code != 'Z' && code != 'X';
}

void wait_until_dead(const ContainerState& state) {
  auto deadline = monotonic_now() + 10 * kSecond;
  while (is_alive(state)) {
    if (monotonic_now() > deadline) throw Error(ErrorKind::Deadline, "container init still running");
    timespec pause{0, 2'000'000};
    ::nanosleep(&pause, nullptr);
  }
}

void end(const ContainerState& state) {
  kill_all(state.cgroup, SIGKILL);
  if (auto pidfd = os::try_open_pidfd(state.pid); pidfd && is_alive(state)) {
    os::try_signal_pidfd(pidfd->get(), SIGKILL);
  }
  wait_until_dead(state);
}

std::string status_of(const ContainerState& state, const StateDir& dir) {
  if (!is_alive(state)) return "stopped";
  if (os::exists(dir.gate_path())) return "created";
  return is_frozen(state.cgroup) ? "paused" : "running";
}

std::vector<std::string> list_containers(const std::string& root) {
  std::vector<std::string> out;
  if (!os::exists(root)) return out;
  for (auto& name : os::list_dir(root)) {
    if (os::exists(cat(root, "/", name, "/state.json"))) out.push_back(std::move(name));
  }
  return out;
}

void remove_container(StateDir& dir, const ContainerState& state) {
  if (!destroy_cgroup(state.cgroup))
    throw Error(ErrorKind::Unavailable, "failed to remove the container's cgroup: it is busy");
  run_poststop_hooks(state.spec, state.id, state.bundle);
  dir.remove();
}

}  // namespace proa::runtime
