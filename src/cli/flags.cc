#include "cli/flags.h"

#include <cmath>

#include "base/text.h"
#include "base/time.h"
#include "base/units.h"
#include "cli/grammars.h"

namespace proa::cli {

namespace {

[[noreturn]] void bad(std::string message) { throw FlagError{std::move(message)}; }

std::string shown_name(const Flag& flag) {
  return flag.letter ? cat("-", flag.letter, ", --", flag.name) : cat("--", flag.name);
}

std::string check_int(std::string_view value, bool is_unsigned, std::int64_t limit) {
  std::int64_t number = 0;
  const char* function = is_unsigned ? "strconv.ParseUint" : "strconv.ParseInt";
  IntError error = parse_go_int(value, number);
  if (error == IntError::None && is_unsigned && (value.front() == '-' || value.front() == '+'))
    error = IntError::Syntax;
  if (error == IntError::None && number > limit) error = IntError::Range;
  if (error == IntError::None) return "";
  return cat(function, ": parsing ", quoted(value),
             error == IntError::Syntax ? ": invalid syntax" : ": value out of range");
}

// The kind's own rule, before the flag's.
std::string check_kind(Kind kind, std::string_view value) {
  switch (kind) {
    case Kind::Bool:
      return parse_go_bool(value) ? "" : cat("strconv.ParseBool: parsing ", quoted(value), ": invalid syntax");
    case Kind::Int:
      return check_int(value, false, INT64_MAX);
    case Kind::Uint:
      return check_int(value, true, INT64_MAX);
    case Kind::Uint16:
      return check_int(value, true, UINT16_MAX);
    case Kind::Bytes:
      return check_bytes(value);
    case Kind::Decimal:
      return check_cpus(value);
    case Kind::Duration:
      return check_duration(value);
    case Kind::Filter:
      return check_filter(value);
    case Kind::Mount:
      return check_mount(value);
    case Kind::Network:
      return check_network(value);
    case Kind::Ulimit:
      return check_ulimit(value);
    case Kind::Strings:
      return parse_csv(value) ? "" : "parse error on line 1, column 1: bare \" in non-quoted field";
    default:
      return "";
  }
}

const std::vector<std::string> kNone;

}  // namespace

std::optional<bool> parse_go_bool(std::string_view text) {
  for (std::string_view word : {"1", "t", "T", "TRUE", "true", "True"})
    if (text == word) return true;
  for (std::string_view word : {"0", "f", "F", "FALSE", "false", "False"})
    if (text == word) return false;
  return std::nullopt;
}

IntError parse_go_int(std::string_view text, std::int64_t& value) {
  bool negative = !text.empty() && text.front() == '-';
  if (!text.empty() && (text.front() == '-' || text.front() == '+')) text.remove_prefix(1);
  int base = 10;
  if (text.size() > 1 && text[0] == '0') {
    char mark = static_cast<char>(text[1] | 0x20);
    base = mark == 'x' ? 16 : mark == 'b' ? 2 : 8;
    text.remove_prefix(mark == 'x' || mark == 'b' || mark == 'o' ? 2 : 1);
  }
  std::uint64_t number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  if (text.empty() || end != text.data() + text.size()) return IntError::Syntax;
  if (error == std::errc::result_out_of_range || number > static_cast<std::uint64_t>(INT64_MAX)) return IntError::Range;
  if (error != std::errc{}) return IntError::Syntax;
  value = negative ? -static_cast<std::int64_t>(number) : static_cast<std::int64_t>(number);
  return IntError::None;
}

std::optional<std::vector<std::string>> parse_csv(std::string_view line) {
  std::vector<std::string> fields;
  if (line.empty()) return fields;
  std::size_t at = 0;
  while (true) {
    std::string field;
    if (at < line.size() && line[at] == '"') {
      for (++at;; ++at) {
        if (at >= line.size()) return std::nullopt;
        if (line[at] != '"') {
          field += line[at];
        } else if (at + 1 < line.size() && line[at + 1] == '"') {
          field += line[at++];
        } else {
          break;
        }
      }
      ++at;
      if (at < line.size() && line[at] != ',') return std::nullopt;
    } else {
      while (at < line.size() && line[at] != ',') {
        if (line[at] == '"') return std::nullopt;
        field += line[at++];
      }
    }
    fields.push_back(std::move(field));
    if (at >= line.size()) return fields;
    ++at;
  }
}

std::string_view value_name(Kind kind) {
  static constexpr std::string_view kNames[] = {"",       "string",  "list",    "strings",    "int", "uint",
                                                "uint16", "bytes",   "decimal", "duration",   "map", "filter",
                                                "mount",  "network", "ulimit",  "gpu-request"};
  return kNames[static_cast<int>(kind)];
}

Flags::Flags(Table table, std::span<const std::string> words, bool interspersed) : table_(std::move(table)) {
  for (std::size_t at = 0; at < words.size() && !help_; ++at) {
    const std::string& word = words[at];
    if (word == "--") {
      arguments_.insert(arguments_.end(), words.begin() + static_cast<std::ptrdiff_t>(at) + 1, words.end());
      return;
    }
    if (word.size() < 2 || word[0] != '-') {
      if (!interspersed) {
        arguments_.insert(arguments_.end(), words.begin() + static_cast<std::ptrdiff_t>(at), words.end());
        return;
      }
      arguments_.push_back(word);
    } else if (word[1] == '-') {
      take_long(words, at);
    } else {
      take_letters(words, at);
    }
  }
}

void Flags::take_long(std::span<const std::string> words, std::size_t& at) {
  auto [name, value] = cut(std::string_view(words[at]).substr(2), '=');
  if (name.empty() || name[0] == '-') bad(cat("bad flag syntax: ", words[at]));
  if (name == "help") {
    help_ = true;
    return;
  }
  const Flag* flag = find(name);
  if (!flag) bad(cat("unknown flag: --", name));
  if (value) {
    store(*flag, *value);
  } else if (flag->kind == Kind::Bool) {
    store(*flag, "true");
  } else if (at + 1 < words.size()) {
    store(*flag, words[++at]);
  } else {
    bad(cat("flag needs an argument: --", name));
  }
}

void Flags::take_letters(std::span<const std::string> words, std::size_t& at) {
  std::string_view letters = std::string_view(words[at]).substr(1);
  while (!letters.empty()) {
    const Flag* flag = find(letters[0]);
    if (!flag && letters[0] == 'h') {
      warnings_.push_back("Flag shorthand -h has been deprecated, use --help");
      help_ = true;
      return;
    }
    if (!flag) bad(cat("unknown shorthand flag: '", letters[0], "' in -", letters));
    if (letters.size() > 2 && letters[1] == '=') return store(*flag, letters.substr(2));
    if (flag->kind == Kind::Bool) {
      store(*flag, "true");
      letters.remove_prefix(1);
      continue;
    }
    if (letters.size() > 1) return store(*flag, letters.substr(1));
    if (at + 1 >= words.size()) bad(cat("flag needs an argument: '", letters[0], "' in -", letters));
    return store(*flag, words[++at]);
  }
}

void Flags::store(const Flag& flag, std::string_view value) {
  // Only --memory-swap takes -1 (unlimited).
  bool unlimited = std::string_view(flag.name) == "memory-swap" && value == "-1";
  std::string wrong = unlimited ? "" : check_kind(flag.kind, value);
  if (wrong.empty() && flag.check) wrong = flag.check(value);
  if (!wrong.empty()) bad(cat("invalid argument ", quoted(value), " for ", quoted(shown_name(flag)), " flag: ", wrong));
  if (flag.deprecated) warnings_.push_back(cat("Flag --", flag.name, " has been deprecated, ", flag.deprecated));
  std::vector<std::string>& values = values_[flag.same_as ? flag.same_as : flag.name];
  if (flag.kind == Kind::Strings) {
    std::vector<std::string> parts = parse_csv(value).value_or(std::vector<std::string>{});
    values.insert(values.end(), parts.begin(), parts.end());
  } else {
    values.emplace_back(value);
  }
}

const Flag* Flags::find(std::string_view name) const {
  for (std::span<const Flag> part : table_) {
    for (const Flag& flag : part)
      if (name == flag.name) return &flag;
  }
  return nullptr;
}

const Flag* Flags::find(char letter) const {
  for (std::span<const Flag> part : table_) {
    for (const Flag& flag : part)
      if (flag.letter == letter) return &flag;
  }
  return nullptr;
}

const Flag& Flags::must_find(std::string_view name) const {
  static constexpr Flag kUnknown{"", 0, Kind::String, ""};
  const Flag* flag = find(name);
  return flag ? *flag : kUnknown;
}

bool Flags::given(std::string_view name) const { return values_.find(name) != values_.end(); }

std::string Flags::text(std::string_view name) const {
  auto found = values_.find(name);
  return found != values_.end() && !found->second.empty() ? found->second.back() : std::string(must_find(name).initial);
}

bool Flags::on(std::string_view name) const { return parse_go_bool(text(name)).value_or(false); }

std::int64_t Flags::number(std::string_view name) const {
  std::string value = text(name);
  std::int64_t number = 0;
  switch (must_find(name).kind) {
    case Kind::Bytes:
      return parse_bytes(value).value_or(0);
    case Kind::Duration:
      return parse_go_duration(value).value_or(0);
    default:
      parse_go_int(value, number);
      return number;
  }
}

const std::vector<std::string>& Flags::list(std::string_view name) const {
  auto found = values_.find(name);
  return found != values_.end() ? found->second : kNone;
}

}  // namespace proa::cli
