// What stands once, for everyone: the settings of a cluster, as they stand in its config file.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/fields.h"
#include "core/ids.h"
#include "core/time.h"

namespace dynamo {

/// The same for all nodes of a cluster. In JSON a Duration `x` is the number `x_ms`.
struct NodeConfig {
  std::uint32_t q = 1024;                             ///< Virtual nodes; fixed for a cluster's life.
  std::uint32_t n = 3;                                ///< Replicas of each key.
  Duration gossip_period = std::chrono::seconds(1);   ///< Lecture: "every second".
  Duration call_timeout = std::chrono::milliseconds(300);  ///< Longest wait for a peer's answer.
  std::vector<NodeId> seeds;                          ///< Asked by a node with an empty disk.
  std::vector<std::string> modules = {"membership", "ring"};  ///< The modules at work.
  FIELDS(q, n, gossip_period, call_timeout, seeds, modules)
};

}  // namespace dynamo
