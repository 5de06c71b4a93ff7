// What lab 6's simulated checks share: clusters in which nothing but sync repairs what is missing.
#pragma once

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "../3-replication/store_world.h"
#include "merkle_tree.h"

namespace dynamo::sim {

/// Static members, the clocks of lab 4, no Transfer. What a coordinator could not deliver at once
/// it tries again in a thousand hours only: until then an owner lacks it, unless sync finds it.
inline Plan sync_plan(std::size_t count) {
  Plan plan = store_plan(count);
  plan.config.modules = {"membership", "ring", "replication", "versioning", "sync"};
  plan.config.q = 32;
  plan.config.seeds = plan.nodes;
  plan.config.retry_period = std::chrono::hours(1000);
  plan.config.sync_period = 500ms;
  plan.config.sync_bytes_per_second = 4u << 20;
  return plan;
}

/// Property 6.6: a pass is one exchange of each node with each co-owner; all others, at most. One
/// period more for the first to begin, one for the last to end.
inline Duration passes(const World& world, std::size_t count) {
  const std::size_t others = world.nodes().size() - 1;
  return (count * others + 2) * world.plan().config.sync_period;
}

/// Property 6.1, for all nodes: each root is that of a tree made afresh from what the disk holds.
inline void expect_trees(World& world, const std::string& when) {
  for (const NodeId& node : world.up_nodes()) {
    const MerkleTrees right = trees_of(world.disk(node), world.plan().config.q);
    for (VnodeId vnode = 0; vnode < right.q(); ++vnode) {
      const TreeHash root = world.invoke<&Sync::root>(node, vnode);
      world.expect(root == right.root(vnode),
                   "the root of each vnode is that of a tree made afresh from the keys that the "
                   "node holds, " +
                       when,
                   [&] {
                     return "on " + node + " the root of vnode " + std::to_string(vnode) +
                            ", with " + std::to_string(right.keys(vnode).size()) +
                            " keys, is another one";
                   });
    }
  }
}

/// What exchanges have sent so far beside the questions for roots.
inline std::vector<std::uint64_t> sent_below_the_roots(const World& world) {
  std::vector<std::uint64_t> counts;
  for (const MessageType type :
       {message_number<AskNodes>, message_number<AskCopies>, message_number<Update>}) {
    counts.push_back(world.sent(type).messages);
  }
  return counts;
}

/// Properties 6.3 and 6.6: once all are equal, exchanges go on, and none goes further than roots.
inline void a_pass_is_idle(World& world, const std::string& when) {
  world.run_for(2 * world.plan().config.sync_period);  // for what was under way
  const auto before = sent_below_the_roots(world);
  const std::uint64_t roots = world.sent(message_number<CompareRoots>).messages;
  world.run_for(passes(world, 1));
  const auto after = sent_below_the_roots(world);
  world.expect(after == before,
               "a further pass finds nothing to do: only roots are compared, " + when, [&] {
                 return "it takes " + std::to_string(after[0] - before[0]) + " AskNodes, " +
                        std::to_string(after[1] - before[1]) + " AskCopies and " +
                        std::to_string(after[2] - before[2]) + " Updates, with their replies";
               });
  world.expect(world.sent(message_number<CompareRoots>).messages > roots,
               "exchanges go on: nobody knows what will be lost next", "no roots are compared");
}

/// Property 6.6: within two passes all replicas are equal, and it stays so.
inline void restored_in_two_passes(World& world, const std::string& when) {
  converges(
      world, passes(world, 2), [&] { return replicas_differ(world); },
      "each key lies equal on all its owners, two passes of sync " + when +
          ", though no client reads",
      world.plan().config.sync_period);
  a_pass_is_idle(world, when);
}

/// What lies on the disks is what clients may expect, of every key that they wrote, with siblings.
inline void expect_all_versions(World& world) {
  std::set<std::string> keys;
  for (const ClientOperation& operation : world.client_operations()) {
    if (operation.write()) keys.insert(operation.key);
  }
  for (const std::string& key : keys) {
    const NodeId owner = preference_list(world, key).front();
    const auto held = held_for(world, owner, key);
    auto values = held ? values_in(held->state).value_or(std::vector<std::string>{"no state"})
                       : std::vector<std::string>{};
    // Two coordinators that both executed a write have made two versions of its value.
    values.erase(std::unique(values.begin(), values.end()), values.end());
    const std::string wrong = contradicts(values, expected_with_siblings(world, key, true));
    world.expect(wrong.empty(),
                 "of " + key + " each version is there that no writer had seen and replaced",
                 owner + ", an owner: " + wrong);
  }
}

}  // namespace dynamo::sim
