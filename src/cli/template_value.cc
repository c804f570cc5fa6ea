#include "cli/template_value.h"

#include <algorithm>
#include <cmath>

#include "base/text.h"

namespace proa::cli::tmpl {

namespace {

std::vector<std::string> sorted_keys(const JsonObject& object) {
  std::vector<std::string> keys;
  for (const auto& [key, item] : object) keys.emplace_back(key);
  std::sort(keys.begin(), keys.end());
  return keys;
}

std::string print_json(const Json& value, bool is_map) {
  if (value.is_null()) return "<nil>";
  if (const auto* text = value.if_string()) return std::string(*text);
  if (const auto* array = value.if_array()) {
    std::string out = "[";
    for (const Json& item : *array) out += cat(out.size() > 1 ? " " : "", print_json(item, is_map));
    return out + "]";
  }
  if (const auto* object = value.if_object()) {
    std::string out = is_map ? "map[" : "{";
    bool first = true;
    auto add = [&](std::string_view key, const Json& item) {
      if (key.starts_with('\x01')) return;
      if (!first) out += ' ';
      first = false;
      if (is_map) out += cat(key, ":");
      std::optional<Value> zero = item.is_null() && !is_map ? zero_of(key) : std::nullopt;
      bool of_log_driver = key == "Config" && object->contains("Type");
      out += zero ? print_json(zero->json, zero->is_map) : print_json(item, of_log_driver || is_map_member(key));
    };
    if (is_map) {
      for (const std::string& key : sorted_keys(*object)) add(key, object->at(key));
    } else {
      for (const auto& [key, item] : *object) add(key, item);
    }
    return out + (is_map ? "]" : "}");
  }
  if (const double* real = value.if_double()) return cat(*real);
  return json::text(value);
}

double as_double(const Json& value) {
  if (value.is_double()) return value.get_double();
  if (value.is_int64()) return static_cast<double>(value.get_int64());
  if (value.is_uint64()) return static_cast<double>(value.get_uint64());
  return 0;
}

std::string fixed(double number, int precision) {
  char text[400];
  int length = std::snprintf(text, sizeof text, "%.*f", std::min(precision, 40), number);
  return std::string(text, static_cast<std::size_t>(std::max(0, length)));
}

std::string hexadecimal(std::uint64_t number, bool upper) {
  char text[20];
  auto [end, error] = std::to_chars(text, text + sizeof text, number, 16);
  std::string hex(text, end);
  return upper ? to_upper(hex) : hex;
}

std::size_t rune_count(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

struct Verb {
  bool left = false, zero = false, plus = false, sharp = false;
  int width = 0, precision = -1;
  char letter = 0;
};

Verb parse_verb(const std::string& spec, std::size_t& at) {
  Verb verb;
  for (; at < spec.size(); ++at) {
    if (spec[at] == '-')
      verb.left = true;
    else if (spec[at] == '0')
      verb.zero = true;
    else if (spec[at] == '+')
      verb.plus = true;
    else if (spec[at] == '#')
      verb.sharp = true;
    else if (spec[at] != ' ')
      break;
  }
  auto number = [&] {
    int value = 0;
    while (at < spec.size() && std::isdigit(static_cast<unsigned char>(spec[at])))
      value = std::min(value * 10 + (spec[at++] - '0'), 100000);
    return value;
  };
  verb.width = number();
  if (at < spec.size() && spec[at] == '.') {
    ++at;
    verb.precision = number();
  }
  if (at < spec.size()) verb.letter = spec[at];
  return verb;
}

std::string padded(const Verb& verb, const std::string& text) {
  std::size_t width = static_cast<std::size_t>(verb.width), runes = rune_count(text);
  if (runes >= width) return text;
  if (verb.left) return text + std::string(width - runes, ' ');
  bool zeros = verb.zero && (verb.letter == 'd' || verb.letter == 'f' || verb.letter == 'x' || verb.letter == 'X');
  if (zeros && (text[0] == '-' || text[0] == '+'))
    return text.substr(0, 1) + std::string(width - runes, '0') + text.substr(1);
  return std::string(width - runes, zeros ? '0' : ' ') + text;
}

std::string format_one(const Verb& verb, const Value& value) {
  const Json& json = value.json;
  bool number = json.is_int64() || json.is_uint64();
  auto wrong = [&] {
    const char* type = json.is_string()   ? "string"
                       : json.is_bool()   ? "bool"
                       : number           ? "int"
                       : json.is_double() ? "float64"
                                          : "map";
    return cat("%!", verb.letter, "(", type, "=", print(value), ")");
  };
  std::string text;
  switch (verb.letter) {
    case 'v':
      text = print(value);
      break;
    case 's':
      if (number || json.is_double() || json.is_bool()) return wrong();
      text = print(value);
      if (verb.precision >= 0) text.resize(std::min(text.size(), static_cast<std::size_t>(verb.precision)));
      break;
    case 'q':
      text = json.is_string() ? quoted(print(value)) : wrong();
      break;
    case 't':
      text = json.is_bool() ? print(value) : wrong();
      break;
    case 'd':
      if (!number) return wrong();
      text = print(value);
      if (verb.plus && text[0] != '-') text = "+" + text;
      break;
    case 'x':
    case 'X':
      if (json.is_string()) {
        std::string_view bytes = json.get_string();
        text = to_hex(std::span(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()));
      } else if (number) {
        text = hexadecimal(json.is_uint64() ? json.get_uint64() : static_cast<std::uint64_t>(json.get_int64()),
                           verb.letter == 'X');
      } else {
        return wrong();
      }
      break;
    case 'f':
      if (!json.is_double()) return wrong();
      text = fixed(json.get_double(), verb.precision < 0 ? 6 : verb.precision);
      break;
    case 'c':
      if (!number) return wrong();
      text = static_cast<char>(json.is_int64() ? json.get_int64() : 0);
      break;
    default:
      return wrong();
  }
  return padded(verb, text);
}

}  // namespace

bool is_map_member(std::string_view name) {
  static constexpr std::string_view kMaps[] = {"Labels",
                                               "Annotations",
                                               "Networks",
                                               "Ports",
                                               "Options",
                                               "Sysctls",
                                               "Attributes",
                                               "PortBindings",
                                               "Tmpfs",
                                               "Volumes",
                                               "ExposedPorts",
                                               "StorageOpt",
                                               "Containers",
                                               "Data",
                                               "DriverOpts",
                                               "Status",
                                               "AuxiliaryAddresses",
                                               "Runtimes",
                                               "EndpointsConfig",
                                               "Details",
                                               "IndexConfigs",
                                               "\x01labels"};
  return std::find(std::begin(kMaps), std::end(kMaps), name) != std::end(kMaps);
}

bool is_true(const Value& value) {
  if (value.absent || value.json.is_null()) return false;
  if (value.json.is_bool()) return value.json.get_bool();
  if (value.json.is_string()) return !value.json.get_string().empty();
  if (value.json.is_array()) return !value.json.get_array().empty();
  if (value.json.is_object()) return !value.is_map || !value.json.get_object().empty();
  return as_double(value.json) != 0;
}

std::string print(const Value& value) { return value.absent ? "<no value>" : print_json(value.json, value.is_map); }

std::string format(const std::string& spec, const std::vector<Value>& arguments) {
  std::string out;
  std::size_t next = 0;
  for (std::size_t at = 0; at < spec.size(); ++at) {
    if (spec[at] != '%') {
      out += spec[at];
      continue;
    }
    if (++at >= spec.size()) return out + "%!(NOVERB)";
    Verb verb = parse_verb(spec, at);
    if (!verb.letter) return out + "%!(NOVERB)";
    if (verb.letter == '%') {
      out += '%';
    } else if (next >= arguments.size()) {
      out += cat("%!", verb.letter, "(MISSING)");
    } else {
      out += format_one(verb, arguments[next++]);
    }
  }
  if (next < arguments.size()) {
    out += "%!(EXTRA ";
    for (std::size_t i = next; i < arguments.size(); ++i) {
      out += cat(i > next ? ", " : "", arguments[i].json.is_string() ? "string" : "int", "=", print(arguments[i]));
    }
    out += ")";
  }
  return out;
}

Json visible(const Json& value) {
  const auto* object = value.if_object();
  if (!object) return value;
  JsonObject shown;
  for (const auto& [key, item] : *object)
    if (!std::string_view(key).starts_with('\x01')) shown[key] = item;
  return shown;
}

}  // namespace proa::cli::tmpl
