// Command-line flags as pflag reads them: "-itd", "-p80:80", "--name=x", "--init=false", "--", repeated flags.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace proa::cli {

// What a flag's value is; the name that help shows for it follows from this.
enum class Kind : std::uint8_t {
  Bool,
  String,
  List,
  Strings,
  Int,
  Uint,
  Uint16,
  Bytes,
  Decimal,
  Duration,
  Map,
  Filter,
  Mount,
  Network,
  Ulimit,
  Gpus,
};

// Says what is wrong with one value, "" if nothing is.
using Check = std::string (*)(std::string_view value);

struct Flag {
  const char* name;
  char letter;  // 0: it has none
  Kind kind;
  const char* usage;         // the text of --help, its default included
  const char* initial = "";  // the value where the flag is not given
  Check check = nullptr;
  bool hidden = false;
  const char* deprecated = nullptr;  // what to say when it is used
  const char* same_as = nullptr;     // an old name of another flag
};

// A mistake on the command line, in pflag's words.
struct FlagError {
  std::string message;
};

// The flags and arguments that were given.
class Flags {
 public:
  using Table = std::vector<std::span<const Flag>>;

  // `interspersed`: flags may follow the first argument. Throws FlagError. With --help (or -h where no flag takes it)
  // `wants_help()` is true and the rest does not matter.
  Flags(Table table, std::span<const std::string> words, bool interspersed);

  bool given(std::string_view name) const;
  bool none_given() const { return values_.empty(); }
  std::string text(std::string_view name) const;  // the last value or the initial one
  bool on(std::string_view name) const;
  std::int64_t number(std::string_view name) const;                   // Int, Uint, Uint16, Bytes, Duration (ns)
  const std::vector<std::string>& list(std::string_view name) const;  // Strings are split at commas as CSV
  const std::vector<std::string>& arguments() const { return arguments_; }
  bool wants_help() const { return help_; }
  const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  const Flag* find(std::string_view name) const;
  const Flag* find(char letter) const;
  const Flag& must_find(std::string_view name) const;
  void store(const Flag& flag, std::string_view value);
  void take_long(std::span<const std::string> words, std::size_t& at);
  void take_letters(std::span<const std::string> words, std::size_t& at);

  Table table_;
  std::map<std::string, std::vector<std::string>, std::less<>> values_;
  std::vector<std::string> arguments_;
  std::vector<std::string> warnings_;
  bool help_ = false;
};

// strconv.ParseBool and ParseInt(base 0).
std::optional<bool> parse_go_bool(std::string_view text);
enum class IntError { None, Syntax, Range };
IntError parse_go_int(std::string_view text, std::int64_t& value);
// One line of comma separated values, with encoding/csv's quotes. nullopt: a quote is out of place.
std::optional<std::vector<std::string>> parse_csv(std::string_view line);

// "string", "list", ... as help shows it; "" for Bool.
std::string_view value_name(Kind kind);
// The table as `--help` shows it, wrapped to `width` columns as pflag does it.
std::string flag_usages(const Flags::Table& table, int width);

}  // namespace proa::cli
