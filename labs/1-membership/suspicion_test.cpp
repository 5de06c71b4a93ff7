// Lab 1, part C: suspicion is not removal; partitions heal; a quiet cluster is quiet.
#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/random.h"
#include "one_node.h"
#include "scenarios.h"
#include "sim/check.h"

namespace {

using namespace dynamo;
using namespace dynamo::sim;

std::vector<NodeId> suspects(World& world, const NodeId& node) {
  return world.invoke<&Membership::suspects>(node);
}

void comes_to_suspect(World& world, const NodeId& node, const NodeId& silent) {
  converges(
      world, 60 * kRound,
      [&] {
        return contains(suspects(world, node), silent)
                   ? ""
                   : "it suspects " + list(suspects(world, node));
      },
      node + " suspects " + silent + ", which does not answer it", kRound / 2);
}

void comes_to_trust(World& world, const NodeId& node) {
  converges(
      world, 60 * kRound,
      [&] {
        const std::vector<NodeId> now = suspects(world, node);
        return now.empty() ? "" : "it suspects " + list(now);
      },
      node + " suspects nobody any more: all of them answer again", kRound / 2);
}

TEST(membership, suspicion_is_neither_removal_nor_news) {
  for_each_seed(6, lab_plan(3), [](World& world) {
    settle(world, names(1, 3), names(1, 3));
    const History before = history(world, "n1");
    const auto nothing_changed = [&] {
      for (const NodeId& node : world.up_nodes()) {
        const History now = history(world, node);
        world.expect(now == before,
                     "suspicion makes no event: the history of " + node + " is " + text(before),
                     text(now));
        world.expect(members(world, node) == names(1, 3), "all three are members for " + node,
                     list(members(world, node)));
      }
    };
    world.phase("n1 and n3 do not hear each other; n2 hears both");
    world.part({"n1"}, {"n3"});
    comes_to_suspect(world, "n1", "n3");
    comes_to_suspect(world, "n3", "n1");
    for (int look = 0; look < 20; ++look) {
      world.run_for(kRound / 2);
      world.expect(suspects(world, "n2").empty(),
                   "n2 suspects nobody: both answer it, whatever others think of them",
                   "it suspects " + list(suspects(world, "n2")));
    }
    nothing_changed();
    world.phase("the link is repaired");
    world.heal();
    comes_to_trust(world, "n1");
    comes_to_trust(world, "n3");
    world.phase("now n3 is paused");
    world.pause("n3");
    comes_to_suspect(world, "n1", "n3");
    comes_to_suspect(world, "n2", "n3");
    nothing_changed();
    world.resume("n3");
    comes_to_trust(world, "n1");
    comes_to_trust(world, "n2");
    nothing_changed();
  });
}

TEST(membership, suspicion_clears_only_at_an_answer) {
  for_each_seed(6, lab_plan(3), [](World& world) {
    settle(world, names(1, 3), names(1, 3));
    world.phase("requests of n1 to n2 are lost; those of n2 to n1 arrive, and are answered");
    LinkModel deaf;
    deaf.exchange_loss_ppm = 1'000'000;
    world.set_link("n1", "n2", deaf);
    comes_to_suspect(world, "n1", "n2");
    const MessageType gossip = *message_named(Gossip::type_name);
    const std::uint64_t before = world.sent("n2", "n1", gossip, false).messages;
    for (int look = 0; look < 30; ++look) {
      world.run_for(kRound / 3);
      if (look == 10) (void)world.remove("n2", "n3");  // news that n2 made are no answer, either
      world.expect(contains(suspects(world, "n1"), "n2"),
                   "n1 goes on suspecting n2: n2 has answered none of its requests since",
                   "n1 suspects " + list(suspects(world, "n1")) + "; " +
                       std::to_string(world.sent("n2", "n1", gossip, false).messages - before) +
                       " requests of n2 have come in meanwhile, which are no answers");
    }
    world.phase("requests of n1 arrive again");
    world.set_link("n1", "n2", {});
    comes_to_trust(world, "n1");
  });
}

/// Whom n1 calls in so many rounds. Who is among `silent` answers nothing.
std::map<NodeId, int> called(OneNode& node, int rounds, const std::vector<NodeId>& silent,
                             const std::string& before) {
  std::map<NodeId, int> calls;
  for (int round = 0; round < rounds; ++round) {
    node.lone.advance(kRound);
    History known = node.history();
    if (node.lone.calls().empty()) continue;
    const NodeId to = node.lone.calls().front().to;
    ++calls[to];
    node.answer_calls(known, contains(silent, to) ? 1 : 0);
  }
  std::string told;
  for (const auto& [peer, count] : calls) {
    told += (told.empty() ? "" : ", ") + peer + " " + times(count);
  }
  retell_all(before + "; in " + std::to_string(rounds) + " rounds n1 calls " + told);
  return calls;
}

/// Rule 6: at least a third as often as another peer, one time in ten here.
void suspects_are_called_often_enough() {
  OneNode node(only_membership("n1", 7));
  node.lone.start(true);
  for (const char* peer : {"n2", "n3", "n4", "n5"}) {
    (void)node.lone.invoke<&Membership::add>(NodeId(peer));
  }
  constexpr int kRounds = 2000;
  const std::map<NodeId, int> calls =
      called(node, kRounds, {"n5"}, "n1 to n5 are members, and n5 answers nothing");
  const auto found = calls.find("n5");
  const int count = found == calls.end() ? 0 : found->second;
  expect(count * 14 >= kRounds,
         "n1 draws its suspect n5 at least a third as often as each of the 3 other peers: about "
         "200 times in 2000 rounds, or more",
         "it called it " + times(static_cast<std::size_t>(count)));
  passed();
}

TEST(membership, a_healed_partition_heals_by_itself) {
  for_each_seed(8, lab_plan(7, {}), [](World& world) {
    settle(world, names(1, 7), names(1, 5));
    world.run_for(2 * kRound);
    world.phase("n1, n2, n3, n6 on one side; n4, n5, n7 on the other, for a long time");
    world.part({"n1", "n2", "n3", "n6"}, {"n4", "n5", "n7"});
    world.run_for(30 * kRound);
    (void)world.add("n1", "n6");
    (void)world.add("n4", "n6");  // the same on both sides: two events, and both stay
    (void)world.add("n4", "n7");
    (void)world.remove("n5", "n2");
    world.run_for(60 * kRound);
    world.phase("the network is whole again; nobody types a command");
    world.heal();
    become_equal(world, 30, "after the partition, which the nodes must find out by themselves");
    expect_operations(world, "n1");
    const std::vector<NodeId> expected{"n1", "n3", "n4", "n5", "n6", "n7"};
    world.expect(members(world, "n7") == expected,
                 "the changes of both sides count: the members are " + list(expected),
                 [&] { return list(members(world, "n7")); });
  });
  suspects_are_called_often_enough();
}

/// Rule 6: seeds are peers whether they are members or not, also one that was removed. Others that
/// were removed are none: they may be scrap.
void a_removed_seed_is_called() {
  OneNode node(only_membership("n1", 7, {"n1", "n3"}));
  node.lone.start(true);
  (void)node.lone.invoke<&Membership::add>(NodeId("n2"));
  (void)node.lone.invoke<&Membership::add>(NodeId("n3"));
  (void)node.lone.invoke<&Membership::add>(NodeId("n4"));
  (void)node.lone.invoke<&Membership::remove>(NodeId("n3"));
  (void)node.lone.invoke<&Membership::remove>(NodeId("n4"));
  const std::map<NodeId, int> calls =
      called(node, 60, {}, "n3 is a seed; n1 adds n2, n3 and n4, and removes n3 and n4");
  expect(calls.contains("n3"), "n1 calls its seed n3 now and then, though n3 was removed",
         "in 60 rounds it never did");
  expect(!calls.contains("n4"), "n1 does not call n4, which is no member any more, and no seed",
         "it does");
  expect(!calls.contains("n1"), "n1 does not call itself, though it is a seed", "it did");
  passed();
}

TEST(membership, two_halves_with_different_contacts_become_one) {
  for_each_seed(6, lab_plan(6, {"n1", "n4"}), [](World& world) {
    world.phase("two clusters begin, each without the other: n1, n2, n3 and n4, n5, n6");
    world.part(names(1, 3), names(4, 6));
    for (const std::size_t first : {1, 4}) {
      const std::vector<NodeId> half = names(first, first + 2);
      world.start(half[0], true);
      world.start(half[1]);
      world.start(half[2]);
      (void)world.add(half[0], half[1]);
      (void)world.add(half[0], half[2]);
      converges(
          world, 14 * kRound, [&] { return histories_differ(world, half); },
          "the half " + list(half) + " agrees");
    }
    world.run_for(5 * kRound);
    world.phase("now they reach each other; both configs name n1 and n4 as seeds");
    world.heal();
    become_equal(world, 30, "after the two halves could reach each other's seeds");
    world.expect(members(world, "n2") == names(1, 6), "they are one cluster: " + list(names(1, 6)),
                 [&] { return list(members(world, "n2")); });
  });
  a_removed_seed_is_called();
}

/// An answer that tells an older digest makes the asker push what the node has by now.
void an_answer_tells_the_digest_after_merging() {
  NodeSetup setup{"n1", 7, {}};
  setup.config.modules = {"membership"};
  Lone lone(setup);
  lone.start(true);
  const History news{{"n2", Change::join, {8, "n2", 3}}, {"n3", Change::join, {9, "n2", 3}}};
  const std::optional<GossipReply> reply = lone.request("n2", Gossip{digest_of(news), news});
  const HistoryDigest digest = digest_of(lone.invoke<&Membership::history>());
  if (!reply) violation("n1 answers the Gossip of n2", "it gave no answer");
  if (reply->digest != digest) {
    violation(
        "n1 answers a Gossip that brings 2 new events with the digest of its history as it is "
        "after it merged them",
        "the digest in its answer is another one");
  }
}

TEST(membership, a_quiet_cluster_gossips_digests) {
  an_answer_tells_the_digest_after_merging();
  for_each_seed(6, lab_plan(5), [](World& world) {
    settle(world, names(1, 5), names(1, 5));
    const MessageType gossip = *message_named(Gossip::type_name);
    const auto bytes_of_20_rounds = [&] {
      world.run_for(15 * kRound);  // whoever pushes news for some rounds has stopped by then
      const Traffic before = world.sent(gossip);
      world.run_for(20 * kRound);
      return (world.sent(gossip) - before).bytes;
    };
    world.phase("20 rounds of a quiet cluster with 5 events");
    const std::uint64_t few = bytes_of_20_rounds();
    world.expect(few > 0, "a quiet cluster gossips all the same", "no byte was sent in 20 rounds");
    History more;
    for (std::uint64_t i = 0; i < 300; ++i) {
      const NodeId subject = NodeId("m").append(std::to_string(i / 2 % 25));
      more.push_back({subject,
                      i % 2 == 0 ? Change::join : Change::leave,
                      {10 + i, "n1", world.incarnation("n1")}});
    }
    world.invoke<&Membership::merge>(NodeId("n1"), more);
    become_equal(world, 14, "after 300 more events");
    world.phase("20 rounds of the same cluster with 305 events");
    const std::uint64_t many = bytes_of_20_rounds();
    world.expect(many <= few + few / 2 + 200,
                 "a quiet cluster compares digests, so its messages do not grow with the history",
                 "20 rounds cost " + std::to_string(few) + " bytes with 5 events and " +
                     std::to_string(many) + " bytes with 305");
  });
}

}  // namespace
