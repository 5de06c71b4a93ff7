// One run of the load generator: connections that ask a system, and what came of it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "load/dialect.h"
#include "load/pace.h"
#include "load/samples.h"

namespace dynamo::load {

struct Options {
  std::string system;
  std::vector<std::string> targets;  ///< "127.0.0.1:8001"; connections take turns among them.
  Workload workload;
  std::size_t connections = 1;
  std::string prefix;      ///< Of all keys.
  std::uint64_t keys = 0;  ///< Gets draw among so many; puts take them one after the other.
  std::uint64_t seed = 1;
  std::chrono::milliseconds warm_up{0};
  std::chrono::milliseconds measured{0};  ///< 0: until each key was put once.
  double per_second = 0;                  ///< Open loop; 0: closed, each connection asks again.
  std::chrono::milliseconds deadline{0};  ///< Of the whole run.
};

/// In a closed loop what is answered within the measured time counts. In an open loop what was
/// meant to begin in it does, and the run goes on until all of that is answered. Throws
/// std::runtime_error if a connection breaks or the deadline comes first.
std::string run(const Options& options);

}  // namespace dynamo::load
