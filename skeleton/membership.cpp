// Lab 1: who is in the cluster. labs/1-membership/README.md says what is asked for.
#include "membership.h"

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <stdexcept>
#include <utility>

namespace dynamo {
namespace {

class GossipMembership final : public Membership {
 public:
  GossipMembership(Env& env, MembershipConfig config) : env_(env), config_(std::move(config)) {}

  void start(bool /*bootstrap*/) override {
    // Part A: the first join of a new cluster, if the operator says so (rule 8).
    // Part B: read the disk first, ask the seeds if it was empty (rule 8), and have
    // every(env_, config_.gossip_period, …) start one exchange a round (rules 4 to 6).
    throw std::logic_error("TODO(lab1 A): start: record the first join when bootstrapped");
  }

  // Part A: events and merge.

  Status add(const NodeId& /*subject*/) override {
    throw std::logic_error("TODO(lab1 A): add: check, then record a join with a new version");
  }

  Status remove(const NodeId& /*subject*/) override {
    throw std::logic_error("TODO(lab1 A): remove: check, then record a leave");
  }

  void merge(const History& /*events*/) override {
    throw std::logic_error("TODO(lab1 A): merge: take in every event that is new here");
  }

  const History& history() const override {
    throw std::logic_error("TODO(lab1 A): history: all events known, in version order");
  }

  History view() const override {
    throw std::logic_error("TODO(lab1 A): view: per subject its event of highest version");
  }

  // Part B: gossip and durability.

  void handle(const Gossip& /*request*/, Responder<GossipReply> /*responder*/) override {
    throw std::logic_error("TODO(lab1 B): handle: merge what came, answer with what they lack");
  }

  // Part C: suspicion. These three do nothing until you write them, since the framework calls
  // them from part B on, whenever one of your requests ends.

  void peer_answered(const NodeId& /*peer*/) override {}        // TODO(lab1 C)
  void peer_silent(const NodeId& /*peer*/) override {}          // TODO(lab1 C)
  std::vector<NodeId> suspects() const override { return {}; }  // TODO(lab1 C)

 private:
  Env& env_;
  const MembershipConfig config_;
};

}  // namespace

std::unique_ptr<Membership> make_membership(Env& env, const MembershipConfig& config) {
  return std::make_unique<GossipMembership>(env, config);
}

}  // namespace dynamo
