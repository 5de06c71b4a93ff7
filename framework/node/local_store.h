// LocalStore over Storage.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/env.h"
#include "core/local_store.h"
#include "versioning.h"

namespace dynamo {

/// Keeps states in the space "state", under hash_of(key) and the key, so that a vnode's keys lie
/// together.
inline constexpr std::string_view kStateSpace = "state";

/// States that wait for their owners (lab 5) lie in a space of their own, in the same way.
inline constexpr std::string_view kHintSpace = "hints";

/// Longest key, so that it fits Storage's keys together with its hash.
inline constexpr std::size_t kMaxKeyBytes = 256;

/// Largest state that a merge may make. It must fit into a message, also beside a whole batch, or
/// it could never leave the node. Three nodes may each take the largest max_state_bytes, apart from
/// each other.
inline constexpr std::size_t kMaxMergedStateBytes = 12u << 20;

/// Most actors that a put may leave in a key's clock. Contexts with as many, and some more that
/// merges add, fit into an HTTP header.
inline constexpr std::size_t kMaxActors = 700;

/// What lies there. The trusted side of the simulator reads it from the disks of a world.
struct Held {
  std::uint64_t epoch = 0;  ///< Of this node's actor; of no matter to others, so outside the hash.
  StateHash hash;
  State state;
  FIELDS(epoch, hash, state)
};

struct StoreLimits {
  std::uint32_t q = 1;                ///< Vnodes of the ring.
  std::size_t max_siblings = 0;       ///< Versions of a key.
  std::uint64_t max_state_bytes = 0;  ///< All versions of a key and their clocks.
};

class VersionedStore final : public LocalStore {
 public:
  /// `env` and `versioning` outlive the store. `space`: where it keeps its states. Stores of one
  /// node share the count of epochs, so that no two of them ever make the same dot.
  VersionedStore(Env& env, const Versioning& versioning, const StoreLimits& limits,
                 std::string_view space)
      : env_(env), versioning_(versioning), limits_(limits), space_(space) {}

  /// Tells `observer` of each change from now on; it outlives the last change.
  void observe(StoreObserver* observer) { observer_ = observer; }

  std::optional<State> get(std::string_view key) const override;
  std::optional<StateHash> hash(std::string_view key) const override;
  Result<StateHash> write(std::string_view key, const NewVersion& version) override;
  Result<StateHash> merge(std::string_view key, const State& state) override;
  bool drop(std::string_view key, const StateHash& expected) override;
  void scan(VnodeId vnode, std::string_view after, const Visitor& visit) const override;
  void scan(KeyHash first, KeyHash last, const Visitor& visit) const override;
  std::vector<VnodeId> vnodes() const override;
  Result<State> joined(const State& a, const State& b) const override;
  std::uint64_t visited() const override { return visited_; }

 private:
  std::optional<Held> held(std::string_view key) const;
  std::uint64_t next_epoch() const;
  /// Visits keys from `from` on while `wanted` says so of where they lie.
  void scan_from(const std::string& from, const std::function<bool(KeyHash)>& wanted,
                 const Visitor& visit) const;
  /// Why a put is over a limit and makes it worse; nothing if it is not.
  std::optional<Error> too_large(const std::optional<Held>& before, const KeyState& old,
                                 const KeyState& after, const State& state) const;
  Result<StateHash> keep(std::string_view key, const std::optional<Held>& before,
                         const KeyState& after, const State& state);

  Env& env_;
  const Versioning& versioning_;
  const StoreLimits limits_;
  const std::string space_;
  StoreObserver* observer_ = nullptr;
  mutable std::uint64_t visited_ = 0;
};

/// Versions by dot, clocks by actor: equal states have equal bytes, whoever made them.
State state_of(KeyState state);

/// Nothing if the bytes are none.
std::optional<KeyState> key_state_of(const State& state);

/// The key behind a key of the space "state".
std::string_view key_in_state_space(std::string_view storage_key);

}  // namespace dynamo
