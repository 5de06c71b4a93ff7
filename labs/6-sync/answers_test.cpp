// Lab 6, part B: what one node answers a peer that compares its tree with it.
#include <algorithm>
#include <string>
#include <vector>

#include "sync_node.h"

namespace {

using namespace dynamo;
using namespace dynamo::sim;

bool holds(const std::vector<VnodeId>& vnodes, VnodeId vnode) {
  return std::find(vnodes.begin(), vnodes.end(), vnode) != vnodes.end();
}

/// Questions that no right node asks: n1 answers with nothing, and goes on.
void judge_questions_that_are_nonsense(SyncNode& node, VnodeId mine) {
  for (const VnodeId vnode : {kQ, VnodeId{4'000'000'000}}) {
    const auto differing = node.ask(CompareRoots{node.known(), {{vnode, {1, 2}}}}).differing;
    const auto nodes = node.ask(AskNodes{node.known(), vnode, {""}}).nodes;
    if (differing.empty() && nodes.empty()) continue;
    violation("there is no vnode " + std::to_string(vnode) + ": n1 does not name it, and gives " +
                  "no node of it",
              differing.empty() ? "it gives a node" : "it names it");
  }
  const std::vector<std::pair<std::vector<TreePath>, std::string>> wrong = {
      {{"3g"}, "g is no digit of a path"},
      {{"A"}, "A is no digit of a path, only a is"},
      {{"", "3/"}, "the second path is none"},
      {{TreePath(kMostDepth + 1, '0')}, "a path has up to 15 digits, and this one 16"},
      {std::vector<TreePath>(AskNodes::kMostPaths + 1, "3"), "there are 65 paths, one too many"}};
  for (const auto& [paths, why] : wrong) {
    const std::size_t nodes = node.ask(AskNodes{node.known(), mine, paths}).nodes.size();
    if (nodes == 0) continue;
    violation("the question is nonsense, since " + why + ": n1 gives no nodes",
              "it gives " + std::to_string(nodes));
  }
  const std::vector<std::string> keys = {"", std::string(257, 'k')};
  if (node.ask(AskCopies{node.known(), keys}).copies.empty()) return;
  violation("no key has 0 bytes, or 257: n1 sends no copy of such a one", "it sends one");
}

TEST(sync, roots_that_differ_are_named) {
  SyncNode node(5);
  std::vector<VnodeId> mine;
  std::vector<VnodeId> others;
  for (VnodeId vnode = 0; vnode < kQ; ++vnode) {
    const auto owners = node.lone.invoke<&Ring::preference_list>(vnode);
    (among(owners, "n1") ? mine : others).push_back(vnode);
  }
  for (const VnodeId vnode : mine) node.hold_all(keys_of(vnode, 20 + vnode));
  const MerkleTrees right = trees_of(node.lone.disk(), kQ);
  const auto judge = [&](const std::vector<VnodeId>& asked, const std::vector<VnodeId>& other,
                         const std::string& why) {
    CompareRoots request{node.known(), {}};
    std::vector<VnodeId> differing;
    for (const VnodeId vnode : asked) {
      const bool changed = holds(other, vnode);
      request.roots.push_back({vnode, changed ? TreeHash{1, vnode} : right.root(vnode)});
      if (changed && holds(mine, vnode)) differing.push_back(vnode);
    }
    const CompareRootsReply reply = node.ask(request);
    if (reply.differing != differing) {
      violation("asked about the roots of " + numbers(asked) + ", n1 names " + numbers(differing) +
                    ": " + why,
                "it names " + numbers(reply.differing));
    }
  };
  judge(mine, {}, "they are all equal to its own");
  judge(mine, mine, "each of them differs");
  judge(mine, {mine.front(), mine.back()}, "the first and the last differ");
  std::vector<VnodeId> back = {mine.rbegin(), mine.rend()};
  judge(back, {mine[1], mine[2]}, "in the order of the question");
  std::vector<VnodeId> all = others;
  all.insert(all.end(), mine.begin(), mine.end());
  judge(all, all, "those that it does not own are none of its business");
  judge({}, {}, "nothing was asked");
}

TEST(sync, nodes_are_answered_as_they_stand) {
  SyncNode node(5);
  const std::string first = node.key(true);
  const VnodeId mine = vnode_of(kQ, first);
  const std::vector<std::string> keys = keys_of(mine, 120);
  node.hold_all(keys);
  const MerkleTrees right = trees_of(node.lone.disk(), kQ);
  const TreePath path = path_of(keys[0], kQ);
  const std::vector<TreePath> paths = {"", path.substr(0, 1), path.substr(0, 2), "0", path, "f"};
  const AskNodesReply reply = node.ask(AskNodes{node.known(), mine, paths});
  if (reply.nodes.size() != paths.size()) {
    violation("n1, an owner of vnode " + std::to_string(mine) + ", was asked for " +
                  std::to_string(paths.size()) + " places, and gives as many nodes",
              "it gives " + std::to_string(reply.nodes.size()));
  }
  for (std::size_t i = 0; i < paths.size(); ++i) {
    const std::string wrong = differs(reply.nodes[i], right.node(mine, paths[i]));
    if (wrong.empty()) continue;
    violation("the nodes come in the order of the question, and at " + place_name(mine, paths[i]) +
                  " stands " + text(right.node(mine, paths[i])),
              wrong);
  }
  const VnodeId other = vnode_of(kQ, node.key(false));
  const AskNodesReply none = node.ask(AskNodes{node.known(), other, {"", "3"}});
  if (!none.nodes.empty()) {
    violation("n1 does not own vnode " + std::to_string(other) + ": it gives no nodes of it",
              "it gives " + std::to_string(none.nodes.size()));
  }
  judge_questions_that_are_nonsense(node, mine);
}

TEST(sync, copies_are_sent_as_many_as_a_batch_holds) {
  NodeSetup setup = sync_setup();
  setup.config.batch_bytes = 1000;
  SyncNode node(3, setup);
  const std::vector<std::string> keys = some_keys(30);
  std::vector<std::string> held;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (i % 5 != 4) held.push_back(keys[i]);
  }
  node.hold_all(held, std::string(200, 'x'));
  const State large = version(std::string(5000, 'y'), 2);
  node.hold(keys[11], large);
  std::vector<std::string> rest = keys;
  std::vector<std::string> got;
  while (!rest.empty()) {
    const AskCopiesReply reply = node.ask(AskCopies{node.known(), rest});
    if (reply.answered == 0 || reply.answered > rest.size()) {
      violation("of " + std::to_string(rest.size()) +
                    " keys that are asked for, n1 answers at least one, and no more than these",
                "it answers " + std::to_string(reply.answered));
    }
    for (const Copy& copy : reply.copies) {
      if (!copy.state || copy.hash != hash_of(copy.key, *copy.state)) {
        violation("each copy comes with its state and the hash of it",
                  "that of " + copy.key + (copy.state ? " has another hash" : " has no state"));
      }
      got.push_back(copy.key);
    }
    const auto answered = static_cast<std::ptrdiff_t>(reply.answered);
    const std::size_t bytes = bytes_but_the_last(reply.copies);
    if (bytes > setup.config.batch_bytes) {
      violation("a reply carries about 1000 bytes of states, as the config says, at least one",
                std::to_string(reply.copies.size()) + " states, and " + std::to_string(bytes) +
                    " bytes without the last one");
    }
    rest.erase(rest.begin(), rest.begin() + answered);
  }
  if (got != held) {
    violation(
        "in the end n1 has sent the states of all keys that it holds, in the order of the "
        "questions: " +
            list(held),
        list(got));
  }
}

/// n1 holds a key of before four nodes joined, and owns it no more.
struct Stray {
  Stray() : node(3) {
    const std::vector<std::string> keys = some_keys(100);
    node.hold_all(keys);
    History later = node.history;
    for (std::size_t i = 4; i <= 7; ++i) later = then(later, node_name(i), Change::join);
    node.learn(later);
    const auto found = std::find_if(keys.begin(), keys.end(), [&](const std::string& one) {
      return !among(node.owners(one), "n1");
    });
    if (found == keys.end()) throw std::logic_error("four joins took nothing from n1");
    key = *found;
    vnode = vnode_of(kQ, key);
    node.lone.say("four nodes have joined: n1 still holds " + key + ", and owns it no more");
  }

  /// How many roots, nodes and copies n1 gives of it to somebody who knows this.
  std::string given(const Known& known) {
    const auto roots = node.ask(CompareRoots{known, {{vnode, {1, 2}}}}).differing;
    const auto nodes = node.ask(AskNodes{known, vnode, {""}}).nodes;
    const auto copies = node.ask(AskCopies{known, {key}}).copies;
    return std::to_string(roots.size()) + " roots, " + std::to_string(nodes.size()) + " nodes, " +
           std::to_string(copies.size()) + " copies";
  }

  SyncNode node;
  std::string key;
  VnodeId vnode = 0;
};

/// The message itself tells that the four have left again, so that n1 is an owner.
void judge_news_of_who_is_an_owner() {
  for (const std::string message : {"a CompareRoots", "an AskNodes", "an AskCopies"}) {
    Stray stray;
    SyncNode& node = stray.node;
    History back = node.history;
    for (std::size_t i = 4; i <= 7; ++i) back = then(back, node_name(i), Change::leave);
    const Known news{digest_of(back), back};
    std::size_t given = 0;
    if (message == "a CompareRoots") {
      given = node.ask(CompareRoots{news, {{stray.vnode, {1, 2}}}}).differing.size();
    } else if (message == "an AskNodes") {
      given = node.ask(AskNodes{news, stray.vnode, {""}}).nodes.size();
    } else {
      given = node.ask(AskCopies{news, {stray.key}}).copies.size();
    }
    if (given == 1) continue;
    violation("n1 learns from " + message + " that the four have left, and so that it owns " +
                  stray.key + " again, before it looks at anything else of it: it answers as an " +
                  "owner",
              "it answers with nothing");
  }
}

TEST(sync, a_vnode_that_n1_does_not_own_is_nobodys_business) {
  judge_news_of_who_is_an_owner();
  Stray stray;
  const std::string given = stray.given(stray.node.known());
  if (given == "0 roots, 0 nodes, 0 copies") return;
  violation("a peer asks for a vnode that n1 does not own, and gets no root, no node and no copy",
            "it gets " + given);
}

}  // namespace
