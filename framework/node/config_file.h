// The config file and the peers file: read, checked, and explained.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <stdexcept>
#include <string>

#include "core/ids.h"
#include "node/config.h"

namespace dynamo {

/// Something in a file or on the command line is wrong; what() names file, field and cure.
class ConfigError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// "127.0.0.1:7001" or "[::1]:7001"; a name is looked up by nobody: addresses are numbers.
struct Address {
  std::string host;
  std::uint16_t port = 0;  ///< 0: any free one; only for the node itself.
  std::string text() const;
  auto operator<=>(const Address&) const = default;
};

struct PeerAddresses {
  Address peer;  ///< Where other nodes connect to.
  Address http;  ///< Where clients and the operator connect to.
};

/// Every name that may ever join, with its addresses.
using Peers = std::map<NodeId, PeerAddresses>;

/// Absent fields have their defaults. Throws ConfigError.
NodeConfig load_config(const std::filesystem::path& file);

/// {"nodes": {"n1": {"peer": "127.0.0.1:7001", "http": "127.0.0.1:8001"}, …}}. Throws ConfigError.
Peers load_peers(const std::filesystem::path& file);

/// Throws ConfigError unless the values make sense together; `where` begins the message.
void check_config(const NodeConfig& config, const std::string& where);

/// Throws ConfigError unless `id` is 1 to 32 of a-z, 0-9, - and begins with a letter.
void check_node_id(const NodeId& id, const std::string& where);

/// docs/config.md: each field with its default and what it means.
std::string config_table();

/// JSON Schema (draft 7) of the config file.
std::string config_schema();

}  // namespace dynamo
