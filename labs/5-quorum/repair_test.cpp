// Lab 5, part B: what a get returns, and whom it mends. n1 is one of five members, strict mode.
#include <functional>
#include <string>
#include <vector>

#include "quorum_node.h"

namespace {

using namespace dynamo;
using namespace dynamo::sim;
using namespace std::chrono_literals;

/// A key that n1 owns, or not, and what its owners hold in the beginning.
struct Replicas {
  Replicas(QuorumNode& node_, bool mine) : node(node_), key(node.key(mine)) {
    others = node.others(key);
  }

  /// n1 is sent this by somebody who propagates.
  void here(const State& state) {
    const UpdateReply reply = node.ask(Update{node.known(), {copy_of(key, state)}});
    if (!confirms(reply, copy_of(key, state))) {
      violation("n1, an owner, merges what it is sent, and confirms it", "it does not confirm it");
    }
  }
  void at(std::size_t other, const State& state) { node.peers[others[other]].finds(state); }

  /// Who of the others is sent anything, in the next seconds.
  std::vector<NodeId> repaired() {
    node.pass(3s);
    return receivers(node, key, others);
  }

  std::string shows(const State& right, std::uint32_t r) {
    const RequestToken get = node.get(key, r);
    (void)node.pass_until([&] { return node.shown_to(get).has_value(); }, node.deadline);
    const auto outcome = node.shown_to(get);
    if (succeeded(outcome) && outcome->state.value() == right) return "";
    return words(outcome);
  }

  QuorumNode& node;
  std::string key;
  std::vector<NodeId> others;
};

TEST(quorum, a_get_returns_the_merge_of_its_answers) {
  for (const bool mine : {true, false}) {
    QuorumNode node("strict");
    Replicas replicas(node, mine);
    const State old = version_of("n2", "milk");
    const State newer = newer_of(old, "n3", "eggs");
    const State aside = version_of("n4", "tea");
    if (mine) {
      replicas.here(old);
      replicas.at(0, newer);
      replicas.at(1, aside);
    } else {
      replicas.at(0, old);
      replicas.at(1, newer);
      replicas.at(2, aside);
    }
    const State merged = siblings_of({newer, aside});
    const std::string wrong = replicas.shows(merged, 3);
    if (wrong.empty()) continue;
    violation(
        "r=3; the answers are [milk], [eggs], whose writer had read [milk], and [tea], whose "
        "writer had not: the get returns [eggs, tea], with all that both had seen",
        wrong);
  }
}

TEST(quorum, owners_that_lack_the_merge_are_sent_it) {
  for (const bool mine : {true, false}) {
    QuorumNode node("strict");
    Replicas replicas(node, mine);
    const State one = version_of("n2", "milk");
    const State other = version_of("n3", "eggs");
    const State both = siblings_of({one, other});
    if (mine) {
      replicas.here(one);
    } else {
      replicas.at(2, one);
    }
    replicas.at(1, other);
    node.peers[replicas.others[0]].delay = 50ms;  // it holds nothing
    node.peers[replicas.others[1]].delay = 100ms;
    node.lone.say("a get with r=1: whatever its first answer is, all owners are asked");
    (void)node.get(replicas.key, 1);
    (void)replicas.repaired();
    for (const NodeId& owner : replicas.others) {
      if (was_sent(node.peers[owner], replicas.key, both)) continue;
      violation(
          owner + " answered with less than the merge of all answers, [eggs, milk]: it is " +
              "sent that",
          node.peers[owner].updates.empty() ? "it is sent nothing" : "it is sent something else");
    }
    for (const NodeId& owner : replicas.others) {
      for (const Copy& copy : node.peers[owner].updates) {
        if (copy.hash == hash_of(replicas.key, both)) continue;
        violation("the repair waits until each Read has ended: " + owner +
                      " is sent the merge of all answers, [eggs, milk], and nothing before",
                  "it is sent another state first");
      }
    }
    const auto held = node.held(replicas.key);
    if (mine ? !held || !(held->state == both) : held.has_value()) {
      violation(mine ? "n1 is an owner: it merges all answers into its own store, too: [eggs, milk]"
                     : "n1 is no owner: it keeps nothing of what it read",
                "its disk holds " + node.value(replicas.key));
    }
  }
}

/// Calls go on when the client has had its answer.
NodeSetup calls_longer_than_the_deadline() {
  NodeSetup setup = quorum_setup("strict");
  setup.config.request_deadline = 800ms;
  setup.config.call_timeout = 2s;
  return setup;
}

/// Two owners answer when the client has been told already that they do not.
void judge_answers_after_the_deadline() {
  QuorumNode node(calls_longer_than_the_deadline());
  Replicas replicas(node, false);
  const State newest = version_of("n3", "eggs");
  replicas.at(0, newest);
  for (const std::size_t late : {1, 2}) node.peers[replicas.others[late]].delay = 1500ms;
  const RequestToken get = node.get(replicas.key, 2);
  node.pass(1s);
  if (!not_met(node.shown_to(get), 2, 1)) {
    violation("r=2, and at the deadline one owner has answered: unavailable, needed 2, got 1",
              words(node.shown_to(get)));
  }
  (void)replicas.repaired();
  for (const NodeId& owner : {replicas.others[1], replicas.others[2]}) {
    if (was_sent(node.peers[owner], replicas.key, newest)) continue;
    violation("the client was told \"quorum not met\"; " + owner +
                  " answers \"absent\" after that, within its call_timeout of 2 s, and is sent " +
                  "the merge, [eggs]",
              "it is sent nothing");
  }
}

TEST(quorum, a_get_that_was_refused_mends_as_well) {
  judge_answers_after_the_deadline();
  QuorumNode node("strict");
  Replicas replicas(node, false);
  const State newest = version_of("n3", "eggs");
  replicas.at(0, newest);
  node.peers[replicas.others[2]].conduct = Conduct::is_silent;
  const RequestToken get = node.get(replicas.key, 3);
  node.pass(node.deadline);
  if (!not_met(node.shown_to(get), 3, 2)) {
    violation("r=3, and two owners have answered: unavailable, needed 3, got 2",
              words(node.shown_to(get)));
  }
  if (was_sent(node.peers[replicas.others[1]], replicas.key, newest)) return;
  violation("the client was told \"quorum not met\"; the Reads have ended all the same, and " +
                replicas.others[1] + ", which said \"absent\", is sent the merge, [eggs]",
            "it is sent nothing");
}

/// "to [n3]", "to nobody"
std::string to(const std::vector<NodeId>& nodes) {
  return "to " + (nodes.empty() ? "nobody" : list(nodes));
}

TEST(quorum, who_agrees_with_the_merge_is_sent_nothing) {
  for (const bool mine : {true, false}) {
    QuorumNode node("strict");
    Replicas replicas(node, mine);
    const State old = version_of("n2", "milk");
    const State newest = newer_of(old, "n3", "eggs");
    if (mine) {
      replicas.here(newest);
    } else {
      replicas.at(2, newest);
    }
    replicas.at(1, newest);
    for (const bool one_behind : {false, true}) {
      replicas.at(0, one_behind ? old : newest);
      node.lone.say(one_behind ? "one owner is behind the others" : "all owners agree");
      node.look_anew();
      const std::string wrong = replicas.shows(newest, 3);
      if (!wrong.empty()) violation("r=3: the get returns [eggs]", wrong);
      const std::vector<NodeId> right =
          one_behind ? std::vector<NodeId>{replicas.others[0]} : std::vector<NodeId>{};
      if (const auto sent = replicas.repaired(); sent != right) {
        violation("an Update goes to those owners that answered with something else than the " +
                      std::string("merge, and to nobody else: ") + to(right),
                  to(sent));
      }
    }
  }
  QuorumNode node("strict");
  Replicas unknown(node, true);
  (void)node.get(unknown.key, 3);
  if (const auto sent = unknown.repaired(); !sent.empty() || node.held(unknown.key)) {
    violation("nobody holds anything for the key: there is nothing to repair",
              "an Update goes to " + list(sent));
  }
}

TEST(quorum, a_late_answer_feeds_read_repair) {
  for (const bool late_is_newer : {true, false}) {
    QuorumNode node(calls_longer_than_the_deadline());
    Replicas replicas(node, false);
    const State old = version_of("n2", "milk");
    const State newest = newer_of(old, "n3", "eggs");
    const State early = late_is_newer ? old : newest;
    replicas.at(0, early);
    replicas.at(1, early);
    replicas.at(2, late_is_newer ? newest : old);
    const NodeId late = replicas.others[2];
    node.peers[late].delay = 1500ms;
    const std::string wrong = replicas.shows(early, 2);
    if (!wrong.empty()) violation("r=2: the two early answers suffice: " + shown(early), wrong);
    node.lone.say(late + " answers when the client has long gone, and its deadline is over");
    const std::vector<NodeId> right =
        late_is_newer ? std::vector<NodeId>{replicas.others[0], replicas.others[1]}
                      : std::vector<NodeId>{late};
    const std::vector<NodeId> sent = replicas.repaired();
    const bool merge_sent = std::all_of(right.begin(), right.end(), [&](const NodeId& owner) {
      return was_sent(node.peers[owner], replicas.key, newest);
    });
    if (sent == right && merge_sent) continue;
    violation("a Read has its own call_timeout, 2 s here: " + late + "'s answer comes in time to " +
                  "be compared, and " + list(right) + " lack [eggs]: they are sent it",
              "an Update goes to " + list(sent) + (merge_sent ? "" : ", and not with [eggs]"));
  }
}

/// An owner has heard of other members, between its answer and its reply to the repair.
void judge_a_repaired_owner_with_another_history() {
  QuorumNode node("strict");
  Replicas replicas(node, false);
  replicas.at(0, version_of("n3", "eggs"));
  const NodeId owner = replicas.others[1];
  Peer& odd = node.peers[owner];
  odd.delay = 50ms;
  (void)node.get(replicas.key, 3);
  node.pass(60ms);
  odd.conduct = Conduct::another_history;
  node.pass(1s);
  if (odd.updates.empty()) {
    violation(owner + " answered \"absent\": it is sent the merge, [eggs]", "it is sent nothing");
  }
  odd.conduct = Conduct::confirms;
  odd.known.clear();
  (void)node.get(replicas.key, 3);
  node.pass(1s);
  if (!odd.known.empty() && tells_all(odd.known.front(), node.history)) return;
  violation("the reply of " + owner + " to the repair has shown another digest, so n1's next " +
                "request to it carries n1's events",
            odd.known.empty() ? "there is none" : "it lacks some of them");
}

TEST(quorum, a_failing_repair_does_not_fail_the_read) {
  judge_a_repaired_owner_with_another_history();
  for (const Conduct conduct : {Conduct::says_nothing_of, Conduct::reads_only}) {
    QuorumNode node("strict");
    Replicas replicas(node, false);
    const State old = version_of("n2", "milk");
    const State newest = newer_of(old, "n3", "eggs");
    replicas.at(0, newest);
    replicas.at(1, old);
    replicas.at(2, old);
    node.peers[replicas.others[1]].conduct = conduct;
    node.peers[replicas.others[2]].conduct = conduct;
    for (int i = 0; i < 2; ++i) {
      node.look_anew();
      const std::string wrong = replicas.shows(newest, 3);
      if (!wrong.empty()) {
        violation("r=3, and all three owners answered: the get returns [eggs], whatever becomes " +
                      std::string("of the repair"),
                  wrong);
      }
      node.pass(1s);
      for (const NodeId& owner : {replicas.others[1], replicas.others[2]}) {
        if (was_sent(node.peers[owner], replicas.key, newest)) continue;
        violation(owner +
                      " lacks what the get returned, at the first get and at the second, since " +
                      "no repair succeeded: each get sends it",
                  "it is sent nothing with [eggs]");
      }
    }
  }
  QuorumNode node("strict");
  Replicas replicas(node, false);
  const State newest = version_of("n3", "eggs");
  replicas.at(0, newest);
  replicas.at(1, newest);
  node.peers[replicas.others[2]].conduct = Conduct::is_silent;
  const std::string wrong = replicas.shows(newest, 2);
  if (!wrong.empty()) violation("r=2, and two owners answered: [eggs]", wrong);
  if (const auto sent = replicas.repaired(); !sent.empty()) {
    violation("who did not answer is sent no repair, and the others agree",
              "it goes to " + list(sent));
  }
}

TEST(quorum, a_malformed_answer_counts_as_none) {
  QuorumNode node("strict");
  Replicas replicas(node, false);
  const State old = version_of("n2", "milk");
  const State newest = newer_of(old, "n3", "eggs");
  replicas.at(0, old);
  replicas.at(1, newest);
  replicas.at(2, State{"no state"});
  node.peers[replicas.others[2]].delay = 50ms;
  node.peers[replicas.others[1]].delay = 100ms;
  node.lone.say(replicas.others[2] + " will answer with bytes that are no state of a key");
  const std::string wrong = replicas.shows(newest, 2);
  if (!wrong.empty()) {
    violation(
        "r=2; one answer is malformed and counts as none, so the other two are needed: the "
        "one that holds [milk], and the one that holds [eggs], whose writer had read [milk]",
        wrong);
  }
  const RequestToken three = node.get(replicas.key, 3);
  node.pass(node.deadline);
  if (!not_met(node.shown_to(three), 3, 2)) {
    violation("r=3: two answers are good: unavailable, needed 3, got 2",
              words(node.shown_to(three)));
  }
}

}  // namespace
