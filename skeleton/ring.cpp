// Lab 2: who keeps which key. labs/2-ring/README.md says what is asked for.
#include "ring.h"

#include <stdexcept>

namespace dynamo {
namespace {

// Lookups and rebuild() are yours to fill in; keep the names of the methods as they are.
class VnodeRing final : public Ring {
 public:
  explicit VnodeRing(const RingConfig& config) : config_(config) {}

  // Part A: one token a host, and where a key's hash lies among Q equal arcs.
  std::vector<NodeId> successors(const std::vector<NodeId>& /*hosts*/, KeyHash /*key*/,
                                 std::size_t /*count*/) const override {
    throw std::logic_error("TODO(lab2 A): successors: hosts by token, clockwise from the key");
  }

  VnodeId vnode_of(KeyHash /*key*/) const override {
    throw std::logic_error("TODO(lab2 A): vnode_of: the vnode whose arc holds the key");
  }

  // Part B: who owns each vnode, and which hosts keep its keys.
  void rebuild(const History& /*events*/) override {
    throw std::logic_error("TODO(lab2 B): rebuild: replay all events in version order");
  }

  const std::vector<NodeId>& owners() const override {
    throw std::logic_error("TODO(lab2 B): owners: the host of each vnode");
  }

  std::vector<NodeId> preference_list(VnodeId /*v*/) const override {
    throw std::logic_error("TODO(lab2 B): preference_list: the first N distinct hosts");
  }

  // Part C: who stands in for dead hosts, right now.
  std::vector<Placement> active_list(VnodeId /*v*/,
                                     const std::vector<NodeId>& /*dead*/) const override {
    throw std::logic_error("TODO(lab2 C): active_list: healthy hosts for the dead ones");
  }

 private:
  [[maybe_unused]] const RingConfig config_;
};

}  // namespace

std::unique_ptr<Ring> make_ring(const RingConfig& config) {
  return std::make_unique<VnodeRing>(config);
}

}  // namespace dynamo
