// How many handlers a second go through a host, and a trivial module behind it: one a crossing, as
// a single world needs it, and many a crossing, as worlds side by side or replays do.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <memory>

#include "sim/host.h"

namespace dynamo::sim {
namespace {

enum Transport : std::int64_t { linked, futex, futex_unpinned, portable };

/// The core that both ends are pinned to: DYNAMO_BENCH_CPU, else 0.
int bench_cpu() {
  const char* chosen = std::getenv("DYNAMO_BENCH_CPU");
  return chosen != nullptr ? std::atoi(chosen) : 0;
}

std::unique_ptr<Host> host_over(Transport transport) {
  if (transport == linked) return make_linked_host();
  ProcessOptions options;
  options.node_binary = PLAIN_HOST;
  options.cpu = transport == futex_unpinned ? -1 : bench_cpu();
  options.portable = transport == portable;
  return start_process_host(options);
}

/// Pings from node to node: each is decoded, counted on disk, and answered.
void handlers(benchmark::State& state) {
  const auto host = host_over(static_cast<Transport>(state.range(0)));
  const auto batch = static_cast<std::uint64_t>(state.range(1));
  NodeSetup setup{"n1", 1, {}};
  setup.config.modules = {"warmup"};
  for (Slot slot = 0; slot < 5; ++slot) host->make(slot, setup, {}, std::uint64_t{1} << 40);
  const std::string ping = codec::encode(Ping{1});
  const Moment moment{Instant(std::chrono::seconds(1)), Instant(std::chrono::seconds(1)), 7};
  std::uint64_t token = 0;
  for (auto _ : state) {
    for (std::uint64_t i = 0; i < batch; ++i) {
      host->request(static_cast<Slot>(token % 5), moment, token, "n2", 0, ping);
      ++token;
    }
    benchmark::DoNotOptimize(host->exchange());
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(token));
}

BENCHMARK(handlers)
    ->ArgNames({"transport", "batch"})
    ->Args({futex_unpinned, 1})
    ->Args({linked, 1})
    ->Args({linked, 32})
    ->Args({futex, 1})
    ->Args({futex, 32})
    ->Args({futex, 1000})
    ->Args({portable, 1})
    ->Args({portable, 32})
    ->UseRealTime();

}  // namespace
}  // namespace dynamo::sim

BENCHMARK_MAIN();
