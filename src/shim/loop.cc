#include "shim/loop.h"

#include <sys/epoll.h>

#include <cerrno>

#include "shim/footprint.h"

namespace proa::shim {

Loop::Loop() : epoll_(os::check(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1")) {}

void Loop::watch(int fd, std::uint32_t events, std::uint32_t& current, Source* source) {
  if (events == current) return;
  epoll_event event{};
  event.events = events;
  event.data.ptr = source;
  int operation = current == 0 ? EPOLL_CTL_ADD : events == 0 ? EPOLL_CTL_DEL : EPOLL_CTL_MOD;
  os::check(::epoll_ctl(epoll_.get(), operation, fd, &event), "epoll_ctl");
  current = events;
}

void Loop::retire(std::unique_ptr<Source> source) {
  source->retired = true;
  retired_.push_back(std::move(source));
}

bool Loop::turn(int timeout_ms, Wait wait) {
  epoll_event events[16];
  int count = wait == Wait::Small ? wait_small(epoll_.get(), events, 16, timeout_ms)
                                  : ::epoll_wait(epoll_.get(), events, 16, timeout_ms);
  if (count < 0 && errno != EINTR) os::fail("epoll_wait");
  for (int i = 0; i < count; ++i) {
    auto* source = static_cast<Source*>(events[i].data.ptr);
    if (!source->retired) source->ready(events[i].events);
  }
  retired_.clear();
  return count > 0;
}

}  // namespace proa::shim
