// Lab 6: find what differs without sending everything. You implement Sync in sync.cpp; README.md is
// the handout. tree.h has the tree's shape, sync_messages.h the messages.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "core/cluster_view.h"
#include "core/env.h"
#include "core/local_store.h"
#include "sync_messages.h"
#include "tree.h"

namespace dynamo {

struct SyncConfig {
  Duration call_timeout;           ///< How long to wait for one peer's answer.
  Duration sync_period;            ///< A new exchange, with the next peer, begins each period.
  std::uint64_t bytes_per_second;  ///< Of all that this node's exchanges send and are sent.
  std::size_t batch_bytes;         ///< A message carries states of about so much; at least one.
  std::uint32_t q;                 ///< Vnodes of the ring: 0 … q-1.
};

/// Anti-entropy: a Merkle tree a vnode, compared with the co-owners' in the background (lecture:
/// "Merkle trees"; P§4.7). Every method runs inside a handler.
class Sync : public StoreObserver {
 public:
  /// Runs once, at each start of the process. After it, the trees are those of what is on the disk;
  /// the disk may be an old one that no tree was ever kept on.
  virtual void start() = 0;

  // Part A: the tree of all keys of this node's LocalStore that lie in `vnode`, tombstones too.
  virtual TreeHash root(VnodeId vnode) const = 0;
  /// What stands at a place, also below a leaf: then a leaf with the keys that lie there.
  virtual TreeNode node(VnodeId vnode, const TreePath& path) const = 0;
  // changed(), StoreObserver's, keeps the trees up.

  // Part B: the exchange.
  virtual void handle(const CompareRoots& request, Responder<CompareRootsReply> responder) = 0;
  virtual void handle(const AskNodes& request, Responder<AskNodesReply> responder) = 0;
  virtual void handle(const AskCopies& request, Responder<AskCopiesReply> responder) = 0;

  /// As lab 3's: the owners may be others now. Perhaps in the middle of a ClusterView::learn() of
  /// your own, in a reply's callback: look afterwards whether its exchange is still the current
  /// one.
  virtual void history_grew(const History& before) = 0;
};

/// You write this one, too. What is handed in outlives what it returns; do no I/O before start().
std::unique_ptr<Sync> make_sync(Env& env, const SyncConfig& config, ClusterView& view,
                                LocalStore& store);

}  // namespace dynamo
