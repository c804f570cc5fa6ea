// The part of Go's text/template that --format needs: actions, pipelines, variables, if/with/range/else/break/continue,
// define/template/block, comparison, printf, index, slice, len, and docker's json, join, split, lower, upper, title,
// pad, truncate. Data is JSON; a member that starts with '\x01' is hidden from `json` and printing.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace proa::cli {

namespace tmpl {

struct Pipe;

struct Operand {
  enum class Kind { Dot, Variable, Literal, Nil, Function, Parenthesis } kind = Kind::Dot;
  std::string name;  // of a variable or function
  Json literal;
  std::shared_ptr<Pipe> pipe;       // Parenthesis
  std::vector<std::string> fields;  // .A.B after it
  std::size_t column = 0;
  std::string source() const;
};
struct Command {
  std::vector<Operand> operands;
};
struct Pipe {
  std::vector<std::string> variables;
  bool assigns = false;  // "=" instead of ":="
  std::vector<Command> commands;
};

struct Node;
using Nodes = std::vector<Node>;
struct Node {
  enum class Kind { Text, Action, If, With, Range, Break, Continue, Template } kind = Kind::Text;
  std::string text;  // Text; the name of a Template
  Pipe pipe;
  bool has_pipe = false;
  Nodes body, otherwise;
};

}  // namespace tmpl

class Template {
 public:
  // Throws Error(InvalidArgument) "template: :1: ...".
  explicit Template(std::string_view text);

  struct Options {
    bool strict = false;         // a key that a map lacks is an error (docker inspect's second attempt)
    bool header = false;         // the header row: json, lower, ... give their argument back
    std::string_view type = "";  // Go's name of the data's type, for errors
  };
  // Throws Error(InvalidArgument) "template: :1:2: executing "" at <.Foo>: ...".
  std::string execute(const Json& data, Options options) const;
  std::string execute(const Json& data) const { return execute(data, Options{}); }
  // True if the template names the field (".Size") anywhere.
  bool mentions(std::string_view field) const;

 private:
  friend class TemplateRun;
  std::string source_;
  std::vector<std::pair<std::string, tmpl::Nodes>> named_;  // define
  tmpl::Nodes nodes_;
};

// "\t" and "\n" typed as two characters become what they mean, as docker does with --format.
std::string unescape_format(std::string_view format);

}  // namespace proa::cli
