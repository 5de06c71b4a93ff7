// ClusterView over the modules of labs 1 and 2.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "core/cluster_view.h"
#include "membership.h"
#include "ring.h"

namespace dynamo {

class ModulesView final : public ClusterView {
 public:
  /// Both modules outlive the view. `grew` runs after each growth of the history, when the ring is
  /// rebuilt, with what the history was before.
  ModulesView(Membership& membership, Ring& ring, const RingConfig& config,
              std::function<void(const History& before)> grew);

  /// Rebuilds the ring if the history has grown since the last time. `tell`: runs `grew`.
  void follow(bool tell);

  const History& history() const override { return membership_.history(); }
  Known known(bool events) const override;
  bool learn(const Known& peer) override;
  bool member(const NodeId& node) const override;
  std::vector<NodeId> members() const override;
  std::vector<NodeId> removed() const override;
  std::vector<NodeId> suspects() const override { return membership_.suspects(); }
  VnodeId vnode_of(std::string_view key) const override;
  std::vector<NodeId> preference_list(VnodeId vnode) const override;
  std::vector<Placement> active_list(VnodeId vnode) const override;
  std::vector<NodeId> preference_list_after(std::size_t events, VnodeId vnode) const override;

 private:
  Membership& membership_;
  Ring& ring_;
  const RingConfig config_;
  const std::function<void(const History&)> grew_;
  History followed_;      ///< What the ring was built from.
  HistoryDigest digest_;  ///< Of followed_.
  std::vector<NodeId> members_;
  /// Rings of the history's first events, made when asked for; for the history in followed_.
  mutable std::map<std::size_t, std::unique_ptr<Ring>> earlier_;
};

}  // namespace dynamo
