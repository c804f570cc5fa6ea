#include "engine/attach.h"

#include <poll.h>

#include <algorithm>

#include "base/failpoint.h"
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

// One client between its answer and its parking: a start waits for it.
class Attach::Coming {
 public:
  Coming(Attach& room, const std::string& id) : room_(room), id_(id) { ++(*room_.waiting_.lock())[id_].coming; }
  ~Coming() { arrive({}); }
  Coming(const Coming&) = delete;
  Coming& operator=(const Coming&) = delete;

  void arrive(std::optional<Parked> one) {
    if (!coming_) return;
    coming_ = false;
    auto waiting = room_.waiting_.lock();
    auto& of_container = (*waiting)[id_];
    --of_container.coming;
    if (one) {
      std::erase_if(of_container.parked, [](const Parked& old) { return hung_up(old.stream.socket.get()); });
      of_container.parked.push_back(std::move(*one));
    } else if (of_container.parked.empty() && of_container.coming == 0) {
      waiting->erase(id_);
    }
    room_.parked_.notify_all();
  }

 private:
  Attach& room_;
  const std::string& id_;
  bool coming_ = true;
};

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
  Coming coming(*this, container->id());
  auto stream = take_over(tty);
  FAILPOINT("attach.after_answer");
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
  coming.arrive(Parked{effective, std::move(stream)});
  // Looked at after parking: a start or a removal in between either finds the socket or is seen here.
  if (container->epoch().removed) return container_removed(container->id());
  if (container->state().running()) return hand_over(container->id(), tty);
  span.set("parked", "true");
}

std::vector<Attach::Parked> Attach::take(std::map<std::string, Waiting>& waiting, const std::string& container_id) {
  auto found = waiting.find(container_id);
  if (found == waiting.end()) return {};
  auto out = std::move(found->second.parked);
  found->second.parked.clear();
  if (found->second.coming == 0) waiting.erase(found);
  return out;
}

std::vector<Attach::Parked> Attach::take_for_start(const std::string& container_id) {
  auto waiting = waiting_.lock();
  waiting.wait_for(parked_, std::chrono::seconds(1), [&] {
    auto found = waiting->find(container_id);
    return found == waiting->end() || found->second.coming == 0;
  });
  return take(*waiting, container_id);
}

void Attach::hand_over(const std::string& container_id, bool tty) {
  auto parked = take(*waiting_.lock(), container_id);
  if (parked.empty()) return;
  shim::Client shim(rooms_.monitor->run_dir(container_id));
  try {
    for (auto& one : parked) {
      shim.attach(attach_stream_of(one.options, tty, std::move(one.stream.early_bytes)), one.stream.socket.get());
    }
  } catch (const Error&) {  // it has ended meanwhile: the clients see the end of their streams
  }
}

void Attach::container_removed(const std::string& container_id) { take(*waiting_.lock(), container_id); }

}  // namespace proa::engine
