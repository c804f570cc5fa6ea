#include "shim/stdio.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/time.h"
#include "os/file.h"
#include "os/tty.h"

namespace proa::shim {
namespace {

constexpr std::size_t kBatch = 64 << 10;  // a pipe's capacity
constexpr std::size_t kStdinLimit = 64 << 10;
constexpr std::int64_t kPatience = 10 * kSecond;  // for a client whose backlog is full

}  // namespace

// One of our ends.
class ProcessIo::Port : public Source {
 public:
  Port(ProcessIo& io, os::Fd end, Stream output_stream, bool is_input)
      : fd(std::move(end)), stream(output_stream), input_only(is_input), io_(io) {
    os::set_nonblocking(fd.get(), true);
  }
  ~Port() override { close(); }
  void want(std::uint32_t events) {
    if (fd) io_.loop_.watch(fd.get(), events, interest_, this);
  }
  void close() {
    want(0);
    fd.reset();
  }
  void ready(std::uint32_t events) override {
    if (events & EPOLLOUT || (input_only && events & (EPOLLERR | EPOLLHUP))) io_.pump_stdin();
    if (fd && !input_only && events & (EPOLLIN | EPOLLHUP | EPOLLERR)) io_.readable(*this);
  }

  os::Fd fd;
  Stream stream;
  bool input_only;

 private:
  ProcessIo& io_;
  std::uint32_t interest_ = 0;
};

ProcessIo::ProcessIo(Loop& loop, LogFile* log, Options options) : loop_(loop), log_(log), options_(std::move(options)) {
  if (options_.terminal) return;
  auto [out_read, out_write] = os::make_pipe();
  auto [err_read, err_write] = os::make_pipe();
  child_out_ = std::move(out_write);
  child_err_ = std::move(err_write);
  out_ = std::make_unique<Port>(*this, std::move(out_read), Stream::Stdout, false);
  err_ = std::make_unique<Port>(*this, std::move(err_read), Stream::Stderr, false);
  if (options_.open_stdin) {
    auto [in_read, in_write] = os::make_pipe();
    child_in_ = std::move(in_read);
    in_ = std::make_unique<Port>(*this, std::move(in_write), Stream::Stdout, true);
  } else {
    child_in_ = os::open_file("/dev/null", O_RDONLY);
  }
}

ProcessIo::~ProcessIo() {
  for (auto& client : clients_) loop_.retire(std::move(client));
  for (auto* port : {&in_, &out_, &err_}) {
    if (!*port) continue;
    (*port)->close();
    loop_.retire(std::move(*port));
  }
}

runtime::Stdio ProcessIo::child_ends() const { return {child_in_.get(), child_out_.get(), child_err_.get()}; }

void ProcessIo::started(os::Fd console) {
  child_in_.reset();
  child_out_.reset();
  child_err_.reset();
  running_ = true;
  if (options_.terminal) {
    console_keeper_ = os::Fd(::ioctl(console.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
    out_ = std::make_unique<Port>(*this, std::move(console), Stream::Stdout, false);
  }
  ++busy_;
  for (auto& client : clients_) client->start_input();
  --busy_;
  sweep();
}

void ProcessIo::attach(AttachStream stream, os::Fd socket) {
  if (options_.terminal) {
    stream.framing = Framing::Raw;
  } else {
    stream.detach_keys.clear();  // as docker: keys have no meaning in a pipe
  }
  clients_.push_back(
      std::make_unique<AttachedClient>(loop_, *this, std::move(stream), std::move(socket), options_.spill_directory));
  clients_.back()->update_interest();
  ++busy_;
  if (running_) clients_.back()->start_input();
  --busy_;
  sweep();
}

void ProcessIo::update_ports() {
  if (!running_) return;
  std::uint32_t in = paused_ ? 0u : std::uint32_t{EPOLLIN};
  std::uint32_t out = stdin_pending_.empty() ? 0u : std::uint32_t{EPOLLOUT};
  if (options_.terminal) {
    out_->want(in | out);
    return;
  }
  out_->want(in);
  err_->want(in);
  if (in_) in_->want(out);
}

bool ProcessIo::read_once(Port& port) {
  // Not on the stack and not kept: an idle shim owns no buffer.
  auto buffer = std::make_unique_for_overwrite<char[]>(kBatch);
  ssize_t got = ::read(port.fd.get(), buffer.get(), kBatch);
  if (got < 0 && errno == EINTR) return true;
  if (got < 0 && errno == EAGAIN) return false;
  if (got <= 0) {  // EIO: a terminal that nobody holds
    closed(port);
    return false;
  }
  std::string_view bytes(buffer.get(), static_cast<std::size_t>(got));
  if (log_) log_->write(port.stream, bytes, now());
  ++busy_;
  for (auto& client : clients_) client->output(port.stream, bytes);
  --busy_;
  return true;
}

void ProcessIo::readable(Port& port) {
  read_once(port);
  sweep();
}

void ProcessIo::closed(Port& port) {
  port.close();
  if (log_) log_->end(port.stream, now());
}

void ProcessIo::drain() {
  for (auto* port : {&out_, &err_}) {
    // A bound for a process outside that keeps writing: more than any pipe or terminal can hold.
    for (int i = 0; i < 64 && *port && (*port)->fd; ++i) {
      if (!read_once(**port)) break;
    }
    if (*port && (*port)->fd) closed(**port);
  }
  console_keeper_.reset();
  stdin_closed_ = true;
  stdin_pending_.clear();
  if (in_) in_->close();
  sweep();
}

void ProcessIo::finish() {
  ++busy_;
  for (auto& client : clients_) client->finish();
  --busy_;
  sweep();
}

bool ProcessIo::finished() const { return clients_.empty(); }
int ProcessIo::clients() const { return static_cast<int>(clients_.size()); }

// Clients that are gone leave; whether anybody is in the way decides if we read on.
void ProcessIo::sweep() {
  if (busy_ > 0) return;
  for (auto& client : clients_) {
    if (client->gone()) loop_.retire(std::move(client));
  }
  std::erase_if(clients_, [](const auto& client) { return !client; });
  paused_ = std::ranges::any_of(clients_, [](const auto& client) { return client->congested(); });
  update_ports();
}

std::int64_t ProcessIo::tick(std::int64_t at) {
  bool ended = !out_ || !out_->fd;
  std::int64_t next = 0;
  ++busy_;
  for (auto& client : clients_) {
    if (!client->congested() && !(running_ && ended && !client->flushed())) continue;
    std::int64_t until = client->last_progress() + kPatience;
    if (until <= at) {
      client->drop();
    } else if (next == 0 || until < next) {
      next = until;
    }
  }
  --busy_;
  sweep();
  return next;
}

bool ProcessIo::wants_input() { return stdin_closed_ || stdin_pending_.size() < kStdinLimit; }

void ProcessIo::input(AttachedClient&, std::string_view bytes) {
  if (stdin_closed_ || stdin_closing_ || (!options_.terminal && !in_)) return;
  stdin_pending_ += bytes;
  pump_stdin();
}

void ProcessIo::pump_stdin() {
  Port* port = options_.terminal ? out_.get() : in_.get();
  bool had_room = wants_input();
  while (port && port->fd && !stdin_pending_.empty()) {
    ssize_t wrote = ::write(port->fd.get(), stdin_pending_.data(), stdin_pending_.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0 && errno == EAGAIN) break;
    if (wrote < 0) {  // the process has closed its end
      stdin_pending_.clear();
      stdin_closing_ = true;
      break;
    }
    stdin_pending_.erase(0, static_cast<std::size_t>(wrote));
  }
  if (stdin_pending_.empty()) {
    std::string().swap(stdin_pending_);
    if (stdin_closing_ && !options_.terminal && in_) {
      in_->close();
      stdin_closed_ = true;
    }
  }
  update_ports();
  if (had_room != wants_input()) {
    for (auto& client : clients_) client->update_interest();
  }
}

void ProcessIo::close_stdin() {
  stdin_closing_ = true;
  pump_stdin();
}

void ProcessIo::input_ended(AttachedClient&) {
  if (options_.stdin_once && !options_.terminal) close_stdin();
}

void ProcessIo::detached(AttachedClient& client) {
  if (options_.on_detach) options_.on_detach(client.id());
}

void ProcessIo::relieved(AttachedClient& client) {
  if (client.gone() || paused_) {
    // Called from inside the client: it may be retired here, it is deleted only at the end of the turn.
    sweep();
  }
}

void ProcessIo::resize(std::uint16_t height, std::uint16_t width) {
  if (options_.terminal && out_ && out_->fd) os::set_tty_size(out_->fd.get(), {height, width});
}

}  // namespace proa::shim
