// For a check that passes, and has something to tell all the same.
#pragma once

#include <functional>
#include <string>

#include "sim/world.h"

namespace dynamo::sim {

/// After for_each_seed: runs the world of the first seed once more. What `telling` returns becomes
/// the message of the check, if it passes.
void once_more(const Plan& plan, const std::function<std::string(World& world)>& telling);

}  // namespace dynamo::sim
