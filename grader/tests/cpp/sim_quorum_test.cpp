// The reference's quorums in worlds where everything fails that can, seed after seed: what LABS.md
// 5.1 to 5.5 say of them, with static members, and with members that come and go.
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "changing_members.h"
#include "core/random.h"
#include "quorum_world.h"
#include "sim/cluster.h"
#include "sim/crossing.h"
#include "sim/store_checks.h"
#include "sim/world.h"

namespace dynamo::sim {
namespace {

/// The reference, linked in.
struct Linked {
  explicit Linked(const Plan& plan)
      : host(make_linked_host()), crossing({host.get()}), world(plan, crossing) {}

  std::unique_ptr<Host> host;
  SoloCrossing crossing;
  World world;
};

/// Three clients that put and get with what they have read last, with any r and w, at any node.
class Customers {
 public:
  Customers(World& world, bool deletes)
      : world_(world), random_(world.seed() + 17), deletes_(deletes) {}

  void step() {
    Customer& one = customers_[random_.below(customers_.size())];
    if (one.open && world_.client(*one.open).pending()) return;
    if (one.open) hear(one, world_.client(*one.open));
    const NodeId at = world_.nodes()[random_.below(world_.nodes().size())];
    if (!world_.up(at)) return;
    const std::string key = key_name(world_, random_.below(5));
    const auto hosts = static_cast<std::uint32_t>(random_.below(world_.plan().config.n + 1));
    if (random_.below(2) == 0) {
      one.open = world_.read(at, key, hosts);
      return;
    }
    const std::string context = random_.below(4) == 0 ? "" : one.context[key];
    const bool erase = deletes_ && !context.empty() && random_.below(5) == 0;
    one.open = world_.write(at, key, erase ? std::nullopt : std::optional(value_name(++values_)),
                            context, {}, hosts);
  }

 private:
  struct Customer {
    std::optional<ClientNumber> open;
    std::map<std::string, std::string> context;  ///< By key.
  };

  static void hear(Customer& one, const ClientOperation& operation) {
    if (!operation.write() && !operation.read_context.empty()) {
      one.context[operation.key] = operation.read_context;
    }
  }

  World& world_;
  Random random_;
  const bool deletes_;
  std::vector<Customer> customers_ = std::vector<Customer>(3);
  std::size_t values_ = 0;
};

/// What is still wrong at rest, or empty.
std::string not_at_rest(World& world) {
  for (const NodeId& node : world.nodes()) {
    if (!world.up(node)) return node + " is not up";
    for (const auto& [place, value] : world.disk(node)) {
      if (place.first == "owed" || place.first == "hinted") {
        return node + " owes " + place.second;
      }
    }
  }
  const std::string hints = hints_left(world);
  return hints.empty() ? replicas_differ(world) : hints;
}

bool calms_down(World& world, const std::function<std::string(World&)>& wrong) {
  for (int second = 0; second < 60; ++second) {
    for (const NodeId& node : world.nodes()) {
      if (world.life(node) == Life::down) world.restart(node);
      if (world.life(node) == Life::paused) world.resume(node);
    }
    world.run_for(1s);
    if (wrong(world).empty()) return true;
  }
  return false;
}

/// Values that must be there are, and no others.
std::string lost(World& world) {
  std::set<std::string> keys;
  for (const ClientOperation& operation : world.client_operations()) {
    if (operation.write()) keys.insert(operation.key);
  }
  for (const std::string& key : keys) {
    const auto held = held_for(world, preference_list(world, key).front(), key);
    auto values = held ? values_in(held->state).value() : std::vector<std::string>{};
    // Two coordinators may each have made a version of one write.
    values.erase(std::unique(values.begin(), values.end()), values.end());
    const std::string wrong = contradicts(values, expected_with_siblings(world, key, true));
    if (!wrong.empty()) return key + ": " + wrong;
  }
  return "";
}

void any_fault(World& world, Random& random) {
  const NodeId victim = world.nodes()[random.below(world.nodes().size())];
  switch (random.below(16)) {
    case 0:
      return world.crash(victim);
    case 1:
      return world.crash_before_commit(victim);
    case 2:
      return world.crash_after_commit(victim);
    case 3:
      return world.isolate(victim);
    case 4:
      return world.part({victim, world.nodes()[0]}, nodes_but(world, {victim, "n1"}));
    case 5:
      return world.cut({victim}, nodes_but(world, {victim}));
    case 6:
    case 7:
      return world.heal();
    case 8:
      if (world.up(victim)) world.pause(victim);
      return;
    default:
      if (world.life(victim) == Life::down) world.restart(victim);
      if (world.life(victim) == Life::paused) world.resume(victim);
  }
}

std::uint64_t number_of(const char* name, std::uint64_t usual) {
  const char* text = std::getenv(name);
  return text == nullptr ? usual : std::stoull(text);
}

void for_seeds(std::uint64_t count, const std::function<void(std::uint64_t)>& live) {
  const std::uint64_t first = number_of("FIRST_SEED", 1);
  const std::uint64_t last = first + number_of("SEEDS", count);
  for (std::uint64_t seed = first; seed < last && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    try {
      live(seed);
    } catch (const Violation& violation) {
      ADD_FAILURE() << violation.what();
    }
  }
}

void live_with_static_members(const std::string& mode, std::uint64_t seed) {
  Plan plan = quorum_plan(5 + seed % 2, mode);
  plan.seed = seed;
  plan.config.batch_bytes = seed % 3 == 0 ? 300 : 4096;
  if (seed % 4 != 0) {
    plan.links.loss_ppm = 30'000;
    plan.links.duplicate_ppm = 50'000;
    plan.links.delay_max = 50ms;
  }
  Linked linked(plan);
  World& world = linked.world;
  settle(world);
  Customers customers(world, mode == "sloppy");
  Random random(seed + 1000);
  for (int i = 0; i < 150; ++i) {
    if (random.below(3) == 0) any_fault(world, random);
    customers.step();
    world.run_for(Duration(random.below(150'000)));
  }
  world.run_for(5s);
  if (mode == "strict") (void)every_get_is_fresh(world);
  world.heal();
  world.set_links({});
  ASSERT_TRUE(calms_down(world, not_at_rest)) << not_at_rest(world);
  ASSERT_EQ(lost(world), "");
  if (mode == "strict") {
    ASSERT_EQ(world.sent(message_number<StoreHints>).messages, 0u);
  }
}

TEST(sim_quorum, strict_gets_are_fresh_and_nothing_is_lost) {
  for_seeds(20, [](std::uint64_t seed) { live_with_static_members("strict", seed); });
}

TEST(sim_quorum, sloppy_loses_nothing_and_leaves_no_hints) {
  for_seeds(20, [](std::uint64_t seed) { live_with_static_members("sloppy", seed); });
}

/// At rest, every owner is complete, too.
std::string unsettled_with_hints(World& world) {
  std::string wrong = unsettled(world);
  return wrong.empty() ? not_at_rest(world) : wrong;
}

void live_with_changing_members(Faults faults, std::uint64_t seed) {
  Plan plan = transfer_plan(6, seed);
  plan.config.modules = {"membership", "ring", "transfer", "versioning", "quorum"};
  plan.config.mode = seed % 2 == 0 ? "sloppy" : "strict";
  if (seed % 8 == 1) plan.config.n = 2;
  Linked linked(plan);
  World& world = linked.world;
  const auto count = static_cast<std::ptrdiff_t>(1 + seed % 5);
  form_cluster(world, {world.nodes().begin(), world.nodes().begin() + count});
  for (const NodeId& node : world.nodes()) {
    if (world.life(node) == Life::absent) world.start(node);
  }
  Customers customers(world, true);
  Random random(seed + 1000);
  for (int epoch = 0; epoch < 3; ++epoch) {
    Trouble trouble(world, faults);
    trouble.begin();
    for (int i = 0; i < 60; ++i) {
      trouble.step();
      customers.step();
      customers.step();
      world.run_for(Duration(random.below(300'000)));
    }
    trouble.end();
    ASSERT_TRUE(calms_down(world, unsettled_with_hints)) << unsettled_with_hints(world);
    ASSERT_EQ(lost(world), "") << "in epoch " << epoch;
  }
}

TEST(sim_quorum, nothing_is_lost_while_members_come_and_go) {
  for_seeds(10, [](std::uint64_t seed) { live_with_changing_members(Faults::none, seed); });
}

TEST(sim_quorum, nothing_is_lost_while_members_come_and_go_and_all_fails_but_disks) {
  for_seeds(20, [](std::uint64_t seed) { live_with_changing_members(Faults::lasting, seed); });
}

TEST(sim_quorum, settings_that_change_on_the_way_are_those_of_the_next_start) {
  Linked linked(quorum_plan(3, "strict"));
  World& world = linked.world;
  form_cluster(world);
  world.run_for(2s);
  world.crash("n3");
  Action configure;
  configure.act = "configure";
  configure.settings = {"strict", 1, 3};
  world.act(configure);
  EXPECT_TRUE(put(world, "n1", "cart", "milk", 0).done()) << "n1 runs with W of a majority";
  world.restart("n1");
  world.run_for(2s);
  EXPECT_FALSE(put(world, "n1", "cart", "tea", 0).done()) << "and now with W = 3";
  EXPECT_EQ(world.plan().config.w, 0u) << "the plan is as it was: a replay begins with it";
}

}  // namespace
}  // namespace dynamo::sim
