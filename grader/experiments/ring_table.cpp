// For ./lab experiment ring: the rings that a solution builds while hosts join one by one.
//
//     ring-table NODE Q HOSTS    →    {"owners": [[0,0,…], [0,1,…], …]}
//
// Row S-1 holds, for each vnode, the number of its host among S (0 joined first).
#include <cstdio>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "sim/host.h"
#include "table.h"

namespace dynamo::sim {
namespace {

/// One row as JSON. Throws SolutionDied if the ring has another size or names a stranger.
std::string row_of(const std::vector<NodeId>& owners, const std::map<NodeId, std::size_t>& numbers,
                   std::uint32_t q) {
  if (owners.size() != q) {
    throw SolutionDied("owners() has " + std::to_string(owners.size()) + " entries; Q is " +
                       std::to_string(q));
  }
  std::string row;
  for (const NodeId& owner : owners) {
    const auto found = numbers.find(owner);
    if (found == numbers.end()) throw SolutionDied("a vnode belongs to '" + owner + "', no member");
    row.append(row.empty() ? "[" : ",").append(std::to_string(found->second));
  }
  return row + "]";
}

void print_table(Host& host, std::uint32_t q, std::uint32_t hosts) {
  NodeSetup setup{"n1", 1, {}};
  setup.config.q = q;
  setup.config.modules = {"ring"};
  const Moment moment{Instant{}, Instant{}, 1};
  host.make(0, setup, {}, 0);
  History events;
  std::map<NodeId, std::size_t> numbers;
  std::string table;
  for (std::uint32_t i = 1; i <= hosts; ++i) {
    const NodeId name = NodeId("host-").append(std::to_string(i));
    numbers[name] = i - 1;
    events.push_back({name, Change::join, {i, "host-1", 1}});
    invoke<&Ring::rebuild>(host, 0, moment, nullptr, events);
    const auto owners = invoke<&Ring::owners>(host, 0, moment, nullptr);
    table.append(table.empty() ? "" : ",\n").append(row_of(owners, numbers, q));
  }
  std::printf("{\"owners\": [\n%s\n]}\n", table.c_str());
}

}  // namespace
}  // namespace dynamo::sim

int main(int argc, char** argv) {
  using namespace dynamo::sim;
  const std::vector<NumberArgument> arguments{{"Q", 1, 1U << 20}, {"HOSTS", 1, 1000}};
  return run_table(argc, argv, arguments, [](Host& host, std::span<const std::uint32_t> numbers) {
    print_table(host, numbers[0], numbers[1]);
  });
}
