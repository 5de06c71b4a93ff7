// For ./lab experiment gossip: how many rounds one new event takes through a cluster.
//
//     gossip-table NODE MEMBERS EVENTS SEED
//         →    {"members": 64, "knowers": [[1, 3, 11, 34, 60, 64], …]}
//
// MEMBERS nodes with membership alone begin with one image of a disk, so that they know the same
// history: as many joins as there are members. Then an operator makes one change at
// one of them, and every gossip period all are asked who knows it; EVENTS times. "knowers": per
// change, how many knew it at once, after one round, after two, up to all. The change is the join
// and the leave, in turn, of a node that never starts: one peer among all, half of the time, that
// does not answer.
#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "sim/cluster.h"
#include "sim/crossing.h"
#include "sim/host.h"
#include "sim/world.h"
#include "table.h"

namespace dynamo::sim {
namespace {

constexpr std::size_t kMostRounds = 100;
/// More nodes than that get a process each: every one holds the whole history in some 500 bytes an
/// event, so that their memory together grows with the square of their number.
constexpr std::uint32_t kMostTogether = 1024;

using Knowers = std::vector<std::size_t>;

/// A disk with a history as an operator makes it who adds all others at the first member's console:
/// what each of `members` begins with.
std::shared_ptr<const Disk> disk_with_history(const Plan& plan, Crossing& crossing,
                                              const std::vector<NodeId>& members) {
  World world(plan, crossing);
  const NodeId& taker = members.back();
  world.start(taker);
  History history;
  history.reserve(members.size());
  for (const NodeId& member : members) {
    history.push_back({member, Change::join, {history.size() + 1, members.front(), plan.seed}});
  }
  world.invoke<&Membership::merge>(taker, history);
  if (world.invoke<&Membership::history>(taker) != history) {
    throw SolutionDied(taker + " merged " + std::to_string(history.size()) +
                       " events, and its history is another one");
  }
  return std::make_shared<const Disk>(world.disk(taker));
}

/// The event that `member` has now and had not in `before`.
Event new_event(World& world, const NodeId& member, const History& before) {
  const History now = world.invoke<&Membership::history>(member);
  const auto news = std::find_if(now.rbegin(), now.rend(), [&](const Event& event) {
    return std::find(before.rbegin(), before.rend(), event) == before.rend();
  });
  if (news != now.rend()) return *news;
  throw SolutionDied("the console of " + member + " said done, but its history has no new event");
}

/// Who does not know the one new event yet. A node knows it when its disk has taken something since
/// (whoever knows an event must not forget it) and its history has the event.
class Ignorant {
 public:
  Ignorant(World& world, const std::vector<NodeId>& members) : world_(world), names_(members) {
    for (const NodeId& member : members) commits_[member] = world.commits(member);
  }

  bool empty() const { return names_.empty(); }
  std::size_t size() const { return names_.size(); }

  void forget_knowers(const Event& event) {
    std::vector<NodeId> still;
    std::vector<NodeId> asked;
    for (const NodeId& name : names_) {
      (world_.commits(name) == commits_[name] ? still : asked).push_back(name);
    }
    // A few at a time: a whole history is long, and all of them together do not fit into memory.
    for (std::size_t from = 0; from < asked.size(); from += kAskedAtOnce) {
      const std::span<const NodeId> rest = std::span(asked).subspan(from);
      const auto batch = rest.first(std::min(kAskedAtOnce, rest.size()));
      const std::vector<NodeId> some(batch.begin(), batch.end());
      const auto histories = world_.invoke_each_encoded<&Membership::history>(some);
      for (std::size_t i = 0; i < some.size(); ++i) {
        if (!has(histories[i], event)) still.push_back(some[i]);
      }
    }
    names_ = std::move(still);
  }

 private:
  static constexpr std::size_t kAskedAtOnce = 64;

  /// Most histories are the same as one that was read before.
  bool has(const std::string& encoded, const Event& event) {
    if (encoded == with_it_) return true;
    const auto known = codec::decode<History>(encoded);
    if (!known) throw SolutionDied("a history is malformed: the process was tampered with");
    if (std::find(known->rbegin(), known->rend(), event) == known->rend()) return false;
    with_it_ = encoded;
    return true;
  }

  World& world_;
  std::vector<NodeId> names_;
  std::map<NodeId, std::uint64_t> commits_;  ///< Before the change.
  std::string with_it_;                      ///< A history that has the event.
};

/// One change, from the console of `at` until all members know it.
Knowers spread(World& world, const std::vector<NodeId>& members, const NodeId& at, bool join) {
  const NodeId& subject = world.nodes().back();
  const History before = world.invoke<&Membership::history>(at);
  Ignorant ignorant(world, members);
  const Operation change = join ? world.add(at, subject) : world.remove(at, subject);
  if (!change.done()) throw SolutionDied("the console of " + at + " says " + to_string(change));
  const Event event = new_event(world, at, before);
  Knowers knowers;
  while (true) {
    ignorant.forget_knowers(event);
    knowers.push_back(members.size() - ignorant.size());
    if (ignorant.empty()) return knowers;
    if (knowers.size() > kMostRounds) {
      throw SolutionDied("after " + std::to_string(kMostRounds) + " rounds, " +
                         std::to_string(ignorant.size()) + " of " + std::to_string(members.size()) +
                         " members do not know a change");
    }
    world.run_for(world.plan().config.gossip_period);
  }
}

std::string in_json(const Knowers& knowers) {
  std::string text;
  for (const std::size_t number : knowers) {
    text.append(text.empty() ? "[" : ", ").append(std::to_string(number));
  }
  return text + "]";
}

void print_row(Host& host, std::uint32_t count, std::uint32_t events, std::uint32_t seed) {
  Plan plan = cluster_plan(count + 1);
  plan.seed = seed;
  plan.config.modules = {"membership"};
  SoloCrossing crossing({&host});
  const std::vector<NodeId> members(plan.nodes.begin(), plan.nodes.end() - 1);
  const auto disk = disk_with_history(plan, crossing, members);
  World world(plan, crossing);
  for (const NodeId& member : members) world.give_disk(member, disk);
  start_spread(world, members);
  world.run_for(plan.config.gossip_period);
  std::string rows;
  for (std::uint32_t i = 0; i < events; ++i) {
    const NodeId& at = members[members.size() * i / events];
    if (i > 0) rows += ", ";
    rows += in_json(spread(world, members, at, i % 2 == 0));
  }
  std::printf("{\"members\": %u, \"knowers\": [%s]}\n", count, rows.c_str());
}

}  // namespace
}  // namespace dynamo::sim

int main(int argc, char** argv) {
  using namespace dynamo::sim;
  const std::vector<NumberArgument> arguments{
      {"MEMBERS", 2, 10'000}, {"EVENTS", 1, 1000}, {"SEED", 1, 1'000'000}};
  return run_table(
      argc, argv, arguments,
      [](Host& host, std::span<const std::uint32_t> numbers) {
        print_row(host, numbers[0], numbers[1], numbers[2]);
        host.exchange();  // the last nodes end
      },
      [](std::span<const std::uint32_t> numbers) { return numbers[0] > kMostTogether; });
}
