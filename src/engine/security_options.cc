#include "engine/security_options.h"

#include "base/error.h"
#include "base/text.h"

namespace proa::engine {
namespace {

bool boolean(std::string_view text, std::string_view option) {
  if (text == "true" || text == "1" || text == "t" || text == "T" || text == "TRUE" || text == "True") return true;
  if (text == "false" || text == "0" || text == "f" || text == "F" || text == "FALSE" || text == "False") return false;
  throw Error(ErrorKind::InvalidArgument, cat("invalid --security-opt 2: ", quoted(option)));
}

}  // namespace

SecurityOptions parse_security_options(const std::vector<std::string>& options) {
  SecurityOptions out;
  for (const auto& option : options) {
    if (option == "no-new-privileges") {
      out.no_new_privileges = true;
      continue;
    }
    if (option == "disable") {
      out.label_disabled = true;
      continue;
    }
    // "key=value", in the old days "key:value"
    char separator = option.find('=') != std::string::npos ? '=' : ':';
    auto [key, value] = cut(option, separator);
    if (!value) throw Error(ErrorKind::InvalidArgument, cat("invalid --security-opt 1: ", quoted(option)));
    if (key == "label") {
      if (*value == "disable")
        out.label_disabled = true;
      else
        out.selinux_label = *value;
    } else if (key == "apparmor") {
      out.apparmor = *value;
    } else if (key == "seccomp") {
      out.seccomp = *value;
      if (out.seccomp == "builtin") out.seccomp.clear();
    } else if (key == "no-new-privileges") {
      out.no_new_privileges = boolean(*value, option);
    } else if (key == "writable-cgroups") {
      out.writable_cgroups = boolean(*value, option);
    } else if (key == "systempaths" && *value == "unconfined") {
      out.unconfined_paths = true;
    } else {
      throw Error(ErrorKind::InvalidArgument, cat("invalid --security-opt 2: ", quoted(option)));
    }
  }
  return out;
}

}  // namespace proa::engine
