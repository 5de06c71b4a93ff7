// A found schedule as a trace, in the words of a world's.
#include <algorithm>
#include <utility>

#include "core/json.h"
#include "core/keys.h"
#include "node/messages.h"
#include "sim/explore_space.h"
#include "sim/methods_text.h"
#include "sim/state_words.h"

namespace dynamo::sim {

Recorder::Recorder(Space& space, const Beginning& beginning)
    : space_(space), beginning_(beginning) {}

Step& Recorder::add(Step::Kind kind, const NodeId& node) {
  Step step;
  step.at = now_;
  step.kind = kind;
  step.node = node;
  steps_.push_back(std::move(step));
  return steps_.back();
}

void Recorder::phase(const std::string& text) { add(Step::Kind::phase, "").text = text; }

void Recorder::message(Step& step, const Packet& packet, const NodeId& peer) {
  step.peer = peer;
  step.message = name_of_message(packet.type);
  step.reply = packet.kind == Packet::Kind::reply;
  step.id = packet.call;
  if (packet.kind != Packet::Kind::refusal) {
    step.data = message_to_json(packet.type, step.reply, packet.bytes).value_or("");
  }
}

/// What comes to the node, or befalls it. `taken`: it is up and takes what comes, `given`.
void Recorder::come(const Whole& whole, const Move& move, const Given& given, bool taken,
                    std::size_t writes) {
  using Kind = Move::Kind;
  const NodeId& node = beginning_.nodes[move.node].id;
  switch (move.kind) {
    case Kind::ask: {
      const Ask& ask = space_.scope().asks[move.id];
      if (given.kind == Given::Kind::console) {
        Step& step = add(Step::Kind::console, node);
        step.message = ask.what;
        step.text = ask.subject;
        step.writes = writes;
        return;
      }
      Step& step = add(Step::Kind::client, node);
      step.message = ask.what;
      step.id = move.id + 1;
      step.data = message_to_json(given.type, false, given.bytes).value_or("");
      step.text = ask.key + (ask.what == "put" ? " = " + ask.value : "");
      return;
    }
    case Kind::deliver:
    case Kind::duplicate: {
      const Packet& packet = space_.packet(move.id);
      const bool refusal = packet.kind == Packet::Kind::refusal;
      if (!taken) {
        Step& step = add(Step::Kind::drop, node);
        message(step, packet, beginning_.nodes[packet.from].id);
        step.data.clear();
        step.text = "the node is down";
        return;
      }
      Step& step = add(refusal ? Step::Kind::refused : Step::Kind::receive, node);
      message(step, packet, beginning_.nodes[packet.from].id);
      step.writes = writes;
      return;
    }
    case Kind::drop: {
      const Packet& packet = space_.packet(move.id);
      Step& step = add(Step::Kind::drop, beginning_.nodes[packet.from].id);
      message(step, packet, node);
      step.data.clear();
      step.text = "lost on the way";
      return;
    }
    case Kind::timer: {
      const bool timer = given.kind == Given::Kind::timer;
      Step& step = add(timer ? Step::Kind::timer : Step::Kind::timeout, node);
      step.id = given.id;
      step.writes = writes;
      if (!timer) {
        step.peer = beginning_.nodes[given.peer].id;
        step.message = name_of_message(given.type);
      }
      return;
    }
    case Kind::crash:
      add(Step::Kind::crash, node).text = "kill -9";
      return;
    case Kind::restart: {
      const Local& local = space_.local(whole.locals.at(move.node));
      const bool first = local.starts == 0;
      Step& step = add(first ? Step::Kind::start : Step::Kind::restart, node);
      if (first && !local.disk->empty()) step.data = disk_text(*local.disk);
      return;
    }
  }
}

/// What leaves it.
void Recorder::outputs(const Deed& outcome, const Move& move) {
  const NodeId& node = beginning_.nodes[move.node].id;
  if (outcome.wrote) {
    Step& step = add(Step::Kind::commit, node);
    step.writes = outcome.handled->writes.size();
    step.text = spaces_text(outcome.handled->writes);
    step.data = changes_text(outcome.handled->writes);
  }
  for (const Effect& effect : outcome.handled->effects) {
    if (effect.kind == Effect::Kind::note) add(Step::Kind::note, node).text = effect.bytes;
  }
  for (std::size_t i = 0; i < outcome.outputs.size() && (move.left == Move::kAll || i < move.left);
       ++i) {
    if (outcome.outputs[i].answer) continue;
    const Packet& packet = space_.packet(outcome.outputs[i].id);
    if (packet.kind == Packet::Kind::refusal) continue;
    message(add(Step::Kind::send, node), packet, beginning_.nodes[packet.to].id);
  }
}

void Recorder::move(const Whole& whole, const Move& move) {
  const std::optional<EventId> event = space_.event(whole, move);
  const LocalId before = whole.locals.at(move.node);
  const bool known = event && space_.known(before, *event);
  const Deed* outcome = known ? &space_.outcome(before, *event) : nullptr;
  Duration time = std::chrono::milliseconds(1);
  if (outcome != nullptr && space_.local(before).up) {
    time = std::max(time, space_.local(outcome->after).now - space_.local(before).now);
  }
  now_ += time;
  come(whole, move, event ? space_.given(*event) : Given(), event.has_value(),
       outcome != nullptr ? outcome->handled->writes.size() : 0);
  if (event && outcome == nullptr) steps_.back().kind = Step::Kind::running;
  if (outcome == nullptr) return;
  hash_ = mix(hash_ ^ space_.local(outcome->after).did ^ std::uint64_t{move.node} << 8);
  outputs(*outcome, move);
  if (move.left == Move::kAll) return;
  add(Step::Kind::crash, beginning_.nodes[move.node].id).text =
      move.left == 0 ? "kill -9; nothing of its last handler had left it"
                     : "kill -9, when a part of what its last handler sent had left it";
}

void Recorder::heard(const Whole& before, const Whole& after) {
  for (std::size_t i = 0; i < space_.scope().asks.size(); ++i) {
    if (before.asks.at(i).answer == after.asks.at(i).answer) continue;
    const Ask& ask = space_.scope().asks[i];
    const Sight::Asked told = space_.asked(after, i);
    hash_ = mix(hash_ ^ hash_of(space_.answer(after.asks.at(i).answer)));
    if (told.client != nullptr) {
      Step& step = add(Step::Kind::told, ask.at);
      step.message = ask.what;
      step.id = i + 1;
      step.data = json::text({{"key", ask.key}});
      step.text = to_string(*told.client);
      continue;
    }
    using Told = Sight::Asked::Outcome;
    Step& step = add(Step::Kind::answer, ask.at);
    step.message = ask.what;
    step.peer = ask.subject;
    step.text = told.outcome == Told::done    ? "done"
                : told.outcome == Told::error ? told.error
                                              : "nothing: the node died";
  }
}

}  // namespace dynamo::sim
