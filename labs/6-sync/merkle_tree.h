// The oracle of lab 6's checks: what a tree must be, from the keys alone. It is made afresh for
// each question, from the rules in tree.h, and asks no solution anything.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "node/local_store.h"
#include "sim/check.h"
#include "sim/store_checks.h"

namespace dynamo::sim {

/// The trees of all vnodes.
class MerkleTrees {
 public:
  explicit MerkleTrees(std::uint32_t q) : q_(q) {}

  void put(const std::string& key, const StateHash& hash) {
    vnodes_[vnode_of(q_, key)][{hash_of(key), key}] = {path_of(key, q_), hash};
  }
  void erase(const std::string& key) { vnodes_[vnode_of(q_, key)].erase({hash_of(key), key}); }

  std::uint32_t q() const { return q_; }

  TreeHash root(VnodeId vnode) const { return hash(below(vnode, ""), 0); }

  TreeNode node(VnodeId vnode, const TreePath& path) const {
    const Keys keys = below(vnode, path);
    TreeNode node{path, is_leaf(keys, path.size()), {}, {}};
    if (node.leaf) {
      for (const auto& [place, key] : keys) {
        node.copies.push_back({place.second, key.hash, std::nullopt});
      }
    } else {
      node.children = children(keys, path.size());
    }
    return node;
  }

  /// Every place down to the leaves at which something stands, empty leaves too, from the root on.
  std::vector<TreePath> places(VnodeId vnode) const {
    std::vector<TreePath> found = {""};
    for (std::size_t i = 0; i < found.size(); ++i) {
      if (is_leaf(below(vnode, found[i]), found[i].size())) continue;
      for (const char digit : kDigits) found.push_back(found[i] + digit);
    }
    return found;
  }

  std::vector<std::string> keys(VnodeId vnode) const {
    std::vector<std::string> names;
    for (const auto& [place, key] : below(vnode, "")) names.push_back(place.second);
    return names;
  }

 private:
  static constexpr std::string_view kDigits = "0123456789abcdef";

  struct Key {
    TreePath path;
    StateHash hash;
  };
  using Keys = std::map<std::pair<KeyHash, std::string>, Key>;  ///< In the order of leaves.

  static bool is_leaf(const Keys& keys, std::size_t depth) {
    return keys.size() <= kLeafKeys || depth == kMostDepth;
  }

  Keys below(VnodeId vnode, const TreePath& path) const {
    const auto found = vnodes_.find(vnode);
    if (found == vnodes_.end()) return {};
    if (path.empty()) return found->second;
    Keys keys;
    for (const auto& [place, key] : found->second) {
      if (key.path.starts_with(path)) keys.emplace_hint(keys.end(), place, key);
    }
    return keys;
  }

  static TreeHash hash(const Keys& keys, std::size_t depth) {
    if (!is_leaf(keys, depth)) return hash_of_children(children(keys, depth));
    std::vector<StateHash> states;
    for (const auto& [place, key] : keys) states.push_back(key.hash);
    return hash_of_leaf(states);
  }

  static std::vector<TreeHash> children(const Keys& keys, std::size_t depth) {
    std::map<char, Keys> parts;
    for (const auto& [place, key] : keys) parts[key.path[depth]].emplace(place, key);
    std::vector<TreeHash> hashes;
    for (const char digit : kDigits) hashes.push_back(hash(parts[digit], depth + 1));
    return hashes;
  }

  const std::uint32_t q_;
  std::map<VnodeId, Keys> vnodes_;
};

/// The trees of what lies on a disk.
inline MerkleTrees trees_of(const Disk& disk, std::uint32_t q) {
  MerkleTrees trees(q);
  const std::string space(kStateSpace);
  for (auto it = disk.lower_bound({space, ""}); it != disk.end() && it->first.first == space;
       ++it) {
    const auto held = codec::decode<Held>(it->second);
    if (!held) throw Violation("the space \"state\" holds states", "bytes that are none lie there");
    trees.put(std::string(key_in_state_space(it->first.second)), held->hash);
  }
  return trees;
}

inline std::string place_name(VnodeId vnode, const TreePath& path) {
  return path.empty() ? "the root of vnode " + std::to_string(vnode)
                      : "the place \"" + path + "\" of vnode " + std::to_string(vnode);
}

/// The key, if it is text.
inline std::string shown(const std::string& key) {
  const bool printable =
      std::all_of(key.begin(), key.end(), [](char byte) { return byte >= ' ' && byte <= '~'; });
  return printable ? key : "a key of " + std::to_string(key.size()) + " bytes";
}

/// "an empty leaf", "a leaf with [cart1, cart2]", "an inner node with 16 children"
inline std::string text(const TreeNode& node) {
  if (!node.leaf) return "an inner node with " + std::to_string(node.children.size()) + " children";
  if (node.copies.empty()) return "an empty leaf";
  std::vector<std::string> keys;
  for (const Copy& copy : node.copies) keys.push_back(shown(copy.key));
  if (keys.size() <= kLeafKeys) return "a leaf with " + list(keys);
  return "a leaf with " + std::to_string(keys.size()) + " keys";
}

/// What is wrong with a node that a solution has given; empty if nothing is.
inline std::string differs(const TreeNode& given, const TreeNode& right) {
  if (given.path != right.path) {
    return "its path says \"" + given.path + "\", and \"" + right.path + "\" was asked for";
  }
  if (given.leaf != right.leaf) return "there stands " + text(given) + ", not " + text(right);
  if (!given.leaf) {
    if (!given.copies.empty()) return "an inner node has children only, and this one has copies";
    if (given.children.size() != kFanout) return "there stands " + text(given);
    for (std::size_t i = 0; i < kFanout; ++i) {
      if (given.children[i] == right.children[i]) continue;
      return "the hash of its child " + std::string(1, "0123456789abcdef"[i]) + " is not that " +
             "of what lies below";
    }
    return "";
  }
  if (!given.children.empty()) return "a leaf has copies only, and this one has children";
  const auto same = [](const Copy& a, const Copy& b) {
    return a.key == b.key && a.hash == b.hash && a.state == b.state;
  };
  if (std::equal(given.copies.begin(), given.copies.end(), right.copies.begin(), right.copies.end(),
                 same)) {
    return "";
  }
  if (text(given) != text(right)) return "there stands " + text(given) + ", not " + text(right);
  return "of " + text(given) + ", a hash is not that of the state held, or a state comes with it";
}

}  // namespace dynamo::sim
