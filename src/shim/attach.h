// One client's connection to a process: its output framed, its input watched for detach keys.
#pragma once

#include <functional>
#include <string>

#include "shim/backlog.h"
#include "shim/control.h"
#include "shim/detach_keys.h"
#include "shim/log_file.h"
#include "shim/loop.h"

namespace proa::shim {

// The header of one frame of the multiplexed stream: [type][0][0][0][size, big-endian].
std::string frame_header(Stream stream, std::size_t size);

class AttachedClient : public Source {
 public:
  // What becomes of its input and of itself; called from ready().
  class Owner {
   public:
    virtual ~Owner() = default;
    virtual bool wants_input() = 0;  // false: leave it in the client's socket (back-pressure)
    virtual void input(AttachedClient& client, std::string_view bytes) = 0;
    virtual void input_ended(AttachedClient& client) = 0;  // half-close, or death
    virtual void detached(AttachedClient& client) = 0;     // by its keys
    virtual void relieved(AttachedClient& client) = 0;  // some bytes left, or the client has: see congested(), gone()
  };

  AttachedClient(Loop& loop, Owner& owner, AttachStream stream, os::Fd socket, std::string spill_directory);
  ~AttachedClient() override;

  void ready(std::uint32_t events) override;
  void start_input();  // the early bytes, then the socket
  void update_interest();
  void output(Stream stream, std::string_view bytes);
  // No more output: once all is sent the socket is shut down and the client is gone.
  void finish();
  void drop();

  bool takes(Stream stream) const { return stream == Stream::Stdout ? stream_.use_stdout : stream_.use_stderr; }
  bool has_input() const { return stream_.use_stdin && !input_done_; }
  bool gone() const { return !socket_; }
  bool congested() const { return !gone() && backlog_.full(); }
  bool flushed() const { return gone() || backlog_.empty(); }
  std::int64_t last_progress() const { return last_progress_; }  // monotonic
  const std::string& id() const { return stream_.client_id; }

 private:
  void read_input();
  void take_input(std::string_view bytes);
  void flush();
  void send(std::string_view header, std::string_view bytes);
  void close_gently();

  Loop& loop_;
  Owner& owner_;
  AttachStream stream_;
  os::Fd socket_;
  DetachKeys keys_;
  Backlog backlog_;
  std::uint32_t interest_ = 0;
  bool input_started_ = false, input_done_ = false, finishing_ = false;
  std::int64_t last_progress_ = 0;
};

}  // namespace proa::shim
