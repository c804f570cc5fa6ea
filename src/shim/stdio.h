// One process's standard streams, as the shim keeps them: read for log and clients, written from clients' input.
//
// Back-pressure: output goes to the log first, then to each client's socket or Backlog (1 MB of memory, then 64 MB of
// an unlinked file). While a client's backlog is full nothing is read, so that the process blocks as it does with
// docker; a client that takes nothing for 10 s then is dropped. Input is read from clients only while the process takes
// it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "runtime/verbs.h"
#include "shim/attach.h"

namespace proa::shim {

class ProcessIo : public AttachedClient::Owner {
 public:
  struct Options {
    bool terminal = false;
    bool open_stdin = false;
    bool stdin_once = false;      // the first client whose input ends closes the process's
    std::string spill_directory;  // for backlogs; "": none
    std::function<void(const std::string& client_id)> on_detach;
  };
  ProcessIo(Loop& loop, LogFile* log, Options options);
  ~ProcessIo() override;

  // What the process gets as 0, 1, 2; -1 each for a terminal. Valid until started().
  runtime::Stdio child_ends() const;
  // The process runs: our copies of its ends close, `console` is its terminal if it has one, input may flow.
  void started(os::Fd console);

  void attach(AttachStream stream, os::Fd socket);
  void close_stdin();
  void resize(std::uint16_t height, std::uint16_t width);

  // The process is gone: takes what is still in the pipes (others may hold their ends open, so not until their end).
  void drain();
  // Lets clients go as soon as they have everything.
  void finish();
  bool finished() const;
  int clients() const;
  // Drops clients that stand in the way; returns when to be called again (monotonic, 0: no need).
  std::int64_t tick(std::int64_t now);

 private:
  class Port;
  void readable(Port& port);
  bool read_once(Port& port);
  void closed(Port& port);
  void pump_stdin();
  void update_ports();
  void sweep();

  bool wants_input() override;
  void input(AttachedClient& client, std::string_view bytes) override;
  void input_ended(AttachedClient& client) override;
  void detached(AttachedClient& client) override;
  void relieved(AttachedClient& client) override;

  Loop& loop_;
  LogFile* log_;
  Options options_;
  os::Fd child_in_, child_out_, child_err_;
  os::Fd console_keeper_;  // a slave end: without one, reading the master fails whenever no process holds the terminal
  std::unique_ptr<Port> in_, out_, err_;  // a terminal: out_ alone
  std::string stdin_pending_;
  int busy_ = 0;  // somebody walks over clients_: nothing may leave it
  bool running_ = false, stdin_closing_ = false, stdin_closed_ = false, paused_ = false;
  std::vector<std::unique_ptr<AttachedClient>> clients_;
};

}  // namespace proa::shim
