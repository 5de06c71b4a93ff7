// Lab 4: which version is newer, and what if none is. You implement Versioning in versioning.cpp;
// README.md is the handout.
#pragma once

#include <compare>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/fields.h"
#include "core/ids.h"
#include "core/state.h"

namespace dynamo {

/// Who counts events of a key. New with each new disk of a node (incarnation), and each time that
/// the key comes to a node that held nothing of it (epoch): so no count is ever used twice.
struct Actor {
  NodeId node;
  Incarnation incarnation = 0;
  std::uint64_t epoch = 0;
  FIELDS(node, incarnation, epoch)
  auto operator<=>(const Actor&) const = default;
};

/// One event: the `counter`th that `actor` counted for this key, from 1.
struct Dot {
  Actor actor;
  std::uint64_t counter = 0;
  FIELDS(actor, counter)
  auto operator<=>(const Dot&) const = default;
};

/// For each actor the events 1 to `counter`; ([Sx,2],[Sy,1]) on the slide (P§4.4). At most one
/// entry an actor, none with counter 0. Given code sorts the entries whenever a clock leaves you.
struct VectorClock {
  std::vector<Dot> entries;
  FIELDS(entries)
  bool operator==(const VectorClock&) const = default;
};

/// What one put or delete made.
struct ObjectVersion {
  Dot dot;                           ///< The version's own event.
  VectorClock seen;                  ///< What its writer had read: the context of the put.
  std::optional<std::string> value;  ///< Nothing: a tombstone.
  Stamp stamp;                       ///< Only for last-write-wins.
  FIELDS(dot, seen, value, stamp)
  bool operator==(const ObjectVersion&) const = default;
};

/// All that is kept under a key. Given code sorts the versions by their dots.
struct KeyState {
  std::vector<ObjectVersion> versions;  ///< No two with one dot. More than one: siblings.
  VectorClock clock;                    ///< Covers every event that this state knows of.
  FIELDS(versions, clock)
  bool operator==(const KeyState&) const = default;
};

enum class Order : std::uint8_t { before, after, equal, concurrent };
std::string name_of(Order order);

enum class Reconciliation : std::uint8_t { siblings, last_write_wins };
std::string name_of(Reconciliation reconciliation);

/// Pure: what a method answers follows from its arguments alone (lecture: "Object Versioning",
/// "Conflict Detection & Resolution"; P§4.4).
class Versioning {
 public:
  virtual ~Versioning() = default;

  // Part A: clocks.
  virtual Order compare(const VectorClock& a,
                        const VectorClock& b) const = 0;  ///< How a lies to b.
  virtual VectorClock join(const VectorClock& a, const VectorClock& b) const = 0;  ///< Least upper
                                                                                   ///< bound.
  // Part B: versions. (Part C asks more of the same three.)
  /// The state after a put or delete, executed by `actor` on top of `held`. `context`: what the
  /// writer had read; an empty clock: nothing.
  virtual KeyState write(const KeyState& held, const VectorClock& context, const Actor& actor,
                         const std::optional<std::string>& value, const Stamp& stamp) const = 0;
  /// What two replicas know together.
  virtual KeyState merge(const KeyState& a, const KeyState& b) const = 0;
  /// What a get returns beside the values: a clock that covers all that `state` holds.
  virtual VectorClock context(const KeyState& state) const = 0;
};

/// You write this one, too.
std::unique_ptr<Versioning> make_versioning(Reconciliation reconciliation);

}  // namespace dynamo
