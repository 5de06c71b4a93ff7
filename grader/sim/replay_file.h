// What a failure leaves behind, so that `--replay` can have it once more.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "sim/explore_choice.h"
#include "sim/plan.h"
#include "sim/schedule.h"
#include "sim/trace.h"

namespace dynamo::sim {

/// The saved run of one check: the check, run again on this plan, does the same step by step, as
/// long as solution and grader are the same.
struct Replay {
  static constexpr std::uint32_t kFormat = 2;  ///< 1 had no schedule; it is read, too.
  std::uint32_t format = kFormat;
  std::string check;         ///< "membership.older_join_never_resurrects"
  std::string kind = "sim";  ///< "sim", "explore", or "unit": then there is neither seed nor plan.
  std::uint32_t run = 0;     ///< Which for_each_seed of the test, from 0.
  std::uint64_t seed = 0;
  std::string trace_hash;        ///< Of the whole run, as hex.
  std::string message;           ///< What the check said.
  std::string solution;          ///< The program that was checked.
  std::string solution_hash;     ///< XXH3 of its bytes.
  std::string grader;            ///< Compiler and library that the checks were built with.
  Plan plan;                     ///< What the world began with.
  Schedule schedule;             ///< What the run leaves out of what plan and seed would have.
  std::vector<Action> executed;  ///< All that was done, the check's own actions too: to be read.
  std::uint64_t events = 0;      ///< As sim/events.h counts them; 0: not counted.
  std::uint64_t original_events = 0;  ///< Without the schedule, if there is one; so is the next.
  std::string original_trace_hash;
  std::vector<Pick> choices;  ///< Of kind "explore": the schedule that was found,
  std::string scope;          ///< and by what the check's scope was widened; empty: by nothing.
  FIELDS(format, check, kind, run, seed, trace_hash, message, solution, solution_hash, grader, plan,
         schedule, executed, events, original_events, original_trace_hash, choices, scope)
};

/// Throws JsonError, naming file, field and cure.
Replay read_replay(const std::filesystem::path& file);

/// Throws GraderTrouble if it cannot be written.
void write_replay(const std::filesystem::path& file, const Replay& replay);
/// A step a line (to_jsonl), each with "moment" and "words" as a story has them, and with "quiet"
/// if it brought nothing new; then `afterwards`, as it is: rings, places.
void write_trace(const std::filesystem::path& file, const std::vector<Step>& steps,
                 const std::vector<Step>& afterwards = {});

/// "1f2e…": XXH3 of a file's bytes; empty if it cannot be read.
std::string hash_of_file(const std::filesystem::path& file);
std::string hex_of(std::uint64_t value);
std::string grader_version();

}  // namespace dynamo::sim
