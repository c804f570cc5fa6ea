#include "engine/system.h"

#include <sys/stat.h>
#include <sys/utsname.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include "api/versions.h"
#include "base/id.h"
#include "base/text.h"
#include "base/time.h"
#include "engine/apparmor.h"
#include "engine/containers.h"
#include "engine/housekeeping.h"
#include "engine/images.h"
#include "engine/recover.h"
#include "engine/rooms.h"
#include "engine/roster.h"
#include "engine/volumes.h"
#include "image/images.h"
#include "image/layers.h"
#include "image/snapshots.h"
#include "network/networks.h"
#include "os/file.h"
#include "os/host_info.h"
#include "store/database.h"
#include "volume/volumes.h"

namespace proa::engine {
namespace {

// As registries are asked: configured, or the environment's. Without who we are to it, as docker info shows it.
std::string shown_proxy(std::string proxy, const char* upper, const char* lower) {
  for (const char* name : {upper, lower})
    if (const char* value = std::getenv(name); proxy.empty() && value) proxy = value;
  std::size_t begin = proxy.find("://"), at = proxy.rfind('@');
  if (begin == proxy.npos || at == proxy.npos || at < begin) return proxy;
  return cat(proxy.substr(0, begin), "://xxxxx:xxxxx", proxy.substr(at));
}

void add_registries(api::SystemInfo& out, const Config& config) {
  api::IndexInfo hub;
  hub.name = "docker.io";
  for (const std::string& mirror : config.registry_mirrors)
    hub.mirrors.push_back(mirror.ends_with('/') ? mirror : mirror + "/");
  hub.official = true;
  out.registry_config.index_configs["docker.io"] = hub;
  for (const auto& entry : config.insecure_registries)
    if (entry.find('/') != entry.npos)
      out.registry_config.insecure_registry_cidrs.push_back(entry);
    else
      out.registry_config.index_configs[entry] = {.name = entry, .mirrors = {}, .secure = false};
  out.registry_config.insecure_registry_cidrs.push_back("127.0.0.0/8");
  out.registry_config.mirrors = hub.mirrors;
  out.http_proxy = shown_proxy(config.http_proxy, "HTTP_PROXY", "http_proxy");
  out.https_proxy = shown_proxy(config.https_proxy, "HTTPS_PROXY", "https_proxy");
  out.no_proxy = shown_proxy(config.no_proxy, "NO_PROXY", "no_proxy");
}

}  // namespace

System::System(Rooms& rooms) : rooms_(rooms) {
  if (auto kept = rooms_.database->get("meta", "id"); kept && kept->is_string()) {
    id_ = std::string_view(kept->get_string());
  } else {
    id_ = new_id();
    rooms_.database->put("meta", "id", Json(id_));
  }
}

api::SystemInfo System::info() const {
  api::SystemInfo out;
  out.id = id_;
  for (const auto& container : rooms_.roster->all()) {
    ++out.containers;
    auto state = container->state();
    if (state.status == Status::Paused)
      ++out.containers_paused;
    else if (state.active())
      ++out.containers_running;
    else
      ++out.containers_stopped;
  }
  out.images = static_cast<int>(rooms_.images->count());
  auto host = os::host_info();
  out.driver_status = {{"Backing Filesystem", "extfs"},
                       {"Supports d_type", "true"},
                       {"Native Overlay Diff", "true"},
                       {"Layers", rooms_.layers->form() == image::LayerForm::Erofs ? "erofs" : "directory"}};
  out.ipv4_forwarding = trim(os::try_read_file("/proc/sys/net/ipv4/ip_forward").value_or("0")) == "1";
  out.debug = rooms_.config->debug;
  out.nfd = static_cast<int>(os::list_dir("/proc/self/fd").size());
  out.ngoroutines = static_cast<int>(os::list_dir("/proc/self/task").size());
  out.oom_kill_disable = !host.cgroup_unified;
  out.system_time = format_rfc3339(now());
  out.logging_driver = rooms_.config->log_driver;
  out.cgroup_version = host.cgroup_unified ? "2" : "1";
  out.kernel_version = host.kernel;
  out.operating_system = host.os_name;
  out.os_version = host.os_version;
  out.architecture = host.architecture;
  out.ncpu = host.cpus;
  out.mem_total = host.memory;
  out.docker_root_dir = rooms_.config->data_root;
  out.name = host.hostname;
  out.labels = rooms_.config->labels;
  out.server_version = PROA_VERSION;
  out.runtimes[rooms_.config->default_runtime] = {};
  for (const auto& [name, runtime] : rooms_.config->runtimes) {
    api::RuntimeInfo view;
    view.path = runtime.path;
    view.runtime_args = runtime.arguments;
    out.runtimes[name] = std::move(view);
  }
  out.default_runtime = rooms_.config->default_runtime;
  if (auto warning = rooms_.apparmor->warning(); !warning.empty()) out.warnings.push_back(warning);
  out.init_binary = "proa-init";
  if (rooms_.apparmor->enabled()) out.security_options.push_back("name=apparmor");
  out.security_options.push_back("name=seccomp,profile=builtin");
  if (host.cgroup_unified) out.security_options.push_back("name=cgroupns");
  add_registries(out, *rooms_.config);
  out.firewall_backend = api::FirewallInfo{.driver = "nftables", .info = {}};
  return out;
}

api::Version System::version() const {
  auto host = os::host_info();
  api::Version out;
  out.platform.name = "Proa";
  out.version = PROA_VERSION;
  out.api_version = api::kNewest.text();
  out.min_api_version = api::kOldest.text();
  out.git_commit = "";
  out.go_version = "none (C++20)";
  out.os = "linux";
  out.arch = os::go_architecture(host.architecture);
  out.kernel_version = host.kernel;
  out.build_time = "";
  api::VersionComponent engine;
  engine.name = "Engine";
  engine.version = PROA_VERSION;
  engine.details = {{"ApiVersion", out.api_version},
                    {"Arch", out.arch},
                    {"BuildTime", ""},
                    {"Experimental", "false"},
                    {"GitCommit", ""},
                    {"GoVersion", out.go_version},
                    {"KernelVersion", host.kernel},
                    {"MinAPIVersion", out.min_api_version},
                    {"Os", "linux"}};
  api::VersionComponent runtime;
  runtime.name = "proa-runtime";
  runtime.version = PROA_VERSION;
  runtime.details = {{"GitCommit", ""}};
  out.components = {engine, runtime};
  return out;
}

image::CheckReport System::check(image::Repair repair) const {
  auto report = rooms_.images->check(repair);
  bool mend = repair == image::Repair::Yes;
  auto add = [&](image::Finding::Kind kind, std::string object, bool mended) {
    report.findings.push_back({kind, std::move(object), {}, mended});
  };
  auto take_away = [&](const std::string& path) {
    auto trash = os::path_join(rooms_.trash_dir, cat("unowned-", random_u64()));
    if (::rename(path.c_str(), trash.c_str()) < 0 && errno != ENOENT) os::fail(cat("rename ", path));
  };
  auto unreadable = rooms_.roster->unreadable();
  for (const auto& id : unreadable) {
    add(image::Finding::Kind::Damaged, cat("record of container ", id), mend);
    if (!mend) continue;
    rooms_.roster->erase_rows(id);
    take_away(os::path_join(rooms_.containers_dir, id));
  }
  for (const auto& container : rooms_.roster->all()) {
    std::unique_lock not_busy(container->operation, std::try_to_lock);
    if (!not_busy || container->epoch().removed || rooms_.snapshots->is_whole(container->id())) continue;
    bool mended = mend && restore_root(rooms_, *container);
    add(image::Finding::Kind::Missing, cat("directory of container ", container->id()), mended);
  }
  auto look_in = [&](const std::string& top, std::string_view kind, auto owns) {
    for (const auto& name : os::list_dir(top)) {
      auto path = os::path_join(top, name);
      // One that is just being created has its directory before anything else.
      constexpr std::int64_t kNew = 60;  // seconds
      struct stat info {};
      if (owns(name) || ::lstat(path.c_str(), &info) < 0 || now() / kSecond - info.st_mtime < kNew) continue;
      if (mend) take_away(path);
      add(image::Finding::Kind::Unowned, cat("directory of ", kind, " ", name), mend);
    }
  };
  look_in(rooms_.containers_dir, "container",
          [&](const std::string& id) { return rooms_.roster->by_id(id) || unreadable.contains(id); });
  look_in(os::path_join(rooms_.config->data_root, "volumes"), "volume",
          [&](const std::string& name) { return rooms_.volumes->owns(name); });
  if (mend) empty_trash_soon(rooms_);
  return report;
}

}  // namespace proa::engine
