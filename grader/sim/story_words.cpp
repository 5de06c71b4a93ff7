// Single steps in words.
#include <algorithm>
#include <cstdio>

#include "core/json.h"
#include "sim/story.h"
#include "sim/story_lines.h"

namespace dynamo::sim {

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

std::string step_words(const Step& step, const KeySet& about) {
  using Kind = Step::Kind;
  const std::string what = step.reply ? "reply to " + step.message : step.message;
  switch (step.kind) {
    case Kind::start:
      return step.node + " starts" + (step.text.empty() ? "" : " " + step.text);
    case Kind::restart:
      return step.node + " is started again, with the disk as it is";
    case Kind::send:
      return step.node + " sends " + step.peer + " a " + what + ": " +
             in_words(step.data, 100, about);
    case Kind::receive:
      return step.node + " gets " + step.peer + "'s " + what +
             braced(in_words(step.data, 76, about)) + written(step);
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
