// Plans as JSON: the same for the simulator and for real processes, and broken ones with their
// cure.
#include "core/json.h"
#include "sim/plan_json.h"
#include "sim_fixture.h"

namespace dynamo::sim {
namespace {

std::string error_of(const std::string& text) {
  try {
    (void)plan_from_json(text, "storm.json");
  } catch (const JsonError& error) {
    return error.what();
  }
  return "no error";
}

void expect_error(const std::string& text, const std::string& where, const std::string& cure) {
  const std::string error = error_of(text);
  EXPECT_EQ(error.rfind("storm.json" + where, 0), 0u) << error;
  EXPECT_NE(error.find(cure), std::string::npos) << error;
}

TEST(sim_plan, a_plan_survives_the_way_through_json) {
  Plan plan = cluster_plan(3);
  plan.seed = 0xffffffffffffffffULL;
  plan.links.delay_min = Duration(1001);  // 1.001 ms
  plan.links.loss_ppm = 200'000;
  plan.one_host_each = true;
  for (const std::string& act : acts()) {
    Action action;
    action.at = Duration(1500);
    action.act = act;
    if (act != "configure") action.nodes = {"n1"};
    action.peers = {"n2", "n3"};
    action.skew = "-500";
    if (act == "configure") action.settings = {"strict", 1, 3};
    if (act == "put" || act == "delete" || act == "get") action.key = "cart";
    if (act == "put") action.value = "milk";
    if (act == "put") action.request = {"amy", 7, 3};
    if (act == "delete") action.context = "00ff";
    plan.actions.push_back(action);
  }
  const Plan again = plan_from_json(plan_to_json(plan), "plan");
  EXPECT_EQ(plan_to_json(again), plan_to_json(plan));
  EXPECT_EQ(again.links.delay_min, plan.links.delay_min);
  EXPECT_EQ(again.seed, plan.seed);
}

TEST(sim_plan, absent_fields_keep_their_defaults) {
  const Plan plan = plan_from_json(R"({"nodes": ["n1"]})", "plan");
  EXPECT_EQ(plan.config.q, 1024u);
  EXPECT_EQ(plan.links.delay_max, 5ms);
}

TEST(sim_plan, what_is_wrong_is_named_with_file_field_and_cure) {
  expect_error("{", "", "no JSON");
  expect_error("[]", "", "expected an object");
  expect_error(R"({"nodes": []})", ".nodes", "1 to 16384 names");
  expect_error(R"({"nodes": ["n1", "n1"]})", ".nodes[1]", "each name once");
  expect_error(R"({"nodes": ["n1"], "nods": 1})", "", "unknown field \"nods\"");
  expect_error(R"({"nodes": ["n1"], "seed": -1})", ".seed", "a whole number");
  expect_error(R"({"nodes": ["n1"], "config": {"seeds": ["n9"]}})", ".config.seeds[0]",
               "one of the plan's nodes (n1)");
  expect_error(R"({"nodes": ["n1"], "links": {"loss_ppm": 2000000}})", ".links.loss_ppm",
               "0 to 1000000");
  expect_error(R"({"nodes": ["n1"], "links": {"delay_min_ms": 9}})", ".links.delay_max_ms",
               "at least delay_min_ms");
  const auto action = [](const std::string& fields) {
    return R"({"nodes": ["n1", "n2"], "actions": [{)" + fields + "}]}";
  };
  expect_error(action(R"("act": "kill", "nodes": ["n1"])"), ".actions[0].act", "one of start, add");
  expect_error(action(R"("act": "crash")"), ".actions[0].nodes", "at least one node for \"crash\"");
  expect_error(action(R"("act": "crash", "nodes": ["n3"])"), ".actions[0].nodes[0]",
               "one of the plan's nodes");
  expect_error(action(R"("act": "cut", "nodes": ["n1"])"), ".actions[0].peers",
               "at least one node");
  expect_error(action(R"("act": "crash", "nodes": ["n1"], "commit": "in")"), ".actions[0].commit",
               "before");
  expect_error(action(R"("act": "skew", "nodes": ["n1"], "skew": "5s")"), ".actions[0].skew",
               "milliseconds");
  expect_error(action(R"("act": "drop", "nodes": ["n1"], "peers": ["n2"], "message": "Gossp")"),
               ".actions[0].message", "Gossip");
  expect_error(action(R"("act": "put", "nodes": ["n1"])"), ".actions[0].key", "1 to 256 bytes");
  expect_error(action(R"("act": "heal", "key": "cart")"), ".actions[0].key", "none for \"heal\"");
  expect_error(action(R"("act": "get", "nodes": ["n1"], "key": "cart", "value": "milk")"),
               ".actions[0].value", "none for \"get\"");
  expect_error(action(R"("act": "put", "nodes": ["n1"], "key": "cart", "context": "xy")"),
               ".actions[0].context", "hex digits or \"read\"");
  const std::string settings = R"("act": "configure", "settings": {"mode": )";
  expect_error(action(settings + R"("slopy"})"), ".actions[0].settings.mode", "\"sloppy\"");
  expect_error(action(settings + R"("strict", "w": 4})"), ".actions[0].settings.w",
               "at most n (3)");
  expect_error(action(settings + R"("strict"}, "nodes": ["n1"])"), ".actions[0].nodes",
               "for all nodes");
  expect_error(action(R"("act": "heal", "settings": {"r": 1})"), ".actions[0].settings",
               "\"configure\" as the act");
  expect_error(
      R"({"nodes": ["n1"], "actions": [{"at_ms": 5, "act": "heal"}, {"at_ms": 4, "act": "heal"}]})",
      ".actions[1].at_ms", "in order of time");
}

TEST(sim_plan, a_world_refuses_a_broken_plan) {
  const auto host = make_linked_host();
  SoloCrossing crossing({host.get()});
  Plan plan = ping_plan();
  plan.config.gossip_period = 0s;
  EXPECT_THROW(World(plan, crossing), JsonError);
}

TEST(sim_plan, the_plans_actions_happen_at_their_times) {
  Plan plan = ping_plan({"a", "b"});
  const auto action = [&](Duration at, const std::string& act, const NodeId& node) {
    Action one;
    one.at = at;
    one.act = act;
    one.nodes = {node};
    plan.actions.push_back(one);
  };
  action(0s, "start", "a");
  action(1s, "start", "b");
  action(2s, "crash", "a");
  action(3s, "restart", "a");
  const auto host = make_linked_host();
  SoloCrossing crossing({host.get()});
  World world(plan, crossing);
  EXPECT_EQ(world.life("a"), Life::absent);
  world.run_for(500ms);
  EXPECT_EQ(world.up_nodes(), (std::vector<NodeId>{"a"}));
  world.run_for(1s);
  EXPECT_EQ(world.up_nodes(), (std::vector<NodeId>{"a", "b"}));
  world.run_for(1s);
  EXPECT_EQ(world.up_nodes(), (std::vector<NodeId>{"b"}));
  world.run_for(1s);
  EXPECT_TRUE(world.up("a"));
  EXPECT_EQ(world.starts("a"), 2u);
  EXPECT_EQ(world.executed().size(), 4u);
}

}  // namespace
}  // namespace dynamo::sim
