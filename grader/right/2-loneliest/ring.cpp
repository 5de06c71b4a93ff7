// Lab 2: who keeps which key. labs/2-ring/README.md says what is asked for.
//
// Differs by design: a joiner draws a few vnodes and takes the loneliest, a leaver gives to whom is
// loneliest there; preference lists are a table made in rebuild(), walks are sorts by distance.
#include "ring.h"

#include <algorithm>
#include <limits>
#include <map>
#include <string_view>
#include <utility>

#include "core/random.h"

namespace dynamo {
namespace {

/// A host by its place in a table that is sorted by name.
using HostIndex = std::uint32_t;
constexpr HostIndex kNobody = std::numeric_limits<HostIndex>::max();

/// How far a host's own vnodes count as near. Not N: the ring depends on the events and on Q only.
constexpr std::uint32_t kNear = 4;
/// Vnodes that a joiner looks at before it takes one of them.
constexpr int kDraws = 6;

/// Deals the vnodes out, one join or leave at a time. Every choice follows from the loads, the
/// owners and the tokens; no choice asks how often, or in which call, something happened.
class Dealer {
 public:
  /// `names`: sorted, and everybody who will ever join.
  Dealer(std::uint32_t q, const std::vector<NodeId>& names) : owner_(q, kNobody) {
    hosts_.reserve(names.size());
    for (const NodeId& name : names) hosts_.push_back({.token = hash_of(name)});
  }

  const std::vector<HostIndex>& owner() const { return owner_; }

  void join(HostIndex joiner) {
    if (hosts_[joiner].present) return;
    hosts_[joiner].present = true;
    ++members_;
    if (members_ == 1) {
      std::fill(owner_.begin(), owner_.end(), joiner);
      hosts_[joiner].load = q();
      return;
    }
    // The joiner's draws depend on nothing but its name, and begin anew with each join.
    Random draws(hosts_[joiner].token);
    for (std::uint32_t left = q() / members_; left > 0; --left) {
      give(lonely_vnode_of_the_most_loaded(joiner, draws), joiner);
    }
  }

  void leave(HostIndex leaver) {
    if (!hosts_[leaver].present) return;
    hosts_[leaver].present = false;
    --members_;
    for (VnodeId v = q(); v-- > 0;) {
      if (owner_[v] == leaver) give(v, members_ == 0 ? kNobody : lonely_least_loaded(v));
    }
  }

 private:
  struct Host {
    KeyHash token = 0;
    bool present = false;
    std::uint32_t load = 0;
  };

  std::uint32_t q() const { return static_cast<std::uint32_t>(owner_.size()); }

  /// Moves vnode `v`, and keeps the loads right at every moment.
  void give(VnodeId v, HostIndex to) {
    --hosts_[owner_[v]].load;
    owner_[v] = to;
    if (to != kNobody) ++hosts_[to].load;
  }

  /// Of a few vnodes of most loaded hosts, the one with the fewest vnodes of `joiner` around it.
  VnodeId lonely_vnode_of_the_most_loaded(HostIndex joiner, Random& draws) const {
    // The joiner itself is never among them: it has less than ⌊Q/S⌋ yet, so somebody has more.
    std::uint32_t most = 0;
    for (const Host& host : hosts_) most = std::max(most, host.load);
    VnodeId best = 0;
    std::uint32_t best_crowd = std::numeric_limits<std::uint32_t>::max();
    for (int draw = 0; draw < kDraws; ++draw) {
      auto v = static_cast<VnodeId>(draws.below(q()));
      while (hosts_[owner_[v]].load != most) v = v + 1 == q() ? 0 : v + 1;
      const std::uint32_t crowd = crowd_around(v, joiner);
      if (crowd < best_crowd) {
        best = v;
        best_crowd = crowd;
      }
    }
    return best;
  }

  /// Of the least loaded members, the one with the fewest vnodes around `v`; of several, the one
  /// that a mix of its token and of `v` puts first; of several still, the first by name.
  HostIndex lonely_least_loaded(VnodeId v) const {
    std::uint32_t least = std::numeric_limits<std::uint32_t>::max();
    for (const Host& host : hosts_) {
      if (host.present) least = std::min(least, host.load);
    }
    HostIndex best = kNobody;
    std::pair<std::uint32_t, std::uint64_t> best_rank;
    for (HostIndex i = 0; i < hosts_.size(); ++i) {
      if (!hosts_[i].present || hosts_[i].load != least) continue;
      const std::pair rank(crowd_around(v, i), mix(hosts_[i].token + mix(v)));
      if (best == kNobody || rank < best_rank) {
        best = i;
        best_rank = rank;
      }
    }
    return best;
  }

  /// How crowded it would be for `host` at `v`: a vnode of its own next to `v` counts kNear, and
  /// each step further one less. On a tiny circle one vnode may count twice, which does no harm.
  std::uint32_t crowd_around(VnodeId v, HostIndex host) const {
    std::uint32_t crowd = 0;
    VnodeId before = v;
    VnodeId behind = v;
    for (std::uint32_t weight = kNear; weight > 0; --weight) {
      before = before == 0 ? q() - 1 : before - 1;
      behind = behind + 1 == q() ? 0 : behind + 1;
      if (owner_[before] == host) crowd += weight;
      if (owner_[behind] == host) crowd += weight;
    }
    return crowd;
  }

  std::vector<Host> hosts_;
  std::vector<HostIndex> owner_;
  std::uint32_t members_ = 0;
};

class VnodeRing final : public Ring {
 public:
  explicit VnodeRing(const RingConfig& config) : config_(config) {}

  // Part A: one token a host, and where a key's hash lies among Q equal arcs.
  std::vector<NodeId> successors(const std::vector<NodeId>& hosts, KeyHash key,
                                 std::size_t count) const override {
    // The way clockwise from the key to a token: unsigned, so it goes past 0 by itself.
    std::vector<std::pair<KeyHash, std::string_view>> ways;
    ways.reserve(hosts.size());
    for (const NodeId& host : hosts) ways.emplace_back(hash_of(host) - key, host);
    const std::size_t wanted = std::min(count, ways.size());
    const auto end = ways.begin() + static_cast<std::ptrdiff_t>(wanted);
    std::partial_sort(ways.begin(), end, ways.end());
    std::vector<NodeId> nearest;
    nearest.reserve(wanted);
    for (auto way = ways.begin(); way != end; ++way) nearest.emplace_back(way->second);
    return nearest;
  }

  VnodeId vnode_of(KeyHash key) const override {
    // ⌊key·Q / 2⁶⁴⌋ in two halves. Q < 2³² makes high·Q + (low·Q >> 32) at most (2³²-1)·2³²: no
    // carry.
    const std::uint64_t high = key >> 32;
    const std::uint64_t low = key & 0xffff'ffffU;
    return static_cast<VnodeId>((high * config_.q + ((low * config_.q) >> 32)) >> 32);
  }

  // Part B: who owns each vnode, and which hosts keep its keys.
  void rebuild(const History& events) override {
    // The map sorts by version and keeps one of several copies of an event.
    std::map<Version, const Event*> replay;
    names_.clear();
    for (const Event& event : events) {
      replay.emplace(event.version, &event);
      names_.push_back(event.subject);
    }
    std::sort(names_.begin(), names_.end());
    names_.erase(std::unique(names_.begin(), names_.end()), names_.end());

    Dealer dealer(config_.q, names_);
    for (const auto& [version, event] : replay) {
      const HostIndex subject = index_of(event->subject);
      if (event->change == Change::join) {
        dealer.join(subject);
      } else {
        dealer.leave(subject);
      }
    }
    remember(dealer.owner());
  }

  const std::vector<NodeId>& owners() const override { return owners_; }

  std::vector<NodeId> preference_list(VnodeId v) const override {
    std::vector<NodeId> list;
    list.reserve(width_);
    for (std::size_t place = 0; place < width_; ++place) list.push_back(names_[listed(v, place)]);
    return list;
  }

  // Part C: who stands in for dead hosts, right now.
  std::vector<Placement> active_list(VnodeId v, const std::vector<NodeId>& dead) const override {
    std::vector<bool> is_dead(names_.size(), false);
    for (const NodeId& name : dead) {
      const HostIndex host = index_of(name);
      if (host != kNobody) is_dead[host] = true;
    }
    std::vector<Placement> active;
    active.reserve(width_);
    std::vector<HostIndex> walk;  // made when the first dead host is met
    std::size_t next = width_;    // where in the walk to look for a stand-in
    for (std::size_t place = 0; place < width_; ++place) {
      const HostIndex host = listed(v, place);
      if (!is_dead[host]) {
        active.push_back({.host = names_[host], .stands_in_for = {}});
        continue;
      }
      if (walk.empty()) walk = walk_from(v);
      while (next < walk.size() && is_dead[walk[next]]) ++next;
      if (next == walk.size()) continue;
      active.push_back({.host = names_[walk[next]], .stands_in_for = names_[host]});
      ++next;
    }
    return active;
  }

 private:
  /// The place of `name` in names_, or kNobody.
  HostIndex index_of(const NodeId& name) const {
    const auto at = std::lower_bound(names_.begin(), names_.end(), name);
    if (at == names_.end() || *at != name) return kNobody;
    return static_cast<HostIndex>(at - names_.begin());
  }

  /// Who stands at `place` of the preference list of vnode `v`.
  HostIndex listed(VnodeId v, std::size_t place) const { return table_[v * width_ + place]; }

  /// Takes over what was dealt, and prepares all that a lookup needs.
  void remember(const std::vector<HostIndex>& owner) {
    owners_.clear();
    table_.clear();
    held_.assign(names_.size(), {});
    width_ = 0;
    if (owner.front() == kNobody) return;

    owners_.reserve(owner.size());
    for (VnodeId v = 0; v < owner.size(); ++v) {
      owners_.push_back(names_[owner[v]]);
      held_[owner[v]].push_back(v);
    }
    // One look at vnode v more moves v's owner to the front of the list of v + 1. So the table
    // fills itself from the end, once the list of vnode 0, which comes after the last, is known.
    std::vector<HostIndex> list = walk_from(0);
    width_ = std::min<std::size_t>(config_.n, list.size());
    list.resize(width_);
    table_.resize(owner.size() * width_);
    for (std::size_t v = owner.size(); v-- > 0;) {
      auto at = std::find(list.begin(), list.end(), owner[v]);
      if (at == list.end()) *--at = owner[v];  // the last one falls off
      std::rotate(list.begin(), at, at + 1);
      std::copy(list.begin(), list.end(), table_.begin() + static_cast<std::ptrdiff_t>(v * width_));
    }
  }

  /// All hosts that own a vnode, by the way clockwise from `v` to the first vnode of theirs.
  std::vector<HostIndex> walk_from(VnodeId v) const {
    std::vector<std::pair<std::uint64_t, HostIndex>> ways;
    for (HostIndex host = 0; host < held_.size(); ++host) {
      const std::vector<VnodeId>& mine = held_[host];
      if (mine.empty()) continue;
      const auto at = std::lower_bound(mine.begin(), mine.end(), v);
      const std::uint64_t first = at != mine.end() ? *at : std::uint64_t{config_.q} + mine.front();
      ways.emplace_back(first - v, host);
    }
    std::sort(ways.begin(), ways.end());
    std::vector<HostIndex> walk;
    walk.reserve(ways.size());
    for (const auto& [way, host] : ways) walk.push_back(host);
    return walk;
  }

  const RingConfig config_;
  std::vector<NodeId> names_;  ///< All who are named in an event, sorted.
  std::vector<NodeId> owners_;
  std::vector<std::vector<VnodeId>> held_;  ///< What each of names_ owns, ascending.
  std::vector<HostIndex> table_;            ///< The preference lists of all vnodes, end to end.
  std::size_t width_ = 0;                   ///< The length of each: min(N, hosts with a vnode).
};

}  // namespace

std::unique_ptr<Ring> make_ring(const RingConfig& config) {
  return std::make_unique<VnodeRing>(config);
}

}  // namespace dynamo
