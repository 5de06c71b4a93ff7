// For ./lab experiment quorum: what R and W cost and buy, in strict mode with N = 3.
//
//     quorum-table NODE R W OPERATIONS
//         →    {"r": 1, "w": 2, "put_ms": [4.1, 9.7], "get_ms": [2.2, 8.0], "gets": 500, "stale":
//         3,
//               "asked": 500, "puts_done": 480, "gets_done": 491}
//
// OPERATIONS puts, each followed at once by a get of the same key at another node: the median and
// the 99th percentile of their times, and how many gets missed the put that was just acknowledged.
// Then OPERATIONS of each while nodes die and come back, each of them away for a fifth of the time:
// how many succeed. Messages take 1 to 20 ms.
#include <algorithm>
#include <cstdio>
#include <span>
#include <string>
#include <vector>

#include "core/random.h"
#include "sim/cluster.h"
#include "sim/crossing.h"
#include "sim/host.h"
#include "sim/world.h"
#include "table.h"

namespace dynamo::sim {
namespace {

constexpr std::size_t kNodes = 5;

struct Shape {
  std::uint32_t r = 0;
  std::uint32_t w = 0;
  std::uint32_t operations = 0;
};

class Measured {
 public:
  Measured(World& world, const Shape& shape) : world_(world), shape_(shape), random_(1) {}

  void in_peace() {
    for (std::uint32_t number = 0; number < shape_.operations; ++number) {
      const std::string key = "peace" + std::to_string(number);
      const ClientOperation put = ask_put(key);
      if (!put.done()) throw SolutionDied("a put at " + put.at + " failed: " + to_string(put));
      const ClientOperation get = ask_get(key);
      if (!get.absent() && get.outcome != ClientOperation::Outcome::found) {
        throw SolutionDied("a get at " + get.at + " failed: " + to_string(get));
      }
      puts_.push_back(put.answered - put.asked);
      gets_.push_back(get.answered - get.asked);
      if (!get.found(*put.value)) ++stale_;
    }
  }

  void while_nodes_die() {
    for (std::uint32_t number = 0; number < shape_.operations; ++number) {
      for (const NodeId& node : world_.nodes()) change(node);
      if (world_.up_nodes().empty()) continue;
      const std::string key = "trouble" + std::to_string(number);
      if (ask_put(key).done()) ++puts_done_;
      const ClientOperation get = ask_get(key);
      if (get.absent() || get.outcome == ClientOperation::Outcome::found) ++gets_done_;
      ++asked_;
    }
  }

  void print() {
    std::printf(R"({"r": %u, "w": %u, "put_ms": [%s], "get_ms": [%s], "gets": %zu, "stale": %zu, )"
                R"("asked": %zu, "puts_done": %zu, "gets_done": %zu})"
                "\n",
                shape_.r, shape_.w, times(puts_).c_str(), times(gets_).c_str(), gets_.size(),
                stale_, asked_, puts_done_, gets_done_);
  }

 private:
  /// A node that runs dies now and then; a dead one comes back four times as fast.
  void change(const NodeId& node) {
    if (world_.up(node) && random_.below(40) == 0) {
      world_.crash(node);
    } else if (world_.life(node) == Life::down && random_.below(10) == 0) {
      world_.restart(node);
    }
  }

  NodeId pick() {
    const std::vector<NodeId> up = world_.up_nodes();
    return up[random_.below(up.size())];
  }

  // Copies: the world goes on, and may have more operations by then.
  ClientOperation ask_put(const std::string& key) {
    const NodeId at = pick();
    return world_.answer(world_.write(at, key, "value of " + key, {}, {}, shape_.w));
  }
  ClientOperation ask_get(const std::string& key) {
    const NodeId at = pick();
    return world_.answer(world_.read(at, key, shape_.r));
  }

  /// "4.1, 9.7": the median and the 99th percentile, in ms.
  static std::string times(std::vector<Duration>& all) {
    std::sort(all.begin(), all.end());
    char text[64];
    std::snprintf(text, sizeof text, "%.2f, %.2f",
                  static_cast<double>(all[all.size() / 2].count()) / 1000.0,
                  static_cast<double>(all[all.size() * 99 / 100].count()) / 1000.0);
    return text;
  }

  World& world_;
  const Shape shape_;
  Random random_;
  std::vector<Duration> puts_;
  std::vector<Duration> gets_;
  std::size_t stale_ = 0;
  std::size_t asked_ = 0;
  std::size_t puts_done_ = 0;
  std::size_t gets_done_ = 0;
};

void print_row(Host& host, const Shape& shape) {
  Plan plan = cluster_plan(kNodes);
  plan.config.modules = {"membership", "ring", "versioning", "quorum"};
  plan.config.q = 64;
  plan.config.mode = "strict";
  plan.links.delay_min = 1ms;
  plan.links.delay_max = 20ms;
  SoloCrossing crossing({&host});
  World world(plan, crossing);
  form_cluster(world);
  Measured measured(world, shape);
  measured.in_peace();
  measured.while_nodes_die();
  measured.print();
}

}  // namespace
}  // namespace dynamo::sim

int main(int argc, char** argv) {
  using namespace dynamo::sim;
  const std::vector<NumberArgument> arguments{
      {"R", 1, 3}, {"W", 1, 3}, {"OPERATIONS", 100, 100'000}};
  return run_table(argc, argv, arguments, [](Host& host, std::span<const std::uint32_t> numbers) {
    print_row(host, {numbers[0], numbers[1], numbers[2]});
  });
}
