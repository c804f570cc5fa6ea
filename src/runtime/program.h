// Finding and executing the program, with docker's words for what goes wrong (CHILD), and its environment.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace proa::runtime {

// What Go's exec.LookPath finds with the $PATH of `env`. Throws `exec: "foo": executable file not found in $PATH` and
// its like; judged by access(2) as the user we are by now.
std::string look_path(const std::string& name, const std::vector<std::string>& env);

// In place of every NAME= that is there.
void set_variable(std::vector<std::string>& env, std::string_view name, std::string_view value);
// Of entries with one name the last stays, as with runc: getenv(3) would find the first.
void drop_overridden(std::vector<std::string>& env);
// HOME from the container's /etc/passwd (which is ours by now) where `env` has none.
void add_home(std::vector<std::string>& env, unsigned uid);

// Returns only to throw.
[[noreturn]] void execute(const std::string& path, const std::vector<std::string>& args,
                          const std::vector<std::string>& env);

}  // namespace proa::runtime
