// What a template's expressions give, and Go's rules for them: truth, order, printing.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace proa::cli::tmpl {

struct Value {
  Json json;
  bool absent = false;  // a missing key: prints "<no value>"
  bool is_map = false;  // the object is a Go map (keys are data), not a struct
  bool is_nil = false;  // an empty list or map that JSON shows as null
};

// The zero value of a member in docker's types; nullopt for a name that is not known.
std::optional<Value> zero_of(std::string_view name);
// The same for a member that `owner` has not got.
std::optional<Value> missing_member(const JsonObject& owner, std::string_view name);

// True where an object found under this member is a map in Docker's Go types.
bool is_map_member(std::string_view name);
bool is_true(const Value& value);
std::string print(const Value& value);                                             // %v
std::string format(const std::string& spec, const std::vector<Value>& arguments);  // fmt.Sprintf
// Without members that start with '\x01'.
Json visible(const Json& value);

// The functions of text/template and docker's own. Throws Error with the plain reason. `header`: see Template::Options.
bool is_function(std::string_view name);
Value call_function(std::string_view name, const std::vector<Value>& arguments, bool header);

}  // namespace proa::cli::tmpl
