// Who takes part in a request right now.
#pragma once

#include "core/fields.h"
#include "core/ids.h"

namespace dynamo {

/// One place of an active list.
struct Placement {
  NodeId host;
  NodeId stands_in_for;  ///< The dead host whose place it takes; empty: `host` has its own.
  FIELDS(host, stands_in_for)
  bool operator==(const Placement&) const = default;
};

}  // namespace dynamo
