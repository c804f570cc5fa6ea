#include "oci/image_document.h"

#include <set>
#include <string>
#include <vector>

#include "base/text.h"

namespace proa::oci {

namespace {

constexpr std::size_t kMaxDepth = 64;

// `at` is on the opening quote of a literal in valid JSON; returns the position after the closing one.
std::size_t after_string(std::string_view text, std::size_t at) {
  for (++at; text[at] != '"'; ++at) {
    if (text[at] == '\\') ++at;
  }
  return at + 1;
}

// The text is known to be valid JSON, so a flat walk over it sees every key: a string is a key when the innermost open
// bracket is a brace and it comes after '{' or ','.
void refuse_duplicate_keys(std::string_view text) {
  std::vector<std::set<std::string>> keys;  // one per open bracket; arrays have an unused one
  std::vector<bool> is_object;
  bool key_follows = false;
  for (std::size_t at = 0; at < text.size();) {
    char c = text[at];
    if (c == '"') {
      std::size_t end = after_string(text, at);
      if (key_follows) {
        std::string_view literal = text.substr(at, end - at);
        std::string key(literal.substr(1, literal.size() - 2));
        if (key.find('\\') != key.npos) key = std::string(std::string_view(json::parse(literal).as_string()));
        if (!keys.back().insert(key).second) {
          throw Error(ErrorKind::InvalidArgument, cat("key ", quoted(key), " appears twice"));
        }
        key_follows = false;
      }
      at = end;
      continue;
    }
    if (c == '{' || c == '[') {
      keys.emplace_back();
      is_object.push_back(c == '{');
      key_follows = c == '{';
    } else if (c == '}' || c == ']') {
      keys.pop_back();
      is_object.pop_back();
      key_follows = false;
    } else if (c == ',') {
      key_follows = !is_object.empty() && is_object.back();
    }
    ++at;
  }
}

bool has_nul(const Json& value) {
  if (value.is_string()) return std::string_view(value.get_string()).find('\0') != std::string_view::npos;
  if (value.is_array()) {
    for (const Json& item : value.get_array()) {
      if (has_nul(item)) return true;
    }
  }
  if (value.is_object()) {
    for (const auto& member : value.get_object()) {
      if (std::string_view(member.key()).find('\0') != std::string_view::npos || has_nul(member.value())) return true;
    }
  }
  return false;
}

}  // namespace

Json parse_document(std::string_view bytes, std::size_t limit, std::string_view what) {
  return in_context(what, [&] {
    if (bytes.size() > limit) throw Error(ErrorKind::InvalidArgument, cat("larger than ", limit, " bytes"));
    if (!is_utf8(bytes)) throw Error(ErrorKind::InvalidArgument, "not UTF-8");
    Json value = json::parse(bytes, {.depth = kMaxDepth});
    if (!value.is_object()) throw Error(ErrorKind::InvalidArgument, "not a JSON object");
    refuse_duplicate_keys(bytes);
    if (has_nul(value)) throw Error(ErrorKind::InvalidArgument, "a string contains NUL");
    return value;
  });
}

}  // namespace proa::oci
