// A plan, a seed and the solution decide everything, and one event does not reshuffle the rest.
#include "sim/lanes.h"
#include "sim_fixture.h"

namespace dynamo::sim {
namespace {

/// Five gossiping nodes, with all kinds of faults among them.
Plan stormy_plan(std::uint64_t seed) {
  Plan plan = cluster_plan(5);
  plan.seed = seed;
  plan.config.modules = {"membership"};
  plan.links = {1ms, 40ms, 50'000, 50'000, 100'000, 10'000};
  const auto action = [&](Duration at, std::string act, std::vector<NodeId> nodes,
                          std::vector<NodeId> peers = {}) {
    Action one;
    one.at = at;
    one.act = std::move(act);
    one.nodes = std::move(nodes);
    one.peers = std::move(peers);
    plan.actions.push_back(std::move(one));
  };
  action(0s, "start", {"n1"});
  plan.actions.back().bootstrap = true;
  action(0s, "add", {"n1"}, {"n2", "n3", "n4", "n5"});
  action(100ms, "start", {"n2", "n3", "n4", "n5"});
  action(3s, "cut", {"n1", "n2"}, {"n3"});
  action(4s, "pause", {"n4"});
  action(5s, "crash", {"n2"});
  plan.actions.back().commit = "after";
  action(5s, "remove", {"n5"}, {"n4"});
  action(6s, "restart", {"n2"});
  action(7s, "resume", {"n4"});
  action(8s, "heal", {});
  return plan;
}

struct Footprint {
  std::uint64_t hash = 0;
  std::uint64_t events = 0;
  bool operator==(const Footprint&) const = default;
};

Footprint run(const Plan& plan, Crossing& crossing, WorldOptions options = {}) {
  World world(plan, crossing, options);
  world.run_for(20s);
  return {world.trace().hash(), world.events()};
}

Footprint run_alone(const Plan& plan, WorldOptions options = {}, std::size_t hosts = 1) {
  std::vector<std::unique_ptr<Host>> owned;
  std::vector<Host*> all;
  for (std::size_t i = 0; i < hosts; ++i) {
    owned.push_back(make_linked_host());
    all.push_back(owned.back().get());
  }
  SoloCrossing crossing(all);
  return run(plan, crossing, options);
}

TEST(sim_determinism, the_same_seed_gives_the_same_run_and_another_another) {
  const Footprint one = run_alone(stormy_plan(1));
  EXPECT_GT(one.events, 100u);
  EXPECT_EQ(one, run_alone(stormy_plan(1)));
  EXPECT_NE(one.hash, run_alone(stormy_plan(2)).hash);
}

TEST(sim_determinism, recording_and_crossing_ahead_change_nothing) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const Plan plan = stormy_plan(seed);
    const Footprint one = run_alone(plan, {false, true});
    EXPECT_EQ(one, run_alone(plan, {false, false})) << "seed " << seed;
    EXPECT_EQ(one, run_alone(plan, {true, false})) << "seed " << seed;
  }
}

TEST(sim_determinism, a_host_for_each_node_changes_nothing) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    EXPECT_EQ(run_alone(stormy_plan(seed)), run_alone(stormy_plan(seed), {}, 5)) << "seed " << seed;
    EXPECT_EQ(run_alone(stormy_plan(seed)), run_alone(stormy_plan(seed), {}, 2)) << "seed " << seed;
  }
}

TEST(sim_determinism, worlds_side_by_side_do_the_same_as_alone) {
  if (!worlds_run_side_by_side()) GTEST_SKIP() << "this sanitizer does not understand fibers";
  constexpr std::size_t kJobs = 30;
  std::vector<Footprint> alone(kJobs);
  for (std::size_t i = 0; i < kJobs; ++i) alone[i] = run_alone(stormy_plan(i + 1));
  for (const std::size_t hosts : {1, 3}) {
    std::vector<std::unique_ptr<Host>> owned;
    std::vector<Host*> all;
    for (std::size_t i = 0; i < hosts; ++i) {
      owned.push_back(make_linked_host());
      all.push_back(owned.back().get());
    }
    std::vector<Footprint> together(kJobs);
    Lanes lanes(all, 7, 5);
    lanes.run(
        kJobs,
        [&](std::size_t job, Crossing& crossing) {
          together[job] = run(stormy_plan(job + 1), crossing);
        },
        [](std::size_t) {}, [] { return false; });
    EXPECT_EQ(alone, together) << hosts << " hosts";
  }
}

TEST(sim_determinism, the_executed_actions_are_a_plan_that_gives_the_same_run) {
  const auto host = make_linked_host();
  SoloCrossing crossing({host.get()});
  Plan plan = cluster_plan(3);
  plan.config.modules = {"membership"};
  World world(plan, crossing);
  form_cluster(world);
  world.run_for(1s);
  world.pause("n2");
  world.run_for(2s);
  world.resume("n2");
  (void)world.remove("n1", "n3");
  world.run_for(5s);
  Plan again = plan;
  again.actions = world.executed();
  const auto other_host = make_linked_host();
  SoloCrossing other_crossing({other_host.get()});
  World second(again, other_crossing);
  second.run_until(world.now());
  EXPECT_EQ(second.disk("n2"), world.disk("n2"));
  EXPECT_EQ(second.operations().size(), world.operations().size());
}

/// When messages between two nodes arrived.
std::vector<std::string> arrivals(const PingWorld& pings, const NodeId& one, const NodeId& other) {
  std::vector<std::string> all;
  for (const Step& step : pings.steps(Step::Kind::receive)) {
    if ((step.node == one && step.peer == other) || (step.node == other && step.peer == one)) {
      all.push_back(to_jsonl(step));
    }
  }
  return all;
}

TEST(sim_determinism, one_event_less_leaves_the_draws_of_other_links_alone) {
  const auto run_with = [](bool extra, bool noise) {
    Plan plan = ping_plan({"a", "b", "c"});
    plan.links = {1ms, 40ms, 100'000, 0, 100'000, 0};
    auto pings = std::make_unique<PingWorld>(plan);
    for (int i = 0; i < 50; ++i) {
      pings->ping("a", "b");
      if (noise && pings->world.up("c")) pings->ping("c", "b");
      if (extra && i == 20) pings->world.crash("c");
      if (extra && i == 30) pings->world.restart("c");
      pings->world.run_for(60ms);
    }
    return pings;
  };
  const auto plain = run_with(false, false);
  ASSERT_GT(arrivals(*plain, "a", "b").size(), 50u);
  const auto when = [](const std::vector<std::string>& lines) {
    std::vector<std::string>
        times;  // b's counter, in the reply, knows of c's pings; the times do not
    for (const std::string& line : lines) times.push_back(line.substr(0, line.find(",\"event\"")));
    return times;
  };
  EXPECT_EQ(when(arrivals(*plain, "a", "b")), when(arrivals(*run_with(true, false), "a", "b")));
  EXPECT_EQ(when(arrivals(*plain, "a", "b")), when(arrivals(*run_with(false, true), "a", "b")));
  EXPECT_EQ(when(arrivals(*plain, "a", "b")), when(arrivals(*run_with(true, true), "a", "b")));
}

TEST(sim_determinism, places_in_the_plan_do_not_matter_names_do) {
  const auto run_with = [](std::vector<NodeId> nodes) {
    auto pings = std::make_unique<PingWorld>(ping_plan(std::move(nodes)));
    for (int i = 0; i < 20; ++i) pings->ping("a", "b");
    pings->world.run_for(1s);
    return arrivals(*pings, "a", "b");
  };
  EXPECT_EQ(run_with({"a", "b"}), run_with({"x", "b", "y", "a"}));
}

}  // namespace
}  // namespace dynamo::sim
