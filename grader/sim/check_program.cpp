// The program around a lab's checks: ./lab runs it, once for each shard. `--help` says how.
#include <gtest/gtest.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iostream>

#include "core/json.h"
#include "sim/check.h"
#include "sim/check_program.h"
#include "sim/checks.h"
#include "sim/explore.h"
#include "sim/launcher.h"
#include "sim/story.h"

namespace dynamo::sim {

namespace {

struct Arguments {
  Checks::Options checks;
  ProcessOptions host;
  std::vector<std::uint64_t> seeds = {1};  ///< All checks run once for each.
  std::vector<std::string> only;
  std::string shard;
  std::string results;
  std::string replay;
  std::string sandbox;
  bool list = false;
  bool linked = false;
};

struct BadArguments : std::runtime_error {
  using std::runtime_error::runtime_error;
};

std::string id_of(const testing::TestInfo& test) {
  return std::string(test.test_suite_name()) + "." + test.name();
}

std::vector<std::string> all_ids() {
  std::vector<std::string> ids;
  const testing::UnitTest& unit = *testing::UnitTest::GetInstance();
  for (int i = 0; i < unit.total_test_suite_count(); ++i) {
    const testing::TestSuite& suite = *unit.GetTestSuite(i);
    for (int k = 0; k < suite.total_test_count(); ++k) ids.push_back(id_of(*suite.GetTestInfo(k)));
  }
  return ids;
}

/// The checks to run: those asked for, and of them this shard's share.
std::vector<std::string> chosen(const Arguments& arguments) {
  const std::vector<std::string> ids = all_ids();
  std::vector<std::string> wanted = ids;
  if (!arguments.only.empty()) {
    for (const std::string& id : arguments.only) {
      if (std::find(ids.begin(), ids.end(), id) == ids.end()) {
        throw BadArguments("--only " + id + ": there is no such check here; --list names them all");
      }
    }
    std::erase_if(wanted, [&](const std::string& id) {
      return std::find(arguments.only.begin(), arguments.only.end(), id) == arguments.only.end();
    });
  }
  if (arguments.shard.empty()) return wanted;
  std::size_t index = 0;
  std::size_t of = 0;
  char rest = 0;
  if (std::sscanf(arguments.shard.c_str(), "%zu/%zu%c", &index, &of, &rest) != 2 || of == 0 ||
      index == 0 || index > of) {
    throw BadArguments("--shard " + arguments.shard +
                       ": expected I/N with 1 ≤ I ≤ N, for example 1/2");
  }
  std::vector<std::string> share;
  for (std::size_t i = index - 1; i < wanted.size(); i += of) share.push_back(wanted[i]);
  return share;
}

/// Writes a line before and after each test, as soon as it is known: a program that dies shows
/// where.
class Reporter final : public testing::EmptyTestEventListener {
 public:
  Reporter(const std::string& results, std::vector<std::uint64_t> seeds)
      : seeds_(std::move(seeds)) {
    if (results.empty()) return;
    file_.open(results, std::ios::app);
    if (!file_) throw BadArguments("--results " + results + ": it cannot be written");
  }

  bool any_failed() const { return failed_; }
  bool any_trouble() const { return trouble_; }

 private:
  void OnTestIterationStart(const testing::UnitTest& /*all*/, int iteration) override {
    Checks::here().begin_grade(seeds_.at(static_cast<std::size_t>(iteration)));
  }

  void OnTestStart(const testing::TestInfo& test) override {
    Checks::here().begin(id_of(test));
    broken_.clear();
    thrown_ = false;
    begun_ = std::chrono::steady_clock::now();
    line({{"begin", id_of(test)}});
  }

  void OnTestPartResult(const testing::TestPartResult& part) override {
    if (!part.failed()) return;
    const std::string text = part.message();
    if (text.find("C++ exception") != text.npos &&
        text.find("thrown in the test body") != text.npos) {
      thrown_ = true;  // GoogleTest's words for what left the test
    }
    if (broken_.empty()) broken_ = text;
  }

  void OnTestEnd(const testing::TestInfo& test) override {
    Checks& checks = Checks::here();
    if (checks.verdict() == Checks::Verdict::none) judge(test);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begun_;
    std::string outcome = "pass";
    if (checks.verdict() == Checks::Verdict::fail) outcome = "fail";
    if (checks.verdict() == Checks::Verdict::inconclusive) outcome = "inconclusive";
    failed_ = failed_ || outcome == "fail";
    trouble_ = trouble_ || outcome == "inconclusive";
    Json verdict = {{"id", checks.id()},
                    {"seed", checks.options().seed},
                    {"outcome", outcome},
                    {"seconds", seconds.count()},
                    {"message", checks.told()},
                    {"replay", checks.replay_file().empty() ? Json() : Json(checks.replay_file())}};
    if (checks.shortened) {
      verdict["shrunk"] = {{"events", checks.shortened->events},
                           {"original_events", checks.shortened->original_events},
                           {"runs", checks.shortened->runs},
                           {"seconds", checks.shortened->seconds}};
    }
    if (!checks.explored().empty()) {
      verdict["explored"] = {{"text", checks.explored()}, {"all", checks.explored_all()}};
    }
    line(verdict);
    std::printf("%-12s %s (%.2f s)\n%s", outcome.c_str(), checks.id().c_str(), seconds.count(),
                checks.told().empty() ? "" : (checks.told() + "\n").c_str());
    if (!checks.explored().empty()) std::printf("%s\n", checks.explored().c_str());
    std::fflush(stdout);
  }

  /// For tests that ended without a verdict of their own.
  void judge(const testing::TestInfo& test) const {
    Checks& checks = Checks::here();
    if (thrown_) return checks.trouble("the check itself went wrong: " + broken_);
    if (test.result()->Skipped()) return checks.trouble("the check skipped itself");
    if (!broken_.empty()) {
      const StoryEnd end{"", broken_};
      const std::string message = tell(checks.steps().told(end), end);
      Replay replay;
      replay.kind = "unit";
      replay.message = message;
      return checks.fail(message, checks.leave(std::move(replay), {}));
    }
    if (test.result()->Failed()) return checks.trouble("the check failed without a word");
    if (checks.exchanges() == 0) checks.trouble("the check ran nothing of the solution");
  }

  void line(const Json& json) {
    if (file_.is_open()) {
      file_ << json::text(json) << std::endl;
      if (!file_) throw GraderTrouble("the results file cannot be written");
    }
  }

  const std::vector<std::uint64_t> seeds_;
  std::ofstream file_;
  std::string broken_;  ///< The first broken assertion.
  bool thrown_ = false;
  bool failed_ = false;
  bool trouble_ = false;
  std::chrono::steady_clock::time_point begun_;
};

/// 0, or an exit code when there is nothing more to do.
std::optional<int> parse(int argc, char** argv, Arguments& arguments) {
  CLI::App app("Runs the unit and simulated checks of a lab against a solution.");
  std::uint64_t seeds = 0;
  app.add_option("--node", arguments.host.node_binary, "The solution's dynamo-node");
  app.add_option("--only", arguments.only, "A check's id; may be repeated");
  app.add_option("--seed", arguments.seeds,
                 "Seed of the first world of each check; may be repeated: all checks run once for "
                 "each, as in a program of its own")
      ->capture_default_str();
  app.add_option("--seeds", seeds, "At least so many worlds, where a check asks for fewer")
      ->check(CLI::Range(1, 1000000));
  app.add_option("--cpu", arguments.host.cpu, "Pin grader and solution to this core")
      ->check(CLI::Range(0, 4095));
  app.add_option("--shard", arguments.shard, "I/N: the I-th of N shares of the checks");
  app.add_option("--results", arguments.results, "Append one JSON object a line to this file");
  app.add_option("--artifacts", arguments.checks.artifacts,
                 "Leave replays and traces of failures in this folder");
  app.add_option("--submission", arguments.checks.submission,
                 "A file of the student's that is no code: the fault plans of the capstone");
  app.add_option("--scope", arguments.checks.scope,
                 "Widens explorations, as a hidden check does: JSON, {\"crashes\": 2}");
  app.add_option("--replay", arguments.replay, "Run again what this file saved, and tell it");
  app.add_option("--sandbox", arguments.sandbox,
                 "JSON of ./lab's: what the solution is started behind");
  app.add_flag("--original", arguments.checks.original,
               "With --replay: the run that the saved one was shrunk from");
  app.add_flag("!--no-shrink", arguments.checks.shrink,
               "Tell failures as they are met, without looking for shorter ones");
  app.add_flag("--list", arguments.list, "Print the ids of all checks");
  app.add_flag("--linked", arguments.linked,
               "The solution that is linked into this program, for gdb");
  app.add_flag("--portable", arguments.host.portable,
               "Talk to the solution over a socket, not shared memory");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (seeds != 0) arguments.checks.seeds = seeds;
  arguments.checks.solution = arguments.host.node_binary;
  if (arguments.list) {
    for (const std::string& id : all_ids()) std::printf("%s\n", id.c_str());
    return 0;
  }
  if (arguments.linked && linked_host_factory == nullptr) {
    throw BadArguments(
        "--linked: no solution is linked into this program; ./lab debug builds one that has it");
  }
  if (!arguments.linked && arguments.host.node_binary.empty()) {
    throw BadArguments("--node PATH is missing: the dynamo-node of the solution to check");
  }
  if (!arguments.linked && !std::filesystem::exists(arguments.host.node_binary)) {
    throw BadArguments("--node " + arguments.host.node_binary + ": there is no such file");
  }
  if (!arguments.sandbox.empty()) set_launcher(read_launcher(arguments.sandbox));
  if (!arguments.checks.scope.empty()) {
    Scope any;
    widen(any, arguments.checks.scope);
  }
  if (!arguments.replay.empty()) {
    arguments.checks.replay = read_replay(arguments.replay);
    arguments.checks.scope = arguments.checks.replay->scope;
    arguments.only = {arguments.checks.replay->check};
  }
  return std::nullopt;
}

int run(int argc, char** argv) {
  Arguments arguments;
  if (const std::optional<int> done = parse(argc, argv, arguments)) return *done;
  const std::vector<std::string> ids = chosen(arguments);
  std::string filter;
  for (const std::string& id : ids) filter += (filter.empty() ? "" : ":") + id;
  GTEST_FLAG_SET(filter, filter.empty() ? "-*" : filter);
  GTEST_FLAG_SET(catch_exceptions, true);
  GTEST_FLAG_SET(repeat, static_cast<int>(arguments.seeds.size()));

  Checks checks(arguments.checks, [&](bool perturb) -> std::unique_ptr<Host> {
    if (arguments.linked) return linked_host_factory();
    ProcessOptions options = arguments.host;
    options.perturb = perturb;
    return start_process_host(options);
  });
  testing::TestEventListeners& listeners = testing::UnitTest::GetInstance()->listeners();
  delete listeners.Release(listeners.default_result_printer());
  auto* reporter = new Reporter(arguments.results, arguments.seeds);
  listeners.Append(reporter);  // GoogleTest owns it
  if (RUN_ALL_TESTS() < 0) return 2;
  if (reporter->any_trouble()) return 2;
  return reporter->any_failed() ? 1 : 0;
}

}  // namespace

int check_program(int argc, char** argv) {
  int gtest_argc = 1;
  testing::InitGoogleTest(&gtest_argc, argv);
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "error: " << error.what() << std::endl;
    return 2;
  }
}

}  // namespace dynamo::sim
