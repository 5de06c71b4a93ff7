// Lab 1: who is in the cluster. README.md is the handout; you implement Membership in
// membership.cpp.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "core/env.h"
#include "core/history.h"

namespace dynamo {

struct GossipReply;

/// What one node says to another each round. Which events you put in, and when, is yours to decide.
struct Gossip {
  static constexpr std::string_view type_name = "Gossip";
  using Reply = GossipReply;
  HistoryDigest digest;  ///< Of the sender's whole history.
  History events;        ///< Events that the receiver may lack; often none.
  FIELDS(digest, events)
};

struct GossipReply {
  HistoryDigest digest;  ///< Of the answering node's history, after it merged what came.
  History events;        ///< Events that the asker may lack; often none.
  FIELDS(digest, events)
};

struct MembershipConfig {
  Duration gossip_period;     ///< One round: every node starts one exchange each period.
  Duration call_timeout;      ///< How long to wait for an answer.
  std::vector<NodeId> seeds;  ///< Asked first by a node with an empty disk; may name this node.
};

/// This node's view of the cluster and the history of changes behind it (lecture: "Membership",
/// "Failure Detection"; P§4.8). Every method runs inside a handler.
class Membership {
 public:
  virtual ~Membership() = default;

  /// Runs once, before anything else, at each start of the process. `bootstrap`: the operator said
  /// that this node is the first of a new cluster. With a history on disk it changes nothing.
  virtual void start(bool bootstrap) = 0;

  // Part A: events and merge. The console's add and remove answer not_a_member (this node is none),
  // invalid_argument (adding itself), already_exists, not_found, no_room; an error changes nothing.
  virtual Status add(const NodeId& subject) = 0;
  virtual Status remove(const NodeId& subject) = 0;
  virtual void merge(const History& events) = 0;  ///< In any order, with repetitions.
  virtual const History& history() const = 0;     ///< All events known, in version order.
  virtual History view() const = 0;  ///< Per subject its event of highest version; by subject.

  // Part B: gossip and durability.
  virtual void handle(const Gossip& request, Responder<GossipReply> responder) = 0;

  // Part C: suspicion. The framework calls these for every request of this node, of any lab.
  virtual void peer_answered(const NodeId& peer) = 0;  ///< It answered one of our requests.
  virtual void peer_silent(const NodeId& peer) = 0;    ///< A request timed out or was refused.
  virtual std::vector<NodeId> suspects() const = 0;    ///< Sorted. Never changes view().
};

/// You write this one, too. `env` outlives what it returns; do no I/O before start().
std::unique_ptr<Membership> make_membership(Env& env, const MembershipConfig& config);

/// Given: the subjects whose event in `view` is a join, sorted.
std::vector<NodeId> members_of(const History& view);

}  // namespace dynamo
