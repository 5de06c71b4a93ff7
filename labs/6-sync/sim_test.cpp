// Lab 6 in clusters: lost disks, long absences, both sides of a cut, kills.
#include <optional>
#include <string>
#include <vector>

#include "sync_world.h"

namespace {

using namespace dynamo;
using namespace dynamo::sim;

/// Puts of new keys, and puts and deletes of old ones, at one of `nodes` each.
void write_some(World& world, Random& random, const std::vector<NodeId>& nodes, std::size_t first,
                std::size_t count) {
  const World::Optional optional(world);
  for (std::size_t i = first; i < first + count; ++i) {
    const NodeId& at = nodes[random.below(nodes.size())];
    const bool old = i >= 4 && random.below(3) == 0;
    const std::string key = key_name(world, old ? random.below(i) : i);
    if (random.below(6) == 0) {
      (void)world.write(at, key, std::nullopt);
    } else {
      (void)world.write(at, key, value_name(i));
    }
    world.run_for(Duration(random.below(30'000)));
  }
  world.run_for(world.plan().config.request_deadline + 1s);
}

TEST(sync, equal_replicas_have_equal_trees) {
  Plan plan = sync_plan(5);
  plan.config.retry_period = 500ms;
  plan.config.sync_period = std::chrono::hours(1000);
  for_each_seed(6, plan, [](World& world) {
    settle(world);
    Random random(world.seed());
    write_some(world, random, world.nodes(), 0, 60);
    comes_to_rest(world, "when all puts and deletes are done");
    expect_trees(world, "when all owners have all");
    for (VnodeId vnode = 0; vnode < world.plan().config.q; ++vnode) {
      const auto owners = world.invoke<&Ring::preference_list>("n1", vnode);
      const auto roots = world.invoke_each<&Sync::root>(owners, vnode);
      for (std::size_t i = 1; i < owners.size(); ++i) {
        world.expect(roots[i] == roots[0],
                     "the owners of a vnode hold the same, so their roots are equal: each of them "
                     "took what came in another order",
                     "the roots of vnode " + std::to_string(vnode) + " differ on " + owners[0] +
                         " and " + owners[i]);
      }
    }
  });
}

TEST(sync, a_replica_that_was_away_is_restored_in_two_passes) {
  for_each_seed(12, sync_plan(5), [](World& world) {
    settle(world);
    Random random(world.seed());
    write_some(world, random, world.nodes(), 0, 20);
    const NodeId away = world.nodes()[(world.seed() / 3) % 5];
    const Away how = way(world.seed());
    send_away(world, away, how);
    world.phase(away + " is away for long, and the others take puts and deletes");
    write_some(world, random, nodes_but(world, {away}), 20, 40);
    bring_back(world, away, how);
    world.run_for(1s);  // no call to it from before is under way any more
    restored_in_two_passes(world, "after " + away + " is back");
    expect_trees(world, "after " + away + " was restored");
  });
}

TEST(sync, a_lost_disk_is_restored_in_two_passes) {
  for_each_seed(10, sync_plan(5), [](World& world) {
    form_cluster(world);
    Random random(world.seed());
    write_some(world, random, world.nodes(), 0, 60);
    const NodeId lost = world.nodes()[world.seed() % 5];
    world.crash(lost);
    world.wipe(lost);
    world.restart(lost);
    converges(
        world, 20s, [&] { return histories_differ(world); },
        lost + " learns from the others who is a member");
    restored_in_two_passes(world, "after " + lost + " came back with an empty disk");
    expect_trees(world, "after " + lost + " was restored");
    expect_all_versions(world);
  });
}

TEST(sync, what_both_sides_of_a_cut_wrote_is_merged) {
  for_each_seed(12, sync_plan(5), [](World& world) {
    settle(world);
    Random random(world.seed());
    write_some(world, random, world.nodes(), 0, 15);
    const std::vector<NodeId> here = {"n1", "n2", world.seed() % 2 == 0 ? "n3" : "n4"};
    const std::vector<NodeId> there = nodes_but(world, here);
    world.part(here, there);
    world.phase("a cut, and clients write the same keys on both sides of it");
    for (std::size_t i = 0; i < 24; ++i) {
      const World::Optional optional(world);
      const std::string key = key_name(world, i % 12);
      for (const auto& side : {here, there}) {
        const NodeId& at = side[random.below(side.size())];
        const std::string context =
            random.below(2) == 0 ? world.get(at, key).read_context : std::string{};
        const std::string value = "by " + at + " " + std::to_string(i);
        (void)world.write(at, key, random.below(6) == 0 ? std::nullopt : std::optional(value),
                          context);
      }
      world.run_for(50ms);
    }
    world.run_for(4s);
    world.heal();
    world.run_for(1s);
    restored_in_two_passes(world, "after the cut has healed");
    expect_all_versions(world);
  });
}

TEST(sync, writes_during_a_sync_survive_though_messages_are_lost) {
  Plan plan = sync_plan(4);
  plan.links.loss_ppm = 150'000;
  plan.links.duplicate_ppm = 50'000;
  plan.config.batch_bytes = 500;  // many messages an exchange
  for_each_seed(12, plan, [](World& world) {
    settle(world);
    Random random(world.seed());
    write_some(world, random, world.nodes(), 0, 60);
    world.set_links(LinkModel{});
    world.phase("the network loses nothing any more");
    world.run_for(1s);
    restored_in_two_passes(world, "after many messages were lost");
    expect_all_versions(world);
  });
}

TEST(sync, kills_in_the_middle_leave_trees_and_keys_together) {
  for_each_seed(16, sync_plan(4), [](World& world) {
    settle(world);
    Random random(world.seed());
    for (std::size_t round = 0; round < 8; ++round) {
      std::optional<World::Optional> optional;
      optional.emplace(world);
      const NodeId killed = world.nodes()[random.below(4)];
      // In the middle of a put, or of an exchange that repairs what others have missed.
      if (random.below(2) == 0) {
        world.crash_before_commit(killed);
      } else {
        world.crash_after_commit(killed);
      }
      for (std::size_t i = 0; i < 6; ++i) {
        const NodeId& at = world.nodes()[random.below(4)];
        if (world.up(at))
          (void)world.write(at, key_name(world, random.below(30)), value_name(10 * round + i));
        world.run_for(Duration(random.below(200'000)));
      }
      world.run_for(1s);
      optional.reset();
      restart_all(world, {killed});
      expect_trees(world, "after " + killed + " was killed in the middle of a handler");
    }
    world.run_for(4s);
    restored_in_two_passes(world, "after many kills");
    expect_trees(world, "after many kills");
    expect_all_versions(world);
  });
}

}  // namespace
