// Single steps and messages in words.
#include <algorithm>
#include <cstdio>
#include <initializer_list>
#include <optional>

#include "core/json.h"
#include "sim/story.h"
#include "sim/story_clocks.h"
#include "sim/story_lines.h"

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

std::string words(const Json& value);

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

/// Of many copies of keys, the first keys: "[cart0, cart1, … 15 more]".
std::string copies_words(const Json& copies) {
  constexpr std::size_t kShown = 2;
  std::string text;
  for (std::size_t i = 0; i < kShown; ++i) text += words(copies[i]["key"]) + ", ";
  return "[" + text + "… " + std::to_string(copies.size() - kShown) + " more]";
}

std::string field_words(const std::string& key, const Json& item);

/// Small structs that need no names of fields: a copy of a key, the id of a request, an error.
std::optional<std::string> small_words(const Json& value) {
  if (is_copy(value)) {
    const bool offer = value["state"].is_null();
    return words(value["key"]) +
           (offer ? " (hash " + words(value["hash"]) + ")" : " " + words(value["state"]));
  }
  if (has_just(value, {"client", "incarnation", "sequence"})) {
    return words(value["client"]) + "#" + words(value["sequence"]);
  }
  if (has_just(value, {"code", "message"})) {
    const auto* const message = value["message"].get_ptr<const std::string*>();
    const std::string why = message && message->empty() ? "" : words(value["message"]);
    return words(value["code"]) + (why.empty() ? "" : " (" + why + ")");
  }
  if (has_just(value, {"error"})) return words(value["error"]);
  if (has_just(value, {"value", "context", "stamp"})) {  // a NewVersion
    const std::string context = field_words("context", value["context"]);
    return (value["value"].is_null() ? "tombstone" : words(value["value"])) +
           (context.empty() ? "" : ", " + context) + ", " + words(value["stamp"]);
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
std::string field_words(const std::string& key, const Json& item) {
  if (item.is_string() && item.get_ref<const std::string&>().empty()) return "";
  if (key == "empty" && item == false) return "";                // of a ReadReply: the rule
  if (key == "context" && item.is_string()) return "a context";  // sealed: bytes
  if (key == "incarnation") return "disk " + disk_name(item);
  if (item.is_array() && item.empty()) return key.back() == 's' ? "no " + key : key + " none";
  const std::string told = words(item);
  return told.rfind(key + " ", 0) == 0 ? told : key + " " + told;  // "stamp …" says what it is
}

std::string words(const Json& value) {
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
    return copies_words(value);
  }
  if (value.is_array()) {
    std::size_t told = 0;
    for (const Json& item : value) {
      if (told == kListed && value.size() > kListed + 1) {
        text += ", … " + std::to_string(value.size() - told) + " more";
        break;
      }
      text += (text.empty() ? "" : ", ") + words(item);
      ++told;
    }
    return "[" + text + "]";
  }
  if (auto told = small_words(value)) return *std::move(told);
  if (value.is_object()) {
    const bool tells_events = value.contains("events") && !value["events"].empty();
    for (const auto& [key, item] : value.items()) {
      if (key == "digest" && tells_events) continue;  // a hash of what the sender knows
      if (key == "known" && is_known(item)) {
        if (!item["events"].empty()) {
          text += (text.empty() ? "" : ", ") + ("events " + history_words(item["events"]));
        }
      } else if (const std::string told = field_words(key, item); !told.empty()) {
        text += (text.empty() ? "" : ", ") + told;
      }
    }
    return text;
  }
  return json::text(value);
}

}  // namespace

namespace {

std::string cut_at(std::string told, std::size_t most) {
  if (told.size() <= most) return told;
  std::size_t end = most;
  while (end > 0 && (static_cast<unsigned char>(told[end]) & 0xc0) == 0x80)
    --end;  // whole characters
  return told.substr(0, end) + "…";
}

}  // namespace

std::string in_words(const std::string& text, std::size_t most) {
  const Json value = json::parse(text);
  return cut_at(value.is_discarded() ? text : words(value), most);
}

std::string arguments_in_words(const std::string& text, std::size_t most) {
  const Json value = json::parse(text);
  std::string told = value.is_array() ? "" : text;
  for (const Json& argument : value.is_array() ? value : Json::array()) {
    if (!told.empty()) told.append(", ");
    told.append(words(argument));
  }
  return cut_at(std::move(told), most).insert(0, 1, '(').append(")");
}

std::string moment_words(Instant at) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3f",
                static_cast<double>(at.time_since_epoch().count()) / 1e6);
  return "t=" + std::string(text) + " s";
}

bool has_news(const Step& step) {
  if (step.writes != 0) return true;
  const Json data = json::parse(step.data);
  if (!data.is_object()) return false;
  bool lists = false;
  for (const auto& [key, item] : data.items()) {
    if (item.is_array() && !item.empty()) return true;
    lists = lists || item.is_array();
  }
  return !lists;  // a digest with an empty list brings nothing; a ping never had news to bring
}

bool is_quiet(const Step& step) {
  switch (step.kind) {
    case Step::Kind::send:
    case Step::Kind::receive:
      return !has_news(step);
    case Step::Kind::timer:
    case Step::Kind::check:
      return step.writes == 0;
    default:
      return false;
  }
}

namespace {

std::string written(const Step& step) {
  if (step.writes == 0) return "";
  return "; " + step.node + " writes " + std::to_string(step.writes) +
         (step.writes == 1 ? " record" : " records") + " to its disk";
}

/// "delay 1 to 5 ms · loss 20 %"
std::string model_words(const LinkModel& links) {
  const auto ms = [](Duration time) { return json::text(json::to(time)); };
  std::string text = "delay " + ms(links.delay_min);
  if (links.delay_max != links.delay_min) text += " to " + ms(links.delay_max);
  text += " ms";
  const std::pair<const char*, std::uint32_t> shares[] = {
      {" · loss ", links.loss_ppm},
      {" · exchanges lost ", links.exchange_loss_ppm},
      {" · doubled ", links.duplicate_ppm},
      {" · corrupted ", links.corrupt_ppm}};
  for (const auto& [what, ppm] : shares) {
    char percent[16];
    std::snprintf(percent, sizeof percent, "%g %%", ppm / 1e4);
    if (ppm != 0) text += what + std::string(percent);
  }
  return text;
}

std::string braced(const std::string& told) { return told.empty() ? "" : " {" + told + "}"; }

/// Milliseconds, as text: "-500 ms", "3600 s".
std::string skew_words(const std::string& ms) {
  const bool seconds = ms.size() > 4 && ms.compare(ms.size() - 3, 3, "000") == 0;
  return seconds ? ms.substr(0, ms.size() - 3) + " s" : ms + " ms";
}

std::string key_of_client(const Step& step) {
  const Json data = json::parse(step.data);
  return data.is_object() ? data.value("key", std::string()) : std::string();
}

}  // namespace

std::string link_model_words(const std::string& text) {
  LinkModel links;
  try {
    json::from(json::parse_or_throw(text), links, "link");
  } catch (const JsonError&) {
    return in_words(text);
  }
  return model_words(links);
}

std::string step_words(const Step& step) {
  using Kind = Step::Kind;
  const std::string what = step.reply ? "reply to " + step.message : step.message;
  switch (step.kind) {
    case Kind::start:
      return step.node + " starts" + (step.text.empty() ? "" : " " + step.text);
    case Kind::restart:
      return step.node + " is started again, with the disk as it is";
    case Kind::send:
      return step.node + " sends " + step.peer + " a " + what + ": " + in_words(step.data, 100);
    case Kind::receive:
      return step.node + " gets " + step.peer + "'s " + what + braced(in_words(step.data, 76)) +
             written(step);
    case Kind::drop:
      return "the " + what + " between " + step.node + " and " + step.peer +
             " is dropped: " + step.text;
    case Kind::refused:
      return step.node + "'s " + step.message + " to " + step.peer + " is refused";
    case Kind::timeout:
      return step.node + " hears no answer to its " + step.message + " from " + step.peer;
    case Kind::timer:
      return "a timer of " + step.node + " fires" + written(step);
    case Kind::commit:
      return step.node + " writes " + step.text;
    case Kind::console:
      return "the operator asks " + step.node + " to " + step.message + " " + step.text;
    case Kind::answer:
      return "the operator hears from " + step.node + ", asked to " + step.message + " " +
             step.peer + ": " + step.text;
    case Kind::client:
      return "a client asks " + step.node + " to " + step.message + " " + step.text;
    case Kind::told:
      return "the client that asked " + step.node + " to " + step.message + " " +
             key_of_client(step) + " is told: " + step.text;
    case Kind::check:
      return "the check asks " + step.node + " for " + step.message +
             arguments_in_words(step.data, 50) + ": " + in_words(step.text, 60) + written(step);
    case Kind::crash:
      if (step.text == "kill -9") return step.node + " is killed (kill -9); its disk stays";
      return step.node + " dies: " + step.text;
    case Kind::wipe:
      return step.node + " gets a new, empty disk";
    case Kind::pause:
      return step.node + " is paused (SIGSTOP): it takes messages, and does nothing";
    case Kind::resume:
      return step.node + " goes on (SIGCONT), with all that has waited for it";
    case Kind::cut:
      return "the network is cut: " + step.node + " → " + step.peer;
    case Kind::heal:
      return step.node.empty() ? "all cuts of the network heal"
                               : "the network heals: " + step.node + " → " + step.peer;
    case Kind::link:
      return "links change" + (step.node.empty() ? "" : ": " + step.node + " → " + step.peer) +
             ": " + link_model_words(step.text);
    case Kind::forget:
      return "the network will drop the next " + step.text + " " +
             (step.message.empty() ? "messages" : step.message) + ", " + step.node + " → " +
             step.peer;
    case Kind::skew:
      return "the wall clock of " + step.node + " is off by " + skew_words(step.text);
    case Kind::disk_full:
      return "the disk of " + step.node + " is full";
    case Kind::disk_freed:
      return "the disk of " + step.node + " has room again";
    case Kind::configure:
      return "who starts from now on has other settings: " + in_words(step.text);
    case Kind::note:
      return step.node + " notes: " + in_words(step.text);
    case Kind::phase:
      return step.text;
    case Kind::running:
      return step.node + " " + step.text +
             (step.data.empty() ? "" : " {" + in_words(step.data) + "}") +
             ", and its process ended";
    case Kind::places:
    case Kind::ring:
    case Kind::ring_then:
      break;  // come after the end: the viewer draws them
  }
  return "";
}

std::string knobs(const Plan& plan) {
  const auto ms = [](Duration time) { return json::text(json::to(time)); };
  // The settings of modules that are not at work (the warm-up stands alone) would only distract.
  const std::vector<std::string>& modules = plan.config.modules;
  const auto at_work = [&](const char* module) {
    return std::find(modules.begin(), modules.end(), module) != modules.end();
  };
  std::string text =
      "seed " + std::to_string(plan.seed) + " · " + std::to_string(plan.nodes.size()) + " nodes";
  if (at_work("membership")) {
    text += " · gossip every " + ms(plan.config.gossip_period) + " ms · call timeout " +
            ms(plan.config.call_timeout) + " ms";
  }
  text += " · " + model_words(plan.links);
  if (at_work("ring")) {
    text += " · Q " + std::to_string(plan.config.q) + " · N " + std::to_string(plan.config.n);
  }
  if (at_work("quorum")) {
    const std::uint32_t majority = plan.config.n / 2 + 1;
    const auto hosts = [&](std::uint32_t number) {
      return std::to_string(number == 0 ? majority : number);
    };
    text +=
        " · R " + hosts(plan.config.r) + " · W " + hosts(plan.config.w) + " · " + plan.config.mode;
  }
  if (at_work("sync")) {
    text += " · sync every " + ms(plan.config.sync_period) + " ms, " +
            std::to_string(plan.config.sync_bytes_per_second) + " bytes/s";
  }
  if (plan.one_host_each) text += " · a process for each node";
  return text;
}

}  // namespace dynamo::sim
