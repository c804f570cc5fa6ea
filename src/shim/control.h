// What daemon and shim say to each other: JSON packets over SOCK_SEQPACKET, descriptors beside them.
//
//   daemon                                    shim
//     | spawn; fd 3 = socketpair               |
//     | CreateRequest + fds  ----------------> | pipes or pty, runtime create + start
//     | <----------- Started | Error (+ spans) |
//     |                                        | listens on RUN_DIR/control.sock
//     | <----------- Notice{exit, ...}         | on this socket and on every one that asked `subscribe`
//     | Request{op, ...} + fds --------------> | on control.sock, any number of connections
//     | <----------- Reply | Error (+ spans)   | one per request, in order
//     | Request{shutdown} -------------------> | the exit is recorded: the shim may go
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/trace.h"
#include "oci/runtime_spec.h"
#include "os/fd.h"
#include "shim/exit_record.h"

namespace proa::shim {

struct LogOptions {
  std::string driver = "json-file";  // or "none"
  std::string path;
  std::int64_t max_size = 20 << 20;  // bytes; -1: no limit
  int max_file = 5;
  std::map<std::string, std::string> attributes;  // written as "attrs" in each line
};

enum class Framing { Raw, Multiplexed };

// One client's connection, already past its HTTP answer. The descriptor travels beside the message.
struct AttachStream {
  bool use_stdin = false;
  bool use_stdout = false;
  bool use_stderr = false;
  Framing framing = Framing::Multiplexed;  // what the client was promised; Raw with a terminal
  std::string detach_keys;                 // bytes (parse_detach_keys); "": nothing detaches
  std::string early_stdin;                 // bytes that came in behind the client's request
  std::string client_id;                   // named again in the Detached notice
};

struct CreateRequest {
  std::string id;
  std::string bundle;   // directory of config.json; a relative root.path starts here
  std::string run_dir;  // X/shims/<id>, made by the daemon, 0700
  oci::Spec spec;
  bool open_stdin = false;  // else stdin is /dev/null
  bool stdin_once = false;
  bool terminal = false;
  std::uint16_t console_height = 0, console_width = 0;
  LogOptions log;
  std::vector<std::string> runtime;  // {}: the library; else a foreign OCI runtime's program and its options
  std::string trace_id;
  std::vector<AttachStream> attach;  // their descriptors are named "attach:0", "attach:1", ...
  // Names of the descriptors sent along, in order: "rootfs" (detached mount), "netns", "seccomp" (seccomp_filter.h),
  // "attach:N"; any other name X is a detached mount that one mount of the spec names as its source, written "fd:X".
  std::vector<std::string> fds;
};

struct Started {
  pid_t pid = 0;
  std::uint64_t start_time_ticks = 0;  // field 22 of /proc/PID/stat: with the pid, a name that is never reused
  pid_t shim_pid = 0;
  UnixNanos started_at = kZeroTime;
  std::string cgroup;  // the runtime's own note of it, opaque
};

struct State {
  std::string id;
  pid_t pid = 0;
  std::uint64_t start_time_ticks = 0;
  pid_t shim_pid = 0;
  UnixNanos started_at = kZeroTime;
  std::string cgroup;
  bool paused = false;
  std::vector<std::string> execs;  // running ones
  int clients = 0;                 // attached now
  std::optional<ExitRecord> exited;
};

// Starts at once; the client's connection (if any) is the one descriptor beside it.
struct ExecRequest {
  std::string exec_id;
  oci::Process process;
  bool open_stdin = false;
  std::optional<AttachStream> attach;
};

enum class NoticeKind { Exited, Detached, OutOfMemory };
struct Notice {
  NoticeKind kind = NoticeKind::Exited;
  ExitRecord exit;        // Exited; exit.exec_id says of which process
  std::string exec_id;    // Detached
  std::string client_id;  // Detached
};

Json to_json(const CreateRequest& request);
CreateRequest create_request_from_json(const Json& value);
Json to_json(const AttachStream& stream);
AttachStream attach_stream_from_json(const Json& value);
Json to_json(const Started& started);
Started started_from_json(const Json& value);
Json to_json(const State& state);
State state_from_json(const Json& value);
Json to_json(const ExecRequest& request);
ExecRequest exec_request_from_json(const Json& value);
Json to_json(const Notice& notice);
Notice notice_from_json(const Json& value);

// A reply is {"ok": body, "events": [...]} or {"error": {kind, errno, message}, "events": [...]}; a notice {"notice":
// ...}.
Json reply(Json body, const std::vector<trace::Event>& events);
Json reply(const Error& error, const std::vector<trace::Event>& events);
// Adopts the events into this thread's recorder, then returns the body or throws the error.
Json unwrap_reply(const Json& packet);

// One packet. A body too large for the socket travels in a memfd (first descriptor, the packet is then "@").
void send_packet(int socket, const Json& body, const std::vector<int>& fds = {});
struct Packet {
  Json body;
  std::vector<os::Fd> fds;
};
// nullopt: the peer has closed. Throws on anything that is no packet. `flags` as recv(2)'s (MSG_DONTWAIT).
std::optional<Packet> receive_packet(int socket, int flags = 0);

}  // namespace proa::shim
