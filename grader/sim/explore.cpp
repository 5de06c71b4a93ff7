// explore(): the check around a search. Its verdict, its story, and its replay.
#include "sim/explore.h"

#include <algorithm>
#include <cstdio>
#include <set>
#include <type_traits>
#include <utility>

#include "core/json.h"
#include "sim/check.h"
#include "sim/checks.h"
#include "sim/explore_space.h"
#include "sim/places.h"
#include "sim/story.h"

namespace dynamo::sim {

namespace {

/// All nodes of the scope in a world, until they have the disks that the search begins with; then
/// also the scope's asks are known.
Beginning begin(Scope& scope, Host& host, std::vector<Step>& steps) {
  SoloCrossing crossing({&host});
  WorldOptions options;
  options.record = true;
  World world(scope.plan, crossing, options);
  Beginning beginning;
  try {
    if (scope.beginning) scope.beginning(world);
    if (scope.asking) scope.asks = scope.asking(world);
  } catch (...) {
    steps = world.trace().steps();
    throw;
  }
  Checks::here().count_exchanges(world.events());
  if (scope.left_nodes != 0) scope.plan.nodes.resize(scope.left_nodes);
  for (const NodeId& node : scope.plan.nodes) {
    if (world.life(node) == Life::absent) world.start(node);
    beginning.nodes.push_back({node, world.incarnation(node), world.disk(node)});
  }
  beginning.plan = scope.plan;
  steps = world.trace().steps();
  return beginning;
}

[[noreturn]] void report(const Scope& scope, std::uint32_t run, const Rerun& rerun,
                         const StoryEnd& end) {
  Checks& checks = Checks::here();
  const std::string message = knobs(scope.plan) + "\n" + tell(rerun.steps, end);
  Replay replay;
  replay.kind = "explore";
  replay.run = run;
  replay.seed = scope.plan.seed;
  replay.trace_hash = hex_of(rerun.hash);
  replay.message = message;
  replay.plan = scope.plan;
  replay.choices = rerun.followed;
  replay.scope = checks.options().scope;
  checks.fail(message, checks.leave(std::move(replay), rerun.steps,
                                    places_of(rerun.steps, scope.plan.config)));
  throw TestEnded{};
}

StoryEnd end_of(const Found& found) {
  return found.died ? end_of_death(found.actual) : StoryEnd{found.expected, found.actual};
}

constexpr const char* kCauses =
    "It must depend on nothing but what Env gives it: look for a clock, a random number, an order "
    "of unordered containers or of pointers, a variable that is read before it is set, or a global "
    "one.";

/// One search; `exact`: without taking two ways to a state for the same.
class Exploration {
 public:
  Exploration(Scope scope, const MakeOracle& make, std::uint32_t run)
      : scope_(std::move(scope)),
        make_(make),
        run_(run),
        host_(*Checks::here().hosts().take(1).front()) {}

  void replay(const Replay& saved) {
    start();
    const Rerun again = rerun(saved.choices);
    const bool same = hex_of(again.hash) == saved.trace_hash;
    std::printf("%s\n%s", knobs(scope_.plan).c_str(),
                same ? "the same run, step by step\n"
                     : "another run than the recorded one; the solution or the grader was changed "
                       "since\n");
    std::printf("%zu of %zu choices, %zu steps\n", again.followed.size(), saved.choices.size(),
                again.steps.size());
    const Checks& checks = Checks::here();
    if (!checks.options().artifacts.empty()) {
      const auto file = checks.options().artifacts / (checks.id() + ".trace.jsonl");
      write_trace(file, again.steps, places_of(again.steps, scope_.plan.config));
      std::printf("trace: %s\n", file.c_str());
    }
    if (again.found) report(scope_, run_, again, end_of(*again.found));
    if (again.followed.size() < saved.choices.size()) {
      std::printf("the next choice, to %s on %s, cannot be made any more\n",
                  saved.choices[again.followed.size()].act.c_str(),
                  saved.choices[again.followed.size()].node.c_str());
    }
    std::printf("the failure is gone: the check passes on this run\n");
  }

  void explore() {
    start();
    Explored explored;
    try {
      std::optional<Found> found = search_once(false, explored);
      if (found) {
        judge(*found);
        // Two states were taken for the same that are not: once more, without that.
        explored = {};
        found = search_once(true, explored);
        if (found) judge(*found);
        if (found) unsteady(found->schedule);
      }
      found = wander(scope_, beginning_, host_, make_, explored);
      if (found) judge(*found);
      if (found) unsteady(found->schedule);
    } catch (const NotTheSame&) {
      unsteady({});
    }
    Checks::here().explored(to_string(explored), explored.finished());
  }

 private:
  void start() {
    std::vector<Step> steps;
    StoryEnd end;
    try {
      beginning_ = begin(scope_, host_, steps);
      return;
    } catch (const Violation& violation) {
      end = {violation.expected(), violation.actual()};
    } catch (const SolutionDied& death) {
      end = end_of_death(death.what());
    }
    Rerun none;
    none.steps = std::move(steps);
    report(scope_, run_, none, end);
  }

  std::optional<Found> search_once(bool exact, Explored& explored) {
    Space space(scope_, beginning_, host_, exact);
    const std::unique_ptr<Oracle> oracle = make_(beginning_);
    std::optional<Found> found = search(space, *oracle, explored);
    Checks::here().count_exchanges(space.handlers());
    return found;
  }

  Rerun rerun(const std::vector<Pick>& schedule) {
    Rerun again = follow(scope_, beginning_, host_, make_, schedule, false);
    Checks::here().count_exchanges(again.steps.size());
    return again;
  }

  /// Runs what was found once more, by itself. Ends the test if it is broken there, too.
  void judge(const Found& found) {
    const Rerun again = rerun(found.schedule);
    if (again.found) report(scope_, run_, again, end_of(*again.found));
  }

  [[noreturn]] void unsteady(const std::vector<Pick>& schedule) {
    const Rerun one = rerun(schedule);
    report(scope_, run_, one,
           {"the same events in the same order make a node do the same",
            std::string("it did something else. The solution is not deterministic. ") + kCauses});
  }

  Scope scope_;
  const MakeOracle& make_;
  const std::uint32_t run_;
  Host& host_;
  Beginning beginning_;
};

std::string number(std::size_t value) {
  std::string text = std::to_string(value);
  for (std::size_t i = text.size(); i > 3; i -= 3) text.insert(i - 3, ",");
  return text;
}

}  // namespace

std::string to_string(const Explored& explored) {
  std::string text = explored.finished()
                         ? "explored: all " + number(explored.states) + " states of this scope"
                         : "explored, bounded: " + number(explored.states) +
                               " states, all that lie " + std::to_string(explored.depth) +
                               " events deep; " + number(explored.frontier) +
                               " of them were not gone on from";
  text += " (" + number(explored.locals) + " states of single nodes)";
  if (explored.completions != 0) {
    text += "; " + number(explored.completions) + " of them run on to their rest";
  }
  if (explored.schedules != 0) text += "; " + number(explored.schedules) + " random schedules";
  return text;
}

void widen(Scope& scope, const std::string& by) {
  const Json wider = json::parse(by);
  if (!wider.is_object()) throw JsonError("--scope " + by + ": expected a JSON object");
  for (const auto& [name, value] : wider.items()) {
    static const std::set<std::string> known{"drops",  "duplicates", "crashes",
                                             "timers", "states",     "schedules"};
    if (!known.contains(name) || !value.is_number_unsigned()) {
      throw JsonError("--scope " + by + ": '" + name +
                      "': expected a number for drops, duplicates, crashes, timers, states or "
                      "schedules");
    }
  }
  if (scope.schedules == 0) return;
  const auto widened = [&](const std::string& name, auto& number) {
    using Number = std::remove_reference_t<decltype(number)>;
    if (wider.contains(name)) number = std::max(number, wider[name].get<Number>());
  };
  widened("drops", scope.deep.drops);
  widened("duplicates", scope.deep.duplicates);
  widened("crashes", scope.deep.crashes);
  widened("timers", scope.deep.timers);
  widened("states", scope.most_states);
  widened("schedules", scope.schedules);
}

void explore(const Scope& scope, const MakeOracle& oracle) {
  Checks& checks = Checks::here();
  const std::uint32_t run = checks.next_run();
  Scope seeded = scope;
  if (!checks.options().scope.empty()) widen(seeded, checks.options().scope);
  seeded.plan.seed = checks.options().seed;
  if (const std::optional<Replay>& replay = checks.options().replay) {
    if (replay->run != run) return;
    seeded.plan.seed = replay->seed;
    return Exploration(seeded, oracle, run).replay(*replay);
  }
  Exploration(seeded, oracle, run).explore();
}

}  // namespace dynamo::sim
