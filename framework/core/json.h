// JSON from the same field lists as the binary codec. For config files, the HTTP API and traces.
// Heavy: only .cpp files of the framework and the grader include it.
#pragma once

#include <cctype>
#include <cmath>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>

#include "core/codec.h"
#include "core/history.h"
#include "core/state.h"

namespace dynamo {

using Json = nlohmann::ordered_json;

/// Says which field of which document is wrong, and what it should be.
class JsonError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

namespace json {

/// Splits "a, b, c" as FIELDS wrote it.
inline std::string_view next_name(std::string_view& names) {
  const std::size_t comma = names.find(',');
  std::string_view name = names.substr(0, comma);
  names.remove_prefix(comma == names.npos ? names.size() : comma + 1);
  while (!name.empty() && name.front() == ' ') name.remove_prefix(1);
  while (!name.empty() && name.back() == ' ') name.remove_suffix(1);
  return name;
}

/// A field's key in JSON: a Duration carries its unit.
template <class T>
std::string key_of(std::string_view field) {
  return std::is_same_v<T, Duration> ? std::string(field) + "_ms" : std::string(field);
}

template <class T>
Json to(const T& value);

std::string hex(std::uint64_t high, std::uint64_t low);

/// A key's state with its versions and clock, as people and traces want it.
Json state(const State& state);

template <class T>
Json to(const T& value) {
  if constexpr (std::is_same_v<T, bool> || std::unsigned_integral<T> ||
                std::is_same_v<T, std::string>) {
    return value;
  } else if constexpr (std::is_enum_v<T>) {
    return name_of(value);
  } else if constexpr (std::is_same_v<T, Duration>) {
    if (value.count() % 1000 == 0) return value.count() / 1000;
    return static_cast<double>(value.count()) / 1000.0;
  } else if constexpr (codec::is_vector<T>::value) {
    Json list = Json::array();
    for (const auto& item : value) list.push_back(to(item));
    return list;
  } else if constexpr (codec::is_optional<T>::value) {
    return value ? to(*value) : Json();
  } else if constexpr (codec::is_result<T>::value) {
    return value.ok() ? to(value.value()) : Json{{"error", to(value.error())}};
  } else if constexpr (std::is_same_v<T, State>) {
    return state(value);
  } else if constexpr (requires {
                         value.high;
                         value.low;
                       }) {
    return hex(value.high, value.low);  // 64-bit numbers lose digits in many JSON readers
  } else {
    Json object = Json::object();
    value.each_field([&](std::string_view names, const auto&... field) {
      [[maybe_unused]] const auto one = [&](const auto& f) {
        object[key_of<std::remove_cvref_t<decltype(f)>>(next_name(names))] = to(f);
      };
      (one(field), ...);
    });
    return object;
  }
}

/// What is said of a value that is wrong: all of it if it is small.
inline std::string excerpt(const Json& value) {
  if (value.is_object()) return "an object";
  if (value.is_array()) return "a list";
  std::string text = value.dump();
  return text.size() <= 60 ? text : text.substr(0, 60) + "…";
}

/// Reads `value` from `in`; absent fields keep what they have. `where` names the place for errors.
/// Throws JsonError on a wrong type, an unknown field, or a number out of range.
template <class T>
void from(const Json& in, T& value, const std::string& where) {
  const auto fail = [&](const std::string& wanted) {
    throw JsonError(where + ": expected " + wanted + ", found " + excerpt(in));
  };
  if constexpr (std::is_same_v<T, bool>) {
    if (!in.is_boolean()) fail("true or false");
    value = in.get<bool>();
  } else if constexpr (std::unsigned_integral<T>) {
    if (!in.is_number_unsigned() || in.get<std::uint64_t>() > T(-1)) {
      fail("a whole number from 0 to " + std::to_string(T(-1)));
    }
    value = in.get<T>();
  } else if constexpr (std::is_same_v<T, Duration>) {
    if (!in.is_number() || in.get<double>() < 0 || in.get<double>() > 1e12) {
      fail("milliseconds, from 0 to 10^12");
    }
    value = Duration(std::llround(in.get<double>() * 1000.0));
  } else if constexpr (std::is_same_v<T, std::string>) {
    if (!in.is_string()) fail("a string");
    value = in.get<std::string>();
  } else if constexpr (codec::is_vector<T>::value) {
    if (!in.is_array()) fail("a list");
    value.clear();
    for (const Json& item : in) {
      const std::string place = where + "[" + std::to_string(value.size()) + "]";
      from(item, value.emplace_back(), place);
    }
  } else {
    if (!in.is_object()) fail("an object");
    Json rest = in;
    std::string known;
    value.each_field([&](std::string_view names, auto&... field) {
      const auto one = [&](auto& f) {
        const std::string key = key_of<std::remove_cvref_t<decltype(f)>>(next_name(names));
        known += (known.empty() ? "" : ", ") + key;
        if (!rest.contains(key)) return;
        from(rest[key], f, where + "." + key);
        rest.erase(key);
      };
      (one(field), ...);
    });
    if (!rest.empty()) {
      throw JsonError(where + ": unknown field \"" + rest.begin().key() +
                      "\"; known are: " + known);
    }
  }
}

}  // namespace json
}  // namespace dynamo
