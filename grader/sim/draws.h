// Keyed draws: each random decision of a world is a pure function of the seed and of what is
// decided. So taking one event out of a run leaves all decisions about other events as they were.
#pragma once

#include <cstdint>

#include "core/random.h"
#include "core/time.h"

namespace dynamo::sim {

/// What is drawn; part of the key. Append, never renumber: saved replays depend on it.
enum class Draw : std::uint64_t {
  loss = 1,
  exchange_loss,
  duplicate,
  delay,
  second_delay,
  corrupt,
  second_corrupt,
  refusal_delay,
  handler,        ///< Seed of what a handler draws.
  check_handler,  ///< The same, of a method that a check or the console runs.
  incarnation,
  outputs_left,  ///< How many outputs of its last handler had left when a node died.
  start_offset,
};

/// A key, built up part by part.
class Key {
 public:
  Key(std::uint64_t seed, Draw what)
      : state_(mix(seed ^ (static_cast<std::uint64_t>(what) << 56))) {}
  Key with(std::uint64_t part) const {
    Key next = *this;
    next.state_ = mix(state_ ^ part);
    return next;
  }

  std::uint64_t value() const { return state_; }
  /// Uniform in [0, bound); bound ≥ 1.
  std::uint64_t below(std::uint64_t bound) const { return Random(state_).below(bound); }
  bool chance(std::uint32_t ppm) const { return ppm != 0 && below(1'000'000) < ppm; }
  /// Uniform in [least, most]; `least` if the two are the wrong way round.
  Duration between(Duration least, Duration most) const {
    if (most <= least) return least;
    return least + Duration(below(static_cast<std::uint64_t>((most - least).count()) + 1));
  }

 private:
  std::uint64_t state_;
};

}  // namespace dynamo::sim
