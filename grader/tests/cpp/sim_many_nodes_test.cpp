// What makes worlds of thousands of nodes possible: one image for many disks, a process for each
// node, and equal pages of memory once. None of it changes what happens in a world.
#include <fstream>
#include <sstream>

#include "host/platform.h"
#include "sim_fixture.h"

namespace dynamo::sim {
namespace {

std::unique_ptr<Host> reference_host(bool apart) {
  ProcessOptions options;
  options.node_binary = REFERENCE_NODE;
  options.apart = apart;
  return start_process_host(options);
}

Plan plan_of(std::size_t nodes) {
  Plan plan = cluster_plan(nodes);
  plan.config.modules = {"membership"};
  return plan;
}

/// A disk as the reference leaves it that has merged `count` joins of n1 to n<subjects>, in turn.
std::shared_ptr<const Disk> disk_with(Crossing& crossing, std::size_t count, std::size_t subjects) {
  World world(plan_of(1), crossing);
  world.start("n1");
  History history;
  for (std::size_t i = 1; i <= count; ++i) {
    std::string name = "n";
    history.push_back(
        {name.append(std::to_string(1 + (i - 1) % subjects)), Change::join, {i, "n1", 7}});
  }
  world.invoke<&Membership::merge>("n1", history);
  return std::make_shared<const Disk>(world.disk("n1"));
}

struct Outcome {
  std::uint64_t hash = 0;
  std::uint64_t events = 0;
  std::vector<History> histories;
  bool operator==(const Outcome&) const = default;
};

/// Nodes with one image, one new event, a crash, a lost disk, and a node that starts again.
Outcome eventful(Host& host) {
  SoloCrossing crossing({&host});
  const auto disk = disk_with(crossing, 12, 12);
  World world(plan_of(12), crossing);
  for (const NodeId& node : world.nodes()) world.give_disk(node, disk);
  start_spread(world, world.nodes());
  world.remove("n3", "n12");
  world.run_for(1s);
  world.restart("n4");
  world.crash("n5");
  world.wipe("n5");
  world.start("n5");
  world.crash("n6");
  world.run_for(4s);
  world.start("n6");
  world.run_for(10s);
  return {world.trace().hash(), world.events(),
          world.invoke_each<&Membership::history>(world.nodes())};
}

TEST(sim_many_nodes, nodes_in_processes_of_their_own_do_the_same) {
  const Outcome together = eventful(*reference_host(false));
  EXPECT_EQ(together.histories.at(4).size(), 13U);
  EXPECT_EQ(eventful(*reference_host(true)), together);
  EXPECT_EQ(eventful(*make_linked_host()), together);
}

TEST(sim_many_nodes, nodes_share_an_image_until_they_write) {
  const auto host = make_linked_host();
  SoloCrossing crossing({host.get()});
  const auto disk = disk_with(crossing, 3, 3);
  World world(plan_of(3), crossing);
  for (const NodeId& node : world.nodes()) world.give_disk(node, disk);
  for (const NodeId& node : world.nodes()) world.start(node);
  EXPECT_THROW(world.give_disk("n1", disk), std::logic_error) << "it runs";
  EXPECT_EQ(world.commits("n1"), 0U);
  ASSERT_TRUE(world.remove("n1", "n3").done());
  EXPECT_EQ(world.commits("n1"), 1U);
  EXPECT_EQ(world.disk("n1").size(), 4U) << "the image, and what it wrote";
  EXPECT_EQ(world.disk("n2"), *disk);
  EXPECT_EQ(disk->size(), 3U);
  world.restart("n1");
  EXPECT_EQ(world.invoke<&Membership::history>("n1").size(), 4U);
  world.wipe("n1");
  EXPECT_TRUE(world.disk("n1").empty());
}

TEST(sim_many_nodes, full_disk_counts_what_the_image_holds) {
  const auto host = make_linked_host();
  SoloCrossing crossing({host.get()});
  World world(plan_of(2), crossing);
  world.give_disk("n1", disk_with(crossing, 2, 2));
  world.fill_disk("n1");
  world.start("n1");
  EXPECT_TRUE(world.remove("n1", "n2").failed_with(ErrorCode::no_room));
  world.free_disk("n1");
  EXPECT_TRUE(world.remove("n1", "n2").done());
}

#ifdef __linux__
std::vector<std::string> children_of(const std::string& process) {
  std::ifstream file("/proc/" + process + "/task/" + process + "/children");
  std::vector<std::string> all;
  for (std::string child; file >> child;) all.push_back(child);
  return all;
}

/// kB that this process has for itself alone.
std::size_t own_kilobytes(const std::string& process) {
  std::ifstream file("/proc/" + process + "/smaps_rollup");
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string name;
    std::size_t kilobytes = 0;
    if (words >> name >> kilobytes && name == "Private_Dirty:") return kilobytes;
  }
  return 0;
}

TEST(sim_many_nodes, equal_pages_are_in_memory_once) {
  if (host::platform::has_sanitizer()) GTEST_SKIP() << "the sanitizer has its own heap";
  const auto host = reference_host(true);
  SoloCrossing crossing({host.get()});
  const auto disk = disk_with(crossing, 8000, 16);
  World world(plan_of(16), crossing);
  for (const NodeId& node : world.nodes()) world.give_disk(node, disk);
  start_spread(world, world.nodes());
  ASSERT_TRUE(world.remove("n1", "n2").done());
  world.run_for(8s);
  EXPECT_EQ(histories_differ(world), "");
  const std::vector<std::string> hosts = children_of(std::to_string(getpid()));
  ASSERT_EQ(hosts.size(), 1U);
  const std::vector<std::string> nodes = children_of(hosts.front());
  ASSERT_EQ(nodes.size(), 16U) << "each has a process, and the one that made the image has gone";
  std::vector<std::size_t> own;
  own.reserve(nodes.size());
  for (const std::string& node : nodes) own.push_back(own_kilobytes(node));
  std::sort(own.begin(), own.end());
  // 8,000 events are 700 kB of heap in the reference. The two that met a page first keep it.
  EXPECT_GT(own.front(), 0U);
  EXPECT_LT(own[own.size() - 4], 350U)
      << "kB that all nodes but three have for themselves, at most";
}
#endif

}  // namespace
}  // namespace dynamo::sim
