// Scenarios at work: one world by itself, or many side by side, and what became of each.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "sim/check.h"
#include "sim/story.h"

namespace dynamo::sim {

/// What became of one world.
struct Outcome {
  enum class Kind : std::uint8_t { unfinished, passed, failed, trouble };
  Kind kind = Kind::unfinished;
  bool died = false;  ///< failed: the process did
  StoryEnd end;       ///< failed · trouble: in `actual`
  std::uint64_t hash = 0;
  std::uint64_t events = 0;  ///< Handlers that ran.
  std::vector<Step> steps;   ///< If the run was recorded.
  /// Steps of kinds `ring` and `places`: of a world that ran alone, recorded, and failed.
  std::vector<Step> afterwards;
  std::vector<Action> executed;
  std::vector<Choice> choices;  ///< If they were listed; so is `left_out`.
  Schedule left_out;

  bool same_as(const Outcome& other) const {
    return kind == other.kind && hash == other.hash && events == other.events;
  }
};

/// A world to be run. The plan outlives it.
struct Order {
  const Plan* plan = nullptr;
  WorldOptions options;
};

/// Whether a scenario is at work: decides where violation() goes.
bool scenario_at_work();

/// One world by itself; recorded: handler by handler.
Outcome run_alone(const Order& order, const Scenario& scenario, bool perturb = false);

/// Many worlds side by side, all of them on the same kind of hosts. `which` of the orders; their
/// outcomes are put in the same places. Ends early after a failure if it is to. False if the
/// solution died: then some are unfinished.
bool run_lanes(const std::vector<Order>& orders, const std::vector<std::size_t>& which,
               const Scenario& scenario, std::vector<Outcome>& outcomes, bool until_failure);

}  // namespace dynamo::sim
