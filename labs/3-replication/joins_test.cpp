// Lab 3, part C: members come and go, and the keys follow.
#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "store_world.h"

namespace {

using namespace dynamo;
using namespace dynamo::sim;

constexpr std::size_t kKeys = 30;
constexpr Duration kMoved = 40s;  // a change and all that it moves

Plan moving_plan(std::size_t count) {
  Plan plan = store_plan(count);
  plan.config.modules.emplace_back("transfer");
  plan.config.q = 32;
  plan.config.batch_bytes = 1000;  // so that moving a vnode takes several messages
  plan.config.seeds = {"n1", "n2"};
  return plan;
}

std::string value_of(std::size_t i) { return value_name(i).append(300, '.'); }

/// The first `members` nodes form a cluster that holds kKeys keys: these. Everything that is asked
/// of a key is asked of it alone, so a shorter run may do with fewer of them.
std::vector<std::string> fill(World& world, std::size_t members) {
  const std::vector<NodeId> names(world.nodes().begin(),
                                  world.nodes().begin() + static_cast<std::ptrdiff_t>(members));
  form_cluster(world, names);
  world.run_for(3s);
  std::vector<std::string> keys;
  for (std::size_t i = 0; i < kKeys; ++i) {
    if (world.leaves_out("key " + std::to_string(i))) continue;
    keys.push_back(key_name(world, i));
    (void)world.write(names[i % members], keys.back(), value_of(i));
  }
  world.run_for(1s);
  for (const ClientOperation& put : world.client_operations()) {
    expect_done(world, put, "all nodes are up, and nothing moves any more");
  }
  comes_to_rest(world, "before the members change");
  for (const std::string& key : keys) {
    const std::string wrong = replicas_differ_in(world, key);
    world.expect(wrong.empty(), "all owners hold what was put", wrong);
  }
  return keys;
}

/// Asks for all keys, at all nodes in turn, and judges each answer; so time passes.
class Readers {
 public:
  /// `always`: nobody fails, so that each get finds its key; else it may also hear "unavailable".
  /// Every second get goes to `favourite`, if it is given.
  Readers(World& world, std::vector<std::string> keys, bool always, NodeId favourite = {})
      : world_(world), keys_(std::move(keys)), always_(always), favourite_(std::move(favourite)) {}

  void read_for(Duration time, Duration pause = 25ms) {
    const Instant end = world_.now() + time;
    while (world_.now() < end) {
      ask();
      world_.run_for(pause);
      judge();
    }
  }

  /// Hears the last answers.
  void finish() {
    world_.run_for(5s);
    judge();
  }

 private:
  void ask() {
    const std::vector<NodeId> nodes = world_.up_nodes();
    if (nodes.empty() || keys_.empty()) return;
    NodeId at = nodes[asked_ % nodes.size()];
    if (asked_ % 2 == 1 && !favourite_.empty() && world_.up(favourite_)) at = favourite_;
    const std::string& key = keys_[asked_++ % keys_.size()];
    if (!world_.leaves_out("get " + std::to_string(asked_))) open_.insert(world_.read(at, key));
  }

  void judge() {
    for (auto it = open_.begin(); it != open_.end();) {
      const ClientOperation& get = world_.client(*it);
      if (get.pending()) {
        ++it;
        continue;
      }
      using Outcome = ClientOperation::Outcome;
      const bool outsider = get.failed_with(ErrorCode::not_a_member);
      const bool no_answer = !always_ && (get.unknown() || get.outcome == Outcome::error);
      world_.expect(get.outcome == Outcome::found || outsider || no_answer,
                    question(get) +
                        ": the key was on all its owners before the members changed, "
                        "so it " +
                        (always_ ? "stays readable" : "is never called absent"),
                    [&] { return "the client is told: " + to_string(get); });
      it = open_.erase(it);
    }
  }

  World& world_;
  std::vector<std::string> keys_;
  bool always_;
  NodeId favourite_;
  std::size_t asked_ = 0;
  std::set<ClientNumber> open_;
};

void expect_values(World& world, const std::vector<std::string>& keys, const std::string& when) {
  for (const std::string& key : keys) {
    const std::string wrong = replicas_differ_in(world, key);
    world.expect(wrong.empty(), "all owners hold " + key + ", " + when, wrong);
  }
  expect_what_clients_wrote(world);
}

void change_done(World& world, const Operation& change) {
  world.expect(change.done(),
               change.at + " takes \"" + change.what + " " + change.subject + "\": done",
               to_string(change));
}

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
    world.on_send([&](const Sent& message) {
      if (message.type != message_number<Update> || message.reply) return;
      const auto update = codec::decode<Update>(message.bytes);
      for (const Copy& copy : update ? update->copies : std::vector<Copy>{}) {
        if (copy.state) sent += copy.state->bytes.size();
      }
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
