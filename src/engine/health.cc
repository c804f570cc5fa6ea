#include "engine/health.h"

#include <poll.h>
#include <unistd.h>

#include <condition_variable>
#include <stop_token>
#include <thread>

#include "api/stdcopy.h"
#include "base/log.h"
#include "base/text.h"
#include "base/time.h"
#include "engine/event_attributes.h"
#include "engine/execs.h"
#include "engine/monitor.h"
#include "engine/rooms.h"
#include "engine/roster.h"
#include "os/socket.h"
#include "shim/client.h"

namespace proa::engine {
namespace {

constexpr std::size_t kOutputKept = 4096, kResultsKept = 5;

struct Settings {
  std::int64_t interval = 30 * kSecond, timeout = 30 * kSecond, start_period = 0, start_interval = 5 * kSecond;
  int retries = 3;
};

Settings settings_of(const api::HealthConfig& config) {
  Settings out;
  if (config.interval > 0) out.interval = config.interval;
  if (config.timeout > 0) out.timeout = config.timeout;
  if (config.start_period > 0) out.start_period = config.start_period;
  if (config.start_interval > 0) out.start_interval = config.start_interval;
  if (config.retries > 0) out.retries = config.retries;
  return out;
}

std::vector<std::string> command_of(const Definition& definition) {
  const auto& test = definition.config.healthcheck->test;
  if (test.front() == "CMD") return {test.begin() + 1, test.end()};
  std::vector<std::string> out =
      definition.config.shell.empty() ? std::vector<std::string>{"/bin/sh", "-c"} : definition.config.shell;
  out.push_back(test.size() > 1 ? test[1] : "");
  return out;
}

// Reads the probe's output into `entry` until it ends. False: the deadline came first.
bool collect_output(int stream, std::int64_t deadline, api::HealthLogEntry& entry) {
  api::FrameReader frames;
  for (;;) {
    auto left = deadline - monotonic_now();
    pollfd one{stream, POLLIN, 0};
    int ready = left > 0 ? ::poll(&one, 1, static_cast<int>(left / kMillisecond) + 1) : 0;
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return false;
    char buffer[4096];
    auto n = ::read(stream, buffer, sizeof buffer);
    if (n <= 0) return true;
    frames.push({buffer, static_cast<std::size_t>(n)});
    while (auto piece = frames.next()) {
      if (entry.output.size() < kOutputKept)
        entry.output += piece->payload.substr(0, kOutputKept - entry.output.size());
    }
  }
}

}  // namespace

struct Health::Probe {
  std::string container_id;
  Settings settings;
  std::vector<std::string> command;
  std::int64_t begun = 0;
  std::stop_source stop;
  std::mutex mutex;
  std::condition_variable_any changed;
  api::Health view;

  std::optional<std::string> record(api::HealthLogEntry entry);  // the status, if this result changes it
};

Health::~Health() {
  {
    auto probes = probes_.lock();
    for (auto& [id, probe] : *probes) probe->stop.request_stop();
  }
  std::unique_lock lock(mutex_);
  idle_.wait(lock, [&] { return threads_ == 0; });
}

void Health::begin(Container& container) {
  auto definition = container.definition();
  if (!definition->config.healthcheck) return;
  const auto& config = *definition->config.healthcheck;
  if (config.test.size() < 2 || config.test.front() == "NONE") return;
  auto probe = std::make_shared<Probe>();
  probe->container_id = container.id();
  probe->settings = settings_of(config);
  probe->command = command_of(*definition);
  probe->begun = monotonic_now();
  probe->view.status = "starting";
  rooms_.roster->change_state(container, [](State& state) { state.health = "starting"; });
  (*probes_.lock())[container.id()] = probe;
  {
    std::lock_guard guard(mutex_);
    ++threads_;
  }
  std::thread([this, probe] {
    loop(probe);
    std::lock_guard guard(mutex_);
    --threads_;
    idle_.notify_all();
  }).detach();
}

void Health::stop(const std::string& container_id) {
  auto probes = probes_.lock();
  auto it = probes->find(container_id);
  if (it == probes->end()) return;
  it->second->stop.request_stop();
  probes->erase(it);
}

std::optional<api::Health> Health::of(const std::string& container_id) const {
  std::shared_ptr<Probe> probe;
  {
    auto probes = probes_.lock();
    auto it = probes->find(container_id);
    if (it == probes->end()) return std::nullopt;
    probe = it->second;
  }
  std::lock_guard guard(probe->mutex);
  return probe->view;
}

void Health::loop(const std::shared_ptr<Probe>& probe) {
  auto token = probe->stop.get_token();
  while (!token.stop_requested()) {
    bool starting = monotonic_now() - probe->begun < probe->settings.start_period;
    auto delay =
        starting ? std::min(probe->settings.start_interval, probe->settings.interval) : probe->settings.interval;
    {
      std::unique_lock lock(probe->mutex);
      probe->changed.wait_for(lock, token, std::chrono::nanoseconds(delay), [] { return false; });
    }
    if (token.stop_requested()) return;
    auto container = rooms_.roster->by_id(probe->container_id);
    if (!container || !container->state().running()) return;
    if (container->state().status == Status::Paused) continue;
    try {
      run_once(*probe);
    } catch (const std::exception& error) {
      log::warn("a health probe could not be run", {{"container", probe->container_id}, {"error", error.what()}});
    }
  }
}

std::optional<std::string> Health::Probe::record(api::HealthLogEntry entry) {
  std::lock_guard guard(mutex);
  auto before = view.status;
  bool starting = monotonic_now() - begun < settings.start_period;
  if (entry.exit_code == 0) {
    view.failing_streak = 0;
    view.status = "healthy";
  } else if (!(starting && view.status == "starting")) {
    ++view.failing_streak;
    if (view.failing_streak >= settings.retries) view.status = "unhealthy";
  }
  view.log.push_back(std::move(entry));
  if (view.log.size() > kResultsKept) view.log.erase(view.log.begin());
  if (view.status == before || stop.stop_requested()) return std::nullopt;
  return view.status;
}

void Health::run_once(Probe& probe) {
  auto container = rooms_.roster->get(probe.container_id);
  api::HealthLogEntry entry;
  entry.start = format_rfc3339(now());
  auto [ours, theirs] = os::make_socket_pair(SOCK_STREAM);
  api::ExecConfig config;
  config.cmd = probe.command;
  config.attach_stdout = config.attach_stderr = true;
  auto exec_id = rooms_.execs->create(probe.container_id, config);
  rooms_.execs->start(exec_id, {}, [&theirs](bool) { return ClientStream{std::move(theirs), ""}; });
  if (!collect_output(ours.get(), monotonic_now() + probe.settings.timeout, entry)) {
    try {
      shim::Client(rooms_.monitor->run_dir(probe.container_id)).signal(9, exec_id);
    } catch (const Error&) {
      // it has ended meanwhile
    }
    entry.exit_code = -1;
    entry.output = cat("Health check exceeded timeout (", format_go_duration(probe.settings.timeout), ")");
  } else {
    entry.exit_code = rooms_.execs->inspect(exec_id).exit_code.value_or(-1);
  }
  entry.end = format_rfc3339(now());
  auto status = probe.record(std::move(entry));
  if (!status) return;
  rooms_.roster->change_state(*container, [&](State& state) {
    if (state.running()) state.health = *status;
  });
  emit_container(*rooms_.events, *container->definition(), "health_status: " + *status);
}

}  // namespace proa::engine
