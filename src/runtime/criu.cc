#include "runtime/criu.h"

#include <signal.h>
#include <unistd.h>

#include "base/text.h"
#include "os/file.h"
#include "os/socket.h"

namespace proa::runtime::criu {
namespace {

constexpr int kSocket = 3;  // its number in CRIU

std::string_view kind_name(Kind kind) {
  switch (kind) {
    case Kind::Dump:
      return "DUMP";
    case Kind::Restore:
      return "RESTORE";
    case Kind::PreDump:
      return "PRE_DUMP";
    case Kind::Notify:
      return "NOTIFY";
    case Kind::Features:
      return "FEATURE_CHECK";
    case Kind::Version:
      return "VERSION";
  }
  return "?";
}

// CRIU's lines of errors: "(00.032069) Error (criu/sockets.c:209): sockets: Diag module missing (-2)". The last one
// says that it failed, those before it why.
std::string errors_of(std::string_view log) {
  std::vector<std::string> found;
  for (const auto& line : split(log, '\n')) {
    auto at = line.find("Error (");
    if (at == std::string::npos) continue;
    auto after = line.find("): ", at);
    std::string text(trim(line.substr(after == std::string::npos ? at : after + 3)));
    if (found.empty() || found.back() != text) found.push_back(std::move(text));
  }
  if (found.size() > 4) found.erase(found.begin(), found.end() - 4);
  return join(found, "; ");
}

}  // namespace

Session::Session(const std::string& program, std::vector<os::FdMapping> fds) {
  auto [ours, its] = os::make_socket_pair(SOCK_SEQPACKET);
  auto [read_end, write_end] = os::make_pipe();
  os::SpawnOptions spawn;
  spawn.argv = {program.empty() ? "criu" : program, "swrk", cat(kSocket)};
  spawn.fds = std::move(fds);
  spawn.fds.push_back({its.get(), kSocket});
  spawn.fds.push_back({write_end.get(), STDERR_FILENO});
  try {
    child_ = os::spawn(spawn);
  } catch (const Error& error) {
    throw Error(ErrorKind::Unavailable, cat("cannot run CRIU, which makes and restores checkpoints: ", error.message(),
                                            ": install the package criu, or name the program with --criu"));
  }
  socket_ = std::move(ours);
  errors_ = std::move(read_end);
}

void Session::end() {
  socket_.reset();
  os::Fd child = std::move(child_.pidfd);
  if (!child || os::wait_exit(child.get(), 2000)) return;
  os::try_signal_pidfd(child.get(), SIGKILL);
  os::wait_exit(child.get());
}

void Session::give_up(const Answer* answer, Kind kind, const std::string& log_path) {
  end();
  std::string why = answer ? answer->message : "";
  if (auto log = log_path.empty() ? std::nullopt : os::try_read_file(log_path)) {
    if (auto told = errors_of(*log); !told.empty()) why = told;
  }
  if (why.empty()) {
    os::set_nonblocking(errors_.get(), true);
    char text[8192];
    auto size = ::read(errors_.get(), text, sizeof text);
    why = errors_of(std::string_view(text, size > 0 ? static_cast<std::size_t>(size) : 0));
  }
  std::string message = cat("criu failed: type ", kind_name(kind), " errno ", answer ? answer->error : 0);
  if (!why.empty()) message += cat(": ", why);
  if (!log_path.empty() && os::exists(log_path)) message += cat(": log file: ", log_path);
  throw Error(ErrorKind::Unavailable, message);
}

Answer Session::request(Kind kind, const Options* options, const std::string& log_path, const Notified& notified) {
  try {
    os::send_message(socket_.get(), encode_request(kind, options));
  } catch (const Error&) {
    give_up(nullptr, kind, log_path);  // it has ended already
  }
  for (;;) {
    os::Message message;
    try {
      message = os::receive_message(socket_.get());
    } catch (const Error& error) {
      if (error.errno_code() == 0) throw;
    }
    if (message.bytes.empty()) give_up(nullptr, kind, log_path);
    Answer answer = decode_answer(message.bytes);
    if (answer.kind != Kind::Notify) {
      if (!answer.success || answer.kind != kind) give_up(&answer, kind, log_path);
      return answer;
    }
    try {
      if (notified) notified(answer, message.fds.empty() ? os::Fd() : std::move(message.fds[0]));
    } catch (...) {
      os::send_message(socket_.get(), encode_notified(false));
      throw;
    }
    os::send_message(socket_.get(), encode_notified(true));
  }
}

int version(const std::string& program) { return Session(program).request(Kind::Version, nullptr).version; }

Answer features(const std::string& program) { return Session(program).request(Kind::Features, nullptr); }

}  // namespace proa::runtime::criu
