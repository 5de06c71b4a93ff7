// For ./lab experiment sync: the bytes of an exchange of Merkle trees, beside shipping everything.
//
//     sync-table NODE KEYS DIFFERENCES VALUE_BYTES
//         →    {"keys": 1000, "differences": 10, "roots": 1, "nodes": 1, "states": 1, "must": 1,
//               "hashes": 1, "everything": 1}
//
// Two nodes hold the same KEYS keys. While the network is cut, DIFFERENCES of them are written, in
// turn at the one node and at the other; then it heals, and one of them begins an exchange. Bytes
// of that, requests and replies: "roots" of CompareRoots, "nodes" of AskNodes, "states" of
// AskCopies and Update. Beside it, without what frames them: "must", the newer states once; all
// keys with their hashes; and "everything", all keys with their states.
#include <algorithm>
#include <cstdio>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "sim/cluster.h"
#include "sim/crossing.h"
#include "sim/host.h"
#include "sim/store_checks.h"
#include "sim/world.h"
#include "table.h"

namespace dynamo::sim {
namespace {

constexpr Duration kPeriod = 10s;  // far more than an exchange takes
constexpr int kMostPeriods = 10;

struct Shape {
  std::uint32_t keys = 0;
  std::uint32_t differences = 0;
  std::uint32_t value_bytes = 0;
};

Plan sync_plan() {
  Plan plan = cluster_plan(2);
  plan.config.modules = {"membership", "ring", "replication", "sync"};
  plan.config.n = 2;
  plan.config.q = 16;
  plan.config.retry_period = 1000h;  // what is missing after the cut, the exchange moves
  plan.config.sync_period = kPeriod;
  plan.config.sync_bytes_per_second = 1u << 30;
  return plan;
}

class Store {
 public:
  Store(World& world, const Shape& shape) : world_(world), shape_(shape) {
    form_cluster(world);
    std::vector<std::string> keys;
    for (std::uint32_t i = 0; i < shape.keys; ++i) keys.push_back(key(i));
    write(keys, "old");
    if (!world.run_until([&] { return equal(); }, kMostPeriods * kPeriod, 1s)) {
      throw SolutionDied("after the puts: " + replicas_differ(world_));
    }
  }

  /// Both nodes write while the network is cut. Returns what they have written.
  std::vector<std::string> differ() {
    std::vector<std::string> keys;
    for (std::uint32_t i = 0; i < shape_.differences; ++i) {
      keys.push_back(
          key(static_cast<std::uint32_t>(std::uint64_t{i} * shape_.keys / shape_.differences)));
    }
    world_.part({"n1"}, {"n2"});
    write(keys, "new");
    world_.run_for(2s);  // who does not answer has not answered by now
    world_.heal();
    return keys;
  }

  /// Until both hold the same, and one exchange was counted.
  void exchange() {
    world_.on_send([this](const Sent& sent) { count(sent); });
    for (int period = 0; period < kMostPeriods; ++period) {
      world_.run_for(kPeriod);
      if (!first_.empty() && equal()) return;
    }
    throw SolutionDied(std::to_string(kMostPeriods) + " sync periods after the cut: " +
                       (first_.empty() ? "no CompareRoots was sent" : replicas_differ(world_)));
  }

  /// Bytes of requests and replies of one type.
  std::uint64_t bytes(MessageType type) const {
    const auto found = bytes_.find(type);
    return found == bytes_.end() ? 0 : found->second;
  }

 private:
  static constexpr std::size_t kWritesAtOnce = 100;

  static std::string key(std::uint32_t i) { return std::string("cart").append(std::to_string(i)); }

  void write(const std::vector<std::string>& keys, const std::string& word) {
    std::vector<ClientNumber> puts;
    for (std::size_t i = 0; i < keys.size(); ++i) {
      const std::string value = word + std::string(shape_.value_bytes, '.');
      puts.push_back(world_.write(world_.nodes()[i % 2], keys[i], value));
      if (i % kWritesAtOnce == kWritesAtOnce - 1) world_.run_for(50ms);
    }
    world_.run_for(1s);
    for (const ClientNumber put : puts) {
      if (!world_.client(put).done()) {
        throw SolutionDied("a put failed: " + to_string(world_.client(put)));
      }
    }
  }

  bool equal() { return replicas_differ(world_).empty(); }

  /// Of the node only that begins first: the other one's exchange repeats it, or finds nothing.
  void count(const Sent& sent) {
    if (first_.empty() && sent.type == message_number<CompareRoots> && !sent.reply) {
      first_ = sent.from;
    }
    if (!first_.empty() && (sent.reply ? sent.to : sent.from) == first_) {
      bytes_[sent.type] += sent.bytes.size();
    }
  }

  World& world_;
  const Shape shape_;
  NodeId first_;  ///< Who began the exchange.
  std::map<MessageType, std::uint64_t> bytes_;
};

std::uint64_t copy_bytes(const std::string& key, const Held& held, bool state) {
  return to_bytes(Copy{key, held.hash, state ? std::optional(held.state) : std::nullopt}).size();
}

void print_row(Host& host, const Shape& shape) {
  SoloCrossing crossing({&host});
  World world(sync_plan(), crossing);
  Store store(world, shape);
  const std::vector<std::string> differing = store.differ();
  store.exchange();
  const std::map<std::string, Held> all = all_held(world, "n1");
  std::uint64_t must = 0;
  std::uint64_t hashes = 0;
  std::uint64_t everything = 0;
  for (const std::string& key : differing) must += copy_bytes(key, all.at(key), true);
  for (const auto& [key, held] : all) {
    hashes += copy_bytes(key, held, false);
    everything += copy_bytes(key, held, true);
  }
  const std::vector<std::pair<std::string, std::uint64_t>> fields = {
      {"keys", shape.keys},
      {"differences", shape.differences},
      {"roots", store.bytes(message_number<CompareRoots>)},
      {"nodes", store.bytes(message_number<AskNodes>)},
      {"states", store.bytes(message_number<AskCopies>) + store.bytes(message_number<Update>)},
      {"must", must},
      {"hashes", hashes},
      {"everything", everything}};
  std::string row;
  for (const auto& [name, value] : fields) {
    row += (row.empty() ? "{\"" : ", \"") + name + "\": " + std::to_string(value);
  }
  std::printf("%s}\n", row.c_str());
}

}  // namespace
}  // namespace dynamo::sim

int main(int argc, char** argv) {
  using namespace dynamo::sim;
  const std::vector<NumberArgument> arguments{
      {"KEYS", 1, 100'000}, {"DIFFERENCES", 0, 100'000}, {"VALUE_BYTES", 0, 100'000}};
  return run_table(argc, argv, arguments, [](Host& host, std::span<const std::uint32_t> numbers) {
    print_row(host, {numbers[0], std::min(numbers[0], numbers[1]), numbers[2]});
  });
}
