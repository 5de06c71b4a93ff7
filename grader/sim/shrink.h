// From a run that fails to a short one that fails in the same way: delta debugging over what the
// run could leave out (sim/schedule.h). It knows nothing of worlds: whoever calls it runs the
// candidates, and says which of them fail as the original did.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "sim/schedule.h"

namespace dynamo::sim {

/// What came of one candidate.
struct Trial {
  bool same = false;            ///< It fails as the original does.
  std::uint64_t handlers = 0;   ///< What it cost.
  std::size_t events = 0;       ///< sim/events.h; only if it was asked for.
  std::vector<Choice> choices;  ///< What it did and could have left out.
  Schedule left_out;            ///< Its schedule.
};

/// Runs candidates, perhaps side by side, each for at most `most_handlers`. `events`: whether to
/// count them, which costs more. In the order of `schedules`; fewer, or none: give up.
using Trials = std::function<std::vector<Trial>(const std::vector<Schedule>& schedules,
                                                std::uint64_t most_handlers, bool events)>;

/// Bounds that do not depend on how fast the machine is, so that a run shrinks to the same run
/// anywhere.
struct ShrinkLimits {
  std::size_t side_by_side = 24;
  std::uint64_t handlers = 400'000;  ///< Of all candidates together: about a second.
  std::size_t runs = 600;
};

struct Shrunk {
  Trial best;  ///< The original, if nothing could be left out.
  std::size_t runs = 0;
  std::uint64_t handlers = 0;
  bool to_the_end = false;  ///< No single choice is left that could be left out. Else: the limits.
};

/// `original`: the run without a schedule; its choices are listed, its events counted. Leaves out
/// parts, actions and faults of chance, then delays, then deliveries: of these only as many as make
/// the run shorter.
Shrunk shrink(const Trial& original, const Trials& trials, const ShrinkLimits& limits = {});

}  // namespace dynamo::sim
