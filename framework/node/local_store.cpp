#include "node/local_store.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "core/codec.h"

namespace dynamo {

namespace {

constexpr std::string_view kOwnSpace = "store";
constexpr std::string_view kEpoch = "epoch";

// Room that puts leave alone, so that a full store can still be emptied: deletes may use the first,
// the bookkeeping of confirmations, which lets copies go, the second.
constexpr std::size_t kDeleteReserveBytes = 64 << 10;
constexpr std::size_t kConfirmationReserveBytes = 64 << 10;

/// What a record takes beside the state.
constexpr std::size_t kRecordBytes = 64;

/// The hash, first byte first, so that keys sort along the circle; and the key, if there is one.
std::string place(KeyHash hash, std::string_view key = {}) {
  std::string bytes;
  bytes.reserve(sizeof hash + key.size());
  for (int shift = 56; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(hash >> shift));
  return bytes.append(key);
}

KeyHash hash_at(std::string_view storage_key) {
  KeyHash hash = 0;
  for (const char byte : storage_key.substr(0, sizeof hash)) {
    hash = hash << 8 | static_cast<unsigned char>(byte);
  }
  return hash;
}

std::string storage_key(std::string_view key) { return place(hash_of(key), key); }

/// The vnode whose arc holds `hash`: the inverse of first_hash.
VnodeId vnode_at(KeyHash hash, std::uint32_t q) {
  VnodeId low = 0;
  for (VnodeId high = q; high - low > 1;) {
    const VnodeId middle = low + (high - low) / 2;
    (first_hash(middle, q) <= hash ? low : high) = middle;
  }
  return low;
}

/// The hash in the bytes of a Held, without a copy of the state, which may be large.
StateHash hash_in(std::string_view held) {
  codec::Reader in(held);
  std::uint64_t epoch = 0;
  StateHash hash;
  codec::read(in, epoch);
  codec::read(in, hash);
  if (!in.ok()) throw std::runtime_error("the disk holds a malformed state");
  return hash;
}

void sort(VectorClock& clock) { std::sort(clock.entries.begin(), clock.entries.end()); }

bool only_tombstones(const KeyState& state) {
  return std::none_of(state.versions.begin(), state.versions.end(),
                      [](const ObjectVersion& version) { return version.value.has_value(); });
}

}  // namespace

State state_of(KeyState state) {
  std::sort(state.versions.begin(), state.versions.end(),
            [](const ObjectVersion& a, const ObjectVersion& b) { return a.dot < b.dot; });
  for (ObjectVersion& version : state.versions) sort(version.seen);
  sort(state.clock);
  return {to_bytes(state)};
}

std::optional<KeyState> key_state_of(const State& state) {
  return from_bytes<KeyState>(state.bytes);
}

std::string_view key_in_state_space(std::string_view storage_key) {
  return storage_key.substr(std::min(sizeof(KeyHash), storage_key.size()));
}

std::optional<Held> VersionedStore::held(std::string_view key) const {
  const auto bytes = env_.storage().get(space_, storage_key(key));
  if (!bytes) return std::nullopt;
  std::optional<Held> held = from_bytes<Held>(*bytes);
  if (!held) {
    throw std::runtime_error("the disk holds a malformed state for the key \"" + std::string(key) +
                             "\"");
  }
  return held;
}

std::optional<State> VersionedStore::get(std::string_view key) const {
  auto found = held(key);
  if (!found) return std::nullopt;
  return std::move(found->state);
}

std::optional<StateHash> VersionedStore::hash(std::string_view key) const {
  const auto bytes = env_.storage().get(space_, storage_key(key));
  if (!bytes) return std::nullopt;
  return hash_in(*bytes);
}

std::uint64_t VersionedStore::next_epoch() const {
  const auto last = env_.storage().get(kOwnSpace, kEpoch);
  return (last ? from_bytes<std::uint64_t>(*last).value_or(0) : 0) + 1;
}

Result<StateHash> VersionedStore::write(std::string_view key, const NewVersion& version) {
  const std::optional<Held> before = held(key);
  const KeyState old = before ? key_state_of(before->state).value() : KeyState{};
  VectorClock context;
  if (!version.context.empty()) {
    const auto read = from_bytes<VectorClock>(version.context);
    if (!read) return Error{ErrorCode::invalid_argument, "the context is malformed"};
    context = *read;
  } else if (!version.value) {
    context = versioning_.context(old);  // a delete without a context deletes what is here
  }
  const Actor actor{env_.self(), env_.incarnation(), before ? before->epoch : next_epoch()};
  const KeyState after = versioning_.write(old, context, actor, version.value, version.stamp);
  const State state = state_of(after);
  if (const auto wrong = version.value ? too_large(before, old, after, state) : std::nullopt) {
    return *wrong;
  }
  return keep(key, before, after, state);
}

std::optional<Error> VersionedStore::too_large(const std::optional<Held>& before,
                                               const KeyState& old, const KeyState& after,
                                               const State& state) const {
  // A reconciling put always passes, since it leaves less; so does a delete.
  const auto over = [](const std::string& what, std::size_t limit, const std::string& cure) {
    return Error{ErrorCode::too_large, "the key would have " + what + ", of at most " +
                                           std::to_string(limit) + ": " + cure};
  };
  const std::string reconcile = "read it and put with the context";
  const std::size_t siblings = after.versions.size();
  if (siblings > limits_.max_siblings && siblings > old.versions.size()) {
    return over(std::to_string(siblings) + " versions", limits_.max_siblings, reconcile);
  }
  const std::size_t bytes = state.bytes.size();
  if (bytes > limits_.max_state_bytes && bytes > (before ? before->state.bytes.size() : 0)) {
    return over(std::to_string(bytes) + " bytes in all its versions", limits_.max_state_bytes,
                reconcile);
  }
  const std::size_t actors = after.clock.entries.size();
  if (actors > kMaxActors && actors > old.clock.entries.size() && siblings >= old.versions.size()) {
    return over(
        std::to_string(actors) + " actors in its clock", kMaxActors,
        "put at a node that wrote it before, or put it under another key and delete this one");
  }
  return std::nullopt;
}

Result<StateHash> VersionedStore::merge(std::string_view key, const State& incoming) {
  if (key.empty() || key.size() > kMaxKeyBytes) {
    return Error{ErrorCode::invalid_argument, "a key of " + std::to_string(key.size()) +
                                                  " bytes; it must have 1 to " +
                                                  std::to_string(kMaxKeyBytes)};
  }
  const std::optional<KeyState> theirs = key_state_of(incoming);
  if (!theirs) return Error{ErrorCode::invalid_argument, "the state is malformed"};
  const std::optional<Held> before = held(key);
  const KeyState after =
      before ? versioning_.merge(key_state_of(before->state).value(), *theirs) : *theirs;
  const State state = state_of(after);
  if (state.bytes.size() > kMaxMergedStateBytes) {
    const Error error{ErrorCode::too_large,
                      "merged, the versions of the key \"" + std::string(key) + "\" would take " +
                          std::to_string(state.bytes.size()) + " bytes, of at most " +
                          std::to_string(kMaxMergedStateBytes) + ": read it at " + env_.self() +
                          " and put with the context"};
    env_.note(error.message);
    return error;
  }
  return keep(key, before, after, state);
}

Result<StateHash> VersionedStore::keep(std::string_view key, const std::optional<Held>& before,
                                       const KeyState& after, const State& state) {
  if (before && before->state == state) return before->hash;
  const std::size_t old_bytes = before ? before->state.bytes.size() : 0;
  if (state.bytes.size() >= old_bytes) {
    const std::size_t grows = state.bytes.size() - old_bytes + (before ? 0 : kRecordBytes) +
                              key.size() + kConfirmationReserveBytes;
    if (!env_.storage().room(grows + (only_tombstones(after) ? 0 : kDeleteReserveBytes))) {
      return Error{ErrorCode::no_room, "the disk of " + env_.self() + " is full"};
    }
  }
  Held held{before ? before->epoch : next_epoch(), hash_of(key, state), state};
  if (!before) env_.storage().put(kOwnSpace, kEpoch, to_bytes(held.epoch));
  env_.storage().put(space_, storage_key(key), to_bytes(held));
  if (observer_ != nullptr) {
    observer_->changed(key, before ? std::optional(before->hash) : std::nullopt, held.hash);
  }
  return held.hash;
}

bool VersionedStore::drop(std::string_view key, const StateHash& expected) {
  if (hash(key) != expected) return false;
  env_.storage().erase(space_, storage_key(key));
  if (observer_ != nullptr) observer_->changed(key, expected, std::nullopt);
  return true;
}

void VersionedStore::scan_from(const std::string& from, const std::function<bool(KeyHash)>& wanted,
                               const Visitor& visit) const {
  env_.storage().scan(space_, from, [&](std::string_view at, std::string_view bytes) {
    if (!wanted(hash_at(at))) return false;
    ++visited_;
    return visit(key_in_state_space(at), hash_in(bytes));
  });
}

void VersionedStore::scan(VnodeId vnode, std::string_view after, const Visitor& visit) const {
  // The smallest key of Storage behind that of `after`.
  const std::string from =
      after.empty() ? place(first_hash(vnode, limits_.q)) : storage_key(after).append(1, '\0');
  scan_from(
      from, [&](KeyHash hash) { return vnode_at(hash, limits_.q) == vnode; }, visit);
}

void VersionedStore::scan(KeyHash first, KeyHash last, const Visitor& visit) const {
  scan_from(
      place(first), [last](KeyHash hash) { return hash <= last; }, visit);
}

Result<State> VersionedStore::joined(const State& a, const State& b) const {
  const std::optional<KeyState> one = key_state_of(a);
  const std::optional<KeyState> other = key_state_of(b);
  if (!one || !other) return Error{ErrorCode::invalid_argument, "the state is malformed"};
  return state_of(versioning_.merge(*one, *other));
}

std::vector<VnodeId> VersionedStore::vnodes() const {
  std::vector<VnodeId> held;
  std::optional<VnodeId> found;
  VnodeId next = 0;  // seek, not walk: a vnode may hold many keys
  do {
    found.reset();
    if (next < limits_.q) {
      env_.storage().scan(space_, place(first_hash(next, limits_.q)),
                          [&](std::string_view at, std::string_view) {
                            found = vnode_at(hash_at(at), limits_.q);
                            return false;
                          });
    }
    if (found) {
      held.push_back(*found);
      next = *found + 1;
    }
  } while (found);
  return held;
}

}  // namespace dynamo
