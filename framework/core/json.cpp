#include "core/json.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

namespace dynamo::json {

bool is_utf8(std::string_view text) {
  try {
    static_cast<void>(Json(std::string(text)).dump());
    return true;
  } catch (const Json::type_error&) {
    return false;
  }
}

Json parse(std::string_view text) { return Json::parse(text, nullptr, false); }

Json parse_or_throw(std::string_view text) {
  try {
    return Json::parse(text);
  } catch (const Json::parse_error& error) {
    throw JsonError(error.what());
  }
}

std::string text(const Json& value, int indent) {
  return value.dump(indent, ' ', false, Json::error_handler_t::replace);
}

std::string_view next_name(std::string_view& names) {
  const std::size_t comma = names.find(',');
  std::string_view name = names.substr(0, comma);
  names.remove_prefix(comma == names.npos ? names.size() : comma + 1);
  while (!name.empty() && name.front() == ' ') name.remove_prefix(1);
  while (!name.empty() && name.back() == ' ') name.remove_suffix(1);
  return name;
}

std::string hex(std::uint64_t high, std::uint64_t low) {
  std::array<char, 33> digits{};
  std::snprintf(digits.data(), digits.size(), "%016llx%016llx",
                static_cast<unsigned long long>(high), static_cast<unsigned long long>(low));
  return digits.data();
}

std::string excerpt(const Json& value) {
  if (value.is_object()) return "an object";
  if (value.is_array()) return "a list";
  const std::string all = text(value);
  return all.size() <= 60 ? all : all.substr(0, 60) + "…";
}

void fail(const Json& in, const std::string& wanted, const std::string& where) {
  throw JsonError(where + ": expected " + wanted + ", found " + excerpt(in));
}

void read(const Json& in, bool& value, const std::string& where) {
  if (!in.is_boolean()) fail(in, "true or false", where);
  value = in.get<bool>();
}

void read(const Json& in, Duration& value, const std::string& where) {
  if (!in.is_number() || in.get<double>() < 0 || in.get<double>() > 1e12) {
    fail(in, "milliseconds, from 0 to 10^12", where);
  }
  value = Duration(std::llround(in.get<double>() * 1000.0));
}

void read(const Json& in, std::string& value, const std::string& where) {
  if (!in.is_string()) fail(in, "a string", where);
  value = in.get<std::string>();
}

std::uint64_t read_number(const Json& in, std::uint64_t most, const std::string& where) {
  if (!in.is_number_unsigned() || in.get<std::uint64_t>() > most) {
    fail(in, "a whole number from 0 to " + std::to_string(most), where);
  }
  return in.get<std::uint64_t>();
}

Fields::Fields(const Json& in, const std::string& where) : in_(in), where_(where) {
  if (!in.is_object()) fail(in, "an object", where);
}

const Json* Fields::find(const std::string& key) {
  known_.push_back(key);
  const auto found = in_.find(key);
  return found == in_.end() ? nullptr : &*found;
}

void Fields::check_no_other() const {
  for (const auto& [key, value] : in_.items()) {
    if (std::find(known_.begin(), known_.end(), key) != known_.end()) continue;
    std::string all;
    for (const std::string& name : known_) all += (all.empty() ? "" : ", ") + name;
    throw JsonError(where_ + ": unknown field \"" + key + "\"; known are: " + all);
  }
}

}  // namespace dynamo::json
