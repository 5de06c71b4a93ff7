// What clients ask of a simulated cluster, and what they hear.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/coordinator.h"
#include "core/time.h"
#include "node/local_store.h"

namespace dynamo::sim {

/// Names one operation of a world's clients: its place in World::client_operations().
using ClientNumber = std::size_t;

/// One put, delete or get of a client, at one node. No link lies between a client and a node, so
/// nothing gets lost there; but the node may be down, paused, or die.
struct ClientOperation {
  enum class Outcome : std::uint8_t {
    pending,  ///< Not answered yet.
    done,     ///< A write: from now on it must not get lost.
    found,    ///< A read: at least one value; see `values`.
    absent,   ///< A read: no value; with `held` if there were tombstones.
    error,    ///< It was refused, and has not happened.
    unknown,  ///< A write that may appear later, or never; a read that says nothing.
  };
  std::string what;  ///< "put", "delete" or "get"
  NodeId at;         ///< The node asked.
  RequestId id;      ///< Of a write.
  std::string key;
  std::optional<std::string> value;  ///< Of a put.
  std::string context;               ///< Of a write: what the client said that it had read.
  std::uint32_t hosts = 0;           ///< The w or r that the client asked for; 0: as configured.
  Instant asked{};
  Instant answered{};
  Outcome outcome = Outcome::pending;
  Error error;  ///< If outcome is error; for unknown: why, if the node said so.
  std::uint32_t needed = 0;
  std::uint32_t got = 0;
  // Of a read, by trusted code from the state that the node answered with:
  std::vector<std::string> values;  ///< Of the versions that are no tombstones, sorted.
  std::string read_context;         ///< To be sent with the next write of the key.
  std::optional<KeyState> held;     ///< All of it.

  bool write() const { return what != "get"; }
  bool done() const { return outcome == Outcome::done; }
  bool pending() const { return outcome == Outcome::pending; }
  bool unknown() const { return outcome == Outcome::unknown; }
  bool absent() const { return outcome == Outcome::absent; }
  bool found(const std::string& value_) const {
    return outcome == Outcome::found && values == std::vector<std::string>{value_};
  }
  bool failed_with(ErrorCode code) const { return outcome == Outcome::error && error.code == code; }
};

/// "done", "[milk]", "there is no such key", "unavailable: no replica could be reached (needed 1,
/// got 0); it may appear later": for `actual`.
std::string to_string(const ClientOperation& operation);

/// "put cart = milk at n2": for `expected`.
std::string question(const ClientOperation& operation);

/// Fills in the answer, as it is encoded in a message. Throws SolutionDied if it is malformed.
void take_answer(ClientOperation& operation, const std::string& encoded);

/// All of a short text; else its beginning and its length. Keys and values may be long.
std::string beginning(const std::string& text);

}  // namespace dynamo::sim
