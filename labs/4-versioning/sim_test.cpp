// Lab 4 in a store of three nodes: partitions, deletes, lost disks, limits. The replication is the
// reference's; what a get may show follows from the puts and their contexts alone.
#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "core/random.h"
#include "store_scenarios.h"

namespace {

using namespace dynamo;
using namespace dynamo::sim;

// ---- Part B: each writer has seen what its coordinator wrote before -----------------------------

TEST(versioning, siblings_meet_when_a_partition_heals) {
  for_each_seed(12, store_plan(), [](World& world) {
    form_cluster(world);
    put(world, "n1", "cart", "D1");
    const std::string read1 = all_show(world, "cart", {"D1"}, "one put");
    put(world, "n1", "cart", "D2", read1);
    const std::string read2 = all_show(world, "cart", {"D2"}, "its writer had read D1");
    world.phase("n3 is cut off; D3 is put at n2, and D4 at n3, by clients who have both read D2");
    world.part({"n1", "n2"}, {"n3"});
    put(world, "n2", "cart", "D3", read2);
    put(world, "n3", "cart", "D4", read2);
    (void)shows(world, "n3", "cart", {"D4"}, "n3 knows nothing else");
    world.heal();
    const std::string both = all_show(world, "cart", {"D3", "D4"}, "neither writer saw the other");
    put(world, "n1", "cart", "D5", both);
    (void)all_show(world, "cart", {"D5"}, "its writer had read both");
  });
}

TEST(versioning, deletes_stay_deleted_after_a_replica_slept) {
  for_each_seed(12, store_plan(), [](World& world) {
    form_cluster(world);
    put(world, "n1", "list", "bread");
    const std::string read = all_show(world, "list", {"bread"}, "one put");
    world.isolate("n3");
    expect_done(world, world.remove_key("n1", "list", read));
    const std::string gone = shows(world, "n1", "list", {}, "it was deleted");
    world.expect(!gone.empty(), "the answer \"no such key\" carries a context", "it has none");
    world.heal();
    (void)all_show(world, "list", {}, "n3 slept through the delete, and learns of it");
    world.phase("a put by somebody who has read before the delete, and one who has seen it");
    put(world, "n2", "list", "butter", read);
    const std::string beside = all_show(world, "list", {"butter"}, "it stands beside a tombstone");
    put(world, "n1", "list", "milk", beside);
    (void)all_show(world, "list", {"milk"}, "its writer had read butter");
    world.phase("a delete without a context uses what its coordinator holds");
    expect_done(world, world.remove_key("n2", "list"));
    (void)all_show(world, "list", {}, "n2 held milk");
  });
}

TEST(versioning, a_lost_disk_reuses_no_dot) {
  for_each_seed(12, store_plan(), [](World& world) {
    form_cluster(world);
    put(world, "n2", "key", "old");
    (void)all_show(world, "key", {"old"}, "one put");
    world.phase("n2 loses its disk, and with it what it had counted");
    world.crash("n2");
    world.wipe("n2");
    world.restart("n2");
    converges(
        world, kRest, [&] { return histories_differ(world); }, "n2 learns again who is there");
    put(world, "n2", "key", "new");  // blind: neither this client nor n2 knows of the old one
    world.run_for(2s);
    (void)shows(world, "n3", "key", {"new", "old"}, "the second put was blind");
    const std::string both = shows(world, "n1", "key", {"new", "old"}, "and so it is elsewhere");
    put(world, "n2", "key", "one", both);
    world.crash("n2");
    world.restart("n2");
    const std::string one = shows(world, "n2", "key", {"one"}, "it is on n2's disk");
    put(world, "n2", "key", "last", one);
    (void)all_show(world, "key", {"last"}, "its writer had read the one version that there was");
  });
}

// ---- Part C -------------------------------------------------------------------------------------

/// How many versions each node holds, at most.
std::size_t most_versions(const World& world, const std::string& key) {
  std::size_t most = 0;
  for (const NodeId& node : world.nodes()) {
    const auto held = held_for(world, node, key);
    const auto state = held ? key_state_of(held->state) : std::nullopt;
    if (state) most = std::max(most, state->versions.size());
  }
  return most;
}

/// One of the two: what it read last, and which values that showed.
struct Looper {
  std::string name;
  std::string context;
  std::set<std::string> seen;
};

TEST(versioning, two_clients_at_one_coordinator_stay_at_two_siblings) {
  for_each_seed(6, store_plan(), [](World& world) {
    form_cluster(world);
    Random random(world.seed());
    std::set<std::string> live;
    std::vector<Looper> clients = {{"a", "", {}}, {"b", "", {}}};
    const auto read = [&](Looper& client) {
      client.context = shows(world, "n1", "counter", {live.begin(), live.end()},
                             "what nobody has replaced who had seen it");
      client.seen = live;
    };
    for (int round = 1; round <= 16; ++round) {
      // Each client reads, puts with what it read, and reads again; the other one does meanwhile.
      Looper& client = clients[random.below(2)];
      if (round > 2 && random.below(3) == 0) read(client);
      const std::string value = client.name + std::to_string(round);
      put(world, "n1", "counter", value, client.context);
      for (const std::string& replaced : client.seen) live.erase(replaced);
      live.insert(value);
      read(client);
      const std::size_t most = most_versions(world, "counter");
      world.expect(most <= 2, "no node holds more than two versions: there are two writers",
                   "one holds " + std::to_string(most));
    }
    (void)all_show(world, "counter", {live.begin(), live.end()}, "the last puts of the two");
  });
}

TEST(versioning, limits_refuse_growth_and_never_a_reconciliation) {
  Plan plan = store_plan();
  plan.config.max_siblings = 4;
  plan.config.max_state_bytes = 6000;
  const auto refused = [](World& world, const ClientOperation& put) {
    world.expect(put.failed_with(ErrorCode::too_large), question(put) + ": too_large",
                 to_string(put));
  };
  for_each_seed(4, plan, [&](World& world) {
    form_cluster(world);
    world.phase("blind puts, up to the limit of 4 siblings");
    for (const char* value : {"v1", "v2", "v3", "v4"}) put(world, "n1", "key", value);
    refused(world, world.put("n1", "key", "v5"));
    const std::string four = all_show(world, "key", {"v1", "v2", "v3", "v4"}, "one was refused");
    world.phase("two sides go on apart, and each stays within the limit");
    world.isolate("n3");
    put(world, "n1", "key", "x1", four);
    for (const char* value : {"x2", "x3", "x4"}) put(world, "n1", "key", value);
    put(world, "n3", "key", "y1", four);
    for (const char* value : {"y2", "y3"}) put(world, "n3", "key", value);
    const std::string threes = shows(world, "n3", "key", {"y1", "y2", "y3"}, "put at n3");
    world.heal();
    (void)all_show(world, "key", {"x1", "x2", "x3", "x4", "y1", "y2", "y3"},
                   "a merge drops nothing, whatever the limit");
    refused(world, world.put("n2", "key", "z"));
    put(world, "n2", "key", "w", threes);  // more than the limit still, and fewer than before
    const std::string all = all_show(world, "key", {"w", "x1", "x2", "x3", "x4"}, "w replaced y");
    expect_done(world, world.remove_key("n1", "key", threes));  // sees nothing that is there
    expect_done(world, world.remove_key("n1", "key", all));
    (void)all_show(world, "key", {}, "the delete had seen all");
    world.phase("the limit of bytes");
    for (int i = 0; i < 2; ++i) put(world, "n2", "big", std::string(2500, "ab"[i]));
    refused(world, world.put("n2", "big", std::string(2500, 'c')));
    const std::string two =
        shows(world, "n2", "big", {std::string(2500, 'a'), std::string(2500, 'b')}, "one refused");
    put(world, "n2", "big", std::string(4900, 'd'), two);
    (void)all_show(world, "big", {std::string(4900, 'd')}, "it replaced both");
  });
}

}  // namespace
