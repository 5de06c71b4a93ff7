// Worlds that leave something out, and failures that become short.
#include <filesystem>
#include <fstream>

#include "sim/check.h"
#include "sim/checks.h"
#include "sim/events.h"
#include "sim/shorten.h"
#include "sim_fixture.h"

namespace dynamo::sim {
namespace {

constexpr std::size_t kMany = 40;

/// Many pings, of which one from a to c and a crash of b matter.
void noisy(World& world) {
  for (const NodeId& node : world.nodes()) world.start(node);
  for (std::size_t i = 0; i < kMany; ++i) {
    const World::Optional optional(world);
    if (i % 7 == 3 && world.up("b")) world.crash("b");
    if (i % 7 == 5 && !world.up("b")) world.restart("b");
    if (i == 11) world.cut({"a"}, {"c"});
    if (i == 12) world.heal();
    world.run_for(50ms);
  }
  for (std::size_t i = 0; i < kMany; ++i) {
    if (world.leaves_out("ping " + std::to_string(i))) continue;
    world.invoke<&Warmup::ping>("a", NodeId("c"));
    world.run_for(20ms);
  }
  const std::uint64_t counted = world.invoke<&Warmup::counted>("c");
  world.expect(counted < 3 || world.up("b"), "b is up, or c has counted few pings",
               "c has counted " + std::to_string(counted));
  world.expect(counted >= 3, "c has counted some pings", std::to_string(counted));
}

class SimShrink : public testing::Test {
 public:
  ~SimShrink() override {
    checks_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

 protected:
  SimShrink() { begin({}); }

  void begin(Checks::Options options) {
    checks_.reset();
    if (!options.replay) options.artifacts = folder_;
    checks_ = std::make_unique<Checks>(std::move(options), [](bool) { return make_linked_host(); });
    checks_->begin("suite.name");
  }

  /// What the test ended with.
  std::string fails(const Scenario& scenario, const Plan& plan = ping_plan()) {
    try {
      for_each_seed(4, plan, scenario);
    } catch (const TestEnded&) {
      return checks_->message();
    }
    return "";
  }

  /// What is said while a file is replayed.
  std::string replays(const Scenario& scenario, bool original) {
    Checks::Options options;
    options.replay = read_replay(folder_ / "suite.name.replay.json");
    options.original = original;
    begin(options);
    testing::internal::CaptureStdout();
    (void)fails(scenario);
    return testing::internal::GetCapturedStdout();
  }

  static bool has(const std::string& text, const std::string& words) {
    return text.find(words) != text.npos;
  }

  const std::filesystem::path folder_ =
      testing::TempDir() + "sim_shrink_" + std::to_string(getpid());
  std::unique_ptr<Checks> checks_;
};

TEST_F(SimShrink, a_failure_is_told_by_what_it_takes) {
  const std::string story = fails(noisy);
  ASSERT_TRUE(checks_->shortened);
  EXPECT_GT(checks_->shortened->original_events, 40U);
  EXPECT_EQ(checks_->shortened->events, 7U) << "three starts, a crash, three pings\n" << story;
  EXPECT_TRUE(has(
      story, "shrunk from " + std::to_string(checks_->shortened->original_events) + " events to 7"))
      << story;
  EXPECT_TRUE(has(story, "b is killed")) << story;
  EXPECT_FALSE(has(story, "network is cut")) << story;
  EXPECT_TRUE(has(story, "expected: b is up, or c has counted few pings")) << story;
  EXPECT_TRUE(has(story, "c has counted 3")) << story;
}

TEST_F(SimShrink, a_short_run_replays_exactly_and_so_does_the_original) {
  (void)fails(noisy);
  const Replay saved = read_replay(folder_ / "suite.name.replay.json");
  EXPECT_FALSE(saved.schedule.empty());
  EXPECT_NE(saved.trace_hash, saved.original_trace_hash);
  const std::string shrunk = replays(noisy, false);
  EXPECT_TRUE(has(shrunk, "the same run, step by step: trace " + saved.trace_hash)) << shrunk;
  EXPECT_TRUE(has(shrunk, "7 events")) << shrunk;
  const std::string original = replays(noisy, true);
  EXPECT_TRUE(has(original, "the same run, step by step: trace " + saved.original_trace_hash))
      << original;
}

TEST_F(SimShrink, the_same_run_is_found_each_time) {
  const std::string first = fails(noisy);
  begin({});
  EXPECT_EQ(fails(noisy), first);
}

TEST_F(SimShrink, nobody_shrinks_who_is_told_not_to) {
  Checks::Options options;
  options.shrink = false;
  begin(options);
  const std::string story = fails(noisy);
  EXPECT_FALSE(has(story, "shrunk")) << story;
  EXPECT_TRUE(read_replay(folder_ / "suite.name.replay.json").schedule.empty());
}

TEST_F(SimShrink, another_violation_is_another_failure) {
  const Scenario judged_twice = [](World& world) {
    noisy(world);
    world.expect(false, "nothing is left out", "something was");
  };
  // Without the crash the first property holds, and the second one is broken: that is not it.
  EXPECT_TRUE(has(fails(judged_twice), "expected: b is up, or c has counted few pings"));
}

TEST_F(SimShrink, what_no_right_solution_needs_is_left_out_of_chance_too) {
  Plan plan = ping_plan();
  plan.links.loss_ppm = 300'000;
  plan.links.duplicate_ppm = 300'000;
  plan.links.corrupt_ppm = 100'000;
  const std::string story = fails(
      [](World& world) {
        for (const NodeId& node : world.nodes()) world.start(node);
        for (std::size_t i = 0; i < kMany; ++i) {
          world.invoke<&Warmup::ping>("a", NodeId(i % 2 == 0 ? "b" : "c"));
          world.run_for(50ms);
        }
        const Traffic sent = world.sent("a", "b", kPing, false);
        world.expect(sent.messages == 0, "a sends nothing", std::to_string(sent.messages));
      },
      plan);
  const Replay saved = read_replay(folder_ / "suite.name.replay.json");
  for (const char* fault : {"loss Ping", "double Ping", "damage Ping"}) {
    EXPECT_TRUE(std::any_of(saved.schedule.left_out.begin(), saved.schedule.left_out.end(),
                            [&](const std::string& name) { return has(name, fault); }))
        << fault << "\n"
        << story;
  }
  EXPECT_LT(checks_->shortened->events, checks_->shortened->original_events);
}

TEST_F(SimShrink, a_death_stays_the_same_death) {
  const std::string story = fails([](World& world) {
    for (const NodeId& node : world.nodes()) world.start(node);
    for (std::size_t i = 0; i < kMany; ++i) {
      if (world.leaves_out("ping " + std::to_string(i))) continue;
      world.invoke<&Warmup::ping>("a", NodeId("b"));
      world.run_for(20ms);
    }
    world.invoke<&Warmup::ping>("a", NodeId("throw"));
  });
  EXPECT_TRUE(has(story, "scripted to throw")) << story;
  EXPECT_TRUE(has(story, "to 3 (")) << story;
}

TEST(SimSchedule, what_is_left_out_is_not_done_and_the_rest_is_as_it_was) {
  const std::unique_ptr<Host> host = make_linked_host();
  SoloCrossing crossing({host.get()});
  WorldOptions options;
  options.list_choices = true;
  options.schedule.add("step 2 action 1");
  World world(cluster_plan(3), crossing, options);
  world.start("n1", true);
  {
    const World::Optional optional(world);
    EXPECT_TRUE(world.add("n1", "n2").done());
  }
  {
    const World::Optional optional(world);
    EXPECT_TRUE(world.add("n1", "n3").failed_with(ErrorCode::refused));
    EXPECT_FALSE(world.remove("n1", "n3").done()) << "n3 was never added";
  }
  EXPECT_TRUE(world.add("n1", "n3").done()) << "not optional any more";
  const std::vector<Choice>& taken = world.choices().taken();
  ASSERT_EQ(taken.size(), 2U);
  EXPECT_EQ(taken[0].name, "step 1 action 1");
  EXPECT_EQ(taken[1].name, "step 2 action 2");
  EXPECT_EQ(world.choices().applied().left_out, std::vector<std::string>{"step 2 action 1"});
  EXPECT_EQ(world.executed().size(), 4U);
}

TEST(SimSchedule, a_partition_is_cut_in_both_directions_or_not_at_all) {
  const std::unique_ptr<Host> host = make_linked_host();
  SoloCrossing crossing({host.get()});
  WorldOptions options;
  options.list_choices = true;
  World world(ping_plan({"x", "y"}), crossing, options);
  world.start("x");
  world.start("y");
  {
    const World::Optional optional(world);
    world.part({"x"}, {"y"});
  }
  EXPECT_EQ(world.choices().taken().size(), 1U);
}

TEST(SimSchedule, a_world_gives_up_after_so_many_handlers) {
  const std::unique_ptr<Host> host = make_linked_host();
  SoloCrossing crossing({host.get()});
  WorldOptions options;
  options.most_handlers = 10;
  World world(ping_plan(), crossing, options);
  const auto run = [&] {
    for (const NodeId& node : world.nodes()) world.start(node);
    for (int i = 0; i < 20; ++i) world.invoke<&Warmup::ping>("a", NodeId("b"));
  };
  EXPECT_THROW(run(), GivenUp);
  EXPECT_EQ(world.events(), 10U);
}

Step step_of(Step::Kind kind, const NodeId& node, const std::string& text = {}) {
  Step step;
  step.kind = kind;
  step.node = node;
  step.text = text;
  return step;
}

TEST(Events, a_kill_with_its_restart_is_one_and_an_idle_heal_is_none) {
  using Kind = Step::Kind;
  EXPECT_EQ(count_events({step_of(Kind::start, "a"), step_of(Kind::crash, "a", "kill -9"),
                          step_of(Kind::restart, "a")}),
            2U);
  EXPECT_EQ(count_events({step_of(Kind::heal, "")}), 0U);
  Step cut = step_of(Kind::cut, "a");
  cut.peer = "b";
  Step other = step_of(Kind::cut, "b");
  other.peer = "a";
  EXPECT_EQ(count_events({cut, other, step_of(Kind::heal, "")}), 2U) << "one cut, one heal";
  EXPECT_EQ(count_events({cut, cut}), 1U);
}

TEST(Events, deliveries_count_if_they_change_a_disk_or_answer_with_something_new) {
  Step gossip = step_of(Step::Kind::receive, "a");
  gossip.peer = "b";
  gossip.message = "Gossip";
  gossip.data = R"({"digest": {"count": 1}, "events": []})";
  EXPECT_EQ(count_events({gossip}), 0U);
  gossip.writes = 2;
  EXPECT_EQ(count_events({gossip, gossip}), 2U);
  Step read = step_of(Step::Kind::receive, "a");
  read.peer = "b";
  read.message = "Read";
  read.reply = true;
  read.data = R"({"holding": "found", "state": {"hash": "1"}})";
  EXPECT_EQ(count_events({read}), 1U);
  EXPECT_EQ(count_events({read, read}), 1U) << "the same again is nothing new";
  Step changed = read;
  changed.data = R"({"holding": "found", "state": {"hash": "2"}})";
  EXPECT_EQ(count_events({read, changed, read}), 3U);
  read.data = R"({"holding": "absent", "state": null})";
  EXPECT_EQ(count_events({read}), 0U);
}

TEST(Events, a_get_that_hears_the_same_again_is_none) {
  const auto get = [](std::uint64_t id, const std::string& told) {
    Step asked = step_of(Step::Kind::client, "a", "milk");
    asked.message = "get";
    asked.id = id;
    Step heard = asked;
    heard.kind = Step::Kind::told;
    heard.text = told;
    return std::vector<Step>{asked, heard};
  };
  std::vector<Step> steps;
  for (const auto& [id, told] :
       std::vector<std::pair<std::uint64_t, std::string>>{{1, "x"}, {2, "x"}, {3, "y"}, {4, "y"}}) {
    for (const Step& step : get(id, told)) steps.push_back(step);
  }
  EXPECT_EQ(count_events(steps), 2U);
  steps.pop_back();
  EXPECT_EQ(count_events(steps), 3U) << "one without an answer counts";
}

TEST(SameFailure, is_the_same_sentence_whatever_its_numbers_and_lists) {
  const auto broken = [](const std::string& expected, const std::string& actual) {
    Outcome outcome;
    outcome.kind = Outcome::Kind::failed;
    outcome.end = {expected, actual};
    return outcome;
  };
  const Outcome one = broken("n1 knows [n1, n2] within 20 s", "no");
  EXPECT_TRUE(same_failure(one, broken("n12 knows [n3] within 8 s", "something else")));
  EXPECT_FALSE(same_failure(one, broken("n1 forgets [n1, n2] within 20 s", "no")));
  EXPECT_FALSE(same_failure(one, Outcome{})) << "it passed";
  Outcome died = broken("the node's process goes on", "segmentation fault\n  where: a.cpp:3");
  died.died = true;
  Outcome otherwise = died;
  EXPECT_TRUE(same_failure(died, otherwise));
  otherwise.end.actual = "exception std::out_of_range: map::at\n  where: a.cpp:3";
  EXPECT_FALSE(same_failure(died, otherwise));
  const Outcome asserted = broken("", "Expected equality of 1 and 2\n(a_test.cpp:30)");
  EXPECT_TRUE(same_failure(asserted, broken("", "Expected equality of 1 and 7\n(a_test.cpp:30)")));
  EXPECT_FALSE(same_failure(asserted, broken("", "the same words\n(a_test.cpp:31)")));
}

}  // namespace
}  // namespace dynamo::sim
