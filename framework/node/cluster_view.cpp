#include "node/cluster_view.h"

#include <algorithm>
#include <set>
#include <utility>

namespace dynamo {

ModulesView::ModulesView(Membership& membership, Ring& ring, const RingConfig& config,
                         std::function<void(const History&)> grew)
    : membership_(membership),
      ring_(ring),
      config_(config),
      grew_(std::move(grew)),
      digest_(digest_of(followed_)) {}

void ModulesView::follow(bool tell) {
  // Histories only grow, so a new size is the sign of new events.
  while (membership_.history().size() != followed_.size()) {
    const History before = std::exchange(followed_, membership_.history());
    digest_ = digest_of(followed_);
    members_ = members_of(membership_.view());
    earlier_.clear();
    ring_.rebuild(followed_);
    if (tell) grew_(before);
  }
}

Known ModulesView::known(bool events) const { return {digest_, events ? followed_ : History{}}; }

bool ModulesView::learn(const Known& peer) {
  if (peer.digest != digest_ && !peer.events.empty()) {
    membership_.merge(peer.events);
    follow(true);
  }
  return peer.digest == digest_;
}

bool ModulesView::member(const NodeId& node) const {
  return std::binary_search(members_.begin(), members_.end(), node);
}

std::vector<NodeId> ModulesView::members() const { return members_; }

std::vector<NodeId> ModulesView::removed() const {
  std::set<NodeId> once;
  for (const Event& event : followed_) {
    if (!member(event.subject)) once.insert(event.subject);
  }
  return {once.begin(), once.end()};
}

VnodeId ModulesView::vnode_of(std::string_view key) const { return ring_.vnode_of(hash_of(key)); }

std::vector<NodeId> ModulesView::preference_list(VnodeId vnode) const {
  return ring_.preference_list(vnode);
}

std::vector<Placement> ModulesView::active_list(VnodeId vnode) const {
  return ring_.active_list(vnode, membership_.suspects());
}

std::vector<NodeId> ModulesView::preference_list_after(std::size_t events, VnodeId vnode) const {
  if (events >= followed_.size()) return ring_.preference_list(vnode);
  std::unique_ptr<Ring>& ring = earlier_[events];
  if (!ring) {
    ring = make_ring(config_);
    ring->rebuild({followed_.begin(), followed_.begin() + static_cast<std::ptrdiff_t>(events)});
  }
  return ring->preference_list(vnode);
}

}  // namespace dynamo
