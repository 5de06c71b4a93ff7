// replay-recordings: what real nodes recorded, as a trace, and once more in a host.
#include <csignal>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <sstream>

#include <CLI/CLI.hpp>

#include "core/json.h"
#include "sim/launcher.h"
#include "sim/places.h"
#include "sim/plan_json.h"
#include "sim/recording.h"
#include "sim/replay_file.h"
#include "sim/rings.h"

namespace {

using namespace dynamo;
using namespace dynamo::sim;

struct Arguments {
  std::string node_binary;
  std::string reference_binary;
  std::vector<NodeId> reference_nodes;
  std::string plan_file;
  std::string trace_file;
  std::string sandbox;
  std::uint64_t began_us = 0;
  std::vector<std::string> recordings;
};

std::string handlers(std::size_t count) {
  return std::to_string(count) + (count == 1 ? " handler" : " handlers");
}

/// True if it did the same as then.
bool say(const Rerun& rerun) {
  const std::string who = rerun.node + ", start " + std::to_string(rerun.start);
  const std::string ran = handlers(rerun.handlers);
  if (!rerun.death.empty()) {
    std::cout << who << ": " << ran << " again, then it died"
              << (rerun.died_then ? ", as it did then:\n" : "; then, it had not died there:\n")
              << rerun.death << '\n';
    return rerun.died_then;
  }
  if (!rerun.difference.empty()) {
    std::cout << who << ": " << ran << " did the same; " << rerun.difference << '\n';
    return false;
  }
  std::cout << who << ": all " << ran << " did the same again";
  if (rerun.died_then) std::cout << "; it was killed inside of the next one";
  std::cout << '\n';
  return true;
}

Plan read_plan(const std::string& file) {
  std::ifstream in(file);
  std::ostringstream text;
  text << in.rdbuf();
  if (!in) throw GraderTrouble(file + ": cannot be read");
  return plan_from_json(text.str(), file);
}

/// All nodes of a cluster have the same settings.
std::vector<Step> places_in(const std::vector<Recording>& recordings,
                            const std::vector<Step>& steps) {
  for (const Recording& recording : recordings) {
    if (!recording.starts.empty()) return places_of(steps, recording.starts.front().setup.config);
  }
  return {};
}

/// As the solution's program answers: a ring follows from the events alone, on every node.
std::vector<Step> rings_then(const Arguments& args, const std::vector<Recording>& recordings,
                             const std::vector<Step>& steps) {
  for (const Recording& recording : recordings) {
    if (recording.starts.empty() || steps.empty()) continue;
    ProcessOptions options;
    options.node_binary = args.node_binary;
    const std::unique_ptr<Host> host = start_process_host(options);
    return rings_on_the_way(recording.starts.front().setup, steps, *host);
  }
  return {};
}

int run(const Arguments& args) {
  const Launcher solutions_launcher =
      args.sandbox.empty() ? Launcher{} : read_launcher(args.sandbox);
  std::vector<Recording> recordings;
  recordings.reserve(args.recordings.size());
  for (const std::string& file : args.recordings) {
    recordings.push_back(read_recording(file));
    if (recordings.back().full) {
      std::cout << file << ": the recording was full; it ends before the run does\n";
    }
  }
  std::vector<Step> steps;
  if (!args.trace_file.empty()) {
    const Plan plan = read_plan(args.plan_file);
    steps = steps_of(recordings, plan.actions, Duration(std::chrono::microseconds(args.began_us)));
    write_trace(args.trace_file, steps);  // there, too, if what follows comes to no end
  }
  bool all_same = true;
  std::vector<Step> afterwards;
  for (const Recording& recording : recordings) {
    if (recording.starts.empty()) continue;
    const NodeId& node = recording.starts.front().setup.self;
    const bool reference = std::find(args.reference_nodes.begin(), args.reference_nodes.end(),
                                     node) != args.reference_nodes.end();
    ProcessOptions options;
    options.node_binary = reference ? args.reference_binary : args.node_binary;
    set_launcher(reference ? Launcher{} : solutions_launcher);  // a sandbox shows one program alone
    const std::unique_ptr<Host> host = start_process_host(options);
    const std::vector<Rerun> reruns = rerun(recording, *host);
    for (const Rerun& again : reruns) all_same = say(again) && all_same;
    if (steps.empty() || reruns.back().owners.empty()) continue;
    afterwards.push_back(ring_step(steps.back().at, node, reruns.back().owners));
  }
  for (Step& then : rings_then(args, recordings, steps)) afterwards.push_back(std::move(then));
  for (Step& places : places_in(recordings, steps)) afterwards.push_back(std::move(places));
  if (!afterwards.empty()) write_trace(args.trace_file, steps, afterwards);
  return all_same ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  Arguments args;
  CLI::App app{
      "What real nodes recorded (dynamo-node --record), as a trace, and once more in simulated "
      "nodes.\nExit code: 0 all handlers did the same, 1 one did not, 2 trouble."};
  app.add_option("--node", args.node_binary, "dynamo-node of the solution")->required();
  app.add_option("--reference-node", args.reference_binary, "the program of --reference's nodes");
  app.add_option("--reference", args.reference_nodes, "nodes that ran the reference")
      ->delimiter(',');
  app.add_option("--plan", args.plan_file, "JSON: what was done to the cluster, and when");
  app.add_option("--began-us", args.began_us, "the steady clock at the plan's time 0");
  app.add_option("--trace", args.trace_file, "write the trace here, a step a line");
  app.add_option("--sandbox", args.sandbox, "JSON of ./lab's: what the solution is started behind");
  app.add_option("recordings", args.recordings, "a file a node")->required();
  std::signal(SIGPIPE, SIG_IGN);
  try {
    app.parse(argc, argv);
    if (!args.trace_file.empty() && args.plan_file.empty()) {
      throw GraderTrouble("--trace needs --plan FILE");
    }
    return run(args);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  } catch (const std::exception& error) {
    std::cerr << "replay-recordings: " << error.what() << '\n';
    return 2;
  }
}
