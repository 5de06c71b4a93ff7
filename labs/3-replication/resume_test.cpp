// Lab 3, part B: nodes are killed and come back, and what they owe is not forgotten.
#include <map>
#include <string>
#include <vector>

#include "store_world.h"

namespace {

using namespace dynamo;
using namespace dynamo::sim;

void expect_deleted(World& world, const std::string& key) {
  for (const NodeId& node : world.nodes()) {
    const ClientOperation& get = world.get(node, key);
    world.expect(get.absent(), question(get) + ": the key was deleted, there is no such key",
                 to_string(get));
  }
}

TEST(replication, a_delete_is_written_to_all_owners) {
  for_each_seed(6, store_plan(5), [](World& world) {
    settle(world);
    const std::string key = key_name(world, 0);
    expect_done(world, world.put(world.nodes()[0], key, "milk"), "all nodes are up");
    comes_to_rest(world, "after the put", 5s);
    const NodeId at = world.nodes()[world.seed() % 5];
    expect_done(world, world.remove_key(at, key), "all nodes are up");
    comes_to_rest(world, "after the delete", 5s);
    expect_deleted(world, key);
    for (const NodeId& owner : preference_list(world, key)) {
      world.expect(held_for(world, owner, key).has_value(),
                   owner +
                       ", an owner, keeps a tombstone: that the key was deleted is news like "
                       "any other",
                   "its disk holds nothing for the key");
    }
    expect_done(world, world.put(at, key, "tea"), "all nodes are up");
    comes_to_rest(world, "after a new put", 5s);
    expect_what_clients_wrote(world);
  });
}

TEST(replication, a_deleted_key_stays_deleted_though_a_replica_slept) {
  for_each_seed(9, store_plan(5), [](World& world) {
    settle(world);
    const std::string key = key_name(world, 0);
    const std::vector<NodeId> owners = preference_list(world, key);
    const NodeId& sleeper = owners[(world.seed() / 3) % 3];
    const Away how = way(world.seed());
    expect_done(world, world.put(owners[0], key, "milk"), "all nodes are up");
    comes_to_rest(world, "after the put", 5s);
    send_away(world, sleeper, how);
    const NodeId at = nodes_but(world, owners).front();
    expect_done(world, world.remove_key(at, key), "two owners can be reached");
    world.run_for(10s);
    world.phase(sleeper + " comes back with the value of before");
    bring_back(world, sleeper, how);
    comes_to_rest(world, "when " + sleeper + " is back");
    expect_deleted(world, key);
  });
}

/// `owed` owners get nothing, one has it all and is killed right after "done".
void killed_while_it_owes(World& world, std::size_t owed) {
  settle(world);
  const std::string key = key_name(world, 0);
  const std::vector<NodeId> owners = preference_list(world, key);
  const NodeId& holder = owners[world.seed() % 3];
  std::vector<NodeId> away;
  for (const NodeId& owner : owners) {
    if (owner != holder && away.size() < owed) away.push_back(owner);
  }
  for (const NodeId& owner : away) world.isolate(owner);
  expect_done(world, world.put(holder, key, "milk"), holder + ", an owner, is up");
  if (owed == 1) world.run_for(2s);  // the other owner has confirmed
  world.crash(holder);
  world.run_for(1s);
  world.heal();
  world.run_for(1s);
  world.restart(holder);
  comes_to_rest(world,
                "when " + holder + ", which was killed right after it had answered, is back");
  expect_what_clients_wrote(world);
}

TEST(replication, what_is_owed_is_sent_after_a_kill) {
  for_each_seed(6, store_plan(5), [](World& world) { killed_while_it_owes(world, 2); });
}

TEST(replication, one_confirmation_does_not_settle_what_another_owner_is_owed) {
  for_each_seed(6, store_plan(5), [](World& world) { killed_while_it_owes(world, 1); });
}

TEST(replication, a_client_that_tries_again_after_a_kill_writes_once) {
  for_each_seed(8, store_plan(3), [](World& world) {
    settle(world);
    const std::string key = key_name(world, 0);
    const NodeId at = world.nodes()[world.seed() % 3];
    for (const NodeId& node : nodes_but(world, {at})) world.isolate(node);
    const RequestId id{"amy", 1, 7};
    world.crash_after_commit(at);
    (void)world.answer(world.write(at, key, "milk", "", id));
    // The id may have stood in an earlier transaction than the write, or in a later one.
    if (!world.up(at)) world.restart(at);
    world.phase("amy has perhaps heard nothing, and tries again with the same request id");
    expect_done(world, world.answer(world.write(at, key, "milk", "", id)), at + " is up again");
    expect_done(world, world.put(at, key, "tea"), "another client writes the key");
    world.restart(at);
    world.phase("an old message of amy's arrives once more");
    expect_done(world, world.answer(world.write(at, key, "milk", "", id)), "it was done before");
    world.heal();
    comes_to_rest(world, "in the end");
    const auto held = held_for(world, at, key);
    const auto values = values_in(held->state);
    world.expect(values == std::vector<std::string>{"tea"},
                 "amy's request was executed once, before the other client's: [tea] stays",
                 at + " holds " + list(values.value_or(std::vector<std::string>{})));
  });
}

TEST(replication, acknowledged_writes_survive_kills_at_any_moment) {
  for_each_seed(20, store_plan(5), [](World& world) {
    settle(world);
    Random random(world.seed());
    const auto any = [&] { return world.nodes()[random.below(5)]; };
    for (std::size_t i = 0; i < 40; ++i) {
      const World::Optional optional(world);
      const NodeId victim = any();
      const std::uint64_t what = random.below(8);
      if (what == 0) world.crash(victim);
      if (what == 1) world.crash_before_commit(victim);
      if (what == 2) world.crash_after_commit(victim);
      if (what >= 3 && what <= 5 && world.life(victim) == Life::down) world.restart(victim);
      const NodeId at = any();
      const std::string key = key_name(world, random.below(6));
      const std::string value = value_name(i);
      (void)world.write(at, key,
                        random.below(8) == 0 ? std::nullopt : std::optional<std::string>(value));
      world.run_for(Duration(random.below(300'000)));
    }
    world.run_for(4s);
    world.phase("the last kill was; all nodes come back with their disks");
    restart_all(world);
    comes_to_rest(world, "when all nodes are back");
    expect_what_clients_wrote(world);
  });
}

TEST(replication, new_owners_are_sent_what_the_old_ones_were_owed) {
  for_each_seed(6, store_plan(5), [](World& world) {
    settle(world);
    const NodeId gone = world.nodes()[1 + world.seed() % 4];
    world.crash(gone);
    std::map<std::string, NodeId> keys;  // of which the absent node is an owner, and who has them
    for (std::size_t i = 0; keys.size() < 4; ++i) {
      if (contains(preference_list(world, key_name(world, i)), gone)) {
        keys[key_name(world, i)];
      }
    }
    for (auto& [key, at] : keys) {
      const std::vector<NodeId> owners = preference_list(world, key);
      at = *std::find_if(owners.begin(), owners.end(),
                         [&](const NodeId& owner) { return owner != gone; });
      expect_done(world, world.put(at, key, "milk"), "two owners can be reached");
    }
    world.run_for(2s);
    world.phase("the operator removes " + gone + ", which is still owed the keys");
    const NodeId console = gone == "n1" ? "n2" : "n1";
    (void)world.remove(console, gone);
    converges(
        world, kRest,
        [&]() -> std::string {
          std::string wrong = histories_differ(world);
          for (const auto& [key, at] : keys) {
            const std::vector<NodeId> owners = preference_list(world, key);
            if (!contains(owners, at)) continue;  // a stray: that is Transfer's
            for (const NodeId& owner : owners) {
              if (!wrong.empty() || held_for(world, owner, key)) continue;
              wrong = owner;
              wrong += " is an owner of " + key + " now and holds nothing";
            }
          }
          return wrong;
        },
        "whoever still owes a key sends it to the owners of today", 200ms);
  });
}

TEST(replication, a_full_disk_costs_no_acknowledged_write) {
  for_each_seed(6, store_plan(5), [](World& world) {
    settle(world);
    const std::string key = key_name(world, 0);
    const std::vector<NodeId> owners = preference_list(world, key);
    const NodeId& full = owners[world.seed() % 3];
    world.fill_disk(full);
    for (const NodeId& at : world.nodes()) {
      if (world.leaves_out("put at " + at)) continue;
      const std::string value = "by " + at;
      const ClientOperation& put = world.put(at, key, value);
      // A node without room for a stamp of its own may refuse; others find an owner with room.
      world.expect(put.done() || (at == full && put.failed_with(ErrorCode::no_room)),
                   question(put) + ": done, since two owners have room",
                   "the client is told: " + to_string(put));
      if (put.done()) expect_on_a_disk(world, put);
      world.expect(world.up(full), full + ", whose disk is full, asks room() before it writes",
                   full + " died: a commit failed");
    }
    world.run_for(5s);
    world.free_disk(full);
    comes_to_rest(world, "when the disk of " + full + " has room again");
    expect_what_clients_wrote(world);
  });
}

}  // namespace
