// Lab 3: every key on N nodes. README.md is the handout; you implement LazyCoordinator and Transfer
// in replication.cpp.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/cluster_view.h"
#include "core/coordinator.h"
#include "core/env.h"
#include "core/local_store.h"

namespace dynamo {

struct WriteReply;
struct ReadReply;
struct UpdateReply;
struct AskTransferReply;
struct SentAllReply;

/// "Execute this client's write": from the node that took it, to one of the preference list.
struct Write {
  static constexpr std::string_view type_name = "Write";
  using Reply = WriteReply;
  Known known;
  RequestId id;
  std::string key;
  NewVersion version;
  FIELDS(known, id, key, version)
};
struct WriteReply {
  Known known;
  bool mine = false;  ///< False: I am not on the key's preference list, and have done nothing.
  Status status;      ///< If mine: done, or why not (no_room, too_large, …).
  FIELDS(known, mine, status)
};

/// "What do you hold for this key?"
struct Read {
  static constexpr std::string_view type_name = "Read";
  using Reply = ReadReply;
  Known known;
  std::string key;
  FIELDS(known, key)
};
enum class Holding : std::uint8_t {
  found,
  absent,    ///< Surely: the answering node is on the list, and complete for the key's vnode.
  not_mine,  ///< "I hold nothing, and that says nothing": ask on.
};
std::string name_of(Holding holding);
struct ReadReply {
  Known known;
  Holding holding = Holding::not_mine;
  std::optional<State> state;  ///< If found.
  bool empty = false;          ///< I am no member in my own view, and hold no key at all.
  FIELDS(known, holding, state, empty)
};

/// One key that the sender holds, with or without its state.
struct Copy {
  std::string key;
  StateHash hash;              ///< Of the sender's state.
  std::optional<State> state;  ///< Nothing: "or do you hold this already?"
  FIELDS(key, hash, state)
};
/// "You keep these keys, too": propagation and transfer alike.
struct Update {
  static constexpr std::string_view type_name = "Update";
  using Reply = UpdateReply;
  Known known;
  std::vector<Copy> copies;
  FIELDS(known, copies)
};
struct UpdateReply {
  Known known;
  std::vector<Copy> confirmed;  ///< Without states: these keys, with exactly these hashes, are
                                ///< durable here, or what is here has them merged in.
  FIELDS(known, confirmed)
};

/// "I am receiving these vnodes: send me what you hold of them", and its end. (Part C.)
struct AskTransfer {
  static constexpr std::string_view type_name = "AskTransfer";
  using Reply = AskTransferReply;
  Known known;
  NodeId from;                  ///< Who asks,
  Incarnation incarnation = 0;  ///< with which disk.
  std::vector<VnodeId> vnodes;
  FIELDS(known, from, incarnation, vnodes)
};
struct AskTransferReply {
  Known known;
  FIELDS(known)
};
struct SentAll {
  static constexpr std::string_view type_name = "SentAll";
  using Reply = SentAllReply;
  Known known;
  NodeId from;                    ///< Who says so.
  Incarnation incarnation = 0;    ///< As in the AskTransfer: what another disk confirmed is lost.
  std::vector<VnodeId> complete;  ///< I own these, was complete for them before I sent the first
                                  ///< key, and you have confirmed all of it.
  std::vector<VnodeId> partial;   ///< You have confirmed what I hold of these; there may be more
                                  ///< elsewhere.
  FIELDS(known, from, incarnation, complete, partial)
};
struct SentAllReply {
  Known known;
  FIELDS(known)
};

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
