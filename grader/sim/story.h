// A failure told in words, for somebody who has never seen a distributed system.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "sim/message_words.h"
#include "sim/plan.h"
#include "sim/trace.h"

namespace dynamo::sim {

struct StoryEnd {
  std::string expected;  ///< May be empty: then only `actual` is said.
  std::string actual;
};

/// How a story ends whose solution died. What is not written yet is no broken expectation.
StoryEnd end_of_death(const std::string& death);

/// Numbered steps up to the violation (at most about 25 lines; what changed nothing is counted and
/// left out), then what was expected and what is.
std::string tell(const std::vector<Step>& steps, const StoryEnd& end);

/// "seed 17, 5 nodes, gossip every 1000 ms, …": all that it takes to have the same run again.
std::string knobs(const Plan& plan);

/// What a unit check did: the first steps, and the last, after `before` others.
struct UnitStory {
  std::vector<std::string> first;  ///< How it began, if that is told.
  std::size_t before = 0;
  std::vector<std::string> steps;     ///< Each of one line or two.
  std::set<std::size_t> of_key = {};  ///< Those of `steps` that name a key that the end is about.
};

/// The keys that a story's end names, of those that `data` (messages as JSON) is about.
KeySet keys_named(const std::vector<std::string>& data, const StoryEnd& end);

/// Whether `data`, JSON, names one of them.
bool names_key(const std::string& data, const KeySet& keys);

/// Numbered lines for the unit checks (at most about 25).
std::string tell(const UnitStory& story, const StoryEnd& end);

}  // namespace dynamo::sim
