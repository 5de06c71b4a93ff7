// Lab 3, part A: what one node does with what it is told. It is n1, one of five members.
#include <string>
#include <vector>

#include "one_node.h"

namespace {

using namespace dynamo;
using namespace dynamo::sim;

constexpr Duration kRetries = 3s;  // several retry periods

std::string text(const WriteReply& reply) {
  if (!reply.mine) return "\"not mine\"";
  return reply.status.ok() ? "done" : name_of(reply.status.error().code);
}

TEST(replication, an_owner_executes_a_write_at_once_with_the_stamp_it_carries) {
  OneNode node;
  for (const bool remove : {false, true}) {
    const std::string key = node.key(true, remove ? 1 : 0);
    const auto value = remove ? std::nullopt : std::optional<std::string>("milk");
    const Write write = write_of(node.known(), key, value, 1);
    Write mine = write;
    mine.id.sequence = remove ? 2 : 1;
    const WriteReply reply = node.ask(mine);
    if (!reply.mine || !reply.status.ok()) {
      violation("n1 is on the preference list " + list(node.owners(key)) + " of " + key +
                    ", so it executes the Write and answers: mine, done",
                "it answers " + text(reply));
    }
    const auto held = node.held(key);
    if (!held || !(held->state == written(value, write.version.stamp))) {
      violation(
          "when n1 has answered, what was written is on its disk, with the stamp that the "
          "Write carries: the node that took the client's request has made it",
          held ? "its disk holds " + node.value(key) + ", with another stamp"
               : "its disk holds nothing for " + key);
    }
  }
}

TEST(replication, a_node_that_is_no_owner_executes_no_write) {
  OneNode node;
  const std::string key = node.key(false);
  node.lone.say("n1 is not on the preference list " + list(node.owners(key)) + " of " + key);
  const WriteReply reply = node.ask(write_of(node.known(), key, "milk", 1));
  if (reply.mine) violation("n1 answers \"not mine\"", "it answers " + text(reply));
  node.lone.advance(2s);
  if (node.held(key)) {
    violation("n1 has done nothing with the key of others", "its disk holds " + node.value(key));
  }
  if (!node.sent<Write>().empty()) {
    violation("n1 never hands on what it was handed, so a request takes a bounded number of hops",
              "it sends a Write to " + node.sent<Write>().front().first.to);
  }
  OneNode stranger(0, replication_setup(), false);
  stranger.lone.say(
      "another n1, just started, knows of no member yet: each preference list is empty");
  const WriteReply unknown = stranger.ask(write_of(stranger.known(), key, "milk", 1));
  if (unknown.mine) violation("n1 answers \"not mine\"", "it answers " + text(unknown));
  if (stranger.held(key)) {
    violation("n1 keeps nothing, since it cannot know that it should",
              "its disk holds " + stranger.value(key));
  }
}

TEST(replication, an_update_is_merged_and_confirmed_by_its_hash) {
  OneNode node;
  const std::string key = node.key(true);
  const std::string other = node.key(false);
  const State state = written("milk", stamp(1));
  const UpdateReply reply =
      node.ask(Update{node.known(), {copy_of(key, state), copy_of(other, state)}});
  const auto held = node.held(key);
  if (!held || !(held->state == state)) {
    violation("n1 is an owner of " + key + ": it keeps the state that the Update carries",
              "its disk holds " + node.value(key));
  }
  if (!confirms(reply, copy_of(key, state))) {
    violation("n1's reply confirms " + key + " with the hash that the Update gave",
              "it confirms " + std::to_string(reply.confirmed.size()) + " keys, not this one");
  }
  if (confirms(reply, copy_of(other, state)) || node.held(other)) {
    violation("n1 is no owner of " + other + ": it neither keeps nor confirms it",
              node.held(other) ? "its disk holds " + node.value(other) : "it confirms it");
  }
}

TEST(replication, repeated_and_reordered_updates_change_nothing) {
  OneNode node;
  const std::string key = node.key(true);
  const State older = written("milk", stamp(1));
  const State newer = written("tea", stamp(2));
  for (const State& state : {newer, older, newer, older}) {
    const UpdateReply reply = node.ask(Update{node.known(), {copy_of(key, state)}});
    const auto held = node.held(key);
    if (!held || !(held->state == newer)) {
      violation(
          "n1 has merged what it was sent: the newest write, [tea], stays, in whatever order "
          "and however often the others come",
          "its disk holds " + node.value(key));
    }
    if (!confirms(reply, copy_of(key, state))) {
      violation("n1 confirms the hash that it was sent, also of an older state: that is merged in",
                "it does not confirm it");
    }
  }
}

TEST(replication, an_offered_hash_is_confirmed_only_if_that_state_is_held) {
  OneNode node;
  const std::string key = node.key(true);
  const State held = written("milk", stamp(1));
  const State other = written("tea", stamp(2));
  UpdateReply reply = node.ask(Update{node.known(), {offer_of(key, held)}});
  if (!reply.confirmed.empty()) {
    violation("n1 holds nothing, so it does not confirm a hash without the state",
              "it confirms it");
  }
  (void)node.ask(Update{node.known(), {copy_of(key, held)}});
  reply = node.ask(Update{node.known(), {offer_of(key, other)}});
  if (!reply.confirmed.empty()) {
    violation("n1 holds another state of " + key + " than the offered one: it does not confirm",
              "it confirms it");
  }
  reply = node.ask(Update{node.known(), {offer_of(key, held)}});
  if (!confirms(reply, offer_of(key, held))) {
    violation(
        "n1 holds exactly the state with the offered hash: it confirms, and the value need "
        "not be sent",
        "it does not confirm it");
  }
}

/// n1 executes a write of a key of its own, for a client of its own; nobody has heard of it yet.
void execute(OneNode& node, const std::string& key, const std::string& value,
             std::uint64_t number) {
  const WriteReply reply = node.ask(write_of(node.known(), key, value, number));
  if (!reply.mine || !reply.status.ok()) {
    violation("n1, an owner of " + key + ", executes the Write: done", "it answers " + text(reply));
  }
}

/// Whom n1 must still send `key` to.
std::vector<NodeId> others(OneNode& node, const std::string& key) {
  std::vector<NodeId> names = node.owners(key);
  std::erase(names, "n1");
  std::sort(names.begin(), names.end());
  return names;
}

TEST(replication, a_confirmation_counts_only_for_the_state_held_now) {
  OneNode node;
  const std::string key = node.key(true);
  const std::vector<NodeId> owing = others(node, key);
  execute(node, key, "milk", 1);
  node.lone.advance(50ms);
  const auto first = node.sent<Update>();
  execute(node, key, "tea", 2);
  const Copy newest = copy_of(key, written("tea", stamp(2)));
  node.lone.say("the others confirm the first state, which n1 holds no more");
  for (const auto& [call, update] : first) {
    node.lone.answer<Update>(call.id, confirmed(node.known(), update));
  }
  std::map<NodeId, std::size_t> sent;
  const std::vector<NodeId> receivers =
      node.updated(key, kRetries, [&](const NodeId& to, const Update& update) {
        for (const Copy& copy : update.copies) {
          if (copy.key == key && copy.hash == newest.hash) ++sent[to];
        }
        return confirmed(node.known(), update);
      });
  for (const NodeId& owner : owing) {
    if (sent[owner] != 0) continue;
    violation("n1's state of " + key + " has changed, so what " + owner +
                  " confirmed of the first one settles nothing: n1 sends it the second",
              "n1 sends " + owner + " no Update with the second one");
  }
  node.lone.say("all owners have confirmed what n1 holds");
  const std::vector<NodeId> again = node.updated(
      key, 2 * kRetries,
      [&](const NodeId&, const Update& update) { return confirmed(node.known(), update); });
  if (!again.empty()) {
    violation("what all owners have confirmed is sent to nobody any more",
              "n1 sends it again, to " + list(again));
  }
}

TEST(replication, what_is_not_confirmed_is_sent_again) {
  OneNode node;
  const std::string key = node.key(true);
  const std::vector<NodeId> owing = others(node, key);
  execute(node, key, "milk", 1);
  const Copy right = copy_of(key, written("milk", stamp(1)));
  struct Round {
    std::string why;
    std::function<UpdateReply(const Update&)> answer;
  };
  const std::vector<Round> rounds = {
      {"the others answered and confirmed nothing",
       [&](const Update&) {
         return UpdateReply{node.known(), {}};
       }},
      {"the others confirmed another hash than the one that n1 holds",
       [&](const Update&) {
         return UpdateReply{node.known(), {{key, {1, 2}, std::nullopt}}};
       }},
      {"the others' reply shows another history than n1's, so perhaps other owners",
       [&](const Update& update) {
         return confirmed({{3, 4}, {}}, update);
       }}};
  for (const Round& round : rounds) {
    const std::vector<NodeId> receivers = node.updated(
        key, kRetries, [&](const NodeId&, const Update& update) { return round.answer(update); });
    if (receivers != owing) {
      violation("each owner but n1 itself is sent " + key + ": " + list(owing), list(receivers));
    }
    node.lone.say(round.why);
  }
  std::vector<NodeId> receivers = node.updated(
      key, kRetries,
      [&](const NodeId&, const Update& update) { return confirmed(node.known(), update); });
  if (receivers != owing) {
    violation("nothing of that settles a debt, so " + list(owing) + " are sent the key again",
              list(receivers));
  }
}

bool holds_all(const History& events, const History& of) {
  return std::all_of(of.begin(), of.end(), [&](const Event& event) {
    return std::find(events.begin(), events.end(), event) != events.end();
  });
}

TEST(replication, messages_carry_the_digest_and_other_histories_are_told) {
  OneNode node;
  const std::string key = node.key(true);
  const HistoryDigest mine = digest_of(node.history);
  const auto judge = [&](const std::string& what, const Known& known, bool events) {
    if (known.digest != mine) {
      violation("n1's " + what + " carries the digest of its history", "it carries another one");
    }
    if (events && !holds_all(known.events, node.history)) {
      violation("the other's digest is not n1's, so n1's " + what + " carries its events",
                "it lacks some of them");
    }
  };
  const Known other{{3, 4}, {}};
  const State state = written("milk", stamp(1));
  judge("reply to an Update", node.ask(Update{node.known(), {copy_of(key, state)}}).known, false);
  judge("reply to an Update", node.ask(Update{other, {offer_of(key, state)}}).known, true);
  judge("reply to a Write", node.ask(write_of(other, key, "tea", 1)).known, true);
  judge("reply to a Read", node.ask(Read{other, key}).known, true);
  node.lone.advance(50ms);
  for (const auto& [call, update] : node.sent<Update>()) judge("Update", update.known, false);
  node.lone.say("the others' replies show another history than n1's");
  std::map<NodeId, bool> told;
  (void)node.updated(key, kRetries, [&](const NodeId& to, const Update& update) {
    judge("Update", update.known, false);
    told[to] = told[to] || holds_all(update.known.events, node.history);
    return UpdateReply{other, {}};
  });
  for (const NodeId& owner : others(node, key)) {
    if (told[owner]) continue;
    violation("when " + owner +
                  "'s reply has shown another digest, n1's next Update to it carries "
                  "n1's events: the two become equal though no gossip runs",
              "no Update to it does");
  }
  node.lone.say("a peer tells of n6, of whom n1 has not heard");
  History more = then(node.history, "n6", Change::join);
  (void)node.ask(Read{{digest_of(more), more}, key});
  if (node.lone.invoke<&Membership::history>() != more) {
    violation("n1 learns the events that a message carries: n6 is a member",
              "n1 knows " + list(members_of(node.lone.invoke<&Membership::view>())));
  }
}

TEST(replication, a_read_says_found_absent_or_not_mine) {
  OneNode node;
  const std::string key = node.key(true);
  const std::string foreign = node.key(false);
  const auto judge = [&](const std::string& asked, Holding right, const std::string& why) {
    ReadReply reply = node.ask(Read{node.known(), asked});
    if (reply.holding != right) {
      violation("n1 answers \"" + name_of(right) + "\": " + why,
                "it answers \"" + name_of(reply.holding) + "\"");
    }
    if ((right == Holding::found) != reply.state.has_value()) {
      violation("a state comes with \"found\", and with nothing else",
                reply.state ? "there is a state" : "there is none");
    }
    return reply;
  };
  (void)judge(key, Holding::absent, "it is an owner of " + key + ", and nobody ever wrote it");
  (void)judge(foreign, Holding::not_mine, "it is no owner of " + foreign + ", and holds nothing");
  const State state = written("milk", stamp(1));
  (void)node.ask(Update{node.known(), {copy_of(key, state)}});
  const ReadReply reply = judge(key, Holding::found, "it holds " + key);
  if (!(*reply.state == state)) violation("its state is the one held", "it is another one");
  // Other owners, and n1 still holds what it held.
  History later = node.history;
  for (std::size_t i = 6; i < 10; ++i) later = then(later, node_name(i), Change::join);
  std::vector<std::string> keys;
  for (std::size_t i = 1; i < 30; ++i) keys.push_back(node.key(true, i));
  for (const std::string& one : keys) {
    (void)node.ask(Update{node.known(), {copy_of(one, state)}});
  }
  node.learn(later);
  const auto moved = std::find_if(keys.begin(), keys.end(), [&](const std::string& one) {
    return !among(node.owners(one), "n1");
  });
  if (moved == keys.end()) return;  // a ring that moved none of them
  (void)judge(*moved, Holding::found, "it holds " + *moved + ", though it is its owner no more");
}

/// A client asks n1 for a key that n1 does not own. `answer` is what each host says to n1's Reads;
/// what the client is told, or nothing after all of its time.
template <class Answer>
std::optional<ReadOutcome> client_reads(OneNode& node, const std::string& key, Answer answer) {
  const RequestToken token = node.lone.ask("n1", ClientRead{key});
  for (Duration passed{0}; passed < 4s; passed += 10ms) {
    if (auto outcome = node.lone.answered<ClientRead>(token)) return outcome;
    for (const auto& [call, read] : node.sent<Read>()) {
      node.lone.answer<Read>(call.id, answer(call.to));
    }
    node.lone.advance(10ms);
  }
  return std::nullopt;
}

std::string text(const std::optional<ReadOutcome>& outcome) {
  if (!outcome) return "it is told nothing at all";
  if (!outcome->state.ok()) return "it is told " + name_of(outcome->state.error().code);
  if (!outcome->state.value()) return "it is told that there is no such key";
  return "it is told " + list(values_in(**outcome->state).value_or(std::vector<std::string>{}));
}

TEST(replication, absent_under_another_history_says_nothing) {
  const State state = written("milk", stamp(1));
  for (const bool all : {false, true}) {
    OneNode node;
    const std::string key = node.key(false);
    const Known other{{3, 4}, {}};
    NodeId sleeper;
    node.lone.say(std::string("a client asks n1 for a key of ") + list(node.owners(key)) +
                  (all ? "; whoever is asked " : "; the first one asked ") +
                  "says \"absent\", and its digest is not n1's");
    const auto outcome = client_reads(node, key, [&](const NodeId& host) -> ReadReply {
      if (sleeper.empty()) sleeper = host;
      if (all || host == sleeper) return {other, Holding::absent, std::nullopt, false};
      return {node.known(), Holding::found, state, false};
    });
    const bool nothing = outcome && outcome->state.ok() && !outcome->state.value();
    if (nothing) {
      violation(
          sleeper +
              " is complete in a history that is not n1's: it may have slept through a change, "
              "and lack what the others agreed on meanwhile. So n1 does not believe it: " +
              (all ? "\"unavailable\"" : "it asks the next one, who has [milk]"),
          text(outcome));
    }
    if (all || (outcome && outcome->state.ok() && **outcome->state == state)) continue;
    violation("the next owner has [milk]: the client gets it", text(outcome));
  }
}

}  // namespace
