#include "http/message.h"

#include "base/error.h"
#include "base/text.h"

namespace proa::http {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

void Headers::set(std::string_view name, std::string_view value) {
  for (auto& field : list_) {
    if (iequals(field.first, name)) {
      field.second = value;
      return;
    }
  }
  add(name, value);
}

std::optional<std::string_view> Headers::find(std::string_view name) const {
  for (const auto& field : list_) {
    if (iequals(field.first, name)) return field.second;
  }
  return std::nullopt;
}

bool Headers::has_token(std::string_view name, std::string_view token) const {
  for (const auto& field : list_) {
    if (!iequals(field.first, name)) continue;
    for (const std::string& part : split(field.second, ',')) {
      if (iequals(trim(part), token)) return true;
    }
  }
  return false;
}

std::optional<std::string> percent_decode(std::string_view text, bool plus_is_blank) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      if (i + 2 >= text.size()) return std::nullopt;
      int high = hex_digit(text[i + 1]), low = hex_digit(text[i + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      c = static_cast<char>(high << 4 | low);
      i += 2;
    } else if (c == '+' && plus_is_blank) {
      c = ' ';
    }
    if (c == '\0') return std::nullopt;
    out += c;
  }
  return out;
}

std::string percent_encode(std::string_view text) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  std::string out;
  for (char c : text) {
    bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
                 c == '_' || c == '~';
    if (plain) {
      out += c;
    } else {
      auto byte = static_cast<unsigned char>(c);
      out += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
    }
  }
  return out;
}

Query Query::parse(std::string_view text) {
  Query query;
  while (!text.empty()) {
    std::size_t end = std::min(text.find('&'), text.size());
    std::string_view pair = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (pair.empty()) continue;
    auto [name, value] = cut(pair, '=');
    auto decoded_name = percent_decode(name, true), decoded_value = percent_decode(value.value_or(""), true);
    if (!decoded_name || !decoded_value)
      throw Error(ErrorKind::InvalidArgument, cat("invalid URL escape in query: ", quoted(pair)));
    if (query.list_.size() == 1000) throw Error(ErrorKind::InvalidArgument, "too many query parameters");
    query.list_.emplace_back(std::move(*decoded_name), std::move(*decoded_value));
  }
  return query;
}

std::string Query::get(std::string_view name) const {
  for (const auto& pair : list_) {
    if (pair.first == name) return pair.second;
  }
  return "";
}

bool Query::has(std::string_view name) const {
  for (const auto& pair : list_) {
    if (pair.first == name) return true;
  }
  return false;
}

std::vector<std::string> Query::all(std::string_view name) const {
  std::vector<std::string> values;
  for (const auto& pair : list_) {
    if (pair.first == name) values.push_back(pair.second);
  }
  return values;
}

bool Query::boolean(std::string_view name) const {
  std::string value = to_lower(trim(get(name)));
  return !(value.empty() || value == "0" || value == "no" || value == "false" || value == "none");
}

bool Query::boolean_or(std::string_view name, bool otherwise) const { return has(name) ? boolean(name) : otherwise; }

std::string Query::text() const {
  std::string out;
  for (const auto& [name, value] : list_) {
    if (!out.empty()) out += '&';
    out += cat(percent_encode(name), "=", percent_encode(value));
  }
  return out;
}

}  // namespace proa::http
