#include "base/json.h"

#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/parser.hpp>
#include <cmath>

#include "base/text.h"

namespace proa::json {
namespace {

void append_number(std::string& out, const Json& value) {
  if (value.is_int64()) {
    out += cat(value.get_int64());
  } else if (value.is_uint64()) {
    out += cat(value.get_uint64());
  } else {
    double number = value.get_double();
    out += std::isfinite(number) ? cat(number) : "0";
  }
}

class Writer {
 public:
  Writer(Escape escape, std::string_view indent, bool pretty) : escape_(escape), indent_(indent), pretty_(pretty) {}

  void write(const Json& value) {
    switch (value.kind()) {
      case boost::json::kind::null:
        out += "null";
        break;
      case boost::json::kind::bool_:
        out += value.get_bool() ? "true" : "false";
        break;
      case boost::json::kind::string:
        append_string(out, value.get_string(), escape_);
        break;
      case boost::json::kind::array:
        list('[', ']', value.get_array(), [&](const Json& item) { write(item); });
        break;
      case boost::json::kind::object:
        list('{', '}', value.get_object(), [&](const auto& member) {
          append_string(out, member.key(), escape_);
          out += pretty_ ? ": " : ":";
          write(member.value());
        });
        break;
      default:
        append_number(out, value);
    }
  }

  std::string out;

 private:
  template <class Items, class WriteItem>
  void list(char open, char close, const Items& items, WriteItem write_item) {
    out += open;
    ++depth_;
    bool first = true;
    for (const auto& item : items) {
      if (!first) out += ',';
      first = false;
      new_line();
      write_item(item);
    }
    --depth_;
    if (!items.empty()) new_line();
    out += close;
  }

  void new_line() {
    if (!pretty_) return;
    out += '\n';
    for (int i = 0; i < depth_; ++i) out += indent_;
  }

  Escape escape_;
  std::string_view indent_;
  bool pretty_;
  int depth_ = 0;
};

}  // namespace

Json parse(std::string_view text, Limits limits) {
  std::string repaired;
  if (!is_utf8(text)) {
    repaired = repair_utf8(text);
    text = repaired;
  }
  boost::json::parse_options options;
  options.max_depth = limits.depth;
  boost::json::parser parser({}, options);
  boost::json::error_code error;
  parser.write(text.data(), text.size(), error);
  if (error) throw Error(ErrorKind::InvalidArgument, cat("invalid JSON: ", error.message()));
  return parser.release();
}

void append_string(std::string& out, std::string_view text, Escape escape) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  out += '"';
  for (char c : text) {
    auto byte = static_cast<std::uint8_t>(c);
    switch (c) {
      case '"':
        out += "\\\"";
        continue;
      case '\\':
        out += "\\\\";
        continue;
      case '\n':
        out += "\\n";
        continue;
      case '\r':
        out += "\\r";
        continue;
      case '\t':
        out += "\\t";
        continue;
      default:
        break;
    }
    bool html = escape == Escape::Html && (c == '<' || c == '>' || c == '&');
    if (byte < 0x20 || html) {
      out += "\\u00";
      out += kDigits[byte >> 4];
      out += kDigits[byte & 15];
    } else {
      out += c;
    }
  }
  out += '"';
}

std::string text(const Json& value, Escape escape) {
  Writer writer(escape, "", false);
  writer.write(value);
  return std::move(writer.out);
}

std::string pretty(const Json& value, std::string_view indent, Escape escape) {
  Writer writer(escape, indent, true);
  writer.write(value);
  return std::move(writer.out);
}

const Json* find(const Json& value, std::string_view key) {
  return value.is_object() ? value.get_object().if_contains(key) : nullptr;
}

std::string string_at(const Json& value, std::string_view key) {
  const Json* member = find(value, key);
  return member && member->is_string() ? std::string(member->get_string()) : std::string();
}

std::int64_t int_at(const Json& value, std::string_view key) {
  const Json* member = find(value, key);
  if (!member) return 0;
  boost::json::error_code error;
  auto number = member->to_number<std::int64_t>(error);
  return error ? 0 : number;
}

bool bool_at(const Json& value, std::string_view key) {
  const Json* member = find(value, key);
  return member && member->is_bool() && member->get_bool();
}

}  // namespace proa::json
