#include "runtime/arguments.h"

#include <algorithm>

#include "base/text.h"

namespace proa::runtime {

Arguments::Arguments(std::span<const FlagSpec> flags, std::span<const std::string> words, Order order) {
  std::size_t at = 0;
  for (; at < words.size(); ++at) {
    std::string_view word = words[at];
    if (word == "--") {
      ++at;
      break;
    }
    if (word.size() < 2 || word[0] != '-') {
      if (order == Order::FlagsFirst) break;
      operands_.emplace_back(word);
      continue;
    }
    word.remove_prefix(word[1] == '-' ? 2 : 1);
    auto [name, value] = cut(word, '=');
    auto flag = std::find_if(flags.begin(), flags.end(), [&name = name](const FlagSpec& f) {
      return f.name == name || (!f.short_name.empty() && f.short_name == name);
    });
    if (flag == flags.end()) throw UsageError(cat("flag provided but not defined: -", name));
    std::string given(value.value_or("true"));
    if (flag->takes_value && !value) {
      if (++at == words.size()) throw UsageError(cat("flag needs an argument: -", name));
      given = words[at];
    }
    flags_[std::string(flag->name)].push_back(std::move(given));
  }
  operands_.insert(operands_.end(), words.begin() + static_cast<std::ptrdiff_t>(at), words.end());
}

bool Arguments::has(std::string_view flag) const {
  auto found = flags_.find(flag);
  return found != flags_.end() && found->second.back() != "false";
}

std::string Arguments::value(std::string_view flag, std::string_view otherwise) const {
  auto found = flags_.find(flag);
  return found == flags_.end() ? std::string(otherwise) : found->second.back();
}

std::vector<std::string> Arguments::values(std::string_view flag) const {
  auto found = flags_.find(flag);
  return found == flags_.end() ? std::vector<std::string>() : found->second;
}

std::optional<std::int64_t> Arguments::number(std::string_view flag) const {
  if (!flags_.contains(flag)) return std::nullopt;
  auto parsed = parse_int<std::int64_t>(value(flag));
  if (!parsed) throw UsageError(cat("invalid value ", quoted(value(flag)), " for flag -", flag, ": parse error"));
  return parsed;
}

void Arguments::expect(std::string_view command, std::size_t least, std::size_t most) const {
  auto refuse = [&](std::string_view how, std::size_t count) {
    throw UsageError(cat(quoted(command), " requires ", how, " ", count, " argument(s)"));
  };
  auto count = operands_.size();
  if (least == most && count != least) refuse("exactly", least);
  if (count < least) refuse("a minimum of", least);
  if (count > most) refuse("a maximum of", most);
}

}  // namespace proa::runtime
