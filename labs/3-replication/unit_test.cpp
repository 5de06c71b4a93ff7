// Lab 3, part A: what one node does with what it is told. It is n1, one of five members.
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "one_node.h"

namespace {

using namespace dynamo;
using namespace dynamo::sim;

std::string text(const WriteReply& reply) {
  if (!reply.mine) return "\"not mine\"";
  return reply.status.ok() ? "done" : name_of(reply.status.error().code);
}

TEST(replication, an_owner_executes_a_write_at_once_with_the_stamp_it_carries) {
  OneNode node;
  const std::vector<std::optional<std::string>> values = {"milk", std::nullopt, ""};
  for (std::size_t i = 0; i < values.size(); ++i) {  // a put, a delete, a put of an empty value
    const std::string key = node.key(true, i);
    const auto& value = values[i];
    Write write = write_of(node.known(), key, value, 1);
    write.id.sequence = i + 1;
    const WriteReply reply = node.ask(write);
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
  retell_all("n1 starts");
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
  const std::string unheld = node.key(true, 1);
  // What n1 cannot confirm stands before what it can.
  const UpdateReply reply = node.ask(
      Update{node.known(), {copy_of(other, state), offer_of(unheld, state), copy_of(key, state)}});
  const auto held = node.held(key);
  if (!held || !(held->state == state)) {
    violation("n1 is an owner of " + key + ": it keeps the state that the Update carries",
              "its disk holds " + node.value(key));
  }
  if (!confirms(reply, copy_of(key, state))) {
    violation("n1's reply confirms " + key + " with the hash that the Update gave",
              "it confirms " + std::to_string(reply.confirmed.size()) + " keys, not this one");
  }
  for (const Copy& copy : reply.confirmed) {
    if (copy.state) violation("a confirmation names key and hash", "it carries the state, too");
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

/// n1 has heard of `known` only, and a message tells of `news`, which make it an owner of a key, or
/// take the key away.
void hears_with_the_message(const History& known, const History& news, bool becomes) {
  const auto knowing = [](const History& events) {
    auto node = std::make_unique<OneNode>(1);
    node->learn(events);
    return node;
  };
  const auto later = knowing(news);
  std::string key;
  for (std::size_t i = 0; key.empty(); ++i) {
    const std::string one = knowing(known)->key(!becomes, i);
    if (among(later->owners(one), "n1") == becomes) key = one;
    if (i == 50) throw std::logic_error("none of 50 keys comes or goes");
  }
  const Known told{digest_of(news), news};
  const auto judge = [&](bool right, const std::string& what) {
    if (right) return;
    violation("what a message tells of members counts for the message itself: n1 is " +
                  std::string(becomes ? "an owner of " : "no owner any more of ") + key,
              "n1 answers the " + what + " as it would have before");
  };
  const State state = written("milk", stamp(1));
  const auto updated = knowing(known);
  const UpdateReply reply = updated->ask(Update{told, {copy_of(key, state)}});
  judge(confirms(reply, copy_of(key, state)) == becomes, "Update");
  judge(updated->held(key).has_value() == becomes, "Update");
  judge(knowing(known)->ask(write_of(told, key, "milk", 1)).mine == becomes, "Write");
  const Holding right = becomes ? Holding::absent : Holding::not_mine;
  judge(knowing(known)->ask(Read{told, key}).holding == right, "Read");
}

TEST(replication, what_a_message_tells_of_members_counts_for_the_message_itself) {
  History left = joined(10);
  for (std::size_t i = 6; i <= 10; ++i) left = then(left, node_name(i), Change::leave);
  hears_with_the_message(joined(5), joined(10), false);
  hears_with_the_message(joined(10), left, true);
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

}  // namespace
