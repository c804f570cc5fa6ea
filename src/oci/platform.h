// For which machine an image is: os/architecture[/variant], compared as containerd does.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace proa::oci {

struct Platform {
  std::string os;
  std::string architecture;
  std::string variant;
  std::string os_version;
  std::vector<std::string> os_features;

  // "linux/arm64/v8", "arm64", "linux". Throws InvalidArgument.
  static Platform parse(std::string_view text);
  // This machine's.
  static Platform host();

  bool empty() const { return os.empty() && architecture.empty(); }
  std::string text() const;  // "linux/arm64/v8"
  // Aliases replaced: x86_64 is amd64, aarch64 is arm64, armhf is arm/v7, arm64/v8 is arm64.
  Platform normalized() const;

  friend bool operator==(const Platform&, const Platform&) = default;
};

// What a machine of platform `wanted` runs, best first (containerd's platforms.Only): arm/v7 also runs v6 and v5, arm64
// also 32-bit arm, amd64 also 386.
std::vector<Platform> runnable_on(const Platform& wanted);
// Its place in runnable_on(wanted), 0 the best; -1: it does not run there.
int preference(const Platform& wanted, const Platform& offered);

}  // namespace proa::oci
