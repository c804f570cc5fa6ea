#include "registry_server/program.h"

#include <malloc.h>
#include <signal.h>

#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <thread>

#include "base/log.h"
#include "base/text.h"
#include "os/file.h"
#include "registry_server/serve.h"

namespace proa::registry_server {

namespace {

constexpr std::string_view kUsage = R"(Usage:  proa-registry [OPTIONS]
        proa-registry --root DIR gc

An OCI distribution registry. It listens on loopback addresses and unix sockets; put a TLS proxy before it for others.

Options:
      --root DIR           where everything is kept (default /var/lib/proa-registry)
      --listen ADDRESS     tcp://127.0.0.1:5000 (default), unix:///path; may be given several times
      --htpasswd FILE      who may use it (made with: htpasswd -B); without it everybody may
      --read-only          pull only
      --gc-interval HOURS  how often content that nothing refers to is deleted (default 24, 0: never)

gc deletes it once, now; no registry may be running on that directory.
)";

constexpr std::chrono::seconds kGrace = std::chrono::hours(1);  // from a blob to the manifest that names it

struct Settings {
  std::string root = "/var/lib/proa-registry", htpasswd;
  std::vector<std::string> listen;
  bool read_only = false, help = false, collect = false;
  int gc_hours = 24;
};

Settings parse(const std::vector<std::string>& arguments) {
  Settings out;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    auto [name, inline_value] = cut(arguments[i], '=');
    auto value = [&, given = inline_value] {
      if (given) return std::string(*given);
      if (++i == arguments.size()) throw Error(ErrorKind::InvalidArgument, cat(arguments[i - 1], " needs a value"));
      return arguments[i];
    };
    if (name == "--root") {
      out.root = value();
    } else if (name == "--listen") {
      out.listen.push_back(value());
    } else if (name == "--htpasswd") {
      out.htpasswd = value();
    } else if (name == "--read-only") {
      out.read_only = true;
    } else if (name == "--gc-interval") {
      auto hours = parse_int<int>(value());
      if (!hours || *hours < 0) throw Error(ErrorKind::InvalidArgument, "--gc-interval is a number of hours");
      out.gc_hours = *hours;
    } else if (name == "--help" || name == "-h") {
      out.help = true;
    } else if (name == "gc") {
      out.collect = true;
    } else {
      throw Error(ErrorKind::InvalidArgument, cat("unknown option ", quoted(arguments[i]), "; see --help"));
    }
  }
  if (out.listen.empty()) out.listen.emplace_back("tcp://127.0.0.1:5000");
  return out;
}

void collect_now(Registry& registry, std::chrono::seconds grace) {
  try {
    std::uint64_t bytes = registry.repositories.collect(grace);
    if (bytes > 0) log::info("content was deleted that nothing referred to", {{"bytes", cat(bytes)}});
  } catch (const Error& error) {
    log::error("garbage collection failed", {{"error", error.what()}});
  }
}

void collect_regularly(Registry& registry, int hours, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any condition;
  std::unique_lock lock(mutex);
  while (!condition.wait_for(lock, stop, std::chrono::hours(hours), [&] { return stop.stop_requested(); }))
    collect_now(registry, kGrace);
}

void serve(const Settings& settings) {
  ::signal(SIGPIPE, SIG_IGN);
  ::mallopt(M_ARENA_MAX, 2);
  sigset_t signals;
  ::sigemptyset(&signals);
  for (int signal : {SIGTERM, SIGINT}) ::sigaddset(&signals, signal);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  Registry registry(settings.root);
  registry.read_only = settings.read_only;
  if (!settings.htpasswd.empty()) registry.users.emplace(os::read_file(settings.htpasswd, 4 << 20));
  std::vector<os::Fd> listeners;
  for (const std::string& address : settings.listen)
    for (os::Fd& one : http::open_listeners(address, "")) listeners.push_back(std::move(one));
  http::Server server(make_handler(registry));
  server.start(std::move(listeners));
  std::jthread collector;
  if (settings.gc_hours > 0)
    collector = std::jthread([&](std::stop_token stop) { collect_regularly(registry, settings.gc_hours, stop); });
  log::info("the registry serves", {{"root", settings.root}, {"listen", join(settings.listen, " ")}});
  int signal = 0;
  while (::sigwait(&signals, &signal) != 0) {
  }
  server.stop(5);
}

}  // namespace

int run_program(const std::vector<std::string>& arguments) {
  try {
    Settings settings = parse(arguments);
    if (settings.help) return std::fputs(std::string(kUsage).c_str(), stdout), 0;
    if (settings.collect) {
      Registry registry(settings.root);
      std::printf("%llu bytes deleted\n",
                  static_cast<unsigned long long>(registry.repositories.collect(std::chrono::seconds(0))));
      return 0;
    }
    serve(settings);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "proa-registry: %s\n", error.what());
    return 1;
  }
}

}  // namespace proa::registry_server
