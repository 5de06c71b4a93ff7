// The circle that keys and nodes lie on.
#pragma once

#include <cstdint>
#include <string_view>

namespace dynamo {

/// A place on the circle of 2^64 places; after the largest comes 0 again.
using KeyHash = std::uint64_t;

/// Number of a virtual node, 0 … Q-1. Vnode i owns the hashes in [⌈i·2⁶⁴/Q⌉, ⌈(i+1)·2⁶⁴/Q⌉).
using VnodeId = std::uint32_t;

/// Where a key, or a node's one token, lies: XXH3-64 with seed 0. The same in every process.
KeyHash hash_of(std::string_view bytes);

/// The first hash of vnode `i` out of `q`: ⌈i·2⁶⁴/q⌉, for 0 ≤ i < q (P§6.2, strategy 3).
KeyHash first_hash(VnodeId i, std::uint32_t q);

}  // namespace dynamo
