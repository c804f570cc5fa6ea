#include "os/socket.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>

#include "base/text.h"
#include "os/file.h"

namespace proa::os {
namespace {

constexpr std::size_t kMaxFds = 32;

// sun_path holds 107 bytes; longer paths go through a descriptor of their directory, which must stay open meanwhile.
struct Address {
  sockaddr_un name{};
  socklen_t size = sizeof name;
  Fd dir;

  explicit Address(std::string_view path) {
    std::string shown(path);
    bool abstract = path.starts_with('@');
    if (abstract) {
      shown[0] = '\0';
      size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + shown.size());
    }
    if (shown.size() >= sizeof name.sun_path && !abstract) {
      dir = open_file(dir_name(path), O_PATH | O_DIRECTORY);
      shown = cat(fd_path(dir.get()), "/", base_name(path));
    }
    if (shown.size() >= sizeof name.sun_path)
      throw Error(ErrorKind::InvalidArgument, cat("socket path too long: ", path));
    name.sun_family = AF_UNIX;
    std::memcpy(name.sun_path, shown.data(), shown.size());
  }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&name); }
};

}  // namespace

std::pair<Fd, Fd> make_socket_pair(int type) {
  int ends[2];
  check(::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends), "socketpair");
  return {Fd(ends[0]), Fd(ends[1])};
}

Fd listen_unix(std::string_view path, int type, mode_t mode) {
  Fd socket(check(::socket(AF_UNIX, type | SOCK_CLOEXEC, 0), "socket"));
  Address address(path);
  remove_file(path);
  check(::bind(socket.get(), address.get(), address.size), cat("bind ", path));
  check(::chmod(address.name.sun_path, mode), cat("chmod ", path));
  if (type != SOCK_DGRAM) check(::listen(socket.get(), 1024), cat("listen ", path));
  return socket;
}

Fd connect_unix(std::string_view path, int type) {
  Fd socket(check(::socket(AF_UNIX, type | SOCK_CLOEXEC, 0), "socket"));
  Address address(path);
  int result;
  do {
    result = ::connect(socket.get(), address.get(), address.size);
  } while (result < 0 && errno == EINTR);
  check(result, cat("connect ", path));
  return socket;
}

Fd accept_connection(int listener) {
  int fd;
  do {
    fd = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
  } while (fd < 0 && errno == EINTR);
  return Fd(check(fd, "accept"));
}

void send_message(int socket, std::string_view bytes, const std::vector<int>& fds) {
  if (fds.size() > kMaxFds) throw Error(ErrorKind::Internal, "too many descriptors in one message");
  iovec part{const_cast<char*>(bytes.data()), bytes.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(kMaxFds * sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (!fds.empty()) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
    std::memcpy(CMSG_DATA(header), fds.data(), fds.size() * sizeof(int));
  }
  for (;;) {
    ssize_t sent = ::sendmsg(socket, &message, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    check(sent, "sendmsg");
    auto done = static_cast<std::size_t>(sent);
    if (done >= part.iov_len) return;
    part.iov_base = static_cast<char*>(part.iov_base) + done;  // a stream socket took a part; descriptors went with it
    part.iov_len -= done;
    message.msg_control = nullptr;
    message.msg_controllen = 0;
  }
}

Message receive_message(int socket, std::size_t limit) {
  Message out;
  out.bytes.resize(limit);
  iovec part{out.bytes.data(), out.bytes.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(kMaxFds * sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ssize_t got;
  do {
    got = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  } while (got < 0 && errno == EINTR);
  check(got, "recvmsg");
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd;
      std::memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof fd);
      out.fds.emplace_back(fd);
    }
  }
  if (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) throw Error(ErrorKind::InvalidArgument, "message is too long");
  out.bytes.resize(static_cast<std::size_t>(got));
  return out;
}

Message receive_packet(int socket, std::size_t limit, int flags) {
  ssize_t length;
  do {
    length = ::recv(socket, nullptr, 0, MSG_PEEK | MSG_TRUNC | flags);
  } while (length < 0 && errno == EINTR);
  if (length == 0 || (length < 0 && errno == ECONNRESET)) return {};
  auto size = static_cast<std::size_t>(check(length, "recv"));
  if (size > limit) throw Error(ErrorKind::InvalidArgument, "message is too long");
  return receive_message(socket, size);
}

PeerCredentials peer_credentials(int socket) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  check(::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size), "getsockopt(SO_PEERCRED)");
  return {credentials.pid, credentials.uid, credentials.gid};
}

}  // namespace proa::os
