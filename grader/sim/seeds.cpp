// for_each_seed: many worlds, their determinism, and what is left of the first that fails.
#include <algorithm>
#include <cstdio>
#include <utility>

#include "sim/check.h"
#include "sim/checks.h"
#include "sim/events.h"
#include "sim/lanes.h"
#include "sim/once_more.h"
#include "sim/runs.h"
#include "sim/shorten.h"

namespace dynamo::sim {

namespace {

constexpr std::size_t kOneHostEachEvery = 4;

/// Told in full, or not.
Order order_of(const Plan& plan, bool record) {
  Order order{&plan, {}};
  order.options.record = record;
  return order;
}

std::size_t first_failing(const std::vector<Outcome>& outcomes) {
  const auto failing = std::find_if(outcomes.begin(), outcomes.end(), [](const Outcome& outcome) {
    return outcome.kind > Outcome::Kind::passed;
  });
  return static_cast<std::size_t>(failing - outcomes.begin());
}

/// Of the seeds that failed, the one with the shortest run. Who died or went wrong is told as soon
/// as it is met.
std::size_t shortest_failing(const std::vector<Outcome>& outcomes) {
  std::size_t shortest = first_failing(outcomes);
  for (std::size_t i = shortest; i < outcomes.size(); ++i) {
    const Outcome& best = outcomes[shortest];
    if (best.kind != Outcome::Kind::failed || best.died) break;
    const bool plain = outcomes[i].kind == Outcome::Kind::failed && !outcomes[i].died;
    if (plain && outcomes[i].events < best.events) shortest = i;
  }
  return shortest;
}

std::vector<Outcome> run_all(const std::vector<Plan>& plans, const Scenario& scenario) {
  std::vector<Outcome> outcomes(plans.size());
  std::vector<Order> orders;
  orders.reserve(plans.size());
  for (const Plan& plan : plans) orders.push_back(order_of(plan, false));
  if (worlds_run_side_by_side()) {
    for (const bool each : {false, true}) {
      std::vector<std::size_t> which;
      for (std::size_t i = 0; i < plans.size(); ++i) {
        if (plans[i].one_host_each == each) which.push_back(i);
      }
      // One endless loop costs seconds; five hosts of one world would loop one after the other.
      if (!run_lanes(orders, which, scenario, outcomes, true)) break;
    }
  }
  for (std::size_t i = 0; i < first_failing(outcomes); ++i) {
    if (outcomes[i].kind == Outcome::Kind::unfinished) outcomes[i] = run_alone(orders[i], scenario);
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
                         const StoryEnd& end, const std::string& preface = {}, Replay replay = {}) {
  Checks& checks = Checks::here();
  const std::string message = knobs(plan) + "\n" + preface + tell(outcome.steps, end);
  replay.run = run;
  replay.seed = plan.seed;
  replay.trace_hash = hex_of(outcome.hash);
  replay.message = message;
  replay.plan = plan;
  replay.executed = outcome.executed;
  checks.fail(message, checks.leave(std::move(replay), outcome.steps, outcome.afterwards));
  throw TestEnded{};
}

std::string events_words(std::size_t count) {
  return std::to_string(count) + (count == 1 ? " event" : " events");
}

/// The short run, with the way back to the one that it was made from.
[[noreturn]] void report_short(const Plan& plan, std::uint32_t run, const Outcome& original,
                               const Shortened& shortened) {
  Checks::here().shortened = {shortened.events, shortened.original_events, shortened.runs,
                              shortened.seconds};
  Replay replay;
  replay.events = shortened.events;
  if (shortened.schedule.empty()) {
    report(plan, run, original, original.end, "", std::move(replay));
  }
  replay.schedule = shortened.schedule;
  replay.original_events = shortened.original_events;
  replay.original_trace_hash = hex_of(original.hash);
  const std::string preface = "shrunk from " + events_words(shortened.original_events) + " to " +
                              std::to_string(shortened.events) + " (the replay has both)\n";
  report(plan, run, shortened.outcome, shortened.outcome.end, preface, std::move(replay));
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
  const Outcome again = run_alone(order_of(plan, true), scenario);
  if (again.kind == Outcome::Kind::trouble) give_up(plan, again);
  // How far a run came before a death depends on what crossed together.
  if (again.same_as(first) || (first.died && again.died)) {
    report_short(plan, run, again, shorten(plan, scenario, again));
  }
  const Outcome third = run_alone(order_of(plan, true), scenario);
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
  const Outcome second = run_alone(order_of(plan, false), scenario, true);
  if (second.same_as(first)) return;
  const Outcome one = run_alone(order_of(plan, true), scenario, false);
  const Outcome other = run_alone(order_of(plan, true), scenario, true);
  if (one.kind == Outcome::Kind::trouble) give_up(plan, one);
  report(plan, run, one, parting(one, other));
}

void replay_world(const Replay& replay, const Scenario& scenario, std::uint32_t run) {
  const bool shrunk = !replay.schedule.empty() && !Checks::here().options().original;
  Order order = order_of(replay.plan, true);
  if (shrunk) order.options.schedule = replay.schedule;
  const Outcome outcome = run_alone(order, scenario);
  const std::string recorded =
      shrunk || replay.schedule.empty() ? replay.trace_hash : replay.original_trace_hash;
  const bool same = hex_of(outcome.hash) == recorded;
  std::printf("%s\n", knobs(replay.plan).c_str());
  std::printf(same ? "the same run, step by step: trace %s\n"
                   : "another run than the recorded one: trace %s, then %s; the solution or the "
                     "grader was changed "
                     "since\n",
              hex_of(outcome.hash).c_str(), recorded.c_str());
  std::printf("%s (%zu steps, %llu handlers, %zu actions)\n",
              events_words(count_events(outcome.steps)).c_str(), outcome.steps.size(),
              static_cast<unsigned long long>(outcome.events), outcome.executed.size());
  if (shrunk) {
    std::printf("shrunk from %s, which --original replays\n",
                events_words(replay.original_events).c_str());
  }
  if (!Checks::here().options().artifacts.empty()) {
    const auto file = Checks::here().options().artifacts / (Checks::here().id() + ".trace.jsonl");
    write_trace(file, outcome.steps, outcome.afterwards);
    std::printf("trace: %s\n", file.c_str());
  }
  if (outcome.kind == Outcome::Kind::trouble) give_up(replay.plan, outcome);
  if (outcome.kind == Outcome::Kind::failed) report(replay.plan, run, outcome, outcome.end);
  std::printf("the failure is gone: the check passes on this run\n");
  Checks::here().pass();  // what it judges over many worlds says nothing here
  throw TestEnded{};
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
  const std::size_t failing = shortest_failing(outcomes);
  if (failing < outcomes.size()) explain(plans[failing], run, outcomes[failing], scenario);
  if (!outcomes.empty()) compare_runs(plans.front(), run, outcomes.front(), scenario);
}

void for_each_seed(std::size_t count, const Plan& plan, const Scenario& scenario) {
  for_each_seed(
      count, [&](std::uint64_t) { return plan; }, scenario);
}

void once_more(const Plan& plan, const std::function<std::string(World& world)>& telling) {
  Checks& checks = Checks::here();
  if (checks.options().replay) return;
  Plan first = plan;
  first.seed = checks.options().seed;
  std::string told;
  const Outcome outcome =
      run_alone(order_of(first, false), [&](World& world) { told = telling(world); });
  if (outcome.kind != Outcome::Kind::passed) give_up(first, outcome);
  checks.tell_passed(told);
}

void violation(const std::string& expected, const std::string& actual) {
  if (scenario_at_work()) throw Violation(expected, actual);
  Checks& checks = Checks::here();
  const StoryEnd end{expected, actual};
  const std::string message = tell(checks.steps().told(end), end);
  Replay replay;
  replay.kind = "unit";
  replay.message = message;
  checks.fail(message, checks.leave(std::move(replay), {}));
  throw TestEnded{};
}

}  // namespace dynamo::sim
