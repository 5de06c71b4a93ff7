// One node without a world: for the unit checks.
#include <algorithm>
#include <map>
#include <stdexcept>

#include "core/json.h"
#include "sim/check.h"
#include "sim/checks.h"
#include "sim/draws.h"
#include "sim/methods_text.h"
#include "sim/story.h"

namespace dynamo::sim {

namespace {

constexpr std::uint64_t kPlenty = std::uint64_t{1} << 40;
constexpr Slot kFirstSlot = 1000;  // away from those of worlds
constexpr std::size_t kMostTimers = 100'000;

Slot next_slot = kFirstSlot;  // several Lones of one test live side by side

}  // namespace

struct Lone::State {
  NodeSetup setup;
  Host* host = nullptr;
  Slot slot = 0;
  Disk disk;
  std::uint64_t room = kPlenty;
  std::uint64_t starts = 0;
  std::uint64_t handlers = 0;
  std::uint64_t tokens = 0;
  Instant now{};
  std::vector<Call> calls;
  std::map<std::pair<Instant, std::uint64_t>, TimerId> timers;  ///< Due, in the order of setting.
  std::uint64_t timers_set = 0;
  std::map<RequestToken, std::string> replies;
  std::map<RequestToken, MessageType> asked;
  RequestToken asking = 0;  ///< The request whose handler runs; 0: none.
  StepBy who;               ///< How the story names it.
  bool host_died = false;   ///< And began anew, without this node.

  void tell(UnitSteps::Words words, UnitSteps::Data data = nullptr) {
    Checks::here().steps().add(std::move(words), who, std::move(data));
  }

  Moment moment() {
    const Key key = Key(Checks::here().options().seed, Draw::handler).with(starts).with(++handlers);
    return {now, now + std::chrono::hours(24 * 365 * 54), key.value()};
  }

  /// Crosses, and makes what the handlers did true. A death ends the test, as a failure.
  std::vector<Handled> cross() {
    Checks& checks = Checks::here();
    checks.count_exchanges(1);
    try {
      std::vector<Handled> all = host->exchange();
      for (Handled& handled : all) take(handled);
      return all;
    } catch (const SolutionDied& death) {
      host_died = true;
      const StoryEnd end = end_of_death(death.what());
      violation(end.expected, end.actual);
    } catch (const GraderTrouble& trouble) {
      checks.trouble(trouble.what());
      throw TestEnded{};
    }
  }

  void take(const Handled& handled) {
    for (const DiskWrite& write : handled.writes) {
      if (write.value) {
        disk[{write.space, write.key}] = *write.value;
      } else {
        disk.erase({write.space, write.key});
      }
    }
    for (const Effect& effect : handled.effects) {
      switch (effect.kind) {
        case Effect::Kind::call:
          calls.push_back({effect.id, effect.to, effect.type, effect.bytes, effect.delay});
          break;
        case Effect::Kind::reply:
          replies[effect.id] = effect.bytes;
          tell_reply(effect.id, effect.bytes);
          break;
        case Effect::Kind::set_timer:
          if (timers.size() >= kMostTimers)
            violation("timers are bounded", "the node has set 100,000 of them");
          timers.emplace(std::make_pair(now + std::max(effect.delay, Duration(0)), ++timers_set),
                         TimerId{effect.id});
          break;
        case Effect::Kind::cancel_timer:
          std::erase_if(timers,
                        [&](const auto& timer) { return timer.second == TimerId{effect.id}; });
          break;
        case Effect::Kind::note:
          tell([text = effect.bytes](const KeySet&) { return "it notes: " + text; });
          break;
      }
    }
  }

  /// At once, it is what came of the request; else a step of its own.
  void tell_reply(RequestToken token, const std::string& bytes) {
    const auto type = asked.find(token);
    if (type == asked.end()) return;
    const auto words = [type = type->second, bytes](const KeySet& about) {
      const std::string said =
          in_words(message_to_json(type, true, bytes).value_or("malformed"), 140, about);
      return said.empty() ? "done" : said;
    };
    if (token == asking) {
      Checks::here().steps().add_result(
          [words](const KeySet& about) { return " → " + words(about); });
    } else {
      tell(
          [words, type = type->second](const KeySet& about) {
            return "it answers the " + name_of_message(type) + ": " + words(about);
          },
          [type = type->second, bytes] { return message_to_json(type, true, bytes).value_or(""); });
    }
  }

  void make() {
    calls.clear();
    asked.clear();
    timers.clear();
    replies.clear();
    handlers = 0;
    ++starts;
    host->make(slot, setup, disk, room);
  }
};

namespace {

/// What a request says: " {vnode 3, paths [0, 7]}"
std::string request_words(const Lone::Call& call, const KeySet& about) {
  constexpr std::size_t kMost = 100;
  const std::string text = message_to_json(call.type, false, call.bytes).value_or("");
  const std::string told = text.empty() ? "" : in_words(text, kMost, about);
  return told.empty() ? "" : " {" + told + "}";
}

/// How a call ends: "is answered: …"
std::string outcome_words(const Lone::Call& call, const Result<std::string>& outcome,
                          const KeySet& about) {
  constexpr std::size_t kMost = 100;
  if (!outcome.ok()) return "ends: " + name_of(outcome.error().code);
  const auto text = message_to_json(call.type, true, outcome.value());
  const std::string told = in_words(text.value_or("malformed"), kMost, about);
  return "is answered: " + (told.empty() ? "done" : told);
}

}  // namespace

NodeSetup lone_setup() {
  NodeSetup setup{"n1", 1, {}};
  setup.config.modules = {"membership", "ring"};
  return setup;
}

Lone::Lone(NodeSetup setup) : state_(std::make_unique<State>()) {
  state_->setup = std::move(setup);
  state_->host = Checks::here().hosts().take(1).front();
  state_->slot = next_slot++;
  const Slot others = state_->slot - kFirstSlot;
  state_->who.number = others + 1;
  if (others == 0) {  // what came before was another scenario, and it passed
    Checks::here().steps().clear();
  } else if (state_->setup.self != "n1") {  // else a number, or all of them are n1
    state_->who.name = state_->setup.self;
  }
  state_->make();
}

Lone::~Lone() {
  --next_slot;
  try {
    state_->host->destroy(state_->slot);
  } catch (const std::logic_error&) {  // NOLINT(bugprone-empty-catch)
    // The solution died, and its host began anew, without this node.
  }
}

void Lone::start(bool bootstrap) {
  say(bootstrap ? "start, bootstrapped" : "start");
  state_->host->start(state_->slot, state_->moment(), bootstrap);
  state_->cross();
}

void Lone::restart() {
  say("kill -9, and start again on the same disk");
  state_->make();
  state_->host->start(state_->slot, state_->moment(), false);
  state_->cross();
}

void Lone::configure(const NodeConfig& config) {
  say("its config is changed");
  state_->setup.config = config;
}

void Lone::advance(Duration time) {
  const Instant end = state_->now + time;
  Checks::here().steps().add_time(state_->who, time);
  std::size_t fired = 0;
  while (!state_->timers.empty() && state_->timers.begin()->first.first <= end) {
    if (++fired > kMostTimers)
      violation("time goes on", "timers without delay start each other, for ever");
    const auto [due, timer] = *state_->timers.begin();
    state_->timers.erase(state_->timers.begin());
    state_->now = std::max(state_->now, due.first);
    state_->host->timer_fired(state_->slot, state_->moment(), timer);
    state_->cross();
  }
  state_->now = end;
}

const Disk& Lone::disk() const { return state_->disk; }

void Lone::set_room(std::uint64_t bytes) {
  constexpr std::uint64_t kAsGoodAsAll = 1'000'000'000;
  say(bytes == 0              ? "the disk is full"
      : bytes >= kAsGoodAsAll ? "the disk has room again"
                              : "the disk has room for " + std::to_string(bytes) + " more bytes");
  state_->room = bytes;
  state_->host->set_room(state_->slot, bytes);
}

const std::vector<Lone::Call>& Lone::calls() const { return state_->calls; }

void Lone::end_call(CallId id, const Result<std::string>& outcome) {
  const auto call = std::find_if(state_->calls.begin(), state_->calls.end(),
                                 [&](const Call& c) { return c.id == id; });
  if (call == state_->calls.end())
    throw std::logic_error("the check ends a call that the node did not make");
  const auto words = [call = *call, outcome](const KeySet& about) {
    constexpr std::size_t kColumns = 140;  // else how it ends has a line of its own
    const std::string asked =
        "its " + name_of_message(call.type) + " to " + call.to + request_words(call, about);
    const std::string ends = outcome_words(call, outcome, about);
    return asked + (asked.size() + ends.size() > kColumns ? "\n     " : " ") + ends;
  };
  state_->tell(words, [call = *call, outcome] {
    const std::string answer = outcome.ok() ? outcome.value() : "";
    return "[" + message_to_json(call.type, false, call.bytes).value_or("null") + "," +
           message_to_json(call.type, true, answer).value_or("null") + "]";
  });
  state_->calls.erase(call);
  state_->host->call_ended(state_->slot, state_->moment(), id, outcome);
  state_->cross();
}

std::uint64_t Lone::allocations() const { return state_->host->allocations(); }

void Lone::say(const std::string& step) {
  state_->tell([step](const KeySet&) { return step; });
}

std::vector<std::string> Lone::map_raw(MethodId method, const std::vector<std::string>& args) {
  std::vector<std::string> results;
  if (args.empty()) return results;
  for (const std::string& call : args)
    state_->host->invoke(state_->slot, state_->moment(), method, call);
  const auto words = [method, first = args.front(), count = args.size()](const KeySet& about) {
    const std::string call =
        method_name(method) + arguments_in_words(arguments_text(method, first), 130, about);
    return count == 1 ? call : std::to_string(count) + " calls, the first of them " + call;
  };
  state_->tell(words, [method, first = args.front()] { return arguments_text(method, first); });
  for (Handled& handled : state_->cross()) {
    if (!handled.result) {
      violation(method_name(method) + "() answers",
                "no answer: the module is not at work in this node");
    }
    results.push_back(std::move(*handled.result));
  }
  if (args.size() == 1) {
    Checks::here().steps().add_result([method, result = results.front()](const KeySet& about) {
      const std::string answer = in_words(result_text(method, result), 140, about);
      return answer == "done" ? "" : " → " + answer;
    });
  }
  return results;
}

RequestToken Lone::ask_raw(const NodeId& from, MessageType type, const std::string& bytes) {
  const RequestToken token = ++state_->tokens;
  const auto words = [from, type, bytes](const KeySet& about) {
    const std::string name = name_of_message(type);
    const bool vowel = name.find_first_of("AEIOU") == 0;
    return (vowel ? "an " : "a ") + name + " from " + (from == "client" ? "a client" : from) +
           ": " + in_words(message_to_json(type, false, bytes).value_or("malformed"), 130, about);
  };
  state_->tell(words, [type, bytes] { return message_to_json(type, false, bytes).value_or(""); });
  state_->asked[token] = type;
  state_->asking = token;
  state_->host->request(state_->slot, state_->moment(), token, from, type, bytes);
  state_->cross();
  state_->asking = 0;
  return token;
}

std::optional<std::string> Lone::answered_raw(RequestToken token, MessageType /*type*/) {
  const auto reply = state_->replies.find(token);
  if (reply == state_->replies.end()) return std::nullopt;
  return reply->second;
}

}  // namespace dynamo::sim
