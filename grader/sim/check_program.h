// Between the program of checks and the host that may be linked into it.
#pragma once

#include <memory>

#include "sim/host.h"

namespace dynamo::sim {

/// Set by linked_main.cpp where a solution is linked in; else null.
inline std::unique_ptr<Host> (*linked_host_factory)() = nullptr;

}  // namespace dynamo::sim
