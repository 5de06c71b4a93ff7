// What a node knows of its cluster: lab 1's membership and lab 2's ring, as later labs use them.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "core/history.h"
#include "core/ids.h"
#include "core/keys.h"
#include "core/placement.h"
#include "core/result.h"

namespace dynamo {

/// How two nodes make sure that they speak of the same cluster; part of every message from lab 3
/// on.
struct Known {
  HistoryDigest digest;  ///< Of the sender's whole history.
  History events;        ///< Events that the receiver may lack; often none.
  FIELDS(digest, events)
  bool operator==(const Known&) const = default;
};

/// Given. Lists follow from the history alone: who is alive never changes them. Only inside a
/// handler. Whoever a call failed at is among the suspects() before the call's callback runs.
class ClusterView {
 public:
  virtual ~ClusterView() = default;

  virtual const History& history() const = 0;  ///< In version order.

  /// What to send: the digest, and with `events` the whole history.
  virtual Known known(bool events = false) const = 0;

  /// Merges what a peer knows; the lists below are the new ones at once, and before it returns the
  /// history_grew() of each module has run. True if the two histories are equal now, as far as this
  /// node can see: the peer's digest is its own.
  virtual bool learn(const Known& peer) = 0;

  virtual bool member(const NodeId& node) const = 0;
  virtual std::vector<NodeId> members() const = 0;   ///< Sorted.
  virtual std::vector<NodeId> removed() const = 0;   ///< Were members once and are not now; sorted.
  virtual std::vector<NodeId> suspects() const = 0;  ///< Did not answer our last request; sorted.

  virtual VnodeId vnode_of(std::string_view key) const = 0;

  /// The hosts that keep the keys of `vnode`, in walk order; none without members.
  virtual std::vector<NodeId> preference_list(VnodeId vnode) const = 0;

  /// The hosts that take part right now: the list, with the next healthy host in the place of each
  /// suspected one, which it names (lab 2: Ring::active_list). Others may see it otherwise.
  virtual std::vector<Placement> active_list(VnodeId vnode) const = 0;

  /// The same after only the first `events` events of the history.
  virtual std::vector<NodeId> preference_list_after(std::size_t events, VnodeId vnode) const = 0;
};

}  // namespace dynamo
