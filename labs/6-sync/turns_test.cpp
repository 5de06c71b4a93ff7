// Lab 6, parts B and C: with whom n1 begins an exchange, when, and about which vnodes.
#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "invented_peers.h"

namespace {

using namespace dynamo;
using namespace dynamo::sim;

/// The vnodes that n1 and `peer` both own.
std::vector<VnodeId> common(SyncNode& node, const NodeId& peer) {
  std::vector<VnodeId> vnodes;
  for (VnodeId vnode = 0; vnode < kQ; ++vnode) {
    const auto owners = node.lone.invoke<&Ring::preference_list>(vnode);
    if (among(owners, "n1") && among(owners, peer)) vnodes.push_back(vnode);
  }
  return vnodes;
}

/// Two nodes join in the middle of an exchange, so that owners are others for the rest of it.
void judge_joins_during_an_exchange() {
  SyncNode node(6, sync_setup(kPeriod));
  Peers peers(node, 8);
  for (const std::string& key : some_keys(100)) {
    for (std::size_t i = 2; i <= 6; ++i) peers.at(node_name(i)).hold(key, version("milk", 1));
  }
  History later = node.history;
  for (std::size_t i = 7; i <= 8; ++i) later = then(later, node_name(i), Change::join);
  SyncNode after(8);
  std::set<NodeId> losers;  // own other vnodes together with n1 after that
  for (std::size_t i = 2; i <= 6; ++i) {
    if (common(after, node_name(i)) != common(node, node_name(i))) losers.insert(node_name(i));
  }
  retell_all("n1 starts; the members are n1 to n6; all others hold 100 keys, n1 none");
  bool have_joined = false;
  std::size_t begun = 0;
  peers.instead = [&](const Lone::Call& call) {
    if (call.type == message_number<CompareRoots>) {
      if (have_joined) ++begun;
      if (!have_joined && losers.contains(call.to)) {
        node.learn(later);
        have_joined = true;
      }
    }
    if (!have_joined || call.type != message_number<AskNodes>) return false;
    const VnodeId vnode = codec::decode<AskNodes>(call.bytes).value().vnode;
    const auto owners = node.lone.invoke<&Ring::preference_list>(vnode);
    if (among(owners, "n1") && among(owners, call.to)) return false;
    violation("n7 and n8 have joined in the middle of an exchange, and vnode " +
                  std::to_string(vnode) + " is owned by " + list(owners) + " now: n1 asks " +
                  call.to + " no more about it",
              "it sends it an AskNodes");
  };
  peers.run(8 * kPeriod);
  if (!have_joined) {
    violation("in eight periods each of five co-owners has its turn",
              "n1 has asked none of " + list({losers.begin(), losers.end()}) + " for its roots");
  }
  if (begun > 0) return;
  violation(
      "n7 and n8 have joined in the middle of an exchange: each period that follows begins "
      "one with the next co-owner",
      "n1 sends no CompareRoots any more");
}

TEST(sync, only_vnodes_that_both_own_are_compared) {
  SyncNode node(6, sync_setup(kPeriod));
  Peers peers(node, 8);
  const auto judge = [&](std::size_t members, const std::string& when) {
    peers.forget_said();
    peers.run((members - 1) * 3 * kPeriod);
    for (std::size_t i = 2; i <= members; ++i) {
      const NodeId peer = node_name(i);
      std::set<VnodeId> asked;
      for (const CompareRoots& question : peers.all<CompareRoots>(peer)) {
        for (const VnodeRoot& root : question.roots) asked.insert(root.vnode);
      }
      const std::vector<VnodeId> right = common(node, peer);
      const std::vector<VnodeId> seen = {asked.begin(), asked.end()};
      if (seen == right) continue;
      violation("with " + peer + " n1 compares the vnodes that both of them own, " +
                    numbers(right) + ", each of them, and no other; " + when,
                "it compares " + numbers(seen));
    }
  };
  judge(6, "there are six members");
  History later = node.history;
  for (std::size_t i = 7; i <= 8; ++i) later = then(later, node_name(i), Change::join);
  node.learn(later);
  judge(8, "n7 and n8 have joined, so that some owners are others");
  judge_joins_during_an_exchange();
}

/// n1 lacks something in each of 64 vnodes.
void judge_many_vnodes() {
  NodeSetup setup = sync_setup(kPeriod);
  setup.config.q = 64;
  Pair pair(setup);
  std::map<std::string, State> right;
  for (const std::string& key : some_keys(400)) {
    right[key] = version("milk", 1);
    pair.peers.n2().hold(key, right[key]);
  }
  pair.node.lone.say("n1 lacks 400 keys of n2's, in 64 vnodes");
  pair.peers.run(2 * kPeriod + kPeriod / 2);
  pair.expect_merged(right, "after two exchanges, which are two passes over all vnodes");
}

TEST(sync, peers_come_up_in_turn) {
  judge_many_vnodes();
  constexpr std::size_t kMembers = 5;
  constexpr std::size_t kRounds = 3;
  SyncNode node(kMembers, sync_setup(kPeriod));
  Peers peers(node, kMembers);
  const auto questions = [&](const NodeId& peer) { return peers.all<CompareRoots>(peer).size(); };
  peers.run(kRounds * (kMembers - 1) * kPeriod);
  for (std::size_t i = 2; i <= kMembers; ++i) {
    const NodeId peer = node_name(i);
    if (questions(peer) + 1 >= kRounds && questions(peer) <= kRounds + 1) continue;
    violation(
        "in 12 periods, with four co-owners that take turns, n1 begins three exchanges with " +
            peer,
        "it begins " + std::to_string(questions(peer)));
  }
  node.lone.say("n3 answers no more");
  peers.instead = [&](const Lone::Call& call) {
    if (call.to != "n3") return false;
    peers.silence(call);
    return true;
  };
  peers.forget_said();
  peers.run(2 * kRounds * (kMembers - 1) * kPeriod);
  for (std::size_t i = 2; i <= kMembers; ++i) {
    const NodeId peer = node_name(i);
    if (questions(peer) >= (peer == "n3" ? 1 : kRounds)) continue;
    violation(
        "in 24 periods, of which n3 answers in none, all others have their turns, and n3 is "
        "tried now and then",
        "n1 begins " + std::to_string(questions(peer)) +
            (questions(peer) == 1 ? " exchange with " : " exchanges with ") + peer);
  }
}

}  // namespace
