// JSON from the same field lists as the binary codec. For config files, the HTTP API and traces.
// Heavy: only .cpp files of the framework and the grader include it.
#pragma once

#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>

#include "core/codec.h"
#include "core/history.h"
#include "core/json_fwd.h"
#include "core/state.h"

namespace dynamo {

/// Says which field of which document is wrong, and what it should be.
class JsonError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

namespace json {

// parse() and text(), not Json's own parse() and dump(): those are compiled anew in each file.

/// Whether `text` can stand in JSON as it is.
bool is_utf8(std::string_view text);

/// is_discarded() if `text` is no JSON.
Json parse(std::string_view text);

/// As parse(), but throws JsonError, which says where and why `text` is no JSON.
Json parse_or_throw(std::string_view text);

/// On one line; with `indent`, on many. Bytes that are no UTF-8 are replaced, so that what comes
/// out is JSON whatever a message held.
std::string text(const Json& value, int indent = -1);

/// Splits "a, b, c" as FIELDS wrote it.
std::string_view next_name(std::string_view& names);

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
std::string excerpt(const Json& value);

/// Throws JsonError: the place, what should stand there, and what does.
[[noreturn]] void fail(const Json& in, const std::string& wanted, const std::string& where);

// The leaves of from(), which has the contract.
void read(const Json& in, bool& value, const std::string& where);
void read(const Json& in, Duration& value, const std::string& where);
void read(const Json& in, std::string& value, const std::string& where);
std::uint64_t read_number(const Json& in, std::uint64_t most, const std::string& where);

/// The fields of an object, each to be asked for by name.
class Fields {
 public:
  /// Throws JsonError if `in` is no object. `in` and `where` must outlive this.
  Fields(const Json& in, const std::string& where);

  /// Null if the object has no such field.
  const Json* find(const std::string& key);

  /// Throws JsonError if the object has a field that nobody asked for.
  void check_no_other() const;

 private:
  const Json& in_;
  const std::string& where_;
  std::vector<std::string> known_;
};

/// Reads `value` from `in`; absent fields keep what they have. `where` names the place for errors.
/// Throws JsonError on a wrong type, an unknown field, or a number out of range.
template <class T>
void from(const Json& in, T& value, const std::string& where) {
  if constexpr (std::is_same_v<T, bool> || std::is_same_v<T, Duration> ||
                std::is_same_v<T, std::string>) {
    read(in, value, where);
  } else if constexpr (std::unsigned_integral<T>) {
    value = static_cast<T>(read_number(in, T(-1), where));
  } else if constexpr (codec::is_vector<T>::value) {
    if (!in.is_array()) fail(in, "a list", where);
    value.clear();
    for (const Json& item : in) {
      const std::string place = where + "[" + std::to_string(value.size()) + "]";
      from(item, value.emplace_back(), place);
    }
  } else {
    Fields fields(in, where);
    value.each_field([&](std::string_view names, auto&... field) {
      const auto one = [&](auto& f) {
        const std::string key = key_of<std::remove_cvref_t<decltype(f)>>(next_name(names));
        if (const Json* found = fields.find(key)) from(*found, f, where + "." + key);
      };
      (one(field), ...);
    });
    fields.check_no_other();
  }
}

}  // namespace json
}  // namespace dynamo
