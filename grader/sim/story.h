// A failure told in words, for somebody who has never seen a distributed system.
#pragma once

#include <string>
#include <vector>

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

/// A message in words: long lists are cut (histories at the front), digests shortened,
/// events told as "n4 joins (7@n1)", places of an active list as "n2 for n5".
/// `text` is JSON; what is none comes back as it is, cut at `most` characters.
std::string in_words(const std::string& text, std::size_t most = 160);

/// A JSON list as the arguments of a call: "(n2, [n1, n3])".
std::string arguments_in_words(const std::string& text, std::size_t most = 160);

/// What a unit check did: the first steps, and the last, after `before` others.
struct UnitStory {
  std::vector<std::string> first;  ///< How it began, if that is told.
  std::size_t before = 0;
  std::vector<std::string> steps;  ///< Each of one line or two.
};

/// Numbered lines for the unit checks (at most about 25).
std::string tell(const UnitStory& story, const StoryEnd& end);

}  // namespace dynamo::sim
