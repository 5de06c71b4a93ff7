// Delta debugging by itself: what a candidate does is a function of its schedule.
#include "sim/shrink.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>

namespace dynamo::sim {
namespace {

using Kind = Choice::Kind;
using Names = std::set<std::string>;

std::string name(Kind kind, std::size_t number) {
  return (kind == Kind::fault      ? "fault "
          : kind == Kind::delivery ? "delivery "
          : kind == Kind::part     ? "part "
                                   : "action ") +
         std::to_string(number);
}

/// A run of `count` choices of each kind, which fails as long as all of `core` are there.
class Script {
 public:
  Script(std::size_t count, Names core) : count_(count), core_(std::move(core)) {}

  Trial run(const Schedule& schedule) const {
    Trial trial;
    trial.left_out = schedule;
    trial.handlers = 100;
    trial.same = std::none_of(core_.begin(), core_.end(),
                              [&](const std::string& one) { return schedule.has(one); });
    for (std::size_t number = 0; number < count_; ++number) {
      for (const Kind kind : {Kind::part, Kind::action, Kind::fault, Kind::delivery}) {
        if (schedule.has(name(kind, number))) continue;
        trial.choices.push_back({kind, name(kind, number)});
        ++trial.events;
      }
    }
    return trial;
  }

  Shrunk shrunk(const ShrinkLimits& limits = {}) const {
    return shrink(
        run({}),
        [this](const std::vector<Schedule>& schedules, std::uint64_t, bool) {
          std::vector<Trial> trials;
          trials.reserve(schedules.size());
          for (const Schedule& schedule : schedules) trials.push_back(run(schedule));
          return trials;
        },
        limits);
  }

 private:
  std::size_t count_;
  Names core_;
};

Names left(const Trial& trial) {
  Names names;
  for (const Choice& choice : trial.choices) names.insert(choice.name);
  return names;
}

TEST(Shrink, finds_a_core_and_nothing_else) {
  const Names core = {"action 7", "action 31", "fault 12", "part 3", "delivery 20"};
  const Shrunk shrunk = Script(60, core).shrunk();
  EXPECT_TRUE(shrunk.best.same);
  EXPECT_EQ(left(shrunk.best), core);
  EXPECT_TRUE(shrunk.to_the_end);
  EXPECT_LT(shrunk.runs, 400U);
}

TEST(Shrink, a_run_that_fails_in_any_case_loses_everything) {
  const Shrunk shrunk = Script(200, {}).shrunk();
  EXPECT_EQ(left(shrunk.best), Names{});
  EXPECT_TRUE(shrunk.best.left_out.has(Choice::kDelays));
  EXPECT_LE(shrunk.runs, 15U) << "all at once, in one crossing";
}

TEST(Shrink, does_the_same_each_time) {
  const Script script(80, {"action 1", "action 2", "fault 70", "fault 71"});
  const Shrunk one = script.shrunk();
  const Shrunk other = script.shrunk();
  EXPECT_EQ(one.best.left_out.left_out, other.best.left_out.left_out);
  EXPECT_EQ(one.runs, other.runs);
}

TEST(Shrink, whichever_of_two_would_do_one_of_them_stays) {
  const Trials either = [](const std::vector<Schedule>& schedules, std::uint64_t, bool) {
    std::vector<Trial> trials;
    for (const Schedule& schedule : schedules) {
      trials.push_back(Script(16, {}).run(schedule));
      trials.back().same = !schedule.has("action 3") || !schedule.has("action 11");
    }
    return trials;
  };
  const Shrunk shrunk = shrink(either({{}}, 0, true).front(), either, {});
  const Names names = left(shrunk.best);
  EXPECT_TRUE(names == Names{"action 3"} || names == Names{"action 11"});
}

TEST(Shrink, keeps_to_its_limits) {
  Names core;
  for (std::size_t i = 0; i < 300; i += 3) core.insert(name(Kind::action, i));
  ShrinkLimits limits;
  limits.handlers = 20'000;
  const Shrunk shrunk = Script(300, core).shrunk(limits);
  EXPECT_LE(shrunk.handlers, limits.handlers);
  EXPECT_FALSE(shrunk.to_the_end);
  EXPECT_TRUE(shrunk.best.same) << "what was found until then";
  limits = {};
  limits.runs = 30;
  EXPECT_LE(Script(300, core).shrunk(limits).runs, 30U);
}

TEST(Shrink, gives_up_when_nobody_runs_candidates_any_more) {
  std::size_t asked = 0;
  const Trials nobody = [&](const std::vector<Schedule>&, std::uint64_t, bool) {
    ++asked;
    return std::vector<Trial>{};
  };
  const Shrunk shrunk = shrink(Script(10, {}).run({}), nobody, {});
  EXPECT_EQ(asked, 1U);
  EXPECT_TRUE(shrunk.best.left_out.empty());
  EXPECT_FALSE(shrunk.to_the_end);
}

TEST(Shrink, loses_a_message_only_if_that_makes_the_run_shorter) {
  const Trials resent = [](const std::vector<Schedule>& schedules, std::uint64_t, bool) {
    std::vector<Trial> trials;
    for (const Schedule& schedule : schedules) {
      trials.push_back(Script(8, {}).run(schedule));
      trials.back().events = 10;  // what is lost is sent again
    }
    return trials;
  };
  const Shrunk shrunk = shrink(resent({{}}, 0, true).front(), resent, {});
  EXPECT_EQ(left(shrunk.best).size(), 8U) << "the deliveries";
}

}  // namespace
}  // namespace dynamo::sim
