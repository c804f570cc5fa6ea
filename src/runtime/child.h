// CHILD: what a container's init and a process executed into it have in common.
#pragma once

#include <string>
#include <vector>

#include "oci/runtime_spec.h"
#include "runtime/handshake.h"
#include "runtime/verbs.h"

namespace proa::runtime {

void reset_signals();  // nothing blocked, everything at its default
// SIGKILL when PARENT ends; checked against its having ended already by the socket. The kernel forgets it when the
// user changes: called again after that.
void tie_to_parent(int socket);
void arrange_stdio(const Stdio& stdio);
// Everything from 3 on is closed by execve but `keep`.
void close_others(const std::vector<int>& keep);
// Everything from 3 on is closed now but `keep`.
void close_all_but(std::vector<int> keep);
void new_session_keyring(const std::string& name);
// One Failed note, then the end.
[[noreturn]] void report_and_exit(int socket) noexcept;

// CHILD: gives the descriptor of its seccomp filter (-1: there is none) to PARENT and waits until it was taken. By
// read(2) and write(2) only, whatever else the filter forbids.
void hand_over_listener(int listener, int socket);
// PARENT: waits for the socket to be closed by execve, and on the way passes the filter's descriptor on to the
// supervisor. Throws the child's Error; records runtime.exec since `since`.
void wait_for_exec(int socket, std::int64_t since, const std::vector<std::string>& args,
                   const std::optional<Supervisor>& supervisor);
// PARENT: kills and reaps a child that will not become a container.
void discard_child(const os::Fd& pidfd);

}  // namespace proa::runtime
