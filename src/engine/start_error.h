// What a failed start is to the client: docker's words, an HTTP status, an exit code (pure).
#pragma once

#include "base/error.h"

namespace proa::engine {

struct StartError {
  Error error;
  int exit_code = 128;
};
StartError start_error(const Error& cause);
// The exit code that the text stands for: 126, 127 or 128.
int start_exit_code(std::string_view message);

}  // namespace proa::engine
