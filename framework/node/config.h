// What stands once, for everyone: the settings of a cluster, as they stand in its config file.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/fields.h"
#include "core/ids.h"
#include "core/time.h"

namespace dynamo {

/// The same for all nodes of a cluster. In JSON a Duration `x` is the number `x_ms`. Each field is
/// explained in node/config_file.cpp, from which docs/config.md and the JSON Schema are printed.
struct NodeConfig {
  std::uint32_t q = 1024;
  std::uint32_t n = 3;
  Duration gossip_period = std::chrono::seconds(1);
  Duration call_timeout = std::chrono::milliseconds(300);
  std::vector<NodeId> seeds;
  std::vector<std::string> modules = {"membership", "ring"};
  std::uint64_t disk_limit_bytes = 1u << 30;
  std::uint64_t peer_queue_bytes = 8u << 20;
  Duration http_timeout = std::chrono::seconds(10);
  std::string cluster_secret;
  FIELDS(q, n, gossip_period, call_timeout, seeds, modules, disk_limit_bytes, peer_queue_bytes,
         http_timeout, cluster_secret)
};

}  // namespace dynamo
