// Lab 5: how many must hold it, how many must be asked. You implement QuorumCoordinator in
// quorum.cpp; README.md is the handout. Messages: quorum_messages.h, and Update and Read of lab 3.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "core/cluster_view.h"
#include "core/coordinator.h"
#include "core/env.h"
#include "core/local_store.h"
#include "quorum_messages.h"
#include "replication.h"

namespace dynamo {

/// Whose answers count. strict: the key's preference list. sloppy: the first N healthy hosts, those
/// who stand in for dead ones among them (lecture: "Sloppy Quorum"; P§4.6).
enum class QuorumMode : std::uint8_t { strict, sloppy };
std::string name_of(QuorumMode mode);

struct QuorumConfig {
  QuorumMode mode;
  std::uint32_t n;        ///< Replicas of a key.
  Duration call_timeout;  ///< How long to wait for one peer's answer.
  Duration deadline;  ///< A put or get is answered by then: with success, or with needed and got.
  Duration retry_period;    ///< How often to try again what a peer has not confirmed.
  std::size_t batch_bytes;  ///< An Update or StoreHints carries about so much; at least one state.
};

/// A client's put or delete, at the node that coordinates it.
struct QuorumWrite {
  std::string key;
  NewVersion version;  ///< Stamped already.
  std::uint32_t w;     ///< Hosts that must hold it durably, this one among them: 1 to N.
  bool again;          ///< The same request was executed here before: make no new version, only see
                       ///< that W hosts hold what is here. `store` or `hints` still has the key.
};

/// A client's get, at the node that took it, whether that is an owner of the key or not.
struct QuorumRead {
  std::string key;
  std::uint32_t r;  ///< Hosts that must answer, this one among them: 1 to N.
};

/// Coordinates reads and writes (lecture: "Quorums"; P§4.5, 4.6). Given code stands before it: it
/// stamps writes, hands them to a node that may coordinate them (strict: one of the preference
/// list; sloppy: the first that is alive, at last this one), and keeps the table of request ids.
/// Every method runs inside a handler; answer each request once.
class QuorumCoordinator {
 public:
  virtual ~QuorumCoordinator() = default;

  /// Runs once, at each start of the process: read the disk, go on with what is still owed.
  virtual void start() = 0;

  /// What clients ask (parts A and C). When fewer than `w` or `r` hosts can be had: `unavailable`,
  /// with `needed` and `got`. An error of LocalStore::write is the answer at once.
  virtual void put(const QuorumWrite& write, Responder<WriteOutcome> responder) = 0;
  virtual void get(const QuorumRead& read, Responder<ReadOutcome> responder) = 0;

  // What other nodes ask (parts A and C).
  virtual void handle(const Update& request, Responder<UpdateReply> responder) = 0;
  virtual void handle(const Read& request, Responder<ReadReply> responder) = 0;
  virtual void handle(const StoreHints& request, Responder<StoreHintsReply> responder) = 0;

  /// As lab 3's: the owners may be others now. Perhaps in the middle of a ClusterView::learn().
  virtual void history_grew(const History& before) = 0;
};

/// You write this one, too. What is handed in outlives what it returns; do no I/O before start().
/// `store`: this node's own keys. `hints`: a store apart from it, for keys that wait for their
/// owners; whose they are is yours to keep. `transfer`: whether this node may say "absent".
std::unique_ptr<QuorumCoordinator> make_quorum(Env& env, const QuorumConfig& config,
                                               ClusterView& view, LocalStore& store,
                                               LocalStore& hints, const Transfer& transfer);

}  // namespace dynamo
