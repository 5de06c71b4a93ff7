// Checks with every outcome there is: the program around checks is tested with them.
#include "sim/check.h"

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

}  // namespace
