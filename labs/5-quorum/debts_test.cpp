// Lab 5, part A: what one node owes to the other owners, in strict mode. It is n1.
#include <string>
#include <vector>

#include "quorum_node.h"

namespace {

using namespace dynamo;
using namespace dynamo::sim;
using namespace std::chrono_literals;

TEST(quorum, what_is_owed_is_sent_until_it_is_confirmed) {
  for (const std::uint32_t w : {1u, 3u}) {
    QuorumNode node("strict");
    const std::string key = node.key(true);
    const std::vector<NodeId> others = node.others(key);
    node.all(Conduct::is_silent);
    const RequestToken put = node.put(key, "milk", w, 1);
    node.pass(12s);
    if (w == 1 ? !done(node.told(put)) : !not_met(node.told(put), 3, 1)) {
      violation(w == 1 ? "w=1: done, since n1 holds it" : "w=3: unavailable, needed 3, got 1",
                words(node.told(put)));
    }
    node.all(Conduct::says_nothing_of);
    node.lone.say("the others answer, and confirm nothing");
    node.pass(6s);
    node.look_anew();
    node.all(Conduct::confirms);
    node.pass(3s);
    for (const NodeId& owner : others) {
      if (was_sent(node.peers[owner], key, node.held(key)->state)) continue;
      violation("the client was answered 18 s ago, and " + owner +
                    " has not confirmed: it is sent the state all the same",
                owner + " is sent nothing");
    }
    node.lone.say("all owners have confirmed");
    node.look_anew();
    node.pass(3s);
    if (const auto again = receivers(node, key, others); !again.empty()) {
      violation("what all owners have confirmed is sent to nobody any more",
                "it is sent again, to " + list(again));
    }
  }
}

TEST(quorum, many_debts_go_out_in_batches_and_each_of_them_has_its_turn) {
  NodeSetup setup = quorum_setup("strict");
  setup.config.batch_bytes = 1000;
  QuorumNode node(setup);
  node.all(Conduct::is_silent);
  std::vector<std::string> keys;
  for (std::uint64_t i = 0; i < 15; ++i) {
    keys.push_back(node.key(true, i));
    (void)node.put(keys.back(), std::string(300, 'v'), 1, i + 1);
  }
  node.pass(3s);
  node.lone.say("the others answer, and confirm nothing");
  node.look_anew();
  node.all(Conduct::says_nothing_of);
  node.pass(15s);
  for (const std::string& key : keys) {
    for (const NodeId& owner : node.others(key)) {
      if (was_sent(node.peers[owner], key, node.held(key)->state)) continue;
      violation("15 s are 30 retry periods, and " + owner + " is owed " + list(keys) +
                    " or some of them, in batches of 1000 bytes: each has its turn, though those " +
                    "before it are not confirmed",
                key + " is not sent");
    }
  }
  for (const auto& [name, peer] : node.peers) {
    if (peer.largest <= 2000) continue;
    violation("an Update carries about batch_bytes, 1000 here, of states with 300 bytes of value",
              "one to " + name + " carries " + std::to_string(peer.largest));
  }
}

/// Six members; the first of the other owners of a key of n1's will be removed.
struct Removal {
  explicit Removal(QuorumNode& node_) : node(node_), key(node.key(true)) {
    gone = node.others(key)[0];
    stays = node.others(key)[1];
  }
  void happens() {
    node.lone.say(gone + ", an owner, is removed");
    node.learn(then(node.history, gone, Change::leave));
  }
  NodeId newcomer() {
    for (const NodeId& owner : node.others(key)) {
      if (owner != stays) return owner;
    }
    throw std::logic_error("nobody takes the place of the removed owner");
  }

  QuorumNode& node;
  std::string key;
  NodeId gone;
  NodeId stays;
};

/// n1 owes a put, and then owns the key no more.
void judge_who_is_no_owner_any_more() {
  QuorumNode node("strict");
  History later = node.history;
  std::size_t members = 5;
  std::string key;
  while (key.empty()) {  // one that n1 owns before the joins and not after them
    later = then(later, node_name(++members), Change::join);
    node.peers[node_name(members)];
    QuorumNode after("strict", members);
    for (std::size_t i = 0; key.empty() && i < 8; ++i) {
      if (!among(after.owners(node.key(true, i)), "n1")) key = node.key(true, i);
    }
  }
  node.all(Conduct::is_silent);
  (void)node.put(key, "milk", 1, 1);
  node.pass(1s);
  node.learn(later);
  node.lone.say("others have joined, and n1 owns " + key + " no more; all confirm");
  node.all(Conduct::confirms);
  node.pass(4s);
  for (const NodeId& owner : node.owners(key)) {
    if (was_sent(node.peers[owner], key, node.held(key)->state)) continue;
    violation("n1's debt goes on though it is no owner any more: each of today's, " +
                  list(node.owners(key)) + ", is owed the put",
              owner + " is not sent it");
  }
}

/// An owner has confirmed, leaves, and joins again, perhaps with another disk.
void judge_who_has_left_and_is_back() {
  QuorumNode node("strict", 3);
  const std::string key = node.key(true);
  const std::vector<NodeId> others = node.others(key);
  node.peers[others[1]].conduct = Conduct::is_silent;
  (void)node.put(key, "milk", 2, 1);
  node.pass(1s);
  node.look_anew();
  node.learn(then(node.history, others[0], Change::leave));
  node.learn(then(node.history, others[0], Change::join));
  node.lone.say(others[0] + ", which had confirmed the put, has left, and has joined again");
  node.peers[others[0]].had.clear();
  node.pass(4s);
  if (was_sent(node.peers[others[0]], key, node.held(key)->state)) return;
  violation(others[1] + " has not confirmed the put, so its debt is open, and when the history " +
                "grows all of today's owners are owed it again",
            others[0] + " is sent no state");
}

TEST(quorum, when_owners_change_those_of_today_are_owed_and_count) {
  judge_who_is_no_owner_any_more();
  judge_who_has_left_and_is_back();
  QuorumNode node("strict", 6);
  Removal removal(node);
  const std::string key = removal.key;
  node.all(Conduct::is_silent);
  (void)node.put(key, "milk", 1, 1);
  node.pass(1s);
  removal.happens();
  node.lone.say("all confirm what they are sent, " + removal.gone + " nothing");
  node.all(Conduct::confirms);
  node.peers[removal.gone].conduct = Conduct::says_nothing_of;
  node.pass(4s);
  for (const NodeId& owner : node.others(key)) {
    if (was_sent(node.peers[owner], key, node.held(key)->state)) continue;
    violation("n1 owed the put to " + removal.gone + " and " + removal.stays +
                  "; now the owners are " + list(node.owners(key)) +
                  ", and all of them are owed it",
              owner + " is not sent it");
  }
  node.look_anew();
  node.pass(3s);
  if (was_sent(node.peers[removal.gone], key)) {
    violation(removal.gone + " is no owner any more: nothing is owed to it",
              "it is sent an Update");
  }

  NodeSetup setup = quorum_setup("strict");
  setup.config.request_deadline = 30s;
  setup.config.call_timeout = 4s;
  QuorumNode other(setup, 6);
  Removal during(other);
  other.peers[during.stays].delay = 1s;
  const RequestToken put = other.put(during.key, "milk", 3, 1);
  other.pass(200ms);
  during.happens();
  other.peers[during.newcomer()].delay = 2s;
  other.pass(1s);
  if (const auto outcome = other.told(put)) {
    violation("w=3; n1, " + during.gone + " and " + during.stays + " hold the put, but " +
                  during.gone + " is no owner any more, and " + during.newcomer() +
                  ", which is one now, has confirmed nothing: no answer yet",
              words(outcome));
  }
  other.pass(8s);
  if (!done(other.told(put)) || other.told(put)->got != 3) {
    violation(
        "all owners of today, " + list(other.owners(during.key)) + ", have confirmed: done, got 3",
        words(other.told(put)));
  }
}

}  // namespace
