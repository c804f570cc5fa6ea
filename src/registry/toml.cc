#include "registry/toml.h"

#include <string>
#include <vector>

#include "base/text.h"

namespace proa::registry {

namespace {

constexpr int kMaxDepth = 32;

bool is_bare(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

void append_utf8(std::string& out, std::uint32_t code) {
  auto byte = [&](std::uint32_t value) { out += static_cast<char>(value); };
  if (code < 0x80) {
    byte(code);
  } else if (code < 0x800) {
    byte(0xc0 | code >> 6), byte(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    byte(0xe0 | code >> 12), byte(0x80 | (code >> 6 & 0x3f)), byte(0x80 | (code & 0x3f));
  } else {
    byte(0xf0 | code >> 18), byte(0x80 | (code >> 12 & 0x3f)), byte(0x80 | (code >> 6 & 0x3f));
    byte(0x80 | (code & 0x3f));
  }
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Json run() {
    JsonObject root;
    JsonObject* table = &root;
    for (blank_lines(); !at_end(); blank_lines()) {
      if (take('[')) {
        if (peek() == '[') bad("arrays of tables are not supported");
        blanks();
        auto path = key();
        expect(']');
        table = &descend(root, path);
      } else {
        assign(*table, 0);
      }
      end_of_line();
    }
    return root;
  }

 private:
  [[noreturn]] void bad(std::string_view why) const {
    throw Error(ErrorKind::InvalidArgument, cat("line ", line_, ": ", why));
  }
  bool at_end() const { return at_ >= text_.size(); }
  char peek() const { return at_end() ? '\0' : text_[at_]; }
  bool take(char c) {
    if (at_end() || text_[at_] != c) return false;
    if (c == '\n') ++line_;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!take(c)) bad(cat("expected ", quoted(std::string(1, c))));
  }
  void blanks() {
    while (peek() == ' ' || peek() == '\t' || (peek() == '\r' && text_.substr(at_, 2) == "\r\n")) ++at_;
    if (peek() == '#')
      while (!at_end() && peek() != '\n') ++at_;
  }
  void blank_lines() {
    for (blanks(); take('\n'); blanks()) {
    }
  }
  void end_of_line() {
    blanks();
    if (!at_end() && !take('\n')) bad("expected the end of the line");
  }

  std::vector<std::string> key() {
    std::vector<std::string> path;
    do {
      blanks();
      if (peek() == '"' || peek() == '\'') {
        path.push_back(string());
      } else {
        std::size_t begin = at_;
        while (is_bare(peek())) ++at_;
        if (at_ == begin) bad("expected a key");
        path.emplace_back(text_.substr(begin, at_ - begin));
      }
      blanks();
    } while (take('.'));
    if (path.size() > kMaxDepth) bad("tables are nested too deeply");
    return path;
  }

  JsonObject& descend(JsonObject& from, const std::vector<std::string>& path) {
    JsonObject* at = &from;
    for (const std::string& name : path) {
      auto place = at->emplace(name, JsonObject{}).first;
      if (!place->value().is_object()) bad(cat(quoted(name), " is no table"));
      at = &place->value().get_object();
    }
    return *at;
  }

  void assign(JsonObject& table, int depth) {
    auto path = key();
    expect('=');
    std::string name = std::move(path.back());
    path.pop_back();
    JsonObject& into = descend(table, path);
    if (into.contains(name)) bad(cat(quoted(name), " is there twice"));
    into.emplace(name, value(depth));
  }

  Json value(int depth) {
    if (depth > kMaxDepth) bad("values are nested too deeply");
    blanks();
    if (peek() == '"' || peek() == '\'') return Json(string());
    if (take('[')) return array(depth);
    if (take('{')) return inline_table(depth);
    std::size_t begin = at_;
    while (is_bare(peek()) || peek() == '+' || peek() == '.' || peek() == ':') ++at_;
    std::string word = replace_all(text_.substr(begin, at_ - begin), "_", "");
    if (word == "true" || word == "false") return Json(word == "true");
    auto number = parse_int<std::int64_t>(word.starts_with('+') ? std::string_view(word).substr(1) : word);
    if (!number) bad(word.empty() ? std::string("expected a value") : cat("unsupported value ", quoted(word)));
    return Json(*number);
  }

  Json array(int depth) {
    JsonArray out;
    for (blank_lines(); !take(']'); blank_lines()) {
      out.push_back(value(depth + 1));
      blank_lines();
      if (!take(',') && peek() != ']') bad("expected \",\" or \"]\"");
    }
    return out;
  }

  Json inline_table(int depth) {
    JsonObject out;
    for (blanks(); !take('}'); blanks()) {
      assign(out, depth + 1);
      blanks();
      if (!take(',') && peek() != '}') bad("expected \",\" or \"}\"");
    }
    return out;
  }

  std::string string() {
    char quote = text_[at_];
    if (text_.substr(at_, 3) == std::string(3, quote)) bad("strings of several lines are not supported");
    ++at_;
    std::string out;
    while (peek() != quote || at_end()) {
      if (at_end() || peek() == '\n') bad("a string has no end");
      char c = text_[at_++];
      if (c == '\\' && quote == '"') {
        escape(out);
      } else {
        out += c;
      }
    }
    ++at_;
    return out;
  }

  void escape(std::string& out) {
    constexpr std::string_view kNames = "btnfr\"\\", kMeant = "\b\t\n\f\r\"\\";
    char c = peek();
    ++at_;
    if (auto place = kNames.find(c); place != kNames.npos) {
      out += kMeant[place];
      return;
    }
    std::size_t digits = c == 'u' ? 4 : c == 'U' ? 8 : 0;
    std::string_view hex = text_.substr(std::min(at_, text_.size()), digits);
    std::uint32_t code = 0;
    auto [end, error] = std::from_chars(hex.data(), hex.data() + hex.size(), code, 16);
    bool sound = digits > 0 && hex.size() == digits && error == std::errc{} && end == hex.data() + hex.size() &&
                 code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
    if (!sound) bad("unknown escape in a string");
    at_ += digits;
    append_utf8(out, code);
  }

  std::string_view text_;
  std::size_t at_ = 0;
  int line_ = 1;
};

}  // namespace

Json parse_toml(std::string_view text) { return Parser(text).run(); }

}  // namespace proa::registry
