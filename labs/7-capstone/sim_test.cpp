// Lab 7, part B: chaos in the simulator. Many seeds; each story is its own.
#include <algorithm>
#include <string>
#include <vector>

#include "whole_store.h"

namespace {

using namespace dynamo;
using namespace dynamo::sim;

/// Those of `nodes` that run.
std::vector<NodeId> running(const World& world, const std::vector<NodeId>& nodes) {
  std::vector<NodeId> up;
  for (const NodeId& node : nodes) {
    if (world.up(node)) up.push_back(node);
  }
  return up;
}

std::vector<NodeId> running(const World& world) { return running(world, world.nodes()); }

/// Other owners in each run, since the ring is the same in all of them.
std::vector<std::string> keys_of_the_run(const World& world) {
  const std::string seed = std::to_string(world.seed());
  return {"x" + seed, "y" + seed, "z" + seed};
}

/// A store at rest, with a few keys in it, before anything goes wrong.
void form_store(World& world, Clients& clients, const std::vector<NodeId>& members = {}) {
  form_cluster(world, members);
  world.run_for(2s);
  for (int turn = 0; turn < 4; ++turn) {
    clients.turn(running(world));
    world.run_for(200ms);
  }
}

/// Load for `time`: a turn of the clients at `nodes` (none given: at all that run), every 150 ms.
void load(World& world, Clients& clients, Duration time, const std::vector<NodeId>& nodes = {}) {
  for (Duration passed{0}; passed < time; passed += 150ms) {
    clients.turn(running(world, nodes.empty() ? world.nodes() : nodes));
    world.run_for(150ms);
  }
}

/// One more fault, which a store survives, and whoever judges it does not count on.
void fail(World& world, const NodeId& node, bool dies) {
  const World::Optional optional(world);
  if (dies) {
    world.crash(node);
  } else {
    world.pause(node);
  }
}

TEST(capstone, several_nodes_fail_at_once_and_the_store_goes_on) {
  for_each_seed(40, whole_plan(6), [](World& world) {
    Random random(world.seed());
    Clients clients(world, random, 3, 4);
    form_store(world, clients);
    std::vector<NodeId> away;
    while (away.size() < 2) {
      const NodeId node = world.nodes()[random.below(6)];
      if (!contains(away, node)) away.push_back(node);
    }
    world.phase("two nodes fail at once: " + list(away));
    fail(world, away[0], true);
    fail(world, away[1], random.below(2) == 0);
    std::vector<NodeId> left = world.nodes();
    std::erase_if(left, [&](const NodeId& node) { return contains(away, node); });
    load(world, clients, 2s, left);  // until everybody suspects them
    clients.finish();
    for (const std::string& key : keys_of_the_run(world)) {
      if (world.leaves_out("the put of " + key)) continue;
      const ClientOperation& put = world.put(left.front(), key, "v");
      world.expect(put.done(), question(put) + " is done: four healthy hosts are left, and W is 2",
                   [&] { return "the client is told: " + to_string(put); });
    }
    end_all_faults(world);
    everything_is_in_its_place(world);
  });
}

TEST(capstone, both_sides_of_a_partition_serve_and_meet_again) {
  for_each_seed(40, whole_plan(5), [](World& world) {
    Random random(world.seed());
    Clients clients(world, random, 4, 3);
    form_store(world, clients);
    std::vector<NodeId> one;
    std::vector<NodeId> other;
    for (const NodeId& node : world.nodes()) (one.size() < 2 ? one : other).push_back(node);
    world.phase("the network is cut in two: " + list(one) + " and " + list(other));
    if (!world.leaves_out("the cut")) world.part(one, other);
    if (random.below(2) == 0) fail(world, other.back(), false);
    load(world, clients, 4s);
    clients.finish();
    for (const std::string& key : keys_of_the_run(world)) {
      for (const NodeId& node : {one.front(), other.front()}) {
        if (world.leaves_out("the put of " + key + " at " + node)) continue;
        const ClientOperation& put = world.put(node, key, "at " + node);
        world.expect(put.done(),
                     question(put) + " is done: two hosts of its side are there, W is 2",
                     [&] { return "the client is told: " + to_string(put); });
      }
    }
    end_all_faults(world);
    everything_is_in_its_place(world);
  });
}

/// Who is a member, as the operator of n1 knows it.
struct Operator {
  std::vector<NodeId> members;
  std::vector<NodeId> outside;

  void add(World& world, const NodeId& node) { change(world, "add", node, outside, members); }
  void remove(World& world, const NodeId& node) { change(world, "remove", node, members, outside); }

 private:
  // By value, since it may be an element of `from`.
  // NOLINTNEXTLINE(performance-unnecessary-value-param)
  static void change(World& world, const std::string& what, NodeId node, std::vector<NodeId>& from,
                     std::vector<NodeId>& to) {
    const Operation asked = what == "add" ? world.add("n1", node) : world.remove("n1", node);
    world.expect(asked.done(), "n1 does this: " + what + " " + node, to_string(asked));
    std::erase(from, node);
    to.push_back(node);
  }
};

/// Nodes join and leave one by one, now and then in the middle of the last change; some die.
void come_and_go(World& world, Random& random, Clients& clients, Operator& known) {
  for (int change = 0; change < 4; ++change) {
    if (world.leaves_out("change " + std::to_string(change))) continue;
    const bool joins = known.members.size() < 4 || (!known.outside.empty() && random.below(2) == 0);
    if (joins) {
      known.add(world, known.outside[random.below(known.outside.size())]);
    } else {
      known.remove(world, known.members[1 + random.below(known.members.size() - 1)]);
    }
    const bool hasty = random.below(2) == 0;
    load(world, clients, hasty ? 300ms : 1s + random.below(3) * 1s, known.members);
    if (random.below(3) == 0) {
      const NodeId& victim = known.members[random.below(known.members.size())];
      if (world.up(victim)) fail(world, victim, true);
      load(world, clients, 1s, known.members);
      restart_all(world, {victim});
    }
  }
}

/// Three nodes, perhaps all owners of a key, leave one right after the other, and what they hand
/// over is lost now and then.
void change_guard(World& world, Clients& clients, Operator& known) {
  LinkModel lossy = world.plan().links;
  lossy.loss_ppm = 400'000;
  world.set_links(lossy);
  for (const NodeId& node : std::vector<NodeId>(known.outside)) known.add(world, node);
  const std::vector<NodeId> leaving(known.members.begin() + 1, known.members.begin() + 4);
  for (const NodeId& node : leaving) {
    known.remove(world, node);
    load(world, clients, 300ms, known.members);
  }
  load(world, clients, 3s, known.members);
}

TEST(capstone, joins_and_leaves_under_load_lose_nothing) {
  for_each_seed(30, whole_plan(7), [](World& world) {
    Random random(world.seed());
    Clients clients(world, random, 3, 6);
    Operator known{{"n1", "n2", "n3", "n4"}, {"n5", "n6", "n7"}};
    form_store(world, clients, known.members);
    for (const NodeId& node : known.outside) world.start(node);
    come_and_go(world, random, clients, known);
    if (!world.leaves_out("the change of guard")) change_guard(world, clients, known);
    clients.finish();
    end_all_faults(world);
    everything_is_in_its_place(world);
    std::sort(known.members.begin(), known.members.end());
    for (const NodeId& node : known.members) {
      const std::vector<NodeId> seen = members(world, node);
      world.expect(seen == known.members, node + " knows the members " + list(known.members),
                   list(seen));
    }
  });
}

TEST(capstone, all_nodes_are_killed_at_once_and_nothing_is_lost) {
  for_each_seed(40, whole_plan(5), [](World& world) {
    Random random(world.seed());
    Clients clients(world, random, 4, 4);
    form_store(world, clients);
    for (int time = 0; time < 2; ++time) {
      load(world, clients, 1s);
      world.phase("all nodes die");
      for (const NodeId& node : world.nodes()) {
        const World::Optional optional(world);
        if (random.below(2) == 0) {
          world.crash(node);
        } else {
          world.crash_after_commit(node);
        }
      }
      // Those that are left die while they take writes and hints for the others.
      load(world, clients, 1s);
      for (const NodeId& node : running(world)) world.crash(node);
      restart_all(world);
      load(world, clients, 1s);
    }
    clients.finish();
    end_all_faults(world);
    everything_is_in_its_place(world);
  });
}

TEST(capstone, full_disks_refuse_and_lose_nothing) {
  for_each_seed(40, whole_plan(5), [](World& world) {
    Random random(world.seed());
    Clients clients(world, random, 3, 4);
    form_store(world, clients);
    std::vector<NodeId> full;
    full.reserve(3);
    for (int count = 0; count < 3; ++count) full.push_back(world.nodes()[random.below(5)]);
    for (const NodeId& node : full) {
      if (!world.leaves_out("the full disk of " + node)) world.fill_disk(node);
      load(world, clients, 1s);
      if (random.below(3) == 0 && world.up(node)) {
        fail(world, node, true);
        load(world, clients, 500ms);
        restart_all(world, {node});
      }
    }
    clients.finish();
    end_all_faults(world);
    everything_is_in_its_place(world);
  });
}

/// What a strict get lacks of the blind puts that were acknowledged before it began.
std::string lacks(const World& world, const ClientOperation& get) {
  for (const ClientOperation& put : world.client_operations()) {
    if (!put.write() || !put.done() || put.key != get.key || put.answered > get.asked) continue;
    if (!contains(get.values, *put.value)) return *put.value;
  }
  return "";
}

/// If the get has an answer.
void must_show_all(World& world, const ClientOperation& get) {
  if (get.outcome != ClientOperation::Outcome::found && !get.absent()) return;
  const std::string lacking = lacks(world, get);
  world.expect(lacking.empty(),
               question(get) + " shows " + lacking +
                   ", which was acknowledged before it began (W 2 + R 2 > N 3)",
               to_string(get));
}

/// Up to two nodes are away from now on; all others are back.
void others_are_away(World& world, Random& random) {
  world.heal();
  for (const NodeId& node : world.nodes()) {
    if (world.life(node) == Life::down) world.restart(node);
    if (world.life(node) == Life::paused) world.resume(node);
  }
  for (std::uint64_t count = random.below(3); count > 0; --count) {
    const NodeId& node = world.nodes()[random.below(5)];
    const std::uint64_t how = random.below(3);
    const World::Optional optional(world);
    if (how == 0) world.crash(node);
    if (how == 1) world.isolate(node);
    if (how == 2 && world.up(node)) world.pause(node);
  }
}

TEST(capstone, strict_gets_see_acknowledged_puts_through_faults) {
  for_each_seed(40, whole_plan(5, "strict"), [](World& world) {
    Random random(world.seed());
    form_cluster(world);
    world.run_for(2s);
    const std::vector<std::string> keys = keys_of_the_run(world);
    for (int round = 0; round < 12; ++round) {
      others_are_away(world, random);
      const std::vector<NodeId> up = running(world);
      // Blind puts: each of them must be shown by every later get.
      const std::string& key = keys[random.below(2)];
      const World::Optional optional(world);  // what has no answer is not judged
      (void)world.put(up[random.below(up.size())], key, "v" + std::to_string(round));
      must_show_all(world, world.get(up[random.below(up.size())], key));
      // Who was away is back, and others are away: whoever holds it now must be enough.
      others_are_away(world, random);
      const std::vector<NodeId> others = running(world);
      must_show_all(world, world.get(others[random.below(others.size())], key));
    }
    end_all_faults(world);
    everything_is_in_its_place(world);
  });
}

/// One thing more that goes wrong, or one that ends.
void disturb(World& world, Random& random, std::vector<NodeId>& members,
             std::vector<NodeId>& outside) {
  const NodeId node = world.nodes()[random.below(world.nodes().size())];
  switch (random.below(14)) {
    case 0:
      if (world.up(node)) world.crash(node);
      break;
    case 1:
      if (world.up(node)) world.crash_after_commit(node);
      break;
    case 2:
      if (world.up(node)) world.crash_before_commit(node);
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
      world.skew(node, random.below(2) == 0 ? 3000ms : -3000ms);
      break;
    case 8:
      if (!outside.empty() && world.up("n1")) {
        if (world.add("n1", outside.back()).done()) {
          members.push_back(outside.back());
          outside.pop_back();
        }
      }
      break;
    case 9:
      if (members.size() > 4 && world.up("n1")) {
        if (world.remove("n1", members.back()).done()) {
          outside.push_back(members.back());
          members.pop_back();
        }
      }
      break;
    case 10:
      world.heal();
      break;
    default:
      if (world.life(node) == Life::down) world.restart(node);
      if (world.life(node) == Life::paused) world.resume(node);
      world.free_disk(node);
  }
}

TEST(capstone, everything_goes_wrong_at_once) {
  Plan plan = whole_plan(6);
  plan.links.loss_ppm = 20'000;
  plan.links.duplicate_ppm = 20'000;
  plan.links.corrupt_ppm = 5'000;
  for_each_seed(60, plan, [](World& world) {
    Random random(world.seed());
    Clients clients(world, random, 3, 4);
    std::vector<NodeId> members = {"n1", "n2", "n3", "n4", "n5"};
    std::vector<NodeId> outside = {"n6"};
    form_store(world, clients, members);
    if (world.life("n6") == Life::absent) world.start("n6");
    const std::uint64_t steps = 6 + 6 * (world.seed() % 4);  // some have short stories
    for (std::uint64_t step = 0; step < steps; ++step) {
      const World::Optional optional(world);
      disturb(world, random, members, outside);
      clients.turn(running(world, members));
      world.run_for(100ms + random.below(500) * 1ms);
    }
    end_all_faults(world);
    clients.finish();
    everything_is_in_its_place(world);
  });
}

}  // namespace
