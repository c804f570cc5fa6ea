// The shim's sources besides stdio: connections of the daemon, their listener, and the children's exits.
#pragma once

#include "shim/shim.h"

namespace proa::shim {

class Shim::Connection : public Source {
 public:
  Connection(Shim& shim, os::Fd socket);
  ~Connection() override { close(); }
  void ready(std::uint32_t events) override;
  void close();
  int socket() const { return socket_.get(); }

  bool subscribed = false;

 private:
  Shim& shim_;
  os::Fd socket_;
  std::uint32_t interest_ = 0;
};

class Shim::Listener : public Source {
 public:
  Listener(Shim& shim, const std::string& path);
  ~Listener() override;
  void ready(std::uint32_t events) override;
  os::Fd accept();

 private:
  Shim& shim_;
  os::Fd socket_;
  std::uint32_t interest_ = 0;
};

class Shim::Children : public Source {
 public:
  explicit Children(Shim& shim);
  ~Children() override;
  void ready(std::uint32_t events) override;

 private:
  Shim& shim_;
  os::Fd signals_;
  std::uint32_t interest_ = 0;
};

// Tells when the kernel's OOM killer was at work in the container.
class Shim::OomWatch : public Source {
 public:
  explicit OomWatch(Shim& shim);
  ~OomWatch() override;
  void ready(std::uint32_t events) override;

 private:
  Shim& shim_;
  os::Fd event_;    // v1: an eventfd; v2: memory.events, which changes with EPOLLPRI
  os::Fd control_;  // v1: memory.oom_control
  std::uint64_t kills_ = 0;
  std::uint32_t interest_ = 0;
};

}  // namespace proa::shim
