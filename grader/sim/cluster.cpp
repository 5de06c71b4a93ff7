#include "sim/cluster.h"

#include <algorithm>
#include <optional>

#include "core/keys.h"
#include "sim/draws.h"

namespace dynamo::sim {

Plan cluster_plan(std::size_t count) {
  Plan plan;
  for (std::size_t i = 1; i <= count; ++i) plan.nodes.emplace_back("n").append(std::to_string(i));
  plan.config.seeds = {"n1"};
  plan.config.modules = {"membership", "ring"};
  return plan;
}

namespace {

/// Each node at its own moment within a gossip period, so that their rounds are spread as in life.
struct Begin {
  Duration offset;
  NodeId node;
};

std::vector<Begin> beginnings(const World& world, const std::vector<NodeId>& names) {
  std::vector<Begin> begins;
  begins.reserve(names.size());
  for (const NodeId& name : names) {
    const Key key = Key(world.seed(), Draw::start_offset).with(hash_of(name));
    begins.push_back({key.between(Duration(0), world.plan().config.gossip_period), name});
  }
  std::stable_sort(begins.begin(), begins.end(),
                   [](const Begin& a, const Begin& b) { return a.offset < b.offset; });
  return begins;
}

}  // namespace

void start_spread(World& world, const std::vector<NodeId>& nodes) {
  const Instant begin = world.now();
  for (const Begin& next : beginnings(world, nodes)) {
    world.run_until(begin + next.offset);
    world.start(next.node);
  }
}

void form_cluster(World& world, const std::vector<NodeId>& nodes) {
  const std::vector<NodeId> names = nodes.empty() ? world.nodes() : nodes;
  world.phase("form");
  world.start(names.front(), true);
  for (std::size_t i = 1; i < names.size(); ++i) {
    const Operation add = world.add(names.front(), names[i]);
    world.expect(add.done(),
                 names.front() + ", first of the cluster, takes the operator's \"add " + names[i] +
                     "\": done",
                 [&] { return "the console hears: " + to_string(add); });
  }
  start_spread(world, {names.begin() + 1, names.end()});
  const Duration period = world.plan().config.gossip_period;
  converges(
      world, 60 * period, [&] { return histories_differ(world, names); },
      "all nodes of the new cluster know the same history", period / 2);
  world.phase("formed: " + list(names));
}

std::string histories_differ(World& world, const std::vector<NodeId>& nodes) {
  const std::vector<NodeId> names = nodes.empty() ? world.up_nodes() : nodes;
  const std::vector<History> histories = world.invoke_each<&Membership::history>(names);
  for (std::size_t i = 1; i < names.size(); ++i) {
    if (histories[i] == histories[0]) continue;
    const auto missing = [](const History& in, const History& of) {
      return std::count_if(of.begin(), of.end(), [&](const Event& event) {
        return std::find(in.begin(), in.end(), event) == in.end();
      });
    };
    const auto lacks = missing(histories[i], histories[0]);
    const auto other = missing(histories[0], histories[i]);
    std::string text = "the histories of " + names[0] + " and " + names[i] + " differ: ";
    text += names[0] + " has " + std::to_string(histories[0].size()) + " events, " + names[i] +
            " has " + std::to_string(histories[i].size());
    if (lacks != 0) text += "; " + names[i] + " lacks " + std::to_string(lacks);
    if (other != 0) text += "; " + names[0] + " lacks " + std::to_string(other);
    return text;
  }
  return "";
}

std::vector<NodeId> members(World& world, const NodeId& node) {
  std::vector<NodeId> names = members_of(world.invoke<&Membership::view>(node));
  std::sort(names.begin(), names.end());
  return names;
}

void restart_all(World& world, const std::vector<NodeId>& nodes) {
  for (const NodeId& node : nodes.empty() ? world.nodes() : nodes) {
    std::optional<World::Optional> optional;
    if (world.up(node) && !world.armed(node)) optional.emplace(world);
    world.restart(node);
  }
}

std::string list(const std::vector<NodeId>& names) {
  constexpr std::size_t kMost = 30;
  constexpr std::size_t kShown = 24;
  const std::size_t shown = names.size() > kMost ? kShown : names.size();
  std::string text;
  for (std::size_t i = 0; i < shown; ++i) text += (text.empty() ? "" : ", ") + names[i];
  if (shown < names.size()) text += ", … " + std::to_string(names.size() - shown) + " more";
  return "[" + text + "]";
}

void converges(World& world, Duration within, const std::function<std::string()>& wrong,
               const std::string& what, Duration step) {
  std::string last;
  const bool done = world.run_until([&] { return (last = wrong()).empty(); }, within, step);
  const auto ms = within.count() / 1000;
  const std::string time =
      ms % 1000 == 0 ? std::to_string(ms / 1000) + " s" : std::to_string(ms) + " ms";
  world.expect(done, what + ", within " + time + " of the cluster's own time", last);
}

}  // namespace dynamo::sim
