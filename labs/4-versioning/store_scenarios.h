// What the simulated checks of lab 4 share: stores of three nodes with the reference's replication.
#pragma once

#include <string>
#include <vector>

#include "sim/check.h"
#include "sim/store_checks.h"

namespace dynamo::sim {

inline constexpr Duration kRest = 30s;  // far more than propagation takes once all is healed

/// n1, n2, n3 keep every key; membership does not change.
inline Plan store_plan() {
  Plan plan = cluster_plan(3);
  plan.config.modules = {"membership", "ring", "replication", "versioning"};
  plan.config.q = 16;
  return plan;
}

/// Waits until all three replicas of `key` have the same bytes.
inline void at_rest(World& world, const std::string& key) {
  converges(
      world, kRest, [&] { return replicas_differ_in(world, key); },
      "all replicas of " + key + " become equal, byte for byte");
}

inline void expect_done(World& world, const ClientOperation& operation) {
  world.expect(operation.done(), question(operation) + ": done", to_string(operation));
}

/// A put that must succeed.
inline void put(World& world, const NodeId& at, const std::string& key, const std::string& value,
                const std::string& context = {}) {
  expect_done(world, world.put(at, key, value, context));
}

/// A get that must show `values` (sorted; none: there is no such key); its context.
inline std::string shows(World& world, const NodeId& at, const std::string& key,
                         const std::vector<std::string>& values, const std::string& why) {
  const ClientOperation& get = world.get(at, key);
  world.expect(!get.pending() && !get.unknown() && get.values == values,
               "a get at " + at + " shows " + list(values) + ": " + why, to_string(get));
  return get.read_context;
}

/// The same at each node, once all are at rest; the last one's context.
inline std::string all_show(World& world, const std::string& key,
                            const std::vector<std::string>& values, const std::string& why) {
  at_rest(world, key);
  std::string context;
  for (const NodeId& node : world.nodes()) context = shows(world, node, key, values, why);
  return context;
}

}  // namespace dynamo::sim
