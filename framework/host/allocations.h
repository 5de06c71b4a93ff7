// The host's own operator new: it counts, and it can lay the heap out differently.
#pragma once

#include <cstdint>

namespace dynamo::host {

/// Calls of operator new in this process until now; 0 with a sanitizer, which has its own.
std::uint64_t allocations();

/// From now on new memory holds rubbish and addresses come in another order, decided by `seed`.
void perturb_heap(std::uint64_t seed);

/// Leaves rubbish in the part of the stack that the next calls will use.
void spoil_stack();

}  // namespace dynamo::host
