// Lab 6, part A: the tree of the keys that one node holds.
#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "core/random.h"
#include "crowded_keys.h"
#include "sync_node.h"

namespace {

using namespace dynamo;
using namespace dynamo::sim;

NodeSetup node1_of_the_slide() {
  NodeSetup setup = sync_setup();
  setup.self = "n2";
  return setup;
}

/// "h0 …" for the two nodes of the slide: in hex it would say nothing.
std::string equality(const TreeHash& a, const TreeHash& b) {
  return a == b ? "they are equal" : "they are not";
}

// ---- The slide's two figures --------------------------------------------------------------------

TEST(sync, the_slides_synchronized_nodes_have_equal_trees) {
  SyncNode node0;
  SyncNode node1(3, node1_of_the_slide());
  const std::vector<std::string> keys = keys_of(3, 2, "k");
  const std::string& k0 = keys[0];
  const std::string& k1 = keys[1];
  node0.hold(k0, version("v0", 1));
  node0.hold(k1, version("v1", 2));
  node1.hold(k1, version("v1", 2));
  node1.hold(k0, version("v0", 1));
  node0.lone.say("both nodes hold (k0, v0) and (k1, v1), which came in another order");
  const TreeHash root0 = node0.root_of(k0);
  const TreeHash root1 = node1.root_of(k0);
  if (root0 != root1) {
    violation("Node0 and Node1 of the slide hold the same two pairs, so their roots are equal",
              equality(root0, root1));
  }
  if (root0 == TreeHash{}) {
    violation("a root is {0, 0} only if no key is held", "n1 holds two keys of that vnode");
  }
  node0.expect_trees("of the slide's first figure");
  node1.expect_trees("of the slide's first figure, which n2 holds");
}

TEST(sync, the_slides_other_two_differ_and_the_key_is_found_from_the_root_down) {
  SyncNode node0;
  SyncNode node1(3, node1_of_the_slide());
  const VnodeId vnode = 3;
  const std::vector<std::string> keys = keys_of(vnode, 300, "k");
  const std::string& k0 = keys[0];
  node0.hold_all(keys, "v", 1);
  node1.hold_all(keys, "v", 1);
  node0.hold(k0, version("v2", 2));
  node0.lone.say("of 300 keys of vnode 3, k0 has the value v2 here and another one there");
  TreePath path;
  for (std::size_t level = 0; level <= kMostDepth; ++level) {
    const TreeNode here = node0.place(vnode, path);
    const TreeNode there = node1.place(vnode, path);
    if (here.leaf || there.leaf) break;
    std::vector<std::size_t> differing;
    for (std::size_t i = 0; i < std::min(here.children.size(), there.children.size()); ++i) {
      if (here.children[i] != there.children[i]) differing.push_back(i);
    }
    if (differing.size() != 1) {
      violation("at " + place_name(vnode, path) +
                    " one child differs, the one that k0 lies below: \"comparison of parents at "
                    "the same level tells the difference in children\"",
                std::to_string(differing.size()) + " of its children differ");
    }
    path += "0123456789abcdef"[differing[0]];
  }
  if (path.empty()) {
    violation("with 300 keys, more than a leaf holds, the root is an inner node", "it is a leaf");
  }
  std::vector<std::string> found;
  const TreeNode here = node0.place(vnode, path);
  const TreeNode there = node1.place(vnode, path);
  for (const Copy& copy : here.copies) {
    const bool same = std::any_of(there.copies.begin(), there.copies.end(), [&](const Copy& one) {
      return one.key == copy.key && one.hash == copy.hash;
    });
    if (!same) found.push_back(copy.key);
  }
  if (found != std::vector<std::string>{k0}) {
    violation("of the leaf at the end, one key has another hash: " + k0, list(found));
  }
  if (node0.root(vnode) == node1.root(vnode)) {
    violation("one key differs, so the roots do", equality(node0.root(vnode), node1.root(vnode)));
  }
}

// ---- Its shape ----------------------------------------------------------------------------------

TEST(sync, a_vnode_without_keys_is_an_empty_leaf) {
  SyncNode node;
  node.expect_trees("before the first key");
  std::vector<SyncNode::Place> places;
  for (const VnodeId vnode : {VnodeId{0}, kQ - 1}) {
    for (const char* path : {"", "0", "f", "3c", "012345678901234", "fffffffffffffff"}) {
      places.emplace_back(vnode, path);
    }
  }
  node.expect_places(MerkleTrees(kQ), places, "before the first key");
  const std::vector<std::string> keys = keys_of(kQ - 1, 3);
  node.hold_all(keys);
  node.expect_trees("with three keys in the last vnode, and none in the others");
}

TEST(sync, a_leaf_holds_sixteen_keys_and_the_next_one_splits_it) {
  SyncNode node;
  const std::vector<std::string> keys = keys_of(5, 40);
  for (std::size_t i = 0; i < keys.size(); ++i) {
    node.hold(keys[i], version("milk", 1));
    const TreeNode root = node.place(5, "");
    if (root.leaf != (i + 1 <= kLeafKeys)) {
      violation("with " + std::to_string(i + 1) + " keys the root of the vnode is " +
                    (i + 1 <= kLeafKeys ? "a leaf" : "an inner node") +
                    ": a leaf has at most 16 keys",
                "it is " + text(root));
    }
    node.expect_trees("of which there are " + std::to_string(i + 1) + " in vnode 5");
  }
}

TEST(sync, the_tree_follows_from_the_keys_and_not_from_their_order) {
  std::vector<std::string> keys = keys_of(0, 500);
  for (const std::string& key : keys_of(kQ - 1, 60)) keys.push_back(key);
  std::vector<std::vector<std::string>> orders = {keys, keys, keys};
  std::reverse(orders[1].begin(), orders[1].end());
  std::sort(orders[2].begin(), orders[2].end(),
            [](const std::string& a, const std::string& b) { return hash_of(a) < hash_of(b); });
  std::vector<TreeHash> roots;
  for (const auto& order : orders) {
    SyncNode node;
    node.hold_all(order);
    node.expect_trees("of which there are 500 in one vnode and 60 in another");
    roots.push_back(node.root(0));
  }
  if (roots[0] != roots[1] || roots[0] != roots[2]) {
    violation("the same 560 keys, in three orders, make equal trees", "two roots differ");
  }
}

TEST(sync, a_place_below_a_leaf_has_the_keys_that_lie_there) {
  SyncNode node;
  const VnodeId vnode = 9;
  const std::vector<std::string> keys = keys_of(vnode, 100);
  node.hold_all(keys);
  const MerkleTrees right = trees_of(node.lone.disk(), kQ);
  std::vector<SyncNode::Place> places;
  for (std::size_t i = 0; i < 20; ++i) {
    const TreePath path = path_of(keys[i], kQ);
    for (std::size_t digits = 0; digits <= kMostDepth; ++digits) {
      places.emplace_back(vnode, path.substr(0, digits));
    }
    TreePath beside = path;
    beside.back() = beside.back() == '0' ? '1' : '0';
    places.emplace_back(vnode, beside);
  }
  node.expect_places(right, places,
                     "also below its leaves, where a peer's tree may have inner nodes");
}

TEST(sync, keys_that_crowd_make_a_deep_tree) {
  NodeSetup setup = sync_setup();
  setup.config.q = 1;  // then 16 hashes share each of the deepest places
  SyncNode node(3, setup);
  const TreePath five = "5a5a5";
  std::vector<std::string> keys = keys_within(0, five, 1, kLeafKeys);
  node.hold_all(keys);
  node.expect_trees("16 keys that lie side by side on the circle, in one leaf at the root");
  node.hold(other_key_at(hash_of(keys[3])), version("twin", 1));
  node.expect_trees(
      "17 keys, so close that only the deepest place of a tree holds them all; two "
      "of them have the same hash");
  node.hold(key_at(range_of(0, "5a5b", 1).first), version("milk", 1));
  node.hold(key_at(range_of(0, "", 1).last), version("milk", 1));
  node.expect_trees("with two more keys elsewhere");
  const TreeNode deepest = node.place(0, path_of(keys[0], 1));
  if (!deepest.leaf || deepest.copies.size() != kLeafKeys + 1) {
    violation("at depth " + std::to_string(kMostDepth) +
                  " a leaf holds all keys that lie there, 17 of them: it splits no more",
              "there stands " + text(deepest));
  }
}

// ---- What is hashed -----------------------------------------------------------------------------

/// The root of a vnode with these keys and states, and no others.
TreeHash root_of(VnodeId vnode, const std::vector<std::pair<std::string, State>>& held) {
  SyncNode node;
  for (const auto& [key, state] : held) node.hold(key, state);
  node.expect_trees("after a few puts");
  return node.root(vnode);
}

TEST(sync, twins_and_swapped_values_have_other_roots) {
  const VnodeId vnode = 7;
  const std::vector<std::string> keys = keys_of(vnode, 4);
  const State milk = version("milk", 1);
  const State tea = version("tea", 2);
  const auto differ = [&](const std::vector<std::pair<std::string, State>>& a,
                          const std::vector<std::pair<std::string, State>>& b,
                          const std::string& why) {
    if (root_of(vnode, a) != root_of(vnode, b)) return;
    violation("two sets that are not equal have other roots: " + why, "their roots are equal");
  };
  differ({{keys[0], milk}, {keys[1], milk}}, {},
         "two keys with the same value do not cancel each other");
  differ({{keys[0], milk}, {keys[1], milk}}, {{keys[2], milk}, {keys[3], milk}},
         "the same value lies under other keys");
  differ({{keys[0], milk}, {keys[1], tea}}, {{keys[0], tea}, {keys[1], milk}},
         "two keys have swapped their values, which the slide's tree cannot see");
  differ({{keys[0], milk}}, {{keys[0], version("milk", 2)}},
         "the same value was written again: it is another version");
}

TEST(sync, deletes_are_hashed) {
  SyncNode node;
  const VnodeId vnode = 2;
  const std::vector<std::string> keys = keys_of(vnode, 20);
  node.hold_all(keys);
  const TreeHash before = node.root(vnode);
  node.hold(keys[4], written(std::nullopt, stamp(9)));
  const TreeHash after = node.root(vnode);
  std::vector<std::string> rest = keys;
  rest.erase(rest.begin() + 4);
  SyncNode without;
  without.hold_all(rest);
  if (after == before || after == without.root(vnode)) {
    violation(
        "a deletion is a state of the key, and hashed: the root is neither that before it nor "
        "that of a node that never had the key, else a replica that slept brings it back",
        after == before ? "it is the one before" : "it is that without the key");
  }
  node.expect_trees("one of which is deleted");
  for (const std::string& key : keys) node.hold(key, written(std::nullopt, stamp(10)));
  node.expect_trees("all of which are deleted");
}

}  // namespace
