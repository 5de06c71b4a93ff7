// run-plan: a fault plan in the simulator, on a solution, and what came of it as a trace.
#include <csignal>
#include <fstream>
#include <iostream>
#include <sstream>

#include <CLI/CLI.hpp>

#include "sim/cluster.h"
#include "sim/death.h"
#include "sim/host.h"
#include "sim/launcher.h"
#include "sim/plan_json.h"
#include "sim/replay_file.h"
#include "sim/rings.h"

namespace {

using namespace dynamo;
using namespace dynamo::sim;

struct Arguments {
  std::string node_binary;
  std::string plan_file;
  std::string trace_file;
  std::string sandbox;
  std::uint32_t rest_ms = 2000;
};

std::string contents(const std::string& file) {
  std::ifstream in(file);
  std::ostringstream text;
  text << in.rdbuf();
  if (!in) throw GraderTrouble(file + ": cannot be read");
  return text.str();
}

/// The cluster is formed first; the plan's moments count from then on.
int run(const Arguments& args) {
  Plan plan = plan_from_json(contents(args.plan_file), args.plan_file);
  const std::vector<Action> actions = std::move(plan.actions);
  plan.actions.clear();
  ProcessOptions options;
  options.node_binary = args.node_binary;
  const std::unique_ptr<Host> host = start_process_host(options);
  SoloCrossing crossing({host.get()});
  WorldOptions recorded;
  recorded.record = true;
  World world(plan, crossing, recorded);
  std::vector<Step> rings;
  int code = 0;
  try {
    form_cluster(world);
    const Instant began = world.now();
    std::cout << began.time_since_epoch().count() << '\n';
    world.phase("the plan begins");
    for (const Action& action : actions) {
      world.run_until(began + action.at);
      world.act(action);
    }
    world.run_for(std::chrono::milliseconds(args.rest_ms));
    rings = rings_of(world);
  } catch (const SolutionDied& death) {
    std::cout << death.what() << '\n';
    code = 1;
  } catch (const Violation& violation) {  // the cluster does not form
    std::cout << violation.what() << '\n';
    code = 1;
  }
  write_trace(args.trace_file, world.trace().steps(), rings);
  return code;
}

}  // namespace

int main(int argc, char** argv) {
  Arguments args;
  CLI::App app{
      "Forms a cluster of a solution in the simulator, runs a fault plan on it, and writes the "
      "trace.\nPrints the microsecond at which the plan began. Exit code: 0; 1 the solution died "
      "or "
      "forms no cluster, which is said; 2 trouble."};
  app.add_option("--node", args.node_binary, "dynamo-node of the solution")->required();
  app.add_option("--plan", args.plan_file, "JSON: nodes, config, seed, actions")->required();
  app.add_option("--trace", args.trace_file, "write the trace here, a step a line")->required();
  app.add_option("--sandbox", args.sandbox, "JSON of ./lab's: what the solution is started behind");
  app.add_option("--rest-ms", args.rest_ms, "how long it goes on after the last action")
      ->check(CLI::Range(0, 600000));
  std::signal(SIGPIPE, SIG_IGN);
  try {
    app.parse(argc, argv);
    if (!args.sandbox.empty()) set_launcher(read_launcher(args.sandbox));
    return run(args);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  } catch (const std::exception& error) {
    std::cerr << "run-plan: " << error.what() << '\n';
    return 2;
  }
}
