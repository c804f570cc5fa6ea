// Unix sockets: connections, descriptors that travel with messages, and who the peer is (unix(7)).
#pragma once

#include <sys/socket.h>
#include <sys/types.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "os/fd.h"

namespace proa::os {

// socketpair(2) of the given type (SOCK_STREAM, SOCK_SEQPACKET), CLOEXEC.
std::pair<Fd, Fd> make_socket_pair(int type);

// Listens on a path, or receives there (SOCK_DGRAM); an existing socket is replaced. Long paths work: they are bound
// through /proc/self/fd.
Fd listen_unix(std::string_view path, int type, mode_t mode);
// "@name" is an abstract address. Throws NotFound or Unavailable (nobody listens).
Fd connect_unix(std::string_view path, int type);
Fd accept_connection(int listener);

// One message with descriptors in SCM_RIGHTS (at most 32). Throws; EPIPE instead of SIGPIPE.
void send_message(int socket, std::string_view bytes, const std::vector<int>& fds = {});
struct Message {
  std::string bytes;  // empty: the peer has closed
  std::vector<Fd> fds;
};
// At most `limit` bytes; a longer SOCK_SEQPACKET message is an Error.
Message receive_message(int socket, std::size_t limit = 1 << 20);
// The same for SOCK_SEQPACKET, into a buffer as long as the message: it is asked for its length first, which costs less
// than a buffer for the longest. `flags` as recv(2)'s (MSG_DONTWAIT).
Message receive_packet(int socket, std::size_t limit, int flags = 0);

struct PeerCredentials {
  pid_t pid;
  uid_t uid;
  gid_t gid;
};
PeerCredentials peer_credentials(int socket);

}  // namespace proa::os
