#include "base/failpoint.h"

#ifdef PROA_FAILPOINTS
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <map>
#include <mutex>
#include <string>

#include "base/error.h"
#include "base/text.h"

namespace proa {
namespace {

struct Armed {
  long skip = 0;
  std::string action;
};

std::map<std::string, Armed, std::less<>> parse_armed() {
  std::map<std::string, Armed, std::less<>> out;
  const char* text = std::getenv("PROA_FAILPOINTS_ON");
  for (const auto& item : split(text ? text : "", ';')) {
    auto [name, term] = cut(item, '=');
    if (!term) continue;
    Armed armed;
    std::string_view action = *term;
    if (auto at = action.find("*off->"); at != std::string_view::npos) {
      armed.skip = parse_int<long>(action.substr(0, at)).value_or(0);
      action.remove_prefix(at + 6);
    }
    armed.action = action;
    out.emplace(name, armed);
  }
  return out;
}

// Tells the test that the place was reached: the file NAME.hit.
void leave_mark(const char* name) {
  const char* dir = std::getenv("PROA_FAILPOINTS_DIR");
  if (!dir) return;
  int file = ::open(cat(std::string_view(dir), "/", std::string_view(name), ".hit").c_str(), O_CREAT | O_CLOEXEC, 0600);
  if (file >= 0) ::close(file);
}

void act(const char* name, const std::string& action) {
  leave_mark(name);
  if (action == "kill") ::kill(getpid(), SIGKILL);
  if (action == "error") throw Error(ErrorKind::Internal, cat("failpoint ", std::string_view(name)));
  if (action == "pause") {
    const char* dir = std::getenv("PROA_FAILPOINTS_DIR");
    std::string go = cat(std::string_view(dir ? dir : "."), "/", std::string_view(name), ".go");
    while (access(go.c_str(), F_OK) != 0) usleep(1000);
  }
}

}  // namespace

void failpoint(const char* name) {
  static std::mutex mutex;
  static auto armed = parse_armed();
  std::string action;
  {
    std::lock_guard guard(mutex);
    auto found = armed.find(name);
    if (found == armed.end() || found->second.skip-- > 0) return;
    action = found->second.action;
  }
  act(name, action);
}

}  // namespace proa
#endif
