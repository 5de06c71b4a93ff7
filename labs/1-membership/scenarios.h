// What the simulated checks of lab 1 share: plans, a quick start, and what the console was
// promised.
#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "core/random.h"
#include "sim/check.h"

namespace dynamo::sim {

inline constexpr Duration kRound = 1s;         // the plans' gossip period
inline constexpr Duration kLastAnswer = 50ms;  // what began within a round may end so much later

/// Only this lab's module is at work.
inline Plan lab_plan(std::size_t count, std::vector<NodeId> seeds = {"n1"}) {
  Plan plan = cluster_plan(count);
  plan.config.modules = {"membership"};
  plan.config.gossip_period = kRound;
  plan.config.seeds = std::move(seeds);
  return plan;
}

/// "n7"
inline NodeId name(std::uint64_t number) { return NodeId("n").append(std::to_string(number)); }

inline std::vector<NodeId> names(std::size_t first, std::size_t last) {
  std::vector<NodeId> all;
  for (std::size_t i = first; i <= last; ++i) all.push_back(name(i));
  return all;
}

/// Starts `nodes`, the first one first and the others spread over one round, and gives each of them
/// the history in which the first of them added all `members`. Cheaper than form_cluster, for
/// checks that are not about forming one.
inline void settle(World& world, const std::vector<NodeId>& nodes,
                   const std::vector<NodeId>& members) {
  world.phase("start");
  Random random(world.seed());
  std::vector<std::pair<std::uint64_t, NodeId>> starts;
  starts.reserve(nodes.size());
  const auto period_us = static_cast<std::uint64_t>(kRound.count());
  for (const NodeId& node : nodes) {
    starts.emplace_back(node == nodes[0] ? 0 : random.below(period_us), node);
  }
  std::sort(starts.begin(), starts.end());
  const Instant begin = world.now();
  for (const auto& [offset, node] : starts) {
    world.run_until(begin + Duration(offset));
    world.start(node);
  }
  History events;
  events.reserve(members.size());
  for (const NodeId& member : members) {
    events.push_back(
        {member, Change::join, {events.size() + 1, nodes[0], world.incarnation(nodes[0])}});
  }
  world.invoke_each<&Membership::merge>(nodes, events);
  world.phase("started: " + list(nodes) + " start, and know the members " + list(members));
}

/// A drawn one is long: its last four digits tell two disks of one node apart.
inline std::string text_of_incarnation(Incarnation incarnation) {
  if (incarnation < 10'000) return std::to_string(incarnation);
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text = "…";
  for (int shift = 12; shift >= 0; shift -= 4) text += kDigits[incarnation >> shift & 0xf];
  return text;
}

inline std::string text(const Event& event) {
  return event.subject + (event.change == Change::join ? " joins (" : " leaves (") +
         std::to_string(event.version.counter) + ", " + event.version.node + ", " +
         text_of_incarnation(event.version.incarnation) + ")";
}

inline std::string text(const History& events) {
  std::string all;
  for (const Event& event : events) all += (all.empty() ? "" : "; ") + text(event);
  return all.empty() ? "no events" : all;
}

/// "it lacks n2 joins (2, n1, 7); it has more: n3 leaves (4, n1, 7)"; of two in the same order.
inline std::string difference(const History& right, const History& found) {
  const auto without = [](const History& all, const History& others) {
    History left;
    for (const Event& event : all) {
      if (std::find(others.begin(), others.end(), event) == others.end()) left.push_back(event);
    }
    return left;
  };
  const History lacking = without(right, found);
  const History more = without(found, right);
  std::string told = lacking.empty() ? "" : "it lacks " + text(lacking);
  if (!more.empty()) told += (told.empty() ? "" : "; ") + ("it has more: " + text(more));
  return told.empty() ? "the order is another: " + text(found) : told;
}

inline History history(World& world, const NodeId& node) {
  return world.invoke<&Membership::history>(node);
}

inline std::size_t events_of(const History& events, const NodeId& at, const NodeId& subject,
                             Change change) {
  return static_cast<std::size_t>(
      std::count_if(events.begin(), events.end(), [&](const Event& event) {
        return event.version.node == at && event.subject == subject && event.change == change;
      }));
}

/// "twice"
inline std::string times(std::size_t count) {
  return count == 1 ? "once" : count == 2 ? "twice" : std::to_string(count) + " times";
}

/// Every change of which the console heard "done" stands in `node`'s history, once; one of which it
/// heard nothing may stand there; one that was refused does not. So no version was given out twice,
/// either.
inline void expect_operations(World& world, const NodeId& node) {
  struct Count {
    std::size_t done = 0;
    std::size_t unknown = 0;
  };
  std::map<std::tuple<NodeId, NodeId, std::string>, Count> counts;
  for (const Operation& operation : world.operations()) {
    Count& count = counts[{operation.at, operation.subject, operation.what}];
    if (operation.done()) ++count.done;
    if (operation.outcome == Operation::Outcome::unknown) ++count.unknown;
    if (operation.outcome == Operation::Outcome::pending) ++count.unknown;
  }
  const History events = history(world, node);
  std::string wrong;
  for (const auto& [key, count] : counts) {
    const auto& [at, subject, what] = key;
    if (at == subject && what == "add") continue;  // its own join is that of its bootstrap
    const std::size_t found =
        events_of(events, at, subject, what == "add" ? Change::join : Change::leave);
    const std::string change = at + (what == "add" ? "'s add of " : "'s remove of ") + subject;
    const auto tell = [&](const std::string& text) { wrong += (wrong.empty() ? "" : ", ") + text; };
    if (found < count.done) {
      tell((found == 0 ? "lacks "
                       : "has " + times(found) + " instead of " + times(count.done) + " ") +
           change);
    } else if (found > count.done + count.unknown) {
      tell("has " + times(found) + " instead of " + times(count.done + count.unknown) + " " +
           change);
    }
  }
  world.expect(
      wrong.empty(),
      node +
          " knows every change of which a console heard \"done\", each one once, and none that "
          "was refused",
      [&] { return node + " " + wrong + "; its history: " + text(events); });
}

inline bool contains(const std::vector<NodeId>& list_of_names, const NodeId& name) {
  return std::find(list_of_names.begin(), list_of_names.end(), name) != list_of_names.end();
}

inline void become_equal(World& world, int rounds, const std::string& when) {
  converges(
      world, rounds * kRound, [&] { return histories_differ(world); },
      "all histories are equal " + when, kRound / 2);
}

}  // namespace dynamo::sim
