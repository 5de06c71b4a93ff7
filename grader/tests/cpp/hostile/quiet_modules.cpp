// Membership and ring for tests of the host, which looks at warm-up modules: they do next to
// nothing.
#include <stdexcept>

#include "membership.h"
#include "quorum.h"
#include "replication.h"
#include "ring.h"
#include "sync.h"
#include "versioning.h"

namespace dynamo {
namespace {

class QuietMembership final : public Membership {
 public:
  void start(bool) override {}
  Status add(const NodeId&) override { return Done{}; }
  Status remove(const NodeId& subject) override { return Error{ErrorCode::not_found, subject}; }
  void merge(const History& events) override { history_ = events; }
  const History& history() const override { return history_; }
  History view() const override { return history_; }
  void handle(const Gossip& request, Responder<GossipReply> responder) override {
    responder.reply({request.digest, request.events});
  }
  void peer_answered(const NodeId&) override {}
  void peer_silent(const NodeId&) override {}
  std::vector<NodeId> suspects() const override { return {}; }

 private:
  History history_;
};

class QuietRing final : public Ring {
 public:
  std::vector<NodeId> successors(const std::vector<NodeId>& hosts, KeyHash,
                                 std::size_t) const override {
    return hosts;
  }
  void rebuild(const History&) override {}
  const std::vector<NodeId>& owners() const override { return owners_; }
  VnodeId vnode_of(KeyHash) const override { return 0; }
  std::vector<NodeId> preference_list(VnodeId) const override { return {}; }
  std::vector<Placement> active_list(VnodeId, const std::vector<NodeId>&) const override {
    return {};
  }

 private:
  std::vector<NodeId> owners_;
};

}  // namespace

std::unique_ptr<Membership> make_membership(Env&, const MembershipConfig&) {
  return std::make_unique<QuietMembership>();
}
std::unique_ptr<Ring> make_ring(const RingConfig&) { return std::make_unique<QuietRing>(); }

// Probes have no store: their config must not name these modules.
std::unique_ptr<LazyCoordinator> make_coordinator(Env&, const ReplicationConfig&, ClusterView&,
                                                  LocalStore&, const Transfer&) {
  throw std::logic_error("a probe has no replication");
}
std::unique_ptr<Transfer> make_transfer(Env&, const ReplicationConfig&, ClusterView&, LocalStore&) {
  throw std::logic_error("a probe has no transfer");
}
std::unique_ptr<Versioning> make_versioning(Reconciliation) {
  throw std::logic_error("a probe has no versioning");
}
std::unique_ptr<QuorumCoordinator> make_quorum(Env&, const QuorumConfig&, ClusterView&, LocalStore&,
                                               LocalStore&, const Transfer&) {
  throw std::logic_error("a probe has no quorum");
}
std::unique_ptr<Sync> make_sync(Env&, const SyncConfig&, ClusterView&, LocalStore&) {
  throw std::logic_error("a probe has no sync");
}

}  // namespace dynamo
