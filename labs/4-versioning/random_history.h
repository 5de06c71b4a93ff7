// Random histories of one key for lab 4's checks: replicas that write, forget, and tell each other.
#pragma once

#include <algorithm>
#include <vector>

#include "core/random.h"
#include "key_history.h"
#include "sim/retell.h"

namespace dynamo::sim {

struct HistoryShape {
  std::size_t steps = 0;
  /// Every writer has seen all that its coordinator wrote before: then a plain vector clock, one
  /// that covers 1 to n of each actor, tells the truth.
  bool coordinators_writes_are_seen = false;
  std::uint64_t stale = 3;  ///< Of 20 steps, so many puts with a context read any time ago.
};

/// Three replicas; some steps, each drawn from `random`; all merged at the end.
inline void run_history(Lone& lone, Random& random, const HistoryShape& shape) {
  passed();  // the story is that of this key
  KeyHistory key(lone);
  struct Node {
    Replica replica;
    Actor actor;
    std::set<WriteId> wrote;
  };
  std::vector<Node> nodes = {{{}, actor("Sx"), {}}, {{}, actor("Sy"), {}}, {{}, actor("Sz"), {}}};
  std::vector<Reading> readings(1);  // the first: a writer who had read nothing
  const auto writes_at = [&](Node& node, const Reading& reading) {
    const bool seen = std::includes(reading.seen.begin(), reading.seen.end(), node.wrote.begin(),
                                    node.wrote.end());
    if (shape.coordinators_writes_are_seen && !seen) return;
    const bool deletes = random.below(6) == 0;
    node.replica = deletes ? key.erase(node.replica, reading, node.actor)
                           : key.put(node.replica, reading, node.actor);
    node.wrote.insert(*node.replica.known.rbegin());
  };
  for (std::size_t step = 0; step < shape.steps; ++step) {
    const std::size_t at = random.below(nodes.size());
    Node& node = nodes[at];
    const std::uint64_t what = random.below(20);
    if (what < shape.stale) {
      writes_at(node, readings[random.below(readings.size())]);
    } else if (what < 11) {
      readings.push_back(key.read(node.replica));
      writes_at(node, readings.back());
    } else if (what < 12) {
      readings.push_back(key.read(node.replica));
    } else if (what < 19) {
      const Node& other = nodes[(at + 1 + random.below(nodes.size() - 1)) % nodes.size()];
      node.replica = key.merge(node.replica, other.replica);
    } else {
      lone.say(text(node.actor) + " forgets the key (its copy was dropped), and begins an epoch");
      node = {{}, actor(node.actor.node, node.actor.epoch + 1), {}};
    }
  }
  Replica all = key.merge(key.merge(nodes[0].replica, nodes[1].replica), nodes[2].replica);
  const Replica same = key.merge(nodes[2].replica, key.merge(nodes[1].replica, nodes[0].replica));
  if (all.state != same.state) {
    violation("merged in another order, the three replicas give the same state",
              text(all.state) + " and " + text(same.state));
  }
  all = key.put(all, key.read(all), nodes[0].actor);
}

/// Many of them, the shortest ones first, so that a failure has a short story.
inline void run_histories(Lone& lone, std::uint64_t seed, std::size_t count, bool plain) {
  Random random(seed);
  for (std::size_t i = 0; i < count; ++i) {
    run_history(lone, random, {2 + i * 22 / count, plain, i % 3 == 0 ? 8U : 3U});
  }
}

}  // namespace dynamo::sim
