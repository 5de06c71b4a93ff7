// Lab 6: the shape of a Merkle tree. Given, so that any two nodes' trees can be compared.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/fields.h"
#include "core/keys.h"
#include "core/state.h"

namespace dynamo {

/// 128 bits over all that lies below a place in the tree.
struct TreeHash {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  FIELDS(high, low)
  auto operator<=>(const TreeHash&) const = default;
};

inline constexpr std::size_t kFanout = 16;     ///< Children of an inner node.
inline constexpr std::size_t kLeafKeys = 16;   ///< A leaf has at most so many keys,
inline constexpr std::size_t kMostDepth = 15;  ///< unless it lies so deep.

/// A place in the tree of a vnode: the way down from the root, a digit 0-9a-f a level; "" is the
/// root. Up to kMostDepth digits. Below the place `path` lie the keys whose path_of begins with it.
///
/// What stands at a place follows from the keys below it alone: with more than kLeafKeys keys, and
/// less than kMostDepth digits, an inner node; else a leaf.
using TreePath = std::string;

/// All kMostDepth digits of a key: the first 60 bits of how far along its vnode's arc it lies.
TreePath path_of(std::string_view key, std::uint32_t q);

/// The place's part of the circle: both ends belong to it. If `first > last`, no key can lie there
/// (a vnode with less than 2^60 hashes has such places). `path` has up to kMostDepth digits 0-9a-f:
/// look before you hand in what a peer has sent.
struct HashRange {
  KeyHash first = 0;
  KeyHash last = 0;
};
HashRange range_of(VnodeId vnode, const TreePath& path, std::uint32_t q);

/// Of a leaf: from the hashes of its keys with their states, ordered by hash_of(key), then by key.
/// Without keys it is {0, 0}.
TreeHash hash_of_leaf(const std::vector<StateHash>& states);

/// Of an inner node: from those of its kFanout children, in the order of their digits.
TreeHash hash_of_children(const std::vector<TreeHash>& children);

}  // namespace dynamo
