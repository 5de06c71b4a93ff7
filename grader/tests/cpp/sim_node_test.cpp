// What becomes of nodes and their disks.
#include <set>

#include "sim_fixture.h"

namespace dynamo::sim {
namespace {

std::size_t durable_pings(const World& world, const NodeId& node) {
  std::size_t count = 0;
  for (const auto& [name, value] : world.disk(node)) count += name.first == "seen" ? 1 : 0;
  return count;
}

TEST(sim_node, a_restart_keeps_disk_and_incarnation_and_forgets_memory) {
  PingWorld pings;
  pings.ping("a", "b");
  pings.ping("b", "a");
  pings.world.run_for(1s);
  const Incarnation incarnation = pings.world.incarnation("b");
  pings.world.crash("b");
  EXPECT_EQ(pings.world.life("b"), Life::down);
  pings.world.restart("b");
  EXPECT_EQ(pings.counted("b"), 1u);
  EXPECT_EQ(pings.answered("b"), 0u);
  EXPECT_EQ(pings.world.incarnation("b"), incarnation);
  EXPECT_EQ(pings.world.starts("b"), 2u);
}

TEST(sim_node, a_lost_disk_is_empty_and_has_a_new_incarnation) {
  PingWorld pings;
  pings.ping("a", "b");
  pings.world.run_for(1s);
  std::set<Incarnation> incarnations = {pings.world.incarnation("b")};
  for (int i = 0; i < 3; ++i) {
    pings.world.wipe("b");
    EXPECT_TRUE(pings.world.disk("b").empty());
    pings.world.restart("b");
    EXPECT_EQ(pings.counted("b"), 0u);
    EXPECT_TRUE(incarnations.insert(pings.world.incarnation("b")).second);
    EXPECT_GE(pings.world.incarnation("b"), 1u);
    EXPECT_LT(pings.world.incarnation("b"), std::uint64_t{1} << 48);
  }
}

TEST(sim_node, a_crash_before_the_commit_loses_writes_and_outputs) {
  PingWorld pings;
  pings.world.crash_before_commit("b");
  EXPECT_EQ(pings.counted("b"), 0u) << "looking writes nothing, so it does not die of it";
  pings.ping("a", "b");
  pings.world.run_for(1s);
  EXPECT_EQ(pings.world.life("b"), Life::down);
  EXPECT_EQ(durable_pings(pings.world, "b"), 0u);
  EXPECT_EQ(pings.answered("a"), 0u);
  EXPECT_EQ(pings.notes("a", "refused"), 1u);
}

TEST(sim_node, a_crash_after_the_commit_keeps_the_writes_and_lets_some_outputs_leave) {
  std::set<std::uint64_t> answers;
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    PingWorld pings(ping_plan({"a", "b"}, seed));
    pings.world.crash_after_commit("b");
    pings.ping("a", "b");
    pings.world.run_for(1s);
    EXPECT_EQ(pings.world.life("b"), Life::down);
    EXPECT_EQ(durable_pings(pings.world, "b"), 1u);
    pings.world.restart("b");
    EXPECT_EQ(pings.counted("b"), 1u);
    answers.insert(pings.answered("a"));
  }
  EXPECT_EQ(answers, (std::set<std::uint64_t>{0, 1}))
      << "the reply left in some runs, in others not";
}

TEST(sim_node, nothing_leaves_before_it_is_durable) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    PingWorld pings(ping_plan({"a", "b"}, seed));
    for (int i = 0; i < 10; ++i) {
      if (i % 3 == 0) pings.world.crash_after_commit("b");
      if (i % 3 == 1) pings.world.crash_before_commit("b");
      pings.ping("a", "b");
      pings.world.run_for(100ms);
      EXPECT_LE(pings.answered("a"), durable_pings(pings.world, "b"));
      pings.world.restart("b");
    }
  }
}

TEST(sim_node, a_paused_node_is_silent_and_later_does_all_that_waited) {
  PingWorld pings;
  pings.ping("b", "tick");
  pings.world.run_for(250ms);
  EXPECT_EQ(pings.notes("b", "tick"), 2u);
  pings.world.pause("b");
  pings.ping("a", "b");
  pings.world.run_for(1s);
  EXPECT_EQ(pings.notes("a", "timed_out"), 1u);
  EXPECT_EQ(pings.notes("b", "tick"), 2u);
  EXPECT_EQ(durable_pings(pings.world, "b"), 0u);
  pings.world.resume("b");
  pings.world.run_for(10ms);
  EXPECT_EQ(pings.notes("b", "tick"), 3u) << "the timer that was due fired late, once";
  EXPECT_EQ(durable_pings(pings.world, "b"), 1u);
  pings.world.run_for(100ms);
  EXPECT_EQ(pings.answered("a"), 0u) << "the late answer is ignored";
}

TEST(sim_node, an_answer_that_came_while_paused_wins_over_its_timeout) {
  PingWorld pings;
  pings.ping("a", "b");
  pings.world.pause("a");
  pings.world.run_for(1s);
  pings.world.resume("a");
  pings.world.run_for(10ms);
  EXPECT_EQ(pings.answered("a"), 1u);
  EXPECT_EQ(pings.notes("a", "timed_out"), 0u);
}

TEST(sim_node, a_commit_that_grows_on_a_full_disk_stops_the_node) {
  PingWorld pings;
  pings.ping("a", "grow");
  pings.world.fill_disk("a");
  pings.ping("a", "shrink");
  EXPECT_EQ(pings.world.life("a"), Life::up) << "deleting needs no room";
  pings.world.free_disk("a");
  pings.ping("a", "grow");
  pings.world.fill_disk("b");
  pings.ping("a", "b");
  pings.world.run_for(1s);
  EXPECT_EQ(pings.world.life("b"), Life::down);
  EXPECT_EQ(durable_pings(pings.world, "b"), 0u);
  EXPECT_EQ(pings.answered("a"), 0u) << "nothing of the handler left";
  pings.world.restart("b");
  pings.world.free_disk("b");
  pings.ping("a", "b");
  pings.world.run_for(1s);
  EXPECT_EQ(pings.answered("a"), 1u);
}

TEST(sim_node, a_wall_clock_can_be_off) {
  PingWorld pings(ping_plan({"a", "b"}));
  pings.world.skew("b", -500ms);
  pings.ping("a", "clock");
  pings.ping("b", "clock");
  const auto wall = [&](const NodeId& node) {
    return std::stoll(pings.steps(Step::Kind::note, node).back().text.substr(5));
  };
  EXPECT_EQ(wall("a") - wall("b"), 500'000);
}

TEST(sim_node, timers_that_start_each_other_without_delay_are_a_violation) {
  PingWorld pings;
  pings.ping("a", "storm");
  EXPECT_THROW(pings.world.run_for(1s), Violation);
}

TEST(sim_node, a_solutions_exception_is_its_death_and_the_trace_says_where) {
  PingWorld pings;
  try {
    pings.ping("b", "throw");
    FAIL() << "it did not throw";
  } catch (const SolutionDied& death) {
    EXPECT_NE(std::string(death.what()).find("scripted to throw"), std::string::npos)
        << death.what();
  }
  ASSERT_EQ(pings.steps(Step::Kind::running, "b").size(), 1u);
}

TEST(sim_node, what_a_check_must_not_do_is_its_own_error) {
  PingWorld pings;
  EXPECT_THROW(pings.world.start("a"), std::logic_error);
  EXPECT_THROW(pings.world.life("zebra"), std::logic_error);
  pings.world.crash("a");
  EXPECT_THROW(pings.counted("a"), std::logic_error);
  EXPECT_THROW(pings.world.crash("zebra"), std::runtime_error);
}

TEST(sim_node, looking_changes_no_later_draw) {
  const auto draws = [](int looks) {
    PingWorld pings;
    for (int i = 0; i < looks; ++i) (void)pings.counted("a");
    pings.world.restart("a");
    pings.world.run_for(1s);
    pings.ping("b", "a");
    pings.world.run_for(1s);
    std::vector<Duration> times;
    for (const Step& step : pings.steps(Step::Kind::receive))
      times.push_back(step.at.time_since_epoch());
    return times;
  };
  EXPECT_EQ(draws(0), draws(7));
}

}  // namespace
}  // namespace dynamo::sim
