// Private to http/: one connection of the server, from its accept to its end.
#pragma once

#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>

#include "http/server.h"
#include "http/wire.h"

namespace proa::http {

// Tells, for requests that are held for long, when a client closes: one thread, one epoll for all of them.
class Watcher {
 public:
  Watcher();
  ~Watcher();
  std::uint64_t watch(int fd, std::stop_source stop);
  void forget(std::uint64_t id, int fd);

 private:
  void run();

  os::Fd epoll_, wake_;
  std::mutex mutex_;
  std::map<std::uint64_t, std::stop_source> watched_;
  std::uint64_t next_ = 1;
  std::thread thread_;
};

struct Server::State {
  Handler handler;
  ServerOptions options;
  Watcher watcher;
  os::Fd wake;  // eventfd that ends the acceptor
  std::thread acceptor;
  std::vector<os::Fd> listeners;

  struct Live {
    int fd;
    bool busy = false;
    std::stop_source stop = {};
  };
  std::mutex mutex;
  std::condition_variable changed;
  std::map<std::uint64_t, Live> live;
  std::uint64_t next_id = 1;
  bool stopping = false;
};

class Connection : public Response {
 public:
  Connection(Server::State& state, std::uint64_t id, os::Fd socket, bool tcp)
      : state_(state), id_(id), tcp_(tcp), wire_(std::move(socket)) {}
  ~Connection() override;

  void run();

  void whole(int code, std::string_view body) override;
  void file(int code, int fd, std::uint64_t offset, std::uint64_t length) override;
  void stream(int code) override;
  void stream(int code, std::uint64_t length) override;
  void write(std::string_view bytes) override;
  Hijack hijack(bool upgrade) override;
  void watch_client() override;
  bool started() const override { return started_; }

 private:
  bool serve_one();
  void answer(const RequestHead& head);
  void refuse(int code, std::string_view message);
  bool finish(Body& body);
  void begin_request();
  std::string head_of(int code, std::string_view framing_header);
  void mark(bool busy);
  void unwatch();

  Server::State& state_;
  std::uint64_t id_;
  bool tcp_;
  Wire wire_;
  std::stop_source stop_;
  std::uint64_t watch_ = 0;
  Body* body_ = nullptr;
  bool head_only_ = false, keep_ = true, started_ = false, chunked_ = false, streaming_ = false, hijacked_ = false;
};

}  // namespace proa::http
