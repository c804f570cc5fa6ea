// epoll for one thread: sources are called when their descriptor is ready, and may vanish while others are served.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "os/fd.h"

namespace proa::shim {

class Source {
 public:
  virtual ~Source() = default;
  virtual void ready(std::uint32_t events) = 0;
  bool retired = false;  // no call any more; deleted at the end of the turn
};

class Loop {
 public:
  Loop();
  // Registers, changes or (events 0) takes out; 0 also keeps EPOLLHUP of an unwanted descriptor from spinning.
  void watch(int fd, std::uint32_t events, std::uint32_t& current, Source* source);
  // Takes ownership of a source that is no longer used.
  void retire(std::unique_ptr<Source> source);
  // One epoll_wait and the calls it asks for. False: nothing was ready within the timeout. Small: gives memory back
  // before it waits.
  enum class Wait { Ready, Small };
  bool turn(int timeout_ms, Wait wait = Wait::Ready);

 private:
  os::Fd epoll_;
  std::vector<std::unique_ptr<Source>> retired_;
};

}  // namespace proa::shim
