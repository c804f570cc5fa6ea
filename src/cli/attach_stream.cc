#include "cli/attach_stream.h"

#include <poll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

#include "api/stdcopy.h"
#include "base/text.h"
#include "cli/console.h"
#include "os/file.h"

namespace proa::cli {

namespace {

constexpr std::size_t kChunk = 32 << 10;

class Pump {
 public:
  Pump(http::Hijacked& stream, const PumpOptions& options)
      : stream_(stream),
        options_(options),
        filter_(options.detach_keys),
        filtering_(options.tty && !options.detach_keys.empty()) {
    demultiplexer_.out = options.out, demultiplexer_.err = options.err;
    input_open_ = options.input;
    os::set_nonblocking(stream_.socket.get(), true);
  }

  StreamEnd run() {
    show(stream_.early_bytes);
    while (!closed_ && !detached_) {
      pollfd fds[3] = {{stream_.socket.get(), static_cast<short>(POLLIN | (pending_.empty() ? 0 : POLLOUT)), 0},
                       {input_open_ && pending_.size() < kChunk ? STDIN_FILENO : -1, POLLIN, 0},
                       {options_.signals ? options_.signals->fd() : -1, POLLIN, 0}};
      if (::poll(fds, 3, -1) < 0 && errno != EINTR) os::fail("poll");
      if (fds[2].revents) take_signals();
      if (fds[1].revents) read_input();
      if (fds[0].revents & POLLOUT) flush_input();
      if (fds[0].revents & (POLLIN | POLLHUP | POLLERR)) read_output();
    }
    return detached_ ? StreamEnd::Detached : StreamEnd::Closed;
  }

 private:
  void show(std::string_view bytes) {
    if (bytes.empty()) return;
    if (options_.tty) {
      if (options_.out) out(bytes);
    } else {
      demultiplexer_.push(bytes);
    }
  }

  void take_signals() {
    while (int signal = options_.signals->take()) options_.on_signal(signal);
  }

  void read_output() {
    char buffer[kChunk];
    ssize_t count = ::read(stream_.socket.get(), buffer, sizeof buffer);
    if (count > 0) return show({buffer, static_cast<std::size_t>(count)});
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
    closed_ = true;  // a reset is an end like any other
  }

  void read_input() {
    char buffer[kChunk];
    ssize_t count = ::read(STDIN_FILENO, buffer, sizeof buffer);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (count <= 0) {
      input_open_ = false;
      input_ended_ = true;
    } else if (filtering_) {
      auto rest = filter_.pass({buffer, static_cast<std::size_t>(count)});
      detached_ = !rest;
      if (rest) pending_ += *rest;
    } else {
      pending_.append(buffer, static_cast<std::size_t>(count));
    }
    flush_input();
  }

  void flush_input() {
    while (!pending_.empty()) {
      ssize_t count = ::send(stream_.socket.get(), pending_.data(), pending_.size(), MSG_NOSIGNAL);
      if (count < 0 && errno == EINTR) continue;
      if (count < 0 && errno == EAGAIN) return;
      if (count < 0) {  // nobody reads it any more; what it still writes is shown
        pending_.clear();
        input_open_ = false;
        return;
      }
      pending_.erase(0, static_cast<std::size_t>(count));
    }
    if (input_ended_) {
      input_ended_ = false;
      ::shutdown(stream_.socket.get(), SHUT_WR);
    }
  }

  http::Hijacked& stream_;
  const PumpOptions& options_;
  Demultiplexer demultiplexer_;
  DetachFilter filter_;
  bool filtering_;
  std::string pending_;  // typed, not yet taken by the socket
  bool input_open_ = false, input_ended_ = false, closed_ = false, detached_ = false;
};

}  // namespace

std::string parse_detach_keys(std::string_view text) {
  std::string keys;
  for (const std::string& key : split(text, ',')) {
    if (key.size() == 1) {
      keys += key;
    } else if (key.size() == 6 && key.starts_with("ctrl-")) {
      char c = key[5];
      std::size_t other = std::string_view("@[\\]^_").find(c);
      static constexpr char kOther[] = {0, 27, 28, 29, 30, 31};
      if (c >= 'a' && c <= 'z')
        keys += static_cast<char>(c - 'a' + 1);
      else if (other != std::string_view::npos)
        keys += kOther[other];
      else
        throw Error(ErrorKind::InvalidArgument, cat("Unknown character: '", key, "'"));
    } else {
      throw Error(ErrorKind::InvalidArgument, cat("Unknown character: '", key, "'"));
    }
  }
  return keys;
}

std::optional<std::string> DetachFilter::pass(std::string_view typed) {
  std::string sent;
  for (char c : typed) {
    if (c == keys_[matched_]) {
      if (++matched_ == keys_.size()) return std::nullopt;
      continue;
    }
    sent += keys_.substr(0, matched_);
    matched_ = c == keys_[0] ? 1 : 0;
    if (matched_ == keys_.size()) return std::nullopt;
    if (!matched_) sent += c;
  }
  return sent;
}

void Demultiplexer::push(std::string_view bytes) {
  while (!bytes.empty()) {
    if (left_ == 0) {
      std::size_t take = std::min(api::kFrameHeader - header_.size(), bytes.size());
      header_ += bytes.substr(0, take);
      bytes.remove_prefix(take);
      if (header_.size() < api::kFrameHeader) return;
      auto byte = [&](int i) {
        return static_cast<std::uint32_t>(static_cast<unsigned char>(header_[static_cast<std::size_t>(i)]));
      };
      type_ = static_cast<int>(byte(0));
      left_ = byte(4) << 24 | byte(5) << 16 | byte(6) << 8 | byte(7);
      header_.clear();
      if (type_ > 3) throw Error(ErrorKind::DataLoss, cat("Unrecognized input header: ", type_));
      continue;
    }
    std::string_view payload = bytes.substr(0, left_);
    bytes.remove_prefix(payload.size());
    left_ -= static_cast<std::uint32_t>(payload.size());
    if (type_ == 3) {
      error_ += payload;
      if (left_ == 0) throw Error(ErrorKind::Internal, cat("error from daemon in stream: ", error_));
    } else if (type_ == 2 ? err : out) {
      os::write_all(type_ == 2 ? STDERR_FILENO : STDOUT_FILENO, payload);
    }
  }
}

SignalQueue::SignalQueue(const sigset_t& signals) {
  os::check(::sigprocmask(SIG_BLOCK, &signals, &old_), "sigprocmask");
  fd_ = os::Fd(os::check(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK), "signalfd"));
}

SignalQueue::~SignalQueue() { ::sigprocmask(SIG_SETMASK, &old_, nullptr); }

int SignalQueue::take() {
  signalfd_siginfo info{};
  return ::read(fd_.get(), &info, sizeof info) == sizeof info ? static_cast<int>(info.ssi_signo) : 0;
}

sigset_t forwarded_signals() {
  sigset_t set;
  sigfillset(&set);
  for (int own : {SIGCHLD, SIGPIPE, SIGURG, SIGTTIN, SIGTTOU, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS,
                  SIGKILL, SIGSTOP}) {
    sigdelset(&set, own);
  }
  return set;
}

sigset_t terminal_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (int signal : {SIGWINCH, SIGINT, SIGTERM, SIGHUP, SIGQUIT}) sigaddset(&set, signal);
  return set;
}

StreamEnd pump(http::Hijacked& stream, const PumpOptions& options) {
  std::optional<os::RawTty> raw;
  if (options.tty && options.input && os::is_tty(STDIN_FILENO)) raw.emplace(STDIN_FILENO);
  return Pump(stream, options).run();
}

}  // namespace proa::cli
