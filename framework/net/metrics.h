// Counters and gauges in Prometheus' text format.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace dynamo::net {

/// A family of series is declared by its first use. One thread.
class Metrics {
 public:
  /// Adds to a counter: count("dynamo_frames_total", "direction=\"in\"").
  void count(std::string_view name, std::string_view labels = {}, std::uint64_t n = 1);

  /// Sets a gauge.
  void gauge(std::string_view name, std::uint64_t value);

  /// A counter's value; 0 if it was never counted.
  std::uint64_t value(std::string_view name, std::string_view labels = {}) const;

  /// Text exposition format 0.0.4, families and series in alphabetical order.
  std::string text() const;

 private:
  struct Family {
    bool is_gauge = false;
    std::map<std::string, std::uint64_t, std::less<>> series;  ///< By labels.
  };
  std::map<std::string, Family, std::less<>> families_;
};

}  // namespace dynamo::net
