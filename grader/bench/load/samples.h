// What a run of the load generator measured.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace dynamo::load {

/// The smallest sample that at least `per_mille` of 1,000 samples do not exceed (nearest rank).
/// `sorted` ascends; 0 if there is none.
std::uint64_t percentile(const std::vector<std::uint64_t>& sorted, std::uint64_t per_mille);

/// All latencies are kept, none is rounded into a bucket.
class Samples {
 public:
  using Duration = std::chrono::nanoseconds;

  void add(Duration latency) { ns_.push_back(static_cast<std::uint64_t>(latency.count())); }
  void fail(const std::string& why);
  void clear();

  std::size_t done() const { return ns_.size(); }
  std::size_t failed() const { return failed_; }

  /// {"done", "failed", "first_error", "seconds", "per_second", "p50_us", "p99_us", "p99_9_us",
  /// "max_us"} for what came in during `seconds`.
  std::string json(double seconds) const;

 private:
  std::vector<std::uint64_t> ns_;
  std::size_t failed_ = 0;
  std::string first_error_;
};

}  // namespace dynamo::load
