// The disk: the only thing of a node that survives a crash.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace dynamo {

/// Named key spaces with ordered keys (bytewise). All writes of one handler are one transaction: it
/// is durable before any message, reply or answer of that handler leaves the node (output commit).
/// So reason about memory and disk; there is no fsync to call. A crash keeps all of a handler's
/// writes or none. Reads see the handler's own writes. Only inside a handler, on the node's thread.
class Storage {
 public:
  /// Receives one pair; returns false to stop the scan. The views die when it returns.
  using Visitor = std::function<bool(std::string_view key, std::string_view value)>;

  virtual ~Storage() = default;

  /// The value at `key`, or nothing. A space that was never written is empty.
  virtual std::optional<std::string> get(std::string_view space, std::string_view key) const = 0;

  /// Sets `key`. 1 to 400 bytes of key, up to 60 of space name; longer ones throw
  /// std::length_error.
  virtual void put(std::string_view space, std::string_view key, std::string_view value) = 0;

  /// Removes `key`; nothing happens if it is not there.
  virtual void erase(std::string_view space, std::string_view key) = 0;

  /// Visits the keys ≥ `from`, ascending. Do not write during a scan.
  virtual void scan(std::string_view space, std::string_view from, const Visitor& visit) const = 0;

  /// True if `bytes` more of keys and values fit. Ask before adding data, and refuse *before*
  /// anything is changed. A commit that fails all the same stops the node, and nothing of it
  /// leaves.
  virtual bool room(std::size_t bytes) const = 0;
};

}  // namespace dynamo
