#include "load/samples.h"

#include <sys/resource.h>

#include <algorithm>

#include "core/json.h"

namespace dynamo::load {

namespace {

/// What this process has used of the cores: the servers do not get it.
double cpu_seconds() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

}  // namespace

std::uint64_t percentile(const std::vector<std::uint64_t>& sorted, std::uint64_t per_mille) {
  if (sorted.empty()) return 0;
  const std::size_t rank = (sorted.size() * per_mille + 999) / 1000;
  return sorted.at(std::max<std::size_t>(rank, 1) - 1);
}

void Samples::fail(const std::string& why) {
  if (failed_++ == 0) first_error_ = why;
}

void Samples::clear() { *this = {}; }

std::string Samples::json(double seconds) const {
  std::vector<std::uint64_t> sorted = ns_;
  std::sort(sorted.begin(), sorted.end());
  const auto us = [&](std::uint64_t per_mille) {
    return static_cast<double>(percentile(sorted, per_mille)) / 1e3;
  };
  const Json document = {{"done", done()},
                         {"failed", failed_},
                         {"first_error", first_error_},
                         {"seconds", seconds},
                         {"per_second", seconds > 0 ? static_cast<double>(done()) / seconds : 0.0},
                         {"p50_us", us(500)},
                         {"p99_us", us(990)},
                         {"p99_9_us", us(999)},
                         {"max_us", us(1000)},
                         {"own_cpu_seconds", cpu_seconds()}};
  return document.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace dynamo::load
