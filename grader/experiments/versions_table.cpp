// For ./lab experiment versions: how many versions reads see, against the number of clients.
//
//     versions-table NODE CLIENTS NODES READS THINK_MS PAUSE_MS
//         →    {"clients": 4, "reads": 2000, "saw": [0, 1990, 9, 1, 0]}
//
// saw[k]: reads that saw k versions, the last entry: or more. CLIENTS use one key of a store of
// three nodes, at the first NODES of them: each reads, thinks, puts with the context that it read,
// and pauses; both times are drawn, THINK_MS and PAUSE_MS on average.
#include <array>
#include <cstdio>
#include <queue>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/random.h"
#include "sim/cluster.h"
#include "sim/crossing.h"
#include "sim/host.h"
#include "sim/world.h"
#include "table.h"

namespace dynamo::sim {
namespace {

constexpr std::uint32_t kStoreNodes = 3;
constexpr std::size_t kMostCounted = 5;  // 5 versions or more

struct Shape {
  std::uint32_t clients = 0;
  std::uint32_t nodes = 0;
  std::uint32_t reads = 0;
  Duration think{0};
  Duration pause{0};
};

/// The clients of one key. Each is a loop of two steps; a queue says whose step comes next.
class Clients {
 public:
  Clients(World& world, const Shape& shape) : world_(world), shape_(shape), random_(1) {
    for (std::size_t i = 0; i < shape.clients; ++i) wait(i, shape.pause);
    clients_.resize(shape.clients);
  }

  std::array<std::size_t, kMostCounted + 1> run() {
    for (std::size_t reads = 0; reads < shape_.reads;) {
      const auto [at, number] = next_.top();
      next_.pop();
      if (at > world_.now()) world_.run_until(at);
      Client& client = clients_[number];
      if (client.has_read) {
        put(client, number);
      } else {
        ++reads;
        read(client);
      }
      wait(number, client.has_read ? shape_.think : shape_.pause);
    }
    return saw_;
  }

 private:
  struct Client {
    bool has_read = false;
    NodeId node;
    std::string context;
  };
  using Turn = std::pair<Instant, std::size_t>;

  void wait(std::size_t client, Duration average) {
    const auto twice = 2 * static_cast<std::uint64_t>(average.count());
    next_.push({world_.now() + Duration(random_.below(twice + 1)), client});
  }

  void read(Client& client) {
    client.node = world_.nodes()[random_.below(shape_.nodes)];
    const ClientOperation& get = world_.get(client.node, "cart");
    if (get.unknown() || get.outcome == ClientOperation::Outcome::error) {
      throw SolutionDied("a get at " + client.node + " failed: " + to_string(get));
    }
    ++saw_[std::min(get.values.size(), kMostCounted)];
    client.context = get.read_context;
    client.has_read = true;
  }

  void put(Client& client, std::size_t number) {
    const std::string value =
        "client " + std::to_string(number) + ", put " + std::to_string(++puts_);
    const ClientOperation& put = world_.put(client.node, "cart", value, client.context);
    // A solution whose versions pile up reaches the limit: that is a result, and no trouble.
    if (!put.done() && !put.failed_with(ErrorCode::too_large)) {
      throw SolutionDied("a put at " + client.node + " failed: " + to_string(put));
    }
    client.has_read = false;
  }

  World& world_;
  const Shape shape_;
  Random random_;
  std::vector<Client> clients_;
  std::priority_queue<Turn, std::vector<Turn>, std::greater<>> next_;
  std::array<std::size_t, kMostCounted + 1> saw_{};
  std::size_t puts_ = 0;
};

void print_row(Host& host, const Shape& shape) {
  Plan plan = cluster_plan(kStoreNodes);
  plan.config.modules = {"membership", "ring", "replication", "versioning"};
  plan.config.q = 16;
  SoloCrossing crossing({&host});
  World world(plan, crossing);
  form_cluster(world);
  if (!world.put("n1", "cart", "the first").done()) throw SolutionDied("the first put failed");
  world.run_for(1s);
  std::string saw;
  for (const std::size_t count : Clients(world, shape).run()) {
    saw += (saw.empty() ? "" : ", ") + std::to_string(count);
  }
  std::printf("{\"clients\": %u, \"reads\": %u, \"saw\": [%s]}\n", shape.clients, shape.reads,
              saw.c_str());
}

}  // namespace
}  // namespace dynamo::sim

int main(int argc, char** argv) {
  using namespace dynamo::sim;
  const std::vector<NumberArgument> arguments{{"CLIENTS", 1, 1000},
                                              {"NODES", 1, kStoreNodes},
                                              {"READS", 1, 1'000'000},
                                              {"THINK_MS", 0, 1'000'000},
                                              {"PAUSE_MS", 0, 1'000'000}};
  return run_table(argc, argv, arguments, [](Host& host, std::span<const std::uint32_t> numbers) {
    print_row(host, {numbers[0], numbers[1], numbers[2], numbers[3] * 1ms, numbers[4] * 1ms});
  });
}
