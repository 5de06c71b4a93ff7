// Scenarios that many checks share: plans, forming a cluster, and what it means to agree.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "sim/world.h"

namespace dynamo::sim {

/// Nodes n1 … n<count>, seeds {n1}, modules membership and ring, links with 1 to 5 ms of delay,
/// and no faults. Change what you need.
Plan cluster_plan(std::size_t count);

/// Makes one cluster of `nodes` (none given: of all): the first is bootstrapped, adds the others at
/// its console, and they are started at moments spread over one gossip period. Then waits until all
/// histories are equal. Throws Violation if the cluster does not form.
void form_cluster(World& world, const std::vector<NodeId>& nodes = {});

/// Starts nodes, each at its own moment within a gossip period, so that their rounds are spread as
/// in life. The period is over afterwards, or almost.
void start_spread(World& world, const std::vector<NodeId>& nodes);

/// What is still wrong, or empty if the nodes' histories (none given: of all that are up) are
/// equal.
std::string histories_differ(World& world, const std::vector<NodeId>& nodes = {});

/// Names of the members in a node's view, sorted.
std::vector<NodeId> members(World& world, const NodeId& node);

/// Starts each of `nodes` (none given: all) again with the disk as it is, in whatever way it was
/// hurt. One that runs, and is not to die soon, is killed first, which is optional.
void restart_all(World& world, const std::vector<NodeId>& nodes = {});

/// "[n1, n2, n4]", for `actual`; of more than 30 the first 24, and how many more there are.
std::string list(const std::vector<NodeId>& names);

/// Liveness. Waits until `wrong` says "", or throws Violation: expected `what` within that virtual
/// time; actual: what `wrong` said last. Heal first, and give it a bound that the handout promises.
void converges(World& world, Duration within, const std::function<std::string()>& wrong,
               const std::string& what, Duration step = std::chrono::milliseconds(100));

}  // namespace dynamo::sim
