// store-load: asks a store, and prints how fast it answered. See ./lab bench stores.
#include <csignal>
#include <iostream>

#include <CLI/CLI.hpp>

#include "core/json.h"
#include "load/run.h"

int main(int argc, char** argv) {
  using namespace dynamo;
  load::Options options;
  std::string operation;
  std::uint64_t warm_up_ms = 0;
  std::uint64_t measured_ms = 0;
  std::uint64_t deadline_ms = 60'000;
  CLI::App app{"Asks a store and prints, as JSON, how many answers a second came and how late."};
  app.add_option("--system", options.system, "dynamo, etcd or redis")->required();
  app.add_option("--targets", options.targets, "addresses, by comma")->delimiter(',')->required();
  app.add_option("--operation", operation, "put or get")
      ->check(CLI::IsMember({"put", "get"}))
      ->required();
  app.add_option("--connections", options.connections, "each asks one thing at a time")
      ->check(CLI::Range(1, 10'000));
  app.add_option("--value-bytes", options.workload.value_bytes, "size of each value");
  app.add_option("--wait-for", options.workload.wait_for, "redis: replicas that must have a put");
  app.add_option("--prefix", options.prefix, "of all keys; a number follows");
  app.add_option("--keys", options.keys,
                 "gets draw among so many keys; puts that are not timed "
                 "put each once");
  app.add_option("--seed", options.seed, "of the keys that gets draw");
  app.add_option("--warm-up-ms", warm_up_ms, "not measured, before what is");
  app.add_option("--measured-ms", measured_ms, "0: until each key was put once");
  app.add_option("--per-second", options.per_second,
                 "requests that begin, answered or not (open loop); 0: each connection asks again "
                 "when it was answered (closed loop)");
  app.add_option("--deadline-ms", deadline_ms, "of the whole run");
  CLI11_PARSE(app, argc, argv);
  options.workload.put = operation == "put";
  options.warm_up = std::chrono::milliseconds(warm_up_ms);
  options.measured = std::chrono::milliseconds(measured_ms);
  options.deadline = std::chrono::milliseconds(deadline_ms);
  std::signal(SIGPIPE, SIG_IGN);
  try {
    std::cout << load::run(options) << '\n';
    return 0;
  } catch (const std::exception& error) {
    std::cout << Json{{"error", error.what()}}.dump(-1, ' ', false, Json::error_handler_t::replace)
              << '\n';
    return 1;
  }
}
