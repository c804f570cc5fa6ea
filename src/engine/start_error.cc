#include "engine/start_error.h"

#include "base/text.h"

namespace proa::engine {
namespace {

constexpr std::string_view kPrefix =
    "failed to create task for container: failed to create shim task: OCI runtime create failed: "
    "proa-runtime create failed: ";

bool has(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

}  // namespace

int start_exit_code(std::string_view message) {
  if (has(message, "executable file not found") || has(message, "no such file or directory") ||
      has(message, "not a directory")) {
    return 127;
  }
  if (has(message, "permission denied")) return 126;
  return 128;
}

StartError start_error(const Error& cause) {
  const std::string& message = cause.message();
  if (message.starts_with("unable to apply apparmor profile")) {
    std::string words = "unable to start container process: error during container init: ";
    return {Error(ErrorKind::Internal, cat(kPrefix, words, message, ": unknown"), cause.errno_code()),
            start_exit_code(message)};
  }
  if (!message.starts_with("exec: \"")) {
    auto code = cause.kind() == ErrorKind::InvalidArgument ? 125 : 128;
    return {cause, code};
  }
  int code = start_exit_code(message);
  auto kind = code == 128 ? ErrorKind::Internal : ErrorKind::InvalidArgument;
  return {Error(kind, cat(kPrefix, "unable to start container process: ", message, ": unknown"), cause.errno_code()),
          code};
}

}  // namespace proa::engine
