// The reference's transfer in worlds whose members change while clients read and write: what
// LABS.md 3.7 and 3.8 say, under faults that a seed draws.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/codec.h"
#include "core/random.h"
#include "sim/cluster.h"
#include "sim/crossing.h"
#include "sim/store_checks.h"
#include "sim/world.h"

namespace dynamo::sim {
namespace {

using Names = std::vector<NodeId>;

constexpr std::uint32_t kVnodes = 16;
constexpr std::uint64_t kKeys = 24;

Plan transfer_plan(std::size_t nodes, std::uint64_t seed) {
  Plan plan = cluster_plan(nodes);
  plan.seed = seed;
  plan.config.modules = {"membership", "ring", "replication", "transfer"};
  plan.config.q = kVnodes;
  plan.config.retry_period = 200ms;
  plan.config.batch_bytes = 4096;
  return plan;
}

bool contains(const Names& names, const NodeId& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::string key_number(std::uint64_t i) { return std::string("k").append(std::to_string(i)); }

/// Members by all events that lie on any disk, whoever knows of them yet.
Names true_members(const World& world) {
  std::map<Version, Event> events;
  for (const NodeId& node : world.nodes()) {
    const Disk& disk = world.disk(node);
    for (auto it = disk.lower_bound({"history", ""}); it != disk.end(); ++it) {
      if (it->first.first != "history") break;
      const Event event = codec::decode<Event>(it->second).value();
      events.emplace(event.version, event);
    }
  }
  std::set<NodeId> members;
  for (const auto& [version, event] : events) {
    if (event.change == Change::join) {
      members.insert(event.subject);
    } else {
      members.erase(event.subject);
    }
  }
  return {members.begin(), members.end()};
}

/// What is still wrong, or empty at quiescence: one history everywhere, no debts, equal replicas on
/// all owners and nowhere else, every owner complete.
std::string unsettled(World& world) {
  for (const NodeId& node : world.nodes()) {
    if (!world.up(node)) return node + " is not up";
  }
  if (std::string wrong = histories_differ(world, world.nodes()); !wrong.empty()) return wrong;
  for (const NodeId& node : world.nodes()) {
    for (const auto& [place, value] : world.disk(node)) {
      // What was handed over and dropped may stand there until the next start.
      const bool owed = place.first == "owed" && held_for(world, node, place.second);
      if (owed) return node + " owes " + place.second;
    }
  }
  const Names members = true_members(world);
  for (VnodeId vnode = 0; vnode < kVnodes; ++vnode) {
    for (const NodeId& owner : world.invoke<&Ring::preference_list>(members.front(), vnode)) {
      if (!world.invoke<&Transfer::complete>(owner, vnode)) {
        return owner + " is still receiving vnode " + std::to_string(vnode);
      }
    }
  }
  return replicas_differ(world);
}

Traffic store_traffic(const World& world) {
  Traffic sum;
  for (const MessageType type :
       {message_number<Write>, message_number<Read>, message_number<Update>,
        message_number<AskTransfer>, message_number<SentAll>}) {
    const Traffic sent = world.sent(type);
    sum.messages += sent.messages;
    sum.bytes += sent.bytes;
  }
  return sum;
}

/// A cluster of the reference, linked in; `members` of its nodes form it, the others run.
struct Store {
  Store(const Plan& plan, std::size_t members)
      : host(make_linked_host()), crossing({host.get()}), world(plan, crossing) {
    const auto count = static_cast<std::ptrdiff_t>(members);
    form_cluster(world, {world.nodes().begin(), world.nodes().begin() + count});
    for (const NodeId& node : world.nodes()) {
      if (world.life(node) == Life::absent) world.start(node);
    }
  }

  bool settles(Duration within) {
    return world.run_until([&] { return unsettled(world).empty(); }, within);
  }

  std::unique_ptr<Host> host;
  SoloCrossing crossing;
  World world;
};

/// Clients that never stop: they write larger and larger numbers, and read everywhere what was once
/// on all owners.
class Clients {
 public:
  explicit Clients(World& world) : world_(world) {}

  void write(const NodeId& at, const std::string& key) {
    writes_.push_back(world_.write(at, key, std::to_string(++last_)));
  }

  void read(const NodeId& at, const std::string& key) {
    reads_.push_back({world_.read(at, key), floor_[key]});
  }

  /// The cluster is quiet: from now on nobody may see less than there is.
  void raise_floor() {
    for (std::uint64_t i = 0; i < kKeys; ++i) {
      const ClientOperation& now = world_.get(true_members(world_).front(), key_number(i));
      floor_[key_number(i)] = now.values.empty() ? 0 : std::stoull(now.values.front());
    }
  }

  /// What is wrong with the answers so far, or empty.
  std::string wrong() {
    std::string wrong;
    std::erase_if(reads_, [&](const Asked& asked) {
      const ClientOperation& read = world_.client(asked.number);
      if (read.pending()) return false;
      ++answered_;
      if (read.failed_with(ErrorCode::not_a_member)) {
        --answered_;
      } else if (read.unknown() || read.outcome == ClientOperation::Outcome::error) {
        ++refused_;
      } else if (asked.floor > 0 &&
                 (read.values.empty() || std::stoull(read.values.front()) < asked.floor)) {
        wrong = question(read) + ": " + to_string(read) + ", and " + std::to_string(asked.floor) +
                " was on all owners; asked at " +
                std::to_string(read.asked.time_since_epoch().count());
      }
      return true;
    });
    return wrong;
  }

  std::size_t answered() const { return answered_; }
  std::size_t refused() const { return refused_; }

 private:
  struct Asked {
    ClientNumber number;
    std::uint64_t floor;
  };
  World& world_;
  std::vector<ClientNumber> writes_;
  std::vector<Asked> reads_;
  std::map<std::string, std::uint64_t> floor_;
  std::uint64_t last_ = 0;
  std::size_t answered_ = 0;
  std::size_t refused_ = 0;
};

enum class Faults : std::uint8_t {
  none,
  short_ones,  ///< Some loss; nodes are killed and come back at once. Everyone can be reached.
  all,         ///< Nodes are cut off, asleep or down for long, and one may lose its disk.
};

/// An operator and a gremlin. The operator asks members only.
class Trouble {
 public:
  Trouble(World& world, Faults faults) : world_(world), random_(world.seed()), faults_(faults) {}

  void begin() {
    LinkModel bad;
    bad.delay_max = 40ms;
    bad.loss_ppm = faults_ == Faults::all ? 50'000 : 5'000;
    bad.duplicate_ppm = 50'000;
    if (faults_ != Faults::none) world_.set_links(bad);
    // Where nodes may stay out of reach, one owner of each vnode is never taken away: to remove all
    // of them, unreachable, is more than the promise covers.
    losses_left_ = faults_ == Faults::all ? world_.plan().config.n - 1 : 1'000;
  }

  void step() {
    if (random_.below(4) == 0) {
      for (std::uint64_t count = 1 + random_.below(3); count > 0; --count) change();
    }
    if (faults_ != Faults::none) revive();
    if (faults_ == Faults::all && random_.below(3) == 0) long_fault();
    if (faults_ == Faults::short_ones && random_.below(3) == 0) kill(any(world_.nodes()));
  }

  void end() {
    world_.heal();
    world_.set_links({});
    for (const NodeId& node : world_.nodes()) {
      if (world_.life(node) == Life::paused) world_.resume(node);
    }
  }

  bool wiped() const { return wiped_; }

 private:
  NodeId any(const Names& names) { return names[random_.below(names.size())]; }

  void change() {
    const Names members = true_members(world_);
    const NodeId at = any(members);
    const NodeId subject = any(world_.nodes());
    if (!world_.up(at)) return;
    if (!contains(members, subject)) {
      world_.add(at, subject);
    } else if (members.size() > 2 && losses_left_ > 0) {
      if (world_.remove(at, subject).outcome != Operation::Outcome::error) --losses_left_;
    }
  }

  void revive() {
    if (faults_ == Faults::all && random_.below(5) != 0) return;
    for (const NodeId& node : world_.nodes()) {
      if (world_.life(node) == Life::down) world_.restart(node);
      if (world_.life(node) == Life::paused) world_.resume(node);
    }
  }

  void kill(const NodeId& node) {
    if (!world_.up(node)) return;
    const std::uint64_t when = random_.below(3);
    if (when == 0) world_.crash(node);
    if (when == 1) world_.crash_before_commit(node);
    if (when == 2) world_.crash_after_commit(node);
  }

  void long_fault() {
    const NodeId node = any(world_.nodes());
    switch (random_.below(7)) {
      case 0:
        if (world_.up(node)) world_.pause(node);
        break;
      case 1:
        world_.isolate(node);
        break;
      case 2:
        split();
        break;
      case 3:
        world_.heal();
        break;
      case 4:
        wipe(node);
        break;
      default:
        kill(node);
    }
  }

  void split() {
    Names these;
    Names those;
    for (const NodeId& node : world_.nodes())
      (random_.below(2) == 0 ? these : those).push_back(node);
    if (!these.empty() && !those.empty()) world_.part(these, those);
  }

  void wipe(const NodeId& node) {
    if (losses_left_ == 0 || random_.below(4) != 0) return;
    if (world_.up(node)) world_.crash(node);
    if (world_.life(node) != Life::down) return;
    world_.wipe(node);
    wiped_ = true;
    --losses_left_;
  }

  World& world_;
  Random random_;
  const Faults faults_;
  std::uint32_t losses_left_ = 0;  ///< Removals and lost disks, until all is quiet again.
  bool wiped_ = false;
};

/// Waits until all is well. A node that was told to die at a commit may do so only now.
bool calms_down(World& world) {
  for (int second = 0; second < 60; ++second) {
    for (const NodeId& node : world.nodes()) {
      if (world.life(node) == Life::down) world.restart(node);
    }
    world.run_for(1s);
    if (unsettled(world).empty()) return true;
  }
  return false;
}

/// Some epochs of change and trouble, each of which ends with a quiet cluster.
void live(World& world, Clients& clients, Faults faults) {
  Trouble trouble(world, faults);
  Random random(world.seed());
  for (std::uint64_t k = 0; k < kKeys; ++k) {
    clients.write(true_members(world).front(), key_number(k));
  }
  for (int epoch = 0; epoch < 4; ++epoch) {
    ASSERT_TRUE(calms_down(world)) << unsettled(world);
    clients.raise_floor();
    trouble.begin();
    for (int i = 0; i < 40; ++i) {
      trouble.step();
      for (const NodeId& node : world.up_nodes()) {
        clients.read(node, key_number(random.below(kKeys)));
      }
      const NodeId at = world.nodes()[random.below(world.nodes().size())];
      if (random.below(2) == 0) clients.write(at, key_number(random.below(kKeys)));
      world.run_for(Duration(random.below(300'000)));
      ASSERT_EQ(clients.wrong(), "") << "in epoch " << epoch;
    }
    trouble.end();
    ASSERT_TRUE(calms_down(world)) << unsettled(world);
    for (std::uint64_t k = 0; k < kKeys && !trouble.wiped(); ++k) {
      const auto expected = expected_with_last_write_wins(world, key_number(k));
      const auto& read = world.get(true_members(world).back(), key_number(k));
      ASSERT_EQ(contradicts(read.values, expected), "") << key_number(k);
    }
  }
}

struct Reads {
  std::size_t answered = 0;
  std::size_t refused = 0;
};

Reads live(std::uint64_t seeds, Faults faults) {
  if (const char* more = std::getenv("SEEDS")) seeds = std::stoull(more);
  Reads all;
  for (std::uint64_t seed = 1; seed <= seeds && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Plan plan = transfer_plan(6, seed);
    if (seed % 4 == 0) plan.config.n = 2;
    if (seed % 8 == 1) plan.config.n = 1;
    Store store(plan, 1 + seed % 5);
    Clients clients(store.world);
    live(store.world, clients, faults);
    all.answered += clients.answered();
    all.refused += clients.refused();
  }
  std::cout << all.refused << " of " << all.answered << std::endl;
  return all;
}

TEST(sim_transfer, keys_stay_readable_while_members_come_and_go) {
  EXPECT_EQ(live(15, Faults::none).refused, 0u) << "nobody was out of reach";
}

TEST(sim_transfer, keys_stay_readable_while_nodes_are_killed_on_both_sides) {
  const Reads reads = live(15, Faults::short_ones);
  EXPECT_LT(reads.refused * 20, reads.answered);
}

TEST(sim_transfer, keys_stay_readable_and_nothing_is_lost_under_all_faults) {
  const Reads reads = live(25, Faults::all);
  EXPECT_LT(reads.refused * 4, reads.answered);
}

Plan large_plan() {
  Plan plan = transfer_plan(5, 1);
  plan.config.batch_bytes = 64 << 10;
  return plan;
}

void fill(Store& store) {
  for (std::uint64_t i = 0; i < 200; ++i) {
    EXPECT_TRUE(store.world.put("n1", key_number(i), std::string(1000, 'x')).done());
  }
  EXPECT_TRUE(store.settles(5s)) << unsettled(store.world);
}

std::size_t states_in(const Sent& sent) {
  if (sent.type != message_number<Update> || sent.reply) return 0;
  const auto update = codec::decode<Update>(sent.bytes);
  return static_cast<std::size_t>(
      std::count_if(update.value().copies.begin(), update.value().copies.end(),
                    [](const Copy& copy) { return copy.state.has_value(); }));
}

/// Each state that has to move moves once. More than that are only hashes: of each key between a
/// few pairs of nodes, some 30 bytes there and back.
void expect_no_more(const World& world, const Traffic& before, std::size_t states,
                    std::size_t moved) {
  EXPECT_GT(moved, 50u);
  EXPECT_EQ(states, moved);
  EXPECT_LE((store_traffic(world) - before).bytes, moved * 1100 + 200 * 6 * 60);
}

TEST(sim_transfer, a_join_moves_what_the_joiner_holds_and_no_more) {
  Store store(large_plan(), 4);
  World& world = store.world;
  fill(store);
  const Traffic before = store_traffic(world);
  std::size_t states = 0;
  world.on_send([&](const Sent& sent) { states += states_in(sent); });
  world.add("n2", "n5");
  EXPECT_TRUE(store.settles(5s)) << unsettled(world);
  expect_no_more(world, before, states, all_held(world, "n5").size());
}

TEST(sim_transfer, a_leave_moves_what_the_leaver_held_and_no_more) {
  for (const bool dead : {false, true}) {
    Store store(large_plan(), 5);
    World& world = store.world;
    fill(store);
    const std::size_t held = all_held(world, "n3").size();
    if (dead) world.crash("n3");
    const Traffic before = store_traffic(world);
    std::size_t states = 0;
    world.on_send([&](const Sent& sent) { states += states_in(sent); });
    world.remove("n2", "n3");
    world.run_for(10s);
    if (dead) world.restart("n3");
    EXPECT_TRUE(store.settles(10s)) << unsettled(world);
    EXPECT_EQ(all_held(world, "n3").size(), 0u);
    expect_no_more(world, before, states, held);
  }
}

TEST(sim_transfer, a_cluster_at_rest_sends_nothing) {
  Store store(large_plan(), 4);
  World& world = store.world;
  fill(store);
  world.add("n2", "n5");
  world.remove("n5", "n1");
  world.run_for(2s);
  world.remove("n2", "n1");
  EXPECT_TRUE(store.settles(10s)) << unsettled(world);
  world.run_for(1s);
  const Traffic before = store_traffic(world);
  world.run_for(60s);
  EXPECT_EQ((store_traffic(world) - before).messages, 0u);
}

}  // namespace
}  // namespace dynamo::sim
