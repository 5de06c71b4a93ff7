// Lab 3, parts A and B: what one node owes to the other owners, and when it is settled.
#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "one_node.h"

namespace {

using namespace dynamo;
using namespace dynamo::sim;

constexpr Duration kRetries = 3s;       // several retry periods
constexpr Duration kNight = 120s;       // nobody answers, and nobody is given up
constexpr std::size_t kMostTries = 30;  // in that time, for one owner: several times too many

/// n1 executes a write of a key of its own, for a client of its own; nobody has heard of it yet.
void execute(OneNode& node, const std::string& key, const std::string& value,
             std::uint64_t number) {
  const WriteReply reply = node.ask(write_of(node.known(), key, value, number));
  if (!reply.mine || !reply.status.ok()) {
    violation("n1, an owner of " + key + ", executes the Write: done",
              reply.mine ? "it does not" : "it answers \"not mine\"");
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

/// A key of n1's own that stays n1's when n6 joins.
std::string lasting_key(OneNode& node) {
  OneNode later(6);
  for (std::size_t i = 0;; ++i) {
    std::string key = node.key(true, i);
    if (!among(later.owners(key), "n1")) continue;
    retell_all("n1 starts; the members are n1 to n5; the owners of " + key + " are " +
               list(node.owners(key)) + ", and n1 stays one when n6 joins");
    return key;
  }
}

TEST(replication, what_is_not_confirmed_is_sent_again) {
  OneNode node;
  const std::string key = lasting_key(node);
  execute(node, key, "milk", 1);
  node.lone.advance(50ms);
  const auto under_way = node.sent<Update>();
  const Known yesterday = node.known();
  node.learn(then(node.history, "n6", Change::join));
  const std::vector<NodeId> owing = others(node, key);
  node.lone.say("n6 joins while n1's Updates are under way; who confirms has not heard of it");
  for (const auto& [call, update] : under_way) {
    node.lone.answer<Update>(call.id, confirmed(yesterday, update));
  }
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
    std::size_t sent = 0;
    const std::vector<NodeId> receivers =
        node.updated(key, kRetries, [&](const NodeId&, const Update& update) {
          ++sent;
          return round.answer(update);
        });
    if (receivers != owing) {
      violation("each owner but n1 itself is sent " + key + ": " + list(owing),
                receivers.empty() ? "it is sent to nobody" : "it is sent to " + list(receivers));
    }
    if (&round == &rounds.front() && sent > kMostTries * owing.size()) {
      violation("what was in vain is tried again every retry_period, not at once",
                "n1 sends " + std::to_string(sent) + " Updates in three seconds");
    }
    node.lone.say(round.why);
  }
  for (Duration passed{0}; passed < kNight; passed += 100ms) {
    node.silence();
    node.lone.advance(100ms);
  }
  retell_all("n1 executes a write of " + key + "; nobody confirms what it holds");
  node.lone.say("then nobody answers for two minutes, however often n1 tries; now they are back");
  std::vector<NodeId> receivers = node.updated(
      key, kRetries,
      [&](const NodeId&, const Update& update) { return confirmed(node.known(), update); });
  if (receivers != owing) {
    violation(
        "nothing of that settles a debt, so " + list(owing) + " are sent the key again",
        receivers.empty() ? "within three seconds nobody is" : "it is sent to " + list(receivers));
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
  const auto judge_short = [&](const std::string& what, const Known& known) {
    judge(what, known, false);
    if (known.events.empty()) return;
    violation("as far as n1 knows the other's digest is its own, so n1's " + what +
                  " carries no events: each message would cost a whole history",
              "it carries " + std::to_string(known.events.size()) + " of them");
  };
  const Known other{{3, 4}, {}};
  const State state = written("milk", stamp(1));
  judge_short("reply to an Update", node.ask(Update{node.known(), {copy_of(key, state)}}).known);
  judge_short("reply to a Read", node.ask(Read{node.known(), key}).known);
  judge("reply to an Update", node.ask(Update{other, {offer_of(key, state)}}).known, true);
  judge("reply to a Write", node.ask(write_of(other, key, "tea", 1)).known, true);
  judge("reply to a Read", node.ask(Read{other, key}).known, true);
  node.lone.advance(50ms);
  for (const auto& [call, update] : node.sent<Update>()) judge_short("Update", update.known);
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
  node.lone.say("now they show n1's own history, and confirm nothing yet");
  std::map<NodeId, bool> equal;
  (void)node.updated(key, kRetries, [&](const NodeId& to, const Update& update) {
    if (equal[to])
      judge_short("Update to " + to + ", whose last reply showed n1's digest,", update.known);
    equal[to] = true;
    return UpdateReply{node.known(), {}};
  });
  node.lone.say("a peer tells of n6, of whom n1 has not heard");
  History more = then(node.history, "n6", Change::join);
  (void)node.ask(Read{{digest_of(more), more}, key});
  if (node.lone.invoke<&Membership::history>() != more) {
    violation("n1 learns the events that a message carries: n6 is a member",
              "n1 knows " + list(members_of(node.lone.invoke<&Membership::view>())));
  }
}

/// One of n1's own with a zero byte in the middle: keys are bytes, up to 256 of them.
std::string binary_key(OneNode& node) {
  return node.find_key(true, 0, "cart" + std::string(1, '\0'));
}

TEST(replication, an_update_carries_about_batch_bytes) {
  NodeSetup setup = replication_setup();
  setup.config.batch_bytes = 20'000;
  OneNode node(5, setup);
  constexpr std::size_t kValues = 30;
  const std::string value(5'000, 'v');
  std::set<std::string> left;
  for (std::size_t i = 0; i < kValues; ++i) {
    left.insert(node.key(true, i));
    execute(node, node.key(true, i), value, i + 1);
  }
  const std::string large = node.key(true, kValues);
  const std::string binary = binary_key(node);
  execute(node, large, std::string(3 * setup.config.batch_bytes, 'v'), kValues + 1);
  execute(node, binary, value, kValues + 2);
  left.insert({large, binary});
  node.lone.say("n1 owes " + std::to_string(kValues) +
                " keys, of 5,000 bytes each, one of 60,000, and one whose name has a zero byte");
  for (int i = 0; i < 100; ++i) {
    for (const auto& [call, update] : node.sent<Update>()) {
      std::size_t bytes = 0;
      for (const Copy& copy : update.copies) {
        if (copy.state) bytes += copy.state->bytes.size();
        left.erase(copy.key);
      }
      if (bytes > 2 * setup.config.batch_bytes && update.copies.size() > 1) {
        violation(
            "an Update carries about batch_bytes, 20,000, or one key: no message between "
            "nodes could carry all that is owed after a night without a network",
            "one to " + call.to + " carries " + std::to_string(bytes) + " bytes of states");
      }
      node.lone.answer<Update>(call.id, confirmed(node.known(), update));
    }
    node.lone.advance(50ms);
  }
  if (!left.empty()) {
    violation("within five seconds each key was sent, since all is confirmed at once",
              std::to_string(left.size()) + " not sent" +
                  (left.contains(large) ? ", the one with 60,000 bytes among them" : "") +
                  (left.contains(binary) ? ", the one with a zero byte among them" : ""));
  }
}

/// The first keys of n1's own that are others' as soon as n6 to n10 have joined.
std::string moving_key(OneNode& node, const History& later) {
  OneNode other(5);
  other.learn(later);
  for (std::size_t i = 0; i < 100; ++i) {
    std::string key = node.key(true, i);
    if (among(other.owners(key), "n1")) continue;
    retell_all("n1 starts; the members are n1 to n5, and it is an owner of " + key);
    return key;
  }
  throw std::logic_error("five joins move none of a hundred keys");
}

TEST(replication, a_debt_is_kept_while_the_key_belongs_to_others) {
  for (const bool killed : {false, true}) {
    OneNode node;
    History later = node.history;
    for (std::size_t i = 6; i <= 10; ++i) later = then(later, node_name(i), Change::join);
    const std::string key = moving_key(node, later);
    execute(node, key, "milk", 1);
    node.lone.say("nobody answers; n6 to n10 join, and n1 does not own " + key + " any more");
    node.lone.advance(50ms);
    node.silence();
    node.learn(later);
    const auto nothing = [&](const NodeId&, const Update&) {
      return UpdateReply{node.known(), {}};
    };
    std::vector<NodeId> owners = node.owners(key);
    std::sort(owners.begin(), owners.end());
    const std::vector<NodeId> offered = node.updated(key, 5s, nothing);
    if (offered != owners) {
      violation("n1 still owes " + key + ", now to all of its owners: " + list(owners),
                offered.empty() ? "it sends it to nobody" : "it sends it to " + list(offered));
    }
    if (killed) node.lone.restart();
    for (std::size_t i = 6; i <= 10; ++i) later = then(later, node_name(i), Change::leave);
    node.silence();
    node.learn(later);
    node.lone.say("n6 to n10 have left before anybody confirmed it, and n1 is an owner again");
    owners = node.owners(key);
    if (!among(owners, "n1")) throw std::logic_error("the key does not come back to n1");
    std::erase(owners, "n1");
    std::sort(owners.begin(), owners.end());
    const std::vector<NodeId> receivers = node.updated(key, 5s, nothing);
    if (receivers != owners) {
      violation(
          "the debt stays until all owners have confirmed, or the key was dropped: n1 sends " +
              key + " to the other owners, " + list(owners),
          receivers.empty() ? "it sends it to nobody" : "it sends it to " + list(receivers));
    }
  }
}

}  // namespace
