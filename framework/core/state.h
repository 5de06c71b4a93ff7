// What is kept under a key, as those see it who store it and move it: bytes that they never open.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/fields.h"
#include "core/ids.h"

namespace dynamo {

/// The whole state of one key: its versions and what they have seen. Only Versioning looks inside.
/// Canonical: equal states have equal bytes on every node.
struct State {
  std::string bytes;
  FIELDS(bytes)
  bool operator==(const State&) const = default;
};

/// 128 bits that stand for a key and its state: equal exactly when both are equal (P§4.7).
struct StateHash {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  FIELDS(high, low)
  auto operator<=>(const StateHash&) const = default;
};

/// Given code, so that all solutions agree: XXH3-128 over the key, its length, and the state.
StateHash hash_of(std::string_view key, const State& state);

/// Orders writes for last-write-wins. Made once for each write, by the node that took the client's
/// request; every attempt to have it executed carries the same stamp.
struct Stamp {
  std::uint64_t time_us = 0;    ///< That node's wall clock: it may be wrong.
  NodeId node;                  ///< Who stamped it.
  Incarnation incarnation = 0;  ///< Of that node's disk.
  std::uint64_t sequence = 0;   ///< Counts that node's stamps, also over restarts.
  FIELDS(time_us, node, incarnation, sequence)
  auto operator<=>(const Stamp&) const = default;
};

/// A client's write, on its way into a key's state.
struct NewVersion {
  std::optional<std::string> value;  ///< Nothing: a delete.
  std::string context;               ///< What the client had read; empty: nothing (a blind write).
  Stamp stamp;
  FIELDS(value, context, stamp)
  bool operator==(const NewVersion&) const = default;
};

}  // namespace dynamo
