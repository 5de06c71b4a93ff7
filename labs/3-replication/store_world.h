// What lab 3's simulated checks share: plans, a quick start, and what must be true in the end.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "core/random.h"
#include "sim/check.h"
#include "sim/store_checks.h"

namespace dynamo::sim {

/// After this time of the cluster's own without faults, all replicas are equal.
inline constexpr Duration kRest = 20s;

/// Static members, last write wins.
inline Plan store_plan(std::size_t count) {
  Plan plan = cluster_plan(count);
  plan.config.modules = {"membership", "ring", "replication"};
  plan.config.q = 64;
  plan.config.seeds = {};
  return plan;
}

inline bool contains(const std::vector<NodeId>& names, const NodeId& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// A history in which n1 added all `members`.
inline History history_of(const World& world, const std::vector<NodeId>& members) {
  History events;
  for (const NodeId& member : members) {
    events.push_back({member, Change::join, {events.size() + 1, "n1", world.incarnation("n1")}});
  }
  return events;
}

/// Starts all nodes, and gives them a history in which n1 added all `members` (none given: of all).
inline void settle(World& world, std::vector<NodeId> members = {}) {
  if (members.empty()) members = world.nodes();
  world.phase("settle");
  for (const NodeId& node : world.nodes()) world.start(node);
  world.invoke_each<&Membership::merge>(world.nodes(), history_of(world, members));
  world.phase("settled: " + list(members));
}

/// Keys that differ from seed to seed.
inline std::string key_name(const World& world, std::size_t number) {
  return "cart" + std::to_string(world.seed()) + "." + std::to_string(number);
}

/// "v7": values that tell puts apart.
inline std::string value_name(std::size_t number) {
  return std::string("v").append(std::to_string(number));
}

/// All nodes but `some`.
inline std::vector<NodeId> nodes_but(const World& world, const std::vector<NodeId>& some) {
  std::vector<NodeId> rest = world.nodes();
  std::erase_if(rest, [&](const NodeId& node) { return contains(some, node); });
  return rest;
}

/// The ways in which a node can be out of reach.
enum class Away { killed, paused, cut_off };
inline Away way(std::uint64_t number) { return static_cast<Away>(number % 3); }

inline void send_away(World& world, const NodeId& node, Away how) {
  if (how == Away::killed) world.crash(node);
  if (how == Away::paused) world.pause(node);
  if (how == Away::cut_off) world.isolate(node);
}
inline void bring_back(World& world, const NodeId& node, Away how) {
  if (how == Away::killed) restart_all(world, {node});
  if (how == Away::paused) world.resume(node);
  if (how == Away::cut_off) {
    Action heal;
    heal.act = "heal";
    heal.nodes = {node};
    world.act(heal);
    heal.nodes.clear();
    heal.peers = {node};
    world.act(heal);
  }
}

inline void expect_done(World& world, const ClientOperation& write, const std::string& why) {
  world.expect(write.done(), question(write) + " is done: " + why,
               [&] { return "the client is told: " + to_string(write); });
}

/// Property 3.1, now: somebody's disk holds the value that a client was told is stored.
inline void expect_on_a_disk(World& world, const ClientOperation& write) {
  std::string held;
  for (const NodeId& node : world.nodes()) {
    const auto found = held_for(world, node, write.key);
    if (!found) continue;
    const auto values = values_in(found->state).value_or(std::vector<std::string>{});
    if (write.value ? contains(values, *write.value) : values.empty()) return;
    held += (held.empty() ? "" : "; ") + node + " holds " + list(values);
  }
  world.expect(false,
               "when a client is told that " + question(write) + " is done, it is on one disk",
               held.empty() ? "no disk holds anything for the key" : held);
}

/// Properties 3.1 and 3.8: all owners become equal, and nobody else holds anything.
inline void comes_to_rest(World& world, const std::string& when, Duration within = kRest) {
  converges(
      world, within, [&] { return replicas_differ(world); },
      "each key lies equal on all its owners and nowhere else, " + when, 200ms);
}

/// At rest nobody sends any message of this lab: whatever goes on must end.
inline void falls_silent(World& world, const std::string& when) {
  const auto sent = [&] {
    std::vector<std::uint64_t> counts;
    for (const MessageType type :
         {message_number<Write>, message_number<Read>, message_number<Update>,
          message_number<AskTransfer>, message_number<SentAll>}) {
      counts.push_back(world.sent(type).messages);
    }
    return counts;
  };
  std::vector<std::uint64_t> before = sent();
  world.run_for(2s);
  converges(
      world, kRest,
      [&]() -> std::string {
        const std::vector<std::uint64_t> now = sent();
        if (now == before) return "";
        const std::uint64_t updates = now[2] - before[2];
        const std::uint64_t asks = now[3] - before[3];
        const std::uint64_t ends = now[4] - before[4];
        before = now;
        return "in the last two seconds there were " + std::to_string(updates) +
               " Updates and their replies, " + std::to_string(asks) + " AskTransfers, " +
               std::to_string(ends) + " SentAlls";
      },
      "nothing is owed any more, so no message of this lab is sent, " + when, 2s);
}

/// What lies on the disks is what clients may expect, of every key that they wrote.
inline void expect_what_clients_wrote(World& world, Duration skew = 0ms) {
  std::set<std::string> keys;
  for (const ClientOperation& operation : world.client_operations()) {
    if (operation.write()) keys.insert(operation.key);
  }
  for (const std::string& key : keys) {
    const Expected expected = expected_with_last_write_wins(world, key, skew);
    const NodeId owner = preference_list(world, key).front();
    const auto held = held_for(world, owner, key);
    const auto values = held ? values_in(held->state).value_or(std::vector<std::string>{"no state"})
                             : std::vector<std::string>{};
    const std::string wrong = contradicts(values, expected);
    world.expect(wrong.empty(), "no write that a client was told is done has got lost, of " + key,
                 owner + ", an owner: " + wrong);
  }
}

}  // namespace dynamo::sim
