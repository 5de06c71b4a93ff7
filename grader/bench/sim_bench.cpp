// How fast worlds run: a quiet cluster of five that gossips, alone and side by side, and the way of
// one new event through a thousand nodes. The solution is the reference, out of process.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <memory>
#include <vector>

#include "sim/cluster.h"
#include "sim/explore_space.h"
#include "sim/host.h"
#include "sim/lanes.h"
#include "sim/world.h"

namespace dynamo::sim {
namespace {

std::unique_ptr<Host> pinned_host() {
  ProcessOptions options;
  options.node_binary = REFERENCE_NODE;
  const char* chosen = std::getenv("DYNAMO_BENCH_CPU");
  options.cpu = chosen != nullptr ? std::atoi(chosen) : 0;
  return start_process_host(options);
}

Plan gossip_plan(std::size_t nodes, std::uint64_t seed) {
  Plan plan = cluster_plan(nodes);
  plan.seed = seed;
  plan.config.modules = {"membership"};
  return plan;
}

/// Five nodes for ten minutes of their time: some 9,000 handlers.
std::uint64_t gossip(const Plan& plan, Crossing& crossing) {
  World world(plan, crossing);
  form_cluster(world);
  world.run_for(600s);
  return world.events();
}

/// What bench.py prints beside the figure.
void set_goal(benchmark::State& state, double goal, bool at_least) {
  state.counters["goal"] = goal;
  state.counters["at_least"] = at_least ? 1 : 0;
}

void one_world_at_a_time(benchmark::State& state) {
  const auto host = pinned_host();
  SoloCrossing crossing({host.get()});
  std::uint64_t events = 0;
  std::uint64_t seed = 0;
  for (auto _ : state) events += gossip(gossip_plan(5, ++seed), crossing);
  state.SetItemsProcessed(static_cast<std::int64_t>(events));
  set_goal(state, 100'000, true);
}
BENCHMARK(one_world_at_a_time)->UseRealTime()->Unit(benchmark::kMillisecond);

void worlds_side_by_side(benchmark::State& state) {
  const auto host = pinned_host();
  constexpr std::size_t kWorlds = 24;
  std::uint64_t events = 0;
  for (auto _ : state) {
    Lanes lanes({host.get()}, kWorlds, 5);
    lanes.run(
        kWorlds,
        [&](std::size_t job, Crossing& crossing) {
          events += gossip(gossip_plan(5, job + 1), crossing);
        },
        [](std::size_t) {}, [] { return false; });
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(events));
  set_goal(state, 400'000, true);
}
BENCHMARK(worlds_side_by_side)->UseRealTime()->Unit(benchmark::kMillisecond);

/// Rounds that one new event takes through a cluster that knew everything before it.
void one_event_through_a_thousand_nodes(benchmark::State& state) {
  const auto host = pinned_host();
  SoloCrossing crossing({host.get()});
  double rounds = 0;
  for (auto _ : state) {
    World world(gossip_plan(1000, 1), crossing);
    std::vector<NodeId> founders = world.nodes();
    const NodeId last = founders.back();
    founders.pop_back();
    form_cluster(world, founders);
    const Instant begin = world.now();
    if (!world.add(founders[500], last).done()) state.SkipWithError("the console refused");
    converges(
        world, 60s, [&] { return histories_differ(world, founders); }, "all know the new event",
        1s);
    rounds = static_cast<double>((world.now() - begin) / 1s);
  }
  state.counters["rounds"] = rounds;
  set_goal(state, 10e6, false);  // microseconds: "in seconds"
}
BENCHMARK(one_event_through_a_thousand_nodes)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond)
    ->Iterations(1);

/// Explorer: states of the whole a second, of a scope of lab 1: three nodes, two changes, a kill, a
/// loss, a duplicate. Its beginning and all crossings are counted in.
void explorer_states(benchmark::State& state) {
  const auto host = pinned_host();
  std::size_t states = 0;
  for (auto _ : state) {
    Scope scope;
    scope.plan = gossip_plan(3, 1);
    Beginning beginning;
    {
      SoloCrossing crossing({host.get()});
      World world(scope.plan, crossing);
      form_cluster(world);
      for (const NodeId& node : world.nodes()) {
        beginning.nodes.push_back({node, world.incarnation(node), world.disk(node)});
      }
    }
    scope.asks = {{"one", "n1", "add", "n4"}, {"another", "n2", "add", "n5"}};
    scope.glances = {glance<&Membership::history>()};
    scope.budgets = {1, 1, 1, 1};
    scope.most_states = 100'000;
    Space space(scope, beginning, *host, false);
    Oracle oracle;
    Explored explored;
    if (search(space, oracle, explored)) state.SkipWithError("the reference is wrong");
    states += explored.states;
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(states));
  set_goal(state, 40'000, true);
}
BENCHMARK(explorer_states)->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace dynamo::sim

BENCHMARK_MAIN();
