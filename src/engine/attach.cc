#include "engine/attach.h"

#include <poll.h>

#include <algorithm>

#include "base/id.h"
#include "base/text.h"
#include "base/trace.h"
#include "engine/event_attributes.h"
#include "engine/explain.h"
#include "engine/logs.h"
#include "engine/monitor.h"
#include "engine/rooms.h"
#include "engine/roster.h"
#include "os/file.h"
#include "shim/client.h"
#include "shim/detach_keys.h"

namespace proa::engine {
namespace {

bool hung_up(int socket) {
  pollfd one{socket, 0, 0};
  return ::poll(&one, 1, 0) > 0 && (one.revents & (POLLHUP | POLLERR | POLLNVAL));
}

}  // namespace

shim::AttachStream attach_stream_of(const AttachOptions& options, bool tty, std::string early_bytes) {
  shim::AttachStream out;
  out.use_stdin = options.in;
  out.use_stdout = options.out;
  out.use_stderr = options.err && !tty;
  out.framing = tty ? shim::Framing::Raw : shim::Framing::Multiplexed;
  out.detach_keys = options.detach_keys.empty() ? std::string(shim::kDefaultDetachKeys)
                                                : shim::parse_detach_keys(options.detach_keys);
  out.early_stdin = std::move(early_bytes);
  out.client_id = std::string(short_id(new_id()));
  return out;
}

void Attach::attach(std::string_view reference, const AttachOptions& options, const TakeOver& take_over) {
  trace::Span span("engine.attach");
  auto container = rooms_.roster->get(reference);
  span.set("container", container->id());
  auto snapshot = container->snapshot();
  if (snapshot->state.status == Status::Paused) {
    throw Error(ErrorKind::Conflict,
                cat("container ", container->id(), " is paused, unpause the container before attach"));
  }
  if (snapshot->state.status == Status::Restarting) {
    throw Error(ErrorKind::Conflict,
                cat("container ", container->id(), " is restarting, wait until the container is running"));
  }
  bool tty = snapshot->definition->config.tty;
  auto effective = options;
  if (!snapshot->definition->config.open_stdin) effective.in = false;
  attach_stream_of(effective, tty, "");  // throws for bad detach keys, before the answer
  rooms_.explain->join(container->id(), RequestTrace::id());
  auto stream = take_over(tty);
  if (options.logs) {
    LogOptions log;
    log.out = options.out;
    log.err = options.err;
    int socket = stream.socket.get();
    try {
      Logs(rooms_).read(
          container->id(), log,
          [&](bool) -> Sink { return [socket](std::string_view bytes) { os::write_all(socket, bytes); }; }, {});
    } catch (const Error&) {
      return;  // the client is gone, or there is no log: nothing can be answered any more
    }
  }
  if (!options.stream) return;
  emit_container(*rooms_.events, *snapshot->definition, "attach");
  {
    auto parked = parked_.lock();
    auto& list = (*parked)[container->id()];
    std::erase_if(list, [](const Parked& one) { return hung_up(one.stream.socket.get()); });
    list.push_back({effective, std::move(stream)});
  }
  // Looked at after parking, so that a start in between either takes the socket or is seen here.
  if (!container->state().running()) {
    span.set("parked", "true");
    return;
  }
  for (auto& one : take_parked(container->id())) {
    shim::Client(rooms_.monitor->run_dir(container->id()))
        .attach(attach_stream_of(one.options, tty, std::move(one.stream.early_bytes)), one.stream.socket.get());
  }
}

std::vector<Attach::Parked> Attach::take_parked(const std::string& container_id) {
  auto parked = parked_.lock();
  auto it = parked->find(container_id);
  if (it == parked->end()) return {};
  auto out = std::move(it->second);
  parked->erase(it);
  return out;
}

void Attach::put_back(const std::string& container_id, std::vector<Parked> list) {
  auto parked = parked_.lock();
  auto& to = (*parked)[container_id];
  for (auto& one : list) to.push_back(std::move(one));
}

}  // namespace proa::engine
