#include "sim/runs.h"

#include <gtest/gtest-spi.h>

#include <algorithm>
#include <exception>
#include <utility>

#include "sim/checks.h"
#include "sim/lanes.h"
#include "sim/places.h"
#include "sim/rings.h"

namespace dynamo::sim {

namespace {

constexpr std::size_t kLanes = 24;       // beyond, batches win nothing …
constexpr std::size_t kLargeLanes = 12;  // … and of large worlds, caches lose more
constexpr std::size_t kLargeWorld = 64;
constexpr std::size_t kMostHosts = 5;  // a larger world's nodes share them

bool in_scenario = false;
struct InScenario {
  InScenario() { in_scenario = true; }
  ~InScenario() { in_scenario = false; }
  InScenario(const InScenario&) = delete;
  InScenario& operator=(const InScenario&) = delete;
};

using Assertions = testing::TestPartResultArray;

/// What the nodes answer after the end; nothing if the solution cannot, which is not what failed.
std::vector<Step> rings_after(World& world) {
  std::vector<Step> rings;
  try {
    rings = rings_of(world);
    for (Step& then : rings_on_the_way(world)) rings.push_back(std::move(then));
  } catch (const std::exception&) {  // those that were told before it count
  }
  return rings;
}

/// Runs the scenario in one world, and lets no exception out but Abandoned's and the fiber's own.
Outcome run_world(const Plan& plan, Crossing& crossing, const Scenario& scenario,
                  const WorldOptions& options, const std::function<std::string()>& broken_assertion,
                  bool for_viewer = false) {
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
  } catch (const GivenUp&) {
    outcome.events = world->events();
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
    outcome.choices = world->choices().taken();
    outcome.left_out = world->choices().applied();
    const bool lives = outcome.kind == Outcome::Kind::failed && !outcome.died;
    if (for_viewer && lives) outcome.afterwards = rings_after(*world);
    if (for_viewer) {
      for (Step& places : places_of(outcome.steps, plan.config)) {
        outcome.afterwards.push_back(std::move(places));
      }
    }
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

}  // namespace

bool scenario_at_work() { return in_scenario; }

Outcome run_alone(const Order& order, const Scenario& scenario, bool perturb) {
  Assertions assertions;
  const testing::ScopedFakeTestPartResultReporter tap(
      testing::ScopedFakeTestPartResultReporter::INTERCEPT_ONLY_CURRENT_THREAD, &assertions);
  SoloCrossing crossing(hosts_for(*order.plan, perturb));
  WorldOptions options = order.options;
  options.ahead = !options.record;
  const InScenario inside;
  const auto broken = [&]() -> std::string {
    for (int i = 0; i < assertions.size(); ++i) {
      if (assertions.GetTestPartResult(i).failed()) return text_of(assertions.GetTestPartResult(i));
    }
    return "";
  };
  Outcome outcome = run_world(*order.plan, crossing, scenario, options, broken,
                              /*for_viewer=*/order.options.record);
  Checks::here().count_exchanges(outcome.events);
  return outcome;
}

bool run_lanes(const std::vector<Order>& orders, const std::vector<std::size_t>& which,
               const Scenario& scenario, std::vector<Outcome>& outcomes, bool until_failure) {
  if (which.empty()) return true;
  std::size_t most_nodes = 1;
  std::size_t most_hosts = 1;
  for (const std::size_t i : which) {
    most_nodes = std::max(most_nodes, orders[i].plan->nodes.size());
    most_hosts = std::max(most_hosts, hosts_for(*orders[i].plan, false).size());
  }
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
          const Order& order = orders[which[job]];
          Outcome& outcome = outcomes[which[job]];
          outcome = run_world(*order.plan, crossing, scenario, order.options, [&, job] {
            attribute(job);
            return broken[job];
          });
          failed = failed || (until_failure && outcome.kind > Outcome::Kind::passed);
        },
        attribute, [&] { return failed; });
  } catch (const SolutionDied&) {
    // One of the worlds killed the hosts of all: whoever is unfinished runs alone, below.
    died = true;
  }
  for (const std::size_t i : which) Checks::here().count_exchanges(outcomes[i].events);
  return !died;
}

}  // namespace dynamo::sim
