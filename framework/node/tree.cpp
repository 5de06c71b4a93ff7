// The shape and the hashes of Merkle trees: labs/6-sync/tree.h.
#include "tree.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "core/codec.h"

namespace dynamo {

namespace {

__extension__ using Wide = unsigned __int128;

constexpr unsigned kBitsADigit = 4;

template <class T>
TreeHash hash(std::string_view kind, const std::vector<T>& parts) {
  std::string bytes;
  constexpr std::size_t kMostBytes = 10;  // that a number takes; a hash is two of them
  bytes.reserve(kind.size() + (2 * parts.size() + 1) * kMostBytes);
  bytes.append(kind);
  codec::Writer out(bytes);
  codec::write(out, parts);
  const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  return {hash.high64, hash.low64};
}

std::uint64_t digit_of(char digit) {
  return static_cast<std::uint64_t>(digit <= '9' ? digit - '0' : digit - 'a' + 10);
}

}  // namespace

// A hash times Q is its vnode (the upper 64 bits) and how far it lies along the arc (the lower).

TreePath path_of(std::string_view key, std::uint32_t q) {
  const auto along = static_cast<std::uint64_t>(static_cast<Wide>(hash_of(key)) * q);
  TreePath path;
  for (std::size_t level = 1; level <= kMostDepth; ++level) {
    path.push_back("0123456789abcdef"[along >> (64 - kBitsADigit * level) & 0xf]);
  }
  return path;
}

HashRange range_of(VnodeId vnode, const TreePath& path, std::uint32_t q) {
  std::uint64_t along = 0;
  unsigned shift = 64;
  for (const char digit : path) {
    shift -= kBitsADigit;
    along |= digit_of(digit) << shift;
  }
  const std::uint64_t width = shift == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << shift) - 1;
  const Wide begin = (static_cast<Wide>(vnode) << 64) + along;
  const Wide first = (begin + q - 1) / q;
  const Wide last = (begin + width) / q;
  if (first > last) return {1, 0};  // `first` may lie behind the last hash of all
  return {static_cast<KeyHash>(first), static_cast<KeyHash>(last)};
}

TreeHash hash_of_leaf(const std::vector<StateHash>& states) {
  if (states.empty()) return {};
  return hash("leaf", states);
}

TreeHash hash_of_children(const std::vector<TreeHash>& children) { return hash("node", children); }

}  // namespace dynamo
