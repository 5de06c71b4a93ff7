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
  std::vector<std::string> modules = {"membership", "ring",   "transfer",
                                      "versioning", "quorum", "sync"};
  std::uint64_t disk_limit_bytes = 1u << 30;
  std::uint64_t peer_queue_bytes = 8u << 20;
  Duration http_timeout = std::chrono::seconds(10);
  std::string cluster_secret;
  Duration request_deadline = std::chrono::seconds(3);
  Duration request_memory = std::chrono::minutes(10);
  Duration retry_period = std::chrono::milliseconds(500);
  std::uint64_t batch_bytes = 256u << 10;
  std::string reconciliation = "siblings";
  std::uint64_t max_value_bytes = 1u << 20;
  std::uint64_t max_state_bytes = 4u << 20;
  std::uint32_t max_siblings = 64;
  std::uint32_t r = 0;
  std::uint32_t w = 0;
  std::string mode = "sloppy";
  Duration sync_period = std::chrono::seconds(1);
  std::uint64_t sync_bytes_per_second = 1u << 20;
  FIELDS(q, n, gossip_period, call_timeout, seeds, modules, disk_limit_bytes, peer_queue_bytes,
         http_timeout, cluster_secret, request_deadline, request_memory, retry_period, batch_bytes,
         reconciliation, max_value_bytes, max_state_bytes, max_siblings, r, w, mode, sync_period,
         sync_bytes_per_second)
};

}  // namespace dynamo
