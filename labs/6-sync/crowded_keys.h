// Keys that lie close together on the circle, for trees that are deep with few keys. XXH3 is quick
// and spreads well, but it keeps no secret: whoever wants a key with a given hash makes one.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/keys.h"
#include "tree.h"

namespace dynamo::sim {

namespace crowded {

inline std::uint64_t turned(std::uint64_t x, int by) { return x << by | x >> (64 - by); }

/// y with x == y ^ (y >> by).
inline std::uint64_t before_shift(std::uint64_t x, int by) {
  std::uint64_t y = x;
  for (int known = by; known < 64; known += by) y = x ^ (y >> by);
  return y;
}

/// The inverse of an odd number modulo 2^64, by Newton's iteration.
inline std::uint64_t inverse(std::uint64_t odd) {
  std::uint64_t x = odd;
  for (int i = 0; i < 6; ++i) x *= 2 - odd * x;
  return x;
}

/// y with x == y ^ turned(y, 49) ^ turned(y, 24): the map is linear over bits, and of order 64, so
/// that applying it 63 times more undoes it.
inline std::uint64_t before_turns(std::uint64_t x) {
  for (int i = 0; i < 63; ++i) x ^= turned(x, 49) ^ turned(x, 24);
  return x;
}

inline std::string bytes(std::uint64_t value, bool first_is_high) {
  std::string text;
  for (int i = 0; i < 8; ++i) {
    text.push_back(static_cast<char>(value >> (first_is_high ? 56 - 8 * i : 8 * i)));
  }
  return text;
}

}  // namespace crowded

/// The key of 8 bytes that has this hash: the steps of XXH3 for short inputs, backwards.
inline std::string key_at(KeyHash hash) {
  constexpr std::uint64_t kMultiplier = 0x9FB21C651E98DF25;
  constexpr std::uint64_t kFlip = 0xc73ab174c5ecd5a2;  // of XXH3's secret, as far as it matters
  const std::uint64_t divisor = crowded::inverse(kMultiplier);
  std::uint64_t x = crowded::before_shift(hash, 28) * divisor;
  // x == y ^ ((y >> 35) + 8): the upper 29 bits of the second term are 0.
  x = x ^ ((x >> 35) + 8);
  x = crowded::before_turns(x * divisor) ^ kFlip;
  std::string key = crowded::bytes(x >> 32 | x << 32, false);
  if (hash_of(key) != hash) throw std::logic_error("the check makes keys for another hash");
  return key;
}

/// Another one, of 16 bytes.
inline std::string other_key_at(KeyHash hash) {
  constexpr std::uint64_t kFlipFirst = 0x6782737bea4239b9;
  constexpr std::uint64_t kFlipLast = 0xaf56bc3b0996523a;
  std::uint64_t x = crowded::before_shift(hash, 32) * crowded::inverse(0x165667919E3779F9);
  x = crowded::before_shift(x, 37) - 16;
  // With the last half flipped to 0 nothing of it is left in the sum.
  const std::uint64_t first = x;  // its bytes are swapped before they are added
  std::string key = crowded::bytes(first, true);
  const std::string flip = crowded::bytes(kFlipFirst, false);
  for (std::size_t i = 0; i < key.size(); ++i) key[i] = static_cast<char>(key[i] ^ flip[i]);
  key += crowded::bytes(kFlipLast, false);
  if (hash_of(key) != hash) throw std::logic_error("the check makes keys for another hash");
  return key;
}

/// `count` keys whose hashes follow each other, from the first one of `vnode`'s place `path` on.
inline std::vector<std::string> keys_within(VnodeId vnode, const TreePath& path, std::uint32_t q,
                                            std::size_t count) {
  const HashRange range = range_of(vnode, path, q);
  std::vector<std::string> keys;
  for (KeyHash hash = range.first; keys.size() < count; ++hash) keys.push_back(key_at(hash));
  return keys;
}

}  // namespace dynamo::sim
