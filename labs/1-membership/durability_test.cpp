// Lab 1, part B: kills, restarts, lost disks, and everything at once.
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

/// Counters of one, two and five bytes that tie, nodes and incarnations of which the shorter one
/// is not the smaller one: whatever a record's key is, its order is not that of versions by chance.
History events_in_many_forms() {
  History events;
  for (std::uint64_t i = 1; i <= 300; ++i) {
    const std::uint64_t counter = i < 290 ? i : i * 1'000'000'000;
    const NodeId subject = name(1 + i % 7);
    events.push_back({subject, Change::join, {counter, "n2", 9}});
    events.push_back({subject, Change::leave, {counter, "n2", 300 + i % 2}});
    events.push_back({subject, i % 3 == 0 ? Change::join : Change::leave, {counter, "n10", 9}});
  }
  return sorted(std::move(events));
}

/// Where two long histories part.
std::string first_difference(const History& right, const History& found) {
  for (std::size_t i = 0; i < std::min(right.size(), found.size()); ++i) {
    if (!(found[i] == right[i]))
      return text(found[i]) + " stands where " + text(right[i]) + " should";
  }
  return "as far as both go they are equal";
}

void a_disk_of_many_events_is_read_in_version_order() {
  const History events = events_in_many_forms();
  Lone lone(only_membership("n1", 7, {"n2"}));
  lone.start();
  lone.invoke<&Membership::merge>(events);
  retell_all("n1 starts, and merges 900 events of n2 and n10, whose counters often tie");
  for (int restart = 1; restart <= 2; ++restart) {
    lone.restart();
    expect(lone.calls().empty(), "a node with a history asks nobody at once when it starts",
           "n1 calls " + (lone.calls().empty() ? "nobody" : lone.calls().front().to));
    const History found = lone.invoke<&Membership::history>();
    expect(found == events, "after a restart n1 has the 900 events, in version order",
           std::to_string(found.size()) + " events; " + first_difference(events, found));
    const History view = lone.invoke<&Membership::view>();
    expect(view == view_of(events), "and the view that it had: " + text(view_of(events)),
           text(view));
    retell(2, "");
  }
  passed();
}

TEST(membership, a_restart_keeps_the_history_and_makes_no_event) {
  for_each_seed(6, lab_plan(6), [](World& world) {
    form_cluster(world, names(1, 3));
    for (int turn = 0; turn < 4; ++turn) {
      if (world.leaves_out("turn " + std::to_string(turn))) continue;
      const NodeId node = name(1 + turn % 3);
      const bool present = contains(members(world, node), "n4");
      const Operation change = present ? world.remove(node, "n4") : world.add(node, "n4");
      world.expect(change.done(), "the console takes the change", to_string(change));
      become_equal(world, 14, "after the change");
      const History before = history(world, node);
      world.phase(node + " is killed and starts again, alone");
      world.isolate(node);
      world.crash(node);
      world.start(
          node, turn == 3);  // once with the flag, by mistake: it has a history, so nothing happens
      world.run_for(3 * kRound);
      const History after = history(world, node);
      world.expect(
          after == before,
          node + " has the history that it had, of " + std::to_string(before.size()) + " events",
          [&] { return difference(before, after); });
      // Changes made while alone must get versions of their own.
      const Operation alone = world.add(node, "n5");
      const Operation undone = world.remove(node, "n5");
      world.expect(alone.done() && undone.done(), node + " is still a member and takes changes",
                   to_string(alone) + "; " + to_string(undone));
      world.heal();
      become_equal(world, 20, "after " + node + " was reachable again");
    }
    expect_operations(world, "n1");
    world.phase("n3 removes itself, is killed, and starts with the operator's flag");
    (void)world.remove("n3", "n3");
    const History before = history(world, "n3");
    world.isolate("n3");
    world.crash("n3");
    world.start("n3", true);
    world.expect(history(world, "n3") == before,
                 "with a history on its disk the flag changes nothing: n3 stays removed",
                 [&] { return difference(before, history(world, "n3")); });
  });
  a_disk_of_many_events_is_read_in_version_order();
}

TEST(membership, an_acknowledged_change_survives_a_kill) {
  for_each_seed(8, lab_plan(5), [](World& world) {
    form_cluster(world, names(1, 3));
    const char* how[] = {"at once after the answer", "before a commit", "after a commit",
                         "after a commit"};
    for (int turn = 0; turn < 8; ++turn) {
      if (world.leaves_out("turn " + std::to_string(turn))) continue;
      const NodeId node = turn % 2 == 0 ? "n2" : "n3";
      world.phase(node + " takes a change, and is killed " + how[turn / 2]);
      if (turn / 2 == 1) world.crash_before_commit(node);
      if (turn / 2 >= 2) world.crash_after_commit(node);
      const bool present = contains(members(world, node), "n4");
      const Operation change = present ? world.remove(node, "n4") : world.add(node, "n4");
      world.expect(change.outcome != Operation::Outcome::error,
                   node + " takes the change or dies of it", to_string(change));
      world.run_for(Duration(turn < 4 ? 0 : 20'000));
      world.isolate(node);
      world.crash(node);
      world.restart(node);
      expect_operations(world, node);
      // Whatever it had told others it must know itself.
      const History own = history(world, node);
      for (const Event& event : history(world, "n1")) {
        world.expect(
            std::find(own.begin(), own.end(), event) != own.end() || event.version.node != node,
            node + " knows every event that it made and that n1 has heard of",
            [&] { return "after the restart it lacks " + text(event); });
      }
      world.heal();
      become_equal(world, 20, "after " + node + " came back");
    }
    expect_operations(world, "n1");
  });
}

TEST(membership, a_lost_disk_reuses_no_version) {
  for_each_seed(6, lab_plan(6), [](World& world) {
    form_cluster(world, names(1, 3));
    world.phase("n2 adds n4; only n3 hears of it");
    world.isolate("n1");
    (void)world.add("n2", "n4");
    converges(
        world, 14 * kRound,
        [&] {
          return histories_differ(world, {"n2", "n3"});
        },
        "n3 hears of n4");
    world.phase("n2's disk is lost; it learns the history from n1, which has not heard of n4");
    world.crash("n2");
    world.wipe("n2");
    world.heal();
    world.isolate("n3");
    world.restart("n2");
    converges(
        world, 8 * kRound,
        [&] {
          return histories_differ(world, {"n1", "n2"});
        },
        "n2 has the history that its seed n1 has");
    const Operation add = world.add("n2", "n5");
    world.expect(add.done(), "n2 is still a member, with its new disk, too: it takes \"add n5\"",
                 to_string(add));
    world.heal();
    become_equal(world, 20, "after all are reachable again");
    expect_operations(world, "n3");
    world.expect(members(world, "n1") == names(1, 5),
                 "both changes that n2 made count, the one with its old disk and the one with its "
                 "new disk: the "
                 "members are " +
                     list(names(1, 5)),
                 [&] {
                   return list(members(world, "n1")) + "; the history is " +
                          text(history(world, "n1"));
                 });
  });
}

/// One random thing that happens to the cluster.
void disturb(World& world, Random& random) {
  const NodeId node = name(1 + random.below(6));
  const NodeId other = name(1 + random.below(6));
  const bool alive = world.up(node);
  switch (random.below(12)) {
    case 0:
    case 1:
    case 2:
      if (alive) (void)world.add(node, other);
      break;
    case 3:
    case 4:
      if (alive && random.below(2) == 0) (void)world.remove(node, other);
      break;
    case 5:
      if (alive) world.crash(node);
      break;
    case 6:
      if (alive) world.crash_before_commit(node);
      break;
    case 7:
      if (alive) world.crash_after_commit(node);
      break;
    case 8:
      if (alive) world.pause(node);
      break;
    case 9:
      if (world.life(node) == Life::paused) world.resume(node);
      break;
    case 10:
      node == other ? world.heal() : world.cut({node}, {other});
      break;
    default:
      if (world.life(node) == Life::down) world.restart(node);
      break;
  }
}

TEST(membership, after_chaos_all_agree_on_every_acknowledged_change) {
  Plan plan = lab_plan(6);
  plan.links.loss_ppm = 100'000;
  plan.links.duplicate_ppm = 100'000;
  plan.links.delay_max = 250ms;
  for_each_seed(12, plan, [](World& world) {
    form_cluster(world, names(1, 4));
    world.start("n5");
    world.start("n6");
    Random random(world.seed() * 31 + 7);
    world.phase("chaos");
    for (int step = 0; step < 40; ++step) {
      const World::Optional optional(world);
      disturb(world, random);
      world.run_for(Duration(random.below(700'000)));
    }
    world.phase("everything is repaired");
    world.heal();
    world.set_links({});
    for (const NodeId& node : world.nodes()) {
      if (world.life(node) == Life::paused) world.resume(node);
    }
    // All of them: it disarms, and who is no member asks its seeds again, else it may know too
    // little.
    for (const NodeId& node : world.nodes()) world.restart(node);
    become_equal(world, 30, "after all was repaired");
    expect_operations(world, "n1");
    const std::vector<History> views = world.invoke_each<&Membership::view>(world.nodes());
    for (std::size_t i = 1; i < views.size(); ++i) {
      world.expect(views[i] == views[0], "equal histories give equal views: " + text(views[0]),
                   "the view of " + world.nodes()[i] + " is " + text(views[i]));
    }
  });
}

}  // namespace
