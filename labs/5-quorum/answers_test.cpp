// Lab 5, part A: how one node counts answers to a get, and answers others itself, in strict mode.
// It is n1, one of five members.
#include <algorithm>
#include <string>
#include <vector>

#include "quorum_node.h"

namespace {

using namespace dynamo;
using namespace dynamo::sim;
using namespace std::chrono_literals;

TEST(quorum, a_get_is_answered_when_r_hosts_have_answered) {
  for (const bool owner : {true, false}) {
    for (std::uint32_t r = 1; r <= 3; ++r) {
      QuorumNode node("strict");
      const std::string key = node.key(owner);
      const std::vector<NodeId> others = node.others(key);
      std::uint32_t heard = owner ? 1 : 0;
      for (std::size_t i = 0; i < others.size(); ++i) {
        node.peers[others[i]].delay = 80ms * (i + 1);
      }
      node.peers[others[1]].finds(version_of(others[1], "milk"));
      const RequestToken get = node.get(key, r);
      node.pass(30ms);
      for (std::size_t i = 0;; ++i) {
        const auto outcome = node.shown_to(get);
        const std::string which = "r=" + std::to_string(r) + ", and " + hosts(heard) +
                                  (owner ? ", n1 among them," : "") + " answered so far: ";
        if (heard < r && outcome) {
          violation(which + "the client hears nothing yet", words(outcome));
        }
        if (heard >= r && (!succeeded(outcome) || outcome->got < r)) {
          violation(which + "the client has its answer; \"absent\" counts like \"found\"",
                    words(outcome));
        }
        if (i == others.size()) break;
        node.pass(80ms);
        ++heard;
      }
      for (const NodeId& name : others) {
        if (node.peers[name].reads > 0) continue;
        violation("all owners are asked, not only r of them: " + list(node.owners(key)),
                  name + " is not asked");
      }
      for (const NodeId& name : node.strangers(key)) {
        if (node.peers[name].reads == 0) continue;
        violation("in strict mode nobody but the owners is asked: " + list(node.owners(key)),
                  name + " is asked");
      }
    }
  }
}

/// Of three members all are owners: in sloppy mode, too, there is nobody else to ask.
void judge_a_receiving_owner(const std::string& mode) {
  for (const std::uint32_t r : {2u, 3u}) {
    QuorumNode node(mode, 3);
    const std::string key = node.key(true);
    const std::vector<NodeId> others = node.others(key);
    node.peers[others[0]].holding = Holding::not_mine;
    node.peers[others[1]].delay = 200ms;
    const RequestToken get = node.get(key, r);
    node.pass(100ms);
    if (const auto outcome = node.shown_to(get)) {
      violation(mode + " mode, r=" + std::to_string(r) + ", and " + others[0] +
                    " said \"not mine\", which is no " + "answer: the client hears nothing yet",
                words(outcome));
    }
    node.pass(node.deadline);
    const auto outcome = node.shown_to(get);
    const bool right = r == 2 ? succeeded(outcome) : not_met(outcome, 3, 2);
    if (!right) {
      violation("n1 and " + others[1] + " have answered: two hosts, and r=" + std::to_string(r),
                words(outcome));
    }
  }
}

TEST(quorum, an_owner_that_is_still_receiving_does_not_count) {
  judge_a_receiving_owner("strict");
  judge_a_receiving_owner("sloppy");
}

/// An owner who does not know the members that n1 knows says that it has nothing, and says it
/// again.
void judge_nothing_under_another_history(const std::string& mode, Holding holding) {
  QuorumNode node(mode);
  const std::string key = node.key(true);
  const std::vector<NodeId> others = node.others(key);
  Peer& odd = node.peers[others[0]];
  odd.conduct = Conduct::another_history;
  odd.holding = holding;
  node.peers[others[1]].delay = 200ms;
  const RequestToken get = node.get(key, 2);
  node.pass(100ms);
  const std::string said = mode + " mode, r=2, and " + others[0] + " answers \"" +
                           name_of(holding) + "\" under another history: ";
  if (const auto outcome = node.shown_to(get)) {
    violation(said + "that is no answer, so the client hears nothing yet", words(outcome));
  }
  node.pass(node.deadline);
  if (odd.reads != 2 || !tells_all(odd.known.back(), node.history)) {
    violation(said + "it is sent one more Read, with n1's events",
              odd.reads == 2 ? "the last one lacks some of them"
                             : "of Reads, it is sent " + std::to_string(odd.reads));
  }
  const auto outcome = node.shown_to(get);
  if (!succeeded(outcome) || outcome->got != 2) {
    violation(said + "n1 and " + others[1] + " have answered, got 2", words(outcome));
  }
}

void judge_found_under_another_history(const std::string& mode) {
  QuorumNode node(mode);
  const std::string key = node.key(true);
  const std::vector<NodeId> others = node.others(key);
  node.peers[others[0]].conduct = Conduct::another_history;
  node.peers[others[0]].finds(version_of(others[0], "milk"));
  node.peers[others[1]].conduct = Conduct::is_silent;
  const RequestToken get = node.get(key, 2);
  node.pass(node.deadline);
  const auto outcome = node.shown_to(get);
  if (succeeded(outcome) && outcome->got == 2 && outcome->state.value()) return;
  violation(mode + " mode, r=2; n1 has answered, and " + others[0] +
                " has found milk, though under another history: that counts",
            words(outcome));
}

/// It learns n1's events from the second Read, and then is no more what it was.
void judge_the_second_answer(const std::string& mode) {
  QuorumNode node(mode);
  const std::string key = node.key(true);
  const std::vector<NodeId> others = node.others(key);
  Peer& odd = node.peers[others[0]];
  odd.conduct = Conduct::another_history;
  odd.delay = 50ms;
  const RequestToken get = node.get(key, 3);
  node.pass(60ms);
  node.lone.say(others[0] + " has learned n1's events, and a state from somebody else");
  odd.conduct = Conduct::confirms;
  odd.finds(version_of(others[0], "milk"));
  node.pass(node.deadline);
  const auto outcome = node.shown_to(get);
  const std::string twice = mode + " mode, r=3; " + others[0] + " was asked twice, and its " +
                            "second answer is the one that counts: ";
  if (!succeeded(outcome) || outcome->state.value() != odd.state) {
    violation(twice + "the client is shown milk", words(outcome));
  }
  if (was_sent(odd, key) || !was_sent(node.peers[others[1]], key, *odd.state)) {
    violation(twice + "so " + others[1] + " is sent the merge, and nobody else is",
              was_sent(odd, key) ? others[0] + " is sent it" : others[1] + " is not");
  }
}

/// It is asked twice, and answers once only.
void judge_a_second_answer_that_never_comes(const std::string& mode) {
  QuorumNode node(mode, 3);
  const std::string key = node.key(true);
  const std::vector<NodeId> others = node.others(key);
  Peer& odd = node.peers[others[0]];
  odd.conduct = Conduct::another_history;
  odd.delay = 50ms;
  node.peers[others[1]].conduct = Conduct::is_silent;
  const RequestToken get = node.get(key, 2);
  node.pass(60ms);
  node.lone.say(others[0] + " answers no more");
  odd.conduct = Conduct::is_silent;
  node.pass(node.deadline);
  if (not_met(node.shown_to(get), 2, 1)) return;
  violation(mode + " mode, r=2; " + others[0] +
                " has said \"absent\" under another history, and nothing when it was asked once " +
                "more: that is no answer, so unavailable, needed 2, got 1",
            words(node.shown_to(get)));
}

TEST(quorum, under_another_history_only_what_is_found_counts) {
  for (const std::string mode : {"strict", "sloppy"}) {
    judge_nothing_under_another_history(mode, Holding::absent);
    judge_nothing_under_another_history(mode, Holding::not_mine);
    judge_found_under_another_history(mode);
    judge_the_second_answer(mode);
    judge_a_second_answer_that_never_comes(mode);
  }
}

TEST(quorum, owners_merge_updates_and_answer_reads) {
  QuorumNode node("strict");
  const std::string key = node.key(true);
  const std::string foreign = node.key(false);
  const State one = version_of("n2", "milk");
  const State other = version_of("n3", "eggs");
  const State both = siblings_of({one, other});
  const auto reads = [&](const std::string& asked, Holding right, const std::optional<State>& what,
                         const std::string& why) {
    const ReadReply reply = node.ask(Read{node.known(), asked});
    if (reply.holding == right && reply.state == what) return;
    violation(
        "a Read of " + asked + " is answered \"" + name_of(right) + "\"" +
            (what ? ", " + shown(*what) : "") + ": " + why,
        "\"" + name_of(reply.holding) + "\"" + (reply.state ? ", " + shown(*reply.state) : ""));
  };
  reads(key, Holding::absent, std::nullopt, "n1 is an owner, and nobody ever wrote it");
  reads(foreign, Holding::not_mine, std::nullopt, "n1 is no owner, and holds nothing");
  UpdateReply reply = node.ask(Update{node.known(), {copy_of(key, one), copy_of(foreign, one)}});
  if (!confirms(reply, copy_of(key, one)) || confirms(reply, copy_of(foreign, one))) {
    violation("n1 confirms " + key + ", of which it is an owner, and not " + foreign,
              confirms(reply, copy_of(key, one)) ? "it confirms both" : "it does not confirm it");
  }
  reply = node.ask(Update{node.known(), {offer_of(key, other)}});
  if (!reply.confirmed.empty()) {
    violation("n1 does not hold the offered state, so it does not confirm it", "it confirms it");
  }
  reply = node.ask(Update{node.known(), {copy_of(key, other)}});
  if (!confirms(reply, copy_of(key, other))) {
    violation("n1 has merged in what it was sent, so it confirms the hash that it was sent",
              "it confirms something else, or nothing");
  }
  reads(key, Holding::found, both, "both were put, by writers who had not seen each other");
  if (node.held(foreign) || node.hint(foreign)) {
    violation("n1 keeps nothing of a key that is not its own", "its disk holds it");
  }
}

/// A history may be long: who has it is not sent it with each message.
void judge_equal_histories() {
  QuorumNode node("strict");
  const std::string key = node.key(true);
  const Known reply = node.ask(Read{node.known(), key}).known;
  (void)node.put(key, "milk", 3, 1);
  (void)node.get(key, 3);
  node.pass(1s);
  for (const NodeId& owner : node.others(key)) {
    const std::vector<Known>& sent = node.peers[owner].known;
    const bool none = std::all_of(sent.begin(), sent.end(),
                                  [](const Known& known) { return known.events.empty(); });
    if (none && reply.events.empty()) continue;
    violation("all know the same history: messages carry its digest, and none of its events",
              none ? "a reply of n1's carries some" : "a message to " + owner + " carries some");
  }
}

/// An owner has left, so that n1 is one: it hears that from the very message that counts on it.
void judge_news_of_who_is_an_owner() {
  for (const std::string message : {"an Update", "a StoreHints", "a Read"}) {
    QuorumNode node("sloppy", 4);
    const std::string key = node.key(false);
    const NodeId gone = node.owners(key)[1];
    const NodeId stays = node.owners(key)[0];
    const History later = then(node.history, gone, Change::leave);
    const Known news{digest_of(later), later};
    const Copy copy = copy_of(key, version_of("n3", "milk"));
    std::string wrong;
    if (message == "an Update") {
      if (!confirms(node.ask(Update{news, {copy}}), copy)) wrong = "it does not confirm milk";
    } else if (message == "a StoreHints") {
      (void)node.ask(StoreHints{news, {{stays, copy}}});
      if (!node.held(key) || node.hint(key)) wrong = "milk is not in `store`, but in `hints`";
    } else if (node.ask(Read{news, key}).holding != Holding::absent) {
      wrong = "it does not answer \"absent\"";
    }
    if (wrong.empty()) continue;
    violation("n1 learns from " + message + " that " + gone + " has left, and so that it is an " +
                  "owner of " + key + " now, before it looks at anything else of it: it acts as " +
                  "an owner",
              wrong);
  }
}

TEST(quorum, other_histories_are_told_and_learned) {
  judge_equal_histories();
  judge_news_of_who_is_an_owner();
  QuorumNode node("strict");
  const std::string key = node.key(true);
  const HistoryDigest mine = digest_of(node.history);
  const auto judge = [&](const std::string& what, const Known& known) {
    if (known.digest == mine && tells_all(known, node.history)) return;
    violation("the other's digest is not n1's, so n1's reply to " + what +
                  " carries n1's own digest, and all its events",
              known.digest == mine ? "it lacks some of them" : "it carries another digest");
  };
  const Known other{{3, 4}, {}};
  const State state = version_of("n2", "milk");
  judge("an Update", node.ask(Update{other, {copy_of(key, state)}}).known);
  judge("a Read", node.ask(Read{other, key}).known);
  judge("a StoreHints", node.ask(StoreHints{other, {}}).known);
  node.lone.say("a peer tells of n6, of whom n1 has not heard");
  const History more = then(node.history, "n6", Change::join);
  (void)node.ask(Read{{digest_of(more), more}, key});
  if (node.lone.invoke<&Membership::history>() != more) {
    violation("n1 learns the events that a message carries: n6 is a member",
              "n1 knows " + list(members_of(node.lone.invoke<&Membership::view>())));
  }
  node.history = more;
  node.lone.say("the others' replies show another history than n1's");
  node.all(Conduct::another_history);
  (void)node.put(key, "eggs", 1, 1);
  node.pass(3s);
  for (const NodeId& owner : node.others(key)) {
    const std::vector<Known>& sent = node.peers[owner].known;
    const auto told = [&](const Known& known) { return tells_all(known, node.history); };
    if (std::any_of(sent.begin(), sent.end(), told)) continue;
    violation("when " + owner +
                  "'s reply has shown another digest, n1's next Update to it carries " +
                  "n1's events: the two become equal though no gossip runs",
              "no Update to it does");
  }
}

}  // namespace
