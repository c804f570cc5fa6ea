// A command line of runc's kind: flags with one or two dashes, values behind "=" or as the next word, then operands.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace proa::runtime {

struct FlagSpec {
  std::string_view name;        // "pid-file"
  std::string_view short_name;  // "p" or ""
  bool takes_value = false;
};

enum class Order { FlagsFirst, Mixed };

class Arguments {
 public:
  // Reads flags up to the first operand, or, with Mixed, wherever they stand; up to "--" in either case. Throws
  // InvalidArgument "flag provided but not defined: -x".
  Arguments(std::span<const FlagSpec> flags, std::span<const std::string> words, Order order = Order::FlagsFirst);

  bool has(std::string_view flag) const;
  std::string value(std::string_view flag, std::string_view otherwise = "") const;  // the last one given
  std::vector<std::string> values(std::string_view flag) const;
  std::optional<std::int64_t> number(std::string_view flag) const;
  const std::vector<std::string>& operands() const { return operands_; }
  const std::string& operand(std::size_t index) const;  // throws if it is missing

 private:
  std::map<std::string, std::vector<std::string>, std::less<>> flags_;
  std::vector<std::string> operands_;
};

}  // namespace proa::runtime
