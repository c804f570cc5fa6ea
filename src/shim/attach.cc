#include "shim/attach.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <cerrno>

#include "base/time.h"

namespace proa::shim {

std::string frame_header(Stream stream, std::size_t size) {
  std::string header(8, '\0');
  header[0] = static_cast<char>(stream);
  for (int i = 0; i < 4; ++i) header[static_cast<std::size_t>(7 - i)] = static_cast<char>(size >> (8 * i) & 0xff);
  return header;
}

AttachedClient::AttachedClient(Loop& loop, Owner& owner, AttachStream stream, os::Fd socket,
                               std::string spill_directory)
    : loop_(loop),
      owner_(owner),
      stream_(std::move(stream)),
      socket_(std::move(socket)),
      keys_(stream_.detach_keys),
      backlog_(std::move(spill_directory)),
      last_progress_(monotonic_now()) {}

AttachedClient::~AttachedClient() {
  if (socket_) loop_.watch(socket_.get(), 0, interest_, this);
}

// The socket's file description is shared with whoever handed it over: it is never made non-blocking, each call is.
void AttachedClient::update_interest() {
  if (gone()) return;
  std::uint32_t events = EPOLLHUP;  // a bare 0 would mean "not at all"
  if (input_started_ && !input_done_ && (!stream_.use_stdin || owner_.wants_input())) events |= EPOLLIN;
  if (!backlog_.empty()) events |= EPOLLOUT;
  loop_.watch(socket_.get(), events, interest_, this);
}

void AttachedClient::start_input() {
  input_started_ = true;
  if (!stream_.early_stdin.empty()) take_input(std::exchange(stream_.early_stdin, {}));
  update_interest();
}

void AttachedClient::ready(std::uint32_t events) {
  if (events & EPOLLOUT) flush();
  if (!gone() && events & EPOLLIN) read_input();
  // Both directions closed: nobody is there. A mere half-close (`docker run` without -i does it at once) is not that.
  if (!gone() && events & (EPOLLHUP | EPOLLERR)) drop();
}

void AttachedClient::read_input() {
  char buffer[16 << 10];
  ssize_t got = ::recv(socket_.get(), buffer, sizeof buffer, MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got < 0) return drop();
  if (got == 0) {
    input_done_ = true;
    if (stream_.use_stdin) owner_.input_ended(*this);
    update_interest();
    return;
  }
  take_input(std::string_view(buffer, static_cast<std::size_t>(got)));
  update_interest();  // the process may have had enough
}

void AttachedClient::take_input(std::string_view bytes) {
  if (!stream_.use_stdin || finishing_) return;  // read and thrown away
  auto found = keys_.feed(bytes);
  if (!found.pass.empty()) owner_.input(*this, found.pass);
  if (!found.detached) return;
  input_done_ = true;
  owner_.detached(*this);
  finish();
}

void AttachedClient::output(Stream stream, std::string_view bytes) {
  if (gone() || finishing_ || !takes(stream)) return;
  send(stream_.framing == Framing::Multiplexed ? frame_header(stream, bytes.size()) : std::string(), bytes);
}

void AttachedClient::send(std::string_view header, std::string_view bytes) {
  if (!backlog_.empty()) {
    backlog_.put(header);
    backlog_.put(bytes);
    return;
  }
  iovec parts[2] = {{const_cast<char*>(header.data()), header.size()}, {const_cast<char*>(bytes.data()), bytes.size()}};
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = 2;
  ssize_t sent = ::sendmsg(socket_.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN && errno != EINTR) return drop();
  last_progress_ = monotonic_now();  // the backlog was empty: its clock starts here
  auto done = sent < 0 ? 0 : static_cast<std::size_t>(sent);
  if (done < header.size()) {
    backlog_.put(header.substr(done));
    backlog_.put(bytes);
  } else if (done - header.size() < bytes.size()) {
    backlog_.put(bytes.substr(done - header.size()));
  }
  if (!backlog_.empty()) update_interest();
}

void AttachedClient::flush() {
  for (int i = 0; i < 16 && !backlog_.empty(); ++i) {  // others want their turn too
    auto bytes = backlog_.front();
    if (bytes.empty()) break;
    ssize_t sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && (errno == EAGAIN || errno == EINTR)) break;
    if (sent < 0) return drop();
    backlog_.drop(static_cast<std::size_t>(sent));
    last_progress_ = monotonic_now();
  }
  if (finishing_ && backlog_.empty()) {
    close_gently();
  } else {
    update_interest();
  }
  owner_.relieved(*this);
}

void AttachedClient::finish() {
  if (gone() || finishing_) return;
  finishing_ = true;
  if (backlog_.empty()) close_gently();
}

// What the client sent and nobody read would turn its end of the stream into "connection reset".
void AttachedClient::close_gently() {
  ::shutdown(socket_.get(), SHUT_WR);
  char buffer[4096];
  for (int i = 0; i < 64; ++i) {
    if (::recv(socket_.get(), buffer, sizeof buffer, MSG_DONTWAIT) <= 0) break;
  }
  loop_.watch(socket_.get(), 0, interest_, this);
  ::shutdown(socket_.get(), SHUT_RDWR);
  socket_.reset();
}

void AttachedClient::drop() {
  if (gone()) return;
  loop_.watch(socket_.get(), 0, interest_, this);
  ::shutdown(socket_.get(), SHUT_RDWR);
  socket_.reset();
  bool was_input = has_input();
  input_done_ = true;
  if (was_input) owner_.input_ended(*this);
  owner_.relieved(*this);
}

}  // namespace proa::shim
