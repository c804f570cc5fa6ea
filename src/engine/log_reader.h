// Lines of json-file logs: found, parsed, rendered.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/logs.h"
#include "os/fd.h"

namespace proa::engine {

// Its name in the container's directory.
std::string log_file_name(std::string_view container_id);

struct LogEntry {
  std::string text;  // with its new line, or without where the line was cut at 16 KiB
  bool err = false;
  UnixNanos time = 0;
  std::map<std::string, std::string> attributes;
};

// nullopt for what is no line of a log (a torn one, after a crash).
std::optional<LogEntry> parse_log_line(std::string_view line);
bool wanted(const LogEntry& entry, const LogOptions& options);
// As docker sends it: time stamp, details, text; framed unless `tty`. Or what options.json_item makes of it
// (engine-api 5.2).
std::string render_log_entry(const LogEntry& entry, const LogOptions& options, bool tty);

// The log and its rotated files, oldest first, opened at once so that rotation does not lose or double a line.
std::vector<os::Fd> open_log_files(const std::string& path);
// Where the last `lines` lines of the file begin, and how many there are (fewer in a short file).
struct TailStart {
  std::int64_t offset = 0;
  std::int64_t lines = 0;
};
TailStart find_tail(int file, std::int64_t lines);

// Takes a file in pieces, gives whole lines.
class LineBuffer {
 public:
  void push(std::string_view bytes) { pending_ += bytes; }
  std::optional<std::string> next();

 private:
  std::string pending_;
  std::size_t at_ = 0;
};

}  // namespace proa::engine
