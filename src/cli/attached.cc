#include "cli/attached.h"

#include <poll.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/command.h"
#include "cli/console.h"
#include "os/file.h"
#include "os/process.h"

namespace proa::cli {

std::string detach_keys_of(const std::string& given) {
  if (!given.empty()) return given;
  if (auto text = os::try_read_file(os::path_join(client::config_dir(), "config.json"))) {
    try {
      if (std::string keys = json::string_at(json::parse(*text), "detachKeys"); !keys.empty()) return keys;
    } catch (const Error&) {
      // a broken file is reported where it matters: at pull
    }
  }
  return "ctrl-p,ctrl-q";
}

void check_tty(bool attach_stdin, bool tty) {
  if (attach_stdin && tty && !is_terminal(STDIN_FILENO)) throw ExitWith{1, "the input device is not a TTY"};
}

http::Hijacked attach_container(Session& session, const std::string& id, const StreamChoice& choice) {
  Query query{{"stream", "1"}};
  if (choice.in) query.emplace_back("stdin", "1");
  if (choice.out) query.emplace_back("stdout", "1");
  if (choice.err) query.emplace_back("stderr", "1");
  if (!choice.detach_keys.empty()) query.emplace_back("detachKeys", choice.detach_keys);
  return session.hijack(container_path(id, "attach"), query);
}

WaitRequest::WaitRequest(Session& session, const std::string& id, const std::string& condition) {
  StreamRequest request;
  request.method = "POST";
  request.path = container_path(id, "wait");
  if (!condition.empty()) request.query.add("condition", condition);
  response_ = session.stream(request);
}

bool WaitRequest::ready_within(int milliseconds) {
  pollfd fd{response_->fd(), POLLIN, 0};
  return ::poll(&fd, 1, milliseconds) > 0;
}

int WaitRequest::status() {
  Json result;
  try {
    result = json::parse(response_->read_all());
  } catch (const Error& error) {
    err_line(cat("error waiting for container: ", error.message()));
    return 125;
  }
  if (const Json* error = json::find(result, "Error"); error && error->is_object()) {
    if (std::string message = json::string_at(*error, "Message"); !message.empty()) {
      err_line(cat("Error waiting for container: ", message));
      return 125;
    }
  }
  return static_cast<int>(json::int_at(result, "StatusCode"));
}

void Attached::redraw() {
  resize(1);
  resize();
}

void Attached::resize(int more) {
  auto size = os::tty_size(STDOUT_FILENO);
  if (!size || (size->rows == 0 && size->columns == 0)) return;
  Query query{{"h", cat(size->rows + more)}, {"w", cat(size->columns + more)}};
  try {
    session.try_call("POST", exec_id.empty() ? container_path(id, "resize") : cat("/exec/", exec_id, "/resize"), query);
  } catch (const Error&) {
    // it has ended; the stream will say so
  }
}

StreamEnd Attached::pump_stream(http::Hijacked& stream, const StreamChoice& choice, SignalQueue* signals) {
  PumpOptions options;
  options.tty = tty;
  options.input = choice.in;
  options.out = choice.out, options.err = choice.err;
  if (tty && choice.in) options.detach_keys = parse_detach_keys(detach_keys_of(choice.detach_keys));
  options.signals = signals;
  int ends = 0;
  options.on_signal = [&](int signal) {
    if (tty && signal == SIGWINCH) return resize();
    if (tty || !exec_id.empty()) throw ExitWith{128 + signal, ""};  // unwinding restores the terminal
    // From a container that does not listen there is a way back to the shell; it runs on.
    if ((signal == SIGINT || signal == SIGTERM) && ++ends == 3)
      throw ExitWith{1, "\ngot 3 SIGTERM/SIGINTs, forcefully exiting"};
    if (!sig_proxy) return;
    std::string name = os::signal_name(signal);
    if (name.starts_with("SIG")) name.erase(0, 3);
    try {
      session.try_call("POST", container_path(id, "kill"), {{"signal", name.empty() ? cat(signal) : name}});
    } catch (const Error&) {
      // it has ended; the stream will say so
    }
  };
  return pump(stream, options);
}

}  // namespace proa::cli
