// Messages and values (JSON) in words.
#include "sim/message_words.h"

#include <algorithm>
#include <cstdio>
#include <initializer_list>
#include <optional>

#include "core/json.h"
#include "sim/story_clocks.h"

namespace dynamo::sim {

namespace {

constexpr std::size_t kListed = 4;        // of a long list: the first …
constexpr std::size_t kCopiesInFull = 3;  // … of more copies of keys, the keys alone
constexpr std::size_t kEventsListed = 3;  // … but of a long history the last, where things happen

bool is_event(const Json& value) {
  return value.is_object() && value.contains("subject") && value.contains("change") &&
         value.contains("version") && value["version"].is_object();
}

std::string event_words(const Json& event) {
  const Json& version = event["version"];
  const std::string change = event["change"].is_string() ? event["change"].get<std::string>() : "?";
  return event["subject"].get<std::string>() + (change == "join" ? " joins" : " leaves") + " (" +
         json::text(version.value("counter", Json(0))) + "@" +
         version.value("node", std::string("?")) + ")";
}

/// A place of an active list.
bool is_placement(const Json& value) {
  return value.is_object() && value.size() == 2 && value.contains("host") &&
         value.contains("stands_in_for") && value["host"].is_string() &&
         value["stands_in_for"].is_string();
}

std::string placement_words(const Json& placement) {
  const std::string dead = placement["stands_in_for"].get<std::string>();
  return placement["host"].get<std::string>() + (dead.empty() ? "" : " for " + dead);
}

bool is_hex(const std::string& text) {
  return text.size() == 32 && text.find_first_not_of("0123456789abcdef") == text.npos;
}

std::string history_words(const Json& events) {
  const std::size_t left_out = events.size() > kListed ? events.size() - kEventsListed : 0;
  std::string text = left_out == 0 ? "" : "… " + std::to_string(left_out) + " earlier";
  for (std::size_t i = left_out; i < events.size(); ++i) {
    text += (text.empty() ? "" : ", ") + event_words(events[i]);
  }
  return "[" + text + "]";
}

std::string words(const Json& value, const KeySet& about);

bool has_just(const Json& value, std::initializer_list<const char*> fields) {
  return value.is_object() && value.size() == fields.size() &&
         std::all_of(fields.begin(), fields.end(),
                     [&](const char* field) { return value.contains(field); });
}

/// What a sender of labs 3 to 6 knows of the members; mostly that is no news.
bool is_known(const Json& value) {
  return has_just(value, {"digest", "events"}) && value["events"].is_array();
}

bool is_copy(const Json& value) { return has_just(value, {"key", "hash", "state"}); }

bool is_about(const Json& key, const KeySet& about) {
  return key.is_string() && about.contains(key.get_ref<const std::string&>());
}

/// "a, b, c", and "… 15 more" if some were left out.
class Listed {
 public:
  void add(const std::string& item) { text_ += (text_.empty() ? "" : ", ") + item; }
  void leave_out() { ++left_out_; }
  std::string text() const {
    if (left_out_ == 0) return "[" + text_ + "]";
    return "[" + text_ + (text_.empty() ? "… " : ", … ") + std::to_string(left_out_) + " more]";
  }

 private:
  std::string text_;
  std::size_t left_out_ = 0;
};

/// Of many copies of keys, the first keys, and in full those that the story is about:
/// "[cart0, cart1, cart9 {milk, …}, … 15 more]".
std::string copies_words(const Json& copies, const KeySet& about) {
  constexpr std::size_t kShown = 2;
  Listed listed;
  for (std::size_t i = 0; i < copies.size(); ++i) {
    const Json& key = copies[i]["key"];
    if (is_about(key, about)) {
      listed.add(words(copies[i], about));
    } else if (i < kShown) {
      listed.add(words(key, about));
    } else {
      listed.leave_out();
    }
  }
  return listed.text();
}

std::string field_words(const std::string& key, const Json& item, const KeySet& about);

/// Small structs that need no names of fields: a copy of a key, the id of a request, an error.
std::optional<std::string> small_words(const Json& value, const KeySet& about) {
  if (is_copy(value)) {
    const bool offer = value["state"].is_null();
    return words(value["key"], about) + (offer ? " (hash " + words(value["hash"], about) + ")"
                                               : " " + words(value["state"], about));
  }
  if (has_just(value, {"client", "incarnation", "sequence"})) {
    return words(value["client"], about) + "#" + words(value["sequence"], about);
  }
  if (has_just(value, {"code", "message"})) {
    const auto* const message = value["message"].get_ptr<const std::string*>();
    const std::string why = message && message->empty() ? "" : words(value["message"], about);
    return words(value["code"], about) + (why.empty() ? "" : " (" + why + ")");
  }
  if (has_just(value, {"error"})) return words(value["error"], about);
  if (has_just(value, {"value", "context", "stamp"})) {  // a NewVersion
    const std::string context = field_words("context", value["context"], about);
    return (value["value"].is_null() ? "tombstone" : words(value["value"], about)) +
           (context.empty() ? "" : ", " + context) + ", " + words(value["stamp"], about);
  }
  if (value.is_object() && value.empty()) return "done";
  return std::nullopt;
}

/// A disk's incarnation: short ones as they are, of drawn ones the last hex digits.
std::string disk_name(const Json& incarnation) {
  constexpr std::uint64_t kShort = 10'000;
  if (!incarnation.is_number_unsigned()) return json::text(incarnation);
  const auto number = incarnation.get<std::uint64_t>();
  if (number < kShort) return std::to_string(number);
  char digits[8];
  std::snprintf(digits, sizeof digits, "…%04x", static_cast<unsigned>(number & 0xffff));
  return digits;
}

/// "vnode 3", "no copies", "confirmed none"; empty where nothing is said.
std::string field_words(const std::string& key, const Json& item, const KeySet& about) {
  if (item.is_string() && item.get_ref<const std::string&>().empty()) return "";
  if (key == "empty" && item == false) return "";                // of a ReadReply: the rule
  if (key == "context" && item.is_string()) return "a context";  // sealed: bytes
  if (key == "incarnation") return "disk " + disk_name(item);
  if (item.is_array() && item.empty()) return key.back() == 's' ? "no " + key : key + " none";
  const std::string told = words(item, about);
  return told.rfind(key + " ", 0) == 0 ? told : key + " " + told;  // "stamp …" says what it is
}

std::string words(const Json& value, const KeySet& about) {
  if (is_event(value)) return event_words(value);
  if (is_placement(value)) return placement_words(value);
  if (auto told = clock_words(value)) return *std::move(told);
  if (value.is_null()) return "none";
  if (value.is_string()) {
    const auto& text = value.get_ref<const std::string&>();
    if (text.empty()) return "\"\"";
    return is_hex(text) ? text.substr(0, 6) + "…" : short_text(text);
  }
  std::string text;
  if (value.is_array() && std::all_of(value.begin(), value.end(), is_event)) {
    return history_words(value);
  }
  if (value.is_array() && value.size() > kCopiesInFull &&
      std::all_of(value.begin(), value.end(), is_copy)) {
    return copies_words(value, about);
  }
  if (value.is_array()) {
    const std::size_t shown = value.size() > kListed + 1 ? kListed : value.size();
    Listed listed;
    for (std::size_t i = 0; i < value.size(); ++i) {
      if (i < shown || is_about(value[i], about)) {
        listed.add(words(value[i], about));
      } else {
        listed.leave_out();
      }
    }
    return listed.text();
  }
  if (auto told = small_words(value, about)) return *std::move(told);
  if (value.is_object()) {
    const bool tells_events = value.contains("events") && !value["events"].empty();
    for (const auto& [key, item] : value.items()) {
      if (key == "digest" && tells_events) continue;  // a hash of what the sender knows
      if (key == "known" && is_known(item)) {
        if (!item["events"].empty()) {
          text += (text.empty() ? "" : ", ") + ("events " + history_words(item["events"]));
        }
      } else if (const std::string told = field_words(key, item, about); !told.empty()) {
        text += (text.empty() ? "" : ", ") + told;
      }
    }
    return text;
  }
  return json::text(value);
}

/// What the story is about may stand far behind; but a line fits a screen.
std::size_t room(std::size_t most, const KeySet& about) {
  constexpr std::size_t kMore = 12;
  constexpr std::size_t kMost = 130;
  return about.empty() ? most : std::max(most, std::min(most + kMore, kMost));
}

std::string cut_at(std::string told, std::size_t most) {
  if (told.size() <= most) return told;
  std::size_t end = most;
  while (end > 0 && (static_cast<unsigned char>(told[end]) & 0xc0) == 0x80)
    --end;  // whole characters
  return told.substr(0, end) + "…";
}

}  // namespace

std::string in_words(const std::string& text, std::size_t most, const KeySet& about) {
  const Json value = json::parse(text);
  return cut_at(value.is_discarded() ? text : words(value, about), room(most, about));
}

std::string arguments_in_words(const std::string& text, std::size_t most, const KeySet& about) {
  const Json value = json::parse(text);
  std::string told = value.is_array() ? "" : text;
  for (const Json& argument : value.is_array() ? value : Json::array()) {
    if (!told.empty()) told.append(", ");
    told.append(words(argument, about));
  }
  return cut_at(std::move(told), room(most, about)).insert(0, 1, '(').append(")");
}

}  // namespace dynamo::sim
