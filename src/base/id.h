// Identifiers as Docker makes them: 32 random bytes in hex.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace proa {

// Fills `bytes` from the kernel's generator (getrandom(2)). Throws Internal.
void fill_random(std::span<std::uint8_t> bytes);
std::uint64_t random_u64();

// 64 hex digits whose first twelve are not all decimal, so that the short form is a valid host name.
std::string new_id();
inline std::string_view short_id(std::string_view id) { return id.substr(0, 12); }
bool is_hex_id(std::string_view text);  // exactly 64 of 0-9a-f

}  // namespace proa
