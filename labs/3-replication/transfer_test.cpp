// Lab 3, part C: what one node knows of the vnodes that it has, loses and gets.
#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

#include "one_node.h"

namespace {

using namespace dynamo;
using namespace dynamo::sim;

NodeSetup transfer_setup() {
  return replication_setup({"membership", "ring", "replication", "transfer"});
}

bool complete(OneNode& node, VnodeId vnode) { return node.lone.invoke<&Transfer::complete>(vnode); }

/// The vnodes that n1 keeps after the first `events` events, by a ring that stands by itself.
class Rings {
 public:
  Rings() : lone_(ring_alone()) {}

  std::vector<bool> kept(const History& history, std::size_t events) {
    History first(history.begin(), history.begin() + static_cast<std::ptrdiff_t>(events));
    lone_.invoke<&Ring::rebuild>(first);
    std::vector<std::tuple<VnodeId>> vnodes;
    for (VnodeId v = 0; v < kQ; ++v) vnodes.emplace_back(v);
    std::vector<bool> kept;
    for (const auto& names : lone_.map<&Ring::preference_list>(vnodes)) {
      kept.push_back(among(names, "n1"));
    }
    return kept;
  }

 private:
  static NodeSetup ring_alone() {
    NodeSetup setup = replication_setup({"ring"});
    setup.self = "ring";
    return setup;
  }
  Lone lone_;
};

TEST(replication, the_first_node_of_a_cluster_is_complete_and_a_new_disk_is_not) {
  OneNode first(1, transfer_setup());
  const auto all_complete = [&](const std::string& when) {
    for (VnodeId v = 0; v < kQ; ++v) {
      if (complete(first, v)) continue;
      violation(
          "n1 is the first node of its cluster, and an owner of each vnode ever since: it is "
          "complete for all of them, " +
              when,
          "it is not, for vnode " + std::to_string(v));
    }
  };
  all_complete("at its bootstrap");
  first.learn(joined(3));
  all_complete("when n2 and n3 have joined, of three owners each");
  first.lone.restart();
  all_complete("after a restart");
  OneNode added(3, transfer_setup(), false);
  for (const char* when : {"when it starts with an empty disk", "after a restart"}) {
    for (VnodeId v = 0; v < kQ; ++v) {
      if (!complete(added, v)) continue;
      violation(
          "n1 was not bootstrapped, and nobody has sent it anything yet: it is complete for "
          "none of its vnodes, " +
              std::string(when),
          "it says it is, for vnode " + std::to_string(v));
    }
    added.lone.restart();
  }
}

/// n1 knows `known` and hears then of `news`, all at once. It owns each vnode as long as there are
/// no more than three members, so at first it is complete for each that it owns in all rings.
void hears_of(const History& known, const History& news, const std::string& story) {
  OneNode node(1, transfer_setup());
  Rings rings;
  std::vector<bool> may(kQ, true);
  for (const History& events : {known, news}) {
    const History before = node.history;
    node.learn(events);
    std::size_t oldest = 0;  // the first new event, in version order
    while (oldest < before.size() && before[oldest] == node.history[oldest]) ++oldest;
    for (std::size_t i = oldest + 1; i <= node.history.size(); ++i) {
      const std::vector<bool> kept = rings.kept(node.history, i);
      for (VnodeId v = 0; v < kQ; ++v) may[v] = may[v] && kept[v];
    }
  }
  const std::vector<bool> owned = rings.kept(node.history, node.history.size());
  retell_all("n1 starts as the first node of its cluster, and hears of others by and by");
  node.lone.say(story);
  const auto judge = [&](const std::string& when) {
    std::size_t judged = 0;
    for (VnodeId v = 0; v < kQ; ++v) {
      if (may[v] || !owned[v]) continue;
      ++judged;
      if (!complete(node, v)) continue;
      violation(story + ": n1 owns vnode " + std::to_string(v) +
                    " now, but did not in every ring from the oldest new event on. Meanwhile "
                    "others took writes of its keys, so n1 is not complete",
                "it says that it is complete for it" + when);
    }
    if (judged == 0) throw std::logic_error("this history takes no vnode away and gives it back");
  };
  judge("");
  node.lone.restart();
  judge(", after a restart");
}

TEST(replication, a_node_stays_complete_only_for_what_it_owned_all_along) {
  History five = joined(5);
  History back = five;
  for (const char* gone : {"n2", "n3", "n4"}) back = then(back, gone, Change::leave);
  hears_of(five, back, "n2, n3 and n4 have left");
  hears_of(joined(1), back, "n2 to n5 have joined, and n2, n3 and n4 have left, before n1 heard");
  // n3 to n5 came first, and n1 hears of it last.
  History late = joined(2);
  for (const char* gone : {"n3", "n4", "n5"}) {
    late.push_back({gone, Change::leave, {late.size() + 10, "n2", kIncarnation}});
  }
  hears_of(late, joined(5), "n3, n4 and n5 have joined before they left, and n1 hears it late");
}

/// n1 with a new disk, one of three members, so that it owns and receives each vnode.
struct Receiver {
  explicit Receiver(std::size_t members = 3) : node(members, transfer_setup(), false) {}

  /// Whom it asks for `vnode` within a while; answered, as by somebody who will send. "" : nobody.
  NodeId asks(VnodeId vnode) {
    for (int i = 0; i < 200; ++i) {
      NodeId asked;
      for (const auto& [call, request] : node.sent<AskTransfer>()) {
        const auto& vnodes = request.vnodes;
        if (std::find(vnodes.begin(), vnodes.end(), vnode) != vnodes.end()) asked = call.to;
        node.lone.answer<AskTransfer>(call.id, {node.known()});
      }
      if (!asked.empty()) return asked;
      node.lone.advance(100ms);
    }
    return "";
  }

  /// n1 asks for `time`: who is among `saying` says each time that he has sent a part, or all of
  /// it; who is among `silent` does not answer. The others answer, and that is all.
  void ask_for(Duration time, const std::vector<NodeId>& saying,
               const std::vector<NodeId>& silent = {}, bool all = false) {
    for (Duration passed{0}; passed < time; passed += 100ms) {
      for (const auto& [call, request] : node.sent<AskTransfer>()) {
        if (among(silent, call.to)) {
          node.lone.end_call(call.id, Error{ErrorCode::timed_out, "no answer"});
          continue;
        }
        node.lone.answer<AskTransfer>(call.id, {node.known()});
        if (!among(saying, call.to)) continue;
        SentAll said = sent_all(call.to);
        (all ? said.complete : said.partial) = request.vnodes;
        (void)node.ask(said, call.to);
      }
      node.lone.advance(100ms);
    }
  }

  SentAll sent_all(const NodeId& from) const {
    SentAll sent;
    sent.known = node.known();
    sent.from = from;
    sent.incarnation = kIncarnation;
    return sent;
  }

  OneNode node;
};

void expect_complete(OneNode& node, VnodeId vnode, bool right, const std::string& why) {
  if (complete(node, vnode) == right) return;
  violation(
      why + ": n1 is " + (right ? "" : "not ") + "complete for vnode " + std::to_string(vnode),
      right ? "it is not" : "it says that it is");
}

/// n1 asks, and whoever it asks answers under another history.
void those_of_another_history_are_told() {
  Receiver receiver;
  OneNode& node = receiver.node;
  std::map<NodeId, int> asked;
  node.lone.say("the others' answers show another history than n1's");
  for (Duration passed{0}; passed < 20s; passed += 100ms) {
    for (const auto& [call, request] : node.sent<AskTransfer>()) {
      if (++asked[call.to] == 2 && request.known.events != node.history) {
        violation(call.to +
                      "'s answer has shown another digest, so n1's next AskTransfer to it "
                      "carries n1's events",
                  "it does not");
      }
      node.lone.answer<AskTransfer>(call.id, {{{5, 6}, {}}});
    }
    node.lone.advance(100ms);
  }
}

TEST(replication, sent_all_counts_only_under_the_receivers_own_history) {
  those_of_another_history_are_told();
  Receiver receiver;
  const NodeId source = receiver.asks(3);
  if (source.empty()) {
    violation("n1 receives vnode 3, so it asks somebody for it within 20 seconds",
              "it asks nobody");
  }
  SentAll other = receiver.sent_all(source);
  other.complete = {3};
  other.known.digest = {5, 6};
  (void)receiver.node.ask(other, source);
  expect_complete(receiver.node, 3, false,
                  source +
                      " says that it sent all, and knows another history, so perhaps other "
                      "owners");
  SentAll stale = receiver.sent_all(source);
  stale.complete = {3};
  stale.incarnation = kIncarnation + 1;
  (void)receiver.node.ask(stale, source);
  expect_complete(receiver.node, 3, false,
                  source + " says that it sent all, to a disk that n1 has no more");
  for (const char* from : {"n2", "n3"}) {
    for (SentAll doubtful : {other, stale}) {
      doubtful.from = from;
      std::swap(doubtful.complete, doubtful.partial);
      (void)receiver.node.ask(doubtful, from);
    }
  }
  expect_complete(receiver.node, 3, false,
                  "n2 and n3 say what they hold under another history, or to another disk");
  SentAll right = receiver.sent_all(source);
  right.complete = {3};
  (void)receiver.node.ask(right, source);
  expect_complete(receiver.node, 3, true,
                  source + ", a complete owner, has sent everything, under n1's own history");
  receiver.node.lone.restart();
  expect_complete(receiver.node, 3, true, "what was received is durable, after a restart");
  expect_complete(receiver.node, 4, false, "nobody sent all of vnode 4");
}

TEST(replication, without_a_complete_sender_all_members_must_have_said) {
  Receiver receiver;
  std::vector<NodeId> said;
  for (int i = 0; i < 20 && said.size() < 2; ++i) {
    const NodeId source = receiver.asks(3);
    if (source.empty()) break;
    if (!said.empty() && source == said.front()) continue;
    expect_complete(receiver.node, 3, false,
                    "not every other member has said what it holds: " + list(said));
    SentAll partial = receiver.sent_all(source);
    partial.partial = {3};
    (void)receiver.node.ask(partial, source);
    said.push_back(source);
  }
  if (said.size() < 2) {
    violation("n1 asks n2 and n3 for vnode 3, until one of them was complete or both have said",
              "it asks " + list(said) + " only, in some 20 seconds");
  }
  expect_complete(receiver.node, 3, true,
                  "n2 and n3, all other members, have sent what they hold of it");
  Receiver waiting;
  waiting.node.lone.say("n2 has sent what it holds; n3, a member, does not answer for a minute");
  waiting.ask_for(60s, {"n2"}, {"n3"});
  expect_complete(waiting.node, 3, false,
                  "n3 is a member, and may be back with keys that nobody else has");
  Receiver fed;
  fed.node.lone.say("n2 has sent what it holds, and n3 does not answer");
  fed.ask_for(10s, {"n2"}, {"n3"});
  fed.node.lone.say("n2 has become complete meanwhile, and n3 is still silent");
  fed.ask_for(60s, {"n2"}, {"n3"}, true);
  expect_complete(fed.node, 3, true, "n2, an owner, was asked again, and has sent everything");
  Receiver many(5);
  many.ask_for(60s, {"n2", "n3", "n4", "n5"});
  for (VnodeId vnode = 0; vnode < kQ; ++vnode) {
    if (!among(many.node.lone.invoke<&Ring::preference_list>(vnode), "n1")) continue;
    expect_complete(many.node, vnode, true,
                    "whoever n1 asks says that he sent what he holds, and "
                    "it asks all other members, owners or not");
  }
  waiting.node.lone.say("n3 is back");
  waiting.ask_for(60s, {"n2", "n3"});
  expect_complete(waiting.node, 3, true, "n3, which was asked again and again, has sent it, too");
}

TEST(replication, what_was_said_counts_until_the_history_grows) {
  Receiver receiver;
  OneNode& node = receiver.node;
  node.lone.say("n2 says that it has sent what it holds, as often as it is asked");
  receiver.ask_for(20s, {"n2"});
  expect_complete(node, 3, false, "n2 has said what it holds, several times, and n3 never");
  node.learn(then(node.history, "n4", Change::join));
  VnodeId vnode = 0;
  while (!among(node.lone.invoke<&Ring::preference_list>(vnode), "n1")) ++vnode;
  node.lone.say("n4 has joined: other owners, and n2 may have been sent keys since it spoke");
  receiver.ask_for(20s, {"n3", "n4"});
  expect_complete(node, vnode, false,
                  "n3 and n4 have said what they hold, but n2 has not since the history grew");
  receiver.ask_for(60s, {"n2", "n3", "n4"});
  expect_complete(node, vnode, true, "all of them have said what they hold");
}

TEST(replication, a_removed_node_that_does_not_answer_is_not_waited_for) {
  Receiver receiver;
  OneNode& node = receiver.node;
  node.learn(then(then(node.history, "n4", Change::join), "n4", Change::leave));
  std::size_t asked = 0;
  std::size_t silent = 0;  // since n4 last answered
  std::vector<NodeId> said;
  for (int i = 0; i < 600 && !complete(node, 3); ++i) {
    for (const auto& [call, request] : node.sent<AskTransfer>()) {
      if (call.to == "n4") {
        ++asked;
        ++silent;
        if (asked != 3) {
          node.lone.end_call(call.id, Error{ErrorCode::timed_out, "no answer"});
          continue;
        }
        silent = 0;  // it answers, and is killed before it has sent anything
      }
      node.lone.answer<AskTransfer>(call.id, {node.known()});
      if (call.to == "n4") continue;
      SentAll partial = receiver.sent_all(call.to);
      partial.partial = request.vnodes;
      (void)node.ask(partial, call.to);
      said.push_back(call.to);
    }
    node.lone.advance(100ms);
  }
  if (!complete(node, 3)) {
    violation(
        "n2 and n3, all other members, have sent what they hold of vnode 3; n4 is no member "
        "any more and never answers: n1 is complete within a minute",
        "it is not; n4 did not answer " + std::to_string(silent) + " times");
  }
  std::sort(said.begin(), said.end());
  said.erase(std::unique(said.begin(), said.end()), said.end());
  if (silent < 3 || !among(said, "n2") || !among(said, "n3")) {
    violation(
        "n1 asks n2, n3 and n4, which may hold keys, too, before it says that it is complete; "
        "n4 counts as gone when three questions in a row got no answer",
        "it is complete after " + list(said) + " said what they hold, and n4 left " +
            std::to_string(silent) + " of the last questions unanswered");
  }
}

}  // namespace
