// Lab 2's checks with several nodes: in processes of their own, and in a cluster that goes through
// a lot.
#include "ring_asking.h"

using namespace dynamo;
using namespace dynamo::ring_rules;
using namespace dynamo::sim;

namespace {

/// Empty if the rings of all `nodes` are the same.
std::string rings_differ(World& world, const std::vector<NodeId>& nodes) {
  const std::vector<Owners> rings = world.invoke_each<&Ring::owners>(nodes);
  for (std::size_t i = 1; i < nodes.size(); ++i) {
    if (rings[i].size() != rings[0].size()) {
      return nodes[i] + " has " + std::to_string(rings[i].size()) + " vnodes, " + nodes[0] +
             " has " + std::to_string(rings[0].size());
    }
    for (VnodeId v = 0; v < rings[0].size(); ++v) {
      if (rings[i][v] == rings[0][v]) continue;
      return "for " + nodes[0] + ", vnode " + std::to_string(v) + " belongs to " + rings[0][v] +
             "; for " + nodes[i] + " it belongs to " + rings[i][v];
    }
  }
  return "";
}

void expect_same_rings(World& world, const std::vector<NodeId>& nodes, const std::string& because) {
  const std::string differ = rings_differ(world, nodes);
  world.expect(differ.empty(), "the same ring on " + list(nodes) + ": " + because, differ);
}

/// Operators and failures at work on both sides of a cut, with links that lose messages.
void go_through_a_lot(World& world) {
  LinkModel lossy;
  lossy.loss_ppm = 100'000;
  lossy.duplicate_ppm = 50'000;
  lossy.delay_max = 200ms;
  world.set_links(lossy);
  if (!world.leaves_out("the cut")) world.part({"n1", "n2"}, {"n3", "n4", "n5", "n6"});
  world.add("n1", "n6");  // one host, added on both sides: two joins, of which the second is idle
  world.add("n3", "n6");
  if (!world.leaves_out("that n5 leaves")) world.remove("n2", "n5");
  world.run_for(3s);
  if (!world.leaves_out("the crash")) world.crash("n4");
  const bool n1_stays = world.leaves_out("that n1 leaves and comes back");
  if (!n1_stays) world.remove("n3", "n1");
  world.add("n2", "n7");
  world.run_for(2s);
  restart_all(world, {"n4"});
  if (!n1_stays) world.add("n3", "n1");
  world.heal();
  world.set_links(LinkModel{});
}

}  // namespace

TEST(ring, processes_with_shuffled_events_build_the_same_ring) {
  Plan plan = cluster_plan(3);
  plan.config.q = 120;
  plan.config.modules = {"ring"};
  plan.one_host_each = true;
  for_each_seed(4, plan, [](World& world) {
    for (const NodeId& node : world.nodes()) world.start(node);
    Random random(world.seed());
    Churn churn(random, "host-", 3, 9);
    for (int round = 0; round < 3; ++round) {
      const bool left_out = world.leaves_out("round " + std::to_string(round));
      for (int i = 0; i < 8; ++i) churn.step();
      for (const NodeId& node : world.nodes()) {
        History events = churn.events();
        shuffle(random, events);
        if (left_out) continue;
        world.invoke<&Ring::rebuild>(node, events);
      }
      if (!left_out) expect_same_rings(world, world.nodes(), "they know the same events");
    }
  });
}

TEST(ring, members_agree_on_the_ring_after_partitions_losses_and_a_crash) {
  Plan plan = cluster_plan(7);
  plan.config.q = 90;
  for_each_seed(8, plan, [](World& world) {
    form_cluster(world, {"n1", "n2", "n3", "n4", "n5"});
    expect_same_rings(world, world.up_nodes(), "their histories are equal");
    go_through_a_lot(world);
    world.start("n6");
    world.start("n7");
    converges(
        world, 60s, [&] { return histories_differ(world); }, "all nodes know the same history");
    expect_same_rings(world, world.up_nodes(), "their histories are equal again");
    const std::string wrong =
        balance_wrong(world.invoke<&Ring::owners>("n4"), 90, members(world, "n4"));
    world.expect(wrong.empty(),
                 "the loads of " + list(members(world, "n4")) + " differ by at most one", wrong);
    world.crash("n3");
    world.restart("n3");
    expect_same_rings(world, {"n2", "n3"}, "n3 comes back with the history on its disk");
  });
}

TEST(ring, suspicion_moves_no_vnode_and_a_stand_in_steps_back) {
  Plan plan = cluster_plan(5);
  plan.config.q = 40;
  for_each_seed(4, plan, [](World& world) {
    form_cluster(world);
    const Owners before = world.invoke<&Ring::owners>("n1");
    const auto judge_lists = [&] {
      world.expect(world.invoke<&Ring::owners>("n1") == before,
                   "suspicion never changes who owns a vnode", "n1's ring is another one now");
      const std::vector<NodeId> dead = world.invoke<&Membership::suspects>("n1");
      for (VnodeId v = 0; v < 40; v += 3) {
        const std::vector<NodeId> met = walk(before, v);
        const auto list_now = world.invoke<&Ring::preference_list>("n1", v);
        world.expect(list_now == preference(met, 3),
                     "n1's preference list of vnode " + std::to_string(v) + " stays " +
                         text(preference(met, 3)),
                     text(list_now));
        const auto active_now = world.invoke<&Ring::active_list>("n1", v, dead);
        world.expect(active_now == active(met, 3, dead),
                     "while n1 suspects " + text(dead) + ", active for vnode " + std::to_string(v) +
                         " are " + text(active(met, 3, dead)),
                     text(active_now));
      }
    };
    judge_lists();
    world.pause("n3");
    world.crash("n5");
    world.run_for(15s);
    world.phase("n1 has had the time to suspect n3 and n5");
    judge_lists();
    world.resume("n3");
    world.restart("n5");
    world.run_for(15s);
    world.phase("both are back and have answered");
    judge_lists();
  });
}
