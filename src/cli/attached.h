// What run, start, attach and exec share: the stream, the exit that is waited for, signals and sizes passed on.
#pragma once

#include <memory>
#include <string>

#include "cli/attach_stream.h"
#include "cli/session.h"

namespace proa::cli {

struct StreamChoice {
  bool in = false, out = false, err = false;
  std::string detach_keys;  // as given; "": the configured or docker's
};

// The value of --detach-keys, else of docker's config.json, else "ctrl-p,ctrl-q".
std::string detach_keys_of(const std::string& given);
// Throws ExitWith where a terminal is wanted and standard input is none.
void check_tty(bool attach_stdin, bool tty);

http::Hijacked attach_container(Session& session, const std::string& id, const StreamChoice& choice);

// POST /containers/ID/wait: sent when made, answered when the container ends.
class WaitRequest {
 public:
  WaitRequest(Session& session, const std::string& id, const std::string& condition);
  bool ready_within(int milliseconds);
  // Blocks. 125 and a line on standard error where the daemon could not say.
  int status();

 private:
  std::unique_ptr<http::ClientResponse> response_;
};

// One attached container or exec.
struct Attached {
  Session& session;
  std::string id;
  bool tty, sig_proxy;
  std::string exec_id;  // "" : the container itself

  void resize() { resize(0); }  // to the terminal's size, now
  void redraw();                // another size first, so that the program is told and shows again what it showed before
  StreamEnd pump_stream(http::Hijacked& stream, const StreamChoice& choice, SignalQueue* signals);

 private:
  void resize(int more);
};

}  // namespace proa::cli
