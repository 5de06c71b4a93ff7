// Lab 6: how two nodes compare their trees. Given; sync.h says what you write. States are sent with
// lab 3's Update.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/cluster_view.h"
#include "core/keys.h"
#include "replication_messages.h"
#include "tree.h"

namespace dynamo {

struct CompareRootsReply;
struct AskNodesReply;
struct AskCopiesReply;

struct VnodeRoot {
  VnodeId vnode = 0;
  TreeHash root;
  FIELDS(vnode, root)
};
/// "These are my roots. Which of yours are others?" Vnodes that both nodes own, and no more than
/// kMostRoots.
struct CompareRoots {
  static constexpr std::string_view type_name = "CompareRoots";
  using Reply = CompareRootsReply;
  static constexpr std::size_t kMostRoots = 4096;
  Known known;
  std::vector<VnodeRoot> roots;
  FIELDS(known, roots)
};
struct CompareRootsReply {
  Known known;
  std::vector<VnodeId> differing;  ///< Of those that I own, too, in the order of the question.
  FIELDS(known, differing)
};

/// What stands at a place of a tree.
struct TreeNode {
  TreePath path;
  bool leaf = true;
  std::vector<TreeHash> children;  ///< Of an inner node: kFanout.
  std::vector<Copy> copies;        ///< Of a leaf: its keys, without states, in order.
  FIELDS(path, leaf, children, copies)
};
/// "What stands at these places of your tree?" At most kMostPaths.
struct AskNodes {
  static constexpr std::string_view type_name = "AskNodes";
  using Reply = AskNodesReply;
  static constexpr std::size_t kMostPaths = 64;
  Known known;
  VnodeId vnode = 0;
  std::vector<TreePath> paths;
  FIELDS(known, vnode, paths)
};
struct AskNodesReply {
  Known known;
  /// One for each path, in their order; none if the vnode is not mine, or the question is nonsense.
  std::vector<TreeNode> nodes;
  FIELDS(known, nodes)
};

/// "Send me your states of these keys." How many you ask for at a time is yours to choose.
struct AskCopies {
  static constexpr std::string_view type_name = "AskCopies";
  using Reply = AskCopiesReply;
  Known known;
  std::vector<std::string> keys;
  FIELDS(known, keys)
};
struct AskCopiesReply {
  Known known;
  std::uint32_t answered = 0;  ///< How many keys of the question this answers, the first ones: as
                               ///< many as have about batch_bytes of state bytes together, at
                               ///< least one. Ask again for the rest.
  std::vector<Copy> copies;    ///< Those of them that I hold, with states, in their order.
  FIELDS(known, answered, copies)
};

}  // namespace dynamo
