// Lab 1, part B: gossip among many nodes. Time is virtual, and a seed decides what is lost.
#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/random.h"
#include "scenarios.h"
#include "sim/check.h"

namespace {

using namespace dynamo;
using namespace dynamo::sim;

TEST(membership, an_added_node_learns_it_from_a_members_gossip) {
  for_each_seed(6, lab_plan(3, {}), [](World& world) {
    world.start("n1", true);
    world.start("n2");
    world.start("n3");
    world.run_for(1500ms);
    world.expect(history(world, "n2").empty(),
                 "n2 has an empty disk and was not bootstrapped: it has no history, and waits",
                 [&] { return text(history(world, "n2")); });
    const Operation add = world.add("n1", "n2");
    world.expect(add.done(), "n1 takes \"add n2\": done", to_string(add));
    converges(
        world, 3 * kRound,
        [&] {
          return members(world, "n2") == names(1, 2) ? ""
                                                     : "n2 knows " + list(members(world, "n2"));
        },
        "n2, which has no seeds and knows nobody, hears from n1 that n1 and n2 are the members");
    const Operation next = world.add("n2", "n3");
    world.expect(next.done(), "n2 is a member now and takes \"add n3\": done", to_string(next));
    become_equal(world, 14, "after n2 added n3");
    world.expect(members(world, "n3") == names(1, 3), "n3 knows the members " + list(names(1, 3)),
                 [&] { return list(members(world, "n3")); });
  });
}

TEST(membership, an_empty_disk_asks_its_seeds_first) {
  for_each_seed(6, lab_plan(4, {"n1", "n3"}), [](World& world) {
    world.start("n1", true);
    world.run_for(300ms);
    (void)world.add("n1", "n2");
    world.start("n3");  // a seed, but no member
    world.run_for(200ms);
    world.expect(history(world, "n3") == history(world, "n1"),
                 "n3 started with an empty disk, asked its seed n1 in start(), and has n1's "
                 "history 200 ms later",
                 [&] {
                   return "n3 has " + text(history(world, "n3")) + "; n1 has " +
                          text(history(world, "n1"));
                 });
    const Operation early = world.add("n3", "n4");
    world.expect(early.failed_with(ErrorCode::not_a_member),
                 "n3 was not added yet, so its console answers \"add n4\" with not_a_member",
                 to_string(early));
    (void)world.add("n1", "n3");
    converges(
        world, 8 * kRound,
        [&] {
          return members(world, "n3") == names(1, 3) ? ""
                                                     : "n3 knows " + list(members(world, "n3"));
        },
        "n3 learns that it was added");
    const Operation late = world.add("n3", "n4");
    world.expect(late.done(), "n3 is a member, so its console takes \"add n4\"", to_string(late));
  });
}

TEST(membership, seeds_are_asked_until_one_answers) {
  for_each_seed(6, lab_plan(3, {"n1", "n2"}), [](World& world) {
    world.start("n3");
    world.run_for(5 * kRound);
    world.phase("nobody has answered n3 yet; now n1 begins");
    world.start("n1", true);
    converges(
        world, 16 * kRound,
        [&] {
          return history(world, "n3") == history(world, "n1")
                     ? ""
                     : "n3 has " + text(history(world, "n3"));
        },
        "n3, whose seeds n1 and n2 were down when it started, has n1's history");
  });
}

/// Which seeds were late, for a bound that holds for 95 % of them.
class Lateness {
 public:
  void note(std::uint64_t seed, bool late) { late_[seed] = late; }
  void judge(const std::string& what) const {
    std::string seeds;
    std::size_t late = 0;
    for (const auto& [seed, is_late] : late_) {
      if (is_late) seeds += (++late == 1 ? "" : ", ") + std::to_string(seed);
    }
    if (late * 20 > late_.size()) {
      violation(what + " in at least 95 of 100 worlds", std::to_string(late) + " of " +
                                                            std::to_string(late_.size()) +
                                                            " took longer: seeds " + seeds);
    }
  }

 private:
  std::map<std::uint64_t, bool> late_;
};

/// One change at one of `count` nodes; each node starts one exchange a round. All must have it
/// within `rounds` in 95 % of the worlds, and within twice as many in every one.
void gossip_within(std::size_t count, int rounds, std::uint32_t exchange_loss_ppm) {
  Lateness lateness;
  const std::string what = "a change is known to all " + std::to_string(count) + " nodes within " +
                           std::to_string(rounds) + " rounds";
  Plan plan = lab_plan(count);
  plan.links.exchange_loss_ppm = exchange_loss_ppm;
  for_each_seed(40, plan, [&](World& world) {
    // The last name is no member yet, but runs, so that the change brings nobody who does not
    // answer.
    settle(world, names(1, count), names(1, count - 1));
    Random random(world.seed());
    const NodeId taker = name(1 + random.below(count - 1));
    world.run_for(kLastAnswer);  // each node began its rounds at a moment of its own
    world.phase("the operator adds a node; count the rounds from here");
    const Operation add = world.add(taker, name(count));
    world.expect(add.done(), taker + " takes the change: done", to_string(add));
    const auto differ = [&] { return histories_differ(world); };
    world.run_for(rounds * kRound + kLastAnswer);
    const bool late = !differ().empty();
    lateness.note(world.seed(), late);
    if (!late) return;
    world.run_for(rounds * kRound);
    world.expect(differ().empty(), what + ", or twice as many if the dice fall badly", differ);
  });
  lateness.judge(what);
}

TEST(membership, gossip_reaches_everybody_in_few_rounds) {
  gossip_within(8, 7, 0);
  gossip_within(32, 8, 0);
  gossip_within(128, 10, 0);
}

TEST(membership, gossip_reaches_everybody_though_exchanges_are_lost) {
  gossip_within(8, 9, 200'000);
  gossip_within(32, 12, 200'000);
  gossip_within(128, 14, 200'000);
}

TEST(membership, gossip_goes_to_one_random_peer_a_round) {
  constexpr int kRounds = 30;
  std::map<std::uint64_t, std::vector<NodeId>> first_targets;  // of n2, by seed
  for_each_seed(12, lab_plan(8), [&](World& world) {
    settle(world, names(1, 8), names(1, 8));
    world.run_for(3 * kRound);
    world.phase("a quiet cluster: who calls whom?");
    std::map<NodeId, std::map<NodeId, int>> calls;
    std::vector<NodeId> targets;
    world.on_send([&](const Sent& sent) {
      if (sent.reply) return;
      ++calls[sent.from][sent.to];
      if (sent.from == "n2" && targets.size() < 5) targets.push_back(sent.to);
    });
    world.run_for(kRounds * kRound);
    world.on_send(nullptr);
    for (const NodeId& node : world.nodes()) {
      int all = 0;
      int most = 0;
      std::string told;
      for (const auto& [peer, count] : calls[node]) {
        all += count;
        most = std::max(most, count);
        told += (told.empty() ? "" : ", ") + peer + " " + std::to_string(count) + " times";
      }
      const std::string actual = std::to_string(kRounds) + " rounds in which it called " +
                                 (told.empty() ? "nobody" : told);
      world.expect(all >= kRounds - 1, node + " starts one exchange each round", actual);
      world.expect(
          all <= 2 * (kRounds + 1),
          node + " starts one exchange each round, and an exchange takes at most two calls",
          actual);
      world.expect(calls[node].count(node) == 0, node + " does not call itself", actual);
      world.expect(calls[node].size() >= 5 && most * 10 <= all * 6,
                   node +
                       " chooses at random among its 7 peers, so it calls at least 5 of them, and "
                       "none more than "
                       "six times out of ten",
                   actual);
    }
    first_targets[world.seed()] = targets;
  });
  std::set<std::vector<NodeId>> different;
  for (const auto& [seed, targets] : first_targets) different.insert(targets);
  if (first_targets.size() >= 12 && different.size() * 2 < first_targets.size()) {
    violation(
        "n2 draws its peers with env.random(), so in other worlds it calls them in another order",
        std::to_string(first_targets.size()) + " worlds, and only " +
            std::to_string(different.size()) + " different orders; one is " +
            list(*different.begin()));
  }
}

}  // namespace
