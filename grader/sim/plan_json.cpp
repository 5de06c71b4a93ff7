#include "sim/plan_json.h"

#include <algorithm>
#include <charconv>
#include <set>

#include "core/json.h"
#include "node/local_store.h"

namespace dynamo::sim {

namespace {

constexpr std::size_t kMostNodes = 16'384;
constexpr std::uint32_t kMillion = 1'000'000;

[[noreturn]] void fail(const std::string& where, const std::string& wanted,
                       const std::string& found) {
  throw JsonError(where + ": expected " + wanted + ", found " + found);
}

std::string quoted(const std::string& text) { return "\"" + text + "\""; }

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

void check_names(const std::vector<NodeId>& names, const std::vector<NodeId>& known,
                 const std::string& where) {
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (std::find(known.begin(), known.end(), names[i]) == known.end()) {
      fail(where + "[" + std::to_string(i) + "]", "one of the plan's nodes (" + joined(known) + ")",
           quoted(names[i]));
    }
  }
}

bool one_of(const std::string& act, std::initializer_list<std::string_view> some) {
  return std::find(some.begin(), some.end(), act) != some.end();
}

bool whole_number(const std::string& text) {
  long long value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && value > -1'000'000'000'000 &&
         value < 1'000'000'000'000;
}

bool is_context(const std::string& text) {
  return text == "read" ||
         (text.size() % 2 == 0 && text.find_first_not_of("0123456789abcdef") == std::string::npos);
}

void validate_settings(const Action& action, const std::string& where) {
  const Settings& settings = action.settings;
  if (action.act != "configure") {
    if (!settings.mode.empty() || settings.r != 0 || settings.w != 0) {
      fail(where + ".settings", quoted("configure") + " as the act", quoted(action.act));
    }
    return;
  }
  if (!action.nodes.empty()) {
    fail(where + ".nodes", "none for \"configure\": it is for all nodes", joined(action.nodes));
  }
  if (!one_of(settings.mode, {"strict", "sloppy"})) {
    fail(where + ".settings.mode", "\"strict\" or \"sloppy\"", quoted(settings.mode));
  }
}

void check_hosts(std::uint32_t hosts, std::uint32_t n, const std::string& where) {
  if (hosts > n) fail(where, "at most n (" + std::to_string(n) + ")", std::to_string(hosts));
}

}  // namespace

std::optional<MessageName> message_called(std::string_view name) {
  constexpr std::string_view suffix = " reply";
  MessageName message;
  if (name.size() > suffix.size() && name.substr(name.size() - suffix.size()) == suffix) {
    message.reply = true;
    name.remove_suffix(suffix.size());
  }
  const auto type = message_named(name);
  if (!type) return std::nullopt;
  message.type = *type;
  return message;
}

const std::vector<std::string>& acts() {
  static const std::vector<std::string> all = {
      "start",   "add",  "remove",    "put",        "delete",   "get",  "crash",
      "restart", "wipe", "pause",     "resume",     "cut",      "heal", "link",
      "drop",    "skew", "disk_full", "disk_freed", "configure"};
  return all;
}

void validate(const LinkModel& link, const std::string& where) {
  if (link.delay_min < Duration(0)) fail(where + ".delay_min_ms", "at least 0", "less");
  if (link.delay_max < link.delay_min) {
    fail(where + ".delay_max_ms",
         "at least delay_min_ms (" + json::text(json::to(link.delay_min)) + ")",
         json::text(json::to(link.delay_max)));
  }
  const std::pair<const char*, std::uint32_t> shares[] = {
      {"loss_ppm", link.loss_ppm},
      {"exchange_loss_ppm", link.exchange_loss_ppm},
      {"duplicate_ppm", link.duplicate_ppm},
      {"corrupt_ppm", link.corrupt_ppm}};
  for (const auto& [name, share] : shares) {
    if (share > kMillion) {
      fail(where + "." + name, "a share of a million, 0 to 1000000", std::to_string(share));
    }
  }
}

void validate(const Action& action, const std::vector<NodeId>& nodes, const std::string& where) {
  const std::string& act = action.act;
  if (std::find(acts().begin(), acts().end(), act) == acts().end()) {
    fail(where + ".act", "one of " + joined(acts()), quoted(act));
  }
  if (action.at < Duration(0))
    fail(where + ".at_ms", "at least 0", std::to_string(action.at.count()));
  check_names(action.nodes, nodes, where + ".nodes");
  // The console may be asked to add a name that nobody knows: that is the node's error to make.
  if (!one_of(act, {"add", "remove"})) check_names(action.peers, nodes, where + ".peers");
  if (action.nodes.empty() && !one_of(act, {"heal", "link", "configure"})) {
    fail(where + ".nodes", "at least one node for \"" + act + "\"", "none");
  }
  if (action.peers.empty() && one_of(act, {"add", "remove", "cut", "drop"})) {
    fail(where + ".peers", "at least one node for \"" + act + "\"", "none");
  }
  if (!action.commit.empty() && (act != "crash" || !one_of(action.commit, {"before", "after"}))) {
    fail(where + ".commit", "\"before\" or \"after\", with \"crash\" only", quoted(action.commit));
  }
  if (act == "skew" && !whole_number(action.skew)) {
    fail(where + ".skew", "milliseconds as a string, like \"-500\"", quoted(action.skew));
  }
  if (act == "drop" && !action.message.empty() && !message_called(action.message)) {
    fail(where + ".message",
         "empty, or one of " + joined(message_names()) + ", with \" reply\" for its answer",
         quoted(action.message));
  }
  const bool clients = one_of(act, {"put", "delete", "get"});
  if (clients && (action.key.empty() || action.key.size() > kMaxKeyBytes)) {
    fail(where + ".key", "1 to " + std::to_string(kMaxKeyBytes) + " bytes", quoted(action.key));
  }
  if (!clients && !action.key.empty()) {
    fail(where + ".key", "none for \"" + act + "\"", quoted(action.key));
  }
  if (act != "put" && !action.value.empty()) {
    fail(where + ".value", "none for \"" + act + "\"", quoted(action.value));
  }
  if (!action.context.empty() && (!one_of(act, {"put", "delete"}) || !is_context(action.context))) {
    fail(where + ".context", "hex digits or \"read\", with \"put\" and \"delete\" only",
         quoted(action.context));
  }
  if (act == "drop" && action.count == 0) fail(where + ".count", "at least 1", "0");
  if (act == "link") validate(action.link, where + ".link");
  validate_settings(action, where);
}

void validate(const Plan& plan, const std::string& where) {
  if (plan.nodes.empty() || plan.nodes.size() > kMostNodes) {
    fail(where + ".nodes", "1 to " + std::to_string(kMostNodes) + " names",
         std::to_string(plan.nodes.size()));
  }
  std::set<NodeId> seen;
  for (std::size_t i = 0; i < plan.nodes.size(); ++i) {
    const std::string place = where + ".nodes[" + std::to_string(i) + "]";
    if (plan.nodes[i].empty()) fail(place, "a name", "an empty one");
    if (!seen.insert(plan.nodes[i]).second)
      fail(place, "each name once", quoted(plan.nodes[i]) + " again");
  }
  if (plan.config.q == 0) fail(where + ".config.q", "at least 1", "0");
  if (plan.config.n == 0) fail(where + ".config.n", "at least 1", "0");
  if (plan.config.gossip_period <= Duration(0))
    fail(where + ".config.gossip_period_ms", "more than 0", "0");
  if (plan.config.call_timeout <= Duration(0))
    fail(where + ".config.call_timeout_ms", "more than 0", "0");
  check_names(plan.config.seeds, plan.nodes, where + ".config.seeds");
  validate(plan.links, where + ".links");
  for (std::size_t i = 0; i < plan.actions.size(); ++i) {
    const std::string place = where + ".actions[" + std::to_string(i) + "]";
    validate(plan.actions[i], plan.nodes, place);
    check_hosts(plan.actions[i].settings.r, plan.config.n, place + ".settings.r");
    check_hosts(plan.actions[i].settings.w, plan.config.n, place + ".settings.w");
    if (i > 0 && plan.actions[i].at < plan.actions[i - 1].at) {
      fail(place + ".at_ms", "actions in order of time", "an earlier time than the one before it");
    }
  }
}

Plan plan_from_json(std::string_view text, const std::string& where) {
  const Json document = json::parse(text);
  if (document.is_discarded()) throw JsonError(where + ": this is no JSON");
  Plan plan;
  json::from(document, plan, where);
  validate(plan, where);
  return plan;
}

std::string plan_to_json(const Plan& plan) { return json::text(json::to(plan), 2); }

}  // namespace dynamo::sim
