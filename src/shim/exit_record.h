// What is known about a process that ended. The container's own is published as RUN_DIR/exit.json before anybody is
// told: it is the truth about an exit that the daemon missed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/time.h"

namespace proa::shim {

struct ExitRecord {
  std::string exec_id;  // "": the container's init
  int exit_code = 0;    // 0..255; 128+n for a death by signal n
  int signal = 0;       // 0: it called exit
  bool core_dumped = false;
  bool oom_killed = false;
  std::string reason;  // "" or why the code is not the process's own ("shim died", "exit record is missing")
  UnixNanos started_at = kZeroTime;
  UnixNanos finished_at = kZeroTime;
  std::int64_t ran = 0;  // nanoseconds on a clock that nobody sets; 0: not known
  // What the log cost or lost, for `explain`.
  std::uint64_t logged_bytes = 0;
  std::uint64_t dropped_log_bytes = 0;
};

Json to_json(const ExitRecord& record);
ExitRecord exit_record_from_json(const Json& value);

// From what waitid(2) says of a child: si_code and si_status.
ExitRecord exit_record_from_wait(int code, int status);

// RUN_DIR/exit.json, replaced atomically; without fsync, /run does not survive power loss anyway.
void write_exit_record(std::string_view run_dir, const ExitRecord& record);
std::optional<ExitRecord> read_exit_record(std::string_view run_dir);

}  // namespace proa::shim
