// Lab 2: who keeps which key. labs/2-ring/README.md says what is asked for.
#include "ring.h"

// BEGIN SKELETON
// #include <stdexcept>
// END SKELETON
// BEGIN SOLUTION
#include <algorithm>
#include <utility>

#include "core/random.h"
// END SOLUTION

namespace dynamo {
namespace {

// BEGIN SOLUTION
/// Who owns each vnode while a history is replayed, event by event. Hosts are numbers here, so that
/// a thousand events cost milliseconds.
class Replay {
 public:
  explicit Replay(std::uint32_t q) : q_(q) {}

  void apply(const Event& event) {
    const auto at = std::find_if(hosts_.begin(), hosts_.end(),
                                 [&](const Host& host) { return host.name == event.subject; });
    if (event.change == Change::join) {
      if (at == hosts_.end()) join(event.subject);
    } else if (at != hosts_.end()) {
      leave(static_cast<std::size_t>(at - hosts_.begin()));
    }
  }

  /// The owner of each vnode by name; empty without members.
  std::vector<NodeId> owners() const {
    std::vector<NodeId> names;
    names.reserve(owner_.size());
    for (const std::size_t host : owner_) names.push_back(hosts_[host].name);
    return names;
  }

 private:
  struct Host {
    NodeId name;
    std::uint64_t token = 0;  ///< hash_of(name).
    std::size_t load = 0;     ///< How many vnodes it owns.
  };

  /// Where vnode `v` stands in a host's own pseudo-random order of all vnodes. That spreads a host
  /// over the circle, and depends on nothing but the host's name and `v`.
  static std::uint64_t rank(const Host& host, VnodeId v) { return mix(host.token ^ v); }

  std::vector<VnodeId> own_order(const Host& host) const {
    std::vector<std::pair<std::uint64_t, VnodeId>> ranked;
    ranked.reserve(q_);
    for (VnodeId v = 0; v < q_; ++v) ranked.emplace_back(rank(host, v), v);
    std::sort(ranked.begin(), ranked.end());
    std::vector<VnodeId> order;
    order.reserve(q_);
    for (const auto& [unused, v] : ranked) order.push_back(v);
    return order;
  }

  /// The joiner takes floor(Q/S) vnodes, one after the other from the host that is then the most
  /// loaded: those that come first in the joiner's own order.
  void join(const NodeId& name) {
    hosts_.push_back({name, hash_of(name), 0});
    const std::size_t joiner = hosts_.size() - 1;
    if (joiner == 0) {
      owner_.assign(q_, joiner);
      hosts_[joiner].load = q_;
      return;
    }
    std::vector<std::size_t> to_give = shares_to_give(q_ / hosts_.size());
    for (const VnodeId v : own_order(hosts_[joiner])) {
      if (to_give[owner_[v]] == 0) continue;
      --to_give[owner_[v]];
      give(v, joiner);
    }
  }

  /// How many of `total` vnodes each host gives up. Of several most loaded hosts, the one that
  /// joined first gives the next.
  std::vector<std::size_t> shares_to_give(std::size_t total) const {
    std::vector<std::size_t> shares(hosts_.size(), 0);
    const auto left = [&](std::size_t host) { return hosts_[host].load - shares[host]; };
    for (; total > 0; --total) {
      std::size_t most = 0;
      for (std::size_t host = 1; host < hosts_.size(); ++host) {
        if (left(host) > left(most)) most = host;
      }
      ++shares[most];
    }
    return shares;
  }

  /// Each vnode of the leaver, in ascending order, goes to the least loaded host at that moment; of
  /// several, to the one in whose own order it comes first.
  void leave(std::size_t leaver) {
    if (hosts_.size() == 1) {
      owner_.clear();
      hosts_.clear();
      return;
    }
    for (VnodeId v = 0; v < q_; ++v) {
      if (owner_[v] == leaver) give(v, least_loaded_but(leaver, v));
    }
    hosts_.erase(hosts_.begin() + static_cast<std::ptrdiff_t>(leaver));
    for (std::size_t& host : owner_) {
      if (host > leaver) --host;
    }
  }

  std::size_t least_loaded_but(std::size_t leaver, VnodeId v) const {
    std::size_t best = leaver == 0 ? 1 : 0;
    const auto key = [&](std::size_t host) {
      return std::make_pair(hosts_[host].load, rank(hosts_[host], v));
    };
    for (std::size_t host = best + 1; host < hosts_.size(); ++host) {
      if (host != leaver && key(host) < key(best)) best = host;
    }
    return best;
  }

  void give(VnodeId v, std::size_t to) {
    --hosts_[owner_[v]].load;
    ++hosts_[to].load;
    owner_[v] = to;
  }

  const std::uint32_t q_;
  std::vector<Host> hosts_;         ///< The members, in the order in which they joined.
  std::vector<std::size_t> owner_;  ///< Of each vnode: an index of hosts_. Empty without members.
};

bool contains(const std::vector<NodeId>& hosts, const NodeId& host) {
  return std::find(hosts.begin(), hosts.end(), host) != hosts.end();
}

class VnodeRing final : public Ring {
 public:
  explicit VnodeRing(const RingConfig& config) : config_(config) {}

  std::vector<NodeId> successors(const std::vector<NodeId>& hosts, KeyHash key,
                                 std::size_t count) const override {
    std::vector<std::pair<KeyHash, NodeId>> tokens;
    tokens.reserve(hosts.size());
    for (const NodeId& host : hosts) tokens.emplace_back(hash_of(host), host);
    std::sort(tokens.begin(), tokens.end());
    const auto first =
        std::find_if(tokens.begin(), tokens.end(), [&](const auto& t) { return t.first >= key; });
    std::rotate(tokens.begin(), first, tokens.end());  // from `first` on, then round past 0
    std::vector<NodeId> walk;
    for (std::size_t i = 0; i < std::min(count, tokens.size()); ++i) {
      walk.push_back(tokens[i].second);
    }
    return walk;
  }

  void rebuild(const History& events) override {
    History sorted = events;
    std::sort(sorted.begin(), sorted.end(),
              [](const Event& a, const Event& b) { return a.version < b.version; });
    Replay replay(config_.q);
    // A repeated event changes nothing the second time, so repetitions need no care of their own.
    for (const Event& event : sorted) replay.apply(event);
    owners_ = replay.owners();
    std::vector<NodeId> hosts = owners_;
    std::sort(hosts.begin(), hosts.end());
    hosts_with_vnodes_ =
        static_cast<std::size_t>(std::unique(hosts.begin(), hosts.end()) - hosts.begin());
  }

  const std::vector<NodeId>& owners() const override { return owners_; }

  VnodeId vnode_of(KeyHash key) const override {
    // floor(key·Q / 2^64) in two halves, so that it fits 64 bits. Vnode i begins at ceil(i·2^64/Q):
    // the first hash for which that quotient is i.
    const std::uint64_t q = config_.q;
    const std::uint64_t low = (key & 0xffffffffU) * q;
    const std::uint64_t high = (key >> 32) * q;
    return static_cast<VnodeId>((high + (low >> 32)) >> 32);
  }

  std::vector<NodeId> preference_list(VnodeId v) const override { return walk_to_healthy(v, {}); }

  std::vector<Placement> active_list(VnodeId v, const std::vector<NodeId>& dead) const override {
    const std::vector<NodeId> walk = walk_to_healthy(v, dead);
    const std::size_t listed = std::min<std::size_t>(config_.n, walk.size());
    std::vector<Placement> active;
    active.reserve(listed);
    std::size_t next = listed;  // the first host of the walk that has not been tried as a stand-in
    for (std::size_t i = 0; i < listed; ++i) {
      if (!contains(dead, walk[i])) {
        active.push_back({walk[i], {}});
        continue;
      }
      while (next < walk.size() && contains(dead, walk[next])) ++next;
      if (next < walk.size()) active.push_back({walk[next++], walk[i]});
    }
    return active;
  }

 private:
  /// The distinct hosts clockwise from `v`, in walk order, up to the N-th that is not in `dead`; if
  /// there are fewer, all that own a vnode.
  std::vector<NodeId> walk_to_healthy(VnodeId v, const std::vector<NodeId>& dead) const {
    std::vector<NodeId> walk;
    walk.reserve(std::min<std::size_t>(config_.n, hosts_with_vnodes_));
    std::size_t healthy = 0;
    for (std::size_t step = 0; step < owners_.size(); ++step) {
      if (healthy == config_.n || walk.size() == hosts_with_vnodes_) break;
      const NodeId& host = owners_[(v + step) % owners_.size()];
      if (contains(walk, host)) continue;
      walk.push_back(host);
      if (!contains(dead, host)) ++healthy;
    }
    return walk;
  }

  const RingConfig config_;
  std::vector<NodeId> owners_;         ///< Host of each vnode; empty without members.
  std::size_t hosts_with_vnodes_ = 0;  ///< Distinct names in owners_: at most min(Q, members).
};
// END SOLUTION
// BEGIN SKELETON
// // Lookups and rebuild() are yours to fill in; keep the names of the methods as they are.
// class VnodeRing final : public Ring {
//  public:
//   explicit VnodeRing(const RingConfig& config) : config_(config) {}
//
//   // Part A: one token a host, and where a key's hash lies among Q equal arcs.
//   std::vector<NodeId> successors(const std::vector<NodeId>& /*hosts*/, KeyHash /*key*/,
//                                  std::size_t /*count*/) const override {
//     throw std::logic_error("TODO(lab2 A): successors: hosts by token, clockwise from the key");
//   }
//
//   VnodeId vnode_of(KeyHash /*key*/) const override {
//     throw std::logic_error("TODO(lab2 A): vnode_of: the vnode whose arc holds the key");
//   }
//
//   // Part B: who owns each vnode, and which hosts keep its keys.
//   void rebuild(const History& /*events*/) override {
//     throw std::logic_error("TODO(lab2 B): rebuild: replay all events in version order");
//   }
//
//   const std::vector<NodeId>& owners() const override {
//     throw std::logic_error("TODO(lab2 B): owners: the host of each vnode");
//   }
//
//   std::vector<NodeId> preference_list(VnodeId /*v*/) const override {
//     throw std::logic_error("TODO(lab2 B): preference_list: the first N distinct hosts");
//   }
//
//   // Part C: who stands in for dead hosts, right now.
//   std::vector<Placement> active_list(VnodeId /*v*/,
//                                      const std::vector<NodeId>& /*dead*/) const override {
//     throw std::logic_error("TODO(lab2 C): active_list: healthy hosts for the dead ones");
//   }
//
//  private:
//   [[maybe_unused]] const RingConfig config_;
// };
// END SKELETON

}  // namespace

std::unique_ptr<Ring> make_ring(const RingConfig& config) {
  return std::make_unique<VnodeRing>(config);
}

}  // namespace dynamo
