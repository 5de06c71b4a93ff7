// The reference's ring: how fast its lookups are, how often they allocate, what a rebuild costs.
// costs.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <new>

#include "core/random.h"
#include "ring.h"

namespace {
std::uint64_t allocations = 0;
}  // namespace

// Counts what a lookup allocates. All other forms of new end up here. Inlined, g++ would take the
// pair for a mismatch.
[[gnu::noinline]] void* operator new(std::size_t bytes) {
  ++allocations;
  if (void* memory = std::malloc(bytes)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace dynamo {
namespace {

/// `hosts` (one at least) joins, then leaves and joins by turns, until there are `events`.
History history_of(std::size_t hosts, std::size_t events) {
  History history;
  const auto name = [](std::size_t number) { return NodeId("n").append(std::to_string(number)); };
  for (std::size_t i = 0; i < hosts; ++i) {
    history.push_back({name(i), Change::join, {i + 1, "n0", 1}});
  }
  for (std::size_t i = 0; history.size() < events; ++i) {
    const Change change = i % 2 == 0 ? Change::leave : Change::join;
    // NOLINTNEXTLINE(clang-analyzer-core.DivideZero): see above
    history.push_back({name(i / 2 % hosts), change, {history.size() + 1, "n0", 1}});
  }
  return history;
}

std::unique_ptr<Ring> ring_of(const benchmark::State& state) {
  auto ring = make_ring({static_cast<std::uint32_t>(state.range(0)), 3});
  const auto hosts = static_cast<std::size_t>(state.range(1));
  ring->rebuild(history_of(hosts, hosts));
  return ring;
}

/// Lookups a second, and allocations of one.
void report(benchmark::State& state, std::uint64_t allocated) {
  state.SetItemsProcessed(state.iterations());
  state.counters["allocations"] =
      static_cast<double>(allocated) / static_cast<double>(state.iterations());
}

void ring_vnode_of(benchmark::State& state) {
  const auto ring = ring_of(state);
  Random random(1);
  const std::uint64_t before = allocations;
  for (auto _ : state) benchmark::DoNotOptimize(ring->vnode_of(random.next()));
  report(state, allocations - before);
}

void ring_preference_list(benchmark::State& state) {
  const auto ring = ring_of(state);
  Random random(1);
  const std::uint64_t before = allocations;
  for (auto _ : state) {
    benchmark::DoNotOptimize(ring->preference_list(ring->vnode_of(random.next())));
  }
  report(state, allocations - before);
}

void ring_active_list(benchmark::State& state) {
  const auto ring = ring_of(state);
  Random random(1);
  const std::vector<NodeId> dead = {"n3", "n7"};
  const std::uint64_t before = allocations;
  for (auto _ : state) {
    benchmark::DoNotOptimize(ring->active_list(ring->vnode_of(random.next()), dead));
  }
  report(state, allocations - before);
}

/// The figure that must not grow with Q. Its time is of no interest.
void ring_lookup_allocations(benchmark::State& state) { ring_preference_list(state); }

void ring_rebuild(benchmark::State& state) {
  const auto ring = make_ring({static_cast<std::uint32_t>(state.range(0)), 3});
  const History history = history_of(static_cast<std::size_t>(state.range(1)), 1'000);
  for (auto _ : state) ring->rebuild(history);
}

BENCHMARK(ring_vnode_of)->ArgNames({"q", "hosts"})->Args({1024, 16});
BENCHMARK(ring_preference_list)->ArgNames({"q", "hosts"})->Args({1024, 16});
BENCHMARK(ring_active_list)->ArgNames({"q", "hosts"})->Args({1024, 16});
BENCHMARK(ring_lookup_allocations)->ArgNames({"q", "hosts"})->Args({1024, 16})->Args({65'536, 16});
BENCHMARK(ring_rebuild)->ArgNames({"q", "hosts"})->Args({1024, 16})->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace dynamo

BENCHMARK_MAIN();
