// A failing run, and the short one that is told in its place.
#pragma once

#include "sim/runs.h"

namespace dynamo::sim {

/// Runs this long are told as they are.
inline constexpr std::size_t kShortEnough = 20;

/// A recorded run that fails, and how long it was before.
struct Shortened {
  Outcome outcome;
  Schedule schedule;       ///< Empty: it is the original.
  std::size_t events = 0;  ///< As sim/events.h counts them.
  std::size_t original_events = 0;
  std::size_t runs = 0;  ///< Candidates that were tried.
  double seconds = 0;    ///< All of it. For the bench: it decides nothing.
};

/// Looks for a short run of `plan` that fails as `original` does: another violation of the same
/// sentence, or a death of the same kind. `original` was run alone and recorded.
Shortened shorten(const Plan& plan, const Scenario& scenario, const Outcome& original);

/// The same property broken: sentences may differ in numbers and in lists of names.
bool same_failure(const Outcome& one, const Outcome& other);

}  // namespace dynamo::sim
