// What PARENT and CHILD say to each other while a container or an exec comes up, over one SOCK_SEQPACKET pair.
//
//   PARENT                                   CHILD
//   clone3 ------------------------------->  (born in its namespaces)
//   writes uid_map, gid_map, moves network devices, has systemd move it into its group
//   Gifts -------------------------------->  only where there are such
//          <-------------------------------  Hooks      only with prestart or createRuntime hooks
//   HooksDone ---------------------------->
//          <-------------------------------  Joined     only exec: pid and pidfd of the process that was born inside
//          <-------------------------------  Ready      warnings, spans, pty master; all that can fail but the rest
//   Go ----------------------------------->  only after create(); through the gate socket if another process starts it
//          <-------------------------------  Listener   only with a seccomp supervisor: the number of its descriptor
//   ListenerTaken ------------------------>
//          <-------------------------------  Failed     at any point: one JSON line of an Error; then it exits
//          <-- end of file ----------------  execve has closed the socket: the program runs
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/trace.h"
#include "os/fd.h"

namespace proa::runtime {

enum class Tag : char {
  Gifts = 'm',
  Joined = 'J',
  Hooks = 'H',
  HooksDone = 'h',
  Ready = 'R',
  Go = 'G',
  Listener = 'S',
  ListenerTaken = 's',
  Failed = 'E'
};

struct Note {
  Tag tag;
  std::string body;
  os::Fd fd;  // the console, with Ready; a pidfd, with Joined
};

// write(2), so that it works under a strict seccomp filter; sendmsg(2) only with a descriptor.
void send_note(int socket, Tag tag, std::string_view body = {}, int fd = -1);
// Whatever comes next, Failed too; nullopt: the peer has closed.
std::optional<Note> receive_any(int socket);
// nullopt: the peer has closed. A Failed note is thrown as its Error. Throws for any tag but `expected`.
std::optional<Note> receive_note(int socket, Tag expected);
// The child's own death before it could say anything is an Error as well.
Note expect_note(int socket, Tag expected, std::string_view what);

struct ReadyBody {
  std::vector<std::string> warnings;
  std::vector<trace::Event> events;
  std::int64_t sent_at = 0;  // monotonic
};
// Length-prefixed 32-bit fields; decoding is bounded by the message and throws for what does not fit.
std::string encode_ready(const ReadyBody& body);
ReadyBody decode_ready(std::string_view bytes);

}  // namespace proa::runtime
