// What every fuzz target begins with: errors of ours are answers, anything else that is thrown is a finding.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace proa::fuzz {

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

// `text` cut at zero bytes into `count` parts; missing ones are empty.
inline std::vector<std::string_view> parts_of(std::string_view text, std::size_t count) {
  std::vector<std::string_view> out;
  while (out.size() + 1 < count) {
    auto end = text.find('\0');
    out.push_back(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  }
  out.push_back(text);
  return out;
}

// A broken promise of the code under test.
inline void demand(bool kept) {
  if (!kept) __builtin_trap();
}

template <class F>
void answer(F&& f) {
  try {
    f();
  } catch (const Error&) {
  }
}

}  // namespace proa::fuzz
