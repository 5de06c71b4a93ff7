// Lab 3, part C: what one node says when it is asked for a vnode, and what it keeps.
#include <algorithm>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "one_node.h"

namespace {

using namespace dynamo;
using namespace dynamo::sim;

NodeSetup transfer_setup() {
  return replication_setup({"membership", "ring", "replication", "transfer"});
}

/// n1, one of three members, so that it owns each vnode; n2 is receiving one of them and asks n1.
struct Sender {
  explicit Sender(bool bootstrap) : node(3, transfer_setup(), bootstrap) {
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
  Said handed_over(Duration time, Answer answer) {
    for (Duration passed{0}; passed < time; passed += 50ms) {
      if (passed % 1s == 0ms) {
        (void)node.ask(AskTransfer{node.known(), "n2", kIncarnation, {vnode}}, "n2");
      }
      for (const auto& [call, update] : node.sent<Update>()) {
        if (call.to != "n2") continue;
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
      if (call.to == "n2" && sent.incarnation == kIncarnation) {
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

}  // namespace
