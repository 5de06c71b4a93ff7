// Time as a module sees it: given by Env, never read from a clock of its own.
#pragma once

#include <chrono>
#include <cstdint>

namespace dynamo {

/// Microseconds everywhere inside; JSON and command lines say `_ms`.
using Duration = std::chrono::microseconds;

/// Marks the time line that Instants lie on. It has no now() on purpose: ask Env.
struct NodeClock {
  using duration = Duration;
  using rep = Duration::rep;
  using period = Duration::period;
  using time_point = std::chrono::time_point<NodeClock, Duration>;
  static constexpr bool is_steady = true;
};

/// A moment. In the simulator the world begins at 0.
using Instant = NodeClock::time_point;

}  // namespace dynamo
