// Grader code, not for you to use. What the explorations of labs 3, 5 and 6 share: what lies on the
// disks in each state, and what of it clients were promised.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "sim/explore.h"
#include "sim/store_checks.h"
#include "store_world.h"

namespace dynamo::sim {

inline Ask client_ask(const std::string& client, const NodeId& at, const std::string& what,
                      const std::string& key, const std::string& value = {},
                      std::uint32_t hosts = 0) {
  Ask ask;
  ask.client = client;
  ask.at = at;
  ask.what = what;
  ask.key = key;
  ask.value = value;
  ask.hosts = hosts;
  return ask;
}

/// The nodes of `plan` as the search begins: they know each other and run, and nobody gossips for a
/// day, so that the few timers of a path are those of the lab.
inline Scope store_scope(const Plan& plan) {
  Scope scope;
  scope.plan = plan;
  scope.plan.config.q = 8;
  scope.plan.config.gossip_period = std::chrono::hours(24);
  scope.beginning = [](World& world) { settle(world); };
  scope.started = true;
  scope.completions = 1'000;
  return scope;
}

/// The first of "cart", "cart1", … that these nodes own, in this order.
inline std::string key_of(World& world, const std::vector<NodeId>& owners) {
  for (std::size_t i = 0; i < 1000; ++i) {
    std::string key = i == 0 ? "cart" : "cart" + std::to_string(i);
    if (preference_list(world, key) == owners) return key;
  }
  throw GraderTrouble("no key has the owners " + list(owners));
}

/// Looks at the disks and says what is wrong with the copies of the scope's keys.
class StoreOracle : public Oracle {
 public:
  using Values = std::vector<std::string>;

  /// `owners`: of all keys; none: all nodes own them.
  explicit StoreOracle(std::vector<NodeId> owners = {}) : owners_(std::move(owners)) {}

  void step(const Scope& scope, const Local& before, const Local& after) override {
    if (before.disk_hash == after.disk_hash) return;
    const std::vector<std::string>& keys = keys_of(scope);
    for (std::size_t i = 0; i < keys.size(); ++i) {
      judge_copy(scope, keys[i], copies(scope, before)[i], copies(scope, after)[i], after.node);
    }
  }

  void state(const Sight& sight) override {
    for (std::size_t i = 0; i < sight.scope().asks.size(); ++i) {
      const Ask& ask = sight.scope().asks[i];
      if (ask.what != "put" || sight.asked(i).outcome != Sight::Asked::Outcome::done) continue;
      const std::size_t needed = std::max<std::size_t>(ask.hosts, 1);
      const std::size_t held = holders(sight, i);
      if (held >= needed) continue;
      throw Violation("a client was told that " + sight.question(i) + " is done: from then on " +
                          (needed == 1 ? "a disk holds" : std::to_string(needed) + " disks hold") +
                          " it",
                      held == 0 ? "no disk does" : std::to_string(held) + " of them does");
    }
  }

  std::string restless(const Sight& sight) override {
    const Scope& scope = sight.scope();
    for (std::size_t i = 0; i < scope.asks.size(); ++i) {
      if (sight.asked(i).outcome != Sight::Asked::Outcome::pending) continue;
      return "the client of " + sight.question(i) + " has heard nothing yet";
    }
    const std::vector<std::string>& keys = keys_of(scope);
    std::size_t first = 0;
    while (!owns(scope, first)) ++first;
    for (std::size_t node = 0; node < sight.nodes(); ++node) {
      const std::string& name = scope.plan.nodes[node];
      if (!sight.node(node).up) return name + " does not run";
      for (std::size_t k = 0; k < keys.size(); ++k) {
        const Copies& one = copies(scope, sight.node(node))[k];
        if (!one.kept.empty()) return name + " still keeps a hint for " + keys[k];
        const Copies& other = copies(scope, sight.node(first))[k];
        if (!owns(scope, node) || one.bytes == other.bytes) continue;
        return "of " + keys[k] + ", " + scope.plan.nodes[first] + " holds " + list(other.own) +
               " and " + name + " holds " + list(one.own);
      }
    }
    return missing(sight, copies(scope, sight.node(first)));
  }
  std::string rest() const override {
    return "every client has its answer, all owners hold the same, no hints are left, and every "
           "write that a client was told is done is there";
  }

 protected:
  /// Of one key on one disk.
  struct Copies {
    Values own;         ///< Sorted; a state that is none counts as one value.
    std::string bytes;  ///< Of the state.
    Values kept;        ///< For others, as hints.
  };

  /// A write of `newer` may stand in the place of `value`.
  virtual bool replaces(const Scope& /*scope*/, const Ask& /*newer*/,
                        const std::string& /*value*/) {
    return false;
  }
  /// Hints count as copies.
  virtual bool hints_count() const { return false; }
  virtual std::vector<std::string> keys(const Scope& scope) const {
    std::vector<std::string> all;
    for (const Ask& ask : scope.asks) {
      if (!contains(all, ask.key)) all.push_back(ask.key);
    }
    return all;
  }
  /// At rest: what is missing among what all owners hold, by key.
  virtual std::string missing(const Sight& sight, const std::vector<Copies>& held) {
    const std::vector<std::string>& keys = keys_of(sight.scope());
    for (std::size_t i = 0; i < sight.scope().asks.size(); ++i) {
      const Ask& ask = sight.scope().asks[i];
      if (ask.what != "put" || sight.asked(i).outcome != Sight::Asked::Outcome::done) continue;
      const auto key =
          static_cast<std::size_t>(std::find(keys.begin(), keys.end(), ask.key) - keys.begin());
      if (covered(sight.scope(), ask.value, held[key].own)) continue;
      return sight.question(i) + " is done, and all owners hold " + list(held[key].own);
    }
    return "";
  }
  virtual void judge_copy(const Scope& scope, const std::string& key, const Copies& before,
                          const Copies& after, std::size_t node) {
    const std::string& self = scope.plan.nodes[node];
    if (!owns(scope, node) && !after.own.empty()) {
      throw Violation(
          list(owners_) + " own " + key + ", and nobody else holds it among its own keys",
          self + " holds " + list(after.own));
    }
    for (const std::string& value : before.own) {
      if (covered(scope, value, after.own)) continue;
      throw Violation("merging loses nothing: " + self + ", which holds " + value + " of " + key +
                          ", keeps it until a newer write takes its place",
                      "it holds " + list(after.own));
    }
  }

  bool covered(const Scope& scope, const std::string& value, const Values& values) {
    if (contains(values, value)) return true;
    return std::any_of(scope.asks.begin(), scope.asks.end(), [&](const Ask& newer) {
      return newer.what == "put" && contains(values, newer.value) && replaces(scope, newer, value);
    });
  }
  bool owns(const Scope& scope, std::size_t node) const {
    return owners_.empty() || contains(owners_, scope.plan.nodes[node]);
  }
  const std::vector<std::string>& keys_of(const Scope& scope) {
    if (keys_.empty()) keys_ = keys(scope);
    return keys_;
  }
  /// On the disk of a node, by key; each is read once.
  const std::vector<Copies>& copies(const Scope& scope, const Local& local) {
    if (copies_.size() <= local.number) copies_.resize(local.number + 1);
    std::unique_ptr<std::vector<Copies>>& found = copies_[local.number];
    if (found) return *found;
    found = std::make_unique<std::vector<Copies>>();
    const NodeId& node = scope.plan.nodes[local.node];
    for (const std::string& key : keys_of(scope)) {
      Copies& copy = found->emplace_back();
      if (const auto held = held_on(*local.disk, node, key)) {
        copy.own = values_in(held->state).value_or(Values{"no state"});
        copy.bytes = held->state.bytes;
      }
      if (const auto held = held_on(*local.disk, node, key, kHintSpace)) {
        copy.kept = values_in(held->state).value_or(Values{"no state"});
      }
    }
    return *found;
  }

 private:
  /// How many disks hold what was put by the ask number `index`, or what took its place.
  std::size_t holders(const Sight& sight, std::size_t index) {
    const Scope& scope = sight.scope();
    std::size_t count = 0;
    for (std::size_t node = 0; node < sight.nodes(); ++node) {
      const Local& local = sight.node(node);
      if (holds_.size() <= local.number) holds_.resize(local.number + 1);
      if (holds_[local.number] == 0) holds_[local.number] = 1 | held_by(scope, local) << 1;
      count += holds_[local.number] >> (index + 1) & 1U;
    }
    return count;
  }
  /// Bit i: the node holds what ask i has put.
  std::uint32_t held_by(const Scope& scope, const Local& local) {
    std::uint32_t bits = 0;
    const std::vector<std::string>& keys = keys_of(scope);
    for (std::size_t i = 0; i < scope.asks.size(); ++i) {
      const Ask& ask = scope.asks[i];
      const auto key =
          static_cast<std::size_t>(std::find(keys.begin(), keys.end(), ask.key) - keys.begin());
      const Copies& copy = copies(scope, local)[key];
      const bool kept = hints_count() && covered(scope, ask.value, copy.kept);
      if (ask.what == "put" && (covered(scope, ask.value, copy.own) || kept)) bits |= 1U << i;
    }
    return bits;
  }

  const std::vector<NodeId> owners_;
  std::vector<std::string> keys_;
  std::vector<std::unique_ptr<std::vector<Copies>>> copies_;  ///< By local state.
  std::vector<std::uint32_t> holds_;  ///< The same: 0, or 1 and then the bits of held_by().
};

}  // namespace dynamo::sim
