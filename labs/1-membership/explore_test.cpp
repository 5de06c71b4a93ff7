// Explored: every order of messages, timers, kills and losses in a small cluster.
#include <algorithm>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "sim/check.h"
#include "sim/explore.h"

using namespace dynamo;
using namespace dynamo::sim;

namespace {

struct ByVersion {
  bool operator()(const Event& a, const Event& b) const {
    return std::tie(a.version, a.subject, a.change) < std::tie(b.version, b.subject, b.change);
  }
};
using Events = std::set<Event, ByVersion>;

/// Properties 1.1, 1.2, 1.3 and 1.8, in every state.
class Histories final : public Oracle {
 public:
  void step(const Scope& scope, const Local& before, const Local& after) override {
    const NodeId& self = scope.plan.nodes[after.node];
    const Events& now = of(after);
    const Events& then = before.up ? of(before) : last_words(before);
    for (const Event& event : then) {
      if (now.contains(event)) continue;
      throw Violation("a history only grows, also over a kill: no node forgets " + words(event),
                      self + " knows it no more");
    }
    if (then.empty()) return;
    for (const Event& event : now) {
      const bool own = event.version.node == self && !then.contains(event);
      if (!own || then.rbegin()->version < event.version) continue;
      throw Violation("a new change has a higher version than all that its maker knew, " +
                          words(*then.rbegin()) + " among them",
                      self + " made " + words(event));
    }
  }

  void state(const Sight& sight) override {
    for (std::size_t i = 0; i < sight.scope().asks.size(); ++i) {
      const Sight::Asked asked = sight.asked(i);
      if (asked.outcome != Sight::Asked::Outcome::done) continue;
      const Ask& ask = sight.scope().asks[i];
      for (std::size_t node = 0; node < sight.nodes(); ++node) {
        const Local& local = sight.node(node);
        if (sight.scope().plan.nodes[node] != ask.at || !local.up) continue;
        if (has(of(local), ask)) continue;
        throw Violation("the console was told that " + sight.question(i) + " is done: " + ask.at +
                            " knows it from then on",
                        "it does not");
      }
    }
  }

  std::string restless(const Sight& sight) override {
    for (std::size_t node = 0; node < sight.nodes(); ++node) {
      if (!sight.node(node).up) return sight.scope().plan.nodes[node] + " does not run";
      for (const NodeId& member : sight.scope().plan.nodes) {
        const Events& known = of(sight.node(node));
        const bool joined = std::any_of(known.begin(), known.end(), [&](const Event& event) {
          return event.subject == member && event.change == Change::join;
        });
        if (!joined) return sight.scope().plan.nodes[node] + " knows no join of " + member;
      }
      if (of(sight.node(node)) == of(sight.node(0))) continue;
      return "the histories of " + sight.scope().plan.nodes[0] + " and " +
             sight.scope().plan.nodes[node] +
             " differ: " + std::to_string(of(sight.node(0)).size()) + " and " +
             std::to_string(of(sight.node(node)).size()) + " events";
    }
    for (std::size_t i = 0; i < sight.scope().asks.size(); ++i) {
      if (sight.asked(i).outcome != Sight::Asked::Outcome::done) continue;
      if (!has(of(sight.node(0)), sight.scope().asks[i])) {
        return "nobody knows that " + sight.question(i) + " was done";
      }
    }
    return "";
  }
  std::string rest() const override {
    return "all nodes come to know the same history, and every change that a console was told is "
           "done";
  }

 private:
  static std::string words(const Event& event) {
    return event.subject + (event.change == Change::join ? " joins (" : " leaves (") +
           std::to_string(event.version.counter) + "@" + event.version.node + ")";
  }
  static bool has(const Events& events, const Ask& ask) {
    const Change change = ask.what == "add" ? Change::join : Change::leave;
    return std::any_of(events.begin(), events.end(), [&](const Event& event) {
      return event.subject == ask.subject && event.change == change && event.version.node == ask.at;
    });
  }
  const Events& of(const Local& local) {
    const auto [found, fresh] = events_.try_emplace(local.number);
    if (fresh) {
      for (const Event& event : local.glanced<&Membership::history>(0)) {
        found->second.insert(event);
      }
    }
    return found->second;
  }
  /// What it knew when it was killed; nothing before its first start.
  const Events& last_words(const Local& down) {
    const auto found = events_.find(down.parent);
    return found == events_.end() ? none_ : found->second;
  }

  const Events none_ = {};
  std::map<std::uint32_t, Events> events_;  ///< By local state.
};

MakeOracle histories() {
  return [](const Beginning&) { return std::make_unique<Histories>(); };
}

Ask change(const std::string& who, const std::string& at, const std::string& what,
           const std::string& subject) {
  Ask ask;
  ask.client = who;
  ask.at = at;
  ask.what = what;
  ask.subject = subject;
  return ask;
}

/// n1 adds n4 and removes it again, while n2 adds n5; neither of the two ever runs.
Scope changes(std::size_t nodes) {
  Scope scope;
  scope.plan = cluster_plan(nodes);
  scope.plan.config.modules = {"membership"};
  scope.beginning = [](World& world) { form_cluster(world); };
  scope.asks = {change("operator", "n1", "add", "n4"), change("operator", "n1", "remove", "n4"),
                change("another", "n2", "add", "n5")};
  scope.glances = {glance<&Membership::history>()};
  return scope;
}

}  // namespace

TEST(membership, two_nodes_keep_every_change_whatever_the_order) {
  Scope scope = changes(2);
  scope.budgets = {1, 0, 1, 1};
  scope.most_states = 1'000'000;
  explore(scope, histories());
}

TEST(membership, three_nodes_keep_every_change_as_far_as_orders_were_tried) {
  Scope scope = changes(3);
  scope.budgets = {1, 1, 1, 1};
  scope.most_states = 40'000;
  scope.deep = {3, 3, 3, 6};
  scope.schedules = 128;
  explore(scope, histories());
}
