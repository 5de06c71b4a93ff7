// The helpers that checks are written with: verdicts, determinism, stories, replays.
#include "sim/checks.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "core/json.h"
#include "sim/check.h"
#include "sim/retell.h"
#include "sim/story.h"
#include "sim_fixture.h"

namespace dynamo::sim {
namespace {

/// A runner on linked hosts, and a folder that goes away with it.
class SimChecks : public testing::Test {
 public:
  ~SimChecks() override {
    checks_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

 protected:
  SimChecks() { begin({}); }

  void begin(Checks::Options options) {
    checks_.reset();
    if (!options.replay) options.artifacts = folder_;
    checks_ = std::make_unique<Checks>(std::move(options), [](bool) { return make_linked_host(); });
    checks_->begin("suite.name");
  }

  /// True if the test went on to its end.
  bool run(const std::function<void()>& test) {
    try {
      test();
      return true;
    } catch (const TestEnded&) {
      return false;
    }
  }

  void expect_failed_with(const std::string& words) {
    EXPECT_EQ(checks_->verdict(), Checks::Verdict::fail);
    EXPECT_NE(checks_->message().find(words), std::string::npos) << checks_->message();
  }

  const std::filesystem::path folder_ =
      testing::TempDir() + "sim_checks_" + std::to_string(getpid());
  std::unique_ptr<Checks> checks_;
};

TEST_F(SimChecks, every_seed_has_its_world) {
  std::vector<std::uint64_t> seeds;
  EXPECT_TRUE(run([&] {
    for_each_seed(9, ping_plan(), [&](World& world) {
      world.start("a");
      seeds.push_back(world.seed());
      world.run_for(1s);
    });
  }));
  std::sort(seeds.begin(), seeds.end());
  EXPECT_EQ(seeds, (std::vector<std::uint64_t>{1, 1, 2, 3, 4, 5, 6, 7, 8, 9}))
      << "the first one runs twice";
  EXPECT_EQ(checks_->verdict(), Checks::Verdict::none);
  EXPECT_GT(checks_->exchanges(), 0u);
}

TEST_F(SimChecks, seeds_can_be_chosen) {
  Checks::Options options;
  options.seed = 70;
  options.seeds = 2;
  begin(options);
  std::vector<std::uint64_t> seeds;
  EXPECT_TRUE(run([&] {
    for_each_seed(1, ping_plan(), [&](World& world) { seeds.push_back(world.seed()); });
  }));
  std::sort(seeds.begin(), seeds.end());
  EXPECT_EQ(seeds, (std::vector<std::uint64_t>{70, 70, 71})) << "more than the check asks for";
  seeds.clear();
  EXPECT_TRUE(run([&] {
    for_each_seed(3, ping_plan(), [&](World& world) { seeds.push_back(world.seed()); });
  }));
  EXPECT_EQ(seeds.size(), 4U) << "never fewer than the check asks for";
}

void broken_on_seed_3(World& world) {
  form_cluster(world);
  world.crash("n2");
  world.run_for(500ms);
  world.restart("n2");
  (void)world.remove("n1", "n3");
  world.run_for(5s);
  world.expect(world.seed() < 3, "the seed is small", "it is " + std::to_string(world.seed()));
}

Plan membership_plan() {
  Plan plan = cluster_plan(3);
  plan.config.modules = {"membership"};
  return plan;
}

TEST_F(SimChecks, the_first_failing_seed_tells_its_story) {
  EXPECT_FALSE(run([&] { for_each_seed(8, membership_plan(), broken_on_seed_3); }));
  expect_failed_with("seed 3 · 3 nodes");
  expect_failed_with("[n1, n2, n3] form a cluster");
  expect_failed_with("n2 is killed (kill -9); its disk stays");
  expect_failed_with("n2 is started again");
  expect_failed_with("the operator asks n1 to remove n3; n1 answers: done");
  expect_failed_with("Gossip exchanges without news");
  expect_failed_with("expected: the seed is small");
  expect_failed_with("actual:   it is 3");
  EXPECT_LE(std::count(checks_->message().begin(), checks_->message().end(), '\n'), 30);
}

TEST_F(SimChecks, a_replay_is_the_same_run) {
  EXPECT_FALSE(run([&] { for_each_seed(8, membership_plan(), broken_on_seed_3); }));
  ASSERT_EQ(checks_->replay_file(), (folder_ / "suite.name.replay.json").string());
  EXPECT_TRUE(std::filesystem::exists(folder_ / "suite.name.trace.jsonl"));
  const std::string first = checks_->message();
  Checks::Options options;
  options.replay = read_replay(folder_ / "suite.name.replay.json");
  EXPECT_EQ(options.replay->plan.seed, 3u);
  EXPECT_FALSE(options.replay->executed.empty());
  const std::string hash = options.replay->trace_hash;
  begin(options);
  testing::internal::CaptureStdout();
  int runs = 0;
  EXPECT_FALSE(run([&] {
    for_each_seed(1, membership_plan(), [&](World& world) {
      ++runs;
      broken_on_seed_3(world);
    });
  }));
  const std::string said = testing::internal::GetCapturedStdout();
  EXPECT_NE(said.find("the same run, step by step: trace " + hash), std::string::npos) << said;
  EXPECT_EQ(runs, 1);
  EXPECT_EQ(checks_->message(), first);
}

TEST_F(SimChecks, a_failure_leaves_the_rings_of_its_end) {
  const auto parted = [](World& world) {
    form_cluster(world);
    world.isolate("n3");
    (void)world.remove("n1", "n3");
    world.run_for(5s);
    world.expect(false, "something", "something else");
  };
  const auto rings = [&](const std::vector<std::string>& modules) {
    Plan plan = cluster_plan(3);
    plan.config.modules = modules;
    plan.config.q = 6;
    EXPECT_FALSE(run([&] { for_each_seed(1, plan, parted); }));
    std::ifstream trace(folder_ / "suite.name.trace.jsonl");
    std::vector<Json> found;
    for (std::string line; std::getline(trace, line);) {
      Json step = json::parse_or_throw(line);
      if (step["event"] == "ring") found.push_back(std::move(step));
    }
    return found;
  };
  const std::vector<Json> found = rings({"membership", "ring"});
  ASSERT_EQ(found.size(), 3u);
  const auto has_n3 = [](const Json& step) {
    const auto owners = step["data"]["owners"].get<std::vector<std::string>>();
    EXPECT_EQ(owners.size(), 6u);
    return std::find(owners.begin(), owners.end(), "n3") != owners.end();
  };
  EXPECT_FALSE(has_n3(found[0])) << "n1 knows that it was removed";
  EXPECT_EQ(found[1]["data"], Json({{"same_as", "n1"}}));
  EXPECT_EQ(found[2]["node"], "n3");
  EXPECT_TRUE(has_n3(found[2])) << "n3 does not";
  EXPECT_TRUE(rings({"membership"}).empty());
}

TEST_F(SimChecks, a_replay_of_something_else_says_so) {
  EXPECT_FALSE(run([&] { for_each_seed(8, membership_plan(), broken_on_seed_3); }));
  Checks::Options options;
  options.replay = read_replay(checks_->replay_file());
  options.replay->trace_hash = "0123456789abcdef";
  options.replay->plan.seed = 2;
  begin(options);
  testing::internal::CaptureStdout();
  EXPECT_FALSE(run([&] { for_each_seed(8, membership_plan(), broken_on_seed_3); }))
      << "what a check judges over many worlds is not judged over one";
  EXPECT_EQ(checks_->verdict(), Checks::Verdict::pass);
  const std::string said = testing::internal::GetCapturedStdout();
  EXPECT_NE(said.find("another run than the recorded one"), std::string::npos) << said;
  EXPECT_NE(said.find("the failure is gone"), std::string::npos) << said;
}

TEST_F(SimChecks, only_the_recorded_run_of_a_test_is_replayed) {
  const auto test = [](std::vector<int>& runs) {
    for_each_seed(2, ping_plan(), [&](World&) { runs.push_back(0); });
    for_each_seed(2, ping_plan(), [&](World& world) {
      runs.push_back(1);
      world.expect(false, "a", "b");
    });
  };
  std::vector<int> runs;
  EXPECT_FALSE(run([&] { test(runs); }));
  Checks::Options options;
  options.replay = read_replay(checks_->replay_file());
  begin(options);
  testing::internal::CaptureStdout();
  runs.clear();
  EXPECT_FALSE(run([&] { test(runs); }));
  (void)testing::internal::GetCapturedStdout();
  EXPECT_EQ(runs, std::vector<int>{1});
}

TEST_F(SimChecks, broken_replay_files_are_named_with_their_field) {
  const auto error_of = [&](const std::string& content) -> std::string {
    std::filesystem::create_directories(folder_);
    std::ofstream(folder_ / "r.json") << content;
    try {
      (void)read_replay(folder_ / "r.json");
    } catch (const JsonError& error) {
      return error.what();
    }
    return "no error";
  };
  EXPECT_NE(error_of("nonsense").find("r.json: this is no JSON"), std::string::npos);
  EXPECT_NE(error_of(R"({"check": "a.b"})").find("r.json.format"), std::string::npos);
  EXPECT_NE(error_of(R"({"format": 1, "kind": "unit"})").find("r.json.check"), std::string::npos);
  EXPECT_NE(error_of(R"({"format": 1, "check": "a.b", "kind": "x"})").find("r.json.kind"),
            std::string::npos);
  EXPECT_NE(error_of(R"({"format": 1, "check": "a.b"})").find("r.json.plan.nodes"),
            std::string::npos);
  EXPECT_NE(error_of(R"({"format": 1, "sed": 3})").find("unknown field \"sed\""),
            std::string::npos);
}

TEST_F(SimChecks, a_death_fails_with_its_last_words_and_no_other_seed_is_blamed) {
  EXPECT_FALSE(run([&] {
    for_each_seed(8, ping_plan(), [](World& world) {
      world.start("a");
      world.run_for(1s);
      if (world.seed() == 5) world.invoke<&Warmup::ping>("a", NodeId("throw"));
      world.run_for(1s);
    });
  }));
  expect_failed_with("seed 5");
  expect_failed_with("scripted to throw");
  expect_failed_with("a ran ping()");
}

TEST_F(SimChecks, expectations_within_a_scenario_belong_to_their_world) {
  EXPECT_FALSE(run([&] {
    for_each_seed(8, ping_plan(), [](World& world) {
      world.start("a");
      world.run_for(1s);
      EXPECT_NE(world.seed(), 6u) << "six is unlucky";
      world.run_for(1s);
    });
  }));
  expect_failed_with("seed 6");
  expect_failed_with("six is unlucky");
}

TEST_F(SimChecks, a_global_that_outlives_a_node_is_found) {
  EXPECT_FALSE(run([&] {
    for_each_seed(4, ping_plan(), [](World& world) {
      world.start("a");
      world.invoke<&Warmup::ping>("a", NodeId("global"));
    });
  }));
  expect_failed_with("The solution is not deterministic");
  expect_failed_with("they part at step");
}

TEST_F(SimChecks, a_checks_own_bug_is_no_failure_of_the_solution) {
  EXPECT_FALSE(run([&] {
    for_each_seed(4, ping_plan(), [](World& world) { (void)world.invoke<&Warmup::counted>("a"); });
  }));
  EXPECT_EQ(checks_->verdict(), Checks::Verdict::inconclusive);
}

TEST_F(SimChecks, what_does_not_converge_says_what_is_still_wrong) {
  EXPECT_FALSE(run([&] {
    for_each_seed(1, membership_plan(), [](World& world) {
      form_cluster(world);
      world.isolate("n3");
      (void)world.remove("n1", "n2");
      converges(
          world, 10s, [&] { return histories_differ(world); }, "all histories are equal");
    });
  }));
  expect_failed_with("expected: all histories are equal, within 10 s of the cluster's own time");
  expect_failed_with("n3 lacks 1");
}

TEST_F(SimChecks, a_cluster_of_forty_forms) {
  EXPECT_TRUE(run([&] {
    Plan plan = cluster_plan(40);
    plan.config.modules = {"membership"};
    for_each_seed(2, plan, [](World& world) {
      form_cluster(world);
      world.expect(members(world, "n40").size() == 40, "40 members", list(members(world, "n40")));
    });
  })) << checks_->message();
}

TEST_F(SimChecks, a_lone_node_remembers_what_it_was_asked) {
  EXPECT_FALSE(run([&] {
    Lone lone;
    lone.start(true);
    EXPECT_TRUE(lone.invoke<&Membership::add>(NodeId("n2")).ok());
    EXPECT_EQ(lone.map<&Ring::vnode_of>({{0}, {1}, {~std::uint64_t{0}}}).back(), 1023u);
    lone.restart();
    EXPECT_EQ(lone.invoke<&Membership::history>().size(), 2u);
    lone.advance(2s);
    ASSERT_FALSE(lone.calls().empty());
    EXPECT_EQ(lone.calls().front().to, "n2");
    lone.end_call(lone.calls().front().id, Error{ErrorCode::timed_out, "late"});
    EXPECT_EQ(lone.invoke<&Membership::suspects>(), std::vector<NodeId>{"n2"});
    const auto reply = lone.request("n2", Gossip{});
    EXPECT_TRUE(reply.has_value());
    violation("the sky is blue", "it is grey");
  }));
  expect_failed_with("start, bootstrapped");
  expect_failed_with("add(n2)");
  expect_failed_with("3 calls, the first of them vnode_of(0)");
  expect_failed_with("kill -9, and start again on the same disk");
  expect_failed_with("its Gossip to n2 {");  // what it asks
  expect_failed_with(" ends: timed_out");
  expect_failed_with("suspects() → [n2]");
  expect_failed_with("expected: the sky is blue");
}

TEST_F(SimChecks, a_lone_node_that_dies_fails_the_test) {
  EXPECT_FALSE(run([&] {
    NodeSetup setup{"a", 7, {}};
    setup.config.modules = {"warmup"};
    Lone lone(setup);
    lone.start();
    lone.invoke<&Warmup::ping>(NodeId("throw"));
  }));
  expect_failed_with("scripted to throw");
  EXPECT_EQ(read_replay(checks_->replay_file()).kind, "unit");
}

TEST_F(SimChecks, a_story_has_no_steps_of_a_scenario_that_passed) {
  run([&] {
    for (int turn = 0; turn < 3; ++turn) {
      Lone lone;
      lone.start(turn == 0);
      lone.say("turn " + std::to_string(turn));
      if (turn == 2) violation("it goes on", "it ends");
    }
  });
  expect_failed_with("turn 2");
  EXPECT_EQ(checks_->message().find("turn 1"), std::string::npos) << checks_->message();
}

TEST_F(SimChecks, what_passed_and_has_no_part_in_what_comes_is_counted) {
  run([&] {
    Lone lone;
    lone.start(true);
    for (int turn = 0; turn < 3; ++turn) {
      passed(1);
      lone.say("turn " + std::to_string(turn));
      if (turn == 2) violation("it goes on", "it ends");
    }
  });
  expect_failed_with("     … 2 earlier steps …\n  3. turn 1\n  4. turn 2\n");
}

}  // namespace
}  // namespace dynamo::sim
