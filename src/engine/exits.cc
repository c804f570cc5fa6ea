#include "engine/exits.h"

#include "base/failpoint.h"
#include "base/log.h"
#include "base/rollback.h"
#include "base/text.h"
#include "base/trace.h"
#include "engine/containers.h"
#include "engine/event_attributes.h"
#include "engine/explain.h"
#include "engine/health.h"
#include "engine/housekeeping.h"
#include "engine/lifecycle.h"
#include "engine/monitor.h"
#include "engine/restart_policy.h"
#include "engine/rooms.h"
#include "engine/roster.h"
#include "engine/workers.h"
#include "network/networks.h"
#include "os/process.h"
#include "shim/client.h"
#include "volume/volumes.h"

namespace proa::engine {

ExitReport report_of(const shim::ExitRecord& record) {
  ExitReport out;
  out.exit_code = record.exit_code;
  out.signal = record.signal;
  out.oom_killed = record.oom_killed;
  out.finished_at = record.finished_at > 0 ? record.finished_at : now();
  out.ran = record.ran;
  return out;
}

namespace {

// Who ended it, as far as the daemon can know: its own requests, the kernel's out-of-memory killer, or somebody else.
std::string sender_of(const ExitReport& report, const std::string& last_signal) {
  if (report.oom_killed) return "the kernel: the container's memory limit was reached";
  if (!last_signal.empty()) return last_signal;
  return "not this daemon: the container itself, or a process of the host";
}

trace::Event exit_event(const ExitReport& report, const shim::ExitRecord* record, const std::string& last_signal) {
  trace::Event event;
  event.name = "engine.exit";
  event.process = "proad";
  event.start = monotonic_now();
  event.attributes = {{"exit_code", std::to_string(report.exit_code)}};
  if (report.signal) {
    event.attributes.emplace_back("signal", os::signal_name(report.signal));
    event.attributes.emplace_back("sent_by", sender_of(report, last_signal));
  }
  event.attributes.emplace_back("oom_killed", report.oom_killed ? "true" : "false");
  if (record && !record->reason.empty()) event.attributes.emplace_back("reason", record->reason);
  if (record) event.attributes.emplace_back("logged_bytes", std::to_string(record->logged_bytes));
  return event;
}

}  // namespace

void Exits::exited(const std::string& container_id, const shim::ExitRecord& record) {
  auto container = rooms_.roster->by_id(container_id);
  if (!container) {
    rooms_.monitor->acknowledge(container_id);
    return;
  }
  auto report = report_of(record);
  {
    std::lock_guard guard(container->exit_mutex);
    rooms_.explain->add(container_id, {exit_event(report, &record, container->last_signal)});
    container->last_signal.clear();
    if (!container->state().running()) {
      container->early_exit = report;
      return;
    }
  }
  apply(*container, report);
}

void Exits::deliver_early_exit(Container& container) {
  std::optional<ExitReport> early;
  {
    std::lock_guard guard(container.exit_mutex);
    early.swap(container.early_exit);
  }
  if (early) apply(container, *early);
}

void Exits::apply(Container& container, const ExitReport& report) {
  trace::Recorder recorder("proad");
  trace::Scope scope(recorder);
  auto shared = rooms_.roster->by_id(container.id());
  if (!shared) return;
  auto before = container.snapshot();
  const auto& definition = *before->definition;
  EndOfRun end;
  end.exit_code = report.exit_code;
  end.restarts = before->state.restart_count;
  end.stopped_by_user = before->state.stopped_by_user;
  end.run_time = report.ran > 0 ? report.ran : report.finished_at - before->state.started_at;
  end.last_delay = container.run.restart_delay;
  std::optional<std::int64_t> delay;
  if (!rooms_.stopping) delay = restart_delay(definition.host_config.restart_policy, end);
  container.mark_releasing(true);  // before it can be seen that it has ended
  Rollback rollback;
  rollback.add([&] { container.mark_releasing(false); });
  {
    std::lock_guard guard(container.exit_mutex);
    if (rooms_.health) rooms_.health->stop(container.id());
    rooms_.roster->change_state(container, [&](State& state) {
      state.status = delay ? Status::Restarting : Status::Exited;
      if (delay) ++state.restart_count;
      state.pid = 0;
      state.start_ticks = 0;
      state.exit_code = report.exit_code;
      state.oom_killed = report.oom_killed;
      state.finished_at = report.finished_at;
      state.starting = false;
      state.health.clear();
    });
    container.run.restart_delay = delay.value_or(0);
  }
  FAILPOINT("exit.after_commit");
  if (report.oom_killed) emit_container(*rooms_.events, definition, "oom");
  emit_container(
      *rooms_.events, definition, "die",
      {{"exitCode", std::to_string(report.exit_code)}, {"execDuration", std::to_string(end.run_time / kSecond)}});
  container.count_exit(report.exit_code, "");
  rooms_.explain->add(container.id(), recorder.events());
  rest_soon(rooms_);
  rooms_.workers->run("settling an exit", [this, shared, delay = delay.value_or(-1)] { settle(shared, delay); });
  rollback.commit();
}

void Exits::clean_up(Container& container) {
  // Whoever waits goes on, even where something could not be released: the next start tries again.
  Rollback released;
  released.add([&] { container.mark_releasing(false); });
  if (!container.run.needs_cleanup) return;
  trace::Span span("engine.cleanup");
  FAILPOINT("exit.before_release");
  rooms_.monitor->acknowledge(container.id());
  rooms_.networks->release(container.id());
  auto definition = container.definition();
  for (const auto& [name, endpoint] : definition->networks) {
    if (name == "host" || name == "none") continue;
    auto record = rooms_.networks->find(name);
    rooms_.events->emit("network", "disconnect", record ? record->id : name,
                        {{"container", container.id()}, {"name", record ? record->name : name}, {"type", "bridge"}});
  }
  for (const auto& point : definition->mounts) {
    if (point.type != volume::Type::Volume) continue;
    rooms_.volumes->unmount(point.name, container.id());
    rooms_.events->emit("volume", "unmount", point.name, {{"container", container.id()}, {"driver", "local"}});
  }
  if (container.run.root) {
    // The last reference to the mount: its unmount may sync a file system.
    auto root = std::make_shared<os::Fd>(std::move(container.run.root));
    rooms_.workers->run("unmounting", [root] { root->reset(); });
  }
  container.run.needs_cleanup = false;
}

void Exits::settle(const std::shared_ptr<Container>& container, std::int64_t delay) {
  std::lock_guard guard(container->operation);
  if (container->epoch().removed || container->state().running()) return container->mark_releasing(false);
  clean_up(*container);
  auto definition = container->definition();
  if (definition->host_config.auto_remove && container->state().status == Status::Exited) {
    try {
      rooms_.containers->remove_stopped(*container, true);
    } catch (const Error& error) {  // who waits for it to be gone would wait for ever
      container->mark_removal_failed(cat("failed to remove container ", container->id(), ": ", error.message()));
      throw;
    }
    return;
  }
  if (delay >= 0) {
    rooms_.workers->run_after("restarting a container", delay, [this, container] { restart(container); });
    return;
  }
  rooms_.explain->save(container->id());
}

void Exits::restart(const std::shared_ptr<Container>& container) {
  std::lock_guard guard(container->operation);
  auto state = container->state();
  if (container->epoch().removed || state.status != Status::Restarting || state.stopped_by_user || rooms_.stopping)
    return;
  trace::Recorder recorder("proad");
  trace::Scope scope(recorder);
  try {
    rooms_.lifecycle->start_locked(*container);
  } catch (const Error& error) {
    log::warn("a restart failed", {{"container", container->id()}, {"error", error.message()}});
    ExitReport report;
    report.exit_code = container->state().exit_code ? container->state().exit_code : 128;
    report.finished_at = now();
    apply(*container, report);
  }
  rooms_.explain->add(container->id(), recorder.events());
}

void Exits::kill_now(Container& container) {
  auto before = container.epoch().exits;
  if (container.state().running()) {
    try {
      shim::Client(rooms_.monitor->run_dir(container.id())).signal(9, "", true);
    } catch (const Error& error) {
      // It may have gone by itself, or be just going (Conflict); if it did not, the wait below says so.
      if (error.kind() != ErrorKind::NotFound && error.kind() != ErrorKind::Unavailable &&
          error.kind() != ErrorKind::Conflict)
        throw;
    }
    emit_container(*rooms_.events, *container.definition(), "kill", {{"signal", "9"}});
  }
  bool gone =
      container.wait_for([&](const Container::Epoch& epoch,
                             const Snapshot& snapshot) { return epoch.exits > before || !snapshot.state.running(); },
                         10 * kSecond);
  if (!gone) {
    throw Error(ErrorKind::Internal,
                cat("Could not kill running container ", container.id(),
                    ", cannot remove - tried to kill container, but did not receive an exit event"));
  }
}

}  // namespace proa::engine
