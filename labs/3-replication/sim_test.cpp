// Lab 3, part A: a cluster whose members do not change, its clients, and a network that may fail.
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "store_world.h"

namespace {

using namespace dynamo;
using namespace dynamo::sim;

TEST(replication, an_acknowledged_put_reaches_all_owners_and_nobody_else) {
  Plan plan = store_plan(5);
  plan.links.delay_min = 20ms;  // slow enough to see what is where when a client hears "done"
  plan.links.delay_max = 30ms;
  for_each_seed(6, plan, [](World& world) {
    settle(world);
    std::vector<std::string> keys;
    for (std::size_t i = 0; i < 10; ++i) {
      if (world.leaves_out("put " + std::to_string(i))) continue;
      keys.push_back(key_name(world, i));
      const NodeId at = world.nodes()[(world.seed() + i) % 5];
      const ClientOperation& put = world.put(at, key_name(world, i), value_name(i));
      expect_done(world, put, "all nodes are up");
      expect_on_a_disk(world, put);
    }
    comes_to_rest(world, "when all puts are done", 5s);
    for (const std::string& key : keys) {
      const std::string wrong = replicas_differ_in(world, key);
      world.expect(wrong.empty(), "all three owners hold what was put", wrong);
    }
    falls_silent(world, "when all owners have confirmed what was put");
    expect_what_clients_wrote(world);
  });
}

/// How many requests of `Request` nodes sent to each other, and how many of one node.
class Counting {
 public:
  explicit Counting(World& world, MessageType type) : world_(world) {
    world.on_send([this, type](const Sent& sent) {
      if (sent.type == type && !sent.reply) ++count_;
    });
  }
  ~Counting() { world_.on_send(nullptr); }
  Counting(const Counting&) = delete;
  Counting& operator=(const Counting&) = delete;
  std::size_t count() const { return count_; }

 private:
  World& world_;
  std::size_t count_ = 0;
};

TEST(replication, any_node_takes_any_request) {
  for_each_seed(6, store_plan(6), [](World& world) {
    settle(world);
    const std::string key = key_name(world, 0);
    for (const NodeId& at : world.nodes()) {
      const Counting writes(world, message_number<Write>);
      expect_done(world, world.put(at, key, "by " + at), "any node takes a put for any key");
      world.expect(writes.count() <= 3,
                   "the put takes one Write, to an owner; or none if " + at + " is one",
                   std::to_string(writes.count()) + " of them were sent");
      comes_to_rest(world, "after that put", 5s);
      for (const NodeId& reader : world.nodes()) {
        const ClientOperation& get = world.get(reader, key);
        world.expect(get.found("by " + at), question(get) + ": [by " + at + "]", to_string(get));
      }
    }
    for (const NodeId& reader : world.nodes()) {
      const ClientOperation& get = world.get(reader, key_name(world, 99));
      world.expect(get.absent(), question(get) + ", which nobody ever wrote: there is no such key",
                   to_string(get));
    }
  });
}

TEST(replication, a_put_does_not_wait_for_the_slowest_owner) {
  for_each_seed(6, store_plan(5), [](World& world) {
    settle(world);
    const std::string key = key_name(world, 0);
    const NodeId slow = preference_list(world, key).back();
    LinkModel slow_link;
    slow_link.delay_min = slow_link.delay_max = 120ms;
    for (const NodeId& node : nodes_but(world, {slow})) {
      world.set_link(node, slow, slow_link);
      world.set_link(slow, node, slow_link);
    }
    for (const NodeId& at : nodes_but(world, {slow})) {
      const ClientOperation& put = world.put(at, key, "by " + at);
      expect_done(world, put, "all nodes are up");
      world.expect(put.answered - put.asked <= 60ms,
                   question(put) +
                       " is done as soon as one owner holds it, so it does not wait "
                       "240 ms for an answer of " +
                       slow + ", the last on the list",
                   [&] {
                     return "it took " + std::to_string((put.answered - put.asked).count() / 1000) +
                            " ms";
                   });
    }
    comes_to_rest(world, "though one link is slow");
    expect_what_clients_wrote(world);
  });
}

TEST(replication, a_put_succeeds_with_one_owner_reachable) {
  for_each_seed(9, store_plan(5), [](World& world) {
    settle(world);
    const std::string key = key_name(world, 0);
    const std::vector<NodeId> owners = preference_list(world, key);
    const NodeId& left = owners[(world.seed() / 3) % 3];
    const Away how = way(world.seed());
    for (const NodeId& owner : owners) {
      if (owner != left) send_away(world, owner, how);
    }
    const NodeId other = nodes_but(world, owners).front();
    int number = 0;
    for (const NodeId& at : {other, left, other}) {
      world.run_for(10ms);  // two puts of one moment could be ordered either way
      const std::string value = "put " + std::to_string(++number) + " by " + at;
      const ClientOperation& put = world.put(at, key, value);
      expect_done(world, put, left + ", an owner of the key, can be reached");
      const ClientOperation& get = world.get(at, key);
      world.expect(get.found(value), question(get) + ": " + left + " holds what was put",
                   to_string(get));
    }
    for (const NodeId& owner : owners) {
      if (owner != left) bring_back(world, owner, how);
    }
    comes_to_rest(world, "when the other owners are back");
    expect_what_clients_wrote(world);
  });
}

/// A world in which no owner of a key can be reached, and a node that is none.
struct Deserted {
  explicit Deserted(World& world_, Away how_) : world(world_), how(how_) {
    settle(world);
    key = key_name(world, 0);
    owners = preference_list(world, key);
    other = nodes_but(world, owners).front();
    expect_done(world, world.put(other, key, "before"), "all nodes are up");
    comes_to_rest(world, "when the put is done", 5s);
    for (const NodeId& owner : owners) send_away(world, owner, how);
  }
  void end() {
    for (const NodeId& owner : owners) bring_back(world, owner, how);
  }

  World& world;
  Away how;
  std::string key;
  std::vector<NodeId> owners;
  NodeId other;
};

TEST(replication, without_an_owner_nothing_is_promised) {
  for_each_seed(6, store_plan(5), [](World& world) {
    Deserted deserted(world, way(world.seed()));
    const ClientOperation& put = world.put(deserted.other, deserted.key, "after");
    world.expect(put.unknown() && put.error.code != ErrorCode::refused,
                 question(put) + ": \"unavailable\", since no owner of the key can be reached; " +
                     deserted.other + ", which is none, must not keep it either",
                 to_string(put));
    world.expect(put.got == 0, "of one host that was needed, none holds it", to_string(put));
    const ClientOperation& get = world.get(deserted.other, deserted.key);
    world.expect(get.unknown(),
                 question(get) +
                     ": \"unavailable\"; the key was written, and nobody who can be "
                     "reached knows of it",
                 to_string(get));
    deserted.end();
    comes_to_rest(world, "when the owners are back");
    expect_what_clients_wrote(world);
  });
}

TEST(replication, a_suspected_owner_is_tried_again) {
  for_each_seed(6, store_plan(5), [](World& world) {
    Deserted deserted(world, way(world.seed()));
    (void)world.put(deserted.other, deserted.key, "nobody is there");
    (void)world.get(deserted.other, deserted.key);
    deserted.end();
    world.phase("the owners are back; " + deserted.other + " suspects them still");
    expect_done(world, world.put(deserted.other, deserted.key, "they are back"),
                "a suspected owner is asked last, not never");
    comes_to_rest(world, "when the owners are back");
    expect_what_clients_wrote(world);
  });
}

TEST(replication, propagation_outlives_the_client_and_an_absent_owner) {
  for_each_seed(9, store_plan(5), [](World& world) {
    settle(world);
    const Away how = way(world.seed());
    const std::string key = key_name(world, 0);
    const std::vector<NodeId> owners = preference_list(world, key);
    const NodeId& away = owners[(world.seed() / 3) % 3];
    send_away(world, away, how);
    const NodeId& at = owners[(world.seed() / 3 + 1) % 3];
    expect_done(world, world.put(at, key, "milk"), "two owners can be reached");
    world.phase("the client has left; " + away + " is away for 15 seconds more");
    world.run_for(15s);
    bring_back(world, away, how);
    comes_to_rest(world, "when " + away + " is back");
    expect_what_clients_wrote(world);
  });
}

TEST(replication, the_newest_write_wins_on_all_owners) {
  Plan plan = store_plan(5);
  plan.links.delay_max = 100ms;  // updates overtake each other
  for_each_seed(8, plan, [](World& world) {
    settle(world);
    Random random(world.seed());
    std::vector<NodeId> here = {"n1"};
    std::vector<NodeId> there = {"n2"};
    for (const NodeId& node : nodes_but(world, {"n1", "n2"})) {
      (random.below(2) == 0 ? here : there).push_back(node);
    }
    if (!world.leaves_out("the cut")) world.part(here, there);
    for (std::size_t i = 0; i < 24; ++i) {
      const World::Optional optional(world);
      const NodeId at = world.nodes()[random.below(5)];
      (void)world.write(at, key_name(world, i % 4), value_name(i));
      world.run_for(Duration(random.below(100'000)));
    }
    world.run_for(5s);
    world.phase("both sides of the cut took writes");
    world.heal();
    comes_to_rest(world, "when the cut has healed");
    expect_what_clients_wrote(world);
  });
}

TEST(replication, later_writes_win_though_the_clock_runs_back) {
  for_each_seed(4, store_plan(4), [](World& world) {
    settle(world);
    const std::string key = key_name(world, 0);
    const std::vector<NodeId> owners = preference_list(world, key);
    const NodeId at = world.seed() % 2 == 0 ? owners[1] : nodes_but(world, owners).front();
    world.skew(at, 1h);
    expect_done(world, world.put(at, key, "first"), "all nodes are up");
    comes_to_rest(world, "after the first put", 5s);
    world.skew(at, 0h);
    expect_done(world, world.put(at, key, "second"), "all nodes are up");
    world.skew(at, -1h);
    world.restart(at);
    expect_done(world, world.put(at, key, "third"), "all nodes are up");
    comes_to_rest(world, "after the third put");
    const auto held = held_for(world, preference_list(world, key).front(), key);
    const auto values = values_in(held->state);
    world.expect(values == std::vector<std::string>{"third"},
                 "the client asked " + at +
                     " each time, and its stamps strictly increase, also "
                     "over a restart: the third put is the newest",
                 "the owners hold " + list(values.value_or(std::vector<std::string>{})));
  });
}

TEST(replication, every_attempt_carries_one_stamp) {
  for_each_seed(4, store_plan(5), [](World& world) {
    settle(world);
    const std::string key = key_name(world, 0);
    const std::vector<NodeId> owners = preference_list(world, key);
    const NodeId at = nodes_but(world, owners).front();
    std::vector<Write> attempts;
    world.on_send([&](const Sent& sent) {
      if (sent.type != message_number<Write> || sent.reply) return;
      if (auto write = codec::decode<Write>(sent.bytes)) attempts.push_back(std::move(*write));
    });
    for (const NodeId& owner : owners) world.drop_next(owner, at, "Write reply");
    const ClientOperation& put = world.put(at, key, "milk");
    world.on_send(nullptr);
    world.expect(attempts.size() >= 2,
                 at + ", which hears no answer from one owner, tries another one",
                 std::to_string(attempts.size()) + " attempts");
    for (const Write& attempt : attempts) {
      world.expect(attempt.version.stamp == attempts[0].version.stamp,
                   "every attempt carries the stamp that " + at +
                       " made once; the owners may all "
                       "have executed it, and still it is one write",
                   "two attempts carry different stamps");
      world.expect(attempt.id == put.id, "every attempt carries the client's request id",
                   "one carries another id");
      world.expect(attempt.version.stamp.node == at,
                   "the stamp names " + at + ", which took the client's request",
                   "it names \"" + attempt.version.stamp.node + "\"");
    }
    comes_to_rest(world, "though some answers were lost");
    expect_what_clients_wrote(world);
  });
}

/// n1 and the others know different members, and no gossip tells; then clients put keys at n1, none
/// of whose owners of yesterday is one today. Returns the keys.
std::vector<std::string> put_between_two_histories(World& world, bool asked_is_late) {
  const NodeId at = "n1";
  settle(world, {"n1", "n2", "n3", "n4"});
  std::map<std::string, std::vector<NodeId>> before;
  for (std::size_t i = 0; i < 200; ++i) {
    const std::string key = key_name(world, i);
    before[key] = preference_list(world, key, at);
  }
  world.phase(asked_is_late ? "n5 to n12 join, and all know it but n1"
                            : "n5 to n12 join, and only n1 knows it");
  const History now = history_of(world, world.nodes());
  for (const NodeId& node : world.nodes()) {
    if ((node == at) != asked_is_late) world.invoke<&Membership::merge>(node, now);
  }
  std::vector<std::string> keys;
  for (const auto& [key, old] : before) {
    const std::vector<NodeId> owners = preference_list(world, key, asked_is_late ? "n2" : at);
    const auto is_old = [&, &old = old](const NodeId& node) {
      return contains(old, node) || node == at;
    };
    if (contains(old, at) || std::any_of(owners.begin(), owners.end(), is_old)) continue;
    if (keys.size() < 4) keys.push_back(key);
  }
  if (keys.empty()) throw std::logic_error("no key has other owners after eight joins");
  for (const std::string& key : keys) {
    const Counting writes(world, message_number<Write>);
    expect_done(world, world.put(at, key, "milk"),
                "nodes that know different members tell each other, and an owner executes it");
    world.expect(writes.count() <= 2 * world.nodes().size(),
                 "hops are bounded: no host is asked more than twice for one put",
                 std::to_string(writes.count()) + " Writes were sent");
  }
  return keys;
}

TEST(replication, a_node_with_an_old_history_finds_the_owners) {
  Plan plan = store_plan(12);
  plan.config.q = 128;
  plan.config.gossip_period = 1h;
  for_each_seed(6, plan, [](World& world) {
    const std::vector<std::string> keys = put_between_two_histories(world, world.seed() % 2 == 0);
    world.phase("in the end all know the same members");
    world.invoke_each<&Membership::merge>(world.nodes(), history_of(world, world.nodes()));
    converges(
        world, kRest,
        [&]() -> std::string {
          std::string wrong;
          for (std::size_t i = 0; wrong.empty() && i < keys.size(); ++i) {
            wrong = replicas_differ_in(world, keys[i]);
          }
          return wrong;
        },
        "the three owners of today, and nobody else, hold what was put", 200ms);
  });
}

TEST(replication, owners_agree_though_messages_are_lost_doubled_and_late) {
  Plan plan = store_plan(5);
  plan.links.loss_ppm = 100'000;
  plan.links.duplicate_ppm = 200'000;
  plan.links.corrupt_ppm = 20'000;
  plan.links.delay_max = 150ms;
  for_each_seed(10, plan, [](World& world) {
    settle(world);
    Random random(world.seed());
    for (std::size_t i = 0; i < 30; ++i) {
      const World::Optional optional(world);
      const NodeId at = world.nodes()[random.below(5)];
      const std::string key = key_name(world, random.below(8));
      const std::uint64_t what = random.below(10);
      if (what == 0) {
        (void)world.write(at, key, std::nullopt);
      } else if (what < 3) {
        (void)world.read(at, key);
      } else {
        (void)world.write(at, key, value_name(i));
      }
      world.run_for(Duration(random.below(200'000)));
    }
    world.run_for(4s);
    world.phase("the network is well again");
    world.set_links({});
    comes_to_rest(world, "when the network is well again");
    expect_what_clients_wrote(world);
  });
}

}  // namespace
