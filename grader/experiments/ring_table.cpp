// For ./lab experiment ring: the rings that a solution builds while hosts join one by one.
//
//     ring-table NODE Q HOSTS    →    {"owners": [[0,0,…], [0,1,…], …]}
//
// Row S-1 holds, for each vnode, the number of its host among S (0 joined first). Exit code 1: the
// solution failed, and why stands on stderr. 2: wrong arguments, or the grader's own trouble.
#include <charconv>
#include <cstdio>
#include <cstring>
#include <exception>
#include <map>
#include <string>

#include "sim/host.h"

namespace dynamo::sim {
namespace {

constexpr std::uint32_t kMostVnodes = 1U << 20;
constexpr std::uint32_t kMostHosts = 1000;

std::optional<std::uint32_t> number_up_to(std::uint32_t most, const char* text) {
  std::uint32_t value = 0;
  const char* end = text + std::strlen(text);
  const auto [stopped, error] = std::from_chars(text, end, value);
  const bool good = error == std::errc() && stopped == end && value >= 1 && value <= most;
  return good ? std::optional(value) : std::nullopt;
}

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

int run(int argc, char** argv) {
  const auto q = argc == 4 ? number_up_to(kMostVnodes, argv[2]) : std::nullopt;
  const auto hosts = argc == 4 ? number_up_to(kMostHosts, argv[3]) : std::nullopt;
  if (!q || !hosts) {
    std::fprintf(stderr,
                 "usage: ring-table NODE Q HOSTS, with Q from 1 to %u, HOSTS from 1 to %u\n",
                 kMostVnodes, kMostHosts);
    return 2;
  }
  ProcessOptions options;
  options.node_binary = argv[1];
  try {
    print_table(*start_process_host(options), *q, *hosts);
    return 0;
  } catch (const SolutionDied& death) {
    std::fprintf(stderr, "%s\n", death.what());
    return 1;
  } catch (const std::exception& trouble) {
    std::fprintf(stderr, "%s\n", trouble.what());
    return 2;
  }
}

}  // namespace
}  // namespace dynamo::sim

int main(int argc, char** argv) { return dynamo::sim::run(argc, argv); }
