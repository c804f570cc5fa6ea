// The log sink, the project's one singleton: lines in logrus's text form on standard error.
// Library code does not log failures (it throws); boundaries do.
#pragma once

#include <initializer_list>
#include <string_view>
#include <utility>

namespace proa::log {

enum class Level { Debug, Info, Warning, Error };
enum class Format { Text, Json };

using Field = std::pair<std::string_view, std::string_view>;

void set_level(Level level);
Level level();
void set_format(Format format);
void set_output(int fd);  // instead of standard error

// time="2026-..." level=info msg="..." key=value
void write(Level level, std::string_view message, std::initializer_list<Field> fields = {});

inline void debug(std::string_view message, std::initializer_list<Field> fields = {}) {
  write(Level::Debug, message, fields);
}
inline void info(std::string_view message, std::initializer_list<Field> fields = {}) {
  write(Level::Info, message, fields);
}
inline void warn(std::string_view message, std::initializer_list<Field> fields = {}) {
  write(Level::Warning, message, fields);
}
inline void error(std::string_view message, std::initializer_list<Field> fields = {}) {
  write(Level::Error, message, fields);
}

}  // namespace proa::log
