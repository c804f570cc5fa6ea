// proa-runtime checkpoint, restore.
#include <sched.h>
#include <signal.h>

#include "base/log.h"
#include "base/rollback.h"
#include "base/text.h"
#include "os/file.h"
#include "runtime/checkpoint.h"
#include "runtime/cli.h"
#include "runtime/command_flags.h"
#include "runtime/command_launch.h"
#include "runtime/foreground.h"

namespace proa::runtime {
namespace {

[[noreturn]] void refuse(std::string message) { throw Error(ErrorKind::InvalidArgument, std::move(message)); }

criu::Cgroups cgroups_mode(const Arguments& arguments) {
  std::string mode = arguments.value("manage-cgroups-mode", "soft");
  if (mode == "soft") return criu::Cgroups::Soft;
  if (mode == "full") return criu::Cgroups::Full;
  if (mode == "strict") return criu::Cgroups::Strict;
  if (mode == "ignore") return criu::Cgroups::Ignore;
  refuse("Invalid manage-cgroups-mode value");
}

std::pair<std::string, std::uint16_t> page_server(const std::string& text) {
  auto colon = text.rfind(':');
  auto port = colon == std::string::npos ? std::nullopt : parse_int<std::uint16_t>(text.substr(colon + 1));
  if (!port || colon == 0) refuse("Use --page-server ADDRESS:PORT to specify page server");
  std::string address = text.substr(0, colon);
  if (address.starts_with('[') && address.ends_with(']')) address = address.substr(1, address.size() - 2);
  return {address, *port};
}

// What both commands say in the same words.
criu::Options common_options(const Arguments& arguments) {
  criu::Options out;
  out.tcp_established = arguments.has("tcp-established");
  out.ext_unix_sk = arguments.has("ext-unix-sk");
  out.shell_job = arguments.has("shell-job");
  out.file_locks = arguments.has("file-locks");
  out.link_remap = arguments.has("link-remap");
  out.auto_dedup = arguments.has("auto-dedup");
  out.lazy_pages = arguments.has("lazy-pages");
  out.cgroups = cgroups_mode(arguments);
  for (const auto& name : arguments.values("empty-ns")) {
    if (name != "network") refuse(cat("namespace ", quoted(name), " is not supported"));
    out.empty_ns |= CLONE_NEWNET;
  }
  return out;
}

CriuFiles files_of(const GlobalOptions& global, const Arguments& arguments) {
  return {global.criu, arguments.value("image-path", "checkpoint"), arguments.value("work-path")};
}

}  // namespace

int command_checkpoint(const GlobalOptions& global, Words words) {
  Arguments arguments(kCheckpointFlags, words);
  arguments.expect("checkpoint", 1, 1);
  StateDir dir(global.root, arguments.operand(0));
  ContainerState state = dir.load();
  std::string status = status_of(state, dir);
  if (status == "created" || status == "stopped") {
    throw Error(ErrorKind::Conflict, cat("Container cannot be checkpointed in ", status, " state"));
  }
  criu::Options options = common_options(arguments);
  options.leave_running = arguments.has("leave-running");
  options.tcp_skip_in_flight = arguments.has("tcp-skip-in-flight");
  options.parent_img = arguments.value("parent-path");
  if (options.parent_img.starts_with('/')) refuse("--parent-path must be relative to --image-path");
  if (auto server = arguments.value("page-server"); !server.empty()) options.page_server = page_server(server);
  if (auto fd = arguments.number("status-fd")) options.status_fd = static_cast<int>(*fd);
  if (options.lazy_pages && !options.page_server) refuse("--lazy-pages needs --page-server");
  bool pre_dump = arguments.has("pre-dump");
  checkpoint(state, files_of(global, arguments), pre_dump ? criu::Kind::PreDump : criu::Kind::Dump, options);
  if (pre_dump || options.leave_running) return 0;
  kill_all(state.cgroup, SIGKILL);
  wait_until_dead(state);
  remove_container(dir, state);
  return 0;
}

int command_restore(const GlobalOptions& global, Words words) {
  Arguments arguments(kRestoreFlags, words);
  arguments.expect("restore", 1, 1);
  Launch launch = prepare(global, arguments);
  bool detached = arguments.has("detach");
  check_console(launch.spec.process, arguments, detached);
  RestoreOptions options;
  options.id = arguments.operand(0);
  options.bundle = launch.bundle;
  options.systemd_cgroup = launch.systemd_cgroup;
  options.rootless = launch.rootless;
  options.files = files_of(global, arguments);
  options.criu = common_options(arguments);
  options.criu.lsm_profile = arguments.value("lsm-profile");
  options.criu.lsm_mount_context = arguments.value("lsm-mount-context");
  launch.dir.reserve();
  Created created;
  Rollback rollback;
  rollback.add([&] { launch.dir.remove(); });
  Foreground foreground;
  created = restore(launch.spec, std::move(options));
  rollback.add([&] { undo(created, launch, arguments.operand(0)); });
  tell_of(created, launch, arguments);
  if (detached) {
    rollback.commit();
    return 0;
  }
  int code = foreground.wait(created.pidfd.get(), std::move(created.console));
  rollback.commit();
  kill_all(created.cgroup, SIGKILL);
  remove_container(launch.dir, launch.state);
  return code;
}

}  // namespace proa::runtime
