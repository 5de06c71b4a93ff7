// What lab 3's simulated checks of joins and leaves share: a cluster with keys, and its readers.
#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "store_world.h"

namespace dynamo::sim {

inline constexpr std::size_t kKeys = 30;
inline constexpr Duration kMoved = 40s;  // a change and all that it moves

inline Plan moving_plan(std::size_t count) {
  Plan plan = store_plan(count);
  plan.config.modules.emplace_back("transfer");
  plan.config.q = 32;
  plan.config.batch_bytes = 1000;  // so that moving a vnode takes several messages
  plan.config.seeds = {"n1", "n2"};
  return plan;
}

inline std::string value_of(std::size_t i) { return value_name(i).append(300, '.'); }

/// The first `members` nodes form a cluster that holds kKeys keys: these. Everything that is asked
/// of a key is asked of it alone, so a shorter run may do with fewer of them.
inline std::vector<std::string> fill(World& world, std::size_t members) {
  const std::vector<NodeId> names(world.nodes().begin(),
                                  world.nodes().begin() + static_cast<std::ptrdiff_t>(members));
  form_cluster(world, names);
  world.run_for(3s);
  std::vector<std::string> keys;
  for (std::size_t i = 0; i < kKeys; ++i) {
    if (world.leaves_out("key " + std::to_string(i))) continue;
    keys.push_back(key_name(world, i));
    (void)world.write(names[i % members], keys.back(), value_of(i));
  }
  world.run_for(1s);
  for (const ClientOperation& put : world.client_operations()) {
    expect_done(world, put, "all nodes are up, and nothing moves any more");
  }
  comes_to_rest(world, "before the members change");
  for (const std::string& key : keys) {
    const std::string wrong = replicas_differ_in(world, key);
    world.expect(wrong.empty(), "all owners hold what was put", wrong);
  }
  return keys;
}

/// Asks for all keys, at all nodes in turn, and judges each answer; so time passes.
class Readers {
 public:
  /// `always`: nobody fails, so that each get finds its key; else it may also hear "unavailable".
  /// Every second get goes to `favourite`, if it is given.
  Readers(World& world, std::vector<std::string> keys, bool always, NodeId favourite = {})
      : world_(world), keys_(std::move(keys)), always_(always), favourite_(std::move(favourite)) {}

  void read_for(Duration time, Duration pause = 25ms) {
    const Instant end = world_.now() + time;
    while (world_.now() < end) {
      ask();
      world_.run_for(pause);
      judge();
    }
  }

  /// Hears the last answers.
  void finish() {
    world_.run_for(5s);
    judge();
  }

 private:
  void ask() {
    const std::vector<NodeId> nodes = world_.up_nodes();
    if (nodes.empty() || keys_.empty()) return;
    NodeId at = nodes[asked_ % nodes.size()];
    if (asked_ % 2 == 1 && !favourite_.empty() && world_.up(favourite_)) at = favourite_;
    const std::string& key = keys_[asked_++ % keys_.size()];
    if (!world_.leaves_out("get " + std::to_string(asked_))) open_.insert(world_.read(at, key));
  }

  void judge() {
    for (auto it = open_.begin(); it != open_.end();) {
      const ClientOperation& get = world_.client(*it);
      if (get.pending()) {
        ++it;
        continue;
      }
      using Outcome = ClientOperation::Outcome;
      const bool outsider = get.failed_with(ErrorCode::not_a_member);
      const bool no_answer = !always_ && (get.unknown() || get.outcome == Outcome::error);
      world_.expect(get.outcome == Outcome::found || outsider || no_answer,
                    question(get) +
                        ": the key was on all its owners before the members changed, "
                        "so it " +
                        (always_ ? "stays readable" : "is never called absent"),
                    [&] { return "the client is told: " + to_string(get); });
      it = open_.erase(it);
    }
  }

  World& world_;
  std::vector<std::string> keys_;
  bool always_;
  NodeId favourite_;
  std::size_t asked_ = 0;
  std::set<ClientNumber> open_;
};

inline void expect_values(World& world, const std::vector<std::string>& keys,
                          const std::string& when) {
  for (const std::string& key : keys) {
    const std::string wrong = replicas_differ_in(world, key);
    world.expect(wrong.empty(), "all owners hold " + key + ", " + when, wrong);
  }
  expect_what_clients_wrote(world);
}

inline void change_done(World& world, const Operation& change) {
  world.expect(change.done(),
               change.at + " takes \"" + change.what + " " + change.subject + "\": done",
               to_string(change));
}

}  // namespace dynamo::sim
