// For ./lab experiment gossip: how many rounds one new event takes through a cluster.
//
//     gossip-table NODE MEMBERS EVENTS SEED
//         →    {"members": 64, "knowers": [[1, 3, 11, 34, 60, 64], …]}
//
// MEMBERS nodes with membership alone know the same history. Then an operator makes one change at
// one of them, and every gossip period all are asked who knows it; EVENTS times. "knowers": per
// change, how many knew it at once, after one round, after two, up to all. The change is the join
// and the leave, in turn, of a node that never starts: one peer among all, half of the time, that
// does not answer.
#include <algorithm>
#include <cstdio>
#include <span>
#include <string>
#include <vector>

#include "sim/cluster.h"
#include "sim/crossing.h"
#include "sim/host.h"
#include "sim/world.h"
#include "table.h"

namespace dynamo::sim {
namespace {

constexpr std::size_t kMostRounds = 100;

using Knowers = std::vector<std::size_t>;

/// The event that `member` has now and had not in `before`.
Event new_event(World& world, const NodeId& member, const History& before) {
  for (const Event& event : world.invoke<&Membership::history>(member)) {
    if (std::find(before.begin(), before.end(), event) == before.end()) return event;
  }
  throw SolutionDied("the console of " + member + " said done, but its history has no new event");
}

/// Takes those out of `ignorant` that know `event` by now.
void forget_knowers(World& world, const Event& event, std::vector<NodeId>& ignorant) {
  if (ignorant.empty()) return;
  const std::vector<History> histories = world.invoke_each<&Membership::history>(ignorant);
  std::vector<NodeId> still;
  for (std::size_t i = 0; i < ignorant.size(); ++i) {
    const History& known = histories[i];
    if (std::find(known.rbegin(), known.rend(), event) == known.rend()) {
      still.push_back(ignorant[i]);
    }
  }
  ignorant = std::move(still);
}

/// One change, from the console of `at` until all members know it.
Knowers spread(World& world, const std::vector<NodeId>& members, const NodeId& at, bool join) {
  const NodeId& subject = world.nodes().back();
  const History before = world.invoke<&Membership::history>(at);
  const Operation change = join ? world.add(at, subject) : world.remove(at, subject);
  if (!change.done()) throw SolutionDied("the console of " + at + " says " + to_string(change));
  const Event event = new_event(world, at, before);
  Knowers knowers;
  std::vector<NodeId> ignorant = members;
  while (true) {
    forget_knowers(world, event, ignorant);
    knowers.push_back(members.size() - ignorant.size());
    if (ignorant.empty()) return knowers;
    if (knowers.size() > kMostRounds) {
      throw SolutionDied("after " + std::to_string(kMostRounds) + " rounds, " +
                         std::to_string(ignorant.size()) + " of " + std::to_string(members.size()) +
                         " members do not know a change");
    }
    world.run_for(world.plan().config.gossip_period);
  }
}

std::string in_json(const Knowers& knowers) {
  std::string text;
  for (const std::size_t number : knowers) {
    text.append(text.empty() ? "[" : ", ").append(std::to_string(number));
  }
  return text + "]";
}

void print_row(Host& host, std::uint32_t count, std::uint32_t events, std::uint32_t seed) {
  Plan plan = cluster_plan(count + 1);
  plan.seed = seed;
  plan.config.modules = {"membership"};
  SoloCrossing crossing({&host});
  World world(plan, crossing);
  const std::vector<NodeId> members(world.nodes().begin(), world.nodes().end() - 1);
  form_cluster(world, members);
  std::string rows;
  for (std::uint32_t i = 0; i < events; ++i) {
    const NodeId& at = members[members.size() * i / events];
    if (i > 0) rows += ", ";
    rows += in_json(spread(world, members, at, i % 2 == 0));
  }
  std::printf("{\"members\": %u, \"knowers\": [%s]}\n", count, rows.c_str());
}

}  // namespace
}  // namespace dynamo::sim

int main(int argc, char** argv) {
  using namespace dynamo::sim;
  const std::vector<NumberArgument> arguments{
      {"MEMBERS", 2, 1024}, {"EVENTS", 1, 1000}, {"SEED", 1, 1'000'000}};
  return run_table(argc, argv, arguments, [](Host& host, std::span<const std::uint32_t> numbers) {
    print_row(host, numbers[0], numbers[1], numbers[2]);
  });
}
