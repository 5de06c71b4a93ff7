// Lab 7, part C: the student's fault plans. The same check runs on two stores: the reference must
// come through, a known-wrong one must not (grader/dynamolab/fault_plans.py).
#include <string>

#include "plan_account.h"
#include "plan_file.h"
#include "sim/once_more.h"
#include "whole_store.h"

namespace {

using namespace dynamo;
using namespace dynamo::sim;

constexpr std::size_t kSeeds = 6;  // a plan that works for one order of messages is too thin

constexpr Duration kAfterwards = 5s;

/// All nodes are complete at the end.
void make_ready(World& world) {
  form_cluster(world);
  world.run_for(2s);
  world.phase("your plan begins");
}

/// Runs the plan of this name on a store of five nodes, and then demands of it what every store
/// must do when all faults are over. Of a store that does all that, it tells what the plan did.
void run_submitted(const std::string& name) {
  const std::vector<Action> actions = submitted_actions(submission(), name);
  for_each_seed(kSeeds, whole_plan(kPlanNodes), [&](World& world) {
    make_ready(world);
    const Instant begun = world.now();
    for (const Action& action : actions) {
      world.run_until(begun + action.at);
      world.act(action);
    }
    world.run_for(kAfterwards);
    end_all_faults(world);
    everything_is_in_its_place(world);
  });
  once_more(whole_plan(kPlanNodes), [&](World& world) {
    make_ready(world);
    const Instant begun = world.now();
    PlanAccount account(world);
    for (const Action& action : actions) {
      account.run_until(begun + action.at);
      account.act(action);
    }
    account.run_until(world.now() + kAfterwards);
    return account.told(name);
  });
}

TEST(capstone, plan_finds_hints_that_are_gone_when_they_are_sent) { run_submitted("hints"); }
TEST(capstone, plan_finds_hints_that_a_restart_forgets) { run_submitted("restart"); }
TEST(capstone, plan_finds_deletes_that_come_back) { run_submitted("deletes"); }

}  // namespace
