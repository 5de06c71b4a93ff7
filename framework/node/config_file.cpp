#include "node/config_file.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <fstream>
#include <functional>
#include <iterator>
#include <set>
#include <sstream>
#include <string_view>

#include "core/json.h"

namespace dynamo {

namespace {

struct Meaning {
  std::string_view field;
  std::string_view text;
};

// One line for each field of NodeConfig; a test compares the two lists.
constexpr std::array kMeanings = {
    Meaning{"q", "Virtual nodes: equal arcs of the ring. Fixed for the life of a cluster."},
    Meaning{"n", "Replicas of each key."},
    Meaning{"gossip_period_ms", "One round: every node starts one exchange each period."},
    Meaning{"call_timeout_ms", "Longest wait for a peer's answer."},
    Meaning{"seeds", "Nodes that one with an empty disk asks first."},
    Meaning{
        "modules",
        "Modules at work: membership, ring, transfer, versioning, quorum, sync; or warmup. With "
        "replication in the place of quorum, lab 3's lazy coordinator is at work. Without "
        "transfer nothing is handed over, without versioning the last write wins."},
    Meaning{"disk_limit_bytes",
            "How much a node's store may hold. Beyond it the node refuses to add data."},
    Meaning{"peer_queue_bytes",
            "Bytes that may wait to be sent to one peer. Beyond it a call is refused."},
    Meaning{"http_timeout_ms",
            "Longest wait for a client to send its request or to take its answer."},
    Meaning{"cluster_secret",
            "Nodes with different secrets do not talk to each other. Also seals contexts: who "
            "does not know it cannot make one up."},
    Meaning{"request_deadline_ms",
            "A client's get or put is answered by then, one way or another."},
    Meaning{"request_memory_ms",
            "How long a request id is remembered, at least; a restart begins it anew."},
    Meaning{"retry_period_ms", "How often a node tries again what a peer has not confirmed."},
    Meaning{"batch_bytes", "About how much one message of a transfer carries."},
    Meaning{"reconciliation",
            "siblings: concurrent versions are kept for the client; last_write_wins: one is."},
    Meaning{"max_value_bytes", "Largest value of a put; also the longest body over HTTP."},
    Meaning{"max_state_bytes", "All versions of one key. A put that reconciles always passes."},
    Meaning{"max_siblings", "Versions of one key. A put that reconciles always passes."},
    Meaning{"r",
            "Hosts that must answer a get that does not say r=…: up to n; 0: a majority of n."},
    Meaning{"w", "Hosts that must hold a put that does not say w=…: up to n; 0: a majority of n."},
    Meaning{"mode",
            "strict: only hosts of the preference list count; sloppy: the first n healthy hosts."},
    Meaning{"sync_period_ms", "A new exchange of Merkle trees begins each period."},
    Meaning{"sync_bytes_per_second",
            "How much one node's exchanges of trees may send and be sent, on average."},
};

constexpr std::array<std::string_view, 8> kModules = {
    "membership", "ring", "replication", "transfer", "versioning", "quorum", "sync", "warmup"};

// What one node takes; LocalStore merges up to kMaxMergedStateBytes. A batch and one such state
// more fit into a frame.
constexpr std::uint64_t kLargestState = 4u << 20;
constexpr std::uint64_t kLargestBatch = 3u << 20;

Json read_json(const std::filesystem::path& file) {
  std::ifstream in(file);
  // A folder can be opened, but has nothing to read.
  if (!in || std::filesystem::is_directory(file)) {
    throw ConfigError(file.string() + ": cannot be read; is it the path of a file?");
  }
  std::stringstream content;
  content << in.rdbuf();
  try {
    return json::parse_or_throw(content.str());
  } catch (const JsonError& error) {
    throw ConfigError(file.string() + ": is not JSON: " + error.what());
  }
}

bool is_ip_address(const std::string& host) {
  std::array<unsigned char, sizeof(in6_addr)> ignored;
  return inet_pton(AF_INET, host.c_str(), ignored.data()) == 1 ||
         inet_pton(AF_INET6, host.c_str(), ignored.data()) == 1;
}

Address parse_address(const Json& value, const std::string& where) {
  const auto fail = [&] {
    throw ConfigError(where + ": expected an address such as \"127.0.0.1:7001\", found " +
                      json::excerpt(value));
  };
  if (!value.is_string()) fail();
  const std::string text = value.get<std::string>();
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos || colon == 0) fail();
  Address address;
  address.host = text.substr(0, colon);
  if (address.host.front() == '[' && address.host.back() == ']') {
    address.host = address.host.substr(1, address.host.size() - 2);
  }
  const char* begin = text.data() + colon + 1;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(begin, end, address.port);
  if (error != std::errc() || stop != end || !is_ip_address(address.host)) fail();
  return address;
}

/// What lab 3 and the labs after it go by.
void check_store(const NodeConfig& config,
                 const std::function<void(bool, const std::string&)>& demand) {
  using std::chrono::milliseconds;
  demand(config.request_deadline >= milliseconds(1), "request_deadline_ms must be at least 1");
  demand(config.request_memory >= milliseconds(1), "request_memory_ms must be at least 1");
  demand(config.retry_period >= milliseconds(1), "retry_period_ms must be at least 1");
  demand(config.batch_bytes >= 1 && config.batch_bytes <= kLargestBatch,
         "batch_bytes must be 1 to " + std::to_string(kLargestBatch));
  demand(config.reconciliation == "siblings" || config.reconciliation == "last_write_wins",
         "reconciliation: \"" + config.reconciliation +
             "\" is none; known are siblings, last_write_wins");
  demand(config.max_state_bytes >= 1 && config.max_state_bytes <= kLargestState,
         "max_state_bytes must be 1 to " + std::to_string(kLargestState));
  demand(config.max_value_bytes >= 1 && config.max_value_bytes <= config.max_state_bytes,
         "max_value_bytes must be 1 to max_state_bytes");
  demand(config.max_siblings >= 1, "max_siblings must be at least 1");
  demand(config.r <= config.n, "r must be 0 to n, which is " + std::to_string(config.n));
  demand(config.w <= config.n, "w must be 0 to n, which is " + std::to_string(config.n));
  demand(config.mode == "strict" || config.mode == "sloppy",
         "mode: \"" + config.mode + "\" is none; known are strict, sloppy");
  demand(config.sync_period >= milliseconds(1), "sync_period_ms must be at least 1");
  demand(config.sync_bytes_per_second >= 1024, "sync_bytes_per_second must be at least 1024");
}

}  // namespace

std::string Address::text() const {
  const bool v6 = host.find(':') != std::string::npos;
  return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

void check_node_id(const NodeId& id, const std::string& where) {
  const auto good = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  };
  if (id.empty() || id.size() > 32 || id[0] < 'a' || !std::all_of(id.begin(), id.end(), good)) {
    throw ConfigError(where + ": \"" + id +
                      "\" is no name for a node; use 1 to 32 of a-z, 0-9 and -, a letter first");
  }
}

void check_config(const NodeConfig& config, const std::string& where) {
  const auto demand = [&](bool good, const std::string& what) {
    if (!good) throw ConfigError(where + ": " + what);
  };
  demand(config.q >= 1 && config.q <= 65536, "q must be 1 to 65536");
  demand(config.n >= 1 && config.n <= 64, "n must be 1 to 64");
  demand(config.gossip_period >= std::chrono::milliseconds(1),
         "gossip_period_ms must be at least 1");
  demand(config.call_timeout >= std::chrono::milliseconds(1), "call_timeout_ms must be at least 1");
  demand(config.http_timeout >= std::chrono::milliseconds(1), "http_timeout_ms must be at least 1");
  demand(config.disk_limit_bytes >= 1u << 20 && config.disk_limit_bytes <= std::uint64_t{1} << 40,
         "disk_limit_bytes must be 1048576 to 1099511627776");
  demand(config.peer_queue_bytes >= 1u << 16, "peer_queue_bytes must be at least 65536");
  check_store(config, demand);
  for (const NodeId& seed : config.seeds) check_node_id(seed, where + ": seeds");
  for (const std::string& module : config.modules) {
    demand(std::find(kModules.begin(), kModules.end(), module) != kModules.end(),
           "modules: \"" + module +
               "\" is none; known are membership, ring, replication, transfer, versioning, quorum, "
               "sync, warmup");
  }
  const auto named = [&](std::string_view module) {
    return std::find(config.modules.begin(), config.modules.end(), module) != config.modules.end();
  };
  demand(!named("replication") || !named("quorum"),
         "modules: replication and quorum are both coordinators; name one of them");
  demand(!named("sync") || named("replication") || named("quorum"),
         "modules: sync needs a coordinator, replication or quorum");
}

NodeConfig load_config(const std::filesystem::path& file) {
  NodeConfig config;
  try {
    json::from(read_json(file), config, file.string());
  } catch (const JsonError& error) {
    throw ConfigError(error.what());
  }
  check_config(config, file.string());
  return config;
}

Peers load_peers(const std::filesystem::path& file) {
  const std::string name = file.string();
  const Json document = read_json(file);
  if (!document.is_object() || !document.contains("nodes") || !document["nodes"].is_object() ||
      document.size() != 1) {
    throw ConfigError(name + R"(: expected {"nodes": {"n1": {"peer": "127.0.0.1:7001", )" +
                      R"("http": "127.0.0.1:8001"}, …}})");
  }
  Peers peers;
  std::map<Address, std::string> taken;
  for (const auto& [id, entry] : document["nodes"].items()) {
    const std::string where = name + ": nodes." + id;
    check_node_id(id, name + ": nodes");
    if (!entry.is_object()) throw ConfigError(where + R"(: expected {"peer": …, "http": …})");
    PeerAddresses addresses;
    for (const auto& [key, value] : entry.items()) {
      if (key != "peer" && key != "http") {
        throw ConfigError(where + ": unknown field \"" + key + "\"; known are: peer, http");
      }
      Address address = parse_address(value, where + "." + key);
      if (address.port != 0) {
        const auto [first, is_new] = taken.try_emplace(address, id + "." + key);
        if (!is_new) {
          throw ConfigError(where + "." + key + ": " + address.text() + " is taken by " +
                            first->second);
        }
      }
      (key == "peer" ? addresses.peer : addresses.http) = std::move(address);
    }
    if (addresses.peer.host.empty()) throw ConfigError(where + ": the field \"peer\" is missing");
    if (addresses.http.host.empty()) throw ConfigError(where + ": the field \"http\" is missing");
    peers.emplace(id, std::move(addresses));
  }
  if (peers.empty()) throw ConfigError(name + ": nodes: no node is named");
  return peers;
}

std::string config_table() {
  const Json defaults = json::to(NodeConfig{});
  std::string table =
      "# Settings of a cluster\n\n"
      "Printed by `dynamo-node --print-defaults` from the code; a test compares. A config file is "
      "one JSON\n"
      "object; absent fields have these defaults. Durations are milliseconds and end in `_ms`, "
      "sizes are bytes.\n\n"
      "| field | default | meaning |\n|---|---|---|\n";
  for (const Meaning& meaning : kMeanings) {
    const std::string field(meaning.field);
    table += "| `" + field + "` | `" + json::text(defaults.at(field)) + "` | " +
             std::string(meaning.text) + " |\n";
  }
  return table;
}

std::string config_schema() {
  const Json defaults = json::to(NodeConfig{});
  Json schema = {{"$schema", "http://json-schema.org/draft-07/schema#"},
                 {"title", "Settings of a Dynamo Labs cluster"},
                 {"type", "object"},
                 {"additionalProperties", false},
                 {"properties", Json::object()}};
  for (const Meaning& meaning : kMeanings) {
    const std::string field(meaning.field);
    const Json& value = defaults.at(field);
    Json property = {{"description", meaning.text}, {"default", value}};
    if (value.is_string()) {
      property["type"] = "string";
    } else if (value.is_array()) {
      property["type"] = "array";
      property["items"] = {{"type", "string"}};
    } else {
      property["type"] = field.ends_with("_ms") ? "number" : "integer";
      property["minimum"] = 0;
    }
    schema["properties"][field] = std::move(property);
  }
  return json::text(schema, 2) + "\n";
}

}  // namespace dynamo
