// Lab 2: who keeps which key. You implement Ring in ring.cpp; README.md is the handout.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/history.h"
#include "core/keys.h"
#include "core/placement.h"

namespace dynamo {

struct RingConfig {
  std::uint32_t q = 1024;  ///< Virtual nodes, fixed for the life of a cluster. At least 1.
  std::uint32_t n = 3;     ///< Replicas of each key. At least 1.
};

/// Keys and nodes on one circle (lecture: "Node & Key Distribution", "Replication"; P§4.2, 6.2).
/// Pure: no Env, no clock, no randomness. What it answers follows from its arguments and from the
/// events of the last rebuild(), and is the same in every process. Lookups leave it unchanged.
class Ring {
 public:
  virtual ~Ring() = default;

  /// Part A, the original scheme: each host has one token, at hash_of(host). The first
  /// min(count, hosts) hosts clockwise: tokens at or after `key`, then round past 0.
  virtual std::vector<NodeId> successors(const std::vector<NodeId>& hosts, KeyHash key,
                                         std::size_t count) const = 0;

  // Part B: Q static virtual nodes.
  /// Takes the full event set, in any order and with repetitions. Nothing of an older ring stays.
  virtual void rebuild(const History& events) = 0;
  /// The host of each vnode, vnode 0 first: Q entries, or none without members.
  virtual const std::vector<NodeId>& owners() const = 0;
  /// The vnode whose arc holds `key`; needs no members.
  virtual VnodeId vnode_of(KeyHash key) const = 0;
  /// The first min(N, hosts with vnodes) *distinct hosts* clockwise from vnode `v`, in walk order.
  virtual std::vector<NodeId> preference_list(VnodeId v) const = 0;

  // Part C: who takes part right now.
  /// The preference list, with the next healthy host of the walk that is not already listed in the
  /// place of each dead one, first come first served. If none is left, the place is dropped.
  virtual std::vector<Placement> active_list(VnodeId v, const std::vector<NodeId>& dead) const = 0;
};

/// You write this one, too. Before the first rebuild() the ring has no members.
std::unique_ptr<Ring> make_ring(const RingConfig& config);

}  // namespace dynamo
