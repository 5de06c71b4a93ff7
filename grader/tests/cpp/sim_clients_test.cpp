// Clients of a simulated cluster: what they ask, what becomes of it, and what they hear.
#include <string>

#include "core/json.h"
#include "node/local_store.h"
#include "sim/plan_json.h"
#include "sim/store_checks.h"
#include "sim_fixture.h"

namespace dynamo::sim {
namespace {

Plan store_plan(std::size_t count = 2) {
  Plan plan = cluster_plan(count);
  plan.config.modules = {"membership", "ring", "replication"};
  plan.config.q = 16;
  return plan;
}

/// A recorded world of stores with one copy of each key, at the node asked.
struct StoreWorld {
  explicit StoreWorld(const Plan& plan = store_plan())
      : host(make_linked_host()), crossing({host.get()}), world(plan, crossing, {true, true}) {
    if (plan.actions.empty()) form_cluster(world);
  }
  std::unique_ptr<Host> host;
  SoloCrossing crossing;
  World world;
};

TEST(sim_clients, a_write_that_was_answered_is_on_the_disk_and_is_read) {
  StoreWorld store;
  World& world = store.world;
  const ClientOperation& put = world.put("n1", "cart", "milk");
  EXPECT_TRUE(put.done()) << to_string(put);
  EXPECT_EQ(put.got, 1u);
  const auto held = held_for(world, "n1", "cart");
  ASSERT_TRUE(held.has_value());
  EXPECT_EQ(values_in(held->state), std::vector<std::string>{"milk"});
  EXPECT_EQ(all_held(world, "n1").size(), 1u);
  EXPECT_FALSE(held_for(world, "n2", "cart").has_value());
  const ClientOperation& get = world.get("n1", "cart");
  EXPECT_TRUE(get.found("milk")) << to_string(get);
  EXPECT_FALSE(get.read_context.empty());
  EXPECT_TRUE(world.get("n2", "cart").absent());
  EXPECT_TRUE(world.remove_key("n1", "cart").done());
  const ClientOperation& gone = world.get("n1", "cart");
  EXPECT_TRUE(gone.absent());
  EXPECT_TRUE(gone.held.has_value()) << "the tombstone";
  EXPECT_EQ(world.client_operations().size(), 5u);
}

TEST(sim_clients, request_ids_are_new_unless_they_are_given) {
  StoreWorld store;
  World& world = store.world;
  const ClientOperation& one = world.put("n1", "a", "1");
  const ClientOperation& two = world.put("n2", "b", "2");
  EXPECT_NE(one.id, two.id);
  const RequestId mine{"amy", 3, 9};
  const ClientOperation& three = world.client(world.write("n1", "c", "3", "", mine));
  EXPECT_EQ(three.id, mine);
}

TEST(sim_clients, what_a_node_does_later_is_heard_later_and_time_decides) {
  StoreWorld store;
  World& world = store.world;
  const ClientNumber later = world.write("n1", "later", "x");
  EXPECT_TRUE(world.client(later).pending());
  world.run_for(99ms);
  EXPECT_TRUE(world.client(later).pending());
  world.run_for(1ms);
  EXPECT_TRUE(world.client(later).done());
  EXPECT_EQ(world.client(later).answered - world.client(later).asked, 100ms);
  const ClientOperation& silent = world.put("n1", "silent", "x");
  EXPECT_TRUE(silent.unknown()) << "the node itself gives up at its deadline";
  EXPECT_EQ(silent.error.code, ErrorCode::timed_out);
  EXPECT_EQ(silent.answered - silent.asked, world.plan().config.request_deadline);
}

TEST(sim_clients, an_error_is_no_unknown_outcome) {
  StoreWorld store;
  EXPECT_TRUE(store.world.put("n1", "refused", "x").failed_with(ErrorCode::no_room));
  const ClientOperation& unavailable = store.world.put("n1", "unavailable", "x");
  EXPECT_TRUE(unavailable.unknown());
  EXPECT_EQ(unavailable.error.code, ErrorCode::unavailable);
}

TEST(sim_clients, a_node_that_is_down_refuses) {
  StoreWorld store;
  store.world.crash("n2");
  EXPECT_TRUE(store.world.put("n2", "cart", "milk").failed_with(ErrorCode::refused));
}

TEST(sim_clients, a_node_that_dies_leaves_its_clients_without_an_answer) {
  StoreWorld store;
  World& world = store.world;
  const ClientNumber later = world.write("n1", "later", "x");
  world.run_for(10ms);
  world.crash("n1");
  EXPECT_TRUE(world.client(later).unknown());
  EXPECT_TRUE(held_for(world, "n1", "later").has_value());
  world.restart("n1");
  world.crash_before_commit("n1");
  EXPECT_TRUE(world.put("n1", "cart", "milk").unknown());
  EXPECT_FALSE(held_for(world, "n1", "cart").has_value());
  EXPECT_EQ(world.life("n1"), Life::down);
}

TEST(sim_clients, a_crash_after_the_commit_may_let_the_answer_leave_and_keeps_the_write) {
  std::set<ClientOperation::Outcome> outcomes;
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    Plan plan = store_plan(1);
    plan.seed = seed;
    StoreWorld store(plan);
    store.world.crash_after_commit("n1");
    outcomes.insert(store.world.put("n1", "cart", "milk").outcome);
    EXPECT_TRUE(held_for(store.world, "n1", "cart").has_value());
  }
  EXPECT_EQ(outcomes, (std::set<ClientOperation::Outcome>{ClientOperation::Outcome::done,
                                                          ClientOperation::Outcome::unknown}));
}

TEST(sim_clients, a_paused_node_lets_them_wait_until_they_give_up_and_does_it_all_the_same) {
  StoreWorld store;
  World& world = store.world;
  world.pause("n2");
  const ClientOperation& soon = world.client(world.write("n2", "soon", "1"));
  world.run_for(1s);
  EXPECT_TRUE(soon.pending());
  const ClientOperation& put = world.put("n2", "cart", "milk");
  EXPECT_TRUE(put.unknown());
  EXPECT_TRUE(soon.unknown());
  EXPECT_FALSE(held_for(world, "n2", "cart").has_value());
  world.resume("n2");
  world.run_for(1ms);
  EXPECT_TRUE(held_for(world, "n2", "cart").has_value());
  EXPECT_TRUE(put.unknown()) << "nobody hears the late answer";
  world.pause("n2");
  const ClientOperation& early = world.client(world.write("n2", "early", "1"));
  world.resume("n2");
  world.run_for(1ms);
  EXPECT_TRUE(early.done());
  world.pause("n2");
  const ClientOperation& lost = world.client(world.write("n2", "lost", "1"));
  world.crash("n2");
  EXPECT_TRUE(lost.unknown());
}

TEST(sim_clients, a_plan_asks_as_clients_do_and_replays_with_what_was_read) {
  Plan plan = store_plan(1);
  const auto action = [&](Duration at, const std::string& act) -> Action& {
    Action& one = plan.actions.emplace_back();
    one.at = at;
    one.act = act;
    one.nodes = {"n1"};
    return one;
  };
  action(0s, "start").bootstrap = true;
  for (const auto& [at, act] :
       std::vector<std::pair<Duration, std::string>>{{1s, "put"}, {2s, "get"}, {3s, "put"}}) {
    Action& one = action(at, act);
    one.key = "cart";
    if (act == "put") one.value = "milk" + std::to_string(at.count());
    one.request.client = "amy";
  }
  plan.actions.back().context = "read";
  const Plan again = plan_from_json(plan_to_json(plan), "plan");
  StoreWorld store(again);
  store.world.run_for(4s);
  const auto& operations = store.world.client_operations();
  ASSERT_EQ(operations.size(), 3u);
  EXPECT_TRUE(operations[0].done());
  EXPECT_TRUE(operations[1].found("milk1000000"));
  EXPECT_TRUE(operations[2].done());
  EXPECT_EQ(operations[2].context, operations[1].read_context);
  EXPECT_EQ(operations[2].id.client, "amy");
  EXPECT_EQ(store.world.executed().size(), 4u);
}

TEST(sim_clients, the_trace_tells_both_sides) {
  StoreWorld store;
  (void)store.world.put("n1", "later", "milk");
  std::vector<const Step*> steps;
  for (const Step& step : store.world.trace().steps()) {
    if (step.kind == Step::Kind::client || step.kind == Step::Kind::told) steps.push_back(&step);
  }
  ASSERT_EQ(steps.size(), 2u);
  EXPECT_EQ(steps[0]->message, "put");
  EXPECT_EQ(steps[0]->text, "later = milk");
  EXPECT_EQ(json::parse_or_throw(steps[0]->data)["key"], "later");
  EXPECT_EQ(steps[1]->text, "done");
  EXPECT_EQ(steps[0]->id, steps[1]->id);
  EXPECT_EQ(json::parse_or_throw(to_jsonl(*steps[0]))["event"], "client");
}

TEST(sim_clients, replicas_that_differ_are_told_with_owner_and_value) {
  Plan plan = store_plan(3);
  plan.config.n = 2;
  StoreWorld store(plan);
  World& world = store.world;
  const std::vector<NodeId> owners = preference_list(world, "cart");
  ASSERT_EQ(owners.size(), 2u);
  EXPECT_EQ(preference_list(world, "cart", "n3"), owners);
  EXPECT_EQ(replicas_differ(world), "");
  (void)world.put(owners[0], "cart", "milk");
  std::string wrong = replicas_differ(world);
  EXPECT_NE(wrong.find("holds [milk] and " + owners[1] + " nothing"), std::string::npos) << wrong;
  EXPECT_EQ(replicas_differ(world, {owners[0]}), "");
  (void)world.put(owners[1], "cart", "tea");
  EXPECT_NE(replicas_differ_in(world, "cart"), "");
  NodeId stranger;
  for (const NodeId& node : world.nodes()) {
    if (node != owners[0] && node != owners[1]) stranger = node;
  }
  (void)world.put(stranger, "cart", "rum");
  wrong = replicas_differ(world, {stranger});
  EXPECT_EQ(wrong.find(stranger + " holds cart = [rum] and is not on its preference list"), 0u)
      << wrong;
}

TEST(sim_clients, without_a_coordinator_the_check_is_wrong) {
  Plan plan = store_plan(1);
  plan.config.modules = {"membership", "ring"};
  StoreWorld store(plan);
  EXPECT_THROW((void)store.world.put("n1", "cart", "milk"), std::logic_error);
}

TEST(sim_clients, the_last_write_is_expected_unless_two_are_too_near) {
  StoreWorld store;
  World& world = store.world;
  EXPECT_TRUE(expected_with_last_write_wins(world, "cart").absent);
  (void)world.put("n1", "cart", "a");
  world.run_for(10ms);
  (void)world.put("n1", "cart", "b");
  Expected expected = expected_with_last_write_wins(world, "cart");
  EXPECT_EQ(text(expected.must), "{b}");
  EXPECT_EQ(contradicts({"b"}, expected), "");
  EXPECT_NE(contradicts({"a"}, expected), "");
  EXPECT_NE(contradicts({}, expected), "");
  expected = expected_with_last_write_wins(world, "cart", 20ms);
  EXPECT_EQ(text(expected.must), "nothing");
  EXPECT_EQ(contradicts({"a"}, expected), "");
  (void)world.put("n1", "silent", "other key");
  world.run_for(1s);
  (void)world.remove_key("n1", "cart");
  expected = expected_with_last_write_wins(world, "cart");
  EXPECT_EQ(contradicts({}, expected), "");
  EXPECT_NE(contradicts({"b"}, expected), "");
  expected = expected_with_last_write_wins(world, "silent");
  EXPECT_EQ(contradicts({}, expected), "");
  EXPECT_EQ(contradicts({"other key"}, expected), "");
}

TEST(sim_clients, siblings_are_expected_until_somebody_who_had_seen_them_writes) {
  Plan plan = store_plan(1);
  plan.config.modules.emplace_back("versioning");
  StoreWorld store(plan);
  World& world = store.world;
  (void)world.put("n1", "cart", "a");
  const std::string context = world.get("n1", "cart").read_context;
  (void)world.put("n1", "cart", "b", context);
  (void)world.put("n1", "cart", "c", context);
  const Expected expected = expected_with_siblings(world, "cart");
  EXPECT_EQ(text(expected.must), "{b, c}");
  EXPECT_EQ(text(expected.may), "{b, c}");
  EXPECT_EQ(text(expected_with_siblings(world, "cart", true).may), "{a, b, c}");
  EXPECT_EQ(text(expected_with_siblings(world, "cart", true, world.now() + 1ms).may), "{b, c}");
  EXPECT_EQ(contradicts(world.get("n1", "cart").values, expected), "");
  EXPECT_NE(contradicts({"b"}, expected), "");
  EXPECT_NE(contradicts({"a", "b", "c"}, expected), "");
  (void)world.remove_key("n1", "cart", world.get("n1", "cart").read_context);
  EXPECT_EQ(contradicts({}, expected_with_siblings(world, "cart")), "");
}

}  // namespace
}  // namespace dynamo::sim
