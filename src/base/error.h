// The one exception type of the project (ARCHITECTURE.md, "Errors").
#pragma once

#include <exception>
#include <string>
#include <string_view>
#include <utility>

namespace proa {

enum class ErrorKind {
  InvalidArgument,
  NotFound,
  Conflict,
  NotModified,
  Unauthorized,
  Forbidden,
  Unavailable,
  NotImplemented,
  Cancelled,
  Deadline,
  DataLoss,
  Internal,
};

// "InvalidArgument" and so on, as written in Errors that travel between processes.
std::string_view to_string(ErrorKind kind);
// The inverse; an unknown name is Internal.
ErrorKind error_kind_from(std::string_view name);

// `message` names the object and the reason. `errno_code` is 0 where no system call failed.
class Error : public std::exception {
 public:
  Error(ErrorKind kind, std::string message, int errno_code = 0)
      : kind_(kind), errno_(errno_code), message_(std::move(message)) {}

  ErrorKind kind() const { return kind_; }
  int errno_code() const { return errno_; }
  const std::string& message() const { return message_; }
  const char* what() const noexcept override { return message_.c_str(); }

 private:
  ErrorKind kind_;
  int errno_;
  std::string message_;
};

// One JSON line {"kind","errno","message"} for a status pipe, and back.
std::string error_to_line(const Error& error);
Error error_from_line(std::string_view line);

// Whatever was caught, as an Error (std::bad_alloc, std::system_error and the like become Internal).
Error to_error(std::exception_ptr caught);

// Runs f(); an Error out of it is thrown again with "context: " before its message.
template <class F>
auto in_context(std::string_view context, F&& f) {
  try {
    return std::forward<F>(f)();
  } catch (const Error& error) {
    throw Error(error.kind(), std::string(context) + ": " + error.message(), error.errno_code());
  }
}

}  // namespace proa
