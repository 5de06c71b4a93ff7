// How lab 6's unit checks speak with one node: it is n1, and holds what the check has sent it.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "../3-replication/one_node.h"
#include "merkle_tree.h"
#include "node/last_write_wins.h"

namespace dynamo::sim {

inline constexpr Duration kNever = std::chrono::hours(1000);
inline constexpr Duration kPeriod = std::chrono::seconds(1);

/// Lab 3's node with a sync. `period`: kNever, so that it only answers, or kPeriod.
inline NodeSetup sync_setup(Duration period = kNever) {
  NodeSetup setup = replication_setup({"membership", "ring", "replication", "sync"});
  setup.config.retry_period = kNever;  // what moves, sync moves
  setup.config.sync_period = period;
  setup.config.sync_bytes_per_second = 1u << 30;
  return setup;
}

/// What one write of n2's leaves; the larger number is the newer one.
inline State version(const std::string& value, std::uint64_t number) {
  return written(value, stamp(number));
}

/// "[0, 3, 7]"
inline std::string numbers(const std::vector<VnodeId>& vnodes) {
  std::vector<std::string> names;
  names.reserve(vnodes.size());
  for (const VnodeId vnode : vnodes) names.push_back(std::to_string(vnode));
  return list(names);
}

/// `count` keys, others for each `series`.
inline std::vector<std::string> some_keys(std::size_t count, const std::string& series = "cart") {
  std::vector<std::string> keys;
  for (std::size_t i = 0; i < count; ++i) keys.push_back(series + std::to_string(i));
  return keys;
}

/// The first `count` of them that lie in `vnode`.
inline std::vector<std::string> keys_of(VnodeId vnode, std::size_t count,
                                        const std::string& series = "cart") {
  std::vector<std::string> keys;
  for (std::size_t i = 0; keys.size() < count; ++i) {
    std::string key = series + std::to_string(i);
    if (vnode_of(kQ, key) == vnode) keys.push_back(std::move(key));
  }
  return keys;
}

/// Of the states that a message carries. The last one may be more than fits.
inline std::size_t bytes_but_the_last(const std::vector<Copy>& copies) {
  std::size_t bytes = 0;
  for (std::size_t i = 0; i + 1 < copies.size(); ++i) {
    bytes += copies[i].state ? copies[i].state->bytes.size() : 0;
  }
  return bytes;
}

/// n1, one of three members: it owns every key.
struct SyncNode : OneNode {
  explicit SyncNode(std::size_t members = 3, const NodeSetup& setup = sync_setup())
      : OneNode(members, setup, setup.self == "n1"),
        q(setup.config.q),
        batch_bytes(setup.config.batch_bytes) {}

  /// Sends n1 states, as a peer that propagates. `told`: what they are; empty: the story counts
  /// them.
  void hold(const std::vector<Copy>& copies, const std::string& told = {}) {
    constexpr std::size_t kAtOnce = 200;
    constexpr std::size_t kFew = 4;  // are told as they come
    for (std::size_t i = 0; i < copies.size(); i += kAtOnce) {
      const std::size_t end = std::min(copies.size(), i + kAtOnce);
      const Update update{known(),
                          {copies.begin() + static_cast<std::ptrdiff_t>(i),
                           copies.begin() + static_cast<std::ptrdiff_t>(end)}};
      const UpdateReply reply = ask(update);
      if (reply.confirmed.size() != end - i) {
        violation(
            "n1 takes the states that a peer sends it, and confirms them: the module "
            "replication is at work",
            "it confirms " + std::to_string(reply.confirmed.size()) + " of " +
                std::to_string(end - i));
      }
    }
    if (copies.size() <= kFew) return;
    retell((copies.size() + kAtOnce - 1) / kAtOnce, "");
    lone.say("it is sent " + std::to_string(copies.size()) + " keys" + told);
  }
  void hold(const std::string& key, const State& state) { hold({copy_of(key, state)}); }
  void hold_all(const std::vector<std::string>& keys, const std::string& text = "milk",
                std::uint64_t number = 1) {
    std::vector<Copy> copies;
    copies.reserve(keys.size());
    for (const std::string& key : keys) copies.push_back(copy_of(key, version(text, number)));
    const bool readable = std::all_of(keys.begin(), keys.end(), [](const std::string& key) {
      return std::all_of(key.begin(), key.end(), [](char c) { return c > ' ' && c <= '~'; });
    });
    const bool told = readable && !keys.empty();
    hold(copies, told ? ", " + keys.front() + " to " + keys.back() + ": " + beginning(text) : "");
  }

  TreeHash root(VnodeId vnode) { return lone.invoke<&Sync::root>(vnode); }
  TreeHash root_of(const std::string& key) { return root(vnode_of(q, key)); }
  TreeNode place(VnodeId vnode, const TreePath& path) {
    return lone.invoke<&Sync::node>(vnode, path);
  }
  std::uint64_t visited() { return lone.invoke<&LocalStore::visited>(); }

  /// Property 6.1: each root, and with `whole` each place, is what follows from what is held.
  void expect_trees(const std::string& when, bool whole = true) {
    const MerkleTrees right = trees_of(lone.disk(), q);
    std::vector<std::tuple<VnodeId>> vnodes;
    std::vector<Place> places;
    for (VnodeId vnode = 0; vnode < q; ++vnode) {
      vnodes.emplace_back(vnode);
      if (!whole) continue;
      for (const TreePath& path : right.places(vnode)) places.emplace_back(vnode, path);
    }
    expect_places(right, places, when);
    const std::vector<TreeHash> roots = lone.map<&Sync::root>(vnodes);
    for (VnodeId vnode = 0; vnode < q; ++vnode) {
      if (roots[vnode] == right.root(vnode)) continue;
      violation("the root of vnode " + std::to_string(vnode) +
                    " is that of a tree made afresh from the keys that n1 holds, " + when,
                "it is " + std::string(roots[vnode] == TreeHash{} ? "that of no keys" : "another") +
                    "; n1 holds " + std::to_string(right.keys(vnode).size()) + " keys there");
    }
    retell(whole ? 2 : 1, "");  // all is right: no step
  }

  using Place = std::tuple<VnodeId, TreePath>;
  void expect_places(const MerkleTrees& right, const std::vector<Place>& places,
                     const std::string& when) {
    const std::vector<TreeNode> nodes = lone.map<&Sync::node>(places);
    for (std::size_t i = 0; i < places.size(); ++i) {
      const auto& [vnode, path] = places[i];
      const TreeNode stands = right.node(vnode, path);
      const std::string wrong = differs(nodes[i], stands);
      if (wrong.empty()) continue;
      violation("at " + place_name(vnode, path) + " stands " + text(stands) +
                    ", as follows from the keys that n1 holds, " + when,
                wrong);
    }
  }

  const std::uint32_t q;
  const std::size_t batch_bytes;
};

}  // namespace dynamo::sim
