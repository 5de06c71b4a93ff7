// Counters, gauges and histograms in Prometheus' text format.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <string>
#include <string_view>

namespace dynamo::net {

struct Label {
  std::string_view name;
  std::string_view value;  ///< Any bytes; escaped on the way out. Few different ones: each is kept.
};
using Labels = std::initializer_list<Label>;

/// The families, their types and what they tell stand in metrics.cpp, in one list; another name is
/// a std::logic_error. One thread.
class Metrics {
 public:
  /// Adds to a counter: count("dynamo_frames_total", {{"direction", "in"}}).
  void count(std::string_view name, Labels labels = {}, std::uint64_t n = 1) {
    counter(name, labels) += n;
  }

  /// The counter itself, which stays where it is: for what is counted often. Shown from now on.
  std::uint64_t& counter(std::string_view name, Labels labels = {});

  /// Sets a gauge.
  void gauge(std::string_view name, std::uint64_t value);

  /// Adds a duration to a histogram.
  void observe_seconds(std::string_view name, double seconds);

  /// A counter's value; 0 if it was never counted.
  std::uint64_t value(std::string_view name, Labels labels = {}) const;

  /// Text exposition format 0.0.4, families and series in alphabetical order.
  std::string text() const;

 private:
  /// Upper bounds of a histogram's buckets, as they are printed, from a fast disk to a bad one.
  static constexpr std::array<std::string_view, 10> kBounds = {
      "0.0001", "0.0003", "0.001", "0.003", "0.01", "0.03", "0.1", "0.3", "1", "3"};

  struct Histogram {
    std::array<std::uint64_t, kBounds.size()> at_most{};  ///< Cumulative, as Prometheus wants it.
    std::uint64_t count = 0;
    double sum = 0;
  };
  struct Family {
    std::map<std::string, std::uint64_t, std::less<>> series;  ///< By labels, as they are printed.
    Histogram histogram;
  };

  Family& family(std::string_view name, std::string_view type);

  std::map<std::string, Family, std::less<>> families_;
};

}  // namespace dynamo::net
