// The rings of the nodes at the end of a run, for the viewer.
#pragma once

#include <vector>

#include "sim/trace.h"
#include "sim/world.h"

namespace dynamo::sim {

/// A step of kind `ring` for each node that runs; data: {"owners": [the host of each virtual node],
/// "keys": {"cart": {"vnode": 37, "list": [preference list]}}}, or {"same_as": "n1"} if an earlier
/// node answers all of that alike. `keys`: at most `kMostKeys`, those that clients named last.
/// Empty if the nodes have no Ring.
///
/// It asks the solution, so it changes the world's trace: call it when the run has ended.
std::vector<Step> rings_of(World& world);
inline constexpr std::size_t kMostKeys = 12;

/// One such step; without keys.
Step ring_step(Instant at, const NodeId& node, const std::vector<NodeId>& owners);

}  // namespace dynamo::sim
