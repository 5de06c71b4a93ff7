// Our own random numbers: the standard distributions differ between libraries, and a seed must mean
// the same everywhere.
#pragma once

#include <cstdint>

namespace dynamo {

/// One step of SplitMix64 (Steele, Lea, Flood 2014): mixes 64 bits well. Also a keyed draw:
/// mix(seed ^ key).
constexpr std::uint64_t mix(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

/// A stream of draws that its seed decides.
class Random {
 public:
  explicit Random(std::uint64_t seed = 0) : state_(seed) {}

  std::uint64_t next() {
    const std::uint64_t value = mix(state_);
    state_ += 0x9e3779b97f4a7c15ULL;
    return value;
  }

  /// Uniform in [0, bound), for bound ≥ 1 (Lemire 2019, with the rejection that makes it exact).
  std::uint64_t below(std::uint64_t bound) {
    __extension__ using Wide = unsigned __int128;
    const std::uint64_t threshold = (0 - bound) % bound;
    while (true) {
      const Wide product = static_cast<Wide>(next()) * bound;
      if (static_cast<std::uint64_t>(product) >= threshold) {
        return static_cast<std::uint64_t>(product >> 64);
      }
    }
  }

  /// True `per_million` times in a million.
  bool chance(std::uint64_t per_million) { return below(1'000'000) < per_million; }

 private:
  std::uint64_t state_;
};

}  // namespace dynamo
