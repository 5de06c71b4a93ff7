// The program of checks from outside: arguments, results, exit codes.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>

#include "core/json.h"

namespace dynamo::sim {
namespace {

class SimProgram : public testing::Test {
 public:
  ~SimProgram() override {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

 protected:
  struct Ended {
    int code = -1;
    std::string out;
  };

  SimProgram() { std::filesystem::create_directories(folder_); }

  static std::string content_of(const std::filesystem::path& file) {
    std::ostringstream content;
    content << std::ifstream(file).rdbuf();
    return content.str();
  }

  Ended run(const std::string& arguments) const {
    const std::string out = folder_ / "out";
    const std::string command =
        std::string(SAMPLE_CHECKS) + " " + arguments + " > " + out + " 2>&1";
    const int status = std::system(command.c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, content_of(out)};
  }
  Ended check(const std::string& arguments) const {
    return run(std::string("--node ") + REFERENCE_NODE + " " + arguments);
  }

  /// The results file's objects, by id; what began, in order, in `begun`.
  std::map<std::string, Json> results(std::string* begun = nullptr) const {
    std::map<std::string, Json> all;
    std::istringstream lines(content_of(folder_ / "results"));
    for (std::string line; std::getline(lines, line);) {
      const Json json = json::parse_or_throw(line);
      if (json.contains("begin")) {
        if (begun != nullptr) *begun += json["begin"].get<std::string>() + " ";
      } else {
        all[json["id"]] = json;
      }
    }
    return all;
  }

  const std::filesystem::path folder_ =
      testing::TempDir() + "sim_program_" + std::to_string(getpid());
};

TEST_F(SimProgram, lists_its_checks) {
  const Ended ended = run("--list");
  EXPECT_EQ(ended.code, 0);
  EXPECT_EQ(ended.out.rfind("sample.passes\n", 0), 0u) << ended.out;
}

TEST_F(SimProgram, writes_what_became_of_each_check) {
  const Ended ended = check("--results " + (folder_ / "results").string() + " --artifacts " +
                            (folder_ / "artifacts").string());
  EXPECT_EQ(ended.code, 2) << "something was inconclusive";
  std::string begun;
  const auto all = results(&begun);
  ASSERT_EQ(all.size(), 9u) << ended.out;
  EXPECT_EQ(begun.rfind("sample.passes sample.fails_in_a_world ", 0), 0u) << begun;
  const auto outcome = [&](const std::string& name) { return all.at("sample." + name)["outcome"]; };
  EXPECT_EQ(outcome("passes"), "pass") << ended.out;
  EXPECT_TRUE(all.at("sample.passes")["replay"].is_null());
  EXPECT_EQ(outcome("fails_in_a_world"), "fail");
  EXPECT_EQ(outcome("fails_in_a_lone_node"), "fail");
  EXPECT_EQ(outcome("runs_nothing"), "inconclusive");
  EXPECT_EQ(outcome("goes_wrong_itself"), "inconclusive");
  EXPECT_EQ(outcome("skips_itself"), "inconclusive");
  EXPECT_GE(all.at("sample.passes")["seconds"].get<double>(), 0);
  const std::string unit = all.at("sample.fails_in_a_lone_node")["message"];
  EXPECT_NE(unit.find("history() → "), std::string::npos) << unit;
  EXPECT_TRUE(
      std::filesystem::exists(all.at("sample.fails_in_a_world")["replay"].get<std::string>()));
}

TEST_F(SimProgram, replays_what_failed) {
  const std::string artifacts = (folder_ / "artifacts").string();
  const Ended first = check("--only sample.fails_in_a_world --artifacts " + artifacts);
  EXPECT_EQ(first.code, 1) << first.out;
  const std::string file = artifacts + "/sample.fails_in_a_world.replay.json";
  for (const char* more : {"", " --portable"}) {
    const Ended again = check("--replay " + file + more);
    EXPECT_EQ(again.code, 1) << again.out;
    EXPECT_NE(again.out.find("the same run, step by step"), std::string::npos) << again.out;
    EXPECT_NE(again.out.find("expected: no four"), std::string::npos) << again.out;
  }
}

TEST_F(SimProgram, says_how_far_an_exploration_got) {
  const std::string file = (folder_ / "results").string();
  const Ended ended = check("--only explored.comes_to_the_end --only explored.ends_at_its_bound " +
                            ("--results " + file));
  EXPECT_EQ(ended.code, 0) << ended.out;
  auto all = results();
  EXPECT_EQ(all.at("explored.comes_to_the_end")["explored"]["all"], true);
  EXPECT_EQ(all.at("explored.ends_at_its_bound")["explored"]["all"], false);
  const std::string text = all.at("explored.ends_at_its_bound")["explored"]["text"];
  EXPECT_NE(text.find("bounded: 100 states"), std::string::npos) << text;
  EXPECT_NE(text.find("10 random schedules"), std::string::npos) << text;
  const Ended again = check("--only explored.comes_to_the_end");
  EXPECT_NE(again.out.find(all.at("explored.comes_to_the_end")["explored"]["text"]), again.out.npos)
      << "twice the same number of states: " << again.out;
}

TEST_F(SimProgram, an_exploration_finds_a_shortest_way_and_replays_it) {
  const std::string artifacts = (folder_ / "artifacts").string();
  const Ended first = check("--only explored.finds_a_shortest_way --artifacts " + artifacts);
  EXPECT_EQ(first.code, 1) << first.out;
  const std::string file = artifacts + "/explored.finds_a_shortest_way.replay.json";
  const Json replay = json::parse(content_of(file));
  EXPECT_EQ(replay["kind"], "explore");
  // Both start, n1 is told, n2's timer fires: it asks, n1 answers, n2 takes the answer.
  EXPECT_EQ(replay["choices"].size(), 6u) << json::text(replay["choices"], 1);
  const Ended again = check("--replay " + file);
  EXPECT_EQ(again.code, 1) << again.out;
  EXPECT_NE(again.out.find("the same run, step by step"), std::string::npos) << again.out;
  EXPECT_NE(again.out.find("expected: n2 never hears of n3"), std::string::npos) << again.out;
}

TEST_F(SimProgram, chooses_checks_seeds_and_shares) {
  EXPECT_EQ(check("--only sample.passes --seeds 2 --seed 9").code, 0);
  EXPECT_EQ(check("--only sample.fails_in_a_world --seed 5").code, 0) << "seeds 5 to 12";
  EXPECT_EQ(check("--only sample.fails_in_a_world --seeds 1").code, 1) << "never fewer than 8";
  const std::string results_file = (folder_ / "results").string();
  EXPECT_EQ(check("--shard 1/9 --results " + results_file).code, 0);
  EXPECT_EQ(results().size(), 1u);
  EXPECT_EQ(check("--shard 2/9 --results " + results_file).code, 1);
  EXPECT_EQ(results().size(), 2u) << "results are appended";
}

TEST_F(SimProgram, wrong_arguments_are_named) {
  const auto expect_trouble = [](const Ended& ended, const std::string& words) {
    EXPECT_EQ(ended.code, 2);
    EXPECT_NE(ended.out.find(words), std::string::npos) << ended.out;
  };
  expect_trouble(run(""), "--node PATH is missing");
  expect_trouble(run("--node /no/such/file"), "there is no such file");
  expect_trouble(run("--linked"), "no solution is linked");
  expect_trouble(run("--nod x"), "--nod");
  expect_trouble(check("--only sample.pases"), "there is no such check");
  expect_trouble(check("--shard 10/9"), "expected I/N");
  expect_trouble(check("--seeds 0"), "--seeds");
  expect_trouble(check("--replay /no/such/file"), "cannot be read");
  expect_trouble(check("--results /no/such/folder/x"), "cannot be written");
}

}  // namespace
}  // namespace dynamo::sim
