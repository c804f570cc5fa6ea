#include "engine/lifecycle.h"

#include "base/text.h"
#include "base/trace.h"
#include "engine/checks.h"
#include "engine/devices.h"
#include "engine/event_attributes.h"
#include "engine/exits.h"
#include "engine/explain.h"
#include "engine/health.h"
#include "engine/monitor.h"
#include "engine/rooms.h"
#include "engine/roster.h"
#include "engine/spec_builder.h"
#include "os/process.h"
#include "shim/client.h"

namespace proa::engine {
namespace {

shim::Client client_of(const Rooms& rooms, const Container& container) {
  return shim::Client(rooms.monitor->run_dir(container.id()));
}

[[noreturn]] void not_running(const Container& container) {
  throw Error(ErrorKind::Conflict, cat("container ", container.id(), " is not running"));
}

int signal_number(std::string_view text) {
  if (auto number = os::parse_signal(text)) return *number;
  if (auto number = parse_int<int>(text); number && *number > 0)
    throw Error(ErrorKind::InvalidArgument, cat("the linux daemon does not support signal ", *number));
  throw Error(ErrorKind::InvalidArgument, cat("invalid signal: ", text));
}

int stop_signal_of(const Definition& definition, const std::string& wanted) {
  if (!wanted.empty()) return signal_number(wanted);
  return definition.config.stop_signal.empty() ? 15 : signal_number(definition.config.stop_signal);
}

// For explain: the request under way is part of this container's story, and `what` sent its last signal.
void note_signal(const Rooms& rooms, Container& container, std::string what) {
  rooms.explain->join(container.id(), RequestTrace::id());
  std::lock_guard guard(container.exit_mutex);
  container.last_signal = std::move(what);
}

// The container may have ended a moment ago: then the signal has nobody to reach, and that is no error.
bool try_signal(const Rooms& rooms, const Container& container, int number, bool everybody = false) {
  try {
    client_of(rooms, container).signal(number, "", everybody);
    return true;
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::NotFound || error.kind() == ErrorKind::Unavailable ||
        error.kind() == ErrorKind::Conflict)
      return false;
    throw;
  }
}

// Who has ended a container may use its ports, addresses and volumes for the next.
void wait_released(const Container& container) {
  constexpr std::int64_t kLongestRelease = 10 * kSecond;
  container.wait_for([](const Container::Epoch& epoch, const Snapshot&) { return epoch.removed || !epoch.releasing; },
                     kLongestRelease);
}

void take_block_limits(api::Resources& to, const api::Resources& from) {
  if (!from.blkio_weight_device.empty()) to.blkio_weight_device = from.blkio_weight_device;
  for (auto list : api::kThrottles)
    if (!(from.*list).empty()) to.*list = from.*list;
}

auto with_block_limits(const api::Resources& resources) {
  auto out = build_resources(resources);
  oci::BlockIoLimits limits = out.block_io.value_or(oci::BlockIoLimits{});
  add_block_limits(resources, limits);
  out.block_io = limits;
  return out;
}

}  // namespace

WaitCondition wait_condition_from(std::string_view text) {
  if (text.empty() || text == "not-running") return WaitCondition::NotRunning;
  if (text == "next-exit") return WaitCondition::NextExit;
  if (text == "removed") return WaitCondition::Removed;
  throw Error(ErrorKind::InvalidArgument, cat("invalid condition: ", quoted(text)));
}

Lifecycle::Lifecycle(Rooms& rooms) : rooms_(rooms) {}

void Lifecycle::stop(std::string_view reference, const StopOptions& options) {
  trace::Span span("engine.stop");
  auto container = rooms_.roster->get(reference);
  span.set("container", container->id());
  auto state = container->state();
  if (!state.active()) throw Error(ErrorKind::NotModified, "");
  stop_locked(*container, options);
  wait_released(*container);
}

// Needs no operation mutex: the exit comes through the monitor, and a kill or a forced removal may overtake a stop.
void Lifecycle::stop_locked(Container& container, const StopOptions& options) {
  auto definition = container.definition();
  int signal = stop_signal_of(*definition, options.signal);
  rooms_.roster->change_state(container, [](State& state) {
    state.stopped_by_user = true;
    if (state.status == Status::Restarting) state.status = Status::Exited;
  });
  if (!container.state().running()) {
    container.count_exit(container.state().exit_code, "");
    return;
  }
  auto before = container.epoch().exits;
  auto ended = [&](const Container::Epoch& epoch, const Snapshot& snapshot) {
    return epoch.exits > before || epoch.removed || !snapshot.state.running();
  };
  if (container.state().status == Status::Paused) {
    try {
      client_of(rooms_, container).resume();
    } catch (const Error&) {
      // what cannot be thawed is killed below
    }
  }
  emit_container(*rooms_.events, *definition, "kill", {{"signal", std::to_string(signal)}});
  note_signal(rooms_, container, cat("a stop request: ", os::signal_name(signal)));
  try_signal(rooms_, container, signal);
  int seconds = options.timeout.value_or(definition->config.stop_timeout.value_or(rooms_.config->default_stop_timeout));
  bool gone = seconds < 0 ? container.wait(ended, {}) : container.wait_for(ended, seconds * kSecond);
  if (!gone) {
    note_signal(rooms_, container, cat("a stop request: SIGKILL after ", seconds, " seconds"));
    rooms_.exits->kill_now(container);
  }
  emit_container(*rooms_.events, *definition, "stop");
}

void Lifecycle::restart(std::string_view reference, const StopOptions& options) {
  trace::Span span("engine.restart");
  auto container = rooms_.roster->get(reference);
  // The exit must not remove it or start it again by itself: the operation mutex keeps the worker that would out.
  std::lock_guard guard(container->operation);
  if (container->epoch().removed) throw Error(ErrorKind::NotFound, cat("No such container: ", reference));
  in_context(cat("Cannot restart container ", reference), [&] {
    if (container->state().active()) stop_locked(*container, options);
    container->run.restart_delay = 0;
    start_locked(*container);
  });
  emit_container(*rooms_.events, *container->definition(), "restart");
}

void Lifecycle::kill(std::string_view reference, std::string_view signal) {
  auto context = cat("cannot kill container: ", reference);
  auto container = in_context(context, [&] { return rooms_.roster->get(reference); });
  int number = in_context(context, [&] { return signal.empty() ? 9 : signal_number(signal); });
  auto state = container->settled_state();
  if (!state.running()) {
    if (state.status == Status::Restarting) {
      stop_locked(*container, {});
      return;
    }
    throw Error(ErrorKind::Conflict, cat(context, ": container ", container->id(), " is not running"));
  }
  auto definition = container->definition();
  bool ends = number == 9 || number == 15 || number == stop_signal_of(*definition, "");
  if (ends) rooms_.roster->change_state(*container, [](State& s) { s.stopped_by_user = true; });
  note_signal(rooms_, *container, cat("a kill request: ", os::signal_name(number)));
  if (number == 9) {
    if (state.status == Status::Paused) {
      try {
        client_of(rooms_, *container).resume();
      } catch (const Error&) {
        // SIGKILL reaches frozen processes too
      }
    }
    rooms_.exits->kill_now(*container);
    return wait_released(*container);
  }
  emit_container(*rooms_.events, *definition, "kill", {{"signal", std::to_string(number)}});
  if (!try_signal(rooms_, *container, number)) {
    throw Error(ErrorKind::Conflict, cat(context, ": container ", container->id(), " is not running"));
  }
}

void Lifecycle::pause(std::string_view reference, bool for_commit) {
  auto container = rooms_.roster->get(reference);
  std::lock_guard guard(container->operation);
  auto state = container->state();
  if (state.status == Status::Paused)
    throw Error(ErrorKind::Conflict, cat("Container ", container->id(), " is already paused"));
  if (state.status == Status::Restarting)
    throw Error(ErrorKind::Conflict, cat("container ", container->id(), " is restarting"));
  if (!state.running()) not_running(*container);
  if (for_commit) rooms_.roster->change_state(*container, [for_commit](State& s) { s.paused_for_commit = true; });
  client_of(rooms_, *container).pause();
  rooms_.roster->change_state(*container, [for_commit](State& s) {
    if (s.status == Status::Running) s.status = Status::Paused;
    s.paused_for_commit = for_commit;
  });
  emit_container(*rooms_.events, *container->definition(), "pause");
}

void Lifecycle::unpause(std::string_view reference) {
  auto container = rooms_.roster->get(reference);
  std::lock_guard guard(container->operation);
  if (container->state().status != Status::Paused) {
    throw Error(ErrorKind::Conflict, cat("Container ", container->id(), " is not paused"));
  }
  client_of(rooms_, *container).resume();
  rooms_.roster->change_state(*container, [](State& s) {
    if (s.status == Status::Paused) s.status = Status::Running;
    s.paused_for_commit = false;
  });
  emit_container(*rooms_.events, *container->definition(), "unpause");
}

void Lifecycle::resize(std::string_view reference, int height, int width) {
  auto container = rooms_.roster->get(reference);
  if (!container->state().running()) not_running(*container);
  client_of(rooms_, *container).resize(static_cast<std::uint16_t>(height), static_cast<std::uint16_t>(width));
  emit_container(*rooms_.events, *container->definition(), "resize",
                 {{"height", std::to_string(height)}, {"width", std::to_string(width)}});
}

std::vector<std::string> Lifecycle::update(std::string_view reference, const api::UpdateConfig& request) {
  auto container = rooms_.roster->get(reference);
  std::lock_guard guard(container->operation);
  auto definition = container->definition();
  check_resources(request, rooms_.host);
  if (!request.restart_policy.name.empty()) {
    check_restart_policy(request.restart_policy, false);
    if (definition->host_config.auto_remove && request.restart_policy.name != "no") {
      throw Error(ErrorKind::Conflict,
                  "Restart policy cannot be updated because AutoRemove is enabled for the container");
    }
  }
  api::Resources next = definition->host_config;
  auto take = [](auto& to, const auto& from) {
    if (from != std::remove_cvref_t<decltype(from)>{}) to = from;
  };
  take(next.cpu_shares, request.cpu_shares);
  take(next.blkio_weight, request.blkio_weight);
  take(next.cpu_period, request.cpu_period);
  take(next.cpu_quota, request.cpu_quota);
  take(next.cpu_realtime_period, request.cpu_realtime_period);
  take(next.cpu_realtime_runtime, request.cpu_realtime_runtime);
  take(next.cpuset_cpus, request.cpuset_cpus);
  take(next.cpuset_mems, request.cpuset_mems);
  take(next.memory_swap, request.memory_swap);
  take(next.memory_reservation, request.memory_reservation);
  take(next.pids_limit, request.pids_limit);
  take(next.nano_cpus, request.nano_cpus);
  take_block_limits(next, request);
  if (request.memory != 0) {
    if (request.memory_swap == 0 && next.memory_swap > 0 && request.memory > next.memory_swap) {
      throw Error(
          ErrorKind::InvalidArgument,
          "Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time");
    }
    next.memory = request.memory;
  }
  check_resources(next, rooms_.host);
  if (container->state().running()) client_of(rooms_, *container).update(with_block_limits(next));
  rooms_.roster->change_definition(*container, [&](Definition& d) {
    static_cast<api::Resources&>(d.host_config) = next;
    if (!request.restart_policy.name.empty()) d.host_config.restart_policy = request.restart_policy;
  });
  emit_container(*rooms_.events, *container->definition(), "update");
  return {};
}

api::WaitResult Lifecycle::wait(std::string_view reference, WaitCondition condition,
                                const std::function<void()>& on_registered, std::stop_token stop) {
  trace::Span span("engine.wait");
  auto container = rooms_.roster->get(reference);
  span.set("container", container->id());
  rooms_.explain->join(container->id(), RequestTrace::id());
  auto before = container->epoch().exits;
  on_registered();
  bool done = container->wait(
      [&](const Container::Epoch& epoch, const Snapshot& snapshot) {
        if (epoch.removed) return true;
        switch (condition) {
          case WaitCondition::NotRunning: {  // an exit counts as docker's does, even if it is started again
            bool stopped = !snapshot.state.active() && !snapshot.state.starting;
            return (stopped || epoch.exits > before) && !epoch.releasing;
          }
          case WaitCondition::NextExit:
            return epoch.exits > before && !epoch.releasing;
          case WaitCondition::Removed:
            return !epoch.removal_error.empty();
        }
        return false;
      },
      stop);
  if (!done) throw Error(ErrorKind::Cancelled, "wait was cancelled");
  api::WaitResult result;
  auto epoch = container->epoch();
  result.status_code = epoch.exits > before ? epoch.last_exit : container->state().exit_code;
  if (!epoch.last_error.empty()) result.error = api::WaitError{epoch.last_error};
  if (!epoch.removed && !epoch.removal_error.empty()) result.error = api::WaitError{epoch.removal_error};
  return result;
}

}  // namespace proa::engine
