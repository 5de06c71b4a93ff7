// The history of membership changes: what operators did, as every node comes to know it.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <vector>

#include "core/fields.h"
#include "core/ids.h"

namespace dynamo {

enum class Change : std::uint8_t { join, leave };
std::string name_of(Change change);

/// Orders all changes, whoever made them: by counter, then node, then incarnation. The counter is a
/// Lamport clock: one more than the largest counter that its maker had seen.
struct Version {
  std::uint64_t counter = 0;
  NodeId node;  ///< Where the change was made.
  Incarnation incarnation =
      0;  ///< Of that node, then: a node with a new disk never repeats a version.
  FIELDS(counter, node, incarnation)
  auto operator<=>(const Version&) const = default;
};

/// One change that an operator made: `subject` joined or left.
struct Event {
  NodeId subject;
  Change change = Change::join;
  Version version;
  FIELDS(subject, change, version)
  bool operator==(const Event&) const = default;
};

/// Many events. "In version order" where it says so: ascending by version, no version twice.
using History = std::vector<Event>;

/// 128 bits that stand for a whole history: equal exactly when the sets of events are equal.
struct HistoryDigest {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  FIELDS(high, low)
  bool operator==(const HistoryDigest&) const = default;
};

/// Given code, so that all solutions agree: XXH3-128 over the canonical bytes in version order.
/// `history` must be in version order. The empty history has a digest, too.
HistoryDigest digest_of(const History& history);

}  // namespace dynamo
