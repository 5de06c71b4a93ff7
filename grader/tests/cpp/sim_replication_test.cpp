// The reference's lazy coordinator in worlds with static membership: what LABS.md 3.1 to 3.6 and
// 3.8 say, under faults that a seed draws.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/random.h"
#include "sim/cluster.h"
#include "sim/crossing.h"
#include "sim/store_checks.h"
#include "sim/world.h"

namespace dynamo::sim {
namespace {

Plan store_plan(std::size_t nodes, std::uint64_t seed) {
  Plan plan = cluster_plan(nodes);
  plan.seed = seed;
  plan.config.modules = {"membership", "ring", "replication"};
  plan.config.q = 32;
  return plan;
}

template <class Number>
std::string key_number(Number i) {
  return std::string("k").append(std::to_string(i));
}

/// A cluster of the reference, linked in, all nodes or `members` of it.
struct Store {
  explicit Store(const Plan& plan, const std::vector<NodeId>& members = {})
      : host(make_linked_host()), crossing({host.get()}), world(plan, crossing) {
    form_cluster(world, members);
  }
  explicit Store(std::size_t nodes, std::uint64_t seed = 1) : Store(store_plan(nodes, seed)) {}

  std::unique_ptr<Host> host;
  SoloCrossing crossing;
  World world;
};

std::size_t records(const World& world, const NodeId& node, const std::string& space) {
  const Disk& disk = world.disk(node);
  return static_cast<std::size_t>(std::count_if(
      disk.begin(), disk.end(), [&](const auto& record) { return record.first.first == space; }));
}

std::size_t requests_remembered(const World& world, const NodeId& node) {
  return records(world, node, "requests 0") + records(world, node, "requests 1") +
         records(world, node, "requests 2");
}

/// What is still wrong, or empty at quiescence: equal replicas, no strays, no debts.
std::string unsettled(World& world) {
  for (const NodeId& node : world.nodes()) {
    if (const std::size_t owed = records(world, node, "owed"); owed != 0) {
      return node + " owes " + std::to_string(owed) + " keys";
    }
  }
  return replicas_differ(world);
}

bool settles(World& world, Duration within) {
  return world.run_until([&] { return unsettled(world).empty(); }, within);
}

Traffic store_traffic(const World& world) {
  Traffic sum;
  for (const MessageType type :
       {message_number<Write>, message_number<Read>, message_number<Update>}) {
    const Traffic sent = world.sent(type);
    sum.messages += sent.messages;
    sum.bytes += sent.bytes;
  }
  return sum;
}

Plan lossy_plan(std::uint64_t seed) {
  Plan plan = store_plan(5, seed);
  plan.config.retry_period = 200ms;
  return plan;
}

/// One fault or none, and its end some steps later.
void disturb(World& world, Random& random) {
  const NodeId node = world.nodes()[random.below(world.nodes().size())];
  switch (random.below(12)) {
    case 0:
      if (world.up(node)) world.crash(node);
      break;
    case 1:
      if (world.up(node)) world.crash_before_commit(node);
      break;
    case 2:
      if (world.up(node)) world.crash_after_commit(node);
      break;
    case 3:
      if (world.up(node)) world.pause(node);
      break;
    case 4:
      world.isolate(node);
      break;
    case 5:
      world.cut({node}, {world.nodes()[random.below(world.nodes().size())]});
      break;
    case 6:
      world.fill_disk(node);
      break;
    case 7:
      world.free_disk(node);
      break;
    case 8:
      world.heal();
      break;
    default:
      if (world.life(node) == Life::down) world.restart(node);
      if (world.life(node) == Life::paused) world.resume(node);
  }
}

/// Ends all faults and waits. A node that was told to die at a commit may do so only now.
bool settles_after_faults(World& world) {
  world.heal();
  world.set_links({});
  for (const NodeId& node : world.nodes()) {
    world.free_disk(node);
    if (world.life(node) == Life::paused) world.resume(node);
  }
  for (int second = 0; second < 30; ++second) {
    for (const NodeId& node : world.nodes()) {
      if (world.life(node) == Life::down) world.restart(node);
    }
    world.run_for(1s);
    if (unsettled(world).empty()) return true;
  }
  return false;
}

/// Writes at five nodes through a hundred steps of faults. Now and then one of those under "again"
/// is tried a second time, there or elsewhere.
void live_through_faults(World& world) {
  Random random(world.seed() * 7919);
  LinkModel bad;
  bad.delay_max = 40ms;
  bad.loss_ppm = 100'000;
  bad.duplicate_ppm = 100'000;
  world.set_links(bad);
  std::optional<ClientNumber> again;
  for (int step = 0; step < 100; ++step) {
    disturb(world, random);
    const NodeId at = world.nodes()[random.below(5)];
    const auto value = random.chance(150'000) ? std::nullopt : std::optional(std::to_string(step));
    if (again && random.chance(100'000)) {
      const ClientOperation& before = world.client(*again);
      world.write(at, before.key, before.value, {}, before.id);
    } else if (random.chance(200'000)) {
      again = world.write(at, "again", value);
    } else {
      world.write(at, key_number(random.below(12)), value);
    }
    world.run_for(Duration(random.below(400'000)));
  }
}

TEST(sim_replication, a_put_at_any_node_lies_on_all_owners_and_nowhere_else) {
  Store store(5);
  World& world = store.world;
  for (int i = 0; i < 50; ++i) {
    const NodeId at = world.nodes()[static_cast<std::size_t>(i) % 5];
    EXPECT_TRUE(world.put(at, key_number(i), std::to_string(i)).done());
  }
  EXPECT_TRUE(settles(world, 2s)) << unsettled(world);
  for (int i = 0; i < 50; ++i) {
    const NodeId at = world.nodes()[static_cast<std::size_t>(i + 3) % 5];
    EXPECT_TRUE(world.get(at, key_number(i)).found(std::to_string(i)));
  }
  EXPECT_TRUE(world.get("n4", "nothing").absent());
}

TEST(sim_replication, a_cluster_at_rest_sends_nothing) {
  Store store(5);
  World& world = store.world;
  for (int i = 0; i < 20; ++i) world.put("n2", key_number(i), "x");
  ASSERT_TRUE(settles(world, 2s)) << unsettled(world);
  world.run_for(2s);
  const Traffic before = store_traffic(world);
  world.run_for(120s);
  EXPECT_EQ((store_traffic(world) - before).messages, 0u);
}

TEST(sim_replication, every_acknowledged_write_lies_on_all_owners_after_any_faults) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    Store store(lossy_plan(seed));
    World& world = store.world;
    live_through_faults(world);
    ASSERT_TRUE(settles_after_faults(world)) << "seed " << seed << ": " << unsettled(world);
    for (int k = 0; k < 12; ++k) {
      const std::string key = key_number(k);
      const auto& read = world.get(world.up_nodes()[seed % world.up_nodes().size()], key);
      ASSERT_TRUE(read.absent() || !read.values.empty())
          << "seed " << seed << ": " << to_string(read);
      const auto wrong = contradicts(read.values, expected_with_last_write_wins(world, key));
      ASSERT_EQ(wrong, "") << "seed " << seed << ", key " << key;
    }
  }
}

TEST(sim_replication, what_is_owed_survives_the_coordinator_and_is_paid_after_its_restart) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    Store store(3, seed);
    World& world = store.world;
    world.isolate("n1");
    for (int i = 0; i < 30; ++i) {
      ASSERT_TRUE(world.put("n1", key_number(i), "x").done());
    }
    world.crash("n1");
    world.heal();
    world.restart("n1");
    ASSERT_TRUE(settles(world, 5s)) << unsettled(world);
    EXPECT_EQ(all_held(world, "n3").size(), 30u);
  }
}

/// `count` members, and one more that joins while n1 is cut off and hears nothing of it.
struct JoinUnheard : Store {
  JoinUnheard(std::size_t count, std::uint64_t seed)
      : Store(store_plan(count + 1, seed), cluster_plan(count).nodes) {
    for (int i = 0; i < kKeys; ++i) before.push_back(preference_list(world, key_number(i)));
    world.isolate("n1");
    for (int i = 0; i < kKeys; ++i) world.write("n1", key_number(i), "x");
    const NodeId joiner = world.nodes().back();
    world.add("n2", joiner);
    world.start(joiner);
    world.run_for(10s);
    for (int i = 0; i < kKeys; ++i) after.push_back(preference_list(world, key_number(i), "n2"));
  }

  bool owns(const std::vector<std::vector<NodeId>>& lists, int key, const NodeId& node) const {
    const std::vector<NodeId>& owners = lists[static_cast<std::size_t>(key)];
    return std::count(owners.begin(), owners.end(), node) != 0;
  }

  static constexpr int kKeys = 200;
  std::vector<std::vector<NodeId>> before;  ///< Preference lists of the keys, before the join.
  std::vector<std::vector<NodeId>> after;
};

TEST(sim_replication, debts_go_to_the_owners_of_a_history_that_grew) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    JoinUnheard store(3, seed);
    World& world = store.world;
    world.heal();
    const auto wrong = [&] {
      for (int i = 0; i < JoinUnheard::kKeys; ++i) {
        if (!store.owns(store.after, i, "n1")) continue;  // a stray now: Transfer's matter
        const std::string differ = replicas_differ_in(world, key_number(i));
        if (!differ.empty()) return differ;
      }
      return std::string();
    };
    EXPECT_TRUE(world.run_until([&] { return wrong().empty(); }, 5s)) << wrong();
  }
}

TEST(sim_replication, a_write_with_an_old_list_ends_at_todays_owners) {
  int handed = 0;
  const JoinUnheard lists(5, 1);
  for (int i = 0; i < JoinUnheard::kKeys; ++i) {
    const std::size_t key = static_cast<std::size_t>(i);
    if (lists.owns(lists.before, i, "n1") || lists.before[key] == lists.after[key]) continue;
    JoinUnheard store(5, 1);
    World& world = store.world;
    world.crash("n1");
    world.heal();
    world.restart("n1");  // it suspects nobody, and its next gossip comes in a second
    EXPECT_TRUE(world.put("n1", key_number(i), "new").done());
    world.run_for(100ms);
    EXPECT_EQ(replicas_differ_in(world, key_number(i)), "");
    ++handed;
  }
  EXPECT_GE(handed, 10);
}

TEST(sim_replication, a_put_does_not_wait_for_other_replicas) {
  Store store(3);
  World& world = store.world;
  world.pause("n2");
  world.crash("n3");
  const auto& put = world.put("n1", "cart", "milk");
  EXPECT_TRUE(put.done());
  EXPECT_EQ(put.answered, put.asked);
}

TEST(sim_replication, without_an_owner_that_can_be_reached_a_write_is_unavailable) {
  Store store(5);
  World& world = store.world;
  const std::vector<NodeId> owners = preference_list(world, "cart");
  for (const NodeId& owner : owners) world.crash(owner);
  for (const NodeId& node : world.up_nodes()) {
    const auto& put = world.put(node, "cart", "milk");
    EXPECT_TRUE(put.unknown());
    EXPECT_EQ(put.error.code, ErrorCode::unavailable);
    EXPECT_EQ(world.get(node, "cart").error.code, ErrorCode::unavailable);
  }
  world.restart(owners.back());
  for (const NodeId& node : world.up_nodes()) {
    EXPECT_TRUE(world.put(node, "cart", "milk").done());
    EXPECT_TRUE(world.get(node, "cart").found("milk"));
  }
}

TEST(sim_replication, a_request_is_executed_once_by_a_coordinator_also_after_its_restart) {
  Store store(3);
  World& world = store.world;
  const RequestId id{"alice", 1, 1};
  ASSERT_TRUE(world.answer(world.write("n1", "cart", "milk", {}, id)).done());
  ASSERT_TRUE(world.put("n1", "cart", "tea").done());
  const auto held = held_for(world, "n1", "cart");
  ASSERT_TRUE(world.answer(world.write("n1", "cart", "milk", {}, id)).done());
  world.crash("n1");
  world.restart("n1");
  ASSERT_TRUE(world.answer(world.write("n1", "cart", "milk", {}, id)).done());
  EXPECT_EQ(held_for(world, "n1", "cart")->hash, held->hash);
}

TEST(sim_replication, request_ids_are_forgotten_after_the_time_and_not_before) {
  Plan plan = store_plan(1, 1);
  plan.config.request_memory = 10s;
  Store store(plan);
  World& world = store.world;
  for (int i = 0; i < 1200; ++i) world.put("n1", "k", std::to_string(i));
  world.run_for(9900ms);
  EXPECT_EQ(requests_remembered(world, "n1"), 1200u);
  world.crash("n1");
  world.restart("n1");
  world.run_for(9900ms);
  EXPECT_EQ(requests_remembered(world, "n1"), 1200u) << "a restart begins the time anew";
  world.run_for(11s);
  EXPECT_EQ(requests_remembered(world, "n1"), 0u);
}

TEST(sim_replication, a_deleted_key_does_not_come_back_from_a_replica_that_slept) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    Store store(3, seed);
    World& world = store.world;
    world.put("n1", "cart", "milk");
    ASSERT_TRUE(settles(world, 2s));
    world.pause("n3");
    world.put("n3", "cart", "late");  // it waits in the mailbox of a node that sleeps
    world.remove_key("n2", "cart");
    world.run_for(5s);
    world.resume("n3");
    ASSERT_TRUE(settles(world, 5s)) << unsettled(world);
    const auto expected = expected_with_last_write_wins(world, "cart");
    EXPECT_EQ(contradicts(world.get("n1", "cart").values, expected), "");
  }
}

TEST(sim_replication, a_full_disk_refuses_with_no_room_and_loses_nothing) {
  Store store(3);
  World& world = store.world;
  ASSERT_TRUE(world.put("n1", "cart", "milk").done());
  ASSERT_TRUE(settles(world, 2s)) << unsettled(world);
  for (const NodeId& node : world.nodes()) world.fill_disk(node);
  EXPECT_TRUE(world.put("n1", "cart", "coffee").failed_with(ErrorCode::no_room));
  EXPECT_TRUE(world.put("n2", "other", "tea").failed_with(ErrorCode::no_room));
  EXPECT_TRUE(world.get("n3", "cart").found("milk"));
  world.free_disk("n3");
  EXPECT_TRUE(world.put("n1", "cart", "coffee").done()) << "n1 hands it to n3";
  for (const NodeId& node : world.nodes()) world.free_disk(node);
  ASSERT_TRUE(settles(world, 5s)) << unsettled(world);
  EXPECT_TRUE(world.get("n2", "cart").found("coffee"));
  EXPECT_EQ(world.up_nodes().size(), 3u);
}

TEST(sim_replication, a_full_node_that_owns_nothing_of_a_key_hands_writes_on) {
  Store store(5);
  World& world = store.world;
  for (int i = 0; i < 100; ++i) world.put("n1", key_number(i), "x");
  world.fill_disk("n1");  // from here on no record may grow: not by a digit of a counter
  int handed = 0;
  for (int i = 0; i < 200; ++i) {
    const std::string key = key_number(1000 + i);
    EXPECT_TRUE(world.put("n1", key, "y").done());
    if (!held_for(world, "n1", key)) ++handed;
  }
  EXPECT_EQ(handed, 200);
  EXPECT_TRUE(world.up("n1"));
}

TEST(sim_replication, a_dead_replica_costs_one_small_message_a_period) {
  Store store(3);
  World& world = store.world;
  world.isolate("n3");
  for (int i = 0; i < 300; ++i) world.put("n1", key_number(i), std::string(1000, 'x'));
  world.run_for(5s);
  const Traffic before = world.sent("n1", "n3", message_number<Update>, false);
  world.run_for(50s);
  const Traffic sent = world.sent("n1", "n3", message_number<Update>, false) - before;
  EXPECT_LE(sent.messages, 100u);
  EXPECT_LE(sent.bytes, 110'000u);
  world.heal();
  EXPECT_TRUE(settles(world, 5s)) << unsettled(world);
  const Traffic all = world.sent("n1", "n3", message_number<Update>, false);
  EXPECT_LE(all.bytes, 2 * 300'000u) << "each state once, and the hashes";
}

}  // namespace
}  // namespace dynamo::sim
