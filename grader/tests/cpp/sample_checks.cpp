// Checks with every outcome there is: the program around checks is tested with them.
#include "sim/check.h"
#include "sim/explore.h"

namespace {

using namespace dynamo;
using namespace dynamo::sim;

Plan three() {
  Plan plan = cluster_plan(3);
  plan.config.modules = {"membership"};
  return plan;
}

TEST(sample, passes) {
  for_each_seed(8, three(), [](World& world) { form_cluster(world); });
}

TEST(sample, fails_in_a_world) {
  for_each_seed(8, three(), [](World& world) {
    form_cluster(world);
    world.expect(world.seed() != 4, "no four", "four");
  });
}

TEST(sample, fails_in_a_lone_node) {
  Lone lone;
  lone.start(true);
  EXPECT_EQ(lone.invoke<&Membership::history>().size(), 2u);
}

TEST(sample, runs_nothing) { EXPECT_TRUE(true); }

TEST(sample, goes_wrong_itself) {
  Lone lone;
  lone.start(true);
  throw std::runtime_error("the check's own bug");
}

TEST(sample, skips_itself) {
  Lone lone;
  lone.start(true);
  GTEST_SKIP();
}

Scope two_nodes() {
  Scope scope;
  scope.plan = cluster_plan(2);
  scope.plan.config.modules = {"membership"};
  scope.beginning = [](World& world) { form_cluster(world); };
  scope.asks = {{"operator", "n1", "add", "n3"}};
  scope.budgets = {1, 0, 1, 1};
  scope.glances = {glance<&Membership::history>()};
  return scope;
}

/// "n2 never hears of n3": broken in a few events.
class Deaf final : public Oracle {
  void step(const Scope& /*scope*/, const Local& /*before*/, const Local& after) override {
    if (after.node != 1 || after.glanced<&Membership::history>(0).size() < 3) return;
    throw Violation("n2 never hears of n3", "it has heard");
  }
};

TEST(explored, comes_to_the_end) {
  explore(two_nodes(), [](const Beginning&) { return std::make_unique<Oracle>(); });
}

TEST(explored, ends_at_its_bound) {
  Scope scope = two_nodes();
  scope.most_states = 100;
  scope.schedules = 10;
  explore(scope, [](const Beginning&) { return std::make_unique<Oracle>(); });
}

TEST(explored, finds_a_shortest_way) {
  explore(two_nodes(), [](const Beginning&) { return std::make_unique<Deaf>(); });
}

}  // namespace
