// The reference's transfer in worlds whose members change while clients read and write: what
// LABS.md 3.7 and 3.8 say, under faults that a seed draws.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>

#include "changing_members.h"
#include "core/codec.h"
#include "core/random.h"
#include "sim/cluster.h"
#include "sim/crossing.h"
#include "sim/store_checks.h"
#include "sim/world.h"

namespace dynamo::sim {
namespace {

/// A cluster of the reference, linked in; `members` of its nodes form it, the others run.
struct Store {
  Store(const Plan& plan, std::size_t members)
      : host(make_linked_host()), crossing({host.get()}), world(plan, crossing) {
    const auto count = static_cast<std::ptrdiff_t>(members);
    form_cluster(world, {world.nodes().begin(), world.nodes().begin() + count});
    for (const NodeId& node : world.nodes()) {
      if (world.life(node) == Life::absent) world.start(node);
    }
  }

  bool settles(Duration within) {
    return world.run_until([&] { return unsettled(world).empty(); }, within);
  }

  std::unique_ptr<Host> host;
  SoloCrossing crossing;
  World world;
};

/// Waits until all is well. A node that was told to die at a commit may do so only now.
bool calms_down(World& world) {
  for (int second = 0; second < 60; ++second) {
    for (const NodeId& node : world.nodes()) {
      if (world.life(node) == Life::down) world.restart(node);
    }
    world.run_for(1s);
    if (unsettled(world).empty()) return true;
  }
  return false;
}

/// Some epochs of change and trouble, each of which ends with a quiet cluster.
void live(World& world, Clients& clients, Faults faults) {
  Trouble trouble(world, faults);
  Random random(world.seed());
  for (std::uint64_t k = 0; k < kKeys; ++k) {
    clients.write(true_members(world).front(), key_number(k));
  }
  for (int epoch = 0; epoch < 4; ++epoch) {
    ASSERT_TRUE(calms_down(world)) << unsettled(world);
    clients.raise_floor();
    trouble.begin();
    for (int i = 0; i < 40; ++i) {
      trouble.step();
      for (const NodeId& node : world.up_nodes()) {
        clients.read(node, key_number(random.below(kKeys)));
      }
      const NodeId at = world.nodes()[random.below(world.nodes().size())];
      if (random.below(2) == 0) clients.write(at, key_number(random.below(kKeys)));
      world.run_for(Duration(random.below(300'000)));
      ASSERT_EQ(clients.wrong(), "") << "in epoch " << epoch;
    }
    trouble.end();
    // What the lost disk alone held is gone, and until lab 6 nobody compares the replicas.
    if (trouble.wiped()) return;
    ASSERT_TRUE(calms_down(world)) << unsettled(world);
    for (std::uint64_t k = 0; k < kKeys; ++k) {
      const auto expected = expected_with_last_write_wins(world, key_number(k));
      const auto& read = world.get(true_members(world).back(), key_number(k));
      ASSERT_EQ(contradicts(read.values, expected), "") << key_number(k);
    }
  }
}

struct Reads {
  std::size_t answered = 0;
  std::size_t refused = 0;
};

Reads live(std::uint64_t seeds, Faults faults) {
  Reads all;
  for (std::uint64_t seed = 1; seed <= seeds && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Plan plan = transfer_plan(6, seed);
    if (seed % 4 == 0) plan.config.n = 2;
    if (seed % 8 == 1) plan.config.n = 1;
    Store store(plan, 1 + seed % 5);
    Clients clients(store.world);
    live(store.world, clients, faults);
    all.answered += clients.answered();
    all.refused += clients.refused();
  }
  return all;
}

TEST(sim_transfer, keys_stay_readable_while_members_come_and_go) {
  EXPECT_EQ(live(15, Faults::none).refused, 0u) << "nobody was out of reach";
}

TEST(sim_transfer, keys_stay_readable_while_nodes_are_killed_on_both_sides) {
  const Reads reads = live(15, Faults::short_ones);
  EXPECT_LT(reads.refused * 20, reads.answered);
}

TEST(sim_transfer, keys_stay_readable_and_nothing_is_lost_under_all_faults) {
  const Reads reads = live(25, Faults::all);
  EXPECT_LT(reads.refused * 4, reads.answered);
}

TEST(sim_transfer, what_one_side_agreed_on_reaches_an_owner_that_the_other_side_made_complete) {
  Store store(transfer_plan(3, 1), 2);
  World& world = store.world;
  ASSERT_TRUE(store.settles(5s)) << unsettled(world);
  world.part({"n1", "n3"}, {"n2"});
  world.add("n1", "n3");
  world.remove("n2", "n1");  // after the other change, in version order
  ASSERT_TRUE(world.put("n2", "cart", "milk").done()) << "n2 sees itself as the only owner";
  const auto complete = [&] {
    return world.invoke<&Transfer::complete>("n3", vnode_of(kVnodes, "cart"));
  };
  ASSERT_TRUE(world.run_until(complete, 10s)) << "n1 has sent n3 all that it has";
  world.crash_after_commit("n2");  // what it finds that it owes must survive
  world.heal();
  ASSERT_TRUE(calms_down(world)) << unsettled(world);
  EXPECT_EQ(members(world, "n3"), (Names{"n2", "n3"}));
  EXPECT_TRUE(world.get("n3", "cart").found("milk"));
}

/// n3 is away while it is removed and keys are put; then it is added again, and asked before it has
/// heard of any of that: in its own view it is an owner that has everything.
TEST(sim_transfer, what_a_member_says_that_slept_through_changes_is_not_believed) {
  Store store(transfer_plan(5, 1), 5);
  World& world = store.world;
  ASSERT_TRUE(store.settles(5s)) << unsettled(world);
  world.crash("n3");
  world.remove("n1", "n3");
  world.run_for(5s);
  for (std::uint64_t k = 0; k < kKeys; ++k) EXPECT_TRUE(world.put("n1", key_number(k), "x").done());
  world.run_for(5s);
  world.crash("n1");
  world.restart("n1");  // so that it suspects nobody
  world.restart("n3");
  std::size_t absent = 0;
  world.on_send([&](const Sent& sent) {
    if (sent.from != "n3" || sent.type != message_number<Read> || !sent.reply) return;
    if (codec::decode<ReadReply>(sent.bytes).value().holding == Holding::absent) ++absent;
  });
  ASSERT_TRUE(world.add("n1", "n3").done());
  std::vector<ClientNumber> reads;
  for (std::uint64_t k = 0; k < kKeys; ++k) reads.push_back(world.read("n1", key_number(k)));
  world.run_for(5s);
  for (const ClientNumber read : reads) {
    EXPECT_TRUE(world.client(read).found("x")) << to_string(world.client(read));
  }
  EXPECT_GT(absent, 0u) << "n3 was asked before it had heard";
  EXPECT_TRUE(store.settles(10s)) << unsettled(world);
}

Plan large_plan() {
  Plan plan = transfer_plan(5, 1);
  plan.config.batch_bytes = 64 << 10;
  return plan;
}

void fill(Store& store) {
  for (std::uint64_t i = 0; i < 200; ++i) {
    EXPECT_TRUE(store.world.put("n1", key_number(i), std::string(1000, 'x')).done());
  }
  EXPECT_TRUE(store.settles(5s)) << unsettled(store.world);
}

std::size_t states_in(const Sent& sent) {
  if (sent.type != message_number<Update> || sent.reply) return 0;
  const auto update = codec::decode<Update>(sent.bytes);
  return static_cast<std::size_t>(
      std::count_if(update.value().copies.begin(), update.value().copies.end(),
                    [](const Copy& copy) { return copy.state.has_value(); }));
}

/// Each state that has to move moves once. More than that are only hashes: of each key between a
/// few pairs of nodes, some 30 bytes there and back.
void expect_no_more(const World& world, const Traffic& before, std::size_t states,
                    std::size_t moved) {
  EXPECT_GT(moved, 50u);
  EXPECT_EQ(states, moved);
  EXPECT_LE((store_traffic(world) - before).bytes, moved * 1100 + 72'000);
}

TEST(sim_transfer, a_join_moves_what_the_joiner_holds_and_no_more) {
  Store store(large_plan(), 4);
  World& world = store.world;
  fill(store);
  const Traffic before = store_traffic(world);
  std::size_t states = 0;
  world.on_send([&](const Sent& sent) { states += states_in(sent); });
  world.add("n2", "n5");
  EXPECT_TRUE(store.settles(5s)) << unsettled(world);
  expect_no_more(world, before, states, all_held(world, "n5").size());
}

TEST(sim_transfer, a_leave_moves_what_the_leaver_held_and_no_more) {
  for (const bool dead : {false, true}) {
    Store store(large_plan(), 5);
    World& world = store.world;
    fill(store);
    const std::size_t held = all_held(world, "n3").size();
    if (dead) world.crash("n3");
    const Traffic before = store_traffic(world);
    std::size_t states = 0;
    world.on_send([&](const Sent& sent) { states += states_in(sent); });
    world.remove("n2", "n3");
    world.run_for(10s);
    if (dead) world.restart("n3");
    EXPECT_TRUE(store.settles(10s)) << unsettled(world);
    EXPECT_EQ(all_held(world, "n3").size(), 0u);
    expect_no_more(world, before, states, held);
  }
}

/// Some 60 states fit into a batch, and a try every 200 ms would send one each time.
TEST(sim_transfer, a_full_disk_is_sent_one_state_now_and_then) {
  for (const bool joins : {false, true}) {
    Store store(large_plan(), joins ? 4 : 5);
    World& world = store.world;
    if (joins) {
      fill(store);
      LinkModel slow;  // so that there is a moment between the news and the first states
      slow.delay_min = slow.delay_max = 100ms;
      world.set_links(slow);
      world.add("n2", "n5");
      ASSERT_TRUE(world.run_until([&] { return members(world, "n5").size() == 5; }, 5s));
      world.fill_disk("n5");
    } else {
      ASSERT_TRUE(store.settles(5s)) << unsettled(world);
      world.fill_disk("n5");
      for (std::uint64_t i = 0; i < 200; ++i) {
        EXPECT_TRUE(world.put("n1", key_number(i), std::string(1000, 'x')).done());
      }
    }
    world.run_for(5s);
    std::size_t states = 0;
    world.on_send([&](const Sent& sent) {
      if (sent.to == "n5") states += states_in(sent);
    });
    world.run_for(60s);
    world.on_send(nullptr);
    EXPECT_GT(states, 60u) << "it is tried again; joins: " << joins;
    EXPECT_LE(states, 4u * 160u) << "by four nodes, each every 400 ms; joins: " << joins;
    world.free_disk("n5");
    EXPECT_TRUE(store.settles(10s)) << unsettled(world);
    EXPECT_GT(all_held(world, "n5").size(), 50u);
  }
}

TEST(sim_transfer, a_cluster_at_rest_sends_nothing) {
  Store store(large_plan(), 4);
  World& world = store.world;
  fill(store);
  world.add("n2", "n5");
  world.remove("n5", "n1");
  world.run_for(2s);
  world.remove("n2", "n1");
  EXPECT_TRUE(store.settles(10s)) << unsettled(world);
  world.run_for(1s);
  const Traffic before = store_traffic(world);
  world.run_for(60s);
  EXPECT_EQ((store_traffic(world) - before).messages, 0u);
}

}  // namespace
}  // namespace dynamo::sim
