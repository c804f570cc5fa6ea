// The terminal's side of attach, exec and run: bytes both ways, signals, the terminal's size.
#pragma once

#include <signal.h>

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "http/client.h"
#include "os/fd.h"
#include "os/tty.h"

namespace proa::cli {

// The keys that leave a terminal's container: "ctrl-p,ctrl-q" -> "\x10\x11". Throws Error(InvalidArgument).
std::string parse_detach_keys(std::string_view text);

// Finds the keys in what is typed; bytes that may be their beginning are held back.
class DetachFilter {
 public:
  explicit DetachFilter(std::string keys) : keys_(std::move(keys)) {}
  // What to send of `typed`; nullopt once the keys are complete.
  std::optional<std::string> pass(std::string_view typed);

 private:
  std::string keys_;
  std::size_t matched_ = 0;
};

// Undoes the multiplexing (engine-api 5.2): payloads go to standard output and error as they come.
class Demultiplexer {
 public:
  void push(std::string_view bytes);  // throws Error for a stream that is none, or the daemon's own error in it
  bool out = true, err = true;        // whether to show them

 private:
  std::string header_, error_;
  std::uint32_t left_ = 0;
  int type_ = 1;
};

// Blocks the signals that are to be forwarded while it lives and gives them by a descriptor.
class SignalQueue {
 public:
  explicit SignalQueue(const sigset_t& signals);
  ~SignalQueue();
  SignalQueue(const SignalQueue&) = delete;
  SignalQueue& operator=(const SignalQueue&) = delete;
  int fd() const { return fd_.get(); }
  int take();  // 0: none is waiting

 private:
  sigset_t old_;
  os::Fd fd_;
};
sigset_t forwarded_signals();  // all but those of the process itself (SIGCHLD, SIGPIPE, SIGSEGV, ...)
sigset_t terminal_signals();   // SIGWINCH, and those that end the client, so that the terminal is restored

struct PumpOptions {
  bool tty = false;    // raw bytes to standard output, no frames
  bool input = false;  // forward standard input
  bool out = true, err = true;
  std::string detach_keys;  // as bytes; "" : none (only with tty and input)
  SignalQueue* signals = nullptr;
  std::function<void(int signal)> on_signal;
};
enum class StreamEnd { Closed, Detached };
// Until the daemon ends the stream or the keys were typed. Puts the terminal in raw mode meanwhile where tty and input
// say so.
StreamEnd pump(http::Hijacked& stream, const PumpOptions& options);

}  // namespace proa::cli
