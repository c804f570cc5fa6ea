#include "oci/platform.h"

#include <sys/utsname.h>

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/text.h"

namespace proa::oci {

namespace {

constexpr std::array<std::string_view, 16> kSystems = {
    "aix",   "android", "darwin",  "dragonfly", "freebsd", "illumos", "ios",     "js",
    "linux", "netbsd",  "openbsd", "plan9",     "solaris", "wasip1",  "windows", "zos"};
constexpr std::array<std::string_view, 18> kArchitectures = {
    "386",   "amd64",   "arm",   "arm64",   "loong64", "mips",  "mips64", "mips64le", "mipsle",
    "ppc64", "ppc64le", "riscv", "riscv64", "s390",    "s390x", "sparc",  "sparc64",  "wasm"};

void normalize_architecture(std::string& architecture, std::string& variant) {
  architecture = to_lower(architecture);
  variant = to_lower(variant);
  if (architecture == "i386") {
    architecture = "386";
    variant.clear();
  } else if (architecture == "x86_64" || architecture == "x86-64" || architecture == "amd64") {
    architecture = "amd64";
    if (variant == "v1") variant.clear();
  } else if (architecture == "aarch64" || architecture == "arm64") {
    architecture = "arm64";
    if (variant == "8" || variant == "v8") variant.clear();
  } else if (architecture == "armhf") {
    architecture = "arm";
    variant = "v7";
  } else if (architecture == "armel") {
    architecture = "arm";
    variant = "v6";
  } else if (architecture == "arm") {
    if (variant.empty()) variant = "v7";
    if (variant.size() == 1 && variant[0] >= '5' && variant[0] <= '8') variant.insert(0, "v");
  }
}

template <class List>
bool contains(const List& list, std::string_view item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

bool is_component(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           c == '.';
  });
}

std::optional<int> variant_number(std::string_view variant) {
  if (variant.starts_with('v')) variant.remove_prefix(1);
  return parse_int<int>(variant);
}

// Both normalized. os_version and os_features say something on Windows only.
bool same(const Platform& a, const Platform& b) {
  return a.os == b.os && a.architecture == b.architecture && a.variant == b.variant;
}

}  // namespace

Platform Platform::parse(std::string_view text) {
  auto refuse = [&](std::string_view reason) -> Error {
    return Error(ErrorKind::InvalidArgument, cat(quoted(text), ": ", reason, ": invalid argument"));
  };
  std::vector<std::string> parts = split(text, '/');
  for (const std::string& part : parts) {
    if (!is_component(part)) {
      throw refuse(cat("invalid component ", quoted(part),
                       " in platform: platform specifier component must match "
                       "\"^[A-Za-z0-9_.-]+$\""));
    }
  }
  Platform platform;
  Platform machine = host();
  if (parts.size() == 1) {
    std::string word = to_lower(parts[0]);
    if (word == "macos") word = "darwin";
    if (contains(kSystems, word)) {
      machine.os = word;
      return machine;
    }
    platform.os = machine.os;
    platform.architecture = word;
    normalize_architecture(platform.architecture, platform.variant);
    if (!contains(kArchitectures, platform.architecture)) throw refuse("unknown operating system or architecture");
    return platform.normalized();
  }
  if (parts.size() > 3) throw refuse("cannot parse platform specifier");
  platform.os = to_lower(parts[0]) == "macos" ? "darwin" : to_lower(parts[0]);
  platform.architecture = parts[1];
  if (parts.size() == 3) platform.variant = parts[2];
  return platform.normalized();
}

Platform Platform::host() {
  struct utsname name {};
  ::uname(&name);
  std::string machine = name.machine;
  Platform platform;
  platform.os = "linux";
  if (machine.size() == 4 && machine[0] == 'i' && machine.ends_with("86")) machine = "386";
  if (machine.starts_with("armv") && machine.size() >= 5) {
    platform.architecture = "arm";
    platform.variant = cat("v", machine.substr(4, 1));
    return platform;
  }
  platform.architecture = machine;
  normalize_architecture(platform.architecture, platform.variant);
  return platform;
}

std::string Platform::text() const {
  if (os.empty()) return "unknown";
  std::string out = os;
  if (!architecture.empty()) out += cat("/", architecture);
  if (!variant.empty()) out += cat("/", variant);
  return out;
}

Platform Platform::normalized() const {
  Platform copy = *this;
  copy.os = to_lower(os);
  if (copy.os == "macos") copy.os = "darwin";
  normalize_architecture(copy.architecture, copy.variant);
  return copy;
}

std::vector<Platform> runnable_on(const Platform& wanted) {
  Platform first = wanted.normalized();
  std::vector<Platform> out{first};
  auto add = [&](std::string_view architecture, std::string variant) {
    Platform next = first;
    next.architecture = architecture;
    next.variant = std::move(variant);
    out.push_back(std::move(next));
  };
  auto add_older = [&](std::string_view architecture, std::string_view variant, int oldest) {
    auto newest = variant_number(variant);
    for (int v = newest.value_or(0) - 1; v >= oldest; --v) {
      add(architecture, architecture == "amd64" && v == 1 ? "" : cat("v", v));
    }
  };
  if (first.architecture == "amd64") {
    add_older("amd64", first.variant, 1);
    add("386", "");
  } else if (first.architecture == "arm") {
    add_older("arm", first.variant, 5);
  } else if (first.architecture == "arm64") {
    // v9 and what follows it run v8 (written as no variant); all run 32-bit v8 and older.
    if (!first.variant.empty()) add("arm64", "");
    add("arm", "v8");
    add_older("arm", "v8", 5);
  }
  return out;
}

int preference(const Platform& wanted, const Platform& offered) {
  Platform candidate = offered.normalized();
  std::vector<Platform> order = runnable_on(wanted);
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (same(order[i], candidate)) return static_cast<int>(i);
  }
  return -1;
}

}  // namespace proa::oci
