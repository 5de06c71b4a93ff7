// for_each_seed: many worlds, their determinism, and what is left of the first that fails.
#include <gtest/gtest-spi.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <new>
#include <optional>
#include <utility>

#include "sim/check.h"
#include "sim/checks.h"
#include "sim/lanes.h"
#include "sim/story.h"

namespace dynamo::sim {

namespace {

constexpr std::size_t kLanes = 24;       // beyond, batches win nothing …
constexpr std::size_t kLargeLanes = 12;  // … and of large worlds, caches lose more
constexpr std::size_t kLargeWorld = 64;
constexpr std::size_t kOneHostEachEvery = 4;
constexpr std::size_t kMostHosts = 5;  // a larger world's nodes share them

/// Whether a scenario is at work: decides where violation() goes.
bool in_scenario = false;
struct InScenario {
  InScenario() { in_scenario = true; }
  ~InScenario() { in_scenario = false; }
  InScenario(const InScenario&) = delete;
  InScenario& operator=(const InScenario&) = delete;
};

/// What became of one world.
struct Outcome {
  enum class Kind : std::uint8_t { unfinished, passed, failed, trouble };
  Kind kind = Kind::unfinished;
  bool died = false;  ///< failed: the process did
  StoryEnd end;       ///< failed · trouble: in `actual`
  std::uint64_t hash = 0;
  std::uint64_t events = 0;
  std::vector<Step> steps;  ///< If the run was recorded.
  std::vector<Action> executed;

  bool same_as(const Outcome& other) const {
    return kind == other.kind && hash == other.hash && events == other.events;
  }
};

using Assertions = testing::TestPartResultArray;

/// Runs the scenario in one world, and lets no exception out but Abandoned's and the fiber's own.
Outcome run_world(const Plan& plan, Crossing& crossing, const Scenario& scenario,
                  WorldOptions options, const std::function<std::string()>& broken_assertion) {
  Outcome outcome;
  const auto failed = [&](std::string expected, std::string actual) {
    outcome.kind = Outcome::Kind::failed;
    outcome.end = {std::move(expected), std::move(actual)};
  };
  std::unique_ptr<World> world;
  try {
    world = std::make_unique<World>(plan, crossing, options);
    scenario(*world);
    outcome.kind = Outcome::Kind::passed;
  } catch (const Violation& violation) {
    failed(violation.expected(), violation.actual());
  } catch (const SolutionDied& death) {
    const StoryEnd end = end_of_death(death.what());
    failed(end.expected, end.actual);
    outcome.died = true;
  } catch (const Abandoned&) {
    return outcome;
  } catch (const std::exception& error) {
    outcome.kind = Outcome::Kind::trouble;
    outcome.end.actual = error.what();
  }
  // A broken EXPECT_ is nearer to the cause than what came after it.
  if (std::string text = broken_assertion();
      !text.empty() && outcome.kind != Outcome::Kind::trouble) {
    failed("", std::move(text));
  }
  if (world) {
    outcome.hash = world->trace().hash();
    outcome.events = world->events();
    outcome.steps = world->trace().steps();
    outcome.executed = world->executed();
  }
  return outcome;
}

std::string text_of(const testing::TestPartResult& part) {
  std::string text = part.message();
  if (part.file_name() != nullptr) {
    const std::string file = part.file_name();
    text +=
        "\n(" + file.substr(file.rfind('/') + 1) + ":" + std::to_string(part.line_number()) + ")";
  }
  return text;
}

std::vector<Host*> hosts_for(const Plan& plan, bool perturb) {
  const std::size_t count = plan.one_host_each ? std::min(plan.nodes.size(), kMostHosts) : 1;
  return Checks::here().hosts().take(count, perturb);
}

/// One world by itself, handler by handler.
Outcome run_alone(const Plan& plan, const Scenario& scenario, bool record, bool perturb = false) {
  Assertions assertions;
  const testing::ScopedFakeTestPartResultReporter tap(
      testing::ScopedFakeTestPartResultReporter::INTERCEPT_ONLY_CURRENT_THREAD, &assertions);
  SoloCrossing crossing(hosts_for(plan, perturb));
  WorldOptions options;
  options.record = record;
  options.ahead = !record;
  const InScenario inside;
  Outcome outcome = run_world(plan, crossing, scenario, options, [&]() -> std::string {
    for (int i = 0; i < assertions.size(); ++i) {
      if (assertions.GetTestPartResult(i).failed()) return text_of(assertions.GetTestPartResult(i));
    }
    return "";
  });
  Checks::here().count_exchanges(outcome.events);
  return outcome;
}

/// Many worlds side by side, all of them on the same kind of hosts. Ends early after a failure.
/// False if the solution died: then some are unfinished.
bool run_lanes(const std::vector<Plan>& plans, const std::vector<std::size_t>& which,
               const Scenario& scenario, std::vector<Outcome>& outcomes) {
  if (which.empty()) return true;
  std::size_t most_nodes = 1;
  for (const std::size_t i : which) most_nodes = std::max(most_nodes, plans[i].nodes.size());
  std::size_t most_hosts = 1;
  for (const std::size_t i : which)
    most_hosts = std::max(most_hosts, hosts_for(plans[i], false).size());
  const std::size_t side_by_side = most_nodes > kLargeWorld ? kLargeLanes : kLanes;
  Lanes lanes(Checks::here().hosts().take(most_hosts), std::min(side_by_side, which.size()),
              most_nodes);

  Assertions assertions;
  const testing::ScopedFakeTestPartResultReporter tap(
      testing::ScopedFakeTestPartResultReporter::INTERCEPT_ONLY_CURRENT_THREAD, &assertions);
  std::vector<std::string> broken(which.size());  // by job: its first broken assertion
  int seen = 0;
  const auto attribute = [&](std::size_t job) {
    for (; seen < assertions.size(); ++seen) {
      const auto& part = assertions.GetTestPartResult(seen);
      if (part.failed() && broken[job].empty()) broken[job] = text_of(part);
    }
  };
  bool failed = false;
  bool died = false;
  const InScenario inside;
  try {
    lanes.run(
        which.size(),
        [&](std::size_t job, Crossing& crossing) {
          outcomes[which[job]] = run_world(plans[which[job]], crossing, scenario, {}, [&, job] {
            attribute(job);
            return broken[job];
          });
          failed = failed || outcomes[which[job]].kind > Outcome::Kind::passed;
        },
        attribute, [&] { return failed; });
  } catch (const SolutionDied&) {
    // One of the worlds killed the hosts of all: whoever is unfinished runs alone, below.
    died = true;
  }
  for (const std::size_t i : which) Checks::here().count_exchanges(outcomes[i].events);
  return !died;
}

std::size_t first_failing(const std::vector<Outcome>& outcomes) {
  const auto failing = std::find_if(outcomes.begin(), outcomes.end(), [](const Outcome& outcome) {
    return outcome.kind > Outcome::Kind::passed;
  });
  return static_cast<std::size_t>(failing - outcomes.begin());
}

std::vector<Outcome> run_all(const std::vector<Plan>& plans, const Scenario& scenario) {
  std::vector<Outcome> outcomes(plans.size());
  if (worlds_run_side_by_side()) {
    for (const bool each : {false, true}) {
      std::vector<std::size_t> which;
      for (std::size_t i = 0; i < plans.size(); ++i) {
        if (plans[i].one_host_each == each) which.push_back(i);
      }
      // One endless loop costs seconds; five hosts of one world would loop one after the other.
      if (!run_lanes(plans, which, scenario, outcomes)) break;
    }
  }
  for (std::size_t i = 0; i < first_failing(outcomes); ++i) {
    if (outcomes[i].kind == Outcome::Kind::unfinished)
      outcomes[i] = run_alone(plans[i], scenario, false);
  }
  return outcomes;
}

constexpr const char* kCauses =
    "It must depend on nothing but what Env gives it. Look for a random number, a clock, a hash or "
    "an order "
    "that differs between processes (unordered containers, pointers as keys), a variable that is "
    "read "
    "before it is set, or a global or static variable, which nodes of one process share.";

/// Where two runs of one world part, in words.
StoryEnd parting(const Outcome& one, const Outcome& other) {
  StoryEnd end;
  end.expected = "the same run, twice: same plan, same seed, same solution, step by step";
  const std::size_t most = std::min(one.steps.size(), other.steps.size());
  std::size_t i = 0;
  while (i < most && to_jsonl(one.steps[i]) == to_jsonl(other.steps[i])) ++i;
  const auto line = [](const Outcome& run, std::size_t at) {
    return at < run.steps.size() ? to_jsonl(run.steps[at]).substr(0, 400) : "the run has ended";
  };
  end.actual = "they part at step " + std::to_string(i + 1) + ":\n  first run:  " + line(one, i) +
               "\n  second run: " + line(other, i) + "\nThe solution is not deterministic. " +
               kCauses;
  return end;
}

[[noreturn]] void report(const Plan& plan, std::uint32_t run, const Outcome& outcome,
                         const StoryEnd& end) {
  Checks& checks = Checks::here();
  const std::string message = knobs(plan) + "\n" + tell(outcome.steps, end);
  Replay replay;
  replay.run = run;
  replay.seed = plan.seed;
  replay.trace_hash = hex_of(outcome.hash);
  replay.message = message;
  replay.plan = plan;
  replay.executed = outcome.executed;
  checks.fail(message, checks.leave(std::move(replay), outcome.steps));
  throw TestEnded{};
}

[[noreturn]] void give_up(const Plan& plan, const Outcome& outcome) {
  Checks::here().trouble("the check itself went wrong (" + knobs(plan) +
                         "): " + outcome.end.actual);
  throw TestEnded{};
}

/// Runs a failing seed again with the trace on, and tells its story.
[[noreturn]] void explain(const Plan& plan, std::uint32_t run, const Outcome& first,
                          const Scenario& scenario) {
  if (first.kind == Outcome::Kind::trouble) give_up(plan, first);
  const Outcome again = run_alone(plan, scenario, true);
  if (again.kind == Outcome::Kind::trouble) give_up(plan, again);
  // How far a run came before a death depends on what crossed together.
  if (again.same_as(first) || (first.died && again.died)) report(plan, run, again, again.end);
  const Outcome third = run_alone(plan, scenario, true);
  StoryEnd end = parting(again, third);
  if (again.same_as(third)) {
    end.expected = "a world does the same alone and beside other worlds";
    end.actual =
        "beside others it failed: " +
        (first.end.expected.empty() ? "" : "expected " + first.end.expected + ", ") +
        first.end.actual + "\nalone it " +
        (again.kind == Outcome::Kind::failed ? "failed otherwise: " + again.end.actual : "passed") +
        "\nSo nodes influence each other without a message. " + kCauses;
  }
  report(plan, run, again, end);
}

/// The determinism of the first seed, against a host with another heap.
void compare_runs(const Plan& plan, std::uint32_t run, const Outcome& first,
                  const Scenario& scenario) {
  const Outcome second = run_alone(plan, scenario, false, true);
  if (second.same_as(first)) return;
  const Outcome one = run_alone(plan, scenario, true, false);
  const Outcome other = run_alone(plan, scenario, true, true);
  if (one.kind == Outcome::Kind::trouble) give_up(plan, one);
  report(plan, run, one, parting(one, other));
}

void replay_world(const Replay& replay, const Scenario& scenario, std::uint32_t run) {
  const Outcome outcome = run_alone(replay.plan, scenario, true);
  const bool same = hex_of(outcome.hash) == replay.trace_hash;
  std::printf("%s\n", knobs(replay.plan).c_str());
  std::printf(same ? "the same run, step by step: trace %s\n"
                   : "another run than the recorded one: trace %s, then %s; the solution or the "
                     "grader was changed "
                     "since\n",
              hex_of(outcome.hash).c_str(), replay.trace_hash.c_str());
  std::printf("%zu steps, %llu handlers, %zu actions\n", outcome.steps.size(),
              static_cast<unsigned long long>(outcome.events), outcome.executed.size());
  if (!Checks::here().options().artifacts.empty()) {
    const auto file = Checks::here().options().artifacts / (Checks::here().id() + ".trace.jsonl");
    write_trace(file, outcome.steps);
    std::printf("trace: %s\n", file.c_str());
  }
  if (outcome.kind == Outcome::Kind::trouble) give_up(replay.plan, outcome);
  if (outcome.kind == Outcome::Kind::failed) report(replay.plan, run, outcome, outcome.end);
  std::printf("the failure is gone: the check passes on this run\n");
}

}  // namespace

void for_each_seed(std::size_t count, const std::function<Plan(std::uint64_t)>& plan_of,
                   const Scenario& scenario) {
  Checks& checks = Checks::here();
  const std::uint32_t run = checks.next_run();
  if (checks.options().replay) {
    if (checks.options().replay->run == run) replay_world(*checks.options().replay, scenario, run);
    return;
  }
  std::vector<Plan> plans;
  // Never fewer than the check asks for: a statistic over a few worlds means nothing.
  const std::size_t seeds = std::max(count, checks.options().seeds.value_or(0));
  for (std::size_t i = 0; i < seeds; ++i) {
    const std::uint64_t seed = checks.options().seed + i;
    plans.push_back(plan_of(seed));
    plans.back().seed = seed;
    if (i % kOneHostEachEvery == kOneHostEachEvery - 1) plans.back().one_host_each = true;
  }
  const std::vector<Outcome> outcomes = run_all(plans, scenario);
  const std::size_t failing = first_failing(outcomes);
  if (failing < outcomes.size()) explain(plans[failing], run, outcomes[failing], scenario);
  if (!outcomes.empty()) compare_runs(plans.front(), run, outcomes.front(), scenario);
}

void for_each_seed(std::size_t count, const Plan& plan, const Scenario& scenario) {
  for_each_seed(
      count, [&](std::uint64_t) { return plan; }, scenario);
}

void violation(const std::string& expected, const std::string& actual) {
  if (in_scenario) throw Violation(expected, actual);
  Checks& checks = Checks::here();
  const std::string message = tell(checks.steps().told(), {expected, actual});
  Replay replay;
  replay.kind = "unit";
  replay.message = message;
  checks.fail(message, checks.leave(std::move(replay), {}));
  throw TestEnded{};
}

}  // namespace dynamo::sim
