// Lab 3, part C: members come and go, and the keys follow.
#include <algorithm>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "moving_world.h"

namespace {

using namespace dynamo;
using namespace dynamo::sim;

TEST(replication, a_new_member_receives_its_keys_while_all_stay_readable) {
  Plan plan = moving_plan(5);
  plan.links.delay_min = 10ms;  // so that there is a while in which n5 lacks what it owns
  plan.links.delay_max = 40ms;
  for_each_seed(6, plan, [](World& world) {
    const std::vector<std::string> keys = fill(world, 4);
    Readers readers(world, keys, true, "n5");
    world.phase("n5 joins");
    world.start("n5");
    change_done(world, world.add("n1", "n5"));
    readers.read_for(8s);
    comes_to_rest(world, "when n5 has joined", kMoved);
    readers.read_for(1s);
    readers.finish();
    expect_values(world, keys, "when n5 has joined");
    falls_silent(world, "when n5 has received what it owns");
  });
}

TEST(replication, a_removed_node_hands_over_all_that_it_holds) {
  for_each_seed(6, moving_plan(5), [](World& world) {
    const std::vector<std::string> keys = fill(world, 5);
    Readers readers(world, keys, true);
    const NodeId leaver = world.nodes()[1 + world.seed() % 4];
    world.phase(leaver + " leaves");
    change_done(world, world.remove("n1", leaver));
    readers.read_for(8s);
    comes_to_rest(world, "when " + leaver + " has left; it holds nothing", kMoved);
    readers.finish();
    expect_values(world, keys, "when " + leaver + " has left");
    const ClientOperation& get = world.get(leaver, key_name(world, 0));
    world.expect(get.failed_with(ErrorCode::not_a_member),
                 leaver + " is no member and answers clients so", to_string(get));
  });
}

TEST(replication, a_key_that_was_never_written_is_absent_soon_after_a_change) {
  for_each_seed(4, moving_plan(5), [](World& world) {
    const std::vector<std::string> keys = fill(world, 4);
    world.phase("n5 joins");
    world.start("n5");
    change_done(world, world.add("n2", "n5"));
    comes_to_rest(world, "when n5 has joined", kMoved);
    world.run_for(20s);
    for (std::size_t i = 0; i < 12; ++i) {
      if (world.leaves_out("get " + std::to_string(i))) continue;
      const NodeId at = world.nodes()[i % 5];
      const ClientOperation& get = world.get(at, "never" + std::to_string(i));
      world.expect(get.absent(),
                   question(get) +
                       ", which nobody ever wrote: there is no such key, since its "
                       "owners have received all that there is",
                   to_string(get));
    }
  });
}

TEST(replication, only_what_must_move_is_moved) {
  for_each_seed(4, moving_plan(5), [](World& world) {
    const std::vector<std::string> keys = fill(world, 4);
    std::map<std::string, std::vector<NodeId>> before;
    std::size_t state_bytes = 0;
    for (const std::string& key : keys) {
      before[key] = preference_list(world, key);
      state_bytes =
          std::max(state_bytes, held_for(world, before[key].front(), key)->state.bytes.size());
    }
    std::size_t sent = 0;
    std::size_t most = 0;  // in one Update
    world.on_send([&](const Sent& message) {
      if (message.type != message_number<Update> || message.reply) return;
      const auto update = codec::decode<Update>(message.bytes);
      std::size_t bytes = 0;
      for (const Copy& copy : update ? update->copies : std::vector<Copy>{}) {
        if (copy.state) bytes += copy.state->bytes.size();
      }
      sent += bytes;
      most = std::max(most, bytes);
    });
    world.phase("n5 joins; count what is sent");
    world.start("n5");
    change_done(world, world.add("n1", "n5"));
    world.run_for(2s);
    comes_to_rest(world, "when n5 has joined", kMoved);
    world.run_for(10s);
    world.on_send(nullptr);
    std::size_t moves = 0;
    for (const auto& [key, owners] : before) {
      for (const NodeId& owner : preference_list(world, key)) moves += !contains(owners, owner);
    }
    world.expect(sent <= 2 * moves * state_bytes,
                 "states of about " + std::to_string(moves * state_bytes) +
                     " bytes have new "
                     "owners: not more than twice as much is sent; whoever holds a state already "
                     "confirms its hash",
                 std::to_string(sent) + " bytes of states were sent");
    world.expect(most <= 2 * world.plan().config.batch_bytes,
                 "an Update of a handover, too, carries about batch_bytes",
                 "one carries " + std::to_string(most) + " bytes of states");
  });
}

/// Puts and gets while things happen to the cluster; then all come back, and nothing is lost.
void survive(World& world, const std::vector<std::string>& keys,
             const std::function<void(Random&)>& trouble) {
  Random random(world.seed());
  Readers readers(world, keys, false);
  for (std::size_t i = 0; i < 8; ++i) {
    const World::Optional optional(world);
    trouble(random);
    readers.read_for(300ms, 50ms);
    const std::vector<NodeId> up = world.up_nodes();
    const std::string key = "new" + key_name(world, i);
    if (!up.empty()) (void)world.write(up[random.below(up.size())], key, value_of(i));
  }
  world.run_for(5s);
  world.phase("the trouble is over; all nodes come back with their disks");
  world.heal();
  world.set_links({});
  const bool killed = std::any_of(world.executed().begin(), world.executed().end(),
                                  [](const Action& action) { return action.act == "crash"; });
  if (killed) restart_all(world);
  readers.finish();
  comes_to_rest(world, "when all nodes are back", kMoved);
  expect_values(world, keys, "when all nodes are back");
}

TEST(replication, a_kill_on_either_side_of_a_transfer_loses_nothing) {
  for_each_seed(16, moving_plan(5), [](World& world) {
    const std::vector<std::string> keys = fill(world, 4);
    world.phase("n5 joins, and nodes are killed on the way");
    world.start("n5");
    change_done(world, world.add("n1", "n5"));
    world.run_for(Duration(Random(world.seed()).below(1'500'000)));
    survive(world, keys, [&](Random& random) {
      const NodeId victim = random.below(2) == 0 ? "n5" : world.nodes()[random.below(5)];
      if (world.life(victim) == Life::down) return world.restart(victim);
      const std::uint64_t what = random.below(3);
      if (what == 0) world.crash(victim);
      if (what == 1) world.crash_before_commit(victim);
      if (what == 2) world.crash_after_commit(victim);
    });
  });
}

TEST(replication, a_second_change_in_the_middle_of_a_transfer_loses_nothing) {
  for_each_seed(16, moving_plan(6), [](World& world) {
    const std::vector<std::string> keys = fill(world, 4);
    world.phase("n5 joins; then others join and leave before all has moved");
    world.start("n5");
    world.start("n6");
    change_done(world, world.add("n1", "n5"));
    std::size_t changes = 0;
    survive(world, keys, [&](Random& random) {
      world.run_for(Duration(random.below(1'000'000)));
      const std::size_t change = changes++;
      if (change == 0) (void)world.add("n1", "n6");
      if (change == 1) (void)world.remove("n1", world.nodes()[1 + random.below(4)]);
      if (change == 2 && random.below(2) == 0) (void)world.remove("n1", "n5");
      if (change == 3 && random.below(2) == 0) (void)world.add("n1", "n5");
    });
  });
}

TEST(replication, a_cut_in_the_middle_of_a_transfer_loses_nothing) {
  for_each_seed(12, moving_plan(5), [](World& world) {
    const std::vector<std::string> keys = fill(world, 4);
    world.phase("n5 joins, and the network is cut here and there");
    LinkModel bad;
    bad.loss_ppm = 50'000;
    bad.duplicate_ppm = 50'000;
    world.set_links(bad);
    world.start("n5");
    change_done(world, world.add("n1", "n5"));
    survive(world, keys, [&](Random& random) {
      world.heal();
      const NodeId node = world.nodes()[random.below(5)];
      const std::vector<NodeId> others = nodes_but(world, {node});
      if (random.below(2) == 0) {
        world.isolate(node);
      } else {
        world.cut({node}, {others[random.below(others.size())]});
      }
    });
  });
}

TEST(replication, a_member_that_lost_its_disk_never_says_absent) {
  for_each_seed(6, moving_plan(4), [](World& world) {
    const std::vector<std::string> keys = fill(world, 4);
    const NodeId node = world.seed() % 2 == 0 ? "n3" : "n4";
    world.phase(node + " gets a new disk");
    world.wipe(node);
    world.restart(node);
    const bool full = world.seed() % 4 < 2;
    if (full) {
      world.run_for(30ms);
      world.fill_disk(node);
      world.run_for(3s);
      world.expect(world.up(node), node + ", whose new disk is full, asks room() before it writes",
                   node + " died: a commit failed");
      world.free_disk(node);
    }
    Readers readers(world, keys, false);
    readers.read_for(4s);
    for (const std::string& key : keys) {
      if (world.leaves_out("last get")) continue;
      const ClientOperation& get = world.get(node, key);
      world.expect(!get.absent(),
                   question(get) +
                       ": found; or, as long as it receives what it "
                       "lost, \"unavailable\"",
                   to_string(get));
    }
    comes_to_rest(world, node + " with its new disk included", kMoved);
    readers.finish();
    expect_values(world, keys, node + " with its new disk included");
  });
}

TEST(replication, a_flag_to_bootstrap_means_nothing_on_an_old_disk) {
  for_each_seed(4, moving_plan(5), [](World& world) {
    const std::vector<std::string> keys = fill(world, 4);
    world.phase(
        "n5 joins, and before it has received anything it is started again, and again with "
        "the flag for the first node of a new cluster");
    change_done(world, world.add("n1", "n5"));
    world.start("n5");
    world.isolate("n5");
    world.invoke<&Membership::merge>("n5", world.invoke<&Membership::history>("n1"));
    world.crash("n5");
    world.start("n5", true);
    for (const std::string& key : keys) {
      const ClientOperation& get = world.get("n5", key);
      world.expect(!get.absent(),
                   question(get) +
                       ": n5's disk has a past, so it is no first node, and knows that "
                       "it has received nothing: \"unavailable\"",
                   to_string(get));
    }
    world.heal();
    comes_to_rest(world, "when n5 is heard again", kMoved);
    expect_values(world, keys, "when n5 is heard again");
  });
}

TEST(replication, a_dead_member_is_removed_and_its_keys_get_new_owners) {
  for_each_seed(6, moving_plan(5), [](World& world) {
    const std::vector<std::string> keys = fill(world, 5);
    const NodeId dead = world.nodes()[1 + world.seed() % 4];
    world.crash(dead);
    world.phase(dead + " died and will not come back: the operator removes it");
    change_done(world, world.remove("n1", dead));
    Readers readers(world, keys, false);
    readers.read_for(5s, 50ms);
    converges(
        world, kMoved,
        [&] {
          std::string wrong = replicas_differ(world);
          for (std::size_t i = 0; wrong.empty() && i < keys.size(); ++i) {
            wrong = replicas_differ_in(world, keys[i]);
          }
          return wrong;
        },
        "three members hold each key again, without " + dead, 200ms);
    readers.finish();
    const ClientOperation& get = world.get("n1", "never");
    world.expect(get.absent(),
                 question(get) + ": there is no such key; nobody waits for " + dead +
                     ", which does not answer",
                 to_string(get));
  });
}

}  // namespace
