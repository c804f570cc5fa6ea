#include "registry_server/program.h"

#include <malloc.h>
#include <signal.h>

#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <thread>

#include "base/log.h"
#include "base/text.h"
#include "registry_server/serve.h"
#include "registry_server/settings.h"
#include "tls/server_tls.h"

namespace proa::registry_server {

namespace {

Repositories::Collection collection_of(const Settings& settings, std::chrono::seconds grace) {
  Repositories::Collection how{.grace = grace, .untagged = settings.delete_untagged};
  if (!settings.upstream.empty()) how.unused_after = std::chrono::hours(24) * settings.cache_days;
  return how;
}

void collect_now(Registry& registry, const Settings& settings) {
  try {
    std::uint64_t bytes =
        registry.repositories.collect(collection_of(settings, std::chrono::seconds(settings.gc_grace_seconds)));
    ++registry.metrics.collections;
    registry.metrics.collected_bytes += bytes;
    if (bytes > 0) log::info("content was deleted that nothing referred to", {{"bytes", cat(bytes)}});
  } catch (const Error& error) {
    log::error("garbage collection failed", {{"error", error.what()}});
  }
}

void collect_regularly(Registry& registry, const Settings& settings, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any condition;
  std::unique_lock lock(mutex);
  while (!condition.wait_for(lock, stop, std::chrono::hours(settings.gc_hours), [&] { return stop.stop_requested(); }))
    collect_now(registry, settings);
}

// Every ten seconds, and at the end.
void copy_regularly(Registry& registry, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any condition;
  std::unique_lock lock(mutex);
  bool ends = false;
  while (!ends) {
    ends = condition.wait_for(lock, stop, std::chrono::seconds(10), [&] { return stop.stop_requested(); });
    registry.database.try_keep_copy();
  }
}

http::ServerOptions server_options(const Settings& settings) {
  http::ServerOptions out;
  // On loopback a page in a browser may ask under a name of its own.
  out.any_host = settings.plain_http || !settings.tls_certificate.empty();
  if (!settings.tls_certificate.empty()) {
    out.protect = tls::protect({settings.tls_certificate, settings.tls_key, settings.tls_client_authorities});
  }
  return out;
}

// The files that are named, read as the start would read them; nothing is written.
void check_files(const Settings& settings) {
  server_options(settings);
  Settings reading = settings;
  reading.tokens = false;  // their secret is made under the root
  Access(reading, "");
  if (!settings.upstream_password_file.empty()) os::read_file(settings.upstream_password_file, 1 << 16);
}

// SIGUSR1 collects now. SIGHUP, which tells others to read their files again, ends nothing: changed ones are seen
// anyway.
void wait_for_the_end(Registry& registry, const Settings& settings, const sigset_t& signals) {
  for (;;) {
    int signal = 0;
    if (::sigwait(&signals, &signal) != 0) continue;
    if (signal == SIGHUP) continue;
    if (signal != SIGUSR1) return;
    collect_now(registry, settings);
  }
}

void serve(const Settings& settings) {
  ::signal(SIGPIPE, SIG_IGN);
  ::mallopt(M_ARENA_MAX, 2);
  sigset_t signals;
  ::sigemptyset(&signals);
  for (int signal : {SIGTERM, SIGINT, SIGHUP, SIGUSR1}) ::sigaddset(&signals, signal);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  Registry registry(settings);
  bool anywhere = settings.plain_http || registry.secure;
  std::vector<os::Fd> listeners;
  for (const std::string& address : settings.listen) {
    for (os::Fd& one : http::open_listeners(address, "", anywhere ? http::Reach::Anywhere : http::Reach::Loopback))
      listeners.push_back(std::move(one));
  }
  http::Server server(make_handler(registry), server_options(settings));
  server.start(std::move(listeners));
  std::jthread copier([&](std::stop_token stop) { copy_regularly(registry, stop); });
  std::jthread collector;
  if (settings.gc_hours > 0)
    collector = std::jthread([&](std::stop_token stop) { collect_regularly(registry, settings, stop); });
  log::info("the registry serves", {{"root", settings.root}, {"listen", join(settings.listen, " ")}});
  wait_for_the_end(registry, settings, signals);
  server.stop(5);
}

}  // namespace

int run_program(const std::vector<std::string>& arguments) {
  try {
    Settings settings = read_settings(arguments);
    if (settings.help) return std::fputs(settings_usage().c_str(), stdout), 0;
    if (settings.check_only) {
      check_files(settings);
      return std::puts("configuration OK"), 0;
    }
    if (settings.collect) {
      Registry registry(settings);
      auto bytes = registry.repositories.collect(collection_of(settings, std::chrono::seconds(0)));
      std::printf("%llu bytes deleted\n", static_cast<unsigned long long>(bytes));
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
