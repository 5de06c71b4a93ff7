#include "sim/story_clocks.h"

#include <algorithm>
#include <cstdio>
#include <initializer_list>

#include "core/json.h"

namespace dynamo::sim {

namespace {

bool has_just(const Json& value, std::initializer_list<const char*> fields) {
  if (!value.is_object() || value.size() != fields.size()) return false;
  for (const char* field : fields) {
    if (!value.contains(field)) return false;
  }
  return true;
}

std::string number(const Json& value) { return value.is_null() ? "?" : json::text(value); }

/// A moment of a wall clock, in microseconds: of so long a number, the end.
std::string time_words(const Json& time_us) {
  constexpr std::size_t kDigits = 9;
  std::string digits = number(time_us);
  if (digits.size() > kDigits + 2) digits.replace(0, digits.size() - kDigits, "…");
  return digits + " us";
}

std::string name(const Json& value) {
  return value.is_string() ? short_text(value.get<std::string>()) : json::text(value);
}

/// Empty for disks 1 and 7, which all nodes of unit checks have.
std::string disk_words(const Json& incarnation) {
  if (!incarnation.is_number_unsigned() || incarnation == 1 || incarnation == 7) return "";
  char digits[8];
  std::snprintf(digits, sizeof digits, "/%04x",
                static_cast<unsigned>(incarnation.get<std::uint64_t>() & 0xffff));
  return digits;
}

std::string actor_words(const Json& actor) {
  const std::string epoch = number(actor["epoch"]);
  return name(actor["node"]) + disk_words(actor["incarnation"]) +
         (epoch == "1" ? "" : " epoch " + epoch);
}

std::string dot_words(const Json& dot) {
  const auto actor = clock_words(dot["actor"]);
  std::string told = "[";
  return told.append(actor.value_or("?")).append(",").append(number(dot["counter"])).append("]");
}

std::string entries_words(const Json& entries) {
  std::string told = "(";
  for (const Json& entry : entries) {
    if (told.size() > 1) told.append(",");
    told.append(clock_words(entry).value_or("?"));
  }
  return told.append(")");
}

bool is_empty_clock(const Json& clock) {
  return clock.is_object() && clock.contains("entries") && clock["entries"].empty();
}

std::string version_words(const Json& version) {
  const Json& value = version["value"];
  if (version["dot"].value("counter", Json(0)) == 0) {  // last write wins, without clocks
    return (value.is_null() ? "tombstone" : name(value)) + ", " +
           clock_words(version["stamp"]).value_or("?");
  }
  return (value.is_null() ? "tombstone" : name(value)) + " " +
         clock_words(version["dot"]).value_or("?") + " after " +
         clock_words(version["seen"]).value_or("?");
}

std::string state_words(const Json& state) {
  std::string told;
  for (const Json& version : state["versions"]) {
    told += (told.empty() ? "" : "; ") + clock_words(version).value_or("?");
  }
  // Where the last write wins, nobody keeps clocks.
  if (told.empty() || !is_empty_clock(state["clock"])) {
    told += (told.empty() ? "clock " : "; clock ") + clock_words(state["clock"]).value_or("?");
  }
  return "{" + told + "}";
}

}  // namespace

std::string short_text(const std::string& text) {
  constexpr std::size_t kMost = 60;
  constexpr std::size_t kShown = 20;
  const bool control =
      std::any_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x20; });
  if (control || text.find("\xef\xbf\xbd") != text.npos) {  // U+FFFD: what JSON makes of bytes
    return "(" + std::to_string(text.size()) + " bytes)";
  }
  if (text.size() <= kMost) return text;
  std::size_t end = kShown;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80)
    --end;  // whole characters
  return text.substr(0, end) + "… (" + std::to_string(text.size()) + " bytes)";
}

std::optional<std::string> clock_words(const Json& value) {
  if (has_just(value, {"node", "incarnation", "epoch"})) return actor_words(value);
  if (has_just(value, {"actor", "counter"})) return dot_words(value);
  if (has_just(value, {"entries"}) && value["entries"].is_array()) {
    return entries_words(value["entries"]);
  }
  if (has_just(value, {"dot", "seen", "value", "stamp"})) return version_words(value);
  if (has_just(value, {"versions", "clock"}) && value["versions"].is_array()) {
    return state_words(value);
  }
  if (has_just(value, {"time_us", "node", "incarnation", "sequence"})) {
    return "stamp " + time_words(value["time_us"]) + " " + name(value["node"]) +
           disk_words(value["incarnation"]) + " #" + number(value["sequence"]);
  }
  return std::nullopt;
}

}  // namespace dynamo::sim
