// The container's log as docker's json-file driver writes it (engine-api.md 5.8), rotated by size and count.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/time.h"
#include "os/fd.h"
#include "shim/control.h"

namespace proa::shim {

enum class Stream { Stdout = 1, Stderr = 2 };  // the numbers of the multiplexed framing

// Appends the line that docker would write: {"log":...,"stream":...,"attrs":{...},"time":...}\n. `attributes` is JSON
// text or empty. Escapes as docker's jsonlog does (which is not quite encoding/json: "\u0009" for a tab).
void append_log_line(std::string& out, std::string_view text, bool newline, Stream stream, std::string_view attributes,
                     std::string_view time);

class LogFile {
 public:
  // Longest text of one entry; a longer line is cut into several, only the last of which ends with "\n".
  static constexpr std::size_t kMaxText = 16 << 10;

  // Opens or makes the file; an entry torn by our predecessor's death is cut off. Driver "none" writes nothing.
  explicit LogFile(const LogOptions& options);

  // What the container wrote, in any portions. One write(2) to the file per call unless it is rotated meanwhile.
  // Never throws and never blocks on a full disk: what does not fit is counted, and said in the log later.
  void write(Stream stream, std::string_view bytes, UnixNanos time);
  // The stream has ended: what came without a newline is written without one.
  void end(Stream stream, UnixNanos time);

  std::uint64_t logged_bytes() const { return logged_; }
  std::uint64_t dropped_bytes() const { return dropped_; }

 private:
  struct Pending {
    std::string text;          // an unfinished line
    UnixNanos first_part = 0;  // its parts carry the time of the first one; 0: none was written yet
  };
  void entry(Pending& pending, Stream stream, std::string_view text, bool newline, UnixNanos time);
  void flush();
  bool append(std::string_view lines);
  void rotate();
  void open(bool truncate);
  const std::string& time_text(UnixNanos time);

  LogOptions options_;
  std::string attributes_;
  os::Fd file_;
  std::array<Pending, 2> pending_;
  std::string batch_;             // finished lines of this call
  std::uint64_t batch_text_ = 0;  // the container's bytes in them
  std::int64_t size_ = 0;
  std::uint64_t logged_ = 0, dropped_ = 0, unsaid_ = 0;
  int last_errno_ = 0;
  UnixNanos shown_time_ = kZeroTime;
  std::string shown_text_;
};

}  // namespace proa::shim
