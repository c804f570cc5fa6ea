#include "base/log.h"

#include <unistd.h>

#include <atomic>
#include <string>

#include "base/json.h"
#include "base/text.h"
#include "base/time.h"

namespace proa::log {
namespace {

std::atomic<Level> current_level = Level::Info;
std::atomic<Format> current_format = Format::Text;
std::atomic<int> output = STDERR_FILENO;

std::string_view name(Level level) {
  switch (level) {
    case Level::Debug:
      return "debug";
    case Level::Info:
      return "info";
    case Level::Warning:
      return "warning";
    default:
      return "error";
  }
}

std::string text_line(Level level, std::string_view message, std::initializer_list<Field> fields) {
  std::string line = cat("time=", quoted(format_rfc3339(now())), " level=", name(level), " msg=", quoted(message));
  for (const auto& [key, value] : fields) {
    bool plain = !value.empty() && value.find_first_of(" \"=\n\t") == std::string_view::npos;
    line += cat(" ", key, "=", plain ? std::string(value) : quoted(value));
  }
  return line;
}

std::string json_line(Level level, std::string_view message, std::initializer_list<Field> fields) {
  JsonObject object{{"level", name(level)}, {"msg", message}, {"time", format_rfc3339(now())}};
  for (const auto& [key, value] : fields) object[key] = value;
  return json::text(object);
}

}  // namespace

void set_level(Level level) { current_level = level; }
Level level() { return current_level; }
void set_format(Format format) { current_format = format; }
void set_output(int fd) { output = fd; }

void write(Level level, std::string_view message, std::initializer_list<Field> fields) {
  if (level < current_level) return;
  std::string line =
      current_format == Format::Json ? json_line(level, message, fields) : text_line(level, message, fields);
  line += '\n';
  // One write(2), so that lines of several threads and processes do not mix; there is nowhere to report a failure.
  [[maybe_unused]] ssize_t ignored = ::write(output, line.data(), line.size());
}

}  // namespace proa::log
