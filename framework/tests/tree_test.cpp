// The shape of Merkle trees, which all solutions share (labs/6-sync/tree.h).
#include "tree.h"

#include <gtest/gtest.h>

#include <limits>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace dynamo {
namespace {

constexpr KeyHash kLast = std::numeric_limits<KeyHash>::max();
const std::vector<std::uint32_t> kCounts = {1, 2, 3, 16, 1000, 65535, 65536};

/// First hash of `vnode`, and the one before the next vnode's.
HashRange arc(VnodeId vnode, std::uint32_t q) {
  return {first_hash(vnode, q), vnode + 1 == q ? kLast : first_hash(vnode + 1, q) - 1};
}

std::vector<VnodeId> some_vnodes(std::uint32_t q) {
  std::set<VnodeId> some = {0, q / 3, q / 2, q - 1};
  return {some.begin(), some.end()};
}

std::string key_number(int i) { return std::string("cart").append(std::to_string(i)); }

VnodeId vnode_of(std::string_view key, std::uint32_t q) {
  VnodeId vnode = 0;
  while (vnode + 1 < q && first_hash(vnode + 1, q) <= hash_of(key)) ++vnode;
  return vnode;
}

TEST(Tree, paths_are_the_first_digits_of_how_far_along_a_key_lies) {
  // hash_of("cart") is e0a5aa3bac58015d; times Q, modulo 2^64.
  EXPECT_EQ(path_of("cart", 1), "e0a5aa3bac58015");
  EXPECT_EQ(path_of("cart", 16), "0a5aa3bac58015d");
  EXPECT_EQ(path_of("cart", 3), "a1f0feb30508041");
  EXPECT_EQ(path_of("cart", 1000), "8720f91937c5534");
  EXPECT_EQ(path_of("cart", 65536), "aa3bac58015d000");
}

TEST(Tree, hashes_stay_what_they_are) {
  EXPECT_EQ(hash_of_leaf({}), (TreeHash{0, 0}));
  EXPECT_EQ(hash_of_leaf({{1, 2}}), (TreeHash{0xd2d43d8313a5b8c7u, 0xd00a22bcc22f59feu}));
  EXPECT_EQ(hash_of_leaf({{1, 2}, {3, 4}}), (TreeHash{0x95ed7596661852b9u, 0xc8b972e6f91261f4u}));
  EXPECT_EQ(hash_of_children(std::vector<TreeHash>(kFanout)),
            (TreeHash{0xebda842451034424u, 0x83fd767661f2eac5u}));
  std::vector<TreeHash> children(kFanout);
  children[3] = {1, 2};
  EXPECT_EQ(hash_of_children(children), (TreeHash{0x4c7b47bf521b443bu, 0x2a7f5a84fba7dc60u}));
}

TEST(Tree, hashes_see_order_place_and_level) {
  EXPECT_NE(hash_of_leaf({{1, 2}, {3, 4}}), hash_of_leaf({{3, 4}, {1, 2}}));
  EXPECT_NE(hash_of_leaf({{1, 2}, {1, 2}}), hash_of_leaf({})) << "twins do not cancel";
  EXPECT_NE(hash_of_leaf({{0, 0}}), hash_of_leaf({}));
  std::set<TreeHash> seen;
  for (std::size_t i = 0; i < kFanout; ++i) {
    std::vector<TreeHash> children(kFanout);
    children[i] = {1, 2};
    seen.insert(hash_of_children(children));
    std::vector<StateHash> same(kFanout);
    same[i] = {1, 2};
    seen.insert(hash_of_leaf(same));
  }
  EXPECT_EQ(seen.size(), 2 * kFanout);
}

TEST(Tree, the_root_is_the_whole_arc) {
  for (const std::uint32_t q : kCounts) {
    for (const VnodeId vnode : some_vnodes(q)) {
      const HashRange range = range_of(vnode, "", q);
      EXPECT_EQ(range.first, arc(vnode, q).first) << vnode << " of " << q;
      EXPECT_EQ(range.last, arc(vnode, q).last) << vnode << " of " << q;
    }
  }
}

/// Places on the way down along `digits`, and their sixteen children each: they tile it.
void expect_tiled(VnodeId vnode, const std::string& digits, std::uint32_t q) {
  for (std::size_t depth = 0; depth < kMostDepth; ++depth) {
    const TreePath path = digits.substr(0, depth);
    const HashRange whole = range_of(vnode, path, q);
    if (whole.first > whole.last) return;  // no hash lies here
    KeyHash next = whole.first;
    bool done = false;
    for (const char digit : std::string("0123456789abcdef")) {
      const HashRange part = range_of(vnode, path + digit, q);
      if (part.first > part.last) continue;
      ASSERT_FALSE(done) << path + digit << " begins behind the end";
      ASSERT_EQ(part.first, next) << vnode << " of " << q << " at " << path + digit;
      ASSERT_LE(part.last, whole.last) << vnode << " of " << q << " at " << path + digit;
      done = part.last == whole.last;
      next = part.last + 1;
    }
    ASSERT_TRUE(done) << vnode << " of " << q << ": the children of \"" << path << "\" end early";
  }
}

TEST(Tree, the_children_of_a_place_tile_it) {
  for (const std::uint32_t q : kCounts) {
    for (const VnodeId vnode : some_vnodes(q)) {
      expect_tiled(vnode, "000000000000000", q);
      expect_tiled(vnode, "fffffffffffffff", q);
      expect_tiled(vnode, "7c03fa91d5e2b86", q);
    }
  }
}

TEST(Tree, a_key_lies_in_all_places_of_its_path_and_in_no_others) {
  for (const std::uint32_t q : kCounts) {
    for (int i = 0; i < 20; ++i) {
      const std::string key = key_number(i);
      const VnodeId vnode = vnode_of(key, q);
      const TreePath path = path_of(key, q);
      ASSERT_EQ(path.size(), kMostDepth);
      for (std::size_t depth = 1; depth <= kMostDepth; ++depth) {
        for (const char digit : std::string("0123456789abcdef")) {
          const TreePath place = path.substr(0, depth - 1) + digit;
          const HashRange range = range_of(vnode, place, q);
          const bool lies = range.first <= hash_of(key) && hash_of(key) <= range.last;
          EXPECT_EQ(lies, path.starts_with(place)) << key << " at " << place << ", Q = " << q;
        }
      }
    }
  }
}

TEST(Tree, paths_sort_as_hashes_do) {
  for (const std::uint32_t q : kCounts) {
    std::map<std::pair<VnodeId, KeyHash>, TreePath> paths;
    for (int i = 0; i < 200; ++i) {
      const std::string key = key_number(i);
      paths[{vnode_of(key, q), hash_of(key)}] = path_of(key, q);
    }
    for (auto at = paths.begin(), next = std::next(at); next != paths.end(); ++at, ++next) {
      if (at->first.first != next->first.first) continue;
      EXPECT_LT(at->second, next->second) << q;
    }
  }
}

}  // namespace
}  // namespace dynamo
