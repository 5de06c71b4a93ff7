// A membership that makes no events and sends nothing: enough beside a module that is looked at
// alone.
#include "membership.h"

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

}  // namespace

std::unique_ptr<Membership> make_membership(Env&, const MembershipConfig&) {
  return std::make_unique<QuietMembership>();
}

}  // namespace dynamo
