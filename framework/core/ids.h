// Names of nodes, and of the disks behind them.
#pragma once

#include <cstdint>
#include <string>

namespace dynamo {

/// A node's name, for example "n1". The peers file lists every name that may ever join.
using NodeId = std::string;

/// Drawn once for each new (empty) disk and kept on it. A node that comes back with its disk has
/// the incarnation that it had; a node whose disk was lost has a new one.
using Incarnation = std::uint64_t;

}  // namespace dynamo
