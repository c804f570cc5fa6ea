// save, load
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/text.h"
#include "cli/console.h"
#include "cli/platform.h"
#include "cli/upload.h"
#include "cli/verbs.h"
#include "os/file.h"

namespace proa::cli {

namespace {

void copy(ByteSource& from, int to) {
  std::string piece(256 << 10, '\0');
  while (std::size_t got = from.read(std::as_writable_bytes(std::span(piece))))
    os::write_all(to, std::string_view(piece).substr(0, got));
}

// Beside the file that is asked for, renamed to it once it is whole.
void write_output(ByteSource& from, const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode)) {
    if (S_ISDIR(info.st_mode))
      throw ExitWith{1, cat("failed to save image: invalid output path: ", quoted(path), " is a directory")};
    return copy(from, os::open_file(path, O_WRONLY).get());
  }
  std::string part = cat(path, ".part-", ::getpid());
  try {
    copy(from, os::open_file(part, O_WRONLY | O_CREAT | O_EXCL, 0600).get());
    os::rename_path(part, path);
  } catch (...) {
    os::remove_file(part);
    throw;
  }
}

}  // namespace

int run_save(Call& call) {
  std::string output = call.flags.text("output");
  if (output.empty() && is_terminal(STDOUT_FILENO))
    throw ExitWith{1, "cowardly refusing to save to a terminal. Use the -o flag or redirect"};
  if (!output.empty() && !os::exists(os::dir_name(output.find('/') == output.npos ? "./" + output : output))) {
    throw ExitWith{1, cat("failed to save image: invalid output path: directory ", quoted(os::dir_name(output)),
                          " does not exist")};
  }
  StreamRequest request;
  request.path = "/images/get";
  for (const std::string& name : call.arguments()) request.query.add("names", name);
  for (const std::string& one : call.flags.list("platform")) request.query.add("platform", platform_json(one));
  auto response = call.session.stream(request);
  if (output.empty()) {
    copy(*response, STDOUT_FILENO);
  } else {
    write_output(*response, output);
  }
  return 0;
}

int run_load(Call& call) {
  std::string input = call.flags.text("input");
  os::Fd file;
  if (!input.empty()) {
    file = os::open_file(input, O_RDONLY);
  } else if (is_terminal(STDIN_FILENO)) {
    throw ExitWith{1, "requested load from stdin, but stdin is empty"};
  }
  bool quiet = call.flags.on("quiet") || !is_terminal(STDOUT_FILENO);
  StreamRequest request;
  request.path = "/images/load";
  request.query.add("quiet", quiet ? "1" : "0");
  for (const std::string& one : call.flags.list("platform")) request.query.add("platform", platform_json(one));
  upload_tar(call.session, request, input.empty() ? STDIN_FILENO : file.get());
  return 0;
}

}  // namespace proa::cli
