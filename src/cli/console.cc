#include "cli/console.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include "base/text.h"
#include "os/file.h"

namespace proa::cli {

void out(std::string_view text) { os::write_all(STDOUT_FILENO, text); }
void out_line(std::string_view line) { out(cat(line, '\n')); }
void err(std::string_view text) {
  try {
    os::write_all(STDERR_FILENO, text);
  } catch (const Error&) {
    // nobody is left to be told
  }
}
void err_line(std::string_view line) { err(cat(line, '\n')); }

bool is_terminal(int fd) { return ::isatty(fd) == 1; }

int terminal_width(int otherwise) {
  winsize size{};
  for (int fd : {STDOUT_FILENO, STDERR_FILENO}) {
    if (::ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  }
  return otherwise;
}

bool confirm(std::string_view question) {
  out(question);
  std::string answer;
  char c = 0;
  while (::read(STDIN_FILENO, &c, 1) == 1 && c != '\n') answer += c;
  std::string word = to_lower(trim(answer));
  return word == "y" || word == "yes";
}

}  // namespace proa::cli
