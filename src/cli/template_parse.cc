#include "base/text.h"
#include "cli/template.h"
#include "cli/template_value.h"

namespace proa::cli {

using namespace tmpl;

namespace {

struct Token {
  enum class Kind {
    End,
    Field,
    Variable,
    Identifier,
    String,
    Number,
    Char,
    Open,
    Close,
    Pipe,
    Declare,
    Assign,
    Comma,
    Dot,
    Blank
  } kind;
  std::string text;
  std::size_t column = 0;
};

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || (c & 0x80); }

class Parser {
 public:
  Parser(std::string_view text, std::vector<std::pair<std::string, Nodes>>& named) : text_(text), named_(named) {}

  Nodes parse_all() {
    std::string stop;
    Nodes nodes = parse_list(stop, 0);
    if (!stop.empty()) fail(cat("unexpected {{", stop, "}}"));
    return nodes;
  }

 private:
  [[noreturn]] void fail(std::string_view why) const {
    std::size_t line = 1;
    for (std::size_t i = 0; i < at_ && i < text_.size(); ++i) line += text_[i] == '\n';
    throw Error(ErrorKind::InvalidArgument, cat("template: :", line, ": ", why));
  }

  // Nodes up to {{end}} or {{else...}}, which is left in `stop` ("" at the end of the text).
  Nodes parse_list(std::string& stop, int depth) {
    if (depth > 100) fail("too deeply nested");
    Nodes nodes;
    while (true) {
      std::size_t open = text_.find("{{", at_);
      std::string piece(text_.substr(at_, open == std::string_view::npos ? open : open - at_));
      bool trim_left = trim_next_;
      trim_next_ = false;
      if (trim_left) piece.erase(0, piece.find_first_not_of(" \t\r\n"));
      if (open == std::string_view::npos) {
        at_ = text_.size();
        add_text(nodes, std::move(piece));
        stop.clear();
        return nodes;
      }
      at_ = open + 2;
      if (text_.substr(at_).starts_with("- ") || text_.substr(at_).starts_with("-\t") ||
          text_.substr(at_).starts_with("-\n")) {
        std::size_t last = piece.find_last_not_of(" \t\r\n");
        piece.erase(last == std::string::npos ? 0 : last + 1);
        ++at_;
      }
      add_text(nodes, std::move(piece));
      if (skip_comment()) continue;
      lex_action();
      if (parse_action(nodes, stop, depth)) return nodes;
    }
  }

  static void add_text(Nodes& nodes, std::string piece) {
    if (piece.empty()) return;
    Node node;
    node.text = std::move(piece);
    nodes.push_back(std::move(node));
  }

  bool skip_comment() {
    std::size_t start = text_.find_first_not_of(" \t\n", at_);
    if (start == std::string_view::npos || !text_.substr(start).starts_with("/*")) return false;
    std::size_t end = text_.find("*/", start);
    if (end == std::string_view::npos) fail("unclosed comment");
    at_ = end + 2;
    std::size_t close = text_.find("}}", at_);
    std::string_view between = text_.substr(at_, close == std::string_view::npos ? close : close - at_);
    if (close == std::string_view::npos || (trim(between) != "" && trim(between) != "-"))
      fail("comment ends before closing delimiter");
    trim_next_ = trim(between) == "-";
    at_ = close + 2;
    return true;
  }

  // The tokens of one action, up to and with "}}".
  void lex_action() {
    tokens_.clear();
    next_ = 0;
    while (true) {
      if (at_ >= text_.size()) fail("unclosed action");
      std::string_view rest = text_.substr(at_);
      char c = rest[0];
      if (rest.starts_with("}}")) {
        at_ += 2;
        return push(Token::Kind::End, "");
      }
      if ((c == ' ' || c == '\t' || c == '\n' || c == '\r')) {
        if (rest.substr(1).starts_with("-}}")) {
          at_ += 4;
          trim_next_ = true;
          return push(Token::Kind::End, "");
        }
        ++at_;
        if (tokens_.empty() || tokens_.back().kind != Token::Kind::Blank) push(Token::Kind::Blank, " ");
        continue;
      }
      lex_token(rest, c);
    }
  }

  void push(Token::Kind kind, std::string text) { tokens_.push_back({kind, std::move(text), at_}); }

  void lex_token(std::string_view rest, char c) {
    auto word_end = [&](std::size_t from) {
      while (from < rest.size() && is_word(rest[from])) ++from;
      return from;
    };
    auto take = [&](Token::Kind kind, std::string text, std::size_t length) {
      push(kind, std::move(text));
      at_ += length;
    };
    if (rest.starts_with(":=")) return take(Token::Kind::Declare, ":=", 2);
    if (c == '=') return take(Token::Kind::Assign, "=", 1);
    if (c == '|') return take(Token::Kind::Pipe, "|", 1);
    if (c == '(') return take(Token::Kind::Open, "(", 1);
    if (c == ')') return take(Token::Kind::Close, ")", 1);
    if (c == ',') return take(Token::Kind::Comma, ",", 1);
    if (c == '"' || c == '`' || c == '\'') return lex_quoted(rest, c);
    bool number =
        std::isdigit(static_cast<unsigned char>(c)) ||
        ((c == '-' || c == '+' || c == '.') && rest.size() > 1 && std::isdigit(static_cast<unsigned char>(rest[1])));
    if (number) {
      std::size_t end = 1;
      while (end < rest.size() &&
             (is_word(rest[end]) || rest[end] == '.' ||
              ((rest[end] == '-' || rest[end] == '+') && (rest[end - 1] == 'e' || rest[end - 1] == 'E'))))
        ++end;
      return take(Token::Kind::Number, std::string(rest.substr(0, end)), end);
    }
    if (c == '.') {
      std::size_t end = word_end(1);
      if (end == 1) return take(Token::Kind::Dot, ".", 1);
      return take(Token::Kind::Field, std::string(rest.substr(1, end - 1)), end);
    }
    if (c == '$') {
      std::size_t end = word_end(1);
      return take(Token::Kind::Variable, std::string(rest.substr(0, end)), end);
    }
    if (is_word(c)) {
      std::size_t end = word_end(0);
      return take(Token::Kind::Identifier, std::string(rest.substr(0, end)), end);
    }
    fail(cat("unexpected ", quoted(rest.substr(0, 1)), " in operand"));
  }

  void lex_quoted(std::string_view rest, char quote) {
    std::string text;
    std::size_t i = 1;
    for (;; ++i) {
      if (i >= rest.size() || (rest[i] == '\n' && quote != '`')) {
        fail(quote == '"'   ? "unterminated quoted string"
             : quote == '`' ? "unterminated raw quoted string"
                            : "unterminated character constant");
      }
      if (rest[i] == quote) break;
      if (rest[i] != '\\' || quote == '`' || i + 1 >= rest.size()) {
        text += rest[i];
        continue;
      }
      append_escape(text, rest, i);
    }
    push(quote == '\'' ? Token::Kind::Char : Token::Kind::String, std::move(text));
    at_ += i + 1;
  }

  // rest[i] is the backslash; afterwards the last character of the escape.
  void append_escape(std::string& text, std::string_view rest, std::size_t& i) {
    char c = rest[++i];
    static constexpr std::string_view kFrom = "abfnrtv", kTo = "\a\b\f\n\r\t\v";
    if (std::size_t known = kFrom.find(c); known != std::string_view::npos) {
      text += kTo[known];
      return;
    }
    std::size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    if (!digits) {
      text += c;
      return;
    }
    unsigned code = 0;
    std::string_view hex = rest.substr(i + 1, digits);
    auto [end, error] = std::from_chars(hex.data(), hex.data() + hex.size(), code, 16);
    if (error != std::errc{} || end != hex.data() + digits) fail("invalid syntax");
    i += digits;
    append_rune(text, code, c == 'x');
  }

  static void append_rune(std::string& text, unsigned code, bool byte) {
    auto put = [&](unsigned value) { text += static_cast<char>(value); };
    if (byte || code < 0x80) {
      put(code);
    } else if (code < 0x800) {
      put(0xC0 | code >> 6), put(0x80 | (code & 0x3F));
    } else if (code < 0x10000) {
      put(0xE0 | code >> 12), put(0x80 | (code >> 6 & 0x3F)), put(0x80 | (code & 0x3F));
    } else {
      put(0xF0 | code >> 18), put(0x80 | (code >> 12 & 0x3F)), put(0x80 | (code >> 6 & 0x3F)),
          put(0x80 | (code & 0x3F));
    }
  }

  void skip_blank() {
    while (tokens_[next_].kind == Token::Kind::Blank) ++next_;
  }
  bool at_end() {
    skip_blank();
    return tokens_[next_].kind == Token::Kind::End;
  }
  bool take_word(std::string_view word) {
    skip_blank();
    if (tokens_[next_].kind != Token::Kind::Identifier || tokens_[next_].text != word) return false;
    ++next_;
    return true;
  }
  void expect_end(std::string_view where) {
    if (!at_end()) fail(cat("unexpected <", tokens_[next_].text, "> in ", where));
  }

  // True if the action ends the list.
  bool parse_action(Nodes& nodes, std::string& stop, int depth) {
    if (take_word("end")) {
      expect_end("end");
      stop = "end";
      return true;
    }
    if (take_word("else")) {
      stop = "else";
      return true;
    }
    for (auto [word, kind] :
         {std::pair{"if", Node::Kind::If}, {"with", Node::Kind::With}, {"range", Node::Kind::Range}}) {
      if (!take_word(word)) continue;
      nodes.push_back(parse_control(kind, word, depth));
      return false;
    }
    Node node;
    if (take_word("break") || take_word("continue")) {
      node.kind = tokens_[next_ - 1].text == "break" ? Node::Kind::Break : Node::Kind::Continue;
      expect_end(tokens_[next_ - 1].text);
    } else if (take_word("template")) {
      node.kind = Node::Kind::Template;
      node.text = parse_name("template");
      if ((node.has_pipe = !at_end())) node.pipe = parse_pipe("template clause", Token::Kind::End);
    } else if (take_word("define") || take_word("block")) {
      bool block = tokens_[next_ - 1].text == "block";
      node.kind = Node::Kind::Template;
      node.text = parse_name(block ? "block clause" : "define clause");
      if ((node.has_pipe = block)) node.pipe = parse_pipe("block clause", Token::Kind::End);
      std::string ended;
      Nodes body = parse_list(ended, depth + 1);
      if (ended != "end") fail("unexpected EOF");
      named_.emplace_back(node.text, std::move(body));
      if (!block) return false;
    } else {
      if (at_end()) fail("missing value for command");
      node.kind = Node::Kind::Action;
      node.pipe = parse_pipe("command", Token::Kind::End);
    }
    nodes.push_back(std::move(node));
    return false;
  }

  std::string parse_name(std::string_view where) {
    skip_blank();
    if (tokens_[next_].kind != Token::Kind::String) fail(cat("unexpected <", tokens_[next_].text, "> in ", where));
    return tokens_[next_++].text;
  }

  Node parse_control(Node::Kind kind, std::string_view word, int depth) {
    Node node;
    node.kind = kind;
    if (at_end()) fail(cat("missing value for ", word));
    node.pipe = parse_pipe(word, Token::Kind::End);
    std::string stop;
    node.body = parse_list(stop, depth + 1);
    if (stop == "else") {
      bool chained_if = kind == Node::Kind::If && take_word("if"),
           chained_with = kind == Node::Kind::With && take_word("with");
      if (chained_if || chained_with) {
        node.otherwise.push_back(parse_control(kind, word, depth + 1));
        return node;
      }
      expect_end("else");
      node.otherwise = parse_list(stop, depth + 1);
    }
    if (stop != "end") fail("unexpected EOF");
    return node;
  }

  Pipe parse_pipe(std::string_view where, Token::Kind end) {
    Pipe pipe;
    parse_declaration(pipe);
    while (true) {
      skip_blank();
      Command command = parse_command(where);
      if (command.operands.empty()) fail(cat("missing value for ", where));
      pipe.commands.push_back(std::move(command));
      skip_blank();
      Token::Kind kind = tokens_[next_].kind;
      if (kind == Token::Kind::Pipe) {
        ++next_;
        continue;
      }
      if (kind != end)
        fail(kind == Token::Kind::End ? "unclosed left paren"
                                      : cat("unexpected <", tokens_[next_].text, "> in ", where));
      if (end == Token::Kind::Close) ++next_;
      return pipe;
    }
  }

  // "$x :=", "$x =", "$i, $x :="
  void parse_declaration(Pipe& pipe) {
    skip_blank();
    std::size_t mark = next_;
    std::vector<std::string> names;
    while (tokens_[next_].kind == Token::Kind::Variable) {
      names.push_back(tokens_[next_++].text);
      skip_blank();
      if (tokens_[next_].kind != Token::Kind::Comma) break;
      ++next_;
      skip_blank();
    }
    Token::Kind kind = tokens_[next_].kind;
    if (!names.empty() && (kind == Token::Kind::Declare || kind == Token::Kind::Assign)) {
      pipe.variables = std::move(names);
      pipe.assigns = kind == Token::Kind::Assign;
      ++next_;
    } else {
      next_ = mark;
    }
  }

  Command parse_command(std::string_view where) {
    Command command;
    while (true) {
      skip_blank();
      Token::Kind kind = tokens_[next_].kind;
      if (kind == Token::Kind::End || kind == Token::Kind::Pipe || kind == Token::Kind::Close) return command;
      command.operands.push_back(parse_operand(where));
    }
  }

  Operand parse_operand(std::string_view where) {
    Token token = tokens_[next_++];
    Operand operand;
    operand.column = token.column;
    using K = Operand::Kind;
    switch (token.kind) {
      case Token::Kind::Dot:
        operand.kind = K::Dot;
        return operand;
      case Token::Kind::Field:
        operand.fields.push_back(token.text);
        break;
      case Token::Kind::Variable:
        operand.kind = K::Variable, operand.name = token.text;
        break;
      case Token::Kind::String:
        operand.kind = K::Literal, operand.literal = Json(token.text);
        break;
      case Token::Kind::Char:
        operand.kind = K::Literal,
        operand.literal =
            Json(static_cast<std::int64_t>(token.text.empty() ? 0 : static_cast<unsigned char>(token.text[0])));
        break;
      case Token::Kind::Number:
        operand.kind = K::Literal, operand.literal = parse_number(token.text);
        break;
      case Token::Kind::Identifier:
        if (token.text == "true" || token.text == "false") {
          operand.kind = K::Literal, operand.literal = Json(token.text == "true");
        } else if (token.text == "nil") {
          operand.kind = K::Nil;
        } else {
          operand.kind = K::Function, operand.name = token.text;
          if (!is_function(token.text))
            throw Error(ErrorKind::InvalidArgument, cat("template: :1: function ", quoted(token.text), " not defined"));
        }
        break;
      case Token::Kind::Open:
        operand.kind = K::Parenthesis;
        operand.pipe = std::make_shared<Pipe>(parse_pipe("parenthesized pipeline", Token::Kind::Close));
        break;
      default:
        fail(cat("unexpected <", token.text, "> in ", where));
    }
    while (tokens_[next_].kind == Token::Kind::Field) operand.fields.push_back(tokens_[next_++].text);
    return operand;
  }

  Json parse_number(const std::string& text) {
    if (auto integer = parse_int<std::int64_t>(text.starts_with('+') ? text.substr(1) : text)) return Json(*integer);
    if (text.starts_with("0x") || text.starts_with("0X")) {
      std::int64_t value = 0;
      auto [end, error] = std::from_chars(text.data() + 2, text.data() + text.size(), value, 16);
      if (error == std::errc{} && end == text.data() + text.size()) return Json(value);
    }
    if (auto real = parse_double(text)) return Json(*real);
    fail(cat("bad number syntax: ", quoted(text)));
  }

  std::string_view text_;
  std::vector<std::pair<std::string, Nodes>>& named_;
  std::size_t at_ = 0;
  bool trim_next_ = false;
  std::vector<Token> tokens_;
  std::size_t next_ = 0;
};

bool pipe_mentions(const Pipe& pipe, std::string_view field) {
  for (const Command& command : pipe.commands) {
    for (const Operand& operand : command.operands) {
      for (const std::string& name : operand.fields)
        if (name == field) return true;
      if (operand.pipe && pipe_mentions(*operand.pipe, field)) return true;
    }
  }
  return false;
}

bool nodes_mention(const Nodes& nodes, std::string_view field) {
  for (const Node& node : nodes) {
    if (pipe_mentions(node.pipe, field) || nodes_mention(node.body, field) || nodes_mention(node.otherwise, field))
      return true;
  }
  return false;
}

}  // namespace

std::string Operand::source() const {
  std::string text = kind == Kind::Variable || kind == Kind::Function ? name
                     : kind == Kind::Dot && fields.empty()            ? "."
                                                                      : "";
  for (const std::string& field : fields) text += cat(".", field);
  return text;
}

Template::Template(std::string_view text) : source_(text) { nodes_ = Parser(source_, named_).parse_all(); }

bool Template::mentions(std::string_view field) const {
  if (nodes_mention(nodes_, field)) return true;
  for (const auto& [name, nodes] : named_)
    if (nodes_mention(nodes, field)) return true;
  return false;
}

std::string unescape_format(std::string_view format) {
  return replace_all(replace_all(format, "\\t", "\t"), "\\n", "\n");
}

}  // namespace proa::cli
