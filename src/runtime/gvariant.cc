#include "runtime/gvariant.h"

#include <bit>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>

#include "base/error.h"
#include "base/text.h"

namespace proa::runtime {
namespace {

[[noreturn]] void refuse(std::string message) { throw Error(ErrorKind::InvalidArgument, std::move(message)); }

struct BasicType {
  char letter;
  std::string_view keyword;
  std::size_t size;  // also its alignment
  std::int64_t lowest = 0;
  std::uint64_t highest = 0;  // 0: no integer
};
template <class Int>
constexpr BasicType integer(char letter, std::string_view keyword) {
  using Limits = std::numeric_limits<Int>;
  return {letter, keyword, sizeof(Int), static_cast<std::int64_t>(Limits::min()),
          static_cast<std::uint64_t>(Limits::max())};
}
constexpr BasicType kTypes[] = {{'b', "boolean", 4},
                                integer<std::uint8_t>('y', "byte"),
                                integer<std::int16_t>('n', "int16"),
                                integer<std::uint16_t>('q', "uint16"),
                                integer<std::int32_t>('i', "int32"),
                                integer<std::uint32_t>('u', "uint32"),
                                integer<std::int64_t>('x', "int64"),
                                integer<std::uint64_t>('t', "uint64"),
                                {'d', "double", 8},
                                {'s', "string", 4}};

const BasicType* find_type(char letter) {
  for (const auto& type : kTypes) {
    if (type.letter == letter) return &type;
  }
  return nullptr;
}

enum class Form { Boolean, Integer, Real, Text };
struct Literal {
  const BasicType* type = nullptr;  // that it names itself
  Form form = Form::Boolean;
  std::string text;  // a string's without quotes and escapes
};

bool is_blank(char one) { return one == ' ' || one == '\t' || one == '\n' || one == '\r'; }

class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  bool done() {
    skip_blanks();
    return rest_.empty();
  }
  bool take(char one) {
    if (done() || rest_[0] != one) return false;
    rest_.remove_prefix(1);
    return true;
  }
  // What goes to the next blank, comma or bracket.
  std::string_view word() {
    skip_blanks();
    auto out = rest_.substr(0, rest_.find_first_of(" \t\n\r,[]'\""));
    rest_.remove_prefix(out.size());
    return out;
  }
  // A string in quotes of either kind; nullopt where there is none.
  std::optional<std::string> string() {
    if (done() || (rest_[0] != '\'' && rest_[0] != '"')) return std::nullopt;
    char quote = rest_[0];
    std::string out;
    for (std::size_t i = 1; i < rest_.size(); ++i) {
      if (rest_[i] == quote) {
        rest_.remove_prefix(i + 1);
        return out;
      }
      out += rest_[i] == '\\' ? escaped(++i) : rest_[i];
    }
    refuse("a string has no end");
  }
  std::string_view rest() const { return rest_; }

 private:
  void skip_blanks() {
    while (!rest_.empty() && is_blank(rest_[0])) rest_.remove_prefix(1);
  }
  char escaped(std::size_t at) const {
    constexpr std::string_view kNames = "\\'\"abfnrtv", kMeanings = "\\'\"\a\b\f\n\r\t\v";
    auto which = at < rest_.size() ? kNames.find(rest_[at]) : std::string_view::npos;
    if (which == std::string_view::npos) refuse("a string has an escape that is not known");
    return kMeanings[which];
  }
  std::string_view rest_;
};

Literal read_unnamed(Reader& reader) {
  if (auto text = reader.string()) return {nullptr, Form::Text, std::move(*text)};
  std::string word(reader.word());
  if (word == "true" || word == "false") return {nullptr, Form::Boolean, std::move(word)};
  if (word.empty() || word.find_first_not_of("+-.0123456789abcdefABCDEFxX") != std::string::npos) {
    refuse(cat("a value is expected at ", quoted(cat(word, reader.rest()))));
  }
  bool hexadecimal = word.find_first_of("xX") != std::string::npos;
  bool real = !hexadecimal && word.find_first_of(".eE") != std::string::npos;
  return {nullptr, real ? Form::Real : Form::Integer, std::move(word)};
}

Literal read_literal(Reader& reader) {
  Reader ahead = reader;
  auto keyword = ahead.word();
  for (const auto& type : kTypes) {
    if (type.keyword != keyword) continue;
    Literal out = read_unnamed(ahead);
    out.type = &type;
    reader = ahead;
    return out;
  }
  return read_unnamed(reader);
}

std::uint64_t whole_number(std::string_view text, const BasicType& type) {
  std::string_view digits = text;
  bool negative = digits.starts_with('-');
  if (negative || digits.starts_with('+')) digits.remove_prefix(1);
  int base = 10;
  if (digits.starts_with("0x") || digits.starts_with("0X")) {
    base = 16;
    digits.remove_prefix(2);
  } else if (digits.size() > 1 && digits[0] == '0') {
    base = 8;
  }
  std::uint64_t value = 0;
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
  bool too_large = error == std::errc::result_out_of_range;
  if (digits.empty() || (error != std::errc{} && !too_large) || end != digits.data() + digits.size()) {
    refuse(cat(quoted(text), " is no number"));
  }
  auto most = negative ? std::uint64_t{0} - static_cast<std::uint64_t>(type.lowest) : type.highest;
  if (too_large || value > most) refuse(cat(text, " is outside of ", type.keyword));
  return negative ? std::uint64_t{0} - value : value;
}

std::uint64_t real_number(std::string_view text) {
  auto value = parse_double(text.starts_with('+') ? text.substr(1) : text);
  if (text.starts_with("+-") || !value || !std::isfinite(*value)) refuse(cat(quoted(text), " is no number"));
  return std::bit_cast<std::uint64_t>(*value);
}

GVariant::Element convert(Literal&& literal, const BasicType& type) {
  if (type.letter == 's' && literal.form == Form::Text) {
    if (!is_utf8(literal.text) || literal.text.find('\0') != std::string::npos) {
      refuse("a string is not UTF-8, or has a NUL in it");
    }
    return {0, std::move(literal.text)};
  }
  if (type.letter == 'b' && literal.form == Form::Boolean) return {literal.text == "true", {}};
  if (type.letter == 'd' && (literal.form == Form::Real || literal.form == Form::Integer)) {
    return {real_number(literal.text), {}};
  }
  if (type.highest != 0 && literal.form == Form::Integer) return {whole_number(literal.text, type), {}};
  refuse(cat(quoted(literal.text), " is no ", type.keyword));
}

std::vector<Literal> read_array(Reader& reader) {
  std::vector<Literal> out;
  if (reader.take(']')) return out;
  do {
    out.push_back(read_literal(reader));
  } while (reader.take(','));
  if (!reader.take(']')) refuse("an array has no end");
  return out;
}

// One type for all: the one that is named, or what the values look like.
const BasicType& common_type(const std::vector<Literal>& literals, const BasicType* named) {
  char by_form = 0;
  for (const auto& literal : literals) {
    if (named && literal.type && named != literal.type) refuse("the values have types that differ");
    if (!named) named = literal.type;
    switch (literal.form) {
      case Form::Boolean:
        by_form = 'b';
        break;
      case Form::Text:
        by_form = 's';
        break;
      case Form::Real:
        by_form = 'd';
        break;
      case Form::Integer:
        by_form = by_form == 'd' ? 'd' : 'i';
    }
  }
  if (!named && !by_form) refuse("an empty array needs a type, such as @as []");
  return named ? *named : *find_type(by_form);
}

}  // namespace

GVariant parse_gvariant(std::string_view text) {
  Reader reader(text);
  GVariant out;
  const BasicType* named = nullptr;
  bool annotated = reader.take('@');
  if (annotated) {
    auto signature = reader.word();
    out.is_array = signature.starts_with('a');
    if (out.is_array) signature.remove_prefix(1);
    named = signature.size() == 1 ? find_type(signature[0]) : nullptr;
    if (!named) refuse("only basic types and arrays of them can be given");
  }
  bool opened = reader.take('[');
  if (annotated && opened != out.is_array) refuse("the value is not of the type that is named");
  out.is_array = opened;
  auto literals = opened ? read_array(reader) : std::vector<Literal>{read_literal(reader)};
  if (!reader.done()) refuse(cat("nothing is expected any more at ", quoted(reader.rest())));
  const auto& type = common_type(literals, named);
  out.type = type.letter;
  for (auto& literal : literals) out.elements.push_back(convert(std::move(literal), type));
  return out;
}

std::string signature_of(const GVariant& value) { return cat(value.is_array ? "a" : "", value.type); }

void append_gvariant(os::DBusBody& body, const GVariant& value) {
  auto append = [&] {
    for (const auto& [bits, text] : value.elements) {
      switch (value.type) {
        case 's':
          body.string(text);
          break;
        case 'y':
          body.byte(static_cast<std::uint8_t>(bits));
          break;
        case 'n':
        case 'q':
          body.u16(static_cast<std::uint16_t>(bits));
          break;
        case 'b':
        case 'i':
        case 'u':
          body.u32(static_cast<std::uint32_t>(bits));
          break;
        default:
          body.u64(bits);
      }
    }
  };
  if (!value.is_array) return append();
  auto array = body.begin_array(find_type(value.type)->size);
  append();
  body.end_array(array);
}

}  // namespace proa::runtime
