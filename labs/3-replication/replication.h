// Lab 3: every key on N nodes. README.md is the handout; you implement LazyCoordinator and Transfer
// in replication.cpp. The messages are in replication_messages.h and transfer_messages.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "core/cluster_view.h"
#include "core/coordinator.h"
#include "core/env.h"
#include "core/local_store.h"
#include "replication_messages.h"
#include "transfer_messages.h"

namespace dynamo {

struct ReplicationConfig {
  Duration call_timeout;    ///< How long to wait for one peer's answer.
  Duration retry_period;    ///< How often to try again what a peer has not confirmed.
  Duration remember;        ///< How long a request id is remembered, at least.
  std::size_t batch_bytes;  ///< An Update carries about so much; at least one copy.
  std::uint32_t q;          ///< Vnodes of the ring: 0 … q-1.
};

/// Hands vnodes over when nodes join and leave (part C). Each method runs inside a handler.
class Transfer {
 public:
  virtual ~Transfer() = default;
  /// Once, at each start of the process, before the coordinator's. `bootstrap`: the operator's flag
  /// for the first node of a new cluster; on a disk that has a past it means nothing.
  virtual void start(bool bootstrap) = 0;
  /// May this node, an owner of `vnode`, say "absent" for its keys?
  virtual bool complete(VnodeId vnode) const = 0;
  virtual void handle(const AskTransfer& request, Responder<AskTransferReply> responder) = 0;
  virtual void handle(const SentAll& request, Responder<SentAllReply> responder) = 0;
  /// As the coordinator's, and before it: perhaps in the middle of a ClusterView::learn() of yours.
  virtual void history_grew(const History& before) = 0;
};

/// Takes clients' requests, walks the ring, and propagates lazily (lecture: "Replication"; P§4.3).
class LazyCoordinator : public Coordinator {
 public:
  using Coordinator::handle;
  virtual void handle(const Write& request, Responder<WriteReply> responder) = 0;
  virtual void handle(const Read& request, Responder<ReadReply> responder) = 0;
  virtual void handle(const Update& request, Responder<UpdateReply> responder) = 0;
};

/// You write these two. What is handed in outlives what they return; do no I/O before start().
std::unique_ptr<LazyCoordinator> make_coordinator(Env& env, const ReplicationConfig& config,
                                                  ClusterView& view, LocalStore& store,
                                                  const Transfer& transfer);
std::unique_ptr<Transfer> make_transfer(Env& env, const ReplicationConfig& config,
                                        ClusterView& view, LocalStore& store);

}  // namespace dynamo
