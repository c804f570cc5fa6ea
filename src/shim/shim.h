// The keeper of one container: creates it, holds its stdio, writes its log, reaps it and records its exit.
#pragma once

#include <list>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "shim/control.h"
#include "shim/log_file.h"
#include "shim/loop.h"
#include "shim/payload.h"
#include "shim/stdio.h"

namespace proa::shim {

class Shim {
 public:
  // `daemon` is the socket that the CreateRequest comes from; `title` of the process takes the container's id.
  explicit Shim(os::Fd daemon, std::span<char> title = {});
  ~Shim();

  // From the request to the end of the container. Returns the shim's exit code.
  int run();

 private:
  class Connection;
  class Listener;
  class Children;
  class OomWatch;

  struct Exec {
    std::string id;
    os::Fd pidfd;
    UnixNanos started_at = 0;
    std::unique_ptr<ProcessIo> io;
  };

  // shim.cc: the container's life
  bool start();
  void create(CreateRequest request, std::vector<os::Fd> fds);
  Started launch(CreateRequest& request, std::map<std::string, os::Fd>& fds);
  void settle();  // after the start: everything that need not delay it
  void publish_state();
  void listen_again();  // its directory was taken away
  void children_exited();
  void exec_exited(pid_t pid, ExitRecord record);
  void init_exited(ExitRecord record);
  void check_oom(std::uint64_t& known);
  void clean_up();
  bool may_leave() const;
  int next_timeout();

  // requests.cc: what the daemon asks for
  void request(Connection& connection, Packet packet);
  Json perform(Connection& connection, std::string_view operation, const Json& body, std::vector<os::Fd>& fds);
  Json attach(const Json& body, std::vector<os::Fd>& fds);
  Json exec(const Json& body, std::vector<os::Fd>& fds);
  Json signal(const Json& body);
  Json subscribe(Connection& connection);
  State state() const;
  ProcessIo& io_of(const std::string& exec_id);
  void accept();
  void notify(const Notice& notice);
  void disconnected(Connection& connection);

  Loop loop_;
  os::Fd daemon_;
  std::span<char> title_;
  std::string id_, run_dir_;
  std::string spill_directory_;
  std::optional<int> oom_score_adj_;
  std::unique_ptr<LogFile> log_;
  std::unique_ptr<Payload> payload_;
  std::unique_ptr<ProcessIo> io_;
  std::unique_ptr<Children> children_;
  std::unique_ptr<Listener> listener_;
  std::unique_ptr<OomWatch> oom_;
  std::vector<std::unique_ptr<Connection>> connections_;
  Started started_;
  std::int64_t began_ = 0;  // monotonic
  os::Fd init_pidfd_;
  std::map<pid_t, Exec> execs_;
  std::list<std::unique_ptr<ProcessIo>> ending_;  // processes gone, clients not yet served to the end
  std::vector<Notice> untold_;                    // happened while nobody listened; bounded
  std::optional<ExitRecord> exited_;
  bool paused_ = false, acknowledged_ = false, cleaned_ = false;
  std::int64_t trim_at_ = 0;
};

// The last argument of a shim that has no container yet: replaced in place by the container's id, for ps(1).
constexpr std::string_view kUnnamed = "----------------------------------------------------------------";

// The whole program: descriptor 3 is the daemon's socket.
int shim_main(int argc, char** argv);

}  // namespace proa::shim
