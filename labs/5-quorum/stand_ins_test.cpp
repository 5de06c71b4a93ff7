// Lab 5, part C: stand-ins, as a coordinator takes them. n1 is one of five members, sloppy mode.
#include <algorithm>
#include <string>
#include <vector>

#include "quorum_node.h"

namespace {

using namespace dynamo;
using namespace dynamo::sim;
using namespace std::chrono_literals;

/// An owner is back that did not answer the last time; all others confirm nothing.
void judge_a_suspected_owner() {
  NodeSetup setup = quorum_setup("sloppy");
  setup.config.retry_period = std::chrono::hours(1000);
  QuorumNode node(setup);
  const std::string key = node.key(true);
  const NodeId owner = node.others(key)[0];
  node.peers[owner].conduct = Conduct::is_silent;
  (void)node.put(key, "milk", 1, 1);
  node.pass(1s);
  node.lone.say(owner + " is back, though under suspicion; all others answer, and confirm nothing");
  node.all(Conduct::says_nothing_of);
  node.peers[owner].conduct = Conduct::confirms;
  const RequestToken put = node.put(key, "tea", 2, 2);
  (void)node.pass_until([&] { return node.told(put).has_value(); }, node.deadline);
  if (done(node.told(put))) return;
  violation("w=2; " + owner +
                " is sent the Update at once, suspected or not, and confirms it: it " + "counts",
            words(node.told(put)));
}

/// An owner is silent, and of those who are none only one answers.
struct OneStandIn {
  explicit OneStandIn(Conduct conduct) : node(setup()), key(node.key(true)) {
    node.peers[node.others(key)[0]].conduct = Conduct::is_silent;
    name = node.strangers(key)[0];
    node.peers[node.strangers(key)[1]].conduct = Conduct::is_silent;
    node.peers[name].conduct = conduct;
    node.peers[name].delay = 50ms;
    put = node.put(key, "milk", 3, 1);
  }
  static NodeSetup setup() {
    NodeSetup setup = quorum_setup("sloppy");
    setup.config.retry_period = std::chrono::hours(1000);
    return setup;
  }

  QuorumNode node;
  std::string key;
  NodeId name;
  RequestToken put;
};

void judge_a_stand_in_that_confirms_something_else() {
  OneStandIn stand_in(Conduct::another_hash);
  stand_in.node.pass(stand_in.node.deadline);
  if (not_met(stand_in.node.told(stand_in.put), 3, 2)) return;
  violation("w=3; two owners hold the put, and " + stand_in.name +
                " confirms its hint with a hash that n1 never sent: unavailable, needed 3, got 2",
            words(stand_in.node.told(stand_in.put)));
}

void judge_a_stand_in_with_another_history() {
  OneStandIn stand_in(Conduct::another_history);
  QuorumNode& node = stand_in.node;
  Peer& peer = node.peers[stand_in.name];
  (void)node.pass_until([&] { return !peer.hints.empty(); }, node.deadline);
  node.lone.say(stand_in.name + " has learned n1's events");
  peer.conduct = Conduct::confirms;
  node.pass(node.deadline);
  if (!peer.known.empty() && !tells_all(peer.known.back(), node.history)) {
    violation("the reply of " + stand_in.name + " to a StoreHints has shown another history, so " +
                  "the next one carries n1's events",
              "none follows, or it lacks some of them");
  }
  if (done(node.told(stand_in.put)) && node.told(stand_in.put)->got == 3) return;
  violation("w=3; two owners hold the put; the reply of " + stand_in.name +
                " to its hint shows another history: that is worth one more message, and that " +
                "one is confirmed: done, got 3",
            words(node.told(stand_in.put)));
}

TEST(quorum, a_stand_in_is_given_a_hint_that_names_the_owner) {
  judge_a_suspected_owner();
  judge_a_stand_in_that_confirms_something_else();
  judge_a_stand_in_with_another_history();
  QuorumNode node("sloppy");
  const std::string key = node.key(true);
  const std::vector<NodeId> others = node.others(key);
  const NodeId& dead = others[0];
  const std::vector<Placement> active = node.active(key, {dead});
  const auto place = std::find_if(active.begin(), active.end(),
                                  [&](const Placement& one) { return one.stands_in_for == dead; });
  const NodeId stand_in = place->host;
  node.peers[dead].conduct = Conduct::is_silent;
  node.peers[stand_in].delay = 250ms;
  const RequestToken put = node.put(key, "milk", 3, 1);
  const auto asked = [&] {
    return std::any_of(node.lone.calls().begin(), node.lone.calls().end(), [&](const auto& call) {
      return call.to == stand_in && call.type == message_number<StoreHints>;
    });
  };
  if (!node.pass_until(asked, 1s)) {
    violation(dead + " does not answer within call_timeout, so the next healthy host, " + stand_in +
                  ", is sent a StoreHints",
              "it is sent none");
  }
  if (const auto outcome = node.told(put)) {
    violation("w=3; n1 and " + others[1] + " hold the put, and " + stand_in +
                  " has confirmed nothing yet: no answer",
              words(outcome));
  }
  node.pass(300ms);
  const auto outcome = node.told(put);
  if (!done(outcome) || outcome->needed != 3 || outcome->got != 3) {
    violation("n1, " + others[1] + " and the stand-in " + stand_in +
                  " hold the put: done, needed 3, got 3",
              words(outcome));
  }
  const State state = node.held(key)->state;
  for (const Hint& hint : node.peers[stand_in].hints) {
    if (hint.owner == dead && hint.copy.key == key && hint.copy.state == state) continue;
    violation("the hint bears the state, and the name of the owner that " + stand_in +
                  " stands in for: " + dead,
              "it names " + hint.owner);
  }
  if (was_sent(node.peers[stand_in], key)) {
    violation(stand_in + " is no owner of " + key + ": it gets a hint, no Update", "an Update");
  }
  for (const auto& [name, peer] : node.peers) {
    if (name == stand_in || peer.hints.empty()) continue;
    violation("one host stands in for one dead owner: " + stand_in, name + " got a hint, too");
  }
  node.lone.say(dead + " is known to be dead; another client puts");
  const RequestToken second = node.put(key, "tea", 3, 2);
  if (!node.pass_until([&] { return node.told(second).has_value(); }, node.deadline) ||
      !done(node.told(second))) {
    violation("three healthy hosts hold the second put: done", words(node.told(second)));
  }
  node.pass(2s);
  node.lone.say(dead + " is back");
  node.peers[dead].conduct = Conduct::confirms;
  node.pass(4s);
  if (!was_sent(node.peers[dead], key, node.held(key)->state)) {
    violation("a stand-in keeps a hint for " + dead + ", but " + dead +
                  " has confirmed nothing: n1 owes it both puts all the same, and sends them",
              "it is sent nothing with both of them");
  }
}

TEST(quorum, a_stand_in_that_is_silent_too_is_replaced_while_hosts_are_left) {
  judge_deadline("sloppy", 700ms,
                 " waits for stand-ins, which were asked after 0.7 s; its deadline is 1 s after it "
                 "came: unavailable, needed 2, got 1");
  QuorumNode node("sloppy");
  const std::string key = node.key(true);
  const std::vector<NodeId> others = node.others(key);
  const NodeId& dead = others[0];
  const auto stand_in_for = [&](const std::vector<NodeId>& suspects) {
    for (const Placement& place : node.active(key, suspects)) {
      if (place.stands_in_for == dead) return place.host;
    }
    return NodeId();
  };
  const NodeId first = stand_in_for({dead});
  const NodeId second = stand_in_for({dead, first});
  for (const bool second_answers : {true, false}) {
    node.lone.say("the silent ones: " + dead + ", " + first +
                  (second_answers ? "" : ", " + second));
    node.all(Conduct::confirms);
    for (const NodeId& silent : {dead, first}) node.peers[silent].conduct = Conduct::is_silent;
    if (!second_answers) node.peers[second].conduct = Conduct::is_silent;
    const RequestToken put =
        node.put(key, second_answers ? "milk" : "tea", 3, second_answers ? 1 : 2);
    (void)node.pass_until([&] { return node.told(put).has_value(); }, node.deadline);
    const auto outcome = node.told(put);
    if (second_answers && (!done(outcome) || outcome->got != 3)) {
      violation("n1, " + others[1] + " and " + second + ", who stands in for " + dead + " when " +
                    first + " does not answer either, hold the put: done, got 3",
                words(outcome));
    }
    if (!second_answers && !not_met(outcome, 3, 2)) {
      violation("n1 and " + others[1] + " hold the put, and nobody else is left: unavailable, " +
                    "needed 3, got 2",
                words(outcome));
    }
  }
}

/// n1 keeps a hint, and all owners are healthy: n1 is not among those that are asked.
void judge_a_hint_of_the_node_asked() {
  QuorumNode node("sloppy");
  const std::string key = node.key(false);
  const std::vector<NodeId> owners = node.owners(key);
  for (const NodeId& owner : owners) node.peers[owner].delay = 100ms;
  const Copy copy = copy_of(key, version_of("n3", "milk"));
  (void)node.ask(StoreHints{node.known(), {{owners[0], copy}}});
  const RequestToken get = node.get(key, 1);
  node.pass(50ms);
  if (const auto outcome = node.shown_to(get)) {
    violation(
        "r=1; all owners are healthy, and none has answered yet; n1, which is asked by the "
        "client, and not among them, keeps a hint: that does not count",
        words(outcome));
  }
}

TEST(quorum, a_sloppy_get_takes_answers_of_stand_ins) {
  judge_a_hint_of_the_node_asked();
  QuorumNode node("sloppy");
  const std::string key = node.key(false);
  const std::vector<NodeId> owners = node.others(key);
  const State own = version_of("n2", "eggs");
  const State hinted = version_of("n3", "milk");
  for (const NodeId& owner : owners) node.peers[owner].conduct = Conduct::is_silent;
  node.peers[owners[2]].conduct = Conduct::confirms;
  node.peers[owners[2]].finds(own);
  const NodeId other = node.strangers(key)[0];
  node.peers[other].finds(hinted);
  const RequestToken get = node.get(key, 3);
  (void)node.pass_until([&] { return node.shown_to(get).has_value(); }, node.deadline);
  const auto outcome = node.shown_to(get);
  if (!succeeded(outcome) || outcome->state.value() != siblings_of({own, hinted})) {
    violation(
        "r=3: there are an owner, which holds [eggs], and two that stand in for dead owners: " +
            other + ", which keeps a hint [milk], and n1, which holds nothing: [eggs, milk]",
        words(outcome));
  }
  node.pass(3s);
  if (was_sent(node.peers[other], key) || node.held(key)) {
    violation("stand-ins are no owners: nobody repairs them",
              was_sent(node.peers[other], key) ? other + " is sent an Update" : "n1 keeps the key");
  }
  node.lone.say("nobody holds anything; " + other + " says \"not mine\"");
  node.peers[other].holding = Holding::not_mine;
  node.peers[owners[2]].holding = Holding::absent;
  const RequestToken again = node.get(key, 3);
  (void)node.pass_until([&] { return node.shown_to(again).has_value(); }, node.deadline);
  if (!succeeded(node.shown_to(again)) || node.shown_to(again)->state.value()) {
    violation("a stand-in's \"not mine\" is an answer in sloppy mode, \"nothing\": r=3 is met, " +
                  std::string("and there is no such key"),
              words(node.shown_to(again)));
  }
}

TEST(quorum, a_node_that_is_no_owner_coordinates_with_a_hint_for_all_of_them) {
  QuorumNode node("sloppy");
  const std::string key = node.key(false);
  const std::vector<NodeId> owners = node.others(key);
  for (const NodeId& owner : owners) node.peers[owner].conduct = Conduct::is_silent;
  const Coordinate coordinate{node.known(), {"amy", 1, 1}, key, {"milk", {}, stamp(1)}, 1};
  const CoordinateReply reply = node.ask(coordinate);
  if (!reply.mine || reply.pending || !done(reply.outcome) || reply.outcome.got != 1) {
    violation("sloppy, w=1: any member may coordinate, and counts itself as one host: done, got 1",
              !reply.mine     ? "\"not mine\""
              : reply.pending ? "not finished yet"
                              : words(reply.outcome));
  }
  const CoordinateReply again = node.ask(coordinate);
  if (!again.mine || again.pending || !done(again.outcome)) {
    violation("the same request once more, w=1: what is here is in `hints`, and counts: done",
              again.pending ? "not finished yet" : words(again.outcome));
  }
  Coordinate more = coordinate;
  more.w = 2;
  node.all(Conduct::is_silent);
  const RequestToken second = node.lone.ask("n2", more);
  node.pass(node.deadline);
  const auto told = node.lone.answered<Coordinate>(second);
  if (told && !told->pending && done(told->outcome)) {
    violation("the same request once more, w=2: no owner has confirmed what is owed to it, so n1 " +
                  std::string("is the only host that is known to hold it"),
              words(told->outcome));
  }
  if (node.hint_value(key) != "[milk]" || node.held(key)) {
    violation("n1 is no owner of " + key + ": the write goes into `hints`, and not into `store`",
              "`hints` has " + node.hint_value(key) + ", `store` " + node.value(key));
  }
  const State state = node.hint(key)->state;
  node.pass(5s);
  node.kill_and_restart();
  node.look_anew();
  for (std::size_t back = 0; back < owners.size(); ++back) {
    if (!node.hint(key)) {
      violation("n1 keeps the hint until all three owners have confirmed it",
                "it is gone, and " + std::to_string(back) + " of them confirmed it");
    }
    node.lone.say(owners[back] + " is back");
    node.peers[owners[back]].conduct = Conduct::confirms;
    node.pass(4s);
    if (was_sent(node.peers[owners[back]], key, state)) continue;
    violation("all owners are named by such a hint: when " + owners[back] +
                  " is back, it is sent the state",
              "it is sent nothing");
  }
  if (node.hint(key) || node.held(key)) {
    violation("all owners have confirmed: n1 keeps nothing of the key any more",
              "`hints` has " + node.hint_value(key) + ", `store` " + node.value(key));
  }
}

}  // namespace
