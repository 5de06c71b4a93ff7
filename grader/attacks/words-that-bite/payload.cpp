// Every reader of a message is a target: the terminal, the page, the JSON, the gradebook.
#include "membership.h"

#include <memory>
#include <stdexcept>

namespace dynamo {
namespace {

constexpr const char* kBites =
    "\x1b]0;owned\x07\x1b[31mred\x1b[0m <script>alert(1)</script> <img src=x onerror=alert(2)>"
    " ]]></script> \xff\xfe\xc3 \xe2\x80\xae =HYPERLINK(\"x\") {{ 7 * 7 }} "
    "[bold]markup[/bold]\r\n\x9b";

class Biting final : public Membership {
 public:
  explicit Biting(Env& env) : env_(env) {}
  void start(bool) override {
    env_.note(kBites);
    env_.storage().put("bites", kBites, kBites);
    throw std::runtime_error(kBites);
  }
  Status add(const NodeId&) override { return Error{ErrorCode::invalid_argument, kBites}; }
  Status remove(const NodeId&) override { return Error{ErrorCode::invalid_argument, kBites}; }
  void merge(const History&) override {}
  const History& history() const override { return history_; }
  History view() const override { return {}; }
  void handle(const Gossip&, Responder<GossipReply>) override {}
  void peer_answered(const NodeId&) override {}
  void peer_silent(const NodeId&) override {}
  std::vector<NodeId> suspects() const override { return {kBites}; }

 private:
  Env& env_;
  History history_;
};

}  // namespace

std::unique_ptr<Membership> make_membership(Env& env, const MembershipConfig&) {
  return std::make_unique<Biting>(env);
}

}  // namespace dynamo
