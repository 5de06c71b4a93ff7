// A cluster whose members come and go: what is true of it at rest, clients that watch it meanwhile,
// and trouble that a seed draws.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/codec.h"
#include "core/random.h"
#include "sim/cluster.h"
#include "sim/store_checks.h"
#include "sim/world.h"

namespace dynamo::sim {

using Names = std::vector<NodeId>;

inline constexpr std::uint32_t kVnodes = 16;
inline constexpr std::uint64_t kKeys = 24;

inline Plan transfer_plan(std::size_t nodes, std::uint64_t seed) {
  Plan plan = cluster_plan(nodes);
  plan.seed = seed;
  plan.config.modules = {"membership", "ring", "replication", "transfer"};
  plan.config.q = kVnodes;
  plan.config.retry_period = 200ms;
  plan.config.batch_bytes = 4096;
  return plan;
}

inline std::string key_number(std::uint64_t i) {
  return std::string("k").append(std::to_string(i));
}

/// Members by all events that lie on any disk, whoever knows of them yet.
inline Names true_members(const World& world) {
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
inline std::string unsettled(World& world) {
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

inline Traffic store_traffic(const World& world) {
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
  lasting,     ///< Nodes are cut off, asleep or down for long.
  all,         ///< The same, and one may lose its disk.
};

/// An operator and a gremlin. The operator asks members only.
class Trouble {
 public:
  Trouble(World& world, Faults faults) : world_(world), random_(world.seed()), faults_(faults) {}

  void begin() {
    LinkModel bad;
    bad.delay_max = 40ms;
    bad.loss_ppm = lasting() ? 50'000 : 5'000;
    bad.duplicate_ppm = 50'000;
    if (faults_ != Faults::none) world_.set_links(bad);
    // Where nodes may stay out of reach, one owner of each vnode is never taken away: to remove all
    // of them, unreachable, is more than the promise covers.
    losses_left_ = lasting() ? world_.plan().config.n - 1 : 1'000;
  }

  void step() {
    if (random_.below(4) == 0) {
      for (std::uint64_t count = 1 + random_.below(3); count > 0; --count) change();
    }
    if (faults_ != Faults::none) revive();
    if (lasting() && random_.below(3) == 0) long_fault();
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
  bool lasting() const { return faults_ == Faults::lasting || faults_ == Faults::all; }

  NodeId any(const Names& names) { return names[random_.below(names.size())]; }

  void change() {
    const Names members = true_members(world_);
    const NodeId at = any(members);
    const NodeId subject = any(world_.nodes());
    if (!world_.up(at)) return;
    if (std::find(members.begin(), members.end(), subject) == members.end()) {
      world_.add(at, subject);
    } else if (members.size() > 2 && losses_left_ > 0) {
      if (world_.remove(at, subject).outcome != Operation::Outcome::error) --losses_left_;
    }
  }

  void revive() {
    if (lasting() && random_.below(5) != 0) return;
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
    if (losses_left_ == 0 || random_.below(4) != 0 || faults_ != Faults::all) return;
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

}  // namespace dynamo::sim
