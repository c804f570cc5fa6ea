// A command line of runc's kind: flags with one or two dashes, values behind "=" or as the next word, then operands.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace proa::runtime {

struct FlagSpec {
  std::string_view name;        // "pid-file"
  std::string_view short_name;  // "p" or ""
  bool takes_value = false;
  std::string_view help = {};
};

constexpr std::size_t kAnyNumber = static_cast<std::size_t>(-1);  // of operands

enum class Order { FlagsFirst, Mixed };

// The command line is not as the command has it; other errors are about what it names.
class UsageError : public Error {
 public:
  explicit UsageError(std::string message) : Error(ErrorKind::InvalidArgument, std::move(message)) {}
};

class Arguments {
 public:
  // Reads flags up to the first operand, or, with Mixed, wherever they stand; up to "--" in either case. Throws
  // UsageError "flag provided but not defined: -x".
  Arguments(std::span<const FlagSpec> flags, std::span<const std::string> words, Order order = Order::FlagsFirst);

  bool has(std::string_view flag) const;
  std::string value(std::string_view flag, std::string_view otherwise = "") const;  // the last one given
  std::vector<std::string> values(std::string_view flag) const;
  std::optional<std::int64_t> number(std::string_view flag) const;
  const std::vector<std::string>& operands() const { return operands_; }
  const std::string& operand(std::size_t index) const { return operands_.at(index); }
  // Throws UsageError, in runc's words, for fewer or more operands.
  void expect(std::string_view command, std::size_t least, std::size_t most) const;

 private:
  std::map<std::string, std::vector<std::string>, std::less<>> flags_;
  std::vector<std::string> operands_;
};

}  // namespace proa::runtime
