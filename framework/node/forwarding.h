// Given from lab 5 on: what stands between a client's request and the quorums.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "core/cluster_view.h"
#include "core/coordinator.h"
#include "core/env.h"
#include "core/local_store.h"
#include "node/request_table.h"
#include "node/stamps.h"
#include "quorum.h"

namespace dynamo {

struct ForwardingConfig {
  QuorumMode mode = QuorumMode::strict;
  std::uint32_t n = 3;
  std::uint32_t r = 0;    ///< 0: a majority of n.
  std::uint32_t w = 0;    ///< 0: a majority of n.
  Duration call_timeout;  ///< A node that says nothing for so long is passed over.
  Duration deadline;      ///< No node is asked any more after that.
  Duration remember;      ///< How long request ids are remembered, at least.
};

/// Brings each write to a node that may coordinate it, and sees to it that none of them executes it
/// twice. Strict: a node of the preference list. Sloppy: a healthy one of the preference list, and
/// if none of them answers, the node itself. A write that was tried at two nodes may leave two
/// versions of one value. Reads are coordinated where they arrive.
class Forwarding final : public Coordinator {
 public:
  /// All of them outlive it.
  Forwarding(Env& env, const ForwardingConfig& config, ClusterView& view, const LocalStore& store,
             const LocalStore& hints, QuorumCoordinator& quorum);

  void start() override;
  void handle(const ClientWrite& request, Responder<WriteOutcome> responder) override;
  void handle(const ClientRead& request, Responder<ReadOutcome> responder) override;
  void history_grew(const History& /*before*/) override {}

  void handle(const Coordinate& request, Responder<CoordinateReply> responder);

 private:
  using Done = std::function<void(const WriteOutcome& outcome)>;

  /// A client's write on its way to a coordinator.
  struct Walk {
    Coordinate write;
    Responder<WriteOutcome> responder;
    Instant until;
    std::set<NodeId> asked;
    std::optional<Error> no_room;  ///< A node was reached, and its disk is full.
    bool unknown = false;          ///< A node did not answer: it may have executed the write.
  };
  using WalkPtr = std::shared_ptr<Walk>;

  bool owner(std::string_view key) const;
  std::optional<NodeId> next_host(const Walk& walk) const;
  std::vector<NodeId> candidates(std::string_view key) const;
  void walk_on(const WalkPtr& walk);
  void ask(const WalkPtr& walk, const NodeId& host);
  bool finished(Walk& walk, const WriteOutcome& outcome) const;
  /// Has the write executed here, unless it was; `done` hears the outcome, once.
  void coordinate(const Coordinate& write, Done done);
  Known known_for(const NodeId& peer) const;
  bool heard(const NodeId& peer, const Known& reply);

  Env& env_;
  const ForwardingConfig config_;
  ClusterView& view_;
  const LocalStore& store_;
  const LocalStore& hints_;
  QuorumCoordinator& quorum_;
  Stamps stamps_;
  RequestTable table_;
  std::map<RequestId, std::vector<Done>> running_;  ///< And who waits for the outcome.
  std::set<NodeId> differing_;  ///< Peers that showed another history last time.
};

}  // namespace dynamo
