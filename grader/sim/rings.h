// The rings of the nodes, at the end of a run and on the way to it: for the viewer and the
// playground.
#pragma once

#include <functional>
#include <vector>

#include "core/history.h"
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

/// A step of kind `ring_then` for each moment from which on a node has another ring; id: which ring
/// of all, data: {"owners": […]} when it is the first time. A ring follows from the events that a
/// node knows (labs/2-ring), and the trace tells those that it wrote; `owners_of` asks the solution
/// for the ring of some.
std::vector<Step> rings_on_the_way(const std::vector<Step>& steps,
                                   const std::function<std::vector<NodeId>(History)>& owners_of);
/// The same, asking a node that runs; nothing if there is none, or no Ring. As rings_of, it changes
/// the world: call it at the very end, after which the node asked has another ring.
std::vector<Step> rings_on_the_way(World& world);

/// One such step; without keys.
Step ring_step(Instant at, const NodeId& node, const std::vector<NodeId>& owners);

}  // namespace dynamo::sim
