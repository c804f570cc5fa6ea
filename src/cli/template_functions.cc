#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "cli/template_value.h"

namespace proa::cli::tmpl {

namespace {

using Arguments = std::vector<Value>;

[[noreturn]] void bad(std::string why) { throw Error(ErrorKind::InvalidArgument, std::move(why)); }

Value text_value(std::string text) { return {Json(text)}; }
Value bool_value(bool flag) { return {Json(flag)}; }

bool is_number(const Json& value) { return value.is_int64() || value.is_uint64() || value.is_double(); }

std::string_view type_class(const Json& value) {
  if (value.is_string()) return "string";
  if (value.is_bool()) return "bool";
  if (value.is_double()) return "float";
  if (is_number(value)) return "int";
  return value.is_null() ? "nil" : "other";
}

// -1, 0, 1; numbers of either kind compare by value.
int compare(const Json& a, const Json& b) {
  if (type_class(a) != type_class(b)) bad("incompatible types for comparison");
  if (a.is_string()) {
    int order = std::string_view(a.get_string()).compare(std::string_view(b.get_string()));
    return order < 0 ? -1 : order > 0;
  }
  if (a.is_double()) return a.get_double() < b.get_double() ? -1 : a.get_double() > b.get_double();
  if (is_number(a)) {
    auto wide = [](const Json& v) {
      return v.is_int64() ? static_cast<__int128>(v.get_int64()) : static_cast<__int128>(v.get_uint64());
    };
    return wide(a) < wide(b) ? -1 : wide(a) > wide(b);
  }
  bad("invalid type for comparison");
}

bool equal(const Value& a, const Value& b) {
  bool nothing_a = a.absent || a.json.is_null(), nothing_b = b.absent || b.json.is_null();
  if (nothing_a || nothing_b) return nothing_a == nothing_b;
  if (a.json.is_bool() && b.json.is_bool()) return a.json.get_bool() == b.json.get_bool();
  if (a.json.is_array() || a.json.is_object()) bad("invalid type for comparison");
  return compare(a.json, b.json) == 0;
}

Value index(const Arguments& arguments) {
  if (arguments.empty()) bad("wrong number of args for index: want at least 1 got 0");
  Value value = arguments[0];
  for (std::size_t i = 1; i < arguments.size(); ++i) {
    const Json& key = arguments[i].json;
    if (const auto* object = value.json.if_object()) {
      std::string name = print(arguments[i]);
      const Json* found = object->if_contains(name);
      Value next = found ? Value{*found, false, is_map_member(name)} : Value{nullptr, true};
      value = std::move(next);
    } else if (value.json.is_array()) {
      if (!key.is_int64()) bad("cannot index slice/array with type string");
      const auto& array = value.json.get_array();
      std::int64_t at = key.get_int64();
      if (at < 0 || at >= static_cast<std::int64_t>(array.size()))
        bad(cat("error calling index: reflect: slice index out of range"));
      Value next{array[static_cast<std::size_t>(at)]};
      value = std::move(next);
    } else if (value.json.is_string()) {
      const auto& text = value.json.get_string();
      if (!key.is_int64() || key.get_int64() < 0 || key.get_int64() >= static_cast<std::int64_t>(text.size())) {
        bad("error calling index: reflect: string index out of range");
      }
      value = {
          Json(static_cast<std::int64_t>(static_cast<unsigned char>(text[static_cast<std::size_t>(key.get_int64())])))};
    } else if (value.absent || value.json.is_null()) {
      value = {nullptr, true};
    } else {
      bad("can't index item of type int");
    }
  }
  return value;
}

Value slice(const Arguments& arguments) {
  if (arguments.empty()) bad("wrong number of args for slice: want at least 1 got 0");
  const Json& item = arguments[0].json;
  std::int64_t size = item.is_string()  ? static_cast<std::int64_t>(item.get_string().size())
                      : item.is_array() ? static_cast<std::int64_t>(item.get_array().size())
                                        : -1;
  if (size < 0) bad("can't slice item of this type");
  std::int64_t bounds[2] = {0, size};
  for (std::size_t i = 1; i < arguments.size() && i < 3; ++i) {
    if (!arguments[i].json.is_int64()) bad("cannot index slice/array with type string");
    bounds[i - 1] = arguments[i].json.get_int64();
    if (bounds[i - 1] < 0 || bounds[i - 1] > size) bad(cat("error calling slice: index out of range: ", bounds[i - 1]));
  }
  if (bounds[0] > bounds[1]) bad(cat("error calling slice: invalid slice index: ", bounds[0], " > ", bounds[1]));
  auto first = static_cast<std::size_t>(bounds[0]), last = static_cast<std::size_t>(bounds[1]);
  if (item.is_string()) return text_value(std::string(std::string_view(item.get_string()).substr(first, last - first)));
  JsonArray part(item.get_array().begin() + static_cast<std::ptrdiff_t>(first),
                 item.get_array().begin() + static_cast<std::ptrdiff_t>(last));
  return {Json(std::move(part))};
}

Value length(const Arguments& arguments) {
  if (arguments.size() != 1) bad(cat("wrong number of args for len: want 1 got ", arguments.size()));
  const Json& item = arguments[0].json;
  if (item.is_string()) return {Json(static_cast<std::int64_t>(item.get_string().size()))};
  if (item.is_array()) return {Json(static_cast<std::int64_t>(item.get_array().size()))};
  if (item.is_object()) return {Json(static_cast<std::int64_t>(item.get_object().size()))};
  if (item.is_null()) return {Json(std::int64_t{0})};
  bad("error calling len: len of type int");
}

Value join_values(const Arguments& arguments) {
  std::vector<std::string> parts;
  if (arguments.size() != 2) bad(cat("wrong number of args for join: want 2 got ", arguments.size()));
  if (const auto* array = arguments[0].json.if_array()) {
    for (const Json& item : *array) parts.push_back(print({item}));
  } else if (const auto* object = arguments[0].json.if_object()) {
    for (const auto& [key, item] : *object) parts.push_back(print({item}));
    std::sort(parts.begin(), parts.end());
  } else if (!arguments[0].json.is_null()) {
    parts.push_back(print(arguments[0]));
  }
  return text_value(join(parts, print(arguments[1])));
}

Value split_text(const Arguments& arguments) {
  if (arguments.size() != 2) bad(cat("wrong number of args for split: want 2 got ", arguments.size()));
  std::string text = print(arguments[0]), separator = print(arguments[1]);
  JsonArray parts;
  std::size_t at = 0;
  while (!separator.empty()) {
    std::size_t next = text.find(separator, at);
    if (next == std::string::npos) break;
    parts.push_back(Json(text.substr(at, next - at)));
    at = next + separator.size();
  }
  parts.push_back(Json(text.substr(at)));
  return {Json(std::move(parts))};
}

std::string title_case(std::string text) {
  bool start = true;
  for (char& c : text) {
    if (start && c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    start = c == ' ' || c == '\t' || c == '\n';
  }
  return text;
}

std::string truncate(const std::string& text, std::int64_t size) {
  return static_cast<std::int64_t>(text.size()) < size || size < 0 ? text
                                                                   : text.substr(0, static_cast<std::size_t>(size));
}

std::string url_query(std::string_view text) {
  std::string out;
  static constexpr char kHex[] = "0123456789ABCDEF";
  for (unsigned char c : text) {
    if (std::isalnum(c) || c == '-' || c == '_' || c == '.' || c == '~')
      out += static_cast<char>(c);
    else if (c == ' ')
      out += '+';
    else
      out += cat("%", kHex[c >> 4], kHex[c & 15]);
  }
  return out;
}

// fmt.Sprint: blanks between operands where neither is a string.
std::string sprint(const Arguments& arguments, bool line) {
  std::string out;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    bool gap = i > 0 && (line || (!arguments[i].json.is_string() && !arguments[i - 1].json.is_string()));
    out += cat(gap ? " " : "", print(arguments[i]));
  }
  return line ? out + "\n" : out;
}

std::int64_t int_argument(const Value& value) { return value.json.is_int64() ? value.json.get_int64() : 0; }

std::optional<Value> call_text_function(std::string_view name, const Arguments& a, bool header) {
  auto want = [&](std::size_t count) {
    if (a.size() != count) bad(cat("wrong number of args for ", name, ": want ", count, " got ", a.size()));
  };
  if (name == "json")
    return want(1),
           header
               ? a[0]
               : text_value(json::text(a[0].is_nil ? Json(nullptr) : visible(a[0].json),
                                       json::find(a[0].json, "\x01row") ? json::Escape::Html : json::Escape::Minimal));
  if (name == "join") return join_values(a);
  if (name == "split") return split_text(a);
  if (name == "title") return want(1), header ? a[0] : text_value(title_case(print(a[0])));
  if (name == "lower") return want(1), header ? a[0] : text_value(to_lower(print(a[0])));
  if (name == "upper") return want(1), header ? a[0] : text_value(to_upper(print(a[0])));
  if (name == "truncate") return want(2), header ? a[0] : text_value(truncate(print(a[0]), int_argument(a[1])));
  if (name == "pad") {
    want(3);
    std::string text = print(a[0]);
    auto blanks = [](const Value& n) {
      return std::string(static_cast<std::size_t>(std::clamp<std::int64_t>(int_argument(n), 0, 10000)), ' ');
    };
    return text_value(text.empty() ? text : cat(blanks(a[1]), text, blanks(a[2])));
  }
  if (name == "print") return text_value(sprint(a, false));
  if (name == "println") return text_value(sprint(a, true));
  if (name == "printf") {
    if (a.empty()) bad("wrong number of args for printf: want at least 1 got 0");
    return text_value(format(print(a[0]), Arguments(a.begin() + 1, a.end())));
  }
  if (name == "html") {
    std::string text = replace_all(replace_all(replace_all(sprint(a, false), "&", "&amp;"), "<", "&lt;"), ">", "&gt;");
    return text_value(replace_all(replace_all(text, "\"", "&#34;"), "'", "&#39;"));
  }
  if (name == "js")
    return text_value(replace_all(replace_all(replace_all(sprint(a, false), "\\", "\\\\"), "'", "\\'"), "\"", "\\\""));
  if (name == "urlquery") return text_value(url_query(sprint(a, false)));
  return std::nullopt;
}

std::optional<Value> call_logic_function(std::string_view name, const Arguments& a) {
  if (name == "not") {
    if (a.size() != 1) bad(cat("wrong number of args for not: want 1 got ", a.size()));
    return bool_value(!is_true(a[0]));
  }
  if (name == "and" || name == "or") {
    for (const Value& value : a)
      if (is_true(value) == (name == "or")) return value;
    if (a.empty()) bad(cat("wrong number of args for ", name, ": want at least 1 got 0"));
    return a.back();
  }
  if (name == "eq") {
    if (a.size() < 2) bad("error calling eq: missing argument for comparison");
    for (std::size_t i = 1; i < a.size(); ++i)
      if (equal(a[0], a[i])) return bool_value(true);
    return bool_value(false);
  }
  static constexpr std::string_view kOrders[] = {"ne", "lt", "le", "gt", "ge"};
  if (std::find(std::begin(kOrders), std::end(kOrders), name) == std::end(kOrders)) return std::nullopt;
  if (a.size() != 2) bad(cat("wrong number of args for ", name, ": want 2 got ", a.size()));
  if (name == "ne") return bool_value(!equal(a[0], a[1]));
  int order = compare(a[0].json, a[1].json);
  return bool_value(name == "lt" ? order < 0 : name == "le" ? order <= 0 : name == "gt" ? order > 0 : order >= 0);
}

}  // namespace

bool is_function(std::string_view name) {
  static constexpr std::string_view kNames[] = {"json", "join",  "split",   "title",  "lower", "upper", "truncate",
                                                "pad",  "print", "println", "printf", "html",  "js",    "urlquery",
                                                "not",  "and",   "or",      "eq",     "ne",    "lt",    "le",
                                                "gt",   "ge",    "index",   "slice",  "len"};
  return std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames);
}

Value call_function(std::string_view name, const std::vector<Value>& arguments, bool header) {
  if (name == "index") return index(arguments);
  if (name == "slice") return header ? arguments.at(0) : slice(arguments);
  if (name == "len") return length(arguments);
  if (auto value = call_logic_function(name, arguments)) return *value;
  if (auto value = call_text_function(name, arguments, header)) return *value;
  bad(cat("function ", quoted(name), " not defined"));
}

}  // namespace proa::cli::tmpl
