// Lab 5, part C: sloppy clusters. Nothing is said of what a get sees before all has healed.
#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "core/random.h"
#include "quorum_world.h"

namespace {

using namespace dynamo;
using namespace dynamo::sim;

TEST(quorum, a_healthy_sloppy_cluster_needs_no_hints) {
  Plan plan = quorum_plan(5, "sloppy");
  plan.links.delay_min = 20ms;
  plan.links.delay_max = 40ms;
  for_each_seed(9, plan, [](World& world) {
    settle(world);
    for (std::uint32_t w = 1; w <= 3; ++w) {
      for (std::size_t i = 0; i < 2; ++i) {
        if (world.leaves_out("w=" + std::to_string(w))) continue;
        const NodeId at = world.nodes()[(world.seed() + w + 2 * i) % 5];
        const std::string key = key_name(world, std::size_t{10} * w + i);
        const ClientOperation& write = put(world, at, key, "milk", w);
        must_be_done(world, write, "all nodes are up");
        const std::vector<NodeId> on = holders(world, key, "milk", false);
        world.expect(on.size() >= w,
                     "when " + with_hosts(world, write) + " is done, w owners hold it",
                     [&] { return "on a disk it is at " + list(on); });
        const ClientOperation& read = get(world, world.nodes()[i], key, 4 - w);
        must_answer(world, read, "all nodes are up");
      }
    }
    all_is_delivered(world, "when all puts are done", 5s);
    is_quiet(world, "when all owners have confirmed what was put");
    world.expect(world.sent(message_number<StoreHints>).messages == 0,
                 "all owners were healthy all the time, so nobody stands in for anybody",
                 "there were StoreHints");
  });
}

TEST(quorum, sloppy_serves_while_any_w_hosts_can_be_reached) {
  for_each_seed(27, quorum_plan(5, "sloppy"), [](World& world) {
    settle(world);
    const std::string key = key_name(world, 0);
    const std::vector<NodeId> owners = preference_list(world, key);
    const Away how = way(world.seed());
    const std::size_t gone = 1 + (world.seed() / 3) % 3;  // up to all three of them
    const std::vector<NodeId> away(owners.begin(),
                                   owners.begin() + static_cast<std::ptrdiff_t>(gone));
    for (const NodeId& owner : away) send_away(world, owner, how);
    const std::vector<NodeId> here = nodes_but(world, away);
    const auto most = static_cast<std::uint32_t>(std::min<std::size_t>(3, here.size()));
    for (const NodeId& at : here) {
      for (std::uint32_t w = 1; w <= most; ++w) {
        if (world.leaves_out("w=" + std::to_string(w) + " at " + at)) continue;
        const std::string value = at + " w=" + std::to_string(w);
        const ClientOperation& write = put(world, at, key, value, w);
        must_be_done(world, write,
                     std::to_string(here.size()) + " of five hosts can be reached: " + list(here));
        const std::vector<NodeId> on = holders(world, key, value, true);
        world.expect(on.size() >= w,
                     "when " + with_hosts(world, write) + " is done, so many hosts hold it durably",
                     [&] { return "on a disk it is at " + list(on); });
        const ClientOperation& read = get(world, at, key, w);
        must_answer(world, read, list(here) + " can be reached");
      }
    }
    for (const NodeId& node : here) {
      if (contains(owners, node)) continue;
      world.expect(all_held(world, node).empty(),
                   node + " is no owner: what it keeps is a hint, apart from its own keys",
                   "it is in `store`");
    }
    for (const NodeId& owner : away) bring_back(world, owner, how);
    all_is_delivered(world, "when all are back");
    is_quiet(world, "when all are back");
    expect_what_was_put(world, true);
  });
}

TEST(quorum, both_sides_of_a_partition_serve_and_meet) {
  for_each_seed(18, quorum_plan(5, "sloppy"), [](World& world) {
    settle(world);
    Random random(world.seed());
    std::vector<NodeId> few = world.nodes();
    for (std::size_t i = 0; i + 1 < few.size(); ++i) {
      std::swap(few[i], few[i + random.below(few.size() - i)]);
    }
    few.resize(2);
    const std::vector<NodeId> rest = nodes_but(world, few);
    std::map<std::string, std::string> contexts;
    std::vector<std::string> keys;
    for (std::size_t i = 0; i < 3; ++i) {
      if (!world.leaves_out("key " + std::to_string(i))) keys.push_back(key_name(world, i));
    }
    for (const std::string& key : keys) {
      must_be_done(world, put(world, few[0], key, "before " + key, 3), "all nodes are up");
      const ClientOperation& read = get(world, rest[0], key, 3);
      must_answer(world, read, "all nodes are up");
      contexts[key] = read.read_context;
    }
    world.part(few, rest);
    world.phase(list(few) + " and " + list(rest) + " cannot reach each other");
    for (const std::string& key : keys) {
      for (const std::vector<NodeId>& side : {few, rest}) {
        for (const NodeId& at : side) {
          const std::string why = "two hosts can be reached: " + list(side);
          const ClientOperation& write = put(world, at, key, key + " by " + at, 2, contexts[key]);
          must_be_done(world, write, why);
          if (world.leaves_out("get at " + at)) continue;
          must_answer(world, get(world, at, key, 2), why);
        }
      }
    }
    world.phase("the partition heals: what both sides wrote becomes siblings");
    world.heal();
    all_is_delivered(world, "when the partition has healed");
    is_quiet(world, "when the partition has healed");
    expect_what_was_put(world, true);
    for (const std::string& key : keys) {
      for (const NodeId& at : world.nodes()) {
        if (world.leaves_out("last get at " + at)) continue;
        const ClientOperation& read = get(world, at, key, 3);
        world.expect(read.values.size() == 5,
                     with_hosts(world, read) +
                         " shows what each of the five clients put: none of " +
                         "them had seen another one's",
                     to_string(read));
      }
    }
  });
}

TEST(quorum, only_the_keeper_of_the_hint_is_left_to_deliver_it) {
  for_each_seed(36, quorum_plan(5, "sloppy"), [](World& world) {
    settle(world);
    const std::string key = key_name(world, 0);
    const std::vector<NodeId> owners = preference_list(world, key);
    const NodeId& at = owners[world.seed() % 3];
    const NodeId& other = owners[(world.seed() + 1) % 3];
    const NodeId& away = owners[(world.seed() + 2) % 3];
    const Away how = (world.seed() / 3) % 2 == 0 ? Away::killed : Away::cut_off;
    send_away(world, away, how);
    must_be_done(world, put(world, at, key, "milk", 3),
                 "a stand-in takes the place of " + away + ", which is away");
    NodeId keeper;
    for (const NodeId& node : nodes_but(world, owners)) {
      if (held_on(world.disk(node), node, key, kHintSpace)) keeper = node;
    }
    world.expect(!keeper.empty(), "a host that is no owner keeps a hint for " + away,
                 "nobody has one in `hints`");
    world.crash(at);
    world.crash(other);
    if (world.seed() % 2 == 0) {
      world.crash(keeper);
      world.restart(keeper);
    }
    world.phase(at + " and " + other + ", who owe " + away +
                " the put, too, are gone; it comes back");
    world.run_for(5s);
    bring_back(world, away, how);
    converges(
        world, 10s,
        [&]() -> std::string {
          if (!contains(holders(world, key, "milk", false), away)) return away + " lacks the put";
          return hints_left(world, {keeper});
        },
        keeper + " delivers its hint to " + away + ", and keeps it no longer", 100ms);
    world.restart(at);
    world.restart(other);
    all_is_delivered(world, "when all are back");
    is_quiet(world, "when all are back");
    expect_what_was_put(world);
  });
}

TEST(quorum, a_kill_between_hint_and_confirmation_loses_nothing) {
  for_each_seed(64, quorum_plan(5, "sloppy"), [](World& world) {
    settle(world);
    const std::string key = key_name(world, 0);
    const std::vector<NodeId> owners = preference_list(world, key);
    const NodeId& at = owners[0];
    const NodeId& away = owners[1 + world.seed() % 2];
    world.isolate(away);
    for (const NodeId& node : nodes_but(world, owners)) {
      if ((world.seed() / 2) % 2 == 0) {
        world.crash_after_commit(node);
      } else {
        world.crash_before_commit(node);
      }
    }
    const ClientOperation& write = put(world, at, key, "milk", 3);
    if (write.done()) {
      const std::vector<NodeId> on = holders(world, key, "milk", true);
      world.expect(on.size() >= 3, "a host that was counted has the put on its disk, though killed",
                   "on a disk it is at " + list(on));
    }
    world.run_for(1s);
    for (const NodeId& node : nodes_but(world, {away})) world.restart(node);
    world.run_for(2s);
    world.phase(away + " is back, and will be killed when it is sent the put");
    if (world.seed() % 8 < 4) {
      world.crash_after_commit(away);
    } else {
      world.crash_before_commit(away);
    }
    world.heal();
    world.run_for(5s);
    world.restart(away);
    all_is_delivered(world, "when all are back");
    is_quiet(world, "when all are back");
    const std::size_t held = holders(world, key, "milk", false).size();
    world.expect(held == 3 || (held == 0 && !write.done()), "all owners hold the put",
                 std::to_string(held) + " owners hold it");
  });
}

TEST(quorum, a_late_hint_brings_no_deleted_value_back) {
  for_each_seed(18, quorum_plan(5, "sloppy"), [](World& world) {
    settle(world);
    const std::string key = key_name(world, 0);
    const std::vector<NodeId> owners = preference_list(world, key);
    const std::vector<NodeId> strangers = nodes_but(world, owners);
    const NodeId& away = owners[world.seed() % 3];
    const NodeId& at = owners[(world.seed() + 1) % 3];
    const Away how = way(world.seed() / 3);
    send_away(world, away, how);
    must_be_done(world, put(world, at, key, "milk", 3), "a stand-in takes the place of " + away);
    for (const NodeId& node : strangers) send_away(world, node, Away::killed);
    bring_back(world, away, how);
    world.phase("the hint for " + away + " has to wait; meanwhile the key is deleted there");
    world.run_for(3s);
    const ClientOperation& read = get(world, away, key, 3);
    must_answer(world, read, "all owners are up");
    const ClientNumber deletion = world.write(away, key, std::nullopt, read.read_context, {}, 3);
    must_be_done(world, world.answer(deletion), "all owners are up");
    world.run_for(3s);
    world.phase("at last the hint is delivered, with the value of before the delete");
    for (const NodeId& node : strangers) bring_back(world, node, Away::killed);
    all_is_delivered(world, "when all are back");
    is_quiet(world, "when all are back");
    for (const NodeId& node : world.nodes()) {
      const ClientOperation& last = get(world, node, key, 3);
      world.expect(last.absent() && last.held,
                   with_hosts(world, last) + ": the key was deleted, which a tombstone tells",
                   last.absent() ? "nothing is left of the delete" : to_string(last));
    }
  });
}

TEST(quorum, hints_for_a_removed_node_reach_the_new_owners) {
  Plan plan = quorum_plan(6, "sloppy");
  plan.config.modules = {"membership", "ring", "transfer", "versioning", "quorum"};
  plan.config.q = 16;
  plan.config.seeds = {"n1", "n2"};
  for_each_seed(20, plan, [](World& world) {
    form_cluster(world);
    world.run_for(3s);
    const NodeId gone = world.nodes()[1 + world.seed() % 5];
    const Away how = world.seed() % 2 == 0 ? Away::killed : Away::cut_off;
    send_away(world, gone, how);
    std::vector<std::string> keys;
    std::size_t found = 0;
    for (std::size_t i = 0; found < 4; ++i) {
      const std::string key = key_name(world, i);
      if (!contains(preference_list(world, key), gone)) continue;
      // One hint must be there; so at least one put.
      const bool needed = ++found == 4 && keys.empty();
      if (needed || !world.leaves_out("key " + std::to_string(found))) keys.push_back(key);
    }
    for (const std::string& key : keys) {
      const NodeId at = nodes_but(world, {gone})[found % 5];
      must_be_done(world, put(world, at, key, "milk " + key, 3), "five of six hosts are up");
    }
    world.expect(!hints_left(world).empty(),
                 "somebody stands in for " + gone + ", and keeps a hint",
                 "nobody has one in `hints`");
    world.phase("the operator removes " + gone + ", which never saw the puts");
    (void)world.remove(gone == "n1" ? "n2" : "n1", gone);
    const std::vector<NodeId> here = nodes_but(world, {gone});
    converges(
        world, 40s,
        [&]() -> std::string {
          std::string wrong = histories_differ(world, here);
          for (const std::string& key : keys) {
            if (wrong.empty()) wrong = replicas_differ_in(world, key, here);
          }
          return wrong.empty() ? hints_left(world, here) : wrong;
        },
        "the owners of today hold what was put, and no hint for " + gone + " is left", 200ms);
    for (const std::string& key : keys) {
      const std::size_t held = holders(world, key, "milk " + key, false).size();
      world.expect(held == 3, "three hosts hold " + key + " = milk " + key,
                   std::to_string(held) + " hold it");
    }
  });
}

/// Puts, deletes and gets of three clients at any node that runs, with any r and w.
void any_request(World& world, Random& random, std::size_t number) {
  const std::vector<NodeId> up = world.up_nodes();
  if (up.empty()) return;
  const NodeId& at = up[random.below(up.size())];
  const std::string key = key_name(world, random.below(3));
  const auto hosts = static_cast<std::uint32_t>(1 + random.below(3));
  const std::uint64_t what = random.below(10);
  std::string context;
  for (const ClientOperation& operation : world.client_operations()) {
    if (!operation.write() && operation.key == key && !operation.read_context.empty()) {
      context = operation.read_context;
    }
  }
  if (random.below(4) == 0) context.clear();
  if (what < 4) {
    (void)world.read(at, key, hosts);
  } else if (what < 5 && !context.empty()) {
    (void)world.write(at, key, std::nullopt, context, {}, hosts);
  } else {
    (void)world.write(at, key, value_name(number), context, {}, hosts);
  }
}

TEST(quorum, sloppy_loses_nothing_whatever_fails_and_cleans_up) {
  Plan plan = quorum_plan(5, "sloppy");
  plan.links.loss_ppm = 30'000;
  plan.links.duplicate_ppm = 50'000;
  plan.links.delay_max = 50ms;
  for_each_seed(80, plan, [](World& world) {
    settle(world);
    Random random(world.seed());
    const auto any = [&] { return world.nodes()[random.below(5)]; };
    for (std::size_t i = 0; i < 36; ++i) {
      const World::Optional optional(world);
      const NodeId victim = any();
      const std::uint64_t what = random.below(14);
      if (what == 0) world.crash(victim);
      if (what == 1) world.crash_before_commit(victim);
      if (what == 2) world.crash_after_commit(victim);
      if (what == 3) world.isolate(victim);
      if (what == 4) world.part({victim, world.nodes()[0]}, nodes_but(world, {victim, "n1"}));
      if (what == 5 || what == 6) world.heal();
      if (what == 7 && world.up(victim)) world.pause(victim);
      if (what >= 8 && what <= 11) {
        if (world.life(victim) == Life::down) world.restart(victim);
        if (world.life(victim) == Life::paused) world.resume(victim);
      }
      any_request(world, random, i);
      world.run_for(Duration(random.below(300'000)));
    }
    world.run_for(4s);
    world.phase("all nodes come back with their disks, and the network is well again");
    world.heal();
    world.set_links({});
    restart_all(world);
    all_is_delivered(world, "when all are back");
    is_quiet(world, "when all are back");
    expect_what_was_put(world, true);
  });
}

}  // namespace
