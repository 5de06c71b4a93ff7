// The rings that nodes had on the way, as a finished run tells them.
#include <map>
#include <memory>

#include "core/json.h"
#include "sim/rings.h"
#include "sim_fixture.h"

namespace dynamo::sim {
namespace {

/// A cluster that has been formed, and whose steps are kept.
struct RecordedCluster {
  explicit RecordedCluster(const Plan& plan) : world(plan, crossing, recorded()) {
    form_cluster(world);
  }
  static WorldOptions recorded() {
    WorldOptions options;
    options.record = true;
    return options;
  }
  std::unique_ptr<Host> host = make_linked_host();
  SoloCrossing crossing{{host.get()}};
  World world;
};

TEST(sim_rings, each_node_has_its_rings_from_when_it_knew_of_a_change) {
  Plan plan = cluster_plan(3);
  plan.config.q = 6;
  RecordedCluster cluster(plan);
  World& world = cluster.world;
  world.run_for(5s);
  world.isolate("n3");
  (void)world.remove("n1", "n3");
  world.run_for(5s);
  std::map<NodeId, std::vector<std::uint64_t>> of;
  std::map<std::uint64_t, Json> owners;
  Instant last{};
  for (const Step& step : rings_on_the_way(world)) {
    EXPECT_EQ(name_of(step.kind), "ring_then");
    EXPECT_LE(last, step.at) << "in order of time";
    last = step.at;
    of[step.node].push_back(step.id);
    if (step.data.empty()) {
      EXPECT_EQ(owners.count(step.id), 1u) << "told when it came first";
    } else {
      EXPECT_TRUE(owners.emplace(step.id, json::parse(step.data)["owners"]).second) << "once";
    }
  }
  const std::vector<std::uint64_t>& n1 = of["n1"];
  ASSERT_EQ(n1.size(), 4u) << "alone, with one more, with both, and without n3";
  EXPECT_EQ(owners[n1[0]], Json(std::vector<std::string>(6, "n1")));
  EXPECT_EQ(of["n3"].back(), n1[2]) << "n3 was cut off, and has that of all three";
  EXPECT_EQ(of["n2"].back(), n1[3]);
  EXPECT_NE(owners[n1[2]], owners[n1[3]]);
}

TEST(sim_rings, without_a_ring_there_is_nothing_to_tell) {
  Plan plan = cluster_plan(2);
  plan.config.modules = {"membership"};
  RecordedCluster cluster(plan);
  EXPECT_TRUE(rings_on_the_way(cluster.world).empty());
}

}  // namespace
}  // namespace dynamo::sim
