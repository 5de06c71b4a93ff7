// Lab 5, part A: how one node counts who holds a put, in strict mode. It is n1, one of five
// members.
#include <string>
#include <vector>

#include "quorum_node.h"

namespace {

using namespace dynamo;
using namespace dynamo::sim;
using namespace std::chrono_literals;

TEST(quorum, a_put_is_done_when_w_hosts_hold_it) {
  for (std::uint32_t w = 1; w <= 3; ++w) {
    QuorumNode node("strict");
    const std::string key = node.key(true);
    const std::vector<NodeId> others = node.others(key);
    node.peers[others[0]].delay = 100ms;
    node.peers[others[1]].delay = 200ms;
    const RequestToken put = node.put(key, "milk", w, 1);
    if (node.value(key) != "[milk]") {
      violation("n1, an owner of " + key + ", has put [milk] on its disk before it sends anything",
                "its disk holds " + node.value(key));
    }
    const auto judge = [&](std::uint32_t holding, const std::string& who) {
      const auto outcome = node.told(put);
      const std::string need = "w=" + std::to_string(w) + ", and " + who + " " +
                               (holding == 1 ? "holds" : "hold") + " the put: ";
      if (holding < w && outcome) {
        violation(need + "the client is told nothing yet", "it is told: " + words(outcome));
      }
      if (holding < w) return;
      if (!done(outcome) || outcome->needed != w || outcome->got < w || outcome->got > holding) {
        violation(need + "the client is told \"done\", with needed " + std::to_string(w) +
                      " and got " + std::to_string(w),
                  words(outcome));
      }
    };
    judge(1, "n1");
    node.pass(150ms);
    judge(2, "n1 and " + others[0]);
    node.pass(100ms);
    judge(3, "all three owners");
    for (const NodeId& owner : others) {
      if (was_sent(node.peers[owner], key, node.held(key)->state)) continue;
      violation(owner + ", an owner, is sent the state that n1 holds, whatever w is",
                "it is sent none, or another one");
    }
  }
}

TEST(quorum, a_host_counts_once_however_often_it_confirms) {
  NodeSetup setup = quorum_setup("strict");
  setup.config.request_deadline = 30s;
  setup.config.call_timeout = 3s;
  QuorumNode node(setup);
  const std::string key = node.key(true);
  const std::vector<NodeId> others = node.others(key);
  node.peers[others[1]].delay = 2s;
  const RequestToken first = node.put(key, "milk", 3, 1);
  node.pass(500ms);
  const RequestToken second = node.put(key, "eggs", 3, 2);
  node.pass(500ms);
  const RequestToken third = node.put(key, "tea", 2, 3);
  node.pass(500ms);
  for (const RequestToken put : {first, second}) {
    if (const auto outcome = node.told(put)) {
      violation("w=3, and " + others[0] + " has confirmed several Updates: it is one host all " +
                    "the same, n1 and it are two, and the client is told nothing yet",
                "it is told: " + words(outcome));
    }
  }
  if (!done(node.told(third))) {
    violation("w=2, and " + others[0] + " has confirmed the state that has this put in it: done",
              words(node.told(third)));
  }
  node.pass(700ms);
  if (const auto outcome = node.told(second)) {
    violation("w=3, and " + others[1] +
                  ", which takes 2 s, has confirmed what it was sent 2.2 s ago, before the second "
                  "put came: that one it may not hold, and its client is told nothing yet",
              "it is told: " + words(outcome));
  }
  node.pass(5s);
  for (const RequestToken put : {first, second}) {
    if (done(node.told(put)) && node.told(put)->got == 3) continue;
    violation(
        "all owners have confirmed a state with this put in it, though perhaps one that was " +
            std::string("made later: done, with got 3"),
        words(node.told(put)));
  }
}

/// Of the two other owners one refuses, and one knows another history until it has heard n1's.
void judge_one_more_message(bool learns) {
  NodeSetup setup = quorum_setup("strict");
  setup.config.retry_period = std::chrono::hours(1000);
  QuorumNode node(setup);
  const std::string key = node.key(true);
  const NodeId odd = node.others(key)[0];
  node.peers[node.others(key)[1]].conduct = Conduct::refuses;
  node.peers[odd].conduct = Conduct::another_history;
  node.peers[odd].delay = 50ms;
  const RequestToken put = node.put(key, "milk", 2, 1);
  node.pass(60ms);
  if (learns) {
    node.lone.say(odd + " has learned n1's events");
    node.peers[odd].conduct = Conduct::confirms;
  }
  node.pass(node.deadline / 2);
  const auto outcome = node.told(put);
  const std::string what = "w=2, and the reply of " + odd + " shows another history: that is " +
                           "worth one more message at once, long before the next retry_period, ";
  if (learns && !done(outcome)) violation(what + "and that one is confirmed: done", words(outcome));
  if (!learns && !not_met(outcome, 2, 1)) {
    violation(what + "and not more; after it nobody is left: unavailable, needed 2, got 1",
              words(outcome));
  }
}

TEST(quorum, a_confirmation_counts_only_for_what_was_sent_and_under_equal_digests) {
  judge_one_more_message(true);
  judge_one_more_message(false);
  struct Wrong {
    Conduct conduct;
    std::string why;
  };
  const std::vector<Wrong> all = {
      {Conduct::says_nothing_of, "the others answer, and confirm nothing"},
      {Conduct::another_hash, "the others confirm a hash that n1 never sent"},
      {Conduct::another_history,
       "the others' replies show another history than n1's, so perhaps other owners"}};
  for (const Wrong& wrong : all) {
    QuorumNode node("strict");
    const std::string key = node.key(true);
    node.all(wrong.conduct);
    const RequestToken put = node.put(key, "milk", 2, 1);
    node.pass(node.deadline);
    const auto outcome = node.told(put);
    if (!not_met(outcome, 2, 1)) {
      violation("w=2, and " + wrong.why + ": nobody but n1 is known to hold the put, so it is " +
                    "unavailable, needed 2, got 1",
                words(outcome));
    }
    node.look_anew();
    node.lone.say("now the others confirm what they are sent");
    node.all(Conduct::confirms);
    node.pass(3s);
    for (const NodeId& owner : node.others(key)) {
      if (was_sent(node.peers[owner], key, node.held(key)->state)) continue;
      violation("nothing of that settles a debt: " + owner + " is sent the state again",
                "it is sent nothing");
    }
  }
}

/// How the peers of an owner behave, how many answers were asked for, and how many there can be.
struct Shortage {
  Conduct first;
  Conduct second;
  std::uint32_t needed;
  std::uint32_t got;
};

TEST(quorum, who_cannot_have_enough_hosts_is_told_needed_and_got) {
  const std::vector<Shortage> all = {{Conduct::confirms, Conduct::is_silent, 3, 2},
                                     {Conduct::is_silent, Conduct::is_silent, 2, 1},
                                     {Conduct::refuses, Conduct::is_silent, 3, 1},
                                     {Conduct::refuses, Conduct::refuses, 2, 1}};
  for (const Shortage& shortage : all) {
    QuorumNode node("strict");
    const std::string key = node.key(true);
    const std::vector<NodeId> others = node.others(key);
    node.peers[others[0]].conduct = shortage.first;
    node.peers[others[1]].conduct = shortage.second;
    const RequestToken put = node.put(key, "milk", shortage.needed, 1);
    const RequestToken get = node.get(key, shortage.needed);
    node.pass(node.deadline / 2);
    if (!node.told(put) || !node.shown_to(get)) {
      violation("every call has ended long ago, refused or after its call_timeout, and in strict " +
                    std::string("mode there is nobody else to ask: nobody is left, so n1 does ") +
                    "not wait for the deadline",
                !node.told(put) ? "the put is not answered yet" : "the get is not answered yet");
    }
    node.pass(node.deadline / 2);
    const std::string numbers = "needed " + std::to_string(shortage.needed) + ", got " +
                                std::to_string(shortage.got) + ", by the deadline";
    if (!not_met(node.told(put), shortage.needed, shortage.got)) {
      violation("a put with w=" + std::to_string(shortage.needed) + " can be held by " +
                    hosts(shortage.got) + ": unavailable, " + numbers,
                words(node.told(put)));
    }
    if (!not_met(node.shown_to(get), shortage.needed, shortage.got)) {
      violation("a get with r=" + std::to_string(shortage.needed) + " can be answered by " +
                    hosts(shortage.got) + ": unavailable, " + numbers,
                words(node.shown_to(get)));
    }
    node.lone.say("long after the deadline, the others answer");
    node.all(Conduct::confirms);
    node.pass(3s);  // A second answer would stop the node.
    for (const NodeId& owner : others) {
      if (was_sent(node.peers[owner], key, node.held(key)->state)) continue;
      violation("\"quorum not met\" is no end of it: n1 holds the put, so " + owner +
                    " is sent it, also after the answer",
                owner + " is sent nothing with it");
    }
  }
  judge_deadline(
      "strict", 20s,
      ": the calls go on for 20 s, and the deadline is over in 1 s: unavailable by then, "
      "needed 2, got 1");
}

TEST(quorum, a_full_disk_refuses_a_put_and_confirms_nothing) {
  QuorumNode node("strict");
  const std::string value(20'000, 'v');
  const std::string key = node.key(true);
  const std::vector<NodeId> others = node.others(key);
  const Copy copy = copy_of(key, version_of("n2", value));
  const Coordinate put{node.known(), {"amy", 1, 1}, key, {value, {}, stamp(1)}, 1};
  node.lone.set_room(kNearlyFull);
  if (confirms(node.ask(Update{node.known(), {copy}}), copy)) {
    violation("n1's disk has no room for the state: it confirms no Update", "it confirms it");
  }
  const Disk before = node.lone.disk();
  const CoordinateReply reply = node.ask(put);
  if (reply.pending || reply.outcome.status.ok() ||
      reply.outcome.status.error().code != ErrorCode::no_room) {
    violation("n1's disk has no room for the version: the put is refused with no_room at once",
              reply.pending ? "there is no answer yet" : words(reply.outcome));
  }
  for (const auto& [where, bytes] : node.lone.disk()) {
    if (before.contains(where) || (where.second + bytes).find(key) == bytes.npos) continue;
    violation("a put that was refused leaves nothing of its key on the disk",
              "in \"" + where.first + "\" lies a record more, of " + key);
  }
  node.pass(2s);
  if (node.held(key) || !receivers(node, key, others).empty()) {
    violation("a put that was refused has changed nothing, and nothing is owed",
              node.held(key) ? "n1's disk holds the value"
                             : "an Update goes to " + list(receivers(node, key, others)));
  }
  node.lone.set_room(1 << 30);
  Coordinate senseless = put;
  senseless.id.sequence = 2;
  senseless.version.context = "no context of anybody's";
  const CoordinateReply other = node.ask(senseless);
  if (other.pending || other.outcome.status.ok() ||
      other.outcome.status.error().code != ErrorCode::invalid_argument) {
    violation("the store takes no version with a context that is none: the client hears just that",
              other.pending ? "there is no answer yet" : words(other.outcome));
  }
  const CoordinateReply again = node.ask(put);
  if (!again.mine || !done(again.outcome) || !node.held(key)) {
    violation("the disk has room again: the same request is executed now, and done",
              again.pending ? "there is no answer yet" : words(again.outcome));
  }
}

TEST(quorum, a_repeated_request_makes_no_second_version) {
  QuorumNode node("strict");
  const std::string key = node.key(true);
  const std::vector<NodeId> others = node.others(key);
  node.all(Conduct::is_silent);
  const RequestToken first = node.put(key, "milk", 1, 1);
  if (!done(node.told(first))) {
    violation("w=1, and n1 is an owner: done at once", words(node.told(first)));
  }
  const State held = node.held(key)->state;
  const auto unchanged = [&] {
    if (node.held(key)->state == held) return;
    violation("the request was executed before: no new version is made",
              "n1's disk holds another state: " + node.value(key));
  };
  node.lone.say("the same request comes again, with w=2");
  const RequestToken second = node.put(key, "milk", 2, 1);
  unchanged();
  node.pass(node.deadline);
  if (!not_met(node.told(second), 2, 1)) {
    violation("nobody has confirmed the put, so the second time it is unavailable: needed 2, got 1",
              words(node.told(second)));
  }
  node.all(Conduct::confirms);
  for (const bool settled : {false, true}) {
    node.lone.say(settled ? "and again, when all owners have confirmed it"
                          : "and again; the others answer now");
    const RequestToken again = node.put(key, "milk", 3, 1);
    unchanged();
    (void)node.pass_until([&] { return node.told(again).has_value(); }, node.deadline);
    unchanged();
    if (done(node.told(again)) && node.told(again)->got == 3) continue;
    violation("three hosts hold what the request made the first time: done, got 3",
              words(node.told(again)));
  }
}

}  // namespace
