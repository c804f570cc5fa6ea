#include <map>

#include "base/text.h"
#include "cli/template.h"
#include "cli/template_value.h"

namespace proa::cli {

using namespace tmpl;

namespace {

constexpr std::size_t kMaxOutput = 64 << 20;

enum class Flow { Next, Break, Continue };

// The word that Go would show for {{.Label "x"}} in the header: "com.x.my-key" -> "my key".
std::string label_header(const std::string& key) {
  std::string last = key.substr(key.rfind('.') + 1);
  return replace_all(replace_all(last, "-", " "), "_", " ");
}

}  // namespace

class TemplateRun {
 public:
  TemplateRun(const Template& owner, Template::Options options) : template_(owner), options_(options) {}

  std::string run(const Json& data) {
    Value root{data};
    variables_.push_back({"$", root});
    walk(template_.nodes_, root, 0);
    return std::move(out_);
  }

 private:
  [[noreturn]] void fail(const Operand& at, std::string_view why) const {
    throw Error(ErrorKind::InvalidArgument,
                cat("template: :1:", at.column, ": executing \"\" at <", at.source(), ">: ", why));
  }

  Flow walk(const Nodes& nodes, const Value& dot, int depth) {
    if (depth > 1000) throw Error(ErrorKind::InvalidArgument, "template: :1: exceeded maximum template depth");
    for (const Node& node : nodes) {
      if (out_.size() > kMaxOutput) throw Error(ErrorKind::InvalidArgument, "template: output is too long");
      Flow flow = walk_node(node, dot, depth);
      if (flow != Flow::Next) return flow;
    }
    return Flow::Next;
  }

  Flow walk_node(const Node& node, const Value& dot, int depth) {
    std::size_t mark = variables_.size();
    Flow flow = Flow::Next;
    switch (node.kind) {
      case Node::Kind::Text:
        out_ += node.text;
        break;
      case Node::Kind::Break:
        return Flow::Break;
      case Node::Kind::Continue:
        return Flow::Continue;
      case Node::Kind::Action: {
        Value value = evaluate(node.pipe, dot);
        if (node.pipe.variables.empty()) out_ += print(value);
        return Flow::Next;  // its variables live on
      }
      case Node::Kind::If:
        flow = walk(is_true(evaluate(node.pipe, dot)) ? node.body : node.otherwise, dot, depth + 1);
        break;
      case Node::Kind::With: {
        Value value = evaluate(node.pipe, dot);
        flow = is_true(value) ? walk(node.body, value, depth + 1) : walk(node.otherwise, dot, depth + 1);
        break;
      }
      case Node::Kind::Range:
        flow = walk_range(node, dot, depth);
        break;
      case Node::Kind::Template:
        walk_named(node, dot, depth);
        break;
    }
    variables_.resize(mark);
    return flow;
  }

  Flow walk_range(const Node& node, const Value& dot, int depth) {
    Pipe bare = node.pipe;
    bare.variables.clear();
    Value value = evaluate(bare, dot);
    std::size_t mark = variables_.size();
    bool any = false;
    auto once = [&](Json key, Value item) {
      any = true;
      variables_.resize(mark);
      const auto& names = node.pipe.variables;
      if (names.size() == 1) bind(names[0], item, node.pipe.assigns);
      if (names.size() >= 2) {
        bind(names[0], {std::move(key)}, node.pipe.assigns);
        bind(names[1], item, node.pipe.assigns);
      }
      return walk(node.body, item, depth + 1) != Flow::Break;
    };
    if (const auto* array = value.json.if_array()) {
      for (std::size_t i = 0; i < array->size(); ++i) {
        if (!once(Json(static_cast<std::int64_t>(i)), {(*array)[i], false, value.is_map && (*array)[i].is_object()}))
          break;
      }
    } else if (const auto* object = value.json.if_object()) {
      std::map<std::string, const Json*> sorted;
      for (const auto& [key, item] : *object) sorted.emplace(std::string(key), &item);
      for (const auto& [key, item] : sorted) {
        if (!once(Json(key), {*item, false, is_map_member(key)})) break;
      }
    } else if (!value.absent && !value.json.is_null()) {
      Operand at = node.pipe.commands.at(0).operands.at(0);
      fail(at, cat("range can't iterate over ", print(value)));
    }
    variables_.resize(mark);
    return any ? Flow::Next : walk(node.otherwise, dot, depth + 1);
  }

  void walk_named(const Node& node, const Value& dot, int depth) {
    for (auto it = template_.named_.rbegin(); it != template_.named_.rend(); ++it) {
      if (it->first != node.text) continue;
      Value inner = node.has_pipe ? evaluate(node.pipe, dot) : Value{nullptr, true};
      std::vector<std::pair<std::string, Value>> saved = std::move(variables_);
      variables_.clear();
      variables_.push_back({"$", inner});
      walk(it->second, inner, depth + 1);
      variables_ = std::move(saved);
      return;
    }
    throw Error(ErrorKind::InvalidArgument, cat("template: :1: template ", quoted(node.text), " not defined"));
  }

  void bind(const std::string& name, Value value, bool assigns) {
    if (assigns) {
      for (auto it = variables_.rbegin(); it != variables_.rend(); ++it) {
        if (it->first != name) continue;
        it->second = std::move(value);
        return;
      }
    }
    variables_.push_back({name, std::move(value)});
  }

  Value evaluate(const Pipe& pipe, const Value& dot) {
    Value value;
    bool first = true;
    for (const Command& command : pipe.commands) {
      value = evaluate_command(command, dot, first ? nullptr : &value);
      first = false;
    }
    for (const std::string& name : pipe.variables) bind(name, value, pipe.assigns);
    return value;
  }

  Value evaluate_command(const Command& command, const Value& dot, const Value* piped) {
    const Operand& head = command.operands.at(0);
    bool has_arguments = command.operands.size() > 1 || piped;
    if (head.kind == Operand::Kind::Function) return call(command, dot, piped);
    bool method =
        has_arguments && !head.fields.empty() && (head.fields.back() == "Label" || head.fields.back() == "Get");
    if (method) return call_label(command, dot, piped);
    if (has_arguments) {
      fail(head, head.fields.empty() ? cat("can't give argument to non-function ", head.source())
                                     : cat(head.fields.back(), " has arguments but cannot be invoked as function"));
    }
    return operand(head, dot);
  }

  Value call(const Command& command, const Value& dot, const Value* piped) {
    const Operand& head = command.operands[0];
    std::vector<Value> arguments;
    bool is_and = head.name == "and", is_or = head.name == "or";
    for (std::size_t i = 1; i < command.operands.size(); ++i) {
      arguments.push_back(operand(command.operands[i], dot));
      // and, or: the rest is not evaluated
      if ((is_and && !is_true(arguments.back())) || (is_or && is_true(arguments.back()))) return arguments.back();
    }
    if (piped) arguments.push_back(*piped);
    try {
      Value value = call_function(head.name, arguments, options_.header);
      return chain(head, std::move(value), 0);
    } catch (const Error& error) {
      fail(head, error.message());
    }
  }

  // {{.Label "key"}}
  Value call_label(const Command& command, const Value& dot, const Value* piped) {
    Operand head = command.operands[0];
    std::string method = head.fields.back();
    head.fields.pop_back();
    Value owner = operand(head, dot);
    std::string key = print(command.operands.size() > 1 ? operand(command.operands[1], dot) : *piped);
    if (options_.header) return {Json(label_header(key))};
    const Json* labels = json::find(owner.json, "\x01labels");
    if (!labels) fail(command.operands[0], cat(method, " has arguments but cannot be invoked as function"));
    return {Json(json::string_at(*labels, key))};
  }

  Value operand(const Operand& one, const Value& dot) {
    switch (one.kind) {
      case Operand::Kind::Dot:
        return chain(one, dot, 0);
      case Operand::Kind::Literal:
        return {one.literal};
      case Operand::Kind::Nil:
        return {nullptr};
      case Operand::Kind::Parenthesis:
        return chain(one, evaluate(*one.pipe, dot), 0);
      case Operand::Kind::Function:
        return call({{one}}, dot, nullptr);
      case Operand::Kind::Variable:
        for (auto it = variables_.rbegin(); it != variables_.rend(); ++it)
          if (it->first == one.name) return chain(one, it->second, 0);
        throw Error(ErrorKind::InvalidArgument, cat("template: :1: undefined variable ", quoted(one.name)));
    }
    return {};
  }

  Value chain(const Operand& one, Value value, std::size_t from) {
    for (std::size_t i = from; i < one.fields.size(); ++i) value = field(one, std::move(value), one.fields[i]);
    return value;
  }

  Value field(const Operand& at, Value value, const std::string& name) {
    const auto* object = value.json.if_object();
    if (!object) {
      if (value.absent || value.json.is_null()) {
        if (options_.strict) fail(at, cat("nil data; no entry for key ", quoted(name)));
        return {nullptr, true};
      }
      fail(at, cat("can't evaluate field ", name, " in type ",
                   value.json.is_string()  ? "string"
                   : value.json.is_array() ? "[]interface {}"
                                           : "int"));
    }
    const Json* found = object->if_contains(name);
    if (!found && !value.is_map) {  // Go's field names differ from the JSON's in case: ID, Id
      for (const auto& [key, item] : *object)
        if (iequals(key, name)) found = &item;
    }
    // The options of a log driver are a map under a name that elsewhere is a struct's.
    bool is_map = is_map_member(name) || (name == "Config" && object->contains("Type"));
    if (found && !(found->is_null() && options_.strict && !value.is_map)) return {*found, false, is_map};
    if (value.is_map) return {nullptr, true};
    if (options_.strict) {
      if (auto zero = found ? zero_of(name) : missing_member(*object, name)) return *zero;
    }
    if (found) return {*found, false, is_map};
    if (options_.strict) fail(at, cat("map has no entry for key ", quoted(name)));
    fail(at, cat("can't evaluate field ", name, " in type ", options_.type.empty() ? "interface {}" : options_.type));
  }

  const Template& template_;
  Template::Options options_;
  std::vector<std::pair<std::string, Value>> variables_;
  std::string out_;
};

std::string Template::execute(const Json& data, Options options) const { return TemplateRun(*this, options).run(data); }

}  // namespace proa::cli
