// What handlers did becomes true: writes first, then the outputs (output commit).
#include <algorithm>
#include <stdexcept>
#include <utility>

#include "core/keys.h"
#include "sim/methods_text.h"
#include "sim/state_words.h"
#include "sim/world_state.h"

namespace dynamo::sim {

namespace {

constexpr Duration kLongestDelay = std::chrono::hours(24 * 365);
constexpr std::uint64_t kMostHandlers = 50'000'000;

/// Bytes of keys and values that the transaction adds to the disk.
std::int64_t growth(const Disk& disk, const std::vector<DiskWrite>& writes) {
  std::map<std::pair<std::string, std::string>, std::int64_t> sizes;  // of what is touched, after
  std::int64_t before = 0;
  for (const DiskWrite& write : writes) {
    const auto name = std::make_pair(write.space, write.key);
    if (sizes.count(name) == 0) {
      const auto old = disk.find(name);
      if (old != disk.end())
        before += static_cast<std::int64_t>(write.key.size() + old->second.size());
    }
    sizes[name] =
        write.value ? static_cast<std::int64_t>(write.key.size() + write.value->size()) : 0;
  }
  std::int64_t after = 0;
  for (const auto& [name, size] : sizes) after += size;
  return after - before;
}

}  // namespace

void World::State::count_handler(const NodeState& node) {
  if (options.most_handlers != 0 && handlers >= options.most_handlers) throw GivenUp{};
  ++handlers;
  if (now - burst_began >= std::chrono::milliseconds(1)) {
    burst_began = now;
    burst = 0;
  }
  if (++burst > 100'000 + 100 * nodes.size()) {
    throw Violation("time goes on", node.id + " and its peers ran " + std::to_string(burst) +
                                        " handlers within one millisecond: a timer or a call "
                                        "without delay that starts itself again");
  }
  if (handlers > kMostHandlers) {
    throw Violation("the cluster calms down", "it ran " + std::to_string(handlers) + " handlers");
  }
}

/// Bookkeeping and trace of what came in.
void World::State::begin_applying(Happening& happening) {
  using Kind = Happening::Kind;
  NodeState& node = nodes[happening.node];
  trace.mix_in(static_cast<std::uint64_t>(now.time_since_epoch().count()) << 12 |
               std::uint64_t{happening.node} << 4 | static_cast<std::uint64_t>(happening.kind));
  trace.mix_in(happening.id ^ hash_of(happening.bytes));
  const auto fill = [&](Step& step) {
    step.peer = nodes[happening.peer].id;
    step.message = name_of_message(happening.type);
    step.id = happening.id;
    step.writes = happening.handled.writes.size();
  };
  const auto fill_message = [&](Step& step) {
    fill(step);
    step.reply = happening.kind == Kind::reply;
    step.data = message_to_json(happening.type, step.reply, happening.bytes).value_or("");
  };
  switch (happening.kind) {
    case Kind::request:
      if (!happening.client) record(Step::Kind::receive, node.id, fill_message);
      if (happening.handled.taken) {
        node.asked[happening.token] = {happening.peer, happening.peer_start, happening.id,
                                       happening.type, happening.client};
      }
      break;
    case Kind::reply:
      node.calls.erase(happening.id);
      record(Step::Kind::receive, node.id, fill_message);
      break;
    case Kind::refused:
    case Kind::timeout:
      node.calls.erase(happening.id);
      record(happening.kind == Kind::refused ? Step::Kind::refused : Step::Kind::timeout, node.id,
             fill);
      break;
    case Kind::timer:
      node.timers.erase(happening.id);
      record(Step::Kind::timer, node.id, [&](Step& step) {
        step.id = happening.id;
        step.writes = happening.handled.writes.size();
      });
      break;
    case Kind::invoke:
      record(happening.console ? Step::Kind::console : Step::Kind::check, node.id, [&](Step& step) {
        step.message = method_name(happening.method);
        step.writes = happening.handled.writes.size();
        if (happening.console) {
          step.text = operations[happening.id].subject;
        } else {
          step.data = arguments_text(happening.method, happening.bytes);
          step.text = happening.handled.result
                          ? result_text(happening.method, *happening.handled.result)
                          : "nothing";
        }
      });
      break;
    case Kind::start:
    case Kind::action:
    case Kind::gives_up:
      break;
  }
}

void World::State::apply(Happening& happening) {
  NodeState& node = nodes[happening.node];
  count_handler(node);
  begin_applying(happening);
  Handled& handled = happening.handled;
  if (!handled.taken) {
    if (happening.client) {
      throw std::logic_error("a client asks " + node.id +
                             ", which has no coordinator: the plan's " +
                             "modules lack \"replication\" and \"quorum\"");
    }
    record(Step::Kind::drop, node.id, [&](Step& step) {
      step.message = name_of_message(happening.type);
      step.text = "no module of the node takes it, or it is malformed";
    });
    return;
  }
  // The console's answer, or the method's result, is the last output.
  std::size_t outputs_left = handled.effects.size() + 1;
  const std::size_t all = outputs_left;
  const bool lives = commit(node, happening, outputs_left);
  for (std::size_t i = 0; i < handled.effects.size() && i < outputs_left; ++i) {
    carry_out(node, handled.effects[i]);
  }
  const bool answered = outputs_left == all;
  if (!answered) handled.result.reset();
  if (happening.console) {
    answer(happening.id, handled.result);
  } else if (handled.result) {
    trace.mix_in(hash_of(*handled.result));
  }
  if (!lives) {
    crash(happening.node, outputs_left == 0 ? "kill -9; nothing of its last handler had left it"
                          : answered
                              ? "kill -9, when all that its last handler sent had left it"
                              : "kill -9, when a part of what its last handler sent had left it");
  }
}

/// Makes the writes durable; false if the node dies of it or with it, and then how many outputs
/// leave.
bool World::State::commit(NodeState& node, Happening& happening, std::size_t& outputs_left) {
  std::vector<DiskWrite>& writes = happening.handled.writes;
  if (writes.empty()) return true;
  const auto fill = [&](Step& step) {
    step.writes = writes.size();
    step.text = spaces_text(writes);
    step.data = changes_text(writes);
  };
  if (node.armed == NodeState::Armed::before_commit) {
    outputs_left = 0;
    return false;
  }
  if (node.disk_full && growth(own_disk(node), writes) > 0) {
    outputs_left = 0;
    record(Step::Kind::note, node.id, "its commit fails: the disk is full, and room() had said so");
    return false;
  }
  record(Step::Kind::commit, node.id, fill);
  ++node.commits;
  for (DiskWrite& write : writes) {
    trace.mix_in(hash_of(write.space) ^ mix(hash_of(write.key)));
    std::pair name(std::move(write.space), std::move(write.key));
    if (write.value) {
      trace.mix_in(hash_of(*write.value));
      node.disk.insert_or_assign(std::move(name), std::move(*write.value));
    } else {
      own_disk(node).erase(name);
    }
  }
  if (node.armed == NodeState::Armed::no) return true;
  // One third each: nothing, all, or any number of the outputs.
  const Key key = Key(plan.seed, Draw::outputs_left).with(node.key).with(node.starts);
  const std::uint64_t third = key.below(3);
  if (third == 0) outputs_left = 0;
  if (third == 1) outputs_left = key.with(1).below(outputs_left + 1);
  return false;
}

void World::State::carry_out(NodeState& node, Effect& effect) {
  trace.mix_in(static_cast<std::uint64_t>(effect.kind) | effect.id << 3);
  trace.mix_in(static_cast<std::uint64_t>(effect.delay.count()) ^ hash_of(effect.bytes));
  const auto index = static_cast<NodeIndex>(&node - nodes.data());
  switch (effect.kind) {
    case Effect::Kind::call:
      return send_call(node, effect);
    case Effect::Kind::reply:
      return send_reply(node, effect);
    case Effect::Kind::set_timer: {
      node.timers.insert(effect.id);
      Happening timer;
      timer.kind = Happening::Kind::timer;
      timer.node = timer.peer = index;
      timer.start = node.starts;
      timer.id = effect.id;
      return push(now + std::clamp(effect.delay, Duration(0), kLongestDelay), std::move(timer));
    }
    case Effect::Kind::cancel_timer:
      node.timers.erase(effect.id);
      return;
    case Effect::Kind::note:
      record(Step::Kind::note, node.id, effect.bytes);
      return;
  }
}

void World::State::send_call(NodeState& node, Effect& effect) {
  const auto from = static_cast<NodeIndex>(&node - nodes.data());
  trace.mix_in(hash_of(effect.to) ^ effect.type);
  if (effect.type >= message_names().size()) {
    throw SolutionDied(node.id +
                       " sent a message of an unknown type: the process was tampered with");
  }
  const auto found = by_name.find(effect.to);
  const NodeIndex to = found == by_name.end() ? from : found->second;
  if (!node.calls.try_emplace(effect.id, NodeState::Pending{to, effect.type}).second) {
    throw SolutionDied(node.id + " used the number of a call twice: the process was tampered with");
  }
  Happening timeout;
  timeout.kind = Happening::Kind::timeout;
  timeout.node = from;
  timeout.peer = to;
  timeout.start = node.starts;
  timeout.id = effect.id;
  timeout.type = effect.type;
  push(now + std::clamp(effect.delay, Duration(0), kLongestDelay), std::move(timeout));
  if (found == by_name.end()) {
    return refuse(from, node.starts, effect.id, from, effect.type,
                  "\"" + effect.to + "\" is no name of a node");
  }
  Happening arrival;
  arrival.kind = Happening::Kind::request;
  arrival.peer_start = node.starts;
  arrival.id = effect.id;
  arrival.type = effect.type;
  arrival.bytes = std::move(effect.bytes);
  transmit(from, to, std::move(arrival));
}

void World::State::send_reply(NodeState& node, Effect& effect) {
  const auto found = node.asked.find(effect.id);
  if (found == node.asked.end()) {
    throw SolutionDied(
        node.id + " answered a request that it was not given, or that it had answered already");
  }
  const NodeState::Asked asked = found->second;
  node.asked.erase(found);
  if (asked.client) return answer_client(asked.call, std::move(effect.bytes));
  Happening arrival;
  arrival.kind = Happening::Kind::reply;
  arrival.start = asked.start;
  arrival.id = asked.call;
  arrival.type = asked.type;
  arrival.bytes = std::move(effect.bytes);
  transmit(static_cast<NodeIndex>(&node - nodes.data()), asked.by, std::move(arrival));
}

/// Makes the network tamer than its draws, where the schedule says so; or loses a message that a
/// draw might have lost.
void World::State::leave_out_chance(NodeIndex from, const Happening& arrival, Fate& fate) {
  using Kind = Choice::Kind;
  if (fate.lost != nullptr && !fate.by_chance) return;
  if (choices.leaves_out_delays()) fate.copy[0].delay = fate.copy[1].delay = fate.least;
  const bool may_be_lost = optional != 0 && fate.lossy && fate.lost == nullptr;
  const bool by_chance =
      fate.lost != nullptr || fate.copies == 2 || fate.copy[0].corrupt || may_be_lost;
  if (!by_chance) return;
  const bool reply = arrival.kind == Happening::Kind::reply;
  const Traffic sent = links.traffic(from, arrival.node, arrival.type, reply);
  const std::string message = name_of_message(arrival.type) + (reply ? " reply " : " ") +
                              nodes[from].id + " " + nodes[arrival.node].id + " #" +
                              std::to_string(sent.messages);
  if (fate.lost != nullptr) {
    if (!choices.leaves_out(Kind::fault, "loss " + message)) return;
    fate.lost = nullptr;
  } else if (may_be_lost && choices.leaves_out(Kind::delivery, "delivery " + message)) {
    fate.lost = "lost";
    return;
  }
  if (fate.copies == 2 && choices.leaves_out(Kind::fault, "double " + message)) fate.copies = 1;
  for (int i = 0; i < fate.copies; ++i) {
    Fate::Copy& copy = fate.copy.at(static_cast<std::size_t>(i));
    if (!copy.corrupt) continue;
    copy.corrupt =
        !choices.leaves_out(Kind::fault, (i == 0 ? "damage " : "damage of the double ") + message);
  }
}

/// A message leaves: the link decides.
void World::State::transmit(NodeIndex from, NodeIndex to, Happening arrival) {
  const bool reply = arrival.kind == Happening::Kind::reply;
  arrival.node = to;
  arrival.peer = from;
  const auto fill = [&](Step& step) {
    step.peer = nodes[to].id;
    step.message = name_of_message(arrival.type);
    step.reply = reply;
    step.id = arrival.id;
  };
  record(Step::Kind::send, nodes[from].id, [&](Step& step) {
    fill(step);
    step.data = message_to_json(arrival.type, reply, arrival.bytes).value_or("");
  });
  if (hook) hook({now, nodes[from].id, nodes[to].id, arrival.type, reply, arrival.bytes});
  Fate fate = links.send(from, to, arrival.type, reply, arrival.bytes.size());
  if (choices.at_work()) leave_out_chance(from, arrival, fate);
  if (fate.lost != nullptr) {
    trace.mix_in(from + 1);
    return record(Step::Kind::drop, nodes[from].id, [&](Step& step) {
      fill(step);
      step.text = fate.lost;
    });
  }
  if (fate.copies == 2) {
    Happening second = arrival;
    second.corrupt = fate.copy[1].corrupt;
    push(now + fate.copy[1].delay, std::move(second));
  }
  arrival.corrupt = fate.copy[0].corrupt;
  push(now + fate.copy[0].delay, std::move(arrival));
}

/// The news travels back to the caller that nobody at `at` will answer.
void World::State::refuse(NodeIndex caller, std::uint64_t caller_start, CallId call, NodeIndex at,
                          MessageType type, const std::string& why) {
  const std::optional<Duration> delay = links.refusal(at, caller, ++nodes[at].refusals);
  if (!delay) return;  // silence
  Happening refused;
  refused.kind = Happening::Kind::refused;
  refused.node = caller;
  refused.peer = at;
  refused.start = caller_start;
  refused.id = call;
  refused.type = type;
  refused.bytes = why;
  push(now + *delay, std::move(refused));
}

void World::State::crash(NodeIndex index, const std::string& how) {
  NodeState& node = nodes[index];
  if (node.life != Life::up && node.life != Life::paused) return;
  record(Step::Kind::crash, node.id, how);
  trace.mix_in(index + 7);
  node.life = Life::down;
  node.armed = NodeState::Armed::no;
  node.place.host->destroy(node.place.slot);
  node.calls.clear();
  node.timers.clear();
  // Whoever waits for an answer sees its connection break.
  std::map<RequestToken, NodeState::Asked> waiting(node.asked.begin(), node.asked.end());
  node.asked.clear();
  for (const auto& [token, asked] : waiting) {
    if (asked.client) {
      answer_client(asked.call, std::nullopt);
      continue;
    }
    refuse(asked.by, asked.start, asked.call, index, asked.type,
           "the connection to " + node.id + " broke");
  }
  std::deque<Happening> held = std::exchange(node.held, {});
  for (Happening& happening : held) {
    if (happening.console) {
      answer(happening.id, std::nullopt);
    } else {
      happen_without_handler(happening);
    }
  }
}

void World::State::answer(std::uint64_t number, const std::optional<std::string>& result) {
  Operation& operation = operations[number];
  operation.answered = now;
  if (!result) {
    operation.outcome = Operation::Outcome::unknown;
  } else {
    const auto status = codec::decode<Status>(*result);
    if (!status)
      throw SolutionDied("the console's answer is malformed: the process was tampered with");
    operation.outcome = status->ok() ? Operation::Outcome::done : Operation::Outcome::error;
    if (!status->ok()) operation.error = status->error();
  }
  trace.mix_in(static_cast<std::uint64_t>(operation.outcome));
  record(Step::Kind::answer, operation.at, [&](Step& step) {
    step.message = operation.what;
    step.peer = operation.subject;
    step.text = to_string(operation);
  });
}

}  // namespace dynamo::sim
