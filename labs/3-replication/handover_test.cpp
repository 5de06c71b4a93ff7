// Lab 3, part C: what one node says when it is asked for a vnode, and what it keeps.
#include <algorithm>
#include <functional>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "one_node.h"

namespace {

using namespace dynamo;
using namespace dynamo::sim;

NodeSetup transfer_setup(std::uint64_t batch_bytes = 256u << 10) {
  NodeSetup setup = replication_setup({"membership", "ring", "replication", "transfer"});
  setup.config.batch_bytes = batch_bytes;
  return setup;
}

/// n1, one of three members, so that it owns each vnode; n2 is receiving one of them and asks n1.
struct Sender {
  explicit Sender(bool bootstrap, NodeSetup setup = transfer_setup())
      : node(3, std::move(setup), bootstrap) {
    for (std::size_t i = 0; keys.size() < 4; ++i) {
      const std::string key = std::string("cart").append(std::to_string(i));
      if (vnode_of(kQ, key) == vnode) keys.push_back(key);
    }
    std::sort(keys.begin(), keys.end(), [](const std::string& a, const std::string& b) {
      return std::pair(hash_of(a), a) < std::pair(hash_of(b), b);
    });
  }

  void hold(const std::string& key, const NodeId& from = "n3") {
    (void)node.ask(Update{node.known(), {copy_of(key, state)}}, from);
    if (!node.held(key)) violation("n1 owns " + key + " and keeps it", "its disk holds nothing");
  }

  /// What n1 has said of the vnode, in a SentAll to n2.
  enum class Said { nothing, partial, complete };

  /// n2 asks for the vnode, now and each second, and answers each Update by `answer`, until n1 has
  /// said something or `time` has passed. n3 is silent.
  template <class Answer>
  Said handed_over(Duration time, Answer answer, Duration pause = 50ms) {
    for (Duration passed{0}; passed < time; passed += 50ms) {
      if (passed % 1s == 0ms) {
        (void)node.ask(AskTransfer{asker, "n2", incarnation, {vnode}}, "n2");
      }
      for (const auto& [call, update] : node.sent<Update>()) {
        if (call.to != "n2" || passed % pause != 0ms) continue;
        const UpdateReply reply = answer(update);
        for (const Copy& copy : reply.confirmed) {
          if (reply.known == node.known()) confirmed_keys.insert(copy.key);
        }
        node.lone.answer<Update>(call.id, reply);
      }
      if (const Said said = heard(); said != Said::nothing) return said;
      node.lone.advance(50ms);
    }
    return heard();
  }

  Said heard() {
    Said said = Said::nothing;
    for (const auto& [call, sent] : node.sent<SentAll>()) {
      if (call.to == "n2" && sent.incarnation == incarnation) {
        if (contains(sent.partial)) said = Said::partial;
        if (contains(sent.complete)) said = Said::complete;
      }
      node.lone.answer<SentAll>(call.id, {node.known()});
    }
    return said;
  }

  bool contains(const std::vector<VnodeId>& vnodes) const {
    return std::find(vnodes.begin(), vnodes.end(), vnode) != vnodes.end();
  }

  static constexpr VnodeId vnode = 3;
  const State state = written("milk", stamp(1));
  std::vector<std::string> keys;  ///< Four of the vnode, in the order in which a scan visits them.
  std::set<std::string> confirmed_keys;  ///< By n2, under n1's history.
  OneNode node;
  Known asker = node.known();              ///< What n2 knows,
  Incarnation incarnation = kIncarnation;  ///< and its disk.
};

/// Confirms what an Update carries, but not `but`.
UpdateReply confirmed_but(const Known& known, const Update& update, const std::string& but) {
  UpdateReply reply = confirmed(known, update);
  std::erase_if(reply.confirmed, [&](const Copy& copy) { return copy.key == but; });
  return reply;
}

std::string text(Sender::Said said) {
  if (said == Sender::Said::nothing) return "it says nothing of it";
  return said == Sender::Said::partial ? "it says so: \"partial\"" : "it says so: \"complete\"";
}

/// n2 answers all that n1, a complete owner, hands over by `answer`, until n1 has said that it was
/// all. Then, if it must not have said so yet, n2 confirms everything.
template <class Answer>
void says_sent_all(const std::string& why, Answer answer) {
  Sender sender(true);
  OneNode& node = sender.node;
  for (const std::string& key : sender.keys) sender.hold(key);
  node.lone.say("n2 is receiving vnode 3, of which n1 holds " + list(sender.keys));
  const Sender::Said early =
      sender.handed_over(3s, [&](const Update& update) { return answer(sender, update); });
  if (early != Sender::Said::nothing) {
    violation(why +
                  ": n1 does not say that it has sent all of vnode 3, since n2 would call what it "
                  "lacks absent",
              text(early));
  }
  const Sender::Said said = sender.handed_over(
      10s, [&](const Update& update) { return confirmed(node.known(), update); });
  if (said != Sender::Said::complete) {
    violation(
        "n2 has confirmed every key of vnode 3 that n1, a complete owner, holds: n1 tells it so",
        text(said));
  }
}

/// n2 asks each second, and is slow to answer what n1 sends; one key is in an Update.
void asking_again_begins_nothing_new() {
  Sender sender(true, transfer_setup(1));
  OneNode& node = sender.node;
  for (const std::string& key : sender.keys) sender.hold(key);
  node.lone.say("n2 is receiving vnode 3, of which n1 holds " + list(sender.keys) +
                "; it is slow to answer, and asks each second");
  const Sender::Said said = sender.handed_over(
      30s, [&](const Update& update) { return confirmed(node.known(), update); }, 1400ms);
  if (said != Sender::Said::complete) {
    violation("asked again for what is under way, n1 begins nothing new, so it comes to an end",
              text(said));
  }
}

/// n1 owns nothing any more, and is asked all the same.
void who_was_removed_says_a_part() {
  Sender sender(true);
  OneNode& node = sender.node;
  for (const std::string& key : sender.keys) sender.hold(key);
  node.learn(then(node.history, "n1", Change::leave));
  sender.asker = node.known();
  node.lone.say("n1 was removed, and still holds " + list(sender.keys) +
                "; n2 asks it for vnode 3");
  const Sender::Said said = sender.handed_over(
      10s, [&](const Update& update) { return confirmed(node.known(), update); });
  if (said != Sender::Said::partial || sender.confirmed_keys.size() < sender.keys.size()) {
    violation(
        "a removed node hands over like any other, and then says that this is all it holds, "
        "in `partial`, since it is no owner: n2 waits for its word",
        text(said));
  }
}

TEST(replication, sent_all_is_said_when_every_key_was_confirmed) {
  says_sent_all("n2 has confirmed all but one key", [](const Sender& sender, const Update& update) {
    return confirmed_but(sender.node.known(), update, sender.keys.front());
  });
  says_sent_all("n2 has confirmed all but one key", [](const Sender& sender, const Update& update) {
    return confirmed_but(sender.node.known(), update, sender.keys.back());
  });
  says_sent_all("n2 has confirmed all of it under another history, so perhaps not as an owner",
                [](const Sender&, const Update& update) {
                  return confirmed({{5, 6}, {}}, update);
                });
  asking_again_begins_nothing_new();
  who_was_removed_says_a_part();
}

TEST(replication, who_became_complete_in_the_middle_of_a_handover_sent_only_a_part) {
  Sender sender(false);
  OneNode& node = sender.node;
  const std::string& early = sender.keys.front();
  for (std::size_t i = 1; i < sender.keys.size(); ++i) sender.hold(sender.keys[i]);
  node.lone.say("n1 has a new disk and is receiving vnode 3; so is n2, which asks n1 for it");
  bool sent = false;
  const Sender::Said said = sender.handed_over(10s, [&](const Update& update) {
    if (!std::exchange(sent, true)) {
      node.lone.say("in the middle of that n3 sends " + early + " to n1, and says it was all");
      sender.hold(early);
      SentAll all{node.known(), "n3", kIncarnation, {Sender::vnode}, {}};
      (void)node.ask(all, "n3");
    }
    return confirmed(node.known(), update);
  });
  if (said == Sender::Said::complete && !sender.confirmed_keys.contains(early)) {
    violation("n1 was not complete for vnode 3 before it offered the first key, and " + early +
                  " came too late to be offered: n1 has sent a part",
              "it says \"complete\", so n2 will call " + early + " absent");
  }
}

TEST(replication, a_new_disk_is_handed_everything_again) {
  Sender sender(true, transfer_setup(1));
  OneNode& node = sender.node;
  for (const std::string& key : sender.keys) sender.hold(key);
  node.lone.say("n2 is receiving vnode 3, of which n1 holds " + list(sender.keys) +
                ", and confirms one key after the other");
  std::set<std::string> old_disk;
  std::set<std::string> new_disk;
  const Sender::Said said = sender.handed_over(20s, [&](const Update& update) {
    const UpdateReply reply = confirmed(node.known(), update);
    std::set<std::string>& disk = sender.incarnation == kIncarnation ? old_disk : new_disk;
    for (const Copy& copy : update.copies) disk.insert(copy.key);
    if (sender.incarnation == kIncarnation && old_disk.size() == 2) {
      sender.incarnation = kIncarnation + 1;
      node.lone.say("n2 confirms, and its disk burns: with a new one it asks at once");
      (void)node.ask(AskTransfer{node.known(), "n2", sender.incarnation, {Sender::vnode}}, "n2");
    }
    return reply;
  });
  if (said != Sender::Said::complete) {
    violation("n2 has confirmed it all with its new disk: n1 tells that disk so", text(said));
  }
  if (new_disk.size() < sender.keys.size()) {
    violation(
        "what n2's old disk confirmed is lost: n1 says that it has sent all when the new one "
        "has confirmed each key",
        "it says so, and the new disk was offered only " + std::to_string(new_disk.size()) +
            " of " + std::to_string(sender.keys.size()) + " keys");
  }
}

TEST(replication, nothing_is_handed_over_under_another_history) {
  Sender sender(true);
  OneNode& node = sender.node;
  node.lone.say("n2 asks for vnode 3, of which n1 holds nothing, and knows another history");
  sender.asker = {{5, 6}, {}};
  const auto answer = [&](const Update& update) { return confirmed(sender.asker, update); };
  if (const Sender::Said said = sender.handed_over(3s, answer); said != Sender::Said::nothing) {
    violation("n2 may be no owner, or n1 none, in what the other one knows: n1 says nothing",
              text(said));
  }
  const AskTransferReply reply =
      node.ask(AskTransfer{sender.asker, "n2", kIncarnation, {Sender::vnode}}, "n2");
  if (reply.known.events != node.history) {
    violation("n1's reply carries its events, so that n2 learns them", "it lacks some of them");
  }
  sender.asker = node.known();
  if (const Sender::Said said = sender.handed_over(10s, answer); said != Sender::Said::complete) {
    violation("n2 knows what n1 knows now, and asks again: n1 tells it that this is all",
              text(said));
  }
}

TEST(replication, a_key_of_others_is_dropped_when_all_its_owners_have_confirmed) {
  OneNode node(3, transfer_setup());
  const State state = written("milk", stamp(1));
  std::vector<std::string> keys;
  for (std::size_t i = 0; i < 20; ++i) keys.push_back("cart" + std::to_string(i));
  for (const std::string& key : keys) (void)node.ask(Update{node.known(), {copy_of(key, state)}});
  node.learn(joined(6));
  const auto stray = std::find_if(keys.begin(), keys.end(), [&](const std::string& key) {
    return !among(node.owners(key), "n1");
  });
  if (stray == keys.end()) throw std::logic_error("n1 is still an owner of each key");
  std::vector<NodeId> owners = node.owners(*stray);
  std::sort(owners.begin(), owners.end());
  const std::string begun =
      "n1 starts; the members are n1 to n3, so each of them holds all keys: " + keys.front() +
      " to " + keys.back();
  retell_all(begun);
  node.lone.say("n4, n5 and n6 have joined; " + *stray + " belongs to " + list(owners) + " now");
  struct Round {
    std::string why;
    std::function<UpdateReply(const NodeId&, const Update&)> answer;
  };
  const UpdateReply nothing{node.known(), {}};
  const std::vector<Round> rounds = {{"two of three owners have confirmed it",
                                      [&](const NodeId& to, const Update& update) {
                                        return to == owners[2] ? nothing
                                                               : confirmed(node.known(), update);
                                      }},
                                     {"two have confirmed it, the third under another history",
                                      [&](const NodeId& to, const Update& update) {
                                        if (to == owners[2]) return confirmed({{5, 6}, {}}, update);
                                        return confirmed(node.known(), update);
                                      }}};
  for (const Round& round : rounds) {
    (void)node.updated(*stray, 4s, round.answer);
    if (!node.held(*stray))
      violation("n1 keeps the key as long as only " + round.why, "it dropped it");
  }
  const std::vector<NodeId> before = {owners[0], owners[1]};
  retell_all(begun);
  node.lone.say("n4, n5 and n6 have joined, and of the owners of " + *stray + ", " + list(before) +
                " have confirmed it");
  node.learn(joined(7));
  node.lone.say("n7 has joined; " + *stray + " belongs to " + list(node.owners(*stray)) + " now");
  (void)node.updated(*stray, 4s, [&](const NodeId& to, const Update& update) {
    return among(before, to) ? UpdateReply{node.known(), {}} : confirmed(node.known(), update);
  });
  if (!node.held(*stray)) {
    violation("what " + list(before) +
                  " confirmed before the history grew is forgotten: n1 keeps "
                  "the key until they have confirmed it again",
              "it dropped it");
  }
  (void)node.updated(*stray, 8s, [&](const NodeId&, const Update& update) {
    return confirmed(node.known(), update);
  });
  if (node.held(*stray)) {
    violation("all three owners have confirmed the state that n1 holds: n1 drops it",
              "8 seconds later it holds " + node.value(*stray));
  }
  const auto mine = std::find_if(keys.begin(), keys.end(),
                                 [&](const std::string& key) { return node.held(key); });
  if (mine == keys.end()) throw std::logic_error("n1 holds nothing any more");
  History gone = node.history;
  for (const NodeId& member : members_of(node.lone.invoke<&Membership::view>())) {
    gone = then(gone, member, Change::leave);
  }
  retell_all(begun);
  node.lone.say("n4 to n7 have joined, and all owners have confirmed what they were sent");
  node.learn(gone);
  node.lone.say("all seven have left, the operator says: no node owns anything");
  (void)node.updated(*mine, 8s, [&](const NodeId&, const Update& update) {
    return confirmed(node.known(), update);
  });
  if (!node.held(*mine)) {
    violation("nobody owns " + *mine + ", so nobody has confirmed it: n1 keeps what it holds",
              "it dropped it");
  }
}

}  // namespace
