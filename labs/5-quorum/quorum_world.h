// What lab 5's simulated checks share: plans, what a put promises, and what must be true in the
// end.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "../3-replication/store_world.h"
#include "quorum_messages.h"

namespace dynamo::sim {

/// Static members, siblings.
inline Plan quorum_plan(std::size_t count, const std::string& mode) {
  Plan plan = store_plan(count);
  plan.config.modules = {"membership", "ring", "versioning", "quorum"};
  plan.config.mode = mode;
  return plan;
}

/// A put with this w, and a get with this r, answered.
inline const ClientOperation& put(World& world, const NodeId& at, const std::string& key,
                                  const std::string& value, std::uint32_t w,
                                  const std::string& context = {}) {
  return world.answer(world.write(at, key, value, context, {}, w));
}
inline const ClientOperation& get(World& world, const NodeId& at, const std::string& key,
                                  std::uint32_t r) {
  return world.answer(world.read(at, key, r));
}

/// How many hosts a request was about.
inline std::uint32_t hosts_of(const World& world, const ClientOperation& operation) {
  const NodeConfig& config = world.plan().config;
  if (operation.hosts != 0) return operation.hosts;
  const std::uint32_t configured = operation.write() ? config.w : config.r;
  return configured != 0 ? configured : config.n / 2 + 1;
}

/// "with w=2"
inline std::string with_hosts(const World& world, const ClientOperation& operation) {
  return question(operation) + (operation.write() ? " with w=" : " with r=") +
         std::to_string(hosts_of(world, operation));
}

inline void must_be_done(World& world, const ClientOperation& write, const std::string& why) {
  world.expect(write.done(), with_hosts(world, write) + " is done: " + why,
               [&] { return "the client is told: " + to_string(write); });
}
inline void must_answer(World& world, const ClientOperation& read, const std::string& why) {
  world.expect(!read.unknown() && !read.pending() && read.error.message.empty(),
               with_hosts(world, read) + " has an answer: " + why,
               [&] { return "the client is told: " + to_string(read); });
}

/// Property 5.1, now: who has the value on its disk, among its own keys or (`hints`) those that it
/// keeps for others.
inline std::vector<NodeId> holders(const World& world, const std::string& key,
                                   const std::string& value, bool hints) {
  std::vector<NodeId> found;
  for (const NodeId& node : world.nodes()) {
    for (const std::string_view space : {kStateSpace, kHintSpace}) {
      if (space == kHintSpace && !hints) continue;
      const auto held = held_on(world.disk(node), node, key, space);
      const auto values = held ? values_in(held->state) : std::nullopt;
      if (values && contains(*values, value) && !contains(found, node)) found.push_back(node);
    }
  }
  return found;
}

/// Properties 5.3 and 5.5: no hints are left, all owners become equal, nobody else holds anything.
inline void all_is_delivered(World& world, const std::string& when, Duration within = kRest) {
  converges(
      world, within,
      [&]() -> std::string {
        const std::string hints = hints_left(world);
        return hints.empty() ? replicas_differ(world) : hints;
      },
      "no hints are left, and each key lies equal on all its owners and nowhere else, " + when,
      200ms);
}

/// At rest nobody sends any message of this lab.
inline void is_quiet(World& world, const std::string& when) {
  const auto sent = [&] {
    return std::map<std::string, std::uint64_t>{
        {"Updates", world.sent(message_number<Update>).messages},
        {"StoreHints", world.sent(message_number<StoreHints>).messages},
        {"Reads", world.sent(message_number<Read>).messages},
        {"Coordinates", world.sent(message_number<Coordinate>).messages}};
  };
  auto before = sent();
  world.run_for(2s);
  converges(
      world, kRest,
      [&]() -> std::string {
        const auto now = sent();
        std::string more;
        for (const auto& [name, count] : now) {
          if (count == before[name]) continue;
          more += (more.empty() ? "" : ", ") + std::to_string(count - before[name]) + " " + name;
        }
        before = now;
        return more.empty() ? "" : "in the last two seconds there were " + more + " and replies";
      },
      "nothing is owed any more, so no message of this lab is sent, " + when, 2s);
}

/// What lies on the disks at rest is what clients may expect. Siblings; see
/// expected_with_siblings.
inline void expect_what_was_put(World& world, bool again = false) {
  std::set<std::string> keys;
  for (const ClientOperation& operation : world.client_operations()) {
    if (operation.write()) keys.insert(operation.key);
  }
  for (const std::string& key : keys) {
    const NodeId owner = preference_list(world, key).front();
    const auto held = held_for(world, owner, key);
    const auto values = held ? values_in(held->state).value_or(std::vector<std::string>{"no state"})
                             : std::vector<std::string>{};
    const std::string wrong = contradicts(values, expected_with_siblings(world, key, again));
    world.expect(wrong.empty(), "no put that a client was told is done has got lost, of " + key,
                 owner + ", an owner: " + wrong);
  }
}

/// Property 5.2, from what clients asked and heard alone: each get sees every put that was
/// acknowledged before it began, if their hosts are more than N together. Each put has a value of
/// its own, and nobody deletes. How many such pairs there were.
inline std::size_t every_get_is_fresh(World& world) {
  std::map<std::string, std::set<std::string>> shown;  // by key and context: what a get had shown
  std::map<std::string, std::set<std::string>> seen;   // by value: what its writer had seen
  std::vector<const ClientOperation*> done;
  std::vector<const ClientOperation*> reads;
  using Outcome = ClientOperation::Outcome;
  for (const ClientOperation& operation : world.client_operations()) {
    if (operation.write()) {
      if (!operation.context.empty()) {
        seen[*operation.value] = shown[operation.key + '\n' + operation.context];
      }
      if (operation.done()) done.push_back(&operation);
    } else if (operation.outcome == Outcome::found || operation.outcome == Outcome::absent) {
      std::set<std::string>& all = shown[operation.key + '\n' + operation.read_context];
      all.clear();
      for (const std::string& value : operation.values) {
        all.insert(value);
        all.insert(seen[value].begin(), seen[value].end());
      }
      reads.push_back(&operation);
    }
  }
  std::size_t pairs = 0;
  for (const ClientOperation* read : reads) {
    for (const ClientOperation* write : done) {
      const bool meets = hosts_of(world, *read) + hosts_of(world, *write) > world.plan().config.n;
      if (write->key != read->key || !(write->answered < read->asked) || !meets) continue;
      ++pairs;
      const bool fresh =
          std::any_of(read->values.begin(), read->values.end(), [&](const std::string& value) {
            return value == *write->value || seen[value].contains(*write->value);
          });
      world.expect(fresh,
                   with_hosts(world, *read) + " sees " + with_hosts(world, *write) +
                       ", which was done before it began: it shows that value, or one whose " +
                       "writer had seen it",
                   [&] { return "it shows " + to_string(*read); });
    }
  }
  return pairs;
}

}  // namespace dynamo::sim
