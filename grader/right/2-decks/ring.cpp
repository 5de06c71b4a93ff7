// Lab 2, right: each host holds a deck of vnodes, in an order of its own taste. Hosts stand on a
// ladder by load: the highest gives the vnode that it likes least, the lowest takes; of equals, who
// came to that rung last gives, who came first takes. A walk remembers nobody whom it has met: each
// vnode knows how far back the one before it of the same host lies.
#include <algorithm>
#include <iterator>
#include <map>
#include <numeric>
#include <set>
#include <tuple>
#include <utility>
#include <vector>

#include "core/random.h"
#include "ring.h"

namespace dynamo {
namespace {

/// A host's vnodes, the one that it likes least on top. Each host has a taste of its own.
class Deck {
 public:
  explicit Deck(const NodeId& host) : taste_(hash_of(host)) {}

  void take(VnodeId v) {
    cards_.emplace_back(mix(taste_ ^ v), v);
    std::push_heap(cards_.begin(), cards_.end());
  }

  void take_all(std::uint32_t q) {
    for (VnodeId v = 0; v < q; ++v) cards_.emplace_back(mix(taste_ ^ v), v);
    std::make_heap(cards_.begin(), cards_.end());
  }

  VnodeId give() {
    std::pop_heap(cards_.begin(), cards_.end());
    const VnodeId v = cards_.back().second;
    cards_.pop_back();
    return v;
  }

  bool empty() const { return cards_.empty(); }
  std::size_t size() const { return cards_.size(); }

  std::vector<VnodeId> clockwise() const {
    std::vector<VnodeId> vnodes;
    vnodes.reserve(cards_.size());
    for (const auto& [rank, v] : cards_) vnodes.push_back(v);
    std::sort(vnodes.begin(), vnodes.end());
    return vnodes;
  }

 private:
  std::uint64_t taste_;
  std::vector<std::pair<std::uint64_t, VnodeId>> cards_;  // a heap
};

/// All hosts with their decks, by load; of equal loads the host that came to its load first.
class Table {
 public:
  explicit Table(std::uint32_t q) : q_(q) {}

  void join(const NodeId& host) {
    if (decks_.count(host) != 0) return;
    Deck deck(host);
    if (ladder_.empty()) deck.take_all(q_);
    const std::size_t share = ladder_.empty() ? 0 : q_ / (ladder_.size() + 1);
    for (std::size_t i = 0; i < share; ++i) {
      const NodeId giver = leave_rung(std::prev(ladder_.end()));
      deck.take(decks_.at(giver).give());
      step_on_rung(giver);
    }
    decks_.emplace(host, std::move(deck));
    step_on_rung(host);
  }

  void leave(const NodeId& host) {
    const auto found = decks_.find(host);
    if (found == decks_.end()) return;
    Deck left = std::move(found->second);
    decks_.erase(found);
    ladder_.erase(std::find_if(ladder_.begin(), ladder_.end(),
                               [&](const Rung& rung) { return std::get<NodeId>(rung) == host; }));
    while (!left.empty() && !ladder_.empty()) {
      const NodeId taker = leave_rung(ladder_.begin());
      decks_.at(taker).take(left.give());
      step_on_rung(taker);
    }
  }

  const std::map<NodeId, Deck>& decks() const { return decks_; }

 private:
  using Rung = std::tuple<std::size_t, std::uint64_t, NodeId>;  // load, since when, who

  NodeId leave_rung(std::set<Rung>::iterator rung) {
    return std::get<NodeId>(ladder_.extract(rung).value());
  }

  void step_on_rung(const NodeId& host) { ladder_.emplace(decks_.at(host).size(), ++steps_, host); }

  const std::uint32_t q_;
  std::uint64_t steps_ = 0;
  std::map<NodeId, Deck> decks_;
  std::set<Rung> ladder_;
};

class DeckRing final : public Ring {
 public:
  explicit DeckRing(const RingConfig& config) : config_(config) {}

  std::vector<NodeId> successors(const std::vector<NodeId>& hosts, KeyHash key,
                                 std::size_t count) const override {
    std::set<std::pair<KeyHash, NodeId>> circle;
    for (const NodeId& host : hosts) circle.emplace(hash_of(host), host);
    std::vector<NodeId> met;
    const auto meet = [&](auto from, auto to) {
      for (; from != to && met.size() < count; ++from) met.push_back(from->second);
    };
    const auto first = circle.lower_bound({key, NodeId()});
    meet(first, circle.end());
    meet(circle.begin(), first);
    return met;
  }

  /// The last vnode that begins at or before `key`: halves what is left, as in a phone book.
  VnodeId vnode_of(KeyHash key) const override {
    VnodeId from = 0;
    VnodeId to = config_.q;
    while (to - from > 1) {
      const VnodeId middle = std::midpoint(from, to);
      (first_hash(middle, config_.q) <= key ? from : to) = middle;
    }
    return from;
  }

  void rebuild(const History& events) override {
    std::map<Version, const Event*> replay;
    for (const Event& event : events) replay.emplace(event.version, &event);
    Table table(config_.q);
    for (const auto& [version, event] : replay) {
      if (event->change == Change::join) {
        table.join(event->subject);
      } else {
        table.leave(event->subject);
      }
    }
    lay_out(table.decks());
  }

  const std::vector<NodeId>& owners() const override { return owners_; }

  std::vector<NodeId> preference_list(VnodeId v) const override {
    std::vector<NodeId> listed;
    walk(v, [&](const NodeId& host) {
      listed.push_back(host);
      return listed.size() < config_.n;
    });
    return listed;
  }

  std::vector<Placement> active_list(VnodeId v, const std::vector<NodeId>& dead) const override {
    const std::set<NodeId> away(dead.begin(), dead.end());
    std::vector<Placement> places;
    std::size_t met = 0;
    std::size_t open = 0;  // places whose host is away, and that nobody has taken
    walk(v, [&](const NodeId& host) {
      const bool healthy = away.count(host) == 0;
      if (++met <= config_.n) {
        places.push_back(healthy ? Placement{host, {}} : Placement{{}, host});
        if (!healthy) ++open;
      } else if (healthy && open > 0) {
        first_open(places)->host = host;
        --open;
      }
      return met < config_.n || open > 0;
    });
    std::erase_if(places, [](const Placement& place) { return place.host.empty(); });
    return places;
  }

 private:
  static std::vector<Placement>::iterator first_open(std::vector<Placement>& places) {
    return std::find_if(places.begin(), places.end(),
                        [](const Placement& place) { return place.host.empty(); });
  }

  void lay_out(const std::map<NodeId, Deck>& decks) {
    owners_.assign(decks.empty() ? 0 : config_.q, NodeId());
    back_.assign(owners_.size(), 0);
    hosts_ = 0;
    for (const auto& [host, deck] : decks) {
      if (deck.empty()) continue;
      ++hosts_;
      const std::vector<VnodeId> vnodes = deck.clockwise();
      VnodeId last = vnodes.back();
      for (const VnodeId v : vnodes) {
        owners_[v] = host;
        back_[v] = v > last ? v - last : v + (config_.q - last);
        last = v;
      }
    }
  }

  /// Tells `visit` each host when it is met first, clockwise from `v`, until that returns false.
  template <class Visit>
  void walk(VnodeId v, const Visit& visit) const {
    std::size_t left = hosts_;
    for (std::uint32_t far = 0; left > 0; ++far) {
      const std::size_t at = (std::size_t{v} + far) % config_.q;
      if (back_[at] <= far) continue;  // its host has been met on the way
      --left;
      if (!visit(owners_[at])) return;
    }
  }

  const RingConfig config_;
  std::vector<NodeId> owners_;
  std::vector<std::uint32_t> back_;  // to the vnode before, of the same host; Q if that is itself
  std::size_t hosts_ = 0;            // with vnodes
};

}  // namespace

std::unique_ptr<Ring> make_ring(const RingConfig& config) {
  return std::make_unique<DeckRing>(config);
}

}  // namespace dynamo
