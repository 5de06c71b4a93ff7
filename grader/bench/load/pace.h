// When requests are meant to begin.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

namespace dynamo::load {

using Clock = std::chrono::steady_clock;

/// An open loop: so many requests a second come in, however slow the answers are, as from many
/// people who do not know of each other. A latency counts from when a request was meant to begin:
/// else a server that stands still would be asked, and blamed, less often ("coordinated omission").
class Pace {
 public:
  /// `total` requests, the first at `begin`.
  Pace(Clock::time_point begin, double per_second, std::uint64_t total)
      : begin_(begin), per_second_(per_second), total_(total) {}

  /// When the next one is meant to begin; nothing after the last.
  std::optional<Clock::time_point> next() const {
    if (started_ == total_) return std::nullopt;
    const std::chrono::duration<double> after(static_cast<double>(started_) / per_second_);
    return begin_ + std::chrono::duration_cast<Clock::duration>(after);
  }

  /// Takes the next one if it is due: when it was meant to begin.
  std::optional<Clock::time_point> take(Clock::time_point now) {
    const auto at = next();
    if (!at || *at > now) return std::nullopt;
    ++started_;
    return at;
  }

 private:
  Clock::time_point begin_;
  double per_second_;
  std::uint64_t total_;
  std::uint64_t started_ = 0;
};

}  // namespace dynamo::load
