// size: templates cannot move into a source file.
// Structs to JSON and back by a table of fields, with Go's rules: names match without case, null leaves the default,
// unknown members are ignored.
//
//   struct Port { std::string ip; int number = 0; };
//   template <> struct json::Fields<Port> {
//     static constexpr auto list = std::tuple{json::optional("IP", &Port::ip), json::always("Number", &Port::number)};
//   };
//   Port port = json::decode<Port>(value);  Json value = json::encode(port);
//
// Include this header only in the .cc that defines a type's to_json/from_json: it is dear to compile.
#pragma once

#include <limits>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/text.h"

namespace proa::json {

enum class Emit {
  Optional,  // left out when empty (Go's omitempty)
  Always,    // written always; an empty list is [], an empty map {}
  Nullable,  // written always; an empty list or map is null
};

template <class Struct, class Member>
struct Field {
  std::string_view name;
  Member Struct::*member;
  Emit emit;
};

template <class S, class M>
constexpr Field<S, M> optional(std::string_view name, M S::*member) {
  return {name, member, Emit::Optional};
}
template <class S, class M>
constexpr Field<S, M> always(std::string_view name, M S::*member) {
  return {name, member, Emit::Always};
}
template <class S, class M>
constexpr Field<S, M> nullable(std::string_view name, M S::*member) {
  return {name, member, Emit::Nullable};
}

template <class Struct>
struct Fields;

template <class T>
concept Described = requires {
  Fields<T>::list;
};

template <class T>
Json encode(const T& value);
template <class T>
void decode_into(const Json& from, T& to, std::string_view where);

template <class T>
T decode(const Json& from, std::string_view where = "") {
  T value{};
  decode_into(from, value, where);
  return value;
}

namespace codec {

template <class T>
struct IsVector : std::false_type {};
template <class T>
struct IsVector<std::vector<T>> : std::true_type {};
template <class T>
struct IsMap : std::false_type {};
template <class V>
struct IsMap<std::map<std::string, V>> : std::true_type {};
template <class T>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {};

[[noreturn]] void wrong_type(std::string_view where, std::string_view wanted, const Json& got);

template <class T>
bool is_empty(const T& value) {
  if constexpr (IsOptional<T>::value) {
    return !value.has_value();
  } else if constexpr (std::is_same_v<T, std::string> || IsVector<T>::value || IsMap<T>::value) {
    return value.empty();
  } else if constexpr (std::is_arithmetic_v<T>) {
    return value == T{};
  } else if constexpr (std::is_same_v<T, Json>) {
    return value.is_null();
  } else {
    return false;  // a nested struct is written even when all of it is empty, as Go does
  }
}

template <class Int>
Int integer(const Json& from, std::string_view where) {
  if (from.is_int64() && std::in_range<Int>(from.get_int64())) return static_cast<Int>(from.get_int64());
  if (from.is_uint64() && std::in_range<Int>(from.get_uint64())) return static_cast<Int>(from.get_uint64());
  wrong_type(where, std::is_signed_v<Int> ? "integer" : "unsigned integer", from);
}

}  // namespace codec

template <class T>
Json encode(const T& value) {
  using namespace codec;
  if constexpr (std::is_same_v<T, Json>) {
    return value;
  } else if constexpr (std::is_same_v<T, bool>) {
    return Json(value);
  } else if constexpr (std::is_integral_v<T> && std::is_signed_v<T>) {
    return Json(static_cast<std::int64_t>(value));
  } else if constexpr (std::is_integral_v<T>) {
    return Json(static_cast<std::uint64_t>(value));
  } else if constexpr (std::is_floating_point_v<T>) {
    return Json(static_cast<double>(value));
  } else if constexpr (std::is_same_v<T, std::string>) {
    return Json(std::string_view(value));
  } else if constexpr (IsOptional<T>::value) {
    return value ? encode(*value) : Json(nullptr);
  } else if constexpr (IsVector<T>::value) {
    JsonArray array;
    array.reserve(value.size());
    for (const typename T::value_type& item : value) array.push_back(encode(item));
    return array;
  } else if constexpr (IsMap<T>::value) {
    JsonObject object;
    for (const auto& [key, item] : value) object[key] = encode(item);
    return object;
  } else {
    static_assert(Described<T>, "json::Fields<T> is missing");
    JsonObject object;
    std::apply(
        [&](const auto&... field) {
          [[maybe_unused]] auto one = [&](const auto& f) {
            const auto& member = value.*(f.member);
            bool empty = is_empty(member);
            if (f.emit == Emit::Optional && empty) return;
            using M = std::remove_cvref_t<decltype(member)>;
            if constexpr (IsVector<M>::value || IsMap<M>::value) {
              if (f.emit == Emit::Nullable && empty) {
                object[f.name] = nullptr;
                return;
              }
            }
            object[f.name] = encode(member);
          };
          (one(field), ...);
        },
        Fields<T>::list);
    return object;
  }
}

template <class T>
void decode_into(const Json& from, T& to, std::string_view where) {
  using namespace codec;
  if constexpr (std::is_same_v<T, Json>) {
    to = from;
  } else if constexpr (IsOptional<T>::value) {
    if (from.is_null()) {
      to.reset();
    } else {
      to.emplace();
      decode_into(from, *to, where);
    }
  } else if (from.is_null()) {
    return;
  } else if constexpr (std::is_same_v<T, bool>) {
    if (!from.is_bool()) wrong_type(where, "bool", from);
    to = from.get_bool();
  } else if constexpr (std::is_integral_v<T>) {
    to = integer<T>(from, where);
  } else if constexpr (std::is_floating_point_v<T>) {
    if (!from.is_number()) wrong_type(where, "number", from);
    to = from.to_number<T>();
  } else if constexpr (std::is_same_v<T, std::string>) {
    if (!from.is_string()) wrong_type(where, "string", from);
    to = std::string_view(from.get_string());
  } else if constexpr (IsVector<T>::value) {
    if (!from.is_array()) wrong_type(where, "array", from);
    to.clear();
    for (const Json& item : from.get_array()) {
      typename T::value_type element{};
      decode_into(item, element, where);
      to.push_back(std::move(element));
    }
  } else if constexpr (IsMap<T>::value) {
    if (!from.is_object()) wrong_type(where, "object", from);
    for (const auto& member : from.get_object()) {
      decode_into(member.value(), to[std::string(member.key())], cat(where, ".", std::string_view(member.key())));
    }
  } else {
    static_assert(Described<T>, "json::Fields<T> is missing");
    if (!from.is_object()) wrong_type(where, "object", from);
    const JsonObject& object = from.get_object();
    std::apply(
        [&](const auto&... field) {
          [[maybe_unused]] auto one = [&](const auto& f) {
            const Json* member = object.if_contains(f.name);
            for (auto it = object.begin(); !member && it != object.end(); ++it) {
              if (iequals(it->key(), f.name)) member = &it->value();
            }
            if (member)
              decode_into(*member, to.*(f.member), where.empty() ? std::string(f.name) : cat(where, ".", f.name));
          };
          (one(field), ...);
        },
        Fields<T>::list);
  }
}

}  // namespace proa::json
