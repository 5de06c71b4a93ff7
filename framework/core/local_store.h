// A node's own keys: the only way to read, change or drop a key's state.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "core/keys.h"
#include "core/result.h"
#include "core/state.h"

namespace dynamo {

/// Hears of each change of a LocalStore, within the handler that makes it and before anything of it
/// is durable: what an observer writes stands or falls with the change (lab 6's trees).
class StoreObserver {
 public:
  virtual ~StoreObserver() = default;

  /// `key` had a state with the hash `before` and has one with `after` now; nothing: none.
  /// LocalStore shows the new state already. Do not write to it from here.
  virtual void changed(std::string_view key, const std::optional<StateHash>& before,
                       const std::optional<StateHash>& after) = 0;
};

/// Given, over Storage: what is written here is durable before anything of the same handler leaves
/// the node. States are only ever merged, by the versioning at work (lab 3: last write wins; lab 4:
/// yours). Keys are 1 to 256 bytes. Only inside a handler. It keeps what it has in the spaces
/// "state" and "store" of Storage (hints, lab 5: in "hints"), and leaves 64 KiB of a full disk to
/// small records of yours.
class LocalStore {
 public:
  /// Receives a key and the hash of its state; returns false to stop. The view dies when it
  /// returns.
  using Visitor = std::function<bool(std::string_view key, const StateHash& hash)>;

  virtual ~LocalStore() = default;

  /// The state held for `key`, tombstones included; nothing if none was ever written or it was
  /// dropped.
  virtual std::optional<State> get(std::string_view key) const = 0;

  /// The hash of that state.
  virtual std::optional<StateHash> hash(std::string_view key) const = 0;

  /// Makes a new version here, on top of what is held, and returns the new state's hash. An error
  /// changes nothing: no_room (the disk), too_large (a limit of siblings or bytes),
  /// invalid_argument (the context is none).
  virtual Result<StateHash> write(std::string_view key, const NewVersion& version) = 0;

  /// Merges a state that came from elsewhere into what is held; repeating it changes nothing.
  /// Returns the hash of what is held now. An error changes nothing: no_room, invalid_argument
  /// (malformed, or no key can be so long), too_large (no message between nodes could carry it).
  virtual Result<StateHash> merge(std::string_view key, const State& state) = 0;

  /// Forgets `key`, if its state still has this hash; else does nothing and returns false. Not for
  /// deletes: those write a tombstone.
  virtual bool drop(std::string_view key, const StateHash& expected) = 0;

  /// Visits the keys of `vnode` in their order (by hash_of(key), then key), those after `after`;
  /// empty: all. Do not write during a scan.
  virtual void scan(VnodeId vnode, std::string_view after, const Visitor& visit) const = 0;

  /// Visits the keys whose hash_of(key) is in [first, last], in the same order.
  virtual void scan(KeyHash first, KeyHash last, const Visitor& visit) const = 0;

  /// The vnodes in which at least one key is held, ascending.
  virtual std::vector<VnodeId> vnodes() const = 0;

  /// What two states know together; keeps nothing. An error: one of them is malformed.
  virtual Result<State> joined(const State& a, const State& b) const = 0;

  /// How many keys scans have visited since the start of the process: what a restart costs.
  virtual std::uint64_t visited() const = 0;
};

}  // namespace dynamo
