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

/// Joins after which n1 owns a key no more.
struct Joins {
  explicit Joins(QuorumNode& node_) : node(node_), later(node.history) {
    for (std::size_t members = 6; key.empty(); ++members) {
      later = then(later, node_name(members), Change::join);
      node.peers[node_name(members)];
      QuorumNode after("strict", members);
      for (std::size_t i = 0; key.empty() && i < 8; ++i) {
        if (!among(after.owners(node.key(true, i)), "n1")) key = node.key(true, i);
      }
    }
    node.all(Conduct::is_silent);
    retell_all("n1 starts; the members are n1 to n5");
    (void)node.owners(key);
  }
  void happen() {
    node.learn(later);
    node.lone.say("others have joined, and n1 owns " + key + " no more; all confirm");
    node.all(Conduct::confirms);
  }

  QuorumNode& node;
  History later;
  std::string key;
};

/// n1 owes a put, and then owns the key no more.
void judge_who_is_no_owner_any_more() {
  QuorumNode node("strict");
  Joins joins(node);
  const std::string key = joins.key;
  (void)node.put(key, "milk", 1, 1);
  node.pass(1s);
  joins.happen();
  node.pass(4s);
  for (const NodeId& owner : node.owners(key)) {
    if (was_sent(node.peers[owner], key, node.held(key)->state)) continue;
    violation("n1's debt goes on though it is no owner any more: each of today's, " +
                  list(node.owners(key)) + ", is owed the put",
              owner + " is not sent it");
  }
}

/// n1 waits for those who are to hold a put, and then is none of them itself.
void judge_a_coordinator_that_is_no_owner_any_more() {
  NodeSetup setup = quorum_setup("strict");
  setup.config.request_deadline = 30s;
  setup.config.call_timeout = 4s;
  QuorumNode node(setup);
  Joins joins(node);
  const RequestToken put = node.put(joins.key, "milk", 3, 1);
  node.pass(200ms);
  joins.happen();
  const NodeId silent = node.owners(joins.key).back();
  node.lone.say(silent + " does not answer");
  node.peers[silent].conduct = Conduct::is_silent;
  node.pass(20s);
  if (not_met(node.told(put), 3, 2)) return;
  violation("w=3; n1 holds the put, but is no owner of " + joins.key + " any more; of today's, " +
                list(node.owners(joins.key)) + ", two have confirmed it, and " + silent +
                " does not answer: unavailable, needed 3, got 2",
            words(node.told(put)));
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

/// n1 owes a put to an owner that is removed. `killed`: soon after that n1 is killed, too.
void judge_a_removed_owner(bool killed) {
  QuorumNode node("strict", 6);
  Removal removal(node);
  const std::string key = removal.key;
  node.all(Conduct::is_silent);
  (void)node.put(key, "milk", 1, 1);
  node.pass(1s);
  removal.happens();
  if (killed) node.kill_and_restart();
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
}

TEST(quorum, when_owners_change_those_of_today_are_owed_and_count) {
  judge_who_is_no_owner_any_more();
  judge_a_coordinator_that_is_no_owner_any_more();
  judge_who_has_left_and_is_back();
  judge_a_removed_owner(false);
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

/// `one_confirmed`: an owner has confirmed the put before n1 is killed.
void judge_a_killed_coordinator(QuorumNode& node, const std::string& key, bool one_confirmed,
                                const std::vector<std::string>& kills) {
  const std::vector<NodeId> others = node.others(key);
  node.all(Conduct::is_silent);
  if (one_confirmed) node.peers[others[0]].conduct = Conduct::confirms;
  (void)node.put(key, "milk", 3, 1);
  if (one_confirmed) node.pass(1s);
  for (const std::string& kill : kills) {
    node.kill_and_restart();
    if (node.value(key) == "[milk]") continue;
    violation("n1 writes the version before the first message leaves: it survives " + kill,
              "its disk holds " + node.value(key));
  }
  node.all(Conduct::confirms);
  node.pass(3s);
  for (const NodeId& owner : others) {
    if (one_confirmed && owner == others[0]) continue;
    if (was_sent(node.peers[owner], key, node.held(key)->state)) continue;
    violation(owner + " has not confirmed the put: that it is owed it stands on n1's disk " +
                  "before the first message leaves, and after the restart n1 sends it",
              owner + " is sent nothing");
  }
}

TEST(quorum, a_put_and_what_is_owed_survive_a_kill) {
  for (const bool one_confirmed : {false, true}) {
    QuorumNode node("strict");
    judge_a_killed_coordinator(node, node.key(true), one_confirmed, {"a kill"});
  }
  QuorumNode node("strict");
  judge_a_killed_coordinator(node, odd_key(node, true), false, {"a kill", "a second kill"});
  judge_a_removed_owner(true);
}

}  // namespace
