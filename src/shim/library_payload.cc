#include <csignal>

#include "base/text.h"
#include "shim/payload.h"
#include "shim/seccomp_filter.h"

namespace proa::shim {
namespace {

class LibraryPayload : public Payload {
 public:
  Process start(CreateRequest& request, Given given, runtime::Stdio stdio) override {
    runtime::CreateOptions options;
    options.id = request.id;
    options.bundle = request.bundle;
    options.rootfs = std::move(given.rootfs);
    options.mounts = std::move(given.mounts);
    if (given.filter) options.filter = read_filter(*given.filter);
    options.stdio = stdio;
    options.die_with_parent = true;
    spec_ = std::move(request.spec);
    auto created = runtime::run(spec_, std::move(options));
    init_pid_ = created.pid;
    cgroup_ = std::move(created.cgroup);
    filter_ = std::move(created.filter);
    forget_start();
    init_pidfd_ = created.pidfd.duplicate();
    return {created.pid, std::move(created.pidfd), std::move(created.console), join(created.warnings, "\n")};
  }

  Process exec(ExecRequest& request, runtime::Stdio stdio) override {
    runtime::ExecOptions options;
    options.process = std::move(request.process);
    options.stdio = stdio;
    options.init_pid = init_pid_;
    options.init_pidfd = init_pidfd_.get();
    options.cgroup = &cgroup_;
    options.spec = &spec_;
    options.filter = filter_ ? &*filter_ : nullptr;
    options.die_with_parent = true;
    auto executed = runtime::exec(std::move(options));
    return {executed.pid, std::move(executed.pidfd), std::move(executed.console), join(executed.warnings, "\n")};
  }

  void pause() override { runtime::freeze(cgroup_); }
  void resume() override { runtime::thaw(cgroup_); }
  void update(const oci::Resources& resources) override { runtime::update_cgroup(cgroup_, resources); }
  std::vector<pid_t> pids() override { return runtime::pids(cgroup_); }
  void kill_all() override { runtime::kill_all(cgroup_, SIGKILL); }
  Json stats() override { return runtime::to_json(runtime::stats(cgroup_)); }
  bool oom_killed() override { return runtime::oom_kills(cgroup_) > 0; }
  const runtime::CgroupHandle& cgroup() const override { return cgroup_; }

  void remove() override {
    // Without a pid namespace of its own a container's processes outlive its init.
    for (int i = 0; i < 3 && !runtime::pids(cgroup_).empty(); ++i) runtime::kill_all(cgroup_, SIGKILL);
    runtime::destroy_cgroup(cgroup_);
  }

 private:
  // What exec does not ask for would only cost memory for the rest of the container's life.
  void forget_start() {
    spec_.mounts = {};
    spec_.hooks.reset();
    spec_.annotations = {};
    spec_.process.env = {};
    spec_.process.args = {};
    spec_.linux.masked_paths = {};
    spec_.linux.readonly_paths = {};
    spec_.linux.resources.reset();
    spec_.linux.devices = {};
    if (spec_.linux.seccomp) drop_compiled_rules(*spec_.linux.seccomp);
  }

  oci::Spec spec_;
  runtime::CgroupHandle cgroup_;
  std::optional<runtime::SeccompProgram> filter_;  // compiled once
  pid_t init_pid_ = -1;
  os::Fd init_pidfd_;
};

}  // namespace

std::unique_ptr<Payload> make_library_payload() { return std::make_unique<LibraryPayload>(); }

}  // namespace proa::shim
