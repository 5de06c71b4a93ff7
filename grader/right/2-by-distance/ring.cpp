// Right but different: plain containers, names instead of numbers, and vnodes
// chosen by their distance from those that a host owns already.
#include "ring.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

namespace dynamo {
namespace {

class DistanceRing final : public Ring {
 public:
  explicit DistanceRing(const RingConfig& config) : config_(config) {}

  std::vector<NodeId> successors(const std::vector<NodeId>& hosts, KeyHash key,
                                 std::size_t count) const override {
    std::map<KeyHash, NodeId> by_way;  // the way clockwise from the key wraps past 0 by itself
    for (const NodeId& host : hosts) by_way[hash_of(host) - key] = host;
    std::vector<NodeId> found;
    for (const auto& [way, host] : by_way) {
      if (found.size() < count) found.push_back(host);
    }
    return found;
  }

  void rebuild(const History& events) override {
    std::map<Version, Event> in_order;
    for (const Event& event : events) in_order.emplace(event.version, event);
    owners_.clear();
    members_.clear();
    for (const auto& [version, event] : in_order) {
      const bool member = members_.contains(event.subject);
      if (event.change == Change::join && !member) join(event.subject);
      if (event.change == Change::leave && member) leave(event.subject);
    }
  }

  const std::vector<NodeId>& owners() const override { return owners_; }

  VnodeId vnode_of(KeyHash key) const override {
    __extension__ using Wide = unsigned __int128;
    return static_cast<VnodeId>(static_cast<Wide>(key) * config_.q >> 64);
  }

  std::vector<NodeId> preference_list(VnodeId v) const override {
    std::vector<NodeId> list;
    for (const Placement& place : active_list(v, {})) list.push_back(place.host);
    return list;
  }

  std::vector<Placement> active_list(VnodeId v, const std::vector<NodeId>& dead) const override {
    const std::set<NodeId> gone(dead.begin(), dead.end());
    std::set<NodeId> met;
    std::vector<Placement> places;
    for (std::size_t step = 0; step < owners_.size() && met.size() < members_.size(); ++step) {
      const NodeId& host = owners_[(v + step) % owners_.size()];
      if (!met.insert(host).second) continue;
      if (met.size() <= config_.n) {
        places.push_back(gone.contains(host) ? Placement{"", host} : Placement{host, ""});
      } else if (!gone.contains(host)) {
        const auto open = std::find_if(places.begin(), places.end(),
                                       [](const Placement& place) { return place.host.empty(); });
        if (open == places.end()) break;
        open->host = host;
      } else if (std::none_of(places.begin(), places.end(),
                              [](const Placement& place) { return place.host.empty(); })) {
        break;
      }
      if (met.size() == config_.n && gone.empty()) break;
    }
    std::erase_if(places, [](const Placement& place) { return place.host.empty(); });
    return places;
  }

 private:
  std::map<NodeId, std::size_t> loads() const {
    std::map<NodeId, std::size_t> counts;
    for (const NodeId& member : members_) counts[member] = 0;
    for (const NodeId& owner : owners_) ++counts[owner];
    return counts;
  }

  /// Steps from `v` to the nearest vnode of `host`, either way; beyond three
  /// all are alike.
  int distance(VnodeId v, const NodeId& host) const {
    for (std::uint32_t step = 1; step <= 3 && step < config_.q; ++step) {
      if (owners_[(v + step) % config_.q] == host) return static_cast<int>(step);
      if (owners_[(v + config_.q - step) % config_.q] == host) return static_cast<int>(step);
    }
    return 4;
  }

  static KeyHash lot(VnodeId v, const NodeId& host) {
    return hash_of(NodeId(host).append("/").append(std::to_string(v)));
  }

  void join(const NodeId& joiner) {
    members_.insert(joiner);
    if (members_.size() == 1) {
      owners_.assign(config_.q, joiner);
      return;
    }
    std::map<NodeId, std::size_t> counts = loads();
    std::vector<KeyHash> lots;
    for (VnodeId v = 0; v < config_.q; ++v) lots.push_back(lot(v, joiner));
    for (std::size_t share = config_.q / members_.size(); share > 0; --share) {
      std::size_t most = 0;
      for (const auto& [host, count] : counts) most = std::max(most, count);
      // Far from what the joiner has, then by lot.
      std::tuple<int, KeyHash, VnodeId> best{5, 0, 0};
      for (VnodeId v = 0; v < config_.q; ++v) {
        if (owners_[v] == joiner || counts[owners_[v]] != most) continue;
        best = std::min(best, std::tuple(-distance(v, joiner), lots[v], v));
      }
      const VnodeId v = std::get<2>(best);
      --counts[owners_[v]];
      owners_[v] = joiner;
    }
  }

  void leave(const NodeId& leaver) {
    members_.erase(leaver);
    if (members_.empty()) {
      owners_.clear();
      return;
    }
    std::map<NodeId, std::size_t> counts = loads();
    counts.erase(leaver);
    for (VnodeId v = config_.q; v-- > 0;) {
      if (owners_[v] != leaver) continue;
      std::tuple<std::size_t, int, KeyHash, NodeId> best{config_.q + 1, 0, 0, ""};
      for (const auto& [host, count] : counts) {
        best = std::min(best, std::tuple(count, -distance(v, host), lot(v, host), host));
      }
      owners_[v] = std::get<3>(best);
      ++counts[owners_[v]];
    }
  }

  const RingConfig config_;
  std::set<NodeId> members_;
  std::vector<NodeId> owners_;  ///< Host of each vnode; empty without members.
};

}  // namespace

std::unique_ptr<Ring> make_ring(const RingConfig& config) {
  return std::make_unique<DistanceRing>(config);
}

}  // namespace dynamo
