// Sizes as docker reads and writes them (go-units).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace proa {

// "512m", "1.5GiB", "64kb", "100": bytes in powers of 1024; nullopt if it is no size. Never negative.
std::optional<std::int64_t> parse_ram_bytes(std::string_view text);

// "96.4MB" in powers of 1000, `precision` significant digits at most (docker images, pull progress).
std::string human_size(double bytes, int precision = 4);
// "1.5GiB" in powers of 1024 (docker stats, info).
std::string binary_size(double bytes);

}  // namespace proa
