// Grader code, not for you to use: n1, as lab 5's unit checks give it a hint to keep.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "quorum_node.h"

namespace dynamo::sim {

inline bool keeps(const StoreHintsReply& reply, const Copy& copy) {
  return std::any_of(reply.kept.begin(), reply.kept.end(),
                     [&](const Copy& one) { return one.key == copy.key && one.hash == copy.hash; });
}

/// n1 is given a hint for an owner of a key that is not its own, and confirms it.
struct Keeper {
  explicit Keeper(QuorumNode& node_) : Keeper(node_, node_.key(false)) {}
  Keeper(QuorumNode& node_, const std::string& key_) : node(node_), key(key_) {
    owners = node.owners(key);
    owner = owners[1];
    node.all(Conduct::is_silent);
    give(state);
  }

  void give(const State& given) {
    const StoreHintsReply reply =
        node.ask(StoreHints{node.known(), {{owner, copy_of(key, given)}}});
    if (!keeps(reply, copy_of(key, given))) {
      violation("n1 keeps the hint for " + owner + ", and confirms it with the copy's hash",
                "it does not confirm it");
    }
  }

  QuorumNode& node;
  std::string key;
  std::vector<NodeId> owners;
  NodeId owner;
  State state = version_of("n2", "milk");
};

}  // namespace dynamo::sim
