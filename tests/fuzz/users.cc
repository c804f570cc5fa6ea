// A user, and the passwd and group files of a container's root, each ended by a zero byte.
#include <string>

#include "base/text.h"
#include "os/user_db.h"
#include "target.h"

using namespace proa;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto parts = fuzz::parts_of(fuzz::text_of(data, size), 3);
  os::parse_passwd(parts[1]);
  os::parse_group(parts[2]);
  fuzz::answer([&] {
    const std::string extra[] = {"tty", "7"};
    auto user = os::resolve_user(parts[0], extra, parts[1], parts[2]);
    // Digits are never a name (CVE-2016-3697), and nothing wraps around (CVE-2024-40635).
    auto name = parts[0].substr(0, parts[0].find(':'));
    auto digits = name.find_first_not_of("0123456789") == std::string_view::npos && !name.empty();
    auto number = parse_int<std::uint32_t>(name);
    fuzz::demand(!digits || (number && *number == user.uid));
    fuzz::demand(user.uid <= 0x7fffffff && user.gid <= 0x7fffffff);
  });
  return 0;
}
