// One choice of an explored schedule, as a replay file keeps it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/fields.h"
#include "core/ids.h"

namespace dynamo::sim {

/// What happened next. It names things as nodes do, and so means the same after a rebuild.
struct Pick {
  std::string act;          ///< "ask", "deliver", "duplicate", "drop", "timer", "crash", "restart"
  NodeId node;              ///< Where: who is asked, who receives, whose timer fires.
  NodeId peer;              ///< deliver, duplicate, drop: the sender.
  std::string message;      ///< The same: "Gossip", "Gossip reply", "Gossip refused".
  std::uint64_t call = 0;   ///< The same: the sender's number of the call, or the receiver's.
  std::uint32_t start = 0;  ///< The same: which start of that node the number belongs to.
  std::uint32_t copy = 0;   ///< The same: 1 for one that arrived before.
  std::uint32_t ask = 0;    ///< ask: the place in the scope's list.
  std::uint32_t draw = 0;   ///< timer: which of the random draws.
  bool dies = false;        ///< The node dies in it: after its commit, and when
  std::uint32_t outputs = 0;  ///< so many of its outputs had left.
  FIELDS(act, node, peer, message, call, start, copy, ask, draw, dies, outputs)
  bool operator==(const Pick&) const = default;
};

}  // namespace dynamo::sim
