#include "runtime/program.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <iterator>
#include <set>

#include "base/text.h"
#include "os/file.h"
#include "os/user_db.h"

namespace proa::runtime {
namespace {

std::string_view value_of(const std::vector<std::string>& env, std::string_view name) {
  std::string_view out;
  for (const auto& entry : env) {
    auto [key, value] = cut(entry, '=');
    if (key == name && value) out = *value;
  }
  return out;
}

// 0 if it can be executed, else the errno Go's findExecutable reports.
int judge(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) < 0) return errno;
  if (S_ISDIR(info.st_mode)) return EISDIR;
  if (::faccessat(AT_FDCWD, path.c_str(), X_OK, AT_EACCESS) < 0) return errno;
  return info.st_mode & 0111 ? 0 : EACCES;
}

[[noreturn]] void refuse(const std::string& name, std::string_view why, int errno_code) {
  auto kind = errno_code == ENOENT ? ErrorKind::NotFound : os::kind_of_errno(errno_code);
  throw Error(kind, cat("exec: ", quoted(name), ": ", why), errno_code);
}

std::vector<char*> pointers(const std::vector<std::string>& strings) {
  std::vector<char*> out;
  for (const auto& text : strings) out.push_back(const_cast<char*>(text.c_str()));
  out.push_back(nullptr);
  return out;
}

}  // namespace

std::string look_path(const std::string& name, const std::vector<std::string>& env) {
  if (name.find('/') != std::string::npos) {
    int failed = judge(name);
    if (failed == 0) return name;
    std::string reason = os::errno_text(failed);
    // Engines before Docker 25 know the exit code 126 by these words only.
    if (failed == EISDIR) reason += ": permission denied";
    bool by_stat = failed != EACCES && failed != EISDIR;
    refuse(name, by_stat ? cat("stat ", name, ": ", reason) : reason, failed);
  }
  for (const auto& dir : split(value_of(env, "PATH"), ':')) {
    if (dir.empty()) continue;  // Go 1.19: the current directory is not searched
    std::string candidate = os::path_join(dir, name);
    if (judge(candidate) == 0) return candidate;
  }
  refuse(name, "executable file not found in $PATH", ENOENT);
}

void set_variable(std::vector<std::string>& env, std::string_view name, std::string_view value) {
  std::string prefix = cat(name, "=");
  std::erase_if(env, [&](const std::string& entry) { return entry.starts_with(prefix); });
  env.push_back(cat(prefix, value));
}

void drop_overridden(std::vector<std::string>& env) {
  std::set<std::string> seen;
  std::vector<std::string> kept;
  for (auto entry = env.rbegin(); entry != env.rend(); ++entry) {
    if (seen.insert(std::string(cut(*entry, '=').first)).second) kept.push_back(std::move(*entry));
  }
  env.assign(std::make_move_iterator(kept.rbegin()), std::make_move_iterator(kept.rend()));
}

void add_home(std::vector<std::string>& env, unsigned uid) {
  if (!value_of(env, "HOME").empty()) return;
  std::string home = "/";
  auto root = os::RootedDir::open("/");
  try {
    for (const auto& entry : os::parse_passwd(os::read_user_file(root, "/etc/passwd"))) {
      if (entry.uid != uid) continue;
      if (!entry.home.empty()) home = entry.home;
      break;
    }
  } catch (const Error&) {
    // No readable passwd file, no home: "/" then.
  }
  std::erase_if(env, [](const std::string& entry) { return entry.starts_with("HOME="); });
  env.push_back(cat("HOME=", home));
}

void execute(const std::string& path, const std::vector<std::string>& args, const std::vector<std::string>& env) {
  auto argv = pointers(args);
  auto envp = pointers(env);
  ::execve(path.c_str(), argv.data(), envp.data());
  int failed = errno;
  std::string reason = os::errno_text(failed);
  throw Error(os::kind_of_errno(failed), cat("exec ", path, ": ", reason), failed);
}

}  // namespace proa::runtime
