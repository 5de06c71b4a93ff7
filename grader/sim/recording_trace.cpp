// Recordings of real nodes as one trace, as if a world had recorded it.
#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "core/json.h"
#include "sim/client_operation.h"
#include "sim/methods_text.h"
#include "sim/recording.h"
#include "sim/state_words.h"

namespace dynamo::sim {

namespace {

using host::Command;

/// Each start of a node counts its calls anew; in a trace all calls have numbers of their own.
class Numbers {
 public:
  std::uint64_t next() { return ++last_; }
  /// A node makes a call.
  std::uint64_t sent(const NodeId& from, CallId call) { return calls_[{from, call}] = next(); }
  /// Its receiver takes it. 0: the sender did not record it.
  std::uint64_t of(const NodeId& from, CallId call) const {
    const auto found = calls_.find({from, call});
    return found == calls_.end() ? 0 : found->second;
  }

 private:
  std::uint64_t last_ = 0;
  std::map<std::pair<NodeId, CallId>, std::uint64_t> calls_;
};

/// One start of a node, step by step.
class Teller {
 public:
  Teller(const RecordedStart& start, bool first, Duration began, Numbers& numbers,
         std::vector<Step>& steps)
      : self_(start.setup.self),
        first_(first),
        offset_(start.born - began),
        numbers_(numbers),
        steps_(steps) {}

  Instant time_of(const RecordedHandler& handler) const { return handler.moment.now + offset_; }

  void tell(const RecordedHandler& handler) {
    now_ = time_of(handler);
    came(handler);
    if (!handler.done) return;
    if (!handler.done->taken && handler.kind == Command::request) {
      add(Step::Kind::drop, [&](Step& step) {
        step.message = name_of_message(handler.type);
        step.text = "no module of the node takes it, or it is malformed";
      });
    }
    if (const std::size_t writes = handler.done->writes.size(); writes != 0) {
      add(Step::Kind::commit, [&](Step& step) {
        step.writes = writes;
        step.text = spaces_text(handler.done->writes);
        step.data = changes_text(handler.done->writes);
      });
    }
    for (const Effect& effect : handler.done->effects) left(effect);
    if (handler.kind == Command::invoke) answered(handler);
  }

 private:
  struct Call {
    std::uint64_t number = 0;
    NodeId to;
    MessageType type = 0;
  };
  struct Asked {
    std::uint64_t number = 0;
    NodeId from;
    MessageType type = 0;
    ClientOperation client;
  };

  template <class Fill>
  void add(Step::Kind kind, Fill&& fill) {
    Step& step = steps_.emplace_back();
    step.at = now_;
    step.kind = kind;
    step.node = self_;
    fill(step);
  }

  std::size_t writes_of(const RecordedHandler& handler) const {
    return handler.done ? handler.done->writes.size() : 0;
  }

  void came(const RecordedHandler& handler) {
    switch (handler.kind) {
      case Command::start:
        return add(first_ ? Step::Kind::start : Step::Kind::restart, [&](Step& step) {
          step.text = handler.bootstrap ? "as the first of a new cluster" : "";
        });
      case Command::request:
        return handler.from.empty() ? client_asked(handler) : request_came(handler);
      case Command::call_ended:
        return call_ended(handler);
      case Command::timer_fired:
        return add(Step::Kind::timer, [&](Step& step) {
          step.id = handler.id;
          step.writes = writes_of(handler);
        });
      default:
        return add(Step::Kind::console, [&](Step& step) {
          step.message = method_name(handler.method);
          step.text = subject(handler);
          step.writes = writes_of(handler);
        });
    }
  }

  static std::string subject(const RecordedHandler& handler) {
    const auto arguments = codec::decode<std::tuple<NodeId>>(handler.bytes);
    return arguments ? std::get<0>(*arguments) : "";
  }

  void answered(const RecordedHandler& handler) {
    add(Step::Kind::answer, [&](Step& step) {
      step.message = method_name(handler.method);
      step.peer = subject(handler);
      const std::string result = handler.done->result.value_or("");
      const auto status = codec::decode<Status>(result);
      step.text = !status ? "answered"
                  : status->ok()
                      ? "done"
                      : dynamo::name_of(status->error().code) + ": " + status->error().message;
    });
  }

  void request_came(const RecordedHandler& handler) {
    Asked asked;
    asked.from = handler.from;
    asked.type = handler.type;
    asked.number = numbers_.of(handler.from, handler.call);
    add(Step::Kind::receive, [&](Step& step) {
      step.peer = handler.from;
      step.message = name_of_message(handler.type);
      step.id = asked.number;
      step.writes = writes_of(handler);
      step.data = message_to_json(handler.type, false, handler.bytes).value_or("");
    });
    asked_[handler.id] = std::move(asked);
  }

  void client_asked(const RecordedHandler& handler) {
    Asked asked;
    asked.type = handler.type;
    asked.number = numbers_.next();
    ClientOperation& operation = asked.client;
    operation.at = self_;
    operation.what = "get";
    if (const auto write = codec::decode<ClientWrite>(handler.bytes);
        handler.type == message_number<ClientWrite> && write) {
      operation.what = write->value ? "put" : "delete";
      operation.key = write->key;
      operation.value = write->value;
    } else if (const auto read = codec::decode<ClientRead>(handler.bytes); read) {
      operation.key = read->key;
    }
    add(Step::Kind::client, [&](Step& step) {
      step.message = operation.what;
      step.id = asked.number;
      step.data = message_to_json(handler.type, false, handler.bytes).value_or("");
      step.text = beginning(operation.key);
      if (operation.value) step.text += " = " + beginning(*operation.value);
    });
    asked_[handler.id] = std::move(asked);
  }

  void call_ended(const RecordedHandler& handler) {
    const Call call = calls_[handler.id];
    calls_.erase(handler.id);
    Step::Kind kind = Step::Kind::receive;
    if (!handler.outcome.ok()) {
      const bool late = handler.outcome.error().code == ErrorCode::timed_out;
      kind = late ? Step::Kind::timeout : Step::Kind::refused;
    }
    add(kind, [&](Step& step) {
      step.peer = call.to;
      step.message = name_of_message(call.type);
      step.id = call.number;
      step.reply = kind == Step::Kind::receive;
      step.writes = writes_of(handler);
      if (step.reply) {
        step.data = message_to_json(call.type, true, handler.outcome.value()).value_or("");
      }
    });
  }

  void left(const Effect& effect) {
    switch (effect.kind) {
      case Effect::Kind::call: {
        const std::uint64_t number = numbers_.sent(self_, effect.id);
        calls_[effect.id] = {number, effect.to, effect.type};
        return sent(effect, effect.to, effect.type, number, false);
      }
      case Effect::Kind::reply: {
        const auto found = asked_.find(effect.id);
        if (found == asked_.end()) return;
        Asked asked = std::move(found->second);
        asked_.erase(found);
        if (asked.from.empty()) return client_heard(asked, effect.bytes);
        return sent(effect, asked.from, asked.type, asked.number, true);
      }
      case Effect::Kind::note:
        return add(Step::Kind::note, [&](Step& step) { step.text = effect.bytes; });
      case Effect::Kind::set_timer:
      case Effect::Kind::cancel_timer:
        return;
    }
  }

  void sent(const Effect& effect, const NodeId& to, MessageType type, std::uint64_t number,
            bool reply) {
    add(Step::Kind::send, [&](Step& step) {
      step.peer = to;
      step.message = name_of_message(type);
      step.reply = reply;
      step.id = number;
      step.data = message_to_json(type, reply, effect.bytes).value_or("");
    });
  }

  void client_heard(Asked& asked, const std::string& bytes) {
    std::string text;
    try {
      take_answer(asked.client, bytes);
      text = to_string(asked.client);
    } catch (const SolutionDied&) {
      text = "something malformed";
    }
    add(Step::Kind::told, [&](Step& step) {
      step.message = asked.client.what;
      step.id = asked.number;
      step.data = json::text({{"key", beginning(asked.client.key)}});
      step.text = text;
    });
  }

  const NodeId self_;
  const bool first_;
  const Duration offset_;
  Numbers& numbers_;
  std::vector<Step>& steps_;
  Instant now_{};
  std::map<CallId, Call> calls_;
  std::map<RequestToken, Asked> asked_;
};

/// What the harness did; nodes recorded their own starts, and what the console asked them.
void add_fault(const Action& action, std::vector<Step>& steps) {
  static const std::map<std::string, Step::Kind> kinds = {
      {"crash", Step::Kind::crash}, {"wipe", Step::Kind::wipe},
      {"pause", Step::Kind::pause}, {"resume", Step::Kind::resume},
      {"cut", Step::Kind::cut},     {"heal", Step::Kind::heal},
      {"link", Step::Kind::link},   {"drop", Step::Kind::forget},
      {"skew", Step::Kind::skew},   {"configure", Step::Kind::configure}};
  const auto found = kinds.find(action.act);
  if (found == kinds.end()) return;
  Step step;
  step.at = Instant(action.at);
  step.kind = found->second;
  step.message = action.message;
  if (action.act == "crash") step.text = "kill -9";
  if (action.act == "link") step.text = json::text(json::to(action.link));
  if (action.act == "drop") step.text = std::to_string(action.count);
  if (action.act == "skew") step.text = action.skew;
  if (action.act == "configure") step.text = json::text(json::to(action.settings));
  const std::vector<NodeId> nowhere = {""};
  for (const NodeId& node : action.nodes.empty() ? nowhere : action.nodes) {
    for (const NodeId& peer : action.peers.empty() ? nowhere : action.peers) {
      if (!node.empty() && node == peer) continue;
      step.node = node;
      step.peer = peer;
      steps.push_back(step);
    }
  }
}

}  // namespace

std::vector<Step> steps_of(const std::vector<Recording>& recordings,
                           const std::vector<Action>& faults, Duration began) {
  std::vector<Step> steps;
  for (const Action& fault : faults) add_fault(fault, steps);
  Numbers numbers;
  std::vector<Teller> tellers;
  struct Turn {
    Instant at;
    std::size_t teller;
    const RecordedHandler* handler;
  };
  std::vector<Turn> turns;
  std::size_t starts = 0;
  for (const Recording& recording : recordings) starts += recording.starts.size();
  tellers.reserve(starts);
  for (const Recording& recording : recordings) {
    bool first = true;
    for (const RecordedStart& start : recording.starts) {
      tellers.emplace_back(start, std::exchange(first, false), began, numbers, steps);
      for (const RecordedHandler& handler : start.handlers) {
        turns.push_back({tellers.back().time_of(handler), tellers.size() - 1, &handler});
      }
    }
  }
  const auto by_time = [](const auto& a, const auto& b) { return a.at < b.at; };
  std::stable_sort(turns.begin(), turns.end(), by_time);
  for (const Turn& turn : turns) tellers[turn.teller].tell(*turn.handler);
  std::stable_sort(steps.begin(), steps.end(), by_time);
  return steps;
}

}  // namespace dynamo::sim
