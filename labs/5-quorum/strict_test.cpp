// Lab 5, parts A and B: strict clusters whose members do not change, and a network that may fail.
#include <atomic>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/random.h"
#include "quorum_world.h"

namespace {

using namespace dynamo;
using namespace dynamo::sim;

TEST(quorum, done_means_that_w_owners_hold_it) {
  Plan plan = quorum_plan(5, "strict");
  plan.links.delay_min = 20ms;  // slow enough to see what is where when a client hears "done"
  plan.links.delay_max = 40ms;
  for_each_seed(12, plan, [](World& world) {
    settle(world);
    for (std::uint32_t w = 0; w <= 3; ++w) {
      if (world.leaves_out("w=" + std::to_string(w))) continue;
      const NodeId at = world.nodes()[(world.seed() + w) % 5];
      const std::string key = key_name(world, w);
      const ClientOperation& write = put(world, at, key, "milk", w);
      must_be_done(world, write, "all nodes are up");
      const std::vector<NodeId> on = holders(world, key, "milk", false);
      world.expect(on.size() >= hosts_of(world, write),
                   "when " + with_hosts(world, write) + " is done, so many owners hold it",
                   [&] { return "on a disk it is at " + list(on); });
      world.expect(write.needed == hosts_of(world, write) && write.got >= write.needed,
                   with_hosts(world, write) + " tells needed and got",
                   "needed " + std::to_string(write.needed) + ", got " + std::to_string(write.got));
      for (std::uint32_t r = 4 - hosts_of(world, write); r <= 3; ++r) {
        for (const NodeId& reader : world.nodes()) {
          if (world.leaves_out("get at " + reader)) continue;
          const ClientOperation& read = get(world, reader, key, r);
          world.expect(read.found("milk"),
                       with_hosts(world, read) + " shows [milk]: r and w are more than N",
                       to_string(read));
        }
      }
    }
    all_is_delivered(world, "when all puts are done", 5s);
    is_quiet(world, "when all owners have confirmed what was put");
    world.expect(world.sent(message_number<StoreHints>).messages == 0,
                 "in strict mode nobody is ever sent a hint", "there were StoreHints");
  });
}

/// A link of 120 ms each way to and from `slow`, for all others.
void slow_down(World& world, const NodeId& slow) {
  LinkModel model;
  model.delay_min = model.delay_max = 120ms;
  for (const NodeId& node : nodes_but(world, {slow})) {
    world.set_link(node, slow, model);
    world.set_link(slow, node, model);
  }
}

TEST(quorum, the_slowest_owner_adds_no_latency) {
  for_each_seed(12, quorum_plan(5, "strict"), [](World& world) {
    settle(world);
    const std::string key = key_name(world, 0);
    const std::vector<NodeId> owners = preference_list(world, key);
    const NodeId& slow = owners[world.seed() % 3];
    slow_down(world, slow);
    std::vector<NodeId> fast;
    for (const NodeId& owner : owners) {
      if (owner != slow) fast.push_back(owner);
    }
    const auto soon = [&](const ClientOperation& operation) {
      world.expect(operation.answered - operation.asked <= 60ms,
                   with_hosts(world, operation) + " needs two hosts of three, and does not wait " +
                       "240 ms for an answer of " + slow,
                   [&] {
                     const auto took = operation.answered - operation.asked;
                     return "it took " + std::to_string(took.count() / 1000) + " ms";
                   });
    };
    for (const NodeId& at : fast) {
      const ClientOperation& write = put(world, at, key, "by " + at, 2);
      must_be_done(world, write, "all nodes are up");
      soon(write);
    }
    for (const NodeId& at : nodes_but(world, {slow})) {
      const ClientOperation& read = get(world, at, key, 2);
      must_answer(world, read, "all nodes are up");
      soon(read);
    }
    all_is_delivered(world, "though one owner is slow");
  });
}

/// Three clients that put and get two keys, with what they have read last, with any r and w, at any
/// node, each one request after the other.
class Clients {
 public:
  explicit Clients(World& world) : world_(world), random_(world.seed()) {}

  void step() {
    Client& client = clients_[random_.below(clients_.size())];
    if (client.open && world_.client(*client.open).pending()) return;
    const std::vector<NodeId> nodes = world_.up_nodes();
    const NodeId& at = nodes[random_.below(nodes.size())];
    const std::string key = key_name(world_, random_.below(2));
    const auto hosts = static_cast<std::uint32_t>(1 + random_.below(3));
    if (client.open) hear(client, world_.client(*client.open));
    if (random_.below(2) == 0) {
      client.open = world_.read(at, key, hosts);
      return;
    }
    const std::string context = client.context[key];
    client.open = world_.write(at, key, value_name(++values_), context, {}, hosts);
  }

 private:
  struct Client {
    std::optional<ClientNumber> open;
    std::map<std::string, std::string> context;  ///< By key.
  };
  static void hear(Client& client, const ClientOperation& operation) {
    if (!operation.write() && !operation.read_context.empty()) {
      client.context[operation.key] = operation.read_context;
    }
  }

  World& world_;
  Random random_;
  std::vector<Client> clients_ = std::vector<Client>(3);
  std::size_t values_ = 0;
};

TEST(quorum, a_strict_get_sees_every_acknowledged_put) {
  Plan plan = quorum_plan(5, "strict");
  plan.links.loss_ppm = 30'000;
  plan.links.duplicate_ppm = 50'000;
  plan.links.delay_max = 40ms;
  std::atomic<std::size_t> pairs = 0;  // in one world there may be none
  for_each_seed(60, plan, [&](World& world) {
    settle(world);
    Clients clients(world);
    Random random(world.seed() + 1000);
    const std::vector<NodeId> owners = preference_list(world, key_name(world, 0));
    for (std::size_t round = 0; round < 4; ++round) {
      const NodeId away =
          random.below(4) == 0 ? world.nodes()[random.below(5)] : owners[random.below(3)];
      const Away how = way(random.below(3));
      if (!world.leaves_out(away + " is away")) send_away(world, away, how);
      for (int i = 0; i < 12; ++i) {
        const World::Optional optional(world);
        clients.step();
        world.run_for(Duration(random.below(150'000)));
      }
      bring_back(world, away, how);
      for (int i = 0; i < 6; ++i) {
        const World::Optional optional(world);
        clients.step();
        world.run_for(Duration(random.below(150'000)));
      }
    }
    world.run_for(5s);
    pairs += every_get_is_fresh(world);
    world.phase("the network is well again");
    world.set_links({});
    all_is_delivered(world, "when the network is well again");
    expect_what_was_put(world, true);
  });
  if (pairs == 0) {
    violation("no more than one node of five is away at a time: puts are done, and gets answered",
              "in no run was a get answered that began after a put was done, with r + w > N");
  }
}

TEST(quorum, strict_refuses_on_the_side_with_too_few_owners) {
  for_each_seed(18, quorum_plan(5, "strict"), [](World& world) {
    settle(world);
    const std::string key = key_name(world, 0);
    const std::vector<NodeId> owners = preference_list(world, key);
    must_be_done(world, put(world, owners[0], key, "before", 3), "all nodes are up");
    const NodeId& lonely = owners[world.seed() % 3];
    std::vector<NodeId> few = nodes_but(world, owners);  // more nodes than the other side has
    few.push_back(lonely);
    const std::vector<NodeId> rest = nodes_but(world, few);
    world.part(few, rest);
    world.phase(list(few) + " have one owner of " + key + ", " + list(rest) + " have two");
    for (const NodeId& at : few) {
      if (at != lonely && world.leaves_out("requests at " + at)) continue;
      const ClientOperation& write = put(world, at, key, "few " + at, 2);
      // Elsewhere the deadline may have passed before the coordinator's answer could come.
      const bool numbers = (write.needed == 2 || at != lonely) && write.got <= 1;
      world.expect(write.unknown() && numbers,
                   with_hosts(world, write) + ": unavailable, needed 2, got at most 1; other " +
                       "hosts than the owners " + list(owners) + " do not count",
                   to_string(write));
      const ClientOperation& read = get(world, at, key, 2);
      world.expect(read.unknown() && read.needed == 2 && read.got == 1,
                   with_hosts(world, read) + ": unavailable, needed 2, got 1", to_string(read));
      must_answer(world, get(world, at, key, 1), "one owner, " + lonely + ", can be reached");
    }
    for (const NodeId& at : rest) {
      if (world.leaves_out("requests at " + at)) continue;
      must_be_done(world, put(world, at, key, "rest " + at, 2), "two owners can be reached");
      must_answer(world, get(world, at, key, 2), "two owners can be reached");
    }
    world.expect(world.sent(message_number<StoreHints>).messages == 0,
                 "in strict mode nobody is ever sent a hint", "there were StoreHints");
    world.heal();
    all_is_delivered(world, "when the partition has healed");
    is_quiet(world, "when the partition has healed");
    const ClientOperation& last = get(world, lonely, key, 3);
    must_answer(world, last, "all nodes are up");
    world.expect(contains(last.values, "few " + lonely),
                 "the put at " + lonely + " was told \"quorum not met\", but " + lonely +
                     " holds it, so it is propagated all the same",
                 to_string(last));
    expect_what_was_put(world, true);
  });
}

TEST(quorum, an_acknowledged_put_outlives_its_coordinators_restart) {
  for_each_seed(27, quorum_plan(5, "strict"), [](World& world) {
    settle(world);
    const std::string key = key_name(world, 0);
    const std::vector<NodeId> owners = preference_list(world, key);
    const NodeId& at = owners[world.seed() % 3];
    const NodeId& away = owners[(world.seed() + 1) % 3];
    const Away how = way(world.seed() / 3);
    send_away(world, away, how);
    must_be_done(world, put(world, at, key, "milk", 2), "two owners can be reached");
    world.crash(at);
    world.phase(at + " is killed right after its answer; " + away + " is away");
    world.run_for(2s);
    world.restart(at);
    for (const NodeId& asked : nodes_but(world, {away})) {
      const ClientOperation& read = get(world, asked, key, 2);
      world.expect(read.found("milk"), with_hosts(world, read) + ": [milk]", to_string(read));
    }
    bring_back(world, away, how);
    all_is_delivered(world, "when " + away + " is back");
    is_quiet(world, "when " + away + " is back");
    expect_what_was_put(world);
  });
}

TEST(quorum, a_kill_in_the_middle_of_a_put_leaves_all_or_nothing) {
  for_each_seed(48, quorum_plan(4, "strict"), [](World& world) {
    settle(world);
    const std::string key = key_name(world, 0);
    const std::vector<NodeId> owners = preference_list(world, key);
    const NodeId& at = owners[world.seed() % 3];
    const std::vector<NodeId> others = nodes_but(world, {at});
    if (world.seed() % 2 == 0) {
      for (const NodeId& owner : others) world.isolate(owner);
    }
    if (world.seed() % 4 < 2) {
      world.crash_after_commit(at);
    } else {
      world.crash_before_commit(at);
    }
    const ClientOperation& write = put(world, at, key, "milk", 1 + world.seed() % 3);
    world.run_for(500ms);
    world.phase(at + " was killed in the middle of the put, and comes back");
    world.heal();
    world.restart(at);
    all_is_delivered(world, "when " + at + " is back");
    std::size_t held = 0;
    for (const NodeId& owner : owners) held += held_for(world, owner, key) ? 1 : 0;
    world.expect(held == 0 || held == 3, "all owners hold the put, or none of them",
                 std::to_string(held) + " owners hold it");
    if (write.done()) expect_what_was_put(world);
  });
}

// ---- Part B -------------------------------------------------------------------------------------

TEST(quorum, gets_of_replicas_that_agree_write_nothing) {
  for_each_seed(8, quorum_plan(5, "strict"), [](World& world) {
    settle(world);
    for (std::size_t i = 0; i < 6; ++i) {
      if (world.leaves_out("put " + std::to_string(i))) continue;
      const NodeId at = world.nodes()[i % 5];
      must_be_done(world, put(world, at, key_name(world, i), "milk", 3), "all nodes are up");
    }
    all_is_delivered(world, "when all puts are done", 5s);
    is_quiet(world, "when all puts are done");
    const std::uint64_t before = world.sent(message_number<Update>).messages;
    for (std::size_t i = 0; i < 8; ++i) {  // two of the keys were never written
      for (const NodeId& at : world.nodes()) {
        if (world.leaves_out("get " + std::to_string(i) + " at " + at)) continue;
        must_answer(world, get(world, at, key_name(world, i), 1 + (i + world.seed()) % 3),
                    "all nodes are up");
      }
    }
    world.run_for(2s);
    const std::uint64_t sent = world.sent(message_number<Update>).messages - before;
    world.expect(sent == 0, "all owners agree about each key, so gets lead to no Update",
                 std::to_string(sent) + " Updates and replies were sent");
  });
}

TEST(quorum, a_get_mends_a_replica_though_its_debtor_is_gone) {
  for_each_seed(36, quorum_plan(5, "strict"), [](World& world) {
    settle(world);
    const std::string key = key_name(world, 0);
    const std::vector<NodeId> owners = preference_list(world, key);
    const NodeId& coordinator = owners[world.seed() % 3];
    const NodeId& sleeper = owners[(world.seed() + 1) % 3];
    const NodeId& witness = owners[(world.seed() + 2) % 3];
    if (world.seed() % 2 == 0) {
      const ClientOperation& old = put(world, witness, key, "old", 3);
      must_be_done(world, old, "all nodes are up");
    }
    const Away how = way(world.seed() / 3);
    send_away(world, sleeper, how);
    must_be_done(world, put(world, coordinator, key, "milk", 2), "two owners can be reached");
    world.crash(coordinator);
    bring_back(world, sleeper, how);
    world.phase(coordinator + ", which owes " + sleeper + " the put, is gone; " + witness +
                " has it, too, and owes nothing");
    world.run_for(3s);
    const NodeId at = nodes_but(world, owners)[world.seed() % 2];
    const ClientOperation& read = get(world, at, key, 2);
    world.expect(read.unknown() == false && contains(read.values, "milk"),
                 with_hosts(world, read) + " shows milk: " + witness + " holds it",
                 to_string(read));
    converges(
        world, 5s,
        [&]() -> std::string {
          const auto mended = held_for(world, sleeper, key);
          if (mended && mended->state == held_for(world, witness, key)->state) return "";
          return sleeper + " holds " + (mended ? "something else" : "nothing");
        },
        sleeper + " answered with less than " + witness + ", so the get mends it", 100ms);
    world.restart(coordinator);
    all_is_delivered(world, "when " + coordinator + " is back");
  });
}

}  // namespace
